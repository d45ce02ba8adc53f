//! What most files of a project are wrapped in: `type`, `version` and `data`, as YAML or JSON.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{ArchiveError, Folder, yaml};

/// The version that 4.0.0 writes.
pub const VERSION: &str = "v4.0.0";

/// How the files of a project are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// YAML.
    #[default]
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// Reads the query parameter `format`; absent is YAML. `None` for another word.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text.map(str::trim) {
            None | Some("") => Some(Self::Yaml),
            Some(word) if word.eq_ignore_ascii_case("YAML") => Some(Self::Yaml),
            Some(word) if word.eq_ignore_ascii_case("JSON") => Some(Self::Json),
            Some(_) => None,
        }
    }

    /// `yaml` or `json`.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
        }
    }

    /// A value in this form.
    pub(crate) fn text(self, value: &Value) -> String {
        match self {
            Self::Yaml => yaml::text(value),
            Self::Json => format!("{value:#}\n"),
        }
    }
}

/// Writes `<stem>.yaml` or `<stem>.json`.
pub(crate) fn put(folder: &mut Folder, stem: &str, kind: &str, data: Value, format: Format) {
    let value = json!({ "type": kind, "version": VERSION, "data": data });
    folder.put(format!("{stem}.{}", format.extension()), format.text(&value));
}

/// Reads `<stem>.yaml`, or else `<stem>.json`, straight into its type: a version `1.10` without quotes is text, whatever YAML makes of it.
pub(crate) fn read<T: DeserializeOwned>(folder: &Folder, stem: &str, kind: &'static str) -> Result<Option<T>, ArchiveError> {
    let Some((file, bytes)) = find(folder, stem) else { return Ok(None) };
    let head: Head = parse(&file, bytes)?;
    if head.kind.as_deref() != Some(kind) {
        return Err(ArchiveError::Type { file, found: head.kind.unwrap_or_default(), expected: kind });
    }
    let version = head.version.unwrap_or_else(|| VERSION.to_owned());
    if version != "v4" && version != "v4.0" && !version.starts_with("v4.0.") {
        return Err(ArchiveError::Version { file, found: version });
    }
    parse::<Whole<T>>(&file, bytes).map(|whole| Some(whole.data))
}

pub(crate) fn find<'a>(folder: &'a Folder, stem: &str) -> Option<(String, &'a [u8])> {
    ["yaml", "json"].into_iter().find_map(|extension| {
        let file = format!("{stem}.{extension}");
        folder.get(&file).map(|bytes| (file, bytes))
    })
}

/// A YAML or JSON file, told by its name.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, ArchiveError> {
    let unreadable = |words: String| ArchiveError::Unreadable { file: file.to_owned(), words };
    let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))?;
    match file.ends_with(".json") {
        true => serde_json::from_str(text).map_err(|fault| unreadable(fault.to_string())),
        false => serde_norway::from_str(text).map_err(|fault| unreadable(fault.to_string())),
    }
}

#[derive(serde::Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<String>,
    version: Option<String>,
}

#[derive(serde::Deserialize)]
struct Whole<T> {
    data: T,
}

/// A value without members that are `null`, as 4.0.0 leaves them out.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, v)| !v.is_null()).map(|(name, v)| (name, without_nulls(v))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Data {
        version: String,
    }

    fn of(text: &str) -> Result<Option<Data>, ArchiveError> {
        let mut folder = Folder::default();
        folder.put("api.yaml", text);
        read(&folder, "api", "api")
    }

    #[test]
    fn numbers_stay_the_text_they_were() {
        assert_eq!(of("type: api\nversion: v4.0.0\ndata:\n  version: 1.10\n").unwrap(), Some(Data { version: "1.10".to_owned() }));
        assert_eq!(of("type: api\nversion: v4\ndata:\n  version: 1\n").unwrap(), Some(Data { version: "1".to_owned() }));
    }

    #[test]
    fn other_kinds_and_versions_are_refused() {
        let refused = |text: &str| of(text).unwrap_err();
        assert!(matches!(refused("type: api_product\nversion: v4.0.0\ndata: {version: x}"), ArchiveError::Type { .. }));
        assert!(matches!(refused("version: v4.0.0\ndata: {version: x}"), ArchiveError::Type { .. }));
        assert!(
            matches!(refused("type: api\nversion: v4.1.0\ndata: {version: x}"), ArchiveError::Version { found, .. } if found == "v4.1.0")
        );
        assert!(matches!(refused("type: api\ndata: ["), ArchiveError::Unreadable { .. }));
    }

    #[test]
    fn a_file_that_repeats_itself_without_end_is_refused() {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (at, before) in ('b'..='j').zip('a'..) {
            let many = vec![format!("*{before}"); 10].join(", ");
            text.push_str(&format!("{at}: &{at} [{many}]\n"));
        }
        text.push_str("type: api\nversion: v4.0.0\ndata: {version: x}\n");
        assert!(matches!(parse::<Value>("api.yaml", text.as_bytes()), Err(ArchiveError::Unreadable { .. })));
    }
}
