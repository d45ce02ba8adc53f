//! Answers that more than one door gives.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// 201 with `Location`, whose last path segment is the new thing's id: clients take it from there.
pub fn created(location: &str, body: impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(serde_json::json!(null))).into_response();
    *response.body_mut() = match serde_json::to_vec(&body) {
        Ok(bytes) => bytes.into(),
        Err(error) => return crate::Problem::internal(&error).into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// 200 with a definition or other text and its media type.
pub fn ok_text(media_type: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], text).into_response()
}
