//! Transport headers: ordered, several of one name allowed, names without regard to case.

use std::fmt;

/// The headers of a request or an answer. Their values are not in the debug form, since credentials are among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether a text can be a header's name, or a verb: what HTTP calls a token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl Headers {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// First value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Adds one more, at the end.
    pub fn append(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Puts one value in the place of all the name had, at the first one's place; at the end when there was none.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        let mut fresh = Some((name.to_owned(), value));
        self.0.retain_mut(|(n, v)| {
            if !n.eq_ignore_ascii_case(name) {
                return true;
            }
            match fresh.take() {
                Some((_, value)) => {
                    *v = value;
                    true
                }
                None => false,
            }
        });
        self.0.extend(fresh);
    }

    /// Takes every value of a name away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_whatever_its_case_and_keeps_its_place() {
        let mut headers: Headers = [("A", "1"), ("Set-Cookie", "x"), ("set-cookie", "y"), ("B", "2")].into_iter().collect();
        assert_eq!(headers.get("SET-COOKIE"), Some("x"));
        headers.set("SET-cookie", "z");
        headers.set("C", "3");
        headers.append("a", "4");
        headers.remove("b");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("A", "1"), ("Set-Cookie", "z"), ("C", "3"), ("a", "4")]);
        assert!(!format!("{headers:?}").contains('z'));
        headers.clear();
        assert_eq!(headers.get("A"), None);
    }
}
