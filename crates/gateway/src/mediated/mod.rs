//! A call of an API with mediation sequences: in, to the backend, out; or fault.
//!
//! The order is the old product's: authentication, limits and the rest have let the call through, then come the sequences for requests, the
//! backend, and the sequences for answers. What a handler refuses before does not come here. A body is held only when a sequence looks into
//! it, up to the limit of a run; otherwise it streams past. What a sequence wants done, a call outside or another address, is done with the
//! gateway's own connections.
//!
//! When a sequence answers by itself, the client's own headers are not sent back to it, as the old product did; what the sequence set is.

mod bodies;
mod headers;
mod request;
mod runner;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use mediation::{Direction, Fault, Headers, Message, Payload, Program, Rewritten, Target};
use model::KeyType;

use crate::body::{Content, RequestBody};
use crate::call::{Call, Left};
use crate::config::Uncompilable;
use crate::pipeline::held_back;
use crate::respond::{BackendFailure, Refusal};
use crate::snapshot::{ApiEntry, Backends, Programs};
use crate::steps::tell::Told;

pub(crate) use headers::{header_map, headers_of_request, set_by_sequence};
pub(crate) use request::{message, path_and_query, say_api};
pub(crate) use runner::{Ended, Reach, Runner};

/// A call that passes, and the sequences on its way.
pub(crate) struct Way<'c> {
    pub(crate) runner: Runner<'c>,
    pub(crate) api: &'c ApiEntry,
    pub(crate) programs: &'c Programs,
    pub(crate) backends: &'c Backends,
    pub(crate) key_type: KeyType,
    /// The path below the API's context.
    pub(crate) rest: &'c str,
    pub(crate) told: Option<&'c Told>,
}

/// An answer, from a backend or a sequence.
pub(crate) type Answered = (Response<()>, Content);

/// Where a request goes.
enum Goes {
    ToBackend,
    To(Target),
    /// Not at all: the message is the answer, and answer sequences follow or not.
    Back {
        through_answer_sequences: bool,
    },
    Nowhere,
}

impl Way<'_> {
    /// Answers the call.
    pub(crate) async fn walk(&self, call: &mut Call, body: RequestBody) -> Result<Answered, Refusal> {
        let gateway = self.runner.gateway;
        if self.programs.broken && gateway.config.uncompilable_sequences == Uncompilable::Refuse {
            return Err(Refusal::Mediation { code: "0", description: "A mediation sequence of the API cannot run".to_owned() });
        }
        let mut message = self.request(call);
        let mut body = body;
        let mut held = None;
        if Programs::reads(&self.programs.request) && !body.is_empty() {
            let most = self.runner.limits.body_bytes;
            let refused = |fault: bodies::NotWhole| fault.refusal(BackendFailure::ClientBody);
            let whole = bodies::whole_request(&mut body, most).await.map_err(refused)?;
            let plain = bodies::plain(&message.headers, &whole, most).map_err(refused)?;
            message.set_body(plain.unwrap_or_else(|| whole.clone()));
            held = Some(whole);
        } else if !body.is_empty() {
            message.payload = Payload::unread();
        }
        let original = message.headers.clone();
        let ended = self.runner.run_all(&self.programs.request, &mut message).await;
        let sent = message.take_sent();
        if !sent.is_empty() && !matches!(ended, Ended::Fault(_)) {
            // Boxed, so that a call whose sequences send no copies carries no room for them.
            return Box::pin(self.with_copies(call, message, &original, ended, sent, (body, held))).await;
        }
        self.onward(call, message, &original, ended, (body, held)).await
    }

    /// What becomes of a request whose sequences are through.
    pub(crate) async fn onward(
        &self,
        call: &mut Call,
        mut message: Message,
        original: &Headers,
        ended: Ended,
        (body, held): (RequestBody, Option<Bytes>),
    ) -> Result<Answered, Refusal> {
        let goes = match ended {
            Ended::Continue | Ended::SendToBackend => Goes::ToBackend,
            Ended::Send(target) => Goes::To(target),
            Ended::Respond => Goes::Back { through_answer_sequences: false },
            Ended::Loopback => Goes::Back { through_answer_sequences: true },
            Ended::Drop => Goes::Nowhere,
            Ended::Fault(fault) => return self.faulted(call, message, original, fault).await,
        };
        if message.direction == Direction::Response && matches!(goes, Goes::ToBackend) {
            return own(&message, original);
        }
        bodies::forget_coding(&mut message, original.get(bodies::CODING));
        match goes {
            Goes::Nowhere => Ok(nothing()),
            Goes::Back { through_answer_sequences: false } => own(&message, original),
            Goes::Back { through_answer_sequences: true } => {
                let status = message.status.unwrap_or(200);
                let headers = set_by_sequence(&message.headers, original);
                let payload = message.payload.bytes().map_or_else(Payload::absent, Payload::whole);
                let content = payload.bytes().map_or(Content::Empty, Content::Text);
                message.begin_answer(status, headers, payload);
                self.answer(call, message, content, None).await
            }
            Goes::ToBackend => {
                let body = outgoing(&message, held, body);
                self.backend(call, message, original, None, body).await
            }
            Goes::To(target) => {
                let body = outgoing(&message, held, body);
                self.backend(call, message, original, Some(target), body).await
            }
        }
    }

    /// The request as sequences see it.
    fn request(&self, call: &Call) -> Message {
        let Runner { gateway, peer, parts, .. } = self.runner;
        let postfix = parts.uri.query().map_or_else(|| self.rest.to_owned(), |query| format!("{}?{query}", self.rest));
        let mut message = message(gateway, peer, parts, postfix);
        message.now = self.runner.now();
        message.headers = headers_of_request(gateway, &parts.headers, Some(self.api), self.told);
        say_api(&mut message.properties, self.api, parts, self.key_type, call.caller.as_ref());
        message
    }

    /// Sends the request on and takes the answer back through the answer sequences.
    async fn backend(
        &self,
        call: &mut Call,
        mut message: Message,
        original: &Headers,
        target: Option<Target>,
        body: RequestBody,
    ) -> Result<Answered, Refusal> {
        let gateway = self.runner.gateway;
        let verb = target.as_ref().and_then(|t| t.method.clone()).unwrap_or_else(|| message.method.clone());
        let prepared = (|| {
            let elsewhere = target.as_ref().map(runner::addressed).transpose()?;
            let method = Method::from_bytes(verb.as_bytes()).map_err(|_| runner::wrong(&format!("'{verb}' is no verb")))?;
            let mut headers = header_map(&message.headers)?;
            headers.insert(&gateway.correlation_header, call.correlation.clone());
            Ok((elsewhere, method, headers))
        })();
        let (elsewhere, method, headers) = match prepared {
            Ok(prepared) => prepared,
            Err(fault) => return self.faulted(call, message, original, fault).await,
        };
        let postfix = message.url_postfix.clone();
        let (rest, query) = match (&elsewhere, postfix.split_once('?')) {
            (Some(_), _) => ("", None),
            (None, Some((rest, query))) => (rest, Some(query)),
            (None, None) => (&*postfix, None),
        };
        let backends = elsewhere.as_ref().unwrap_or(self.backends);
        match self.runner.exchange(backends, &method, rest, query, &headers, body).await {
            Ok((head, link)) => {
                let (mut response, mut content) = held_back(gateway, head, link);
                let headers = headers::headers_of(response.headers());
                let payload = if is_empty(&content) {
                    Payload::absent()
                } else if Programs::reads(&self.programs.response) {
                    let most = self.runner.limits.body_bytes;
                    let refused = |fault: bodies::NotWhole| fault.refusal(BackendFailure::ClosedEarly);
                    let whole = bodies::whole_answer(content, most).await.map_err(refused)?;
                    let plain = bodies::plain(&headers, &whole, most).map_err(refused)?;
                    content = Content::Text(whole.clone());
                    Payload::whole(plain.unwrap_or(whole))
                } else {
                    Payload::unread()
                };
                let length = response.headers_mut().remove(CONTENT_LENGTH);
                let mut headers = headers;
                headers.set(gateway.correlation_header.as_str(), call.correlation.to_str().unwrap_or_default());
                message.begin_answer(response.status().as_u16(), headers, payload);
                self.answer(call, message, content, length).await
            }
            Err(failure) if self.programs.fault.is_some() => self.faulted(call, message, original, runner::fault_of(failure)).await,
            Err(failure) => {
                call.left = Left::Properties(Box::new(message.properties));
                Err(Refusal::Backend(failure))
            }
        }
    }

    /// Takes an answer through the answer sequences. `content` is its body where no sequence makes another, and `length` what was said of
    /// that body's length, which is all there is of it in an answer to HEAD.
    async fn answer(&self, call: &mut Call, message: Message, content: Content, length: Option<HeaderValue>) -> Result<Answered, Refusal> {
        self.answer_through(call, &self.programs.response, message, content, length).await
    }

    /// The same, through those that are left.
    pub(crate) async fn answer_through(
        &self,
        call: &mut Call,
        programs: &[Arc<Program>],
        mut message: Message,
        content: Content,
        length: Option<HeaderValue>,
    ) -> Result<Answered, Refusal> {
        message.now = self.runner.now();
        let coding = message.headers.get(bodies::CODING).map(str::to_owned);
        let ended = self.runner.run_all(programs, &mut message).await;
        let sent = message.take_sent();
        if !sent.is_empty() {
            Box::pin(self.beside(sent)).await;
        }
        match ended {
            Ended::Drop => Ok(nothing()),
            Ended::Fault(fault) => self.faulted(call, message, &Headers::new(), fault).await,
            _ => {
                bodies::forget_coding(&mut message, coding.as_deref());
                let mut headers = header_map(&message.headers).map_err(|fault| refused(&fault))?;
                let content = match message.payload.rewritten() {
                    None => {
                        headers.extend(length.map(|length| (CONTENT_LENGTH, length)));
                        content
                    }
                    Some(Rewritten::Empty) => Content::Empty,
                    Some(Rewritten::Bytes(bytes)) => Content::Text(bytes.clone()),
                };
                Ok(response(status_of(&message, StatusCode::OK), headers, content))
            }
        }
    }

    /// What the API's fault sequence makes of a fault; without one, a refusal.
    pub(crate) async fn faulted(
        &self,
        call: &mut Call,
        mut message: Message,
        original: &Headers,
        fault: Fault,
    ) -> Result<Answered, Refusal> {
        tracing::warn!(target: "mediation", api = &*self.api.name, code = fault.code, detail = fault.detail, "{}", fault.message);
        message.set_fault(&fault);
        let Some(program) = &self.programs.fault else {
            call.left = Left::Properties(Box::new(message.properties));
            return Err(refused(&fault));
        };
        call.left = Left::FaultRan;
        if message.payload.rewritten().is_none() {
            // Whatever came is not the answer.
            message.payload = Payload::absent();
        }
        let original = if original.iter().next().is_some() { original.clone() } else { message.headers.clone() };
        match self.runner.run_all(std::slice::from_ref(program), &mut message).await {
            Ended::Respond | Ended::SendToBackend | Ended::Send(_) | Ended::Loopback => {
                let status = status_of(&message, StatusCode::INTERNAL_SERVER_ERROR);
                let (mut answered, content) = own(&message, &original)?;
                *answered.status_mut() = status;
                Ok((answered, content))
            }
            Ended::Drop if message.direction == Direction::Request => Ok(nothing()),
            // It said nothing to the client.
            _ => Err(refused(&fault)),
        }
    }
}

/// The answer that a sequence made out of a request.
fn own(message: &Message, original: &Headers) -> Result<Answered, Refusal> {
    let mut headers = header_map(&set_by_sequence(&message.headers, original)).map_err(|fault| refused(&fault))?;
    let content = made(message).map_or(Content::Empty, Content::Text);
    if !is_empty(&content)
        && let Some(kind) = content_type(message)
    {
        headers.insert(CONTENT_TYPE, kind);
    }
    Ok(response(status_of(message, StatusCode::OK), headers, content))
}

/// The body that a sequence made, if it made one.
pub(crate) fn made(message: &Message) -> Option<Bytes> {
    match message.payload.rewritten() {
        Some(Rewritten::Bytes(bytes)) if !bytes.is_empty() => Some(bytes.clone()),
        _ => None,
    }
}

/// Type of the body as it stands.
pub(crate) fn content_type(message: &Message) -> Option<HeaderValue> {
    message.content_type().and_then(|kind| HeaderValue::from_str(kind).ok())
}

fn is_empty(content: &Content) -> bool {
    match content {
        Content::Empty => true,
        Content::Text(text) => text.is_empty(),
        Content::Backend(_) => false,
    }
}

/// The body that goes to the backend: what a sequence made, what was held, or what still streams.
fn outgoing(message: &Message, held: Option<Bytes>, streaming: RequestBody) -> RequestBody {
    match (message.payload.rewritten(), held) {
        (Some(Rewritten::Empty), _) => RequestBody::Empty,
        (Some(Rewritten::Bytes(bytes)), _) if bytes.is_empty() => RequestBody::Empty,
        (Some(Rewritten::Bytes(bytes)), _) => RequestBody::Whole(bytes.clone()),
        (None, Some(held)) if held.is_empty() => RequestBody::Empty,
        (None, Some(held)) => RequestBody::Whole(held),
        (None, None) => streaming,
    }
}

/// The status that a sequence set.
pub(crate) fn status_of(message: &Message, otherwise: StatusCode) -> StatusCode {
    message.status.and_then(|status| StatusCode::from_u16(status).ok()).filter(|status| !status.is_informational()).unwrap_or(otherwise)
}

fn response(status: StatusCode, headers: HeaderMap, content: Content) -> Answered {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    (response, content)
}

/// What a waiting client gets where nothing more happens.
pub(crate) fn nothing() -> Answered {
    response(StatusCode::ACCEPTED, HeaderMap::new(), Content::Empty)
}

fn refused(fault: &Fault) -> Refusal {
    let code = match fault.code {
        mediation::UNREADABLE_BODY => "601000",
        _ => "0",
    };
    Refusal::Mediation { code, description: fault.message.clone() }
}
