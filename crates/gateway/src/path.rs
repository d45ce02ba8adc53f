//! The one form of a request path that routing, scopes, limits and the backend all see.
//!
//! Two readings of one path are how access rules are bypassed, so there is only this one:
//! - a percent-escape of an unreserved character is that character; other escapes stay, with capital hex digits (`%2f` is `%2F`, inside
//!   its segment);
//! - several slashes count as one, since most servers read them so;
//! - `.` and `..` segments are refused, however written: with escapes, before a `;`, or between escaped slashes or backslashes. Honest
//!   clients resolve them before sending;
//! - a raw backslash, an escaped control character and a broken escape are refused;
//! - bytes outside ASCII become escapes.

use std::borrow::Cow;

/// The path is not acceptable; answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPath {
    #[error("the request path must not hold dot segments")]
    DotSegment,
    #[error("the request path holds a malformed percent-escape")]
    Escape,
    #[error("the request path holds a character that is not allowed")]
    Character,
}

/// Brings a path (no query) into its one form. Borrows when it already is.
pub(crate) fn normalise(raw: &str) -> Result<Cow<'_, str>, BadPath> {
    let bytes = raw.as_bytes();
    let mut previous = 0u8;
    for &byte in bytes {
        let odd = match byte {
            b'%' | b'\\' => true,
            b'/' | b'.' => previous == b'/',
            0x21..0x7f => false,
            _ => true,
        };
        if odd {
            return rewrite(raw).map(Cow::Owned);
        }
        previous = byte;
    }
    Ok(Cow::Borrowed(raw))
}

fn rewrite(raw: &str) -> Result<String, BadPath> {
    let mut out = String::with_capacity(raw.len() + 8);
    for segment in raw.split('/').filter(|s| !s.is_empty()) {
        out.push('/');
        let start = out.len();
        encode_segment(segment, &mut out)?;
        if out.get(start..).is_some_and(has_dot_part) {
            return Err(BadPath::DotSegment);
        }
    }
    if raw.ends_with('/') || out.is_empty() {
        out.push('/');
    }
    Ok(out)
}

/// Appends the one form of a segment.
fn encode_segment(segment: &str, out: &mut String) -> Result<(), BadPath> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let value = hex(bytes.next()).zip(hex(bytes.next())).map(|(high, low)| high << 4 | low).ok_or(BadPath::Escape)?;
                if value < 0x20 || value == 0x7f {
                    return Err(BadPath::Character);
                }
                if is_unreserved(value) { out.push(char::from(value)) } else { push_escape(value, out) }
            }
            b'\\' | ..0x20 | 0x7f => return Err(BadPath::Character),
            b' ' | 0x80.. => push_escape(byte, out),
            plain => out.push(char::from(plain)),
        }
    }
    Ok(())
}

/// The one form of literal text in a template or context, in which any character may stand for itself.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for segment in text.split_inclusive('/') {
        let start = out.len();
        let (body, slash) = segment.strip_suffix('/').map_or((segment, ""), |body| (body, "/"));
        if encode_segment(body, &mut out).is_err() {
            // A template is no request: what is no escape is meant literally.
            out.truncate(start);
            for byte in body.bytes() {
                if byte.is_ascii_graphic() && byte != b'%' && byte != b'\\' {
                    out.push(char::from(byte))
                } else {
                    push_escape(byte, &mut out)
                }
            }
        }
        out.push_str(slash);
    }
    out
}

/// Whether `segment` holds `.` or `..` once escaped slashes and backslashes separate, and parameters behind `;` are cut off.
fn has_dot_part(segment: &str) -> bool {
    let is_dot = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    segment.split("%2F").flat_map(|part| part.split("%5C")).any(is_dot)
}

fn push_escape(byte: u8, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    for nibble in [byte >> 4, byte & 15] {
        out.push(HEX.get(usize::from(nibble)).map_or('0', |b| char::from(*b)));
    }
}

fn hex(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_path_is_borrowed() {
        assert!(matches!(normalise("/pizza/1.0.0/menu/7;a=b,c:d@e"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn escapes_of_ordinary_characters_disappear_and_others_stay_in_their_segment() {
        assert_eq!(normalise("/%41%2d/x%2fy%5cz").unwrap(), "/A-/x%2Fy%5Cz");
        assert_eq!(normalise("/a%20b/\u{e4}").unwrap(), "/a%20b/%C3%A4");
    }

    #[test]
    fn slashes_are_merged_and_a_trailing_one_kept() {
        assert_eq!(normalise("//a///b//").unwrap(), "/a/b/");
        assert_eq!(normalise("//").unwrap(), "/");
    }

    #[test]
    fn dot_segments_are_refused_in_every_disguise() {
        for raw in ["/a/../b", "/a/./b", "/a/..", "/..", "/a/%2e%2E/b", "/a/.%2e", "/a/..;x=1/b", "/a/x%2f..%2fb", "/a/..%5cb", "/%2e;/b"] {
            assert_eq!(normalise(raw), Err(BadPath::DotSegment), "{raw}");
        }
        for raw in ["/a/...", "/a/.well-known/x", "/a/b..c", "/.hidden", "/a/..b"] {
            assert_eq!(normalise(raw).unwrap(), raw);
        }
    }

    #[test]
    fn what_backends_read_differently_is_refused() {
        for raw in ["/a\\b", "/a%00b", "/a%0d%0ab", "/a%7f"] {
            assert_eq!(normalise(raw), Err(BadPath::Character), "{raw}");
        }
        for raw in ["/a%", "/a%2", "/a%zz", "/a%+1"] {
            assert_eq!(normalise(raw), Err(BadPath::Escape), "{raw}");
        }
    }

    #[test]
    fn literals_take_the_form_of_paths() {
        assert_eq!(literal("/a b/\u{e4}%2f"), "/a%20b/%C3%A4%2F");
        assert_eq!(literal("/100%"), "/100%25");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(raw in "/[a-c./%2-5eE;~\\\\ ]{0,24}") {
            if let Ok(once) = normalise(&raw) {
                prop_assert_eq!(normalise(&once).unwrap(), once.clone());
                prop_assert!(!once.contains("//"));
                prop_assert!(once.split('/').all(|s| s != "." && s != ".."));
            }
        }
    }
}
