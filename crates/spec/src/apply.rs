//! Writing an API into a definition: a new one, or one its author wrote.

use model::{Api, Definition, DefinitionFormat, Operation};
use serde_json::{Value, json};

use crate::parse::recognize;
use crate::{DEFAULT_SCHEME, Fault, Object, VERBS, extensions, object, read, scopes, text};

/// Which generation of OpenAPI to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2.0.
    V2,
    /// 3.0.1.
    V3,
}

/// A definition made of the API alone: its operations with their path parameters, nothing about bodies but that there may be one.
#[must_use]
pub fn generate(api: &Api, version: Version) -> Definition {
    let mut document = match version {
        Version::V2 => json!({"swagger": "2.0"}),
        Version::V3 => json!({"openapi": "3.0.1"}),
    };
    if let Some(root) = document.as_object_mut() {
        let info = object(root, "info");
        info.insert("title".to_owned(), api.name.clone().into());
        if let Some(description) = &api.description {
            info.insert("description".to_owned(), description.clone().into());
        }
        info.insert("version".to_owned(), api.version.clone().into());
        if version == Version::V3 {
            root.insert("servers".to_owned(), json!([{"url": "/"}]));
        }
        root.insert("security".to_owned(), json!([{DEFAULT_SCHEME: []}]));
        write(root, api, version == Version::V2);
    }
    let format = match version {
        Version::V2 => DefinitionFormat::OpenApi2,
        Version::V3 => DefinitionFormat::OpenApi3,
    };
    Definition { format, text: print(&document) }
}

/// Writes the API's operations, scopes and settings into a definition; all else stays as its author wrote it. The result is JSON, also from
/// YAML.
///
/// An operation that the API has and the definition lacks is added without details. One that the API lacks is taken out, because nobody can
/// call it. Title and version are filled in where they are missing, not replaced.
///
/// # Errors
/// [`Fault`]s when the text is no OpenAPI definition.
pub fn apply(definition: &Definition, api: &Api) -> Result<Definition, Vec<Fault>> {
    let mut document = read(&definition.text).map_err(|fault| vec![fault])?;
    let (format, _) = recognize(&document).map_err(|fault| vec![fault])?;
    if let Some(root) = document.as_object_mut() {
        let info = object(root, "info");
        for (key, value) in [("title", &api.name), ("version", &api.version)] {
            if crate::parse::word(&Value::Object(info.clone()), key).is_none() {
                info.insert(key.to_owned(), value.clone().into());
            }
        }
        write(root, api, format == DefinitionFormat::OpenApi2);
    }
    Ok(Definition { format, text: print(&document) })
}

pub(crate) fn print(document: &Value) -> String {
    format!("{document:#}")
}

fn write(root: &mut Object, api: &Api, version_2: bool) {
    let security = extensions::application_security(api);
    let paths = object(root, "paths");
    remove_uncallable(paths, &api.operations);
    for operation in api.operations.iter().filter(|o| VERBS.contains(&o.verb.to_ascii_lowercase().as_str())) {
        write_operation(paths, operation, &security, version_2);
    }
    scopes::write(root, &api.scopes, version_2);
    extensions::write(root, api);
}

fn remove_uncallable(paths: &mut Object, operations: &[Operation]) {
    paths.retain(|path, item| {
        let Some(item) = item.as_object_mut() else { return true };
        let is_operation = |key: &str| VERBS.contains(&key);
        let had = item.keys().any(|key| is_operation(key));
        item.retain(|key, _| !is_operation(key) || operations.iter().any(|o| o.target == *path && o.verb.eq_ignore_ascii_case(key)));
        !had || item.keys().any(|key| is_operation(key))
    });
}

fn write_operation(paths: &mut Object, operation: &Operation, application_security: &Value, version_2: bool) {
    let item = object(paths, &operation.target);
    let verb = operation.verb.to_ascii_lowercase();
    if !item.get(&verb).is_some_and(Value::is_object) {
        let fresh = minimal(&operation.target, &verb, item.get("parameters"), version_2);
        item.insert(verb.clone(), fresh);
    }
    let target = object(item, &verb);
    target.insert("x-auth-type".to_owned(), operation.auth.name().into());
    target.insert("x-throttling-tier".to_owned(), operation.policy.clone().into());
    target.insert("x-wso2-application-security".to_owned(), application_security.clone());
    // The operation's own word, which `x-auth-type` now carries.
    target.shift_remove("x-wso2-disable-security");
    target.shift_remove("x-wso2-throttling-tier");
    target.shift_remove("x-scope");
    match &operation.script {
        Some(script) => drop(target.insert("x-mediation-script".to_owned(), script.clone().into())),
        None => drop(target.shift_remove("x-mediation-script")),
    }
    let required = target.entry("security").or_insert_with(|| json!([]));
    if !required.is_array() {
        *required = json!([]);
    }
    if let Some(list) = required.as_array_mut() {
        let own = json!(operation.scopes);
        match list.iter_mut().filter_map(Value::as_object_mut).find(|r| r.contains_key(DEFAULT_SCHEME)) {
            Some(requirement) => drop(requirement.insert(DEFAULT_SCHEME.to_owned(), own)),
            None => list.push(json!({DEFAULT_SCHEME: own})),
        }
    }
}

/// An operation without details. Path parameters must be declared for the definition to be valid, unless the path does so for all its verbs.
fn minimal(path: &str, verb: &str, shared: Option<&Value>, version_2: bool) -> Value {
    let declared = |name: &str| shared.and_then(Value::as_array).is_some_and(|list| list.iter().any(|p| text(p, "name") == Some(name)));
    let mut parameters: Vec<Value> = placeholders(path)
        .into_iter()
        .filter(|name| !declared(name))
        .map(|name| {
            if version_2 {
                json!({"name": name, "in": "path", "required": true, "type": "string"})
            } else {
                json!({"name": name, "in": "path", "required": true, "style": "simple", "explode": false, "schema": {"type": "string"}})
            }
        })
        .collect();
    let mut operation = Object::new();
    let has_body = matches!(verb, "post" | "put" | "patch");
    if has_body && version_2 {
        parameters
            .push(json!({"name": "Payload", "in": "body", "description": "Request Body", "required": false, "schema": {"type": "object"}}));
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if has_body && !version_2 {
        let body =
            json!({"description": "Request Body", "content": {"application/json": {"schema": {"type": "object"}}}, "required": false});
        operation.insert("requestBody".to_owned(), body);
    }
    operation.insert("responses".to_owned(), json!({"200": {"description": "ok"}}));
    Value::Object(operation)
}

/// Names in braces, each once.
fn placeholders(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for part in path.split('{').skip(1) {
        if let Some((name, _)) = part.split_once('}')
            && !name.is_empty()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use model::{ApiId, ApiScope, AuthType, Cors, Endpoints, TenantId, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::{parse, validate};

    fn api() -> Api {
        let mut api = Api::new(ApiId::derived(&["t"]), TenantId::SUPER, "admin", "Tides", "1.0.0", "/tides/{version}", Timestamp(0));
        api.operations =
            vec![Operation::new("GET", "/ports/{id}/tides/{day}"), Operation::new("POST", "/ports"), Operation::new("DELETE", "/*")];
        api.operations[0].scopes = vec!["read".to_owned()];
        api.operations[0].policy = "10KPerMin".to_owned();
        api.operations[1].auth = AuthType::None;
        api.operations[1].script = Some("mc.x".to_owned());
        let scope = |name: &str, shown: &str, roles: &[&str]| ApiScope {
            name: name.to_owned(),
            display_name: shown.to_owned(),
            description: Some("look".to_owned()),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            shared: false,
        };
        api.scopes = vec![scope("read", "Reading", &["admin", "Internal/x"])];
        api.api_policy = Some("50KPerMin".to_owned());
        api.authorization_header = Some("X-Token".to_owned());
        api.cors = Some(Cors { enabled: true, ..Cors::default() });
        api.endpoints = Endpoints(
            json!({"endpoint_type": "http", "production_endpoints": {"url": "http://b"}, "endpoint_security": {"production": {"password": "hunter2"}}}),
        );
        api
    }

    #[test]
    fn what_is_generated_is_valid_and_reads_back_as_the_api() {
        for version in [Version::V2, Version::V3] {
            let definition = generate(&api(), version);
            let parsed = validate(&definition.text).unwrap();
            assert_eq!(parsed.format, definition.format);
            assert_eq!(parsed.operations, api().operations);
            assert_eq!(parsed.scopes, api().scopes);
            assert_eq!(parsed.extensions.policy, api().api_policy);
            assert_eq!(parsed.extensions.cors, api().cors);
            assert_eq!(parsed.extensions.authorization_header, api().authorization_header);
            assert_eq!(parsed.base_path.as_deref(), Some("/tides/1.0.0"));
            assert_eq!(parsed.extensions.endpoints().unwrap().production(), api().endpoints.production());
        }
    }

    #[test]
    fn secrets_of_backends_are_never_written() {
        assert!(!generate(&api(), Version::V3).text.contains("hunter2"));
    }

    #[test]
    fn verbs_of_other_kinds_of_api_are_passed_over() {
        let mut api = api();
        api.operations = vec![Operation::new("SUBSCRIBE", "/*")];
        assert_eq!(validate(&generate(&api, Version::V3).text).unwrap().operations, []);
    }

    const AUTHORS: &str = "openapi: 3.0.0
info: {title: Mine, version: '7', x-logo: {url: 'http://l'}}
x-mine: {kept: [1, 2.5, null]}
tags: [{name: t}]
paths:
  x-also: 1
  /ports:
    summary: shared
    post:
      operationId: make
      description: long words
      security: [{own: [w]}, {default: [stale]}]
      x-scope: older
      x-mediation-script: old
      responses: {201: {description: made, content: {text/plain: {example: hi}}}}
    delete:
      responses: {204: {description: gone}}
components:
  schemas: {P: {type: object, properties: {z: {type: string}, a: {type: integer}}}}
  securitySchemes: {own: {type: oauth2, flows: {clientCredentials: {tokenUrl: 'http://t', scopes: {w: write}}}}}
";

    #[test]
    fn what_the_author_wrote_survives() {
        let before = read(AUTHORS).unwrap();
        let applied = apply(&Definition { format: DefinitionFormat::OpenApi3, text: AUTHORS.to_owned() }, &api()).unwrap();
        let after = read(&applied.text).unwrap();
        for pointer in [
            "/info",
            "/x-mine",
            "/tags",
            "/paths/x-also",
            "/paths/~1ports/summary",
            "/components/schemas",
            "/components/securitySchemes/own",
        ] {
            assert_eq!(before.pointer(pointer), after.pointer(pointer), "{pointer}");
        }
        let post = after.pointer("/paths/~1ports/post").unwrap();
        assert_eq!(
            (&post["operationId"], &post["responses"]),
            (&json!("make"), &before.pointer("/paths/~1ports/post/responses").unwrap().clone())
        );
        assert_eq!(post["security"], json!([{"own": ["w"]}, {"default": []}]));
        assert_eq!(after.pointer("/paths/~1ports/delete"), None);
        let order: Vec<_> = after.as_object().unwrap().keys().take(6).map(String::as_str).collect();
        assert_eq!(order, ["openapi", "info", "x-mine", "tags", "paths", "components"]);
        let mut operations = parse(&applied.text).unwrap().operations;
        operations.sort_by(|a, b| a.target.cmp(&b.target));
        let mut expected = api().operations;
        expected.sort_by(|a, b| a.target.cmp(&b.target));
        assert_eq!(operations, expected);
    }

    #[test]
    fn applying_twice_changes_nothing_more() {
        let once = apply(&Definition { format: DefinitionFormat::OpenApi3, text: AUTHORS.to_owned() }, &api()).unwrap();
        assert_eq!(apply(&once, &api()).unwrap(), once);
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        let fault = apply(&Definition { format: DefinitionFormat::OpenApi3, text: "{}".to_owned() }, &api()).unwrap_err();
        assert_eq!(fault[0].code, 900_759);
    }

    /// Any JSON, leaning towards the words a definition uses.
    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("paths"),
            Just("info"),
            Just("/a"),
            Just("get"),
            Just("security"),
            Just("default"),
            Just("components"),
            Just("securitySchemes"),
            Just("securityDefinitions"),
            Just("flows"),
            Just("implicit"),
            Just("scopes"),
            Just("x-scope"),
            Just("x-wso2-security"),
            Just("apim"),
            Just("x-wso2-scopes"),
            Just("x-wso2-cors"),
            Just("x-scopes-bindings"),
            Just("responses"),
            Just("parameters"),
            Just("servers"),
            Just("type"),
            Just("apis"),
            Just("operations"),
            Just("models"),
            Just("authorizations"),
            Just("oauth2"),
            Just(""),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            word.clone().prop_map(Value::from)
        ];
        leaf.prop_recursive(6, 60, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((word.clone(), inner), 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_read_written_or_refused_and_never_panics(mut value in any_json(), three: bool) {
            let bare = value.to_string();
            let _ = (parse(&bare), validate(&bare), crate::convert_swagger12(&bare, &[("/x", &bare)]));
            if let Some(root) = value.as_object_mut() {
                let (key, version) = if three { ("openapi", "3.0.1") } else { ("swagger", "2.0") };
                root.insert(key.to_owned(), version.into());
            }
            let text = value.to_string();
            let _ = (parse(&text), validate(&text));
            let definition = Definition { format: DefinitionFormat::OpenApi3, text };
            if let Ok(applied) = apply(&definition, &api()) {
                let parsed = parse(&applied.text).unwrap();
                for operation in api().operations {
                    prop_assert!(parsed.operations.contains(&operation), "{}", applied.text);
                }
                prop_assert_eq!(&apply(&applied, &api()).unwrap(), &applied);
                let _ = crate::for_portal(&applied, &api(), &["https://gw".to_owned()]).unwrap();
            }
            if let Ok(parsed) = parse(&definition.text) {
                prop_assert!(validate(&parsed.definition().text).is_ok(), "{:?}", validate(&parsed.definition().text));
            }
        }
    }
}
