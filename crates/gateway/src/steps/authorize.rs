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
    // Before the subscription, as old gateways did. Most operations name no kind, and ask nothing more.
    if operation.wants_application.is_some_and(|wanted| wanted != verified.is_application) && snapshot.tells_token_kinds(api) {
        return Err(AuthRefusal::WrongKind);
    }
    let consumer_key = verified.consumer_key.as_deref().ok_or(AuthRefusal::NotSubscribed)?;
    // An issuer of one tenant must not speak for another tenant's applications, and those of a tenant that is switched off do not call.
    let calls = |a: &&Arc<ApplicationEntry>| a.approved && a.tenant == verified.tenant && !snapshot.is_inactive(a.tenant);
    // Another tenant may have the same consumer key at a key manager of the same name, which must not take this one's away.
    let (key, application) = snapshot
        .keys(consumer_key)
        .iter()
        .filter(|key| key.usable && key.key_manager == verified.key_manager)
        .find_map(|key| snapshot.application(key.application).filter(calls).map(|application| (key, application)))
        .ok_or(AuthRefusal::NotSubscribed)?;
    let subscription = snapshot.subscription(application.id, api.id).ok_or(AuthRefusal::NotSubscribed)?;
    match subscription.state {
        SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending => {}
        SubscriptionState::ProdOnlyBlocked if key.key_type == KeyType::Sandbox => {}
        SubscriptionState::Blocked | SubscriptionState::ProdOnlyBlocked => return Err(AuthRefusal::SubscriptionBlocked),
        SubscriptionState::OnHold | SubscriptionState::Rejected => return Err(AuthRefusal::SubscriptionInactive),
    }
    if !key.allowed_domains.is_empty() && snapshot.restricts_domains(api) {
        let site_header = snapshot.domain_header(api.tenant).unwrap_or(site_header);
        let site = headers.get(site_header).and_then(|v| v.to_str().ok()).map(str::trim);
        if !site.is_some_and(|site| key.allowed_domains.iter().any(|allowed| **allowed == *site)) {
            return Err(AuthRefusal::Domain(Arc::clone(&key.allowed_domains)));
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

#[cfg(test)]
mod tests {
    use model::{
        Api, ApiId, Application, ApplicationId, ApplicationStatus, ApplicationTokenType, Endpoints, KeyMapping, KeyMappingId,
        KeyMappingMode, KeyState, LifecycleState, Subscription, SubscriptionId, TenantId, Timestamp,
    };

    use super::*;
    use crate::config::Precedence;
    use crate::snapshot::{Found, Verb};
    use crate::{Change, Deployed};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn application(name: &str, tenant: TenantId) -> Vec<Change> {
        let id = ApplicationId::derived(&[name]);
        let application = Application {
            id,
            number: 1,
            tenant,
            owner: "bob".to_owned(),
            name: name.to_owned(),
            policy: "Unlimited".to_owned(),
            description: None,
            token_type: ApplicationTokenType::Jwt,
            status: ApplicationStatus::Approved,
            groups: Vec::new(),
            attributes: Vec::new(),
            callback_url: None,
            created_at: NOW,
            updated_at: NOW,
        };
        let mapping = KeyMapping {
            id: KeyMappingId::derived(&[name]),
            application: id,
            key_type: KeyType::Production,
            key_manager: "Resident Key Manager".to_owned(),
            consumer_key: Some("client-1".to_owned()),
            state: KeyState::Completed,
            mode: KeyMappingMode::Mapped,
            allowed_domains: Vec::new(),
        };
        vec![Change::PutApplication(application), Change::PutKeyMapping(mapping)]
    }

    #[test]
    fn another_tenants_use_of_a_consumer_key_takes_nothing_away() {
        let (ours, theirs) = (TenantId::SUPER, TenantId(7));
        let mut api = Api::new(ApiId::derived(&["a"]), ours, "admin", "A", "1", "/a/{version}", NOW);
        api.state = LifecycleState::Published;
        api.endpoints = Endpoints::http(Some("http://backend"), None);
        api.operations = vec![model::Operation::new("GET", "/*")];
        let subscription = Subscription {
            id: SubscriptionId::derived(&["a"]),
            application: ApplicationId::derived(&["ours"]),
            api: api.id,
            plan: "Unlimited".to_owned(),
            requested_plan: None,
            state: SubscriptionState::Unblocked,
            created_at: NOW,
            updated_at: NOW,
        };
        let deployed = Deployed { api: Arc::new(api), revision: model::RevisionId::derived(&["r"]), environment: "Default".to_owned() };
        let mut changes = vec![Change::PutApi(Arc::new(deployed)), Change::PutSubscription(subscription)];
        changes.extend(application("theirs", theirs));
        changes.extend(application("ours", ours));
        let snapshot = Snapshot::empty().apply(&changes).unwrap();
        let (api, rest) = snapshot.api_for("/a/1/x").unwrap();
        let Found::Resource(resource) = api.resources.find(rest, Some(Verb::Get), Precedence::Specific) else { panic!("no resource") };
        let operation = resource.operation(Verb::Get).unwrap();
        let site = HeaderName::from_static("referer");
        let call = |tenant| {
            let verified = Verified::of_application("client-1", "Resident Key Manager", tenant);
            authorize(&snapshot, api, &resource.template, operation, &verified, &HeaderMap::new(), &site)
                .map(|c| c.application.name.to_string())
        };
        assert_eq!(call(ours), Ok("ours".to_owned()));
        // Their token speaks for their application, which is not subscribed.
        assert_eq!(call(theirs), Err(AuthRefusal::NotSubscribed));
    }
}
