//! `aggregate`: one message made of the answers that the copies of an `iterate` or `clone` before it brought.

use std::time::Duration;

use crate::compile::Work;
use crate::expression::{Expression, Means, find};
use crate::failure::Failure;
use crate::json::Json;
use crate::jsonpath::Found as JsonFound;
use crate::message::{Message, Scope, Value, fits, fits_json};
use crate::program::{Action, BlockId};
use crate::tree::Tree;
use crate::xml::Element;
use crate::xpath::Found;

#[derive(Debug)]
pub(crate) struct Aggregate {
    /// What of each answer goes into the whole.
    over: Expression,
    /// Must be the same in all.
    correlate: Option<Expression>,
    /// Answers above this number are left out.
    most: Option<usize>,
    /// No further copy is made once this has passed.
    pub(crate) patience: Option<Duration>,
    /// Property that holds the element around the whole.
    enclosing: Option<String>,
    /// Runs with the whole.
    pub(crate) then: BlockId,
}

/// What was gathered so far.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The first answer, whose headers and properties the whole has.
    first: Option<Box<Message>>,
    count: usize,
    group: Option<String>,
    tree: Option<Tree>,
    items: Vec<Json>,
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let part = |name: &str| element.elements().find(|e| e.name == name);
    let Some(complete) = part("onComplete") else {
        work.obstacle(element, "", "An aggregate needs an onComplete.", "Write an <onComplete> with an expression into it.");
        return None;
    };
    let text = work.needed(complete, "expression")?;
    let over = work.expression(complete, text)?;
    let enclosing = complete.attribute("enclosingElementProperty").map(|name| name.trim().to_owned());
    if matches!((&over, &enclosing), (Expression::Json(..), Some(_))) {
        let reason = "The whole is JSON, and the element around it XML.";
        work.obstacle(complete, text, reason, "Put the array into an object with <payloadFactory> inside onComplete.");
        return None;
    }
    let correlate = match part("correlateOn").and_then(|e| Some((e, e.attribute("expression")?))) {
        Some((inner, text)) => Some(work.expression(inner, text)?),
        None => None,
    };
    let condition = part("completeCondition");
    let seconds = condition.and_then(|e| e.attribute("timeout")).map(str::trim);
    let most = condition.and_then(|e| e.elements().find(|e| e.name == "messageCount")).and_then(|e| e.attribute("max")).map(str::trim);
    let (patience, most) = (whole(work, element, seconds)?, whole(work, element, most)?);
    let then = work.branch(complete)?;
    Some(Action::Aggregate(Aggregate {
        over,
        correlate,
        most: most.and_then(|most| usize::try_from(most).ok()),
        patience: patience.map(Duration::from_secs),
        enclosing,
        then,
    }))
}

/// A number above zero; none, zero and less mean no bound. `None` after an obstacle was noted.
fn whole(work: &mut Work<'_>, element: &Element, text: Option<&str>) -> Option<Option<u64>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Some(None) };
    if let Ok(number) = text.parse::<i64>() {
        return Some(u64::try_from(number).ok().filter(|number| *number > 0));
    }
    work.obstacle(element, text, "The condition is no whole number.", "Write a number; one made while the message runs is not read.");
    None
}

impl Aggregate {
    /// Takes in one answer.
    pub(crate) fn take(&self, message: &mut Message, gathered: &mut Gathered, means: &mut Means<'_>) -> Result<(), Failure> {
        if self.most.is_some_and(|most| gathered.count >= most) {
            return Ok(());
        }
        if let Some(correlate) = &self.correlate {
            let group = correlate.text(message, means)?.unwrap_or_default();
            if gathered.group.get_or_insert_with(|| group.clone()) != &group {
                return Err(Failure::new("The answers to be aggregated do not belong together"));
            }
        }
        match &self.over {
            Expression::XPath(path) => {
                let Found::Nodes(nodes, trees) = find(path, message, means)? else {
                    return Err(Failure::new("The expression of an aggregate found no elements"));
                };
                let whole = gathered.tree.get_or_insert_with(Tree::empty);
                let document = whole.document();
                for at in nodes.iter().filter(|at| at.attribute.is_none()) {
                    let Some(tree) = trees.get(usize::from(at.tree)).filter(|tree| tree.tag(at.id).is_some()) else { continue };
                    let copy = whole.graft(tree, at.id);
                    whole.append(document, copy);
                    fits(whole, means.limits)?;
                }
            }
            Expression::Json(path, property) => {
                let json = match property {
                    Some((scope, name)) => match message.property(*scope, name) {
                        Some(Value::Json(json)) => Some(json),
                        _ => None,
                    },
                    None => message.payload.json(means.limits)?.map(std::borrow::Cow::into_owned),
                };
                let Some(json) = json else { return Err(Failure::new("The expression of an aggregate found no JSON")) };
                match path.find(&json, means.visits).map_err(|_| Failure::new("The expressions of the sequence looked at too much"))? {
                    JsonFound::One(one) => gathered.items.push(one),
                    JsonFound::Many(many) => gathered.items.extend(many),
                    JsonFound::Nothing => {}
                }
                // Weighed as it grows, so that many large answers are not held first.
                let items = Json::Array(std::mem::take(&mut gathered.items));
                fits_json(&items, means.limits)?;
                let Json::Array(items) = items else { return Ok(()) };
                gathered.items = items;
            }
        }
        gathered.count += 1;
        if gathered.first.is_none() {
            let mut first = message.without_body();
            first.payload = message.payload.clone();
            gathered.first = Some(Box::new(first));
        }
        Ok(())
    }

    /// The whole; `None` when nothing came.
    pub(crate) fn made(&self, gathered: Gathered, means: &mut Means<'_>) -> Result<Option<Message>, Failure> {
        let Some(mut message) = gathered.first.map(|first| *first) else { return Ok(None) };
        let Some(mut whole) = gathered.tree else {
            message.payload.set_json(Json::Array(gathered.items));
            return Ok(Some(message));
        };
        if let Some(name) = &self.enclosing {
            let around = match message.property(Scope::Default, name) {
                Some(Value::Xml(xml)) => Some((*xml.0).clone()),
                Some(other) => Tree::read(&other.to_string(), &crate::message::bounds(means.limits)).ok(),
                None => None,
            };
            let root = around.as_ref().and_then(Tree::root);
            let (Some(mut around), Some(root)) = (around, root) else {
                return Err(Failure {
                    detail: name.clone(),
                    ..Failure::new("The property for the element around an aggregate holds no element")
                });
            };
            for id in whole.elements(whole.document()).collect::<Vec<_>>() {
                let copy = around.graft(&whole, id);
                around.append(root, copy);
            }
            whole = around;
        }
        message.payload.set_many(&whole, means.limits)?;
        message.payload.fits(means.limits)?;
        Ok(Some(message))
    }
}
