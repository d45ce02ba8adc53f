//! Subscriptions and the keys an application calls with.

use crate::{ApiId, ApplicationId, KeyMappingId, SubscriptionId, Timestamp};

/// An application may call an API under a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Stable id.
    pub id: SubscriptionId,
    /// Who.
    pub application: ApplicationId,
    /// What.
    pub api: ApiId,
    /// Subscription policy name.
    pub plan: String,
    /// Plan asked for while a change waits for approval.
    pub requested_plan: Option<String>,
    /// State.
    pub state: SubscriptionState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// State of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubscriptionState {
    /// In force.
    Unblocked,
    /// No calls at all.
    Blocked,
    /// No calls with production keys.
    ProdOnlyBlocked,
    /// Waiting for approval.
    OnHold,
    /// Refused.
    Rejected,
    /// In force under the old plan while a new one waits for approval.
    TierUpdatePending,
}

impl SubscriptionState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Unblocked, Self::Blocked, Self::ProdOnlyBlocked, Self::OnHold, Self::Rejected, Self::TierUpdatePending];

    /// As the interface and the old databases write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unblocked => "UNBLOCKED",
            Self::Blocked => "BLOCKED",
            Self::ProdOnlyBlocked => "PROD_ONLY_BLOCKED",
            Self::OnHold => "ON_HOLD",
            Self::Rejected => "REJECTED",
            Self::TierUpdatePending => "TIER_UPDATE_PENDING",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(text))
    }
}

/// Which of an application's two environments a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Production endpoints.
    Production,
    /// Sandbox endpoints.
    Sandbox,
}

impl KeyType {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Production => "PRODUCTION",
            Self::Sandbox => "SANDBOX",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Production, Self::Sandbox].into_iter().find(|k| k.name().eq_ignore_ascii_case(text))
    }
}

/// An application's use of an OAuth client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMapping {
    /// Stable id.
    pub id: KeyMappingId,
    /// Whose.
    pub application: ApplicationId,
    /// For which environment.
    pub key_type: KeyType,
    /// Key manager's name; `Resident Key Manager` for our own.
    pub key_manager: String,
    /// The OAuth client; `None` while the registration waits for approval.
    pub consumer_key: Option<String>,
    /// Approval state.
    pub state: KeyState,
    /// Made here, or an existing client attached.
    pub mode: KeyMappingMode,
    /// Values of `Referer`-like headers the key may be used from (1.8–1.10); empty means any.
    pub allowed_domains: Vec<String>,
}

/// State of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Waiting for approval.
    Created,
    /// Approved, key not yet made.
    Approved,
    /// Refused.
    Rejected,
    /// Usable.
    Completed,
}

impl KeyState {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Completed => "COMPLETED",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Approved, Self::Rejected, Self::Completed].into_iter().find(|s| s.name().eq_ignore_ascii_case(text))
    }
}

/// How an application came to its OAuth client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMappingMode {
    /// Made for it.
    Created,
    /// Brought along.
    Mapped,
}

impl KeyMappingMode {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Mapped => "MAPPED",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Mapped].into_iter().find(|s| s.name().eq_ignore_ascii_case(text))
    }
}
