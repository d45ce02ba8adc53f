//! What the room needs to work: the database, a clock, somebody who knows gateways, a way to fetch definitions, and its settings.

use std::sync::Arc;

use db::Db;
use model::{Api, Timestamp};
use serde::Deserialize;

use crate::fetch::Fetcher;

/// Tells the time. The hall passes the wall clock, tests one wound by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Knows what the gateways can serve. Implemented by the hall: how an API is served is no business of this room.
pub trait Gateway: Send + Sync {
    /// Whether a gateway could serve this API in the lifecycle state it has here.
    ///
    /// # Errors
    /// What stands in the way, in words for people.
    fn can_serve(&self, api: Api) -> Result<(), String>;
}

/// Settings of the publisher.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the developer portal is, as shown in the publisher. Default: `https://localhost:9443/devportal`.
    pub devportal_url: String,
    /// Whether a definition's URL may lead to loopback, private or link-local addresses. Default: no, because whoever may create an API
    /// could otherwise read what only this machine can reach. Switch it on where definitions live on an internal host.
    pub allow_private_addresses: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { devportal_url: "https://localhost:9443/devportal".to_owned(), allow_private_addresses: false }
    }
}

/// The publisher's state, shared by all its requests.
#[derive(Clone)]
pub struct Room {
    pub(crate) db: Db,
    pub(crate) config: Arc<Config>,
    pub(crate) fetcher: Fetcher,
    pub(crate) gateway: Arc<dyn Gateway>,
    clock: Clock,
}

/// The room could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client that fetches definitions could not be made")]
pub struct SetupError(#[from] reqwest::Error);

impl Room {
    /// A room over `db`.
    ///
    /// # Errors
    /// [`SetupError`] when the TLS library or the system's certificates are unusable.
    pub fn new(db: Db, config: Config, gateway: Arc<dyn Gateway>, clock: Clock) -> Result<Self, SetupError> {
        let fetcher = Fetcher::new(config.allow_private_addresses)?;
        Ok(Self { db, config: Arc::new(config), fetcher, gateway, clock })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
