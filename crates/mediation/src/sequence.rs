//! A sequence as its mediators.

use crate::xml::{self, Element, Node};
use crate::{Attribute, XmlFault};

/// A named list of mediators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// Its name, which counts rather than the file's; `None` for one written inside another mediator.
    pub name: Option<String>,
    /// Name of the sequence that runs when one of its mediators fails.
    pub on_error: Option<String>,
    /// What it does, in order.
    pub mediators: Vec<Mediator>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mediator {
    /// Element's name: `property`, `filter`.
    pub name: String,
    /// Attributes in the author's order.
    pub attributes: Vec<Attribute>,
    /// Line of its start tag, counted from 1.
    pub line: u32,
    /// Lists of mediators it may run.
    pub branches: Vec<Branch>,
    /// Its other child elements, as written (`format`, `args`, `endpoint`, `policy`).
    pub parts: Vec<Element>,
    /// Its own text (a script, for one), without white space around it.
    pub text: String,
}

/// A list of mediators inside a mediator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Element's name: `then`, `else`, `case`, `default`, `target`, …; empty where the mediators stand directly in theirs.
    pub name: String,
    /// Attributes (`regex` of a `case`).
    pub attributes: Vec<Attribute>,
    /// Line.
    pub line: u32,
    /// Mediators in order.
    pub mediators: Vec<Mediator>,
    /// Child elements that are no mediators (the `endpoint` of a `target`).
    pub parts: Vec<Element>,
}

/// The text is no sequence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SequenceFault {
    /// Not XML we read.
    #[error(transparent)]
    Xml(#[from] XmlFault),
    /// XML, but another document.
    #[error("<{0}> is not a sequence")]
    NotASequence(String),
}

/// Mediators whose child elements are mediators themselves.
const HOLDERS: [&str; 3] = ["sequence", "in", "out"];

/// Elements that hold a mediator's branches, by mediator.
const BRANCHES: [(&str, &[&str]); 12] = [
    ("filter", &["then", "else"]),
    ("switch", &["case", "default"]),
    ("clone", &["target"]),
    ("iterate", &["target"]),
    ("aggregate", &["onComplete"]),
    ("foreach", &["sequence"]),
    ("validate", &["on-fail"]),
    ("cache", &["onCacheHit"]),
    ("throttle", &["onReject", "onAccept"]),
    ("entitlementService", &["onReject", "onAccept", "obligations", "advice"]),
    ("conditionalRouter", &["target"]),
    ("router", &["target"]),
];

/// Elements inside a branch that are no mediators.
const PARTS: [&str; 4] = ["endpoint", "completeCondition", "condition", "messageCount"];

/// Reads a sequence document. A namespace other than Synapse's is let pass, since old editors dropped it.
///
/// # Errors
/// [`SequenceFault`].
pub fn parse(document: &str) -> Result<Sequence, SequenceFault> {
    let root = xml::read(document)?;
    if root.name != "sequence" {
        return Err(SequenceFault::NotASequence(root.name.chars().take(80).collect()));
    }
    let own = |name: &str| root.attribute(name).map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned);
    Ok(Sequence { name: own("name"), on_error: own("onError"), mediators: root.elements().filter(|e| !is_note(e)).map(mediator).collect() })
}

/// `description` says something to people only.
fn is_note(element: &Element) -> bool {
    element.name == "description"
}

/// Depth is bounded by the XML reader.
fn mediator(element: &Element) -> Mediator {
    let holders = BRANCHES.iter().find(|(name, _)| *name == element.name).map(|(_, holders)| *holders).unwrap_or_default();
    let (mut branches, mut parts, mut direct) = (Vec::new(), Vec::new(), Vec::new());
    // A filter without `then` holds its mediators directly.
    let holds = HOLDERS.contains(&element.name.as_str()) || element.name == "filter";
    for child in element.elements().filter(|e| !is_note(e)) {
        if holders.contains(&child.name.as_str()) {
            branches.push(branch(child));
        } else if holds {
            direct.push(mediator(child));
        } else {
            parts.push(child.clone());
        }
    }
    if !direct.is_empty() {
        branches.push(Branch { name: String::new(), attributes: Vec::new(), line: element.line, mediators: direct, parts: Vec::new() });
    }
    let text =
        element.children.iter().filter_map(|n| if let Node::Text(text) = n { Some(text.as_str()) } else { None }).collect::<String>();
    Mediator {
        name: element.name.clone(),
        attributes: element.attributes.clone(),
        line: element.line,
        branches,
        parts,
        text: text.trim().to_owned(),
    }
}

fn branch(element: &Element) -> Branch {
    let (parts, mediators): (Vec<&Element>, Vec<&Element>) =
        element.elements().filter(|e| !is_note(e)).partition(|e| PARTS.contains(&e.name.as_str()));
    Branch {
        name: element.name.clone(),
        attributes: element.attributes.clone(),
        line: element.line,
        mediators: mediators.into_iter().map(mediator).collect(),
        parts: parts.into_iter().cloned().collect(),
    }
}

impl Mediator {
    /// Value of an attribute without namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.namespace.is_none() && a.name == name).map(|a| a.value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mediators_branches_and_parts_are_told_apart() {
        let sequence = parse(
            "<sequence name='s' onError='fault' xmlns='http://ws.apache.org/ns/synapse'>
  <description>words</description>
  <property name='a' value='b'/>
  <filter source='x' regex='y'>
    <then><log/></then>
    <else><drop/></else>
  </filter>
  <filter xpath='z'><send/></filter>
  <switch source='q'><case regex='1'><respond/></case><default/></switch>
  <payloadFactory><format><x xmlns=''/></format><args/></payloadFactory>
  <clone><target><sequence><log/></sequence><endpoint/></target></clone>
  <script language='js'>mc.x();</script>
</sequence>",
        )
        .unwrap();
        assert_eq!((sequence.name.as_deref(), sequence.on_error.as_deref()), (Some("s"), Some("fault")));
        let seen: Vec<_> = sequence
            .mediators
            .iter()
            .map(|m| {
                (
                    m.name.as_str(),
                    m.line,
                    m.branches.iter().map(|b| (b.name.as_str(), b.mediators.len())).collect::<Vec<_>>(),
                    m.parts.len(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("property", 3, vec![], 0),
                ("filter", 4, vec![("then", 1), ("else", 1)], 0),
                ("filter", 8, vec![("", 1)], 0),
                ("switch", 9, vec![("case", 1), ("default", 0)], 0),
                ("payloadFactory", 10, vec![], 2),
                ("clone", 11, vec![("target", 1)], 0),
                ("script", 12, vec![], 0),
            ]
        );
        assert_eq!(sequence.mediators[0].attribute("value"), Some("b"));
        assert_eq!(sequence.mediators[6].text, "mc.x();");
    }

    #[test]
    fn other_documents_are_refused() {
        assert_eq!(parse("<api/>"), Err(SequenceFault::NotASequence("api".to_owned())));
        assert!(matches!(parse("<sequence>"), Err(SequenceFault::Xml(_))));
    }
}
