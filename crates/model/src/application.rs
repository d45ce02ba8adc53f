//! Applications: what developers subscribe with.

use crate::{ApplicationId, TenantId, Timestamp};

/// One application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Stable id.
    pub id: ApplicationId,
    /// Number, kept from old installations because backends see it as the JWT claim `applicationid`.
    pub number: i64,
    /// The owner's tenant.
    pub tenant: TenantId,
    /// Owner: `[STORE/]user[@tenant]`, the suffix left out for the super tenant.
    pub owner: String,
    /// Name, unique per owner with its letter case.
    pub name: String,
    /// Application policy name.
    pub policy: String,
    /// Free text.
    pub description: Option<String>,
    /// Form of its access tokens.
    pub token_type: ApplicationTokenType,
    /// Approval state.
    pub status: ApplicationStatus,
    /// Groups it is shared with.
    pub groups: Vec<String>,
    /// Attributes by name.
    pub attributes: Vec<(String, String)>,
    /// Kept from old installations; keys have their own.
    pub callback_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Form of an application's access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationTokenType {
    /// Signed, self-contained.
    Jwt,
    /// Opaque; what applications from old installations keep until their owner chooses otherwise.
    OAuth,
}

impl ApplicationTokenType {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::OAuth => "OAUTH",
        }
    }

    /// Reads it; `DEFAULT` is the old word for opaque.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "JWT" => Some(Self::Jwt),
            "OAUTH" | "DEFAULT" => Some(Self::OAuth),
            _ => None,
        }
    }
}

/// Approval state of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationStatus {
    /// Waiting for approval.
    Created,
    /// Usable.
    Approved,
    /// Refused.
    Rejected,
}

impl ApplicationStatus {
    /// As the interface and the old databases write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Approved, Self::Rejected].into_iter().find(|s| s.name().eq_ignore_ascii_case(text))
    }
}
