//! Remembers, for a minute, that a password was right, so that a client which sends it with every call does not cost a hashing each time.
//!
//! The key of an entry is a keyed digest of name, password and the *stored* hash: changing the password, or the account being replaced,
//! makes the entry unreachable at once. Neither password nor name can be read out of the table.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use model::{Secret, StoredPassword, Timestamp, UserName};

const REMEMBER_MS: i64 = 60_000;
const ENTRIES_MAX: usize = 4096;

type Key = [u8; 32];

pub(crate) struct Recent {
    key: hmac::Key,
    since: Mutex<HashMap<Key, Timestamp>>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes; without them no secret could be made safely");
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), since: Mutex::default() }
    }

    /// Whether this password was found right within the last minute.
    pub(crate) fn holds(&self, name: &UserName, password: &Secret<String>, stored: &StoredPassword, now: Timestamp) -> bool {
        let key = self.key_of(name, password, stored);
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.get(&key).is_some_and(|at| fresh(*at, now))
    }

    /// Notes that it is right.
    pub(crate) fn note(&self, name: &UserName, password: &Secret<String>, stored: &StoredPassword, now: Timestamp) {
        let key = self.key_of(name, password, stored);
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.len() >= ENTRIES_MAX {
            since.retain(|_, at| fresh(*at, now));
        }
        if since.len() >= ENTRIES_MAX {
            since.clear();
        }
        since.insert(key, now);
    }

    fn key_of(&self, name: &UserName, password: &Secret<String>, stored: &StoredPassword) -> Key {
        let (form, hash, salt) = match stored {
            StoredPassword::Argon2id(phc) => ("", phc, ""),
            StoredPassword::Legacy { digest, hash, salt } => (digest.name(), hash, salt.as_deref().unwrap_or_default()),
        };
        let mut context = hmac::Context::with_key(&self.key);
        for part in [name.store.as_str(), &name.name, &name.tenant, password.expose(), form, hash.expose(), salt] {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.sign().as_ref());
        key
    }
}

/// A clock that stepped back makes an entry stale rather than lasting.
fn fresh(at: Timestamp, now: Timestamp) -> bool {
    at <= now && now < at.plus_ms(REMEMBER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_ends_with_its_time_and_with_the_stored_password() {
        let recent = Recent::new();
        let name = UserName::primary("admin", "carbon.super");
        let password = Secret::new("admin".to_owned());
        let stored = |text: &str| StoredPassword::Argon2id(Secret::new(text.to_owned()));
        recent.note(&name, &password, &stored("one"), Timestamp(1000));
        assert!(recent.holds(&name, &password, &stored("one"), Timestamp(60_999)));
        assert!(!recent.holds(&name, &password, &stored("one"), Timestamp(61_000)));
        assert!(!recent.holds(&name, &password, &stored("one"), Timestamp(999)));
        assert!(!recent.holds(&name, &password, &stored("two"), Timestamp(1000)));
        assert!(!recent.holds(&name, &Secret::new("admi".to_owned()), &stored("one"), Timestamp(1000)));
    }

    #[test]
    fn it_is_bounded() {
        let recent = Recent::new();
        let stored = StoredPassword::Argon2id(Secret::new("x".to_owned()));
        for n in 0..=ENTRIES_MAX {
            recent.note(&UserName::primary(&n.to_string(), "t"), &Secret::new(String::new()), &stored, Timestamp(0));
        }
        assert!(recent.since.lock().unwrap().len() <= ENTRIES_MAX);
    }
}
