//! The gateway as a whole: settings, the current snapshot, and what calls share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use http::header::InvalidHeaderName;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use model::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Config;
use crate::clock::Clock;
use crate::counters::{Counters, Kept};
use crate::opaque::{Lookup, OpaqueTokens};
use crate::pipeline::page;
use crate::record::{CallRecord, Recorder};
use crate::respond::Answer;
use crate::snapshot::{AddressFault, ApiEntry, Backends, CorsRules, Snapshot};
use crate::steps::authenticate::Verifier;
use crate::steps::cors::MethodLists;
use crate::steps::tell::Assertions;
use crate::tls::{TlsFault, client_config};
use crate::token_paths::{self, KeyDesk};
use crate::upstream::Pool;
use crate::user_claims::{ClaimsDesk, UserClaims};

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupFault {
    /// TLS toward backends.
    #[error("TLS toward backends")]
    Tls(#[from] TlsFault),
    /// A header name is none.
    #[error("'{name}' is not a header name")]
    HeaderName {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: InvalidHeaderName,
    },
    /// The address of the key desk cannot be called.
    #[error("the address of the key desk")]
    KeyDesk(#[source] AddressFault),
    /// A header value is none.
    #[error("'{0}' is not a header value")]
    HeaderValue(String),
}

/// The data plane. One per process; listeners and workers share it.
pub struct Gateway {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) current: ArcSwap<Snapshot>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) counters: Counters,
    pub(crate) verifier: Verifier,
    pub(crate) opaque: Lookup,
    pub(crate) assertions: Assertions,
    pub(crate) user_claims: ClaimsDesk,
    pub(crate) recorder: Recorder,
    /// CORS settings of APIs without their own, if on.
    pub(crate) cors: Option<CorsRules>,
    pub(crate) method_lists: MethodLists,
    pub(crate) expose_headers: HeaderValue,
    pub(crate) correlation_header: HeaderName,
    pub(crate) site_header: HeaderName,
    authorization_header: HeaderName,
    pub(crate) connections: AtomicUsize,
    pub(crate) key_desk: OnceLock<Arc<dyn KeyDesk>>,
    pub(crate) key_desk_elsewhere: Option<Backends>,
    loaded: AtomicBool,
    records: std::sync::Mutex<Option<mpsc::Receiver<CallRecord>>>,
}

impl Gateway {
    /// A gateway that knows nothing yet. Install a metrics recorder before; handles are taken here.
    ///
    /// # Errors
    /// [`SetupFault`] when a setting cannot be used.
    pub fn new(config: Config, opaque: Arc<dyn OpaqueTokens>) -> Result<Arc<Self>, SetupFault> {
        let (recorder, records) = Recorder::new(config.record_queue);
        let tls = client_config(&config)?;
        let authorization_header = header_name(&config.authorization_header)?;
        Ok(Arc::new(Self {
            clock: Clock::new(config.clock_shift_ms),
            current: ArcSwap::from_pointee(Snapshot::empty()),
            pool: Arc::new(Pool::new(&config, tls)),
            counters: Counters::new(&config),
            verifier: Verifier::new(&config),
            opaque: Lookup::new(&config, opaque),
            assertions: Assertions::new(),
            user_claims: ClaimsDesk::new(&config),
            recorder,
            cors: config.cors.enabled.then(|| CorsRules::compile(&config.cors, Some(&authorization_header))),
            method_lists: MethodLists::new(),
            expose_headers: HeaderValue::from_str(&config.cors_expose_headers)
                .map_err(|_| SetupFault::HeaderValue(config.cors_expose_headers.clone()))?,
            correlation_header: header_name(&config.correlation_header)?,
            site_header: header_name(&config.client_domain_header)?,
            authorization_header,
            connections: AtomicUsize::new(0),
            key_desk: OnceLock::new(),
            key_desk_elsewhere: token_paths::elsewhere(&config)?,
            loaded: AtomicBool::new(false),
            records: std::sync::Mutex::new(records),
            config,
        }))
    }

    /// The snapshot that calls see now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Says who answers `/token` and its like. Once; a second desk is not asked.
    pub fn set_key_desk(&self, desk: Arc<dyn KeyDesk>) {
        if self.key_desk.set(desk).is_err() {
            tracing::error!("the gateway has a key desk already");
        }
    }

    /// Lets all calls from now on see `snapshot`. The first one makes the gateway ready (`/readyz`).
    pub fn swap(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
        self.loaded.store(true, Ordering::Release);
    }

    /// Says that nobody keeps the snapshot current: not ready until the next one is given. Calls are answered from it all the same.
    pub fn set_unready(&self) {
        self.loaded.store(false, Ordering::Release);
    }

    /// Whether a snapshot has been given and is kept current.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Names who knows the claims of users. Without, calls whose backends are to be told them are refused.
    pub fn set_user_claims(&self, source: Arc<dyn UserClaims>) {
        self.user_claims.set_source(source);
    }

    /// The records of finished calls; once, and only if `Config::record_queue` is not 0.
    #[must_use]
    pub fn records(&self) -> Option<mpsc::Receiver<CallRecord>> {
        self.records.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// What is spent of limits whose window goes on at `at`: to be kept, and given to [`Self::resume`] in the next process.
    #[must_use]
    pub fn spent(&self, at: Timestamp) -> Vec<Kept> {
        self.counters.kept(at)
    }

    /// Goes on counting where an earlier process ended. Call it before the first call comes: what is counted already stays as it is.
    pub fn resume(&self, spent: &[Kept]) {
        self.counters.resume(spent, Timestamp(self.clock.now().wall_ms));
    }

    /// Client connections open now.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What must be done now and then: clock, idle backend connections, ended counters. `turn` counts the calls of this function, one a tick.
    pub(crate) fn keep_house(&self, turn: usize) {
        self.clock.tick();
        if turn.is_multiple_of(10) {
            self.pool.sweep();
        }
        self.counters.sweep(turn, Timestamp(self.clock.now().wall_ms));
    }

    pub(crate) fn correlation(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(value) = headers.get(&self.correlation_header)
            && !value.is_empty()
        {
            return value.clone();
        }
        let mut text = [0u8; uuid::fmt::Hyphenated::LENGTH];
        let text = Uuid::new_v4().hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }

    /// The header in which an API's tokens come, and how to write its name.
    pub(crate) fn token_header<'a>(&'a self, api: &'a ApiEntry) -> (&'a HeaderName, &'a str) {
        match &api.token_header {
            Some(name) => (name, name.as_str()),
            None => (&self.authorization_header, &self.config.authorization_header),
        }
    }

    /// Paths that no API claims and the gateway answers itself.
    pub(crate) fn own_page(&self, method: &Method, path: &str) -> Option<Answer> {
        if method != Method::GET && method != Method::HEAD {
            return None;
        }
        Some(match path {
            "/" => page(
                StatusCode::OK,
                "text/html; charset=UTF-8",
                "<html><head><title>Welcome to APIM</title></head><body><h1>Welcome to APIM</h1></body></html>".to_owned(),
            ),
            "/services/Version" => page(
                StatusCode::OK,
                "application/xml; charset=UTF-8",
                format!(
                    "<ns:getVersionResponse xmlns:ns=\"http://version.services.core.carbon.wso2.org\"><return>WSO2 API Manager-{}</return>\
                     </ns:getVersionResponse>",
                    self.config.advertised_version
                ),
            ),
            "/healthz" => page(StatusCode::OK, "text/plain; charset=UTF-8", "ok\n".to_owned()),
            "/readyz" if self.is_ready() => page(StatusCode::OK, "text/plain; charset=UTF-8", "ready\n".to_owned()),
            "/readyz" => page(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=UTF-8", "not ready\n".to_owned()),
            _ => return None,
        })
    }
}

fn header_name(name: &str) -> Result<HeaderName, SetupFault> {
    HeaderName::try_from(name).map_err(|source| SetupFault::HeaderName { name: name.to_owned(), source })
}
