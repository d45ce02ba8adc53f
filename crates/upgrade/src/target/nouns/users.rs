//! Users.

use db::origins::Shelf;
use db::{Result, Tx, apis, applications, tenants, users};
use model::{PRIMARY_STORE, Secret, StoredPassword, Tenant, TenantId, Timestamp, User, UserStore};
use serde_json::{Value, json};

use super::{Around, Noun, Standing, handle};
use crate::translate::Role;

impl Noun for User {
    const KIND: &'static str = "users";
    const SHELF: Option<Shelf> = Some(Shelf::Users);

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn label(&self) -> String {
        format!("{} of tenant {}", self.name, self.tenant)
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets = match &self.password {
            Some(StoredPassword::Legacy { hash, salt, .. }) => vec![hash.expose().clone(), salt.clone().unwrap_or_default()],
            Some(StoredPassword::Argon2id(hash)) => vec![hash.expose().clone()],
            None => Vec::new(),
        };
        secrets.extend(self.attributes.iter().map(|(_, value)| value.clone()));
        secrets
    }

    /// Only the form of the password differs, as after a sign-in; or the user's own store told more roles and attributes.
    fn has_lived_on(&self, here: &Self) -> bool {
        if self.password.is_none() && here.password.is_none() {
            let is_told = |role: &String| match role.split_once('/') {
                Some((domain, _)) => domain == self.store,
                None => self.store == PRIMARY_STORE,
            };
            let kept = self.roles.iter().all(|role| here.roles.contains(role));
            let same = (self.tenant, &self.store, &self.name, self.locked) == (here.tenant, &here.store, &here.name, here.locked);
            return same && kept && here.roles.iter().all(|role| self.roles.contains(role) || is_told(role));
        }
        let renewed = matches!((&self.password, &here.password), (Some(StoredPassword::Legacy { .. }), Some(StoredPassword::Argon2id(_))));
        renewed && Self { password: None, ..self.clone() } == Self { password: None, ..here.clone() }
    }

    /// Signing in renews the form of the password, and takes the mark of a one-time one off. Of whom another server knows it brings the roles
    /// and attributes that are told there.
    fn unused(&self) -> Option<Self> {
        if self.password.is_none() && self.store != PRIMARY_STORE {
            let is_told = |role: &String| role.split_once('/').is_some_and(|(domain, _)| domain == self.store);
            let roles = self.roles.iter().filter(|role| !is_told(role)).cloned().collect();
            return Some(Self { attributes: Vec::new(), must_change_password: false, roles, ..self.clone() });
        }
        Some(Self { password: None, must_change_password: false, ..self.clone() })
    }

    fn handles(&self) -> Vec<String> {
        vec![handle(Self::KIND, &self.name)]
    }

    fn needs(&self) -> Vec<String> {
        let roles = self.roles.iter().map(|role| handle(Role::KIND, &format!("{}/{role}", self.tenant)));
        let store = handle(UserStore::KIND, &format!("{}/{}", self.tenant, self.store));
        roles.chain([handle(Tenant::KIND, &self.tenant.to_string()), store]).collect()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        match users::find_by_id(tx, self.id).await? {
            // Whom another server knows may have been met here before the upgrade knew of them.
            None if self.password.is_none() => {
                Ok(users::find(tx, self.tenant, &self.store, &self.name).await?.filter(|here| here.password.is_none()))
            }
            found => Ok(found),
        }
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        users::find_by_id(tx, id).await
    }

    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        users::lock(tx, self.tenant, &self.store, &self.name).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        Ok(match users::find(tx, self.tenant, &self.store, &self.name).await? {
            None => Standing::Free,
            Some(user) if self.password.is_none() && user.password.is_none() => Standing::Default,
            Some(user) if is_first_starts_administrator(tx, &user).await? => Standing::Default,
            Some(user) => Standing::Taken(format!("user {} is already there", user.name)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        users::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        let Some(here) = self.find(tx).await? else { return Ok(false) };
        let mut user = self.clone();
        if self.password.is_none() && here.password.is_none() {
            // What the user's own store told at a sign-in stays told.
            let told = here.roles.iter().filter(|role| role.split_once('/').is_some_and(|(domain, _)| domain == self.store));
            user.roles.extend(told.filter(|role| !self.roles.contains(role)).cloned());
            user = Self { id: here.id, attributes: here.attributes, created_at: here.created_at, ..user };
            user.password_changed_at = here.password_changed_at;
            return users::overwrite(tx, &user).await;
        }
        // Signing in renewed the form, or the user set another one here: neither may be undone because, say, a role changed there.
        // Only a password set there since counts for more.
        if matches!(here.password, Some(StoredPassword::Argon2id(_))) && self.password_changed_at <= here.password_changed_at {
            user.password = here.password;
            user.password_changed_at = here.password_changed_at;
            user.must_change_password = here.must_change_password;
        }
        users::overwrite(tx, &user).await
    }

    async fn replace(&self, tx: &mut Tx, around: &Around) -> Result<bool> {
        if let Some(default) = users::find(tx, self.tenant, &self.store, &self.name).await? {
            if self.password.is_none() && default.password.is_none() {
                return self.update(tx, around).await;
            }
            // Nobody has used it, so there are no tokens whose end could have a time.
            users::delete(tx, default.id, default.created_at).await?;
        }
        users::insert(tx, self).await?;
        Ok(true)
    }

    /// The administrator that a first start made up: nobody else knows its password.
    async fn set_aside(&self, tx: &mut Tx) -> Result<Option<Secret<String>>> {
        let Some(default) = users::find(tx, self.tenant, &self.store, &self.name).await? else { return Ok(None) };
        let Some(StoredPassword::Argon2id(hash)) = &default.password else { return Ok(None) };
        let kept = json!({"id": default.id.to_string(), "hash": hash.expose(), "created_at": default.created_at.0});
        Ok(Some(Secret::new(kept.to_string())))
    }

    async fn put_back(&self, tx: &mut Tx, aside: Option<Secret<String>>, now: Timestamp) -> Result<()> {
        self.remove(tx, now).await?;
        let kept: Value = aside.and_then(|text| serde_json::from_str(text.expose()).ok()).unwrap_or_default();
        let text = |field: &str| kept.get(field).and_then(Value::as_str);
        let at = kept.get("created_at").and_then(Value::as_i64).map(Timestamp);
        // Without it, the next start makes an administrator up, as a first start does.
        let (Some(Ok(id)), Some(hash), Some(at)) = (text("id").map(str::parse), text("hash"), at) else { return Ok(()) };
        let default = Self {
            id,
            password: Some(StoredPassword::Argon2id(Secret::new(hash.to_owned()))),
            roles: vec!["admin".to_owned()],
            attributes: Vec::new(),
            locked: false,
            must_change_password: false,
            password_changed_at: at,
            created_at: at,
            ..self.clone()
        };
        users::insert(tx, &default).await
    }

    async fn remove(&self, tx: &mut Tx, now: Timestamp) -> Result<bool> {
        users::delete(tx, self.id, now).await
    }
}

/// Whether this is the administrator a first start made up, in an installation nobody has used: an administrator made over REST looks
/// just like it, and is somebody.
async fn is_first_starts_administrator(tx: &mut Tx, user: &User) -> Result<bool> {
    let as_made = user.tenant == TenantId::SUPER
        && user.store == PRIMARY_STORE
        && user.name == "admin"
        && user.roles == ["admin"]
        && user.attributes.is_empty()
        && user.password_changed_at == user.created_at;
    if !as_made || !applications::list_all(tx).await?.is_empty() {
        return Ok(false);
    }
    let any_api = apis::ApiQuery { limit: 1, ..apis::ApiQuery::default() };
    if apis::list(tx, &any_api).await?.total > 0 {
        return Ok(false);
    }
    let mut all = 0;
    for tenant in tenants::list(tx).await? {
        all += users::count(tx, tenant.id).await?;
    }
    Ok(all == 1)
}
