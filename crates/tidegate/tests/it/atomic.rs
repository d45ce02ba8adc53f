//! A deploy is one step: whoever calls sees the old or the new, never neither and never a mixture.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use testkit::{Backend, Caller, House, Keys, Rest, api};

/// How often revisions change places under the callers.
const DEPLOYS: usize = 30;

/// An API with two revisions that differ in backend path and in what they offer.
struct Scene {
    rest: Rest,
    caller: Caller,
    api: String,
    revisions: [String; 2],
    keys: Keys,
    _house: House,
    _backend: Backend,
}

async fn scene() -> Scene {
    let house = House::fresh().await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    let mut asked = api("Pizza", &format!("{}/old", backend.url()));
    asked["operations"] = json!([{"target": "/both", "verb": "GET"}, {"target": "/only-old", "verb": "GET"}]);
    let id = rest.create(&asked).await;
    let old = rest.revision(&id).await;
    let path = format!("publisher/v2/apis/{id}");
    let mut changed = rest.get(&path).await;
    changed["operations"] = json!([{"target": "/both", "verb": "GET"}, {"target": "/only-new", "verb": "GET"}]);
    changed["endpointConfig"]["production_endpoints"]["url"] = Value::String(format!("{}/new", backend.url()));
    rest.put(&path, &changed).await;
    let new = rest.revision(&id).await;
    rest.deploy(&id, &old).await;
    rest.step(&id, "Publish").await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    Scene { caller: Caller::new(&house), rest, api: id, revisions: [old, new], keys, _house: house, _backend: backend }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_see_the_old_or_the_new_never_neither() {
    let scene = scene().await;
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (caller, token, over) = (scene.caller.clone(), scene.keys.token.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut seen = [0_usize; 2];
                while !over.load(Ordering::Relaxed) {
                    let answer = caller.get("/pizza/1.0.0/both", &token).await;
                    match answer.expect(200)["path"].as_str() {
                        Some("/old/both") => seen[0] += 1,
                        Some("/new/both") => seen[1] += 1,
                        other => panic!("neither revision's backend: {other:?}"),
                    }
                }
                seen
            })
        })
        .collect();
    for turn in 0..DEPLOYS {
        scene.rest.deploy(&scene.api, &scene.revisions[(turn + 1) % 2]).await;
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        let seen = caller.await.unwrap();
        assert!(seen.iter().all(|count| *count > 0), "calls and deploys did not overlap: {seen:?}");
    }
}

#[tokio::test]
async fn the_answer_to_a_deploy_comes_when_the_gateway_serves_it() {
    let scene = scene().await;
    let (token, caller) = (&scene.keys.token, &scene.caller);
    for turn in 0..DEPLOYS {
        let (revision, there, gone) = match turn % 2 {
            0 => (&scene.revisions[1], "only-new", "only-old"),
            _ => (&scene.revisions[0], "only-old", "only-new"),
        };
        scene.rest.deploy(&scene.api, revision).await;
        caller.get(&format!("/pizza/1.0.0/{there}"), token).await.expect(200);
        caller.get(&format!("/pizza/1.0.0/{gone}"), token).await.refused(404, 404);
    }
}

#[tokio::test]
async fn every_answered_write_is_served() {
    let scene = scene().await;
    for turn in 0..10 {
        let application = scene.rest.application(&format!("App {turn}")).await;
        let (client, early) = scene.rest.generate_keys(&application, "PRODUCTION").await;
        scene.caller.get("/pizza/1.0.0/both", &early).await.refused(403, 900_908);
        let subscription = scene.rest.subscribe(&application, &scene.api, "Unlimited").await;
        scene.caller.get("/pizza/1.0.0/both", &early).await.expect(200);
        scene.caller.oauth2("revoke", &client, &[("token", &early)]).await.expect(200);
        scene.caller.get("/pizza/1.0.0/both", &early).await.refused(401, 900_901);
        let path = format!("devportal/v2/subscriptions/{subscription}");
        scene.rest.send(http::Method::DELETE, &path, &Value::Null).await;
        let later = scene.caller.token(&client, "").await;
        scene.caller.get("/pizza/1.0.0/both", &later).await.refused(403, 900_908);
    }
}
