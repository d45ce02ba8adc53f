//! The throttling policies a publisher may choose from. They are made and changed in the admin room.

use model::{Quota, SubscriptionPolicy};
use rest::{Caller, Refusal};

use crate::wire::ThrottlingPolicy;
use crate::{Room, entry};

/// The plan that calls without authentication are counted against; nobody subscribes to it.
const UNAUTHENTICATED: &str = "Unauthenticated";

/// A family of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Business plans.
    Subscription,
    /// Of APIs and operations.
    Api,
}

impl Level {
    /// Reads the path segment; the document itself once spells it `subcription`.
    ///
    /// # Errors
    /// 400 900968 for any other.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "subscription" | "subcription" => Ok(Self::Subscription),
            "api" => Ok(Self::Api),
            other => Err(entry::POLICY_LEVEL.with(format!("There is no policy level '{other}'."))),
        }
    }
}

/// Policies of a level; plans counted in events belong to streaming APIs and are left out.
///
/// # Errors
/// Only the database's.
pub(crate) async fn list(room: &Room, caller: &Caller, level: Level) -> Result<Vec<ThrottlingPolicy>, Refusal> {
    let mut tx = room.db.read().await?;
    Ok(match level {
        Level::Api => db::policies::advanced::list(&mut tx, caller.tenant).await?.iter().map(ThrottlingPolicy::from).collect(),
        Level::Subscription => {
            let plans = db::policies::subscription::list(&mut tx, caller.tenant).await?;
            plans.iter().filter(|plan| !is_streaming(plan) && plan.name != UNAUTHENTICATED).map(ThrottlingPolicy::from).collect()
        }
    })
}

/// Plans of streaming APIs.
///
/// # Errors
/// Only the database's.
pub(crate) async fn streaming(room: &Room, caller: &Caller) -> Result<Vec<SubscriptionPolicy>, Refusal> {
    let mut tx = room.db.read().await?;
    let mut plans = db::policies::subscription::list(&mut tx, caller.tenant).await?;
    plans.retain(is_streaming);
    Ok(plans)
}

/// One policy.
///
/// # Errors
/// 404 900961.
pub(crate) async fn find(room: &Room, caller: &Caller, level: Level, name: &str) -> Result<ThrottlingPolicy, Refusal> {
    let mut tx = room.db.read().await?;
    let found = match level {
        Level::Api => db::policies::advanced::find_by_name(&mut tx, caller.tenant, name).await?.as_ref().map(ThrottlingPolicy::from),
        Level::Subscription => {
            db::policies::subscription::find_by_name(&mut tx, caller.tenant, name).await?.as_ref().map(ThrottlingPolicy::from)
        }
    };
    found.ok_or_else(|| entry::POLICY_NOT_FOUND.with(format!("Requested Throttling Policy with name '{name}' not found")))
}

fn is_streaming(plan: &SubscriptionPolicy) -> bool {
    matches!(plan.limit.quota, Quota::Events(_))
}
