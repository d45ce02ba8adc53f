//! Where a message is sent other than to the API's own backend.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::compile::Work;
use crate::failure::Failure;
use crate::message::{Message, Scope};
use crate::xml::{self, Element};

/// A place to send to, with the placeholders of its address filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Absolute address.
    pub uri: String,
    /// Verb it demands; otherwise the message's.
    pub method: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Name of the endpoint, for logs; empty for one without.
    pub name: String,
}

/// A compiled `<endpoint>`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Endpoint {
    /// `None` for `<default/>`: the message's own `To`.
    uri: Option<Vec<Piece>>,
    method: Option<String>,
    /// The rest of the request's path is not put behind the address: so it is where an HTTP endpoint names a verb.
    whole: bool,
    /// Values are decoded, and keep what an address may hold.
    legacy: bool,
    timeout: Option<Duration>,
    name: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Plain(String),
    /// `{name}`, `{+name}`, `{?name,…}`, `{&name,…}`, `{/name}`.
    Variables(Option<char>, Vec<String>),
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RESERVED: &AsciiSet = &UNRESERVED
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'#')
    .remove(b'[')
    .remove(b']')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

impl Endpoint {
    /// Compiles the `<endpoint>` under a mediator; `None` after an obstacle was noted.
    pub(crate) fn compile(work: &mut Work<'_>, mediator: &Element, endpoint: &Element) -> Option<Self> {
        if let Some(key) = endpoint.attribute("key").map(str::trim) {
            if key.starts_with('{') {
                work.obstacle(mediator, key, "The endpoint is chosen while the message runs.", "Name the endpoint in the sequence.");
                return None;
            }
            let Some(source) = work.library.endpoint(key).cloned() else {
                work.obstacle(
                    mediator,
                    key,
                    "No endpoint of this name was found.",
                    "Add the endpoint, or write its address into the sequence.",
                );
                return None;
            };
            return match xml::read(&source.text) {
                Ok(root) if root.name == "endpoint" && root.attribute("key").is_none() => {
                    Self::compile(work, mediator, &root).map(|mut own| {
                        if own.name.is_empty() {
                            key.clone_into(&mut own.name);
                        }
                        own
                    })
                }
                _ => {
                    work.obstacle(mediator, key, "The endpoint's document is not an endpoint.", "Mend the document.");
                    None
                }
            };
        }
        let name = endpoint.attribute("name").unwrap_or_default().to_owned();
        let kinds = ["http", "address", "default", "wsdl", "failover", "loadbalance", "recipientlist"];
        let Some(kind) = endpoint.elements().find(|e| kinds.contains(&e.name.as_str())) else {
            work.obstacle(mediator, &name, "The endpoint has no address.", "Write an <address> or <http> endpoint.");
            return None;
        };
        let timeout = timeout(kind);
        let (uri, method) = match kind.name.as_str() {
            "http" => (kind.attribute("uri-template").or_else(|| kind.attribute("uri")), kind.attribute("method")),
            "address" => (kind.attribute("uri"), None),
            "default" => return Some(Self { uri: None, method: None, whole: false, legacy: false, timeout, name }),
            "wsdl" => {
                work.obstacle(
                    mediator,
                    &name,
                    "The endpoint's address is in a WSDL, which is not read here.",
                    "Write the address of the port as an <address> endpoint.",
                );
                return None;
            }
            other => {
                work.obstacle(
                    mediator,
                    &name,
                    &format!("A <{other}> endpoint inside a sequence does not run here."),
                    "Give the API several backends, or send to one address.",
                );
                return None;
            }
        };
        let Some(uri) = uri.map(str::trim).filter(|uri| !uri.is_empty()) else {
            work.obstacle(mediator, &name, "The endpoint has no address.", "Write its address.");
            return None;
        };
        let (legacy, uri) = uri.strip_prefix("legacy-encoding:").map_or((false, uri), |uri| (true, uri));
        let pieces = if kind.name == "http" { template(uri) } else { Some(vec![Piece::Plain(uri.to_owned())]) };
        let Some(pieces) = pieces else {
            work.obstacle(mediator, uri, "The address template cannot be read.", "Close every brace, and use names in them only.");
            return None;
        };
        Some(Self {
            uri: Some(pieces),
            method: method.map(|m| m.trim().to_ascii_uppercase()),
            whole: method.is_some(),
            legacy,
            timeout,
            name,
        })
    }

    pub(crate) fn to(uri: &str) -> Self {
        Self {
            uri: Some(vec![Piece::Plain(uri.to_owned())]),
            method: None,
            whole: false,
            legacy: false,
            timeout: None,
            name: String::new(),
        }
    }

    /// The place for one message; `None` for the API's own backend.
    pub(crate) fn target(&self, message: &Message) -> Result<Option<Target>, Failure> {
        let mut uri = match &self.uri {
            Some(pieces) => expanded(pieces, self.legacy, message),
            None => match absolute_to(message) {
                Some(to) => to.to_owned(),
                None => return Ok(None),
            },
        };
        if !is_absolute(&uri) {
            return Err(Failure { code: 0, detail: uri, ..Failure::new("Unexpected error during sending message out") });
        }
        if !self.whole {
            append_postfix(&mut uri, &message.url_postfix);
        }
        Ok(Some(Target { uri, method: self.method.clone(), timeout: self.timeout, name: self.name.clone() }))
    }
}

/// Puts the rest of the request's path behind an address, with one slash between them.
fn append_postfix(uri: &mut String, postfix: &str) {
    if postfix.is_empty() {
        return;
    }
    if uri.ends_with('/') && postfix.starts_with(['/', '?']) {
        uri.pop();
    } else if !uri.ends_with('/') && !postfix.starts_with(['/', '?']) {
        uri.push('/');
    }
    uri.push_str(postfix);
}

/// The message's `To`, if a sequence made it a place.
pub(crate) fn absolute_to(message: &Message) -> Option<&str> {
    message.to.as_deref().filter(|to| is_absolute(to))
}

fn is_absolute(uri: &str) -> bool {
    let has = |scheme: &str| uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has("http://") || has("https://")) && !uri.chars().any(|c| c.is_control() || c == ' ')
}

fn timeout(kind: &Element) -> Option<Duration> {
    let timeout = kind.elements().find(|e| e.name == "timeout")?;
    let duration = timeout.elements().find(|e| e.name == "duration")?;
    duration.text().trim().parse().ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

fn template(uri: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = uri;
    while let Some((plain, after)) = rest.split_once('{') {
        let (inner, after) = after.split_once('}')?;
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain.to_owned()));
        }
        let operator = inner.chars().next().filter(|c| matches!(c, '+' | '#' | '.' | '/' | ';' | '?' | '&'));
        let names = operator.map_or(inner, |c| inner.get(c.len_utf8()..).unwrap_or_default());
        let names: Vec<String> = names.split(',').map(|name| name.trim().trim_end_matches('*').to_owned()).collect();
        if names.iter().any(String::is_empty) {
            return None;
        }
        pieces.push(Piece::Variables(operator, names));
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest.to_owned()));
    }
    Some(pieces)
}

fn expanded(pieces: &[Piece], legacy: bool, message: &Message) -> String {
    let mut out = String::new();
    for piece in pieces {
        let (operator, names) = match piece {
            Piece::Plain(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Variables(operator, names) => (*operator, names),
        };
        let (first, between, named, kept) = match operator {
            None => ("", ",", false, UNRESERVED),
            Some('+') => ("", ",", false, RESERVED),
            Some('#') => ("#", ",", false, RESERVED),
            Some('.') => (".", ".", false, UNRESERVED),
            Some('/') => ("/", "/", false, UNRESERVED),
            Some(';') => (";", ";", true, UNRESERVED),
            Some('?') => ("?", "&", true, UNRESERVED),
            _ => ("&", "&", true, UNRESERVED),
        };
        let mut any = false;
        for name in names {
            let Some(value) = message.property(Scope::Default, name) else { continue };
            out.push_str(if any { between } else { first });
            any = true;
            if named {
                out.push_str(name.strip_prefix("uri.var.").or_else(|| name.strip_prefix("query.param.")).unwrap_or(name));
                out.push('=');
            }
            let value = value.to_string();
            // A whole address at the front keeps its shape, as does what the author wants kept.
            if (kept == RESERVED || out.is_empty()) && !legacy {
                encode_around(&value, &mut out);
                continue;
            }
            // What came out of an address is encoded already, so it is decoded before it is encoded.
            let plain = percent_decode_str(&value).decode_utf8().map_or_else(|_| value.clone(), std::borrow::Cow::into_owned);
            out.extend(utf8_percent_encode(&plain, if legacy { RESERVED } else { kept }));
        }
    }
    out
}

/// Encodes what an address may not hold and leaves what is encoded.
fn encode_around(value: &str, out: &mut String) {
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        let (before, after) = rest.split_at(at);
        out.extend(utf8_percent_encode(before, RESERVED));
        let triplet = after.get(..3).filter(|t| t.bytes().skip(1).all(|b| b.is_ascii_hexdigit()));
        out.push_str(triplet.unwrap_or("%25"));
        rest = after.get(triplet.map_or(1, str::len)..).unwrap_or_default();
    }
    out.extend(utf8_percent_encode(rest, RESERVED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_of_properties() {
        let mut message = Message::request("GET", "/x");
        message.properties.set(Scope::Default, "uri.var.host", "backend:8080");
        message.properties.set(Scope::Default, "uri.var.id", "a b/c%20d");
        message.properties.set(Scope::Default, "query.param.q", "1&2");
        message.properties.set(Scope::Default, "uri.var.url", "http://h/a?b=c%2Fd e");
        let made = |text: &str| expanded(&template(text).unwrap(), false, &message);
        assert_eq!(made("{uri.var.url}"), "http://h/a?b=c%2Fd%20e");
        assert_eq!(made("http://g/{+uri.var.id}"), "http://g/a%20b/c%20d");
        assert_eq!(expanded(&template("http://g/{uri.var.id}").unwrap(), true, &message), "http://g/a%20b/c%20d");
        assert_eq!(made("https://{+uri.var.host}/v/{uri.var.id}"), "https://backend:8080/v/a%20b%2Fc%20d");
        assert_eq!(made("http://h/{uri.var.missing}x{?query.param.q,uri.var.none}"), "http://h/x?q=1%262");
        for (uri, postfix, whole) in [
            ("http://h", "/a", "http://h/a"),
            ("http://h/", "/a", "http://h/a"),
            ("http://h/", "?a", "http://h?a"),
            ("http://h", "a", "http://h/a"),
            ("http://h", "", "http://h"),
        ] {
            let mut made = uri.to_owned();
            append_postfix(&mut made, postfix);
            assert_eq!(made, whole);
        }
        assert!(template("http://h/{a").is_none() && template("http://h/a}").is_none() && template("http://h/{}").is_none());
    }
}
