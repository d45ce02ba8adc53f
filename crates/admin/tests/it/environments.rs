//! Environments.

use model::{Deployment, RevisionId};
use serde_json::{Value, json};

use crate::setting::{NOW, Setting};

fn environment(name: &str) -> Value {
    json!({"name": name, "displayName": "Europe", "vhosts": [{"host": "gw.example.com", "httpPort": 8280, "httpsPort": 8243}]})
}

#[tokio::test]
async fn an_environment_is_made_changed_and_removed() {
    let setting = Setting::new().await;
    let made = setting.post("admin", "/environments", environment("eu")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert!(made.location.unwrap().ends_with(&id));
    assert_eq!(
        made.body["vhosts"][0],
        json!({"host": "gw.example.com", "httpContext": "", "httpPort": 8280, "httpsPort": 8243, "wsPort": 9099, "wssPort": 8099})
    );
    let list = setting.get("admin", "/environments").await.body;
    assert_eq!((&list["count"], &list["list"][0]["id"], &list["list"][1]["id"]), (&json!(2), &json!("Default"), &json!(id)));
    assert_eq!(list["list"][0]["isReadOnly"], true);

    let path = format!("/environments/{id}");
    let mut change = made.body.clone();
    change["displayName"] = json!("Europe, west");
    assert_eq!(setting.put("admin", &path, change.clone()).await.body, change);
    assert_eq!(setting.delete("admin", &path).await.status, 200);
    assert_eq!(setting.delete("admin", &path).await.body["code"], 900_506);
}

#[tokio::test]
async fn rules_have_their_codes() {
    let setting = Setting::new().await;
    let code = |answer: crate::setting::Answer| (answer.status, answer.body["code"].as_u64().unwrap());
    assert_eq!(code(setting.post("admin", "/environments", environment("Default")).await), (400, 900_507));
    assert_eq!(code(setting.put("admin", "/environments/Default", environment("Default")).await), (400, 900_508));
    assert_eq!(code(setting.delete("admin", "/environments/Default").await), (400, 900_508));
    let mut twice = environment("us");
    twice["vhosts"] = json!([{"host": "a.com"}, {"host": "A.com"}]);
    assert_eq!(code(setting.post("admin", "/environments", twice).await), (400, 900_509));
    setting.post("admin", "/environments", environment("us")).await;
    assert_eq!(code(setting.put("admin", "/environments/us", environment("uk")).await), (400, 900_510));
    for (field, value) in
        [("name", json!("a b")), ("vhosts", json!([])), ("vhosts", json!([{"host": "a_b"}])), ("description", json!("x".repeat(1024)))]
    {
        let mut bad = environment("bad");
        bad[field] = value;
        assert_eq!(code(setting.post("admin", "/environments", bad).await), (400, 400), "{field}");
    }
    assert_eq!(setting.post("acme", "/environments", environment("theirs")).await.status, 403);
    assert_eq!(setting.delete("acme", "/environments/us").await.status, 403);
}

#[tokio::test]
async fn what_ran_in_a_removed_environment_runs_there_no_more() {
    let setting = Setting::new().await;
    setting.post("admin", "/environments", environment("eu")).await;
    let api = model::Api::new(model::ApiId::random(), model::TenantId::SUPER, "admin", "Pizza", "1.0", "/pizza/{version}", NOW);
    let revision = model::Revision {
        id: RevisionId::random(),
        api: api.id,
        number: 1,
        description: None,
        content: std::sync::Arc::new(api.clone()),
        definition: None,
        created_at: NOW,
    };
    let deployment = |environment: &str| Deployment {
        api: api.id,
        environment: environment.to_owned(),
        revision: revision.id,
        vhost: "gw.example.com".to_owned(),
        display_on_portal: true,
        deployed_at: NOW,
    };
    let mut tx = setting.db.write().await.unwrap();
    db::apis::insert(&mut tx, &api).await.unwrap();
    db::revisions::insert(&mut tx, &revision).await.unwrap();
    for environment in ["Default", "eu"] {
        db::deployments::put(&mut tx, &deployment(environment)).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(setting.delete("admin", "/environments/eu").await.status, 200);
    let left = db::deployments::list(&mut setting.db.read().await.unwrap(), api.id).await.unwrap();
    assert_eq!(left, [deployment("Default")]);
}
