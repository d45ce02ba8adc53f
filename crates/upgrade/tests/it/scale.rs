//! What is done otherwise for large installations must come to the same as what is done for small ones.

use std::path::Path;

use db::Db;
use model::TokenState;
use oldsite::{Dialect, Site, Size, mysql::Blobs};
use upgrade::{
    apply::{ApplyError, Options},
    journal::Onward,
    old::oauth::Tokens,
    source::Location,
};

use crate::{
    roads::{NOW_MS, Scratch, dumps, written},
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
        let mut onward = taken.all();
        onward.note.onward = Onward::Resume;
        taken.apply(&db, onward).await.unwrap();
        assert!(is_whole(&db).await);
        equal(&taken.verify(&db).await);
        assert_eq!(content(&db).await, expected, "after {most} batches");
    }
    assert!(aside > 1, "no run was cut short with indexes aside");
}

const TOKEN: &str = "IDN_OAUTH2_ACCESS_TOKEN";

/// A made-up site in a running database, and an installation it was carried to.
struct Running {
    scratch: Scratch,
    location: Location,
    db: Db,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn begun(dialect: Dialect, url: &str, label: &str) -> Option<Self> {
        let scratch = Scratch::new(dialect, label)?;
        let folder = tempfile::tempdir().unwrap();
        let size = Size { users: 3, apis: 2, applications: 5, subscriptions_each: 1, tokens: 300 };
        let site = Site::generated(size, 1, "http://127.0.0.1:9000", NOW_MS);
        scratch.load(&written(&site, dialect, folder.path()));
        // The made-up site has tokens of clients that are gone, which wait for them: where there are such, all is read.
        scratch.run(
            &scratch.name,
            &format!("DELETE FROM {TOKEN} WHERE CONSUMER_KEY NOT IN (SELECT CONSUMER_KEY FROM IDN_OAUTH_CONSUMER_APPS)"),
        );
        let location = Location::parse(&format!("{url}/{}", scratch.name)).unwrap();
        let db = target(folder.path()).open_or_make().await.unwrap();
        let running = Self { scratch, location, db, _folder: folder };
        let first = running.read(NOW_MS).await;
        assert!(first.old.site.changes.is_none(), "nothing is known of a first run");
        first.applied(&running.db).await;
        Some(running)
    }

    /// The source as it is now, its tokens only as far as they changed.
    async fn read(&self, now_ms: i64) -> Taken {
        let mut taken = Taken::dumps(vec![self.location.clone()], now_ms).await;
        taken.old.only_changes(&self.db, taken.now).await.unwrap();
        taken
    }

    fn sql(&self, sql: &str) -> String {
        self.scratch.run(&self.scratch.name, sql)
    }
}

/// The texts of the tokens that are read.
async fn texts(taken: &Taken) -> Vec<String> {
    let mut stream = Tokens::open(&taken.old.site).await.unwrap();
    let mut all = Vec::new();
    loop {
        let batch = stream.next_batch(100).await.unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch.iter().map(|token| token.access_token.expose().clone()));
    }
}

async fn only_what_changed_is_read_again(dialect: Dialect, url: &str, label: &str) {
    let Some(running) = Running::begun(dialect, url, label).await else { return };
    let taken = running.read(NOW_MS).await;
    assert!(taken.old.site.changes.is_some());
    assert!(texts(&taken).await.is_empty(), "nothing changed");
    let (translation, _) = taken.planned(Some(&running.db)).await;
    crate::taking::balanced(&translation);
    assert_eq!(taken.applied(&running.db).await.batches, 0);
    // At an earlier moment, tokens may be alive whose time was over.
    assert!(running.read(NOW_MS - 1).await.old.site.changes.is_none());
    // Each column in turn, of another row each time, down to a blank more and a word that is empty instead of missing.
    let all: Vec<String> =
        running.sql(&format!("SELECT ACCESS_TOKEN FROM {TOKEN} ORDER BY ACCESS_TOKEN")).lines().map(str::to_owned).collect();
    let changes = [
        "REFRESH_TOKEN = ''",
        "REFRESH_TOKEN = NULL",
        "CONSUMER_KEY = CONCAT(CONSUMER_KEY, 'x')",
        "AUTHZ_USER = CONCAT(AUTHZ_USER, ' ')",
        "USER_TYPE = 'ANOTHER'",
        "USER_TYPE = NULL",
        "TIME_CREATED = TIMESTAMP '2015-01-01 00:00:01'",
        "VALIDITY_PERIOD = VALIDITY_PERIOD - 1",
        "TOKEN_SCOPE = 'another'",
        "TOKEN_STATE = 'EXPIRED'",
        "TOKEN_STATE_ID = 'x'",
        "TOKEN_STATE = 'REVOKED', TOKEN_STATE_ID = 'y'",
    ];
    for (at, change) in changes.iter().enumerate() {
        let text = &all[at * 17 % all.len()];
        let before = texts(&running.read(NOW_MS).await).await;
        // Old servers stamp the first time of a row whenever it is written; nothing else is to change here.
        let still = if change.contains("TIME_CREATED") { "" } else { ", TIME_CREATED = TIME_CREATED" };
        running.sql(&format!("UPDATE {TOKEN} SET {change}{still} WHERE ACCESS_TOKEN = '{text}'"));
        let after = texts(&running.read(NOW_MS).await).await;
        assert!(after.contains(text), "{change} was missed");
        assert!(before.iter().all(|t| after.contains(t)) && after.len() < all.len() / 2, "{change}");
    }
    // A row that changes its key.
    running.sql(&format!("UPDATE {TOKEN} SET ACCESS_TOKEN = 'renamed' WHERE ACCESS_TOKEN = '{}'", all[5]));
    let taken = running.read(NOW_MS).await;
    assert!(texts(&taken).await.contains(&"renamed".to_owned()));
    taken.applied(&running.db).await;
    let mut tx = running.db.read().await.unwrap();
    assert!(db::tokens::find_by_access(&mut tx, "renamed").await.unwrap().is_some());
    let ended = &all[9 * 17 % all.len()];
    assert_eq!(db::tokens::find_by_access(&mut tx, ended).await.unwrap().unwrap().state, TokenState::Revoked);
    drop(tx);
    // A client that was added to is a token that waits for its client, so from here on all is read.
    let again = running.read(NOW_MS).await;
    assert!(again.old.site.changes.is_none());
    // What the shortcut left out would be missing now.
    let whole = Taken::dumps(vec![running.location.clone()], NOW_MS).await;
    assert_eq!(whole.applied(&running.db).await.batches, 0);
}

#[tokio::test]
async fn of_mysql_only_what_changed_is_read_again() {
    only_what_changed_is_read_again(Dialect::MySql(Blobs::Escaped), "mysql://root@127.0.0.1:3306", "changes").await;
}

#[tokio::test]
async fn of_postgres_only_what_changed_is_read_again() {
    only_what_changed_is_read_again(Dialect::Postgres, "postgres://postgres@127.0.0.1:5432", "changes").await;
}

#[tokio::test]
async fn a_book_that_was_taken_from_makes_all_be_read() {
    let Some(running) = Running::begun(Dialect::MySql(Blobs::Escaped), "mysql://root@127.0.0.1:3306", "book").await else { return };
    let taken = running.read(NOW_MS).await;
    assert!(taken.old.site.changes.is_some());
    let source = taken.old.source.clone();
    let mut tx = running.db.write().await.unwrap();
    let some = db::origins::list(&mut tx, &source, "tokens").await.unwrap().remove(0).0;
    db::origins::forget(&mut tx, &source, "tokens", &some).await.unwrap();
    tx.commit().await.unwrap();
    assert!(running.read(NOW_MS).await.old.site.changes.is_none());
}
