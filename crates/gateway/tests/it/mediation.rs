//! Calls of APIs with mediation sequences.

use std::sync::Arc;

use mediation::{Library, Source};
use model::{ApiId, ErrorFormat, Generation, TenantId};
use tidegate_gateway::{Change, Sequences};

use crate::support::*;

fn sequence(body: &str) -> Source {
    Source::new("test.xml", format!("<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"s\">{body}</sequence>"))
}

fn sequences(request: &[&str], response: &[&str], fault: Option<&str>) -> Change {
    Change::PutSequences(Sequences {
        api: ApiId::derived(&["shop"]),
        request: request.iter().map(|body| sequence(body)).collect(),
        response: response.iter().map(|body| sequence(body)).collect(),
        fault: fault.map(sequence),
        library: Arc::new(Library::new()),
    })
}

async fn mediated(backend: &Backend, change: Change) -> Running {
    let gateway = shop(open_api(&backend.url(), &[("GET", "/*"), ("POST", "/*")])).await;
    gateway.change(&[change]);
    gateway
}

#[tokio::test]
async fn headers_and_path_are_changed_on_the_way_in_and_headers_on_the_way_out() {
    let backend = Backend::echo().await;
    let first = "<property name=\"X-First\" value=\"1\" scope=\"transport\"/>";
    let own = "<property name=\"X-Own\" expression=\"$trp:X-First\" scope=\"transport\"/><property name=\"X-Gone\" scope=\"transport\" action=\"remove\"/>\
               <property name=\"REST_URL_POSTFIX\" value=\"/elsewhere?a=1\" scope=\"axis2\"/>";
    let out = "<property name=\"X-Out\" value=\"yes\" scope=\"transport\"/><property name=\"HTTP_SC\" value=\"201\" scope=\"axis2\"/>";
    let gateway = mediated(&backend, sequences(&[first, own], &[out], None)).await;
    let answer = gateway.ask("POST", "/shop/1.0.0/x?b=2", &[("X-Gone", "g"), ("Content-Type", "text/plain")], "hello").await;
    assert_eq!((answer.status, answer.header("x-out")), (201, Some("yes")), "{answer:?}");
    assert!(answer.body.starts_with("POST /elsewhere?a=1 HTTP/1.1\r\n"), "{}", answer.body);
    assert!(answer.body.contains("x-own: 1\r\n") || answer.body.contains("X-Own: 1\r\n"), "{}", answer.body);
    assert!(!answer.body.to_lowercase().contains("x-gone") && answer.body.ends_with("hello"), "{}", answer.body);
    // Without sequences it is as it was.
    gateway.change(&[Change::RemoveSequences(ApiId::derived(&["shop"]))]);
    let answer = gateway.ask("POST", "/shop/1.0.0/x?b=2", &[], "hello").await;
    assert!(answer.body.starts_with("POST /x?b=2 HTTP/1.1\r\n"), "{}", answer.body);
}

#[tokio::test]
async fn a_body_is_read_and_made_anew() {
    let backend = Backend::start(|_, _, _| {
        Deed::Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"name\":\"Bo\"}".to_vec())
    })
    .await;
    let into = "<payloadFactory media-type=\"json\"><format>{\"id\": $1}</format><args><arg evaluator=\"json\" expression=\"$.order.id\"/></args></payloadFactory>";
    let out = "<payloadFactory media-type=\"json\"><format>{\"hello\": \"$1\"}</format><args><arg evaluator=\"json\" expression=\"$.name\"/></args></payloadFactory>";
    let gateway = mediated(&backend, sequences(&[into], &[out], None)).await;
    let answer = gateway.ask("POST", "/shop/1.0.0/x", &[("Content-Type", "application/json")], "{\"order\":{\"id\":7}}").await;
    let sent: serde_json::Value = serde_json::from_str(backend.got()[0].split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(sent, serde_json::json!({"id": 7}));
    let got: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, got), (200, serde_json::json!({"hello": "Bo"})));
}

#[tokio::test]
async fn a_sequence_answers_by_itself_and_sends_nothing_of_the_client_back() {
    let backend = Backend::echo().await;
    let into = "<filter source=\"$trp:X-Ask\" regex=\"me\"><then><payloadFactory media-type=\"json\"><format>{\"own\": true}</format><args/></payloadFactory>\
                <property name=\"HTTP_SC\" value=\"203\" scope=\"axis2\"/><property name=\"X-Set\" value=\"s\" scope=\"transport\"/><respond/></then></filter>";
    let gateway = mediated(&backend, sequences(&[into], &[], None)).await;
    let answer = gateway.get("/shop/1.0.0/x", &[("X-Ask", "me"), ("Cookie", "secret=1")]).await;
    assert_eq!((answer.status, answer.header("x-set")), (203, Some("s")), "{answer:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&answer.body).unwrap(), serde_json::json!({"own": true}));
    assert_eq!((answer.header("cookie"), answer.header("x-ask")), (None, None));
    assert!(backend.got().is_empty());
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.status, 200);
}

#[tokio::test]
async fn calls_and_sends_go_where_the_sequence_says() {
    let backend = Backend::echo().await;
    let other = Backend::start(|request, _, _| {
        let what = if request.starts_with("GET /ask") { "asked" } else { "sent" };
        Deed::Send(format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Other: {what}\r\nContent-Length: 2\r\n\r\nok").into_bytes())
    })
    .await;
    let call = format!(
        "<call><endpoint><http method=\"get\" uri-template=\"{0}/ask\"/></endpoint></call><property name=\"X-Asked\" expression=\"$trp:X-Other\" scope=\"transport\"/>",
        other.url()
    );
    let gateway = mediated(&backend, sequences(&[&call], &[], None)).await;
    let answer = gateway.get("/shop/1.0.0/x", &[]).await;
    assert!(answer.body.to_lowercase().contains("x-asked: asked\r\n"), "{}", answer.body);
    let send = format!("<send><endpoint><address uri=\"{}/place\"/></endpoint></send>", other.url());
    gateway.change(&[sequences(&[&send], &["<property name=\"X-Out\" value=\"1\" scope=\"transport\"/>"], None)]);
    let answer = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!((answer.header("x-other"), answer.header("x-out"), &*answer.body), (Some("sent"), Some("1"), "ok"));
    assert_eq!(backend.got().len(), 1);
}

#[tokio::test]
async fn a_fault_sequence_answers_for_a_backend_that_does_not() {
    let closed = Backend::start(|_, _, _| Deed::SendAndClose(Vec::new())).await;
    let fault = "<payloadFactory media-type=\"json\"><format>{\"failed\": \"$1\"}</format><args><arg expression=\"$ctx:ERROR_CODE\"/></args></payloadFactory>\
                 <property name=\"HTTP_SC\" value=\"502\" scope=\"axis2\"/><property name=\"RESPONSE\" value=\"true\"/><header name=\"To\" action=\"remove\"/><send/>";
    let gateway = mediated(&closed, sequences(&[], &[], Some(fault))).await;
    let answer = gateway.get("/shop/1.0.0/x", &[("X-Mine", "1")]).await;
    assert_eq!((answer.status, answer.header("x-mine")), (502, None), "{answer:?}");
    assert!(answer.body.contains("101505"), "{}", answer.body);
}

#[tokio::test]
async fn what_cannot_run_or_be_held_is_refused() {
    let backend = Backend::echo().await;
    let gateway = shop(open_api(&backend.url(), &[("POST", "/*")])).await;
    let broken = sequences(&["<class name=\"com.acme.Own\"/>"], &[], None);
    let (snapshot, faults) = gateway.gateway.snapshot().apply_sound(&[broken]);
    assert!(faults[0].to_string().contains("com.acme.Own") || format!("{:?}", faults[0]).contains("com.acme.Own"), "{faults:?}");
    gateway.gateway.swap(snapshot);
    let answer = gateway.ask("POST", "/shop/1.0.0/x", &[], "a").await;
    assert_eq!((answer.status, answer.code()), (500, "0".to_owned()));
    let reads = "<property name=\"P\" expression=\"json-eval($.a)\"/>";
    gateway.change(&[sequences(&[reads], &[], None)]);
    let long = "a".repeat(9 << 20);
    assert_eq!(gateway.ask("POST", "/shop/1.0.0/x", &[("Content-Type", "application/json")], &long).await.code(), "601000");
    // In the form the tenant keeps.
    gateway.change(&[Change::PutContinuity(model::Continuity {
        error_format: ErrorFormat::Xml1(Generation::V1_9),
        ..model::Continuity::none(TenantId::SUPER)
    })]);
    let answer = gateway.ask("POST", "/shop/1.0.0/x", &[], &long).await;
    assert!(answer.status == 200 || answer.body.contains("<am:code>601000</am:code>"), "{}", answer.status);
}

#[test]
fn texts_are_not_shown() {
    let shown = format!("{:?}", sequences(&["<property name=\"password\" value=\"tell-nobody\"/>"], &[], None));
    assert!(shown.contains("test.xml") && !shown.contains("tell-nobody"), "{shown}");
}

#[tokio::test]
async fn copies_call_and_their_answers_are_brought_together() {
    let backend = Backend::start(|request, _, _| {
        let body = format!("{{\"is\":\"{}\"}}", request.split(' ').nth(1).unwrap());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        Deed::Send((head + &body).into_bytes())
    })
    .await;
    let into = format!(
        "<iterate expression=\"json-eval($.ids)\"><target><sequence><property name=\"uri.var.id\" expression=\"json-eval($)\"/>\
         <call><endpoint><http method=\"get\" uri-template=\"{}/item/{{uri.var.id}}\"/></endpoint></call></sequence></target></iterate>\
         <aggregate><completeCondition timeout=\"10\"><messageCount min=\"-1\" max=\"-1\"/></completeCondition>\
         <onComplete expression=\"json-eval($.is)\"><respond/></onComplete></aggregate>",
        backend.url()
    );
    let gateway = mediated(&backend, sequences(&[&into], &[], None)).await;
    let answer = gateway.ask("POST", "/shop/1.0.0/x", &[("Content-Type", "application/json")], "{\"ids\":[7,8,9]}").await;
    let got: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, got), (200, serde_json::json!(["/item/7", "/item/8", "/item/9"])), "{answer:?}");
    assert_eq!(backend.got().len(), 3);
}

#[tokio::test]
async fn a_failover_endpoint_goes_on_to_the_next_place() {
    let backend = Backend::echo().await;
    let other = Backend::start(|_, _, _| ok("other")).await;
    // A port that was free a moment ago: nothing listens there.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let place = |uri: &str| format!("<endpoint><address uri=\"{uri}\"/></endpoint>");
    let group = format!("<endpoint><failover>{}{}</failover></endpoint>", place(&format!("http://{free}")), place(&other.url()));
    let gateway = mediated(&backend, sequences(&[&format!("<send>{group}</send>")], &[], None)).await;
    let sent = gateway.ask("POST", "/shop/1.0.0/x", &[("Content-Type", "text/plain")], "hello").await;
    assert_eq!((sent.status, sent.body.as_str()), (200, "other"), "{sent:?}");
    assert!(other.got()[0].starts_with("POST /x HTTP/1.1\r\n") && other.got()[0].ends_with("hello"), "{:?}", other.got());
    gateway.change(&[sequences(&[&format!("<call>{group}</call><respond/>")], &[], None)]);
    assert_eq!(gateway.get("/shop/1.0.0/y", &[]).await.body, "other");
    assert!(backend.got().is_empty());
}

#[tokio::test]
async fn headers_that_are_no_plain_text_pass_as_they_are() {
    let backend = Backend::start(|request, _, _| {
        let body = request.to_owned();
        Deed::Send(format!("HTTP/1.1 200 OK\r\nX-City: Köln\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    })
    .await;
    let touch = "<property name=\"X-Touched\" value=\"1\" scope=\"transport\"/>";
    let gateway = mediated(&backend, sequences(&[touch], &[touch], None)).await;
    let answer = gateway.get("/shop/1.0.0/x", &[("X-Name", "Jürgen")]).await;
    assert!(answer.body.to_lowercase().contains("x-name: jürgen\r\n"), "{}", answer.body);
    assert_eq!((answer.header("x-city"), answer.header("x-touched")), (Some("Köln"), Some("1")), "{answer:?}");
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> String {
    std::io::read_to_string(flate2::read::GzDecoder::new(bytes)).unwrap()
}

#[tokio::test]
async fn a_coded_answer_is_read_plain_and_goes_on_coded_unless_it_is_made_anew() {
    let backend = Backend::start(|_, _, _| {
        let body = gzip("{\"name\":\"Bo\"}");
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Deed::Send([head.into_bytes(), body].concat())
    })
    .await;
    let reads = "<property name=\"X-Name\" expression=\"json-eval($.name)\" scope=\"transport\"/>";
    let makes = "<payloadFactory media-type=\"json\"><format>{\"hello\": \"$1\"}</format><args><arg evaluator=\"json\" expression=\"$.name\"/></args></payloadFactory>";
    let blind = "<payloadFactory media-type=\"json\"><format>{\"hello\": \"all\"}</format><args/></payloadFactory>";
    let gateway = mediated(&backend, sequences(&[], &[reads], None)).await;
    let mut raw = gateway.connect().await;
    raw.send("GET /shop/1.0.0/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n").await;
    let (head, body) = raw.rest().await;
    assert!(head.to_lowercase().contains("x-name: bo\r\n") && head.to_lowercase().contains("content-encoding: gzip\r\n"), "{head}");
    assert_eq!(gunzip(&body), "{\"name\":\"Bo\"}");
    for (sequence, hello) in [(makes, "Bo"), (blind, "all")] {
        gateway.change(&[sequences(&[], &[sequence], None)]);
        let answer = gateway.get("/shop/1.0.0/x", &[]).await;
        assert_eq!(answer.header("content-encoding"), None, "{answer:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&answer.body).unwrap(), serde_json::json!({"hello": hello}));
    }
}

#[tokio::test]
async fn a_coded_request_is_read_plain() {
    let backend = Backend::echo().await;
    let reads = "<property name=\"X-Id\" expression=\"json-eval($.id)\" scope=\"transport\"/>";
    let makes = "<payloadFactory media-type=\"json\"><format>{\"id\": $1}</format><args><arg evaluator=\"json\" expression=\"$.id\"/></args></payloadFactory>";
    let gateway = mediated(&backend, sequences(&[reads], &[], None)).await;
    let send = async |coding: &str, body: Vec<u8>| {
        let mut raw = gateway.connect().await;
        let head = format!(
            "POST /shop/1.0.0/x HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        raw.send_bytes(&[head.into_bytes(), body].concat()).await;
        raw.answer().await
    };
    let kept = send("gzip", gzip("{\"id\":7}")).await.body.to_lowercase();
    assert!(kept.contains("x-id: 7\r\n") && kept.contains("content-encoding: gzip\r\n"), "{kept}");
    gateway.change(&[sequences(&[makes], &[], None)]);
    let made = send("gzip", gzip("{\"id\":7}")).await.body;
    assert!(!made.to_lowercase().contains("content-encoding") && made.replace(' ', "").ends_with("{\"id\":7}"), "{made}");
    // What cannot be read is told, and does not pass unread.
    for (coding, body) in [("br", gzip("{\"id\":7}")), ("gzip", b"{\"id\":7}".to_vec())] {
        assert_eq!(send(coding, body).await.code(), "601000", "{coding}");
    }
    assert_eq!(backend.got().len(), 2);
}

#[tokio::test]
async fn answers_to_head_keep_what_they_say_of_their_length() {
    let backend = Backend::start(|request, _, _| match request.starts_with("HEAD") {
        true => Deed::Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n".to_vec()),
        false => ok("{\"name\":\"Bo\"}"),
    })
    .await;
    let gateway = shop(open_api(&backend.url(), &[("GET", "/*"), ("HEAD", "/*")])).await;
    let touch = "<property name=\"X-Touched\" value=\"1\" scope=\"transport\"/>";
    let reads = "<property name=\"X-Name\" expression=\"json-eval($.name)\" scope=\"transport\"/>";
    for out in [touch, reads] {
        gateway.change(&[sequences(&[], &[out], None)]);
        let answer = gateway.ask("HEAD", "/shop/1.0.0/x", &[], "").await;
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("13")), "{answer:?}");
        assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.header("content-length"), Some("13"));
    }
}

#[tokio::test]
async fn copies_are_sent_off_and_gathered_in_the_answer_sequence() {
    let backend = Backend::start(|request, _, _| {
        let body = format!("{{\"is\":\"{}\"}}", request.split(' ').nth(1).unwrap());
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-From: backend\r\nContent-Length: {}\r\n\r\n", body.len());
        Deed::Send((head + &body).into_bytes())
    })
    .await;
    let to = |path: &str| format!("<endpoint><http method=\"get\" uri-template=\"{}/{path}\"/></endpoint>", backend.url());
    let into = format!(
        "<iterate expression=\"json-eval($.ids)\"><target><sequence><property name=\"uri.var.id\" expression=\"json-eval($)\"/>\
         <send>{}</send></sequence></target></iterate>",
        to("item/{uri.var.id}")
    );
    let out = "<aggregate><completeCondition><messageCount min=\"-1\" max=\"-1\"/></completeCondition>\
               <onComplete expression=\"json-eval($.is)\"><property name=\"X-Whole\" value=\"1\" scope=\"transport\"/><send/></onComplete></aggregate>";
    let gateway = mediated(&backend, sequences(&[&into], &[out], None)).await;
    let ask = || gateway.ask("POST", "/shop/1.0.0/x", &[("Content-Type", "application/json")], "{\"ids\":[7,8,9]}");
    let answer = ask().await;
    let got: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, got), (200, serde_json::json!(["/item/7", "/item/8", "/item/9"])), "{answer:?}");
    assert_eq!((answer.header("x-whole"), answer.header("x-from")), (Some("1"), Some("backend")));
    // An answer sequence before it, and none that brings them together: the first answer is the client's.
    gateway.change(&[sequences(&[&into], &["<property name=\"X-Out\" value=\"1\" scope=\"transport\"/>", out], None)]);
    let whole = ask().await;
    assert_eq!((whole.header("x-out"), whole.header("x-whole")), (Some("1"), Some("1")), "{whole:?}");
    gateway.change(&[sequences(&[&into], &["<property name=\"X-Out\" value=\"1\" scope=\"transport\"/>"], None)]);
    let first = ask().await;
    assert_eq!((first.status, first.header("x-out"), first.body.as_str()), (200, Some("1"), "{\"is\":\"/item/7\"}"));
    // Copies to the API's own backend, each with a path of its own.
    let own = "<iterate expression=\"json-eval($.ids)\"><target><sequence><property name=\"REST_URL_POSTFIX\" expression=\"json-eval($)\" scope=\"axis2\"/>\
               <send/></sequence></target></iterate>";
    gateway.change(&[sequences(&[own], &[out], None)]);
    let paths =
        gateway.ask("POST", "/shop/1.0.0/x", &[("Content-Type", "application/json")], "{\"ids\":[\"/own/1\",\"/own/2?a=b\"]}").await;
    assert_eq!(paths.body, "[\"/own/1\",\"/own/2?a=b\"]", "{paths:?}");
    // A copy beside the message, which goes on.
    let before = backend.got().len();
    let beside = format!(
        "<clone continueParent=\"true\"><target><sequence><property name=\"OUT_ONLY\" value=\"true\"/><send>{}</send></sequence></target></clone>",
        to("audit")
    );
    gateway.change(&[sequences(&[&beside], &[], None)]);
    assert_eq!(gateway.get("/shop/1.0.0/y", &[]).await.body, "{\"is\":\"/y\"}");
    let mut got: Vec<String> = backend.got()[before..].iter().map(|r| r.split(' ').nth(1).unwrap().to_owned()).collect();
    got.sort();
    assert_eq!(got, ["/audit", "/y"]);
    // A copy of the answer.
    gateway.change(&[sequences(&[], &[&beside.replace("audit", "audit-out")], None)]);
    assert_eq!(gateway.get("/shop/1.0.0/z", &[]).await.body, "{\"is\":\"/z\"}");
    assert!(backend.got().last().unwrap().contains(" /audit-out "), "{:?}", backend.got().last());
    // One that fails is the fault sequence's.
    let closed = Backend::start(|_, _, _| Deed::SendAndClose(Vec::new())).await;
    let down = format!("<clone><target><endpoint><address uri=\"{}\"/></endpoint></target></clone>", closed.url());
    let fault = "<property name=\"HTTP_SC\" value=\"502\" scope=\"axis2\"/><respond/>";
    gateway.change(&[sequences(&[&down], &[out], Some(fault))]);
    assert_eq!(gateway.get("/shop/1.0.0/y", &[]).await.status, 502);
}

#[tokio::test]
async fn a_sequence_counts_calls_and_keeps_answers() {
    let backend = Backend::start(|request, _, _| ok(request.split(' ').nth(1).unwrap())).await;
    let throttle = "<throttle id=\"t\"><policy><wsp:Policy xmlns:wsp=\"w\" xmlns:throttle=\"t\"><throttle:MediatorThrottleAssertion><wsp:Policy>\
        <throttle:ID throttle:type=\"IP\">other</throttle:ID><wsp:Policy><throttle:Control><wsp:Policy><throttle:MaximumCount>2</throttle:MaximumCount>\
        <throttle:UnitTime>3600000</throttle:UnitTime></wsp:Policy></throttle:Control></wsp:Policy></wsp:Policy></throttle:MediatorThrottleAssertion></wsp:Policy></policy>\
        <onReject><property name=\"HTTP_SC\" value=\"429\" scope=\"axis2\"/><respond/></onReject></throttle>";
    let gateway = mediated(&backend, sequences(&[throttle], &[], None)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(gateway.get("/shop/1.0.0/x", &[]).await.status);
    }
    assert_eq!(seen, [200, 200, 429]);
    let kept = "<cache id=\"c\" collector=\"false\" timeout=\"3600\"/>";
    gateway.change(&[sequences(&[kept], &["<cache id=\"c\" collector=\"true\"/>"], None)]);
    let before = backend.got().len();
    for (path, cookie) in [("/a", "s=1"), ("/a", "s=1"), ("/a", "s=2"), ("/b", "s=1"), ("/b", "s=1")] {
        let answer = gateway.get(&format!("/shop/1.0.0{path}"), &[("Cookie", cookie)]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, path), "{answer:?}");
    }
    assert_eq!(backend.got().len() - before, 3);
}
