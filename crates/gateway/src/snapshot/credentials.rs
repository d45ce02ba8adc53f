//! How the gateway signs in at an API's backend: `endpoint_security` of the endpoint configuration, read once.
//!
//! Basic is a header and nothing more. Digest and OAuth need a conversation with the backend, which this gateway does not hold; an API that
//! asks for them is refused rather than called without, so that a deployment says why instead of every call.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use model::Endpoints;
use serde_json::Value;

/// The value of `Authorization` for the backends of `environment`, `production` or `sandbox`; `None` leaves the header alone.
///
/// # Errors
/// The name of a way to sign in that is not supported.
pub(crate) fn authorization(endpoints: &Endpoints, environment: &str) -> Result<Option<HeaderValue>, String> {
    let Some(security) = endpoints.0.get("endpoint_security").and_then(|security| security.get(environment)) else { return Ok(None) };
    // Old exports write truth values as text.
    let enabled = security.get("enabled").is_some_and(|value| value.as_bool().unwrap_or(value.as_str() == Some("true")));
    let text = |name: &str| security.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = text("type");
    if !enabled || kind.is_empty() || kind.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    if !kind.eq_ignore_ascii_case("basic") {
        return Err(kind.to_owned());
    }
    let pair = BASE64_STANDARD.encode(format!("{}:{}", text("username"), text("password")));
    let mut value = HeaderValue::try_from(format!("Basic {pair}")).map_err(|_| kind.to_owned())?;
    // Keeps it out of whatever prints headers.
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(security: Value) -> Result<Option<HeaderValue>, String> {
        authorization(&Endpoints(json!({"endpoint_security": {"production": security}})), "production")
    }

    #[test]
    fn basic_is_a_header() {
        for enabled in [json!(true), json!("true")] {
            let value = of(json!({"enabled": enabled, "type": "basic", "username": "kitchen", "password": "wörd:1"})).unwrap().unwrap();
            assert_eq!(value.to_str().unwrap(), "Basic a2l0Y2hlbjp3w7ZyZDox");
            assert_eq!(format!("{value:?}"), "Sensitive");
        }
    }

    #[test]
    fn what_is_off_or_absent_is_nothing_and_the_rest_is_refused() {
        for off in [json!(null), json!({}), json!({"enabled": false, "type": "BASIC"}), json!({"enabled": true, "type": "NONE"})] {
            assert_eq!(of(off), Ok(None));
        }
        assert_eq!(authorization(&Endpoints::http(Some("http://b"), None), "production"), Ok(None));
        assert_eq!(of(json!({"enabled": true, "type": "DIGEST"})), Err("DIGEST".to_owned()));
        assert_eq!(of(json!({"enabled": true, "type": "oauth"})), Err("oauth".to_owned()));
    }
}
