//! Key pairs with their certificates, and trusted certificates, out of Java keystores (JKS, PKCS12): what the old server signed with and whom it
//! believed. What a key opens is [`super::keystore`]'s.

use std::path::Path;

use model::Secret;

use super::files::KeyStore;
use super::keystore::{Bytes, KeyStoreFault, SEQUENCE, StoreFile, pkcs12_contents, pkcs12_named, rsa, sha1, unsealed, wide};

const SHA1_BYTES: usize = 20;

/// Certificates in DER by their alias.
pub type Certificates = Vec<(String, Vec<u8>)>;

/// A private key with the certificate that stands with it.
#[derive(Clone, PartialEq, Eq)]
pub struct OldPair {
    /// PKCS #8 DER.
    pub pkcs8: Secret<Vec<u8>>,
    /// DER.
    pub certificate: Vec<u8>,
}

impl std::fmt::Debug for OldPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OldPair(certificate of {} bytes)", self.certificate.len())
    }
}

/// The key pair that a configuration names. `home` and `password` as for [`OldKey::of`].
///
/// # Errors
///
/// [`KeyStoreFault`].
pub fn pair(store: Option<&KeyStore>, home: &Path, password: Option<&Secret<String>>) -> Result<OldPair, KeyStoreFault> {
    let store = store.ok_or(KeyStoreFault::NotNamed)?;
    let file = StoreFile::open(store, home, password)?;
    pair_of(&file.bytes, &file.shown, store.alias.as_deref().unwrap_or_default(), &file.of_store, &file.of_key)
}

/// The certificates that a store trusts, by alias. `home` as for [`OldKey::of`].
///
/// # Errors
///
/// [`KeyStoreFault`].
pub fn trusted(store: Option<&KeyStore>, home: &Path, password: Option<&Secret<String>>) -> Result<Certificates, KeyStoreFault> {
    let store = store.ok_or(KeyStoreFault::NotNamed)?;
    let file = StoreFile::open(store, home, password)?;
    if file.bytes.first() == Some(&SEQUENCE) {
        let contents = pkcs12_contents(&file.bytes, &file.shown, &file.of_store, &file.of_key)?;
        let keys: Vec<_> = contents.keys.iter().filter_map(|key| rsa(&key.der)).collect();
        // A key's chain has no names but the first's; what is trusted by itself has one.
        let alone = contents.certificates.into_iter().filter(|(_, der)| !keys.iter().any(|key| key.is_of(der)));
        return Ok(alone.filter_map(|(name, der)| Some((name?, der))).collect());
    }
    let entries = checked(&file.bytes, &file.shown, &file.of_store)?;
    let alone = entries.iter().filter(|e| e.sealed.is_none());
    Ok(alone.filter_map(|e| Some((String::from_utf8_lossy(e.alias).into_owned(), e.certificates.first()?.to_vec()))).collect())
}

/// The key pair in a store's bytes, by the name of its key. `shown` is how faults name the store.
///
/// # Errors
///
/// [`KeyStoreFault`].
pub fn pair_of(
    bytes: &[u8],
    shown: &str,
    alias: &str,
    of_store: &Secret<String>,
    of_key: &Secret<String>,
) -> Result<OldPair, KeyStoreFault> {
    let no_key = || KeyStoreFault::NoKey(shown.to_owned(), alias.to_owned());
    if bytes.first() == Some(&SEQUENCE) {
        let contents = pkcs12_contents(bytes, shown, of_store, of_key)?;
        let (key, numbers) = pkcs12_named(&contents.keys, alias).and_then(|key| Some((key, rsa(&key.der)?))).ok_or_else(no_key)?;
        let certificate = contents.certificates.iter().find(|(_, der)| numbers.is_of(der));
        let (_, certificate) = certificate.ok_or_else(|| KeyStoreFault::NoCertificate(shown.to_owned(), alias.to_owned()))?;
        return Ok(OldPair { pkcs8: Secret::new(key.der.clone()), certificate: certificate.clone() });
    }
    let entries = checked(bytes, shown, of_store)?;
    let found = named(&entries, alias).and_then(|entry| {
        let pkcs8 = unsealed(entry.sealed?, &wide(of_key)).filter(|der| rsa(der).is_some())?;
        Some(OldPair { pkcs8: Secret::new(pkcs8), certificate: entry.certificates.first()?.to_vec() })
    });
    found.ok_or_else(no_key)
}

/// The entries of a store whose seal the password confirms.
fn checked<'a>(bytes: &'a [u8], shown: &str, of_store: &Secret<String>) -> Result<Vec<Entry<'a>>, KeyStoreFault> {
    let not_jks = || KeyStoreFault::NotAKeyStore(shown.to_owned());
    let (body, seal) = bytes.len().checked_sub(SHA1_BYTES).and_then(|at| bytes.split_at_checked(at)).ok_or_else(not_jks)?;
    let mut rest = Bytes(body);
    if rest.number() != Some(0xfeed_feed) {
        return Err(not_jks());
    }
    if sha1(&[&wide(of_store), b"Mighty Aphrodite", body]) != seal {
        return Err(KeyStoreFault::WrongPassword(shown.to_owned()));
    }
    entries(&mut rest).ok_or_else(not_jks)
}

/// The key of that alias. With one key there is no doubt which is meant.
fn named<'e, 'a>(entries: &'e [Entry<'a>], alias: &str) -> Option<&'e Entry<'a>> {
    let keys = || entries.iter().filter(|e| e.sealed.is_some());
    let only = || keys().next().filter(|_| keys().count() == 1);
    keys().find(|e| e.alias.eq_ignore_ascii_case(alias.as_bytes())).or_else(only)
}

/// A private key with its certificates, or a certificate alone.
struct Entry<'a> {
    alias: &'a [u8],
    sealed: Option<&'a [u8]>,
    certificates: Vec<&'a [u8]>,
}

fn entries<'a>(rest: &mut Bytes<'a>) -> Option<Vec<Entry<'a>>> {
    let version = rest.number()?;
    let mut found = Vec::new();
    for _ in 0..rest.number()? {
        let kind = rest.number()?;
        let alias = rest.short()?;
        rest.take(8)?;
        let mut entry = Entry { alias, sealed: None, certificates: Vec::new() };
        if kind == 1 {
            entry.sealed = Some(rest.long()?);
            for _ in 0..rest.number()? {
                entry.certificates.push(certificate(rest, version)?);
            }
        } else {
            entry.certificates.push(certificate(rest, version)?);
        }
        found.push(entry);
    }
    Some(found)
}

fn certificate<'a>(rest: &mut Bytes<'a>, version: u32) -> Option<&'a [u8]> {
    if version == 2 {
        rest.short()?;
    }
    rest.long()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_key_comes_with_its_certificate() {
        let store = STANDARD.decode(include_str!("../../tests/fixtures/keystore.txt").replace('\n', "")).unwrap();
        let found = pair_of(&store, "store", "wso2carbon", &secret("wso2carbon"), &secret("keypass1")).unwrap();
        assert!(rsa(found.pkcs8.expose()).is_some());
        // A certificate is a sequence of its own length.
        assert_eq!(found.certificate.first(), Some(&0x30));
        assert!(found.certificate.len() > 300);
        assert!(!format!("{found:?}").contains("48, 130"));
        let wrong = pair_of(&store, "store", "wso2carbon", &secret("wso2carbon"), &secret("x")).unwrap_err();
        assert_eq!(wrong, KeyStoreFault::NoKey("store".to_owned(), "wso2carbon".to_owned()));
        assert_eq!(checked(&store, "store", &secret("wso2carbon")).unwrap().iter().filter(|e| e.sealed.is_none()).count(), 0);
    }

    /// The legacy one keeps its certificate under RC2, the modern one under AES.
    #[test]
    fn a_key_of_a_pkcs12_store_comes_with_the_same_certificate() {
        let jks = STANDARD.decode(include_str!("../../tests/fixtures/keystore.txt").replace('\n', "")).unwrap();
        let expected = pair_of(&jks, "store", "wso2carbon", &secret("wso2carbon"), &secret("keypass1")).unwrap();
        let texts =
            [include_str!("../../tests/fixtures/keystore-legacy-p12.txt"), include_str!("../../tests/fixtures/keystore-modern-p12.txt")];
        for text in texts {
            let store = STANDARD.decode(text.replace('\n', "")).unwrap();
            let found = pair_of(&store, "store", "wso2carbon", &secret("wso2carbon"), &secret("wso2carbon")).unwrap();
            assert!(found.certificate == expected.certificate && rsa(found.pkcs8.expose()).is_some());
            let wrong = pair_of(&store, "store", "wso2carbon", &secret("x"), &secret("x")).unwrap_err();
            assert_eq!(wrong, KeyStoreFault::WrongPassword("store".to_owned()));
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("s.p12"), &store).unwrap();
            let named = KeyStore {
                location: "s.p12".to_owned(),
                kind: None,
                password: Some(secret("wso2carbon")),
                alias: None,
                key_password: None,
            };
            // Its one certificate is the key's own, and so none that is trusted by itself.
            assert_eq!(trusted(Some(&named), folder.path(), None).unwrap(), []);
        }
    }
}
