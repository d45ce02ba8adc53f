//! What is wrong with a definition, in the shape the publisher's validation answers with; and what was mended in one.

use std::fmt;

/// A reason to refuse a definition. Codes and messages are 4.0.0's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {description}")]
pub struct Fault {
    /// 900751–900764.
    pub code: u32,
    /// Fixed words for the code.
    pub message: &'static str,
    /// What and where.
    pub description: String,
}

impl Fault {
    /// Something required is missing, or of the wrong kind.
    pub(crate) fn parse(description: impl Into<String>) -> Self {
        Self { code: 900_754, message: "Error while parsing OpenAPI definition", description: description.into() }
    }

    /// Neither JSON nor YAML, or beyond a bound.
    pub(crate) fn malformed(description: impl Into<String>) -> Self {
        // The reader's words name the way to the fault, which is as long as the text's author likes.
        let description = description.into().chars().take(300).collect();
        Self { code: 900_758, message: "Malformed OpenAPI Definition", description }
    }

    /// No version we know by name.
    pub(crate) fn unrecognized() -> Self {
        let description = "the definition has neither 'openapi' nor 'swagger'".to_owned();
        Self { code: 900_759, message: "Unrecognized OpenAPI Definition", description }
    }

    /// `openapi` of another generation.
    pub(crate) fn openapi_version(version: &str) -> Self {
        Self {
            code: 900_752,
            message: "Invalid OpenAPI Definition",
            description: format!("'openapi: {version}' is not a version 3 definition"),
        }
    }

    /// `swagger` of another generation.
    pub(crate) fn swagger_version(version: &str) -> Self {
        Self { code: 900_760, message: "Invalid Swagger Definition", description: format!("'swagger: {version}' is not version 2.0") }
    }

    /// `info` or `paths` are missing.
    pub(crate) fn no_info_or_paths(what: &str) -> Self {
        Self { code: 900_753, message: "Invalid OpenAPI Definition", description: format!("attribute {what} is missing") }
    }
}

/// Something mended or passed over while reading a definition that is not quite valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Where: `info.title`, `paths./order.get.responses`.
    pub place: String,
    /// What was done, as a clause: `was missing; set to "x"`.
    pub what: String,
}

impl Repair {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.what)
    }
}
