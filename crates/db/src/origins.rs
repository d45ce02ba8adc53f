//! The upgrade's book: which old record became which new one, and a hash of what it held, so that a second run knows what is done, and a
//! rollback what to take back.

use std::collections::HashMap;

use crate::sql::{Row, Sql, args, evenly, rows_per_statement};
use crate::{Result, Tx};

/// What became of an old record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Id of the new record.
    pub new_id: String,
    /// Hash of the old content, made by the upgrade.
    pub content_hash: String,
}

/// What a run did to a record when it last wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Added it.
    New,
    /// Put it in the place of a default.
    Replaced,
    /// Wrote it over its older self.
    Changed,
    /// Ended it.
    Ended,
}

impl Step {
    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Replaced => "REPLACED",
            Self::Changed => "CHANGED",
            Self::Ended => "ENDED",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::New, Self::Replaced, Self::Changed, Self::Ended].into_iter().find(|s| s.name() == text)
    }
}

/// A whole line of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Key of the old record.
    pub old_key: String,
    /// What became of it.
    pub origin: Origin,
    /// Whether it took the place of a default when it came.
    pub replaced: bool,
    /// The run that wrote it last; `None` when that was before there was a journal.
    pub run: Option<i64>,
    /// What that run did.
    pub step: Option<Step>,
    /// Hash of what mere use does not change, where that is another than the content's.
    pub unused_hash: Option<String>,
}

/// What is written down of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Key of the old record.
    pub old_key: String,
    /// What became of it.
    pub origin: Origin,
    /// What was done.
    pub step: Step,
    /// As [`Entry::unused_hash`].
    pub unused_hash: Option<String>,
}

/// What became of one old record.
pub async fn find(tx: &mut Tx, source: &str, kind: &str, old_key: &str) -> Result<Option<Origin>> {
    let sql = "SELECT new_id, content_hash FROM origin WHERE source = $1 AND kind = $2 AND old_key = $3";
    tx.row(sql, args![source, kind, old_key]).await?.as_ref().map(read).transpose()
}

/// The book's lines of these old keys, by key.
pub async fn find_many(tx: &mut Tx, source: &str, kind: &str, old_keys: &[&str]) -> Result<HashMap<String, Entry>> {
    let mut found = HashMap::with_capacity(old_keys.len());
    for some in evenly(old_keys, rows_per_statement(1)) {
        let mut sql = Sql::new("SELECT * FROM origin WHERE source = ");
        sql.bind(source).push(" AND kind = ").bind(kind).push(" AND old_key IN ").list(some.iter().copied());
        for row in tx.rows_sql(sql).await? {
            let entry = read_entry(&row)?;
            found.insert(entry.old_key.clone(), entry);
        }
    }
    Ok(found)
}

/// Writes down what became of an old record, over an older note; while indexes are aside ([`crate::bulk`]) there must be none.
pub async fn put(tx: &mut Tx, source: &str, kind: &str, old_key: &str, origin: &Origin) -> Result<()> {
    put_many(tx, source, kind, &[(old_key.to_owned(), origin.clone())]).await
}

/// As [`put`], for many records of one kind; each old key at most once.
pub async fn put_many(tx: &mut Tx, source: &str, kind: &str, origins: &[(String, Origin)]) -> Result<()> {
    for some in evenly(origins, rows_per_statement(5)) {
        let mut sql = Sql::new("INSERT INTO origin (source, kind, old_key, new_id, content_hash) VALUES ");
        for (n, (old_key, origin)) in some.iter().enumerate() {
            if n > 0 {
                sql.push(", ");
            }
            sql.list([source, kind, old_key, &origin.new_id, &origin.content_hash]);
        }
        if !tx.aside {
            sql.push(" ON CONFLICT (source, kind, old_key) DO UPDATE SET new_id = excluded.new_id, content_hash = excluded.content_hash");
        }
        tx.run_sql(sql).await?;
    }
    Ok(())
}

/// Writes down what a run did to records of one kind, over older notes; each old key at most once. How a record came stays as first noted.
pub async fn write_many(tx: &mut Tx, source: &str, kind: &str, run: i64, written: &[Written]) -> Result<()> {
    let head = "INSERT INTO origin (source, kind, old_key, new_id, content_hash, came, run, step, unused_hash) VALUES ";
    for some in evenly(written, rows_per_statement(9)) {
        let mut sql = Sql::new(head);
        for (n, w) in some.iter().enumerate() {
            if n > 0 {
                sql.push(", ");
            }
            let came = if w.step == Step::Replaced { Step::Replaced } else { Step::New };
            let origin = &w.origin;
            sql.list(args![
                source,
                kind,
                &w.old_key,
                &origin.new_id,
                &origin.content_hash,
                came.name(),
                run,
                w.step.name(),
                &w.unused_hash
            ]);
        }
        if !tx.aside {
            sql.push(
                " ON CONFLICT (source, kind, old_key) DO UPDATE SET new_id = excluded.new_id, content_hash = excluded.content_hash, \
                 run = excluded.run, step = excluded.step, unused_hash = excluded.unused_hash",
            );
        }
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

/// The book's lines of one kind by old key, those after `after` (all from the first, when empty), at most `limit`.
pub async fn entries(tx: &mut Tx, source: &str, kind: &str, after: &str, limit: u32) -> Result<Vec<Entry>> {
    let sql = "SELECT * FROM origin WHERE source = $1 AND kind = $2 AND old_key > $3 ORDER BY old_key LIMIT $4";
    tx.rows(sql, args![source, kind, after, limit]).await?.iter().map(read_entry).collect()
}

/// The old installations of which anything is noted.
pub async fn sources(tx: &mut Tx) -> Result<Vec<String>> {
    let rows = tx.rows("SELECT DISTINCT source FROM origin UNION SELECT DISTINCT source FROM upgrade_run ORDER BY source", args![]).await?;
    rows.iter().map(|r| r.text("source")).collect()
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

/// As [`forget`], for many; how many there were.
pub async fn forget_many(tx: &mut Tx, source: &str, kind: &str, old_keys: &[&str]) -> Result<u64> {
    let mut done = 0;
    for some in evenly(old_keys, rows_per_statement(1)) {
        let mut sql = Sql::new("DELETE FROM origin WHERE source = ");
        sql.bind(source).push(" AND kind = ").bind(kind).push(" AND old_key IN ").list(some.iter().copied());
        done += tx.run_sql(sql).await?;
    }
    Ok(done)
}

/// Records here that a source's book does not know: who else made them. Kinds are told apart by where they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Tenants, the super tenant left out.
    Tenants,
    /// Users.
    Users,
    /// Business plans.
    SubscriptionPolicies,
    /// Application policies.
    ApplicationPolicies,
    /// Advanced policies.
    AdvancedPolicies,
    /// Shared scopes.
    SharedScopes,
    /// APIs.
    Apis,
    /// Documents of APIs.
    Documents,
    /// Comments on APIs.
    Comments,
    /// Ratings of APIs.
    Ratings,
    /// Mediation sequences.
    Sequences,
    /// OAuth clients.
    Clients,
    /// Applications.
    Applications,
    /// Keys.
    KeyMappings,
    /// Subscriptions.
    Subscriptions,
}

impl Shelf {
    fn ids(self) -> &'static str {
        match self {
            Self::Tenants => "SELECT CAST(id AS TEXT) AS id FROM tenant WHERE id >= 0",
            Self::Users => "SELECT id FROM account",
            Self::SubscriptionPolicies => "SELECT id FROM policy WHERE family = 'subscription'",
            Self::ApplicationPolicies => "SELECT id FROM policy WHERE family = 'application'",
            Self::AdvancedPolicies => "SELECT id FROM policy WHERE family = 'advanced'",
            Self::SharedScopes => "SELECT id FROM shared_scope",
            Self::Apis => "SELECT id FROM api",
            Self::Documents => "SELECT id FROM document",
            Self::Comments => "SELECT id FROM comment",
            Self::Ratings => "SELECT id FROM rating",
            Self::Sequences => "SELECT id FROM sequence",
            Self::Clients => "SELECT id FROM client",
            Self::Applications => "SELECT id FROM application",
            Self::KeyMappings => "SELECT id FROM key_mapping",
            Self::Subscriptions => "SELECT id FROM subscription",
        }
    }
}

/// The ids on a shelf that a source's book does not hold under `kind`, sorted.
pub async fn strangers(tx: &mut Tx, source: &str, kind: &str, shelf: Shelf) -> Result<Vec<String>> {
    let mut sql = Sql::new(shelf.ids());
    sql.push(" EXCEPT SELECT new_id FROM origin WHERE source = ").bind(source).push(" AND kind = ").bind(kind).push(" ORDER BY id");
    tx.rows_sql(sql).await?.iter().map(|r| r.text("id")).collect()
}

fn read(row: &Row) -> Result<Origin> {
    Ok(Origin { new_id: row.text("new_id")?, content_hash: row.text("content_hash")? })
}

fn read_entry(row: &Row) -> Result<Entry> {
    let step = row.opt_text("step")?;
    Ok(Entry {
        old_key: row.text("old_key")?,
        origin: read(row)?,
        replaced: row.word("came", Step::parse)? == Step::Replaced,
        run: row.opt_int("run")?,
        step: step.as_deref().and_then(Step::parse),
        unused_hash: row.opt_text("unused_hash")?,
    })
}
