//! Digest access authentication (RFC 7616), the client's side: reads a backend's challenge and answers it. Pure; the exchange is
//! [`crate::steps::sign_in`]'s.
//!
//! MD5 and SHA-256, each also as `-sess`; `qop=auth`, or none as RFC 2069 had it. A challenge that asks for what is not here is passed over
//! for another the backend offers.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use http::header::{HeaderName, WWW_AUTHENTICATE};
use md5::{Digest as _, Md5};
use model::Secret;

const AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("authentication-info");
/// Longest value of a challenge that is read, in bytes.
const CHALLENGE_BYTES_MAX: usize = 8 << 10;

/// Whom the gateway is at a backend.
#[derive(Debug)]
pub(crate) struct Digest {
    user: String,
    password: Secret<String>,
}

/// What a backend asks, and how often it was answered.
#[derive(Debug)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    hash: Hash,
    /// How the backend spelled the algorithm, where it did.
    algorithm: Option<String>,
    session: bool,
    /// `qop=auth` is offered; none at all is the oldest form.
    auth: bool,
    hides_user: bool,
    /// Answers given with this nonce.
    count: AtomicU32,
}

/// In the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    fn of(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        let hex = |sum: &[u8]| {
            sum.iter().fold(String::with_capacity(64), |mut hex, byte| {
                // Writing to a String does not fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        match self {
            Self::Md5 => hex(&Md5::digest(&text)),
            Self::Sha256 => hex(digest(&SHA256, &text).as_ref()),
        }
    }
}

impl Digest {
    pub(crate) fn new(user: &str, password: Secret<String>) -> Self {
        Self { user: user.to_owned(), password }
    }

    /// The value of `Authorization` that answers a challenge, for a call of `uri`: path and query as the request line has them.
    /// `own_nonce` is fresh and random.
    pub(crate) fn answer(&self, challenge: &Challenge, method: &str, uri: &[u8], own_nonce: &str) -> Vec<u8> {
        let hash = challenge.hash;
        let (realm, nonce) = (challenge.realm.as_bytes(), challenge.nonce.as_bytes());
        let count = format!("{:08x}", challenge.count.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let mut secret = hash.of(&[self.user.as_bytes(), realm, self.password.expose().as_bytes()]);
        if challenge.session {
            secret = hash.of(&[secret.as_bytes(), nonce, own_nonce.as_bytes()]);
        }
        let request = hash.of(&[method.as_bytes(), uri]);
        let response = if challenge.auth {
            hash.of(&[secret.as_bytes(), nonce, count.as_bytes(), own_nonce.as_bytes(), b"auth", request.as_bytes()])
        } else {
            hash.of(&[secret.as_bytes(), nonce, request.as_bytes()])
        };
        let user = if challenge.hides_user { hash.of(&[self.user.as_bytes(), realm]) } else { self.user.clone() };
        let mut out =
            format!("Digest username={}, realm={}, nonce={}, uri=\"", quoted(&user), quoted(&challenge.realm), quoted(&challenge.nonce))
                .into_bytes();
        out.extend(uri.iter().flat_map(|byte| if matches!(byte, b'"' | b'\\') { vec![b'\\', *byte] } else { vec![*byte] }));
        let mut rest = format!("\", response=\"{response}\"");
        // Writing to a String does not fail.
        if let Some(algorithm) = &challenge.algorithm {
            let _ = write!(rest, ", algorithm={algorithm}");
        }
        if challenge.auth {
            let _ = write!(rest, ", qop=auth, nc={count}");
        }
        if challenge.auth || challenge.session {
            let _ = write!(rest, ", cnonce=\"{own_nonce}\"");
        }
        if let Some(opaque) = &challenge.opaque {
            let _ = write!(rest, ", opaque={}", quoted(opaque));
        }
        if challenge.hides_user {
            rest.push_str(", userhash=true");
        }
        out.extend_from_slice(rest.as_bytes());
        out
    }
}

impl Challenge {
    /// The best challenge of an answer with status 401 that can be answered; `None` when it has none.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter(|v| v.len() <= CHALLENGE_BYTES_MAX);
        let challenges = values.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).flat_map(challenges);
        challenges.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("digest")).filter_map(|(_, p)| Self::read(&p)).max_by_key(|c| c.hash)
    }

    /// The same with the nonce that a backend wants the next time, where it says so with its answer.
    pub(crate) fn next(&self, headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(AUTHENTICATION_INFO).filter(|v| v.len() <= CHALLENGE_BYTES_MAX)?;
        let mut reader = Reader(std::str::from_utf8(value.as_bytes()).ok()?);
        let nonce = reader.parameters().into_iter().find(|(name, _)| name.eq_ignore_ascii_case("nextnonce"))?.1;
        Some(Self {
            realm: self.realm.clone(),
            nonce: sound(nonce)?,
            opaque: self.opaque.clone(),
            algorithm: self.algorithm.clone(),
            count: AtomicU32::new(0),
            ..*self
        })
    }

    fn read(parameters: &[(String, String)]) -> Option<Self> {
        let get = |name: &str| parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let algorithm = get("algorithm").filter(|text| !text.is_empty());
        let (hash, session) = match algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase().as_str() {
            "MD5" => (Hash::Md5, false),
            "MD5-SESS" => (Hash::Md5, true),
            "SHA-256" => (Hash::Sha256, false),
            "SHA-256-SESS" => (Hash::Sha256, true),
            _ => return None,
        };
        let qop = get("qop").filter(|text| !text.is_empty());
        let auth = match &qop {
            None => false,
            Some(offered) if offered.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
            // Only `auth-int`, which is over the whole body.
            Some(_) => return None,
        };
        Some(Self {
            realm: sound(get("realm")?)?,
            nonce: sound(get("nonce")?)?,
            opaque: match get("opaque") {
                Some(text) => Some(sound(text)?),
                None => None,
            },
            hash,
            algorithm,
            session,
            auth,
            hides_user: get("userhash").is_some_and(|text| text.eq_ignore_ascii_case("true")),
            count: AtomicU32::new(0),
        })
    }
}

/// What can stand in a header again.
fn sound(text: String) -> Option<String> {
    (!text.chars().any(char::is_control)).then_some(text)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The challenges of one header value: scheme and parameters of each. What does not read ends the list.
fn challenges(value: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader(value);
    let mut found = Vec::new();
    loop {
        reader.skip(|c| c.is_ascii_whitespace() || c == ',');
        let Some(scheme) = reader.token() else { return found };
        reader.skip(|c| c.is_ascii_whitespace());
        let parameters = reader.parameters();
        found.push((scheme, parameters));
    }
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(what);
    }

    fn token(&mut self) -> Option<String> {
        let end = self.0.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end).filter(|(token, _)| !token.is_empty())?;
        self.0 = rest;
        Some(token.to_owned())
    }

    /// `name=value` in a comma list, up to what is none, such as the next challenge's scheme.
    fn parameters(&mut self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        loop {
            let before = self.0;
            self.skip(|c| c.is_ascii_whitespace() || c == ',');
            let parameter = self.token().and_then(|name| {
                self.skip(|c| c.is_ascii_whitespace());
                self.0 = self.0.strip_prefix('=')?;
                self.skip(|c| c.is_ascii_whitespace());
                Some((name, self.value()?))
            });
            match parameter {
                Some(parameter) => found.push(parameter),
                None => {
                    self.0 = before;
                    return found;
                }
            }
        }
    }

    fn value(&mut self) -> Option<String> {
        let Some(text) = self.0.strip_prefix('"') else { return self.token() };
        let mut value = String::new();
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            match c {
                _ if escaped => {
                    value.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.0 = text.get(at + 1..).unwrap_or_default();
                    return Some(value);
                }
                _ => value.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn challenge(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        Challenge::of(&headers)
    }

    fn answered(challenge: &Challenge, own_nonce: &str) -> String {
        let digest = Digest::new("Mufasa", Secret::new("Circle of Life".to_owned()));
        String::from_utf8(digest.answer(challenge, "GET", b"/dir/index.html", own_nonce)).unwrap()
    }

    /// RFC 7616, 3.9.1.
    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let with = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in
            [("MD5", "8ca523f5e9506fed4657c9700eebdbec"), ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")]
        {
            let found = answered(&challenge(&[&with(algorithm)]).unwrap(), own);
            assert!(found.contains(&format!("response=\"{response}\"")), "{found}");
            assert!(found.contains("qop=auth, nc=00000001, cnonce=\"f2/") && found.contains(", opaque=\"FQhe/"), "{found}");
        }
        // Of two, the stronger is answered.
        let both = challenge(&[&with("MD5"), &with("SHA-256")]).unwrap();
        assert_eq!(both.hash, Hash::Sha256);
    }

    /// RFC 2069 had neither counts nor a nonce of the client's.
    #[test]
    fn the_oldest_form_has_no_qop() {
        let found = challenge(&["Basic realm=\"x, y\", Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\""])
            .unwrap();
        let found = answered(&found, "c");
        assert!(!found.contains("qop") && !found.contains("cnonce") && found.contains("realm=\"testrealm@host.com\""), "{found}");
    }

    #[test]
    fn a_nonce_is_counted_and_replaced_when_the_backend_says_so() {
        let first = challenge(&["Digest realm=\"r\", nonce=\"one\", qop=\"auth\", algorithm=MD5-sess, userhash=true"]).unwrap();
        assert!(answered(&first, "c").contains("nc=00000001"));
        let second = answered(&first, "c");
        assert!(second.contains("nc=00000002") && second.contains("userhash=true") && !second.contains("Mufasa"), "{second}");
        let mut headers = HeaderMap::new();
        assert!(first.next(&headers).is_none());
        headers.insert(AUTHENTICATION_INFO, HeaderValue::from_static("qop=auth, nextnonce=\"two\""));
        let next = answered(&first.next(&headers).unwrap(), "c");
        assert!(next.contains("nonce=\"two\"") && next.contains("nc=00000001"), "{next}");
    }

    #[test]
    fn what_cannot_be_answered_is_passed_over() {
        for value in [
            "Digest realm=\"r\"",
            "Digest nonce=\"n\", realm=\"r\", qop=\"auth-int\"",
            "Digest nonce=n, realm=r, algorithm=SHA-512-256",
            "Basic realm=\"r\"",
        ] {
            assert!(challenge(&[value]).is_none(), "{value}");
        }
        assert!(format!("{:?}", Digest::new("u", Secret::new("hunter2".to_owned()))).contains("u"));
        assert!(!format!("{:?}", Digest::new("u", Secret::new("hunter2".to_owned()))).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[ -~]{0,80}", tail in "(Digest |realm=|nonce=|\"|,|\\\\){0,12}") {
            for text in [format!("Digest {text}{tail}"), format!("{tail}{text}")] {
                if let Some(found) = challenge(&[&text]) {
                    prop_assert!(!answered(&found, "c").contains(char::is_control));
                }
            }
        }
    }
}
