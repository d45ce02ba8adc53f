//! Custom rules, as an old installation had them: listed and read, and taken away. They are not enforced, so none can be made.

use axum::Json;
use axum::extract::State;
use model::CustomRule as Rule;
use rest::{Caller, Named, Refusal};
use serde_json::{Value, json};

use crate::{Room, policies};

pub(super) async fn list(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    let found = db::policies::custom::list(&mut room.db.read().await?, caller.tenant).await?;
    let list: Vec<Value> = found.iter().map(show).collect();
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

pub(super) async fn get(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let rule = find(&mut room.db.read().await?, &caller, &id).await?;
    Ok(Json(show(&rule)))
}

pub(super) async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let rule = find(&mut tx, &caller, &id).await?;
    db::policies::custom::delete(&mut tx, rule.id).await?;
    Ok(tx.commit().await?)
}

async fn find(tx: &mut db::Tx, caller: &Caller, id: &str) -> Result<Rule, Refusal> {
    let found = match policies::id(id) {
        Some(id) => db::policies::custom::find(tx, caller.tenant, id).await?,
        None => None,
    };
    found.ok_or_else(|| policies::unknown(id))
}

/// `CustomRule`. `isDeployed` tells the truth: nothing is limited by it.
fn show(rule: &Rule) -> Value {
    json!({
        "policyId": rule.id.to_string(),
        "policyName": rule.name,
        "displayName": rule.name,
        "description": rule.description,
        "isDeployed": false,
        "type": "CustomRule",
        "siddhiQuery": rule.query,
        "keyTemplate": rule.key_template,
    })
}
