//! Subscriptions: an application may call an API under a plan.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use db::Tx;
use db::applications::ApplicationQuery;
use http::Method;
use model::{
    Api, ApiId, Application, ApplicationStatus, LifecycleState, Subscription, SubscriptionId, SubscriptionState, Timestamp, WorkflowKind,
};
use rest::{Asked, Body, Caller, Door, Named, Paging, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::applications::{reach, subscription_count};
use crate::browse::page;
use crate::show::{self, ApplicationInfo};
use crate::visitor::Visitor;
use crate::{Room, SUBSCRIPTIONS, approvals, entry, groups, plans};

/// Most subscriptions in one request.
const MULTIPLE_MAX: usize = 1000;

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/subscriptions", SUBSCRIPTIONS, list)
        .on(Method::POST, "/subscriptions", SUBSCRIPTIONS, create)
        .on(Method::POST, "/subscriptions/multiple", SUBSCRIPTIONS, create_multiple)
        .on(Method::GET, "/subscriptions/{subscriptionId}", SUBSCRIPTIONS, get)
        .on(Method::PUT, "/subscriptions/{subscriptionId}", SUBSCRIPTIONS, update)
        .on(Method::DELETE, "/subscriptions/{subscriptionId}", SUBSCRIPTIONS, delete)
}

/// `Subscription` as sent. What is read-only may be sent back and is not looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sent {
    application_id: Option<String>,
    api_id: Option<String>,
    throttling_policy: Option<String>,
    requested_throttling_policy: Option<String>,
    #[serde(rename = "subscriptionId")]
    _id: Option<Value>,
    #[serde(rename = "apiInfo")]
    _api_info: Option<Value>,
    #[serde(rename = "applicationInfo")]
    _application_info: Option<Value>,
    #[serde(rename = "status")]
    _status: Option<Value>,
    #[serde(rename = "redirectionParams")]
    _redirection_params: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    api_id: Option<String>,
    application_id: Option<String>,
}

async fn list(
    State(room): State<Room>,
    caller: Caller,
    visitor: Visitor,
    Asked(asked): Asked<Filter>,
    paging: Paging,
) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (items, total, tail) = match (given(asked.application_id), given(asked.api_id)) {
        (Some(application), _) => {
            let owned = reach(&mut tx, &caller, &application).await?;
            let found = db::subscriptions::list_of_application(&mut tx, owned.id, paging.limit, paging.offset).await?;
            (found.items, found.total, ("applicationId", application))
        }
        (None, Some(api)) => {
            let all = own_of_api(&mut tx, &caller, &api).await?;
            let total = all.len() as u64;
            (page(all.into_iter(), paging).collect(), total, ("apiId", api))
        }
        (None, None) => return Err(Refusal::Bad("Either applicationId or apiId should be available".to_owned())),
    };
    let mut shown = Vec::with_capacity(items.len());
    for subscription in &items {
        shown.push(show(&mut tx, &visitor, subscription).await?);
    }
    Ok(Json(rest::list(&shown, total, paging, "/subscriptions", &[(tail.0, &tail.1)])))
}

/// The subscriptions of the caller's applications to one API.
async fn own_of_api(tx: &mut Tx, caller: &Caller, api: &str) -> Result<Vec<Subscription>, Refusal> {
    let api: ApiId = api.parse().map_err(|_| Refusal::not_found("API", api))?;
    let groups = groups::of(tx, caller).await?;
    let query = ApplicationQuery { owner: Some(caller.name()), groups, limit: u32::MAX, ..ApplicationQuery::of(caller.tenant) };
    let mut found = Vec::new();
    for application in db::applications::list(tx, &query).await?.items {
        found.extend(db::subscriptions::find_for(tx, application.id, api).await?);
    }
    Ok(found)
}

async fn create(State(room): State<Room>, caller: Caller, visitor: Visitor, Body(sent): Body<Sent>) -> Result<Response, Refusal> {
    let shown = subscribe(&room, &caller, &visitor, &sent).await?;
    let id = shown.get("subscriptionId").and_then(Value::as_str).unwrap_or_default();
    Ok(rest::created(&format!("{}/subscriptions/{id}", crate::BASE), &shown))
}

/// Each for itself: one that is refused is shown as it was sent, with its state `REJECTED`, and does not hinder the others.
async fn create_multiple(
    State(room): State<Room>,
    caller: Caller,
    visitor: Visitor,
    Body(sent): Body<Vec<Sent>>,
) -> Result<Json<Value>, Refusal> {
    if sent.len() > MULTIPLE_MAX {
        return Err(Refusal::Bad(format!("At most {MULTIPLE_MAX} subscriptions can be made in one request.")));
    }
    let mut list = Vec::with_capacity(sent.len());
    for wanted in &sent {
        list.push(match subscribe(&room, &caller, &visitor, wanted).await {
            Ok(shown) => shown,
            Err(fault @ Refusal::Failed(_)) => return Err(fault),
            Err(_) => refused(wanted),
        });
    }
    Ok(Json(Value::Array(list)))
}

fn refused(sent: &Sent) -> Value {
    json!({
        "subscriptionId": null,
        "applicationId": sent.application_id,
        "apiId": sent.api_id,
        "apiInfo": null,
        "applicationInfo": null,
        "throttlingPolicy": sent.throttling_policy,
        "requestedThrottlingPolicy": sent.requested_throttling_policy,
        "status": SubscriptionState::Rejected.name(),
        "redirectionParams": null,
    })
}

async fn subscribe(room: &Room, caller: &Caller, visitor: &Visitor, sent: &Sent) -> Result<Value, Refusal> {
    let mut tx = room.db.write().await?;
    let application = reach(&mut tx, caller, sent.application_id.as_deref().unwrap_or_default()).await?;
    let id = sent.api_id.as_deref().unwrap_or_default();
    // Prototyped APIs need no subscription and deprecated ones take no new ones.
    let api = visitor.find(&mut tx, id).await?;
    if api.state != LifecycleState::Published {
        return Err(Refusal::not_found("API", id));
    }
    if application.status != ApplicationStatus::Approved {
        return Err(Refusal::Bad("Workflow status is not Approved".to_owned()));
    }
    if !show::admits_tenant(&api, caller.tenant, &caller.tenant_domain) {
        return Err(Refusal::Forbidden(format!("The API with the id '{id}' takes no subscriptions of this tenant's applications.")));
    }
    let plan = sent.throttling_policy.as_deref().unwrap_or_default();
    refuse_plan(&mut tx, caller, &api, plan).await?;
    if db::subscriptions::find_for(&mut tx, application.id, api.id).await?.is_some() {
        return Err(exists(&application, &api));
    }
    let subscription = place(&mut tx, &application, &api, plan, room.now()).await?;
    let shown = show(&mut tx, visitor, &subscription).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Writes a subscription, in force or waiting for an administrator where the tenant wants that.
///
/// # Errors
/// 409 where there is one.
pub(crate) async fn place(tx: &mut Tx, application: &Application, api: &Api, plan: &str, now: Timestamp) -> Result<Subscription, Refusal> {
    let waits = approvals::needed(tx, application.tenant, WorkflowKind::SubscriptionCreation).await?;
    let subscription = Subscription {
        id: SubscriptionId::random(),
        application: application.id,
        api: api.id,
        plan: plan.to_owned(),
        requested_plan: None,
        state: if waits { SubscriptionState::OnHold } else { SubscriptionState::Unblocked },
        created_at: now,
        updated_at: now,
    };
    if waits {
        let (subject, properties) = (subscription.id.to_string(), approvals::of_subscription(application, api, &subscription));
        approvals::ask(tx, application.tenant, WorkflowKind::SubscriptionCreation, subject, properties, now).await?;
    }
    match db::subscriptions::insert(tx, &subscription).await {
        Err(db::Error::Duplicate { .. }) => Err(exists(application, api)),
        done => {
            done?;
            Ok(subscription)
        }
    }
}

fn exists(application: &Application, api: &Api) -> Refusal {
    entry::SUBSCRIPTION_EXISTS.with(format!("Subscription already exists for API {} from Application {}", api.name, application.name))
}

/// The plan must be one that the API offers, that exists, and that the caller's roles may choose.
pub(crate) async fn refuse_plan(tx: &mut Tx, caller: &Caller, api: &Api, plan: &str) -> Result<(), Refusal> {
    let policy = db::policies::subscription::find_by_name(tx, api.tenant, plan).await?;
    let policy = policy.filter(|policy| api.plans.contains(&policy.name));
    let policy = policy.ok_or_else(|| entry::TIER_INVALID.with(format!("Specified tier {plan} is invalid: the API does not offer it")))?;
    if plans::admits(&policy, &caller.roles) {
        return Ok(());
    }
    Err(Refusal::Forbidden(format!("Tier {plan} is not allowed for user {}", caller.name())))
}

async fn get(State(room): State<Room>, caller: Caller, visitor: Visitor, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let subscription = find(&mut tx, &caller, &id).await?;
    Ok(Json(show(&mut tx, &visitor, &subscription).await?))
}

/// Changes the plan: at once, or when an administrator approves where the tenant wants that.
async fn update(
    State(room): State<Room>,
    caller: Caller,
    visitor: Visitor,
    Named(id): Named<String>,
    Body(sent): Body<Sent>,
) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.write().await?;
    let mut subscription = find(&mut tx, &caller, &id).await?;
    if matches!(subscription.state, SubscriptionState::Blocked | SubscriptionState::OnHold | SubscriptionState::Rejected) {
        let state = subscription.state.name();
        return Err(entry::SUBSCRIPTION_STATE.with(format!("A subscription in the state {state} cannot be changed.")));
    }
    if sent.application_id.is_some_and(|application| application != subscription.application.to_string()) {
        return Err(Refusal::Bad("A subscription's application cannot be changed.".to_owned()));
    }
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let plan = given(sent.requested_throttling_policy).or(given(sent.throttling_policy)).unwrap_or_default();
    let api = db::apis::find(&mut tx, subscription.api).await?.ok_or_else(|| Refusal::not_found("API", subscription.api))?;
    if plan != subscription.plan {
        refuse_plan(&mut tx, &caller, &api, &plan).await?;
    }
    let now = room.now();
    let application = reach(&mut tx, &caller, &subscription.application.to_string()).await?;
    db::workflows::delete_pending(&mut tx, &subscription.id.to_string()).await?;
    if plan != subscription.plan && approvals::needed(&mut tx, application.tenant, WorkflowKind::SubscriptionUpdate).await? {
        if subscription.state == SubscriptionState::ProdOnlyBlocked {
            return Err(entry::SUBSCRIPTION_STATE.with("A subscription that is blocked for production cannot wait for another plan."));
        }
        subscription.state = SubscriptionState::TierUpdatePending;
        subscription.requested_plan = Some(plan);
        let (subject, properties) = (subscription.id.to_string(), approvals::of_subscription(&application, &api, &subscription));
        approvals::ask(&mut tx, application.tenant, WorkflowKind::SubscriptionUpdate, subject, properties, now).await?;
    } else {
        subscription.plan = plan;
        subscription.requested_plan = None;
        if subscription.state == SubscriptionState::TierUpdatePending {
            subscription.state = SubscriptionState::Unblocked;
        }
    }
    subscription.updated_at = now;
    db::subscriptions::update(&mut tx, &subscription).await?;
    let shown = show(&mut tx, &visitor, &subscription).await?;
    tx.commit().await?;
    Ok(Json(shown))
}

async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let subscription = find(&mut tx, &caller, &id).await?;
    db::workflows::delete_pending(&mut tx, &subscription.id.to_string()).await?;
    db::subscriptions::delete(&mut tx, subscription.id).await?;
    Ok(tx.commit().await?)
}

/// A subscription of one of the caller's own applications; others are answered like ones that are not there.
async fn find(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Subscription, Refusal> {
    let known = match id.parse::<SubscriptionId>() {
        Ok(id) => db::subscriptions::find(tx, id).await?,
        Err(_) => None,
    };
    let unknown = || Refusal::not_found("Subscription", id);
    let subscription = known.ok_or_else(unknown)?;
    match reach(tx, caller, &subscription.application.to_string()).await {
        Ok(_) => Ok(subscription),
        Err(Refusal::NotFound { .. } | Refusal::Forbidden(_)) => Err(unknown()),
        Err(other) => Err(other),
    }
}

async fn show(tx: &mut Tx, visitor: &Visitor, subscription: &Subscription) -> Result<Value, Refusal> {
    let api = db::apis::find(tx, subscription.api).await?;
    let extras = show::Extras::of(tx, &[subscription.api]).await?;
    let application = match db::applications::find(tx, subscription.application).await? {
        Some(application) => Some(ApplicationInfo::of(&application, subscription_count(tx, application.id).await?)),
        None => None,
    };
    Ok(json!({
        "subscriptionId": subscription.id.to_string(),
        "applicationId": subscription.application.to_string(),
        "apiId": subscription.api.to_string(),
        "apiInfo": api.map(|api| show::api_info(&api, visitor, &extras)),
        "applicationInfo": application,
        "throttlingPolicy": subscription.plan,
        "requestedThrottlingPolicy": subscription.requested_plan.as_ref().unwrap_or(&subscription.plan),
        "status": subscription.state.name(),
        "redirectionParams": null,
    }))
}
