//! Documents of APIs; their content is in [`crate::files`].

use model::{ApiId, Document, DocumentId, DocumentKind, DocumentSource, DocumentVisibility};

use crate::sql::{Row, Value, args};
use crate::{Page, Result, Tx};

const HEAD: &str = "INSERT INTO document \
    (id, api, name, kind, other_kind, summary, source, source_url, file_name, visibility, author, updated_at, created_at)";

/// Adds a document.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API.
pub async fn insert(tx: &mut Tx, document: &Document) -> Result<()> {
    insert_many(tx, std::slice::from_ref(document)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, documents: &[Document]) -> Result<()> {
    let rows = documents.iter().map(|d| [args![d.id, d.api], columns(d), args![d.created_at]].concat()).collect();
    tx.insert_rows(HEAD, rows).await.map(drop)
}

fn columns(d: &Document) -> Vec<Value> {
    args![
        &d.name,
        d.kind.name(),
        &d.other_kind,
        &d.summary,
        d.source.name(),
        &d.source_url,
        &d.file_name,
        d.visibility.name(),
        &d.author,
        d.updated_at
    ]
}

/// By id.
pub async fn find(tx: &mut Tx, id: DocumentId) -> Result<Option<Document>> {
    tx.row("SELECT * FROM document WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// An API's documents of that name.
pub async fn find_by_name(tx: &mut Tx, api: ApiId, name: &str) -> Result<Vec<Document>> {
    let sql = "SELECT * FROM document WHERE api = $1 AND name = $2 ORDER BY id";
    tx.rows(sql, args![api, name]).await?.iter().map(read).collect()
}

/// An API's documents by name.
pub async fn list(tx: &mut Tx, api: ApiId) -> Result<Vec<Document>> {
    tx.rows("SELECT * FROM document WHERE api = $1 ORDER BY name, id", args![api]).await?.iter().map(read).collect()
}

/// One page of [`list`].
pub async fn page(tx: &mut Tx, api: ApiId, limit: u32, offset: u32) -> Result<Page<Document>> {
    let total = tx.count("SELECT COUNT(*) AS n FROM document WHERE api = $1", args![api]).await?;
    let sql = "SELECT * FROM document WHERE api = $1 ORDER BY name, id LIMIT $2 OFFSET $3";
    let items = tx.rows(sql, args![api, limit, offset]).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// Writes everything but id, API and the time it was made; whether it was there.
pub async fn update(tx: &mut Tx, document: &Document) -> Result<bool> {
    let sql = "UPDATE document SET name = $2, kind = $3, other_kind = $4, summary = $5, source = $6, source_url = $7, file_name = $8, \
               visibility = $9, author = $10, updated_at = $11 WHERE id = $1";
    Ok(tx.run(sql, [args![document.id], columns(document)].concat()).await? > 0)
}

/// Removes a document with its content; whether it was there.
pub async fn delete(tx: &mut Tx, id: DocumentId) -> Result<bool> {
    Ok(tx.run("DELETE FROM document WHERE id = $1", args![id]).await? > 0)
}

fn read(row: &Row) -> Result<Document> {
    Ok(Document {
        id: row.id("id")?,
        api: row.id("api")?,
        name: row.text("name")?,
        kind: row.word("kind", DocumentKind::parse)?,
        other_kind: row.opt_text("other_kind")?,
        summary: row.opt_text("summary")?,
        source: row.word("source", DocumentSource::parse)?,
        source_url: row.opt_text("source_url")?,
        file_name: row.opt_text("file_name")?,
        visibility: row.word("visibility", DocumentVisibility::parse)?,
        author: row.text("author")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
