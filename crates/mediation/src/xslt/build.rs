//! The result while it grows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Escaping;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::message::{bounds, fits};
use crate::tree::{Kind, NodeId, Tag, TagAttribute, Tree};

#[derive(Debug)]
pub(super) struct Builder {
    tree: Tree,
    open: Vec<NodeId>,
    /// Texts that are markup.
    raw: BTreeSet<NodeId>,
}

impl Builder {
    pub(super) fn new() -> Self {
        let tree = Tree::empty();
        let open = vec![tree.document()];
        Self { tree, open, raw: BTreeSet::new() }
    }

    fn here(&self) -> NodeId {
        self.open.last().copied().unwrap_or_else(|| self.tree.document())
    }

    /// What a prefix means where the next node will stand.
    pub(super) fn in_force(&self, prefix: &str) -> Option<&str> {
        self.open.iter().rev().filter_map(|id| self.tree.tag(*id)).find_map(|tag| declared(tag, prefix))
    }

    pub(super) fn text(&mut self, text: &str, escaping: Escaping) {
        if text.is_empty() {
            return;
        }
        let here = self.here();
        let last = self.tree.children(here).last().copied();
        match last {
            Some(last) if escaping == Escaping::On && !self.raw.contains(&last) => self.tree.push_text(here, text),
            _ => {
                let id = self.tree.add(Kind::Text(text.to_owned()));
                self.tree.append(here, id);
                if escaping == Escaping::Off {
                    self.raw.insert(id);
                }
            }
        }
    }

    pub(super) fn comment(&mut self, text: &str) {
        // Two strokes would end it.
        let mut text = text.replace("--", "- -").replace("--", "- -");
        if text.ends_with('-') {
            text.push(' ');
        }
        self.leaf(Kind::Comment(text));
    }

    pub(super) fn instruction(&mut self, target: &str, words: &str) {
        let words = words.replace("?>", "? >");
        self.leaf(Kind::Instruction(if words.is_empty() { target.to_owned() } else { format!("{target} {words}") }));
    }

    fn leaf(&mut self, kind: Kind) {
        let here = self.here();
        let id = self.tree.add(kind);
        self.tree.append(here, id);
    }

    /// Begins an element; declarations that already hold are left out.
    pub(super) fn start(&mut self, mut tag: Tag) {
        let own = std::mem::take(&mut tag.declarations);
        tag.declarations = own.into_iter().filter(|(prefix, uri)| self.in_force(prefix) != Some(uri)).collect();
        let here = self.here();
        let id = self.tree.append_tag(here, tag);
        self.open.push(id);
    }

    pub(super) fn end(&mut self) {
        self.open.pop();
    }

    /// Gives the element that was just begun an attribute. One behind its content, or outside any element, is left out, as an XSLT
    /// processor may.
    pub(super) fn attribute(&mut self, mut attribute: TagAttribute) {
        let here = self.here();
        let Some(tag) = self.tree.tag_mut(here).filter(|tag| tag.children.is_empty()) else { return };
        if let Some(there) = tag.attributes.iter_mut().find(|a| a.name == attribute.name && a.namespace == attribute.namespace) {
            there.value = attribute.value;
            return;
        }
        if let (Some(namespace), Some(prefix)) = (&attribute.namespace, &attribute.prefix)
            && declared(tag, prefix).is_some_and(|uri| *uri != **namespace)
        {
            let mut free = (0..).map(|i| format!("ns{i}")).find(|name| declared(tag, name).is_none());
            attribute.prefix = free.take().map(Arc::from);
        }
        tag.attributes.push(attribute);
    }

    /// A copy of a node of another tree with all under it.
    pub(super) fn copy(&mut self, other: &Tree, id: NodeId) {
        let nodes = if matches!(other.kind(id), Kind::Document(_)) { other.children(id).to_vec() } else { vec![id] };
        for id in nodes {
            if let Kind::Text(text) = other.kind(id) {
                self.text(text, Escaping::On);
                continue;
            }
            let copy = self.tree.graft(other, id);
            let here = self.here();
            let inherited: Vec<_> = other
                .parent(id)
                .map(|above| other.scope(above))
                .unwrap_or_default()
                .into_iter()
                .filter(|(prefix, uri)| self.in_force(prefix) != Some(uri))
                .collect();
            if let Some(tag) = self.tree.tag_mut(copy) {
                for (prefix, uri) in inherited {
                    if !tag.declarations.iter().any(|(p, _)| *p == prefix) {
                        tag.declarations.push((prefix, uri));
                    }
                }
            }
            self.tree.append(here, copy);
        }
    }

    /// The whole, with markup in texts made nodes.
    pub(super) fn finish(self, limits: &Limits) -> Result<Tree, Failure> {
        fits(&self.tree, limits)?;
        if self.raw.is_empty() {
            return Ok(self.tree);
        }
        let mut text = String::new();
        self.tree.write_with(&|id| self.raw.contains(&id), &mut text);
        if text.trim_start().starts_with('<') {
            return Tree::read(&text, &bounds(limits)).map_err(|fault| Failure {
                detail: fault.to_string(),
                ..Failure::new("What was written without escaping makes the result no XML")
            });
        }
        Ok(self.tree)
    }

    /// The whole as a part of a stylesheet's own values, where there is no writing and reading again.
    pub(super) fn into_tree(self) -> Tree {
        self.tree
    }
}

/// What a start tag says of a prefix.
fn declared<'t>(tag: &'t Tag, prefix: &str) -> Option<&'t str> {
    let own = tag.prefix.as_deref().unwrap_or_default() == prefix;
    if own {
        return Some(tag.namespace.as_deref().unwrap_or_default());
    }
    let by_attribute = tag.attributes.iter().find(|a| a.prefix.as_deref() == Some(prefix)).and_then(|a| a.namespace.as_deref());
    by_attribute.or_else(|| tag.declarations.iter().find(|(p, _)| **p == *prefix).map(|(_, uri)| &**uri))
}
