//! Roles: those of the user store, the internal ones, and who has which.
//!
//! A role keeps its name, because scopes and visibility name it, unless that name means something here that the role was not.

mod special;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{PRIMARY_STORE, TenantId, UserName};

use super::{
    About, Carried, Desk, Role,
    permissions::{Effective, Power, of_store},
};
use special::{ADMIN, EVERYONE, Special};

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
    /// Roles that got another name, by tenant and old name in lower case, for lists that name them.
    pub(super) renamed: HashMap<(TenantId, String), String>,
    /// By tenant: the old name of everybody's role, where it was not ours.
    of_all: HashMap<i64, String>,
    /// Users of stores that other servers keep who were given roles of ours.
    pub(super) elsewhere: BTreeSet<UserName>,
}

/// An old role as it is carried.
#[derive(Debug)]
struct Taken {
    ours: String,
    /// It is the administrator's, so its members are administrators here.
    administers: bool,
}

impl Taken {
    fn give(&self, to: &mut Vec<String>) {
        to.push(self.ours.clone());
        if self.administers && !self.ours.eq_ignore_ascii_case(ADMIN) {
            to.push(ADMIN.to_owned());
        }
    }
}

/// Old roles by tenant, number and whether internal; `None` for one that nobody is given.
type ByNumber = HashMap<(i64, i64, bool), Option<Taken>>;

impl Roles {
    /// The roles of a user of the primary store, in order, each once.
    pub(super) fn of(&self, tenant: i64, number: i64, name: &UserName) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let all = self.by_number.get(&(tenant, number)).into_iter().chain(self.by_name.get(name)).flatten();
        for role in all.chain(self.of_all.get(&tenant)) {
            if !found.contains(role) {
                found.push(role.clone());
            }
        }
        found
    }
}

pub(super) fn translate(desk: &mut Desk<'_>, effective: &Effective) -> Roles {
    let mut roles = Roles::default();
    let clients = client_names(desk);
    let special = Special::of(desk);
    let mut names = ByNumber::new();
    for role in &desk.old.roles {
        let old = Old { table: "UM_ROLE", tenant: role.tenant_id, name: &role.name, internal: false };
        let taken = take(desk, &mut roles, &special, effective, &old);
        names.insert((role.tenant_id, role.id, false), taken);
    }
    for role in &desk.old.hybrid_roles {
        let old = Old { table: "UM_HYBRID_ROLE", tenant: role.tenant_id, name: &role.name, internal: true };
        let taken = if special.get(&old.tenant).is_some_and(|s| s.is_everyone(old.name)) {
            everybodys(desk, &mut roles, &old);
            None
        } else if is_of_client(&old, &clients, effective) {
            desk.ledger.skipped(old.table, CLIENT_ROLE, 1);
            None
        } else {
            take(desk, &mut roles, &special, effective, &old)
        };
        names.insert((role.tenant_id, role.id, true), taken);
    }
    members(desk, &mut roles, &names);
    of_stores(desk, &mut roles, effective);
    for ((tenant, user), powers) in &effective.users {
        own_permissions(desk, &mut roles, *tenant, user, powers);
    }
    for (tenant, special) in special.iter().filter(|(_, s)| s.configured_admin != ADMIN) {
        desk.note(
            About::Role,
            "Its members get the role admin too, which is the administrator's here.",
            "user-mgt.xml AdminRole",
            format!("the administrator's role of tenant {tenant} is {}", special.configured_admin),
        );
    }
    roles
}

const CLIENT_ROLE: &str = "the role of an OAuth client, which allows nothing";

/// A row of a role table.
#[derive(Debug)]
struct Old<'a> {
    table: &'static str,
    tenant: i64,
    name: &'a str,
    internal: bool,
}

/// Names of service providers and clients, after which the old product named roles.
fn client_names(desk: &Desk<'_>) -> HashSet<(i64, String)> {
    let providers = desk.old.service_providers.iter().map(|p| (p.tenant_id, p.name));
    let clients = desk.old.oauth_clients.iter().filter_map(|c| Some((c.tenant_id?, c.name?)));
    providers.chain(clients).collect()
}

/// Whether an internal role was made for a client: it is named after one in a way people do not name roles, and allows nothing.
fn is_of_client(old: &Old<'_>, clients: &HashSet<(i64, String)>, effective: &Effective) -> bool {
    let client = match old.name.split_once('/') {
        Some((domain, client)) if domain.eq_ignore_ascii_case("application") => client,
        _ if has_shape_of_client(old.name) => old.name,
        _ => return false,
    };
    clients.contains(&(old.tenant, client.to_owned())) && !effective.is_holder(old.tenant, old.name, true)
}

/// `<user>_<application>_PRODUCTION` or `_SANDBOX`.
fn has_shape_of_client(name: &str) -> bool {
    let owned = name.strip_suffix("_PRODUCTION").or_else(|| name.strip_suffix("_SANDBOX"));
    owned.and_then(|o| o.split_once('_')).is_some_and(|(user, application)| !user.is_empty() && !application.is_empty())
}

/// Takes the role everybody has. Under another name than ours, scopes and plans still ask for it, so everybody is given it.
fn everybodys(desk: &mut Desk<'_>, roles: &mut Roles, old: &Old<'_>) {
    let known = Known { tenant: old.tenant, old: old.name.to_owned(), internal: true, ours: model::EVERYONE.to_owned() };
    roles.known.push(known);
    let Some(id) = desk.names.tenant(old.tenant).filter(|_| !old.name.eq_ignore_ascii_case(EVERYONE)) else {
        desk.ledger.merged(old.table, 1);
        return;
    };
    let name = in_full(old);
    desk.ledger.imported(old.table);
    desk.warn(
        About::Role,
        "Every user carried gets it as a role of his own, so that scopes, plans and visibility that name it go on working. Users made later lack it: name Internal/everyone there instead.",
        format!("user-mgt.xml EveryOneRoleName {name}"),
        format!("everybody's role of tenant {id} is {name}, which is Internal/everyone here"),
    );
    roles.list.push(Carried { key: format!("{}/{name}", old.tenant), value: Role { tenant: id, name: name.clone() } });
    roles.of_all.insert(old.tenant, name);
}

/// As scopes and visibility name it.
fn in_full(old: &Old<'_>) -> String {
    let has_domain = |domain: &str| old.name.split_once('/').is_some_and(|(d, _)| d.eq_ignore_ascii_case(domain));
    match old.internal && !has_domain("application") && !has_domain("workflow") {
        true => format!("Internal/{}", old.name),
        false => old.name.to_owned(),
    }
}

fn take(desk: &mut Desk<'_>, roles: &mut Roles, special: &BTreeMap<i64, Special>, effective: &Effective, old: &Old<'_>) -> Option<Taken> {
    let Some(id) = desk.names.tenant(old.tenant) else {
        desk.ledger.skipped(old.table, "its tenant is gone", 1);
        return None;
    };
    let administers = special.get(&old.tenant).is_some_and(|s| s.is_admin(old.name, old.internal));
    let mut ours = in_full(old);
    let would_administer = ours.eq_ignore_ascii_case(ADMIN) && !administers && !effective.administers(old.tenant, old.name, old.internal);
    if would_administer || ours.eq_ignore_ascii_case(model::EVERYONE) {
        let renamed = in_full(&Old { name: &free_name(desk, old), ..*old });
        desk.warn(
            About::Role,
            "That name means more here than there, so the role got another, and its members, its powers, and the scopes, plans and visibility that name it go with it.",
            format!("{} {} in tenant {id}", old.table, old.name),
            format!("{ours} is carried as {renamed}"),
        );
        roles.renamed.insert((id, ours.to_ascii_lowercase()), renamed.clone());
        ours = renamed;
    }
    let key = format!("{}/{ours}", old.tenant);
    if roles.list.iter().any(|r| r.key == key) {
        desk.ledger.merged(old.table, 1);
    } else {
        desk.ledger.imported(old.table);
        roles.list.push(Carried { key, value: Role { tenant: id, name: ours.clone() } });
        roles.known.push(Known { tenant: old.tenant, old: old.name.to_owned(), internal: old.internal, ours: ours.clone() });
    }
    Some(Taken { ours, administers })
}

/// `admin_of_old`, or with a number where the tenant has a role of that name. The same on each run.
fn free_name(desk: &Desk<'_>, old: &Old<'_>) -> String {
    let external = desk.old.roles.iter().map(|r| (r.tenant_id, &r.name)).filter(|_| !old.internal);
    let internal = desk.old.hybrid_roles.iter().map(|r| (r.tenant_id, &r.name)).filter(|_| old.internal);
    let used: HashSet<String> =
        external.chain(internal).filter(|(tenant, _)| *tenant == old.tenant).map(|(_, name)| name.to_ascii_lowercase()).collect();
    let mut name = format!("{}_of_old", old.name.to_ascii_lowercase());
    let wanted = name.clone();
    let mut number = 1u32;
    while used.contains(&name) {
        number += 1;
        name = format!("{wanted}_{number}");
    }
    name
}

fn members(desk: &mut Desk<'_>, roles: &mut Roles, names: &ByNumber) {
    let users: HashSet<(i64, i64)> = desk.old.users.iter().map(|u| (u.tenant_id, u.id)).collect();
    let mut external = |desk: &mut Desk<'_>, table: &str, role: (i64, i64), user: (i64, i64)| match names.get(&(role.0, role.1, false)) {
        Some(Some(_)) if role.0 != user.0 => {
            // By its name it would be the user's own tenant's role, which is another one.
            desk.ledger.skipped(table, "a role of another tenant", 1);
            desk.warn(
                About::Role,
                "The user does not have it here: roles do not reach into other tenants.",
                format!("{table} {} {}", role.0, role.1),
                format!("user {} of tenant {} has a role of tenant {}", user.1, user.0, role.0),
            );
        }
        Some(Some(role)) if users.contains(&user) => {
            role.give(roles.by_number.entry(user).or_default());
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
    let ours = desk.old.users.iter().filter(|u| !desk.elsewhere.has_primary(u.tenant_id));
    let local: HashSet<UserName> = ours.map(|u| desk.names.user_in(&u.name, None, Some(u.tenant_id))).collect();
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
            role.give(roles.by_name.entry(name).or_default());
        } else if desk.elsewhere.get(link.tenant_id, &name.store).is_some() {
            desk.ledger.merged(TABLE, 1);
            role.give(roles.by_name.entry(name.clone()).or_default());
            roles.elsewhere.insert(name);
        } else {
            desk.ledger.skipped(TABLE, "its user is not in the primary store", 1);
        }
    }
}

/// Takes the roles of other servers' stores that were allowed or denied something. Who is in them, the servers say.
fn of_stores(desk: &mut Desk<'_>, roles: &mut Roles, effective: &Effective) {
    for (tenant, store, role) in &effective.elsewhere {
        let Some((id, definition)) = desk.names.tenant(*tenant).zip(desk.elsewhere.get(*tenant, store)) else { continue };
        let Some(ours) = definition.roles_of_group(role).into_iter().next() else { continue };
        if definition.is_primary() && !ours.eq_ignore_ascii_case(role) {
            roles.renamed.insert((id, role.clone()), ours.clone());
        }
        let key = format!("{tenant}/{ours}");
        if !roles.list.iter().any(|known| known.key.eq_ignore_ascii_case(&key)) {
            roles.list.push(Carried { key, value: Role { tenant: id, name: ours.clone() } });
            roles.known.push(Known { tenant: *tenant, old: of_store(store, role), internal: false, ours });
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
    if desk.elsewhere.get(tenant, &name.store).is_some() {
        roles.elsewhere.insert(name.clone());
    }
    roles.by_name.entry(name).or_default().push(role);
}
