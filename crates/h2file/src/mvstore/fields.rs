//! The small text maps an MVStore writes about itself: `chunk:1a,block:2,version:1a,fletcher:…`.
//!
//! Names and values are separated by colons and commas; a value with either in it is quoted. Numbers are hexadecimal.

use std::collections::HashMap;

/// A map read from such a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(HashMap<String, String>);

impl Fields {
    /// `None` when the text is no such map.
    pub(super) fn parse(text: &str) -> Option<Fields> {
        let mut fields = HashMap::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (name, after) = rest.split_once(':')?;
            let (value, after) = value(after)?;
            fields.insert(name.to_owned(), value);
            rest = after;
        }
        Some(Fields(fields))
    }

    /// A map that ends in its own checksum, with blanks around it. `None` when it does not match.
    pub(super) fn checksummed(bytes: &[u8]) -> Option<Fields> {
        // What follows the text is blanks, or zeros where a file was extended and never written.
        let blank = |byte: &u8| *byte <= b' ';
        let start = bytes.iter().position(|byte| !blank(byte))?;
        let end = bytes.iter().rposition(|byte| !blank(byte))? + 1;
        let text = bytes.get(start..end)?;
        let at = text.windows(10).rposition(|part| part == b",fletcher:")?;
        let (body, sum) = (text.get(..at)?, text.get(at + 10..)?);
        let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
        if fletcher32(body) != sum {
            return None;
        }
        Fields::parse(std::str::from_utf8(body).ok()?)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number; `None` when it is absent or none.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).and_then(hex)
    }
}

/// A hexadecimal number, as the store writes them.
pub(super) fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The value in front, and what follows its comma.
fn value(text: &str) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut quoted = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ',' if !quoted => return Some((found, text.get(at + 1..)?)),
            '"' => quoted = !quoted,
            '\\' if quoted => found.push(chars.next()?.1),
            c => found.push(c),
        }
    }
    (!quoted).then_some((found, ""))
}

/// The store's checksum: Fletcher's over pairs of bytes, an odd last byte as the high one of a pair.
pub(super) fn fletcher32(bytes: &[u8]) -> u32 {
    let (mut s1, mut s2) = (0xffff_u32, 0xffff_u32);
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    // After 360 pairs the sums are folded before they overflow.
    for block in bytes.chunks(720) {
        for pair in block.chunks(2) {
            let word = match pair {
                [high, low] => u32::from(*high) << 8 | u32::from(*low),
                [high] => u32::from(*high) << 8,
                _ => 0,
            };
            s1 += word;
            s2 += s1;
        }
        (s1, s2) = (fold(s1), fold(s2));
    }
    (s1, s2) = (fold(s1), fold(s2));
    s2 << 16 | s1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quoted_values_and_checksums() {
        let fields = Fields::parse("name:\"a,b:\\\"c\\\"\",createVersion:1f").unwrap();
        assert_eq!(fields.text("name"), Some("a,b:\"c\""));
        assert_eq!(fields.number("createVersion"), Some(31));
        assert_eq!(Fields::parse("no colon"), None);
        assert_eq!(Fields::parse("open:\"quote"), None);
        let body = b"chunk:3,block:2,version:3";
        let sum = fletcher32(body);
        let mut text = format!("{},fletcher:{sum:x}   \n", std::str::from_utf8(body).unwrap()).into_bytes();
        assert_eq!(Fields::checksummed(&text).unwrap().number("block"), Some(2));
        text[6] = b'4';
        assert_eq!(Fields::checksummed(&text), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_map_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..2000), text in ".{0,60}") {
            let _ = Fields::checksummed(&bytes);
            let _ = Fields::parse(&text);
        }
    }
}
