//! Swagger 1.2, as publishers up to 1.8 kept it, turned into OpenAPI 2.0.
//!
//! A root document names resources; each resource is a document of its own with operations and models. `basePath` and `resourcePath` are
//! dropped: they hold an environment's gateway address, and the operations' paths are already relative to the API's context.

use model::{AuthType, Definition, DefinitionFormat};
use serde_json::{Value, json};

use crate::{DEFAULT_SCHEME, Fault, Object, Repair, VERBS, object, parse, read, text, words};

/// A converted definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// OpenAPI 2.0 in JSON.
    pub definition: Definition,
    /// What could not be carried, or was mended.
    pub repairs: Vec<Repair>,
}

/// Converts a root document and its resources, each with the name it is stored under (`/order`, `default`).
///
/// `auth_type`, `throttling_tier`, `scope` and `mediation_script` become WSO2's extensions. An operation without `auth_type` asks for no
/// credentials (1.8's reading), which is told as a repair, since the database may know better.
///
/// # Errors
/// A [`Fault`] when the root or a resource is no JSON object.
pub fn convert_swagger12(root: &str, children: &[(&str, &str)]) -> Result<Converted, Vec<Fault>> {
    let root = read(root).map_err(|fault| vec![fault])?;
    let mut conversion = Conversion { document: Object::new(), repairs: Vec::new() };
    conversion.head(&root);
    let mut faults = Vec::new();
    for (name, child) in children {
        match read(child) {
            Ok(child) => conversion.resource(name, &child),
            Err(fault) => faults.push(Fault { description: format!("{name}: {}", fault.description), ..fault }),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let Conversion { document, mut repairs } = conversion;
    // Reading it back mends doubled operation ids and whatever else the old documents left open.
    let parsed = parse(&Value::Object(document).to_string())?;
    repairs.extend(parsed.repairs.iter().cloned());
    Ok(Converted { definition: Definition { format: DefinitionFormat::OpenApi2, ..parsed.definition() }, repairs })
}

struct Conversion {
    document: Object,
    repairs: Vec<Repair>,
}

impl Conversion {
    fn head(&mut self, root: &Value) {
        self.document.insert("swagger".to_owned(), "2.0".into());
        let old = root.get("info").unwrap_or(&Value::Null);
        let info = object(&mut self.document, "info");
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                info.insert(key.to_owned(), value);
            }
        };
        put("title", text(old, "title").map(Value::from));
        put("description", text(old, "description").map(Value::from));
        put("termsOfService", text(old, "termsOfServiceUrl").map(Value::from));
        put("contact", text(old, "contact").map(|c| if c.contains('@') { json!({ "email": c }) } else { json!({ "name": c }) }));
        put(
            "license",
            text(old, "license").map(|name| match text(old, "licenseUrl") {
                Some(url) => json!({"name": name, "url": url}),
                None => json!({ "name": name }),
            }),
        );
        put("version", text(root, "apiVersion").map(Value::from));
        let scopes: Vec<&Value> = root.pointer("/authorizations/oauth2/scopes").and_then(Value::as_array).into_iter().flatten().collect();
        if scopes.is_empty() {
            return;
        }
        let (mut descriptions, mut bindings, mut list) = (Object::new(), Object::new(), Vec::new());
        for scope in scopes {
            let Some(key) = text(scope, "key").or_else(|| text(scope, "scope")).or_else(|| text(scope, "name")) else {
                self.repairs.push(Repair::new("authorizations.oauth2.scopes", "holds a scope without a key; left out"));
                continue;
            };
            let description = text(scope, "description").unwrap_or_default();
            let roles = scope.get("roles").map(words).unwrap_or_default().join(",");
            descriptions.insert(key.to_owned(), description.into());
            bindings.insert(key.to_owned(), roles.clone().into());
            list.push(json!({"key": key, "name": text(scope, "name").unwrap_or(key), "description": description, "roles": roles}));
        }
        let scheme = json!({
            "type": "oauth2", "flow": "implicit", "authorizationUrl": "https://test.com", "scopes": descriptions, "x-scopes-bindings": bindings,
        });
        object(&mut self.document, "securityDefinitions").insert(DEFAULT_SCHEME.to_owned(), scheme);
        self.document.insert("x-wso2-security".to_owned(), json!({"apim": {"x-wso2-scopes": list}}));
    }

    fn resource(&mut self, name: &str, child: &Value) {
        for api in child.get("apis").and_then(Value::as_array).into_iter().flatten() {
            let Some(path) = text(api, "path") else {
                self.repairs.push(Repair::new(name, "holds operations without a path; left out"));
                continue;
            };
            let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
            for operation in api.get("operations").and_then(Value::as_array).into_iter().flatten() {
                self.operation(name, child, &path, operation);
            }
        }
        for (id, model) in child.get("models").and_then(Value::as_object).into_iter().flatten() {
            self.model(name, id, model);
        }
    }

    fn operation(&mut self, resource: &str, child: &Value, path: &str, old: &Value) {
        // `httpMethod` is 1.1's word, which some documents kept.
        let verb = text(old, "method").or_else(|| text(old, "httpMethod")).unwrap_or_default().to_ascii_lowercase();
        let place = format!("paths.{path}.{verb}");
        if !VERBS.contains(&verb.as_str()) {
            self.repairs.push(Repair::new(place, format!("in '{resource}' has no verb we know; left out")));
            return;
        }
        let mut new = Object::new();
        for (key, from) in [("summary", "summary"), ("description", "notes"), ("operationId", "nickname")] {
            if let Some(value) = text(old, from) {
                new.insert(key.to_owned(), value.into());
            }
        }
        for key in ["produces", "consumes"] {
            let types = old.get(key).or_else(|| child.get(key)).map(words).unwrap_or_default();
            if !types.is_empty() {
                new.insert(key.to_owned(), json!(types));
            }
        }
        if old.get("deprecated").is_some_and(|d| d.as_bool() == Some(true) || d.as_str() == Some("true")) {
            new.insert("deprecated".to_owned(), true.into());
        }
        let parameters = self.parameters(&place, path, old);
        if !parameters.is_empty() {
            new.insert("parameters".to_owned(), parameters.into());
        }
        new.insert("responses".to_owned(), responses(old));
        let auth = text(old, "auth_type").and_then(AuthType::parse).unwrap_or_else(|| {
            self.repairs.push(Repair::new(&place, "names no known auth_type; taken as None, as its server did"));
            AuthType::None
        });
        new.insert("x-auth-type".to_owned(), auth.name().into());
        new.insert("x-throttling-tier".to_owned(), text(old, "throttling_tier").unwrap_or(model::UNLIMITED).into());
        let mut scopes = old.get("scope").map(words).unwrap_or_default();
        for scope in old.pointer("/authorizations/oauth2").and_then(Value::as_array).into_iter().flatten() {
            scopes.extend(text(scope, "scope").map(str::to_owned).filter(|s| !scopes.contains(s)));
        }
        if !scopes.is_empty() {
            new.insert("security".to_owned(), json!([{DEFAULT_SCHEME: scopes}]));
        }
        if let Some(script) = text(old, "mediation_script") {
            new.insert("x-mediation-script".to_owned(), script.into());
        }
        let item = object(object(&mut self.document, "paths"), path);
        if item.contains_key(&verb) {
            self.repairs.push(Repair::new(place, format!("is described again in '{resource}'; the first description stays")));
            return;
        }
        item.insert(verb, Value::Object(new));
    }

    fn parameters(&mut self, place: &str, path: &str, old: &Value) -> Vec<Value> {
        let mut new: Vec<Value> = Vec::new();
        for parameter in old.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = text(parameter, "name") else {
                self.repairs.push(Repair::new(place, "has a parameter without a name; left out"));
                continue;
            };
            let kind = text(parameter, "type").or_else(|| text(parameter, "dataType")).unwrap_or("string");
            let location = match text(parameter, "paramType").unwrap_or("query").to_ascii_lowercase().as_str() {
                "path" if !path.contains(&format!("{{{name}}}")) => {
                    self.repairs.push(Repair::new(place, format!("has a path parameter '{name}' that the path lacks; left out")));
                    continue;
                }
                "form" => "formData",
                "body" => "body",
                "header" => "header",
                "path" => "path",
                "query" => "query",
                other => {
                    self.repairs.push(Repair::new(place, format!("has a parameter '{name}' in '{other}'; taken as a query parameter")));
                    "query"
                }
            };
            let clashes = |p: &Value| match (text(p, "in"), location) {
                (Some("body"), "body" | "formData") | (Some("formData"), "body") => true,
                (Some(there), _) => there == location && text(p, "name") == Some(name),
                _ => false,
            };
            if new.iter().any(clashes) {
                self.repairs
                    .push(Repair::new(place, format!("cannot have '{name}' beside another body or parameter of that name; left out")));
                continue;
            }
            new.push(converted_parameter(parameter, name, location, kind));
        }
        new
    }

    fn model(&mut self, resource: &str, id: &str, old: &Value) {
        let mut new = Object::new();
        new.insert("type".to_owned(), "object".into());
        for key in ["description", "discriminator"] {
            if let Some(value) = text(old, key) {
                new.insert(key.to_owned(), value.into());
            }
        }
        let mut required = old.get("required").map(words).unwrap_or_default();
        let mut properties = Object::new();
        for (name, property) in old.get("properties").and_then(Value::as_object).into_iter().flatten() {
            // 1.1 marked the property itself.
            if property.get("required").and_then(Value::as_bool) == Some(true) && !required.contains(name) {
                required.push(name.clone());
            }
            properties.insert(name.clone(), schema(property));
        }
        if !required.is_empty() {
            new.insert("required".to_owned(), json!(required));
        }
        new.insert("properties".to_owned(), properties.into());
        let definitions = object(&mut self.document, "definitions");
        for child in old.get("subTypes").map(words).unwrap_or_default() {
            let child = object(definitions, &child);
            let parents = child.entry("allOf").or_insert_with(|| json!([]));
            if let Some(parents) = parents.as_array_mut() {
                parents.push(reference(id));
            }
        }
        let inherited = definitions.get(id).and_then(|d| d.get("allOf")).cloned();
        match definitions.get(id) {
            Some(known) if known.get("properties").is_some() => {
                let same = known.get("properties") == new.get("properties");
                if !same {
                    self.repairs.push(Repair::new(
                        format!("definitions.{id}"),
                        format!("is described otherwise in '{resource}'; the first description stays"),
                    ));
                }
            }
            _ => {
                if let Some(parents) = inherited {
                    new.insert("allOf".to_owned(), parents);
                }
                definitions.insert(id.to_owned(), Value::Object(new));
            }
        }
    }
}

fn converted_parameter(old: &Value, name: &str, location: &str, kind: &str) -> Value {
    let mut new = Object::new();
    new.insert("name".to_owned(), name.into());
    new.insert("in".to_owned(), location.into());
    if let Some(description) = text(old, "description") {
        new.insert("description".to_owned(), description.into());
    }
    let required = old.get("required").is_some_and(|r| r.as_bool() == Some(true) || r.as_str() == Some("true"));
    new.insert("required".to_owned(), (required || location == "path").into());
    if location == "body" {
        new.insert("schema".to_owned(), schema_of(kind, old));
        return Value::Object(new);
    }
    if location == "formData" && kind.eq_ignore_ascii_case("file") {
        new.insert("type".to_owned(), "file".into());
        return Value::Object(new);
    }
    // Outside a body only plain values and lists of them can be described.
    let mut plain = plain(kind).unwrap_or_else(|| json!({"type": "string"}));
    if let Some(plain) = plain.as_object_mut() {
        if let Some(format) = text(old, "format") {
            plain.insert("format".to_owned(), format.into());
        }
        for key in ["enum", "minimum", "maximum"] {
            if let Some(value) = old.get(key).and_then(|v| bound(key, v)) {
                plain.insert(key.to_owned(), value);
            }
        }
    }
    if old.get("allowMultiple").and_then(Value::as_bool) == Some(true) || kind.eq_ignore_ascii_case("array") {
        let items = old.get("items").and_then(plain_of).unwrap_or(plain);
        new.extend(json!({"type": "array", "items": items, "collectionFormat": "csv"}).as_object().cloned().unwrap_or_default());
    } else {
        new.extend(plain.as_object().cloned().unwrap_or_default());
        if let Some(default) = old.get("defaultValue").filter(|d| !d.is_null()) {
            new.insert("default".to_owned(), default.clone());
        }
    }
    Value::Object(new)
}

fn plain_of(items: &Value) -> Option<Value> {
    plain(text(items, "type")?)
}

/// 1.2 wrote bounds as text.
fn bound(key: &str, value: &Value) -> Option<Value> {
    if key == "enum" {
        return value.as_array().filter(|list| !list.is_empty()).map(|list| Value::Array(list.clone()));
    }
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => serde_json::from_str::<serde_json::Number>(text.trim()).ok().map(Value::Number),
        _ => None,
    }
}

fn responses(old: &Value) -> Value {
    let mut new = Object::new();
    for message in old.get("responseMessages").or_else(|| old.get("errorResponses")).and_then(Value::as_array).into_iter().flatten() {
        let code = match message.get("code") {
            Some(Value::Number(code)) => code.to_string(),
            Some(Value::String(code)) => code.trim().to_owned(),
            _ => continue,
        };
        let words = text(message, "message").or_else(|| text(message, "reason")).unwrap_or_default();
        let mut response = json!({ "description": words });
        if let (Some(model), Some(response)) = (text(message, "responseModel"), response.as_object_mut()) {
            response.insert("schema".to_owned(), schema_of(model, &Value::Null));
        }
        new.insert(code, response);
    }
    let kind = text(old, "type").or_else(|| text(old, "responseClass")).filter(|k| !k.eq_ignore_ascii_case("void"));
    if let Some(kind) = kind {
        let success = object(&mut new, "200");
        success.entry("description").or_insert("OK".into());
        success.entry("schema").or_insert_with(|| schema_of(kind, old));
    }
    if new.is_empty() {
        new.insert("200".to_owned(), json!({"description": "OK"}));
    }
    Value::Object(new)
}

/// A property: its type, reference or list, with what describes it.
fn schema(old: &Value) -> Value {
    let mut new = match (text(old, "$ref"), text(old, "type")) {
        (Some(id), _) => return reference(id),
        (None, Some(kind)) => schema_of(kind, old),
        (None, None) => json!({}),
    };
    if let Some(new) = new.as_object_mut().filter(|n| !n.contains_key("$ref")) {
        for key in ["description", "format"] {
            if let Some(value) = text(old, key) {
                new.insert(key.to_owned(), value.into());
            }
        }
        for key in ["enum", "minimum", "maximum"] {
            if let Some(value) = old.get(key).and_then(|v| bound(key, v)) {
                new.insert(key.to_owned(), value);
            }
        }
        if let Some(default) = old.get("defaultValue").filter(|d| !d.is_null()) {
            new.insert("default".to_owned(), default.clone());
        }
    }
    new
}

/// The schema of a type's name: plain, `array` with its `items`, `List[X]`, or a model.
fn schema_of(kind: &str, old: &Value) -> Value {
    let inner = ["List[", "Set[", "Array["].iter().find_map(|open| kind.strip_prefix(open)?.strip_suffix(']'));
    if let Some(inner) = inner {
        // The inner name is shorter, so this ends.
        return json!({"type": "array", "items": schema_of(inner, &Value::Null)});
    }
    if ["array", "list", "set"].iter().any(|word| kind.eq_ignore_ascii_case(word)) {
        let items = old.get("items").unwrap_or(&Value::Null);
        let items = match (text(items, "$ref"), text(items, "type")) {
            (Some(id), _) => reference(id),
            (None, Some(kind)) => plain(kind).unwrap_or_else(|| reference(kind)),
            (None, None) => json!({}),
        };
        return json!({"type": "array", "items": items});
    }
    if ["object", "any", "map", "void"].iter().any(|word| kind.eq_ignore_ascii_case(word)) {
        return json!({"type": "object"});
    }
    plain(kind).unwrap_or_else(|| reference(kind))
}

fn plain(kind: &str) -> Option<Value> {
    Some(match kind.to_ascii_lowercase().as_str() {
        "string" => json!({"type": "string"}),
        "int" | "integer" => json!({"type": "integer", "format": "int32"}),
        "long" => json!({"type": "integer", "format": "int64"}),
        "float" => json!({"type": "number", "format": "float"}),
        "double" => json!({"type": "number", "format": "double"}),
        "number" => json!({"type": "number"}),
        "bool" | "boolean" => json!({"type": "boolean"}),
        "byte" => json!({"type": "string", "format": "byte"}),
        "date" => json!({"type": "string", "format": "date"}),
        "datetime" | "date-time" => json!({"type": "string", "format": "date-time"}),
        "file" => json!({"type": "string", "format": "binary"}),
        _ => return None,
    })
}

/// Ids may hold what a reference must escape.
fn reference(id: &str) -> Value {
    let id = id.rsplit('/').next().unwrap_or(id);
    let escaped = percent_encoding::utf8_percent_encode(&id.replace('~', "~0"), UNSAFE).to_string();
    json!({ "$ref": format!("#/definitions/{escaped}") })
}

const UNSAFE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'\\')
    .add(b'#');

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;

    const ROOT: &str = r#"{"swaggerVersion":"1.2","apiVersion":"1.0.0","info":{"title":"Orders","description":"d","contact":"a@b.c","license":"L"},
        "authorizations":{"oauth2":{"type":"oauth2","scopes":[{"key":"ord","name":"Order things","description":"x","roles":"admin, buyer"},{"key":""}]}},
        "apis":[{"path":"/order","description":""}]}"#;

    const ORDER: &str = r##"{"swaggerVersion":"1.2","apiVersion":"1.0.0","basePath":"http://gw:8280/orders/1.0.0","resourcePath":"/order","produces":["application/json"],
        "apis":[
          {"path":"/order/{id}","operations":[
            {"method":"GET","nickname":"get","notes":"long","summary":"short","type":"Order","auth_type":"Application User","throttling_tier":"Gold","scope":"ord",
             "parameters":[{"name":"id","paramType":"path","type":"string","required":false},{"name":"q","paramType":"query","type":"int","allowMultiple":true},
                           {"name":"ghost","paramType":"path","type":"string"}],
             "responseMessages":[{"code":404,"message":"none","responseModel":"Fault"}]},
            {"method":"PUT","nickname":"get","auth_type":"None","mediation_script":"x();","parameters":[{"name":"b","paramType":"body","type":"List[Order]"},{"name":"f","paramType":"form","type":"string"}]},
            {"method":"BREW"}]},
          {"path":"/upload","operations":[{"method":"POST","parameters":[{"name":"f","paramType":"form","type":"File","required":true},{"name":"n","paramType":"form","type":"long","minimum":"1"}]}]}],
        "models":{"Order":{"id":"Order","required":["id"],"discriminator":"kind","subTypes":["Big"],
                    "properties":{"id":{"type":"long"},"lines":{"type":"array","items":{"$ref":"Line"}},"at":{"type":"date-time"},"line":{"$ref":"Line"}}},
                  "Big":{"id":"Big","properties":{"n":{"type":"integer"}}},"Line":{"id":"Line","properties":{}},"Fault":{"id":"Fault","properties":{}}}}"##;

    fn converted() -> (Value, Vec<Repair>) {
        let done = convert_swagger12(ROOT, &[("/order", ORDER)]).unwrap();
        assert_eq!(done.definition.format, DefinitionFormat::OpenApi2);
        (read(&done.definition.text).unwrap(), done.repairs)
    }

    #[test]
    fn everything_of_an_operation_is_carried() {
        let (document, _) = converted();
        let get = document.pointer("/paths/~1order~1{id}/get").unwrap();
        assert_eq!(
            (&get["summary"], &get["description"], &get["operationId"], &get["produces"]),
            (&json!("short"), &json!("long"), &json!("get"), &json!(["application/json"]))
        );
        assert_eq!(
            get["parameters"],
            json!([{"name": "id", "in": "path", "required": true, "type": "string"},
                   {"name": "q", "in": "query", "required": false, "type": "array", "items": {"type": "integer", "format": "int32"}, "collectionFormat": "csv"}])
        );
        assert_eq!(
            get["responses"],
            json!({"404": {"description": "none", "schema": {"$ref": "#/definitions/Fault"}}, "200": {"description": "OK", "schema": {"$ref": "#/definitions/Order"}}})
        );
        let put = document.pointer("/paths/~1order~1{id}/put").unwrap();
        assert_eq!(
            put["parameters"],
            json!([{"name": "b", "in": "body", "required": false, "schema": {"type": "array", "items": {"$ref": "#/definitions/Order"}}}])
        );
        assert_eq!((&put["operationId"], &put["x-mediation-script"]), (&json!("get_2"), &json!("x();")));
        let post = document.pointer("/paths/~1upload/post/parameters").unwrap();
        assert_eq!((&post[0]["type"], &post[1]["minimum"], &post[1]["in"]), (&json!("file"), &json!(1), &json!("formData")));
    }

    #[test]
    fn models_become_definitions() {
        let (document, _) = converted();
        let order = document.pointer("/definitions/Order").unwrap();
        assert_eq!((&order["discriminator"], &order["required"]), (&json!("kind"), &json!(["id"])));
        assert_eq!(order["properties"]["lines"], json!({"type": "array", "items": {"$ref": "#/definitions/Line"}}));
        assert_eq!(order["properties"]["at"], json!({"type": "string", "format": "date-time"}));
        let big = document.pointer("/definitions/Big").unwrap();
        assert_eq!((&big["allOf"], &big["properties"]["n"]["type"]), (&json!([{"$ref": "#/definitions/Order"}]), &json!("integer")));
    }

    #[test]
    fn the_api_managers_words_are_read_from_the_result() {
        let done = convert_swagger12(ROOT, &[("/order", ORDER)]).unwrap();
        let parsed = validate(&done.definition.text).unwrap();
        let seen: Vec<_> =
            parsed.operations.iter().map(|o| (o.verb.as_str(), o.target.as_str(), o.auth, o.policy.as_str(), o.scopes.join(","))).collect();
        assert_eq!(
            seen,
            [
                ("GET", "/order/{id}", AuthType::ApplicationUser, "Gold", "ord".to_owned()),
                ("PUT", "/order/{id}", AuthType::None, "Unlimited", String::new()),
                ("POST", "/upload", AuthType::None, "Unlimited", String::new()),
            ]
        );
        assert_eq!((parsed.scopes[0].display_name.as_str(), parsed.scopes[0].roles.len()), ("Order things", 2));
        assert_eq!((parsed.info.title.as_str(), parsed.info.version.as_str()), ("Orders", "1.0.0"));
    }

    #[test]
    fn what_could_not_be_carried_is_told() {
        let (_, repairs) = converted();
        let told = repairs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for word in ["brew", "ghost", "without a key", "beside another body", "no known auth_type", "renamed to 'get_2'"] {
            assert!(told.contains(word), "{word} is not in:\n{told}");
        }
    }

    #[test]
    fn a_broken_resource_is_named() {
        let faults = convert_swagger12(ROOT, &[("/order", ORDER), ("/broken", "{")]).unwrap_err();
        assert!(faults[0].description.starts_with("/broken: "));
    }
}
