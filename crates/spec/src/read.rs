//! From text to an open value, within bounds.
//!
//! JSON and YAML go through one counter, because a YAML text of a few hundred bytes can name a thousand million values by its aliases: each use of
//! an alias is counted like the text it stands for.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::{Fault, Object, flow};

/// Longest definition read, in bytes.
pub const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// Most values (members, items) in one definition, aliases counted at each use. The largest public definitions have a fourth of it.
pub const MAX_VALUES: usize = 1_000_000;

/// Deepest nesting.
pub const MAX_DEPTH: usize = 100;

/// Most bytes of text in one definition, aliases counted at each use.
const MAX_STRING_BYTES: usize = 4 * MAX_TEXT_BYTES;

/// Reads JSON, or else YAML, into a value with its members in the author's order. Of two members with one name the last counts.
///
/// # Errors
/// A [`Fault`] with code 900758 for what is neither, is no object, or goes beyond a bound.
pub fn read(text: &str) -> Result<Value, Fault> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Fault::malformed(format!("the definition is longer than {MAX_TEXT_BYTES} bytes")));
    }
    let text = text.trim_start_matches('\u{feff}');
    let budget = Budget::full();
    let seed = Bounded { budget: &budget, depth: MAX_DEPTH };
    let value = if text.trim_start().starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text);
        match seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)) {
            Ok(value) => value,
            // YAML's flow style also starts with a brace. A text that is neither is told of as JSON, which it most looks like.
            Err(json) => yaml(text).map_err(|_| Fault::malformed(json.to_string()))?,
        }
    } else {
        yaml(text)?
    };
    if value.is_object() { Ok(value) } else { Err(Fault::malformed("the definition is not an object")) }
}

fn yaml(text: &str) -> Result<Value, Fault> {
    if !flow::is_tame(text) {
        return Err(Fault::malformed("brackets are nested too deep"));
    }
    let budget = Budget::full();
    let seed = Bounded { budget: &budget, depth: MAX_DEPTH };
    seed.deserialize(serde_norway::Deserializer::from_str(text)).map_err(|fault| Fault::malformed(fault.to_string()))
}

struct Budget {
    values: Cell<usize>,
    bytes: Cell<usize>,
}

impl Budget {
    fn full() -> Self {
        Self { values: Cell::new(MAX_VALUES), bytes: Cell::new(MAX_STRING_BYTES) }
    }

    fn spend<E: Error>(&self, bytes: usize) -> Result<(), E> {
        let values = self.values.get().checked_sub(1).ok_or_else(|| E::custom(format_args!("more than {MAX_VALUES} values")))?;
        let bytes =
            self.bytes.get().checked_sub(bytes).ok_or_else(|| E::custom(format_args!("more than {MAX_STRING_BYTES} bytes of text")))?;
        self.values.set(values);
        self.bytes.set(bytes);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Bounded<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl Bounded<'_> {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom(format_args!("nested deeper than {MAX_DEPTH}")))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.budget.spend(0)?;
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.budget.spend(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.budget.spend(0)?;
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.budget.spend(0)?;
        // YAML's `.nan` and `.inf` have no JSON number; as text nothing of them is lost.
        Ok(Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.budget.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.budget.spend(0)?;
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.budget.spend(0)?;
        let seed = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.budget.spend(0)?;
        let seed = self.below()?;
        let mut object = Object::new();
        while let Some(Value::String(key)) = map.next_key_seed(Key(self.budget))? {
            let value = map.next_value_seed(seed)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// A member's name. YAML writes status codes as numbers and `null`, `yes`-like words as themselves; all become text.
#[derive(Clone, Copy)]
struct Key<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.0.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.visit_str("null")
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_read_the_same_in_order() {
        let json = read(r#"{"b": {"200": {"x": [1, "two", null, true, 1.5]}}, "a": 1}"#).unwrap();
        let yaml = read("b:\n  200:\n    x: [1, two, null, true, 1.5]\na: 1\n").unwrap();
        assert_eq!(json, yaml);
        assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(read("\u{feff}{b: 1}").unwrap(), json!({"b": 1}));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["", "[]", "1", "just words", "{", "a: [", "\u{0}"] {
            assert_eq!(read(bad).unwrap_err().code, 900_758, "{bad:?}");
        }
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(yaml, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        assert_eq!(read(&yaml).unwrap_err().code, 900_758);
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 100].join(", "));
        assert_eq!(read(&long).unwrap_err().code, 900_758);
    }

    #[test]
    fn an_alias_used_honestly_is_read() {
        assert_eq!(read("a: &x {y: 1}\nb: *x\n").unwrap(), json!({"a": {"y": 1}, "b": {"y": 1}}));
    }

    #[test]
    fn deep_nesting_and_long_texts_are_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(read(&deep).unwrap_err().code, 900_758);
        assert_eq!(read(&"a".repeat(MAX_TEXT_BYTES + 1)).unwrap_err().code, 900_758);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[\[\]{}:,&*!|>"'a-c0-9 \n-]{0,120}"#) {
            let _ = read(&text);
        }
    }
}
