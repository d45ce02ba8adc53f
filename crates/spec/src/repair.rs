//! Mending definitions that an old publisher let through: no title, empty responses, one operation id twice, scopes without a name.
//!
//! Only what would stop other tools from reading the definition is touched.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{Object, Repair, VERBS, object, parse::word};

const UNTITLED: &str = "Untitled";

pub(crate) fn repair(document: &mut Value) -> Vec<Repair> {
    let mut repairs = Vec::new();
    let Some(root) = document.as_object_mut() else { return repairs };
    if !root.get("info").is_some_and(Value::is_object) {
        repairs.push(Repair::new("info", "was missing; added"));
    }
    let info = object(root, "info");
    for (key, default) in [("title", UNTITLED), ("version", "1.0.0")] {
        match word(&Value::Object(info.clone()), key) {
            None => {
                repairs.push(Repair::new(format!("info.{key}"), format!("was missing; set to '{default}'")));
                info.insert(key.to_owned(), default.into());
            }
            Some(found) => drop(info.insert(key.to_owned(), found.into())),
        }
    }
    if !root.get("paths").is_some_and(Value::is_object) {
        repairs.push(Repair::new("paths", "was missing; added without operations"));
    }
    let paths = std::mem::take(object(root, "paths"));
    let mut ids = HashSet::new();
    let mended = object(root, "paths");
    for (path, item) in paths {
        if path.starts_with("x-") {
            mended.insert(path, item);
            continue;
        }
        let Value::Object(item) = item else {
            repairs.push(Repair::new(format!("paths.{path}"), "was no object; left out"));
            continue;
        };
        let rooted = if path.starts_with('/') { path.clone() } else { format!("/{path}") };
        if rooted != path {
            repairs.push(Repair::new(format!("paths.{path}"), "did not start with '/'; put in front"));
        }
        let item = path_item(&rooted, item, &mut ids, &mut repairs);
        object(mended, &rooted).extend(item);
    }
    repairs
}

fn path_item(path: &str, item: Object, ids: &mut HashSet<String>, repairs: &mut Vec<Repair>) -> Object {
    let mut mended = Object::new();
    for (key, value) in item {
        let verb = key.to_ascii_lowercase();
        if !VERBS.contains(&verb.as_str()) {
            mended.insert(key, value);
            continue;
        }
        let place = format!("paths.{path}.{verb}");
        if key != verb {
            repairs.push(Repair::new(&place, "was not in lower case; mended"));
        }
        let Value::Object(mut operation) = value else {
            repairs.push(Repair::new(&place, "was no object; replaced by an operation without details"));
            mended.insert(verb, json!({"responses": {"200": {"description": "OK"}}}));
            continue;
        };
        responses(&place, &mut operation, repairs);
        operation_id(&place, &mut operation, ids, repairs);
        scopes(&place, &mut operation, repairs);
        mended.insert(verb, Value::Object(operation));
    }
    mended
}

fn responses(place: &str, operation: &mut Object, repairs: &mut Vec<Repair>) {
    let responses = object(operation, "responses");
    if responses.is_empty() {
        responses.insert("200".to_owned(), json!({"description": "OK"}));
        repairs.push(Repair::new(format!("{place}.responses"), "was empty; 200 added"));
    }
    for (code, response) in responses.iter_mut().filter(|(code, _)| !code.starts_with("x-")) {
        if !response.is_object() {
            *response = json!({});
        }
        if let Some(response) = response.as_object_mut()
            && !response.contains_key("$ref")
            && !response.get("description").is_some_and(Value::is_string)
        {
            response.insert("description".to_owned(), if code == "200" { "OK".into() } else { "".into() });
            repairs.push(Repair::new(format!("{place}.responses.{code}"), "had no description; added"));
        }
    }
}

fn operation_id(place: &str, operation: &mut Object, ids: &mut HashSet<String>, repairs: &mut Vec<Repair>) {
    let Some(id) = operation.get("operationId").and_then(Value::as_str).map(str::to_owned) else { return };
    if id.trim().is_empty() {
        operation.shift_remove("operationId");
        repairs.push(Repair::new(format!("{place}.operationId"), "was empty; left out"));
        return;
    }
    let mut free = id.clone();
    let mut number = 2_u32;
    while !ids.insert(free.clone()) {
        free = format!("{id}_{number}");
        number += 1;
    }
    if free != id {
        repairs.push(Repair::new(format!("{place}.operationId"), format!("'{id}' was used before; renamed to '{free}'")));
        operation.insert("operationId".to_owned(), free.into());
    }
}

/// An empty scope name asks for nothing, but stands in the way of every reader that looks scopes up.
fn scopes(place: &str, operation: &mut Object, repairs: &mut Vec<Repair>) {
    if operation.get("x-scope").and_then(Value::as_str).is_some_and(|s| s.trim().is_empty()) {
        operation.shift_remove("x-scope");
        repairs.push(Repair::new(format!("{place}.x-scope"), "was empty; left out"));
    }
    if operation.get("security").is_some_and(|s| !s.is_array()) {
        operation.shift_remove("security");
        repairs.push(Repair::new(format!("{place}.security"), "was no list; left out"));
    }
    for list in operation
        .get_mut("security")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .flat_map(|r| r.values_mut())
    {
        if let Some(list) = list.as_array_mut() {
            let before = list.len();
            list.retain(|scope| scope.as_str().is_none_or(|s| !s.trim().is_empty()));
            if list.len() != before {
                repairs.push(Repair::new(format!("{place}.security"), "named an empty scope; left out"));
            }
        }
    }
}
