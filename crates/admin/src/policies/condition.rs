//! Conditional groups of advanced policies. What cannot be evaluated is refused here, while somebody is there to correct it.

use std::sync::Arc;

use model::{Condition, ConditionKind, ConditionalGroup as Group};
use serde::{Deserialize, Serialize};
use traffic::Matcher;

use super::limit::ThrottleLimit;
use crate::entry;
use rest::Refusal;

/// Bounds the memory one expression may take once compiled.
const EXPRESSION_MAX_BYTES: usize = 1 << 20;

/// `ConditionalGroup`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionalGroup {
    description: Option<String>,
    conditions: Vec<ThrottleCondition>,
    limit: ThrottleLimit,
}

/// `ThrottleCondition`: a type, and the object the type names; the other three are `null`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ThrottleCondition {
    #[serde(rename = "type")]
    kind: ConditionType,
    #[serde(default)]
    invert_condition: bool,
    header_condition: Option<Header>,
    ip_condition: Option<Ip>,
    jwt_claims_condition: Option<JwtClaims>,
    query_parameter_condition: Option<QueryParameter>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum ConditionType {
    #[serde(rename = "HEADERCONDITION")]
    Header,
    #[serde(rename = "IPCONDITION")]
    Ip,
    #[serde(rename = "JWTCLAIMSCONDITION")]
    JwtClaims,
    #[serde(rename = "QUERYPARAMETERCONDITION")]
    QueryParameter,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    header_name: String,
    header_value: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ip {
    #[serde(rename = "ipConditionType")]
    kind: Option<IpType>,
    #[serde(rename = "specificIP")]
    specific: Option<String>,
    #[serde(rename = "startingIP")]
    starting: Option<String>,
    #[serde(rename = "endingIP")]
    ending: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum IpType {
    #[serde(rename = "IPRANGE")]
    Range,
    #[serde(rename = "IPSPECIFIC")]
    Specific,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JwtClaims {
    claim_url: String,
    attribute: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QueryParameter {
    parameter_name: String,
    parameter_value: String,
}

impl ConditionalGroup {
    /// The group meant.
    ///
    /// # Errors
    /// 400 when it has no condition, a condition lacks the object its type names, or cannot be evaluated.
    pub(super) fn read(self) -> Result<Group, Refusal> {
        if self.conditions.is_empty() {
            return Err(entry::PARAMETER_MISSING.with("A conditional group needs at least one condition."));
        }
        let conditions = self.conditions.into_iter().map(ThrottleCondition::read).collect::<Result<_, _>>()?;
        let group = Group { description: self.description, conditions, limit: self.limit.read()? };
        traffic::Group::of(&group, &compile).map_err(|fault| entry::LIMIT_INVALID.with(fault.to_string()))?;
        Ok(group)
    }

    pub(super) fn show(group: &Group) -> Self {
        Self {
            description: group.description.clone(),
            conditions: group.conditions.iter().map(ThrottleCondition::show).collect(),
            limit: ThrottleLimit::show(&group.limit),
        }
    }
}

/// Compiles an expression, bounded.
pub(super) fn compile(expression: &str) -> Result<Arc<dyn Matcher>, String> {
    let compiled = regex::RegexBuilder::new(expression).size_limit(EXPRESSION_MAX_BYTES).build().map_err(|fault| fault.to_string())?;
    Ok(Arc::new(move |text: &str| compiled.is_match(text)))
}

impl ThrottleCondition {
    fn read(self) -> Result<Condition, Refusal> {
        let missing =
            |object: &str| entry::PARAMETER_MISSING.with(format!("{object} object corresponding to the condition type not provided"));
        let kind = match self.kind {
            ConditionType::Header => {
                let Header { header_name: name, header_value: value } = self.header_condition.ok_or_else(|| missing("headerCondition"))?;
                ConditionKind::Header { name, value }
            }
            ConditionType::Ip => self.ip_condition.ok_or_else(|| missing("ipCondition"))?.read()?,
            ConditionType::JwtClaims => {
                let given = self.jwt_claims_condition.ok_or_else(|| missing("jwtClaimsCondition"))?;
                ConditionKind::JwtClaim { claim: given.claim_url, value: given.attribute }
            }
            ConditionType::QueryParameter => {
                let given = self.query_parameter_condition.ok_or_else(|| missing("queryParameterCondition"))?;
                ConditionKind::Query { name: given.parameter_name, value: given.parameter_value }
            }
        };
        Ok(Condition { inverted: self.invert_condition, kind })
    }

    fn show(condition: &Condition) -> Self {
        let mut shown = Self {
            kind: ConditionType::Header,
            invert_condition: condition.inverted,
            header_condition: None,
            ip_condition: None,
            jwt_claims_condition: None,
            query_parameter_condition: None,
        };
        match condition.kind.clone() {
            ConditionKind::Header { name, value } => shown.header_condition = Some(Header { header_name: name, header_value: value }),
            ConditionKind::Ip(address) => {
                shown.kind = ConditionType::Ip;
                shown.ip_condition = Some(Ip { kind: Some(IpType::Specific), specific: Some(address), starting: None, ending: None });
            }
            ConditionKind::IpRange { start, end } => {
                shown.kind = ConditionType::Ip;
                shown.ip_condition = Some(Ip { kind: Some(IpType::Range), specific: None, starting: Some(start), ending: Some(end) });
            }
            ConditionKind::JwtClaim { claim, value } => {
                shown.kind = ConditionType::JwtClaims;
                shown.jwt_claims_condition = Some(JwtClaims { claim_url: claim, attribute: value });
            }
            ConditionKind::Query { name, value } => {
                shown.kind = ConditionType::QueryParameter;
                shown.query_parameter_condition = Some(QueryParameter { parameter_name: name, parameter_value: value });
            }
        }
        shown
    }
}

impl Ip {
    fn read(self) -> Result<ConditionKind, Refusal> {
        let given = |text: Option<String>, name: &str| {
            text.map(|t| t.trim().to_owned())
                .filter(|t| !t.is_empty())
                .ok_or_else(|| entry::PARAMETER_MISSING.with(format!("ipCondition.{name} is missing")))
        };
        match self.kind {
            Some(IpType::Specific) => Ok(ConditionKind::Ip(given(self.specific, "specificIP")?)),
            Some(IpType::Range) => {
                Ok(ConditionKind::IpRange { start: given(self.starting, "startingIP")?, end: given(self.ending, "endingIP")? })
            }
            None => Err(entry::PARAMETER_MISSING.with("ipCondition.ipConditionType is missing")),
        }
    }
}
