//! One admin room over its own database, and clients of it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use db::{Db, DbUrl, Sealer};
use http::Request;
use http_body_util::BodyExt as _;
use model::{SUPER_TENANT_DOMAIN, Secret, Tenant, TenantId, Timestamp, UserName, Vhost};
use rest::{Authenticate, BoxFuture, Caller, Denied};
use serde_json::Value;
use testkit::with_postgres;
use tower::ServiceExt as _;
use users::{NewUser, Users};

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const ACME: TenantId = TenantId(1);
pub(crate) const ACME_DOMAIN: &str = "acme.com";

/// Knows `admin`, `developer` (no admin scope) and `acme` (administrator of another tenant).
pub(crate) struct Names;

impl Authenticate for Names {
    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        let all = || admin::operations(Arc::new(Self)).iter().flat_map(|operation| scopes(operation.access)).collect::<Vec<_>>();
        let found = match token {
            "admin" => Ok(caller("admin", TenantId::SUPER, SUPER_TENANT_DOMAIN, &["admin"], all())),
            "developer" => Ok(caller("dev", TenantId::SUPER, SUPER_TENANT_DOMAIN, &[], vec!["apim:subscribe".to_owned()])),
            "acme" => Ok(caller("boss", ACME, ACME_DOMAIN, &["admin"], all())),
            _ => Err(Denied::Unknown),
        };
        Box::pin(async move { found })
    }

    fn basic<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(async { Err(Denied::Unknown) })
    }
}

fn scopes(access: rest::Access) -> Vec<String> {
    match access {
        rest::Access::Scopes(names) => names.iter().map(|name| (*name).to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn caller(name: &str, tenant: TenantId, domain: &str, roles: &[&str], scopes: Vec<String>) -> Caller {
    let roles = roles.iter().chain(&[model::EVERYONE]).map(|role| (*role).to_owned()).collect();
    Caller { user: UserName::primary(name, domain), tenant, tenant_domain: domain.to_owned(), roles, scopes }
}

pub(crate) struct Setting {
    pub(crate) db: Db,
    pub(crate) users: Users,
    router: Router,
    _dir: Option<tempfile::TempDir>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

/// Runs a test on a fresh PostgreSQL database, where there is a server to make one on.
pub(crate) async fn on_postgresql<F: Future<Output = ()> + Send + 'static>(test: fn(Setting) -> F) {
    with_postgres(async move |scratch| test(Setting::on(&DbUrl::parse(&scratch.url).unwrap()).await).await).await;
}

impl Setting {
    /// Two tenants, users `admin` and `dev` in the first, `boss` in the second, and the environment `Default`.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = DbUrl::sqlite(&dir.path().join("house.db"));
        Self { _dir: Some(dir), ..Self::on(&url).await }
    }

    /// The same on an empty database that a test made.
    pub(crate) async fn on(url: &DbUrl) -> Self {
        let db = Db::open(url, Sealer::new([7; 32])).await.unwrap();
        let acme = Tenant { id: ACME, domain: ACME_DOMAIN.to_owned(), email: None, active: true, created_at: NOW };
        let mut tx = db.write().await.unwrap();
        db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(NOW)).await.unwrap();
        db::bootstrap::tenant(&mut tx, &acme).await.unwrap();
        db::bootstrap::environment(&mut tx, &vhost("localhost")).await.unwrap();
        tx.commit().await.unwrap();
        let users = Users::new(db.clone(), Arc::new(|| NOW));
        for (name, domain, roles) in
            [("admin", SUPER_TENANT_DOMAIN, vec!["admin"]), ("dev", SUPER_TENANT_DOMAIN, vec![]), ("boss", ACME_DOMAIN, vec!["admin"])]
        {
            let roles = roles.into_iter().map(str::to_owned).collect();
            let password = Secret::new("s3cret-words".to_owned());
            let name = UserName::primary(name, domain);
            users.create(NewUser { name, password, roles, attributes: Vec::new(), must_change_password: false }).await.unwrap();
        }
        let router = admin::door(admin::Room::new(db.clone(), users.clone(), Arc::new(|| NOW)), Arc::new(Names));
        Self { db, users, router, _dir: None }
    }

    pub(crate) async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or(Body::empty(), |value| Body::from(value.to_string()));
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, location, body }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, "GET", path, None).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.ask(token, "POST", path, Some(body)).await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.ask(token, "PUT", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.ask(token, "DELETE", path, None).await
    }
}

pub(crate) fn vhost(host: &str) -> Vhost {
    Vhost { host: host.to_owned(), http_context: String::new(), http_port: 8280, https_port: 8243, ws_port: 9099, wss_port: 8099 }
}
