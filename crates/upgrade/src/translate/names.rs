//! The many spellings of a user's name in old tables, brought to one.
//!
//! A name may carry its tenant (`bob@acme.com`) or leave it to a column, carry its store (`LDAP/eve`) or leave it to a column,
//! be an e-mail address, and hold a blank before the `@`, or a slash of its own. The primary store may have a name of its own, which then means
//! the primary store here.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{PRIMARY_STORE, SUPER_TENANT_DOMAIN, TenantId, UserName};

use crate::old::{Installation, people::SUPER_TENANT_ID};
use crate::source::files::Settings;

/// Reads names of one installation.
#[derive(Debug, Clone)]
pub struct Names {
    domains: HashMap<i64, String>,
    ids: HashMap<String, i64>,
    primary: String,
    /// Users of a primary store whose very names hold a slash: no store stands before it.
    slashed: HashSet<(i64, String)>,
}

impl Names {
    /// Learns tenants and the primary store's own name.
    pub fn of(old: &Installation, settings: Option<&Settings>) -> Self {
        let mut domains = HashMap::from([(SUPER_TENANT_ID, SUPER_TENANT_DOMAIN.to_owned())]);
        for tenant in &old.tenants {
            domains.insert(tenant.id, tenant.domain.to_ascii_lowercase());
        }
        let ids = domains.iter().map(|(id, domain)| (domain.clone(), *id)).collect();
        let named = settings.and_then(|s| s.user_store.get("DomainName")).filter(|n| !n.is_empty());
        let slashed = old.users.iter().filter(|u| u.name.contains('/')).map(|u| (u.tenant_id, u.name.clone())).collect();
        Self { domains, ids, primary: named.map_or_else(|| PRIMARY_STORE.to_owned(), |n| n.to_ascii_uppercase()), slashed }
    }

    /// All domains, by the tenants' numbers.
    pub fn domains(&self) -> BTreeMap<i64, String> {
        self.domains.iter().map(|(id, domain)| (*id, domain.clone())).collect()
    }

    /// A tenant's domain, lower case.
    pub fn domain(&self, tenant: i64) -> Option<&str> {
        self.domains.get(&tenant).map(String::as_str)
    }

    /// A tenant's number for us; `None` for one nobody knows.
    pub fn tenant(&self, tenant: i64) -> Option<TenantId> {
        self.domains.get(&tenant).and_then(|_| i32::try_from(tenant).ok()).map(TenantId)
    }

    /// A tenant's number by its domain in any letter case; `None` for one nobody knows.
    pub fn tenant_by_domain(&self, domain: &str) -> Option<TenantId> {
        self.ids.get(&domain.trim().to_ascii_lowercase()).and_then(|id| i32::try_from(*id).ok()).map(TenantId)
    }

    /// A tenant's number by its domain.
    pub fn tenant_of(&self, name: &UserName) -> TenantId {
        let id = self.ids.get(&name.tenant).copied().unwrap_or(SUPER_TENANT_ID);
        i32::try_from(id).map_or(TenantId::SUPER, TenantId)
    }

    /// Our name for a store.
    pub fn store(&self, store: &str) -> String {
        let store = store.trim().to_ascii_uppercase();
        if store.is_empty() || store == self.primary { PRIMARY_STORE.to_owned() } else { store }
    }

    /// Reads a name that a tenant column may accompany.
    pub fn user(&self, text: &str, tenant: Option<i64>) -> UserName {
        let text = text.trim();
        // Old tokens hold `dave @carbon.super`.
        let joined;
        let text = match text.rsplit_once('@') {
            Some((name, domain)) if name.ends_with(' ') => {
                joined = format!("{}@{domain}", name.trim_end());
                joined.as_str()
            }
            _ => text,
        };
        let own = tenant.and_then(|t| self.domain(t));
        // A tenant column decides; without one, what follows the last `@` does when it is a tenant.
        let is_tenant = |domain: &str| match own {
            Some(own) => domain == own,
            None => self.ids.contains_key(domain),
        };
        let mut name = UserName::parse(text, is_tenant);
        if let Some(own) = own {
            name.tenant = own.to_owned();
        }
        if let Some((store, _)) = text.split_once('/').filter(|_| !self.slashed.is_empty()) {
            let whole = format!("{store}/{}", name.name);
            let id = self.ids.get(&name.tenant).copied().unwrap_or(SUPER_TENANT_ID);
            if self.slashed.contains(&(id, whole.clone())) {
                return UserName { store: PRIMARY_STORE.to_owned(), name: whole, ..name };
            }
        }
        name.store = self.store(&name.store);
        name
    }

    /// Reads a bare name with its store and tenant in columns.
    pub fn user_in(&self, text: &str, store: Option<&str>, tenant: Option<i64>) -> UserName {
        let mut name = self.user(text, tenant);
        if let Some(store) = store.filter(|s| !s.trim().is_empty()) {
            name.store = self.store(store);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let domains = HashMap::from([(SUPER_TENANT_ID, "carbon.super".to_owned()), (1, "acme.com".to_owned())]);
        let ids = domains.iter().map(|(i, d)| (d.clone(), *i)).collect();
        Names { domains, ids, primary: "WSO2.ORG".to_owned(), slashed: HashSet::from([(1, "CORP/mike".to_owned())]) }
    }

    #[test]
    fn spellings_come_to_one() {
        let shown = |text: &str, tenant| names().user(text, tenant).to_string();
        for (text, tenant, expected) in [
            ("admin", None, "admin"),
            ("admin@carbon.super", None, "admin"),
            ("admin@carbon.super", Some(-1234), "admin"),
            ("bob@acme.com", None, "bob@acme.com"),
            ("bob@acme.com", Some(1), "bob@acme.com"),
            ("bob", Some(1), "bob@acme.com"),
            ("bob@mail.org", Some(1), "bob@mail.org@acme.com"),
            // A super tenant's user whose address ends in a tenant's domain.
            ("bob@acme.com", Some(-1234), "bob@acme.com"),
            ("dave @carbon.super", None, "dave"),
            ("WSO2.ORG/admin", None, "admin"),
            ("ldap/eve@acme.com", None, "LDAP/eve@acme.com"),
        ] {
            assert_eq!(shown(text, tenant), expected, "{text} {tenant:?}");
        }
        // A user of the primary store whose very name has a slash, in his tenant only.
        for (text, tenant, store) in
            [("CORP/mike", Some(1), PRIMARY_STORE), ("CORP/mike@acme.com", None, PRIMARY_STORE), ("CORP/mike", None, "CORP")]
        {
            assert_eq!(names().user(text, tenant).store, store, "{text} {tenant:?}");
        }
        assert_eq!(names().user("bob@acme.com", Some(-1234)).tenant, "carbon.super");
        assert_eq!(names().user_in("eve", Some("ldap"), Some(1)).to_string(), "LDAP/eve@acme.com");
    }
}
