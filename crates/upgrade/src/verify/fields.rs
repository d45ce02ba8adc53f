//! Differences between two records by field, told from their pretty `Debug` text, so that a field added to a noun is compared
//! without anybody having to remember it.

/// Field path, first value, second value.
pub(super) type Difference = (String, String, String);

/// The lines in which two records differ. Where one has lines the other lacks, only the first such place is told.
pub(super) fn between(one: &str, other: &str) -> Vec<Difference> {
    if one == other {
        return Vec::new();
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut found = Vec::new();
    for (left, right) in a.iter().zip(&b) {
        let depth = left.len() - left.trim_start().len();
        path.retain(|(d, _)| *d < depth);
        let name = field(left);
        if left != right {
            let at: Vec<&str> = path.iter().map(|(_, n)| n.as_str()).chain(name).filter(|n| !n.is_empty()).collect();
            found.push((at.join("."), value(left), value(right)));
            if a.len() != b.len() {
                break;
            }
        }
        path.push((depth, name.unwrap_or_default().to_owned()));
    }
    if found.is_empty() {
        found.push(("length".to_owned(), format!("{} lines", a.len()), format!("{} lines", b.len())));
    }
    found
}

/// The name before the first colon, when there is one.
fn field(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start().split_once(": ")?;
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(name)
}

fn value(line: &str) -> String {
    let text = line.trim();
    let text = field(line).and_then(|name| text.strip_prefix(name)).map_or(text, |rest| rest.trim_start_matches(": "));
    text.trim_end_matches(',').chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone)]
    struct Inner {
        name: &'static str,
        #[allow(dead_code, reason = "shown")]
        list: Vec<u8>,
    }

    #[derive(Debug, Clone)]
    struct Outer {
        inner: Inner,
        count: u32,
    }

    #[test]
    fn a_difference_is_named_by_its_path() {
        let one = Outer { inner: Inner { name: "a", list: vec![1, 2] }, count: 3 };
        let mut other = one.clone();
        assert!(between(&format!("{one:#?}"), &format!("{other:#?}")).is_empty());
        other.inner.name = "b";
        other.count = 4;
        let found = between(&format!("{one:#?}"), &format!("{other:#?}"));
        let told: Vec<(&str, &str, &str)> = found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        assert_eq!(told, [("inner.name", "\"a\"", "\"b\""), ("count", "3", "4")]);
        other = one.clone();
        other.inner.list.push(3);
        assert_eq!(between(&format!("{one:#?}"), &format!("{other:#?}")).len(), 1);
    }
}
