//! Advanced policies: what an API or one of its operations takes, with other limits for calls that meet conditions.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::{AdvancedPolicy as Policy, Limit, PolicyId, TenantId};
use rest::{Body, Caller, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::condition::ConditionalGroup;
use super::limit::ThrottleLimit;
use crate::{Room, policies};

/// `AdvancedThrottlePolicy`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AdvancedThrottlePolicy {
    policy_id: Option<String>,
    policy_name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    is_deployed: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<String>,
    default_limit: Option<ThrottleLimit>,
    conditional_groups: Option<Vec<ConditionalGroup>>,
}

/// `AdvancedThrottlePolicyInfo`: a list item, without the groups.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdvancedThrottlePolicyInfo {
    policy_id: String,
    policy_name: String,
    display_name: Option<String>,
    description: Option<String>,
    is_deployed: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    default_limit: ThrottleLimit,
}

const TYPE: &str = "AdvancedThrottlePolicy";
const TYPE_IN_LISTS: &str = "AdvancedThrottlePolicyInfo";

impl AdvancedThrottlePolicy {
    fn make(mut self, tenant: TenantId) -> Result<Policy, Refusal> {
        let name = policies::new_name(self.policy_name.take())?;
        self.change(Policy {
            id: PolicyId::random(),
            tenant,
            name,
            display_name: None,
            description: None,
            limit: Limit::unlimited(),
            per_user: false,
            groups: Vec::new(),
        })
    }

    /// Whether calls are counted per user stays as it is: the interface has no word for it, old installations do.
    fn change(self, stored: Policy) -> Result<Policy, Refusal> {
        policies::check_type(self.kind.as_deref(), &[TYPE, TYPE_IN_LISTS])?;
        Refusal::of(policies::words(self.display_name.as_deref(), self.description.as_deref()))?;
        let limit = policies::required(self.default_limit, "defaultLimit")?.read()?;
        let groups = self.conditional_groups.unwrap_or_default().into_iter().map(ConditionalGroup::read).collect::<Result<_, _>>()?;
        let display_name = self.display_name.or_else(|| Some(stored.name.clone()));
        Ok(Policy { display_name, description: self.description, limit, groups, ..stored })
    }

    fn show(policy: &Policy) -> Self {
        Self {
            policy_id: Some(policy.id.to_string()),
            policy_name: Some(policy.name.clone()),
            display_name: policy.display_name.clone(),
            description: policy.description.clone(),
            is_deployed: Some(true),
            kind: Some(TYPE.to_owned()),
            default_limit: Some(ThrottleLimit::show(&policy.limit)),
            conditional_groups: Some(policy.groups.iter().map(ConditionalGroup::show).collect()),
        }
    }
}

impl AdvancedThrottlePolicyInfo {
    fn show(policy: &Policy) -> Self {
        Self {
            policy_id: policy.id.to_string(),
            policy_name: policy.name.clone(),
            display_name: policy.display_name.clone(),
            description: policy.description.clone(),
            is_deployed: true,
            kind: TYPE_IN_LISTS,
            default_limit: ThrottleLimit::show(&policy.limit),
        }
    }
}

impl policies::Roles for Policy {}

policies::handlers!(advanced, AdvancedThrottlePolicy, AdvancedThrottlePolicyInfo);
