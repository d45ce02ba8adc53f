//! Revisions of APIs: whole and frozen, so never updated.

use std::sync::Arc;

use model::{ApiId, Definition, DefinitionFormat, Revision, RevisionId};

use crate::codec::{api_from_json, api_to_json};
use crate::sql::{Row, args};
use crate::{Error, Result, Sealer, Tx, apis};

const CONTENT: &str = "revision.content";

/// Adds a revision.
///
/// # Errors
/// [`Error::Duplicate`] `revision(api, number)` when another took the number, [`Error::Reference`] when there is no such API.
pub async fn insert(tx: &mut Tx, revision: &Revision) -> Result<()> {
    let r = revision;
    let sql = "INSERT INTO revision (id, api, number, description, created_at, definition_format, definition, content) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (format, text) = r.definition.as_ref().map(|d| (d.format.name(), d.text.as_str())).unzip();
    let content = api_to_json(&tx.sealer, CONTENT, &r.content)?;
    tx.run(sql, args![r.id, r.api, r.number, &r.description, r.created_at, format, text, content]).await?;
    let sql = "UPDATE api SET last_revision = $2 WHERE id = $1 AND last_revision < $2";
    tx.run(sql, args![r.api, r.number]).await?;
    apis::write_policy_uses(tx, &r.id.to_string(), &r.content).await
}

/// By id.
pub async fn find(tx: &mut Tx, id: RevisionId) -> Result<Option<Revision>> {
    let row = tx.row("SELECT * FROM revision WHERE id = $1", args![id]).await?;
    row.map(|row| read(&tx.sealer, &row)).transpose()
}

/// The API's revisions by number.
pub async fn list(tx: &mut Tx, api: ApiId) -> Result<Vec<Revision>> {
    let rows = tx.rows("SELECT * FROM revision WHERE api = $1 ORDER BY number", args![api]).await?;
    rows.iter().map(|row| read(&tx.sealer, row)).collect()
}

/// Removes a revision; whether there was one.
///
/// # Errors
/// [`Error::Reference`] while it is deployed.
pub async fn delete(tx: &mut Tx, id: RevisionId) -> Result<bool> {
    tx.run("DELETE FROM advanced_policy_use WHERE holder = $1", args![id.to_string()]).await?;
    Ok(tx.run("DELETE FROM revision WHERE id = $1", args![id]).await? > 0)
}

/// The number after the highest the API ever had, deleted ones included; 1 for a first revision.
pub async fn next_number(tx: &mut Tx, api: ApiId) -> Result<u32> {
    let last = tx.row("SELECT last_revision FROM api WHERE id = $1", args![api]).await?.map_or(Ok(0), |r| r.int("last_revision"))?;
    u32::try_from(last + 1).map_err(|_| Error::corrupt("api.last_revision", "it is out of range"))
}

/// How many revisions the API has now.
pub async fn count(tx: &mut Tx, api: ApiId) -> Result<u64> {
    tx.count("SELECT COUNT(*) AS n FROM revision WHERE api = $1", args![api]).await
}

fn read(sealer: &Sealer, row: &Row) -> Result<Revision> {
    let number = row.count("number")?.try_into().map_err(|_| Error::corrupt("revision.number", "it is out of range"))?;
    Ok(Revision {
        id: row.id("id")?,
        api: row.id("api")?,
        number,
        description: row.opt_text("description")?,
        content: Arc::new(api_from_json(sealer, CONTENT, &row.text("content")?)?),
        definition: definition(row)?,
        created_at: row.time("created_at")?,
    })
}

fn definition(row: &Row) -> Result<Option<Definition>> {
    let Some(text) = row.opt_text("definition")? else { return Ok(None) };
    Ok(Some(Definition { format: row.word("definition_format", DefinitionFormat::parse)?, text }))
}
