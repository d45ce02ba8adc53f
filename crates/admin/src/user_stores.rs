//! The tenant's user stores that other servers keep: seen, not changed; an upgrade made them. No secret is shown.

use axum::Json;
use axum::extract::State;
use http::Method;
use model::UserStore;
use rest::{Access, Caller, Door, Refusal};
use serde_json::{Map, Value, json};

use crate::Room;

const VIEW: Access = Access::Scopes(&["apim:admin"]);

/// Words in a property's name or value that tell of a secret, wherever a definition hid it.
const SECRET_WORDS: [&str; 4] = ["password", "passwd", "secret", "credential"];

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/user-stores", VIEW, list)
}

async fn list(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    let found = db::user_stores::list(&mut room.db.read().await?, caller.tenant).await?;
    let list: Vec<Value> = found.iter().map(show).collect();
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

fn show(store: &UserStore) -> Value {
    let properties: Map<String, Value> = store
        .properties
        .iter()
        .filter(|(name, value)| !tells_secret(name, value))
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let hidden = store.properties.iter().filter(|(name, value)| tells_secret(name, value)).map(|(name, _)| name);
    let secret: Vec<&String> = store.secrets.iter().map(|(name, _)| name).chain(hidden).collect();
    json!({
        "domainName": store.domain,
        "type": store.kind.name(),
        "primary": store.is_primary(),
        "disabled": store.disabled,
        "position": store.position,
        "adminRole": store.admin_role,
        "attributes": store.attributes,
        "properties": properties,
        "secretProperties": secret,
    })
}

/// A password may stand in an address too: `jdbc:mysql://…?password=…`, `ldap://user:word@host`.
fn tells_secret(name: &str, value: &str) -> bool {
    let (name, value) = (name.to_lowercase(), value.to_lowercase());
    let named = SECRET_WORDS.iter().any(|word| name.contains(word)) && !["true", "false"].contains(&value.trim());
    let written = SECRET_WORDS.iter().any(|word| value.contains(&format!("{word}=")));
    let in_authority = value.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    named || written || in_authority
}
