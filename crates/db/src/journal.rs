//! The upgrade's journal: its runs, their batches, and what carried records took the place of.
//!
//! A run without an end was interrupted or is still at work. Its batches are numbered without gaps, each row committing with the batch it
//! tells of, so that two processes which write for one run clash on the number, and the second stops.

use model::{Secret, Timestamp};

use crate::sql::{Row, args};
use crate::{Error, Result, Tx};

const BODY: &str = "upgrade_aside.body";

/// One run of a command that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Number, from 1.
    pub id: i64,
    /// The old installation.
    pub source: String,
    /// `apply`, `catch-up` or `rollback`.
    pub command: String,
    /// Digest of the plan it follows, where it follows one.
    pub plan: Option<String>,
    /// How the source was read, as the upgrade writes it.
    pub options: String,
    /// Tokens alive at this moment are carried.
    pub as_of: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it is at work, or interrupted.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<String>,
    /// How often it was gone on with.
    pub resumed: u64,
}

/// One transaction of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// From 1.
    pub number: i64,
    /// Kind of record.
    pub kind: String,
    /// Records added.
    pub added: u64,
    /// Defaults replaced or, by a rollback, put back.
    pub replaced: u64,
    /// Records written over their older selves.
    pub changed: u64,
    /// Tokens ended or, by a rollback, records removed.
    pub removed: u64,
    /// Key of its first record.
    pub first_key: String,
    /// Key of its last record.
    pub last_key: String,
    /// When it was written.
    pub at: Timestamp,
}

/// What a run wrote of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Kind of record.
    pub kind: String,
    /// Transactions.
    pub batches: u64,
    /// Records added.
    pub added: u64,
    /// Defaults replaced or put back.
    pub replaced: u64,
    /// Records changed.
    pub changed: u64,
    /// Records removed or ended.
    pub removed: u64,
    /// Key of the first record of its first batch.
    pub first_key: String,
    /// Key of the last record of its last batch.
    pub last_key: String,
    /// When the first batch was written.
    pub first_at: Timestamp,
    /// When the last was.
    pub last_at: Timestamp,
}

/// Opens a run under the next number, which it answers. `id`, end, outcome and resumptions of `run` are not looked at.
///
/// # Errors
/// [`Error::Duplicate`] `upgrade_run(id)` when another opened one at the same time.
pub async fn open(tx: &mut Tx, run: &Run) -> Result<i64> {
    let row = tx.row("SELECT COALESCE(MAX(id), 0) + 1 AS next FROM upgrade_run", args![]).await?;
    let id = row.ok_or_else(|| Error::corrupt("upgrade_run", "no number was answered"))?.int("next")?;
    let sql =
        "INSERT INTO upgrade_run (id, source, command, plan, options, as_of, started_at, resumed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    tx.run(sql, args![id, &run.source, &run.command, &run.plan, &run.options, run.as_of, run.started_at, 0_i64]).await?;
    Ok(id)
}

/// Ends a run that has no end yet; whether there was one.
pub async fn close(tx: &mut Tx, id: i64, outcome: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE upgrade_run SET ended_at = $2, outcome = $3 WHERE id = $1 AND ended_at IS NULL";
    Ok(tx.run(sql, args![id, now, outcome]).await? > 0)
}

/// Notes that a run is gone on with; whether it has no end yet.
pub async fn resume(tx: &mut Tx, id: i64) -> Result<bool> {
    Ok(tx.run("UPDATE upgrade_run SET resumed = resumed + 1 WHERE id = $1 AND ended_at IS NULL", args![id]).await? > 0)
}

/// The source's run that has no end.
pub async fn unended(tx: &mut Tx, source: &str) -> Result<Option<Run>> {
    let sql = "SELECT * FROM upgrade_run WHERE source = $1 AND ended_at IS NULL ORDER BY id DESC LIMIT 1";
    tx.row(sql, args![source]).await?.as_ref().map(read).transpose()
}

/// The source's last run of a command that came to its end.
pub async fn last_done(tx: &mut Tx, source: &str, command: &str, outcome: &str) -> Result<Option<Run>> {
    let sql = "SELECT * FROM upgrade_run WHERE source = $1 AND command = $2 AND outcome = $3 ORDER BY id DESC LIMIT 1";
    tx.row(sql, args![source, command, outcome]).await?.as_ref().map(read).transpose()
}

/// The latest runs of all sources, the newest first.
pub async fn list(tx: &mut Tx, limit: u32) -> Result<Vec<Run>> {
    tx.rows("SELECT * FROM upgrade_run ORDER BY id DESC LIMIT $1", args![limit]).await?.iter().map(read).collect()
}

/// Notes a batch, which is to commit with what it tells of.
///
/// # Errors
/// [`Error::Duplicate`] `upgrade_batch(run, number)` when another process writes for the same run.
pub async fn note(tx: &mut Tx, run: i64, batch: &Batch) -> Result<()> {
    let b = batch;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let sql = "INSERT INTO upgrade_batch (run, number, kind, added, replaced, changed, removed, first_key, last_key, at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let counts = [number(b.added), number(b.replaced), number(b.changed), number(b.removed)];
    let [added, replaced, changed, removed] = counts;
    tx.run(sql, args![run, b.number, &b.kind, added, replaced, changed, removed, &b.first_key, &b.last_key, b.at]).await.map(drop)
}

/// The number of a run's last batch; 0 before the first.
pub async fn last_number(tx: &mut Tx, run: i64) -> Result<i64> {
    let row = tx.row("SELECT COALESCE(MAX(number), 0) AS last FROM upgrade_batch WHERE run = $1", args![run]).await?;
    row.map_or(Ok(0), |r| r.int("last"))
}

/// A run's batches in order, from number `from` on, at most `limit`.
pub async fn batches(tx: &mut Tx, run: i64, from: i64, limit: u32) -> Result<Vec<Batch>> {
    let sql = "SELECT * FROM upgrade_batch WHERE run = $1 AND number >= $2 ORDER BY number LIMIT $3";
    tx.rows(sql, args![run, from, limit]).await?.iter().map(read_batch).collect()
}

/// What a run wrote, by kind, in the order of writing.
pub async fn sums(tx: &mut Tx, run: i64) -> Result<Vec<Sum>> {
    let sql = "SELECT k.kind AS kind, k.batches AS batches, k.added AS added, k.replaced AS replaced, k.changed AS changed, \
               k.removed AS removed, f.first_key AS first_key, f.at AS first_at, l.last_key AS last_key, l.at AS last_at \
               FROM (SELECT kind, COUNT(*) AS batches, CAST(SUM(added) AS BIGINT) AS added, CAST(SUM(replaced) AS BIGINT) AS replaced, \
               CAST(SUM(changed) AS BIGINT) AS changed, CAST(SUM(removed) AS BIGINT) AS removed, MIN(number) AS low, MAX(number) AS high \
               FROM upgrade_batch WHERE run = $1 GROUP BY kind) k \
               JOIN upgrade_batch f ON f.run = $1 AND f.number = k.low JOIN upgrade_batch l ON l.run = $1 AND l.number = k.high ORDER BY k.low";
    tx.rows(sql, args![run]).await?.iter().map(read_sum).collect()
}

/// Keeps what a carried record took the place of, unless something is kept already.
pub async fn set_aside(tx: &mut Tx, source: &str, kind: &str, old_key: &str, body: &Secret<String>) -> Result<()> {
    let sealed = tx.sealer.seal(BODY, &row_name(source, kind, old_key), body.expose().as_bytes())?;
    let sql =
        "INSERT INTO upgrade_aside (source, kind, old_key, body) VALUES ($1, $2, $3, $4) ON CONFLICT (source, kind, old_key) DO NOTHING";
    tx.run(sql, args![source, kind, old_key, sealed]).await.map(drop)
}

/// Takes out what was kept; `None` when nothing was.
pub async fn take_out(tx: &mut Tx, source: &str, kind: &str, old_key: &str) -> Result<Option<Secret<String>>> {
    let sql = "DELETE FROM upgrade_aside WHERE source = $1 AND kind = $2 AND old_key = $3 RETURNING body";
    let Some(row) = tx.row(sql, args![source, kind, old_key]).await? else { return Ok(None) };
    let sealed = row.bytes("body")?;
    tx.sealer.open_text(BODY, &row_name(source, kind, old_key), &sealed).map(Some)
}

fn row_name(source: &str, kind: &str, old_key: &str) -> String {
    format!("{source}/{kind}/{old_key}")
}

fn read(row: &Row) -> Result<Run> {
    Ok(Run {
        id: row.int("id")?,
        source: row.text("source")?,
        command: row.text("command")?,
        plan: row.opt_text("plan")?,
        options: row.text("options")?,
        as_of: row.time("as_of")?,
        started_at: row.time("started_at")?,
        ended_at: row.opt_time("ended_at")?,
        outcome: row.opt_text("outcome")?,
        resumed: row.count("resumed")?,
    })
}

fn read_batch(row: &Row) -> Result<Batch> {
    Ok(Batch {
        number: row.int("number")?,
        kind: row.text("kind")?,
        added: row.count("added")?,
        replaced: row.count("replaced")?,
        changed: row.count("changed")?,
        removed: row.count("removed")?,
        first_key: row.text("first_key")?,
        last_key: row.text("last_key")?,
        at: row.time("at")?,
    })
}

fn read_sum(row: &Row) -> Result<Sum> {
    Ok(Sum {
        kind: row.text("kind")?,
        batches: row.count("batches")?,
        added: row.count("added")?,
        replaced: row.count("replaced")?,
        changed: row.count("changed")?,
        removed: row.count("removed")?,
        first_key: row.text("first_key")?,
        last_key: row.text("last_key")?,
        first_at: row.time("first_at")?,
        last_at: row.time("last_at")?,
    })
}
