//! The `JSONPath` that sequences write in `json-eval(…)`: names, indexes, slices, wildcards, descent, filters and the few functions.
//!
//! What an expression finds is known by concrete paths, so that the same expression can read and write.

mod read;

use std::fmt;

use crate::json::Json;

/// A compiled expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
    function: Option<Function>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Names(Vec<String>),
    Indexes(Vec<i64>),
    /// `[(@.length - n)]`.
    FromEnd(i64),
    Slice(Option<i64>, Option<i64>),
    Any,
    /// `..`, before the step that is looked for.
    Descent,
    Filter(Condition),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Length,
    Min,
    Max,
    Sum,
    Average,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Or(Vec<Self>),
    And(Vec<Self>),
    Not(Box<Self>),
    Exists(Side),
    Compare(Side, Operator, Side),
    Matches(Side, Pattern),
}

#[derive(Debug, Clone, PartialEq)]
enum Side {
    Path(Vec<Step>),
    Literal(Json),
    List(Vec<Json>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    NotIn,
}

#[derive(Debug, Clone)]
struct Pattern(fancy_regex::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// One step of a concrete path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Name(String),
    Index(usize),
}

/// The text is no expression we run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathFault(String);

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Finding stopped: too much was visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// What an expression found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// A definite expression's value.
    One(Json),
    /// An expression that may find several.
    Many(Vec<Json>),
    Nothing,
}

impl JsonPath {
    /// Whether it is `$` alone.
    pub(crate) fn is_whole(&self) -> bool {
        self.steps.is_empty() && self.function.is_none()
    }

    fn is_definite(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Names(names) => names.len() == 1,
            Step::Indexes(indexes) => indexes.len() == 1,
            Step::FromEnd(_) => true,
            _ => false,
        })
    }

    /// Evaluates it. `visits` is how many values may still be looked at.
    pub(crate) fn find(&self, root: &Json, visits: &mut u64) -> Result<Found, TooMuch> {
        let paths = locate(&self.steps, root, visits)?;
        let mut values = paths.iter().filter_map(|path| at(root, path));
        if let Some(function) = self.function {
            let found: Vec<&Json> = values.collect();
            return Ok(apply(function, &found, self.is_definite()).map_or(Found::Nothing, Found::One));
        }
        if self.is_definite() {
            return Ok(values.next().cloned().map_or(Found::Nothing, Found::One));
        }
        Ok(Found::Many(values.cloned().collect()))
    }

    /// Concrete paths of all it finds.
    pub(crate) fn paths(&self, root: &Json, visits: &mut u64) -> Result<Vec<Vec<Key>>, TooMuch> {
        locate(&self.steps, root, visits)
    }

    /// Of a definite expression that found nothing: the path of its parent and the name to set there.
    pub(crate) fn parent(&self) -> Option<(Self, &str)> {
        let (last, before) = self.steps.split_last()?;
        match last {
            Step::Names(names) if names.len() == 1 && self.function.is_none() => {
                Some((Self { steps: before.to_vec(), function: None }, names.first()?))
            }
            _ => None,
        }
    }
}

/// The value at a concrete path.
pub(crate) fn at<'j>(root: &'j Json, path: &[Key]) -> Option<&'j Json> {
    path.iter().try_fold(root, |json, key| match key {
        Key::Name(name) => json.get(name),
        Key::Index(index) => match json {
            Json::Array(items) => items.get(*index),
            _ => None,
        },
    })
}

/// The value at a concrete path, to change.
pub(crate) fn at_mut<'j>(root: &'j mut Json, path: &[Key]) -> Option<&'j mut Json> {
    path.iter().try_fold(root, |json, key| match (key, json) {
        (Key::Name(name), Json::Object(members)) => members.iter_mut().find(|(n, _)| n == name).map(|(_, value)| value),
        (Key::Index(index), Json::Array(items)) => items.get_mut(*index),
        _ => None,
    })
}

/// Takes the value at a concrete path away.
pub(crate) fn remove(root: &mut Json, path: &[Key]) {
    let Some((last, parent)) = path.split_last() else { return };
    match (last, at_mut(root, parent)) {
        (Key::Name(name), Some(Json::Object(members))) => members.retain(|(n, _)| n != name),
        (Key::Index(index), Some(Json::Array(items))) if *index < items.len() => {
            items.remove(*index);
        }
        _ => {}
    }
}

fn apply(function: Function, found: &[&Json], definite: bool) -> Option<Json> {
    let items: Vec<&Json> = match found {
        [Json::Array(items)] if definite => items.iter().collect(),
        [Json::Object(members)] if definite && function == Function::Length => return Some(number(members.len() as f64)),
        [Json::Text(text)] if definite && function == Function::Length => return Some(number(text.chars().count() as f64)),
        found => found.to_vec(),
    };
    let numbers: Vec<f64> = items.iter().filter_map(|item| as_number(item)).collect();
    let sum: f64 = numbers.iter().sum();
    match function {
        Function::Length if found.is_empty() => None,
        Function::Length => Some(Json::Number(items.len().to_string().into())),
        Function::Sum => Some(double(sum)),
        _ if numbers.is_empty() => None,
        Function::Min => Some(double(numbers.iter().copied().fold(f64::INFINITY, f64::min))),
        Function::Max => Some(double(numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max))),
        Function::Average => Some(double(sum / numbers.len() as f64)),
    }
}

fn number(value: f64) -> Json {
    Json::Number(format!("{value}").into())
}

/// As Java prints a double.
fn double(value: f64) -> Json {
    Json::Number(format!("{value:?}").into())
}

fn as_number(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.parse().ok(),
        _ => None,
    }
}

fn locate(steps: &[Step], root: &Json, visits: &mut u64) -> Result<Vec<Vec<Key>>, TooMuch> {
    let mut paths: Vec<Vec<Key>> = vec![Vec::new()];
    for step in steps {
        if *step == Step::Descent {
            let mut all = Vec::new();
            for path in &paths {
                if let Some(json) = at(root, path) {
                    descend(json, path, &mut all, visits)?;
                }
            }
            paths = all;
            continue;
        }
        let mut next = Vec::new();
        for path in &paths {
            let Some(json) = at(root, path) else { continue };
            pay(visits, 1)?;
            let mut push = |visits: &mut u64, key: Key| -> Result<(), TooMuch> {
                // A path costs what it is long.
                pay(visits, 1 + path.len() as u64)?;
                let mut longer = path.clone();
                longer.push(key);
                next.push(longer);
                Ok(())
            };
            match (step, json) {
                (Step::Names(names), Json::Object(_)) => {
                    for name in names.iter().filter(|name| json.get(name).is_some()) {
                        push(visits, Key::Name(name.clone()))?;
                    }
                }
                (Step::Indexes(indexes), Json::Array(items)) => {
                    for index in indexes.iter().filter_map(|index| place(*index, items.len())) {
                        push(visits, Key::Index(index))?;
                    }
                }
                (Step::FromEnd(back), Json::Array(items)) => {
                    if let Some(index) = place(back.wrapping_neg(), items.len()).filter(|_| *back > 0) {
                        push(visits, Key::Index(index))?;
                    }
                }
                (Step::Slice(from, to), Json::Array(items)) => {
                    let bound = |bound: i64| {
                        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                        usize::try_from(if bound < 0 { (length.saturating_add(bound)).max(0) } else { bound.min(length) }).unwrap_or(0)
                    };
                    for index in from.map_or(0, bound)..to.map_or(items.len(), bound) {
                        push(visits, Key::Index(index))?;
                    }
                }
                (Step::Any, Json::Array(items)) => {
                    for index in 0..items.len() {
                        push(visits, Key::Index(index))?;
                    }
                }
                (Step::Any, Json::Object(members)) => {
                    for (name, _) in members {
                        push(visits, Key::Name(name.clone()))?;
                    }
                }
                (Step::Filter(condition), Json::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        if holds(condition, item, visits)? {
                            pay(visits, 1 + path.len() as u64)?;
                            let mut longer = path.clone();
                            longer.push(Key::Index(index));
                            next.push(longer);
                        }
                    }
                }
                (Step::Filter(condition), json @ Json::Object(_)) if holds(condition, json, visits)? => next.push(path.clone()),
                _ => {}
            }
        }
        paths = next;
    }
    Ok(paths)
}

fn pay(visits: &mut u64, cost: u64) -> Result<(), TooMuch> {
    *visits = visits.checked_sub(cost).ok_or(TooMuch)?;
    Ok(())
}

fn place(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// The value and all inside it. Depth is bounded by the reader.
fn descend(json: &Json, path: &[Key], all: &mut Vec<Vec<Key>>, visits: &mut u64) -> Result<(), TooMuch> {
    pay(visits, 1 + path.len() as u64)?;
    all.push(path.to_vec());
    let mut inner = |key: Key, value: &Json| {
        if !matches!(value, Json::Array(_) | Json::Object(_)) {
            return Ok(());
        }
        let mut longer = path.to_vec();
        longer.push(key);
        descend(value, &longer, all, visits)
    };
    match json {
        Json::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| inner(Key::Index(index), item)),
        Json::Object(members) => members.iter().try_for_each(|(name, value)| inner(Key::Name(name.clone()), value)),
        _ => Ok(()),
    }
}

fn holds(condition: &Condition, item: &Json, visits: &mut u64) -> Result<bool, TooMuch> {
    pay(visits, 1)?;
    Ok(match condition {
        Condition::Or(parts) => {
            for part in parts {
                if holds(part, item, visits)? {
                    return Ok(true);
                }
            }
            false
        }
        Condition::And(parts) => {
            for part in parts {
                if !holds(part, item, visits)? {
                    return Ok(false);
                }
            }
            true
        }
        Condition::Not(inner) => !holds(inner, item, visits)?,
        Condition::Exists(side) => value(side, item, visits)?.is_some(),
        Condition::Matches(side, pattern) => match value(side, item, visits)? {
            // A pattern that backtracks too long does not match.
            Some(found) => pattern.0.is_match(&found.bare()).unwrap_or(false),
            None => false,
        },
        Condition::Compare(left, operator, right) => {
            if let Side::List(list) = right {
                let found = value(left, item, visits)?;
                let within = found.is_some_and(|found| list.iter().any(|one| same(&found, one)));
                return Ok(within == (*operator == Operator::In));
            }
            match (value(left, item, visits)?, value(right, item, visits)?) {
                (Some(left), Some(right)) => compare(&left, *operator, &right),
                (None, None) => *operator == Operator::Equal,
                _ => *operator == Operator::Unequal,
            }
        }
    })
}

fn value(side: &Side, item: &Json, visits: &mut u64) -> Result<Option<Json>, TooMuch> {
    Ok(match side {
        Side::Literal(json) => Some(json.clone()),
        Side::List(list) => Some(Json::Array(list.clone())),
        Side::Path(steps) => locate(steps, item, visits)?.first().and_then(|path| at(item, path)).cloned(),
    })
}

fn same(left: &Json, right: &Json) -> bool {
    match (as_number(left), as_number(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

fn compare(left: &Json, operator: Operator, right: &Json) -> bool {
    let order = match (as_number(left), as_number(right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right),
        _ => match (left, right) {
            (Json::Text(left), Json::Text(right)) => Some(left.cmp(right)),
            _ => None,
        },
    };
    match operator {
        Operator::Equal => same(left, right),
        Operator::Unequal => !same(left, right),
        Operator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Operator::AtMost => order.is_some_and(std::cmp::Ordering::is_le),
        Operator::More => order.is_some_and(std::cmp::Ordering::is_gt),
        Operator::AtLeast => order.is_some_and(std::cmp::Ordering::is_ge),
        Operator::In | Operator::NotIn => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STORE: &str = r#"{"store":{"book":[{"category":"reference","author":"A","price":8.95},{"category":"fiction","author":"B","price":12.99,"isbn":"1"},{"category":"fiction","author":"C","price":22.99,"isbn":"2"}],"bike":{"color":"red","price":19.95}},"a.b":1,"n":null}"#;

    fn find(path: &str) -> String {
        let root = Json::parse(STORE, 20).unwrap();
        match JsonPath::compile(path).unwrap_or_else(|e| panic!("{path}: {e}")).find(&root, &mut 100_000).unwrap() {
            Found::One(one) => one.to_string(),
            Found::Many(many) => Json::Array(many).to_string(),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_find_what_they_name() {
        for (path, found) in [
            ("$.store.bike.color", "\"red\""),
            ("store.bike.color", "\"red\""),
            ("$['store']['bike'].price", "19.95"),
            ("$['a.b']", "1"),
            ("$.n", "null"),
            ("$.missing.x", "nothing"),
            ("$.store.book[0].author", "\"A\""),
            ("$.store.book[-1].author", "\"C\""),
            ("$.store.book[(@.length-1)].author", "\"C\""),
            ("$.store.book[0,2].author", "[\"A\",\"C\"]"),
            ("$.store.book[1:].author", "[\"B\",\"C\"]"),
            ("$.store.book[:-1].author", "[\"A\",\"B\"]"),
            ("$.store.book[*].price", "[8.95,12.99,22.99]"),
            ("$..author", "[\"A\",\"B\",\"C\"]"),
            ("$.store.*.color", "[\"red\"]"),
            ("$..book[?(@.isbn)].author", "[\"B\",\"C\"]"),
            ("$.store.book[?(@.price < 10)].author", "[\"A\"]"),
            ("$.store.book[?(@.category == 'fiction' && @.price > 20)].author", "[\"C\"]"),
            ("$.store.book[?(@.author == \"A\" || @.price >= 22.99)].author", "[\"A\",\"C\"]"),
            ("$.store.book[?(!(@.isbn))].author", "[\"A\"]"),
            ("$.store.book[?(@.author in ['A','C'])].author", "[\"A\",\"C\"]"),
            ("$.store.book[?(@.author =~ /[ab]/i)].author", "[\"A\",\"B\"]"),
            ("$.store.book.length()", "3"),
            ("$.store.book[*].price.max()", "22.99"),
            ("$.store.bike['color','price']", "[\"red\",19.95]"),
        ] {
            assert_eq!(find(path), found, "{path}");
        }
        assert!(JsonPath::compile("$.").unwrap().is_whole());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in ["$.a[", "$.a[x]", "$..", "$.a[?(@.b]", "$.a.foo()", "$.a b c(", "$[?(@.a == )]", "$[?(@.a =~ /(/)]", "$]"] {
            assert!(JsonPath::compile(bad).is_err(), "{bad}");
        }
        assert!(JsonPath::compile(&format!("$[?({}@.a)]", "(".repeat(1000))).is_err());
    }

    #[test]
    fn work_is_bounded() {
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        let root = Json::parse(&deep, 50).unwrap();
        assert_eq!(JsonPath::compile("$..*..*..*..*").unwrap().find(&root, &mut 1000), Err(TooMuch));
    }

    proptest! {
        #[test]
        fn any_text_is_compiled_or_refused(text in r#"[$@.\[\]()?*'"a-c0-9:,<>=!&|~/ -]{0,40}"#) {
            if let Ok(path) = JsonPath::compile(&text) {
                let root = Json::parse(STORE, 20).unwrap();
                let _ = path.find(&root, &mut 10_000);
            }
        }
    }
}
