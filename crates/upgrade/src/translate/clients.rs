//! OAuth clients with the keys and secrets developers hold.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{ClientOrigin, Lifetimes, OAuthClient, PRIMARY_STORE, Secret, Timestamp, TokenFormat, User};
use serde_json::Value;

use super::{About, Carried, Desk, HASHED, SEALED, said};
use crate::digests::short;
use crate::old::{
    consumers::Registration,
    oauth::{Client, looks_encrypted, looks_hashed},
    people::SUPER_TENANT_ID,
};
use crate::packed::Packed;

const TABLE: &str = "IDN_OAUTH_CONSUMER_APPS";
const REGISTRATION: &str = "AM_APPLICATION_REGISTRATION";
/// What an old server gave its tokens when nothing said otherwise.
const OLD_DEFAULT_SECONDS: i64 = 3600;
/// A script of the old product wrote this number of milliseconds into a column of seconds.
const MISTAKEN_REFRESH_SECONDS: i64 = 84_600_000;

pub(super) fn translate(desk: &mut Desk<'_>, users: &[Carried<User>]) -> Packed<Carried<OAuthClient>> {
    let people: HashSet<(i32, &str, &str)> =
        users.iter().map(|u| (u.value.tenant.0, u.value.store.as_str(), u.value.name.as_str())).collect();
    let secrets = second_copies(desk);
    let mapped: HashMap<String, (i64, String)> =
        desk.old.key_mappings.iter().filter_map(|m| Some((m.consumer_key?, (m.application_id, m.key_type)))).collect();
    let known: HashSet<i64> = desk.old.applications.iter().map(|a| a.id).collect();
    // How long tokens were asked to live, by application and type of key.
    let mut asked: HashMap<(i64, String), Option<i64>> = HashMap::new();
    for row in desk.old.registrations.iter() {
        // Later requests come later.
        if let (Some(application), Some(kind)) = (row.application_id, row.key_type.as_deref()) {
            asked.insert((application, kind.to_ascii_uppercase()), validity(&row));
        }
        match row.application_id {
            Some(id) if known.contains(&id) => desk.ledger.merged((REGISTRATION, desk.owners.application(id)), 1),
            _ => desk.ledger.skipped(REGISTRATION, "its application is gone", 1),
        }
    }
    let made: HashMap<i64, Option<Timestamp>> =
        desk.old.applications.iter().map(|a| (a.id, desk.at("AM_APPLICATION", "CREATED_TIME", a.created))).collect();
    let is_jwt = |kind: Option<&str>| kind.is_some_and(|kind| kind.eq_ignore_ascii_case("JWT"));
    let self_contained: HashSet<i64> = desk.old.applications.iter().filter(|a| is_jwt(a.token_type.as_deref())).map(|a| a.id).collect();
    let mut done: Packed<Carried<OAuthClient>> = Packed::default();
    let mut seen: HashSet<u128> = HashSet::new();
    for old in desk.old.oauth_clients.iter() {
        // A consumer key is no secret, but long enough to be cut in a report.
        let origin = format!("{TABLE} {}", old.key);
        if old.oauth_version.as_deref().is_some_and(|v| v.eq_ignore_ascii_case("OAuth-1.0a")) {
            desk.ledger.skipped((TABLE, old.tenant_id.unwrap_or(SUPER_TENANT_ID)), "an OAuth 1 client, which API Manager did not use", 1);
            continue;
        }
        let sealed = |text: &str| desk.old.encryption.is_on() && looks_encrypted(text);
        if sealed(&old.key) || old.secret.as_ref().is_some_and(|s| sealed(s.expose())) {
            desk.ledger.failed((TABLE, old.tenant_id.unwrap_or(SUPER_TENANT_ID)), "encrypted, and no key opens it", 1);
            let words = format!("the key or secret of {} is encrypted", old.name.as_deref().unwrap_or("a client"));
            desk.find(desk.sealed(), About::Client, SEALED, origin, words);
            continue;
        }
        if old.secret.as_ref().is_some_and(|secret| looks_hashed(secret.expose())) {
            desk.ledger.failed((TABLE, old.tenant_id.unwrap_or(SUPER_TENANT_ID)), "hashed, and no text was kept", 1);
            let words = format!("the secret of {} is hashed", old.name.as_deref().unwrap_or("a client"));
            desk.find(desk.sealed(), About::Client, HASHED, origin, words);
            continue;
        }
        if !seen.insert(short(&old.key)) {
            desk.ledger.merged((TABLE, old.tenant_id.unwrap_or(SUPER_TENANT_ID)), 1);
            continue;
        }
        let tenant_id = old.tenant_id.unwrap_or(SUPER_TENANT_ID);
        let Some(tenant) = desk.names.tenant(tenant_id) else {
            desk.ledger.skipped((TABLE, old.tenant_id.unwrap_or(SUPER_TENANT_ID)), "its tenant is gone", 1);
            desk.warn(About::Client, "The client is left out.", origin, format!("it belongs to tenant {tenant_id}, which does not exist"));
            continue;
        };
        let owner = desk.names.user_in(old.user_name.as_deref().unwrap_or_default(), old.user_domain.as_deref(), Some(tenant_id));
        if owner.store == PRIMARY_STORE
            && !desk.elsewhere.has_primary(tenant.0.into())
            && !people.contains(&(tenant.0, PRIMARY_STORE, &owner.name))
        {
            let words = format!("{} belongs to {owner}, who does not exist", old.name.as_deref().unwrap_or("a client"));
            desk.note(About::Client, "The client works on; nobody owns it.", origin.clone(), words);
        }
        let mapping = mapped.get(old.key.as_str());
        let stored = old.secret.as_ref().filter(|s| !s.expose().is_empty());
        let secret = match stored.or_else(|| secrets.get(&(tenant_id, old.key.clone()))) {
            Some(secret) => secret.clone(),
            None => {
                desk.warn(
                    About::Client,
                    "The client is carried switched off: without a secret anybody could be it.",
                    origin.clone(),
                    "it has no secret",
                );
                Secret::new(String::new())
            }
        };
        let active = !secret.expose().is_empty() && old.state.as_deref().is_none_or(|s| s.eq_ignore_ascii_case("ACTIVE"));
        let asked = mapping.and_then(|(application, kind)| *asked.get(&(*application, kind.to_ascii_uppercase()))?);
        let jwt = mapping.is_some_and(|(application, _)| self_contained.contains(application));
        let client = OAuthClient {
            id: old.key.clone(),
            secret,
            name: said(old.name.as_deref()).unwrap_or(&old.key).to_owned(),
            owner: owner.to_string(),
            tenant,
            grants: grants(desk, &old, &origin),
            callback_url: said(old.callback_url.as_deref()).map(str::to_owned),
            token_format: if jwt { TokenFormat::Jwt } else { TokenFormat::Opaque },
            origin: if mapping.is_some() { ClientOrigin::Portal } else { ClientOrigin::Carried },
            lifetimes: lifetimes(desk, &old, asked),
            active,
            created_at: mapping.and_then(|(application, _)| made.get(application).copied().flatten()).unwrap_or(Timestamp(0)),
        };
        desk.ledger.imported((TABLE, old.tenant_id.unwrap_or(SUPER_TENANT_ID)));
        done.push(Carried { key: old.key.clone(), value: client });
    }
    done
}

/// Secrets as the service providers repeat them, by tenant and key; of clients that lack theirs.
fn second_copies(desk: &mut Desk<'_>) -> BTreeMap<(i64, String), Secret<String>> {
    const TABLE: &str = "SP_INBOUND_AUTH";
    let has_none = |client: &Client| client.secret.as_ref().is_none_or(|secret| secret.expose().is_empty());
    let lacking: HashSet<String> = desk.old.oauth_clients.iter().filter(has_none).map(|client| client.key).collect();
    let mut found = BTreeMap::new();
    for row in desk.old.inbound_auths.iter() {
        let is_secret = row.property.as_deref() == Some("oauthConsumerSecret");
        match (row.key, row.value) {
            (Some(key), Some(value)) if is_secret && !value.expose().is_empty() => {
                if lacking.contains(&key) {
                    found.insert((row.tenant_id, key), value);
                }
                desk.ledger.merged((TABLE, row.tenant_id), 1);
            }
            _ => desk.ledger.not_yet((TABLE, row.tenant_id), "sign-in settings of service providers", 1),
        }
    }
    found
}

fn grants(desk: &mut Desk<'_>, old: &Client, origin: &str) -> Vec<String> {
    match said(old.grant_types.as_deref()) {
        Some(words) => {
            let mut found: Vec<String> = Vec::new();
            // `application_token` never was a grant.
            for grant in words.split_whitespace().filter(|g| *g != "application_token") {
                if !found.iter().any(|g| g == grant) {
                    found.push(grant.to_owned());
                }
            }
            found
        }
        None => {
            desk.note(
                About::Client,
                "The old server allowed such a client every grant; it gets the common ones.",
                origin,
                "it names no grant types",
            );
            ["authorization_code", "password", "client_credentials", "refresh_token"].map(str::to_owned).to_vec()
        }
    }
}

/// How long the client's tokens live: its own periods, else those asked for with its keys, else the site's where it had its own.
fn lifetimes(desk: &Desk<'_>, old: &Client, asked: Option<i64>) -> Lifetimes {
    let own = |seconds: Option<i64>| seconds.filter(|s| *s != 0);
    let site = |seconds: Option<i64>, usual: i64| seconds.filter(|s| *s != usual);
    let settings = desk.input.settings;
    Lifetimes {
        application_secs: own(old.application_token_seconds)
            .or(asked.filter(|s| *s != OLD_DEFAULT_SECONDS))
            .or_else(|| site(settings.and_then(|s| s.application_token_seconds), OLD_DEFAULT_SECONDS)),
        user_secs: own(old.user_token_seconds).or_else(|| site(settings.and_then(|s| s.user_token_seconds), OLD_DEFAULT_SECONDS)),
        refresh_secs: own(old.refresh_token_seconds)
            .filter(|s| *s != MISTAKEN_REFRESH_SECONDS)
            .or_else(|| settings.and_then(|s| s.refresh_token_seconds)),
        id_token_secs: None,
    }
}

/// The validity a request for keys names: in its JSON, else in its column; 0 is the default.
fn validity(registration: &Registration) -> Option<i64> {
    let inputs = registration.inputs_json.as_deref().and_then(|json| serde_json::from_str::<Value>(json).ok());
    let named = inputs.as_ref().and_then(|i| i.get("validityPeriod")).and_then(|v| match v {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    });
    named.or(registration.validity_seconds).filter(|s| *s != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_validity_in_json_or_column() {
        let of = |json: Option<&str>, column| {
            validity(&Registration {
                id: 1,
                subscriber_id: None,
                workflow_ref: String::new(),
                application_id: None,
                key_type: None,
                allowed_domains: None,
                validity_seconds: column,
                scope: None,
                inputs_json: json.map(str::to_owned),
            })
        };
        assert_eq!(of(Some(r#"{"validityPeriod":"-1"}"#), Some(3600)), Some(-1));
        assert_eq!(of(Some(r#"{"validityPeriod":7200}"#), None), Some(7200));
        assert_eq!(of(Some("{}"), Some(60)), Some(60));
        assert_eq!(of(Some("not json"), Some(0)), None);
    }
}
