//! The body: bytes until a mediator looks inside, and bytes again, the very same, unless one changed it.

use bytes::Bytes;

use crate::tree::Tree;

/// The body of a [`Message`](crate::Message).
#[derive(Debug, Clone)]
pub struct Payload {
    pub(crate) bytes: Raw,
    pub(crate) content: Content,
    /// Content differs from the bytes, or is to be written as another type.
    pub(crate) changed: bool,
    pub(crate) rewritten: Option<Rewritten>,
}

/// What came over the wire.
#[derive(Debug, Clone)]
pub(crate) enum Raw {
    Absent,
    /// There may be one, but it is elsewhere: a program that needs it must not be run.
    Unread,
    Whole(Bytes),
}

/// What mediators see.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Nobody looked yet.
    Closed,
    /// XML: always an envelope, of which a plain document is the body's child.
    Xml(Envelope),
    /// JSON, with its form as XML once an expression asked for that.
    Json(serde_json::Value, Option<Box<Envelope>>),
}

/// A SOAP envelope, real or made up around a plain document.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) tree: Tree,
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

/// The body a program made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewritten {
    /// There is to be none.
    Empty,
    /// These bytes; the header `Content-Type` says of what type.
    Bytes(Bytes),
}

impl Payload {
    fn of(bytes: Raw) -> Self {
        Self { bytes, content: Content::Closed, changed: false, rewritten: None }
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
}
