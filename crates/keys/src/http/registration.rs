//! Client registration of version 0.17: how 4.0.0's command line and web applications come to a client of their own.
//!
//! Registering a name again gives the client there is, with its secret: those programs rely on it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use model::{ClientOrigin, Lifetimes, OAuthClient, TenantId, TokenFormat, UserName};
use rest::{Access, Authenticate, Caller, Door, Problem};
use serde::Deserialize;
use serde_json::json;

use crate::{Desk, NewClient};

/// Longest name and callback, the column widths of 4.0.0.
const NAME_MAX_CHARS: usize = 255;
const CALLBACK_MAX_BYTES: usize = 2048;

/// Scopes any one of which lets a user register a client: who may do nothing has no need of one.
const MAY_REGISTER: [&str; 3] = ["apim:api_create", "apim:api_publish", "apim:subscribe"];

/// Grants that end in a redirect.
const NEED_CALLBACK: [&str; 2] = ["authorization_code", "implicit"];

pub(super) fn door(authenticate: Arc<dyn Authenticate>) -> Door<Desk> {
    Door::new(authenticate).on(Method::POST, "/register", Access::PasswordOnly, register).on(
        Method::DELETE,
        "/register",
        Access::PasswordOnly,
        remove,
    )
}

/// The request. 4.0.0's clients send more than is read here, differently from release to release, so unknown members pass.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    callback_url: Option<String>,
    client_name: Option<String>,
    owner: Option<String>,
    grant_type: Option<String>,
    saas_app: Option<bool>,
    token_type: Option<String>,
}

async fn register(State(desk): State<Desk>, caller: Caller, body: rest::Body<Profile>) -> Result<Response, Problem> {
    let profile = body.0;
    let asked_owner = profile.owner.as_deref().map(str::trim).filter(|owner| !owner.is_empty());
    let owner = owner(&desk, &caller, asked_owner).await?;
    may_register(&caller)?;
    let short_name = profile.client_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let short_name = short_name.ok_or_else(|| Problem::bad_request("The client name must be given."))?;
    let callback = profile.callback_url.filter(|url| !url.trim().is_empty());
    if short_name.chars().count() > NAME_MAX_CHARS || callback.as_ref().is_some_and(|url| url.len() > CALLBACK_MAX_BYTES) {
        return Err(Problem::bad_request("The client name or the callback address is too long."));
    }
    let new = NewClient {
        tenant: tenant_of(&desk, &caller, &owner).await?,
        name: format!("{owner}_{short_name}"),
        owner: owner.to_string(),
        grants: grants(profile.grant_type.as_deref().unwrap_or_default(), callback.is_some()),
        callback_url: callback,
        lifetimes: Lifetimes::default(),
        token_format: match profile.token_type.as_deref() {
            Some(kind) if kind.eq_ignore_ascii_case("JWT") => TokenFormat::Jwt,
            _ => TokenFormat::Opaque,
        },
        origin: ClientOrigin::Registration,
    };
    let (client, made) = desk.find_or_create_client(new).await.map_err(|error| Problem::internal(&error))?;
    if !client.active {
        return Err(Problem::forbidden("The client of this name is switched off."));
    }
    let app_owner = made.then_some(client.owner.as_str());
    Ok(Json(shown(&client, short_name, profile.saas_app.unwrap_or(true), app_owner)).into_response())
}

fn shown(client: &OAuthClient, short_name: &str, saas: bool, app_owner: Option<&str>) -> serde_json::Value {
    let callback = client.callback_url.as_deref().unwrap_or_default();
    let details = json!({ "grant_types": client.grants.join(" "), "redirect_uris": callback, "client_name": client.name });
    json!({
        "clientId": client.id,
        "clientName": short_name,
        "callBackURL": callback,
        "clientSecret": client.secret.expose(),
        "isSaasApplication": saas,
        "appOwner": app_owner,
        "jsonString": details.to_string(),
        "jsonAppAttribute": "{}",
        "tokenType": null,
    })
}

/// Who the client is to belong to: the caller, or for an administrator of the super tenant whoever they name.
async fn owner(desk: &Desk, caller: &Caller, asked: Option<&str>) -> Result<UserName, Problem> {
    let Some(asked) = asked else { return Ok(caller.user.clone()) };
    let owner = desk.users.parse_name(asked).await.map_err(|error| Problem::internal(&error))?;
    if owner == caller.user {
        return Ok(owner);
    }
    let is_super_admin = caller.tenant == TenantId::SUPER && caller.acts_as_admin();
    if is_super_admin && desk.users.exists(&owner).await.map_err(|error| Problem::internal(&error))? {
        return Ok(owner);
    }
    let caller = caller.name();
    Err(Problem::bad_request(format!("Logged in user '{caller}' and application owner '{asked}' should be same.")))
}

fn may_register(caller: &Caller) -> Result<(), Problem> {
    if caller.acts_as_admin() || MAY_REGISTER.iter().any(|scope| caller.has_scope(scope)) {
        return Ok(());
    }
    Err(Problem::forbidden("The user has no permission to create, publish or subscribe, and so may not register a client."))
}

async fn tenant_of(desk: &Desk, caller: &Caller, owner: &UserName) -> Result<TenantId, Problem> {
    if owner.tenant == caller.tenant_domain {
        return Ok(caller.tenant);
    }
    let found = desk.users.find(owner).await.map_err(|error| Problem::internal(&error))?;
    found.map(|account| account.tenant.id).ok_or_else(|| Problem::bad_request(format!("There is no user '{owner}'.")))
}

/// The words asked for, each once; those that end in a redirect only where there is somewhere to redirect to.
fn grants(text: &str, has_callback: bool) -> Vec<String> {
    let mut grants: Vec<String> = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        if (has_callback || !NEED_CALLBACK.contains(&word)) && !grants.iter().any(|known| known == word) {
            grants.push(word.to_owned());
        }
    }
    grants
}

/// What names the client to be removed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    client_id: Option<String>,
    client_name: Option<String>,
    application_name: Option<String>,
}

/// Removes the caller's own client, named by id or name in the query. 4.0.0 answers this with an error whatever is sent.
async fn remove(State(desk): State<Desk>, caller: Caller, Query(named): Query<Named>) -> Result<StatusCode, Problem> {
    may_register(&caller)?;
    let given = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let (found, wanted) = match (given(named.client_id), given(named.client_name).or(given(named.application_name))) {
        (Some(id), _) => (desk.find_client(&id).await.map_err(|error| Problem::internal(&error))?, id),
        (None, Some(name)) => (by_name(&desk, &caller, &name).await.map_err(|error| Problem::internal(&error))?, name),
        (None, None) => return Err(Problem::bad_request("The client must be named by clientId or clientName.")),
    };
    let is_super_admin = caller.tenant == TenantId::SUPER && caller.acts_as_admin();
    let own = |client: &OAuthClient| {
        client.origin != ClientOrigin::Portal && (is_super_admin || client.tenant == caller.tenant && client.owner == caller.name())
    };
    let client = found.filter(own).ok_or_else(|| Problem::not_found("Client", &wanted))?;
    desk.delete_client(&client.id).await.map_err(|error| Problem::internal(&error))?;
    Ok(StatusCode::OK)
}

async fn by_name(desk: &Desk, caller: &Caller, name: &str) -> Result<Option<OAuthClient>, db::Error> {
    let owner = caller.name();
    let mut tx = desk.db.read().await?;
    let full = format!("{owner}_{name}");
    match db::clients::find_by_owner_and_name(&mut tx, caller.tenant, &owner, &full).await? {
        Some(client) => Ok(Some(client)),
        None => db::clients::find_by_owner_and_name(&mut tx, caller.tenant, &owner, name).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_that_redirect_need_somewhere_to_go() {
        assert_eq!(grants("password  refresh_token authorization_code password", false), ["password", "refresh_token"]);
        assert_eq!(grants("implicit authorization_code", true), ["implicit", "authorization_code"]);
        assert!(grants("", true).is_empty());
    }
}
