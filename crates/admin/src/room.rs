//! What the room needs to work: the database, the accounts and a clock.

use std::sync::Arc;

use db::Db;
use model::Timestamp;
use users::Users;

/// Tells the time. The hall passes the wall clock, tests one wound by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The admin room's state, shared by all its requests.
#[derive(Clone)]
pub struct Room {
    pub(crate) db: Db,
    pub(crate) users: Users,
    clock: Clock,
}

impl Room {
    /// A room over `db`; `users` stands over the same database.
    #[must_use]
    pub fn new(db: Db, users: Users, clock: Clock) -> Self {
        Self { db, users, clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
