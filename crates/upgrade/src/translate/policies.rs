//! Tiers and policies at all three levels, with their exact limits.
//!
//! Up to 1.9 one tier file serves subscriptions, applications and resources; 1.10 has a file for each; 2.x has tables, unless its
//! advanced throttling was switched off, when the files still rule. A tier that records name and nobody defines is made without a
//! limit, because that is what the old gateway did with it, and reported first. That holds for names a new installation knows too:
//! a limit nobody asked for must not come from there.

#[cfg(test)]
pub(crate) mod bare;
mod stricter;
mod switches;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use model::{
    AdvancedPolicy, ApplicationPolicy, BillingPlan, Burst, Condition, ConditionKind, ConditionalGroup, Limit, PlanPermission, PolicyId,
    SubscriptionPolicy, TenantId, TimeUnit, UNLIMITED, default_advanced_policies, default_application_policies,
    default_subscription_policies,
};
use serde_json::Value;

use super::{About, Carried, Desk, limits, list, said};
use crate::old::limits::{ApiPolicy, Policies, Tier, TierLevel, TierPermission};
use crate::old::people::SUPER_TENANT_ID;
use crate::source::Version;

/// What a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Plan,
    Application,
    Resource,
}

impl Family {
    fn noun(self) -> &'static str {
        match self {
            Self::Plan => "business plan",
            Self::Application => "application tier",
            Self::Resource => "resource tier",
        }
    }

    fn of(level: TierLevel) -> Self {
        match level {
            TierLevel::Subscription => Self::Plan,
            TierLevel::Application => Self::Application,
            TierLevel::Resource => Self::Resource,
        }
    }

    /// What a new installation gives the name.
    fn default_limit(self, name: &str) -> Option<Limit> {
        let any = TenantId::SUPER;
        match self {
            Self::Plan => default_subscription_policies(any).into_iter().find(|p| p.name == name).map(|p| p.limit),
            Self::Application => default_application_policies(any).into_iter().find(|p| p.name == name).map(|p| p.limit),
            Self::Resource => default_advanced_policies(any).into_iter().find(|p| p.name == name).map(|p| p.limit),
        }
    }

    /// Whether the old product knew the name without anybody's definition.
    fn built_in(self, name: &str) -> bool {
        name == UNLIMITED || (self == Self::Plan && name == "Unauthenticated")
    }
}

/// The three families while they are being gathered, by tenant and name.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Where a definition may stand that does not read; `None` is any tenant.
    unread: BTreeSet<(Option<TenantId>, Family)>,
    subscription: BTreeMap<(TenantId, String), Carried<SubscriptionPolicy>>,
    application: BTreeMap<(TenantId, String), Carried<ApplicationPolicy>>,
    advanced: BTreeMap<(TenantId, String), Carried<AdvancedPolicy>>,
}

const UNKNOWN: &str =
    "The name stays and has no limit, which is how the old gateway treated a tier it did not know; give it the limit it should have.";
const UNREAD: &str = "Its limit cannot be told, and none must be made up; mend the tier file or policy row in the old installation.";

/// Business plans, application policies, advanced policies.
type Families = (Vec<Carried<SubscriptionPolicy>>, Vec<Carried<ApplicationPolicy>>, Vec<Carried<AdvancedPolicy>>);

impl Limits {
    /// Says that a record names what nobody defines.
    fn undefined(&self, desk: &mut Desk<'_>, tenant: TenantId, family: Family, name: &str, origin: &str) {
        let noun = family.noun();
        if self.unread.contains(&(Some(tenant), family)) || self.unread.contains(&(None, family)) {
            desk.block(About::Limit, UNREAD, origin, format!("{noun} {name} is used, and definitions of tenant {tenant} do not read"));
            return;
        }
        let not = family.default_limit(name).map(|d| format!(": no limit holds, not a new installation's {}", limits::words(&d)));
        desk.warn(About::Limit, UNKNOWN, origin, format!("{noun} {name} is defined nowhere{}", not.unwrap_or_default()));
    }

    /// The name of a business plan a record of `tenant` names, made when nobody defines it.
    pub(super) fn plan(&mut self, desk: &mut Desk<'_>, tenant: TenantId, name: Option<&str>, origin: &str) -> String {
        let name = said(name).unwrap_or(UNLIMITED).to_owned();
        if !Family::Plan.built_in(&name) && !self.subscription.contains_key(&(tenant, name.clone())) {
            self.undefined(desk, tenant, Family::Plan, &name, origin);
            let policy = plan(tenant, &name, Limit::unlimited());
            self.subscription.insert((tenant, name.clone()), Carried { key: key(tenant, &name), value: policy });
        }
        name
    }

    /// As [`Limits::plan`], for an application.
    pub(super) fn of_application(&mut self, desk: &mut Desk<'_>, tenant: TenantId, name: Option<&str>, origin: &str) -> String {
        let name = said(name).unwrap_or(UNLIMITED).to_owned();
        if !Family::Application.built_in(&name) && !self.application.contains_key(&(tenant, name.clone())) {
            self.undefined(desk, tenant, Family::Application, &name, origin);
            let policy = application(tenant, &name, Limit::unlimited());
            self.application.insert((tenant, name.clone()), Carried { key: key(tenant, &name), value: policy });
        }
        name
    }

    /// As [`Limits::plan`], for an API or one of its operations.
    pub(super) fn of_operation(&mut self, desk: &mut Desk<'_>, tenant: TenantId, name: Option<&str>, origin: &str) -> String {
        let name = said(name).unwrap_or(UNLIMITED).to_owned();
        if !Family::Resource.built_in(&name) && !self.advanced.contains_key(&(tenant, name.clone())) {
            self.undefined(desk, tenant, Family::Resource, &name, origin);
            let policy = advanced(tenant, &name, Limit::unlimited());
            self.advanced.insert((tenant, name.clone()), Carried { key: key(tenant, &name), value: policy });
        }
        name
    }

    /// Of two names [`Limits::of_operation`] gave, whether the first is the stricter (`Less`); `None` when neither always is.
    pub(super) fn stricter(&self, tenant: TenantId, a: &str, b: &str) -> Option<Ordering> {
        let policy = |name: &str| self.advanced.get(&(tenant, name.to_owned())).map(|c| &c.value);
        if a == b { Some(Ordering::Equal) } else { stricter::compare(policy(a), policy(b)) }
    }

    /// The families in order.
    pub(super) fn finish(self) -> Families {
        (self.subscription.into_values().collect(), self.application.into_values().collect(), self.advanced.into_values().collect())
    }
}

fn key(tenant: TenantId, name: &str) -> String {
    format!("{tenant}/{name}")
}

pub(super) fn translate(desk: &mut Desk<'_>) -> Limits {
    let mut limits = Limits::default();
    let uses_tables = desk.old.version.has_policy_tables() && desk.input.settings.and_then(|s| s.advanced_throttling) != Some(false);
    if uses_tables {
        unread_rows(desk, &mut limits);
        tables(desk, &mut limits);
    } else {
        files(desk, &mut limits);
        let policies = &desk.old.policies;
        let plans = policies.subscription.iter().map(|p| ("AM_POLICY_SUBSCRIPTION", p.tenant_id));
        let tiers = policies.application.iter().map(|p| ("AM_POLICY_APPLICATION", p.tenant_id));
        let advanced = policies.api.iter().map(|p| ("AM_API_THROTTLE_POLICY", p.tenant_id));
        for row in plans.chain(tiers).chain(advanced) {
            desk.ledger.skipped(row, "advanced throttling was switched off", 1);
        }
    }
    let (ruling, ruling_rows, idle, idle_rows) = if uses_tables {
        ("AM_THROTTLE_TIER_PERMISSIONS", &desk.old.policy_permissions, "AM_TIER_PERMISSIONS", &desk.old.tier_permissions)
    } else {
        ("AM_TIER_PERMISSIONS", &desk.old.tier_permissions, "AM_THROTTLE_TIER_PERMISSIONS", &desk.old.policy_permissions)
    };
    permissions(desk, &mut limits, ruling, ruling_rows);
    for row in idle_rows {
        desk.ledger.skipped((idle, row.tenant_id.unwrap_or(SUPER_TENANT_ID)), "not the table this version used", 1);
    }
    kept(desk, &limits);
    switches::tell(desk);
    limits
}

/// A policy's row that does not read may be any tenant's, of any name.
fn unread_rows(desk: &Desk<'_>, limits: &mut Limits) {
    for (table, family) in [
        ("AM_POLICY_SUBSCRIPTION", Family::Plan),
        ("AM_POLICY_APPLICATION", Family::Application),
        ("AM_API_THROTTLE_POLICY", Family::Resource),
    ] {
        if desk.old.unreadable.iter().any(|fault| fault.table.eq_ignore_ascii_case(table)) {
            limits.unread.insert((None, family));
        }
    }
}

/// Says which plans are smaller or larger than those of their name in a new installation.
fn kept(desk: &mut Desk<'_>, limits: &Limits) {
    for ((tenant, name), plan) in &limits.subscription {
        let defaults = default_subscription_policies(*tenant);
        let Some(default) = defaults.iter().find(|d| d.name == *name && d.limit != plan.value.limit) else { continue };
        let words = format!("{name} of tenant {tenant} is {}, not {}", limits::words(&plan.value.limit), limits::words(&default.limit));
        desk.note(About::Limit, "It keeps its old limit, where a new installation gives the name another.", format!("tier {name}"), words);
    }
}

fn files(desk: &mut Desk<'_>, limits: &mut Limits) {
    let tenants: Vec<i64> = std::iter::once(SUPER_TENANT_ID).chain(desk.old.tenants.iter().map(|t| t.id)).collect();
    for tenant in tenants {
        let Some(id) = desk.names.tenant(tenant) else { continue };
        for level in [TierLevel::Subscription, TierLevel::Application, TierLevel::Resource] {
            // 1.8 and 1.9 know one file; later a level without its own file falls back on it.
            let own = if desk.old.version < Version::V1_10_0 { TierLevel::Subscription } else { level };
            let of = |wanted| desk.old.tier_files.iter().find(|f| f.tenant_id == tenant && f.level == wanted);
            let Some(file) = of(own).or_else(|| of(TierLevel::Subscription)) else { continue };
            let origin = format!("tier file of tenant {tenant}");
            match &file.tiers {
                Ok(tiers) => tiers.iter().for_each(|tier| put_tier(desk, limits, id, level, tier, &format!("{origin}, {}", tier.name))),
                Err(fault) => {
                    limits.unread.insert((Some(id), Family::of(level)));
                    let words = format!("the file does not read: {fault}");
                    desk.warn(About::Limit, "Its limits are not known; each that is in use stops the upgrade.", origin, words);
                }
            }
        }
    }
}

fn put_tier(desk: &mut Desk<'_>, limits: &mut Limits, tenant: TenantId, level: TierLevel, tier: &Tier, origin: &str) {
    let exact = tier.max_count.zip(tier.unit_ms).and_then(|(count, ms)| limits::of_tier(count, ms));
    let limit = match exact {
        Some(exact) => {
            if exact.stretched {
                let was = format!("{} requests per {} ms", tier.max_count.unwrap_or_default(), tier.unit_ms.unwrap_or_default());
                let words = format!("{was} is now {}", limits::words(&exact.limit));
                desk.warn(About::Limit, "Windows are whole seconds here: the rate is the same, the window longer.", origin, words);
            }
            exact.limit
        }
        // Unlimited needs no numbers.
        None if tier.name == UNLIMITED => Limit::unlimited(),
        None => {
            desk.warn(About::Limit, UNKNOWN, origin, format!("tier {} has no usable count or unit", tier.name));
            Limit::unlimited()
        }
    };
    let description = tier.attribute("Description").map(unescaped).filter(|d| !d.is_empty());
    let display_name = tier.display_name.clone().or_else(|| Some(tier.name.clone()));
    let at = (tenant, tier.name.clone());
    let key = key(tenant, &tier.name);
    match level {
        TierLevel::Subscription => {
            let billing = tier.attribute("x-wso2-BillingPlan").and_then(BillingPlan::parse).unwrap_or(BillingPlan::Free);
            let stop = tier.attribute("x-wso2-StopOnQuotaReach").is_none_or(|t| !t.eq_ignore_ascii_case("false"));
            let own = ["Description", "x-wso2-BillingPlan", "x-wso2-StopOnQuotaReach"];
            let attributes = tier.attributes.iter().filter(|(n, _)| !own.contains(&n.as_str()));
            let attributes = attributes.map(|(n, v)| (unescaped(n), unescaped(v))).collect();
            let value = SubscriptionPolicy {
                display_name,
                description,
                billing,
                stop_on_quota: stop,
                attributes,
                ..plan(tenant, &tier.name, limit)
            };
            limits.subscription.insert(at, Carried { key, value });
        }
        TierLevel::Application => {
            let value = ApplicationPolicy { display_name, description, ..application(tenant, &tier.name, limit) };
            limits.application.insert(at, Carried { key, value });
        }
        TierLevel::Resource => {
            // The old engine counted a resource per caller.
            let value = AdvancedPolicy { display_name, description, per_user: true, ..advanced(tenant, &tier.name, limit) };
            limits.advanced.insert(at, Carried { key, value });
        }
    }
}

/// Attribute names and values may be URL-encoded; what does not decode stays as it is.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let mut ahead = rest.clone();
                let digits =
                    ahead.next().zip(ahead.next()).and_then(|(a, b)| Some((char::from(a).to_digit(16)?, char::from(b).to_digit(16)?)));
                digits.and_then(|(a, b)| u8::try_from(a * 16 + b).ok()).inspect(|_| rest = ahead)
            }
            _ => None,
        };
        bytes.push(decoded.unwrap_or(byte));
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn tables(desk: &mut Desk<'_>, limits: &mut Limits) {
    let policies = &desk.old.policies;
    for row in &policies.subscription {
        const TABLE: &str = "AM_POLICY_SUBSCRIPTION";
        let Some(tenant) = tenant(desk, TABLE, row.tenant_id) else { continue };
        let origin = format!("{TABLE} {}", row.name);
        let limit = limits::of_policy(&row.quota_type, row.quota, row.quota_unit.as_deref(), row.unit_time, &row.time_unit);
        let limit = sensible(desk, limit, &row.name, &origin);
        let burst = row.burst_count.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
        let burst = burst.zip(row.burst_unit.as_deref().and_then(TimeUnit::parse)).map(|(count, unit)| Burst { count, unit });
        let value = SubscriptionPolicy {
            display_name: row.display_name.clone(),
            description: row.description.clone(),
            burst,
            stop_on_quota: row.stop_on_quota.unwrap_or(true),
            billing: row.billing_plan.as_deref().and_then(BillingPlan::parse).unwrap_or(BillingPlan::Free),
            attributes: attributes(desk, row.custom_attributes.as_deref(), &origin),
            ..plan(tenant, &row.name, limit)
        };
        desk.ledger.imported((TABLE, row.tenant_id));
        limits.subscription.insert((tenant, row.name.clone()), Carried { key: key(tenant, &row.name), value });
    }
    for row in &policies.application {
        const TABLE: &str = "AM_POLICY_APPLICATION";
        let Some(tenant) = tenant(desk, TABLE, row.tenant_id) else { continue };
        let origin = format!("{TABLE} {}", row.name);
        let limit = limits::of_policy(&row.quota_type, row.quota, row.quota_unit.as_deref(), row.unit_time, &row.time_unit);
        let limit = sensible(desk, limit, &row.name, &origin);
        if !attributes(desk, row.custom_attributes.as_deref(), &origin).is_empty() {
            desk.note(
                About::Limit,
                "Custom attributes of application tiers have no home here.",
                origin,
                format!("application tier {}", row.name),
            );
        }
        let value = ApplicationPolicy {
            display_name: row.display_name.clone(),
            description: row.description.clone(),
            ..application(tenant, &row.name, limit)
        };
        desk.ledger.imported((TABLE, row.tenant_id));
        limits.application.insert((tenant, row.name.clone()), Carried { key: key(tenant, &row.name), value });
    }
    for row in &policies.api {
        const TABLE: &str = "AM_API_THROTTLE_POLICY";
        let Some(tenant) = tenant(desk, TABLE, row.tenant_id) else { continue };
        let origin = format!("{TABLE} {}", row.name);
        let limit = limits::of_policy(&row.quota_type, row.quota, row.quota_unit.as_deref(), row.unit_time, &row.time_unit);
        let limit = sensible(desk, limit, &row.name, &origin);
        let value = AdvancedPolicy {
            display_name: row.display_name.clone(),
            description: row.description.clone(),
            per_user: row.level.as_deref().is_some_and(|l| l.to_ascii_lowercase().contains("user")),
            groups: groups(desk, policies, row, &origin),
            ..advanced(tenant, &row.name, limit)
        };
        desk.ledger.imported((TABLE, row.tenant_id));
        limits.advanced.insert((tenant, row.name.clone()), Carried { key: key(tenant, &row.name), value });
    }
}

fn tenant(desk: &mut Desk<'_>, table: &str, tenant: i64) -> Option<TenantId> {
    let found = desk.names.tenant(tenant);
    if found.is_none() {
        desk.ledger.skipped((table, tenant), "its tenant is gone", 1);
    }
    found
}

fn sensible(desk: &mut Desk<'_>, limit: Option<Limit>, name: &str, origin: &str) -> Limit {
    limit.unwrap_or_else(|| {
        desk.warn(About::Limit, UNKNOWN, origin, format!("the limit of {name} makes no sense"));
        Limit::unlimited()
    })
}

/// `[{"name": …, "value": …}]`.
fn attributes(desk: &mut Desk<'_>, json: Option<&[u8]>, origin: &str) -> Vec<(String, String)> {
    let Some(json) = json.filter(|j| !j.is_empty()) else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match serde_json::from_slice::<Value>(json) {
        Ok(Value::Array(items)) => {
            items.iter().filter_map(|i| Some((i.get("name")?.as_str()?.to_owned(), i.get("value").map(text)?))).collect()
        }
        Ok(Value::Null) => Vec::new(),
        _ => {
            desk.note(About::Limit, "The attributes are left out.", origin, "custom attributes do not read");
            Vec::new()
        }
    }
}

fn groups(desk: &mut Desk<'_>, policies: &Policies, policy: &ApiPolicy, origin: &str) -> Vec<ConditionalGroup> {
    let mut done = Vec::new();
    for group in policies.groups.iter().filter(|g| g.policy_id == policy.id) {
        let limit = match (&group.quota_type, group.quota, group.unit_time, &group.time_unit) {
            (Some(kind), Some(quota), Some(time), Some(unit)) => limits::of_policy(kind, quota, group.quota_unit.as_deref(), time, unit),
            _ => None,
        };
        let conditions = conditions(policies, group.id);
        // A group without conditions would meet every call.
        if conditions.is_empty() {
            desk.warn(About::Limit, "The group is left out; the policy's own limit holds.", origin, "a condition group has no conditions");
            continue;
        }
        done.push(ConditionalGroup {
            description: group.description.clone(),
            conditions,
            limit: sensible(desk, limit, &policy.name, origin),
        });
    }
    done
}

/// In the old tables the last column of a condition says that it is inverted.
fn conditions(policies: &Policies, group: i64) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut put = |inverted: Option<bool>, kind| found.push(Condition { inverted: inverted.unwrap_or(false), kind });
    for c in policies.ip_conditions.iter().filter(|c| c.group_id == group) {
        match (said(c.specific.as_deref()), said(c.starting.as_deref()), said(c.ending.as_deref())) {
            (Some(ip), ..) => put(c.within, ConditionKind::Ip(ip.to_owned())),
            (None, Some(start), Some(end)) => put(c.within, ConditionKind::IpRange { start: start.to_owned(), end: end.to_owned() }),
            _ => {}
        }
    }
    for c in policies.header_conditions.iter().filter(|c| c.group_id == group) {
        if let Some(name) = said(c.name.as_deref()) {
            put(c.matches, ConditionKind::Header { name: name.to_owned(), value: c.value.clone().unwrap_or_default() });
        }
    }
    for c in policies.query_conditions.iter().filter(|c| c.group_id == group) {
        if let Some(name) = said(c.name.as_deref()) {
            put(c.matches, ConditionKind::Query { name: name.to_owned(), value: c.value.clone().unwrap_or_default() });
        }
    }
    for c in policies.claim_conditions.iter().filter(|c| c.group_id == group) {
        if let Some(claim) = said(c.claim.as_deref()) {
            put(c.matches, ConditionKind::JwtClaim { claim: claim.to_owned(), value: c.value.clone().unwrap_or_default() });
        }
    }
    found
}

fn permissions(desk: &mut Desk<'_>, limits: &mut Limits, table: &str, rows: &[TierPermission]) {
    for row in rows {
        let Some(tenant) = desk.names.tenant(row.tenant_id.unwrap_or(SUPER_TENANT_ID)) else {
            desk.ledger.skipped((table, row.tenant_id.unwrap_or(SUPER_TENANT_ID)), "its tenant is gone", 1);
            continue;
        };
        let name = row.tier.trim().to_owned();
        let roles = desk.roles(tenant, list(row.roles.as_deref()));
        if roles.is_empty() {
            desk.ledger.skipped((table, row.tenant_id.unwrap_or(SUPER_TENANT_ID)), "names no role", 1);
            continue;
        }
        // Unlimited and the like may be restricted without being defined.
        let default = || default_subscription_policies(tenant).into_iter().find(|p| p.name == name);
        let at = (tenant, name.clone());
        if !limits.subscription.contains_key(&at)
            && let Some(value) = default()
        {
            if Family::Plan.built_in(&name) {
                limits.subscription.insert(at.clone(), Carried { key: key(tenant, &name), value });
            } else {
                limits.plan(desk, tenant, Some(&name), &format!("{table} {name}"));
            }
        }
        match limits.subscription.get_mut(&at) {
            Some(policy) => {
                let allow = row.kind.as_deref().is_none_or(|k| k.trim().eq_ignore_ascii_case("allow"));
                policy.value.permission = Some(PlanPermission { allow, roles });
                desk.ledger.merged((table, row.tenant_id.unwrap_or(SUPER_TENANT_ID)), 1);
            }
            None => desk.ledger.skipped((table, row.tenant_id.unwrap_or(SUPER_TENANT_ID)), "its tier does not exist", 1),
        }
    }
}

/// A plan with an id that a tenant's own default of that name also has, so that it takes that one's place.
fn plan(tenant: TenantId, name: &str, limit: Limit) -> SubscriptionPolicy {
    SubscriptionPolicy {
        id: PolicyId::derived(&[&tenant.to_string(), "subscription", name]),
        tenant,
        name: name.to_owned(),
        display_name: Some(name.to_owned()),
        description: None,
        limit,
        burst: None,
        stop_on_quota: true,
        billing: BillingPlan::Free,
        graphql_max_depth: 0,
        graphql_max_complexity: 0,
        subscriber_count: 0,
        attributes: Vec::new(),
        permission: None,
        monetization: None,
    }
}

fn application(tenant: TenantId, name: &str, limit: Limit) -> ApplicationPolicy {
    ApplicationPolicy {
        id: PolicyId::derived(&[&tenant.to_string(), "application", name]),
        tenant,
        name: name.to_owned(),
        display_name: Some(name.to_owned()),
        description: None,
        limit,
    }
}

fn advanced(tenant: TenantId, name: &str, limit: Limit) -> AdvancedPolicy {
    AdvancedPolicy {
        id: PolicyId::derived(&[&tenant.to_string(), "advanced", name]),
        tenant,
        name: name.to_owned(),
        display_name: Some(name.to_owned()),
        description: None,
        limit,
        per_user: false,
        groups: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::old::limits::TierFile;
    use crate::source::{CellError, Misfit, XmlError};
    use crate::translate::Severity;

    #[test]
    fn url_encoding_is_undone_where_it_is_one() {
        assert_eq!(unescaped("EU%20%26%20UK"), "EU & UK");
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("%zz%4"), "%zz%4");
        assert_eq!(unescaped("%ff"), "%ff");
    }

    #[test]
    fn a_tier_takes_the_place_of_the_default_of_its_name() {
        let tenant = TenantId::SUPER;
        let default = default_subscription_policies(tenant).into_iter().find(|p| p.name == "Gold").unwrap();
        assert_eq!(plan(tenant, "Gold", Limit::per_minute(20)).id, default.id);
        let default = default_application_policies(tenant).into_iter().find(|p| p.name == "50PerMin").unwrap();
        assert_eq!(application(tenant, "50PerMin", Limit::per_minute(20)).id, default.id);
        let default = default_advanced_policies(tenant).into_iter().find(|p| p.name == "10KPerMin").unwrap();
        assert_eq!(advanced(tenant, "10KPerMin", Limit::per_minute(20)).id, default.id);
    }

    fn origin_names(desk: &mut Desk<'_>) -> Limits {
        let mut limits = translate(desk);
        let tenant = TenantId::SUPER;
        for name in ["Gold", UNLIMITED, "Unauthenticated"] {
            assert_eq!(limits.plan(desk, tenant, Some(name), "test"), name);
        }
        limits.of_application(desk, tenant, Some("50PerMin"), "test");
        limits.of_operation(desk, tenant, Some("10KPerMin"), "test");
        limits
    }

    #[test]
    fn a_default_name_nobody_defines_gets_no_limit_of_ours() {
        let done = bare::with_desk(&bare::installation(), origin_names);
        let told: Vec<(Severity, &str)> = done.findings.iter().map(|f| (f.severity, f.words.as_str())).collect();
        let words = |noun, limit| format!("{noun} is defined nowhere: no limit holds, not a new installation's {limit} requests per 1 min");
        assert_eq!(
            told,
            [
                (Severity::Warning, words("business plan Gold", 5_000).as_str()),
                (Severity::Warning, words("application tier 50PerMin", 50).as_str()),
                (Severity::Warning, words("resource tier 10KPerMin", 10_000).as_str()),
            ]
        );
        let (plans, applications, resources) = done.value.finish();
        let gold = default_subscription_policies(TenantId::SUPER).into_iter().find(|p| p.name == "Gold").unwrap();
        // The same id, so that it takes the default's place.
        assert_eq!(plans.iter().map(|p| (p.value.id, p.value.limit)).collect::<Vec<_>>(), [(gold.id, Limit::unlimited())]);
        assert!(applications.len() == 1 && applications.iter().all(|p| p.value.limit.is_unlimited()));
        assert!(resources.len() == 1 && resources.iter().all(|p| p.value.limit.is_unlimited()));
    }

    #[test]
    fn a_limit_that_does_not_read_stops_the_upgrade_where_it_is_used() {
        let mut old = bare::installation();
        old.version = Version::V1_9_0;
        let file = |tenant_id| TierFile { tenant_id, level: TierLevel::Subscription, tiers: Err(XmlError::TooLarge) };
        old.tier_files = vec![file(SUPER_TENANT_ID)];
        let blocking = |old| {
            let findings = bare::with_desk(old, origin_names).findings;
            findings.iter().filter(|f| f.severity == Severity::Blocking).count()
        };
        assert_eq!(blocking(&old), 3);
        // A row of the tables that rule from 2.0 on.
        let mut old = bare::installation();
        let table = "AM_POLICY_SUBSCRIPTION".to_owned();
        old.unreadable = vec![CellError { table, column: "QUOTA".to_owned(), row: 1, misfit: Misfit::Missing, owner: None }];
        assert_eq!(blocking(&old), 1);
    }

    #[test]
    fn a_permission_brings_no_limit_of_ours_with_it() {
        let mut old = bare::installation();
        let of = |tier: &str| TierPermission {
            tier: tier.to_owned(),
            kind: Some("allow".to_owned()),
            roles: Some("vip".to_owned()),
            tenant_id: Some(SUPER_TENANT_ID),
        };
        old.policy_permissions = vec![of("Gold"), of(UNLIMITED)];
        let done = bare::with_desk(&old, translate);
        assert!(
            done.findings.iter().any(|f| f.severity == Severity::Warning && f.words.starts_with("business plan Gold is defined nowhere"))
        );
        let plans = done.value.finish().0;
        assert_eq!(plans.len(), 2);
        assert!(plans.iter().all(|p| p.value.limit.is_unlimited() && p.value.permission.is_some()));
    }
}
