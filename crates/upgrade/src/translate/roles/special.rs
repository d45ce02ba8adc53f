//! The two roles whose names mean something by themselves: the administrator's and everybody's.
//!
//! The old product let a site call them as it liked; here they are `admin` and [`model::EVERYONE`]. So a role that only happens
//! to be called like one of them must not become it. Which powers a role has is not said here.

use std::collections::BTreeMap;

use model::PRIMARY_STORE;

use super::Desk;
use crate::old::people::SUPER_TENANT_ID;

/// The administrator's role here, whose members may do everything.
pub(super) const ADMIN: &str = "admin";
/// What the old product calls everybody's role, unless told otherwise; also ours without its prefix.
pub(super) const EVERYONE: &str = "everyone";

/// A tenant's special roles, by their old names.
#[derive(Debug)]
pub(super) struct Special {
    /// As configured.
    pub(super) configured_admin: String,
    /// Lower case, and whether it is an internal role; `None` when it is a role of a secondary store.
    admin: Option<(String, bool)>,
    /// Lower case, without prefix; always an internal role.
    everyone: String,
}

impl Special {
    /// Of the super tenant and all others.
    pub(super) fn of(desk: &Desk<'_>) -> BTreeMap<i64, Self> {
        let site_admin = desk.input.settings.and_then(|s| s.admin_role.clone());
        let site_everyone = desk.input.settings.and_then(|s| s.everyone_role.clone());
        let mut found = BTreeMap::new();
        let realms = desk.old.tenants.iter().map(|t| (t.id, t.realm().ok().flatten()));
        for (tenant, realm) in std::iter::once((SUPER_TENANT_ID, None)).chain(realms) {
            let (admin, everyone) = realm.map(|r| (r.admin_role, r.everyone_role)).unwrap_or_default();
            let configured_admin = admin.or_else(|| site_admin.clone()).unwrap_or_else(|| ADMIN.to_owned());
            let everyone = everyone.or_else(|| site_everyone.clone()).unwrap_or_else(|| EVERYONE.to_owned()).to_ascii_lowercase();
            let special = Self {
                admin: administrator(desk, tenant, configured_admin.trim()),
                configured_admin,
                everyone: everyone.trim().strip_prefix("internal/").unwrap_or(everyone.trim()).to_owned(),
            };
            found.insert(tenant, special);
        }
        found
    }

    /// Whether an old role is the administrator's.
    pub(super) fn is_admin(&self, name: &str, internal: bool) -> bool {
        self.admin.as_ref().is_some_and(|(admin, kind)| *kind == internal && admin.eq_ignore_ascii_case(name))
    }

    /// Whether an old internal role is everybody's.
    pub(super) fn is_everyone(&self, name: &str) -> bool {
        self.everyone.eq_ignore_ascii_case(name)
    }
}

/// Which role `AdminRole` means. Without a prefix it is the store's own role, and the internal one only when there is no such.
fn administrator(desk: &Desk<'_>, tenant: i64, configured: &str) -> Option<(String, bool)> {
    match configured.split_once('/') {
        Some((store, name)) if store.eq_ignore_ascii_case("internal") => Some((name.to_ascii_lowercase(), true)),
        Some((store, name)) => (desk.names.store(store) == PRIMARY_STORE).then(|| (name.to_ascii_lowercase(), false)),
        None => {
            let external = desk.old.roles.iter().any(|r| r.tenant_id == tenant && r.name.eq_ignore_ascii_case(configured));
            Some((configured.to_ascii_lowercase(), !external))
        }
    }
}
