//! Keys our tokens are signed with. Private keys are sealed.

use model::{Secret, TenantId, Timestamp};

use crate::outbox::{Thing, changed};
use crate::sql::{Row, args};
use crate::{Result, Sealer, Tx};

const PKCS8: &str = "signing_key.pkcs8";

/// One key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Whose tokens it signs.
    pub tenant: TenantId,
    /// Key id, unique in the tenant.
    pub kid: String,
    /// Private key, PKCS #8 DER.
    pub pkcs8: Secret<Vec<u8>>,
    /// Certificate, DER.
    pub certificate_der: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Signs new tokens; an inactive key only verifies old ones.
    pub active: bool,
}

/// Adds a key.
///
/// # Errors
/// [`crate::Error::Duplicate`] `signing_key(tenant, kid)`.
pub async fn insert(tx: &mut Tx, key: &StoredKey) -> Result<()> {
    let sql = "INSERT INTO signing_key (tenant, kid, pkcs8, certificate, created_at, active) VALUES ($1, $2, $3, $4, $5, $6)";
    let sealed = tx.sealer.seal(PKCS8, &row_id(key.tenant, &key.kid), key.pkcs8.expose())?;
    tx.run(sql, args![key.tenant, &key.kid, sealed, key.certificate_der.clone(), key.created_at, key.active]).await?;
    changed(tx, Thing::SigningKey, &key.kid);
    Ok(())
}

/// The tenant's keys, newest first.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<StoredKey>> {
    let rows = tx.rows("SELECT * FROM signing_key WHERE tenant = $1 ORDER BY created_at DESC, kid", args![tenant]).await?;
    rows.iter().map(|r| read(&tx.sealer, r)).collect()
}

/// Every tenant's keys, newest first within each.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<StoredKey>> {
    let rows = tx.rows("SELECT * FROM signing_key ORDER BY tenant, created_at DESC, kid", args![]).await?;
    rows.iter().map(|r| read(&tx.sealer, r)).collect()
}

/// Lets a key sign, or only verify; whether there was such a key.
pub async fn set_active(tx: &mut Tx, tenant: TenantId, kid: &str, active: bool) -> Result<bool> {
    let done = tx.run("UPDATE signing_key SET active = $3 WHERE tenant = $1 AND kid = $2", args![tenant, kid, active]).await?;
    changed(tx, Thing::SigningKey, kid);
    Ok(done > 0)
}

/// Removes a key; whether there was one.
pub async fn delete(tx: &mut Tx, tenant: TenantId, kid: &str) -> Result<bool> {
    let done = tx.run("DELETE FROM signing_key WHERE tenant = $1 AND kid = $2", args![tenant, kid]).await?;
    changed(tx, Thing::SigningKey, kid);
    Ok(done > 0)
}

fn row_id(tenant: TenantId, kid: &str) -> String {
    format!("{tenant}/{kid}")
}

fn read(sealer: &Sealer, row: &Row) -> Result<StoredKey> {
    let (tenant, kid) = (row.tenant("tenant")?, row.text("kid")?);
    Ok(StoredKey {
        pkcs8: sealer.open(PKCS8, &row_id(tenant, &kid), &row.bytes("pkcs8")?)?,
        tenant,
        kid,
        certificate_der: row.bytes("certificate")?,
        created_at: row.time("created_at")?,
        active: row.bool("active")?,
    })
}
