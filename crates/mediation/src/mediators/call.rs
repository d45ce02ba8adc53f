//! `send`, `call` and `callout`: what leaves the gateway in the middle of a sequence.

use std::sync::Arc;

use crate::compile::Work;
use crate::endpoint::{Endpoint, Target, absolute_to};
use crate::expression::{Expression, Means, find};
use crate::failure::Failure;
use crate::limits::Limits;
use crate::message::{Headers, Message, Payload, Scope, Value, Xml};
use crate::program::{Action, BlockId};
use crate::run::{Answer, CallRequest};
use crate::tree::Tree;
use crate::xml::Element;
use crate::xpath::{Found, XPath};

/// A call whose answer the sequence goes on with.
#[derive(Debug)]
pub(crate) struct CallOut {
    endpoint: Option<Endpoint>,
    kind: CallKind,
    /// The answer goes through this sequence, and nothing else of the one that sent.
    pub(crate) receive: Option<BlockId>,
}

#[derive(Debug)]
enum CallKind {
    /// The answer becomes the message.
    Whole,
    /// Part of the body goes out, the answer's body goes somewhere.
    Part { source: Option<XPath>, target: PartTarget, action: Option<String> },
}

#[derive(Debug)]
enum PartTarget {
    Body,
    Property(String),
    Place(XPath),
}

/// Headers that belong to a connection, not to a message.
const CONNECTION: [&str; 8] = ["host", "content-length", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"];

fn endpoint(work: &mut Work<'_>, element: &Element) -> Result<Option<Endpoint>, ()> {
    match element.elements().find(|e| e.name == "endpoint") {
        Some(inner) => Endpoint::compile(work, element, inner).map(Some).ok_or(()),
        None => Ok(None),
    }
}

pub(crate) fn compile_send(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    if let Some(receive) = element.attribute("receive") {
        let receive = work.by_name(element, receive.trim());
        let endpoint = endpoint(work, element).ok()?;
        return Some(Action::Call(CallOut { endpoint, kind: CallKind::Whole, receive: Some(receive?) }));
    }
    endpoint(work, element).ok().map(Action::Send)
}

pub(crate) fn compile_call(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    if let Some(part) = element.elements().find(|e| matches!(e.name.as_str(), "source" | "target")) {
        work.obstacle(
            element,
            &part.name,
            "A call with a source or a target does not run here.",
            "Use <enrich> before and behind the call.",
        );
        return None;
    }
    let endpoint = endpoint(work, element).ok()?;
    Some(Action::Call(CallOut { endpoint, kind: CallKind::Whole, receive: None }))
}

pub(crate) fn compile_callout(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    if element.elements().any(|e| matches!(e.name.as_str(), "enableSec" | "configuration"))
        || element.attribute("initAxis2ClientOptions").is_some()
    {
        work.note(element, "Options of the old product's SOAP client (security policies, Axis2 configuration) are not used.");
        if element.elements().any(|e| e.name == "enableSec") {
            work.obstacle(
                element,
                "",
                "WS-Security of outgoing calls does not run here.",
                "Let the backend or a proxy in front of it add the security headers.",
            );
            return None;
        }
    }
    let endpoint = match element.attribute("serviceURL").map(str::trim) {
        Some(url) => Some(Endpoint::to(url)),
        None => match element.attribute("endpointKey") {
            Some(key) => {
                let mut named = element.clone();
                named.name = "endpoint".to_owned();
                named.attributes.retain(|a| a.name == "endpointKey");
                named.attributes.iter_mut().for_each(|a| "key".clone_into(&mut a.name));
                let _ = key;
                Some(Endpoint::compile(work, element, &named)?)
            }
            None => endpoint(work, element).ok()?,
        },
    };
    let part = |name: &str| element.elements().find(|e| e.name == name);
    let xpath = |work: &mut Work<'_>, part: &Element, text: &str| match work.expression(part, text)? {
        Expression::XPath(path) => Some(path),
        Expression::Json(..) => {
            work.obstacle(part, text, "A callout takes XPath only.", "Use <call> and <enrich>.");
            None
        }
    };
    let source = match part("source") {
        Some(source) => match (source.attribute("xpath"), source.attribute("key")) {
            (Some(text), _) => Some(xpath(work, source, text)?),
            (None, Some(key)) => {
                work.obstacle(
                    source,
                    key,
                    "A callout whose source is a property or an entry does not run here.",
                    "Set the body with <enrich> or <payloadFactory> and use <call>.",
                );
                return None;
            }
            (None, None) => None,
        },
        None => None,
    };
    let target = match part("target") {
        Some(target) => match (target.attribute("key"), target.attribute("xpath")) {
            (Some(key), _) => PartTarget::Property(key.to_owned()),
            (None, Some(text)) => PartTarget::Place(xpath(work, target, text)?),
            (None, None) => PartTarget::Body,
        },
        None => PartTarget::Body,
    };
    let action = element.attribute("action").map(str::to_owned);
    Some(Action::Call(CallOut { endpoint, kind: CallKind::Part { source, target, action }, receive: None }))
}

/// The message itself as a request to a place, or to the API's own backend.
pub(crate) fn whole_request(target: Option<Target>, message: &mut Message, limits: &Limits) -> Result<CallRequest, Failure> {
    message.close_body(limits)?;
    message.payload.require()?;
    let headers = message.headers.iter().filter(|(name, _)| !CONNECTION.iter().any(|own| own.eq_ignore_ascii_case(name))).collect();
    let method = target.as_ref().and_then(|target| target.method.clone()).unwrap_or_else(|| message.method.clone());
    let body = if matches!(method.as_str(), "GET" | "HEAD" | "DELETE") && message.payload.rewritten().is_none() {
        None
    } else {
        message.payload.bytes()
    };
    Ok(CallRequest { target, postfix: message.url_postfix.clone(), method, headers, body })
}

impl CallOut {
    /// Whether it goes to the API's own backend, for want of an address.
    pub(crate) fn is_to_backend(&self) -> bool {
        self.endpoint.is_none()
    }

    pub(crate) fn reads_body(&self) -> bool {
        true
    }

    pub(crate) fn replaces_body(&self) -> bool {
        matches!(self.kind, CallKind::Whole)
    }

    /// What to send.
    pub(crate) fn request(&self, message: &mut Message, means: &mut Means<'_>) -> Result<CallRequest, Failure> {
        let target = match &self.endpoint {
            Some(endpoint) => endpoint.target(message)?,
            None => match absolute_to(message).map(Endpoint::to) {
                Some(endpoint) => endpoint.target(message)?,
                None => None,
            },
        };
        if let CallKind::Part { source: Some(path), action, .. } = &self.kind {
            let Found::Nodes(nodes, trees) = find(path, message, means)? else {
                return Err(Failure::new("Evaluation of the source of a callout found no element"));
            };
            let cut = nodes.first().and_then(|at| Some(trees.get(usize::from(at.tree))?.cut(&[at.id])));
            let cut = cut.ok_or_else(|| Failure::new("Evaluation of the source of a callout found no element"))?;
            let mut part = Payload::absent();
            let content_type = message.content_type().unwrap_or("text/xml").to_owned();
            part.fix_type(Some(&content_type));
            part.set_xml(&cut, means.limits)?;
            part.close(None, false, means.limits)?;
            let mut headers: Headers = [("Content-Type", content_type)].into_iter().collect();
            if let Some(action) = action {
                headers.set("SOAPAction", format!("\"{action}\""));
            }
            let method = target.as_ref().and_then(|target| target.method.clone()).unwrap_or_else(|| "POST".to_owned());
            return Ok(CallRequest { target, postfix: message.url_postfix.clone(), method, headers, body: part.bytes() });
        }
        let mut request = whole_request(target, message, means.limits)?;
        if let CallKind::Part { action: Some(action), .. } = &self.kind {
            request.headers.set("SOAPAction", format!("\"{action}\""));
        }
        Ok(request)
    }

    /// What the answer does to the message.
    pub(crate) fn answered(&self, answer: Answer, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        if answer.body.len() > means.limits.body_bytes {
            return Err(Failure::unreadable("the answer's body is too long"));
        }
        let content_type = answer.headers.get("Content-Type").map(str::to_owned);
        match &self.kind {
            CallKind::Whole => {
                message.status = Some(answer.status);
                message.headers = answer.headers;
                message.headers.remove("Content-Length");
                message.headers.remove("Transfer-Encoding");
                for name in ["messageType", "ContentType", "NO_ENTITY_BODY"] {
                    message.properties.remove(Scope::Axis2, name);
                }
                message.payload = Payload::replaced(answer.body, Some(content_type.as_deref().unwrap_or_default()));
            }
            CallKind::Part { target, .. } => {
                let mut came = Payload::whole(answer.body);
                came.fix_type(Some(content_type.as_deref().unwrap_or("text/xml")));
                let envelope = came.xml(means.limits)?;
                let Some(content) = envelope.content() else { return Ok(()) };
                let content: Tree = envelope.tree.cut(&[content]);
                match target {
                    PartTarget::Body => message.payload.set_xml(&content, means.limits)?,
                    PartTarget::Property(name) => message.properties.set(Scope::Default, name.as_str(), Value::Xml(Xml(Arc::new(content)))),
                    PartTarget::Place(path) => {
                        let Found::Nodes(nodes, _) = find(path, message, means)? else {
                            return Err(Failure::new("Evaluation of the target of a callout found no element"));
                        };
                        let Some(at) = nodes.first().filter(|at| at.tree == 0 && at.attribute.is_none()) else {
                            return Err(Failure::new("Evaluation of the target of a callout found no element"));
                        };
                        let tree = message.payload.xml_mut(means.limits)?.tree_mut();
                        if let (Some(parent), Some(place), Some(root)) = (tree.parent(at.id), tree.place(at.id), content.root()) {
                            let copy = tree.graft(&content, root);
                            tree.insert(parent, place, copy);
                            tree.detach(at.id);
                        }
                        message.payload.fits(means.limits)?;
                    }
                }
            }
        }
        Ok(())
    }
}
