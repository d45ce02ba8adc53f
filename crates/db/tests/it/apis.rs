//! APIs, their scopes, revisions, deployments and history.

use db::Error;
use db::apis::{ApiQuery, Field, Term, Viewer};
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    an_api_comes_back_whole,
    names_and_contexts_are_unique,
    an_update_replaces_everything_found_by,
    a_deleted_api_takes_everything_along,
    search_terms_narrow_the_list,
    pages_are_sorted_and_counted,
    viewers_see_what_they_may,
    publishers_see_what_they_may,
    scopes_bind_by_api_and_shared,
    scopes_of_other_tenants_are_told,
    shared_scopes_live_on_their_own,
    revisions_are_frozen_and_numbered_for_ever,
    an_environment_runs_one_revision,
    history_keeps_its_order,
    long_words_are_kept,
}

async fn insert(stage: &Stage, apis: &[&Api]) {
    let mut tx = stage.db.write().await.unwrap();
    for api in apis {
        db::apis::insert(&mut tx, api).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn names(stage: &Stage, query: ApiQuery) -> Vec<String> {
    let mut tx = stage.db.read().await.unwrap();
    let page = db::apis::list(&mut tx, &query).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.into_iter().map(|a| format!("{} {}", a.name, a.version)).collect()
}

fn term(field: Field, value: &str, exact: bool) -> ApiQuery {
    ApiQuery { terms: vec![Term { field, value: value.to_owned(), exact }], ..ApiQuery::default() }
}

async fn an_api_comes_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let api = full_api();
    insert(&stage, &[&api]).await;
    let mut tx = stage.db.write().await.unwrap();
    assert_eq!(db::apis::find(&mut tx, api.id).await.unwrap().as_ref(), Some(&api));
    let found = db::apis::find_by_name_version(&mut tx, TenantId::SUPER, "Pizza", "1.0.0").await.unwrap();
    assert_eq!(found.as_ref(), Some(&api));
    assert_eq!(db::apis::find_by_name_version(&mut tx, ACME, "Pizza", "1.0.0").await.unwrap(), None);
    for context in ["/Pizza/1.0.0", "/Pizza/{version}"] {
        assert_eq!(db::apis::find_by_context(&mut tx, context).await.unwrap().map(|h| (h.id, h.name)), Some((api.id, "Pizza".to_owned())));
    }
    assert_eq!(db::apis::find_by_context(&mut tx, "/pizza").await.unwrap(), None);
    assert_eq!(db::apis::definition(&mut tx, api.id).await.unwrap(), None);
    for text in ["openapi: 3.0.1", "openapi: 3.0.3 # ü"] {
        db::apis::set_definition(&mut tx, api.id, &definition(text)).await.unwrap();
        assert_eq!(db::apis::definition(&mut tx, api.id).await.unwrap(), Some(definition(text)));
    }
}

async fn names_and_contexts_are_unique(stage: Stage) {
    tenants(&stage.db).await;
    let api = full_api();
    insert(&stage, &[&api]).await;
    let mut same_name = plain_api("Pizza", "1.0.0");
    same_name.context = "/other".to_owned();
    let mut same_context = plain_api("Pasta", "1.0.0");
    same_context.context.clone_from(&api.context);
    let mut same_id = plain_api("Pasta", "1.0.0");
    same_id.id = api.id;
    for (clash, what, column) in
        [(same_name, "api(tenant, name, version)", "name"), (same_context, "api(context)", "context"), (same_id, "api(id)", "id")]
    {
        let mut tx = stage.db.write().await.unwrap();
        let error = db::apis::insert(&mut tx, &clash).await.unwrap_err();
        assert!(error.is_duplicate("api", column));
        assert!(matches!(&error, Error::Duplicate { what: w } if w == what), "{error}");
    }
    // Another tenant may have the same name and version.
    let mut elsewhere = plain_api("Pizza", "1.0.0");
    elsewhere.tenant = ACME;
    elsewhere.context = "/t/acme.com/Pizza/1.0.0".to_owned();
    insert(&stage, &[&elsewhere]).await;
    let mut tx = stage.db.write().await.unwrap();
    let mut nobodys = plain_api("Soup", "1");
    nobodys.tenant = TenantId(99);
    assert!(matches!(db::apis::insert(&mut tx, &nobodys).await, Err(Error::Reference(_))));
}

async fn an_update_replaces_everything_found_by(stage: Stage) {
    tenants(&stage.db).await;
    let mut api = full_api();
    insert(&stage, &[&api]).await;
    api.state = LifecycleState::Deprecated;
    api.tags = texts(&["drink"]);
    api.properties.clear();
    api.scopes = vec![scope("new_scope", &["admin"], false)];
    api.operations.clear();
    api.api_policy = None;
    api.description = Some("wine".to_owned());
    api.updated_at = NOW.plus_secs(1);
    let mut tx = stage.db.write().await.unwrap();
    assert!(db::apis::update(&mut tx, &api).await.unwrap());
    assert_eq!(db::apis::find(&mut tx, api.id).await.unwrap().as_ref(), Some(&api));
    assert!(!db::policies::advanced::in_use(&mut tx, TenantId::SUPER, "10KPerMin").await.unwrap());
    assert_eq!(db::scopes::owner_of(&mut tx, TenantId::SUPER, "order_pizza").await.unwrap(), None);
    assert_eq!(db::scopes::owner_of(&mut tx, TenantId::SUPER, "new_scope").await.unwrap(), Some(api.id));
    assert!(!db::apis::update(&mut tx, &plain_api("Never", "1")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(names(&stage, term(Field::Tag, "food", false)).await, Vec::<String>::new());
    assert_eq!(names(&stage, term(Field::Tag, "drink", false)).await, ["Pizza 1.0.0"]);
    assert_eq!(names(&stage, term(Field::Property("Region".to_owned()), "North", false)).await, Vec::<String>::new());
    assert_eq!(names(&stage, term(Field::Description, "WINE", false)).await, ["Pizza 1.0.0"]);
}

async fn a_deleted_api_takes_everything_along(stage: Stage) {
    tenants(&stage.db).await;
    let (api, app) = (full_api(), application("admin", "App"));
    let revision = revision(&api, 1);
    insert(&stage, &[&api]).await;
    let mut tx = stage.db.write().await.unwrap();
    db::apis::set_definition(&mut tx, api.id, &definition("x")).await.unwrap();
    db::revisions::insert(&mut tx, &revision).await.unwrap();
    db::deployments::put(&mut tx, &deployment(&revision, "Default")).await.unwrap();
    db::lifecycle_events::append(&mut tx, api.id, None, LifecycleState::Created, "admin", NOW).await.unwrap();
    db::applications::insert(&mut tx, &app).await.unwrap();
    let sub = subscription(&app, &api);
    db::subscriptions::insert(&mut tx, &sub).await.unwrap();
    assert!(db::apis::delete(&mut tx, api.id).await.unwrap());
    assert!(!db::apis::delete(&mut tx, api.id).await.unwrap());
    assert_eq!(db::apis::find(&mut tx, api.id).await.unwrap(), None);
    assert_eq!(db::apis::definition(&mut tx, api.id).await.unwrap(), None);
    assert_eq!(db::revisions::find(&mut tx, revision.id).await.unwrap(), None);
    assert_eq!(db::deployments::list_all(&mut tx).await.unwrap(), []);
    assert_eq!(db::lifecycle_events::list(&mut tx, api.id).await.unwrap(), []);
    assert_eq!(db::subscriptions::find(&mut tx, sub.id).await.unwrap(), None);
    assert_eq!(db::scopes::owner_of(&mut tx, TenantId::SUPER, "order_pizza").await.unwrap(), None);
    assert!(!db::policies::advanced::in_use(&mut tx, TenantId::SUPER, "10KPerMin").await.unwrap());
    insert_again(&mut tx, &api).await;
}

async fn insert_again(tx: &mut db::Tx, api: &Api) {
    db::apis::insert(tx, api).await.unwrap();
    assert_eq!(db::revisions::next_number(tx, api.id).await.unwrap(), 1);
}

async fn search_terms_narrow_the_list(stage: Stage) {
    tenants(&stage.db).await;
    let mut other = plain_api("Calzone_X", "2.0.0");
    other.provider = "Chef".to_owned();
    insert(&stage, &[&full_api(), &other]).await;
    let found = [
        (Field::Name, "izz", false, "Pizza 1.0.0"),
        (Field::Name, "PIZZA", false, "Pizza 1.0.0"),
        (Field::Name, "Pizza", true, "Pizza 1.0.0"),
        (Field::Name, "e_x", false, "Calzone_X 2.0.0"),
        (Field::Version, "2.", false, "Calzone_X 2.0.0"),
        (Field::Context, "/pizza/", false, "Pizza 1.0.0"),
        (Field::Provider, "chef", false, "Calzone_X 2.0.0"),
        (Field::Description, "ünïCODE", false, "Pizza 1.0.0"),
        (Field::Description, "50% off_", false, "Pizza 1.0.0"),
        (Field::State, "published", false, "Pizza 1.0.0"),
        (Field::Kind, "soaptorest", false, "Pizza 1.0.0"),
        (Field::Tag, "FOOD", false, "Pizza 1.0.0"),
        (Field::Tag, "ärger", true, "Pizza 1.0.0"),
        (Field::Category, "Retail", true, "Pizza 1.0.0"),
        (Field::Property("region".to_owned()), "north", false, "Pizza 1.0.0"),
        (Field::Property("Region".to_owned()), "North West", true, "Pizza 1.0.0"),
        (Field::Any, "west", false, "Pizza 1.0.0"),
        (Field::Any, "FOO", false, "Pizza 1.0.0"),
        (Field::Any, "chef", false, "Calzone_X 2.0.0"),
    ];
    for (field, value, exact, name) in found {
        assert_eq!(names(&stage, term(field.clone(), value, exact)).await, [name], "{field:?} {value}");
    }
    let missed = [
        (Field::Name, "pizza", true),
        (Field::Name, "Pizz", true),
        (Field::Name, "%", false),
        (Field::Name, "Pi__a", false),
        (Field::Name, "\\", false),
        (Field::Tag, "foo", false),
        (Field::State, "created' OR '1'='1", false),
        (Field::EnableStore, "false", true),
    ];
    for (field, value, exact) in missed {
        assert_eq!(names(&stage, term(field.clone(), value, exact)).await, Vec::<String>::new(), "{field:?} {value}");
    }
    let mut both = term(Field::Name, "z", false);
    assert_eq!(names(&stage, both.clone()).await, ["Calzone_X 2.0.0", "Pizza 1.0.0"]);
    both.terms.push(Term { field: Field::Version, value: "1.0.0".to_owned(), exact: true });
    assert_eq!(names(&stage, both).await, ["Pizza 1.0.0"]);
    let mut tx = stage.db.read().await.unwrap();
    let query = ApiQuery { tenant: Some(TenantId::SUPER), ..ApiQuery::default() };
    let tags = db::apis::tags(&mut tx, &query).await.unwrap();
    assert_eq!(tags, [("food".to_owned(), 1), ("Ärger".to_owned(), 1)]);
    let other = ApiQuery { tenant: Some(ACME), ..ApiQuery::default() };
    assert_eq!(db::apis::tags(&mut tx, &other).await.unwrap(), []);
}

async fn pages_are_sorted_and_counted(stage: Stage) {
    tenants(&stage.db).await;
    let apis: Vec<Api> = ["b", "a", "C", "d"].iter().flat_map(|n| [plain_api(n, "2"), plain_api(n, "1")]).collect();
    insert(&stage, &apis.iter().collect::<Vec<_>>()).await;
    let mut tx = stage.db.read().await.unwrap();
    let mut seen = Vec::new();
    for offset in [0, 3, 6, 9] {
        let page = db::apis::list(&mut tx, &ApiQuery { limit: 3, offset, ..ApiQuery::default() }).await.unwrap();
        assert_eq!(page.total, 8);
        seen.extend(page.items.into_iter().map(|a| a.name + &a.version));
    }
    // Byte order on both databases, whatever the server's locale.
    assert_eq!(seen, ["C1", "C2", "a1", "a2", "b1", "b2", "d1", "d2"]);
    let none = ApiQuery { states: Some(Vec::new()), ..ApiQuery::default() };
    assert_eq!(db::apis::list(&mut tx, &none).await.unwrap().total, 0);
    let created = ApiQuery { states: Some(vec![LifecycleState::Created]), tenant: Some(TenantId::SUPER), ..ApiQuery::default() };
    assert_eq!(db::apis::list(&mut tx, &created).await.unwrap().total, 8);
    let elsewhere = ApiQuery { tenant: Some(ACME), ..ApiQuery::default() };
    assert_eq!(db::apis::list(&mut tx, &elsewhere).await.unwrap().total, 0);
    let versions = db::apis::versions(&mut tx, TenantId::SUPER, "a").await.unwrap();
    assert_eq!(versions.iter().map(|a| a.version.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

async fn viewers_see_what_they_may(stage: Stage) {
    tenants(&stage.db).await;
    let mut hidden = plain_api("hidden", "1");
    hidden.enable_store = false;
    let mut private = plain_api("private", "1");
    private.visibility = Visibility::Private;
    let mut restricted = plain_api("restricted", "1");
    restricted.visibility = Visibility::Restricted;
    restricted.visible_roles = texts(&["Internal/Chef"]);
    insert(&stage, &[&hidden, &private, &restricted, &plain_api("public", "1")]).await;
    let seen = |anonymous, roles: &[&str], tenant| {
        let viewer = Viewer { roles: texts(roles), anonymous, tenant };
        names(&stage, ApiQuery { visible_to: Some(viewer), ..ApiQuery::default() })
    };
    assert_eq!(seen(true, &[], TenantId::SUPER).await, ["public 1"]);
    assert_eq!(seen(true, &["internal/chef"], TenantId::SUPER).await, ["public 1"]);
    assert_eq!(seen(false, &[], TenantId::SUPER).await, ["private 1", "public 1"]);
    assert_eq!(seen(false, &["x", "internal/chef"], TenantId::SUPER).await, ["private 1", "public 1", "restricted 1"]);
    assert_eq!(seen(false, &["internal/chef"], ACME).await, ["public 1"]);
}

async fn publishers_see_what_they_may(stage: Stage) {
    tenants(&stage.db).await;
    insert(&stage, &[&full_api(), &plain_api("open", "1")]).await;
    let seen = |roles: &[&str]| names(&stage, ApiQuery { access_roles: Some(texts(roles)), ..ApiQuery::default() });
    assert_eq!(seen(&[]).await, ["open 1"]);
    assert_eq!(seen(&["Internal/Cooks"]).await, ["Pizza 1.0.0", "open 1"]);
    assert_eq!(seen(&["Internal/Chef"]).await, ["open 1"]);
}

async fn scopes_bind_by_api_and_shared(stage: Stage) {
    tenants(&stage.db).await;
    let api = full_api();
    let mut newer = plain_api("Pizza", "2.0.0");
    newer.created_at = NOW.plus_secs(1);
    newer.scopes = vec![scope("order_pizza", &["waiter"], false)];
    insert(&stage, &[&newer, &api]).await;
    let mut tx = stage.db.write().await.unwrap();
    let shared = scope("shared_read", &["reader"], true);
    db::scopes::insert_shared(&mut tx, TenantId::SUPER, "s1", &shared).await.unwrap();
    let bound = db::scopes::bindings(&mut tx, TenantId::SUPER, &["order_pizza", "shared_read", "nobody"]).await.unwrap();
    let binding = |scope: &str, roles: &[&str]| ScopeBinding { scope: scope.to_owned(), roles: texts(roles) };
    assert_eq!(bound, [binding("order_pizza", &["waiter"]), binding("shared_read", &["reader"])]);
    assert_eq!(db::scopes::bindings(&mut tx, ACME, &["order_pizza"]).await.unwrap(), []);
    assert_eq!(db::scopes::bindings(&mut tx, ACME, &[]).await.unwrap(), []);
    assert_eq!(db::scopes::owner_of(&mut tx, TenantId::SUPER, "order_pizza").await.unwrap(), Some(api.id));
    assert_eq!(db::scopes::owner_of(&mut tx, TenantId::SUPER, "shared_read").await.unwrap(), None);
    assert_eq!(db::scopes::users_of_shared(&mut tx, TenantId::SUPER, "shared_read").await.unwrap(), [api.id]);
}

async fn scopes_of_other_tenants_are_told(stage: Stage) {
    tenants(&stage.db).await;
    let mut far = plain_api("Far", "1");
    far.tenant = ACME;
    far.context = "/t/acme.com/far/1".to_owned();
    far.scopes = vec![scope("called", &["clerk"], false), scope("open", &[], false)];
    let mut near = plain_api("Near", "1");
    near.scopes = vec![scope("near", &["clerk"], false)];
    insert(&stage, &[&far, &near]).await;
    let app = application("admin", "App");
    let mut tx = stage.db.write().await.unwrap();
    db::scopes::insert_shared(&mut tx, ACME, "s1", &scope("uncalled", &["clerk"], true)).await.unwrap();
    db::scopes::insert_shared(&mut tx, ACME, "s2", &scope("shared_open", &[], true)).await.unwrap();
    db::applications::insert(&mut tx, &app).await.unwrap();
    db::key_mappings::insert(&mut tx, &key_mapping(&app, KeyType::Production, Some("key"))).await.unwrap();
    db::subscriptions::insert(&mut tx, &subscription(&app, &far)).await.unwrap();
    let names = ["called", "open", "near", "uncalled", "shared_open", "nobodys"];
    let told = async |tx: &mut db::Tx, own: &[TenantId], client: &str| {
        let found = db::scopes::bound_elsewhere(tx, own, client, &names).await.unwrap();
        found.into_iter().map(|binding| format!("{} {}", binding.scope, binding.callable)).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut tx, &[TenantId::SUPER], "key").await, ["called true", "uncalled false"]);
    assert_eq!(told(&mut tx, &[TenantId::SUPER], "other").await, ["called false", "uncalled false"]);
    assert_eq!(told(&mut tx, &[ACME], "key").await, ["near false"]);
    assert!(told(&mut tx, &[TenantId::SUPER, ACME], "key").await.is_empty());
}

async fn shared_scopes_live_on_their_own(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    let mut scope = scope("read", &["a"], true);
    let tenant = TenantId::SUPER;
    db::scopes::insert_shared(&mut tx, tenant, "s1", &scope).await.unwrap();
    assert_eq!(db::scopes::find_shared(&mut tx, tenant, "s1").await.unwrap().as_ref(), Some(&scope));
    assert_eq!(db::scopes::find_shared(&mut tx, ACME, "s1").await.unwrap(), None);
    scope.roles = texts(&["b"]);
    assert!(db::scopes::update_shared(&mut tx, tenant, "s1", &scope).await.unwrap());
    assert_eq!(db::scopes::find_shared_by_name(&mut tx, tenant, "read").await.unwrap(), Some(("s1".to_owned(), scope.clone())));
    assert_eq!(db::scopes::list_shared(&mut tx, tenant).await.unwrap(), [("s1".to_owned(), scope.clone())]);
    assert!(db::scopes::delete_shared(&mut tx, tenant, "s1").await.unwrap());
    assert!(!db::scopes::delete_shared(&mut tx, tenant, "s1").await.unwrap());
    db::scopes::insert_shared(&mut tx, tenant, "s2", &scope).await.unwrap();
    assert!(db::scopes::insert_shared(&mut tx, tenant, "s3", &scope).await.unwrap_err().is_duplicate("shared_scope", "name"));
}

async fn revisions_are_frozen_and_numbered_for_ever(stage: Stage) {
    tenants(&stage.db).await;
    let mut api = full_api();
    insert(&stage, &[&api]).await;
    let (one, mut two) = (revision(&api, 1), revision(&api, 2));
    two.definition = None;
    two.description = None;
    let mut tx = stage.db.write().await.unwrap();
    assert_eq!(db::revisions::next_number(&mut tx, api.id).await.unwrap(), 1);
    db::revisions::insert(&mut tx, &one).await.unwrap();
    db::revisions::insert(&mut tx, &two).await.unwrap();
    api.description = Some("changed since".to_owned());
    api.operations.clear();
    api.api_policy = None;
    db::apis::update(&mut tx, &api).await.unwrap();
    assert_eq!(db::revisions::find(&mut tx, one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(db::revisions::list(&mut tx, api.id).await.unwrap(), [one.clone(), two.clone()]);
    assert_eq!(db::revisions::count(&mut tx, api.id).await.unwrap(), 2);
    assert!(db::policies::advanced::in_use(&mut tx, TenantId::SUPER, "10KPerMin").await.unwrap());
    assert!(db::revisions::delete(&mut tx, two.id).await.unwrap());
    assert!(!db::revisions::delete(&mut tx, two.id).await.unwrap());
    assert!(db::revisions::delete(&mut tx, one.id).await.unwrap());
    assert!(!db::policies::advanced::in_use(&mut tx, TenantId::SUPER, "10KPerMin").await.unwrap());
    assert_eq!(db::revisions::next_number(&mut tx, api.id).await.unwrap(), 3);
    tx.commit().await.unwrap();
    let mut tx = stage.db.write().await.unwrap();
    db::revisions::insert(&mut tx, &revision(&api, 7)).await.unwrap();
    let clash = db::revisions::insert(&mut tx, &revision(&api, 7)).await.unwrap_err();
    assert!(clash.is_duplicate("revision", "number"), "{clash}");
}

async fn an_environment_runs_one_revision(stage: Stage) {
    tenants(&stage.db).await;
    let api = full_api();
    insert(&stage, &[&api]).await;
    let (one, two) = (revision(&api, 1), revision(&api, 2));
    let mut tx = stage.db.write().await.unwrap();
    db::revisions::insert(&mut tx, &one).await.unwrap();
    db::revisions::insert(&mut tx, &two).await.unwrap();
    db::deployments::put(&mut tx, &deployment(&one, "Default")).await.unwrap();
    db::deployments::put(&mut tx, &deployment(&one, "Asia")).await.unwrap();
    let mut moved = deployment(&two, "Default");
    moved.display_on_portal = false;
    moved.vhost = "other".to_owned();
    db::deployments::put(&mut tx, &moved).await.unwrap();
    let all = [deployment(&one, "Asia"), moved.clone()];
    assert_eq!(db::deployments::list(&mut tx, api.id).await.unwrap(), all);
    assert_eq!(db::deployments::list_all(&mut tx).await.unwrap(), all);
    assert_eq!(db::deployments::of_revision(&mut tx, two.id).await.unwrap(), [moved]);
    assert!(db::deployments::remove(&mut tx, api.id, "Default").await.unwrap());
    assert!(!db::deployments::remove(&mut tx, api.id, "Default").await.unwrap());
    assert!(db::revisions::delete(&mut tx, two.id).await.unwrap());
    let kept = db::revisions::delete(&mut tx, one.id).await.unwrap_err();
    assert!(matches!(kept, Error::Reference(_)), "{kept}");
}

async fn history_keeps_its_order(stage: Stage) {
    tenants(&stage.db).await;
    let api = full_api();
    insert(&stage, &[&api]).await;
    let mut tx = stage.db.write().await.unwrap();
    let steps = [(None, LifecycleState::Created), (Some(LifecycleState::Created), LifecycleState::Published)];
    for (from, to) in steps {
        db::lifecycle_events::append(&mut tx, api.id, from, to, "admin", NOW).await.unwrap();
    }
    let listed = db::lifecycle_events::list(&mut tx, api.id).await.unwrap();
    assert_eq!(listed.iter().map(|e| (e.from, e.to)).collect::<Vec<_>>(), steps);
    assert!(listed.iter().all(|e| e.user == "admin" && e.at == NOW));
}

async fn long_words_are_kept(stage: Stage) {
    tenants(&stage.db).await;
    let mut api = plain_api("long", "1");
    api.tags = vec!["ß".repeat(5_000)];
    api.properties = vec![Property { name: "p".repeat(4_000), value: "€".repeat(900) + "end", display: false }];
    api.description = Some("d".repeat(32_766));
    insert(&stage, &[&api]).await;
    assert_eq!(names(&stage, term(Field::Any, "€end", false)).await, ["long 1"]);
    let mut tx = stage.db.read().await.unwrap();
    assert_eq!(db::apis::find(&mut tx, api.id).await.unwrap(), Some(api));
}
