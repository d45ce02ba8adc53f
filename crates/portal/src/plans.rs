//! Throttling policies as developers choose them: for an application, and for a subscription (business plans).

use axum::Json;
use axum::extract::State;
use http::Method;
use model::{ApplicationPolicy, Limit, Quota, SubscriptionPolicy};
use rest::{Access, Door, Named, Paging, Refusal};
use serde_json::{Value, json};

use crate::browse::page;
use crate::visitor::Visitor;
use crate::{Room, entry};

/// The plan of calls without a token. Nobody subscribes with it.
const UNAUTHENTICATED: &str = "Unauthenticated";

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/throttling-policies/{policyLevel}", Access::Anybody, list).on(
        Method::GET,
        "/throttling-policies/{policyLevel}/{policyId}",
        Access::Anybody,
        get,
    )
}

async fn list(State(room): State<Room>, visitor: Visitor, Named(level): Named<String>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let all = of_level(&room, &visitor, &level).await?;
    let total = all.len() as u64;
    let items: Vec<Value> = page(all.into_iter(), paging).map(|(_, shown)| shown).collect();
    Ok(Json(rest::list(&items, total, paging, &format!("/throttling-policies/{level}"), &[])))
}

/// By name: that is what policies are called by outside the admin interface.
async fn get(State(room): State<Room>, visitor: Visitor, Named((level, name)): Named<(String, String)>) -> Result<Json<Value>, Refusal> {
    let found = of_level(&room, &visitor, &level).await?.into_iter().find(|(known, _)| *known == name);
    let (_, shown) = found.ok_or_else(|| entry::POLICY_NOT_FOUND.with(format!("There is no {level} policy '{name}'.")))?;
    Ok(Json(shown))
}

async fn of_level(room: &Room, visitor: &Visitor, level: &str) -> Result<Vec<(String, Value)>, Refusal> {
    let mut tx = room.db.read().await?;
    let tenant = visitor.portal.id;
    match level {
        "application" => {
            let found = db::policies::application::list(&mut tx, tenant).await?;
            Ok(found.iter().map(|policy| (policy.name.clone(), show_application(policy))).collect())
        }
        "subscription" => {
            let found = db::policies::subscription::list(&mut tx, tenant).await?;
            let shown = found.iter().filter(|policy| policy.name != UNAUTHENTICATED && admits(policy, visitor.roles()));
            Ok(shown.map(|policy| (policy.name.clone(), show_subscription(policy))).collect())
        }
        _ => Err(entry::POLICY_LEVEL.with(format!("'{level}' is not a level of policies; application and subscription are"))),
    }
}

/// Whether somebody with these roles may choose the plan.
pub(crate) fn admits(policy: &SubscriptionPolicy, roles: &[String]) -> bool {
    policy.permission.as_ref().is_none_or(|permission| permission.admits(roles))
}

fn show_application(policy: &ApplicationPolicy) -> Value {
    shown("application", &policy.name, policy.description.as_deref(), &policy.limit)
}

pub(crate) fn show_subscription(policy: &SubscriptionPolicy) -> Value {
    let mut shown = shown("subscription", &policy.name, policy.description.as_deref(), &policy.limit);
    let attributes: serde_json::Map<String, Value> =
        policy.attributes.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    shown["attributes"] = Value::Object(attributes);
    shown["rateLimitCount"] = json!(policy.burst.map_or(0, |burst| burst.count));
    shown["rateLimitTimeUnit"] = json!(policy.burst.map(|burst| burst.unit.name()));
    shown["tierPlan"] = json!(policy.billing.name());
    shown["stopOnQuotaReach"] = json!(policy.stop_on_quota);
    shown["monetizationAttributes"] = price(policy);
    shown["throttlingPolicyPermissions"] = match &policy.permission {
        Some(permission) => json!({ "type": if permission.allow { "allow" } else { "deny" }, "roles": permission.roles }),
        None => Value::Null,
    };
    shown
}

fn shown(level: &str, name: &str, description: Option<&str>, limit: &Limit) -> Value {
    let (amount, data_unit, kind) = match limit.quota {
        Quota::Requests(count) => (count, None, Some("REQUESTCOUNT")),
        Quota::Bandwidth { amount, unit } => (amount, Some(unit.name()), Some("BANDWIDTHVOLUME")),
        // The document has no word for a quota of events.
        Quota::Events(count) => (count, None, None),
    };
    json!({
        "name": name,
        "description": description,
        "policyLevel": level,
        "attributes": {},
        "requestCount": amount,
        "dataUnit": data_unit,
        "unitTime": limit.unit_time,
        "timeUnit": limit.time_unit.name(),
        "rateLimitCount": 0,
        "rateLimitTimeUnit": null,
        "quotaPolicyType": kind,
        "tierPlan": "FREE",
        "stopOnQuotaReach": true,
        "monetizationAttributes": null,
        "throttlingPolicyPermissions": null,
    })
}

/// What a commercial plan costs, from its monetization properties; `null` for a free one.
pub(crate) fn price(policy: &SubscriptionPolicy) -> Value {
    let Some(monetization) = &policy.monetization else { return Value::Null };
    let property = |name: &str| monetization.pointer(&format!("/properties/{name}")).cloned();
    let dynamic = monetization.get("monetizationPlan").and_then(Value::as_str).is_some_and(|plan| plan.eq_ignore_ascii_case("DYNAMICRATE"));
    json!({
        "billingType": if dynamic { "dynamicRate" } else { "fixedPrice" },
        "billingCycle": property("billingCycle"),
        "fixedPrice": property("fixedPrice"),
        "pricePerRequest": property("pricePerRequest"),
        "currencyType": property("currencyType"),
    })
}
