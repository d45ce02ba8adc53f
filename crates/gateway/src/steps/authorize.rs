//! Whether the caller may call this: key, application, subscription, site and scopes.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use model::{KeyType, SubscriptionState};

use crate::counters::Key;
use crate::respond::AuthRefusal;
use crate::snapshot::{ApiEntry, ApplicationEntry, Operation, PolicyName, Snapshot};
use crate::steps::authenticate::Verified;

/// On whose account a call goes.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) application: Arc<ApplicationEntry>,
    pub(crate) key_type: KeyType,
    /// The subscription's plan, unless it counts nothing.
    pub(crate) plan: Option<PolicyName>,
    /// Counts the subscription's calls.
    pub(crate) counter: Key,
    pub(crate) user: Arc<str>,
    /// The user, as counted.
    pub(crate) user_key: Key,
}

/// Finds the subscription behind a believed token and asks whether it covers the call.
///
/// # Errors
/// [`AuthRefusal`], by the codes of 4.0.0.
pub(crate) fn authorize(
    snapshot: &Snapshot,
    api: &ApiEntry,
    template: &str,
    operation: &Operation,
    verified: &Verified,
    headers: &HeaderMap,
    site_header: &HeaderName,
) -> Result<Caller, AuthRefusal> {
    let consumer_key = verified.consumer_key.as_deref().ok_or(AuthRefusal::NotSubscribed)?;
    let key = snapshot.key(consumer_key, &verified.key_manager).filter(|k| k.usable).ok_or(AuthRefusal::NotSubscribed)?;
    // An issuer of one tenant must not speak for another tenant's applications, and those of a tenant that is switched off do not call.
    let application = snapshot
        .application(key.application)
        .filter(|a| a.approved && a.tenant == verified.tenant && !snapshot.is_inactive(a.tenant))
        .ok_or(AuthRefusal::NotSubscribed)?;
    let subscription = snapshot.subscription(application.id, api.id).ok_or(AuthRefusal::NotSubscribed)?;
    match subscription.state {
        SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending => {}
        SubscriptionState::ProdOnlyBlocked if key.key_type == KeyType::Sandbox => {}
        SubscriptionState::Blocked | SubscriptionState::ProdOnlyBlocked => return Err(AuthRefusal::SubscriptionBlocked),
        SubscriptionState::OnHold | SubscriptionState::Rejected => return Err(AuthRefusal::SubscriptionInactive),
    }
    if !key.allowed_domains.is_empty() {
        let site = headers.get(site_header).and_then(|v| v.to_str().ok()).map(str::trim);
        if !site.is_some_and(|site| key.allowed_domains.iter().any(|allowed| **allowed == *site)) {
            return Err(AuthRefusal::Domain);
        }
    }
    let has_scope = operation.scopes.is_empty() || operation.scopes.iter().any(|s| verified.scopes.iter().any(|t| **t == **s));
    if !has_scope {
        return Err(AuthRefusal::Scope(template.to_owned()));
    }
    let (user, user_key) = match verified.is_application {
        true => (&application.owner, application.owner_key),
        false => (&verified.user, verified.user_key),
    };
    Ok(Caller {
        application: Arc::clone(application),
        key_type: key.key_type,
        plan: subscription.plan,
        counter: subscription.counter,
        user: Arc::clone(user),
        user_key,
    })
}
