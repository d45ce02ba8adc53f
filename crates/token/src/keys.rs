//! Public keys that verify, and sets of them by key id.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rsa::{PublicKey, PublicKeyComponents};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512};
use serde_json::Value;

use crate::sign::GATEWAY_ALIAS;
use crate::{Algorithm, base64url, der};

/// A key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Making a key failed.
    #[error("no key could be generated")]
    Generate,
    /// The private key is not an RSA key of 2,048 to 8,192 bits in PKCS#8.
    #[error("the private key is not an RSA key of 2048 to 8192 bits in PKCS#8")]
    Private,
    /// The public key is not an RSA key we take.
    #[error("the public key is not a valid RSA key")]
    Public,
    /// A JSON web key lacks something or holds no RSA key.
    #[error("the JSON web key has no valid '{0}'")]
    Jwk(&'static str),
    /// Not the DER of a certificate.
    #[error("the certificate cannot be read")]
    Certificate,
    /// The certificate is of another key.
    #[error("the certificate does not belong to this key")]
    OtherKey,
    /// The key set is not an object with a list `keys`.
    #[error("the key set has no list 'keys'")]
    KeySet,
    /// Signing failed.
    #[error("the token could not be signed")]
    Sign,
}

/// An RSA public key, parsed once. Cheap to clone.
#[derive(Clone)]
pub struct VerifyingKey {
    parsed: Arc<[ParsedPublicKey; 3]>,
    only: Option<Algorithm>,
}

impl VerifyingKey {
    /// From a JSON web key (RFC 7517). `alg`, where the key has it, is then the only algorithm it verifies.
    ///
    /// # Errors
    /// [`KeyFault::Jwk`] when it is not an RSA key for signatures.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyFault> {
        if jwk.get("kty").and_then(Value::as_str) != Some("RSA") {
            return Err(KeyFault::Jwk("kty"));
        }
        if jwk.get("use").and_then(Value::as_str).is_some_and(|u| u != "sig") {
            return Err(KeyFault::Jwk("use"));
        }
        let only = match jwk.get("alg").and_then(Value::as_str) {
            Some(name) => Some(Algorithm::parse(name).ok_or(KeyFault::Jwk("alg"))?),
            None => None,
        };
        let number = |name: &'static str| {
            let mut bytes = jwk.get(name).and_then(Value::as_str).and_then(base64url::decode).ok_or(KeyFault::Jwk(name))?;
            // Some issuers write the sign octet of a DER integer.
            let zeros = bytes.iter().take_while(|b| **b == 0).count();
            bytes.drain(..zeros);
            if bytes.is_empty() { Err(KeyFault::Jwk(name)) } else { Ok(bytes) }
        };
        let components = PublicKeyComponents { n: number("n")?, e: number("e")? };
        let parse = |params| components.to_parsed_public_key(params).map_err(|_| KeyFault::Public);
        let parsed = [parse(&RSA_PKCS1_2048_8192_SHA256)?, parse(&RSA_PKCS1_2048_8192_SHA384)?, parse(&RSA_PKCS1_2048_8192_SHA512)?];
        Ok(Self { parsed: Arc::new(parsed), only })
    }

    /// From an X.509 certificate in DER. Its dates and its issuer are not judged: whoever configured it trusts it.
    ///
    /// # Errors
    /// [`KeyFault::Certificate`] or [`KeyFault::Public`].
    pub fn from_certificate_der(certificate: &[u8]) -> Result<Self, KeyFault> {
        Self::from_public_key_der(der::public_key_of_certificate(certificate).ok_or(KeyFault::Certificate)?)
    }

    /// From the first certificate of a PEM text, or from its base64 without the lines around it, as key managers' `certificate_value` has either.
    ///
    /// # Errors
    /// [`KeyFault::Certificate`] or [`KeyFault::Public`].
    pub fn from_certificate_pem(pem: &str) -> Result<Self, KeyFault> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        let body = pem.split_once(BEGIN).map_or(pem, |(_, rest)| rest);
        let body: String = body.split("-----END").next().unwrap_or_default().split_whitespace().collect();
        Self::from_certificate_der(&base64url::decode_standard(&body).ok_or(KeyFault::Certificate)?)
    }

    /// From a SubjectPublicKeyInfo or an RSAPublicKey in DER.
    ///
    /// # Errors
    /// [`KeyFault::Public`].
    pub fn from_public_key_der(key: &[u8]) -> Result<Self, KeyFault> {
        let key = PublicKey::from_der(key).map_err(|_| KeyFault::Public)?;
        let parse = |params| ParsedPublicKey::new(params, key.as_ref()).map_err(|_| KeyFault::Public);
        let parsed = [parse(&RSA_PKCS1_2048_8192_SHA256)?, parse(&RSA_PKCS1_2048_8192_SHA384)?, parse(&RSA_PKCS1_2048_8192_SHA512)?];
        Ok(Self { parsed: Arc::new(parsed), only: None })
    }

    /// Whether `signature` is this key's over `signing_input`. A key shorter than 2,048 bits verifies nothing.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, signing_input: &[u8], signature: &[u8]) -> bool {
        if self.only.is_some_and(|only| only != algorithm) {
            return false;
        }
        let [sha256, sha384, sha512] = &*self.parsed;
        let key = match algorithm {
            Algorithm::Rs256 => sha256,
            Algorithm::Rs384 => sha384,
            Algorithm::Rs512 => sha512,
        };
        key.verify_sig(signing_input, signature).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("only", &self.only).finish_non_exhaustive()
    }
}

/// One issuer's keys by key id. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Arc<HashMap<String, VerifyingKey>>,
}

impl KeySet {
    /// From key ids and keys; of two with one id the last counts.
    pub fn new(keys: impl IntoIterator<Item = (String, VerifyingKey)>) -> Self {
        Self { keys: Arc::new(keys.into_iter().collect()) }
    }

    /// From a JSON web key set. Keys we cannot use (other kinds, for encryption, broken, without `kid` beside others) are left out and
    /// reported, since an issuer may list keys for other purposes.
    ///
    /// # Errors
    /// [`KeyFault::KeySet`] when there is no list of keys.
    pub fn from_jwks(document: &Value) -> Result<(Self, Vec<KeyFault>), KeyFault> {
        let list = document.get("keys").and_then(Value::as_array).ok_or(KeyFault::KeySet)?;
        let (mut keys, mut left_out) = (HashMap::new(), Vec::new());
        for jwk in list {
            let kid = jwk.get("kid").and_then(Value::as_str);
            match (kid, VerifyingKey::from_jwk(jwk)) {
                (Some(kid), Ok(key)) => drop(keys.insert(kid.to_owned(), key)),
                (None, Ok(key)) if list.len() == 1 => drop(keys.insert(GATEWAY_ALIAS.to_owned(), key)),
                (None, Ok(_)) => left_out.push(KeyFault::Jwk("kid")),
                (_, Err(fault)) => left_out.push(fault),
            }
        }
        Ok((Self { keys: Arc::new(keys) }, left_out))
    }

    /// The key a token names. Without a `kid` it is the one called `gateway_certificate_alias` (4.0.0's rule), or the only one.
    #[must_use]
    pub fn find(&self, kid: Option<&str>) -> Option<&VerifyingKey> {
        match kid {
            Some(kid) => self.keys.get(kid),
            None => self.keys.get(GATEWAY_ALIAS).or_else(|| self.keys.values().next().filter(|_| self.keys.len() == 1)),
        }
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Key ids, in no order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}
