//! Comments on APIs.

use model::{ApiId, Comment, CommentId};

use crate::sql::{Row, args};
use crate::{Page, Result, Tx};

const HEAD: &str = "INSERT INTO comment (id, api, parent, words, category, in_publisher, author, created_at, updated_at)";

/// Adds a comment.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API or parent.
pub async fn insert(tx: &mut Tx, comment: &Comment) -> Result<()> {
    insert_many(tx, std::slice::from_ref(comment)).await
}

/// As [`insert`], for many; parents before their answers.
pub async fn insert_many(tx: &mut Tx, comments: &[Comment]) -> Result<()> {
    let rows = comments
        .iter()
        .map(|c| args![c.id, c.api, c.parent, &c.text, &c.category, c.in_publisher, &c.author, c.created_at, c.updated_at])
        .collect();
    tx.insert_rows(HEAD, rows).await.map(drop)
}

/// By id.
pub async fn find(tx: &mut Tx, id: CommentId) -> Result<Option<Comment>> {
    tx.row("SELECT * FROM comment WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// One page of an API's comments that answer no other, the newest first.
pub async fn list(tx: &mut Tx, api: ApiId, limit: u32, offset: u32) -> Result<Page<Comment>> {
    let total = tx.count("SELECT COUNT(*) AS n FROM comment WHERE api = $1 AND parent IS NULL", args![api]).await?;
    let sql = "SELECT * FROM comment WHERE api = $1 AND parent IS NULL ORDER BY created_at DESC, id LIMIT $2 OFFSET $3";
    let items = tx.rows(sql, args![api, limit, offset]).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// One page of the answers to a comment, the oldest first.
pub async fn replies(tx: &mut Tx, parent: CommentId, limit: u32, offset: u32) -> Result<Page<Comment>> {
    let total = tx.count("SELECT COUNT(*) AS n FROM comment WHERE parent = $1", args![parent]).await?;
    let sql = "SELECT * FROM comment WHERE parent = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3";
    let items = tx.rows(sql, args![parent, limit, offset]).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// Writes words, category, author and times; whether it was there.
pub async fn update(tx: &mut Tx, comment: &Comment) -> Result<bool> {
    let sql = "UPDATE comment SET words = $2, category = $3, author = $4, created_at = $5, updated_at = $6 WHERE id = $1";
    let values = args![comment.id, &comment.text, &comment.category, &comment.author, comment.created_at, comment.updated_at];
    Ok(tx.run(sql, values).await? > 0)
}

/// Removes a comment with its answers; whether it was there.
pub async fn delete(tx: &mut Tx, id: CommentId) -> Result<bool> {
    Ok(tx.run("DELETE FROM comment WHERE id = $1", args![id]).await? > 0)
}

fn read(row: &Row) -> Result<Comment> {
    let parent = match row.opt_text("parent")? {
        Some(_) => Some(row.id("parent")?),
        None => None,
    };
    Ok(Comment {
        id: row.id("id")?,
        api: row.id("api")?,
        parent,
        text: row.text("words")?,
        category: row.text("category")?,
        in_publisher: row.bool("in_publisher")?,
        author: row.text("author")?,
        created_at: row.time("created_at")?,
        updated_at: row.opt_time("updated_at")?,
    })
}
