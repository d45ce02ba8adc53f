//! Project archives: out, in, and out again.

use archive::{Folder, VERSION};
use http::Method;
use model::{Flow, Secret, SequencePlace, StoredSequence, TenantId};
use serde_json::{Value, json};

use crate::house::{Answer, House, house, multipart_file, on_postgresql};

const SWAGGER: &str = "openapi: 3.0.1\ninfo: {title: T, version: '1'}\npaths:\n  /order:\n    post:\n      \
                       responses: {'200': {description: ok}}\n  \
                       /menu/{id}:\n    get:\n      responses: {'200': {description: ok}}\n";

/// The files of a project as the command-line tool lays them out, our own content in them.
fn files(name: &str, version: &str) -> Folder {
    let mut folder = Folder::default();
    folder.put(
        "api.yaml",
        format!(
            "type: api\nversion: {VERSION}\ndata:\n  id: 11111111-1111-1111-1111-111111111111\n  name: {name}\n  version: {version}\n  \
             context: /{name}\n  provider: admin\n  lifeCycleStatus: PUBLISHED\n  type: HTTP\n  transport: [https]\n  \
             policies: [Gold, NobodyMadeIt]\n  isRevision: false\n  revisionId: 0\n  createdTime: 2021-04-05 17:51:59.909\n  \
             additionalProperties:\n   \
             - name: build\n     value: 1.20\n     display: true\n  mediationPolicies:\n   - name: log\n     type: in\n     \
             shared: false\n  endpointConfig:\n    endpoint_type: http\n    \
             production_endpoints: {{url: http://backend.example.org/x}}\n    endpoint_security:\n      production: \
             {{enabled: true, type: BASIC, username: u, password: p4ss}}\n  scopes:\n   \
             - scope: {{name: {name}-buy, displayName: Buy, bindings: [admin]}}\n     shared: false\n  \
             operations:\n   \
             - {{target: /order, verb: POST, authType: Application User, throttlingPolicy: Unlimited, scopes: [{name}-buy]}}\n"
        ),
    );
    folder.put("Definitions/swagger.yaml", SWAGGER);
    folder.put(
        "deployment_environments.yaml",
        format!("type: deployment_environments\nversion: {VERSION}\ndata:\n - {{deploymentEnvironment: Default}}\n"),
    );
    folder.put("Image/icon.png", b"\x89PNG\r\n\x1a\nxyz".to_vec());
    folder.put("Sequences/in-sequence/Custom/log.xml", "<sequence name=\"log\"><log/></sequence>");
    folder.put(
        "Docs/How_to/document.yaml",
        "type: document\nversion: v4.0.0\ndata: {name: How to, type: HOWTO, sourceType: INLINE, visibility: API_LEVEL}\n",
    );
    folder.put("Docs/How_to/How_to", "<p>so</p>");
    folder.put(
        "Docs/Sheet/document.yaml",
        "type: document\nversion: v4.0.0\ndata: {name: Sheet, type: SAMPLES, sourceType: FILE, fileName: s.pdf, visibility: API_LEVEL}\n",
    );
    folder.put("Docs/Sheet/s.pdf", b"%PDF\xff".to_vec());
    folder.put("api_meta.yaml", "name: x\n");
    folder
}

/// The archive of an API that gets everything.
pub(crate) fn project(name: &str, version: &str) -> Vec<u8> {
    files(name, version).zip("any-root").unwrap()
}

async fn import(house: &House, token: &str, query: &str, bytes: &[u8]) -> Answer {
    let path = format!("/apis/import{query}");
    house.send(multipart_file(token, Method::POST, &path, "a.zip", "application/zip", bytes)).await
}

async fn export(house: &House, query: &str) -> Folder {
    let answer = house.get("admin", &format!("/apis/export?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/zip");
    Folder::unzip(&answer.bytes).unwrap()
}

async fn found(house: &House, name: &str) -> Value {
    house.get("admin", &format!("/apis?query=name:{name}")).await.expect(200)["list"][0].clone()
}

#[track_caller]
fn same(one: &Folder, other: &Folder) {
    assert_eq!(one.paths().collect::<Vec<_>>(), other.paths().collect::<Vec<_>>());
    for path in one.paths() {
        let text = |folder: &Folder| String::from_utf8_lossy(folder.get(path).unwrap()).into_owned();
        assert_eq!(text(one), text(other), "{path}");
    }
}

async fn a_project_by_hand(house: House) {
    let answer = import(&house, "admin", "", &project("Pizza", "1.10")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (200, "API imported successfully. Not taken over: business plan NobodyMadeIt.")
    );
    let listed = found(&house, "Pizza").await;
    assert_eq!(
        (&listed["version"], &listed["lifeCycleStatus"], &listed["hasThumbnail"]),
        (&json!("1.10"), &json!("PUBLISHED"), &json!(true))
    );
    let id = listed["id"].as_str().unwrap();
    let api = house.get("admin", &format!("/apis/{id}")).await.expect(200);
    assert_eq!(api["policies"], json!(["Gold"]));
    assert_eq!(api["additionalProperties"], json!([{"name": "build", "value": "1.20", "display": true}]));
    // The definition says which operations there are; the object says what is asked of those it names.
    let operations = api["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 2);
    let order = operations.iter().find(|o| o["target"] == "/order").unwrap();
    assert_eq!((&order["authType"], &order["scopes"]), (&json!("Application User"), &json!(["Pizza-buy"])));
    let revisions = house.get("admin", &format!("/apis/{id}/revisions?query=deployed:true")).await.expect(200);
    assert_eq!(revisions["list"][0]["deploymentInfo"][0]["name"], "Default");
    let documents = house.get("admin", &format!("/apis/{id}/documents")).await.expect(200);
    assert_eq!(documents["count"], 2);
    let sheet =
        documents["list"].as_array().unwrap().iter().find(|d| d["name"] == "Sheet").unwrap()["documentId"].as_str().unwrap().to_owned();
    assert_eq!(house.get("admin", &format!("/apis/{id}/documents/{sheet}/content")).await.bytes, b"%PDF\xff");
    let mut tx = house.db.read().await.unwrap();
    let stored = db::apis::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.endpoints.0["endpoint_security"]["production"]["password"], "p4ss");
    let sequences = db::sequences::list_of_api(&mut tx, stored.id).await.unwrap();
    assert_eq!(sequences.len(), 1);
    assert_eq!(stored.mediation_policies[0].id.as_ref(), Some(&sequences[0].id));
}

#[tokio::test]
async fn a_project_laid_out_by_hand_becomes_an_api() {
    a_project_by_hand(house().await).await;
}

#[tokio::test]
async fn a_project_laid_out_by_hand_becomes_an_api_on_postgresql() {
    on_postgresql(a_project_by_hand).await;
}

#[tokio::test]
async fn what_is_exported_imports_elsewhere_and_exports_the_same() {
    let (here, there) = (house().await, house().await);
    import(&here, "admin", "", &project("Pizza", "1.10")).await.expect_text(200);
    for format in ["YAML", "JSON"] {
        for which in ["name=Pizza&version=1.10", "name=Pizza&version=1.10&revisionNumber=1"] {
            let query = format!("{which}&providerName=admin&format={format}");
            let first = export(&here, &query).await;
            let bytes = first.zip("Pizza-1.10").unwrap();
            assert!(!bytes.windows(4).any(|w| w == b"p4ss"));
            import(&there, "admin", "?overwrite=true&rotateRevision=true", &bytes).await.expect_text(200);
            let list = found(&there, "Pizza").await;
            let number = if which.contains("revision") {
                let all = there.get("admin", &format!("/apis/{}/revisions", list["id"].as_str().unwrap())).await.expect(200);
                let last = all["list"].as_array().unwrap().last().unwrap()["displayName"].as_str().unwrap().to_owned();
                format!("&revisionNumber={}", last.trim_start_matches("Revision "))
            } else {
                String::new()
            };
            let again = export(&there, &format!("name=Pizza&version=1.10&format={format}{number}")).await;
            same(&first, &again);
        }
    }
}

#[tokio::test]
async fn an_api_that_is_there_is_changed_on_request_alone() {
    let house = house().await;
    import(&house, "admin", "", &project("Pizza", "1.0")).await.expect_text(200);
    import(&house, "admin", "", &project("Pizza", "1.0")).await.refused(409, 900_252);
    let id = found(&house, "Pizza").await["id"].clone();
    let mut changed = files("Pizza", "1.0");
    let text = String::from_utf8(changed.take("api.yaml").unwrap()).unwrap();
    changed.put("api.yaml", text.replace("password: p4ss", "password: ''").replace("[https]", "[http, https]"));
    changed.take("Docs/Sheet/document.yaml");
    changed.take("Docs/Sheet/s.pdf");
    changed.take("Image/icon.png");
    let bytes = changed.zip("x").unwrap();
    for _ in 0..4 {
        import(&house, "admin", "?overwrite=true", &bytes).await.expect_text(200);
    }
    // Five revisions are the most; the oldest makes room when it is told to.
    import(&house, "admin", "?overwrite=true", &bytes).await.refused(400, 900_351);
    import(&house, "admin", "?overwrite=true&rotateRevision=true", &bytes).await.expect_text(200);
    let listed = found(&house, "Pizza").await;
    assert_eq!((&listed["id"], &listed["hasThumbnail"]), (&id, &json!(false)));
    let id = id.as_str().unwrap();
    assert_eq!(house.get("admin", &format!("/apis/{id}/documents")).await.expect(200)["count"], 1);
    let revisions = house.get("admin", &format!("/apis/{id}/revisions")).await.expect(200);
    let names: Vec<&str> = revisions["list"].as_array().unwrap().iter().map(|r| r["displayName"].as_str().unwrap()).collect();
    assert_eq!(names, ["Revision 2", "Revision 3", "Revision 4", "Revision 5", "Revision 6"]);
    let stored = db::apis::find(&mut house.db.read().await.unwrap(), id.parse().unwrap()).await.unwrap().unwrap();
    // An empty password is the one that is there.
    assert_eq!(stored.endpoints.0["endpoint_security"]["production"]["password"], "p4ss");
    assert_eq!(stored.transports, ["http", "https"]);
}

#[tokio::test]
async fn parameters_are_applied() {
    let house = house().await;
    let mut outer = Folder::default();
    outer.put("SourceArchive.zip", project("Pizza", "1.0"));
    outer.put(
        "intermediate_params.yaml",
        "endpoints:\n  production: {url: 'https://prod.example.org'}\npolicies: [Silver]\ndeploymentEnvironments: []\n",
    );
    import(&house, "admin", "", &outer.zip("x").unwrap()).await.expect_text(200);
    let id = found(&house, "Pizza").await["id"].as_str().unwrap().to_owned();
    let api = house.get("admin", &format!("/apis/{id}")).await.expect(200);
    assert_eq!(api["policies"], json!(["Silver"]));
    assert_eq!(api["endpointConfig"]["production_endpoints"]["url"], "https://prod.example.org");
    assert_eq!(house.get("admin", &format!("/apis/{id}/revisions")).await.expect(200)["count"], 0);
    outer.put("intermediate_params.yaml", "security: {production: {enabled: true, type: basic}}");
    import(&house, "admin", "?overwrite=true", &outer.zip("x").unwrap()).await.refused(400, 900_908);
    outer.take("SourceArchive.zip");
    import(&house, "admin", "?overwrite=true", &outer.zip("x").unwrap()).await.refused(400, 900_908);
}

#[tokio::test]
async fn nothing_is_written_of_an_archive_that_is_refused() {
    let house = house().await;
    let with = |path: &str, text: Option<&str>| {
        let mut folder = files("Pizza", "1.0");
        folder.take(path);
        if let Some(text) = text {
            folder.put(path, text);
        }
        folder.zip("x").unwrap()
    };
    let deployments = "type: deployment_environments\nversion: v4.0.0\ndata: [{deploymentEnvironment: Nowhere}]";
    let of_product = "type: api_product\nversion: v4.0.0\ndata: {}";
    for (bytes, status, code) in [
        (b"no zip".to_vec(), 400, 900_317),
        (with("api.yaml", None), 400, 900_907),
        (with("api.yaml", Some(of_product)), 400, 900_907),
        (with("api.yaml", Some("type: api\nversion: v4.2.0\ndata: {}")), 400, 900_907),
        (with("api.yaml", Some("type: api\nversion: v4.0.0\ndata: {flavour: x}")), 400, 900_907),
        (with("Definitions/swagger.yaml", None), 400, 900_909),
        (with("deployment_environments.yaml", Some(deployments)), 400, 900_506),
        (with("Docs/Sheet/document.yaml", None), 400, 900_907),
        (with("Docs/../../escape", Some("x")), 400, 900_317),
    ] {
        import(&house, "admin", "", &bytes).await.refused(status, code);
        assert_eq!(house.get("admin", "/apis").await.expect(200)["count"], 0);
    }
    assert_eq!(house.upload("admin", Method::POST, "/apis/import", &[("other", "x")]).await.status, 400);
}

#[tokio::test]
async fn a_provider_stays_within_its_tenant() {
    let house = house().await;
    let bytes = project("Pizza", "1.0");
    import(&house, "stranger", "", &bytes).await.refused(403, 901_409);
    import(&house, "stranger", "?preserveProvider=false", &bytes).await.expect_text(200);
    let listed = house.get("stranger", "/apis").await.expect(200)["list"][0].clone();
    assert_eq!((&listed["provider"], &listed["context"]), (&json!("stranger@acme.com"), &json!("/t/acme.com/Pizza")));
    // The way back: the other tenant's prefix goes.
    let exported = house.get("stranger", "/apis/export?name=Pizza&version=1.0").await;
    import(&house, "admin", "", &exported.bytes).await.refused(403, 901_409);
    import(&house, "admin", "?preserveProvider=false", &exported.bytes).await.expect_text(200);
    let listed = found(&house, "Pizza").await;
    assert_eq!((&listed["provider"], &listed["context"]), (&json!("admin"), &json!("/Pizza")));
    assert_eq!(house.get("stranger", &format!("/apis/export?apiId={}", listed["id"].as_str().unwrap())).await.status, 404);
}

#[tokio::test]
async fn which_state_is_exported_can_be_said() {
    let house = house().await;
    let id = house.pizza("admin", "Pizza", "1.0.0").await;
    house.step("admin", &id, "Publish").await.expect(200);
    let data = |folder: &Folder| -> Value { serde_norway::from_slice::<Value>(folder.get("api.yaml").unwrap()).unwrap()["data"].clone() };
    let latest = export(&house, &format!("apiId={id}&latestRevision=true")).await;
    assert_eq!(data(&latest)["lifeCycleStatus"], "PUBLISHED");
    assert!(latest.get("deployment_environments.yaml").is_none());
    let revision = house.revision("admin", &id).await;
    house.deploy("admin", &id, &revision).await.expect(201);
    let latest = export(&house, &format!("apiId={id}&latestRevision=true&preserveStatus=false")).await;
    assert_eq!(data(&latest)["lifeCycleStatus"], "CREATED");
    assert!(latest.get("deployment_environments.yaml").is_some());
    house.get("admin", &format!("/apis/export?apiId={id}&revisionNumber=7")).await.refused(404, 900_347);
    for (query, status) in
        [("", 400), ("name=Pizza", 400), ("name=Pizza&version=2", 404), ("name=Pizza&version=1.0.0&providerName=eve", 404)]
    {
        assert_eq!(house.get("admin", &format!("/apis/export?{query}")).await.status, status, "{query}");
    }
    assert_eq!(house.get("admin", &format!("/apis/export?apiId={id}&format=XML")).await.status, 400);
    assert_eq!(house.get("viewer", &format!("/apis/export?apiId={id}")).await.status, 401);
    assert_eq!(import(&house, "publisher", "", &project("X", "1")).await.status, 401);
}

#[tokio::test]
async fn a_sequence_that_the_tenant_shares_is_named_and_not_copied() {
    let house = house().await;
    let mut tx = house.db.write().await.unwrap();
    let shared = StoredSequence {
        id: "shared-1".to_owned(),
        tenant: TenantId::SUPER,
        place: SequencePlace::Shared(Flow::Out),
        name: "json_fault".to_owned(),
        file: "json_fault.xml".to_owned(),
        content: Secret::new(b"<sequence name='json_fault'/>".to_vec()),
        additions: None,
    };
    db::sequences::insert_many(&mut tx, &[shared]).await.unwrap();
    tx.commit().await.unwrap();
    let mut folder = files("Pizza", "1.0");
    folder.put("Sequences/out-sequence/json_fault.xml", "<sequence name='json_fault'/>");
    folder.put("Sequences/fault-sequence/unused.xml", "<sequence name='unused'/>");
    let text = String::from_utf8(folder.take("api.yaml").unwrap()).unwrap();
    folder.put(
        "api.yaml",
        text.replace("  mediationPolicies:\n", "  mediationPolicies:\n   - {name: json_fault, type: out, shared: true}\n"),
    );
    import(&house, "admin", "", &folder.zip("x").unwrap()).await.expect_text(200);
    let id = found(&house, "Pizza").await["id"].as_str().unwrap().to_owned();
    let mut tx = house.db.read().await.unwrap();
    let stored = db::apis::find(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    assert!(stored.mediation_policies.iter().any(|p| p.id.as_deref() == Some("shared-1") && p.shared));
    assert_eq!(db::sequences::list_of_api(&mut tx, stored.id).await.unwrap().len(), 1);
    drop(tx);
    let again = export(&house, "name=Pizza&version=1.0").await;
    assert!(again.get("Sequences/out-sequence/json_fault.xml").is_some());
    assert!(again.get("Sequences/in-sequence/Custom/log.xml").is_some());
}
