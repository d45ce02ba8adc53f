//! Old XML as a small tree: configuration files, API artifacts, tier files, realm settings.
//!
//! Names lose their prefix, because the old files agree on local names and disagree on prefixes. No DTD is read: a document
//! that declares entities is refused, so no file can expand into more than it is.

use quick_xml::{Reader, XmlVersion, events::Event};

/// The largest document read.
const XML_MAX_BYTES: usize = 32 * 1024 * 1024;
const DEPTH_MAX: usize = 128;
const ELEMENTS_MAX: usize = 500_000;

/// An element with what is in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Attributes with their local names, in order. Namespace declarations are left out.
    pub attributes: Vec<(String, String)>,
    /// All character data directly inside, joined, not trimmed.
    pub text: String,
    /// Child elements, in order.
    pub children: Vec<Element>,
}

// Configuration files hold passwords as text.
impl std::fmt::Debug for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}> with {} children", self.name, self.children.len())
    }
}

/// Why a document does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Larger than 32 MiB, deeper than 128 or of more than 500 000 elements.
    #[error("the document is too large")]
    TooLarge,
    /// Not UTF-8, nor the Latin-1 it may declare.
    #[error("the document is not in UTF-8 or ISO-8859-1")]
    Encoding,
    /// Not well formed.
    #[error("not well formed at byte {at}: {reason}")]
    Malformed {
        /// Offset into the document.
        at: u64,
        /// The parser's words.
        reason: String,
    },
    /// A DTD with entities, or a reference to an entity nobody defined.
    #[error("entities other than the five of XML are not read")]
    Entities,
    /// No element at all.
    #[error("the document is empty")]
    Empty,
}

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// All children of that name.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The first descendant reached by these names, one level each.
    pub fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The trimmed text of the descendant at `path`; `None` when it is absent or blank.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|e| e.text.trim()).filter(|t| !t.is_empty())
    }

    /// An attribute by local name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// This element and all below it, depth first.
    pub fn descendants(&self) -> Vec<&Element> {
        let mut all = Vec::new();
        let mut waiting = vec![self];
        while let Some(element) = waiting.pop() {
            all.push(element);
            waiting.extend(element.children.iter().rev());
        }
        all
    }
}

/// Parses a document.
///
/// # Errors
///
/// [`XmlError`].
pub fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    if bytes.len() > XML_MAX_BYTES {
        return Err(XmlError::TooLarge);
    }
    let text = decoded(bytes)?;
    let mut reader = Reader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut count = 0_usize;
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let malformed = |reason: String| XmlError::Malformed { at, reason };
        match event.map_err(|e| malformed(e.to_string()))? {
            Event::Start(start) => {
                count += 1;
                if open.len() >= DEPTH_MAX || count > ELEMENTS_MAX {
                    return Err(XmlError::TooLarge);
                }
                let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
                for attribute in start.attributes() {
                    let attribute = attribute.map_err(|e| malformed(e.to_string()))?;
                    let key = attribute.key;
                    if key.as_namespace_binding().is_some() {
                        continue;
                    }
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| malformed(e.to_string()))?;
                    element.attributes.push((key.local_name().as_ref().to_owned(), value.into_owned()));
                }
                open.push(element);
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { return Err(malformed("an end without a start".into())) };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Ok(done),
                }
            }
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
            }
            Event::CData(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().map_err(|e| malformed(e.to_string()))? {
                    Some(c) => c,
                    None => match reference.into_inner().as_ref() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "apos" => '\'',
                        "quot" => '"',
                        _ => return Err(XmlError::Entities),
                    },
                };
                if let Some(element) = open.last_mut() {
                    element.text.push(c);
                }
            }
            Event::DocType(declared) => {
                if declared.into_inner().contains("<!ENTITY") {
                    return Err(XmlError::Entities);
                }
            }
            Event::Eof if open.is_empty() => return Err(XmlError::Empty),
            Event::Eof => return Err(malformed("the document ends inside an element".into())),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

/// UTF-8, with or without a mark, or the ISO-8859-1 a document declares.
fn decoded(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, XmlError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) => {
            let head: String = bytes.iter().take(200).map(|b| char::from(*b).to_ascii_lowercase()).collect();
            if head.contains("iso-8859-1") || head.contains("latin1") || head.contains("windows-1252") {
                Ok(bytes.iter().map(|b| char::from(*b)).collect::<String>().into())
            } else {
                Err(XmlError::Encoding)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prefixes_entities_and_cdata() {
        let root = parse(
            b"<?xml version=\"1.0\"?><!-- c --><a:x xmlns:a='u' svns:secretAlias='A &amp; B'>1 &lt; <![CDATA[<2>]]>&#65;<b/><b>t</b></a:x>",
        )
        .unwrap();
        assert_eq!(root.name, "x");
        assert_eq!(root.text, "1 < <2>A");
        assert_eq!(root.attribute("secretAlias"), Some("A & B"));
        assert_eq!(root.children_named("b").count(), 2);
    }

    #[test]
    fn entities_and_endless_depth_are_refused() {
        assert_eq!(parse(b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), Err(XmlError::Entities));
        assert_eq!(parse(b"<a>&nbsp;</a>"), Err(XmlError::Entities));
        assert_eq!(parse("<a>".repeat(200).as_bytes()), Err(XmlError::TooLarge));
        assert!(matches!(parse(b"<a><b></a>"), Err(XmlError::Malformed { .. })));
        assert_eq!(parse(b"  "), Err(XmlError::Empty));
    }

    #[test]
    fn latin_1_is_read_when_declared() {
        let root = parse(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>caf\xe9</a>").unwrap();
        assert_eq!(root.text, "caf\u{e9}");
        assert_eq!(parse(b"<a>caf\xe9</a>"), Err(XmlError::Encoding));
    }
}
