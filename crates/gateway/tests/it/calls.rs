//! What callers get: routing, cross-origin, credentials, limits, headers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{
    AdvancedPolicy, ApplicationPolicy, AuthType, Burst, Condition, ConditionKind, ConditionalGroup, Cors, Denial, DenyPolicy, Endpoints,
    KeyType, LifecycleState, Limit, Operation, PolicyId, Quota, SubscriptionState, Tenant, TenantId, TimeUnit, Timestamp,
};
use serde_json::json;
use tidegate_gateway::{Change, Config, FoundToken, OpaqueTokens, Precedence, Snapshot, Unavailable};

use crate::support::{
    Backend, CONSUMER_KEY, KEY_MANAGER, NOW, Running, api, application, bearer, issuer, key_mapping, ok, open_api, put, shop, subscriber,
    subscription, token_with,
};

const GET: &[(&str, &str)] = &[("GET", "/*")];

async fn paths() -> Backend {
    Backend::start(|request, _, _| ok(request.split(' ').nth(1).unwrap())).await
}

#[tokio::test]
async fn contexts_match_on_segments_longest_first() {
    let backend = paths().await;
    let running = shop(open_api(&backend.url(), GET)).await;
    let mut nested = open_api(&format!("{}/nested", backend.url()), GET);
    nested.id = model::ApiId::derived(&["nested"]);
    (nested.context, nested.context_template) = ("/shop/1.0.0/admin".to_owned(), "/shop/1.0.0/admin".to_owned());
    running.change(&[put(nested)]);
    for (path, backend_path) in [
        ("/shop/1.0.0/a", "/a"),
        ("/shop/1.0.0", "/"),
        ("/shop/1.0.0/", "/"),
        ("/shop/1.0.0?x=1", "/?x=1"),
        ("/shop/1.0.0/a/b?x=1&y=%20", "/a/b?x=1&y=%20"),
        ("/shop/1.0.0/admin/x", "/nested/x"),
        ("/shop/1.0.0/admins", "/admins"),
        ("/shop/1.0.0/a%2Fb/c", "/a%2Fb/c"),
        ("/shop/1.0.0/a%2fb", "/a%2Fb"),
        ("//shop//1.0.0//a", "/a"),
        ("/%73hop/1.0.0/%61", "/a"),
    ] {
        let answer = running.get(path, &[]).await;
        assert_eq!((answer.status, &*answer.body), (200, backend_path), "{path}");
    }
    for path in ["/shop/1.0.01/a", "/Shop/1.0.0/a", "/shop", "/shop/1.0", "/"] {
        let answer = running.get(path, &[]).await;
        assert_ne!(answer.body, "/a", "{path}");
    }
    let unknown = running.get("/nothing", &[]).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(
        unknown.body,
        r#"{"code":"404","type":"Status report","message":"Not Found","description":"The requested resource is not available."}"#
    );
}

#[tokio::test]
async fn paths_that_could_be_read_twice_are_refused() {
    let backend = paths().await;
    let running = shop(open_api(&backend.url(), GET)).await;
    for path in [
        "/shop/1.0.0/../x",
        "/shop/1.0.0/%2e%2e/x",
        "/shop/1.0.0/a/..;/b",
        "/shop/1.0.0/a%2f..%2fb",
        "/shop/1.0.0/a%00",
        "/shop/1.0.0/a%zz",
        "/shop/1.0.0/a?q=%zz",
    ] {
        let answer = running.get(path, &[]).await;
        assert_eq!((answer.status, answer.code()), (400, "400".to_owned()), "{path}");
    }
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn default_versions_and_tenants_have_their_paths() {
    let backend = paths().await;
    let mut default = open_api(&backend.url(), GET);
    default.is_default_version = true;
    let mut tenants = open_api(&format!("{}/acme", backend.url()), GET);
    tenants.id = model::ApiId::derived(&["acme"]);
    tenants.tenant = TenantId(1);
    (tenants.context, tenants.context_template) = ("/t/acme.com/shop/1.0.0".to_owned(), "/t/acme.com/shop/{version}".to_owned());
    let running = shop(default.clone()).await;
    running.change(&[put(tenants)]);
    assert_eq!(running.get("/shop/a", &[]).await.body, "/a");
    assert_eq!(running.get("/shop/1.0.0/a", &[]).await.body, "/a");
    assert_eq!(running.get("/t/acme.com/shop/1.0.0/a", &[]).await.body, "/acme/a");
    // A second version takes the short path over, in either order of the two changes.
    let mut next = default.clone();
    next.id = model::ApiId::derived(&["next"]);
    (next.version, next.context) = ("2.0.0".to_owned(), "/shop/2.0.0".to_owned());
    next.endpoints = Endpoints::http(Some(&format!("{}/v2", backend.url())), None);
    default.is_default_version = false;
    running.change(&[put(next), put(default)]);
    assert_eq!(running.get("/shop/a", &[]).await.body, "/v2/a");
    assert_eq!(running.get("/shop/1.0.0/a", &[]).await.body, "/a");
    // A tenant that is switched off is not there.
    let tenant = Tenant { id: TenantId(1), domain: "acme.com".to_owned(), email: None, active: false, created_at: NOW };
    running.change(&[Change::PutTenant(tenant)]);
    assert_eq!(running.get("/t/acme.com/shop/1.0.0/a", &[]).await.status, 404);
}

#[tokio::test]
async fn resources_are_chosen_by_verb_and_template() {
    let backend = paths().await;
    let running = shop(open_api(&backend.url(), &[("GET", "/menu"), ("POST", "/order"), ("GET", "/order/{id}")])).await;
    assert_eq!(running.get("/shop/1.0.0/menu/", &[]).await.body, "/menu/");
    assert_eq!(running.get("/shop/1.0.0/order/5?x", &[]).await.body, "/order/5?x");
    for (method, path, status, code, text) in [
        ("GET", "/shop/1.0.0/pie", 404, "404", "No matching resource found for given API Request"),
        ("GET", "/shop/1.0.0/order", 405, "405", "Method not allowed for given API resource"),
        ("HEAD", "/shop/1.0.0/menu", 405, "", ""),
        ("PROPFIND", "/shop/1.0.0/menu", 405, "405", "Method not allowed for given API resource"),
    ] {
        let answer = running.ask(method, path, &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        if method != "HEAD" {
            assert_eq!(
                answer.body,
                format!(r#"{{"code":"{code}","type":"Status report","message":"Runtime Error","description":"{text}"}}"#)
            );
        }
    }
}

#[tokio::test]
async fn precedence_decides_whose_scopes_apply() {
    let backend = paths().await;
    let mut shop_api = api(&backend.url(), &[("GET", "/*"), ("GET", "/order/{id}")]);
    shop_api.operations[1].scopes = vec!["orders".to_owned()];
    let mut changes = subscriber(shop_api.id);
    changes.push(put(shop_api));
    let auth = bearer();
    let strict = Running::start(Config::default(), &changes).await;
    let legacy = Running::start(Config { precedence: Precedence::Legacy, ..Config::default() }, &changes).await;
    let headers = [("Authorization", auth.as_str())];
    assert_eq!(strict.get("/shop/1.0.0/order/5", &headers).await.code(), "900910");
    assert_eq!(legacy.get("/shop/1.0.0/order/5", &headers).await.status, 200);
}

#[tokio::test]
async fn tokens_are_asked_for_and_believed_only_if_sound() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let good = bearer();
    let answer = running.get("/shop/1.0.0/a", &[("Authorization", &good)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.to_lowercase().contains("authorization"), "the token stays here: {}", answer.body);

    let missing = running.get("/shop/1.0.0/a", &[("X-Leak", "1")]).await;
    assert_eq!(missing.status, 401);
    assert_eq!(missing.header("x-leak"), None);
    assert_eq!(
        missing.header("www-authenticate"),
        Some(r#"Bearer realm="WSO2 API Manager", error="invalid_token", error_description="The provided token is invalid""#)
    );
    assert_eq!(
        missing.body,
        r#"{"code":"900902","message":"Missing Credentials","description":"Invalid Credentials. Make sure your API invocation call has a header: 'Authorization : Bearer ACCESS_TOKEN' or 'Authorization : Basic ACCESS_TOKEN' or 'apikey: API_KEY'"}"#
    );

    let sound = token_with(|_| {});
    let (head, signature) = sound.rsplit_once('.').unwrap();
    let other = token::SigningKey::generate()
        .unwrap()
        .sign(&token::Header::access_token(), &json!({"iss": crate::support::ISSUER, "azp": CONSUMER_KEY}))
        .unwrap();
    for (what, token) in [
        ("expired", token_with(|c| c["exp"] = json!(1_600_000_100))),
        ("not yet", token_with(|c| c["nbf"] = json!(3_900_000_000i64))),
        ("unknown issuer", token_with(|c| c["iss"] = json!("https://elsewhere"))),
        ("unknown key", other),
        ("cut signature", format!("{head}.{}", &signature[..signature.len() - 8])),
        ("no signature", format!("{head}.")),
        ("two parts", head.to_owned()),
        ("five parts", format!("{sound}.a.b")),
        ("an id token", token_with(|c| drop(c.as_object_mut().and_then(|claims| claims.remove("aut"))))),
        ("an API key", token_with(|c| c["token_type"] = json!("apiKey"))),
        ("alg none", format!("eyJhbGciOiJub25lIn0.{}.", head.split('.').nth(1).unwrap())),
    ] {
        // Twice, since the second verdict comes from the cache.
        for _ in 0..2 {
            let answer = running.get("/shop/1.0.0/a", &[("Authorization", &format!("Bearer {token}"))]).await;
            assert_eq!((answer.status, answer.code()), (401, "900901".to_owned()), "{what}: {answer:?}");
        }
    }
    assert_eq!(backend.got().len(), 1);
}

#[tokio::test]
async fn applications_of_a_tenant_that_is_switched_off_do_not_call() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let mut tenant = model::Tenant::super_tenant(NOW);
    tenant.active = false;
    running.change(&[Change::PutTenant(tenant.clone())]);
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &bearer())]).await.status, 404);
    tenant.active = true;
    running.change(&[Change::PutTenant(tenant)]);
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &bearer())]).await.status, 200);
}

#[tokio::test]
async fn an_overlong_opaque_token_is_unknown_without_a_look_up() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let answer = running.get("/shop/1.0.0/a", &[("Authorization", &format!("Bearer {}", "x".repeat(2_000)))]).await;
    assert_eq!((answer.status, answer.code()), (401, "900901".to_owned()));
}

#[tokio::test]
async fn schemes_are_read_in_any_letter_case_and_other_credentials_go_on() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let token = token_with(|_| {});
    let answer = running.get("/shop/1.0.0/a", &[("Authorization", &format!("bearer {token}, Basic abc"))]).await;
    assert!(answer.body.to_lowercase().contains("authorization: basic abc\r\n"), "{answer:?}");
    let mut own = api(&backend.url(), GET);
    own.authorization_header = Some("X-Token".to_owned());
    running.change(&[put(own)]);
    let answer = running.get("/shop/1.0.0/a", &[("X-Token", &format!("Bearer {token}")), ("Authorization", "Basic abc")]).await;
    let body = answer.body.to_lowercase();
    assert!(body.contains("authorization: basic abc\r\n") && !body.contains("x-token"), "{answer:?}");
    let missing = running.get("/shop/1.0.0/a", &[("Authorization", &format!("Bearer {token}"))]).await;
    assert!(missing.body.contains("'x-token : Bearer ACCESS_TOKEN'"), "{missing:?}");
}

#[tokio::test]
async fn revocation_and_key_rotation_reach_cached_tokens() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let (auth, other) = (bearer(), format!("Bearer {}", token_with(|c| c["jti"] = json!("jti-2"))));
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.status, 200);
    running.change(&[Change::Revoke { jti: "jti-1".to_owned(), until: Some(Timestamp(4_000_000_000_000)) }]);
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.code(), "900901");
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &other)]).await.status, 200);
    let mut rotated = issuer();
    rotated.keys = vec![("new".to_owned(), token::SigningKey::generate().unwrap().public().clone())];
    running.change(&[Change::PutIssuer(rotated)]);
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &other)]).await.code(), "900901");
    running.change(&[Change::PutIssuer(issuer())]);
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &other)]).await.status, 200);
}

#[tokio::test]
async fn subscriptions_decide() {
    let backend = Backend::echo().await;
    let shop_api = api(&backend.url(), GET);
    let id = shop_api.id;
    let running = shop(shop_api).await;
    let auth = bearer();
    for (state, status, code) in [
        (SubscriptionState::Blocked, 401, "900907"),
        (SubscriptionState::ProdOnlyBlocked, 401, "900907"),
        (SubscriptionState::OnHold, 401, "900909"),
        (SubscriptionState::Rejected, 401, "900909"),
        (SubscriptionState::TierUpdatePending, 200, ""),
        (SubscriptionState::Unblocked, 200, ""),
    ] {
        running.change(&[Change::PutSubscription(subscription(id, state))]);
        let answer = running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await;
        assert_eq!(answer.status, status, "{state:?}");
        if status != 200 {
            assert_eq!(answer.code(), code);
            assert!(answer.header("www-authenticate").is_some());
        }
    }
    let no_key = format!("Bearer {}", token_with(|c| c["azp"] = json!("stranger")));
    let answer = running.get("/shop/1.0.0/a", &[("Authorization", &no_key)]).await;
    assert_eq!((answer.status, answer.code()), (403, "900908".to_owned()));
    assert_eq!(
        answer.body,
        r#"{"code":"900908","message":"Resource forbidden ","description":"User is NOT authorized to access the Resource. API Subscription validation failed."}"#
    );
    running.change(&[Change::RemoveSubscription(subscription(id, SubscriptionState::Unblocked).id)]);
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.code(), "900908");
}

#[tokio::test]
async fn a_tenants_issuer_cannot_speak_for_anothers_applications() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let evil = token::SigningKey::generate().unwrap();
    let mut foreign = issuer();
    foreign.tenant = TenantId(7);
    foreign.issuer = "https://evil".to_owned();
    foreign.says_aut = false;
    foreign.keys = vec![(evil.kid().to_owned(), evil.public().clone())];
    running.change(&[Change::PutIssuer(foreign)]);
    let token =
        evil.sign(&token::Header::access_token(), &json!({"iss": "https://evil", "azp": CONSUMER_KEY, "exp": 4_000_000_000i64})).unwrap();
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &format!("Bearer {token}"))]).await.code(), "900908");
}

#[tokio::test]
async fn a_tenant_that_names_issuer_and_key_alike_shadows_nobody() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    for tenant in [TenantId(7), TenantId(-9)] {
        let mut alike = issuer();
        let kid = alike.keys[0].0.clone();
        alike.tenant = tenant;
        alike.keys = vec![(kid, token::SigningKey::generate().unwrap().public().clone())];
        running.change(&[Change::PutIssuer(alike), Change::PutIssuer(issuer())]);
        let auth = format!("Bearer {}", token_with(|claims| claims["jti"] = json!(format!("beside-{}", tenant.0))));
        assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.status, 200);
    }
}

#[tokio::test]
async fn key_managers_and_sites_are_checked() {
    let backend = Backend::echo().await;
    let mut limited = api(&backend.url(), GET);
    limited.key_managers = vec!["Okta".to_owned()];
    let running = shop(limited.clone()).await;
    let auth = bearer();
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.code(), "900901");
    limited.key_managers = vec![KEY_MANAGER.to_owned()];
    let mut mapping = key_mapping(KeyType::Production);
    mapping.allowed_domains = vec!["https://app.acme.com".to_owned()];
    running.change(&[put(limited), Change::PutKeyMapping(mapping)]);
    for (site, status) in [(Some("https://app.acme.com"), 200), (Some("https://evil.example"), 403), (None, 403)] {
        let mut headers = vec![("Authorization", auth.as_str())];
        headers.extend(site.map(|s| ("Referer", s)));
        let answer = running.get("/shop/1.0.0/a", &headers).await;
        assert_eq!(answer.status, status, "{site:?}");
    }
}

#[tokio::test]
async fn scopes_any_of_which_suffices() {
    let backend = Backend::echo().await;
    let mut scoped = api(&backend.url(), GET);
    scoped.operations[0].scopes = vec!["read".to_owned(), "admin".to_owned()];
    let running = shop(scoped).await;
    for (scopes, status) in [(json!("a admin b"), 200), (json!(["read"]), 200), (json!("reader"), 403), (json!(""), 403)] {
        let auth = format!("Bearer {}", token_with(|c| c["scope"] = scopes.clone()));
        let answer = running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await;
        assert_eq!(answer.status, status, "{scopes}");
        if status == 403 {
            assert_eq!(
                answer.body,
                r#"{"code":"900910","message":"The access token does not allow you to access the requested resource","description":"User is NOT authorized to access the Resource: /*. Scope validation failed."}"#
            );
        }
    }
}

#[tokio::test]
async fn states_and_kinds_of_key_choose_what_answers() {
    let (production, sandbox) = (paths().await, Backend::start(|_, _, _| ok("sandbox")).await);
    let mut shop_api = api(&production.url(), GET);
    let running = shop(shop_api.clone()).await;
    let auth = bearer();
    let headers = [("Authorization", auth.as_str())];
    running.change(&[Change::PutKeyMapping(key_mapping(KeyType::Sandbox))]);
    let missing = running.get("/shop/1.0.0/a", &headers).await;
    assert_eq!(missing.status, 403);
    assert_eq!(
        missing.body,
        r#"{"code":"900901","type":"Status report","message":"Runtime Error","description":"Sandbox key offered to the API with no sandbox endpoint"}"#
    );
    shop_api.endpoints = Endpoints::http(Some(&production.url()), Some(&sandbox.url()));
    running.change(&[put(shop_api.clone())]);
    assert_eq!(running.get("/shop/1.0.0/a", &headers).await.body, "sandbox");

    shop_api.state = LifecycleState::Blocked;
    running.change(&[put(shop_api.clone())]);
    // Before authentication.
    let blocked = running.get("/shop/1.0.0/a", &[]).await;
    assert_eq!((blocked.status, blocked.code()), (503, "700700".to_owned()));
    shop_api.state = LifecycleState::Prototyped;
    running.change(&[put(shop_api.clone())]);
    assert_eq!(running.get("/shop/1.0.0/a", &[]).await.body, "/a");
    shop_api.state = LifecycleState::Retired;
    running.change(&[put(shop_api.clone())]);
    assert_eq!(running.get("/shop/1.0.0/a", &headers).await.status, 404);
    shop_api.state = LifecycleState::Published;
    shop_api.transports = vec!["https".to_owned()];
    running.change(&[put(shop_api)]);
    let denied = running.get("/shop/1.0.0/a", &headers).await;
    assert_eq!(denied.status, 403);
    assert!(denied.body.contains("Unsupported Transport [ http ]. The requested resource is not available."), "{denied:?}");
}

#[tokio::test]
async fn preflights_are_answered_and_every_answer_has_cors_headers() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), &[("GET", "/a"), ("POST", "/a"), ("OPTIONS", "/own")])).await;
    let preflight =
        running.ask("OPTIONS", "/shop/1.0.0/a", &[("Origin", "https://x"), ("Access-Control-Request-Method", "POST")], "").await;
    assert_eq!((preflight.status, &*preflight.body), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-headers", "authorization,Access-Control-Allow-Origin,Content-Type,SOAPAction,apikey,Internal-Key"),
        ("access-control-expose-headers", ""),
    ] {
        assert_eq!(preflight.header(name).map(str::trim), Some(value), "{name} in {preflight:?}");
    }
    for (method, status) in [("PUT", 405), ("NONSENSE", 405)] {
        assert_eq!(running.ask("OPTIONS", "/shop/1.0.0/a", &[("Access-Control-Request-Method", method)], "").await.status, status);
    }
    assert_eq!(running.ask("OPTIONS", "/shop/1.0.0/a", &[], "").await.status, 405);
    assert_eq!(running.ask("OPTIONS", "/shop/1.0.0/b", &[("Access-Control-Request-Method", "GET")], "").await.status, 404);
    // A declared OPTIONS is a call like any other.
    assert_eq!(running.ask("OPTIONS", "/shop/1.0.0/own", &[("Access-Control-Request-Method", "GET")], "").await.status, 401);
    let error = running.get("/shop/1.0.0/a", &[]).await;
    assert_eq!((error.status, error.header("access-control-allow-origin")), (401, Some("*")));
    let auth = bearer();
    let fine = running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await;
    assert_eq!((fine.status, fine.header("access-control-allow-origin")), (200, Some("*")));
    assert!(fine.header("activityid").is_some_and(|id| id.len() == 36));
}

#[tokio::test]
async fn an_apis_own_cors_settings_win_and_a_backends_headers_win_over_all() {
    let backend = Backend::start(|request, _, _| {
        let extra = if request.contains("/own") { "Access-Control-Allow-Origin: https://backend\r\n" } else { "" };
        crate::support::Deed::Send(format!("HTTP/1.1 200 OK\r\n{extra}Content-Length: 0\r\n\r\n").into_bytes())
    })
    .await;
    let mut own = open_api(&backend.url(), GET);
    own.cors = Some(Cors {
        enabled: true,
        allow_origins: vec!["https://app.acme.com".to_owned()],
        allow_credentials: true,
        allow_headers: vec!["*".to_owned()],
        allow_methods: vec!["GET".to_owned()],
    });
    let running = shop(own).await;
    let listed = running.get("/shop/1.0.0/a", &[("Origin", "https://app.acme.com"), ("Access-Control-Request-Headers", "X-A")]).await;
    assert_eq!(listed.header("access-control-allow-origin"), Some("https://app.acme.com"));
    assert_eq!(listed.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(listed.header("access-control-allow-headers"), Some("X-A"));
    let other = running.get("/shop/1.0.0/a", &[("Origin", "https://evil.example")]).await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None));
    let backends = running.get("/shop/1.0.0/own", &[("Origin", "https://app.acme.com")]).await;
    assert_eq!(backends.header("access-control-allow-origin"), Some("https://backend"));
}

/// Limits of a year, so that no window turns during a test.
fn a_year(count: u64) -> Limit {
    Limit { quota: Quota::Requests(count), unit_time: 1, time_unit: TimeUnit::Year }
}

fn advanced(name: &str, limit: Limit) -> AdvancedPolicy {
    AdvancedPolicy {
        id: PolicyId::derived(&[name]),
        tenant: TenantId::SUPER,
        name: name.to_owned(),
        display_name: None,
        description: None,
        limit,
        per_user: false,
        groups: Vec::new(),
    }
}

fn gold(limit: Limit) -> model::SubscriptionPolicy {
    let mut policy = model::default_subscription_policies(TenantId::SUPER).into_iter().find(|p| p.name == "Gold").unwrap();
    policy.limit = limit;
    policy
}

async fn until_refused(running: &Running, path: &str, headers: &[(&str, &str)]) -> (usize, crate::support::Answer) {
    for passed in 0..50 {
        let answer = running.get(path, headers).await;
        if answer.status != 200 {
            return (passed, answer);
        }
    }
    panic!("never refused");
}

#[tokio::test]
async fn each_level_has_its_limit_and_code() {
    let backend = Backend::echo().await;
    let auth = bearer();
    let headers = [("Authorization", auth.as_str())];
    let application_policy = ApplicationPolicy {
        id: PolicyId::derived(&["few"]),
        tenant: TenantId::SUPER,
        name: "Few".to_owned(),
        display_name: None,
        description: None,
        limit: a_year(3),
    };
    let mut few = application();
    few.policy = "Few".to_owned();
    let mut burst = gold(a_year(1_000));
    burst.burst = Some(Burst { count: 3, unit: TimeUnit::Minute });
    let plain = api(&backend.url(), GET);
    let mut by_api = plain.clone();
    by_api.api_policy = Some("Few".to_owned());
    by_api.operations[0].policy = "None".to_owned();
    let mut by_resource = plain.clone();
    by_resource.operations[0].policy = "Few".to_owned();
    let mut by_backend = plain.clone();
    by_backend.max_tps.production = Some(0);
    for (what, changes, passes, status, code, knows_when) in [
        ("api", vec![Change::PutAdvancedPolicy(advanced("Few", a_year(3))), put(by_api)], 3, 429, "900800", true),
        ("resource", vec![Change::PutAdvancedPolicy(advanced("Few", a_year(3))), put(by_resource)], 3, 429, "900802", true),
        ("subscription", vec![Change::PutSubscriptionPolicy(gold(a_year(3)))], 3, 429, "900804", true),
        ("burst", vec![Change::PutSubscriptionPolicy(burst)], 3, 429, "900807", false),
        ("application", vec![Change::PutApplicationPolicy(application_policy), Change::PutApplication(few)], 3, 429, "900803", true),
        ("backend", vec![put(by_backend)], 0, 503, "900801", false),
    ] {
        let running = shop(plain.clone()).await;
        running.change(&changes);
        let (passed, answer) = until_refused(&running, "/shop/1.0.0/a", &headers).await;
        assert_eq!((passed, answer.status, &*answer.code()), (passes, status, code), "{what}");
        assert_eq!(answer.header("retry-after").is_some_and(|v| v.ends_with(" GMT")), knows_when, "{what}");
        assert_eq!(answer.body.contains("nextAccessTime"), knows_when, "{what}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}

fn denial(refused: Denial) -> DenyPolicy {
    DenyPolicy { id: PolicyId::derived(&["deny"]), tenant: TenantId::SUPER, refused, enabled: true }
}

#[tokio::test]
async fn deny_policies_refuse_whom_they_name_and_nobody_else() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let auth = bearer();
    let headers = [("Authorization", auth.as_str())];
    let text = |t: &str| t.to_owned();
    let owner = application().owner;
    let name = application().name;
    let user = format!("{owner}@carbon.super");
    for (refused, is_refused) in [
        (Denial::Api(text("/shop/1.0.0")), true),
        (Denial::Api(text("/shop")), false),
        (Denial::Application { owner: owner.clone(), name: name.clone() }, true),
        (Denial::Application { owner: user.clone(), name: name.clone() }, true),
        (Denial::Application { owner: owner.clone(), name: text("Another") }, false),
        (Denial::Application { owner: text("somebody"), name: name.clone() }, false),
        (Denial::User(text("bob@carbon.super")), true),
        (Denial::User(text("bob")), true),
        (Denial::User(text("somebody@carbon.super")), false),
        (Denial::Ip { address: text("127.0.0.1"), inverted: false }, true),
        (Denial::Ip { address: text("10.0.0.1"), inverted: false }, false),
        (Denial::Ip { address: text("10.0.0.1"), inverted: true }, true),
        (Denial::IpRange { start: text("127.0.0.0"), end: text("127.0.0.2"), inverted: false }, true),
        // The ends of a range are not in it.
        (Denial::IpRange { start: text("127.0.0.1"), end: text("127.0.0.2"), inverted: false }, false),
        (Denial::IpRange { start: text("127.0.0.1"), end: text("127.0.0.2"), inverted: true }, true),
        (Denial::Subscription(format!("/shop/1.0.0:1.0.0:{owner}-{name}")), true),
        (Denial::Subscription(format!("/shop/1.0.0:1.0.0:{owner}-{name}:PRODUCTION")), true),
        (Denial::Subscription(format!("/shop/1.0.0:1.0.0:{owner}-{name}:SANDBOX")), false),
    ] {
        let what = format!("{refused:?}");
        running.change(&[Change::PutDenyPolicy(denial(refused.clone()))]);
        let answer = running.get("/shop/1.0.0/a", &headers).await;
        if is_refused {
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            let ought = serde_json::json!({
                "code": "900805", "message": "Message blocked", "description": "You have been blocked from accessing the resource"
            });
            assert_eq!((answer.status, &body), (403, &ought), "{what}");
        } else {
            assert_eq!(answer.status, 200, "{what}");
        }
        // Another tenant's addresses are its own affair.
        if matches!(refused, Denial::Ip { .. } | Denial::IpRange { .. }) {
            running.change(&[Change::PutDenyPolicy(DenyPolicy { tenant: TenantId(7), ..denial(refused.clone()) })]);
            assert_eq!(running.get("/shop/1.0.0/a", &headers).await.status, 200, "{what}");
        }
        running.change(&[Change::PutDenyPolicy(DenyPolicy { enabled: false, ..denial(refused) })]);
        assert_eq!(running.get("/shop/1.0.0/a", &headers).await.status, 200, "{what}");
    }
    running.change(&[Change::RemoveDenyPolicy(PolicyId::derived(&["deny"]))]);
    assert_eq!(running.get("/shop/1.0.0/a", &headers).await.status, 200);
}

#[tokio::test]
async fn who_is_denied_does_not_count() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let auth = bearer();
    let headers = [("Authorization", auth.as_str())];
    let denied = denial(Denial::Api("/shop/1.0.0".to_owned()));
    running.change(&[Change::PutSubscriptionPolicy(gold(a_year(3))), Change::PutDenyPolicy(denied.clone())]);
    for _ in 0..10 {
        assert_eq!(running.get("/shop/1.0.0/a", &headers).await.code(), "900805");
    }
    assert_eq!(backend.got().len(), 0);
    running.change(&[Change::RemoveDenyPolicy(denied.id)]);
    let (passed, answer) = until_refused(&running, "/shop/1.0.0/a", &headers).await;
    assert_eq!((passed, &*answer.code()), (3, "900804"));
}

#[tokio::test]
async fn a_refused_call_counts_nowhere() {
    let backend = Backend::echo().await;
    let mut limited = api(&backend.url(), GET);
    limited.api_policy = Some("Five".to_owned());
    let running = shop(limited).await;
    let auth = bearer();
    let headers = [("Authorization", auth.as_str())];
    running.change(&[Change::PutAdvancedPolicy(advanced("Five", a_year(5))), Change::PutSubscriptionPolicy(gold(a_year(2)))]);
    for _ in 0..2 {
        assert_eq!(running.get("/shop/1.0.0/a", &headers).await.status, 200);
    }
    for _ in 0..10 {
        assert_eq!(running.get("/shop/1.0.0/a", &headers).await.code(), "900804");
    }
    // The API's own limit has only counted the two that passed.
    running.change(&[Change::PutSubscriptionPolicy(gold(a_year(100)))]);
    let (passed, answer) = until_refused(&running, "/shop/1.0.0/a", &headers).await;
    assert_eq!((passed, &*answer.code()), (3, "900800"));
}

#[tokio::test]
async fn a_plan_may_let_calls_pass_beyond_its_quota() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let mut lenient = gold(a_year(1));
    lenient.stop_on_quota = false;
    running.change(&[Change::PutSubscriptionPolicy(lenient)]);
    let auth = bearer();
    for _ in 0..5 {
        assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.status, 200);
    }
}

#[tokio::test]
async fn an_applications_quota_is_per_user() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), GET)).await;
    let policy = ApplicationPolicy {
        id: PolicyId::derived(&["one"]),
        tenant: TenantId::SUPER,
        name: "One".to_owned(),
        display_name: None,
        description: None,
        limit: a_year(1),
    };
    let mut app = application();
    app.policy = "One".to_owned();
    running.change(&[Change::PutApplicationPolicy(policy), Change::PutApplication(app)]);
    for (user, status) in [("ann", 200), ("ann@carbon.super", 429), ("eve", 200), ("eve", 429)] {
        let auth = format!(
            "Bearer {}",
            token_with(|c| {
                c["sub"] = json!(user);
                c["aut"] = json!("APPLICATION_USER");
            })
        );
        assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.status, status, "{user}");
    }
}

#[tokio::test]
async fn open_resources_count_per_client_address() {
    let backend = Backend::echo().await;
    let running = shop(open_api(&backend.url(), GET)).await;
    let mut open = model::default_subscription_policies(TenantId::SUPER).into_iter().find(|p| p.name == "Unauthenticated").unwrap();
    open.limit = a_year(2);
    running.change(&[Change::PutSubscriptionPolicy(open)]);
    for (address, expected) in [("203.0.113.1", 2), ("203.0.113.2", 2)] {
        let (passed, answer) = until_refused(&running, "/shop/1.0.0/a", &[("X-Forwarded-For", address)]).await;
        assert_eq!((passed, &*answer.code()), (expected, "900804"));
    }
    // What stands left of the first untrusted address is the client's own invention.
    assert_eq!(running.get("/shop/1.0.0/a", &[("X-Forwarded-For", "198.51.100.7, 203.0.113.1")]).await.status, 429);
}

#[tokio::test]
async fn conditional_groups_have_their_own_limits() {
    let backend = Backend::echo().await;
    let mut limited = api(&backend.url(), GET);
    limited.api_policy = Some("Grouped".to_owned());
    let mut policy = advanced("Grouped", a_year(3));
    policy.groups = vec![ConditionalGroup {
        description: None,
        conditions: vec![Condition {
            inverted: false,
            kind: ConditionKind::Header { name: "X-Kind".to_owned(), value: "^gold$".to_owned() },
        }],
        limit: a_year(1),
    }];
    let mut changes = subscriber(limited.id);
    changes.extend([put(limited), Change::PutAdvancedPolicy(policy)]);
    let running = Running::start(Config { header_conditions: true, ..Config::default() }, &changes).await;
    let auth = bearer();
    let plain = [("Authorization", auth.as_str())];
    let gold = [("Authorization", auth.as_str()), ("X-Kind", "gold")];
    assert_eq!(until_refused(&running, "/shop/1.0.0/a", &gold).await.0, 1);
    assert_eq!(until_refused(&running, "/shop/1.0.0/a", &plain).await.0, 3);
}

/// How many calls of each kind pass, where calls that meet the condition may be made once a year and others three times.
async fn passed(kind: ConditionKind, inverted: bool, config: Config, calls: [(&str, &[(&str, &str)]); 2]) -> [u32; 2] {
    let backend = Backend::echo().await;
    let mut limited = api(&backend.url(), GET);
    limited.api_policy = Some("Grouped".to_owned());
    let mut policy = advanced("Grouped", a_year(3));
    policy.groups = vec![ConditionalGroup { description: None, conditions: vec![Condition { inverted, kind }], limit: a_year(1) }];
    let mut changes = subscriber(limited.id);
    changes.extend([put(limited), Change::PutAdvancedPolicy(policy)]);
    let running = Running::start(config, &changes).await;
    let auth = bearer();
    let mut passed = [0; 2];
    for (count, (path, headers)) in passed.iter_mut().zip(calls) {
        let headers: Vec<(&str, &str)> = std::iter::once(("Authorization", auth.as_str())).chain(headers.iter().copied()).collect();
        *count = until_refused(&running, path, &headers).await.0 as u32;
    }
    passed
}

#[tokio::test]
async fn every_condition_limits_those_who_meet_it_and_inverted_the_others() {
    let text = str::to_owned;
    let all = || Config { header_conditions: true, query_conditions: true, claim_conditions: true, ..Config::default() };
    let path = "/shop/1.0.0/a";
    let from = |address| -> [(&'static str, &'static str); 1] { [("X-Forwarded-For", address)] };
    let (inside, outside, gold) = (from("203.0.113.7"), from("203.0.113.99"), [("X-Kind", "very gold")]);
    let ip = ConditionKind::Ip(text("203.0.113.7"));
    let range = ConditionKind::IpRange { start: text("203.0.113.7"), end: text("203.0.113.9") };
    let header = ConditionKind::Header { name: text("X-Kind"), value: text("g.ld") };
    let query = ConditionKind::Query { name: text("kind"), value: text("^gold$") };
    let cases = [
        (ip, [(path, &inside[..]), (path, &outside[..])]),
        (range, [(path, &inside), (path, &outside)]),
        (header, [(path, &gold), (path, &[])]),
        (query, [("/shop/1.0.0/a?kind=gold", &[]), ("/shop/1.0.0/a?kind=golden", &[])]),
    ];
    for (kind, calls) in cases {
        assert_eq!(passed(kind.clone(), false, all(), calls).await, [1, 3], "{kind:?}");
        assert_eq!(passed(kind.clone(), true, all(), calls).await, [3, 1], "{kind:?} inverted");
    }
    // Every call of this token meets the one claim, and none meets the other.
    let claim = |value: &str| ConditionKind::JwtClaim { claim: text("iss"), value: text(value) };
    assert_eq!(passed(claim("."), false, all(), [(path, &[]), (path, &[])]).await, [1, 0]);
    assert_eq!(passed(claim("^nobody$"), false, all(), [(path, &[]), (path, &[])]).await, [3, 0]);
    assert_eq!(passed(claim("^nobody$"), true, all(), [(path, &[]), (path, &[])]).await, [1, 0]);
    // Switched off, as in a new installation, headers are as if absent; addresses are always looked at.
    let header = ConditionKind::Header { name: text("X-Kind"), value: text("g.ld") };
    assert_eq!(passed(header, false, Config::default(), [(path, &gold), (path, &[])]).await, [3, 0]);
    let ip = ConditionKind::Ip(text("203.0.113.7"));
    assert_eq!(passed(ip, false, Config::default(), [(path, &inside), (path, &outside)]).await, [1, 3]);
}

#[tokio::test]
async fn a_call_counts_in_every_group_it_meets_and_in_the_default_only_when_it_meets_none() {
    let backend = Backend::echo().await;
    let mut limited = api(&backend.url(), GET);
    limited.api_policy = Some("Grouped".to_owned());
    let header = |name: &str| Condition { inverted: false, kind: ConditionKind::Header { name: name.to_owned(), value: ".".to_owned() } };
    let group = |conditions, calls| ConditionalGroup { description: None, conditions, limit: a_year(calls) };
    let mut policy = advanced("Grouped", a_year(2));
    policy.groups = vec![group(vec![header("X-A")], 5), group(vec![header("X-A"), header("X-B")], 1)];
    let mut changes = subscriber(limited.id);
    changes.extend([put(limited), Change::PutAdvancedPolicy(policy)]);
    let running = Running::start(Config { header_conditions: true, ..Config::default() }, &changes).await;
    let auth = bearer();
    let path = "/shop/1.0.0/a";
    let both = [("Authorization", auth.as_str()), ("X-A", "1"), ("X-B", "1")];
    // The narrower group is spent first, and the refused call counts in neither.
    assert_eq!(until_refused(&running, path, &both).await.0, 1);
    assert_eq!(until_refused(&running, path, &both[..2]).await.0, 4);
    assert_eq!(until_refused(&running, path, &[both[0], both[2]]).await.0, 2, "X-B alone meets no group");
    assert_eq!(until_refused(&running, path, &both[..1]).await.0, 0);
}

#[tokio::test]
async fn forwarded_headers_follow_trust() {
    let backend = Backend::echo().await;
    let api = open_api(&backend.url(), GET);
    let mut changes = subscriber(api.id);
    changes.push(put(api));
    let sent =
        [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=203.0.113.9"), ("User-Agent", "ua/1")];
    let trusting = Running::start(Config::default(), &changes).await;
    let body = trusting.get("/shop/1.0.0/a", &sent).await.body.to_lowercase();
    for line in [
        "x-forwarded-for: 203.0.113.9, 127.0.0.1\r\n",
        "x-forwarded-proto: https\r\n",
        "x-forwarded-host: gw\r\n",
        "user-agent: ua/1\r\n",
        "activityid: ",
    ] {
        assert!(body.contains(line), "{line} in {body}");
    }
    let strict = Running::start(Config { trusted_proxies: Vec::new(), ..Config::default() }, &changes).await;
    let body = strict.get("/shop/1.0.0/a", &sent).await.body.to_lowercase();
    assert!(body.contains("x-forwarded-for: 127.0.0.1\r\n") && body.contains("x-forwarded-proto: http\r\n"), "{body}");
    assert!(!body.contains("203.0.113.9"), "{body}");
}

#[tokio::test]
async fn correlation_ids_pass_through() {
    let backend = Backend::echo().await;
    let running = shop(open_api(&backend.url(), GET)).await;
    let answer = running.get("/shop/1.0.0/a", &[("activityid", "mine")]).await;
    assert_eq!(answer.header("activityid"), Some("mine"));
    assert!(answer.body.to_lowercase().contains("activityid: mine\r\n"));
}

#[tokio::test]
async fn the_gateways_own_pages_answer() {
    let backend = Backend::echo().await;
    let running = shop(open_api(&backend.url(), GET)).await;
    let version = running.get("/services/Version", &[]).await;
    assert_eq!(version.status, 200);
    assert!(version.body.contains("<return>WSO2 API Manager-4.0.0</return>"));
    assert_eq!(running.get("/healthz", &[]).await.status, 200);
    assert_eq!(running.get("/readyz", &[]).await.status, 200);
    assert!(running.get("/", &[]).await.body.contains("Welcome to APIM"));
    let empty = tidegate_gateway::Gateway::new(Config::default(), Arc::new(tidegate_gateway::NoOpaqueTokens)).unwrap();
    assert!(!empty.is_ready());
}

/// Knows one token; counts how often it is asked.
struct One(AtomicUsize, bool);

impl OpaqueTokens for One {
    fn find<'a>(&'a self, token: &'a str) -> Pin<Box<dyn Future<Output = Result<Option<FoundToken>, Unavailable>> + Send + 'a>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let found = FoundToken {
            id: "row-1".to_owned(),
            client: CONSUMER_KEY.to_owned(),
            key_manager: KEY_MANAGER.to_owned(),
            user: "bob".to_owned(),
            aut: "APPLICATION".to_owned(),
            scopes: Vec::new(),
            expires_at: None,
            tenant: TenantId::SUPER,
        };
        let fails = self.1;
        let is_it = token == "8a5f-opaque";
        Box::pin(async move { if fails { Err(Unavailable("the database is away".into())) } else { Ok(is_it.then_some(found)) } })
    }
}

#[tokio::test]
async fn opaque_tokens_are_looked_up_and_remembered() {
    let backend = Backend::echo().await;
    let shop_api = api(&backend.url(), GET);
    let mut changes = subscriber(shop_api.id);
    changes.push(put(shop_api));
    let source = Arc::new(One(AtomicUsize::new(0), false));
    let running = Running::start_with(Config::default(), &changes, source.clone()).await;
    for _ in 0..3 {
        let answer = running.get("/shop/1.0.0/a", &[("Authorization", "Bearer 8a5f-opaque")]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", "Bearer nonsense")]).await.code(), "900901");
    }
    assert_eq!(source.0.load(Ordering::SeqCst), 2);
    running.change(&[Change::Revoke { jti: "row-1".to_owned(), until: None }]);
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", "Bearer 8a5f-opaque")]).await.code(), "900901");
    assert_eq!(source.0.load(Ordering::SeqCst), 2);

    let failing = Running::start_with(Config::default(), &changes, Arc::new(One(AtomicUsize::new(0), true))).await;
    let answer = failing.get("/shop/1.0.0/a", &[("Authorization", "Bearer 8a5f-opaque")]).await;
    assert_eq!((answer.status, answer.code()), (500, "900900".to_owned()));
}

#[tokio::test]
async fn calls_leave_records_and_a_full_queue_blocks_nobody() {
    let backend = Backend::echo().await;
    let shop_api = api(&backend.url(), GET);
    let mut changes = subscriber(shop_api.id);
    changes.push(put(shop_api));
    let running = Running::start(Config { record_queue: 2, ..Config::default() }, &changes).await;
    let auth = bearer();
    assert_eq!(running.get("/shop/1.0.0/a", &[("Authorization", &auth)]).await.status, 200);
    assert_eq!(running.get("/shop/1.0.0/a", &[]).await.status, 401);
    for _ in 0..5 {
        assert_eq!(running.get("/nothing", &[]).await.status, 404);
    }
    let mut records = running.gateway.records().expect("records are on");
    let first = crate::support::soon("a record", records.recv()).await.unwrap();
    assert_eq!((first.status, first.code), (200, None));
    assert_eq!(first.api.as_ref().map(|a| &*a.name), Some("Shop"));
    assert_eq!(first.application.as_ref().map(|a| &*a.name), Some("App"));
    assert!(first.backend_latency.is_some() && first.bytes_sent > 0);
    let second = crate::support::soon("a record", records.recv()).await.unwrap();
    assert_eq!((second.status, second.code), (401, Some("900902")));
    assert!(running.gateway.records().is_none());
}

#[tokio::test]
async fn what_cannot_be_enforced_is_not_served() {
    let sound = api("http://b", GET);
    let mut mutual = sound.clone();
    mutual.security_scheme = vec!["oauth2".to_owned(), "mutualssl_mandatory".to_owned()];
    let mut basic = sound.clone();
    basic.security_scheme = vec!["basic_auth".to_owned()];
    let mut kind = sound.clone();
    kind.kind = model::ApiKind::Ws;
    let mut address = sound.clone();
    address.endpoints = Endpoints::http(Some("ftp://b"), None);
    let mut verb = sound.clone();
    verb.operations = vec![Operation { verb: "BREW".to_owned(), auth: AuthType::Any, ..Operation::new("GET", "/") }];
    for faulty in [mutual, basic, kind, address, verb] {
        let faults = Snapshot::empty().apply(&[put(faulty.clone())]).err().expect("a fault");
        assert_eq!(faults[0].api(), Some(faulty.id), "{}", faults[0]);
        let (snapshot, faults) = Snapshot::empty().apply_sound(&[
            put(faulty),
            put({
                let mut other = sound.clone();
                other.id = model::ApiId::derived(&["other"]);
                other
            }),
        ]);
        assert_eq!((snapshot.api_count(), faults.len()), (1, 1));
    }
}

#[tokio::test]
async fn bandwidth_counts_bodies_of_unknown_size_too() {
    let backend = Backend::echo().await;
    let running = shop(api(&backend.url(), &[("POST", "/*")])).await;
    let limit = Limit { quota: Quota::Bandwidth { amount: 1, unit: model::BandwidthUnit::Kb }, unit_time: 1, time_unit: TimeUnit::Year };
    running.change(&[Change::PutSubscriptionPolicy(gold(limit))]);
    let auth = bearer();
    let chunk = "x".repeat(600);
    for expected in [200, 200, 429] {
        let mut raw = running.connect().await;
        raw.send(&format!("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n{chunk}\r\n0\r\n\r\n")).await;
        assert_eq!(raw.answer().await.status, expected);
    }
}
