//! The tenant's shared scopes: made once, named by several APIs.
//!
//! An API keeps a copy of each shared scope it names, so that it can be shown and frozen without asking elsewhere; a change here goes into
//! every copy in the same transaction.

use db::Tx;
use model::{Api, ApiScope};
use rest::{Caller, Refusal};

use crate::apis;
use crate::wire::Scope;
use crate::{Room, entry};

/// A shared scope with its id and the APIs that name it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shared {
    pub(crate) id: String,
    pub(crate) scope: ApiScope,
    pub(crate) used_by: Vec<Api>,
}

/// All of the tenant's, by name.
pub(crate) async fn list(room: &Room, caller: &Caller) -> Result<Vec<Shared>, Refusal> {
    let mut tx = room.db.read().await?;
    let mut all = Vec::new();
    for (id, scope) in db::scopes::list_shared(&mut tx, caller.tenant).await? {
        all.push(with_users(&mut tx, caller, id, scope).await?);
    }
    Ok(all)
}

/// One.
///
/// # Errors
/// 404.
pub(crate) async fn find(room: &Room, caller: &Caller, id: &str) -> Result<Shared, Refusal> {
    let mut tx = room.db.read().await?;
    let scope = stored(&mut tx, caller, id).await?;
    with_users(&mut tx, caller, id.to_owned(), scope).await
}

/// Makes one.
///
/// # Errors
/// 409 900984 when the name is in use, by an API's own scope too; 400 for an empty name or an unknown role.
pub(crate) async fn create(room: &Room, caller: &Caller, sent: &Scope) -> Result<Shared, Refusal> {
    let scope = read(sent)?;
    let mut tx = room.db.write().await?;
    roles_exist(&mut tx, caller, &scope.roles, &[]).await?;
    let taken = || entry::SCOPE_EXISTS.with(format!("There is a scope '{}' already.", scope.name));
    if is_known(&mut tx, caller, &scope.name).await? {
        return Err(taken());
    }
    let id = model::PolicyId::random().to_string();
    db::scopes::insert_shared(&mut tx, caller.tenant, &id, &scope).await.map_err(|error| match error {
        db::Error::Duplicate { .. } => taken(),
        other => other.into(),
    })?;
    tx.commit().await?;
    Ok(Shared { id, scope, used_by: Vec::new() })
}

/// Changes words and roles; the name never changes.
///
/// # Errors
/// 404, 400.
pub(crate) async fn update(room: &Room, caller: &Caller, id: &str, sent: &Scope) -> Result<Shared, Refusal> {
    let now = room.now();
    let mut tx = room.db.write().await?;
    let old = stored(&mut tx, caller, id).await?;
    let scope = ApiScope { name: old.name.clone(), ..read(&Scope { name: Some(old.name.clone()), ..sent.clone() })? };
    roles_exist(&mut tx, caller, &scope.roles, &old.roles).await?;
    db::scopes::update_shared(&mut tx, caller.tenant, id, &scope).await?;
    for api in db::scopes::users_of_shared(&mut tx, caller.tenant, &scope.name).await? {
        db::apis::lock(&mut tx, api).await?;
    }
    let mut shared = with_users(&mut tx, caller, id.to_owned(), scope).await?;
    for api in &mut shared.used_by {
        for copy in api.scopes.iter_mut().filter(|copy| copy.shared && copy.name == shared.scope.name) {
            *copy = shared.scope.clone();
        }
        api.updated_at = now;
        apis::replace(&mut tx, api).await?;
    }
    tx.commit().await?;
    Ok(shared)
}

/// Removes one that no API names.
///
/// # Errors
/// 409 900985, 404.
pub(crate) async fn delete(room: &Room, caller: &Caller, id: &str) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let scope = stored(&mut tx, caller, id).await?;
    if !db::scopes::users_of_shared(&mut tx, caller.tenant, &scope.name).await?.is_empty() {
        return Err(entry::SCOPE_USED.with(format!("The scope '{}' is used by APIs.", scope.name)));
    }
    db::scopes::delete_shared(&mut tx, caller.tenant, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether the tenant has a scope of that name, shared or an API's own.
pub(crate) async fn exists(room: &Room, caller: &Caller, name: &str) -> Result<bool, Refusal> {
    let mut tx = room.db.read().await?;
    is_known(&mut tx, caller, name).await
}

/// Puts the shared scope itself in place of whatever a client says about it.
///
/// # Errors
/// 400 900981 for a shared scope that is none.
pub(crate) async fn adopt(tx: &mut Tx, api: &mut Api) -> Result<(), Refusal> {
    for scope in api.scopes.iter_mut().filter(|scope| scope.shared) {
        *scope = match db::scopes::find_shared_by_name(tx, api.tenant, &scope.name).await? {
            Some((_, shared)) => shared,
            None => return Err(entry::SHARED_SCOPE_UNKNOWN.with(format!("There is no shared scope '{}'.", scope.name))),
        };
    }
    Ok(())
}

async fn is_known(tx: &mut Tx, caller: &Caller, name: &str) -> Result<bool, Refusal> {
    Ok(db::scopes::find_shared_by_name(tx, caller.tenant, name).await?.is_some()
        || db::scopes::owner_of(tx, caller.tenant, name).await?.is_some())
}

async fn stored(tx: &mut Tx, caller: &Caller, id: &str) -> Result<ApiScope, Refusal> {
    let found = db::scopes::find_shared(tx, caller.tenant, id).await?;
    found.ok_or_else(|| entry::SHARED_SCOPE_NOT_FOUND.with(format!("Shared Scope ID: {id} not found")))
}

async fn with_users(tx: &mut Tx, caller: &Caller, id: String, scope: ApiScope) -> Result<Shared, Refusal> {
    let mut used_by = Vec::new();
    for api in db::scopes::users_of_shared(tx, caller.tenant, &scope.name).await? {
        used_by.extend(db::apis::find(tx, api).await?);
    }
    Ok(Shared { id, scope, used_by })
}

fn read(sent: &Scope) -> Result<ApiScope, Refusal> {
    let text = |field: &Option<String>| field.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let name = text(&sent.name).ok_or_else(|| Refusal::field("name", "must not be null"))?;
    // A scope is one word of a space-separated list in a token (RFC 6749, section 3.3).
    if name.chars().count() > 255 || name.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\\')) {
        return Err(Refusal::field("name", "must be 1 to 255 printable ASCII characters without spaces, quotes and backslashes"));
    }
    let display_name = text(&sent.display_name).ok_or_else(|| entry::SCOPE_UNNAMED.with("The shared scope needs a displayName."))?;
    if display_name.chars().count() > 255 {
        return Err(Refusal::field("displayName", "size must be between 0 and 255"));
    }
    if sent.description.as_deref().is_some_and(|words| words.chars().count() > 512) {
        return Err(Refusal::field("description", "size must be between 0 and 512"));
    }
    let roles = sent.bindings.clone().unwrap_or_default();
    Ok(ApiScope { name, display_name, description: sent.description.clone(), roles, shared: true })
}

async fn roles_exist(tx: &mut Tx, caller: &Caller, roles: &[String], before: &[String]) -> Result<(), Refusal> {
    let known = db::roles::list(tx, caller.tenant).await?;
    let is_known = |role: &String| {
        role.eq_ignore_ascii_case(model::EVERYONE) || known.iter().chain(before).any(|one| one.to_lowercase() == role.to_lowercase())
    };
    match roles.iter().find(|role| !is_known(role)) {
        Some(role) => Err(entry::ROLE_UNKNOWN.with(format!("There is no role '{role}'."))),
        None => Ok(()),
    }
}
