//! Applications that are shared with groups.

use model::{SettingKind, TenantId, TenantSetting};
use serde_json::json;

use crate::setting::{NOW, Setting};

/// `dev` and `other` are of one organization, and `dev`'s application is shared with it.
async fn shared(setting: &Setting, group_of_other: &str) -> String {
    let id = setting.application("dev", "Shop").await;
    let mut tx = setting.db.write().await.unwrap();
    let mut application = db::applications::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    application.groups = vec!["Shipping".to_owned()];
    db::applications::update(&mut tx, &application).await.unwrap();
    let mut other = db::users::find(&mut tx, TenantId::SUPER, model::PRIMARY_STORE, "other").await.unwrap().unwrap();
    other.attributes = vec![("organizationName".to_owned(), group_of_other.to_owned())];
    db::users::update(&mut tx, &other, NOW).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn share(setting: &Setting) {
    let body = json!({"claim": "http://wso2.org/claims/organization", "attribute": "organizationName"});
    let sharing = TenantSetting { tenant: TenantId::SUPER, kind: SettingKind::ApplicationSharing, name: String::new(), body, secret: None };
    let mut tx = setting.db.write().await.unwrap();
    db::tenant_settings::insert_many(&mut tx, &[sharing]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn who_shares_an_application_uses_it_but_does_not_change_it() {
    let setting = Setting::new().await;
    let id = shared(&setting, "Sales, Shipping").await;
    let one = format!("/applications/{id}");
    assert_eq!(setting.get("other", &one).await.status, 403, "nothing is shared where the tenant does not say so");
    share(&setting).await;
    assert_eq!(setting.get("other", &one).await.status, 200);
    let list = setting.get("other", "/applications?query=Shop").await.body;
    assert_eq!((&list["count"], &list["list"][0]["applicationId"]), (&json!(1), &json!(id)));
    let api = setting.api("Pizza", |_| {}).await;
    let wanted = json!({"applicationId": id, "apiId": api.id.to_string(), "throttlingPolicy": "Gold"});
    assert_eq!(setting.post("other", "/subscriptions", wanted).await.status, 201);
    assert_eq!(setting.get("other", &format!("/subscriptions?apiId={}", api.id)).await.body["count"], 1);
    let keys = json!({"keyType": "PRODUCTION", "grantTypesToBeSupported": ["client_credentials"]});
    assert_eq!(setting.post("other", &format!("{one}/generate-keys"), keys).await.status, 200);
    let change = json!({"name": "Shop", "throttlingPolicy": "Unlimited"});
    assert_eq!(setting.put("other", &one, change).await.status, 403);
    assert_eq!(setting.delete("other", &one).await.status, 403);
    assert_eq!(setting.get("acme", &one).await.status, 404);
    assert_eq!(setting.delete("dev", &one).await.status, 200);
}

#[tokio::test]
async fn other_groups_do_not_share() {
    let setting = Setting::new().await;
    let id = shared(&setting, "Ship").await;
    share(&setting).await;
    assert_eq!(setting.get("other", &format!("/applications/{id}")).await.status, 403);
    assert_eq!(setting.get("other", "/applications?query=Shop").await.body["count"], 0);
}
