//! Key managers a developer may get keys from. There is one: the key desk of this server.

use axum::Json;
use axum::extract::State;
use http::Method;
use model::{SUPER_TENANT_DOMAIN, TenantId};
use rest::{Door, Refusal};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::visitor::Visitor;
use crate::{Room, SUBSCRIBE, entry};

/// Name of the server's own key desk, as key mappings store it.
pub(crate) const RESIDENT: &str = "Resident Key Manager";

/// Grants that the key desk gives.
pub(crate) const GRANTS: [&str; 3] = ["client_credentials", "password", "refresh_token"];

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/key-managers", SUBSCRIBE, list)
}

async fn list(State(room): State<Room>, visitor: Visitor) -> Json<Value> {
    let public = &room.desk.settings().public_url;
    let tenant = if visitor.portal.domain == SUPER_TENANT_DOMAIN { String::new() } else { format!("/t/{}", visitor.portal.domain) };
    let endpoint = |name: &str| format!("{public}{tenant}/oauth2/{name}");
    let resident = json!({
        "id": id(visitor.portal.id),
        "name": RESIDENT,
        "type": "default",
        "displayName": RESIDENT,
        "description": "The key manager of this server",
        "enabled": true,
        "availableGrantTypes": GRANTS,
        "tokenEndpoint": endpoint("token"),
        "revokeEndpoint": endpoint("revoke"),
        "userInfoEndpoint": endpoint("userinfo"),
        "enableTokenGeneration": true,
        "enableTokenEncryption": false,
        "enableTokenHashing": false,
        "enableOAuthAppCreation": true,
        "enableMapOAuthConsumerApps": room.config.map_existing_clients,
        "applicationConfiguration": [
            lifetime("application_access_token_expiry_time", "Application Access Token Expiry Time", room.desk.settings().application_token_secs),
            lifetime("user_access_token_expiry_time", "User Access Token Expiry Time", room.desk.settings().user_token_secs),
            lifetime("refresh_token_expiry_time", "Refresh Token Expiry Time", room.desk.settings().refresh_token_secs),
            lifetime("id_token_expiry_time", "Id Token Expiry Time", room.desk.settings().id_token_secs),
        ],
        "additionalProperties": {},
    });
    Json(json!({ "count": 1, "list": [resident] }))
}

fn lifetime(name: &str, label: &str, default_secs: i64) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "input",
        "required": false,
        "mask": false,
        "multiple": false,
        "tooltip": format!("Seconds; N/A leaves it to the server, whose own setting is {default_secs}"),
        "default": "N/A",
        "values": [],
    })
}

/// The resident key manager's id in a tenant: the same at every start, and another in every tenant.
fn id(tenant: TenantId) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("tidegate:key-manager:{tenant}:{RESIDENT}").as_bytes()).to_string()
}

/// Reads a key manager's name or id; nothing means the resident one.
///
/// # Errors
/// 400, 901403 when there is no such key manager.
pub(crate) fn named(tenant: TenantId, asked: Option<&str>) -> Result<&'static str, Refusal> {
    match asked.map(str::trim) {
        None | Some("" | RESIDENT) => Ok(RESIDENT),
        Some(text) if text == id(tenant) => Ok(RESIDENT),
        Some(text) => Err(entry::KEY_MANAGER_UNKNOWN.with(format!("There is no key manager '{text}'."))),
    }
}
