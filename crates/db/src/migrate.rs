//! Brings the schema up to this binary's. The steps are embedded; each is recorded with its checksum.
//!
//! All pending steps run in the one write transaction `open` holds, so a start that dies half-way leaves nothing behind, and two
//! processes that start at once do it one after the other: SQLite's immediate transaction excludes the second, on PostgreSQL an advisory
//! lock does.

use crate::seal::hash;
use crate::sql::args;
use crate::{Error, Result, Tx};

struct Migration {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! step {
    ($number:literal, $name:literal, $folder:literal) => {
        Migration {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../migrations/", $folder, "/sqlite.sql")),
            postgres: include_str!(concat!("../migrations/", $folder, "/postgres.sql")),
        }
    };
}

/// In ascending order of numbers, which need not follow each other.
#[rustfmt::skip]
const MIGRATIONS: &[Migration] = &[
    step!(1, "house", "0001_house"),
    step!(2, "content", "0002_content"),
    step!(3, "rules", "0003_rules"),
    step!(4, "user_stores", "0004_user_stores"),
    step!(5, "continuity", "0005_continuity"),
    step!(6, "journal", "0006_journal"),
    step!(7, "scale", "0007_scale"),
    step!(8, "settings", "0008_settings"),
    step!(9, "sequences", "0009_sequences"),
    step!(10, "token_kinds", "0010_token_kinds"),
];

/// Any number nobody else uses for `pg_advisory_xact_lock` in the same database.
const LOCK: i64 = 0x7469_6465_6761_7465;

/// Applies what is missing. Harmless to repeat.
pub(crate) async fn up(tx: &mut Tx) -> Result<()> {
    if tx.is_postgres() {
        tx.rows("SELECT pg_advisory_xact_lock($1)", args![LOCK]).await?;
    }
    prepare(tx).await?;
    let applied = applied(tx).await?;
    for (number, name, checksum) in &applied {
        check_known(tx, *number, name, checksum)?;
    }
    for step in MIGRATIONS.iter().filter(|m| !applied.iter().any(|(number, ..)| *number == m.number)) {
        apply(tx, step).await?;
    }
    Ok(())
}

/// Whether the schema is this binary's, without bringing it there.
///
/// # Errors
/// [`Error::Older`], [`Error::Newer`] or [`Error::Altered`].
pub(crate) async fn check(tx: &mut Tx) -> Result<()> {
    let applied = applied(tx).await?;
    for (number, name, checksum) in &applied {
        check_known(tx, *number, name, checksum)?;
    }
    match MIGRATIONS.iter().find(|m| !applied.iter().any(|(number, ..)| *number == m.number)) {
        Some(step) => {
            Err(Error::Older { has: applied.last().map_or(0, |(number, ..)| *number), lacks: step.number, name: step.name.to_owned() })
        }
        None => Ok(()),
    }
}

async fn prepare(tx: &mut Tx) -> Result<()> {
    tx.script(
        "CREATE TABLE IF NOT EXISTS schema_migration (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
    )
    .await
}

async fn applied(tx: &mut Tx) -> Result<Vec<(i64, String, String)>> {
    let rows = tx.rows("SELECT number, name, checksum FROM schema_migration ORDER BY number", args![]).await?;
    rows.iter().map(|r| Ok((r.int("number")?, r.text("name")?, r.text("checksum")?))).collect()
}

fn check_known(tx: &Tx, number: i64, name: &str, checksum: &str) -> Result<()> {
    match MIGRATIONS.iter().find(|m| m.number == number) {
        None => Err(Error::Newer { number, name: name.to_owned() }),
        Some(m) if m.name != name || hash(m.text(tx)) != checksum => Err(Error::Altered { number, name: name.to_owned() }),
        Some(_) => Ok(()),
    }
}

async fn apply(tx: &mut Tx, step: &Migration) -> Result<()> {
    let text = step.text(tx);
    tx.script(text).await?;
    let sql = "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)";
    tx.run(sql, args![step.number, step.name, hash(text)]).await?;
    tracing::info!(number = step.number, name = step.name, "database migration applied");
    Ok(())
}

impl Migration {
    fn text(&self, tx: &Tx) -> &'static str {
        if tx.is_postgres() { self.postgres } else { self.sqlite }
    }
}
