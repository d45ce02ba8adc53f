//! Directories. A user is looked for with our own credentials, and their password is checked by introducing ourselves as them.
//!
//! Whatever a stranger types stands escaped in filters (RFC 4515) and names (RFC 4514). Referrals to other servers are not followed: nobody
//! said that they may be told passwords.

mod definition;
mod dn;
mod link;

use std::time::Duration;

use ldap3::{Scope, SearchEntry, dn_escape, ldap_escape};
use model::{Secret, UserStore, UserStoreKind};

use self::definition::{Definition, Membership};
use self::link::{Bound, Links, Query};
use crate::{Answer, DefinitionFault, GROUPS_MAX, Person, Unanswered, VALUE_MAX_BYTES, bounded};

/// Bit of `userAccountControl` that switches an account off.
const ACCOUNT_DISABLE: i64 = 0x2;
/// Says the same in Active Directory's lightweight form.
const LIGHTWEIGHT_DISABLED: &str = "msDS-UserAccountDisabled";
const ACCOUNT_CONTROL: &str = "userAccountControl";

#[derive(Debug)]
pub(crate) struct Ldap {
    definition: Definition,
    links: Links,
    kind: UserStoreKind,
    /// Attributes asked for with every user.
    wanted: Vec<String>,
    claims: Vec<String>,
    /// One question, all its steps together.
    patience: Duration,
}

impl Ldap {
    pub(crate) fn new(store: &UserStore) -> Result<Self, DefinitionFault> {
        let definition = Definition::read(store)?;
        let links = Links::new(store)?;
        let mut wanted = vec![definition.name_attribute.clone()];
        if store.kind == UserStoreKind::ActiveDirectory {
            wanted.extend([ACCOUNT_CONTROL.to_owned(), LIGHTWEIGHT_DISABLED.to_owned()]);
        }
        if let Some(Membership::OfUser(attribute)) = definition.groups.as_ref().map(|groups| &groups.membership) {
            wanted.push(attribute.clone());
        }
        wanted.extend(store.attributes.iter().cloned());
        wanted.dedup();
        let patience = links.patience();
        Ok(Self { definition, links, kind: store.kind, wanted, claims: store.attributes.clone(), patience })
    }

    pub(crate) fn address(&self) -> String {
        self.links.address()
    }

    pub(crate) async fn check(&self, name: &str, password: &Secret<String>) -> Result<Answer, Unanswered> {
        self.in_time(self.try_check(name, password)).await
    }

    pub(crate) async fn find(&self, name: &str) -> Result<Option<Person>, Unanswered> {
        let found = async {
            match self.entry(name).await? {
                Some(entry) if !self.is_disabled(&entry) => self.person(name, &entry).await.map(Some),
                _ => Ok(None),
            }
        };
        self.in_time(found).await
    }

    pub(crate) async fn list(&self, pattern: &str, limit: usize) -> Result<Vec<String>, Unanswered> {
        let d = &self.definition;
        let pattern: Vec<String> = pattern.split('*').map(|part| ldap_escape(part).into_owned()).collect();
        let filter = format!("(&{}({}={}))", d.list_filter, d.name_attribute, pattern.join("*"));
        let listed = async {
            let mut names = Vec::new();
            for base in &d.user_bases {
                let query = Query { base, scope: Scope::Subtree, filter: &filter, attributes: std::slice::from_ref(&d.name_attribute) };
                let left = limit.saturating_sub(names.len());
                let found = self.links.search(&query, left).await?;
                names.extend(found.iter().filter_map(|entry| first(entry, &d.name_attribute).map(str::to_owned)));
            }
            names.truncate(limit);
            Ok(names)
        };
        self.in_time(listed).await
    }

    pub(crate) async fn test(&self) -> Result<(), Unanswered> {
        let tested = async {
            for base in &self.definition.user_bases {
                let query = Query { base, scope: Scope::Base, filter: "(objectClass=*)", attributes: &["1.1".to_owned()] };
                if self.links.search(&query, 1).await?.is_empty() {
                    return Err(Unanswered::Fault(format!("there is nothing at UserSearchBase {base}")));
                }
            }
            Ok(())
        };
        self.in_time(tested).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Unanswered>>) -> Result<T, Unanswered> {
        tokio::time::timeout(self.patience, work).await.map_err(|_| Unanswered::Late(self.patience.as_millis()))?
    }

    async fn try_check(&self, name: &str, password: &Secret<String>) -> Result<Answer, Unanswered> {
        let mut tried: Vec<String> = Vec::new();
        for pattern in &self.definition.dn_patterns {
            let dn = pattern.replace("{0}", &dn_escape(name));
            if self.links.bind(&dn, password).await? == Bound::Yes {
                return self.right(name, self.entry_at(&dn).await?).await;
            }
            tried.push(dn.to_lowercase());
        }
        let Some(entry) = self.entry(name).await? else {
            return Ok(if tried.is_empty() { Answer::Unknown } else { Answer::Wrong });
        };
        // The directory counts failures, too; one wrong password shall not count twice.
        if tried.contains(&entry.dn.to_lowercase()) {
            return Ok(Answer::Wrong);
        }
        match self.links.bind(&entry.dn, password).await? {
            Bound::Yes => self.right(name, Some(entry)).await,
            Bound::No => Ok(Answer::Wrong),
        }
    }

    async fn right(&self, name: &str, entry: Option<SearchEntry>) -> Result<Answer, Unanswered> {
        // Somebody whom the directory lets in, but whom we may not read, has no groups we could know of.
        let Some(entry) = entry else { return Ok(Answer::Right(Person { name: name.to_owned(), ..Person::default() })) };
        if self.is_disabled(&entry) {
            return Ok(Answer::Disabled);
        }
        Ok(Answer::Right(self.person(name, &entry).await?))
    }

    /// The user's entry. Two of the same name in one place are nobody: which of them is meant, a password must not decide.
    async fn entry(&self, name: &str) -> Result<Option<SearchEntry>, Unanswered> {
        let filter = self.definition.filter_of(name);
        for base in &self.definition.user_bases {
            let query = Query { base, scope: Scope::Subtree, filter: &filter, attributes: &self.wanted };
            let mut found = self.links.search(&query, 2).await?;
            if found.len() > 1 {
                tracing::warn!(store = %self.address(), base, "several entries answer to one user name, so nobody does");
                return Ok(None);
            }
            if let Some(entry) = found.pop() {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    async fn entry_at(&self, dn: &str) -> Result<Option<SearchEntry>, Unanswered> {
        let query = Query { base: dn, scope: Scope::Base, filter: "(objectClass=*)", attributes: &self.wanted };
        Ok(self.links.search(&query, 1).await?.pop())
    }

    fn is_disabled(&self, entry: &SearchEntry) -> bool {
        self.kind == UserStoreKind::ActiveDirectory && is_switched_off(first(entry, ACCOUNT_CONTROL), first(entry, LIGHTWEIGHT_DISABLED))
    }

    async fn person(&self, name: &str, entry: &SearchEntry) -> Result<Person, Unanswered> {
        let spelled = values(entry, &self.definition.name_attribute).find(|value| value.to_lowercase() == name.to_lowercase());
        let attributes = self.claims.iter().filter_map(|attribute| {
            let all: Vec<&str> = values(entry, attribute).collect();
            (!all.is_empty()).then(|| (attribute.clone(), bounded(all.join(","), VALUE_MAX_BYTES)))
        });
        Ok(Person { name: spelled.unwrap_or(name).to_owned(), attributes: attributes.collect(), groups: self.groups(entry).await? })
    }

    async fn groups(&self, entry: &SearchEntry) -> Result<Vec<String>, Unanswered> {
        let Some(groups) = &self.definition.groups else { return Ok(Vec::new()) };
        let mut names: Vec<String> = Vec::new();
        match &groups.membership {
            Membership::OfUser(attribute) => {
                let named =
                    values(entry, attribute).filter(|dn| groups.bases.is_empty() || groups.bases.iter().any(|b| dn::is_below(dn, b)));
                names.extend(named.filter_map(|dn| dn::first_value(dn, &groups.name_attribute)).take(GROUPS_MAX));
            }
            Membership::OfGroup(attribute) => {
                let filter = format!("(&{}({attribute}={}))", groups.list_filter, ldap_escape(entry.dn.as_str()));
                for base in &groups.bases {
                    let attributes = std::slice::from_ref(&groups.name_attribute);
                    let query = Query { base, scope: Scope::Subtree, filter: &filter, attributes };
                    let found = self.links.search(&query, GROUPS_MAX.saturating_sub(names.len())).await?;
                    names.extend(found.iter().filter_map(|group| first(group, &groups.name_attribute).map(str::to_owned)));
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }
}

/// Values of an attribute; the directory decides on the letter case of its name.
fn values<'e>(entry: &'e SearchEntry, attribute: &str) -> impl Iterator<Item = &'e str> {
    let found = entry.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    found.into_iter().flat_map(|(_, values)| values.iter().map(String::as_str))
}

fn first<'e>(entry: &'e SearchEntry, attribute: &str) -> Option<&'e str> {
    values(entry, attribute).next()
}

/// Whether Active Directory's marks say that nobody may use the account. A mark that does not read says so, too.
fn is_switched_off(control: Option<&str>, lightweight: Option<&str>) -> bool {
    let by_control = control.is_some_and(|text| match text.trim().parse::<i64>() {
        Ok(bits) => bits & ACCOUNT_DISABLE != 0,
        Err(_) => true,
    });
    by_control || lightweight.is_some_and(|text| !text.trim().eq_ignore_ascii_case("false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switched_off_account_is_told_by_either_mark() {
        assert!(is_switched_off(Some("514"), None));
        assert!(is_switched_off(Some("66050"), None));
        assert!(!is_switched_off(Some("512"), None));
        assert!(!is_switched_off(Some("66048"), Some("FALSE")));
        assert!(is_switched_off(None, Some("TRUE")));
        assert!(is_switched_off(Some("unreadable"), None));
        assert!(!is_switched_off(None, None));
    }
}
