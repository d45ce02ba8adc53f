//! Definitions of user stores. What they hold secret is sealed.

use model::{Secret, TenantId, UserStore, UserStoreKind};

use crate::codec::{from_json, to_json};
use crate::sql::{Row, Value, args, fold};
use crate::{Error, Result, Sealer, Tx};

const ATTRIBUTES: &str = "user_store.attributes";
const PROPERTIES: &str = "user_store.properties";
const SECRETS: &str = "user_store.secrets";
const HEAD: &str =
    "INSERT INTO user_store (tenant, domain, domain_fold, kind, disabled, position, admin_role, attributes, properties, secrets)";

/// Adds a definition.
///
/// # Errors
/// [`Error::Duplicate`] `user_store(tenant, domain_fold)`.
pub async fn insert(tx: &mut Tx, store: &UserStore) -> Result<()> {
    insert_many(tx, std::slice::from_ref(store)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, stores: &[UserStore]) -> Result<()> {
    let rows = stores.iter().map(|store| columns(&tx.sealer, store)).collect::<Result<_>>()?;
    tx.insert_rows(HEAD, rows).await.map(drop)
}

/// By domain, in any letter case.
pub async fn find(tx: &mut Tx, tenant: TenantId, domain: &str) -> Result<Option<UserStore>> {
    let row = tx.row("SELECT * FROM user_store WHERE tenant = $1 AND domain_fold = $2", args![tenant, fold(domain)]).await?;
    row.map(|row| read(&tx.sealer, &row)).transpose()
}

/// The tenant's stores in their order, disabled ones too.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<UserStore>> {
    let rows = tx.rows("SELECT * FROM user_store WHERE tenant = $1 ORDER BY position, domain_fold", args![tenant]).await?;
    rows.iter().map(|row| read(&tx.sealer, row)).collect()
}

/// Every tenant's stores, in their order.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<UserStore>> {
    let rows = tx.rows("SELECT * FROM user_store ORDER BY tenant, position, domain_fold", args![]).await?;
    rows.iter().map(|row| read(&tx.sealer, row)).collect()
}

/// Writes everything but tenant and domain; whether there was such a store.
pub async fn update(tx: &mut Tx, store: &UserStore) -> Result<bool> {
    let sql = "UPDATE user_store SET domain = $2, kind = $4, disabled = $5, position = $6, admin_role = $7, attributes = $8, \
               properties = $9, secrets = $10 WHERE tenant = $1 AND domain_fold = $3";
    let values = columns(&tx.sealer, store)?;
    Ok(tx.run(sql, values).await? > 0)
}

/// Removes a definition; whether there was one. What is kept here of the store's users stays.
pub async fn delete(tx: &mut Tx, tenant: TenantId, domain: &str) -> Result<bool> {
    Ok(tx.run("DELETE FROM user_store WHERE tenant = $1 AND domain_fold = $2", args![tenant, fold(domain)]).await? > 0)
}

fn columns(sealer: &Sealer, store: &UserStore) -> Result<Vec<Value>> {
    let s = store;
    let plain: Vec<(&str, &str)> = s.secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose().as_str())).collect();
    let plain = Secret::new(to_json(SECRETS, &plain)?);
    let sealed = sealer.seal(SECRETS, &row_id(s.tenant, &s.domain), plain.expose().as_bytes())?;
    Ok(args![
        s.tenant,
        &s.domain,
        fold(&s.domain),
        s.kind.name(),
        s.disabled,
        s.position,
        &s.admin_role,
        to_json(ATTRIBUTES, &s.attributes)?,
        to_json(PROPERTIES, &s.properties)?,
        sealed,
    ])
}

fn row_id(tenant: TenantId, domain: &str) -> String {
    format!("{tenant}/{}", fold(domain))
}

fn read(sealer: &Sealer, row: &Row) -> Result<UserStore> {
    let (tenant, domain) = (row.tenant("tenant")?, row.text("domain")?);
    let opened = sealer.open_text(SECRETS, &row_id(tenant, &domain), &row.bytes("secrets")?)?;
    let secrets: Vec<(String, String)> = from_json(SECRETS, opened.expose())?;
    Ok(UserStore {
        tenant,
        domain,
        kind: row.word("kind", UserStoreKind::parse)?,
        disabled: row.bool("disabled")?,
        position: u32::try_from(row.count("position")?).map_err(|_| Error::corrupt("user_store.position", "it is too large"))?,
        admin_role: row.opt_text("admin_role")?,
        attributes: from_json(ATTRIBUTES, &row.text("attributes")?)?,
        properties: from_json(PROPERTIES, &row.text("properties")?)?,
        secrets: secrets.into_iter().map(|(name, secret)| (name, Secret::new(secret))).collect(),
    })
}
