//! Developers' applications.

use std::collections::HashMap;

use model::{Application, ApplicationId, ApplicationStatus, ApplicationTokenType, TenantId};

use crate::codec::{from_json, to_json};
use crate::outbox::{Thing, changed};
use crate::sql::{Row, Sql, Value, anywhere, args, fold};
use crate::{Page, Result, Tx};

const ATTRIBUTES: &str = "application.attributes";
const COUNTER: &str = "application";
const HEAD: &str = "INSERT INTO application (id, tenant, owner, name, name_fold, policy, description, token_type, status, attributes, \
                    callback_url, updated_at, number, created_at)";

/// What to list.
#[derive(Debug, Clone)]
pub struct ApplicationQuery {
    /// Of this tenant.
    pub tenant: TenantId,
    /// Of this owner, or shared with one of `groups`; `None` with no groups lists everybody's.
    pub owner: Option<String>,
    /// Groups of the one who asks.
    pub groups: Vec<String>,
    /// Any part of the name, in any letter case.
    pub name_like: Option<String>,
    /// Order; equal ones come by name, owner and id.
    pub sort_by: ApplicationSort,
    /// Backwards.
    pub descending: bool,
    /// At most this many.
    pub limit: u32,
    /// Leaving out this many first.
    pub offset: u32,
}

impl ApplicationQuery {
    /// All of a tenant by name, 25 at most.
    #[must_use]
    pub fn of(tenant: TenantId) -> Self {
        Self {
            tenant,
            owner: None,
            groups: Vec::new(),
            name_like: None,
            sort_by: ApplicationSort::Name,
            descending: false,
            limit: 25,
            offset: 0,
        }
    }
}

/// What applications are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplicationSort {
    /// Name, in any letter case.
    #[default]
    Name,
    /// Owner.
    Owner,
    /// Application policy.
    Policy,
    /// Approval state.
    Status,
    /// When it was made.
    CreatedAt,
}

/// Adds an application and answers its number: its own, or, where that is 0, the next.
///
/// # Errors
/// [`crate::Error::Duplicate`] `application(id)`, `application(number)` or `application(tenant, owner, name)`.
pub async fn insert(tx: &mut Tx, application: &Application) -> Result<i64> {
    let number = match application.number {
        0 => tx.advance(COUNTER, 1).await?,
        given => given,
    };
    let mut numbered = application.clone();
    numbered.number = number;
    insert_many(tx, &[numbered]).await?;
    Ok(number)
}

/// As [`insert`], for many that have their numbers already.
pub async fn insert_many(tx: &mut Tx, applications: &[Application]) -> Result<()> {
    let Some(highest) = applications.iter().map(|a| a.number).max() else { return Ok(()) };
    let mut rows = Vec::with_capacity(applications.len());
    for application in applications {
        let mut values = columns(application)?;
        values.extend(args![application.number, application.created_at]);
        rows.push(values);
        changed(tx, Thing::Application, application.id);
    }
    tx.insert_rows(HEAD, rows).await?;
    tx.run("UPDATE counter SET value = $2 WHERE name = $1 AND value < $2", args![COUNTER, highest]).await?;
    insert_groups(tx, applications).await
}

/// By id.
pub async fn find(tx: &mut Tx, id: ApplicationId) -> Result<Option<Application>> {
    let rows = tx.rows("SELECT * FROM application WHERE id = $1", args![id]).await?;
    Ok(read_all(tx, &rows).await?.pop())
}

/// By owner and name, with their letter case.
pub async fn find_by_owner_and_name(tx: &mut Tx, tenant: TenantId, owner: &str, name: &str) -> Result<Option<Application>> {
    let sql = "SELECT * FROM application WHERE tenant = $1 AND owner = $2 AND name = $3";
    let rows = tx.rows(sql, args![tenant, owner, name]).await?;
    Ok(read_all(tx, &rows).await?.pop())
}

/// Applications that match, in the order asked for.
pub async fn list(tx: &mut Tx, query: &ApplicationQuery) -> Result<Page<Application>> {
    let filter = filter(query);
    let mut counting = Sql::new("SELECT COUNT(*) AS n FROM application a WHERE ");
    counting.append(&filter);
    let total = tx.count_sql(counting).await?;
    let mut page = Sql::new("SELECT a.* FROM application a WHERE ");
    page.append(&filter).push(order(query.sort_by, query.descending));
    page.push(" LIMIT ").bind(query.limit).push(" OFFSET ").bind(query.offset);
    let rows = tx.rows_sql(page).await?;
    Ok(Page { items: read_all(tx, &rows).await?, total })
}

/// Every application of every tenant, by number.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<Application>> {
    let rows = tx.rows("SELECT * FROM application ORDER BY number", args![]).await?;
    read_all(tx, &rows).await
}

/// Every application's id by its number, in order, without the rest.
pub async fn ids_by_number(tx: &mut Tx) -> Result<Vec<(i64, ApplicationId)>> {
    let rows = tx.rows("SELECT number, id FROM application ORDER BY number", args![]).await?;
    rows.iter().map(|r| Ok((r.int("number")?, r.id("id")?))).collect()
}

/// As [`ids_by_number`], their names.
pub async fn names_by_number(tx: &mut Tx) -> Result<Vec<(i64, String)>> {
    let rows = tx.rows("SELECT number, name FROM application ORDER BY number", args![]).await?;
    rows.iter().map(|r| Ok((r.int("number")?, r.text("name")?))).collect()
}

/// Makes the application the transaction's own until it ends, as [`crate::apis::lock`] does for an API. Its clients are locked after it.
pub async fn lock(tx: &mut Tx, id: ApplicationId) -> Result<()> {
    if tx.is_postgres() {
        tx.row("SELECT id FROM application WHERE id = $1 FOR UPDATE", args![id]).await?;
    }
    Ok(())
}

/// Writes everything but number and creation time; whether there was such an application.
///
/// # Errors
/// As [`insert`].
pub async fn update(tx: &mut Tx, application: &Application) -> Result<bool> {
    let sql = "UPDATE application SET tenant = $2, owner = $3, name = $4, name_fold = $5, policy = $6, description = $7, token_type = $8, \
               status = $9, attributes = $10, callback_url = $11, updated_at = $12 WHERE id = $1";
    if tx.run(sql, columns(application)?).await? == 0 {
        return Ok(false);
    }
    tx.run("DELETE FROM application_group WHERE application = $1", args![application.id]).await?;
    insert_groups(tx, std::slice::from_ref(application)).await?;
    changed(tx, Thing::Application, application.id);
    Ok(true)
}

/// Removes an application with its subscriptions and key mappings; whether there was one. Its OAuth clients are the caller's to remove.
pub async fn delete(tx: &mut Tx, id: ApplicationId) -> Result<bool> {
    for row in tx.rows("SELECT id FROM subscription WHERE application = $1", args![id]).await? {
        changed(tx, Thing::Subscription, row.text("id")?);
    }
    for row in tx.rows("SELECT id FROM key_mapping WHERE application = $1", args![id]).await? {
        changed(tx, Thing::KeyMapping, row.text("id")?);
    }
    let done = tx.run("DELETE FROM application WHERE id = $1", args![id]).await?;
    changed(tx, Thing::Application, id);
    Ok(done > 0)
}

fn filter(query: &ApplicationQuery) -> Sql {
    let mut sql = Sql::new("a.tenant = ");
    sql.bind(query.tenant);
    if query.owner.is_some() || !query.groups.is_empty() {
        sql.push(" AND (1 = 0");
        if let Some(owner) = &query.owner {
            sql.push(" OR a.owner = ").bind(owner);
        }
        if !query.groups.is_empty() {
            sql.push(" OR a.id IN (SELECT g.application FROM application_group g WHERE g.name IN ").list(&query.groups).push(")");
        }
        sql.push(")");
    }
    if let Some(part) = &query.name_like {
        sql.push(" AND a.name_fold LIKE ").bind(anywhere(part)).push(" ESCAPE '\\'");
    }
    sql
}

fn order(by: ApplicationSort, descending: bool) -> &'static str {
    match (by, descending) {
        (ApplicationSort::Name, false) => " ORDER BY a.name_fold, a.name, a.owner, a.id",
        (ApplicationSort::Name, true) => " ORDER BY a.name_fold DESC, a.name DESC, a.owner DESC, a.id DESC",
        (ApplicationSort::Owner, false) => " ORDER BY a.owner, a.name_fold, a.id",
        (ApplicationSort::Owner, true) => " ORDER BY a.owner DESC, a.name_fold, a.id",
        (ApplicationSort::Policy, false) => " ORDER BY a.policy, a.name_fold, a.owner, a.id",
        (ApplicationSort::Policy, true) => " ORDER BY a.policy DESC, a.name_fold, a.owner, a.id",
        (ApplicationSort::Status, false) => " ORDER BY a.status, a.name_fold, a.owner, a.id",
        (ApplicationSort::Status, true) => " ORDER BY a.status DESC, a.name_fold, a.owner, a.id",
        (ApplicationSort::CreatedAt, false) => " ORDER BY a.created_at, a.number",
        (ApplicationSort::CreatedAt, true) => " ORDER BY a.created_at DESC, a.number DESC",
    }
}

/// The columns of [`insert`] and [`update`] up to `updated_at`, in their order.
fn columns(application: &Application) -> Result<Vec<Value>> {
    let a = application;
    Ok(args![
        a.id,
        a.tenant,
        &a.owner,
        &a.name,
        fold(&a.name),
        &a.policy,
        &a.description,
        a.token_type.name(),
        a.status.name(),
        to_json(ATTRIBUTES, &a.attributes)?,
        &a.callback_url,
        a.updated_at,
    ])
}

async fn insert_groups(tx: &mut Tx, applications: &[Application]) -> Result<()> {
    let mut rows = Vec::new();
    for application in applications {
        for (position, group) in (0_i64..).zip(&application.groups) {
            rows.push(args![application.id, group, position]);
        }
    }
    tx.insert_rows("INSERT INTO application_group (application, name, position)", rows).await.map(drop)
}

async fn read_all(tx: &mut Tx, rows: &[Row]) -> Result<Vec<Application>> {
    let mut applications: Vec<Application> = rows.iter().map(read).collect::<Result<_>>()?;
    let mut groups: HashMap<ApplicationId, Vec<String>> = HashMap::new();
    for some in applications.chunks(500) {
        let mut sql = Sql::new("SELECT application, name FROM application_group WHERE application IN ");
        sql.list(some.iter().map(|a| a.id)).push(" ORDER BY application, position");
        for row in tx.rows_sql(sql).await? {
            groups.entry(row.id("application")?).or_default().push(row.text("name")?);
        }
    }
    for application in &mut applications {
        application.groups = groups.remove(&application.id).unwrap_or_default();
    }
    Ok(applications)
}

fn read(row: &Row) -> Result<Application> {
    Ok(Application {
        id: row.id("id")?,
        number: row.int("number")?,
        tenant: row.tenant("tenant")?,
        owner: row.text("owner")?,
        name: row.text("name")?,
        policy: row.text("policy")?,
        description: row.opt_text("description")?,
        token_type: row.word("token_type", ApplicationTokenType::parse)?,
        status: row.word("status", ApplicationStatus::parse)?,
        groups: Vec::new(),
        attributes: from_json(ATTRIBUTES, &row.text("attributes")?)?,
        callback_url: row.opt_text("callback_url")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
