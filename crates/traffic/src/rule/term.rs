//! What an expression means: names looked up, kinds checked, functions known.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::query::{Expr, Is};
use super::{Asked, Attribute, Place, Property, RuleFault};
use crate::condition::{Compile, Matcher};

/// Parts that one expression may have once names are put in: what is put in twice counts twice.
const MAX_PARTS: usize = 512;

/// An expression, ready to be asked.
#[derive(Clone)]
pub(super) enum Term {
    Text(Arc<str>),
    Int(i64),
    Real(f64),
    Bool(bool),
    Null,
    Attribute(Attribute),
    Property(Arc<str>),
    /// Bytes of the call's body: only a sum can take it.
    MessageSize,
    Concat(Vec<Term>),
    Upper(Box<Term>),
    Lower(Box<Term>),
    /// The one text in the other.
    Contains(Box<Term>, Box<Term>),
    EqualsIgnoreCase(Box<Term>, Box<Term>),
    Found(Pattern, Box<Term>),
    Cast(Kind, Box<Term>),
    IfThenElse(Box<[Term; 3]>),
    /// The first that is something.
    Coalesce(Vec<Term>),
    Not(Box<Term>),
    And(Box<Term>, Box<Term>),
    Or(Box<Term>, Box<Term>),
    Compare(&'static str, Box<Term>, Box<Term>),
    Compute(&'static str, Box<Term>, Box<Term>),
    IsNull(Box<Term>),
}

/// A compiled expression of texts.
#[derive(Clone)]
pub(super) struct Pattern(Arc<dyn Matcher>);

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pattern")
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Term({} parts)", self.parts())
    }
}

/// What kind of value a term has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Real,
    Bool,
    /// What `map:get` and `null` give: it must be cast before it is compared.
    Unknown,
}

impl Kind {
    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Real)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Int | Self::Real => "a number",
            Self::Bool => "a condition",
            Self::Unknown => "a value of a kind not said",
        }
    }
}

/// A term's value on a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Real(f64),
    Bool(bool),
    Null,
}

impl<'a> Value<'a> {
    /// As a text; nothing is empty.
    pub(super) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Int(number) => number.to_string().into(),
            Self::Real(number) => number.to_string().into(),
            Self::Bool(yes) => yes.to_string().into(),
            Self::Null => "".into(),
        }
    }

    fn real(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            _ => None,
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    Term(Term),
    /// `propertiesMap`, which only `map:get` reads.
    Properties,
    /// Known to the old engine, and here only good for being counted.
    CountedOnly,
}

/// The attributes of a stream.
#[derive(Debug, Clone)]
pub(super) struct Scope(pub(super) Vec<(String, Meaning)>);

impl Scope {
    /// Those of `RequestStream`.
    pub(super) fn of_calls() -> Self {
        let attributes = Attribute::ALL.iter().map(|(name, attribute)| ((*name).to_owned(), Meaning::Term(Term::Attribute(*attribute))));
        let opaque = ["messageID", "apiTier", "resourceTier"].into_iter().map(|name| (name.to_owned(), Meaning::CountedOnly));
        Self(attributes.chain(opaque).chain([("propertiesMap".to_owned(), Meaning::Properties)]).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Meaning> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, meaning)| meaning)
    }

    pub(super) fn unknown(&self, name: &str, place: Place) -> RuleFault {
        let known: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        RuleFault::at(place, format!("there is no attribute '{name}' here; there are {}", known.join(", ")))
    }
}

/// Reads an expression over a stream.
pub(super) struct Desk<'d> {
    pub(super) scope: &'d Scope,
    pub(super) compile: &'d Compile<'d>,
}

impl Desk<'_> {
    /// The term and what kind of value it has.
    pub(super) fn term(&self, expr: &Expr) -> Result<(Term, Kind), RuleFault> {
        let term = self.read(expr)?;
        if term.parts() > MAX_PARTS {
            return Err(RuleFault::at(expr.place, format!("an expression may have {MAX_PARTS} parts at most, names put in")));
        }
        let kind = term.kind();
        Ok((term, kind))
    }

    /// A term that is true or false.
    pub(super) fn condition(&self, expr: &Expr) -> Result<Term, RuleFault> {
        self.of_kind(expr, Kind::Bool, |kind| kind == Kind::Bool)
    }

    fn of_kind(&self, expr: &Expr, wanted: Kind, is: impl Fn(Kind) -> bool) -> Result<Term, RuleFault> {
        let (term, kind) = self.term(expr)?;
        let hint = if kind == Kind::Unknown { "; cast(…, 'string') says it" } else { "" };
        match is(kind) {
            true => Ok(term),
            false => Err(RuleFault::at(expr.place, format!("this is {}, where {} is needed{hint}", kind.name(), wanted.name()))),
        }
    }

    fn text(&self, expr: &Expr) -> Result<Term, RuleFault> {
        self.of_kind(expr, Kind::Text, |kind| kind == Kind::Text)
    }

    fn number(&self, expr: &Expr) -> Result<Term, RuleFault> {
        self.of_kind(expr, Kind::Int, Kind::is_number)
    }

    fn read(&self, expr: &Expr) -> Result<Term, RuleFault> {
        let both = |a: &Expr, b: &Expr| Ok((Box::new(self.condition(a)?), Box::new(self.condition(b)?)));
        Ok(match &expr.is {
            Is::Text(text) => Term::Text(text.as_str().into()),
            Is::Int(number) => Term::Int(*number),
            Is::Real(number) => Term::Real(*number),
            Is::Bool(yes) => Term::Bool(*yes),
            Is::Null => Term::Null,
            Is::Name(name) => match self.scope.get(name) {
                Some(Meaning::Term(term)) => term.clone(),
                Some(Meaning::Properties) => {
                    return Err(RuleFault::at(expr.place, format!("'{name}' is read with map:get({name}, 'name')")));
                }
                Some(Meaning::CountedOnly) => {
                    return Err(RuleFault::at(expr.place, format!("'{name}' can be counted here, and not looked at")));
                }
                None => return Err(self.scope.unknown(name, expr.place)),
            },
            Is::Not(inner) => Term::Not(Box::new(self.condition(inner)?)),
            Is::And(a, b) => both(a, b).map(|(a, b)| Term::And(a, b))?,
            Is::Or(a, b) => both(a, b).map(|(a, b)| Term::Or(a, b))?,
            Is::Absent(inner) => Term::IsNull(Box::new(self.term(inner)?.0)),
            Is::Compare(sign, a, b) => self.compare(sign, a, b, expr.place)?,
            Is::Compute(sign, a, b) => Term::Compute(sign, Box::new(self.number(a)?), Box::new(self.number(b)?)),
            Is::Call(name, arguments) => self.call(name, arguments, expr.place)?,
        })
    }

    fn compare(&self, sign: &'static str, a: &Expr, b: &Expr, place: Place) -> Result<Term, RuleFault> {
        let ((left, left_kind), (right, right_kind)) = (self.term(a)?, self.term(b)?);
        let ordered = !matches!(sign, "==" | "!=");
        let fits = match (left_kind, right_kind) {
            (Kind::Text, Kind::Text) | (Kind::Bool, Kind::Bool) => !ordered,
            (a, b) => a.is_number() && b.is_number(),
        };
        if !fits {
            let words = format!("'{sign}' does not compare {} with {}", left_kind.name(), right_kind.name());
            return Err(RuleFault::at(place, words));
        }
        Ok(Term::Compare(sign, Box::new(left), Box::new(right)))
    }

    fn call(&self, name: &str, arguments: &[Expr], place: Place) -> Result<Term, RuleFault> {
        let needs = |what: &str| RuleFault::at(place, format!("{name} takes {what}"));
        let any = |expr: &Expr| Ok::<_, RuleFault>(self.term(expr)?.0);
        Ok(match (name.to_ascii_lowercase().as_str(), arguments) {
            ("str:concat", [_, ..]) => Term::Concat(arguments.iter().map(any).collect::<Result<_, _>>()?),
            ("str:upper", [text]) => Term::Upper(Box::new(self.text(text)?)),
            ("str:lower", [text]) => Term::Lower(Box::new(self.text(text)?)),
            ("str:contains", [text, part]) => Term::Contains(Box::new(self.text(text)?), Box::new(self.text(part)?)),
            ("str:equalsignorecase", [a, b]) => Term::EqualsIgnoreCase(Box::new(self.text(a)?), Box::new(self.text(b)?)),
            ("regex:find", [pattern, text]) => self.found(pattern, text, |p| p.to_owned())?,
            ("regex:matches", [pattern, text]) => self.found(pattern, text, |p| format!("^(?:{p})$"))?,
            ("map:get", [map, key]) => self.property(map, key)?,
            ("cast" | "convert", [value, kind]) => {
                let value = any(value)?;
                let Is::Text(word) = &kind.is else { return Err(needs("a value and a quoted kind")) };
                let kind = match word.to_ascii_lowercase().as_str() {
                    "string" => Kind::Text,
                    "int" | "long" => Kind::Int,
                    "float" | "double" => Kind::Real,
                    "bool" => Kind::Bool,
                    _ => return Err(RuleFault::at(kind.place, format!("'{word}' is none of string, int, long, float, double, bool"))),
                };
                // It stays what only a sum can take.
                if matches!(value, Term::MessageSize) { value } else { Term::Cast(kind, Box::new(value)) }
            }
            ("ifthenelse", [condition, yes, no]) => {
                let ((then, then_kind), (other, other_kind)) = (self.term(yes)?, self.term(no)?);
                if then_kind != other_kind {
                    return Err(needs("two values of one kind"));
                }
                Term::IfThenElse(Box::new([self.condition(condition)?, then, other]))
            }
            ("coalesce", [first, ..]) => {
                let kind = self.term(first)?.1;
                if arguments.iter().map(|a| self.term(a).map(|(_, k)| k)).collect::<Result<Vec<_>, _>>()?.iter().any(|k| *k != kind) {
                    return Err(needs("values of one kind"));
                }
                Term::Coalesce(arguments.iter().map(any).collect::<Result<_, _>>()?)
            }
            ("count" | "sum" | "avg" | "min" | "max", _) => {
                return Err(RuleFault::at(place, format!("{name} is enforced only as '{name}(…) >= number' for isThrottled")));
            }
            ("str:concat" | "coalesce", []) => return Err(needs("at least one value")),
            ("str:upper" | "str:lower", _) => return Err(needs("one text")),
            ("str:contains" | "str:equalsignorecase" | "regex:find" | "regex:matches", _) => return Err(needs("two texts")),
            ("map:get" | "cast" | "convert", _) => return Err(needs("two values")),
            ("ifthenelse", _) => return Err(needs("a condition and two values")),
            _ => return Err(RuleFault::at(place, format!("the function {name} is not enforced here"))),
        })
    }

    fn found(&self, pattern: &Expr, text: &Expr, write: impl Fn(&str) -> String) -> Result<Term, RuleFault> {
        let Is::Text(expression) = &pattern.is else {
            return Err(RuleFault::at(pattern.place, "an expression must be a quoted text, so that it can be compiled"));
        };
        let matcher = (self.compile)(&write(expression))
            .map_err(|reason| RuleFault::at(pattern.place, format!("the expression '{expression}' is not valid: {reason}")))?;
        Ok(Term::Found(Pattern(matcher), Box::new(self.text(text)?)))
    }

    fn property(&self, map: &Expr, key: &Expr) -> Result<Term, RuleFault> {
        match &map.is {
            Is::Name(name) if matches!(self.scope.get(name), Some(Meaning::Properties)) => {}
            Is::Name(name) if self.scope.get(name).is_none() => return Err(self.scope.unknown(name, map.place)),
            _ => return Err(RuleFault::at(map.place, "map:get reads propertiesMap alone")),
        }
        match &key.is {
            Is::Text(name) if name == "messageSize" => Ok(Term::MessageSize),
            Is::Text(name) => Ok(Term::Property(name.as_str().into())),
            _ => Err(RuleFault::at(key.place, "the name of a property must be a quoted text")),
        }
    }
}

impl Term {
    fn children(&self) -> Vec<&Self> {
        match self {
            Self::Text(_)
            | Self::Int(_)
            | Self::Real(_)
            | Self::Bool(_)
            | Self::Null
            | Self::Attribute(_)
            | Self::Property(_)
            | Self::MessageSize => Vec::new(),
            Self::Concat(all) | Self::Coalesce(all) => all.iter().collect(),
            Self::Upper(a) | Self::Lower(a) | Self::Found(_, a) | Self::Cast(_, a) | Self::Not(a) | Self::IsNull(a) => vec![a],
            Self::Contains(a, b)
            | Self::EqualsIgnoreCase(a, b)
            | Self::And(a, b)
            | Self::Or(a, b)
            | Self::Compare(_, a, b)
            | Self::Compute(_, a, b) => vec![a, b],
            Self::IfThenElse(all) => all.iter().collect(),
        }
    }

    fn parts(&self) -> usize {
        1 + self.children().into_iter().map(Self::parts).sum::<usize>()
    }

    /// Whether `wanted` holds for it or for a part of it.
    pub(super) fn any(&self, wanted: &dyn Fn(&Self) -> bool) -> bool {
        wanted(self) || self.children().into_iter().any(|part| part.any(wanted))
    }

    /// Whether clients choose its value freely, on calls with credentials or (`open`) without.
    pub(super) fn is_anybodys(&self, open: bool) -> bool {
        match self {
            Self::Property(_) => true,
            Self::Attribute(attribute) => open && attribute.names_application(),
            _ => false,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) | Self::Attribute(_) | Self::Concat(_) | Self::Upper(_) | Self::Lower(_) => Kind::Text,
            Self::Int(_) => Kind::Int,
            Self::Real(_) => Kind::Real,
            Self::Bool(_)
            | Self::Contains(..)
            | Self::EqualsIgnoreCase(..)
            | Self::Found(..)
            | Self::Not(_)
            | Self::And(..)
            | Self::Or(..)
            | Self::Compare(..)
            | Self::IsNull(_) => Kind::Bool,
            Self::Null | Self::Property(_) | Self::MessageSize => Kind::Unknown,
            Self::Cast(kind, _) => *kind,
            Self::IfThenElse(all) => all.get(1).map_or(Kind::Unknown, Self::kind),
            Self::Coalesce(all) => all.first().map_or(Kind::Unknown, Self::kind),
            Self::Compute(_, a, b) => match (a.kind(), b.kind()) {
                (Kind::Int, Kind::Int) => Kind::Int,
                _ => Kind::Real,
            },
        }
    }

    /// Its value on a call. What is compared with nothing does not hold.
    pub(super) fn value<'a>(&'a self, call: &'a impl Asked) -> Value<'a> {
        let yes = |term: &'a Self| matches!(term.value(call), Value::Bool(true));
        match self {
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Int(number) => Value::Int(*number),
            Self::Real(number) => Value::Real(*number),
            Self::Bool(yes) => Value::Bool(*yes),
            // A sum alone takes the size, and counters do the summing.
            Self::Null | Self::MessageSize => Value::Null,
            Self::Attribute(attribute) => Value::Text(call.attribute(*attribute)),
            Self::Property(name) => match call.property(name) {
                Some(Property::Number(number)) => Value::Int(number),
                Some(Property::Text(text)) => Value::Text(text),
                None => Value::Null,
            },
            Self::Concat(all) => Value::Text(all.iter().map(|part| part.value(call).text()).collect::<String>().into()),
            Self::Upper(text) => Value::Text(text.value(call).text().to_uppercase().into()),
            Self::Lower(text) => Value::Text(text.value(call).text().to_lowercase().into()),
            Self::Contains(text, part) => match (text.value(call), part.value(call)) {
                (Value::Text(text), Value::Text(part)) => Value::Bool(text.contains(&*part)),
                _ => Value::Bool(false),
            },
            Self::EqualsIgnoreCase(a, b) => match (a.value(call), b.value(call)) {
                (Value::Text(a), Value::Text(b)) => Value::Bool(a.to_lowercase() == b.to_lowercase()),
                _ => Value::Bool(false),
            },
            Self::Found(pattern, text) => match text.value(call) {
                Value::Text(text) => Value::Bool(pattern.0.found_in(&text)),
                _ => Value::Bool(false),
            },
            Self::Cast(kind, inner) => cast(*kind, inner.value(call)),
            Self::IfThenElse(all) => {
                let [condition, then, other] = &**all;
                if yes(condition) { then.value(call) } else { other.value(call) }
            }
            Self::Coalesce(all) => all.iter().map(|term| term.value(call)).find(|value| *value != Value::Null).unwrap_or(Value::Null),
            Self::Not(inner) => Value::Bool(!yes(inner)),
            Self::And(a, b) => Value::Bool(yes(a) && yes(b)),
            Self::Or(a, b) => Value::Bool(yes(a) || yes(b)),
            Self::Compare(sign, a, b) => Value::Bool(compare(sign, &a.value(call), &b.value(call))),
            Self::Compute(sign, a, b) => compute(sign, &a.value(call), &b.value(call)),
            Self::IsNull(inner) => Value::Bool(inner.value(call) == Value::Null),
        }
    }
}

fn cast(kind: Kind, value: Value<'_>) -> Value<'_> {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::Text, value) => Value::Text(value.text()),
        (Kind::Int, Value::Text(text)) => text.trim().parse().map_or(Value::Null, Value::Int),
        // Java cuts the fraction off too.
        (Kind::Int, Value::Real(number)) => Value::Int(number as i64),
        (Kind::Real, Value::Text(text)) => text.trim().parse().map_or(Value::Null, Value::Real),
        (Kind::Real, value) => value.real().map_or(Value::Null, Value::Real),
        (Kind::Bool, Value::Text(text)) => Value::Bool(text.eq_ignore_ascii_case("true")),
        (_, value) => value,
    }
}

fn compare(sign: &str, a: &Value<'_>, b: &Value<'_>) -> bool {
    let order = match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (a, b) => a.real().zip(b.real()).and_then(|(a, b)| a.partial_cmp(&b)),
    };
    let Some(order) = order else { return false };
    match sign {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        ">" => order == Ordering::Greater,
        "<" => order == Ordering::Less,
        ">=" => order != Ordering::Less,
        _ => order != Ordering::Greater,
    }
}

fn compute<'a>(sign: &str, a: &Value<'_>, b: &Value<'_>) -> Value<'a> {
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        let done = match sign {
            "+" => a.checked_add(*b),
            "-" => a.checked_sub(*b),
            "*" => a.checked_mul(*b),
            "/" => a.checked_div(*b),
            _ => a.checked_rem(*b),
        };
        return done.map_or(Value::Null, Value::Int);
    }
    let Some((a, b)) = a.real().zip(b.real()) else { return Value::Null };
    Value::Real(match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        _ => a % b,
    })
}
