//! `foreach`, `iterate` and `clone`: mediators run over parts or copies of the message.
//!
//! A `foreach` puts what came of each part back in its place. The copies of `iterate` and `clone` run one after the other. They may call,
//! and an `aggregate` that they come to brings the answers together; or be sent off, all at once, and their answers go through the
//! answer sequence.

use crate::compile::Work;
use crate::endpoint::Endpoint;
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
    pub(crate) keeps: Keeps,
    /// The message itself goes on behind it.
    pub(crate) goes_on: bool,
    /// Step of the same block that brings the copies together. They run up to it, and the message goes on behind it.
    pub(crate) gathered_at: Option<usize>,
}

/// What the body of a part's copy is.
#[derive(Debug)]
pub(crate) enum Keeps {
    /// The part alone.
    Part,
    /// The whole without the parts, and the part put in it: at a place, or else in the envelope's body.
    Rest(Option<Expression>),
}

/// `clone`.
#[derive(Debug)]
pub(crate) struct Clones {
    pub(crate) blocks: Vec<BlockId>,
    pub(crate) goes_on: bool,
    /// As [`Loop::gathered_at`].
    pub(crate) gathered_at: Option<usize>,
}

/// What stands somewhere inside; a sequence by name is looked at when the program is run, and what a `call` needs or an `aggregate` makes
/// is no part of a copy.
fn holds<'e>(element: &'e Element, names: &[&str]) -> Option<&'e Element> {
    let inside = element.elements().filter(|inner| !matches!(inner.name.as_str(), "call" | "callout" | "aggregate"));
    inside.into_iter().find_map(|inner| if names.contains(&inner.name.as_str()) { Some(inner) } else { holds(inner, names) })
}

fn check(work: &mut Work<'_>, element: &Element, names: &[&str], reason: &str, suggestion: &str) -> Option<()> {
    let Some(inner) = holds(element, names) else { return Some(()) };
    let name = inner.name.clone();
    work.obstacle(element, &name, reason, suggestion);
    None
}

/// A copy is one of several, and the client waits for one answer.
fn check_copies(work: &mut Work<'_>, element: &Element) -> Option<()> {
    let reason = "A copy of the message answers the client by itself, and the others are to go on.";
    check(work, element, &["respond", "loopback"], reason, "Let the copies <call> or <send>, and answer behind an <aggregate>.")
}

pub(crate) fn compile_foreach(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let reason = "What comes of each part goes back to its place, and is not to be sent.";
    check(work, element, &["send", "respond", "loopback"], reason, "Use <call>, or an <iterate> in place of the <foreach>.")?;
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
    Some(Action::Loop(Loop { over, block: block?, puts_back: true, keeps: Keeps::Part, goes_on: true, gathered_at: None }))
}

/// What a copy runs: a sequence, and where it is sent after that.
pub(crate) fn target(work: &mut Work<'_>, target: &Element) -> Option<BlockId> {
    if let Some(to) = target.attribute("to") {
        work.obstacle(target, to, "The target names an address by 'to'.", "Write an <endpoint> with the address into the target.");
        return None;
    }
    let first = sequence_of(work, target);
    let endpoint = match (target.elements().find(|e| e.name == "endpoint"), target.attribute("endpoint")) {
        (Some(inner), _) => Endpoint::compile(work, target, inner),
        (None, Some(key)) => Endpoint::by_key(work, target, key.trim()),
        (None, None) => return first,
    };
    let (first, endpoint) = (first?, endpoint?);
    Some(work.block_of(target, vec![("sequence", Action::Block(first)), ("send", Action::Send(Some(endpoint)))]))
}

fn sequence_of(work: &mut Work<'_>, target: &Element) -> Option<BlockId> {
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
    check_copies(work, element)?;
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
    let preserves = element.attribute("preservePayload").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
    let keeps = match element.attribute("attachPath").filter(|_| preserves) {
        Some(path) => {
            let attach = work.expression(element, path)?;
            if std::mem::discriminant(&attach) != std::mem::discriminant(&over) || matches!(attach, Expression::Json(_, Some(_))) {
                work.obstacle(
                    element,
                    path,
                    "The attachPath and the expression are of different kinds.",
                    "Write both as XPath, or both as JSON paths.",
                );
                return None;
            }
            Keeps::Rest(Some(attach))
        }
        None if preserves => Keeps::Rest(None),
        None => Keeps::Part,
    };
    Some(Action::Loop(Loop { over, block: block?, puts_back: false, keeps, goes_on: goes_on(element), gathered_at: None }))
}

pub(crate) fn compile_clone(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    check_copies(work, element)?;
    let blocks: Vec<Option<BlockId>> = element.elements().filter(|e| e.name == "target").map(|e| target(work, e)).collect();
    let blocks = blocks.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Action::Clone(Clones { blocks, goes_on: goes_on(element), gathered_at: None }))
}

/// Ties the copies made in a block to the `aggregate` behind them, and names what cannot be brought together.
pub(crate) fn tie(work: &mut Work<'_>, steps: &mut [Step], elements: &[&Element]) {
    for at in 0..steps.len() {
        let (Some(step), Some(element)) = (steps.get(at), elements.get(at)) else { continue };
        let goes_on = match &step.action {
            Action::Loop(looped) => looped.goes_on,
            Action::Clone(clones) => clones.goes_on,
            _ => continue,
        };
        let behind = steps.iter().enumerate().skip(at + 1).find(|(_, step)| matches!(step.action, Action::Aggregate(_))).map(|(at, _)| at);
        let calls = work.reaches(&step.action.blocks(), |action| matches!(action, Action::Call(_)));
        if work.gathers(&step.action.blocks()) {
            work.note(element, "The copies run one after the other: their calls are not made at the same time.");
            continue;
        }
        match behind {
            None if goes_on && work.reaches(&step.action.blocks(), |action| matches!(action, Action::Send(_))) => {
                work.note(element, "The message goes on as well as its copies, and the answers to copies that are sent off are not used.");
            }
            None if calls && !goes_on => {
                let reason = "Copies make calls, and nothing brings the answers together.";
                work.obstacle(
                    element,
                    "",
                    reason,
                    "Write an <aggregate> behind it, or continueParent='true' if the answers do not matter.",
                );
            }
            Some(_) if goes_on && calls && !is_foreach(&step.action) => {
                let reason = "The message goes on to the aggregate as well as its copies.";
                work.obstacle(element, "continueParent", reason, "Take continueParent away: the message goes on behind the <aggregate>.");
            }
            Some(behind) if calls && !goes_on => {
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
