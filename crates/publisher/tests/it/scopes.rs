//! Shared scopes.

use serde_json::{Value, json};

use crate::house::{house, pizza};

fn order(roles: Value) -> Value {
    json!({"name": "order", "displayName": "Order", "bindings": roles})
}

fn using_order(name: &str) -> Value {
    let mut body = pizza(name, "1.0.0");
    body["scopes"] = json!([{"scope": {"name": "order", "bindings": []}, "shared": true}]);
    body["operations"] = json!([{"target": "/order", "verb": "POST", "scopes": ["order"]}, {"target": "/menu", "verb": "GET"}]);
    body
}

#[tokio::test]
async fn an_api_takes_a_shared_scope_as_it_is_and_follows_its_changes() {
    let house = house().await;
    let made = house.post("admin", "/scopes", order(json!(["admin"]))).await.expect(201);
    let path = format!("/scopes/{}", made["id"].as_str().unwrap());
    // What the client says about its roles does not count.
    let api = house.post("creator", "/apis", using_order("Pizza")).await.expect(201);
    assert_eq!(api["scopes"][0]["scope"]["bindings"], json!(["admin"]));
    let changed = house.put("admin", &path, order(json!(["Internal/subscriber"]))).await.expect(200);
    assert_eq!((&changed["bindings"], &changed["usageCount"]), (&json!(["Internal/subscriber"]), &json!(1)));
    let api = house.get("creator", &format!("/apis/{}", api["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(api["scopes"][0]["scope"]["bindings"], json!(["Internal/subscriber"]));
    let usage = house.get("admin", &format!("{path}/usage")).await.expect(200);
    assert_eq!(usage["usedApiList"][0]["usedResourceList"], json!([{"target": "/order", "verb": "POST"}]));
    house.delete("admin", &path).await.refused(409, 900_985);
    house.delete("admin", &format!("/apis/{}", api["id"].as_str().unwrap())).await.expect(200);
    house.delete("admin", &path).await.expect(200);
    house.get("admin", &path).await.refused(404, 900_981);
}

#[tokio::test]
async fn shared_scopes_have_rules() {
    let house = house().await;
    house.post("admin", "/scopes", order(json!(["admin"]))).await.expect(201);
    house.post("admin", "/scopes", order(json!(["admin"]))).await.refused(409, 900_984);
    house.post("admin", "/scopes", json!({"name": "x"})).await.refused(400, 900_987);
    house.post("admin", "/scopes", json!({"name": "a b", "displayName": "x"})).await.refused(400, 400);
    house.post("admin", "/scopes", json!({"name": "x", "displayName": "x", "bindings": ["nobody"]})).await.refused(400, 900_607);
    let mut local = using_order("Local");
    local["scopes"][0]["shared"] = false.into();
    house.post("admin", "/apis", local).await.refused(400, 900_988);
    // A scope that an API has of its own cannot become everybody's.
    let mut body = pizza("Pizza", "1.0.0");
    body["scopes"] = json!([{"scope": {"name": "own"}, "shared": false}]);
    house.post("admin", "/apis", body).await.expect(201);
    house.post("admin", "/scopes", json!({"name": "own", "displayName": "x"})).await.refused(409, 900_984);
}
