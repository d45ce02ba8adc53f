//! How the gateway signs in at an API's backend: `endpoint_security` of the endpoint configuration, read once when the snapshot is made.
//!
//! Basic is a header and nothing more. Digest answers what the backend asks ([`digest`]); OAuth shows a token that somebody else gives
//! ([`oauth`]). Whatever the way, the client's own `Authorization` does not go to such a backend. A way nobody here knows is refused rather
//! than called without, so that a deployment says why instead of every call.

pub(crate) mod digest;
pub(crate) mod oauth;

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use model::{Endpoints, Secret};
use serde_json::Value;

use self::digest::Digest;
use self::oauth::{Grant, OAuth};

/// A way to sign in. Nothing in it prints.
#[derive(Debug)]
pub(crate) enum SignIn {
    /// The value of `Authorization`.
    Basic(HeaderValue),
    Digest(Digest),
    OAuth(Arc<OAuth>),
}

/// What `Authorization` says to a backend, in place of what the client said.
#[derive(Clone, Copy)]
pub(crate) enum Authorization<'c> {
    /// Nothing.
    Withheld,
    Value(&'c HeaderValue),
    /// An answer to the backend's challenge, where it has sent one.
    Digest(&'c Digest),
}

/// How to sign in at the backends of `environment`, `production` or `sandbox`; `None` leaves the client's header alone.
///
/// # Errors
/// What is wrong: a way to sign in that is not supported, or one that lacks a part.
pub(crate) fn of(endpoints: &Endpoints, environment: &str) -> Result<Option<SignIn>, String> {
    let Some(security) = endpoints.0.get("endpoint_security").and_then(|security| security.get(environment)) else { return Ok(None) };
    // Old exports write truth values as text.
    let enabled = security.get("enabled").is_some_and(|value| value.as_bool().unwrap_or(value.as_str() == Some("true")));
    let text = |name: &str| security.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = text("type");
    if !enabled || kind.is_empty() || kind.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let secret = |name: &str| Secret::new(text(name).to_owned());
    match kind.to_ascii_lowercase().as_str() {
        "basic" => basic(text("username"), text("password")).ok_or_else(|| kind.to_owned()).map(|value| Some(SignIn::Basic(value))),
        "digest" => Ok(Some(SignIn::Digest(Digest::new(text("username"), secret("password"))))),
        "oauth" => {
            let grant = match text("grantType").to_ascii_uppercase().as_str() {
                "" | "CLIENT_CREDENTIALS" => Grant::Client,
                "PASSWORD" => Grant::Password { user: text("username").to_owned(), password: secret("password") },
                other => return Err(format!("{kind} with grant {other}")),
            };
            let custom = custom_parameters(security.get("customParameters"));
            let client = basic(text("clientId"), text("clientSecret")).ok_or_else(|| kind.to_owned())?;
            let oauth = OAuth::new(text("tokenUrl"), client, grant, custom).map_err(|fault| format!("{kind} at tokenUrl: {fault}"))?;
            Ok(Some(SignIn::OAuth(Arc::new(oauth))))
        }
        _ => Err(kind.to_owned()),
    }
}

fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {pair}")).ok()?;
    // Keeps it out of whatever prints headers.
    value.set_sensitive(true);
    Some(value)
}

/// An object, or one as text, as the publisher of 4.0.0 writes it.
fn custom_parameters(value: Option<&Value>) -> Vec<(String, Secret<String>)> {
    let parsed = value.and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let object = parsed.as_ref().or(value).and_then(Value::as_object);
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.into_iter().flatten().map(|(name, value)| (name.clone(), Secret::new(as_text(value)))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(security: Value) -> Result<Option<SignIn>, String> {
        of(&Endpoints(json!({"endpoint_security": {"production": security}})), "production")
    }

    #[test]
    fn basic_is_a_header() {
        for enabled in [json!(true), json!("true")] {
            let found = read(json!({"enabled": enabled, "type": "basic", "username": "kitchen", "password": "wörd:1"})).unwrap();
            let Some(SignIn::Basic(value)) = &found else { panic!("{found:?}") };
            assert_eq!(value.to_str().unwrap(), "Basic a2l0Y2hlbjp3w7ZyZDox");
            assert_eq!(format!("{value:?}"), "Sensitive");
        }
    }

    #[test]
    fn what_is_off_or_absent_is_nothing_and_what_nobody_knows_is_refused() {
        for off in [json!(null), json!({}), json!({"enabled": false, "type": "BASIC"}), json!({"enabled": true, "type": "NONE"})] {
            assert!(matches!(read(off), Ok(None)));
        }
        assert!(matches!(of(&Endpoints::http(Some("http://b"), None), "production"), Ok(None)));
        assert_eq!(read(json!({"enabled": true, "type": "NTLM"})).unwrap_err(), "NTLM");
        assert!(matches!(read(json!({"enabled": true, "type": "DIGEST", "username": "u"})), Ok(Some(SignIn::Digest(_)))));
    }

    #[test]
    fn a_token_needs_somebody_who_gives_it() {
        let with = |url: &str, grant: &str| {
            read(json!({"enabled": true, "type": "oauth", "tokenUrl": url, "grantType": grant, "clientId": "c", "clientSecret": "hunter2",
                "username": "u", "password": "hunter2", "customParameters": "{\"audience\":\"hunter2\",\"n\":1}"}))
        };
        let Ok(Some(SignIn::OAuth(oauth))) = with("https://sso.example/token", "PASSWORD") else { panic!("not read") };
        assert!(!format!("{oauth:?}").contains("hunter2"), "{oauth:?}");
        assert!(with("", "CLIENT_CREDENTIALS").unwrap_err().contains("tokenUrl"));
        assert_eq!(with("https://sso.example/token", "implicit").unwrap_err(), "oauth with grant IMPLICIT");
    }
}
