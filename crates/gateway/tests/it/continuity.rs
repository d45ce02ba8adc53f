//! What upgraded tenants keep for old clients and backends.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use bytes::Bytes;
use http::{Request, Response};
use model::{
    ApiContinuity, ApiId, AuthType, BackendJwt, Continuity, ErrorFormat, Generation, JwtEncoding, JwtForm, KeyType, LifecycleState,
    Operation, SubscriptionState, Tenant, TenantId,
};
use serde_json::Value;
use tidegate_gateway::{Change, Config, Finding, FoundToken, KeyDesk, OpaqueTokens, Signer, Unavailable, UserClaims};

use crate::support::*;

const ACME: TenantId = TenantId(7);

fn keeps(tenant: TenantId, change: impl FnOnce(&mut Continuity)) -> Change {
    let mut continuity = Continuity::none(tenant);
    change(&mut continuity);
    Change::PutContinuity(continuity)
}

fn answers(format: ErrorFormat) -> Change {
    keeps(TenantId::SUPER, |c| c.error_format = format)
}

// --- Error format ---

#[tokio::test]
async fn errors_take_the_form_their_tenant_keeps_without_a_restart() {
    let backend = Backend::echo().await;
    let gateway = shop(api(&backend.url(), &[("GET", "/*"), ("POST", "/*")])).await;
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.code(), "900902");

    gateway.change(&[answers(ErrorFormat::Xml1(Generation::V1_9))]);
    let answer = gateway.ask("POST", "/shop/1.0.0/x", &[("Content-Type", "application/json")], "{}").await;
    assert_eq!((answer.status, answer.header("content-type")), (401, Some("application/xml; charset=UTF-8")));
    assert_eq!(answer.header("www-authenticate"), Some("OAuth2 realm=\"WSO2 API Manager\""));
    assert_eq!(
        answer.body,
        "<ams:fault xmlns:ams=\"http://wso2.org/apimanager/security\"><ams:code>900902</ams:code><ams:message>Missing Credentials\
         </ams:message><ams:description>Required OAuth credentials not provided. Make sure your API invocation call has a header: \
         \"Authorization: Bearer ACCESS_TOKEN\"</ams:description></ams:fault>"
    );
    // Headers of the request do not come back, CORS headers do.
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let wrong = gateway.get("/shop/1.0.0/x", &[("Authorization", "Bearer a.b.c")]).await;
    assert!(
        wrong.body.contains("Access failure for API: /shop/1.0.0, version: 1.0.0 with key: a.b.c. Make sure your have"),
        "{}",
        wrong.body
    );
    let nowhere = gateway.get("/none?a=1", &[]).await;
    assert_eq!((nowhere.status, nowhere.body.contains("(/none?a=1)")), (404, true));
    let verb = gateway.ask("DELETE", "/shop/1.0.0/x", &[], "").await;
    assert_eq!((verb.status, verb.body.contains("<am:code>403</am:code>")), (403, true));

    gateway.change(&[answers(ErrorFormat::Accept(Generation::V2_1))]);
    let answer = gateway.get("/shop/1.0.0/x", &[("Accept", "application/json")]).await;
    assert!(answer.body.starts_with("{\"fault\":{\"code\":900902,\"message\":\"Missing Credentials\","), "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=UTF-8"));

    gateway.change(&[Change::RemoveContinuity(TenantId::SUPER)]);
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.code(), "900902");
}

#[tokio::test]
async fn an_api_may_differ_from_its_tenant() {
    let backend = Backend::echo().await;
    let gateway = shop(api(&backend.url(), &[("GET", "/*")])).await;
    let id = ApiId::derived(&["shop"]);
    let own = ApiContinuity { error_format: Some(ErrorFormat::Xml1(Generation::V1_10)), ..ApiContinuity::none(id) };
    gateway.change(&[Change::PutApiContinuity(own)]);
    assert!(gateway.get("/shop/1.0.0/x", &[]).await.body.starts_with("<ams:fault"));
    // What no API claims is the tenant's.
    assert_eq!(gateway.get("/none", &[]).await.code(), "404");
    gateway.change(&[Change::RemoveApiContinuity(id)]);
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.code(), "900902");
}

#[tokio::test]
async fn a_path_without_an_api_names_the_tenant_whose_form_counts() {
    let gateway = Running::start(Config::default(), &[]).await;
    let acme = Tenant { id: ACME, domain: "acme.com".to_owned(), ..Tenant::super_tenant(NOW) };
    gateway.change(&[Change::PutTenant(acme), keeps(ACME, |c| c.error_format = ErrorFormat::Xml1(Generation::V2_1))]);
    assert!(gateway.get("/t/acme.com/none", &[]).await.body.starts_with("<am:fault"));
    assert!(gateway.get("/t/ACME.com", &[]).await.body.starts_with("<am:fault"));
    assert_eq!(gateway.get("/t/other.com/none", &[]).await.code(), "404");
    assert_eq!(gateway.get("/none", &[]).await.code(), "404");
}

#[tokio::test]
async fn a_spent_limit_of_1_8_is_a_503() {
    let backend = Backend::echo().await;
    let api = api(&backend.url(), &[("GET", "/*")]);
    let mut changes = subscriber(api.id);
    let limit = model::Limit { quota: model::Quota::Requests(1), unit_time: 1, time_unit: model::TimeUnit::Year };
    changes.push(Change::PutSubscriptionPolicy(model::SubscriptionPolicy {
        limit,
        burst: None,
        ..model::default_subscription_policies(TenantId::SUPER).into_iter().find(|p| p.name == "Gold").unwrap()
    }));
    changes.extend([put(api), answers(ErrorFormat::Xml1(Generation::V1_8))]);
    let gateway = Running::start(Config::default(), &changes).await;
    let bearer = bearer();
    let call = async || gateway.get("/shop/1.0.0/x", &[("Authorization", &bearer)]).await;
    assert_eq!(call().await.status, 200);
    let refused = call().await;
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.body,
        "<amt:fault xmlns:amt=\"http://wso2.org/apimanager/throttling\"><amt:code>900800</amt:code><amt:message>Message Throttled Out\
         </amt:message><amt:description>You have exceeded your quota</amt:description></amt:fault>"
    );
    assert_eq!(refused.header("retry-after"), None);
}

// --- The key desk's paths ---

#[derive(Default)]
struct Desk(Mutex<Vec<(String, IpAddr)>>);

impl KeyDesk for Desk {
    fn answer<'a>(&'a self, request: Request<Bytes>, client: IpAddr) -> Pin<Box<dyn Future<Output = Response<Bytes>> + Send + 'a>> {
        let authorization = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
        let asked = format!("{} {} {authorization:?} {:?}", request.method(), request.uri(), request.body());
        self.0.lock().unwrap().push((asked, client));
        let answer = Response::builder()
            .status(400)
            .header("Content-Type", "application/json")
            .header("Cache-Control", "no-store")
            .header("Content-Length", "9999")
            .header("Connection", "close")
            .body(Bytes::from_static(b"{\"error\":\"invalid_grant\"}"))
            .unwrap();
        Box::pin(std::future::ready(answer))
    }
}

#[tokio::test]
async fn token_requests_are_the_key_desks_where_the_tenant_keeps_the_paths() {
    let gateway = Running::start(Config::default(), &[]).await;
    let desk = Arc::new(Desk::default());
    gateway.gateway.set_key_desk(Arc::clone(&desk) as Arc<dyn KeyDesk>);
    let form = [("Authorization", "Basic YTpi"), ("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(gateway.ask("POST", "/token", &form, "grant_type=password").await.code(), "404");
    assert!(desk.0.lock().unwrap().is_empty());

    gateway.change(&[keeps(TenantId::SUPER, |c| c.token_paths = true)]);
    let answer = gateway.ask("POST", "/token", &form, "grant_type=password").await;
    assert_eq!((answer.status, &*answer.body), (400, "{\"error\":\"invalid_grant\"}"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("activityid").is_some());
    assert_eq!(gateway.ask("POST", "/revoke?x=%20", &form, "token=t").await.status, 400);
    assert_eq!(gateway.get("/authorize?client_id=a", &[]).await.status, 400);
    assert_eq!(gateway.get("/userinfo/", &[]).await.status, 400);
    // One verb each.
    assert_eq!(gateway.get("/token", &[]).await.code(), "405");
    assert_eq!(gateway.ask("POST", "/tokens", &form, "a").await.code(), "404");
    let asked: Vec<String> = desk.0.lock().unwrap().iter().map(|(asked, _)| asked.clone()).collect();
    assert_eq!(
        asked,
        [
            "POST /oauth2/token Some(\"Basic YTpi\") b\"grant_type=password\"",
            "POST /oauth2/revoke?x=%20 Some(\"Basic YTpi\") b\"token=t\"",
            "GET /oauth2/authorize?client_id=a None b\"\"",
            "GET /oauth2/userinfo None b\"\"",
        ]
    );
    assert!(desk.0.lock().unwrap().iter().all(|(_, client)| client.is_loopback()));
    // A form is short; what is long is not gathered up.
    let long = "a".repeat(300 << 10);
    let refused = gateway.ask("POST", "/token", &form, &long).await;
    assert_eq!((refused.status, refused.body.contains("invalid_request")), (413, true));
    assert_eq!(desk.0.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn the_configuration_speaks_before_the_tenant_and_an_api_before_both() {
    let backend = Backend::echo().await;
    let mut taken = open_api(&backend.url(), &[("POST", "/*")]);
    "/token".clone_into(&mut taken.context);
    let off = Running::start(Config { token_paths: Some(false), ..Config::default() }, &[]).await;
    off.gateway.set_key_desk(Arc::new(Desk::default()));
    off.change(&[keeps(TenantId::SUPER, |c| c.token_paths = true)]);
    assert_eq!(off.ask("POST", "/token", &[], "a").await.code(), "404");
    let on = Running::start(Config { token_paths: Some(true), ..Config::default() }, &[]).await;
    on.gateway.set_key_desk(Arc::new(Desk::default()));
    assert_eq!(on.ask("POST", "/token", &[], "a").await.status, 400);
    on.change(&[put(taken)]);
    assert_eq!(on.ask("POST", "/token", &[], "a").await.status, 200);
}

#[tokio::test]
async fn a_gateway_apart_sends_token_requests_to_where_the_desk_is() {
    let desk = Backend::echo().await;
    let config = Config { token_paths: Some(true), key_desk_url: Some(format!("{}/keys", desk.url())), ..Config::default() };
    let gateway = Running::start(config, &[]).await;
    let answer = gateway.ask("POST", "/token?a=b", &[("Authorization", "Basic YTpi")], "grant_type=x").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("POST /keys/oauth2/token?a=b HTTP/1.1\r\n"), "{}", answer.body);
    assert!(answer.body.contains("authorization: Basic YTpi\r\n") && answer.body.ends_with("grant_type=x"), "{}", answer.body);
}

// --- The token for backends ---

fn signer() -> Change {
    // The key of the tests has no certificate; its own digest stands for one.
    Change::PutSigner(Signer {
        tenant: TenantId::SUPER,
        key: Arc::new(token::SigningKey::from_pkcs8(KEY.to_pkcs8().unwrap().expose()).unwrap()),
    })
}

fn old_jwt(generation: Generation) -> BackendJwt {
    BackendJwt { form: JwtForm::Old(generation), encoding: JwtEncoding::Base64, ..BackendJwt::of_4_0() }
}

fn told(request: &str, header: &str) -> Vec<String> {
    let lines = request.lines().filter_map(|l| l.split_once(": "));
    lines.filter(|(name, _)| name.eq_ignore_ascii_case(header)).map(|(_, value)| value.to_owned()).collect()
}

#[tokio::test]
async fn backends_are_told_who_calls_in_the_old_form() {
    let backend = Backend::echo().await;
    let gateway = shop(api(&backend.url(), &[("GET", "/*")])).await;
    let bearer = bearer();
    let headers = [("Authorization", &*bearer), ("X-JWT-Assertion", "made-up")];
    // Off: what the client says is the client's.
    assert_eq!(told(&gateway.get("/shop/1.0.0/x", &headers).await.body, "x-jwt-assertion"), ["made-up"]);

    gateway.change(&[signer(), keeps(TenantId::SUPER, |c| c.backend_jwt = Some(old_jwt(Generation::V1_9)))]);
    let first = told(&gateway.get("/shop/1.0.0/x", &headers).await.body, "x-jwt-assertion");
    let [first] = &first[..] else { panic!("{first:?}") };
    let parts: Vec<&str> = first.split('.').collect();
    let claims: Value = serde_json::from_slice(&BASE64_STANDARD.decode(parts[1]).unwrap()).unwrap();
    for (name, value) in [
        ("subscriber", "bob"),
        ("applicationid", "1"),
        ("applicationname", "App"),
        ("applicationtier", "Unlimited"),
        ("apicontext", "/shop/1.0.0"),
        ("version", "1.0.0"),
        ("tier", "Gold"),
        ("keytype", "PRODUCTION"),
        ("usertype", "APPLICATION"),
        ("enduser", "bob@carbon.super"),
        ("enduserTenantId", "-1234"),
    ] {
        assert_eq!(claims[format!("http://wso2.org/claims/{name}")], value, "{name}");
    }
    assert!(claims["exp"].as_i64().unwrap() > 1_000_000_000_000);
    // The same one while it is good, another one when what it says is another thing.
    assert_eq!(told(&gateway.get("/shop/1.0.0/x", &headers).await.body, "x-jwt-assertion"), std::slice::from_ref(first));
    gateway.change(&[Change::PutKeyMapping(key_mapping(KeyType::Sandbox))]);
    let mut renamed = application();
    "Other".clone_into(&mut renamed.name);
    gateway.change(&[Change::PutKeyMapping(key_mapping(KeyType::Production)), Change::PutApplication(renamed)]);
    let second = told(&gateway.get("/shop/1.0.0/x", &headers).await.body, "x-jwt-assertion");
    let claims: Value = serde_json::from_slice(&BASE64_STANDARD.decode(second[0].split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(claims["http://wso2.org/claims/applicationname"], "Other");

    // 1.8 named the context without the version, in the header that its settings name.
    let jwt = BackendJwt { header: "X-Who".to_owned(), signed: false, ..old_jwt(Generation::V1_8) };
    gateway.change(&[keeps(TenantId::SUPER, |c| c.backend_jwt = Some(jwt))]);
    let who = told(&gateway.get("/shop/1.0.0/x", &headers).await.body, "x-who");
    assert!(who[0].ends_with('.'));
    let claims: Value = serde_json::from_slice(&BASE64_STANDARD.decode(who[0].split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(claims["http://wso2.org/claims/apicontext"], "/shop");
}

#[tokio::test]
async fn the_form_of_4_0_passes_the_tokens_claims_on() {
    let backend = Backend::echo().await;
    let gateway = shop(api(&backend.url(), &[("GET", "/*")])).await;
    gateway.change(&[signer(), keeps(TenantId::SUPER, |c| c.backend_jwt = Some(BackendJwt::of_4_0()))]);
    let bearer = format!("Bearer {}", token_with(|claims| claims["email"] = "b@example.org".into()));
    let sent = told(&gateway.get("/shop/1.0.0/x", &[("Authorization", &bearer)]).await.body, "x-jwt-assertion");
    let parts: Vec<&str> = sent[0].split('.').collect();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE.decode(parts[1]).unwrap()).unwrap();
    assert_eq!((&claims["email"], &claims["iss"]), (&"b@example.org".into(), &"wso2.org/products/am".into()));
    assert_eq!(claims["http://wso2.org/claims/applicationUUId"], application().id.to_string());
    assert!(claims["exp"].as_i64().unwrap() < 10_000_000_000);
    // The signature is that of the installation's key.
    let head: Value = serde_json::from_slice(&BASE64_URL_SAFE.decode(parts[0]).unwrap()).unwrap();
    assert_eq!((&head["typ"], &head["alg"], &head["x5t"]), (&"JWT".into(), &"RS256".into(), &KEY.x5t_sha1().into()));
    assert_eq!(BASE64_URL_SAFE.encode(KEY.sign_bytes(format!("{}.{}", parts[0], parts[1]).as_bytes()).unwrap()), parts[2]);
}

/// Knows everybody's mail address; counts how often it is asked.
struct Mail(AtomicUsize);

impl UserClaims for Mail {
    fn of<'a>(&'a self, _: TenantId, user: &'a str, dialect: &'a str) -> Finding<'a> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(vec![(format!("{dialect}/emailaddress"), format!("{user}@example.org"))])))
    }
}

#[tokio::test]
async fn a_users_claims_are_looked_up_once_and_no_call_goes_without() {
    let backend = Backend::echo().await;
    let gateway = shop(api(&backend.url(), &[("GET", "/*")])).await;
    let jwt = BackendJwt { user_claims: true, ..old_jwt(Generation::V2_0) };
    gateway.change(&[signer(), keeps(TenantId::SUPER, |c| c.backend_jwt = Some(jwt))]);
    let bearer = bearer();
    let headers = [("Authorization", &*bearer)];
    let refused = gateway.get("/shop/1.0.0/x", &headers).await;
    assert_eq!((refused.status, &*refused.code()), (500, "900900"), "nobody knows the claims that the backend relies on");

    let mail = Arc::new(Mail(AtomicUsize::new(0)));
    gateway.gateway.set_user_claims(Arc::clone(&mail) as Arc<dyn UserClaims>);
    for path in ["/shop/1.0.0/x", "/shop/1.0.0/y"] {
        let sent = told(&gateway.get(path, &headers).await.body, "x-jwt-assertion");
        let claims: Value = serde_json::from_slice(&BASE64_STANDARD.decode(sent[0].split('.').nth(1).unwrap()).unwrap()).unwrap();
        assert_eq!(claims["http://wso2.org/claims/emailaddress"], "bob@example.org");
    }
    // Another token of the same user, and another dialect.
    let other = format!("Bearer {}", token_with(|claims| claims["jti"] = "another".into()));
    gateway.get("/shop/1.0.0/x", &[("Authorization", &*other)]).await;
    assert_eq!(mail.0.load(Ordering::SeqCst), 1);
    let jwt = BackendJwt { user_claims: true, dialect: "urn:c".to_owned(), ..old_jwt(Generation::V2_0) };
    gateway.change(&[keeps(TenantId::SUPER, |c| c.backend_jwt = Some(jwt))]);
    gateway.get("/shop/1.0.0/x", &headers).await;
    assert_eq!(mail.0.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn nobody_else_says_who_calls_and_no_error_does() {
    let backend = Backend::echo().await;
    let mut mixed = api(&backend.url(), &[("GET", "/closed")]);
    mixed.operations.push(Operation { auth: AuthType::None, ..Operation::new("GET", "/open") });
    let id = mixed.id;
    let gateway = shop(mixed).await;
    gateway.change(&[signer(), keeps(TenantId::SUPER, |c| c.backend_jwt = Some(old_jwt(Generation::V2_1)))]);
    let forged = ("X-JWT-Assertion", "made-up");
    let open = gateway.get("/shop/1.0.0/open", &[forged]).await;
    assert_eq!((open.status, told(&open.body, "x-jwt-assertion")), (200, Vec::new()));
    let refused = gateway.get("/shop/1.0.0/closed", &[forged]).await;
    assert_eq!((refused.status, refused.header("x-jwt-assertion")), (401, None));
    // One API may be left out.
    let bearer = bearer();
    let headers = [("Authorization", &*bearer)];
    gateway.change(&[Change::PutApiContinuity(ApiContinuity { backend_jwt: Some(false), ..ApiContinuity::none(id) })]);
    assert_eq!(told(&gateway.get("/shop/1.0.0/closed", &headers).await.body, "x-jwt-assertion"), Vec::<String>::new());
    gateway.change(&[Change::RemoveApiContinuity(id)]);
    assert_eq!(told(&gateway.get("/shop/1.0.0/closed", &headers).await.body, "x-jwt-assertion").len(), 1);
    // Without a key nothing is sent that a backend might take for the truth.
    gateway.change(&[Change::RemoveSigner(TenantId::SUPER), Change::PutApplication(application())]);
    assert_eq!(gateway.get("/shop/1.0.0/closed", &headers).await.code(), "900900");
    assert_eq!(gateway.get("/shop/1.0.0/open", &headers).await.status, 200);
}

#[test]
fn a_signers_key_is_not_shown() {
    let shown = format!("{:?}", signer());
    assert!(shown.contains("kid") && shown.len() < 400, "{shown}");
}

// --- Sites of keys ---

#[tokio::test]
async fn a_key_is_refused_where_its_sites_are_asked_for() {
    let backend = Backend::echo().await;
    let gateway = shop(api(&backend.url(), &[("GET", "/*")])).await;
    let id = ApiId::derived(&["shop"]);
    let mut key = key_mapping(KeyType::Production);
    key.allowed_domains = vec!["http://a.example".to_owned(), "http://b.example".to_owned()];
    gateway.change(&[Change::PutKeyMapping(key)]);
    let bearer = bearer();
    let from = async |header: &str, site: &str| gateway.get("/shop/1.0.0/x", &[("Authorization", &bearer), (header, site)]).await;
    assert_eq!(from("Referer", "http://a.example").await.status, 200);
    assert_eq!(from("Referer", "http://a.example/page").await.code(), "900908");

    // The header that the old installation named, and its words.
    gateway.change(&[keeps(TenantId::SUPER, |c| {
        c.error_format = ErrorFormat::Xml1(Generation::V1_9);
        c.domain_header = Some("X-Site".to_owned());
    })]);
    assert_eq!(from("X-Site", "http://b.example").await.status, 200);
    let refused = from("Referer", "http://b.example").await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.body,
        "<ams:fault xmlns:ams=\"http://wso2.org/apimanager/security\"><ams:code>0</ams:code><ams:message>Unclassified Authentication Failure\
         </ams:message><ams:description>Unauthorized client domain :null. Only \"[http://a.example, http://b.example]\" domains are \
         authorized to access the API.</ams:description></ams:fault>"
    );

    // From 2.0 on nobody asked.
    gateway.change(&[keeps(TenantId::SUPER, |c| c.domain_restriction = false)]);
    assert_eq!(from("Referer", "http://evil.example").await.status, 200);
    gateway.change(&[Change::PutApiContinuity(ApiContinuity { domain_restriction: Some(true), ..ApiContinuity::none(id) })]);
    assert_eq!(from("Referer", "http://evil.example").await.code(), "900908");
}

// --- Kinds of tokens ---

#[tokio::test]
async fn a_token_of_the_other_kind_is_refused_where_kinds_are_asked_for() {
    let backend = Backend::echo().await;
    let mut shop_api = api(&backend.url(), &[("GET", "/app"), ("GET", "/user"), ("GET", "/any")]);
    for operation in &mut shop_api.operations {
        operation.auth = match operation.target.as_str() {
            "/app" => AuthType::Application,
            "/user" => AuthType::ApplicationUser,
            _ => AuthType::Any,
        };
    }
    let gateway = shop(shop_api).await;
    let id = ApiId::derived(&["shop"]);
    let of = |aut: &str| format!("Bearer {}", token_with(|claims| claims["aut"] = aut.into()));
    let (application, user) = (of("APPLICATION"), of("APPLICATION_USER"));
    let get = async |path: &str, bearer: &str| gateway.get(&format!("/shop/1.0.0{path}"), &[("Authorization", bearer)]).await;
    let all = [("/app", &application), ("/app", &user), ("/user", &application), ("/user", &user), ("/any", &application), ("/any", &user)];
    // Nobody asks for kinds but who came from an old version.
    for (path, bearer) in all {
        assert_eq!(get(path, bearer).await.status, 200, "{path}");
    }
    gateway.change(&[keeps(TenantId::SUPER, |c| c.token_kinds = true)]);
    let statuses = async || {
        let mut seen = Vec::new();
        for (path, bearer) in all {
            seen.push(get(path, bearer).await.status);
        }
        seen
    };
    assert_eq!(statuses().await, [200, 401, 401, 200, 200, 200]);
    let refused = get("/app", &user).await;
    assert_eq!(refused.code(), "900905");
    gateway.change(&[Change::PutApiContinuity(ApiContinuity { token_kinds: Some(false), ..ApiContinuity::none(id) })]);
    assert_eq!(statuses().await, [200; 6]);
}

// --- Opaque tokens beside signed ones ---

/// Knows one token.
#[derive(Default)]
struct Known(AtomicUsize);

impl OpaqueTokens for Known {
    fn find<'a>(&'a self, token: &'a str) -> Pin<Box<dyn Future<Output = Result<Option<FoundToken>, Unavailable>> + Send + 'a>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let found = (token == "0123456789abcdef0123456789abcdef").then(|| FoundToken {
            id: "opaque:1".to_owned(),
            client: CONSUMER_KEY.to_owned(),
            key_manager: KEY_MANAGER.to_owned(),
            user: "alice@carbon.super".to_owned(),
            aut: "APPLICATION_USER".to_owned(),
            scopes: vec!["default".to_owned()],
            expires_at: None,
            tenant: TenantId::SUPER,
        });
        Box::pin(std::future::ready(Ok(found)))
    }
}

#[tokio::test]
async fn one_api_takes_opaque_and_signed_tokens_at_once() {
    let backend = Backend::echo().await;
    let api = api(&backend.url(), &[("GET", "/*")]);
    let mut changes = subscriber(api.id);
    changes.extend([put(api), signer(), keeps(TenantId::SUPER, |c| c.backend_jwt = Some(old_jwt(Generation::V1_9)))]);
    let gateway = Running::start_with(Config::default(), &changes, Arc::new(Known::default())).await;
    let user = |answer: &Answer| {
        let sent = told(&answer.body, "x-jwt-assertion");
        let claims: Value = serde_json::from_slice(&BASE64_STANDARD.decode(sent[0].split('.').nth(1).unwrap()).unwrap()).unwrap();
        claims["http://wso2.org/claims/enduser"].as_str().unwrap().to_owned()
    };
    let opaque = gateway.get("/shop/1.0.0/x", &[("Authorization", "Bearer 0123456789abcdef0123456789abcdef")]).await;
    assert_eq!((opaque.status, user(&opaque)), (200, "alice@carbon.super".to_owned()));
    let signed = gateway.get("/shop/1.0.0/x", &[("Authorization", &bearer())]).await;
    assert_eq!((signed.status, user(&signed)), (200, "bob@carbon.super".to_owned()));
    assert_eq!(gateway.get("/shop/1.0.0/x", &[("Authorization", "Bearer ffff")]).await.code(), "900901");
    // A blocked subscription stops both.
    let blocked = subscription(ApiId::derived(&["shop"]), SubscriptionState::Blocked);
    gateway.change(&[Change::PutSubscription(blocked)]);
    for token in ["Bearer 0123456789abcdef0123456789abcdef".to_owned(), bearer()] {
        assert_eq!(gateway.get("/shop/1.0.0/x", &[("Authorization", &token)]).await.code(), "900907");
    }
}

#[tokio::test]
async fn a_blocked_api_answers_in_its_version() {
    let backend = Backend::echo().await;
    let mut blocked = api(&backend.url(), &[("GET", "/*")]);
    blocked.state = LifecycleState::Blocked;
    let gateway = shop(blocked).await;
    gateway.change(&[answers(ErrorFormat::Xml1(Generation::V1_10))]);
    let answer = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.starts_with("<am:fault xmlns:am=\"http://wso2.org/apimanager\"><am:code>700700</am:code><am:message>API blocked<"));
}
