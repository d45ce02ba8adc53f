//! Which calls are made: of each API that the old gateway serves, its operations with callers of every sort, drawn so that the same source
//! gives the same calls.

use std::collections::{BTreeMap, HashMap};

use model::{ApiId, Secret};
use reqwest::Method;

use crate::plan::PlanError;
use crate::source::Site;
use crate::translate::{Input, Translation};
use crate::verify::behaviour::{Credential, OldRules, credentials, drawn};
use crate::verify::rows;

/// One call.
pub(super) struct Call {
    /// Name and version.
    pub(super) api: String,
    pub(super) verb: Method,
    pub(super) path: String,
    /// In words, without the token.
    pub(super) credential: String,
    pub(super) token: Option<Secret<String>>,
}

impl Call {
    /// Whether it changes nothing (RFC 9110, 9.2.1).
    pub(super) fn is_safe(&self) -> bool {
        self.verb.is_safe()
    }
}

/// At most `limit` calls of each API.
pub(super) async fn of(
    translation: &Translation,
    input: &Input<'_>,
    site: &Site,
    limit: usize,
    unsafe_verbs: bool,
) -> Result<Vec<Call>, PlanError> {
    let carried: HashMap<i64, ApiId> = translation.apis.iter().filter_map(|a| Some((a.key.parse().ok()?, a.value.api.id))).collect();
    let tenants = rows::tenants(site).await?;
    let rules = rows::rules(input, site, &tenants).await?;
    let addresses = rows::addresses(input, site).await?;
    let held = rows::held(site, &carried).await?;
    let credentials = credentials(translation, input, site).await?;
    let old = OldRules::of(input, held, &credentials);
    let mut calls = Vec::new();
    for api in &input.old.apis {
        let (Some(row), Some(artifact)) = (&api.row, &api.artifact) else { continue };
        let status = artifact.get("overview_status").map(|s| s.trim().to_ascii_uppercase()).unwrap_or_default();
        let (Some(rules), Some((context, _))) = (rules.get(&row.id), addresses.get(&row.id)) else { continue };
        if !carried.contains_key(&row.id) || !["PUBLISHED", "PROTOTYPED", "DEPRECATED", "BLOCKED"].contains(&status.as_str()) {
            continue;
        }
        let name = format!("{} {}", row.name, row.version);
        let callers = callers(&credentials, &old, row.id);
        let mut of_api = Vec::new();
        for operation in rules.keys() {
            let Some((verb, pattern)) = operation.split_once(' ') else { continue };
            let Ok(verb) = verb.parse::<Method>() else { continue };
            if !unsafe_verbs && !verb.is_safe() {
                continue;
            }
            let path = format!("{context}{}", filled(pattern));
            of_api.extend(callers.iter().map(|(credential, of)| {
                let token = of.map(|c| c.text.clone());
                Call { api: name.clone(), verb: verb.clone(), path: path.clone(), credential: credential.clone(), token }
            }));
        }
        calls.extend(drawn(of_api.into_iter(), limit, |call| {
            (false, format!("{} {} {} {}", row.id, call.verb, call.path, call.credential))
        }));
    }
    Ok(calls)
}

/// One caller of each sort: nobody, a stranger to the API, one whose token has ended, and for each plan, kind of key and kind of token one who
/// subscribes.
fn callers<'a>(credentials: &'a [Credential], old: &OldRules, api: i64) -> BTreeMap<String, Option<&'a Credential>> {
    let mut found = BTreeMap::from([("nobody".to_owned(), None)]);
    for credential in credentials {
        let key = old.keys.get(credential.consumer_key.as_str());
        let held = key.and_then(|(application, kind)| Some((kind.as_str(), old.subscriptions.get(*application, api)?)));
        let words = match (credential.believed, held) {
            (false, _) => "a token that has ended".to_owned(),
            (true, None) => "a token of a stranger".to_owned(),
            (true, Some((kind, (state, tier)))) => {
                let of = if credential.is_application == Some(true) { "an application" } else { "a user" };
                let scopes = if credential.scopes.len() > 1 { ", with scopes" } else { "" };
                format!("a token of {of}, {} key, plan {tier}, subscription {state}{scopes}", kind.trim().to_ascii_lowercase())
            }
        };
        found.entry(words).or_insert(Some(credential));
    }
    found
}

/// A path that the pattern takes: `1` for each parameter and for what a star stands for.
fn filled(pattern: &str) -> String {
    let mut path = String::new();
    let mut inside = false;
    for c in pattern.chars() {
        match c {
            '{' => {
                inside = true;
                path.push('1');
            }
            '}' => inside = false,
            _ if inside => {}
            '*' => path.push('1'),
            c if c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '|' | '#' | '?') => path.push(c),
            c => {
                let mut bytes = [0; 4];
                path.extend(c.encode_utf8(&mut bytes).bytes().map(|b| format!("%{b:02X}")));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_paths() {
        for (pattern, path) in
            [("/order/{id}", "/order/1"), ("/*", "/1"), ("/a/{b}/c/{d}", "/a/1/c/1"), ("/ü x", "/%C3%BC%20x"), ("/", "/")]
        {
            assert_eq!(filled(pattern), path);
        }
    }
}
