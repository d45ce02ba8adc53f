//! Tenants: made and switched on and off by administrators of the super tenant. They are never deleted.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::Method;
use model::{SUPER_TENANT_DOMAIN, Secret, Tenant, TenantId, UserName};
use rest::{Access, Body, Caller, Door, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use users::NewUser;

use crate::Room;
use crate::people::{decoded, refused};

const TENANTS: Access = Access::Scopes(&["apim:admin"]);
const INFO: Access = Access::Scopes(&["apim:admin", "apim:tenantInfo"]);

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/tenants", TENANTS, list)
        .on(Method::POST, "/tenants", TENANTS, create)
        .on(Method::GET, "/tenants/{tenantDomain}", TENANTS, get)
        .on(Method::PUT, "/tenants/{tenantDomain}", TENANTS, update)
        .on(Method::GET, "/tenant-info/{username}", INFO, info)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    tenant_id: i32,
    tenant_domain: String,
    email: Option<String>,
    active: bool,
    /// Milliseconds since the epoch.
    created_time: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTenant {
    tenant_domain: String,
    email: Option<String>,
    admin_user: String,
    admin_password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantChange {
    email: Option<String>,
    active: bool,
}

async fn list(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    refuse_other_tenants(&caller)?;
    let list: Vec<Shown> = db::tenants::list(&mut room.db.read().await?).await?.iter().map(show).collect();
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

/// Makes a tenant with its first administrator. The tenant stays inactive until the administrator is there, so a failure in between
/// leaves nothing that anybody could use, and the same request again goes on where it stopped.
async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<NewTenant>) -> Result<Response, Refusal> {
    refuse_other_tenants(&caller)?;
    let domain = sent.tenant_domain.to_lowercase();
    check_domain(&domain)?;
    let mut tenant = found(&room, &domain, sent.email).await?;
    let new = NewUser {
        name: UserName::primary(&sent.admin_user, &domain),
        password: Secret::new(sent.admin_password),
        roles: vec!["admin".to_owned()],
        attributes: Vec::new(),
        must_change_password: false,
    };
    // A user that is there already was made by another request for the same tenant, which had a password of its own.
    room.users.create(new).await.map_err(refused)?;
    tenant.active = true;
    let mut tx = room.db.write().await?;
    db::tenants::update(&mut tx, &tenant).await?;
    tx.commit().await?;
    Ok(rest::created(&format!("{}/tenants/{domain}", crate::BASE), show(&tenant)))
}

/// The inactive tenant that an earlier, failed request left, or a new one. An inactive tenant with users is one that was switched off.
async fn found(room: &Room, domain: &str, email: Option<String>) -> Result<Tenant, Refusal> {
    let mut tx = room.db.write().await?;
    // The number below is free only as long as nobody else takes one.
    db::tenants::one_at_a_time(&mut tx).await?;
    if let Some(known) = db::tenants::find_by_domain(&mut tx, domain).await? {
        if known.active || db::users::count(&mut tx, known.id).await? > 0 {
            return Err(Refusal::Conflict(format!("There is already a tenant '{domain}'.")));
        }
        return Ok(Tenant { email, ..known });
    }
    let last = db::tenants::list(&mut tx).await?.iter().map(|tenant| tenant.id.0).max().unwrap_or(0);
    let tenant = Tenant { id: TenantId(last.max(0) + 1), domain: domain.to_owned(), email, active: false, created_at: room.now() };
    db::bootstrap::tenant(&mut tx, &tenant).await?;
    tx.commit().await?;
    Ok(tenant)
}

async fn get(State(room): State<Room>, caller: Caller, Named(domain): Named<String>) -> Result<Json<Shown>, Refusal> {
    refuse_other_tenants(&caller)?;
    let found = db::tenants::find_by_domain(&mut room.db.read().await?, &domain).await?;
    found.map(|tenant| Json(show(&tenant))).ok_or(Refusal::NotFound { what: "Tenant", id: domain })
}

async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named(domain): Named<String>,
    Body(sent): Body<TenantChange>,
) -> Result<Json<Shown>, Refusal> {
    refuse_other_tenants(&caller)?;
    let mut tx = room.db.write().await?;
    let found = db::tenants::find_by_domain(&mut tx, &domain).await?;
    let id = found.ok_or_else(|| Refusal::NotFound { what: "Tenant", id: domain.clone() })?.id;
    db::tenants::lock(&mut tx, id).await?;
    let mut tenant = db::tenants::find(&mut tx, id).await?.ok_or(Refusal::NotFound { what: "Tenant", id: domain })?;
    if tenant.id == TenantId::SUPER && !sent.active {
        return Err(Refusal::Conflict(format!("The tenant '{SUPER_TENANT_DOMAIN}' cannot be switched off.")));
    }
    tenant.email = sent.email;
    tenant.active = sent.active;
    db::tenants::update(&mut tx, &tenant).await?;
    tx.commit().await?;
    Ok(Json(show(&tenant)))
}

/// `GET /tenant-info/{base64 of a user's name}`.
async fn info(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let text = decoded(&id)?;
    let name = room.users.parse_name(&text).await?;
    let account = room.users.find(&name).await?;
    // A tenant's administrator learns nothing of other tenants' users, not even which there are.
    let account = account.filter(|account| caller.tenant == TenantId::SUPER || account.tenant.id == caller.tenant);
    let account = account.ok_or_else(|| Refusal::Bad(format!("There is no user '{text}'.")))?;
    Ok(Json(json!({ "username": text, "tenantDomain": account.tenant.domain, "tenantId": account.tenant.id.0 })))
}

fn refuse_other_tenants(caller: &Caller) -> Result<(), Refusal> {
    if caller.tenant == TenantId::SUPER {
        return Ok(());
    }
    Err(Refusal::Forbidden("Tenants are managed by administrators of the super tenant.".to_owned()))
}

/// A domain name with at least one dot: contexts hold it as one path segment, and a name without a dot could be a user's own.
fn check_domain(domain: &str) -> Result<(), Refusal> {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if domain.len() <= 255 && domain.contains('.') && domain.split('.').all(is_label) {
        return Ok(());
    }
    let rule = "must be a domain name such as example.com".to_owned();
    Err(Refusal::field("tenantDomain", rule))
}

fn show(tenant: &Tenant) -> Shown {
    Shown {
        tenant_id: tenant.id.0,
        tenant_domain: tenant.domain.clone(),
        email: tenant.email.clone(),
        active: tenant.active,
        created_time: tenant.created_at.0,
    }
}
