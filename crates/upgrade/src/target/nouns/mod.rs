//! What plan, apply and verify need of each kind of record: to find it, to tell who stands in its way, to write it, to show it.
//! One file a kind.

mod apis;
mod applications;
mod clients;
mod continuity;
mod denials;
mod documents;
mod feedback;
mod keys;
mod policies;
mod roles;
mod scopes;
mod sequences;
mod settings;
mod signing;
mod subscriptions;
mod tenants;
mod tokens;
mod user_stores;
mod users;
mod workflows;

use std::collections::BTreeMap;
use std::fmt::Debug;

use aws_lc_rs::digest;
use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::origins::Shelf;
use db::{Result, Tx};
use model::{Secret, Timestamp};

use super::NO_HOST;
use crate::digests::hex;
use crate::environments::Destinations;

pub(crate) use apis::CARRIED_OVER;
pub(crate) use tokens::{refresh_holder, without_refresh};

/// Who stands where a record would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody.
    Free,
    /// What a first start put there, untouched.
    Default,
    /// Somebody's record, in words.
    Taken(String),
}

/// Circumstances of writing.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    /// Where APIs run.
    pub(crate) destinations: Destinations,
    /// Host names of deployments by environment; that of `Default` stands for what has none.
    pub(crate) hosts: BTreeMap<String, String>,
}

impl Around {
    pub(crate) fn host(&self, environment: &str) -> String {
        let host = self.hosts.get(environment).or_else(|| self.hosts.get(DEFAULT_ENVIRONMENT));
        host.cloned().unwrap_or_else(|| NO_HOST.to_owned())
    }
}

/// A kind of record that is carried.
pub(crate) trait Noun: Debug + Clone + PartialEq {
    /// Its name in the book of origins, plural.
    const KIND: &'static str;

    /// Where a rollback looks for records that others made and that may need carried ones.
    const SHELF: Option<Shelf> = None;

    /// Its id here.
    fn id(&self) -> String;

    /// For people.
    fn label(&self) -> String {
        self.id()
    }

    /// Secrets in it, in a fixed order. [`Noun::shown`] leaves them out.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// For comparing field by field.
    fn shown(&self) -> String {
        format!("{self:#?}")
    }

    /// Whether the record here differs from this one only as use makes it differ, so that there is nothing to redress.
    fn has_lived_on(&self, _here: &Self) -> bool {
        false
    }

    /// The record without what mere use changes, where use changes any of it. What is left tells whether somebody changed it.
    fn unused(&self) -> Option<Self> {
        None
    }

    /// Names under which later records refer to it; a rollback keeps what one of them needs. Folded by [`handle`].
    fn handles(&self) -> Vec<String> {
        vec![handle(Self::KIND, &self.id())]
    }

    /// Handles of the records it refers to, all of kinds that are written before its own.
    fn needs(&self) -> Vec<String> {
        Vec::new()
    }

    /// The record of the same id as it now is.
    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>>;

    /// The record of an id as it now is, whoever made it.
    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>>;

    /// Makes the record of the same id the transaction's own until it ends, as writers over REST do, so that what is decided from reading it
    /// still holds when it is written.
    async fn lock(&self, _tx: &mut Tx) -> Result<()> {
        Ok(())
    }

    /// As [`Noun::find`], for many at once: in the order of the records, those that are not there left open.
    async fn find_many(tx: &mut Tx, records: &[&Self]) -> Result<Vec<Option<Self>>> {
        let mut found = Vec::with_capacity(records.len());
        for record in records {
            found.push(record.find(tx).await?);
        }
        Ok(found)
    }

    /// Whether the target surely holds none of this kind, anybody's, so that every place is free. Asked once for all records.
    async fn has_none(_tx: &mut Tx) -> Result<bool> {
        Ok(false)
    }

    /// Whether its place is free.
    async fn standing(&self, tx: &mut Tx) -> Result<Standing>;

    /// Adds records whose places are free.
    async fn insert(tx: &mut Tx, records: &[Self], around: &Around) -> Result<()>;

    /// Writes the record over its older self; whether that was still there.
    async fn update(&self, tx: &mut Tx, around: &Around) -> Result<bool>;

    /// Takes the place of a default; whether it was still there.
    async fn replace(&self, tx: &mut Tx, around: &Around) -> Result<bool> {
        self.update(tx, around).await
    }

    /// What must be kept of the default in its place so that it can be put back; `None` when anybody can make that default again.
    async fn set_aside(&self, _tx: &mut Tx) -> Result<Option<Secret<String>>> {
        Ok(None)
    }

    /// Puts the default back that it took the place of.
    async fn put_back(&self, tx: &mut Tx, _aside: Option<Secret<String>>, now: Timestamp) -> Result<()> {
        self.remove(tx, now).await.map(drop)
    }

    /// Work of others that would go with it and that no record of another kind tells, in words.
    async fn additions(&self, _tx: &mut Tx) -> Result<Option<String>> {
        Ok(None)
    }

    /// Removes it, and what was made with it; whether it was there.
    async fn remove(&self, tx: &mut Tx, now: Timestamp) -> Result<bool>;

    /// The hash of what use does not change, where that is another than the content's.
    fn unused_hash(&self) -> Option<String> {
        self.unused().map(|unused| unused.content_hash())
    }

    /// Names what it holds, secrets included, without giving it away.
    fn content_hash(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(Self::KIND.as_bytes());
        context.update(format!("{self:?}").as_bytes());
        for secret in self.secrets() {
            context.update(b"\0");
            context.update(secret.as_bytes());
        }
        hex(context.finish().as_ref())
    }
}

/// Names a record of a kind by what others write when they refer to it. Letter case is left out: who refers may spell it otherwise, and a
/// record kept in vain does no harm.
pub(crate) fn handle(kind: &str, name: &str) -> String {
    format!("{kind} {}", name.to_lowercase())
}

/// Handles of the user that a name with or without store and tenant may mean.
pub(crate) fn user_handles(spelled: &str) -> Vec<String> {
    let bare = spelled.rsplit_once('/').map_or(spelled, |(_, name)| name);
    let kind = <model::User as Noun>::KIND;
    let mut found = vec![handle(kind, bare)];
    found.extend(bare.rsplit_once('@').map(|(name, _)| handle(kind, name)));
    found
}

#[cfg(test)]
mod tests {
    use model::{
        Api, ApiId, Definition, DefinitionFormat, Endpoints, LegacyDigest, StoredPassword, TenantId, User, UserId, UserStore, UserStoreKind,
    };
    use serde_json::json;

    use super::*;
    use crate::packed::Squeezed;
    use crate::translate::CarriedApi;

    /// What a record does not show is told by its hash all the same: catching up would pass over it otherwise.
    #[test]
    fn what_is_hidden_still_makes_another_record() {
        let user = |salt: &str, answer: &str| User {
            id: UserId::derived(&["u"]),
            tenant: TenantId::SUPER,
            store: "PRIMARY".to_owned(),
            name: "u".to_owned(),
            password: Some(StoredPassword::Legacy {
                digest: LegacyDigest::Sha256,
                hash: Secret::new("h".to_owned()),
                salt: Some(salt.to_owned()),
            }),
            roles: Vec::new(),
            attributes: vec![("question".to_owned(), answer.to_owned())],
            locked: false,
            must_change_password: false,
            password_changed_at: Timestamp(0),
            created_at: Timestamp(0),
        };
        let hashes = [("s", "a"), ("t", "a"), ("s", "b")].map(|(salt, answer)| user(salt, answer).content_hash());
        assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2]);
        assert_eq!(hashes[0], user("s", "a").content_hash());
        let store = |url: &str| UserStore {
            tenant: TenantId::SUPER,
            domain: "D".to_owned(),
            kind: UserStoreKind::Jdbc,
            disabled: false,
            position: 0,
            admin_role: None,
            attributes: Vec::new(),
            properties: vec![("url".to_owned(), url.to_owned())],
            secrets: Vec::new(),
        };
        assert_ne!(store("jdbc:a").content_hash(), store("jdbc:b").content_hash());
        let api = |password: &str| {
            let mut api = Api::new(ApiId::derived(&["a"]), TenantId::SUPER, "admin", "A", "1", "/a/{version}", Timestamp(0));
            api.endpoints = Endpoints(json!({"endpoint_security": {"production": {"password": password, "clientSecret": "c"}}}));
            CarriedApi {
                api,
                definition: Squeezed::new(&Definition { format: DefinitionFormat::OpenApi3, text: String::new() }),
                events: Vec::new(),
                deployed: false,
            }
        };
        assert_ne!(api("p").content_hash(), api("q").content_hash());
    }
}
