//! Applications, their keys, subscriptions and clients.

use db::applications::{ApplicationQuery, ApplicationSort};
use db::{Error, Page};
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    an_application_comes_back_whole,
    numbers_count_on_past_kept_ones,
    application_names_are_unique_per_owner,
    applications_are_listed_by_owner_or_group,
    a_deleted_application_takes_its_keys_and_subscriptions,
    key_mappings_are_found_by_each_of_their_keys,
    subscriptions_are_listed_from_both_sides,
    clients_come_back_with_their_secrets,
    a_deleted_client_leaves_its_tokens_revoked,
    a_locked_row_loses_no_change,
}

async fn an_application_comes_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let mut app = application("admin", "App");
    let mut tx = stage.db.write().await.unwrap();
    app.number = db::applications::insert(&mut tx, &app).await.unwrap();
    assert_eq!(app.number, 1);
    assert_eq!(db::applications::find(&mut tx, app.id).await.unwrap().as_ref(), Some(&app));
    let found = db::applications::find_by_owner_and_name(&mut tx, TenantId::SUPER, "admin", "App").await.unwrap();
    assert_eq!(found.as_ref(), Some(&app));
    app.groups = texts(&["other"]);
    app.status = ApplicationStatus::Rejected;
    app.owner = "bob".to_owned();
    assert!(db::applications::update(&mut tx, &app).await.unwrap());
    assert_eq!(db::applications::list_all(&mut tx).await.unwrap(), [app.clone()]);
    assert!(!db::applications::update(&mut tx, &application("x", "y")).await.unwrap());
}

async fn numbers_count_on_past_kept_ones(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    let kept: Vec<Application> = [("a", 41), ("b", 7)].map(|(n, number)| Application { number, ..application("admin", n) }).into();
    db::applications::insert_many(&mut tx, &kept).await.unwrap();
    assert_eq!(db::applications::insert(&mut tx, &application("admin", "c")).await.unwrap(), 42);
    let clash = Application { number: 7, ..application("admin", "d") };
    assert!(db::applications::insert(&mut tx, &clash).await.unwrap_err().is_duplicate("application", "number"));
}

async fn application_names_are_unique_per_owner(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    for (owner, name) in [("admin", "App"), ("admin", "app"), ("bob", "App")] {
        db::applications::insert(&mut tx, &application(owner, name)).await.unwrap();
    }
    let clash = db::applications::insert(&mut tx, &application("bob", "App")).await.unwrap_err();
    assert!(matches!(&clash, Error::Duplicate { what } if what == "application(tenant, owner, name)"), "{clash}");
}

async fn applications_are_listed_by_owner_or_group(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    for (owner, name, group, policy) in [("ann", "b-one", "g1", "P1"), ("bob", "A_two", "g2", "P2"), ("bob", "c", "g1", "P0")] {
        let app = Application { groups: texts(&[group]), policy: policy.to_owned(), ..application(owner, name) };
        db::applications::insert(&mut tx, &app).await.unwrap();
    }
    let all = ApplicationQuery::of(TenantId::SUPER);
    let owned = |owner: &str, groups: &[&str]| ApplicationQuery { owner: Some(owner.to_owned()), groups: texts(groups), ..all.clone() };
    let cases = [
        (all.clone(), vec!["A_two", "b-one", "c"]),
        (ApplicationQuery { descending: true, ..all.clone() }, vec!["c", "b-one", "A_two"]),
        (ApplicationQuery { sort_by: ApplicationSort::Owner, ..all.clone() }, vec!["b-one", "A_two", "c"]),
        (ApplicationQuery { sort_by: ApplicationSort::Policy, descending: true, ..all.clone() }, vec!["A_two", "b-one", "c"]),
        (ApplicationQuery { sort_by: ApplicationSort::Status, ..all.clone() }, vec!["A_two", "b-one", "c"]),
        (ApplicationQuery { sort_by: ApplicationSort::CreatedAt, descending: true, ..all.clone() }, vec!["c", "A_two", "b-one"]),
        (owned("bob", &[]), vec!["A_two", "c"]),
        (owned("bob", &["g1"]), vec!["A_two", "b-one", "c"]),
        (owned("nobody", &["g2"]), vec!["A_two"]),
        (ApplicationQuery { name_like: Some("a_".to_owned()), ..all.clone() }, vec!["A_two"]),
        (ApplicationQuery { tenant: ACME, ..all.clone() }, vec![]),
    ];
    for (query, expected) in cases {
        let page = db::applications::list(&mut tx, &query).await.unwrap();
        assert_eq!(page.items.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), expected, "{query:?}");
        assert_eq!(page.total, expected.len() as u64);
    }
    let page = db::applications::list(&mut tx, &ApplicationQuery { limit: 1, offset: 1, ..all }).await.unwrap();
    assert_eq!((page.items[0].name.as_str(), page.items.len(), page.total), ("b-one", 1, 3));
}

async fn a_deleted_application_takes_its_keys_and_subscriptions(stage: Stage) {
    tenants(&stage.db).await;
    let (api, app) = (full_api(), application("admin", "App"));
    let (sub, key) = (subscription(&app, &api), key_mapping(&app, KeyType::Sandbox, Some("ck")));
    let mut tx = stage.db.write().await.unwrap();
    db::apis::insert(&mut tx, &api).await.unwrap();
    db::applications::insert(&mut tx, &app).await.unwrap();
    db::subscriptions::insert(&mut tx, &sub).await.unwrap();
    db::key_mappings::insert(&mut tx, &key).await.unwrap();
    assert!(db::applications::delete(&mut tx, app.id).await.unwrap());
    assert!(!db::applications::delete(&mut tx, app.id).await.unwrap());
    assert_eq!(db::subscriptions::find(&mut tx, sub.id).await.unwrap(), None);
    assert_eq!(db::key_mappings::find(&mut tx, key.id).await.unwrap(), None);
    assert_eq!(db::applications::list_all(&mut tx).await.unwrap(), []);
}

async fn key_mappings_are_found_by_each_of_their_keys(stage: Stage) {
    tenants(&stage.db).await;
    let app = application("admin", "App");
    let mut tx = stage.db.write().await.unwrap();
    db::applications::insert(&mut tx, &app).await.unwrap();
    let production = key_mapping(&app, KeyType::Production, Some("ck1"));
    let mut sandbox = key_mapping(&app, KeyType::Sandbox, None);
    db::key_mappings::insert_many(&mut tx, &[production.clone(), sandbox.clone()]).await.unwrap();
    assert_eq!(db::key_mappings::find(&mut tx, sandbox.id).await.unwrap().as_ref(), Some(&sandbox));
    assert_eq!(db::key_mappings::find_by_consumer_key(&mut tx, "ck1").await.unwrap().as_ref(), Some(&production));
    let found = db::key_mappings::find_for(&mut tx, app.id, KeyType::Production, "Resident Key Manager").await.unwrap();
    assert_eq!(found.as_ref(), Some(&production));
    assert_eq!(db::key_mappings::find_for(&mut tx, app.id, KeyType::Production, "Other").await.unwrap(), None);
    sandbox.consumer_key = Some("ck2".to_owned());
    assert!(db::key_mappings::update(&mut tx, &sandbox).await.unwrap());
    assert_eq!(db::key_mappings::list(&mut tx, app.id).await.unwrap(), [production.clone(), sandbox.clone()]);
    assert_eq!(db::key_mappings::list_all(&mut tx).await.unwrap().len(), 2);
    assert!(db::key_mappings::delete(&mut tx, sandbox.id).await.unwrap());
    assert!(!db::key_mappings::delete(&mut tx, sandbox.id).await.unwrap());
    tx.commit().await.unwrap();
    for (clash, column) in [
        (key_mapping(&app, KeyType::Sandbox, Some("ck1")), "consumer_key"),
        (key_mapping(&app, KeyType::Production, Some("ck9")), "key_type"),
    ] {
        let mut tx = stage.db.write().await.unwrap();
        let error = db::key_mappings::insert(&mut tx, &clash).await.unwrap_err();
        assert!(error.is_duplicate("key_mapping", column), "{error}");
    }
}

async fn subscriptions_are_listed_from_both_sides(stage: Stage) {
    tenants(&stage.db).await;
    let (api, other) = (full_api(), plain_api("Other", "1"));
    let (app, late) = (application("admin", "App"), application("admin", "Late"));
    let mut tx = stage.db.write().await.unwrap();
    for api in [&api, &other] {
        db::apis::insert(&mut tx, api).await.unwrap();
    }
    for app in [&app, &late] {
        db::applications::insert(&mut tx, app).await.unwrap();
    }
    let one = subscription(&app, &api);
    let two = Subscription { created_at: NOW.plus_secs(1), ..subscription(&app, &other) };
    let mut three = Subscription { created_at: NOW.plus_secs(2), ..subscription(&late, &api) };
    db::subscriptions::insert_many(&mut tx, &[three.clone(), one.clone(), two.clone()]).await.unwrap();
    assert_eq!(db::subscriptions::find(&mut tx, one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(db::subscriptions::find_for(&mut tx, app.id, other.id).await.unwrap().as_ref(), Some(&two));
    assert_eq!(db::subscriptions::find_for(&mut tx, late.id, other.id).await.unwrap(), None);
    let page = |items: &[&Subscription], total| Page { items: items.iter().map(|s| (*s).clone()).collect(), total };
    assert_eq!(db::subscriptions::list_of_application(&mut tx, app.id, 25, 0).await.unwrap(), page(&[&one, &two], 2));
    assert_eq!(db::subscriptions::list_of_api(&mut tx, api.id, 1, 1).await.unwrap(), page(&[&three], 2));
    assert_eq!(db::subscriptions::count_of_api(&mut tx, api.id).await.unwrap(), 2);
    assert_eq!(db::subscriptions::list_all(&mut tx).await.unwrap().len(), 3);
    three.plan = "Silver".to_owned();
    three.requested_plan = None;
    three.state = SubscriptionState::ProdOnlyBlocked;
    assert!(db::subscriptions::update(&mut tx, &three).await.unwrap());
    assert_eq!(db::subscriptions::find(&mut tx, three.id).await.unwrap().as_ref(), Some(&three));
    assert!(db::policies::subscription::in_use(&mut tx, TenantId::SUPER, "Bronze").await.unwrap());
    assert!(db::policies::subscription::in_use(&mut tx, TenantId::SUPER, "Silver").await.unwrap());
    assert!(!db::policies::subscription::in_use(&mut tx, ACME, "Silver").await.unwrap());
    assert!(db::subscriptions::delete(&mut tx, three.id).await.unwrap());
    assert!(!db::subscriptions::delete(&mut tx, three.id).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = stage.db.write().await.unwrap();
    assert!(!db::subscriptions::is_empty(&mut tx).await.unwrap());
    let found = db::subscriptions::find_many(&mut tx, &[two.id, SubscriptionId::random(), one.id]).await.unwrap();
    assert_eq!(found, [Some(two.clone()), None, Some(one.clone())]);
    let places = [(app.id, other.id), (late.id, other.id), (app.id, api.id)];
    let found = db::subscriptions::find_many_for(&mut tx, &places).await.unwrap();
    assert_eq!(found, [Some(two.clone()), None, Some(one.clone())]);
    let here = db::applications::list_all(&mut tx).await.unwrap();
    let (numbers, names) =
        (db::applications::ids_by_number(&mut tx).await.unwrap(), db::applications::names_by_number(&mut tx).await.unwrap());
    assert_eq!(numbers, here.iter().map(|a| (a.number, a.id)).collect::<Vec<_>>());
    assert_eq!(names, here.iter().map(|a| (a.number, a.name.clone())).collect::<Vec<_>>());
    assert!(db::subscriptions::insert(&mut tx, &subscription(&app, &api)).await.unwrap_err().is_duplicate("subscription", "api"));
    drop(tx);
    let mut tx = stage.db.write().await.unwrap();
    let nobodys = subscription(&application("x", "never inserted"), &api);
    assert!(matches!(db::subscriptions::insert(&mut tx, &nobodys).await, Err(Error::Reference(_))));
}

async fn clients_come_back_with_their_secrets(stage: Stage) {
    tenants(&stage.db).await;
    let mut client_one = client("one");
    let mut tx = stage.db.write().await.unwrap();
    db::clients::insert_many(&mut tx, &[client_one.clone(), client("two")]).await.unwrap();
    assert_eq!(db::clients::find(&mut tx, "one").await.unwrap().as_ref(), Some(&client_one));
    assert_eq!(db::clients::find(&mut tx, "ONE").await.unwrap(), None);
    client_one.secret = Secret::new("regenerated".to_owned());
    client_one.active = false;
    client_one.callback_url = None;
    client_one.token_format = TokenFormat::Jwt;
    assert!(db::clients::update(&mut tx, &client_one).await.unwrap());
    let found = db::clients::find_by_owner_and_name(&mut tx, TenantId::SUPER, "admin", "app-one").await.unwrap();
    assert_eq!(found.as_ref(), Some(&client_one));
    let listed = db::clients::list(&mut tx, TenantId::SUPER).await.unwrap();
    assert_eq!(listed.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(db::clients::list(&mut tx, ACME).await.unwrap(), []);
    assert!(db::clients::insert(&mut tx, &client("two")).await.unwrap_err().is_duplicate("client", "id"));
}

/// Each writer reads a whole row and writes it back with one more word. Without the lock PostgreSQL lets two read the same state.
async fn a_locked_row_loses_no_change(stage: Stage) {
    tenants(&stage.db).await;
    let (client, app, bob) = (client("one"), application("admin", "App"), user("bob"));
    let mut tx = stage.db.write().await.unwrap();
    db::clients::insert(&mut tx, &client).await.unwrap();
    db::applications::insert(&mut tx, &app).await.unwrap();
    db::users::insert(&mut tx, &bob).await.unwrap();
    tx.commit().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..6 {
        let (db, app, bob) = (stage.db.clone(), app.id, bob.clone());
        writers.spawn(async move {
            for n in 0..8 {
                let word = format!("{writer}.{n}");
                let mut tx = db.write().await.unwrap();
                db::tenants::lock(&mut tx, bob.tenant).await.unwrap();
                db::users::lock(&mut tx, bob.tenant, &bob.store, &bob.name).await.unwrap();
                let mut user = db::users::find_by_id(&mut tx, bob.id).await.unwrap().unwrap();
                user.attributes.push((word.clone(), word.clone()));
                db::users::update(&mut tx, &user, NOW).await.unwrap();
                tx.commit().await.unwrap();
                let mut tx = db.write().await.unwrap();
                db::applications::lock(&mut tx, app).await.unwrap();
                let mut application = db::applications::find(&mut tx, app).await.unwrap().unwrap();
                application.groups.push(word.clone());
                db::applications::update(&mut tx, &application).await.unwrap();
                db::clients::lock(&mut tx, "one").await.unwrap();
                let mut client = db::clients::find(&mut tx, "one").await.unwrap().unwrap();
                client.grants.push(word);
                db::clients::update(&mut tx, &client).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let mut tx = stage.db.read().await.unwrap();
    let (now, before) = (db::clients::find(&mut tx, "one").await.unwrap().unwrap(), client.grants.len());
    assert_eq!(now.grants.len(), before + 48);
    assert_eq!(db::applications::find(&mut tx, app.id).await.unwrap().unwrap().groups.len(), app.groups.len() + 48);
    assert_eq!(db::users::find_by_id(&mut tx, bob.id).await.unwrap().unwrap().attributes.len(), bob.attributes.len() + 48);
}

async fn a_deleted_client_leaves_its_tokens_revoked(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    db::clients::insert(&mut tx, &client("one")).await.unwrap();
    db::tokens::insert_many(&mut tx, &[jwt("one", "j1"), opaque_token("one", "t1"), jwt("two", "j2")]).await.unwrap();
    assert!(db::clients::delete(&mut tx, "one", NOW).await.unwrap());
    assert!(!db::clients::delete(&mut tx, "one", NOW).await.unwrap());
    let revoked = db::tokens::list_revoked(&mut tx, NOW).await.unwrap();
    assert_eq!(revoked, [("j1".to_owned(), Some(NOW.plus_secs(3600)))]);
    assert_eq!(db::tokens::find_by_access(&mut tx, "t1").await.unwrap().unwrap().state, TokenState::Revoked);
}
