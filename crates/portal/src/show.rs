//! The JSON of APIs, applications and scopes, as several operations of this room show them. Every property of the document is there,
//! `null` where nothing is known.

use std::collections::{BTreeMap, HashMap, HashSet};

use db::Tx;
use model::{
    Advertise, Api, ApiId, ApiScope, Application, BusinessInformation, LifecycleState, SubscriptionAvailability, TenantId, Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::visitor::Visitor;

/// What lists show of APIs beside their records.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    thumbnails: HashSet<ApiId>,
    stars: HashMap<ApiId, (u64, u64)>,
}

impl Extras {
    pub(crate) async fn of(tx: &mut Tx, apis: &[ApiId]) -> db::Result<Self> {
        Ok(Self { thumbnails: db::files::with_thumbnail(tx, apis).await?, stars: db::ratings::sums(tx, apis).await? })
    }

    pub(crate) fn has_thumbnail(&self, api: ApiId) -> bool {
        self.thumbnails.contains(&api)
    }

    /// Below the door, as 4.0.0 writes it.
    fn thumbnail(&self, api: ApiId) -> Option<String> {
        self.has_thumbnail(api).then(|| format!("/apis/{api}/thumbnail"))
    }

    pub(crate) fn average(&self, api: ApiId) -> String {
        let (stars, ratings) = self.stars.get(&api).copied().unwrap_or_default();
        model::shown_average(stars, ratings)
    }
}

/// `APIInfo`: an API in a list.
pub(crate) fn api_info(api: &Api, visitor: &Visitor, extras: &Extras) -> Value {
    json!({
        "id": api.id.to_string(),
        "name": api.name,
        "description": api.description,
        "context": api.context,
        "version": api.version,
        "type": api.kind.name(),
        "provider": api.provider,
        "lifeCycleStatus": api.state.name(),
        "thumbnailUri": extras.thumbnail(api.id),
        "avgRating": extras.average(api.id),
        "throttlingPolicies": api.plans,
        "advertiseInfo": advertise(&api.advertise),
        "businessInformation": business(&api.business),
        "isSubscriptionAvailable": is_subscription_available(api, visitor),
        "monetizationLabel": monetization_label(api),
    })
}

/// A found API, as `/search` lists it.
pub(crate) fn search_result(api: &Api, extras: &Extras) -> Value {
    json!({
        "id": api.id.to_string(),
        "name": api.name,
        "type": "API",
        "transportType": api.kind.name(),
        "description": api.description,
        "context": api.context,
        "version": api.version,
        "provider": api.provider,
        "status": api.state.name(),
        "thumbnailUri": extras.thumbnail(api.id),
        "businessInformation": business(&api.business),
        "avgRating": extras.average(api.id),
    })
}

/// Whether an application of the visitor's tenant may subscribe at all.
pub(crate) fn is_subscription_available(api: &Api, visitor: &Visitor) -> bool {
    let tenant = visitor.caller.as_ref().map_or((visitor.portal.id, visitor.portal.domain.as_str()), |c| (c.tenant, &c.tenant_domain));
    api.state != LifecycleState::Prototyped && admits_tenant(api, tenant.0, tenant.1)
}

/// Whether applications of that tenant may subscribe.
pub(crate) fn admits_tenant(api: &Api, tenant: TenantId, domain: &str) -> bool {
    let listed = || api.subscription_available_tenants.iter().any(|listed| listed.eq_ignore_ascii_case(domain));
    api.tenant == tenant
        || match api.subscription_availability {
            SubscriptionAvailability::CurrentTenant => false,
            SubscriptionAvailability::AllTenants => true,
            SubscriptionAvailability::SpecificTenants => listed(),
        }
}

pub(crate) fn advertise(advertise: &Advertise) -> Value {
    json!({
        "advertised": advertise.advertised,
        "originalDevPortalUrl": advertise.original_portal_url,
        "apiOwner": advertise.owner,
        "vendor": advertise.vendor.as_deref().unwrap_or("WSO2"),
    })
}

pub(crate) fn business(business: &BusinessInformation) -> Value {
    json!({
        "businessOwner": business.business_owner,
        "businessOwnerEmail": business.business_owner_email,
        "technicalOwner": business.technical_owner,
        "technicalOwnerEmail": business.technical_owner_email,
    })
}

pub(crate) fn is_monetized(api: &Api) -> bool {
    api.monetization.as_ref().and_then(|m| m.get("enabled")).and_then(Value::as_bool).unwrap_or(false)
}

fn monetization_label(api: &Api) -> Option<&'static str> {
    is_monetized(api).then_some("PAID")
}

/// `ScopeInfo`.
pub(crate) fn scope(scope: &ApiScope) -> Value {
    json!({ "key": scope.name, "name": scope.display_name, "roles": scope.roles, "description": scope.description })
}

/// Epoch milliseconds as text, which is how 4.0.0 writes the times of an API.
pub(crate) fn time(at: Timestamp) -> String {
    at.0.to_string()
}

/// `ApplicationInfo`: an application in a list or a subscription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationInfo {
    application_id: String,
    name: String,
    throttling_policy: String,
    description: Option<String>,
    status: &'static str,
    groups: Vec<String>,
    subscription_count: u64,
    attributes: BTreeMap<String, String>,
    owner: String,
}

impl ApplicationInfo {
    pub(crate) fn of(application: &Application, subscriptions: u64) -> Self {
        Self {
            application_id: application.id.to_string(),
            name: application.name.clone(),
            throttling_policy: application.policy.clone(),
            description: application.description.clone(),
            status: application.status.name(),
            groups: application.groups.clone(),
            subscription_count: subscriptions,
            attributes: application.attributes.iter().cloned().collect(),
            owner: application.owner.clone(),
        }
    }
}
