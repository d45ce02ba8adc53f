//! What a pass of `catch-up` tells of time: how far the new installation is behind the old one.

use model::Timestamp;

use crate::opened::Old;
use crate::plan::Plan;
use crate::translate::Translation;

/// How far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The source as it was at this moment is here.
    pub as_of: Timestamp,
    /// Since then, at the end of the pass: what happened there meanwhile is not here yet.
    pub lag_ms: i64,
    /// The newest moment that any record of the source bears, where one bears any.
    pub newest: Option<Timestamp>,
}

impl Lag {
    /// At the end of a pass that ended at `now`.
    pub fn after(old: &Old, translation: &Translation, plan: &Plan, now: Timestamp) -> Self {
        // The oldest of several databases' snapshots: what changed since in any of them may be missing.
        let as_of = old.site.sources.iter().map(|source| source.taken_at_ms()).min().map_or(now, Timestamp);
        Self { as_of, lag_ms: (now.0 - as_of.0).max(0), newest: newest(translation, plan) }
    }
}

/// Times are those of the old server's clock, so a date in the future is possible and is told as it is.
fn newest(translation: &Translation, plan: &Plan) -> Option<Timestamp> {
    let apis = translation.apis.iter().map(|a| a.value.api.updated_at);
    let applications = translation.applications.iter().map(|a| a.value.updated_at);
    let subscriptions = translation.subscriptions.iter().map(|s| s.value.updated_at);
    let users = translation.users.iter().map(|u| u.value.password_changed_at);
    apis.chain(applications).chain(subscriptions).chain(users).chain(plan.newest_token).max()
}
