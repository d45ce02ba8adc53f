//! The whole road, from an old installation to a new one that was compared with it.

use oldsite::{Dialect, mysql::Blobs};
use upgrade::{report::Report, source::Location};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, balanced, equal, target},
};

fn mysql_dump(site: &oldsite::Site, folder: &std::path::Path) -> Vec<Location> {
    dumps(&written(site, Dialect::MySql(Blobs::Escaped), folder))
}

#[tokio::test]
async fn a_sample_is_taken_over_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let taken = Taken::dumps(mysql_dump(&made_up(), folder.path()), NOW_MS).await;
    let (translation, plan) = taken.planned(None).await;
    println!("{}", Report::new("plan", &taken.old, &translation, &plan).text());
    balanced(&translation);
    assert!(!translation.is_blocked() && !plan.is_refused());
    let db = target(folder.path()).open_or_make().await.unwrap();
    let first = taken.applied(&db).await;
    assert!(first.batches > 10);
    equal(&taken.verify(&db).await);
    let head = db::outbox::head(&mut db.read().await.unwrap()).await.unwrap();
    let second = taken.applied(&db).await;
    assert_eq!(second.batches, 0, "{:?}", second.tallies);
    assert_eq!(db::outbox::head(&mut db.read().await.unwrap()).await.unwrap(), head);
}
