//! What the properties of a directory's definition say about finding users and groups.

use ldap3::{ldap_escape, parse_filter};
use model::{UserStore, UserStoreKind};

use crate::{DefinitionFault, says_yes};

#[derive(Debug)]
pub(super) struct Definition {
    /// Where users are looked for, one after the other.
    pub(super) user_bases: Vec<String>,
    /// Finds one user; `?` stands for the name.
    search_filter: String,
    /// Finds users at all.
    pub(super) list_filter: String,
    pub(super) name_attribute: String,
    /// Names of entries with `{0}` for the user name.
    pub(super) dn_patterns: Vec<String>,
    /// `None` where groups are not read.
    pub(super) groups: Option<Groups>,
}

#[derive(Debug)]
pub(super) struct Groups {
    pub(super) bases: Vec<String>,
    pub(super) list_filter: String,
    pub(super) name_attribute: String,
    pub(super) membership: Membership,
}

/// Where it is written who is in a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// In this attribute of the group, by the user's full name.
    OfGroup(String),
    /// In this attribute of the user, by the group's full name.
    OfUser(String),
}

impl Definition {
    pub(super) fn read(store: &UserStore) -> Result<Self, DefinitionFault> {
        let is_ad = store.kind == UserStoreKind::ActiveDirectory;
        let user_bases = several(store.property("UserSearchBase"));
        let dn_patterns = several(store.property("UserDNPattern"));
        if user_bases.is_empty() {
            return Err(DefinitionFault::new("UserSearchBase", "is missing"));
        }
        if let Some(wrong) = dn_patterns.iter().find(|pattern| !pattern.contains("{0}")) {
            return Err(DefinitionFault::new("UserDNPattern", format!("has no {{0}} for the user name in {wrong}")));
        }
        let default_name = if is_ad { "sAMAccountName" } else { "uid" };
        let name_attribute = attribute("UserNameAttribute", store.property("UserNameAttribute").unwrap_or(default_name))?;
        let default_list = if is_ad { "(objectClass=user)" } else { "(objectClass=person)" };
        let list_filter = filter("UserNameListFilter", store.property("UserNameListFilter").unwrap_or(default_list))?;
        let search_filter = match store.property("UserNameSearchFilter") {
            Some(text) if text.contains('?') => text.to_owned(),
            Some(text) => return Err(DefinitionFault::new("UserNameSearchFilter", format!("has no ? for the user name: {text}"))),
            None => format!("(&{list_filter}({name_attribute}=?))"),
        };
        filter("UserNameSearchFilter", &search_filter.replace('?', "x"))?;
        Ok(Self { user_bases, search_filter, list_filter, name_attribute, dn_patterns, groups: Groups::read(store)? })
    }

    /// The filter that finds one user, the name escaped.
    pub(super) fn filter_of(&self, name: &str) -> String {
        self.search_filter.replace('?', &ldap_escape(name))
    }
}

impl Groups {
    fn read(store: &UserStore) -> Result<Option<Self>, DefinitionFault> {
        let reads = ["ReadGroups", "ReadLDAPGroups", "WriteGroups", "WriteLDAPGroups"].iter().any(|name| says_yes(store, name));
        if !reads {
            return Ok(None);
        }
        let bases = several(store.property("GroupSearchBase"));
        let membership = match (store.property("MemberOfAttribute"), store.property("MembershipAttribute")) {
            (Some(of_user), _) => Membership::OfUser(attribute("MemberOfAttribute", of_user)?),
            (None, of_group) => Membership::OfGroup(attribute("MembershipAttribute", of_group.unwrap_or("member"))?),
        };
        if bases.is_empty() && matches!(membership, Membership::OfGroup(_)) {
            return Err(DefinitionFault::new("GroupSearchBase", "is missing, while ReadGroups is on"));
        }
        let default = if store.kind == UserStoreKind::ActiveDirectory { "(objectClass=group)" } else { "(objectClass=groupOfNames)" };
        Ok(Some(Self {
            bases,
            list_filter: filter("GroupNameListFilter", store.property("GroupNameListFilter").unwrap_or(default))?,
            name_attribute: attribute("GroupNameAttribute", store.property("GroupNameAttribute").unwrap_or("cn"))?,
            membership,
        }))
    }
}

/// Several values in one property are divided by `#`.
fn several(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split('#').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn attribute(property: &'static str, name: &str) -> Result<String, DefinitionFault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.;_".contains(c);
    match name.chars().all(is_plain) {
        true => Ok(name.to_owned()),
        false => Err(DefinitionFault::new(property, format!("is no attribute's name: {name}"))),
    }
}

/// A filter, in parentheses where the definition left them out.
fn filter(property: &'static str, text: &str) -> Result<String, DefinitionFault> {
    let text = if text.starts_with('(') { text.to_owned() } else { format!("({text})") };
    parse_filter(text.as_str()).map_err(|()| DefinitionFault::new(property, format!("is no LDAP filter: {text}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use model::TenantId;

    use super::*;

    fn store(properties: &[(&str, &str)]) -> UserStore {
        UserStore {
            tenant: TenantId::SUPER,
            domain: "CORP".to_owned(),
            kind: UserStoreKind::LdapReadOnly,
            disabled: false,
            position: 1,
            admin_role: None,
            attributes: Vec::new(),
            properties: properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            secrets: Vec::new(),
        }
    }

    const BASE: (&str, &str) = ("UserSearchBase", "ou=people,dc=x # ou=more,dc=x");

    #[test]
    fn a_name_stands_escaped_in_its_filter() {
        let found = Definition::read(&store(&[BASE, ("UserNameSearchFilter", "(|(uid=?)(mail=?))")])).unwrap();
        assert_eq!(found.user_bases, ["ou=people,dc=x", "ou=more,dc=x"]);
        assert_eq!(found.filter_of("ann"), "(|(uid=ann)(mail=ann))");
        assert_eq!(found.filter_of("*)(uid=*"), "(|(uid=\\2a\\29\\28uid=\\2a)(mail=\\2a\\29\\28uid=\\2a))");
        // A question mark in a name is the name's.
        assert_eq!(found.filter_of("a?b"), "(|(uid=a?b)(mail=a?b))");
        assert_eq!(found.filter_of("a\\\0"), "(|(uid=a\\5c\\00)(mail=a\\5c\\00))");
        assert_eq!(Definition::read(&store(&[BASE])).unwrap().filter_of("ann"), "(&(objectClass=person)(uid=ann))");
    }

    #[test]
    fn groups_are_read_when_told_so_and_where_told() {
        assert!(Definition::read(&store(&[BASE])).unwrap().groups.is_none());
        let of = |more: &[(&str, &str)]| {
            let all = [&[BASE, ("ReadGroups", "true"), ("GroupSearchBase", "ou=g,dc=x")], more].concat();
            Definition::read(&store(&all)).unwrap().groups.unwrap().membership
        };
        assert_eq!(of(&[("MembershipAttribute", "uniqueMember")]), Membership::OfGroup("uniqueMember".to_owned()));
        assert_eq!(of(&[("MemberOfAttribute", "memberOf"), ("MembershipAttribute", "member")]), Membership::OfUser("memberOf".to_owned()));
    }

    #[test]
    fn a_definition_that_cannot_work_says_which_property() {
        for (properties, property) in [
            (&[("UserSearchBase", " ")][..], "UserSearchBase"),
            (&[BASE, ("UserNameSearchFilter", "(uid=x)")], "UserNameSearchFilter"),
            (&[BASE, ("UserNameSearchFilter", "((uid=?)")], "UserNameSearchFilter"),
            (&[BASE, ("UserNameAttribute", "uid)(x=")], "UserNameAttribute"),
            (&[BASE, ("UserDNPattern", "uid=bob,dc=x")], "UserDNPattern"),
            (&[BASE, ("ReadGroups", "true")], "GroupSearchBase"),
        ] {
            assert_eq!(Definition::read(&store(properties)).unwrap_err().property, property);
        }
    }
}
