//! Turns passwords into what may be stored, and checks them. Pure but slow by design: call it where blocking is allowed.

use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::Digest as _;
use model::{LegacyDigest, Secret, StoredPassword};

/// Memory of one hashing in KiB, with two passes on one lane: the least that OWASP's password storage advice calls sufficient for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A stored hash asking for more memory than this is refused: one row must not be able to exhaust the server.
const MEMORY_MAX_KIB: u32 = 256 * 1024;

/// Longest password looked at, in bytes.
pub const PASSWORD_MAX_BYTES: usize = 1024;

/// Hashing failed: no memory, or no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashFault(String);

/// Outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Right, and stored as we store passwords.
    Right,
    /// Right, but stored in a form that ought to be replaced by [`hash`].
    RightButOutdated,
    /// Wrong, or the stored form is unusable.
    Wrong,
}

/// What to store for a new password.
///
/// # Errors
/// [`HashFault`].
pub fn hash(password: &Secret<String>) -> Result<StoredPassword, HashFault> {
    let hash: PasswordHash = hasher()?.hash_password(password.expose().as_bytes()).map_err(|e| HashFault(e.to_string()))?;
    Ok(StoredPassword::Argon2id(Secret::new(hash.to_string())))
}

/// Checks a password. Every outcome costs at least one Argon2id hashing of ours, except a right legacy password, whose caller hashes it
/// anew; so the time taken does not tell how a password is stored, nor whether there is one (`None`: unknown user).
#[must_use]
pub fn verify(stored: Option<&StoredPassword>, password: &Secret<String>) -> Verdict {
    let verdict = match stored {
        _ if password.expose().len() > PASSWORD_MAX_BYTES => Verdict::Wrong,
        Some(StoredPassword::Argon2id(phc)) => return argon2id(phc.expose(), password.expose()),
        Some(StoredPassword::Legacy { digest, hash, salt }) if legacy(*digest, hash.expose(), salt.as_deref(), password.expose()) => {
            Verdict::RightButOutdated
        }
        Some(StoredPassword::Legacy { .. }) | None => Verdict::Wrong,
    };
    if verdict == Verdict::Wrong {
        spend_the_same();
    }
    verdict
}

fn hasher() -> Result<Argon2<'static>, HashFault> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|e| HashFault(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn argon2id(phc: &str, password: &str) -> Verdict {
    let Ok(parsed) = PasswordHash::new(phc) else { return Verdict::Wrong };
    let Ok(params) = Params::try_from(&parsed) else { return Verdict::Wrong };
    if params.m_cost() > MEMORY_MAX_KIB {
        return Verdict::Wrong;
    }
    match Argon2::default().verify_password(password.as_bytes(), &parsed) {
        Ok(()) if params.m_cost() < MEMORY_KIB || params.t_cost() < PASSES => Verdict::RightButOutdated,
        Ok(()) => Verdict::Right,
        Err(_) => Verdict::Wrong,
    }
}

/// One hashing whose result nobody looks at.
fn spend_the_same() {
    static NOBODY: OnceLock<Option<String>> = OnceLock::new();
    let nobody = NOBODY.get_or_init(|| match hash(&Secret::new("nobody".to_owned())) {
        Ok(StoredPassword::Argon2id(phc)) => Some(phc.expose().clone()),
        _ => None,
    });
    if let Some(phc) = nobody {
        std::hint::black_box(argon2id(phc, "somebody else"));
    }
}

/// The old JDBC stores: `Base64(digest(password + salt text))`, in the character set of the Java process that wrote it.
fn legacy(digest: LegacyDigest, stored: &str, salt: Option<&str>, password: &str) -> bool {
    // All candidates are computed before any is compared, so that the time does not tell which one fits.
    charsets(password)
        .into_iter()
        .map(|mut bytes| {
            if digest == LegacyDigest::PlainText {
                return equal(stored.as_bytes(), &bytes);
            }
            bytes.extend_from_slice(salt.unwrap_or_default().as_bytes());
            equal(stored.trim_end().as_bytes(), BASE64_STANDARD.encode(digested(digest, &bytes)).as_bytes())
        })
        .fold(false, |any, fits| any | fits)
}

fn digested(digest: LegacyDigest, bytes: &[u8]) -> Vec<u8> {
    let algorithm = match digest {
        LegacyDigest::PlainText => return bytes.to_vec(),
        LegacyDigest::Md5 => return md5::Md5::digest(bytes).to_vec(),
        LegacyDigest::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        LegacyDigest::Sha256 => &digest::SHA256,
        LegacyDigest::Sha384 => &digest::SHA384,
        LegacyDigest::Sha512 => &digest::SHA512,
    };
    digest::digest(algorithm, bytes).as_ref().to_vec()
}

/// Compares without telling by time where, or in length, two texts differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (digest::digest(&digest::SHA256, a), digest::digest(&digest::SHA256, b));
    verify_slices_are_equal(a.as_ref(), b.as_ref()).is_ok()
}

/// The password's bytes in every character set an old server may have run under. A character that a set lacks rules the set out: Java
/// wrote `?` for it, and taking that would let every password of as many such characters in.
fn charsets(password: &str) -> Vec<Vec<u8>> {
    let mut all = vec![password.as_bytes().to_vec()];
    if !password.is_ascii() {
        let one_byte_sets: [fn(char) -> Option<u8>; 2] = [windows_1252, |c| u8::try_from(u32::from(c)).ok()];
        all.extend(one_byte_sets.iter().filter_map(|set| password.chars().map(set).collect::<Option<Vec<u8>>>()));
    }
    all
}

fn windows_1252(c: char) -> Option<u8> {
    const HIGH: [char; 27] = [
        '€', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 'Ž', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 'ž',
        'Ÿ',
    ];
    const HIGH_BYTES: [u8; 27] = [
        0x80, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8e, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
        0x9a, 0x9b, 0x9c, 0x9e, 0x9f,
    ];
    match u32::from(c) {
        0..=0x7f | 0xa0..=0xff => u8::try_from(u32::from(c)).ok(),
        _ => HIGH.iter().zip(HIGH_BYTES).find_map(|(high, byte)| (*high == c).then_some(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn old(digest: LegacyDigest, hash: &str, salt: Option<&str>) -> StoredPassword {
        StoredPassword::Legacy { digest, hash: secret(hash), salt: salt.map(str::to_owned) }
    }

    #[test]
    fn our_own_form_round_trips() {
        let stored = hash(&secret("s3cret-ä")).unwrap();
        let StoredPassword::Argon2id(phc) = &stored else { panic!("not Argon2id") };
        assert!(phc.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", phc.expose());
        assert_eq!(verify(Some(&stored), &secret("s3cret-ä")), Verdict::Right);
        assert_eq!(verify(Some(&stored), &secret("s3cret-a")), Verdict::Wrong);
        assert_ne!(hash(&secret("s3cret-ä")).unwrap(), stored);
    }

    /// Values computed with the `openssl` and `base64` commands: `printf 'admin' | openssl dgst -sha256 -binary | base64`.
    #[test]
    fn old_digests_are_those_of_the_old_stores() {
        let unsalted = [
            (LegacyDigest::Md5, "ISMvKXpXpadDiUoOSoAfww=="),
            (LegacyDigest::Sha1, "0DPiKuNIrrVmD8IUCuw1hQxNqZc="),
            (LegacyDigest::Sha256, "jGl25bVBBBW96Qi9Te4V37Fnqchz/Eu4qB9vKrRIqRg="),
            (LegacyDigest::PlainText, "admin"),
        ];
        for (digest, hash) in unsalted {
            assert_eq!(verify(Some(&old(digest, hash, None)), &secret("admin")), Verdict::RightButOutdated, "{digest:?}");
            assert_eq!(verify(Some(&old(digest, hash, Some(""))), &secret("admin")), Verdict::RightButOutdated, "{digest:?}");
            assert_eq!(verify(Some(&old(digest, hash, None)), &secret("admin ")), Verdict::Wrong, "{digest:?}");
        }
    }

    #[test]
    fn the_salt_is_appended_as_text() {
        let salt = "AAECAwQFBgcICQoLDA0ODw==";
        for digest in [LegacyDigest::Md5, LegacyDigest::Sha1, LegacyDigest::Sha256, LegacyDigest::Sha384, LegacyDigest::Sha512] {
            let text = BASE64_STANDARD.encode(digested(digest, format!("pass{salt}").as_bytes()));
            assert_eq!(verify(Some(&old(digest, &text, Some(salt))), &secret("pass")), Verdict::RightButOutdated);
            assert_eq!(verify(Some(&old(digest, &text, None)), &secret("pass")), Verdict::Wrong);
        }
    }

    #[test]
    fn a_password_may_have_been_hashed_in_another_character_set() {
        for bytes in [&b"stra\xdfe\x80"[..], "straße€".as_bytes()] {
            let text = BASE64_STANDARD.encode(digested(LegacyDigest::Sha256, bytes));
            assert_eq!(verify(Some(&old(LegacyDigest::Sha256, &text, None)), &secret("straße€")), Verdict::RightButOutdated);
        }
        let question_marks = BASE64_STANDARD.encode(digested(LegacyDigest::Sha256, b"??????"));
        assert_eq!(verify(Some(&old(LegacyDigest::Sha256, &question_marks, None)), &secret("пароль")), Verdict::Wrong);
    }

    #[test]
    fn nonsense_is_wrong_and_never_a_panic() {
        assert_eq!(verify(None, &secret("x")), Verdict::Wrong);
        assert_eq!(
            verify(Some(&StoredPassword::Argon2id(secret("$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"))), &secret("x")),
            Verdict::Wrong
        );
        assert_eq!(verify(Some(&StoredPassword::Argon2id(secret("x"))), &secret("x")), Verdict::Wrong);
        assert_eq!(verify(Some(&old(LegacyDigest::PlainText, "x", None)), &secret(&"x".repeat(2000))), Verdict::Wrong);
        assert_eq!(verify(None, &secret(&"ä".repeat(2000))), Verdict::Wrong);
    }
}
