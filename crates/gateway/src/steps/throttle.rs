//! Whether there is quota left, at every level, in 4.0.0's order: deny policies, API or resource, subscription, burst, application, rules of a
//! site's own, backend.
//!
//! A refused call counts nowhere: what it took at one level is given back when a later one refuses. Unlike 4.0.0, which counts
//! elsewhere and learns of spent quotas late, the count here is exact on one node.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;
use model::{KeyType, Timestamp};
use traffic::{Cost, Quota, Refused, Seen};

use crate::counters::{Admitted, Counters, Key, Name};
use crate::respond::{Level, ThrottleRefusal};
use crate::snapshot::{ApiEntry, Limited, Operation, PolicyEntry, Snapshot};
use crate::steps::authorize::Caller;
use crate::steps::ruled::RuledCall;

/// What is counted.
pub(crate) struct Counted<'a> {
    pub(crate) api: &'a ApiEntry,
    pub(crate) operation: &'a Operation,
    /// The resource's template.
    pub(crate) template: &'a str,
    /// `None` on open resources, which count per client address.
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) client: IpAddr,
    pub(crate) now: Timestamp,
    /// Size of the body; `None` while it is not known.
    pub(crate) bytes: Option<u64>,
}

/// Limits by bytes that a body of unknown size is still to be counted against.
pub(crate) type Owed = Vec<(Name, Quota)>;

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
    let mut taken = Taken::new(counters, counted);
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
    if snapshot.denials().is_some_and(|denials| denials.refuse(api, counted.caller, counted.client)) {
        return Err(ThrottleRefusal { level: Level::Denied, until: None });
    }
    // Whoever comes without credentials is no user; they are counted together where users are counted one by one.
    let user = counted.caller.map(|caller| caller.user_key);
    let (own, level) = match api.policy {
        Some(policy) => (Some((policy, api.counter())), Level::Api),
        None => (counted.operation.policy, Level::Resource),
    };
    if let Some((policy, counter)) = own
        && let Some(policy) = snapshot.policy(policy)
    {
        advanced(policy, level, counter, user, view, taken)?;
    }
    let Some(caller) = counted.caller else {
        if let Some(policy) = snapshot.policy(api.open_plan)
            && let Passed::Uncounted = plan(policy, api.open_counter().of_client(counted.client), taken)?
        {
            return Ok(Passed::Uncounted);
        }
        rules(counted, view, snapshot, taken)?;
        return backend(api, KeyType::Production, taken);
    };
    if let Some(policy) = caller.plan.and_then(|name| snapshot.policy(name.in_tenant(api.tenant)))
        && let Passed::Uncounted = plan(policy, caller.counter.alone(), taken)?
    {
        return Ok(Passed::Uncounted);
    }
    let application = &caller.application;
    if let Some(quota) = application.policy.and_then(|key| snapshot.policy(key)).and_then(|policy| policy.quota) {
        // The owner is known as the application is, and is counted alike with every token.
        let name = match caller.user_key == application.owner_key {
            true => application.counter.with(caller.user_key).alone(),
            false => application.counter.of_user(caller.user_key),
        };
        taken.take(name, quota).map_err(|until| ThrottleRefusal { level: Level::Application, until: Some(until) })?;
    }
    rules(counted, view, snapshot, taken)?;
    backend(api, caller.key_type, taken)
}

/// What rules of a site's own say. A call is refused by the key of a rule's template and counted by the key of its query, which are the same
/// unless somebody wrote them differently.
fn rules(counted: &Counted<'_>, view: &View<'_>, snapshot: &Snapshot, taken: &mut Taken<'_>) -> Result<(), ThrottleRefusal> {
    let Some(rules) = snapshot.rules() else { return Ok(()) };
    let refuse = |until| ThrottleRefusal { level: Level::Custom, until: Some(until) };
    let call = RuledCall::new(counted, view, snapshot);
    let open = counted.caller.is_none();
    for entry in rules {
        let asked = entry.rule.asked_key(&call);
        for (limit, counter, limited) in entry.limits() {
            let name = entry.named(counter, &asked, open);
            match limit.counted_key(&call) {
                Some(key) if key == asked => taken.take(name, limited).map_err(refuse)?,
                key => {
                    taken.counters.check(name, limited.quota, taken.now).map_err(|refused| refuse(refused.until))?;
                    if let Some(key) = key {
                        // Spent already, it refuses those whom the template gives this key, and this call it lets pass.
                        let _full = taken.take(entry.named(counter, &key, open), limited);
                    }
                }
            }
        }
    }
    Ok(())
}

/// A call counts in every group it meets, and in the default only when it meets none.
fn advanced(
    policy: &PolicyEntry,
    level: Level,
    counter: Key,
    user: Option<Key>,
    view: &View<'_>,
    taken: &mut Taken<'_>,
) -> Result<(), ThrottleRefusal> {
    let refuse = |until| ThrottleRefusal { level, until: Some(until) };
    let name = |counter: Key| match user {
        Some(user) if policy.per_user => counter.of_user(user),
        _ => counter.alone(),
    };
    let mut met = false;
    for (position, (group, quota)) in policy.groups.iter().enumerate() {
        if group.is_met(view) {
            met = true;
            if let Some(quota) = quota {
                taken.take(name(counter.group(position)), *quota).map_err(refuse)?;
            }
        }
    }
    match policy.quota {
        Some(quota) if !met => taken.take(name(counter), quota).map_err(refuse),
        _ => Ok(()),
    }
}

/// A subscription policy's two limits.
fn plan(policy: &PolicyEntry, name: Name, taken: &mut Taken<'_>) -> Result<Passed, ThrottleRefusal> {
    if let Some(quota) = policy.quota
        && let Err(until) = taken.take(name, quota)
    {
        if policy.passes_when_spent {
            return Ok(Passed::Uncounted);
        }
        return Err(ThrottleRefusal { level: Level::Subscription, until: Some(until) });
    }
    if let Some(burst) = policy.burst {
        taken.take_burst(name, burst).map_err(|_| ThrottleRefusal { level: Level::Burst, until: None })?;
    }
    Ok(Passed::Counted)
}

fn backend(api: &ApiEntry, key_type: KeyType, taken: &mut Taken<'_>) -> Result<Passed, ThrottleRefusal> {
    if let Some(calls) = api.max_tps(key_type) {
        taken
            .take(api.backend_counter(key_type).alone(), Limited { quota: Quota::per_second(calls), by_bytes: false })
            .map_err(|_| ThrottleRefusal { level: Level::Backend, until: None })?;
    }
    Ok(Passed::Counted)
}

/// What the call took so far.
struct Taken<'c> {
    counters: &'c Counters,
    now: Timestamp,
    bytes: Option<u64>,
    /// One for each level; only conditional groups can make more.
    few: [Option<Admitted>; 5],
    more: Vec<Admitted>,
    owed: Owed,
}

impl<'c> Taken<'c> {
    fn new(counters: &'c Counters, counted: &Counted<'_>) -> Self {
        Self { counters, now: counted.now, bytes: counted.bytes, few: [None; 5], more: Vec::new(), owed: Owed::new() }
    }

    /// Counts the call, or says when there is quota again.
    fn take(&mut self, name: Name, limit: Limited) -> Result<(), Timestamp> {
        let cost = Cost { bytes: self.bytes.unwrap_or(0) };
        let admitted = self.counters.admit(name, limit.quota, self.now, cost).map_err(|refused| refused.until)?;
        self.keep(admitted);
        if limit.by_bytes && self.bytes.is_none() {
            self.owed.push((name, limit.quota));
        }
        Ok(())
    }

    fn take_burst(&mut self, name: Name, burst: traffic::Burst) -> Result<(), Refused> {
        let admitted = self.counters.admit_burst(name, burst, self.now)?;
        self.keep(admitted);
        Ok(())
    }

    fn keep(&mut self, admitted: Admitted) {
        match self.few.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(admitted),
            None => self.more.push(admitted),
        }
    }

    fn give_back(self) {
        for admitted in self.few.into_iter().flatten().chain(self.more) {
            self.counters.give_back(admitted);
        }
    }
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
    use std::sync::Arc;

    use model::{Api, ApiId, AuthType, Endpoints, LifecycleState, TenantId, TimeUnit};

    use super::*;
    use crate::config::Precedence;
    use crate::snapshot::{Found, Verb};
    use crate::{Change, Config, Deployed};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    /// An open API whose backend takes one call a second, under a plan with a burst limit of three calls a minute.
    fn snapshot() -> Snapshot {
        let mut api = Api::new(ApiId::derived(&["a"]), TenantId::SUPER, "admin", "A", "1", "/a/{version}", NOW);
        api.state = LifecycleState::Published;
        api.endpoints = Endpoints::http(Some("http://backend"), None);
        api.operations = vec![model::Operation { auth: AuthType::None, ..model::Operation::new("GET", "/*") }];
        api.max_tps.production = Some(1);
        let plans = model::default_subscription_policies(TenantId::SUPER).into_iter();
        let mut plan = plans.into_iter().find(|plan| plan.name == "Unauthenticated").expect("shipped");
        plan.burst = Some(model::Burst { count: 3, unit: TimeUnit::Minute });
        let deployed = Deployed { api: Arc::new(api), revision: model::RevisionId::derived(&["r"]), environment: "Default".to_owned() };
        Snapshot::empty().apply(&[Change::PutApi(Arc::new(deployed)), Change::PutSubscriptionPolicy(plan)]).unwrap()
    }

    #[test]
    fn a_call_refused_by_a_later_level_takes_nothing_of_the_burst() {
        let snapshot = snapshot();
        let counters = Counters::new(&Config::default());
        let call = |after_ms: i64| {
            let (api, rest) = snapshot.api_for("/a/1/x").unwrap();
            let Found::Resource(resource) = api.resources.find(rest, Some(Verb::Get), Precedence::Specific) else { panic!("no resource") };
            let client = IpAddr::from([192, 0, 2, 1]);
            let now = Timestamp(NOW.0 + after_ms);
            let operation = resource.operation(Verb::Get).unwrap();
            let counted = Counted { api, operation, template: &resource.template, caller: None, client, now, bytes: Some(0) };
            let view = View { headers: None, query: None, claims: None, client };
            admit(&counted, &view, &snapshot, &counters).map(drop).map_err(|refusal| refusal.level)
        };
        assert_eq!([call(0), call(1), call(2)], [Ok(()), Err(Level::Backend), Err(Level::Backend)]);
        assert_eq!([call(1_000), call(2_000), call(3_000)], [Ok(()), Ok(()), Err(Level::Burst)]);
    }

    #[test]
    fn conditions_see_decoded_queries() {
        let view = View { headers: None, query: Some("a=1&city=S%C3%A3o+Paulo"), claims: None, client: IpAddr::from([127, 0, 0, 1]) };
        assert_eq!(view.query("city").as_deref(), Some("São Paulo"));
        assert_eq!(view.query("b"), None);
    }
}
