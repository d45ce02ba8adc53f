//! The error body: `{"code":…,"message":…,"description":…,"moreInfo":"","error":[]}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

/// An error as a REST client sees it. What the log sees is another matter: [`Problem::internal`] writes the cause there and shows the
/// client none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(skip)]
    status: StatusCode,
    code: u32,
    message: String,
    description: String,
    #[serde(rename = "moreInfo")]
    more_info: String,
    error: Vec<ErrorItem>,
}

/// One of several faults in one request. 4.0.0's command line client fails on objects in `error`, so the list stays empty except for
/// body validation, where 4.0.0 fills it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorItem {
    /// `400_<path>`.
    pub code: String,
    /// `<path>: <rule>`.
    pub message: String,
    /// More words.
    pub description: String,
}

impl Problem {
    /// Any status with a code of the catalogue.
    pub fn with_code(status: StatusCode, code: u32, message: impl Into<String>, description: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), description: description.into(), more_info: String::new(), error: Vec::new() }
    }

    /// 400.
    pub fn bad_request(description: impl Into<String>) -> Self {
        Self::with_code(StatusCode::BAD_REQUEST, 400, "Bad Request", description)
    }

    /// 400 with a list of what is wrong.
    #[must_use]
    pub fn invalid(items: Vec<ErrorItem>) -> Self {
        Self { error: items, ..Self::bad_request("Validation Error") }
    }

    /// 401, also for a token that lacks the scope: 4.0.0 does not tell the two apart.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::with_code(StatusCode::UNAUTHORIZED, 401, "", "Unauthenticated request")
    }

    /// 403.
    pub fn forbidden(description: impl Into<String>) -> Self {
        Self::with_code(StatusCode::FORBIDDEN, 403, "Forbidden", description)
    }

    /// 404 for a thing by its id.
    pub fn not_found(resource: &str, id: impl std::fmt::Display) -> Self {
        Self::with_code(StatusCode::NOT_FOUND, 404, "Not Found", format!("Requested {resource} with Id '{id}' not found"))
    }

    /// 409.
    pub fn conflict(description: impl Into<String>) -> Self {
        Self::with_code(StatusCode::CONFLICT, 409, "Conflict", description)
    }

    /// 412.
    pub fn precondition_failed(description: impl Into<String>) -> Self {
        Self::with_code(StatusCode::PRECONDITION_FAILED, 412, "Precondition Failed", description)
    }

    /// 413.
    pub fn too_large(description: impl Into<String>) -> Self {
        Self::with_code(StatusCode::PAYLOAD_TOO_LARGE, 413, "Payload Too Large", description)
    }

    /// 500. The whole chain of causes goes to the log, the fixed text to the client.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = cause.to_string();
        let mut next = cause.source();
        while let Some(source) = next {
            chain.push_str(": ");
            chain.push_str(&source.to_string());
            next = source.source();
        }
        tracing::error!(error = %chain, "a request failed inside the server");
        Self::with_code(
            StatusCode::INTERNAL_SERVER_ERROR,
            500,
            "Internal server error",
            "The server encountered an internal error. Please contact administrator.",
        )
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The words for the client.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_that_of_4_0_0() {
        let body = serde_json::to_string(&Problem::not_found("API", "x")).unwrap();
        assert_eq!(
            body,
            r#"{"code":404,"message":"Not Found","description":"Requested API with Id 'x' not found","moreInfo":"","error":[]}"#
        );
    }
}
