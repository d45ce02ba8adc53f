//! The conditions of `rewrite` and `conditionalRouter`: texts of the request compared or matched, joined by `and`, `or` and `not`.

use percent_encoding::percent_decode_str;

use super::address::{Fragment, Fragments};
use crate::compile::Work;
use crate::expression::{Expression, Means};
use crate::failure::Failure;
use crate::message::{Message, Scope};
use crate::pattern::Pattern;
use crate::xml::Element;

#[derive(Debug)]
pub(crate) enum Evaluator {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Equal(From, String),
    Matches(From, Pattern),
}

/// Where a text comes from.
#[derive(Debug)]
pub(crate) enum From {
    Header(String),
    /// Of the query.
    Parameter(String),
    /// A part of the address, or all of it.
    Address(Option<Fragment>),
    Property(String),
    Envelope(Expression),
}

impl Evaluator {
    /// The one inside a `condition`; `None` after an obstacle was noted.
    pub(crate) fn of_condition(work: &mut Work<'_>, condition: &Element) -> Option<Self> {
        match condition.elements().next() {
            Some(inner) => Self::compile(work, inner),
            None => {
                work.obstacle(condition, "", "The condition is empty.", "Write an <equal> or <match> into it.");
                None
            }
        }
    }

    /// Depth is bounded by the reader.
    fn compile(work: &mut Work<'_>, element: &Element) -> Option<Self> {
        let all = |work: &mut Work<'_>| {
            let made: Vec<Option<Self>> = element.elements().map(|inner| Self::compile(work, inner)).collect();
            made.into_iter().collect::<Option<Vec<_>>>()
        };
        match element.name.as_str() {
            "and" => all(work).map(Self::And),
            "or" => all(work).map(Self::Or),
            "not" => all(work)?.into_iter().next().map(|inner| Self::Not(Box::new(inner))),
            "equal" => {
                let value = work.needed(element, "value")?.to_owned();
                Some(Self::Equal(From::compile(work, element)?, value))
            }
            "match" => {
                let regex = work.needed(element, "regex")?;
                let pattern = work.pattern(element, regex)?;
                Some(Self::Matches(From::compile(work, element)?, pattern))
            }
            _ => {
                work.obstacle(element, "", "A condition has no such part.", "Use <equal>, <match>, <and>, <or> and <not>.");
                None
            }
        }
    }

    pub(crate) fn reads_body(&self) -> bool {
        match self {
            Self::And(inner) | Self::Or(inner) => inner.iter().any(Self::reads_body),
            Self::Not(inner) => inner.reads_body(),
            Self::Equal(from, _) | Self::Matches(from, _) => matches!(from, From::Envelope(expression) if expression.reads_body()),
        }
    }

    /// Whether it holds. `address` is the request's as it stands.
    pub(crate) fn holds(&self, address: &str, message: &mut Message, means: &mut Means<'_>) -> Result<bool, Failure> {
        Ok(match self {
            Self::And(inner) => {
                for one in inner {
                    if !one.holds(address, message, means)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Or(inner) => {
                for one in inner {
                    if one.holds(address, message, means)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(inner) => !inner.holds(address, message, means)?,
            Self::Equal(from, value) => from.text(address, message, means)?.is_some_and(|text| text.eq_ignore_ascii_case(value)),
            Self::Matches(from, pattern) => match from.text(address, message, means)? {
                Some(text) => pattern.matches(&text)?,
                None => false,
            },
        })
    }
}

impl From {
    fn compile(work: &mut Work<'_>, element: &Element) -> Option<Self> {
        match element.attribute("type").map_or("header", str::trim) {
            "header" => work.needed(element, "source").map(|name| Self::Header(name.trim().to_owned())),
            "param" => work.needed(element, "source").map(|name| Self::Parameter(name.trim().to_owned())),
            "property" => work.needed(element, "source").map(|name| Self::Property(name.trim().to_owned())),
            "soap" => {
                let text = work.needed(element, "source")?;
                work.expression(element, text).map(Self::Envelope)
            }
            "url" => match element.attribute("source").map(str::trim) {
                None | Some("full") => Some(Self::Address(None)),
                Some(name) => match Fragment::named(name) {
                    Some(fragment) => Some(Self::Address(Some(fragment))),
                    None => {
                        let suggestion = "Use protocol, user, host, port, path, query, ref or full.";
                        work.obstacle(element, name, "An address has no such part.", suggestion);
                        None
                    }
                },
            },
            other => {
                work.obstacle(element, other, "A condition takes no text from there.", "Use header, param, url, property or soap.");
                None
            }
        }
    }

    fn text(&self, address: &str, message: &mut Message, means: &mut Means<'_>) -> Result<Option<String>, Failure> {
        Ok(match self {
            Self::Header(name) => message.headers.get(name).map(str::to_owned),
            Self::Parameter(name) => parameter(address, name),
            Self::Address(None) => Some(address.to_owned()),
            Self::Address(Some(fragment)) => Fragments::read(address).get(*fragment),
            Self::Property(name) => message.property(Scope::Default, name).map(|value| value.to_string()),
            Self::Envelope(expression) => expression.text(message, means)?,
        })
    }
}

fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let (_, value) = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(own, _)| *own == name)?;
    Some(percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}
