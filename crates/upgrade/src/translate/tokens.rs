//! Tokens people hold: the same text goes on to be honoured, just as long.

use std::collections::HashMap;

use model::{IssuedToken, OAuthClient, Secret, TenantId, Timestamp, TokenHolder, TokenId, TokenState, TokenText};

use super::{About, Carried, Finding, Input, Names, Severity, at, said};
use crate::digests::{sha256, short};
use crate::old::oauth::{Token, looks_encrypted, looks_hashed};
use crate::packed::Packed;

/// What becomes of one old token.
#[derive(Debug)]
pub enum Outcome {
    /// Carried.
    Carried(Box<Carried<IssuedToken>>),
    /// Left out.
    Skipped {
        /// Why; one of a few fixed reasons.
        reason: &'static str,
        /// The key it would have been carried under.
        key: String,
    },
    /// Ought to be carried and cannot be.
    Failed {
        /// Why.
        reason: &'static str,
    },
}

/// Reason of a token that ended in the old installation, perhaps since it was carried.
pub const ENDED: &str = "ended: expired, taken back or replaced";
/// Reason of a token whose time is over.
pub const OVER: &str = "its time is over, and its refresh token's too";

/// Reason of a token whose client is not carried.
pub const CLIENT_GONE: &str = "its client is gone";
/// Reason of a token that was not looked at, because its row is as it was when all was carried.
pub const UNCHANGED: &str = "unchanged since the run before, which settled it";

/// Translates the tokens of one installation, one by one.
#[derive(Debug)]
pub struct TokenDesk<'a> {
    input: &'a Input<'a>,
    names: Names,
    /// By consumer key: the client's tenant and owner.
    clients: HashMap<Box<str>, (TenantId, usize)>,
    /// Owners, each once.
    owners: Vec<String>,
    /// Consumer keys by the number tokens refer to from 1.10 on.
    numbers: HashMap<i64, Box<str>>,
    access: Texts,
    refresh: Texts,
    findings: Vec<Finding>,
}

impl<'a> TokenDesk<'a> {
    /// A desk for tokens of these clients.
    pub fn new(input: &'a Input<'a>, clients: &Packed<Carried<OAuthClient>>) -> Self {
        let (mut owners, mut places) = (Vec::new(), HashMap::new());
        let mut place = |owner: String| {
            *places.entry(owner).or_insert_with_key(|owner: &String| {
                owners.push(owner.clone());
                owners.len() - 1
            })
        };
        let clients = clients.iter().map(|c| (c.value.id.into_boxed_str(), (c.value.tenant, place(c.value.owner)))).collect();
        Self {
            input,
            names: Names::of(input.old, input.settings),
            clients,
            owners,
            numbers: input.old.consumer_keys(),
            access: Texts::default(),
            refresh: Texts::default(),
            findings: Vec::new(),
        }
    }

    /// Findings so far.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Translates one token. Each text is carried once: a second token of the same text is left out.
    pub fn translate(&mut self, old: &Token) -> Outcome {
        let access = old.access_token.expose();
        let key = sha256(access);
        if !old.is_active() {
            return Outcome::Skipped { reason: ENDED, key };
        }
        if access.is_empty() {
            return Outcome::Failed { reason: "it has no text" };
        }
        if self.input.old.encryption.is_on() && looks_encrypted(access) {
            return Outcome::Failed { reason: "encrypted, and no key opens it" };
        }
        if looks_hashed(access) || old.refresh_token.as_ref().is_some_and(|text| looks_hashed(text.expose())) {
            return Outcome::Failed { reason: "hashed, and no text was kept" };
        }
        let by_number = || old.consumer_key_id.and_then(|id| self.numbers.get(&id).map(|key| &**key));
        let Some(consumer_key) = old.consumer_key.as_deref().or_else(by_number).map(str::to_owned) else {
            return Outcome::Skipped { reason: CLIENT_GONE, key };
        };
        let Some((tenant, owner)) = self.clients.get(consumer_key.as_str()).copied() else {
            return Outcome::Skipped { reason: CLIENT_GONE, key };
        };
        let issued = at(self.input.clock, &old.table, "TIME_CREATED", old.created);
        let Some(validity) = old.validity_ms else { return Outcome::Failed { reason: "it has no period of validity" } };
        let expires_at = match (validity, issued) {
            (i64::MIN..0 | i64::MAX, _) => None,
            (ms, Some(issued)) => Some(issued.plus_ms(ms)),
            (_, None) => return Outcome::Failed { reason: "it has no time of issue" },
        };
        let (refresh, refresh_expires_at) = self.refresh_of(old);
        let now = self.input.as_of;
        let lives = |until: Option<Timestamp>| until.is_none_or(|until| until > now);
        let refresh = refresh.filter(|_| lives(refresh_expires_at));
        if !lives(expires_at) && refresh.is_none() {
            return Outcome::Skipped { reason: OVER, key };
        }
        if !self.access.insert(access) {
            return Outcome::Skipped { reason: "another token has the same text", key };
        }
        let origin = || format!("{} {}", old.table, key.get(..12).unwrap_or_default());
        let refresh = match refresh {
            Some(text) if !self.refresh.insert(text.expose()) => {
                self.findings.push(Finding {
                    severity: Severity::Warning,
                    about: About::Token,
                    consequence: "The refresh token renews the first of them only.",
                    origin: origin(),
                    words: "two access tokens share one refresh token".to_owned(),
                });
                None
            }
            other => other,
        };
        let owner = self.owners.get(owner).cloned().unwrap_or_default();
        let holder = self.holder(old, tenant, &owner, &origin());
        let scopes = if old.scopes.is_empty() { vec!["default".to_owned()] } else { old.scopes.clone() };
        let token = IssuedToken {
            id: TokenId::derived(&[self.input.source, &key]),
            client: consumer_key,
            tenant,
            holder,
            scopes,
            grant: said(old.grant_type.as_deref()).map(str::to_owned),
            access: TokenText::Opaque(old.access_token.clone()),
            issued_at: issued.unwrap_or(Timestamp(0)),
            expires_at,
            refresh_expires_at: refresh.as_ref().and(refresh_expires_at),
            refresh,
            state: TokenState::Active,
        };
        Outcome::Carried(Box::new(Carried { key, value: token }))
    }

    /// The refresh token and when it stops. 1.8 and 1.9 gave it no end of its own.
    fn refresh_of(&self, old: &Token) -> (Option<Secret<String>>, Option<Timestamp>) {
        let text = old.refresh_token.clone().filter(|t| !t.expose().trim().is_empty() && t.expose() != "null");
        let since = at(self.input.clock, &old.table, "REFRESH_TOKEN_TIME_CREATED", old.refresh_created);
        let since = since.or_else(|| at(self.input.clock, &old.table, "TIME_CREATED", old.created));
        let until = match (old.refresh_validity_ms, since) {
            (None | Some(i64::MIN..0 | i64::MAX), _) => None,
            (Some(ms), since) => since.map(|s| s.plus_ms(ms)),
        };
        (text, until)
    }

    fn holder(&mut self, old: &Token, tenant: TenantId, owner: &str, origin: &str) -> TokenHolder {
        let spelled = said(old.user.as_deref());
        let by_client = i64::from(tenant.0);
        let carries_tenant = spelled.is_some_and(|s| s.contains('@'));
        // 1.10 and later give the tenant a column; before, it stands in the name, or is the client's.
        let tenant = old.tenant_id.or_else(|| (!carries_tenant).then_some(by_client));
        let name = spelled.map(|s| self.names.user_in(s, old.user_domain.as_deref(), tenant));
        let is_application = match said(old.user_type.as_deref()) {
            Some(word) => word.eq_ignore_ascii_case("APPLICATION"),
            None => old.scopes.iter().any(|s| s == "am_application_scope"),
        };
        if name.is_none() || spelled.is_some_and(|s| s.contains(" @")) {
            self.findings.push(Finding {
                severity: Severity::Note,
                about: About::Token,
                consequence: "The user is read without the blank, or, where there is none, as the client's owner.",
                origin: origin.to_owned(),
                words: "a token names its user oddly".to_owned(),
            });
        }
        let user = name.map_or_else(|| owner.to_owned(), |n| n.to_string());
        if is_application { TokenHolder::Application { owner: user } } else { TokenHolder::User { user } }
    }
}

/// Which of millions of texts were there before, by 80 bits of their SHA-256: the first 16 name a shelf, the next 64 lie on it in order. That
/// is eight bytes a text and a little; of five million texts two differ and have the same 80 bits with a probability of one in a hundred thousand million.
#[derive(Debug, Default)]
struct Texts {
    shelves: Vec<Vec<u64>>,
}

impl Texts {
    /// Whether the text is new.
    fn insert(&mut self, text: &str) -> bool {
        if self.shelves.is_empty() {
            self.shelves.resize_with(1 << 16, Vec::new);
        }
        let digest = short(text);
        let shelf = usize::try_from(digest >> 112).unwrap_or_default();
        // The 64 bits after those of the shelf.
        let rest = u64::try_from((digest >> 48) & u128::from(u64::MAX)).unwrap_or_default();
        let Some(shelf) = self.shelves.get_mut(shelf) else { return true };
        let Err(at) = shelf.binary_search(&rest) else { return false };
        if shelf.len() == shelf.capacity() {
            // By an eighth, not by double: there are 65,536 of these.
            shelf.reserve_exact((shelf.len() / 8).max(4));
        }
        shelf.insert(at, rest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_new_once() {
        let mut texts = Texts::default();
        for n in 0..20_000 {
            assert!(texts.insert(&format!("text {n}")), "{n}");
        }
        for n in 0..20_000 {
            assert!(!texts.insert(&format!("text {n}")), "{n}");
        }
        assert!(texts.insert("text 20000"));
        assert!(texts.shelves.iter().all(|shelf| shelf.is_sorted()));
    }
}
