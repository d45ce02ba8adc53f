//! `x-wso2-*` at the top of a definition: an API's settings that travel with it.

use model::{Api, Cors, Endpoint, EndpointSet, Endpoints};
use serde_json::{Value, json};

use crate::{Object, text, words};

/// Settings found in a definition. What 4.0.0 leaves open stays as given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extensions {
    /// `x-wso2-basePath`: context, perhaps with `{version}`.
    pub base_path: Option<String>,
    /// `x-wso2-production-endpoints`: `{urls, type, …}`.
    pub production_endpoints: Option<Value>,
    /// `x-wso2-sandbox-endpoints`.
    pub sandbox_endpoints: Option<Value>,
    /// `x-wso2-cors`.
    pub cors: Option<Cors>,
    /// `x-wso2-transports`.
    pub transports: Vec<String>,
    /// `x-wso2-throttling-tier`, or `x-throttling-tier` at the top: policy of the whole API.
    pub policy: Option<String>,
    /// `x-wso2-auth-header`: request header that carries the token.
    pub authorization_header: Option<String>,
    /// `x-wso2-disable-security`: no operation asks for credentials.
    pub security_disabled: bool,
    /// `x-wso2-application-security`, as given.
    pub application_security: Option<Value>,
    /// `x-wso2-mutual-ssl`: `mandatory` or `optional`.
    pub mutual_ssl: Option<String>,
    /// `x-wso2-response-cache`: whether on, and its timeout in seconds.
    pub response_cache: Option<(bool, Option<u32>)>,
}

impl Extensions {
    pub(crate) fn of(document: &Value) -> Self {
        let owned = |key: &str| text(document, key).map(str::to_owned);
        Self {
            base_path: owned("x-wso2-basePath"),
            production_endpoints: document.get("x-wso2-production-endpoints").cloned(),
            sandbox_endpoints: document.get("x-wso2-sandbox-endpoints").cloned(),
            cors: document.get("x-wso2-cors").filter(|c| c.is_object()).map(cors),
            transports: document.get("x-wso2-transports").map(words).unwrap_or_default(),
            policy: owned("x-wso2-throttling-tier").or_else(|| owned("x-throttling-tier")),
            authorization_header: owned("x-wso2-auth-header"),
            security_disabled: document.get("x-wso2-disable-security").is_some_and(is_true),
            application_security: document.get("x-wso2-application-security").cloned(),
            mutual_ssl: owned("x-wso2-mutual-ssl"),
            response_cache: document.get("x-wso2-response-cache").filter(|c| c.is_object()).map(|cache| {
                let seconds = cache.get("cacheTimeoutInSeconds").and_then(Value::as_u64).and_then(|s| u32::try_from(s).ok());
                (cache.get("enabled").is_some_and(is_true), seconds)
            }),
        }
    }

    /// The backends as an endpoint configuration; `None` when neither extension names a URL.
    ///
    /// The kind is taken from the production endpoints, because a configuration has one kind for both.
    #[must_use]
    pub fn endpoints(&self) -> Option<Endpoints> {
        let mut config = Object::new();
        for (extension, main, spare) in [
            (&self.production_endpoints, "production_endpoints", "production_failovers"),
            (&self.sandbox_endpoints, "sandbox_endpoints", "sandbox_failovers"),
        ] {
            let Some(extension) = extension else { continue };
            let urls = extension.get("urls").map(words).unwrap_or_default();
            let mut each = urls.iter().map(|url| json!({ "url": url }));
            let kind = text(extension, "type").filter(|k| matches!(*k, "load_balance" | "failover")).unwrap_or("http");
            let first = match (kind, each.len()) {
                (_, 0) => continue,
                ("load_balance", _) => Value::Array(each.by_ref().collect()),
                _ => each.next().unwrap_or_default(),
            };
            config.entry("endpoint_type").or_insert(kind.into());
            config.insert(main.to_owned(), first);
            if kind == "failover" {
                config.entry("failOver").or_insert("True".into());
                config.insert(spare.to_owned(), Value::Array(each.collect()));
            }
        }
        if config.is_empty() { None } else { Some(Endpoints(Value::Object(config))) }
    }
}

pub(crate) fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(|t| t.eq_ignore_ascii_case("true")))
}

fn cors(value: &Value) -> Cors {
    let defaults = Cors::default();
    let list = |key: &str, default: Vec<String>| value.get(key).map_or(default, words);
    Cors {
        enabled: value.get("corsConfigurationEnabled").is_some_and(is_true),
        allow_origins: list("accessControlAllowOrigins", defaults.allow_origins),
        allow_credentials: value.get("accessControlAllowCredentials").is_some_and(is_true),
        allow_headers: list("accessControlAllowHeaders", defaults.allow_headers),
        allow_methods: list("accessControlAllowMethods", defaults.allow_methods),
    }
}

/// Writes the API's settings; a setting the API does not have is taken out. Backends' user names and passwords are never written.
pub(crate) fn write(document: &mut Object, api: &Api) {
    let mut put = |key: &str, value: Option<Value>| match value {
        Some(value) => drop(document.insert(key.to_owned(), value)),
        None => drop(document.shift_remove(key)),
    };
    put("x-wso2-auth-header", api.authorization_header.clone().map(Value::from));
    put("x-wso2-throttling-tier", api.api_policy.clone().map(Value::from));
    // At the top it would be read as the API's policy; there it is ours, unlike below an operation.
    put("x-throttling-tier", None);
    put("x-wso2-cors", api.cors.as_ref().map(cors_value));
    put("x-wso2-production-endpoints", api.endpoints.production().map(|set| endpoints_value(api.endpoints.kind(), &set)));
    put("x-wso2-sandbox-endpoints", api.endpoints.sandbox().map(|set| endpoints_value(api.endpoints.kind(), &set)));
    put("x-wso2-basePath", Some(api.context.clone().into()));
    put("x-wso2-transports", Some(api.transports.clone().into()));
    put("x-wso2-application-security", Some(application_security(api)));
    put("x-wso2-mutual-ssl", mutual_ssl(api));
    put("x-wso2-response-cache", Some(json!({"enabled": api.response_caching, "cacheTimeoutInSeconds": api.cache_timeout_secs})));
}

fn cors_value(cors: &Cors) -> Value {
    json!({
        "corsConfigurationEnabled": cors.enabled,
        "accessControlAllowOrigins": cors.allow_origins,
        "accessControlAllowCredentials": cors.allow_credentials,
        "accessControlAllowHeaders": cors.allow_headers,
        "accessControlAllowMethods": cors.allow_methods,
    })
}

fn endpoints_value(kind: &str, set: &EndpointSet) -> Value {
    let urls: Vec<&str> = set.primary.iter().chain(&set.failovers).map(|Endpoint { url, .. }| url.as_str()).collect();
    let kind = if kind.is_empty() { "http" } else { kind };
    json!({"urls": urls, "type": kind})
}

pub(crate) fn application_security(api: &Api) -> Value {
    let types: Vec<&str> =
        ["oauth2", "basic_auth", "api_key"].into_iter().filter(|t| api.security_scheme.iter().any(|s| s.eq_ignore_ascii_case(t))).collect();
    let mandatory = api.security_scheme.iter().any(|s| s.eq_ignore_ascii_case("oauth_basic_auth_api_key_mandatory"));
    json!({"security-types": types, "optional": !mandatory})
}

fn mutual_ssl(api: &Api) -> Option<Value> {
    let has = |scheme: &str| api.security_scheme.iter().any(|s| s.eq_ignore_ascii_case(scheme));
    has("mutualssl").then(|| if has("mutualssl_mandatory") { "mandatory".into() } else { "optional".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_every_kind_become_a_configuration() {
        let of = |kind: &str| {
            let document = json!({"x-wso2-production-endpoints": {"type": kind, "urls": ["http://a", "http://b"]}, "x-wso2-sandbox-endpoints": {"urls": []}});
            Extensions::of(&document).endpoints().unwrap()
        };
        let count = |e: &Endpoints| e.production().map(|s| (s.primary.len(), s.failovers.len())).unwrap();
        assert_eq!((of("http").kind(), count(&of("http"))), ("http", (1, 0)));
        assert_eq!((of("load_balance").kind(), count(&of("load_balance"))), ("load_balance", (2, 0)));
        assert_eq!((of("failover").kind(), count(&of("failover"))), ("failover", (1, 1)));
        assert_eq!(of("http").sandbox(), None);
        assert_eq!(Extensions::of(&json!({})).endpoints(), None);
    }

    #[test]
    fn settings_of_any_wrong_kind_are_passed_over() {
        let document = json!({"x-wso2-cors": 1, "x-wso2-transports": {}, "x-wso2-basePath": [], "x-wso2-response-cache": "on", "x-wso2-production-endpoints": null});
        let found = Extensions::of(&document);
        assert_eq!((found.cors.clone(), found.transports.len(), found.endpoints()), (None, 0, None));
    }
}
