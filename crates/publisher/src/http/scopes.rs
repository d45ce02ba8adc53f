//! Operations on shared scopes.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use rest::{Body, Caller, Named, Paging, Problem};
use serde::Serialize;
use serde_json::Value;

use super::location;
use super::others::page;
use super::revisions::decoded;
use crate::Room;
use crate::scopes::{self, Shared};
use crate::wire::{Scope, shown_context};

fn shown(shared: &Shared) -> Scope {
    Scope {
        id: Some(shared.id.clone()),
        name: Some(shared.scope.name.clone()),
        display_name: Some(shared.scope.display_name.clone()),
        description: shared.scope.description.clone(),
        bindings: Some(shared.scope.roles.clone()),
        usage_count: i64::try_from(shared.used_by.len()).ok(),
    }
}

pub(crate) async fn list(State(room): State<Room>, caller: Caller, paging: Paging) -> Result<Json<Value>, Problem> {
    let all: Vec<Scope> = scopes::list(&room, &caller).await?.iter().map(shown).collect();
    Ok(Json(page(&all, paging, "/scopes")))
}

pub(crate) async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<Scope>) -> Result<Response, Problem> {
    let made = scopes::create(&room, &caller, &sent).await?;
    Ok(rest::created(&location(&format!("scopes/{}", made.id)), shown(&made)))
}

pub(crate) async fn find(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<Scope>, Problem> {
    Ok(Json(shown(&scopes::find(&room, &caller, &id).await?)))
}

pub(crate) async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<Scope>,
) -> Result<Json<Scope>, Problem> {
    Ok(Json(shown(&scopes::update(&room, &caller, &id, &sent).await?)))
}

pub(crate) async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<StatusCode, Problem> {
    scopes::delete(&room, &caller, &id).await?;
    Ok(StatusCode::OK)
}

/// Whether a scope of that name exists; here, unlike in GET, the path holds the name in base64.
pub(crate) async fn exists(State(room): State<Room>, caller: Caller, Named(name): Named<String>) -> Result<StatusCode, Problem> {
    let named = decoded(&name).ok_or_else(|| Problem::not_found("Scope", &name))?;
    if scopes::exists(&room, &caller, &named).await? { Ok(StatusCode::OK) } else { Err(Problem::not_found("Scope", named)) }
}

/// Schema `SharedScopeUsage`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    id: String,
    name: String,
    used_api_list: Vec<UsedApi>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsedApi {
    name: String,
    context: String,
    version: String,
    provider: String,
    used_resource_list: Vec<UsedResource>,
}

#[derive(Serialize)]
struct UsedResource {
    target: String,
    verb: String,
}

pub(crate) async fn usage(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<Usage>, Problem> {
    let shared = scopes::find(&room, &caller, &id).await?;
    let used = |api: &model::Api| UsedApi {
        name: api.name.clone(),
        context: shown_context(api),
        version: api.version.clone(),
        provider: api.provider.clone(),
        used_resource_list: api
            .operations
            .iter()
            .filter(|operation| operation.scopes.contains(&shared.scope.name))
            .map(|operation| UsedResource { target: operation.target.clone(), verb: operation.verb.clone() })
            .collect(),
    };
    let used_api_list = shared.used_by.iter().map(used).collect();
    Ok(Json(Usage { id: shared.id.clone(), name: shared.scope.name.clone(), used_api_list }))
}
