//! `endpointConfig`: the open JSON object that says where an API's calls go, and a strict reading of it.
//!
//! The object is kept as it came, because clients read it back and old installations hold every dialect of it. What the gateway needs is
//! read from it liberally: an object or a list where either may stand, numbers and booleans as text, empty text as unset, the
//! configuration as an object or as JSON text.

use serde_json::Value;

/// An API's endpoint configuration. Shows itself without passwords and the like.
#[derive(Clone, PartialEq, Default)]
pub struct Endpoints(pub Value);

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoints({})", masked(&self.0))
    }
}

impl Endpoints {
    /// What [`Debug`](std::fmt::Debug) leaves out, in the order in which it stands: two configurations that show themselves alike and have
    /// the same secrets are the same.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.0, &mut found);
        found
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| match is_secret(name, value) {
            true => found.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            false => collect(value, found),
        }),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::String(text) if without_credentials(text) != *text => found.push(text.clone()),
        _ => {}
    }
}

fn is_secret(name: &str, value: &Value) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["password", "secret", "secretkey", "customparameters", "apikeyvalue", "accesstoken"];
    ends.iter().any(|end| name.ends_with(end)) && !value.is_null()
}

/// The same with "…" for every member that holds a secret, and for what an address says between scheme and host.
fn masked(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let masked = members
                .iter()
                .map(|(name, value)| (name.clone(), if is_secret(name, value) { Value::from("…") } else { self::masked(value) }));
            Value::Object(masked.collect())
        }
        Value::Array(values) => values.iter().map(masked).collect(),
        Value::String(text) => Value::from(without_credentials(text)),
        other => other.clone(),
    }
}

fn without_credentials(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://…@{host}{path}"),
                None => text.to_owned(),
            }
        }
        // A configuration may be kept as JSON within a string.
        None => {
            serde_json::from_str::<Value>(text).ok().filter(|v| v.is_object()).map_or_else(|| text.to_owned(), |v| masked(&v).to_string())
        }
    }
}

/// What one environment's calls are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointSet {
    /// Main endpoints: one, or several to balance over.
    pub primary: Vec<Endpoint>,
    /// Tried in turn when the main one fails.
    pub failovers: Vec<Endpoint>,
}

/// One backend address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Absolute `http` or `https` URL (`ws`/`wss` for sockets); the path left after the context is appended.
    pub url: String,
    /// How long to wait for the backend's answer, in milliseconds (`actionDuration`); `None` leaves it to the gateway.
    pub timeout_ms: Option<u64>,
}

/// The configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// Neither production nor sandbox is named.
    #[error("neither production_endpoints nor sandbox_endpoints names a URL")]
    Missing,
    /// An address that is no absolute URL of a known scheme.
    #[error("'{0}' is not an absolute http, https, ws or wss URL")]
    Url(String),
}

impl Endpoints {
    /// `http`, `load_balance`, `failover`, `address`, `default`, …; empty when nothing is configured.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.get("endpoint_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// A plain HTTP configuration for one or two addresses.
    #[must_use]
    pub fn http(production: Option<&str>, sandbox: Option<&str>) -> Self {
        let mut object = serde_json::Map::new();
        object.insert("endpoint_type".to_owned(), "http".into());
        for (key, url) in [("production_endpoints", production), ("sandbox_endpoints", sandbox)] {
            if let Some(url) = url {
                object.insert(key.to_owned(), serde_json::json!({ "url": url }));
            }
        }
        Self(Value::Object(object))
    }

    /// Where production keys' calls go; `None` when no production endpoint is named.
    #[must_use]
    pub fn production(&self) -> Option<EndpointSet> {
        self.set("production_endpoints", "production_failovers")
    }

    /// Where sandbox keys' calls go.
    #[must_use]
    pub fn sandbox(&self) -> Option<EndpointSet> {
        self.set("sandbox_endpoints", "sandbox_failovers")
    }

    /// Checks that at least one endpoint is named and that each address is one.
    ///
    /// # Errors
    /// [`EndpointFault`], naming the offending address.
    pub fn check(&self) -> Result<(), EndpointFault> {
        if matches!(self.kind(), "default" | "awslambda" | "service") {
            return Ok(());
        }
        let sets: Vec<_> = [self.production(), self.sandbox()].into_iter().flatten().collect();
        if sets.is_empty() {
            return Err(EndpointFault::Missing);
        }
        for endpoint in sets.iter().flat_map(|s| s.primary.iter().chain(&s.failovers)) {
            if !is_absolute(&endpoint.url) {
                return Err(EndpointFault::Url(endpoint.url.clone()));
            }
        }
        Ok(())
    }

    fn set(&self, main: &str, spare: &str) -> Option<EndpointSet> {
        let primary = list(self.0.get(main)?);
        if primary.is_empty() {
            return None;
        }
        Some(EndpointSet { primary, failovers: self.0.get(spare).map(list).unwrap_or_default() })
    }
}

fn list(value: &Value) -> Vec<Endpoint> {
    match value {
        Value::Array(items) => items.iter().filter_map(endpoint).collect(),
        single => endpoint(single).into_iter().collect(),
    }
}

fn endpoint(value: &Value) -> Option<Endpoint> {
    let url = match value {
        Value::String(url) => url.as_str(),
        object => object.get("url")?.as_str()?,
    }
    .trim();
    if url.is_empty() {
        return None;
    }
    Some(Endpoint { url: url.to_owned(), timeout_ms: value.get("config").and_then(timeout) })
}

/// `actionDuration`, when the action is to time out; the configuration may be an object or JSON text.
fn timeout(config: &Value) -> Option<u64> {
    let parsed;
    let config = match config {
        Value::String(text) => {
            parsed = serde_json::from_str::<Value>(text).ok()?;
            &parsed
        }
        other => other,
    };
    if config.get("actionSelect").and_then(Value::as_str) == Some("neverTimeout") {
        return None;
    }
    match config.get("actionDuration")? {
        Value::Number(ms) => ms.as_u64(),
        Value::String(ms) => ms.trim().parse().ok(),
        _ => None,
    }
}

fn is_absolute(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    ["http://", "https://", "ws://", "wss://"]
        .iter()
        .any(|scheme| lower.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')))
        && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_shows_itself_without_secrets() {
        let inner = serde_json::json!({"endpoint_security": {"production": {"password": "hunter2"}}}).to_string();
        let shown = format!(
            "{:?}",
            Endpoints(serde_json::json!({
                "production_endpoints": {"url": "https://u:hunter2@b.example/x"},
                "endpoint_security": {"production": {"username": "kitchen", "password": "hunter2", "clientSecret": "hunter2",
                    "tokenUrl": "https://sso.example/token", "customParameters": {"k": "hunter2"}}},
                "older": inner, "amznSecret": "hunter2",
            }))
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        let one = |secret: &str| Endpoints(serde_json::json!({"url": format!("http://u:{secret}@b"), "x": [{"clientSecret": secret}]}));
        assert_eq!(one("a").secrets(), ["http://u:a@b", "a"]);
        assert!(format!("{:?}", one("a")) == format!("{:?}", one("b")) && one("a").secrets() != one("b").secrets());
        for stays in ["kitchen", "https://…@b.example/x", "https://sso.example/token"] {
            assert!(shown.contains(stays), "{shown}");
        }
    }

    #[test]
    fn every_dialect_of_one_endpoint_reads_the_same() {
        for value in [
            json!({"production_endpoints": {"url": "http://b:1/x", "config": {"actionDuration": "250", "actionSelect": "fault"}}}),
            json!({"production_endpoints": [{"url": "http://b:1/x", "config": {"actionDuration": 250}}]}),
            json!({"production_endpoints": {"url": " http://b:1/x ", "config": "{\"actionDuration\":\"250\"}"}}),
        ] {
            let set = Endpoints(value).production().expect("a production endpoint");
            assert_eq!(set.primary, [Endpoint { url: "http://b:1/x".to_owned(), timeout_ms: Some(250) }]);
        }
    }

    #[test]
    fn absent_empty_and_null_are_no_endpoint() {
        for value in [json!({}), json!(null), json!({"sandbox_endpoints": {"url": ""}}), json!({"sandbox_endpoints": []})] {
            assert_eq!(Endpoints(value).sandbox(), None);
        }
    }

    #[test]
    fn a_bad_address_is_named() {
        assert_eq!(Endpoints::http(Some("backend:80"), None).check(), Err(EndpointFault::Url("backend:80".to_owned())));
        assert_eq!(Endpoints::default().check(), Err(EndpointFault::Missing));
        assert_eq!(Endpoints::http(Some("https://b/x"), None).check(), Ok(()));
    }
}
