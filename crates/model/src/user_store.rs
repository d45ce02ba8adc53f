//! User stores beside our own accounts: directories and databases that go on answering for their users.

use std::fmt;

use crate::{PRIMARY_STORE, Secret, TenantId};

/// The role that makes an administrator.
const ADMIN: &str = "admin";

/// What kind of server a store is kept on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserStoreKind {
    /// An LDAP directory that the old product only read.
    LdapReadOnly,
    /// An LDAP directory that the old product wrote to. Here it is read.
    LdapReadWrite,
    /// Active Directory, or its lightweight form.
    ActiveDirectory,
    /// The old product's own tables in a database.
    Jdbc,
}

impl UserStoreKind {
    /// The stored word; [`UserStoreKind::parse`] reads it back.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LdapReadOnly => "LDAP_READ_ONLY",
            Self::LdapReadWrite => "LDAP_READ_WRITE",
            Self::ActiveDirectory => "ACTIVE_DIRECTORY",
            Self::Jdbc => "JDBC",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::LdapReadOnly, Self::LdapReadWrite, Self::ActiveDirectory, Self::Jdbc].into_iter().find(|kind| kind.name() == text)
    }
}

impl fmt::Display for UserStoreKind {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LdapReadOnly | Self::LdapReadWrite => "LDAP",
            Self::ActiveDirectory => "Active Directory",
            Self::Jdbc => "JDBC",
        })
    }
}

/// A store's definition. Its properties keep the names and values that the old product gave them; who asks the store acts on those it knows.
/// Shows the names of properties and not their values: an address may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct UserStore {
    /// Whose users it holds.
    pub tenant: TenantId,
    /// `DomainName` as it was written; [`PRIMARY_STORE`] for one that takes the place of our own accounts.
    pub domain: String,
    /// What it is kept on.
    pub kind: UserStoreKind,
    /// It is there, but nobody is asked.
    pub disabled: bool,
    /// Bare names are looked for in stores by this order, the primary store first.
    pub position: u32,
    /// The role of this store, without domain, whose members are administrators.
    pub admin_role: Option<String>,
    /// Attributes of users that mean something to claims, by the store's own names.
    pub attributes: Vec<String>,
    /// All properties but secret ones, in the order of the definition.
    pub properties: Vec<(String, String)>,
    /// Properties that hold passwords.
    pub secrets: Vec<(String, Secret<String>)>,
}

impl std::fmt::Debug for UserStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tenant, domain, kind, disabled, position, admin_role, attributes, properties, secrets } = self;
        f.debug_struct("UserStore")
            .field("tenant", tenant)
            .field("domain", domain)
            .field("kind", kind)
            .field("disabled", disabled)
            .field("position", position)
            .field("admin_role", admin_role)
            .field("attributes", attributes)
            .field("properties", &properties.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("secrets", &secrets.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl UserStore {
    /// The domain as user and role names carry it.
    #[must_use]
    pub fn name(&self) -> String {
        self.domain.to_uppercase()
    }

    /// Whether bare names are its users' names.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.name() == PRIMARY_STORE
    }

    /// A property that is not blank, trimmed. Letter case of the name counts, as it did.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        let found = self.properties.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// A secret property.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret<String>> {
        self.secrets.iter().find(|(n, _)| n == name).map(|(_, secret)| secret)
    }

    /// The roles that a group of this store gives: `DOMAIN/group`, and of the primary store the bare name. The administrators' group gives
    /// `admin` too; another one of the primary store that merely has that name gets another. None for a group whose name would be read as a
    /// role kept here, or that no list of roles could name.
    #[must_use]
    pub fn roles_of_group(&self, group: &str) -> Vec<String> {
        let group = group.trim();
        if group.is_empty() || group.chars().any(|c| c.is_control() || c == ',') {
            return Vec::new();
        }
        let administers = self.admin_role.as_deref().is_some_and(|admin| admin.eq_ignore_ascii_case(group));
        if !self.is_primary() {
            let mut roles = vec![format!("{}/{group}", self.name())];
            roles.extend(administers.then(|| ADMIN.to_owned()));
            return roles;
        }
        match group {
            // A slash would make another store's role, or one of ours, of it.
            _ if group.contains('/') => Vec::new(),
            _ if group.eq_ignore_ascii_case(ADMIN) && !administers => vec![format!("{ADMIN}_of_old")],
            _ if administers && !group.eq_ignore_ascii_case(ADMIN) => vec![group.to_owned(), ADMIN.to_owned()],
            _ => vec![group.to_owned()],
        }
    }

    /// Whether only this store decides who has the role; all others are kept here.
    #[must_use]
    pub fn decides_on(&self, role: &str) -> bool {
        match role.split_once('/') {
            Some((domain, _)) => domain.to_uppercase() == self.name(),
            None if role.eq_ignore_ascii_case(ADMIN) => self.admin_role.is_some(),
            None => self.is_primary(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(domain: &str, admin_role: Option<&str>) -> UserStore {
        UserStore {
            tenant: TenantId::SUPER,
            domain: domain.to_owned(),
            kind: UserStoreKind::LdapReadOnly,
            disabled: false,
            position: 1,
            admin_role: admin_role.map(str::to_owned),
            attributes: Vec::new(),
            properties: vec![("Empty".to_owned(), " ".to_owned()), ("Full".to_owned(), " x ".to_owned())],
            secrets: vec![("ConnectionPassword".to_owned(), Secret::new("hunter2".to_owned()))],
        }
    }

    #[test]
    fn a_group_becomes_a_role_of_its_store() {
        let corp = store("corp.example", Some("bosses"));
        assert_eq!(corp.roles_of_group("devs"), ["CORP.EXAMPLE/devs"]);
        assert_eq!(corp.roles_of_group("Bosses"), ["CORP.EXAMPLE/Bosses", "admin"]);
        assert_eq!(corp.roles_of_group("admin"), ["CORP.EXAMPLE/admin"]);
        assert!(corp.roles_of_group("a,admin").is_empty());
        assert!(corp.decides_on("Corp.example/gone") && corp.decides_on("admin"));
        assert!(!corp.decides_on("Internal/publisher") && !corp.decides_on("dev") && !corp.decides_on("OTHER/x"));
        assert!(!store("corp", None).decides_on("admin"));
    }

    #[test]
    fn a_group_of_the_primary_store_cannot_become_a_role_it_is_not() {
        let primary = store("PRIMARY", Some("root"));
        assert_eq!(primary.roles_of_group("devs"), ["devs"]);
        assert_eq!(primary.roles_of_group("root"), ["root", "admin"]);
        assert_eq!(primary.roles_of_group("Admin"), ["admin_of_old"]);
        assert!(primary.roles_of_group("Internal/publisher").is_empty());
        assert!(primary.decides_on("devs") && !primary.decides_on("Internal/publisher"));
        assert_eq!(store("PRIMARY", Some("admin")).roles_of_group("Admin"), ["Admin"]);
        // Where the administrators' role is one of ours, the store has no say in it.
        assert!(primary.decides_on("admin") && !store("PRIMARY", None).decides_on("admin"));
    }

    #[test]
    fn properties_are_trimmed_and_secrets_do_not_show() {
        let corp = store("corp", None);
        assert_eq!((corp.property("Full"), corp.property("Empty"), corp.property("full")), (Some("x"), None, None));
        assert_eq!(corp.secret("ConnectionPassword").unwrap().expose(), "hunter2");
        assert!(!format!("{corp:?}").contains("hunter2"));
        assert_eq!(UserStoreKind::parse(UserStoreKind::Jdbc.name()), Some(UserStoreKind::Jdbc));
    }
}
