//! APIs in their current state, and their definitions.
//!
//! The body holds the whole API; the columns and words beside it repeat what is searched, and are written only here.

mod filed;
mod query;

use std::collections::BTreeMap;

use model::{Api, ApiId, Definition, DefinitionFormat, TenantId};

pub use query::{ApiQuery, Field, Term, Viewer, list, tags};

use crate::codec::{api_from_json, api_to_json};
use crate::outbox::{Thing, changed};
use crate::sql::{Row, Value, args, fold};
use crate::{Result, Sealer, Tx, scopes};

const BODY: &str = "api_body.body";

/// Who holds a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextHolder {
    /// The API.
    pub id: ApiId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its provider.
    pub provider: String,
}

/// Adds an API with its scopes.
///
/// # Errors
/// [`crate::Error::Duplicate`] `api(id)`, `api(tenant, name, version)` or `api(context)`.
pub async fn insert(tx: &mut Tx, api: &Api) -> Result<()> {
    let mut values = columns(api);
    values.extend(args![0_i64, api.created_at]);
    tx.insert_rows(
        "INSERT INTO api (id, tenant, provider, name, version, context, context_template, kind, state, visibility, access_control, \
         enable_store, name_fold, provider_fold, version_fold, context_fold, updated_at, is_default_version, last_revision, created_at)",
        vec![values],
    )
    .await?;
    let body = args![api.id, description_fold(api), api_to_json(&tx.sealer, BODY, api)?];
    tx.insert_rows("INSERT INTO api_body (api, description_fold, body)", vec![body]).await?;
    write_belongings(tx, api).await
}

/// By id.
pub async fn find(tx: &mut Tx, id: ApiId) -> Result<Option<Api>> {
    let row = tx.row("SELECT body FROM api_body WHERE api = $1", args![id]).await?;
    row.map(|row| read(&tx.sealer, &row)).transpose()
}

/// By name and version, with their letter case.
pub async fn find_by_name_version(tx: &mut Tx, tenant: TenantId, name: &str, version: &str) -> Result<Option<Api>> {
    let sql = "SELECT b.body FROM api a JOIN api_body b ON b.api = a.id WHERE a.tenant = $1 AND a.name = $2 AND a.version = $3";
    let row = tx.row(sql, args![tenant, name, version]).await?;
    row.map(|row| read(&tx.sealer, &row)).transpose()
}

/// Who holds a context, given with its version (`/pizza/1.0.0`) or as a template (`/pizza/{version}`), where the oldest version answers.
pub async fn find_by_context(tx: &mut Tx, context: &str) -> Result<Option<ContextHolder>> {
    let sql =
        "SELECT id, tenant, name, version, provider FROM api WHERE context = $1 OR context_template = $1 ORDER BY created_at, id LIMIT 1";
    tx.row(sql, args![context]).await?.as_ref().map(read_holder).transpose()
}

/// All versions of one API of the tenant, oldest first.
pub async fn versions(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Vec<Api>> {
    let sql =
        "SELECT b.body FROM api a JOIN api_body b ON b.api = a.id WHERE a.tenant = $1 AND a.name = $2 ORDER BY a.created_at, a.version";
    let rows = tx.rows(sql, args![tenant, name]).await?;
    rows.iter().map(|row| read(&tx.sealer, row)).collect()
}

/// Makes the API the transaction's own until it ends, so that what is decided from reading it still holds when it is written. SQLite has one
/// writer at a time and needs no more; whether there is such an API is for [`find`] to say.
pub async fn lock(tx: &mut Tx, id: ApiId) -> Result<()> {
    if tx.is_postgres() {
        tx.row("SELECT id FROM api WHERE id = $1 FOR UPDATE", args![id]).await?;
    }
    Ok(())
}

/// Writes the API and its scopes as they now are; whether there was such an API. Tenant and creation time stay as they were.
///
/// # Errors
/// As [`insert`].
pub async fn update(tx: &mut Tx, api: &Api) -> Result<bool> {
    let sql = "UPDATE api SET provider = $3, name = $4, version = $5, context = $6, context_template = $7, kind = $8, state = $9, \
               visibility = $10, access_control = $11, enable_store = $12, name_fold = $13, provider_fold = $14, version_fold = $15, \
               context_fold = $16, updated_at = $17, is_default_version = $18 WHERE id = $1 AND tenant = $2";
    if tx.run(sql, columns(api)).await? == 0 {
        return Ok(false);
    }
    let sql = "UPDATE api_body SET description_fold = $2, body = $3 WHERE api = $1";
    tx.run(sql, args![api.id, description_fold(api), api_to_json(&tx.sealer, BODY, api)?]).await?;
    tx.run("DELETE FROM api_word WHERE api = $1", args![api.id]).await?;
    tx.run("DELETE FROM api_property WHERE api = $1", args![api.id]).await?;
    write_belongings(tx, api).await?;
    Ok(true)
}

/// Removes an API with its definition, revisions, deployments, history, sequences and subscriptions; whether there was one.
pub async fn delete(tx: &mut Tx, id: ApiId) -> Result<bool> {
    for row in tx.rows("SELECT id FROM subscription WHERE api = $1", args![id]).await? {
        changed(tx, Thing::Subscription, row.text("id")?);
    }
    // Deployments go first: they also point at revisions, which the cascade would remove in no order we could rely on.
    tx.run("DELETE FROM deployment WHERE api = $1", args![id]).await?;
    tx.run("DELETE FROM sequence WHERE api = $1", args![id]).await?;
    let done = tx.run("DELETE FROM api WHERE id = $1", args![id]).await?;
    changed(tx, Thing::Api, id);
    changed(tx, Thing::Deployment, id);
    Ok(done > 0)
}

/// Columns and tables which APIs are found by that do not say what the API itself says; `None` when there is no such API.
pub async fn misfiled(tx: &mut Tx, id: ApiId) -> Result<Option<Vec<&'static str>>> {
    let Some(api) = find(tx, id).await? else { return Ok(None) };
    let told: Vec<String> =
        COLUMNS.iter().zip(1..).map(|(c, n)| format!("CAST(CASE WHEN {c} = ${n} THEN 0 ELSE 1 END AS BIGINT) AS {c}")).collect();
    let row = tx.row(format!("SELECT {} FROM api WHERE id = $1", told.join(", ")), columns(&api)).await?;
    // A record without its row cannot be found at all.
    let Some(row) = row else { return Ok(Some(COLUMNS.to_vec())) };
    let mut wrong = Vec::new();
    for column in COLUMNS {
        if row.int(column)? != 0 {
            wrong.push(column);
        }
    }
    wrong.extend(filed::strays(tx, &api).await?);
    Ok(Some(wrong))
}

/// The definition as its author wrote it.
pub async fn definition(tx: &mut Tx, id: ApiId) -> Result<Option<Definition>> {
    let row = tx.row("SELECT format, body FROM api_definition WHERE api = $1", args![id]).await?;
    row.map(|r| Ok(Definition { format: r.word("format", DefinitionFormat::parse)?, text: r.text("body")? })).transpose()
}

/// Writes the definition, over an older one.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API.
pub async fn set_definition(tx: &mut Tx, id: ApiId, definition: &Definition) -> Result<()> {
    let sql = "INSERT INTO api_definition (api, format, body) VALUES ($1, $2, $3) \
               ON CONFLICT (api) DO UPDATE SET format = excluded.format, body = excluded.body";
    tx.run(sql, args![id, definition.format.name(), &definition.text]).await?;
    changed(tx, Thing::Api, id);
    Ok(())
}

async fn write_belongings(tx: &mut Tx, api: &Api) -> Result<()> {
    tx.insert_rows("INSERT INTO api_word (api, kind, fold, word)", words(api)).await?;
    tx.insert_rows("INSERT INTO api_property (api, name_fold, value, value_fold)", properties(api)).await?;
    scopes::write_of_api(tx, api).await?;
    write_policy_uses(tx, &api.id.to_string(), api).await?;
    changed(tx, Thing::Api, api.id);
    Ok(())
}

/// Notes which advanced policies `api` names; `holder` is its own id or a revision's.
pub(crate) async fn write_policy_uses(tx: &mut Tx, holder: &str, api: &Api) -> Result<()> {
    tx.run("DELETE FROM advanced_policy_use WHERE holder = $1", args![holder]).await?;
    tx.insert_rows("INSERT INTO advanced_policy_use (holder, api, tenant, policy)", policy_uses(holder, api)).await.map(drop)
}

fn policy_uses(holder: &str, api: &Api) -> Vec<Vec<Value>> {
    let mut names: Vec<&String> = api.operations.iter().map(|o| &o.policy).chain(&api.api_policy).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| args![holder, api.id, api.tenant, name]).collect()
}

/// The names of [`columns`].
const COLUMNS: [&str; 18] = [
    "id",
    "tenant",
    "provider",
    "name",
    "version",
    "context",
    "context_template",
    "kind",
    "state",
    "visibility",
    "access_control",
    "enable_store",
    "name_fold",
    "provider_fold",
    "version_fold",
    "context_fold",
    "updated_at",
    "is_default_version",
];

/// The columns of [`insert`] and [`update`] up to `is_default_version`, in their order.
fn columns(api: &Api) -> Vec<Value> {
    args![
        api.id,
        api.tenant,
        &api.provider,
        &api.name,
        &api.version,
        &api.context,
        &api.context_template,
        api.kind.name(),
        api.state.name(),
        api.visibility.name(),
        api.access_control.name(),
        api.enable_store,
        fold(&api.name),
        fold(&api.provider),
        fold(&api.version),
        fold(&api.context),
        api.updated_at,
        api.is_default_version,
    ]
}

fn description_fold(api: &Api) -> String {
    fold(api.description.as_deref().unwrap_or_default())
}

/// Words to be found by: kind `tag`, `category`, `role` (visible to), `access_role` (publisher's access).
fn words(api: &Api) -> Vec<Vec<Value>> {
    let kinds =
        [("tag", &api.tags), ("category", &api.categories), ("role", &api.visible_roles), ("access_role", &api.access_control_roles)];
    let mut all: Vec<(&str, String)> =
        kinds.into_iter().flat_map(|(kind, words)| words.iter().map(move |w| (kind, indexable(w)))).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(|(kind, word)| args![api.id, kind, fold(&word), word]).collect()
}

/// The part of a word that is kept for finding it: PostgreSQL refuses index entries of more than some 2,700 bytes.
fn indexable(word: &str) -> String {
    word.chars().take(256).collect()
}

/// Properties to be found by; of two names that differ only in letter case, the last one counts.
fn properties(api: &Api) -> Vec<Vec<Value>> {
    let by_name: BTreeMap<String, &String> = api.properties.iter().map(|p| (fold(&indexable(&p.name)), &p.value)).collect();
    by_name.into_iter().map(|(name, value)| args![api.id, name, value, fold(value)]).collect()
}

fn read(sealer: &Sealer, row: &Row) -> Result<Api> {
    api_from_json(sealer, BODY, &row.text("body")?)
}

fn read_holder(row: &Row) -> Result<ContextHolder> {
    Ok(ContextHolder {
        id: row.id("id")?,
        tenant: row.tenant("tenant")?,
        name: row.text("name")?,
        version: row.text("version")?,
        provider: row.text("provider")?,
    })
}
