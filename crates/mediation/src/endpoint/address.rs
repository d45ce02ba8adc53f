//! The address of an endpoint: a template, and what the properties of a message make of it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::message::{Message, Scope};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
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

/// Puts the rest of the request's path behind an address, with one slash between them.
pub(super) fn append_postfix(uri: &mut String, postfix: &str) {
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

/// The pieces of a template; `None` when a brace is not closed or names nothing.
pub(super) fn template(uri: &str) -> Option<Vec<Piece>> {
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

/// The address for one message.
pub(super) fn expanded(pieces: &[Piece], legacy: bool, message: &Message) -> String {
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
