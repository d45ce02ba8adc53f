//! Users.

use db::{Result, Tx, apis, applications, tenants, users};
use model::{PRIMARY_STORE, StoredPassword, TenantId, User};

use super::{Around, Noun, Standing};

impl Noun for User {
    const KIND: &'static str = "users";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn secrets(&self) -> Vec<String> {
        match &self.password {
            Some(StoredPassword::Legacy { hash, .. } | StoredPassword::Argon2id(hash)) => vec![hash.expose().clone()],
            None => Vec::new(),
        }
    }

    /// Only the form of the password differs, as after a sign-in.
    fn has_lived_on(&self, here: &Self) -> bool {
        let renewed = matches!((&self.password, &here.password), (Some(StoredPassword::Legacy { .. }), Some(StoredPassword::Argon2id(_))));
        renewed && Self { password: None, ..self.clone() } == Self { password: None, ..here.clone() }
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        users::find_by_id(tx, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        Ok(match users::find(tx, self.tenant, &self.store, &self.name).await? {
            None => Standing::Free,
            Some(user) if is_first_starts_administrator(tx, &user).await? => Standing::Default,
            Some(user) => Standing::Taken(format!("user {} is already there", user.name)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        users::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        let Some(here) = users::find_by_id(tx, self.id).await? else { return Ok(false) };
        let mut user = self.clone();
        // Signing in renewed the form, or the user set another one here: neither may be undone because, say, a role changed there.
        // Only a password set there since counts for more.
        if matches!(here.password, Some(StoredPassword::Argon2id(_))) && self.password_changed_at <= here.password_changed_at {
            user.password = here.password;
            user.password_changed_at = here.password_changed_at;
            user.must_change_password = here.must_change_password;
        }
        users::overwrite(tx, &user).await
    }

    async fn replace(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        if let Some(default) = users::find(tx, self.tenant, &self.store, &self.name).await? {
            // Nobody has used it, so there are no tokens whose end could have a time.
            users::delete(tx, default.id, default.created_at).await?;
        }
        users::insert(tx, self).await?;
        Ok(true)
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
