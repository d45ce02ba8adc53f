//! Runs sequences, and makes the calls that they want made with the gateway's own connections.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, Method};
use mediation::{CallRequest, End, Fault, Limits, LogLevel, LogLine, Message, Program, Target};
use model::{Endpoint, EndpointSet};

use super::bodies;
use super::headers::{header_map, headers_of};
use crate::body::RequestBody;
use crate::gateway::Gateway;
use crate::listener::Peer;
use crate::pipeline::held_back;
use crate::respond::BackendFailure;
use crate::snapshot::{ApiEntry, Backends};
use crate::steps::{forward, rewrite, sign_in};
use crate::upstream::{AnswerHead, Link};

/// What sequences of one call run with.
pub(crate) struct Runner<'c> {
    pub(crate) gateway: &'c Gateway,
    pub(crate) peer: &'c Peer,
    pub(crate) parts: &'c Parts,
    /// Whose sequences they are, for the log.
    pub(crate) owner: &'c str,
    pub(crate) reach: Reach<'c>,
    pub(crate) limits: Limits,
}

/// Where calls outside may go.
#[derive(Clone, Copy)]
pub(crate) enum Reach<'c> {
    /// Anywhere; those without an address to the API's backend, with the path and query that the message has by then.
    Backend(&'c Backends),
    /// The call was refused: anywhere but to the backends of its API.
    Refused(Option<&'c ApiEntry>),
}

/// How the sequences of one direction ended, calls made.
pub(crate) enum Ended {
    Continue,
    Respond,
    Send(Target),
    SendToBackend,
    Drop,
    Loopback,
    Fault(Fault),
}

impl Runner<'_> {
    /// Runs programs one after the other, until one ends the way. Calls outside are made on the way.
    pub(crate) async fn run_all(&self, programs: &[Arc<Program>], message: &mut Message) -> Ended {
        for program in programs {
            let mut ran = program.run(message, &self.limits);
            loop {
                self.log(&ran.log);
                match ran.end {
                    End::Call(call) => {
                        // Boxed, so that a call that makes none carries no room for one.
                        let answer = Box::pin(self.call_out(call.request)).await;
                        message.now = self.now();
                        ran = call.resume.resume(message, answer);
                    }
                    End::Continue => break,
                    End::Respond => return Ended::Respond,
                    End::Send(target) => return Ended::Send(target),
                    End::SendToBackend => return Ended::SendToBackend,
                    End::Drop => return Ended::Drop,
                    End::Loopback => return Ended::Loopback,
                    End::Fault(fault) => return Ended::Fault(fault),
                    // Only answers to copies end so, which do not come this way.
                    End::Several(_) => return Ended::Drop,
                }
            }
        }
        Ended::Continue
    }

    /// Time since the Unix epoch.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.gateway.clock.now().wall_ms).unwrap_or_default())
    }

    pub(crate) fn log(&self, lines: &[LogLine]) {
        let api = self.owner;
        for line in lines {
            match line.level {
                LogLevel::Trace => tracing::trace!(target: "mediation", api, "{}", line.text),
                LogLevel::Debug => tracing::debug!(target: "mediation", api, "{}", line.text),
                LogLevel::Info => tracing::info!(target: "mediation", api, "{}", line.text),
                LogLevel::Warn => tracing::warn!(target: "mediation", api, "{}", line.text),
                LogLevel::Error => tracing::error!(target: "mediation", api, "{}", line.text),
            }
        }
    }

    /// A call that a sequence wants made.
    pub(crate) async fn call_out(&self, wanted: CallRequest) -> Result<mediation::Answer, Fault> {
        let elsewhere = wanted.target.as_ref().map(addressed).transpose()?;
        let (backends, rest, query) = match (&elsewhere, self.reach) {
            (Some(place), Reach::Refused(Some(api))) if api.is_served_at(place) => return Err(out_of_reach()),
            (Some(place), _) => (place, "", None),
            (None, Reach::Backend(backends)) => match wanted.postfix.split_once('?') {
                Some((rest, query)) => (backends, rest, Some(query)),
                None => (backends, &*wanted.postfix, None),
            },
            (None, Reach::Refused(_)) => return Err(out_of_reach()),
        };
        let method = Method::from_bytes(wanted.method.as_bytes()).map_err(|_| wrong(&format!("'{}' is no verb", wanted.method)))?;
        let headers = header_map(&wanted.headers)?;
        let body = wanted.body.filter(|b| !b.is_empty()).map_or(RequestBody::Empty, RequestBody::Whole);
        let (head, link) = self.exchange(backends, &method, rest, query, &headers, body).await.map_err(fault_of)?;
        let (answer, content) = held_back(self.gateway, head, link);
        let most = self.limits.body_bytes;
        let whole = bodies::whole_answer(content, most).await.map_err(|_| wrong("the answer to a call is too long or broke off"))?;
        let (mut headers, mut body) = (headers_of(answer.headers()), whole);
        // The answer becomes the message, so it is wanted plain; what stays coded cannot be read as what its type says.
        if let Ok(plain) = bodies::plain(&headers, &body, most)
            && let Some(plain) = plain
        {
            headers.remove(bodies::CODING);
            body = plain;
        }
        Ok(mediation::Answer { status: answer.status().as_u16(), headers, body })
    }

    pub(super) async fn exchange(
        &self,
        backends: &Backends,
        method: &Method,
        rest: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        body: RequestBody,
    ) -> Result<(AnswerHead, Box<Link>), BackendFailure> {
        let config = &self.gateway.config;
        let correlation =
            headers.get(&self.gateway.correlation_header).cloned().unwrap_or_else(|| self.gateway.correlation(&self.parts.headers));
        let request = forward::Request {
            method,
            rest,
            query,
            says_length: headers.contains_key(CONTENT_LENGTH),
            headers: rewrite::Outgoing {
                headers,
                peer: self.peer,
                authority: self.parts.uri.authority(),
                correlation: (&self.gateway.correlation_header, &correlation),
                bearer: None,
                authorization: None,
                told: None,
            },
        };
        let bounds = forward::Bounds { answer: config.response_timeout, head_max: config.backend_head_max_bytes, watched: None };
        sign_in::forward(&self.gateway.pool, backends, &request, body, &bounds).await
    }
}

/// The places that a target of a sequence names.
pub(super) fn addressed(target: &Target) -> Result<Backends, Fault> {
    let endpoint = |url: &str, timeout: Option<Duration>| Endpoint {
        url: url.to_owned(),
        timeout_ms: timeout.and_then(|t| u64::try_from(t.as_millis()).ok()),
    };
    let failovers = target.others.iter().map(|other| endpoint(&other.uri, other.timeout)).collect();
    let set = EndpointSet { primary: vec![endpoint(&target.uri, target.timeout)], failovers };
    Backends::new(&set, None).map_err(|fault| wrong(&fault.to_string()))
}

/// What sequences are told of a backend that did not answer.
pub(super) fn fault_of(failure: BackendFailure) -> Fault {
    let (code, message) = failure.words();
    Fault { code: code.parse().unwrap_or_default(), message: message.to_owned(), detail: "the backend".to_owned() }
}

/// A message that cannot be sent as a sequence made it.
pub(super) fn wrong(words: &str) -> Fault {
    Fault { code: 0, message: "The sequence made a message that cannot be sent".to_owned(), detail: words.to_owned() }
}

fn out_of_reach() -> Fault {
    Fault { code: 0, message: "A refused call cannot reach its backend".to_owned(), detail: "a call of an error sequence".to_owned() }
}
