//! Alerts, gateway labels, certificates and environments: kept by name. Alert types have other numbers in later versions, so they are taken
//! by what they are called.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{SettingKind, TenantId};
use serde_json::json;

use super::{About, Carried, CarriedApi, Desk, Shelf, said, shown, tenant_of};
use crate::old::kept::KeptRow;

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf, apis: &[Carried<CarriedApi>]) {
    alerts(desk, shelf);
    labels(desk, shelf);
    certificates(desk, shelf, apis);
    trusted(desk, shelf);
    environments(desk, shelf);
}

fn rows<'a>(desk: &Desk<'a>, table: &str) -> impl Iterator<Item = KeptRow> + use<'a> {
    desk.old.kept.of(table)
}

/// The numbers of the first versions that had alerts.
const OLD_TYPES: [&str; 9] = [
    "abnormalResponseTime",
    "abnormalBackendTime",
    "abnormalRequestsPerMin",
    "RequestPatternChanged",
    "UnusualIPAccessAlert",
    "AbnormalRefreshAlert",
    "FrequentTierHittingAlert",
    "AbnormalTierUsage",
    "healthAvailabilityPerMin",
];

/// What 4.0.0 calls an alert; `None` for one it no longer has.
fn alert_type(old: &str) -> Option<&'static str> {
    Some(match old.to_ascii_lowercase().as_str() {
        "abnormalresponsetime" => "AbnormalResponseTime",
        "abnormalbackendtime" => "AbnormalBackendTime",
        "abnormalrequestspermin" => "AbnormalRequestsPerMin",
        "requestpatternchanged" | "abnormalrequestpattern" => "AbnormalRequestPattern",
        "unusualipaccessalert" | "unusualipaccess" => "UnusualIPAccess",
        "frequenttierhittingalert" | "frequenttierlimithitting" => "FrequentTierLimitHitting",
        "healthavailabilitypermin" | "apihealthmonitor" => "ApiHealthMonitor",
        _ => return None,
    })
}

#[derive(Default)]
struct Wanted {
    types: BTreeSet<String>,
    mails: BTreeSet<String>,
}

fn alerts(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    const VALUES: &str = "AM_ALERT_TYPES_VALUES";
    const LISTS: &str = "AM_ALERT_EMAILLIST";
    const MAILS: &str = "AM_ALERT_EMAILLIST_DETAILS";
    let named: HashMap<i64, String> =
        rows(desk, "AM_ALERT_TYPES").filter_map(|r| Some((r.int("ALERT_TYPE_ID")?, r.get("ALERT_TYPE_NAME")?.to_owned()))).collect();
    let definitions = rows(desk, "AM_ALERT_TYPES").count();
    desk.ledger.merged("AM_ALERT_TYPES", u64::try_from(definitions).unwrap_or(0));
    let mut wanted: BTreeMap<(String, String), Wanted> = BTreeMap::new();
    let key = |row: &KeptRow| (row.get("USER_NAME").unwrap_or_default().to_owned(), row.get("STAKE_HOLDER").unwrap_or_default().to_owned());
    for row in &rows(desk, VALUES).collect::<Vec<_>>() {
        let number = row.int("ALERT_TYPE_ID").unwrap_or_default();
        let by_number = usize::try_from(number - 1).ok().and_then(|at| OLD_TYPES.get(at)).copied();
        let old = named.get(&number).map(String::as_str).or(by_number).unwrap_or_default();
        desk.ledger.merged(VALUES, 1);
        let entry = wanted.entry(key(row)).or_default();
        match alert_type(old) {
            Some(now) => drop(entry.types.insert(now.to_owned())),
            None => desk.note(
                About::Installation,
                "Left out: there is no such alert any more.",
                format!("{VALUES} {number}"),
                format!("{} wants the alert '{old}'", key(row).0),
            ),
        }
    }
    let mut lists: HashMap<i64, (String, String)> = HashMap::new();
    for row in &rows(desk, LISTS).collect::<Vec<_>>() {
        desk.ledger.merged(LISTS, 1);
        wanted.entry(key(row)).or_default();
        lists.extend(row.int("EMAIL_LIST_ID").map(|id| (id, key(row))));
    }
    for row in &rows(desk, MAILS).collect::<Vec<_>>() {
        match row.int("EMAIL_LIST_ID").and_then(|id| lists.get(&id)).and_then(|key| wanted.get_mut(key)) {
            Some(entry) => {
                desk.ledger.merged(MAILS, 1);
                entry.mails.extend(said(row.get("EMAIL")).map(str::to_owned));
            }
            None => desk.ledger.skipped(MAILS, "its list is gone", 1),
        }
    }
    for ((user, holder), Wanted { types, mails }) in wanted {
        let name = desk.names.user(&user, None);
        let tenant = desk.names.tenant_of(&name);
        desk.note(
            About::Installation,
            "Kept; no alerts are sent here yet.",
            format!("{VALUES} of {user}"),
            format!("{user} wants {} alert(s) as {holder}", types.len()),
        );
        let body = json!({ "user": name.with_tenant(), "stakeHolder": holder, "types": types, "emails": mails });
        shelf.put(tenant, SettingKind::Alert, &format!("{holder}/{}", name.with_tenant()), body, None);
    }
}

fn labels(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    const LABELS: &str = "AM_LABELS";
    const URLS: &str = "AM_LABEL_URLS";
    let mut urls: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows(desk, URLS) {
        urls.entry(row.get("LABEL_ID").unwrap_or_default().to_owned()).or_default().extend(row.get("ACCESS_URL").map(str::to_owned));
    }
    for row in &rows(desk, LABELS).collect::<Vec<_>>() {
        let own = urls.remove(row.get("LABEL_ID").unwrap_or_default()).unwrap_or_default();
        let count = u64::try_from(own.len()).unwrap_or(0);
        let tenant = said(row.get("TENANT_DOMAIN")).map_or(Some(TenantId::SUPER), |domain| desk.names.tenant_by_domain(domain));
        let name = row.get("NAME").unwrap_or_default();
        let Some(tenant) = tenant else {
            desk.ledger.skipped(LABELS, "its tenant is gone", 1);
            desk.ledger.skipped(URLS, "its tenant is gone", count);
            continue;
        };
        desk.ledger.merged(URLS, count);
        let body = json!({ "name": name, "description": row.get("DESCRIPTION"), "accessUrls": own });
        match shelf.put(tenant, SettingKind::GatewayLabel, name, body, None) {
            true => desk.ledger.imported(LABELS),
            false => desk.ledger.merged(LABELS, 1),
        }
        desk.warn(
            About::Api,
            "Kept by name; APIs that carry the label run in every gateway here.",
            format!("{LABELS} {name}"),
            format!("gateways are labelled {name}"),
        );
    }
    let orphans = urls.values().map(|u| u64::try_from(u.len()).unwrap_or(0)).sum();
    desk.ledger.skipped(URLS, "its label is gone", orphans);
}

fn certificates(desk: &mut Desk<'_>, shelf: &mut Shelf, apis: &[Carried<CarriedApi>]) {
    const BACKENDS: &str = "AM_CERTIFICATE_METADATA";
    const CLIENTS: &str = "AM_API_CLIENT_CERTIFICATE";
    let known: HashMap<&str, &CarriedApi> = apis.iter().map(|a| (a.key.as_str(), &a.value)).collect();
    for row in &rows(desk, BACKENDS).collect::<Vec<_>>() {
        let Some(tenant) = tenant_of(desk, row) else {
            desk.ledger.skipped(BACKENDS, "its tenant is gone", 1);
            continue;
        };
        let alias = row.get("ALIAS").unwrap_or_default();
        let body = json!({ "of": "endpoint", "alias": alias, "cells": shown(row) });
        match shelf.put(tenant, SettingKind::Certificate, &format!("endpoint/{alias}"), body, None) {
            true => desk.ledger.imported(BACKENDS),
            false => desk.ledger.merged(BACKENDS, 1),
        }
        desk.warn(
            About::Api,
            "Kept by alias. Trust it in the new gateway's configuration, or calls of this backend fail.",
            format!("{BACKENDS} {alias}"),
            format!("the backend {} is trusted by a certificate of its own", row.get("END_POINT").unwrap_or_default()),
        );
    }
    for row in &rows(desk, CLIENTS).collect::<Vec<_>>() {
        if row.get("REMOVED").is_some_and(|r| r == "1" || r.eq_ignore_ascii_case("true")) {
            desk.ledger.skipped(CLIENTS, "removed", 1);
            continue;
        }
        let Some(api) = row.get("API_ID").and_then(|id| known.get(id)).map(|c| &c.api) else {
            desk.ledger.skipped(CLIENTS, "its API is gone", 1);
            continue;
        };
        let alias = row.get("ALIAS").unwrap_or_default();
        let body = json!({ "of": "client", "alias": alias, "api": api.id.to_string(), "cells": shown(row) });
        match shelf.put(api.tenant, SettingKind::Certificate, &format!("client/{}/{alias}", api.id), body, None) {
            true => desk.ledger.imported(CLIENTS),
            false => desk.ledger.merged(CLIENTS, 1),
        }
        desk.warn(
            About::Api,
            "Kept; callers are not let in by certificate here yet.",
            format!("{CLIENTS} {alias}"),
            format!("{} {} takes calls by the client certificate {alias}", api.name, api.version),
        );
    }
}

/// The old trust store's, which holds the usual authorities beside what a site added; which is which cannot be told.
fn trusted(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    let all = super::super::signing::trusted(desk);
    if !all.is_empty() {
        desk.note(
            About::Installation,
            "Kept by alias. Backends are trusted by the usual authorities here; add what the site added to the gateway's configuration.",
            "carbon.xml Security/TrustStore",
            format!("{} certificate(s) were trusted", all.len()),
        );
    }
    for (alias, certificate) in all {
        let body = json!({ "of": "trust", "alias": alias, "certificate": certificate });
        shelf.put(TenantId::SUPER, SettingKind::Certificate, &format!("trust/{alias}"), body, None);
    }
}

fn environments(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    let Some(settings) = desk.input.settings else { return };
    let several = settings.environments.len() > 1;
    for environment in &settings.environments {
        let body = json!({
            "name": environment.name,
            "type": environment.kind,
            "description": environment.description,
            "endpoint": environment.endpoint,
        });
        shelf.put(TenantId::SUPER, SettingKind::GatewayEnvironment, &environment.name, body, None);
        if several {
            desk.warn(
                About::Api,
                "Its APIs run in the environment Default with all others; deploy them elsewhere by hand where that matters.",
                "api-manager.xml Environments",
                format!("a gateway environment {} ({})", environment.name, environment.kind.as_deref().unwrap_or("of no type")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_taken_by_name_and_two_have_no_home() {
        let homeless: Vec<&str> = OLD_TYPES.into_iter().filter(|t| alert_type(t).is_none()).collect();
        assert_eq!(homeless, ["AbnormalRefreshAlert", "AbnormalTierUsage"]);
        assert_eq!(alert_type("AbnormalRequestPattern"), Some("AbnormalRequestPattern"));
        assert_eq!(OLD_TYPES.get(6).and_then(|t| alert_type(t)), Some("FrequentTierLimitHitting"));
    }
}
