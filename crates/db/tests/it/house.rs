//! Environments, facts, origins and what an installation starts with.

use db::origins::Origin;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! { environments_are_put_and_removed, facts_are_overwritten, origins_keep_the_upgrades_book, bootstrap_repeats_harmlessly }

async fn environments_are_put_and_removed(stage: Stage) {
    let mut environment = Environment {
        name: "Asia".to_owned(),
        display_name: "Asia!".to_owned(),
        description: None,
        kind: "hybrid".to_owned(),
        read_only: false,
        vhosts: vec![vhost(), Vhost { host: "b".to_owned(), http_context: "gw".to_owned(), ..vhost() }],
    };
    let mut tx = stage.db.write().await.unwrap();
    db::environments::put(&mut tx, &environment).await.unwrap();
    environment.description = Some("far".to_owned());
    db::environments::put(&mut tx, &environment).await.unwrap();
    assert_eq!(db::environments::list(&mut tx).await.unwrap(), [environment.clone()]);
    assert_eq!(db::environments::find(&mut tx, "Asia").await.unwrap(), Some(environment));
    assert!(db::environments::delete(&mut tx, "Asia").await.unwrap());
    assert!(!db::environments::delete(&mut tx, "Asia").await.unwrap());
    assert_eq!(db::environments::find(&mut tx, "Asia").await.unwrap(), None);
}

async fn facts_are_overwritten(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    assert_eq!(db::facts::get(&mut tx, "k").await.unwrap(), None);
    for value in ["1", "", "ü"] {
        db::facts::put(&mut tx, "k", value).await.unwrap();
        assert_eq!(db::facts::get(&mut tx, "k").await.unwrap().as_deref(), Some(value));
    }
}

async fn origins_keep_the_upgrades_book(stage: Stage) {
    let origin = |n: usize, hash: &str| Origin { new_id: format!("new{n}"), content_hash: hash.to_owned() };
    let many: Vec<(String, Origin)> = (0..2_000).map(|n| (format!("{n:05}"), origin(n, "h"))).collect();
    let mut tx = stage.db.write().await.unwrap();
    db::origins::put_many(&mut tx, "am", "api", &many).await.unwrap();
    db::origins::put(&mut tx, "am", "api", "00007", &origin(7, "changed")).await.unwrap();
    db::origins::put(&mut tx, "am", "user", "00007", &origin(1, "u")).await.unwrap();
    assert_eq!(db::origins::find(&mut tx, "am", "api", "00007").await.unwrap(), Some(origin(7, "changed")));
    assert_eq!(db::origins::find(&mut tx, "other", "api", "00007").await.unwrap(), None);
    assert_eq!(db::origins::count(&mut tx, "am", "api").await.unwrap(), 2_000);
    let listed = db::origins::list(&mut tx, "am", "api").await.unwrap();
    assert_eq!((listed.len(), &listed[8]), (2_000, &many[8]));
    assert!(db::origins::forget(&mut tx, "am", "api", "00007").await.unwrap());
    assert!(!db::origins::forget(&mut tx, "am", "api", "00007").await.unwrap());
    assert_eq!(db::origins::count(&mut tx, "am", "user").await.unwrap(), 1);
}

async fn bootstrap_repeats_harmlessly(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    let tenant = Tenant::super_tenant(NOW);
    db::bootstrap::tenant(&mut tx, &tenant).await.unwrap();
    db::bootstrap::environment(&mut tx, &vhost()).await.unwrap();
    let mut changed = default_application_policies(TenantId::SUPER).remove(0);
    changed.limit = Limit::per_minute(3);
    assert!(db::policies::application::update(&mut tx, &changed).await.unwrap());
    let mut scopes = db::rest_scopes::list(&mut tx, TenantId::SUPER).await.unwrap();
    assert_eq!(scopes.len(), default_rest_scopes().len());
    assert!(scopes.iter().all(|s| s.roles[0] == "admin"));
    scopes[0].roles = texts(&["mine"]);
    let lost = scopes.pop().unwrap();
    db::rest_scopes::replace(&mut tx, TenantId::SUPER, &scopes).await.unwrap();

    db::bootstrap::tenant(&mut tx, &tenant).await.unwrap();
    db::bootstrap::environment(&mut tx, &Vhost { host: "other".to_owned(), ..vhost() }).await.unwrap();
    scopes.push(lost);
    assert_eq!(db::rest_scopes::list(&mut tx, TenantId::SUPER).await.unwrap(), scopes);
    assert_eq!(db::policies::application::find(&mut tx, TenantId::SUPER, changed.id).await.unwrap(), Some(changed));
    assert_eq!(db::roles::list(&mut tx, TenantId::SUPER).await.unwrap().len(), DEFAULT_ROLES.len());
    let (subscription, advanced) = (default_subscription_policies(TenantId::SUPER), default_advanced_policies(TenantId::SUPER));
    assert_eq!(db::policies::subscription::list_all(&mut tx).await.unwrap().len(), subscription.len());
    assert_eq!(db::policies::advanced::list_all(&mut tx).await.unwrap().len(), advanced.len());
    assert_eq!(db::environments::find(&mut tx, "Default").await.unwrap().unwrap().vhosts, [vhost()]);
}
