//! What a refused call is answered: the gateway's own answer in its tenant's form, or what error sequences of the site's make of it.
//!
//! Old gateways ran a named sequence for each kind of refusal, from the tenant's own configuration: one tenant's never answered for another.
//! The handlers of authentication and limits let their sequence run first and then built their answer, unless it had answered by itself; so a
//! sequence that runs through adds headers, and may name the answer's type, and no more. Everything else was answered by its sequence alone.
//! Those of resources and keys end in `fault`, and all stock ones add the cross-origin headers by `_cors_request_handler_`.
//!
//! A refusal never becomes a pass. Whatever a sequence does, its message is only ever an answer: `send` and `loopback` answer, an endpoint of
//! `send` is not called, calls outside cannot go to the API's backends, and one that says nothing (`drop`), fails, takes too long or makes too
//! much leaves the answer as it was. The client's body is not read for it, so sequences see none. Where a sequence sets no status, the
//! refusal's own stays, whereas old gateways said 200.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    CONTENT_LENGTH, CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use mediation::{Limits, Message, Payload, Scope};
use model::{ErrorHandler, KeyType};

use crate::call::{Call, Left};
use crate::gateway::Gateway;
use crate::listener::Peer;
use crate::mediated::{self, Ended, Reach, Runner};
use crate::pipeline::empty_answer;
use crate::respond::{Answer, BackendFailure, Named, Refusal, Said, Told};
use crate::snapshot::{Handler, HandlerForm, TenantHandlers};
use crate::steps::{authenticate, cors};

/// Longest body of an answer, and of what is fetched for it.
const BODY_MAX_BYTES: usize = 1 << 20;

/// Most calls outside for one answer.
const CALLS_MAX: u32 = 5;

/// The gateway's own answer to a refused call, in the form that its API's tenant keeps. `named` is what an error sequence said of the form.
pub(crate) fn plain(gateway: &Gateway, call: &Call, parts: &Parts, refusal: &Refusal, named: Option<Named>) -> Answer {
    in_form(gateway, call, parts, named, |format, told| refusal.answer(format, told))
}

fn in_form<T>(
    gateway: &Gateway,
    call: &Call,
    parts: &Parts,
    named: Option<Named>,
    make: impl FnOnce(model::ErrorFormat, &Told<'_>) -> T,
) -> T {
    let api = call.api.as_deref();
    let snapshot = gateway.current.load();
    let format = snapshot.error_format(api, parts.uri.path());
    let site_header = api.and_then(|api| snapshot.domain_header(api.tenant)).unwrap_or(&gateway.site_header);
    let told = Told {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        api,
        token: api.and_then(|api| {
            let (header, shown) = gateway.token_header(api);
            authenticate::bearer(&parts.headers, header, shown).ok()
        }),
        site: parts.headers.get(site_header).and_then(|v| v.to_str().ok()),
        named,
    };
    make(format, &told)
}

/// An answer that error sequences of the site's have a say in.
pub(crate) struct Errors<'c> {
    peer: &'c Peer,
    call: &'c Call,
    parts: &'c Parts,
    /// `None` for a preflight, which is refused nothing.
    refusal: Option<&'c Refusal>,
    /// Run one after the other, each over what came of the one before. Never empty.
    steps: Vec<Handler>,
}

impl<'c> Errors<'c> {
    /// `None` where no sequence of the site's has to do with such a refusal.
    pub(crate) fn of(peer: &'c Peer, call: &'c Call, parts: &'c Parts, refusal: &'c Refusal) -> Option<Self> {
        let snapshot = peer.gateway.current.load();
        let handlers = snapshot.handlers(call.api.as_deref(), parts.uri.path())?;
        let steps = steps(handlers, call, refusal);
        (!steps.is_empty()).then_some(Self { peer, call, parts, refusal: Some(refusal), steps })
    }

    /// The same of the answer to a preflight.
    pub(crate) fn of_preflight(peer: &'c Peer, call: &'c Call, parts: &'c Parts) -> Option<Self> {
        let snapshot = peer.gateway.current.load();
        let cors = snapshot.handlers(call.api.as_deref(), parts.uri.path())?.get(&ErrorHandler::Cors)?.clone();
        Some(Self { peer, call, parts, refusal: None, steps: vec![cors] })
    }

    /// The answer.
    pub(crate) async fn answer(self) -> Answer {
        let patience: Duration = self.peer.gateway.config.error_sequence_timeout;
        match tokio::time::timeout(patience, self.run()).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(target: "mediation", "an error sequence took longer than {patience:?}");
                self.unchanged(None)
            }
        }
    }

    async fn run(&self) -> Answer {
        let mut answer = self.unchanged(None);
        for step in &self.steps {
            answer = self.over(step, answer).await;
        }
        answer
    }

    /// What the answer is without any sequence.
    fn unchanged(&self, named: Option<Named>) -> Answer {
        match self.refusal {
            Some(refusal) => plain(&self.peer.gateway, self.call, self.parts, refusal, named),
            None => empty_answer(),
        }
    }

    /// What a sequence makes of the answer `before` it.
    async fn over(&self, step: &Handler, before: Answer) -> Answer {
        let runner = Runner {
            gateway: &self.peer.gateway,
            peer: self.peer,
            parts: self.parts,
            owner: step.handler.name(),
            reach: Reach::Refused(self.call.api.as_deref()),
            limits: Limits { calls: CALLS_MAX, body_bytes: BODY_MAX_BYTES, ..Limits::default() },
        };
        let mut message = self.message(step, &before);
        message.now = runner.now();
        let original = message.headers.clone();
        let said = match runner.run_all(std::slice::from_ref(&step.program), &mut message).await {
            Ended::Fault(fault) => {
                tracing::warn!(target: "mediation", handler = step.handler.name(), code = fault.code, detail = fault.detail, "{}", fault.message);
                return before;
            }
            Ended::Respond | Ended::Send(_) | Ended::SendToBackend | Ended::Loopback => true,
            Ended::Continue => false,
            // What stands behind the stock sequence's own end runs over the answer all the same.
            Ended::Drop if step.form == HandlerForm::Additions => false,
            Ended::Drop => return before,
        };
        let headers = match mediated::header_map(&mediated::set_by_sequence(&message.headers, &original)) {
            Ok(headers) => headers,
            Err(fault) => {
                tracing::warn!(target: "mediation", handler = step.handler.name(), detail = fault.detail, "{}", fault.message);
                return before;
            }
        };
        let lets_through = matches!(step.handler, ErrorHandler::AuthFailure | ErrorHandler::ThrottleOut);
        match (said, step.form) {
            (true, HandlerForm::Whole) => in_place(before, &message, headers),
            (false, _) if lets_through => {
                let named = named_by(&message);
                let before = if named.is_some() { self.unchanged(named) } else { before };
                with(before, headers)
            }
            (false, HandlerForm::Whole) if step.handler == ErrorHandler::Cors => with(before, headers),
            (false, HandlerForm::Whole) => before,
            (_, HandlerForm::Additions) => changed(before, &message, headers),
        }
    }

    /// The call as a sequence sees it: a request with nothing in it or, where it runs over an answer, that answer's status and body.
    fn message(&self, step: &Handler, before: &Answer) -> Message {
        let (gateway, parts) = (&*self.peer.gateway, self.parts);
        let api = self.call.api.as_deref();
        let mut message = mediated::message(gateway, self.peer, parts, self.postfix());
        message.headers = mediated::headers_of_request(gateway, &parts.headers, api, None);
        if step.form == HandlerForm::Additions {
            message.status = Some(before.status.as_u16());
            message.headers.remove(CONTENT_TYPE.as_str());
            if let Some(kind) = before.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) {
                message.headers.append(CONTENT_TYPE.as_str(), kind);
            }
            if !before.text.is_empty() {
                message.payload = Payload::whole(before.text.clone());
            }
        }
        let failed = match &self.call.left {
            Left::Properties(left) => {
                message.properties = (**left).clone();
                if step.form == HandlerForm::Additions {
                    // Stock takes away what was said of another body before it makes its own.
                    for name in ["NO_ENTITY_BODY", "ContentType", "messageType"] {
                        message.properties.remove(Scope::Axis2, name);
                    }
                }
                matches!(self.refusal, Some(Refusal::Mediation { .. }))
            }
            Left::Nothing | Left::FaultRan => false,
        };
        if let Some(api) = api {
            let key_type = self.call.caller.as_ref().map_or(KeyType::Production, |caller| caller.key_type);
            mediated::say_api(&mut message.properties, api, parts, key_type, self.call.caller.as_ref());
        }
        self.say_cors(&mut message);
        if let Some(refusal) = self.refusal {
            self.say_refusal(&mut message, refusal, before.status, failed);
        }
        message
    }

    /// The path and query behind the API's context; for a call to no API all of it, without the slash at its head.
    fn postfix(&self) -> String {
        let whole = mediated::path_and_query(self.parts);
        let rest = match &self.call.api {
            Some(api) => api.contexts().find_map(|context| whole.strip_prefix(&**context)),
            None => whole.strip_prefix('/'),
        };
        rest.unwrap_or(whole).to_owned()
    }

    /// What the old gateway said of a refusal, by the same names. `failed` says that a sequence of the API has said it already.
    fn say_refusal(&self, message: &mut Message, refusal: &Refusal, status: StatusCode, failed: bool) {
        let said: Said = in_form(&self.peer.gateway, self.call, self.parts, None, |format, told| refusal.said(format, told));
        let properties = &mut message.properties;
        let mut say = |name: &str, value: &str| properties.set(Scope::Default, name, value);
        let status = status.as_u16().to_string();
        say("HTTP_RESPONSE_STATUS_CODE", &status);
        if let Some(format) = Refusal::soap(&self.parts.headers) {
            say("MESSAGE_FORMAT", format);
        }
        match refusal {
            Refusal::NotFound => return,
            Refusal::Transport(scheme) => {
                say("TRANSPORT_DENIED", "true");
                say("IN_TRANSPORT", scheme);
                return;
            }
            Refusal::NoResource | Refusal::WrongVerb | Refusal::NoBackend(_) => say("CUSTOM_HTTP_SC", &status),
            Refusal::Throttle(_) => {
                if let Some(next) = &said.next_access {
                    say("NEXT_ACCESS_UTC_TIME", next);
                }
            }
            _ => {}
        }
        if !failed {
            // Where stock builds the body around a fixed word, the message is what it describes.
            let built_by_handler = matches!(refusal, Refusal::Auth(_) | Refusal::Throttle(_));
            let words = if built_by_handler { &said.message } else { &said.description };
            say("ERROR_CODE", &said.code);
            say("ERROR_MESSAGE", words);
            say("ERROR_DETAIL", &said.description);
            say("ERROR_EXCEPTION", words);
        }
    }

    /// The cross-origin headers that the answer will have, as stock's `_cors_request_handler_` wants them.
    fn say_cors(&self, message: &mut Message) {
        let gateway = &self.peer.gateway;
        let Some(rules) = self.call.api.as_ref().and_then(|api| gateway.cors_rules(api)) else { return };
        let mut headers = HeaderMap::new();
        cors::decorate(&mut headers, rules, self.call.verbs, &self.call.asked, &gateway.method_lists, &gateway.expose_headers);
        message.properties.set(Scope::Default, "CORSConfiguration.Enabled", "true");
        for (name, shown) in [
            (ACCESS_CONTROL_ALLOW_ORIGIN, "Access-Control-Allow-Origin"),
            (ACCESS_CONTROL_ALLOW_METHODS, "Access-Control-Allow-Methods"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "Access-Control-Allow-Headers"),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, "Access-Control-Allow-Credentials"),
        ] {
            if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                message.properties.set(Scope::Default, shown, value);
            }
        }
    }
}

/// Which sequences of the site's answer for a refusal, and in which order.
fn steps(handlers: &TenantHandlers, call: &Call, refusal: &Refusal) -> Vec<Handler> {
    let (first, through_fault) = match refusal {
        Refusal::Auth(_) => (ErrorHandler::AuthFailure, false),
        Refusal::Throttle(_) => (ErrorHandler::ThrottleOut, false),
        Refusal::NoResource | Refusal::WrongVerb => (ErrorHandler::ResourceMismatch, true),
        Refusal::NoBackend(KeyType::Production) => (ErrorHandler::ProductionKey, true),
        Refusal::NoBackend(KeyType::Sandbox) => (ErrorHandler::SandboxKey, true),
        Refusal::NotFound | Refusal::Transport(_) => (ErrorHandler::Main, false),
        Refusal::Backend(BackendFailure::ClientBody) => return Vec::new(),
        Refusal::Backend(_) | Refusal::Mediation { .. } if matches!(call.left, Left::FaultRan) => return Vec::new(),
        // Without an API, it was the key desk's.
        Refusal::Backend(_) if call.api.is_none() => (ErrorHandler::TokenFault, false),
        Refusal::Backend(_) | Refusal::Mediation { .. } => (ErrorHandler::Fault, false),
        Refusal::BadPath(_) | Refusal::BadQuery | Refusal::TransferCoding | Refusal::Blocked => return Vec::new(),
    };
    let own = handlers.get(&first);
    let is_whole = |handler: &&Handler| handler.form == HandlerForm::Whole;
    if let Some(whole) = own.filter(is_whole) {
        return vec![whole.clone()];
    }
    let fault = through_fault.then(|| handlers.get(&ErrorHandler::Fault)).flatten();
    // A whole sequence of the site's calls what it wants called by itself; `main` never added such headers.
    let calls_cors = first != ErrorHandler::Main && fault.filter(is_whole).is_none();
    let cors = calls_cors.then(|| handlers.get(&ErrorHandler::Cors)).flatten();
    fault.into_iter().chain(own).chain(cors).cloned().collect()
}

/// The answer that a sequence made in the place of another.
fn in_place(before: Answer, message: &Message, mut headers: HeaderMap) -> Answer {
    let text = mediated::made(message).unwrap_or_default();
    match mediated::content_type(message).filter(|_| !text.is_empty()) {
        Some(kind) => drop(headers.insert(CONTENT_TYPE, kind)),
        None => drop(headers.remove(CONTENT_TYPE)),
    }
    Answer { status: mediated::status_of(message, before.status), headers, text, code: before.code }
}

/// An answer with what a sequence changed in it.
fn changed(before: Answer, message: &Message, headers: HeaderMap) -> Answer {
    let mut answer = with(before, headers);
    answer.status = mediated::status_of(message, answer.status);
    if message.payload.rewritten().is_some() {
        answer.text = mediated::made(message).unwrap_or_default();
        answer.headers.remove(CONTENT_LENGTH);
        match mediated::content_type(message).filter(|_| !answer.text.is_empty()) {
            Some(kind) => drop(answer.headers.insert(CONTENT_TYPE, kind)),
            None => drop(answer.headers.remove(CONTENT_TYPE)),
        }
    }
    answer
}

/// An answer with more headers; of one name the new ones stand in the place of the old.
fn with(mut answer: Answer, mut headers: HeaderMap) -> Answer {
    // The type goes with the body, which is as it was or has its own.
    headers.remove(CONTENT_TYPE);
    for name in headers.keys() {
        answer.headers.remove(name);
    }
    for (name, value) in &headers {
        answer.headers.append(name, value.clone());
    }
    answer
}

/// The form that a sequence names for the answer that is built behind it.
fn named_by(message: &Message) -> Option<Named> {
    let named = message.property(Scope::Default, "error_message_type")?.to_string();
    match named.trim().to_ascii_lowercase().as_str() {
        "application/json" => Some(Named::Json),
        "application/xml" | "text/xml" => Some(Named::Xml),
        _ => None,
    }
}
