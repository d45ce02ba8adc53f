//! Content types: what they mean for a body, and which characters it is written in.

use std::borrow::Cow;

use crate::failure::Failure;

/// What a content type means for reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    /// `text/xml`: SOAP 1.1 if it has an envelope.
    Soap11,
    Soap12,
    Xml,
    Form,
    Text,
    Binary,
}

/// The type without its parameters, in small letters.
pub(crate) fn mime(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl Media {
    pub(crate) fn of(content_type: &str) -> Self {
        match mime(content_type).as_str() {
            "application/json" | "text/json" | "application/json/badgerfish" | "text/javascript" => Self::Json,
            "text/xml" => Self::Soap11,
            "application/soap+xml" => Self::Soap12,
            "application/xml" => Self::Xml,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Xml,
            other if other.starts_with("text/") => Self::Text,
            _ => Self::Binary,
        }
    }
}

/// The body as characters, by the set its type names, or its XML declaration. Sets of one byte a letter and UTF-8 are known.
pub(super) fn decoded<'b>(bytes: &'b [u8], content_type: &str) -> Result<Cow<'b, str>, Failure> {
    let named =
        content_type.split(';').skip(1).find_map(|part| part.trim().to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    let declared = || {
        let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(120)).unwrap_or_default()).into_owned();
        let head = head.strip_prefix("<?xml")?.split("?>").next()?.to_ascii_lowercase();
        let (_, value) = head.split_once("encoding=")?;
        let quote = value.chars().next()?;
        value.get(1..)?.split(quote).next().map(str::to_owned)
    };
    let set = named.map(|set| set.trim_matches(['"', '\'']).to_owned()).or_else(declared).unwrap_or_default();
    match set.as_str() {
        "iso-8859-1" | "latin1" | "us-ascii" | "ascii" => Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())),
        "" | "utf-8" | "utf8" => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Failure::unreadable("the body is not UTF-8")),
        other => Err(Failure::unreadable(&format!("the character set '{}' is not known", crate::xml::shortened(other)))),
    }
}

/// A content type for what we wrote, which is UTF-8 whatever came.
pub(crate) fn in_utf8(content_type: &str) -> String {
    let mut parts = content_type.split(';').map(str::trim).filter(|part| !part.is_empty());
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_set = part.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("charset="));
        let other = is_set && !part.get(8..).unwrap_or_default().trim_matches('"').eq_ignore_ascii_case("utf-8");
        out.push_str("; ");
        out.push_str(if other { "charset=UTF-8" } else { part });
    }
    out
}
