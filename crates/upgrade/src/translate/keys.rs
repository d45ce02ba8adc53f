//! Keys: which client an application calls with in which environment, and from where.

use std::collections::{HashMap, HashSet};

use model::{Application, ApplicationId, KeyMapping, KeyMappingId, KeyMappingMode, KeyState, KeyType, OAuthClient};

use super::{About, Carried, Desk, said};
use crate::digests::short;
use crate::packed::Packed;

const TABLE: &str = "AM_APPLICATION_KEY_MAPPING";
const DOMAINS: &str = "AM_APP_KEY_DOMAIN_MAPPING";
const OURS: &str = "Resident Key Manager";

pub(super) fn translate(
    desk: &mut Desk<'_>,
    applications: &Packed<Carried<Application>>,
    clients: &Packed<Carried<OAuthClient>>,
) -> Packed<Carried<KeyMapping>> {
    let numbers: HashMap<i64, (usize, ApplicationId)> =
        (0..).zip(applications.iter()).map(|(at, a)| (a.value.number, (at, a.value.id))).collect();
    let clients: HashSet<u128> = clients.iter().map(|c| short(&c.value.id)).collect();
    let domains = allowed_domains(desk);
    let mut taken: HashSet<u128> = HashSet::new();
    let mut places: HashSet<(i64, &str)> = HashSet::new();
    let mut done = Packed::default();
    for old in desk.old.key_mappings.iter() {
        let key = format!("{}/{}", old.application_id, old.key_type);
        let origin = format!("{TABLE} {key}");
        let Some((at, application)) = numbers.get(&old.application_id) else {
            desk.ledger.skipped((TABLE, desk.owners.application(old.application_id)), "its application is gone", 1);
            continue;
        };
        let Some(key_type) = KeyType::parse(old.key_type.trim()) else {
            desk.ledger.failed((TABLE, desk.owners.application(old.application_id)), "its type is not known", 1);
            desk.warn(About::Key, "The key is left out.", origin, format!("a key of type {}", old.key_type));
            continue;
        };
        let consumer_key = said(old.consumer_key.as_deref());
        if consumer_key.is_some_and(|k| !taken.insert(short(k))) {
            desk.ledger.failed((TABLE, desk.owners.application(old.application_id)), "its client is another key's already", 1);
            desk.warn(
                About::Key,
                "The second key is left out; calls with the client count for the first application.",
                origin,
                "two keys share one client",
            );
            continue;
        }
        if !places.insert((old.application_id, key_type.name())) {
            desk.ledger.merged((TABLE, desk.owners.application(old.application_id)), 1);
            continue;
        }
        let mut mode = old.create_mode.as_deref().and_then(KeyMappingMode::parse).unwrap_or(KeyMappingMode::Created);
        if consumer_key.is_some_and(|k| !clients.contains(&short(k))) {
            mode = KeyMappingMode::Mapped;
            desk.warn(
                About::Key,
                "Kept as a key brought from elsewhere, without a secret: the old server issued no tokens for it, and neither does this one.",
                origin.clone(),
                format!("the client of {} is not among the old server's", applications.get(*at).map(|a| a.value.name).unwrap_or_default()),
            );
        }
        let state = match said(old.state.as_deref()).map(KeyState::parse) {
            Some(Some(KeyState::Completed)) | None if consumer_key.is_none() => KeyState::Created,
            None => KeyState::Completed,
            Some(Some(state)) => state,
            Some(None) => {
                desk.warn(
                    About::Key,
                    "It waits for approval.",
                    origin.clone(),
                    format!("its state {} is not known", old.state.as_deref().unwrap_or_default()),
                );
                KeyState::Created
            }
        };
        let mapping = KeyMapping {
            id: KeyMappingId::derived(&[desk.input.source, &key]),
            application: *application,
            key_type,
            key_manager: OURS.to_owned(),
            consumer_key: consumer_key.map(str::to_owned),
            state,
            mode,
            allowed_domains: consumer_key.and_then(|k| domains.get(k)).cloned().unwrap_or_default(),
        };
        desk.ledger.imported((TABLE, desk.owners.application(old.application_id)));
        done.push(Carried { key, value: mapping });
    }
    done
}

/// Where keys may be used from, by consumer key. Whether it is asked for is a switch of the tenant, which the version sets.
fn allowed_domains(desk: &mut Desk<'_>) -> HashMap<String, Vec<String>> {
    let known: HashSet<u128> = desk.old.key_mappings.iter().filter_map(|m| m.consumer_key.as_deref().map(short)).collect();
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for row in desk.old.key_domains.iter() {
        let Some(domain) = said(row.domain.as_deref()) else {
            desk.ledger.skipped((DOMAINS, desk.owners.client(&row.consumer_key)), "names no domain", 1);
            continue;
        };
        if !known.contains(&short(&row.consumer_key)) {
            desk.ledger.skipped((DOMAINS, desk.owners.client(&row.consumer_key)), "its key is gone", 1);
        } else if domain.eq_ignore_ascii_case("ALL") {
            desk.ledger.merged((DOMAINS, desk.owners.client(&row.consumer_key)), 1);
        } else {
            desk.ledger.merged((DOMAINS, desk.owners.client(&row.consumer_key)), 1);
            let list = found.entry(row.consumer_key.clone()).or_default();
            if !list.iter().any(|d| d == domain) {
                list.push(domain.to_owned());
            }
        }
    }
    found
}
