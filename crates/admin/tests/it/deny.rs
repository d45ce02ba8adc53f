//! Deny policies: seen, made, switched and lifted.

use model::{Api, ApiId, TenantId};
use serde_json::{Value, json};

use crate::setting::{NOW, Setting, on_postgresql};

const ALL: &str = "/throttling/deny-policies";

async fn stocked() -> Setting {
    let setting = Setting::new().await;
    stock(&setting).await;
    setting
}

async fn stock(setting: &Setting) {
    let mut tx = setting.db.write().await.unwrap();
    let api = Api::new(ApiId::random(), TenantId::SUPER, "admin", "Pizza", "1.0.0", "/pizza/{version}", NOW);
    db::apis::insert(&mut tx, &api).await.unwrap();
    db::applications::insert(&mut tx, &crate::applications::application("dev", "Shop")).await.unwrap();
    tx.commit().await.unwrap();
}

fn condition(kind: &str, value: Value) -> Value {
    json!({"conditionType": kind, "conditionValue": value})
}

#[tokio::test]
async fn every_kind_is_made_read_switched_and_lifted() {
    let setting = stocked().await;
    walk(&setting).await;
}

#[tokio::test]
async fn the_same_on_postgresql() {
    on_postgresql(stocked_and_walked).await;
}

async fn stocked_and_walked(setting: Setting) {
    stock(&setting).await;
    walk(&setting).await;
}

async fn walk(setting: &Setting) {
    let fixed = json!({"fixedIp": "10.0.0.7", "invert": false});
    let range = json!({"startingIp": "10.0.0.1", "endingIp": "10.0.0.9", "invert": true});
    for (kind, sent, shown) in [
        ("API", json!("/pizza/1.0.0"), json!("/pizza/1.0.0")),
        ("APPLICATION", json!("dev:Shop"), json!("dev:Shop")),
        ("USER", json!("dev"), json!("dev@carbon.super")),
        ("IP", fixed.clone(), fixed),
        ("IPRANGE", range.clone(), range),
    ] {
        let made = setting.post("admin", ALL, condition(kind, sent.clone())).await;
        assert_eq!(
            (made.status, &made.body["conditionType"], &made.body["conditionValue"]),
            (201, &json!(kind), &shown),
            "{:?}",
            made.body
        );
        assert_eq!(made.body["conditionStatus"], true);
        let again = setting.post("admin", ALL, condition(kind, sent)).await;
        assert_eq!((again.status, &again.body["code"]), (409, &json!(900_979)));
        let one = format!("/throttling/deny-policy/{}", made.body["conditionId"].as_str().unwrap());
        assert!(made.location.unwrap().ends_with(&one));
        assert_eq!(setting.get("admin", &one).await.body, made.body);
        assert_eq!(setting.get("admin", ALL).await.body, json!({"count": 1, "list": [made.body]}));
        let off = setting.ask("admin", "PATCH", &one, Some(json!({"conditionStatus": false}))).await;
        assert_eq!((off.status, &off.body["conditionStatus"]), (200, &json!(false)));
        assert_eq!(setting.get("admin", &one).await.body, off.body);
        assert_eq!(setting.ask("admin", "PATCH", &one, Some(json!({}))).await.status, 400);
        assert_eq!(setting.get("acme", ALL).await.body["count"], 0, "another tenant's are its own");
        assert_eq!(setting.get("acme", &one).await.status, 404);
        assert_eq!(setting.delete("acme", &one).await.status, 404);
        assert_eq!(setting.delete("admin", &one).await.status, 200);
        assert_eq!(setting.get("admin", &one).await.status, 404);
    }
    assert_eq!(setting.get("admin", "/throttling/deny-policy/no-uuid").await.status, 404);
}

#[tokio::test]
async fn what_no_call_could_meet_is_refused() {
    let setting = stocked().await;
    for (token, body, status, code) in [
        ("admin", condition("API", json!("/pizza")), 400, 900_977),
        ("acme", condition("API", json!("/pizza/1.0.0")), 400, 900_977),
        ("admin", condition("APPLICATION", json!("dev:Nothing")), 400, 900_978),
        ("admin", condition("APPLICATION", json!("Shop")), 400, 900_978),
        ("acme", condition("APPLICATION", json!("dev:Shop")), 400, 900_978),
        ("admin", condition("USER", json!("boss@acme.com")), 400, 901_409),
        ("admin", condition("USER", json!(" ")), 400, 400),
        ("admin", condition("USER", json!("x".repeat(2_000))), 400, 400),
        ("admin", condition("IP", json!("10.0.0.1")), 400, 400),
        ("admin", condition("IP", json!({"fixedIp": "ten"})), 400, 400),
        ("admin", condition("IPRANGE", json!({"startingIp": "10.0.0.9", "endingIp": "10.0.0.1"})), 400, 400),
        ("admin", condition("SUBSCRIPTION", json!("/pizza/1.0.0:1.0.0:dev-Shop")), 400, 900_975),
        ("admin", json!({"conditionType": "IP"}), 400, 400),
        ("admin", json!({"conditionValue": "x"}), 400, 400),
    ] {
        let answer = setting.post(token, ALL, body.clone()).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{body}");
    }
    let mail = setting.post("admin", ALL, condition("USER", json!("dev@mail.org"))).await;
    assert_eq!(mail.body["conditionValue"], "dev@mail.org@carbon.super");
    assert_eq!(setting.get("admin", ALL).await.body["count"], 1);
}
