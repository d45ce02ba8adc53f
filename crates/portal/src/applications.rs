//! Applications: kept by their owner, and seen by those they are shared with, where the tenant shares applications with groups.
//!
//! Whoever shares an application subscribes with it and makes its keys; changing and removing it stays its owner's.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use db::Tx;
use db::applications::{ApplicationQuery, ApplicationSort};
use http::Method;
use model::{Application, ApplicationId, ApplicationStatus, ApplicationTokenType, KeyMappingMode, TokenFormat, UNLIMITED, WorkflowKind};
use rest::{Access, Asked, Body, Caller, Door, FieldFault, Named, Paging, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::show::ApplicationInfo;
use crate::{APPLICATIONS, Room, approvals, entry, groups, show};

const LIST: Access = Access::Scopes(&["apim:app_import_export", "apim:app_manage", "apim:subscribe"]);

/// What every developer starts with.
const DEFAULT_NAME: &str = "DefaultApplication";
const DEFAULT_DESCRIPTION: &str = "This is the default application";

/// More subscriptions than any application has; their scopes are shown with it.
const SUBSCRIPTIONS_MAX: u32 = 10_000;

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/applications", LIST, list)
        .on(Method::POST, "/applications", APPLICATIONS, create)
        .on(Method::GET, "/applications/{applicationId}", APPLICATIONS, get)
        .on(Method::PUT, "/applications/{applicationId}", APPLICATIONS, update)
        .on(Method::DELETE, "/applications/{applicationId}", LIST, delete)
}

/// `Application` as sent. What is read-only may be sent back and is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Sent {
    pub(crate) name: Option<String>,
    pub(crate) throttling_policy: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) token_type: Option<String>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) attributes: Option<BTreeMap<String, Option<String>>>,
    #[serde(rename = "applicationId")]
    pub(crate) _id: Option<Value>,
    #[serde(rename = "status")]
    pub(crate) _status: Option<Value>,
    #[serde(rename = "subscriptionCount")]
    pub(crate) _subscription_count: Option<Value>,
    #[serde(rename = "keys")]
    pub(crate) _keys: Option<Value>,
    #[serde(rename = "subscriptionScopes")]
    pub(crate) _subscription_scopes: Option<Value>,
    #[serde(rename = "owner")]
    pub(crate) _owner: Option<Value>,
    #[serde(rename = "hashEnabled")]
    pub(crate) _hash_enabled: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    query: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
}

async fn list(State(room): State<Room>, caller: Caller, Asked(asked): Asked<Filter>, paging: Paging) -> Result<Json<Value>, Refusal> {
    welcome(&room, &caller).await?;
    let sort_by = match asked.sort_by.as_deref() {
        Some("owner") => ApplicationSort::Owner,
        Some("throttlingTier") => ApplicationSort::Policy,
        Some("status") => ApplicationSort::Status,
        _ => ApplicationSort::Name,
    };
    let name = asked.query.filter(|name| !name.is_empty());
    let mut tx = room.db.read().await?;
    let query = ApplicationQuery {
        owner: Some(caller.name()),
        groups: groups::of(&mut tx, &caller).await?,
        name_like: name.clone(),
        sort_by,
        descending: asked.sort_order.as_deref() == Some("desc"),
        limit: paging.limit,
        offset: paging.offset,
        ..ApplicationQuery::of(caller.tenant)
    };
    let found = db::applications::list(&mut tx, &query).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for application in &found.items {
        items.push(ApplicationInfo::of(application, subscription_count(&mut tx, application.id).await?));
    }
    let tail: Vec<(&str, &str)> = name.iter().map(|name| ("query", name.as_str())).collect();
    Ok(Json(rest::list(&items, found.total, paging, "/applications", &tail)))
}

/// Makes `DefaultApplication` when a developer comes for the first time, and notes that they came, so that one who deletes it is not
/// given it again.
async fn welcome(room: &Room, caller: &Caller) -> Result<(), Refusal> {
    let fact = format!("portal.welcomed:{}:{}", caller.tenant, caller.name());
    if !caller.has_scope("apim:subscribe") || db::facts::get(&mut room.db.read().await?, &fact).await?.is_some() {
        return Ok(());
    }
    let mut tx = room.db.write().await?;
    if db::facts::get(&mut tx, &fact).await?.is_some() {
        return Ok(());
    }
    let own = ApplicationQuery { owner: Some(caller.name()), limit: 1, ..ApplicationQuery::of(caller.tenant) };
    if db::applications::list(&mut tx, &own).await?.total == 0 {
        let policies = db::policies::application::list(&mut tx, caller.tenant).await?;
        let policy = policies.iter().find(|policy| policy.name == UNLIMITED).or_else(|| policies.first());
        if let Some(policy) = policy {
            let mut application = fresh(room, caller, DEFAULT_NAME, &policy.name);
            application.description = Some(DEFAULT_DESCRIPTION.to_owned());
            db::applications::insert(&mut tx, &application).await?;
        }
    }
    db::facts::put(&mut tx, &fact, &room.now().0.to_string()).await?;
    Ok(tx.commit().await?)
}

pub(crate) fn fresh(room: &Room, caller: &Caller, name: &str, policy: &str) -> Application {
    let now = room.now();
    Application {
        id: ApplicationId::random(),
        number: 0,
        tenant: caller.tenant,
        owner: caller.name(),
        name: name.to_owned(),
        policy: policy.to_owned(),
        description: None,
        token_type: ApplicationTokenType::Jwt,
        status: ApplicationStatus::Approved,
        groups: Vec::new(),
        attributes: Vec::new(),
        callback_url: None,
        created_at: now,
        updated_at: now,
    }
}

async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<Sent>) -> Result<Response, Refusal> {
    let mut tx = room.db.write().await?;
    let mut application = fresh(&room, &caller, "", "");
    fill(&mut tx, &mut application, sent).await?;
    refuse_taken_name(&mut tx, &application).await?;
    if approvals::needed(&mut tx, application.tenant, WorkflowKind::ApplicationCreation).await? {
        application.status = ApplicationStatus::Created;
        let (subject, properties) = (application.id.to_string(), approvals::of_application(&application));
        approvals::ask(&mut tx, application.tenant, WorkflowKind::ApplicationCreation, subject, properties, room.now()).await?;
    }
    match db::applications::insert(&mut tx, &application).await {
        Err(db::Error::Duplicate { .. }) => return Err(taken(&application)),
        done => done?,
    };
    let shown = show(&mut tx, &application).await?;
    tx.commit().await?;
    Ok(rest::created(&format!("{}/applications/{}", crate::BASE, application.id), shown))
}

async fn get(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let application = reach(&mut tx, &caller, &id).await?;
    Ok(Json(show(&mut tx, &application).await?))
}

async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<Sent>,
) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.write().await?;
    let stored = reach_to_change(&mut tx, &caller, &id).await?;
    refuse_sharer(&stored, &caller)?;
    let wanted = sent.token_type.as_deref().map(token_type).transpose()?;
    let mut application = Application { updated_at: room.now(), ..stored.clone() };
    fill(&mut tx, &mut application, sent).await?;
    if application.name != stored.name {
        refuse_taken_name(&mut tx, &application).await?;
    }
    // Opaque tokens are what old applications keep until their owner says otherwise; there is no way back to them.
    if wanted == Some(ApplicationTokenType::Jwt) && stored.token_type == ApplicationTokenType::OAuth {
        application.token_type = ApplicationTokenType::Jwt;
        use_jwt(&mut tx, application.id).await?;
    }
    db::applications::update(&mut tx, &application).await?;
    let shown = show(&mut tx, &application).await?;
    tx.commit().await?;
    Ok(Json(shown))
}

/// Removes an application with its subscriptions and keys. OAuth clients made for it go too, with their tokens; one that was brought
/// along stays its owner's.
async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let application = reach_to_change(&mut tx, &caller, &id).await?;
    refuse_sharer(&application, &caller)?;
    for mapping in db::key_mappings::list(&mut tx, application.id).await? {
        if let (Some(client), KeyMappingMode::Created) = (&mapping.consumer_key, mapping.mode) {
            db::clients::delete(&mut tx, client, room.now()).await?;
        }
        db::workflows::delete_pending(&mut tx, &mapping.id.to_string()).await?;
    }
    for subscription in db::subscriptions::list_of_application(&mut tx, application.id, SUBSCRIPTIONS_MAX, 0).await?.items {
        db::workflows::delete_pending(&mut tx, &subscription.id.to_string()).await?;
    }
    db::workflows::delete_pending(&mut tx, &application.id.to_string()).await?;
    db::applications::delete(&mut tx, application.id).await?;
    Ok(tx.commit().await?)
}

/// The caller's own application of that id.
///
/// # Errors
/// 404 when there is none in the caller's tenant, 403 when it is somebody else's.
pub(crate) async fn reach(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Application, Refusal> {
    let known = match id.parse::<ApplicationId>() {
        Ok(id) => db::applications::find(tx, id).await?,
        Err(_) => None,
    };
    let application = known.filter(|known| known.tenant == caller.tenant).ok_or_else(|| Refusal::not_found("Application", id))?;
    if application.owner != caller.name() && !groups::share(tx, caller, &application).await? {
        return Err(foreign(id));
    }
    Ok(application)
}

fn foreign(id: &str) -> Refusal {
    Refusal::Forbidden(format!("The application with the id '{id}' belongs to another user."))
}

/// Who shares an application does not change or remove it.
fn refuse_sharer(application: &Application, caller: &Caller) -> Result<(), Refusal> {
    if application.owner == caller.name() { Ok(()) } else { Err(foreign(&application.id.to_string())) }
}

/// As [`reach`], for what writes the application or gives it a key: its owner stays who they are until the transaction ends.
pub(crate) async fn reach_to_change(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Application, Refusal> {
    if let Ok(id) = id.parse::<ApplicationId>() {
        db::applications::lock(tx, id).await?;
    }
    reach(tx, caller, id).await
}

pub(crate) async fn subscription_count(tx: &mut Tx, id: ApplicationId) -> Result<u64, Refusal> {
    Ok(db::subscriptions::list_of_application(tx, id, 1, 0).await?.total)
}

pub(crate) async fn fill(tx: &mut Tx, application: &mut Application, sent: Sent) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let name = sent.name.unwrap_or_default();
    if let Err(fault) = model::application_name(&name) {
        faults.push(FieldFault::new("name", fault.to_string()));
    }
    FieldFault::bounded(&mut faults, "description", sent.description.as_deref(), 512);
    let policy = sent.throttling_policy.unwrap_or_default();
    if policy.is_empty() {
        faults.push(FieldFault::new("throttlingPolicy", "must not be null"));
    }
    if let Some(kind) = &sent.token_type {
        token_type(kind)?;
    }
    Refusal::of(faults)?;
    if db::policies::application::find_by_name(tx, application.tenant, &policy).await?.is_none() {
        return Err(entry::TIER_INVALID.with(format!("Specified tier {policy} is invalid")));
    }
    application.name = name;
    application.policy = policy;
    application.description = sent.description;
    application.groups = sent.groups.unwrap_or_default();
    let attributes = sent.attributes.unwrap_or_default();
    application.attributes = attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(())
}

fn token_type(text: &str) -> Result<ApplicationTokenType, Refusal> {
    let disallowed = || Refusal::Bad("One or more request body parameters contain disallowed values.".to_owned());
    ApplicationTokenType::parse(text).ok_or_else(disallowed)
}

async fn use_jwt(tx: &mut Tx, application: ApplicationId) -> Result<(), Refusal> {
    for mapping in db::key_mappings::list(tx, application).await? {
        let Some(client) = &mapping.consumer_key else { continue };
        db::clients::lock(tx, client).await?;
        if let Some(mut client) = db::clients::find(tx, client).await? {
            client.token_format = TokenFormat::Jwt;
            db::clients::update(tx, &client).await?;
        }
    }
    Ok(())
}

pub(crate) async fn refuse_taken_name(tx: &mut Tx, application: &Application) -> Result<(), Refusal> {
    let other = db::applications::find_by_owner_and_name(tx, application.tenant, &application.owner, &application.name).await?;
    if other.is_some() { Err(taken(application)) } else { Ok(()) }
}

fn taken(application: &Application) -> Refusal {
    entry::APPLICATION_EXISTS.with(format!("An application already exists with name {}", application.name))
}

async fn show(tx: &mut Tx, application: &Application) -> Result<Value, Refusal> {
    let subscriptions = db::subscriptions::list_of_application(tx, application.id, SUBSCRIPTIONS_MAX, 0).await?;
    let mut scopes: BTreeMap<String, Value> = BTreeMap::new();
    for subscription in &subscriptions.items {
        let api = db::apis::find(tx, subscription.api).await?;
        scopes.extend(api.iter().flat_map(|api| &api.scopes).map(|scope| (scope.name.clone(), show::scope(scope))));
    }
    let attributes: BTreeMap<&str, &str> = application.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let keys: [Value; 0] = [];
    Ok(json!({
        "applicationId": application.id.to_string(),
        "name": application.name,
        "throttlingPolicy": application.policy,
        "description": application.description,
        "tokenType": application.token_type.name(),
        "status": application.status.name(),
        "groups": application.groups,
        "subscriptionCount": subscriptions.total,
        // Keys have operations of their own; 4.0.0 leaves this list empty too.
        "keys": keys,
        "attributes": attributes,
        "subscriptionScopes": scopes.into_values().collect::<Vec<_>>(),
        "owner": application.owner,
        "hashEnabled": false,
    }))
}
