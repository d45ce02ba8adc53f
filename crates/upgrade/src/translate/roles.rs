//! Roles: those of the user store, the internal ones, and who has which.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{PRIMARY_STORE, TenantId, UserName};

use super::{
    About, Carried, Desk, Role,
    permissions::{Effective, Power},
};

/// An old role that is carried.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) tenant: i64,
    /// As the old table writes it.
    pub(super) old: String,
    pub(super) internal: bool,
    /// As scopes and users name it here.
    pub(super) ours: String,
}

/// Roles, and the roles of each user.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pub(super) list: Vec<Carried<Role>>,
    pub(super) known: Vec<Known>,
    /// Roles made for users who held permissions by themselves: tenant, name, powers.
    pub(super) generated: Vec<(TenantId, String, BTreeSet<Power>)>,
    /// By tenant and old user number.
    by_number: HashMap<(i64, i64), Vec<String>>,
    /// By full name.
    by_name: HashMap<UserName, Vec<String>>,
}

impl Roles {
    /// The roles of a user of the primary store, in order, each once.
    pub(super) fn of(&self, tenant: i64, number: i64, name: &UserName) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let all = self.by_number.get(&(tenant, number)).into_iter().chain(self.by_name.get(name)).flatten();
        for role in all {
            if !found.contains(role) {
                found.push(role.clone());
            }
        }
        found
    }
}

pub(super) fn translate(desk: &mut Desk<'_>, effective: &Effective) -> Roles {
    let mut roles = Roles::default();
    let clients = client_roles(desk);
    let everyone = desk.input.settings.and_then(|s| s.everyone_role.clone()).unwrap_or_else(|| "everyone".to_owned());
    let everyone = everyone.strip_prefix("Internal/").unwrap_or(&everyone).to_ascii_lowercase();
    let mut names: HashMap<(i64, i64, bool), Option<String>> = HashMap::new();
    for role in &desk.old.roles {
        let taken = take(desk, &mut roles, "UM_ROLE", role.tenant_id, &role.name, false);
        names.insert((role.tenant_id, role.id, false), taken);
    }
    for role in &desk.old.hybrid_roles {
        let key = (role.tenant_id, role.id, true);
        let lower = role.name.to_ascii_lowercase();
        if lower == everyone {
            desk.ledger.merged("UM_HYBRID_ROLE", 1);
            roles.known.push(Known { tenant: role.tenant_id, old: role.name.clone(), internal: true, ours: model::EVERYONE.to_owned() });
            names.insert(key, None);
        } else if lower.starts_with("application/") || clients.contains(&(role.tenant_id, role.name.as_str())) {
            desk.ledger.skipped("UM_HYBRID_ROLE", CLIENT_ROLE, 1);
            names.insert(key, None);
        } else {
            let taken = take(desk, &mut roles, "UM_HYBRID_ROLE", role.tenant_id, &role.name, true);
            names.insert(key, taken);
        }
    }
    members(desk, &mut roles, &names);
    for ((tenant, user), powers) in &effective.users {
        own_permissions(desk, &mut roles, *tenant, user, powers);
    }
    administrators(desk, &mut roles);
    roles
}

const CLIENT_ROLE: &str = "the role of an OAuth client, which allows nothing";

/// Names of service providers and clients, after which the old product named roles.
fn client_roles<'a>(desk: &Desk<'a>) -> HashSet<(i64, &'a str)> {
    let providers = desk.old.service_providers.iter().map(|p| (p.tenant_id, p.name.as_str()));
    let clients = desk.old.oauth_clients.iter().filter_map(|c| Some((c.tenant_id?, c.name.as_deref()?)));
    providers.chain(clients).collect()
}

fn take(desk: &mut Desk<'_>, roles: &mut Roles, table: &str, tenant: i64, name: &str, internal: bool) -> Option<String> {
    let Some(id) = desk.names.tenant(tenant) else {
        desk.ledger.skipped(table, "its tenant is gone", 1);
        return None;
    };
    let ours = if internal { format!("Internal/{name}") } else { name.to_owned() };
    let key = format!("{tenant}/{ours}");
    if roles.list.iter().any(|r| r.key == key) {
        desk.ledger.merged(table, 1);
    } else {
        desk.ledger.imported(table);
        roles.list.push(Carried { key, value: Role { tenant: id, name: ours.clone() } });
        roles.known.push(Known { tenant, old: name.to_owned(), internal, ours: ours.clone() });
    }
    Some(ours)
}

fn members(desk: &mut Desk<'_>, roles: &mut Roles, names: &HashMap<(i64, i64, bool), Option<String>>) {
    let users: HashSet<(i64, i64)> = desk.old.users.iter().map(|u| (u.tenant_id, u.id)).collect();
    let mut external = |desk: &mut Desk<'_>, table: &str, role: (i64, i64), user: (i64, i64)| match names.get(&(role.0, role.1, false)) {
        Some(Some(name)) if users.contains(&user) => {
            roles.by_number.entry(user).or_default().push(name.clone());
            desk.ledger.merged(table, 1);
        }
        _ => desk.ledger.skipped(table, "its user or role is gone", 1),
    };
    for link in &desk.old.role_assignments {
        external(desk, "UM_USER_ROLE", (link.tenant_id, link.role_id), (link.tenant_id, link.user_id));
    }
    for link in &desk.old.shared_role_assignments {
        external(desk, "UM_SHARED_USER_ROLE", (link.role_tenant_id, link.role_id), (link.user_tenant_id, link.user_id));
    }
    let stores: HashMap<(i64, i64), &str> = desk.old.user_domains.iter().map(|d| ((d.tenant_id, d.id), d.name.as_str())).collect();
    let local: HashSet<UserName> = desk.old.users.iter().map(|u| desk.names.user_in(&u.name, None, Some(u.tenant_id))).collect();
    for link in &desk.old.hybrid_assignments {
        const TABLE: &str = "UM_HYBRID_USER_ROLE";
        let store = match link.domain_id {
            None => Some(PRIMARY_STORE),
            Some(id) => stores.get(&(link.tenant_id, id)).copied(),
        };
        let role = names.get(&(link.tenant_id, link.role_id, true));
        let (Some(role), Some(store)) = (role, store) else {
            desk.ledger.skipped(TABLE, if role.is_none() { "its role is gone" } else { "its user store is gone" }, 1);
            continue;
        };
        let Some(role) = role else {
            desk.ledger.skipped(TABLE, "a role everybody has, or one of an OAuth client", 1);
            continue;
        };
        let name = desk.names.user_in(&link.user_name, Some(store), Some(link.tenant_id));
        if local.contains(&name) {
            desk.ledger.merged(TABLE, 1);
            roles.by_name.entry(name).or_default().push(role.clone());
        } else {
            desk.ledger.skipped(TABLE, "its user is not in the primary store", 1);
        }
    }
}

fn own_permissions(desk: &mut Desk<'_>, roles: &mut Roles, tenant: i64, user: &str, powers: &BTreeSet<Power>) {
    let Some(id) = desk.names.tenant(tenant) else { return };
    let name = desk.names.user(user, Some(tenant));
    let role = format!("Internal/permissions of {}", name.without_tenant());
    desk.note(
        About::Role,
        "A role was made for permissions that a user held by himself.",
        format!("UM_USER_PERMISSION of {name}"),
        format!("{role} in tenant {tenant}"),
    );
    roles.list.push(Carried { key: format!("{tenant}/{role}"), value: Role { tenant: id, name: role.clone() } });
    roles.generated.push((id, role.clone(), powers.clone()));
    roles.by_name.entry(name).or_default().push(role);
}

/// Whoever has the old administrator's role also gets ours, when it has another name there.
fn administrators(desk: &mut Desk<'_>, roles: &mut Roles) {
    let mut named: BTreeMap<i64, String> = BTreeMap::new();
    let of_site = desk.input.settings.and_then(|s| s.admin_role.clone());
    named.insert(crate::old::people::SUPER_TENANT_ID, of_site.clone().unwrap_or_else(|| "admin".to_owned()));
    for tenant in &desk.old.tenants {
        let own = tenant.realm().ok().flatten().and_then(|r| r.admin_role);
        named.insert(tenant.id, own.or_else(|| of_site.clone()).unwrap_or_else(|| "admin".to_owned()));
    }
    let domains: HashMap<i64, String> = named.keys().filter_map(|t| Some((*t, desk.names.domain(*t)?.to_owned()))).collect();
    let is_admin = |tenant: i64, role: &str| {
        let bare = |r: &str| r.strip_prefix("Internal/").unwrap_or(r).to_ascii_lowercase();
        named.get(&tenant).is_some_and(|n| bare(n) == bare(role))
    };
    for ((tenant, _), held) in &mut roles.by_number {
        if held.iter().any(|r| is_admin(*tenant, r)) && !held.iter().any(|r| r == "admin") {
            held.push("admin".to_owned());
        }
    }
    for (name, held) in &mut roles.by_name {
        let tenant = domains.iter().find(|(_, d)| **d == name.tenant).map(|(t, _)| *t);
        if let Some(tenant) = tenant
            && held.iter().any(|r| is_admin(tenant, r))
            && !held.iter().any(|r| r == "admin")
        {
            held.push("admin".to_owned());
        }
    }
    for (tenant, role) in named {
        if role.strip_prefix("Internal/").unwrap_or(&role) != "admin" || role != "admin" {
            desk.note(
                About::Role,
                "Its members get the role admin too, which is the administrator's here.",
                "user-mgt.xml AdminRole",
                format!("the administrator's role of tenant {tenant} is {role}"),
            );
        }
    }
}
