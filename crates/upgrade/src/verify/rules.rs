//! Rules and settings of the old installation by their rows, held against what stands here: who is refused outright, what waits for
//! approval, which claims there are, what is shown where and who signs in elsewhere.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use db::{Tx, deny_policies, tenant_settings, workflows};
use model::{ApiId, Denial, SettingKind, TenantId, WorkflowStatus};
use serde_json::Value;

use super::Verification;
use super::rows::{number, text};
use super::straight::Question;
use crate::old::people::SUPER_TENANT_ID;
use crate::plan::PlanError;
use crate::source::{Row, Site};

pub(super) async fn compare(done: &mut Verification, site: &Site, apis: &HashMap<i64, ApiId>, tx: &mut Tx) -> Result<(), PlanError> {
    denials(done, site, tx).await?;
    custom_rules(done, site, tx).await?;
    requests(done, site, tx).await?;
    claims(done, site, tx).await?;
    publications(done, site, apis, tx).await?;
    names(done, site, tx).await
}

async fn tenant(row: &Row, column: &str, tx: &mut Tx) -> db::Result<Option<TenantId>> {
    let Ok(id) = i32::try_from(number(row, column).unwrap_or(SUPER_TENANT_ID)) else { return Ok(None) };
    Ok(db::tenants::find(tx, TenantId(id)).await?.map(|t| t.id))
}

/// Each request is here under the reference outsiders know, as it stood or decided since.
async fn requests(done: &mut Verification, site: &Site, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("requests for approval, by row");
    let mut rows = site.databases.api.scan("AM_WORKFLOWS");
    let mut seen = BTreeSet::new();
    while let Some(row) = rows.next().await? {
        let (Some(reference), Some(status)) = (text(&row, "WF_EXTERNAL_REFERENCE"), text(&row, "WF_STATUS")) else { continue };
        let domain = text(&row, "TENANT_DOMAIN").unwrap_or_else(|| "carbon.super".to_owned());
        let of_a_type = text(&row, "WF_TYPE").is_some_and(|t| model::WorkflowKind::parse(&t).is_some());
        let known = of_a_type && ["CREATED", "APPROVED", "REJECTED", "REGISTERED"].contains(&status.as_str());
        if !known || !seen.insert(reference.clone()) || db::tenants::find_by_domain(tx, &domain).await?.is_none() {
            continue;
        }
        let found = workflows::find(tx, &reference).await?;
        let is = found.as_ref().map(|w| match w.status {
            // Decided here since.
            WorkflowStatus::Approved | WorkflowStatus::Rejected if status == "CREATED" => "CREATED",
            other => other.name(),
        });
        question.ask(&format!("AM_WORKFLOWS {reference}"), "status", &status, is);
    }
    question.close(done);
    Ok(())
}

/// Each rule of the site's own is here letter by letter, with its key template, in force or laid aside as it was.
async fn custom_rules(done: &mut Verification, site: &Site, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("custom throttling rules, by row");
    let mut rows = site.databases.api.scan("AM_POLICY_GLOBAL");
    while let Some(row) = rows.next().await? {
        let (Some(tenant), Some(name)) = (tenant(&row, "TENANT_ID", tx).await?, row.text("NAME").ok().flatten()) else { continue };
        let Some(query) = row.bytes("SIDDHI_QUERY").ok().flatten() else { continue };
        let found = db::policies::custom::find_by_name(tx, tenant, &name).await?;
        let deployed = |yes: bool| if yes { "in force" } else { "laid aside" };
        let was_deployed = text(&row, "IS_DEPLOYED").is_none_or(|d| d == "1" || d.eq_ignore_ascii_case("true"));
        let template = text(&row, "KEY_TEMPLATE").unwrap_or_default();
        let ought = [deployed(was_deployed), template.trim(), &*String::from_utf8_lossy(&query)].join("\n");
        let is = found.map(|rule| [deployed(rule.deployed), &*rule.key_template, &*rule.query].join("\n"));
        question.ask(&format!("AM_POLICY_GLOBAL {name}"), "rule", &ought, is.as_deref());
    }
    question.close(done);
    Ok(())
}

/// Each claim is in its dialect, from the attribute its row names.
async fn claims(done: &mut Verification, site: &Site, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("claims, by row");
    let mut dialects: HashMap<(i64, i64), String> = HashMap::new();
    let mut rows = site.databases.users.scan("UM_DIALECT");
    while let Some(row) = rows.next().await? {
        if let (Some(id), Some(uri)) = (number(&row, "UM_ID"), text(&row, "UM_DIALECT_URI")) {
            dialects.insert((number(&row, "UM_TENANT_ID").unwrap_or(SUPER_TENANT_ID), id), uri);
        }
    }
    let mut rows = site.databases.users.scan("UM_CLAIM");
    while let Some(row) = rows.next().await? {
        let of = (number(&row, "UM_TENANT_ID").unwrap_or(SUPER_TENANT_ID), number(&row, "UM_DIALECT_ID").unwrap_or_default());
        let (Some(uri), Some(tenant)) = (text(&row, "UM_CLAIM_URI"), tenant(&row, "UM_TENANT_ID", tx).await?) else { continue };
        let (Some(dialect), Some(attribute)) = (dialects.get(&of), text(&row, "UM_MAPPED_ATTRIBUTE")) else { continue };
        let setting = tenant_settings::find(tx, tenant, SettingKind::ClaimDialect, dialect).await?;
        // The first of several attributes; each store's own stands behind it.
        let ought = attribute.split(';').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().trim();
        let body = setting.map(|s| s.body);
        let all = body.as_ref().and_then(|b| b.get("claims")?.get(&uri)?.get("attributes")?.as_object());
        let is = all.map(|map| if map.values().any(|v| v.as_str() == Some(ought)) { ought } else { "another" });
        question.ask(&format!("UM_CLAIM {dialect} {uri}"), "attribute", ought, is);
    }
    question.close(done);
    Ok(())
}

/// Each API that was shown in another store is noted with it.
async fn publications(done: &mut Verification, site: &Site, apis: &HashMap<i64, ApiId>, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("APIs in other stores, by row");
    let mut rows = site.databases.api.scan("AM_EXTERNAL_STORES");
    while let Some(row) = rows.next().await? {
        let (Some(id), Some(store)) = (number(&row, "API_ID").and_then(|id| apis.get(&id)), text(&row, "STORE_ID")) else { continue };
        let Some(api) = db::apis::find(tx, *id).await? else { continue };
        let name = format!("{id}/{store}");
        let found = tenant_settings::find(tx, api.tenant, SettingKind::ExternalPublication, &name).await?;
        let is = found.as_ref().and_then(|s| s.body.get("storeId")).and_then(Value::as_str);
        question.ask(&format!("AM_EXTERNAL_STORES {name}"), "store", &store, is);
    }
    question.close(done);
    Ok(())
}

/// Whoever signs people in, and whatever lets itself be signed in to, is here by name.
async fn names(done: &mut Verification, site: &Site, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("identity and service providers, by row");
    for (table, column, kind) in [("IDP", "NAME", SettingKind::IdentityProvider), ("SP_APP", "APP_NAME", SettingKind::ServiceProvider)] {
        let mut here: HashMap<TenantId, BTreeSet<String>> = HashMap::new();
        let mut rows = site.databases.identity.scan(table);
        while let Some(row) = rows.next().await? {
            let (Some(tenant), Some(name)) = (tenant(&row, "TENANT_ID", tx).await?, row.text(column).ok().flatten()) else { continue };
            let known = match here.entry(tenant) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let list = tenant_settings::list(tx, tenant, kind).await?;
                    place.insert(list.iter().filter_map(|s| s.body.get("name")?.as_str()).map(str::to_owned).collect())
                }
            };
            let is = known.get(&name);
            question.ask(&format!("{table} {}", number(&row, "ID").unwrap_or_default()), "name", &name, is.map(String::as_str));
        }
    }
    question.close(done);
    Ok(())
}

/// Each row in force refuses here what it named; what nobody could read was told when it was translated.
async fn denials(done: &mut Verification, site: &Site, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("who is refused outright, by row");
    let mut rows = site.databases.api.scan("AM_BLOCK_CONDITIONS");
    while let Some(row) = rows.next().await? {
        let (Some(kind), Some(value)) = (text(&row, "TYPE"), text(&row, "VALUE")) else { continue };
        let domain = text(&row, "DOMAIN").unwrap_or_else(|| "carbon.super".to_owned());
        let Some(tenant) = db::tenants::find_by_domain(tx, &domain).await? else { continue };
        // Of two rows for the same the one in force decides, so only those are asked for.
        if text(&row, "ENABLED").is_some_and(|e| !e.eq_ignore_ascii_case("true") && e != "1") {
            continue;
        }
        let ought = named(&kind, &value, &domain);
        let here: BTreeSet<String> =
            deny_policies::list(tx, tenant.id).await?.iter().filter(|p| p.enabled).map(|p| refused(&p.refused, &domain)).collect();
        let Some(ought) = ought else { continue };
        let is = here.get(&ought).map(String::as_str);
        question.ask(&format!("AM_BLOCK_CONDITIONS {kind} {value}"), "refused", &ought, is);
    }
    question.close(done);
    Ok(())
}

/// What the row names, in words that compare; `None` for what never refused anybody.
fn named(kind: &str, value: &str, domain: &str) -> Option<String> {
    let full = |user: &str| {
        let bare = user.strip_suffix(&format!("@{domain}")).unwrap_or(user);
        format!("{bare}@{domain}").to_lowercase()
    };
    let member = |name: &str| {
        let object: serde_json::Value = serde_json::from_str(value).ok()?;
        Some(object.get(name)?.as_str()?.to_owned())
    };
    match kind {
        "API" | "SUBSCRIPTION" => Some(format!("{kind} {value}")),
        "USER" => Some(format!("USER {}", full(value))),
        "APPLICATION" => value.split_once(':').map(|(owner, name)| format!("APPLICATION {} {}", full(owner.trim()), name.trim())),
        "IP" => {
            let address = member("fixedIp").unwrap_or_else(|| value.trim_start_matches(domain).trim_start_matches(':').to_owned());
            address.parse::<std::net::IpAddr>().ok().map(|ip| format!("IP {ip}"))
        }
        "IPRANGE" => Some(format!("IPRANGE {} {}", member("startingIp")?, member("endingIp")?)),
        _ => None,
    }
}

fn refused(denial: &Denial, domain: &str) -> String {
    let full =
        |user: &str| if user.ends_with(&format!("@{domain}")) { user.to_lowercase() } else { format!("{user}@{domain}").to_lowercase() };
    match denial {
        Denial::Api(text) | Denial::Subscription(text) => format!("{} {text}", denial.kind()),
        Denial::User(name) => format!("USER {}", full(name)),
        Denial::Application { owner, name } => format!("APPLICATION {} {name}", full(owner)),
        Denial::Ip { address, .. } => address.parse::<std::net::IpAddr>().map_or_else(|_| format!("IP {address}"), |ip| format!("IP {ip}")),
        Denial::IpRange { start, end, .. } => format!("IPRANGE {start} {end}"),
    }
}
