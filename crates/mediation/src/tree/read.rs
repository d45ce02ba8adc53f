//! Text as a tree. A document type is refused, so no entity can be defined and none can grow.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Kind, NodeId, Tag, TagAttribute, Tree};
use crate::xml::{self, XmlFault, shortened};

/// How large a document may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) elements: usize,
    pub(crate) nesting: usize,
}

const MAX_ATTRIBUTES: usize = 200;
const MAX_DECLARATIONS: usize = 400;

/// A declaration in force and how deep it was made.
type InForce = Vec<(Arc<str>, Arc<str>, usize)>;

impl Tree {
    /// Reads a document.
    pub(crate) fn read(text: &str, bounds: &Bounds) -> Result<Self, XmlFault> {
        let fault = |what: &str| XmlFault { line: 1, what: what.to_owned() };
        if text.len() > bounds.bytes {
            return Err(fault("the document is too long"));
        }
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = Reader::from_str(text);
        let mut tree = Self::empty();
        let mut open: Vec<NodeId> = vec![tree.document()];
        let mut scope: InForce = Vec::new();
        let mut elements = 0_usize;
        loop {
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let line = || text.as_bytes().get(..at).map_or(1, |passed| 1 + passed.iter().filter(|b| **b == b'\n').count());
            let fault = |what: String| XmlFault { line: u32::try_from(line()).unwrap_or(u32::MAX), what };
            let event = reader.read_event().map_err(|e| fault(e.to_string()))?;
            let parent = open.last().copied().unwrap_or(NodeId(0));
            match event {
                Event::Start(start) => {
                    elements += 1;
                    check(&tree, elements, open.len(), bounds).map_err(fault)?;
                    let tag = tag(&start, open.len(), &mut scope).map_err(fault)?;
                    let id = tree.append_tag(parent, tag);
                    open.push(id);
                }
                Event::Empty(start) => {
                    elements += 1;
                    check_root(&tree, open.len()).map_err(fault)?;
                    check(&tree, elements, open.len(), bounds).map_err(fault)?;
                    let tag = tag(&start, open.len(), &mut scope).map_err(fault)?;
                    tree.append_tag(parent, tag);
                    leave(&mut scope, open.len());
                }
                Event::End(_) => {
                    open.pop();
                    leave(&mut scope, open.len());
                }
                Event::Text(words) => {
                    let words = words.xml10_content();
                    add_text(&mut tree, parent, &words).map_err(fault)?;
                }
                Event::CData(words) => {
                    let words = words.xml10_content();
                    add_text(&mut tree, parent, &words).map_err(fault)?;
                }
                Event::GeneralRef(reference) => {
                    let words = xml::resolved(&reference, 1).map_err(|e| fault(e.what))?;
                    if parent == tree.document() {
                        return Err(fault("text outside the root element".to_owned()));
                    }
                    tree.push_text(parent, &words);
                }
                Event::Comment(words) => {
                    let id = tree.add(Kind::Comment(words.xml10_content().into_owned()));
                    tree.append(parent, id);
                }
                Event::PI(words) => {
                    let id = tree.add(Kind::Instruction(words.into_inner().into_owned()));
                    tree.append(parent, id);
                }
                Event::Decl(_) => {}
                Event::DocType(_) => return Err(fault("a document type is not allowed".to_owned())),
                Event::Eof => break,
            }
            // Comments and instructions count as well: a list of nodes is what has to be bounded.
            if tree.len() > bounds.elements.saturating_mul(4).saturating_add(16) {
                return Err(XmlFault { line: 1, what: "too many nodes".to_owned() });
            }
        }
        if open.len() > 1 {
            return Err(fault("the document ends inside an element"));
        }
        if tree.root().is_none() {
            return Err(fault("no element"));
        }
        Ok(tree)
    }
}

fn leave(scope: &mut InForce, depth: usize) {
    while scope.last().is_some_and(|(_, _, made)| *made >= depth) {
        scope.pop();
    }
}

fn check_root(tree: &Tree, depth: usize) -> Result<(), String> {
    if depth == 1 && tree.root().is_some() { Err("a second root element".to_owned()) } else { Ok(()) }
}

fn check(tree: &Tree, elements: usize, depth: usize, bounds: &Bounds) -> Result<(), String> {
    check_root(tree, depth)?;
    if elements > bounds.elements || depth > bounds.nesting {
        return Err("too many or too deeply nested elements".to_owned());
    }
    Ok(())
}

fn add_text(tree: &mut Tree, parent: NodeId, words: &str) -> Result<(), String> {
    if parent == tree.document() {
        return if words.trim().is_empty() { Ok(()) } else { Err("text outside the root element".to_owned()) };
    }
    tree.push_text(parent, words);
    Ok(())
}

fn tag(start: &BytesStart<'_>, depth: usize, scope: &mut InForce) -> Result<Tag, String> {
    let mut tag = Tag::default();
    let mut plain: Vec<(String, String)> = Vec::new();
    for (count, attribute) in start.attributes().with_checks(false).enumerate() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        if count >= MAX_ATTRIBUTES {
            return Err("too many attributes".to_owned());
        }
        let key = attribute.key.into_inner();
        let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).map_err(|e| e.to_string())?.into_owned();
        match if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") } {
            Some(prefix) => {
                let (prefix, uri): (Arc<str>, Arc<str>) = (Arc::from(prefix), Arc::from(value));
                tag.declarations.push((Arc::clone(&prefix), Arc::clone(&uri)));
                scope.push((prefix, uri, depth));
            }
            None => plain.push((key.to_owned(), value)),
        }
    }
    if scope.len() > MAX_DECLARATIONS {
        return Err("too many namespace declarations".to_owned());
    }
    let resolve = |prefix: Option<&str>| -> Result<Option<Arc<str>>, String> {
        match prefix {
            Some("xml") => Ok(Some(Arc::from(xml::XML_NAMESPACE))),
            prefix => match scope.iter().rev().find(|(p, _, _)| **p == *prefix.unwrap_or("")) {
                Some((_, uri, _)) => Ok(Some(Arc::clone(uri)).filter(|uri| !uri.is_empty())),
                None => prefix.map_or(Ok(None), |prefix| Err(format!("the prefix '{}' is not declared", shortened(prefix)))),
            },
        }
    };
    let split = |name: &str| -> (Option<Arc<str>>, Arc<str>) {
        match name.split_once(':') {
            Some((prefix, name)) => (Some(Arc::from(prefix)), Arc::from(name)),
            None => (None, Arc::from(name)),
        }
    };
    let name = start.name();
    (tag.prefix, tag.name) = split(name.into_inner());
    tag.namespace = resolve(tag.prefix.as_deref())?;
    for (key, value) in plain {
        let (prefix, name) = split(&key);
        let namespace = if prefix.is_some() { resolve(prefix.as_deref())? } else { None };
        if tag.attributes.iter().any(|a| a.name == name && a.namespace == namespace) {
            return Err(format!("the attribute '{}' is given twice", shortened(&key)));
        }
        tag.attributes.push(TagAttribute { prefix, name, namespace, value });
    }
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds { bytes: 100_000, elements: 1000, nesting: 50 }
    }

    #[test]
    fn namespaces_follow_the_nearest_declaration() {
        let tree = Tree::read("<a xmlns='u'><b xmlns='v'/><c/><p:d xmlns:p='w' p:e='1' f='2'/></a>", &bounds()).unwrap();
        let root = tree.root().unwrap();
        let seen: Vec<_> = tree.elements(root).map(|e| tree.tag(e).unwrap().namespace.as_deref()).collect();
        assert_eq!(seen, [Some("v"), Some("u"), Some("w")]);
        let d = tree.tag(tree.elements(root).last().unwrap()).unwrap();
        assert_eq!(d.attributes.iter().map(|a| a.namespace.as_deref()).collect::<Vec<_>>(), [Some("w"), None]);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for bad in [
            "",
            "x",
            "<a>",
            "<a/><b/>",
            "<a/><b></b>",
            "<a>&x;</a>",
            "<!DOCTYPE a><a/>",
            "<p:a/>",
            "<a p:b=''/>",
            "<a b='' b=''/>",
            "<a/>x",
            "<a></b>",
        ] {
            assert!(Tree::read(bad, &bounds()).is_err(), "{bad}");
        }
    }

    #[test]
    fn bounds_hold() {
        assert!(Tree::read(&"<a>".repeat(51), &bounds()).unwrap_err().what.contains("nested"));
        assert!(Tree::read(&format!("<a>{}</a>", "<b/>".repeat(1000)), &bounds()).unwrap_err().what.contains("too many"));
        assert!(Tree::read(&format!("<a>{}</a>", "<!---->".repeat(5000)), &bounds()).unwrap_err().what.contains("nodes"));
        assert!(Tree::read(&format!("<a>{}</a>", " ".repeat(100_000)), &bounds()).unwrap_err().what.contains("long"));
    }
}
