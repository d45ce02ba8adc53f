//! Steps: where an axis leads from a node, and which of the nodes there pass.

use super::evaluate::{At, Run, Stopped, instruction};
use super::{Axis, Step, Test};
use crate::tree::{Kind, NodeId, Tree};

impl Run<'_> {
    pub(super) fn step(&self, step: &Step, from: At) -> Result<Vec<At>, Stopped> {
        let tree = self.tree(from);
        let tree = &*tree;
        let here = |id: NodeId| At { tree: from.tree, id, attribute: None };
        let mut out = Vec::new();
        let mut add = |at: At| -> Result<(), Stopped> {
            self.pay(1)?;
            if passes(tree, at, &step.test, step.axis) {
                out.push(at);
            }
            Ok(())
        };
        // An attribute has a parent and itself, nothing else.
        if from.attribute.is_some() {
            match step.axis {
                Axis::Itself | Axis::DescendantOrSelf => add(from)?,
                Axis::Parent => add(here(from.id))?,
                Axis::Ancestor | Axis::AncestorOrSelf => {
                    if step.axis == Axis::AncestorOrSelf {
                        add(from)?;
                    }
                    let mut at = Some(from.id);
                    while let Some(id) = at {
                        add(here(id))?;
                        at = tree.parent(id);
                    }
                }
                _ => {}
            }
            return Ok(out);
        }
        match step.axis {
            Axis::Itself => add(from)?,
            Axis::Child => tree.children(from.id).iter().try_for_each(|id| add(here(*id)))?,
            Axis::Attribute => {
                let count = tree.tag(from.id).map_or(0, |tag| tag.attributes.len());
                for i in 0..count {
                    add(At { attribute: u16::try_from(i).ok(), ..from })?;
                }
            }
            Axis::Parent => tree.parent(from.id).map_or(Ok(()), |id| add(here(id)))?,
            Axis::Ancestor | Axis::AncestorOrSelf => {
                let mut at = if step.axis == Axis::Ancestor { tree.parent(from.id) } else { Some(from.id) };
                while let Some(id) = at {
                    add(here(id))?;
                    at = tree.parent(id);
                }
            }
            Axis::Descendant => within(tree, from.id, &mut |id| if id == from.id { Ok(()) } else { add(here(id)) })?,
            Axis::DescendantOrSelf => within(tree, from.id, &mut |id| add(here(id)))?,
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                let siblings = tree.parent(from.id).map(|parent| tree.children(parent)).unwrap_or_default();
                let place = siblings.iter().position(|id| *id == from.id).unwrap_or(0);
                self.pay(place)?;
                if step.axis == Axis::FollowingSibling {
                    siblings.iter().skip(place + 1).try_for_each(|id| add(here(*id)))?;
                } else {
                    siblings.iter().take(place).rev().try_for_each(|id| add(here(*id)))?;
                }
            }
            Axis::Following => {
                let mut at = from.id;
                while let Some(parent) = tree.parent(at) {
                    let siblings = tree.children(parent);
                    let place = siblings.iter().position(|id| *id == at).unwrap_or(0);
                    self.pay(place)?;
                    for sibling in siblings.iter().skip(place + 1) {
                        within(tree, *sibling, &mut |id| add(here(id)))?;
                    }
                    at = parent;
                }
            }
            Axis::Preceding => {
                let mut at = from.id;
                while let Some(parent) = tree.parent(at) {
                    let siblings = tree.children(parent);
                    let place = siblings.iter().position(|id| *id == at).unwrap_or(0);
                    self.pay(place)?;
                    for sibling in siblings.iter().take(place).rev() {
                        let mut inner = Vec::new();
                        within(tree, *sibling, &mut |id| {
                            self.pay(1)?;
                            inner.push(id);
                            Ok(())
                        })?;
                        inner.into_iter().rev().try_for_each(|id| add(here(id)))?;
                    }
                    at = parent;
                }
            }
        }
        Ok(out)
    }
}

/// A node and all under it, in document order. Depth is bounded by the reader.
fn within(tree: &Tree, id: NodeId, see: &mut dyn FnMut(NodeId) -> Result<(), Stopped>) -> Result<(), Stopped> {
    see(id)?;
    tree.children(id).iter().try_for_each(|child| within(tree, *child, see))
}

pub(super) fn passes(tree: &Tree, at: At, test: &Test, axis: Axis) -> bool {
    if let Some(number) = at.attribute {
        let Some(attribute) = tree.tag(at.id).and_then(|tag| tag.attributes.get(usize::from(number))) else { return false };
        // Only the attribute axis has attributes for its principal kind.
        return match test {
            Test::Node => true,
            Test::Any => axis == Axis::Attribute,
            Test::AnyOf(uri) => axis == Axis::Attribute && attribute.namespace.as_ref() == Some(uri),
            Test::Name(namespace, name) => axis == Axis::Attribute && attribute.name == *name && attribute.namespace == *namespace,
            Test::Text | Test::Comment | Test::Instruction(_) => false,
        };
    }
    match (test, tree.kind(at.id)) {
        (Test::Node, _) | (Test::Text, Kind::Text(_)) | (Test::Comment, Kind::Comment(_)) => true,
        (Test::Instruction(wanted), Kind::Instruction(text)) => wanted.as_deref().is_none_or(|wanted| wanted == instruction(text).0),
        (Test::Any, Kind::Element(_)) => true,
        (Test::AnyOf(uri), Kind::Element(tag)) => tag.namespace.as_ref() == Some(uri),
        (Test::Name(namespace, name), Kind::Element(tag)) => tag.name == *name && tag.namespace == *namespace,
        _ => false,
    }
}
