//! The old installation's own RSA keys, out of its Java keystores (JKS or PKCS12), and what they open: tokens, secrets and, up to 1.9,
//! consumer keys where `EncryptPersistedTokens` was on; passwords of endpoints, tenants' keystores and configuration files.
//!
//! A keystore is bytes from outside: every length in it is held against what is there. Packs up to 2.x came with a key of 1024 bits,
//! which cryptographic libraries refuse nowadays, and encrypted without padding, which they never offered; hence the arithmetic here.
//! It needs no constant time: it runs once, on its owner's machine.

use std::path::Path;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY as SHA1};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::Secret;
use num_bigint::BigUint;

use super::{files::KeyStore, pkcs12};

/// A keystore holds a handful of keys and certificates.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Of an encrypted text; that of an RSA key of 16,384 bits has some 3,000.
const TEXT_BYTES_MAX: usize = 64 << 10;
const SHA1_BYTES: usize = 20;

/// The keys of an installation: that of `RegistryKeyStore`, which encrypts where there is one, and that of `KeyStore`.
pub struct OldKey(Vec<RsaKey>);

/// An RSA private key.
pub(super) struct RsaKey {
    p: BigUint,
    q: BigUint,
    dp: BigUint,
    dq: BigUint,
    q_inverse: BigUint,
    /// Length of the modulus.
    bytes: usize,
}

impl std::fmt::Debug for OldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits: Vec<String> = self.0.iter().map(|key| (key.bytes * 8).to_string()).collect();
        write!(f, "OldKey({} bits)", bits.join(", "))
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyStoreFault {
    /// The configuration names none.
    #[error("no carbon.xml names the old keystore; name the old folder with --source")]
    NotNamed,
    /// No password in clear.
    #[error("no password of the keystore {0} is known; give it as TIDEGATE_SOURCE_KEYSTORE_PASSWORD")]
    NoPassword(String),
    /// The file does not open.
    #[error("the keystore {0} is not there or cannot be read")]
    Unreadable(String),
    /// Another format.
    #[error("{0} is no Java keystore of type JKS or PKCS12; convert it with keytool -importkeystore -deststoretype PKCS12")]
    NotAKeyStore(String),
    /// The password, or the file is damaged.
    #[error("the password does not open the keystore {0}; give the right one as TIDEGATE_SOURCE_KEYSTORE_PASSWORD")]
    WrongPassword(String),
    /// No RSA key under the alias.
    #[error("the keystore {0} holds no RSA key {1} that the password opens")]
    NoKey(String, String),
    /// A key alone.
    #[error("the keystore {0} holds no certificate of its key {1}")]
    NoCertificate(String, String),
    /// A tenant's keystore lies beside its own encrypted passwords.
    #[error("the passwords kept beside the keystore {0} are missing, or the installation's own key does not open them")]
    PasswordsSealed(String),
}

impl OldKey {
    /// The keys of the keystores that a configuration names, in the order to try them. `home` stands for `${carbon.home}`; `password` goes
    /// before those of the configuration.
    ///
    /// # Errors
    ///
    /// [`KeyStoreFault`] of the first store, when none opens.
    pub fn of(stores: &[&KeyStore], home: &Path, password: Option<&Secret<String>>) -> Result<Self, KeyStoreFault> {
        let mut keys = Vec::new();
        let mut fault = None;
        for store in stores {
            match of_store(store, home, password) {
                Ok(key) => keys.push(key),
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        if keys.is_empty() { Err(fault.unwrap_or(KeyStoreFault::NotNamed)) } else { Ok(Self(keys)) }
    }

    /// What was encrypted: one line of printable text; `None` when it was not with this key.
    pub fn open(&self, text: &str) -> Option<String> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let plain: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let mut cipher = STANDARD.decode(plain).ok()?;
        // Late 4.4 kernels wrap it into JSON.
        if cipher.first() == Some(&b'{') {
            let wrapped: serde_json::Value = serde_json::from_slice(&cipher).ok()?;
            cipher = STANDARD.decode(wrapped.get("c")?.as_str()?).ok()?;
        }
        // Bare was the default; patched packs padded in one of two ways.
        self.0.iter().find_map(|key| {
            let block = key.raise(&cipher)?;
            bare(&block).or_else(|| padded(&block)).or_else(|| oaep(&block)).and_then(printable)
        })
    }
}

fn of_store(store: &KeyStore, home: &Path, password: Option<&Secret<String>>) -> Result<RsaKey, KeyStoreFault> {
    let file = StoreFile::open(store, home, password)?;
    read(&file.bytes, &file.shown, store.alias.as_deref().unwrap_or_default(), &file.of_store, &file.of_key)
}

/// A store's bytes with the passwords to try.
pub(super) struct StoreFile {
    pub(super) bytes: Vec<u8>,
    pub(super) shown: String,
    pub(super) of_store: Secret<String>,
    pub(super) of_key: Secret<String>,
}

impl StoreFile {
    pub(super) fn open(store: &KeyStore, home: &Path, password: Option<&Secret<String>>) -> Result<Self, KeyStoreFault> {
        let location = store.location.replace("${carbon.home}", ".").replace("{carbon.home}", ".");
        let shown = location.strip_prefix("./").unwrap_or(&location).to_owned();
        let path = home.join(location);
        let size = std::fs::metadata(&path).map_err(|_| KeyStoreFault::Unreadable(shown.clone()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(KeyStoreFault::NotAKeyStore(shown));
        }
        let bytes = std::fs::read(&path).map_err(|_| KeyStoreFault::Unreadable(shown.clone()))?;
        let of_store = password.or(store.password.as_ref()).ok_or_else(|| KeyStoreFault::NoPassword(shown.clone()))?.clone();
        let of_key = password.or(store.key_password.as_ref()).unwrap_or(&of_store).clone();
        Ok(Self { bytes, shown, of_store, of_key })
    }
}

impl RsaKey {
    /// Whether a certificate in DER is of this key.
    pub(super) fn is_of(&self, certificate: &[u8]) -> bool {
        let modulus = (&self.p * &self.q).to_bytes_be();
        certificate.windows(modulus.len()).any(|window| window == modulus)
    }

    /// The plain block, as long as the modulus.
    fn raise(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let c = BigUint::from_bytes_be(cipher);
        if cipher.len() > self.bytes || c >= &self.p * &self.q {
            return None;
        }
        let (of_p, of_q) = (c.modpow(&self.dp, &self.p), c.modpow(&self.dq, &self.q));
        let h = (&self.p + of_p - &of_q % &self.p) * &self.q_inverse % &self.p;
        let plain = (of_q + h * &self.q).to_bytes_be();
        let mut block = vec![0; self.bytes.checked_sub(plain.len())?];
        block.extend(plain);
        Some(block)
    }
}

fn printable(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
}

/// Without padding: zeros, then the text.
fn bare(block: &[u8]) -> Option<Vec<u8>> {
    let start = block.iter().position(|b| *b != 0)?;
    block.get(start..).map(<[u8]>::to_vec).filter(|text| printable(text.clone()).is_some())
}

/// PKCS#1 1.5: 0, 2, at least eight bytes that are not 0, 0, text.
fn padded(block: &[u8]) -> Option<Vec<u8>> {
    let rest = block.strip_prefix(&[0, 2])?;
    let end = rest.iter().position(|b| *b == 0).filter(|at| *at >= 8)?;
    rest.get(end + 1..).map(<[u8]>::to_vec)
}

/// OAEP with SHA-1, MGF1 with SHA-1, and no label.
fn oaep(block: &[u8]) -> Option<Vec<u8>> {
    let (seed, data) = block.strip_prefix(&[0])?.split_at_checked(SHA1_BYTES)?;
    let seed = xored(seed, &mask(data, SHA1_BYTES));
    let data = xored(data, &mask(&seed, data.len()));
    let rest = data.strip_prefix(digest::digest(&SHA1, b"").as_ref())?;
    let end = rest.iter().position(|b| *b != 0)?;
    rest.get(end..)?.strip_prefix(&[1]).map(<[u8]>::to_vec)
}

fn mask(seed: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for counter in 0_u32.. {
        if out.len() >= length {
            break;
        }
        out.extend(sha1(&[seed, &counter.to_be_bytes()]));
    }
    out.truncate(length);
    out
}

fn xored(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

pub(super) fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(&SHA1);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

/// As Java hands it to SHA-1: UTF-16, high byte first.
pub(super) fn wide(password: &Secret<String>) -> Vec<u8> {
    password.expose().encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn read(bytes: &[u8], shown: &str, alias: &str, of_store: &Secret<String>, of_key: &Secret<String>) -> Result<RsaKey, KeyStoreFault> {
    let not_jks = || KeyStoreFault::NotAKeyStore(shown.to_owned());
    if bytes.first() == Some(&SEQUENCE) {
        return read_pkcs12(bytes, shown, alias, of_store, of_key);
    }
    let (body, seal) = bytes.len().checked_sub(SHA1_BYTES).and_then(|at| bytes.split_at_checked(at)).ok_or_else(not_jks)?;
    let mut rest = Bytes(body);
    if rest.number() != Some(0xfeed_feed) {
        return Err(not_jks());
    }
    if sha1(&[&wide(of_store), b"Mighty Aphrodite", body]) != seal {
        return Err(KeyStoreFault::WrongPassword(shown.to_owned()));
    }
    let entries = entries(&mut rest).ok_or_else(not_jks)?;
    // With one key there is no doubt which is meant.
    let named = entries.iter().find(|(name, _)| name.eq_ignore_ascii_case(alias.as_bytes()));
    let found = named.or(entries.first().filter(|_| entries.len() == 1));
    let key = found.and_then(|(_, sealed)| unsealed(sealed, &wide(of_key))).and_then(|der| rsa(&der));
    key.ok_or_else(|| KeyStoreFault::NoKey(shown.to_owned(), alias.to_owned()))
}

fn read_pkcs12(
    bytes: &[u8],
    shown: &str,
    alias: &str,
    of_store: &Secret<String>,
    of_key: &Secret<String>,
) -> Result<RsaKey, KeyStoreFault> {
    let keys = pkcs12_contents(bytes, shown, of_store, of_key)?.keys;
    let found = pkcs12_named(&keys, alias).and_then(|key| rsa(&key.der));
    found.ok_or_else(|| KeyStoreFault::NoKey(shown.to_owned(), alias.to_owned()))
}

pub(super) fn pkcs12_contents(
    bytes: &[u8],
    shown: &str,
    of_store: &Secret<String>,
    of_key: &Secret<String>,
) -> Result<pkcs12::Contents, KeyStoreFault> {
    pkcs12::contents(bytes, of_store, of_key).map_err(|fault| match fault {
        pkcs12::Fault::NotPkcs12 => KeyStoreFault::NotAKeyStore(shown.to_owned()),
        pkcs12::Fault::WrongPassword => KeyStoreFault::WrongPassword(shown.to_owned()),
    })
}

/// The key of that alias. With one key there is no doubt which is meant.
pub(super) fn pkcs12_named<'a>(keys: &'a [pkcs12::NamedKey], alias: &str) -> Option<&'a pkcs12::NamedKey> {
    let alias = alias.to_lowercase();
    keys.iter().find(|key| key.name.as_deref() == Some(&alias)).or(keys.first().filter(|_| keys.len() == 1))
}

/// The private keys of a store: alias and sealed key.
fn entries<'a>(rest: &mut Bytes<'a>) -> Option<Vec<(&'a [u8], &'a [u8])>> {
    let version = rest.number()?;
    let mut found = Vec::new();
    for _ in 0..rest.number()? {
        let kind = rest.number()?;
        let alias = rest.short()?;
        rest.take(8)?;
        if kind == 1 {
            found.push((alias, rest.long()?));
            for _ in 0..rest.number()? {
                certificate(rest, version)?;
            }
        } else {
            certificate(rest, version)?;
        }
    }
    Some(found)
}

fn certificate(rest: &mut Bytes<'_>, version: u32) -> Option<()> {
    if version == 2 {
        rest.short()?;
    }
    rest.long().map(drop)
}

/// The rest of a keystore.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        self.take(length.into())
    }

    pub(super) fn long(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }
}

/// Sun's own protection: salt, the key under a stream of SHA-1 sums that starts from it, and a sum of password and key.
pub(super) fn unsealed(sealed: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let (_, inner) = part(sealed, SEQUENCE)?.split();
    let data = part(inner, OCTETS)?.value;
    let (salt, data) = data.split_at_checked(SHA1_BYTES)?;
    let (hidden, check) = data.split_at_checked(data.len().checked_sub(SHA1_BYTES)?)?;
    let mut link = salt.to_vec();
    let mut plain = Vec::with_capacity(hidden.len());
    for chunk in hidden.chunks(SHA1_BYTES) {
        link = sha1(&[password, &link]);
        plain.extend(xored(chunk, &link));
    }
    (sha1(&[password, &plain]) == check).then_some(plain)
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const INTEGER: u8 = 0x02;
/// 1.2.840.113549.1.1.1
const RSA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The first element of DER text.
pub(super) struct Part<'a> {
    pub(super) value: &'a [u8],
    pub(super) rest: &'a [u8],
}

impl<'a> Part<'a> {
    /// Of a sequence: its first element whole, and what follows that.
    fn split(&self) -> (&'a [u8], &'a [u8]) {
        let value = self.value;
        let rest = first(value).map_or(&[][..], |(_, part)| part.rest);
        (value.get(..value.len() - rest.len()).unwrap_or_default(), rest)
    }
}

pub(super) fn first(text: &[u8]) -> Option<(u8, Part<'_>)> {
    let (tag, text) = text.split_first()?;
    let (length, text) = text.split_first()?;
    let (length, text) = match usize::from(*length) {
        short @ 0..0x80 => (short, text),
        long => {
            let (digits, text) = text.split_at_checked(long - 0x80).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0, |n, digit| n << 8 | usize::from(*digit)), text)
        }
    };
    let (value, rest) = text.split_at_checked(length)?;
    Some((*tag, Part { value, rest }))
}

pub(super) fn part(text: &[u8], tag: u8) -> Option<Part<'_>> {
    first(text).filter(|(found, _)| *found == tag).map(|(_, part)| part)
}

/// A PKCS#8 key.
pub(super) fn rsa(der: &[u8]) -> Option<RsaKey> {
    let version = part(part(der, SEQUENCE)?.value, INTEGER)?;
    let algorithm = part(version.rest, SEQUENCE)?;
    if !algorithm.value.starts_with(&RSA) {
        return None;
    }
    let mut rest = part(part(algorithm.rest, OCTETS)?.value, SEQUENCE)?.value;
    // version, n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p
    let mut numbers = Vec::new();
    for _ in 0..9 {
        let number = part(rest, INTEGER)?;
        numbers.push(BigUint::from_bytes_be(number.value));
        rest = number.rest;
    }
    let [_, n, _, _, p, q, dp, dq, q_inverse] = <[BigUint; 9]>::try_from(numbers).ok()?;
    let bytes = usize::try_from(n.bits().div_ceil(8)).ok()?;
    // Neither is 0 then.
    (n.bits() >= 512 && &p * &q == n).then_some(RsaKey { p, q, dp, dq, q_inverse, bytes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by keytool for this test: `wso2carbon`, 1024 bits, passwords `wso2carbon` and, of the key, `keypass1`.
    fn store() -> Vec<u8> {
        STANDARD.decode(include_str!("../../tests/fixtures/keystore.txt").replace('\n', "")).unwrap()
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn opened(alias: &str) -> OldKey {
        OldKey(vec![read(&store(), "store", alias, &secret("wso2carbon"), &secret("keypass1")).unwrap()])
    }

    /// By OpenSSL with that key's public half.
    const BARE: &str = "CP73bB0Br91Xc8jhnokKvgM/fs+LTTCyQbWncN7drt6G7ijIlLu5/nY/We41EueKTUzD0Q5fU1uyZbsx/l4JsZu3AJ86rF9SnxH4I1c8EZYQpld51bASXbp3EVkSQF1K84QMpawPkaLcEXObBhUnmEM8nB6WpeUgSd6nyN8G/+Q=";
    const PADDED: &str = "S/JXNonDIFKPLTBxFfcJUw51Aa1FjhStxGMcqrEraNd3KdfKrW2vkhuTPqgrLObtVtOrw+8cTsWN/qMlZX9EUF70oeVw2FtvDDx+twRKZdsp8P3iUo3u81dGobdeUy5BOhAZhKjsZuOM/AIvhjwQvqEQAJGutfZOZiWdWC33w6Q=";
    const OAEP: &str = "PXflXKMSu7gSaiS1v5dG4o6tNRRWkT4GLZdWHJ7XWUUH+lkJrblRBYTPn5VJlPKPTBifFEqBLkaFMJsTPGR//mQz54Tc1w1ZInGnKktY9j17enGgjlc0LDTQod0uv1VFfs1ISHEV8NO1rPmFPp2akN/BcIoQbeiZdccSR1T6EHo=";

    #[test]
    fn a_key_of_a_java_keystore_opens_what_it_encrypted_in_every_form() {
        let key = opened("wso2carbon");
        let wrapped = STANDARD.encode(format!(r#"{{"c":"{OAEP}","t":"RSA/ECB/OAEPwithSHA1andMGF1Padding"}}"#));
        let broken = format!("{}\r\n{}", &BARE[..76], &BARE[76..]);
        for text in [BARE, PADDED, OAEP, &wrapped, &broken] {
            assert_eq!(key.open(text).as_deref(), Some("LBziGoGH5fZeHrqJbf1fbCfet6ka"));
        }
        let other = STANDARD.encode([7; 128]);
        for text in ["", "no base64!", "AAAA", &other, &STANDARD.encode([255; 128]), &STANDARD.encode([1; 129]), &"A".repeat(1 << 20)] {
            assert_eq!(key.open(text), None);
        }
        assert_eq!(format!("{key:?}"), "OldKey(1024 bits)");
    }

    #[test]
    fn what_is_wrong_with_a_keystore_is_said() {
        let with = |bytes: &[u8], store, key| read(bytes, "store", "wso2carbon", &secret(store), &secret(key)).err().unwrap();
        assert_eq!(with(&store(), "other", "keypass1"), KeyStoreFault::WrongPassword("store".to_owned()));
        assert_eq!(with(&store(), "wso2carbon", "other"), KeyStoreFault::NoKey("store".to_owned(), "wso2carbon".to_owned()));
        assert_eq!(with(b"PK", "wso2carbon", "x"), KeyStoreFault::NotAKeyStore("store".to_owned()));
        assert_eq!(with(&[0; 100], "wso2carbon", "x"), KeyStoreFault::NotAKeyStore("store".to_owned()));
        // The only key is meant by any name.
        opened("another");
    }

    /// The same key as keytool imports it, into a store as Java 8 wrote them and as Java 17 does.
    fn pkcs12_stores() -> [Vec<u8>; 2] {
        let texts =
            [include_str!("../../tests/fixtures/keystore-legacy-p12.txt"), include_str!("../../tests/fixtures/keystore-modern-p12.txt")];
        texts.map(|text| STANDARD.decode(text.replace('\n', "")).unwrap())
    }

    #[test]
    fn keystores_of_type_pkcs12_open_by_both_ways_of_java() {
        for bytes in pkcs12_stores() {
            let with = |alias: &str, password: &str| read(&bytes, "store", alias, &secret(password), &secret(password));
            let key = OldKey(vec![with("WSO2carbon", "wso2carbon").unwrap()]);
            for text in [BARE, PADDED, OAEP] {
                assert_eq!(key.open(text).as_deref(), Some("LBziGoGH5fZeHrqJbf1fbCfet6ka"));
            }
            let fault = |password: &str| with("wso2carbon", password).err();
            assert_eq!(fault("other"), Some(KeyStoreFault::WrongPassword("store".to_owned())));
            // The key's own password may be given as another; the store's is tried too.
            assert!(read(&bytes, "store", "wso2carbon", &secret("wso2carbon"), &secret("keypass1")).is_ok());
            assert!(matches!(read(&bytes[..500], "store", "", &secret("x"), &secret("x")).err(), Some(KeyStoreFault::NotAKeyStore(_))));
        }
    }

    #[test]
    fn the_registrys_own_keystore_is_tried_first_and_the_other_after_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jks"), store()).unwrap();
        let named = |location: &str| KeyStore {
            location: location.to_owned(),
            kind: None,
            password: Some(secret("wso2carbon")),
            alias: Some("wso2carbon".to_owned()),
            key_password: Some(secret("keypass1")),
        };
        let (there, gone) = (named("${carbon.home}/a.jks"), named("gone.jks"));
        assert_eq!(format!("{:?}", OldKey::of(&[&there, &there], folder.path(), None).unwrap()), "OldKey(1024, 1024 bits)");
        assert_eq!(OldKey::of(&[&gone, &there], folder.path(), None).unwrap().open(BARE).as_deref(), Some("LBziGoGH5fZeHrqJbf1fbCfet6ka"));
        assert_eq!(OldKey::of(&[&gone, &gone], folder.path(), None).unwrap_err(), KeyStoreFault::Unreadable("gone.jks".to_owned()));
        assert_eq!(OldKey::of(&[], folder.path(), None).unwrap_err(), KeyStoreFault::NotNamed);
    }

    proptest! {
        // Each costs some ten thousand rounds of key derivation.
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_break_the_reader_of_pkcs12(which in 0_usize..2, at: prop::sample::Index, to: u8, cut: prop::sample::Index) {
            let mut bytes = pkcs12_stores()[which].clone();
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _ = read(&bytes[..cut.index(bytes.len() + 1)], "store", "wso2carbon", &secret("wso2carbon"), &secret("wso2carbon"));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..1222, to: u8) {
            let mut body = [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2][..], &bytes].concat();
            let mut damaged = store();
            damaged[at] = to;
            damaged.truncate(damaged.len() - SHA1_BYTES);
            for body in [&mut body, &mut damaged] {
                let seal = sha1(&[&wide(&secret("wso2carbon")), b"Mighty Aphrodite", body]);
                body.extend(seal);
                let _ = read(body, "store", "wso2carbon", &secret("wso2carbon"), &secret("keypass1")).map(|key| OldKey(vec![key]).open(BARE));
            }
            let _ = rsa(&bytes);
            let _ = unsealed(&bytes, b"x");
        }
    }
}
