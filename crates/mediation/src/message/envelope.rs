//! The XML form of a body: a SOAP envelope, the one that came or one of ours around a plain document.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::media::Media;
use crate::convert;
use crate::failure::Failure;
use crate::json::Json;
use crate::tree::{Kind, NodeId, Tag, Tree};

pub(crate) const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Namespace of the elements that text and bytes wear inside an envelope.
const PAYLOAD: &str = "http://ws.apache.org/commons/ns/payload";
const FORM_KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

/// A SOAP envelope, real or made up around a plain document.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) tree: Arc<Tree>,
    pub(crate) format: Format,
}

/// What is around a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Soap11,
    Soap12,
    /// A plain document; the envelope is ours.
    Pox,
}

pub(super) fn payload_tag(name: &str) -> Tag {
    let mut tag = Tag::named(None, name, Some(PAYLOAD));
    tag.declarations.push(("".into(), PAYLOAD.into()));
    tag
}

/// The element that text wears inside an envelope.
pub(crate) fn text_element(text: &str) -> Tree {
    let mut tree = Tree::empty();
    let document = tree.document();
    let element = tree.append_tag(document, payload_tag("text"));
    tree.append_text(element, text);
    tree
}

/// Whether a root element is an envelope, and of which SOAP.
pub(crate) fn soap_format(tree: &Tree, root: NodeId) -> Option<Format> {
    let tag = tree.tag(root)?;
    match (&*tag.name, tag.namespace.as_deref()) {
        ("Envelope", Some(SOAP11)) => Some(Format::Soap11),
        ("Envelope", Some(SOAP12)) => Some(Format::Soap12),
        _ => None,
    }
}

impl Envelope {
    /// An envelope with an empty header and body.
    pub(crate) fn empty(format: Format) -> Self {
        let namespace = if format == Format::Soap12 { SOAP12 } else { SOAP11 };
        let mut tree = Tree::empty();
        let document = tree.document();
        let mut tag = Tag::named(Some("soapenv"), "Envelope", Some(namespace));
        tag.declarations.push(("soapenv".into(), namespace.into()));
        let root = tree.append_tag(document, tag);
        tree.append_tag(root, Tag::named(Some("soapenv"), "Body", Some(namespace)));
        Self { tree: Arc::new(tree), format }
    }

    pub(super) fn around_json(json: &Json) -> Self {
        let mut envelope = Self::empty(Format::Pox);
        if let Some(body) = envelope.body() {
            convert::append_json(Arc::make_mut(&mut envelope.tree), body, json);
        }
        envelope
    }

    pub(crate) fn tree_mut(&mut self) -> &mut Tree {
        Arc::make_mut(&mut self.tree)
    }

    pub(crate) fn body(&self) -> Option<NodeId> {
        self.tree.child(self.tree.root()?, "Body")
    }

    pub(crate) fn header(&self) -> Option<NodeId> {
        self.tree.child(self.tree.root()?, "Header")
    }

    /// The header, made before the body when there is none.
    pub(crate) fn make_header(&mut self) -> Option<NodeId> {
        if let Some(header) = self.header() {
            return Some(header);
        }
        let root = self.tree.root()?;
        let (prefix, namespace) = self.tree.tag(root).map(|tag| (tag.prefix.clone(), tag.namespace.clone()))?;
        let tree = self.tree_mut();
        let header = tree.add(Kind::Element(Box::new(Tag { prefix, name: "Header".into(), namespace, ..Tag::default() })));
        tree.insert(root, 0, header);
        Some(header)
    }

    /// What the body holds.
    pub(crate) fn content(&self) -> Option<NodeId> {
        self.tree.elements(self.body()?).next()
    }

    /// Puts a document in the place of what the body holds.
    pub(crate) fn set_content(&mut self, document: &Tree) {
        let Some(body) = self.body() else { return };
        let tree = self.tree_mut();
        tree.clear(body);
        if let Some(root) = document.root() {
            let copy = tree.graft(document, root);
            tree.append(body, copy);
        }
    }

    /// Text of a `text` or `binary` element that stands for a body that is no XML.
    pub(super) fn plain(&self, element: NodeId, name: &str) -> Option<String> {
        let tag = self.tree.tag(element)?;
        (&*tag.name == name && tag.namespace.as_deref() == Some(PAYLOAD)).then(|| self.tree.own_text(element))
    }

    pub(crate) fn is_fault(&self) -> bool {
        self.content()
            .and_then(|id| self.tree.tag(id))
            .is_some_and(|tag| &*tag.name == "Fault" && matches!(tag.namespace.as_deref(), Some(SOAP11 | SOAP12)))
    }

    pub(super) fn written(&self, media: Media) -> Result<String, Failure> {
        let content = self.content();
        let element = |id: NodeId| {
            let cut = self.tree.cut(&[id]);
            cut.text(cut.document())
        };
        Ok(match media {
            Media::Soap11 | Media::Soap12 => {
                let wanted = if media == Media::Soap12 { Format::Soap12 } else { Format::Soap11 };
                // A plain document that came as text/xml goes on as one; one that is to be SOAP now gets its envelope.
                let own = if self.format == Format::Pox && media == Media::Soap11 { Format::Soap11 } else { self.format };
                let tree = if own == wanted { Arc::clone(&self.tree) } else { Arc::new(self.turned(wanted)) };
                let mut out = String::from("<?xml version='1.0' encoding='UTF-8'?>");
                if let Some(root) = tree.root() {
                    tree.write(root, &mut out);
                }
                out
            }
            Media::Form => {
                let mut out = String::new();
                for field in content.into_iter().flat_map(|root| self.tree.elements(root)) {
                    if !out.is_empty() {
                        out.push('&');
                    }
                    let encoded = |text: &str| utf8_percent_encode(text, FORM_KEPT).to_string().replace(' ', "+");
                    let name = self.tree.tag(field).map(|tag| tag.name.to_string()).unwrap_or_default();
                    out.push_str(&encoded(&name));
                    out.push('=');
                    out.push_str(&encoded(&self.tree.own_text(field)));
                }
                out
            }
            // text/html may be written as elements.
            Media::Text => match content {
                Some(id) if self.tree.elements(id).next().is_some() => element(id),
                Some(id) => self.tree.own_text(id),
                None => String::new(),
            },
            Media::Xml | Media::Json | Media::Binary => content.map(element).unwrap_or_default(),
        })
    }

    /// The envelope in the other SOAP's namespace.
    fn turned(&self, wanted: Format) -> Tree {
        let (from, to) = if wanted == Format::Soap12 { (SOAP11, SOAP12) } else { (SOAP12, SOAP11) };
        let mut tree = (*self.tree).clone();
        let parts: Vec<NodeId> =
            tree.root().into_iter().flat_map(|root| std::iter::once(root).chain(tree.elements(root).collect::<Vec<_>>())).collect();
        for id in parts {
            if let Some(tag) = tree.tag_mut(id) {
                if tag.namespace.as_deref() == Some(from) {
                    tag.namespace = Some(to.into());
                }
                for (_, uri) in tag.declarations.iter_mut().filter(|(_, uri)| **uri == *from) {
                    *uri = to.into();
                }
            }
        }
        tree
    }
}
