//! Requests for approval, and settings of tenants.

use db::{tenant_settings, workflows};
use model::*;
use serde_json::json;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! { requests_come_back_whole_and_pending_ones_are_listed, settings_come_back_whole_with_their_secrets_sealed }

fn request(reference: &str, kind: WorkflowKind, at: i64) -> Workflow {
    Workflow {
        reference: reference.to_owned(),
        tenant: TenantId::SUPER,
        kind,
        subject: format!("subject of {reference}"),
        status: WorkflowStatus::Created,
        stale: false,
        created_at: Timestamp(at),
        updated_at: Timestamp(at + 1),
        description: Some("words".to_owned()),
        properties: vec![("applicationName".to_owned(), "My \"App\"".to_owned())],
    }
}

async fn requests_come_back_whole_and_pending_ones_are_listed(stage: Stage) {
    tenants(&stage.db).await;
    let first = request("b", WorkflowKind::ApplicationCreation, 1);
    let second = request("a", WorkflowKind::UserSignUp, 2);
    let stale = Workflow { stale: true, ..request("c", WorkflowKind::UserSignUp, 3) };
    let other = Workflow { tenant: ACME, ..request("d", WorkflowKind::UserSignUp, 4) };
    let mut tx = stage.db.write().await.unwrap();
    workflows::insert_many(&mut tx, &[second.clone(), first.clone(), stale.clone(), other]).await.unwrap();
    assert_eq!(workflows::find(&mut tx, "b").await.unwrap().as_ref(), Some(&first));
    assert_eq!(workflows::find(&mut tx, "z").await.unwrap(), None);
    let pending = workflows::list_pending(&mut tx, TenantId::SUPER, None, 10, 0).await.unwrap();
    assert_eq!((pending.total, pending.items), (2, vec![first.clone(), second.clone()]));
    let paged = workflows::list_pending(&mut tx, TenantId::SUPER, None, 1, 1).await.unwrap();
    assert_eq!((paged.total, paged.items), (2, vec![second.clone()]));
    let kind = workflows::list_pending(&mut tx, TenantId::SUPER, Some(WorkflowKind::UserSignUp), 10, 0).await.unwrap();
    assert_eq!(kind.items, std::slice::from_ref(&second));
    assert_eq!(workflows::list(&mut tx, TenantId::SUPER).await.unwrap(), [first.clone(), second.clone(), stale]);
    let decided = Workflow { status: WorkflowStatus::Approved, description: None, ..first.clone() };
    assert!(workflows::update(&mut tx, &decided).await.unwrap());
    assert_eq!(workflows::find(&mut tx, "b").await.unwrap(), Some(decided.clone()));
    // What was decided is history and stays.
    assert_eq!(workflows::delete_pending(&mut tx, &decided.subject).await.unwrap(), 0);
    assert_eq!(workflows::delete_pending(&mut tx, &second.subject).await.unwrap(), 1);
    assert!(!workflows::update(&mut tx, &second).await.unwrap());
    assert!(workflows::delete(&mut tx, &decided.reference).await.unwrap());
    assert!(!workflows::delete(&mut tx, &decided.reference).await.unwrap());
}

async fn settings_come_back_whole_with_their_secrets_sealed(stage: Stage) {
    tenants(&stage.db).await;
    let setting = |tenant, kind, name: &str, secret: Option<&str>| TenantSetting {
        tenant,
        kind,
        name: name.to_owned(),
        body: json!({"mode": "approval", "of": name}),
        secret: secret.map(|s| Secret::new(s.to_owned())),
    };
    let store = setting(TenantId::SUPER, SettingKind::ExternalStore, "Elsewhere", Some("hunter2"));
    let executor = setting(ACME, SettingKind::WorkflowExecutor, WorkflowKind::UserSignUp.name(), None);
    let mut tx = stage.db.write().await.unwrap();
    tenant_settings::insert_many(&mut tx, &[store.clone(), executor.clone()]).await.unwrap();
    let found = tenant_settings::find(&mut tx, TenantId::SUPER, SettingKind::ExternalStore, "Elsewhere").await.unwrap().unwrap();
    assert_eq!(found, store);
    assert_eq!(found.secret.unwrap().expose(), "hunter2");
    let stores = tenant_settings::list(&mut tx, TenantId::SUPER, SettingKind::ExternalStore).await.unwrap();
    assert_eq!(stores, std::slice::from_ref(&store));
    assert_eq!(tenant_settings::list(&mut tx, ACME, SettingKind::ExternalStore).await.unwrap(), []);
    assert!(tenant_settings::asks_for_approval(&mut tx, ACME, WorkflowKind::UserSignUp).await.unwrap());
    assert!(!tenant_settings::asks_for_approval(&mut tx, ACME, WorkflowKind::ApplicationCreation).await.unwrap());
    assert!(!tenant_settings::asks_for_approval(&mut tx, TenantId::SUPER, WorkflowKind::UserSignUp).await.unwrap());
    let changed = TenantSetting { body: json!({"mode": "simple"}), ..executor };
    assert!(tenant_settings::update(&mut tx, &changed).await.unwrap());
    assert!(!tenant_settings::asks_for_approval(&mut tx, ACME, WorkflowKind::UserSignUp).await.unwrap());
    assert!(tenant_settings::delete(&mut tx, ACME, SettingKind::WorkflowExecutor, &changed.name).await.unwrap());
    assert!(!tenant_settings::update(&mut tx, &changed).await.unwrap());
    tx.commit().await.unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
}
