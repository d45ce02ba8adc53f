//! Subscriptions in every state. There may be millions, so what is kept of one is which old row it is and what was decided about it; the
//! record itself is made when it is asked for.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{Api, ApiId, Application, ApplicationId, Subscription, SubscriptionId, SubscriptionState, Timestamp};

use super::{About, Carried, CarriedApi, Desk, Records, at, policies::Limits, said};
use crate::old::consumers::Subscription as Old;
use crate::packed::Packed;
use crate::source::clock::Clock;

const TABLE: &str = "AM_SUBSCRIPTION";

/// All subscriptions that are carried.
#[derive(Debug, Default)]
pub struct Subscriptions {
    decided: Vec<Decided>,
    old: Arc<Packed<Old>>,
    applications: Vec<ApplicationId>,
    apis: Vec<ApiId>,
    plans: Vec<String>,
    clock: Option<Clock>,
    source: String,
}

/// What was decided about one; each number but the state is a place in a list.
#[derive(Debug)]
struct Decided {
    row: u32,
    application: u32,
    api: u32,
    plan: u32,
    state: SubscriptionState,
}

impl Subscriptions {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Carried<Subscription>> + '_ {
        self.decided.iter().filter_map(|decided| self.make(decided))
    }

    /// Decides otherwise about the state of one, for rehearsals.
    pub fn set_state(&mut self, at: usize, state: SubscriptionState) {
        if let Some(decided) = self.decided.get_mut(at) {
            decided.state = state;
        }
    }

    fn make(&self, decided: &Decided) -> Option<Carried<Subscription>> {
        let old = self.old.get(usize::try_from(decided.row).ok()?)?;
        let id = match old.uuid.as_deref().map(str::parse::<SubscriptionId>) {
            Some(Ok(id)) => id,
            _ => SubscriptionId::derived(&[&self.source, &old.id.to_string()]),
        };
        let time = |column, civil| self.clock.and_then(|clock| at(clock, TABLE, column, civil));
        let made = time("CREATED_TIME", old.created).unwrap_or(Timestamp(0));
        let value = Subscription {
            id,
            application: *of(&self.applications, decided.application)?,
            api: *of(&self.apis, decided.api)?,
            plan: of(&self.plans, decided.plan)?.clone(),
            requested_plan: None,
            state: decided.state,
            created_at: made,
            updated_at: time("UPDATED_TIME", old.updated).unwrap_or(made),
        };
        Some(Carried { key: old.id.to_string(), value })
    }
}

fn of<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

impl Records for Subscriptions {
    type Of = Subscription;

    fn count(&self) -> usize {
        self.decided.len()
    }

    fn record(&self, at: usize) -> Option<Cow<'_, Carried<Subscription>>> {
        self.make(self.decided.get(at)?).map(Cow::Owned)
    }
}

pub(super) fn translate(
    desk: &mut Desk<'_>,
    applications: &Packed<Carried<Application>>,
    apis: &[Carried<CarriedApi>],
    limits: &mut Limits,
) -> Subscriptions {
    let mut done = Subscriptions {
        decided: Vec::with_capacity(desk.old.subscriptions.len()),
        old: Arc::clone(&desk.old.subscriptions),
        applications: applications.iter().map(|a| a.value.id).collect(),
        apis: apis.iter().map(|a| a.value.api.id).collect(),
        plans: Vec::new(),
        clock: Some(desk.input.clock),
        source: desk.input.source.to_owned(),
    };
    let applications: HashMap<i64, u32> = (0..).zip(applications.iter()).map(|(at, a)| (a.value.number, at)).collect();
    let apis: HashMap<i64, (u32, &Api)> = (0..).zip(apis).filter_map(|(at, a)| Some((a.key.parse().ok()?, (at, &a.value.api)))).collect();
    let mut plans: HashMap<String, u32> = HashMap::new();
    let mut taken: HashSet<(u32, u32)> = HashSet::new();
    for (row, old) in (0..).zip(desk.old.subscriptions.iter()) {
        let origin = format!("{TABLE} {}", old.id);
        if old.create_state.as_deref().is_some_and(|s| s.trim().eq_ignore_ascii_case("UN_SUBSCRIBE")) {
            desk.ledger.skipped(TABLE, "ended; the row only remembered its keys", 1);
            continue;
        }
        let (Some(application), Some((at, api))) = (applications.get(&old.application_id), apis.get(&old.api_id)) else {
            let what = if applications.contains_key(&old.application_id) { "its API is gone" } else { "its application is gone" };
            desk.ledger.skipped(TABLE, what, 1);
            desk.warn(About::Subscription, "The subscription is left out.", origin, what);
            continue;
        };
        if !taken.insert((*application, *at)) {
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
        let plan = limits.plan(desk, api.tenant, old.tier.as_deref(), &origin);
        let plan = match plans.get(&plan) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(done.plans.len()).unwrap_or(u32::MAX);
                done.plans.push(plan.clone());
                plans.insert(plan, number);
                number
            }
        };
        desk.ledger.imported(TABLE);
        done.decided.push(Decided { row, application: *application, api: *at, plan, state });
    }
    done
}
