//! Every declared operation times {nobody, wrong scope, wrong tenant, right user}.

use std::sync::Arc;

use axum::body::Body;
use db::files::Place;
use http::{Method, Request};
use serde_json::json;

use crate::archives::project;
use crate::house::{Gate, House, house, multipart, multipart_file, pizza, request};

const DEFINITION: &str =
    r#"{"openapi":"3.0.1","info":{"title":"T","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"description":"ok"}}}}}}"#;

/// `Default` in base64.
const DEFAULT_B64: &str = "RGVmYXVsdA";
/// `role-of-ours` in base64.
const OUR_ROLE_B64: &str = "cm9sZS1vZi1vdXJz";

/// A thing of the super tenant to try an operation on.
struct Props {
    api: String,
    running: String,
    idle: String,
    scope: String,
    fresh: String,
    document: String,
    comment: String,
}

impl Props {
    async fn new(house: &House, index: usize) -> Self {
        let api = house.pizza("admin", &format!("Pizza{index}"), "1.0.0").await;
        let running = house.revision("admin", &api).await;
        house.deploy("admin", &api, &running).await.expect(201);
        let idle = house.revision("admin", &api).await;
        let scope = json!({"name": format!("scope{index}"), "displayName": "x", "bindings": ["admin"]});
        let scope = house.post("admin", "/scopes", scope).await.expect(201)["id"].as_str().unwrap().to_owned();
        let new = json!({"name": "d", "type": "HOWTO", "sourceType": "INLINE", "visibility": "API_LEVEL"});
        let document =
            house.post("admin", &format!("/apis/{api}/documents"), new).await.expect(201)["documentId"].as_str().unwrap().to_owned();
        let comment = Self::content(house, &api, &document).await;
        Self { api, running, idle, scope, fresh: format!("Fresh{index}"), document, comment }
    }

    /// Fills the document, and adds what no operation of this door makes: a WSDL and a comment, whose id is answered.
    async fn content(house: &House, api: &str, document: &str) -> String {
        let mut tx = house.db.write().await.unwrap();
        let api = api.parse().unwrap();
        for place in [Place::Document(document.parse().unwrap()), Place::Wsdl] {
            db::files::put(&mut tx, api, &place, "f", "text/plain", b"x").await.unwrap();
        }
        let comment = model::Comment {
            id: model::CommentId::random(),
            api,
            parent: None,
            text: "x".to_owned(),
            category: "general".to_owned(),
            in_publisher: false,
            author: "dave".to_owned(),
            created_at: model::Timestamp(0),
            updated_at: None,
        };
        db::comments::insert(&mut tx, &comment).await.unwrap();
        tx.commit().await.unwrap();
        comment.id.to_string()
    }
}

/// A request that succeeds for the right user. `None` where no row is written, which the test below does not let pass.
fn row(method: &Method, path: &str, token: &str, props: &Props) -> Option<Request<Body>> {
    let Props { api, running, idle, scope, fresh, document, comment } = props;
    let plain = |at: String| request(token, method.clone(), &at, None);
    let json = |at: String, body| request(token, method.clone(), &at, Some(body));
    let form = |at: String, parts: &[(&str, &str)]| multipart(token, method.clone(), &at, parts);
    let of = |tail: &str| format!("/apis/{api}{tail}");
    Some(match (method.as_str(), path) {
        ("GET", "/apis" | "/search" | "/settings") => plain(path.to_owned()),
        ("POST", "/apis") => json("/apis".into(), pizza(fresh, "1.0.0")),
        ("POST", "/apis/import-openapi") => {
            let properties = pizza(fresh, "1.0.0").to_string();
            form(path.into(), &[("inlineAPIDefinition", DEFINITION), ("additionalProperties", &properties)])
        }
        ("POST", "/apis/validate-openapi") => form(path.into(), &[("inlineAPIDefinition", DEFINITION)]),
        ("POST", "/apis/validate") => plain(format!("/apis/validate?query=name:{}", fresh.replace("Fresh", "Pizza"))),
        ("POST", "/apis/copy-api") => plain(format!("/apis/copy-api?apiId={api}&newVersion=2.0.0")),
        ("POST", "/apis/change-lifecycle") => plain(format!("/apis/change-lifecycle?apiId={api}&action=Publish")),
        ("GET", "/apis/export") => plain(format!("/apis/export?apiId={api}")),
        ("POST", "/apis/import") => multipart_file(token, method.clone(), path, "a.zip", "application/zip", &project(fresh, "1.0.0")),
        ("GET", "/apis/{apiId}") => plain(of("")),
        ("PUT", "/apis/{apiId}") => {
            let mut body = pizza("Pizza", "1.0.0");
            body["operations"] = json!([{"target": "/x", "verb": "GET"}]);
            json(of(""), body)
        }
        ("DELETE", "/apis/{apiId}") => plain(of("")),
        ("GET", "/apis/{apiId}/swagger") => plain(of("/swagger")),
        ("PUT", "/apis/{apiId}/swagger") => form(of("/swagger"), &[("apiDefinition", DEFINITION)]),
        ("GET", "/apis/{apiId}/documents" | "/apis/{apiId}/thumbnail" | "/apis/{apiId}/wsdl" | "/apis/{apiId}/comments") => {
            plain(path.replace("{apiId}", api))
        }
        ("POST", "/apis/{apiId}/documents") => {
            json(of("/documents"), json!({"name": "e", "type": "HOWTO", "sourceType": "INLINE", "visibility": "API_LEVEL"}))
        }
        ("POST", "/apis/{apiId}/documents/validate") => plain(of("/documents/validate?name=d")),
        ("GET" | "DELETE", "/apis/{apiId}/documents/{documentId}") => plain(of(&format!("/documents/{document}"))),
        ("PUT", "/apis/{apiId}/documents/{documentId}") => {
            let body = json!({"name": "d", "type": "SAMPLES", "sourceType": "INLINE", "visibility": "API_LEVEL"});
            json(of(&format!("/documents/{document}")), body)
        }
        ("GET", "/apis/{apiId}/documents/{documentId}/content") => plain(of(&format!("/documents/{document}/content"))),
        ("POST", "/apis/{apiId}/documents/{documentId}/content") => {
            form(of(&format!("/documents/{document}/content")), &[("inlineContent", "x")])
        }
        ("PUT", "/apis/{apiId}/thumbnail") => form(of("/thumbnail"), &[("file", "<svg/>")]),
        ("GET", "/apis/{apiId}/comments/{commentId}") => plain(of(&format!("/comments/{comment}"))),
        ("GET", "/apis/{apiId}/lifecycle-state") => plain(of("/lifecycle-state")),
        ("GET", "/apis/{apiId}/lifecycle-history") => plain(of("/lifecycle-history")),
        ("GET", "/apis/{apiId}/revisions") => plain(of("/revisions")),
        ("POST", "/apis/{apiId}/revisions") => json(of("/revisions"), json!({})),
        ("GET" | "DELETE", "/apis/{apiId}/revisions/{revisionId}") => plain(of(&format!("/revisions/{idle}"))),
        ("POST", "/apis/{apiId}/deploy-revision") => json(of(&format!("/deploy-revision?revisionId={idle}")), json!([{"name": "Default"}])),
        ("POST", "/apis/{apiId}/undeploy-revision") => {
            json(of(&format!("/undeploy-revision?revisionId={running}")), json!([{"name": "Default"}]))
        }
        ("POST", "/apis/{apiId}/restore-revision") => plain(of(&format!("/restore-revision?revisionId={idle}"))),
        ("GET", "/apis/{apiId}/deployments") => plain(of("/deployments")),
        ("PUT", "/apis/{apiId}/deployments/{deploymentId}") => {
            json(of(&format!("/deployments/{DEFAULT_B64}")), json!({"displayOnDevportal": false}))
        }
        ("GET", "/throttling-policies/{policyLevel}") => plain("/throttling-policies/api".into()),
        ("GET", "/throttling-policies/streaming/subscription") => plain(path.to_owned()),
        ("GET", "/throttling-policies/{policyLevel}/{policyName}") => plain("/throttling-policies/subscription/OnlyOurs".into()),
        ("GET", "/scopes") => plain(path.to_owned()),
        ("POST", "/scopes") => json("/scopes".into(), json!({"name": fresh, "displayName": "x"})),
        ("GET" | "DELETE", "/scopes/{scopeId}") => plain(format!("/scopes/{scope}")),
        ("PUT", "/scopes/{scopeId}") => json(format!("/scopes/{scope}"), json!({"name": "x", "displayName": "y"})),
        ("GET", "/scopes/{scopeId}/usage") => plain(format!("/scopes/{scope}/usage")),
        ("HEAD", "/scopes/{scopeId}") => plain("/scopes/c2NvcGUw".into()),
        ("HEAD", "/roles/{roleId}") => plain(format!("/roles/{OUR_ROLE_B64}")),
        ("HEAD", "/me/roles/{roleId}") => plain("/me/roles/YWRtaW4".into()),
        _ => return None,
    })
}

/// What another tenant's administrator gets.
fn of_strangers(method: &Method, path: &str) -> u16 {
    match (method.as_str(), path) {
        // Nothing of the super tenant is named here.
        ("GET", "/scopes") => 200,
        ("POST", "/scopes") => 201,
        (
            "GET",
            "/apis" | "/search" | "/settings" | "/throttling-policies/{policyLevel}" | "/throttling-policies/streaming/subscription",
        ) => 200,
        ("POST", "/apis" | "/apis/import-openapi") => 201,
        // Its provider is of another tenant.
        ("POST", "/apis/import") => 403,
        ("POST", "/apis/validate-openapi") | ("HEAD", "/me/roles/{roleId}") => 200,
        _ => 404,
    }
}

#[tokio::test]
async fn every_operation_asks_who_is_there() {
    let house = house().await;
    let mut tx = house.db.write().await.unwrap();
    db::roles::insert(&mut tx, model::TenantId::SUPER, "role-of-ours").await.unwrap();
    let mut ours = model::default_subscription_policies(model::TenantId::SUPER).remove(0);
    ours.id = model::PolicyId::random();
    ours.name = "OnlyOurs".to_owned();
    db::policies::subscription::insert(&mut tx, &ours).await.unwrap();
    tx.commit().await.unwrap();

    let operations = tidegate_publisher::operations(Arc::new(Gate));
    assert!(operations.len() >= 36);
    for (index, operation) in operations.iter().enumerate() {
        let named = format!("{} {}", operation.method, operation.path);
        let props = Props::new(&house, index).await;
        let ask = async |token: &str| {
            let request = row(&operation.method, operation.path, token, &props).unwrap_or_else(|| panic!("{named} is not in the table"));
            house.send(request).await
        };
        if operation.path != "/settings" {
            assert_eq!(ask("").await.status, 401, "{named} by nobody");
            assert_eq!(ask("scopeless").await.status, 401, "{named} without scope");
        }
        assert_eq!(ask("unknown").await.status, 401, "{named} with a bad token");
        let stranger = ask("stranger").await;
        assert_eq!(stranger.status, of_strangers(&operation.method, operation.path), "{named} by a stranger: {}", stranger.text);
        assert!(!stranger.text.contains(&props.api) || stranger.status == 404, "{named} shows a stranger our API");
        let right = ask("admin").await;
        assert!(right.status.is_success(), "{named} by the right user: {} {}", right.status, right.text);
    }
}

#[tokio::test]
async fn a_stranger_lists_nothing_of_ours() {
    let house = house().await;
    house.pizza("admin", "Pizza", "1.0.0").await;
    for path in ["/apis", "/search?query=name:Pizza", "/apis?query=Pizza"] {
        assert_eq!(house.get("stranger", path).await.expect(200)["count"], 0);
        assert_eq!(house.get("admin", path).await.expect(200)["count"], 1);
    }
}
