//! Approvals: what waits is seen, and deciding it changes what it is about.

use model::{
    Api, ApiId, ApplicationStatus, KeyMapping, KeyMappingId, KeyMappingMode, KeyState, KeyType, SettingKind, Subscription, SubscriptionId,
    SubscriptionState, TenantId, TenantSetting, UserName, Workflow, WorkflowKind, WorkflowStatus,
};
use serde_json::{Value, json};

use crate::applications::application;
use crate::setting::{ACME, NOW, Setting, on_postgresql};

fn request(reference: &str, kind: WorkflowKind, subject: String) -> Workflow {
    Workflow {
        reference: reference.to_owned(),
        tenant: TenantId::SUPER,
        kind,
        subject,
        status: WorkflowStatus::Created,
        stale: false,
        created_at: NOW,
        updated_at: NOW,
        description: None,
        properties: vec![("applicationName".to_owned(), "Shop".to_owned()), ("userName".to_owned(), "dev".to_owned())],
    }
}

/// What waits, each kind once for yes and once for no.
struct Waiting {
    applications: [model::Application; 2],
    subscriptions: [Subscription; 2],
    changes: [Subscription; 2],
    keys: [KeyMapping; 2],
}

async fn stock(setting: &Setting) -> Waiting {
    let mut tx = setting.db.write().await.unwrap();
    let applications = ["yes", "no"].map(|name| model::Application { status: ApplicationStatus::Created, ..application("dev", name) });
    let open = application("dev", "Open");
    for one in applications.iter().chain([&open]) {
        db::applications::insert(&mut tx, one).await.unwrap();
    }
    let mut subscriptions = Vec::new();
    for (name, state, requested) in [
        ("A", SubscriptionState::OnHold, None),
        ("B", SubscriptionState::OnHold, None),
        ("C", SubscriptionState::TierUpdatePending, Some("Gold")),
        ("D", SubscriptionState::TierUpdatePending, Some("Gold")),
    ] {
        let api = Api::new(ApiId::random(), TenantId::SUPER, "admin", name, "1.0", &format!("/{name}/{{version}}"), NOW);
        db::apis::insert(&mut tx, &api).await.unwrap();
        let subscription = Subscription {
            id: SubscriptionId::random(),
            application: open.id,
            api: api.id,
            plan: "Bronze".to_owned(),
            requested_plan: requested.map(str::to_owned),
            state,
            created_at: NOW,
            updated_at: NOW,
        };
        db::subscriptions::insert(&mut tx, &subscription).await.unwrap();
        subscriptions.push(subscription);
    }
    let keys = [KeyType::Production, KeyType::Sandbox].map(|key_type| KeyMapping {
        id: KeyMappingId::random(),
        application: open.id,
        key_type,
        key_manager: "Resident Key Manager".to_owned(),
        consumer_key: None,
        state: KeyState::Created,
        mode: KeyMappingMode::Created,
        allowed_domains: Vec::new(),
    });
    db::key_mappings::insert_many(&mut tx, &keys).await.unwrap();
    let subscriptions: [Subscription; 4] = subscriptions.try_into().unwrap();
    let [a, b, c, d] = subscriptions;
    let mut all = Vec::new();
    for (at, answer) in ["yes", "no"].into_iter().enumerate() {
        all.push(request(&format!("app-{answer}"), WorkflowKind::ApplicationCreation, applications[at].id.to_string()));
        all.push(request(&format!("sub-{answer}"), WorkflowKind::SubscriptionCreation, [&a, &b][at].id.to_string()));
        all.push(request(&format!("change-{answer}"), WorkflowKind::SubscriptionUpdate, [&c, &d][at].id.to_string()));
        let kind = [WorkflowKind::ProductionRegistration, WorkflowKind::SandboxRegistration][at];
        all.push(request(&format!("key-{answer}"), kind, keys[at].id.to_string()));
    }
    db::workflows::insert_many(&mut tx, &all).await.unwrap();
    tx.commit().await.unwrap();
    Waiting { applications, subscriptions: [a, b], changes: [c, d], keys }
}

fn decide(reference: &str) -> String {
    format!("/workflows/update-workflow-status?workflowReferenceId={reference}")
}

#[tokio::test]
async fn deciding_changes_what_it_is_about() {
    decided_on(Setting::new().await).await;
}

#[tokio::test]
async fn deciding_changes_what_it_is_about_on_postgresql() {
    on_postgresql(decided_on).await;
}

async fn decided_on(setting: Setting) {
    let waiting = stock(&setting).await;
    let list = setting.get("admin", "/workflows").await.body;
    assert_eq!((&list["count"], &list["next"], &list["previous"]), (&json!(8), &json!(""), &json!("")));
    let paged = setting.get("admin", "/workflows?limit=3&offset=3").await.body;
    assert_eq!(paged["count"], 3);
    assert_eq!(paged["next"], "/workflows?limit=3&offset=6");
    for word in ["APPLICATION_CREATION", "AM_APPLICATION_CREATION"] {
        let some = setting.get("admin", &format!("/workflows?workflowType={word}")).await.body;
        assert_eq!(some["count"], 2);
        assert_eq!(some["list"][0]["workflowType"], "APPLICATION_CREATION");
    }
    assert_eq!(setting.get("admin", "/workflows?workflowType=MOON").await.status, 400);
    assert_eq!(setting.get("acme", "/workflows").await.body["count"], 0);
    let one = setting.get("admin", "/workflows/app-yes").await.body;
    assert_eq!((&one["referenceId"], &one["workflowStatus"]), (&json!("app-yes"), &json!("CREATED")));
    assert_eq!(one["properties"], json!({"applicationName": "Shop", "userName": "dev"}));
    assert!(one["description"].as_str().unwrap().contains("[Shop]"));

    for kind in ["app", "sub", "change", "key"] {
        for (answer, status) in [("yes", "APPROVED"), ("no", "REJECTED")] {
            let reference = format!("{kind}-{answer}");
            let body = json!({"status": status, "attributes": {}, "description": "so be it"});
            assert_eq!(setting.post("acme", &decide(&reference), body.clone()).await.status, 404);
            let done = setting.post("admin", &decide(&reference), body.clone()).await;
            assert_eq!((done.status, &done.body), (200, &body), "{reference}");
            let again = setting.post("admin", &decide(&reference), body).await;
            assert_eq!((again.status, &again.body["code"]), (400, &json!(900_552)), "{reference}");
            let one = setting.get("admin", &format!("/workflows/{reference}")).await.body;
            assert_eq!((&one["workflowStatus"], &one["description"]), (&json!(status), &json!("so be it")));
        }
    }
    assert_eq!(setting.get("admin", "/workflows").await.body["count"], 0);
    let mut tx = setting.db.read().await.unwrap();
    let mut states = Vec::new();
    for application in &waiting.applications {
        states.push(db::applications::find(&mut tx, application.id).await.unwrap().unwrap().status.name());
    }
    for subscription in waiting.subscriptions.iter().chain(&waiting.changes) {
        let found = db::subscriptions::find(&mut tx, subscription.id).await.unwrap().unwrap();
        states.push(found.state.name());
        assert_eq!(found.requested_plan, None);
        if subscription.id == waiting.changes[0].id {
            assert_eq!(found.plan, "Gold");
        } else {
            assert_eq!(found.plan, "Bronze");
        }
    }
    for key in &waiting.keys {
        states.push(db::key_mappings::find(&mut tx, key.id).await.unwrap().unwrap().state.name());
    }
    let ought = ["APPROVED", "REJECTED", "UNBLOCKED", "REJECTED", "UNBLOCKED", "UNBLOCKED", "APPROVED", "REJECTED"];
    assert_eq!(states, ought);
}

#[tokio::test]
async fn what_cannot_be_decided_says_so() {
    let setting = Setting::new().await;
    let waiting = stock(&setting).await;
    let yes = || json!({"status": "APPROVED"});
    let missing = setting.post("admin", "/workflows/update-workflow-status", yes()).await;
    assert_eq!(missing.status, 400);
    let unknown = setting.post("admin", &decide("nothing"), yes()).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!(900_551)));
    for body in [json!({}), json!({"status": "CREATED"})] {
        assert_eq!(setting.post("admin", &decide("app-yes"), body).await.body["code"], 900_556);
    }
    // Decided elsewhere meanwhile: it is marked, and listed no more.
    let mut tx = setting.db.write().await.unwrap();
    let approved = model::Application { status: ApplicationStatus::Approved, ..waiting.applications[1].clone() };
    db::applications::update(&mut tx, &approved).await.unwrap();
    db::subscriptions::delete(&mut tx, waiting.subscriptions[0].id).await.unwrap();
    tx.commit().await.unwrap();
    for reference in ["app-no", "sub-yes"] {
        let refused = setting.post("admin", &decide(reference), json!({"status": "REJECTED"})).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(900_552)), "{reference}");
    }
    assert_eq!(setting.get("admin", "/workflows").await.body["count"], 6);
    let found = db::applications::find(&mut setting.db.read().await.unwrap(), approved.id).await.unwrap().unwrap();
    assert_eq!(found.status, ApplicationStatus::Approved, "a stale request changes nothing");
}

#[tokio::test]
async fn an_account_gets_the_tenants_sign_up_roles_or_goes() {
    let setting = Setting::new().await;
    let roles = TenantSetting {
        tenant: ACME,
        kind: SettingKind::SignUp,
        name: String::new(),
        body: json!({"enabled": true, "roles": ["Internal/guest", "Internal/subscriber"]}),
        secret: None,
    };
    let mut tx = setting.db.write().await.unwrap();
    db::tenant_settings::insert_many(&mut tx, &[roles]).await.unwrap();
    for reference in ["boss@acme.com", "gone@acme.com"] {
        let signing = Workflow { tenant: ACME, ..request(reference, WorkflowKind::UserSignUp, reference.to_owned()) };
        db::workflows::insert_many(&mut tx, &[signing]).await.unwrap();
    }
    db::workflows::insert(&mut tx, &request("dev", WorkflowKind::UserSignUp, "dev".to_owned())).await.unwrap();
    tx.commit().await.unwrap();
    let yes: Value = json!({"status": "APPROVED"});
    assert_eq!(setting.post("acme", &decide("boss@acme.com"), yes.clone()).await.status, 200);
    let boss = setting.users.roles_of(&UserName::primary("boss", "acme.com")).await.unwrap();
    assert!(boss.contains(&"Internal/guest".to_owned()) && boss.contains(&"Internal/subscriber".to_owned()), "{boss:?}");
    assert_eq!(setting.post("acme", &decide("gone@acme.com"), yes).await.status, 400);
    assert_eq!(setting.post("admin", &decide("dev"), json!({"status": "REJECTED"})).await.status, 200);
    assert!(!setting.users.exists(&UserName::primary("dev", "carbon.super")).await.unwrap());
}
