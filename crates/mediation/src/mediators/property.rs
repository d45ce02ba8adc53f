//! `property` and `propertyGroup`: setting and removing values in a scope.

use std::sync::Arc;

use crate::compile::Work;
use crate::expression::{Expression, Means, Text};
use crate::failure::Failure;
use crate::json::Json;
use crate::message::{Message, Scope, Value, Xml, bounds};
use crate::pattern::Pattern;
use crate::program::Action;
use crate::tree::Tree;
use crate::xml::Element;

/// One property, set or removed.
#[derive(Debug)]
pub(crate) struct SetProperty {
    scope: Scope,
    name: Text,
    /// `None` removes it.
    to: Option<New>,
}

#[derive(Debug)]
enum New {
    Fixed(Value),
    Made { expression: Expression, kind: Type, part: Option<(Pattern, usize)> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Bool,
    Double,
    Integer,
    Xml,
    Json,
}

/// Bytes from which on a text counts as a long one.
const LONG: usize = 4096;

/// Names of axis2 properties that make the sender build the body anew.
const REWRITING: [&str; 3] = ["messageType", "NO_ENTITY_BODY", "ContentType"];

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    one(work, element).map(|property| Action::Property(vec![property]))
}

pub(crate) fn compile_group(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let properties = element.elements().filter(|e| e.name == "property").map(|e| one(work, e)).collect::<Vec<_>>();
    properties.into_iter().collect::<Option<Vec<_>>>().map(Action::Property)
}

fn one(work: &mut Work<'_>, element: &Element) -> Option<SetProperty> {
    let name = work.needed(element, "name")?;
    let name = work.text(element, name)?;
    let scope_name = element.attribute("scope").unwrap_or_default().trim();
    let Some(scope) = Scope::named(scope_name) else {
        match scope_name {
            "registry" => work.obstacle(
                element,
                scope_name,
                "The property writes into the registry, which a gateway cannot do.",
                "Keep the value with the caller, or have a backend store it.",
            ),
            _ => work.obstacle(element, scope_name, "There is no such scope.", "Use default, transport, axis2, axis2-client or operation."),
        }
        return None;
    };
    if element.attribute("action").is_some_and(|action| action.trim() == "remove") {
        return Some(SetProperty { scope, name, to: None });
    }
    let kind = match element.attribute("type").unwrap_or("STRING").trim() {
        "BOOLEAN" => Type::Bool,
        "DOUBLE" | "FLOAT" => Type::Double,
        "INTEGER" | "LONG" | "SHORT" => Type::Integer,
        "OM" => Type::Xml,
        "JSON" => Type::Json,
        "STRING" | "" => Type::Text,
        other => {
            work.obstacle(element, other, "There is no such type of property.", "Use STRING, BOOLEAN, INTEGER, LONG, DOUBLE, OM or JSON.");
            return None;
        }
    };
    let part = match element.attribute("pattern") {
        Some(pattern) => {
            let group = element.attribute("group").and_then(|group| group.trim().parse().ok()).unwrap_or(0);
            Some((work.pattern(element, pattern)?, group))
        }
        None => None,
    };
    // As the old product: a value wins over an expression.
    let to = if let Some(value) = element.attribute("value") {
        match converted(value, kind, 200, &bounds(&crate::Limits::default())).and_then(|value| matched(value, part.as_ref())) {
            Ok(value) => New::Fixed(value),
            Err(_) => {
                work.obstacle(element, value, "The value is not of its type.", "Mend the value or the type.");
                return None;
            }
        }
    } else if let Some(expression) = element.attribute("expression") {
        New::Made { expression: work.expression(element, expression)?, kind, part }
    } else if let Some(inner) = element.elements().next() {
        New::Fixed(Value::Xml(Xml(Arc::new(Tree::from_written(inner)))))
    } else {
        work.obstacle(
            element,
            "",
            "The property has neither a value nor an expression.",
            "Write one; the old product refused the sequence too.",
        );
        return None;
    };
    Some(SetProperty { scope, name, to: Some(to) })
}

fn matched(value: Value, part: Option<&(Pattern, usize)>) -> Result<Value, Failure> {
    match (value, part) {
        // What does not match becomes empty.
        (Value::Text(text), Some((pattern, group))) => Ok(Value::Text(pattern.group(&text, *group)?.unwrap_or_default())),
        (value, _) => Ok(value),
    }
}

fn converted(text: &str, kind: Type, nesting: usize, bounds: &crate::tree::Bounds) -> Result<Value, Failure> {
    let wrong = || Failure {
        detail: crate::xml::shortened(text),
        ..Failure::new("Unknown type for the property mediator or the property value cannot be converted into the specified type.")
    };
    Ok(match kind {
        Type::Text => Value::Text(text.to_owned()),
        // Axis2 knows one word for true, in any case, and 1.
        Type::Bool => Value::Bool(matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "yes" | "1")),
        Type::Double => Value::Double(text.trim().parse().map_err(|_| wrong())?),
        Type::Integer => Value::Integer(text.parse().map_err(|_| wrong())?),
        Type::Xml => Value::Xml(Xml(Arc::new(Tree::read(text, bounds).map_err(|_| wrong())?))),
        Type::Json => Value::Json(Json::parse(text.trim(), nesting).unwrap_or_else(|_| Json::Text(text.to_owned()))),
    })
}

impl SetProperty {
    pub(crate) fn reads_body(&self) -> bool {
        self.name.reads_body() || matches!(&self.to, Some(New::Made { expression, .. }) if expression.reads_body()) || self.retypes()
    }

    /// `messageType` has the body written in another form, for which it has to be read.
    fn retypes(&self) -> bool {
        self.scope == Scope::Axis2 && self.to.is_some() && !matches!(&self.name, Text::Fixed(name) if name != "messageType")
    }

    pub(crate) fn rewrites_body(&self) -> bool {
        self.scope == Scope::Axis2 && !matches!(&self.name, Text::Fixed(name) if !REWRITING.contains(&name.as_str()))
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let name = self.name.text(message, means)?;
        let value = match &self.to {
            None => {
                message.remove_property(self.scope, &name);
                return Ok(());
            }
            Some(New::Fixed(value)) => Some(value.clone()),
            Some(New::Made { expression, kind, part }) => match expression.text(message, means)? {
                Some(text) => Some(matched(converted(&text, *kind, means.limits.nesting, &bounds(means.limits))?, part.as_ref())?),
                None => None,
            },
        };
        // Each text is bounded by itself; many long ones together are too.
        if matches!(&value, Some(Value::Text(text)) if text.len() > LONG)
            && message.properties.bytes() > means.limits.body_bytes.saturating_mul(2)
        {
            return Err(Failure::new("The sequence keeps too much in properties"));
        }
        match value {
            Some(value) => message.set_property(self.scope, &name, value)?,
            // A header without a value was sent empty; elsewhere the property is then not set.
            None if self.scope == Scope::Transport => message.set_property(self.scope, &name, Value::Text(String::new()))?,
            None => message.remove_property(self.scope, &name),
        }
        Ok(())
    }
}
