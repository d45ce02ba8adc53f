//! OAuth clients, scopes and tokens, as IDN_* and SP_* hold them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::NaiveDateTime;
use model::Secret;

use super::record::{Record, record};
use crate::changes::Changes;
use crate::source::{CellError, Rows, Site, Source, SourceError, keystore::OldKey};

record! {
    /// An OAuth client.
    Client from "IDN_OAUTH_CONSUMER_APPS" {
        /// 1.10 on; tokens then refer to it.
        id: Option<i64> = "ID",
        key: String = "CONSUMER_KEY",
        secret: Option<Secret<String>> = "CONSUMER_SECRET",
        user_name: Option<String> = "USERNAME",
        tenant_id: Option<i64> = "TENANT_ID",
        user_domain: Option<String> = "USER_DOMAIN",
        name: Option<String> = "APP_NAME",
        oauth_version: Option<String> = "OAUTH_VERSION",
        callback_url: Option<String> = "CALLBACK_URL",
        /// Space list.
        grant_types: Option<String> = "GRANT_TYPES",
        pkce_mandatory: Option<bool> = "PKCE_MANDATORY",
        pkce_plain: Option<bool> = "PKCE_SUPPORT_PLAIN",
        state: Option<String> = "APP_STATE",
        user_token_seconds: Option<i64> = "USER_ACCESS_TOKEN_EXPIRE_TIME",
        application_token_seconds: Option<i64> = "APP_ACCESS_TOKEN_EXPIRE_TIME",
        refresh_token_seconds: Option<i64> = "REFRESH_TOKEN_EXPIRE_TIME",
    }
}

record! {
    /// A service provider.
    ServiceProvider from "SP_APP" {
        id: i64 = "ID",
        tenant_id: i64 = "TENANT_ID",
        name: String = "APP_NAME",
        user_store: Option<String> = "USER_STORE",
        user_name: Option<String> = "USERNAME",
        description: Option<String> = "DESCRIPTION",
    }
}

record! {
    /// How a service provider signs in; for OAuth a second copy of the secret.
    InboundAuth from "SP_INBOUND_AUTH" {
        service_provider_id: Option<i64> = "APP_ID",
        tenant_id: i64 = "TENANT_ID",
        key: Option<String> = "INBOUND_AUTH_KEY",
        kind: String = "INBOUND_AUTH_TYPE",
        property: Option<String> = "PROP_NAME",
        value: Option<Secret<String>> = "PROP_VALUE",
    }
}

record! {
    /// A scope, in either spelling: SCOPE_KEY and NAME (to 2.2), or NAME and DISPLAY_NAME. See [`Scope::key`].
    Scope from "IDN_OAUTH2_SCOPE" {
        id: i64 = "SCOPE_ID",
        scope_key: Option<String> = "SCOPE_KEY",
        name: Option<String> = "NAME",
        display_name: Option<String> = "DISPLAY_NAME",
        description: Option<String> = "DESCRIPTION",
        tenant_id: Option<i64> = "TENANT_ID",
        /// Comma list; later versions use [`ScopeBinding`].
        roles: Option<String> = "ROLES",
    }
}

impl Scope {
    /// What a token carries.
    pub fn key(&self) -> Option<&str> {
        self.scope_key.as_deref().or(self.name.as_deref())
    }

    /// What people read.
    pub fn title(&self) -> Option<&str> {
        if self.scope_key.is_some() { self.name.as_deref() } else { self.display_name.as_deref() }
    }
}

record! {
    /// A role of a scope (2.5 on).
    ScopeBinding from "IDN_OAUTH2_SCOPE_BINDING" {
        scope_id: i64 = "SCOPE_ID",
        binding: Option<String> = "SCOPE_BINDING",
    }
}

record! {
    /// A scope a resource wants. The path is `context/version` + pattern + `:VERB`, where the context of 1.9 on already ends
    /// in the version; both spellings occur.
    ResourceScope from "IDN_OAUTH2_RESOURCE_SCOPE" {
        resource_path: String = "RESOURCE_PATH",
        scope_id: i64 = "SCOPE_ID",
        tenant_id: Option<i64> = "TENANT_ID",
    }
}

/// An access token with its refresh token. Strings are byte for byte as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The table, since tokens may be spread over several.
    pub table: Arc<str>,
    /// `TOKEN_ID` (1.10 on).
    pub id: Option<String>,
    /// `ACCESS_TOKEN`
    pub access_token: Secret<String>,
    /// `REFRESH_TOKEN`
    pub refresh_token: Option<Secret<String>>,
    /// `CONSUMER_KEY` (to 1.9).
    pub consumer_key: Option<String>,
    /// `CONSUMER_KEY_ID` (1.10 on), a [`Client::id`].
    pub consumer_key_id: Option<i64>,
    /// `AUTHZ_USER`, with tenant suffix to 1.9, bare from 1.10.
    pub user: Option<String>,
    /// `TENANT_ID` (1.10 on).
    pub tenant_id: Option<i64>,
    /// `USER_DOMAIN` (1.10 on).
    pub user_domain: Option<String>,
    /// `USER_TYPE`: APPLICATION or APPLICATION_USER.
    pub user_type: Option<String>,
    /// `GRANT_TYPE` (1.10 on).
    pub grant_type: Option<String>,
    /// `TIME_CREATED`, UTC.
    pub created: Option<NaiveDateTime>,
    /// `REFRESH_TOKEN_TIME_CREATED`, UTC (1.10 on).
    pub refresh_created: Option<NaiveDateTime>,
    /// `VALIDITY_PERIOD`, milliseconds; `i64::MAX` or negative never ends.
    pub validity_ms: Option<i64>,
    /// `REFRESH_TOKEN_VALIDITY_PERIOD`, milliseconds (1.10 on).
    pub refresh_validity_ms: Option<i64>,
    /// `TOKEN_STATE`: ACTIVE, EXPIRED, REVOKED, INACTIVE.
    pub state: Option<String>,
    /// `TOKEN_STATE_ID`
    pub state_id: Option<String>,
    /// `SUBJECT_IDENTIFIER` (1.10 on).
    pub subject: Option<String>,
    /// From `TOKEN_SCOPE`, or the child table from 1.10 on; sorted.
    pub scopes: Vec<String>,
}

record! {
    TokenRow from "IDN_OAUTH2_ACCESS_TOKEN" {
        id: Option<String> = "TOKEN_ID",
        access_token: Secret<String> = "ACCESS_TOKEN",
        refresh_token: Option<Secret<String>> = "REFRESH_TOKEN",
        consumer_key: Option<String> = "CONSUMER_KEY",
        consumer_key_id: Option<i64> = "CONSUMER_KEY_ID",
        user: Option<String> = "AUTHZ_USER",
        tenant_id: Option<i64> = "TENANT_ID",
        user_domain: Option<String> = "USER_DOMAIN",
        user_type: Option<String> = "USER_TYPE",
        grant_type: Option<String> = "GRANT_TYPE",
        created: Option<NaiveDateTime> = "TIME_CREATED",
        refresh_created: Option<NaiveDateTime> = "REFRESH_TOKEN_TIME_CREATED",
        validity_ms: Option<i64> = "VALIDITY_PERIOD",
        refresh_validity_ms: Option<i64> = "REFRESH_TOKEN_VALIDITY_PERIOD",
        scope: Option<String> = "TOKEN_SCOPE",
        state: Option<String> = "TOKEN_STATE",
        state_id: Option<String> = "TOKEN_STATE_ID",
        subject: Option<String> = "SUBJECT_IDENTIFIER",
    }
}

impl Token {
    /// Whether it is in force there, as far as its state tells.
    pub fn is_active(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state.trim().eq_ignore_ascii_case("ACTIVE"))
    }
}

/// All tokens of a site, from every partition, one batch at a time: a site may hold millions.
///
/// On a running server the stream holds the identity database's only connection until it has ended or is dropped; read
/// everything else of that database before.
#[derive(Debug)]
pub struct Tokens {
    source: Arc<Source>,
    waiting: VecDeque<String>,
    current: Option<(Arc<str>, Rows)>,
    scopes: ScopeSets,
    key: Option<Arc<OldKey>>,
    changes: Option<Arc<Changes>>,
    /// Rows of tables of which only some are read, by table.
    seen: BTreeMap<String, u64>,
    unreadable: Vec<CellError>,
}

impl Tokens {
    /// Finds the token tables and, from 1.10 on, learns which scopes each token has.
    ///
    /// # Errors
    ///
    /// When reading fails.
    pub async fn open(site: &Site) -> Result<Self, SourceError> {
        let source = Arc::clone(&site.databases.identity);
        let mut scopes = ScopeSets::default();
        let mut unreadable = Vec::new();
        for table in scope_tables(&source) {
            let mut rows = source.scan(&table);
            while let Some(row) = rows.next().await? {
                match (row.text("TOKEN_ID"), row.text("TOKEN_SCOPE")) {
                    (Ok(Some(id)), Ok(Some(scope))) => scopes.add(&id, &scope),
                    (Err(fault), _) | (_, Err(fault)) => unreadable.push(fault),
                    _ => {}
                }
            }
        }
        let waiting = token_tables(&source).into();
        Ok(Self {
            source,
            waiting,
            current: None,
            scopes,
            key: site.key.clone(),
            changes: site.changes.clone(),
            seen: BTreeMap::new(),
            unreadable,
        })
    }

    /// Up to `most` further tokens; empty after the last.
    ///
    /// # Errors
    ///
    /// When reading fails. Rows that do not fit are put aside, see [`Tokens::unreadable`].
    pub async fn next_batch(&mut self, most: usize) -> Result<Vec<Token>, SourceError> {
        let mut batch = Vec::new();
        while batch.len() < most {
            let Some((table, rows)) = &mut self.current else {
                let Some(table) = self.waiting.pop_front() else { break };
                let rows = match self.changes.as_ref().and_then(|changes| changes.of(&table)) {
                    Some(some) => {
                        self.seen.insert(table.clone(), 0);
                        self.source.scan_some(&table, some)
                    }
                    None => self.source.scan(&table),
                };
                self.current = Some((table.into(), rows));
                continue;
            };
            match rows.next().await? {
                None => self.current = None,
                Some(row) => {
                    if let Some(seen) = self.seen.get_mut(&**table) {
                        *seen += 1;
                    }
                    match TokenRow::of(&row) {
                        Ok(token) => batch.push(self.scopes.whole(Arc::clone(table), token)),
                        Err(fault) => self.unreadable.push(fault),
                    }
                }
            }
        }
        match &self.key {
            Some(key) => unsealed(key, batch).await,
            None => Ok(batch),
        }
    }

    /// Of each table of which only changed buckets are read: how many rows that were, so far.
    pub fn seen_of_some(&self) -> &BTreeMap<String, u64> {
        &self.seen
    }

    /// Rows put aside so far.
    pub fn unreadable(&self) -> &[CellError] {
        &self.unreadable
    }
}

/// The token tables of a source, partitions among them: told by their columns, since partitions are named freely.
pub fn token_tables(source: &Source) -> Vec<String> {
    let named = source.tables().filter(|t| t.name.to_ascii_uppercase().starts_with("IDN_OAUTH2_ACCESS_TOKEN"));
    named
        .filter(|t| t.has("ACCESS_TOKEN") && t.has("TOKEN_STATE") && !t.name.to_ascii_uppercase().ends_with("_AUDIT"))
        .map(|t| t.name.clone())
        .collect()
}

fn scope_tables(source: &Source) -> Vec<String> {
    let named = source.tables().filter(|t| t.name.to_ascii_uppercase().starts_with("IDN_OAUTH2_ACCESS_TOKEN"));
    named.filter(|t| t.has("TOKEN_ID") && t.has("TOKEN_SCOPE") && !t.has("ACCESS_TOKEN")).map(|t| t.name.clone()).collect()
}

/// Which scopes each token has, small: token ids mostly are UUIDs, and most tokens share a handful of scope sets, so a token
/// costs two dozen bytes however many scopes it has.
#[derive(Debug)]
struct ScopeSets {
    sets: Vec<Vec<Arc<str>>>,
    grown: HashMap<(u32, Arc<str>), u32>,
    by_set: HashMap<Vec<Arc<str>>, u32>,
    of_uuid: HashMap<u128, u32>,
    of_other: HashMap<String, u32>,
}

impl Default for ScopeSets {
    fn default() -> Self {
        // Set 0 is the empty one.
        let by_set = HashMap::from([(Vec::new(), 0)]);
        Self { sets: vec![Vec::new()], grown: HashMap::new(), by_set, of_uuid: HashMap::new(), of_other: HashMap::new() }
    }
}

impl ScopeSets {
    fn add(&mut self, token_id: &str, scope: &str) {
        let slot = match uuid::Uuid::parse_str(token_id) {
            // Only the plain spelling reads back as it was.
            Ok(uuid) if uuid.to_string() == token_id => self.of_uuid.entry(uuid.as_u128()).or_insert(0),
            _ => self.of_other.entry(token_id.to_owned()).or_insert(0),
        };
        let from = *slot;
        let scope: Arc<str> = scope.into();
        let key = (from, Arc::clone(&scope));
        let to = match self.grown.get(&key) {
            Some(to) => *to,
            None => {
                let mut set = usize::try_from(from).ok().and_then(|at| self.sets.get(at)).cloned().unwrap_or_default();
                if let Err(at) = set.binary_search(&scope) {
                    set.insert(at, scope);
                }
                let next = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
                let to = *self.by_set.entry(set.clone()).or_insert(next);
                if to == next {
                    self.sets.push(set);
                }
                self.grown.insert(key, to);
                to
            }
        };
        *slot = to;
    }

    fn of(&self, token_id: &str) -> Vec<String> {
        let uuid = uuid::Uuid::parse_str(token_id).ok().filter(|u| u.to_string() == token_id);
        let set = match uuid {
            Some(uuid) => self.of_uuid.get(&uuid.as_u128()),
            None => self.of_other.get(token_id),
        };
        let set = set.and_then(|at| usize::try_from(*at).ok()).and_then(|at| self.sets.get(at));
        set.map(|s| s.iter().map(|scope| scope.to_string()).collect()).unwrap_or_default()
    }

    fn whole(&self, table: Arc<str>, row: TokenRow) -> Token {
        let mut scopes: Vec<String> = match (&row.scope, &row.id) {
            (Some(list), _) => list.split_whitespace().map(str::to_owned).collect(),
            (None, Some(id)) => self.of(id),
            (None, None) => Vec::new(),
        };
        scopes.sort();
        scopes.dedup();
        Token {
            table,
            id: row.id,
            access_token: row.access_token,
            refresh_token: row.refresh_token,
            consumer_key: row.consumer_key,
            consumer_key_id: row.consumer_key_id,
            user: row.user,
            tenant_id: row.tenant_id,
            user_domain: row.user_domain,
            user_type: row.user_type,
            grant_type: row.grant_type,
            created: row.created,
            refresh_created: row.refresh_created,
            validity_ms: row.validity_ms,
            refresh_validity_ms: row.refresh_validity_ms,
            state: row.state,
            state_id: row.state_id,
            subject: row.subject,
            scopes,
        }
    }
}

/// Cipher texts of the smallest RSA key any pack came with are this long.
const CIPHER_BYTES_MIN: usize = 128;
/// Of a key of 16,384 bits.
const CIPHER_BYTES_MAX: usize = 2048;

/// Whether a stored secret is an RSA cipher text rather than a key or token the product made: Base64 of a whole block of such a key that
/// is no text, or of the JSON that late kernels wrapped around one. Length alone does not tell: tokens that embed a long user name are
/// Base64 of text, and a company's own secrets may be as long as they like.
pub(crate) fn looks_encrypted(secret: &str) -> bool {
    // Base64 of the shortest block.
    if secret.len() < CIPHER_BYTES_MIN / 3 * 4 || secret.len() > 4 * CIPHER_BYTES_MAX {
        return false;
    }
    let plain: String = secret.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let Ok(bytes) = STANDARD.decode(plain) else { return false };
    if bytes.first() == Some(&b'{') {
        let wrapped = serde_json::from_slice::<serde_json::Value>(&bytes);
        return wrapped.is_ok_and(|w| w.get("c").and_then(|c| c.as_str()).is_some_and(looks_encrypted));
    }
    let is_block = (CIPHER_BYTES_MIN..=CIPHER_BYTES_MAX).contains(&bytes.len()) && bytes.len() % 8 == 0;
    let is_text = std::str::from_utf8(&bytes).is_ok_and(|text| !text.chars().any(char::is_control));
    is_block && !is_text
}

/// Whether only a hash of a secret is kept, in the JSON of those versions that could be told to (2.5 and later).
pub(crate) fn looks_hashed(secret: &str) -> bool {
    let text = secret.trim();
    // Most texts are none of it, and there are millions.
    text.starts_with('{')
        && serde_json::from_str::<serde_json::Value>(text)
            .is_ok_and(|kept| ["hash", "algorithm"].iter().all(|name| kept.get(name).is_some_and(serde_json::Value::is_string)))
}

/// The plain text of a cipher text; `None` when it is none, or another key's.
pub(super) fn opened(key: &OldKey, text: &str) -> Option<String> {
    looks_encrypted(text).then(|| key.open(text)).flatten()
}

/// Puts the plain text in place of a cipher text that the key opens.
pub(super) fn unseal(key: &OldKey, text: &mut String) {
    if let Some(plain) = opened(key, text) {
        *text = plain;
    }
}

/// The same tokens in the same order, opened by all cores: a private RSA operation takes milliseconds, and each token has up to three. No more than
/// the batch is in memory.
async fn unsealed(key: &Arc<OldKey>, mut batch: Vec<Token>) -> Result<Vec<Token>, SourceError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let size = batch.len().div_ceil(workers).max(1);
    let mut parts = Vec::with_capacity(workers);
    while !batch.is_empty() {
        let rest = batch.split_off(size.min(batch.len()));
        let mut part = std::mem::replace(&mut batch, rest);
        let key = Arc::clone(key);
        parts.push(tokio::task::spawn_blocking(move || {
            part.iter_mut().for_each(|token| unseal_token(&key, token));
            part
        }));
    }
    let mut done = Vec::new();
    for part in parts {
        done.extend(part.await.map_err(|_| SourceError::Interrupted { table: "encrypted tokens".to_owned() })?);
    }
    Ok(done)
}

fn unseal_token(key: &OldKey, token: &mut Token) {
    if let Some(plain) = opened(key, token.access_token.expose()) {
        token.access_token = Secret::new(plain);
    }
    if let Some(plain) = token.refresh_token.as_ref().and_then(|t| opened(key, t.expose())) {
        token.refresh_token = Some(Secret::new(plain));
    }
    if let Some(text) = &mut token.consumer_key {
        unseal(key, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_sets_are_shared_and_sorted() {
        let mut sets = ScopeSets::default();
        let (a, b, odd) = ("9db41cd6-9431-4c58-923b-085d50f2a517", "00000000-0000-0000-0000-000000000001", "not a uuid");
        for (token, scope) in
            [(a, "default"), (b, "am_application_scope"), (a, "am_application_scope"), (b, "default"), (odd, "x"), (a, "default")]
        {
            sets.add(token, scope);
        }
        assert_eq!(sets.of(a), ["am_application_scope", "default"]);
        assert_eq!(sets.of(a), sets.of(b));
        assert_eq!(sets.of(odd), ["x"]);
        assert!(sets.of("unknown").is_empty());
        assert_eq!(sets.of_uuid.values().collect::<std::collections::HashSet<_>>().len(), 1);
    }

    #[test]
    fn encrypted_secrets_are_told_by_what_they_are_not_by_their_size() {
        let block = |length: u16| STANDARD.encode((0..length).map(|at| (at * 7 % 251) as u8).collect::<Vec<_>>());
        assert!(looks_encrypted(&block(128)) && looks_encrypted(&block(256)));
        let whole = block(256);
        let (first, second) = whole.split_at(76);
        assert!(looks_encrypted(&format!("{first}\r\n{second}")));
        assert!(looks_encrypted(&STANDARD.encode(format!(r#"{{"c":"{}","t":"RSA"}}"#, block(128)))));
        // The product's own keys and tokens, one that embeds a user's name, a company's own long secret, a signed token.
        let embedded = STANDARD.encode(format!("9db41cd6-9431-4c58-923b-085d50f2a517:{}@example.co", "long".repeat(20)));
        assert_eq!(STANDARD.decode(&embedded).unwrap().len() % 8, 0);
        for text in ["LBziGoGH5fZeHrqJbf1fbCfet6ka", &embedded, &"A".repeat(172), &block(64), &block(131), &format!("{0}.{0}", block(128))]
        {
            assert!(!looks_encrypted(text), "{text}");
            assert!(!looks_hashed(text), "{text}");
        }
    }
}
