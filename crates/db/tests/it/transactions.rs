//! What a transaction promises.

use db::Error;
use model::TenantId;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    dropping_rolls_back,
    a_failed_transaction_cannot_commit,
    reading_cannot_write,
    a_reader_sees_one_state,
    concurrent_writers_lose_nothing,
    readers_and_writers_do_not_wait_for_each_other,
    a_cancelled_writer_lets_the_next_in,
}

async fn dropping_rolls_back(stage: Stage) {
    for explicit in [false, true] {
        let mut tx = stage.db.write().await.unwrap();
        db::facts::put(&mut tx, "k", "v").await.unwrap();
        if explicit {
            tx.rollback().await.unwrap()
        } else {
            drop(tx)
        }
        let mut tx = stage.db.read().await.unwrap();
        assert_eq!(db::facts::get(&mut tx, "k").await.unwrap(), None);
    }
}

async fn a_failed_transaction_cannot_commit(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    db::facts::put(&mut tx, "k", "v").await.unwrap();
    assert!(db::tenants::insert(&mut tx, &acme()).await.is_err());
    assert!(matches!(db::facts::get(&mut tx, "k").await, Err(Error::Aborted)));
    assert!(matches!(tx.commit().await, Err(Error::Aborted)));
    let mut tx = stage.db.read().await.unwrap();
    assert_eq!(db::facts::get(&mut tx, "k").await.unwrap(), None);
}

async fn reading_cannot_write(stage: Stage) {
    let mut tx = stage.db.read().await.unwrap();
    assert!(matches!(db::facts::put(&mut tx, "k", "v").await, Err(Error::Failed(_))));
}

async fn a_reader_sees_one_state(stage: Stage) {
    let mut reader = stage.db.read().await.unwrap();
    assert_eq!(db::facts::get(&mut reader, "k").await.unwrap(), None);
    let mut tx = stage.db.write().await.unwrap();
    db::facts::put(&mut tx, "k", "v").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db::facts::get(&mut reader, "k").await.unwrap(), None);
    drop(reader);
    let mut reader = stage.db.read().await.unwrap();
    assert_eq!(db::facts::get(&mut reader, "k").await.unwrap().as_deref(), Some("v"));
}

async fn concurrent_writers_lose_nothing(stage: Stage) {
    tenants(&stage.db).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let db = stage.db.clone();
        writers.spawn(async move {
            for n in 0..10 {
                let mut tx = db.write().await.unwrap();
                db::applications::insert(&mut tx, &application(&format!("w{writer}"), &n.to_string())).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let mut tx = stage.db.read().await.unwrap();
    let numbers: Vec<i64> = db::applications::list_all(&mut tx).await.unwrap().iter().map(|a| a.number).collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
}

async fn readers_and_writers_do_not_wait_for_each_other(stage: Stage) {
    let mut reader = stage.db.read().await.unwrap();
    db::facts::get(&mut reader, "k").await.unwrap();
    let mut writer = stage.db.write().await.unwrap();
    db::facts::put(&mut writer, "k", "v").await.unwrap();
    let mut late = stage.db.read().await.unwrap();
    assert_eq!(db::facts::get(&mut late, "k").await.unwrap(), None);
    writer.commit().await.unwrap();
    db::facts::get(&mut reader, "k").await.unwrap();
}

async fn a_cancelled_writer_lets_the_next_in(stage: Stage) {
    tenants(&stage.db).await;
    for round in 0..50_u32 {
        let db = stage.db.clone();
        let work = tokio::spawn(async move {
            let mut tx = db.write().await.unwrap();
            for n in 0..1_000 {
                db::applications::insert(&mut tx, &application("cancelled", &n.to_string())).await.unwrap();
            }
            tx.commit().await.unwrap();
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        work.abort();
        drop(work.await);
        let mut tx = stage.db.write().await.unwrap();
        assert_eq!(db::facts::get(&mut tx, "nothing").await.unwrap(), None);
        db::roles::ensure(&mut tx, TenantId::SUPER, &round.to_string()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = stage.db.read().await.unwrap();
    assert_eq!(db::applications::list_all(&mut tx).await.unwrap(), []);
    assert_eq!(db::roles::list(&mut tx, TenantId::SUPER).await.unwrap().len(), 50);
}
