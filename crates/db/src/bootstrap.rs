//! What every installation and tenant starts with. Each part only where its name is free, so a repeated start changes nothing.

use model::{
    DEFAULT_ROLES, Environment, ScopeBinding, Tenant, TenantId, Vhost, default_advanced_policies, default_application_policies,
    default_rest_scopes, default_subscription_policies,
};

use crate::policies::{advanced, application, subscription};
use crate::{Result, Tx, environments, rest_scopes, roles, tenants};

/// The environment every installation has.
pub const DEFAULT_ENVIRONMENT: &str = "Default";

/// Adds a tenant with its default roles, REST scopes and policies.
pub async fn tenant(tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    tenants::one_at_a_time(tx).await?;
    if tenants::find(tx, tenant.id).await?.is_none() {
        tenants::insert(tx, tenant).await?;
    }
    for role in DEFAULT_ROLES {
        roles::ensure(tx, tenant.id, role).await?;
    }
    missing_rest_scopes(tx, tenant.id).await?;
    missing_policies(tx, tenant.id).await
}

/// Puts the environment `Default` with one virtual host, unless there is one.
pub async fn environment(tx: &mut Tx, vhost: &Vhost) -> Result<()> {
    if environments::find(tx, DEFAULT_ENVIRONMENT).await?.is_some() {
        return Ok(());
    }
    let default = Environment {
        name: DEFAULT_ENVIRONMENT.to_owned(),
        display_name: DEFAULT_ENVIRONMENT.to_owned(),
        description: Some("The gateway of this installation".to_owned()),
        kind: "hybrid".to_owned(),
        read_only: true,
        vhosts: vec![vhost.clone()],
    };
    environments::put(tx, &default).await
}

async fn missing_rest_scopes(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    let mut bindings = rest_scopes::list(tx, tenant).await?;
    let known = bindings.len();
    for scope in default_rest_scopes() {
        if !bindings.iter().any(|b| b.scope == scope.name) {
            let roles = std::iter::once("admin").chain(scope.roles.iter().copied()).map(str::to_owned).collect();
            bindings.push(ScopeBinding { scope: scope.name.to_owned(), roles });
        }
    }
    if bindings.len() == known { Ok(()) } else { rest_scopes::replace(tx, tenant, &bindings).await }
}

async fn missing_policies(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    for policy in default_subscription_policies(tenant) {
        if subscription::find_by_name(tx, tenant, &policy.name).await?.is_none() {
            subscription::insert(tx, &policy).await?;
        }
    }
    for policy in default_application_policies(tenant) {
        if application::find_by_name(tx, tenant, &policy.name).await?.is_none() {
            application::insert(tx, &policy).await?;
        }
    }
    for policy in default_advanced_policies(tenant) {
        if advanced::find_by_name(tx, tenant, &policy.name).await?.is_none() {
            advanced::insert(tx, &policy).await?;
        }
    }
    Ok(())
}
