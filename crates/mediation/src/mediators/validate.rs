//! `validate`: the body, or a part of it, against schemas: XML Schema, or JSON Schema as later versions had it. What does not fit runs the
//! mediators of `on-fail`, after which the sequence goes on, as it did.
//!
//! The checking itself is two libraries' work. They read nothing from elsewhere: an `xs:include` is put in place here, and what would be
//! fetched is an obstacle.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::compile::Work;
use crate::expression::{Expression, Means, find};
use crate::failure::Failure;
use crate::library::Source;
use crate::message::{Message, Scope, bounds};
use crate::program::{Action, BlockId};
use crate::tree::{Kind, NodeId, Tree};
use crate::xml::{Element, shortened};
use crate::xpath::Found;

const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

/// Most documents of one schema.
const MAX_DOCUMENTS: usize = 50;

/// Most errors that are told of one message.
const MAX_ERRORS: usize = 20;

/// A validator's own recursion is as deep as the document.
const STACK: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Validate {
    schemas: Arc<Schemas>,
    source: Option<Expression>,
    keys: String,
    pub(crate) on_fail: BlockId,
}

/// What bodies are checked against.
pub(crate) enum Schemas {
    /// By the namespace that each is for.
    Xml(Vec<(Option<String>, uppsala::XsdValidator)>),
    Json(Box<jsonschema::Validator>),
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xml(_) => "Xml",
            Self::Json(_) => "Json",
        })
    }
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let part = |name: &str| element.elements().find(|e| e.name == name);
    if element.elements().any(|e| e.name == "feature") {
        work.note(element, "Features of the old product's own validator are not used.");
    }
    let on_fail = match part("on-fail") {
        Some(inner) if inner.elements().next().is_some() => Some(work.block(inner)),
        _ => {
            work.obstacle(
                element,
                "",
                "A validate needs an on-fail with mediators.",
                "Write what is to happen to a body that does not fit.",
            );
            None
        }
    };
    let source = match element.attribute("source") {
        Some(text) => Some(work.expression(element, text)?),
        None => None,
    };
    let resources: BTreeMap<&str, &str> = element
        .elements()
        .filter(|e| e.name == "resource")
        .filter_map(|e| Some((e.attribute("location")?.trim(), e.attribute("key")?.trim())))
        .collect();
    let mut documents = Vec::new();
    for schema in element.elements().filter(|e| e.name == "schema") {
        let key = work.needed(schema, "key")?.trim().to_owned();
        if key.starts_with('{') {
            work.obstacle(schema, &key, "The schema is chosen while the message runs.", "Use a <switch> with one validate each.");
            return None;
        }
        let Some(source) = work.library.entry(&key).cloned() else {
            work.obstacle(schema, &key, "No schema of this name was found.", "Add it to the registry or as a local entry.");
            return None;
        };
        documents.push((key, source));
    }
    let keys: Vec<&str> = documents.iter().map(|(key, _)| key.as_str()).collect();
    let keys = format!("[{}]", keys.join(", "));
    if documents.is_empty() {
        work.obstacle(element, "", "A validate needs a schema.", "Name one by a <schema> with a key.");
    }
    let name = format!("{keys}\n{resources:?}");
    let library = work.library;
    let schemas = work.once(&library.made().schemas, &name, |work| schemas(work, element, &documents, &resources));
    Some(Action::Validate(Box::new(Validate { schemas: schemas?, source, keys, on_fail: on_fail? })))
}

fn schemas(work: &mut Work<'_>, element: &Element, documents: &[(String, Source)], resources: &BTreeMap<&str, &str>) -> Option<Schemas> {
    match documents {
        [] => None,
        [(key, source)] if !source.text.trim_start_matches('\u{feff}').trim_start().starts_with('<') => {
            json_schema(work, element, key, source)
        }
        several => {
            let mut made = Vec::new();
            for (key, source) in several {
                made.push(xml_schema(work, element, key, source, resources)?);
            }
            Some(Schemas::Xml(made))
        }
    }
}

fn json_schema(work: &mut Work<'_>, element: &Element, key: &str, source: &Source) -> Option<Schemas> {
    let mut wrong = |why: &str| {
        let suggestion = "Mend the schema; it has to be whole, since nothing is fetched.";
        work.obstacle(element, key, &format!("The JSON schema cannot be used: {}.", shortened(why)), suggestion);
        None
    };
    let schema: serde_json::Value = match serde_json::from_str(source.text.trim_start_matches('\u{feff}')) {
        Ok(schema) => schema,
        Err(fault) => return wrong(&fault.to_string()),
    };
    let mut options = jsonschema::options();
    if schema.get("$schema").is_none() {
        // The old product's validator knew this one.
        options = options.with_draft(jsonschema::Draft::Draft4);
    }
    match options.build(&schema) {
        Ok(validator) => Some(Schemas::Json(Box::new(validator))),
        Err(fault) => wrong(&fault.to_string()),
    }
}

type XmlSchema = (Option<String>, uppsala::XsdValidator);

fn xml_schema(work: &mut Work<'_>, element: &Element, key: &str, source: &Source, resources: &BTreeMap<&str, &str>) -> Option<XmlSchema> {
    let library = work.library;
    let found = |location: &str, by: &str| {
        let beside = crate::library::beside(by, location);
        let named = resources.get(location).map(|key| (*key).to_owned());
        named.into_iter().chain([location.to_owned()]).chain(beside).find_map(|key| Some((library.entry(&key)?.clone(), key)))
    };
    let made = whole(key, source, &found, &mut vec![key.to_owned()]).and_then(|(namespace, tree)| {
        let text = tree.text(tree.document());
        let document = uppsala::parse(&text).map_err(|fault| fault.to_string())?;
        let validator = uppsala::XsdValidator::from_schema(&document).map_err(|fault| fault.to_string())?;
        Ok((namespace, validator))
    });
    made.map_err(|why| {
        let suggestion = "Put what the schema needs into one document of its namespace, or check the body in the backend.";
        work.obstacle(element, key, &format!("The XML schema cannot be used: {}.", shortened(&why)), suggestion);
    })
    .ok()
}

type Finder<'f> = &'f dyn Fn(&str, &str) -> Option<(Source, String)>;

/// A schema with what it includes in place, and its namespace.
fn whole(key: &str, source: &Source, found: Finder<'_>, seen: &mut Vec<String>) -> Result<(Option<String>, Tree), String> {
    let limits = crate::Limits::default();
    let mut tree = Tree::read(&source.text, &bounds(&limits)).map_err(|fault| format!("{key}: {fault}"))?;
    let is = |tree: &Tree, id: NodeId, name: &str| {
        tree.tag(id).is_some_and(|tag| &*tag.name == name && tag.namespace.as_deref() == Some(SCHEMA))
    };
    let root = tree.root().filter(|root| is(&tree, *root, "schema")).ok_or_else(|| format!("{key} is no XML schema"))?;
    let of = |tree: &Tree, id: NodeId, name: &str| {
        tree.tag(id).and_then(|tag| tag.attributes.iter().find(|a| &*a.name == name)).map(|a| a.value.trim().to_owned())
    };
    let namespace = of(&tree, root, "targetNamespace");
    let form = |tree: &Tree, root: NodeId| (of(tree, root, "elementFormDefault"), of(tree, root, "attributeFormDefault"));
    for id in tree.elements(root).collect::<Vec<_>>() {
        if is(&tree, id, "import") || is(&tree, id, "redefine") || is(&tree, id, "override") {
            let what = tree.tag(id).map(|tag| tag.name.to_string()).unwrap_or_default();
            return Err(format!("{key} has an <{what}>, which does not run here"));
        }
        if !is(&tree, id, "include") {
            continue;
        }
        let location = of(&tree, id, "schemaLocation").unwrap_or_default();
        let (included, included_key) = found(&location, key).ok_or_else(|| format!("{key} includes '{location}', which was not found"))?;
        tree.detach(id);
        if seen.contains(&included_key) {
            continue;
        }
        if seen.len() >= MAX_DOCUMENTS {
            return Err("it is made of too many documents".to_owned());
        }
        seen.push(included_key.clone());
        let (own, other) = whole(&included_key, &included, found, seen)?;
        let Some(other_root) = other.root() else { continue };
        if own != namespace || form(&other, other_root) != form(&tree, root) {
            return Err(format!("{included_key} is for another namespace, or has other defaults, than {key} which includes it"));
        }
        let scope = other.scope(other_root);
        for inner in other.elements(other_root).collect::<Vec<_>>() {
            let copy = tree.graft(&other, inner);
            // Names in attributes (type="t:price") mean what they meant there.
            if let Some(tag) = tree.tag_mut(copy) {
                for (prefix, uri) in &scope {
                    if !tag.declarations.iter().any(|(p, _)| p == prefix) {
                        tag.declarations.push((Arc::clone(prefix), Arc::clone(uri)));
                    }
                }
            }
            tree.append(root, copy);
        }
    }
    Ok((namespace, tree))
}

impl Validate {
    /// Whether it fits; what does not is told by the message's error properties.
    pub(crate) fn fits(&self, message: &mut Message, means: &mut Means<'_>) -> Result<bool, Failure> {
        let errors = match &*self.schemas {
            Schemas::Json(validator) => self.json_errors(validator, message, means)?,
            Schemas::Xml(validators) => match self.document(message, means)? {
                Some(document) => stacker::maybe_grow(STACK / 2, STACK, || xml_errors(validators, &document)),
                None => {
                    let source = self.shown();
                    message.properties.set(
                        Scope::Default,
                        "ERROR_MESSAGE",
                        format!("Error occurred while accessing source element: {source}"),
                    );
                    message.properties.set(Scope::Default, "ERROR_DETAIL", format!("There is no element at {source}"));
                    return Ok(false);
                }
            },
        };
        if errors.is_empty() {
            return Ok(true);
        }
        let detail = match &*self.schemas {
            Schemas::Json(_) => format!("Error while validating Json message {}", errors.join("\n")),
            Schemas::Xml(_) => errors.join("\n"),
        };
        let text = match &*self.schemas {
            Schemas::Json(_) => errors.into_iter().next().unwrap_or_default(),
            Schemas::Xml(_) => errors.join("\n"),
        };
        message.properties.set(Scope::Default, "ERROR_EXCEPTION", text.as_str());
        message.properties.set(Scope::Default, "ERROR_MESSAGE", text);
        message.properties.set(Scope::Default, "ERROR_DETAIL", detail);
        Ok(false)
    }

    fn shown(&self) -> &str {
        match &self.source {
            Some(Expression::XPath(path)) => path.text(),
            _ => "the body's first element",
        }
    }

    fn json_errors(&self, validator: &jsonschema::Validator, message: &mut Message, means: &mut Means<'_>) -> Result<Vec<String>, Failure> {
        let text = match &self.source {
            Some(expression @ Expression::Json(..)) => expression.text(message, means)?,
            Some(Expression::XPath(_)) => {
                return Err(Failure::new(
                    "Could not find JSONPath or Synapse Expression to extract the message to validate from the payload",
                ));
            }
            None if message.payload.is_json() => message.payload.json(means.limits)?.map(|json| json.to_string()),
            None => return Err(Failure::new(&format!("Error creating a new schema objects for schemas : {}", self.keys))),
        };
        let text = text.filter(|text| !text.is_empty()).unwrap_or_else(|| "{}".to_owned());
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|fault| Failure { detail: fault.to_string(), ..Failure::new("Error while validating the JSON Schema") })?;
        Ok(validator.iter_errors(&value).take(MAX_ERRORS).map(|error| error.to_string()).collect())
    }

    /// The element to check, as a document; `None` when there is none.
    fn document(&self, message: &mut Message, means: &mut Means<'_>) -> Result<Option<Tree>, Failure> {
        let element = |tree: &Tree, id: NodeId| matches!(tree.kind(id), Kind::Element(_)).then(|| tree.cut(&[id]));
        match &self.source {
            None => {
                let envelope = message.payload.xml(means.limits)?;
                Ok(envelope.content().and_then(|content| element(&envelope.tree, content)))
            }
            Some(Expression::XPath(path)) => match find(path, message, means)? {
                Found::Nodes(nodes, trees) => {
                    Ok(nodes.first().filter(|at| at.attribute.is_none()).and_then(|at| element(trees.get(usize::from(at.tree))?, at.id)))
                }
                Found::Text(text) => Ok(Tree::read(text.trim(), &bounds(means.limits)).ok()),
                _ => Ok(None),
            },
            Some(Expression::Json(..)) => Err(Failure::new("Can not find valid JSON Schema content")),
        }
    }
}

/// What of a document does not fit the schema of its namespace.
fn xml_errors(validators: &[XmlSchema], document: &Tree) -> Vec<String> {
    let namespace = document.root().and_then(|root| document.tag(root)).and_then(|tag| tag.namespace.clone());
    let own = validators.iter().find(|(own, _)| own.as_deref() == namespace.as_deref()).or(validators.first());
    let Some((_, validator)) = own else { return Vec::new() };
    match uppsala::parse(&document.text(document.document())) {
        Ok(parsed) => validator.validate(&parsed).into_iter().take(MAX_ERRORS).map(|error| error.message).collect(),
        // Deeper than the library reads; what cannot be checked does not fit.
        Err(fault) => vec![fault.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{End, Library, Limits, Payload};

    const ORDER: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:o='urn:o' targetNamespace='urn:o' elementFormDefault='qualified'>\
        <xs:include schemaLocation='../lib/types.xsd'/>\
        <xs:element name='order'><xs:complexType><xs:sequence><xs:element name='item' type='o:item' maxOccurs='2'/></xs:sequence></xs:complexType></xs:element></xs:schema>";
    const TYPES: &str = "<s:schema xmlns:s='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:o' targetNamespace='urn:o' elementFormDefault='qualified'>\
        <s:complexType name='item'><s:sequence><s:element name='count' type='t:count'/></s:sequence></s:complexType>\
        <s:simpleType name='count'><s:restriction base='s:int'><s:maxInclusive value='5'/></s:restriction></s:simpleType></s:schema>";
    const PERSON: &str = "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"minimum\":0,\"exclusiveMinimum\":true}}}";

    fn library() -> Library {
        Library::new()
            .with_entry("gov:/s/order.xsd", Source::new("order.xsd", ORDER))
            .with_entry("gov:/lib/types.xsd", Source::new("types.xsd", TYPES))
            .with_entry("person", Source::new("person", PERSON))
    }

    fn compile(mediator: &str, library: &Library) -> Result<Arc<crate::Program>, String> {
        let text = format!("<sequence>{mediator}<property name='after' value='1'/></sequence>");
        crate::compile(&Source::new("s", text), library).map(Arc::new).map_err(|o| o[0].to_string())
    }

    fn of(schema: &str, source: &str) -> String {
        format!(
            "<validate {source}><schema key='{schema}'/><on-fail><property name='failed' expression='$ctx:ERROR_MESSAGE'/></on-fail></validate>"
        )
    }

    /// What a body was refused for; empty when it fits.
    fn refused(mediator: &str, content_type: &str, body: &str) -> String {
        let program = compile(mediator, &library()).unwrap();
        let mut message = Message::request("POST", "/");
        message.headers.set("Content-Type", content_type);
        message.payload = Payload::whole(body.to_owned().into());
        let ran = program.run(&mut message, &Limits::default());
        match ran.end {
            End::Fault(fault) => format!("fault: {}", fault.message),
            _ => {
                assert!(message.property(Scope::Default, "after").is_some());
                assert_eq!(message.payload.rewritten(), None);
                message.property(Scope::Default, "failed").map(|v| v.to_string()).unwrap_or_default()
            }
        }
    }

    #[test]
    fn xml_is_checked_against_its_schema() {
        let whole = of("gov:/s/order.xsd", "");
        let order = |inner: &str| format!("<order xmlns='urn:o'>{inner}</order>");
        let item = |count: &str| format!("<item><count>{count}</count></item>");
        for (body, why) in [
            (order(&item("3")), ""),
            (order(&item("9")), "exceeds maxInclusive"),
            (order(&item("x")), "x"),
            (order(&item("1").repeat(3)), "Unexpected element 'item'"),
            (order(""), "item"),
            ("<order/>".to_owned(), "order"),
            (String::new(), "Error occurred while accessing source element"),
        ] {
            let got = refused(&whole, "application/xml", &body);
            assert!(got.is_empty() == why.is_empty() && got.contains(why), "{body}: {got}");
        }
        let soap =
            format!("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{}</s:Body></s:Envelope>", order(&item("3")));
        assert_eq!(refused(&whole, "text/xml", &soap), "");
        let part = of("gov:/s/order.xsd", "source='//wrap/*'");
        assert_eq!(refused(&part, "application/xml", &format!("<wrap>{}</wrap>", order(&item("3")))), "");
        assert!(refused(&part, "application/xml", "<none/>").contains("//wrap/*"));
        let deep = format!("{}{}", "<order xmlns='urn:o'>".repeat(180), "</order>".repeat(180));
        assert!(!refused(&whole, "application/xml", &deep).is_empty());
    }

    #[test]
    fn json_is_checked_against_its_schema() {
        let whole = of("person", "");
        for (body, why) in [
            ("{\"name\":\"Ann\",\"age\":1}", ""),
            ("{\"age\":1}", "\"name\" is a required property"),
            ("{\"name\":\"Ann\",\"age\":0}", "minimum"),
            ("[]", "object"),
        ] {
            let got = refused(&whole, "application/json", body);
            assert!(got.is_empty() == why.is_empty() && got.contains(why), "{body}: {got}");
        }
        let part = of("person", "source='json-eval($.who)'");
        assert_eq!(refused(&part, "application/json", "{\"who\":{\"name\":\"Ann\"}}"), "");
        assert!(refused(&part, "application/json", "{}").contains("required"));
        assert!(refused(&whole, "application/xml", "<a/>").starts_with("fault: Error creating a new schema"));
    }

    #[test]
    fn what_cannot_be_checked_is_named() {
        let schema = |inner: &str| format!("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>{inner}</xs:schema>");
        let with = |text: &str| Library::new().with_entry("k", Source::new("k", text));
        for (library, mediator, why) in [
            (with(&schema("<xs:import namespace='urn:x' schemaLocation='x.xsd'/>")), of("k", ""), "has an <import>"),
            (with(&schema("<xs:include schemaLocation='x.xsd'/>")), of("k", ""), "'x.xsd', which was not found"),
            (with("<a/>"), of("k", ""), "is no XML schema"),
            (with("<a>"), of("k", ""), "k: line 1"),
            (with("{"), of("k", ""), "JSON schema cannot be used"),
            (with("{\"$ref\":\"http://elsewhere/x\"}"), of("k", ""), "JSON schema cannot be used"),
            (with("{\"type\":\"none\"}"), of("k", ""), "JSON schema cannot be used"),
            (with("{}"), of("gone", ""), "No schema"),
            (with("{}"), "<validate><schema key='k'/></validate>".to_owned(), "needs an on-fail"),
            (with("{}"), "<validate><on-fail><drop/></on-fail></validate>".to_owned(), "needs a schema"),
        ] {
            let found = compile(&mediator, &library).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }
}
