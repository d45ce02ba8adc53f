//! What an API offers, from its URL mappings: those rows, not the definition and not the artifact, decided what could be called.

use std::cmp::Ordering;

use model::{Api, AuthType, Operation};

use super::{About, Desk, decoded, policies::Limits, said, scopes::Scopes};
use crate::old::apis::{OldApi, UrlMapping};

const TABLE: &str = "AM_API_URL_MAPPING";
/// Verbs the old publisher offers for a resource without any.
const DEFAULT_VERBS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "OPTIONS"];

/// Writes the operations into `api`. `defined` are those of the definition, for what rows do not say.
pub(super) fn translate(desk: &mut Desk<'_>, old: &OldApi, api: &mut Api, defined: &[Operation], scopes: &mut Scopes, limits: &mut Limits) {
    let shown = format!("{} {}", api.name, api.version);
    let mut found: Vec<Operation> = Vec::new();
    for row in &old.url_mappings {
        let origin = format!("{TABLE} {} of {shown}", row.id);
        let Some(operation) = one(desk, row, api, defined, scopes, limits, &origin) else { continue };
        match found.iter_mut().find(|o| o.verb == operation.verb && o.target == operation.target) {
            None => found.push(operation),
            Some(first) => {
                desk.ledger.merged((TABLE, desk.owners.api(row.api_id)), 1);
                if *first != operation {
                    let words = format!("{} {} stands twice with different rules", operation.verb, operation.target);
                    let (merged, unordered) = stricter(first.clone(), operation, |a, b| limits.stricter(api.tenant, a, b));
                    for what in unordered {
                        let words = format!("{words}, and neither {what} is the stricter");
                        desk.warn(About::Scope, "The first of the two is carried; check which one should hold.", origin.as_str(), words);
                    }
                    desk.warn(About::Scope, "The stricter rule is carried.", origin, words);
                    *first = merged;
                }
                continue;
            }
        }
        desk.ledger.merged((TABLE, desk.owners.api(row.api_id)), 1);
    }
    if old.row.is_some() {
        let extra: Vec<String> = defined
            .iter()
            .filter(|d| !found.is_empty() && !found.iter().any(|o| o.verb == d.verb && o.target == d.target))
            .map(|d| format!("{} {}", d.verb, d.target))
            .collect();
        if !extra.is_empty() {
            let words = format!("{shown}: only the definition has {}", extra.join(", "));
            desk.note(About::Api, "Could not be called before and is left out.", format!("swagger.json of {shown}"), words);
        }
    }
    if found.is_empty() {
        found = without_rows(desk, old, defined, &shown);
        for operation in &mut found {
            operation.policy = limits.of_operation(desk, api.tenant, Some(&operation.policy), &format!("definition of {shown}"));
            operation.scopes.retain(|name| api.scopes.iter().any(|s| s.name == *name));
        }
    }
    api.operations = found;
}

fn one(
    desk: &mut Desk<'_>,
    row: &UrlMapping,
    api: &mut Api,
    defined: &[Operation],
    scopes: &mut Scopes,
    limits: &mut Limits,
    origin: &str,
) -> Option<Operation> {
    let (Some(pattern), Some(verb)) = (said(row.pattern.as_deref()), said(row.verb.as_deref())) else {
        desk.ledger.failed((TABLE, desk.owners.api(row.api_id)), "has no pattern or no verb", 1);
        desk.warn(About::Api, "The resource is left out.", origin, "the row has no pattern or no verb");
        return None;
    };
    let target = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/{pattern}") };
    let verb = verb.to_ascii_uppercase();
    let auth = match row.auth_scheme.as_deref().map(AuthType::parse) {
        Some(Some(auth)) => auth,
        Some(None) => {
            let word = row.auth_scheme.as_deref().unwrap_or_default();
            desk.warn(
                About::Scope,
                "Credentials of any kind are asked for.",
                origin,
                format!("{verb} {target} has the unknown scheme {word}"),
            );
            AuthType::Any
        }
        None => {
            desk.warn(
                About::Scope,
                "It was open to everybody and stays so.",
                origin,
                format!("{verb} {target} has no authentication scheme"),
            );
            AuthType::None
        }
    };
    if row.tier.as_deref().is_none_or(|tier| tier.trim().is_empty()) {
        desk.note(About::Limit, "It has no limit of its own, as before.", origin, format!("{verb} {target} names no tier"));
    }
    let policy = limits.of_operation(desk, api.tenant, row.tier.as_deref(), origin);
    let wanted = scopes.of_resource(&api.context, &api.version, pattern, &verb);
    if wanted.only_once && desk.old.version.context_has_version() && !wanted.scopes.is_empty() {
        let words = format!("{verb} {target} asks for {} in the spelling of 1.8 only", names(&wanted.scopes));
        desk.warn(
            About::Scope,
            "The old gateway had stopped asking for this scope after its last upgrade; here it is asked for again.",
            origin,
            words,
        );
    }
    if wanted.lost {
        desk.warn(
            About::Scope,
            "Callers without any scope will get in: protect it anew.",
            origin,
            format!("{verb} {target} is bound to a scope that is gone or could not be carried"),
        );
    }
    for scope in &wanted.scopes {
        if !api.scopes.iter().any(|s| s.name == scope.name) {
            api.scopes.push(scope.clone());
        }
    }
    let in_definition = defined.iter().find(|d| d.verb == verb && d.target == target);
    let script = row.mediation_script.as_deref().map(decoded).filter(|s| !s.trim().is_empty());
    if let Some(defined) = in_definition.filter(|d| d.scopes.iter().any(|s| !wanted.scopes.iter().any(|w| w.name == *s))) {
        let words =
            format!("{verb} {target}: the definition names {}, the gateway asked for {}", defined.scopes.join(", "), names(&wanted.scopes));
        desk.note(About::Scope, "What the gateway asked for is carried.", origin, words);
    }
    Some(Operation {
        target,
        verb,
        auth,
        policy,
        scopes: wanted.scopes.into_iter().map(|s| s.name).collect(),
        script: script.or_else(|| in_definition.and_then(|d| d.script.clone())),
    })
}

fn names(scopes: &[model::ApiScope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|s| s.name.as_str()).collect();
    if names.is_empty() { "no scope".to_owned() } else { names.join(", ") }
}

/// Of two rules for one operation the one that lets less through, field by field, and the fields, in words, that have no stricter
/// one. `limits` orders two policies, the stricter being `Less`.
fn stricter(a: Operation, b: Operation, limits: impl Fn(&str, &str) -> Option<Ordering>) -> (Operation, Vec<String>) {
    let rank = |auth: AuthType| match auth {
        AuthType::None => 0,
        AuthType::Any => 1,
        // Each lets in tokens the other refuses.
        AuthType::Application | AuthType::ApplicationUser => 2,
    };
    let mut unordered = Vec::new();
    if rank(a.auth) == rank(b.auth) && a.auth != b.auth {
        unordered.push(format!("scheme ({} or {})", a.auth.name(), b.auth.name()));
    }
    let auth = if rank(b.auth) > rank(a.auth) { b.auth } else { a.auth };
    let policy = match limits(&a.policy, &b.policy) {
        Some(Ordering::Greater) => b.policy,
        Some(_) => a.policy,
        None => {
            unordered.push(format!("tier ({} or {})", a.policy, b.policy));
            a.policy
        }
    };
    let scopes = if a.scopes.is_empty() { b.scopes } else { a.scopes };
    (Operation { auth, policy, scopes, script: a.script.or(b.script), ..a }, unordered)
}

/// An API whose rows are gone: what its definition or artifact lists.
fn without_rows(desk: &mut Desk<'_>, old: &OldApi, defined: &[Operation], shown: &str) -> Vec<Operation> {
    let origin = format!("{TABLE} of {shown}");
    if !defined.is_empty() {
        desk.warn(About::Api, "The operations of its definition are carried.", origin, format!("{shown} has no resources in the database"));
        return defined.to_vec();
    }
    let value = |name: String| old.artifact.as_ref().and_then(|a| a.get(&name)).and_then(|v| said(Some(v)));
    let mut found = Vec::new();
    for n in 0.. {
        let Some(pattern) = value(format!("URITemplate_urlPattern{n}")) else { break };
        let verb = value(format!("URITemplate_httpVerb{n}")).unwrap_or("GET");
        let mut operation = Operation::new(verb, pattern);
        operation.auth = value(format!("URITemplate_authType{n}")).and_then(AuthType::parse).unwrap_or(AuthType::Any);
        found.push(operation);
    }
    if found.is_empty() {
        desk.warn(
            About::Api,
            "It gets `/*` with every verb, for callers with credentials.",
            origin,
            format!("{shown} lists no resources anywhere"),
        );
        return DEFAULT_VERBS.into_iter().map(|verb| Operation::new(verb, "/*")).collect();
    }
    desk.warn(
        About::Api,
        "The resources its artifact lists are carried; that list may be incomplete.",
        origin,
        format!("{shown} has no resources in the database"),
    );
    found
}

#[cfg(test)]
mod tests {
    use model::{ApiId, TenantId, Timestamp};

    use super::super::{
        policies::{self, bare},
        scopes,
    };
    use super::*;
    use crate::old::limits::ApiPolicy;
    use crate::old::oauth::ResourceScope;

    fn merged(a: &Operation, b: &Operation) -> (Operation, Vec<String>) {
        // By number, none being unlimited; `odd` compares with nothing.
        let number = |p: &str| p.parse::<u32>().unwrap_or(u32::MAX);
        stricter(a.clone(), b.clone(), |a, b| (a != "odd" && b != "odd").then(|| number(a).cmp(&number(b))))
    }

    #[test]
    fn of_two_rules_the_stricter_holds_field_by_field() {
        let open = Operation { auth: AuthType::None, ..Operation::new("GET", "/*") };
        let closed = Operation { policy: "20".to_owned(), scopes: vec!["s".to_owned()], ..Operation::new("GET", "/*") };
        assert_eq!(merged(&open, &closed), (closed.clone(), Vec::new()));
        assert_eq!(merged(&closed, &open), (closed.clone(), Vec::new()));
        // Two limits, of which the second is the smaller.
        let smaller = Operation { policy: "5".to_owned(), auth: AuthType::Application, ..closed.clone() };
        assert_eq!(merged(&closed, &smaller), (smaller.clone(), Vec::new()));
        assert_eq!(merged(&smaller, &closed), (smaller, Vec::new()));
    }

    #[test]
    fn where_neither_is_stricter_the_first_stays_and_it_is_said() {
        let first = Operation { auth: AuthType::Application, policy: "odd".to_owned(), ..Operation::new("GET", "/*") };
        let second = Operation { auth: AuthType::ApplicationUser, policy: "5".to_owned(), ..first.clone() };
        let (kept, unordered) = merged(&first, &second);
        assert_eq!((kept, unordered.len()), (first, 2));
    }

    #[test]
    fn doubled_rows_keep_the_smaller_limit() {
        let row = |id, tier: &str| UrlMapping {
            id,
            api_id: 1,
            verb: Some("GET".to_owned()),
            auth_scheme: Some("Any".to_owned()),
            pattern: Some("/x".to_owned()),
            tier: Some(tier.to_owned()),
            mediation_script: None,
        };
        let policy = |id, name: &str, quota| ApiPolicy {
            id,
            name: name.to_owned(),
            display_name: None,
            tenant_id: -1234,
            description: None,
            quota_type: "requestCount".to_owned(),
            quota,
            quota_unit: None,
            unit_time: 1,
            time_unit: "min".to_owned(),
            level: None,
            deployed: None,
            uuid: None,
        };
        let mut old = bare::installation();
        old.policies.api = vec![policy(1, "Wide", 100), policy(2, "Narrow", 10)];
        let one = OldApi { tenant_id: -1234, url_mappings: vec![row(1, "Wide"), row(2, "Narrow")], ..OldApi::default() };
        let kept = bare::with_desk(&old, |desk| {
            let mut api = Api::new(ApiId::random(), TenantId::SUPER, "a", "N", "1", "/n/{version}", Timestamp(0));
            let mut limits = policies::translate(desk);
            translate(desk, &one, &mut api, &[], &mut Scopes::default(), &mut limits);
            api.operations.into_iter().map(|o| o.policy).collect::<Vec<_>>()
        });
        assert_eq!(kept.value, ["Narrow"]);
        assert!(kept.findings.iter().any(|f| f.words.contains("stands twice")));
    }

    #[test]
    fn a_resource_that_loses_its_scope_is_told() {
        let mut old = bare::installation();
        old.resource_scopes = vec![ResourceScope { resource_path: "/n/1/1/x:GET".to_owned(), scope_id: 9, tenant_id: None }];
        let row = |id, pattern: &str| UrlMapping {
            id,
            api_id: 1,
            verb: Some("GET".to_owned()),
            auth_scheme: Some("Any".to_owned()),
            pattern: Some(pattern.to_owned()),
            tier: Some("Unlimited".to_owned()),
            mediation_script: None,
        };
        let one = OldApi { tenant_id: -1234, url_mappings: vec![row(1, "/x"), row(2, "/y")], ..OldApi::default() };
        let done = bare::with_desk(&old, |desk| {
            let mut api = Api::new(ApiId::random(), TenantId::SUPER, "a", "N", "1", "/n/{version}", Timestamp(0));
            api.context = "/n/1".to_owned();
            let mut scopes = scopes::translate(desk);
            translate(desk, &one, &mut api, &[], &mut scopes, &mut Limits::default());
        });
        let told: Vec<&str> = done.findings.iter().map(|f| f.words.as_str()).collect();
        assert_eq!(told, ["GET /x is bound to a scope that is gone or could not be carried"]);
    }
}
