//! Secrets as a server keeps them that encrypts what it persists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;

use crate::site::Site;

/// Modulus of the key in the keystore that the upgrade's tests keep as a fixture.
const MODULUS: &[u8] = b"C1D8E43C35703CD740776D794C72CF28F43236C73364859A372C143EC905F458C2F4E15231E893B6670712749AAF667B048AD6BC5F5B4C3A132B320347C591EE50F524A350091F0ACB809A87685D1B9638FC4A2042FE8BFAD9D48C2944BEFC387D65F87E3B1A6D659550308A9F86B4F469F788B69964C6EAFB36A42516E1B6C7";
/// Its length.
const BLOCK_BYTES: usize = 128;

/// Encrypts as kernel 4.2 did: bare RSA with the public half of that key. `text` is shorter than the key.
pub fn encrypted(text: &str) -> String {
    let Some(modulus) = BigUint::parse_bytes(MODULUS, 16) else { return String::new() };
    let cipher = BigUint::from_bytes_be(text.as_bytes()).modpow(&BigUint::from(65_537u32), &modulus).to_bytes_be();
    let mut block = vec![0; BLOCK_BYTES.saturating_sub(cipher.len())];
    block.extend(cipher);
    STANDARD.encode(block)
}

impl Site {
    /// The same site with its tokens and its applications' secrets encrypted.
    #[must_use]
    pub fn with_encrypted_tokens(mut self) -> Self {
        for client in self.applications.iter_mut().flat_map(|a| &mut a.keys).filter_map(|key| key.client.as_mut()) {
            client.secret = encrypted(&client.secret);
        }
        for token in &mut self.tokens {
            token.access = encrypted(&token.access);
            token.refresh = token.refresh.as_deref().map(encrypted);
        }
        self
    }
}
