//! `xslt`: a part of the body, or what an expression finds, through a stylesheet.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compile::Work;
use crate::expression::{Expression, Means, Text, find};
use crate::failure::Failure;
use crate::library::{self, Library, Source};
use crate::log::{Log, LogLevel};
use crate::message::{Envelope, Message, Scope, Value, Xml, bounds, soap_format, text_element};
use crate::program::Action;
use crate::tree::{NodeId, Tree};
use crate::xml::Element;
use crate::xpath::{Found, XPath};
use crate::xslt::{self, Stylesheet};

#[derive(Debug)]
pub(crate) struct Xslt {
    key: String,
    sheet: Sheet,
    /// Without one it is what the body holds.
    source: Option<XPath>,
    /// Property that gets the result; without one it stands where the source stood.
    target: Option<String>,
    parameters: Vec<(String, Given)>,
}

#[derive(Debug)]
enum Sheet {
    One(Arc<Stylesheet>),
    /// The one of the name that the text gives.
    Chosen(Text, BTreeMap<String, Arc<Stylesheet>>),
}

#[derive(Debug)]
enum Given {
    Fixed(String),
    Made(Expression),
}

/// Where the source stands, for what becomes of it.
#[derive(Debug, Clone, Copy)]
enum Place {
    Envelope,
    /// The content of the envelope's body or header.
    Inside(NodeId),
    Node(NodeId),
    /// In no message: only a property can take the result.
    Nowhere,
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let key = work.needed(element, "key")?.trim().to_owned();
    let source = match element.attribute("source") {
        Some(text) => match work.expression(element, text)? {
            Expression::XPath(path) => Some(path),
            Expression::Json(..) => {
                work.obstacle(element, text, "A stylesheet transforms XML, and the source is a JSON path.", "Name an element.");
                return None;
            }
        },
        None => None,
    };
    if element.elements().any(|e| matches!(e.name.as_str(), "feature" | "attribute")) {
        work.note(element, "Features and attributes of the old product's own transformer are not used.");
    }
    let mut parameters = Vec::new();
    for property in element.elements().filter(|e| e.name == "property") {
        let name = work.needed(property, "name")?.trim().to_owned();
        let given = match property.attribute("expression") {
            Some(text) => Given::Made(work.expression(property, text)?),
            None => Given::Fixed(property.attribute("value").unwrap_or_default().to_owned()),
        };
        parameters.push((name, given));
    }
    let resources: BTreeMap<&str, &str> = element
        .elements()
        .filter(|e| e.name == "resource")
        .filter_map(|e| Some((e.attribute("location")?.trim(), e.attribute("key")?.trim())))
        .collect();
    let sheet = if key.starts_with('{') { chosen(work, element, &key, &resources) } else { one(work, element, &key, &resources) };
    let target = element.attribute("target").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Some(Action::Xslt(Box::new(Xslt { key, sheet: sheet?, source, target, parameters })))
}

fn one(work: &mut Work<'_>, element: &Element, key: &str, resources: &BTreeMap<&str, &str>) -> Option<Sheet> {
    let Some(source) = work.library.entry(key).cloned() else {
        work.obstacle(element, key, "No stylesheet of this name was found.", "Add it to the registry or as a local entry.");
        return None;
    };
    stylesheet(work, element, key, &source, resources).map(Sheet::One)
}

/// All stylesheets there are; one that cannot run is not there to be chosen, and the note says so.
fn chosen(work: &mut Work<'_>, element: &Element, key: &str, resources: &BTreeMap<&str, &str>) -> Option<Sheet> {
    let name = work.text(element, key)?;
    let mut sheets = BTreeMap::new();
    let mut missing = Vec::new();
    for (key, source) in work.library.entries().filter(|(_, source)| looks_like_one(&source.text)) {
        let made = work.tried(|work| stylesheet(work, element, key, source, resources));
        match made {
            Some(sheet) => drop(sheets.insert(key.to_owned(), sheet)),
            None => missing.push(key),
        }
    }
    if sheets.is_empty() {
        work.obstacle(
            element,
            key,
            "The stylesheet is chosen while the message runs, and there is none to choose.",
            "Add the stylesheets.",
        );
        return None;
    }
    if !missing.is_empty() {
        work.note(element, &format!("Stylesheets that cannot be chosen because they cannot run: {}.", missing.join(", ")));
    }
    Some(Sheet::Chosen(name, sheets))
}

fn looks_like_one(text: &str) -> bool {
    text.contains("http://www.w3.org/1999/XSL/Transform")
}

fn stylesheet(
    work: &mut Work<'_>,
    element: &Element,
    key: &str,
    source: &Source,
    resources: &BTreeMap<&str, &str>,
) -> Option<Arc<Stylesheet>> {
    let library = work.library;
    let finder = |href: &str, by: &str| {
        let named = resources.get(href).copied();
        let beside = library::beside(by, href);
        named.map(str::to_owned).into_iter().chain([href.to_owned()]).chain(beside).find_map(|key| found(library, key))
    };
    // What a resource's location means is the mediator's own.
    let name = format!("{key}\n{resources:?}");
    work.once(&library.made().sheets, &name, |work| xslt::read(work, element, key, source, &finder))
}

fn found(library: &Library, key: String) -> Option<(String, Source)> {
    library.entry(&key).cloned().map(|source| (key, source))
}

impl Xslt {
    pub(crate) fn writes_body(&self) -> bool {
        self.target.is_none()
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>, log: &mut Log) -> Result<(), Failure> {
        if self.source.is_none() && message.payload.xml(means.limits)?.content().is_none() {
            let words = "Found empty soap body, skipping XSLT transformation and continuing the mediation";
            log.add(LogLevel::Warn, words.to_owned(), message);
            return Ok(());
        }
        self.transformed(message, means, log).map_err(|failure| {
            let source = self.source.as_ref().map_or("the body's first element", XPath::text);
            let reason = if failure.message.is_empty() { &failure.detail } else { &failure.message };
            let message =
                format!("Unable to perform XSLT transformation using : {} against source XPath : {source} reason : {reason}", self.key);
            Failure { message, ..failure }
        })
    }

    fn transformed(&self, message: &mut Message, means: &mut Means<'_>, log: &mut Log) -> Result<(), Failure> {
        let (document, place) = self.source(message, means)?;
        let mut parameters = Vec::with_capacity(self.parameters.len());
        for (name, given) in &self.parameters {
            match given {
                Given::Fixed(value) => parameters.push((name.clone(), value.clone())),
                // One that is not set leaves the stylesheet its own value.
                Given::Made(expression) => parameters.extend(expression.text(message, means)?.map(|value| (name.clone(), value))),
            }
        }
        let sheet = match &self.sheet {
            Sheet::One(sheet) => sheet,
            Sheet::Chosen(name, sheets) => {
                let name = name.text(message, means)?;
                sheets.get(name.trim()).ok_or_else(|| Failure::new("there is no stylesheet of the name that the message gives"))?
            }
        };
        let made = xslt::transform(sheet, document, &parameters, means)?;
        for words in made.messages {
            log.add(LogLevel::Info, words, message);
        }
        let result = if sheet.makes_text {
            text_element(&made.tree.string_value(made.tree.document()))
        } else {
            let outside = made.tree.own_text(made.tree.document());
            match made.tree.elements(made.tree.document()).collect::<Vec<_>>().as_slice() {
                [root] if outside.trim().is_empty() => made.tree.cut(&[*root]),
                _ => return Err(Failure::new("Unable to create an OMElement using XSLT result")),
            }
        };
        self.put(result, place, message, means)
    }

    /// The document to transform, and where it stands.
    fn source(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(Tree, Place), Failure> {
        let none = || Failure::new("The evaluation of the XPath expression must result in an OMNode");
        let Some(path) = &self.source else {
            let envelope = message.payload.xml(means.limits)?;
            let content = envelope.content().ok_or_else(none)?;
            return Ok((envelope.tree.cut(&[content]), Place::Node(content)));
        };
        match find(path, message, means)? {
            Found::Nodes(nodes, trees) => {
                let at = nodes.first().filter(|at| at.attribute.is_none()).ok_or_else(none)?;
                let tree = trees.get(usize::from(at.tree)).filter(|tree| tree.tag(at.id).is_some()).ok_or_else(none)?;
                // Trees of properties come behind the message's own, which an expression may not have looked at.
                let own = at.tree == 0 && path.reads_body();
                let place = match () {
                    () if !own => Place::Nowhere,
                    () if tree.root() == Some(at.id) => Place::Envelope,
                    () if tree.parent(at.id) == tree.root()
                        && tree.tag(at.id).is_some_and(|tag| matches!(&*tag.name, "Body" | "Header")) =>
                    {
                        Place::Inside(at.id)
                    }
                    () => Place::Node(at.id),
                };
                Ok((tree.cut(&[at.id]), place))
            }
            Found::Text(text) => {
                let tree = Tree::read(text.trim(), &bounds(means.limits)).map_err(|_| none())?;
                Ok((tree, Place::Nowhere))
            }
            _ => Err(none()),
        }
    }

    fn put(&self, result: Tree, place: Place, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        if let Some(name) = &self.target {
            let as_text = message.property(Scope::Default, AS_TEXT).is_some_and(|v| v.to_string().eq_ignore_ascii_case("true"));
            let value = if as_text { Value::Text(result.text(result.document())) } else { Value::Xml(Xml(Arc::new(result))) };
            return message.set_property(Scope::Default, name, value);
        }
        match place {
            Place::Nowhere => return Err(Failure::new("the source stands in no message; name a target property")),
            Place::Envelope => {
                let format = result.root().and_then(|root| soap_format(&result, root));
                let format = format.ok_or_else(|| Failure::new("Unable to replace SOAP envelope with result"))?;
                message.payload.set_envelope(Envelope { tree: Arc::new(result), format });
            }
            Place::Inside(id) => {
                let tree = message.payload.xml_mut(means.limits)?.tree_mut();
                tree.clear(id);
                for inner in result.root().into_iter().flat_map(|root| result.elements(root)).collect::<Vec<_>>() {
                    let copy = tree.graft(&result, inner);
                    tree.append(id, copy);
                }
            }
            Place::Node(id) => {
                let tree = message.payload.xml_mut(means.limits)?.tree_mut();
                if let (Some(parent), Some(place), Some(root)) = (tree.parent(id), tree.place(id), result.root()) {
                    let copy = tree.graft(&result, root);
                    tree.insert(parent, place, copy);
                    tree.detach(id);
                }
            }
        }
        message.payload.fits(means.limits)
    }
}

/// Makes the target property a text.
const AS_TEXT: &str = "transform.xslt.result.disableBuild";
