//! Connections to backends: reuse, staleness, failures, streaming.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::Endpoints;
use serde_json::json;
use tidegate_gateway::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Backend, Deed, Running, ok, open_api, put, shop, soon, subscriber};

const ALL: &[(&str, &str)] = &[("GET", "/*"), ("POST", "/*"), ("HEAD", "/*"), ("DELETE", "/*")];

#[tokio::test]
async fn connections_are_reused() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let backend =
        Backend::start(move |request, _, _| if request.starts_with("HEAD") { Deed::Send(head.to_vec()) } else { ok(request) }).await;
    let running = shop(open_api(&backend.url(), ALL)).await;
    for _ in 0..5 {
        assert_eq!(running.ask("POST", "/shop/1.0.0/a", &[], "body").await.status, 200);
        // Without a body, but with the length it would have.
        assert_eq!(running.ask("HEAD", "/shop/1.0.0/a", &[], "").await.header("content-length"), Some("1000"));
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn a_stale_connection_is_noticed_or_the_call_repeated_if_that_is_safe() {
    // Each connection answers once and closes when the next request has been read.
    let backend = Backend::start(|_, _, turn| if turn == 0 { ok("fine") } else { Deed::SendAndClose(Vec::new()) }).await;
    let running = shop(open_api(&backend.url(), ALL)).await;
    for _ in 0..3 {
        assert_eq!(running.get("/shop/1.0.0/a", &[]).await.body, "fine");
    }
    // A POST may have had its effect: it is not repeated.
    let answer = running.ask("POST", "/shop/1.0.0/a", &[], "x").await;
    assert_eq!((answer.status, answer.code()), (500, "101505".to_owned()));
    assert_eq!(backend.got().iter().filter(|r| r.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn a_closed_idle_connection_costs_a_post_nothing() {
    let backend = Backend::start(|_, _, _| Deed::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())).await;
    let running = shop(open_api(&backend.url(), ALL)).await;
    for _ in 0..20 {
        let answer = running.ask("POST", "/shop/1.0.0/a", &[], "x").await;
        // The close may arrive while the next request is on its way; then the call is refused rather than made twice.
        assert!(answer.status == 200 || answer.code() == "101505", "{answer:?}");
    }
}

#[tokio::test]
async fn failures_have_their_codes() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hang = Backend::start(|_, _, _| Deed::Hang).await;
    let close = Backend::start(|_, _, _| Deed::SendAndClose(Vec::new())).await;
    let garbage = Backend::start(|_, _, _| Deed::SendAndClose(b"SMTP ready\r\n\r\n".to_vec())).await;
    let half = Backend::start(|_, _, _| Deed::SendAndClose(b"HTTP/1.1 200 O".to_vec())).await;
    let switching =
        Backend::start(|_, _, _| Deed::Send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_vec()))
            .await;
    for (url, code) in [
        (format!("http://{refused}"), "101503"),
        ("http://no-such-host.invalid".to_owned(), "101503"),
        (hang.url(), "101504"),
        (close.url(), "101505"),
        (half.url(), "101505"),
        (garbage.url(), "101506"),
        (switching.url(), "101506"),
        (format!("https://{}", hang.address), "101508"),
    ] {
        let api = open_api(&url, ALL);
        let mut changes = subscriber(api.id);
        changes.push(put(api));
        let short = Duration::from_millis(300);
        let running = Running::start(Config { response_timeout: short, connect_timeout: short, ..Config::default() }, &changes).await;
        let mut raw = running.connect().await;
        for _ in 0..2 {
            raw.send("GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nX-Echo: secret\r\n\r\n").await;
            let answer = raw.answer().await;
            assert_eq!((answer.status, &*answer.code()), (500, code), "{url}: {answer:?}");
            assert!(answer.body.contains("\"type\":\"Status report\",\"message\":\"Runtime Error\""), "{answer:?}");
            assert_eq!(answer.header("x-echo"), None);
        }
    }
}

#[tokio::test]
async fn an_endpoints_own_timeout_counts() {
    let hang = Backend::start(|_, _, _| Deed::Hang).await;
    let mut api = open_api(&hang.url(), ALL);
    api.endpoints =
        Endpoints(json!({"endpoint_type": "http", "production_endpoints": {"url": hang.url(), "config": {"actionDuration": "200"}}}));
    let running = shop(api).await;
    assert_eq!(running.get("/shop/1.0.0/a", &[]).await.code(), "101504");
}

#[tokio::test]
async fn a_slow_upload_is_not_a_slow_backend() {
    let echo = Backend::echo().await;
    let mut api = open_api(&echo.url(), ALL);
    api.endpoints =
        Endpoints(json!({"endpoint_type": "http", "production_endpoints": {"url": echo.url(), "config": {"actionDuration": "300"}}}));
    let running = shop(api).await;
    let mut raw = running.connect().await;
    raw.send("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n").await;
    // In all it takes longer than the backend may.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        raw.send("x").await;
    }
    let answer = raw.answer().await;
    assert!(answer.status == 200 && answer.body.ends_with("xxxxxxxx"), "{answer:?}");
}

#[tokio::test]
async fn load_is_balanced_and_failover_goes_in_order() {
    let a = Backend::start(|_, _, _| ok("a")).await;
    let b = Backend::start(|_, _, _| ok("b")).await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut api = open_api("http://x", ALL);
    api.endpoints = Endpoints(json!({"endpoint_type": "load_balance", "production_endpoints": [{"url": a.url()}, {"url": b.url()}]}));
    let running = shop(api).await;
    let mut bodies = Vec::new();
    for _ in 0..4 {
        bodies.push(running.get("/shop/1.0.0/x", &[]).await.body);
    }
    assert_eq!(bodies.concat(), "abab");

    let mut api = open_api("http://x", ALL);
    api.endpoints = Endpoints(
        json!({"endpoint_type": "failover", "failOver": true, "production_endpoints": {"url": format!("http://{dead}")}, "production_failovers": [{"url": a.url()}]}),
    );
    running.change(&[put(api)]);
    // Nothing was sent to the dead one, so even a POST goes on to the next.
    assert_eq!(running.ask("POST", "/shop/1.0.0/x", &[], "body").await.body, "a");
}

#[tokio::test]
async fn a_half_read_answer_ends_its_connection() {
    let big = "x".repeat(4 << 20);
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{big}", big.len());
    let backend =
        Backend::start(move |request, _, _| if request.contains("/big") { Deed::Send(text.clone().into_bytes()) } else { ok("small") })
            .await;
    let running = shop(open_api(&backend.url(), ALL)).await;
    let mut raw = running.connect().await;
    raw.send("GET /shop/1.0.0/big HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut some = [0u8; 1000];
    raw.0.read_exact(&mut some).await.unwrap();
    drop(raw);
    for _ in 0..3 {
        assert_eq!(running.get("/shop/1.0.0/small", &[]).await.body, "small");
    }
}

#[tokio::test]
async fn an_answer_before_the_requests_end_is_passed_on_and_the_connection_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = tokio::spawn(async move {
        for number in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0u8; 64 << 10];
            let read = stream.read(&mut head).await.unwrap();
            assert!(read > 0);
            stream.write_all(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig").await.unwrap();
            if number == 0 {
                // The gateway must close it: what is left of the first body would be read as a request.
                soon("the gateway lets go", async { while stream.read(&mut head).await.is_ok_and(|n| n > 0) {} }).await;
            }
        }
    });
    let running = shop(open_api(&url, ALL)).await;
    let mut raw = running.connect().await;
    raw.send("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nbeginning").await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, &*answer.body), (413, "big"));
    drop(raw);
    assert_eq!(running.get("/shop/1.0.0/b", &[]).await.status, 413);
    soon("the backend ends", connections).await.unwrap();
}

#[tokio::test]
async fn bodies_are_not_gathered_up() {
    // The backend sends the second half only after the client has the first.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let go_on = Arc::new(tokio::sync::Notify::new());
    let waiting = Arc::clone(&go_on);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0u8; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
        waiting.notified().await;
        stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let running = shop(open_api(&url, ALL)).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut got = Vec::new();
    while !got.windows(5).any(|w| w == b"first") {
        assert!(soon("the first half", stream.read_buf(&mut got)).await.unwrap() > 0);
    }
    go_on.notify_one();
    while !got.ends_with(b"0\r\n\r\n") {
        assert!(soon("the second half", stream.read_buf(&mut got)).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_large_upload_flows_through_and_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0u8; 64 << 10];
        let (mut total, mut answered) = (0usize, false);
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            if read == 0 {
                return;
            }
            total += read;
            if !answered && total > 64 << 20 {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await.unwrap();
                answered = true;
            }
        }
    });
    let running = shop(open_api(&url, ALL)).await;
    let mut raw = running.connect().await;
    let length = 64usize << 20;
    raw.send(&format!("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")).await;
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        soon("the gateway takes more", raw.0.write_all(&chunk)).await.unwrap();
    }
    assert_eq!(raw.answer().await.body, "done");
}

#[tokio::test]
async fn a_backend_that_falls_silent_in_a_body_is_given_up() {
    let backend = Backend::start(|_, _, _| Deed::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec())).await;
    let api = open_api(&backend.url(), ALL);
    let mut changes = subscriber(api.id);
    changes.push(put(api));
    let running = Running::start(Config { body_idle_timeout: Duration::from_millis(200), ..Config::default() }, &changes).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut got = Vec::new();
    // The client sees a connection that ends before the promised length.
    let _ = soon("the end", stream.read_to_end(&mut got)).await;
    assert!(got.ends_with(b"half"), "{:?}", String::from_utf8_lossy(&got));
}

#[tokio::test]
async fn calls_in_flight_end_before_the_gateway_stops() {
    let release = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&release);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, mut was_asked) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0u8; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        asked.send(()).await.unwrap();
        while !seen.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast").await.unwrap();
        std::future::pending::<()>().await;
    });
    let running = shop(open_api(&url, ALL)).await;
    let mut idle = running.connect().await;
    idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.status, 200);
    let mut raw = running.connect().await;
    raw.send("GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    soon("the backend is asked", was_asked.recv()).await.unwrap();
    running.stop.send(true).unwrap();
    assert!(idle.is_closed().await);
    assert!(TcpStream::connect(running.address).await.is_err() || !running.serving.is_finished());
    release.store(true, Ordering::SeqCst);
    assert_eq!(raw.answer().await.body, "last");
    assert!(raw.is_closed().await);
    soon("the gateway stops", running.serving).await.unwrap();
}

#[test]
fn workers_share_a_port_and_stop_together() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let backend = runtime.block_on(Backend::echo());
    let api = open_api(&backend.url(), ALL);
    let mut changes = subscriber(api.id);
    changes.push(put(api));
    let gateway = tidegate_gateway::Gateway::new(Config::default(), Arc::new(tidegate_gateway::NoOpaqueTokens)).unwrap();
    gateway.swap(tidegate_gateway::Snapshot::empty().apply(&changes).unwrap());
    // A port that is free now; the workers bind it together.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = std::thread::spawn({
        let gateway = Arc::clone(&gateway);
        move || gateway.run(&[tidegate_gateway::Door { address, tls: None }], 2, &stopped)
    });
    runtime.block_on(async {
        for _ in 0..20 {
            let mut stream = loop {
                match TcpStream::connect(address).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            stream.write_all(b"GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut got = String::new();
            soon("the answer", stream.read_to_string(&mut got)).await.unwrap();
            assert!(got.starts_with("HTTP/1.1 200"), "{got}");
        }
    });
    stop.send(true).unwrap();
    serving.join().unwrap().unwrap();
    assert_eq!(gateway.connection_count(), 0);
}
