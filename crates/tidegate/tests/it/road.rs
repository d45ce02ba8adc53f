//! The road from nothing to a called API, step by step, and every turning where a call is refused.

use http::Method;
use serde_json::{Value, json};
use server::{Options, Secret};
use testkit::{Backend, Caller, House, Keys, Place, Rest, api, with_postgres};

/// A server, a backend, and an API with one subscriber.
struct Scene {
    house: House,
    backend: Backend,
    rest: Rest,
    caller: Caller,
    api: String,
    revision: String,
    keys: Keys,
}

async fn scene() -> Scene {
    scene_on(House::fresh().await, |_| {}).await
}

async fn scene_on(house: House, change: impl FnOnce(&mut Value)) -> Scene {
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    let mut asked = api("Pizza", &backend.url());
    change(&mut asked);
    let id = rest.create(&asked).await;
    let revision = rest.revision(&id).await;
    rest.deploy(&id, &revision).await;
    rest.step(&id, "Publish").await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    Scene { caller: Caller::new(&house), house, backend, rest, api: id, revision, keys }
}

#[tokio::test]
async fn what_this_gateway_cannot_serve_is_not_deployed() {
    let house = House::fresh().await;
    let rest = Rest::admin(&house).await;
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 4] = [
        (
            "Socket",
            |api| {
                api["type"] = json!("WS");
                api["operations"] = json!([{"target": "/*", "verb": "SUBSCRIBE"}]);
            },
            "WS APIs are not served by this gateway",
        ),
        ("Keyed", |api| api["securityScheme"] = json!(["api_key"]), "security scheme 'api_key, "),
        ("Dynamic", |api| api["endpointConfig"]["endpoint_type"] = json!("default"), "endpoint type 'default' is not supported"),
        (
            "Ntlm",
            |api| {
                api["endpointConfig"]["endpoint_security"] =
                    json!({"production": {"enabled": true, "type": "NTLM", "username": "u", "password": "p"}});
            },
            "signing in at the backend by 'NTLM' is not supported",
        ),
    ];
    for (name, change, words) in cases {
        let mut asked = api(name, "http://127.0.0.1:9");
        change(&mut asked);
        let id = rest.create(&asked).await;
        let revision = rest.revision(&id).await;
        let path = format!("publisher/v2/apis/{id}/deploy-revision?revisionId={revision}");
        let refused = rest.ask(Method::POST, &path, &json!([{"name": "Default", "displayOnDevportal": true}])).await.refused(400, 400);
        let description = refused["description"].as_str().unwrap();
        assert!(description.starts_with("The revision cannot be deployed: ") && description.contains(words), "{name}: {description}");
        assert_eq!(rest.get(&format!("publisher/v2/apis/{id}/deployments")).await["list"], json!([]), "{name}");
    }
}

#[tokio::test]
async fn from_nothing_to_a_called_api() {
    walk(House::fresh().await).await;
}

#[tokio::test]
async fn the_same_road_on_postgresql() {
    with_postgres(async |scratch| {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { database_url: Some(Secret::new(scratch.url)), ..Options::default() };
        walk(House::with(&folder.path().join("data"), options, None).await).await;
    })
    .await;
}

async fn walk(house: House) {
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    let caller = Caller::new(&house);
    let id = rest.create(&api("Pizza", &backend.url())).await;
    assert_eq!(caller.get("/pizza/1.0.0/x", "").await.refused(404, 404)["message"], "Not Found", "not deployed yet");
    let revision = rest.revision(&id).await;
    let deployed = rest.deploy(&id, &revision).await;
    assert_eq!(deployed[0]["revisionUuid"], revision.as_str());
    let state = rest.step(&id, "Publish").await;
    assert_eq!(state["lifecycleState"]["state"], "Published");

    let found = rest.get("devportal/v2/apis?query=Pizza").await;
    assert_eq!((&found["count"], &found["list"][0]["id"], &found["list"][0]["name"]), (&json!(1), &json!(id), &json!("Pizza")));
    let shown = rest.get(&format!("devportal/v2/apis/{id}")).await;
    assert_eq!((&shown["context"], &shown["lifeCycleStatus"]), (&json!("/pizza/1.0.0"), &json!("PUBLISHED")));

    let application = rest.application("Eater").await;
    rest.subscribe(&application, &id, "Unlimited").await;
    let (client, token) = rest.generate_keys(&application, "PRODUCTION").await;
    assert!(token::Jwt::looks_like_one(&token), "an application's token is a JWT: {token}");
    for token in [token, caller.token(&client, "default").await] {
        let answer = caller.get("/pizza/1.0.0/menu?size=big", &token).await;
        let seen = answer.expect(200);
        assert_eq!((&seen["method"], &seen["path"]), (&json!("GET"), &json!("/menu?size=big")));
        let headers = seen["headers"].as_object().unwrap();
        assert!(!headers.contains_key("authorization"), "the backend must not see the caller's token: {seen}");
        assert!(headers.get("activityid").is_some_and(|id| !id.as_str().unwrap().is_empty()), "{seen}");
        assert!(answer.header("server").is_none(), "{:?}", answer.headers);
    }
    assert_eq!(backend.requests(), 2);
    let posted = caller.call(Method::POST, "/pizza/1.0.0/items", &caller.token(&client, "default").await).await;
    assert_eq!(posted.expect(200)["method"], "POST");

    // Over TLS too.
    let tls = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let answer = tls.get(house.gateway_tls("/pizza/1.0.0/x")).bearer_auth(caller.token(&client, "").await).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    house.stop().await;
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_with_its_code() {
    let scene = scene().await;
    let call = async |path: &str, token: &str| scene.caller.get(path, token).await;
    let token = scene.keys.token.clone();
    call("/pizza/1.0.0/x", "").await.refused(401, 900_902);
    call("/pizza/1.0.0/x", "no-such-token").await.refused(401, 900_901);
    call("/pizza/1.0.0/x", &tampered(&token)).await.refused(401, 900_901);
    let challenge = call("/pizza/1.0.0/x", "").await;
    assert!(challenge.header("www-authenticate").unwrap().starts_with("Bearer realm="), "{:?}", challenge.headers);
    let lost = call("/nowhere/1.0.0", &token).await.refused(404, 404);
    assert_eq!((&lost["type"], &lost["description"]), (&json!("Status report"), &json!("The requested resource is not available.")));
    let missing = scene.caller.call(Method::DELETE, "/pizza/1.0.0/x", &token).await.refused(405, 405);
    assert_eq!(missing["description"], "Method not allowed for given API resource");
    let other = scene.rest.application("Stranger").await;
    let (_, strange) = scene.rest.generate_keys(&other, "PRODUCTION").await;
    call("/pizza/1.0.0/x", &strange).await.refused(403, 900_908);
    assert_eq!(scene.backend.requests(), 0, "a refused call reached the backend");
}

#[tokio::test]
async fn a_path_that_no_resource_has_is_404_below_the_api_too() {
    let scene = scene_on(House::fresh().await, |api| api["operations"] = json!([{"target": "/items", "verb": "GET"}])).await;
    let body = scene.caller.get("/pizza/1.0.0/else", &scene.keys.token).await.refused(404, 404);
    assert_eq!(
        (&body["message"], &body["description"]),
        (&json!("Runtime Error"), &json!("No matching resource found for given API Request"))
    );
    scene.caller.get("/pizza/1.0.0/items", &scene.keys.token).await.expect(200);
}

#[tokio::test]
async fn a_scope_opens_what_its_roles_may_open() {
    let scene = scene_on(House::fresh().await, |api| {
        api["scopes"] =
            json!([{"scope": {"name": "cook", "displayName": "cook", "description": "", "bindings": ["admin"]}, "shared": false}]);
        api["operations"] = json!([{"target": "/oven", "verb": "GET", "scopes": ["cook"]}, {"target": "/menu", "verb": "GET"}]);
    })
    .await;
    let body = scene.caller.get("/pizza/1.0.0/oven", &scene.keys.token).await.refused(403, 900_910);
    assert_eq!(body["description"], "User is NOT authorized to access the Resource: /oven. Scope validation failed.");
    scene.caller.get("/pizza/1.0.0/menu", &scene.keys.token).await.expect(200);
    let cook = scene.caller.token(&scene.keys.client, "cook").await;
    scene.caller.get("/pizza/1.0.0/oven", &cook).await.expect(200);
}

#[tokio::test]
async fn the_kind_of_key_chooses_the_backend() {
    let scene = scene().await;
    let (_, sandbox) = scene.rest.generate_keys(&scene.keys.application, "SANDBOX").await;
    assert_eq!(scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.expect(200)["path"], "/x");
    assert_eq!(scene.caller.get("/pizza/1.0.0/x", &sandbox).await.expect(200)["path"], "/sandbox/x");

    let mut without = api("Bare", &scene.backend.url());
    without["endpointConfig"]["sandbox_endpoints"] = Value::Null;
    without["endpointConfig"].as_object_mut().unwrap().shift_remove("sandbox_endpoints");
    let bare = scene.rest.publish(&without).await;
    scene.rest.subscribe(&scene.keys.application, &bare, "Unlimited").await;
    scene.caller.get("/bare/1.0.0/x", &scene.keys.token).await.expect(200);
    let body = scene.caller.get("/bare/1.0.0/x", &sandbox).await.refused(403, 900_901);
    assert_eq!(body["description"], "Sandbox key offered to the API with no sandbox endpoint");
}

#[tokio::test]
async fn a_blocked_api_answers_nobody_until_it_is_published_again() {
    let scene = scene().await;
    let call = async || scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await;
    call().await.expect(200);
    scene.rest.step(&scene.api, "Block").await;
    assert_eq!(call().await.refused(503, 700_700)["type"], "API blocked");
    scene.rest.step(&scene.api, "Re-Publish").await;
    call().await.expect(200);
    scene.rest.step(&scene.api, "Deprecate").await;
    call().await.expect(200);
    scene.rest.step(&scene.api, "Retire").await;
    call().await.refused(404, 404);
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked() {
    let scene = scene().await;
    let (client, token) = (&scene.keys.client, &scene.keys.token);
    let other = scene.caller.token(client, "other").await;
    scene.caller.get("/pizza/1.0.0/x", token).await.expect(200);
    scene.caller.oauth2("revoke", client, &[("token", token)]).await.expect(200);
    scene.caller.get("/pizza/1.0.0/x", token).await.refused(401, 900_901);
    scene.caller.get("/pizza/1.0.0/x", &other).await.expect(200);

    // A user's opaque token at the gateway and the REST doors: known, used, revoked, refused at once.
    let mine = Rest::admin(&scene.house).await;
    mine.get("publisher/v2/apis").await;
    scene.caller.oauth2("revoke", &mine.client, &[("token", &mine.token)]).await.expect(200);
    let refused = mine.ask(Method::GET, "publisher/v2/apis", &Value::Null).await.refused(401, 401);
    assert_eq!(refused["description"], "Unauthenticated request");
}

#[tokio::test]
async fn a_user_token_is_refreshed_and_the_old_pair_ends() {
    let scene = scene().await;
    let client = &scene.keys.client;
    let granted = scene.caller.password_grant(client, "admin", testkit::ADMIN_PASSWORD, "default").await;
    let (access, refresh) = (granted["access_token"].as_str().unwrap(), granted["refresh_token"].as_str().unwrap());
    scene.caller.get("/pizza/1.0.0/x", access).await.expect(200);
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let renewed = scene.caller.oauth2("token", client, &form).await.expect(200);
    scene.caller.get("/pizza/1.0.0/x", renewed["access_token"].as_str().unwrap()).await.expect(200);
    let again = scene.caller.oauth2("token", client, &form).await.expect(400);
    assert_eq!(again["error"], "invalid_grant");
    let wrong = [("grant_type", "password"), ("username", "admin"), ("password", "wrong")];
    assert_eq!(scene.caller.oauth2("token", client, &wrong).await.expect(400)["error"], "invalid_grant");
}

#[tokio::test]
async fn a_token_tells_about_itself() {
    let scene = scene().await;
    let token = &scene.keys.token;
    let asked = scene.caller.at_rest(Method::POST, "/oauth2/introspect").basic_auth("admin", Some(testkit::ADMIN_PASSWORD));
    let told: Value = asked.form(&[("token", token)]).send().await.unwrap().json().await.unwrap();
    assert_eq!((&told["active"], &told["client_id"], &told["aut"]), (&json!(true), &json!(scene.keys.client.id), &json!("APPLICATION")));

    let keys: Value = scene.caller.at_rest(Method::GET, "/oauth2/jwks").send().await.unwrap().json().await.unwrap();
    let (keys, faults) = token::KeySet::from_jwks(&keys).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
    let jwt = token::Jwt::parse(token).unwrap();
    let claims = jwt.verify(&keys, server::clock::now(), std::time::Duration::ZERO).unwrap();
    assert_eq!(claims.text("azp").unwrap(), scene.keys.client.id);

    let about: Value =
        scene.caller.at_rest(Method::GET, "/oauth2/token/.well-known/openid-configuration").send().await.unwrap().json().await.unwrap();
    assert_eq!(claims.text("iss").unwrap(), about["issuer"].as_str().unwrap());
}

#[tokio::test]
async fn a_revision_brings_back_what_was() {
    let scene = scene().await;
    let path = format!("publisher/v2/apis/{}", scene.api);
    let mut changed = scene.rest.get(&path).await;
    changed["operations"] = json!([{"target": "/new", "verb": "GET"}]);
    scene.rest.put(&path, &changed).await;
    // Frozen is frozen: a change to the draft is not a change to what runs.
    scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.expect(200);
    let second = scene.rest.revision(&scene.api).await;
    scene.rest.deploy(&scene.api, &second).await;
    scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.refused(404, 404);
    scene.caller.get("/pizza/1.0.0/new", &scene.keys.token).await.expect(200);
    scene.rest.send(Method::POST, &format!("{path}/restore-revision?revisionId={}", scene.revision), &Value::Null).await;
    assert_eq!(scene.rest.get(&path).await["operations"].as_array().unwrap().len(), 2);
    scene.rest.deploy(&scene.api, &scene.revision).await;
    scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.expect(200);
}

#[tokio::test]
async fn a_sixth_revision_is_refused() {
    let scene = scene().await;
    for _ in 0..4 {
        scene.rest.revision(&scene.api).await;
    }
    let path = format!("publisher/v2/apis/{}/revisions", scene.api);
    scene.rest.ask(Method::POST, &path, &json!({"description": "one too many"})).await.refused(400, 900_351);
}

#[tokio::test]
async fn undeployed_and_deleted_it_is_gone() {
    let scene = scene().await;
    scene.rest.undeploy(&scene.api, &scene.revision).await;
    scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.refused(404, 404);
    scene.rest.deploy(&scene.api, &scene.revision).await;
    scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.expect(200);
    let path = format!("publisher/v2/apis/{}", scene.api);
    let refused = scene.rest.ask(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(refused.status, 409, "an API with subscriptions may not be deleted: {}", refused.text);
    scene.rest.send(Method::DELETE, &format!("devportal/v2/subscriptions/{}", scene.keys.subscription), &Value::Null).await;
    scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.refused(403, 900_908);
    scene.rest.send(Method::DELETE, &path, &Value::Null).await;
    scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await.refused(404, 404);
    scene.rest.ask(Method::GET, &path, &Value::Null).await.expect(404);
}

#[tokio::test]
async fn a_deleted_application_takes_its_keys_along() {
    let scene = scene().await;
    let path = format!("devportal/v2/applications/{}", scene.keys.application);
    scene.rest.send(Method::DELETE, &path, &Value::Null).await;
    let answer = scene.caller.get("/pizza/1.0.0/x", &scene.keys.token).await;
    assert!(matches!(answer.status.as_u16(), 401 | 403), "{} {}", answer.status, answer.text);
    let form = [("grant_type", "client_credentials")];
    assert_eq!(scene.caller.oauth2("token", &scene.keys.client, &form).await.expect(401)["error"], "invalid_client");
}

/// The same token with one letter of its signature changed.
fn tampered(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{first}{}", &signature[1..])
}
