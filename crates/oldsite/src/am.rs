//! The API Manager tables: APIs, applications, subscriptions, workflows, feedback. OAuth rows are `oauth.rs`'.

use std::collections::HashMap;

use crate::json;
use crate::oauth;
use crate::rows::{Rows, Value, row};
use crate::seed;
use crate::site::{Api, Application, DAY_MS, HOUR_MS, SUPER_TENANT, Site};

/// Every row of the API Manager database.
pub(crate) fn rows(site: &Site) -> Rows {
    let mut rows = Rows::default();
    let subscribers: Subscribers = site.subscribers().into_iter().zip(1..).collect();
    subscriber_rows(site, &mut rows);
    for api in &site.apis {
        api_rows(site, api, &mut rows);
    }
    default_versions(site, &mut rows);
    for application in &site.applications {
        application_rows(site, application, &subscribers, &mut rows);
    }
    subscriptions(site, &mut rows);
    feedback(site, &subscribers, &mut rows);
    workflows(site, &mut rows);
    row!(rows, "AM_TIER_PERMISSIONS"; TIER_PERMISSIONS_ID = 1, TIER = "Gold", PERMISSIONS_TYPE = "deny",
        ROLES = "Internal/guest", TENANT_ID = SUPER_TENANT);
    row!(rows, "AM_EXTERNAL_STORES"; APISTORE_ID = 1, API_ID = 1, STORE_ID = "Partners", STORE_DISPLAY_NAME = "Partner store",
        STORE_ENDPOINT = "https://partners.example/store", STORE_TYPE = "wso2");
    // A token of the oldest kind, which belongs to one subscription.
    row!(rows, "AM_SUBSCRIPTION_KEY_MAPPING"; SUBSCRIPTION_ID = 5, ACCESS_TOKEN = seed::key(site.seed, "token:subscription 5"), KEY_TYPE = "PRODUCTION");
    oauth::add(site, &mut rows);
    rows
}

/// AM_SUBSCRIBER's numbers by user.
type Subscribers<'a> = HashMap<&'a str, i64>;

fn subscriber_rows(site: &Site, rows: &mut Rows) {
    for (at, user) in (1i64..).zip(site.subscribers()) {
        let (name, tenant) = site.unqualified(user);
        let since = site.local(site.now_ms - 200 * DAY_MS + at * HOUR_MS);
        row!(rows, "AM_SUBSCRIBER"; SUBSCRIBER_ID = at, USER_ID = user, TENANT_ID = tenant,
            EMAIL_ADDRESS = format!("{name}@mail.example"), DATE_SUBSCRIBED = since.clone(),
            CREATED_BY = user, CREATED_TIME = since, UPDATED_TIME = Value::ZeroDate);
    }
}

fn api_rows(site: &Site, api: &Api, rows: &mut Rows) {
    let made = site.now_ms - api.age_days * DAY_MS;
    row!(rows, "AM_API"; API_ID = api.id, API_PROVIDER = &api.provider, API_NAME = &api.name, API_VERSION = &api.version,
        CONTEXT = api.versioned_context(), CONTEXT_TEMPLATE = &api.context, CREATED_BY = &api.provider,
        CREATED_TIME = site.local(made), UPDATED_BY = &api.provider, UPDATED_TIME = site.local(made + HOUR_MS));
    for resource in &api.resources {
        let id = rows.next_number("AM_API_URL_MAPPING");
        row!(rows, "AM_API_URL_MAPPING"; URL_MAPPING_ID = id, API_ID = api.id, HTTP_METHOD = &resource.verb,
            AUTH_SCHEME = &resource.auth, URL_PATTERN = &resource.pattern, THROTTLING_TIER = &resource.tier,
            MEDIATION_SCRIPT = resource.script.as_ref().map(|s| s.clone().into_bytes()));
    }
    let mut previous = None;
    for (step, state) in (0i64..).zip(api.status.history()) {
        let id = rows.next_number("AM_API_LC_EVENT");
        row!(rows, "AM_API_LC_EVENT"; EVENT_ID = id, API_ID = api.id, PREVIOUS_STATE = previous, NEW_STATE = state.word(),
            USER_ID = &api.provider, TENANT_ID = api.tenant, EVENT_DATE = site.local(made + step * DAY_MS));
        previous = Some(state.word());
    }
}

fn default_versions(site: &Site, rows: &mut Rows) {
    for (id, api) in (1i64..).zip(site.apis.iter().filter(|a| a.default_version)) {
        let served = api.status.is_deployed().then(|| api.version.clone());
        row!(rows, "AM_API_DEFAULT_VERSION"; DEFAULT_VERSION_ID = id, API_NAME = &api.name, API_PROVIDER = &api.provider,
            DEFAULT_API_VERSION = &api.version, PUBLISHED_DEFAULT_API_VERSION = served);
    }
}

fn application_rows(site: &Site, application: &Application, subscribers: &Subscribers, rows: &mut Rows) {
    let Some(subscriber) = subscribers.get(application.owner.as_str()).copied() else { return };
    let made = site.local(site.now_ms - 150 * DAY_MS + i64::from(application.id) * HOUR_MS);
    row!(rows, "AM_APPLICATION"; APPLICATION_ID = application.id, NAME = &application.name, SUBSCRIBER_ID = subscriber,
        APPLICATION_TIER = &application.tier, CALLBACK_URL = application.callback_url.as_ref(), DESCRIPTION = &application.description,
        APPLICATION_STATUS = &application.status, GROUP_ID = &application.group, CREATED_BY = &application.owner,
        CREATED_TIME = made, UPDATED_TIME = Value::ZeroDate);
    for key in &application.keys {
        let consumer_key = key.client.as_ref().map(|c| c.key.clone());
        row!(rows, "AM_APPLICATION_KEY_MAPPING"; APPLICATION_ID = application.id, CONSUMER_KEY = consumer_key.clone(),
            KEY_TYPE = &key.kind, STATE = &key.state, CREATE_MODE = "CREATED");
        if let Some(consumer_key) = consumer_key {
            for domain in &key.domains {
                row!(rows, "AM_APP_KEY_DOMAIN_MAPPING"; CONSUMER_KEY = consumer_key.clone(), AUTHZ_DOMAIN = domain);
            }
        }
        let id = rows.next_number("AM_APPLICATION_REGISTRATION");
        let inputs = json::object(&[
            ("username", json::quote(&application.owner)),
            ("validityPeriod", json::quote(&key.validity_s.to_string())),
            ("tokenScope", json::array(&[json::quote("default")])),
        ]);
        row!(rows, "AM_APPLICATION_REGISTRATION"; REG_ID = id, SUBSCRIBER_ID = subscriber,
            WF_REF = seed::uuid(site.seed, &format!("registration:{}:{}", application.id, key.kind)), APP_ID = application.id,
            TOKEN_TYPE = &key.kind, ALLOWED_DOMAINS = key.domains.join(","), VALIDITY_PERIOD = key.validity_s,
            TOKEN_SCOPE = "default", INPUTS = inputs);
    }
}

fn subscriptions(site: &Site, rows: &mut Rows) {
    let owners: HashMap<i32, &String> = site.applications.iter().map(|a| (a.id, &a.owner)).collect();
    for subscription in &site.subscriptions {
        let by = owners.get(&subscription.application).copied();
        let made = site.local(site.now_ms - 100 * DAY_MS + i64::from(subscription.id) * HOUR_MS);
        row!(rows, "AM_SUBSCRIPTION"; SUBSCRIPTION_ID = subscription.id, TIER_ID = &subscription.tier, API_ID = subscription.api,
            LAST_ACCESSED = site.local(site.now_ms - DAY_MS), APPLICATION_ID = subscription.application,
            SUB_STATUS = &subscription.status, SUBS_CREATE_STATE = &subscription.create_state,
            CREATED_BY = by, CREATED_TIME = made, UPDATED_TIME = Value::ZeroDate);
    }
}

fn feedback(site: &Site, subscribers: &Subscribers, rows: &mut Rows) {
    for (id, (api, user, stars)) in (1i64..).zip(&site.ratings) {
        row!(rows, "AM_API_RATINGS"; RATING_ID = id, API_ID = *api, RATING = *stars, SUBSCRIBER_ID = subscribers.get(user.as_str()).copied());
    }
    for (id, comment) in (1i64..).zip(&site.comments) {
        // Comments are written with a UTC calendar, unlike their neighbours.
        row!(rows, "AM_API_COMMENTS"; COMMENT_ID = id, COMMENT_TEXT = &comment.text, COMMENTED_USER = &comment.user,
            DATE_COMMENTED = Site::utc(site.now_ms - 30 * DAY_MS + id * HOUR_MS), API_ID = comment.api);
    }
}

fn workflows(site: &Site, rows: &mut Rows) {
    for (id, workflow) in (1i64..).zip(&site.workflows) {
        let at = site.local(site.now_ms - 20 * DAY_MS + id * HOUR_MS);
        row!(rows, "AM_WORKFLOWS"; WF_ID = id, WF_REFERENCE = &workflow.reference, WF_TYPE = &workflow.kind, WF_STATUS = &workflow.status,
            WF_CREATED_TIME = at.clone(), WF_UPDATED_TIME = at, WF_STATUS_DESC = "", TENANT_ID = workflow.tenant,
            TENANT_DOMAIN = site.domain(workflow.tenant), WF_EXTERNAL_REFERENCE = seed::uuid(site.seed, &format!("workflow:{id}")));
    }
}
