//! The steps of an API's life, and what each takes along: subscriptions of older versions, their deprecation, the end of all deployments.
//!
//! Which steps there are is `model::LifecycleState`'s; what a step needs is decided here.

use std::cmp::Ordering;
use std::collections::HashSet;

use db::Tx;
use http::HeaderMap;
use model::{Action, Api, ApiKind, EndpointImplementation, LifecycleState, Subscription, SubscriptionId, SubscriptionState, Timestamp};
use rest::{Caller, Refusal};

use crate::access::{self, Intent};
use crate::apis::{self, rules};
use crate::{Room, revisions};

/// Publishing moves the older versions to `DEPRECATED`.
pub(crate) const DEPRECATE_OLD: &str = "Deprecate old versions after publishing the API";
/// Publishing does not copy the older versions' subscriptions.
pub(crate) const RE_SUBSCRIBE: &str = "Requires re-subscription when publishing the API";

/// Subscriptions handled at a time while they are copied.
const COPY_PAGE: u32 = 500;

/// What the publisher ticked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checklist {
    /// [`DEPRECATE_OLD`].
    pub deprecate_old: bool,
    /// [`RE_SUBSCRIBE`].
    pub re_subscribe: bool,
}

impl Checklist {
    /// Reads `name:true,name:false`. Items nobody knows are passed over, as in 4.0.0.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        let mut list = Self::default();
        for (name, value) in text.split(',').filter_map(|item| item.rsplit_once(':')) {
            let ticked = value.trim().eq_ignore_ascii_case("true");
            match name.trim() {
                DEPRECATE_OLD => list.deprecate_old = ticked,
                RE_SUBSCRIBE => list.re_subscribe = ticked,
                _ => {}
            }
        }
        list
    }
}

/// Where an API stands and what may follow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    /// The API.
    pub api: Api,
    /// Whether it is yet to be published and there is an older version, so that the checklist has a meaning.
    pub has_checklist: bool,
}

/// Where the API stands.
///
/// # Errors
/// 404, 403.
pub(crate) async fn standing(room: &Room, caller: &Caller, id: &str) -> Result<Standing, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, id, Intent::Read).await?;
    stand(&mut tx, api).await
}

async fn stand(tx: &mut Tx, api: Api) -> Result<Standing, Refusal> {
    let unpublished = matches!(api.state, LifecycleState::Created | LifecycleState::Prototyped);
    let has_checklist = unpublished && !older_versions(tx, &api).await?.is_empty();
    Ok(Standing { api, has_checklist })
}

/// Steps taken so far, oldest first.
///
/// # Errors
/// 404, 403.
pub(crate) async fn history(room: &Room, caller: &Caller, id: &str) -> Result<Vec<db::lifecycle_events::LifecycleEvent>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, id, Intent::Read).await?;
    Ok(db::lifecycle_events::list(&mut tx, api.id).await?)
}

/// Takes one step.
///
/// # Errors
/// 400 for an action that is none, is not open in this state, or lacks what it needs; 404, 403, 412.
pub(crate) async fn change(
    room: &Room,
    caller: &Caller,
    id: &str,
    action: &str,
    checklist: Checklist,
    headers: &HeaderMap,
) -> Result<Standing, Refusal> {
    let action = Action::parse(action).ok_or_else(|| Refusal::Bad(format!("'{action}' is not a lifecycle action.")))?;
    let now = room.now();
    let mut tx = room.db.write().await?;
    let api = match access::reach(&mut tx, caller, id, Intent::Update).await {
        Err(Refusal::NotFound { .. }) if access::reach_revision(&mut tx, caller, id).await.is_ok() => {
            return Err(Refusal::Bad("The lifecycle of a revision cannot be changed.".to_owned()));
        }
        found => found?,
    };
    apis::unchanged_since(&api, headers)?;
    let to = api.state.after(action).map_err(|refused| Refusal::Bad(refused.to_string()))?;
    if action == Action::Publish {
        may_be_published(&api)?;
    }
    stays_served(room, &mut tx, &api, to).await?;
    let next = step(&mut tx, caller, &api, to, now).await?;
    match action {
        Action::Publish => after_publishing(&mut tx, caller, &next, checklist, now).await?,
        Action::Retire => revisions::delete_all(&mut tx, next.id).await?,
        _ => {}
    }
    let standing = stand(&mut tx, next).await?;
    tx.commit().await?;
    Ok(standing)
}

/// Leads an API from where it stands to a state, by the steps there are; none when no steps lead there. Used where an archive says where
/// an API stood: publishing then copies no subscriptions of older versions, as in 4.0.0.
///
/// # Errors
/// As [`change`].
pub(crate) async fn lead_to(
    room: &Room,
    tx: &mut Tx,
    caller: &Caller,
    api: Api,
    to: LifecycleState,
    now: Timestamp,
) -> Result<Option<Api>, Refusal> {
    let Some(way) = way(api.state, to) else { return Ok(None) };
    let mut api = api;
    for (action, state) in way {
        if action == Action::Publish {
            may_be_published(&api)?;
        }
        stays_served(room, tx, &api, state).await?;
        api = step(tx, caller, &api, state, now).await?;
        if action == Action::Retire {
            revisions::delete_all(tx, api.id).await?;
        }
    }
    Ok(Some(api))
}

/// The shortest way between two states.
fn way(from: LifecycleState, to: LifecycleState) -> Option<Vec<(Action, LifecycleState)>> {
    let mut ways: Vec<(LifecycleState, Vec<(Action, LifecycleState)>)> = vec![(from, Vec::new())];
    let mut at = 0;
    while let Some((state, way)) = ways.get(at).cloned() {
        if state == to {
            return Some(way);
        }
        for action in Action::ALL {
            if let Ok(next) = state.after(action)
                && !ways.iter().any(|(known, _)| *known == next)
            {
                ways.push((next, way.iter().copied().chain([(action, next)]).collect()));
            }
        }
        at += 1;
    }
    None
}

async fn step(tx: &mut Tx, caller: &Caller, api: &Api, to: LifecycleState, now: Timestamp) -> Result<Api, Refusal> {
    let next = Api { state: to, updated_at: now, ..api.clone() };
    apis::replace(tx, &next).await?;
    db::lifecycle_events::append(tx, api.id, Some(api.state), to, &caller.name(), now).await?;
    Ok(next)
}

/// A step must not take away what is served now: a prototype asks nobody for credentials, so that as a published API it may need ones that
/// no gateway checks. What was not served before (an upgrade brings such APIs) may go on through its life.
async fn stays_served(room: &Room, tx: &mut Tx, api: &Api, to: LifecycleState) -> Result<(), Refusal> {
    for deployment in db::deployments::list(tx, api.id).await? {
        let Some(revision) = db::revisions::find(tx, deployment.revision).await? else { continue };
        let serves = |state| room.gateway.can_serve(Api { state, ..revision.content.as_ref().clone() });
        if let (Ok(()), Err(words)) = (serves(api.state), serves(to)) {
            let state = to.name();
            return Err(Refusal::Bad(format!("Revision {} runs, but could not as {state}: {words}. Undeploy it first.", revision.number)));
        }
    }
    Ok(())
}

/// An API that is offered must lead somewhere and be subscribable.
fn may_be_published(api: &Api) -> Result<(), Refusal> {
    let needs_endpoint = api.kind != ApiKind::WebSub && api.implementation == EndpointImplementation::Endpoint && !api.advertise.advertised;
    if needs_endpoint {
        api.endpoints.check().map_err(|fault| Refusal::Bad(format!("The API cannot be published: {fault}.")))?;
    }
    if rules::needs_plan(api) && api.plans.is_empty() && !api.advertise.advertised {
        return Err(rules::plan_missing());
    }
    Ok(())
}

async fn after_publishing(tx: &mut Tx, caller: &Caller, api: &Api, checklist: Checklist, now: Timestamp) -> Result<(), Refusal> {
    let older = older_among(apis::versions_to_change(tx, api).await?, api);
    if !checklist.re_subscribe {
        copy_subscriptions(tx, api, &older, now).await?;
    }
    if checklist.deprecate_old {
        for old in older.iter().filter(|old| old.state == LifecycleState::Published) {
            step(tx, caller, old, LifecycleState::Deprecated, now).await?;
        }
    }
    Ok(())
}

/// Older versions of the same API that somebody may be subscribed to, the newest of them first.
async fn older_versions(tx: &mut Tx, api: &Api) -> Result<Vec<Api>, Refusal> {
    Ok(older_among(db::apis::versions(tx, api.tenant, &api.name).await?, api))
}

fn older_among(versions: Vec<Api>, api: &Api) -> Vec<Api> {
    let mut older = versions;
    older.retain(|other| compare_versions(&other.version, &api.version) == Ordering::Less && other.state != LifecycleState::Retired);
    older.sort_by(|a, b| compare_versions(&b.version, &a.version));
    older
}

/// Each application keeps the plan it has with the newest older version it is subscribed to. A block goes along; what waits for approval
/// or was refused does not.
async fn copy_subscriptions(tx: &mut Tx, api: &Api, older: &[Api], now: Timestamp) -> Result<(), Refusal> {
    let mut subscribed = HashSet::new();
    for old in older {
        let mut offset = 0;
        loop {
            let page = db::subscriptions::list_of_api(tx, old.id, COPY_PAGE, offset).await?;
            let count = u32::try_from(page.items.len()).unwrap_or(u32::MAX);
            for subscription in page.items {
                if !subscribed.insert(subscription.application) {
                    continue;
                }
                let Some(state) = copied_state(subscription.state) else { continue };
                if db::subscriptions::find_for(tx, subscription.application, api.id).await?.is_none() {
                    let copy = copy_of(&subscription, api, state, now);
                    db::subscriptions::insert(tx, &copy).await?;
                }
            }
            offset = offset.saturating_add(count);
            if count < COPY_PAGE {
                break;
            }
        }
    }
    Ok(())
}

fn copied_state(state: SubscriptionState) -> Option<SubscriptionState> {
    match state {
        SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending => Some(SubscriptionState::Unblocked),
        SubscriptionState::Blocked | SubscriptionState::ProdOnlyBlocked => Some(state),
        SubscriptionState::OnHold | SubscriptionState::Rejected => None,
    }
}

fn copy_of(subscription: &Subscription, api: &Api, state: SubscriptionState, now: Timestamp) -> Subscription {
    Subscription {
        id: SubscriptionId::random(),
        application: subscription.application,
        api: api.id,
        plan: subscription.plan.clone(),
        requested_plan: None,
        state,
        created_at: now,
        updated_at: now,
    }
}

/// Which version is older: runs of digits compare as numbers, everything between them as text.
fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (parts(a).into_iter(), parts(b).into_iter());
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(Part::Number(x)), Some(Part::Number(y))) => x.len().cmp(&y.len()).then_with(|| x.cmp(y)),
            (Some(Part::Text(x)), Some(Part::Text(y))) => x.cmp(&y),
            (Some(Part::Number(_)), Some(Part::Text(_))) => Ordering::Greater,
            (Some(Part::Text(_)), Some(Part::Number(_))) => Ordering::Less,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

enum Part<'t> {
    /// Digits without leading zeros, so that the longer one is the greater.
    Number(&'t str),
    Text(String),
}

fn parts(version: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    let mut rest = version.strip_prefix(['v', 'V']).unwrap_or(version);
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if digits {
            found.push(Part::Number(part.trim_start_matches('0')));
        } else {
            let text = part.trim_matches(['.', '-', '_']).to_lowercase();
            if !text.is_empty() {
                found.push(Part::Text(text));
            }
        }
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for (older, newer) in
            [("1.0.0", "1.0.1"), ("1.9", "1.10"), ("v1", "v2"), ("1", "1.0.1"), ("2", "10"), ("1.0.0-alpha", "1.0.0-beta")]
        {
            assert_eq!(compare_versions(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare_versions(newer, older), Ordering::Greater);
        }
        assert_eq!(compare_versions("01.0", "1.0"), Ordering::Equal);
    }

    #[test]
    fn the_shortest_way_is_found() {
        use LifecycleState::{Created, Deprecated, Published, Retired};
        assert_eq!(way(Created, Created), Some(vec![]));
        assert_eq!(way(Created, Published), Some(vec![(Action::Publish, Published)]));
        assert_eq!(way(Created, Deprecated), Some(vec![(Action::Publish, Published), (Action::Deprecate, Deprecated)]));
        assert_eq!(way(Retired, Published), None);
    }

    #[test]
    fn the_checklist_is_read_by_name() {
        let list = Checklist::parse(&format!("{DEPRECATE_OLD}:true,{RE_SUBSCRIBE}:false"));
        assert_eq!(list, Checklist { deprecate_old: true, re_subscribe: false });
        assert_eq!(Checklist::parse("Something else:true, ,x"), Checklist::default());
        assert_eq!(Checklist::parse(&format!(" {RE_SUBSCRIBE} : TRUE ")), Checklist { deprecate_old: false, re_subscribe: true });
    }

    #[test]
    fn only_a_subscription_in_force_or_blocked_goes_along() {
        assert_eq!(copied_state(SubscriptionState::OnHold), None);
        assert_eq!(copied_state(SubscriptionState::Blocked), Some(SubscriptionState::Blocked));
        assert_eq!(copied_state(SubscriptionState::TierUpdatePending), Some(SubscriptionState::Unblocked));
    }
}
