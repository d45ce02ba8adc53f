//! A desk with a database, two tenants, an administrator, and doors to knock at.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use db::{Db, DbUrl, Sealer};
use http::{Request, Response, StatusCode};
use model::{ApiScope, ClientOrigin, Lifetimes, OAuthClient, Secret, Tenant, TenantId, Timestamp, TokenFormat};
use rest::{Authenticate, BoxFuture, Caller, ClientAddress, Denied};
use serde_json::{Value, json};
use tidegate_keys::{CertificateMaker, Desk, NewClient, Settings, Signers, http as doors};
use tower::ServiceExt as _;
use users::{NewUser, Users};

pub(crate) const START: i64 = 1_700_000_000_000;

pub(crate) struct House {
    pub(crate) desk: Desk,
    pub(crate) users: Users,
    pub(crate) db: Db,
    pub(crate) router: Router,
    pub(crate) registration: Router,
    now: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
    _scratch: Option<Scratch>,
}

/// A database of a test's own on the PostgreSQL of this machine; dropped with it.
struct Scratch(String);

impl Scratch {
    fn new() -> Option<Self> {
        if !psql("SELECT 1") {
            println!("SKIPPED: no PostgreSQL server answers at 127.0.0.1:5432");
            return None;
        }
        let name = format!("tidegate_keys_{}", std::process::id());
        assert!(psql(&format!("CREATE DATABASE {name}")), "{name} can be made");
        Some(Self(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that fails has told why already; a database left behind is not worth hiding that.
        let _ = psql(&format!("DROP DATABASE {} WITH (FORCE)", self.0));
    }
}

fn psql(statement: &str) -> bool {
    let mut client = std::process::Command::new("psql");
    client.args(["-h", "127.0.0.1", "-U", "postgres", "-w", "-X", "-q", "-At", "-c", statement, "postgres"]);
    client.output().is_ok_and(|done| done.status.success())
}

struct AtTheDesk(Desk);

impl Authenticate for AtTheDesk {
    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(self.0.bearer_caller(token))
    }

    fn basic<'a>(&'a self, user: &'a str, password: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        self.basic_from(user, password, None)
    }

    fn basic_from<'a>(&'a self, user: &'a str, password: &'a str, from: Option<ClientAddress>) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(self.0.basic_caller(user, password, from.map(|from| from.0)))
    }
}

impl House {
    /// Two tenants and the user `admin` with the password `right-one`, as every user made here has.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("t.db").display());
        Self::over(&url, dir).await
    }

    /// The same on PostgreSQL, where transactions do not wait for each other as on SQLite. `None`, and a word about it, where no server
    /// answers.
    pub(crate) async fn on_postgres() -> Option<Self> {
        let scratch = Scratch::new()?;
        let url = format!("postgres://postgres@127.0.0.1:5432/{}", scratch.0);
        Some(Self { _scratch: Some(scratch), ..Self::over(&url, tempfile::tempdir().unwrap()).await })
    }

    async fn over(url: &str, dir: tempfile::TempDir) -> Self {
        let url = DbUrl::parse(url).unwrap();
        let db = Db::open(&url, Sealer::new([7; 32])).await.unwrap();
        let mut tx = db.write().await.unwrap();
        db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(Timestamp(START))).await.unwrap();
        let acme = Tenant { id: TenantId(1), domain: "acme.com".to_owned(), email: None, active: true, created_at: Timestamp(START) };
        db::bootstrap::tenant(&mut tx, &acme).await.unwrap();
        tx.commit().await.unwrap();

        let now = Arc::new(AtomicI64::new(START));
        let hand = Arc::clone(&now);
        let clock: tidegate_keys::Clock = Arc::new(move || Timestamp(hand.load(Ordering::SeqCst)));
        let users = Users::new(db.clone(), Arc::clone(&clock));
        let signers = Arc::new(Signers::new(db.clone(), certificate_maker(), Arc::clone(&clock)));
        let desk = Desk::new(db.clone(), users.clone(), signers, Settings::default(), clock);
        let router = Router::new().merge(doors::oauth2_router(desk.clone())).nest("/t/{domain}", doors::oauth2_router(desk.clone()));
        let registration = doors::registration_door(desk.clone(), Arc::new(AtTheDesk(desk.clone())));
        let house = Self { desk, users, db, router, registration, now, _dir: dir, _scratch: None };
        house.users.ensure_admin(Some(Secret::new("right-one".to_owned()))).await.unwrap();
        house
    }

    pub(crate) fn pass_secs(&self, secs: i64) {
        self.now.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    pub(crate) async fn user(&self, name: &str, roles: &[&str]) {
        let new = NewUser {
            name: self.users.parse_name(name).await.unwrap(),
            password: Secret::new("right-one".to_owned()),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            attributes: Vec::new(),
            must_change_password: false,
        };
        self.users.create(new).await.unwrap();
    }

    pub(crate) async fn shared_scopes(&self, scopes: &[(&str, &[&str])]) {
        let mut tx = self.db.write().await.unwrap();
        for (name, roles) in scopes {
            let scope = ApiScope {
                name: (*name).to_owned(),
                display_name: (*name).to_owned(),
                description: None,
                roles: roles.iter().map(|r| (*r).to_owned()).collect(),
                shared: true,
            };
            db::scopes::insert_shared(&mut tx, TenantId::SUPER, name, &scope).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Registers `tool` for a user by the door.
    pub(crate) async fn register(&self, owner: &str, grants: &str) -> OAuthClient {
        self.register_named(owner, "tool", grants).await
    }

    pub(crate) async fn register_named(&self, owner: &str, name: &str, grants: &str) -> OAuthClient {
        let profile = json!({ "clientName": name, "owner": owner, "grantType": grants, "saasApp": true });
        let (status, body) = self.post_registration(&format!("{owner}:right-one"), &profile).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        self.desk.find_client(body["clientId"].as_str().unwrap()).await.unwrap().unwrap()
    }

    /// A client as the portal makes it for an application.
    pub(crate) async fn portal_client(&self, owner: &str, lifetimes: Lifetimes) -> OAuthClient {
        let new = NewClient {
            tenant: TenantId::SUPER,
            owner: owner.to_owned(),
            name: format!("{owner}_0b1c_PRODUCTION"),
            grants: ["client_credentials", "password", "refresh_token"].map(str::to_owned).to_vec(),
            callback_url: None,
            lifetimes,
            token_format: TokenFormat::Jwt,
            origin: ClientOrigin::Portal,
        };
        self.desk.create_client(new).await.unwrap()
    }

    pub(crate) fn header(&self, client: &OAuthClient) -> String {
        basic(&format!("{}:{}", client.id, client.secret.expose()))
    }

    pub(crate) async fn token(&self, client: &OAuthClient, form: &str) -> (StatusCode, Value) {
        self.post("/oauth2/token", Some(&self.header(client)), form).await
    }

    /// As [`House::token`], from an address.
    pub(crate) async fn token_from(&self, from: IpAddr, client: &OAuthClient, form: &str) -> (StatusCode, Value) {
        let router = self.router.clone().layer(axum::Extension(ClientAddress(from)));
        read(send(router, "POST", "/oauth2/token", Some(&self.header(client)), form).await).await
    }

    /// Registers `elsewhere` from an address.
    pub(crate) async fn registration_from(&self, from: IpAddr, user: &str) -> StatusCode {
        let router = self.registration.clone().layer(axum::Extension(ClientAddress(from)));
        send_registration(router, user, &json!({ "clientName": "elsewhere", "grantType": "password" })).await.status()
    }

    pub(crate) async fn post(&self, path: &str, authorization: Option<&str>, form: &str) -> (StatusCode, Value) {
        read(self.respond(path, authorization, form).await).await
    }

    pub(crate) async fn respond(&self, path: &str, authorization: Option<&str>, form: &str) -> Response<Body> {
        send(self.router.clone(), "POST", path, authorization, form).await
    }

    pub(crate) async fn get(&self, path: &str, authorization: Option<&str>) -> (StatusCode, Value) {
        read(send(self.router.clone(), "GET", path, authorization, "").await).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
        read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn post_registration(&self, user: &str, profile: &Value) -> (StatusCode, Value) {
        read(send_registration(self.registration.clone(), user, profile).await).await
    }

    pub(crate) async fn delete_registration(&self, user: &str, path: &str) -> StatusCode {
        let request = Request::delete(path).header("authorization", basic(user)).body(Body::empty()).unwrap();
        self.registration.clone().oneshot(request).await.unwrap().status()
    }

    pub(crate) async fn revoked_jtis(&self) -> Vec<String> {
        let now = Timestamp(self.now.load(Ordering::SeqCst));
        let revoked = db::tokens::list_revoked(&mut self.db.read().await.unwrap(), now).await.unwrap();
        revoked.into_iter().map(|(jti, _)| jti).collect()
    }
}

pub(crate) async fn send(router: Router, method: &str, path: &str, authorization: Option<&str>, form: &str) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    router.oneshot(request.body(Body::from(form.to_owned())).unwrap()).await.unwrap()
}

pub(crate) async fn send_registration(router: Router, user: &str, profile: &Value) -> Response<Body> {
    let request = Request::post("/register").header("authorization", basic(user)).header("content-type", "application/json");
    router.oneshot(request.body(Body::from(profile.to_string())).unwrap()).await.unwrap()
}

pub(crate) async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

pub(crate) fn basic(user: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(user))
}

/// Header and claims, unverified.
pub(crate) fn jwt_parts(token: &str) -> (Value, Value) {
    let part = |n: usize| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap();
    (part(0), part(1))
}

fn certificate_maker() -> CertificateMaker {
    Arc::new(|pkcs8, name| {
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.to_vec().into(), &rcgen::PKCS_RSA_SHA256)?;
        Ok(rcgen::CertificateParams::new(vec![name.to_owned()])?.self_signed(&key)?.der().to_vec())
    })
}
