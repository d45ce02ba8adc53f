//! Application policies: what an application may call altogether.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::{ApplicationPolicy as Policy, PolicyId, TenantId};
use rest::{Body, Caller, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::limit::ThrottleLimit;
use crate::{Room, policies};

/// `ApplicationThrottlePolicy`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ApplicationThrottlePolicy {
    policy_id: Option<String>,
    policy_name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    is_deployed: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<String>,
    default_limit: Option<ThrottleLimit>,
}

const TYPE: &str = "ApplicationThrottlePolicy";

impl ApplicationThrottlePolicy {
    fn make(mut self, tenant: TenantId) -> Result<Policy, Refusal> {
        let name = policies::new_name(self.policy_name.take())?;
        let limit = model::Limit::unlimited();
        self.change(Policy { id: PolicyId::random(), tenant, name, display_name: None, description: None, limit })
    }

    fn change(self, stored: Policy) -> Result<Policy, Refusal> {
        policies::check_type(self.kind.as_deref(), &[TYPE])?;
        Refusal::of(policies::words(self.display_name.as_deref(), self.description.as_deref()))?;
        let limit = policies::required(self.default_limit, "defaultLimit")?.read()?;
        let display_name = self.display_name.or_else(|| Some(stored.name.clone()));
        Ok(Policy { display_name, description: self.description, limit, ..stored })
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
        }
    }
}

impl policies::Roles for Policy {}

policies::handlers!(application, ApplicationThrottlePolicy, ApplicationThrottlePolicy);
