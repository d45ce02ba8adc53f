//! The body: bytes until a mediator looks inside, and bytes again, the very same, unless one changed it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::envelope::{Envelope, Format, payload_tag, soap_format};
use super::media::{Media, decoded};
use crate::convert;
use crate::failure::Failure;
use crate::json::Json;
use crate::limits::Limits;
use crate::tree::{Bounds, Tag, Tree};

const FORM: &str = "xformValues";

/// The body of a [`Message`](crate::Message). Its debug form tells its size only.
#[derive(Clone)]
pub struct Payload {
    raw: Raw,
    content: Content,
    /// Content type the body came with, fixed before a sequence changes the header.
    came_as: Option<String>,
    /// Content differs from the bytes.
    changed: bool,
    /// May have to be written as another type.
    retyped: bool,
    rewritten: Option<Rewritten>,
    /// The sequence took the content type away, upon which the sender wrote one of its own.
    pub(crate) untyped: bool,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes().map(|bytes| bytes.len());
        f.debug_struct("Payload")
            .field("bytes", &bytes)
            .field("came_as", &self.came_as)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

/// What came over the wire.
#[derive(Debug, Clone)]
enum Raw {
    Absent,
    /// There may be one, but it is elsewhere: a program that needs it must not be run.
    Unread,
    Whole(Bytes),
}

/// What mediators see.
#[derive(Debug, Clone)]
enum Content {
    /// Nobody looked yet.
    Closed,
    /// XML: always an envelope, of which a plain document is the body's child.
    Xml(Envelope),
    /// JSON, with its form as XML once an expression asked for that.
    Json(Json, Option<Envelope>),
}

/// The body a program made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewritten {
    /// There is to be none.
    Empty,
    /// These bytes; the header `Content-Type` says of what type.
    Bytes(Bytes),
}

impl Payload {
    fn of(raw: Raw) -> Self {
        Self { raw, content: Content::Closed, came_as: None, changed: false, retyped: false, rewritten: None, untyped: false }
    }

    /// No body.
    #[must_use]
    pub fn absent() -> Self {
        Self::of(Raw::Absent)
    }

    /// A body that is not here, since the program does not read it. Should one ask nevertheless, its run ends in a fault.
    #[must_use]
    pub fn unread() -> Self {
        Self::of(Raw::Unread)
    }

    /// The whole body.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self::of(if bytes.is_empty() { Raw::Absent } else { Raw::Whole(bytes) })
    }

    /// What to send in the place of the body that came; `None` when that goes on untouched, to the byte.
    #[must_use]
    pub fn rewritten(&self) -> Option<&Rewritten> {
        self.rewritten.as_ref()
    }

    /// The body as bytes: the rewritten one, or the one that came; `None` for none, and for one that was not given.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        match (&self.rewritten, &self.raw) {
            (Some(Rewritten::Bytes(bytes)), _) | (None, Raw::Whole(bytes)) => Some(bytes.clone()),
            _ => None,
        }
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!((&self.rewritten, &self.raw, &self.content), (Some(Rewritten::Empty), ..) | (None, Raw::Absent, Content::Closed))
    }

    /// Makes sure that what a sequence made of the body stays within bounds.
    pub(crate) fn fits(&self, limits: &Limits) -> Result<(), Failure> {
        match &self.content {
            Content::Xml(envelope) if self.changed => fits(&envelope.tree, limits),
            Content::Json(json, _) if self.changed => fits_json(json, limits),
            _ => Ok(()),
        }
    }

    /// Makes sure that the body is here, for who sends it on.
    pub(crate) fn require(&self) -> Result<(), Failure> {
        match (&self.rewritten, &self.raw) {
            (None, Raw::Unread) => Err(Failure::new("The body was not given to the sequence")),
            _ => Ok(()),
        }
    }

    pub(crate) fn fix_type(&mut self, content_type: Option<&str>) {
        if self.came_as.is_none() {
            self.came_as = Some(content_type.unwrap_or_default().to_owned());
        }
    }

    /// Is to be written again, though nobody may have changed what it says.
    pub(crate) fn retype(&mut self) {
        self.retyped = true;
    }

    /// Puts bytes in the place of the body, as if they had come; nobody looks into them unless a mediator does.
    pub(crate) fn set_bytes(&mut self, text: &str, content_type: &str) {
        let bytes = Bytes::from(text.to_owned());
        *self = Self::replaced(bytes, Some(content_type));
    }

    /// A body in the place of the one that came.
    pub(crate) fn replaced(bytes: Bytes, content_type: Option<&str>) -> Self {
        let mut payload = Self::whole(bytes.clone());
        payload.fix_type(content_type);
        payload.rewritten = Some(if bytes.is_empty() { Rewritten::Empty } else { Rewritten::Bytes(bytes) });
        payload
    }

    pub(crate) fn is_json(&self) -> bool {
        match &self.content {
            Content::Json(..) => true,
            Content::Xml(_) => false,
            Content::Closed => !matches!(self.raw, Raw::Absent) && Media::of(self.came_as.as_deref().unwrap_or_default()) == Media::Json,
        }
    }

    fn open(&mut self, limits: &Limits) -> Result<(), Failure> {
        if !matches!(self.content, Content::Closed) {
            return Ok(());
        }
        let bytes = match &self.raw {
            Raw::Absent => Bytes::new(),
            Raw::Unread => return Err(Failure::new("The body was not given to the sequence")),
            Raw::Whole(bytes) => bytes.clone(),
        };
        if bytes.len() > limits.body_bytes {
            return Err(Failure::unreadable("the body is too long"));
        }
        let content_type = self.came_as.clone().unwrap_or_default();
        self.content = read(&bytes, &content_type, limits)?;
        Ok(())
    }

    /// The body as XML, in an envelope.
    pub(crate) fn xml(&mut self, limits: &Limits) -> Result<&Envelope, Failure> {
        self.open(limits)?;
        match &mut self.content {
            Content::Xml(envelope) => Ok(envelope),
            Content::Json(json, view) => {
                if view.is_none() {
                    *view = Some(Envelope::around_json(json));
                }
                view.as_ref().ok_or_else(|| Failure::new("The body has no XML form"))
            }
            Content::Closed => Err(Failure::new("The body could not be opened")),
        }
    }

    /// The same, to change; JSON becomes XML by that.
    pub(crate) fn xml_mut(&mut self, limits: &Limits) -> Result<&mut Envelope, Failure> {
        self.xml(limits)?;
        self.changed = true;
        if let Content::Json(json, view) = &mut self.content {
            let envelope = view.take().unwrap_or_else(|| Envelope::around_json(json));
            self.content = Content::Xml(envelope);
        }
        match &mut self.content {
            Content::Xml(envelope) => Ok(envelope),
            _ => Err(Failure::new("The body has no XML form")),
        }
    }

    /// The body as JSON; `None` when there is none.
    pub(crate) fn json(&mut self, limits: &Limits) -> Result<Option<Cow<'_, Json>>, Failure> {
        self.open(limits)?;
        Ok(match &self.content {
            Content::Json(json, _) => Some(Cow::Borrowed(json)),
            Content::Xml(envelope) => envelope.content().map(|element| Cow::Owned(convert::to_json(&envelope.tree, element))),
            Content::Closed => None,
        })
    }

    /// JSON to change; `None` when the body is XML or absent.
    pub(crate) fn json_mut(&mut self, limits: &Limits) -> Result<Option<&mut Json>, Failure> {
        self.open(limits)?;
        Ok(match &mut self.content {
            Content::Json(json, view) => {
                *view = None;
                self.changed = true;
                Some(json)
            }
            _ => None,
        })
    }

    pub(crate) fn set_json(&mut self, json: Json) {
        self.content = Content::Json(json, None);
        self.changed = true;
    }

    /// Puts a plain document in the place of the body. An envelope that came stays around it.
    pub(crate) fn set_xml(&mut self, document: &Tree, limits: &Limits) -> Result<(), Failure> {
        // An envelope that came keeps its header; anything else is not looked at.
        if matches!(self.raw, Raw::Whole(_))
            && matches!(Media::of(self.came_as.as_deref().unwrap_or_default()), Media::Soap11 | Media::Soap12)
        {
            self.open(limits)?;
        }
        let format = match &self.content {
            Content::Xml(envelope) => envelope.format,
            _ => match Media::of(self.came_as.as_deref().unwrap_or_default()) {
                Media::Soap11 => Format::Soap11,
                Media::Soap12 => Format::Soap12,
                _ => Format::Pox,
            },
        };
        let envelope = match document.root().and_then(|root| soap_format(document, root)) {
            Some(own) => Envelope { tree: Arc::new(document.clone()), format: own },
            None => match std::mem::replace(&mut self.content, Content::Closed) {
                Content::Xml(mut old) => {
                    old.set_content(document);
                    old
                }
                _ => {
                    let mut fresh = Envelope::empty(format);
                    fresh.set_content(document);
                    fresh
                }
            },
        };
        self.content = Content::Xml(envelope);
        self.changed = true;
        Ok(())
    }

    /// As [`Payload::set_xml`], with all elements of a cut-out side by side, as only an envelope can hold them.
    pub(crate) fn set_many(&mut self, cut: &Tree, limits: &Limits) -> Result<(), Failure> {
        self.set_xml(cut, limits)?;
        if let Content::Xml(envelope) = &mut self.content
            && let Some(body) = envelope.body()
        {
            let tree = envelope.tree_mut();
            for id in cut.elements(cut.document()).skip(1) {
                let copy = tree.graft(cut, id);
                tree.append(body, copy);
            }
        }
        Ok(())
    }

    pub(crate) fn set_envelope(&mut self, envelope: Envelope) {
        self.content = Content::Xml(envelope);
        self.changed = true;
    }

    /// Which protocol the message speaks, as `MESSAGE_FORMAT` says it.
    pub(crate) fn protocol(&self) -> &'static str {
        let format = match &self.content {
            Content::Xml(envelope) => envelope.format,
            _ => match Media::of(self.came_as.as_deref().unwrap_or_default()) {
                Media::Soap11 => Format::Soap11,
                Media::Soap12 => Format::Soap12,
                _ => Format::Pox,
            },
        };
        match format {
            Format::Soap11 => "soap11",
            Format::Soap12 => "soap12",
            Format::Pox => "pox",
        }
    }

    /// Makes bytes of what was changed. `as_type` is the type to write, without which it stays what it was; gives the type written.
    pub(crate) fn close(&mut self, as_type: Option<&str>, empty: bool, limits: &Limits) -> Result<Option<String>, Failure> {
        if empty {
            if !self.is_absent() {
                self.rewritten = Some(Rewritten::Empty);
            }
            self.changed = false;
            return Ok(None);
        }
        let came_as = self.came_as.clone().unwrap_or_default();
        let as_type = as_type.map_or_else(|| came_as.clone(), str::to_owned);
        let another = self.retyped && Media::of(&as_type) != Media::of(&came_as);
        self.retyped = false;
        if (!self.changed && !another) || (matches!(self.raw, Raw::Absent) && matches!(self.content, Content::Closed)) {
            return Ok(None);
        }
        self.open(limits)?;
        let written = self.write(&as_type)?;
        if written.len() > limits.body_bytes {
            return Err(Failure::new("The sequence made too long a body"));
        }
        self.changed = false;
        self.rewritten = Some(if written.is_empty() { Rewritten::Empty } else { Rewritten::Bytes(written) });
        let written_as =
            if as_type.is_empty() { if self.is_json() { "application/json" } else { "application/xml" }.to_owned() } else { as_type };
        self.came_as = Some(written_as.clone());
        Ok(Some(written_as))
    }

    fn write(&self, as_type: &str) -> Result<Bytes, Failure> {
        let media = Media::of(as_type);
        let text = match (&self.content, media) {
            (Content::Closed, _) => String::new(),
            (Content::Json(json, _), Media::Json | Media::Binary) => json.to_string(),
            (Content::Json(json, _), Media::Text) => json.bare(),
            (Content::Json(json, _), media) => Envelope::around_json(json).written(media)?,
            (Content::Xml(envelope), Media::Json) => match envelope.content() {
                Some(element) => match envelope.plain(element, "text") {
                    Some(text) => text,
                    None => convert::to_json(&envelope.tree, element).to_string(),
                },
                None => String::new(),
            },
            (Content::Xml(envelope), Media::Binary) => match envelope.content().and_then(|element| envelope.plain(element, "binary")) {
                Some(encoded) => {
                    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| Failure::new("The body holds what is not base64"))?;
                    return Ok(Bytes::from(bytes));
                }
                None => envelope.written(if envelope.format == Format::Pox { Media::Xml } else { Media::Soap11 })?,
            },
            (Content::Xml(envelope), media) => envelope.written(media)?,
        };
        Ok(Bytes::from(text))
    }

    /// The body as text for a log line or a script; an envelope as the old product printed one.
    pub(crate) fn shown(&mut self, limits: &Limits) -> Result<String, Failure> {
        self.open(limits)?;
        Ok(match &self.content {
            Content::Json(json, _) => json.to_string(),
            Content::Xml(envelope) => {
                let envelope = envelope.tree.root().map(|root| envelope.tree.text(root)).unwrap_or_default();
                format!("<?xml version='1.0' encoding='utf-8'?>{envelope}")
            }
            Content::Closed => String::new(),
        })
    }
}

pub(crate) fn bounds(limits: &Limits) -> Bounds {
    Bounds { bytes: limits.body_bytes, elements: limits.elements, nesting: limits.nesting }
}

fn read(bytes: &[u8], content_type: &str, limits: &Limits) -> Result<Content, Failure> {
    let plain = |name: &str, text: &str| {
        let mut tree = Tree::empty();
        let document = tree.document();
        let element = tree.append_tag(document, payload_tag(name));
        tree.append_text(element, text);
        let mut envelope = Envelope::empty(Format::Pox);
        envelope.set_content(&tree);
        Content::Xml(envelope)
    };
    if bytes.is_empty() {
        return Ok(Content::Xml(Envelope::empty(match Media::of(content_type) {
            Media::Soap11 => Format::Soap11,
            Media::Soap12 => Format::Soap12,
            _ => Format::Pox,
        })));
    }
    let text = || decoded(bytes, content_type);
    match Media::of(content_type) {
        Media::Json => {
            let json = Json::parse(text()?.trim_start_matches('\u{feff}'), limits.nesting)
                .map_err(|fault| Failure::unreadable(&format!("the body is not JSON: {fault}")))?;
            Ok(Content::Json(json, None))
        }
        Media::Soap11 | Media::Soap12 | Media::Xml => {
            let tree =
                Tree::read(&text()?, &bounds(limits)).map_err(|fault| Failure::unreadable(&format!("the body is not XML: {fault}")))?;
            Ok(Content::Xml(match tree.root().and_then(|root| soap_format(&tree, root)) {
                Some(format) => Envelope { tree: Arc::new(tree), format },
                None => {
                    let mut envelope = Envelope::empty(Format::Pox);
                    envelope.set_content(&tree);
                    envelope
                }
            }))
        }
        Media::Form => {
            let mut tree = Tree::empty();
            let document = tree.document();
            let root = tree.append_tag(document, Tag::named(None, FORM, None));
            for pair in text()?.split('&').filter(|pair| !pair.is_empty()) {
                if tree.len() > limits.elements {
                    return Err(Failure::unreadable("the form has too many fields"));
                }
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
                convert::append_member(&mut tree, root, &decoded(name), &Json::Text(decoded(value)));
            }
            let mut envelope = Envelope::empty(Format::Pox);
            envelope.set_content(&tree);
            Ok(Content::Xml(envelope))
        }
        Media::Text => Ok(plain("text", &text()?)),
        Media::Binary => Ok(plain("binary", &STANDARD.encode(bytes))),
    }
}

/// Whether XML that a sequence made is within the bounds of what it may make. Copies of copies double at every step, so this is asked
/// often.
pub(crate) fn fits(tree: &Tree, limits: &Limits) -> Result<(), Failure> {
    if tree.len() > limits.elements.saturating_mul(4) || tree.depth() > limits.nesting.saturating_add(8) {
        return Err(Failure::new("The sequence made too large a document"));
    }
    Ok(())
}

/// The same for JSON.
pub(crate) fn fits_json(json: &Json, limits: &Limits) -> Result<(), Failure> {
    let mut open = vec![(json, 0_usize)];
    let mut values = 0_usize;
    while let Some((json, depth)) = open.pop() {
        values += 1;
        if values > limits.elements || depth > limits.nesting.saturating_add(8) {
            return Err(Failure::new("The sequence made too large a document"));
        }
        match json {
            Json::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Json::Object(members) => open.extend(members.iter().map(|(_, value)| (value, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::media::in_utf8;
    use super::*;

    fn payload(body: &str, content_type: &str) -> Payload {
        let mut payload = Payload::whole(Bytes::from(body.to_owned()));
        payload.fix_type(Some(content_type));
        payload
    }

    fn as_type(body: &str, from: &str, to: &str) -> String {
        let mut payload = payload(body, from);
        payload.retype();
        payload.close(Some(to), false, &Limits::default()).unwrap();
        match payload.rewritten() {
            Some(Rewritten::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_body_is_written_as_another_type() {
        for (body, from, to, made) in [
            ("{\"a\":[1,\"x\"]}", "application/json", "application/xml", "<jsonObject><a>1</a><a>x</a></jsonObject>"),
            ("<a><b>1</b></a>", "application/xml", "application/json", "{\"a\":{\"b\":1}}"),
            (
                "<a/>",
                "application/xml; charset=utf-8",
                "text/xml",
                "<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body><a/></soapenv:Body></soapenv:Envelope>",
            ),
            ("a=1&b=x+y%26", "application/x-www-form-urlencoded", "application/json", "{\"xformValues\":{\"a\":1,\"b\":\"x y&\"}}"),
            ("<x><a>1</a><b>x y&amp;</b></x>", "application/xml", "application/x-www-form-urlencoded", "a=1&b=x+y%26"),
            ("hello", "text/plain", "application/xml", "<text xmlns=\"http://ws.apache.org/commons/ns/payload\">hello</text>"),
            ("hello", "text/plain", "text/plain", "None"),
            ("\u{1}bytes", "image/png", "application/xml", "<binary xmlns=\"http://ws.apache.org/commons/ns/payload\">AWJ5dGVz</binary>"),
        ] {
            assert_eq!(as_type(body, from, to), made, "{body} {to}");
        }
    }

    #[test]
    fn other_character_sets_are_read_and_written_as_utf_8() {
        for (content_type, head) in
            [("application/xml; charset=\"ISO-8859-1\"", ""), ("application/xml", "<?xml version='1.0' encoding='iso-8859-1'?>")]
        {
            let mut bytes = head.as_bytes().to_vec();
            bytes.extend_from_slice(b"<a>\xe4</a>");
            let mut payload = Payload::whole(Bytes::from(bytes));
            payload.fix_type(Some(content_type));
            payload.xml_mut(&Limits::default()).unwrap();
            payload.close(None, false, &Limits::default()).unwrap();
            assert_eq!(payload.rewritten(), Some(&Rewritten::Bytes(Bytes::from("<a>ä</a>"))), "{content_type}");
        }
        assert_eq!(in_utf8("text/xml;charset=ISO-8859-1; action=\"a\""), "text/xml; charset=UTF-8; action=\"a\"");
        assert_eq!(in_utf8("text/xml; charset=utf-8"), "text/xml; charset=utf-8");
    }

    #[test]
    fn an_untouched_body_is_not_written() {
        let mut payload = payload("{ \"a\" : 1.0 }", "application/json");
        payload.json(&Limits::default()).unwrap();
        payload.xml(&Limits::default()).unwrap();
        payload.close(None, false, &Limits::default()).unwrap();
        assert_eq!(payload.rewritten(), None);
        assert_eq!(payload.bytes().unwrap(), "{ \"a\" : 1.0 }");
    }

    #[test]
    fn what_cannot_be_read_says_so_with_the_old_number() {
        for (body, content_type) in [
            ("{", "application/json"),
            ("<a>", "application/xml"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "text/xml"),
            ("<a>&b;</a>", "application/xml"),
        ] {
            assert_eq!(payload(body, content_type).xml(&Limits::default()).unwrap_err().code, 601_000, "{body}");
        }
        assert!(Payload::unread().xml(&Limits::default()).is_err());
        assert_eq!(payload("x", "text/plain; charset=klingon").xml(&Limits::default()).unwrap_err().code, 601_000);
        let small = Limits { body_bytes: 4, ..Limits::default() };
        assert_eq!(payload("<abc/>", "text/xml").xml(&small).unwrap_err().code, 601_000);
    }
}
