//! Condition groups of advanced policies by their rows: which calls another limit holds for, and which. Read past the translation.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use db::Tx;
use db::policies::advanced;
use model::{ConditionKind, ConditionalGroup, TenantId};

use super::Verification;
use super::rows::{limit_words, limit_words_of, number, tenant, text, window_ms};
use super::straight::Question;
use crate::plan::PlanError;
use crate::source::{Row, Site};

/// What a group's rows ask of a call, each in words that compare.
type Asked = BTreeMap<i64, BTreeSet<String>>;

pub(super) async fn compare(done: &mut Verification, site: &Site, tenants: &HashSet<i64>, tx: &mut Tx) -> Result<(), PlanError> {
    let api = &site.databases.api;
    let mut policies: HashMap<i64, (TenantId, String)> = HashMap::new();
    let mut rows = api.scan("AM_API_THROTTLE_POLICY");
    while let Some(row) = rows.next().await? {
        if let (Some(id), Some(tenant), Some(name)) =
            (number(&row, "POLICY_ID"), tenant(&row, "TENANT_ID", tenants), row.text("NAME").ok().flatten())
        {
            policies.insert(id, (tenant, name));
        }
    }
    let asked = asked(site).await?;
    let mut question = Question::new("condition groups of advanced policies, by row");
    let mut of_policy: BTreeMap<(TenantId, String), u64> = BTreeMap::new();
    let mut rows = api.scan("AM_CONDITION_GROUP");
    while let Some(row) = rows.next().await? {
        let place = number(&row, "POLICY_ID").and_then(|id| policies.get(&id));
        let (Some(id), Some((tenant, name))) = (number(&row, "CONDITION_GROUP_ID"), place) else { continue };
        // One without conditions would hold for every call; the policy's own limit holds instead.
        let Some(asked) = asked.get(&id) else { continue };
        *of_policy.entry((*tenant, name.clone())).or_default() += 1;
        let (window, limit) = limit(&row);
        // A limit that makes no sense limits nothing, and was told of.
        let Some(limit) = limit else { continue };
        let ought = format!("{limit} where {}", joined(asked));
        let policy = advanced::find_by_name(tx, *tenant, name).await?;
        let here: Vec<String> = policy.iter().flat_map(|p| &p.groups).map(|group| words(group, window)).collect();
        let is = here.iter().find(|words| **words == ought).or_else(|| here.first());
        question.ask(&format!("AM_CONDITION_GROUP {id}"), "conditions and limit", &ought, is.map(String::as_str));
    }
    for ((tenant, name), ought) in of_policy {
        let is = advanced::find_by_name(tx, tenant, &name).await?.map(|p| p.groups.len().to_string());
        question.ask(&format!("AM_API_THROTTLE_POLICY {tenant}/{name}"), "number of groups", &ought.to_string(), is.as_deref());
    }
    question.close(done);
    Ok(())
}

fn joined(asked: &BTreeSet<String>) -> String {
    asked.iter().map(String::as_str).collect::<Vec<_>>().join(" and ")
}

/// A group's window in milliseconds and its limit in words.
fn limit(row: &Row) -> (i64, Option<String>) {
    let window = number(row, "UNIT_TIME").zip(text(row, "TIME_UNIT")).and_then(|(time, unit)| window_ms(time, &unit));
    let unit = match text(row, "QUOTA_TYPE").unwrap_or_default().to_ascii_lowercase().as_str() {
        "requestcount" => Some("requests".to_owned()),
        "bandwidthvolume" => text(row, "QUOTA_UNIT"),
        _ => None,
    };
    let (Some(window), Some(unit), Some(amount @ 0..)) = (window, unit, number(row, "QUOTA")) else { return (0, None) };
    (window, Some(limit_words(amount.into(), &unit, window.into())))
}

/// The last column of each table inverts the condition.
async fn asked(site: &Site) -> Result<Asked, PlanError> {
    let mut found = Asked::new();
    for (table, inverted) in [
        ("AM_IP_CONDITION", "WITHIN_IP_RANGE"),
        ("AM_HEADER_FIELD_CONDITION", "IS_HEADER_FIELD_MAPPING"),
        ("AM_QUERY_PARAMETER_CONDITION", "IS_PARAM_MAPPING"),
        ("AM_JWT_CLAIM_CONDITION", "IS_CLAIM_MAPPING"),
    ] {
        let mut rows = site.databases.api.scan(table);
        while let Some(row) = rows.next().await? {
            let value = |column: &str| row.text(column).ok().flatten().unwrap_or_default();
            let words = match table {
                "AM_IP_CONDITION" => match (text(&row, "SPECIFIC_IP"), text(&row, "STARTING_IP"), text(&row, "ENDING_IP")) {
                    (Some(ip), ..) => Some(format!("address {ip}")),
                    (None, Some(start), Some(end)) => Some(format!("address {start} to {end}")),
                    _ => None,
                },
                "AM_HEADER_FIELD_CONDITION" => {
                    text(&row, "HEADER_FIELD_NAME").map(|name| format!("header {name} = {}", value("HEADER_FIELD_VALUE")))
                }
                "AM_QUERY_PARAMETER_CONDITION" => {
                    text(&row, "PARAMETER_NAME").map(|name| format!("query {name} = {}", value("PARAMETER_VALUE")))
                }
                _ => text(&row, "CLAIM_URI").map(|claim| format!("claim {claim} = {}", value("CLAIM_ATTRIB"))),
            };
            if let (Some(group), Some(words)) = (number(&row, "CONDITION_GROUP_ID"), words) {
                let not = if row.bool(inverted).ok().flatten() == Some(true) { "not " } else { "" };
                found.entry(group).or_default().insert(format!("{not}{words}"));
            }
        }
    }
    Ok(found)
}

fn words(group: &ConditionalGroup, old_window_ms: i64) -> String {
    let asked: BTreeSet<String> = group
        .conditions
        .iter()
        .map(|condition| {
            let words = match &condition.kind {
                ConditionKind::Ip(ip) => format!("address {ip}"),
                ConditionKind::IpRange { start, end } => format!("address {start} to {end}"),
                ConditionKind::Header { name, value } => format!("header {name} = {value}"),
                ConditionKind::Query { name, value } => format!("query {name} = {value}"),
                ConditionKind::JwtClaim { claim, value } => format!("claim {claim} = {value}"),
            };
            format!("{}{words}", if condition.inverted { "not " } else { "" })
        })
        .collect();
    format!("{} where {}", limit_words_of(&group.limit, old_window_ms), joined(&asked))
}
