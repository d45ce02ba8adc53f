//! Finding, making and changing accounts.

use model::{EVERYONE, PRIMARY_STORE, Secret, StoredPassword, Tenant, Timestamp, User, UserId, UserName};

use crate::password::{self, PASSWORD_MAX_BYTES};
use crate::{Account, SignInError, Users};

/// Fewest characters of a new password, the old stores' default rule.
const PASSWORD_MIN_CHARS: usize = 5;

/// Longest user name, the column width of the old stores.
const NAME_MAX_CHARS: usize = 255;

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Store, name and tenant.
    pub name: UserName,
    /// Password.
    pub password: Secret<String>,
    /// Roles, which must exist; [`EVERYONE`] need not be named.
    pub roles: Vec<String>,
    /// Attributes by name.
    pub attributes: Vec<(String, String)>,
    /// The password is a one-time one.
    pub must_change_password: bool,
}

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// No such user.
    #[error("there is no user '{0}'")]
    UnknownUser(UserName),
    /// No such tenant.
    #[error("there is no tenant '{0}'")]
    UnknownTenant(String),
    /// No such role.
    #[error("there is no role '{0}'")]
    UnknownRole(String),
    /// Another server keeps the store, and it is not written to.
    #[error("the user store {0} is kept on another server; make users and change passwords there")]
    KeptElsewhere(String),
    /// The name is taken.
    #[error("there is a user '{0}' already")]
    Exists(UserName),
    /// The name breaks a rule.
    #[error(
        "a user name must be 1 to {NAME_MAX_CHARS} characters long and hold no white space, control characters or any of / : \\ \" < >"
    )]
    NameNotAllowed,
    /// The new password breaks a rule.
    #[error("a password must be at least {PASSWORD_MIN_CHARS} characters and at most {PASSWORD_MAX_BYTES} bytes long, without spaces")]
    PasswordNotAllowed,
    /// The present password was not right, or could not be checked.
    #[error("the present password was not accepted")]
    Current(#[source] SignInError),
    /// The new password could not be hashed.
    #[error("the new password could not be hashed")]
    Hashing(#[source] SignInError),
    /// The account could not be written.
    #[error("the account could not be written")]
    Store(#[from] db::Error),
}

impl Users {
    /// Reads `[STORE/]name[@tenant]`, where the suffix counts as a tenant only when there is one of that domain.
    ///
    /// # Errors
    /// When the tenants could not be read.
    pub async fn parse_name(&self, text: &str) -> Result<UserName, db::Error> {
        parse_name(&mut self.db.read().await?, text).await
    }

    /// The account of that name, whatever its state; ask [`Account::may_act`] before letting it do anything.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn find(&self, name: &UserName) -> Result<Option<Account>, db::Error> {
        find(&mut self.db.read().await?, name).await
    }

    /// Whether there is such an account.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn exists(&self, name: &UserName) -> Result<bool, db::Error> {
        Ok(self.find(name).await?.is_some())
    }

    /// The roles an account may use now: none for an unknown or locked one, or where the tenant is inactive.
    ///
    /// # Errors
    /// When they could not be read.
    pub async fn roles_of(&self, name: &UserName) -> Result<Vec<String>, db::Error> {
        Ok(self.find(name).await?.filter(Account::may_act).map(|account| account.roles).unwrap_or_default())
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn create(&self, new: NewUser) -> Result<User, ChangeError> {
        check_name(&new.name)?;
        check_password(&new.password)?;
        self.must_be_ours(&new.name).await?;
        let (hashed, _) = self.hashing.run(new.password, password::hash).await.map_err(ChangeError::Hashing)?;
        let hashed = hashed.map_err(|fault| ChangeError::Hashing(fault.into()))?;
        let now = self.now();

        let mut tx = self.db.write().await?;
        let tenant = tenant(&mut tx, &new.name.tenant).await?;
        if db::users::find(&mut tx, tenant.id, &new.name.store, &new.name.name).await?.is_some() {
            return Err(ChangeError::Exists(new.name));
        }
        let user = User {
            id: UserId::random(),
            tenant: tenant.id,
            store: new.name.store.clone(),
            name: new.name.name.clone(),
            password: Some(hashed),
            roles: known_roles(&mut tx, &tenant, new.roles).await?,
            attributes: new.attributes,
            locked: false,
            must_change_password: new.must_change_password,
            password_changed_at: now,
            created_at: now,
        };
        match db::users::insert(&mut tx, &user).await {
            Err(db::Error::Duplicate { .. }) => return Err(ChangeError::Exists(new.name)),
            done => done?,
        }
        tx.commit().await?;
        Ok(user)
    }

    /// Changes one's own password. All tokens that act for the user end with the old one.
    ///
    /// # Errors
    /// [`ChangeError::Current`] when `current` is not right, and the others.
    pub async fn change_password(&self, name: &UserName, current: &Secret<String>, new: Secret<String>) -> Result<(), ChangeError> {
        self.sign_in(name, current).await.map_err(ChangeError::Current)?;
        self.set_password(name, new, false).await
    }

    /// Sets somebody's password, as an administrator may. `one_time`: it must be changed within a day. All tokens that act for the user end
    /// with the old one.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn set_password(&self, name: &UserName, new: Secret<String>, one_time: bool) -> Result<(), ChangeError> {
        check_password(&new)?;
        self.must_be_ours(name).await?;
        let (hashed, _) = self.hashing.run(new, password::hash).await.map_err(ChangeError::Hashing)?;
        let hashed = hashed.map_err(|fault| ChangeError::Hashing(fault.into()))?;
        let now = self.now();
        self.alter(name, |user| {
            user.password = Some(hashed);
            user.must_change_password = one_time;
            user.password_changed_at = now;
        })
        .await
    }

    /// Gives an account these roles in place of those it has.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn set_roles(&self, name: &UserName, roles: Vec<String>) -> Result<(), ChangeError> {
        let mut tx = self.db.write().await?;
        let tenant = tenant(&mut tx, &name.tenant).await?;
        let roles = known_roles(&mut tx, &tenant, roles).await?;
        write(&mut tx, &tenant, name, self.now(), |user| user.roles = roles).await?;
        Ok(tx.commit().await?)
    }

    /// Locks an account, which takes back the tokens that act for it, or unlocks it.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn set_locked(&self, name: &UserName, locked: bool) -> Result<(), ChangeError> {
        self.alter(name, |user| user.locked = locked).await
    }

    /// Refuses a name of a store that another server keeps, unless the account has a password here all the same.
    async fn must_be_ours(&self, name: &UserName) -> Result<(), ChangeError> {
        let mut tx = self.db.read().await?;
        let Some(tenant) = db::tenants::find_by_domain(&mut tx, &name.tenant).await? else { return Ok(()) };
        if db::user_stores::find(&mut tx, tenant.id, &name.store).await?.is_none() {
            return Ok(());
        }
        let has_password = db::users::find(&mut tx, tenant.id, &name.store, &name.name).await?.is_some_and(|user| user.password.is_some());
        if has_password && name.store == PRIMARY_STORE { Ok(()) } else { Err(ChangeError::KeptElsewhere(name.store.clone())) }
    }

    async fn alter(&self, name: &UserName, change: impl FnOnce(&mut User)) -> Result<(), ChangeError> {
        let mut tx = self.db.write().await?;
        let tenant = tenant(&mut tx, &name.tenant).await?;
        write(&mut tx, &tenant, name, self.now(), change).await?;
        Ok(tx.commit().await?)
    }
}

/// As [`Users::parse_name`], within a transaction.
///
/// # Errors
/// When the tenants could not be read.
pub async fn parse_name(tx: &mut db::Tx, text: &str) -> Result<UserName, db::Error> {
    let suffix = text.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
    let is_tenant = match &suffix {
        Some(domain) => db::tenants::find_by_domain(tx, domain).await?.is_some(),
        None => false,
    };
    Ok(UserName::parse(text, |domain| is_tenant && suffix.as_deref() == Some(domain)))
}

/// As [`Users::find`], within a transaction.
///
/// # Errors
/// When it could not be read.
pub async fn find(tx: &mut db::Tx, name: &UserName) -> Result<Option<Account>, db::Error> {
    let Some(tenant) = db::tenants::find_by_domain(tx, &name.tenant).await? else { return Ok(None) };
    let user = db::users::find(tx, tenant.id, &name.store, &name.name).await?;
    Ok(user.map(|user| Account::new(user, tenant)))
}

/// The account as it now is, which nobody changes or removes until the transaction ends. `None` where it may no longer act or is not what
/// `seen` was: whoever decided by `seen` that something may be given to the user, decided by what is no longer so.
///
/// # Errors
/// When it could not be read.
pub async fn hold(tx: &mut db::Tx, seen: &Account) -> Result<Option<Account>, db::Error> {
    let held = db::users::hold(tx, seen.user.tenant, &seen.user.store, &seen.user.name).await?;
    let Some(user) = held.filter(|user| is_same(&seen.user, user)) else { return Ok(None) };
    let tenant = db::tenants::find(tx, user.tenant).await?;
    Ok(tenant.map(|tenant| Account::new(user, tenant)).filter(Account::may_act))
}

/// Whether it is the same user with the same password, which a sign-in on another node may just have stored in another form.
fn is_same(seen: &User, user: &User) -> bool {
    let has_outdated_form = matches!(seen.password, Some(StoredPassword::Legacy { .. }));
    let has_same_password = seen.password == user.password || has_outdated_form;
    seen.id == user.id && seen.password_changed_at == user.password_changed_at && has_same_password
}

async fn write(
    tx: &mut db::Tx,
    tenant: &Tenant,
    name: &UserName,
    now: Timestamp,
    change: impl FnOnce(&mut User),
) -> Result<(), ChangeError> {
    db::users::lock(tx, tenant.id, &name.store, &name.name).await?;
    let found = db::users::find(tx, tenant.id, &name.store, &name.name).await?;
    let mut user = found.ok_or_else(|| ChangeError::UnknownUser(name.clone()))?;
    change(&mut user);
    db::users::update(tx, &user, now).await?;
    Ok(())
}

async fn tenant(tx: &mut db::Tx, domain: &str) -> Result<Tenant, ChangeError> {
    db::tenants::find_by_domain(tx, domain).await?.ok_or_else(|| ChangeError::UnknownTenant(domain.to_owned()))
}

/// The roles as they are spelled, each once. [`EVERYONE`] is never stored: everybody has it.
async fn known_roles(tx: &mut db::Tx, tenant: &Tenant, wanted: Vec<String>) -> Result<Vec<String>, ChangeError> {
    let present = db::roles::list(tx, tenant.id).await?;
    let mut roles: Vec<String> = Vec::with_capacity(wanted.len());
    for role in wanted.into_iter().filter(|role| !role.eq_ignore_ascii_case(EVERYONE)) {
        let known = present.iter().find(|known| **known == role).or_else(|| present.iter().find(|known| known.eq_ignore_ascii_case(&role)));
        let known = known.cloned().ok_or(ChangeError::UnknownRole(role))?;
        if !roles.contains(&known) {
            roles.push(known);
        }
    }
    Ok(roles)
}

fn check_name(name: &UserName) -> Result<(), ChangeError> {
    let length = name.name.chars().count();
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "/:\\\"<>".contains(c);
    let store_is_plain = name.store == PRIMARY_STORE || !name.store.is_empty() && !name.store.contains(forbidden);
    if length == 0 || length > NAME_MAX_CHARS || name.name.contains(forbidden) || !store_is_plain {
        return Err(ChangeError::NameNotAllowed);
    }
    Ok(())
}

fn check_password(password: &Secret<String>) -> Result<(), ChangeError> {
    let text = password.expose();
    if text.chars().count() < PASSWORD_MIN_CHARS || text.len() > PASSWORD_MAX_BYTES || text.contains(char::is_whitespace) {
        return Err(ChangeError::PasswordNotAllowed);
    }
    Ok(())
}
