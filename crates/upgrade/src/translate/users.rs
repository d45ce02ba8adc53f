//! Users of the primary store with their passwords as they are: who signed in before signs in after.
//!
//! Users whom another server knows stay there. An account without a password is made for those of them who were given something here: a
//! role, a lock, the administration.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::{LegacyDigest, Secret, StoredPassword, TenantId, Timestamp, User, UserId, UserName};

use super::{About, Carried, Desk, SUPER_TENANT_ID, roles::Roles, stores};

const TABLE: &str = "UM_USER";
const LEFT_BEHIND: &str = "left behind by a JDBC store that is not in use";
/// The role of administrators here.
const ADMIN: &str = "admin";
/// Marks a locked account among the identity data.
const LOCKED: &str = "http://wso2.org/claims/identity/accountlocked";

pub(super) fn translate(desk: &mut Desk<'_>, roles: &mut Roles) -> Vec<Carried<User>> {
    let digests = Digests::of(desk);
    let locked = locks(desk);
    let mut attributes: HashMap<(i64, i64), Vec<(String, String)>> = HashMap::new();
    let known: HashSet<(i64, i64)> = desk.old.users.iter().map(|u| (u.tenant_id, u.id)).collect();
    for row in &desk.old.user_attributes {
        let key = (row.tenant_id, row.user_id);
        if desk.elsewhere.has_primary(row.tenant_id) {
            desk.ledger.skipped(("UM_USER_ATTRIBUTE", row.tenant_id), LEFT_BEHIND, 1);
        } else if !known.contains(&key) {
            desk.ledger.skipped(("UM_USER_ATTRIBUTE", row.tenant_id), "its user is gone", 1);
        } else if row.profile.as_deref().is_some_and(|p| p != "default") {
            desk.ledger.skipped(("UM_USER_ATTRIBUTE", row.tenant_id), "belongs to a profile other than the default one", 1);
        } else {
            desk.ledger.merged(("UM_USER_ATTRIBUTE", row.tenant_id), 1);
            attributes
                .entry(key)
                .or_default()
                .push((row.name.clone(), row.value.as_ref().map(|value| value.expose().clone()).unwrap_or_default()));
        }
    }
    let mut done: Vec<Carried<User>> = Vec::new();
    let mut left_behind: BTreeSet<TenantId> = BTreeSet::new();
    for old in &desk.old.users {
        let origin = format!("{TABLE} {}", old.id);
        let Some(tenant) = desk.names.tenant(old.tenant_id) else {
            desk.ledger.skipped((TABLE, old.tenant_id), "its tenant is gone", 1);
            desk.warn(
                About::User,
                "The user is left out.",
                origin,
                format!("{} belongs to tenant {}, which does not exist", old.name, old.tenant_id),
            );
            continue;
        };
        if desk.elsewhere.has_primary(old.tenant_id) {
            desk.ledger.skipped((TABLE, old.tenant_id), LEFT_BEHIND, 1);
            left_behind.insert(tenant);
            continue;
        }
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
        desk.ledger.imported((TABLE, old.tenant_id));
        done.push(Carried { key: format!("{}/{}", old.tenant_id, old.name), value: user });
    }
    for tenant in left_behind {
        let consequence = "They could not sign in there and cannot here: the store that is in use is another.";
        desk.note(About::User, consequence, TABLE, format!("tenant {tenant} has users left behind by a JDBC store"));
    }
    done.extend(elsewhere(desk, roles, &locked));
    done
}

/// Accounts for those users of other servers' stores of whom something is kept here.
fn elsewhere(desk: &Desk<'_>, roles: &Roles, locked: &HashSet<UserName>) -> Vec<Carried<User>> {
    let tenants = std::iter::once(SUPER_TENANT_ID).chain(desk.old.tenants.iter().map(|t| t.id));
    let administrators: BTreeSet<UserName> = tenants.filter_map(|tenant| stores::administrator(desk, tenant)).collect();
    let is_there = |name: &&UserName| desk.elsewhere.get(desk.names.tenant_of(name).0.into(), &name.store).is_some();
    let all: BTreeSet<&UserName> = roles.elsewhere.iter().chain(locked.iter().filter(is_there)).chain(&administrators).collect();
    let account = |name: &UserName| {
        let tenant = desk.names.tenant_of(name);
        // No row of theirs, so no number.
        let mut held = roles.of(tenant.0.into(), i64::MIN, name);
        if administrators.contains(name) && !held.iter().any(|role| role.eq_ignore_ascii_case(ADMIN)) {
            held.push(ADMIN.to_owned());
        }
        let value = User {
            id: UserId::derived(&[desk.input.source, &tenant.to_string(), &name.store, &name.name]),
            tenant,
            store: name.store.clone(),
            name: name.name.clone(),
            password: None,
            roles: held,
            attributes: Vec::new(),
            locked: locked.contains(name),
            must_change_password: false,
            password_changed_at: Timestamp(0),
            created_at: Timestamp(0),
        };
        Carried { key: format!("{tenant}/{}/{}", name.store, name.name), value }
    };
    all.into_iter().map(account).collect()
}

fn locks(desk: &mut Desk<'_>) -> HashSet<UserName> {
    let mut found = HashSet::new();
    for row in &desk.old.identity_user_data {
        let of = ("IDN_IDENTITY_USER_DATA", row.tenant_id.unwrap_or(SUPER_TENANT_ID));
        if !row.key.eq_ignore_ascii_case(LOCKED) {
            desk.ledger.not_yet(of, "security questions and the like", 1);
            continue;
        }
        desk.ledger.merged(of, 1);
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
