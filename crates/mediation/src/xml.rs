//! A small XML tree with namespaces resolved and line numbers kept; comments and processing instructions are gone.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Longest document read, in bytes.
pub const MAX_XML_BYTES: usize = 1024 * 1024;

/// Most elements in one document.
pub const MAX_ELEMENTS: usize = 20_000;

/// Deepest nesting.
pub const MAX_DEPTH: usize = 100;

/// Most attributes of one element, namespace declarations included.
const MAX_ATTRIBUTES: usize = 100;

/// Most namespace declarations in force at one place.
const MAX_DECLARATIONS: usize = 200;

pub(crate) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// The text is no XML we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct XmlFault {
    /// Line, counted from 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
}

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Namespace; `None` for none.
    pub namespace: Option<Arc<str>>,
    /// Name without prefix.
    pub name: String,
    /// Attributes in the author's order, namespace declarations left out.
    pub attributes: Vec<Attribute>,
    /// Content in order. Neighbouring texts are one, wherever comments or CDATA parted them.
    pub children: Vec<Node>,
    /// Line of the start tag, counted from 1.
    pub line: u32,
    /// Prefixes in force, for expressions in attributes that use them.
    pub(crate) prefixes: Arc<[(String, Arc<str>)]>,
    /// Prefix its name was written with.
    pub(crate) prefix: Option<Arc<str>>,
    /// Prefixes it declares itself.
    pub(crate) declared: Vec<(String, Arc<str>)>,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Namespace; `None` for none, which an attribute without prefix always has.
    pub namespace: Option<Arc<str>>,
    /// Name without prefix.
    pub name: String,
    /// Value.
    pub value: String,
    /// Prefix the name was written with.
    pub(crate) prefix: Option<Arc<str>>,
}

/// A piece of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text.
    Text(String),
}

impl Element {
    /// Child elements in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// Value of an attribute without namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.namespace.is_none() && a.name == name).map(|a| a.value.as_str())
    }
}

/// Reads a document into its root element.
pub(crate) fn read(text: &str) -> Result<Element, XmlFault> {
    let fault = |line, what: &str| XmlFault { line, what: what.to_owned() };
    if text.len() > MAX_XML_BYTES {
        return Err(fault(1, "the document is too long"));
    }
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(text);
    let mut lines = Lines { text, position: 0, line: 1 };
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0_usize;
    loop {
        let line = lines.at(reader.buffer_position());
        let event = reader.read_event().map_err(|e| XmlFault { line, what: e.to_string() })?;
        match event {
            Event::Start(start) | Event::Empty(start) if root.is_some() || elements >= MAX_ELEMENTS || open.len() >= MAX_DEPTH => {
                let what = if root.is_some() { "a second root element" } else { "too many or too deeply nested elements" };
                return Err(XmlFault { line, what: format!("{what}: {}", shortened(start.name().into_inner())) });
            }
            Event::Start(start) => {
                elements += 1;
                open.push(element(&start, line, open.last())?);
            }
            Event::Empty(start) => {
                elements += 1;
                let element = element(&start, line, open.last())?;
                close(element, &mut open, &mut root);
            }
            Event::End(_) => match open.pop() {
                Some(element) => close(element, &mut open, &mut root),
                None => return Err(fault(line, "an end tag without a start tag")),
            },
            Event::Text(content) => add_text(&content.xml10_content(), line, &mut open)?,
            Event::CData(content) => add_text(&content.xml10_content(), line, &mut open)?,
            Event::GeneralRef(reference) => add_text(&resolved(&reference, line)?, line, &mut open)?,
            Event::DocType(_) => return Err(fault(line, "a document type is not allowed")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if let Some(element) = open.last() {
        return Err(XmlFault { line: element.line, what: format!("<{}> is not closed", shortened(&element.name)) });
    }
    root.ok_or_else(|| fault(1, "no element"))
}

/// Counts lines forward, so that the whole document is looked at once.
struct Lines<'a> {
    text: &'a str,
    position: usize,
    line: u32,
}

impl Lines<'_> {
    fn at(&mut self, position: u64) -> u32 {
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        if let Some(passed) = self.text.as_bytes().get(self.position..position) {
            let newlines = passed.iter().filter(|b| **b == b'\n').count();
            self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
            self.position = position;
        }
        self.line
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(Node::Element(element)),
        None => *root = Some(element),
    }
}

fn add_text(text: &str, line: u32, open: &mut [Element]) -> Result<(), XmlFault> {
    let Some(parent) = open.last_mut() else {
        return if text.trim().is_empty() { Ok(()) } else { Err(XmlFault { line, what: "text outside the root element".to_owned() }) };
    };
    match parent.children.last_mut() {
        Some(Node::Text(before)) => before.push_str(text),
        _ => parent.children.push(Node::Text(text.to_owned())),
    }
    Ok(())
}

pub(crate) fn resolved(reference: &BytesRef<'_>, line: u32) -> Result<String, XmlFault> {
    if let Some(c) = reference.resolve_char_ref().map_err(|e| XmlFault { line, what: e.to_string() })? {
        return Ok(c.to_string());
    }
    let name = reference.xml10_content();
    let text = match &*name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return Err(XmlFault { line, what: format!("the entity '{}' is not known", shortened(&name)) }),
    };
    Ok(text.to_owned())
}

fn element(start: &BytesStart<'_>, line: u32, parent: Option<&Element>) -> Result<Element, XmlFault> {
    let fault = |what: String| XmlFault { line, what };
    let mut prefixes = parent.map(|p| Arc::clone(&p.prefixes)).unwrap_or_default();
    let mut plain: Vec<(String, String)> = Vec::new();
    let mut declared_here: Vec<(String, Arc<str>)> = Vec::new();
    let mut count = 0_usize;
    // The reader's own search for doubled attributes compares each with all before it; ours is bounded first.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|e| fault(e.to_string()))?;
        count += 1;
        if count > MAX_ATTRIBUTES {
            return Err(fault("too many attributes".to_owned()));
        }
        let key = attribute.key.into_inner();
        let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).map_err(|e| fault(e.to_string()))?.into_owned();
        let declared = if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") };
        match declared {
            Some(prefix) => {
                prefixes = with_prefix(&prefixes, prefix, &value);
                declared_here.push((prefix.to_owned(), Arc::from(value)));
            }
            None => plain.push((key.to_owned(), value)),
        }
    }
    if prefixes.len() > MAX_DECLARATIONS {
        return Err(fault("too many namespace declarations".to_owned()));
    }
    let resolve = |qualified: &str, default: bool| -> Result<(Option<Arc<str>>, String), XmlFault> {
        let (prefix, name) = qualified.split_once(':').unwrap_or(("", qualified));
        let namespace = match prefix {
            "" if !default => None,
            "xml" => Some(Arc::from(XML_NAMESPACE)),
            prefix => match prefixes.iter().find(|(p, _)| p == prefix) {
                Some((_, uri)) => Some(Arc::clone(uri)).filter(|uri| !uri.is_empty()),
                None if prefix.is_empty() => None,
                None => return Err(fault(format!("the prefix '{}' is not declared", shortened(prefix)))),
            },
        };
        Ok((namespace, name.to_owned()))
    };
    let (namespace, name) = resolve(start.name().into_inner(), true)?;
    let mut attributes: Vec<Attribute> = Vec::with_capacity(plain.len());
    for (key, value) in plain {
        let (namespace, name) = resolve(&key, false)?;
        if attributes.iter().any(|a| a.name == name && a.namespace == namespace) {
            return Err(fault(format!("the attribute '{}' is given twice", shortened(&key))));
        }
        let prefix = key.split_once(':').map(|(prefix, _)| Arc::from(prefix));
        attributes.push(Attribute { namespace, name, value, prefix });
    }
    let prefix = start.name().into_inner().split_once(':').map(|(prefix, _)| Arc::from(prefix));
    Ok(Element { namespace, name, attributes, children: Vec::new(), line, prefixes, prefix, declared: declared_here })
}

fn with_prefix(prefixes: &[(String, Arc<str>)], prefix: &str, uri: &str) -> Arc<[(String, Arc<str>)]> {
    prefixes.iter().filter(|(p, _)| p != prefix).cloned().chain([(prefix.to_owned(), Arc::from(uri))]).collect()
}

pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_lines_and_texts_are_kept() {
        let root = read("<?xml version=\"1.0\"?>\n<!-- c -->\n<s xmlns=\"u:a\" xmlns:b='u:b' x='1' b:y='&lt;2'>\n  <b:t>one<!-- c --> &amp; <![CDATA[<two>]]></b:t>\n</s>\n").unwrap();
        assert_eq!((root.namespace.as_deref(), root.name.as_str(), root.line), (Some("u:a"), "s", 3));
        assert_eq!(root.attribute("x"), Some("1"));
        assert_eq!((root.attributes[1].namespace.as_deref(), root.attributes[1].value.as_str()), (Some("u:b"), "<2"));
        let child = root.elements().next().unwrap();
        assert_eq!((child.namespace.as_deref(), child.line), (Some("u:b"), 4));
        assert_eq!(child.children, [Node::Text("one & <two>".to_owned())]);
    }

    #[test]
    fn a_namespace_can_be_taken_back() {
        let root = read("<a xmlns='u'><b xmlns=''/></a>").unwrap();
        assert_eq!(root.elements().next().unwrap().namespace, None);
    }

    #[test]
    fn document_types_and_unknown_entities_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"xxxxxxxxxx\"><!ENTITY y \"&x;&x;&x;\">]><a>&y;</a>";
        assert!(read(bomb).unwrap_err().what.contains("document type"));
        assert!(read("<a>&x;</a>").unwrap_err().what.contains("entity"));
        assert!(read("<a b='&x;'/>").is_err());
        assert!(read("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>").is_err());
    }

    #[test]
    fn what_is_not_well_formed_is_refused_with_its_line() {
        for bad in [
            "",
            "words",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>words",
            "<a b='1' b='2'/>",
            "<p:a/>",
            "<a p:b='1'/>",
            "<a b=1/>",
            "<a &#0;/>",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("<a>\n\n<b>\n</a>").unwrap_err().line, 4);
    }

    #[test]
    fn bounds_hold() {
        assert!(read(&"<a>".repeat(MAX_DEPTH + 1)).is_err());
        assert!(read(&format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS))).is_err());
        let many: String = (0..=MAX_ATTRIBUTES).map(|i| format!(" a{i}=''")).collect();
        assert!(read(&format!("<a{many}/>")).is_err());
        let nested: String = (0..90).map(|i| format!("<a xmlns:a{i}='u' xmlns:b{i}='u' xmlns:c{i}='u'>")).collect();
        assert!(read(&nested).unwrap_err().what.contains("declarations"));
        assert!(read(&" ".repeat(MAX_XML_BYTES + 1)).is_err());
    }
}
