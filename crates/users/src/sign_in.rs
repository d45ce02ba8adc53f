//! Signing in with name and password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{PRIMARY_STORE, Secret, StoredPassword, Tenant, Timestamp, User, UserName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::elsewhere::Store;
use crate::guard::LineFull;
use crate::password::{self, HashFault, PASSWORD_MAX_BYTES, Verdict};
use crate::{Account, Users};

/// A one-time password is good for so long after it was set.
pub(crate) const ONE_TIME_MS: i64 = 24 * 60 * 60 * 1000;

/// Requests that may wait for a hashing thread; at a tenth of a second each, more could not be answered in bearable time.
const WAITING_MAX: usize = 512;

/// Why somebody may not sign in. Doors answer strangers the same for all but those that are [ours](SignInError::is_ours).
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such user, no password of ours, or the wrong one.
    #[error("the user name or password is wrong")]
    Refused,
    /// The password is right, the account locked.
    #[error("the account is locked")]
    Locked,
    /// The password is right, but was a one-time password set more than a day ago.
    #[error("the one-time password is older than a day")]
    PasswordExpired,
    /// The password is right, the tenant inactive.
    #[error("the tenant is not active")]
    TenantInactive,
    /// Too many wrong passwords for this name from this network of late; the password was not looked at.
    #[error("too many failed attempts; the next may be made in {} s", retry_after.as_secs() + 1)]
    TooManyAttempts {
        /// When to try again.
        retry_after: Duration,
    },
    /// So many are signing in that this one was not looked at.
    #[error("too many sign-ins at once")]
    Busy,
    /// The password could not be hashed.
    #[error("the password could not be checked")]
    Hashing(#[from] HashFault),
    /// The account could not be read.
    #[error("the account could not be read")]
    Store(#[from] db::Error),
    /// A user store that may know the user cannot be asked now. Says nothing about the password.
    #[error("the user store {store} cannot be asked now")]
    Unanswered {
        /// Which.
        store: String,
        /// Why.
        source: userstores::Unanswered,
    },
    /// A user store's definition cannot be acted on.
    #[error("the definition of the user store {store} cannot be used")]
    Definition {
        /// Which.
        store: String,
        /// Why.
        source: userstores::DefinitionFault,
    },
}

impl SignInError {
    /// Whether the fault is the server's: the answer then is an error, never a refusal.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Busy | Self::Hashing(_) | Self::Store(_) | Self::Unanswered { .. } | Self::Definition { .. })
    }
}

impl From<LineFull> for SignInError {
    fn from(_: LineFull) -> Self {
        Self::Busy
    }
}

impl Users {
    /// As [`Users::sign_in_from`], from an unknown address.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(&self, name: &UserName, password: &Secret<String>) -> Result<Account, SignInError> {
        self.sign_in_from(name, password, None).await
    }

    /// Checks name and password. A password kept in an old form is stored anew after its first success. `from` is where the attempt comes
    /// from: failures there do not count against those who sign in elsewhere.
    ///
    /// A name with the domain of a store that another server keeps is that store's. A bare name is one of our own accounts or, where that does
    /// not fit, is looked for in all other stores in their order, as the old product did.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in_from(&self, name: &UserName, password: &Secret<String>, from: Option<IpAddr>) -> Result<Account, SignInError> {
        let Some(tenant) = self.tenant_of(name).await? else { return self.sign_in_here(name, password, from, &[]).await };
        let stores = self.stores_of(&tenant).await?;
        match stores.iter().find(|store| store.answers_to(&name.store)) {
            Some(store) if name.store != PRIMARY_STORE => {
                let full = UserName { store: store.name(), ..name.clone() };
                // Boxed, so that everybody's sign-in need not carry the room that asking another server takes.
                let account = Box::pin(self.sign_in_there(store, &tenant, &full, password, from)).await?;
                admitted(account, self.now())
            }
            _ => {
                let asked: Vec<(&Tenant, &Store)> = stores.iter().map(|store| (&tenant, store)).collect();
                // A domain of nobody's means nobody, not somebody of that name in another store.
                let asked = if name.store == PRIMARY_STORE { asked } else { Vec::new() };
                self.sign_in_here(name, password, from, &asked).await
            }
        }
    }

    /// Looks among our own accounts, then in other stores.
    async fn sign_in_here(
        &self,
        name: &UserName,
        password: &Secret<String>,
        from: Option<IpAddr>,
        others: &[(&Tenant, &Store)],
    ) -> Result<Account, SignInError> {
        if let Some(account) = self.recently_right(name, password).await? {
            return admitted(account, self.now());
        }
        // A directory compares without letter case, so guesses at all spellings of a name are guesses at one user.
        let is_folded = others.iter().any(|(_, store)| store.is_primary());
        let guarded = if is_folded { UserName { name: name.name.to_lowercase(), ..name.clone() } } else { name.clone() };
        let mut turn = self.guard.turn(&guarded, from).await?;
        let now = self.now();
        // While this attempt stood in line another may have shown the same password, or an administrator changed it.
        if let Some(account) = self.recently_right(name, password).await? {
            return admitted(account, now);
        }
        turn.may_try(now).map_err(|retry_after| SignInError::TooManyAttempts { retry_after })?;
        tokio::time::sleep(turn.delay(now)).await;

        let found = self.find(name).await?;
        let stored = found.as_ref().and_then(|account| account.user.password.clone());
        let is_ours = stored.is_some();
        // Where another server keeps the primary store, our own accounts are the exception, and a hashing for nobody would only cost.
        let is_compared = is_ours || !others.iter().any(|(_, store)| store.is_primary());
        let verdict = match is_compared {
            true => Some(self.hashing.run(password.clone(), move |shown| password::verify(stored.as_ref(), shown)).await?),
            false => None,
        };
        if let (Some(mut account), Some((verdict, shown))) = (found, verdict)
            && verdict != Verdict::Wrong
        {
            turn.succeeded();
            if verdict == Verdict::RightButOutdated {
                self.renew(&mut account.user, shown).await;
            }
            if let Some(stored) = &account.user.password {
                self.recent.note(name, password, stored, now);
            }
            return admitted(account, now);
        }
        match Box::pin(self.ask_in_turn(others, name, is_ours, password, from)).await {
            Ok(Some(account)) => {
                turn.succeeded();
                admitted(account, now)
            }
            Ok(None) => {
                turn.failed(now);
                Err(SignInError::Refused)
            }
            Err(error) => {
                if !error.is_ours() {
                    // The password was right; something else is in the way.
                    turn.succeeded();
                } else if is_ours {
                    // Whatever the store that cannot be asked would say, for our own account it was wrong.
                    turn.failed(now);
                }
                Err(error)
            }
        }
    }

    async fn recently_right(&self, name: &UserName, password: &Secret<String>) -> Result<Option<Account>, SignInError> {
        if password.expose().len() > PASSWORD_MAX_BYTES {
            return Ok(None);
        }
        let found = self.find(name).await?;
        let now = self.now();
        Ok(found.filter(|account| account.user.password.as_ref().is_some_and(|stored| self.recent.holds(name, password, stored, now))))
    }

    /// Replaces an old form of the password. Failing to is no reason to turn the user away: the old form still works next time.
    async fn renew(&self, user: &mut User, password: Secret<String>) {
        match self.try_renew(user, password).await {
            Ok(Some(renewed)) => user.password = Some(renewed),
            Ok(None) => {}
            Err(error) => tracing::warn!(error = %error, user = %user.id, "a password in an old form could not be stored anew"),
        }
    }

    async fn try_renew(&self, user: &User, password: Secret<String>) -> Result<Option<StoredPassword>, SignInError> {
        let Some(old) = &user.password else { return Ok(None) };
        let (renewed, _) = self.hashing.run(password, password::hash).await?;
        let renewed = renewed?;
        let mut tx = self.db.write().await?;
        if !db::users::rehash(&mut tx, user.id, old, &renewed).await? {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(renewed))
    }
}

pub(crate) fn admitted(account: Account, now: Timestamp) -> Result<Account, SignInError> {
    if account.user.locked {
        return Err(SignInError::Locked);
    }
    if !account.tenant.active {
        return Err(SignInError::TenantInactive);
    }
    if account.user.must_change_password && account.user.password_changed_at.plus_ms(ONE_TIME_MS) < now {
        return Err(SignInError::PasswordExpired);
    }
    Ok(account)
}

/// The threads that hash. Each hashing takes 19 MiB, so their number bounds the memory a flood of passwords can take.
pub(crate) struct Hashing {
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(1, 8);
        Self { at_once: Arc::new(Semaphore::new(threads)), waiting: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    /// Runs slow work on a blocking thread and hands the password back. The thread's place is freed by the work itself: a caller who
    /// goes away does not free it early.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        password: Secret<String>,
        work: impl FnOnce(&Secret<String>) -> T + Send + 'static,
    ) -> Result<(T, Secret<String>), SignInError> {
        let place: OwnedSemaphorePermit = {
            let _in_line = self.waiting.try_acquire().map_err(|_| SignInError::Busy)?;
            Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| SignInError::Busy)?
        };
        tokio::task::spawn_blocking(move || {
            let result = work(&password);
            drop(place);
            (result, password)
        })
        .await
        .map_err(|_| SignInError::Busy)
    }
}
