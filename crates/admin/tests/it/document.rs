//! Answers against the interface document: an operation's scopes, and the properties of what is shown.
//!
//! The document is found through `TIDEGATE_REFERENCE`; without it these tests say so and check nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use rest::Access;
use serde_json::{Value, json};

use crate::setting::{Names, Setting};

/// What this product adds to the document.
const OURS: [&str; 8] = ["/users", "/roles", "/tenants", "/continuity", "/user-stores", "/users/", "/tenants/", "/continuity/"];

fn document() -> Option<Value> {
    let Ok(folder) = std::env::var("TIDEGATE_REFERENCE") else {
        println!("skipped: TIDEGATE_REFERENCE does not say where the interface documents are");
        return None;
    };
    let text = std::fs::read_to_string(format!("{folder}/openapi/admin-v2.yaml")).unwrap();
    Some(serde_norway::from_str(&text).unwrap())
}

/// The property names of a schema, those it takes over from others included.
fn properties(document: &Value, schema: &Value) -> BTreeSet<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return properties(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    let own = schema["properties"].as_object().into_iter().flat_map(|all| all.keys().cloned());
    let parents = schema["allOf"].as_array().into_iter().flatten().flat_map(|parent| properties(document, parent));
    own.chain(parents).collect()
}

fn assert_shape(document: &Value, schema: &str, shown: &Value) {
    let expected = properties(document, &document["components"]["schemas"][schema]);
    let found: BTreeSet<String> = shown.as_object().unwrap_or_else(|| panic!("{schema}: {shown}")).keys().cloned().collect();
    assert_eq!(found, expected, "{schema}");
}

#[test]
fn every_operation_asks_for_the_documents_scopes() {
    let Some(document) = document() else { return };
    for operation in admin::operations(Arc::new(Names)) {
        let method = operation.method.as_str().to_ascii_lowercase();
        let documented = &document["paths"][operation.path][&method];
        if documented.is_null() {
            assert!(
                OURS.iter().any(|ours| operation.path == *ours || ours.ends_with('/') && operation.path.starts_with(ours))
                    || operation.path == "/roles/{roleId}",
                "{method} {}",
                operation.path
            );
            continue;
        }
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
    let setting = Setting::new().await;
    for (path, list, item) in [
        ("/throttling/policies/application", "ApplicationThrottlePolicyList", "ApplicationThrottlePolicy"),
        ("/throttling/policies/subscription", "SubscriptionThrottlePolicyList", "SubscriptionThrottlePolicy"),
        ("/throttling/policies/advanced", "AdvancedThrottlePolicyList", "AdvancedThrottlePolicyInfo"),
        ("/environments", "EnvironmentList", "Environment"),
        ("/system-scopes", "ScopeList", "Scope"),
    ] {
        let shown = setting.get("admin", path).await.body;
        assert_shape(&document, list, &shown);
        assert_shape(&document, item, &shown["list"][0]);
    }
    let refused = json!({"conditionType": "USER", "conditionValue": "dev"});
    assert_shape(&document, "BlockingCondition", &setting.post("admin", "/throttling/deny-policies", refused).await.body);
    assert_shape(&document, "BlockingConditionList", &setting.get("admin", "/throttling/deny-policies").await.body);
    let mut tx = setting.db.write().await.unwrap();
    let waiting = model::Workflow {
        reference: "r".to_owned(),
        tenant: model::TenantId::SUPER,
        kind: model::WorkflowKind::UserSignUp,
        subject: "dev".to_owned(),
        status: model::WorkflowStatus::Created,
        stale: false,
        created_at: crate::setting::NOW,
        updated_at: crate::setting::NOW,
        description: None,
        properties: Vec::new(),
    };
    db::workflows::insert(&mut tx, &waiting).await.unwrap();
    tx.commit().await.unwrap();
    assert_shape(&document, "WorkflowList", &setting.get("admin", "/workflows").await.body);
    assert_shape(&document, "WorkflowInfo", &setting.get("admin", "/workflows/r").await.body);
    let limit = &setting.get("admin", "/throttling/policies/application").await.body["list"][0]["defaultLimit"];
    assert_shape(&document, "ThrottleLimit", limit);
    assert_shape(&document, "RequestCountLimit", &limit["requestCount"]);
    assert_shape(&document, "VHost", &setting.get("admin", "/environments").await.body["list"][0]["vhosts"][0]);
    assert_shape(&document, "Settings", &setting.get("admin", "/settings").await.body);
    assert_shape(&document, "TenantInfo", &setting.get("admin", "/tenant-info/YWRtaW4=").await.body);
    let condition = json!({"type": "HEADERCONDITION", "headerCondition": {"headerName": "a", "headerValue": "b"}});
    let per_minute = json!({"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "min", "unitTime": 1, "requestCount": 1}});
    let sent =
        json!({"policyName": "Full", "defaultLimit": per_minute, "conditionalGroups": [{"conditions": [condition], "limit": per_minute}]});
    let made = setting.post("admin", "/throttling/policies/advanced", sent).await.body;
    assert_shape(&document, "AdvancedThrottlePolicy", &made);
    assert_shape(&document, "ConditionalGroup", &made["conditionalGroups"][0]);
    assert_shape(&document, "ThrottleCondition", &made["conditionalGroups"][0]["conditions"][0]);

    let application = crate::applications::application("dev", "Shop");
    let mut tx = setting.db.write().await.unwrap();
    db::applications::insert(&mut tx, &application).await.unwrap();
    tx.commit().await.unwrap();
    let applications = setting.get("admin", "/applications").await.body;
    assert_shape(&document, "ApplicationList", &applications);
    assert_shape(&document, "ApplicationInfo", &applications["list"][0]);
    assert_shape(&document, "Pagination", &applications["pagination"]);
}
