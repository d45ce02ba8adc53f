//! `filter`, `switch` and `conditionalRouter`: which mediators run.

use super::evaluator::Evaluator;
use super::loops;
use crate::compile::Work;
use crate::expression::{Expression, Means};
use crate::failure::Failure;
use crate::message::Message;
use crate::pattern::Pattern;
use crate::program::{Action, BlockId};
use crate::xml::Element;

/// One of two ways.
#[derive(Debug)]
pub(crate) struct Filter {
    test: Test,
    pub(crate) then: BlockId,
    pub(crate) otherwise: BlockId,
}

#[derive(Debug)]
enum Test {
    Holds(Expression),
    Matches(Expression, Pattern),
    Holding(Evaluator),
}

/// One of several ways.
#[derive(Debug)]
pub(crate) struct Switch {
    source: Expression,
    pub(crate) cases: Vec<(Pattern, BlockId)>,
    pub(crate) otherwise: BlockId,
}

pub(crate) fn compile_filter(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let test = if let Some(xpath) = element.attribute("xpath") {
        work.expression(element, xpath).map(Test::Holds)
    } else {
        let (source, regex) = (work.needed(element, "source"), work.needed(element, "regex"));
        let (source, regex) = (source?, regex?);
        let source = work.expression(element, source);
        work.pattern(element, regex).and_then(|pattern| source.map(|source| Test::Matches(source, pattern)))
    };
    let part = |name: &str| element.elements().find(|e| e.name == name);
    // Both ways are compiled even if the test is not, so that all obstacles are named at once.
    let (then, otherwise) = match part("then") {
        Some(then) => {
            let then = work.branch(then);
            let otherwise = match part("else") {
                Some(otherwise) => work.branch(otherwise),
                None => Some(work.empty_block()),
            };
            (then, otherwise)
        }
        None => (Some(work.block(element)), Some(work.empty_block())),
    };
    Some(Action::Filter(Filter { test: test?, then: then?, otherwise: otherwise? }))
}

/// Routes are tried in order, each as a filter whose other way is the rest of them.
pub(crate) fn compile_router(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let is = |element: &Element, name: &str, otherwise: bool| {
        element.attribute(name).map_or(otherwise, |value| value.trim().eq_ignore_ascii_case("true"))
    };
    let mut routes = Vec::new();
    let mut whole = true;
    for route in element.elements().filter(|e| e.name == "conditionalRoute") {
        let part = |name: &str| route.elements().find(|e| e.name == name);
        let (Some(condition), Some(target)) = (part("condition"), part("target")) else {
            work.obstacle(route, "", "A route needs a condition and a target.", "Write both.");
            whole = false;
            continue;
        };
        if is(route, "asynchronous", false) {
            work.note(route, "The target runs before the message goes on, though the route is asynchronous.");
        }
        match (Evaluator::of_condition(work, condition), loops::target(work, target)) {
            (Some(condition), Some(target)) => routes.push((route, condition, target, is(route, "breakRoute", true))),
            _ => whole = false,
        }
    }
    if !whole {
        return None;
    }
    let mut rest = work.empty_block();
    for (route, condition, target, breaks) in routes.into_iter().rev() {
        let mut then = vec![("target", Action::Block(target))];
        if !breaks {
            then.push(("conditionalRouter", Action::Block(rest)));
        }
        let then = work.block_of(route, then);
        let filter = Filter { test: Test::Holding(condition), then, otherwise: rest };
        rest = work.block_of(route, vec![("conditionalRoute", Action::Filter(filter))]);
    }
    if is(element, "continueAfter", false) {
        return Some(Action::Block(rest));
    }
    let all = work.block_of(element, vec![("conditionalRouter", Action::Block(rest)), ("conditionalRouter", Action::Drop)]);
    Some(Action::Block(all))
}

pub(crate) fn compile_switch(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let source = work.needed(element, "source").and_then(|source| work.expression(element, source));
    let mut cases = Vec::new();
    let mut whole = true;
    let mut otherwise = None;
    for part in element.elements() {
        match part.name.as_str() {
            "case" => {
                let pattern = work.needed(part, "regex").and_then(|regex| work.pattern(part, regex));
                let block = work.branch(part);
                match (pattern, block) {
                    (Some(pattern), Some(block)) => cases.push((pattern, block)),
                    _ => whole = false,
                }
            }
            "default" => match work.branch(part) {
                Some(block) => otherwise = Some(block),
                None => whole = false,
            },
            _ => {
                work.obstacle(part, "", "This does not belong into a switch.", "Put it into a <case> or <default>.");
                whole = false;
            }
        }
    }
    let otherwise = otherwise.unwrap_or_else(|| work.empty_block());
    let source = source?;
    whole.then_some(Action::Switch(Switch { source, cases, otherwise }))
}

impl Filter {
    pub(crate) fn reads_body(&self) -> bool {
        match &self.test {
            Test::Holds(expression) | Test::Matches(expression, _) => expression.reads_body(),
            Test::Holding(evaluator) => evaluator.reads_body(),
        }
    }

    pub(crate) fn choose(&self, message: &mut Message, means: &mut Means<'_>) -> Result<BlockId, Failure> {
        let holds = match &self.test {
            Test::Holds(expression) => expression.truth(message, means)?,
            Test::Matches(expression, pattern) => match expression.text(message, means)? {
                Some(text) => pattern.matches(&text)?,
                None => false,
            },
            Test::Holding(evaluator) => {
                let address = message.to.clone().unwrap_or_default();
                evaluator.holds(&address, message, means)?
            }
        };
        Ok(if holds { self.then } else { self.otherwise })
    }
}

impl Switch {
    pub(crate) fn reads_body(&self) -> bool {
        self.source.reads_body()
    }

    pub(crate) fn choose(&self, message: &mut Message, means: &mut Means<'_>) -> Result<BlockId, Failure> {
        if let Some(text) = self.source.text(message, means)? {
            for (pattern, block) in &self.cases {
                if pattern.matches(&text)? {
                    return Ok(*block);
                }
            }
        }
        Ok(self.otherwise)
    }
}
