//! Our own keys, and the tokens they sign.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use model::Secret;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{KeyFault, VerifyingKey, base64url, der};

/// Key id of API keys, and the alias under which 4.0.0's gateway looks for the key of a token that names none.
pub const GATEWAY_ALIAS: &str = "gateway_certificate_alias";

/// An RSA key pair of ours, with the names tokens call it by.
pub struct SigningKey {
    pair: KeyPair,
    public: VerifyingKey,
    kid: String,
    x5t: String,
    x5t_sha1: String,
    sha1: Vec<u8>,
    certificate: Option<Vec<u8>>,
}

impl SigningKey {
    /// A fresh RSA key of 2,048 bits. Until [`SigningKey::with_certificate`] its thumbprints are those of its public key.
    ///
    /// # Errors
    /// [`KeyFault::Generate`].
    pub fn generate() -> Result<Self, KeyFault> {
        Self::from_pair(KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyFault::Generate)?)
    }

    /// From a PKCS#8 document, of 2,048 to 8,192 bits.
    ///
    /// # Errors
    /// [`KeyFault::Private`].
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyFault> {
        Self::from_pair(KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyFault::Private)?)
    }

    fn from_pair(pair: KeyPair) -> Result<Self, KeyFault> {
        let spki: Vec<u8> = public_key_info(&pair)?;
        let public = VerifyingKey::from_public_key_der(&spki)?;
        let mut key =
            Self { pair, public, kid: String::new(), x5t: String::new(), x5t_sha1: String::new(), sha1: Vec::new(), certificate: None };
        key.name_after(&spki);
        Ok(key)
    }

    /// Names the key after its certificate, as 4.0.0 does: `x5t` is base64url of the *hexadecimal text* of the certificate's SHA-256, `kid` is
    /// `<x5t>_RS256`.
    ///
    /// # Errors
    /// [`KeyFault::Certificate`] when it cannot be read, [`KeyFault::OtherKey`] when it certifies another key.
    pub fn with_certificate(mut self, certificate_der: &[u8]) -> Result<Self, KeyFault> {
        let certified = der::public_key_of_certificate(certificate_der).ok_or(KeyFault::Certificate)?;
        if certified != public_key_info(&self.pair)? {
            return Err(KeyFault::OtherKey);
        }
        self.name_after(certificate_der);
        self.certificate = Some(certificate_der.to_vec());
        Ok(self)
    }

    /// Keeps a key id from an old installation, so that tokens still around find their key.
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        kid.clone_into(&mut self.kid);
        self
    }

    fn name_after(&mut self, der: &[u8]) {
        self.x5t = thumbprint(&digest::SHA256, der);
        self.x5t_sha1 = thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY, der);
        self.sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec();
        self.kid = format!("{}_RS256", self.x5t);
    }

    /// The private key in PKCS#8, to be kept sealed.
    ///
    /// # Errors
    /// [`KeyFault::Private`].
    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, KeyFault> {
        let der: Pkcs8V1Der<'static> = self.pair.as_der().map_err(|_| KeyFault::Private)?;
        Ok(Secret::new(der.as_ref().to_vec()))
    }

    /// Key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Thumbprint with SHA-256, as access tokens carry it.
    #[must_use]
    pub fn x5t(&self) -> &str {
        &self.x5t
    }

    /// Thumbprint with SHA-1, as API keys and backend tokens carry it.
    #[must_use]
    pub fn x5t_sha1(&self) -> &str {
        &self.x5t_sha1
    }

    /// The SHA-1 digest of the certificate, which old versions write in their own ways.
    #[must_use]
    pub fn sha1(&self) -> &[u8] {
        &self.sha1
    }

    /// The certificate, where one was given.
    #[must_use]
    pub fn certificate_der(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The public half as RSAPublicKey (PKCS#1) in DER.
    #[must_use]
    pub fn public_key_der(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// The public half as a JSON web key in the form 4.0.0 publishes.
    #[must_use]
    pub fn jwk(&self) -> Value {
        // The library wrote this DER; were it unreadable, the key would be published without numbers and verify nothing.
        let key = self.public_key_der();
        let (n, e) = der::rsa_numbers(&key).unwrap_or_default();
        json!({
            "kty": "RSA",
            "e": base64url::encode(e),
            "use": "sig",
            "kid": self.kid,
            "alg": "RS256",
            "n": base64url::encode(n),
            "x5t": self.x5t,
        })
    }

    /// A token of `claims` (an object), signed with RS256.
    ///
    /// # Errors
    /// [`KeyFault::Sign`].
    pub fn sign(&self, header: &Header, claims: &impl Serialize) -> Result<String, KeyFault> {
        let encode: fn(Vec<u8>) -> String =
            if header.padded { |bytes| base64url::encode_padded(bytes) } else { |bytes| base64url::encode(bytes) };
        let head = serde_json::to_vec(&header.json(self)).map_err(|_| KeyFault::Sign)?;
        let body = serde_json::to_vec(claims).map_err(|_| KeyFault::Sign)?;
        let mut token = encode(head);
        token.push('.');
        token.push_str(&encode(body));
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        token.push_str(&encode(signature));
        Ok(token)
    }

    /// The RS256 signature over any bytes.
    ///
    /// # Errors
    /// [`KeyFault::Sign`].
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| KeyFault::Sign)?;
        Ok(signature)
    }

    #[cfg(test)]
    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// What stands in a token's header beside `alg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    typ: Option<&'static str>,
    kid: Kid,
    x5t: Thumbprint,
    padded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kid {
    Own,
    Named(&'static str),
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thumbprint {
    Sha256,
    Sha1,
}

impl Header {
    /// `{x5t, kid, alg}` of access and id tokens.
    #[must_use]
    pub fn access_token() -> Self {
        Self { typ: None, kid: Kid::Own, x5t: Thumbprint::Sha256, padded: false }
    }

    /// `{typ, alg, x5t, kid}` of API keys and internal keys, whose parts 4.0.0 pads; its gateways read both spellings.
    #[must_use]
    pub fn api_key() -> Self {
        Self { typ: Some("JWT"), kid: Kid::Named(GATEWAY_ALIAS), x5t: Thumbprint::Sha1, padded: true }
    }

    /// `{typ, alg, x5t}` of the assertion sent to backends. `padded` is 4.0.0's default encoding `base64`; without it is `base64url`.
    #[must_use]
    pub fn backend(padded: bool) -> Self {
        Self { typ: Some("JWT"), kid: Kid::Absent, x5t: Thumbprint::Sha1, padded }
    }

    fn json(&self, key: &SigningKey) -> Map<String, Value> {
        let mut head = Map::new();
        if let Some(typ) = self.typ {
            head.insert("typ".to_owned(), typ.into());
            head.insert("alg".to_owned(), "RS256".into());
        }
        let x5t = match self.x5t {
            Thumbprint::Sha256 => key.x5t(),
            Thumbprint::Sha1 => key.x5t_sha1(),
        };
        head.insert("x5t".to_owned(), x5t.into());
        match self.kid {
            Kid::Own => drop(head.insert("kid".to_owned(), key.kid().into())),
            Kid::Named(name) => drop(head.insert("kid".to_owned(), name.into())),
            Kid::Absent => {}
        }
        if self.typ.is_none() {
            head.insert("alg".to_owned(), "RS256".into());
        }
        head
    }
}

/// The key set document of these keys' public halves.
#[must_use]
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Value {
    json!({ "keys": keys.into_iter().map(SigningKey::jwk).collect::<Vec<_>>() })
}

fn public_key_info(pair: &KeyPair) -> Result<Vec<u8>, KeyFault> {
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'static> = pair.public_key().as_der().map_err(|_| KeyFault::Public)?;
    Ok(der.as_ref().to_vec())
}

/// base64url of the hexadecimal text of the digest: 4.0.0's own form, not RFC 7515's.
fn thumbprint(algorithm: &'static digest::Algorithm, der: &[u8]) -> String {
    let hex = digest::digest(algorithm, der).as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    base64url::encode(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(token: &str) -> Value {
        serde_json::from_slice(&base64url::decode(token.split('.').next().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn kid_and_thumbprint_have_4_0_0s_form() {
        let key = SigningKey::generate().unwrap();
        let hex = base64url::decode(key.x5t()).unwrap();
        assert_eq!(hex.len(), 64);
        assert!(hex.iter().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()));
        assert_eq!(key.kid(), format!("{}_RS256", key.x5t()));
        assert_eq!(base64url::decode(key.x5t_sha1()).unwrap().len(), 40);
    }

    #[test]
    fn each_kind_of_token_has_its_header() {
        let key = SigningKey::generate().unwrap();
        let names =
            |header: &Header| header_of(&key.sign(header, &json!({})).unwrap()).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&Header::access_token()), ["x5t", "kid", "alg"]);
        assert_eq!(names(&Header::api_key()), ["typ", "alg", "x5t", "kid"]);
        assert_eq!(names(&Header::backend(true)), ["typ", "alg", "x5t"]);
        assert_eq!(header_of(&key.sign(&Header::api_key(), &json!({})).unwrap())["kid"], GATEWAY_ALIAS);
    }

    #[test]
    fn a_key_survives_storage() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(key.to_pkcs8().unwrap().expose()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert!(key.public().verify(crate::Algorithm::Rs256, b"m", &again.sign_bytes(b"m").unwrap()));
        assert_eq!(SigningKey::from_pkcs8(b"no key").err(), Some(KeyFault::Private));
    }

    #[test]
    fn debug_shows_no_private_part() {
        let key = SigningKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {:?}, .. }}", key.kid()));
    }

    #[test]
    fn a_certificate_names_the_key_and_must_be_its_own() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let certificate = certificate_of(&key);
        let public = VerifyingKey::from_certificate_der(&certificate).unwrap();
        assert!(public.verify(crate::Algorithm::Rs256, b"m", &key.sign_bytes(b"m").unwrap()));
        let expected = thumbprint(&digest::SHA256, &certificate);
        assert_eq!(other.with_certificate(&certificate).err(), Some(KeyFault::OtherKey));
        let key = key.with_certificate(&certificate).unwrap();
        assert_eq!(key.kid(), format!("{expected}_RS256"));
        assert_eq!(key.certificate_der(), Some(&*certificate));
    }

    #[test]
    fn a_certificate_is_read_from_pem_and_from_bare_base64() {
        use base64::Engine as _;
        let key = SigningKey::generate().unwrap();
        let text = base64::engine::general_purpose::STANDARD.encode(certificate_of(&key));
        let (first, second) = text.split_at(64);
        let pem = format!("words before\n-----BEGIN CERTIFICATE-----\n{first}\r\n{second}\n-----END CERTIFICATE-----\n");
        for spelling in [pem.as_str(), text.as_str()] {
            let public = VerifyingKey::from_certificate_pem(spelling).unwrap();
            assert!(public.verify(crate::Algorithm::Rs256, b"m", &key.sign_bytes(b"m").unwrap()));
        }
        assert_eq!(VerifyingKey::from_certificate_pem("-----BEGIN CERTIFICATE-----").err(), Some(KeyFault::Certificate));
    }

    #[test]
    fn a_cut_certificate_is_refused_wherever_it_ends() {
        let certificate = certificate_of(&SigningKey::generate().unwrap());
        for end in 0..certificate.len() {
            assert!(VerifyingKey::from_certificate_der(&certificate[..end]).is_err(), "{end}");
        }
    }

    fn certificate_of(key: &SigningKey) -> Vec<u8> {
        let pkcs8 = key.to_pkcs8().unwrap();
        let pair = rcgen::KeyPair::try_from(pkcs8.expose().as_slice()).unwrap();
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap().der().to_vec()
    }
}
