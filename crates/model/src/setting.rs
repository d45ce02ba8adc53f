//! Settings of a tenant: small records that are read as a whole, by kind and name.
//!
//! What acts on a setting reads it through the crate that does; what nothing acts on yet is kept here as the old installation had it, so
//! that nothing of it is lost. Each kind's members are told where it is written.

use serde_json::Value;

use crate::{Secret, TenantId};

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantSetting {
    /// Whose.
    pub tenant: TenantId,
    /// What kind.
    pub kind: SettingKind,
    /// Its name among those of its kind; empty where there can be one only.
    pub name: String,
    /// What it says. Holds no secret.
    pub body: Value,
    /// A password or the like that belongs to it; sealed where it is kept.
    pub secret: Option<Secret<String>>,
}

/// Kinds of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SettingKind {
    /// Who decides a kind of request; the name is the workflow's. Members: `mode` (`simple` or `approval`) and what the old file says.
    WorkflowExecutor,
    /// Whether and how people make their own accounts. Members: `enabled`, `domain`, `roles`.
    SignUp,
    /// That applications are shared with groups. Members: `claim` and `attribute`, of which a user's value names their groups.
    ApplicationSharing,
    /// tenant-conf.json, but for what has a home of its own.
    TenantConfiguration,
    /// Another developer portal that APIs are shown in.
    ExternalStore,
    /// That an API is shown in one; the name is the API's id and the store's.
    ExternalPublication,
    /// States and steps of APIs beyond the usual.
    Lifecycle,
    /// Claims of a dialect: URI, attribute for each user store, how it is shown.
    ClaimDialect,
    /// Somebody else's sign-in.
    IdentityProvider,
    /// A client of the sign-in, beyond its OAuth client.
    ServiceProvider,
    /// Whom an alert is sent to.
    Alert,
    /// A name for gateways.
    GatewayLabel,
    /// A certificate: of a backend, a client, or one that is trusted.
    Certificate,
    /// A gateway environment of the old configuration.
    GatewayEnvironment,
}

impl SettingKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::WorkflowExecutor,
        Self::SignUp,
        Self::ApplicationSharing,
        Self::TenantConfiguration,
        Self::ExternalStore,
        Self::ExternalPublication,
        Self::Lifecycle,
        Self::ClaimDialect,
        Self::IdentityProvider,
        Self::ServiceProvider,
        Self::Alert,
        Self::GatewayLabel,
        Self::Certificate,
        Self::GatewayEnvironment,
    ];

    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkflowExecutor => "workflow-executor",
            Self::SignUp => "sign-up",
            Self::ApplicationSharing => "application-sharing",
            Self::TenantConfiguration => "tenant-configuration",
            Self::ExternalStore => "external-store",
            Self::ExternalPublication => "external-publication",
            Self::Lifecycle => "lifecycle",
            Self::ClaimDialect => "claim-dialect",
            Self::IdentityProvider => "identity-provider",
            Self::ServiceProvider => "service-provider",
            Self::Alert => "alert",
            Self::GatewayLabel => "gateway-label",
            Self::Certificate => "certificate",
            Self::GatewayEnvironment => "gateway-environment",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_read_back() {
        for kind in SettingKind::ALL {
            assert_eq!(SettingKind::parse(kind.name()), Some(kind));
        }
    }
}
