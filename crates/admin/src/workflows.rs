//! Approvals: what waits, and deciding it.
//!
//! A decision changes the request and what it is about in one transaction, so that nothing is approved that stays locked, and nothing opens
//! that nobody approved. A subject that went away or was decided elsewhere meanwhile makes the request stale, and the answer says so.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use db::Tx;
use http::Method;
use model::{ApplicationStatus, KeyState, SettingKind, SubscriptionState, Timestamp, UserName, Workflow, WorkflowKind, WorkflowStatus};
use rest::{Access, Asked, Body, Caller, Door, FieldFault, Named, Paging, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Room, entry};

const VIEW: Access = Access::Scopes(&["apim:admin", "apim:api_workflow_view"]);
const APPROVE: Access = Access::Scopes(&["apim:admin", "apim:api_workflow_approve"]);

/// What a new account may do where the tenant's sign-up settings name no role.
const SUBSCRIBER: &str = "Internal/subscriber";

/// The approvals' operations.
pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/workflows", VIEW, list).on(Method::GET, "/workflows/{externalWorkflowRef}", VIEW, get).on(
        Method::POST,
        "/workflows/update-workflow-status",
        APPROVE,
        decide,
    )
}

/// `Workflow` as sent, and sent back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    status: Option<String>,
    #[serde(default)]
    attributes: Option<BTreeMap<String, Option<String>>>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    workflow_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Which {
    workflow_reference_id: Option<String>,
}

async fn list(State(room): State<Room>, caller: Caller, Asked(asked): Asked<Filter>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let asked = asked.workflow_type.filter(|word| !word.is_empty());
    let kind = match asked.as_deref() {
        None => None,
        Some(word) => {
            Some(WorkflowKind::parse(word).ok_or_else(|| Refusal::Bad(format!("'{word}' is no type of workflow this server knows.")))?)
        }
    };
    let found = db::workflows::list_pending(&mut room.db.read().await?, caller.tenant, kind, paging.limit, paging.offset).await?;
    let list: Vec<Value> = found.items.iter().map(show).collect();
    let tail: Vec<(&str, &str)> = asked.iter().map(|word| ("workflowType", word.as_str())).collect();
    let paged = rest::list(&list, found.total, paging, "/workflows", &tail);
    let link = |name: &str| paged.get("pagination").and_then(|p| p.get(name)).cloned().unwrap_or_default();
    Ok(Json(json!({ "count": list.len(), "next": link("next"), "previous": link("previous"), "list": list })))
}

async fn get(State(room): State<Room>, caller: Caller, Named(reference): Named<String>) -> Result<Json<Value>, Refusal> {
    let found = find(&mut room.db.read().await?, &caller, &reference).await?;
    Ok(Json(show(&found)))
}

async fn decide(
    State(room): State<Room>,
    caller: Caller,
    Asked(asked): Asked<Which>,
    Body(sent): Body<Decision>,
) -> Result<Json<Decision>, Refusal> {
    let reference = asked.workflow_reference_id.filter(|r| !r.is_empty());
    let reference = reference.ok_or_else(|| Refusal::Bad("workflowReferenceId is missing".to_owned()))?;
    let mut faults = Vec::new();
    FieldFault::bounded(&mut faults, "description", sent.description.as_deref(), 1_000);
    Refusal::of(faults)?;
    let approved = match sent.status.as_deref() {
        Some("APPROVED") => true,
        Some("REJECTED") => false,
        _ => return Err(entry::WORKFLOW_STATE_MISSING.with("The status must be APPROVED or REJECTED.")),
    };
    let mut tx = room.db.write().await?;
    let mut workflow = find(&mut tx, &caller, &reference).await?;
    if !workflow.is_pending() {
        return Err(decided(&workflow));
    }
    let now = room.now();
    workflow.updated_at = now;
    if !settle(&mut tx, &workflow, approved, now).await? {
        // Nothing was changed but this mark, so that it is not listed any more.
        workflow.stale = true;
        db::workflows::update(&mut tx, &workflow).await?;
        tx.commit().await?;
        return Err(decided(&workflow));
    }
    workflow.status = if approved { WorkflowStatus::Approved } else { WorkflowStatus::Rejected };
    workflow.description = sent.description.clone().or(workflow.description);
    db::workflows::update(&mut tx, &workflow).await?;
    tx.commit().await?;
    Ok(Json(sent))
}

/// Does what the decision says to what the request is about; whether that still waited for it.
async fn settle(tx: &mut Tx, workflow: &Workflow, approved: bool, now: Timestamp) -> Result<bool, Refusal> {
    match workflow.kind {
        WorkflowKind::ApplicationCreation => {
            let Ok(id) = workflow.subject.parse() else { return Ok(false) };
            db::applications::lock(tx, id).await?;
            let found = db::applications::find(tx, id).await?.filter(|a| a.status == ApplicationStatus::Created);
            let Some(mut application) = found else { return Ok(false) };
            application.status = if approved { ApplicationStatus::Approved } else { ApplicationStatus::Rejected };
            application.updated_at = now;
            Ok(db::applications::update(tx, &application).await?)
        }
        WorkflowKind::SubscriptionCreation | WorkflowKind::SubscriptionUpdate => {
            let Ok(id) = workflow.subject.parse() else { return Ok(false) };
            let Some(mut subscription) = db::subscriptions::find(tx, id).await? else { return Ok(false) };
            match (workflow.kind, subscription.state) {
                (WorkflowKind::SubscriptionCreation, SubscriptionState::OnHold) => {
                    subscription.state = if approved { SubscriptionState::Unblocked } else { SubscriptionState::Rejected };
                }
                (WorkflowKind::SubscriptionUpdate, SubscriptionState::TierUpdatePending) => {
                    subscription.state = SubscriptionState::Unblocked;
                    let wanted = subscription.requested_plan.take();
                    if let (true, Some(plan)) = (approved, wanted) {
                        subscription.plan = plan;
                    }
                }
                _ => return Ok(false),
            }
            subscription.updated_at = now;
            Ok(db::subscriptions::update(tx, &subscription).await?)
        }
        WorkflowKind::ProductionRegistration | WorkflowKind::SandboxRegistration => {
            let Ok(id) = workflow.subject.parse() else { return Ok(false) };
            let found = db::key_mappings::find(tx, id).await?.filter(|m| m.state == KeyState::Created);
            let Some(mut mapping) = found else { return Ok(false) };
            mapping.state = match (approved, &mapping.consumer_key) {
                (false, _) => KeyState::Rejected,
                (true, Some(_)) => KeyState::Completed,
                // The developer makes the keys, who is the one to see their secret.
                (true, None) => KeyState::Approved,
            };
            Ok(db::key_mappings::update(tx, &mapping).await?)
        }
        WorkflowKind::ApplicationDeletion => {
            let Ok(id) = workflow.subject.parse() else { return Ok(false) };
            Ok(if approved { db::applications::delete(tx, id).await? } else { db::applications::find(tx, id).await?.is_some() })
        }
        WorkflowKind::SubscriptionDeletion => {
            let Ok(id) = workflow.subject.parse() else { return Ok(false) };
            Ok(if approved { db::subscriptions::delete(tx, id).await? } else { db::subscriptions::find(tx, id).await?.is_some() })
        }
        WorkflowKind::UserSignUp => sign_up(tx, workflow, approved, now).await,
        WorkflowKind::ApiState => Ok(false),
    }
}

/// A new account gets the roles of the tenant's sign-up settings, or goes.
async fn sign_up(tx: &mut Tx, workflow: &Workflow, approved: bool, now: Timestamp) -> Result<bool, Refusal> {
    let tenant = db::tenants::find(tx, workflow.tenant).await?.map(|t| t.domain).unwrap_or_default();
    let name = UserName::parse(&workflow.subject, |domain| domain.eq_ignore_ascii_case(&tenant));
    db::users::lock(tx, workflow.tenant, &name.store, &name.name).await?;
    let Some(mut user) = db::users::find(tx, workflow.tenant, &name.store, &name.name).await? else { return Ok(false) };
    if !approved {
        return Ok(db::users::delete(tx, user.id, now).await?);
    }
    let setting = db::tenant_settings::find(tx, workflow.tenant, SettingKind::SignUp, "").await?;
    let named = setting.as_ref().and_then(|s| s.body.get("roles")).and_then(Value::as_array);
    let mut roles: Vec<String> = named.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if roles.is_empty() {
        roles.push(SUBSCRIBER.to_owned());
    }
    for role in roles {
        db::roles::ensure(tx, workflow.tenant, &role).await?;
        if !user.roles.iter().any(|known| known.eq_ignore_ascii_case(&role)) {
            user.roles.push(role);
        }
    }
    user.locked = false;
    Ok(db::users::update(tx, &user, now).await?)
}

async fn find(tx: &mut Tx, caller: &Caller, reference: &str) -> Result<Workflow, Refusal> {
    let found = db::workflows::find(tx, reference).await?.filter(|w| w.tenant == caller.tenant);
    found.ok_or_else(|| entry::WORKFLOW_UNKNOWN.with(format!("There is no workflow request '{reference}'.")))
}

fn decided(workflow: &Workflow) -> Refusal {
    let words = match workflow.stale {
        true => "What it asks for is gone, or was decided without it.".to_owned(),
        false => format!("It is {} already.", workflow.status.name()),
    };
    entry::WORKFLOW_DECIDED.with(words)
}

/// `WorkflowInfo`.
fn show(workflow: &Workflow) -> Value {
    let properties: Map<String, Value> =
        workflow.properties.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    json!({
        "workflowType": workflow.kind.short_name(),
        "workflowStatus": workflow.status.name(),
        "createdTime": workflow.created_at.0.to_string(),
        "updatedTime": workflow.updated_at.0.to_string(),
        "referenceId": workflow.reference,
        "properties": properties,
        "description": workflow.description.clone().unwrap_or_else(|| describe(workflow)),
    })
}

fn describe(workflow: &Workflow) -> String {
    let said = |name: &str| workflow.property(name).unwrap_or_default();
    match workflow.kind {
        WorkflowKind::ApplicationCreation => format!(
            "Approve application [{}] creation request from application creator - {} with throttling tier - {}",
            said("applicationName"),
            said("userName"),
            said("applicationTier")
        ),
        WorkflowKind::SubscriptionCreation => format!(
            "Approve API [{}] with version [{}] subscription creation request from subscriber - {} for the application - {}",
            said("apiName"),
            said("apiVersion"),
            said("subscriber"),
            said("applicationName")
        ),
        WorkflowKind::SubscriptionUpdate => format!(
            "Approve API [{}] with version [{}] subscription change from plan {} to {} by {}",
            said("apiName"),
            said("apiVersion"),
            said("currentTier"),
            said("requestedTier"),
            said("subscriber")
        ),
        WorkflowKind::ProductionRegistration | WorkflowKind::SandboxRegistration => format!(
            "Approve request to create {} keys for [{}] from application creator - {}",
            said("keyType"),
            said("applicationName"),
            said("userName")
        ),
        WorkflowKind::UserSignUp => format!("Approve the account of {}", said("tenantAwareUserName")),
        other => other.short_name().to_owned(),
    }
}
