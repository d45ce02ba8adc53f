//! For tests: an installation without a record, and a desk to translate at.

use crate::old::apis::Orphans;
use crate::old::kept::Kept;
use crate::old::limits::Policies;
use crate::old::registry::Registry;
use crate::old::{Encryption, Installation};
use crate::packed::Packed;
use crate::source::{
    Version,
    clock::Clock,
    files::{Settings, SynapseFile},
};
use crate::translate::{Desk, EndpointMap, Finding, Input, Serving};

/// Of 2.6.0, empty.
pub(crate) fn installation() -> Installation {
    Installation {
        version: Version::V2_6_0,
        taken_at_ms: 0,
        tenants: Vec::new(),
        user_domains: Vec::new(),
        users: Vec::new(),
        user_attributes: Vec::new(),
        identity_user_data: Vec::new(),
        roles: Vec::new(),
        role_assignments: Vec::new(),
        shared_role_assignments: Vec::new(),
        hybrid_roles: Vec::new(),
        hybrid_assignments: Vec::new(),
        permissions: Vec::new(),
        role_permissions: Vec::new(),
        user_permissions: Vec::new(),
        dialects: Vec::new(),
        claims: Vec::new(),
        tier_files: Vec::new(),
        policies: Policies::default(),
        tier_permissions: Vec::new(),
        policy_permissions: Vec::new(),
        block_conditions: Vec::new(),
        apis: Vec::new(),
        orphans: Orphans::default(),
        default_versions: Vec::new(),
        subscribers: Vec::new(),
        applications: Packed::default(),
        application_attributes: Packed::default(),
        application_groups: Packed::default(),
        registrations: Packed::default(),
        key_mappings: Packed::default(),
        key_domains: Packed::default(),
        subscriptions: std::sync::Arc::default(),
        subscription_keys: Vec::new(),
        workflows: Vec::new(),
        kept: Kept::default(),
        keys: crate::old::Keys::default(),
        oauth_clients: Packed::default(),
        service_providers: Packed::default(),
        inbound_auths: Packed::default(),
        oauth_scopes: Vec::new(),
        scope_bindings: Vec::new(),
        resource_scopes: Vec::new(),
        tenant_files: Vec::new(),
        registry: Registry::default(),
        encryption: Encryption::default(),
        strangers: Vec::new(),
        counts: Vec::new(),
        unreadable: Vec::new(),
        notes: Vec::new(),
    }
}

/// What came of work at a desk.
pub(in crate::translate) struct Done<T> {
    pub(in crate::translate) value: T,
    pub(in crate::translate) findings: Vec<Finding>,
}

/// Does `work` at a desk over `old`.
pub(in crate::translate) fn with_desk<T>(old: &Installation, work: impl FnOnce(&mut Desk<'_>) -> T) -> Done<T> {
    at_desk(old, None, &[], work)
}

/// The same, with the settings of a folder.
pub(in crate::translate) fn with_settings<T>(old: &Installation, settings: &Settings, work: impl FnOnce(&mut Desk<'_>) -> T) -> Done<T> {
    at_desk(old, Some(settings), &[], work)
}

/// The same, with files of a gateway.
pub(in crate::translate) fn with_gateway<T>(old: &Installation, synapse: &[SynapseFile], work: impl FnOnce(&mut Desk<'_>) -> T) -> Done<T> {
    at_desk(old, None, synapse, work)
}

fn at_desk<T>(old: &Installation, settings: Option<&Settings>, synapse: &[SynapseFile], work: impl FnOnce(&mut Desk<'_>) -> T) -> Done<T> {
    let input = Input {
        old,
        settings,
        synapse,
        extras: None,
        stores: &[],
        clock: Clock::new(chrono_tz::UTC),
        source: "test",
        endpoint_map: &EndpointMap::default(),
        as_of: model::Timestamp(0),
        serving: Serving::default(),
        leave_encrypted: false,
    };
    let mut desk = Desk::new(&input);
    let value = work(&mut desk);
    Done { value, findings: desk.findings }
}
