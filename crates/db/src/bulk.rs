//! Indexes laid aside while millions of rows come in.
//!
//! Each row of a token goes to a random place in six indexes, and each such place is a page that SQLite writes twice. Beyond some hundred
//! thousand rows that is most of the work; building the indexes once afterwards sorts instead. PostgreSQL copes, and keeps them.
//!
//! While they are aside nothing is looked up quickly and no unique rule holds, so only an upgrade does this, on an installation that holds
//! no token yet. An interruption leaves them aside, and committed: whoever opens the database puts them back first.

use std::sync::atomic::Ordering;

use crate::sql::args;
use crate::{Db, Result, Tx};

/// Name and statement, as the migrations leave them; a test compares.
const INDEXES: [(&str, &str); 14] = [
    ("origin__source__kind__old_key", "CREATE UNIQUE INDEX IF NOT EXISTS origin__source__kind__old_key ON origin (source, kind, old_key)"),
    ("subscription__id", "CREATE UNIQUE INDEX IF NOT EXISTS subscription__id ON subscription (id)"),
    (
        "subscription__application__api",
        "CREATE UNIQUE INDEX IF NOT EXISTS subscription__application__api ON subscription (application, api)",
    ),
    ("subscription_by_api", "CREATE INDEX IF NOT EXISTS subscription_by_api ON subscription (api, created_at)"),
    ("subscription_by_application", "CREATE INDEX IF NOT EXISTS subscription_by_application ON subscription (application, created_at)"),
    ("subscription_by_plan", "CREATE INDEX IF NOT EXISTS subscription_by_plan ON subscription (plan)"),
    ("subscription_by_requested_plan", "CREATE INDEX IF NOT EXISTS subscription_by_requested_plan ON subscription (requested_plan)"),
    ("token__id", "CREATE UNIQUE INDEX IF NOT EXISTS token__id ON token (id)"),
    ("token__access_hash", "CREATE UNIQUE INDEX IF NOT EXISTS token__access_hash ON token (access_hash)"),
    ("token__jti", "CREATE UNIQUE INDEX IF NOT EXISTS token__jti ON token (jti)"),
    ("token__refresh_hash", "CREATE UNIQUE INDEX IF NOT EXISTS token__refresh_hash ON token (refresh_hash)"),
    ("token_by_holder", "CREATE INDEX IF NOT EXISTS token_by_holder ON token (client, holder, scope_hash, state)"),
    ("token_by_expiry", "CREATE INDEX IF NOT EXISTS token_by_expiry ON token (expires_at)"),
    ("token_by_end", "CREATE INDEX IF NOT EXISTS token_by_end ON token (ended_at)"),
];
const DROPS: &str = "DROP INDEX IF EXISTS origin__source__kind__old_key; DROP INDEX IF EXISTS subscription__id; \
    DROP INDEX IF EXISTS subscription__application__api; DROP INDEX IF EXISTS subscription_by_api; \
    DROP INDEX IF EXISTS subscription_by_application; DROP INDEX IF EXISTS subscription_by_plan; \
    DROP INDEX IF EXISTS subscription_by_requested_plan; DROP INDEX IF EXISTS token__id; DROP INDEX IF EXISTS token__access_hash; \
    DROP INDEX IF EXISTS token__jti; DROP INDEX IF EXISTS token__refresh_hash; DROP INDEX IF EXISTS token_by_holder; \
    DROP INDEX IF EXISTS token_by_expiry; DROP INDEX IF EXISTS token_by_end";

/// Lays the indexes aside; whether there are any that can be.
pub async fn lay_aside(db: &Db) -> Result<bool> {
    let mut tx = db.write().await?;
    if tx.is_postgres() {
        return Ok(false);
    }
    tx.script(DROPS).await?;
    tx.commit().await?;
    db.aside.store(true, Ordering::Relaxed);
    Ok(true)
}

/// Whether all are in place.
pub async fn is_whole(tx: &mut Tx) -> Result<bool> {
    Ok(tx.is_postgres() || present(tx).await?.len() == INDEXES.len())
}

/// Puts back what is aside, one index in a transaction; how many there were.
///
/// # Errors
/// [`crate::Error::Duplicate`] when rows came in meanwhile that a unique rule forbids.
pub async fn put_back(db: &Db) -> Result<usize> {
    let mut tx = db.read().await?;
    if tx.is_postgres() {
        return Ok(0);
    }
    let present = present(&mut tx).await?;
    drop(tx);
    let missing = INDEXES.iter().filter(|(name, _)| !present.iter().any(|p| p == name));
    let mut done = 0;
    for (name, statement) in missing {
        tracing::info!(index = name, "building an index that was laid aside");
        let mut tx = db.write().await?;
        tx.script(statement).await?;
        tx.commit().await?;
        done += 1;
    }
    db.aside.store(false, Ordering::Relaxed);
    Ok(done)
}

async fn present(tx: &mut Tx) -> Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('origin', 'subscription', 'token') AND sql IS NOT NULL";
    tx.rows(sql, args![]).await?.iter().map(|r| r.text("name")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DbUrl, Sealer};

    async fn statements(db: &Db) -> Vec<String> {
        let sql = "SELECT name || ' ' || replace(sql, 'IF NOT EXISTS ', '') AS text FROM sqlite_master WHERE type = 'index' \
                   AND tbl_name IN ('origin', 'subscription', 'token') AND sql IS NOT NULL ORDER BY name";
        let rows = db.read().await.unwrap().rows(sql, args![]).await.unwrap();
        rows.iter().map(|r| r.text("text").unwrap()).collect()
    }

    #[tokio::test]
    async fn what_is_laid_aside_comes_back_as_the_migrations_made_it() {
        let home = tempfile::tempdir().unwrap();
        let url = DbUrl::sqlite(&home.path().join("tidegate.db"));
        let db = Db::open(&url, Sealer::new([1; 32])).await.unwrap();
        let before = statements(&db).await;
        assert_eq!(before.len(), INDEXES.len());
        assert!(lay_aside(&db).await.unwrap());
        assert!(statements(&db).await.is_empty() && !is_whole(&mut db.read().await.unwrap()).await.unwrap());
        db.close().await;
        // Whoever opens it next finds it whole.
        for as_it_is in [true, false] {
            let db = match as_it_is {
                true => Db::open_as_it_is(&url, Sealer::new([1; 32])).await.unwrap(),
                false => Db::open(&url, Sealer::new([1; 32])).await.unwrap(),
            };
            assert_eq!(statements(&db).await, before);
            assert!(is_whole(&mut db.read().await.unwrap()).await.unwrap());
            lay_aside(&db).await.unwrap();
            db.close().await;
        }
        assert_eq!(INDEXES.iter().filter(|(name, sql)| sql.contains(name) && DROPS.contains(name)).count(), INDEXES.len());
    }
}
