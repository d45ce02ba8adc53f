//! Asks the backend.
//!
//! Retries are safe ones only. Another address is tried, or another connection, when nothing of the request was sent. When a reused
//! connection breaks after sending, the call is repeated once, on a fresh one, if its method is idempotent and it has no body.

use std::future::{Future, poll_fn};
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Method;
use tokio::time::{Instant, Sleep};

use crate::body::RequestBody;
use crate::listener::Peer;
use crate::respond::BackendFailure;
use crate::sign_in::Authorization;
use crate::snapshot::{Backends, Target};
use crate::steps::rewrite::{self, BadTarget, Outgoing};
use crate::upstream::{AnswerHead, ConnectFault, Expectation, Fault, Link, Pool};

/// A request but for where it goes and its body.
#[derive(Clone, Copy)]
pub(crate) struct Request<'c> {
    pub(crate) method: &'c Method,
    /// The path below the API's context.
    pub(crate) rest: &'c str,
    pub(crate) query: Option<&'c str>,
    pub(crate) headers: Outgoing<'c>,
    /// The client said how long its body is, be it 0.
    pub(crate) says_length: bool,
}

impl<'c> Request<'c> {
    /// The same, with an `Authorization` in place of the client's.
    pub(crate) fn saying<'d>(&self, authorization: Authorization<'d>) -> Request<'d>
    where
        'c: 'd,
    {
        Request { headers: Outgoing { authorization: Some(authorization), ..self.headers }, ..*self }
    }
}

/// Limits on a backend.
pub(crate) struct Bounds<'c> {
    /// How long it may take to begin its answer, where its address does not say.
    pub(crate) answer: Duration,
    /// Longest head of an answer, in bytes.
    pub(crate) head_max: usize,
    /// The client's connection, if it carries nothing else; it then keeps the time. A timer does otherwise.
    pub(crate) watched: Option<&'c Peer>,
}

/// What a call to a backend needs from the first try to the last.
struct Call<'c> {
    request: &'c Request<'c>,
    bounds: &'c Bounds<'c>,
    expect: Expectation,
}

/// Sends a request to one of `backends`. The answer's body comes over the link.
pub(crate) async fn forward(
    pool: &Pool,
    backends: &Backends,
    request: &Request<'_>,
    body: RequestBody,
    bounds: &Bounds<'_>,
) -> Result<(AnswerHead, Box<Link>), BackendFailure> {
    ask(pool, backends.in_turn(), request, body, bounds).await.map(|(head, link, _)| (head, link))
}

/// As [`forward`], of the given targets, and says which of them answered.
pub(crate) async fn ask<'t>(
    pool: &Pool,
    targets: impl Iterator<Item = &'t Arc<Target>>,
    request: &Request<'_>,
    mut body: RequestBody,
    bounds: &Bounds<'_>,
) -> Result<(AnswerHead, Box<Link>, &'t Arc<Target>), BackendFailure> {
    let repeatable = body.is_empty() && is_idempotent(request.method);
    let expect = Expectation { no_body: *request.method == Method::HEAD, head_max: bounds.head_max, goes_on: rewrite::answers };
    let call = Call { request, bounds, expect };
    let mut failure = BackendFailure::Connect;
    for target in targets {
        if let Some(mut link) = pool.take(&target.authority) {
            let used = link.used;
            body = match call.exchange(&mut link, target, body).await {
                Ok(head) => return Ok((head, link, target)),
                Err(Failed::Fault(Fault::NotSent(body))) => body,
                Err(Failed::Fault(Fault::Unanswered(_))) if used && repeatable => RequestBody::Empty,
                Err(failed) => return Err(failed.failure()),
            };
        }
        // Boxed, so that the many calls that find a connection do not carry the room that making one takes.
        let mut link = match Box::pin(pool.connect(&target.authority)).await {
            Ok(link) => link,
            Err(fault) => {
                failure = connect_failure(&fault, target);
                continue;
            }
        };
        return match call.exchange(&mut link, target, body).await {
            Ok(head) => Ok((head, link, target)),
            Err(failed) => Err(failed.failure()),
        };
    }
    Err(failure)
}

/// How an exchange failed.
enum Failed {
    Fault(Fault),
    Timeout,
    Target,
}

impl Call<'_> {
    async fn exchange(&self, link: &mut Link, target: &Target, body: RequestBody) -> Result<AnswerHead, Failed> {
        let length = body.length();
        let framing = match length {
            _ if body.is_empty() => Framing::None { say_so: self.request.says_length },
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        link.begin(|out| self.write_head(target, framing, out)).map_err(|BadTarget| Failed::Target)?;
        link.send(body, length);
        let timeout = target.timeout.unwrap_or(self.bounds.answer);
        let mut patience = Patience::new(self.bounds.watched, timeout);
        let mut sent = 0;
        let answer = poll_fn(|cx| {
            if let Poll::Ready(answer) = link.poll_answer(cx, &self.expect) {
                return Poll::Ready(answer.map_err(Failed::Fault));
            }
            // A backend that still takes what the client sends, or waits for it, is not slow.
            if link.sent() != sent || link.awaits_client() {
                sent = link.sent();
                patience.begin_anew();
            }
            if patience.is_over(cx) { Poll::Ready(Err(Failed::Timeout)) } else { Poll::Pending }
        })
        .await;
        patience.end();
        answer
    }

    fn write_head(&self, target: &Target, framing: Framing, out: &mut Vec<u8>) -> Result<(), BadTarget> {
        let request = self.request;
        out.extend_from_slice(request.method.as_str().as_bytes());
        out.push(b' ');
        let from = out.len();
        rewrite::push_target(target, request.rest, request.query, out)?;
        let to = out.len();
        out.extend_from_slice(b" HTTP/1.1\r\n");
        rewrite::line(out, "host", target.host_header.as_bytes());
        request.headers.write(out);
        if let Some(Authorization::Digest(digest)) = request.headers.authorization
            && let Some(challenge) = &*target.challenge.load()
        {
            let own_nonce = uuid::Uuid::new_v4().simple().to_string();
            let answer = digest.answer(challenge, request.method.as_str(), out.get(from..to).unwrap_or_default(), &own_nonce);
            rewrite::line(out, "authorization", &answer);
        }
        match framing {
            Framing::None { say_so: false } => {}
            Framing::None { say_so: true } => out.extend_from_slice(b"content-length: 0\r\n"),
            // Writing to a Vec does not fail.
            Framing::Length(length) => drop(write!(out, "content-length: {length}\r\n")),
            Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// Keeps the time a backend is given.
struct Patience<'c> {
    limit: Duration,
    keeper: Keeper<'c>,
}

enum Keeper<'c> {
    Peer(&'c Peer),
    Timer(Pin<Box<Sleep>>),
}

impl<'c> Patience<'c> {
    fn new(watched: Option<&'c Peer>, limit: Duration) -> Self {
        let keeper = match watched {
            Some(peer) => {
                peer.await_answer(limit);
                Keeper::Peer(peer)
            }
            None => Keeper::Timer(Box::pin(tokio::time::sleep(limit))),
        };
        Self { limit, keeper }
    }

    fn begin_anew(&mut self) {
        match &mut self.keeper {
            Keeper::Peer(peer) => peer.await_answer(self.limit),
            Keeper::Timer(sleep) => sleep.as_mut().reset(Instant::now() + self.limit),
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.keeper {
            Keeper::Peer(peer) => peer.is_late(),
            Keeper::Timer(sleep) => sleep.as_mut().poll(cx).is_ready(),
        }
    }

    fn end(&self) {
        if let Keeper::Peer(peer) = &self.keeper {
            peer.answer_came();
        }
    }
}

#[derive(Clone, Copy)]
enum Framing {
    None { say_so: bool },
    Length(u64),
    Chunked,
}

fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

fn connect_failure(fault: &ConnectFault, target: &Target) -> BackendFailure {
    tracing::warn!(host = %target.authority.host, port = target.authority.port, error = fault as &dyn std::error::Error, "no connection to a backend");
    match fault {
        ConnectFault::Timeout => BackendFailure::ConnectTimeout,
        ConnectFault::Connect(error) if error.kind() == std::io::ErrorKind::TimedOut => BackendFailure::ConnectTimeout,
        _ => BackendFailure::Connect,
    }
}

impl Failed {
    fn failure(self) -> BackendFailure {
        let fault = match self {
            Self::Timeout => return BackendFailure::ResponseTimeout,
            Self::Target => return BackendFailure::Other,
            Self::Fault(fault) => fault,
        };
        tracing::debug!(error = &fault as &dyn std::error::Error, "an exchange with a backend broke off");
        match fault {
            Fault::NotSent(_) => BackendFailure::ClosedEarly,
            Fault::Unanswered(error) | Fault::BrokeOff(error) if error.as_ref().is_none_or(is_end) => BackendFailure::ClosedEarly,
            Fault::Unanswered(_) | Fault::BrokeOff(_) => BackendFailure::Other,
            Fault::ClientBody(_) => BackendFailure::ClientBody,
            Fault::Head(_) => BackendFailure::Protocol,
        }
    }
}

/// Whether the connection was closed under us, rather than something being wrong with it.
fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof, WriteZero};
    matches!(error.kind(), ConnectionReset | BrokenPipe | ConnectionAborted | UnexpectedEof | WriteZero)
}
