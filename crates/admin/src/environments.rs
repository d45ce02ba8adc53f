//! Gateway environments.
//!
//! Environments are the installation's, not a tenant's, so only administrators of the super tenant change them; 4.0.0 keeps a set per
//! tenant, which this server's single gateway cannot tell apart.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::Method;
use model::{Environment, TenantId, Vhost};
use rest::{Access, Body, Caller, Door, FieldFault, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Room, entry};

const READ: Access = Access::Scopes(&["apim:admin", "apim:environment_read"]);
const MANAGE: Access = Access::Scopes(&["apim:admin", "apim:environment_manage"]);

/// What gateways serve from.
const KIND: &str = "hybrid";

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/environments", READ, list)
        .on(Method::POST, "/environments", MANAGE, create)
        .on(Method::PUT, "/environments/{environmentId}", MANAGE, update)
        .on(Method::DELETE, "/environments/{environmentId}", MANAGE, delete)
}

/// `Environment` of the document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvironmentBody {
    id: Option<String>,
    name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    is_read_only: Option<bool>,
    vhosts: Option<Vec<VhostBody>>,
}

/// `VHost` of the document; what is left out are 4.0.0's default ports.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VhostBody {
    host: String,
    http_context: Option<String>,
    http_port: Option<u16>,
    https_port: Option<u16>,
    ws_port: Option<u16>,
    wss_port: Option<u16>,
}

async fn list(State(room): State<Room>, _: Caller) -> Result<Json<Value>, Refusal> {
    let mut found = db::environments::list(&mut room.db.read().await?).await?;
    found.sort_by(|a, b| b.read_only.cmp(&a.read_only).then_with(|| a.name.cmp(&b.name)));
    let list: Vec<EnvironmentBody> = found.iter().map(show).collect();
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<EnvironmentBody>) -> Result<Response, Refusal> {
    refuse_other_tenants(&caller)?;
    let name = sent.name.clone().unwrap_or_default();
    check_name(&name)?;
    let environment = read(sent, name)?;
    let mut tx = room.db.write().await?;
    if db::environments::find(&mut tx, &environment.name).await?.is_some() {
        return Err(entry::ENVIRONMENT_EXISTS.with(format!("There is already an environment named '{}'.", environment.name)));
    }
    db::environments::put(&mut tx, &environment).await?;
    tx.commit().await?;
    let location = format!("{}/environments/{}", crate::BASE, id_of(&environment));
    Ok(rest::created(&location, show(&environment)))
}

async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<EnvironmentBody>,
) -> Result<Json<EnvironmentBody>, Refusal> {
    refuse_other_tenants(&caller)?;
    let mut tx = room.db.write().await?;
    let stored = find_editable(&mut tx, &id).await?;
    if sent.name.as_ref().is_some_and(|name| *name != stored.name) {
        return Err(entry::ENVIRONMENT_NAME_FIXED.with(format!("The environment's name is '{}' and cannot be changed.", stored.name)));
    }
    let environment = Environment { kind: stored.kind, ..read(sent, stored.name)? };
    db::environments::put(&mut tx, &environment).await?;
    tx.commit().await?;
    Ok(Json(show(&environment)))
}

/// Removes the environment and what runs there: an API deployed to a name nobody serves would only look deployed.
async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    refuse_other_tenants(&caller)?;
    let mut tx = room.db.write().await?;
    let stored = find_editable(&mut tx, &id).await?;
    for deployment in db::deployments::list_all(&mut tx).await?.into_iter().filter(|d| d.environment == stored.name) {
        db::deployments::remove(&mut tx, deployment.api, &stored.name).await?;
    }
    db::environments::delete(&mut tx, &stored.name).await?;
    Ok(tx.commit().await?)
}

/// Everybody's gateways are at stake, so a tenant's administrator may only look.
fn refuse_other_tenants(caller: &Caller) -> Result<(), Refusal> {
    if caller.tenant == TenantId::SUPER {
        return Ok(());
    }
    Err(Refusal::Forbidden("Environments can be changed only by administrators of the super tenant.".to_owned()))
}

async fn find_editable(tx: &mut db::Tx, id: &str) -> Result<Environment, Refusal> {
    let found = db::environments::list(tx).await?.into_iter().find(|e| id_of(e) == id || e.name == id);
    let environment = found.ok_or_else(|| entry::ENVIRONMENT_UNKNOWN.with(format!("There is no environment with the id '{id}'.")))?;
    if environment.read_only {
        return Err(entry::ENVIRONMENT_READ_ONLY.with(format!("The environment '{}' comes from the configuration.", environment.name)));
    }
    Ok(environment)
}

/// Read-only environments go by their name, others by a UUID that follows from it.
fn id_of(environment: &Environment) -> String {
    if environment.read_only {
        return environment.name.clone();
    }
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("tidegate:environment:{}", environment.name).as_bytes()).to_string()
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 255 || !name.chars().all(allowed) {
        let rule = "must be 1 to 255 letters, digits, '_' and '-'".to_owned();
        return Err(Refusal::field("name", rule));
    }
    Ok(())
}

fn read(sent: EnvironmentBody, name: String) -> Result<Environment, Refusal> {
    let mut faults = Vec::new();
    FieldFault::bounded(&mut faults, "displayName", sent.display_name.as_deref(), 255);
    FieldFault::bounded(&mut faults, "description", sent.description.as_deref(), 1023);
    let sent_hosts = sent.vhosts.unwrap_or_default();
    if sent_hosts.is_empty() {
        faults.push(FieldFault::new("vhosts", "must hold at least one host"));
    }
    for vhost in &sent_hosts {
        if !is_host(&vhost.host) {
            faults.push(FieldFault::new("vhosts.host", "must be a host name of at most 255 characters"));
        }
        if !is_http_context(vhost.http_context.as_deref().unwrap_or_default()) {
            let rule = "must be one path segment of letters, digits and '-'".to_owned();
            faults.push(FieldFault::new("vhosts.httpContext", rule));
        }
    }
    Refusal::of(faults)?;
    let vhosts: Vec<Vhost> = sent_hosts.into_iter().map(read_vhost).collect();
    let twice = vhosts.iter().enumerate().find(|(n, v)| vhosts.iter().take(*n).any(|w| w.host.eq_ignore_ascii_case(&v.host)));
    if let Some((_, vhost)) = twice {
        return Err(entry::ENVIRONMENT_HOST_TWICE.with(format!("The host '{}' is listed twice.", vhost.host)));
    }
    let display_name = sent.display_name.filter(|words| !words.is_empty()).unwrap_or_else(|| name.clone());
    Ok(Environment { name, display_name, description: sent.description, kind: KIND.to_owned(), read_only: false, vhosts })
}

fn read_vhost(sent: VhostBody) -> Vhost {
    Vhost {
        host: sent.host,
        http_context: sent.http_context.unwrap_or_default(),
        http_port: sent.http_port.unwrap_or(80),
        https_port: sent.https_port.unwrap_or(443),
        ws_port: sent.ws_port.unwrap_or(9099),
        wss_port: sent.wss_port.unwrap_or(8099),
    }
}

/// Labels of letters, digits and inner dashes, joined by dots.
fn is_host(host: &str) -> bool {
    host.len() <= 255 && host.split('.').all(is_label)
}

fn is_http_context(context: &str) -> bool {
    let segment = context.strip_prefix('/').unwrap_or(context);
    context.len() <= 255 && (segment.is_empty() || is_label(segment))
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn show(environment: &Environment) -> EnvironmentBody {
    let vhosts = environment.vhosts.iter().map(|v| VhostBody {
        host: v.host.clone(),
        http_context: Some(v.http_context.clone()),
        http_port: Some(v.http_port),
        https_port: Some(v.https_port),
        ws_port: Some(v.ws_port),
        wss_port: Some(v.wss_port),
    });
    EnvironmentBody {
        id: Some(id_of(environment)),
        name: Some(environment.name.clone()),
        display_name: Some(environment.display_name.clone()),
        description: environment.description.clone(),
        is_read_only: Some(environment.read_only),
        vhosts: Some(vhosts.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_contexts_are_those_of_the_document() {
        for host in ["localhost", "gw.example.com", "10.0.0.1", "a-b.c"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "-a.com", "a..b", "a b", "a/b", "a:80"] {
            assert!(!is_host(host), "{host}");
        }
        assert!(is_http_context("") && is_http_context("/") && is_http_context("/api") && is_http_context("api"));
        assert!(!is_http_context("/a/b") && !is_http_context("a?b"));
    }
}
