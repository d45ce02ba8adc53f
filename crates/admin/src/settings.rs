//! `GET /settings`: what the admin portal asks first, signed in or not.

use axum::Json;
use axum::extract::State;
use http::Method;
use rest::{Access, Door, MaybeCaller};
use serde_json::{Value, json};

use crate::Room;
use crate::scopes::ADMIN_SCOPES;

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/settings", Access::Anybody, get)
}

/// Strangers learn which scopes to ask a token for and no more.
async fn get(State(_): State<Room>, MaybeCaller(caller): MaybeCaller) -> Json<Value> {
    if caller.is_none() {
        return Json(json!({ "scopes": ADMIN_SCOPES }));
    }
    // Connectors to other key managers; the resident one is not listed among them, and there are no others.
    let connectors: [Value; 0] = [];
    Json(json!({ "scopes": ADMIN_SCOPES, "keyManagerConfiguration": connectors, "analyticsEnabled": false }))
}
