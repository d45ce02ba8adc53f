//! Subscription policies: business plans.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::{BillingPlan, Burst, Limit, PlanPermission, PolicyId, SubscriptionPolicy as Policy, TenantId, TimeUnit};
use rest::{Body, Caller, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::limit::{ThrottleLimit, read_unit};
use crate::{Room, entry, policies};

/// `SubscriptionThrottlePolicy`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionThrottlePolicy {
    #[serde(rename = "policyId")]
    policy_id: Option<String>,
    #[serde(rename = "policyName")]
    policy_name: Option<String>,
    #[serde(rename = "displayName")]
    display_name: Option<String>,
    description: Option<String>,
    #[serde(rename = "isDeployed")]
    is_deployed: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "graphQLMaxComplexity")]
    graphql_max_complexity: Option<u32>,
    #[serde(rename = "graphQLMaxDepth")]
    graphql_max_depth: Option<u32>,
    #[serde(rename = "defaultLimit")]
    default_limit: Option<ThrottleLimit>,
    monetization: Option<Monetization>,
    #[serde(rename = "rateLimitCount")]
    rate_limit_count: Option<i64>,
    #[serde(rename = "rateLimitTimeUnit")]
    rate_limit_time_unit: Option<String>,
    #[serde(rename = "subscriberCount")]
    subscriber_count: Option<u32>,
    #[serde(rename = "customAttributes")]
    custom_attributes: Option<Vec<CustomAttribute>>,
    #[serde(rename = "stopOnQuotaReach")]
    stop_on_quota_reach: Option<bool>,
    #[serde(rename = "billingPlan")]
    billing_plan: Option<String>,
    permissions: Option<Permissions>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomAttribute {
    name: String,
    value: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Permissions {
    permission_type: PermissionType,
    roles: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum PermissionType {
    Allow,
    Deny,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Monetization {
    monetization_plan: Option<MonetizationPlan>,
    properties: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum MonetizationPlan {
    FixedRate,
    DynamicRate,
}

const TYPE: &str = "SubscriptionThrottlePolicy";

impl SubscriptionThrottlePolicy {
    fn make(mut self, tenant: TenantId) -> Result<Policy, Refusal> {
        let name = policies::new_name(self.policy_name.take())?;
        self.change(Policy {
            id: PolicyId::random(),
            tenant,
            name,
            display_name: None,
            description: None,
            limit: Limit::unlimited(),
            burst: None,
            stop_on_quota: false,
            billing: BillingPlan::Free,
            graphql_max_depth: 0,
            graphql_max_complexity: 0,
            subscriber_count: 0,
            attributes: Vec::new(),
            permission: None,
            monetization: None,
        })
    }

    /// What the body leaves out falls back to the document's defaults, as PUT replaces.
    fn change(self, stored: Policy) -> Result<Policy, Refusal> {
        policies::check_type(self.kind.as_deref(), &[TYPE])?;
        Refusal::of(policies::words(self.display_name.as_deref(), self.description.as_deref()))?;
        let limit = policies::required(self.default_limit, "defaultLimit")?.read()?;
        let burst = burst(self.rate_limit_count, self.rate_limit_time_unit.as_deref())?;
        let billing = match self.billing_plan.as_deref() {
            None | Some("") => BillingPlan::Free,
            Some(word) => BillingPlan::parse(word)
                .ok_or_else(|| Refusal::Bad("One or more request body parameters contain disallowed values.".to_owned()))?,
        };
        let permission = self.permissions.map(permission).transpose()?;
        let monetization = self.monetization.map(|m| json!({ "monetizationPlan": m.monetization_plan, "properties": m.properties }));
        Ok(Policy {
            display_name: self.display_name.or_else(|| Some(stored.name.clone())),
            description: self.description,
            limit,
            burst,
            stop_on_quota: self.stop_on_quota_reach.unwrap_or(false),
            billing,
            graphql_max_depth: self.graphql_max_depth.unwrap_or(0),
            graphql_max_complexity: self.graphql_max_complexity.unwrap_or(0),
            subscriber_count: self.subscriber_count.unwrap_or(0),
            attributes: self.custom_attributes.unwrap_or_default().into_iter().map(|a| (a.name, a.value)).collect(),
            permission,
            monetization,
            ..stored
        })
    }

    fn show(policy: &Policy) -> Self {
        let monetization = policy.monetization.as_ref().and_then(|kept| serde_json::from_value(kept.clone()).ok());
        Self {
            policy_id: Some(policy.id.to_string()),
            policy_name: Some(policy.name.clone()),
            display_name: policy.display_name.clone(),
            description: policy.description.clone(),
            is_deployed: Some(true),
            kind: Some(TYPE.to_owned()),
            graphql_max_complexity: Some(policy.graphql_max_complexity),
            graphql_max_depth: Some(policy.graphql_max_depth),
            default_limit: Some(ThrottleLimit::show(&policy.limit)),
            monetization,
            rate_limit_count: Some(policy.burst.map_or(0, |b| i64::try_from(b.count).unwrap_or(i64::MAX))),
            rate_limit_time_unit: policy.burst.map(|b| b.unit.name().to_owned()),
            subscriber_count: Some(policy.subscriber_count),
            custom_attributes: Some(
                policy.attributes.iter().map(|(name, value)| CustomAttribute { name: name.clone(), value: value.clone() }).collect(),
            ),
            stop_on_quota_reach: Some(policy.stop_on_quota),
            billing_plan: Some(policy.billing.name().to_owned()),
            permissions: policy.permission.as_ref().map(|p| Permissions {
                permission_type: if p.allow { PermissionType::Allow } else { PermissionType::Deny },
                roles: p.roles.clone(),
            }),
        }
    }
}

/// Zero or nothing means no short limit; clients send `0`, `-1` and `"NA"` for it.
fn burst(count: Option<i64>, unit: Option<&str>) -> Result<Option<Burst>, Refusal> {
    let Some(count) = count.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0) else { return Ok(None) };
    match read_unit(unit.unwrap_or("min"))? {
        unit @ (TimeUnit::Second | TimeUnit::Minute) => Ok(Some(Burst { count, unit })),
        _ => Err(entry::LIMIT_INVALID.with("rateLimitTimeUnit must be sec or min")),
    }
}

fn permission(sent: Permissions) -> Result<PlanPermission, Refusal> {
    let roles: Vec<String> = sent.roles.into_iter().filter(|role| !role.trim().is_empty()).collect();
    if roles.is_empty() {
        return Err(entry::ROLES_EMPTY.with("permissions.roles must name at least one role"));
    }
    Ok(PlanPermission { allow: sent.permission_type == PermissionType::Allow, roles })
}

impl policies::Roles for Policy {
    fn roles(&self) -> &[String] {
        self.permission.as_ref().map_or(&[], |permission| &permission.roles)
    }
}

policies::handlers!(subscription, SubscriptionThrottlePolicy, SubscriptionThrottlePolicy);
