//! Every operation times {nobody, somebody without the scope, a bad token, a developer}.

use std::sync::Arc;

use portal::Config;
use rest::Access;
use serde_json::json;

use crate::setting::{Names, PASSWORD, Setting};

#[tokio::test]
async fn nobody_gets_in_without_the_scope() {
    let setting = Setting::new().await;
    let operations = portal::operations(Arc::new(Names));
    assert!(operations.len() > 35);
    for operation in operations {
        let path = operation.path.replace(['{', '}'], "");
        let method = operation.method.as_str();
        let status = async |token: &str| setting.ask(token, method, &path, Some(json!({}))).await.status;
        assert_eq!(status("stranger").await, 401, "{method} {path}");
        match operation.access {
            Access::Anybody => assert_ne!(status("").await, 401, "{method} {path}"),
            Access::Scopes(_) => {
                assert_eq!(status("").await, 401, "{method} {path}");
                assert_eq!(status("viewer").await, 401, "{method} {path}");
                let moves = path.ends_with("/export") || path.ends_with("/import");
                assert_ne!(status(if moves { "mover" } else { "dev" }).await, 401, "{method} {path}");
            }
            other => panic!("{method} {path}: {other:?} has no place here"),
        }
    }
}

#[tokio::test]
async fn what_is_somebody_elses_stays_theirs() {
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |_| {}).await;
    let id = setting.application("dev", "Shop").await;
    let keys = json!({"keyType": "PRODUCTION", "grantTypesToBeSupported": ["client_credentials"]});
    let mapping = setting.post("dev", &format!("/applications/{id}/generate-keys"), keys.clone()).await.body["keyMappingId"].clone();
    let sent = json!({"applicationId": id, "apiId": api.id.to_string(), "throttlingPolicy": "Gold"});
    let subscription = setting.post("dev", "/subscriptions", sent.clone()).await.body["subscriptionId"].clone();
    let (mapping, subscription) = (mapping.as_str().unwrap(), subscription.as_str().unwrap());
    let body = json!({"name": "Mine", "throttlingPolicy": "Unlimited"});
    for (method, path, body) in [
        ("GET", format!("/applications/{id}"), None),
        ("PUT", format!("/applications/{id}"), Some(body)),
        ("DELETE", format!("/applications/{id}"), None),
        ("POST", format!("/applications/{id}/generate-keys"), Some(keys)),
        ("GET", format!("/applications/{id}/oauth-keys"), None),
        ("GET", format!("/applications/{id}/oauth-keys/{mapping}"), None),
        ("PUT", format!("/applications/{id}/oauth-keys/{mapping}"), Some(json!({"supportedGrantTypes": ["password"]}))),
        ("POST", format!("/applications/{id}/oauth-keys/{mapping}/regenerate-secret"), None),
        ("POST", format!("/applications/{id}/oauth-keys/{mapping}/clean-up"), None),
        ("POST", format!("/applications/{id}/oauth-keys/{mapping}/generate-token"), Some(json!({}))),
        ("GET", format!("/applications/{id}/keys/PRODUCTION"), None),
        ("GET", format!("/subscriptions?applicationId={id}"), None),
        ("POST", "/subscriptions".to_owned(), Some(sent)),
        ("GET", format!("/subscriptions/{subscription}"), None),
        ("DELETE", format!("/subscriptions/{subscription}"), None),
    ] {
        for token in ["other", "acme"] {
            let status = setting.ask(token, method, &path, body.clone()).await.status;
            assert!(matches!(status, 403 | 404), "{token} {method} {path}: {status}");
        }
    }
    assert_eq!(setting.get("dev", &format!("/applications/{id}/oauth-keys")).await.body["count"], 1);
    assert_eq!(setting.get("dev", &format!("/subscriptions?applicationId={id}")).await.body["count"], 1);
    // A mapping's id below another application of one's own opens nothing either.
    let own = setting.application("other", "Own").await;
    assert_eq!(setting.get("other", &format!("/applications/{own}/oauth-keys/{mapping}")).await.status, 404);
}

#[tokio::test]
async fn browsing_can_be_closed_to_strangers() {
    let setting = Setting::with(Config { anonymous: false, ..Config::default() }).await;
    assert_eq!(setting.get("", "/apis").await.status, 401);
    assert_eq!(setting.get("viewer", "/apis").await.status, 200);
    let settings = setting.get("", "/settings").await;
    assert_eq!((settings.status, &settings.body["IsAnonymousModeEnabled"]), (200, &json!(false)));
    assert_eq!(setting.get("", "/tenants").await.body["count"], 2);
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let setting = Setting::new().await;
    let change = async |current: &str, new: &str| {
        let answer = setting.post("dev", "/me/change-password", json!({"currentPassword": current, "newPassword": new})).await;
        (answer.status, answer.body["code"].as_u64())
    };
    assert_eq!(change("wrong-words", "other-words").await, (400, Some(901_451)));
    assert_eq!(change(PASSWORD, "x").await, (400, Some(901_452)));
    assert_eq!(change(PASSWORD, "other-words").await, (200, None));
    let dev = model::UserName::primary("dev", "carbon.super");
    assert!(setting.users.sign_in(&dev, &model::Secret::new("other-words".to_owned())).await.is_ok());
}
