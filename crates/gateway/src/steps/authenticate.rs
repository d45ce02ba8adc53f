//! Who calls: the bearer token, and whether it is to be believed.
//!
//! Signed tokens are judged here, against keys and revocations in the snapshot. The verdict is cached by the token's whole text, since
//! checking a signature costs as much as forwarding a call; what can change while a verdict is kept (time, revocation, the issuer's keys)
//! is asked again on every use.
//!
//! Mended against 4.0.0: the scheme is read in any letter case (RFC 9110, 11.1); what else the header holds stays with its own call; a
//! token on an open resource is not looked at; an issuer whose keys are not known is never believed.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use model::{TenantId, Timestamp};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use token::{Jwt, Malformed, Refused};

use crate::Config;
use crate::counters::Key;
use crate::opaque::{Found, FoundToken};
use crate::respond::AuthRefusal;
use crate::snapshot::{ApiEntry, Snapshot, user_key};

/// A believed token.
#[derive(Debug)]
pub(crate) struct Verified {
    /// `jti`, or the signature's text where there is none.
    id: Box<str>,
    /// Seconds since the epoch.
    expires: Option<i64>,
    pub(crate) consumer_key: Option<Box<str>>,
    pub(crate) scopes: Box<[Box<str>]>,
    pub(crate) user: Arc<str>,
    /// The user, as counted.
    pub(crate) user_key: Key,
    /// Issued to the application itself, whose owner then counts as the user.
    pub(crate) is_application: bool,
    pub(crate) key_manager: Arc<str>,
    /// Tenant whose applications the issuer may speak for.
    pub(crate) tenant: TenantId,
    /// Claims, where a policy may look at them.
    pub(crate) claims: Option<serde_json::Map<String, serde_json::Value>>,
    issuers_version: u64,
    /// Looked up rather than verified.
    is_opaque: bool,
}

#[derive(Clone)]
enum Verdict {
    Believed(Arc<Verified>),
    /// Not believed as long as the issuers are as they were.
    Refused(u64),
}

/// Verdicts on signed tokens.
pub(crate) struct Verifier {
    cache: Cache<Box<str>, Verdict, ByLength>,
    skew: Duration,
    keeps_claims: bool,
    hits: metrics::Counter,
    misses: metrics::Counter,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Box<str>, Verdict> for ByLength {
    fn weight(&self, token: &Box<str>, _: &Verdict) -> u64 {
        // The verdict weighs about as much as a short token.
        token.len() as u64 + 512
    }
}

/// The bearer token in `headers`.
///
/// # Errors
/// [`AuthRefusal::Missing`].
pub(crate) fn bearer<'h>(headers: &'h HeaderMap, name: &HeaderName, shown: &str) -> Result<&'h str, AuthRefusal> {
    let token = headers.get_all(name).iter().find_map(|value| {
        // Tokens are long, and this is done for every call: the usual value is looked through once.
        let text = std::str::from_utf8(value.as_bytes()).ok()?;
        if is_one_plain_part(text) { bearer_of(text) } else { text.split(',').filter(|_| text.is_ascii()).find_map(bearer_of) }
    });
    token.ok_or_else(|| AuthRefusal::Missing(shown.to_owned()))
}

/// Whether `value` is ASCII without a comma. Written so that the compiler takes many bytes at a time; a search that stops at the first find
/// is not faster.
fn is_one_plain_part(value: &str) -> bool {
    value.bytes().fold(0, |found, byte| found | (byte & 0x80) | u8::from(byte == b',')) == 0
}

/// The token of one comma-separated part of the header, if that part is `Bearer <token>`.
pub(crate) fn bearer_of(segment: &str) -> Option<&str> {
    const AROUND: &[u8] = b" \t\"";
    // As nearly every client writes it.
    if let Some(token) = segment.strip_prefix("Bearer ")
        && let [first, .., last] = token.as_bytes()
        && !AROUND.contains(first)
        && !AROUND.contains(last)
    {
        return Some(token);
    }
    let (scheme, token) = segment.trim().split_once(' ')?;
    let token = token.trim().trim_matches('"');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl Verifier {
    pub(crate) fn new(config: &Config) -> Self {
        let entries = usize::try_from(config.token_cache_bytes / 1024).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self {
            cache: Cache::with_weighter(entries, config.token_cache_bytes.max(1 << 16), ByLength),
            skew: config.token_skew,
            keeps_claims: config.claim_conditions,
            hits: metrics::counter!("gateway_token_cache_total", "outcome" => "hit"),
            misses: metrics::counter!("gateway_token_cache_total", "outcome" => "miss"),
        }
    }

    /// Judges a signed token for calls of `api`.
    ///
    /// # Errors
    /// [`AuthRefusal::Invalid`].
    pub(crate) fn signed(&self, text: &str, api: &ApiEntry, snapshot: &Snapshot, now: Timestamp) -> Result<Arc<Verified>, AuthRefusal> {
        let verified = match self.cache.get(text) {
            Some(Verdict::Believed(verified)) if verified.issuers_version == snapshot.issuers_version => {
                self.hits.increment(1);
                verified
            }
            Some(Verdict::Refused(version)) if version == snapshot.issuers_version => {
                self.hits.increment(1);
                return Err(AuthRefusal::Invalid);
            }
            _ => self.judge(text, snapshot, now)?,
        };
        verified.check(api, snapshot, now, self.skew)?;
        Ok(verified)
    }

    fn judge(&self, text: &str, snapshot: &Snapshot, now: Timestamp) -> Result<Arc<Verified>, AuthRefusal> {
        self.misses.increment(1);
        let verdict = match self.verify(text, snapshot, now) {
            Ok(verified) => Verdict::Believed(Arc::new(verified)),
            // Its time will come.
            Err(Refused::NotYet) => return Err(AuthRefusal::Invalid),
            // Too long to be kept just for having been sent.
            Err(Refused::Malformed(Malformed::TooLong)) => return Err(AuthRefusal::Invalid),
            Err(refused) => {
                tracing::debug!(reason = %refused, "a token was refused");
                Verdict::Refused(snapshot.issuers_version)
            }
        };
        self.cache.insert(text.into(), verdict.clone());
        match verdict {
            Verdict::Believed(verified) => Ok(verified),
            Verdict::Refused(_) => Err(AuthRefusal::Invalid),
        }
    }

    fn verify(&self, text: &str, snapshot: &Snapshot, now: Timestamp) -> Result<Verified, Refused> {
        let jwt = Jwt::parse(text)?;
        let unproven = jwt.claims()?;
        let issuers = snapshot.issuers(unproven.iss.as_deref().unwrap_or_default());
        // Tenants may name issuers and keys alike: whose token it is, the signature says.
        let mut refused = Refused::UnknownKey;
        let proven = issuers.iter().filter(|issuer| issuer.keys.find(jwt.kid()).is_some()).find_map(|issuer| {
            jwt.verify(&issuer.keys, now, self.skew).map_err(|fault| refused = fault).ok().map(|claims| (issuer, claims))
        });
        let Some((issuer, claims)) = proven else { return Err(refused) };
        if claims.is_api_key() || claims.is_internal_key() || (issuer.says_aut && claims.aut.is_none()) {
            // Such keys have their own header and their own rules, and an id token speaks to the client; as bearer tokens they mean nothing.
            return Err(Refused::UnknownKey);
        }
        let consumer_key = match &issuer.consumer_key_claim {
            Some(name) => claims.text(name),
            None => claims.text("consumerKey").or_else(|| claims.azp.as_deref().map(str::to_owned)),
        };
        let scopes = match &issuer.scopes_claim {
            Some(name) => claims.words(name).into_iter().map(Into::into).collect(),
            None => claims.scope.iter().map(|s| Box::from(&**s)).collect(),
        };
        let signature = text.rsplit('.').next().unwrap_or_default();
        Ok(Verified {
            id: claims.jti.as_deref().unwrap_or(signature).into(),
            expires: claims.exp,
            consumer_key: consumer_key.map(Into::into),
            scopes,
            user: claims.sub.as_deref().unwrap_or_default().into(),
            user_key: user_key(claims.sub.as_deref().unwrap_or_default()),
            is_application: claims.aut.as_deref() == Some("APPLICATION"),
            key_manager: Arc::clone(&issuer.key_manager),
            tenant: issuer.tenant,
            claims: self.keeps_claims.then(|| claims.all()),
            issuers_version: snapshot.issuers_version,
            is_opaque: false,
        })
    }

    /// Judges an opaque token that was looked up.
    ///
    /// # Errors
    /// [`AuthRefusal::Invalid`].
    pub(crate) fn opaque(
        &self,
        found: Option<&Found>,
        api: &ApiEntry,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<Arc<Verified>, AuthRefusal> {
        let found = found.ok_or(AuthRefusal::Invalid)?;
        let verified = found.verified.get_or_init(|| Arc::new(Verified::of_opaque(&found.token)));
        // The issuer's clock is ours here, so no skew.
        verified.check(api, snapshot, now, Duration::ZERO)?;
        Ok(Arc::clone(verified))
    }
}

impl Verified {
    /// `jti`, or the signature's text where there is none.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is the verdict on the same token. Signed ones are told by the verdict itself, because who signs chooses their ids; what an
    /// opaque one is called follows from its text.
    pub(crate) fn is_the_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let opaque = self.is_opaque && other.is_opaque && self.id == other.id && self.user == other.user && self.tenant == other.tenant;
        Arc::ptr_eq(self, other) || opaque
    }

    fn of_opaque(token: &FoundToken) -> Self {
        Self {
            id: token.id.as_str().into(),
            expires: token.expires_at.map(Timestamp::secs),
            consumer_key: Some(token.client.as_str().into()),
            scopes: token.scopes.iter().map(|s| s.as_str().into()).collect(),
            user: token.user.as_str().into(),
            user_key: user_key(&token.user),
            is_application: token.aut == "APPLICATION",
            key_manager: token.key_manager.as_str().into(),
            tenant: token.tenant,
            claims: None,
            // Nobody signed it, so no change of issuers matters to it.
            issuers_version: 0,
            is_opaque: true,
        }
    }

    #[cfg(test)]
    pub(crate) fn of_application(consumer_key: &str, key_manager: &str, tenant: TenantId) -> Self {
        Self {
            id: "id".into(),
            expires: None,
            consumer_key: Some(consumer_key.into()),
            scopes: Box::default(),
            user: "".into(),
            user_key: user_key(""),
            is_application: true,
            key_manager: key_manager.into(),
            tenant,
            claims: None,
            issuers_version: 0,
            is_opaque: true,
        }
    }

    /// What may have changed since the token was verified, and what depends on the API.
    fn check(&self, api: &ApiEntry, snapshot: &Snapshot, now: Timestamp, skew: Duration) -> Result<(), AuthRefusal> {
        let skew = i64::try_from(skew.as_secs()).unwrap_or(i64::MAX);
        let expired = self.expires.is_some_and(|exp| now.secs() >= exp.saturating_add(skew));
        let foreign = api.key_managers.as_ref().is_some_and(|known| !known.contains(&self.key_manager));
        if expired || foreign || snapshot.is_revoked(&self.id) { Err(AuthRefusal::Invalid) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn the_token_is_found_among_other_credentials() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("Basic x, Bearer abc", Some("abc")),
            ("Bearer \"abc\"", Some("abc")),
            ("Bearer  abc , Basic y", Some("abc")),
            ("Bearer abc,Basic y", Some("abc")),
            ("Bearer abc ", Some("abc")),
            ("Bearer a", Some("a")),
            ("Bearer \u{e4}bc", None),
            ("Bearer \"\"", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearerabc", None),
            ("Basic abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert_eq!(bearer(&headers, &AUTHORIZATION, "Authorization").ok(), token, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new(), &AUTHORIZATION, "X-Token"), Err(AuthRefusal::Missing("X-Token".to_owned())));
    }
}
