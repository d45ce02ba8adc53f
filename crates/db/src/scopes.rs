//! Scopes: those of APIs, written with the API, and the tenant's shared ones, which several APIs may name.

use std::collections::BTreeMap;

use model::{Api, ApiId, ApiScope, ScopeBinding, TenantId};

use crate::codec::{from_json, to_json};
use crate::sql::{Row, Sql, args};
use crate::{Result, Tx};

/// Roles of the named scopes; names nobody declares are left out. A shared scope's own roles count before an API's copy of them; of
/// several APIs with the same scope (versions), the newest API's roles count.
pub async fn bindings(tx: &mut Tx, tenant: TenantId, names: &[&str]) -> Result<Vec<ScopeBinding>> {
    let mut found = BTreeMap::new();
    for some in names.chunks(500) {
        let mut sql = Sql::new("SELECT s.name, s.roles FROM api_scope s JOIN api a ON a.id = s.api WHERE s.tenant = ");
        sql.bind(tenant).push(" AND s.name IN ").list(some.iter().copied()).push(" ORDER BY a.created_at, a.id");
        collect(tx, sql, &mut found).await?;
        let mut sql = Sql::new("SELECT name, roles FROM shared_scope WHERE tenant = ");
        sql.bind(tenant).push(" AND name IN ").list(some.iter().copied());
        collect(tx, sql, &mut found).await?;
    }
    Ok(found.into_iter().map(|(scope, roles)| ScopeBinding { scope, roles }).collect())
}

/// A scope that a tenant binds to roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignBinding {
    /// Its name.
    pub scope: String,
    /// Whether the client's application is subscribed to an API that asks for it.
    pub callable: bool,
}

/// Those of the named scopes that tenants other than `own` bind to roles, each once.
pub async fn bound_elsewhere(tx: &mut Tx, own: &[TenantId], client: &str, names: &[&str]) -> Result<Vec<ForeignBinding>> {
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    for some in names.chunks(500) {
        // Naming the tenants lets the indexes by tenant and name be used.
        let mut others = Sql::new("tenant IN (SELECT id FROM tenant WHERE id NOT IN ");
        others.list(own.iter().copied()).push(") AND name IN ").list(some.iter().copied());
        let mut bound = Sql::new("SELECT DISTINCT name FROM api_scope WHERE roles <> '[]' AND ");
        bound.append(&others).push(" UNION SELECT name FROM shared_scope WHERE roles <> '[]' AND ").append(&others);
        for row in tx.rows_sql(bound).await? {
            found.entry(row.text("name")?).or_default();
        }
    }
    let bound: Vec<String> = found.keys().cloned().collect();
    for some in bound.chunks(500) {
        let mut callable = Sql::new(
            "SELECT DISTINCT s.name FROM key_mapping k JOIN subscription u ON u.application = k.application \
             JOIN api_scope s ON s.api = u.api WHERE k.consumer_key = ",
        );
        callable.bind(client).push(" AND s.tenant NOT IN ").list(own.iter().copied());
        callable.push(" AND s.name IN ").list(some.iter().map(String::as_str));
        for row in tx.rows_sql(callable).await? {
            found.insert(row.text("name")?, true);
        }
    }
    Ok(found.into_iter().map(|(scope, callable)| ForeignBinding { scope, callable }).collect())
}

async fn collect(tx: &mut Tx, sql: Sql, found: &mut BTreeMap<String, Vec<String>>) -> Result<()> {
    for row in tx.rows_sql(sql).await? {
        found.insert(row.text("name")?, roles(&row)?);
    }
    Ok(())
}

/// The API that declares a scope of this name as its own; the oldest, where versions share it.
pub async fn owner_of(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Option<ApiId>> {
    let sql = "SELECT s.api FROM api_scope s JOIN api a ON a.id = s.api WHERE s.tenant = $1 AND s.name = $2 AND NOT (s.shared = $3) \
               ORDER BY a.created_at, a.id LIMIT 1";
    tx.row(sql, args![tenant, name, true]).await?.map(|r| r.id("api")).transpose()
}

/// Adds a shared scope under an id of the caller's making.
///
/// # Errors
/// [`crate::Error::Duplicate`] `shared_scope(tenant, name)`.
pub async fn insert_shared(tx: &mut Tx, tenant: TenantId, id: &str, scope: &ApiScope) -> Result<()> {
    let sql = "INSERT INTO shared_scope (id, tenant, name, display_name, description, roles) VALUES ($1, $2, $3, $4, $5, $6)";
    let roles = to_json("shared_scope.roles", &scope.roles)?;
    tx.run(sql, args![id, tenant, &scope.name, &scope.display_name, &scope.description, roles]).await.map(drop)
}

/// A shared scope by id.
pub async fn find_shared(tx: &mut Tx, tenant: TenantId, id: &str) -> Result<Option<ApiScope>> {
    tx.row("SELECT * FROM shared_scope WHERE id = $2 AND tenant = $1", args![tenant, id]).await?.as_ref().map(read_shared).transpose()
}

/// A shared scope by name, with its id.
pub async fn find_shared_by_name(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Option<(String, ApiScope)>> {
    let row = tx.row("SELECT * FROM shared_scope WHERE tenant = $1 AND name = $2", args![tenant, name]).await?;
    row.map(|r| Ok((r.text("id")?, read_shared(&r)?))).transpose()
}

/// The tenant's shared scopes with their ids, by name.
pub async fn list_shared(tx: &mut Tx, tenant: TenantId) -> Result<Vec<(String, ApiScope)>> {
    let rows = tx.rows("SELECT * FROM shared_scope WHERE tenant = $1 ORDER BY name", args![tenant]).await?;
    rows.iter().map(|r| Ok((r.text("id")?, read_shared(r)?))).collect()
}

/// Writes words and roles of a shared scope; its name never changes. Whether there was such a scope.
pub async fn update_shared(tx: &mut Tx, tenant: TenantId, id: &str, scope: &ApiScope) -> Result<bool> {
    let sql = "UPDATE shared_scope SET display_name = $3, description = $4, roles = $5 WHERE id = $1 AND tenant = $2";
    let roles = to_json("shared_scope.roles", &scope.roles)?;
    Ok(tx.run(sql, args![id, tenant, &scope.display_name, &scope.description, roles]).await? > 0)
}

/// Removes a shared scope; whether there was one.
pub async fn delete_shared(tx: &mut Tx, tenant: TenantId, id: &str) -> Result<bool> {
    Ok(tx.run("DELETE FROM shared_scope WHERE id = $1 AND tenant = $2", args![id, tenant]).await? > 0)
}

/// The APIs that name a shared scope.
pub async fn users_of_shared(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Vec<ApiId>> {
    let sql = "SELECT api FROM api_scope WHERE tenant = $1 AND name = $2 AND shared = $3 ORDER BY api";
    tx.rows(sql, args![tenant, name, true]).await?.iter().map(|r| r.id("api")).collect()
}

/// Puts the API's scopes in place of those it had.
pub(crate) async fn write_of_api(tx: &mut Tx, api: &Api) -> Result<()> {
    tx.run("DELETE FROM api_scope WHERE api = $1", args![api.id]).await?;
    let mut rows = Vec::with_capacity(api.scopes.len());
    for scope in &api.scopes {
        rows.push(args![api.id, api.tenant, &scope.name, scope.shared, to_json("api_scope.roles", &scope.roles)?]);
    }
    tx.insert_rows("INSERT INTO api_scope (api, tenant, name, shared, roles)", rows).await.map(drop)
}

fn roles(row: &Row) -> Result<Vec<String>> {
    from_json("scope.roles", &row.text("roles")?)
}

fn read_shared(row: &Row) -> Result<ApiScope> {
    Ok(ApiScope {
        name: row.text("name")?,
        display_name: row.text("display_name")?,
        description: row.opt_text("description")?,
        roles: roles(row)?,
        shared: true,
    })
}
