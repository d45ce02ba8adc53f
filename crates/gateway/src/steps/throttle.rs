//! Whether there is quota left, at every level, in 4.0.0's order: API or resource, subscription, burst, application, backend.
//!
//! A refused call counts nowhere: what it took at one level is given back when a later one refuses. Unlike 4.0.0, which counts
//! elsewhere and learns of spent quotas late, the count here is exact on one node.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;
use model::{KeyType, SUPER_TENANT_DOMAIN, TenantId, Timestamp};
use traffic::{Cost, Quota, Seen, Ticket};

use crate::counters::{Counters, Key};
use crate::respond::{Level, ThrottleRefusal};
use crate::snapshot::{ApiEntry, Family, Limited, Operation, PolicyEntry, Snapshot, with_policy_key};
use crate::steps::authorize::Caller;

/// What is counted.
pub(crate) struct Counted<'a> {
    pub(crate) api: &'a ApiEntry,
    pub(crate) template: &'a str,
    pub(crate) operation: &'a Operation,
    /// `None` on open resources, which count per client address.
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) client: IpAddr,
    pub(crate) now: Timestamp,
    /// Size of the body; `None` while it is not known.
    pub(crate) bytes: Option<u64>,
}

/// Limits by bytes that a body of unknown size is still to be counted against.
pub(crate) type Owed = Vec<(Key, Quota)>;

/// What a policy's conditions may look at; what is switched off is as if absent.
pub(crate) struct View<'a> {
    pub(crate) headers: Option<&'a HeaderMap>,
    pub(crate) query: Option<&'a str>,
    pub(crate) claims: Option<&'a serde_json::Map<String, serde_json::Value>>,
    pub(crate) client: IpAddr,
}

/// Counts the call at every level that applies to it.
///
/// # Errors
/// The first level that refuses; then it is counted at none.
pub(crate) fn admit(counted: &Counted<'_>, view: &View<'_>, snapshot: &Snapshot, counters: &Counters) -> Result<Owed, ThrottleRefusal> {
    let mut taken = Taken { counters, now: counted.now, bytes: counted.bytes, tickets: Vec::new(), owed: Vec::new() };
    let outcome = levels(counted, view, snapshot, &mut taken);
    match outcome {
        Ok(Passed::Counted) => Ok(taken.owed),
        // 4.0.0 stops counting altogether where a spent plan lets calls pass.
        Ok(Passed::Uncounted) => {
            taken.give_back();
            Ok(Owed::new())
        }
        Err(refusal) => {
            taken.give_back();
            Err(refusal)
        }
    }
}

enum Passed {
    Counted,
    Uncounted,
}

fn levels(counted: &Counted<'_>, view: &View<'_>, snapshot: &Snapshot, taken: &mut Taken<'_>) -> Result<Passed, ThrottleRefusal> {
    let api = counted.api;
    let user = counted.caller.map(|c| plain_user(&c.user)).unwrap_or_default();
    let api_policy = api.policy.as_deref().and_then(|key| snapshot.policy(key));
    if let Some(policy) = api_policy {
        let key = |group: Option<usize>| taken_key(taken.counters, ('a', api.id, policy.per_user.then_some(user), group));
        advanced(policy, Level::Api, key, view, taken)?;
    } else if api.policy.is_none()
        && let Some(policy) = counted.operation.policy.as_deref().and_then(|key| snapshot.policy(key))
    {
        let verb = counted.operation.verb as u8;
        let counters = taken.counters;
        let key = |group: Option<usize>| taken_key(counters, ('r', api.id, counted.template, verb, policy.per_user.then_some(user), group));
        advanced(policy, Level::Resource, key, view, taken)?;
    }
    let Some(caller) = counted.caller else {
        if let Some(policy) = snapshot.policy(&api.open_plan) {
            let key = taken.counters.key(('o', api.id, counted.client));
            if let Passed::Uncounted = plan(policy, key, taken.counters.key(('q', api.id, counted.client)), taken)? {
                return Ok(Passed::Uncounted);
            }
        }
        return backend(api, KeyType::Production, taken);
    };
    let application = caller.application.id;
    if let Some(policy) = policy_of(snapshot, api.tenant, &caller.plan) {
        let key = taken.counters.key(('s', application, api.id));
        if let Passed::Uncounted = plan(policy, key, taken.counters.key(('b', application, api.id)), taken)? {
            return Ok(Passed::Uncounted);
        }
    }
    if let Some(quota) = caller.application.policy.as_deref().and_then(|key| snapshot.policy(key)).and_then(|p| p.quota) {
        let key = taken.counters.key(('p', application, user));
        taken.take(key, quota).map_err(|until| ThrottleRefusal { level: Level::Application, until: Some(until) })?;
    }
    backend(api, caller.key_type, taken)
}

fn taken_key(counters: &Counters, parts: impl std::hash::Hash) -> Key {
    counters.key(parts)
}

fn policy_of<'s>(snapshot: &'s Snapshot, tenant: TenantId, plan: &str) -> Option<&'s PolicyEntry> {
    crate::snapshot::limiting(plan)?;
    with_policy_key(Family::Subscription, tenant, plan, |key| snapshot.policy(key).map(|p| &**p))
}

/// A call counts in every group it meets, and in the default only when it meets none.
fn advanced(
    policy: &PolicyEntry,
    level: Level,
    key: impl Fn(Option<usize>) -> Key,
    view: &View<'_>,
    taken: &mut Taken<'_>,
) -> Result<(), ThrottleRefusal> {
    let refuse = |until| ThrottleRefusal { level, until: Some(until) };
    let mut met = false;
    for (position, (group, quota)) in policy.groups.iter().enumerate() {
        if group.is_met(view) {
            met = true;
            if let Some(quota) = quota {
                taken.take(key(Some(position)), *quota).map_err(refuse)?;
            }
        }
    }
    match policy.quota {
        Some(quota) if !met => taken.take(key(None), quota).map_err(refuse),
        _ => Ok(()),
    }
}

/// A subscription policy's two limits.
fn plan(policy: &PolicyEntry, key: Key, burst_key: Key, taken: &mut Taken<'_>) -> Result<Passed, ThrottleRefusal> {
    if let Some(quota) = policy.quota
        && let Err(until) = taken.take(key, quota)
    {
        if policy.passes_when_spent {
            return Ok(Passed::Uncounted);
        }
        return Err(ThrottleRefusal { level: Level::Subscription, until: Some(until) });
    }
    if let Some(burst) = policy.burst {
        let admitted = taken.counters.admit_burst(burst_key, burst, taken.now);
        admitted.map_err(|_| ThrottleRefusal { level: Level::Burst, until: None })?;
    }
    Ok(Passed::Counted)
}

fn backend(api: &ApiEntry, key_type: KeyType, taken: &mut Taken<'_>) -> Result<Passed, ThrottleRefusal> {
    if let Some(calls) = api.max_tps(key_type) {
        let key = taken.counters.key(('h', api.id, key_type));
        taken
            .take(key, Limited { quota: Quota::per_second(calls), by_bytes: false })
            .map_err(|_| ThrottleRefusal { level: Level::Backend, until: None })?;
    }
    Ok(Passed::Counted)
}

/// What the call took so far.
struct Taken<'c> {
    counters: &'c Counters,
    now: Timestamp,
    bytes: Option<u64>,
    tickets: Vec<(Key, Ticket)>,
    owed: Owed,
}

impl Taken<'_> {
    /// Counts the call, or says when there is quota again.
    fn take(&mut self, key: Key, limit: Limited) -> Result<(), Timestamp> {
        let cost = Cost { bytes: self.bytes.unwrap_or(0) };
        let ticket = self.counters.admit(key, limit.quota, self.now, cost).map_err(|refused| refused.until)?;
        self.tickets.extend(ticket.map(|t| (key, t)));
        if limit.by_bytes && self.bytes.is_none() {
            self.owed.push((key, limit.quota));
        }
        Ok(())
    }

    fn give_back(self) {
        for (key, ticket) in self.tickets {
            self.counters.give_back(key, ticket);
        }
    }
}

/// The super tenant's users are written with and without its domain; they are the same.
fn plain_user(user: &str) -> &str {
    user.strip_suffix(SUPER_TENANT_DOMAIN).and_then(|u| u.strip_suffix('@')).unwrap_or(user)
}

impl Seen for View<'_> {
    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers?.get(name)?.to_str().ok().map(Cow::Borrowed)
    }

    fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let decode = |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = self.query?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(key, _)| decode(key) == name).map(|(_, value)| Cow::Owned(decode(value)))
    }

    fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(match self.claims?.get(name)? {
            serde_json::Value::String(text) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(other.to_string()),
        })
    }

    fn ip(&self) -> IpAddr {
        self.client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_see_decoded_queries() {
        let view = View { headers: None, query: Some("a=1&city=S%C3%A3o+Paulo"), claims: None, client: IpAddr::from([127, 0, 0, 1]) };
        assert_eq!(view.query("city").as_deref(), Some("São Paulo"));
        assert_eq!(view.query("b"), None);
    }

    #[test]
    fn the_super_tenants_users_have_one_name() {
        assert_eq!(plain_user("bob@carbon.super"), "bob");
        assert_eq!(plain_user("bob@acme.com"), "bob@acme.com");
        assert_eq!(plain_user("carbon.super"), "carbon.super");
    }
}
