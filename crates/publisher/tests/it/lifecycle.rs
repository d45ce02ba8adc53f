//! The steps of an API's life.

use http::Method;
use model::SubscriptionState;
use serde_json::{Value, json};

use crate::apis::subscribe;
use crate::house::{House, house, on_postgresql, pizza};

fn events(state: &Value) -> Vec<&str> {
    state["availableTransitions"].as_array().unwrap().iter().map(|step| step["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_state_offers_its_steps() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let state = house.get("admin", &format!("/apis/{id}/lifecycle-state")).await.expect(200);
    assert_eq!(state["state"], "Created");
    assert_eq!(events(&state), ["Publish", "Deploy as a Prototype"]);
    assert_eq!(state["checkItems"], json!([]));
    house.step("admin", &id, "Retire").await.refused(400, 400);
    house.step("admin", &id, "Fly").await.refused(400, 400);
    for (action, state) in [
        ("Deploy as a Prototype", "Prototyped"),
        ("Publish", "Published"),
        ("Block", "Blocked"),
        ("Re-Publish", "Published"),
        ("Deprecate", "Deprecated"),
        ("Retire", "Retired"),
    ] {
        let answer = house.step("admin", &id, action).await.expect(200);
        assert_eq!(answer["workflowStatus"], "APPROVED");
        assert_eq!(answer["lifecycleState"]["state"], state);
        assert_eq!(house.get("admin", &format!("/apis/{id}")).await.expect(200)["lifeCycleStatus"], state.to_uppercase());
    }
    let history = house.get("admin", &format!("/apis/{id}/lifecycle-history")).await.expect(200);
    assert_eq!(history["count"], 7);
    assert_eq!(history["list"][6]["previousState"], "DEPRECATED");
}

#[tokio::test]
async fn publishing_needs_an_endpoint_and_a_plan() {
    let house = house().await;
    let mut body = pizza("Pizza", "1.0.0");
    body["policies"] = json!([]);
    let planless = house.post("admin", "/apis", body.clone()).await.expect(201)["id"].as_str().unwrap().to_owned();
    house.step("admin", &planless, "Publish").await.refused(400, 900_304);
    body["name"] = "Basic".into();
    body["context"] = "basic".into();
    body["securityScheme"] = json!(["basic_auth"]);
    let basic = house.post("admin", "/apis", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    house.step("admin", &basic, "Publish").await.expect(200);
    let mut body = pizza("Endless", "1.0.0");
    body["endpointConfig"] = Value::Null;
    let endless = house.post("admin", "/apis", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    house.step("admin", &endless, "Publish").await.refused(400, 400);
    assert_eq!(house.get("admin", &format!("/apis/{endless}")).await.expect(200)["lifeCycleStatus"], "CREATED");
}

#[tokio::test]
async fn publishing_a_new_version_takes_subscribers_along_unless_they_must_subscribe_anew() {
    publishing_a_new_version_takes_subscribers_along_unless_they_must_subscribe_anew_on(house().await).await;
}

#[tokio::test]
async fn publishing_a_new_version_takes_subscribers_along_unless_they_must_subscribe_anew_on_postgresql() {
    on_postgresql(publishing_a_new_version_takes_subscribers_along_unless_they_must_subscribe_anew_on).await;
}

async fn publishing_a_new_version_takes_subscribers_along_unless_they_must_subscribe_anew_on(house: House) {
    let old = house.pizza("admin", "Pizza", "1.9.0").await;
    house.step("admin", &old, "Publish").await.expect(200);
    let running = subscribe(&house, &old, "running", SubscriptionState::Unblocked).await;
    let blocked = subscribe(&house, &old, "blocked", SubscriptionState::Blocked).await;
    subscribe(&house, &old, "waiting", SubscriptionState::OnHold).await;
    let copy = async |version: &str| {
        let path = format!("/apis/copy-api?apiId={old}&newVersion={version}");
        house.call("admin", Method::POST, &path, None).await.expect(201)["id"].as_str().unwrap().to_owned()
    };
    let new = copy("1.10.0").await;
    let state = house.get("admin", &format!("/apis/{new}/lifecycle-state")).await.expect(200);
    assert_eq!(state["checkItems"].as_array().unwrap().len(), 2);
    let checklist = "Deprecate%20old%20versions%20after%20publishing%20the%20API%3Atrue";
    let path = format!("/apis/change-lifecycle?apiId={new}&action=Publish&lifecycleChecklist={checklist}");
    house.call("admin", Method::POST, &path, None).await.expect(200);
    assert_eq!(house.get("admin", &format!("/apis/{old}")).await.expect(200)["lifeCycleStatus"], "DEPRECATED");
    let subscribers = async |api: &str| {
        let mut tx = house.db.read().await.unwrap();
        let page = db::subscriptions::list_of_api(&mut tx, api.parse().unwrap(), 100, 0).await.unwrap();
        page.items.into_iter().map(|s| (s.application, s.state, s.plan)).collect::<Vec<_>>()
    };
    let mut copied = subscribers(&new).await;
    copied.sort_by_key(|(application, _, _)| *application != running);
    assert_eq!(
        copied,
        [(running, SubscriptionState::Unblocked, "Gold".to_owned()), (blocked, SubscriptionState::Blocked, "Gold".to_owned())]
    );
    let newest = copy("2.0.0").await;
    let checklist = "Requires%20re-subscription%20when%20publishing%20the%20API:true";
    let path = format!("/apis/change-lifecycle?apiId={newest}&action=Publish&lifecycleChecklist={checklist}");
    house.call("admin", Method::POST, &path, None).await.expect(200);
    assert_eq!(subscribers(&newest).await, []);
    assert_eq!(house.get("admin", &format!("/apis/{new}")).await.expect(200)["lifeCycleStatus"], "PUBLISHED");
}

#[tokio::test]
async fn retiring_ends_every_revision() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let revision = house.revision("admin", &id).await;
    house.deploy("admin", &id, &revision).await.expect(201);
    house.step("admin", &revision, "Publish").await.refused(400, 400);
    for action in ["Publish", "Deprecate", "Retire"] {
        house.step("admin", &id, action).await.expect(200);
    }
    assert_eq!(house.get("admin", &format!("/apis/{id}/revisions")).await.expect(200)["count"], 0);
    assert_eq!(house.get("admin", &format!("/apis/{id}/deployments")).await.expect(200)["list"], json!([]));
    house.post("admin", &format!("/apis/{id}/revisions"), json!({})).await.refused(400, 400);
}

#[tokio::test]
async fn of_two_who_publish_one_does() {
    of_two_who_publish_one_does_on(house().await).await;
}

#[tokio::test]
async fn of_two_who_publish_one_does_on_postgresql() {
    on_postgresql(of_two_who_publish_one_does_on).await;
}

async fn of_two_who_publish_one_does_on(house: House) {
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let (first, second) = tokio::join!(house.step("admin", &id, "Publish"), house.step("publisher", &id, "Publish"));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    assert_eq!(house.get("admin", &format!("/apis/{id}/lifecycle-history")).await.expect(200)["count"], 2);
}
