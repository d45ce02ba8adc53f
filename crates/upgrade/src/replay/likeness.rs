//! Whether two answers are alike: JSON by structure, XML by its canonical form, all else to the byte. What differs from one answer to the next
//! by nature (dates, identifiers, counters of time) is told apart.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, XmlVersion};
use serde_json::Value;

/// Elements below each other at most, and parts of a body at all; beyond, it is compared to the byte.
const DEPTH_MAX: usize = 128;
const PARTS_MAX: usize = 100_000;

/// A body as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// By place: each leaf of a document. Objects have no order, lists and elements have.
    Parts(BTreeMap<String, String>),
    /// To the byte.
    Bytes(Vec<u8>),
}

/// How two bodies compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The same.
    Same,
    /// Only in what differs by nature.
    Volatile,
    /// Otherwise.
    Different,
}

impl Body {
    /// Reads a body by its media type, and by itself where that does not fit.
    pub(super) fn of(media_type: &str, bytes: &[u8]) -> Self {
        let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let read = if kind.ends_with("json") {
            json(bytes)
        } else if kind.ends_with("xml") {
            xml(bytes)
        } else {
            None
        };
        read.map_or_else(|| Self::Bytes(bytes.to_vec()), Self::Parts)
    }

    /// Places at which two answers to one call differ.
    pub(super) fn unsteady(&self, again: &Self) -> BTreeSet<String> {
        match (self, again) {
            (Self::Parts(one), Self::Parts(two)) => differing(one, two).map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Compares with another; places in `unsteady` count as volatile.
    pub(super) fn like(&self, other: &Self, unsteady: &BTreeSet<String>) -> Likeness {
        if self == other {
            return Likeness::Same;
        }
        let (Self::Parts(one), Self::Parts(two)) = (self, other) else { return Likeness::Different };
        let is_volatile =
            |place: &str| unsteady.contains(place) || one.get(place).zip(two.get(place)).is_some_and(|(a, b)| changes_by_nature(a, b));
        if differing(one, two).all(is_volatile) { Likeness::Volatile } else { Likeness::Different }
    }
}

fn differing<'a>(one: &'a BTreeMap<String, String>, two: &'a BTreeMap<String, String>) -> impl Iterator<Item = &'a str> {
    let changed = one.iter().filter(|(place, value)| two.get(*place) != Some(*value)).map(|(place, _)| place.as_str());
    changed.chain(two.keys().filter(|place| !one.contains_key(*place)).map(String::as_str))
}

/// Two dates, two identifiers, two numbers that are moments since 2001 in seconds or milliseconds, or two signed tokens whose claims differ only
/// in such.
fn changes_by_nature(one: &str, two: &str) -> bool {
    let (one, two) = (one.trim_matches('"'), two.trim_matches('"'));
    if let (Some(one), Some(two)) = (claims(one), claims(two)) {
        return differing(&one, &two).all(|place| one.get(place).zip(two.get(place)).is_some_and(|(a, b)| changes_by_nature(a, b)));
    }
    let both = |is: fn(&str) -> bool| is(one) && is(two);
    both(is_date) || both(|text| uuid::Uuid::try_parse(text).is_ok()) || both(is_moment)
}

/// What a JWT says, in either alphabet; its signature differs with every moment.
fn claims(text: &str) -> Option<BTreeMap<String, String>> {
    let mut parts = text.trim_start_matches("Bearer ").split('.');
    let (Some(head), Some(body), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else { return None };
    let decoded = |part: &str| {
        let part = part.trim_end_matches('=');
        URL_SAFE_NO_PAD.decode(part).or_else(|_| STANDARD_NO_PAD.decode(part)).ok()
    };
    json(&decoded(head)?)?;
    // A token in a token's claims is compared as text.
    json(&decoded(body)?).filter(|claims| claims.values().all(|value| value.split('.').count() != 3 || !value.starts_with("\"eyJ")))
}

fn is_date(text: &str) -> bool {
    let text = text.trim();
    let iso = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f %Z"];
    chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || chrono::DateTime::parse_from_rfc2822(text).is_ok()
        || chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").is_ok()
        || iso.iter().any(|form| chrono::NaiveDateTime::parse_from_str(text, form).is_ok())
}

fn is_moment(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|n| (1_000_000_000..5_000_000_000).contains(&n) || (1_000_000_000_000..5_000_000_000_000).contains(&n))
}

fn json(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let mut parts = BTreeMap::new();
    let mut waiting = vec![(String::new(), &value)];
    while let Some((place, value)) = waiting.pop() {
        if parts.len() + waiting.len() > PARTS_MAX {
            return None;
        }
        match value {
            Value::Object(members) if !members.is_empty() => {
                waiting
                    .extend(members.iter().map(|(name, value)| (format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), value)));
            }
            Value::Array(items) if !items.is_empty() => {
                waiting.extend(items.iter().enumerate().map(|(at, value)| (format!("{place}/{at}"), value)));
            }
            leaf => drop(parts.insert(place, leaf.to_string())),
        }
    }
    Some(parts)
}

/// Elements by their namespaces and local names, attributes in order of names, text without the blanks around it; prefixes, comments and
/// declarations mean nothing.
fn xml(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut parts = BTreeMap::new();
    // Each open element's place, its text so far, and how many it holds.
    let mut open: Vec<(String, String, usize)> = Vec::new();
    let mut roots = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let (namespace, local) = reader.resolver().resolve_element(start.name());
                let name = qualified(namespace, local.as_ref())?;
                let place = match open.last_mut() {
                    Some((place, _, children)) => {
                        *children += 1;
                        format!("{place}/{}:{name}", *children)
                    }
                    None => {
                        roots += 1;
                        format!("/{name}")
                    }
                };
                for attribute in start.attributes() {
                    let attribute = attribute.ok()?;
                    if attribute.key.as_namespace_binding().is_some() {
                        continue;
                    }
                    let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned();
                    parts.insert(format!("{place}@{}", qualified(namespace, local.as_ref())?), value);
                }
                open.push((place, String::new(), 0));
            }
            Event::End(_) => {
                let (place, text, _) = open.pop()?;
                parts.insert(place, text.trim().to_owned());
            }
            Event::Text(text) => open.last_mut()?.1.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut()?.1.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().ok()? {
                    Some(c) => c,
                    None => named(reference.into_inner().as_ref())?,
                };
                open.last_mut()?.1.push(c);
            }
            Event::Eof => return (open.is_empty() && roots == 1).then_some(parts),
            // Entities of a document's own could mean anything.
            Event::DocType(_) => return None,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if open.len() > DEPTH_MAX || parts.len() > PARTS_MAX {
            return None;
        }
    }
}

fn named(entity: &str) -> Option<char> {
    Some(match entity {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

fn qualified(namespace: ResolveResult<'_>, local: &str) -> Option<String> {
    match namespace {
        ResolveResult::Unbound => Some(local.to_owned()),
        ResolveResult::Bound(uri) => Some(format!("{{{}}}{local}", uri.as_ref())),
        ResolveResult::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(kind: &str, one: &str, two: &str) -> Likeness {
        Body::of(kind, one.as_bytes()).like(&Body::of(kind, two.as_bytes()), &BTreeSet::new())
    }

    #[test]
    fn json_is_compared_by_structure() {
        use Likeness::{Different, Same, Volatile};
        for (one, two, is) in [
            (r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1, 2], "a": 1 }"#, Same),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, Different),
            (r#"{"b":[1,2]}"#, r#"{"b":[2,1]}"#, Different),
            (r#"{"a":null}"#, "{}", Different),
            (r#"{"a":{}}"#, r#"{"a":[]}"#, Different),
            (r#"{"at":"2020-01-01T00:00:00Z"}"#, r#"{"at":"2024-02-03T04:05:06.7Z"}"#, Volatile),
            (r#"{"at":1600000000000}"#, r#"{"at":1700000000123}"#, Volatile),
            (r#"{"n":3}"#, r#"{"n":4}"#, Different),
            (r#"{"id":"9db41cd6-9431-4c58-923b-085d50f2a517"}"#, r#"{"id":"00000000-0000-4000-8000-000000000000"}"#, Volatile),
            (r#"{"at":"2020-01-01T00:00:00Z"}"#, r#"{"at":"never"}"#, Different),
            ("{", "{", Same),
            ("{", "{ ", Different),
        ] {
            assert_eq!(like("application/json; charset=UTF-8", one, two), is, "{one} {two}");
        }
        // The same bytes as plain text are bytes.
        assert_eq!(like("text/plain", "{\"a\":1}", "{ \"a\":1}"), Different);
    }

    #[test]
    fn xml_is_compared_by_its_canonical_form() {
        use Likeness::{Different, Same, Volatile};
        for (one, two, is) in [
            ("<a:f xmlns:a='u'><a:c>1</a:c></a:f>", "<?xml version=\"1.0\"?><f xmlns=\"u\">\n  <c>1</c><!-- x -->\n</f>", Same),
            ("<f xmlns='u'/>", "<f xmlns='v'/>", Different),
            ("<f a='1' b='2'/>", "<f b=\"2\" a=\"1\"></f>", Same),
            ("<f><a/><b/></f>", "<f><b/><a/></f>", Different),
            ("<f>a &lt; b</f>", "<f><![CDATA[a < b]]></f>", Same),
            ("<f>a</f>", "<f>b</f>", Different),
            ("<f><t>2020-01-01 10:00:00</t></f>", "<f><t>2021-01-01 11:00:00</t></f>", Volatile),
            ("<f>", "<f> ", Different),
        ] {
            assert_eq!(like("application/soap+xml", one, two), is, "{one} {two}");
        }
        assert_eq!(
            Body::of("text/xml", b"<!DOCTYPE f [<!ENTITY e 'x'>]><f>&e;</f>"),
            Body::Bytes(b"<!DOCTYPE f [<!ENTITY e 'x'>]><f>&e;</f>".to_vec())
        );
    }

    #[test]
    fn a_signed_token_is_compared_by_what_it_says() {
        let token = |claims: &str| format!(r#"{{"t":"eyJhbGciOiJub25lIn0.{}.sig{}"}}"#, URL_SAFE_NO_PAD.encode(claims), claims.len());
        let of = |claims: &str| token(claims);
        let one = of(r#"{"sub":"dave","exp":1700000000}"#);
        assert_eq!(like("application/json", &one, &of(r#"{"sub":"dave","exp":1700000060}"#)), Likeness::Volatile);
        assert_eq!(like("application/json", &one, &of(r#"{"sub":"erin","exp":1700000060}"#)), Likeness::Different);
    }

    #[test]
    fn what_one_side_answers_anew_each_time_is_volatile() {
        let of = |text: &str| Body::of("application/json", text.as_bytes());
        let (first, again, other) = (of(r#"{"n":1,"a":"x"}"#), of(r#"{"n":2,"a":"x"}"#), of(r#"{"n":9,"a":"x"}"#));
        let unsteady = first.unsteady(&again);
        assert_eq!(first.like(&other, &unsteady), Likeness::Volatile);
        assert_eq!(first.like(&of(r#"{"n":9,"a":"y"}"#), &unsteady), Likeness::Different);
    }
}
