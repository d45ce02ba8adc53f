//! Accounts: who somebody is, whether their password is right, which roles they hold.
//!
//! Not here: what a role allows (that is decided at the doors), tokens, and how a directory is spoken to (that is `userstores`').
//!
//! Signing in is the one place where strangers make the server work hard, so its cost is bounded everywhere: hashing runs on a fixed number
//! of threads with a bounded queue, attempts on one name from one network run one after the other, and repeated failures must wait.

mod accounts;
mod elsewhere;
mod first_start;
mod guard;
pub mod password;
mod recent;
mod sign_in;

use std::sync::Arc;

use model::{EVERYONE, Tenant, Timestamp, User, UserName};

pub use accounts::{ChangeError, NewUser, find, hold, parse_name};
pub use elsewhere::StoreState;
pub use first_start::Made;
pub use sign_in::SignInError;

/// Gives the present time; the hall passes the wall clock, tests one they wind by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The accounts of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Users {
    db: db::Db,
    clock: Clock,
    hashing: Arc<sign_in::Hashing>,
    guard: Arc<guard::Guard>,
    recent: Arc<recent::Recent>,
    elsewhere: Arc<elsewhere::Elsewhere>,
}

/// An account together with what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account itself.
    pub user: User,
    /// Its tenant.
    pub tenant: Tenant,
    /// Its roles, [`EVERYONE`] included.
    pub roles: Vec<String>,
}

impl Account {
    fn new(user: User, tenant: Tenant) -> Self {
        let mut roles = user.roles.clone();
        if !roles.iter().any(|role| role.eq_ignore_ascii_case(EVERYONE)) {
            roles.push(EVERYONE.to_owned());
        }
        Self { user, tenant, roles }
    }

    /// Full name.
    #[must_use]
    pub fn name(&self) -> UserName {
        UserName { store: self.user.store.clone(), name: self.user.name.clone(), tenant: self.tenant.domain.clone() }
    }

    /// Whether a role is held; letter case does not matter.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held.eq_ignore_ascii_case(role))
    }

    /// Whether the account may act at all: not locked, and its tenant active. Tokens issued earlier lose their force with it.
    #[must_use]
    pub fn may_act(&self) -> bool {
        !self.user.locked && self.tenant.active
    }
}

impl Users {
    /// Over a database.
    pub fn new(db: db::Db, clock: Clock) -> Self {
        Self {
            db,
            clock,
            hashing: Arc::new(sign_in::Hashing::new()),
            guard: Arc::new(guard::Guard::default()),
            recent: Arc::new(recent::Recent::new()),
            elsewhere: Arc::default(),
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
