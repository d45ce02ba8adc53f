//! Users whom other servers know: their passwords are checked there, and what must be kept of them here is kept in an account without a password.
//!
//! The account is made at the first sign-in, or by an upgrade that found roles of ours given to the user. The store decides on the roles that
//! bear its domain, anew at every sign-in; all other roles are given here and stay. Whom the store spells otherwise than they type
//! themselves is one user all the same, so that a lock cannot be walked around by letter case.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Secret, Tenant, TenantId, Timestamp, User, UserId, UserName, UserStore};
use userstores::{Answer, DefinitionFault, Directory, Person};

use crate::password::{self, Verdict};
use crate::sign_in::{ONE_TIME_MS, admitted};
use crate::{Account, SignInError, Users};

/// The stores that have been asked, with their connections.
#[derive(Default)]
pub(crate) struct Elsewhere {
    kept: Mutex<HashMap<(TenantId, String), Store>>,
}

/// One store of a tenant. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    definition: Arc<UserStore>,
    directory: Arc<Result<Directory, DefinitionFault>>,
}

impl Store {
    fn of(definition: UserStore) -> Self {
        let directory = Arc::new(Directory::new(&definition));
        Self { definition: Arc::new(definition), directory }
    }

    /// Domain as names carry it.
    pub(crate) fn name(&self) -> String {
        self.definition.name()
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.definition.is_primary()
    }

    /// Whether a domain means this store. The primary store may have a name of its own beside.
    pub(crate) fn answers_to(&self, domain: &str) -> bool {
        let own = self.definition.property("DomainName").filter(|_| self.is_primary());
        self.name() == domain.to_uppercase() || own.is_some_and(|own| own.to_uppercase() == domain.to_uppercase())
    }

    fn directory(&self) -> Result<&Directory, SignInError> {
        self.directory.as_ref().as_ref().map_err(|fault| SignInError::Definition { store: self.name(), source: fault.clone() })
    }
}

/// A store as an operator wants to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreState {
    /// Tenant's domain.
    pub tenant: String,
    /// The store's.
    pub domain: String,
    /// `LDAP`, `Active Directory` or `JDBC`.
    pub kind: String,
    /// Where it is; empty when the definition cannot be used.
    pub address: String,
    /// Nobody is asked.
    pub disabled: bool,
    /// Why the definition cannot be used.
    pub fault: Option<String>,
}

/// What somebody is to a store.
enum Found {
    Nobody,
    Wrong,
    Somebody(Person),
}

impl Users {
    /// All stores that other servers keep, by tenant and order. Asks none of them.
    ///
    /// # Errors
    /// When they could not be read.
    pub async fn stores(&self) -> Result<Vec<StoreState>, db::Error> {
        let mut tx = self.db.read().await?;
        let tenants: HashMap<TenantId, String> = db::tenants::list(&mut tx).await?.into_iter().map(|t| (t.id, t.domain)).collect();
        let state = |definition: UserStore| {
            let (tenant, domain, kind) = (definition.tenant, definition.domain.clone(), definition.kind.to_string());
            let disabled = definition.disabled;
            let (address, fault) = match Directory::new(&definition) {
                Ok(directory) => (directory.address(), None),
                Err(fault) => (String::new(), Some(fault.to_string())),
            };
            StoreState { tenant: tenants.get(&tenant).cloned().unwrap_or_default(), domain, kind, address, disabled, fault }
        };
        Ok(db::user_stores::list_all(&mut tx).await?.into_iter().map(state).collect())
    }

    /// Asks the store in charge of a user anew, as when a token is renewed: their roles here follow it. Whether they may go on being somebody;
    /// so may everybody whom no other server is in charge of.
    ///
    /// # Errors
    /// [`SignInError`], when the store cannot be asked.
    pub async fn look_again(&self, name: &UserName) -> Result<bool, SignInError> {
        let Some(tenant) = self.tenant_of(name).await? else { return Ok(true) };
        let stores = self.stores_of(&tenant).await?;
        let Some(store) = stores.iter().find(|store| store.answers_to(&name.store)) else { return Ok(true) };
        if store.is_primary() && self.find(name).await?.is_some_and(|account| account.user.password.is_some()) {
            return Ok(true);
        }
        let found = Box::pin(store.directory()?.find(&name.name)).await.map_err(|source| unanswered(store, source))?;
        let Some(person) = found else { return Ok(false) };
        match Box::pin(self.known(store, &tenant, &UserName { store: store.name(), ..name.clone() }, person)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_ours() => Err(error),
            Err(_) => Ok(false),
        }
    }

    pub(crate) async fn tenant_of(&self, name: &UserName) -> Result<Option<Tenant>, db::Error> {
        db::tenants::find_by_domain(&mut self.db.read().await?, &name.tenant).await
    }

    /// The stores of a tenant that may be asked, in their order, the primary one first. A definition that was changed is taken up.
    pub(crate) async fn stores_of(&self, tenant: &Tenant) -> Result<Vec<Store>, db::Error> {
        let mut definitions = db::user_stores::list(&mut self.db.read().await?, tenant.id).await?;
        definitions.retain(|definition| !definition.disabled);
        definitions.sort_by_key(|definition| !definition.is_primary());
        let mut kept = self.elsewhere.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::with_capacity(definitions.len());
        for definition in definitions {
            let key = (tenant.id, definition.name());
            match kept.get(&key) {
                Some(store) if *store.definition == definition => found.push(store.clone()),
                _ => {
                    let store = Store::of(definition);
                    kept.insert(key, store.clone());
                    found.push(store);
                }
            }
        }
        Ok(found)
    }

    /// A sign-in with the domain of a store.
    pub(crate) async fn sign_in_there(
        &self,
        store: &Store,
        tenant: &Tenant,
        name: &UserName,
        password: &Secret<String>,
        from: Option<IpAddr>,
    ) -> Result<Account, SignInError> {
        match self.attempt(store, tenant, name, password, from, true).await? {
            Attempt::Right(account) => Ok(*account),
            Attempt::Nobody | Attempt::Wrong => Err(SignInError::Refused),
        }
    }

    /// Asks stores in their order about a bare name that is not one of our own accounts, or not with that password. `is_ours`: there is an account with
    /// a password here, which then stands for the primary store's.
    pub(crate) async fn ask_in_turn(
        &self,
        stores: &[(&Tenant, &Store)],
        name: &UserName,
        is_ours: bool,
        password: &Secret<String>,
        from: Option<IpAddr>,
    ) -> Result<Option<Account>, SignInError> {
        let mut in_doubt = None;
        for (tenant, store) in stores.iter().filter(|(_, store)| !(is_ours && store.is_primary())) {
            let full = UserName { store: store.name(), ..name.clone() };
            let attempt = match store.is_primary() {
                // The turn of a bare name is the primary store's, and the caller has it.
                true => self.outcome(store, tenant, &full, password).await,
                false => self.attempt(store, tenant, &full, password, from, false).await,
            };
            match attempt {
                Ok(Attempt::Right(account)) => return Ok(Some(*account)),
                Ok(Attempt::Nobody | Attempt::Wrong) => {}
                Err(error @ (SignInError::TooManyAttempts { .. } | SignInError::Unanswered { .. } | SignInError::Definition { .. })) => {
                    // Another store may know the user all the same. Which of several doubts is told matters little, but what is ours goes first.
                    if in_doubt.as_ref().is_none_or(|other: &SignInError| !other.is_ours()) {
                        in_doubt = Some(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        match in_doubt {
            // Too many attempts there are no reason to tell more here.
            Some(error) if error.is_ours() => Err(error),
            _ => Ok(None),
        }
    }

    /// One attempt, guarded. `counts_nobody`: whether an unknown name counts as a failure.
    async fn attempt(
        &self,
        store: &Store,
        tenant: &Tenant,
        name: &UserName,
        password: &Secret<String>,
        from: Option<IpAddr>,
        counts_nobody: bool,
    ) -> Result<Attempt, SignInError> {
        let mut turn = self.guard.turn(&guarded(name), from).await?;
        let now = self.now();
        turn.may_try(now).map_err(|retry_after| SignInError::TooManyAttempts { retry_after })?;
        tokio::time::sleep(turn.delay(now)).await;
        let outcome = self.outcome(store, tenant, name, password).await;
        match &outcome {
            Ok(Attempt::Right(_)) => turn.succeeded(),
            Ok(Attempt::Wrong) => turn.failed(now),
            Ok(Attempt::Nobody) if counts_nobody => turn.failed(now),
            Ok(Attempt::Nobody) => {}
            // A store that cannot be asked says nothing about the password.
            Err(error) if error.is_ours() => {}
            Err(_) => turn.succeeded(),
        }
        outcome
    }

    async fn outcome(&self, store: &Store, tenant: &Tenant, name: &UserName, password: &Secret<String>) -> Result<Attempt, SignInError> {
        match self.ask(store, name, password).await? {
            Found::Nobody => Ok(Attempt::Nobody),
            Found::Wrong => Ok(Attempt::Wrong),
            Found::Somebody(person) => {
                let account = Box::pin(self.known(store, tenant, name, person)).await?;
                Ok(Attempt::Right(Box::new(admitted(account, self.now())?)))
            }
        }
    }

    async fn ask(&self, store: &Store, name: &UserName, password: &Secret<String>) -> Result<Found, SignInError> {
        if password.expose().len() > password::PASSWORD_MAX_BYTES {
            return Ok(Found::Wrong);
        }
        let answer = Box::pin(store.directory()?.check(&name.name, password)).await.map_err(|source| unanswered(store, source))?;
        match answer {
            Answer::Unknown => Ok(Found::Nobody),
            Answer::Wrong => Ok(Found::Wrong),
            Answer::Disabled => Err(SignInError::Locked),
            Answer::Right(person) => Ok(Found::Somebody(person)),
            Answer::Compare { person, stored, one_time_since } => {
                let compared = self.hashing.run(password.clone(), move |shown| password::verify(Some(&stored), shown)).await?;
                if compared.0 == Verdict::Wrong {
                    return Ok(Found::Wrong);
                }
                if one_time_since.is_some_and(|since| since.plus_ms(ONE_TIME_MS) < self.now()) {
                    return Err(SignInError::PasswordExpired);
                }
                Ok(Found::Somebody(person))
            }
        }
    }

    /// The account of somebody whom a store vouches for, brought up to what the store says.
    async fn known(&self, store: &Store, tenant: &Tenant, typed: &UserName, person: Person) -> Result<Account, SignInError> {
        let definition = &store.definition;
        let seen = alike(&mut self.db.read().await?, definition, typed, &person).await?;
        if seen.iter().any(|user| user.locked) {
            return Err(SignInError::Locked);
        }
        let now = self.now();
        if let Some(user) = chosen(&seen, typed, &person) {
            // An account with a password here is ours, whoever has the same name there.
            if user.password.is_some() && definition.is_primary() {
                return Err(SignInError::Refused);
            }
            let told = told(definition, user.clone(), &person);
            if told == *user {
                return Ok(Account::new(told, tenant.clone()));
            }
        }
        let mut tx = self.db.write().await?;
        let seen = alike(&mut tx, definition, typed, &person).await?;
        let user = match chosen(&seen, typed, &person) {
            Some(user) => {
                db::users::lock(&mut tx, tenant.id, &user.store, &user.name).await?;
                let held = db::users::find(&mut tx, tenant.id, &user.store, &user.name).await?;
                let user = told(definition, held.unwrap_or_else(|| user.clone()), &person);
                db::users::update(&mut tx, &user, now).await?;
                user
            }
            None => {
                let user = told(definition, newcomer(definition, &person, now), &person);
                match db::users::insert(&mut tx, &user).await {
                    // Another attempt of the same user was first, and knows the same.
                    Err(db::Error::Duplicate { .. }) => {
                        drop(tx);
                        let mut tx = self.db.read().await?;
                        let seen = alike(&mut tx, definition, typed, &person).await?;
                        let user = chosen(&seen, typed, &person).ok_or(SignInError::Busy)?;
                        return Ok(Account::new(user.clone(), tenant.clone()));
                    }
                    done => done?,
                }
                user
            }
        };
        // So that scopes, plans and visibility can name them from now on.
        let known = db::roles::list(&mut tx, tenant.id).await?;
        for role in user.roles.iter().filter(|role| definition.decides_on(role)) {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(role)) {
                db::roles::ensure(&mut tx, tenant.id, role).await?;
            }
        }
        tx.commit().await?;
        if user.locked {
            return Err(SignInError::Locked);
        }
        Ok(Account::new(user, tenant.clone()))
    }
}

/// What came of one attempt.
enum Attempt {
    Nobody,
    Wrong,
    Right(Box<Account>),
}

fn unanswered(store: &Store, source: userstores::Unanswered) -> SignInError {
    tracing::error!(store = %store.name(), tenant = %store.definition.tenant, reason = %source, "a user store cannot be asked");
    SignInError::Unanswered { store: store.name(), source }
}

/// Directories compare names without letter case, so guesses at all spellings are guesses at one user.
fn guarded(name: &UserName) -> UserName {
    UserName { name: name.name.to_lowercase(), ..name.clone() }
}

async fn alike(tx: &mut db::Tx, definition: &UserStore, typed: &UserName, person: &Person) -> Result<Vec<User>, db::Error> {
    db::users::list_alike(tx, definition.tenant, &definition.name(), &[&typed.name, &person.name]).await
}

/// Which of several spellings the user is: the one typed, or else the store's, or else any.
fn chosen<'u>(seen: &'u [User], typed: &UserName, person: &Person) -> Option<&'u User> {
    let exactly = |name: &str| seen.iter().find(|user| user.name == name);
    let roughly = |name: &str| seen.iter().find(|user| user.name.to_lowercase() == name.to_lowercase());
    exactly(&typed.name).or_else(|| roughly(&typed.name)).or_else(|| exactly(&person.name)).or_else(|| roughly(&person.name))
}

fn newcomer(definition: &UserStore, person: &Person, now: Timestamp) -> User {
    User {
        id: UserId::random(),
        tenant: definition.tenant,
        store: definition.name(),
        name: person.name.clone(),
        password: None,
        roles: Vec::new(),
        attributes: Vec::new(),
        locked: false,
        must_change_password: false,
        password_changed_at: now,
        created_at: now,
    }
}

/// The account with the roles and attributes that the store tells.
fn told(definition: &UserStore, mut user: User, person: &Person) -> User {
    user.roles.retain(|role| !definition.decides_on(role));
    for role in person.groups.iter().flat_map(|group| definition.roles_of_group(group)) {
        if !user.roles.iter().any(|held| held.eq_ignore_ascii_case(&role)) {
            user.roles.push(role);
        }
    }
    user.attributes.clone_from(&person.attributes);
    user
}

#[cfg(test)]
mod tests {
    use model::{PRIMARY_STORE, UserStoreKind};

    use super::*;

    fn definition(domain: &str) -> UserStore {
        UserStore {
            tenant: TenantId::SUPER,
            domain: domain.to_owned(),
            kind: UserStoreKind::LdapReadOnly,
            disabled: false,
            position: 1,
            admin_role: None,
            attributes: Vec::new(),
            properties: vec![("DomainName".to_owned(), "Wso2.Org".to_owned())],
            secrets: Vec::new(),
        }
    }

    fn person(name: &str, groups: &[&str]) -> Person {
        Person { name: name.to_owned(), groups: groups.iter().map(|g| (*g).to_owned()).collect(), attributes: Vec::new() }
    }

    #[test]
    fn the_store_decides_on_its_own_roles_only() {
        let corp = definition("corp");
        let mut user = newcomer(&corp, &person("ann", &[]), Timestamp(1));
        user.roles = vec!["Internal/publisher".to_owned(), "CORP/gone".to_owned(), "clerk".to_owned()];
        let now = told(&corp, user, &person("ann", &["devs", "Devs", "a,b"]));
        assert_eq!(now.roles, ["Internal/publisher", "clerk", "CORP/devs"]);
        assert_eq!((now.store.as_str(), now.password), ("CORP", None));
    }

    #[test]
    fn the_spelling_that_is_typed_goes_first() {
        let corp = definition("corp");
        let user = |name: &str| newcomer(&corp, &person(name, &[]), Timestamp(1));
        let seen = [user("ANN"), user("Ann"), user("annette")];
        let name = |typed: &str| UserName { store: "CORP".to_owned(), name: typed.to_owned(), tenant: "carbon.super".to_owned() };
        let of = |typed: &str, spelled: &str| chosen(&seen, &name(typed), &person(spelled, &[])).map(|user| user.name.as_str());
        assert_eq!(of("Ann", "ann"), Some("Ann"));
        assert_eq!(of("ann", "ann"), Some("ANN"));
        assert_eq!(of("a.b@corp", "annette"), Some("annette"));
        assert_eq!(of("bob", "bob"), None);
    }

    #[test]
    fn the_primary_store_answers_to_its_own_name_too() {
        let store = Store::of(definition(PRIMARY_STORE));
        assert!(store.answers_to("PRIMARY") && store.answers_to("WSO2.ORG") && !store.answers_to("CORP"));
        assert!(!Store::of(definition("corp")).answers_to("WSO2.ORG"));
    }
}
