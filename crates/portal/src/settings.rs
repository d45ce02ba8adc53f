//! What the portal asks first, signed in or not.

use axum::Json;
use axum::extract::State;
use http::Method;
use model::{Environment, Vhost};
use rest::{Access, Door, MaybeCaller, Refusal};
use serde_json::{Value, json};

use crate::{Room, SUBSCRIBE, key_managers};

/// Scopes of this interface's operations.
const SCOPES: [&str; 9] = [
    "openid",
    "apim:subscribe",
    "apim:app_manage",
    "apim:sub_manage",
    "apim:api_key",
    "apim:store_settings",
    "apim:app_import_export",
    "apim:admin",
    "apim:sub_alert_manage",
];

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/settings", Access::Anybody, get).on(
        Method::GET,
        "/settings/application-attributes",
        SUBSCRIBE,
        application_attributes,
    )
}

async fn get(State(room): State<Room>, MaybeCaller(caller): MaybeCaller) -> Result<Json<Value>, Refusal> {
    let environments = db::environments::list(&mut room.db.read().await?).await?;
    let grants: &[&str] = if caller.is_some() { &key_managers::GRANTS } else { &[] };
    Ok(Json(json!({
        "grantTypes": grants,
        "scopes": SCOPES,
        "applicationSharingEnabled": false,
        "mapExistingAuthApps": room.config.map_existing_clients,
        "apiGatewayEndpoint": gateway(&environments),
        "monetizationEnabled": false,
        "recommendationEnabled": false,
        "IsUnlimitedTierPaid": false,
        "identityProvider": { "external": false },
        "IsAnonymousModeEnabled": room.config.anonymous,
        "IsPasswordChangeEnabled": true,
        "userStorePasswordPattern": null,
        "passwordPolicyPattern": null,
        "passwordPolicyMinLength": -1,
        "passwordPolicyMaxLength": -1,
    })))
}

/// `https://…,http://…` of the first environment, which is the one from the configuration where there is such a one.
fn gateway(environments: &[Environment]) -> String {
    let first = environments.iter().find(|environment| environment.read_only).or_else(|| environments.first());
    let addresses = |vhost: &Vhost| format!("https://{0}:{1},http://{0}:{2}", vhost.host, vhost.https_port, vhost.http_port);
    first.and_then(|environment| environment.vhosts.first()).map(addresses).unwrap_or_default()
}

/// Attributes that a tenant's configuration asks of every application; there is no such configuration yet, so none are asked.
async fn application_attributes() -> Json<Value> {
    Json(json!({ "count": 0, "list": [] }))
}
