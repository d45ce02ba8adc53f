//! What user stores know of whoever calls, where a tenant's backends are told that: looked up once for each user, and remembered.
//!
//! The look-up is somebody else's ([`UserClaims`]) and only a user's first call waits for it; here it gets a time limit, a bound on how
//! many wait at a time, a bounded memory and a metric. A failure is not remembered, and the call is refused: a backend that relies on being
//! told must not be called without.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use model::{TenantId, Timestamp};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::Config;

/// A user's claims by name, sorted.
pub type Claims = Arc<[(Box<str>, Box<str>)]>;

/// A look-up under way: claims by name.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Result<Vec<(String, String)>, ClaimsUnavailable>> + Send + 'a>>;

/// Looks the claims of users up.
pub trait UserClaims: Send + Sync {
    /// What is known of a user (`[STORE/]name[@tenant]`) in the words of a dialect; nothing of one that nobody knows. `tenant` is that of
    /// the application which the user calls with.
    ///
    /// # Errors
    /// [`ClaimsUnavailable`] when it cannot be said now.
    fn of<'a>(&'a self, tenant: TenantId, user: &'a str, dialect: &'a str) -> Finding<'a>;
}

/// The look-up failed; its cause is for the log.
#[derive(Debug, thiserror::Error)]
#[error("the claims of a user cannot be looked up")]
pub struct ClaimsUnavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// How long claims are remembered: as long as the old product remembered a user's.
const REMEMBERED_MS: i64 = 15 * 60 * 1_000;

/// Users remembered at most.
const USERS_MAX: usize = 16_384;

/// Look-ups at a time.
const LOOKUPS_MAX: usize = 16;

/// Claims of one user at most, and bytes of one: a header has to hold them all.
const CLAIMS_MAX: usize = 128;
const CLAIM_MAX_BYTES: usize = 2_048;

/// Whose claims, in which dialect.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) tenant: TenantId,
    pub(crate) user: Arc<str>,
    pub(crate) dialect: Box<str>,
}

#[derive(Clone)]
struct Remembered {
    asked: Arc<Asked>,
    claims: Claims,
    until: Timestamp,
}

/// The look-up with its memory.
pub(crate) struct ClaimsDesk {
    source: OnceLock<Arc<dyn UserClaims>>,
    /// By a number that may be another's: what is found is held against the call.
    known: Cache<u64, Remembered>,
    numbers: ahash::RandomState,
    places: Semaphore,
    timeout: Duration,
    found: metrics::Counter,
    failed: metrics::Counter,
}

impl ClaimsDesk {
    pub(crate) fn new(config: &Config) -> Self {
        let count = |outcome: &'static str| metrics::counter!("gateway_claims_lookups_total", "outcome" => outcome);
        Self {
            source: OnceLock::new(),
            known: Cache::new(USERS_MAX),
            numbers: ahash::RandomState::new(),
            places: Semaphore::new(LOOKUPS_MAX),
            timeout: config.opaque_timeout,
            found: count("found"),
            failed: count("failed"),
        }
    }

    pub(crate) fn set_source(&self, source: Arc<dyn UserClaims>) {
        // The first stays: there is one per process.
        let _first = self.source.set(source);
    }

    fn number(&self, tenant: TenantId, user: &str, dialect: &str) -> u64 {
        self.numbers.hash_one((tenant.0, user, dialect))
    }

    /// What is remembered.
    pub(crate) fn get(&self, tenant: TenantId, user: &str, dialect: &str, now: Timestamp) -> Option<Claims> {
        let known = self.known.get(&self.number(tenant, user, dialect))?;
        let asked = &known.asked;
        let same = asked.tenant == tenant && *asked.user == *user && *asked.dialect == *dialect;
        (same && known.until > now).then_some(known.claims)
    }

    /// Looks up and remembers.
    pub(crate) async fn find(&self, asked: Asked, now: Timestamp) -> Result<Claims, ClaimsUnavailable> {
        let Some(source) = self.source.get() else {
            return Err(ClaimsUnavailable("this gateway has no user stores to ask".into()));
        };
        let look = async {
            let _place = self.places.acquire().await.map_err(|closed| ClaimsUnavailable(Box::new(closed)))?;
            source.of(asked.tenant, &asked.user, &asked.dialect).await
        };
        let looked_up = tokio::time::timeout(self.timeout, look).await;
        let found =
            looked_up.unwrap_or_else(|elapsed| Err(ClaimsUnavailable(Box::new(elapsed)))).inspect_err(|_| self.failed.increment(1))?;
        self.found.increment(1);
        let mut claims: Vec<(Box<str>, Box<str>)> = found
            .into_iter()
            .filter(|(name, value)| name.len() + value.len() <= CLAIM_MAX_BYTES)
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        claims.sort();
        claims.dedup_by(|a, b| a.0 == b.0);
        claims.truncate(CLAIMS_MAX);
        let claims: Claims = claims.into();
        let number = self.number(asked.tenant, &asked.user, &asked.dialect);
        let until = now.plus_ms(REMEMBERED_MS);
        self.known.insert(number, Remembered { asked: Arc::new(asked), claims: Arc::clone(&claims), until });
        Ok(claims)
    }
}
