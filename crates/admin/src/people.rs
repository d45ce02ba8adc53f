//! Users and roles. 4.0.0 manages them in another console; this product has none, so the door of the administrators has them.
//!
//! Every tenant's administrators manage their own tenant's users and no others. The last administrator of a tenant can be neither
//! removed nor demoted nor locked out, because nobody could undo it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use db::users::UserFilter;
use http::{Method, StatusCode};
use model::{DEFAULT_ROLES, EVERYONE, Secret, User, UserName};
use rest::{Access, Asked, Body, Caller, Door, Named, Paging, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use users::{ChangeError, NewUser};

use crate::{Room, entry};

const USERS: Access = Access::Scopes(&["apim:admin"]);
const ROLES: Access = Access::Scopes(&["apim:admin", "apim:role_manage"]);

/// The role that makes an administrator.
const ADMIN: &str = "admin";

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/users", USERS, list)
        .on(Method::POST, "/users", USERS, create)
        .on(Method::GET, "/users/{userName}", USERS, get)
        .on(Method::DELETE, "/users/{userName}", USERS, delete)
        .on(Method::PUT, "/users/{userName}/roles", USERS, set_roles)
        .on(Method::PUT, "/users/{userName}/password", USERS, set_password)
        .on(Method::PUT, "/users/{userName}/locked", USERS, set_locked)
        .on(Method::GET, "/roles", ROLES, list_roles)
        .on(Method::POST, "/roles", ROLES, create_role)
        .on(Method::HEAD, "/roles/{roleId}", ROLES, has_role)
        .on(Method::DELETE, "/roles/{roleId}", ROLES, delete_role)
}

/// A user as shown. There is no password in it, in any form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    user_name: String,
    tenant_domain: String,
    roles: Vec<String>,
    attributes: BTreeMap<String, String>,
    locked: bool,
    must_change_password: bool,
    /// Milliseconds since the epoch.
    created_time: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUserBody {
    user_name: String,
    password: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    must_change_password: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesBody {
    roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordBody {
    password: String,
    #[serde(default)]
    must_change_password: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockedBody {
    locked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleBody {
    name: String,
}

#[derive(Deserialize)]
struct Filter {
    name: Option<String>,
}

async fn list(State(room): State<Room>, caller: Caller, Asked(asked): Asked<Filter>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let name = asked.name.filter(|name| !name.is_empty());
    let mut tx = room.db.read().await?;
    let filter = UserFilter { tenant: caller.tenant, name_like: name.clone(), limit: paging.limit, offset: paging.offset };
    let found = db::users::list(&mut tx, &filter).await?;
    let total = db::users::count_matching(&mut tx, &filter).await?;
    let items: Vec<Shown> = found.iter().map(|user| show(user, &caller.tenant_domain)).collect();
    let tail: Vec<(&str, &str)> = name.iter().map(|name| ("name", name.as_str())).collect();
    Ok(Json(rest::list(&items, total, paging, "/users", &tail)))
}

async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<NewUserBody>) -> Result<Response, Refusal> {
    let name = name_in(&room, &caller, &sent.user_name).await?;
    let new = NewUser {
        name,
        password: Secret::new(sent.password),
        roles: sent.roles,
        attributes: sent.attributes.into_iter().collect(),
        must_change_password: sent.must_change_password,
    };
    let user = room.users.create(new).await.map_err(refused)?;
    let shown = show(&user, &caller.tenant_domain);
    Ok(rest::created(&format!("{}/users/{}", crate::BASE, shown.user_name), shown))
}

async fn get(State(room): State<Room>, caller: Caller, Named(name): Named<String>) -> Result<Json<Shown>, Refusal> {
    let wanted = name_in(&room, &caller, &name).await?;
    let user = find(&mut room.db.read().await?, &caller, &wanted).await?;
    Ok(Json(show(&user, &caller.tenant_domain)))
}

async fn delete(State(room): State<Room>, caller: Caller, Named(name): Named<String>) -> Result<(), Refusal> {
    let wanted = name_in(&room, &caller, &name).await?;
    let mut tx = room.db.write().await?;
    let user = to_change(&mut tx, &caller, &wanted).await?;
    refuse_last_administrator(&mut tx, &caller, &user).await?;
    db::users::delete(&mut tx, user.id, room.now()).await?;
    Ok(tx.commit().await?)
}

async fn set_roles(
    State(room): State<Room>,
    caller: Caller,
    Named(name): Named<String>,
    Body(sent): Body<RolesBody>,
) -> Result<Json<Shown>, Refusal> {
    let wanted = name_in(&room, &caller, &name).await?;
    let mut tx = room.db.write().await?;
    let mut user = to_change(&mut tx, &caller, &wanted).await?;
    let roles = known_roles(&mut tx, &caller, sent.roles).await?;
    if !is_administrator(&roles) {
        refuse_last_administrator(&mut tx, &caller, &user).await?;
    }
    user.roles = roles;
    db::users::update(&mut tx, &user, room.now()).await?;
    tx.commit().await?;
    Ok(Json(show(&user, &caller.tenant_domain)))
}

async fn set_password(
    State(room): State<Room>,
    caller: Caller,
    Named(name): Named<String>,
    Body(sent): Body<PasswordBody>,
) -> Result<(), Refusal> {
    let wanted = name_in(&room, &caller, &name).await?;
    room.users.set_password(&wanted, Secret::new(sent.password), sent.must_change_password).await.map_err(refused)
}

async fn set_locked(
    State(room): State<Room>,
    caller: Caller,
    Named(name): Named<String>,
    Body(sent): Body<LockedBody>,
) -> Result<Json<Shown>, Refusal> {
    let wanted = name_in(&room, &caller, &name).await?;
    let mut tx = room.db.write().await?;
    let mut user = to_change(&mut tx, &caller, &wanted).await?;
    if sent.locked {
        refuse_last_administrator(&mut tx, &caller, &user).await?;
    }
    user.locked = sent.locked;
    db::users::update(&mut tx, &user, room.now()).await?;
    tx.commit().await?;
    Ok(Json(show(&user, &caller.tenant_domain)))
}

async fn list_roles(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    let names = db::roles::list(&mut room.db.read().await?, caller.tenant).await?;
    let list: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

async fn create_role(State(room): State<Room>, caller: Caller, Body(sent): Body<RoleBody>) -> Result<Response, Refusal> {
    let name = sent.name;
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || ",@\"\\<>".contains(c);
    if name.is_empty() || name.chars().count() > 255 || name.contains(forbidden) || name.eq_ignore_ascii_case(EVERYONE) {
        let rule = "must be 1 to 255 characters without white space, control characters or any of , @ \" \\ < >".to_owned();
        return Err(Refusal::field("name", rule));
    }
    let mut tx = room.db.write().await?;
    // Roles compare without letter case wherever they are checked, so two that differ only in it would be one.
    if db::roles::list(&mut tx, caller.tenant).await?.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
        return Err(Refusal::Conflict(format!("There is already a role '{name}'.")));
    }
    db::roles::insert(&mut tx, caller.tenant, &name).await?;
    tx.commit().await?;
    let location = format!("{}/roles/{}", crate::BASE, BASE64_URL_SAFE_NO_PAD.encode(&name));
    Ok(rest::created(&location, json!({ "name": name })))
}

async fn has_role(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<StatusCode, Refusal> {
    let role = decoded(&id)?;
    let known = db::roles::list(&mut room.db.read().await?, caller.tenant).await?;
    let is_known = role.eq_ignore_ascii_case(EVERYONE) || known.iter().any(|k| k.eq_ignore_ascii_case(&role));
    Ok(if is_known { StatusCode::OK } else { StatusCode::NOT_FOUND })
}

async fn delete_role(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let role = decoded(&id)?;
    if DEFAULT_ROLES.iter().any(|default| default.eq_ignore_ascii_case(&role)) {
        return Err(Refusal::Conflict(format!("The role '{role}' is one that every tenant has.")));
    }
    let mut tx = room.db.write().await?;
    if !db::roles::delete(&mut tx, caller.tenant, &role).await? {
        return Err(Refusal::NotFound { what: "Role", id: role });
    }
    Ok(tx.commit().await?)
}

/// The user that `text` names in the caller's own tenant.
///
/// # Errors
/// 400 when it names another tenant's.
pub(crate) async fn name_in(room: &Room, caller: &Caller, text: &str) -> Result<UserName, Refusal> {
    let parsed = room.users.parse_name(text.trim()).await?;
    if parsed.tenant == caller.tenant_domain {
        return Ok(parsed);
    }
    let plain = UserName::parse(text.trim(), |_| false);
    // Without a known tenant's suffix the name is read as the super tenant's; it means the caller's own then.
    if parsed == plain {
        return Ok(UserName { tenant: caller.tenant_domain.clone(), ..plain });
    }
    Err(entry::TENANT_MISMATCH.with(format!("The user '{text}' belongs to another tenant.")))
}

/// A path value in base64, either alphabet of which clients send, with padding or without.
pub(crate) fn decoded(id: &str) -> Result<String, Refusal> {
    let url_safe = id.trim_end_matches('=').replace('+', "-").replace('/', "_");
    BASE64_URL_SAFE_NO_PAD
        .decode(&url_safe)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Refusal::Bad(format!("'{id}' is not base64 of a text.")))
}

async fn find(tx: &mut db::Tx, caller: &Caller, name: &UserName) -> Result<User, Refusal> {
    let found = db::users::find(tx, caller.tenant, &name.store, &name.name).await?;
    found.ok_or_else(|| Refusal::NotFound { what: "User", id: name.without_tenant() })
}

/// The user, to be written as a whole. The tenant is locked first, so that of two administrators who remove each other at once the second
/// counts those that are left.
async fn to_change(tx: &mut db::Tx, caller: &Caller, name: &UserName) -> Result<User, Refusal> {
    db::tenants::lock(tx, caller.tenant).await?;
    db::users::lock(tx, caller.tenant, &name.store, &name.name).await?;
    find(tx, caller, name).await
}

async fn known_roles(tx: &mut db::Tx, caller: &Caller, wanted: Vec<String>) -> Result<Vec<String>, Refusal> {
    let present = db::roles::list(tx, caller.tenant).await?;
    let mut roles: Vec<String> = Vec::with_capacity(wanted.len());
    for role in wanted.into_iter().filter(|role| !role.eq_ignore_ascii_case(EVERYONE)) {
        let known = present.iter().find(|known| known.eq_ignore_ascii_case(&role)).cloned();
        let known = known.ok_or_else(|| entry::ROLE_UNKNOWN.with(format!("There is no role '{role}'.")))?;
        if !roles.contains(&known) {
            roles.push(known);
        }
    }
    Ok(roles)
}

/// Refuses what would leave the tenant without an administrator who can sign in. Runs in the transaction that makes the change
/// and got the user by [`to_change`].
async fn refuse_last_administrator(tx: &mut db::Tx, caller: &Caller, user: &User) -> Result<(), Refusal> {
    if !can_administrate(user) {
        return Ok(());
    }
    if db::users::another_has_role(tx, caller.tenant, ADMIN, user.id).await? {
        return Ok(());
    }
    Err(Refusal::Conflict(format!("The user '{}' is the last administrator of the tenant.", user.name)))
}

fn can_administrate(user: &User) -> bool {
    !user.locked && is_administrator(&user.roles)
}

fn is_administrator(roles: &[String]) -> bool {
    roles.iter().any(|role| role.eq_ignore_ascii_case(ADMIN))
}

fn show(user: &User, tenant_domain: &str) -> Shown {
    let full = UserName { store: user.store.clone(), name: user.name.clone(), tenant: tenant_domain.to_owned() };
    Shown {
        user_name: full.without_tenant(),
        tenant_domain: tenant_domain.to_owned(),
        roles: user.roles.clone(),
        attributes: user.attributes.iter().cloned().collect(),
        locked: user.locked,
        must_change_password: user.must_change_password,
        created_time: user.created_at.0,
    }
}

/// What `users` refused, in this door's words.
pub(crate) fn refused(error: ChangeError) -> Refusal {
    match error {
        ChangeError::UnknownUser(name) => Refusal::NotFound { what: "User", id: name.without_tenant() },
        ChangeError::UnknownTenant(domain) => Refusal::NotFound { what: "Tenant", id: domain },
        ChangeError::UnknownRole(role) => entry::ROLE_UNKNOWN.with(format!("There is no role '{role}'.")),
        ChangeError::Exists(name) => Refusal::Conflict(format!("There is already a user '{name}'.")),
        ChangeError::NameNotAllowed | ChangeError::PasswordNotAllowed | ChangeError::KeptElsewhere(_) => Refusal::Bad(error.to_string()),
        ChangeError::Store(error) => error.into(),
        ChangeError::Current(_) | ChangeError::Hashing(_) => error.into(),
    }
}
