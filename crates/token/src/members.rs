//! Reading one JSON object member by member, refusing a member named twice.
//!
//! Two readers that disagree on which of two `sub` wins are an attack, so at the top level of a header or payload there is no winner. Below
//! the top level the last one wins, as `serde_json` has it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// More members than any honest token has; keeps the search for doubles cheap for a dishonest one.
pub(crate) const MAX_MEMBERS: usize = 256;

/// A string that borrows from the input where it holds no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(V).map(Self)
    }
}

/// Remembers names to find doubles.
#[derive(Default)]
pub(crate) struct Names<'a>(Vec<Cow<'a, str>>);

impl<'a> Names<'a> {
    /// The next name of `map`, refused when it was there before.
    pub(crate) fn next<A: MapAccess<'a>>(&mut self, map: &mut A) -> Result<Option<&str>, A::Error> {
        let Some(Text(name)) = map.next_key::<Text<'a>>()? else { return Ok(None) };
        if self.0.contains(&name) {
            return Err(A::Error::custom("a member is named twice"));
        }
        if self.0.len() >= MAX_MEMBERS {
            return Err(A::Error::custom("too many members"));
        }
        self.0.push(name);
        Ok(self.0.last().map(|n| &**n))
    }
}
