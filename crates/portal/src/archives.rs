//! Applications as project archives: with their subscriptions, and with their keys where that is asked for.
//!
//! Who may do this moves applications of the whole tenant between installations, so owners are named and not asked.

use archive::{
    ApplicationInfo, ApplicationKey, ApplicationProject, ArchiveError, Format, Subscribed, SubscribedApi, Subscriber, params::Uploaded,
};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use db::Tx;
use http::{HeaderMap, Method, StatusCode};
use keys::NewClient;
use model::{
    Api, Application, ApplicationStatus, ApplicationTokenType, ClientOrigin, KeyMappingMode, KeyType, LifecycleState, Lifetimes,
    SubscriptionState, TokenFormat, UserName, WorkflowKind,
};
use rest::{Access, Asked, Caller, Door, Refusal, Shown, Upload};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::visitor::Visitor;
use crate::{Room, applications, approvals, entry, key_managers, keys_of, show, subscriptions};

const MOVE: Access = Access::Scopes(&["apim:app_import_export"]);

/// More subscriptions than any application has.
const SUBSCRIPTIONS_MAX: u32 = 10_000;

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/applications/export", MOVE, export).on(Method::POST, "/applications/import", MOVE, import)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    app_name: Option<String>,
    app_owner: Option<String>,
    with_keys: Option<bool>,
    format: Option<String>,
}

async fn export(State(room): State<Room>, caller: Caller, Asked(asked): Asked<Export>, headers: HeaderMap) -> Result<Response, Refusal> {
    let (Some(name), Some(owner)) = (asked.app_name, asked.app_owner) else {
        return Err(Refusal::Bad("appName and appOwner say which application is meant.".to_owned()));
    };
    let format = Format::parse(asked.format.as_deref()).ok_or_else(|| Refusal::Bad("format must be JSON or YAML.".to_owned()))?;
    let owner = of_own_tenant(&caller, &owner)?;
    let mut tx = room.db.read().await?;
    let found = db::applications::find_by_owner_and_name(&mut tx, caller.tenant, &owner, &name).await?;
    let application = found.ok_or_else(|| Refusal::not_found("Application", &name))?;
    let project = project(&mut tx, &room, &application, asked.with_keys.unwrap_or(false)).await?;
    let bytes = project.folder(format).zip(&project.root())?;
    let tag = db::files::sha256(&bytes);
    let file = format!("{}.zip", project.root().replacen('-', "_", 1));
    Ok(rest::ok_file(&headers, "application/zip", Shown::Attachment(&file), &tag, bytes))
}

/// The owner as it is stored.
///
/// # Errors
/// 403 901409 for somebody of another tenant.
fn of_own_tenant(caller: &Caller, owner: &str) -> Result<String, Refusal> {
    let name = UserName::parse(owner.trim(), |domain| domain == caller.tenant_domain);
    let of_super = caller.tenant_domain == model::SUPER_TENANT_DOMAIN && !owner.contains('@');
    if name.tenant == caller.tenant_domain || of_super {
        return Ok(name.to_string());
    }
    Err(entry::OWNER_ELSEWHERE.with(format!("The application's owner '{owner}' is of another tenant.")))
}

async fn project(tx: &mut Tx, room: &Room, application: &Application, with_keys: bool) -> Result<ApplicationProject, Refusal> {
    let mut subscribed = Vec::new();
    for subscription in db::subscriptions::list_of_application(tx, application.id, SUBSCRIPTIONS_MAX, 0).await?.items {
        // An archive says nothing of a subscription's state, and importing one puts it in force.
        if !matches!(subscription.state, SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending) {
            continue;
        }
        if let Some(api) = db::apis::find(tx, subscription.api).await? {
            subscribed.push(SubscribedApi {
                api_id: Subscribed { provider_name: api.provider, api_name: api.name, version: api.version },
                subscriber: Subscriber { name: application.owner.clone() },
                throttling_policy: subscription.plan,
            });
        }
    }
    subscribed.sort_by(|a, b| a.api_id.cmp(&b.api_id));
    let mut keys = Vec::new();
    for mapping in if with_keys { db::key_mappings::list(tx, application.id).await? } else { Vec::new() } {
        let Some(id) = &mapping.consumer_key else { continue };
        let Some(client) = db::clients::find(tx, id).await? else { continue };
        let mut key = ApplicationKey::of(&mapping, &client, room.desk.settings().application_token_secs);
        key.set_secret(&client.secret);
        keys.push(key);
    }
    keys.sort_by(|a, b| a.key_type.cmp(&b.key_type));
    let application_info = ApplicationInfo {
        name: application.name.clone(),
        throttling_policy: application.policy.clone(),
        description: application.description.clone(),
        token_type: Some(application.token_type.name().to_owned()),
        status: Some(application.status.name().to_owned()),
        groups: application.groups.clone(),
        subscription_count: subscribed.len() as u64,
        keys,
        attributes: application.attributes.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        owner: application.owner.clone(),
    };
    Ok(ApplicationProject { application_info, subscribed })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Import {
    preserve_owner: Option<bool>,
    skip_subscriptions: Option<bool>,
    app_owner: Option<String>,
    skip_application_keys: Option<bool>,
    update: Option<bool>,
}

/// 201 with the application, or 207 with the APIs it could not be subscribed to, as in 4.0.0.
async fn import(
    State(room): State<Room>,
    caller: Caller,
    visitor: Visitor,
    Asked(asked): Asked<Import>,
    upload: Upload,
) -> Result<Response, Refusal> {
    let file = upload.part("file").ok_or_else(|| Refusal::Bad("The upload has no part 'file'.".to_owned()))?;
    let project = Uploaded::read(&file.content).and_then(|uploaded| ApplicationProject::read(&uploaded.folder)).map_err(refused)?;
    let ApplicationProject { application_info: info, subscribed } = project;
    let named = asked.app_owner.filter(|owner| !owner.trim().is_empty());
    let named = named.or_else(|| asked.preserve_owner.unwrap_or(false).then(|| info.owner.clone()));
    let owner = named.map_or_else(|| Ok(caller.name()), |owner| of_own_tenant(&caller, &owner))?;
    let mut tx = room.db.write().await?;
    owner_exists(&mut tx, &caller, &owner).await?;
    let application = settle(&mut tx, &room, &caller, &owner, &info, asked.update.unwrap_or(false)).await?;
    if !asked.skip_application_keys.unwrap_or(false) {
        for key in &info.keys {
            put_key(&mut tx, &room, &caller, &application, key).await?;
        }
    }
    let mut skipped = Vec::new();
    for wanted in if asked.skip_subscriptions.unwrap_or(false) { Vec::new() } else { subscribed } {
        if !subscribe(&mut tx, &room, &caller, &visitor, &application, &wanted).await? {
            skipped.push(wanted.api_id);
        }
    }
    let count = applications::subscription_count(&mut tx, application.id).await?;
    tx.commit().await?;
    if skipped.is_empty() {
        let shown = show::ApplicationInfo::of(&application, count);
        return Ok(rest::created(&format!("{}/applications/{}", crate::BASE, application.id), shown));
    }
    let list: Vec<Value> =
        skipped.iter().map(|api| json!({ "name": api.api_name, "version": api.version, "provider": api.provider_name })).collect();
    Ok((StatusCode::MULTI_STATUS, Json(json!({ "count": list.len(), "list": list }))).into_response())
}

/// What is wrong with an archive, by the catalogue.
fn refused(fault: ArchiveError) -> Refusal {
    let entry = match &fault {
        ArchiveError::Missing(_) => entry::ARCHIVE_DEFINITION,
        ArchiveError::Type { .. } | ArchiveError::Version { .. } | ArchiveError::Unreadable { .. } => entry::ARCHIVE_META,
        _ => entry::ARCHIVE_INVALID,
    };
    entry.with(fault.to_string())
}

async fn owner_exists(tx: &mut Tx, caller: &Caller, owner: &str) -> Result<(), Refusal> {
    let name = UserName::parse(owner, |domain| domain == caller.tenant_domain);
    if owner == caller.name() || db::users::find(tx, caller.tenant, &name.store, &name.name).await?.is_some() {
        return Ok(());
    }
    Err(Refusal::Bad("Provided Application Owner is Invalid".to_owned()))
}

/// Makes the application, or changes the one that is there.
async fn settle(
    tx: &mut Tx,
    room: &Room,
    caller: &Caller,
    owner: &str,
    info: &ApplicationInfo,
    update: bool,
) -> Result<Application, Refusal> {
    let sent = applications::Sent {
        name: Some(info.name.clone()),
        throttling_policy: Some(info.throttling_policy.clone()),
        description: info.description.clone(),
        token_type: info.token_type.clone(),
        groups: Some(info.groups.clone()),
        attributes: Some(info.attributes.clone()),
        ..applications::Sent::default()
    };
    let there = db::applications::find_by_owner_and_name(tx, caller.tenant, owner, &info.name).await?;
    if let Some(stored) = there {
        if !update {
            return Err(entry::APPLICATION_EXISTS.with(format!("The application '{}' of '{owner}' is there already.", info.name)));
        }
        db::applications::lock(tx, stored.id).await?;
        let mut application = Application { updated_at: room.now(), ..stored };
        applications::fill(tx, &mut application, sent).await?;
        db::applications::update(tx, &application).await?;
        return Ok(application);
    }
    let mut application = applications::fresh(room, caller, "", "");
    application.owner = owner.to_owned();
    applications::fill(tx, &mut application, sent).await?;
    application.token_type = info.token_type.as_deref().and_then(ApplicationTokenType::parse).unwrap_or(ApplicationTokenType::Jwt);
    applications::refuse_taken_name(tx, &application).await?;
    if approvals::needed(tx, application.tenant, WorkflowKind::ApplicationCreation).await? {
        application.status = ApplicationStatus::Created;
        let (subject, properties) = (application.id.to_string(), approvals::of_application(&application));
        approvals::ask(tx, application.tenant, WorkflowKind::ApplicationCreation, subject, properties, room.now()).await?;
    }
    db::applications::insert(tx, &application).await?;
    Ok(application)
}

/// Gives the application a key with the client the archive names. One it has stays as it is, so that no secret changes under those who
/// use it.
async fn put_key(tx: &mut Tx, room: &Room, caller: &Caller, application: &Application, key: &ApplicationKey) -> Result<(), Refusal> {
    let wrong = || entry::ARCHIVE_META.with(format!("'{}' is no type of key.", key.key_type));
    let key_type = KeyType::parse(&key.key_type).ok_or_else(wrong)?;
    let key_manager = key_managers::named(caller.tenant, key.key_manager.as_deref())?;
    if db::key_mappings::find_for(tx, application.id, key_type, key_manager).await?.is_some() {
        return Ok(());
    }
    let validity = key.token.as_ref().and_then(|token| token.validity_time);
    let new = NewClient {
        tenant: application.tenant,
        owner: application.owner.clone(),
        name: format!("{}_{}_{}", application.owner, application.id, key_type.name()),
        grants: key.supported_grant_types.iter().filter(|grant| key_managers::GRANTS.contains(&grant.as_str())).cloned().collect(),
        callback_url: key.callback_url.clone().filter(|url| !url.is_empty()),
        lifetimes: Lifetimes {
            application_secs: validity.filter(|secs| *secs != room.desk.settings().application_token_secs),
            ..Lifetimes::default()
        },
        token_format: match application.token_type {
            ApplicationTokenType::Jwt => TokenFormat::Jwt,
            ApplicationTokenType::OAuth => TokenFormat::Opaque,
        },
        origin: ClientOrigin::Portal,
    };
    let mut client = new.with_fresh_keys(room.now());
    if let Some(id) = key.consumer_key.as_deref().map(str::trim).filter(|id| !id.is_empty()) {
        if id.len() > 255 || !id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
            return Err(entry::ARCHIVE_META.with("A consumerKey is none."));
        }
        if db::clients::find(tx, id).await?.is_some() {
            return Err(entry::KEY_EXISTS.with(format!("There is an OAuth client '{id}' already.")));
        }
        id.clone_into(&mut client.id);
        if let Some(secret) = key.secret().map_err(refused)? {
            client.secret = secret;
        }
    }
    db::clients::insert(tx, &client).await?;
    let mapping = keys_of::mapping(application, key_type, key_manager, &client, KeyMappingMode::Created);
    keys_of::insert(tx, &mapping).await
}

/// Whether the application is subscribed afterwards: to a published API that the caller sees, under a plan that it offers.
async fn subscribe(
    tx: &mut Tx,
    room: &Room,
    caller: &Caller,
    visitor: &Visitor,
    application: &Application,
    wanted: &SubscribedApi,
) -> Result<bool, Refusal> {
    let Subscribed { api_name, version, .. } = &wanted.api_id;
    let found: Option<Api> = db::apis::find_by_name_version(tx, visitor.portal.id, api_name, version).await?;
    let Some(api) = found.filter(|api| visitor.sees(api) && api.state == LifecycleState::Published) else { return Ok(false) };
    if db::subscriptions::find_for(tx, application.id, api.id).await?.is_some() {
        return Ok(true);
    }
    if application.status != ApplicationStatus::Approved || !show::admits_tenant(&api, caller.tenant, &caller.tenant_domain) {
        return Ok(false);
    }
    match subscriptions::refuse_plan(tx, caller, &api, &wanted.throttling_policy).await {
        Ok(()) => {}
        Err(fault @ Refusal::Failed(_)) => return Err(fault),
        Err(_) => return Ok(false),
    }
    subscriptions::place(tx, application, &api, &wanted.throttling_policy, room.now()).await?;
    Ok(true)
}
