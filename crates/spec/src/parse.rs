//! What an API manager needs to know of a definition.

use model::{ApiScope, AuthType, Definition, DefinitionFormat, Operation, UNLIMITED};
use serde_json::Value;

use crate::extensions::is_true;
use crate::{Extensions, Fault, Repair, operations, read, repair, scopes, text};

/// A definition that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Language.
    pub format: DefinitionFormat,
    /// Its version, e.g. `3.0.1`.
    pub version: String,
    /// Name, version and description.
    pub info: Info,
    /// Operations in the author's order, with the credentials, policy, scopes and script that WSO2's extensions give them.
    pub operations: Vec<Operation>,
    /// Scopes, declared ones first; then, unbound, those that operations name without a declaration.
    pub scopes: Vec<ApiScope>,
    /// Addresses the definition names (`servers`, or `schemes`, `host` and `basePath`).
    pub servers: Vec<String>,
    /// Path proposed as context: `x-wso2-basePath`, `basePath`, or the first server's path.
    pub base_path: Option<String>,
    /// Settings of the API that travel with the definition.
    pub extensions: Extensions,
    /// What had to be mended; empty after [`crate::validate`].
    pub repairs: Vec<Repair>,
    /// The definition itself.
    pub document: Value,
}

/// `info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Title.
    pub title: String,
    /// Version of the API.
    pub version: String,
    /// Free text.
    pub description: Option<String>,
}

impl Parsed {
    /// The definition as JSON text, the form in which 4.0.0 stores and answers it, whatever it was read from.
    #[must_use]
    pub fn definition(&self) -> Definition {
        Definition { format: self.format, text: crate::apply::print(&self.document) }
    }
}

/// Reads a definition as leniently as can be: what is missing or doubled is mended, and said so in `repairs`. For definitions that have long been
/// in use; a new one goes through [`crate::validate`].
///
/// # Errors
/// [`Fault`]s for what is no OpenAPI definition at all.
pub fn parse(source: &str) -> Result<Parsed, Vec<Fault>> {
    let mut document = read(source).map_err(|fault| vec![fault])?;
    let (format, version) = recognize(&document).map_err(|fault| vec![fault])?;
    let repairs = repair::repair(&mut document);
    Ok(digest(document, format, version, repairs))
}

/// Language and version.
pub(crate) fn recognize(document: &Value) -> Result<(DefinitionFormat, String), Fault> {
    // YAML reads an unquoted `2.0` as a number.
    let version = |key: &str| match document.get(key) {
        Some(Value::String(version)) => Some(version.trim().to_owned()),
        Some(Value::Number(version)) => Some(version.to_string()),
        _ => None,
    };
    if let Some(version) = version("openapi") {
        return if version == "3" || version.starts_with("3.") {
            Ok((DefinitionFormat::OpenApi3, version))
        } else {
            Err(Fault::openapi_version(&version))
        };
    }
    match version("swagger") {
        Some(version) if version == "2.0" || version == "2" => Ok((DefinitionFormat::OpenApi2, "2.0".to_owned())),
        Some(version) => Err(Fault::swagger_version(&version)),
        None => Err(Fault::unrecognized()),
    }
}

pub(crate) fn digest(document: Value, format: DefinitionFormat, version: String, mut repairs: Vec<Repair>) -> Parsed {
    let extensions = Extensions::of(&document);
    let operations: Vec<Operation> =
        operations(&document).map(|(path, verb, op)| operation(&document, path, verb, op, extensions.security_disabled)).collect();
    let mut scopes = scopes::declared(&document);
    for operation in &operations {
        for name in &operation.scopes {
            if !scopes.iter().any(|s| s.name == *name) {
                repairs.push(Repair::new(
                    format!("paths.{}.{}", operation.target, operation.verb.to_ascii_lowercase()),
                    format!("asks for the scope '{name}', which is not declared; declared without roles"),
                ));
                scopes.push(ApiScope {
                    name: name.clone(),
                    display_name: name.clone(),
                    description: None,
                    roles: Vec::new(),
                    shared: false,
                });
            }
        }
    }
    let servers = servers(&document, format);
    let base_path = extensions.base_path.clone().or_else(|| match format {
        DefinitionFormat::OpenApi2 => text(&document, "basePath").filter(|p| *p != "/").map(str::to_owned),
        _ => servers.first().and_then(|url| path_of(url)),
    });
    let info = document.get("info").unwrap_or(&Value::Null);
    let info = Info {
        title: word(info, "title").unwrap_or_default(),
        version: word(info, "version").unwrap_or_default(),
        description: text(info, "description").map(str::to_owned),
    };
    Parsed { format, version, info, operations, scopes, servers, base_path, extensions, repairs, document }
}

/// Text, or a number that YAML made of an unquoted version.
pub(crate) fn word(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn operation(document: &Value, path: &str, verb: &str, op: &Value, security_disabled: bool) -> Operation {
    let open = security_disabled || op.get("x-wso2-disable-security").is_some_and(is_true);
    Operation {
        target: path.to_owned(),
        verb: verb.to_ascii_uppercase(),
        auth: if open { AuthType::None } else { text(op, "x-auth-type").and_then(AuthType::parse).unwrap_or(AuthType::Any) },
        policy: text(op, "x-throttling-tier").or_else(|| text(op, "x-wso2-throttling-tier")).unwrap_or(UNLIMITED).to_owned(),
        scopes: scopes::of_operation(document, op),
        script: op.get("x-mediation-script").and_then(Value::as_str).filter(|s| !s.trim().is_empty()).map(str::to_owned),
    }
}

fn servers(document: &Value, format: DefinitionFormat) -> Vec<String> {
    if format == DefinitionFormat::OpenApi2 {
        let Some(host) = text(document, "host") else { return Vec::new() };
        let base = text(document, "basePath").filter(|p| *p != "/").unwrap_or_default();
        let mut schemes = document.get("schemes").map(crate::words).unwrap_or_default();
        if schemes.is_empty() {
            schemes.push("https".to_owned());
        }
        return schemes.into_iter().map(|scheme| format!("{scheme}://{host}{base}")).collect();
    }
    document.get("servers").and_then(Value::as_array).into_iter().flatten().filter_map(|s| text(s, "url")).map(str::to_owned).collect()
}

/// The path of an absolute or relative address, when it is more than `/`.
fn path_of(url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..))?,
        None => url,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    path.starts_with('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_3_in_yaml_is_read_with_its_extensions() {
        let parsed = parse(
            "openapi: 3.0.1
info: {title: Tides, version: 1.0, description: When to sail}
servers: [{url: 'https://api.example.com/tides/v1/'}]
x-wso2-throttling-tier: Gold
x-wso2-auth-header: X-Token
paths:
  /ports/{id}:
    get:
      x-auth-type: Application User
      x-throttling-tier: Silver
      security: [{default: [read]}]
      responses: {200: {description: ok}}
    trace: {}
    parameters: []
  /ports:
    post:
      x-auth-type: None
      x-mediation-script: mc.setProperty('a','b');
      responses: {201: {description: made}}
components:
  securitySchemes:
    default: {type: oauth2, flows: {implicit: {scopes: {read: look}, x-scopes-bindings: {read: 'sailor,admin'}}}}
",
        )
        .unwrap();
        assert_eq!(parsed.repairs, []);
        assert_eq!((parsed.info.title.as_str(), parsed.info.version.as_str()), ("Tides", "1.0"));
        assert_eq!(parsed.base_path.as_deref(), Some("/tides/v1"));
        let [get, post] = parsed.operations.as_slice() else { unreachable!("two operations") };
        assert_eq!(
            (get.verb.as_str(), get.auth, get.policy.as_str(), get.scopes.as_slice()),
            ("GET", AuthType::ApplicationUser, "Silver", ["read".to_owned()].as_slice())
        );
        assert_eq!((post.auth, post.script.as_deref()), (AuthType::None, Some("mc.setProperty('a','b');")));
        assert_eq!(parsed.scopes[0].roles, ["sailor", "admin"]);
        assert_eq!(
            (parsed.extensions.policy.as_deref(), parsed.extensions.authorization_header.as_deref()),
            (Some("Gold"), Some("X-Token"))
        );
    }

    #[test]
    fn version_2_of_an_old_publisher_is_read_and_mended() {
        let parsed = parse(
            r#"{"swagger":"2.0","paths":{"/a":{"get":{"x-auth-type":"Application & Application User","x-throttling-tier":"Unlimited","x-scope":"s1","responses":{"200":{}}},
            "post":{"x-scope":"","operationId":"x","responses":{}},"put":{"operationId":"x"}}},
            "x-wso2-security":{"apim":{"x-wso2-scopes":[{"key":"s1","name":"Scope one","description":"","roles":"admin"},{"key":"","name":""}]}}}"#,
        )
        .unwrap();
        assert_eq!(parsed.operations.iter().map(|o| o.scopes.len()).collect::<Vec<_>>(), [1, 0, 0]);
        assert_eq!((parsed.scopes.len(), parsed.scopes[0].display_name.as_str()), (1, "Scope one"));
        assert!(parsed.repairs.len() >= 5, "{:?}", parsed.repairs);
        assert!(crate::validate(&parsed.definition().text).is_ok(), "{:?}", crate::validate(&parsed.definition().text));
    }

    #[test]
    fn a_scope_nobody_declared_is_declared_and_told() {
        let parsed = parse(r#"{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"x-scope":"ghost","responses":{"200":{"description":"x"}}}}}}"#).unwrap();
        assert_eq!(parsed.scopes[0].name, "ghost");
        assert!(parsed.repairs[0].to_string().contains("ghost"));
    }

    #[test]
    fn what_is_not_openapi_is_refused_with_its_code() {
        let code = |text: &str| parse(text).unwrap_err()[0].code;
        assert_eq!(code("hello"), 900_758);
        assert_eq!(code("{}"), 900_759);
        assert_eq!(code(r#"{"swagger":"1.2"}"#), 900_760);
        assert_eq!(code(r#"{"openapi":"2.0"}"#), 900_752);
    }

    #[test]
    fn servers_of_version_2_are_put_together() {
        let parsed = parse(
            r#"{"swagger":"2.0","host":"h:8","basePath":"/b","schemes":["http","https"],"info":{"title":"t","version":"1"},"paths":{}}"#,
        )
        .unwrap();
        assert_eq!(parsed.servers, ["http://h:8/b", "https://h:8/b"]);
        assert_eq!(parsed.base_path.as_deref(), Some("/b"));
    }
}
