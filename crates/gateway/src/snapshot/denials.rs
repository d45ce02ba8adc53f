//! What deny policies refuse, laid out so that a call is held against all of them at once. There are few of them and they change seldom, so
//! a change makes the whole anew.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use model::{Denial, DenyPolicy, KeyType, TenantId, without_super_domain};
use traffic::{IpFault, IpRange};

use super::{ApiEntry, user_key};
use crate::counters::Key;
use crate::steps::authorize::Caller;

/// Deny policies in force.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    apis: HashSet<Box<str>>,
    /// Names of applications by their owner.
    applications: HashMap<Box<str>, HashSet<Box<str>>>,
    users: Vec<Key>,
    /// What follows the context in the key of a subscription, by context.
    subscriptions: HashMap<Box<str>, Vec<Box<str>>>,
    addresses: HashMap<TenantId, Vec<Addresses>>,
}

/// Addresses that one policy refuses.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    range: IpRange,
    /// The ends of a range are not in it; a single address is.
    without_ends: bool,
    inverted: bool,
}

impl Addresses {
    fn refuse(&self, client: IpAddr) -> bool {
        let within = if self.without_ends { self.range.contains_inside(client) } else { self.range.contains(client) };
        within != self.inverted
    }
}

/// Whether a policy can be held against calls.
///
/// # Errors
/// An address that is none.
pub(super) fn check(policy: &DenyPolicy) -> Result<(), IpFault> {
    Denials::default().lay(policy)
}

impl Denials {
    /// Lays out those that are in force; `None` when none is, so that a call has nothing to ask.
    pub(super) fn of<'p>(policies: impl Iterator<Item = &'p DenyPolicy>) -> Option<Self> {
        let mut laid = None;
        for policy in policies.filter(|p| p.enabled) {
            // Only those that read get this far ([`check`]).
            let _read = laid.get_or_insert_with(Self::default).lay(policy);
        }
        laid
    }

    fn lay(&mut self, policy: &DenyPolicy) -> Result<(), IpFault> {
        match &policy.refused {
            Denial::Api(context) => drop(self.apis.insert(context.as_str().into())),
            Denial::Application { owner, name } => {
                self.applications.entry(without_super_domain(owner).into()).or_default().insert(name.as_str().into());
            }
            Denial::User(name) => self.users.push(user_key(name)),
            Denial::Ip { address, inverted } => {
                let refused = Addresses { range: IpRange::parse(address)?, without_ends: false, inverted: *inverted };
                self.addresses.entry(policy.tenant).or_default().push(refused);
            }
            Denial::IpRange { start, end, inverted } => {
                let refused = Addresses { range: IpRange::between(start, end)?, without_ends: true, inverted: *inverted };
                self.addresses.entry(policy.tenant).or_default().push(refused);
            }
            Denial::Subscription(key) => {
                if let Some((context, rest)) = key.split_once(':') {
                    self.subscriptions.entry(context.into()).or_default().push(rest.into());
                }
            }
        }
        Ok(())
    }

    /// Whether a call is refused: for the API it is for, the address it comes from, or on whose account it goes.
    pub(crate) fn refuse(&self, api: &ApiEntry, caller: Option<&Caller>, client: IpAddr) -> bool {
        self.apis.contains(&*api.context)
            || self.addresses.get(&api.tenant).is_some_and(|all| all.iter().any(|addresses| addresses.refuse(client)))
            || caller.is_some_and(|caller| self.refuse_caller(api, caller))
    }

    fn refuse_caller(&self, api: &ApiEntry, caller: &Caller) -> bool {
        let application = &caller.application;
        let owner = without_super_domain(&application.owner);
        self.users.contains(&caller.user_key)
            || self.applications.get(owner).is_some_and(|names| names.contains(&*application.name))
            || self
                .subscriptions
                .get(&*api.context)
                .is_some_and(|all| all.iter().any(|rest| names_subscription(rest, &api.version, owner, &application.name, caller.key_type)))
    }
}

/// Whether `rest` is `version:owner-application`, alone or with the kind of key behind it.
fn names_subscription(rest: &str, version: &str, owner: &str, application: &str, key_type: KeyType) -> bool {
    let after = |rest: &str| -> Option<bool> {
        let rest = rest.strip_prefix(version)?.strip_prefix(':')?.strip_prefix(owner)?;
        let rest = rest.strip_prefix("@carbon.super").unwrap_or(rest).strip_prefix('-')?.strip_prefix(application)?;
        Some(rest.is_empty() || rest.strip_prefix(':').is_some_and(|kind| kind == key_type.name()))
    };
    after(rest).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_named_with_or_without_its_kind_of_key() {
        let named = |rest: &str| names_subscription(rest, "1.0", "bob", "My-App", KeyType::Production);
        assert!(named("1.0:bob-My-App"));
        assert!(named("1.0:bob@carbon.super-My-App"));
        assert!(named("1.0:bob-My-App:PRODUCTION"));
        assert!(!named("1.0:bob-My-App:SANDBOX"));
        assert!(!named("1.0:bob-My"));
        assert!(!named("2.0:bob-My-App"));
    }

    #[test]
    fn what_is_switched_off_or_does_not_read_refuses_nobody() {
        let policy = |address: &str, enabled| DenyPolicy {
            id: model::PolicyId::derived(&["one"]),
            tenant: TenantId::SUPER,
            refused: Denial::Ip { address: address.to_owned(), inverted: false },
            enabled,
        };
        assert!(check(&policy("ten", true)).is_err());
        assert!(Denials::of([policy("10.0.0.1", false)].iter()).is_none());
        assert!(Denials::of([policy("10.0.0.1", true)].iter()).is_some());
    }
}
