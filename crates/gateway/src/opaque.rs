//! Tokens that say nothing by themselves: the one thing a call may have to wait for.
//!
//! The look-up is somebody else's ([`OpaqueTokens`]); here it gets a time limit, a bounded cache of both outcomes and a metric. When it
//! fails or takes too long the call is refused, never passed, and the failure is not remembered.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use model::{TenantId, Timestamp};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::Config;
use crate::steps::authenticate::Verified;

/// Looks opaque tokens up.
pub trait OpaqueTokens: Send + Sync {
    /// What is known of `token`; `None` if it is unknown, expired or revoked.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said now.
    fn find<'a>(&'a self, token: &'a str) -> Pin<Box<dyn Future<Output = Result<Option<FoundToken>, Unavailable>> + Send + 'a>>;
}

/// The look-up failed; its cause is for the log.
#[derive(Debug, thiserror::Error)]
#[error("opaque tokens cannot be looked up")]
pub struct Unavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A usable opaque token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// What a [`crate::Change::Revoke`] will call it; not the token's text.
    pub id: String,
    /// Client it was issued to (consumer key).
    pub client: String,
    /// Key manager that issued it, as key mappings name it.
    pub key_manager: String,
    /// User, as throttle keys write him.
    pub user: String,
    /// `APPLICATION` or `APPLICATION_USER`.
    pub aut: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// When it stops; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Tenant of the client's owner.
    pub tenant: TenantId,
}

/// Knows no token: for a gateway whose installation issues only signed ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOpaqueTokens;

impl OpaqueTokens for NoOpaqueTokens {
    fn find<'a>(&'a self, _token: &'a str) -> Pin<Box<dyn Future<Output = Result<Option<FoundToken>, Unavailable>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// Longest text that is looked up, in bytes. Opaque tokens are a few dozen characters; what is longer is unknown, and is not remembered
/// either, or the cache's bound in entries would be none in memory.
const TOKEN_MAX_BYTES: usize = 1_024;

/// Most look-ups at a time. Whoever floods the gateway with made-up tokens waits here, and leaves the database to the others.
const LOOKUPS_MAX: usize = 16;

/// A token as it was found, and what calls need of it, made when the first one does.
pub(crate) struct Found {
    pub(crate) token: FoundToken,
    pub(crate) verified: OnceLock<Arc<Verified>>,
}

/// The look-up with its cache.
pub(crate) struct Lookup {
    source: Arc<dyn OpaqueTokens>,
    cache: Cache<Box<str>, Remembered>,
    ttl_ms: i64,
    negative_ttl_ms: i64,
    timeout: Duration,
    places: Semaphore,
    found: metrics::Counter,
    unknown: metrics::Counter,
    failed: metrics::Counter,
}

#[derive(Clone)]
struct Remembered {
    /// `None`: unknown.
    token: Option<Arc<Found>>,
    until: Timestamp,
}

impl Lookup {
    pub(crate) fn new(config: &Config, source: Arc<dyn OpaqueTokens>) -> Self {
        let count = |outcome: &'static str| metrics::counter!("gateway_opaque_lookups_total", "outcome" => outcome);
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self {
            source,
            cache: Cache::new(config.opaque_cache_entries.max(1)),
            ttl_ms: ms(config.opaque_ttl),
            negative_ttl_ms: ms(config.opaque_negative_ttl),
            timeout: config.opaque_timeout,
            places: Semaphore::new(LOOKUPS_MAX),
            found: count("found"),
            unknown: count("unknown"),
            failed: count("failed"),
        }
    }

    /// The token, `None` if it is not usable. Whether it was revoked since is for the caller to ask the snapshot.
    pub(crate) async fn find(&self, token: &str, now: Timestamp) -> Result<Option<Arc<Found>>, Unavailable> {
        if token.len() > TOKEN_MAX_BYTES {
            return Ok(None);
        }
        if let Some(known) = self.cache.get(token)
            && known.until > now
        {
            return Ok(known.token);
        }
        let look = async {
            let _place = self.places.acquire().await.map_err(|closed| Unavailable(Box::new(closed)))?;
            self.source.find(token).await
        };
        let looked_up = tokio::time::timeout(self.timeout, look).await;
        let found = match looked_up.unwrap_or_else(|elapsed| Err(Unavailable(Box::new(elapsed)))) {
            Ok(found) => found,
            Err(unavailable) => {
                self.failed.increment(1);
                return Err(unavailable);
            }
        };
        let (token_found, ttl_ms) = match found {
            Some(found) => {
                self.found.increment(1);
                (Some(Arc::new(Found { token: found, verified: OnceLock::new() })), self.ttl_ms)
            }
            None => {
                self.unknown.increment(1);
                (None, self.negative_ttl_ms)
            }
        };
        self.cache.insert(token.into(), Remembered { token: token_found.clone(), until: now.plus_ms(ttl_ms) });
        Ok(token_found)
    }
}
