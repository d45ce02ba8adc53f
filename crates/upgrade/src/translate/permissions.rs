//! What each role may do, from the permission tree, and the REST scopes that follow.
//!
//! Authority is derived from permissions, never from role names: `creator` is a convention, the path below is not. A permission on
//! a path covers what is below it; the nearest entry decides, and a denial beats an allowance on the same path. Role names and
//! paths compare without letter case, because the old product stored them lower-cased.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{PRIMARY_STORE, ScopeBinding, TenantId, default_rest_scopes};

use super::{About, Carried, Desk, RestScopes, roles::Roles};
use crate::old::people::{RolePermission, SUPER_TENANT_ID};

/// The action of a permission of the consoles.
const EXECUTE: &str = "ui.execute";
const ROOTS: [&str; 2] = ["/permission", "/permission/admin"];
const MANAGE: &str = "/permission/admin/manage";

/// Scopes whoever keeps tiers needs.
const TIERS: &[&str] = &["apim:tier_view", "apim:tier_manage", "apim:bl_view", "apim:bl_manage", "apim:admin_settings"];
/// Scopes whoever settles approvals needs.
const WORKFLOWS: &[&str] = &["apim:api_workflow_view", "apim:api_workflow_approve", "apim:admin_settings"];

/// Something a permission lets people do with API Manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Power {
    /// Everything.
    Admin,
    /// Make APIs.
    Create,
    /// Publish them.
    Publish,
    /// Subscribe to them.
    Subscribe,
    /// Keep limits.
    Tiers,
    /// Settle approvals.
    Workflows,
    /// The admin portal of 2.x.
    ApiAdmin,
}

impl Power {
    const PATHS: [(Self, &'static str); 6] = [
        (Self::Create, "/permission/admin/manage/api/create"),
        (Self::Publish, "/permission/admin/manage/api/publish"),
        (Self::Subscribe, "/permission/admin/manage/api/subscribe"),
        (Self::Tiers, "/permission/admin/manage/manage_tiers"),
        (Self::Workflows, "/permission/admin/manage/workflowadmin"),
        (Self::ApiAdmin, "/permission/admin/manage/apim_admin"),
    ];

    fn grants(self, scope: &str, default_roles: &[&str]) -> bool {
        match self {
            Self::Admin => true,
            Self::Create => default_roles.contains(&"Internal/creator"),
            Self::Publish => default_roles.contains(&"Internal/publisher"),
            Self::Subscribe => default_roles.contains(&"Internal/subscriber"),
            Self::Tiers => TIERS.contains(&scope),
            Self::Workflows => WORKFLOWS.contains(&scope),
            Self::ApiAdmin => scope.starts_with("apim:admin") || TIERS.contains(&scope),
        }
    }
}

/// A holder's entries by path: allowed or denied.
#[derive(Debug, Default)]
struct Tree(BTreeMap<String, bool>);

impl Tree {
    fn put(&mut self, path: &str, allowed: bool) {
        let path = path.trim_end_matches('/').to_ascii_lowercase();
        let entry = self.0.entry(path).or_insert(allowed);
        *entry = *entry && allowed;
    }

    /// The entry that decides about a path: the one on it, or else the nearest above.
    fn nearest(&self, path: &str) -> Option<(&str, bool)> {
        let mut path = path;
        loop {
            if let Some((at, allowed)) = self.0.get_key_value(path) {
                return Some((at, *allowed));
            }
            match path.rsplit_once('/') {
                Some((above, _)) if !above.is_empty() => path = above,
                _ => return None,
            }
        }
    }

    fn allows(&self, path: &str) -> bool {
        self.nearest(path).is_some_and(|(_, allowed)| allowed)
    }

    /// Paths that are denied and decide about a power.
    fn denials(&self) -> BTreeSet<&str> {
        Power::PATHS.into_iter().filter_map(|(_, path)| self.nearest(path)).filter(|(_, allowed)| !allowed).map(|(at, _)| at).collect()
    }

    fn powers(&self) -> BTreeSet<Power> {
        let mut found: BTreeSet<Power> = Power::PATHS.into_iter().filter(|(_, path)| self.allows(path)).map(|(power, _)| power).collect();
        // Nothing below denied, so everything is allowed.
        if ROOTS.iter().any(|root| self.0.get(*root) == Some(&true)) && self.allows(MANAGE) && found.len() == Power::PATHS.len() {
            found.insert(Power::Admin);
        }
        found
    }
}

/// A role: tenant, lower-case name, and whether it is an internal one.
type Holder = (i64, String, bool);

/// Powers of roles and users, by tenant.
#[derive(Debug, Default)]
pub(super) struct Effective {
    roles: HashMap<Holder, BTreeSet<Power>>,
    /// Roles that any row speaks of, also one of a registry path.
    holders: BTreeSet<Holder>,
    /// Roles of stores that other servers keep, by tenant, store and name in lower case. No table lists such roles.
    pub(super) elsewhere: BTreeSet<(i64, String, String)>,
    /// By tenant and user name.
    pub(super) users: BTreeMap<(i64, String), BTreeSet<Power>>,
}

impl Effective {
    /// Reads the permission tables.
    pub(super) fn of(desk: &mut Desk<'_>) -> Self {
        let old = desk.old;
        let paths: HashMap<(i64, i64), &str> = old
            .permissions
            .iter()
            .filter(|p| p.action.eq_ignore_ascii_case(EXECUTE))
            .map(|p| ((p.tenant_id, p.id), p.resource.as_str()))
            .collect();
        let registry: BTreeSet<(i64, i64)> =
            old.permissions.iter().filter(|p| !p.action.eq_ignore_ascii_case(EXECUTE)).map(|p| (p.tenant_id, p.id)).collect();
        let known: BTreeSet<Holder> = old
            .roles
            .iter()
            .map(|r| (r.tenant_id, r.name.to_ascii_lowercase(), false))
            .chain(old.hybrid_roles.iter().map(|r| (r.tenant_id, r.name.to_ascii_lowercase(), true)))
            .collect();
        let stores = Stores::of(desk);
        let mut holders = BTreeSet::new();
        let mut elsewhere = BTreeSet::new();
        let mut trees: HashMap<Holder, Tree> = HashMap::new();
        for entry in &old.role_permissions {
            let meant = stores.roles(entry);
            let mut found: BTreeSet<Holder> = meant.iter().flatten().filter(|h| known.contains(h)).cloned().collect();
            if let Some((store, role)) = stores.elsewhere(desk, entry) {
                found.insert((entry.tenant_id, of_store(&store, &role), false));
                elsewhere.insert((entry.tenant_id, store, role));
            }
            holders.extend(found.iter().cloned());
            let Some(path) = paths.get(&(entry.tenant_id, entry.permission_id)) else {
                let why = if registry.contains(&(entry.tenant_id, entry.permission_id)) { ACL } else { "its permission is gone" };
                desk.ledger.skipped(("UM_ROLE_PERMISSION", entry.tenant_id), why, 1);
                continue;
            };
            match (meant, found.is_empty()) {
                (_, false) => desk.ledger.merged(("UM_ROLE_PERMISSION", entry.tenant_id), 1),
                (None, true) => desk.ledger.skipped(("UM_ROLE_PERMISSION", entry.tenant_id), "role of another store", 1),
                (Some(_), true) => desk.ledger.skipped(("UM_ROLE_PERMISSION", entry.tenant_id), "its role does not exist", 1),
            }
            for holder in found {
                trees.entry(holder).or_default().put(path, entry.allowed.unwrap_or(true));
            }
        }
        let mut users: BTreeMap<(i64, String), Tree> = BTreeMap::new();
        for entry in &old.user_permissions {
            match paths.get(&(entry.tenant_id, entry.permission_id)) {
                Some(path) => {
                    users.entry((entry.tenant_id, entry.user.clone())).or_default().put(path, entry.allowed.unwrap_or(true));
                    desk.ledger.merged(("UM_USER_PERMISSION", entry.tenant_id), 1);
                }
                None => desk.ledger.skipped(("UM_USER_PERMISSION", entry.tenant_id), ACL, 1),
            }
        }
        for permission in &old.permissions {
            match permission.action.eq_ignore_ascii_case(EXECUTE) {
                true => desk.ledger.merged(("UM_PERMISSION", permission.tenant_id), 1),
                false => desk.ledger.skipped(("UM_PERMISSION", permission.tenant_id), ACL, 1),
            }
        }
        for ((tenant, user), tree) in &users {
            denied(desk, *tenant, user, tree);
        }
        Self {
            holders,
            elsewhere,
            roles: trees.into_iter().map(|(key, tree)| (key, tree.powers())).collect(),
            users: users.into_iter().map(|(key, tree)| (key, tree.powers())).filter(|(_, powers)| !powers.is_empty()).collect(),
        }
    }

    /// Whether a role may do everything.
    pub(super) fn administers(&self, tenant: i64, name: &str, internal: bool) -> bool {
        self.role(tenant, name, internal).contains(&Power::Admin)
    }

    /// Whether anything was ever allowed or denied to a role.
    pub(super) fn is_holder(&self, tenant: i64, name: &str, internal: bool) -> bool {
        self.holders.contains(&(tenant, name.to_ascii_lowercase(), internal))
    }

    fn role(&self, tenant: i64, name: &str, internal: bool) -> BTreeSet<Power> {
        self.roles.get(&(tenant, name.to_ascii_lowercase(), internal)).cloned().unwrap_or_default()
    }
}

/// How a role of a store stands among the old ones: the primary store's without domain.
pub(super) fn of_store(store: &str, role: &str) -> String {
    if store == PRIMARY_STORE { role.to_owned() } else { format!("{}/{role}", store.to_lowercase()) }
}

/// User stores by tenant and number: a role is known by its name only together with its store.
struct Stores(HashMap<(i64, i64), String>);

impl Stores {
    fn of(desk: &mut Desk<'_>) -> Self {
        let stores: HashMap<_, _> = desk.old.user_domains.iter().map(|d| ((d.tenant_id, d.id), desk.names.store(&d.name))).collect();
        let tenants: BTreeSet<i64> = stores.keys().map(|(tenant, _)| *tenant).collect();
        let primary: BTreeSet<i64> = stores.iter().filter(|(_, name)| *name == PRIMARY_STORE).map(|((tenant, _), _)| *tenant).collect();
        for tenant in tenants.difference(&primary) {
            desk.warn(
                About::Role,
                "Permissions and members of the primary store's roles are left out. Name the folder of the old installation, which says how its primary store is called.",
                "UM_DOMAIN",
                format!("none of the user stores of tenant {tenant} is known to be the primary one"),
            );
        }
        Self(stores)
    }

    /// The store and role, in lower case, that a row means, where another server keeps that store.
    fn elsewhere(&self, desk: &Desk<'_>, entry: &RolePermission) -> Option<(String, String)> {
        let store = self.0.get(&(entry.tenant_id, entry.domain_id?))?;
        let role = entry.role.to_ascii_lowercase();
        let is_of_store = !role.starts_with("internal/") && !role.starts_with("application/") && !role.starts_with("workflow/");
        desk.elsewhere.get(entry.tenant_id, store).filter(|_| is_of_store).map(|found| (found.name(), role))
    }

    /// The roles a row may mean in the tables; `None` for one of a secondary store.
    fn roles(&self, entry: &RolePermission) -> Option<Vec<Holder>> {
        let name = entry.role.to_ascii_lowercase();
        let holder = |name: &str, internal| (entry.tenant_id, name.to_owned(), internal);
        let internal = name.strip_prefix("internal/");
        // Without a store the role of either kind is meant.
        let Some(domain) = entry.domain_id else {
            return Some(internal.map_or_else(|| vec![holder(&name, true), holder(&name, false)], |bare| vec![holder(bare, true)]));
        };
        match (self.0.get(&(entry.tenant_id, domain)).map(String::as_str)?, internal) {
            (PRIMARY_STORE | "INTERNAL", Some(bare)) => Some(vec![holder(bare, true)]),
            ("INTERNAL", None) => Some(vec![holder(&name, true)]),
            (PRIMARY_STORE, None) => Some(vec![holder(&name, false)]),
            // Their roles stand among the internal ones with the domain in their names.
            (domain @ ("APPLICATION" | "WORKFLOW"), _) => {
                let prefix = format!("{}/", domain.to_ascii_lowercase());
                let full = if name.starts_with(&prefix) { name } else { prefix + &name };
                Some(vec![holder(&full, true)])
            }
            _ => None,
        }
    }
}

/// Tells of what was denied to a user by name: only roles decide here, and roles cannot say that.
fn denied(desk: &mut Desk<'_>, tenant: i64, user: &str, tree: &Tree) {
    let name = desk.names.user(user, Some(tenant));
    for path in tree.denials() {
        desk.warn(
            About::User,
            "The user may gain what was denied to him by name, whatever that costs (calls he pays or you pay, APIs he publishes): here his roles alone decide. Take from him the roles that allow it.",
            format!("UM_USER_PERMISSION of {name}"),
            format!("{name} was denied {path}"),
        );
    }
}

const ACL: &str = "a registry path's access list; an API's own visibility says the same";

/// The REST scopes of each tenant: the defaults, and the roles that had the power for it.
pub(super) fn rest_scopes(desk: &mut Desk<'_>, effective: &Effective, roles: &Roles) -> Vec<Carried<RestScopes>> {
    let tenants: Vec<i64> = std::iter::once(SUPER_TENANT_ID).chain(desk.old.tenants.iter().map(|t| t.id)).collect();
    let mut done = Vec::new();
    for tenant in tenants {
        let Some(id) = desk.names.tenant(tenant) else { continue };
        // Each old role: our name for it and what it may do.
        let mut holders: BTreeMap<String, BTreeSet<Power>> = BTreeMap::new();
        for role in roles.known.iter().filter(|r| r.tenant == tenant) {
            holders.insert(role.ours.clone(), effective.role(tenant, &role.old, role.internal));
        }
        for (name, powers) in roles.generated.iter().filter(|g| g.0 == id).map(|g| (&g.1, &g.2)) {
            holders.insert(name.clone(), powers.clone());
        }
        done.push(Carried { key: tenant.to_string(), value: bindings(desk, id, &holders) });
    }
    done
}

fn bindings(desk: &mut Desk<'_>, tenant: TenantId, holders: &BTreeMap<String, BTreeSet<Power>>) -> RestScopes {
    let mut narrowed: BTreeSet<&str> = BTreeSet::new();
    let mut bindings = Vec::new();
    for scope in default_rest_scopes() {
        let mut roles = vec!["admin".to_owned()];
        for role in scope.roles {
            // A role the old site had means what it meant there, however it is called.
            match holders.iter().find(|(name, _)| name.eq_ignore_ascii_case(role)) {
                Some((_, powers)) if !powers.iter().any(|p| p.grants(scope.name, scope.roles)) => drop(narrowed.insert(role)),
                _ => roles.push((*role).to_owned()),
            }
        }
        for (name, powers) in holders {
            let has = powers.iter().any(|p| p.grants(scope.name, scope.roles));
            if has && !roles.iter().any(|r| r.eq_ignore_ascii_case(name)) {
                roles.push(name.clone());
            }
        }
        bindings.push(ScopeBinding { scope: scope.name.to_owned(), roles });
    }
    for role in narrowed {
        desk.note(
            About::Role,
            "The role keeps only what its old permissions allowed, although a new installation gives a role of that name more.",
            format!("UM_ROLE_PERMISSION of {role}"),
            format!("{role} existed in tenant {tenant} with fewer powers"),
        );
    }
    RestScopes { tenant, bindings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers(entries: &[(&str, bool)]) -> Vec<Power> {
        let mut tree = Tree::default();
        for (path, allowed) in entries {
            tree.put(path, *allowed);
        }
        tree.powers().into_iter().collect()
    }

    #[test]
    fn a_path_covers_what_is_below_and_the_nearest_entry_decides() {
        use Power::{Create, Publish, Subscribe, Tiers};
        assert_eq!(powers(&[("/permission/admin/manage/api/create", true)]), [Create]);
        assert_eq!(powers(&[("/Permission/Admin/Manage/API", true)]), [Create, Publish, Subscribe]);
        assert_eq!(powers(&[("/permission/admin/manage/api", true), ("/permission/admin/manage/api/publish", false)]), [Create, Subscribe]);
        assert_eq!(powers(&[("/permission/admin/manage", false), ("/permission/admin/manage/manage_tiers/", true)]), [Tiers]);
        assert_eq!(powers(&[("/permission/admin/manage/api/create", true), ("/permission/admin/manage/api/create", false)]), []);
        assert_eq!(powers(&[("/permission/administrator", true)]), []);
    }

    #[test]
    fn the_whole_tree_is_an_administrator() {
        assert!(powers(&[("/permission", true)]).contains(&Power::Admin));
        assert!(powers(&[("/permission/admin", true)]).contains(&Power::Admin));
        assert!(!powers(&[("/permission/admin", true), ("/permission/admin/manage/api/publish", false)]).contains(&Power::Admin));
        assert!(!powers(&[("/permission/admin/manage", true)]).contains(&Power::Admin));
    }
}
