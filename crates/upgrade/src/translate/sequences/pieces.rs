//! A sequence taken apart into its top-level mediators, each with a mark that says whether two are the same whatever their spelling.
//!
//! The pieces keep the author's text, so that they can be put together again without being rewritten.

use mediation::{MAX_ELEMENTS, MAX_XML_BYTES, normalised_hash};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Letters of a [`Piece::mark`]: 64 bits, far beyond what chance could make alike among some hundred mediators.
const MARK: usize = 16;

/// A document.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    /// Name of the root element as written, prefix included.
    root: String,
    /// Its attributes, the author's quoting undone.
    attributes: Vec<(String, String)>,
    /// Its child elements.
    pub(super) parts: Vec<Piece>,
    /// [`normalised_hash`] of the whole.
    pub(super) hash: String,
}

/// A child of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Name without prefix.
    pub(super) name: String,
    /// Line of its start tag, counted from 1.
    pub(super) line: usize,
    /// As written.
    pub(super) text: String,
    /// The beginning of its normalised hash, namespaces of the root considered.
    pub(super) mark: String,
}

impl Pieces {
    /// Takes `text` apart.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        if text.len() > MAX_XML_BYTES {
            return Err("it is too long".to_owned());
        }
        let text = text.trim_start_matches('\u{feff}');
        let hash = normalised_hash(text).map_err(|e| e.to_string())?;
        let mut reader = Reader::from_str(text);
        let mut root: Option<(String, Vec<(String, String)>)> = None;
        let mut spans: Vec<(String, usize, usize)> = Vec::new();
        let (mut depth, mut begun, mut name) = (0_usize, 0_usize, String::new());
        loop {
            let at = position(&reader);
            let event = reader.read_event().map_err(|e| e.to_string())?;
            match event {
                Event::Start(start) => {
                    match depth {
                        0 => root = Some(opened(&start)?),
                        1 => (begun, name) = (at, local(&start)),
                        _ => {}
                    }
                    depth += 1;
                }
                Event::Empty(start) if depth == 0 => root = Some(opened(&start)?),
                Event::Empty(start) if depth == 1 => spans.push((local(&start), at, position(&reader))),
                Event::End(_) => {
                    depth = depth.saturating_sub(1);
                    if depth == 1 {
                        spans.push((std::mem::take(&mut name), begun, position(&reader)));
                    }
                }
                Event::Eof => break,
                _ => {}
            }
            if spans.len() > MAX_ELEMENTS {
                return Err("it has too many elements".to_owned());
            }
        }
        let (root, attributes) = root.ok_or("it has no root element")?;
        let mut pieces = Self { root, attributes, parts: Vec::with_capacity(spans.len()), hash };
        let frame = pieces.frame(true);
        for (name, from, to) in spans {
            // Positions are those of the reader, which stands between tags and so between characters.
            let slice = text.get(from..to).unwrap_or_default().trim_start();
            let from = to - slice.len();
            let line = text.get(..from).unwrap_or_default().matches('\n').count() + 1;
            let whole = normalised_hash(&format!("{frame}{slice}</{}>", pieces.root)).map_err(|e| e.to_string())?;
            pieces.parts.push(Piece { name, line, text: slice.to_owned(), mark: whole.chars().take(MARK).collect() });
        }
        Ok(pieces)
    }

    /// Value of an attribute of the root.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim())
    }

    /// A document of the same root with these children only, each in its line, so that what is told of one is found in the author's file.
    pub(super) fn with_only<'p>(&self, parts: impl Iterator<Item = &'p Piece>) -> String {
        let mut text = self.frame(false);
        let mut line = text.matches('\n').count() + 1;
        for part in parts {
            let blank = part.line.saturating_sub(line);
            text.extend(std::iter::repeat_n('\n', blank));
            text.push_str(&part.text);
            line += blank + part.text.matches('\n').count();
        }
        text.push_str(&format!("\n</{}>\n", self.root));
        text
    }

    /// Whether both do the same, whatever they are called.
    pub(super) fn does_as(&self, other: &Self) -> bool {
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(|(a, b)| a.mark == b.mark)
    }

    /// The root's start tag; with nothing but its namespaces where a mark is made.
    fn frame(&self, bare: bool) -> String {
        let mut tag = format!("<{}", self.root);
        for (name, value) in self.attributes.iter().filter(|(name, _)| !bare || name == "xmlns" || name.starts_with("xmlns:")) {
            tag.push_str(&format!(" {name}=\"{}\"", quick_xml::escape::escape(value.as_str())));
        }
        tag.push('>');
        tag
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn local(start: &BytesStart<'_>) -> String {
    start.local_name().into_inner().to_owned()
}

fn opened(start: &BytesStart<'_>) -> Result<(String, Vec<(String, String)>), String> {
    let name = start.name().into_inner().to_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let value = quick_xml::escape::unescape(&attribute.value).map_err(|e| e.to_string())?.into_owned();
        attributes.push((attribute.key.into_inner().to_owned(), value));
    }
    Ok((name, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<?xml version='1.0'?>\n<sequence name='a&amp;b' xmlns='http://ws.apache.org/ns/synapse' xmlns:am='u:am'>\n  <log level=\"full\"/>\n  <!-- why -->\n  <filter xpath='//am:x'>\n    <then><drop/></then>\n  </filter>\n</sequence>";

    #[test]
    fn each_mediator_is_a_piece_with_its_line_and_text() {
        let pieces = Pieces::of(TEXT).unwrap();
        assert_eq!(pieces.attribute("name"), Some("a&b"));
        let seen: Vec<_> = pieces.parts.iter().map(|p| (p.name.as_str(), p.line, p.text.as_str())).collect();
        assert_eq!(
            seen,
            [("log", 3, "<log level=\"full\"/>"), ("filter", 5, "<filter xpath='//am:x'>\n    <then><drop/></then>\n  </filter>")]
        );
        assert!(Pieces::of("<sequence/>").unwrap().parts.is_empty());
        for bad in ["", "text", "<sequence>", "<a/><b/>"] {
            Pieces::of(bad).unwrap_err();
        }
    }

    #[test]
    fn marks_go_by_meaning() {
        let pieces = Pieces::of(TEXT).unwrap();
        let same = Pieces::of("<s:sequence name='other' xmlns:s='http://ws.apache.org/ns/synapse' xmlns:m='u:am'><s:log level='full'></s:log><s:filter xpath='//m:x'><s:then><s:drop/></s:then></s:filter></s:sequence>").unwrap();
        assert!(pieces.does_as(&same));
        assert_ne!(pieces.hash, same.hash, "the name counts there");
        let other = Pieces::of(&TEXT.replace("full", "simple")).unwrap();
        assert!(!pieces.does_as(&other));
        assert_eq!(pieces.parts[1].mark, other.parts[1].mark);
    }

    #[test]
    fn put_together_again_the_pieces_are_the_document() {
        let pieces = Pieces::of(TEXT).unwrap();
        let again = Pieces::of(&pieces.with_only(pieces.parts.iter())).unwrap();
        assert_eq!(pieces.hash, again.hash);
        let last = Pieces::of(&pieces.with_only(pieces.parts.iter().skip(1))).unwrap();
        assert_eq!((last.parts.len(), last.parts[0].line), (1, 5), "in its line");
    }
}
