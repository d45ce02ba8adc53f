//! Rules of a site's own: "custom" throttling rules, written in the old engine's query language (Siddhi).
//!
//! A rule has a query and a key template. The query says which calls count, by which key, and how many of one key make it spent; a call is
//! refused while the key that the *template* gives for it is spent. The two keys are meant to be the same and need not be: then calls are
//! counted by the one and refused by the other, as the old product did.
//!
//! What is read is what such rules are made of: queries one after the other from `RequestStream` to `ResultStream`, filters, attributes of
//! the call, its `propertiesMap`, and a batch of time with `count` or the sum of `messageSize` ([`Rule::compile`]). Anything else is refused by
//! place and reason; a rule is never enforced in part.
//!
//! `words` → `query` (what is written) → `term` (what it means, with kinds checked) → `plan` (queries chained to limits).

mod plan;
mod query;
mod template;
mod term;
mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::condition::Compile;
use crate::{Cost, Quota};
use template::Template;
use term::{Term, Value};

/// Bytes that a query may have.
pub const MAX_QUERY_BYTES: usize = 65_536;

/// Where something stands in a query, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Character in the line.
    pub column: u32,
}

/// A rule cannot be enforced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// The query.
    #[error("line {}, column {}: {reason}", place.line, place.column)]
    Query {
        /// Where.
        place: Place,
        /// What is in the way.
        reason: String,
    },
    /// The key template.
    #[error("key template: {0}")]
    Template(String),
}

impl RuleFault {
    fn at(place: Place, reason: impl Into<String>) -> Self {
        Self::Query { place, reason: reason.into() }
    }
}

/// What a query calls an attribute of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// `appId:userId`
    AppKey,
    /// `apiContext:apiVersion`
    ApiKey,
    /// `appId:apiContext:apiVersion`
    SubscriptionKey,
    /// Name of the subscription's plan.
    SubscriptionTier,
    /// Name of the application's policy.
    AppTier,
    /// `apiContext/apiVersion`, template, `:` and verb; the API's own key where its policy replaces those of its resources.
    ResourceKey,
    /// User with the domain of the tenant, or `anonymous`.
    UserId,
    /// Context with the version in it.
    ApiContext,
    /// Version.
    ApiVersion,
    /// Domain of the application's tenant.
    AppTenant,
    /// Domain of the API's tenant.
    ApiTenant,
    /// Number of the application, or the client's address where there is none.
    AppId,
    /// Name of the API.
    ApiName,
}

impl Attribute {
    const ALL: [(&'static str, Self); 13] = [
        ("appKey", Self::AppKey),
        ("apiKey", Self::ApiKey),
        ("subscriptionKey", Self::SubscriptionKey),
        ("subscriptionTier", Self::SubscriptionTier),
        ("appTier", Self::AppTier),
        ("resourceKey", Self::ResourceKey),
        ("userId", Self::UserId),
        ("apiContext", Self::ApiContext),
        ("apiVersion", Self::ApiVersion),
        ("appTenant", Self::AppTenant),
        ("apiTenant", Self::ApiTenant),
        ("appId", Self::AppId),
        ("apiName", Self::ApiName),
    ];

    /// Whether it tells clients without credentials apart, who can come from as many addresses as they like.
    fn names_application(self) -> bool {
        matches!(self, Self::AppKey | Self::AppId | Self::SubscriptionKey)
    }
}

/// Something in a call's `propertiesMap`.
#[derive(Debug, Clone, PartialEq)]
pub enum Property<'a> {
    /// A number (`ip` of version 4, `messageSize`).
    Number(i64),
    /// A text (headers, query parameters, claims; `ipv6` as a number in digits).
    Text(Cow<'a, str>),
}

/// A call, as rules see it.
pub trait Asked {
    /// An attribute.
    fn attribute(&self, attribute: Attribute) -> Cow<'_, str>;
    /// An entry of `propertiesMap`: `ip`, `ipv6`, or a header, query parameter or claim, where the gateway shows these to policies.
    fn property(&self, name: &str) -> Option<Property<'_>>;
    /// The client's address as templates write it: of version 4 and 6 alike as one number.
    fn client_ip(&self) -> Cow<'_, str>;
}

/// A rule, ready to be asked.
#[derive(Debug, Clone)]
pub struct Rule {
    template: Template,
    limits: Vec<RuleLimit>,
}

/// One limit of a rule.
#[derive(Debug, Clone)]
pub struct RuleLimit {
    eligible: Term,
    key: Term,
    quota: Quota,
}

/// Who can make up keys of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysOf {
    /// Users and applications, of which there are so many.
    Callers,
    /// Addresses, or whatever clients send.
    Anybody,
}

impl Rule {
    /// Reads a rule. Expressions are compiled by the caller.
    ///
    /// # Errors
    /// The first thing that cannot be enforced, with its place.
    pub fn compile(template: &str, query: &str, compile: &Compile<'_>) -> Result<Self, RuleFault> {
        let limits = plan::limits(&query::read(query)?, compile)?;
        Ok(Self { template: Template::read(template)?, limits })
    }

    /// The key that decides whether the call is refused.
    #[must_use]
    pub fn asked_key(&self, call: &impl Asked) -> String {
        self.template.fill(call)
    }

    /// Its limits: each counts for itself.
    #[must_use]
    pub fn limits(&self) -> &[RuleLimit] {
        &self.limits
    }

    /// Who can make up its keys, on calls with credentials or (`open`) without.
    #[must_use]
    pub fn keys_of(&self, open: bool) -> KeysOf {
        let attribute = |a: Attribute| open && a.names_application();
        let anybody = self.template.any(attribute, true) || self.limits.iter().any(|limit| limit.key.any(&|term| term.is_anybodys(open)));
        if anybody { KeysOf::Anybody } else { KeysOf::Callers }
    }
}

impl RuleLimit {
    /// The key that the call counts for, if it counts.
    #[must_use]
    pub fn counted_key(&self, call: &impl Asked) -> Option<String> {
        match self.eligible.value(call) {
            Value::Bool(true) => Some(self.key.value(call).text().into_owned()),
            _ => None,
        }
    }

    /// How much of one key may pass.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Whether bytes of request bodies are counted rather than calls.
    #[must_use]
    pub fn by_bytes(&self) -> bool {
        self.quota.weight(Cost { bytes: 0 }) == 0
    }
}
