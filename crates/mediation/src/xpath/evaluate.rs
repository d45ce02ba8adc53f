//! Evaluating: over the envelope and over XML that properties hold, counting every node looked at.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, LazyLock};

use super::found::Found;
use super::{Axis, Calculation, Comparison, Expression, QName, Start, Step, Variable, functions};
use crate::json::Json;
use crate::message::{Scope, Value};
use crate::tree::{Kind, NodeId, Tree};

/// Where variables and properties come from.
pub(crate) trait Host {
    /// A property as `$ctx:x` and its like see it.
    fn property(&self, scope: Scope, name: &str) -> Option<Value>;
    /// `get-property(scope, name, format)`.
    fn get_property(&self, scope: &str, name: &str, format: Option<&str>) -> Option<Value>;
    /// A parameter of the query, decoded; empty when there is none.
    fn query(&self, name: &str) -> String;

    /// A variable of the stylesheet that runs.
    fn bound(&self, _name: &QName) -> Result<Item, Stopped> {
        Err(NO_STYLESHEET)
    }

    /// The node that the stylesheet is at.
    fn current(&self) -> Result<At, Stopped> {
        Err(NO_STYLESHEET)
    }

    /// Nodes of a tree that one of the stylesheet's keys gives for a value.
    fn keyed(&self, _run: &Run<'_>, _key: &str, _value: &str, _tree: u16) -> Result<Vec<At>, Stopped> {
        Err(NO_STYLESHEET)
    }

    /// A number in a decimal format of the stylesheet.
    fn formatted(&self, _number: f64, _pattern: &str, _format: Option<&str>) -> Result<String, Stopped> {
        Err(NO_STYLESHEET)
    }
}

/// Only a stylesheet's own expressions are compiled with what asks for one.
const NO_STYLESHEET: Stopped = Stopped::Wrong("only a stylesheet has this");

/// Why an evaluation did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Too many nodes were visited, or too long a text was made.
    TooMuch,
    /// A value had the wrong kind.
    Wrong(&'static str),
}

/// A node somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct At {
    /// Which tree: 0 is the envelope.
    pub(crate) tree: u16,
    pub(crate) id: NodeId,
    /// One of its attributes.
    pub(crate) attribute: Option<u16>,
}

/// A value on its way.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Nodes(Vec<At>),
    Text(String),
    Number(f64),
    Integer(i64),
    Bool(bool),
    Json(Json),
    Nothing,
}

/// The document of an expression that looks into none, made once: most expressions of a gateway's sequences are such.
static EMPTY: LazyLock<Arc<Tree>> = LazyLock::new(|| Arc::new(Tree::empty()));

pub(super) fn find(expression: &Expression, host: &dyn Host, envelope: Option<&Arc<Tree>>, visits: &mut u64) -> Result<Found, Stopped> {
    let tree = Arc::clone(envelope.unwrap_or(&EMPTY));
    let at = At { tree: 0, id: tree.root().unwrap_or_else(|| tree.document()), attribute: None };
    let run = Run::over(host, tree, *visits);
    let found = run.evaluate(expression, &Context { at, position: 1, size: 1 });
    *visits = run.visits.get();
    Ok(match found? {
        Item::Nodes(nodes) => Found::Nodes(nodes, run.trees.into_inner()),
        Item::Text(text) => Found::Text(text),
        Item::Number(number) => Found::Number(number),
        Item::Integer(number) => Found::Integer(number),
        Item::Bool(truth) => Found::Bool(truth),
        Item::Json(json) => Found::Json(json),
        Item::Nothing => Found::Nothing,
    })
}

/// Expressions being evaluated over some trees, which their values refer to.
pub(crate) struct Run<'a> {
    pub(super) host: &'a dyn Host,
    trees: RefCell<Vec<Arc<Tree>>>,
    /// Document order of each tree, once it was needed.
    orders: RefCell<BTreeMap<u16, Arc<Vec<u32>>>>,
    visits: Cell<u64>,
}

/// Where an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) at: At,
    pub(crate) position: usize,
    pub(crate) size: usize,
}

impl<'a> Run<'a> {
    /// Over one tree, to which others may be added.
    pub(crate) fn over(host: &'a dyn Host, tree: Arc<Tree>, visits: u64) -> Self {
        Self { host, trees: RefCell::new(vec![tree]), orders: RefCell::default(), visits: Cell::new(visits) }
    }

    /// What is left of the visits.
    pub(crate) fn visits(&self) -> u64 {
        self.visits.get()
    }

    /// Takes in a tree; gives its document.
    pub(crate) fn add(&self, tree: Arc<Tree>) -> Result<At, Stopped> {
        let mut trees = self.trees.borrow_mut();
        let number = u16::try_from(trees.len()).map_err(|_| Stopped::TooMuch)?;
        let id = tree.document();
        trees.push(tree);
        Ok(At { tree: number, id, attribute: None })
    }

    /// How many trees there are, for [`Run::forget`].
    pub(crate) fn trees(&self) -> usize {
        self.trees.borrow().len()
    }

    /// Lets go of the trees added since there were this many; no value that refers to them may be used again.
    pub(crate) fn forget(&self, since: usize) {
        self.trees.borrow_mut().truncate(since);
        self.orders.borrow_mut().retain(|tree, _| usize::from(*tree) < since);
    }
}

impl Run<'_> {
    pub(crate) fn pay(&self, cost: usize) -> Result<(), Stopped> {
        self.visits.set(self.visits.get().checked_sub(cost as u64).ok_or(Stopped::TooMuch)?);
        Ok(())
    }

    pub(crate) fn tree(&self, at: At) -> Arc<Tree> {
        // A place is only made with its tree, and none is taken away.
        Arc::clone(self.trees.borrow().get(usize::from(at.tree)).expect("a tree of this evaluation"))
    }

    pub(super) fn evaluate(&self, expression: &Expression, context: &Context) -> Result<Item, Stopped> {
        self.pay(1)?;
        Ok(match expression {
            Expression::Or(a, b) => Item::Bool(truth(&self.evaluate(a, context)?) || truth(&self.evaluate(b, context)?)),
            Expression::And(a, b) => Item::Bool(truth(&self.evaluate(a, context)?) && truth(&self.evaluate(b, context)?)),
            Expression::Compare(a, comparison, b) => {
                let (a, b) = (self.evaluate(a, context)?, self.evaluate(b, context)?);
                Item::Bool(self.compare(&a, *comparison, &b)?)
            }
            Expression::Calculate(a, calculation, b) => {
                let (a, b) = (self.number(&self.evaluate(a, context)?)?, self.number(&self.evaluate(b, context)?)?);
                Item::Number(match calculation {
                    Calculation::Add => a + b,
                    Calculation::Subtract => a - b,
                    Calculation::Multiply => a * b,
                    Calculation::Divide => a / b,
                    Calculation::Remainder => a % b,
                })
            }
            Expression::Negate(a) => Item::Number(-self.number(&self.evaluate(a, context)?)?),
            Expression::Union(a, b) => match (self.evaluate(a, context)?, self.evaluate(b, context)?) {
                (Item::Nodes(mut a), Item::Nodes(b)) => {
                    a.extend(b);
                    Item::Nodes(self.sorted(a)?)
                }
                // A property that is not set is nothing to unite with.
                (Item::Nothing, other) | (other, Item::Nothing) => other,
                _ => return Err(Stopped::Wrong("'|' joins node sets only")),
            },
            Expression::Literal(text) => Item::Text(text.clone()),
            Expression::Number(number) => Item::Number(*number),
            Expression::Variable(variable) => self.variable(variable)?,
            Expression::Call(function, arguments) => functions::call(self, *function, arguments, context)?,
            Expression::Path(start, steps) => self.path(start, steps, context)?,
        })
    }

    fn path(&self, start: &Start, steps: &[Step], context: &Context) -> Result<Item, Stopped> {
        let mut nodes = match start {
            Start::Context => vec![context.at],
            Start::Root => vec![At { id: self.tree(context.at).document(), attribute: None, ..context.at }],
            Start::Of(from, predicates) => match self.evaluate(from, context)? {
                Item::Nodes(nodes) => self.filtered(nodes, predicates)?,
                other if steps.is_empty() && predicates.is_empty() => return Ok(other),
                Item::Nothing => return Ok(Item::Nothing),
                _ => return Err(Stopped::Wrong("a path can only begin at nodes")),
            },
        };
        for step in steps {
            let several = nodes.len() > 1;
            let mut next = Vec::new();
            for node in nodes {
                let found = self.step(step, node)?;
                next.extend(self.filtered(found, &step.predicates)?);
            }
            let backwards = matches!(step.axis, Axis::Ancestor | Axis::AncestorOrSelf | Axis::Preceding | Axis::PrecedingSibling);
            nodes = if several || backwards { self.sorted(next)? } else { next };
        }
        Ok(Item::Nodes(nodes))
    }

    /// In document order, each once.
    pub(crate) fn sorted(&self, mut nodes: Vec<At>) -> Result<Vec<At>, Stopped> {
        if nodes.len() < 2 {
            return Ok(nodes);
        }
        self.pay(nodes.len())?;
        let mut orders = self.orders.borrow_mut();
        for at in &nodes {
            if let Entry::Vacant(vacant) = orders.entry(at.tree) {
                let order = self.tree(*at).order();
                self.pay(order.len())?;
                vacant.insert(Arc::new(order));
            }
        }
        let place = |at: &At| {
            let within = orders.get(&at.tree).and_then(|order| order.get(at.id.place())).copied().unwrap_or(u32::MAX);
            (at.tree, within, at.attribute.map_or(0, |a| u32::from(a) + 1))
        };
        nodes.sort_by_key(place);
        nodes.dedup();
        Ok(nodes)
    }

    pub(super) fn filtered(&self, nodes: Vec<At>, predicates: &[Expression]) -> Result<Vec<At>, Stopped> {
        let mut nodes = nodes;
        for predicate in predicates {
            let size = nodes.len();
            // A lone number is the most common predicate.
            if let Expression::Number(number) = predicate {
                nodes = nodes.into_iter().enumerate().filter(|(i, _)| (i + 1) as f64 == *number).map(|(_, at)| at).collect();
                continue;
            }
            let mut kept = Vec::new();
            for (i, at) in nodes.into_iter().enumerate() {
                let keep = match self.evaluate(predicate, &Context { at, position: i + 1, size })? {
                    Item::Number(number) => (i + 1) as f64 == number,
                    Item::Integer(number) => i64::try_from(i + 1) == Ok(number),
                    other => truth(&other),
                };
                if keep {
                    kept.push(at);
                }
            }
            nodes = kept;
        }
        Ok(nodes)
    }

    /// Makes XML of a property's nodes to walk in.
    fn enter(&self, tree: &Arc<Tree>) -> Result<Vec<At>, Stopped> {
        let document = self.add(Arc::clone(tree))?;
        Ok(tree.children(document.id).iter().map(|id| At { id: *id, ..document }).collect())
    }

    pub(super) fn item(&self, value: Option<Value>) -> Result<Item, Stopped> {
        Ok(match value {
            None => Item::Nothing,
            Some(Value::Text(text)) => Item::Text(text),
            Some(Value::Bool(truth)) => Item::Bool(truth),
            Some(Value::Integer(number)) => Item::Integer(number),
            Some(Value::Double(number)) => Item::Number(number),
            Some(Value::Json(json)) => Item::Json(json),
            Some(Value::Xml(xml)) => Item::Nodes(self.enter(&xml.0)?),
        })
    }

    fn variable(&self, variable: &Variable) -> Result<Item, Stopped> {
        let envelope_child = |name: &str| {
            let tree = self.trees.borrow().first().map(Arc::clone);
            let found = tree.and_then(|tree| if name.is_empty() { tree.root() } else { tree.child(tree.root()?, name) });
            Item::Nodes(found.map(|id| At { tree: 0, id, attribute: None }).into_iter().collect())
        };
        Ok(match variable {
            Variable::Body => envelope_child("Body"),
            Variable::Header => envelope_child("Header"),
            Variable::Envelope => envelope_child(""),
            Variable::Property(scope, name) => self.item(self.host.property(*scope, name))?,
            Variable::Query(name) => Item::Text(self.host.query(name)),
            Variable::Nothing => Item::Text(String::new()),
            Variable::Bound(name) => {
                let value = self.host.bound(name)?;
                self.pay(if let Item::Nodes(nodes) = &value { nodes.len() } else { 1 })?;
                value
            }
        })
    }

    pub(crate) fn text(&self, item: &Item) -> Result<String, Stopped> {
        Ok(match item {
            Item::Nodes(nodes) => nodes.first().map(|at| string_value(&self.tree(*at), *at)).unwrap_or_default(),
            Item::Text(text) => text.clone(),
            Item::Number(number) => number_text(*number),
            Item::Integer(number) => number.to_string(),
            Item::Bool(truth) => truth.to_string(),
            Item::Json(json) => json.bare(),
            Item::Nothing => String::new(),
        })
    }

    pub(crate) fn number(&self, item: &Item) -> Result<f64, Stopped> {
        Ok(match item {
            Item::Number(number) => *number,
            Item::Integer(number) => *number as f64,
            Item::Bool(truth) => f64::from(u8::from(*truth)),
            Item::Nothing => f64::NAN,
            other => text_number(&self.text(other)?),
        })
    }

    fn compare(&self, a: &Item, comparison: Comparison, b: &Item) -> Result<bool, Stopped> {
        match (a, b) {
            // What is not set equals nothing and differs from nothing.
            (Item::Nothing, _) | (_, Item::Nothing) => Ok(false),
            (Item::Nodes(left), Item::Nodes(right)) => {
                let texts = right.iter().map(|at| string_value(&self.tree(*at), *at)).collect::<Vec<_>>();
                self.pay(left.len().saturating_mul(texts.len().max(1)))?;
                for at in left {
                    let text = Item::Text(string_value(&self.tree(*at), *at));
                    for other in &texts {
                        if self.compare_plain(&text, comparison, &Item::Text(other.clone()))? {
                            return Ok(true);
                        }
                    }
                }
                Ok(false)
            }
            (Item::Nodes(nodes), Item::Bool(_)) => self.compare_plain(&Item::Bool(!nodes.is_empty()), comparison, b),
            (Item::Bool(_), Item::Nodes(nodes)) => self.compare_plain(a, comparison, &Item::Bool(!nodes.is_empty())),
            (Item::Nodes(nodes), _) => {
                for at in nodes {
                    self.pay(1)?;
                    if self.compare_plain(&Item::Text(string_value(&self.tree(*at), *at)), comparison, b)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (_, Item::Nodes(nodes)) => {
                for at in nodes {
                    self.pay(1)?;
                    if self.compare_plain(a, comparison, &Item::Text(string_value(&self.tree(*at), *at)))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => self.compare_plain(a, comparison, b),
        }
    }

    fn compare_plain(&self, a: &Item, comparison: Comparison, b: &Item) -> Result<bool, Stopped> {
        if matches!(comparison, Comparison::Equal | Comparison::Unequal) {
            let is_number = |item: &Item| matches!(item, Item::Number(_) | Item::Integer(_));
            let equal = if matches!(a, Item::Bool(_)) || matches!(b, Item::Bool(_)) {
                truth(a) == truth(b)
            } else if is_number(a) || is_number(b) {
                self.number(a)? == self.number(b)?
            } else {
                self.text(a)? == self.text(b)?
            };
            return Ok(equal == (comparison == Comparison::Equal));
        }
        let (a, b) = (self.number(a)?, self.number(b)?);
        Ok(match comparison {
            Comparison::Less => a < b,
            Comparison::AtMost => a <= b,
            Comparison::More => a > b,
            Comparison::AtLeast => a >= b,
            Comparison::Equal | Comparison::Unequal => false,
        })
    }
}

pub(crate) fn truth(item: &Item) -> bool {
    match item {
        Item::Nodes(nodes) => !nodes.is_empty(),
        Item::Text(text) => !text.is_empty(),
        Item::Number(number) => *number != 0.0 && !number.is_nan(),
        Item::Integer(number) => *number != 0,
        Item::Bool(truth) => *truth,
        Item::Json(_) => true,
        Item::Nothing => false,
    }
}

/// Target and words of a processing instruction.
pub(super) fn instruction(text: &str) -> (&str, &str) {
    text.split_once(|c: char| c.is_ascii_whitespace()).map_or((text, ""), |(target, words)| (target, words.trim_start()))
}

pub(crate) fn string_value(tree: &Tree, at: At) -> String {
    match at.attribute {
        Some(number) => {
            tree.tag(at.id).and_then(|tag| tag.attributes.get(usize::from(number))).map(|a| a.value.clone()).unwrap_or_default()
        }
        None => match tree.kind(at.id) {
            Kind::Comment(text) => text.clone(),
            Kind::Instruction(text) => instruction(text).1.to_owned(),
            _ => tree.string_value(at.id),
        },
    }
}

fn text_number(text: &str) -> f64 {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return f64::NAN;
    }
    text.parse().unwrap_or(f64::NAN)
}

/// As `XPath` prints a number: whole ones without a point.
pub(crate) fn number_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if number == 0.0 {
        "0".to_owned()
    } else {
        format!("{number}")
    }
}
