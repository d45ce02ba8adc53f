//! Backend passwords inside `endpointConfig`: hidden when shown, kept when a client sends the hidden form back.
//!
//! Clients read an API, change something and send all of it back. They get no secret to send, so an empty one means "as it was".

use serde_json::Value;

/// Fields of `endpoint_security.{production,sandbox}` that hold a secret.
const SECURITY_SECRETS: [&str; 2] = ["password", "clientSecret"];

/// What an AWS secret key reads as.
const AWS_PLACEHOLDER: &str = "AWS_SECRET_KEY";

/// A copy without the secrets: passwords empty, the AWS key a placeholder.
pub fn masked(config: &Value) -> Value {
    let mut shown = config.clone();
    for_each_secret(&mut shown, &mut |_, secret| {
        if secret.as_str().is_some_and(|text| !text.is_empty()) {
            *secret = Value::String(String::new());
        }
    });
    if let Some(secret) = shown.get_mut("amznSecretKey").filter(|s| s.as_str().is_some_and(|text| !text.is_empty())) {
        *secret = Value::String(AWS_PLACEHOLDER.to_owned());
    }
    shown
}

/// Fills secrets that `sent` left empty from `stored`, environment by environment.
pub fn keep(sent: &mut Value, stored: &Value) {
    for_each_secret(sent, &mut |path, secret| {
        if (secret.is_null() || secret.as_str() == Some(""))
            && let Some(kept) = stored.pointer(path)
        {
            *secret = kept.clone();
        }
    });
    if let (Some(secret), Some(kept)) = (sent.get_mut("amznSecretKey"), stored.get("amznSecretKey"))
        && matches!(secret.as_str(), None | Some("" | AWS_PLACEHOLDER))
    {
        *secret = kept.clone();
    }
}

fn for_each_secret(config: &mut Value, act: &mut impl FnMut(&str, &mut Value)) {
    for environment in ["production", "sandbox"] {
        for field in SECURITY_SECRETS {
            let path = format!("/endpoint_security/{environment}/{field}");
            if let Some(secret) = config.pointer_mut(&path) {
                act(&path, secret);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored() -> Value {
        json!({
            "endpoint_type": "http",
            "production_endpoints": {"url": "http://b"},
            "amznSecretKey": "aws",
            "endpoint_security": {
                "production": {"enabled": true, "type": "BASIC", "username": "u", "password": "p1"},
                "sandbox": {"enabled": true, "type": "OAUTH", "clientId": "c", "clientSecret": "s1", "password": ""},
            },
        })
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let text = masked(&stored()).to_string();
        for secret in ["p1", "s1", "\"aws\""] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("\"username\":\"u\""));
    }

    #[test]
    fn the_shown_form_sent_back_changes_nothing() {
        let mut sent = masked(&stored());
        keep(&mut sent, &stored());
        assert_eq!(sent, stored());
    }

    #[test]
    fn a_new_secret_replaces_the_old_one() {
        let mut sent = masked(&stored());
        sent["endpoint_security"]["production"]["password"] = "p2".into();
        keep(&mut sent, &stored());
        assert_eq!(sent["endpoint_security"]["production"]["password"], "p2");
        assert_eq!(sent["endpoint_security"]["sandbox"]["clientSecret"], "s1");
    }
}
