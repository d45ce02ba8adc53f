//! Throttling policies: how much may be called in which time.
//!
//! The three families of 4.0.0 (advanced, application, subscription) and the defaults every tenant starts with. Counting is the work of
//! `traffic`; this is what is counted against.

use serde_json::Value;

use crate::{PolicyId, TenantId};

/// Name of the policy that counts nothing.
pub const UNLIMITED: &str = "Unlimited";

/// So much in such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How much.
    pub quota: Quota,
    /// How many units long a window is; at least 1.
    pub unit_time: u32,
    /// Unit.
    pub time_unit: TimeUnit,
}

impl Limit {
    /// `count` requests a minute.
    #[must_use]
    pub fn per_minute(count: u64) -> Self {
        Self { quota: Quota::Requests(count), unit_time: 1, time_unit: TimeUnit::Minute }
    }

    /// No limit, as 4.0.0 stores it: 2,147,483,647 requests a minute.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::per_minute(Quota::UNLIMITED)
    }

    /// Whether nothing needs counting.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        matches!(self.quota, Quota::Requests(n) | Quota::Events(n) if n >= Quota::UNLIMITED)
    }

    /// Length of one window in milliseconds.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        self.time_unit.millis().saturating_mul(i64::from(self.unit_time.max(1)))
    }
}

/// What is counted and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Requests.
    Requests(u64),
    /// Request bytes.
    Bandwidth {
        /// Amount in `unit`.
        amount: u64,
        /// Unit.
        unit: BandwidthUnit,
    },
    /// Events of streaming APIs.
    Events(u64),
}

impl Quota {
    /// The number 4.0.0 stores for no limit.
    pub const UNLIMITED: u64 = 2_147_483_647;
}

/// Unit of a bandwidth quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandwidthUnit {
    /// 1,024 bytes.
    Kb,
    /// 1,048,576 bytes.
    Mb,
    /// 1,073,741,824 bytes.
    Gb,
}

impl BandwidthUnit {
    /// Bytes in one.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Kb => 1 << 10,
            Self::Mb => 1 << 20,
            Self::Gb => 1 << 30,
        }
    }

    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kb => "KB",
            Self::Mb => "MB",
            Self::Gb => "GB",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Kb, Self::Mb, Self::Gb].into_iter().find(|u| u.name().eq_ignore_ascii_case(text))
    }
}

/// Unit of a window. A month and a year have the fixed lengths of the old engine, not the calendar's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Second.
    Second,
    /// Minute.
    Minute,
    /// Hour.
    Hour,
    /// Day of 24 hours, from 00:00 UTC.
    Day,
    /// Seven days.
    Week,
    /// 2,630,000 seconds.
    Month,
    /// 31,556,900 seconds.
    Year,
}

impl TimeUnit {
    /// Every unit, longest first.
    pub const ALL: [Self; 7] = [Self::Year, Self::Month, Self::Week, Self::Day, Self::Hour, Self::Minute, Self::Second];

    /// Length in milliseconds.
    #[must_use]
    pub fn millis(self) -> i64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
            Self::Week => 604_800_000,
            Self::Month => 2_630_000_000,
            Self::Year => 31_556_900_000,
        }
    }

    /// As 4.0.0 stores it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "sec",
            Self::Minute => "min",
            Self::Hour => "hours",
            Self::Day => "days",
            Self::Week => "weeks",
            Self::Month => "months",
            Self::Year => "years",
        }
    }

    /// Reads every spelling seen on the wire and in old databases: `sec`, `min`, `hour(s)`, `day(s)`, `week(s)`, `month(s)`, `year(s)`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => Some(Self::Second),
            "min" | "mins" | "minute" | "minutes" => Some(Self::Minute),
            "h" | "hour" | "hours" => Some(Self::Hour),
            "d" | "day" | "days" => Some(Self::Day),
            "week" | "weeks" => Some(Self::Week),
            "month" | "months" => Some(Self::Month),
            "year" | "years" => Some(Self::Year),
            _ => None,
        }
    }
}

/// Business plan: what an application may call of one API.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionPolicy {
    /// Stable id.
    pub id: PolicyId,
    /// Owning tenant.
    pub tenant: TenantId,
    /// Name, unique in its family and tenant; never changes.
    pub name: String,
    /// Words for people.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The limit.
    pub limit: Limit,
    /// A second, shorter limit.
    pub burst: Option<Burst>,
    /// Whether a spent quota stops calls.
    pub stop_on_quota: bool,
    /// Billing.
    pub billing: BillingPlan,
    /// Deepest GraphQL query; 0 is unbounded.
    pub graphql_max_depth: u32,
    /// Most complex GraphQL query; 0 is unbounded.
    pub graphql_max_complexity: u32,
    /// Most WebSub subscribers; 0 is unbounded.
    pub subscriber_count: u32,
    /// Site-defined attributes.
    pub attributes: Vec<(String, String)>,
    /// Who may use it; `None` is everybody.
    pub permission: Option<PlanPermission>,
    /// Monetization plan as given.
    pub monetization: Option<Value>,
}

/// A short-term limit on top of a plan's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// Calls.
    pub count: u64,
    /// Per second or per minute.
    pub unit: TimeUnit,
}

/// Who pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillingPlan {
    /// Nobody.
    Free,
    /// The subscriber.
    Commercial,
}

impl BillingPlan {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "FREE",
            Self::Commercial => "COMMERCIAL",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Free, Self::Commercial].into_iter().find(|b| b.name().eq_ignore_ascii_case(text))
    }
}

/// Roles that may, or may not, use a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanPermission {
    /// Allow only these roles, or deny these.
    pub allow: bool,
    /// Role names.
    pub roles: Vec<String>,
}

impl PlanPermission {
    /// Whether a user with `roles` may use the plan; role names compare without letter case.
    #[must_use]
    pub fn admits(&self, roles: &[String]) -> bool {
        let listed = roles.iter().any(|r| self.roles.iter().any(|l| l.eq_ignore_ascii_case(r)));
        listed == self.allow
    }
}

/// What an application may call altogether, per user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationPolicy {
    /// Stable id.
    pub id: PolicyId,
    /// Owning tenant.
    pub tenant: TenantId,
    /// Name; never changes.
    pub name: String,
    /// Words for people.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The limit.
    pub limit: Limit,
}

/// What an API or one of its operations takes, with other limits for calls that meet conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvancedPolicy {
    /// Stable id.
    pub id: PolicyId,
    /// Owning tenant.
    pub tenant: TenantId,
    /// Name; never changes.
    pub name: String,
    /// Words for people.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// For calls that meet no group's conditions.
    pub limit: Limit,
    /// Counted per user rather than over all callers.
    pub per_user: bool,
    /// Groups in order.
    pub groups: Vec<ConditionalGroup>,
}

/// Conditions joined by AND, with the limit of calls that meet them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionalGroup {
    /// Free text.
    pub description: Option<String>,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// Limit.
    pub limit: Limit,
}

/// One condition, perhaps inverted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Met when it is not.
    pub inverted: bool,
    /// What is looked at.
    pub kind: ConditionKind,
}

/// What a condition looks at. Header, claim and query values are regular expressions *searched* for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConditionKind {
    /// Request header.
    Header {
        /// Name.
        name: String,
        /// Expression.
        value: String,
    },
    /// One client address.
    Ip(String),
    /// Client addresses from first to last, both included.
    IpRange {
        /// First.
        start: String,
        /// Last.
        end: String,
    },
    /// Token claim.
    JwtClaim {
        /// Claim.
        claim: String,
        /// Expression.
        value: String,
    },
    /// Query parameter.
    Query {
        /// Name.
        name: String,
        /// Expression.
        value: String,
    },
}

/// A rule of a site's own, in the old engine's query language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRule {
    /// Stable id.
    pub id: PolicyId,
    /// Owning tenant.
    pub tenant: TenantId,
    /// Name; never changes.
    pub name: String,
    /// Words for people.
    pub description: Option<String>,
    /// What calls are counted by, such as `$userId:$apiContext`.
    pub key_template: String,
    /// The query (Siddhi).
    pub query: String,
    /// Whether it was in force.
    pub deployed: bool,
}

/// Application policies every tenant starts with.
#[must_use]
pub fn default_application_policies(tenant: TenantId) -> Vec<ApplicationPolicy> {
    [("10PerMin", 10), ("20PerMin", 20), ("50PerMin", 50), (UNLIMITED, Quota::UNLIMITED)]
        .into_iter()
        .map(|(name, count)| ApplicationPolicy {
            id: PolicyId::derived(&[&tenant.to_string(), "application", name]),
            tenant,
            name: name.to_owned(),
            display_name: Some(name.to_owned()),
            description: Some(describe(count)),
            limit: Limit::per_minute(count),
        })
        .collect()
}

/// Advanced policies every tenant starts with.
#[must_use]
pub fn default_advanced_policies(tenant: TenantId) -> Vec<AdvancedPolicy> {
    [("10KPerMin", 10_000), ("20KPerMin", 20_000), ("50KPerMin", 50_000), (UNLIMITED, Quota::UNLIMITED)]
        .into_iter()
        .map(|(name, count)| AdvancedPolicy {
            id: PolicyId::derived(&[&tenant.to_string(), "advanced", name]),
            tenant,
            name: name.to_owned(),
            display_name: Some(name.to_owned()),
            description: Some(describe(count)),
            limit: Limit::per_minute(count),
            per_user: false,
            groups: Vec::new(),
        })
        .collect()
}

/// Subscription policies every tenant starts with, those of streaming APIs included.
#[must_use]
pub fn default_subscription_policies(tenant: TenantId) -> Vec<SubscriptionPolicy> {
    let requests = [("Bronze", 1_000), ("Silver", 2_000), ("Gold", 5_000), ("Unauthenticated", 500), (UNLIMITED, Quota::UNLIMITED)]
        .map(|(name, count)| (name, Limit::per_minute(count), 0));
    let events = |count, time_unit| Limit { quota: Quota::Events(count), unit_time: 1, time_unit };
    let streaming = [
        ("AsyncBronze", events(5_000, TimeUnit::Day), 0),
        ("AsyncSilver", events(25_000, TimeUnit::Day), 0),
        ("AsyncGold", events(50_000, TimeUnit::Day), 0),
        ("AsyncUnlimited", events(Quota::UNLIMITED, TimeUnit::Day), 0),
        ("AsyncWHBronze", events(1_000, TimeUnit::Month), 100),
        ("AsyncWHSilver", events(5_000, TimeUnit::Month), 500),
        ("AsyncWHGold", events(10_000, TimeUnit::Month), 1_000),
        ("AsyncWHUnlimited", events(Quota::UNLIMITED, TimeUnit::Month), 0),
    ];
    requests
        .into_iter()
        .chain(streaming)
        .map(|(name, limit, subscriber_count)| SubscriptionPolicy {
            id: PolicyId::derived(&[&tenant.to_string(), "subscription", name]),
            tenant,
            name: name.to_owned(),
            display_name: Some(name.to_owned()),
            description: None,
            limit,
            burst: None,
            stop_on_quota: true,
            billing: BillingPlan::Free,
            graphql_max_depth: 0,
            graphql_max_complexity: 0,
            subscriber_count,
            attributes: Vec::new(),
            permission: None,
            monetization: None,
        })
        .collect()
}

fn describe(count: u64) -> String {
    if count >= Quota::UNLIMITED { "Allows unlimited requests".to_owned() } else { format!("Allows {count} requests per minute") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_its_units_long() {
        let limit = Limit { quota: Quota::Requests(1), unit_time: 90, time_unit: TimeUnit::Second };
        assert_eq!(limit.window_ms(), 90_000);
        assert!(Limit::unlimited().is_unlimited());
        assert!(!Limit::per_minute(5_000).is_unlimited());
    }

    #[test]
    fn units_read_back() {
        for unit in TimeUnit::ALL {
            assert_eq!(TimeUnit::parse(unit.name()), Some(unit));
        }
        assert_eq!(TimeUnit::parse("hour"), Some(TimeUnit::Hour));
        assert_eq!(TimeUnit::parse("fortnight"), None);
    }

    #[test]
    fn a_deny_list_admits_the_others() {
        let deny = PlanPermission { allow: false, roles: vec!["Internal/guest".to_owned()] };
        assert!(!deny.admits(&["internal/Guest".to_owned()]));
        assert!(deny.admits(&["admin".to_owned()]));
    }
}
