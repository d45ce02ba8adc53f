//! An application's keys: OAuth clients it calls with, one for production and one for sandbox.
//!
//! The client is made at the key desk and the mapping here, in two transactions. The client's name says whose it is, so when the second
//! fails, the client is removed again, and one that a crash left behind is found by its name and used the next time.

mod wire;

use axum::Json;
use axum::extract::State;
use db::Tx;
use http::Method;
use keys::{ClientChange, DeskError, NewClient};
use model::{
    Application, ApplicationStatus, ApplicationTokenType, ClientOrigin, KeyMapping, KeyMappingId, KeyMappingMode, KeyState, KeyType,
    OAuthClient, TokenFormat, WorkflowKind,
};
use rest::{Body, Caller, Door, Named, Refusal};
use serde_json::{Value, json};

use crate::applications::{reach, reach_to_change};
use crate::key_managers::{self, RESIDENT};
use crate::{APPLICATIONS, Room, approvals, entry};
use wire::{GenerateKeys, GenerateToken, KeyBody, MapKeys};

/// Asks for a token of the application itself.
const CLIENT_CREDENTIALS: &str = "client_credentials";

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::POST, "/applications/{applicationId}/generate-keys", APPLICATIONS, generate)
        .on(Method::POST, "/applications/{applicationId}/map-keys", APPLICATIONS, map)
        .on(Method::GET, "/applications/{applicationId}/oauth-keys", APPLICATIONS, list)
        .on(Method::GET, "/applications/{applicationId}/oauth-keys/{keyMappingId}", APPLICATIONS, get)
        .on(Method::PUT, "/applications/{applicationId}/oauth-keys/{keyMappingId}", APPLICATIONS, update)
        .on(Method::POST, "/applications/{applicationId}/oauth-keys/{keyMappingId}/regenerate-secret", APPLICATIONS, regenerate)
        .on(Method::POST, "/applications/{applicationId}/oauth-keys/{keyMappingId}/clean-up", APPLICATIONS, clean_up)
        .on(Method::POST, "/applications/{applicationId}/oauth-keys/{keyMappingId}/generate-token", APPLICATIONS, token)
        .on(Method::GET, "/applications/{applicationId}/keys", APPLICATIONS, list)
        .on(Method::GET, "/applications/{applicationId}/keys/{keyType}", APPLICATIONS, get)
        .on(Method::PUT, "/applications/{applicationId}/keys/{keyType}", APPLICATIONS, update)
        .on(Method::POST, "/applications/{applicationId}/keys/{keyType}/regenerate-secret", APPLICATIONS, regenerate)
        .on(Method::POST, "/applications/{applicationId}/keys/{keyType}/clean-up", APPLICATIONS, clean_up)
        .on(Method::POST, "/applications/{applicationId}/keys/{keyType}/generate-token", APPLICATIONS, token)
}

async fn generate(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<GenerateKeys>,
) -> Result<Json<Value>, Refusal> {
    let key_manager = key_managers::named(caller.tenant, sent.key_manager.as_deref())?;
    let key_type = sent.key_type;
    let wanted = sent.client()?;
    let application = {
        let mut tx = room.db.read().await?;
        let application = reach(&mut tx, &caller, &id).await?;
        refuse_unapproved(&application)?;
        refuse_second(&mut tx, &application, key_type, key_manager).await?;
        application
    };
    if let Some(waiting) = wait_for_approval(&room, &caller, &application, key_type, key_manager).await? {
        return Ok(Json(wire::show(&waiting, None, None)));
    }
    let new = NewClient {
        tenant: application.tenant,
        owner: application.owner.clone(),
        name: format!("{}_{}_{}", application.owner, application.id, key_type.name()),
        grants: wanted.grants,
        callback_url: wanted.callback_url,
        lifetimes: wanted.lifetimes,
        token_format: match application.token_type {
            ApplicationTokenType::Jwt => TokenFormat::Jwt,
            ApplicationTokenType::OAuth => TokenFormat::Opaque,
        },
        origin: ClientOrigin::Portal,
    };
    let (client, _) = room.desk.find_or_create_client(new.clone()).await.map_err(of_desk)?;
    let made = attach(&room, &caller, &application, key_type, key_manager, &client, new).await;
    let (mapping, client) = match made {
        Ok(made) => made,
        Err(refusal) => {
            remove_unused(&room, &client.id).await?;
            return Err(refusal);
        }
    };
    let asks_for_token = sent.validity_secs.is_none_or(|secs| secs >= 0) && client.grants.iter().any(|grant| grant == CLIENT_CREDENTIALS);
    if !asks_for_token {
        return Ok(Json(wire::show(&mapping, Some(&client), None)));
    }
    match room.desk.application_token(&client.id, sent.validity_secs, sent.scopes).await {
        Ok(token) => Ok(Json(wire::show(&mapping, Some(&client), Some(&token)))),
        Err(error) => {
            // The answer is the first to show the key, so without it the same request must be possible again.
            let mut tx = room.db.write().await?;
            take_back(&mut tx, &mapping).await?;
            db::clients::delete(&mut tx, &client.id, room.now()).await?;
            tx.commit().await?;
            Err(of_desk(error))
        }
    }
}

/// What the desk says no to is the client's fault only where it says so.
fn of_desk(error: DeskError) -> Refusal {
    match error {
        DeskError::GrantNotAllowed => entry::TOKEN_REQUEST.with(error.to_string()),
        DeskError::Scopes(_) => Refusal::Bad(error.to_string()),
        other => other.into(),
    }
}

/// Writes the mapping, and gives the client what was asked for: it may be one that an interrupted request left.
async fn attach(
    room: &Room,
    caller: &Caller,
    application: &Application,
    key_type: KeyType,
    key_manager: &str,
    client: &OAuthClient,
    wanted: NewClient,
) -> Result<(KeyMapping, OAuthClient), Refusal> {
    let mut tx = room.db.write().await?;
    let application = reach_to_change(&mut tx, caller, &application.id.to_string()).await?;
    refuse_second(&mut tx, &application, key_type, key_manager).await?;
    db::clients::lock(&mut tx, &client.id).await?;
    let known = db::clients::find(&mut tx, &client.id).await?;
    let known = known.ok_or_else(|| keys::DeskError::UnknownClient(client.id.clone()))?;
    let client = OAuthClient {
        grants: wanted.grants,
        callback_url: wanted.callback_url,
        lifetimes: wanted.lifetimes,
        token_format: wanted.token_format,
        ..known
    };
    db::clients::update(&mut tx, &client).await?;
    let mut mapping = mapping(&application, key_type, key_manager, &client, KeyMappingMode::Created);
    match db::key_mappings::find_for(&mut tx, application.id, key_type, key_manager).await? {
        // Approved before, and without keys so far.
        Some(approved) => {
            mapping.id = approved.id;
            db::key_mappings::update(&mut tx, &mapping).await?;
        }
        None => insert(&mut tx, &mapping).await?,
    }
    tx.commit().await?;
    Ok((mapping, client))
}

/// The key without its client, when an administrator must approve it first; the developer makes the keys once that is done.
async fn wait_for_approval(
    room: &Room,
    caller: &Caller,
    application: &Application,
    key_type: KeyType,
    key_manager: &str,
) -> Result<Option<KeyMapping>, Refusal> {
    let kind = registration(key_type);
    let mut tx = room.db.write().await?;
    let application = reach_to_change(&mut tx, caller, &application.id.to_string()).await?;
    let is_new = db::key_mappings::find_for(&mut tx, application.id, key_type, key_manager).await?.is_none();
    if !is_new || !approvals::needed(&mut tx, application.tenant, kind).await? {
        return Ok(None);
    }
    let waiting = KeyMapping {
        id: KeyMappingId::random(),
        application: application.id,
        key_type,
        key_manager: key_manager.to_owned(),
        consumer_key: None,
        state: KeyState::Created,
        mode: KeyMappingMode::Created,
        allowed_domains: Vec::new(),
    };
    insert(&mut tx, &waiting).await?;
    let mut properties = approvals::of_application(&application);
    properties.push(("keyType".to_owned(), key_type.name().to_owned()));
    approvals::ask(&mut tx, application.tenant, kind, waiting.id.to_string(), properties, room.now()).await?;
    tx.commit().await?;
    Ok(Some(waiting))
}

fn registration(key_type: KeyType) -> WorkflowKind {
    match key_type {
        KeyType::Production => WorkflowKind::ProductionRegistration,
        KeyType::Sandbox => WorkflowKind::SandboxRegistration,
    }
}

/// Leaves the place as it was before the keys were made: free, or approved where that was asked for.
async fn take_back(tx: &mut Tx, mapping: &KeyMapping) -> Result<(), Refusal> {
    let application = db::applications::find(tx, mapping.application).await?;
    let approved = match application {
        Some(application) => approvals::needed(tx, application.tenant, registration(mapping.key_type)).await?,
        None => false,
    };
    if approved {
        let without = KeyMapping { consumer_key: None, state: KeyState::Approved, ..mapping.clone() };
        db::key_mappings::update(tx, &without).await?;
    } else {
        db::key_mappings::delete(tx, mapping.id).await?;
    }
    Ok(())
}

/// Removes a client that no application calls with. Another request may have attached it in the meantime, so both are one transaction.
async fn remove_unused(room: &Room, client: &str) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    if db::key_mappings::find_by_consumer_key(&mut tx, client).await?.is_none() {
        db::clients::delete(&mut tx, client, room.now()).await?;
    }
    Ok(tx.commit().await?)
}

async fn map(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<MapKeys>,
) -> Result<Json<Value>, Refusal> {
    let key_manager = key_managers::named(caller.tenant, sent.key_manager.as_deref())?;
    if !room.config.map_existing_clients {
        return Err(entry::NO_MAPPING.with("Attaching existing OAuth clients is switched off."));
    }
    let mut tx = room.db.write().await?;
    let application = reach_to_change(&mut tx, &caller, &id).await?;
    refuse_unapproved(&application)?;
    refuse_second(&mut tx, &application, sent.key_type, key_manager).await?;
    // Whether the client is unknown, another tenant's or its secret wrong is not told: each would help somebody who guesses.
    let client = db::clients::find(&mut tx, &sent.consumer_key).await?;
    let client = client.filter(|client| client.tenant == caller.tenant && sent.consumer_secret.is_of(client));
    let client = client.ok_or_else(|| Refusal::Bad("There is no OAuth client with this key and secret.".to_owned()))?;
    if db::key_mappings::find_by_consumer_key(&mut tx, &client.id).await?.is_some() {
        return Err(entry::KEY_EXISTS.with("The OAuth client belongs to an application already."));
    }
    let mapping = mapping(&application, sent.key_type, key_manager, &client, KeyMappingMode::Mapped);
    insert(&mut tx, &mapping).await?;
    tx.commit().await?;
    Ok(Json(wire::show(&mapping, Some(&client), None)))
}

async fn list(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let application = reach(&mut tx, &caller, &id).await?;
    let mut list = Vec::new();
    for mapping in db::key_mappings::list(&mut tx, application.id).await? {
        let client = client_of(&mut tx, &mapping).await?;
        list.push(wire::show(&mapping, client.as_ref(), None));
    }
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

async fn get(State(room): State<Room>, caller: Caller, Named((id, key)): Named<(String, String)>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let mapping = find(&mut tx, &caller, &id, &key).await?;
    let client = client_of(&mut tx, &mapping).await?;
    Ok(Json(wire::show(&mapping, client.as_ref(), None)))
}

async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named((id, key)): Named<(String, String)>,
    Body(sent): Body<KeyBody>,
) -> Result<Json<Value>, Refusal> {
    let (mapping, client) = usable(&room, &caller, &id, &key).await?;
    let wanted = sent.client(client.lifetimes)?;
    let change = ClientChange {
        grants: Some(wanted.grants),
        callback_url: Some(wanted.callback_url),
        lifetimes: Some(wanted.lifetimes),
        ..ClientChange::default()
    };
    let client = room.desk.update_client(&client.id, change).await.map_err(of_desk)?;
    Ok(Json(wire::show(&mapping, Some(&client), None)))
}

async fn regenerate(State(room): State<Room>, caller: Caller, Named((id, key)): Named<(String, String)>) -> Result<Json<Value>, Refusal> {
    let (_, client) = usable(&room, &caller, &id, &key).await?;
    let secret = room.desk.regenerate_secret(&client.id).await.map_err(of_desk)?;
    Ok(Json(json!({ "consumerKey": client.id, "consumerSecret": secret.expose() })))
}

/// Takes the key away from the application. A client made for it goes too, with its tokens.
async fn clean_up(State(room): State<Room>, caller: Caller, Named((id, key)): Named<(String, String)>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let mapping = find(&mut tx, &caller, &id, &key).await?;
    if let (Some(client), KeyMappingMode::Created) = (&mapping.consumer_key, mapping.mode) {
        db::clients::delete(&mut tx, client, room.now()).await?;
    }
    db::workflows::delete_pending(&mut tx, &mapping.id.to_string()).await?;
    db::key_mappings::delete(&mut tx, mapping.id).await?;
    Ok(tx.commit().await?)
}

async fn token(
    State(room): State<Room>,
    caller: Caller,
    Named((id, key)): Named<(String, String)>,
    Body(sent): Body<GenerateToken>,
) -> Result<Json<Value>, Refusal> {
    let (_, client) = usable(&room, &caller, &id, &key).await?;
    if sent.consumer_secret.as_ref().is_some_and(|secret| !secret.is_empty() && !secret.is_of(&client)) {
        return Err(entry::TOKEN_REQUEST.with("The consumer secret is not that of the application's key."));
    }
    if let Some(old) = sent.revoke_token.as_ref().filter(|old| !old.is_empty()) {
        room.desk.revoke(&client, old.expose()).await.map_err(|refused| match refused {
            keys::Refusal::Server(cause) => Refusal::Failed(cause),
            other => Refusal::Bad(other.to_string()),
        })?;
    }
    let token = room.desk.application_token(&client.id, sent.validity_secs, sent.scopes).await.map_err(of_desk)?;
    Ok(Json(wire::show_token(&token)))
}

/// The application's key by its mapping's id, or by key type, which means the resident key manager's.
async fn find(tx: &mut Tx, caller: &Caller, application: &str, key: &str) -> Result<KeyMapping, Refusal> {
    let application = reach(tx, caller, application).await?;
    let found = match (KeyType::parse(key), key.parse::<KeyMappingId>()) {
        (Some(key_type), _) => db::key_mappings::find_for(tx, application.id, key_type, RESIDENT).await?,
        (None, Ok(id)) => db::key_mappings::find(tx, id).await?.filter(|mapping| mapping.application == application.id),
        (None, Err(_)) => None,
    };
    found.ok_or_else(|| entry::KEY_UNKNOWN.with(format!("The application has no key '{key}'.")))
}

/// A key with its client, ready to be changed or used.
async fn usable(room: &Room, caller: &Caller, application: &str, key: &str) -> Result<(KeyMapping, OAuthClient), Refusal> {
    let mut tx = room.db.read().await?;
    let mapping = find(&mut tx, caller, application, key).await?;
    let client = client_of(&mut tx, &mapping).await?;
    let client = client.ok_or_else(|| entry::KEY_UNKNOWN.with(format!("The key '{key}' has no OAuth client.")))?;
    Ok((mapping, client))
}

async fn client_of(tx: &mut Tx, mapping: &KeyMapping) -> Result<Option<OAuthClient>, Refusal> {
    match &mapping.consumer_key {
        Some(client) => Ok(db::clients::find(tx, client).await?),
        None => Ok(None),
    }
}

fn refuse_unapproved(application: &Application) -> Result<(), Refusal> {
    if application.status == ApplicationStatus::Approved {
        return Ok(());
    }
    Err(Refusal::Bad("The application is not approved, so it can have no keys.".to_owned()))
}

async fn refuse_second(tx: &mut Tx, application: &Application, key_type: KeyType, key_manager: &str) -> Result<(), Refusal> {
    match db::key_mappings::find_for(tx, application.id, key_type, key_manager).await? {
        None => Ok(()),
        // Approved, and still without keys: these are the first.
        Some(known) if known.state == KeyState::Approved && known.consumer_key.is_none() => Ok(()),
        Some(_) => Err(second(application, key_type)),
    }
}

fn second(application: &Application, key_type: KeyType) -> Refusal {
    entry::KEY_EXISTS.with(format!("Key Mappings already exists for application {} and key type {}", application.name, key_type.name()))
}

pub(crate) fn mapping(
    application: &Application,
    key_type: KeyType,
    key_manager: &str,
    client: &OAuthClient,
    mode: KeyMappingMode,
) -> KeyMapping {
    KeyMapping {
        id: KeyMappingId::random(),
        application: application.id,
        key_type,
        key_manager: key_manager.to_owned(),
        consumer_key: Some(client.id.clone()),
        state: KeyState::Completed,
        mode,
        allowed_domains: Vec::new(),
    }
}

pub(crate) async fn insert(tx: &mut Tx, mapping: &KeyMapping) -> Result<(), Refusal> {
    match db::key_mappings::insert(tx, mapping).await {
        Err(db::Error::Duplicate { .. }) => {
            Err(entry::KEY_EXISTS.with("The application has such a key, or the OAuth client belongs to another."))
        }
        done => Ok(done?),
    }
}
