//! Sealing what must be readable back but not from the raw file: client secrets, opaque tokens, private keys.
//!
//! AES-256-GCM with a random nonce. Associated data is table, column and row id, so a sealed value moved to another row does not open.
//! Layout: key id (1 byte) | nonce (12) | ciphertext and tag. The key id, one byte of the key's own hash, lets a wrong key be named.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use aws_lc_rs::digest;
use model::Secret;

use crate::{Error, Result};

/// The installation's encryption key, ready for use. Cheap to clone.
#[derive(Clone)]
pub struct Sealer(Arc<Key>);

struct Key {
    id: u8,
    key: RandomizedNonceKey,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// Takes the 32 bytes of the key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        let ready = RandomizedNonceKey::new(&AES_256_GCM, &key).expect("32 bytes are an AES-256 key");
        let id = digest::digest(&digest::SHA256, &[b"tidegate key id".as_slice(), &key].concat()).as_ref()[0];
        Self(Arc::new(Key { id, key: ready }))
    }

    /// Seals `plain` for the cell `(column, row)`; `column` is `table.column`.
    pub(crate) fn seal(&self, column: &str, row: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut text = plain.to_vec();
        let nonce = self
            .0
            .key
            .seal_in_place_append_tag(Aad::from(cell(column, row)), &mut text)
            .map_err(|_| Error::corrupt(column, "it could not be sealed"))?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(self.0.id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] made for the same cell.
    pub(crate) fn open(&self, column: &str, row: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>> {
        let (&id, rest) = sealed.split_first().ok_or_else(|| Error::corrupt(column, "the sealed value is empty"))?;
        if id != self.0.id {
            return Err(Error::WrongKey { what: column.to_owned() });
        }
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(|| Error::corrupt(column, "the sealed value is too short"))?;
        let mut text = text.to_vec();
        let length = self
            .0
            .key
            .open_in_place(nonce.into(), Aad::from(cell(column, row)), &mut text)
            .map_err(|_| Error::corrupt(column, "the sealed value was altered, moved from another row, or sealed with another key"))?
            .len();
        text.truncate(length);
        Ok(Secret::new(text))
    }

    /// As [`Sealer::open`], for text.
    pub(crate) fn open_text(&self, column: &str, row: &str, sealed: &[u8]) -> Result<Secret<String>> {
        let bytes = self.open(column, row, sealed)?;
        let text = String::from_utf8(bytes.expose().clone()).map_err(|_| Error::corrupt(column, "the sealed value is not text"))?;
        Ok(Secret::new(text))
    }
}

fn cell(column: &str, row: &str) -> Vec<u8> {
    format!("{column}\u{1f}{row}").into_bytes()
}

/// SHA-256 as lower-case hex: how sealed texts are looked up.
#[must_use]
pub(crate) fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(four.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_for_its_cell_and_key() {
        let sealer = Sealer::new([7; 32]);
        let sealed = sealer.seal("client.secret", "a", b"hunter2").unwrap();
        assert_eq!(sealer.open_text("client.secret", "a", &sealed).unwrap().expose(), "hunter2");
        assert!(matches!(sealer.open("client.secret", "b", &sealed), Err(Error::Corrupt { .. })));
        assert!(matches!(sealer.open("token.access", "a", &sealed), Err(Error::Corrupt { .. })));
        assert!(matches!(Sealer::new([8; 32]).open("client.secret", "a", &sealed), Err(Error::WrongKey { .. })));
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
    }

    #[test]
    fn altered_short_and_empty_values_are_refused() {
        let sealer = Sealer::new([7; 32]);
        let sealed = sealer.seal("t.c", "a", b"").unwrap();
        assert!(sealer.open("t.c", "a", &sealed).unwrap().expose().is_empty());
        for cut in 0..sealed.len() {
            assert!(sealer.open("t.c", "a", &sealed[..cut]).is_err());
        }
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(sealer.open("t.c", "a", &altered).is_err());
        }
    }

    #[test]
    fn hashes_are_hex() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
