//! New applications, subscriptions, plans and keys where the tenant wants an administrator to approve them.

use model::{SettingKind, TenantId, TenantSetting, Workflow, WorkflowKind};
use serde_json::{Value, json};

use crate::setting::{NOW, Setting, on_postgresql};

async fn ask_for(setting: &Setting, kinds: &[WorkflowKind]) {
    let settings: Vec<TenantSetting> = kinds
        .iter()
        .map(|kind| TenantSetting {
            tenant: TenantId::SUPER,
            kind: SettingKind::WorkflowExecutor,
            name: kind.name().to_owned(),
            body: json!({"mode": "approval"}),
            secret: None,
        })
        .collect();
    let mut tx = setting.db.write().await.unwrap();
    db::tenant_settings::insert_many(&mut tx, &settings).await.unwrap();
    tx.commit().await.unwrap();
}

async fn pending(setting: &Setting) -> Vec<Workflow> {
    let mut tx = setting.db.read().await.unwrap();
    db::workflows::list_pending(&mut tx, TenantId::SUPER, None, 100, 0).await.unwrap().items
}

fn keys_wanted() -> Value {
    json!({"keyType": "SANDBOX", "grantTypesToBeSupported": ["client_credentials"], "validityTime": "60"})
}

#[tokio::test]
async fn what_is_asked_for_waits_with_a_request() {
    waits(Setting::new().await).await;
}

#[tokio::test]
async fn what_is_asked_for_waits_with_a_request_on_postgresql() {
    on_postgresql(waits).await;
}

async fn waits(setting: Setting) {
    let api = setting.api("Pizza", |_| {}).await;
    let shop = setting.application("dev", "Shop").await;
    ask_for(
        &setting,
        &[
            WorkflowKind::ApplicationCreation,
            WorkflowKind::SubscriptionCreation,
            WorkflowKind::SubscriptionUpdate,
            WorkflowKind::SandboxRegistration,
        ],
    )
    .await;

    let made = setting.post("dev", "/applications", json!({"name": "Waits", "throttlingPolicy": "Unlimited"})).await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!("CREATED")), "{}", made.body);
    let found = pending(&setting).await;
    let [request] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((request.kind, request.created_at), (WorkflowKind::ApplicationCreation, NOW));
    assert_eq!(request.subject, made.body["applicationId"].as_str().unwrap());
    assert_eq!((request.property("applicationName"), request.property("userName")), (Some("Waits"), Some("dev")));
    // Nothing can be done with it before.
    let wanted = json!({"applicationId": request.subject, "apiId": api.id.to_string(), "throttlingPolicy": "Gold"});
    assert_eq!(setting.post("dev", "/subscriptions", wanted).await.status, 400);
    assert_eq!(setting.delete("dev", &format!("/applications/{}", request.subject)).await.status, 200);
    assert_eq!(pending(&setting).await, [], "a request goes with what it is about");

    let wanted = json!({"applicationId": shop, "apiId": api.id.to_string(), "throttlingPolicy": "Gold"});
    let made = setting.post("dev", "/subscriptions", wanted).await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!("ON_HOLD")), "{}", made.body);
    let subscription = made.body["subscriptionId"].as_str().unwrap().to_owned();
    let found = pending(&setting).await;
    assert_eq!((found.len(), found[0].kind), (1, WorkflowKind::SubscriptionCreation));
    assert_eq!((found[0].property("apiName"), found[0].property("subscriber")), (Some("Pizza"), Some("dev")));

    // As an administrator would have let it.
    let mut tx = setting.db.write().await.unwrap();
    let id = subscription.parse().unwrap();
    let stored = db::subscriptions::find(&mut tx, id).await.unwrap().unwrap();
    let open = model::Subscription { state: model::SubscriptionState::Unblocked, ..stored };
    db::subscriptions::update(&mut tx, &open).await.unwrap();
    db::workflows::delete_pending(&mut tx, &subscription).await.unwrap();
    tx.commit().await.unwrap();
    let mut change = made.body.clone();
    change["requestedThrottlingPolicy"] = json!("Unlimited");
    let changed = setting.put("dev", &format!("/subscriptions/{subscription}"), change).await;
    let plans = (&changed.body["status"], &changed.body["throttlingPolicy"], &changed.body["requestedThrottlingPolicy"]);
    assert_eq!(plans, (&json!("TIER_UPDATE_PENDING"), &json!("Gold"), &json!("Unlimited")), "{}", changed.body);
    let found = pending(&setting).await;
    assert_eq!((found.len(), found[0].kind, found[0].property("requestedTier")), (1, WorkflowKind::SubscriptionUpdate, Some("Unlimited")));
    assert_eq!(setting.delete("dev", &format!("/subscriptions/{subscription}")).await.status, 200);
    assert_eq!(pending(&setting).await, []);
}

#[tokio::test]
async fn keys_are_made_once_they_are_approved() {
    let setting = Setting::new().await;
    let shop = setting.application("dev", "Shop").await;
    ask_for(&setting, &[WorkflowKind::SandboxRegistration]).await;
    let generate = format!("/applications/{shop}/generate-keys");
    let asked = setting.post("dev", &generate, keys_wanted()).await;
    assert_eq!((asked.status, &asked.body["keyState"]), (200, &json!("CREATED")), "{}", asked.body);
    assert_eq!(
        (&asked.body["consumerKey"], &asked.body["consumerSecret"], &asked.body["token"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let found = pending(&setting).await;
    assert_eq!((found.len(), found[0].kind, found[0].property("keyType")), (1, WorkflowKind::SandboxRegistration, Some("SANDBOX")));
    // Asking again does not help.
    assert_eq!(setting.post("dev", &generate, keys_wanted()).await.status, 409);
    let mut tx = setting.db.write().await.unwrap();
    let id = found[0].subject.parse().unwrap();
    let stored = db::key_mappings::find(&mut tx, id).await.unwrap().unwrap();
    assert_eq!(stored.consumer_key, None);
    let approved = model::KeyMapping { state: model::KeyState::Approved, ..stored };
    db::key_mappings::update(&mut tx, &approved).await.unwrap();
    tx.commit().await.unwrap();
    let made = setting.post("dev", &generate, keys_wanted()).await;
    assert_eq!((made.status, &made.body["keyState"]), (200, &json!("COMPLETED")), "{}", made.body);
    assert_eq!(made.body["keyMappingId"], asked.body["keyMappingId"]);
    assert!(made.body["consumerKey"].is_string() && made.body["token"].is_object());
    assert_eq!(setting.post("dev", &generate, keys_wanted()).await.status, 409);
    // Production keys need nobody here.
    let other = json!({"keyType": "PRODUCTION", "grantTypesToBeSupported": ["client_credentials"]});
    assert_eq!(setting.post("dev", &generate, other).await.body["keyState"], "COMPLETED");
}
