//! The desk itself: what every verb of this crate works with.

use std::sync::Arc;

use model::Timestamp;

use crate::{Settings, SignerError, Signers};

/// Gives the present time; the hall passes the wall clock, tests one they wind by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The key desk. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub(crate) db: db::Db,
    pub(crate) users: users::Users,
    pub(crate) signers: Arc<Signers>,
    pub(crate) settings: Arc<Settings>,
    clock: Clock,
}

/// A verb on clients or tokens failed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// No such client.
    #[error("there is no OAuth client '{0}'")]
    UnknownClient(String),
    /// The client may not have tokens of its own.
    #[error("the client may not use the grant client_credentials")]
    GrantNotAllowed,
    /// The scopes cannot be written in a token.
    #[error("{0}")]
    Scopes(&'static str),
    /// The database failed.
    #[error("the client or its tokens could not be read or written")]
    Store(#[from] db::Error),
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Signer(#[from] SignerError),
}

impl Desk {
    /// A desk over its parts. `signers` may be shared with whoever else signs in the tenants' names.
    pub fn new(db: db::Db, users: users::Users, signers: Arc<Signers>, settings: Settings, clock: Clock) -> Self {
        Self { db, users, signers, settings: Arc::new(settings), clock }
    }

    /// The keys this desk signs with.
    #[must_use]
    pub fn signers(&self) -> &Arc<Signers> {
        &self.signers
    }

    /// What it was set up with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// Lets only one transaction at a time do `what`, where looking and then inserting must not be interleaved with another's. SQLite has one
/// writer anyway; on PostgreSQL the fact's row stays locked until the transaction ends. To be called before anything else is written.
pub(crate) async fn one_at_a_time(tx: &mut db::Tx, what: &str) -> Result<(), db::Error> {
    db::facts::put(tx, &format!("lock.{what}"), "").await
}
