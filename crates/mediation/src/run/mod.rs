//! Running a program over a message: a stack of blocks and places in them, so that a run can stop at an outside call and go on with the answer.

use std::sync::Arc;

use bytes::Bytes;

use crate::endpoint::Target;
use crate::limits::Limits;
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
    /// A mediator failed and no `onError` was there: run the API's fault sequence, after [`Message::set_fault`] (already done here).
    Fault(Fault),
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
#[derive(Debug, Clone)]
pub struct CallRequest {
    /// Where to; `None` is the API's own backend.
    pub target: Option<Target>,
    /// Verb.
    pub method: String,
    /// Headers, `Content-Type` included; `Host`, `Content-Length` and hop headers are the sender's business.
    pub headers: Headers,
    /// Body; `None` when none.
    pub body: Option<Bytes>,
    /// Whether the sequence waits for the answer. Otherwise resume with [`Answer::accepted`] at once.
    pub blocking: bool,
}

/// What a call answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Headers,
    /// Body, whole, no longer than [`Limits::body_bytes`].
    pub body: Bytes,
}

impl Answer {
    /// 202 with nothing, for a call that nobody waits for.
    #[must_use]
    pub fn accepted() -> Self {
        Self { status: 202, headers: Headers::new(), body: Bytes::new() }
    }
}

/// A call that came to nothing; the sequence's `onError` or the API's fault sequence sees it. Codes as the gateway gives for its backends
/// (101503, 101504, …).
pub type CallFault = Fault;

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How grave.
    pub level: LogLevel,
    /// Words, one line unless a body has more.
    pub text: String,
}

/// How grave a line is; the old product's categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// `TRACE`.
    Trace,
    /// `DEBUG`.
    Debug,
    /// `INFO`, the default.
    Info,
    /// `WARN`.
    Warn,
    /// `ERROR`, `FATAL`.
    Error,
}

/// A run that waits for an answer. Dropping it ends the run.
#[derive(Debug)]
pub struct Suspended {
    run: Run,
}

impl Suspended {
    /// Goes on with the answer, which becomes the message's body and headers.
    pub fn resume(self, message: &mut Message, answer: Result<Answer, CallFault>) -> Ran {
        match answer {
            Ok(answer) => {
                message.status = Some(answer.status);
                message.headers = answer.headers;
                message.set_body(answer.body);
                self.run.go(message)
            }
            Err(fault) => {
                message.set_fault(&fault);
                self.run.ended(End::Fault(fault))
            }
        }
    }
}

impl Program {
    /// Runs it. `message` is changed in place.
    pub fn run(self: &Arc<Self>, message: &mut Message, limits: &Limits) -> Ran {
        Run {
            program: Arc::clone(self),
            limits: limits.clone(),
            stack: vec![Frame { block: self.entry, next: 0 }],
            steps: 0,
            log: Vec::new(),
        }
        .go(message)
    }
}

#[derive(Debug)]
struct Run {
    program: Arc<Program>,
    limits: Limits,
    stack: Vec<Frame>,
    steps: u32,
    log: Vec<LogLine>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    block: BlockId,
    next: usize,
}

/// What to do after a step.
enum Flow {
    Next,
    Enter(BlockId),
    End(End),
}

impl Run {
    fn ended(self, end: End) -> Ran {
        Ran { end, log: self.log }
    }

    fn go(mut self, message: &mut Message) -> Ran {
        let program = Arc::clone(&self.program);
        loop {
            let Some(frame) = self.stack.last_mut() else { return self.ended(End::Continue) };
            let Some(step) = program.block(frame.block).and_then(|block| block.steps.get(frame.next)) else {
                self.stack.pop();
                continue;
            };
            frame.next += 1;
            self.steps += 1;
            let done = if self.steps > self.limits.steps {
                Err(fault(step, "The sequence ran too many mediators"))
            } else {
                self.step(step, message)
            };
            match done {
                Ok(Flow::Next) => {}
                Ok(Flow::Enter(block)) if self.stack.len() < self.limits.depth => self.stack.push(Frame { block, next: 0 }),
                Ok(Flow::Enter(_)) => {
                    let fault = fault(step, "Sequences are nested too deeply");
                    message.set_fault(&fault);
                    return self.ended(End::Fault(fault));
                }
                Ok(Flow::End(end)) => return self.ended(end),
                Err(fault) => {
                    message.set_fault(&fault);
                    return self.ended(End::Fault(fault));
                }
            }
        }
    }

    fn step(&mut self, step: &Step, message: &mut Message) -> Result<Flow, Fault> {
        Ok(match &step.action {
            Action::Block(block) => Flow::Enter(*block),
            Action::Drop => Flow::End(End::Drop),
            Action::Respond => {
                message.direction = Direction::Response;
                Flow::End(End::Respond)
            }
            Action::Loopback => Flow::End(End::Loopback),
            Action::Send => Flow::End(if message.direction == Direction::Response { End::Respond } else { End::SendToBackend }),
        })
    }
}

fn fault(step: &Step, message: &str) -> Fault {
    Fault { code: 0, message: message.to_owned(), detail: format!("{}:{}: <{}>", step.file, step.line, step.mediator) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Library, Source, compile};

    #[test]
    fn sequences_are_entered_by_name_and_left_again() {
        let library = Library::new().with_sequence("inner", Source::new("inner.xml", "<sequence/>"));
        let program = |text: &str| Arc::new(compile(&Source::new("s.xml", text), &library).unwrap());
        let end = |text: &str| program(text).run(&mut Message::request("GET", "/a"), &Limits::default()).end;
        assert!(matches!(end("<sequence><sequence key='inner'/><respond/></sequence>"), End::Respond));
        assert!(matches!(end("<sequence><sequence key='inner'/></sequence>"), End::Continue));
        assert!(matches!(end("<sequence><loopback/></sequence>"), End::Loopback));
        assert!(matches!(end("<sequence><drop/></sequence>"), End::Drop));
        assert!(matches!(end("<sequence><send/></sequence>"), End::SendToBackend));
    }

    #[test]
    fn a_sequence_that_enters_itself_ends_in_a_fault() {
        let library = Library::new().with_sequence("s", Source::new("s.xml", "<sequence><sequence key='s'/></sequence>"));
        let program = Arc::new(compile(&Source::new("t.xml", "<sequence><sequence key='s'/></sequence>"), &library).unwrap());
        let mut message = Message::request("GET", "/a");
        let End::Fault(fault) = program.run(&mut message, &Limits::default()).end else { panic!("no fault") };
        assert_eq!(fault.detail, "s.xml:1: <sequence>");
        assert_eq!(message.property(crate::Scope::Default, "ERROR_MESSAGE"), Some("Sequences are nested too deeply".into()));
    }
}
