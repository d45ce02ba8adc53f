//! Judging a definition that is about to come in.

use std::collections::HashSet;

use model::DefinitionFormat;
use serde_json::Value;

use crate::parse::{digest, recognize, word};
use crate::{Fault, Parsed, operations, read, text};

/// Reads a definition and refuses it when it is not valid. Descriptions name the place as 4.0.0's reader does:
/// `attribute paths.'/a'(get).responses is missing`.
///
/// # Errors
/// Every [`Fault`] found, at most a hundred.
pub fn validate(source: &str) -> Result<Parsed, Vec<Fault>> {
    let document = read(source).map_err(|fault| vec![fault])?;
    let (format, version) = recognize(&document).map_err(|fault| vec![fault])?;
    let mut faults = faults(&document, format, &version);
    if faults.is_empty() {
        return Ok(digest(document, format, version, Vec::new()));
    }
    faults.truncate(100);
    Err(faults)
}

fn faults(document: &Value, format: DefinitionFormat, version: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    match document.get("info") {
        Some(info) if info.is_object() => {
            for key in ["title", "version"] {
                if word(info, key).is_none() {
                    faults.push(Fault::parse(format!("attribute info.{key} is missing")));
                }
            }
        }
        _ => faults.push(Fault::no_info_or_paths("info")),
    }
    let Some(paths) = document.get("paths").and_then(Value::as_object) else {
        faults.push(Fault::no_info_or_paths("paths"));
        return faults;
    };
    for (path, item) in paths.iter().filter(|(path, _)| !path.starts_with("x-")) {
        if !path.starts_with('/') {
            faults.push(Fault::parse(format!("attribute paths.'{path}' does not start with '/'")));
        }
        if !item.is_object() {
            faults.push(Fault::parse(format!("attribute paths.'{path}' is not of type `object`")));
        }
    }
    let responses_optional = format == DefinitionFormat::OpenApi3 && !version.starts_with("3.0");
    let mut ids = HashSet::new();
    for (path, verb, operation) in operations(document) {
        let place = format!("paths.'{path}'({verb})");
        if !operation.is_object() {
            faults.push(Fault::parse(format!("attribute {place} is not of type `object`")));
            continue;
        }
        match operation.get("responses") {
            Some(responses) if responses.as_object().is_some_and(|r| !r.is_empty()) => {}
            None if responses_optional => {}
            _ => faults.push(Fault::parse(format!("attribute {place}.responses is missing"))),
        }
        if let Some(id) = text(operation, "operationId")
            && !ids.insert(id)
        {
            faults.push(Fault::parse(format!("attribute {place}.operationId is repeated")));
        }
        if operation.get("security").is_some_and(|s| !s.is_array()) {
            faults.push(Fault::parse(format!("attribute {place}.security is not of type `array`")));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_with_its_code_and_place() {
        let faults = validate(
            r#"{"openapi":"3.0.0","info":{"title":""},"paths":{"a":{},"/b":1,"/c":{"get":{"operationId":"x","responses":{}},"put":{"operationId":"x","responses":{"200":{}},"security":{}},"post":3}}}"#,
        )
        .unwrap_err();
        let told: Vec<_> = faults.iter().map(|f| (f.code, f.description.as_str())).collect();
        assert_eq!(
            told,
            [
                (900_754, "attribute info.title is missing"),
                (900_754, "attribute info.version is missing"),
                (900_754, "attribute paths.'a' does not start with '/'"),
                (900_754, "attribute paths.'/b' is not of type `object`"),
                (900_754, "attribute paths.'/c'(get).responses is missing"),
                (900_754, "attribute paths.'/c'(put).operationId is repeated"),
                (900_754, "attribute paths.'/c'(put).security is not of type `array`"),
                (900_754, "attribute paths.'/c'(post) is not of type `object`"),
            ]
        );
        assert_eq!(validate(r#"{"swagger":"2.0"}"#).unwrap_err().iter().map(|f| f.code).collect::<Vec<_>>(), [900_753, 900_753]);
    }

    #[test]
    fn version_3_1_needs_no_responses() {
        assert!(validate(r#"{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{}}}}"#).is_ok());
    }
}
