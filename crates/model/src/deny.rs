//! Deny policies: callers, APIs and addresses that are refused outright, whatever quota they have left.
//!
//! The old product calls them block conditions, its REST interface blocking conditions or deny policies. What a call is held against is the
//! gateway's; here stands what can be refused, and how it is written.

use crate::{PolicyId, SUPER_TENANT_DOMAIN, TenantId};

/// Refuses every call that it meets, while it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyPolicy {
    /// Stable id.
    pub id: PolicyId,
    /// Whose administrators made it.
    pub tenant: TenantId,
    /// What it refuses.
    pub refused: Denial,
    /// Whether it is in force.
    pub enabled: bool,
}

/// What a deny policy refuses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Denial {
    /// Every call of an API, by its context with the version.
    Api(String),
    /// Every call of an application.
    Application {
        /// Its owner; the super tenant's with or without domain.
        owner: String,
        /// Its name.
        name: String,
    },
    /// Every call on behalf of a user, `name@domain`.
    User(String),
    /// Calls from one address of the tenant's APIs.
    Ip {
        /// Address, or `address/prefix length`.
        address: String,
        /// Refuse all other addresses instead.
        inverted: bool,
    },
    /// Calls from between two addresses, which are themselves not refused: the old gateway's reading.
    IpRange {
        /// Address before the first refused one.
        start: String,
        /// Address after the last refused one.
        end: String,
        /// Refuse all other addresses instead.
        inverted: bool,
    },
    /// Calls of one subscription, `context:version:owner-application`, perhaps with `:PRODUCTION` or `:SANDBOX` behind it. The old product
    /// wrote these when a subscription was blocked.
    Subscription(String),
}

impl Denial {
    /// The word of the REST interface and of old tables.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Api(_) => "API",
            Self::Application { .. } => "APPLICATION",
            Self::User(_) => "USER",
            Self::Ip { .. } => "IP",
            Self::IpRange { .. } => "IPRANGE",
            Self::Subscription(_) => "SUBSCRIPTION",
        }
    }

    /// An application as `owner:name`. Owners hold no colon, names may.
    #[must_use]
    pub fn application(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once(':')?;
        let (owner, name) = (owner.trim(), name.trim());
        (!owner.is_empty() && !name.is_empty()).then(|| Self::Application { owner: owner.to_owned(), name: name.to_owned() })
    }
}

/// A user's or owner's name without the super tenant's domain, which is written or left out and means the same.
#[must_use]
pub fn without_super_domain(user: &str) -> &str {
    user.strip_suffix(SUPER_TENANT_DOMAIN).and_then(|u| u.strip_suffix('@')).unwrap_or(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_applications_name_may_hold_a_colon() {
        let found = Denial::application("bob@acme.com:My: App");
        assert_eq!(found, Some(Denial::Application { owner: "bob@acme.com".to_owned(), name: "My: App".to_owned() }));
        assert_eq!(Denial::application("nobody"), None);
        assert_eq!(Denial::application(":x"), None);
    }

    #[test]
    fn the_super_tenants_domain_may_be_left_out() {
        assert_eq!(without_super_domain("admin@carbon.super"), "admin");
        assert_eq!(without_super_domain("bob@acme.com"), "bob@acme.com");
        assert_eq!(without_super_domain("carbon.super"), "carbon.super");
    }
}
