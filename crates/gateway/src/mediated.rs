//! A call of an API with mediation sequences: in, to the backend, out; or fault.
//!
//! The order is the old product's: authentication, limits and the rest have let the call through, then come the sequences for requests, the
//! backend, and the sequences for answers. What a handler refuses before does not come here. A body is held only when a sequence looks into
//! it, up to the limit of a run; otherwise it streams past. What a sequence wants done, a call outside or another address, is done with the
//! gateway's own connections.
//!
//! When a sequence answers by itself, the client's own headers are not sent back to it, as the old product did; what the sequence set is.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use mediation::{CallRequest, Direction, End, Fault, Headers, Limits, LogLevel, Message, Payload, Program, Rewritten, Scope, Target};
use model::{Endpoint, EndpointSet, KeyType};

use crate::body::{BackendBody, BodyFault, Content, RequestBody};
use crate::gateway::Gateway;
use crate::hops;
use crate::listener::Peer;
use crate::pipeline::Call;
use crate::respond::{BackendFailure, Refusal};
use crate::snapshot::{ApiEntry, Backends, Programs};
use crate::steps::authenticate::bearer_of;
use crate::steps::tell::Told;
use crate::steps::{forward, rewrite, sign_in};

/// A call that passes, and the sequences on its way.
pub(crate) struct Way<'c> {
    pub(crate) gateway: &'c Gateway,
    pub(crate) peer: &'c Peer,
    pub(crate) parts: &'c Parts,
    pub(crate) api: &'c ApiEntry,
    pub(crate) programs: &'c Programs,
    pub(crate) backends: &'c Backends,
    pub(crate) key_type: KeyType,
    /// The path below the API's context.
    pub(crate) rest: &'c str,
    pub(crate) told: Option<&'c Told>,
    pub(crate) limits: Limits,
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
        if self.programs.broken {
            return Err(Refusal::Mediation { code: "0", description: "A mediation sequence of the API cannot run".to_owned() });
        }
        let mut message = self.request(call);
        let mut body = body;
        let mut held = None;
        if Programs::reads(&self.programs.request) && !body.is_empty() {
            let whole = self.gathered(&mut body).await?;
            message.set_body(whole.clone());
            held = Some(whole);
        } else if !body.is_empty() {
            message.payload = Payload::unread();
        }
        let original = message.headers.clone();
        let ended = self.run_all(&self.programs.request, &mut message).await;
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
        call: &Call,
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
            Ended::Fault(fault) => return self.faulted(message, original, fault).await,
        };
        if message.direction == Direction::Response && matches!(goes, Goes::ToBackend) {
            return self.own(&message, original);
        }
        match goes {
            Goes::Nowhere => Ok(nothing()),
            Goes::Back { through_answer_sequences: false } => self.own(&message, original),
            Goes::Back { through_answer_sequences: true } => {
                let status = message.status.unwrap_or(200);
                let headers = set_by_sequence(&message.headers, original);
                let payload = message.payload.bytes().or(held).map_or_else(Payload::absent, Payload::whole);
                let bytes = payload.bytes();
                message.begin_answer(status, headers, payload);
                self.answer(message, bytes.map_or(Content::Empty, Content::Text)).await
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
        let parts = self.parts;
        let asked = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        let mut message = Message::request(parts.method.as_str(), asked);
        message.scheme = if self.peer.tls { "https" } else { "http" }.to_owned();
        message.url_postfix = parts.uri.query().map_or_else(|| self.rest.to_owned(), |query| format!("{}?{query}", self.rest));
        message.client_address = rewrite::client_address(&parts.headers, self.peer, &self.gateway.config.trusted_proxies).to_string();
        message.message_id = format!("urn:uuid:{}", uuid::Uuid::new_v4());
        message.now = self.now();
        message.headers = self.headers_of_request();
        let properties = &mut message.properties;
        let mut say = |name: &str, value: &str| properties.set(Scope::Default, name, value);
        say("API_NAME", &self.api.name);
        say("REST_API_CONTEXT", &self.api.context);
        say("SYNAPSE_REST_API_VERSION", &self.api.version);
        say("REST_FULL_REQUEST_PATH", asked);
        say("AM_KEY_TYPE", if self.key_type == KeyType::Sandbox { "SANDBOX" } else { "PRODUCTION" });
        say("api.ut.context", &self.api.context);
        say("api.ut.version", &self.api.version);
        say("api.ut.api", &self.api.name);
        say("api.ut.HTTP_METHOD", parts.method.as_str());
        if let Some(caller) = call.caller() {
            say("api.ut.userId", &caller.user);
            say("api.ut.application.name", &caller.application.name);
            say("api.ut.application.id", &caller.application.number.to_string());
        }
        for (name, value) in query_parameters(parts.uri.query()) {
            say(&format!("query.param.{name}"), &value);
        }
        message
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.gateway.clock.now().wall_ms).unwrap_or_default())
    }

    /// The client's headers but for framing, what names its own connection, and the token, which sequences never saw.
    fn headers_of_request(&self) -> Headers {
        let all = &self.parts.headers;
        let token_header =
            (!self.api.prototype && !self.gateway.config.forward_authorization).then(|| self.gateway.token_header(self.api).0);
        let named: Vec<&[u8]> = hops::named(all).filter(|element| hops::may_be_named(element)).collect();
        let mut headers = Headers::new();
        for (name, value) in all {
            let bytes = name.as_str().as_bytes();
            let stays = hops::is_hop(bytes)
                || named.iter().any(|element| element.eq_ignore_ascii_case(bytes))
                || name == CONTENT_LENGTH
                || self.told.is_some_and(|told| told.header == *name);
            let Ok(text) = value.to_str() else { continue };
            if stays {
                continue;
            }
            if token_header == Some(name) {
                let rest: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty() && bearer_of(part).is_none()).collect();
                if !rest.is_empty() {
                    headers.append(name.as_str(), rest.join(", "));
                }
                continue;
            }
            headers.append(name.as_str(), text);
        }
        if let Some(Told { header, token: Some(token) }) = self.told
            && let Ok(token) = token.to_str()
        {
            headers.append(header.as_str(), token);
        }
        headers
    }

    /// Runs programs one after the other, until one ends the way. Calls outside are made on the way.
    async fn run_all(&self, programs: &[Arc<Program>], message: &mut Message) -> Ended {
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

    pub(crate) fn log(&self, lines: &[mediation::LogLine]) {
        let api = &*self.api.name;
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
        let backends = elsewhere.as_ref().unwrap_or(self.backends);
        let method = Method::from_bytes(wanted.method.as_bytes()).map_err(|_| wrong(&format!("'{}' is no verb", wanted.method)))?;
        let headers = header_map(&wanted.headers)?;
        let body = wanted.body.filter(|b| !b.is_empty()).map_or(RequestBody::Empty, RequestBody::Whole);
        let (rest, query) = match elsewhere {
            Some(_) => ("", None),
            None => match wanted.postfix.split_once('?') {
                Some((rest, query)) => (rest, Some(query)),
                None => (&*wanted.postfix, None),
            },
        };
        let (head, link) = self.exchange(backends, &method, rest, query, &headers, body).await.map_err(fault_of)?;
        let (answer, content) = self.held_back(head, link);
        let body = self.gathered_answer(content).await.map_err(|_| wrong("the answer to a call is too long or broke off"))?;
        Ok(mediation::Answer { status: answer.status().as_u16(), headers: headers_of(answer.headers()), body })
    }

    async fn exchange(
        &self,
        backends: &Backends,
        method: &Method,
        rest: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        body: RequestBody,
    ) -> Result<(crate::upstream::AnswerHead, Box<crate::upstream::Link>), BackendFailure> {
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

    /// Sends the request on and takes the answer back through the answer sequences.
    async fn backend(
        &self,
        call: &Call,
        mut message: Message,
        original: &Headers,
        target: Option<Target>,
        body: RequestBody,
    ) -> Result<Answered, Refusal> {
        let verb = target.as_ref().and_then(|t| t.method.clone()).unwrap_or_else(|| message.method.clone());
        let prepared = (|| {
            let elsewhere = target.as_ref().map(addressed).transpose()?;
            let method = Method::from_bytes(verb.as_bytes()).map_err(|_| wrong(&format!("'{verb}' is no verb")))?;
            let mut headers = header_map(&message.headers)?;
            headers.insert(&self.gateway.correlation_header, call.correlation().clone());
            Ok((elsewhere, method, headers))
        })();
        let (elsewhere, method, headers) = match prepared {
            Ok(prepared) => prepared,
            Err(fault) => return self.faulted(message, original, fault).await,
        };
        let postfix = message.url_postfix.clone();
        let (rest, query) = match (&elsewhere, postfix.split_once('?')) {
            (Some(_), _) => ("", None),
            (None, Some((rest, query))) => (rest, Some(query)),
            (None, None) => (&*postfix, None),
        };
        let backends = elsewhere.as_ref().unwrap_or(self.backends);
        match self.exchange(backends, &method, rest, query, &headers, body).await {
            Ok((head, link)) => {
                let (mut response, mut content) = self.held_back(head, link);
                let payload = if Programs::reads(&self.programs.response) && !is_empty(&content) {
                    let whole = self.gathered_answer(content).await?;
                    content = Content::Text(whole.clone());
                    Payload::whole(whole)
                } else if is_empty(&content) {
                    Payload::absent()
                } else {
                    Payload::unread()
                };
                response.headers_mut().insert(&self.gateway.correlation_header, call.correlation().clone());
                message.begin_answer(response.status().as_u16(), headers_of(response.headers()), payload);
                self.answer(message, content).await
            }
            Err(failure) if self.programs.fault.is_some() => self.faulted(message, original, fault_of(failure)).await,
            Err(failure) => Err(Refusal::Backend(failure)),
        }
    }

    /// A backend's answer with its body, as it comes.
    fn held_back(&self, head: crate::upstream::AnswerHead, mut link: Box<crate::upstream::Link>) -> Answered {
        let mut decoder = head.body;
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        let gateway = self.gateway;
        let content = match link.whole(&mut decoder) {
            Some(text) => {
                gateway.pool.keep(link);
                if text.is_empty() { Content::Empty } else { Content::Text(text) }
            }
            None => {
                Content::Backend(Box::new(BackendBody::new(decoder, link, Arc::clone(&gateway.pool), gateway.config.body_idle_timeout)))
            }
        };
        (response, content)
    }

    /// Takes an answer through the answer sequences. `content` is its body where no sequence makes another.
    async fn answer(&self, message: Message, content: Content) -> Result<Answered, Refusal> {
        self.answer_through(&self.programs.response, message, content).await
    }

    /// The same, through those that are left.
    pub(crate) async fn answer_through(
        &self,
        programs: &[Arc<Program>],
        mut message: Message,
        content: Content,
    ) -> Result<Answered, Refusal> {
        message.now = self.now();
        let ended = self.run_all(programs, &mut message).await;
        let sent = message.take_sent();
        if !sent.is_empty() {
            Box::pin(self.beside(sent)).await;
        }
        match ended {
            Ended::Drop => Ok(nothing()),
            Ended::Fault(fault) => self.faulted(message, &Headers::new(), fault).await,
            _ => {
                let content = match message.payload.rewritten() {
                    None => content,
                    Some(Rewritten::Empty) => Content::Empty,
                    Some(Rewritten::Bytes(bytes)) => Content::Text(bytes.clone()),
                };
                let headers = header_map(&message.headers).map_err(|fault| refused(&fault))?;
                Ok(response(status_of(&message, StatusCode::OK), headers, content))
            }
        }
    }

    /// The answer that a sequence made out of a request.
    fn own(&self, message: &Message, original: &Headers) -> Result<Answered, Refusal> {
        let mut headers = header_map(&set_by_sequence(&message.headers, original)).map_err(|fault| refused(&fault))?;
        let content = match message.payload.rewritten() {
            Some(Rewritten::Bytes(bytes)) if !bytes.is_empty() => Content::Text(bytes.clone()),
            _ => Content::Empty,
        };
        if !is_empty(&content)
            && let Some(kind) = message.content_type().and_then(|kind| HeaderValue::from_str(kind).ok())
        {
            headers.insert(CONTENT_TYPE, kind);
        }
        Ok(response(status_of(message, StatusCode::OK), headers, content))
    }

    /// What the fault sequence makes of a fault; without one, the gateway's own answer.
    pub(crate) async fn faulted(&self, mut message: Message, original: &Headers, fault: Fault) -> Result<Answered, Refusal> {
        tracing::warn!(target: "mediation", api = &*self.api.name, code = fault.code, detail = fault.detail, "{}", fault.message);
        let Some(program) = &self.programs.fault else { return Err(refused(&fault)) };
        message.set_fault(&fault);
        if message.payload.rewritten().is_none() {
            // Whatever came is not the answer.
            message.payload = Payload::absent();
        }
        let original = if original.iter().next().is_some() { original.clone() } else { message.headers.clone() };
        match self.run_all(std::slice::from_ref(program), &mut message).await {
            Ended::Respond | Ended::SendToBackend | Ended::Send(_) | Ended::Loopback => {
                let status = status_of(&message, StatusCode::INTERNAL_SERVER_ERROR);
                let (mut answered, content) = self.own(&message, &original)?;
                *answered.status_mut() = status;
                Ok((answered, content))
            }
            Ended::Drop if message.direction == Direction::Request => Ok(nothing()),
            // It said nothing to the client.
            _ => Err(refused(&fault)),
        }
    }

    /// A client's whole body, up to the limit of a run.
    async fn gathered(&self, body: &mut RequestBody) -> Result<Bytes, Refusal> {
        self.whole(body).await.map_err(|fault| fault.refusal(BackendFailure::ClientBody))
    }

    /// A backend's whole body, up to the same.
    async fn gathered_answer(&self, content: Content) -> Result<Bytes, Refusal> {
        match content {
            Content::Empty => Ok(Bytes::new()),
            Content::Text(text) => Ok(text),
            Content::Backend(mut body) => self.whole(&mut *body).await.map_err(|fault| fault.refusal(BackendFailure::ClosedEarly)),
        }
    }

    async fn whole<B: Body<Data = Bytes, Error = BodyFault> + Unpin>(&self, body: &mut B) -> Result<Bytes, NotWhole> {
        let mut whole = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            let frame = frame.map_err(|fault| {
                tracing::debug!(fault = &fault as &dyn std::error::Error, "a message that a sequence reads broke off");
                NotWhole::BrokeOff
            })?;
            if let Some(data) = frame.data_ref() {
                if whole.len() + data.len() > self.limits.body_bytes {
                    return Err(NotWhole::TooLong(self.limits.body_bytes));
                }
                whole.extend_from_slice(data);
            }
        }
        Ok(whole.freeze())
    }
}

/// A body could not be held.
enum NotWhole {
    BrokeOff,
    TooLong(usize),
}

impl NotWhole {
    fn refusal(self, broke_off: BackendFailure) -> Refusal {
        match self {
            Self::BrokeOff => Refusal::Backend(broke_off),
            Self::TooLong(most) => {
                let description = format!("The message is longer than the {most} bytes that its mediation sequence may hold");
                Refusal::Mediation { code: "601000", description }
            }
        }
    }
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

fn addressed(target: &Target) -> Result<Backends, Fault> {
    let endpoint = |url: &str, timeout: Option<Duration>| Endpoint {
        url: url.to_owned(),
        timeout_ms: timeout.and_then(|t| u64::try_from(t.as_millis()).ok()),
    };
    let failovers = target.others.iter().map(|other| endpoint(&other.uri, other.timeout)).collect();
    let set = EndpointSet { primary: vec![endpoint(&target.uri, target.timeout)], failovers };
    Backends::new(&set, None).map_err(|fault| wrong(&fault.to_string()))
}

fn headers_of(map: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in map {
        if let Ok(text) = value.to_str() {
            headers.append(name.as_str(), text);
        }
    }
    headers
}

/// Headers that can be sent; framing is ours.
fn header_map(headers: &Headers) -> Result<HeaderMap, Fault> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        let sent = HeaderName::try_from(name).map_err(|_| wrong(&format!("'{name}' is no name of a header")))?;
        if hops::is_hop(sent.as_str().as_bytes()) || sent == CONTENT_LENGTH {
            continue;
        }
        let value = HeaderValue::try_from(value).map_err(|_| wrong(&format!("the header {name} cannot hold what was set")))?;
        map.append(sent, value);
    }
    Ok(map)
}

/// What a sequence set, without what the client sent and nobody touched.
fn set_by_sequence(now: &Headers, original: &Headers) -> Headers {
    let mut set = Headers::new();
    for (name, value) in now.iter() {
        if original.get(name) != Some(value) {
            set.append(name, value);
        }
    }
    set
}

/// Query parameters with their escapes undone, as `query.param.*` has them.
fn query_parameters(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.unwrap_or_default().split('&').filter(|part| !part.is_empty()).map(move |part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (plain(name), plain(value))
    })
}

fn status_of(message: &Message, otherwise: StatusCode) -> StatusCode {
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

fn fault_of(failure: BackendFailure) -> Fault {
    let (code, message) = failure.words();
    Fault { code: code.parse().unwrap_or_default(), message: message.to_owned(), detail: "the backend".to_owned() }
}

fn wrong(words: &str) -> Fault {
    Fault { code: 0, message: "The sequence made a message that cannot be sent".to_owned(), detail: words.to_owned() }
}

fn refused(fault: &Fault) -> Refusal {
    let code = match fault.code {
        mediation::UNREADABLE_BODY => "601000",
        _ => "0",
    };
    Refusal::Mediation { code, description: fault.message.clone() }
}
