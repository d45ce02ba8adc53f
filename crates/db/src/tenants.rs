//! Tenants. Nobody deletes one over REST, an inactive one keeps its rows; only a rollback of an upgrade takes back what it carried.

use model::{Tenant, TenantId};

use crate::outbox::{Thing, changed};
use crate::sql::{Row, args, fold};
use crate::{Result, Tx};

/// Adds a tenant.
///
/// # Errors
/// [`crate::Error::Duplicate`] `tenant(id)` or `tenant(domain_fold)`.
pub async fn insert(tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    let sql = "INSERT INTO tenant (id, domain, domain_fold, email, active, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let t = tenant;
    tx.run(sql, args![t.id, &t.domain, fold(&t.domain), &t.email, t.active, t.created_at]).await?;
    changed(tx, Thing::Tenant, t.id);
    Ok(())
}

/// By number.
pub async fn find(tx: &mut Tx, id: TenantId) -> Result<Option<Tenant>> {
    tx.row("SELECT * FROM tenant WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// By domain, in any letter case.
pub async fn find_by_domain(tx: &mut Tx, domain: &str) -> Result<Option<Tenant>> {
    tx.row("SELECT * FROM tenant WHERE domain_fold = $1", args![fold(domain)]).await?.as_ref().map(read).transpose()
}

/// All, the super tenant first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Tenant>> {
    tx.rows("SELECT * FROM tenant ORDER BY id", args![]).await?.iter().map(read).collect()
}

/// Makes the tenant the transaction's own until it ends, for what is decided over all of its users. Taken before any lock on what belongs to
/// the tenant. It is the weaker lock that excludes only others of its kind, so that rows of the tenant may still be added meanwhile.
pub async fn lock(tx: &mut Tx, id: TenantId) -> Result<()> {
    if tx.is_postgres() {
        tx.row("SELECT id FROM tenant WHERE id = $1 FOR NO KEY UPDATE", args![id]).await?;
    }
    Ok(())
}

/// Writes domain, address and activity; whether there was such a tenant.
pub async fn update(tx: &mut Tx, tenant: &Tenant) -> Result<bool> {
    let sql = "UPDATE tenant SET domain = $2, domain_fold = $3, email = $4, active = $5 WHERE id = $1";
    let t = tenant;
    let done = tx.run(sql, args![t.id, &t.domain, fold(&t.domain), &t.email, t.active]).await?;
    changed(tx, Thing::Tenant, t.id);
    Ok(done > 0)
}

/// Removes a tenant with what every tenant starts with (roles, REST scopes, policies, signing keys); whether there was one.
///
/// # Errors
/// [`crate::Error::Reference`] while anything else belongs to it.
pub async fn delete(tx: &mut Tx, id: TenantId) -> Result<bool> {
    for sql in [
        "DELETE FROM role WHERE tenant = $1",
        "DELETE FROM rest_scope WHERE tenant = $1",
        "DELETE FROM policy WHERE tenant = $1",
        "DELETE FROM signing_key WHERE tenant = $1",
    ] {
        tx.run(sql, args![id]).await?;
    }
    let done = tx.run("DELETE FROM tenant WHERE id = $1", args![id]).await?;
    changed(tx, Thing::Tenant, id);
    Ok(done > 0)
}

fn read(row: &Row) -> Result<Tenant> {
    Ok(Tenant {
        id: row.tenant("id")?,
        domain: row.text("domain")?,
        email: row.opt_text("email")?,
        active: row.bool("active")?,
        created_at: row.time("created_at")?,
    })
}

/// Waits for whoever else makes a tenant, so that of two that are made at once the second finds what the first made.
pub async fn one_at_a_time(tx: &mut Tx) -> Result<()> {
    /// Any number nobody else uses for `pg_advisory_xact_lock` in the same database.
    const LOCK: i64 = 0x7469_6465_7465_6e61;
    if tx.is_postgres() {
        tx.rows("SELECT pg_advisory_xact_lock($1)", args![LOCK]).await?;
    }
    Ok(())
}
