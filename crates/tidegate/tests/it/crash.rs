//! Killed at any moment, started again: what was answered is there, and nothing is half there.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{Backend, Caller, Client, Process, Rest, Setup, api};

use crate::binary;

/// How often it is killed, unless `TIDEGATE_KILLS` says otherwise. More are for a machine with time.
const KILLS: usize = 50;

/// Writers at work while it is killed.
const WRITERS: usize = 3;

/// What was answered before the end.
#[derive(Default)]
struct Answered {
    /// Context and id of each API whose making, deploying and publishing were all answered.
    served: Vec<(String, String)>,
    /// APIs whose making was answered.
    made: Vec<String>,
    /// Tokens handed out.
    tokens: Vec<String>,
    /// Tokens whose revocation was answered.
    revoked: Vec<String>,
}

/// The one API and application that every round calls.
struct Ground {
    application: String,
    client: Client,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_keeps_what_it_answered() {
    let kills = std::env::var("TIDEGATE_KILLS").ok().map_or(KILLS, |text| text.parse().expect("TIDEGATE_KILLS is a number"));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let backend = Backend::start().await;
    let ground = lay_ground(&data, &backend).await;
    let mut longest_start = Duration::ZERO;
    let (mut writes, mut grants) = (0, 0);
    let mut slowness = 1;
    for round in 0..kills {
        let process = Process::start(&Setup::new(binary(), &data)).unwrap();
        let rest = Rest::admin(&process).await;
        let answered = Arc::new(Mutex::new(Answered::default()));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (rest, answered, name) = (rest.clone(), Arc::clone(&answered), format!("R{round}W{writer}"));
                let (url, client) = (backend.url(), ground.client.clone());
                tokio::spawn(async move {
                    for turn in 0.. {
                        if work(&rest, &answered, &format!("{name}T{turn}"), &url, &client).await.is_none() {
                            return;
                        }
                    }
                })
            })
            .collect();
        // Anywhere in the work: the moments are spread evenly over the first writes rather than left to luck.
        tokio::time::sleep(Duration::from_millis(20 + (round as u64 * 37) % 300) * slowness).await;
        process.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        let started = Instant::now();
        let process = Process::start(&Setup::new(binary(), &data)).unwrap();
        longest_start = longest_start.max(started.elapsed());
        let answered = std::mem::take(&mut *answered.lock().unwrap());
        writes += answered.made.len();
        grants += answered.tokens.len();
        // Where others use the machine, too, the first writes take longer: then so do the moments.
        slowness = if grants <= round { slowness + 1 } else { 1 };
        inspect(&process, &ground, &answered).await;
        clear(&process).await;
        process.kill();
    }
    println!("{kills} kills amid {writes} APIs and {grants} tokens; longest start after one {longest_start:?}");
    assert!(writes > kills / 2 && grants > kills / 2, "too little was at work to prove anything: {writes} APIs, {grants} tokens");
}

async fn lay_ground(data: &Path, backend: &Backend) -> Ground {
    let process = Process::start(&Setup::new(binary(), data)).unwrap();
    let rest = Rest::admin(&process).await;
    let id = rest.publish(&api("Ground", &backend.url())).await;
    let keys = rest.become_subscriber("Ground", &id, "Unlimited").await;
    process.kill();
    Ground { application: keys.application, client: keys.client }
}

/// One turn of a writer; `None` when the server is gone.
async fn work(rest: &Rest, answered: &Mutex<Answered>, name: &str, backend: &str, client: &Client) -> Option<()> {
    let note = |write: &dyn Fn(&mut Answered)| write(&mut answered.lock().unwrap());
    let ask = async |path: String, body: Value| {
        rest.try_ask(http::Method::POST, &path, &body)
            .await
            .ok()
            .map(|answer| answer.expect(if path.contains("change-lifecycle") { 200 } else { 201 }))
    };
    let id = ask("publisher/v2/apis".to_owned(), api(name, backend)).await?["id"].as_str()?.to_owned();
    note(&|answered| answered.made.push(id.clone()));
    let revision = ask(format!("publisher/v2/apis/{id}/revisions"), serde_json::json!({})).await?["id"].as_str()?.to_owned();
    let token = grant(rest, client).await?;
    note(&|answered| answered.tokens.push(token.clone()));
    let places = serde_json::json!([{"name": "Default"}]);
    ask(format!("publisher/v2/apis/{id}/deploy-revision?revisionId={revision}"), places).await?;
    ask(format!("publisher/v2/apis/change-lifecycle?apiId={id}&action=Publish"), Value::Null).await?;
    note(&|answered| answered.served.push((format!("/{}/1.0.0", name.to_lowercase()), id.clone())));
    let form = [("token", token.as_str())];
    let request = rest.caller.at_rest(http::Method::POST, "/oauth2/revoke").basic_auth(&client.id, Some(&client.secret)).form(&form);
    // A token that may or may not be revoked when the server dies proves nothing either way.
    note(&|answered| answered.tokens.retain(|kept| *kept != token));
    let revoked = request.send().await.ok()?;
    assert_eq!(revoked.status(), 200);
    note(&|answered| answered.revoked.push(token.clone()));
    let kept = grant(rest, client).await?;
    note(&|answered| answered.tokens.push(kept.clone()));
    Some(())
}

async fn grant(rest: &Rest, client: &Client) -> Option<String> {
    let form = [("grant_type", "client_credentials")];
    let request = rest.caller.at_rest(http::Method::POST, "/oauth2/token").basic_auth(&client.id, Some(&client.secret)).form(&form);
    let granted: Value = request.send().await.ok()?.json().await.ok()?;
    Some(granted["access_token"].as_str().unwrap_or_else(|| panic!("no token: {granted}")).to_owned())
}

/// Everything answered is there; everything there is whole.
async fn inspect(process: &Process, ground: &Ground, answered: &Answered) {
    let caller = Caller::new(process);
    for token in &answered.tokens {
        caller.get("/ground/1.0.0/x", token).await.expect(200);
    }
    for token in &answered.revoked {
        caller.get("/ground/1.0.0/x", token).await.refused(401, 900_901);
    }
    let rest = Rest::admin(process).await;
    for (context, id) in &answered.served {
        rest.subscribe(&ground.application, id, "Unlimited").await;
        let token = caller.token(&ground.client, "").await;
        caller.get(&format!("{context}/x"), &token).await.expect(200);
    }
    let all = rest.get("publisher/v2/apis?limit=1000").await;
    let there: Vec<&str> = all["list"].as_array().unwrap().iter().map(|api| api["id"].as_str().unwrap()).collect();
    for id in &answered.made {
        assert!(there.contains(&id.as_str()), "an API whose making was answered is gone");
    }
    for id in there {
        whole(&rest, &caller, id).await;
    }
}

/// An API has its definition, its revisions can be read, and it is called exactly when it is deployed.
async fn whole(rest: &Rest, caller: &Caller, id: &str) {
    let api = rest.get(&format!("publisher/v2/apis/{id}")).await;
    let definition = rest.get(&format!("publisher/v2/apis/{id}/swagger")).await;
    assert_eq!(definition["paths"].as_object().unwrap().len(), 2, "{definition}");
    let revisions = rest.get(&format!("publisher/v2/apis/{id}/revisions")).await;
    let deployed: usize = revisions["list"].as_array().unwrap().iter().map(|one| one["deploymentInfo"].as_array().unwrap().len()).sum();
    for revision in revisions["list"].as_array().unwrap() {
        let revision = revision["id"].as_str().unwrap();
        assert_eq!(rest.get(&format!("publisher/v2/apis/{revision}")).await["name"], api["name"]);
    }
    let context = format!("{}/1.0.0/x", api["context"].as_str().unwrap());
    let status = caller.get(&context, "").await.status.as_u16();
    assert_eq!(status, if deployed == 1 { 401 } else { 404 }, "{context} with {deployed} deployments");
    if api["lifeCycleStatus"] == "PUBLISHED" {
        assert_eq!(deployed, 1, "it was published after it was deployed");
    }
}

/// Takes the round's APIs away, so that rounds do not grow.
async fn clear(process: &Process) {
    let rest = Rest::admin(process).await;
    let all = rest.get("publisher/v2/apis?limit=1000").await;
    for api in all["list"].as_array().unwrap().iter().filter(|api| api["name"] != "Ground") {
        let id = api["id"].as_str().unwrap();
        let subscriptions = rest.get(&format!("devportal/v2/subscriptions?apiId={id}")).await;
        for subscription in subscriptions["list"].as_array().unwrap() {
            let path = format!("devportal/v2/subscriptions/{}", subscription["subscriptionId"].as_str().unwrap());
            rest.send(http::Method::DELETE, &path, &Value::Null).await;
        }
        rest.send(http::Method::DELETE, &format!("publisher/v2/apis/{id}"), &Value::Null).await;
    }
}
