//! Operations on an API's life.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use rest::{Asked, Caller, Named, Problem};
use serde::Deserialize;

use crate::Room;
use crate::lifecycle::{self, Checklist};
use crate::wire::{LifecycleHistory, LifecycleState, WorkflowResponse};

pub(crate) async fn state(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<LifecycleState>, Problem> {
    Ok(Json(LifecycleState::from(&lifecycle::standing(&room, &caller, &id).await?)))
}

pub(crate) async fn history(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<LifecycleHistory>, Problem> {
    Ok(Json(LifecycleHistory::from(lifecycle::history(&room, &caller, &id).await?)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    api_id: String,
    action: String,
    lifecycle_checklist: Option<String>,
}

pub(crate) async fn change(
    State(room): State<Room>,
    caller: Caller,
    Asked(asked): Asked<Change>,
    headers: HeaderMap,
) -> Result<Json<WorkflowResponse>, Problem> {
    let checklist = asked.lifecycle_checklist.as_deref().map(Checklist::parse).unwrap_or_default();
    let standing = lifecycle::change(&room, &caller, &asked.api_id, &asked.action, checklist, &headers).await?;
    Ok(Json(WorkflowResponse { workflow_status: "APPROVED", json_payload: None, lifecycle_state: LifecycleState::from(&standing) }))
}
