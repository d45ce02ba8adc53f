//! The switches that keep an old version's ways, turned over REST and felt on the ports of API traffic.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};
use testkit::{Backend, Caller, House, Rest, api};

#[tokio::test]
async fn a_turned_switch_is_felt_by_the_next_call_and_an_api_may_differ() {
    let house = House::fresh().await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    rest.publish(&api("Pizza", &backend.url())).await;
    let pasta = rest.publish(&api("Pasta", &backend.url())).await;
    let caller = Caller::new(&house);
    let refused = async |path: &str| {
        let answer = caller.get(path, "wrong").await;
        assert_eq!(answer.status.as_u16(), 401, "{path}");
        answer.header("content-type").unwrap_or_default().to_owned()
    };
    assert!(refused("/pizza/1.0.0/x").await.starts_with("application/json"));
    rest.send(Method::PUT, "admin/v2/continuity", &json!({"errorFormat": "xml-1.9"})).await;
    assert!(refused("/pizza/1.0.0/x").await.starts_with("application/xml"));
    let own = format!("admin/v2/continuity/apis/{pasta}");
    rest.send(Method::PUT, &own, &json!({"errorFormat": "json-4.0"})).await;
    assert!(refused("/pasta/1.0.0/x").await.starts_with("application/json"));
    assert!(refused("/pizza/1.0.0/x").await.starts_with("application/xml"));
    rest.send(Method::DELETE, &own, &Value::Null).await;
    assert!(refused("/pasta/1.0.0/x").await.starts_with("application/xml"));
    rest.send(Method::DELETE, "admin/v2/continuity", &Value::Null).await;
    assert!(refused("/pizza/1.0.0/x").await.starts_with("application/json"));
}

/// What the backend was told of the caller: the claims in the token that came with the call.
fn told(asked: &Value) -> Value {
    let token = asked["headers"]["x-jwt-assertion"].as_str().unwrap_or_else(|| panic!("{asked}"));
    let body = token.split('.').nth(1).unwrap().trim_end_matches('=').to_owned();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

#[tokio::test]
async fn backends_are_told_the_users_claims_where_the_switch_says_so() {
    let house = House::fresh().await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    let attributes = json!({"mail": "ann@example.org", "givenName": "Ann"});
    let ann = json!({"userName": "ann", "password": "s3cret-words", "roles": ["Internal/subscriber"], "attributes": attributes});
    rest.post("admin/v2/users", &ann).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    let granted = rest.caller.password_grant(&keys.client, "ann", "s3cret-words", "default").await;
    let token = granted["access_token"].as_str().unwrap();
    let caller = Caller::new(&house);
    let mail = "http://wso2.org/claims/emailaddress";

    rest.put("admin/v2/continuity", &json!({"backendJwt": {}})).await;
    let claims = told(&caller.get("/pizza/1.0.0/x", token).await.expect(200));
    assert_eq!(claims["http://wso2.org/claims/enduser"], "ann@carbon.super");
    assert_eq!(claims[mail], Value::Null, "{claims}");

    for form in ["4.0", "1.9", "2.6"] {
        rest.put("admin/v2/continuity", &json!({"backendJwt": {"form": form, "encoding": "base64url", "userClaims": true}})).await;
        for _ in 0..2 {
            let claims = told(&caller.get("/pizza/1.0.0/x", token).await.expect(200));
            assert_eq!((&claims[mail], &claims["http://wso2.org/claims/givenname"]), (&json!("ann@example.org"), &json!("Ann")), "{form}");
            assert_eq!(claims["http://wso2.org/claims/role"], "Internal/everyone,Internal/subscriber", "{form}");
        }
    }
    // An application's own token tells of its owner.
    let claims = told(&caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200));
    assert!(claims["http://wso2.org/claims/role"].as_str().is_some_and(|roles| roles.contains("admin")), "{claims}");
    assert_eq!(claims[mail], Value::Null);
}
