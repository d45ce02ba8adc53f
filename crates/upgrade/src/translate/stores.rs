//! User stores that other servers keep. Their users stay there: only where they are, and how to ask about them, is carried.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{PRIMARY_STORE, Secret, UserName, UserStore, UserStoreKind};
use userstores::{Directory, overridden};

use super::{About, Carried, Desk, SUPER_TENANT_ID};
use crate::old::stores::{Hidden, OldUserStore};

/// Where the old product's own store classes stand.
const OWN_PACKAGE: &str = "org.wso2.carbon.user.core.";
/// Domains that mean roles and not people.
const RESERVED: [&str; 6] = [PRIMARY_STORE, "INTERNAL", "SYSTEM", "APPLICATION", "WORKFLOW", "REGISTRY"];
/// Attributes looked at where no claim of the tenant names any.
const USUAL_ATTRIBUTES: [&str; 5] = ["mail", "givenName", "sn", "cn", "mobile"];
/// Attributes looked at.
const ATTRIBUTES_MAX: usize = 60;

const CANNOT: &str = "Its users cannot sign in here; their applications, keys and tokens are carried.";

/// What became of the stores.
#[derive(Debug, Default)]
pub(super) struct Stores {
    pub(super) list: Vec<Carried<UserStore>>,
    /// Stores that could not be carried.
    pub(super) left_out: u64,
}

/// The stores that other servers keep, by old tenant number and name.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(BTreeMap<(i64, String), UserStore>);

impl Elsewhere {
    pub(super) fn of(list: &[Carried<UserStore>]) -> Self {
        Self(list.iter().map(|s| ((i64::from(s.value.tenant.0), s.value.name()), s.value.clone())).collect())
    }

    pub(super) fn get(&self, tenant: i64, store: &str) -> Option<&UserStore> {
        self.0.get(&(tenant, store.to_uppercase()))
    }

    /// Whether another server keeps the tenant's primary store, so that the tables hold none of its users.
    pub(super) fn has_primary(&self, tenant: i64) -> bool {
        self.get(tenant, PRIMARY_STORE).is_some()
    }
}

pub(super) fn translate(desk: &mut Desk<'_>) -> Stores {
    let mut done = Stores::default();
    let mut seen: HashSet<(i64, String)> = HashSet::new();
    let mut positions: HashMap<i64, u32> = HashMap::new();
    let stores = desk.input.stores;
    for old in stores {
        let Some(kind) = kind(&old.class) else {
            let consequence = "Its users cannot sign in here, because nobody but that class knows how to ask it; their applications, keys and tokens are carried.";
            let words = format!("{} is a class of the site's own: {}", old.class, old.shown());
            desk.warn(About::User, consequence, old.origin.clone(), words);
            done.left_out += 1;
            continue;
        };
        // Users of the primary JDBC store are in the tables, and are carried.
        if old.is_primary && kind == UserStoreKind::Jdbc {
            continue;
        }
        match one(desk, old, kind, &mut seen, positions.entry(old.tenant_id).or_default()) {
            Some(store) => done.list.push(store),
            None => done.left_out += 1,
        }
    }
    done
}

fn one(
    desk: &mut Desk<'_>,
    old: &OldUserStore,
    kind: UserStoreKind,
    seen: &mut HashSet<(i64, String)>,
    position: &mut u32,
) -> Option<Carried<UserStore>> {
    let origin = old.origin.as_str();
    let Some(tenant) = desk.names.tenant(old.tenant_id) else {
        desk.warn(About::User, "It is left out.", origin, format!("tenant {} does not exist", old.tenant_id));
        return None;
    };
    let domain = if old.is_primary { Some(PRIMARY_STORE) } else { old.property("DomainName") };
    let Some(domain) = domain else {
        desk.warn(About::User, CANNOT, origin, "it has no DomainName, so the old product did not use it either");
        return None;
    };
    let name = domain.to_uppercase();
    if !old.is_primary && (RESERVED.contains(&name.as_str()) || desk.names.store(domain) == PRIMARY_STORE || name.contains(['/', '@'])) {
        desk.warn(About::User, CANNOT, origin, format!("its DomainName {domain} means something else"));
        return None;
    }
    if !seen.insert((old.tenant_id, name.clone())) {
        desk.warn(About::User, CANNOT, origin, format!("another store of the tenant has the DomainName {domain}, and counts"));
        return None;
    }
    let mut store = UserStore {
        tenant,
        domain: domain.to_owned(),
        kind,
        disabled: old.property("Disabled").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        position: *position,
        admin_role: admin_role(desk, old.tenant_id, &name),
        attributes: attributes(desk, old.tenant_id, &name),
        properties: old.properties.clone(),
        secrets: Vec::new(),
    };
    *position += 1;
    for (property, hidden) in &old.hidden {
        match hidden {
            Hidden::Known(secret) => store.secrets.push((property.clone(), Secret::new(secret.expose().clone()))),
            Hidden::Closed(why) => desk.warn(
                About::User,
                "Until its password is known here, the store cannot be asked: supply the old keystore and its password (TIDEGATE_SOURCE_KEYSTORE_PASSWORD) and run this again.",
                origin,
                format!("{property} of {domain}: {why}"),
            ),
        }
    }
    tell(desk, &store, origin);
    Some(Carried { key: format!("{}/{name}", old.tenant_id), value: store })
}

/// What an operator should know of a store that is carried.
fn tell(desk: &mut Desk<'_>, store: &UserStore, origin: &str) {
    let domain = &store.domain;
    if store.disabled {
        desk.note(About::User, "It is carried, and stays switched off.", origin, format!("user store {domain} is disabled"));
    }
    if let Err(fault) = Directory::new(store) {
        desk.warn(About::User, CANNOT, origin, format!("user store {domain}: {fault}"));
    }
    for statement in overridden(store).into_iter().filter(|statement| statement.refused.is_none()) {
        let words = format!("user store {domain} has its own {}", statement.property);
        desk.note(About::User, "It is run as it stands, in a transaction that can only read.", origin, words);
    }
    let is_written =
        store.kind != UserStoreKind::LdapReadOnly && !store.property("ReadOnly").is_some_and(|t| t.eq_ignore_ascii_case("true"));
    if is_written {
        desk.note(
            About::User,
            "It is only read from here: accounts are made and passwords changed at that server.",
            origin,
            format!("the old product may have written to user store {domain}"),
        );
    }
    if store.property("InsecureTLS").is_some() {
        let words = format!("user store {domain} is reached with --user-store-any-certificate");
        desk.warn(
            About::User,
            "Whoever stands between can read passwords. Name the authority with --user-store-ca instead.",
            origin,
            words,
        );
    }
    let is_open =
        store.property("ConnectionURL").is_some_and(|url| url.to_ascii_lowercase().split_whitespace().any(|u| u.starts_with("ldap://")));
    if is_open && !store.property("StartTLSEnabled").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        let words = format!("user store {domain} is reached without TLS");
        desk.note(About::User, "As before, passwords travel to that server in clear.", origin, words);
    }
}

fn kind(class: &str) -> Option<UserStoreKind> {
    match class.strip_prefix(OWN_PACKAGE)? {
        "jdbc.JDBCUserStoreManager" => Some(UserStoreKind::Jdbc),
        "ldap.ReadOnlyLDAPUserStoreManager" => Some(UserStoreKind::LdapReadOnly),
        "ldap.ReadWriteLDAPUserStoreManager" => Some(UserStoreKind::LdapReadWrite),
        "ldap.ActiveDirectoryUserStoreManager" | "ldap.ActiveDirectoryLDAPUserStoreManager" => Some(UserStoreKind::ActiveDirectory),
        _ => None,
    }
}

/// The administrators' role, where it is one of this store.
fn admin_role(desk: &Desk<'_>, tenant: i64, store: &str) -> Option<String> {
    let realm = desk.old.tenants.iter().find(|t| t.id == tenant).and_then(|t| t.realm().ok().flatten());
    let configured = realm.and_then(|r| r.admin_role).or_else(|| desk.input.settings.and_then(|s| s.admin_role.clone()));
    let configured = configured.unwrap_or_else(|| "admin".to_owned());
    match configured.trim().split_once('/') {
        Some((domain, role)) => (desk.names.store(domain) == store).then(|| role.to_owned()),
        None => (store == PRIMARY_STORE).then(|| configured.trim().to_owned()),
    }
}

/// The user who administers a tenant whose primary store another server keeps. Without him nobody could, until he signs in.
pub(super) fn administrator(desk: &Desk<'_>, tenant: i64) -> Option<UserName> {
    let realm = desk.old.tenants.iter().find(|t| t.id == tenant).and_then(|t| t.realm().ok().flatten());
    let site = || desk.input.settings.and_then(|s| s.admin_user.clone()).filter(|_| tenant == SUPER_TENANT_ID);
    let name = realm.and_then(|r| r.admin_user).or_else(site)?;
    let name = desk.names.user(&name, Some(tenant));
    desk.elsewhere.get(tenant, &name.store).map(|_| name)
}

/// The store's attributes that claims of the tenant are mapped to.
fn attributes(desk: &Desk<'_>, tenant: i64, store: &str) -> Vec<String> {
    let is_ours = |domain: Option<&str>| domain.is_none_or(|d| d.trim().is_empty() || desk.names.store(d) == store);
    let mut found: Vec<String> = Vec::new();
    for claim in desk.old.claims.iter().filter(|c| c.tenant_id == tenant && is_ours(c.attribute_domain.as_deref())) {
        let Some(attribute) = claim.attribute.as_deref().map(str::trim).filter(|a| !a.is_empty()) else { continue };
        // Photographs and passwords are no claims anybody reads here.
        let is_plain = attribute.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
            && !attribute.to_ascii_lowercase().contains("password");
        if is_plain && !found.iter().any(|known| known.eq_ignore_ascii_case(attribute)) && found.len() < ATTRIBUTES_MAX {
            found.push(attribute.to_owned());
        }
    }
    if found.is_empty() {
        found.extend(USUAL_ATTRIBUTES.map(str::to_owned));
    }
    found
}
