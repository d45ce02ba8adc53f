//! One transaction over either driver. This file and `open` are the only ones that know which.
//!
//! A transaction ends by [`Tx::commit`] or by being dropped, which rolls back. After a failed statement it takes no other and cannot
//! commit, on SQLite as on PostgreSQL. That is not only for likeness: on a full disk SQLite rolls back by itself, and statements that came
//! after would each commit alone.
//!
//! Changes for the outbox are gathered here and written as the last thing before the commit. Their numbers come from one counter row,
//! locked until the commit is through: so numbers follow the order of commits, nobody waits for the row longer than a commit takes, and,
//! being always the last lock taken, it cannot be part of a deadlock.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction};
use tokio::sync::watch;

use crate::outbox::{self, Change};
use crate::sql::{Row, Sql, Value, args, evenly, rows_per_statement};
use crate::{Error, Result, Sealer};

/// An open transaction. Dropping it rolls back.
pub struct Tx {
    conn: Conn,
    failed: bool,
    changes: Vec<Change>,
    noted: HashSet<Change>,
    pub(crate) sealer: Sealer,
    news: Arc<watch::Sender<i64>>,
    /// Whether unique rules are laid aside, so that no statement may name one; see [`crate::bulk`].
    pub(crate) aside: bool,
}

pub(crate) enum Conn {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($text));
        for value in $values {
            query = match value {
                Value::Int(v) => query.bind(v),
                Value::Text(v) => query.bind(v),
                Value::Bool(v) => query.bind(v),
                Value::Bytes(v) => query.bind(v),
            };
        }
        query
    }};
}

impl Tx {
    pub(crate) fn new(conn: Conn, sealer: Sealer, news: Arc<watch::Sender<i64>>, aside: bool) -> Self {
        Self { conn, failed: false, changes: Vec::new(), noted: HashSet::new(), sealer, news, aside }
    }

    /// Makes everything done in it lasting. Once this returns, the work survives a killed process and a lost power supply.
    ///
    /// # Errors
    /// [`Error::Aborted`] when a verb failed before; [`Error::Contended`] when PostgreSQL found the work in another's way. Nothing was
    /// kept then.
    pub async fn commit(mut self) -> Result<()> {
        self.check()?;
        let changes = std::mem::take(&mut self.changes);
        let last = outbox::write(&mut self, &changes).await?;
        match self.conn {
            Conn::Sqlite(tx) => tx.commit().await,
            Conn::Postgres(tx) => tx.commit().await,
        }?;
        if let Some(last) = last {
            self.news.send_if_modified(|seen| (last > *seen).then(|| *seen = last).is_some());
        }
        Ok(())
    }

    /// Undoes everything done in it. Dropping does the same, only without waiting for it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the connection was lost; the work is undone all the same.
    pub async fn rollback(self) -> Result<()> {
        match self.conn {
            Conn::Sqlite(tx) => tx.rollback().await,
            Conn::Postgres(tx) => tx.rollback().await,
        }
        .map_err(Error::from)
    }

    pub(crate) fn note(&mut self, change: Change) {
        if self.noted.insert(change.clone()) {
            self.changes.push(change);
        }
    }

    /// Runs a statement; how many rows it touched.
    pub(crate) async fn run(&mut self, text: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Result<u64> {
        self.check()?;
        let text = text.into();
        let done = match &mut self.conn {
            Conn::Sqlite(tx) => bound!(text, values).execute(&mut **tx).await.map(|d| d.rows_affected()),
            Conn::Postgres(tx) => bound!(text, values).execute(&mut **tx).await.map(|d| d.rows_affected()),
        };
        self.settle(done)
    }

    /// The rows a statement answers.
    pub(crate) async fn rows(&mut self, text: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Result<Vec<Row>> {
        self.check()?;
        let text = text.into();
        let rows = match &mut self.conn {
            Conn::Sqlite(tx) => bound!(text, values).fetch_all(&mut **tx).await.map(|r| r.into_iter().map(Row::Sqlite).collect()),
            Conn::Postgres(tx) => bound!(text, values).fetch_all(&mut **tx).await.map(|r| r.into_iter().map(Row::Postgres).collect()),
        };
        self.settle(rows)
    }

    /// The first row, if there is one.
    pub(crate) async fn row(&mut self, text: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Result<Option<Row>> {
        self.check()?;
        let text = text.into();
        let row = match &mut self.conn {
            Conn::Sqlite(tx) => bound!(text, values).fetch_optional(&mut **tx).await.map(|r| r.map(Row::Sqlite)),
            Conn::Postgres(tx) => bound!(text, values).fetch_optional(&mut **tx).await.map(|r| r.map(Row::Postgres)),
        };
        self.settle(row)
    }

    pub(crate) async fn run_sql(&mut self, sql: Sql) -> Result<u64> {
        let (text, values) = sql.into_parts(self.is_postgres());
        self.run(text, values).await
    }

    pub(crate) async fn rows_sql(&mut self, sql: Sql) -> Result<Vec<Row>> {
        let (text, values) = sql.into_parts(self.is_postgres());
        self.rows(text, values).await
    }

    /// The column `n` of a statement that counts.
    pub(crate) async fn count(&mut self, text: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Result<u64> {
        let row = self.row(text, values).await?.ok_or_else(|| Error::corrupt("count", "no row was answered"))?;
        row.count("n")
    }

    pub(crate) async fn count_sql(&mut self, sql: Sql) -> Result<u64> {
        let (text, values) = sql.into_parts(self.is_postgres());
        self.count(text, values).await
    }

    /// `INSERT` of many rows in as few statements as their number allows. `head` ends before `VALUES`; each row has the same number of values.
    pub(crate) async fn insert_rows(&mut self, head: &'static str, rows: Vec<Vec<Value>>) -> Result<u64> {
        let Some(columns) = rows.first().map(Vec::len) else { return Ok(0) };
        let lengths: Vec<usize> = evenly(&rows, rows_per_statement(columns)).map(<[_]>::len).collect();
        let (mut rows, mut done) = (rows.into_iter(), 0);
        for length in lengths {
            let mut sql = Sql::new(head);
            sql.push(" VALUES ");
            for (n, row) in rows.by_ref().take(length).enumerate() {
                if n > 0 {
                    sql.push(", ");
                }
                sql.list(row);
            }
            done += self.run_sql(sql).await?;
        }
        Ok(done)
    }

    /// The next number of a counter. On PostgreSQL the counter's row stays locked until the transaction ends.
    pub(crate) async fn advance(&mut self, counter: &'static str, by: i64) -> Result<i64> {
        let row = self.row("UPDATE counter SET value = value + $2 WHERE name = $1 RETURNING value", args![counter, by]).await?;
        row.ok_or_else(|| Error::corrupt(format!("counter {counter}"), "it is missing"))?.int("value")
    }

    fn check(&self) -> Result<()> {
        if self.failed { Err(Error::Aborted) } else { Ok(()) }
    }

    fn settle<T>(&mut self, outcome: std::result::Result<T, sqlx::Error>) -> Result<T> {
        outcome.map_err(|error| {
            self.failed = true;
            Error::from(error)
        })
    }

    /// Several statements without values, as migrations hold them.
    pub(crate) async fn script(&mut self, text: &'static str) -> Result<()> {
        self.check()?;
        let done = match &mut self.conn {
            Conn::Sqlite(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
            Conn::Postgres(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
        };
        self.settle(done)
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.conn, Conn::Postgres(_))
    }
}
