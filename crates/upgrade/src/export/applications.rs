//! An archive for each application, with its subscriptions and keys.

use std::collections::HashMap;

use archive::{ApplicationInfo, ApplicationKey, ApplicationProject, Subscribed, SubscribedApi, Subscriber};
use model::{Api, ApiId, Application, ApplicationId, ApplicationStatus, KeyMapping, LifecycleState, OAuthClient, SubscriptionState};

use super::{Desk, ExportError, apis::named};
use crate::translate::Records as _;

/// What 4.0.0 writes where a key leaves its tokens' life to the server.
const VALIDITY_SECS: i64 = 3600;

/// Writes the archives.
pub(super) fn write(desk: &mut Desk<'_>) -> Result<(), ExportError> {
    let translation = desk.translation;
    let apis: HashMap<ApiId, &Api> = translation.apis.iter().map(|carried| (carried.value.api.id, &carried.value.api)).collect();
    // These lists are packed, so only where each record stands is kept.
    let clients: HashMap<String, usize> = translation.clients.iter().enumerate().map(|(at, client)| (client.value.id, at)).collect();
    let mut keys: Vec<(ApplicationId, usize)> =
        translation.key_mappings.iter().enumerate().map(|(at, key)| (key.value.application, at)).collect();
    keys.sort_unstable();
    // As there may be millions of these.
    let subscriptions = &translation.subscriptions;
    let mut places: Vec<(ApplicationId, usize)> = Vec::with_capacity(subscriptions.count());
    for at in 0..subscriptions.count() {
        places.extend(subscriptions.record(at).map(|record| (record.value.application, at)));
    }
    places.sort_unstable();
    for carried in translation.applications.iter() {
        let application = &carried.value;
        if application.status != ApplicationStatus::Approved {
            let words = format!("{} of {} ({})", application.name, application.owner, application.status.name());
            desk.left.name("applications that nobody approved; an archive would make them usable", &words);
            continue;
        }
        let mut subscribed = Vec::new();
        for record in of(&places, application.id).filter_map(|at| subscriptions.record(at)) {
            let Some(api) = apis.get(&record.value.api) else { continue };
            match record.value.state {
                SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending => {
                    subscribed.push(subscription(application, api, &record.value.plan));
                    if api.state != LifecycleState::Published || !api.plans.contains(&record.value.plan) {
                        let words = format!("{} of {} to {} ({})", application.name, application.owner, named(api), api.state.name());
                        desk.left.name("subscriptions by a plan that is not offered, or to an API that is not published; archives hold them, and an import passes over them", &words);
                    }
                }
                state => {
                    let words = format!("{} of {} to {} ({})", application.name, application.owner, named(api), state.name());
                    desk.left.name("subscriptions that are not in force; an archive would put them in force", &words);
                }
            }
        }
        subscribed.sort_by(|a, b| a.api_id.cmp(&b.api_id));
        desk.done.subscriptions += subscribed.len() as u64;
        let mut shown_keys = Vec::new();
        for key in of(&keys, application.id).filter_map(|at| translation.key_mappings.get(at)) {
            let client = key.value.consumer_key.as_ref().and_then(|id| clients.get(id)).and_then(|at| translation.clients.get(*at));
            shown_keys.extend(shown_key(desk, application, &key.value, client.map(|client| client.value)));
        }
        let project = ApplicationProject { application_info: info(application, subscribed.len() as u64, shown_keys), subscribed };
        let path = desk.place(application.tenant, "applications", &format!("{}_{}", application.owner, application.name));
        desk.archive(&path, &project.folder(desk.wanted.format), &project.root())?;
        desk.done.applications += 1;
    }
    Ok(())
}

/// Where the records of an application stand.
fn of(places: &[(ApplicationId, usize)], application: ApplicationId) -> impl Iterator<Item = usize> + '_ {
    let from = places.partition_point(|(id, _)| *id < application);
    places.iter().skip(from).take_while(move |(id, _)| *id == application).map(|(_, at)| *at)
}

fn info(application: &Application, subscription_count: u64, keys: Vec<ApplicationKey>) -> ApplicationInfo {
    ApplicationInfo {
        name: application.name.clone(),
        throttling_policy: application.policy.clone(),
        description: application.description.clone(),
        token_type: Some(application.token_type.name().to_owned()),
        status: Some(application.status.name().to_owned()),
        groups: application.groups.clone(),
        subscription_count,
        keys,
        attributes: application.attributes.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        owner: application.owner.clone(),
    }
}

fn subscription(application: &Application, api: &Api, plan: &str) -> SubscribedApi {
    SubscribedApi {
        api_id: Subscribed { provider_name: api.provider.clone(), api_name: api.name.clone(), version: api.version.clone() },
        subscriber: Subscriber { name: application.owner.clone() },
        throttling_policy: plan.to_owned(),
    }
}

/// A key, unless it has no client yet.
fn shown_key(desk: &mut Desk<'_>, application: &Application, key: &KeyMapping, client: Option<OAuthClient>) -> Option<ApplicationKey> {
    let words = || format!("{} key of {} of {}", key.key_type.name(), application.name, application.owner);
    let Some(client) = client else {
        desk.left.name("keys without an OAuth client", &words());
        return None;
    };
    if !key.allowed_domains.is_empty() {
        desk.left.name("sites that keys may be used from", &words());
    }
    let mut shown = ApplicationKey::of(key, &client, VALIDITY_SECS);
    if desk.wanted.with_secrets {
        shown.set_secret(&client.secret);
    } else {
        desk.done.secrets_left_out += 1;
        desk.left.name("consumer secrets (say --with-secrets; without one, 4.0.0 makes a new one or asks for it)", &words());
    }
    Some(shown)
}
