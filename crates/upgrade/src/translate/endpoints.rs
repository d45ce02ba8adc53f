//! `endpointConfig`, which old sites hold in every state of repair, with the backend's credentials and a rehearsal's other backends.

use model::Endpoints;
use serde_json::{Map, Value, json};

use crate::old::apis::Artifact;

/// Backends to call instead, for rehearsals: the longest old prefix of a URL is replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointMap(Vec<(String, String)>);

/// A line of an endpoint map does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the endpoint map must be `OLD-PREFIX NEW-PREFIX`")]
pub struct EndpointMapFault {
    /// Which, from 1.
    pub line: usize,
}

impl EndpointMap {
    /// Reads lines of `OLD-PREFIX NEW-PREFIX`; empty ones and those that start with `#` say nothing.
    ///
    /// # Errors
    ///
    /// [`EndpointMapFault`].
    pub fn parse(text: &str) -> Result<Self, EndpointMapFault> {
        let mut pairs = Vec::new();
        for (line, words) in (1..).zip(text.lines()) {
            let words: Vec<&str> = words.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                [old, new] => pairs.push(((*old).to_owned(), (*new).to_owned())),
                _ => return Err(EndpointMapFault { line }),
            }
        }
        pairs.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
        Ok(Self(pairs))
    }

    /// Names what it says.
    pub fn digest(&self) -> String {
        let words: Vec<&[u8]> = self.0.iter().flat_map(|(old, new)| [old.as_bytes(), new.as_bytes()]).collect();
        crate::digests::hex(&crate::fingerprint::of(&words))
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn mapped(&self, url: &str) -> Option<String> {
        self.0.iter().find_map(|(old, new)| {
            let rest = url.strip_prefix(old.as_str())?;
            // `http://b` is no prefix of `http://bank`: another host must not be called in its place.
            let at_boundary = old.ends_with('/') || rest.is_empty() || rest.starts_with(['/', ':', '?']);
            at_boundary.then(|| format!("{new}{rest}"))
        })
    }
}

/// Endpoints, and what had to be done to get them.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) endpoints: Endpoints,
    /// In words, for a finding.
    pub(super) repairs: Vec<&'static str>,
}

/// Reads an artifact's endpoints.
pub(super) fn read(artifact: &Artifact, map: &EndpointMap) -> Read {
    let mut repairs = Vec::new();
    let mut config = match artifact.get("overview_endpointConfig").map(str::trim).filter(|t| *t != "null") {
        None => {
            let found = legacy(artifact);
            if found.is_some() {
                repairs.push("there is no endpointConfig; the old endpointURL is used");
            }
            found
        }
        Some(text) => match serde_json::from_str::<Value>(text) {
            Ok(value) => value.as_object().cloned().or_else(|| nested(&value)),
            Err(_) => match serde_json::from_str::<Value>(&mended(text)) {
                Ok(value) => {
                    repairs.push("endpointConfig was no JSON and has been mended");
                    value.as_object().cloned()
                }
                Err(_) => {
                    let found = legacy(artifact);
                    repairs.push(match found {
                        Some(_) => "endpointConfig was no JSON; the old endpointURL is used",
                        None => "endpointConfig is no JSON, and there is no endpointURL",
                    });
                    found
                }
            },
        },
    }
    .unwrap_or_default();
    if clean(&mut config) {
        repairs.push("control characters or blanks were taken out of a backend's URL");
    }
    if !map.is_empty() {
        for key in ["production_endpoints", "sandbox_endpoints", "production_failovers", "sandbox_failovers"] {
            if let Some(value) = config.get_mut(key) {
                redirect(value, map);
            }
        }
    }
    if let Some(security) = security(artifact, &mut repairs) {
        config.insert("endpoint_security".to_owned(), json!({"production": security, "sandbox": security}));
    }
    Read { endpoints: Endpoints(Value::Object(config)), repairs }
}

/// JSON within JSON text.
fn nested(value: &Value) -> Option<Map<String, Value>> {
    serde_json::from_str::<Value>(value.as_str()?).ok()?.as_object().cloned()
}

/// One endpoint each, as before 1.4.
fn legacy(artifact: &Artifact) -> Option<Map<String, Value>> {
    let production = artifact.get("overview_endpointURL").map(str::trim);
    let sandbox = artifact.get("overview_sandboxURL").map(str::trim);
    if production.is_none() && sandbox.is_none() {
        return None;
    }
    Endpoints::http(production, sandbox).0.as_object().cloned()
}

/// Single quotes to double ones, and no commas before a closing bracket.
fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for c in text.chars() {
        match quote {
            Some(_) if escaped => {
                escaped = false;
                // JSON knows no escaped single quote.
                if c != '\'' {
                    out.push('\\');
                }
                out.push(c);
            }
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => {
                quote = None;
                out.push('"');
            }
            Some(_) if c == '"' => out.push_str("\\\""),
            Some(_) if c.is_control() => {}
            Some(_) => out.push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                out.push('"');
            }
            None => {
                if matches!(c, '}' | ']') {
                    let kept = out.trim_end().trim_end_matches(',').len();
                    out.truncate(kept);
                }
                out.push(c);
            }
        }
    }
    out
}

/// Takes control characters out of URLs; tells whether there were any.
fn clean(config: &mut Map<String, Value>) -> bool {
    fn walk(value: &mut Value) -> bool {
        match value {
            Value::Array(items) => items.iter_mut().map(walk).filter(|changed| *changed).count() > 0,
            Value::Object(object) => match object.get_mut("url") {
                Some(Value::String(url)) => {
                    let plain: String = url.chars().filter(|c| !c.is_control()).collect();
                    let plain = plain.trim();
                    let changed = plain != url;
                    if changed {
                        *url = plain.to_owned();
                    }
                    changed
                }
                _ => false,
            },
            _ => false,
        }
    }
    let mut found = false;
    for key in ["production_endpoints", "sandbox_endpoints", "production_failovers", "sandbox_failovers"] {
        if let Some(value) = config.get_mut(key) {
            found |= walk(value);
        }
    }
    found
}

fn redirect(value: &mut Value, map: &EndpointMap) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, map)),
        Value::String(url) => {
            if let Some(new) = map.mapped(url) {
                *url = new;
            }
        }
        Value::Object(object) => {
            if let Some(url) = object.get_mut("url") {
                redirect(url, map);
            }
        }
        _ => {}
    }
}

/// The one old credential, for both environments.
fn security(artifact: &Artifact, repairs: &mut Vec<&'static str>) -> Option<Value> {
    let is = |field: &str| artifact.get(field).is_some_and(|t| t.trim().eq_ignore_ascii_case("true"));
    if !is("overview_endpointSecured") {
        return None;
    }
    let password = artifact.get("overview_endpointPpassword").unwrap_or_default();
    if password.is_empty() {
        repairs.push("the backend's password is not in the artifact but in the old vault; enter it anew");
    }
    let kind = if is("overview_endpointAuthDigest") { "DIGEST" } else { "BASIC" };
    let user = artifact.get("overview_endpointUsername").unwrap_or_default();
    Some(json!({"enabled": true, "type": kind, "username": user, "password": password}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(fields: &[(&str, &str)]) -> Artifact {
        Artifact {
            path: String::new(),
            fields: fields.iter().map(|(n, v)| (format!("overview_{n}"), (*v).to_owned())).collect(),
            fault: None,
            properties: Vec::new(),
            creator: None,
            created: None,
            updated: None,
        }
    }

    fn url(config: &str) -> Option<String> {
        let read = read(&artifact(&[("endpointConfig", config)]), &EndpointMap::default());
        Some(read.endpoints.production()?.primary.first()?.url.clone())
    }

    #[test]
    fn every_state_of_repair_reads() {
        for config in [
            r#"{"production_endpoints":{"url":"http://b/x","config":null},"endpoint_type":"http"}"#,
            r#"{'production_endpoints':{'url':'http://b/x','config':null,},'endpoint_type':'http'}"#,
            "{\"production_endpoints\":[{\"url\":\"http://b/x\\n\"},],}",
            r#""{\"production_endpoints\":{\"url\":\"http://b/x\"}}""#,
        ] {
            assert_eq!(url(config).as_deref(), Some("http://b/x"), "{config}");
        }
        assert_eq!(url("nonsense"), None);
        let legacy = read(&artifact(&[("endpointURL", "http://b/x"), ("endpointConfig", "null")]), &EndpointMap::default());
        assert_eq!(legacy.endpoints, Endpoints::http(Some("http://b/x"), None));
    }

    #[test]
    fn one_credential_serves_both_environments() {
        let fields = [
            ("endpointURL", "http://b"),
            ("endpointSecured", "True"),
            ("endpointUsername", "u"),
            ("endpointPpassword", "p&w"),
            ("endpointAuthDigest", "true"),
        ];
        let read = read(&artifact(&fields), &EndpointMap::default());
        for at in ["production", "sandbox"] {
            let security = read.endpoints.0.pointer(&format!("/endpoint_security/{at}")).unwrap();
            assert_eq!(*security, json!({"enabled": true, "type": "DIGEST", "username": "u", "password": "p&w"}));
        }
        assert_eq!(read.repairs, ["there is no endpointConfig; the old endpointURL is used"]);
    }

    #[test]
    fn the_longest_prefix_wins() {
        let map = EndpointMap::parse("# rehearsal\nhttp://b http://one\n\nhttp://b/x http://two\n").unwrap();
        let config =
            r#"{"production_endpoints":[{"url":"http://b/x/1"},{"url":"http://b/y"}],"production_failovers":[{"url":"http://c"}]}"#;
        let set = read(&artifact(&[("endpointConfig", config)]), &map).endpoints.production().unwrap();
        let urls: Vec<&str> = set.primary.iter().chain(&set.failovers).map(|e| e.url.as_str()).collect();
        assert_eq!(urls, ["http://two/1", "http://one/y", "http://c"]);
        assert_eq!(map.mapped("http://bank/x"), None);
        assert_eq!(map.mapped("http://b:80?y").as_deref(), Some("http://one:80?y"));
        assert_eq!(map.mapped("http://b/xy").as_deref(), Some("http://one/xy"));
        let all = EndpointMap::parse("http:// http://one/").unwrap();
        assert_eq!(all.mapped("http://bank/x").as_deref(), Some("http://one/bank/x"));
        assert_eq!(EndpointMap::parse("a b\na\n"), Err(EndpointMapFault { line: 2 }));
    }
}
