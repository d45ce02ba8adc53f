//! `foreach`, `iterate` and `clone`: mediators run over parts or copies of the message.
//!
//! A `foreach` puts what came of each part back in its place. The copies of `iterate` and `clone` run one after the other; they may call,
//! and an `aggregate` behind them in the same sequence brings the answers together. One whose copies are sent off is an obstacle.

use crate::compile::Work;
use crate::expression::Expression;
use crate::program::{Action, BlockId, Step};
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
    /// Step of the same block that brings the copies together. They run up to it, and the message goes on behind it.
    pub(crate) gathered_at: Option<usize>,
}

/// `clone`.
#[derive(Debug)]
pub(crate) struct Clones {
    pub(crate) blocks: Vec<BlockId>,
    pub(crate) goes_on: bool,
    /// As [`Loop::gathered_at`].
    pub(crate) gathered_at: Option<usize>,
}

/// Mediators that let a copy leave for good.
const LEAVING: [&str; 4] = ["send", "respond", "loopback", "endpoint"];

/// What sends a copy away. What a call needs is inside it, and its answer comes back; a sequence by name is looked at when the program is run.
fn leaves(element: &Element) -> Option<&Element> {
    element.elements().filter(|inner| !matches!(inner.name.as_str(), "call" | "callout")).find_map(|inner| {
        let gone = LEAVING.contains(&inner.name.as_str()) || inner.attribute("endpoint").is_some();
        if gone { Some(inner) } else { leaves(inner) }
    })
}

fn check(work: &mut Work<'_>, element: &Element) -> Option<()> {
    if let Some(inner) = leaves(element) {
        let name = inner.name.clone();
        work.obstacle(
            element,
            &name,
            "Copies of a message are sent off, and their answers come one by one to the answer sequence, which does not run here.",
            "Use <call> in place of <send>, and write the <aggregate> behind the copies in the same sequence.",
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
    Some(Action::Loop(Loop { over, block: block?, puts_back: true, goes_on: true, gathered_at: None }))
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
    if element.attribute("preservePayload").is_some_and(|v| v.trim().eq_ignore_ascii_case("true")) {
        let reason = "The rest of the body is to go along with each part.";
        work.obstacle(element, "preservePayload", reason, "Keep the body in a property with <enrich> and build each part's body from it.");
        return None;
    }
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
    Some(Action::Loop(Loop { over, block: block?, puts_back: false, goes_on: goes_on(element), gathered_at: None }))
}

pub(crate) fn compile_clone(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    check(work, element)?;
    let blocks: Vec<Option<BlockId>> = element.elements().filter(|e| e.name == "target").map(|e| target(work, e)).collect();
    let blocks = blocks.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Action::Clone(Clones { blocks, goes_on: goes_on(element), gathered_at: None }))
}

/// Ties the copies made in a block to the `aggregate` behind them, and names what cannot be brought together.
pub(crate) fn tie(work: &mut Work<'_>, steps: &mut [Step], elements: &[&Element]) {
    let mut tied = Vec::new();
    for at in 0..steps.len() {
        let (Some(step), Some(element)) = (steps.get(at), elements.get(at)) else { continue };
        let goes_on = match &step.action {
            Action::Loop(looped) => looped.goes_on,
            Action::Clone(clones) => clones.goes_on,
            Action::Aggregate(_) if !tied.contains(&at) => {
                let reason = "There are no copies in this sequence whose answers it could bring together.";
                let suggestion = "Write it behind the <iterate> or <clone>, in the same sequence, and let the copies <call>.";
                work.obstacle(element, "", reason, suggestion);
                continue;
            }
            _ => continue,
        };
        let behind = steps.iter().enumerate().skip(at + 1).find(|(_, step)| matches!(step.action, Action::Aggregate(_))).map(|(at, _)| at);
        let calls = work.calls(&step.action.blocks());
        match behind {
            None if calls && !goes_on => {
                let reason = "Copies make calls, and nothing brings the answers together.";
                work.obstacle(
                    element,
                    "",
                    reason,
                    "Write an <aggregate> behind it, or continueParent='true' if the answers do not matter.",
                );
            }
            Some(behind) if goes_on && calls && !is_foreach(&step.action) => {
                tied.push(behind);
                let reason = "The message goes on to the aggregate as well as its copies.";
                work.obstacle(element, "continueParent", reason, "Take continueParent away: the message goes on behind the <aggregate>.");
            }
            Some(behind) if calls && !goes_on => {
                tied.push(behind);
                work.note(element, "The copies run one after the other: their calls are not made at the same time.");
                match steps.get_mut(at).map(|step| &mut step.action) {
                    Some(Action::Loop(looped)) => looped.gathered_at = Some(behind),
                    Some(Action::Clone(clones)) => clones.gathered_at = Some(behind),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn is_foreach(action: &Action) -> bool {
    matches!(action, Action::Loop(Loop { puts_back: true, .. }))
}
