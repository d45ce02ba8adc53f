//! Tenants: domains with their own users, APIs, policies and keys.

use crate::{TenantId, Timestamp};

/// Domain of the super tenant, whose users and contexts carry no suffix or prefix.
pub const SUPER_TENANT_DOMAIN: &str = "carbon.super";

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Number; -1234 for the super tenant.
    pub id: TenantId,
    /// Domain, e.g. `acme.com`; unique without regard to letter case.
    pub domain: String,
    /// Contact address given when the tenant was made.
    pub email: Option<String>,
    /// An inactive tenant keeps its data but nobody of it may sign in and its APIs answer 404.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Tenant {
    /// The super tenant, as every installation has it.
    #[must_use]
    pub fn super_tenant(created_at: Timestamp) -> Self {
        Self { id: TenantId::SUPER, domain: SUPER_TENANT_DOMAIN.to_owned(), email: None, active: true, created_at }
    }
}
