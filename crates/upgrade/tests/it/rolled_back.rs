//! Rollback: what the upgrade wrote goes, what came later stays, and what was there before comes back.

use db::Db;
use model::{Application, ApplicationId, Limit, Secret, StoredPassword, SubscriptionState, Tenant, TenantId, TokenState, User};
use oldsite::{Dialect, mysql::Blobs};
use upgrade::rollback::{KindBack, Options, TakenBack};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, equal, target},
    widely::content,
};

async fn begun() -> (tempfile::TempDir, Taken, Db) {
    let folder = tempfile::tempdir().unwrap();
    let taken = Taken::dumps(dumps(&written(&made_up(), Dialect::MySql(Blobs::Escaped), folder.path())), NOW_MS).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    (folder, taken, db)
}

/// What a first start leaves.
async fn first_start(taken: &Taken, db: &Db) -> User {
    let admin = User {
        id: model::UserId::random(),
        tenant: TenantId::SUPER,
        store: model::PRIMARY_STORE.into(),
        name: "admin".into(),
        password: Some(StoredPassword::Argon2id(Secret::new("$argon2id$made-up-at-the-first-start".into()))),
        roles: vec!["admin".into()],
        attributes: Vec::new(),
        locked: false,
        must_change_password: false,
        password_changed_at: taken.now,
        created_at: taken.now,
    };
    let mut tx = db.write().await.unwrap();
    db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(taken.now)).await.unwrap();
    db::users::insert(&mut tx, &admin).await.unwrap();
    tx.commit().await.unwrap();
    admin
}

async fn back(taken: &Taken, db: &Db, dry: bool, also_changed: bool) -> TakenBack {
    let options = Options { dry, also_changed, batch: 3, now: taken.now.plus_secs(60) };
    upgrade::rollback::rollback(db, &taken.old.source, &options, &|_, _, _| {}).await.unwrap()
}

fn of<'a>(done: &'a TakenBack, kind: &str) -> &'a KindBack {
    done.kinds.iter().find(|k| k.kind == kind).unwrap()
}

#[tokio::test]
async fn an_untouched_upgrade_is_taken_back_whole() {
    let (_folder, taken, db) = begun().await;
    let admin = first_start(&taken, &db).await;
    let before = content(&db).await;
    taken.applied(&db).await;
    let applied = content(&db).await;
    assert_ne!(applied, before);
    let dry = back(&taken, &db, true, false).await;
    assert_eq!(content(&db).await, applied, "a dry one writes nothing");
    let done = back(&taken, &db, false, false).await;
    assert_eq!(done.kinds, dry.kinds, "what was told is what was done");
    assert!(done.kept.is_empty() && done.others.is_empty() && !done.nobody_left, "{:?} {:?}", done.kept, done.others);
    assert_eq!(content(&db).await, before, "the administrator of the first start among it");
    let mut tx = db.read().await.unwrap();
    assert_eq!(db::users::find_by_id(&mut tx, admin.id).await.unwrap(), Some(admin));
    for kind in done.kinds.iter().map(|k| k.kind) {
        assert_eq!(db::origins::count(&mut tx, &taken.old.source, kind).await.unwrap(), 0, "{kind}");
    }
    drop(tx);
    // And the road can be gone again.
    taken.applied(&db).await;
    assert_eq!(content(&db).await, applied);
    equal(&taken.verify(&db).await);
}

#[tokio::test]
async fn an_installation_that_the_upgrade_made_is_left_for_a_first_start() {
    let (_folder, taken, db) = begun().await;
    taken.applied(&db).await;
    let done = back(&taken, &db, false, false).await;
    assert!(done.nobody_left && done.kept.is_empty(), "{:?}", done.kept);
    let mut tx = db.read().await.unwrap();
    assert_eq!(db::tenants::list(&mut tx).await.unwrap().len(), 1);
    assert!(db::applications::list_all(&mut tx).await.unwrap().is_empty());
    let defaults = model::default_subscription_policies(TenantId::SUPER);
    let mut there = db::policies::subscription::list_all(&mut tx).await.unwrap();
    there.sort_by_key(|p| defaults.iter().position(|d| d.name == p.name));
    assert_eq!(there, defaults);
    assert_eq!(db::rest_scopes::list(&mut tx, TenantId::SUPER).await.unwrap().len(), model::default_rest_scopes().len());
}

#[tokio::test]
async fn later_work_stays_with_what_it_needs_and_is_told() {
    let (_folder, taken, db) = begun().await;
    taken.applied(&db).await;
    // An application made here by a carried user, subscribed to a carried API.
    let mut tx = db.write().await.unwrap();
    let carried = db::subscriptions::list_all(&mut tx).await.unwrap();
    let model_of = carried.iter().find(|s| s.state == SubscriptionState::Unblocked).unwrap().clone();
    let theirs = db::applications::find(&mut tx, model_of.application).await.unwrap().unwrap();
    let mine = Application { id: ApplicationId::random(), number: 0, name: "Made here".to_owned(), ..theirs.clone() };
    db::applications::insert(&mut tx, &mine).await.unwrap();
    let later = model::Subscription { id: model::SubscriptionId::random(), application: mine.id, ..model_of.clone() };
    db::subscriptions::insert(&mut tx, &later).await.unwrap();
    // A carried application and a carried policy that were changed here.
    let other = db::applications::list_all(&mut tx).await.unwrap().into_iter().find(|a| a.id != mine.id && a.id != theirs.id).unwrap();
    let changed = Application { description: Some("Changed here".to_owned()), ..other };
    assert!(db::applications::update(&mut tx, &changed).await.unwrap());
    tx.commit().await.unwrap();

    let done = back(&taken, &db, false, false).await;
    assert_eq!((of(&done, "applications").others, of(&done, "subscriptions").others), (1, 1));
    assert!(done.others.iter().any(|left| left.kind == "applications" && left.name.contains("Made here")), "{:?}", done.others);
    let why = |kind: &str| done.kept.iter().filter(|left| left.kind == kind).map(|left| left.words.as_str()).collect::<Vec<_>>();
    assert_eq!(why("applications"), ["changed here since it was carried"]);
    assert!(
        why("APIs").len() == 1 && why("APIs")[0].starts_with("subscriptions ") && why("APIs")[0].ends_with(" needs it"),
        "{:?}",
        done.kept
    );
    assert!(!why("users").is_empty() && of(&done, "subscriptions").kept == 0);
    let mut tx = db.read().await.unwrap();
    assert_eq!(db::subscriptions::list_all(&mut tx).await.unwrap(), std::slice::from_ref(&later));
    assert!(db::apis::find(&mut tx, later.api).await.unwrap().is_some());
    let left = db::applications::list_all(&mut tx).await.unwrap();
    assert_eq!(left.len(), 2);
    assert!(left.contains(&changed), "what was changed here is as it was changed");
    drop(tx);
    // Once more it is the same, and nothing more goes.
    let again = back(&taken, &db, false, false).await;
    assert_eq!((again.kept.len(), again.batches), (done.kept.len(), 0));
    // The changed one goes when asked to; what later work needs never does.
    let also = back(&taken, &db, false, true).await;
    assert_eq!((of(&also, "applications").removed, of(&also, "APIs").kept), (1, 1));
    // The upgrade knows what it left: the road can be gone again.
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
}

#[tokio::test]
async fn use_is_no_change_and_a_change_is() {
    let (_folder, taken, db) = begun().await;
    taken.applied(&db).await;
    let mut tx = db.write().await.unwrap();
    let find = async |tx: &mut db::Tx, name: &str| db::users::find(tx, TenantId::SUPER, model::PRIMARY_STORE, name).await.unwrap().unwrap();
    // Alice signed in; Dave set another password; a token was used; a limit was changed.
    let (alice, dave) = (find(&mut tx, "alice").await, find(&mut tx, "dave").await);
    let renewed = StoredPassword::Argon2id(Secret::new("$argon2id$renewed".to_owned()));
    assert!(db::users::rehash(&mut tx, alice.id, alice.password.as_ref().unwrap(), &renewed).await.unwrap());
    let set = User { password: Some(renewed), password_changed_at: taken.now.plus_secs(5), ..dave.clone() };
    assert!(db::users::update(&mut tx, &set, taken.now.plus_secs(5)).await.unwrap());
    let token = db::tokens::find_by_access(&mut tx, &made_up().tokens[0].access).await.unwrap().unwrap();
    db::tokens::revoke(&mut tx, token.id, taken.now).await.unwrap();
    let mut gold = db::policies::subscription::find_by_name(&mut tx, TenantId::SUPER, "Gold").await.unwrap().unwrap();
    gold.limit = Limit::per_minute(7);
    assert!(db::policies::subscription::update(&mut tx, &gold).await.unwrap());
    tx.commit().await.unwrap();
    let done = back(&taken, &db, false, false).await;
    let kept: Vec<(&str, &str)> = done.kept.iter().map(|left| (left.kind, left.name.as_str())).collect();
    assert!(kept.contains(&("users", "dave of tenant -1234")) && !kept.contains(&("users", "alice of tenant -1234")), "{kept:?}");
    assert!(kept.contains(&("subscription policies", "Gold of tenant -1234")), "{kept:?}");
    assert_eq!(of(&done, "tokens").kept, 0);
    let mut tx = db.read().await.unwrap();
    assert!(db::tokens::list_of_client(&mut tx, &token.client, TokenState::Revoked, 9).await.unwrap().is_empty());
    assert_eq!(find(&mut tx, "dave").await, set);
}

#[tokio::test]
async fn an_interrupted_apply_is_taken_back_and_closed() {
    let (_folder, taken, db) = begun().await;
    first_start(&taken, &db).await;
    let before = content(&db).await;
    taken.apply(&db, upgrade::apply::Options { batch: 3, stop_after: Some(20), ..taken.all() }).await.unwrap_err();
    back(&taken, &db, false, false).await;
    assert_eq!(content(&db).await, before);
    let mut tx = db.read().await.unwrap();
    let runs = db::journal::list(&mut tx, 9).await.unwrap();
    let told: Vec<_> = runs.iter().map(|r| (r.command.as_str(), r.outcome.as_deref())).collect();
    assert_eq!(told, [("rollback", Some("done")), ("apply", Some("rolled back"))]);
}
