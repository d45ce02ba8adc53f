//! Requests for approval.

use model::{TenantId, Workflow, WorkflowKind, WorkflowStatus};

use crate::codec::{from_json, to_json};
use crate::sql::{Row, Sql, Value, args};
use crate::{Page, Result, Tx};

const PROPERTIES: &str = "workflow.properties";
const HEAD: &str =
    "INSERT INTO workflow (reference, tenant, kind, subject, status, stale, created_at, updated_at, description, properties)";

/// Adds a request.
///
/// # Errors
/// [`crate::Error::Duplicate`] `workflow(reference)`.
pub async fn insert(tx: &mut Tx, workflow: &Workflow) -> Result<()> {
    insert_many(tx, std::slice::from_ref(workflow)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, workflows: &[Workflow]) -> Result<()> {
    let rows = workflows.iter().map(columns).collect::<Result<_>>()?;
    tx.insert_rows(HEAD, rows).await.map(drop)
}

/// By its reference.
pub async fn find(tx: &mut Tx, reference: &str) -> Result<Option<Workflow>> {
    tx.row("SELECT * FROM workflow WHERE reference = $1", args![reference]).await?.as_ref().map(read).transpose()
}

/// The tenant's that can be decided now, oldest first.
pub async fn list_pending(tx: &mut Tx, tenant: TenantId, kind: Option<WorkflowKind>, limit: u32, offset: u32) -> Result<Page<Workflow>> {
    let mut which = Sql::new(" FROM workflow WHERE tenant = ");
    which.bind(tenant).push(" AND status = ").bind(WorkflowStatus::Created.name()).push(" AND stale = ").bind(false);
    if let Some(kind) = kind {
        which.push(" AND kind = ").bind(kind.name());
    }
    let mut counting = Sql::new("SELECT count(*) AS n");
    counting.append(&which);
    let total = tx.count_sql(counting).await?;
    let mut listing = Sql::new("SELECT *");
    listing.append(&which).push(" ORDER BY created_at, reference LIMIT ").bind(limit).push(" OFFSET ").bind(offset);
    let items = tx.rows_sql(listing).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// Every one of the tenant, decided or not, oldest first.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Workflow>> {
    let rows = tx.rows("SELECT * FROM workflow WHERE tenant = $1 ORDER BY created_at, reference", args![tenant]).await?;
    rows.iter().map(read).collect()
}

/// Writes everything but the reference and the tenant; whether there was such a request.
pub async fn update(tx: &mut Tx, workflow: &Workflow) -> Result<bool> {
    let sql = "UPDATE workflow SET kind = $3, subject = $4, status = $5, stale = $6, created_at = $7, updated_at = $8, description = $9, \
               properties = $10 WHERE reference = $1 AND tenant = $2";
    Ok(tx.run(sql, columns(workflow)?).await? > 0)
}

/// Removes a request; whether there was one.
pub async fn delete(tx: &mut Tx, reference: &str) -> Result<bool> {
    Ok(tx.run("DELETE FROM workflow WHERE reference = $1", args![reference]).await? > 0)
}

/// Removes requests about `subject` that nobody decided: it is gone. How many there were.
pub async fn delete_pending(tx: &mut Tx, subject: &str) -> Result<u64> {
    tx.run("DELETE FROM workflow WHERE subject = $1 AND status = $2", args![subject, WorkflowStatus::Created.name()]).await
}

fn columns(workflow: &Workflow) -> Result<Vec<Value>> {
    let w = workflow;
    let properties = to_json(PROPERTIES, &w.properties)?;
    Ok(args![
        &w.reference,
        w.tenant,
        w.kind.name(),
        &w.subject,
        w.status.name(),
        w.stale,
        w.created_at,
        w.updated_at,
        &w.description,
        properties
    ])
}

fn read(row: &Row) -> Result<Workflow> {
    Ok(Workflow {
        reference: row.text("reference")?,
        tenant: row.tenant("tenant")?,
        kind: row.word("kind", WorkflowKind::parse)?,
        subject: row.text("subject")?,
        status: row.word("status", WorkflowStatus::parse)?,
        stale: row.bool("stale")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        description: row.opt_text("description")?,
        properties: from_json(PROPERTIES, &row.text("properties")?)?,
    })
}
