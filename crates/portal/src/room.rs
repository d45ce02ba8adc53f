//! What the room needs to work: the database, the key desk, somebody who changes passwords, settings and a clock.

use std::sync::Arc;

use db::Db;
use keys::Desk;
use model::{Secret, Timestamp, UserName};
use rest::BoxFuture;
use serde::Deserialize;

/// Tells the time. The hall passes the wall clock, tests one wound by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Changes a user's own password. Implemented by the hall: accounts are no business of this room.
pub trait Passwords: Send + Sync {
    /// Sets `new` when `current` is right.
    fn change<'a>(&'a self, user: &'a UserName, current: Secret<String>, new: Secret<String>)
    -> BoxFuture<'a, Result<(), PasswordRefused>>;
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordRefused {
    /// The current one is not right.
    #[error("the current password is not right")]
    Current,
    /// The new one breaks a rule, in these words.
    #[error("{0}")]
    New(String),
    /// It could not be done now.
    #[error("the password could not be changed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Settings of the developer portal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether APIs may be looked at without signing in. Default: yes.
    pub anonymous: bool,
    /// Whether deprecated APIs are listed beside published ones. Default: no; by their id they are shown either way.
    pub list_deprecated: bool,
    /// Whether a developer may attach an OAuth client that exists already to an application. Default: no.
    pub map_existing_clients: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { anonymous: true, list_deprecated: false, map_existing_clients: false }
    }
}

/// The developer portal's state, shared by all its requests.
#[derive(Clone)]
pub struct Room {
    pub(crate) db: Db,
    pub(crate) desk: Desk,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) config: Arc<Config>,
    clock: Clock,
}

impl Room {
    /// A room over `db`; `desk` stands over the same database.
    #[must_use]
    pub fn new(db: Db, desk: Desk, passwords: Arc<dyn Passwords>, config: Config, clock: Clock) -> Self {
        Self { db, desk, passwords, config: Arc::new(config), clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
