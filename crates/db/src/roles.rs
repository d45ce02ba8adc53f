//! Role names of a tenant. Which user has which is kept with the users.

use model::TenantId;

use crate::sql::args;
use crate::{Result, Tx};

/// Adds a role.
///
/// # Errors
/// [`crate::Error::Duplicate`] `role(tenant, name)`.
pub async fn insert(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<()> {
    tx.run("INSERT INTO role (tenant, name) VALUES ($1, $2)", args![tenant, name]).await.map(drop)
}

/// As [`insert`], leaving a role that is already there; whether it was added.
pub async fn ensure(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<bool> {
    let sql = "INSERT INTO role (tenant, name) VALUES ($1, $2) ON CONFLICT (tenant, name) DO NOTHING";
    Ok(tx.run(sql, args![tenant, name]).await? > 0)
}

/// Whether the tenant has such a role.
pub async fn exists(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<bool> {
    Ok(tx.row("SELECT name FROM role WHERE tenant = $1 AND name = $2", args![tenant, name]).await?.is_some())
}

/// All roles of a tenant, by name.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<String>> {
    let rows = tx.rows("SELECT name FROM role WHERE tenant = $1 ORDER BY name", args![tenant]).await?;
    rows.iter().map(|r| r.text("name")).collect()
}

/// Removes a role, from its users too; whether there was one.
pub async fn delete(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<bool> {
    let sql = "DELETE FROM account_role WHERE role = $2 AND account IN (SELECT id FROM account WHERE tenant = $1)";
    tx.run(sql, args![tenant, name]).await?;
    Ok(tx.run("DELETE FROM role WHERE tenant = $1 AND name = $2", args![tenant, name]).await? > 0)
}
