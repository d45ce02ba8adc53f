//! A running MySQL or MariaDB, read in one consistent read-only snapshot.
//!
//! Statements go through the text protocol, so every cell arrives as the characters the server would print: no driver
//! decoding can refuse a zero date or an odd type. The session keeps the server's own time zone (the driver would set UTC),
//! because the old product wrote and read wall clocks in it.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row as _,
    mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode},
};
use tokio::sync::Mutex;

use super::{
    Buckets, CELL_MAX_BYTES, Column, Kind, Row, Rows, SourceError, Sum, Table, Value,
    location::{Server, Tls},
    rows::Filling,
    value::FILE_BYTES,
};

#[derive(Debug)]
pub(super) struct MySql {
    connection: Arc<Mutex<MySqlConnection>>,
}

impl MySql {
    pub(super) async fn open(server: &Server) -> Result<(Self, Vec<Table>), SourceError> {
        let mut options = MySqlConnectOptions::new()
            .host(&server.host)
            .port(server.port)
            .username(&server.user)
            .database(&server.database)
            .ssl_mode(match server.tls {
                Tls::Preferred => MySqlSslMode::Preferred,
                Tls::Off => MySqlSslMode::Disabled,
                Tls::Required => MySqlSslMode::Required,
            })
            .timezone(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        if let Some(password) = &server.password {
            options = options.password(password.expose());
        }
        let unreachable =
            |cause: sqlx::Error| SourceError::Unreachable { engine: "MySQL", address: server.address(), cause: Box::new(cause) };
        let mut connection = MySqlConnection::connect_with(&options).await.map_err(unreachable)?;
        // A reader that writes elsewhere between two batches may pause longer than the server's patience.
        run(&mut connection, "SET SESSION net_write_timeout = 86400, SESSION wait_timeout = 86400").await.map_err(unreachable)?;
        run(&mut connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.map_err(unreachable)?;
        // Servers before 5.6.5 know no READ ONLY here; there the snapshot alone must do, and we send nothing but SELECT.
        if run(&mut connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.is_err() {
            run(&mut connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT").await.map_err(unreachable)?;
        }
        let tables = schema(&mut connection).await.map_err(unreachable)?;
        Ok((Self { connection: Arc::new(Mutex::new(connection)) }, tables))
    }

    pub(super) fn scan(&self, table: Arc<Table>, shown: &str) -> Rows {
        self.scan_where(table, shown, String::new())
    }

    /// Rows of some buckets, as [`sums`] makes them.
    pub(super) fn scan_some(&self, table: Arc<Table>, of: &Buckets, shown: &str) -> Rows {
        let some: Vec<String> = of.some.iter().map(u32::to_string).collect();
        // A list of none is no SQL; no bucket has this number.
        let some = if some.is_empty() { "-1".to_owned() } else { some.join(",") };
        let condition = format!(" WHERE {} IN ({some})", bucket(&table, &of.key, of.of));
        self.scan_where(table, shown, condition)
    }

    fn scan_where(&self, table: Arc<Table>, shown: &str, condition: String) -> Rows {
        let (mut filling, rows) = Rows::channel(&table.name);
        let connection = Arc::clone(&self.connection);
        let shown = shown.to_owned();
        tokio::spawn(async move {
            let outcome = fill(&connection, &table, &shown, &condition, &mut filling).await;
            filling.finish(outcome).await;
        });
        rows
    }

    pub(super) async fn sums(&self, table: &Table, key: &str, of: u32, shown: &str) -> Result<Vec<Sum>, SourceError> {
        let failed = |cause: sqlx::Error| SourceError::Read { table: table.name.clone(), from: shown.to_owned(), cause: Box::new(cause) };
        let (bucket, digest) = (bucket(table, key, of), digest(table));
        let sql = format!("SELECT {bucket}, COUNT(*), SUM({digest}) FROM {} GROUP BY 1", quoted(&table.name));
        let mut connection = self.connection.lock().await;
        let mut found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut *connection);
        let mut sums = Vec::new();
        while let Some(row) = found.try_next().await.map_err(failed)? {
            let row = &row;
            let word = |at| cell(row, at).map(|bytes| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned());
            let (bucket, rows, sum) = (word(0).map_err(failed)?, word(1).map_err(failed)?, word(2).map_err(failed)?);
            let bucket = bucket.parse().map_err(|_| SourceError::Interrupted { table: table.name.clone() })?;
            sums.push(Sum { bucket, words: format!("{rows} {sum}") });
        }
        Ok(sums)
    }

    pub(super) async fn count(&self, table: &Table, shown: &str) -> Result<u64, SourceError> {
        let failed = |cause: sqlx::Error| SourceError::Read { table: table.name.clone(), from: shown.to_owned(), cause: Box::new(cause) };
        let mut connection = self.connection.lock().await;
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.map_err(failed)?;
        let text = cell(&row, 0).map_err(failed)?.unwrap_or_default();
        match Value::from_text_form(Kind::Int, text).int() {
            Ok(Some(count)) => Ok(u64::try_from(count).unwrap_or(0)),
            _ => Err(SourceError::Interrupted { table: table.name.clone() }),
        }
    }

    /// See [`super::Source::count_by`].
    pub(super) async fn count_by(&self, table: &Table, column: &str, shown: &str) -> Result<Vec<(Option<String>, u64)>, SourceError> {
        let failed = |cause: sqlx::Error| SourceError::Read { table: table.name.clone(), from: shown.to_owned(), cause: Box::new(cause) };
        let column = quoted(table.spelled(column));
        // By bytes: two names that differ in case are two.
        let sql = format!("SELECT CAST({column} AS BINARY), COUNT(*) FROM {} GROUP BY 1", quoted(&table.name));
        let mut connection = self.connection.lock().await;
        let mut found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut *connection);
        let mut counts = Vec::new();
        while let Some(row) = found.try_next().await.map_err(failed)? {
            let count = cell(&row, 1).map_err(failed)?.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
            let count = count.ok_or_else(|| SourceError::Interrupted { table: table.name.clone() })?;
            counts.push((cell(&row, 0).map_err(failed)?.and_then(|text| String::from_utf8(text).ok()), count));
        }
        Ok(counts)
    }
}

/// The bucket of a key, as SQL. By the bytes of the key: two spellings that the column's collation calls equal may lie in two buckets.
fn bucket(table: &Table, key: &str, of: u32) -> String {
    // As the table spells it: PostgreSQL cares.
    let key = table.position(key).and_then(|at| table.columns.get(at)).map_or(key, |c| c.name.as_str());
    format!("CRC32({}) % {of}", quoted(key))
}

/// A digest of a whole row, as SQL: every column with its length, so that no two rows read alike, and 60 bits of its MD5. Their sum tells a
/// changed row but for one in 2^60, and unlike an exclusive or it tells it where rows stand doubled.
fn digest(table: &Table) -> String {
    let columns: Vec<String> =
        table.columns.iter().map(|c| quoted(&c.name)).map(|c| format!("IFNULL(CONCAT(LENGTH({c}), ':', {c}), '-')")).collect();
    format!("CAST(CONV(LEFT(MD5(CONCAT({})), 15), 16, 10) AS UNSIGNED)", columns.join(", "))
}

async fn fill(
    connection: &Mutex<MySqlConnection>,
    table: &Arc<Table>,
    shown: &str,
    condition: &str,
    filling: &mut Filling,
) -> Result<(), SourceError> {
    let failed = |cause: sqlx::Error| SourceError::Read { table: table.name.clone(), from: shown.to_owned(), cause: Box::new(cause) };
    let mut connection = connection.lock().await;
    let mut columns: Vec<String> = table.columns.iter().map(|c| quoted(&c.name)).collect();
    // A file too large to read is not fetched either.
    let files = table.position(FILE_BYTES);
    if let Some(cell) = files.and_then(|at| columns.get_mut(at)) {
        let is_large = format!("LENGTH({cell}) > {CELL_MAX_BYTES}");
        *cell = format!("IF({is_large}, NULL, {cell})");
        columns.push(is_large);
    }
    let sql = format!("SELECT {} FROM {}{condition}", columns.join(", "), quoted(&table.name));
    let mut found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut *connection);
    let mut number = 0;
    while let Some(raw) = found.try_next().await.map_err(failed)? {
        number += 1;
        let mut values = Vec::with_capacity(table.columns.len());
        for (at, column) in table.columns.iter().enumerate() {
            let value = cell(&raw, at).map_err(failed)?;
            values.push(match value {
                None if files == Some(at) && cell(&raw, table.columns.len()).map_err(failed)?.as_deref() == Some(b"1") => Value::TooLarge,
                None => Value::Null,
                Some(bytes) if bytes.len() > CELL_MAX_BYTES => Value::TooLarge,
                Some(bytes) if column.kind == Kind::Bytes => Value::Bytes(bytes),
                Some(bytes) => Value::from_text_form(column.kind, bytes),
            });
        }
        if !filling.push(Row::new(Arc::clone(table), number, values)).await {
            return Ok(());
        }
    }
    Ok(())
}

async fn run(connection: &mut MySqlConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

async fn schema(connection: &mut MySqlConnection) -> Result<Vec<Table>, sqlx::Error> {
    let sql = "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE FROM information_schema.COLUMNS c \
               JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
               WHERE c.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION";
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in sqlx::raw_sql(sql).fetch_all(connection).await? {
        let text = |at| cell(&row, at).map(|bytes| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned());
        let (table, column, kind) = (text(0)?, text(1)?, text(2)?);
        tables.entry(table).or_default().push(Column { name: column, kind: Kind::of_sql_type(&kind) });
    }
    Ok(tables.into_iter().map(|(name, columns)| Table::new(name, columns)).collect())
}

/// A cell of the text protocol as the bytes on the wire.
fn cell(row: &MySqlRow, at: usize) -> Result<Option<Vec<u8>>, sqlx::Error> {
    row.try_get_unchecked(at)
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
