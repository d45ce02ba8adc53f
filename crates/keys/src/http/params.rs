//! The parameters of a request at the key desk: a form, or a JSON object of texts, each name once.

use std::fmt;

use axum::extract::{FromRequest, Request};
use http::header;
use model::Secret;
use percent_encoding::percent_decode_str;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::Refusal;

/// Longest body, in bytes: a token of the greatest length with its neighbours.
const BODY_MAX_BYTES: usize = 64 * 1024;

/// Parameters by name. Some are passwords, so there is no `Debug`, and what is left over is wiped.
pub(crate) struct Params(Vec<(String, Secret<String>)>);

impl Params {
    /// The value; empty counts as absent (RFC 6749, 3.2).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.expose().as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::InvalidRequest(format!("Missing parameters: {name}")))
    }

    fn each_once(self) -> Result<Self, Refusal> {
        for (n, (name, _)) in self.0.iter().enumerate() {
            if self.0.iter().take(n).any(|(earlier, _)| earlier == name) {
                return Err(Refusal::InvalidRequest("Repeated parameters found in the request.".to_owned()));
            }
        }
        Ok(self)
    }
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let bytes = axum::body::to_bytes(request.into_body(), BODY_MAX_BYTES)
            .await
            .map_err(|_| Refusal::InvalidRequest("The request body is too large or incomplete.".to_owned()))?;
        let params = match kind.as_str() {
            "application/x-www-form-urlencoded" | "" => form(&bytes),
            "application/json" => json(&bytes),
            _ => return Err(Refusal::InvalidRequest("The request body must be a form.".to_owned())),
        };
        params.ok_or_else(|| Refusal::InvalidRequest("The request body is malformed.".to_owned()))?.each_once()
    }
}

/// More parameters than this are an attack on [`Params::each_once`].
const PARAMS_MAX: usize = 64;

fn form(bytes: &[u8]) -> Option<Params> {
    let text = std::str::from_utf8(bytes).ok()?;
    let pairs: Vec<&str> = text.split('&').filter(|pair| !pair.trim().is_empty()).collect();
    if pairs.len() > PARAMS_MAX {
        return None;
    }
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let pair = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name)?, Secret::new(decode(value)?)))
    };
    pairs.iter().map(pair).collect::<Option<_>>().map(Params)
}

fn json(bytes: &[u8]) -> Option<Params> {
    serde_json::from_slice::<Members>(bytes).ok().map(|members| Params(members.0))
}

/// An object's members in order, repeated ones included, which a map would hide.
struct Members(Vec<(String, Secret<String>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = match map.next_value::<serde_json::Value>()? {
                        serde_json::Value::String(text) => text,
                        serde_json::Value::Null => continue,
                        value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => value.to_string(),
                        _ => return Err(A::Error::custom("a member is not text")),
                    };
                    if members.len() >= PARAMS_MAX {
                        return Err(A::Error::custom("too many members"));
                    }
                    members.push((name, Secret::new(value)));
                }
                Ok(Members(members))
            }
        }
        reader.deserialize_map(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(kind: &str, body: &str) -> Result<Params, Refusal> {
        let request = Request::builder().header("content-type", kind).body(axum::body::Body::from(body.to_owned())).unwrap();
        Params::from_request(request, &()).await
    }

    #[tokio::test]
    async fn forms_and_objects_say_the_same() {
        for (kind, body) in [
            ("application/x-www-form-urlencoded; charset=UTF-8", "username=b%C3%A4r&password=a+b%2Bc&scope="),
            ("application/json", r#"{"username":"bär","password":"a b+c","scope":""}"#),
        ] {
            let params = read(kind, body).await.ok().unwrap();
            assert_eq!((params.get("username"), params.get("password")), (Some("bär"), Some("a b+c")));
            assert_eq!(params.get("scope"), None);
            assert!(matches!(params.need("token"), Err(Refusal::InvalidRequest(_))));
        }
    }

    #[tokio::test]
    async fn what_is_repeated_or_broken_is_refused() {
        for (kind, body) in [
            ("application/x-www-form-urlencoded", "a=1&a=1".to_owned()),
            ("application/x-www-form-urlencoded", "a=%ff".to_owned()),
            ("application/x-www-form-urlencoded", "x".repeat(BODY_MAX_BYTES + 1)),
            ("application/json", r#"{"a":"1","a":"2"}"#.to_owned()),
            ("application/json", r#"{"a":["1"]}"#.to_owned()),
            ("application/json", "[]".to_owned()),
            ("text/xml", "a=1".to_owned()),
        ] {
            assert!(matches!(read(kind, &body).await.err(), Some(Refusal::InvalidRequest(_))), "{kind}");
        }
    }
}
