//! An API's definition as developers get it: with the gateway's addresses, and without what only the gateway needs to know.
//!
//! Reading definitions for their meaning is the publisher's; here a definition is a tree of which a few known places change.

use model::{Api, Definition, DefinitionFormat};
use serde_json::{Map, Value, json};

use crate::urls::Urls;

/// Vendor extensions hold backend addresses, backend credentials and scripts.
const PRIVATE_PREFIXES: [&str; 2] = ["x-wso2-", "x-mediation-"];

/// The text for developers: JSON of the definition, or the text itself where it is no JSON or YAML tree (GraphQL).
pub(crate) fn for_developers(api: &Api, definition: Option<&Definition>, urls: Option<&Urls>) -> String {
    let tree = match definition {
        Some(definition) if definition.format == DefinitionFormat::GraphQl => return definition.text.clone(),
        Some(definition) => read(&definition.text),
        None => None,
    };
    let mut tree = tree.unwrap_or_else(|| sketch(api));
    remove_private(&mut tree);
    if let (Some(urls), Value::Object(root)) = (urls, &mut tree) {
        point_at(root, urls);
    }
    tree.to_string()
}

fn read(text: &str) -> Option<Value> {
    let tree: Option<Value> = serde_json::from_str(text).ok().or_else(|| serde_norway::from_str(text).ok());
    tree.filter(Value::is_object)
}

/// An API from an old installation may have no definition; what is known of its operations makes a small one.
fn sketch(api: &Api) -> Value {
    let mut paths = Map::new();
    for operation in &api.operations {
        let path = paths.entry(operation.target.clone()).or_insert_with(|| json!({}));
        if let Value::Object(verbs) = path {
            verbs.insert(operation.verb.to_ascii_lowercase(), json!({ "responses": { "200": { "description": "OK" } } }));
        }
    }
    json!({
        "openapi": "3.0.1",
        "info": { "title": api.name, "version": api.version, "description": api.description },
        "paths": paths,
    })
}

fn remove_private(tree: &mut Value) {
    match tree {
        Value::Object(members) => {
            members.retain(|name, _| !PRIVATE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
            members.values_mut().for_each(remove_private);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_private),
        _ => {}
    }
}

/// Replaces the author's servers. OpenAPI 2 has one host and path for all, taken from the first address.
fn point_at(root: &mut Map<String, Value>, urls: &Urls) {
    let all = urls.all();
    if root.contains_key("openapi") {
        let servers: Vec<Value> = all.iter().map(|url| json!({ "url": url })).collect();
        root.insert("servers".to_owned(), Value::Array(servers));
        return;
    }
    if !root.contains_key("swagger") {
        return;
    }
    let schemes: Vec<&str> = all.iter().filter_map(|url| url.split_once("://").map(|(scheme, _)| scheme)).collect();
    let first = all.first().and_then(|url| url.split_once("://")).map_or("", |(_, rest)| rest);
    let (host, path) = first.split_once('/').unwrap_or((first, ""));
    root.insert("host".to_owned(), json!(host));
    root.insert("basePath".to_owned(), json!(format!("/{path}")));
    root.insert("schemes".to_owned(), json!(schemes));
}

#[cfg(test)]
mod tests {
    use model::{ApiId, Operation, TenantId, Timestamp};

    use super::*;

    fn api() -> Api {
        let mut api = Api::new(ApiId::random(), TenantId::SUPER, "admin", "Pizza", "1.0", "/pizza/{version}", Timestamp(0));
        api.operations = vec![Operation::new("GET", "/menu"), Operation::new("POST", "/menu")];
        api
    }

    fn shown(format: DefinitionFormat, text: &str) -> Value {
        let urls = Urls { https: Some("https://gw:8243/pizza/1.0".to_owned()), ..Urls::default() };
        let definition = Definition { format, text: text.to_owned() };
        serde_json::from_str(&for_developers(&api(), Some(&definition), Some(&urls))).unwrap()
    }

    #[test]
    fn backends_are_not_shown_and_the_gateway_is() {
        let text = "openapi: 3.0.0\nservers: [{url: http://backend}]\nx-wso2-production-endpoints: {urls: [http://backend]}\n\
                    paths: {/menu: {get: {x-mediation-script: secret, x-auth-type: None}}}\n";
        let shown = shown(DefinitionFormat::OpenApi3, text);
        assert_eq!(shown["servers"], json!([{ "url": "https://gw:8243/pizza/1.0" }]));
        assert_eq!(shown["paths"]["/menu"]["get"], json!({ "x-auth-type": "None" }));
        assert!(!shown.to_string().contains("backend"));
    }

    #[test]
    fn openapi_2_has_host_and_path() {
        let shown = shown(DefinitionFormat::OpenApi2, r#"{"swagger":"2.0","host":"backend","basePath":"/x","paths":{}}"#);
        assert_eq!((&shown["host"], &shown["basePath"], &shown["schemes"]), (&json!("gw:8243"), &json!("/pizza/1.0"), &json!(["https"])));
    }

    #[test]
    fn without_a_definition_the_operations_are_shown() {
        let shown: Value = serde_json::from_str(&for_developers(&api(), None, None)).unwrap();
        assert_eq!(shown["info"]["title"], "Pizza");
        assert_eq!(shown["paths"]["/menu"].as_object().unwrap().len(), 2);
    }
}
