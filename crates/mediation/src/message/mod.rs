//! The message that a sequence works on. The gateway fills it, runs programs over it and reads back what became of it.

mod envelope;
mod headers;
mod held;
mod media;
mod payload;
mod properties;

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::failure::Failure;
use crate::limits::Limits;
use crate::run::Sent;

pub(crate) use envelope::{Envelope, Format, SOAP11, SOAP12, soap_format, text_element};
pub use headers::Headers;
pub(crate) use held::{Held, Permit};
pub(crate) use media::{Media, in_utf8, mime};
pub use payload::{Payload, Rewritten};
pub(crate) use payload::{bounds, fits, fits_json};
pub use properties::{Properties, Scope, Value, Xml};

/// What cannot stand in an address; everything else stays as the sequence wrote it.
const NOT_IN_ADDRESS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the backend.
    Request,
    /// From the backend, or from us, to the client.
    Response,
}

/// What went wrong, as fault sequences see it in `ERROR_CODE`, `ERROR_MESSAGE`, `ERROR_DETAIL`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// Number; 0 where the old product gave none.
    pub code: i64,
    /// What happened, fit for the client as the old product's stock fault sequence shows it.
    pub message: String,
    /// Where: file, line and mediator. For the log.
    pub detail: String,
}

/// Code of a body that cannot be read as what its content type says.
pub const UNREADABLE_BODY: i64 = 601_000;

/// A request or an answer on its way.
///
/// Set the fields the old product's sequences read; run; read them back. `method`, `url_postfix`, `to`, `headers` and `status` after a run
/// are what is to be sent. The body is in `payload`, and was rewritten only if [`Payload::rewritten`] says so.
#[derive(Debug, Clone)]
pub struct Message {
    /// Which way it goes; `<property name="RESPONSE" value="true"/>`, `respond` and [`Message::begin_answer`] turn it.
    pub direction: Direction,
    /// Verb. Sequences know it as axis2 property `HTTP_METHOD`.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// What follows the API's context and version, query included: `/menu?size=2`. Axis2 property `REST_URL_POSTFIX`.
    pub url_postfix: String,
    /// Address: in a request the path and query as the client sent them (`/pizza/1.0.0/menu?size=2`) until a sequence sets another. A set
    /// one that is absolute is where `<send/>` goes. `None` once removed.
    pub to: Option<String>,
    /// Address of the client. Axis2 properties `REMOTE_ADDR` and `REMOTE_HOST`.
    pub client_address: String,
    /// Identity of the message: `get-property('MessageID')`.
    pub message_id: String,
    /// Time since the Unix epoch, UTC, when the message is run: `get-property('SYSTEM_TIME')`, a script's `new Date()`.
    pub now: Duration,
    /// Transport headers.
    pub headers: Headers,
    /// HTTP status of an answer. Axis2 property `HTTP_SC`; set in a request it is the status of the answer that the sequence makes.
    pub status: Option<u16>,
    /// Other properties. The gateway adds `api.ut.*`, `API_NAME`, `uri.var.*`, `query.param.*`, … to [`Scope::Default`].
    pub properties: Properties,
    /// The body.
    pub payload: Payload,
    pub(crate) held: Held,
}

impl Message {
    /// A request with nothing said but its verb and address.
    #[must_use]
    pub fn request(method: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            direction: Direction::Request,
            method: method.into(),
            scheme: "https".to_owned(),
            url_postfix: String::new(),
            to: Some(to.into()),
            client_address: String::new(),
            message_id: String::new(),
            now: Duration::ZERO,
            headers: Headers::new(),
            status: None,
            properties: Properties::default(),
            payload: Payload::absent(),
            held: Held::default(),
        }
    }

    /// Turns a request into the answer that came for it: headers, status and body are the answer's; properties stay but those of the axis2
    /// scopes. The body is [`Payload::unread`] or whole, see [`Program::body_use`](crate::Program::body_use).
    pub fn begin_answer(&mut self, status: u16, headers: Headers, payload: Payload) {
        self.direction = Direction::Response;
        self.properties.begin_answer();
        self.status = Some(status);
        self.headers = headers;
        self.payload = payload;
        self.to = None;
    }

    /// Tells a fault sequence what happened. `ERROR_CODE` is text, as the old product's stock sequences expect to print it.
    pub fn set_fault(&mut self, fault: &Fault) {
        self.properties.set(Scope::Default, "ERROR_CODE", fault.code.to_string());
        self.properties.set(Scope::Default, "ERROR_MESSAGE", fault.message.as_str());
        self.properties.set(Scope::Default, "ERROR_DETAIL", fault.detail.as_str());
        self.properties.set(Scope::Default, "ERROR_EXCEPTION", fault.message.as_str());
    }

    /// Copies that the programs which ran sent off, to be sent whatever became of the message itself. When nothing became of it
    /// ([`End::Drop`](crate::End::Drop)), the answers to these go through the answer sequences: [`Program::gather`](crate::Program::gather).
    #[must_use]
    pub fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.held.sent)
    }

    /// Content type of the body as it stands.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get("Content-Type")
    }

    /// Gives the whole body, for a program that reads it.
    pub fn set_body(&mut self, body: Bytes) {
        self.payload = Payload::whole(body);
    }

    /// A property as the old product's mediators saw it, the values that are fields of ours included.
    #[must_use]
    pub fn property(&self, scope: Scope, name: &str) -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        match (scope, name) {
            (Scope::Transport, name) => self.headers.get(name).and_then(text),
            (Scope::Axis2, "HTTP_METHOD" | "HTTP_METHOD_OBJECT") => text(&self.method),
            (Scope::Axis2, "REST_URL_POSTFIX") => Some(&self.url_postfix).filter(|p| !p.is_empty()).and_then(|p| text(p)),
            (Scope::Axis2, "HTTP_SC") => self.status.map(|status| Value::Integer(i64::from(status))),
            (Scope::Axis2, "REMOTE_ADDR" | "REMOTE_HOST") => text(&self.client_address),
            (Scope::Axis2, "TransportInURL") if self.direction == Direction::Request => {
                self.properties.get(scope, name).cloned().or_else(|| self.to.as_deref().and_then(text))
            }
            (Scope::Axis2, "messageType" | "ContentType") => self.properties.get(scope, name).cloned().or_else(|| {
                let mime = |whole: &str| {
                    if name == "messageType" { whole.split(';').next().unwrap_or_default().trim().to_owned() } else { whole.to_owned() }
                };
                self.content_type().map(|whole| Value::Text(mime(whole)))
            }),
            (scope, name) => self.properties.get(scope, name).cloned(),
        }
    }

    /// Sets a property as a mediator does, with what that means for the message.
    ///
    /// Headers and verbs that HTTP could not send are a failure here rather than a broken request later.
    pub(crate) fn set_property(&mut self, scope: Scope, name: &str, value: Value) -> Result<(), Failure> {
        match (scope, name) {
            (Scope::Transport, name) => {
                if !headers::is_token(name) {
                    return Err(Failure {
                        detail: crate::xml::shortened(name),
                        ..Failure::new("A transport header has a name that HTTP does not allow")
                    });
                }
                let text: String = value.to_string().chars().filter(|c| *c == '\t' || !c.is_control()).collect();
                self.headers.set(name, text);
            }
            (Scope::Axis2, "HTTP_METHOD") => {
                let verb = value.to_string();
                if !headers::is_token(&verb) {
                    return Err(Failure::new("HTTP_METHOD is set to what is no verb"));
                }
                self.method = verb;
            }
            (Scope::Axis2, "REST_URL_POSTFIX") => {
                self.url_postfix = utf8_percent_encode(&value.to_string(), NOT_IN_ADDRESS).to_string();
            }
            (Scope::Axis2, "HTTP_SC") => self.status = value.to_string().trim().parse().ok().filter(|status| (100..=999).contains(status)),
            (Scope::Axis2, "messageType") => {
                self.set_property(Scope::Transport, "Content-Type", value.clone())?;
                self.properties.set(Scope::Axis2, "ContentType", value.clone());
                self.properties.set(Scope::Axis2, "messageType", value);
                self.payload.retype();
            }
            (Scope::Default, "RESPONSE") => {
                self.direction = if value.to_string().eq_ignore_ascii_case("true") { Direction::Response } else { Direction::Request };
                self.properties.set(scope, name, value);
            }
            (scope, name) => self.properties.set(scope, name, value),
        }
        Ok(())
    }

    /// Removes a property as a mediator does.
    pub(crate) fn remove_property(&mut self, scope: Scope, name: &str) {
        match (scope, name) {
            (Scope::Transport, name) => self.headers.remove(name),
            (Scope::Axis2, "REST_URL_POSTFIX") => self.url_postfix.clear(),
            (Scope::Axis2, "HTTP_SC") => self.status = None,
            (Scope::Axis2, "ContentType") => {
                self.properties.remove(scope, name);
                self.payload.untyped = true;
            }
            (scope, name) => self.properties.remove(scope, name),
        }
    }

    /// Makes bytes of a changed body, and says of what type they are.
    pub(crate) fn close_body(&mut self, limits: &Limits) -> Result<(), Failure> {
        let none = self.properties.get(Scope::Axis2, "NO_ENTITY_BODY").is_some_and(|v| v.to_string().eq_ignore_ascii_case("true"));
        let wanted = self.properties.get(Scope::Axis2, "messageType").map(|v| v.to_string());
        let said = self.properties.get(Scope::Axis2, "ContentType").map(|v| v.to_string());
        let written = self.payload.close(wanted.as_deref(), none, limits)?;
        match (&self.payload.rewritten(), said, written) {
            (None, ..) => {}
            (Some(Rewritten::Empty), ..) => self.headers.remove("Content-Type"),
            (Some(_), Some(said), _) => self.set_property(Scope::Transport, "Content-Type", Value::Text(in_utf8(&said)))?,
            (Some(_), None, None) if !self.payload.untyped && self.content_type().is_some() => {}
            (Some(_), None, Some(_)) if !self.payload.untyped && self.content_type().is_some() => {
                let kept = in_utf8(self.content_type().unwrap_or_default());
                self.headers.set("Content-Type", kept);
            }
            (Some(_), None, written) => {
                // Without a type given the sender added the character set to its own.
                if let Some(mime) = written.or(wanted).or_else(|| self.content_type().map(str::to_owned)).filter(|mime| !mime.is_empty()) {
                    let whole = if mime.contains("charset") { mime } else { format!("{mime}; charset=UTF-8") };
                    self.set_property(Scope::Transport, "Content-Type", Value::Text(whole))?;
                }
            }
        }
        Ok(())
    }

    /// A copy with nothing in its body.
    pub(crate) fn without_body(&self) -> Self {
        Self {
            direction: self.direction,
            method: self.method.clone(),
            scheme: self.scheme.clone(),
            url_postfix: self.url_postfix.clone(),
            to: self.to.clone(),
            client_address: self.client_address.clone(),
            message_id: self.message_id.clone(),
            now: self.now,
            headers: self.headers.clone(),
            status: self.status,
            properties: self.properties.clone(),
            payload: Payload::absent(),
            held: Held { sent: Vec::new(), ..self.held.clone() },
        }
    }
}
