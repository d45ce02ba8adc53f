//! Making, reading, changing and removing APIs.
//!
//! Every change is decided and written in one transaction. What a client may send is read by `wire`; what an API must obey stands in
//! [`rules`].

pub(crate) mod normalise;
pub(crate) mod rules;

use std::collections::HashSet;

use db::Tx;
use db::apis::{ApiQuery, Term};
use db::files::Place;
use http::HeaderMap;
use model::{Api, ApiId, LifecycleState, Timestamp, UserName};
use rest::{Caller, Paging, Refusal};

use crate::access::{self, Intent};
use crate::wire::{self, Maker, Shown};
use crate::{Room, definitions, entry, scopes};

/// Top-level fields that a token without `apim:api_create` may change (`x-otherScopes` of the document), and the times, which change by
/// themselves.
const PUBLISHER_FIELDS: [&str; 12] = [
    "lifeCycleStatus",
    "tags",
    "policies",
    "apiThrottlingPolicy",
    "visibility",
    "visibleRoles",
    "subscriptionAvailability",
    "additionalProperties",
    "businessInformation",
    "categories",
    "createdTime",
    "lastUpdatedTime",
];

/// Where a new API's definition comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Written from the operations, in this version of OpenAPI.
    Generated(definitions::OpenApi),
    /// Brought along; the operations and scopes are read from it.
    Brought(Box<spec::Parsed>),
}

/// Makes an API.
///
/// # Errors
/// The rule it breaks, 409 for what is taken.
pub(crate) async fn create(room: &Room, caller: &Caller, sent: &wire::Api, origin: Origin) -> Result<Api, Refusal> {
    let now = room.now();
    let mut tx = room.db.write().await?;
    let provider = provider(&mut tx, caller, sent.provider.as_deref()).await?;
    let maker = Maker { id: ApiId::random(), tenant: caller.tenant, tenant_domain: &caller.tenant_domain, provider: &provider, now };
    let mut api = wire::Sent(sent).to_new(&maker)?;
    if let Origin::Brought(parsed) = &origin {
        definitions::take_over(&mut tx, &mut api, sent, parsed).await?;
    }
    if api.operations.is_empty() {
        api.operations = normalise::default_operations(api.kind);
    }
    let api = add(&mut tx, caller, api, origin, now).await?;
    tx.commit().await?;
    Ok(api)
}

/// Writes an API that is not there yet, with its definition and the first entry of its history.
pub(crate) async fn add(tx: &mut Tx, caller: &Caller, mut api: Api, origin: Origin, now: Timestamp) -> Result<Api, Refusal> {
    normalise::normalise(&mut api);
    scopes::adopt(tx, &mut api).await?;
    rules::check(tx, caller, &api, None).await?;
    rules::is_free(tx, &api).await?;
    db::apis::insert(tx, &api).await.map_err(|error| rules::clash(&api, error))?;
    let definition = match origin {
        Origin::Generated(version) => definitions::generate(&api, version),
        Origin::Brought(parsed) => Some(definitions::follow(&parsed.definition(), &api)?),
    };
    if let Some(definition) = definition {
        db::apis::set_definition(tx, api.id, &definition).await?;
    }
    db::lifecycle_events::append(tx, api.id, None, api.state, &caller.name(), now).await?;
    only_default(tx, &api, now).await?;
    Ok(api)
}

/// An API as it is shown, by its own id or by a revision's.
///
/// # Errors
/// 404, or 403 by access control.
pub(crate) async fn show(room: &Room, caller: &Caller, id: &str) -> Result<wire::Api, Refusal> {
    let mut tx = room.db.read().await?;
    match access::reach(&mut tx, caller, id, Intent::Read).await {
        Ok(api) => {
            let mut shown = wire::Api::show(&api, Shown::WorkingCopy);
            let files = db::files::list(&mut tx, api.id).await?;
            shown.has_thumbnail = Some(files.iter().any(|f| f.place == Place::Thumbnail));
            let wsdl = files.iter().find(|f| f.place == Place::Wsdl);
            shown.wsdl_info = wsdl.map(|f| serde_json::json!({ "type": if f.media_type.contains("zip") { "ZIP" } else { "WSDL" } }));
            Ok(shown)
        }
        Err(Refusal::NotFound { .. }) => {
            let revision = access::reach_revision(&mut tx, caller, id).await?;
            Ok(wire::Api::show(&revision.content, Shown::Revision(revision.id, revision.number)))
        }
        Err(other) => Err(other),
    }
}

/// One page of the APIs that match and the caller may see, and how many there are.
///
/// # Errors
/// Only the database's.
pub(crate) async fn list(room: &Room, caller: &Caller, terms: Vec<Term>, paging: Paging) -> Result<db::Page<Api>, Refusal> {
    let mut tx = room.db.read().await?;
    let query = ApiQuery {
        tenant: Some(caller.tenant),
        terms,
        access_roles: access::listing_roles(caller),
        limit: paging.limit,
        offset: paging.offset,
        ..ApiQuery::default()
    };
    Ok(db::apis::list(&mut tx, &query).await?)
}

/// Changes an API: what the body leaves out falls back to its default, what may never change stays.
///
/// # Errors
/// 412 when `If-Match` names an older state, 403 for what this caller may not change, or the rule it breaks.
pub(crate) async fn update(room: &Room, caller: &Caller, id: &str, sent: &wire::Api, headers: &HeaderMap) -> Result<Api, Refusal> {
    let now = room.now();
    let mut tx = room.db.write().await?;
    let stored = access::reach(&mut tx, caller, id, Intent::Update).await?;
    unchanged_since(&stored, headers)?;
    may_change(caller, stored.state)?;
    let mut next = wire::Sent(sent).to_update(&stored, now)?;
    archive::shape::keep_secrets(&mut next.endpoints.0, &stored.endpoints.0);
    normalise::normalise(&mut next);
    scopes::adopt(&mut tx, &mut next).await?;
    if next.operations.is_empty() && !stored.operations.is_empty() {
        return Err(entry::NO_RESOURCES.with("The API must keep at least one operation."));
    }
    only_permitted_fields(caller, &stored, &next)?;
    rules::check(&mut tx, caller, &next, Some(&stored)).await?;
    let definition = match db::apis::definition(&mut tx, next.id).await? {
        Some(definition) => Some(definitions::follow(&definition, &next)?),
        None => definitions::generate(&next, definitions::OpenApi::V3),
    };
    replace(&mut tx, &next).await?;
    if let Some(definition) = definition {
        db::apis::set_definition(&mut tx, next.id, &definition).await?;
    }
    only_default(&mut tx, &next, now).await?;
    tx.commit().await?;
    Ok(next)
}

/// Removes an API with its revisions and deployments.
///
/// # Errors
/// 409 while applications are subscribed.
pub(crate) async fn delete(room: &Room, caller: &Caller, id: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, id, Intent::Delete).await?;
    unchanged_since(&api, headers)?;
    if db::subscriptions::count_of_api(&mut tx, api.id).await? > 0 {
        return Err(Refusal::Conflict(format!("Cannot remove the API {id} as active subscriptions exist")));
    }
    db::apis::delete(&mut tx, api.id).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes a new version of an API, in state `CREATED`.
///
/// # Errors
/// 404, 409 when the version exists, 400 for a version that is none.
pub(crate) async fn copy(room: &Room, caller: &Caller, id: &str, version: &str, as_default: bool) -> Result<Api, Refusal> {
    model::api_version(version).map_err(|fault| Refusal::Bad(fault.to_string()))?;
    let now = room.now();
    let mut tx = room.db.write().await?;
    let source = access::reach(&mut tx, caller, id, Intent::Read).await?;
    let mut api = source.clone();
    api.id = ApiId::random();
    api.version = version.to_owned();
    api.context = model::effective_context(&source.context_template, version);
    api.state = LifecycleState::Created;
    api.is_default_version = as_default;
    api.created_at = now;
    api.updated_at = now;
    rules::is_free(&mut tx, &api).await?;
    db::apis::insert(&mut tx, &api).await.map_err(|error| rules::clash(&api, error))?;
    let definition = match db::apis::definition(&mut tx, source.id).await? {
        Some(definition) => Some(definitions::follow_version(&definition, &api)?),
        None => definitions::generate(&api, definitions::OpenApi::V3),
    };
    if let Some(definition) = definition {
        db::apis::set_definition(&mut tx, api.id, &definition).await?;
    }
    db::lifecycle_events::append(&mut tx, api.id, None, api.state, &caller.name(), now).await?;
    only_default(&mut tx, &api, now).await?;
    tx.commit().await?;
    Ok(api)
}

/// Whether the tenant has an API of that name, in any letter case, or of that context.
///
/// # Errors
/// Only the database's.
pub(crate) async fn exists(room: &Room, caller: &Caller, what: &Taken) -> Result<bool, Refusal> {
    let mut tx = room.db.read().await?;
    match what {
        Taken::Context(context) => {
            let typed = context.trim();
            let Ok(template) = model::template_of(typed, &caller.tenant_domain) else { return Ok(false) };
            let plain = template.trim_end_matches("/{version}");
            for context in [template.as_str(), plain] {
                if db::apis::find_by_context(&mut tx, context).await?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Taken::Name(name) => {
            let term = Term { field: db::apis::Field::Name, value: name.clone(), exact: false };
            let query = ApiQuery { tenant: Some(caller.tenant), terms: vec![term], limit: u32::from(u16::MAX), ..ApiQuery::default() };
            let found = db::apis::list(&mut tx, &query).await?.items;
            let name = name.to_lowercase();
            Ok(found.iter().any(|api| api.name.to_lowercase() == name))
        }
    }
}

/// What [`exists`] asks after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// A name.
    Name(String),
    /// A context, as typed.
    Context(String),
}

/// Writes `api` over its older state.
pub(crate) async fn replace(tx: &mut Tx, api: &Api) -> Result<(), Refusal> {
    if db::apis::update(tx, api).await.map_err(|error| rules::clash(api, error))? { Ok(()) } else { Err(Refusal::not_found("API", api.id)) }
}

/// The entity tag of an API: over what is shown of it.
pub(crate) fn tag(shown: &wire::Api) -> Result<String, Refusal> {
    // Picture and WSDL have tags of their own: setting one is no change of what a client may write.
    let own = wire::Api { has_thumbnail: None, wsdl_info: None, ..shown.clone() };
    Ok(rest::etag(&serde_json::to_vec(&own)?))
}

pub(crate) fn unchanged_since(api: &Api, headers: &HeaderMap) -> Result<(), Refusal> {
    let current = tag(&wire::Api::show(api, Shown::WorkingCopy))?;
    rest::if_match(headers, &current)
}

/// Who may change a published API: publishers, importers and administrators, but no mere creator.
pub(crate) fn may_change(caller: &Caller, state: LifecycleState) -> Result<(), Refusal> {
    let offered = matches!(state, LifecycleState::Published | LifecycleState::Deprecated);
    if !offered || caller.acts_as_admin() || caller.has_scope("apim:api_publish") || caller.has_scope("apim:api_import_export") {
        return Ok(());
    }
    Err(entry::UPDATE_FORBIDDEN.with(format!("An API that is {state} may be changed by its publishers only.")))
}

/// The field-level rule: compares what would be shown before and after.
fn only_permitted_fields(caller: &Caller, stored: &Api, next: &Api) -> Result<(), Refusal> {
    if caller.has_scope("apim:api_create") || caller.has_scope("apim:api_import_export") {
        return Ok(());
    }
    let shown = |api: &Api| serde_json::to_value(wire::Api::show(api, Shown::WorkingCopy));
    let (before, after) = (shown(stored)?, shown(next)?);
    // A secret is shown neither before nor after, so its change is looked for apart.
    if stored.endpoints != next.endpoints {
        return Err(forbidden_field("endpointConfig"));
    }
    let changed = after
        .as_object()
        .into_iter()
        .flatten()
        .find(|(field, value)| !PUBLISHER_FIELDS.contains(&field.as_str()) && before.get(field.as_str()) != Some(*value));
    changed.map_or(Ok(()), |(field, _)| Err(forbidden_field(field)))
}

fn forbidden_field(field: &str) -> Refusal {
    Refusal::Forbidden(format!("The token holds no scope that may change the field '{field}'."))
}

/// At most one version answers without its version: when `api` is the one, the others are not.
pub(crate) async fn only_default(tx: &mut Tx, api: &Api, now: Timestamp) -> Result<(), Refusal> {
    if !api.is_default_version {
        return Ok(());
    }
    for mut other in versions_to_change(tx, api).await? {
        if other.id != api.id && other.is_default_version {
            other.is_default_version = false;
            other.updated_at = now;
            replace(tx, &other).await?;
        }
    }
    Ok(())
}

/// All versions of the API, which nobody else changes until the transaction ends. `api` itself is the transaction's own already; the others
/// are taken in the order of their ids, so that two transactions that want the same ones do not wait for each other in a ring.
pub(crate) async fn versions_to_change(tx: &mut Tx, api: &Api) -> Result<Vec<Api>, Refusal> {
    let mut own = HashSet::from([api.id]);
    loop {
        let versions = db::apis::versions(tx, api.tenant, &api.name).await?;
        // Waiting for a lock may have let another version come into being.
        let mut others: Vec<ApiId> = versions.iter().map(|version| version.id).filter(|id| own.insert(*id)).collect();
        if others.is_empty() {
            return Ok(versions);
        }
        others.sort_unstable();
        for other in others {
            db::apis::lock(tx, other).await?;
        }
    }
}

/// Administrators may name another provider of their tenant; for everybody else it is themselves, whatever they send.
async fn provider(tx: &mut Tx, caller: &Caller, sent: Option<&str>) -> Result<String, Refusal> {
    let Some(sent) = sent.map(str::trim).filter(|name| !name.is_empty() && caller.is_admin()) else { return Ok(caller.name()) };
    let mut name = UserName::parse(sent, |domain| domain == caller.tenant_domain);
    if let Some((_, domain)) = sent.rsplit_once('@')
        && name.tenant != domain.to_ascii_lowercase()
        && db::tenants::find_by_domain(tx, domain).await?.is_some()
    {
        return Err(entry::TENANT_MISMATCH.with("The provider must be a user of the API's tenant."));
    }
    name.tenant.clone_from(&caller.tenant_domain);
    Ok(name.to_string())
}
