//! Patterns of stylesheets (`match="order/item[@id]"`): whether a node is one that the path would find from somewhere above it.

use std::sync::Arc;

use super::axes::passes;
use super::evaluate::{At, Context, Item, Run, Stopped, truth};
use super::{Axis, Expression, Function, Start, Step, Test, read};
use crate::tree::{Kind, Tree};

/// A compiled pattern: alternatives that `|` parted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MatchPattern {
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Clone, PartialEq)]
struct Alternative {
    start: Start,
    steps: Vec<Step>,
}

impl MatchPattern {
    /// Compiles a text. `prefixes` are those in force where it stands.
    pub(crate) fn compile(text: &str, prefixes: &[(String, Arc<str>)]) -> Result<Self, String> {
        let mut alternatives = Vec::new();
        alternatives_of(read::read(text, prefixes, true)?, &mut alternatives)?;
        Ok(Self { alternatives })
    }

    /// Its alternatives, each as a pattern of its own with the priority it has if none is written.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = (Self, f64)> + '_ {
        self.alternatives.iter().map(|one| (Self { alternatives: vec![one.clone()] }, one.priority()))
    }

    /// Whether a node is meant.
    pub(crate) fn matches(&self, run: &Run<'_>, at: At) -> Result<bool, Stopped> {
        let tree = run.tree(at);
        for alternative in &self.alternatives {
            if alternative.ends(run, &tree, alternative.steps.len(), at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn alternatives_of(expression: Expression, found: &mut Vec<Alternative>) -> Result<(), String> {
    match expression {
        Expression::Union(a, b) => {
            alternatives_of(*a, found)?;
            alternatives_of(*b, found)
        }
        Expression::Path(start, steps) => {
            let of_key = |from: &Expression| matches!(from, Expression::Call(Function::Key | Function::Id, _));
            let starts = match &start {
                Start::Of(from, predicates) => of_key(from) && predicates.is_empty(),
                Start::Context | Start::Root => true,
            };
            if !starts || !steps.iter().all(|step| matches!(step.axis, Axis::Child | Axis::Attribute) || is_any_depth(step)) {
                return Err("a pattern has child and attribute steps only".to_owned());
            }
            found.push(Alternative { start, steps });
            Ok(())
        }
        key @ Expression::Call(Function::Key | Function::Id, _) => {
            found.push(Alternative { start: Start::Of(Box::new(key), Vec::new()), steps: Vec::new() });
            Ok(())
        }
        _ => Err("the pattern is no path".to_owned()),
    }
}

fn is_any_depth(step: &Step) -> bool {
    step.axis == Axis::DescendantOrSelf && step.test == Test::Node && step.predicates.is_empty()
}

impl Alternative {
    fn priority(&self) -> f64 {
        match (&self.start, self.steps.as_slice()) {
            (Start::Context, [Step { test, predicates, .. }]) if predicates.is_empty() => match test {
                Test::Name(..) | Test::Instruction(Some(_)) => 0.0,
                Test::AnyOf(_) => -0.25,
                _ => -0.5,
            },
            (Start::Root, []) => -0.5,
            _ => 0.5,
        }
    }

    /// Whether a node is found after this many steps.
    fn ends(&self, run: &Run<'_>, tree: &Tree, steps: usize, at: At) -> Result<bool, Stopped> {
        let Some(step) = steps.checked_sub(1).and_then(|last| self.steps.get(last)) else {
            return match &self.start {
                Start::Context => Ok(true),
                Start::Root => Ok(at.attribute.is_none() && matches!(tree.kind(at.id), Kind::Document(_))),
                Start::Of(from, _) => match run.evaluate(from, &Context { at, position: 1, size: 1 })? {
                    Item::Nodes(nodes) => Ok(nodes.contains(&at)),
                    _ => Ok(false),
                },
            };
        };
        if is_any_depth(step) {
            let mut above = Some(at);
            while let Some(here) = above {
                run.pay(1)?;
                if self.ends(run, tree, steps - 1, here)? {
                    return Ok(true);
                }
                above = parent(tree, here);
            }
            return Ok(false);
        }
        if at.attribute.is_some() != (step.axis == Axis::Attribute) || !passes(tree, at, &step.test, step.axis) {
            return Ok(false);
        }
        let Some(parent) = parent(tree, at) else { return Ok(false) };
        Ok(self.chosen(run, step, at, parent)? && self.ends(run, tree, steps - 1, parent)?)
    }

    /// Whether a step's predicates hold for a node.
    fn chosen(&self, run: &Run<'_>, step: &Step, at: At, parent: At) -> Result<bool, Stopped> {
        if step.predicates.iter().any(counts) {
            let found = run.step(step, parent)?;
            return Ok(run.filtered(found, &step.predicates)?.contains(&at));
        }
        for predicate in &step.predicates {
            if !truth(&run.evaluate(predicate, &Context { at, position: 1, size: 1 })?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn parent(tree: &Tree, at: At) -> Option<At> {
    if at.attribute.is_some() {
        return Some(At { attribute: None, ..at });
    }
    tree.parent(at.id).map(|id| At { id, ..at })
}

/// Whether a predicate asks for a place among its siblings, or may.
fn counts(predicate: &Expression) -> bool {
    fn asks(expression: &Expression) -> bool {
        match expression {
            Expression::Or(a, b) | Expression::And(a, b) | Expression::Compare(a, _, b) | Expression::Calculate(a, _, b) => {
                asks(a) || asks(b)
            }
            Expression::Union(..) | Expression::Path(..) | Expression::Literal(_) | Expression::Number(_) | Expression::Variable(_) => {
                false
            }
            Expression::Negate(a) => asks(a),
            Expression::Call(function, arguments) => matches!(function, Function::Position | Function::Last) || arguments.iter().any(asks),
        }
    }
    let is_number = match predicate {
        Expression::Number(_) | Expression::Calculate(..) | Expression::Negate(_) | Expression::Variable(_) => true,
        Expression::Call(function, _) => matches!(
            function,
            Function::Count
                | Function::StringLength
                | Function::Number
                | Function::Sum
                | Function::Floor
                | Function::Ceiling
                | Function::Round
                | Function::Position
                | Function::Last
        ),
        _ => false,
    };
    is_number || asks(predicate)
}
