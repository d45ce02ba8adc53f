//! Throttling policies of the three families. Id, tenant and name are columns and come back from there.

use model::{
    AdvancedPolicy, ApplicationPolicy, BandwidthUnit, BillingPlan, Burst, Condition, ConditionKind, ConditionalGroup, CustomRule, Denial,
    Limit, PlanPermission, PolicyId, Quota, SubscriptionPolicy, TimeUnit,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{Field, Given, Word, record, texts, words};

words!(BandwidthUnit, TimeUnit, BillingPlan);
texts!(PolicyId);

record!(LimitRow of Limit { quota: QuotaRow, unit_time: u32, time_unit: Word });
record!(BurstRow of Burst { count: u64, unit: Word });
record!(PermissionRow of PlanPermission { allow: bool, roles: Vec<String> });
record!(ConditionRow of Condition { inverted: bool, kind: KindRow });
record!(GroupRow of ConditionalGroup { description: Option<String>, conditions: Vec<ConditionRow>, limit: LimitRow });

record!(SubscriptionBody of SubscriptionPolicy {
    id: Word,
    tenant: i64,
    name: String,
    display_name: Option<String>,
    description: Option<String>,
    limit: LimitRow,
    burst: Option<BurstRow>,
    stop_on_quota: bool,
    billing: Word,
    graphql_max_depth: u32,
    graphql_max_complexity: u32,
    subscriber_count: u32,
    attributes: Vec<(String, String)>,
    permission: Option<PermissionRow>,
    monetization: Option<Value>,
});
record!(ApplicationBody of ApplicationPolicy {
    id: Word, tenant: i64, name: String, display_name: Option<String>, description: Option<String>, limit: LimitRow,
});
record!(AdvancedBody of AdvancedPolicy {
    id: Word,
    tenant: i64,
    name: String,
    display_name: Option<String>,
    description: Option<String>,
    limit: LimitRow,
    per_user: bool,
    groups: Vec<GroupRow>,
});

record!(CustomBody of CustomRule {
    id: Word, tenant: i64, name: String, description: Option<String>, key_template: String, query: String, deployed: bool,
});

#[derive(Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub(crate) enum QuotaRow {
    Requests { count: u64 },
    Bandwidth { amount: u64, unit: Word },
    Events { count: u64 },
}

impl Field<Quota> for QuotaRow {
    fn keep(value: &Quota) -> Self {
        match *value {
            Quota::Requests(count) => Self::Requests { count },
            Quota::Bandwidth { amount, ref unit } => Self::Bandwidth { amount, unit: Word::keep(unit) },
            Quota::Events(count) => Self::Events { count },
        }
    }

    fn give(self) -> Given<Quota> {
        Ok(match self {
            Self::Requests { count } => Quota::Requests(count),
            Self::Bandwidth { amount, unit } => Quota::Bandwidth { amount, unit: unit.give()? },
            Self::Events { count } => Quota::Events(count),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub(crate) enum KindRow {
    Header { name: String, value: String },
    Ip { address: String },
    IpRange { start: String, end: String },
    JwtClaim { claim: String, value: String },
    Query { name: String, value: String },
}

impl Field<ConditionKind> for KindRow {
    fn keep(value: &ConditionKind) -> Self {
        match value.clone() {
            ConditionKind::Header { name, value } => Self::Header { name, value },
            ConditionKind::Ip(address) => Self::Ip { address },
            ConditionKind::IpRange { start, end } => Self::IpRange { start, end },
            ConditionKind::JwtClaim { claim, value } => Self::JwtClaim { claim, value },
            ConditionKind::Query { name, value } => Self::Query { name, value },
        }
    }

    fn give(self) -> Given<ConditionKind> {
        Ok(match self {
            Self::Header { name, value } => ConditionKind::Header { name, value },
            Self::Ip { address } => ConditionKind::Ip(address),
            Self::IpRange { start, end } => ConditionKind::IpRange { start, end },
            Self::JwtClaim { claim, value } => ConditionKind::JwtClaim { claim, value },
            Self::Query { name, value } => ConditionKind::Query { name, value },
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub(crate) enum DenialRow {
    Api { context: String },
    Application { owner: String, name: String },
    User { name: String },
    Ip { address: String, inverted: bool },
    IpRange { start: String, end: String, inverted: bool },
    Subscription { key: String },
}

impl Field<Denial> for DenialRow {
    fn keep(value: &Denial) -> Self {
        match value.clone() {
            Denial::Api(context) => Self::Api { context },
            Denial::Application { owner, name } => Self::Application { owner, name },
            Denial::User(name) => Self::User { name },
            Denial::Ip { address, inverted } => Self::Ip { address, inverted },
            Denial::IpRange { start, end, inverted } => Self::IpRange { start, end, inverted },
            Denial::Subscription(key) => Self::Subscription { key },
        }
    }

    fn give(self) -> Given<Denial> {
        Ok(match self {
            Self::Api { context } => Denial::Api(context),
            Self::Application { owner, name } => Denial::Application { owner, name },
            Self::User { name } => Denial::User(name),
            Self::Ip { address, inverted } => Denial::Ip { address, inverted },
            Self::IpRange { start, end, inverted } => Denial::IpRange { start, end, inverted },
            Self::Subscription { key } => Denial::Subscription(key),
        })
    }
}
