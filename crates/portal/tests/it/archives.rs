//! Applications moved from one installation to another.

use archive::{ApplicationProject, Folder, Format};
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::setting::{Setting, on_postgresql};

async fn export(setting: &Setting, token: &str, query: &str) -> (u16, Vec<u8>) {
    let request = Request::builder().uri(format!("/applications/export?{query}")).header("authorization", format!("Bearer {token}"));
    setting.raw(request.body(Body::empty()).unwrap()).await
}

async fn import(setting: &Setting, token: &str, query: &str, bytes: &[u8]) -> (u16, Value) {
    let head = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\nContent-Type: application/zip\r\n\r\n";
    let body = [head.as_bytes(), bytes, b"\r\n--edge--\r\n"].concat();
    let request = Request::builder().method("POST").uri(format!("/applications/import{query}"));
    let request = request.header("authorization", format!("Bearer {token}")).header("content-type", "multipart/form-data; boundary=edge");
    let (status, bytes) = setting.raw(request.body(Body::from(body)).unwrap()).await;
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn read(bytes: &[u8]) -> ApplicationProject {
    ApplicationProject::read(&Folder::unzip(bytes).unwrap()).unwrap()
}

/// An application of `dev` with a key, subscribed to Pizza and Pasta.
async fn furnished(setting: &Setting) -> String {
    let (pizza, pasta) = (setting.api("Pizza", |_| {}).await, setting.api("Pasta", |_| {}).await);
    let id = setting.application("dev", "Shop").await;
    for api in [&pizza, &pasta] {
        let sent = json!({"applicationId": id, "apiId": api.id.to_string(), "throttlingPolicy": "Gold"});
        assert_eq!(setting.post("dev", "/subscriptions", sent).await.status, 201);
    }
    let keys = json!({"keyType": "PRODUCTION", "grantTypesToBeSupported": ["client_credentials"]});
    let made = setting.post("dev", &format!("/applications/{id}/generate-keys"), keys).await;
    assert_eq!(made.status, 200, "{}", made.body);
    id
}

const SHOP: &str = "appName=Shop&appOwner=dev&withKeys=true";

async fn moved(there: Setting) {
    let here = Setting::new().await;
    furnished(&here).await;
    let (status, bytes) = export(&here, "mover", SHOP).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    let project = read(&bytes);
    assert_eq!((project.subscribed.len(), project.application_info.keys.len()), (2, 1));
    // One of the two APIs is there.
    there.api("Pizza", |_| {}).await;
    let (status, told) = import(&there, "mover", "?preserveOwner=true", &bytes).await;
    assert_eq!((status, &told["list"][0]["name"], &told["count"]), (207, &json!("Pasta"), &json!(1)), "{told}");
    let (status, again) = export(&there, "mover", SHOP).await;
    assert_eq!(status, 200);
    let again = read(&again);
    assert_eq!(again.application_info.owner, "dev");
    let secret = |project: &ApplicationProject| project.application_info.keys[0].secret().unwrap().unwrap().expose().clone();
    assert_eq!(again.application_info.keys[0].consumer_key, project.application_info.keys[0].consumer_key);
    assert_eq!(secret(&again), secret(&project));
    assert_eq!(again.subscribed, [project.subscribed[1].clone()]);
    // With the other API there too, what is exported is the same bytes.
    there.api("Pasta", |_| {}).await;
    assert_eq!(import(&there, "mover", "?preserveOwner=true", &bytes).await.0, 409);
    let (status, made) = import(&there, "mover", "?preserveOwner=true&update=true", &bytes).await;
    assert_eq!((status, &made["name"], &made["subscriptionCount"]), (201, &json!("Shop"), &json!(2)), "{made}");
    assert!(export(&there, "mover", SHOP).await.1 == bytes);
}

#[tokio::test]
async fn an_application_moves_with_its_keys_and_subscriptions() {
    moved(Setting::new().await).await;
}

#[tokio::test]
async fn an_application_moves_with_its_keys_and_subscriptions_on_postgresql() {
    on_postgresql(moved).await;
}

#[tokio::test]
async fn keys_and_subscriptions_are_left_out_on_request() {
    let setting = Setting::new().await;
    furnished(&setting).await;
    let (_, bytes) = export(&setting, "mover", "appName=Shop&appOwner=dev&format=JSON").await;
    assert!(Folder::unzip(&bytes).unwrap().get("application.json").is_some());
    assert!(read(&bytes).application_info.keys.is_empty());
    let (_, with) = export(&setting, "mover", SHOP).await;
    let (status, made) = import(&setting, "mover", "?skipSubscriptions=true&skipApplicationKeys=true", &with).await;
    assert_eq!((status, &made["owner"], &made["subscriptionCount"]), (201, &json!("mover"), &json!(0)), "{made}");
    // The key is somebody else's already, and nothing is written then.
    let (status, told) = import(&setting, "mover", "?appOwner=other", &with).await;
    assert_eq!((status, &told["code"]), (409, &json!(901_408)), "{told}");
    assert_eq!(export(&setting, "mover", "appName=Shop&appOwner=other").await.0, 404);
}

#[tokio::test]
async fn owners_stay_within_their_tenant() {
    let setting = Setting::new().await;
    furnished(&setting).await;
    let (_, bytes) = export(&setting, "mover", SHOP).await;
    assert_eq!(export(&setting, "dev", SHOP).await.0, 401);
    assert_eq!(export(&setting, "acme-mover", SHOP).await.0, 403);
    assert_eq!(export(&setting, "acme-mover", "appName=Shop&appOwner=ann@acme.com").await.0, 404);
    let (status, told) = import(&setting, "acme-mover", "?preserveOwner=true", &bytes).await;
    assert_eq!((status, &told["code"]), (403, &json!(901_409)));
    assert_eq!(import(&setting, "mover", "?appOwner=nobody", &bytes).await.0, 400);
    assert_eq!(import(&setting, "dev", "", &bytes).await.0, 401);
    assert_eq!(export(&setting, "mover", "appName=Shop").await.0, 400);
}

#[tokio::test]
async fn what_is_no_application_is_refused() {
    let setting = Setting::new().await;
    let (status, told) = import(&setting, "mover", "", b"no zip").await;
    assert_eq!((status, &told["code"]), (400, &json!(900_339)));
    let mut folder = Folder::default();
    folder.put("other.yaml", "x: y");
    let (status, told) = import(&setting, "mover", "", &folder.zip("r").unwrap()).await;
    assert_eq!((status, &told["code"]), (400, &json!(900_909)));
    folder.put("application.yaml", "type: api\nversion: v4.0.0\ndata: {}");
    let (status, told) = import(&setting, "mover", "", &folder.zip("r").unwrap()).await;
    assert_eq!((status, &told["code"]), (400, &json!(900_907)));
    let mut project = ApplicationProject::default();
    project.application_info.name = "Shop".to_owned();
    project.application_info.throttling_policy = "NobodyMadeIt".to_owned();
    let bytes = project.folder(Format::Yaml).zip("r").unwrap();
    let (status, told) = import(&setting, "mover", "", &bytes).await;
    assert_eq!((status, &told["code"]), (400, &json!(900_305)));
}
