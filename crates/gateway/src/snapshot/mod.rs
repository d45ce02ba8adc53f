//! Everything the gateway knows, as one immutable value.
//!
//! A call reads one snapshot from start to end, so it never sees half a change. A change makes a new snapshot that shares with the old
//! one whatever stayed the same: the maps are persistent, their values behind `Arc`. Cost follows the change, not the size of the whole.
//!
//! Policies are referred to by name and looked up when a call needs them, so that an edited policy reaches every API at once and
//! changes may come in any order.

mod api;
mod backend;
mod denials;
mod handlers;
mod programs;
mod resources;
mod rules;
mod ways;

use std::sync::Arc;

use imbl::shared_ptr::DefaultSharedPtr;
use model::{
    AdvancedPolicy, Api, ApiContinuity, ApiId, Application, ApplicationId, ApplicationPolicy, Continuity, CustomRule, DenyPolicy,
    KeyMapping, KeyMappingId, KeyState, KeyType, LifecycleState, PolicyId, RevisionId, Subscription, SubscriptionId, SubscriptionPolicy,
    SubscriptionState, Tenant, TenantId, Timestamp,
};
use token::{KeySet, SigningKey, VerifyingKey};
use traffic::{Group, Matcher, Quota};
use uuid::Uuid;

use crate::counters::Key;

pub use api::CompileFault;
pub(crate) use api::{ApiEntry, CorsRules};
pub use backend::AddressFault;
pub(crate) use backend::{Authority, Backends, Target};
pub(crate) use denials::Denials;
pub(crate) use handlers::{Handler, TenantHandlers};
pub use handlers::{HandlerForm, HandlerText, Handlers};
pub(crate) use programs::Programs;
pub use programs::Sequences;
pub(crate) use resources::{Found, Operation, Resource, Verb, Verbs};
pub(crate) use rules::RuleEntry;
pub use ways::Signer;
pub(crate) use ways::{AssertionRules, Ways};

/// One thing that became different.
#[derive(Debug, Clone)]
pub enum Change {
    /// An API is deployed, or deployed anew.
    PutApi(Arc<Deployed>),
    /// An API is no longer deployed.
    RemoveApi(ApiId),
    /// An application is new or changed.
    PutApplication(Application),
    /// An application is gone.
    RemoveApplication(ApplicationId),
    /// A key is new or changed.
    PutKeyMapping(KeyMapping),
    /// A key is gone.
    RemoveKeyMapping(KeyMappingId),
    /// A subscription is new or changed.
    PutSubscription(Subscription),
    /// A subscription is gone.
    RemoveSubscription(SubscriptionId),
    /// A subscription policy is new or changed.
    PutSubscriptionPolicy(SubscriptionPolicy),
    /// A subscription policy is gone.
    RemoveSubscriptionPolicy(PolicyId),
    /// An application policy is new or changed.
    PutApplicationPolicy(ApplicationPolicy),
    /// An application policy is gone.
    RemoveApplicationPolicy(PolicyId),
    /// An advanced policy is new or changed.
    PutAdvancedPolicy(AdvancedPolicy),
    /// An advanced policy is gone.
    RemoveAdvancedPolicy(PolicyId),
    /// A deny policy is new or changed.
    PutDenyPolicy(DenyPolicy),
    /// A deny policy is gone.
    RemoveDenyPolicy(PolicyId),
    /// A rule of a site's own is new or changed.
    PutCustomRule(CustomRule),
    /// A rule of a site's own is gone.
    RemoveCustomRule(PolicyId),
    /// A token issuer is new or its keys changed. Replaces what was known of this tenant's issuer of this name.
    PutIssuer(Issuer),
    /// An issuer is no longer believed.
    RemoveIssuer {
        /// Whose.
        tenant: TenantId,
        /// Claim `iss`.
        issuer: String,
    },
    /// A tenant is new or changed.
    PutTenant(Tenant),
    /// A tenant is gone; its APIs answer 404.
    RemoveTenant(TenantId),
    /// What a tenant keeps of an old installation's ways is new or changed.
    PutContinuity(Continuity),
    /// A tenant keeps nothing of them any more.
    RemoveContinuity(TenantId),
    /// Where an API differs from its tenant in them is new or changed.
    PutApiContinuity(ApiContinuity),
    /// An API follows its tenant.
    RemoveApiContinuity(ApiId),
    /// The mediation sequences of an API are new or changed.
    PutSequences(Sequences),
    /// An API has no sequences any more.
    RemoveSequences(ApiId),
    /// The error sequences of a tenant are new or changed.
    PutHandlers(Handlers),
    /// A tenant has no error sequences of its own any more.
    RemoveHandlers(TenantId),
    /// The key that signs for a tenant is new or another.
    PutSigner(Signer),
    /// A tenant has no key of its own any more.
    RemoveSigner(TenantId),
    /// A token is taken back.
    Revoke {
        /// The token's `jti` (for opaque tokens, [`crate::FoundToken::id`]).
        jti: String,
        /// When the token would have ended by itself; `None` keeps the entry for ever.
        until: Option<Timestamp>,
    },
    /// Revocations of tokens that ended before this moment may be forgotten.
    ForgetRevocations(Timestamp),
}

/// An API as a revision froze it, deployed to the environment this gateway serves.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The API. Its lifecycle state is the current one, not the revision's.
    pub api: Arc<Api>,
    /// Which revision.
    pub revision: RevisionId,
    /// Environment name.
    pub environment: String,
}

/// Who signs tokens, and how to read them.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Tenant whose applications the tokens are for.
    pub tenant: TenantId,
    /// Claim `iss`.
    pub issuer: String,
    /// Name that key mappings and APIs know it by; `Resident Key Manager` for our own.
    pub key_manager: String,
    /// Keys by key id.
    pub keys: Vec<(String, VerifyingKey)>,
    /// Claim that holds the consumer key; `None` means `consumerKey`, then `azp`.
    pub consumer_key_claim: Option<String>,
    /// Claim that holds the scopes; `None` means `scope`.
    pub scopes_claim: Option<String>,
    /// Its access tokens say on whose behalf they act (claim `aut`), as our own do; what it signs without that, an id token above all, is
    /// no access token.
    pub says_aut: bool,
}

/// See the module head. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Snapshot {
    apis: Map<ApiId, Arc<ApiEntry>>,
    contexts: Map<Arc<str>, Claims>,
    /// How many known contexts have so many segments, so that a look-up starts no deeper than any of them.
    depths: Vec<u32>,
    applications: Map<ApplicationId, Arc<ApplicationEntry>>,
    keys: Map<Arc<str>, Arc<[KeyEntry]>>,
    consumer_keys: Map<KeyMappingId, Arc<str>>,
    subscriptions: Map<(ApplicationId, ApiId), SubscriptionEntry>,
    subscribers: Map<SubscriptionId, (ApplicationId, ApiId)>,
    policies: Map<PolicyKey, (PolicyId, Arc<PolicyEntry>)>,
    policy_keys: Map<PolicyId, PolicyKey>,
    deny_policies: Map<PolicyId, Arc<DenyPolicy>>,
    /// The same as calls are held against them; `None` while none is in force.
    denials: Option<Arc<Denials>>,
    custom_rules: Map<PolicyId, Arc<RuleEntry>>,
    /// The same as calls are held against them; `None` while none is in force.
    rules: Option<Arc<[Arc<RuleEntry>]>>,
    issuers: Map<Arc<str>, Arc<[Arc<IssuerEntry>]>>,
    /// Counts changes of issuers: a token verified under another number is verified again.
    pub(crate) issuers_version: u64,
    inactive_tenants: Map<TenantId, ()>,
    domains: Map<TenantId, Arc<str>>,
    ways: Map<TenantId, Arc<Ways>>,
    /// How many of the ways tell backends who calls.
    asserting: usize,
    differing: Map<ApiId, ApiContinuity>,
    programs: Map<ApiId, Arc<Programs>>,
    handlers: Map<TenantId, Arc<TenantHandlers>>,
    signers: Map<TenantId, Arc<SigningKey>>,
    revoked: Map<Arc<str>, Option<Timestamp>>,
    /// Each text once, however many APIs hold it.
    texts: Map<Arc<str>, ()>,
}

type Map<K, V> = imbl::GenericHashMap<K, V, ahash::RandomState, DefaultSharedPtr>;

/// The APIs that claim one context, of which one answers: whose own context it is before whose default version's, then the one created
/// first, so that a newcomer takes nothing away and the order of changes does not matter.
#[derive(Clone)]
struct Claims {
    answers: Arc<ApiEntry>,
    /// Take over in this order when it goes.
    others: Vec<Arc<ApiEntry>>,
}

impl Claims {
    fn of(context: &str, mut all: Vec<Arc<ApiEntry>>) -> Option<Self> {
        all.sort_by_key(|api| (*api.context != *context, api.created_at, api.id));
        let mut all = all.into_iter();
        Some(Self { answers: all.next()?, others: all.collect() })
    }

    fn all_but(&self, id: ApiId) -> Vec<Arc<ApiEntry>> {
        std::iter::once(&self.answers).chain(&self.others).filter(|api| api.id != id).map(Arc::clone).collect()
    }
}

/// An application as far as calls need it.
#[derive(Debug)]
pub(crate) struct ApplicationEntry {
    pub(crate) id: ApplicationId,
    pub(crate) tenant: TenantId,
    pub(crate) name: Arc<str>,
    pub(crate) owner: Arc<str>,
    pub(crate) policy: Option<PolicyKey>,
    /// The policy's name, the number and the attributes, as backends are told them.
    pub(crate) tier: Arc<str>,
    pub(crate) number: i64,
    pub(crate) attributes: Box<[(Box<str>, Box<str>)]>,
    pub(crate) approved: bool,
    /// What its users are counted under, each for himself.
    pub(crate) counter: Key,
    /// The owner, as a user to be counted.
    pub(crate) owner_key: Key,
}

/// A consumer key.
#[derive(Debug, Clone)]
pub(crate) struct KeyEntry {
    id: KeyMappingId,
    pub(crate) application: ApplicationId,
    pub(crate) key_type: KeyType,
    pub(crate) key_manager: Arc<str>,
    pub(crate) usable: bool,
    /// Values of the site header the key may be used from; empty means any.
    pub(crate) allowed_domains: Arc<[Box<str>]>,
}

/// A subscription.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionEntry {
    id: SubscriptionId,
    pub(crate) state: SubscriptionState,
    /// The plan, unless it counts nothing. It belongs to the API's tenant.
    pub(crate) plan: Option<PolicyName>,
    /// Its name, as backends are told it.
    pub(crate) tier: Arc<str>,
    pub(crate) counter: Key,
}

/// A policy of any family. `None` for a quota counts nothing.
#[derive(Debug, Default)]
pub(crate) struct PolicyEntry {
    pub(crate) quota: Option<Limited>,
    /// Second limit (subscription policies).
    pub(crate) burst: Option<traffic::Burst>,
    /// A spent quota lets calls pass all the same (subscription policies).
    pub(crate) passes_when_spent: bool,
    /// Counted per user (advanced policies).
    pub(crate) per_user: bool,
    /// Conditional groups with their quotas (advanced policies).
    pub(crate) groups: Box<[(Group, Option<Limited>)]>,
}

/// A limit made ready for counting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limited {
    pub(crate) quota: Quota,
    /// It counts the bytes of request bodies, which may be known only when a body has passed.
    pub(crate) by_bytes: bool,
}

impl Limited {
    fn of(limit: &model::Limit) -> Option<Self> {
        Quota::of(limit).map(|quota| Self { quota, by_bytes: matches!(limit.quota, model::Quota::Bandwidth { .. }) })
    }
}

/// An issuer with its keys parsed.
#[derive(Debug)]
pub(crate) struct IssuerEntry {
    pub(crate) tenant: TenantId,
    pub(crate) key_manager: Arc<str>,
    pub(crate) keys: KeySet,
    pub(crate) consumer_key_claim: Option<String>,
    pub(crate) scopes_claim: Option<String>,
    pub(crate) says_aut: bool,
}

/// Family of a policy, for its key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Family {
    Subscription,
    Application,
    Advanced,
}

impl Family {
    fn word(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Application => "application",
            Self::Advanced => "advanced",
        }
    }
}

/// Digest of a policy's family and name. Policies are looked up on every call, and digests are compared at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PolicyName(u128);

/// Names one policy: also whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PolicyKey(u128);

impl PolicyName {
    /// `None` for the policy that counts nothing, and for no name.
    pub(crate) fn limiting(family: Family, name: &str) -> Option<Self> {
        let limits = !name.is_empty() && !name.eq_ignore_ascii_case(model::UNLIMITED);
        limits.then(|| Self::of(family, name))
    }

    pub(crate) fn of(family: Family, name: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}:{name}", family.word()).as_bytes()).as_u128())
    }

    /// The policy of this name that a tenant has.
    pub(crate) fn in_tenant(self, tenant: TenantId) -> PolicyKey {
        PolicyKey(self.0.wrapping_add(u128::from(tenant.0.cast_unsigned())))
    }
}

impl Snapshot {
    /// Knows nothing; every call answers 404.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Knows nothing either, but takes the place of this one: tokens verified under this one's issuers are verified again.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { issuers_version: self.issuers_version + 1, ..Self::default() }
    }

    /// This snapshot with `changes` made in order, or every fault found in them.
    ///
    /// # Errors
    /// The faults; the snapshot they were found in stays as it is. [`Snapshot::apply_sound`] goes on without the faulty APIs.
    pub fn apply(&self, changes: &[Change]) -> Result<Self, Vec<CompileFault>> {
        let (next, faults) = self.apply_sound(changes);
        if faults.is_empty() { Ok(next) } else { Err(faults) }
    }

    /// This snapshot with those of `changes` made that can be. An API that cannot be compiled stays as it was if
    /// its lifecycle state did too, and is taken out otherwise; the faults say why.
    #[must_use]
    pub fn apply_sound(&self, changes: &[Change]) -> (Self, Vec<CompileFault>) {
        let mut next = self.clone();
        let faults = changes.iter().filter_map(|change| next.make(change).err()).collect();
        // Once for all changes: a start brings every policy there is.
        if changes.iter().any(|change| matches!(change, Change::PutDenyPolicy(_) | Change::RemoveDenyPolicy(_))) {
            next.denials = Denials::of(next.deny_policies.values().map(|policy| &**policy)).map(Arc::new);
        }
        if changes.iter().any(|change| matches!(change, Change::PutCustomRule(_) | Change::RemoveCustomRule(_))) {
            next.rules = (!next.custom_rules.is_empty()).then(|| next.custom_rules.values().map(Arc::clone).collect());
        }
        (next, faults)
    }

    /// How many APIs are served.
    #[must_use]
    pub fn api_count(&self) -> usize {
        self.apis.len()
    }

    fn make(&mut self, change: &Change) -> Result<(), CompileFault> {
        match change {
            Change::PutApi(deployed) => {
                if !deployed.api.state.is_served() {
                    self.remove_api(deployed.api.id);
                    return Ok(());
                }
                match ApiEntry::compile(&deployed.api, &mut Texts(&mut self.texts)) {
                    Ok(entry) => {
                        self.remove_api(entry.id);
                        self.put_api(Arc::new(entry));
                    }
                    Err(fault) => {
                        // What was served before may go on only under the same lifecycle state: a published API must not stay as open as
                        // the prototype it was, nor a blocked one go on answering.
                        let state = deployed.api.state;
                        let same = |old: &ApiEntry| {
                            old.blocked == (state == LifecycleState::Blocked) && old.prototype == (state == LifecycleState::Prototyped)
                        };
                        if !self.apis.get(&deployed.api.id).is_some_and(|old| same(old)) {
                            self.remove_api(deployed.api.id);
                        }
                        return Err(fault);
                    }
                }
            }
            Change::RemoveApi(id) => self.remove_api(*id),
            Change::PutApplication(application) => {
                let mut texts = Texts(&mut self.texts);
                let policy = PolicyName::limiting(Family::Application, &application.policy);
                let entry = ApplicationEntry {
                    id: application.id,
                    tenant: application.tenant,
                    name: application.name.as_str().into(),
                    owner: texts.one(&application.owner),
                    policy: policy.map(|name| name.in_tenant(application.tenant)),
                    tier: texts.one(&application.policy),
                    number: application.number,
                    attributes: application.attributes.iter().map(|(n, v)| (n.as_str().into(), v.as_str().into())).collect(),
                    approved: application.status == model::ApplicationStatus::Approved,
                    counter: Key::of(&["application", &application.id.to_string()]),
                    owner_key: user_key(&application.owner),
                };
                self.applications.insert(application.id, Arc::new(entry));
            }
            Change::RemoveApplication(id) => drop(self.applications.remove(id)),
            Change::PutKeyMapping(mapping) => self.put_key(mapping),
            Change::RemoveKeyMapping(id) => self.remove_key(*id),
            Change::PutSubscription(subscription) => {
                self.remove_subscription(subscription.id);
                let pair = (subscription.application, subscription.api);
                let entry = SubscriptionEntry {
                    id: subscription.id,
                    state: subscription.state,
                    plan: PolicyName::limiting(Family::Subscription, &subscription.plan),
                    tier: Texts(&mut self.texts).one(&subscription.plan),
                    counter: Key::of(&["subscription", &pair.0.to_string(), &pair.1.to_string()]),
                };
                if let Some(replaced) = self.subscriptions.insert(pair, entry) {
                    self.subscribers.remove(&replaced.id);
                }
                self.subscribers.insert(subscription.id, pair);
            }
            Change::RemoveSubscription(id) => self.remove_subscription(*id),
            Change::PutSubscriptionPolicy(policy) => {
                let entry = PolicyEntry {
                    quota: Limited::of(&policy.limit),
                    burst: policy.burst.as_ref().and_then(traffic::Burst::of),
                    passes_when_spent: !policy.stop_on_quota,
                    ..PolicyEntry::default()
                };
                self.put_policy(policy.id, PolicyName::of(Family::Subscription, &policy.name).in_tenant(policy.tenant), entry);
            }
            Change::PutApplicationPolicy(policy) => {
                let entry = PolicyEntry { quota: Limited::of(&policy.limit), ..PolicyEntry::default() };
                self.put_policy(policy.id, PolicyName::of(Family::Application, &policy.name).in_tenant(policy.tenant), entry);
            }
            Change::PutAdvancedPolicy(policy) => {
                let groups = policy
                    .groups
                    .iter()
                    .map(|group| Ok((Group::of(group, &compile_expression)?, Limited::of(&group.limit))))
                    .collect::<Result<Box<[_]>, _>>()
                    .map_err(|fault| CompileFault::Policy { policy: policy.id, name: policy.name.clone(), fault })?;
                let entry = PolicyEntry { quota: Limited::of(&policy.limit), per_user: policy.per_user, groups, ..PolicyEntry::default() };
                self.put_policy(policy.id, PolicyName::of(Family::Advanced, &policy.name).in_tenant(policy.tenant), entry);
            }
            Change::RemoveSubscriptionPolicy(id) | Change::RemoveApplicationPolicy(id) | Change::RemoveAdvancedPolicy(id) => {
                if let Some(key) = self.policy_keys.remove(id) {
                    self.forget_policy(*id, key);
                }
            }
            Change::PutDenyPolicy(policy) => {
                denials::check(policy).map_err(|fault| CompileFault::Denial { policy: policy.id, fault })?;
                self.deny_policies.insert(policy.id, Arc::new(policy.clone()));
            }
            Change::RemoveDenyPolicy(id) => drop(self.deny_policies.remove(id)),
            Change::PutCustomRule(rule) => {
                // A rule that does not read must not go on as it was before: it would limit what nobody can see any more.
                self.custom_rules.remove(&rule.id);
                if let Some(entry) = RuleEntry::compile(rule)? {
                    self.custom_rules.insert(rule.id, entry);
                }
            }
            Change::RemoveCustomRule(id) => drop(self.custom_rules.remove(id)),
            Change::PutIssuer(issuer) => self.put_issuer(issuer),
            Change::RemoveIssuer { tenant, issuer } => {
                self.issuers_version += 1;
                self.remove_issuer(*tenant, issuer);
            }
            Change::PutTenant(tenant) => {
                self.domains.insert(tenant.id, tenant.domain.as_str().into());
                match tenant.active {
                    true => drop(self.inactive_tenants.remove(&tenant.id)),
                    false => drop(self.inactive_tenants.insert(tenant.id, ())),
                }
            }
            Change::RemoveTenant(id) => {
                self.domains.remove(id);
                self.inactive_tenants.insert(*id, ());
            }
            Change::PutContinuity(continuity) => {
                let (ways, fault) = Ways::compile(continuity);
                self.put_ways(continuity.tenant, ways);
                if let Some(fault) = fault {
                    return Err(fault);
                }
            }
            Change::RemoveContinuity(tenant) => self.remove_ways(*tenant),
            Change::PutApiContinuity(own) => self.put_differing(own),
            Change::RemoveApiContinuity(api) => drop(self.differing.remove(api)),
            Change::PutSequences(sequences) => {
                let (programs, fault) = Programs::compile(sequences);
                match programs.is_empty() {
                    true => drop(self.programs.remove(&sequences.api)),
                    false => drop(self.programs.insert(sequences.api, Arc::new(programs))),
                }
                if let Some(fault) = fault {
                    return Err(fault);
                }
            }
            Change::RemoveSequences(api) => drop(self.programs.remove(api)),
            Change::PutHandlers(handlers) => self.put_handlers(handlers)?,
            Change::RemoveHandlers(tenant) => drop(self.handlers.remove(tenant)),
            Change::PutSigner(signer) => drop(self.signers.insert(signer.tenant, Arc::clone(&signer.key))),
            Change::RemoveSigner(tenant) => drop(self.signers.remove(tenant)),
            Change::Revoke { jti, until } => drop(self.revoked.insert(jti.as_str().into(), *until)),
            Change::ForgetRevocations(before) => self.revoked.retain(|_, until| until.is_none_or(|until| until >= *before)),
        }
        Ok(())
    }

    fn put_api(&mut self, entry: Arc<ApiEntry>) {
        for context in entry.contexts() {
            let mut all = self.contexts.get(context).map(|claims| claims.all_but(entry.id)).unwrap_or_default();
            all.push(Arc::clone(&entry));
            self.set_claims(context, all);
            if let Some(Claims { answers, others }) = self.contexts.get(context)
                && let [first, ..] = others.as_slice()
            {
                tracing::warn!(%context, answers = %answers.id, name = %answers.name, version = %answers.version,
                    waits = %first.id, waiting_name = %first.name, waiting_version = %first.version,
                    "several APIs claim one context; one answers, the others do not");
            }
        }
        self.apis.insert(entry.id, entry);
    }

    fn remove_api(&mut self, id: ApiId) {
        let Some(entry) = self.apis.remove(&id) else { return };
        for context in entry.contexts() {
            let others = self.contexts.get(context).map(|claims| claims.all_but(id)).unwrap_or_default();
            self.set_claims(context, others);
        }
    }

    fn set_claims(&mut self, context: &Arc<str>, all: Vec<Arc<ApiEntry>>) {
        let known = self.contexts.contains_key(context);
        let claims = Claims::of(context, all);
        let depth = depth(context);
        if self.depths.len() <= depth {
            self.depths.resize(depth + 1, 0);
        }
        if let Some(count) = self.depths.get_mut(depth) {
            match (known, claims.is_some()) {
                (false, true) => *count += 1,
                (true, false) => *count = count.saturating_sub(1),
                _ => {}
            }
        }
        match claims {
            Some(claims) => drop(self.contexts.insert(Arc::clone(context), claims)),
            None => drop(self.contexts.remove(context)),
        }
    }

    fn put_key(&mut self, mapping: &KeyMapping) {
        self.remove_key(mapping.id);
        let Some(consumer_key) = &mapping.consumer_key else { return };
        let entry = KeyEntry {
            id: mapping.id,
            application: mapping.application,
            key_type: mapping.key_type,
            key_manager: Texts(&mut self.texts).one(&mapping.key_manager),
            usable: mapping.state == KeyState::Completed,
            allowed_domains: mapping.allowed_domains.iter().map(|d| d.as_str().into()).collect(),
        };
        let key: Arc<str> = consumer_key.as_str().into();
        let others = self.keys.get(&key).map(|known| known.to_vec()).unwrap_or_default();
        self.keys.insert(Arc::clone(&key), others.into_iter().chain([entry]).collect());
        self.consumer_keys.insert(mapping.id, key);
    }

    fn remove_key(&mut self, id: KeyMappingId) {
        let Some(key) = self.consumer_keys.remove(&id) else { return };
        let others: Arc<[KeyEntry]> =
            self.keys.get(&key).map(|known| known.iter().filter(|k| k.id != id).cloned().collect()).unwrap_or_default();
        if others.is_empty() {
            self.keys.remove(&key);
        } else {
            self.keys.insert(key, others);
        }
    }

    fn remove_subscription(&mut self, id: SubscriptionId) {
        if let Some(pair) = self.subscribers.remove(&id)
            && self.subscriptions.get(&pair).is_some_and(|s| s.id == id)
        {
            self.subscriptions.remove(&pair);
        }
    }

    fn put_policy(&mut self, id: PolicyId, key: PolicyKey, entry: PolicyEntry) {
        if let Some(old) = self.policy_keys.insert(id, key)
            && old != key
        {
            self.forget_policy(id, old);
        }
        self.policies.insert(key, (id, Arc::new(entry)));
    }

    /// Another policy may have got the name meanwhile, and stays.
    fn forget_policy(&mut self, id: PolicyId, key: PolicyKey) {
        if self.policies.get(&key).is_some_and(|(known, _)| *known == id) {
            self.policies.remove(&key);
        }
    }

    fn put_issuer(&mut self, issuer: &Issuer) {
        self.issuers_version += 1;
        self.remove_issuer(issuer.tenant, &issuer.issuer);
        let mut texts = Texts(&mut self.texts);
        let entry = Arc::new(IssuerEntry {
            tenant: issuer.tenant,
            key_manager: texts.one(&issuer.key_manager),
            keys: KeySet::new(issuer.keys.iter().cloned()),
            consumer_key_claim: issuer.consumer_key_claim.clone(),
            scopes_claim: issuer.scopes_claim.clone(),
            says_aut: issuer.says_aut,
        });
        let name = texts.one(&issuer.issuer);
        let others = self.issuers.get(&name).map(|known| known.to_vec()).unwrap_or_default();
        self.issuers.insert(name, others.into_iter().chain([entry]).collect());
    }

    fn remove_issuer(&mut self, tenant: TenantId, issuer: &str) {
        let Some(known) = self.issuers.get(issuer) else { return };
        let others: Arc<[_]> = known.iter().filter(|i| i.tenant != tenant).cloned().collect();
        let name: Arc<str> = issuer.into();
        if others.is_empty() {
            self.issuers.remove(&name);
        } else {
            self.issuers.insert(name, others);
        }
    }

    /// The API whose context heads `path` (normalised), the longest one, with the rest of the path: empty or starting with `/`.
    pub(crate) fn api_for<'p>(&self, path: &'p str) -> Option<(&Arc<ApiEntry>, &'p str)> {
        let deepest = self.depths.len().saturating_sub(1);
        // Ends of the first segments, as many as any context has.
        let mut ends = [0usize; MAX_DEPTH];
        let mut count = 0;
        let slashes = path.bytes().enumerate().skip(1).filter(|(_, b)| *b == b'/').map(|(at, _)| at);
        for end in slashes.chain([path.len()]).take(deepest) {
            let Some(slot) = ends.get_mut(count) else { break };
            *slot = end;
            count += 1;
        }
        let known = |(index, end): (usize, &usize)| {
            if self.depths.get(index + 1).copied().unwrap_or(0) == 0 {
                return None;
            }
            let (head, rest) = path.split_at_checked(*end)?;
            Some((&self.contexts.get(head)?.answers, rest))
        };
        ends.get(..count)?
            .iter()
            .enumerate()
            .rev()
            .find_map(known)
            .filter(|(api, _)| self.inactive_tenants.is_empty() || !self.inactive_tenants.contains_key(&api.tenant))
    }

    pub(crate) fn application(&self, id: ApplicationId) -> Option<&Arc<ApplicationEntry>> {
        self.applications.get(&id)
    }

    /// Whether a tenant is switched off.
    pub(crate) fn is_inactive(&self, tenant: TenantId) -> bool {
        !self.inactive_tenants.is_empty() && self.inactive_tenants.contains_key(&tenant)
    }

    /// What key mappings say of a client; one for each application and key manager that uses it.
    pub(crate) fn keys(&self, consumer_key: &str) -> &[KeyEntry] {
        self.keys.get(consumer_key).map_or(&[], |known| known)
    }

    pub(crate) fn subscription(&self, application: ApplicationId, api: ApiId) -> Option<&SubscriptionEntry> {
        self.subscriptions.get(&(application, api))
    }

    pub(crate) fn policy(&self, key: PolicyKey) -> Option<&PolicyEntry> {
        self.policies.get(&key).map(|(_, policy)| &**policy)
    }

    /// What is refused outright, if anything is.
    pub(crate) fn denials(&self) -> Option<&Denials> {
        self.denials.as_deref()
    }

    /// Rules of a site's own, if any is in force.
    pub(crate) fn rules(&self) -> Option<&[Arc<RuleEntry>]> {
        self.rules.as_deref()
    }

    /// Issuers that sign with this `iss`.
    pub(crate) fn issuers(&self, issuer: &str) -> &[Arc<IssuerEntry>] {
        self.issuers.get(issuer).map_or(&[], |known| known)
    }

    pub(crate) fn is_revoked(&self, id: &str) -> bool {
        !self.revoked.is_empty() && self.revoked.contains_key(id)
    }
}

/// Keeps each text once.
pub(crate) struct Texts<'a>(&'a mut Map<Arc<str>, ()>);

impl Texts<'_> {
    pub(crate) fn one(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.0.get_key_value(text) {
            return Arc::clone(known);
        }
        let fresh: Arc<str> = text.into();
        self.0.insert(Arc::clone(&fresh), ());
        fresh
    }
}

/// Most segments a context may have.
pub(crate) const MAX_DEPTH: usize = 16;

/// Most bytes a condition's compiled expression may take.
const EXPRESSION_MAX_BYTES: usize = 1 << 20;

fn compile_expression(expression: &str) -> Result<Arc<dyn Matcher>, String> {
    let compiled = regex::RegexBuilder::new(expression).size_limit(EXPRESSION_MAX_BYTES).build().map_err(|e| e.to_string())?;
    Ok(Arc::new(move |text: &str| compiled.is_match(text)))
}

/// A user, as counted. The super tenant's users are written with and without its domain; they are the same.
pub(crate) fn user_key(user: &str) -> Key {
    Key::of(&["user", user.strip_suffix(model::SUPER_TENANT_DOMAIN).and_then(|u| u.strip_suffix('@')).unwrap_or(user)])
}

fn depth(context: &str) -> usize {
    context.bytes().filter(|b| *b == b'/').count()
}

#[cfg(test)]
mod tests;
