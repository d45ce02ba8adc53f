//! One portal over its own database, and clients of it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use db::{Db, DbUrl, Sealer};
use http::Request;
use http_body_util::BodyExt as _;
use model::{
    Api, ApiId, Definition, DefinitionFormat, Deployment, LifecycleState, Operation, Revision, RevisionId, SUPER_TENANT_DOMAIN, Secret,
    Tenant, TenantId, Timestamp, UserName, Vhost,
};
use portal::{Config, PasswordRefused, Passwords, Room};
use rest::{Authenticate, BoxFuture, Caller, Denied};
use serde_json::Value;
use testkit::with_postgres;
use tower::ServiceExt as _;
use users::{ChangeError, NewUser, Users};

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const ACME: TenantId = TenantId(1);
pub(crate) const ACME_DOMAIN: &str = "acme.com";
pub(crate) const PASSWORD: &str = "s3cret-words";

/// Knows `dev` and `other` (developers), `mover` (who may move applications), `viewer` (no scope of this interface), and `acme` and
/// `acme-mover` of another tenant.
pub(crate) struct Names;

impl Authenticate for Names {
    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        let scopes = ["apim:subscribe", "apim:app_manage", "apim:sub_manage"];
        let found = match token {
            "dev" => Ok(caller("dev", TenantId::SUPER, SUPER_TENANT_DOMAIN, &["Internal/subscriber", "gold-partner"], &scopes)),
            "other" => Ok(caller("other", TenantId::SUPER, SUPER_TENANT_DOMAIN, &["Internal/subscriber"], &scopes)),
            "mover" => Ok(caller("mover", TenantId::SUPER, SUPER_TENANT_DOMAIN, &["Internal/devops"], &["apim:app_import_export"])),
            "acme-mover" => Ok(caller("ann", ACME, ACME_DOMAIN, &["Internal/devops"], &["apim:app_import_export"])),
            "viewer" => Ok(caller("viewer", TenantId::SUPER, SUPER_TENANT_DOMAIN, &[], &["apim:api_view"])),
            "acme" => Ok(caller("ann", ACME, ACME_DOMAIN, &["Internal/subscriber"], &scopes)),
            _ => Err(Denied::Unknown),
        };
        Box::pin(async move { found })
    }

    fn basic<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(async { Err(Denied::Unknown) })
    }
}

fn caller(name: &str, tenant: TenantId, domain: &str, roles: &[&str], scopes: &[&str]) -> Caller {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut roles = owned(roles);
    roles.push(model::EVERYONE.to_owned());
    Caller { user: UserName::primary(name, domain), tenant, tenant_domain: domain.to_owned(), roles, scopes: owned(scopes) }
}

struct OverUsers(Users);

impl Passwords for OverUsers {
    fn change<'a>(
        &'a self,
        user: &'a UserName,
        current: Secret<String>,
        new: Secret<String>,
    ) -> BoxFuture<'a, Result<(), PasswordRefused>> {
        Box::pin(async move {
            self.0.change_password(user, &current, new).await.map_err(|refused| match refused {
                ChangeError::Current(_) => PasswordRefused::Current,
                ChangeError::PasswordNotAllowed => PasswordRefused::New(refused.to_string()),
                other => PasswordRefused::Unavailable(Box::new(other)),
            })
        })
    }
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
    with_postgres(async move |scratch| test(Setting::on(&DbUrl::parse(&scratch.url).unwrap(), Config::default()).await).await).await;
}

impl Setting {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    /// Two tenants, their developers with [`PASSWORD`], and the environment `Default` at `gw.example.com`.
    pub(crate) async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = DbUrl::sqlite(&dir.path().join("house.db"));
        Self { _dir: Some(dir), ..Self::on(&url, config).await }
    }

    /// The same on an empty database that a test made.
    pub(crate) async fn on(url: &DbUrl, config: Config) -> Self {
        let db = Db::open(url, Sealer::new([7; 32])).await.unwrap();
        let acme = Tenant { id: ACME, domain: ACME_DOMAIN.to_owned(), email: None, active: true, created_at: NOW };
        let vhost = Vhost {
            host: "gw.example.com".to_owned(),
            http_context: String::new(),
            http_port: 8280,
            https_port: 443,
            ws_port: 9099,
            wss_port: 8099,
        };
        let mut tx = db.write().await.unwrap();
        db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(NOW)).await.unwrap();
        db::bootstrap::tenant(&mut tx, &acme).await.unwrap();
        db::bootstrap::environment(&mut tx, &vhost).await.unwrap();
        tx.commit().await.unwrap();
        let users = Users::new(db.clone(), Arc::new(|| NOW));
        for (name, domain) in [("dev", SUPER_TENANT_DOMAIN), ("other", SUPER_TENANT_DOMAIN), ("ann", ACME_DOMAIN)] {
            let password = Secret::new(PASSWORD.to_owned());
            let roles = vec!["Internal/subscriber".to_owned()];
            let name = UserName::primary(name, domain);
            users.create(NewUser { name, password, roles, attributes: Vec::new(), must_change_password: false }).await.unwrap();
        }
        let certificates: keys::CertificateMaker = Arc::new(|pkcs8, name| {
            let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.to_vec().into(), &rcgen::PKCS_RSA_SHA256)?;
            Ok(rcgen::CertificateParams::new(vec![name.to_owned()])?.self_signed(&key)?.der().to_vec())
        });
        let signers = Arc::new(keys::Signers::new(db.clone(), certificates, Arc::new(|| NOW)));
        let desk = keys::Desk::new(db.clone(), users.clone(), signers, keys::Settings::default(), Arc::new(|| NOW));
        let room = Room::new(db.clone(), desk, Arc::new(OverUsers(users.clone())), config, Arc::new(|| NOW));
        let router = portal::door(room, Arc::new(Names));
        Self { db, users, router, _dir: None }
    }

    pub(crate) async fn ask_as(&self, token: &str, tenant: Option<&str>, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(domain) = tenant {
            request = request.header("X-WSO2-Tenant", domain);
        }
        let body = body.map_or(Body::empty(), |value| Body::from(value.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_else(|_| text()) };
        Answer { status, location, body }
    }

    /// Sends `request` and reads the answer's bytes.
    pub(crate) async fn raw(&self, request: Request<Body>) -> (u16, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    pub(crate) async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.ask_as(token, None, method, path, body).await
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

    /// A published API of the super tenant, with the plans Gold and Unlimited, after `change`.
    pub(crate) async fn api(&self, name: &str, change: impl FnOnce(&mut Api)) -> Api {
        let template = format!("/{}/{{version}}", name.to_lowercase());
        let mut api = Api::new(ApiId::random(), TenantId::SUPER, "admin", name, "1.0", &template, NOW);
        api.state = LifecycleState::Published;
        api.plans = vec!["Gold".to_owned(), "Unlimited".to_owned()];
        api.operations = vec![Operation::new("GET", "/menu")];
        change(&mut api);
        let mut tx = self.db.write().await.unwrap();
        db::apis::insert(&mut tx, &api).await.unwrap();
        tx.commit().await.unwrap();
        api
    }

    /// Deploys `api` to `Default` with a definition.
    pub(crate) async fn deploy(&self, api: &Api) {
        let definition = Definition {
            format: DefinitionFormat::OpenApi3,
            text: r#"{"openapi":"3.0.1","servers":[{"url":"http://backend"}],"paths":{}}"#.to_owned(),
        };
        let revision = Revision {
            id: RevisionId::random(),
            api: api.id,
            number: 1,
            description: None,
            content: Arc::new(api.clone()),
            definition: Some(definition.clone()),
            created_at: NOW,
        };
        let deployment = Deployment {
            api: api.id,
            environment: "Default".to_owned(),
            revision: revision.id,
            vhost: "gw.example.com".to_owned(),
            display_on_portal: true,
            deployed_at: NOW,
        };
        let mut tx = self.db.write().await.unwrap();
        db::apis::set_definition(&mut tx, api.id, &definition).await.unwrap();
        db::revisions::insert(&mut tx, &revision).await.unwrap();
        db::deployments::put(&mut tx, &deployment).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// An application of `token`'s, by id.
    pub(crate) async fn application(&self, token: &str, name: &str) -> String {
        let made = self.post(token, "/applications", serde_json::json!({"name": name, "throttlingPolicy": "Unlimited"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body["applicationId"].as_str().unwrap().to_owned()
    }
}
