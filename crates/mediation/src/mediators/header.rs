//! `header`: addressing and SOAP headers, and transport headers.

use std::sync::Arc;

use crate::compile::Work;
use crate::expression::{ADDRESSING, Expression, Means};
use crate::failure::Failure;
use crate::message::{Message, Scope, Value};
use crate::program::Action;
use crate::tree::{NodeId, Tag, Tree};
use crate::xml::Element;

/// One header, set or removed.
#[derive(Debug)]
pub(crate) struct SetHeader {
    which: Which,
    /// `None` removes it.
    to: Option<New>,
}

#[derive(Debug)]
enum Which {
    Transport(String),
    /// One that the old product kept beside the envelope.
    Addressing(String),
    Soap {
        prefix: Option<String>,
        name: String,
        namespace: Option<Arc<str>>,
    },
    /// The headers are written out inside the mediator.
    Written,
}

#[derive(Debug)]
enum New {
    Fixed(String),
    Made(Expression),
    Trees(Vec<Tree>),
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let remove = element.attribute("action").is_some_and(|action| action.trim() == "remove");
    let transport = element.attribute("scope").is_some_and(|scope| scope.trim() == "transport");
    let Some(name) = element.attribute("name").map(str::trim).filter(|name| !name.is_empty()) else {
        let trees: Vec<Tree> = element.elements().map(Tree::from_written).collect();
        if trees.is_empty() || remove || transport {
            work.obstacle(element, "", "The header has no name.", "Write the attribute 'name'.");
            return None;
        }
        return Some(Action::Header(SetHeader { which: Which::Written, to: Some(New::Trees(trees)) }));
    };
    let which = if transport {
        Which::Transport(name.to_owned())
    } else if matches!(name, "To" | "From" | "Action" | "FaultTo" | "ReplyTo" | "RelatesTo") {
        Which::Addressing(name.to_owned())
    } else {
        let (prefix, local) = name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
        let namespace = match prefix {
            None => None,
            Some(prefix) => match element.prefixes.iter().rev().find(|(p, _)| p == prefix) {
                Some((_, uri)) => Some(Arc::clone(uri)),
                None => {
                    work.obstacle(element, name, "The prefix of the header is not declared.", "Declare it.");
                    return None;
                }
            },
        };
        Which::Soap { prefix: prefix.map(str::to_owned), name: local.to_owned(), namespace }
    };
    if remove {
        return Some(Action::Header(SetHeader { which, to: None }));
    }
    let to = if let Some(value) = element.attribute("value") {
        New::Fixed(value.to_owned())
    } else if let Some(expression) = element.attribute("expression") {
        New::Made(work.expression(element, expression)?)
    } else {
        work.obstacle(element, name, "The header has neither a value nor an expression.", "Write one.");
        return None;
    };
    Some(Action::Header(SetHeader { which, to: Some(to) }))
}

impl SetHeader {
    pub(crate) fn reads_body(&self) -> bool {
        self.writes_body() || matches!(&self.to, Some(New::Made(expression)) if expression.reads_body())
    }

    pub(crate) fn writes_body(&self) -> bool {
        matches!(self.which, Which::Soap { .. } | Which::Written)
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let value = match &self.to {
            None => None,
            Some(New::Fixed(value)) => Some(value.clone()),
            Some(New::Made(expression)) => Some(expression.text(message, means)?.unwrap_or_default()),
            Some(New::Trees(trees)) => {
                let envelope = message.payload.xml_mut(means.limits)?;
                if let Some(header) = envelope.make_header() {
                    let tree = envelope.tree_mut();
                    for written in trees {
                        if let Some(root) = written.root() {
                            let copy = tree.graft(written, root);
                            tree.append(header, copy);
                        }
                    }
                }
                return Ok(());
            }
        };
        match (&self.which, value) {
            (Which::Transport(name), Some(value)) => message.set_property(Scope::Transport, name, Value::Text(value))?,
            (Which::Transport(name), None) => message.remove_property(Scope::Transport, name),
            (Which::Addressing(name), value) if name == "To" => message.to = value,
            (Which::Addressing(name), value) => {
                let key = format!("{ADDRESSING}{name}");
                match value {
                    Some(value) => message.properties.set(Scope::Default, key, value),
                    None => message.properties.remove(Scope::Default, &key),
                }
            }
            (Which::Soap { prefix, name, namespace }, Some(value)) => {
                let envelope = message.payload.xml_mut(means.limits)?;
                if let Some(header) = envelope.make_header() {
                    let tree = envelope.tree_mut();
                    let tag = Tag::named(prefix.as_deref(), name, namespace.as_deref());
                    let block = tree.append_tag(header, tag);
                    tree.append_text(block, &value);
                }
                message.payload.fits(means.limits)?;
            }
            (Which::Soap { name, namespace, .. }, None) => {
                let envelope = message.payload.xml_mut(means.limits)?;
                if let Some(header) = envelope.header() {
                    let found: Vec<NodeId> = envelope
                        .tree
                        .elements(header)
                        .filter(|id| envelope.tree.tag(*id).is_some_and(|tag| *tag.name == **name && tag.namespace == *namespace))
                        .collect();
                    let tree = envelope.tree_mut();
                    found.into_iter().for_each(|id| tree.detach(id));
                }
            }
            (Which::Written, _) => {}
        }
        Ok(())
    }
}
