//! The OAuth2 endpoints: read the request, ask the desk, write the answer.

use std::net::IpAddr;

use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::{SUPER_TENANT_DOMAIN, Secret, Tenant};
use rest::ClientAddress;
use serde_json::json;

use super::params::Params;
use super::{answer, authenticate};
use crate::grants::{GRANTS, Request as Grant};
use crate::userinfo::NotTold;
use crate::{Desk, Refusal, scopes};

/// Lets requests pass whose path names a tenant that is there, and leaves it to the handlers.
pub(super) async fn known_tenant(State(desk): State<Desk>, path: RawPathParams, mut request: Request, next: Next) -> Response {
    let domain = path.iter().find_map(|(name, value)| (name == "domain").then_some(value)).unwrap_or(SUPER_TENANT_DOMAIN);
    match find_tenant(&desk, domain).await {
        Ok(Some(tenant)) => {
            request.extensions_mut().insert(tenant);
            next.run(request).await
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

async fn find_tenant(desk: &Desk, domain: &str) -> Result<Option<Tenant>, db::Error> {
    Ok(db::tenants::find_by_domain(&mut desk.db.read().await?, domain).await?.filter(|tenant| tenant.active))
}

/// `POST /oauth2/token`.
pub(super) async fn token(State(desk): State<Desk>, from: From, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let kind = params.get("grant_type").ok_or_else(|| Refusal::InvalidRequest("Missing grant_type parameter value".to_owned()))?;
    let client = authenticate::client(&desk, &headers, &params).await?;
    if !GRANTS.contains(&kind) {
        return Err(Refusal::UnsupportedGrantType(kind.to_owned()));
    }
    let issued = desk.grant(&client, read_grant(kind, &params, address(from))?).await?;
    Ok(answer::issued(issued))
}

/// Where a request comes from, where the hall says so.
type From = Option<Extension<ClientAddress>>;

fn address(from: From) -> Option<IpAddr> {
    from.map(|Extension(ClientAddress(address))| address)
}

/// `kind` is one of [`GRANTS`].
fn read_grant(kind: &str, params: &Params, from: Option<IpAddr>) -> Result<Grant, Refusal> {
    let scopes = params.get("scope").map(scopes::parse).transpose().map_err(Refusal::InvalidScope)?;
    match kind {
        "client_credentials" => Ok(Grant::ClientCredentials { scopes: scopes.unwrap_or_default() }),
        "password" => Ok(Grant::Password {
            username: params.need("username")?.to_owned(),
            password: Secret::new(params.need("password")?.to_owned()),
            from,
            scopes: scopes.unwrap_or_default(),
        }),
        _ => Ok(Grant::Refresh {
            refresh_token: Secret::new(params.need("refresh_token")?.to_owned()),
            scopes: scopes.filter(|scopes| !scopes.is_empty()),
        }),
    }
}

/// `POST /oauth2/revoke`.
pub(super) async fn revoke(State(desk): State<Desk>, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let client = authenticate::client(&desk, &headers, &params).await?;
    desk.revoke(&client, params.need("token")?).await?;
    let (kind, body) = match params.get("callback") {
        Some(callback) if is_function_name(callback) => ("application/javascript", format!("{callback}();")),
        Some(_) => return Err(Refusal::InvalidRequest("The callback is not the name of a function.".to_owned())),
        None => ("text/html", String::new()),
    };
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response())
}

/// Whatever else stood here would run as a script in somebody's page.
fn is_function_name(text: &str) -> bool {
    text.len() <= 128
        && text.split('.').all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic() || "_$".contains(c)))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_$.".contains(c))
}

/// `POST /oauth2/introspect`, for administrators.
pub(super) async fn introspect(State(desk): State<Desk>, from: From, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let refused = || {
        let body = json!({ "error_description": "Authentication failed.", "error": "invalid_client" });
        answer::unauthorized("Basic realm=\"oauth2\"", Json(body))
    };
    let Some(basic) = authenticate::basic(&headers)? else { return Ok(refused()) };
    let name = desk.users.parse_name(&basic.name).await?;
    let asker = match desk.users.sign_in_from(&name, &basic.password, address(from)).await {
        Ok(asker) if asker.has_role("admin") => asker,
        Err(error) if error.is_ours() => return Err(Refusal::server(error)),
        Ok(_) | Err(_) => return Ok(refused()),
    };
    match params.get("token").map(str::trim).filter(|token| !token.is_empty()) {
        Some(token) => Ok(Json(desk.introspect(&asker, token).await?.into_json()).into_response()),
        None => Ok((StatusCode::BAD_REQUEST, Json(json!({ "error": "Invalid input" }))).into_response()),
    }
}

/// `GET` and `POST /oauth2/userinfo`.
pub(super) async fn userinfo(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response, Refusal> {
    let told = match authenticate::bearer(&headers) {
        Some(token) => desk.userinfo(token).await,
        None => {
            let body = Json(json!({ "error": "invalid_request", "error_description": "Bearer token missing" }));
            let mut response = (StatusCode::BAD_REQUEST, body).into_response();
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_request\""));
            return Ok(response);
        }
    };
    let (status, code, challenge, words) = match told {
        Ok(claims) => return Ok(Json(claims).into_response()),
        Err(NotTold::Desk(error)) => return Err(error.into()),
        Err(error @ NotTold::InvalidToken) => {
            (StatusCode::UNAUTHORIZED, "invalid_token", "Bearer error=\"invalid_token\"", error.to_string())
        }
        Err(error @ NotTold::InsufficientScope) => {
            (StatusCode::FORBIDDEN, "insufficient_scope", "Bearer error=\"insufficient_scope\"", error.to_string())
        }
    };
    let mut response = (status, Json(json!({ "error": code, "error_description": words }))).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    Ok(response)
}

/// `GET /oauth2/jwks`.
pub(super) async fn jwks(State(desk): State<Desk>, tenant: Extension<Tenant>) -> Result<Response, Refusal> {
    let keys = desk.signers.published(tenant.id).await?;
    Ok(Json(token::jwks(keys.iter().map(AsRef::as_ref))).into_response())
}

/// `GET /oauth2/token/.well-known/openid-configuration`.
pub(super) async fn discovery(State(desk): State<Desk>, tenant: Extension<Tenant>) -> Response {
    Json(desk.discovery(&tenant)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_a_name_and_no_script() {
        assert!(is_function_name("app.done_1") && is_function_name("$"));
        for bad in ["", "a()", "alert(1)//", "a..b", "1a", "a b"] {
            assert!(!is_function_name(bad), "{bad}");
        }
    }
}
