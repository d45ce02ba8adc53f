//! Backends that want to know who the gateway is: one that checks digests as RFC 7616 has them, one that takes tokens of a token endpoint.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use md5::{Digest as _, Md5};
use model::Endpoints;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Deed, Running, api, bearer, ok, open_api, put, shop, soon};

const ALL: &[(&str, &str)] = &[("GET", "/*"), ("POST", "/*")];

fn header(request: &str, name: &str) -> Option<String> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let mut found = head.lines().filter_map(|l| l.split_once(": ")).filter(|(n, _)| n.eq_ignore_ascii_case(name));
    let value = found.next().map(|(_, value)| value.to_owned());
    assert!(found.next().is_none(), "{name} twice: {request}");
    value
}

fn with_status(status: &str, headers: &[&str]) -> Deed {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    Deed::Send(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 4\r\n\r\nbody").into_bytes())
}

async fn secured(url: &str, security: Value) -> Running {
    let mut api = open_api(url, ALL);
    api.endpoints =
        Endpoints(json!({"endpoint_type": "http", "production_endpoints": {"url": url}, "endpoint_security": {"production": security}}));
    shop(api).await
}

async fn call(running: &Running, method: &str, body: &str) -> Answer {
    soon("an answer", running.ask(method, "/shop/1.0.0/menu?day=1", &[("Authorization", "Basic c2VjcmV0")], body)).await
}

/// The server's side of digest authentication.
struct Guard {
    hash: fn(&str) -> String,
    algorithm: &'static str,
    /// Nonces given out, with the highest count seen of each.
    nonces: Mutex<HashMap<String, u32>>,
    made: AtomicUsize,
    /// A nonce is stale after so many uses.
    uses: u32,
}

fn md5_hex(text: &str) -> String {
    Md5::digest(text).iter().map(|b| format!("{b:02x}")).collect()
}

fn sha256_hex(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

impl Guard {
    fn new(hash: fn(&str) -> String, algorithm: &'static str, uses: u32) -> Arc<Self> {
        Arc::new(Self { hash, algorithm, nonces: Mutex::default(), made: AtomicUsize::new(0), uses })
    }

    fn challenge(&self, stale: bool) -> Deed {
        let nonce = format!("nonce-{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.nonces.lock().unwrap().insert(nonce.clone(), 0);
        let stale = if stale { ", stale=true" } else { "" };
        let line = format!(
            "WWW-Authenticate: Digest realm=\"kitchen\", nonce=\"{nonce}\", opaque=\"o\\\"1\", qop=\"auth,auth-int\", algorithm={}{stale}",
            self.algorithm
        );
        with_status("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"no\"", &line])
    }

    fn answer(&self, request: &str) -> Deed {
        let Some(shown) = header(request, "authorization") else { return self.challenge(false) };
        let fields: HashMap<String, String> = shown
            .strip_prefix("Digest ")
            .unwrap_or_else(|| panic!("no digest: {shown}"))
            .split(", ")
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
            .collect();
        let mut line = request.split(' ');
        let (method, uri) = (line.next().unwrap(), line.next().unwrap());
        let secret = (self.hash)("cook:kitchen:hunter2");
        let asked = (self.hash)(&format!("{method}:{uri}"));
        let field = |name: &str| fields.get(name).cloned().unwrap_or_else(|| panic!("no {name}: {shown}"));
        assert_eq!((field("uri").as_str(), field("opaque").as_str(), field("qop").as_str()), (uri, "o\\\"1", "auth"));
        let expected = (self.hash)(&format!("{secret}:{}:{}:{}:auth:{asked}", field("nonce"), field("nc"), field("cnonce")));
        if expected != field("response") || field("username") != "cook" {
            return self.challenge(false);
        }
        let mut nonces = self.nonces.lock().unwrap();
        let count = u32::from_str_radix(&field("nc"), 16).unwrap();
        match nonces.get_mut(&field("nonce")) {
            // A count that was seen is a replay.
            Some(seen) if count > *seen && count <= self.uses => *seen = count,
            _ => {
                drop(nonces);
                return self.challenge(true);
            }
        }
        ok(request.split("\r\n\r\n").nth(1).unwrap_or_default())
    }
}

fn digest_of(password: &str) -> Value {
    json!({"enabled": true, "type": "DIGEST", "username": "cook", "password": password})
}

#[tokio::test]
async fn a_backend_that_asks_for_digests_gets_them() {
    for (hash, algorithm) in [(md5_hex as fn(&str) -> String, "MD5"), (sha256_hex, "SHA-256")] {
        let guard = Guard::new(hash, algorithm, u32::MAX);
        let ours = Arc::clone(&guard);
        let backend = Backend::start(move |request, _, _| ours.answer(request)).await;
        let running = secured(&backend.url(), digest_of("hunter2")).await;
        for turn in 0..4 {
            let body = format!("order {turn}");
            let answer = call(&running, "POST", &body).await;
            assert_eq!((answer.status, answer.body), (200, body), "{algorithm}");
        }
        assert_eq!(call(&running, "GET", "").await.status, 200);
        // One challenge, then its nonce goes on with the next count, over one connection.
        assert_eq!((backend.got().len(), guard.made.load(Ordering::SeqCst), backend.connections()), (6, 1, 1));
        // The first call went without, and what the client said of itself never.
        assert!(header(&backend.got()[0], "authorization").is_none());
    }
}

#[tokio::test]
async fn a_stale_nonce_is_replaced_without_the_client_noticing() {
    let guard = Guard::new(sha256_hex, "SHA-256", 2);
    let ours = Arc::clone(&guard);
    let backend = Backend::start(move |request, _, _| ours.answer(request)).await;
    let running = secured(&backend.url(), digest_of("hunter2")).await;
    for turn in 0..6 {
        let body = format!("order {turn}");
        assert_eq!(call(&running, "POST", &body).await.body, body);
    }
    assert_eq!(guard.made.load(Ordering::SeqCst), 3);
    // Several at once, on one nonce that lasts for two.
    let calls = (0..8).map(|_| call(&running, "GET", ""));
    let mut statuses = Vec::new();
    for answer in join(calls).await {
        statuses.push(answer.status);
    }
    assert!(statuses.iter().all(|status| *status == 200 || *status == 401), "{statuses:?}");
    assert!(statuses.contains(&200));
}

async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, slot) in futures.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_long_body_is_sent_once_and_only_when_the_challenge_is_known() {
    let guard = Guard::new(sha256_hex, "SHA-256", u32::MAX);
    let ours = Arc::clone(&guard);
    let backend = Backend::start(move |request, _, _| match ours.answer(request) {
        // A HEAD is answered without the body that its length names.
        Deed::Send(bytes) if request.starts_with("HEAD") => {
            Deed::Send(String::from_utf8(bytes).unwrap().replace("\r\n\r\nbody", "\r\n\r\n").into())
        }
        deed => deed,
    })
    .await;
    let running = secured(&backend.url(), digest_of("hunter2")).await;
    let body = "x".repeat(600_000);
    for _ in 0..2 {
        let answer = call(&running, "POST", &body).await;
        assert_eq!((answer.status, answer.body.len()), (200, body.len()));
    }
    let methods: Vec<String> = backend.got().iter().map(|r| r.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["HEAD", "POST", "HEAD", "POST"]);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_a_call_and_told() {
    let guard = Guard::new(md5_hex, "MD5", u32::MAX);
    let ours = Arc::clone(&guard);
    let backend = Backend::start(move |request, _, _| ours.answer(request)).await;
    let running = secured(&backend.url(), digest_of("wrong")).await;
    for _ in 0..2 {
        let answer = call(&running, "POST", "x").await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "401"));
        assert!(answer.body.contains("Unauthenticated at backend level") && answer.header("www-authenticate").is_none(), "{answer:?}");
    }
    assert_eq!(backend.got().iter().filter(|request| header(request, "authorization").is_some()).count(), 2);

    // One that asks for nothing we know.
    let other = Backend::start(|_, _, _| with_status("401 Unauthorized", &["WWW-Authenticate: Negotiate"])).await;
    let running = secured(&other.url(), digest_of("hunter2")).await;
    assert_eq!(call(&running, "GET", "").await.status, 401);
    assert_eq!(other.got().len(), 1);
}

/// A token endpoint: counts what it gave, and remembers what it was asked.
async fn tokens(lasts: u64, refuse: bool) -> (Backend, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let ours = Arc::clone(&given);
    let backend = Backend::start(move |_, _, _| {
        if refuse {
            return with_status("401 Unauthorized", &[]);
        }
        let number = ours.fetch_add(1, Ordering::SeqCst);
        ok(&format!(
            "{{\"access_token\":\"t-{number}\",\"token_type\":\"Bearer\",\"expires_in\":{lasts},\"refresh_token\":\"r-{number}\"}}"
        ))
    })
    .await;
    (backend, given)
}

fn oauth_of(endpoint: &Backend, grant: &str) -> Value {
    json!({"enabled": true, "type": "OAUTH", "tokenUrl": format!("{}/oauth2/token?x=1", endpoint.url()), "grantType": grant,
        "clientId": "shop", "clientSecret": "hunter2", "username": "cook", "password": "p&w 1", "customParameters": {"audience": "kitchen"}})
}

/// Takes the newest token that `given` counts.
async fn kitchen(given: Arc<AtomicUsize>) -> Backend {
    Backend::start(move |request, _, _| {
        let newest = format!("Bearer t-{}", given.load(Ordering::SeqCst).wrapping_sub(1));
        if header(request, "authorization").as_deref() == Some(&*newest) {
            ok(request.split("\r\n\r\n").nth(1).unwrap_or_default())
        } else {
            with_status("401 Unauthorized", &[])
        }
    })
    .await
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_shown_until_it_ends() {
    let (endpoint, given) = tokens(3600, false).await;
    let backend = kitchen(Arc::clone(&given)).await;
    let running = secured(&backend.url(), oauth_of(&endpoint, "CLIENT_CREDENTIALS")).await;
    // Many at once wait for one request.
    let answers = join((0..10).map(|_| call(&running, "POST", "order"))).await;
    assert!(answers.iter().all(|answer| (answer.status, answer.body.as_str()) == (200, "order")), "{answers:?}");
    let asked = endpoint.got();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(asked.starts_with("POST /oauth2/token?x=1 HTTP/1.1\r\n"), "{asked}");
    assert_eq!(header(asked, "authorization").as_deref(), Some("Basic c2hvcDpodW50ZXIy"));
    assert!(asked.ends_with("\r\n\r\ngrant_type=client_credentials&audience=kitchen"), "{asked}");
    assert!(header(asked, "x-forwarded-for").is_none(), "the token endpoint is told nothing of callers");

    // Revoked at the backend: the next call notices, and asks anew.
    given.store(7, Ordering::SeqCst);
    let answer = call(&running, "POST", "again").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "again"));
    assert_eq!(endpoint.got().len(), 2);
}

#[tokio::test]
async fn a_token_that_ends_is_refreshed() {
    // One that lasts a second is at its end at once, by the margin.
    let (endpoint, given) = tokens(1, false).await;
    let backend = kitchen(given).await;
    let running = secured(&backend.url(), oauth_of(&endpoint, "PASSWORD")).await;
    for _ in 0..3 {
        assert_eq!(call(&running, "GET", "").await.status, 200);
    }
    let forms: Vec<String> = endpoint.got().iter().map(|r| r.split("\r\n\r\n").nth(1).unwrap().to_owned()).collect();
    assert_eq!(
        forms,
        [
            "grant_type=password&username=cook&password=p%26w%201&audience=kitchen",
            "grant_type=refresh_token&refresh_token=r-0&audience=kitchen",
            "grant_type=refresh_token&refresh_token=r-1&audience=kitchen",
        ]
    );
}

#[tokio::test]
async fn without_a_token_the_backend_is_not_called() {
    let (endpoint, _) = tokens(3600, true).await;
    let backend = Backend::echo().await;
    let running = secured(&backend.url(), oauth_of(&endpoint, "CLIENT_CREDENTIALS")).await;
    let answer = call(&running, "GET", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "900424"));
    assert!(answer.body.contains("Temporary Server Error") && answer.body.contains("Please try again"), "{answer:?}");
    assert!(backend.got().is_empty());

    // A backend that takes no token at all is asked twice and not for ever.
    let (endpoint, given) = tokens(3600, false).await;
    let closed = Backend::start(|_, _, _| with_status("401 Unauthorized", &[])).await;
    let running = secured(&closed.url(), oauth_of(&endpoint, "CLIENT_CREDENTIALS")).await;
    assert_eq!(call(&running, "POST", "x").await.code(), "900424");
    assert_eq!((closed.got().len(), given.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn sequences_and_callers_tokens_go_together_with_it() {
    let (endpoint, given) = tokens(3600, false).await;
    let backend = kitchen(given).await;
    let mut secured = api(&backend.url(), ALL);
    secured.endpoints = Endpoints(json!({"endpoint_type": "http", "production_endpoints": {"url": backend.url()},
        "endpoint_security": {"production": oauth_of(&endpoint, "CLIENT_CREDENTIALS")}}));
    let mut changes = crate::support::subscriber(secured.id);
    changes.push(put(secured));
    let running = Running::start(tidegate_gateway::Config::default(), &changes).await;
    let answer = running.ask("POST", "/shop/1.0.0/menu", &[("Authorization", &bearer())], "order").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "order"));
}
