//! Answers in the form of RFC 6749: errors, and the headers that keep tokens out of caches.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::callers::chain;
use crate::{DeskError, Issued, Refusal};

const PRAGMA_NO_CACHE: (HeaderName, HeaderValue) = (header::PRAGMA, HeaderValue::from_static("no-cache"));

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::Server(cause) = &self {
            tracing::error!(error = %chain(cause.as_ref()), "a request at the key desk failed inside the server");
        }
        let status = match &self {
            Self::InvalidClient(_) => StatusCode::UNAUTHORIZED,
            Self::Server(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = Json(json!({ "error_description": printable(&self.to_string()), "error": self.code() }));
        let mut response = (status, body).into_response();
        if matches!(self, Self::InvalidClient(_) | Self::Server(_)) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"oauth2\""));
        }
        response
    }
}

impl From<DeskError> for Refusal {
    fn from(error: DeskError) -> Self {
        Self::server(error)
    }
}

/// RFC 6749, 5.2 allows printable ASCII without quote and backslash; the words may hold what a stranger typed.
fn printable(words: &str) -> String {
    words.chars().filter(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')).take(500).collect()
}

/// A pair as JSON.
pub(super) fn issued(issued: Issued) -> Response {
    let mut body = json!({ "access_token": issued.access_token.expose() });
    if let Some(refresh) = &issued.refresh_token {
        body["refresh_token"] = json!(refresh.expose());
    }
    body["scope"] = json!(issued.scopes.join(" "));
    if let Some(id_token) = &issued.id_token {
        body["id_token"] = json!(id_token.expose());
    }
    body["token_type"] = json!("Bearer");
    body["expires_in"] = json!(issued.expires_in);
    Json(body).into_response()
}

pub(super) fn unauthorized(challenge: &'static str, body: impl IntoResponse) -> Response {
    let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

pub(super) async fn with_common_headers(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA_NO_CACHE.0, PRAGMA_NO_CACHE.1);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block"));
    response
}
