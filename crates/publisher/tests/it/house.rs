//! A publisher over its own database, with a clock wound by hand and callers known by their token.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use db::{Db, DbUrl, Sealer};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use model::{Api, ApiKind, LifecycleState, Tenant, TenantId, Timestamp, UserName, Vhost};
use rest::{Authenticate, BoxFuture, Caller, Denied};
use serde_json::{Value, json};
use testkit::with_postgres;
use tidegate_publisher::{Config, Gateway, Room};
use tower::ServiceExt as _;

/// The tenant besides the super tenant.
pub(crate) const ACME: TenantId = TenantId(1);

pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) router: Router,
    pub(crate) clock: Arc<AtomicI64>,
    _folder: Option<tempfile::TempDir>,
}

/// An answer read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{} is no JSON ({e}): {}", self.status, self.text))
    }

    /// The JSON, when the status is the expected one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The text, when the status is the expected one.
    #[track_caller]
    pub(crate) fn expect_text(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.text
    }

    /// Status and code of an error body.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: u64) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        body
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap().to_owned()
    }
}

pub(crate) async fn house() -> House {
    house_with(Config { allow_private_addresses: true, ..Config::default() }).await
}

pub(crate) async fn house_with(config: Config) -> House {
    let folder = tempfile::tempdir().unwrap();
    let url = DbUrl::sqlite(&folder.path().join("house.db"));
    House { _folder: Some(folder), ..house_on(&url, config).await }
}

/// The same on a fresh PostgreSQL database, where there is a server to make one on.
pub(crate) async fn on_postgresql<F: Future<Output = ()> + Send + 'static>(test: fn(House) -> F) {
    with_postgres(async move |scratch| {
        let config = Config { allow_private_addresses: true, ..Config::default() };
        test(house_on(&DbUrl::parse(&scratch.url).unwrap(), config).await).await;
    })
    .await;
}

async fn house_on(url: &DbUrl, config: Config) -> House {
    let db = Db::open(url, Sealer::new([7; 32])).await.unwrap();
    let mut tx = db.write().await.unwrap();
    db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(Timestamp(0))).await.unwrap();
    let acme = Tenant { id: ACME, domain: "acme.com".to_owned(), email: None, active: true, created_at: Timestamp(0) };
    db::bootstrap::tenant(&mut tx, &acme).await.unwrap();
    let vhost = Vhost {
        host: "gw.example.org".to_owned(),
        http_context: String::new(),
        http_port: 8280,
        https_port: 8243,
        ws_port: 9099,
        wss_port: 8099,
    };
    db::bootstrap::environment(&mut tx, &vhost).await.unwrap();
    tx.commit().await.unwrap();
    let clock = Arc::new(AtomicI64::new(1_714_583_045_000));
    let wound = Arc::clone(&clock);
    let room = Room::new(db.clone(), config, Arc::new(FewCan), Arc::new(move || Timestamp(wound.load(Ordering::SeqCst)))).unwrap();
    House { db, router: tidegate_publisher::door(room, Arc::new(Gate)), clock, _folder: None }
}

impl House {
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    pub(crate) async fn call(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(request(token, method, path, body)).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(token, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(token, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(token, Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.call(token, Method::DELETE, path, None).await
    }

    /// A multipart request; each part is a name and a text.
    pub(crate) async fn upload(&self, token: &str, method: Method, path: &str, parts: &[(&str, &str)]) -> Answer {
        self.send(multipart(token, method, path, parts)).await
    }

    /// Makes an API with a backend and a plan, and gives its id.
    pub(crate) async fn pizza(&self, token: &str, name: &str, version: &str) -> String {
        let made = self.post(token, "/apis", pizza(name, version)).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn step(&self, token: &str, api: &str, action: &str) -> Answer {
        let path = format!("/apis/change-lifecycle?apiId={api}&action={}", action.replace(' ', "%20"));
        self.call(token, Method::POST, &path, None).await
    }

    pub(crate) async fn revision(&self, token: &str, api: &str) -> String {
        let made = self.post(token, &format!("/apis/{api}/revisions"), json!({"description": "x"})).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn deploy(&self, token: &str, api: &str, revision: &str) -> Answer {
        let path = format!("/apis/{api}/deploy-revision?revisionId={revision}");
        self.post(token, &path, json!([{"name": "Default", "displayOnDevportal": true}])).await
    }
}

pub(crate) fn pizza(name: &str, version: &str) -> Value {
    json!({
        "name": name,
        "version": version,
        "context": name.to_lowercase(),
        "policies": ["Gold"],
        "endpointConfig": {"endpoint_type": "http", "production_endpoints": {"url": "http://backend.example.org/x"}},
    })
}

pub(crate) fn request(token: &str, method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

pub(crate) fn multipart(token: &str, method: Method, path: &str, parts: &[(&str, &str)]) -> Request<Body> {
    let mut text = String::new();
    for (name, content) in parts {
        text.push_str(&format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n"));
    }
    text.push_str("--edge--\r\n");
    let mut request = Request::builder().method(method).uri(path).header("content-type", "multipart/form-data; boundary=edge");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(text)).unwrap()
}

/// A multipart request with one file.
pub(crate) fn multipart_file(token: &str, method: Method, path: &str, name: &str, media_type: &str, bytes: &[u8]) -> Request<Body> {
    let head =
        format!("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n");
    let body = [head.as_bytes(), bytes, b"\r\n--edge--\r\n"].concat();
    let mut request = Request::builder().method(method).uri(path).header("content-type", "multipart/form-data; boundary=edge");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(body)).unwrap()
}

/// A gateway that serves no WebSockets, and checks no API keys either: what takes nothing else it serves as a prototype only.
struct FewCan;

impl Gateway for FewCan {
    fn can_serve(&self, api: Api) -> Result<(), String> {
        match (api.kind, api.state) {
            (ApiKind::Ws, _) => Err("no WebSockets here".to_owned()),
            (_, state) if state != LifecycleState::Prototyped && api.security_scheme == ["api_key"] => Err("no API keys here".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Knows callers by name: `admin`, `creator`, `publisher`, `viewer` of the super tenant, `scopeless` without any scope, and `stranger`, who may do
/// everything in another tenant.
pub(crate) struct Gate;

impl Authenticate for Gate {
    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(async move { caller(token).ok_or(Denied::Unknown) })
    }

    fn basic<'a>(&'a self, user: &'a str, _: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(async move { caller(user).ok_or(Denied::Unknown) })
    }
}

fn caller(name: &str) -> Option<Caller> {
    let all: Vec<&str> = model::default_rest_scopes().iter().map(|scope| scope.name).collect();
    let of = |role: &str| -> Vec<&str> {
        model::default_rest_scopes().iter().filter(|scope| scope.roles.contains(&role)).map(|scope| scope.name).collect()
    };
    let (roles, scopes): (&[&str], Vec<&str>) = match name {
        "admin" | "stranger" => (&["admin"], all),
        "creator" => (&["Internal/creator"], of("Internal/creator")),
        "publisher" => (&["Internal/publisher"], of("Internal/publisher")),
        "viewer" => (&["Internal/analytics"], vec!["apim:api_view"]),
        // An administrator whose token was taken for less.
        "admin-creating" => (&["admin"], of("Internal/creator")),
        "scopeless" => (&[], vec![]),
        _ => return None,
    };
    let (tenant, tenant_domain) = if name == "stranger" { (ACME, "acme.com") } else { (TenantId::SUPER, model::SUPER_TENANT_DOMAIN) };
    Some(Caller {
        user: UserName::primary(name, tenant_domain),
        tenant,
        tenant_domain: tenant_domain.to_owned(),
        roles: roles.iter().chain(&[model::EVERYONE]).map(|role| (*role).to_owned()).collect(),
        scopes: scopes.into_iter().map(str::to_owned).collect(),
    })
}
