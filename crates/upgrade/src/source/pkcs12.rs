//! RSA keys and certificates out of keystores of type PKCS12, as newer Java tools write them (and `keytool` by default since Java 9).
//!
//! Keys are unsealed by the two ways Java used: triple DES under PKCS#12's own key derivation, and AES under PBKDF2. Certificates lie under
//! the latter, or, to Java 8, under RC2 with 40 bits. Every length is held against what is there, and the rounds of key derivation are
//! bounded.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    constant_time, digest, hmac,
    iv::FixedLength,
    pbkdf2,
};
use des::{
    TdesEde3,
    cipher::{BlockCipherDecrypt, KeyInit as _, consts::U8},
};
use model::Secret;
use rc2::Rc2;

use super::keystore::{INTEGER, OCTETS, SEQUENCE, first, part};

const ROUNDS_MAX: u32 = 1_000_000;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const INNER: u8 = 0xa0;
const INNER_OCTETS: u8 = 0x80;
const WIDE_TEXT: u8 = 0x1e;

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
const KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x01];
const SEALED_KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02];
const CERTIFICATE_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14];
const SHA1_AND_3DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03];
const SHA1_AND_RC2_128: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x05];
const SHA1_AND_RC2_40: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x06];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// What came of opening a store.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is none.
    NotPkcs12,
    /// Its checksum says the password is another.
    WrongPassword,
}

/// A private key in PKCS#8, with the name it has in the store, in lower case.
pub(super) struct NamedKey {
    pub(super) name: Option<String>,
    pub(super) der: Vec<u8>,
}

/// What is in a store.
#[derive(Default)]
pub(super) struct Contents {
    /// The keys that its password, or that of the key, opens.
    pub(super) keys: Vec<NamedKey>,
    /// Certificates in DER, with the names they have in the store, in lower case.
    pub(super) certificates: Vec<(Option<String>, Vec<u8>)>,
}

/// Reads a store.
pub(super) fn contents(bytes: &[u8], of_store: &Secret<String>, of_key: &Secret<String>) -> Result<Contents, Fault> {
    let (content, mac) = parts(bytes).ok_or(Fault::NotPkcs12)?;
    if let Some(mac) = mac
        && !mac.matches(content, of_store).ok_or(Fault::NotPkcs12)?
    {
        return Err(Fault::WrongPassword);
    }
    let mut found = Contents::default();
    let mut rest = part(content, SEQUENCE).ok_or(Fault::NotPkcs12)?.value;
    while !rest.is_empty() {
        let info = part(rest, SEQUENCE).ok_or(Fault::NotPkcs12)?;
        rest = info.rest;
        let kind = part(info.value, OBJECT).ok_or(Fault::NotPkcs12)?;
        if kind.value == DATA {
            let inner = part(kind.rest, INNER).and_then(|inner| part(inner.value, OCTETS)).ok_or(Fault::NotPkcs12)?;
            bags(inner.value, of_store, of_key, &mut found).ok_or(Fault::NotPkcs12)?;
        } else if kind.value == ENCRYPTED_DATA
            && let Some(plain) = encrypted(kind.rest, of_store)
        {
            bags(&plain, of_store, of_key, &mut found).ok_or(Fault::NotPkcs12)?;
        }
    }
    Ok(found)
}

struct Mac<'a> {
    hash: Hash,
    sum: &'a [u8],
    salt: &'a [u8],
    rounds: u32,
}

impl Mac<'_> {
    fn matches(&self, content: &[u8], password: &Secret<String>) -> Option<bool> {
        let key = self.hash.derived(3, &wide(password), self.salt, self.rounds, self.hash.algorithm().output_len())?;
        let key = hmac::Key::new(self.hash.of_hmac(), &key);
        Some(constant_time::verify_slices_are_equal(hmac::sign(&key, content).as_ref(), self.sum).is_ok())
    }
}

/// The content, and the checksum over it.
fn parts(bytes: &[u8]) -> Option<(&[u8], Option<Mac<'_>>)> {
    let version = part(part(bytes, SEQUENCE)?.value, INTEGER).filter(|version| version.value == [3])?;
    let info = part(version.rest, SEQUENCE)?;
    let kind = part(info.value, OBJECT).filter(|kind| kind.value == DATA)?;
    let content = part(part(kind.rest, INNER)?.value, OCTETS)?.value;
    if info.rest.is_empty() {
        return Some((content, None));
    }
    let sum = part(part(info.rest, SEQUENCE)?.value, SEQUENCE)?;
    let algorithm = part(sum.value, SEQUENCE)?;
    let hash = Hash::named(part(algorithm.value, OBJECT)?.value)?;
    let salt = part(sum.rest, OCTETS)?;
    let rounds = if salt.rest.is_empty() { 1 } else { number(part(salt.rest, INTEGER)?.value)? };
    Some((content, Some(Mac { hash, sum: part(algorithm.rest, OCTETS)?.value, salt: salt.value, rounds })))
}

/// The keys and certificates among the things in a content.
fn bags(content: &[u8], of_store: &Secret<String>, of_key: &Secret<String>, found: &mut Contents) -> Option<()> {
    let mut rest = part(content, SEQUENCE)?.value;
    while !rest.is_empty() {
        let bag = part(rest, SEQUENCE)?;
        rest = bag.rest;
        let kind = part(bag.value, OBJECT)?;
        let value = part(kind.rest, INNER)?;
        let der = if kind.value == KEY_BAG {
            Some(value.value.to_vec())
        } else if kind.value == SEALED_KEY_BAG {
            let sealed = part(value.value, SEQUENCE)?;
            let algorithm = part(sealed.value, SEQUENCE)?;
            let data = part(algorithm.rest, OCTETS)?.value;
            // Java seals a key with its own password, and mostly that is the store's.
            [of_key, of_store].into_iter().find_map(|password| {
                opened(algorithm.value, data, password)
                    .filter(|der| part(der, SEQUENCE).is_some_and(|key| part(key.value, INTEGER).is_some()))
            })
        } else {
            None
        };
        if let Some(der) = der {
            found.keys.push(NamedKey { name: friendly_name(value.rest), der });
        } else if kind.value == CERTIFICATE_BAG {
            let certificate = part(part(value.value, SEQUENCE)?.value, OBJECT).filter(|kind| kind.value == X509)?;
            let der = part(part(certificate.rest, INNER)?.value, OCTETS)?.value;
            found.certificates.push((friendly_name(value.rest), der.to_vec()));
        }
    }
    Some(())
}

fn friendly_name(attributes: &[u8]) -> Option<String> {
    let mut rest = part(attributes, SET)?.value;
    while !rest.is_empty() {
        let attribute = part(rest, SEQUENCE)?;
        rest = attribute.rest;
        let kind = part(attribute.value, OBJECT)?;
        if kind.value == FRIENDLY_NAME {
            let text = part(part(kind.rest, SET)?.value, WIDE_TEXT)?.value;
            let units: Vec<u16> = text.chunks(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte))).collect();
            return Some(String::from_utf16_lossy(&units).to_lowercase());
        }
    }
    None
}

/// The plain content of one that is encrypted as a whole; `None` when it is under a cipher we do not open.
fn encrypted(rest: &[u8], password: &Secret<String>) -> Option<Vec<u8>> {
    let version = part(part(part(rest, INNER)?.value, SEQUENCE)?.value, INTEGER)?;
    let kind = part(part(version.rest, SEQUENCE)?.value, OBJECT)?;
    let algorithm = part(kind.rest, SEQUENCE)?;
    opened(algorithm.value, part(algorithm.rest, INNER_OCTETS)?.value, password)
}

/// Decrypts what `algorithm` (its name and parameters) says.
fn opened(algorithm: &[u8], data: &[u8], password: &Secret<String>) -> Option<Vec<u8>> {
    let name = part(algorithm, OBJECT)?;
    let parameters = part(name.rest, SEQUENCE)?.value;
    // Ciphers under PKCS#12's own derivation, by the bytes of their key.
    let old = [(SHA1_AND_3DES, 24), (SHA1_AND_RC2_128, 16), (SHA1_AND_RC2_40, 5)];
    if let Some((_, length)) = old.into_iter().find(|(kind, _)| *kind == name.value) {
        let salt = part(parameters, OCTETS)?;
        let rounds = number(part(salt.rest, INTEGER)?.value)?;
        let password = wide(password);
        let key = Hash::Sha1.derived(1, &password, salt.value, rounds, length)?;
        let iv = Hash::Sha1.derived(2, &password, salt.value, rounds, 8)?;
        return if length == 24 {
            chained(&TdesEde3::new_from_slice(&key).ok()?, &iv, data)
        } else {
            chained(&Rc2::new_with_eff_key_len(&key, length * 8), &iv, data)
        };
    }
    if name.value != PBES2 {
        return None;
    }
    let derivation = part(parameters, SEQUENCE)?;
    let cipher = part(derivation.rest, SEQUENCE)?;
    let derived = part(derivation.value, OBJECT).filter(|name| name.value == PBKDF2)?;
    let salt = part(part(derived.rest, SEQUENCE)?.value, OCTETS)?;
    let rounds = part(salt.rest, INTEGER)?;
    let mut prf = pbkdf2::PBKDF2_HMAC_SHA1;
    let mut rest = rounds.rest;
    while let Some((tag, next)) = first(rest) {
        rest = next.rest;
        if tag == SEQUENCE {
            prf = match part(next.value, OBJECT)?.value.strip_prefix(HMAC)? {
                [7] => pbkdf2::PBKDF2_HMAC_SHA1,
                [9] => pbkdf2::PBKDF2_HMAC_SHA256,
                [10] => pbkdf2::PBKDF2_HMAC_SHA384,
                [11] => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return None,
            };
        }
    }
    let rounds = NonZeroU32::new(number(rounds.value)?)?;
    let name = part(cipher.value, OBJECT)?;
    let iv: [u8; 16] = part(name.rest, OCTETS)?.value.try_into().ok()?;
    let (algorithm, length) = match name.value {
        n if n == AES_128_CBC => (&AES_128, 16),
        n if n == AES_256_CBC => (&AES_256, 32),
        _ => return None,
    };
    let mut key = vec![0; length];
    pbkdf2::derive(prf, rounds, salt.value, password.expose().as_bytes(), &mut key);
    let key = UnboundCipherKey::new(algorithm, &key).ok()?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
    let mut data = data.to_vec();
    key.decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(&iv))).ok().map(|plain| plain.to_vec())
}

/// Undoes cipher block chaining over blocks of 8 bytes, and the padding of PKCS#7.
fn chained(cipher: &impl BlockCipherDecrypt<BlockSize = U8>, iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    if !data.len().is_multiple_of(8) {
        return None;
    }
    let mut before: [u8; 8] = iv.try_into().ok()?;
    let mut plain = Vec::with_capacity(data.len());
    for chunk in data.chunks(8) {
        let sealed: [u8; 8] = chunk.try_into().ok()?;
        let mut block = sealed.into();
        cipher.decrypt_block(&mut block);
        plain.extend(block.iter().zip(before).map(|(a, b)| a ^ b));
        before = sealed;
    }
    let padding = usize::from(*plain.last()?);
    let end = plain.len().checked_sub(padding).filter(|_| (1..=8).contains(&padding))?;
    plain.get(end..)?.iter().all(|byte| usize::from(*byte) == padding).then(|| plain.truncate(end))?;
    Some(plain)
}

#[derive(Debug, Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn named(name: &[u8]) -> Option<Self> {
        if name == SHA1 {
            return Some(Self::Sha1);
        }
        match name.strip_prefix(SHA2)? {
            [1] => Some(Self::Sha256),
            [2] => Some(Self::Sha384),
            [3] => Some(Self::Sha512),
            _ => None,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn of_hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    /// PKCS#12's own derivation (RFC 7292, B.2). `id` is 1 for a key, 2 for an initial vector, 3 for a checksum's key.
    fn derived(self, id: u8, password: &[u8], salt: &[u8], rounds: u32, length: usize) -> Option<Vec<u8>> {
        let block = self.algorithm().block_len();
        let filled = |bytes: &[u8]| -> Vec<u8> {
            let length = bytes.len().div_ceil(block) * block;
            bytes.iter().copied().cycle().take(length).collect()
        };
        let mut input = filled(salt);
        input.extend(filled(password));
        let mut out = Vec::new();
        while out.len() < length {
            let mut sum = digest::digest(self.algorithm(), &[vec![id; block], input.clone()].concat());
            for _ in 1..rounds {
                sum = digest::digest(self.algorithm(), sum.as_ref());
            }
            out.extend(sum.as_ref());
            let addend: Vec<u8> = sum.as_ref().iter().copied().cycle().take(block).collect();
            for part in input.chunks_mut(block) {
                let mut carry = 1_u16;
                for (byte, add) in part.iter_mut().zip(&addend).rev() {
                    carry += u16::from(*byte) + u16::from(*add);
                    *byte = carry.to_be_bytes()[1];
                    carry >>= 8;
                }
            }
        }
        out.truncate(length);
        Some(out)
    }
}

/// A number of rounds; `None` when it is none or beyond what we do.
fn number(bytes: &[u8]) -> Option<u32> {
    let found = bytes.iter().try_fold(0_u32, |number, byte| number.checked_mul(256)?.checked_add((*byte).into()))?;
    (1..=ROUNDS_MAX).contains(&found).then_some(found)
}

/// UTF-16, high byte first, with a closing zero, as the derivation takes it.
fn wide(password: &Secret<String>) -> Vec<u8> {
    password.expose().encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect()
}
