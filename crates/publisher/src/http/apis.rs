//! Operations on APIs themselves.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use db::apis::Field;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rest::{Asked, Body, Caller, Named, Paging, Problem, Refusal};
use serde::Deserialize;
use serde_json::Value;

use super::location;
use crate::Room;
use crate::apis::{self, Origin, Taken};
use crate::definitions::OpenApi;
use crate::wire::{self, ApiInfo, SearchHit, Shown};

#[derive(Deserialize)]
pub(crate) struct Create {
    #[serde(rename = "openAPIVersion")]
    open_api_version: Option<String>,
}

pub(crate) async fn create(
    State(room): State<Room>,
    caller: Caller,
    Asked(asked): Asked<Create>,
    Body(sent): Body<wire::Api>,
) -> Result<Response, Problem> {
    let version = OpenApi::parse(asked.open_api_version.as_deref())?;
    let api = apis::create(&room, &caller, &sent, Origin::Generated(version)).await?;
    made(&api)
}

/// 201 with the new API.
pub(crate) fn made(api: &model::Api) -> Result<Response, Problem> {
    let shown = wire::Api::show(api, Shown::WorkingCopy);
    let tag = apis::tag(&shown)?;
    let mut response = rest::created(&location(&format!("apis/{}", api.id)), &shown);
    tagged(&mut response, &tag);
    Ok(response)
}

pub(crate) fn tagged(response: &mut Response, tag: &str) {
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

#[derive(Deserialize)]
pub(crate) struct List {
    query: Option<String>,
    expand: Option<bool>,
}

pub(crate) async fn list(
    State(room): State<Room>,
    caller: Caller,
    Asked(asked): Asked<List>,
    paging: Paging,
) -> Result<Json<Value>, Problem> {
    let query = asked.query.unwrap_or_default();
    let page = found(&room, &caller, &query, &Field::Name, paging).await?;
    let link = [("query", query.as_str())];
    Ok(Json(if asked.expand.unwrap_or(false) {
        let items: Vec<wire::Api> = page.items.iter().map(|api| wire::Api::show(api, Shown::WorkingCopy)).collect();
        rest::list(&items, page.total, paging, "/apis", &link)
    } else {
        let ids: Vec<model::ApiId> = page.items.iter().map(|api| api.id).collect();
        let pictures = db::files::with_thumbnail(&mut room.db.read().await.map_err(Refusal::from)?, &ids).await.map_err(Refusal::from)?;
        let shown = |api: &model::Api| ApiInfo { has_thumbnail: pictures.contains(&api.id), ..ApiInfo::from(api) };
        let items: Vec<ApiInfo> = page.items.iter().map(shown).collect();
        rest::list(&items, page.total, paging, "/apis", &link)
    }))
}

pub(crate) async fn search(
    State(room): State<Room>,
    caller: Caller,
    Asked(asked): Asked<List>,
    paging: Paging,
) -> Result<Json<Value>, Problem> {
    let query = asked.query.unwrap_or_default();
    let page = found(&room, &caller, &query, &Field::Any, paging).await?;
    let hits: Vec<SearchHit> = page.items.iter().map(SearchHit::from).collect();
    Ok(Json(rest::list(&hits, page.total, paging, "/search", &[("query", query.as_str())])))
}

async fn found(room: &Room, caller: &Caller, query: &str, bare: &Field, paging: Paging) -> Result<db::Page<model::Api>, Refusal> {
    match search::parse(query, bare)? {
        search::Search::Apis(terms) => apis::list(room, caller, terms, paging).await,
        search::Search::Nothing => Ok(db::Page { items: Vec::new(), total: 0 }),
    }
}

pub(crate) async fn show(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = apis::show(&room, &caller, &id).await?;
    let tag = apis::tag(&shown)?;
    let mut response = if is_fresh(&headers, &tag) { StatusCode::NOT_MODIFIED.into_response() } else { Json(&shown).into_response() };
    tagged(&mut response, &tag);
    Ok(response)
}

/// Whether `If-None-Match` says that the client holds this state already.
fn is_fresh(headers: &HeaderMap, tag: &str) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).map(str::trim).any(|one| one == tag || one.strip_prefix("W/") == Some(tag))
}

pub(crate) async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    headers: HeaderMap,
    Body(sent): Body<wire::Api>,
) -> Result<Response, Problem> {
    let api = apis::update(&room, &caller, &id, &sent, &headers).await?;
    shown(&api, StatusCode::OK)
}

/// The API with its new tag.
pub(crate) fn shown(api: &model::Api, status: StatusCode) -> Result<Response, Problem> {
    let shown = wire::Api::show(api, Shown::WorkingCopy);
    let tag = apis::tag(&shown)?;
    let mut response = (status, Json(&shown)).into_response();
    tagged(&mut response, &tag);
    Ok(response)
}

pub(crate) async fn delete(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    apis::delete(&room, &caller, &id, &headers).await?;
    Ok(StatusCode::OK)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Copy {
    api_id: String,
    new_version: String,
    default_version: Option<bool>,
}

pub(crate) async fn copy(State(room): State<Room>, caller: Caller, Asked(asked): Asked<Copy>) -> Result<Response, Problem> {
    let as_default = asked.default_version.unwrap_or(false);
    let api = apis::copy(&room, &caller, &asked.api_id, asked.new_version.trim(), as_default).await?;
    made(&api)
}

#[derive(Deserialize)]
pub(crate) struct Validate {
    query: String,
}

/// 200 when the name or context is taken, 404 when it is free.
pub(crate) async fn validate(State(room): State<Room>, caller: Caller, Asked(asked): Asked<Validate>) -> Result<StatusCode, Problem> {
    let (key, value) = asked.query.split_once(':').unwrap_or(("name", asked.query.as_str()));
    let value = value.trim().trim_matches('"').to_owned();
    if value.is_empty() {
        return Err(Problem::bad_request("The query names nothing to look for."));
    }
    let what = match key.trim().to_ascii_lowercase().as_str() {
        "name" => Taken::Name(value),
        "context" => Taken::Context(value),
        _ => return Err(Problem::bad_request("The query must begin with 'name:' or 'context:'.")),
    };
    if apis::exists(&room, &caller, &what).await? { Ok(StatusCode::OK) } else { Err(Problem::not_found("API", asked.query)) }
}
