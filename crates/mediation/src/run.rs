//! Running a program over a message: a stack of blocks and places in them, so that a run can stop at an outside call and go on with the
//! answer.

mod copies;

use std::sync::Arc;

use bytes::Bytes;
use copies::{Copies, UnderWay};

use crate::endpoint::{Endpoint, Target, absolute_to};
use crate::expression::Means;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::log::{Log, LogLine};
use crate::mediators::cache::{self, Cache, Outcome};
use crate::mediators::call;
use crate::mediators::throttle::Verdict;
use crate::message::{Direction, Fault, Headers, Message};
use crate::program::{Action, BlockId, Program, Step};

/// What came of a run, or of the part of it up to a call.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// What its `log` mediators said, in order, for the gateway's log. Credentials are masked.
    pub log: Vec<LogLine>,
}

/// How a run ended. In every case but [`End::Call`] the message is as it is to be sent.
#[derive(Debug)]
pub enum End {
    /// Through to its end: the message goes its way (request: on to the next sequence and the backend; answer: on to the client).
    Continue,
    /// The message is the answer; nothing else is to run but what adds headers to every answer. Without [`Message::status`] it is 200.
    Respond,
    /// The message is a request to this place instead of the API's backend; its answer goes through the answer sequences.
    Send(Target),
    /// A request with `<send/>` and no address of its own: to the API's backend at once, later sequences are not run.
    SendToBackend,
    /// Nothing more happens. A client that waits gets 202 without body, as the old product did.
    Drop,
    /// The request skips the backend and goes to the answer sequences as it stands.
    Loopback,
    /// An outside call has to be made first. Make it, then [`Suspended::resume`].
    Call(Box<Call>),
    /// A mediator failed and no `onError` was there: run the API's fault sequence. [`Message::set_fault`] is done.
    Fault(Fault),
    /// Of [`Program::gather`] only: nothing brought the answers together, and these came through to the end, the first first.
    Several(Vec<Message>),
}

/// A copy of the message that was sent off.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What to send.
    pub request: CallRequest,
    /// The copy without its body, for the answer to become: [`Message::begin_answer`].
    pub message: Message,
    /// Its answer matters to somebody; one that was sent `OUT_ONLY` is thrown away.
    pub awaited: bool,
}

/// An outside call.
#[derive(Debug)]
pub struct Call {
    /// What to send.
    pub request: CallRequest,
    /// What waits for the answer.
    pub resume: Suspended,
}

/// A request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// Where to; `None` is the API's own backend.
    pub target: Option<Target>,
    /// Path below the API's own backend, query included, where that is meant.
    pub postfix: String,
    /// Verb.
    pub method: String,
    /// Headers, `Content-Type` included; `Host`, `Content-Length` and hop headers are the sender's business.
    pub headers: Headers,
    /// Body; `None` when none.
    pub body: Option<Bytes>,
}

/// What a call answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Headers,
    /// Body, whole; one longer than [`Limits::body_bytes`] is a fault.
    pub body: Bytes,
}

/// A run that waits for an answer. Dropping it ends the run.
#[derive(Debug)]
pub struct Suspended {
    run: Run,
}

impl Suspended {
    /// Goes on with the answer, which becomes the message's body and headers; or with what kept the call from being answered, which the
    /// sequence's `onError` or the API's fault sequence sees (codes as the gateway gives for its backends: 101503, 101504, …).
    pub fn resume(mut self, message: &mut Message, answer: Result<Answer, Fault>) -> Ran {
        let program = Arc::clone(&self.run.program);
        let Some(step) = self.run.last_step(&program) else { return self.run.ended(End::Continue, message) };
        let done = match (answer, &step.action) {
            (Ok(answer), Action::Call(call)) => {
                self.run.with_means(|means, _| call.answered(answer, message, means)).map_err(|f| placed(f, step))
            }
            (Ok(_), _) => Ok(()),
            (Err(fault), _) => Err(Fault { detail: format!("{} ({})", place(step), fault.detail), ..fault }),
        };
        if let (Ok(()), Action::Call(call)) = (&done, &step.action)
            && let Some(receive) = call.receive
        {
            message.direction = Direction::Response;
            self.run.handlers.clear();
            self.run.stack = vec![Frame::at(receive)];
            message.properties.leave_all_templates();
            self.run.detached = true;
        }
        match done {
            Ok(()) => self.run.go(message),
            Err(fault) => match self.run.caught(fault, message) {
                Some(end) => match self.run.after(end, message) {
                    Some(end) => self.run.ended(end, message),
                    None => self.run.go(message),
                },
                None => self.run.go(message),
            },
        }
    }
}

impl Program {
    /// Runs it. `message` is changed in place.
    pub fn run(self: &Arc<Self>, message: &mut Message, limits: &Limits) -> Ran {
        message.open_way();
        let mut run = Run::new(self, limits);
        // Of a program before this one, whose caller has not sent them yet.
        run.scattered = message.take_sent();
        run.stack.push(Frame::at(self.entry));
        run.go(message)
    }

    /// Runs it, an answer sequence, for the answers to copies of one request. An `aggregate` in it brings them together, and what follows
    /// runs for the whole, which becomes `message`. The first that answers by itself is the answer.
    pub fn gather(self: &Arc<Self>, answers: Vec<Message>, message: &mut Message, limits: &Limits) -> Ran {
        let mut run = Run::new(self, limits);
        match run.begin(Copies::given(answers, self.entry), message) {
            None => run.go(message),
            Some(end) => run.ended(end, message),
        }
    }
}

impl Message {
    fn open_way(&mut self) {
        let content_type = self.content_type().map(str::to_owned);
        self.payload.fix_type(content_type.as_deref());
        self.properties.leave_all_templates();
    }
}

impl Run {
    fn new(program: &Arc<Program>, limits: &Limits) -> Self {
        Self {
            program: Arc::clone(program),
            stack: Vec::new(),
            handlers: Vec::new(),
            detached: false,
            steps: 0,
            visits: limits.visits,
            log: Log::new(limits.log_bytes),
            limits: limits.clone(),
            sent: None,
            calls: 0,
            copies: Vec::new(),
            scattered: Vec::new(),
        }
    }
}

#[derive(Debug)]
struct Run {
    program: Arc<Program>,
    limits: Limits,
    stack: Vec<Frame>,
    /// `onError` sequences further out than the one that runs now.
    handlers: Vec<BlockId>,
    /// An `onError` or `receive` sequence runs: what it came from does not go on, and when it ends without sending, nothing is sent.
    detached: bool,
    steps: u32,
    visits: u64,
    log: Log,
    /// A message that was sent while mediators were still to run, and how.
    sent: Option<(Box<Message>, End)>,
    calls: u32,
    /// Copies that run in the place of their message, the innermost last.
    copies: Vec<UnderWay>,
    /// Copies that were sent off.
    scattered: Vec<Sent>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    block: BlockId,
    next: usize,
    /// It is a template's, whose parameters go when it ends.
    template: bool,
}

impl Frame {
    fn at(block: BlockId) -> Self {
        Self { block, next: 0, template: false }
    }
}

/// What to do after a step.
enum Flow {
    Next,
    Enter(BlockId),
    /// Runs a block in the place of all that was to follow.
    Instead(BlockId),
    /// As [`Flow::Enter`], with parameters that were just given.
    EnterTemplate(BlockId),
    /// Runs copies or parts of the message, then goes on.
    Copies(Copies),
    /// Is sent, and what follows runs.
    Sent(End),
    End(End),
}

fn place(step: &Step) -> String {
    format!("{}:{}: <{}>", step.file, step.line, step.mediator)
}

fn placed(failure: Failure, step: &Step) -> Fault {
    let detail = if failure.detail.is_empty() { place(step) } else { format!("{}: {}", place(step), failure.detail) };
    Fault { code: failure.code, message: failure.message, detail }
}

impl Run {
    fn ended(self, end: End, message: &mut Message) -> Ran {
        let scattered = self.scattered;
        // What was sent stays as it was sent; nothing after it can call it back but a fault.
        let end = match (end, self.sent) {
            (End::Continue | End::Drop | End::Respond | End::SendToBackend | End::Loopback, Some((sent, how))) => {
                *message = *sent;
                how
            }
            (end, _) => end,
        };
        message.held.sent = scattered;
        Ran { end, log: self.log.lines }
    }

    fn with_means<T>(&mut self, work: impl FnOnce(&mut Means<'_>, &mut Log) -> T) -> T {
        let program = Arc::clone(&self.program);
        let mut means = Means { limits: &self.limits, visits: &mut self.visits, entries: &program.entries };
        work(&mut means, &mut self.log)
    }

    fn last_step<'p>(&self, program: &'p Program) -> Option<&'p Step> {
        let frame = self.stack.last()?;
        program.block(frame.block)?.steps.get(frame.next.checked_sub(1)?)
    }

    fn go(mut self, message: &mut Message) -> Ran {
        match self.walk(message) {
            Walked::Ended(end) => {
                let end = match end {
                    End::Call(_) | End::Fault(_) | End::Several(_) => end,
                    // The body is only made into bytes once, when all is done.
                    end => match message.close_body(&self.limits) {
                        Ok(()) => end,
                        Err(failure) => {
                            let fault = Fault { code: failure.code, message: failure.message, detail: failure.detail };
                            message.set_fault(&fault);
                            End::Fault(fault)
                        }
                    },
                };
                self.ended(end, message)
            }
            Walked::Call(request) => {
                let log = std::mem::replace(&mut self.log, Log::new(0));
                // Lines go out with the part of the run that wrote them; the bound is for all.
                let left = log.left();
                self.log = Log::new(left);
                Ran { end: End::Call(Box::new(Call { request, resume: Suspended { run: self } })), log: log.lines }
            }
        }
    }

    fn walk(&mut self, message: &mut Message) -> Walked {
        let program = Arc::clone(&self.program);
        loop {
            let Some(frame) = self.stack.last_mut() else {
                let end = if self.detached { End::Drop } else { End::Continue };
                match self.after(end, message) {
                    Some(end) => return Walked::Ended(end),
                    None => continue,
                }
            };
            let Some(step) = program.block(frame.block).and_then(|block| block.steps.get(frame.next)) else {
                if self.stack.pop().is_some_and(|frame| frame.template) {
                    message.properties.leave_template();
                }
                continue;
            };
            frame.next += 1;
            self.steps += 1;
            let done = if self.steps > self.limits.steps {
                Err(Failure::new("The sequence ran too many mediators"))
            } else if let Action::Call(call) = &step.action {
                match self.with_means(|means, _| call.request(message, means)) {
                    Ok(_) if self.calls >= self.limits.calls => Err(Failure::new("The sequence made too many calls")),
                    Ok(request) => {
                        self.calls += 1;
                        return Walked::Call(request);
                    }
                    Err(failure) => Err(failure),
                }
            } else {
                self.step(step, message)
            };
            let failure = match done {
                Ok(Flow::Next) => continue,
                Ok(Flow::Enter(block)) if self.open() < self.limits.depth => {
                    self.stack.push(Frame::at(block));
                    continue;
                }
                Ok(Flow::EnterTemplate(block)) if self.open() < self.limits.depth => {
                    self.stack.push(Frame { template: true, ..Frame::at(block) });
                    continue;
                }
                Ok(Flow::Enter(_) | Flow::EnterTemplate(_)) => Failure::new("Sequences are nested too deeply"),
                Ok(Flow::Instead(block)) => {
                    self.leave_all(message);
                    self.stack.push(Frame::at(block));
                    continue;
                }
                Ok(Flow::Copies(copies)) => match self.begin(copies, message) {
                    None => continue,
                    Some(end) => return Walked::Ended(end),
                },
                Ok(Flow::End(end)) => match self.after(end, message) {
                    None => continue,
                    Some(end) => return Walked::Ended(end),
                },
                Ok(Flow::Sent(end)) if !self.copies.is_empty() => match self.send_off(end, message) {
                    Ok(None) => continue,
                    Ok(Some(end)) => match self.after(end, message) {
                        None => continue,
                        Some(end) => return Walked::Ended(end),
                    },
                    Err(failure) => failure,
                },
                Ok(Flow::Sent(end)) => match self.keep(&program, message, end) {
                    Ok(None) => continue,
                    Ok(Some(end)) => return Walked::Ended(end),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            if let Some(end) = self.caught(placed(failure, step), message)
                && let Some(end) = self.after(end, message)
            {
                return Walked::Ended(end);
            }
        }
    }

    /// Puts a copy that was sent off by. `Some` when it is an answer, which ends its way.
    fn send_off(&mut self, end: End, message: &mut Message) -> Result<Option<End>, Failure> {
        let target = match end {
            End::Send(target) => Some(target),
            End::SendToBackend => None,
            other => return Ok(Some(other)),
        };
        if self.calls >= self.limits.calls {
            return Err(Failure::new("The sequence made too many calls"));
        }
        self.calls += 1;
        if message.direction == Direction::Response {
            // The verb was the request's.
            "POST".clone_into(&mut message.method);
        }
        let request = call::whole_request(target, message, &self.limits)?;
        let bytes = |sent: &Sent| sent.request.body.as_ref().map_or(0, Bytes::len);
        let all = self.scattered.iter().map(bytes).sum::<usize>() + request.body.as_ref().map_or(0, Bytes::len);
        if all > self.limits.body_bytes {
            return Err(Failure::new("The sequence made too long a body"));
        }
        let only_out =
            message.properties.get(crate::Scope::Default, "OUT_ONLY").is_some_and(|v| v.to_string().eq_ignore_ascii_case("true"));
        self.scattered.push(Sent { request, message: message.without_body(), awaited: !only_out });
        Ok(None)
    }

    /// Keeps a message that was sent, if anything but dropping follows. `Some` when nothing does.
    fn keep(&mut self, program: &Program, message: &mut Message, end: End) -> Result<Option<End>, Failure> {
        let rest = |frame: &Frame| program.block(frame.block).and_then(|block| block.steps.get(frame.next..)).unwrap_or_default();
        let over = self
            .stack
            .iter()
            .rev()
            .flat_map(|frame| rest(frame).iter())
            .all(|step| matches!(step.action, Action::Drop | Action::Nothing | Action::Send(_)));
        if over {
            return Ok(Some(end));
        }
        message.close_body(&self.limits)?;
        if self.sent.is_none() {
            self.sent = Some((Box::new(message.clone()), end));
        }
        Ok(None)
    }

    /// Takes a fault to the nearest `onError`; without one it ends the run.
    fn caught(&mut self, fault: Fault, message: &mut Message) -> Option<End> {
        message.set_fault(&fault);
        self.leave_all(message);
        // A bound that is passed is passed for the handler too, but for a few steps to say so.
        let Some(handler) = self.handlers.pop().filter(|_| self.steps <= self.limits.steps) else { return Some(End::Fault(fault)) };
        self.stack.push(Frame::at(handler));
        None
    }

    /// Lets go of all that was to follow; what handles failures of it stays.
    fn leave_all(&mut self, message: &mut Message) {
        let program = Arc::clone(&self.program);
        let inner = self.stack.iter().filter_map(|frame| program.block(frame.block).and_then(|block| block.on_error));
        self.handlers.extend(inner);
        self.stack.clear();
        message.properties.leave_all_templates();
        self.detached = true;
    }

    fn step(&mut self, step: &Step, message: &mut Message) -> Result<Flow, Failure> {
        Ok(match &step.action {
            Action::Block(block) => Flow::Enter(*block),
            Action::Chosen(name, blocks) => {
                let name = self.with_means(|means, _| name.text(message, means))?;
                match blocks.get(name.trim()) {
                    Some(block) => Flow::Enter(*block),
                    None => {
                        return Err(Failure {
                            detail: crate::xml::shortened(&name),
                            ..Failure::new("Sequence named by the message is not there")
                        });
                    }
                }
            }
            Action::Directed(direction, block) => {
                if message.direction == *direction {
                    Flow::Enter(*block)
                } else {
                    Flow::Next
                }
            }
            Action::Nothing => Flow::Next,
            Action::Drop => Flow::End(End::Drop),
            Action::Respond => {
                message.direction = Direction::Response;
                Flow::End(End::Respond)
            }
            Action::Loopback => Flow::End(End::Loopback),
            Action::Send(endpoint) => Flow::Sent(sent_to(endpoint.as_ref(), message, self.is_copy())?),
            // The loop itself stops at calls.
            Action::Call(_) => Flow::Next,
            Action::Property(properties) => {
                self.with_means(|means, _| properties.iter().try_for_each(|property| property.run(message, means)))?;
                Flow::Next
            }
            Action::Header(header) => {
                self.with_means(|means, _| header.run(message, means))?;
                Flow::Next
            }
            Action::Log(log) => {
                self.with_means(|means, lines| log.run(message, means, lines))?;
                Flow::Next
            }
            Action::Filter(filter) => Flow::Enter(self.with_means(|means, _| filter.choose(message, means))?),
            Action::Switch(switch) => Flow::Enter(self.with_means(|means, _| switch.choose(message, means))?),
            Action::Payload(factory) => {
                self.with_means(|means, _| factory.run(message, means))?;
                Flow::Next
            }
            Action::MakeFault(fault) => {
                self.with_means(|means, _| fault.run(message, means))?;
                Flow::Next
            }
            Action::Enrich(enrich) => {
                self.with_means(|means, _| enrich.run(message, means))?;
                Flow::Next
            }
            Action::Script(script) => {
                if self.with_means(|means, log| script.run(message, means, log))? {
                    Flow::Next
                } else {
                    Flow::End(End::Drop)
                }
            }
            Action::Rewrite(rewrite) => {
                self.with_means(|means, _| rewrite.run(message, means))?;
                Flow::Next
            }
            Action::Validate(validate) => {
                if self.with_means(|means, _| validate.fits(message, means))? {
                    Flow::Next
                } else {
                    Flow::Enter(validate.on_fail)
                }
            }
            Action::Throttle(throttle) => match throttle.admit(message) {
                Verdict::Passed => Flow::Next,
                Verdict::Accepted => throttle.accepted.map_or(Flow::Next, Flow::Enter),
                Verdict::Rejected => throttle.rejected.map_or(Flow::End(End::Drop), Flow::Enter),
            },
            Action::Cache(Cache::Collector) => {
                self.with_means(|means, _| cache::collect(message, means))?;
                Flow::Next
            }
            Action::Cache(Cache::Finder(finder)) => match self.with_means(|means, _| finder.look(message, means))? {
                Outcome::GoesOn => Flow::Next,
                Outcome::Answered => finder.on_hit.map_or(Flow::End(End::Respond), Flow::Instead),
            },
            Action::Xslt(xslt) => {
                self.with_means(|means, log| xslt.run(message, means, log))?;
                Flow::Next
            }
            Action::Template(call) => {
                self.with_means(|means, _| call.enter(message, means))?;
                Flow::EnterTemplate(call.block)
            }
            Action::Own(own) => match self.with_means(|means, _| own.run(message, means))? {
                Some(block) => Flow::Enter(block),
                None => Flow::Next,
            },
            Action::Loop(looped) => Flow::Copies(self.parts(looped, message)?),
            Action::Clone(clones) => Flow::Copies(Copies::of(clones)),
            // A message that is no copy has nothing to wait for, and goes on as it did.
            Action::Aggregate(_) if self.copies.is_empty() => Flow::Next,
            Action::Aggregate(aggregate) => {
                self.gather(aggregate, message)?;
                Flow::End(End::Drop)
            }
        })
    }
}

enum Walked {
    Ended(End),
    Call(CallRequest),
}

fn sent_to(endpoint: Option<&Endpoint>, message: &Message, is_copy: bool) -> Result<End, Failure> {
    // A copy of an answer may go elsewhere; the answer itself is the client's.
    if message.direction == Direction::Response && !(is_copy && endpoint.is_some()) {
        return Ok(End::Respond);
    }
    let target = match endpoint {
        Some(endpoint) => endpoint.target(message)?,
        None => match absolute_to(message).map(Endpoint::to) {
            Some(endpoint) => endpoint.target(message)?,
            None => None,
        },
    };
    Ok(target.map_or(End::SendToBackend, End::Send))
}

#[cfg(test)]
mod tests;
