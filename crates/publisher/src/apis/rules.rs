//! Rules an API must obey that need the tenant: its roles, plans, policies, and its other APIs.
//!
//! Each is asked inside the transaction that writes, and what must be unique is unique in the schema as well, so that of two requests at
//! once the second is refused.
//!
//! What the stored API already names may stay although nobody can choose it any more (a role of a directory server, a plan that came
//! with an upgrade): otherwise an upgraded API could not be edited without first breaking it.

use std::collections::HashSet;

use db::Tx;
use db::apis::{ApiQuery, Field, Term};
use model::{AccessControl, Api, ApiKind, LifecycleState, Operation, UNLIMITED, Visibility};
use rest::{Caller, Refusal};

use super::normalise;
use crate::entry;

/// Key managers there are without anybody adding one.
const KEY_MANAGERS: [&str; 2] = ["all", "Resident Key Manager"];

/// Checks an API about to be written. `stored` is what it replaces.
///
/// # Errors
/// The refusal of the first rule it breaks.
pub(crate) async fn check(tx: &mut Tx, caller: &Caller, api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    operations(api, stored)?;
    endpoints(api, stored)?;
    categories(api, stored)?;
    key_managers(api, stored)?;
    access_control(caller, api)?;
    roles(tx, api, stored).await?;
    plans(tx, api, stored).await?;
    advanced_policies(tx, api, stored).await?;
    scopes(tx, api).await
}

/// Whether name, version and context are free.
///
/// # Errors
/// 409 with the code that says which is taken.
pub(crate) async fn is_free(tx: &mut Tx, api: &Api) -> Result<(), Refusal> {
    let alike = named_alike(tx, api).await?;
    if let Some(other) = alike.iter().find(|other| other.name != api.name) {
        return Err(entry::NAME_EXISTS.with(format!("An API with name '{}' already exists, in another letter case.", other.name)));
    }
    if alike.iter().any(|other| other.version.eq_ignore_ascii_case(&api.version)) {
        return Err(version_exists(api));
    }
    for context in [&api.context_template, &api.context] {
        if let Some(holder) = db::apis::find_by_context(tx, context).await?
            && (holder.tenant != api.tenant || holder.name != api.name)
        {
            return Err(context_exists(api));
        }
    }
    Ok(())
}

/// The refusal for what the database found taken after [`is_free`] had passed.
pub(crate) fn clash(api: &Api, error: db::Error) -> Refusal {
    if error.is_duplicate("api", "context") {
        context_exists(api)
    } else if error.is_duplicate("api", "version") {
        version_exists(api)
    } else {
        error.into()
    }
}

fn version_exists(api: &Api) -> Refusal {
    entry::VERSION_EXISTS.with(format!("The API '{}' already has a version '{}'.", api.name, api.version))
}

fn context_exists(api: &Api) -> Refusal {
    entry::CONTEXT_EXISTS.with(format!("The context '{}' is already taken by another API.", api.context_template))
}

/// All APIs of the tenant whose names differ from this one's in letter case at most.
async fn named_alike(tx: &mut Tx, api: &Api) -> Result<Vec<Api>, Refusal> {
    let term = Term { field: Field::Name, value: api.name.clone(), exact: false };
    let query = ApiQuery { tenant: Some(api.tenant), terms: vec![term], limit: u32::from(u16::MAX), ..ApiQuery::default() };
    let found = db::apis::list(tx, &query).await?.items;
    let folded = api.name.to_lowercase();
    Ok(found.into_iter().filter(|other| other.name.to_lowercase() == folded).collect())
}

fn operations(api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    let verbs = normalise::verbs(api.kind);
    let mut seen = HashSet::new();
    for operation in &api.operations {
        let named = format!("{} {}", operation.verb, operation.target);
        if !seen.insert((&operation.verb, &operation.target)) {
            return Err(Refusal::Bad(format!("The operation '{named}' is given twice.")));
        }
        if let Some(scope) = operation.scopes.iter().find(|scope| !declares(api, scope) && !stored.is_some_and(|s| lacks(s, scope))) {
            return Err(Refusal::Bad(format!("The operation '{named}' names the scope '{scope}', which the API does not have.")));
        }
        let same = |old: &Operation| old.verb == operation.verb && old.target == operation.target;
        if stored.is_some_and(|stored| stored.operations.iter().any(same)) {
            continue;
        }
        if !verbs.contains(&operation.verb.as_str()) {
            return Err(Refusal::Bad(format!("The operation '{named}' has a verb that {} APIs do not have.", api.kind.name())));
        }
        let is_path = matches!(api.kind, ApiKind::Http | ApiKind::Soap | ApiKind::SoapToRest);
        if is_path && (!operation.target.starts_with('/') || operation.target.chars().any(|c| c.is_whitespace() || c.is_control())) {
            return Err(Refusal::Bad(format!("The target of the operation '{named}' must begin with '/' and hold no spaces.")));
        }
    }
    Ok(())
}

fn declares(api: &Api, scope: &str) -> bool {
    api.scopes.iter().any(|declared| declared.name == scope)
}

/// Whether the API's operations already name a scope that it does not have.
fn lacks(api: &Api, scope: &str) -> bool {
    !declares(api, scope) && api.operations.iter().any(|operation| operation.scopes.iter().any(|named| named == scope))
}

fn endpoints(api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    if stored.is_some_and(|stored| stored.endpoints == api.endpoints) {
        return Ok(());
    }
    match api.endpoints.check() {
        // An API may be made first and get its backend later; publishing asks for one.
        Ok(()) | Err(model::EndpointFault::Missing) => Ok(()),
        Err(fault @ model::EndpointFault::Url(_)) => Err(entry::ENDPOINT_INVALID.with(fault.to_string())),
    }
}

fn categories(api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    let known = |name: &String| stored.is_some_and(|stored| stored.categories.contains(name));
    match api.categories.iter().find(|name| !known(name)) {
        Some(name) => Err(entry::CATEGORY_UNKNOWN.with(format!("There is no API category '{name}'."))),
        None => Ok(()),
    }
}

fn key_managers(api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    let known =
        |name: &String| KEY_MANAGERS.iter().any(|own| own == name) || stored.is_some_and(|stored| stored.key_managers.contains(name));
    match api.key_managers.iter().find(|name| !known(name)) {
        Some(name) => Err(entry::KEY_MANAGER_UNKNOWN.with(format!("There is no key manager '{name}'."))),
        None => Ok(()),
    }
}

/// Who restricts an API may not lock themselves out of it.
fn access_control(caller: &Caller, api: &Api) -> Result<(), Refusal> {
    if api.access_control == AccessControl::None || caller.is_admin() || api.access_control_roles.iter().any(|role| caller.has_role(role)) {
        return Ok(());
    }
    Err(Refusal::Bad("This user does not have at least one role specified in API access control.".to_owned()))
}

async fn roles(tx: &mut Tx, api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    if api.visibility == Visibility::Restricted && api.visible_roles.is_empty() {
        return Err(entry::ROLES_MISSING.with("Restricted visibility needs at least one role."));
    }
    let named: Vec<&String> = named_roles(api).collect();
    if named.is_empty() {
        return Ok(());
    }
    let fold = |role: &String| role.to_lowercase();
    let mut known: HashSet<String> = db::roles::list(tx, api.tenant).await?.iter().map(fold).collect();
    known.insert(model::EVERYONE.to_lowercase());
    known.extend(stored.into_iter().flat_map(named_roles).map(fold));
    match named.into_iter().find(|role| !known.contains(&fold(role))) {
        Some(role) => Err(entry::ROLE_UNKNOWN.with(format!("There is no role '{role}'."))),
        None => Ok(()),
    }
}

fn named_roles(api: &Api) -> impl Iterator<Item = &String> {
    api.visible_roles.iter().chain(&api.access_control_roles).chain(api.scopes.iter().flat_map(|scope| &scope.roles))
}

async fn plans(tx: &mut Tx, api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    let early = matches!(api.state, LifecycleState::Created | LifecycleState::Prototyped);
    if stored.is_some() && !early && needs_plan(api) && api.plans.is_empty() {
        return Err(plan_missing());
    }
    if api.plans.is_empty() {
        return Ok(());
    }
    let known: HashSet<String> = db::policies::subscription::list(tx, api.tenant).await?.into_iter().map(|p| p.name).collect();
    let stays = |plan: &String| known.contains(plan) || stored.is_some_and(|stored| stored.plans.contains(plan));
    match api.plans.iter().find(|plan| !stays(plan)) {
        Some(plan) => Err(entry::PLAN_UNKNOWN.with(format!("There is no subscription policy '{plan}'."))),
        None => Ok(()),
    }
}

/// Whether applications must subscribe, so that there must be a plan to subscribe under.
pub(crate) fn needs_plan(api: &Api) -> bool {
    api.security_scheme.iter().any(|scheme| scheme == "oauth2" || scheme == "api_key")
}

/// The refusal of an API that nobody could subscribe to.
pub(crate) fn plan_missing() -> Refusal {
    entry::PLAN_MISSING.with("The API needs at least one subscription policy.")
}

async fn advanced_policies(tx: &mut Tx, api: &Api, stored: Option<&Api>) -> Result<(), Refusal> {
    let named: HashSet<&String> = policies_of(api).collect();
    let before: HashSet<&String> = stored.into_iter().flat_map(policies_of).collect();
    let new: Vec<&&String> = named.iter().filter(|name| name.as_str() != UNLIMITED && !before.contains(**name)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let known: HashSet<String> = db::policies::advanced::list(tx, api.tenant).await?.into_iter().map(|p| p.name).collect();
    match new.into_iter().find(|name| !known.contains(**name)) {
        Some(name) => Err(entry::POLICY_UNKNOWN.with(format!("There is no advanced throttling policy '{name}'."))),
        None => Ok(()),
    }
}

fn policies_of(api: &Api) -> impl Iterator<Item = &String> {
    api.operations.iter().map(|operation| &operation.policy).chain(&api.api_policy)
}

/// A local scope belongs to one API, all of whose versions may have it.
async fn scopes(tx: &mut Tx, api: &Api) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for scope in &api.scopes {
        if !seen.insert(&scope.name) {
            return Err(Refusal::Bad(format!("The scope '{}' is given twice.", scope.name)));
        }
        if scope.shared {
            continue;
        }
        if db::scopes::find_shared_by_name(tx, api.tenant, &scope.name).await?.is_some() {
            return Err(entry::SCOPE_TAKEN.with(format!("The scope '{}' is a shared one; name it as such.", scope.name)));
        }
        let owner = match db::scopes::owner_of(tx, api.tenant, &scope.name).await? {
            Some(id) if id != api.id => db::apis::find(tx, id).await?,
            _ => None,
        };
        if owner.is_some_and(|owner| owner.name != api.name) {
            return Err(entry::SCOPE_TAKEN.with(format!("The scope '{}' belongs to another API.", scope.name)));
        }
    }
    Ok(())
}
