//! The XML of a message: a tree that can be walked in every direction and changed, with prefixes and comments kept so that what a sequence
//! did not touch is written as it was read.
//!
//! Nodes lie in one list and know their parents. What is taken out stays in the list until the tree is dropped; a bound on the list is
//! therefore a bound on the work.

mod read;
mod write;

use std::sync::Arc;

use crate::xml;

pub(crate) use read::Bounds;

/// Place of a node in its tree. One of another tree has no meaning here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// Place in the list, for [`Tree::order`].
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

/// One tree; its root is the document, which holds one element or, for a cut-out, several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    nodes: Vec<Slot>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    parent: Option<NodeId>,
    kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Document(Vec<NodeId>),
    Element(Box<Tag>),
    Text(String),
    Comment(String),
    Instruction(String),
}

/// An element's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tag {
    pub(crate) prefix: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) attributes: Vec<TagAttribute>,
    /// Prefix (empty for the default) and namespace (empty to take the default back).
    pub(crate) declarations: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) children: Vec<NodeId>,
}

/// One attribute of a [`Tag`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagAttribute {
    pub(crate) prefix: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) value: String,
}

impl Tag {
    pub(crate) fn named(prefix: Option<&str>, name: &str, namespace: Option<&str>) -> Self {
        Self { prefix: prefix.map(Arc::from), name: Arc::from(name), namespace: namespace.map(Arc::from), ..Self::default() }
    }
}

impl Tree {
    /// A document without content.
    pub(crate) fn empty() -> Self {
        Self { nodes: vec![Slot { parent: None, kind: Kind::Document(Vec::new()) }] }
    }

    pub(crate) fn document(&self) -> NodeId {
        NodeId(0)
    }

    /// Outermost element.
    pub(crate) fn root(&self) -> Option<NodeId> {
        self.elements(self.document()).next()
    }

    /// How many nodes the tree has had.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many elements lie in each other at most, without recursion: what a sequence made may be deeper than a reader allows.
    pub(crate) fn depth(&self) -> usize {
        let mut deepest = 0;
        let mut open = vec![(self.document(), 0_usize)];
        while let Some((id, depth)) = open.pop() {
            deepest = deepest.max(depth);
            open.extend(self.children(id).iter().map(|child| (*child, depth + 1)));
        }
        deepest
    }

    pub(crate) fn kind(&self, id: NodeId) -> &Kind {
        // A place is only ever made by `add`, and the list never shrinks.
        &self.nodes.get(id.0 as usize).expect("a node of this tree").kind
    }

    pub(crate) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes.get(id.0 as usize).and_then(|slot| slot.parent)
    }

    pub(crate) fn tag(&self, id: NodeId) -> Option<&Tag> {
        match self.kind(id) {
            Kind::Element(tag) => Some(tag),
            _ => None,
        }
    }

    pub(crate) fn tag_mut(&mut self, id: NodeId) -> Option<&mut Tag> {
        match self.nodes.get_mut(id.0 as usize).map(|slot| &mut slot.kind) {
            Some(Kind::Element(tag)) => Some(tag),
            _ => None,
        }
    }

    pub(crate) fn children(&self, id: NodeId) -> &[NodeId] {
        match self.kind(id) {
            Kind::Document(children) => children,
            Kind::Element(tag) => &tag.children,
            Kind::Text(_) | Kind::Comment(_) | Kind::Instruction(_) => &[],
        }
    }

    fn children_mut(&mut self, id: NodeId) -> Option<&mut Vec<NodeId>> {
        match self.nodes.get_mut(id.0 as usize).map(|slot| &mut slot.kind) {
            Some(Kind::Document(children)) => Some(children),
            Some(Kind::Element(tag)) => Some(&mut tag.children),
            _ => None,
        }
    }

    pub(crate) fn elements(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.children(id).iter().copied().filter(|child| self.tag(*child).is_some())
    }

    /// Child element by name, whatever its namespace.
    pub(crate) fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.elements(id).find(|child| self.tag(*child).is_some_and(|tag| *tag.name == *name))
    }

    /// Makes a node that stands nowhere yet.
    pub(crate) fn add(&mut self, kind: Kind) -> NodeId {
        // Bounded long before: a message has at most some hundred thousand nodes.
        let id = NodeId(u32::try_from(self.nodes.len()).expect("a tree has less than four thousand million nodes"));
        self.nodes.push(Slot { parent: None, kind });
        id
    }

    /// Puts a node that stands nowhere under a parent, before the child at `place`; at the end when there are fewer.
    pub(crate) fn insert(&mut self, parent: NodeId, place: usize, child: NodeId) {
        if let Some(children) = self.children_mut(parent) {
            let place = place.min(children.len());
            children.insert(place, child);
            if let Some(slot) = self.nodes.get_mut(child.0 as usize) {
                slot.parent = Some(parent);
            }
        }
    }

    /// Puts a node at the end of a parent.
    pub(crate) fn append(&mut self, parent: NodeId, child: NodeId) {
        self.insert(parent, usize::MAX, child);
    }

    pub(crate) fn append_text(&mut self, parent: NodeId, text: &str) {
        if !text.is_empty() {
            let id = self.add(Kind::Text(text.to_owned()));
            self.append(parent, id);
        }
    }

    /// Puts text at the end of a parent, as one with a text that stands there.
    pub(crate) fn push_text(&mut self, parent: NodeId, words: &str) {
        let last = self.children(parent).last().copied();
        if let Some(last) = last
            && let Some(Kind::Text(before)) = self.nodes.get_mut(last.0 as usize).map(|slot| &mut slot.kind)
        {
            before.push_str(words);
            return;
        }
        self.append_text(parent, words);
    }

    /// Makes an element at the end of a parent.
    pub(crate) fn append_tag(&mut self, parent: NodeId, tag: Tag) -> NodeId {
        let id = self.add(Kind::Element(Box::new(tag)));
        self.append(parent, id);
        id
    }

    /// Place among its siblings.
    pub(crate) fn place(&self, id: NodeId) -> Option<usize> {
        self.children(self.parent(id)?).iter().position(|child| *child == id)
    }

    /// Takes a node, with all under it, from where it stands.
    pub(crate) fn detach(&mut self, id: NodeId) {
        let (Some(parent), Some(place)) = (self.parent(id), self.place(id)) else { return };
        if let Some(children) = self.children_mut(parent) {
            children.remove(place);
        }
        if let Some(slot) = self.nodes.get_mut(id.0 as usize) {
            slot.parent = None;
        }
    }

    /// Takes all children away.
    pub(crate) fn clear(&mut self, id: NodeId) {
        let children = self.children_mut(id).map(std::mem::take).unwrap_or_default();
        for child in children {
            if let Some(slot) = self.nodes.get_mut(child.0 as usize) {
                slot.parent = None;
            }
        }
    }

    /// Copies a node of another tree with all under it; the copy stands nowhere yet. Prefixes that its words may use and that are declared
    /// above it come along. Depth is bounded by the reader.
    pub(crate) fn graft(&mut self, other: &Self, id: NodeId) -> NodeId {
        let copy = self.graft_plain(other, id);
        let inherited = other.parent(id).map(|parent| other.scope(parent)).unwrap_or_default();
        if let Some(tag) = self.tag_mut(copy) {
            for (prefix, uri) in inherited {
                if !prefix.is_empty() && !tag.declarations.iter().any(|(p, _)| *p == prefix) && used_prefix(tag, &prefix) {
                    tag.declarations.push((prefix, uri));
                }
            }
        }
        copy
    }

    fn graft_plain(&mut self, other: &Self, id: NodeId) -> NodeId {
        let kind = other.kind(id).clone();
        let (kind, children) = match kind {
            Kind::Document(children) => (Kind::Document(Vec::new()), children),
            Kind::Element(mut tag) => {
                let children = std::mem::take(&mut tag.children);
                (Kind::Element(tag), children)
            }
            leaf => (leaf, Vec::new()),
        };
        let copy = self.add(kind);
        for child in children {
            let child = self.graft_plain(other, child);
            self.append(copy, child);
        }
        copy
    }

    /// Copies of some nodes as a tree of their own.
    pub(crate) fn cut(&self, ids: &[NodeId]) -> Self {
        let mut tree = Self::empty();
        let document = tree.document();
        for id in ids {
            if matches!(self.kind(*id), Kind::Document(_)) {
                for child in self.children(*id) {
                    let copy = tree.graft(self, *child);
                    tree.append(document, copy);
                }
            } else {
                let copy = tree.graft(self, *id);
                tree.append(document, copy);
            }
        }
        tree
    }

    /// Declarations in force inside an element, the nearest winning.
    pub(crate) fn scope(&self, id: NodeId) -> Vec<(Arc<str>, Arc<str>)> {
        let mut scope: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            if let Some(tag) = self.tag(id) {
                for (prefix, uri) in &tag.declarations {
                    if !scope.iter().any(|(p, _)| p == prefix) {
                        scope.push((Arc::clone(prefix), Arc::clone(uri)));
                    }
                }
            }
            at = self.parent(id);
        }
        scope
    }

    /// Text directly inside an element.
    pub(crate) fn own_text(&self, id: NodeId) -> String {
        self.children(id)
            .iter()
            .filter_map(|child| match self.kind(*child) {
                Kind::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// All text inside, in order: `XPath`'s string-value.
    pub(crate) fn string_value(&self, id: NodeId) -> String {
        let mut out = String::new();
        self.add_string_value(id, &mut out);
        out
    }

    fn add_string_value(&self, id: NodeId, out: &mut String) {
        match self.kind(id) {
            Kind::Text(text) => out.push_str(text),
            Kind::Comment(text) | Kind::Instruction(text) if out.is_empty() && self.parent(id).is_none() => out.push_str(text),
            Kind::Comment(_) | Kind::Instruction(_) => {}
            Kind::Document(children) => children.iter().for_each(|child| self.add_string_value(*child, out)),
            Kind::Element(tag) => tag.children.iter().for_each(|child| self.add_string_value(*child, out)),
        }
    }

    /// Gives an element one text for its content.
    pub(crate) fn set_text(&mut self, id: NodeId, text: &str) {
        self.clear(id);
        self.append_text(id, text);
    }

    /// Order of the nodes in the document, by place in the list; nodes that stand nowhere have none. For sorting what an expression found.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut order = vec![u32::MAX; self.nodes.len()];
        let mut next = 0_u32;
        let mut open = vec![self.document()];
        while let Some(id) = open.pop() {
            if let Some(at) = order.get_mut(id.0 as usize) {
                *at = next;
            }
            next += 1;
            open.extend(self.children(id).iter().rev());
        }
        order
    }

    /// A part of a sequence's own document as message XML. Prefixes come from the document's declarations.
    pub(crate) fn from_written(element: &xml::Element) -> Self {
        let mut tree = Self::empty();
        let document = tree.document();
        tree.append_written(document, element);
        tree
    }

    fn append_written(&mut self, parent: NodeId, element: &xml::Element) {
        let id = self.append_tag(parent, written_tag(element));
        for child in &element.children {
            match child {
                xml::Node::Element(child) => self.append_written(id, child),
                xml::Node::Text(text) => self.append_text(id, text),
            }
        }
    }
}

fn used_prefix(tag: &Tag, prefix: &str) -> bool {
    tag.prefix.as_deref() == Some(prefix)
        || tag
            .attributes
            .iter()
            .any(|a| a.prefix.as_deref() == Some(prefix) || a.value.strip_prefix(prefix).is_some_and(|r| r.starts_with(':')))
}

fn written_tag(element: &xml::Element) -> Tag {
    Tag {
        prefix: element.prefix.clone(),
        name: Arc::from(element.name.as_str()),
        namespace: element.namespace.clone(),
        attributes: element
            .attributes
            .iter()
            .map(|a| TagAttribute {
                prefix: a.prefix.clone(),
                name: Arc::from(a.name.as_str()),
                namespace: a.namespace.clone(),
                value: a.value.clone(),
            })
            .collect(),
        declarations: element.declared.iter().map(|(prefix, uri)| (Arc::from(prefix.as_str()), Arc::clone(uri))).collect(),
        children: Vec::new(),
    }
}
