//! What an old table held when an upgrade last carried it: one sum for each bucket of its keys. The upgrade makes and compares them; here they
//! are bytes.

use model::Timestamp;

use crate::sql::args;
use crate::{Result, Tx};

/// The sums of one part of an old installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSums {
    /// How they were made; sums of another recipe compare with nothing.
    pub recipe: String,
    /// The sums.
    pub sums: Vec<u8>,
    /// The moment as of which tokens were carried then.
    pub as_of: Timestamp,
}

/// The sums of one part as last put.
pub async fn find(tx: &mut Tx, source: &str, part: &str) -> Result<Option<SourceSums>> {
    let row = tx.row("SELECT recipe, sums, as_of FROM source_sum WHERE source = $1 AND part = $2", args![source, part]).await?;
    row.map(|r| Ok(SourceSums { recipe: r.text("recipe")?, sums: r.bytes("sums")?, as_of: r.time("as_of")? })).transpose()
}

/// Whether there are sums of any part.
pub async fn find_any(tx: &mut Tx, source: &str) -> Result<bool> {
    Ok(tx.row("SELECT part FROM source_sum WHERE source = $1 LIMIT 1", args![source]).await?.is_some())
}

/// Puts the sums of one part in the place of older ones.
pub async fn put(tx: &mut Tx, source: &str, part: &str, sums: &SourceSums) -> Result<()> {
    let sql = "INSERT INTO source_sum (source, part, recipe, sums, as_of) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source, part) \
               DO UPDATE SET recipe = excluded.recipe, sums = excluded.sums, as_of = excluded.as_of";
    tx.run(sql, args![source, part, &sums.recipe, sums.sums.clone(), sums.as_of]).await.map(drop)
}

/// Strikes the sums of all parts; how many there were.
pub async fn forget(tx: &mut Tx, source: &str) -> Result<u64> {
    tx.run("DELETE FROM source_sum WHERE source = $1", args![source]).await
}
