//! What the server adds to an API on its own when it is written. Pure.

use model::{AccessControl, Api, ApiKind, Operation, SubscriptionAvailability, Visibility};

const APPLICATION_SCHEMES: [&str; 3] = ["oauth2", "basic_auth", "api_key"];
const APPLICATION_MANDATORY: &str = "oauth_basic_auth_api_key_mandatory";
const MUTUAL: &str = "mutualssl";
const MUTUAL_MANDATORY: &str = "mutualssl_mandatory";

/// Every application-level and transport-level scheme with its marker, 4.0.0's way: OAuth2 unless the maker chose another, and a marker
/// saying which of the two levels must be met. Without a marker for mutual TLS, the application's level must.
pub(crate) fn security_scheme(schemes: &mut Vec<String>) {
    let has = |schemes: &[String], name: &str| schemes.iter().any(|s| s == name);
    if schemes.iter().any(|s| s == MUTUAL) && !schemes.iter().any(|s| APPLICATION_SCHEMES.contains(&s.as_str())) {
        if !has(schemes, MUTUAL_MANDATORY) {
            schemes.push(MUTUAL_MANDATORY.to_owned());
        }
        return;
    }
    if !schemes.iter().any(|s| APPLICATION_SCHEMES.contains(&s.as_str())) {
        schemes.push("oauth2".to_owned());
    }
    if !has(schemes, APPLICATION_MANDATORY) && !has(schemes, MUTUAL_MANDATORY) {
        schemes.push(APPLICATION_MANDATORY.to_owned());
    }
}

/// The rest: transports, lists that only mean something under a certain setting, letter case of access-control roles.
pub(crate) fn normalise(api: &mut Api) {
    security_scheme(&mut api.security_scheme);
    if api.transports.is_empty() {
        let words: &[&str] = if api.kind == ApiKind::Ws { &["ws", "wss"] } else { &["http", "https"] };
        api.transports = words.iter().map(|w| (*w).to_owned()).collect();
    }
    if api.visibility != Visibility::Restricted {
        api.visible_roles.clear();
    }
    if api.access_control == AccessControl::None {
        api.access_control_roles.clear();
    }
    for role in &mut api.access_control_roles {
        *role = role.to_lowercase();
    }
    if api.subscription_availability != SubscriptionAvailability::SpecificTenants {
        api.subscription_available_tenants.clear();
    }
}

/// Operations of an API whose maker named none.
pub(crate) fn default_operations(kind: ApiKind) -> Vec<Operation> {
    match kind {
        ApiKind::Http | ApiKind::SoapToRest => ["GET", "PUT", "POST", "DELETE", "PATCH"].map(|verb| Operation::new(verb, "/*")).to_vec(),
        ApiKind::Soap => vec![Operation::new("POST", "/*")],
        ApiKind::Ws | ApiKind::Sse => vec![Operation::new("SUBSCRIBE", "/*")],
        ApiKind::WebSub => vec![Operation::new("SUBSCRIBE", "_default")],
        ApiKind::GraphQl => Vec::new(),
    }
}

/// Verbs that operations of a kind may have.
pub(crate) fn verbs(kind: ApiKind) -> &'static [&'static str] {
    match kind {
        ApiKind::Http | ApiKind::Soap | ApiKind::SoapToRest => &["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"],
        ApiKind::GraphQl => &["QUERY", "MUTATION", "SUBSCRIPTION"],
        ApiKind::Ws | ApiKind::Sse | ApiKind::WebSub => &["SUBSCRIBE", "PUBLISH"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(given: &[&str]) -> Vec<String> {
        let mut schemes = given.iter().map(|s| (*s).to_owned()).collect();
        security_scheme(&mut schemes);
        schemes
    }

    #[test]
    fn a_scheme_gets_its_marker() {
        assert_eq!(scheme(&[]), ["oauth2", APPLICATION_MANDATORY]);
        assert_eq!(scheme(&["api_key"]), ["api_key", APPLICATION_MANDATORY]);
        assert_eq!(scheme(&["mutualssl"]), ["mutualssl", MUTUAL_MANDATORY]);
        assert_eq!(scheme(&["mutualssl", "oauth2"]), ["mutualssl", "oauth2", APPLICATION_MANDATORY]);
        assert_eq!(scheme(&["mutualssl", "oauth2", MUTUAL_MANDATORY]), ["mutualssl", "oauth2", MUTUAL_MANDATORY]);
    }

    #[test]
    fn twice_is_once() {
        for given in [&[][..], &["mutualssl"], &["oauth2", "mutualssl"], &["basic_auth"]] {
            let once = scheme(given);
            let words: Vec<&str> = once.iter().map(String::as_str).collect();
            assert_eq!(scheme(&words), once);
        }
    }

    #[test]
    fn default_operations_have_permitted_verbs() {
        for kind in ApiKind::ALL {
            assert!(default_operations(kind).iter().all(|o| verbs(kind).contains(&o.verb.as_str())));
        }
    }
}
