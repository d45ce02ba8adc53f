//! OpenAPI definitions, read and written: 2.0, 3.0 and 3.1, in JSON or YAML, with WSO2's extensions; and Swagger 1.2, read only.
//!
//! A definition stays what its author wrote: it is kept as an open JSON value with its members in order, and only what an API manager owns
//! (credentials, policies, scopes, `x-wso2-*`) is written into it. So this crate has no type for a schema or a parameter, and resolves no
//! reference. It fetches nothing; the caller brings the text.
//!
//! Every text from outside is bounded in bytes, values and depth before anything is made of it ([`MAX_TEXT_BYTES`]); YAML's aliases count each
//! time they are used.

mod apply;
mod extensions;
mod fault;
mod flow;
mod parse;
mod portal;
mod read;
mod repair;
mod scopes;
mod swagger12;
mod validate;

pub use apply::{Version, apply, generate};
pub use extensions::Extensions;
pub use fault::{Fault, Repair};
pub use parse::{Info, Parsed, parse};
pub use portal::for_portal;
pub use read::{MAX_DEPTH, MAX_TEXT_BYTES, MAX_VALUES, read};
pub use swagger12::{Converted, convert_swagger12};
pub use validate::validate;

use serde_json::{Map, Value};

/// Verbs that a path may offer, as the definition writes them. `trace` is left out: 4.0.0 offers no such operation.
pub(crate) const VERBS: [&str; 7] = ["get", "put", "post", "delete", "patch", "options", "head"];

/// Name of the security scheme that belongs to the API manager.
pub(crate) const DEFAULT_SCHEME: &str = "default";

pub(crate) type Object = Map<String, Value>;

/// The object under `key`; anything else there makes way for an empty one.
pub(crate) fn object<'a>(parent: &'a mut Object, key: &str) -> &'a mut Object {
    let slot = parent.entry(key.to_owned()).or_insert(Value::Null);
    if !slot.is_object() {
        *slot = Value::Object(Object::new());
    }
    slot.as_object_mut().expect("an object was put here if there was none")
}

/// Non-empty text under `key`.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty())
}

/// The texts of a list, or one text cut at commas; empty ones are left out.
pub(crate) fn words(value: &Value) -> Vec<String> {
    let clean = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    match value {
        Value::Array(items) => items.iter().filter_map(|i| clean(i.as_str()?)).collect(),
        Value::String(text) => text.split(',').filter_map(clean).collect(),
        _ => Vec::new(),
    }
}

/// Every operation of a definition: path, verb as written, operation.
pub(crate) fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    document
        .get("paths")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(path, _)| !path.starts_with("x-"))
        .filter_map(|(path, item)| Some((path.as_str(), item.as_object()?)))
        .flat_map(|(path, item)| {
            item.iter().filter(|(verb, _)| VERBS.contains(&verb.as_str())).map(move |(verb, op)| (path, verb.as_str(), op))
        })
}
