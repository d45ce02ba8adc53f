//! Both databases have the same schema: tables, columns, unique rules, and names by which a clash is told.

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use crate::stage::{Stage, on_postgres};

type Schema = BTreeMap<String, Shape>;

#[derive(Debug, Default, PartialEq)]
struct Shape {
    /// Columns in order, with whether they may be null.
    columns: Vec<(String, bool)>,
    /// Unique rules as `table__column__column`, sorted.
    rules: Vec<String>,
    /// Names of further indexes, sorted.
    indexes: Vec<String>,
    /// `columns -> table`, sorted, with what a deletion does.
    references: Vec<String>,
}

#[test]
fn both_databases_have_the_same_schema() {
    on_postgres(|stage: Stage| async move {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tidegate.db");
        let url = db::DbUrl::sqlite(&path);
        db::Db::open(&url, db::Sealer::new(crate::stage::KEY)).await.unwrap().close().await;
        let sqlite = of_sqlite(path.to_str().unwrap()).await;
        let postgres = of_postgres(&stage.address).await;
        assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
        assert!(sqlite.len() > 25);
        for (table, shape) in &sqlite {
            assert_eq!(shape, &postgres[table], "{table}");
        }
    });
}

async fn of_sqlite(path: &str) -> Schema {
    let mut conn = SqliteConnection::connect(path).await.unwrap();
    let mut schema = Schema::new();
    for row in sqlite(&mut conn, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", "").await {
        let table: String = row.get(0);
        let shape = Shape {
            columns: sqlite(&mut conn, "SELECT name, \"notnull\" = 0 AND pk = 0 FROM pragma_table_info($1) ORDER BY cid", &table)
                .await
                .iter()
                .map(|r| (r.get(0), r.get(1)))
                .collect(),
            rules: words(
                &mut conn,
                "SELECT $1 || '__' || group_concat(name, '__') AS rule FROM (SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk) \
                 HAVING count(*) > 0 \
                 UNION SELECT $1 || '__' || (SELECT group_concat(name, '__') FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno)) \
                 FROM pragma_index_list($1) l WHERE l.\"unique\" = 1 AND l.origin <> 'pk' ORDER BY rule",
                &table,
            )
            .await,
            indexes: words(&mut conn, "SELECT name FROM pragma_index_list($1) WHERE origin = 'c' AND \"unique\" = 0 ORDER BY name", &table).await,
            references: words(
                &mut conn,
                "SELECT \"from\" || ' -> ' || \"table\" || ' ' || on_delete AS line FROM pragma_foreign_key_list($1) ORDER BY line",
                &table,
            )
            .await,
        };
        schema.insert(table, shape);
    }
    conn.close().await.unwrap();
    schema
}

async fn sqlite(conn: &mut SqliteConnection, sql: &'static str, table: &str) -> Vec<sqlx::sqlite::SqliteRow> {
    sqlx::query(sql).bind(table).fetch_all(conn).await.unwrap()
}

async fn words(conn: &mut SqliteConnection, sql: &'static str, table: &str) -> Vec<String> {
    sqlite(conn, sql, table).await.iter().map(|r| r.get(0)).collect()
}

async fn of_postgres(address: &str) -> Schema {
    let mut conn = PgConnection::connect(address).await.unwrap();
    let mut schema = Schema::new();
    let sql = "SELECT table_name::text, column_name::text, is_nullable = 'YES' FROM information_schema.columns \
               WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
    for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
        schema.entry(row.get(0)).or_default().columns.push((row.get(1), row.get(2)));
    }
    // The rule's own name is what a clash is told by, so it is the name that must tell table and columns. Two tables have keys nobody
    // can clash with, and PostgreSQL's own names for them.
    let sql = "SELECT conrelid::regclass::text, conname::text FROM pg_constraint WHERE contype IN ('p', 'u') \
               AND connamespace = 'public'::regnamespace ORDER BY conname COLLATE \"C\"";
    for (table, name) in pairs(&mut conn, sql).await {
        let rule = match name.as_str() {
            "lifecycle_event_pkey" => "lifecycle_event__seq".to_owned(),
            "schema_migration_pkey" => "schema_migration__number".to_owned(),
            _ => name,
        };
        schema.entry(table).or_default().rules.push(rule);
    }
    let sql = "SELECT tablename::text, indexname::text FROM pg_indexes WHERE schemaname = 'public' \
               AND indexname NOT IN (SELECT conname FROM pg_constraint) ORDER BY indexname COLLATE \"C\"";
    for (table, name) in pairs(&mut conn, sql).await {
        schema.entry(table).or_default().indexes.push(name);
    }
    let sql = "SELECT conrelid::regclass::text, a.attname || ' -> ' || confrelid::regclass || \
               CASE confdeltype WHEN 'c' THEN ' CASCADE' ELSE ' NO ACTION' END AS line \
               FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
               WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 2";
    for (table, line) in pairs(&mut conn, sql).await {
        schema.entry(table).or_default().references.push(line);
    }
    schema.values_mut().for_each(|shape| shape.references.sort());
    conn.close().await.unwrap();
    schema
}

async fn pairs(conn: &mut PgConnection, sql: &'static str) -> Vec<(String, String)> {
    sqlx::query(sql).fetch_all(conn).await.unwrap().iter().map(|r| (r.get(0), r.get(1))).collect()
}
