//! Asks the backend.
//!
//! Retries are safe ones only. Another address is tried, or another connection, when nothing of the request was sent. When a reused
//! connection breaks after sending, the call is repeated once, on a fresh one, if its method is idempotent and it has no body.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::HOST;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;

use crate::body::{BodyFault, RequestBody};
use crate::listener::Peer;
use crate::pool::{ConnectFault, Link, Pool};
use crate::respond::BackendFailure;
use crate::snapshot::{Backends, Target};
use crate::steps::rewrite;

/// A backend's answer; its body comes over the link.
pub(crate) type Answered = (Response<Incoming>, Box<Link>);

/// Sends `request`, whose URI and `Host` are set here, to one of `backends`. The time limit is kept by `watched`, the client's connection, if
/// that carries nothing else, and by a timer otherwise.
pub(crate) async fn forward(
    pool: &Pool,
    backends: &Backends,
    mut request: Request<RequestBody>,
    rest: &str,
    response_timeout: Duration,
    watched: Option<&Peer>,
) -> Result<Answered, BackendFailure> {
    let uri = std::mem::take(request.uri_mut());
    let repeatable = request.body().is_empty() && is_idempotent(request.method());
    let mut failure = BackendFailure::Connect;
    for target in backends.in_turn() {
        point(&mut request, target, rest, &uri)?;
        let timeout = target.timeout.unwrap_or(response_timeout);
        let mut link = match pool.take(&target.authority) {
            Some(link) => link,
            None => match pool.connect(&target.authority).await {
                Ok(link) => link,
                Err(fault) => {
                    failure = connect_failure(&fault, target);
                    continue;
                }
            },
        };
        let copy = (link.used && repeatable).then(|| copy(&request));
        let fault = match exchange(&mut link, request, timeout, watched).await {
            Ok(response) => return finish(response, link),
            Err(fault) => fault,
        };
        let was_used = link.used;
        drop(link);
        request = match (fault, copy) {
            (Fault::NotSent(unsent), _) if was_used => *unsent,
            (Fault::Broken(error), Some(copy)) if is_stale(&error) => copy,
            (fault, _) => return Err(fault.failure()),
        };
        let mut fresh = match pool.connect(&target.authority).await {
            Ok(link) => link,
            Err(fault) => {
                failure = connect_failure(&fault, target);
                continue;
            }
        };
        return match exchange(&mut fresh, request, timeout, watched).await {
            Ok(response) => finish(response, fresh),
            Err(fault) => Err(fault.failure()),
        };
    }
    Err(failure)
}

fn finish(response: Response<Incoming>, link: Box<Link>) -> Result<Answered, BackendFailure> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for it: `Upgrade` is not passed on.
        return Err(BackendFailure::Protocol);
    }
    Ok((response, link))
}

fn point(request: &mut Request<RequestBody>, target: &Arc<Target>, rest: &str, original: &Uri) -> Result<(), BackendFailure> {
    *request.uri_mut() = rewrite::target_uri(target, rest, original.query()).map_err(|_| BackendFailure::Other)?;
    request.headers_mut().insert(HOST, target.host_header.clone());
    Ok(())
}

/// What went wrong on a link.
enum Fault {
    /// The connection had ended; here is the request back.
    NotSent(Box<Request<RequestBody>>),
    Broken(hyper::Error),
    Timeout,
}

async fn exchange(
    link: &mut Link,
    request: Request<RequestBody>,
    timeout: Duration,
    watched: Option<&Peer>,
) -> Result<Response<Incoming>, Fault> {
    let Some(peer) = watched else {
        let answer = answer(link, request, || false);
        return tokio::time::timeout(timeout, answer).await.unwrap_or(Err(Fault::Timeout));
    };
    peer.await_answer(timeout);
    let result = answer(link, request, || peer.is_late()).await;
    peer.answer_came();
    result
}

async fn answer(link: &mut Link, request: Request<RequestBody>, is_late: impl Fn() -> bool) -> Result<Response<Incoming>, Fault> {
    let mut response = pin!(link.sender.try_send_request(request));
    poll_fn(|cx| {
        link.drive(cx);
        if let Poll::Ready(result) = response.as_mut().poll(cx) {
            return Poll::Ready(result.map_err(|mut error| match error.take_message() {
                Some(request) => Fault::NotSent(Box::new(request)),
                None => Fault::Broken(error.into_error()),
            }));
        }
        if is_late() { Poll::Ready(Err(Fault::Timeout)) } else { Poll::Pending }
    })
    .await
}

/// The same request again; only ones without a body are copied.
fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// Whether the connection was closed under us, rather than the answer being wrong.
fn is_stale(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_closed() || error.is_canceled() || is_reset(error)
}

fn is_reset(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    cause::<std::io::Error>(error).is_some_and(|e| matches!(e.kind(), ConnectionReset | BrokenPipe | ConnectionAborted))
}

fn cause<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if let Some(found) = source.downcast_ref() {
            return Some(found);
        }
        next = source.source();
    }
    None
}

fn connect_failure(fault: &ConnectFault, target: &Target) -> BackendFailure {
    tracing::warn!(host = %target.authority.host, port = target.authority.port, error = fault as &dyn std::error::Error, "no connection to a backend");
    match fault {
        ConnectFault::Timeout => BackendFailure::ConnectTimeout,
        ConnectFault::Connect(error) if error.kind() == std::io::ErrorKind::TimedOut => BackendFailure::ConnectTimeout,
        _ => BackendFailure::Connect,
    }
}

impl Fault {
    fn failure(self) -> BackendFailure {
        match self {
            Self::NotSent(_) => BackendFailure::ClosedEarly,
            Self::Timeout => BackendFailure::ResponseTimeout,
            Self::Broken(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "an exchange with a backend broke off");
                if cause::<BodyFault>(&error).is_some() {
                    BackendFailure::ClientBody
                } else if error.is_parse() {
                    BackendFailure::Protocol
                } else if is_stale(&error) {
                    BackendFailure::ClosedEarly
                } else {
                    BackendFailure::Other
                }
            }
        }
    }
}
