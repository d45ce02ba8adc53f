//! Random texts that cannot be guessed: ids, client ids, secrets.

use model::Secret;
use uuid::Uuid;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Length of client ids and secrets, as 4.0.0's are; 28 of 62 characters are 166 bits.
const CLIENT_CHARS: usize = 28;

/// A random UUID as text: opaque tokens, refresh tokens, authorization codes, `jti`. 122 random bits.
#[must_use]
pub fn uuid_text() -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().as_hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

/// A new client id, 28 characters.
#[must_use]
pub fn client_id() -> String {
    letters()
}

/// A new client secret, 28 characters.
#[must_use]
pub fn client_secret() -> Secret<String> {
    Secret::new(letters())
}

fn letters() -> String {
    let mut text = String::with_capacity(CLIENT_CHARS);
    let mut bytes = [0; 64];
    loop {
        fill(&mut bytes);
        for byte in bytes {
            // Bytes from 248 on would make the first letters likelier than the others.
            if byte >= 248 {
                continue;
            }
            if let Some(&letter) = ALPHABET.get(usize::from(byte) % ALPHABET.len()) {
                text.push(char::from(letter));
            }
            if text.len() == CLIENT_CHARS {
                return text;
            }
        }
    }
}

fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the operating system gives random bytes; without them no secret could be made safely");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_shape_and_differ() {
        assert_eq!(client_id().len(), 28);
        assert!(client_id().chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(client_secret(), client_secret());
        let id = Uuid::parse_str(&uuid_text()).unwrap();
        assert_eq!(id.get_version_num(), 4);
        assert_ne!(uuid_text(), uuid_text());
    }
}
