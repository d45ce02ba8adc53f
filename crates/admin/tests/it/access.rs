//! Every operation times {nobody, somebody without the scope, a bad token, an administrator}.

use std::sync::Arc;

use rest::Access;
use serde_json::json;

use crate::setting::{Names, Setting};

#[tokio::test]
async fn nobody_gets_in_without_the_scope() {
    let setting = Setting::new().await;
    let operations = admin::operations(Arc::new(Names));
    assert!(operations.len() > 30);
    for operation in operations {
        let path = operation.path.replace(['{', '}'], "");
        let method = operation.method.as_str();
        let status = async |token: &str| setting.ask(token, method, &path, Some(json!({}))).await.status;
        assert_eq!(status("stranger").await, 401, "{method} {path}");
        match operation.access {
            Access::Anybody => assert_eq!(status("").await, 200, "{method} {path}"),
            Access::Scopes(_) => {
                assert_eq!(status("").await, 401, "{method} {path}");
                assert_eq!(status("developer").await, 401, "{method} {path}");
                assert_ne!(status("admin").await, 401, "{method} {path}");
            }
            other => panic!("{method} {path}: {other:?} has no place here"),
        }
    }
}

#[tokio::test]
async fn strangers_see_only_which_scopes_to_ask_for() {
    let setting = Setting::new().await;
    let open = setting.get("", "/settings").await.body;
    assert!(open["scopes"].as_array().unwrap().contains(&json!("apim:tier_manage")));
    assert_eq!(open.as_object().unwrap().len(), 1);
    assert_eq!(setting.get("admin", "/settings").await.body["analyticsEnabled"], false);
}

#[tokio::test]
async fn scope_mappings_are_read_replaced_and_asked() {
    let setting = Setting::new().await;
    let before = setting.get("admin", "/system-scopes").await.body;
    assert!(before["count"].as_u64().unwrap() > 60);
    let list = json!({"list": [
        {"name": "apim:tier_view", "roles": ["Internal/publisher"]},
        {"name": "apim:bl_view", "roles": []},
    ]});
    let after = setting.put("admin", "/system-scopes", list).await;
    assert_eq!((after.status, &after.body["count"]), (200, &json!(1)));
    assert_eq!(setting.get("acme", "/system-scopes").await.body["count"], before["count"], "another tenant's mapping stays");
    // base64 of apim:tier_view and of apim:bl_view
    assert_eq!(setting.get("admin", "/system-scopes/YXBpbTp0aWVyX3ZpZXc=").await.body["name"], "apim:tier_view");
    assert_eq!(setting.get("admin", "/system-scopes/YXBpbTp0aWVyX3ZpZXc=?username=admin").await.status, 200);
    assert_eq!(setting.get("admin", "/system-scopes/YXBpbTp0aWVyX3ZpZXc=?username=dev").await.status, 404);
    assert_eq!(setting.get("admin", "/system-scopes/YXBpbTpibF92aWV3").await.status, 404);
    let twice = json!({"list": [{"name": "a", "roles": ["x"]}, {"name": "a", "roles": ["y"]}]});
    assert_eq!(setting.put("admin", "/system-scopes", twice).await.status, 400);
}
