//! Users and the many spellings of their names.

use std::fmt;

use crate::{SUPER_TENANT_DOMAIN, StoredPassword, TenantId, Timestamp, UserId};

/// The user store that names without a `STORE/` prefix belong to.
pub const PRIMARY_STORE: &str = "PRIMARY";

/// The role every user has.
pub const EVERYONE: &str = "Internal/everyone";

/// One account. Shows the names of its attributes and not their values, which may be answers to security questions.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Stable id.
    pub id: UserId,
    /// Owning tenant.
    pub tenant: TenantId,
    /// User store domain, upper case; [`PRIMARY_STORE`] unless secondary.
    pub store: String,
    /// Name without store and tenant. Compared with its letter case, as the old JDBC store did.
    pub name: String,
    /// How the password is kept; `None` when a directory server checks it.
    pub password: Option<StoredPassword>,
    /// Role names as scopes and visibility name them (`admin`, `Internal/creator`, `STORE/role`), without [`EVERYONE`].
    pub roles: Vec<String>,
    /// Attributes by claim or attribute name (`mail`, `givenName`).
    pub attributes: Vec<(String, String)>,
    /// A locked account cannot sign in.
    pub locked: bool,
    /// The password is a one-time one: refused 24 h after `password_changed_at`.
    pub must_change_password: bool,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, tenant, store, name, password, roles, attributes, locked, must_change_password, password_changed_at, created_at } =
            self;
        f.debug_struct("User")
            .field("id", id)
            .field("tenant", tenant)
            .field("store", store)
            .field("name", name)
            .field("password", password)
            .field("roles", roles)
            .field("attributes", &attributes.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("locked", locked)
            .field("must_change_password", must_change_password)
            .field("password_changed_at", password_changed_at)
            .field("created_at", created_at)
            .finish()
    }
}

/// A user's name in full: store, name and tenant domain.
///
/// Written `[STORE/]name[@tenant]`; the super tenant's suffix may be left out, and an e-mail address may be the name, so the tenant
/// is what follows the *last* `@`, and only when it is a known tenant (the caller knows which are).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName {
    /// Store domain, upper case.
    pub store: String,
    /// Name proper.
    pub name: String,
    /// Tenant domain, lower case.
    pub tenant: String,
}

impl UserName {
    /// A user of the primary store.
    #[must_use]
    pub fn primary(name: &str, tenant: &str) -> Self {
        Self { store: PRIMARY_STORE.to_owned(), name: name.to_owned(), tenant: tenant.to_owned() }
    }

    /// Reads `[STORE/]name[@tenant]`. `is_tenant` says whether a lower-case domain is a tenant of this installation; where it is not, the
    /// `@` belongs to the name (an e-mail address) and the user is the super tenant's.
    #[must_use]
    pub fn parse(text: &str, is_tenant: impl Fn(&str) -> bool) -> Self {
        let (rest, tenant) = match text.rsplit_once('@') {
            Some((rest, domain)) if !rest.is_empty() && is_tenant(&domain.to_ascii_lowercase()) => (rest, domain.to_ascii_lowercase()),
            _ => (text, SUPER_TENANT_DOMAIN.to_owned()),
        };
        let (store, name) = match rest.split_once('/') {
            Some((store, name)) if !store.is_empty() && !name.is_empty() => (store.to_ascii_uppercase(), name),
            _ => (PRIMARY_STORE.to_owned(), rest),
        };
        Self { store, name: name.to_owned(), tenant }
    }

    /// `[STORE/]name`, without the tenant.
    #[must_use]
    pub fn without_tenant(&self) -> String {
        if self.store == PRIMARY_STORE { self.name.clone() } else { format!("{}/{}", self.store, self.name) }
    }

    /// `[STORE/]name@tenant`, with the suffix for the super tenant too, as introspection and throttle keys write it.
    #[must_use]
    pub fn with_tenant(&self) -> String {
        format!("{}@{}", self.without_tenant(), self.tenant)
    }
}

impl fmt::Display for UserName {
    /// The suffix is left out for the super tenant, as providers and owners are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tenant == SUPER_TENANT_DOMAIN { f.write_str(&self.without_tenant()) } else { f.write_str(&self.with_tenant()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (String, String, String) {
        let name = UserName::parse(text, |d| d == "acme.com" || d == SUPER_TENANT_DOMAIN);
        (name.store, name.name, name.tenant)
    }

    #[test]
    fn the_tenant_is_after_the_last_at_when_it_is_one() {
        let is = |s: &str, n: &str, t: &str| (s.to_owned(), n.to_owned(), t.to_owned());
        assert_eq!(parse("admin"), is("PRIMARY", "admin", "carbon.super"));
        assert_eq!(parse("admin@carbon.super"), is("PRIMARY", "admin", "carbon.super"));
        assert_eq!(parse("bob@acme.com"), is("PRIMARY", "bob", "acme.com"));
        assert_eq!(parse("bob@mail.org"), is("PRIMARY", "bob@mail.org", "carbon.super"));
        assert_eq!(parse("bob@mail.org@acme.com"), is("PRIMARY", "bob@mail.org", "acme.com"));
        assert_eq!(parse("ldap/eve@acme.com"), is("LDAP", "eve", "acme.com"));
    }

    #[test]
    fn display_leaves_out_only_the_super_tenant() {
        assert_eq!(UserName::primary("admin", SUPER_TENANT_DOMAIN).to_string(), "admin");
        assert_eq!(UserName::primary("bob", "acme.com").to_string(), "bob@acme.com");
    }
}
