//! Subscriptions.

use model::{ApplicationStatus, LifecycleState, SubscriptionAvailability, SubscriptionState};
use serde_json::{Value, json};

use crate::setting::{ACME_DOMAIN, Setting, on_postgresql};

fn wanted(application: &str, api: &model::Api, plan: &str) -> Value {
    json!({"applicationId": application, "apiId": api.id.to_string(), "throttlingPolicy": plan})
}

#[tokio::test]
async fn a_subscription_is_made_changed_and_ended() {
    a_subscription_is_made_changed_and_ended_on(Setting::new().await).await;
}

#[tokio::test]
async fn a_subscription_is_made_changed_and_ended_on_postgresql() {
    on_postgresql(a_subscription_is_made_changed_and_ended_on).await;
}

async fn a_subscription_is_made_changed_and_ended_on(setting: Setting) {
    let api = setting
        .api("Pizza", |api| {
            api.scopes = vec![model::ApiScope {
                name: "order".to_owned(),
                display_name: "Order".to_owned(),
                description: None,
                roles: vec!["admin".to_owned()],
                shared: false,
            }]
        })
        .await;
    let id = setting.application("dev", "Shop").await;
    let made = setting.post("dev", "/subscriptions", wanted(&id, &api, "Gold")).await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!("UNBLOCKED")), "{}", made.body);
    let subscription = made.body["subscriptionId"].as_str().unwrap();
    assert!(made.location.unwrap().ends_with(subscription));
    assert_eq!((&made.body["apiInfo"]["name"], &made.body["applicationInfo"]["subscriptionCount"]), (&json!("Pizza"), &json!(1)));
    let again = setting.post("dev", "/subscriptions", wanted(&id, &api, "Gold")).await;
    assert_eq!((again.status, &again.body["code"]), (409, &json!(900_336)));

    let path = format!("/subscriptions/{subscription}");
    assert_eq!(setting.get("dev", &path).await.body, made.body);
    for query in [format!("applicationId={id}"), format!("apiId={}", api.id)] {
        let list = setting.get("dev", &format!("/subscriptions?{query}")).await.body;
        assert_eq!((&list["count"], &list["pagination"]["total"]), (&json!(1), &json!(1)), "{query}");
    }
    assert_eq!(setting.get("other", &format!("/subscriptions?apiId={}", api.id)).await.body["count"], 0);
    assert_eq!(setting.get("dev", "/subscriptions").await.status, 400);
    let scopes = &setting.get("dev", &format!("/applications/{id}")).await.body["subscriptionScopes"];
    assert_eq!(scopes[0]["key"], "order");

    let mut change = made.body.clone();
    change["requestedThrottlingPolicy"] = json!("Unlimited");
    assert_eq!(setting.put("dev", &path, change.clone()).await.body["throttlingPolicy"], "Unlimited");
    change["requestedThrottlingPolicy"] = json!("Bronze");
    assert_eq!(setting.put("dev", &path, change.clone()).await.body["code"], 900_305);

    let mut tx = setting.db.write().await.unwrap();
    let mut blocked = db::subscriptions::find(&mut tx, subscription.parse().unwrap()).await.unwrap().unwrap();
    blocked.state = SubscriptionState::Blocked;
    db::subscriptions::update(&mut tx, &blocked).await.unwrap();
    tx.commit().await.unwrap();
    change["requestedThrottlingPolicy"] = json!("Gold");
    assert_eq!(setting.put("dev", &path, change).await.body["code"], 900_318);

    assert_eq!(setting.delete("dev", &path).await.status, 200);
    assert_eq!(setting.delete("dev", &path).await.status, 404);
}

#[tokio::test]
async fn rules_have_their_answers() {
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |_| {}).await;
    let prototype = setting.api("Prototype", |api| api.state = LifecycleState::Prototyped).await;
    let deprecated = setting.api("Deprecated", |api| api.state = LifecycleState::Deprecated).await;
    let id = setting.application("dev", "Shop").await;
    let status = async |token: &str, body: Value| setting.post(token, "/subscriptions", body).await.status;
    assert_eq!(status("dev", wanted(&id, &prototype, "Gold")).await, 404);
    assert_eq!(status("dev", wanted(&id, &deprecated, "Gold")).await, 404);
    assert_eq!(status("dev", wanted(&id, &api, "Bronze")).await, 400, "the API does not offer it");
    assert_eq!(status("dev", wanted(&id, &api, "")).await, 400);
    assert_eq!(status("dev", json!({"apiId": api.id.to_string(), "throttlingPolicy": "Gold"})).await, 404);

    let mut tx = setting.db.write().await.unwrap();
    let mut gold = db::policies::subscription::find_by_name(&mut tx, api.tenant, "Gold").await.unwrap().unwrap();
    gold.permission = Some(model::PlanPermission { allow: false, roles: vec!["gold-partner".to_owned()] });
    db::policies::subscription::update(&mut tx, &gold).await.unwrap();
    let mut waiting = db::applications::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    waiting.status = ApplicationStatus::Created;
    db::applications::update(&mut tx, &waiting).await.unwrap();
    tx.commit().await.unwrap();
    let refused = setting.post("dev", "/subscriptions", wanted(&id, &api, "Unlimited")).await;
    assert_eq!((refused.status, &refused.body["description"]), (400, &json!("Workflow status is not Approved")));
    let other = setting.application("dev", "Other").await;
    assert_eq!(status("dev", wanted(&other, &api, "Gold")).await, 403, "a role of the caller is denied the plan");
    let others = setting.application("other", "Shop").await;
    assert_eq!(status("other", wanted(&others, &api, "Gold")).await, 201);
}

#[tokio::test]
async fn another_tenant_subscribes_where_that_is_allowed() {
    let setting = Setting::new().await;
    let closed = setting.api("Closed", |_| {}).await;
    let all = setting.api("All", |api| api.subscription_availability = SubscriptionAvailability::AllTenants).await;
    let some = setting
        .api("Some", |api| {
            api.subscription_availability = SubscriptionAvailability::SpecificTenants;
            api.subscription_available_tenants = vec![ACME_DOMAIN.to_owned()];
        })
        .await;
    let id = setting.application("acme", "Shop").await;
    for (api, expected) in [(&closed, 403), (&all, 201), (&some, 201)] {
        let answer = setting.ask_as("acme", Some("carbon.super"), "POST", "/subscriptions", Some(wanted(&id, api, "Gold"))).await;
        assert_eq!(answer.status, expected, "{}: {}", api.name, answer.body);
        let shown = setting.ask_as("acme", Some("carbon.super"), "GET", &format!("/apis/{}", api.id), None).await.body;
        assert_eq!(shown["isSubscriptionAvailable"], expected == 201);
    }
}

#[tokio::test]
async fn of_several_each_stands_for_itself() {
    let setting = Setting::new().await;
    let (one, two) = (setting.api("One", |_| {}).await, setting.api("Two", |_| {}).await);
    let id = setting.application("dev", "Shop").await;
    let list = json!([wanted(&id, &one, "Gold"), wanted(&id, &two, "Bronze"), wanted(&id, &two, "Unlimited")]);
    let answer = setting.post("dev", "/subscriptions/multiple", list).await;
    let states: Vec<&Value> = answer.body.as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!((answer.status, states), (200, vec![&json!("UNBLOCKED"), &json!("REJECTED"), &json!("UNBLOCKED")]));
    assert_eq!(setting.get("dev", &format!("/subscriptions?applicationId={id}")).await.body["count"], 2);
}
