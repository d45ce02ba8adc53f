//! User accounts with their roles.
//!
//! What ends a user's right to the tokens they have (another password, a lock, removal) takes the tokens back in the same transaction, so that
//! no room can forget it.

use std::collections::HashMap;

use model::{LegacyDigest, Secret, StoredPassword, TenantId, Timestamp, User, UserId, UserName};

use crate::codec::{from_json, to_json};
use crate::sql::{Row, Sql, Value, anywhere, args, fold};
use crate::{Error, Result, Tx, tenants, tokens};

const ATTRIBUTES: &str = "account.attributes";
const ARGON2ID: &str = "ARGON2ID";
const HEAD: &str = "INSERT INTO account (id, tenant, store, name, name_fold, password_form, password_hash, password_salt, attributes, locked, \
                    must_change_password, password_changed_at, created_at)";

/// Which users to list.
#[derive(Debug, Clone)]
pub struct UserFilter {
    /// Of this tenant.
    pub tenant: TenantId,
    /// Any part of the name, in any letter case.
    pub name_like: Option<String>,
    /// At most this many.
    pub limit: u32,
    /// Leaving out this many first.
    pub offset: u32,
}

/// Adds a user.
///
/// # Errors
/// [`Error::Duplicate`] `account(id)` or `account(tenant, store, name)`.
pub async fn insert(tx: &mut Tx, user: &User) -> Result<()> {
    insert_many(tx, std::slice::from_ref(user)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, users: &[User]) -> Result<()> {
    let rows = users.iter().map(columns).collect::<Result<_>>()?;
    tx.insert_rows(HEAD, rows).await?;
    insert_roles(tx, users).await
}

/// By store and name, with their letter case.
pub async fn find(tx: &mut Tx, tenant: TenantId, store: &str, name: &str) -> Result<Option<User>> {
    let sql = "SELECT * FROM account WHERE tenant = $1 AND store = $2 AND name = $3";
    let rows = tx.rows(sql, args![tenant, store, name]).await?;
    Ok(read_all(tx, &rows).await?.pop())
}

/// Those of a store whose names are one of these in any letter case, by name.
pub async fn list_alike(tx: &mut Tx, tenant: TenantId, store: &str, names: &[&str]) -> Result<Vec<User>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("SELECT * FROM account WHERE tenant = ");
    sql.bind(tenant).push(" AND store = ").bind(store).push(" AND name_fold IN ").list(names.iter().map(|name| fold(name)));
    sql.push(" ORDER BY name");
    let rows = tx.rows_sql(sql).await?;
    read_all(tx, &rows).await
}

/// By id.
pub async fn find_by_id(tx: &mut Tx, id: UserId) -> Result<Option<User>> {
    let rows = tx.rows("SELECT * FROM account WHERE id = $1", args![id]).await?;
    Ok(read_all(tx, &rows).await?.pop())
}

/// Users that match, by name and store.
pub async fn list(tx: &mut Tx, filter: &UserFilter) -> Result<Vec<User>> {
    let mut sql = Sql::new("SELECT * FROM account WHERE ");
    matching(&mut sql, filter);
    sql.push(" ORDER BY name, store LIMIT ").bind(filter.limit).push(" OFFSET ").bind(filter.offset);
    let rows = tx.rows_sql(sql).await?;
    read_all(tx, &rows).await
}

/// Makes the user the transaction's own until it ends, as [`crate::apis::lock`] does for an API. Named like [`find`], which reads it next.
pub async fn lock(tx: &mut Tx, tenant: TenantId, store: &str, name: &str) -> Result<()> {
    if tx.is_postgres() {
        let sql = "SELECT id FROM account WHERE tenant = $1 AND store = $2 AND name = $3 FOR UPDATE";
        tx.row(sql, args![tenant, store, name]).await?;
    }
    Ok(())
}

/// The user as they now are, whom nobody changes or removes until the transaction ends. Others may hold them at the same time.
pub async fn hold(tx: &mut Tx, tenant: TenantId, store: &str, name: &str) -> Result<Option<User>> {
    if tx.is_postgres() {
        let sql = "SELECT id FROM account WHERE tenant = $1 AND store = $2 AND name = $3 FOR SHARE";
        tx.row(sql, args![tenant, store, name]).await?;
    }
    find(tx, tenant, store, name).await
}

/// Writes everything but tenant and creation time, roles included; whether there was such a user. Another password, another name or a lock
/// takes back the user's tokens.
///
/// # Errors
/// As [`insert`].
pub async fn update(tx: &mut Tx, user: &User, now: Timestamp) -> Result<bool> {
    let Some(before) = find_by_id(tx, user.id).await? else { return Ok(false) };
    // The user first: whoever holds them to issue a token is waited for, and that token is then seen.
    if !overwrite(tx, user).await? {
        return Ok(false);
    }
    let is_renamed = (&before.store, &before.name) != (&user.store, &user.name);
    if before.password != user.password || is_renamed || user.locked && !before.locked {
        take_back_tokens(tx, &before, now).await?;
    }
    Ok(true)
}

/// As [`update`], leaving the user's tokens alone: for who carries users and tokens over, each as they are.
///
/// # Errors
/// As [`insert`].
pub async fn overwrite(tx: &mut Tx, user: &User) -> Result<bool> {
    let sql = "UPDATE account SET store = $3, name = $4, name_fold = $5, password_form = $6, password_hash = $7, password_salt = $8, \
               attributes = $9, locked = $10, must_change_password = $11, password_changed_at = $12 WHERE id = $1 AND tenant = $2";
    let mut values = columns(user)?;
    values.pop();
    if tx.run(sql, values).await? == 0 {
        return Ok(false);
    }
    tx.run("DELETE FROM account_role WHERE account = $1", args![user.id]).await?;
    insert_roles(tx, std::slice::from_ref(user)).await?;
    Ok(true)
}

/// Writes the same password in another form (a legacy digest made Argon2id after a sign-in), if it is still kept in the old one. Leaves
/// the marks and dates of the password alone. Whether it was.
pub async fn rehash(tx: &mut Tx, id: UserId, old: &StoredPassword, new: &StoredPassword) -> Result<bool> {
    let sql = "UPDATE account SET password_form = $2, password_hash = $3, password_salt = $4 WHERE id = $1 AND password_hash = $5";
    let (form, hash, salt) = password_columns(Some(new));
    let (_, old_hash, _) = password_columns(Some(old));
    Ok(tx.run(sql, args![id, form, hash, salt, old_hash]).await? > 0)
}

/// Removes a user and takes back their tokens; whether there was one.
pub async fn delete(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<bool> {
    let Some(user) = find_by_id(tx, id).await? else { return Ok(false) };
    // The user first: whoever holds them to issue a token is waited for, and that token is then seen.
    if tx.run("DELETE FROM account WHERE id = $1", args![id]).await? == 0 {
        return Ok(false);
    }
    take_back_tokens(tx, &user, now).await?;
    Ok(true)
}

/// How many users the tenant has.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<u64> {
    tx.count("SELECT COUNT(*) AS n FROM account WHERE tenant = $1", args![tenant]).await
}

/// How many users match, on all pages.
pub async fn count_matching(tx: &mut Tx, filter: &UserFilter) -> Result<u64> {
    let mut sql = Sql::new("SELECT COUNT(*) AS n FROM account WHERE ");
    matching(&mut sql, filter);
    tx.count_sql(sql).await
}

/// Whether anybody but `user` has this role, in any letter case, and is not locked.
pub async fn another_has_role(tx: &mut Tx, tenant: TenantId, role: &str, user: UserId) -> Result<bool> {
    let sql = "SELECT a.id FROM account a JOIN account_role r ON r.account = a.id \
               WHERE a.tenant = $1 AND a.id <> $2 AND a.locked = $3 AND LOWER(r.role) = LOWER($4) LIMIT 1";
    Ok(tx.row(sql, args![tenant, user, false, role]).await?.is_some())
}

async fn take_back_tokens(tx: &mut Tx, user: &User, now: Timestamp) -> Result<()> {
    let names = names_in_tokens(tx, user).await?;
    tokens::revoke_of_user(tx, &names, now).await.map(drop)
}

/// Every way in which a token's row may write the user's name.
async fn names_in_tokens(tx: &mut Tx, user: &User) -> Result<Vec<String>> {
    let Some(tenant) = tenants::find(tx, user.tenant).await? else { return Ok(Vec::new()) };
    let name = UserName { store: user.store.clone(), name: user.name.clone(), tenant: tenant.domain };
    let mut names = vec![name.with_tenant(), UserName { tenant: fold(&name.tenant), ..name.clone() }.with_tenant()];
    let short = name.without_tenant();
    // The super tenant's suffix may be left out, except where the name would then be read as a tenant's user.
    let is_another = match short.rsplit_once('@') {
        Some((_, domain)) => tenants::find_by_domain(tx, domain).await?.is_some(),
        None => false,
    };
    if user.tenant == TenantId::SUPER && !is_another {
        names.push(short);
    }
    names.dedup();
    Ok(names)
}

fn matching(sql: &mut Sql, filter: &UserFilter) {
    sql.push("tenant = ").bind(filter.tenant);
    if let Some(part) = &filter.name_like {
        sql.push(" AND name_fold LIKE ").bind(anywhere(part)).push(" ESCAPE '\\'");
    }
}

fn columns(user: &User) -> Result<Vec<Value>> {
    let u = user;
    let (form, hash, salt) = password_columns(u.password.as_ref());
    Ok(args![
        u.id,
        u.tenant,
        &u.store,
        &u.name,
        fold(&u.name),
        form,
        hash,
        salt,
        to_json(ATTRIBUTES, &u.attributes)?,
        u.locked,
        u.must_change_password,
        u.password_changed_at,
        u.created_at,
    ])
}

type PasswordColumns = (Option<&'static str>, Option<String>, Option<String>);

fn password_columns(password: Option<&StoredPassword>) -> PasswordColumns {
    match password {
        None => (None, None, None),
        Some(StoredPassword::Argon2id(phc)) => (Some(ARGON2ID), Some(phc.expose().clone()), None),
        Some(StoredPassword::Legacy { digest, hash, salt }) => (Some(digest.name()), Some(hash.expose().clone()), salt.clone()),
    }
}

async fn insert_roles(tx: &mut Tx, users: &[User]) -> Result<()> {
    let mut rows = Vec::new();
    for user in users {
        for (position, role) in (0_i64..).zip(&user.roles) {
            rows.push(args![user.id, role, position]);
        }
    }
    tx.insert_rows("INSERT INTO account_role (account, role, position)", rows).await.map(drop)
}

async fn read_all(tx: &mut Tx, rows: &[Row]) -> Result<Vec<User>> {
    let mut users: Vec<User> = rows.iter().map(read).collect::<Result<_>>()?;
    let mut roles: HashMap<UserId, Vec<String>> = HashMap::new();
    for some in users.chunks(500) {
        let mut sql = Sql::new("SELECT account, role FROM account_role WHERE account IN ");
        sql.list(some.iter().map(|u| u.id)).push(" ORDER BY account, position");
        for row in tx.rows_sql(sql).await? {
            roles.entry(row.id("account")?).or_default().push(row.text("role")?);
        }
    }
    for user in &mut users {
        user.roles = roles.remove(&user.id).unwrap_or_default();
    }
    Ok(users)
}

fn read(row: &Row) -> Result<User> {
    Ok(User {
        id: row.id("id")?,
        tenant: row.tenant("tenant")?,
        store: row.text("store")?,
        name: row.text("name")?,
        password: read_password(row)?,
        roles: Vec::new(),
        attributes: from_json(ATTRIBUTES, &row.text("attributes")?)?,
        locked: row.bool("locked")?,
        must_change_password: row.bool("must_change_password")?,
        password_changed_at: row.time("password_changed_at")?,
        created_at: row.time("created_at")?,
    })
}

fn read_password(row: &Row) -> Result<Option<StoredPassword>> {
    let Some(form) = row.opt_text("password_form")? else { return Ok(None) };
    let hash = Secret::new(row.text("password_hash")?);
    if form == ARGON2ID {
        return Ok(Some(StoredPassword::Argon2id(hash)));
    }
    let digest = LegacyDigest::parse(&form).ok_or_else(|| Error::corrupt("account.password_form", "it is no known digest"))?;
    Ok(Some(StoredPassword::Legacy { digest, hash, salt: row.opt_text("password_salt")? }))
}
