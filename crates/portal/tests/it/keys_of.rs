//! Keys of applications.

use model::KeyType;
use portal::Config;
use serde_json::{Value, json};

use crate::setting::{Setting, on_postgresql};

fn wanted(key_type: &str) -> Value {
    json!({"keyType": key_type, "grantTypesToBeSupported": ["client_credentials", "password"], "validityTime": "60"})
}

#[tokio::test]
async fn keys_are_made_shown_changed_and_taken_away() {
    keys_are_made_shown_changed_and_taken_away_on(Setting::new().await).await;
}

#[tokio::test]
async fn keys_are_made_shown_changed_and_taken_away_on_postgresql() {
    on_postgresql(keys_are_made_shown_changed_and_taken_away_on).await;
}

async fn keys_are_made_shown_changed_and_taken_away_on(setting: Setting) {
    let id = setting.application("dev", "Shop").await;
    let made = setting.post("dev", &format!("/applications/{id}/generate-keys"), wanted("PRODUCTION")).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let key = made.body;
    assert_eq!(
        (&key["keyState"], &key["mode"], &key["keyManager"]),
        (&json!("COMPLETED"), &json!("CREATED"), &json!("Resident Key Manager"))
    );
    assert_eq!(key["token"]["validityTime"], 60);
    assert_eq!(key["token"]["accessToken"].as_str().unwrap().split('.').count(), 3);
    let client = key["consumerKey"].as_str().unwrap();
    let stored = db::clients::find(&mut setting.db.read().await.unwrap(), client).await.unwrap().unwrap();
    assert_eq!(stored.name, format!("dev_{id}_PRODUCTION"));
    let second = setting.post("dev", &format!("/applications/{id}/generate-keys"), wanted("PRODUCTION")).await;
    assert_eq!((second.status, &second.body["code"]), (409, &json!(901_408)));
    assert_eq!(setting.post("dev", &format!("/applications/{id}/generate-keys"), wanted("SANDBOX")).await.status, 200);
    assert_eq!(setting.get("dev", &format!("/applications/{id}/oauth-keys")).await.body["count"], 2);

    let by_id = format!("/applications/{id}/oauth-keys/{}", key["keyMappingId"].as_str().unwrap());
    let by_type = format!("/applications/{id}/keys/PRODUCTION");
    let shown = setting.get("dev", &by_id).await.body;
    assert_eq!(shown, setting.get("dev", &by_type).await.body);
    assert_eq!((&shown["consumerSecret"], &shown["token"]), (&key["consumerSecret"], &Value::Null));
    assert_eq!(shown["additionalProperties"]["user_access_token_expiry_time"], "N/A");

    for path in [&by_id, &by_type] {
        let mut change = shown.clone();
        change["callbackUrl"] = json!("https://shop/cb");
        change["additionalProperties"] = json!({"application_access_token_expiry_time": "90"});
        let changed = setting.put("dev", path, change).await.body;
        assert_eq!(changed["additionalProperties"]["application_access_token_expiry_time"], 90);
        assert_eq!(setting.get("dev", path).await.body["callbackUrl"], "https://shop/cb");
        let renewed = setting.ask("dev", "POST", &format!("{path}/regenerate-secret"), None).await.body;
        assert_eq!(renewed["consumerKey"], shown["consumerKey"]);
        assert_ne!(renewed["consumerSecret"], shown["consumerSecret"]);
        let token = setting
            .post("dev", &format!("{path}/generate-token"), json!({"consumerSecret": renewed["consumerSecret"], "validityPeriod": 30}))
            .await;
        assert_eq!((token.status, &token.body["validityTime"]), (200, &json!(30)), "{}", token.body);
        let refused = setting.post("dev", &format!("{path}/generate-token"), json!({"consumerSecret": "wrong"})).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(900_965)));
    }

    assert_eq!(setting.ask("dev", "POST", &format!("{by_type}/clean-up"), None).await.status, 200);
    assert_eq!(setting.get("dev", &by_id).await.body["code"], 900_331);
    assert!(db::clients::find(&mut setting.db.read().await.unwrap(), client).await.unwrap().is_none());
    assert_eq!(setting.post("dev", &format!("/applications/{id}/generate-keys"), wanted("PRODUCTION")).await.status, 200);
}

#[tokio::test]
async fn a_removed_application_takes_its_clients_and_tokens_along() {
    let setting = Setting::new().await;
    let id = setting.application("dev", "Shop").await;
    let key = setting.post("dev", &format!("/applications/{id}/generate-keys"), wanted("PRODUCTION")).await.body;
    assert_eq!(setting.delete("dev", &format!("/applications/{id}")).await.status, 200);
    let mut tx = setting.db.read().await.unwrap();
    assert!(db::clients::find(&mut tx, key["consumerKey"].as_str().unwrap()).await.unwrap().is_none());
    assert_eq!(db::tokens::list_revoked(&mut tx, crate::setting::NOW).await.unwrap().len(), 1, "the gateway hears of the token");
}

#[tokio::test]
async fn what_cannot_be_leaves_nothing_behind() {
    let setting = Setting::new().await;
    let id = setting.application("dev", "Shop").await;
    let path = format!("/applications/{id}/generate-keys");
    for (field, value) in [
        ("grantTypesToBeSupported", json!([])),
        ("grantTypesToBeSupported", json!(["authorization_code"])),
        ("keyType", json!("PAPER")),
        ("keyManager", json!("Nobody")),
        ("additionalProperties", json!("{")),
        ("scopes", json!(["a\"b"])),
    ] {
        let mut sent = wanted("PRODUCTION");
        sent[field] = value;
        let refused = setting.post("dev", &path, sent.clone()).await;
        assert_eq!(refused.status, 400, "{sent}: {}", refused.body);
    }
    let mut tx = setting.db.read().await.unwrap();
    assert!(db::key_mappings::list_all(&mut tx).await.unwrap().is_empty());
    assert!(db::clients::list(&mut tx, model::TenantId::SUPER).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_client_left_by_an_interrupted_request_is_used() {
    let setting = Setting::new().await;
    let id = setting.application("dev", "Shop").await;
    let path = format!("/applications/{id}/generate-keys");
    let key = setting.post("dev", &path, wanted("PRODUCTION")).await.body;
    let mut tx = setting.db.write().await.unwrap();
    let mapping =
        db::key_mappings::find_for(&mut tx, id.parse().unwrap(), KeyType::Production, "Resident Key Manager").await.unwrap().unwrap();
    db::key_mappings::delete(&mut tx, mapping.id).await.unwrap();
    tx.commit().await.unwrap();
    let mut other = wanted("PRODUCTION");
    other["grantTypesToBeSupported"] = json!(["password"]);
    let again = setting.post("dev", &path, other).await.body;
    assert_eq!(again["consumerKey"], key["consumerKey"]);
    assert_eq!((&again["supportedGrantTypes"], &again["token"]), (&json!(["password"]), &Value::Null), "the later wish counts");
}

#[tokio::test]
async fn of_many_requests_at_once_one_makes_the_key() {
    let setting = Setting::new().await;
    let id = setting.application("dev", "Shop").await;
    let path = format!("/applications/{id}/generate-keys");
    let ask = || setting.post("dev", &path, wanted("PRODUCTION"));
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let made: Vec<_> = [a, b, c, d].into_iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(made.len(), 1);
    let mut tx = setting.db.read().await.unwrap();
    let clients = db::clients::list(&mut tx, model::TenantId::SUPER).await.unwrap();
    assert_eq!(clients.len(), 1);
    assert_eq!(made[0].body["consumerKey"], clients[0].id);
}

#[tokio::test]
async fn an_existing_client_is_attached_by_who_knows_its_secret() {
    let setting = Setting::with(Config { map_existing_clients: true, ..Config::default() }).await;
    let (one, two) = (setting.application("dev", "One").await, setting.application("dev", "Two").await);
    let key = setting.post("dev", &format!("/applications/{one}/generate-keys"), wanted("PRODUCTION")).await.body;
    let mut sent = json!({"consumerKey": key["consumerKey"], "consumerSecret": "wrong", "keyType": "SANDBOX"});
    let path = format!("/applications/{two}/map-keys");
    assert_eq!(setting.post("dev", &path, sent.clone()).await.status, 400);
    sent["consumerSecret"] = key["consumerSecret"].clone();
    let taken = setting.post("dev", &path, sent.clone()).await;
    assert_eq!((taken.status, &taken.body["code"]), (409, &json!(901_408)));
    let mut tx = setting.db.write().await.unwrap();
    let id = key["keyMappingId"].as_str().unwrap().parse().unwrap();
    db::key_mappings::delete(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    let mapped = setting.post("dev", &path, sent).await;
    assert_eq!((mapped.status, &mapped.body["mode"]), (200, &json!("MAPPED")));
    assert_eq!(setting.delete("dev", &format!("/applications/{two}")).await.status, 200);
    let client = key["consumerKey"].as_str().unwrap();
    assert!(db::clients::find(&mut setting.db.read().await.unwrap(), client).await.unwrap().is_some(), "what was brought along stays");

    let closed = Setting::new().await;
    let id = closed.application("dev", "One").await;
    let sent = json!({"consumerKey": "x", "consumerSecret": "y", "keyType": "SANDBOX"});
    assert_eq!(closed.post("dev", &format!("/applications/{id}/map-keys"), sent).await.body["code"], 901_405);
}
