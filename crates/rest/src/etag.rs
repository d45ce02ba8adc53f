//! Entity tags. 4.0.0 declares them and sends none; here they work, and a client that sends no `If-Match` sees no difference.

use http::{HeaderMap, header};

use crate::Refusal;

/// A strong tag over what is shown.
#[must_use]
pub fn etag(shown: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, shown);
    digest.as_ref().iter().take(16).fold(String::from("\""), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }) + "\""
}

/// Refuses a change when the client holds an older state than `current`.
///
/// # Errors
/// 412 when `If-Match` is sent and names neither `current` nor `*`.
pub fn if_match(headers: &HeaderMap, current: &str) -> Result<(), Refusal> {
    let sent: Vec<&str> =
        headers.get_all(header::IF_MATCH).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim).collect();
    if sent.is_empty() || sent.iter().any(|tag| *tag == "*" || *tag == current) {
        return Ok(());
    }
    Err(Refusal::Stale)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_old_tag_is_refused_and_none_is_not_asked_for() {
        let tag = etag(b"x");
        let mut headers = HeaderMap::new();
        assert!(if_match(&headers, &tag).is_ok());
        headers.insert(header::IF_MATCH, HeaderValue::from_str(&format!("\"other\", {tag}")).unwrap());
        assert!(if_match(&headers, &tag).is_ok());
        headers.insert(header::IF_MATCH, HeaderValue::from_static("\"other\""));
        let refused = crate::Problem::from(if_match(&headers, &tag).unwrap_err());
        assert_eq!(refused.status().as_u16(), 412);
    }
}
