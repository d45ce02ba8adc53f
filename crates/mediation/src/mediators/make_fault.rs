//! `makefault`: a SOAP fault, or a plain `Exception` element for messages that speak no SOAP.

use std::sync::Arc;

use crate::compile::Work;
use crate::expression::{ADDRESSING, Expression, Means, find};
use crate::failure::Failure;
use crate::message::{Direction, Envelope, Format, Message, SOAP11, SOAP12, Scope};
use crate::program::Action;
use crate::tree::{Tag, TagAttribute, Tree};
use crate::xml::Element;
use crate::xpath::Found;

/// What the fault says.
#[derive(Debug)]
pub(crate) struct MakeFault {
    format: Option<Format>,
    code: Option<Said>,
    reason: Option<Said>,
    node: Option<String>,
    role: Option<String>,
    detail: Option<Detail>,
    response: bool,
}

#[derive(Debug)]
enum Said {
    Fixed(String),
    Made(Expression),
}

#[derive(Debug)]
enum Detail {
    Said(Said),
    Trees(Vec<Tree>),
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let format = match element.attribute("version").map(str::trim) {
        None | Some("") => None,
        Some("soap11") => Some(Format::Soap11),
        Some("soap12") => Some(Format::Soap12),
        Some("pox") => Some(Format::Pox),
        Some(other) => {
            work.obstacle(element, other, "There is no such version of a fault.", "Use soap11, soap12 or pox.");
            return None;
        }
    };
    let part = |name: &str| element.elements().find(|e| e.name == name);
    let mut whole = true;
    let mut said = |work: &mut Work<'_>, name: &str| {
        let part = part(name)?;
        if let Some(value) = part.attribute("value") {
            return Some(Said::Fixed(value.to_owned()));
        }
        let made = part.attribute("expression").and_then(|text| work.expression(part, text).map(Said::Made));
        whole &= made.is_some() || part.attribute("expression").is_none();
        made
    };
    let (code, reason) = (said(work, "code"), said(work, "reason"));
    let detail = match (said(work, "detail"), part("detail")) {
        (Some(said), _) => Some(Detail::Said(said)),
        (None, Some(detail)) if detail.elements().next().is_some() => {
            Some(Detail::Trees(detail.elements().map(Tree::from_written).collect()))
        }
        (None, Some(detail)) if !detail.text().trim().is_empty() => Some(Detail::Said(Said::Fixed(detail.text().trim().to_owned()))),
        _ => None,
    };
    if format != Some(Format::Pox) && (code.is_none() || reason.is_none()) && whole {
        work.obstacle(element, "", "A SOAP fault needs a code and a reason.", "Write <code> and <reason> with a value or an expression.");
        return None;
    }
    let text = |name: &str| part(name).map(|e| e.text().trim().to_owned()).filter(|text| !text.is_empty());
    let response = element.attribute("response").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
    whole.then(|| Action::MakeFault(Box::new(MakeFault { format, code, reason, node: text("node"), role: text("role"), detail, response })))
}

impl Said {
    fn reads_body(&self) -> bool {
        matches!(self, Self::Made(expression) if expression.reads_body())
    }

    fn text(&self, message: &mut Message, means: &mut Means<'_>) -> Result<String, Failure> {
        match self {
            Self::Fixed(text) => Ok(text.clone()),
            Self::Made(expression) => Ok(expression.text(message, means)?.unwrap_or_default()),
        }
    }
}

impl MakeFault {
    pub(crate) fn reads_body(&self) -> bool {
        let detail = match &self.detail {
            Some(Detail::Said(said)) => Some(said),
            _ => None,
        };
        [self.code.as_ref(), self.reason.as_ref(), detail].into_iter().flatten().any(Said::reads_body)
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let format = self.format.unwrap_or_else(|| match message.payload.protocol() {
            "soap11" => Format::Soap11,
            "soap12" => Format::Soap12,
            _ => Format::Pox,
        });
        if format == Format::Pox {
            let text = match (&self.detail, &self.reason) {
                (Some(Detail::Said(said)), _) | (None | Some(Detail::Trees(_)), Some(said)) => said.text(message, means)?,
                _ => String::new(),
            };
            let mut tree = Tree::empty();
            let document = tree.document();
            let exception = tree.append_tag(document, Tag::named(None, "Exception", None));
            tree.append_text(exception, &text);
            message.payload.set_xml(&tree, means.limits)?;
        } else {
            let envelope = self.envelope(format, message, means)?;
            message.payload.set_envelope(envelope);
            message.to = None;
            let own = message.message_id.clone();
            message.properties.set(Scope::Default, format!("{ADDRESSING}RelatesTo"), own);
            // The message speaks this SOAP from here on, whatever it came as.
            let mime = if format == Format::Soap12 { "application/soap+xml" } else { "text/xml" };
            message.headers.set("Content-Type", mime);
            message.properties.set(Scope::Axis2, "messageType", mime);
        }
        if self.response {
            message.direction = Direction::Response;
        }
        Ok(())
    }

    fn envelope(&self, format: Format, message: &mut Message, means: &mut Means<'_>) -> Result<Envelope, Failure> {
        let namespace = if format == Format::Soap12 { SOAP12 } else { SOAP11 };
        let code = self.code.as_ref().map(|said| said.text(message, means)).transpose()?.unwrap_or_default();
        let reason = self.reason.as_ref().map(|said| said.text(message, means)).transpose()?.unwrap_or_default();
        // A fixed code brings its prefix; a made one is a bare word of SOAP's own.
        let code = code.rsplit_once(':').map_or(code.clone(), |(_, word)| word.to_owned());
        let code = format!("soapenv:{code}");
        let detail = match &self.detail {
            None => None,
            Some(Detail::Trees(trees)) => Some((None, trees.clone())),
            Some(Detail::Said(Said::Fixed(text))) => Some((Some(text.clone()), Vec::new())),
            Some(Detail::Said(Said::Made(expression))) => match expression {
                Expression::XPath(path) => match find(path, message, means)? {
                    Found::Nodes(nodes, trees) => {
                        let cut = nodes
                            .iter()
                            .filter(|at| at.attribute.is_none())
                            .filter_map(|at| Some(trees.get(usize::from(at.tree))?.cut(&[at.id])));
                        Some((None, cut.collect()))
                    }
                    other => Some((other.text(), Vec::new())),
                },
                expression @ Expression::Json(..) => Some((expression.text(message, means)?, Vec::new())),
            },
        };
        let mut envelope = Envelope::empty(format);
        let body = envelope.body();
        let tree = envelope.tree_mut();
        let Some(body) = body else { return Ok(envelope) };
        let soap = |name: &str| Tag::named(Some("soapenv"), name, Some(namespace));
        let fault = tree.append_tag(body, soap("Fault"));
        if format == Format::Soap12 {
            let holder = tree.append_tag(fault, soap("Code"));
            let value = tree.append_tag(holder, soap("Value"));
            tree.append_text(value, &code);
            let holder = tree.append_tag(fault, soap("Reason"));
            let mut text = soap("Text");
            text.attributes.push(TagAttribute {
                prefix: Some(Arc::from("xml")),
                name: Arc::from("lang"),
                namespace: Some(Arc::from(crate::xml::XML_NAMESPACE)),
                value: "en".to_owned(),
            });
            let text = tree.append_tag(holder, text);
            tree.append_text(text, &reason);
        } else {
            for (name, words) in [("faultcode", &code), ("faultstring", &reason)] {
                let element = tree.append_tag(fault, Tag::named(None, name, None));
                tree.append_text(element, words);
            }
        }
        let (node, role, name) = if format == Format::Soap12 {
            (soap("Node"), soap("Role"), soap("Detail"))
        } else {
            (Tag::named(None, "faultnode", None), Tag::named(None, "faultactor", None), Tag::named(None, "detail", None))
        };
        for (tag, words) in [(node, &self.node), (role, &self.role)] {
            if let Some(words) = words {
                let element = tree.append_tag(fault, tag);
                tree.append_text(element, words);
            }
        }
        if let Some((text, trees)) = detail {
            let element = tree.append_tag(fault, name);
            tree.append_text(element, &text.unwrap_or_default());
            for inner in &trees {
                for child in inner.children(inner.document()) {
                    let copy = tree.graft(inner, *child);
                    tree.append(element, copy);
                }
            }
        }
        Ok(envelope)
    }
}
