//! Rollback: what the upgrade wrote goes, what came later stays, and what was there before comes back.

use std::collections::BTreeMap;

use db::Db;
use model::{Application, ApplicationId, Limit, Secret, StoredPassword, SubscriptionState, Tenant, TenantId, TokenState, User};
use oldsite::{Dialect, mysql::Blobs};
use upgrade::{
    Place,
    rollback::{KindBack, Options, TakenBack},
};

use crate::{
    roads::{NOW_MS, Scratch, dumps, made_up, written},
    taking::{Taken, equal, target, target_on},
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

/// What [`content`] leaves out: documents' files are in it; here are sequences, refusals, settings, stores, requests, keys and switches.
async fn rules(db: &Db) -> BTreeMap<&'static str, Vec<String>> {
    fn lines<T: std::fmt::Debug>(all: impl IntoIterator<Item = T>) -> Vec<String> {
        all.into_iter().map(|one| format!("{one:?}")).collect()
    }
    let mut tx = db.read().await.unwrap();
    let tx = &mut tx;
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    found.insert("deny policies", lines(db::deny_policies::list_all(tx).await.unwrap()));
    found.insert("user stores", lines(db::user_stores::list_all(tx).await.unwrap()));
    found.insert("signing keys", lines(db::signing_keys::list_all(tx).await.unwrap()));
    found.insert("continuity switches", lines(db::continuity::list(tx).await.unwrap()));
    for tenant in db::tenants::list(tx).await.unwrap() {
        let mut add = |kind, all: Vec<String>| found.entry(kind).or_default().extend(all);
        add("approvals", lines(db::workflows::list(tx, tenant.id).await.unwrap()));
        add("sequences", lines(db::sequences::list_common(tx, tenant.id).await.unwrap()));
        for kind in model::SettingKind::ALL {
            add("tenant settings", lines(db::tenant_settings::list(tx, tenant.id, kind).await.unwrap()));
        }
    }
    let apis = db::apis::list(tx, &db::apis::ApiQuery { limit: 1_000, ..db::apis::ApiQuery::default() }).await.unwrap().items;
    for api in apis {
        found.entry("sequences").or_default().extend(lines(db::sequences::list_of_api(tx, api.id).await.unwrap()));
        found.entry("documents").or_default().extend(lines(db::documents::list(tx, api.id).await.unwrap()));
    }
    found
}

/// A site of 2.0 that has a record of every kind.
async fn with_every_kind(folder: &std::path::Path) -> Taken {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    let mut site = made_up().of_version(oldsite::Version::V2_0_0);
    let url = ("url", "jdbc:mysql://127.0.0.1:1/users");
    site.user_stores.push(oldsite::UserStore::new("PARTNERS", "jdbc.JDBCUserStoreManager", &[url, ("userName", "u"), ("password", "p")]));
    let written = written(&site, Dialect::MySql(Blobs::Escaped), folder);
    let place = Place { home: Some(written.home.clone()), databases: dumps(&written), ..Place::default() };
    let mut taken = Taken::of(&place, NOW_MS).await;
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'static> = key.as_der().unwrap();
    let certificate = [b"CN=am.old.example", key.public_key().as_ref()].concat();
    let pair = upgrade::source::keypairs::OldPair { pkcs8: Secret::new(pkcs8.as_ref().to_vec()), certificate };
    taken.old.installation.keys = upgrade::old::Keys { primary: Some(Ok(pair)), trusted: None, tenants: Default::default() };
    taken
}

/// Every kind goes and comes again, whatever was there before is as it was.
async fn every_kind_is_taken_back(taken: &Taken, db: &Db) {
    let admin = first_start(taken, db).await;
    let (before, rules_before) = (content(db).await, rules(db).await);
    taken.applied(db).await;
    let (applied, rules_applied) = (content(db).await, rules(db).await);
    for (kind, all) in &rules_applied {
        assert!(all.len() > rules_before.get(kind).map_or(0, Vec::len), "the site has no {kind}");
    }
    equal(&taken.verify(db).await);
    let dry = back(taken, db, true, false).await;
    assert_eq!((content(db).await, rules(db).await), (applied.clone(), rules_applied.clone()), "a dry one writes nothing");
    let done = back(taken, db, false, false).await;
    assert_eq!(done.kinds, dry.kinds, "what was told is what was done");
    assert!(done.kept.is_empty() && done.others.is_empty() && !done.nobody_left, "{:?} {:?}", done.kept, done.others);
    for kind in rules_applied.keys() {
        assert!(of(&done, kind).removed > 0, "no {kind} were removed");
    }
    let without_empty =
        |all: BTreeMap<&'static str, Vec<String>>| -> BTreeMap<_, _> { all.into_iter().filter(|(_, l)| !l.is_empty()).collect() };
    assert_eq!((content(db).await, without_empty(rules(db).await)), (before, without_empty(rules_before)));
    let mut tx = db.read().await.unwrap();
    assert_eq!(db::users::find_by_id(&mut tx, admin.id).await.unwrap(), Some(admin));
    for kind in done.kinds.iter().map(|k| k.kind) {
        assert_eq!(db::origins::count(&mut tx, &taken.old.source, kind).await.unwrap(), 0, "{kind}");
    }
    drop(tx);
    taken.applied(db).await;
    assert_eq!((content(db).await, rules(db).await), (applied, rules_applied));
    equal(&taken.verify(db).await);
}

#[tokio::test]
async fn every_kind_of_record_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let taken = with_every_kind(folder.path()).await;
    every_kind_is_taken_back(&taken, &target(folder.path()).open_or_make().await.unwrap()).await;
}

#[tokio::test]
async fn every_kind_of_record_is_taken_back_on_postgresql() {
    let Some(scratch) = Scratch::new(Dialect::Postgres, "rollback") else { return };
    let folder = tempfile::tempdir().unwrap();
    let taken = with_every_kind(folder.path()).await;
    let db = target_on(folder.path(), &format!("postgres://postgres@127.0.0.1:5432/{}", scratch.name)).open_or_make().await.unwrap();
    every_kind_is_taken_back(&taken, &db).await;
    db.close().await;
}

/// What was changed here stays, and goes when asked to, on PostgreSQL as on SQLite.
#[tokio::test]
async fn changed_rules_stay_on_postgresql() {
    let Some(scratch) = Scratch::new(Dialect::Postgres, "rollback_kept") else { return };
    let folder = tempfile::tempdir().unwrap();
    let taken = with_every_kind(folder.path()).await;
    let db = target_on(folder.path(), &format!("postgres://postgres@127.0.0.1:5432/{}", scratch.name)).open_or_make().await.unwrap();
    first_start(&taken, &db).await;
    taken.applied(&db).await;
    let mut tx = db.write().await.unwrap();
    let mut ways = db::continuity::list(&mut tx).await.unwrap().remove(0);
    ways.token_kinds = false;
    db::continuity::put(&mut tx, &ways).await.unwrap();
    let mut denied = db::deny_policies::list_all(&mut tx).await.unwrap().remove(0);
    denied.enabled = !denied.enabled;
    db::deny_policies::update(&mut tx, &denied).await.unwrap();
    tx.commit().await.unwrap();
    let done = back(&taken, &db, false, false).await;
    assert_eq!((of(&done, "continuity switches").kept, of(&done, "deny policies").kept), (1, 1), "{:?}", done.kept);
    let mut tx = db.read().await.unwrap();
    assert!(db::deny_policies::list_all(&mut tx).await.unwrap().contains(&denied));
    drop(tx);
    let also = back(&taken, &db, false, true).await;
    assert_eq!((of(&also, "continuity switches").removed, of(&also, "deny policies").removed), (1, 1), "{:?}", also.kept);
    db.close().await;
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
