//! Settings of tenants, by kind and name.

use model::{Secret, SettingKind, TenantId, TenantSetting, WorkflowKind};

use crate::codec::{from_json, to_json};
use crate::sql::{Row, Value, args};
use crate::{Error, Result, Sealer, Tx};

const BODY: &str = "tenant_setting.body";
const SECRET: &str = "tenant_setting.secret";

/// Adds settings.
///
/// # Errors
/// [`crate::Error::Duplicate`] `tenant_setting(tenant, kind, name)`.
pub async fn insert_many(tx: &mut Tx, settings: &[TenantSetting]) -> Result<()> {
    let rows = settings.iter().map(|s| columns(&tx.sealer, s)).collect::<Result<_>>()?;
    tx.insert_rows("INSERT INTO tenant_setting (tenant, kind, name, body, secret)", rows).await.map(drop)
}

/// By kind and name.
pub async fn find(tx: &mut Tx, tenant: TenantId, kind: SettingKind, name: &str) -> Result<Option<TenantSetting>> {
    let sql = "SELECT * FROM tenant_setting WHERE tenant = $1 AND kind = $2 AND name = $3";
    let row = tx.row(sql, args![tenant, kind.name(), name]).await?;
    row.map(|row| read(&tx.sealer, &row)).transpose()
}

/// A tenant's of one kind, by name.
pub async fn list(tx: &mut Tx, tenant: TenantId, kind: SettingKind) -> Result<Vec<TenantSetting>> {
    let sql = "SELECT * FROM tenant_setting WHERE tenant = $1 AND kind = $2 ORDER BY name";
    let rows = tx.rows(sql, args![tenant, kind.name()]).await?;
    rows.iter().map(|row| read(&tx.sealer, row)).collect()
}

/// Writes what a setting says; whether there was such a setting.
pub async fn update(tx: &mut Tx, setting: &TenantSetting) -> Result<bool> {
    let sql = "UPDATE tenant_setting SET body = $4, secret = $5 WHERE tenant = $1 AND kind = $2 AND name = $3";
    let values = columns(&tx.sealer, setting)?;
    Ok(tx.run(sql, values).await? > 0)
}

/// Removes a setting; whether there was one.
pub async fn delete(tx: &mut Tx, tenant: TenantId, kind: SettingKind, name: &str) -> Result<bool> {
    let sql = "DELETE FROM tenant_setting WHERE tenant = $1 AND kind = $2 AND name = $3";
    Ok(tx.run(sql, args![tenant, kind.name(), name]).await? > 0)
}

/// Whether somebody must approve requests of this kind in the tenant. Without a setting nobody must.
pub async fn asks_for_approval(tx: &mut Tx, tenant: TenantId, kind: WorkflowKind) -> Result<bool> {
    let setting = find(tx, tenant, SettingKind::WorkflowExecutor, kind.name()).await?;
    Ok(setting.is_some_and(|s| s.body.get("mode").and_then(serde_json::Value::as_str) == Some("approval")))
}

fn columns(sealer: &Sealer, setting: &TenantSetting) -> Result<Vec<Value>> {
    let secret = match &setting.secret {
        Some(secret) => Some(sealer.seal(SECRET, &row_name(setting.tenant, setting.kind, &setting.name), secret.expose().as_bytes())?),
        None => None,
    };
    Ok(args![setting.tenant, setting.kind.name(), &setting.name, to_json(BODY, &setting.body)?, secret])
}

fn read(sealer: &Sealer, row: &Row) -> Result<TenantSetting> {
    let (tenant, kind, name) = (row.tenant("tenant")?, row.word("kind", SettingKind::parse)?, row.text("name")?);
    let secret = match row.opt_bytes("secret")? {
        Some(sealed) => {
            let plain = sealer.open(SECRET, &row_name(tenant, kind, &name), &sealed)?;
            let text = std::str::from_utf8(plain.expose()).map_err(|_| Error::corrupt(SECRET, "a sealed value is no text"))?;
            Some(Secret::new(text.to_owned()))
        }
        None => None,
    };
    Ok(TenantSetting { tenant, kind, body: from_json(BODY, &row.text("body")?)?, name, secret })
}

fn row_name(tenant: TenantId, kind: SettingKind, name: &str) -> String {
    format!("{tenant}/{}/{name}", kind.name())
}
