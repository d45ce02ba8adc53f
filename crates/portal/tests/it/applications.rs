//! Applications.

use model::{ApplicationTokenType, TokenFormat};
use serde_json::{Value, json};

use crate::setting::Setting;

#[tokio::test]
async fn a_developer_starts_with_one_application_and_may_delete_it() {
    let setting = Setting::new().await;
    let list = setting.get("dev", "/applications").await.body;
    assert_eq!((&list["count"], &list["list"][0]["name"]), (&json!(1), &json!("DefaultApplication")));
    assert_eq!(list["list"][0]["throttlingPolicy"], "Unlimited");
    let path = format!("/applications/{}", list["list"][0]["applicationId"].as_str().unwrap());
    assert_eq!(setting.get("dev", &path).await.body["tokenType"], "JWT");
    assert_eq!(setting.delete("dev", &path).await.status, 200);
    assert_eq!(setting.get("dev", "/applications").await.body["count"], 0, "it does not come back");
    assert_eq!(setting.get("other", "/applications").await.body["count"], 1);
}

#[tokio::test]
async fn an_application_is_made_changed_and_removed() {
    let setting = Setting::new().await;
    let sent = json!({"name": "Shop", "throttlingPolicy": "10PerMin", "description": "d", "tokenType": "OAUTH", "attributes": {"team": "blue", "none": null}});
    let made = setting.post("dev", "/applications", sent.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["applicationId"].as_str().unwrap();
    assert!(made.location.unwrap().ends_with(id));
    assert_eq!((&made.body["tokenType"], &made.body["status"], &made.body["owner"]), (&json!("JWT"), &json!("APPROVED"), &json!("dev")));
    assert_eq!(made.body["attributes"], json!({"team": "blue"}));
    let again = setting.post("dev", "/applications", sent.clone()).await;
    assert_eq!((again.status, &again.body["code"]), (409, &json!(900_301)));
    assert_eq!(setting.post("other", "/applications", sent).await.status, 201, "names are each owner's own");

    let path = format!("/applications/{id}");
    let mut change = made.body.clone();
    change["name"] = json!("Shop 2");
    change["throttlingPolicy"] = json!("20PerMin");
    let changed = setting.put("dev", &path, change).await;
    assert_eq!((changed.status, &changed.body["name"]), (200, &json!("Shop 2")), "{}", changed.body);
    assert_eq!(setting.get("dev", &path).await.body, changed.body);
    assert_eq!(setting.get("dev", "/applications?query=shop&sortBy=name&sortOrder=desc").await.body["count"], 1);
    assert_eq!(setting.delete("dev", &path).await.status, 200);
    assert_eq!(setting.get("dev", &path).await.status, 404);
}

#[tokio::test]
async fn bad_bodies_are_refused() {
    let setting = Setting::new().await;
    setting.application("dev", "Taken").await;
    for (field, value) in [
        ("name", json!(" x")),
        ("name", json!("a<b")),
        ("name", json!("x".repeat(71))),
        ("name", Value::Null),
        ("description", json!("x".repeat(513))),
        ("throttlingPolicy", json!("Nobody-made-this")),
        ("throttlingPolicy", Value::Null),
        ("tokenType", json!("PAPER")),
        ("colour", json!("red")),
    ] {
        let mut sent = json!({"name": "Shop", "throttlingPolicy": "Unlimited"});
        sent[field] = value;
        let refused = setting.post("dev", "/applications", sent.clone()).await;
        assert_eq!((refused.status, &refused.body["message"].is_string()), (400, &true), "{sent}");
    }
    let other = setting.application("dev", "Other").await;
    let rename = json!({"name": "Taken", "throttlingPolicy": "Unlimited"});
    assert_eq!(setting.put("dev", &format!("/applications/{other}"), rename).await.status, 409);
}

#[tokio::test]
async fn an_old_application_keeps_opaque_tokens_until_its_owner_says_otherwise() {
    let setting = Setting::new().await;
    let id = setting.application("dev", "Old").await;
    let mut tx = setting.db.write().await.unwrap();
    let mut old = db::applications::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    old.token_type = ApplicationTokenType::OAuth;
    db::applications::update(&mut tx, &old).await.unwrap();
    tx.commit().await.unwrap();
    let keys = json!({"keyType": "PRODUCTION", "grantTypesToBeSupported": ["client_credentials"]});
    let made = setting.post("dev", &format!("/applications/{id}/generate-keys"), keys).await.body;
    assert_eq!(made["token"]["accessToken"].as_str().unwrap().len(), 36);
    let client = made["consumerKey"].as_str().unwrap();
    let format = async || db::clients::find(&mut setting.db.read().await.unwrap(), client).await.unwrap().unwrap().token_format;

    let path = format!("/applications/{id}");
    let mut body = json!({"name": "Old", "throttlingPolicy": "Unlimited"});
    assert_eq!(setting.put("dev", &path, body.clone()).await.body["tokenType"], "OAUTH");
    assert_eq!(format().await, TokenFormat::Opaque);
    body["tokenType"] = json!("JWT");
    assert_eq!(setting.put("dev", &path, body.clone()).await.body["tokenType"], "JWT");
    assert_eq!(format().await, TokenFormat::Jwt);
    body["tokenType"] = json!("OAUTH");
    assert_eq!(setting.put("dev", &path, body).await.body["tokenType"], "JWT", "there is no way back");
}
