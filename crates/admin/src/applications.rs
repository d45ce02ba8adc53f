//! Applications as an administrator sees them: all of the tenant, to be given to another owner or removed.

use axum::Json;
use axum::extract::State;
use db::applications::{ApplicationQuery, ApplicationSort};
use http::Method;
use model::{Application, ApplicationId, KeyMappingMode};
use rest::{Access, Asked, Caller, Door, Named, Paging, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::people::name_in;
use crate::{Room, entry};

const LIST: Access = Access::Scopes(&["apim:admin", "apim:app_import_export", "apim:app_owner_change"]);
const DELETE: Access = Access::Scopes(&["apim:admin", "apim:app_import_export"]);
const CHANGE_OWNER: Access = Access::Scopes(&["apim:admin", "apim:app_owner_change"]);

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/applications", LIST, list).on(Method::DELETE, "/applications/{applicationId}", DELETE, delete).on(
        Method::POST,
        "/applications/{applicationId}/change-owner",
        CHANGE_OWNER,
        change_owner,
    )
}

/// `ApplicationInfo` of the document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApplicationInfo {
    application_id: String,
    name: String,
    owner: String,
    status: &'static str,
    group_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    user: Option<String>,
    name: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
}

async fn list(State(room): State<Room>, caller: Caller, Asked(asked): Asked<Filter>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let user = asked.user.filter(|user| !user.trim().is_empty());
    let owner = match &user {
        Some(user) => Some(name_in(&room, &caller, user).await.map_err(|_| other_tenant(user))?.to_string()),
        None => None,
    };
    let name = asked.name.filter(|name| !name.is_empty());
    let query = ApplicationQuery {
        owner,
        name_like: name.clone(),
        sort_by: if asked.sort_by.as_deref() == Some("owner") { ApplicationSort::Owner } else { ApplicationSort::Name },
        descending: asked.sort_order.as_deref() == Some("desc"),
        limit: paging.limit,
        offset: paging.offset,
        ..ApplicationQuery::of(caller.tenant)
    };
    let found = db::applications::list(&mut room.db.read().await?, &query).await?;
    let items: Vec<ApplicationInfo> = found.items.iter().map(show).collect();
    let tail: Vec<(&str, &str)> = [("user", &user), ("name", &name)].into_iter().filter_map(|(k, v)| Some((k, v.as_deref()?))).collect();
    Ok(Json(rest::list(&items, found.total, paging, "/applications", &tail)))
}

fn show(application: &Application) -> ApplicationInfo {
    ApplicationInfo {
        application_id: application.id.to_string(),
        name: application.name.clone(),
        owner: application.owner.clone(),
        status: application.status.name(),
        group_id: application.groups.join(","),
    }
}

/// Removes an application with its subscriptions and keys. OAuth clients made for it go too; one that was brought along stays its
/// owner's.
async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let application = find(&mut tx, &caller, &id).await?;
    for mapping in db::key_mappings::list(&mut tx, application.id).await? {
        if let (Some(client), KeyMappingMode::Created) = (&mapping.consumer_key, mapping.mode) {
            db::clients::delete(&mut tx, client, room.now()).await?;
        }
    }
    db::applications::delete(&mut tx, application.id).await?;
    Ok(tx.commit().await?)
}

#[derive(Debug, Deserialize)]
struct NewOwner {
    owner: Option<String>,
}

/// Gives an application and its OAuth clients to another user of the tenant. Client names keep the first owner's: they are shown and
/// looked up by whoever stored them.
async fn change_owner(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(asked): Asked<NewOwner>,
) -> Result<(), Refusal> {
    let owner = asked.owner.filter(|owner| !owner.trim().is_empty());
    let owner = owner.ok_or_else(|| entry::PARAMETER_MISSING.with("The query parameter 'owner' is missing."))?;
    let name = name_in(&room, &caller, &owner).await?;
    let mut tx = room.db.write().await?;
    if let Ok(id) = id.parse::<ApplicationId>() {
        db::applications::lock(&mut tx, id).await?;
    }
    let mut application = find(&mut tx, &caller, &id).await?;
    if db::users::find(&mut tx, caller.tenant, &name.store, &name.name).await?.is_none() {
        return Err(Refusal::Bad(format!("There is no user '{name}' who could own the application.")));
    }
    let owner = name.to_string();
    if application.owner == owner {
        return Ok(());
    }
    let same_name =
        || entry::APPLICATION_EXISTS.with(format!("The user '{owner}' already has an application named '{}'.", application.name));
    if db::applications::find_by_owner_and_name(&mut tx, caller.tenant, &owner, &application.name).await?.is_some() {
        return Err(same_name());
    }
    for mapping in db::key_mappings::list(&mut tx, application.id).await? {
        let Some(client) = &mapping.consumer_key else { continue };
        db::clients::lock(&mut tx, client).await?;
        if let Some(mut client) = db::clients::find(&mut tx, client).await? {
            client.owner.clone_from(&owner);
            db::clients::update(&mut tx, &client).await?;
        }
    }
    application.owner.clone_from(&owner);
    application.updated_at = room.now();
    db::applications::update(&mut tx, &application).await?;
    Ok(tx.commit().await?)
}

async fn find(tx: &mut db::Tx, caller: &Caller, id: &str) -> Result<Application, Refusal> {
    let found = match id.parse::<ApplicationId>() {
        Ok(id) => db::applications::find(tx, id).await?,
        Err(_) => None,
    };
    found
        .filter(|application| application.tenant == caller.tenant)
        .ok_or_else(|| Refusal::NotFound { what: "Application", id: id.to_owned() })
}

fn other_tenant(user: &str) -> Refusal {
    Refusal::Forbidden(format!("The user '{user}' belongs to another tenant."))
}
