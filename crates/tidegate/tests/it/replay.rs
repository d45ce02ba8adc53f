//! `verify --old-gateway`: the same calls of both gateways. The old one is played by a server that passes calls on to an upgraded Tidegate and
//! dresses its answers as another product might, or answers otherwise.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use testkit::{Backend, House, Place as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::old_rules::busy_site;
use crate::upgrade_road::{Old, Said};

/// How the old gateway's answer differs from the new one's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dress {
    /// In nothing that matters: order of members, blanks, headers of the connection, a date.
    Harmless,
    /// Refuses on Orders what is let in, names another type on Weather, says another thing on Pets.
    Deviating,
    /// Is throttled at the first call of each path, and always on Orders.
    Throttled,
}

struct OldGateway {
    url: String,
    verbs: Arc<Mutex<HashSet<String>>>,
}

impl OldGateway {
    async fn play(new: String, dress: Dress) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let verbs = Arc::new(Mutex::new(HashSet::new()));
        let (seen, met) = (Arc::clone(&verbs), Arc::new(Mutex::new(HashSet::new())));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (new, seen, met) = (new.clone(), Arc::clone(&seen), Arc::clone(&met));
                tokio::spawn(async move { one(stream, &new, dress, &seen, &met).await });
            }
        });
        Self { url, verbs }
    }
}

/// Answers one request and closes.
async fn one(mut stream: TcpStream, new: &str, dress: Dress, verbs: &Mutex<HashSet<String>>, met: &Mutex<HashSet<String>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut some = [0; 4096];
        let n = stream.read(&mut some).await.ok().filter(|n| *n > 0)?;
        head.extend_from_slice(&some[..n]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let (line, rest) = text.split_once("\r\n")?;
    let mut words = line.split(' ');
    let (verb, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    verbs.lock().unwrap().insert(verb.clone());
    let authorization = rest.lines().find(|l| l.to_ascii_lowercase().starts_with("authorization:")).map(|l| l[14..].trim().to_owned());
    let mut request = reqwest::Client::new().request(verb.parse().ok()?, format!("{new}{path}")).header("Accept", "*/*");
    if let Some(value) = &authorization {
        request = request.header("Authorization", value);
    }
    // A verb that may change something comes with an empty object.
    if !["GET", "HEAD", "OPTIONS"].contains(&verb.as_str()) {
        request = request.header("Content-Type", "application/json").body("{}");
    }
    let answer = request.send().await.ok()?;
    let mut status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let mut kind = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let mut body = answer.text().await.ok()?;
    let mut more = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: WSO2-PassThrough-HTTP\r\n".to_owned();
    for (name, value) in
        headers.iter().filter(|(n, _)| n.as_str().starts_with("access-control") || ["www-authenticate", "allow"].contains(&n.as_str()))
    {
        more.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let first = met.lock().unwrap().insert(format!("{verb} {path} {authorization:?}"));
    match dress {
        Dress::Harmless => {
            kind = kind.replace("; charset=UTF-8", ";charset=utf-8");
            if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(&body) {
                let turned: serde_json::Map<String, Value> = members.into_iter().rev().collect();
                body = serde_json::to_string_pretty(&turned).unwrap();
            }
            body = body.replace("><", ">\n  <");
        }
        Dress::Deviating if path.starts_with("/orders/1.0.0") && status == 200 => status = 403,
        Dress::Deviating if path.starts_with("/weather") => kind = "text/plain".to_owned(),
        Dress::Deviating if path.starts_with("/t/acme.com/pets") && status == 200 => body = body.replace("/pets/", "/cats/"),
        Dress::Throttled if first || path.starts_with("/orders/1.0.0") => {
            (status, body) = (429, "{}".to_owned());
            more.push_str("Retry-After: 1\r\n");
        }
        _ => {}
    }
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    if verb != "HEAD" {
        stream.write_all(body.as_bytes()).await.ok()?;
    }
    stream.shutdown().await.ok()
}

struct Both {
    old: Arc<Old>,
    new: String,
    _house: House,
    _backend: Backend,
}

impl Both {
    async fn set() -> Self {
        let backend = Backend::start().await;
        let (site, _) = busy_site(&backend.url(), server::clock::now().0);
        let old = Arc::new(Old::of(site));
        let said = Said::of(old.command(&["apply", "--unplanned"], "data").env_remove("TIDEGATE_ENCRYPTION_KEY").output().unwrap());
        assert!(said.fine, "{}", said.text);
        let house = House::on(&old.at("data")).await;
        let new = house.gateway("").trim_end_matches('/').to_owned();
        Self { old, new, _house: house, _backend: backend }
    }

    /// What `verify` says, and its report. Gateways go on answering while it runs.
    async fn verify(&self, gateway: &OldGateway, more: &[&str]) -> (Said, Value) {
        let json = self.old.at("verify.json").display().to_string();
        let words = ["verify", "--old-gateway", &gateway.url, "--new-gateway", &self.new, "--json", &json, "--replay-rate", "500"];
        let words: Vec<String> = words.iter().chain(more).map(|w| (*w).to_owned()).collect();
        let old = Arc::clone(&self.old);
        let said = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            Said::of(old.command(&words, "data").env_remove("TIDEGATE_ENCRYPTION_KEY").output().unwrap())
        });
        let said = said.await.unwrap();
        let report = std::fs::read_to_string(self.old.at("verify.json")).unwrap_or_default();
        for token in &self.old.site.tokens {
            assert!(!said.text.contains(&token.access) && !report.contains(&token.access), "a token is told");
        }
        (said, serde_json::from_str(&report).unwrap_or(Value::Null))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_gateways_are_asked_the_same_and_differences_are_told() {
    let both = Both::set().await;
    let faithful = OldGateway::play(both.new.clone(), Dress::Harmless).await;
    let (said, report) = both.verify(&faithful, &[]).await;
    assert!(said.fine, "{}", said.text);
    let replay = &report["verification"]["replay"];
    let calls = replay["calls"].as_u64().unwrap();
    println!("{calls} calls of each gateway: {} alike, {} volatile", replay["alike"], replay["volatile"]);
    assert!(calls > 80 && replay["alike"].as_u64().unwrap() + replay["volatile"].as_u64().unwrap() == calls, "{replay}");
    assert_eq!(*faithful.verbs.lock().unwrap(), HashSet::from(["GET".to_owned()]), "verbs that change nothing");
    let again = OldGateway::play(both.new.clone(), Dress::Harmless).await;
    let (said, report) = both.verify(&again, &["--replay-unsafe", "--replay-limit", "3"]).await;
    assert!(said.fine, "{}", said.text);
    assert!(again.verbs.lock().unwrap().contains("DELETE") && report["verification"]["replay"]["calls"].as_u64().unwrap() < calls);

    let deviating = OldGateway::play(both.new.clone(), Dress::Deviating).await;
    let (said, report) = both.verify(&deviating, &[]).await;
    assert!(!said.fine && said.text.contains("Calls of both gateways: "), "{}", said.text);
    let differences = report["verification"]["replay"]["differences"].as_array().unwrap();
    let what = |api: &str| -> HashSet<String> {
        let of = differences.iter().filter(|d| d["api"] == api).flat_map(|d| d["what"].as_array().unwrap());
        of.map(|w| w.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(what("Orders 1.0.0"), HashSet::from(["status".to_owned()]));
    assert!(what("Weather 1.0.0").contains("content-type"), "{differences:?}");
    assert_eq!(what("Pets 1.0.0"), HashSet::from(["body".to_owned()]));
    assert!(what("Invoices 1.0").is_empty());
    let one = differences.iter().find(|d| d["api"] == "Orders 1.0.0").unwrap();
    assert_eq!((&one["verb"], &one["old"]["status"], &one["new"]["status"]), (&"GET".into(), &403.into(), &200.into()));
    assert!(one["credential"].as_str().unwrap().starts_with("a token of "), "{one}");
    assert!(one["path"].as_str().unwrap().starts_with("/orders/1.0.0/"), "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_answer_is_no_difference_and_is_asked_for_again() {
    let both = Both::set().await;
    let throttled = OldGateway::play(both.new.clone(), Dress::Throttled).await;
    let (said, report) = both.verify(&throttled, &["--replay-limit", "3", "--replay-patience", "2"]).await;
    assert!(said.fine, "{}", said.text);
    let replay = &report["verification"]["replay"];
    let n = |key: &str| replay[key].as_u64().unwrap();
    assert!(n("throttled") > 0 && n("throttled") <= 3 && n("alike") + n("volatile") + n("throttled") == n("calls"), "{replay}");
    // Nobody there at all is no proof of anything.
    let (said, _) =
        both.verify(&OldGateway { url: "http://127.0.0.1:1".to_owned(), verbs: Arc::default() }, &["--replay-limit", "1"]).await;
    assert!(!said.fine && said.text.contains("no answer"), "{}", said.text);
    let refused = both.old.refused(&["verify", "--replay-unsafe"], "data");
    assert!(refused.contains("--old-gateway"), "{refused}");
}
