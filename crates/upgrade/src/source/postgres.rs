//! A running PostgreSQL, read in one repeatable-read, read-only transaction.
//!
//! Statements go through the simple query protocol, so every cell arrives as text and no driver decoding can refuse an odd
//! type; `bytea` comes as hex.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row as _,
    postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode},
};
use tokio::sync::Mutex;

use super::{
    Buckets, CELL_MAX_BYTES, Column, Kind, Misfit, Row, Rows, SourceError, Sum, Table, Value, dump,
    location::{Server, Tls},
    rows::Filling,
    value::FILE_BYTES,
};

#[derive(Debug)]
pub(super) struct Postgres {
    connection: Arc<Mutex<PgConnection>>,
}

impl Postgres {
    pub(super) async fn open(server: &Server) -> Result<(Self, Vec<Table>), SourceError> {
        // `new_without_pgpass`: what was typed is all that counts, no ambient password file.
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&server.host)
            .port(server.port)
            .username(&server.user)
            .database(&server.database)
            .ssl_mode(match server.tls {
                Tls::Preferred => PgSslMode::Prefer,
                Tls::Off => PgSslMode::Disable,
                Tls::Required => PgSslMode::Require,
            })
            .statement_cache_capacity(0)
            .disable_statement_logging();
        if let Some(password) = &server.password {
            options = options.password(password.expose());
        }
        let unreachable =
            |cause: sqlx::Error| SourceError::Unreachable { engine: "PostgreSQL", address: server.address(), cause: Box::new(cause) };
        let mut connection = PgConnection::connect_with(&options).await.map_err(unreachable)?;
        // A reader that writes elsewhere between two batches may pause longer than the server's patience.
        let patience = ["SET statement_timeout = 0", "SET idle_in_transaction_session_timeout = 0"];
        for sql in patience.into_iter().chain(["SET bytea_output = 'hex'", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]) {
            sqlx::raw_sql(sql).execute(&mut connection).await.map_err(unreachable)?;
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
            let word = |at| cell(row, at).map(Option::unwrap_or_default);
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
        let count = cell(&row, 0).map_err(failed)?.and_then(|text| text.parse().ok());
        count.ok_or_else(|| SourceError::Interrupted { table: table.name.clone() })
    }

    /// See [`super::Source::count_by`].
    pub(super) async fn count_by(&self, table: &Table, column: &str, shown: &str) -> Result<Vec<(Option<String>, u64)>, SourceError> {
        let failed = |cause: sqlx::Error| SourceError::Read { table: table.name.clone(), from: shown.to_owned(), cause: Box::new(cause) };
        let column = quoted(table.spelled(column));
        let sql = format!("SELECT {column}, COUNT(*) FROM {} GROUP BY 1", quoted(&table.name));
        let mut connection = self.connection.lock().await;
        let mut found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut *connection);
        let mut counts = Vec::new();
        while let Some(row) = found.try_next().await.map_err(failed)? {
            let count = cell(&row, 1).map_err(failed)?.and_then(|text| text.parse().ok());
            let count = count.ok_or_else(|| SourceError::Interrupted { table: table.name.clone() })?;
            counts.push((cell(&row, 0).map_err(failed)?, count));
        }
        Ok(counts)
    }
}

/// The bucket of a key, as SQL.
fn bucket(table: &Table, key: &str, of: u32) -> String {
    // As the table spells it: PostgreSQL cares.
    let key = table.spelled(key);
    format!("(('x' || left(md5(coalesce({}::text, '')), 7))::bit(28)::int % {of})", quoted(key))
}

/// A digest of a whole row, as SQL: every column with its length, so that no two rows read alike, and 60 bits of its MD5. Their sum tells a
/// changed row but for one in 2^60, and unlike an exclusive or it tells it where rows stand doubled.
fn digest(table: &Table) -> String {
    let columns: Vec<String> =
        table.columns.iter().map(|c| quoted(&c.name)).map(|c| format!("coalesce(length({c}::text) || ':' || {c}::text, '-')")).collect();
    format!("('x' || left(md5({}), 15))::bit(60)::bigint", columns.join(" || "))
}

async fn fill(
    connection: &Mutex<PgConnection>,
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
        let is_large = format!("octet_length({cell}) > {CELL_MAX_BYTES}");
        *cell = format!("CASE WHEN {is_large} THEN NULL ELSE {cell} END");
        columns.push(is_large);
    }
    let sql = format!("SELECT {} FROM {}{condition}", columns.join(", "), quoted(&table.name));
    let mut found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut *connection);
    let mut number = 0;
    while let Some(raw) = found.try_next().await.map_err(failed)? {
        number += 1;
        let mut values = Vec::with_capacity(table.columns.len());
        for (at, column) in table.columns.iter().enumerate() {
            let misfit = |why| SourceError::from(Row::new(Arc::clone(table), number, Vec::new()).misfit(&column.name, why));
            values.push(match cell(&raw, at).map_err(failed)? {
                None if files == Some(at) && cell(&raw, table.columns.len()).map_err(failed)?.as_deref() == Some("t") => Value::TooLarge,
                None => Value::Null,
                // Hex doubles the size on the wire.
                Some(text) if text.len() > 2 * CELL_MAX_BYTES + 2 => Value::TooLarge,
                Some(text) if column.kind == Kind::Bytes => {
                    Value::Bytes(dump::bytea(text.as_bytes()).ok_or_else(|| misfit(Misfit::NotText))?)
                }
                Some(text) => Value::from_text_form(column.kind, text.into_bytes()),
            });
        }
        if !filling.push(Row::new(Arc::clone(table), number, values)).await {
            return Ok(());
        }
    }
    Ok(())
}

async fn schema(connection: &mut PgConnection) -> Result<Vec<Table>, sqlx::Error> {
    let sql = "SELECT c.table_name::text, c.column_name::text, c.data_type::text FROM information_schema.columns c \
               JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
               WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position";
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in sqlx::raw_sql(sql).fetch_all(connection).await? {
        let (table, column, kind) = (cell(&row, 0)?, cell(&row, 1)?, cell(&row, 2)?);
        let column = Column { name: column.unwrap_or_default(), kind: Kind::of_sql_type(&kind.unwrap_or_default()) };
        tables.entry(table.unwrap_or_default()).or_default().push(column);
    }
    Ok(tables.into_iter().map(|(name, columns)| Table::new(name, columns)).collect())
}

/// A cell of the simple query protocol as the text on the wire.
fn cell(row: &PgRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    row.try_get_unchecked(at)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
