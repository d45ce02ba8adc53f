//! A call as a site's own rules see it: names and keys as the old product's events wrote them.

use std::borrow::Cow;
use std::net::IpAddr;

use model::SUPER_TENANT_DOMAIN;
use traffic::{Asked, Attribute, Property, Seen as _};

use crate::snapshot::Snapshot;
use crate::steps::throttle::{Counted, View};

/// Application policy and plan of calls without credentials.
const OPEN_TIERS: (&str, &str) = ("Unlimited", "Unauthenticated");

/// User of calls without credentials.
const ANONYMOUS: &str = "anonymous";

pub(super) struct RuledCall<'a> {
    counted: &'a Counted<'a>,
    view: &'a View<'a>,
    snapshot: &'a Snapshot,
}

impl<'a> RuledCall<'a> {
    pub(super) fn new(counted: &'a Counted<'a>, view: &'a View<'a>, snapshot: &'a Snapshot) -> Self {
        Self { counted, view, snapshot }
    }

    fn api_tenant(&self) -> &'a str {
        self.snapshot.domain(self.counted.api.tenant).unwrap_or(SUPER_TENANT_DOMAIN)
    }

    fn app_tenant(&self) -> &'a str {
        let tenant = self.counted.caller.and_then(|caller| self.snapshot.domain(caller.application.tenant));
        tenant.unwrap_or_else(|| self.api_tenant())
    }

    /// The user with the domain of the tenant, which the super tenant's users are written without elsewhere.
    fn user(&self) -> Cow<'a, str> {
        let Some(caller) = self.counted.caller else { return Cow::Borrowed(ANONYMOUS) };
        let user: &'a str = &caller.user;
        let named = user.rsplit_once('@').is_some_and(|(_, domain)| self.snapshot.is_domain(domain));
        if named { Cow::Borrowed(user) } else { Cow::Owned(format!("{user}@{}", self.app_tenant())) }
    }

    fn app_id(&self) -> String {
        self.counted.caller.map_or_else(|| self.counted.client.to_string(), |caller| caller.application.number.to_string())
    }

    fn api_key(&self) -> String {
        format!("{}:{}", self.counted.api.context, self.counted.api.version)
    }

    fn resource_key(&self) -> String {
        let Counted { api, operation, template, .. } = self.counted;
        match api.policy {
            Some(_) => self.api_key(),
            None => format!("{}/{}{template}:{}", api.context, api.version, operation.verb.name()),
        }
    }

    fn plan(&self) -> Cow<'a, str> {
        let plan = self.counted.caller.map(|caller| self.snapshot.subscription(caller.application.id, self.counted.api.id));
        match plan {
            Some(subscription) => subscription.map_or("".into(), |subscription| Cow::Owned(subscription.tier.to_string())),
            None => OPEN_TIERS.1.into(),
        }
    }
}

impl Asked for RuledCall<'_> {
    fn attribute(&self, attribute: Attribute) -> Cow<'_, str> {
        let api = self.counted.api;
        match attribute {
            Attribute::AppKey => format!("{}:{}", self.app_id(), self.user()).into(),
            Attribute::ApiKey => self.api_key().into(),
            Attribute::SubscriptionKey => format!("{}:{}", self.app_id(), self.api_key()).into(),
            Attribute::SubscriptionTier => self.plan(),
            Attribute::AppTier => self.counted.caller.map_or(OPEN_TIERS.0.into(), |caller| Cow::Borrowed(&*caller.application.tier)),
            Attribute::ResourceKey => self.resource_key().into(),
            Attribute::UserId => self.user(),
            Attribute::ApiContext => Cow::Borrowed(&*api.context),
            Attribute::ApiVersion => Cow::Borrowed(&*api.version),
            Attribute::AppTenant => self.app_tenant().into(),
            Attribute::ApiTenant => self.api_tenant().into(),
            Attribute::AppId => self.app_id().into(),
            Attribute::ApiName => Cow::Borrowed(&*api.name),
        }
    }

    /// Addresses as numbers; then what the gateway shows to policies, in this order.
    fn property(&self, name: &str) -> Option<Property<'_>> {
        match (name, self.counted.client.to_canonical()) {
            ("ip", IpAddr::V4(v4)) => return Some(Property::Number(i64::from(v4.to_bits()))),
            ("ipv6", IpAddr::V6(v6)) => return Some(Property::Text(v6.to_bits().to_string().into())),
            ("ip" | "ipv6", _) => return None,
            ("applicationName", _) => return self.counted.caller.map(|caller| Property::Text(Cow::Borrowed(&*caller.application.name))),
            _ => {}
        }
        self.view.header(name).or_else(|| self.view.query(name)).or_else(|| self.view.claim(name)).map(Property::Text)
    }

    fn client_ip(&self) -> Cow<'_, str> {
        match self.counted.client.to_canonical() {
            IpAddr::V4(v4) => v4.to_bits().to_string().into(),
            IpAddr::V6(v6) => v6.to_bits().to_string().into(),
        }
    }
}
