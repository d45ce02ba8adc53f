//! What others do wrong: backends that are slow or gone, a database that goes away, a disk that is full.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use http::Method;
use serde_json::json;
use server::{Options, Secret};
use testkit::{Backend, Caller, House, Process, Rest, Setup, api, wait_for, with_postgres};

use crate::binary;

#[tokio::test]
async fn a_backend_that_does_not_answer_in_time_is_500_with_its_code() {
    let options = Options { response_timeout: Duration::from_millis(300), ..Options::default() };
    let house = House::fresh_with(options, None).await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    let body = rest.caller.get("/pizza/1.0.0/held", &keys.token).await.refused(500, 101_504);
    assert_eq!((&body["type"], &body["description"]), (&json!("Status report"), &json!("Send timeout")));
    // Others are not held up, nor is the next call.
    rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_500_with_its_code() {
    let house = House::fresh().await;
    let rest = Rest::admin(&house).await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (name, backend) in [("Refusing", gone.as_str()), ("Unknown", "http://no-such-host.invalid")] {
        let id = rest.publish(&api(name, backend)).await;
        let keys = rest.become_subscriber(name, &id, "Unlimited").await;
        let body = rest.caller.get(&format!("/{}/1.0.0/x", name.to_lowercase()), &keys.token).await.refused(500, 101_503);
        assert_eq!(body["description"], "Error connecting to the back end");
    }
}

#[tokio::test]
async fn a_lost_database_stops_changes_not_calls() {
    with_postgres(async |scratch| {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { database_url: Some(Secret::new(scratch.url.clone())), ..Options::default() };
        let house = House::with(&folder.path().join("data"), options, None).await;
        let backend = Backend::start().await;
        let rest = Rest::admin(&house).await;
        let id = rest.publish(&api("Pizza", &backend.url())).await;
        let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
        rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);

        scratch.close_to_everybody().await;
        for _ in 0..5 {
            rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
        }
        let lost = rest.ask(Method::GET, "publisher/v2/apis", &serde_json::Value::Null).await;
        assert_eq!(lost.refused(500, 500)["description"], "The server encountered an internal error. Please contact administrator.");
        let grant = rest.caller.oauth2("token", &keys.client, &[("grant_type", "client_credentials")]).await;
        assert_eq!(grant.expect(500)["error"], "server_error");
        // An opaque token cannot be looked up now; that is our fault, and not the caller's.
        rest.caller.get("/pizza/1.0.0/x", "11111111-2222-3333-4444-555555555555").await.refused(500, 900_900);

        scratch.open_again().await;
        let back = async || (rest.ask(Method::GET, "publisher/v2/apis", &serde_json::Value::Null).await.status == 200).then_some(());
        wait_for("the REST doors to come back", Duration::from_secs(15), back).await;
        let revision = rest.revision(&id).await;
        rest.deploy(&id, &revision).await;
        // The feed recovers by itself, too: what is written now is served.
        let next = rest.publish(&api("Pasta", &backend.url())).await;
        rest.subscribe(&keys.application, &next, "Unlimited").await;
        let served = async || (rest.caller.get("/pasta/1.0.0/x", &keys.token).await.status == 200).then_some(());
        wait_for("the feed to come back", Duration::from_secs(10), served).await;
        house.stop().await;
    })
    .await;
}

/// A file system of a few megabytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where it may not be mounted.
    fn mounted(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs"]).arg(&at).output();
        done.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    /// Fills it to the last byte; the file to remove to have room again.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let block = [1; 4096];
        while std::io::Write::write(&mut file, &block).is_ok_and(|written| written > 0) {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open must not keep the mount.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mounted(folder.path().join("disk")) else {
        println!("SKIPPED: a small file system cannot be mounted here (not root?)");
        return;
    };
    let data = folder.path().join("data");
    let address = format!("sqlite:{}", disk.0.join("tidegate.db").display());
    let mut process = Process::start(&Setup { words: &["--db", &address], ..Setup::new(binary(), &data) }).unwrap();
    let backend = Backend::start().await;
    let rest = Rest::admin(&process).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    let filler = disk.fill();
    let mut refused = 0;
    let mut made = Vec::new();
    for number in 0..40 {
        let mut asked = api(&format!("Big{number}"), &backend.url());
        asked["description"] = "x".repeat(15_000).into();
        let answer = rest.ask(Method::POST, "publisher/v2/apis", &asked).await;
        match answer.status.as_u16() {
            201 => made.push(answer.json()["id"].as_str().unwrap().to_owned()),
            500 => refused += 1,
            other => panic!("{other} {}", answer.text),
        }
        rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    }
    assert!(refused > 0, "the disk never was full");
    rest.get("publisher/v2/apis").await;
    std::fs::remove_file(filler).unwrap();
    let later = rest.publish(&api("Later", &backend.url())).await;
    rest.subscribe(&keys.application, &later, "Unlimited").await;
    Caller::new(&process).get("/later/1.0.0/x", &keys.token).await.expect(200);
    for id in &made {
        rest.get(&format!("publisher/v2/apis/{id}")).await;
    }
    assert_eq!(rest.get("publisher/v2/apis?limit=100").await["pagination"]["total"], made.len() + 2);
    process.terminate();
    assert!(process.wait().await.success(), "{}", process.log());
}
