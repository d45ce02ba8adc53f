//! Scopes in a definition: five places where they have stood over the years, one list out of them.

use model::ApiScope;
use serde_json::{Value, json};

use crate::{DEFAULT_SCHEME, Object, object, text, words};

/// Where 4.0.0 says the authorization server is; the portal shows the real one in its place.
const AUTHORIZATION_URL: &str = "https://test.com";

/// Every scope that the definition declares, those of the `default` scheme first.
pub(crate) fn declared(document: &Value) -> Vec<ApiScope> {
    let mut found = Vec::new();
    let old = document.pointer("/x-wso2-security/apim/x-wso2-scopes").or_else(|| document.get("x-wso2-scopes"));
    for scope in old.and_then(Value::as_array).into_iter().flatten() {
        if let Some(name) = text(scope, "key").or_else(|| text(scope, "name")) {
            add(
                &mut found,
                ApiScope {
                    name: name.to_owned(),
                    display_name: text(scope, "name").unwrap_or(name).to_owned(),
                    description: text(scope, "description").map(str::to_owned),
                    roles: scope.get("roles").map(words).unwrap_or_default(),
                    shared: false,
                },
            );
        }
    }
    let mut schemes: Vec<_> = oauth_schemes(document).collect();
    schemes.sort_by_key(|(name, _)| *name != DEFAULT_SCHEME);
    for flow in schemes.into_iter().flat_map(|(_, scheme)| flows(scheme)) {
        let bindings = flow.get("x-scopes-bindings");
        for (name, description) in flow.get("scopes").and_then(Value::as_object).into_iter().flatten() {
            let name = name.trim();
            if name.is_empty() {
                continue;
            }
            add(
                &mut found,
                ApiScope {
                    name: name.to_owned(),
                    display_name: name.to_owned(),
                    description: description.as_str().map(str::trim).filter(|d| !d.is_empty()).map(str::to_owned),
                    roles: bindings.and_then(|b| b.get(name)).map(words).unwrap_or_default(),
                    shared: false,
                },
            );
        }
    }
    found
}

/// A scope declared twice keeps its first words, and takes from the second what the first left open.
fn add(found: &mut Vec<ApiScope>, scope: ApiScope) {
    match found.iter_mut().find(|s| s.name == scope.name) {
        Some(known) => {
            if known.roles.is_empty() {
                known.roles = scope.roles;
            }
            if known.description.is_none() {
                known.description = scope.description;
            }
        }
        None => found.push(scope),
    }
}

/// Names of the scopes an operation asks for. The `default` scheme's requirement, where there is one, is the API manager's own word and alone
/// counts; otherwise the author's OAuth2 schemes (or the whole definition's) and the old `x-scope` do.
pub(crate) fn of_operation(document: &Value, operation: &Value) -> Vec<String> {
    let requirements = operation.get("security").or_else(|| document.get("security")).and_then(Value::as_array);
    let requirements: Vec<&Object> = requirements.into_iter().flatten().filter_map(Value::as_object).collect();
    if operation.get("security").is_some()
        && let Some(own) = requirements.iter().find_map(|r| r.get(DEFAULT_SCHEME))
    {
        let mut scopes = words(own);
        scopes.extend(operation.get("x-scope").map(words).unwrap_or_default());
        return unique(scopes);
    }
    let oauth: Vec<&str> = oauth_schemes(document).map(|(name, _)| name).collect();
    let authors =
        requirements.iter().flat_map(|r| r.iter()).filter(|(name, _)| oauth.contains(&name.as_str())).flat_map(|(_, list)| words(list));
    unique(authors.chain(operation.get("x-scope").map(words).unwrap_or_default()).collect())
}

fn unique(scopes: Vec<String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::with_capacity(scopes.len());
    for scope in scopes {
        if !seen.contains(&scope) {
            seen.push(scope);
        }
    }
    seen
}

fn oauth_schemes(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let new = document.pointer("/components/securitySchemes").and_then(Value::as_object);
    let old = document.get("securityDefinitions").and_then(Value::as_object);
    new.into_iter()
        .chain(old)
        .flatten()
        .filter(|(_, scheme)| text(scheme, "type") == Some("oauth2"))
        .map(|(name, scheme)| (name.as_str(), scheme))
}

/// The objects that hold `scopes`: the flows of version 3, the scheme itself in version 2.
fn flows(scheme: &Value) -> Vec<&Value> {
    match scheme.get("flows").and_then(Value::as_object) {
        Some(flows) => flows.values().collect(),
        None => vec![scheme],
    }
}

/// Writes the API's scopes as the `default` scheme, and into the old extension, which alone keeps a scope's display name.
pub(crate) fn write(document: &mut Object, scopes: &[ApiScope], version_2: bool) {
    let flow = if version_2 {
        let scheme = object(object(document, "securityDefinitions"), DEFAULT_SCHEME);
        scheme.insert("type".to_owned(), "oauth2".into());
        scheme.insert("flow".to_owned(), "implicit".into());
        scheme
    } else {
        let scheme = object(object(object(document, "components"), "securitySchemes"), DEFAULT_SCHEME);
        scheme.insert("type".to_owned(), "oauth2".into());
        object(object(scheme, "flows"), "implicit")
    };
    flow.entry("authorizationUrl").or_insert(AUTHORIZATION_URL.into());
    let descriptions: Object = scopes.iter().map(|s| (s.name.clone(), s.description.clone().unwrap_or_default().into())).collect();
    let bindings: Object = scopes.iter().map(|s| (s.name.clone(), s.roles.join(",").into())).collect();
    flow.insert("scopes".to_owned(), descriptions.into());
    flow.insert("x-scopes-bindings".to_owned(), bindings.into());

    document.shift_remove("x-wso2-scopes");
    if scopes.is_empty() && !document.contains_key("x-wso2-security") {
        return;
    }
    let list: Vec<Value> = scopes
        .iter()
        .map(|s| json!({"key": s.name, "name": s.display_name, "description": s.description.clone().unwrap_or_default(), "roles": s.roles.join(",")}))
        .collect();
    object(object(document, "x-wso2-security"), "apim").insert("x-wso2-scopes".to_owned(), list.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_a_scope_has_stood_is_read() {
        let document = json!({
            "x-wso2-security": {"apim": {"x-wso2-scopes": [{"key": "a", "name": "All of a", "roles": "admin, user"}, {"key": ""}]}},
            "components": {"securitySchemes": {
                "mine": {"type": "oauth2", "flows": {"clientCredentials": {"scopes": {"c": "see"}}}},
                "default": {"type": "oauth2", "flows": {"implicit": {"scopes": {"a": "A!", "b": ""}, "x-scopes-bindings": {"b": "r1,r2"}}}},
                "key": {"type": "apiKey", "scopes": {"no": "no"}},
            }},
        });
        let scopes = declared(&document);
        let found: Vec<_> =
            scopes.iter().map(|s| (s.name.as_str(), s.display_name.as_str(), s.description.as_deref(), s.roles.join("|"))).collect();
        assert_eq!(
            found,
            [
                ("a", "All of a", Some("A!"), "admin|user".to_owned()),
                ("b", "b", None, "r1|r2".to_owned()),
                ("c", "c", Some("see"), String::new())
            ]
        );
    }

    #[test]
    fn the_default_requirement_outweighs_the_authors() {
        let document = json!({
            "security": [{"mine": ["global"]}],
            "securityDefinitions": {"mine": {"type": "oauth2"}, "default": {"type": "oauth2"}, "key": {"type": "apiKey"}},
        });
        let of = |operation: Value| of_operation(&document, &operation);
        assert_eq!(of(json!({"security": [{"mine": ["x"]}, {"default": ["y"]}]})), ["y"]);
        assert_eq!(of(json!({"security": [{"mine": ["x", ""], "key": ["z"]}], "x-scope": "old"})), ["x", "old"]);
        assert_eq!(of(json!({"x-scope": ""})), ["global"]);
        assert_eq!(of(json!({"security": []})), Vec::<String>::new());
    }
}
