//! What is done otherwise for large installations must come to the same as what is done for small ones.

use std::path::Path;

use db::Db;
use oldsite::{Dialect, Site, Size, mysql::Blobs};
use upgrade::apply::{ApplyError, Options};

use crate::{
    roads::{NOW_MS, dumps, written},
    taking::{Taken, equal, target},
    widely::content,
};

async fn some(folder: &Path) -> Taken {
    let size = Size { users: 3, apis: 4, applications: 5, subscriptions_each: 3, tokens: 60 };
    let site = Site::generated(size, 1, "http://127.0.0.1:9000", NOW_MS);
    Taken::dumps(dumps(&written(&site, Dialect::MySql(Blobs::Escaped), folder)), NOW_MS).await
}

async fn is_whole(db: &Db) -> bool {
    db::bulk::is_whole(&mut db.read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn with_indexes_laid_aside_the_same_is_written() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let taken = some(folders[0].path()).await;
    let (plain, bulk) = (target(folders[0].path()).open_or_make().await.unwrap(), target(folders[1].path()).open_or_make().await.unwrap());
    let slow = taken.applied(&plain).await;
    let fast = taken.apply(&bulk, Options { bulk_from: 1, ..taken.all() }).await.unwrap();
    assert_eq!(slow.tallies, fast.tallies);
    assert!(is_whole(&bulk).await);
    assert_eq!(content(&bulk).await, content(&plain).await);
    equal(&taken.verify(&bulk).await);
    // There is something by now, so the next run writes as usual, and nothing.
    assert_eq!(taken.apply(&bulk, Options { bulk_from: 1, ..taken.all() }).await.unwrap().batches, 0);
}

#[tokio::test]
async fn cut_short_with_indexes_aside_it_is_completed_by_the_next() {
    let whole = tempfile::tempdir().unwrap();
    let taken = some(whole.path()).await;
    let db = target(whole.path()).open_or_make().await.unwrap();
    let all = taken.apply(&db, Options { batch: 1, bulk_from: 1, ..taken.all() }).await.unwrap().batches;
    let expected = content(&db).await;
    let mut aside = 0;
    for most in [all / 2, all - 9, all - 3, all - 1] {
        let folder = tempfile::tempdir().unwrap();
        let place = target(folder.path());
        let db = place.open_or_make().await.unwrap();
        let cut = taken.apply(&db, Options { batch: 1, bulk_from: 1, stop_after: Some(most), ..taken.all() }).await;
        assert!(matches!(cut, Err(ApplyError::Stopped(n)) if n == most), "{cut:?}");
        aside += usize::from(!is_whole(&db).await);
        // Once in the same process, and once in another, which finds the indexes built when it has opened the database.
        let db = match most % 2 {
            0 => db,
            _ => {
                db.close().await;
                let db = place.open().await.unwrap().unwrap();
                assert!(is_whole(&db).await);
                db
            }
        };
        taken.applied(&db).await;
        assert!(is_whole(&db).await);
        equal(&taken.verify(&db).await);
        assert_eq!(content(&db).await, expected, "after {most} batches");
    }
    assert!(aside > 1, "no run was cut short with indexes aside");
}
