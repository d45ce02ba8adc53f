//! Values that look random and are not: keys, identifiers and salts derived from a seed and a label, so that two
//! runs make the same site.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// 32 bytes that depend on `seed` and `label` only.
pub(crate) fn bytes(seed: u64, label: &str) -> [u8; 32] {
    let hashed = digest(&SHA256, format!("{seed}:{label}").as_bytes());
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(hashed.as_ref()) {
        *to = *from;
    }
    out
}

/// A key, secret or token as the old product made them: 28 letters and digits.
pub(crate) fn key(seed: u64, label: &str) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789a";
    bytes(seed, label).iter().take(28).filter_map(|b| ALPHABET.get(usize::from(b % 64)).map(|c| char::from(*c))).collect()
}

/// A version-4 identifier in the usual lower-case form.
pub(crate) fn uuid(seed: u64, label: &str) -> String {
    let mut sixteen = [0; 16];
    for (to, from) in sixteen.iter_mut().zip(bytes(seed, label)) {
        *to = from;
    }
    uuid::Builder::from_random_bytes(sixteen).into_uuid().to_string()
}

/// A number below `bound` (0 when `bound` is 0).
pub(crate) fn below(seed: u64, label: &str, bound: usize) -> usize {
    let [a, b, c, d, ..] = bytes(seed, label);
    usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(0).checked_rem(bound).unwrap_or(0)
}

/// The salt text of a user: 16 bytes in Base64, 24 characters.
pub fn salt(seed: u64, user: &str) -> String {
    let all = bytes(seed, &format!("salt:{user}"));
    STANDARD.encode(all.get(..16).unwrap_or_default())
}

/// A stored password: Base64 of SHA-256 over the password followed by the salt's *text*.
pub fn password_digest(password: &str, salt: &str) -> String {
    STANDARD.encode(digest(&SHA256, format!("{password}{salt}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_values_have_their_form_and_repeat() {
        let key_text = key(1, "a");
        assert_eq!(key_text.len(), 28);
        assert_eq!(key_text, key(1, "a"));
        assert_ne!(key_text, key(2, "a"));
        assert_eq!(salt(1, "admin").len(), 24);
        assert_eq!(password_digest("admin", &salt(1, "admin")).len(), 44);
        assert_eq!(uuid(1, "a").len(), 36);
    }

    /// `printf 'adminc2FsdA==' | openssl dgst -sha256 -binary | base64`
    #[test]
    fn the_password_digest_is_over_password_then_salt_text() {
        assert_eq!(password_digest("admin", "c2FsdA=="), "SZ/5g6LoB+NO+VmzMngx3+2OQ4YI5Xaz6td7YMEJVRU=");
    }
}
