//! Which roles hold which scope of the REST interfaces.
//!
//! The role `admin` holds every scope, whatever the mapping says, so no mapping can lock everybody out of changing it back.

use axum::Json;
use axum::extract::State;
use http::Method;
use model::ScopeBinding;
use rest::{Access, Asked, Body, Caller, Door, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Room;
use crate::people::{decoded, name_in};

const MANAGE: Access = Access::Scopes(&["apim:admin", "apim:scope_manage"]);

/// The role that holds every scope.
const ADMIN: &str = "admin";

/// Scopes of the admin interface's operations, those included whose operations this server does not have: clients ask for all.
pub(crate) const ADMIN_SCOPES: [&str; 23] = [
    "apim:admin",
    "apim:tier_view",
    "apim:tier_manage",
    "apim:bl_view",
    "apim:bl_manage",
    "apim:mediation_policy_view",
    "apim:mediation_policy_create",
    "apim:app_owner_change",
    "apim:app_import_export",
    "apim:environment_read",
    "apim:environment_manage",
    "apim:bot_data",
    "apim:monetization_usage_publish",
    "apim:api_workflow_view",
    "apim:api_workflow_approve",
    "apim:tenantInfo",
    "apim:admin_operations",
    "apim:admin_settings",
    "apim:admin_alert_manage",
    "apim:scope_manage",
    "apim:role_manage",
    "apim:tenant_theme_manage",
    "openid",
];

const DEVPORTAL_SCOPES: [&str; 5] = ["apim:subscribe", "apim:app_manage", "apim:sub_manage", "apim:api_key", "apim:store_settings"];

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/system-scopes", MANAGE, list).on(Method::PUT, "/system-scopes", MANAGE, replace).on(
        Method::GET,
        "/system-scopes/{scopeName}",
        MANAGE,
        get,
    )
}

/// `ScopeList` of the document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeList {
    #[serde(rename = "count")]
    _count: Option<i64>,
    list: Vec<ScopeBody>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeBody {
    tag: Option<String>,
    name: String,
    description: Option<String>,
    roles: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Filter {
    username: Option<String>,
}

async fn list(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    let bindings = db::rest_scopes::list(&mut room.db.read().await?, caller.tenant).await?;
    Ok(Json(show(&bindings)))
}

/// Replaces the mapping. A scope without roles is left out, as is one that is not named: only `admin` holds it then.
async fn replace(State(room): State<Room>, caller: Caller, Body(sent): Body<ScopeList>) -> Result<Json<Value>, Refusal> {
    let bindings = read(sent)?;
    let mut tx = room.db.write().await?;
    db::rest_scopes::replace(&mut tx, caller.tenant, &bindings).await?;
    tx.commit().await?;
    Ok(Json(show(&bindings)))
}

/// Whether there is such a scope and, where a user is named, whether that user holds it.
async fn get(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Value>, Refusal> {
    let scope = decoded(&id)?;
    let bindings = db::rest_scopes::list(&mut room.db.read().await?, caller.tenant).await?;
    let unknown = || Refusal::NotFound { what: "Scope", id: scope.clone() };
    let binding = bindings.iter().find(|binding| binding.scope == scope).ok_or_else(unknown)?;
    if let Some(user) = asked.username.filter(|user| !user.trim().is_empty()) {
        let roles = room.users.roles_of(&name_in(&room, &caller, &user).await?).await?;
        if !roles.iter().any(|role| holds(binding, role)) {
            return Err(unknown());
        }
    }
    Ok(Json(json!({ "name": scope })))
}

fn holds(binding: &ScopeBinding, role: &str) -> bool {
    role.eq_ignore_ascii_case(ADMIN) || binding.roles.iter().any(|bound| bound.eq_ignore_ascii_case(role))
}

fn read(sent: ScopeList) -> Result<Vec<ScopeBinding>, Refusal> {
    let mut bindings: Vec<ScopeBinding> = Vec::with_capacity(sent.list.len());
    for scope in sent.list {
        let forbidden = |c: char| c.is_whitespace() || c.is_control();
        if scope.name.is_empty() || scope.name.contains(forbidden) || bindings.iter().any(|known| known.scope == scope.name) {
            let rule = format!("'{}' is no scope's name, or is listed twice", scope.name);
            return Err(Refusal::field("list.name", rule));
        }
        let roles: Vec<String> = scope.roles.into_iter().map(|role| role.trim().to_owned()).filter(|role| !role.is_empty()).collect();
        if !roles.is_empty() {
            bindings.push(ScopeBinding { scope: scope.name, roles });
        }
    }
    Ok(bindings)
}

fn show(bindings: &[ScopeBinding]) -> Value {
    let list: Vec<ScopeBody> = bindings
        .iter()
        .map(|binding| ScopeBody {
            tag: Some(portal_of(&binding.scope).to_owned()),
            name: binding.scope.clone(),
            description: None,
            roles: binding.roles.clone(),
        })
        .collect();
    json!({ "count": list.len(), "list": list })
}

/// Whose operations ask for the scope; the publisher's where several do, which is where most belong.
fn portal_of(scope: &str) -> &'static str {
    match scope {
        _ if scope.starts_with("service_catalog:") => "service catalog",
        _ if scope.starts_with("apim_analytics:") => "analytics",
        _ if DEVPORTAL_SCOPES.contains(&scope) => "devportal",
        _ if scope.contains(":mediation_policy_") => "publisher",
        _ if ADMIN_SCOPES.contains(&scope) => "admin",
        _ => "publisher",
    }
}
