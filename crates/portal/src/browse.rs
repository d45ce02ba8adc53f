//! Finding APIs and looking at one.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use db::Tx;
use db::apis::{ApiQuery, Field};
use http::Method;
use model::{Api, ApiId, DefinitionFormat, LifecycleState};
use rest::{Access, Asked, Door, Named, Paging, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::show::Extras;
use crate::visitor::Visitor;
use crate::{Room, definition, plans, show, urls};

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/apis", Access::Anybody, list)
        .on(Method::GET, "/apis/{apiId}", Access::Anybody, get)
        .on(Method::GET, "/apis/{apiId}/swagger", Access::Anybody, swagger)
        .on(Method::GET, "/apis/{apiId}/graphql-schema", Access::Anybody, graphql_schema)
        .on(Method::GET, "/apis/{apiId}/subscription-policies", Access::Anybody, subscription_policies)
        .on(Method::GET, "/search", Access::Anybody, find)
        .on(Method::GET, "/tags", Access::Anybody, tags)
        .on(Method::GET, "/api-categories", Access::Anybody, categories)
        .on(Method::GET, "/tenants", Access::Anybody, tenants)
}

#[derive(Debug, Deserialize)]
struct Filter {
    #[serde(default)]
    query: String,
}

async fn list(State(room): State<Room>, visitor: Visitor, Asked(asked): Asked<Filter>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let (found, total) = matching(&room, &visitor, &asked.query, &Field::Name, paging).await?;
    let extras = extras(&room, &found).await?;
    let items: Vec<Value> = found.iter().map(|api| show::api_info(api, &visitor, &extras)).collect();
    Ok(Json(rest::list(&items, total, paging, "/apis", &[("query", &asked.query)])))
}

async fn find(State(room): State<Room>, visitor: Visitor, Asked(asked): Asked<Filter>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let (found, total) = matching(&room, &visitor, &asked.query, &Field::Any, paging).await?;
    let extras = extras(&room, &found).await?;
    let items: Vec<Value> = found.iter().map(|api| show::search_result(api, &extras)).collect();
    Ok(Json(rest::list(&items, total, paging, "/search", &[("query", &asked.query)])))
}

async fn extras(room: &Room, found: &[Api]) -> Result<Extras, Refusal> {
    let ids: Vec<ApiId> = found.iter().map(|api| api.id).collect();
    Ok(Extras::of(&mut room.db.read().await?, &ids).await?)
}

async fn matching(room: &Room, visitor: &Visitor, query: &str, bare: &Field, paging: Paging) -> Result<(Vec<Api>, u64), Refusal> {
    let search::Search::Apis(terms) = search::parse(query, bare)? else { return Ok((Vec::new(), 0)) };
    let query = ApiQuery { terms, limit: paging.limit, offset: paging.offset, ..offered(room, visitor) };
    let page = db::apis::list(&mut room.db.read().await?, &query).await?;
    Ok((page.items, page.total))
}

/// What this visitor finds in the portal.
fn offered(room: &Room, visitor: &Visitor) -> ApiQuery {
    let mut states = vec![LifecycleState::Published, LifecycleState::Prototyped];
    if room.config.list_deprecated {
        states.push(LifecycleState::Deprecated);
    }
    ApiQuery { tenant: Some(visitor.portal.id), states: Some(states), visible_to: Some(visitor.viewer()), ..ApiQuery::default() }
}

async fn get(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let endpoints = urls::of_api(&mut tx, &api).await?;
    let text = db::apis::definition(&mut tx, api.id).await?;
    let text = definition::for_developers(&api, text.as_ref(), endpoints.first().map(|environment| &environment.urls));
    let tiers = tiers(&mut tx, &api).await?;
    let extras = Extras::of(&mut tx, &[api.id]).await?;
    let environments: Vec<&str> = endpoints.iter().map(|environment| environment.environment.as_str()).collect();
    let operations: Vec<Value> = api.operations.iter().map(|o| json!({ "id": "", "target": o.target, "verb": o.verb })).collect();
    let properties: Vec<Value> = api
        .properties
        .iter()
        .filter(|property| property.display)
        .map(|property| json!({ "name": property.name, "value": property.value, "display": true }))
        .collect();
    Ok(Json(json!({
        "id": api.id.to_string(),
        "name": api.name,
        "description": api.description,
        "context": api.context,
        "version": api.version,
        "provider": api.provider,
        "apiDefinition": text,
        "wsdlUri": api.wsdl_url,
        "lifeCycleStatus": api.state.name(),
        "isDefaultVersion": api.is_default_version,
        "type": api.kind.name(),
        "transport": api.transports,
        "operations": operations,
        "authorizationHeader": api.authorization_header.as_deref().unwrap_or("Authorization"),
        "securityScheme": api.security_scheme,
        "tags": api.tags,
        "tiers": tiers,
        "hasThumbnail": extras.has_thumbnail(api.id),
        "additionalProperties": properties,
        "monetization": { "enabled": show::is_monetized(&api) },
        "endpointURLs": endpoints,
        "businessInformation": show::business(&api.business),
        "environmentList": environments,
        "scopes": api.scopes.iter().map(show::scope).collect::<Vec<_>>(),
        "avgRating": extras.average(api.id),
        "advertiseInfo": show::advertise(&api.advertise),
        "isSubscriptionAvailable": show::is_subscription_available(&api, &visitor),
        "categories": api.categories,
        "keyManagers": api.key_managers,
        "createdTime": show::time(api.created_at),
        "lastUpdatedTime": show::time(api.updated_at),
    })))
}

/// The API's plans that there are. One that an old installation named and nobody made is left out: nobody could subscribe to it.
async fn tiers(tx: &mut Tx, api: &Api) -> Result<Vec<Value>, Refusal> {
    let known = db::policies::subscription::list(tx, api.tenant).await?;
    let offered = api.plans.iter().filter_map(|plan| known.iter().find(|policy| policy.name == *plan));
    Ok(offered
        .map(|policy| json!({ "tierName": policy.name, "tierPlan": policy.billing.name(), "monetizationAttributes": plans::price(policy) }))
        .collect())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    environment_name: Option<String>,
}

async fn swagger(
    State(room): State<Room>,
    visitor: Visitor,
    Named(id): Named<String>,
    Asked(asked): Asked<Environment>,
) -> Result<Response, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let endpoints = urls::of_api(&mut tx, &api).await?;
    let wanted = match &asked.environment_name {
        Some(name) if !name.is_empty() => {
            let found = endpoints.iter().find(|environment| environment.environment == *name);
            Some(found.ok_or_else(|| Refusal::not_found("Gateway environment", name))?)
        }
        _ => endpoints.first(),
    };
    let text = db::apis::definition(&mut tx, api.id).await?.filter(|definition| definition.format != DefinitionFormat::GraphQl);
    let text = definition::for_developers(&api, text.as_ref(), wanted.map(|environment| &environment.urls));
    Ok(rest::ok_text("application/json", text))
}

async fn graphql_schema(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>) -> Result<Response, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let schema = db::apis::definition(&mut tx, api.id).await?.filter(|definition| definition.format == DefinitionFormat::GraphQl);
    schema.map(|schema| rest::ok_text("text/plain", schema.text)).ok_or_else(|| Refusal::not_found("GraphQL schema", id))
}

/// The plans of one API that the visitor may choose, as a bare array: so 4.0.0 answers, whatever its document says.
async fn subscription_policies(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let known = db::policies::subscription::list(&mut tx, api.tenant).await?;
    let offered = known.iter().filter(|policy| api.plans.contains(&policy.name) && plans::admits(policy, visitor.roles()));
    Ok(Json(Value::Array(offered.map(plans::show_subscription).collect())))
}

/// Tags of what the visitor finds in the portal: a tag that only hidden APIs have would tell of them.
async fn tags(State(room): State<Room>, visitor: Visitor, paging: Paging) -> Result<Json<Value>, Refusal> {
    let found = db::apis::tags(&mut room.db.read().await?, &offered(&room, &visitor)).await?;
    let total = found.len() as u64;
    let items: Vec<Value> = page(found.into_iter(), paging).map(|(value, count)| json!({ "value": value, "count": count })).collect();
    Ok(Json(rest::list(&items, total, paging, "/tags", &[])))
}

/// There is no place to keep categories yet, so a tenant has none.
async fn categories(_: Visitor) -> Json<Value> {
    Json(json!({ "count": 0, "list": [] }))
}

#[derive(Debug, Deserialize)]
struct TenantState {
    state: Option<String>,
}

async fn tenants(State(room): State<Room>, Asked(asked): Asked<TenantState>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let active = asked.state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("active"));
    let found = db::tenants::list(&mut room.db.read().await?).await?;
    let wanted: Vec<_> = found.into_iter().filter(|tenant| tenant.active == active).collect();
    let total = wanted.len() as u64;
    let status = if active { "ACTIVE" } else { "INACTIVE" };
    let items: Vec<Value> = page(wanted.into_iter(), paging).map(|tenant| json!({ "domain": tenant.domain, "status": status })).collect();
    Ok(Json(rest::list(&items, total, paging, "/tenants", &[])))
}

/// One page of a list that is short enough to be read whole.
pub(crate) fn page<T>(all: impl Iterator<Item = T>, paging: Paging) -> impl Iterator<Item = T> {
    let skip = usize::try_from(paging.offset).unwrap_or(usize::MAX);
    let take = usize::try_from(paging.limit).unwrap_or(usize::MAX);
    all.skip(skip).take(take)
}
