//! `payloadFactory`: a body from a template, with `$1`, `$2` … filled in.
//!
//! What an argument becomes depends on what it looks like and on the template's kind, as in the old product: XML in an XML template goes in
//! as elements, in a JSON template as the JSON of it; JSON from a JSON path goes into XML as elements; anything else is text, escaped.

use std::collections::BTreeMap;

use crate::compile::Work;
use crate::convert;
use crate::expression::{Expression, Means};
use crate::failure::Failure;
use crate::json::{self, Json};
use crate::library::Dialect;
use crate::message::{Media, Message, Scope, bounds, mime};
use crate::program::Action;
use crate::tree::{Bounds, Kind, NodeId, Tree};
use crate::xml::{Element, Node};

/// A template and what goes into it.
#[derive(Debug)]
pub(crate) struct PayloadFactory {
    template: Template,
    arguments: Vec<Argument>,
    dialect: Dialect,
}

#[derive(Debug)]
enum Template {
    Xml(Tree),
    Json(Vec<Piece>),
    Text(Vec<Piece>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    /// Number of the argument, from 1, and how the placeholder was written.
    Place(usize, String),
}

#[derive(Debug)]
struct Argument {
    source: From,
    literal: bool,
}

#[derive(Debug)]
enum From {
    Fixed(String),
    Made(Expression),
}

/// An argument's value for one message.
struct Filled {
    text: String,
    is_json_path: bool,
    literal: bool,
    fixed: bool,
    /// The value as XML, if it is such.
    xml: Option<Tree>,
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    if element.attribute("template-type").is_some_and(|kind| kind.eq_ignore_ascii_case("freemarker")) {
        work.obstacle(
            element,
            "freemarker",
            "Templates in FreeMarker do not run here.",
            "Write the format with $1, $2 and arguments, or with a <script>.",
        );
        return None;
    }
    let Some(format) = element.elements().find(|e| e.name == "format") else {
        work.obstacle(element, "", "The format is missing.", "Write a <format>.");
        return None;
    };
    let media = element.attribute("media-type").unwrap_or("xml").trim();
    let template = template(work, element, format, media);
    let arguments: Vec<Option<Argument>> = element
        .elements()
        .filter(|e| e.name == "args")
        .flat_map(Element::elements)
        .filter(|e| e.name == "arg" || e.name == "argument")
        .map(|argument| compile_argument(work, argument))
        .collect();
    let arguments = arguments.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Action::Payload(Box::new(PayloadFactory { template: template?, arguments, dialect: work.library.dialect() })))
}

fn template(work: &mut Work<'_>, element: &Element, format: &Element, media: &str) -> Option<Template> {
    let limits = Bounds { bytes: crate::MAX_XML_BYTES, elements: crate::MAX_ELEMENTS, nesting: crate::MAX_DEPTH };
    let keyed = match format.attribute("key").map(str::trim) {
        Some(key) if key.starts_with('{') => {
            work.obstacle(element, key, "The format is chosen while the message runs.", "Use a <switch> with one payloadFactory each.");
            return None;
        }
        Some(key) => match work.library.entry(key) {
            Some(source) => Some((key, source.text.to_string())),
            None => {
                work.obstacle(element, key, "No entry of this name was found.", "Add the entry, or write the format into the sequence.");
                return None;
            }
        },
        None => None,
    };
    match media {
        "json" => Some(Template::Json(pieces(keyed.map_or_else(|| format.text(), |(_, text)| text).trim()))),
        "text" => Some(Template::Text(pieces(keyed.map_or_else(|| format.text(), |(_, text)| text).trim()))),
        "xml" | "" => {
            let mut tree = match keyed {
                Some((key, text)) => match Tree::read(&text, &limits) {
                    Ok(tree) => tree,
                    Err(fault) => {
                        work.obstacle(element, key, &format!("The entry is not XML: {}.", fault.what), "Mend the entry.");
                        return None;
                    }
                },
                None => match format.elements().next() {
                    Some(inner) => Tree::from_written(inner),
                    None => {
                        work.obstacle(
                            element,
                            "",
                            "The format holds no element.",
                            "Write an element, or say media-type=\"json\" or \"text\".",
                        );
                        return None;
                    }
                },
            };
            let document = tree.document();
            without_indentation(&mut tree, document);
            Some(Template::Xml(tree))
        }
        other => {
            work.obstacle(element, other, "There is no such media type for a payloadFactory.", "Use xml, json or text.");
            None
        }
    }
}

/// Text between elements that is nothing but space was dropped.
fn without_indentation(tree: &mut Tree, id: NodeId) {
    let blank: Vec<NodeId> =
        tree.children(id).iter().copied().filter(|child| matches!(tree.kind(*child), Kind::Text(text) if text.trim().is_empty())).collect();
    blank.into_iter().for_each(|child| tree.detach(child));
    let inner: Vec<NodeId> = tree.elements(id).collect();
    inner.into_iter().for_each(|child| without_indentation(tree, child));
}

fn compile_argument(work: &mut Work<'_>, argument: &Element) -> Option<Argument> {
    let literal = argument.attribute("literal").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
    if let Some(value) = argument.attribute("value") {
        return Some(Argument { source: From::Fixed(value.to_owned()), literal });
    }
    let text = work.needed(argument, "expression")?;
    let expression = match argument.attribute("evaluator").map(str::trim) {
        Some("json") => work.json_expression(argument, text)?,
        _ => work.expression(argument, text)?,
    };
    Some(Argument { source: From::Made(expression), literal })
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        let after = after.get(1..).unwrap_or_default();
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        match number.parse::<usize>() {
            Ok(number) if number > 0 => {
                if !plain.is_empty() {
                    out.push(Piece::Plain(std::mem::take(&mut plain)));
                }
                out.push(Piece::Place(number, format!("${number}")));
            }
            _ => {
                plain.push('$');
                plain.push_str(number);
            }
        }
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        out.push(Piece::Plain(plain));
    }
    out
}

impl PayloadFactory {
    pub(crate) fn reads_body(&self) -> bool {
        // XML goes into the envelope that came, whose header stays.
        matches!(self.template, Template::Xml(_))
            || self.arguments.iter().any(|a| matches!(&a.source, From::Made(expression) if expression.reads_body()))
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let mut filled = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            let (text, fixed) = match &argument.source {
                From::Fixed(text) => (text.clone(), true),
                From::Made(expression) => (expression.text(message, means)?.unwrap_or_default(), false),
            };
            let is_json_path = matches!(&argument.source, From::Made(Expression::Json(..)));
            let xml = as_xml(&text, &bounds(means.limits));
            filled.push(Filled { text, is_json_path, literal: argument.literal, fixed, xml });
        }
        // What the message's type was, which the older engine left alone.
        let before = match self.dialect {
            Dialect::V1 => Some(written_type(message)).filter(|kept| !kept.is_empty()),
            Dialect::V2 => None,
        };
        match &self.template {
            Template::Xml(template) => {
                let mut made = Tree::empty();
                let document = made.document();
                for child in template.children(template.document()) {
                    fill(&mut made, document, template, *child, &filled, means)?;
                }
                message.payload.set_xml(&made, means.limits)?;
                message.payload.fits(means.limits)?;
                let kept = written_type(message);
                if !matches!(Media::of(&kept), Media::Soap11 | Media::Soap12) && mime(&kept) != "application/xml" {
                    become_type(message, "application/xml");
                }
            }
            Template::Json(pieces) => {
                let quoted = message.property(Scope::Default, QUOTED).is_some_and(|v| v.to_string().eq_ignore_ascii_case("true"));
                let made = joined(pieces, &filled, means, |value, _| json_form(value, quoted))?;
                message.payload.set_bytes(made.trim(), "application/json");
                become_type(message, "application/json");
            }
            Template::Text(pieces) => {
                let made =
                    joined(pieces, &filled, means, |value, _| Ok(if value.fixed { xml_escaped(value) } else { value.text.clone() }))?;
                message.payload.set_bytes(made.trim(), "text/plain");
                become_type(message, "text/plain");
            }
        }
        if let Some(kept) = before {
            message.headers.set("Content-Type", kept.as_str());
            message.properties.set(Scope::Axis2, "messageType", kept.as_str());
            message.properties.set(Scope::Axis2, "ContentType", kept);
            message.payload.retype();
        }
        message.remove_property(Scope::Axis2, "NO_ENTITY_BODY");
        Ok(())
    }
}

/// Makes strings that are no numbers and no truths quoted in JSON.
const QUOTED: &str = "QUOTE_STRING_IN_PAYLOAD_FACTORY_JSON";

fn written_type(message: &Message) -> String {
    message.property(Scope::Axis2, "messageType").map(|v| v.to_string()).unwrap_or_default()
}

fn become_type(message: &mut Message, mime: &str) {
    message.headers.set("Content-Type", mime);
    message.properties.set(Scope::Axis2, "messageType", mime);
    message.properties.set(Scope::Axis2, "ContentType", mime);
}

fn as_xml(text: &str, bounds: &Bounds) -> Option<Tree> {
    let text = text.trim();
    if !text.ends_with('>') || text.len() < 4 {
        return None;
    }
    Tree::read(text, bounds).ok()
}

fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// A fixed value was escaped for XML whatever the template's kind.
fn xml_escaped(value: &Filled) -> String {
    if value.xml.is_some() {
        return value.text.clone();
    }
    let mut out = String::with_capacity(value.text.len());
    for c in value.text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}

fn json_form(value: &Filled, quoted: bool) -> Result<String, Failure> {
    if let Some(tree) = value.xml.as_ref().filter(|_| !value.literal && !value.is_json_path) {
        let mut around = Tree::empty();
        let document = around.document();
        let object = around.append_tag(document, crate::tree::Tag::named(None, "jsonObject", None));
        if let Some(root) = tree.root() {
            let copy = around.graft(tree, root);
            around.append(object, copy);
        }
        return Ok(convert::to_json(&around, object).to_string());
    }
    let text = if value.fixed { xml_escaped(value) } else { value.text.clone() };
    if looks_like_json(&text) {
        return Ok(text);
    }
    let mut out = String::with_capacity(text.len());
    json::escape(&text, &mut out);
    let word = text.trim();
    if quoted && !matches!(word, "true" | "false" | "null") && !json::is_number(word) {
        return Ok(format!("\"{out}\""));
    }
    Ok(out)
}

fn joined(
    pieces: &[Piece],
    filled: &[Filled],
    means: &Means<'_>,
    form: impl Fn(&Filled, &Means<'_>) -> Result<String, Failure>,
) -> Result<String, Failure> {
    let mut out = String::new();
    // An argument may stand in several places; its form is made once.
    let mut forms: BTreeMap<usize, String> = BTreeMap::new();
    for piece in pieces {
        match piece {
            Piece::Plain(text) => out.push_str(text),
            Piece::Place(number, written) => match filled.get(number - 1) {
                Some(value) => {
                    if !forms.contains_key(number) {
                        forms.insert(*number, form(value, means)?);
                    }
                    out.push_str(forms.get(number).map(String::as_str).unwrap_or_default());
                }
                None => out.push_str(written),
            },
        }
        if out.len() > means.limits.body_bytes {
            return Err(Failure::new("The sequence made too long a body"));
        }
    }
    Ok(out)
}

/// Copies a node of the template, placeholders filled in. Depth is bounded by the reader of the template.
fn fill(made: &mut Tree, parent: NodeId, template: &Tree, id: NodeId, filled: &[Filled], means: &Means<'_>) -> Result<(), Failure> {
    if made.len() > means.limits.elements.saturating_mul(4) {
        return Err(Failure::new("The sequence made too long a body"));
    }
    match template.kind(id) {
        Kind::Text(text) if text.contains('$') => {
            for piece in pieces(text) {
                match piece {
                    Piece::Plain(text) => made.append_text(parent, &text),
                    Piece::Place(number, written) => match filled.get(number - 1) {
                        Some(value) => fill_place(made, parent, value, means)?,
                        None => made.append_text(parent, &written),
                    },
                }
            }
        }
        Kind::Element(tag) => {
            let mut own = (**tag).clone();
            own.children.clear();
            for attribute in own.attributes.iter_mut().filter(|a| a.value.contains('$')) {
                attribute.value = joined(&pieces(&attribute.value), filled, means, |value, _| match &value.xml {
                    Some(_) => Err(Failure::new("Error creating SOAP Envelope from source")),
                    None => Ok(value.text.clone()),
                })?;
            }
            let copy = made.append_tag(parent, own);
            for child in template.children(id) {
                fill(made, copy, template, *child, filled, means)?;
            }
        }
        other => {
            let copy = made.add(other.clone());
            made.append(parent, copy);
        }
    }
    Ok(())
}

fn fill_place(made: &mut Tree, parent: NodeId, value: &Filled, means: &Means<'_>) -> Result<(), Failure> {
    if let Some(tree) = &value.xml {
        if let Some(root) = tree.root() {
            let copy = made.graft(tree, root);
            made.append(parent, copy);
        }
        return Ok(());
    }
    if value.is_json_path && !value.literal && looks_like_json(&value.text) {
        let wrong = |_| Failure::new("Error converting JSON to XML, please check your JSON Path expressions return valid JSON: ");
        match Json::parse(value.text.trim(), means.limits.nesting).map_err(wrong)? {
            Json::Object(members) => members.iter().for_each(|(name, value)| convert::append_member(made, parent, name, value)),
            Json::Array(items) => items.iter().for_each(|item| {
                convert::append_member(made, parent, "jsonElement", item);
            }),
            other => made.append_text(parent, &other.bare()),
        }
        return Ok(());
    }
    made.append_text(parent, &value.text);
    Ok(())
}

impl Element {
    /// Own text, joined.
    pub(crate) fn text(&self) -> String {
        self.children.iter().filter_map(|node| if let Node::Text(text) = node { Some(text.as_str()) } else { None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found() {
        let place = |n: usize| Piece::Place(n, format!("${n}"));
        let plain = |t: &str| Piece::Plain(t.to_owned());
        assert_eq!(pieces("a$1b$12$"), [plain("a"), place(1), plain("b"), place(12), plain("$")]);
        assert_eq!(pieces("$0 $x"), [plain("$0 $x")]);
    }
}
