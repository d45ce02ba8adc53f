//! Which roles hold which scope of our own REST interfaces, per tenant.

use model::{ScopeBinding, TenantId};

use crate::codec::{from_json, to_json};
use crate::sql::{Row, Value, args};
use crate::{Result, Tx};

/// The tenant's bindings, in their order.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<ScopeBinding>> {
    let rows = tx.rows("SELECT scope, roles FROM rest_scope WHERE tenant = $1 ORDER BY position", args![tenant]).await?;
    rows.iter().map(read).collect()
}

/// Puts `bindings` in place of all the tenant had.
///
/// # Errors
/// [`crate::Error::Duplicate`] when a scope is listed twice.
pub async fn replace(tx: &mut Tx, tenant: TenantId, bindings: &[ScopeBinding]) -> Result<()> {
    tx.run("DELETE FROM rest_scope WHERE tenant = $1", args![tenant]).await?;
    let rows = bindings.iter().zip(0_i64..).map(|(b, position)| row(tenant, b, position)).collect::<Result<_>>()?;
    tx.insert_rows("INSERT INTO rest_scope (tenant, scope, roles, position)", rows).await.map(drop)
}

fn row(tenant: TenantId, binding: &ScopeBinding, position: i64) -> Result<Vec<Value>> {
    Ok(args![tenant, &binding.scope, to_json("rest_scope.roles", &binding.roles)?, position])
}

fn read(row: &Row) -> Result<ScopeBinding> {
    Ok(ScopeBinding { scope: row.text("scope")?, roles: from_json("rest_scope.roles", &row.text("roles")?)? })
}
