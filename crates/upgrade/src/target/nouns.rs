//! What plan, apply and verify need of each kind of record: to find it, to tell who stands in its way, to write it, to show it.

use std::fmt::Debug;
use std::sync::Arc;

use aws_lc_rs::digest;
use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::policies::{advanced, application, subscription};
use db::{
    Result, Tx, apis, applications, clients, deployments, key_mappings, lifecycle_events, rest_scopes, revisions, roles, scopes,
    subscriptions, tenants, tokens, users,
};
use model::{
    AdvancedPolicy, Application, ApplicationPolicy, Deployment, IssuedToken, KeyMapping, MAX_REVISIONS, OAuthClient, PRIMARY_STORE,
    Revision, RevisionId, StoredPassword, Subscription, SubscriptionPolicy, Tenant, TenantId, TokenText, User, default_advanced_policies,
    default_application_policies, default_rest_scopes, default_subscription_policies,
};
use serde_json::Value;

use crate::translate::{CarriedApi, RestScopes, Role, SharedScope};

/// Who stands where a record would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody.
    Free,
    /// What a first start put there, untouched.
    Default,
    /// Somebody's record, in words.
    Taken(String),
}

/// Circumstances of writing.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    /// Host name of deployments.
    pub(crate) vhost: String,
}

/// A kind of record that is carried.
pub(crate) trait Noun: Debug + Clone {
    /// Its name in the book of origins, plural.
    const KIND: &'static str;

    /// Its id here.
    fn id(&self) -> String;

    /// Secrets in it, in a fixed order. [`Noun::shown`] leaves them out.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// For comparing field by field.
    fn shown(&self) -> String {
        format!("{self:#?}")
    }

    /// The record of the same id as it now is.
    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>>;

    /// Whether its place is free.
    async fn standing(&self, tx: &mut Tx) -> Result<Standing>;

    /// Adds records whose places are free.
    async fn insert(tx: &mut Tx, records: &[Self], around: &Around) -> Result<()>;

    /// Writes the record over its older self; whether that was still there.
    async fn update(&self, tx: &mut Tx, around: &Around) -> Result<bool>;

    /// Takes the place of a default; whether it was still there.
    async fn replace(&self, tx: &mut Tx, around: &Around) -> Result<bool> {
        self.update(tx, around).await
    }

    /// Names what it holds, secrets included, without giving it away.
    fn content_hash(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(Self::KIND.as_bytes());
        context.update(self.shown().as_bytes());
        for secret in self.secrets() {
            context.update(b"\0");
            context.update(secret.as_bytes());
        }
        context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl Noun for Tenant {
    const KIND: &'static str = "tenants";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        tenants::find(tx, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_id = tenants::find(tx, self.id).await?;
        let by_domain = tenants::find_by_domain(tx, &self.domain).await?;
        Ok(match by_id.or(by_domain) {
            None => Standing::Free,
            Some(other) => Standing::Taken(format!("tenant {} {} is already there", other.id, other.domain)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for tenant in records {
            db::bootstrap::tenant(tx, tenant).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        tenants::update(tx, self).await
    }
}

impl Noun for Role {
    const KIND: &'static str = "roles";

    fn id(&self) -> String {
        format!("{}/{}", self.tenant, self.name)
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        Ok(roles::exists(tx, self.tenant, &self.name).await?.then(|| self.clone()))
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        // A role is no more than its name.
        Ok(if roles::exists(tx, self.tenant, &self.name).await? { Standing::Default } else { Standing::Free })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for role in records {
            roles::ensure(tx, role.tenant, &role.name).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        roles::ensure(tx, self.tenant, &self.name).await?;
        Ok(true)
    }
}

impl Noun for RestScopes {
    const KIND: &'static str = "rest scopes";

    fn id(&self) -> String {
        self.tenant.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let bindings = rest_scopes::list(tx, self.tenant).await?;
        Ok((!bindings.is_empty()).then_some(Self { tenant: self.tenant, bindings }))
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let now = rest_scopes::list(tx, self.tenant).await?;
        let untouched = || {
            let default = default_rest_scopes();
            let like = |(b, d): (&model::ScopeBinding, &model::RestScope)| b.scope == d.name && b.roles.iter().skip(1).eq(d.roles.iter());
            now.len() == default.len() && now.iter().zip(&default).all(like)
        };
        Ok(match now.is_empty() || untouched() {
            true => Standing::Default,
            false => Standing::Taken(format!("the roles of REST scopes in tenant {} were changed here", self.tenant)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for scopes in records {
            rest_scopes::replace(tx, scopes.tenant, &scopes.bindings).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        rest_scopes::replace(tx, self.tenant, &self.bindings).await?;
        Ok(true)
    }
}

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

macro_rules! policy_noun {
    ($model:ty, $family:ident, $defaults:ident, $kind:literal) => {
        impl Noun for $model {
            const KIND: &'static str = $kind;

            fn id(&self) -> String {
                self.id.to_string()
            }

            async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
                $family::find(tx, self.tenant, self.id).await
            }

            async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
                Ok(match $family::find_by_name(tx, self.tenant, &self.name).await? {
                    None => Standing::Free,
                    Some(found) if $defaults(self.tenant).contains(&found) => Standing::Default,
                    Some(_) => Standing::Taken(format!(
                        "{} {} of tenant {} is already there with a limit of its own",
                        $kind, self.name, self.tenant
                    )),
                })
            }

            async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
                $family::insert_many(tx, records).await
            }

            async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
                $family::update(tx, self).await
            }
        }
    };
}

policy_noun!(SubscriptionPolicy, subscription, default_subscription_policies, "subscription policies");
policy_noun!(ApplicationPolicy, application, default_application_policies, "application policies");
policy_noun!(AdvancedPolicy, advanced, default_advanced_policies, "advanced policies");

impl Noun for SharedScope {
    const KIND: &'static str = "shared scopes";

    fn id(&self) -> String {
        self.id.clone()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let scope = scopes::find_shared(tx, self.tenant, &self.id).await?;
        Ok(scope.map(|scope| Self { scope, ..self.clone() }))
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        Ok(match scopes::find_shared_by_name(tx, self.tenant, &self.scope.name).await? {
            None => Standing::Free,
            Some(_) => Standing::Taken(format!("shared scope {} is already there", self.scope.name)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for shared in records {
            scopes::insert_shared(tx, shared.tenant, &shared.id, &shared.scope).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        scopes::update_shared(tx, self.tenant, &self.id, &self.scope).await
    }
}

/// Where a backend's passwords stand in `endpointConfig`.
const BACKEND_SECRETS: [&str; 2] = ["/endpoint_security/production/password", "/endpoint_security/sandbox/password"];

impl Noun for CarriedApi {
    const KIND: &'static str = "APIs";

    fn id(&self) -> String {
        self.api.id.to_string()
    }

    fn secrets(&self) -> Vec<String> {
        let config = &self.api.endpoints.0;
        BACKEND_SECRETS.iter().map(|at| config.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()).collect()
    }

    fn shown(&self) -> String {
        let mut shown = self.clone();
        for at in BACKEND_SECRETS {
            if let Some(secret) = shown.api.endpoints.0.pointer_mut(at) {
                *secret = Value::from("(secret)");
            }
        }
        format!("{shown:#?}")
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let id = self.api.id;
        let Some(api) = apis::find(tx, id).await? else { return Ok(None) };
        let Some(definition) = apis::definition(tx, id).await? else { return Ok(None) };
        let events = lifecycle_events::list(tx, id).await?;
        let deployed = deployments::list(tx, id).await?.iter().any(|d| d.environment == DEFAULT_ENVIRONMENT);
        Ok(Some(Self { api, definition, events, deployed }))
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let api = &self.api;
        if let Some(other) = apis::find(tx, api.id).await? {
            return Ok(Standing::Taken(format!("API {} {} has the same id", other.name, other.version)));
        }
        if apis::find_by_name_version(tx, api.tenant, &api.name, &api.version).await?.is_some() {
            return Ok(Standing::Taken(format!("API {} {} is already there", api.name, api.version)));
        }
        // Versions share a template; only the very address must be free.
        Ok(match apis::find_by_context(tx, &api.context).await? {
            Some(other) => Standing::Taken(format!("API {} {} already answers at {}", other.name, other.version, api.context)),
            None => Standing::Free,
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], around: &Around) -> Result<()> {
        for record in records {
            apis::insert(tx, &record.api).await?;
            apis::set_definition(tx, record.api.id, &record.definition).await?;
            record.history(tx, 0).await?;
            record.deploy(tx, around).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, around: &Around) -> Result<bool> {
        if !apis::update(tx, &self.api).await? {
            return Ok(false);
        }
        apis::set_definition(tx, self.api.id, &self.definition).await?;
        let known = lifecycle_events::list(tx, self.api.id).await?.len();
        self.history(tx, known).await?;
        match self.deployed {
            true => self.deploy(tx, around).await?,
            false => {
                deployments::remove(tx, self.api.id, DEFAULT_ENVIRONMENT).await?;
            }
        }
        Ok(true)
    }
}

impl CarriedApi {
    async fn history(&self, tx: &mut Tx, known: usize) -> Result<()> {
        for event in self.events.iter().skip(known) {
            lifecycle_events::append(tx, self.api.id, event.from, event.to, &event.user, event.at).await?;
        }
        Ok(())
    }

    /// Freezes the API as its next revision and runs that. The oldest revision that runs nowhere makes room.
    async fn deploy(&self, tx: &mut Tx, around: &Around) -> Result<()> {
        if !self.deployed {
            return Ok(());
        }
        let api = &self.api;
        let number = revisions::next_number(tx, api.id).await?;
        let revision = Revision {
            id: RevisionId::derived(&[&api.id.to_string(), &number.to_string()]),
            api: api.id,
            number,
            description: Some("Carried over from the old installation".to_owned()),
            content: Arc::new(api.clone()),
            definition: Some(self.definition.clone()),
            created_at: api.updated_at,
        };
        let older = revisions::list(tx, api.id).await?;
        revisions::insert(tx, &revision).await?;
        let deployment = Deployment {
            api: api.id,
            environment: DEFAULT_ENVIRONMENT.to_owned(),
            revision: revision.id,
            vhost: around.vhost.clone(),
            display_on_portal: true,
            deployed_at: api.updated_at,
        };
        deployments::put(tx, &deployment).await?;
        for old in older.iter().take((older.len() + 1).saturating_sub(MAX_REVISIONS)) {
            if deployments::of_revision(tx, old.id).await?.is_empty() {
                revisions::delete(tx, old.id).await?;
            }
        }
        Ok(())
    }
}

impl Noun for OAuthClient {
    const KIND: &'static str = "OAuth clients";

    fn id(&self) -> String {
        self.id.clone()
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.expose().clone()]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        clients::find(tx, &self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let found = clients::find(tx, &self.id).await?;
        Ok(found.map_or(Standing::Free, |c| Standing::Taken(format!("OAuth client {} is already there", c.name))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        clients::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        clients::update(tx, self).await
    }
}

impl Noun for Application {
    const KIND: &'static str = "applications";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        applications::find(tx, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_name = applications::find_by_owner_and_name(tx, self.tenant, &self.owner, &self.name).await?;
        Ok(match by_name.or(applications::find(tx, self.id).await?) {
            None => Standing::Free,
            Some(other) => Standing::Taken(format!("application {} of {} is already there", other.name, other.owner)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        applications::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        applications::update(tx, self).await
    }
}

impl Noun for KeyMapping {
    const KIND: &'static str = "keys";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        key_mappings::find(tx, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_place = key_mappings::find_for(tx, self.application, self.key_type, &self.key_manager).await?;
        let by_client = match &self.consumer_key {
            Some(key) => key_mappings::find_by_consumer_key(tx, key).await?,
            None => None,
        };
        let taken = || Standing::Taken(format!("a {} key of application {} is already there", self.key_type.name(), self.application));
        Ok(by_place.or(by_client).map_or(Standing::Free, |_| taken()))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        key_mappings::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        key_mappings::update(tx, self).await
    }
}

impl Noun for Subscription {
    const KIND: &'static str = "subscriptions";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        subscriptions::find(tx, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_place = subscriptions::find_for(tx, self.application, self.api).await?;
        let taken = || Standing::Taken(format!("application {} already subscribes to API {}", self.application, self.api));
        Ok(by_place.or(subscriptions::find(tx, self.id).await?).map_or(Standing::Free, |_| taken()))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        subscriptions::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        subscriptions::update(tx, self).await
    }
}

impl Noun for IssuedToken {
    const KIND: &'static str = "tokens";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn secrets(&self) -> Vec<String> {
        let access = match &self.access {
            TokenText::Opaque(text) => text.expose().clone(),
            TokenText::Jti(jti) => jti.clone(),
        };
        vec![access, self.refresh.as_ref().map(|r| r.expose().clone()).unwrap_or_default()]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        // By its text, as the gateway will look for it.
        match &self.access {
            TokenText::Opaque(text) => tokens::find_by_access(tx, text.expose()).await,
            TokenText::Jti(jti) => tokens::find_by_jti(tx, jti).await,
        }
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        // A refresh token held by another row is in nobody's way: see `refresh_holder`.
        let by_access = self.find(tx).await?;
        Ok(by_access.map_or(Standing::Free, |t| Standing::Taken(format!("a token of client {} has the same text", t.client))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        tokens::insert_many(tx, records).await
    }

    async fn update(&self, _: &mut Tx, _: &Around) -> Result<bool> {
        // A token's text decides everything about it; what differs is decided here by now.
        Ok(true)
    }
}

/// The other token that holds this one's refresh token, in whatever state. The old product reused a refresh token for the access tokens
/// that followed each other; here it belongs to one row, which keeps it when it ends, so a later one goes without.
pub(crate) async fn refresh_holder(tx: &mut Tx, token: &IssuedToken) -> Result<Option<IssuedToken>> {
    let Some(text) = &token.refresh else { return Ok(None) };
    let access = |t: &IssuedToken| match &t.access {
        TokenText::Opaque(text) => text.expose().clone(),
        TokenText::Jti(jti) => jti.clone(),
    };
    Ok(tokens::find_by_refresh(tx, text.expose()).await?.filter(|holder| access(holder) != access(token)))
}

/// The token as it is carried when its refresh token is another's.
pub(crate) fn without_refresh(token: IssuedToken) -> IssuedToken {
    IssuedToken { refresh: None, refresh_expires_at: None, ..token }
}
