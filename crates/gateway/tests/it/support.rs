//! A gateway on port 0, backends that do as they are told, and a client that sends what it is given.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use model::{
    Api, ApiId, Application, ApplicationId, ApplicationStatus, ApplicationTokenType, AuthType, Endpoints, KeyMapping, KeyMappingId,
    KeyMappingMode, KeyState, KeyType, LifecycleState, Operation, Subscription, SubscriptionId, SubscriptionState, Tenant, TenantId,
    Timestamp,
};
use serde_json::json;
use tidegate_gateway::{Change, Config, Deployed, Gateway, Issuer, NoOpaqueTokens, OpaqueTokens, Snapshot};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) const ISSUER: &str = "https://localhost:9443/oauth2/token";
pub(crate) const KEY_MANAGER: &str = "Resident Key Manager";
pub(crate) const CONSUMER_KEY: &str = "client-1";
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Longest a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) static KEY: LazyLock<token::SigningKey> = LazyLock::new(|| token::SigningKey::generate().expect("a key"));

pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not happen"),
    }
}

/// A running gateway.
pub(crate) struct Running {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) serving: tokio::task::JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(config: Config, changes: &[Change]) -> Self {
        Self::start_with(config, changes, Arc::new(NoOpaqueTokens)).await
    }

    pub(crate) async fn start_with(config: Config, changes: &[Change], opaque: Arc<dyn OpaqueTokens>) -> Self {
        let gateway = Gateway::new(config, opaque).expect("sound settings");
        gateway.swap(Snapshot::empty().apply(changes).expect("sound changes"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(Arc::clone(&gateway).serve(listener, None, stopped));
        Self { gateway, address, stop, serving }
    }

    pub(crate) fn change(&self, changes: &[Change]) {
        self.gateway.swap(self.gateway.snapshot().apply(changes).expect("sound changes"));
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.expect("a connection"), Vec::new())
    }

    /// One request on a connection of its own.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, "").await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut raw = self.connect().await;
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: gw\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        raw.send(&format!("{text}\r\n{body}")).await;
        raw.answer_to(method).await
    }
}

/// A connection on which bytes are sent as they stand.
pub(crate) struct Raw(pub(crate) TcpStream, Vec<u8>);

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Raw {
    pub(crate) async fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the gateway reads");
    }

    /// Head and body, as bytes, of an answer after which the gateway closes.
    pub(crate) async fn rest(&mut self) -> (String, Vec<u8>) {
        while self.more().await {}
        let at = self.1.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = self.1.drain(..at + 4).collect();
        (String::from_utf8(head).expect("text"), std::mem::take(&mut self.1))
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The next answer, read exactly to its end.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        let at = loop {
            if let Some(at) = self.1.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            assert!(self.more().await, "closed before an answer: {:?}", String::from_utf8_lossy(&self.1));
        };
        let head = String::from_utf8(self.1.drain(..at + 4).collect()).expect("text");
        let status: u16 = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        let mut answer = Answer { status, head: head.trim_end().to_owned(), body: String::new() };
        if method == "HEAD" || status == 204 || status == 304 || status < 200 {
            return answer;
        }
        let body = if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().expect("a length");
            while self.1.len() < length {
                assert!(self.more().await, "closed inside an answer");
            }
            self.1.drain(..length).collect()
        } else if answer.header("transfer-encoding").is_some() {
            self.chunks().await
        } else {
            while self.more().await {}
            std::mem::take(&mut self.1)
        };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        answer
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(at) = self.1.windows(2).position(|w| w == b"\r\n") {
                    break String::from_utf8(self.1.drain(..at + 2).collect()).expect("text");
                }
                assert!(self.more().await, "closed inside a chunk line");
            };
            let size = usize::from_str_radix(line.trim(), 16).expect("a chunk size");
            while self.1.len() < size + 2 {
                assert!(self.more().await, "closed inside a chunk");
            }
            body.extend(self.1.drain(..size));
            self.1.drain(..2);
            if size == 0 {
                return body;
            }
        }
    }

    /// Whether the gateway closes the connection without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.1.is_empty() && !self.more().await
    }

    async fn more(&mut self) -> bool {
        let mut buffer = [0u8; 16 << 10];
        match soon("an answer", self.0.read(&mut buffer)).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.1.extend_from_slice(&buffer[..read]);
                true
            }
        }
    }
}

/// A backend that answers each request by a script and remembers what it got.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) address: std::net::SocketAddr,
    got: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

/// What a backend does next on a connection.
pub(crate) enum Deed {
    /// Sends these bytes and reads on.
    Send(Vec<u8>),
    /// Sends these bytes and closes.
    SendAndClose(Vec<u8>),
    /// Never answers.
    Hang,
}

pub(crate) fn ok(body: &str) -> Deed {
    Deed::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

impl Backend {
    /// `script` gets the whole request, and the number of the connection and of the request on it.
    pub(crate) async fn start(script: impl Fn(&str, usize, usize) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let backend = Self { address, got: Arc::default(), connections: Arc::default() };
        let (ours, script) = (backend.clone(), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = ours.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(ours.clone().converse(stream, number, Arc::clone(&script)));
            }
        });
        backend
    }

    /// Answers everything with the request itself.
    pub(crate) async fn echo() -> Self {
        Self::start(|request, _, _| ok(request)).await
    }

    async fn converse(self, stream: TcpStream, number: usize, script: Arc<impl Fn(&str, usize, usize) -> Deed>) {
        let mut raw = Raw(stream, Vec::new());
        for turn in 0.. {
            let Some(request) = raw.request().await else { return };
            self.got.lock().unwrap().push(request.clone());
            let (bytes, closes) = match script(&request, number, turn) {
                Deed::Send(bytes) => (bytes, false),
                Deed::SendAndClose(bytes) => (bytes, true),
                Deed::Hang => return std::future::pending().await,
            };
            if raw.0.write_all(&bytes).await.is_err() || closes {
                return;
            }
        }
    }

    pub(crate) fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Raw {
    /// The next request, body included with chunks taken out; `None` when the peer closes first.
    async fn request(&mut self) -> Option<String> {
        let at = loop {
            if let Some(at) = self.1.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            if !self.more_or_end().await {
                return None;
            }
        };
        let head = String::from_utf8(self.1.drain(..at + 4).collect()).ok()?;
        let header = |name: &str| {
            head.lines().filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
        };
        let body: Vec<u8> = if header("transfer-encoding").is_some() {
            self.chunks().await
        } else {
            let length: usize = header("content-length").map_or(0, |l| l.parse().expect("a length"));
            while self.1.len() < length {
                if !self.more_or_end().await {
                    return None;
                }
            }
            self.1.drain(..length).collect()
        };
        Some(head + &String::from_utf8_lossy(&body))
    }

    async fn more_or_end(&mut self) -> bool {
        let mut buffer = [0u8; 16 << 10];
        match self.0.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.1.extend_from_slice(&buffer[..read]);
                true
            }
        }
    }
}

/// A published API at `/shop/1.0.0`, with `operations` as (verb, template).
pub(crate) fn api(url: &str, operations: &[(&str, &str)]) -> Api {
    let mut api = Api::new(ApiId::derived(&["shop"]), TenantId::SUPER, "admin", "Shop", "1.0.0", "/shop/{version}", NOW);
    api.state = LifecycleState::Published;
    api.endpoints = Endpoints::http(Some(url), None);
    api.operations = operations.iter().map(|(verb, target)| Operation::new(verb, target)).collect();
    api
}

/// The same, open to everybody.
pub(crate) fn open_api(url: &str, operations: &[(&str, &str)]) -> Api {
    let mut api = api(url, operations);
    api.operations.iter_mut().for_each(|o| o.auth = AuthType::None);
    api
}

pub(crate) fn put(api: Api) -> Change {
    Change::PutApi(Arc::new(Deployed {
        api: Arc::new(api),
        revision: model::RevisionId::derived(&["r"]),
        environment: "Default".to_owned(),
    }))
}

pub(crate) fn application() -> Application {
    Application {
        id: ApplicationId::derived(&["app"]),
        number: 1,
        tenant: TenantId::SUPER,
        owner: "bob".to_owned(),
        name: "App".to_owned(),
        policy: "Unlimited".to_owned(),
        description: None,
        token_type: ApplicationTokenType::Jwt,
        status: ApplicationStatus::Approved,
        groups: Vec::new(),
        attributes: Vec::new(),
        callback_url: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn key_mapping(key_type: KeyType) -> KeyMapping {
    KeyMapping {
        id: KeyMappingId::derived(&["key"]),
        application: application().id,
        key_type,
        key_manager: KEY_MANAGER.to_owned(),
        consumer_key: Some(CONSUMER_KEY.to_owned()),
        state: KeyState::Completed,
        mode: KeyMappingMode::Created,
        allowed_domains: Vec::new(),
    }
}

pub(crate) fn subscription(api: ApiId, state: SubscriptionState) -> Subscription {
    Subscription {
        id: SubscriptionId::derived(&["sub", &api.to_string()]),
        application: application().id,
        api,
        plan: "Gold".to_owned(),
        requested_plan: None,
        state,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn issuer() -> Issuer {
    Issuer {
        tenant: TenantId::SUPER,
        issuer: ISSUER.to_owned(),
        key_manager: KEY_MANAGER.to_owned(),
        keys: vec![(KEY.kid().to_owned(), KEY.public().clone())],
        consumer_key_claim: None,
        scopes_claim: None,
        says_aut: true,
    }
}

/// Everything a subscribed caller needs, but for the API.
pub(crate) fn subscriber(api: ApiId) -> Vec<Change> {
    let mut changes = vec![
        Change::PutTenant(Tenant::super_tenant(NOW)),
        Change::PutIssuer(issuer()),
        Change::PutApplication(application()),
        Change::PutKeyMapping(key_mapping(KeyType::Production)),
        Change::PutSubscription(subscription(api, SubscriptionState::Unblocked)),
    ];
    changes.extend(model::default_subscription_policies(TenantId::SUPER).into_iter().map(Change::PutSubscriptionPolicy));
    changes.extend(model::default_application_policies(TenantId::SUPER).into_iter().map(Change::PutApplicationPolicy));
    changes.extend(model::default_advanced_policies(TenantId::SUPER).into_iter().map(Change::PutAdvancedPolicy));
    changes
}

/// A gateway with one API and a subscriber to it.
pub(crate) async fn shop(api: Api) -> Running {
    let mut changes = subscriber(api.id);
    changes.push(put(api));
    Running::start(Config::default(), &changes).await
}

pub(crate) fn token_with(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut claims = json!({
        "iss": ISSUER, "sub": "bob@carbon.super", "azp": CONSUMER_KEY, "aut": "APPLICATION", "scope": "default",
        "exp": 4_000_000_000i64, "iat": 1_600_000_000, "jti": "jti-1",
    });
    change(&mut claims);
    KEY.sign(&token::Header::access_token(), &claims).expect("a token")
}

pub(crate) fn bearer() -> String {
    format!("Bearer {}", token_with(|_| {}))
}
