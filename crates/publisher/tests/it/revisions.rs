//! Revisions and deployments.

use http::Method;
use model::{Api, ApiKind, LifecycleState};
use serde_json::json;

use crate::house::{House, house};

#[tokio::test]
async fn there_are_five_at_most_and_numbers_count_on() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}/revisions");
    let answers = futures_util::future::join_all((0..8).map(|_| house.post("admin", &path, json!({"description": "d"})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5);
    for answer in answers {
        if answer.status != 201 {
            answer.refused(400, 900_351);
        }
    }
    let list = house.get("admin", &path).await.expect(200);
    assert_eq!(list["count"], 5);
    let names: Vec<&str> = list["list"].as_array().unwrap().iter().map(|one| one["displayName"].as_str().unwrap()).collect();
    assert_eq!(names[0], "Revision 1");
    let first = list["list"][0]["id"].as_str().unwrap();
    let left = house.delete("admin", &format!("{path}/{first}")).await.expect(200);
    assert_eq!(left["count"], 4);
    let made = house.post("admin", &path, json!({"description": "again"})).await.expect(201);
    assert!(!names.contains(&made["displayName"].as_str().unwrap()), "{made}");
    assert!(made["createdTime"].is_i64());
    house.get("admin", &format!("{path}/{first}")).await.refused(404, 900_347);
    house.post("admin", &path, json!({"description": "x".repeat(256)})).await.refused(400, 400);
}

#[tokio::test]
async fn an_environment_runs_one_revision() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let first = house.revision("admin", &id).await;
    let second = house.revision("admin", &id).await;
    let deployed = house.deploy("admin", &id, &first).await.expect(201);
    assert_eq!(deployed[0]["vhost"], "gw.example.org");
    assert_eq!(deployed[0]["deployedTime"], 1_714_583_045_000_i64);
    let (one, two) = tokio::join!(house.deploy("admin", &id, &first), house.deploy("admin", &id, &second));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201));
    house.deploy("admin", &id, &second).await.expect(201);
    let running = house.get("admin", &format!("/apis/{id}/deployments")).await.expect(200);
    assert_eq!(running["list"].as_array().unwrap().len(), 1);
    assert_eq!(running["list"][0]["revisionUuid"], second.as_str());
    house.delete("admin", &format!("/apis/{id}/revisions/{second}")).await.refused(400, 900_348);
    let deployed = house.get("admin", &format!("/apis/{id}/revisions?query=deployed:true")).await.expect(200);
    assert_eq!((&deployed["count"], &deployed["list"][0]["id"]), (&json!(1), &json!(second)));
    let idle = house.get("admin", &format!("/apis/{id}/revisions?query=deployed:false")).await.expect(200);
    assert_eq!(idle["list"][0]["id"], first.as_str());
}

#[tokio::test]
async fn unknown_places_are_refused() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let revision = house.revision("admin", &id).await;
    let path = format!("/apis/{id}/deploy-revision?revisionId={revision}");
    let body = house.post("admin", &path, json!([{"name": "Moon"}])).await.refused(400, 900_506);
    assert_eq!(body["description"], "Gateway environment not found: Moon");
    house.post("admin", &path, json!([{"name": "Default", "vhost": "other.example.org"}])).await.refused(400, 400);
    house.post("admin", &path, json!([])).await.refused(400, 400);
    // One bad environment of two leaves nothing deployed.
    house.post("admin", &path, json!([{"name": "Default"}, {"name": "Moon"}])).await.refused(400, 900_506);
    assert_eq!(house.get("admin", &format!("/apis/{id}/deployments")).await.expect(200)["list"], json!([]));
    let other = house.pizza("admin", "Other", "1.0.0").await;
    let stray = format!("/apis/{other}/deploy-revision?revisionId={revision}");
    house.post("admin", &stray, json!([{"name": "Default"}])).await.refused(404, 900_347);
}

#[tokio::test]
async fn what_no_gateway_serves_is_not_deployed() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    change(&house, &id, |api| api.kind = ApiKind::Ws).await;
    let revision = house.revision("admin", &id).await;
    let refused = house.deploy("admin", &id, &revision).await.refused(400, 400);
    assert_eq!(refused["description"], "The revision cannot be deployed: no WebSockets here.");
    assert_eq!(house.get("admin", &format!("/apis/{id}/deployments")).await.expect(200)["list"], json!([]));
}

#[tokio::test]
async fn no_step_ends_what_is_served_but_by_name() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    change(&house, &id, |api| api.security_scheme = vec!["api_key".to_owned()]).await;
    house.step("admin", &id, "Deploy as a Prototype").await.expect(200);
    let revision = house.revision("admin", &id).await;
    house.deploy("admin", &id, &revision).await.expect(201);
    let refused = house.step("admin", &id, "Publish").await.refused(400, 400);
    assert_eq!(refused["description"], "Revision 1 runs, but could not as PUBLISHED: no API keys here. Undeploy it first.");
    let state = house.get("admin", &format!("/apis/{id}/lifecycle-state")).await.expect(200);
    assert_eq!(state["state"], "Prototyped");
    // What came deployed by an upgrade and never answered here goes through its life all the same.
    change(&house, &id, |api| api.state = LifecycleState::Published).await;
    house.step("admin", &id, "Block").await.expect(200);
    house.step("admin", &id, "Re-Publish").await.expect(200);
}

/// Changes an API behind the publisher's back, as an upgrade would have brought it.
async fn change(house: &House, id: &str, change: impl FnOnce(&mut Api)) {
    let mut tx = house.db.write().await.unwrap();
    let mut api = db::apis::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    change(&mut api);
    db::apis::update(&mut tx, &api).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn undeploying_goes_by_id_or_number() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let revision = house.revision("admin", &id).await;
    house.deploy("admin", &id, &revision).await.expect(201);
    let path = format!("/apis/{id}/undeploy-revision");
    house.post("admin", &format!("{path}?revisionNumber=9"), json!([{"name": "Default"}])).await.refused(404, 900_347);
    house.post("admin", &path, json!([{"name": "Default"}])).await.refused(400, 400);
    let left = house.post("admin", &format!("{path}?revisionNumber=1"), json!([{"name": "Default"}])).await.expect(201);
    assert_eq!(left, json!([]));
    house.deploy("admin", &id, &revision).await.expect(201);
    let everywhere = format!("{path}?revisionId={revision}&allEnvironments=true");
    assert_eq!(house.call("admin", Method::POST, &everywhere, None).await.expect(201), json!([]));
    house.delete("admin", &format!("/apis/{id}/revisions/{revision}")).await.expect(200);
}

#[tokio::test]
async fn a_revision_is_frozen_and_can_be_brought_back() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}");
    let revision = house.revision("admin", &id).await;
    let mut changed = house.get("admin", &path).await.expect(200);
    changed["operations"] = json!([{"target": "/new", "verb": "GET"}]);
    changed["description"] = "changed".into();
    house.put("admin", &path, changed).await.expect(200);
    house.step("admin", &id, "Publish").await.expect(200);
    let frozen = house.get("admin", &format!("/apis/{revision}")).await.expect(200);
    assert_eq!((&frozen["isRevision"], &frozen["revisionId"], &frozen["revisionedApiId"]), (&json!(true), &json!(1), &json!(id)));
    assert_eq!(frozen["operations"].as_array().unwrap().len(), 5);
    let restored = house.call("admin", Method::POST, &format!("{path}/restore-revision?revisionId={revision}"), None).await.expect(201);
    assert_eq!((&restored["id"], &restored["lifeCycleStatus"], &restored["description"]), (&json!(id), &json!("PUBLISHED"), &json!(null)));
    assert_eq!(restored["operations"].as_array().unwrap().len(), 5);
    let swagger = house.get("admin", &format!("{path}/swagger")).await.expect(200);
    assert!(swagger["paths"].get("/new").is_none());
    let of_revision = house.get("admin", &format!("/apis/{revision}/swagger")).await.expect(200);
    assert_eq!(of_revision, swagger);
}

#[tokio::test]
async fn a_deployment_is_shown_or_hidden_by_its_encoded_name() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let revision = house.revision("admin", &id).await;
    let path = format!("/apis/{id}/deployments/RGVmYXVsdA==");
    house.put("admin", &path, json!({"displayOnDevportal": false})).await.refused(404, 900_356);
    house.deploy("admin", &id, &revision).await.expect(201);
    let deployment = house.put("admin", &path, json!({"displayOnDevportal": false})).await.expect(200);
    assert_eq!((&deployment["name"], &deployment["displayOnDevportal"]), (&json!("Default"), &json!(false)));
}
