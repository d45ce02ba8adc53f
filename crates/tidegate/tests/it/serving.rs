//! `tidegate serve` as a process: what it prints, what it logs, how it ends, what it leaves on disk.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;
use testkit::{ADMIN_PASSWORD, Backend, Caller, House, Place, Process, Rest, Setup, api, wait_for};

use crate::binary;

/// A folder with a data directory in it that does not exist yet.
fn nowhere() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    (folder, data)
}

fn tidegate(words: &[&str]) -> Output {
    Command::new(binary()).args(words).env_remove("TIDEGATE_ADMIN_PASSWORD").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The password in what a first start printed, if there is one.
fn printed_password(process: &Process) -> Option<String> {
    process.printed().lines().find_map(|line| Some(line.split_once("admin / ")?.1.split_whitespace().next()?.to_owned()))
}

#[tokio::test]
async fn the_first_start_prints_a_password_once_and_only_there() {
    let (_folder, data) = nowhere();
    let setup = Setup { with_password: false, config: "log.level = \"debug\"\n", ..Setup::new(binary(), &data) };
    let mut first = Process::start(&setup).unwrap();
    let password = wait_for("the password", Duration::from_secs(5), async || printed_password(&first)).await;
    assert!(password.len() >= 20, "a made-up password should not be guessable: {password}");
    let rest = Rest::sign_in(&first, "admin", &password).await;
    rest.get("publisher/v2/apis").await;
    first.terminate();
    assert!(first.wait().await.success());
    assert_eq!(first.printed().matches(&password).count(), 1);

    let mut second = Process::start(&setup).unwrap();
    Rest::sign_in(&second, "admin", &password).await;
    second.terminate();
    assert!(second.wait().await.success());
    // It has ended, so this is all it will ever have printed.
    assert_eq!(printed_password(&second), None, "{}", second.printed());
    for secret in [&password, &rest.token, &rest.client.secret] {
        assert!(!second.log().contains(secret.as_str()), "a secret is in the log");
    }
}

#[tokio::test]
async fn no_secret_is_in_the_log_at_its_most_talkative() {
    let (_folder, data) = nowhere();
    let mut process = Process::start(&Setup { config: "log.level = \"trace\"\n", ..Setup::new(binary(), &data) }).unwrap();
    let backend = Backend::start().await;
    let rest = Rest::admin(&process).await;
    let mut asked = api("Pizza", &backend.url());
    asked["endpointConfig"]["endpoint_security"]["production"] =
        serde_json::json!({"enabled": true, "type": "BASIC", "username": "kitchen", "password": "word-of-the-kitchen"});
    let id = rest.publish(&asked).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    let caller = Caller::new(&process);
    let granted = caller.password_grant(&keys.client, "admin", ADMIN_PASSWORD, "default").await;
    let (access, refresh) = (granted["access_token"].as_str().unwrap(), granted["refresh_token"].as_str().unwrap());
    let seen = caller.get("/pizza/1.0.0/x", access).await.expect(200);
    assert!(seen["headers"]["authorization"].as_str().unwrap().starts_with("Basic "), "the backend's own password is sent: {seen}");
    caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    caller.oauth2("revoke", &keys.client, &[("token", access)]).await.expect(200);
    caller.get("/pizza/1.0.0/x", access).await.refused(401, 900_901);
    let wrong = [("grant_type", "password"), ("username", "admin"), ("password", "nearly-the-password")];
    caller.oauth2("token", &keys.client, &wrong).await.expect(400);
    process.terminate();
    process.wait().await;
    let (log, printed) = (process.log(), process.printed());
    assert!(log.len() > 1_000, "nothing was logged at trace level: {log}");
    let secrets = [
        ("the administrator's password", ADMIN_PASSWORD),
        ("a mistyped password", "nearly-the-password"),
        ("a client's secret", &keys.client.secret),
        ("a registered client's secret", &rest.client.secret),
        ("an application's token", &keys.token),
        ("a user's token", access),
        ("a refresh token", refresh),
        ("the REST token", &rest.token),
        ("the backend's password", "word-of-the-kitchen"),
    ];
    let leaked: Vec<_> = secrets
        .iter()
        .filter(|(_, secret)| log.contains(secret) || printed.contains(secret))
        .map(|(what, secret)| format!("{what}: {}", log.lines().find(|line| line.contains(secret)).unwrap_or("printed")))
        .collect();
    assert!(leaked.is_empty(), "{}", leaked.join("\n"));
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left() {
    let (folder, data) = nowhere();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = folder.path().join("tidegate.toml");
    std::fs::write(
        &config,
        format!(
            "server.listen_address = \"127.0.0.1\"\nmanagement.https_port = 0\nmanagement.http_port = 0\ngateway.http_port = 0\n\
             gateway.https_port = {port}\n"
        ),
    )
    .unwrap();
    let output = tidegate(&["serve", "--data-dir", data.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains(&format!("port {port}")) && said.contains("API traffic over TLS") && said.contains("--port-offset"), "{said}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!data.exists(), "a start that failed left a data directory");
}

#[test]
fn every_fault_of_a_configuration_is_told_at_once() {
    let (folder, data) = nowhere();
    let config = folder.path().join("tidegate.toml");
    std::fs::write(
        &config,
        "[server]\nport_ofset = 1\ndrain = 5\nlisten_address = \"here\"\n[tls]\nkey = \"x\"\n[oauth]\nuser_token = \"long\"\n",
    )
    .unwrap();
    for words in [
        vec!["serve", "--data-dir", data.to_str().unwrap(), "--config", config.to_str().unwrap()],
        vec!["check-config", config.to_str().unwrap()],
    ] {
        let output = tidegate(&words);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for expected in [
            "5 fault(s)",
            "did you mean server.port_offset?",
            "server.drain: expects a duration",
            "'here' is not an IP address",
            "tls.certificate: needs tls.key",
            "oauth.user_token: expects a whole number",
        ] {
            assert!(said.contains(expected), "{expected} is not in: {said}");
        }
    }
    assert!(!data.exists());
    std::fs::write(&config, "[server\n").unwrap();
    let output = tidegate(&["check-config", config.to_str().unwrap()]);
    assert_eq!((output.status.code(), said(&output).contains("is not TOML")), (Some(1), true), "{}", said(&output));
    let output = tidegate(&["serve", "--config", "/nowhere/tidegate.toml"]);
    assert_eq!((output.status.code(), said(&output).contains("/nowhere/tidegate.toml")), (Some(1), true), "{}", said(&output));
}

#[test]
fn the_sample_configuration_passes_its_own_check() {
    let (folder, _) = nowhere();
    let sample = tidegate(&["check-config", "--sample"]);
    assert!(sample.status.success());
    let config = folder.path().join("tidegate.toml");
    std::fs::write(&config, &sample.stdout).unwrap();
    let output = tidegate(&["check-config", config.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn words_that_make_no_command_say_which() {
    for (words, hint) in [
        (vec!["serve", "--data-dri", "x"], "--data-dir"),
        (vec!["sreve"], "serve"),
        (vec!["serve", "--port-offset", "70000"], "70000"),
        (vec!["serve", "--rehearse-at", "yesterday"], "expected e.g."),
        (vec![], "Usage"),
    ] {
        let output = tidegate(&words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
        assert!(said(&output).contains(hint), "{words:?}: {}", said(&output));
    }
}

#[test]
fn a_database_address_of_no_known_kind_is_refused() {
    for (address, hint) in [
        ("mysql://root@localhost/x", "sqlite:"),
        ("nonsense", "sqlite:"),
        ("postgres://u:hush-hush@127.0.0.1:1/x", "PostgreSQL database x on 127.0.0.1:1"),
    ] {
        let (_folder, data) = nowhere();
        let ended = Process::start(&Setup { words: &["--db", address], ..Setup::new(binary(), &data) }).err().expect("it ends");
        assert_eq!(ended.status.code(), Some(1), "{address}: {}", ended.log);
        assert!(ended.log.contains(hint), "{address}: {}", ended.log);
        assert!(!ended.log.contains("hush-hush"), "the database's password is in the message: {}", ended.log);
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_does_no_harm() {
    let (_folder, data) = nowhere();
    let first = Process::start(&Setup::new(binary(), &data)).unwrap();
    let second = Process::start(&Setup::new(binary(), &data)).unwrap();
    let backend = Backend::start().await;
    let rest = Rest::admin(&first).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    // The other process finds the change by looking, not by being told.
    let there = Caller::new(&second);
    let told = async || (there.get("/pizza/1.0.0/x", &keys.token).await.status == 200).then_some(());
    wait_for("the second server to serve what the first made", Duration::from_secs(5), told).await;
}

#[tokio::test]
async fn sigterm_lets_open_calls_finish_and_takes_no_new_ones() {
    let (_folder, data) = nowhere();
    let mut process = Process::start(&Setup::new(binary(), &data)).unwrap();
    let backend = Backend::start().await;
    let rest = Rest::admin(&process).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    let open: Vec<_> = (0..3)
        .map(|n| {
            let (caller, token) = (Caller::new(&process), keys.token.clone());
            tokio::spawn(async move { caller.get(&format!("/pizza/1.0.0/held/{n}"), &token).await })
        })
        .collect();
    backend.wait_for_requests(3).await;
    process.terminate();
    for url in [process.gateway("/healthz"), process.rest("/healthz"), process.gateway_tls("/healthz"), process.management("/healthz")] {
        let refused = async || {
            let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
            client.get(&url).send().await.err().filter(reqwest::Error::is_connect)
        };
        wait_for("new connections to be refused", Duration::from_secs(5), refused).await;
    }
    assert_eq!(backend.requests(), 3);
    backend.release();
    for call in open {
        call.await.unwrap().expect(200);
    }
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
}

#[tokio::test]
async fn health_is_told_on_every_port_and_metrics_can_be_read() {
    let (_folder, data) = nowhere();
    let process = Process::start(&Setup::new(binary(), &data)).unwrap();
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    for path in ["/healthz", "/readyz"] {
        for url in [process.rest(path), process.management(path), process.gateway(path), process.gateway_tls(path)] {
            assert_eq!(client.get(&url).send().await.unwrap().status(), 200, "{url}");
        }
    }
    let backend = Backend::start().await;
    let rest = Rest::admin(&process).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    rest.caller.get("/pizza/1.0.0/x", "").await.refused(401, 900_902);
    let text = client.get(process.management("/metrics")).send().await.unwrap().text().await.unwrap();
    let samples: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(samples.len() > 3, "{text}");
    for sample in samples {
        let (name, value) = sample.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {sample}"));
        assert!(value.parse::<f64>().is_ok(), "{sample}");
        assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{sample}");
    }
    assert!(!text.contains(&keys.token));
    // Metrics are for the operator, not for everybody who may call an API or sign in.
    for url in [process.gateway("/metrics"), process.rest("/metrics")] {
        assert_eq!(client.get(&url).send().await.unwrap().status(), 404, "{url}");
    }
}

#[tokio::test]
async fn only_this_machine_reaches_the_management_port_unless_told_otherwise() {
    for (config, loopback) in [("", true), ("management.http_address = \"0.0.0.0\"\n", false)] {
        let (_folder, data) = nowhere();
        let all = format!("server.listen_address = \"0.0.0.0\"\n{config}");
        let start = server::Start { options: options(&data, &all), data_dir: data.clone(), admin_password: None, rehearse_at: None };
        let running = server::start(start).await.unwrap();
        let at = running.addresses();
        running.stop().await;
        assert_eq!((at.rest.ip().is_loopback(), at.management.ip().is_loopback()), (false, loopback));
    }
}

/// Options of a file that asks for free ports.
fn options(data: &Path, lines: &str) -> server::Options {
    let file = data.with_extension("toml");
    let ports = "management.https_port = 0\nmanagement.http_port = 0\ngateway.http_port = 0\ngateway.https_port = 0\n";
    std::fs::write(&file, format!("{ports}{lines}")).unwrap();
    server::Options::read(&file).unwrap()
}

#[tokio::test]
async fn json_logs_are_json_line_by_line() {
    let (_folder, data) = nowhere();
    let config = "log.format = \"json\"\nlog.level = \"debug\"\n";
    let mut process = Process::start(&Setup { config, ..Setup::new(binary(), &data) }).unwrap();
    let rest = Rest::admin(&process).await;
    rest.caller.get("/nowhere", "").await.refused(404, 404);
    process.terminate();
    process.wait().await;
    let log = process.log();
    assert!(log.lines().count() > 2, "{log}");
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}"));
        assert!(entry["level"].is_string() && entry["timestamp"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn the_data_directory_is_its_owners_alone() {
    let (_folder, data) = nowhere();
    let process = Process::start(&Setup::new(binary(), &data)).unwrap();
    Rest::admin(&process).await;
    assert_eq!(mode(&data), 0o700);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // A certificate is shown to everybody who connects.
        let expected: &[u32] = if name == "tls.crt" { &[0o600, 0o644] } else { &[0o600] };
        assert!(expected.contains(&mode(&path)), "{name} has mode {:o}", mode(&path));
        found.push(name);
    }
    for needed in ["encryption.key", "tidegate.db", "tls.crt", "tls.key"] {
        assert!(found.iter().any(|name| name == needed), "{needed} is not among {found:?}");
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn pages_of_named_origins_may_call_the_rest_interfaces() {
    let origin = "https://portal.example.org";
    let options = server::Options { cors_origins: vec![origin.to_owned()], ..server::Options::default() };
    let house = House::fresh_with(options, None).await;
    let caller = Caller::new(&house);
    let asked = |method, from: &str| caller.at_rest(method, "/api/am/publisher/v2/apis").header("origin", from);
    let preflight = asked(Method::OPTIONS, origin).header("access-control-request-method", "GET").send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], origin);
    assert!(preflight.headers()["access-control-allow-headers"].to_str().unwrap().contains("Authorization"));
    let real = asked(Method::GET, origin).send().await.unwrap();
    assert_eq!((real.status().as_u16(), &real.headers()["access-control-allow-origin"]), (401, &origin.parse().unwrap()));
    for stranger in ["https://portal.example.org.evil.example", "null"] {
        let refused = asked(Method::GET, stranger).send().await.unwrap();
        assert!(!refused.headers().contains_key("access-control-allow-origin"), "{stranger}");
    }
}
