//! The outbox: numbers follow commits, and no verb forgets to note its change.

use db::outbox::{Change, Thing};
use db::signing_keys::StoredKey;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    changes_come_in_order_once_per_transaction,
    nothing_is_noted_by_a_transaction_that_fails,
    committing_wakes_who_listens,
    numbers_follow_commits_under_concurrent_writers,
    trimming_leaves_the_numbers,
    every_verb_notes_its_change,
}

fn change(thing: Thing, id: &str) -> Change {
    Change { thing, id: id.to_owned() }
}

async fn append(stage: &Stage, ids: &[&str]) {
    let mut tx = stage.db.write().await.unwrap();
    for id in ids {
        db::outbox::append(&mut tx, &change(Thing::Client, id)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn changes_come_in_order_once_per_transaction(stage: Stage) {
    append(&stage, &["a", "b", "a"]).await;
    append(&stage, &["a"]).await;
    let mut tx = stage.db.read().await.unwrap();
    let all = db::outbox::after(&mut tx, 0, 100).await.unwrap();
    let expected = [(1, "a"), (2, "b"), (3, "a")].map(|(n, id)| (n, change(Thing::Client, id)));
    assert_eq!(all, expected);
    assert_eq!(db::outbox::after(&mut tx, 1, 1).await.unwrap(), expected[1..2]);
    assert_eq!(db::outbox::after(&mut tx, 3, 9).await.unwrap(), []);
    assert_eq!(db::outbox::head(&mut tx).await.unwrap(), 3);
}

async fn nothing_is_noted_by_a_transaction_that_fails(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    db::outbox::append(&mut tx, &change(Thing::Api, "x")).await.unwrap();
    drop(tx);
    append(&stage, &["a"]).await;
    let mut tx = stage.db.read().await.unwrap();
    assert_eq!(db::outbox::after(&mut tx, 0, 9).await.unwrap(), [(1, change(Thing::Client, "a"))]);
}

async fn committing_wakes_who_listens(stage: Stage) {
    let mut changes = stage.db.changes();
    assert_eq!(*changes.borrow_and_update(), 0);
    let mut tx = stage.db.write().await.unwrap();
    db::facts::put(&mut tx, "k", "v").await.unwrap();
    tx.commit().await.unwrap();
    assert!(!changes.has_changed().unwrap());
    append(&stage, &["a", "b"]).await;
    changes.changed().await.unwrap();
    assert_eq!(*changes.borrow_and_update(), 2);
    let again = db::Db::open(&stage.url, db::Sealer::new(crate::stage::KEY)).await.unwrap();
    assert_eq!(*again.changes().borrow(), 2);
    again.close().await;
}

/// A reader that always goes on from the last number it saw must miss nothing: that holds only if a number never becomes visible after
/// a higher one.
async fn numbers_follow_commits_under_concurrent_writers(stage: Stage) {
    const WRITERS: i64 = 6;
    const EACH: i64 = 25;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let db = stage.db.clone();
        writers.spawn(async move {
            for n in 0..EACH {
                let mut tx = db.write().await.unwrap();
                db::outbox::append(&mut tx, &change(Thing::Client, &format!("{writer}-{n}"))).await.unwrap();
                db::facts::put(&mut tx, &format!("w{writer}"), &n.to_string()).await.unwrap();
                for _ in 0..(writer * 7 + n) % 11 {
                    tokio::task::yield_now().await;
                }
                db::facts::get(&mut tx, "anything").await.unwrap();
                if n % 5 == 4 { drop(tx) } else { tx.commit().await.unwrap() }
            }
        });
    }
    let committed = WRITERS * EACH * 4 / 5;
    let mut last = 0;
    let mut seen = Vec::new();
    while last < committed {
        let mut tx = stage.db.read().await.unwrap();
        for (seq, change) in db::outbox::after(&mut tx, last, 7).await.unwrap() {
            assert_eq!(seq, last + 1, "a number was skipped or came late");
            last = seq;
            seen.push(change.id);
        }
        drop(tx);
        tokio::task::yield_now().await;
        while let Some(done) = writers.try_join_next() {
            done.unwrap();
        }
    }
    for writer in 0..WRITERS {
        let own: Vec<_> = seen.iter().filter_map(|id| id.strip_prefix(&format!("{writer}-"))).map(|n| n.parse::<i64>().unwrap()).collect();
        assert_eq!(own, (0..EACH).filter(|n| n % 5 != 4).collect::<Vec<_>>());
    }
}

async fn trimming_leaves_the_numbers(stage: Stage) {
    append(&stage, &["a", "b", "c"]).await;
    let mut tx = stage.db.write().await.unwrap();
    assert_eq!(db::outbox::trim(&mut tx, 3).await.unwrap(), 2);
    assert_eq!(db::outbox::trim(&mut tx, 99).await.unwrap(), 1);
    tx.commit().await.unwrap();
    append(&stage, &["d"]).await;
    let mut tx = stage.db.read().await.unwrap();
    assert_eq!(db::outbox::after(&mut tx, 0, 9).await.unwrap(), [(4, change(Thing::Client, "d"))]);
}

/// What one step of work notes.
macro_rules! notes {
    ($stage:ident, |$tx:ident| $work:expr, [$($thing:ident $id:expr),* $(,)?]) => {{
        let mut tx = $stage.db.write().await.unwrap();
        let before = db::outbox::head(&mut tx).await.unwrap();
        {
            let $tx = &mut tx;
            let _done = $work.await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = $stage.db.read().await.unwrap();
        let noted: Vec<Change> = db::outbox::after(&mut tx, before, 99).await.unwrap().into_iter().map(|(_, c)| c).collect();
        assert_eq!(noted, [$(change(Thing::$thing, &$id.to_string())),*] as [Change; notes!(@count $($thing)*)], stringify!($work));
    }};
    (@count) => { 0 };
    (@count $first:ident $($rest:ident)*) => { 1 + notes!(@count $($rest)*) };
}

async fn every_verb_notes_its_change(stage: Stage) {
    let (api, app) = (full_api(), application("admin", "App"));
    let revision = revision(&api, 1);
    let (sub, key) = (subscription(&app, &api), key_mapping(&app, KeyType::Production, Some("ck")));
    notes!(stage, |tx| db::tenants::insert(tx, &Tenant::super_tenant(NOW)), [Tenant "-1234"]);
    notes!(stage, |tx| db::tenants::update(tx, &Tenant::super_tenant(NOW)), [Tenant "-1234"]);
    notes!(stage, |tx| db::apis::insert(tx, &api), [Api api.id]);
    notes!(stage, |tx| db::apis::update(tx, &api), [Api api.id]);
    notes!(stage, |tx| db::apis::set_definition(tx, api.id, &definition("x")), [Api api.id]);
    notes!(stage, |tx| db::revisions::insert(tx, &revision), []);
    notes!(stage, |tx| db::deployments::put(tx, &deployment(&revision, "E")), [Deployment api.id]);
    notes!(stage, |tx| db::deployments::remove(tx, api.id, "E"), [Deployment api.id]);
    notes!(stage, |tx| db::applications::insert(tx, &app), [Application app.id]);
    notes!(stage, |tx| db::applications::update(tx, &app), [Application app.id]);
    notes!(stage, |tx| db::key_mappings::insert(tx, &key), [KeyMapping key.id]);
    notes!(stage, |tx| db::key_mappings::update(tx, &key), [KeyMapping key.id]);
    notes!(stage, |tx| db::subscriptions::insert(tx, &sub), [Subscription sub.id]);
    notes!(stage, |tx| db::subscriptions::update(tx, &sub), [Subscription sub.id]);
    notes!(stage, |tx| db::applications::delete(tx, app.id), [Subscription sub.id, KeyMapping key.id, Application app.id]);
    notes!(stage, |tx| db::applications::insert(tx, &app), [Application app.id]);
    notes!(stage, |tx| db::subscriptions::insert(tx, &sub), [Subscription sub.id]);
    notes!(stage, |tx| db::apis::delete(tx, api.id), [Subscription sub.id, Api api.id, Deployment api.id]);
    notes!(stage, |tx| db::subscriptions::delete(tx, sub.id), [Subscription sub.id]);
    notes!(stage, |tx| db::key_mappings::delete(tx, key.id), [KeyMapping key.id]);

    let plan = default_subscription_policies(TenantId::SUPER).remove(0);
    notes!(stage, |tx| db::policies::subscription::insert(tx, &plan), [SubscriptionPolicy plan.id]);
    notes!(stage, |tx| db::policies::subscription::update(tx, &plan), [SubscriptionPolicy plan.id]);
    notes!(stage, |tx| db::policies::subscription::delete(tx, plan.id), [SubscriptionPolicy plan.id]);
    let policy = default_application_policies(TenantId::SUPER).remove(0);
    notes!(stage, |tx| db::policies::application::insert(tx, &policy), [ApplicationPolicy policy.id]);
    let policy = default_advanced_policies(TenantId::SUPER).remove(0);
    notes!(stage, |tx| db::policies::advanced::insert(tx, &policy), [AdvancedPolicy policy.id]);
    let refused = Denial::User("bob@acme.com".to_owned());
    let deny = DenyPolicy { id: PolicyId::random(), tenant: TenantId::SUPER, refused, enabled: true };
    notes!(stage, |tx| db::deny_policies::insert(tx, &deny), [DenyPolicy deny.id]);
    notes!(stage, |tx| db::deny_policies::update(tx, &deny), [DenyPolicy deny.id]);
    notes!(stage, |tx| db::deny_policies::delete(tx, deny.id), [DenyPolicy deny.id]);

    let (signed, opaque, late) = (jwt("c", "j1"), opaque_token("c", "abc"), jwt("c", "j2"));
    notes!(stage, |tx| db::clients::insert(tx, &client("c")), [Client "c"]);
    notes!(stage, |tx| db::clients::update(tx, &client("c")), [Client "c"]);
    notes!(stage, |tx| db::tokens::insert_many(tx, &[signed.clone(), opaque.clone(), late]), []);
    notes!(stage, |tx| db::tokens::set_state(tx, signed.id, TokenState::Inactive, NOW), []);
    notes!(stage, |tx| db::tokens::set_state(tx, signed.id, TokenState::Revoked, NOW), [RevokedToken "j1"]);
    let hash = "opaque:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    notes!(stage, |tx| db::tokens::set_state(tx, opaque.id, TokenState::Revoked, NOW), [RevokedToken hash]);
    notes!(stage, |tx| db::clients::delete(tx, "c", NOW), [RevokedToken "j2", Client "c"]);
    let carried = IssuedToken { state: TokenState::Revoked, ..jwt("c", "j3") };
    notes!(stage, |tx| db::tokens::insert(tx, &carried), [RevokedToken "j3"]);

    let pair = StoredKey {
        tenant: TenantId::SUPER,
        kid: "k1".to_owned(),
        pkcs8: Secret::new(vec![1]),
        certificate_der: vec![2],
        created_at: NOW,
        active: true,
    };
    notes!(stage, |tx| db::signing_keys::insert(tx, &pair), [SigningKey "k1"]);
    notes!(stage, |tx| db::signing_keys::set_active(tx, TenantId::SUPER, "k1", false), [SigningKey "k1"]);
    notes!(stage, |tx| db::bootstrap::environment(tx, &vhost()), [Environment "Default"]);
    notes!(stage, |tx| db::environments::delete(tx, "Default"), [Environment "Default"]);
}
