//! Subscriptions in every state.

use std::collections::{HashMap, HashSet};

use model::{Api, Application, ApplicationId, Subscription, SubscriptionId, SubscriptionState, Timestamp};

use super::{About, Carried, CarriedApi, Desk, policies::Limits, said};

const TABLE: &str = "AM_SUBSCRIPTION";

pub(super) fn translate(
    desk: &mut Desk<'_>,
    applications: &[Carried<Application>],
    apis: &[Carried<CarriedApi>],
    limits: &mut Limits,
) -> Vec<Carried<Subscription>> {
    let applications: HashMap<i64, ApplicationId> = applications.iter().map(|a| (a.value.number, a.value.id)).collect();
    let apis: HashMap<&str, &Api> = apis.iter().map(|a| (a.key.as_str(), &a.value.api)).collect();
    let mut taken = HashSet::new();
    let mut done = Vec::new();
    for old in &desk.old.subscriptions {
        let origin = format!("{TABLE} {}", old.id);
        if old.create_state.as_deref().is_some_and(|s| s.trim().eq_ignore_ascii_case("UN_SUBSCRIBE")) {
            desk.ledger.skipped(TABLE, "ended; the row only remembered its keys", 1);
            continue;
        }
        let (Some(application), Some(api)) = (applications.get(&old.application_id), apis.get(old.api_id.to_string().as_str())) else {
            let what = if applications.contains_key(&old.application_id) { "its API is gone" } else { "its application is gone" };
            desk.ledger.skipped(TABLE, what, 1);
            desk.warn(About::Subscription, "The subscription is left out.", origin, what);
            continue;
        };
        if !taken.insert((*application, api.id)) {
            desk.ledger.merged(TABLE, 1);
            desk.warn(
                About::Subscription,
                "The older of the two is carried.",
                origin,
                format!("a second subscription to {} {}", api.name, api.version),
            );
            continue;
        }
        let state = match said(old.status.as_deref()) {
            None => SubscriptionState::Unblocked,
            Some(word) => SubscriptionState::parse(word).unwrap_or_else(|| {
                desk.warn(
                    About::Subscription,
                    "It waits for approval; calls are refused.",
                    origin.clone(),
                    format!("its state {word} is not known"),
                );
                SubscriptionState::OnHold
            }),
        };
        let id = match old.uuid.as_deref().map(str::parse::<SubscriptionId>) {
            Some(Ok(id)) => id,
            _ => SubscriptionId::derived(&[desk.input.source, &old.id.to_string()]),
        };
        let made = desk.at(TABLE, "CREATED_TIME", old.created).unwrap_or(Timestamp(0));
        let subscription = Subscription {
            id,
            application: *application,
            api: api.id,
            plan: limits.plan(desk, api.tenant, old.tier.as_deref(), &origin),
            requested_plan: None,
            state,
            created_at: made,
            updated_at: desk.at(TABLE, "UPDATED_TIME", old.updated).unwrap_or(made),
        };
        desk.ledger.imported(TABLE);
        done.push(Carried { key: old.id.to_string(), value: subscription });
    }
    done
}
