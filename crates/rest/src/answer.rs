//! Answers that more than one door gives.

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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

/// How a browser is to take a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'a> {
    /// To be shown. It stands on the portal's own address, so nothing in it may run or reach out.
    InPlace,
    /// To be stored under this name.
    Attachment(&'a str),
}

/// 200 with a file's bytes and `tag`, its entity tag without quotes; 304 when the client holds it already.
pub fn ok_file(asked: &HeaderMap, media_type: &str, shown: Shown<'_>, tag: &str, bytes: Vec<u8>) -> Response {
    let quoted = format!("\"{tag}\"");
    let sent = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim);
    let is_held = sent.into_iter().any(|one| one == quoted || one.strip_prefix("W/") == Some(quoted.as_str()));
    let mut response = if is_held { StatusCode::NOT_MODIFIED.into_response() } else { Bytes::from(bytes).into_response() };
    let headers = response.headers_mut();
    // Old registries hold words that are no media types.
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(media_type).ok().filter(|_| media_type.contains('/')).unwrap_or(octets));
    if let Ok(value) = HeaderValue::from_str(&quoted) {
        headers.insert(header::ETAG, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"));
    if let Shown::Attachment(name) = shown
        && let Ok(value) = HeaderValue::from_str(&disposition(name))
    {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The name as 4.0.0 writes it, and where that cannot hold it the whole name beside it (RFC 6266).
fn disposition(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' }).collect();
    if plain == name {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_name_and_runs_nothing() {
        let asked = HeaderMap::new();
        let answer = ok_file(&asked, "text/html", Shown::Attachment("Größe \"1\"\r\nX: y.html"), "ab", b"<script>".to_vec());
        let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(
            header("content-disposition"),
            "attachment; filename=\"Gr__e _1___X: y.html\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%0D%0AX%3A%20y%2Ehtml"
        );
        assert_eq!(header("content-type"), "text/html");
        assert!(header("content-security-policy").contains("sandbox"));
        assert_eq!(disposition("reference sheet.pdf"), "attachment; filename=\"reference sheet.pdf\"");
        assert_eq!(ok_file(&asked, "nonsense", Shown::InPlace, "ab", Vec::new()).headers()["content-type"], "application/octet-stream");
    }

    #[test]
    fn a_file_the_client_holds_is_not_sent_again() {
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"x\", W/\"ab\""));
        assert_eq!(ok_file(&asked, "image/png", Shown::InPlace, "ab", vec![1]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ok_file(&asked, "image/png", Shown::InPlace, "cd", vec![1]).status(), StatusCode::OK);
    }
}
