//! `filter` and `switch`: which mediators run.

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
        }
    }

    pub(crate) fn choose(&self, message: &mut Message, means: &mut Means<'_>) -> Result<BlockId, Failure> {
        let holds = match &self.test {
            Test::Holds(expression) => expression.truth(message, means)?,
            Test::Matches(expression, pattern) => match expression.text(message, means)? {
                Some(text) => pattern.matches(&text)?,
                None => false,
            },
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
