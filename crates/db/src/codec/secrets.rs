//! Backend credentials inside `endpointConfig`, sealed before they reach the database's file and opened when they come back.
//!
//! A secret `"x"` is kept as `{"sealed": "<Base64>"}`. Texts that are not so wrapped are taken as they are, so that nothing is lost when a
//! row was written some other way.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::{Error, Result, Sealer};

/// Names of the members that hold a secret, wherever in the object they stand.
const SECRET_MEMBERS: [&str; 3] = ["password", "clientSecret", "amznSecretKey"];

const COLUMN: &str = "api.endpoints";
const WRAP: &str = "sealed";

/// Whether there is anything to seal.
pub(crate) fn any(config: &Value) -> bool {
    match config {
        Value::Object(members) => members.iter().any(|(name, value)| is_secret(name, value) || any(value)),
        Value::Array(items) => items.iter().any(any),
        _ => false,
    }
}

/// Seals every secret for the API `row`.
pub(crate) fn seal(sealer: &Sealer, row: &str, config: &mut Value) -> Result<()> {
    walk(config, &mut |name, value| {
        if let (true, Value::String(plain)) = (is_secret(name, value), &*value) {
            let sealed = sealer.seal(COLUMN, row, plain.as_bytes())?;
            *value = json!({ WRAP: BASE64_STANDARD.encode(sealed) });
        }
        Ok(())
    })
}

/// Opens what [`seal`] sealed.
pub(crate) fn open(sealer: &Sealer, row: &str, config: &mut Value) -> Result<()> {
    walk(config, &mut |name, value| {
        let Some(sealed) = SECRET_MEMBERS.contains(&name).then(|| value.get(WRAP).and_then(Value::as_str)).flatten() else { return Ok(()) };
        let sealed = BASE64_STANDARD.decode(sealed).map_err(|_| Error::corrupt(COLUMN, "a sealed value is no Base64"))?;
        let plain = sealer.open(COLUMN, row, &sealed)?;
        let text = std::str::from_utf8(plain.expose()).map_err(|_| Error::corrupt(COLUMN, "a sealed value is no text"))?;
        *value = Value::String(text.to_owned());
        Ok(())
    })
}

fn is_secret(name: &str, value: &Value) -> bool {
    SECRET_MEMBERS.contains(&name) && value.as_str().is_some_and(|text| !text.is_empty())
}

fn walk(config: &mut Value, act: &mut impl FnMut(&str, &mut Value) -> Result<()>) -> Result<()> {
    match config {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                act(name, value)?;
                walk(value, act)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, act)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_own_row_only() {
        let sealer = Sealer::new([7; 32]);
        let plain = json!({"endpoint_security": {"production": {"username": "u", "password": "hunter2"}}, "amznSecretKey": "", "x": [1]});
        let mut config = plain.clone();
        assert!(any(&config));
        seal(&sealer, "a", &mut config).unwrap();
        assert!(!config.to_string().contains("hunter2"));
        assert!(open(&sealer, "b", &mut config.clone()).is_err());
        open(&sealer, "a", &mut config).unwrap();
        assert_eq!(config, plain);
    }

    #[test]
    fn a_configuration_without_secrets_is_left_alone() {
        assert!(!any(&json!({"production_endpoints": {"url": "http://b"}, "endpoint_security": {"production": {"password": ""}}})));
    }
}
