//! Tiers out of the registry's tier files, and the policy tables of 2.x.

use super::record::record;
use crate::source::{Element, XmlError, parse_xml};

/// What a tier file limits. In 1.8 and 1.9 one file serves all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TierLevel {
    /// `tiers.xml`
    Subscription,
    /// `app-tiers.xml`
    Application,
    /// `res-tiers.xml`
    Resource,
}

/// One tenant's tier file.
#[derive(Debug, Clone, PartialEq)]
pub struct TierFile {
    /// Tenant.
    pub tenant_id: i64,
    /// Which file.
    pub level: TierLevel,
    /// Its tiers in order, or why it does not read.
    pub tiers: Result<Vec<Tier>, XmlError>,
}

/// A tier as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Name.
    pub name: String,
    /// `throttle:displayName`.
    pub display_name: Option<String>,
    /// Requests per unit; `None` when absent or no number.
    pub max_count: Option<i64>,
    /// Unit in milliseconds; `None` when absent or no number.
    pub unit_ms: Option<i64>,
    /// Everything below `throttle:Attributes`: billing plan, stop flag, description, site-defined ones. As written.
    pub attributes: Vec<(String, String)>,
}

impl Tier {
    /// An attribute by name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Reads a tier file.
///
/// # Errors
///
/// When it is no XML.
pub fn tiers(xml: &[u8]) -> Result<Vec<Tier>, XmlError> {
    let root = parse_xml(xml)?;
    let mut found = Vec::new();
    for policy in root.descendants() {
        let Some(id) = policy.child("ID") else { continue };
        let inside: Vec<&Element> = policy.descendants();
        let number = |name: &str| inside.iter().find(|e| e.name == name).and_then(|e| e.text.trim().parse().ok());
        let attributes = inside.iter().find(|e| e.name == "Attributes");
        found.push(Tier {
            name: id.text.trim().to_owned(),
            display_name: id.attribute("displayName").map(str::to_owned),
            max_count: number("MaximumCount"),
            unit_ms: number("UnitTime"),
            attributes: attributes
                .map(|a| a.children.iter().map(|c| (c.name.clone(), c.text.trim().to_owned())).collect())
                .unwrap_or_default(),
        });
    }
    Ok(found)
}

record! {
    /// Who may use a tier (to 1.10), or a subscription policy (2.0 on, from AM_THROTTLE_TIER_PERMISSIONS).
    TierPermission from "AM_TIER_PERMISSIONS" {
        tier: String = "TIER",
        /// `allow` or `deny`.
        kind: Option<String> = "PERMISSIONS_TYPE",
        /// Comma list.
        roles: Option<String> = "ROLES",
        tenant_id: Option<i64> = "TENANT_ID",
    }
}

record! {
    /// A subscription policy.
    SubscriptionPolicy from "AM_POLICY_SUBSCRIPTION" {
        id: i64 = "POLICY_ID",
        name: String = "NAME",
        display_name: Option<String> = "DISPLAY_NAME",
        tenant_id: i64 = "TENANT_ID",
        description: Option<String> = "DESCRIPTION",
        quota_type: String = "QUOTA_TYPE",
        quota: i64 = "QUOTA",
        quota_unit: Option<String> = "QUOTA_UNIT",
        unit_time: i64 = "UNIT_TIME",
        time_unit: String = "TIME_UNIT",
        burst_count: Option<i64> = "RATE_LIMIT_COUNT",
        burst_unit: Option<String> = "RATE_LIMIT_TIME_UNIT",
        deployed: Option<bool> = "IS_DEPLOYED",
        custom_attributes: Option<Vec<u8>> = "CUSTOM_ATTRIBUTES",
        stop_on_quota: Option<bool> = "STOP_ON_QUOTA_REACH",
        billing_plan: Option<String> = "BILLING_PLAN",
        uuid: Option<String> = "UUID",
    }
}

record! {
    /// An application policy.
    ApplicationPolicy from "AM_POLICY_APPLICATION" {
        id: i64 = "POLICY_ID",
        name: String = "NAME",
        display_name: Option<String> = "DISPLAY_NAME",
        tenant_id: i64 = "TENANT_ID",
        description: Option<String> = "DESCRIPTION",
        quota_type: String = "QUOTA_TYPE",
        quota: i64 = "QUOTA",
        quota_unit: Option<String> = "QUOTA_UNIT",
        unit_time: i64 = "UNIT_TIME",
        time_unit: String = "TIME_UNIT",
        deployed: Option<bool> = "IS_DEPLOYED",
        custom_attributes: Option<Vec<u8>> = "CUSTOM_ATTRIBUTES",
        uuid: Option<String> = "UUID",
    }
}

record! {
    /// An advanced policy for an API or a resource.
    ApiPolicy from "AM_API_THROTTLE_POLICY" {
        id: i64 = "POLICY_ID",
        name: String = "NAME",
        display_name: Option<String> = "DISPLAY_NAME",
        tenant_id: i64 = "TENANT_ID",
        description: Option<String> = "DESCRIPTION",
        quota_type: String = "DEFAULT_QUOTA_TYPE",
        quota: i64 = "DEFAULT_QUOTA",
        quota_unit: Option<String> = "DEFAULT_QUOTA_UNIT",
        unit_time: i64 = "DEFAULT_UNIT_TIME",
        time_unit: String = "DEFAULT_TIME_UNIT",
        level: Option<String> = "APPLICABLE_LEVEL",
        deployed: Option<bool> = "IS_DEPLOYED",
        uuid: Option<String> = "UUID",
    }
}

record! {
    /// A group of conditions with its own limit.
    ConditionGroup from "AM_CONDITION_GROUP" {
        id: i64 = "CONDITION_GROUP_ID",
        policy_id: i64 = "POLICY_ID",
        quota_type: Option<String> = "QUOTA_TYPE",
        quota: Option<i64> = "QUOTA",
        quota_unit: Option<String> = "QUOTA_UNIT",
        unit_time: Option<i64> = "UNIT_TIME",
        time_unit: Option<String> = "TIME_UNIT",
        description: Option<String> = "DESCRIPTION",
    }
}

record! {
    /// A condition on a query parameter.
    QueryCondition from "AM_QUERY_PARAMETER_CONDITION" {
        group_id: i64 = "CONDITION_GROUP_ID",
        name: Option<String> = "PARAMETER_NAME",
        value: Option<String> = "PARAMETER_VALUE",
        matches: Option<bool> = "IS_PARAM_MAPPING",
    }
}

record! {
    /// A condition on a header.
    HeaderCondition from "AM_HEADER_FIELD_CONDITION" {
        group_id: i64 = "CONDITION_GROUP_ID",
        name: Option<String> = "HEADER_FIELD_NAME",
        value: Option<String> = "HEADER_FIELD_VALUE",
        matches: Option<bool> = "IS_HEADER_FIELD_MAPPING",
    }
}

record! {
    /// A condition on a JWT claim.
    ClaimCondition from "AM_JWT_CLAIM_CONDITION" {
        group_id: i64 = "CONDITION_GROUP_ID",
        claim: Option<String> = "CLAIM_URI",
        value: Option<String> = "CLAIM_ATTRIB",
        matches: Option<bool> = "IS_CLAIM_MAPPING",
    }
}

record! {
    /// A condition on the caller's address.
    IpCondition from "AM_IP_CONDITION" {
        group_id: i64 = "CONDITION_GROUP_ID",
        starting: Option<String> = "STARTING_IP",
        ending: Option<String> = "ENDING_IP",
        specific: Option<String> = "SPECIFIC_IP",
        within: Option<bool> = "WITHIN_IP_RANGE",
    }
}

record! {
    /// A custom rule in the old engine's query language.
    GlobalPolicy from "AM_POLICY_GLOBAL" {
        id: i64 = "POLICY_ID",
        name: String = "NAME",
        key_template: Option<String> = "KEY_TEMPLATE",
        tenant_id: i64 = "TENANT_ID",
        description: Option<String> = "DESCRIPTION",
        query: Option<Vec<u8>> = "SIDDHI_QUERY",
        deployed: Option<bool> = "IS_DEPLOYED",
        uuid: Option<String> = "UUID",
    }
}

record! {
    /// Something that is refused outright.
    BlockCondition from "AM_BLOCK_CONDITIONS" {
        id: i64 = "CONDITION_ID",
        /// API, APPLICATION, IP or USER.
        kind: String = "TYPE",
        value: Option<String> = "VALUE",
        enabled: Option<bool> = "ENABLED",
        domain: Option<String> = "DOMAIN",
        uuid: Option<String> = "UUID",
    }
}

/// All of 2.x's policy tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies {
    /// Per subscription.
    pub subscription: Vec<SubscriptionPolicy>,
    /// Per application.
    pub application: Vec<ApplicationPolicy>,
    /// Per API and resource.
    pub api: Vec<ApiPolicy>,
    /// Conditions of the advanced ones.
    pub groups: Vec<ConditionGroup>,
    /// By query parameter.
    pub query_conditions: Vec<QueryCondition>,
    /// By header.
    pub header_conditions: Vec<HeaderCondition>,
    /// By claim.
    pub claim_conditions: Vec<ClaimCondition>,
    /// By address.
    pub ip_conditions: Vec<IpCondition>,
    /// Custom rules.
    pub global: Vec<GlobalPolicy>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_file_reads_as_written() {
        let xml = br#"<wsp:Policy xmlns:wsp="p" xmlns:throttle="t"><throttle:MediatorThrottleAssertion>
            <wsp:Policy><throttle:ID throttle:type="ROLE" throttle:displayName="Shiny">Gold</throttle:ID><wsp:Policy><throttle:Control><wsp:Policy>
              <throttle:MaximumCount>20</throttle:MaximumCount><throttle:UnitTime>60000</throttle:UnitTime>
              <wsp:Policy><throttle:Attributes><throttle:x-wso2-BillingPlan>FREE</throttle:x-wso2-BillingPlan><throttle:Description>20 a minute</throttle:Description></throttle:Attributes></wsp:Policy>
            </wsp:Policy></throttle:Control></wsp:Policy></wsp:Policy>
            <wsp:Policy><throttle:ID throttle:type="ROLE">Odd</throttle:ID><wsp:Policy><throttle:Control><wsp:Policy><throttle:MaximumCount>many</throttle:MaximumCount></wsp:Policy></throttle:Control></wsp:Policy></wsp:Policy>
            </throttle:MediatorThrottleAssertion></wsp:Policy>"#;
        let found = tiers(xml).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].max_count, found[0].unit_ms), ("Gold", Some(20), Some(60_000)));
        assert_eq!(found[0].display_name.as_deref(), Some("Shiny"));
        assert_eq!(found[0].attribute("x-wso2-BillingPlan"), Some("FREE"));
        assert_eq!((found[1].max_count, found[1].unit_ms), (None, None));
    }
}
