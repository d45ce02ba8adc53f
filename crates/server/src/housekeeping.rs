//! Takes out of the database what nobody needs any more, so that a server that runs for years does not fill its disk with ended tokens.

use std::time::Duration;

use db::Db;
use model::Timestamp;

use crate::clock::Clock;

/// How often it is done; the first time at once.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// How long ended tokens are kept, for clocks that differ and for people who look into what happened.
const TOKENS_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// Changes kept for other processes on the same database, which read them within a second or so. One that was away for longer reads
/// everything anew when it starts.
const CHANGES_KEPT: i64 = 100_000;

/// Tidies up for ever. A fault is told and waited out: it is tried again the next time.
pub(crate) async fn keep(db: Db, clock: Clock) {
    loop {
        match once(&db, clock(), CHANGES_KEPT).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "ended tokens and old changes were taken out of the database"),
            Err(fault) => {
                tracing::warn!(fault = &fault as &dyn std::error::Error, "cannot tidy up the database; it is tried again in an hour")
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// One round, in short transactions; how many rows went.
async fn once(db: &Db, now: Timestamp, changes_kept: i64) -> Result<u64, db::Error> {
    let mut gone = 0;
    loop {
        let mut tx = db.write().await?;
        let swept = db::tokens::sweep(&mut tx, now.plus_ms(-TOKENS_KEPT_MS)).await?;
        tx.commit().await?;
        gone += swept;
        if swept == 0 {
            break;
        }
    }
    let mut tx = db.write().await?;
    let head = db::outbox::head(&mut tx).await?;
    gone += db::outbox::trim(&mut tx, head - changes_kept).await?;
    tx.commit().await?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use db::outbox::{self, Change, Thing};
    use db::{DbUrl, Sealer};

    use super::*;

    #[tokio::test]
    async fn only_old_changes_go() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&DbUrl::sqlite(&folder.path().join("t.db")), Sealer::new([1; 32])).await.unwrap();
        for half in 0..2 {
            let mut tx = db.write().await.unwrap();
            for number in 0..60 {
                outbox::append(&mut tx, &Change { thing: Thing::Api, id: format!("{half}:{number}") }).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        assert_eq!(once(&db, Timestamp(0), 120).await.unwrap(), 0);
        assert_eq!(once(&db, Timestamp(0), 100).await.unwrap(), 19);
        let mut tx = db.read().await.unwrap();
        let left = outbox::after(&mut tx, 0, 1_000).await.unwrap();
        assert_eq!((left.len(), left.last().unwrap().1.id.as_str()), (101, "1:59"));
        assert_eq!(outbox::head(&mut tx).await.unwrap(), 120);
    }
}
