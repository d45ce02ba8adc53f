//! The claims of a token: the well-known ones typed, all of them on request.
//!
//! Reading them proves nothing; only [`crate::Jwt::verify`] does.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::members::{Names, Text};

/// Claims, borrowing from the decoded payload where they can. [`Claims::into_owned`] frees them from it, to be kept in a cache.
#[derive(Clone, PartialEq)]
pub struct Claims<'a> {
    /// Issuer.
    pub iss: Option<Cow<'a, str>>,
    /// Subject: the user's name.
    pub sub: Option<Cow<'a, str>>,
    /// Authorized party: the client id.
    pub azp: Option<Cow<'a, str>>,
    /// `APPLICATION` or `APPLICATION_USER`.
    pub aut: Option<Cow<'a, str>>,
    /// Token's own id.
    pub jti: Option<Cow<'a, str>>,
    /// `apiKey` or `InternalKey`; absent in access tokens.
    pub token_type: Option<Cow<'a, str>>,
    /// `PRODUCTION` or `SANDBOX`, in API keys.
    pub keytype: Option<Cow<'a, str>>,
    /// Audience; one text or a list in the token.
    pub aud: Vec<Cow<'a, str>>,
    /// Scopes from the claim `scope`; space-separated text or a list in the token.
    pub scope: Vec<Cow<'a, str>>,
    /// Expiry, seconds since the epoch; a fraction is cut off. Absent: never.
    pub exp: Option<i64>,
    /// Not before, seconds since the epoch.
    pub nbf: Option<i64>,
    /// Issued at, seconds since the epoch.
    pub iat: Option<i64>,
    has_application: bool,
    raw: Cow<'a, str>,
}

impl<'a> Claims<'a> {
    pub(crate) fn read(raw: &'a str) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(raw);
        let mut claims = reader_claims(&mut reader)?;
        reader.end()?;
        claims.raw = Cow::Borrowed(raw);
        Ok(claims)
    }

    /// Every claim, read anew from the payload.
    #[must_use]
    pub fn all(&self) -> Map<String, Value> {
        // The text was read as an object when the token was parsed; the empty map stands for nesting deeper than the reader allows.
        serde_json::from_str(&self.raw).unwrap_or_default()
    }

    /// One claim by name, read anew from the payload.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        self.all().remove(name)
    }

    /// The claim as text, where it is text, a number or a boolean; for claim names that configuration chooses (`consumer_key_claim`).
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        }
    }

    /// The claim as a list of words: space-separated text or a list of texts. For a `scopes_claim` other than `scope`.
    #[must_use]
    pub fn words(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::String(text)) => text.split_ascii_whitespace().map(str::to_owned).collect(),
            Some(Value::Array(items)) => items.into_iter().filter_map(|i| i.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    }

    /// The payload's JSON text.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Whether the token says it is an API key: by `token_type`, or by `application` in keys of 3.1, which had no type.
    #[must_use]
    pub fn is_api_key(&self) -> bool {
        match self.token_type.as_deref() {
            Some(kind) => kind.eq_ignore_ascii_case("apiKey"),
            None => self.has_application,
        }
    }

    /// Whether the token says it is a publisher's try-out key.
    #[must_use]
    pub fn is_internal_key(&self) -> bool {
        self.token_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("InternalKey"))
    }

    /// The same claims without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Claims<'static> {
        let own = |text: Option<Cow<'a, str>>| text.map(|t| Cow::Owned(t.into_owned()));
        let own_all = |list: Vec<Cow<'a, str>>| list.into_iter().map(|t| Cow::Owned(t.into_owned())).collect();
        Claims {
            iss: own(self.iss),
            sub: own(self.sub),
            azp: own(self.azp),
            aut: own(self.aut),
            jti: own(self.jti),
            token_type: own(self.token_type),
            keytype: own(self.keytype),
            aud: own_all(self.aud),
            scope: own_all(self.scope),
            exp: self.exp,
            nbf: self.nbf,
            iat: self.iat,
            has_application: self.has_application,
            raw: Cow::Owned(self.raw.into_owned()),
        }
    }
}

impl fmt::Debug for Claims<'_> {
    /// Claims name people; a log line needs only to tell one token from another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("iss", &self.iss).field("jti", &self.jti).field("exp", &self.exp).finish_non_exhaustive()
    }
}

fn reader_claims<'a, D: Deserializer<'a>>(reader: D) -> Result<Claims<'a>, D::Error> {
    struct V;
    impl<'de> Visitor<'de> for V {
        type Value = Claims<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of claims")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut claims = Claims {
                iss: None,
                sub: None,
                azp: None,
                aut: None,
                jti: None,
                token_type: None,
                keytype: None,
                aud: Vec::new(),
                scope: Vec::new(),
                exp: None,
                nbf: None,
                iat: None,
                has_application: false,
                raw: Cow::Borrowed(""),
            };
            let mut names = Names::default();
            while let Some(name) = names.next(&mut map)? {
                match name {
                    "iss" => claims.iss = text(&mut map)?,
                    "sub" => claims.sub = text(&mut map)?,
                    "azp" => claims.azp = text(&mut map)?,
                    "aut" => claims.aut = text(&mut map)?,
                    "jti" => claims.jti = text(&mut map)?,
                    "token_type" => claims.token_type = text(&mut map)?,
                    "keytype" => claims.keytype = text(&mut map)?,
                    "aud" => claims.aud = map.next_value::<Texts<'de>>()?.0,
                    "scope" => claims.scope = split(map.next_value::<Texts<'de>>()?.0),
                    "exp" => claims.exp = map.next_value::<Option<Seconds>>()?.map(|s| s.0),
                    "nbf" => claims.nbf = map.next_value::<Option<Seconds>>()?.map(|s| s.0),
                    "iat" => claims.iat = map.next_value::<Option<Seconds>>()?.map(|s| s.0),
                    other => {
                        claims.has_application |= other == "application";
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
            Ok(claims)
        }
    }
    reader.deserialize_map(V)
}

/// `null` stands for absent, as 4.0.0 writes some of its claims.
fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|t| t.0))
}

fn split(texts: Vec<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
    texts
        .into_iter()
        .flat_map(|text| match text {
            Cow::Borrowed(text) => text.split_ascii_whitespace().map(Cow::Borrowed).collect::<Vec<_>>(),
            Cow::Owned(text) => text.split_ascii_whitespace().map(|w| Cow::Owned(w.to_owned())).collect(),
        })
        .collect()
}

/// One text, a list of texts, or `null`.
struct Texts<'a>(Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Vec<Cow<'de, str>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(vec![Cow::Borrowed(text)])
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(vec![Cow::Owned(text.to_owned())])
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Vec::new())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Text(text)) = seq.next_element::<Text<'de>>()? {
                    list.push(text);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_any(V).map(Self)
    }
}

/// A NumericDate: whole or fractional seconds.
struct Seconds(i64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds")
            }

            fn visit_i64<E: Error>(self, secs: i64) -> Result<i64, E> {
                Ok(secs)
            }

            fn visit_u64<E: Error>(self, secs: u64) -> Result<i64, E> {
                Ok(i64::try_from(secs).unwrap_or(i64::MAX))
            }

            fn visit_f64<E: Error>(self, secs: f64) -> Result<i64, E> {
                // `as` stops at the ends of the range; JSON has no NaN.
                Ok(secs.floor() as i64)
            }
        }
        deserializer.deserialize_any(V).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_or_a_list_read_the_same() {
        let one = Claims::read(r#"{"aud":"a","scope":"x  y","exp":12.9}"#).unwrap();
        let list = Claims::read(r#"{"aud":["a"],"scope":["x","y"],"exp":12}"#).unwrap();
        assert_eq!((&one.aud, &one.scope, one.exp), (&list.aud, &list.scope, list.exp));
        assert_eq!(one.scope, ["x", "y"]);
        assert_eq!(one.exp, Some(12));
    }

    #[test]
    fn a_member_named_twice_is_refused_even_by_escape() {
        assert!(Claims::read(r#"{"sub":"a","sub":"b"}"#).is_err());
        assert!(Claims::read(r#"{"x":1,"\u0078":2}"#).is_err());
        assert!(Claims::read(r#"{"x":{"y":1,"y":2}}"#).is_ok());
    }

    #[test]
    fn wrong_types_are_refused_and_null_is_absent() {
        for bad in [r#"{"exp":"soon"}"#, r#"{"sub":1}"#, r#"{"aud":[1]}"#, "[]", "1", "{} {}", r#"{"a":1"#] {
            assert!(Claims::read(bad).is_err(), "{bad}");
        }
        assert_eq!(Claims::read(r#"{"sub":null,"exp":null}"#).unwrap().exp, None);
    }

    #[test]
    fn other_claims_are_found_by_name() {
        let claims = Claims::read(r#"{"client":"c1","scp":["a","b"],"n":5,"application":{"id":1}}"#).unwrap().into_owned();
        assert_eq!(claims.text("client").as_deref(), Some("c1"));
        assert_eq!(claims.text("n").as_deref(), Some("5"));
        assert_eq!(claims.words("scp"), ["a", "b"]);
        assert!(claims.is_api_key());
    }

    #[test]
    fn more_members_than_anyone_needs_are_refused() {
        let many = (0..=crate::members::MAX_MEMBERS).map(|i| format!("\"m{i}\":0")).collect::<Vec<_>>().join(",");
        assert!(Claims::read(&format!("{{{many}}}")).is_err());
    }
}
