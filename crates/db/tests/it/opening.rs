//! Opening: migrations, keys, addresses that lead nowhere.

use db::{Db, DbUrl, Error, Sealer};
use sqlx::{AssertSqlSafe, Connection};

use crate::stage::{KEY, Stage, on_both};

on_both! {
    opening_twice_is_harmless,
    another_key_is_refused,
    a_newer_database_is_refused_by_name,
    an_altered_migration_is_refused,
    many_open_at_once,
    an_older_database_opened_as_it_is_is_refused_and_left_alone,
    a_current_one_is_opened_as_it_is_and_can_be_written_to,
}

async fn opening_twice_is_harmless(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    db::facts::put(&mut tx, "k", "v").await.unwrap();
    tx.commit().await.unwrap();
    let again = Db::open(&stage.url, Sealer::new(KEY)).await.unwrap();
    let mut tx = again.read().await.unwrap();
    assert_eq!(db::facts::get(&mut tx, "k").await.unwrap().as_deref(), Some("v"));
    drop(tx);
    again.close().await;
}

async fn another_key_is_refused(stage: Stage) {
    for key in [0, 41, 43, 255] {
        let error = Db::open(&stage.url, Sealer::new([key; 32])).await.unwrap_err();
        assert!(matches!(error, Error::WrongKey { .. }), "{error}");
        assert!(error.to_string().contains("encryption.key"));
    }
    Db::open(&stage.url, Sealer::new(KEY)).await.unwrap().close().await;
}

async fn execute(stage: &Stage, sql: &str) {
    if let Some(path) = stage.address.strip_prefix("sqlite:") {
        let mut conn = sqlx::SqliteConnection::connect(path).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    } else {
        let mut conn = sqlx::PgConnection::connect(&stage.address).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

async fn a_newer_database_is_refused_by_name(stage: Stage) {
    execute(&stage, "INSERT INTO schema_migration (number, name, checksum) VALUES (9000, 'attic', 'x')").await;
    let error = Db::open(&stage.url, Sealer::new(KEY)).await.unwrap_err();
    assert!(matches!(&error, Error::Newer { number: 9000, name } if name == "attic"), "{error}");
    assert!(error.to_string().contains("'attic'"));
}

async fn an_altered_migration_is_refused(stage: Stage) {
    execute(&stage, "UPDATE schema_migration SET checksum = 'x' WHERE number = 1").await;
    let error = Db::open(&stage.url, Sealer::new(KEY)).await.unwrap_err();
    assert!(matches!(error, Error::Altered { number: 1, .. }), "{error}");
}

async fn an_older_database_opened_as_it_is_is_refused_and_left_alone(stage: Stage) {
    let mut tx = stage.db.read().await.unwrap();
    let head = db::outbox::head(&mut tx).await.unwrap();
    drop(tx);
    execute(&stage, "DELETE FROM schema_migration; DROP TABLE fact").await;
    let refused = Db::open_as_it_is(&stage.url, Sealer::new(KEY)).await.unwrap_err();
    assert!(matches!(refused, Error::Older { has: 0, lacks: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("version 0") && refused.to_string().contains("tidegate serve"));
    // Neither a table nor a row came back.
    execute(&stage, "CREATE TABLE fact (name TEXT)").await;
    execute(&stage, "INSERT INTO schema_migration (number, name, checksum) VALUES (1, 'house', '')").await;
    assert_eq!(db::outbox::head(&mut stage.db.read().await.unwrap()).await.unwrap(), head);
}

async fn a_current_one_is_opened_as_it_is_and_can_be_written_to(stage: Stage) {
    assert!(matches!(Db::open_as_it_is(&stage.url, Sealer::new([1; 32])).await, Err(Error::WrongKey { .. })));
    let db = Db::open_as_it_is(&stage.url, Sealer::new(KEY)).await.unwrap();
    let mut tx = db.write().await.unwrap();
    db::facts::put(&mut tx, "k", "v").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db::facts::get(&mut db.read().await.unwrap(), "k").await.unwrap().as_deref(), Some("v"));
    db.close().await;
}

async fn many_open_at_once(stage: Stage) {
    if let Some(path) = stage.address.strip_prefix("sqlite:") {
        open_together(&DbUrl::parse(&format!("sqlite:{path}-fresh")).unwrap()).await;
    } else {
        execute(&stage, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
        open_together(&stage.url).await;
    }
}

async fn open_together(url: &DbUrl) {
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let url = url.clone();
        opening.spawn(async move { Db::open(&url, Sealer::new(KEY)).await });
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap().unwrap().close().await;
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_is_unavailable() {
    let home = tempfile::tempdir().unwrap();
    let url = DbUrl::sqlite(&home.path().join("missing").join("tidegate.db"));
    assert!(matches!(Db::open(&url, Sealer::new(KEY)).await, Err(Error::Unavailable(_))));
    std::fs::write(home.path().join("text"), "this is no database, only a text that is long enough to be looked at".repeat(99)).unwrap();
    let url = DbUrl::sqlite(&home.path().join("text"));
    assert!(matches!(Db::open(&url, Sealer::new(KEY)).await, Err(Error::Corrupt { .. })));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made_by_opening_it_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let url = DbUrl::sqlite(&home.path().join("tidegate.db"));
    assert!(matches!(Db::open_as_it_is(&url, Sealer::new(KEY)).await, Err(Error::Unavailable(_))));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_refusing_server_is_told_without_its_password() {
    // Port 1 is reserved and refuses; retrying is bounded.
    let url = DbUrl::parse("postgres://someone:hunter2@127.0.0.1:1/nowhere").unwrap();
    let error = Db::open(&url, Sealer::new(KEY)).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(!format!("{error:?}{url:?}").contains("hunter2"));
}
