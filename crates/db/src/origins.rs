//! The upgrade's book: which old record became which new one, and a hash of what it held, so that a second run knows what is done.

use crate::sql::{Row, args};
use crate::{Result, Tx};

/// What became of an old record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Id of the new record.
    pub new_id: String,
    /// Hash of the old content, made by the upgrade.
    pub content_hash: String,
}

/// What became of one old record.
pub async fn find(tx: &mut Tx, source: &str, kind: &str, old_key: &str) -> Result<Option<Origin>> {
    let sql = "SELECT new_id, content_hash FROM origin WHERE source = $1 AND kind = $2 AND old_key = $3";
    tx.row(sql, args![source, kind, old_key]).await?.as_ref().map(read).transpose()
}

/// Writes down what became of an old record, over an older note.
pub async fn put(tx: &mut Tx, source: &str, kind: &str, old_key: &str, origin: &Origin) -> Result<()> {
    put_many(tx, source, kind, &[(old_key.to_owned(), origin.clone())]).await
}

/// As [`put`], for many records of one kind; each old key at most once.
pub async fn put_many(tx: &mut Tx, source: &str, kind: &str, origins: &[(String, Origin)]) -> Result<()> {
    for some in origins.chunks(crate::sql::rows_per_statement(5)) {
        let mut sql = crate::sql::Sql::new("INSERT INTO origin (source, kind, old_key, new_id, content_hash) VALUES ");
        for (n, (old_key, origin)) in some.iter().enumerate() {
            if n > 0 {
                sql.push(", ");
            }
            sql.list([source, kind, old_key, &origin.new_id, &origin.content_hash]);
        }
        sql.push(" ON CONFLICT (source, kind, old_key) DO UPDATE SET new_id = excluded.new_id, content_hash = excluded.content_hash");
        tx.run_sql(sql).await?;
    }
    Ok(())
}

/// All records of one kind as `(old key, origin)`, by old key.
pub async fn list(tx: &mut Tx, source: &str, kind: &str) -> Result<Vec<(String, Origin)>> {
    let sql = "SELECT old_key, new_id, content_hash FROM origin WHERE source = $1 AND kind = $2 ORDER BY old_key";
    let rows = tx.rows(sql, args![source, kind]).await?;
    rows.iter().map(|r| Ok((r.text("old_key")?, read(r)?))).collect()
}

/// How many records of one kind are noted.
pub async fn count(tx: &mut Tx, source: &str, kind: &str) -> Result<u64> {
    tx.count("SELECT COUNT(*) AS n FROM origin WHERE source = $1 AND kind = $2", args![source, kind]).await
}

/// Strikes one note; whether there was one.
pub async fn forget(tx: &mut Tx, source: &str, kind: &str, old_key: &str) -> Result<bool> {
    let sql = "DELETE FROM origin WHERE source = $1 AND kind = $2 AND old_key = $3";
    Ok(tx.run(sql, args![source, kind, old_key]).await? > 0)
}

fn read(row: &Row) -> Result<Origin> {
    Ok(Origin { new_id: row.text("new_id")?, content_hash: row.text("content_hash")? })
}
