//! Answers against the interface document: an operation's scopes, and the properties of what is shown.
//!
//! The document is found through `TIDEGATE_REFERENCE`; without it these tests say so and check nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use rest::Access;
use serde_json::{Value, json};

use crate::setting::{Names, Setting};

fn document() -> Option<Value> {
    let Ok(folder) = std::env::var("TIDEGATE_REFERENCE") else {
        println!("skipped: TIDEGATE_REFERENCE does not say where the interface documents are");
        return None;
    };
    let text = std::fs::read_to_string(format!("{folder}/openapi/devportal-v2.yaml")).unwrap();
    Some(serde_norway::from_str(&text).unwrap())
}

/// A schema with its references followed.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(document, document.pointer(reference.trim_start_matches('#')).unwrap()),
        None => schema,
    }
}

fn properties(document: &Value, schema: &Value) -> BTreeSet<String> {
    let schema = resolved(document, schema);
    let own = schema["properties"].as_object().into_iter().flat_map(|all| all.keys().cloned());
    let parents = schema["allOf"].as_array().into_iter().flatten().flat_map(|parent| properties(document, parent));
    own.chain(parents).collect()
}

/// `shown` has the schema's properties, no more and no fewer.
fn assert_shape(document: &Value, schema: &Value, shown: &Value, what: &str) {
    let expected = properties(document, schema);
    let found: BTreeSet<String> = shown.as_object().unwrap_or_else(|| panic!("{what}: {shown}")).keys().cloned().collect();
    assert_eq!(found, expected, "{what}");
}

#[test]
fn every_operation_asks_for_the_documents_scopes() {
    let Some(document) = document() else { return };
    for operation in portal::operations(Arc::new(Names)) {
        let method = operation.method.as_str().to_ascii_lowercase();
        let documented = &document["paths"][operation.path][&method];
        assert!(documented.is_object(), "{method} {} is in no document", operation.path);
        let Access::Scopes(scopes) = operation.access else { continue };
        let asked: BTreeSet<&str> = scopes.iter().copied().collect();
        let expected: BTreeSet<&str> = documented["security"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|entry| entry["OAuth2Security"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(asked, expected, "{method} {}", operation.path);
    }
}

#[tokio::test]
async fn what_is_shown_has_the_documents_properties() {
    let Some(document) = document() else { return };
    let schemas = &document["components"]["schemas"];
    let check = |schema: &str, shown: &Value| assert_shape(&document, &schemas[schema], shown, schema);
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |api| api.tags = vec!["food".to_owned()]).await;
    setting.deploy(&api).await;
    let id = setting.application("dev", "Shop").await;
    let keys = json!({"keyType": "PRODUCTION", "grantTypesToBeSupported": ["client_credentials"]});
    let key = setting.post("dev", &format!("/applications/{id}/generate-keys"), keys).await.body;
    check("ApplicationKey", &key);
    check("ApplicationToken", &key["token"]);
    let sent = json!({"applicationId": id, "apiId": api.id.to_string(), "throttlingPolicy": "Gold"});
    let subscription = setting.post("dev", "/subscriptions", sent).await.body;
    check("Subscription", &subscription);
    check("APIInfo", &subscription["apiInfo"]);
    check("ApplicationInfo", &subscription["applicationInfo"]);

    let at = |tail: &str| format!("/apis/{}{tail}", api.id);
    check("Rating", &setting.put("dev", &at("/user-rating"), json!({"rating": 4})).await.body);
    let ratings = setting.get("dev", &at("/ratings")).await.body;
    check("RatingList", &ratings);
    check("Rating", &ratings["list"][0]);
    check("Comment", &setting.post("dev", &at("/comments"), json!({"content": "x"})).await.body);
    check("CommentList", &setting.get("dev", &at("/comments")).await.body);
    check("DocumentList", &setting.get("dev", &at("/documents")).await.body);
    let shown = setting.get("dev", &format!("/apis/{}", api.id)).await.body;
    check("API", &shown);
    check("AdvertiseInfo", &shown["advertiseInfo"]);
    check("APIBusinessInformation", &shown["businessInformation"]);
    check("APIMonetizationInfo", &shown["monetization"]);
    check("APIOperations", &shown["operations"][0]);
    let inner = |name: &str| &schemas["API"]["properties"][name]["items"];
    assert_shape(&document, inner("endpointURLs"), &shown["endpointURLs"][0], "endpointURLs");
    assert_shape(&document, &resolved(&document, inner("endpointURLs"))["properties"]["URLs"], &shown["endpointURLs"][0]["URLs"], "URLs");
    assert_shape(&document, inner("tiers"), &shown["tiers"][0], "tiers");

    for (path, list, item) in [
        ("/apis", "APIList", "APIInfo"),
        ("/search?query=pizza", "SearchResultList", "APISearchResult"),
        ("/tags", "TagList", "Tag"),
        ("/applications", "ApplicationList", "ApplicationInfo"),
        ("/throttling-policies/subscription", "ThrottlingPolicyList", "ThrottlingPolicy"),
        ("/throttling-policies/application", "ThrottlingPolicyList", "ThrottlingPolicy"),
        ("/key-managers", "KeyManagerList", "KeyManagerInfo"),
        ("/tenants", "TenantList", "Tenant"),
    ] {
        let shown = setting.get("dev", path).await.body;
        check(list, &shown);
        check(item, &shown["list"][0]);
    }
    let key_manager = setting.get("dev", "/key-managers").await.body["list"][0].clone();
    check("KeyManagerApplicationConfiguration", &key_manager["applicationConfiguration"][0]);
    check("ApplicationKeyList", &setting.get("dev", &format!("/applications/{id}/oauth-keys")).await.body);
    check("Application", &setting.get("dev", &format!("/applications/{id}")).await.body);
    check("Settings", &setting.get("dev", "/settings").await.body);
    check("ApplicationAttributeList", &setting.get("dev", "/settings/application-attributes").await.body);
    check("APICategoryList", &setting.get("dev", "/api-categories").await.body);
    let error = setting.get("dev", "/apis/none").await.body;
    check("Error", &error);
}
