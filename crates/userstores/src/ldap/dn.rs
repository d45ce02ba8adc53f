//! Distinguished names as text (RFC 4514), as far as groups need it.

/// The value of a name's first part, unescaped, when that part is of the attribute.
pub(super) fn first_value(dn: &str, attribute: &str) -> Option<String> {
    let (kind, value) = parts(dn)?.into_iter().next()?;
    (kind.eq_ignore_ascii_case(attribute) && !value.is_empty()).then_some(value)
}

/// Whether a name stands below another. Letter case and blanks around parts do not matter.
pub(super) fn is_below(dn: &str, base: &str) -> bool {
    let (Some(dn), Some(base)) = (parts(dn), parts(base)) else { return false };
    let alike = |(a, b): (&(String, String), &(String, String))| a.0.eq_ignore_ascii_case(&b.0) && a.1.to_lowercase() == b.1.to_lowercase();
    dn.len() > base.len() && dn.iter().rev().zip(base.iter().rev()).all(alike)
}

/// Attribute and unescaped value of each part; `None` where the text is no such name. Of a part with several values the first counts.
fn parts(dn: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = dn.trim();
    while !rest.is_empty() {
        let (kind, after) = rest.split_once('=')?;
        let (value, end, tail) = value(after)?;
        found.push((kind.trim().to_owned(), value));
        rest = tail;
        if end == Some('+') {
            rest = rest.find(',').and_then(|at| rest.get(at + 1..)).unwrap_or_default();
        }
        rest = rest.trim_start();
        if end.is_some() && rest.is_empty() {
            return None;
        }
    }
    Some(found)
}

/// A value, what ended it, and what follows.
fn value(text: &str) -> Option<(String, Option<char>, &str)> {
    let mut bytes: Vec<u8> = Vec::new();
    // Blanks at the end count only when escaped.
    let mut kept = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ',' | ';' | '+' => {
                bytes.truncate(kept);
                return Some((String::from_utf8(bytes).ok()?.trim_start().to_owned(), Some(c), text.get(at + 1..)?));
            }
            '\\' => {
                let (_, escaped) = chars.next()?;
                match escaped.to_digit(16) {
                    Some(high) => {
                        let low = chars.next()?.1.to_digit(16)?;
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    None => bytes.extend(escaped.encode_utf8(&mut [0; 4]).as_bytes()),
                }
                kept = bytes.len();
            }
            _ => {
                bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                if c != ' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    Some((String::from_utf8(bytes).ok()?.trim_start().to_owned(), None, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_is_unescaped() {
        assert_eq!(first_value("CN=Devs\\, all,OU=Groups,DC=x", "cn").as_deref(), Some("Devs, all"));
        assert_eq!(first_value("cn = Gr\\c3\\bcn , ou=g", "CN").as_deref(), Some("Grün"));
        assert_eq!(first_value("cn=a+sn=b,ou=g", "cn").as_deref(), Some("a"));
        for not in ["ou=g", "", "no name", "cn=,ou=g", "cn=a\\", "cn=a\\2", "cn=a,", "cn=\\ff,ou=g"] {
            assert_eq!(first_value(not, "cn"), None, "{not}");
        }
    }

    #[test]
    fn a_name_is_below_its_ancestors_only() {
        assert!(is_below("cn=a,OU=Groups, dc=x", "ou=groups,DC=X"));
        assert!(!is_below("ou=groups,dc=x", "ou=groups,dc=x"));
        assert!(!is_below("cn=a,ou=other,dc=x", "ou=groups,dc=x"));
        assert!(!is_below("cn=a\\,ou=groups,dc=x", "ou=groups,dc=x"));
        assert!(!is_below("nonsense", "ou=groups"));
    }
}
