//! Definitions become APIs that can be called.

use http::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use testkit::{Answer, Backend, Caller, House, Rest};

const YAML_3: &str = "
openapi: 3.0.1
info: {title: Menu, version: 1.0.0}
paths:
  /menu/{dish}:
    get:
      parameters: [{name: dish, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: ok}}
  /open:
    get:
      x-auth-type: None
      responses: {'200': {description: ok}}
  /kitchen:
    post:
      security: [{default: [cook]}]
      responses: {'200': {description: ok}}
components:
  securitySchemes:
    default:
      type: oauth2
      flows: {implicit: {authorizationUrl: 'https://x', scopes: {cook: To cook}, x-scopes-bindings: {cook: admin}}}
";

const JSON_2: &str = r#"{"swagger": "2.0", "info": {"title": "Old", "version": "1.0.0"}, "basePath": "/old",
    "paths": {"/a/{id}": {"put": {"responses": {"200": {"description": "ok"}}}}}}"#;

async fn import(rest: &Rest, file: (&'static str, &'static str), name: &str, backend: &str) -> String {
    let properties = testkit::api(name, backend);
    let mut properties = properties.as_object().unwrap().clone();
    properties.shift_remove("operations");
    let form =
        Form::new().part("file", Part::text(file.1).file_name(file.0)).text("additionalProperties", Value::Object(properties).to_string());
    let answer = Answer::of(rest.request(Method::POST, "publisher/v2/apis/import-openapi").multipart(form).send().await.unwrap()).await;
    answer.expect(201)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_definition_is_imported_deployed_and_called() {
    let house = House::fresh().await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    let caller = Caller::new(&house);
    let menu = import(&rest, ("menu.yaml", YAML_3), "Menu", &backend.url()).await;
    let old = import(&rest, ("old.json", JSON_2), "Old", &backend.url()).await;
    for id in [&menu, &old] {
        let revision = rest.revision(id).await;
        rest.deploy(id, &revision).await;
        rest.step(id, "Publish").await;
    }
    let keys = rest.become_subscriber("Eater", &menu, "Unlimited").await;
    rest.subscribe(&keys.application, &old, "Unlimited").await;

    assert_eq!(caller.get("/menu/1.0.0/menu/calzone", &keys.token).await.expect(200)["path"], "/menu/calzone");
    caller.get("/menu/1.0.0/menu/calzone", "").await.refused(401, 900_902);
    caller.get("/menu/1.0.0/open", "").await.expect(200);
    caller.call(Method::POST, "/menu/1.0.0/kitchen", &keys.token).await.refused(403, 900_910);
    let cook = caller.token(&keys.client, "cook").await;
    caller.call(Method::POST, "/menu/1.0.0/kitchen", &cook).await.expect(200);
    assert_eq!(caller.call(Method::PUT, "/old/1.0.0/a/7", &keys.token).await.expect(200)["path"], "/a/7");

    // What the developer reads names this gateway and keeps what the author wrote.
    let shown = rest.get(&format!("devportal/v2/apis/{menu}/swagger")).await;
    assert_eq!(shown["paths"]["/menu/{dish}"]["get"]["parameters"][0]["name"], json!("dish"));
    assert!(shown["servers"].to_string().contains("/menu/1.0.0"), "{}", shown["servers"]);
}
