//! Taking a token apart. A parsed token is not a trusted one; see [`crate::Jwt::verify`] for that.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::members::{Names, Text};
use crate::{Claims, base64url};

/// Longest token read, in bytes. 4.0.0's API keys carry all subscriptions of an application and reach several kilobytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A signature algorithm we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Rs384, Self::Rs512];

    /// As the header writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// Reads the header's word, in exactly this letter case. `none`, `HS256` and all others are `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == text)
    }
}

/// The text is no token we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// Not exactly three parts (five is an encrypted token).
    #[error("the token does not have exactly three parts")]
    Parts,
    /// A part that is not base64url.
    #[error("a part of the token is not base64url")]
    Base64,
    /// The header is not an object of the known shape, or names a member twice.
    #[error("the token's header is not valid")]
    Header,
    /// The payload is not an object of the known shape, or names a member twice.
    #[error("the token's claims are not valid")]
    Claims,
    /// `crit` asks for extensions; we know none (RFC 7515, 4.1.11).
    #[error("the token demands an extension that is not known")]
    Critical,
    /// Not signed with RSA and SHA-2.
    #[error("the token's algorithm is not one of RS256, RS384, RS512")]
    Algorithm,
}

/// A token taken apart.
#[derive(Clone)]
pub struct Jwt<'a> {
    signing_input: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    x5t: Option<String>,
    payload: String,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes `text` apart without trusting any of it.
    ///
    /// # Errors
    /// [`Malformed`]; the algorithm is judged here already, so that `none` and symmetric ones never reach a key.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Malformed::TooLong);
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Malformed::Parts)?;
        if payload.contains('.') || header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(Malformed::Parts);
        }
        let header = base64url::decode(header).ok_or(Malformed::Base64)?;
        let head: Head<'_> = serde_json::from_slice(&header).map_err(|_| Malformed::Header)?;
        if head.critical {
            return Err(Malformed::Critical);
        }
        let algorithm = head.alg.and_then(|a| Algorithm::parse(&a.0)).ok_or(Malformed::Algorithm)?;
        let own = |text: Option<Text<'_>>| text.map(|t| t.0.into_owned());
        let (kid, typ, x5t) = (own(head.kid), own(head.typ), own(head.x5t));
        let payload = String::from_utf8(base64url::decode(payload).ok_or(Malformed::Base64)?).map_err(|_| Malformed::Claims)?;
        let signature = base64url::decode(signature).ok_or(Malformed::Base64)?;
        Ok(Self { signing_input, algorithm, kid, typ, x5t, payload, signature })
    }

    /// Whether a bearer text is meant as a signed token: it holds a dot (4.0.0's own rule). Such a text is never tried as an opaque token.
    #[must_use]
    pub fn looks_like_one(text: &str) -> bool {
        text.contains('.')
    }

    /// Key id. Only ever a name to compare; never a path or an address.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Algorithm.
    #[must_use]
    pub fn alg(&self) -> Algorithm {
        self.algorithm
    }

    /// `typ`, usually `JWT` or absent.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Certificate thumbprint as the header has it.
    #[must_use]
    pub fn x5t(&self) -> Option<&str> {
        self.x5t.as_deref()
    }

    /// What is signed: the first two parts with their dot.
    #[must_use]
    pub fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// The signature's bytes, which name a token that has no `jti`.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The claims, unproven: to find the issuer whose keys [`Jwt::verify`] needs.
    ///
    /// # Errors
    /// [`Malformed::Claims`].
    pub fn claims(&self) -> Result<Claims<'_>, Malformed> {
        Claims::read(&self.payload).map_err(|_| Malformed::Claims)
    }
}

impl fmt::Debug for Jwt<'_> {
    /// Neither the text nor the signature, which together are the credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("alg", &self.algorithm).field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Head<'a> {
    alg: Option<Text<'a>>,
    kid: Option<Text<'a>>,
    typ: Option<Text<'a>>,
    x5t: Option<Text<'a>>,
    critical: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Head<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Head<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut head = Head::default();
                let mut names = Names::default();
                while let Some(name) = names.next(&mut map)? {
                    match name {
                        "alg" => head.alg = map.next_value()?,
                        "kid" => head.kid = map.next_value()?,
                        "typ" => head.typ = map.next_value()?,
                        "x5t" => head.x5t = map.next_value()?,
                        "crit" => {
                            map.next_value::<IgnoredAny>()?;
                            head.critical = true;
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(head)
            }
        }
        deserializer.deserialize_map(V)
    }
}
