//! Copies and parts of a message: each runs in the place of its message, so that it can stop at a call as the message itself can.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Frame, Run, placed};
use crate::expression::{Expression, find};
use crate::failure::Failure;
use crate::json::Json;
use crate::jsonpath::{self, Key};
use crate::mediators::aggregate::{Aggregate, Gathered};
use crate::mediators::loops::{Clones, Keeps, Loop};
use crate::message::{Message, Payload};
use crate::program::{Action, BlockId, Program, Step};
use crate::run::End;
use crate::tree::{NodeId, Tree};
use crate::xpath::Found;

const COPY_ANSWERS: &str = "A copy of the message cannot answer by itself";

/// What a step wants run.
#[derive(Debug)]
pub(super) struct Copies {
    left: std::vec::IntoIter<(Part, BlockId)>,
    source: Source,
    /// The body without the parts, where it goes along with each.
    rest: Option<Box<Payload>>,
    puts_back: bool,
    goes_on: bool,
    gathered_at: Option<usize>,
}

/// What the parts are of.
#[derive(Debug)]
enum Source {
    Message,
    /// Answers to copies of a request, which go through an answer sequence together.
    Given(VecDeque<Message>),
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
    /// Where the copies met the `aggregate` that brings them together.
    met: Option<Met>,
    /// Given answers that came to the end without meeting one.
    through: Vec<Message>,
    /// Frames of all runs further out.
    outside: usize,
    /// When the first copy began.
    since: Duration,
    gathered: Gathered,
}

/// Where a copy met an `aggregate`.
#[derive(Debug)]
struct Met {
    block: BlockId,
    step: usize,
    /// What the whole goes on with.
    stack: Vec<Frame>,
    detached: bool,
}

impl Copies {
    pub(super) fn given(answers: Vec<Message>, entry: BlockId) -> Self {
        let left: Vec<_> = answers.iter().map(|_| (Part::Whole, entry)).collect();
        Self {
            left: left.into_iter(),
            source: Source::Given(answers.into()),
            rest: None,
            puts_back: false,
            goes_on: false,
            gathered_at: None,
        }
    }

    pub(super) fn of(clones: &Clones) -> Self {
        let left: Vec<_> = clones.blocks.iter().map(|block| (Part::Whole, *block)).collect();
        let (goes_on, gathered_at) = (clones.goes_on, clones.gathered_at);
        Self { left: left.into_iter(), source: Source::Message, rest: None, puts_back: false, goes_on, gathered_at }
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
        let rest = match &looped.keeps {
            Keeps::Rest(_) => Some(Box::new(self.rest(&parts, message)?)),
            Keeps::Part => None,
        };
        let left: Vec<_> = parts.into_iter().map(|part| (part, looped.block)).collect();
        let (puts_back, goes_on, gathered_at) = (looped.puts_back, looped.goes_on, looped.gathered_at);
        Ok(Copies { left: left.into_iter(), source, rest, puts_back, goes_on, gathered_at })
    }

    /// The body without its parts.
    fn rest(&mut self, parts: &[Part], message: &Message) -> Result<Payload, Failure> {
        let mut rest = message.payload.clone();
        // From the end, so that places of array items stay what they are.
        for part in parts.iter().rev() {
            match part {
                Part::Whole => {}
                Part::Element(id) => rest.xml_mut(&self.limits)?.tree_mut().detach(*id),
                Part::Value(place) => {
                    if let Some(root) = rest.json_mut(&self.limits)? {
                        jsonpath::remove(root, place);
                    }
                }
            }
        }
        Ok(rest)
    }

    /// Puts a part into the rest of the body, which `message` has.
    fn attach(&mut self, keeps: &Keeps, part: &Part, message: &mut Message) -> Result<(), Failure> {
        let Keeps::Rest(at) = keeps else { return Ok(()) };
        let Some(under_way) = self.copies.last() else { return Ok(()) };
        match (part, &under_way.copies.source) {
            (Part::Element(id), Source::Xml(tree)) => {
                let cut = tree.cut(&[*id]);
                let place = match at {
                    Some(Expression::XPath(path)) => match self.with_means(|means, _| find(path, message, means))? {
                        Found::Nodes(nodes, _) => nodes.first().filter(|at| at.tree == 0 && at.attribute.is_none()).map(|at| at.id),
                        _ => None,
                    },
                    _ => message.payload.xml(&self.limits)?.body(),
                };
                let tree = message.payload.xml_mut(&self.limits)?.tree_mut();
                if let (Some(place), Some(root)) = (place.filter(|id| tree.tag(*id).is_some()), cut.root()) {
                    let copy = tree.graft(&cut, root);
                    tree.append(place, copy);
                }
            }
            (Part::Value(own), Source::Json(root)) => {
                let value = jsonpath::at(root, own).cloned().unwrap_or(Json::Null);
                let too_much = |_| Failure::new("The expressions of the sequence looked at too much");
                let place = match (at, message.payload.json(&self.limits)?) {
                    (Some(Expression::Json(path, _)), Some(rest)) => {
                        path.paths(&rest, &mut self.visits).map_err(too_much)?.into_iter().next()
                    }
                    _ => None,
                };
                if let Some(root) = message.payload.json_mut(&self.limits)? {
                    match place.and_then(|place| jsonpath::at_mut(root, &place)) {
                        Some(there) => *there = value,
                        None => *root = value,
                    }
                }
            }
            _ => {}
        }
        message.payload.fits(&self.limits)
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
            met: None,
            through: Vec::new(),
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
            End::Continue | End::Drop => self.came_through(end, message).and_then(|()| self.next_copy(message)),
            // The first answer that is sent to the client is the client's.
            End::Respond if self.copies.len() == 1 && self.are_given() => {
                self.copies.clear();
                return Some(End::Respond);
            }
            _ => Err(Failure::new(COPY_ANSWERS)),
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

    /// Whether what runs is a copy, and not one of the answers that go through a sequence together.
    pub(super) fn is_copy(&self) -> bool {
        self.copies.len() > usize::from(self.copies.first().is_some_and(|outermost| matches!(outermost.copies.source, Source::Given(_))))
    }

    fn are_given(&self) -> bool {
        self.copies.last().is_some_and(|under_way| matches!(under_way.copies.source, Source::Given(_)))
    }

    /// What becomes of a copy that came to its end.
    fn came_through(&mut self, end: End, message: &mut Message) -> Result<(), Failure> {
        if !self.are_given() {
            return self.put_back(message);
        }
        if matches!(end, End::Continue) {
            message.close_body(&self.limits)?;
            let came = std::mem::replace(message, message.without_body());
            if let Some(under_way) = self.copies.last_mut() {
                under_way.through.push(came);
            }
        }
        Ok(())
    }

    /// Gives the message its place back.
    fn restore(&mut self, message: &mut Message) -> Option<UnderWay> {
        let mut under_way = self.copies.pop()?;
        let now = message.now;
        *message = std::mem::replace(&mut under_way.message, message.without_body());
        message.now = now;
        (self.stack, self.handlers) = (std::mem::take(&mut under_way.stack), std::mem::take(&mut under_way.handlers));
        (self.detached, self.sent) = (under_way.detached, under_way.sent.take());
        Some(under_way)
    }

    /// The `aggregate` that waits for the copies that run now.
    fn waits<'p>(&self, program: &'p Program) -> Option<&'p Aggregate> {
        let under_way = self.copies.last()?;
        let (block, step) = match &under_way.met {
            Some(met) => (met.block, met.step),
            None => (under_way.stack.last()?.block, under_way.copies.gathered_at?),
        };
        match &program.block(block)?.steps.get(step)?.action {
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
        let loop_step = under_way.stack.last().and_then(|frame| program.block(frame.block)?.steps.get(frame.next.checked_sub(1)?));
        let now = message.now;
        *message = under_way.copy(&part, &self.limits)?;
        message.now = now;
        if matches!(under_way.copies.source, Source::Given(_)) {
            message.open_way();
        }
        if let Some(Step { action: Action::Loop(Loop { keeps, .. }), .. }) = loop_step {
            self.attach(keeps, &part, message)?;
        }
        let Some(under_way) = self.copies.last_mut() else { return Ok(None) };
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
        let Some(under_way) = self.restore(message) else { return Ok(None) };
        if under_way.copies.goes_on {
            return Ok(None);
        }
        if !under_way.through.is_empty() && made.is_none() {
            self.stack.clear();
            return Ok(Some(End::Several(under_way.through)));
        }
        let (Some(aggregate), Some(made), Some(met)) = (aggregate, made, under_way.met) else { return Ok(Some(End::Drop)) };
        let now = message.now;
        *message = made;
        message.now = now;
        if met.detached {
            self.stack = met.stack;
            self.detached = true;
        } else {
            // A copy of one whose answers are brought together behind it ran on in the block of its message.
            if under_way.copies.gathered_at.is_some() {
                self.stack.pop();
            }
            self.stack.extend(met.stack);
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
        let at = self.stack.last().and_then(|frame| Some((frame.block, frame.next.checked_sub(1)?)));
        let (stack, detached) = (self.stack.clone(), self.detached);
        let nothing = || Failure::new("There is nothing to aggregate");
        let under_way = self.copies.last_mut().filter(|under_way| !under_way.copies.puts_back).ok_or_else(nothing)?;
        let (block, step) = at.ok_or_else(nothing)?;
        let met = under_way.met.get_or_insert(Met { block, step, stack, detached });
        if (met.block, met.step) != (block, step) {
            return Err(Failure::new("Copies of a message came to different aggregates"));
        }
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
    fn copy(&mut self, part: &Part, limits: &crate::Limits) -> Result<Message, Failure> {
        if let Source::Given(answers) = &mut self.copies.source {
            return answers.pop_front().ok_or_else(|| Failure::new("An answer is not there"));
        }
        // The body is the dear part of a message; a part is made without it.
        let without = || {
            let mut copy = self.message.without_body();
            let content_type = self.message.content_type().map(str::to_owned);
            copy.payload.fix_type(content_type.as_deref());
            copy
        };
        if let Some(rest) = &self.copies.rest {
            let mut copy = without();
            copy.payload = (**rest).clone();
            return Ok(copy);
        }
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
