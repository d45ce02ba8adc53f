//! Where one message ends and the next begins: the tests of request smuggling and its kin.
//!
//! Each sends raw bytes and looks at both sides: what the client gets, and what the backend got.

use tidegate_gateway::Config;
use tokio::io::AsyncWriteExt;

use crate::support::{Backend, Deed, Running, ok, open_api, put, soon, subscriber};

async fn gateway(backend: &Backend) -> Running {
    let api = open_api(&backend.url(), &[("GET", "/*"), ("POST", "/*"), ("PUT", "/*"), ("HEAD", "/*"), ("DELETE", "/*")]);
    let mut changes = subscriber(api.id);
    changes.push(put(api));
    let config = Config { head_max_bytes: 16 << 10, ..Config::default() };
    Running::start(config, &changes).await
}

const SMUGGLED: &str = "GET /shop/1.0.0/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_length_beside_chunked_is_ignored_and_the_connection_closed() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    for order in ["Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"] {
        let mut raw = running.connect().await;
        // A server that goes by the length reads `0\r\n\r\n` and takes what follows for the next request's head.
        raw.send(&format!("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n{order}\r\n0\r\n\r\n{SMUGGLED}")).await;
        assert_eq!(raw.answer().await.status, 200);
        assert!(raw.is_closed().await);
    }
    let got = backend.got();
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got.iter().all(|r| !r.to_lowercase().contains("content-length: 4") && !r.contains("smuggled")));
}

#[tokio::test]
async fn differing_lengths_are_refused() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    for lengths in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 4\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
    ] {
        let mut raw = running.connect().await;
        raw.send(&format!("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n{lengths}\r\nabc{SMUGGLED}")).await;
        assert_eq!(raw.answer().await.status, 400, "{lengths}");
        assert!(raw.is_closed().await);
    }
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn equal_lengths_reach_the_backend_as_one() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(raw.answer().await.status, 200);
    let got = backend.got().concat().to_lowercase();
    assert_eq!(got.matches("content-length: 3").count(), 1, "{got}");
}

#[tokio::test]
async fn codings_other_than_chunked_are_refused() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    for (coding, status) in [("gzip, chunked", 501), ("xchunked", 400), ("chunked, identity", 400), ("identity", 400), ("\x0bchunked", 400)]
    {
        let mut raw = running.connect().await;
        raw.send(&format!("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n{SMUGGLED}")).await;
        assert_eq!(raw.answer().await.status, status, "{coding:?}");
    }
    assert!(backend.got().iter().all(|r| !r.contains("POST")), "{:?}", backend.got());
}

#[tokio::test]
async fn malformed_chunks_break_the_call_off() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    for chunk in ["zz\r\nabc\r\n0\r\n\r\n", "3 \nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n", "-1\r\n\r\n"] {
        let mut raw = running.connect().await;
        raw.send(&format!("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{SMUGGLED}")).await;
        assert_eq!(raw.answer().await.status, 400, "{chunk:?}");
        assert!(raw.is_closed().await);
    }
    assert!(backend.got().is_empty(), "{:?}", backend.got());
}

#[tokio::test]
async fn malformed_heads_are_refused() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    for head in [
        // A folded line, a space before the colon, control characters, no colon, a bare CR.
        "GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n folded\r\n\r\n",
        "GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
        "GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n",
        "GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
        "GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nX-A: a\rX-B: b\r\n\r\n",
        "GET /shop/1.0.0/a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut raw = running.connect().await;
        raw.send(head).await;
        assert_eq!(raw.answer().await.status, 400, "{head:?}");
        assert!(raw.is_closed().await);
    }
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn a_coding_in_http_1_0_is_refused() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send(&format!("POST /shop/1.0.0/a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}")).await;
    assert_eq!(raw.answer().await.status, 400);
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn heads_are_bounded() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send(&format!("GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "a".repeat(20 << 10))).await;
    assert_eq!(raw.answer().await.status, 431);
    let mut many = running.connect().await;
    many.send(&format!("GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(300))).await;
    assert_eq!(many.answer().await.status, 431);
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::start(|request, _, _| ok(request.split(' ').nth(1).unwrap())).await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send("GET /shop/1.0.0/1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /shop/1.0.0/2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /shop/1.0.0/3 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    for path in ["/1", "/2", "/3"] {
        assert_eq!(raw.answer().await.body, path);
    }
}

#[tokio::test]
async fn a_backend_cannot_smuggle_an_answer() {
    // Bytes behind an answer must never become the next call's answer.
    let backend = Backend::start(|_, connection, _| {
        let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        if connection == 0 { Deed::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{evil}").into_bytes()) } else { ok("good") }
    })
    .await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send("GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(raw.answer().await.body, "ok");
    raw.send("GET /shop/1.0.0/b HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(raw.answer().await.body, "good");
}

#[tokio::test]
async fn a_backends_ambiguous_framing_is_a_protocol_failure_or_settled_by_chunked() {
    for (head, expected) in [
        ("Content-Length: 2\r\nContent-Length: 3\r\n", 500),
        ("Content-Length: abc\r\n", 500),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 200),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{head}\r\n2\r\nok\r\n0\r\n\r\n");
        let backend = Backend::start(move |_, _, _| Deed::SendAndClose(text.clone().into_bytes())).await;
        let running = gateway(&backend).await;
        let answer = running.get("/shop/1.0.0/a", &[]).await;
        assert_eq!(answer.status, expected, "{head}: {answer:?}");
        if expected == 500 {
            assert_eq!(answer.code(), "101506");
        } else {
            assert_eq!(answer.body, "ok");
        }
    }
}

#[tokio::test]
async fn headers_of_one_connection_go_no_further() {
    let backend = Backend::start(|request, _, _| {
        let text = "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nServer: s\r\nX-Kept: 2\r\n";
        Deed::Send(format!("{text}Content-Length: {}\r\n\r\n{request}", request.len()).into_bytes())
    })
    .await;
    let running = gateway(&backend).await;
    let answer = running
        .get(
            "/shop/1.0.0/a",
            &[
                ("Connection", "X-Secret, keep-alive"),
                ("X-Secret", "1"),
                ("TE", "trailers"),
                ("Upgrade", "h2c"),
                ("HTTP2-Settings", "AAA"),
                ("Proxy-Authorization", "Basic x"),
                ("X-Kept", "3"),
            ],
        )
        .await;
    assert_eq!(answer.status, 200);
    let got = answer.body.to_lowercase();
    for gone in ["x-secret", "te:", "upgrade", "http2-settings", "proxy-authorization", "connection"] {
        assert!(!got.contains(gone), "{gone} in {got}");
    }
    assert!(got.contains("x-kept: 3"));
    for gone in ["x-hop", "keep-alive", "server"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_eq!(answer.header("x-kept"), Some("2"));
}

#[tokio::test]
async fn absolute_form_routes_by_path_and_the_backend_sees_its_own_host() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send("GET http://evil.example/shop/1.0.0/a?q=1 HTTP/1.1\r\nHost: other\r\n\r\n").await;
    let got = raw.answer().await.body;
    assert!(got.starts_with("GET /a?q=1 HTTP/1.1\r\n"), "{got}");
    assert!(got.to_lowercase().contains(&format!("host: {}", backend.address)), "{got}");
}

#[tokio::test]
async fn a_call_answered_early_does_not_wait_for_its_body_and_poisons_no_connection() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    // 404 before the body is read; the body, which looks like a request, must not be taken for one.
    raw.send(&format!("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{SMUGGLED}")).await;
    assert_eq!(raw.answer().await.status, 404);
    assert!(raw.is_closed().await);
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn expectations_are_met_by_the_gateway_and_only_when_the_body_is_wanted() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 100);
    raw.send("hello").await;
    let answer = raw.answer().await;
    assert!(answer.body.ends_with("hello") && !answer.body.to_lowercase().contains("expect"), "{answer:?}");
    let mut refused = running.connect().await;
    refused.send("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(refused.answer().await.status, 404);
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let backend = Backend::echo().await;
    let mut api_changes = subscriber(open_api(&backend.url(), &[]).id);
    api_changes.push(put(open_api(&backend.url(), &[("GET", "/*")])));
    let short = std::time::Duration::from_millis(300);
    let running = Running::start(Config { head_timeout: short, keep_alive_timeout: short, ..Config::default() }, &api_changes).await;
    let mut silent = running.connect().await;
    let mut slow = running.connect().await;
    slow.send("GET /shop/1.0.0/a HTTP/1.1\r\nHo").await;
    let mut idle = running.connect().await;
    idle.send("GET /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.status, 200);
    assert!(silent.is_closed().await);
    assert!(slow.is_closed().await);
    assert!(idle.is_closed().await);
    soon("no connection is left", async {
        while running.gateway.connection_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_the_backend_as_broken() {
    let backend = Backend::echo().await;
    let running = gateway(&backend).await;
    let mut raw = running.connect().await;
    raw.send("POST /shop/1.0.0/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this").await;
    raw.0.shutdown().await.unwrap();
    drop(raw);
    let mut next = running.connect().await;
    next.send("GET /shop/1.0.0/next HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(next.answer().await.body.starts_with("GET /next"));
    assert_eq!(backend.got().len(), 1, "the broken one never became a whole request");
}
