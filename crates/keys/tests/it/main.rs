//! The key desk as its clients meet it: over its routers, on a real database file, with a clock wound by hand.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail loudly, and says what it skips")]

mod house;

use house::{House, START, basic};
use http::StatusCode;
use model::{
    ClientOrigin, IssuedToken, Lifetimes, OAuthClient, Secret, TenantId, Timestamp, TokenFormat, TokenHolder, TokenId, TokenState,
    TokenText,
};
use serde_json::json;
use tidegate_keys::ClientChange;

const ALL_GRANTS: &str = "password refresh_token client_credentials";

#[tokio::test]
async fn a_registered_client_signs_a_user_in() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    let (status, body) = house.token(&client, "grant_type=password&username=admin&password=right-one&scope=apim:api_view+openid2").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["scope"], "apim:api_view openid2");
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_i64()), (Some("Bearer"), Some(3600)));
    let access = body["access_token"].as_str().unwrap();
    assert_eq!(access.len(), 36, "clients that registered themselves get opaque tokens");

    let caller = house.desk.bearer_caller(access).await.unwrap();
    assert_eq!((caller.name().as_str(), caller.has_scope("apim:api_view"), caller.has_role("admin")), ("admin", true, true));
    let found = house.desk.find_opaque(access).await.unwrap().unwrap();
    assert_eq!((found.client.as_str(), found.expires_at), (client.id.as_str(), Some(Timestamp(START + 3_600_000))));

    house.pass_secs(10);
    let (_, again) = house.token(&client, "grant_type=password&username=admin&password=right-one&scope=openid2+apim:api_view").await;
    assert_eq!((again["access_token"].as_str(), again["expires_in"].as_i64()), (Some(access), Some(3590)));
    let (_, other) = house.token(&client, "grant_type=password&username=admin&password=right-one&scope=device_1").await;
    assert_ne!(other["access_token"].as_str(), Some(access));

    house.pass_secs(3590);
    assert!(house.desk.find_opaque(access).await.unwrap().is_none());
    assert!(house.desk.bearer_caller(access).await.is_err());
}

#[tokio::test]
async fn registration_answers_as_4_0_0_and_gives_the_same_client_again() {
    let house = House::new().await;
    let profile = json!({
        "callbackUrl": "https://x/cb", "clientName": "tool", "owner": "admin", "grantType": "password refresh_token authorization_code",
        "saasApp": true, "tokenScope": "Production"
    });
    let (status, made) = house.post_registration("admin:right-one", &profile).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(
        made.as_object().unwrap().keys().collect::<Vec<_>>(),
        [
            "clientId",
            "clientName",
            "callBackURL",
            "clientSecret",
            "isSaasApplication",
            "appOwner",
            "jsonString",
            "jsonAppAttribute",
            "tokenType"
        ]
    );
    assert_eq!((made["appOwner"].as_str(), made["callBackURL"].as_str()), (Some("admin"), Some("https://x/cb")));
    assert_eq!((&made["isSaasApplication"], &made["tokenType"], &made["jsonAppAttribute"]), (&json!(true), &json!(null), &json!("{}")));
    let details: serde_json::Value = serde_json::from_str(made["jsonString"].as_str().unwrap()).unwrap();
    assert_eq!(details["grant_types"], "password refresh_token authorization_code");
    assert_eq!((made["clientId"].as_str().unwrap().len(), made["clientSecret"].as_str().unwrap().len()), (28, 28));
    let stored = house.desk.find_client(made["clientId"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!((stored.name.as_str(), stored.origin), ("admin_tool", ClientOrigin::Registration));

    let (_, again) = house.post_registration("admin:right-one", &profile).await;
    assert_eq!((&again["clientId"], &again["clientSecret"], &again["appOwner"]), (&made["clientId"], &made["clientSecret"], &json!(null)));

    let no_callback = json!({ "clientName": "plain", "owner": "admin", "grantType": "authorization_code password implicit" });
    let (_, plain) = house.post_registration("admin:right-one", &no_callback).await;
    let details: serde_json::Value = serde_json::from_str(plain["jsonString"].as_str().unwrap()).unwrap();
    assert_eq!(details["grant_types"], "password");
}

#[tokio::test]
async fn registration_knows_whose_client_it_is() {
    let house = House::new().await;
    house.user("ann", &["Internal/creator"]).await;
    house.user("bob@acme.com", &["Internal/subscriber"]).await;
    house.user("nobody", &[]).await;
    let profile = |owner: &str| json!({ "clientName": "tool", "owner": owner, "grantType": "password" });

    let (status, body) = house.post_registration("ann:right-one", &profile("admin")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["description"], "Logged in user 'ann' and application owner 'admin' should be same.");
    assert_eq!(house.post_registration("nobody:right-one", &profile("nobody")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(house.post_registration("ann:wrong-one", &profile("ann")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.post_registration("ann:right-one", &json!({ "owner": "ann" })).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(house.post_registration("ann:right-one", &profile("ann")).await.0, StatusCode::OK);
    let (status, bobs) = house.post_registration("bob@acme.com:right-one", &profile("bob@acme.com")).await;
    assert_eq!((status, bobs["appOwner"].as_str()), (StatusCode::OK, Some("bob@acme.com")));
    let stored = house.desk.find_client(bobs["clientId"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.tenant, TenantId(1));
    let (status, for_ann) = house.post_registration("admin:right-one", &profile("ann")).await;
    assert_eq!((status, &for_ann["appOwner"]), (StatusCode::OK, &json!(null)), "ann's own client is found");

    let path = format!("/register?clientId={}", bobs["clientId"].as_str().unwrap());
    assert_eq!(house.delete_registration("ann:right-one", &path).await, StatusCode::NOT_FOUND);
    assert_eq!(house.delete_registration("bob@acme.com:right-one", "/register?clientName=tool").await, StatusCode::OK);
    assert!(house.desk.find_client(&stored.id).await.unwrap().is_none());
}

#[tokio::test]
async fn who_the_client_is_must_be_shown_once_and_rightly() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    let form = "grant_type=client_credentials";
    let id = &client.id;

    let (status, body) = house.post("/oauth2/token", Some(&basic(&format!("{id}:wrong"))), form).await;
    assert_eq!((status, body["error"].as_str()), (StatusCode::UNAUTHORIZED, Some("invalid_client")));
    assert_eq!(body["error_description"], "Client Authentication failed.");
    let (status, body) = house.post("/oauth2/token", Some(&basic("ghost:x")), form).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(body["error_description"], "A valid OAuth client could not be found for client_id: ghost");
    assert_eq!(house.post("/oauth2/token", None, form).await.0, StatusCode::UNAUTHORIZED);

    let in_body = format!("{form}&client_id={id}&client_secret={}", client.secret.expose());
    assert_eq!(house.post("/oauth2/token", None, &in_body).await.0, StatusCode::OK);
    let (status, body) = house.post("/oauth2/token", Some(&house.header(&client)), &in_body).await;
    assert_eq!((status, body["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_request")));
    let json = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": client.secret.expose() });
    assert_eq!(house.post_json("/oauth2/token", &json).await.0, StatusCode::OK);

    let response = house.respond("/oauth2/token", Some(&basic("ghost:x")), form).await;
    assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["pragma"], "no-cache");

    house.desk.update_client(id, ClientChange { active: Some(false), ..ClientChange::default() }).await.unwrap();
    assert_eq!(house.token(&client, form).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_told_so() {
    let house = House::new().await;
    let client = house.register("admin", "client_credentials").await;
    for (form, error) in [
        ("scope=x", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=urn:example:none", "unsupported_grant_type"),
        ("grant_type=password&username=admin&password=right-one", "unauthorized_client"),
        ("grant_type=password&username=admin", "invalid_request"),
        ("grant_type=refresh_token&refresh_token=x", "unauthorized_client"),
        ("grant_type=client_credentials&scope=a%22b", "invalid_scope"),
    ] {
        let (status, body) = house.token(&client, form).await;
        assert_eq!((status, body["error"].as_str()), (StatusCode::BAD_REQUEST, Some(error)), "{form}: {body}");
    }
    let (_, body) = house.token(&client, "grant_type=urn:example:none").await;
    assert_eq!(body["error_description"], "Unsupported grant type : urn:example:none, is used.");
    assert_eq!(house.get("/oauth2/token", None).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_wrong_password_is_an_invalid_grant() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    let (status, body) = house.token(&client, "grant_type=password&username=admin&password=wrong").await;
    assert_eq!((status, body["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_grant")));
    assert_eq!(body["error_description"], "Authentication failed for admin");
    house.user("bob@acme.com", &["Internal/subscriber"]).await;
    assert_eq!(house.token(&client, "grant_type=password&username=bob@acme.com&password=right-one").await.0, StatusCode::OK);
    // A tenant's own client must not collect other tenants' users.
    let theirs = house.register("bob@acme.com", ALL_GRANTS).await;
    let (_, body) = house.token(&theirs, "grant_type=password&username=admin&password=right-one").await;
    assert_eq!(body["error"], "invalid_grant");
}

#[tokio::test]
async fn scopes_follow_roles() {
    let house = House::new().await;
    house.user("ann", &["Internal/creator"]).await;
    house.shared_scopes(&[("orders:read", &["clerk"]), ("orders:list", &["Internal/CREATOR"]), ("orders:open", &[])]).await;
    let client = house.register("admin", ALL_GRANTS).await;
    let ask = "grant_type=password&username=ann&password=right-one&scope=";
    for (asked, granted) in [
        ("apim:api_create+apim:admin", "apim:api_create"),
        ("apim:never_bound", "default"),
        ("orders:read", "default"),
        ("orders:read+orders:list+orders:open+device_7", "device_7 orders:list orders:open"),
        ("", "default"),
    ] {
        let (_, body) = house.token(&client, &format!("{ask}{asked}")).await;
        assert_eq!(body["scope"], granted, "{asked}");
    }
    let (_, body) = house.token(&client, "grant_type=client_credentials&scope=apim:admin+orders:read").await;
    assert_eq!(body["scope"], "apim:admin", "the owner's roles count, and an administrator is no clerk");
    assert!(body.get("refresh_token").is_none());
}

#[tokio::test]
async fn a_refresh_token_works_once_and_retires_its_pair() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    let (_, first) = house.token(&client, "grant_type=password&username=admin&password=right-one&scope=a+b").await;
    let refresh = format!("grant_type=refresh_token&refresh_token={}", first["refresh_token"].as_str().unwrap());

    let stranger = house.register_named("admin", "other", ALL_GRANTS).await;
    assert_eq!(house.token(&stranger, &refresh).await.1["error"], "invalid_grant");
    assert_eq!(house.token(&client, &format!("{refresh}&scope=a+c")).await.1["error"], "invalid_scope");

    let (status, second) = house.token(&client, &format!("{refresh}&scope=b")).await;
    assert_eq!((status, second["scope"].as_str()), (StatusCode::OK, Some("b")), "{second}");
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert!(house.desk.find_opaque(first["access_token"].as_str().unwrap()).await.unwrap().is_none());
    assert!(house.desk.find_opaque(second["access_token"].as_str().unwrap()).await.unwrap().is_some());
    let (status, body) = house.token(&client, &refresh).await;
    assert_eq!((status, body["error_description"].as_str()), (StatusCode::BAD_REQUEST, Some("Provided Authorization Grant is invalid")));

    house.pass_secs(86_400);
    let late = format!("grant_type=refresh_token&refresh_token={}", second["refresh_token"].as_str().unwrap());
    assert_eq!(house.token(&client, &late).await.1["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_refreshes_at_once_one_wins() {
    one_of_many_refreshes_wins(&House::new().await).await;
}

/// One test for all races, as making a database takes longer than they do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_end_the_same_way_on_postgresql() {
    if let Some(house) = House::on_postgres().await {
        one_of_many_refreshes_wins(&house).await;
        nothing_outlives_a_revocation(&house).await;
        nothing_outlives_a_change_of_secret_or_password(&house).await;
        one_client_for_many_registrations(&house).await;
        changes_of_one_client_all_stay(&house).await;
    }
}

async fn one_of_many_refreshes_wins(house: &House) {
    let opaque = house.register("admin", ALL_GRANTS).await;
    let jwt = house.portal_client("admin", Lifetimes::default()).await;
    one_of_many_refreshes_of_a_client_wins(house, &opaque).await;
    one_of_many_refreshes_of_a_client_wins(house, &jwt).await;
}

async fn one_of_many_refreshes_of_a_client_wins(house: &House, client: &OAuthClient) {
    let (_, mut pair) = house.token(client, "grant_type=password&username=admin&password=right-one").await;
    for _ in 0..5 {
        let form = format!("grant_type=refresh_token&refresh_token={}", pair["refresh_token"].as_str().unwrap());
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let (router, header, form) = (house.router.clone(), house.header(client), form.clone());
                tokio::spawn(async move { house::read(house::send(router, "POST", "/oauth2/token", Some(&header), &form).await).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == StatusCode::OK);
        assert_eq!(won.len(), 1, "{lost:?}");
        assert!(lost.iter().all(|(_, body)| body["error"] == "invalid_grant"), "{lost:?}");
        pair = won.into_iter().next().unwrap().1;
        assert!(house.desk.bearer_caller(pair["access_token"].as_str().unwrap()).await.is_ok(), "those who lost take nothing from who won");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_during_a_refresh_leaves_nothing_alive() {
    nothing_outlives_a_revocation(&House::new().await).await;
}

async fn nothing_outlives_a_revocation(house: &House) {
    let client = house.portal_client("admin", Lifetimes::default()).await;
    for _ in 0..10 {
        let (_, pair) = house.token(&client, "grant_type=password&username=admin&password=right-one").await;
        let refresh = pair["refresh_token"].as_str().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for (path, form) in [
            ("/oauth2/token", format!("grant_type=refresh_token&refresh_token={refresh}")),
            ("/oauth2/revoke", format!("token={refresh}")),
            ("/oauth2/token", format!("grant_type=refresh_token&refresh_token={refresh}")),
            ("/oauth2/revoke", format!("token={refresh}")),
        ] {
            let (router, header) = (house.router.clone(), house.header(&client));
            tasks.spawn(async move { house::read(house::send(router, "POST", path, Some(&header), &form).await).await });
        }
        for (status, body) in tasks.join_all().await {
            assert!(status == StatusCode::OK || body["error"] == "invalid_grant", "{body}");
        }
        assert_eq!(active(house, &client).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_issued_during_a_change_ends_with_it() {
    nothing_outlives_a_change_of_secret_or_password(&House::new().await).await;
}

async fn nothing_outlives_a_change_of_secret_or_password(house: &House) {
    let name = format!("ann{}", house.db.changes().borrow().to_owned());
    house.user(&name, &[]).await;
    let ann = house.users.parse_name(&name).await.unwrap();
    let mut password = "right-one".to_owned();
    for round in 0..6 {
        let client = house.portal_client("admin", Lifetimes::default()).await;
        let mut tasks = tokio::task::JoinSet::new();
        let sign_in = format!("grant_type=password&username={name}&password={password}");
        assert_eq!(house.token(&client, &sign_in).await.0, StatusCode::OK);
        for _ in 0..8 {
            let (router, header, sign_in) = (house.router.clone(), house.header(&client), sign_in.clone());
            tasks.spawn(async move { house::send(router, "POST", "/oauth2/token", Some(&header), &sign_in).await.status().as_u16() });
        }
        if round % 2 == 0 {
            house.desk.regenerate_secret(&client.id).await.unwrap();
        } else {
            password = format!("other-one{round}");
            house.users.set_password(&ann, Secret::new(password.clone()), false).await.unwrap();
        }
        for status in tasks.join_all().await {
            assert!([200, 400, 401].contains(&status), "{status}");
        }
        assert_eq!(active(house, &client).await, 0, "round {round}");
    }
}

async fn active(house: &House, client: &OAuthClient) -> usize {
    let mut tx = house.db.read().await.unwrap();
    db::tokens::list_of_client(&mut tx, &client.id, TokenState::Active, 99).await.unwrap().len()
}

#[tokio::test]
async fn a_spent_refresh_token_shown_again_ends_what_came_of_it() {
    let house = House::new().await;
    let jwt = house.portal_client("admin", Lifetimes::default()).await;
    let opaque = house.register("admin", ALL_GRANTS).await;
    for (client, scope, is_shared) in [(&jwt, "a", false), (&opaque, "openid", false), (&opaque, "a", true)] {
        let form = format!("grant_type=password&username=admin&password=right-one&scope={scope}");
        let (_, first) = house.token(client, &form).await;
        let refresh =
            |pair: &serde_json::Value| format!("grant_type=refresh_token&refresh_token={}", pair["refresh_token"].as_str().unwrap());
        let (_, second) = house.token(client, &refresh(&first)).await;
        let (_, third) = house.token(client, &refresh(&second)).await;
        let access = third["access_token"].as_str().unwrap();
        assert_eq!(house.token(client, &refresh(&first)).await.1["error"], "invalid_grant");
        assert!(house.desk.bearer_caller(access).await.is_ok(), "a second try within moments proves nothing");
        house.pass_secs(10);
        let stranger = house.register_named("admin", "other", ALL_GRANTS).await;
        assert_eq!(house.token(&stranger, &refresh(&first)).await.1["error"], "invalid_grant");
        assert!(house.desk.bearer_caller(access).await.is_ok(), "another client's word ends nothing");
        assert_eq!(house.token(client, &refresh(&first)).await.1["error"], "invalid_grant");
        assert_eq!(house.desk.bearer_caller(access).await.is_ok(), is_shared, "{scope}");
        let (status, _) = house.token(client, &refresh(&third)).await;
        assert_eq!(status == StatusCode::OK, is_shared, "{scope}");
    }
}

#[tokio::test]
async fn revoking_a_spent_refresh_token_ends_what_came_of_it() {
    let house = House::new().await;
    let client = house.portal_client("admin", Lifetimes::default()).await;
    let (_, first) = house.token(&client, "grant_type=password&username=admin&password=right-one").await;
    let refresh = format!("grant_type=refresh_token&refresh_token={}", first["refresh_token"].as_str().unwrap());
    let (_, second) = house.token(&client, &refresh).await;
    let revoke = async |half: &str| house.post("/oauth2/revoke", Some(&house.header(&client)), &format!("token={half}")).await.0;
    assert_eq!(revoke(first["access_token"].as_str().unwrap()).await, StatusCode::OK);
    let access = second["access_token"].as_str().unwrap();
    assert!(house.desk.bearer_caller(access).await.is_ok(), "tidying up an old access token ends nothing else");
    assert_eq!(revoke(first["refresh_token"].as_str().unwrap()).await, StatusCode::OK);
    assert!(house.desk.bearer_caller(access).await.is_err());
    assert_eq!(house.revoked_jtis().await.len(), 2);
}

#[tokio::test]
async fn what_ends_a_user_ends_their_tokens_and_gateways_hear_of_it() {
    let house = House::new().await;
    let clients = [house.register("admin", ALL_GRANTS).await, house.portal_client("admin", Lifetimes::default()).await];
    for what in ["password", "own password", "lock", "deletion"] {
        let name = format!("ann-{}", what.replace(' ', "-"));
        house.user(&name, &[]).await;
        let ann = house.users.parse_name(&name).await.unwrap();
        let mut pairs = Vec::new();
        for client in &clients {
            let (status, pair) = house.token(client, &format!("grant_type=password&username={name}&password=right-one")).await;
            assert_eq!(status, StatusCode::OK, "{pair}");
            pairs.push(pair);
        }
        let before = (house.revoked_jtis().await.len(), *house.db.changes().borrow());
        let (old, new) = (Secret::new("right-one".to_owned()), Secret::new("other-one".to_owned()));
        match what {
            "password" => house.users.set_password(&ann, new, false).await.unwrap(),
            "own password" => house.users.change_password(&ann, &old, new).await.unwrap(),
            "lock" => house.users.set_locked(&ann, true).await.unwrap(),
            _ => {
                let id = house.users.find(&ann).await.unwrap().unwrap().user.id;
                let mut tx = house.db.write().await.unwrap();
                db::users::delete(&mut tx, id, Timestamp(START)).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
        let told = db::outbox::after(&mut house.db.read().await.unwrap(), before.1, 99).await.unwrap();
        assert_eq!(told.iter().filter(|(_, change)| change.thing == db::outbox::Thing::RevokedToken).count(), 2, "{what}");
        assert_eq!(house.revoked_jtis().await.len(), before.0 + 1, "{what}");
        for (client, pair) in clients.iter().zip(&pairs) {
            assert!(house.desk.find_token(pair["access_token"].as_str().unwrap()).await.unwrap().is_none(), "{what}");
            let refresh = format!("grant_type=refresh_token&refresh_token={}", pair["refresh_token"].as_str().unwrap());
            assert_eq!(house.token(client, &refresh).await.1["error"], "invalid_grant", "{what}");
        }
    }
}

#[tokio::test]
async fn a_tenants_roles_close_its_scopes_to_all_others() {
    let house = House::new().await;
    house.user("bob@acme.com", &["Internal/subscriber"]).await;
    let far = model::Tenant { id: TenantId(2), domain: "far.com".to_owned(), email: None, active: true, created_at: Timestamp(START) };
    let scope = |name: &str, roles: &[&str]| model::ApiScope {
        name: name.to_owned(),
        display_name: name.to_owned(),
        description: None,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        shared: true,
    };
    let mut tx = house.db.write().await.unwrap();
    db::bootstrap::tenant(&mut tx, &far).await.unwrap();
    db::roles::insert(&mut tx, far.id, "clerk").await.unwrap();
    for (n, scope) in [scope("far:read", &["clerk"]), scope("far:open", &[]), scope("openid", &["clerk"])].iter().enumerate() {
        db::scopes::insert_shared(&mut tx, far.id, &n.to_string(), scope).await.unwrap();
    }
    tx.commit().await.unwrap();
    house.user("eve@far.com", &["clerk"]).await;
    let client = house.register("admin", ALL_GRANTS).await;
    for (user, granted) in [("bob@acme.com", "far:open openid"), ("eve@far.com", "far:open far:read openid"), ("admin", "far:open openid")]
    {
        let form = format!("grant_type=password&username={user}&password=right-one&scope=far:read+far:open+openid");
        assert_eq!(house.token(&client, &form).await.1["scope"], granted, "{user}");
    }
    let (_, own) = house.token(&client, "grant_type=client_credentials&scope=far:read+far:open").await;
    assert_eq!(own["scope"], "far:open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_registrations_at_once_all_get_one_client() {
    one_client_for_many_registrations(&House::new().await).await;
}

async fn one_client_for_many_registrations(house: &House) {
    let name = token::random::uuid_text();
    let profile = json!({ "clientName": name, "owner": "admin", "grantType": "password" });
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let (router, profile) = (house.registration.clone(), profile.clone());
            tokio::spawn(async move { house::read(house::send_registration(router, "admin:right-one", &profile).await).await })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        let (status, body) = task.await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        ids.push(body["clientId"].as_str().unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn refreshing_judges_the_user_anew() {
    let house = House::new().await;
    house.user("ann", &["Internal/creator", "Internal/subscriber"]).await;
    let ann = house.users.parse_name("ann").await.unwrap();
    let client = house.register("admin", ALL_GRANTS).await;
    let (_, first) = house.token(&client, "grant_type=password&username=ann&password=right-one&scope=apim:api_create+apim:subscribe").await;
    assert_eq!(first["scope"], "apim:api_create apim:subscribe");
    house.users.set_roles(&ann, vec!["Internal/subscriber".to_owned()]).await.unwrap();
    let (_, second) =
        house.token(&client, &format!("grant_type=refresh_token&refresh_token={}", first["refresh_token"].as_str().unwrap())).await;
    assert_eq!(second["scope"], "apim:subscribe");
    house.users.set_locked(&ann, true).await.unwrap();
    assert!(house.desk.find_opaque(second["access_token"].as_str().unwrap()).await.unwrap().is_none());
    let (_, third) =
        house.token(&client, &format!("grant_type=refresh_token&refresh_token={}", second["refresh_token"].as_str().unwrap())).await;
    assert_eq!(third["error"], "invalid_grant");
}

#[tokio::test]
async fn an_applications_jwt_has_4_0_0s_claims_and_ends_with_revocation() {
    let house = House::new().await;
    let client = house.portal_client("admin", Lifetimes::default()).await;
    let (status, body) = house.token(&client, "grant_type=password&username=admin&password=right-one&scope=x").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let access = body["access_token"].as_str().unwrap();
    let (header, claims) = house::jwt_parts(access);
    assert_eq!(header.as_object().unwrap().keys().collect::<Vec<_>>(), ["x5t", "kid", "alg"]);
    assert_eq!(header["kid"], format!("{}_RS256", header["x5t"].as_str().unwrap()));
    assert_eq!(claims["iss"], "https://localhost:9443/oauth2/token");
    assert_eq!((&claims["sub"], &claims["aut"]), (&json!("admin"), &json!("APPLICATION_USER")));
    assert_eq!((&claims["azp"], &claims["aud"]), (&json!(client.id), &json!(client.id)));
    assert_eq!((claims["exp"].as_i64(), claims["iat"].as_i64()), (Some(START / 1000 + 3600), Some(START / 1000)));
    assert_eq!((claims["nbf"].as_i64(), &claims["scope"]), (Some(START / 1000), &json!("x")));
    let jti = claims["jti"].as_str().unwrap();

    let (keys, faults) = token::KeySet::from_jwks(&house.get("/oauth2/jwks", None).await.1).unwrap();
    assert!(faults.is_empty());
    let jwt = token::Jwt::parse(access).unwrap();
    assert!(jwt.verify(&keys, Timestamp(START), std::time::Duration::ZERO).is_ok(), "the published key verifies it");

    assert!(house.desk.bearer_caller(access).await.is_ok());
    let (_, renewed) = house.token(&client, "grant_type=password&username=admin&password=right-one&scope=x").await;
    assert_ne!(renewed["access_token"], body["access_token"], "a JWT is new each time");

    let (_, refreshed) =
        house.token(&client, &format!("grant_type=refresh_token&refresh_token={}", body["refresh_token"].as_str().unwrap())).await;
    assert!(refreshed["access_token"].is_string(), "{refreshed}");
    assert_eq!(house.revoked_jtis().await, [jti]);
    assert!(house.desk.bearer_caller(access).await.is_err());
    let forged = format!("{}x", access);
    assert!(house.desk.bearer_caller(&forged).await.is_err());
}

#[tokio::test]
async fn revoking_takes_the_pair() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    let sign_in = "grant_type=password&username=admin&password=right-one";
    for half in ["access_token", "refresh_token"] {
        let (_, pair) = house.token(&client, sign_in).await;
        let form = format!("token={}", pair[half].as_str().unwrap());
        let stranger = house.register_named("admin", "other", ALL_GRANTS).await;
        assert_eq!(house.post("/oauth2/revoke", Some(&house.header(&stranger)), &form).await.1["error"], "unauthorized_client");
        let response = house.respond("/oauth2/revoke", Some(&house.header(&client)), &form).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/html");
        assert!(house.desk.find_opaque(pair["access_token"].as_str().unwrap()).await.unwrap().is_none());
        let refresh = format!("grant_type=refresh_token&refresh_token={}", pair["refresh_token"].as_str().unwrap());
        assert_eq!(house.token(&client, &refresh).await.1["error"], "invalid_grant");
    }
    let header = house.header(&client);
    assert_eq!(house.post("/oauth2/revoke", Some(&header), "token=unknown").await.0, StatusCode::OK);
    assert_eq!(house.post("/oauth2/revoke", Some(&header), "").await.1["error"], "invalid_request");
    assert_eq!(house.post("/oauth2/revoke", Some(&basic("ghost:x")), "token=x").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        house.respond("/oauth2/revoke", Some(&header), "token=x&callback=done").await.headers()["content-type"],
        "application/javascript"
    );
    assert_eq!(house.post("/oauth2/revoke", Some(&header), "token=x&callback=a()").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn introspection_is_for_administrators() {
    let house = House::new().await;
    house.user("ann", &["Internal/creator"]).await;
    house.user("boss@acme.com", &["admin"]).await;
    let opaque = house.register("admin", ALL_GRANTS).await;
    let jwt = house.portal_client("admin", Lifetimes::default()).await;
    let sign_in = "grant_type=password&username=ann&password=right-one&scope=x";
    let admin = basic("admin:right-one");
    for (client, kind) in [(&opaque, "Bearer"), (&jwt, "JWT")] {
        let (_, pair) = house.token(client, sign_in).await;
        let form = format!("token={}", pair["access_token"].as_str().unwrap());
        let (status, told) = house.post("/oauth2/introspect", Some(&admin), &form).await;
        assert_eq!((status, &told["active"], &told["token_type"]), (StatusCode::OK, &json!(true), &json!(kind)));
        assert_eq!((&told["username"], &told["client_id"]), (&json!("ann@carbon.super"), &json!(client.id)));
        assert_eq!((&told["scope"], &told["aut"]), (&json!("x"), &json!("APPLICATION_USER")));
        assert_eq!((told["iat"].as_i64(), told["exp"].as_i64()), (Some(START / 1000), Some(START / 1000 + 3600)));
        assert_eq!(told.get("jti").is_some(), kind == "JWT");
        assert_eq!(house.post("/oauth2/introspect", Some(&basic("boss@acme.com:right-one")), &form).await.1, json!({ "active": false }));
        for stranger in [basic("ann:right-one"), basic("admin:wrong-one"), house.header(client)] {
            assert_eq!(house.post("/oauth2/introspect", Some(&stranger), &form).await.0, StatusCode::UNAUTHORIZED);
        }
        house.post("/oauth2/revoke", Some(&house.header(client)), &form).await;
        assert_eq!(house.post("/oauth2/introspect", Some(&admin), &form).await.1, json!({ "active": false }), "{kind}");
    }
    assert_eq!(
        house.post("/oauth2/introspect", Some(&admin), "token=+").await,
        (StatusCode::BAD_REQUEST, json!({ "error": "Invalid input" }))
    );
    assert_eq!(house.post("/oauth2/introspect", None, "token=x").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn carried_over_tokens_work_as_new_ones_do() {
    let house = House::new().await;
    let client = OAuthClient {
        id: "OldKey_with-signs".to_owned(),
        secret: Secret::new("OldSecret".to_owned()),
        name: "admin_App_PRODUCTION".to_owned(),
        owner: "admin".to_owned(),
        tenant: TenantId::SUPER,
        grants: ["refresh_token", "client_credentials", "password", "iwa:ntlm"].map(str::to_owned).to_vec(),
        callback_url: None,
        token_format: TokenFormat::Opaque,
        origin: ClientOrigin::Carried,
        lifetimes: Lifetimes { application_secs: Some(-1), user_secs: Some(0), ..Lifetimes::default() },
        active: true,
        created_at: Timestamp(1),
    };
    let old = |access: &str, refresh: &str, holder: TokenHolder| IssuedToken {
        id: TokenId::random(),
        client: client.id.clone(),
        tenant: TenantId::SUPER,
        holder,
        scopes: vec!["am_application_scope".to_owned(), "default".to_owned()],
        grant: None,
        access: TokenText::Opaque(Secret::new(access.to_owned())),
        issued_at: Timestamp(1000),
        expires_at: None,
        refresh: Some(Secret::new(refresh.to_owned())),
        refresh_expires_at: None,
        state: TokenState::Active,
    };
    let application = old("oldApplicationToken=", "oldApplicationRefresh", TokenHolder::Application { owner: "admin".to_owned() });
    let user = old("oldUserToken", "oldUserRefresh", TokenHolder::User { user: "admin@carbon.super".to_owned() });
    let mut tx = house.db.write().await.unwrap();
    db::clients::insert(&mut tx, &client).await.unwrap();
    db::tokens::insert_many(&mut tx, &[application, user]).await.unwrap();
    tx.commit().await.unwrap();

    let found = house.desk.find_opaque("oldApplicationToken=").await.unwrap().unwrap();
    assert_eq!((found.expires_at, found.holder.aut()), (None, "APPLICATION"));
    let (_, told) = house.post("/oauth2/introspect", Some(&basic("admin:right-one")), "token=oldUserToken").await;
    assert_eq!((&told["active"], &told["username"], told.get("exp")), (&json!(true), &json!("admin@carbon.super"), None));

    let (status, body) = house.token(&client, "grant_type=refresh_token&refresh_token=oldApplicationRefresh").await;
    assert_eq!((status, &body["scope"]), (StatusCode::OK, &json!("am_application_scope default")), "{body}");
    assert_eq!(body["expires_in"].as_i64(), Some(i64::MAX / 1000), "the client's tokens never expire");
    assert!(house.desk.find_opaque("oldApplicationToken=").await.unwrap().is_none());
    let (status, body) = house.token(&client, "grant_type=refresh_token&refresh_token=oldUserRefresh").await;
    assert_eq!((status, body["expires_in"].as_i64()), (StatusCode::OK, Some(3600)), "{body}");
    house.post("/oauth2/revoke", Some(&house.header(&client)), &format!("token={}", body["access_token"].as_str().unwrap())).await;
    assert!(house.desk.find_opaque(body["access_token"].as_str().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_portal_makes_keys_and_changes_them() {
    let house = House::new().await;
    let client = house.portal_client("admin", Lifetimes { application_secs: Some(60), ..Lifetimes::default() }).await;
    let made = house.desk.application_token(&client.id, None, Vec::new()).await.unwrap();
    assert_eq!((made.validity_secs, made.scopes.join(" ").as_str()), (60, "am_application_scope default"));
    assert_eq!(house::jwt_parts(made.access_token.expose()).1["aut"], "APPLICATION");
    let for_ever = house.desk.application_token(&client.id, Some(-1), vec!["x".to_owned()]).await.unwrap();
    assert_eq!(for_ever.scopes, ["x"]);
    assert!(house::jwt_parts(for_ever.access_token.expose()).1.get("exp").is_none());

    let secret = house.desk.regenerate_secret(&client.id).await.unwrap();
    assert_eq!(house.revoked_jtis().await.len(), 2, "tokens got with the old secret end with it");
    assert_eq!(house.token(&client, "grant_type=client_credentials").await.0, StatusCode::UNAUTHORIZED);
    let client = OAuthClient { secret, ..client };
    assert_eq!(house.token(&client, "grant_type=client_credentials").await.1["scope"], "default");
    let change = ClientChange { grants: Some(vec!["password".to_owned()]), ..ClientChange::default() };
    assert_eq!(house.desk.update_client(&client.id, change).await.unwrap().grants, ["password"]);
    assert_eq!(house.token(&client, "grant_type=client_credentials").await.1["error"], "unauthorized_client");
    assert!(house.desk.application_token(&client.id, None, Vec::new()).await.is_err());
    assert!(house.desk.delete_client(&client.id).await.unwrap() && !house.desk.delete_client(&client.id).await.unwrap());
    assert!(house.desk.regenerate_secret(&client.id).await.is_err());
}

#[tokio::test]
async fn each_tenant_has_one_key_and_its_own_documents() {
    let house = House::new().await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let signers = house.desk.signers().clone();
            tokio::spawn(async move { signers.ensure(TenantId::SUPER).await.unwrap().kid().to_owned() })
        })
        .collect();
    let mut kids = Vec::new();
    for task in tasks {
        kids.push(task.await.unwrap());
    }
    kids.dedup();
    assert_eq!(kids.len(), 1, "a burst of first requests makes one key");
    let (_, ours) = house.get("/oauth2/jwks", None).await;
    let (_, theirs) = house.get("/t/ACME.com/oauth2/jwks", None).await;
    assert_eq!(ours["keys"][0]["kid"], kids[0]);
    assert_ne!(ours["keys"][0]["kid"], theirs["keys"][0]["kid"]);
    assert_eq!(house.get("/t/ghost.com/oauth2/jwks", None).await.0, StatusCode::NOT_FOUND);
    let (_, document) = house.get("/oauth2/token/.well-known/openid-configuration", None).await;
    assert_eq!(
        (&document["issuer"], &document["jwks_uri"]),
        (&json!("https://localhost:9443/oauth2/token"), &json!("https://localhost:9443/oauth2/jwks"))
    );
    let (_, document) = house.get("/t/acme.com/oauth2/token/.well-known/openid-configuration", None).await;
    assert_eq!(document["token_endpoint"], "https://localhost:9443/t/acme.com/oauth2/token");
}

#[tokio::test]
async fn openid_gives_an_id_token_and_userinfo() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    let (_, body) = house.token(&client, "grant_type=password&username=admin&password=right-one&scope=openid").await;
    let (_, claims) = house::jwt_parts(body["id_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("admin"), &json!([client.id])));
    let bearer = |text: &str| format!("Bearer {text}");
    let access = bearer(body["access_token"].as_str().unwrap());
    assert_eq!(house.get("/oauth2/userinfo", Some(&access)).await.1, json!({ "sub": "admin" }));
    assert_eq!(house.get("/oauth2/userinfo", Some(&bearer("ghost"))).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.get("/oauth2/userinfo", None).await.0, StatusCode::BAD_REQUEST);
    let (_, plain) = house.token(&client, "grant_type=password&username=admin&password=right-one").await;
    let plain = bearer(plain["access_token"].as_str().unwrap());
    assert_eq!(house.get("/oauth2/userinfo", Some(&plain)).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_basic_caller_has_the_scopes_of_their_roles() {
    let house = House::new().await;
    house.user("ann", &["Internal/subscriber"]).await;
    let caller = house.desk.basic_caller("ann", "right-one", None).await.unwrap();
    assert!(caller.has_scope("apim:subscribe") && !caller.has_scope("apim:api_create") && !caller.has_scope("apim:admin"));
    assert_eq!(house.desk.basic_caller("ann", "wrong-one", None).await, Err(rest::Denied::Unknown));
    assert!(house.desk.basic_caller("admin", "right-one", None).await.unwrap().has_scope("apim:admin"));
}

#[tokio::test]
async fn wrong_passwords_from_elsewhere_keep_nobody_out() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    house.pass_secs(60);
    let here = "192.0.2.1".parse().unwrap();
    let elsewhere = "198.51.100.7".parse().unwrap();
    let sign_in = "grant_type=password&username=admin&password=";
    for _ in 0..6 {
        let (_, body) = house.token_from(elsewhere, &client, &format!("{sign_in}guess")).await;
        assert_eq!(body["error"], "invalid_grant");
    }
    assert_eq!(house.token_from(elsewhere, &client, &format!("{sign_in}right-one")).await.1["error"], "invalid_grant", "not tried");
    assert_eq!(house.registration_from(elsewhere, "admin:right-one").await, StatusCode::UNAUTHORIZED, "not tried");
    assert_eq!(house.registration_from(here, "admin:right-one").await, StatusCode::OK);
    house.pass_secs(60);
    assert_eq!(house.token_from(here, &client, &format!("{sign_in}right-one")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_inactive_key_still_verifies_and_no_longer_signs() {
    let house = House::new().await;
    let client = house.portal_client("admin", Lifetimes::default()).await;
    let old = house.desk.application_token(&client.id, None, Vec::new()).await.unwrap();
    let old_kid = house.desk.signers().ensure(TenantId::SUPER).await.unwrap().kid().to_owned();
    let mut tx = house.db.write().await.unwrap();
    db::signing_keys::set_active(&mut tx, TenantId::SUPER, &old_kid, false).await.unwrap();
    tx.commit().await.unwrap();
    house.desk.signers().reload().await.unwrap();

    let new = house.desk.application_token(&client.id, None, Vec::new()).await.unwrap();
    assert_ne!(house::jwt_parts(new.access_token.expose()).0["kid"], json!(old_kid));
    assert!(house.desk.find_token(old.access_token.expose()).await.unwrap().is_some());
    let (_, published) = house.get("/oauth2/jwks", None).await;
    assert_eq!(published["keys"].as_array().unwrap().len(), 2);
    assert_ne!(published["keys"][0]["kid"], json!(old_kid));
}

#[tokio::test]
async fn a_key_that_does_not_read_costs_its_own_tenant_alone() {
    let house = House::new().await;
    let client = house.portal_client("admin", Lifetimes::default()).await;
    let mut tx = house.db.write().await.unwrap();
    let acme = TenantId(77);
    let tenant = model::Tenant { id: acme, domain: "other.example".to_owned(), ..model::Tenant::super_tenant(Timestamp(START)) };
    db::tenants::insert(&mut tx, &tenant).await.unwrap();
    let broken = db::signing_keys::StoredKey {
        tenant: acme,
        kid: "broken".to_owned(),
        pkcs8: Secret::new(vec![0x30, 0]),
        certificate_der: vec![1],
        created_at: Timestamp(START),
        active: true,
    };
    db::signing_keys::insert(&mut tx, &broken).await.unwrap();
    tx.commit().await.unwrap();
    let signers = house.desk.signers();
    signers.reload().await.unwrap();
    assert_eq!(signers.unreadable(), 1);
    house.desk.application_token(&client.id, None, Vec::new()).await.unwrap();
    let fault = signers.ensure(acme).await.unwrap_err();
    assert_eq!(fault.to_string(), "the stored signing key of tenant 77 cannot be read");
    // Mended, it signs, and nothing has been made in its place meanwhile.
    let mut tx = house.db.write().await.unwrap();
    assert_eq!(db::signing_keys::list(&mut tx, acme).await.unwrap().len(), 1);
    assert!(db::signing_keys::delete(&mut tx, acme, "broken").await.unwrap());
    tx.commit().await.unwrap();
    signers.reload().await.unwrap();
    assert_eq!(signers.unreadable(), 0);
    signers.ensure(acme).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_checked_is_an_error_and_never_leave() {
    let house = House::new().await;
    let client = house.register("admin", ALL_GRANTS).await;
    let (_, pair) = house.token(&client, "grant_type=password&username=admin&password=right-one").await;
    let access = pair["access_token"].as_str().unwrap();
    let bearer = house.desk.bearer_caller(access).await;
    assert!(bearer.is_ok());
    house.db.close().await;
    assert_eq!(house.desk.bearer_caller(access).await, Err(rest::Denied::Unavailable));
    assert_eq!(house.desk.basic_caller("admin", "right-one", None).await, Err(rest::Denied::Unavailable));
    assert!(house.desk.find_opaque(access).await.is_err());
    let response = house.respond("/oauth2/token", Some(&house.header(&client)), "grant_type=client_credentials").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.headers().contains_key("www-authenticate"));
    let (_, body) = house.token(&client, "grant_type=client_credentials").await;
    assert_eq!(body, json!({ "error_description": "Internal Server Error.", "error": "server_error" }));
}

/// A client's row is written as a whole, so two changes at once could undo each other.
async fn changes_of_one_client_all_stay(house: &House) {
    let client = house.portal_client("admin", Lifetimes::default()).await;
    for n in 0..20 {
        let owner = format!("owner{n}");
        let change = ClientChange { owner: Some(owner.clone()), ..ClientChange::default() };
        let (secret, changed) = tokio::join!(house.desk.regenerate_secret(&client.id), house.desk.update_client(&client.id, change));
        changed.unwrap();
        let now = house.desk.find_client(&client.id).await.unwrap().unwrap();
        assert_eq!((now.owner, now.secret.expose()), (owner, secret.unwrap().expose()));
    }
}

#[tokio::test]
async fn changes_of_a_client_do_not_undo_each_other() {
    changes_of_one_client_all_stay(&House::new().await).await;
}

#[tokio::test]
async fn a_token_acts_for_nobody_whom_its_client_may_not_serve() {
    let house = House::new().await;
    house.user("boss@acme.com", &["admin"]).await;
    let theirs = house.register("boss@acme.com", ALL_GRANTS).await;
    let ours = house.register("admin", ALL_GRANTS).await;
    let (_, pair) = house.token(&ours, "grant_type=password&username=boss@acme.com&password=right-one").await;
    let caller = house.desk.bearer_caller(pair["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!((caller.tenant, caller.name().as_str()), (TenantId(1), "boss@acme.com"), "the super tenant's clients serve all tenants");

    let forged = |client: &OAuthClient, access: &str, holder: TokenHolder| IssuedToken {
        id: TokenId::random(),
        client: client.id.clone(),
        tenant: client.tenant,
        holder,
        scopes: vec!["openid".to_owned()],
        grant: None,
        access: TokenText::Opaque(Secret::new(access.to_owned())),
        issued_at: Timestamp(START),
        expires_at: None,
        refresh: Some(Secret::new(format!("{access}-refresh"))),
        refresh_expires_at: None,
        state: TokenState::Active,
    };
    let user = |user: &str| TokenHolder::User { user: user.to_owned() };
    let rows = [
        forged(&theirs, "across", user("admin")),
        forged(&theirs, "within", user("boss@acme.com")),
        forged(&ours, "owned-elsewhere", TokenHolder::Application { owner: "boss@acme.com".to_owned() }),
    ];
    let mut tx = house.db.write().await.unwrap();
    db::tokens::insert_many(&mut tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(house.desk.bearer_caller("across").await, Err(rest::Denied::Unknown));
    assert_eq!(house.get("/oauth2/userinfo", Some("Bearer across")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.token(&theirs, "grant_type=refresh_token&refresh_token=across-refresh").await.1["error"], "invalid_grant");
    assert_eq!(house.desk.bearer_caller("within").await.unwrap().tenant, TenantId(1));
    assert_eq!(house.desk.bearer_caller("owned-elsewhere").await, Err(rest::Denied::Unknown), "an owner is of the client's tenant");
}

#[tokio::test]
async fn an_address_for_a_name_is_never_taken_for_a_tenants_user() {
    let house = House::new().await;
    house.user("bob@acme.com", &["admin"]).await;
    house.user("bob@acme.com@carbon.super", &["Internal/subscriber"]).await;
    let client = house.portal_client("bob@acme.com", Lifetimes::default()).await;
    for form in [
        "grant_type=client_credentials&scope=apim:admin",
        "grant_type=password&username=bob@acme.com@carbon.super&password=right-one&scope=apim:admin",
    ] {
        let (status, pair) = house.token(&client, form).await;
        assert_eq!((status, &pair["scope"]), (StatusCode::OK, &json!("default")), "{form}: {pair}");
        let access = pair["access_token"].as_str().unwrap();
        assert_eq!(house::jwt_parts(access).1["sub"], "bob@acme.com@carbon.super");
        let caller = house.desk.bearer_caller(access).await.unwrap();
        assert_eq!((caller.tenant, caller.user.name.as_str()), (TenantId::SUPER, "bob@acme.com"));
        assert!(!caller.has_role("admin"));
    }
}

#[tokio::test]
async fn a_tenant_that_was_switched_off_gets_nothing() {
    let house = House::new().await;
    house.user("bob@acme.com", &["Internal/subscriber"]).await;
    let theirs = house.register("bob@acme.com", ALL_GRANTS).await;
    let ours = house.register("admin", ALL_GRANTS).await;
    let sign_in = "grant_type=password&username=bob@acme.com&password=right-one";
    let (_, pair) = house.token(&ours, sign_in).await;
    let (_, own) = house.token(&theirs, "grant_type=client_credentials").await;
    let mut tx = house.db.write().await.unwrap();
    let acme = db::tenants::find(&mut tx, TenantId(1)).await.unwrap().unwrap();
    db::tenants::update(&mut tx, &model::Tenant { active: false, ..acme }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(house.token(&theirs, "grant_type=client_credentials").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.token(&ours, sign_in).await.1["error"], "invalid_grant");
    assert!(house.desk.find_opaque(pair["access_token"].as_str().unwrap()).await.unwrap().is_none());
    assert!(house.desk.find_opaque(own["access_token"].as_str().unwrap()).await.unwrap().is_none());
    assert_eq!(house.get("/t/acme.com/oauth2/jwks", None).await.0, StatusCode::NOT_FOUND);
}
