//! Settings, roles and throttling policies.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use rest::{Caller, MaybeCaller, Named, Paging, Problem};
use serde::Serialize;
use serde_json::Value;

use super::revisions::decoded;
use crate::Room;
use crate::policies::{self, Level};
use crate::wire::{Settings, StreamingPolicy, ThrottlingPolicy};

pub(crate) async fn settings(State(room): State<Room>, MaybeCaller(caller): MaybeCaller) -> Result<Json<Settings>, Problem> {
    Ok(Json(crate::settings::show(&room, caller.as_ref()).await?))
}

pub(crate) async fn role(State(room): State<Room>, caller: Caller, Named(role): Named<String>) -> Result<StatusCode, Problem> {
    let named = decoded(&role).ok_or_else(|| Problem::not_found("Role", &role))?;
    if crate::settings::has_role(&room, &caller, &named).await? { Ok(StatusCode::OK) } else { Err(Problem::not_found("Role", named)) }
}

/// Whether the caller holds the role.
pub(crate) async fn own_role(caller: Caller, Named(role): Named<String>) -> Result<StatusCode, Problem> {
    let named = decoded(&role).ok_or_else(|| Problem::not_found("Role", &role))?;
    if caller.has_role(&named) { Ok(StatusCode::OK) } else { Err(Problem::not_found("Role", named)) }
}

pub(crate) async fn policies(
    State(room): State<Room>,
    caller: Caller,
    Named(level): Named<String>,
    paging: Paging,
) -> Result<Json<Value>, Problem> {
    let all = policies::list(&room, &caller, Level::parse(&level)?).await?;
    Ok(Json(page(&all, paging, &format!("/throttling-policies/{level}"))))
}

pub(crate) async fn streaming_policies(State(room): State<Room>, caller: Caller, paging: Paging) -> Result<Json<Value>, Problem> {
    let all: Vec<StreamingPolicy> =
        policies::streaming(&room, &caller).await?.iter().map(|plan| StreamingPolicy::show(plan, &caller.tenant_domain)).collect();
    Ok(Json(page(&all, paging, "/throttling-policies/streaming/subscription")))
}

pub(crate) fn page<T: Serialize>(all: &[T], paging: Paging, path: &str) -> Value {
    let from = usize::try_from(paging.offset).unwrap_or(usize::MAX).min(all.len());
    let to = from.saturating_add(usize::try_from(paging.limit).unwrap_or(usize::MAX)).min(all.len());
    rest::list(all.get(from..to).unwrap_or_default(), all.len() as u64, paging, path, &[])
}

pub(crate) async fn policy(
    State(room): State<Room>,
    caller: Caller,
    Named((level, name)): Named<(String, String)>,
) -> Result<Json<ThrottlingPolicy>, Problem> {
    Ok(Json(policies::find(&room, &caller, Level::parse(&level)?, &name).await?))
}
