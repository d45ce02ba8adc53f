//! Facts about this installation, by name: upgrade runs, stamps, switches nobody edits.

use crate::sql::args;
use crate::{Result, Tx};

/// The fact, if it is known.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>> {
    tx.row("SELECT value FROM fact WHERE name = $1", args![key]).await?.map(|r| r.text("value")).transpose()
}

/// Writes the fact, over an older one.
pub async fn put(tx: &mut Tx, key: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.run(sql, args![key, value]).await.map(drop)
}
