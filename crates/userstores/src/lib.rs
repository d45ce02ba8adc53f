//! Asks user stores that other servers keep: directories (LDAP, Active Directory), and databases with the old product's user tables.
//!
//! They are asked and never written to. What comes back is a directory's word: a right or wrong password, an unknown user, a user's groups. What
//! follows from it (roles, locks, guarding against guesses) is `users`' business, and so is comparing a digest that a database holds, because
//! that costs a thread. A store that cannot be asked is [`Unanswered`], which is neither a success nor a wrong password.
//!
//! Everything that comes from a store is bounded, in time and in size, and so is how many may ask at once.

mod jdbc;
mod ldap;
mod unanswered;

use model::{Secret, StoredPassword, Timestamp, UserStore, UserStoreKind};

pub use jdbc::{Overridden, overridden};
pub use unanswered::Unanswered;

/// Longest user name a store is asked for, the old product's column.
const NAME_MAX_CHARS: usize = 255;

/// Groups of one user taken at most.
pub(crate) const GROUPS_MAX: usize = 2_000;

/// Names in one list at most, whatever the definition says.
const LIST_MAX: usize = 10_000;

/// Names in a list where the definition does not say, as in the old product.
const LIST_DEFAULT: usize = 100;

/// Longest value of an attribute taken, in bytes; the old product's column.
pub(crate) const VALUE_MAX_BYTES: usize = 1_024;

/// A definition that cannot be acted on. Says which property, and never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{property} {reason}")]
pub struct DefinitionFault {
    /// Property.
    pub property: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl DefinitionFault {
    pub(crate) fn new(property: &'static str, reason: impl Into<String>) -> Self {
        Self { property, reason: reason.into() }
    }
}

/// A user as a store knows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// Name, spelled as the store spells it.
    pub name: String,
    /// Groups, without domain.
    pub groups: Vec<String>,
    /// Attributes by the store's names for them.
    pub attributes: Vec<(String, String)>,
}

/// A store's word about a name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is no such user.
    Unknown,
    /// The password is wrong.
    Wrong,
    /// The password is right, the account switched off.
    Disabled,
    /// The password is right.
    Right(Person),
    /// The store only keeps a digest, which the asker compares.
    Compare {
        /// The user.
        person: Person,
        /// What is kept.
        stored: StoredPassword,
        /// When the password was set, where it is a one-time password.
        one_time_since: Option<Timestamp>,
    },
}

/// A store that can be asked. Made once and kept: it holds its connections.
#[derive(Debug)]
pub struct Directory {
    definition: UserStore,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Ldap(Box<ldap::Ldap>),
    Jdbc(Box<jdbc::Jdbc>),
}

impl Directory {
    /// Reads a definition. Asks nobody yet.
    ///
    /// # Errors
    /// [`DefinitionFault`].
    pub fn new(definition: &UserStore) -> Result<Self, DefinitionFault> {
        let server = match definition.kind {
            UserStoreKind::Jdbc => Server::Jdbc(Box::new(jdbc::Jdbc::new(definition)?)),
            _ => Server::Ldap(Box::new(ldap::Ldap::new(definition)?)),
        };
        Ok(Self { definition: definition.clone(), server })
    }

    /// What it was made of.
    #[must_use]
    pub fn definition(&self) -> &UserStore {
        &self.definition
    }

    /// Where the store is, without credentials.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.server {
            Server::Ldap(ldap) => ldap.address(),
            Server::Jdbc(jdbc) => jdbc.address(),
        }
    }

    /// Checks a name and password. An empty password is wrong without asking: many directories take it for an anonymous visit and say yes.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn check(&self, name: &str, password: &Secret<String>) -> Result<Answer, Unanswered> {
        if !is_askable(name) {
            return Ok(Answer::Unknown);
        }
        if password.expose().trim().is_empty() {
            return Ok(Answer::Wrong);
        }
        match &self.server {
            Server::Ldap(ldap) => ldap.check(name, password).await,
            Server::Jdbc(jdbc) => jdbc.check(name).await,
        }
    }

    /// A user with groups and attributes; `None` for an unknown or switched-off one.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn find(&self, name: &str) -> Result<Option<Person>, Unanswered> {
        if !is_askable(name) {
            return Ok(None);
        }
        match &self.server {
            Server::Ldap(ldap) => ldap.find(name).await,
            Server::Jdbc(jdbc) => jdbc.find(name).await,
        }
    }

    /// Names of users, `limit` at most and no more than the definition allows; `*` in the pattern stands for any characters.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn list(&self, pattern: &str, limit: usize) -> Result<Vec<String>, Unanswered> {
        let allowed = self.definition.property("MaxUserNameListLength").and_then(|text| text.parse().ok()).unwrap_or(LIST_DEFAULT);
        let limit = limit.min(allowed).min(LIST_MAX);
        match &self.server {
            Server::Ldap(ldap) => ldap.list(pattern, limit).await,
            Server::Jdbc(jdbc) => jdbc.list(pattern, limit).await,
        }
    }

    /// Whether the store can be asked: its address, its certificate, our own credentials there, and where users are looked for.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn test(&self) -> Result<(), Unanswered> {
        match &self.server {
            Server::Ldap(ldap) => ldap.test().await,
            Server::Jdbc(jdbc) => jdbc.test().await,
        }
    }
}

fn is_askable(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= NAME_MAX_CHARS && !name.chars().any(char::is_control)
}

/// Whether a property of a definition says yes.
pub(crate) fn says_yes(definition: &UserStore, property: &str) -> bool {
    definition.property(property).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// At most so many bytes, cut between characters.
pub(crate) fn bounded(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        let end = (0..=max_bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
