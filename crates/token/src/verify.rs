//! Deciding whether a token is to be believed.

use std::time::Duration;

use model::Timestamp;

use crate::{Claims, Jwt, KeySet, Malformed};

/// A token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The issuer has no key of that id. A fresh key set may have it.
    #[error("no key of the issuer has the token's key id")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the token's signature is not valid")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
}

impl Jwt<'_> {
    /// Checks signature, then times, and gives the claims.
    ///
    /// `skew` is how far the issuer's clock may differ from ours. A token without `exp` never expires. 4.0.0 ignores `nbf`; we keep to RFC 7519,
    /// 4.1.5, which its own tokens satisfy from the second they are made. Audience and revocation are the caller's to check.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(&self, keys: &KeySet, now: Timestamp, skew: Duration) -> Result<Claims<'_>, Refused> {
        let key = keys.find(self.kid()).ok_or(Refused::UnknownKey)?;
        if !key.verify(self.alg(), self.signing_input().as_bytes(), self.signature()) {
            return Err(Refused::Signature);
        }
        let claims = self.claims()?;
        claims.check_times(now, skew)?;
        Ok(claims)
    }
}

impl Claims<'_> {
    /// Checks `exp` and `nbf` again, for claims that come from a cache.
    ///
    /// # Errors
    /// [`Refused::Expired`], [`Refused::NotYet`].
    pub fn check_times(&self, now: Timestamp, skew: Duration) -> Result<(), Refused> {
        let (now, skew) = (now.secs(), i64::try_from(skew.as_secs()).unwrap_or(i64::MAX));
        if self.exp.is_some_and(|exp| now >= exp.saturating_add(skew)) {
            return Err(Refused::Expired);
        }
        if self.nbf.is_some_and(|nbf| now < nbf.saturating_sub(skew)) {
            return Err(Refused::NotYet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Algorithm, Header, MAX_TOKEN_BYTES, SigningKey, VerifyingKey, base64url};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const SKEW: Duration = Duration::from_secs(300);

    static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().expect("a key"));

    fn keys() -> KeySet {
        KeySet::new([(KEY.kid().to_owned(), KEY.public().clone())])
    }

    fn token(claims: &Value) -> String {
        KEY.sign(&Header::access_token(), claims).expect("a token")
    }

    /// A token with any header and any signature, as a forger would make it.
    fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
        format!("{}.{}.{}", base64url::encode(header.to_string()), base64url::encode(claims.to_string()), base64url::encode(signature))
    }

    fn judge(text: &str) -> Result<String, Refused> {
        let jwt = Jwt::parse(text)?;
        jwt.verify(&keys(), NOW, SKEW).map(|c| c.raw().to_owned())
    }

    #[test]
    fn what_we_sign_we_believe() {
        let claims = json!({"sub": "ann", "scope": "a b", "exp": NOW.secs() + 10, "nbf": NOW.secs()});
        let text = token(&claims);
        let jwt = Jwt::parse(&text).unwrap();
        let read = jwt.verify(&keys(), NOW, Duration::ZERO).unwrap();
        assert_eq!((read.sub.as_deref(), read.scope.len()), (Some("ann"), 2));
        assert_eq!(jwt.alg(), Algorithm::Rs256);
        assert_eq!(jwt.kid(), Some(KEY.kid()));
    }

    #[test]
    fn padded_parts_are_read() {
        let text = KEY.sign(&Header::api_key(), &json!({"sub": "a@b", "token_type": "apiKey"})).unwrap();
        let set = KeySet::new([("gateway_certificate_alias".to_owned(), KEY.public().clone())]);
        let jwt = Jwt::parse(&text).unwrap();
        assert!(jwt.verify(&set, NOW, SKEW).unwrap().is_api_key());
        assert_eq!(jwt.typ(), Some("JWT"));
    }

    #[test]
    fn alg_none_is_refused() {
        for alg in ["none", "None", "NONE", ""] {
            let text = forged(&json!({"alg": alg, "kid": KEY.kid()}), &json!({"sub": "admin"}), b"x");
            assert_eq!(judge(&text), Err(Refused::Malformed(Malformed::Algorithm)));
        }
        let unsigned = forged(&json!({"alg": "none"}), &json!({}), b"");
        assert_eq!(judge(&unsigned), Err(Refused::Malformed(Malformed::Parts)));
        assert_eq!(judge(&forged(&json!({"kid": "x"}), &json!({}), b"x")), Err(Refused::Malformed(Malformed::Algorithm)));
    }

    #[test]
    fn hs256_with_the_public_key_as_secret_is_refused() {
        let input = forged(&json!({"alg": "HS256", "kid": KEY.kid()}), &json!({"sub": "admin"}), b"");
        let input = input.trim_end_matches('.');
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &KEY.public_key_der());
        let tag = aws_lc_rs::hmac::sign(&secret, input.as_bytes());
        assert_eq!(judge(&format!("{input}.{}", base64url::encode(tag.as_ref()))), Err(Refused::Malformed(Malformed::Algorithm)));
    }

    #[test]
    fn kid_that_is_a_path_or_an_address_names_no_key() {
        for kid in ["../../../dev/null", "file:///dev/null", "' or 1=1 --", "", "https://evil.example/jwks"] {
            assert_eq!(judge(&forged(&json!({"alg": "RS256", "kid": kid}), &json!({}), b"x")), Err(Refused::UnknownKey));
        }
    }

    #[test]
    fn a_key_inside_the_token_is_never_used() {
        let other = SigningKey::generate().unwrap();
        let header =
            json!({"alg": "RS256", "kid": KEY.kid(), "jwk": other.jwk(), "jku": "https://evil.example", "x5u": "https://evil.example"});
        let input = forged(&header, &json!({"sub": "admin"}), b"");
        let input = input.trim_end_matches('.');
        let signature = other.sign_bytes(input.as_bytes()).unwrap();
        assert_eq!(judge(&format!("{input}.{}", base64url::encode(signature))), Err(Refused::Signature));
    }

    #[test]
    fn trailing_dot_and_wrong_number_of_parts_are_refused() {
        let text = token(&json!({}));
        for bad in [format!("{text}."), format!(".{text}"), "a.b".to_owned(), "a.b.c.d.e".to_owned(), "..".to_owned(), String::new()] {
            assert_eq!(judge(&bad), Err(Refused::Malformed(Malformed::Parts)), "{bad}");
        }
    }

    #[test]
    fn oversized_is_refused_before_it_is_read() {
        let text = forged(&json!({"alg": "RS256"}), &json!({"x": "y".repeat(MAX_TOKEN_BYTES)}), b"x");
        assert_eq!(judge(&text), Err(Refused::Malformed(Malformed::TooLong)));
    }

    #[test]
    fn critical_extensions_are_refused() {
        let text = forged(&json!({"alg": "RS256", "crit": ["b64"], "b64": false}), &json!({}), b"x");
        assert_eq!(judge(&text), Err(Refused::Malformed(Malformed::Critical)));
    }

    #[test]
    fn doubled_members_are_refused() {
        let header = base64url::encode(r#"{"alg":"none","alg":"RS256"}"#);
        assert_eq!(judge(&format!("{header}.e30.eA")), Err(Refused::Malformed(Malformed::Header)));
    }

    #[test]
    fn the_standard_alphabet_and_stray_bits_are_refused() {
        let text = token(&json!({"sub": "ann"}));
        let (head, tail) = text.split_once('.').unwrap();
        assert_eq!(judge(&format!("{head}\n.{tail}")), Err(Refused::Malformed(Malformed::Base64)));
        assert_eq!(judge("e3+/.e30.eA"), Err(Refused::Malformed(Malformed::Base64)));
        assert_eq!(judge("e31.e30.eA"), Err(Refused::Malformed(Malformed::Base64)));
    }

    #[test]
    fn a_changed_claim_breaks_the_signature() {
        let text = token(&json!({"sub": "ann"}));
        let mut parts = text.split('.');
        let (head, _, signature) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
        let payload = base64url::encode(r#"{"sub":"bob"}"#);
        assert_eq!(judge(&format!("{head}.{payload}.{signature}")), Err(Refused::Signature));
    }

    #[test]
    fn times_are_judged_with_the_skew() {
        let at = |claims: Value| {
            let text = token(&claims);
            Jwt::parse(&text).unwrap().verify(&keys(), NOW, SKEW).map(drop)
        };
        let now = NOW.secs();
        assert_eq!(at(json!({"exp": now - 299})), Ok(()));
        assert_eq!(at(json!({"exp": now - 300})), Err(Refused::Expired));
        assert_eq!(at(json!({"nbf": now + 300})), Ok(()));
        assert_eq!(at(json!({"nbf": now + 301})), Err(Refused::NotYet));
        assert_eq!(at(json!({"exp": i64::MAX, "nbf": i64::MIN})), Ok(()));
        assert_eq!(at(json!({})), Ok(()));
    }

    #[test]
    fn every_rsa_algorithm_verifies_only_as_itself() {
        let message = b"a.b";
        let pair = KEY.pair();
        for algorithm in Algorithm::ALL {
            let encoding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                Algorithm::Rs256 => &aws_lc_rs::signature::RSA_PKCS1_SHA256,
                Algorithm::Rs384 => &aws_lc_rs::signature::RSA_PKCS1_SHA384,
                Algorithm::Rs512 => &aws_lc_rs::signature::RSA_PKCS1_SHA512,
            };
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &aws_lc_rs::rand::SystemRandom::new(), message, &mut signature).unwrap();
            for asked in Algorithm::ALL {
                assert_eq!(KEY.public().verify(asked, message, &signature), asked == algorithm);
            }
        }
    }

    #[test]
    fn our_own_key_set_verifies_our_tokens() {
        let (set, left_out) = KeySet::from_jwks(&crate::jwks([&*KEY])).unwrap();
        assert_eq!(left_out, []);
        let text = token(&json!({"sub": "ann"}));
        assert!(Jwt::parse(&text).unwrap().verify(&set, NOW, SKEW).is_ok());
        let ec = json!({"keys": [{"kty": "EC", "kid": "e"}, {"kty": "RSA", "kid": "r", "use": "enc", "n": "AQ", "e": "AQAB"}, {"kty": "RSA", "kid": "s"}]});
        let (set, left_out) = KeySet::from_jwks(&ec).unwrap();
        assert!(set.is_empty());
        assert_eq!(left_out.len(), 3);
        assert!(KeySet::from_jwks(&json!([])).is_err());
    }

    #[test]
    fn a_key_bound_to_one_algorithm_takes_no_other() {
        let mut jwk = KEY.jwk();
        jwk["alg"] = "RS512".into();
        let set = KeySet::new([(KEY.kid().to_owned(), VerifyingKey::from_jwk(&jwk).unwrap())]);
        let text = token(&json!({}));
        assert_eq!(Jwt::parse(&text).unwrap().verify(&set, NOW, SKEW).map(drop), Err(Refused::Signature));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_claims_come_back(sub in ".{0,40}", scopes in proptest::collection::vec("[a-z:]{1,12}", 0..5), exp in NOW.secs() + 1..i64::MAX) {
            let claims = json!({"sub": sub, "scope": scopes.join(" "), "exp": exp, "other": {"deep": [sub]}});
            let text = token(&claims);
            let jwt = Jwt::parse(&text).unwrap();
            let read = jwt.verify(&keys(), NOW, Duration::ZERO).unwrap();
            prop_assert_eq!(Value::Object(read.all()), claims);
            prop_assert_eq!(read.sub.as_deref(), Some(sub.as_str()));
            prop_assert_eq!(&read.scope, &scopes);
            prop_assert_eq!(read.exp, Some(exp));
        }

        #[test]
        fn any_text_is_read_or_refused(text in r"[A-Za-z0-9_\-=.]{0,200}") {
            let _ = judge(&text);
        }

        #[test]
        fn any_json_inside_is_read_or_refused(head in r#"[\[\]{}":,a-z0-9]{0,40}"#, body in r#"[\[\]{}":,a-z0-9]{0,40}"#) {
            let _ = judge(&format!("{}.{}.eA", base64url::encode(head), base64url::encode(body)));
        }
    }
}
