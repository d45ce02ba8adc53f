//! Asks for an administrator's approval where the tenant wants one: notes the request beside what it is about, in the same transaction.

use db::Tx;
use model::{Api, Application, Subscription, TenantId, Timestamp, Workflow, WorkflowKind, WorkflowStatus};
use rest::Refusal;
use uuid::Uuid;

/// Whether new requests of this kind wait in the tenant.
pub(crate) async fn needed(tx: &mut Tx, tenant: TenantId, kind: WorkflowKind) -> Result<bool, Refusal> {
    Ok(db::tenant_settings::asks_for_approval(tx, tenant, kind).await?)
}

/// Notes a request. One that stood open for the same thing is replaced.
pub(crate) async fn ask(
    tx: &mut Tx,
    tenant: TenantId,
    kind: WorkflowKind,
    subject: String,
    properties: Vec<(String, String)>,
    now: Timestamp,
) -> Result<(), Refusal> {
    db::workflows::delete_pending(tx, &subject).await?;
    let workflow = Workflow {
        reference: Uuid::new_v4().to_string(),
        tenant,
        kind,
        subject,
        status: WorkflowStatus::Created,
        stale: false,
        created_at: now,
        updated_at: now,
        description: None,
        properties,
    };
    Ok(db::workflows::insert(tx, &workflow).await?)
}

/// What an approver is told of an application.
pub(crate) fn of_application(application: &Application) -> Vec<(String, String)> {
    named(&[("applicationName", &application.name), ("userName", &application.owner), ("applicationTier", &application.policy)])
}

/// What an approver is told of a subscription.
pub(crate) fn of_subscription(application: &Application, api: &Api, subscription: &Subscription) -> Vec<(String, String)> {
    let mut all = named(&[
        ("apiName", &api.name),
        ("apiVersion", &api.version),
        ("subscriber", &application.owner),
        ("applicationName", &application.name),
    ]);
    if let Some(requested) = &subscription.requested_plan {
        all.extend(named(&[("currentTier", &subscription.plan), ("requestedTier", requested)]));
    }
    all
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
