//! The forms in which a password may be kept. Checking one is the work of `users`.

use crate::Secret;

/// A password as stored. Shows how it is kept, and neither hash nor salt.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredPassword {
    /// A PHC string of Argon2id, what Tidegate itself writes.
    Argon2id(Secret<String>),
    /// A digest from an old installation, kept until the first successful login replaces it.
    Legacy {
        /// Digest algorithm.
        digest: LegacyDigest,
        /// `Base64(digest(password + salt text))`, or the password itself for [`LegacyDigest::PlainText`].
        hash: Secret<String>,
        /// Base64 text of the salt, appended *as text* to the password before digesting; `None` when unsalted.
        salt: Option<String>,
    },
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Argon2id(_) => f.write_str("Argon2id"),
            Self::Legacy { digest, salt, .. } => {
                f.debug_struct("Legacy").field("digest", digest).field("salted", &salt.is_some()).finish_non_exhaustive()
            }
        }
    }
}

/// Algorithms of the old JDBC user stores (`PasswordDigest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyDigest {
    /// Kept unhashed.
    PlainText,
    /// MD5.
    Md5,
    /// SHA-1 (`SHA`).
    Sha1,
    /// SHA-256, the old default.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl LegacyDigest {
    /// Reads the old property's value; letter case and the dash are free, as in Java's provider.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().replace(['-', '_', ' '], "").as_str() {
            "PLAINTEXT" => Some(Self::PlainText),
            "MD5" => Some(Self::Md5),
            "SHA" | "SHA1" => Some(Self::Sha1),
            "SHA256" => Some(Self::Sha256),
            "SHA384" => Some(Self::Sha384),
            "SHA512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The name stored with a hash; [`LegacyDigest::parse`] reads it back.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PlainText => "PLAIN_TEXT",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}
