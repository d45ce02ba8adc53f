//! The definition as a developer gets it: what to call and where, nothing of how the API is run.

use model::{Api, Definition, DefinitionFormat};
use serde_json::{Value, json};

use crate::parse::recognize;
use crate::{Fault, Object, VERBS, object, read};

/// Extensions that are the publisher's business, at the top or below an operation.
const PUBLISHERS: [&str; 16] = [
    "x-mediation-script",
    "x-wso2-application-security",
    "x-wso2-auth-header",
    "x-wso2-basePath",
    "x-wso2-cors",
    "x-wso2-disable-security",
    "x-wso2-mutual-ssl",
    "x-wso2-production-endpoints",
    "x-wso2-request-interceptor",
    "x-wso2-response-cache",
    "x-wso2-response-interceptor",
    "x-wso2-sandbox-endpoints",
    "x-wso2-scopes",
    "x-wso2-security",
    "x-wso2-throttling-tier",
    "x-wso2-transports",
];

/// The definition for the developer portal, as JSON.
///
/// WSO2's settings, scripts and the roles behind scopes are taken out. `servers`, absolute addresses of gateways without the API's context
/// (`https://gw.example.com:8243`), take the place of the author's; version 2 can name only one host, the first.
///
/// # Errors
/// [`Fault`]s when the text is no OpenAPI definition.
pub fn for_portal(definition: &Definition, api: &Api, servers: &[String]) -> Result<String, Vec<Fault>> {
    let mut document = read(&definition.text).map_err(|fault| vec![fault])?;
    let (format, _) = recognize(&document).map_err(|fault| vec![fault])?;
    if let Some(root) = document.as_object_mut() {
        strip(root);
        for item in object(root, "paths").values_mut().filter_map(Value::as_object_mut) {
            item.iter_mut().filter(|(key, _)| VERBS.contains(&key.as_str())).filter_map(|(_, op)| op.as_object_mut()).for_each(strip);
        }
        for pointer in ["/components/securitySchemes", "/securityDefinitions"] {
            let schemes = Value::pointer_mut(&mut document, pointer).and_then(Value::as_object_mut);
            schemes.into_iter().flat_map(|s| s.values_mut()).for_each(forget_roles);
        }
    }
    if let Some(root) = document.as_object_mut() {
        address(root, api, servers, format);
    }
    Ok(crate::apply::print(&document))
}

fn strip(object: &mut Object) {
    object.retain(|key, _| !PUBLISHERS.contains(&key.as_str()));
}

fn forget_roles(scheme: &mut Value) {
    if let Some(scheme) = scheme.as_object_mut() {
        scheme.shift_remove("x-scopes-bindings");
        let flows = scheme.get_mut("flows").and_then(Value::as_object_mut);
        for flow in flows.into_iter().flat_map(|f| f.values_mut()).filter_map(Value::as_object_mut) {
            flow.shift_remove("x-scopes-bindings");
        }
    }
}

fn address(root: &mut Object, api: &Api, servers: &[String], format: DefinitionFormat) {
    let servers: Vec<&str> = servers.iter().map(|s| s.trim_end_matches('/')).collect();
    if format != DefinitionFormat::OpenApi2 {
        let list: Vec<Value> = servers.iter().map(|s| json!({"url": format!("{s}{}", api.context)})).collect();
        root.insert("servers".to_owned(), list.into());
        return;
    }
    let split: Vec<(&str, &str)> = servers.iter().filter_map(|s| s.split_once("://")).collect();
    let Some((_, first)) = split.first() else {
        for key in ["host", "schemes"] {
            root.shift_remove(key);
        }
        root.insert("basePath".to_owned(), api.context.clone().into());
        return;
    };
    let (host, prefix) = first.find('/').map_or((*first, ""), |at| first.split_at(at));
    let mut schemes: Vec<&str> = Vec::new();
    // The same host over another scheme usually has another port, which version 2 cannot say.
    for (scheme, rest) in &split {
        if rest == first && !schemes.contains(scheme) {
            schemes.push(scheme);
        }
    }
    root.insert("host".to_owned(), host.into());
    root.insert("basePath".to_owned(), format!("{prefix}{}", api.context).into());
    root.insert("schemes".to_owned(), json!(schemes));
}

#[cfg(test)]
mod tests {
    use model::{ApiId, ApiScope, Cors, Operation, TenantId, Timestamp};

    use super::*;
    use crate::{Version, generate, validate};

    fn api() -> Api {
        let mut api = Api::new(ApiId::derived(&["t"]), TenantId::SUPER, "admin", "Tides", "1.0.0", "/tides/{version}", Timestamp(0));
        api.operations = vec![Operation::new("GET", "/a")];
        api.operations[0].script = Some("secret script".to_owned());
        api.scopes = vec![ApiScope {
            name: "s".to_owned(),
            display_name: "S".to_owned(),
            description: None,
            roles: vec!["secret-role".to_owned()],
            shared: false,
        }];
        api.cors = Some(Cors::default());
        api.endpoints = model::Endpoints::http(Some("http://secret-backend"), None);
        api
    }

    #[test]
    fn nothing_of_how_the_api_is_run_is_shown() {
        for version in [Version::V2, Version::V3] {
            let text = for_portal(&generate(&api(), version), &api(), &["https://gw:8243/".to_owned()]).unwrap();
            assert!(!text.contains("secret") && !text.contains("x-wso2"), "{text}");
            let parsed = validate(&text).unwrap();
            assert_eq!(parsed.servers, ["https://gw:8243/tides/1.0.0"]);
            assert!(text.contains("x-auth-type"));
        }
    }

    #[test]
    fn version_2_names_one_host() {
        let servers = ["https://gw:8243/x".to_owned(), "http://gw:8280".to_owned()];
        let text = for_portal(&generate(&api(), Version::V2), &api(), &servers).unwrap();
        assert_eq!(validate(&text).unwrap().servers, ["https://gw:8243/x/tides/1.0.0"]);
        let text = for_portal(&generate(&api(), Version::V2), &api(), &[]).unwrap();
        assert_eq!(validate(&text).unwrap().servers, Vec::<String>::new());
    }
}
