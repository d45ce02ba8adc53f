//! Throttling policies as the publisher offers them for choosing.

use model::{AdvancedPolicy, BillingPlan, Limit, Quota, SubscriptionPolicy};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Schema `ThrottlingPolicy`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ThrottlingPolicy {
    /// Name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// `subscription` or `api`.
    pub policy_level: &'static str,
    /// Words for people.
    pub display_name: Option<String>,
    /// Site-defined.
    pub attributes: Map<String, Value>,
    /// Requests, units of data or events.
    pub request_count: u64,
    /// Unit of data.
    pub data_unit: Option<&'static str>,
    /// Units of time in a window.
    pub unit_time: u32,
    /// Unit of time.
    pub time_unit: &'static str,
    /// Burst limit; 0 is none.
    pub rate_limit_count: u64,
    /// Its unit.
    pub rate_limit_time_unit: Option<&'static str>,
    /// What is counted.
    pub quota_policy_type: &'static str,
    /// Who pays.
    pub tier_plan: &'static str,
    /// Whether calls stop at the limit.
    pub stop_on_quota_reach: bool,
    /// Of a monetization plug-in.
    pub monetization_properties: Map<String, Value>,
}

impl From<&SubscriptionPolicy> for ThrottlingPolicy {
    fn from(policy: &SubscriptionPolicy) -> Self {
        Self {
            attributes: attributes(policy),
            rate_limit_count: policy.burst.map_or(0, |burst| burst.count),
            rate_limit_time_unit: policy.burst.map(|burst| burst.unit.name()),
            tier_plan: policy.billing.name(),
            stop_on_quota_reach: policy.stop_on_quota,
            monetization_properties: policy
                .monetization
                .as_ref()
                .and_then(|m| m.get("properties"))
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            ..limited("subscription", &policy.name, policy.display_name.as_ref(), policy.description.as_ref(), &policy.limit)
        }
    }
}

impl From<&AdvancedPolicy> for ThrottlingPolicy {
    fn from(policy: &AdvancedPolicy) -> Self {
        limited("api", &policy.name, policy.display_name.as_ref(), policy.description.as_ref(), &policy.limit)
    }
}

fn limited(level: &'static str, name: &str, shown: Option<&String>, description: Option<&String>, limit: &Limit) -> ThrottlingPolicy {
    let (request_count, data_unit, quota_policy_type) = match limit.quota {
        Quota::Requests(count) => (count, None, "REQUESTCOUNT"),
        Quota::Bandwidth { amount, unit } => (amount, Some(unit.name()), "BANDWIDTHVOLUME"),
        Quota::Events(count) => (count, None, "EVENTCOUNT"),
    };
    ThrottlingPolicy {
        name: name.to_owned(),
        description: description.cloned(),
        policy_level: level,
        display_name: shown.cloned(),
        attributes: Map::new(),
        request_count,
        data_unit,
        unit_time: limit.unit_time,
        time_unit: limit.time_unit.name(),
        rate_limit_count: 0,
        rate_limit_time_unit: None,
        quota_policy_type,
        tier_plan: BillingPlan::Free.name(),
        stop_on_quota_reach: true,
        monetization_properties: Map::new(),
    }
}

fn attributes(policy: &SubscriptionPolicy) -> Map<String, Value> {
    policy.attributes.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// Schema `SubscriptionPolicy`: a plan of streaming APIs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamingPolicy {
    /// A number 4.0.0 keeps; plans here have only their UUID.
    pub policy_id: Option<i64>,
    /// UUID.
    pub uuid: String,
    /// Name.
    pub policy_name: String,
    /// Words for people.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Known to every gateway.
    pub is_deployed: bool,
    /// Tenant.
    pub tenant_id: i32,
    /// Its domain.
    pub tenant_domain: String,
    /// `{type, eventCount: {…}}`.
    pub default_limit: Value,
    /// Burst limit; 0 is none.
    pub rate_limit_count: u64,
    /// Its unit.
    pub rate_limit_time_unit: Option<&'static str>,
    /// Most subscribers.
    pub subscriber_count: u32,
    /// `{name, value}`.
    pub custom_attributes: Vec<Value>,
    /// Whether events stop at the limit.
    pub stop_on_quota_reach: bool,
    /// Who pays.
    pub billing_plan: &'static str,
    /// `{permissionType, roles}`.
    pub permissions: Option<Value>,
}

impl StreamingPolicy {
    /// The plan, shown to a user of `tenant_domain`.
    #[must_use]
    pub(crate) fn show(policy: &SubscriptionPolicy, tenant_domain: &str) -> Self {
        Self {
            policy_id: None,
            uuid: policy.id.to_string(),
            policy_name: policy.name.clone(),
            display_name: policy.display_name.clone(),
            description: policy.description.clone(),
            is_deployed: true,
            tenant_id: policy.tenant.0,
            tenant_domain: tenant_domain.to_owned(),
            default_limit: limit(&policy.limit),
            rate_limit_count: policy.burst.map_or(0, |burst| burst.count),
            rate_limit_time_unit: policy.burst.map(|burst| burst.unit.name()),
            subscriber_count: policy.subscriber_count,
            custom_attributes: policy.attributes.iter().map(|(name, value)| json!({"name": name, "value": value})).collect(),
            stop_on_quota_reach: policy.stop_on_quota,
            billing_plan: policy.billing.name(),
            permissions: policy
                .permission
                .as_ref()
                .map(|permission| json!({"permissionType": if permission.allow { "ALLOW" } else { "DENY" }, "roles": permission.roles})),
        }
    }
}

fn limit(limit: &Limit) -> Value {
    let window = json!({"timeUnit": limit.time_unit.name(), "unitTime": limit.unit_time});
    let with = |field: &str, value: Value| {
        let mut window = window.clone();
        window[field] = value;
        window
    };
    match limit.quota {
        Quota::Requests(count) => {
            json!({"type": "REQUESTCOUNTLIMIT", "requestCount": with("requestCount", count.into()), "bandwidth": null, "eventCount": null})
        }
        Quota::Bandwidth { amount, unit } => {
            let mut bandwidth = with("dataAmount", amount.into());
            bandwidth["dataUnit"] = unit.name().into();
            json!({"type": "BANDWIDTHLIMIT", "requestCount": null, "bandwidth": bandwidth, "eventCount": null})
        }
        Quota::Events(count) => {
            json!({"type": "EVENTCOUNTLIMIT", "requestCount": null, "bandwidth": null, "eventCount": with("eventCount", count.into())})
        }
    }
}
