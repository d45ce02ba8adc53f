//! Definitions that come in and go out.

use http::Method;
use serde_json::{Value, json};
use tidegate_publisher::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::house::{house, house_with, pizza};

const YAML: &str = r"
openapi: 3.0.1
info: {title: Menu, version: 3.1.4, description: What there is}
servers: [{url: 'https://backend.example.org/menu'}]
paths:
  /menu:
    get:
      summary: Kept as written
      x-auth-type: None
      responses: {'200': {description: ok}}
  /order/{id}:
    put:
      security: [{default: [order]}]
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: ok}}
components:
  securitySchemes:
    default:
      type: oauth2
      flows: {implicit: {authorizationUrl: 'https://x', scopes: {order: To order}, x-scopes-bindings: {order: admin}}}
";

const JSON2: &str = r#"{"swagger":"2.0","info":{"title":"Old","version":"1"},"basePath":"/old","paths":{"/a":{"get":{"responses":{"200":{"description":"ok"}}}}}}"#;

fn properties(name: &str) -> String {
    pizza(name, "1.0.0").to_string()
}

#[tokio::test]
async fn an_import_takes_operations_and_scopes_from_the_definition() {
    let house = house().await;
    let sent = properties("Menu");
    let parts = [("file", YAML), ("additionalProperties", sent.as_str())];
    let api = house.upload("creator", Method::POST, "/apis/import-openapi", &parts).await.expect(201);
    assert_eq!((&api["name"], &api["version"], &api["type"]), (&json!("Menu"), &json!("1.0.0"), &json!("HTTP")));
    let operations: Vec<(&str, &str, &str)> = api["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| (o["verb"].as_str().unwrap(), o["target"].as_str().unwrap(), o["authType"].as_str().unwrap()))
        .collect();
    assert_eq!(operations, [("GET", "/menu", "None"), ("PUT", "/order/{id}", "Application & Application User")]);
    assert_eq!(api["scopes"][0]["scope"]["bindings"], json!(["admin"]));
    assert_eq!(api["operations"][1]["scopes"], json!(["order"]));
    let answer = house.get("creator", &format!("/apis/{}/swagger", api["id"].as_str().unwrap())).await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"swagger.json\"");
    let swagger = answer.expect(200);
    assert_eq!(swagger["paths"]["/menu"]["get"]["summary"], "Kept as written");
    let old = properties("Old");
    let parts = [("inlineAPIDefinition", JSON2), ("additionalProperties", old.as_str())];
    let api = house.upload("creator", Method::POST, "/apis/import-openapi", &parts).await.expect(201);
    assert_eq!(api["operations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_import_needs_exactly_one_valid_definition_and_an_api() {
    let house = house().await;
    let sent = properties("Menu");
    let import = async |parts: &[(&str, &str)]| house.upload("creator", Method::POST, "/apis/import-openapi", parts).await;
    import(&[("additionalProperties", &sent)]).await.refused(400, 400);
    import(&[("file", YAML), ("inlineAPIDefinition", YAML), ("additionalProperties", &sent)]).await.refused(400, 400);
    import(&[("file", YAML)]).await.refused(400, 400);
    import(&[("file", YAML), ("additionalProperties", "{\"colour\":1}")]).await.refused(400, 400);
    import(&[("file", "{\"openapi\":\"3.0.0\"}"), ("additionalProperties", &sent)]).await.refused(400, 900_753);
    let mut soap = pizza("Menu", "1.0.0");
    soap["type"] = "SOAP".into();
    import(&[("file", YAML), ("additionalProperties", &soap.to_string())]).await.refused(400, 400);
    import(&[("url", "file:///etc/passwd"), ("additionalProperties", &sent)]).await.refused(400, 900_756);
    assert_eq!(house.get("admin", "/apis").await.expect(200)["count"], 0);
}

#[tokio::test]
async fn a_definition_of_megabytes_is_taken_and_one_beyond_the_bound_is_not() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}/swagger");
    let large = |bytes: usize| JSON2.replace("\"Old\"", &format!("\"Old\",\"description\":\"{}\"", "x".repeat(bytes)));
    house.upload("admin", Method::PUT, &path, &[("file", &large(5 << 20))]).await.expect(200);
    house.upload("admin", Method::PUT, &path, &[("file", &large(10 << 20))]).await.refused(413, 413);
}

#[tokio::test]
async fn a_definition_is_fetched_only_from_where_it_may_be() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/menu.yaml", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0u8; 4096];
            let _ = stream.read(&mut buffer).await;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{YAML}", YAML.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let sent = properties("Menu");
    let parts = [("url", url.as_str()), ("additionalProperties", sent.as_str())];
    let open = house().await;
    open.upload("creator", Method::POST, "/apis/import-openapi", &parts).await.expect(201);
    let closed = house_with(Config::default()).await;
    closed.upload("creator", Method::POST, "/apis/import-openapi", &parts).await.refused(400, 900_756);
    let judged = closed.upload("creator", Method::POST, "/apis/validate-openapi", &[("url", &url)]).await.expect(200);
    assert_eq!((&judged["isValid"], &judged["errors"][0]["code"]), (&json!(false), &json!("900756")));
}

#[tokio::test]
async fn validation_tells_what_the_definition_says() {
    let house = house().await;
    let path = "/apis/validate-openapi?returnContent=true";
    let judged = house.upload("creator", Method::POST, path, &[("file", YAML)]).await.expect(200);
    assert_eq!(judged["isValid"], true);
    assert_eq!(judged["content"], YAML.trim_end_matches('\n').to_owned() + "\n");
    assert_eq!(
        judged["info"],
        json!({
            "name": "Menu", "version": "3.1.4", "context": "/menu", "description": "What there is", "openAPIVersion": "3.0.1",
            "endpoints": ["https://backend.example.org/menu"],
        })
    );
    let judged = house.upload("creator", Method::POST, "/apis/validate-openapi", &[("file", "just text")]).await.expect(200);
    assert_eq!((&judged["isValid"], &judged["content"]), (&json!(false), &Value::Null));
    assert!(!judged["errors"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_new_definition_changes_the_api_and_an_api_changes_its_definition() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}/swagger");
    let answer = house.upload("admin", Method::PUT, &path, &[("apiDefinition", YAML)]).await.expect(200);
    assert_eq!(answer, house.get("admin", &path).await.expect(200));
    let mut api = house.get("admin", &format!("/apis/{id}")).await.expect(200);
    assert_eq!(api["operations"].as_array().unwrap().len(), 2);
    api["operations"][0]["throttlingPolicy"] = "10KPerMin".into();
    api["operations"].as_array_mut().unwrap().push(json!({"target": "/new", "verb": "POST"}));
    house.put("admin", &format!("/apis/{id}"), api).await.expect(200);
    let swagger = house.get("admin", &path).await.expect(200);
    assert_eq!(swagger["paths"]["/menu"]["get"]["x-throttling-tier"], "10KPerMin");
    assert_eq!(swagger["paths"]["/menu"]["get"]["summary"], "Kept as written");
    assert!(swagger["paths"]["/new"]["post"].is_object());
    let empty = r#"{"openapi":"3.0.1","info":{"title":"T","version":"1"},"paths":{}}"#;
    house.upload("admin", Method::PUT, &path, &[("apiDefinition", empty)]).await.refused(404, 900_763);
    house.upload("admin", Method::PUT, &path, &[("apiDefinition", "{}")]).await.expect(400);
}

#[tokio::test]
async fn leaving_out_a_scopes_roles_does_not_open_it() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    let path = format!("/apis/{id}/swagger");
    house.upload("admin", Method::PUT, &path, &[("apiDefinition", YAML)]).await.expect(200);
    let unbound = YAML.replace(", x-scopes-bindings: {order: admin}", "");
    assert_ne!(unbound, YAML);
    house.upload("admin", Method::PUT, &path, &[("apiDefinition", &unbound)]).await.expect(200);
    let api = house.get("admin", &format!("/apis/{id}")).await.expect(200);
    assert_eq!(api["scopes"][0]["scope"]["bindings"], json!(["admin"]));
}

#[tokio::test]
async fn a_definition_is_written_in_the_asked_generation() {
    let house = house().await;
    let made = house.post("admin", "/apis?openAPIVersion=V2", pizza("Pizza", "1.0.0")).await.expect(201);
    let swagger = house.get("admin", &format!("/apis/{}/swagger", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(swagger["swagger"], "2.0");
    house.post("admin", "/apis?openAPIVersion=V9", pizza("Other", "1.0.0")).await.refused(400, 400);
}
