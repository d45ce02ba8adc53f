//! Things that wait, or waited, for somebody's approval.
//!
//! A workflow names its subject by the subject's id; the subject's own state says that it waits. Deciding changes both in one transaction.

use crate::{TenantId, Timestamp};

/// One request for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// The id outsiders know it by, the old product's external reference.
    pub reference: String,
    /// Whose administrators decide.
    pub tenant: TenantId,
    /// What is asked for.
    pub kind: WorkflowKind,
    /// Id of what it is about: an application, a subscription, a key mapping, or a user's name. Empty when that is gone.
    pub subject: String,
    /// How it stands.
    pub status: WorkflowStatus,
    /// It was never decided and cannot be any more: its subject is gone, or was decided without it.
    pub stale: bool,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Words about how it was decided.
    pub description: Option<String>,
    /// What an approver needs to know, by name.
    pub properties: Vec<(String, String)>,
}

impl Workflow {
    /// Whether somebody can decide it now.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status == WorkflowStatus::Created && !self.stale
    }

    /// A property by name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkflowKind {
    /// A new application.
    ApplicationCreation,
    /// The end of one.
    ApplicationDeletion,
    /// A new subscription.
    SubscriptionCreation,
    /// Another plan for one.
    SubscriptionUpdate,
    /// The end of one.
    SubscriptionDeletion,
    /// Production keys.
    ProductionRegistration,
    /// Sandbox keys.
    SandboxRegistration,
    /// An account.
    UserSignUp,
    /// A lifecycle step of an API.
    ApiState,
}

impl WorkflowKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::ApplicationCreation,
        Self::ApplicationDeletion,
        Self::SubscriptionCreation,
        Self::SubscriptionUpdate,
        Self::SubscriptionDeletion,
        Self::ProductionRegistration,
        Self::SandboxRegistration,
        Self::UserSignUp,
        Self::ApiState,
    ];

    /// As the old tables and queries write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ApplicationCreation => "AM_APPLICATION_CREATION",
            Self::ApplicationDeletion => "AM_APPLICATION_DELETION",
            Self::SubscriptionCreation => "AM_SUBSCRIPTION_CREATION",
            Self::SubscriptionUpdate => "AM_SUBSCRIPTION_UPDATE",
            Self::SubscriptionDeletion => "AM_SUBSCRIPTION_DELETION",
            Self::ProductionRegistration => "AM_APPLICATION_REGISTRATION_PRODUCTION",
            Self::SandboxRegistration => "AM_APPLICATION_REGISTRATION_SANDBOX",
            Self::UserSignUp => "AM_USER_SIGNUP",
            Self::ApiState => "AM_API_STATE",
        }
    }

    /// As answers of the admin interface write it: the same without its beginning.
    #[must_use]
    pub fn short_name(self) -> &'static str {
        self.name().strip_prefix("AM_").unwrap_or_default()
    }

    /// Reads either spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name().eq_ignore_ascii_case(text) || k.short_name().eq_ignore_ascii_case(text))
    }
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkflowStatus {
    /// Nobody decided yet.
    Created,
    /// Granted.
    Approved,
    /// Refused.
    Rejected,
    /// Handed on to an engine elsewhere, in old installations.
    Registered,
}

impl WorkflowStatus {
    /// As the interface and the old databases write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Registered => "REGISTERED",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Approved, Self::Rejected, Self::Registered].into_iter().find(|s| s.name().eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back_in_both_spellings() {
        for kind in WorkflowKind::ALL {
            assert_eq!(WorkflowKind::parse(kind.name()), Some(kind));
            assert_eq!(WorkflowKind::parse(kind.short_name()), Some(kind));
        }
        assert_eq!(WorkflowKind::parse("AM_MOON"), None);
    }
}
