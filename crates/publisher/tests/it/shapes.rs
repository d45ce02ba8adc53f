//! Answers and declared scopes against the interface document, where it is at hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use rest::Access;
use serde_json::{Value, json};

use crate::house::{Gate, house, pizza};

/// The publisher's document; `None`, said aloud, when there is none to read.
fn document() -> Option<Value> {
    let Some(folder) = std::env::var_os("TIDEGATE_REFERENCE") else {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("skipped: TIDEGATE_REFERENCE does not name a folder with interface documents");
        }
        return None;
    };
    let path = std::path::Path::new(&folder).join("openapi/publisher-v2.yaml");
    Some(serde_norway::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(link) => resolved(document, document.pointer(link.trim_start_matches('#')).unwrap()),
        None => schema,
    }
}

/// Properties of a schema, those it extends included.
fn properties<'d>(document: &'d Value, schema: &'d Value) -> Vec<(&'d String, &'d Value)> {
    let schema = resolved(document, schema);
    let own = schema["properties"].as_object().into_iter().flatten();
    let inherited = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| properties(document, part));
    own.chain(inherited).collect()
}

/// Every property of the schema is there, and no other; types are those of the document.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = resolved(document, schema);
    let wanted = properties(document, schema);
    if value.is_null() {
        return;
    }
    match schema["type"].as_str() {
        Some("array") => {
            let items = value.as_array().unwrap_or_else(|| panic!("{place} is no list: {value}"));
            for (index, item) in items.iter().enumerate() {
                check(document, &schema["items"], item, &format!("{place}[{index}]"));
            }
        }
        Some("string") => {
            let epoch = schema["format"] == "date-time" && value.is_i64();
            assert!(value.is_string() || epoch, "{place} is no text: {value}");
            if let Some(words) = schema["enum"].as_array() {
                assert!(words.contains(value), "{place} is none of the words: {value}");
            }
        }
        Some("boolean") => assert!(value.is_boolean(), "{place}: {value}"),
        Some("integer" | "int") => assert!(value.is_i64() || value.is_u64(), "{place}: {value}"),
        _ if wanted.is_empty() => {}
        _ => {
            let object = value.as_object().unwrap_or_else(|| panic!("{place} is no object: {value}"));
            let there: BTreeSet<&str> = object.keys().map(String::as_str).collect();
            let named: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(there, named, "{place}");
            for (name, part) in wanted {
                check(document, part, &object[name], &format!("{place}.{name}"));
            }
        }
    }
}

#[tokio::test]
async fn answers_have_the_shape_of_their_schema() {
    let Some(document) = document() else { return };
    let house = house().await;
    let is = |schema: &str, value: &Value| check(&document, &document["components"]["schemas"][schema], value, schema);

    let mut body = pizza("Pizza", "1.0.0");
    let full = json!({
        "description": "d", "tags": ["t"], "maxTps": {"production": 5}, "visibility": "RESTRICTED", "visibleRoles": ["admin"],
        "additionalProperties": [{"name": "team", "value": "blue", "display": true}],
        "businessInformation": {"businessOwner": "b", "businessOwnerEmail": "b@example.org"},
        "mediationPolicies": [{"name": "log", "type": "in", "shared": true}],
        "scopes": [{"scope": {"name": "order", "displayName": "Order", "bindings": ["admin"]}, "shared": false}],
        "operations": [{"target": "/order", "verb": "POST", "scopes": ["order"], "authType": "Application User"}],
        "threatProtectionPolicies": {"list": [{"policyId": "x", "priority": 1}]},
        "serviceInfo": {"key": "k", "name": "n", "version": "1", "outdated": false},
    });
    body.as_object_mut().unwrap().extend(full.as_object().unwrap().clone());
    let api = house.post("admin", "/apis", body).await.expect(201);
    is("API", &api);
    let id = api["id"].as_str().unwrap();
    is("API", &house.get("admin", &format!("/apis/{id}")).await.expect(200));
    is("APIList", &house.get("admin", "/apis").await.expect(200));
    is("SearchResultList", &house.get("admin", "/search?query=Pizza").await.expect(200));
    let hit = house.get("admin", "/search?query=Pizza").await.expect(200)["list"][0].clone();
    is("APISearchResult", &hit);
    let new = json!({"name": "d", "type": "HOWTO", "sourceType": "INLINE", "visibility": "API_LEVEL"});
    is("Document", &house.post("admin", &format!("/apis/{id}/documents"), new).await.expect(201));
    is("DocumentList", &house.get("admin", &format!("/apis/{id}/documents")).await.expect(200));
    is("CommentList", &house.get("admin", &format!("/apis/{id}/comments")).await.expect(200));
    is("LifecycleState", &house.get("admin", &format!("/apis/{id}/lifecycle-state")).await.expect(200));
    is("WorkflowResponse", &house.step("admin", id, "Publish").await.expect(200));
    is("LifecycleHistory", &house.get("admin", &format!("/apis/{id}/lifecycle-history")).await.expect(200));
    is("APIRevision", &house.post("admin", &format!("/apis/{id}/revisions"), json!({"description": "x"})).await.expect(201));
    let list = house.get("admin", &format!("/apis/{id}/revisions")).await.expect(200);
    is("APIRevisionList", &list);
    let revision = list["list"][0]["id"].as_str().unwrap();
    let deployed = house.deploy("admin", id, revision).await.expect(201);
    is("APIRevisionDeployment", &deployed[0]);
    is("APIRevisionDeploymentList", &house.get("admin", &format!("/apis/{id}/deployments")).await.expect(200));
    is("API", &house.get("admin", &format!("/apis/{revision}")).await.expect(200));
    is("ThrottlingPolicyList", &house.get("admin", "/throttling-policies/subscription").await.expect(200));
    is("ThrottlingPolicyList", &house.get("admin", "/throttling-policies/api").await.expect(200));
    is("ThrottlingPolicy", &house.get("admin", "/throttling-policies/api/10KPerMin").await.expect(200));
    is("SubscriptionPolicyList", &house.get("admin", "/throttling-policies/streaming/subscription").await.expect(200));
    let scope = house.post("admin", "/scopes", json!({"name": "s", "displayName": "S"})).await.expect(201);
    is("Scope", &scope);
    is("ScopeList", &house.get("admin", "/scopes").await.expect(200));
    is("SharedScopeUsage", &house.get("admin", &format!("/scopes/{}/usage", scope["id"].as_str().unwrap())).await.expect(200));
    is("Settings", &house.get("admin", "/settings").await.expect(200));
    is("Error", &house.get("admin", "/apis/none").await.expect(404));
    let judged = house.upload("admin", Method::POST, "/apis/validate-openapi", &[("inlineAPIDefinition", "{}")]).await.expect(200);
    is("OpenAPIDefinitionValidationResponse", &judged);
}

#[test]
fn scopes_are_those_of_the_document() {
    let Some(document) = document() else { return };
    for operation in tidegate_publisher::operations(Arc::new(Gate)) {
        let named = format!("{} {}", operation.method, operation.path);
        let declared = &document["paths"][operation.path][operation.method.as_str().to_lowercase()];
        assert!(!declared.is_null(), "{named} is not in the document");
        let listed = declared["security"][0]["OAuth2Security"].as_array().unwrap_or_else(|| panic!("{named} names no scopes"));
        let listed: BTreeSet<&str> = listed.iter().map(|scope| scope.as_str().unwrap()).collect();
        match operation.access {
            Access::Scopes(scopes) => assert_eq!(scopes.iter().copied().collect::<BTreeSet<_>>(), listed, "{named}"),
            other => assert_eq!((operation.path, other), ("/settings", Access::Anybody)),
        }
    }
}

#[tokio::test]
async fn settings_name_every_scope_of_the_document() {
    let Some(document) = document() else { return };
    let house = house().await;
    let anonymous = house.get("", "/settings").await.expect(200);
    assert!(anonymous["environment"].is_null());
    let shown: BTreeSet<&str> = anonymous["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
    let flow = &document["components"]["securitySchemes"]["OAuth2Security"]["flows"]["password"]["scopes"];
    let listed: BTreeSet<&str> = flow.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(shown, listed);
}
