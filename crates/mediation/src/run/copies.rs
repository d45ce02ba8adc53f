//! Copies and parts of a message: each runs in the place of its message, so that it can stop at a call as the message itself can.

use std::sync::Arc;
use std::time::Duration;

use super::{Frame, Run, placed};
use crate::expression::{Expression, find};
use crate::failure::Failure;
use crate::json::Json;
use crate::jsonpath::{self, Key};
use crate::mediators::aggregate::{Aggregate, Gathered};
use crate::mediators::loops::{Clones, Loop};
use crate::message::Message;
use crate::program::{Action, BlockId, Program};
use crate::run::End;
use crate::tree::{NodeId, Tree};
use crate::xpath::Found;

pub(super) const COPY_SENT: &str = "A copy of the message cannot be sent";

/// What a step wants run.
#[derive(Debug)]
pub(super) struct Copies {
    left: std::vec::IntoIter<(Part, BlockId)>,
    source: Source,
    puts_back: bool,
    goes_on: bool,
    gathered_at: Option<usize>,
}

/// What the parts are of.
#[derive(Debug)]
enum Source {
    Message,
    Xml(Arc<Tree>),
    Json(Box<Json>),
}

#[derive(Debug, Clone)]
enum Part {
    Whole,
    Element(NodeId),
    Value(Vec<Key>),
}

/// Copies that run, and what waits for them.
#[derive(Debug)]
pub(super) struct UnderWay {
    copies: Copies,
    /// The part that runs.
    part: Part,
    /// The message itself and what of its run is to go on.
    message: Message,
    stack: Vec<Frame>,
    handlers: Vec<BlockId>,
    detached: bool,
    sent: Option<(Box<Message>, End)>,
    /// Frames of all runs further out.
    outside: usize,
    /// When the first copy began.
    since: Duration,
    gathered: Gathered,
}

impl Copies {
    pub(super) fn of(clones: &Clones) -> Self {
        let left: Vec<_> = clones.blocks.iter().map(|block| (Part::Whole, *block)).collect();
        let (goes_on, gathered_at) = (clones.goes_on, clones.gathered_at);
        Self { left: left.into_iter(), source: Source::Message, puts_back: false, goes_on, gathered_at }
    }
}

impl Run {
    /// How much is open, the copies counted with what waits for them.
    pub(super) fn open(&self) -> usize {
        self.stack.len() + self.copies.last().map_or(0, |under_way| under_way.outside)
    }

    /// The parts that a loop goes over.
    pub(super) fn parts(&mut self, looped: &Loop, message: &mut Message) -> Result<Copies, Failure> {
        let (source, parts) = match &looped.over {
            Expression::XPath(path) => {
                let found = self.with_means(|means, _| find(path, message, means))?;
                let (nodes, tree) = match found {
                    Found::Nodes(nodes, trees) => (nodes, trees.into_iter().next()),
                    _ => (Vec::new(), None),
                };
                match tree {
                    None => (Source::Message, Vec::new()),
                    Some(tree) => {
                        let in_body = nodes.iter().filter(|at| at.tree == 0 && at.attribute.is_none() && tree.tag(at.id).is_some());
                        let parts = in_body.map(|at| Part::Element(at.id)).collect();
                        (Source::Xml(tree), parts)
                    }
                }
            }
            Expression::Json(path, _) => match message.payload.json(&self.limits)?.map(std::borrow::Cow::into_owned) {
                None => (Source::Message, Vec::new()),
                Some(root) => {
                    let too_much = |_| Failure::new("The expressions of the sequence looked at too much");
                    let mut places = path.paths(&root, &mut self.visits).map_err(too_much)?;
                    // A path to one array means its items.
                    if let [only] = places.as_slice()
                        && let Some(Json::Array(items)) = jsonpath::at(&root, only)
                    {
                        let inside = |i: usize| only.iter().cloned().chain([Key::Index(i)]).collect();
                        places = (0..items.len()).map(inside).collect();
                    }
                    (Source::Json(Box::new(root)), places.into_iter().map(Part::Value).collect())
                }
            },
        };
        let left: Vec<_> = parts.into_iter().map(|part| (part, looped.block)).collect();
        let (puts_back, goes_on, gathered_at) = (looped.puts_back, looped.goes_on, looped.gathered_at);
        Ok(Copies { left: left.into_iter(), source, puts_back, goes_on, gathered_at })
    }

    /// Puts the first copy in the message's place; `Some` when the run ends instead.
    pub(super) fn begin(&mut self, copies: Copies, message: &mut Message) -> Option<End> {
        let outside = self.open();
        let placeholder = message.without_body();
        self.copies.push(UnderWay {
            copies,
            part: Part::Whole,
            since: message.now,
            message: std::mem::replace(message, placeholder),
            stack: std::mem::take(&mut self.stack),
            handlers: std::mem::take(&mut self.handlers),
            detached: std::mem::take(&mut self.detached),
            sent: self.sent.take(),
            outside,
            gathered: Gathered::default(),
        });
        let begun =
            if outside < self.limits.depth { self.next_copy(message) } else { Err(Failure::new("Sequences are nested too deeply")) };
        self.settled(begun, message)
    }

    /// What follows when a run ended that may be one of a copy; `Some` when it was the message's own.
    pub(super) fn after(&mut self, end: End, message: &mut Message) -> Option<End> {
        if self.copies.is_empty() {
            return Some(end);
        }
        let next = match end {
            End::Fault(fault) => Err(Failure { code: fault.code, message: fault.message, detail: fault.detail }),
            End::Continue | End::Drop => self.put_back(message).and_then(|()| self.next_copy(message)),
            _ => Err(Failure::new(COPY_SENT)),
        };
        self.settled(next, message)
    }

    /// Takes an end of the message itself, or a failure of a copy, further out.
    fn settled(&mut self, next: Result<Option<End>, Failure>, message: &mut Message) -> Option<End> {
        let end = match next {
            Ok(None) => return None,
            Ok(Some(end)) => end,
            Err(failure) => {
                self.restore(message)?;
                let program = Arc::clone(&self.program);
                let fault = match self.last_step(&program) {
                    Some(step) => placed(failure, step),
                    None => crate::Fault { code: failure.code, message: failure.message, detail: failure.detail },
                };
                self.caught(fault, message)?
            }
        };
        self.after(end, message)
    }

    /// Gives the message its place back.
    fn restore(&mut self, message: &mut Message) -> Option<(Copies, Gathered)> {
        let under_way = self.copies.pop()?;
        let now = message.now;
        *message = under_way.message;
        message.now = now;
        (self.stack, self.handlers) = (under_way.stack, under_way.handlers);
        (self.detached, self.sent) = (under_way.detached, under_way.sent);
        Some((under_way.copies, under_way.gathered))
    }

    /// The `aggregate` that waits for the copies that run now.
    fn waits<'p>(&self, program: &'p Program) -> Option<&'p Aggregate> {
        let under_way = self.copies.last()?;
        let step = program.block(under_way.stack.last()?.block)?.steps.get(under_way.copies.gathered_at?)?;
        match &step.action {
            Action::Aggregate(aggregate) => Some(aggregate),
            _ => None,
        }
    }

    /// Puts the next copy in the message's place, or the message itself when none is left; `Some` when that has nothing more to do.
    fn next_copy(&mut self, message: &mut Message) -> Result<Option<End>, Failure> {
        self.steps += 1;
        if self.steps > self.limits.steps {
            return Err(Failure::new("The sequence ran too many mediators"));
        }
        let program = Arc::clone(&self.program);
        let patience = self.waits(&program).and_then(|aggregate| aggregate.patience);
        let Some(under_way) = self.copies.last_mut() else { return Ok(None) };
        let late = patience.is_some_and(|patience| message.now.saturating_sub(under_way.since) >= patience);
        let Some((part, block)) = under_way.copies.left.next().filter(|_| !late) else { return self.all_ran(&program, message) };
        let now = message.now;
        *message = under_way.copy(&part, &self.limits)?;
        message.now = now;
        under_way.part = part;
        self.stack.clear();
        // Copies whose answers are gathered go on behind the step that made them, up to the aggregate.
        if under_way.copies.gathered_at.is_some() {
            self.stack.extend(under_way.stack.last().map(|frame| Frame { template: false, ..*frame }));
        }
        self.stack.push(Frame::at(block));
        self.handlers.clear();
        self.detached = false;
        Ok(None)
    }

    /// The message goes on, as it was or as what was gathered.
    fn all_ran(&mut self, program: &Arc<Program>, message: &mut Message) -> Result<Option<End>, Failure> {
        let aggregate = self.waits(program);
        let Some(under_way) = self.copies.last_mut() else { return Ok(None) };
        let gathered = std::mem::take(&mut under_way.gathered);
        let made = match aggregate {
            Some(aggregate) => self.with_means(|means, _| aggregate.made(gathered, means))?,
            None => None,
        };
        let Some((copies, _)) = self.restore(message) else { return Ok(None) };
        if copies.goes_on {
            return Ok(None);
        }
        let (Some(aggregate), Some(made), Some(behind)) = (aggregate, made, copies.gathered_at) else { return Ok(Some(End::Drop)) };
        let now = message.now;
        *message = made;
        message.now = now;
        if let Some(frame) = self.stack.last_mut() {
            frame.next = behind + 1;
        }
        self.stack.push(Frame::at(aggregate.then));
        Ok(None)
    }

    /// What came of a part goes back to its place.
    fn put_back(&mut self, message: &mut Message) -> Result<(), Failure> {
        let Some(under_way) = self.copies.last_mut().filter(|under_way| under_way.copies.puts_back) else { return Ok(()) };
        let whole = &mut under_way.message.payload;
        match &under_way.part {
            Part::Whole => return Ok(()),
            Part::Element(id) => {
                let envelope = message.payload.xml(&self.limits)?;
                let made = envelope.content().map(|content| envelope.tree.cut(&[content]));
                let tree = whole.xml_mut(&self.limits)?.tree_mut();
                if let (Some(made), Some(parent), Some(place)) = (made, tree.parent(*id), tree.place(*id))
                    && let Some(root) = made.root()
                {
                    let copy = tree.graft(&made, root);
                    tree.insert(parent, place, copy);
                    tree.detach(*id);
                }
            }
            Part::Value(place) => {
                if let Some(made) = message.payload.json(&self.limits)?.map(std::borrow::Cow::into_owned)
                    && let Some(root) = whole.json_mut(&self.limits)?
                    && let Some(there) = jsonpath::at_mut(root, place)
                {
                    *there = made;
                }
            }
        }
        whole.fits(&self.limits)
    }

    /// Takes in what a copy brought, for the `aggregate` that waits for it.
    pub(super) fn gather(&mut self, aggregate: &Aggregate, message: &mut Message) -> Result<(), Failure> {
        let Some(under_way) = self.copies.last_mut().filter(|under_way| under_way.copies.gathered_at.is_some()) else {
            return Err(Failure::new("There is nothing to aggregate"));
        };
        let mut gathered = std::mem::take(&mut under_way.gathered);
        let taken = self.with_means(|means, _| aggregate.take(message, &mut gathered, means));
        if let Some(under_way) = self.copies.last_mut() {
            under_way.gathered = gathered;
        }
        taken
    }
}

impl UnderWay {
    /// The message that runs for a part.
    fn copy(&self, part: &Part, limits: &crate::Limits) -> Result<Message, Failure> {
        // The body is the dear part of a message; a part is made without it.
        let without = || {
            let mut copy = self.message.without_body();
            let content_type = self.message.content_type().map(str::to_owned);
            copy.payload.fix_type(content_type.as_deref());
            copy
        };
        match (part, &self.copies.source) {
            (Part::Element(id), Source::Xml(tree)) => {
                let mut copy = without();
                copy.payload.set_xml(&tree.cut(&[*id]), limits)?;
                Ok(copy)
            }
            (Part::Value(place), Source::Json(root)) => {
                let mut copy = without();
                copy.payload.set_json(jsonpath::at(root, place).cloned().unwrap_or(Json::Null));
                Ok(copy)
            }
            _ => Ok(self.message.clone()),
        }
    }
}
