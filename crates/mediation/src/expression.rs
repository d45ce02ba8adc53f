//! The expressions of sequences: `XPath`, or `json-eval(…)`; and values that are either fixed or such an expression in braces.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::date;
use crate::failure::Failure;
use crate::json::Json;
use crate::jsonpath::{Found as JsonFound, JsonPath};
use crate::limits::Limits;
use crate::message::{Message, Payload, Scope, Value};
use crate::tree::Tree;
use crate::xml::Element;
use crate::xpath::{Found, Host, Stopped, XPath};

/// A compiled expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    XPath(XPath),
    /// Over the body, or over the JSON that a property holds.
    Json(JsonPath, Option<(Scope, String)>),
}

/// A fixed text or an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Text {
    Fixed(String),
    Made(Expression),
}

/// What a run lends to its expressions.
#[derive(Debug)]
pub(crate) struct Means<'r> {
    pub(crate) limits: &'r Limits,
    pub(crate) visits: &'r mut u64,
    pub(crate) entries: &'r BTreeMap<String, Arc<str>>,
}

impl Expression {
    /// Compiles what an attribute says. The element's prefixes hold for it.
    pub(crate) fn compile(text: &str, element: &Element) -> Result<Self, String> {
        let text = text.trim();
        match text.strip_prefix("json-eval(").and_then(|rest| rest.strip_suffix(')')) {
            Some(path) => Self::json(path),
            None => XPath::compile(text, &element.prefixes).map(Self::XPath),
        }
    }

    /// Compiles a JSON path, with or without `json-eval( )` around it.
    pub(crate) fn json(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = text.strip_prefix("json-eval(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(text).trim();
        for (prefix, scope) in
            [("$ctx:", Scope::Default), ("$trp:", Scope::Transport), ("$axis2:", Scope::Axis2), ("$func:", Scope::Template)]
        {
            if let Some(rest) = text.strip_prefix(prefix) {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (name, path) = rest.split_at(end);
                return JsonPath::compile(&format!("${path}"))
                    .map(|path| Self::Json(path, Some((scope, name.to_owned()))))
                    .map_err(|e| e.to_string());
            }
        }
        if text.contains('{') {
            return Err("expressions inside a JSON path are not supported".to_owned());
        }
        JsonPath::compile(text).map(|path| Self::Json(path, None)).map_err(|e| e.to_string())
    }

    pub(crate) fn reads_body(&self) -> bool {
        match self {
            Self::XPath(path) => path.reads_body(),
            Self::Json(_, property) => property.is_none(),
        }
    }

    /// As text; `None` for a property that is not set.
    pub(crate) fn text(&self, message: &mut Message, means: &mut Means<'_>) -> Result<Option<String>, Failure> {
        let text = match self {
            Self::XPath(path) => find(path, message, means)?.text(),
            Self::Json(path, property) => Some(json_text(path, property.as_ref(), message, means)?),
        };
        match text {
            Some(text) if text.len() > means.limits.body_bytes => Err(Failure::new("An expression made too long a text")),
            text => Ok(text),
        }
    }

    pub(crate) fn truth(&self, message: &mut Message, means: &mut Means<'_>) -> Result<bool, Failure> {
        match self {
            Self::XPath(path) => Ok(find(path, message, means)?.truth()),
            Self::Json(path, property) => Ok(json_text(path, property.as_ref(), message, means)?.eq_ignore_ascii_case("true")),
        }
    }
}

impl Text {
    /// A text, in braces an expression.
    pub(crate) fn compile(text: &str, element: &Element) -> Result<Self, String> {
        match text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(inner) => Expression::compile(inner, element).map(Self::Made),
            None => Ok(Self::Fixed(text.to_owned())),
        }
    }

    pub(crate) fn reads_body(&self) -> bool {
        matches!(self, Self::Made(expression) if expression.reads_body())
    }

    pub(crate) fn text(&self, message: &mut Message, means: &mut Means<'_>) -> Result<String, Failure> {
        match self {
            Self::Fixed(text) => Ok(text.clone()),
            Self::Made(expression) => Ok(expression.text(message, means)?.unwrap_or_default()),
        }
    }
}

/// Evaluates an `XPath` over a message, opening the body if the expression needs it.
pub(crate) fn find(path: &XPath, message: &mut Message, means: &mut Means<'_>) -> Result<Found, Failure> {
    let envelope = if path.reads_body() { Some(Arc::clone(&message.payload.xml(means.limits)?.tree)) } else { None };
    let is_fault = path.reads_body() && message.payload.xml(means.limits)?.is_fault();
    find_in(path, message, envelope.as_ref(), is_fault, means)
}

fn find_in(path: &XPath, message: &Message, envelope: Option<&Arc<Tree>>, is_fault: bool, means: &mut Means<'_>) -> Result<Found, Failure> {
    let view = View { message, entries: means.entries, is_fault };
    path.find(&view, envelope, means.visits).map_err(|stopped| match stopped {
        Stopped::TooMuch => Failure::new("The expressions of the sequence looked at too much"),
        Stopped::Wrong(what) => Failure {
            detail: what.to_owned(),
            ..Failure::new(&format!("Evaluation of the XPath expression {} resulted in an error", path.text()))
        },
    })
}

/// What a JSON path gives as text: nothing for what is not there, `null` for null.
fn json_text(path: &JsonPath, property: Option<&(Scope, String)>, message: &mut Message, means: &mut Means<'_>) -> Result<String, Failure> {
    let too_much = |_| Failure::new("The expressions of the sequence looked at too much");
    let show = |found: JsonFound| match found {
        JsonFound::One(json) => json.bare(),
        JsonFound::Many(many) => Json::Array(many).to_string(),
        JsonFound::Nothing => String::new(),
    };
    match property {
        Some((scope, name)) => {
            let json = match message.property(*scope, name) {
                Some(Value::Json(json)) => json,
                Some(other) => match Json::parse(&other.to_string(), means.limits.nesting) {
                    Ok(json) => json,
                    Err(_) => return Ok(String::new()),
                },
                None => return Ok(String::new()),
            };
            path.find(&json, means.visits).map(show).map_err(too_much)
        }
        None => {
            if path.is_whole() && message.payload.is_json() {
                // Untouched, it reads as it was written.
                if let Some(bytes) = message.payload.bytes().filter(|_| message.payload.is_untouched()) {
                    message.payload.json(means.limits)?;
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
            }
            match message.payload.json(means.limits)? {
                Some(json) => path.find(&json, means.visits).map(show).map_err(too_much),
                None => Ok(String::new()),
            }
        }
    }
}

impl Payload {
    fn is_untouched(&self) -> bool {
        self.rewritten().is_none() && !self.is_changed()
    }
}

/// A message as expressions see it.
struct View<'v> {
    message: &'v Message,
    entries: &'v BTreeMap<String, Arc<str>>,
    is_fault: bool,
}

impl Host for View<'_> {
    fn property(&self, scope: Scope, name: &str) -> Option<Value> {
        self.message.property(scope, name)
    }

    fn get_property(&self, scope: &str, name: &str, format: Option<&str>) -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        match name {
            "" => return text(""),
            "SYSTEM_TIME" => return Some(Value::Text(self.message.now.as_millis().to_string())),
            "SYSTEM_DATE" => return Some(Value::Text(date::format(format.unwrap_or(date::DEFAULT), self.message.now))),
            _ => {}
        }
        match scope {
            "default" | "synapse" => match name {
                "To" => text(self.message.to.as_deref().unwrap_or_default()),
                "From" | "Action" | "FaultTo" | "ReplyTo" | "RelatesTo" => {
                    Some(self.message.property(Scope::Default, &format!("{ADDRESSING}{name}")).unwrap_or_else(|| "".into()))
                }
                "MessageID" => text(&self.message.message_id),
                "FAULT" => text(if self.is_fault { "TRUE" } else { "" }),
                "MESSAGE_FORMAT" => self.message.property(Scope::Default, name).or_else(|| text(self.message.payload.protocol())),
                _ => self.message.property(Scope::Default, name).or_else(|| self.entries.get(name).and_then(|entry| text(entry))),
            },
            "registry" => text(self.entries.get(name).map_or("", |entry| entry)),
            // Nothing is known of the machine that the old product ran on.
            "system" | "env" | "file" => text(""),
            "func" => self.message.property(Scope::Template, name),
            scope => match Scope::named(scope) {
                Some(scope) => self.message.property(scope, name),
                None => text(""),
            },
        }
    }

    fn query(&self, name: &str) -> String {
        let query = self.message.to.as_deref().and_then(|to| to.split_once('?')).map_or("", |(_, query)| query);
        query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
            .unwrap_or_default()
    }
}

/// Where the addressing headers but `To` and `MessageID` are kept.
pub(crate) const ADDRESSING: &str = "tidegate.addressing.";
