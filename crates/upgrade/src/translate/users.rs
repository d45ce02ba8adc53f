//! Users of the primary store with their passwords as they are: who signed in before signs in after.

use std::collections::{HashMap, HashSet};

use model::{LegacyDigest, Secret, StoredPassword, Timestamp, User, UserId, UserName};

use super::{About, Carried, Desk, roles::Roles};

const TABLE: &str = "UM_USER";
/// Marks a locked account among the identity data.
const LOCKED: &str = "http://wso2.org/claims/identity/accountlocked";

pub(super) fn translate(desk: &mut Desk<'_>, roles: &mut Roles) -> Vec<Carried<User>> {
    let digests = Digests::of(desk);
    let locked = locks(desk);
    let mut attributes: HashMap<(i64, i64), Vec<(String, String)>> = HashMap::new();
    let known: HashSet<(i64, i64)> = desk.old.users.iter().map(|u| (u.tenant_id, u.id)).collect();
    for row in &desk.old.user_attributes {
        let key = (row.tenant_id, row.user_id);
        if !known.contains(&key) {
            desk.ledger.skipped("UM_USER_ATTRIBUTE", "its user is gone", 1);
        } else if row.profile.as_deref().is_some_and(|p| p != "default") {
            desk.ledger.skipped("UM_USER_ATTRIBUTE", "belongs to a profile other than the default one", 1);
        } else {
            desk.ledger.merged("UM_USER_ATTRIBUTE", 1);
            attributes.entry(key).or_default().push((row.name.clone(), row.value.clone().unwrap_or_default()));
        }
    }
    let mut done: Vec<Carried<User>> = Vec::new();
    for old in &desk.old.users {
        let origin = format!("{TABLE} {}", old.id);
        let Some(tenant) = desk.names.tenant(old.tenant_id) else {
            desk.ledger.skipped(TABLE, "its tenant is gone", 1);
            desk.warn(
                About::User,
                "The user is left out.",
                origin,
                format!("{} belongs to tenant {}, which does not exist", old.name, old.tenant_id),
            );
            continue;
        };
        let name = desk.names.user_in(&old.name, None, Some(old.tenant_id));
        let changed = desk.at(TABLE, "UM_CHANGED_TIME", old.changed).unwrap_or(Timestamp(0));
        let password = password(desk, digests.of_tenant(old.tenant_id), old.password.as_ref(), old.salt.as_ref(), &name, &origin);
        let user = User {
            id: UserId::derived(&[desk.input.source, &old.tenant_id.to_string(), &old.name]),
            tenant,
            store: name.store.clone(),
            name: name.name.clone(),
            password,
            roles: roles.of(old.tenant_id, old.id, &name),
            attributes: attributes.remove(&(old.tenant_id, old.id)).unwrap_or_default(),
            locked: locked.contains(&name),
            must_change_password: old.must_change.unwrap_or(false),
            password_changed_at: changed,
            created_at: changed,
        };
        desk.ledger.imported(TABLE);
        done.push(Carried { key: format!("{}/{}", old.tenant_id, old.name), value: user });
    }
    done
}

fn locks(desk: &mut Desk<'_>) -> HashSet<UserName> {
    let mut found = HashSet::new();
    for row in &desk.old.identity_user_data {
        if !row.key.eq_ignore_ascii_case(LOCKED) {
            desk.ledger.not_yet("IDN_IDENTITY_USER_DATA", "security questions and the like", 1);
            continue;
        }
        desk.ledger.merged("IDN_IDENTITY_USER_DATA", 1);
        if row.value.as_ref().is_some_and(|v| v.expose().eq_ignore_ascii_case("true")) {
            found.insert(desk.names.user(&row.user_name, row.tenant_id));
        }
    }
    found
}

/// `PasswordDigest` of each tenant's primary store.
struct Digests {
    site: String,
    own: HashMap<i64, String>,
}

impl Digests {
    fn of(desk: &Desk<'_>) -> Self {
        let site = desk.input.settings.and_then(|s| s.user_store.get("PasswordDigest").cloned()).filter(|d| !d.is_empty());
        let mut own = HashMap::new();
        for tenant in &desk.old.tenants {
            let store = tenant.realm().ok().flatten().and_then(|r| r.user_store);
            let digest = store.as_ref().and_then(|s| s.children_named("Property").find(|p| p.attribute("name") == Some("PasswordDigest")));
            if let Some(digest) = digest.map(|d| d.text.trim()).filter(|d| !d.is_empty()) {
                own.insert(tenant.id, digest.to_owned());
            }
        }
        Self { site: site.unwrap_or_else(|| "SHA-256".to_owned()), own }
    }

    fn of_tenant(&self, tenant: i64) -> &str {
        self.own.get(&tenant).unwrap_or(&self.site)
    }
}

fn password(
    desk: &mut Desk<'_>,
    digest: &str,
    stored: Option<&Secret<String>>,
    salt: Option<&Secret<String>>,
    name: &UserName,
    origin: &str,
) -> Option<StoredPassword> {
    const CANNOT: &str = "The user cannot sign in until an administrator sets a new password.";
    let Some(hash) = stored.filter(|p| !p.expose().is_empty()) else {
        desk.warn(About::User, CANNOT, origin, format!("{name} has no password"));
        return None;
    };
    let Some(digest) = LegacyDigest::parse(digest) else {
        desk.warn(About::User, CANNOT, origin, format!("passwords of {name}'s store are digested with {digest}, which is not known here"));
        return None;
    };
    if !fits(digest, hash.expose()) {
        desk.warn(About::User, CANNOT, origin, format!("the stored password of {name} is no {} digest", digest.name()));
    }
    let salt = salt.map(|s| s.expose().clone()).filter(|s| !s.is_empty());
    Some(StoredPassword::Legacy { digest, hash: hash.clone(), salt })
}

/// Whether stored text has the length of such a digest in Base64.
fn fits(digest: LegacyDigest, hash: &str) -> bool {
    use base64::Engine as _;
    let bytes = match digest {
        LegacyDigest::PlainText => return true,
        LegacyDigest::Md5 => 16,
        LegacyDigest::Sha1 => 20,
        LegacyDigest::Sha256 => 32,
        LegacyDigest::Sha384 => 48,
        LegacyDigest::Sha512 => 64,
    };
    base64::prelude::BASE64_STANDARD.decode(hash.trim()).is_ok_and(|decoded| decoded.len() == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_told_by_its_length() {
        assert!(fits(LegacyDigest::Sha256, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
        assert!(!fits(LegacyDigest::Sha1, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
        assert!(fits(LegacyDigest::PlainText, "anything"));
        assert!(!fits(LegacyDigest::Md5, "no base64!"));
    }
}
