//! Making, reading, listing, changing and removing APIs.

use std::sync::atomic::Ordering;

use http::Method;
use model::{
    Application, ApplicationId, ApplicationStatus, ApplicationTokenType, Subscription, SubscriptionId, SubscriptionState, TenantId,
    Timestamp,
};
use serde_json::{Value, json};

use crate::house::{House, house, on_postgresql, pizza, request};

#[tokio::test]
async fn a_new_api_has_the_defaults_of_4_0_0() {
    let house = house().await;
    let answer = house.post("creator", "/apis", json!({"name": "Pizza", "version": "1.0.0", "context": "pizza"})).await;
    let location = answer.header("location");
    assert!(!answer.header("etag").is_empty());
    let api = answer.expect(201);
    assert_eq!(location, format!("/api/am/publisher/v2/apis/{}", api["id"].as_str().unwrap()));
    assert_eq!(api["context"], "/pizza");
    assert_eq!(api["provider"], "creator");
    assert_eq!(api["lifeCycleStatus"], "CREATED");
    assert_eq!(api["type"], "HTTP");
    assert_eq!(api["transport"], json!(["http", "https"]));
    assert_eq!(api["securityScheme"], json!(["oauth2", "oauth_basic_auth_api_key_mandatory"]));
    assert_eq!(api["keyManagers"], json!(["all"]));
    assert_eq!(api["authorizationHeader"], "Authorization");
    assert_eq!(api["cacheTimeout"], 300);
    assert_eq!(api["revisionId"], 0);
    assert_eq!(api["createdTime"], "1714583045000");
    assert_eq!(api["additionalProperties"], json!([]));
    assert_eq!(api["operations"].as_array().unwrap().len(), 5);
    assert_eq!(api["operations"][0]["authType"], "Application & Application User");
    assert_eq!(api["corsConfiguration"]["accessControlAllowOrigins"], json!(["*"]));
    let history = house.get("admin", &format!("/apis/{}/lifecycle-history", api["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        history["list"][0],
        json!({"previousState": null, "postState": "CREATED", "user": "creator", "updatedTime": "2024-05-01T17:04:05.000Z"})
    );
}

#[tokio::test]
async fn what_is_taken_is_refused_with_its_code() {
    let house = house().await;
    house.pizza("admin", "Pizza", "1.0.0").await;
    let with = |extra: Value| {
        let mut body = pizza("Other", "1.0.0");
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    house.post("admin", "/apis", with(json!({"name": "PIZZA", "version": "2"}))).await.refused(409, 900_250);
    house.post("admin", "/apis", with(json!({"context": "/pizza"}))).await.refused(409, 900_251);
    house.post("admin", "/apis", with(json!({"context": "pizza", "version": "7"}))).await.refused(409, 900_251);
    house.post("admin", "/apis", with(json!({"name": "Pizza", "context": "new"}))).await.refused(409, 900_252);
    // The same name in another tenant is another API.
    house.post("stranger", "/apis", pizza("Pizza", "1.0.0")).await.expect(201);
    // Another version of the same API shares its context.
    house.post("admin", "/apis", pizza("Pizza", "2.0.0")).await.expect(201);
}

#[tokio::test]
async fn of_two_who_want_the_same_context_one_gets_it() {
    of_two_who_want_the_same_context_one_gets_it_on(house().await).await;
}

#[tokio::test]
async fn of_two_who_want_the_same_context_one_gets_it_on_postgresql() {
    on_postgresql(of_two_who_want_the_same_context_one_gets_it_on).await;
}

async fn of_two_who_want_the_same_context_one_gets_it_on(house: House) {
    let mut one = pizza("One", "1.0.0");
    one["context"] = "same".into();
    let mut two = pizza("Two", "1.0.0");
    two["context"] = "same".into();
    let (first, second) = tokio::join!(house.post("admin", "/apis", one), house.post("creator", "/apis", two));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn each_rule_has_its_code() {
    let house = house().await;
    let with = |extra: Value| {
        let mut body = pizza("Pizza", "1.0.0");
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    for (extra, code) in [
        (json!({"policies": ["Nobody"]}), 900_305),
        (json!({"apiThrottlingPolicy": "Nobody"}), 900_960),
        (json!({"operations": [{"target": "/a", "verb": "GET", "throttlingPolicy": "Nobody"}]}), 900_960),
        (json!({"visibility": "RESTRICTED"}), 900_610),
        (json!({"visibility": "RESTRICTED", "visibleRoles": ["nobody"]}), 900_607),
        (json!({"additionalProperties": [{"name": "a b", "value": "x"}]}), 900_346),
        (json!({"context": "/a//b"}), 900_346),
        (json!({"endpointConfig": {"endpoint_type": "http", "production_endpoints": {"url": "nowhere"}}}), 900_346),
        (json!({"categories": ["nothing"]}), 900_345),
        (json!({"keyManagers": ["nobody"]}), 901_403),
        (json!({"keyManagers": "all"}), 400),
        (json!({"scopes": [{"scope": {"name": "s"}, "shared": true}]}), 900_981),
        (json!({"scopes": [{"scope": {"name": "s", "bindings": ["nobody"]}}]}), 900_607),
        (json!({"operations": [{"target": "/a", "verb": "GET", "scopes": ["s"]}]}), 400),
        (json!({"operations": [{"target": "/a", "verb": "SUBSCRIBE"}]}), 400),
        (json!({"operations": [{"target": "/a", "verb": "GET"}, {"target": "/a", "verb": "get"}]}), 400),
        (json!({"accessControl": "RESTRICTED", "accessControlRoles": ["admin"]}), 400),
        (json!({"name": "a/b"}), 400),
        (json!({"unheard": 1}), 400),
    ] {
        let answer = house.post("creator", "/apis", with(extra.clone())).await;
        assert_eq!(answer.status, 400, "{extra}: {}", answer.text);
        assert_eq!(answer.json()["code"], code, "{extra}: {}", answer.text);
    }
    assert_eq!(house.get("admin", "/apis").await.expect(200)["count"], 0);
}

#[tokio::test]
async fn only_administrators_name_another_provider() {
    let house = house().await;
    let mut body = pizza("Pizza", "1.0.0");
    body["provider"] = "bob".into();
    assert_eq!(house.post("creator", "/apis", body.clone()).await.expect(201)["provider"], "creator");
    body["name"] = "Other".into();
    body["context"] = "other".into();
    assert_eq!(house.post("stranger", "/apis", body.clone()).await.expect(201)["provider"], "bob@acme.com");
    assert_eq!(house.post("admin", "/apis", body.clone()).await.expect(201)["provider"], "bob");
    body["provider"] = "eve@acme.com".into();
    body["name"] = "Third".into();
    house.post("admin", "/apis", body).await.refused(400, 901_409);
}

#[tokio::test]
async fn an_update_keeps_name_version_context_provider_type_and_state() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}");
    let mut sent = house.get("admin", &path).await.expect(200);
    for (field, value) in
        [("name", "X"), ("version", "9"), ("context", "/x"), ("provider", "eve"), ("type", "SOAP"), ("lifeCycleStatus", "RETIRED")]
    {
        sent[field] = value.into();
    }
    sent["description"] = "new".into();
    house.clock.fetch_add(1000, Ordering::SeqCst);
    let api = house.put("admin", &path, sent).await.expect(200);
    assert_eq!(
        [&api["name"], &api["version"], &api["context"], &api["provider"], &api["type"], &api["lifeCycleStatus"]],
        ["Pizza", "1.0.0", "/pizza", "admin", "HTTP", "CREATED"]
    );
    assert_eq!(api["description"], "new");
    assert_eq!((&api["createdTime"], &api["lastUpdatedTime"]), (&json!("1714583045000"), &json!("1714583046000")));
    let mut empty = api.clone();
    empty["operations"] = json!([]);
    house.put("admin", &path, empty).await.refused(404, 900_763);
}

#[tokio::test]
async fn an_older_state_is_not_written_over_a_newer() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}");
    let read = house.get("admin", &path).await;
    let tag = read.header("etag");
    let body = read.expect(200);
    let conditional = |method: Method, tag: &str, body: Option<Value>| {
        let mut request = request("admin", method, &path, body);
        request.headers_mut().insert("if-match", tag.parse().unwrap());
        request
    };
    let mut changed = body.clone();
    changed["description"] = "first".into();
    let answer = house.send(conditional(Method::PUT, &tag, Some(changed.clone()))).await;
    let newer = answer.header("etag");
    answer.expect(200);
    assert_ne!(newer, tag);
    house.send(conditional(Method::PUT, &tag, Some(changed))).await.refused(412, 412);
    house.send(conditional(Method::DELETE, &tag, None)).await.refused(412, 412);
    let mut fresh = request("admin", Method::GET, &path, None);
    fresh.headers_mut().insert("if-none-match", newer.parse().unwrap());
    assert_eq!(house.send(fresh).await.status, 304);
    house.send(conditional(Method::DELETE, &newer, None)).await.expect(200);
    house.get("admin", &path).await.refused(404, 404);
}

#[tokio::test]
async fn backend_passwords_are_not_shown_and_survive_an_update() {
    let house = house().await;
    let mut body = pizza("Pizza", "1.0.0");
    body["endpointConfig"]["endpoint_security"] =
        json!({"production": {"enabled": true, "type": "BASIC", "username": "u", "password": "hush"}});
    let made = house.post("admin", "/apis", body).await;
    assert!(!made.text.contains("hush"));
    let id = made.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/apis/{id}");
    let shown = house.get("admin", &path).await.expect(200);
    assert_eq!(shown["endpointConfig"]["endpoint_security"]["production"]["password"], "");
    assert!(!house.put("admin", &path, shown).await.text.contains("hush"));
    let mut tx = house.db.read().await.unwrap();
    let stored = db::apis::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.endpoints.0["endpoint_security"]["production"]["password"], "hush");
    drop(tx);
    let revision = house.revision("admin", &id).await;
    assert!(!house.get("admin", &format!("/apis/{revision}")).await.text.contains("hush"));
}

#[tokio::test]
async fn a_publisher_changes_only_what_is_theirs() {
    let house = house().await;
    let id = house.pizza("creator", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}");
    let shown = house.get("publisher", &path).await.expect(200);
    let mut theirs = shown.clone();
    theirs["tags"] = json!(["new"]);
    theirs["policies"] = json!(["Silver"]);
    let shown = house.put("publisher", &path, theirs).await.expect(200);
    for (field, value) in
        [("description", json!("x")), ("operations", json!([{"target": "/x", "verb": "GET"}])), ("endpointConfig", json!({}))]
    {
        let mut sent = shown.clone();
        sent[field] = value;
        let body = house.put("publisher", &path, sent).await.refused(403, 403);
        assert!(body["description"].as_str().unwrap().contains(field), "{body}");
    }
    let mut password = shown.clone();
    password["endpointConfig"]["endpoint_security"] = json!({"production": {"password": "x"}});
    house.put("publisher", &path, password).await.refused(403, 403);
}

#[tokio::test]
async fn a_creator_does_not_change_what_is_published() {
    let house = house().await;
    let id = house.pizza("creator", "Pizza", "1.0.0").await;
    house.step("publisher", &id, "Publish").await.expect(200);
    let path = format!("/apis/{id}");
    let shown = house.get("creator", &path).await.expect(200);
    house.put("creator", &path, shown.clone()).await.refused(403, 900_380);
    house.put("admin-creating", &path, shown.clone()).await.refused(403, 900_380);
    house.put("publisher", &path, shown.clone()).await.expect(200);
    let mut planless = shown;
    planless["policies"] = json!([]);
    house.put("admin", &path, planless).await.refused(400, 900_304);
}

#[tokio::test]
async fn access_control_hides_an_api_from_those_without_the_role() {
    let house = house().await;
    let mut body = pizza("Pizza", "1.0.0");
    body["accessControl"] = "RESTRICTED".into();
    body["accessControlRoles"] = json!(["Internal/Creator"]);
    let api = house.post("creator", "/apis", body).await.expect(201);
    assert_eq!(api["accessControlRoles"], json!(["internal/creator"]));
    let id = api["id"].as_str().unwrap();
    house.get("creator", &format!("/apis/{id}")).await.expect(200);
    house.get("viewer", &format!("/apis/{id}")).await.refused(403, 900_340);
    house.put("publisher", &format!("/apis/{id}"), api.clone()).await.refused(403, 900_332);
    let count = async |token: &str| house.get(token, "/apis").await.expect(200)["count"].clone();
    assert_eq!((count("creator").await, count("publisher").await, count("admin").await), (json!(1), json!(0), json!(1)));
    // What an administrator sees goes by the role, not by what the token was taken for.
    house.get("admin-creating", &format!("/apis/{id}")).await.expect(200);
    assert_eq!(count("admin-creating").await, json!(1));
}

#[tokio::test]
async fn lists_are_searched_and_paged() {
    lists_are_searched_and_paged_on(house().await).await;
}

#[tokio::test]
async fn lists_are_searched_and_paged_on_postgresql() {
    on_postgresql(lists_are_searched_and_paged_on).await;
}

async fn lists_are_searched_and_paged_on(house: House) {
    for (name, version, tag) in [("Alpha", "1.0.0", "food"), ("Beta", "1.0.0", "fast food"), ("Gamma", "2.0.0", "food")] {
        let mut body = pizza(name, version);
        body["tags"] = json!([tag]);
        body["description"] = json!(format!("all about {name}"));
        body["additionalProperties"] = json!([{"name": "team", "value": name.to_lowercase(), "display": false}]);
        house.post("admin", "/apis", body).await.expect(201);
    }
    let beta = house.get("admin", "/apis?query=name:Beta").await.expect(200)["list"][0]["id"].as_str().unwrap().to_owned();
    house.step("admin", &beta, "Publish").await.expect(200);
    for (query, names) in [
        ("", &["Alpha", "Beta", "Gamma"][..]),
        ("et", &["Beta"]),
        ("name:\"beta\"", &[]),
        ("name:\"Beta\" version:\"1.0.0\" provider:\"admin\"", &["Beta"]),
        ("version:2", &["Gamma"]),
        ("context:/alph", &["Alpha"]),
        ("tags:food", &["Alpha", "Gamma"]),
        ("tag:fast food", &["Beta"]),
        ("description:about", &["Alpha", "Beta", "Gamma"]),
        ("status:published", &["Beta"]),
        ("lcState:CREATED type:HTTP", &["Alpha", "Gamma"]),
        ("type:SOAP", &[]),
        ("team:gam", &["Gamma"]),
        ("type:\"APIProduct\" name:\"Beta\"", &[]),
    ] {
        let path = format!("/apis?query={}", encoded(query));
        let found = house.get("admin", &path).await.expect(200);
        let there: Vec<&str> = found["list"].as_array().unwrap().iter().map(|api| api["name"].as_str().unwrap()).collect();
        assert_eq!(there, names, "{query}");
    }
    house.get("admin", "/apis?query=name:").await.refused(400, 400);
    let page = house.get("admin", "/apis?limit=2").await.expect(200);
    assert_eq!((&page["count"], &page["pagination"]["total"]), (&json!(2), &json!(3)));
    assert_eq!(page["pagination"]["next"], "/apis?limit=2&offset=2&query=");
    let hit = house.get("admin", "/search?query=gamma").await.expect(200)["list"][0].clone();
    assert_eq!((&hit["type"], &hit["status"], &hit["transportType"]), (&json!("API"), &json!("CREATED"), &json!("HTTP")));
    assert!(house.get("admin", "/apis?expand=true").await.expect(200)["list"][0]["operations"].is_array());
    assert_eq!(house.get("admin", "/apis").await.expect(200)["list"][0]["createdTime"], "2024-05-01 17:04:05");
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[tokio::test]
async fn names_and_contexts_are_looked_up_for_forms() {
    let house = house().await;
    house.pizza("admin", "Pizza", "1.0.0").await;
    let ask = async |query: &str| house.call("creator", Method::POST, &format!("/apis/validate?query={query}"), None).await.status.as_u16();
    assert_eq!(ask("name:pizza").await, 200);
    assert_eq!(ask("Pizza").await, 200);
    assert_eq!(ask("name:pizz").await, 404);
    assert_eq!(ask("context:/pizza").await, 200);
    assert_eq!(ask("context:pizza").await, 200);
    assert_eq!(ask("context:/pizza/1.0.0").await, 200);
    assert_eq!(ask("context:/piz").await, 404);
    assert_eq!(ask("colour:red").await, 400);
}

#[tokio::test]
async fn a_scope_belongs_to_one_api() {
    let house = house().await;
    let with_scope = |name: &str, version: &str| {
        let mut body = pizza(name, version);
        body["scopes"] = json!([{"scope": {"name": "order", "bindings": ["admin"]}, "shared": false}]);
        body
    };
    house.post("admin", "/apis", with_scope("Pizza", "1.0.0")).await.expect(201);
    house.post("admin", "/apis", with_scope("Pizza", "2.0.0")).await.expect(201);
    house.post("admin", "/apis", with_scope("Other", "1.0.0")).await.refused(400, 900_988);
    house.post("stranger", "/apis", with_scope("Other", "1.0.0")).await.expect(201);
}

#[tokio::test]
async fn one_version_is_the_default() {
    let house = house().await;
    let mut body = pizza("Pizza", "1.0.0");
    body["isDefaultVersion"] = true.into();
    let first = house.post("admin", "/apis", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/apis/copy-api?apiId={first}&newVersion=2.0.0&defaultVersion=true");
    let second = house.call("admin", Method::POST, &path, None).await.expect(201);
    assert_eq!(second["isDefaultVersion"], true);
    assert_eq!(second["lifeCycleStatus"], "CREATED");
    assert_eq!(second["context"], "/pizza");
    assert_eq!(house.get("admin", &format!("/apis/{first}")).await.expect(200)["isDefaultVersion"], false);
    house.call("admin", Method::POST, &path, None).await.refused(409, 900_252);
    let swagger = house.get("admin", &format!("/apis/{}/swagger", second["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(swagger["info"]["version"], "2.0.0");
}

/// Subscribes a new application of `owner` to an API.
pub(crate) async fn subscribe(house: &House, api: &str, name: &str, state: SubscriptionState) -> ApplicationId {
    let application = Application {
        id: ApplicationId::random(),
        number: 0,
        tenant: TenantId::SUPER,
        owner: "dev".to_owned(),
        name: name.to_owned(),
        policy: "Unlimited".to_owned(),
        description: None,
        token_type: ApplicationTokenType::Jwt,
        status: ApplicationStatus::Approved,
        groups: vec![],
        attributes: vec![],
        callback_url: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
    let subscription = Subscription {
        id: SubscriptionId::random(),
        application: application.id,
        api: api.parse().unwrap(),
        plan: "Gold".to_owned(),
        requested_plan: None,
        state,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
    let mut tx = house.db.write().await.unwrap();
    db::applications::insert(&mut tx, &application).await.unwrap();
    db::subscriptions::insert(&mut tx, &subscription).await.unwrap();
    tx.commit().await.unwrap();
    application.id
}

#[tokio::test]
async fn an_api_with_subscriptions_stays() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    subscribe(&house, &id, "app", SubscriptionState::Unblocked).await;
    let body = house.delete("admin", &format!("/apis/{id}")).await.refused(409, 409);
    assert_eq!(body["description"], format!("Cannot remove the API {id} as active subscriptions exist"));
    house.get("admin", &format!("/apis/{id}")).await.expect(200);
}

#[tokio::test]
async fn an_upgraded_api_may_keep_what_nobody_could_choose_any_more() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let mut tx = house.db.write().await.unwrap();
    let mut old = db::apis::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    old.plans = vec!["20/min of old".to_owned()];
    old.categories = vec!["old".to_owned()];
    old.key_managers = vec!["Elsewhere".to_owned()];
    old.visibility = model::Visibility::Restricted;
    old.visible_roles = vec!["LDAP/staff".to_owned()];
    old.endpoints = model::Endpoints::http(Some("consul(x)"), None);
    old.operations[0].target = "*".to_owned();
    old.operations[0].policy = "Gone".to_owned();
    db::apis::update(&mut tx, &old).await.unwrap();
    tx.commit().await.unwrap();
    let path = format!("/apis/{id}");
    let mut shown = house.get("admin", &path).await.expect(200);
    shown["description"] = "edited".into();
    let edited = house.put("admin", &path, shown).await.expect(200);
    assert_eq!((&edited["description"], &edited["visibleRoles"]), (&json!("edited"), &json!(["LDAP/staff"])));
    let mut worse = edited;
    worse["policies"] = json!(["20/min of old", "Nobody"]);
    house.put("admin", &path, worse).await.refused(400, 900_305);
}

#[tokio::test]
async fn a_scope_stays_while_an_operation_names_it() {
    let house = house().await;
    let mut body = pizza("Pizza", "1.0.0");
    body["scopes"] = json!([{"scope": {"name": "order", "bindings": ["admin"]}, "shared": false}]);
    body["operations"] = json!([{"target": "/order", "verb": "POST", "scopes": ["order"]}]);
    let mut api = house.post("admin", "/apis", body).await.expect(201);
    let path = format!("/apis/{}", api["id"].as_str().unwrap());
    api["scopes"] = json!([]);
    house.put("admin", &path, api.clone()).await.refused(400, 400);
    api["operations"][0]["scopes"] = json!([]);
    house.put("admin", &path, api).await.expect(200);
}
