//! What plan, apply and verify need of each kind of record: to find it, to tell who stands in its way, to write it, to show it.
//! One file a kind.

mod apis;
mod applications;
mod clients;
mod keys;
mod policies;
mod roles;
mod scopes;
mod subscriptions;
mod tenants;
mod tokens;
mod users;

use std::fmt::Debug;

use aws_lc_rs::digest;
use db::{Result, Tx};

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
    /// Host name of deployments.
    pub(crate) vhost: String,
}

/// A kind of record that is carried.
pub(crate) trait Noun: Debug + Clone + PartialEq {
    /// Its name in the book of origins, plural.
    const KIND: &'static str;

    /// Its id here.
    fn id(&self) -> String;

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

    /// The record of the same id as it now is.
    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>>;

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

    /// Names what it holds, secrets included, without giving it away.
    fn content_hash(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(Self::KIND.as_bytes());
        context.update(self.shown().as_bytes());
        for secret in self.secrets() {
            context.update(b"\0");
            context.update(secret.as_bytes());
        }
        context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}
