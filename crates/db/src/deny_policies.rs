//! Deny policies: what is refused outright.

use model::{Denial, DenyPolicy, PolicyId, TenantId};

use crate::codec::{DenialRow, decode, encode};
use crate::outbox::{Thing, changed};
use crate::sql::{Row, Value, args};
use crate::{Result, Tx};

const REFUSED: &str = "deny_policy.refused";
const HEAD: &str = "INSERT INTO deny_policy (id, tenant, kind, refused, enabled)";

/// Adds a policy.
///
/// # Errors
/// [`crate::Error::Duplicate`] `deny_policy(tenant, kind, refused)`.
pub async fn insert(tx: &mut Tx, policy: &DenyPolicy) -> Result<()> {
    insert_many(tx, std::slice::from_ref(policy)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, policies: &[DenyPolicy]) -> Result<()> {
    let rows = policies.iter().map(columns).collect::<Result<_>>()?;
    tx.insert_rows(HEAD, rows).await?;
    policies.iter().for_each(|p| changed(tx, Thing::DenyPolicy, p.id));
    Ok(())
}

/// By id, within the tenant.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: PolicyId) -> Result<Option<DenyPolicy>> {
    tx.row("SELECT * FROM deny_policy WHERE id = $1 AND tenant = $2", args![id, tenant]).await?.as_ref().map(read).transpose()
}

/// The tenant's policy that refuses the same.
pub async fn find_same(tx: &mut Tx, tenant: TenantId, refused: &Denial) -> Result<Option<DenyPolicy>> {
    let sql = "SELECT * FROM deny_policy WHERE tenant = $1 AND kind = $2 AND refused = $3";
    let refused_text = encode::<Denial, DenialRow>(REFUSED, refused)?;
    tx.row(sql, args![tenant, refused.kind(), refused_text]).await?.as_ref().map(read).transpose()
}

/// The tenant's, by kind and what they refuse.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<DenyPolicy>> {
    let rows = tx.rows("SELECT * FROM deny_policy WHERE tenant = $1 ORDER BY kind, refused", args![tenant]).await?;
    rows.iter().map(read).collect()
}

/// Every tenant's.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<DenyPolicy>> {
    tx.rows("SELECT * FROM deny_policy ORDER BY tenant, kind, refused", args![]).await?.iter().map(read).collect()
}

/// Writes what it refuses and whether it is in force; whether there was such a policy.
///
/// # Errors
/// [`crate::Error::Duplicate`] `deny_policy(tenant, kind, refused)`.
pub async fn update(tx: &mut Tx, policy: &DenyPolicy) -> Result<bool> {
    let sql = "UPDATE deny_policy SET kind = $3, refused = $4, enabled = $5 WHERE id = $1 AND tenant = $2";
    let done = tx.run(sql, columns(policy)?).await?;
    changed(tx, Thing::DenyPolicy, policy.id);
    Ok(done > 0)
}

/// Removes a policy; whether there was one.
pub async fn delete(tx: &mut Tx, id: PolicyId) -> Result<bool> {
    let done = tx.run("DELETE FROM deny_policy WHERE id = $1", args![id]).await?;
    changed(tx, Thing::DenyPolicy, id);
    Ok(done > 0)
}

fn columns(policy: &DenyPolicy) -> Result<Vec<Value>> {
    let refused = encode::<Denial, DenialRow>(REFUSED, &policy.refused)?;
    Ok(args![policy.id, policy.tenant, policy.refused.kind(), refused, policy.enabled])
}

pub(crate) fn read(row: &Row) -> Result<DenyPolicy> {
    Ok(DenyPolicy {
        id: row.id("id")?,
        tenant: row.tenant("tenant")?,
        refused: decode::<Denial, DenialRow>(REFUSED, &row.text("refused")?)?,
        enabled: row.bool("enabled")?,
    })
}
