//! `foreach`, `iterate` and `clone`: mediators run over parts or copies of the message.
//!
//! A `foreach` puts what came of each part back in its place. The copies of `iterate` and `clone` were sent each on its own, and
//! `aggregate` brought the answers together; here they run, but cannot leave the gateway, so one whose copies send anything is an obstacle.

use crate::compile::Work;
use crate::expression::Expression;
use crate::program::{Action, BlockId};
use crate::xml::Element;

/// `foreach`, `iterate`.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) over: Expression,
    pub(crate) block: BlockId,
    /// What comes of a part goes back to its place.
    pub(crate) puts_back: bool,
    /// The message itself goes on behind it.
    pub(crate) goes_on: bool,
}

/// `clone`.
#[derive(Debug)]
pub(crate) struct Clones {
    pub(crate) blocks: Vec<BlockId>,
    pub(crate) goes_on: bool,
}

/// Mediators that let a copy leave, or wait for others.
const LEAVING: [&str; 7] = ["send", "call", "callout", "respond", "loopback", "aggregate", "endpoint"];

fn leaves(element: &Element) -> Option<&Element> {
    element.elements().find_map(|inner| {
        let leaves = LEAVING.contains(&inner.name.as_str()) || inner.attribute("endpoint").is_some();
        if leaves { Some(inner) } else { leaves_inside(inner) }
    })
}

fn leaves_inside(element: &Element) -> Option<&Element> {
    // A sequence by name is looked at when the program is run; it cannot leave either.
    leaves(element)
}

fn check(work: &mut Work<'_>, element: &Element) -> Option<()> {
    let attribute = element.elements().find(|t| t.attribute("endpoint").is_some());
    if let Some(inner) = leaves(element).or(attribute) {
        let name = inner.name.clone();
        work.obstacle(
            element,
            &name,
            "Copies of a message are sent, or their answers brought together, which a gateway's sequence does not do here.",
            "Let a backend of your own fan out and aggregate, or make the calls one after the other with <call>.",
        );
        return None;
    }
    Some(())
}

pub(crate) fn compile_foreach(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    check(work, element)?;
    let text = work.needed(element, "expression")?;
    let over = work.expression(element, text);
    let block = match (element.elements().find(|e| e.name == "sequence"), element.attribute("sequence")) {
        (Some(sequence), _) => match sequence.attribute("key") {
            Some(key) => work.by_name(sequence, key.trim()),
            None => Some(work.block(sequence)),
        },
        (None, Some(key)) => work.by_name(element, key.trim()),
        (None, None) => {
            work.obstacle(element, "", "A foreach needs a sequence.", "Write a <sequence> into it.");
            None
        }
    };
    let over = over?;
    if matches!(over, Expression::Json(_, Some(_))) {
        work.obstacle(element, text, "A foreach goes over the body only.", "Name a place in the body.");
        return None;
    }
    Some(Action::Loop(Loop { over, block: block?, puts_back: true, goes_on: true }))
}

fn target(work: &mut Work<'_>, target: &Element) -> Option<BlockId> {
    match (target.elements().find(|e| e.name == "sequence"), target.attribute("sequence")) {
        (Some(sequence), _) => match sequence.attribute("key") {
            Some(key) => work.by_name(sequence, key.trim()),
            None => Some(work.block(sequence)),
        },
        (None, Some(key)) => work.by_name(target, key.trim()),
        (None, None) => Some(work.empty_block()),
    }
}

fn goes_on(element: &Element) -> bool {
    element.attribute("continueParent").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"))
}

pub(crate) fn compile_iterate(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    check(work, element)?;
    let text = work.needed(element, "expression")?;
    let over = work.expression(element, text);
    let block = match element.elements().find(|e| e.name == "target") {
        Some(inner) => target(work, inner),
        None => Some(work.empty_block()),
    };
    let over = over?;
    if matches!(over, Expression::Json(_, Some(_))) {
        work.obstacle(element, text, "An iterate goes over the body only.", "Name a place in the body.");
        return None;
    }
    Some(Action::Loop(Loop { over, block: block?, puts_back: false, goes_on: goes_on(element) }))
}

pub(crate) fn compile_clone(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    check(work, element)?;
    let blocks: Vec<Option<BlockId>> = element.elements().filter(|e| e.name == "target").map(|e| target(work, e)).collect();
    let blocks = blocks.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Action::Clone(Clones { blocks, goes_on: goes_on(element) }))
}
