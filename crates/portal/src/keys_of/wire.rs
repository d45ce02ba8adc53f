//! The JSON of keys. Numbers may be text, and the additional properties JSON text: clients send either.

use keys::ApplicationToken;
use model::{KeyMapping, KeyType, Lifetimes, OAuthClient, Secret};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use rest::Refusal;

/// More grants than there are, and longer than any is named.
const GRANTS_MAX: usize = 20;
const GRANT_MAX_CHARS: usize = 100;
const CALLBACK_MAX_CHARS: usize = 2048;

/// Where a lifetime is left to the server.
const NOT_SET: &str = "N/A";

/// `ApplicationKeyGenerateRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GenerateKeys {
    #[serde(deserialize_with = "key_type")]
    pub(super) key_type: KeyType,
    pub(super) key_manager: Option<String>,
    grant_types_to_be_supported: Vec<String>,
    callback_url: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub(super) scopes: Vec<String>,
    /// Lifetime of the token in the answer; negative asks for none.
    #[serde(default, rename = "validityTime", deserialize_with = "number")]
    pub(super) validity_secs: Option<i64>,
    additional_properties: Option<Value>,
    #[serde(rename = "clientId")]
    _client_id: Option<Value>,
    #[serde(rename = "clientSecret")]
    _client_secret: Option<Value>,
}

/// `ApplicationKey` as sent to change one; what is read-only may be sent back and is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyBody {
    supported_grant_types: Option<Vec<String>>,
    callback_url: Option<String>,
    additional_properties: Option<Value>,
    #[serde(rename = "keyMappingId")]
    _key_mapping_id: Option<Value>,
    #[serde(rename = "keyManager")]
    _key_manager: Option<Value>,
    #[serde(rename = "consumerKey")]
    _consumer_key: Option<Value>,
    #[serde(rename = "consumerSecret")]
    _consumer_secret: Option<Value>,
    #[serde(rename = "keyState")]
    _key_state: Option<Value>,
    #[serde(rename = "keyType")]
    _key_type: Option<Value>,
    #[serde(rename = "mode")]
    _mode: Option<Value>,
    #[serde(rename = "groupId")]
    _group_id: Option<Value>,
    #[serde(rename = "token")]
    _token: Option<Value>,
}

/// `ApplicationKeyMappingRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MapKeys {
    pub(super) consumer_key: String,
    #[serde(default)]
    pub(super) consumer_secret: Sealed,
    pub(super) key_manager: Option<String>,
    #[serde(deserialize_with = "key_type")]
    pub(super) key_type: KeyType,
}

/// `ApplicationTokenGenerateRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GenerateToken {
    pub(super) consumer_secret: Option<Sealed>,
    #[serde(default, rename = "validityPeriod", deserialize_with = "number")]
    pub(super) validity_secs: Option<i64>,
    #[serde(default, deserialize_with = "list")]
    pub(super) scopes: Vec<String>,
    pub(super) revoke_token: Option<Sealed>,
    #[serde(rename = "additionalProperties")]
    _additional_properties: Option<Value>,
}

/// A secret a client sent.
#[derive(Deserialize)]
#[serde(from = "Option<String>")]
pub(super) struct Sealed(Secret<String>);

impl From<Option<String>> for Sealed {
    fn from(text: Option<String>) -> Self {
        Self(Secret::new(text.unwrap_or_default()))
    }
}

impl Default for Sealed {
    fn default() -> Self {
        Self::from(None)
    }
}

impl Sealed {
    pub(super) fn is_empty(&self) -> bool {
        self.0.expose().is_empty()
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether it is the client's secret. Takes as long for a wrong one as for the right one.
    pub(super) fn is_of(&self, client: &OAuthClient) -> bool {
        let (sent, kept) = (self.expose().as_bytes(), client.secret.expose().as_bytes());
        let differing = sent.iter().zip(kept).fold(0, |bits, (a, b)| bits | (a ^ b));
        !kept.is_empty() && sent.len() == kept.len() && differing == 0
    }
}

/// What is wanted of a client.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) grants: Vec<String>,
    pub(super) callback_url: Option<String>,
    pub(super) lifetimes: Lifetimes,
}

impl GenerateKeys {
    /// # Errors
    /// 400 for grants or lifetimes that cannot be.
    pub(super) fn client(&self) -> Result<Wanted, Refusal> {
        wanted(
            "grantTypesToBeSupported",
            self.grant_types_to_be_supported.clone(),
            self.callback_url.clone(),
            self.additional_properties.as_ref(),
            Lifetimes::default(),
        )
    }
}

impl KeyBody {
    /// `kept` are the lifetimes where the body names none.
    ///
    /// # Errors
    /// As [`GenerateKeys::client`].
    pub(super) fn client(self, kept: Lifetimes) -> Result<Wanted, Refusal> {
        let grants = self.supported_grant_types.unwrap_or_default();
        wanted("supportedGrantTypes", grants, self.callback_url, self.additional_properties.as_ref(), kept)
    }
}

fn wanted(
    field: &'static str,
    grants: Vec<String>,
    callback_url: Option<String>,
    properties: Option<&Value>,
    kept: Lifetimes,
) -> Result<Wanted, Refusal> {
    let fault = |path: &str, rule: &str| Err(Refusal::field(path, rule));
    let mut distinct: Vec<String> = Vec::with_capacity(grants.len().min(GRANTS_MAX));
    for grant in grants.into_iter().map(|grant| grant.trim().to_owned()).filter(|grant| !grant.is_empty()) {
        if grant.chars().count() > GRANT_MAX_CHARS || grant.contains(char::is_whitespace) || distinct.len() >= GRANTS_MAX {
            return fault(field, "must be a short list of names of grants");
        }
        if !distinct.contains(&grant) {
            distinct.push(grant);
        }
    }
    if distinct.is_empty() {
        return fault(field, "must name at least one grant");
    }
    let callback_url = callback_url.map(|url| url.trim().to_owned()).filter(|url| !url.is_empty());
    if callback_url.as_ref().is_some_and(|url| url.chars().count() > CALLBACK_MAX_CHARS) {
        return fault("callbackUrl", "is too long");
    }
    if callback_url.is_none() && distinct.iter().any(|grant| grant == "authorization_code" || grant == "implicit") {
        return fault("callbackUrl", "must be given for the grants authorization_code and implicit");
    }
    Ok(Wanted { grants: distinct, callback_url, lifetimes: lifetimes(properties, kept)? })
}

fn lifetimes(properties: Option<&Value>, kept: Lifetimes) -> Result<Lifetimes, Refusal> {
    let parsed;
    let properties = match properties {
        None | Some(Value::Null) => return Ok(kept),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(kept),
        Some(Value::String(text)) => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| Refusal::Bad("additionalProperties is no JSON object".to_owned()))?;
            &parsed
        }
        Some(object) => object,
    };
    let read = |name: &'static str, kept: Option<i64>| match properties.get(name) {
        None | Some(Value::Null) => Ok(kept),
        Some(Value::Number(secs)) if secs.is_i64() => Ok(secs.as_i64()),
        Some(Value::String(text)) if matches!(text.trim(), "" | NOT_SET) => Ok(None),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| not_a_number(name)),
        Some(_) => Err(not_a_number(name)),
    };
    Ok(Lifetimes {
        application_secs: read("application_access_token_expiry_time", kept.application_secs)?,
        user_secs: read("user_access_token_expiry_time", kept.user_secs)?,
        refresh_secs: read("refresh_token_expiry_time", kept.refresh_secs)?,
        id_token_secs: read("id_token_expiry_time", kept.id_token_secs)?,
    })
}

fn not_a_number(name: &'static str) -> Refusal {
    Refusal::field(name, format!("must be a whole number of seconds or {NOT_SET}"))
}

/// `ApplicationKey`. A client that is gone or waits for approval shows as `null`s.
pub(super) fn show(mapping: &KeyMapping, client: Option<&OAuthClient>, token: Option<&ApplicationToken>) -> Value {
    let secs = |of: fn(&Lifetimes) -> Option<i64>| client.and_then(|c| of(&c.lifetimes)).map_or(json!(NOT_SET), |secs| json!(secs));
    json!({
        "keyMappingId": mapping.id.to_string(),
        "keyManager": mapping.key_manager,
        "consumerKey": mapping.consumer_key,
        "consumerSecret": client.map(|c| c.secret.expose()),
        "supportedGrantTypes": client.map(|c| c.grants.as_slice()).unwrap_or_default(),
        "callbackUrl": client.and_then(|c| c.callback_url.as_deref()),
        "keyState": mapping.state.name(),
        "keyType": mapping.key_type.name(),
        "mode": mapping.mode.name(),
        "groupId": null,
        "token": token.map(show_token),
        "additionalProperties": {
            "application_access_token_expiry_time": secs(|l| l.application_secs),
            "user_access_token_expiry_time": secs(|l| l.user_secs),
            "refresh_token_expiry_time": secs(|l| l.refresh_secs),
            "id_token_expiry_time": secs(|l| l.id_token_secs),
        },
    })
}

/// `ApplicationToken`.
pub(super) fn show_token(token: &ApplicationToken) -> Value {
    json!({ "accessToken": token.access_token.expose(), "tokenScopes": token.scopes, "validityTime": token.validity_secs })
}

fn key_type<'de, D: Deserializer<'de>>(from: D) -> Result<KeyType, D::Error> {
    let text = String::deserialize(from)?;
    KeyType::parse(&text).ok_or_else(|| serde::de::Error::unknown_variant(&text, &["PRODUCTION", "SANDBOX"]))
}

fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let wrong = || serde::de::Error::custom("a lifetime must be a whole number of seconds");
    match Option::<Value>::deserialize(from)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(secs)) => secs.as_i64().map(Some).ok_or_else(wrong),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Wanted, Refusal> {
        serde_json::from_value::<GenerateKeys>(value).unwrap().client()
    }

    #[test]
    fn lifetimes_may_be_numbers_text_or_inside_text() {
        for properties in [
            json!({"application_access_token_expiry_time": 7, "user_access_token_expiry_time": "N/A", "refresh_token_expiry_time": "-1"}),
            json!(r#"{"application_access_token_expiry_time": "7", "refresh_token_expiry_time": -1}"#),
        ] {
            let sent = json!({"keyType": "PRODUCTION", "grantTypesToBeSupported": ["a", "a"], "additionalProperties": properties, "validityTime": "60"});
            let wanted = read(sent).unwrap();
            assert_eq!(wanted.lifetimes, Lifetimes { application_secs: Some(7), refresh_secs: Some(-1), ..Lifetimes::default() });
            assert_eq!(wanted.grants, ["a"]);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (field, value) in [
            ("grantTypesToBeSupported", json!([])),
            ("grantTypesToBeSupported", json!(["a b"])),
            ("grantTypesToBeSupported", json!(["implicit"])),
            ("additionalProperties", json!("{")),
            ("additionalProperties", json!({"id_token_expiry_time": "soon"})),
            ("additionalProperties", json!({"id_token_expiry_time": 1.5})),
        ] {
            let mut sent = json!({"keyType": "SANDBOX", "grantTypesToBeSupported": ["a"]});
            sent[field] = value;
            assert!(read(sent.clone()).is_err(), "{sent}");
        }
    }
}
