//! Roles, and which of them hold the scopes of the REST interfaces.

use db::{Result, Tx, rest_scopes, roles, tenants};
use model::{ScopeBinding, Secret, Tenant, TenantId, Timestamp, default_rest_scopes};

use super::{Around, Noun, Standing, handle};
use crate::translate::{RestScopes, Role};

impl Noun for Role {
    const KIND: &'static str = "roles";

    fn id(&self) -> String {
        format!("{}/{}", self.tenant, self.name)
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        Ok(roles::exists(tx, self.tenant, &self.name).await?.then(|| self.clone()))
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Some((tenant, name)) = id.split_once('/') else { return Ok(None) };
        let Ok(tenant) = tenant.parse().map(TenantId) else { return Ok(None) };
        let role = Self { tenant, name: name.to_owned() };
        role.find(tx).await
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

    /// The default is the same role.
    async fn put_back(&self, _: &mut Tx, _: Option<Secret<String>>, _: Timestamp) -> Result<()> {
        Ok(())
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        roles::delete(tx, self.tenant, &self.name).await
    }
}

impl Noun for RestScopes {
    const KIND: &'static str = "rest scopes";

    fn id(&self) -> String {
        self.tenant.to_string()
    }

    fn needs(&self) -> Vec<String> {
        let roles = self.bindings.iter().flat_map(|b| &b.roles).map(|role| handle(Role::KIND, &format!("{}/{role}", self.tenant)));
        roles.chain([handle(Tenant::KIND, &self.tenant.to_string())]).collect()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let bindings = rest_scopes::list(tx, self.tenant).await?;
        Ok((!bindings.is_empty()).then_some(Self { tenant: self.tenant, bindings }))
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(tenant) = id.parse().map(TenantId) else { return Ok(None) };
        Self { tenant, bindings: Vec::new() }.find(tx).await
    }

    /// Whoever changes the bindings over REST holds the tenant.
    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        tenants::lock(tx, self.tenant).await
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

    async fn put_back(&self, tx: &mut Tx, _: Option<Secret<String>>, _: Timestamp) -> Result<()> {
        let of = |scope: &model::RestScope| ScopeBinding {
            scope: scope.name.to_owned(),
            roles: std::iter::once("admin").chain(scope.roles.iter().copied()).map(str::to_owned).collect(),
        };
        let defaults: Vec<ScopeBinding> = default_rest_scopes().iter().map(of).collect();
        rest_scopes::replace(tx, self.tenant, &defaults).await
    }

    /// A tenant without any bindings is none, so the defaults come back here, too.
    async fn remove(&self, tx: &mut Tx, now: Timestamp) -> Result<bool> {
        self.put_back(tx, None, now).await?;
        Ok(true)
    }
}
