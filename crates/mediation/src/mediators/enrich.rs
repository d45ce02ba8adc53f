//! `enrich`: takes something from here and puts it there: expression, envelope, body, property, or written out.
//!
//! As in the old product there are two ways. When the body is JSON and neither side speaks XML, JSON is moved; otherwise XML.

use std::sync::Arc;

use crate::compile::Work;
use crate::expression::{Expression, Means, find};
use crate::failure::Failure;
use crate::json::Json;
use crate::jsonpath::{self, Found as JsonFound, JsonPath, Key};
use crate::message::{Envelope, Message, Scope, Value, Xml, bounds, fits, fits_json, soap_format};
use crate::program::Action;
use crate::tree::{Bounds, Kind, NodeId, Tree};
use crate::xml::Element;
use crate::xpath::{Found, XPath};

/// From where, to where.
#[derive(Debug)]
pub(crate) struct Enrich {
    source: Source,
    keeps: bool,
    target: Target,
    how: How,
}

#[derive(Debug)]
enum Source {
    XPath(XPath),
    Json(JsonPath),
    Envelope,
    Body,
    Property(String),
    Tree(Tree),
    Text(String),
}

#[derive(Debug)]
enum Target {
    XPath(XPath),
    Json(JsonPath),
    Envelope,
    Body,
    Property(String),
    /// Gives a member another name.
    Key(JsonPath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Replace,
    Child,
    Sibling,
    Remove,
}

/// A piece of XML on its way.
enum Piece {
    Element(Tree),
    Text(String),
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let part = |name: &str| element.elements().find(|e| e.name == name);
    let (Some(from), Some(to)) = (part("source"), part("target")) else {
        work.obstacle(element, "", "An enrich needs a source and a target.", "Write both.");
        return None;
    };
    let how = match to.attribute("action").unwrap_or("replace").trim() {
        "replace" => How::Replace,
        "child" => How::Child,
        "sibling" => How::Sibling,
        "remove" => How::Remove,
        other => {
            work.obstacle(to, other, "There is no such action.", "Use replace, child, sibling or remove.");
            return None;
        }
    };
    let source = source(work, from);
    let target = target(work, to);
    let keeps = !from.attribute("clone").is_some_and(|v| v.trim().eq_ignore_ascii_case("false"));
    Some(Action::Enrich(Box::new(Enrich { source: source?, keeps, target: target?, how })))
}

fn source(work: &mut Work<'_>, from: &Element) -> Option<Source> {
    match from.attribute("type").unwrap_or("custom").trim() {
        "custom" => {
            let text = work.needed(from, "xpath").or_else(|| from.attribute("expression"))?;
            Some(match work.expression(from, text)? {
                Expression::XPath(path) => Source::XPath(path),
                Expression::Json(path, None) => Source::Json(path),
                Expression::Json(_, Some(_)) => {
                    work.obstacle(
                        from,
                        text,
                        "The source of an enrich cannot be a path into a property.",
                        "Set a property from the path first.",
                    );
                    return None;
                }
            })
        }
        "envelope" => Some(Source::Envelope),
        "body" => Some(Source::Body),
        "property" => work.needed(from, "property").map(|name| Source::Property(name.to_owned())),
        "inline" => {
            if let Some(inner) = from.elements().next() {
                return Some(Source::Tree(Tree::from_written(inner)));
            }
            let text = from.text().trim().to_owned();
            if !text.is_empty() {
                return Some(Source::Text(text));
            }
            let key = work.needed(from, "key")?.trim();
            match work.library.entry(key) {
                Some(entry) => {
                    let limits = Bounds { bytes: crate::MAX_XML_BYTES, elements: crate::MAX_ELEMENTS, nesting: crate::MAX_DEPTH };
                    Some(match Tree::read(&entry.text, &limits) {
                        Ok(tree) => Source::Tree(tree),
                        Err(_) => Source::Text(entry.text.to_string()),
                    })
                }
                None => {
                    work.obstacle(from, key, "No entry of this name was found.", "Add the entry, or write its content into the sequence.");
                    None
                }
            }
        }
        other => {
            work.obstacle(from, other, "There is no such type of source.", "Use custom, envelope, body, property or inline.");
            None
        }
    }
}

fn target(work: &mut Work<'_>, to: &Element) -> Option<Target> {
    match to.attribute("type").unwrap_or("custom").trim() {
        kind @ ("custom" | "key") => {
            let text = work.needed(to, "xpath")?;
            match (kind, work.expression(to, text)?) {
                ("custom", Expression::XPath(path)) => Some(Target::XPath(path)),
                ("custom", Expression::Json(path, None)) => Some(Target::Json(path)),
                ("key", Expression::Json(path, None)) if path.parent().is_some() => Some(Target::Key(path)),
                _ => {
                    work.obstacle(to, text, "The target of an enrich cannot be this expression.", "Name a place in the body.");
                    None
                }
            }
        }
        "envelope" => Some(Target::Envelope),
        "body" => Some(Target::Body),
        "property" => work.needed(to, "property").map(|name| Target::Property(name.to_owned())),
        other => {
            work.obstacle(to, other, "There is no such type of target.", "Use custom, envelope, body, property or key.");
            None
        }
    }
}

fn no_source() -> Failure {
    Failure::new("Failed to get the source for Enriching : ")
}

fn too_much() -> Failure {
    Failure::new("The expressions of the sequence looked at too much")
}

impl Enrich {
    pub(crate) fn reads_body(&self) -> bool {
        let source = match &self.source {
            Source::XPath(path) => path.reads_body(),
            Source::Json(_) | Source::Envelope | Source::Body => true,
            Source::Property(_) | Source::Tree(_) | Source::Text(_) => false,
        };
        source || !matches!(self.target, Target::Property(_))
    }

    pub(crate) fn writes_body(&self) -> bool {
        !matches!(self.target, Target::Property(_)) || !self.keeps
    }

    /// Whether nothing in it speaks XML.
    fn is_json(&self, message: &Message, means: &Means<'_>) -> bool {
        let source = match &self.source {
            Source::Json(_) | Source::Body => true,
            Source::Text(text) => looks_like_json(text),
            Source::Property(name) => match message.property(Scope::Default, name) {
                Some(Value::Xml(_)) => false,
                Some(Value::Text(text)) => Json::parse(text.trim(), means.limits.nesting).is_ok() || !text.trim_start().starts_with('<'),
                _ => true,
            },
            Source::XPath(_) | Source::Envelope | Source::Tree(_) => false,
        };
        let target = !matches!(self.target, Target::XPath(_) | Target::Envelope);
        source && target && message.payload.is_json()
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        if self.is_json(message, means) {
            self.run_json(message, means)?;
        } else if self.how == How::Remove || matches!(self.target, Target::Key(_) | Target::Json(_)) {
            return Err(Failure::new("The enrich mediator changes JSON, and the message has none"));
        } else {
            self.run_xml(message, means)?;
        }
        message.payload.fits(means.limits)?;
        if matches!(self.target, Target::Body | Target::Envelope) {
            message.remove_property(Scope::Axis2, "NO_ENTITY_BODY");
        }
        Ok(())
    }

    fn run_json(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        if self.how == How::Remove {
            let Source::Json(path) = &self.source else { return Err(Failure::new("source Xpath is mandatory for the Remove action")) };
            return match &self.target {
                Target::Property(name) => {
                    let value = message.property(Scope::Default, name).ok_or_else(no_source)?;
                    let mut json = property_json(&value, means)?;
                    cut(path, &mut json, means)?;
                    message.properties.set(Scope::Default, name.as_str(), Value::Text(json.to_string()));
                    Ok(())
                }
                _ => {
                    let mut json = message.payload.json(means.limits)?.ok_or_else(no_source)?.into_owned();
                    cut(path, &mut json, means)?;
                    message.payload.set_json(json);
                    Ok(())
                }
            };
        }
        let value = match &self.source {
            Source::Json(path) => {
                let root = message.payload.json(means.limits)?.ok_or_else(no_source)?;
                let found = match path.find(&root, means.visits).map_err(|_| too_much())? {
                    JsonFound::One(json) => json,
                    JsonFound::Many(many) => Json::Array(many),
                    JsonFound::Nothing => return Err(no_source()),
                };
                if !self.keeps {
                    let mut json = root.into_owned();
                    cut(path, &mut json, means)?;
                    message.payload.set_json(json);
                }
                found
            }
            Source::Body => message.payload.json(means.limits)?.ok_or_else(no_source)?.into_owned(),
            Source::Text(text) => Json::parse(text, means.limits.nesting).unwrap_or_else(|_| Json::Text(text.clone())),
            Source::Property(name) => property_json(&message.property(Scope::Default, name).ok_or_else(no_source)?, means)?,
            Source::XPath(_) | Source::Envelope | Source::Tree(_) => return Err(no_source()),
        };
        match &self.target {
            Target::Property(name) => {
                let value = match (self.how, message.property(Scope::Default, name)) {
                    (How::Child, Some(old)) => match property_json(&old, means)? {
                        Json::Array(mut items) => {
                            items.push(value);
                            Json::Array(items)
                        }
                        _ => return Err(Failure::new("Cannot add a child to a property that holds no JSON array")),
                    },
                    _ => value,
                };
                fits_json(&value, means.limits)?;
                message.properties.set(Scope::Default, name.as_str(), Value::Json(value));
                Ok(())
            }
            Target::Body => {
                let whole = match self.how {
                    How::Replace | How::Remove => value,
                    How::Child | How::Sibling => {
                        let mut root = message.payload.json(means.limits)?.ok_or_else(no_source)?.into_owned();
                        add_child(&mut root, value)?;
                        root
                    }
                };
                message.payload.set_json(whole);
                Ok(())
            }
            Target::Json(path) => {
                let mut root = message.payload.json(means.limits)?.ok_or_else(no_source)?.into_owned();
                self.put(path, &mut root, &value, means)?;
                message.payload.set_json(root);
                Ok(())
            }
            Target::Key(path) => {
                let mut root = message.payload.json(means.limits)?.ok_or_else(no_source)?.into_owned();
                for place in path.paths(&root, means.visits).map_err(|_| too_much())? {
                    let Some((Key::Name(old), parent)) = place.split_last() else { continue };
                    if let Some(Json::Object(members)) = jsonpath::at_mut(&mut root, parent) {
                        members.iter_mut().filter(|(name, _)| name == old).for_each(|(name, _)| *name = value.bare());
                    }
                }
                message.payload.set_json(root);
                Ok(())
            }
            Target::XPath(_) | Target::Envelope => Err(no_source()),
        }
    }

    fn put(&self, path: &JsonPath, root: &mut Json, value: &Json, means: &mut Means<'_>) -> Result<(), Failure> {
        let places = path.paths(root, means.visits).map_err(|_| too_much())?;
        if places.is_empty() {
            // A new member of an object that is there.
            if let (How::Replace, Some((parent, name))) = (self.how, path.parent()) {
                for place in parent.paths(root, means.visits).map_err(|_| too_much())? {
                    if let Some(object @ Json::Object(_)) = jsonpath::at_mut(root, &place) {
                        object.set(name, value.clone());
                        return Ok(());
                    }
                }
            }
            return Err(Failure::new("Unable to get the attach path specified by the expression"));
        }
        for place in places {
            let spot = match self.how {
                How::Sibling => place.split_last().map(|(_, parent)| parent.to_vec()).unwrap_or_default(),
                _ => place,
            };
            let Some(there) = jsonpath::at_mut(root, &spot) else { continue };
            match self.how {
                How::Replace | How::Remove => *there = value.clone(),
                How::Child | How::Sibling => add_child(there, value.clone())?,
            }
        }
        Ok(())
    }

    fn run_xml(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let (pieces, moved) = self.pieces(message, means)?;
        if !self.keeps && !moved.is_empty() {
            let tree = message.payload.xml_mut(means.limits)?.tree_mut();
            moved.into_iter().for_each(|id| tree.detach(id));
        }
        match &self.target {
            Target::Property(name) => {
                if self.how == How::Child
                    && let Some(Value::Xml(xml)) = message.property(Scope::Default, name)
                {
                    let mut tree = (*xml.0).clone();
                    if let Some(root) = tree.root() {
                        place(&mut tree, root, How::Child, &pieces);
                    }
                    fits(&tree, means.limits)?;
                    message.properties.set(Scope::Default, name.as_str(), Value::Xml(Xml(Arc::new(tree))));
                    return Ok(());
                }
                let value = match pieces.as_slice() {
                    [Piece::Text(text)] => Value::Text(text.clone()),
                    pieces => {
                        let mut tree = Tree::empty();
                        let document = tree.document();
                        for piece in pieces {
                            append(&mut tree, document, piece);
                        }
                        Value::Xml(Xml(Arc::new(tree)))
                    }
                };
                message.properties.set(Scope::Default, name.as_str(), value);
                Ok(())
            }
            Target::Body => {
                if let (How::Replace, [Piece::Text(text), ..]) = (self.how, pieces.as_slice())
                    && looks_like_json(text)
                    && let Ok(json) = Json::parse(text.trim(), means.limits.nesting)
                {
                    message.payload.set_json(json);
                    return Ok(());
                }
                let envelope = message.payload.xml_mut(means.limits)?;
                let (body, content) = (envelope.body(), envelope.content());
                let tree = envelope.tree_mut();
                match (body, content) {
                    (_, Some(content)) => place(tree, content, self.how, &pieces),
                    (Some(body), None) => pieces.iter().for_each(|piece| append(tree, body, piece)),
                    (None, None) => {}
                }
                Ok(())
            }
            Target::Envelope => match pieces.into_iter().next() {
                Some(Piece::Element(tree)) => match tree.root().and_then(|root| soap_format(&tree, root)) {
                    Some(format) => {
                        message.payload.set_envelope(Envelope { tree: Arc::new(tree), format });
                        Ok(())
                    }
                    None => Err(Failure::new("A SOAPEnvelope is expected")),
                },
                _ => Err(Failure::new("A SOAPEnvelope is expected")),
            },
            Target::XPath(path) => {
                if pieces.is_empty() {
                    // The old product said so in its log and went on.
                    return Ok(());
                }
                let Found::Nodes(nodes, _) = find(path, message, means)? else {
                    return Err(Failure::new("Invalid Target object to be enrich."));
                };
                let Some(at) = nodes.first().filter(|at| at.tree == 0) else {
                    return Err(Failure::new("Invalid Target object to be enrich."));
                };
                let tree = message.payload.xml_mut(means.limits)?.tree_mut();
                if let Some(number) = at.attribute {
                    let text: String = pieces.iter().map(text_of).collect();
                    if let Some(attribute) = tree.tag_mut(at.id).and_then(|tag| tag.attributes.get_mut(usize::from(number))) {
                        attribute.value = text;
                    }
                } else if matches!(tree.kind(at.id), Kind::Text(_)) {
                    if let Some(parent) = tree.parent(at.id) {
                        match pieces.first() {
                            Some(Piece::Text(text)) => tree.set_text(parent, text),
                            Some(piece) => {
                                tree.detach(at.id);
                                append(tree, parent, piece);
                            }
                            None => {}
                        }
                    }
                } else {
                    place(tree, at.id, self.how, &pieces);
                }
                Ok(())
            }
            Target::Json(_) | Target::Key(_) => Err(no_source()),
        }
    }

    /// What the source gives, and which nodes of the envelope it was.
    fn pieces(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(Vec<Piece>, Vec<NodeId>), Failure> {
        let none = Vec::new();
        Ok(match &self.source {
            Source::XPath(path) => match find(path, message, means)? {
                Found::Nodes(nodes, trees) => {
                    let mut pieces = Vec::new();
                    for at in &nodes {
                        let Some(tree) = trees.get(usize::from(at.tree)) else { continue };
                        match (at.attribute, tree.kind(at.id)) {
                            (None, Kind::Element(_)) => pieces.push(Piece::Element(tree.cut(&[at.id]))),
                            (None, Kind::Text(text)) => pieces.push(Piece::Text(text.clone())),
                            (Some(number), _) => {
                                let value =
                                    tree.tag(at.id).and_then(|tag| tag.attributes.get(usize::from(number))).map(|a| a.value.clone());
                                pieces.push(Piece::Text(value.unwrap_or_default()));
                            }
                            _ => {}
                        }
                    }
                    let moved = nodes.iter().filter(|at| at.tree == 0 && at.attribute.is_none()).map(|at| at.id).collect();
                    (pieces, moved)
                }
                other => (other.text().map(Piece::Text).into_iter().collect(), none),
            },
            Source::Json(path) => {
                let text = match message.payload.json(means.limits)? {
                    Some(root) => match path.find(&root, means.visits).map_err(|_| too_much())? {
                        JsonFound::One(json) => json.bare(),
                        JsonFound::Many(many) => Json::Array(many).to_string(),
                        JsonFound::Nothing => return Err(no_source()),
                    },
                    None => return Err(no_source()),
                };
                (vec![Piece::Text(text)], none)
            }
            Source::Envelope => {
                let tree = &message.payload.xml(means.limits)?.tree;
                (vec![Piece::Element((**tree).clone())], none)
            }
            Source::Body => {
                let envelope = message.payload.xml(means.limits)?;
                match envelope.content() {
                    Some(content) => (vec![Piece::Element(envelope.tree.cut(&[content]))], vec![content]),
                    None => (Vec::new(), none),
                }
            }
            Source::Property(name) => match message.property(Scope::Default, name) {
                Some(Value::Xml(xml)) => {
                    let tree = &xml.0;
                    let mut pieces = Vec::new();
                    for child in tree.children(tree.document()) {
                        match tree.kind(*child) {
                            Kind::Element(_) => pieces.push(Piece::Element(tree.cut(&[*child]))),
                            Kind::Text(text) => pieces.push(Piece::Text(text.clone())),
                            _ => {}
                        }
                    }
                    (pieces, none)
                }
                Some(other) => (vec![Piece::Text(other.to_string())], none),
                None => (Vec::new(), none),
            },
            Source::Tree(tree) => (vec![Piece::Element(tree.clone())], none),
            Source::Text(text) => match Tree::read(text, &bounds(means.limits)) {
                Ok(tree) => (vec![Piece::Element(tree)], none),
                Err(_) => (vec![Piece::Text(text.clone())], none),
            },
        })
    }
}

fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn property_json(value: &Value, means: &Means<'_>) -> Result<Json, Failure> {
    match value {
        Value::Json(json) => Ok(json.clone()),
        Value::Xml(_) => Err(no_source()),
        other => {
            let text = other.to_string();
            Ok(Json::parse(text.trim(), means.limits.nesting).unwrap_or(Json::Text(text)))
        }
    }
}

fn cut(path: &JsonPath, json: &mut Json, means: &mut Means<'_>) -> Result<(), Failure> {
    let mut places = path.paths(json, means.visits).map_err(|_| too_much())?;
    // From the last on, so that the places before stay what they are.
    places.reverse();
    places.iter().for_each(|place| jsonpath::remove(json, place));
    Ok(())
}

fn add_child(there: &mut Json, value: Json) -> Result<(), Failure> {
    match (there, value) {
        (Json::Array(items), value) => items.push(value),
        (object @ Json::Object(_), Json::Object(members)) => members.into_iter().for_each(|(name, value)| object.set(&name, value)),
        _ => return Err(Failure::new("A child can only be added to a JSON array or object")),
    }
    Ok(())
}

fn text_of(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => text.clone(),
        Piece::Element(tree) => tree.string_value(tree.document()),
    }
}

fn append(tree: &mut Tree, parent: NodeId, piece: &Piece) {
    match piece {
        Piece::Text(text) => tree.append_text(parent, text),
        Piece::Element(element) => {
            if let Some(root) = element.root() {
                let copy = tree.graft(element, root);
                tree.append(parent, copy);
            }
        }
    }
}

/// Puts pieces at an element: in its place, inside it, or behind it.
fn place(tree: &mut Tree, at: NodeId, how: How, pieces: &[Piece]) {
    if how == How::Child {
        pieces.iter().filter(|p| matches!(p, Piece::Element(_))).for_each(|piece| append(tree, at, piece));
        return;
    }
    let (Some(parent), Some(own)) = (tree.parent(at), tree.place(at)) else { return };
    let mut after = own + usize::from(how == How::Sibling);
    let mut replaced = false;
    for piece in pieces {
        match piece {
            Piece::Element(element) => {
                if let Some(root) = element.root() {
                    let copy = tree.graft(element, root);
                    tree.insert(parent, after, copy);
                    after += 1;
                    replaced = true;
                }
            }
            Piece::Text(text) if how == How::Replace => tree.set_text(at, text),
            Piece::Text(_) => {}
        }
    }
    if how == How::Replace && replaced {
        tree.detach(at);
    }
}
