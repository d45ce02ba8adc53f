//! Opening the database: pools, their settings, migrations, and the check that the encryption key is the right one.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::watch;

use crate::tx::{Conn, Tx};
use crate::url::{DbUrl, Place};
use crate::{Error, Result, Sealer, bulk, facts, migrate, outbox};

/// How long a caller waits for a connection before [`Error::Unavailable`].
const PATIENCE: Duration = Duration::from_secs(20);
/// How often opening is tried when a PostgreSQL server does not answer, and the first pause; each pause doubles.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

const SQLITE_READERS: u32 = 4;
/// Of one who works through everything once and answers nobody, where what connections keep at hand counts: an upgrade.
const SQLITE_READERS_ALONE: u32 = 2;
/// Between two tries at a SQLite file that another process is just making.
const SQLITE_PAUSE: Duration = Duration::from_millis(20);
const POSTGRES_CONNECTIONS: u32 = 16;
/// Statements kept prepared per connection.
const STATEMENTS: usize = 256;

/// The database. Cheap to clone; all clones share the same connections.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    sealer: Sealer,
    news: Arc<watch::Sender<i64>>,
    /// Whether this process has laid indexes aside; see [`bulk`].
    pub(crate) aside: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Pools {
    /// SQLite lets one writer in at a time. Ours queue in order at a pool of one connection, so none starves by busy retries, and readers,
    /// which WAL never blocks, have connections of their own.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self.pools, Pools::Postgres(_)) { "Db(PostgreSQL)" } else { "Db(SQLite)" })
    }
}

impl Db {
    /// Opens the database, creating a SQLite file where there is none, and brings its schema up to this binary's.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be reached (after some seconds of trying), [`Error::Newer`] or [`Error::Altered`] when the
    /// schema is not one this binary knows, [`Error::WrongKey`] when `sealer` is not the one the database was first opened with.
    pub async fn open(url: &DbUrl, sealer: Sealer) -> Result<Self> {
        Self::up_to_date(url, sealer, SQLITE_READERS).await
    }

    /// As [`Db::open`], for one who works through everything once, with few connections; never more than two readers at a time.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_alone(url: &DbUrl, sealer: Sealer) -> Result<Self> {
        Self::up_to_date(url, sealer, SQLITE_READERS_ALONE).await
    }

    async fn up_to_date(url: &DbUrl, sealer: Sealer, sqlite_readers: u32) -> Result<Self> {
        let pools = match &url.0 {
            Place::Sqlite(path) => sqlite(path, sqlite_readers).await?,
            Place::Postgres(options) => Pools::Postgres(postgres(options).await?),
        };
        let db = Self::of(pools, sealer);
        let mut tx = db.write().await?;
        migrate::up(&mut tx).await?;
        check_key(&mut tx).await?;
        let head = outbox::head(&mut tx).await?;
        tx.commit().await?;
        bulk::put_back(&db).await?;
        db.news.send_replace(head);
        Ok(db)
    }

    /// Opens a database that is there, with the schema it has, and writes nothing: no file, no table, no row. What is opened can be written
    /// to as any other, as after [`Db::open_alone`]. Only indexes that an interrupted upgrade left aside are built again, since nothing is found without them.
    ///
    /// # Errors
    /// As [`Db::open`], and [`Error::Older`] when its schema is not this binary's yet.
    pub async fn open_as_it_is(url: &DbUrl, sealer: Sealer) -> Result<Self> {
        let pools = match &url.0 {
            Place::Sqlite(path) => sqlite_as_it_is(path),
            Place::Postgres(options) => Pools::Postgres(postgres(options).await?),
        };
        let db = Self::of(pools, sealer);
        let mut tx = db.read().await?;
        migrate::check(&mut tx).await?;
        if !has_its_key(&mut tx).await? {
            return Err(Error::corrupt("fact", "the word that tells the encryption key is missing"));
        }
        let head = outbox::head(&mut tx).await?;
        drop(tx);
        bulk::put_back(&db).await?;
        db.news.send_replace(head);
        Ok(db)
    }

    fn of(pools: Pools, sealer: Sealer) -> Self {
        Self { pools, sealer, news: Arc::new(watch::channel(0).0), aside: Arc::default() }
    }

    /// A transaction for reading: sees one state of the whole database, however long it stays open. Writing in it fails.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection comes free.
    pub async fn read(&self) -> Result<Tx> {
        let conn = match &self.pools {
            Pools::Sqlite { readers, .. } => Conn::Sqlite(readers.begin().await?),
            Pools::Postgres(pool) => Conn::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?),
        };
        Ok(Tx::new(conn, self.sealer.clone(), Arc::clone(&self.news), self.aside.load(Ordering::Relaxed)))
    }

    /// A transaction for writing. On SQLite only one is open at a time, so keep it short, and never open a second while holding one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection comes free, or another process keeps the file locked.
    pub async fn write(&self) -> Result<Tx> {
        let conn = match &self.pools {
            Pools::Sqlite { writer, .. } => Conn::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => Conn::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?),
        };
        Ok(Tx::new(conn, self.sealer.clone(), Arc::clone(&self.news), self.aside.load(Ordering::Relaxed)))
    }

    /// Wakes when a transaction of this process has committed changes for the outbox; the value is the last number known here. Other
    /// processes' commits do not wake it: who shares a database also looks now and then.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.news.subscribe()
    }

    /// Closes all connections, waiting for open transactions.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

async fn sqlite(path: &Path, readers: u32) -> Result<Pools> {
    keep_to_owner(path)?;
    let options = sqlite_options(path);
    let writer = sqlite_writer(options.clone().create_if_missing(true)).await?;
    Ok(Pools::Sqlite { writer, readers: sqlite_readers(options, readers) })
}

/// Switching a new file to write-ahead logging takes the whole file, and where two processes do it at once SQLite refuses one of them without
/// waiting, whatever its busy timeout.
async fn sqlite_writer(options: SqliteConnectOptions) -> Result<SqlitePool> {
    let started = Instant::now();
    loop {
        match sqlite_pool(1).min_connections(1).connect_with(options.clone()).await {
            Err(sqlx::Error::Database(answer)) if is_busy(&*answer) && started.elapsed() < PATIENCE => {
                tokio::time::sleep(SQLITE_PAUSE).await
            }
            opened => return Ok(opened?),
        }
    }
}

/// `SQLITE_BUSY` and its kinds: the low byte of the extended code is 5.
fn is_busy(answer: &dyn DatabaseError) -> bool {
    answer.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

/// The writer connects when something is written, since settings made on connecting are writes too.
fn sqlite_as_it_is(path: &Path) -> Pools {
    let options = sqlite_options(path);
    Pools::Sqlite { writer: sqlite_pool(1).connect_lazy_with(options.clone()), readers: sqlite_readers(options, SQLITE_READERS_ALONE) }
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .pragma("trusted_schema", "OFF")
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-16384")
        .statement_cache_capacity(STATEMENTS)
        .optimize_on_close(true, 400)
}

fn sqlite_readers(options: SqliteConnectOptions, readers: u32) -> SqlitePool {
    sqlite_pool(readers).connect_lazy_with(options.pragma("query_only", "ON"))
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|conn, _| Box::pin(is_at_rest(conn)))
}

/// Makes the file, where there is none, readable for its owner only: it holds password hashes. SQLite gives the files it puts beside it
/// the same mode.
fn keep_to_owner(path: &Path) -> Result<()> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(fault) => Err(Error::from(sqlx::Error::Io(fault))),
    }
}

/// Whether a connection may go back to its pool. After a full disk or a failed read SQLite has rolled back by itself; the driver's own
/// rollback then fails and leaves the connection counting an open transaction for ever, so it has to be closed.
async fn is_at_rest(conn: &mut SqliteConnection) -> std::result::Result<bool, sqlx::Error> {
    conn.ping().await?;
    Ok(!conn.is_in_transaction())
}

async fn postgres(options: &PgConnectOptions) -> Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .after_connect(|conn, _| {
            Box::pin(async move {
                // Set by statement, not as start-up options, which connection poolers in between refuse.
                sqlx::raw_sql(
                    "SET statement_timeout = '60s'; SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '120s'; \
                     SET client_min_messages = 'warning'; SET TIME ZONE 'UTC'",
                )
                .execute(conn)
                .await
                .map(drop)
            })
        })
        .connect_lazy_with(options.clone().application_name("tidegate").statement_cache_capacity(STATEMENTS));
    let mut pause = FIRST_PAUSE;
    for left in (0..TRIES).rev() {
        match first_connection(options).await {
            Ok(()) => return Ok(pool),
            Err(error) if left == 0 || !error.1 => return Err(error.0),
            Err(error) => tracing::warn!(error = %error.0, tries_left = left, "the PostgreSQL server does not answer yet"),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Ok(pool)
}

/// Connects once, outside the pool, which would hide a refusal behind its own patience. The flag says whether trying again may help.
async fn first_connection(options: &PgConnectOptions) -> std::result::Result<(), (Error, bool)> {
    let refused = match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(conn)) => return conn.close().await.map_err(|e| (e.into(), true)),
        Ok(Err(error)) => error,
        Err(_) => sqlx::Error::PoolTimedOut,
    };
    // A server that is starting up says 57P03; any other answer (unknown database, wrong password) will not change by waiting.
    let may_help = match &refused {
        sqlx::Error::Database(answer) => answer.code().is_some_and(|c| c == "57P03" || c.starts_with("53")),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        _ => false,
    };
    Err((refused.into(), may_help))
}

/// A word that is kept sealed, so that a lost key is told at once.
const KEY_CHECK: &str = "encryption key check";
const KEY_CHECK_COLUMN: &str = "fact.value";

/// Seals the known word at the first start and opens it at every later one.
async fn check_key(tx: &mut Tx) -> Result<()> {
    if has_its_key(tx).await? {
        return Ok(());
    }
    let sealed = tx.sealer.seal(KEY_CHECK_COLUMN, KEY_CHECK, b"tidegate")?;
    facts::put(tx, KEY_CHECK, &crate::seal::hex(&sealed)).await
}

/// Whether the known word is there, and then sealed with our key: another key is an error.
async fn has_its_key(tx: &mut Tx) -> Result<bool> {
    let Some(sealed) = facts::get(tx, KEY_CHECK).await? else { return Ok(false) };
    let wrong = || Error::WrongKey { what: "this database".to_owned() };
    let sealed = unhex(&sealed).ok_or_else(wrong)?;
    tx.sealer.open(KEY_CHECK_COLUMN, KEY_CHECK, &sealed).map_err(|_| wrong())?;
    Ok(true)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full disk is played by SQLite's own page limit, which answers with the same code.
    #[tokio::test]
    async fn a_full_disk_is_told_and_loses_nothing() {
        let home = tempfile::tempdir().unwrap();
        let url = DbUrl::sqlite(&home.path().join("tidegate.db"));
        let db = Db::open(&url, Sealer::new([1; 32])).await.unwrap();
        let mut tx = db.write().await.unwrap();
        facts::put(&mut tx, "before", "kept").await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write().await.unwrap();
        tx.script("PRAGMA max_page_count = 1").await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write().await.unwrap();
        let error = facts::put(&mut tx, "big", &"x".repeat(1 << 20)).await.unwrap_err();
        assert!(matches!(error, Error::Full(_)), "{error:?}");
        assert!(matches!(facts::put(&mut tx, "after", "lost").await, Err(Error::Aborted)));
        assert!(matches!(tx.commit().await, Err(Error::Aborted)));
        // The limit went with its connection: there is room again.
        let mut tx = db.write().await.unwrap();
        assert_eq!(facts::get(&mut tx, "before").await.unwrap().as_deref(), Some("kept"));
        assert_eq!(facts::get(&mut tx, "big").await.unwrap(), None);
        assert_eq!(facts::get(&mut tx, "after").await.unwrap(), None);
        facts::put(&mut tx, "big", &"x".repeat(1 << 20)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A crash may lose what was not committed, never what was.
    #[tokio::test]
    async fn sqlite_is_set_for_safety() {
        let home = tempfile::tempdir().unwrap();
        let url = DbUrl::sqlite(&home.path().join("tidegate.db"));
        let db = Db::open(&url, Sealer::new([1; 32])).await.unwrap();
        let mut tx = db.write().await.unwrap();
        for (pragma, column, expected) in [("PRAGMA synchronous", "synchronous", 2), ("PRAGMA foreign_keys", "foreign_keys", 1)] {
            assert_eq!(tx.row(pragma, Vec::new()).await.unwrap().unwrap().int(column).unwrap(), expected, "{pragma}");
        }
        assert_eq!(tx.row("PRAGMA journal_mode", Vec::new()).await.unwrap().unwrap().text("journal_mode").unwrap(), "wal");
        drop(tx);
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.row("PRAGMA query_only", Vec::new()).await.unwrap().unwrap().int("query_only").unwrap(), 1);
    }
}
