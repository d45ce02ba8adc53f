//! Sums of what an old installation held.

use db::source_sums::SourceSums;

use crate::fixtures::NOW;
use crate::stage::{Stage, on_both};

on_both! { sums_are_replaced_and_forgotten_by_source }

async fn sums_are_replaced_and_forgotten_by_source(stage: Stage) {
    let sums = |bytes: &[u8]| SourceSums { recipe: "md5".to_owned(), sums: bytes.to_vec(), as_of: NOW };
    let mut tx = stage.db.write().await.unwrap();
    assert_eq!(db::source_sums::find(&mut tx, "s", "tokens").await.unwrap(), None);
    for (source, part, bytes) in [("s", "tokens", &b"one"[..]), ("s", "tokens", b"two"), ("s", "users", b""), ("other", "tokens", b"three")]
    {
        db::source_sums::put(&mut tx, source, part, &sums(bytes)).await.unwrap();
    }
    assert_eq!(db::source_sums::find(&mut tx, "s", "tokens").await.unwrap(), Some(sums(b"two")));
    assert!(db::source_sums::find_any(&mut tx, "s").await.unwrap() && !db::source_sums::find_any(&mut tx, "nobody").await.unwrap());
    assert_eq!(db::source_sums::forget(&mut tx, "s").await.unwrap(), 2);
    assert_eq!(db::source_sums::find(&mut tx, "s", "tokens").await.unwrap(), None);
    assert_eq!(db::source_sums::find(&mut tx, "other", "tokens").await.unwrap(), Some(sums(b"three")));
    tx.commit().await.unwrap();
}
