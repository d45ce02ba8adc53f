//! What an expression found, as sequences make text and truth of it.

use std::sync::Arc;

use super::evaluate::{At, string_value};
use crate::json::Json;
use crate::tree::{Kind, NodeId, Tree};

/// What an expression found.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// Nodes in document order, and the trees they are of; the envelope first.
    Nodes(Vec<At>, Vec<Arc<Tree>>),
    Text(String),
    Number(f64),
    Integer(i64),
    Bool(bool),
    Json(Json),
    /// A property that is not set.
    Nothing,
}

impl Found {
    /// As the old product made text of it: `None` for a property that is not set. A single element gives its own text, or itself as XML
    /// when it has none; several give their XML. A number reads as Java prints a double.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Nodes(nodes, trees) => {
                let mut out = String::new();
                for at in nodes {
                    let Some(tree) = trees.get(usize::from(at.tree)) else { continue };
                    if at.attribute.is_some() {
                        out.push_str(&string_value(tree, *at));
                        continue;
                    }
                    match tree.kind(at.id) {
                        Kind::Element(_) if nodes.len() == 1 => {
                            let own = tree.own_text(at.id);
                            if own.trim().is_empty() { out.push_str(&element_text(tree, at.id)) } else { out.push_str(&own) }
                        }
                        Kind::Element(_) | Kind::Document(_) => out.push_str(&element_text(tree, at.id)),
                        Kind::Text(text) => out.push_str(text),
                        Kind::Comment(_) | Kind::Instruction(_) => {}
                    }
                }
                Some(out)
            }
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(java_double(*number)),
            Self::Integer(number) => Some(number.to_string()),
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Json(json) => Some(json.bare()),
            Self::Nothing => None,
        }
    }

    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Nodes(nodes, _) => !nodes.is_empty(),
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Integer(number) => *number != 0,
            Self::Bool(truth) => *truth,
            Self::Json(_) => true,
            Self::Nothing => false,
        }
    }
}

/// An element as XML that can stand alone.
fn element_text(tree: &Tree, id: NodeId) -> String {
    let cut = tree.cut(&[id]);
    cut.text(cut.document())
}

/// As Java's `Double.toString`.
pub(crate) fn java_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}
