//! The instructions that make elements, attributes and the like.

use std::sync::Arc;

use super::number::{Number, written};
use super::run::{Here, Transform, stopped};
use super::{Body, Escaping, Instruction, Literal, MadeName};
use crate::failure::Failure;
use crate::message::fits;
use crate::tree::{Kind, NodeId, Tag, TagAttribute, Tree};
use crate::xml::{XML_NAMESPACE, shortened};
use crate::xpath::{Item, QName, XPath, number_text};

impl<'t> Transform<'t> {
    /// The instructions that make something other than text.
    pub(super) fn make(&mut self, instruction: &'t Instruction, here: &Here<'t>) -> Result<(), Failure> {
        match instruction {
            Instruction::CopyOf(path) => self.copy_of(path, here),
            Instruction::Copy(uses, body) => self.copy(uses, body, here),
            Instruction::Literal(literal) => self.literal(literal, here),
            Instruction::Element(name, uses, body) => {
                let tag = self.named_tag(name, here)?;
                self.element(tag, uses, body, here)
            }
            Instruction::Attribute(name, body) => {
                let value = self.string_of(body, here)?;
                self.made(value.len(), 1)?;
                let Some(tag) = self.attribute_name(name, here)? else { return Ok(()) };
                self.out().attribute(TagAttribute { value, ..tag });
                Ok(())
            }
            Instruction::Comment(body) => {
                let text = self.string_of(body, here)?;
                self.made(text.len(), 1)?;
                self.out().comment(&text);
                Ok(())
            }
            Instruction::Processing(target, body) => {
                let target = self.avt(target, &here.context)?;
                let words = self.string_of(body, here)?;
                self.made(words.len(), 1)?;
                if is_name(&target) && !target.eq_ignore_ascii_case("xml") {
                    self.out().instruction(&target, &words);
                }
                Ok(())
            }
            Instruction::Number(number) => self.number(number, here),
            Instruction::Message(body, ends) => {
                let text = self.aside(body, here)?.into_tree();
                fits(&text, self.limits)?;
                let text = text.string_value(text.document());
                if *ends {
                    return Err(Failure::new(&format!("the stylesheet ended it: {}", shortened(&text))));
                }
                self.messages.push(text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn element(&mut self, tag: Tag, uses: &'t [QName], body: &'t Body, here: &Here<'t>) -> Result<(), Failure> {
        self.made(0, 1)?;
        self.out().start(tag);
        self.attribute_sets(uses, here, 0)?;
        let done = self.body(body, here, false);
        self.out().end();
        done.map(drop)
    }

    fn literal(&mut self, literal: &'t Literal, here: &Here<'t>) -> Result<(), Failure> {
        let meant = |prefix: &Option<Arc<str>>, namespace: &Option<Arc<str>>| match self
            .sheet
            .aliases
            .get(namespace.as_deref().unwrap_or_default())
        {
            Some((prefix, uri)) if !self.sheet.aliases.is_empty() => {
                (Some(Arc::clone(prefix)).filter(|p| !p.is_empty()), Some(Arc::clone(uri)).filter(|uri| !uri.is_empty()))
            }
            _ => (prefix.clone(), namespace.clone()),
        };
        let (prefix, namespace) = meant(&literal.prefix, &literal.namespace);
        let declarations = literal.declarations.iter().filter(|(_, uri)| !self.sheet.aliases.contains_key(uri)).cloned().collect();
        let mut attributes = Vec::with_capacity(literal.attributes.len());
        let mut bytes = 0;
        for (attribute, value) in &literal.attributes {
            let value = self.avt(value, &here.context)?;
            bytes += value.len();
            let (prefix, namespace) = if attribute.namespace.is_some() {
                meant(&attribute.prefix, &attribute.namespace)
            } else {
                (attribute.prefix.clone(), None)
            };
            attributes.push(TagAttribute { prefix, name: Arc::clone(&attribute.name), namespace, value });
        }
        self.made(bytes, 1 + attributes.len())?;
        let tag = Tag { prefix, name: Arc::clone(&literal.name), namespace, declarations, ..Tag::default() };
        self.out().start(tag);
        self.attribute_sets(&literal.uses, here, 0)?;
        attributes.into_iter().for_each(|attribute| self.out().attribute(attribute));
        let done = self.body(&literal.body, here, false);
        self.out().end();
        done.map(drop)
    }

    fn attribute_sets(&mut self, uses: &'t [QName], here: &Here<'t>, depth: usize) -> Result<(), Failure> {
        if depth > 20 {
            return Err(Failure::new("attribute sets use each other"));
        }
        for name in uses {
            for set in self.sheet.sets.get(name).map(Vec::as_slice).unwrap_or_default() {
                self.attribute_sets(&set.uses, here, depth + 1)?;
                self.body(&set.body, here, false)?;
            }
        }
        Ok(())
    }

    fn copy_of(&mut self, path: &'t XPath, here: &Here<'t>) -> Result<(), Failure> {
        match self.item(path, &here.context)? {
            Item::Nodes(nodes) => {
                for at in nodes {
                    let tree = self.run.tree(at);
                    if let Some(number) = at.attribute {
                        if let Some(attribute) = tree.tag(at.id).and_then(|tag| tag.attributes.get(usize::from(number))) {
                            self.made(attribute.value.len(), 1)?;
                            self.out().attribute(attribute.clone());
                        }
                        continue;
                    }
                    let (bytes, nodes) = weight(&tree, at.id);
                    self.pay(nodes)?;
                    self.made(bytes, nodes)?;
                    self.out().copy(&tree, at.id);
                }
                Ok(())
            }
            other => {
                let text = self.run.text(&other).map_err(stopped)?;
                self.text(&text, Escaping::On)
            }
        }
    }

    fn copy(&mut self, uses: &'t [QName], body: &'t Body, here: &Here<'t>) -> Result<(), Failure> {
        let at = here.context.at;
        let tree = self.run.tree(at);
        if let Some(number) = at.attribute {
            if let Some(attribute) = tree.tag(at.id).and_then(|tag| tag.attributes.get(usize::from(number))) {
                self.made(attribute.value.len(), 1)?;
                self.out().attribute(attribute.clone());
            }
            return Ok(());
        }
        match tree.kind(at.id) {
            Kind::Document(_) => self.body(body, here, false).map(drop),
            Kind::Element(tag) => {
                let scope = tree.scope(at.id);
                self.pay(scope.len())?;
                let copy = Tag {
                    prefix: tag.prefix.clone(),
                    name: Arc::clone(&tag.name),
                    namespace: tag.namespace.clone(),
                    declarations: scope.into_iter().filter(|(_, uri)| !uri.is_empty()).collect(),
                    ..Tag::default()
                };
                self.element(copy, uses, body, here)
            }
            Kind::Text(text) => self.text(text, Escaping::On),
            Kind::Comment(_) | Kind::Instruction(_) => {
                self.made(0, 1)?;
                self.out().copy(&tree, at.id);
                Ok(())
            }
        }
    }

    fn number(&mut self, number: &'t Number, here: &Here<'t>) -> Result<(), Failure> {
        let places = match &number.value {
            Some(path) => {
                let item = self.item(path, &here.context)?;
                let value = self.run.number(&item).map_err(stopped)?;
                // What is no place is written as the number it is.
                if !(0.5..1e15).contains(&value) {
                    return self.text(&number_text(value), Escaping::On);
                }
                vec![value.round() as u64]
            }
            None => {
                self.scope.at.set(here.context.at);
                number.places(self.run, here.context.at).map_err(stopped)?
            }
        };
        let format = number.format.as_ref().map(|format| self.avt(format, &here.context)).transpose()?;
        let grouping = match &number.grouping {
            Some((sign, size)) => {
                let (sign, size) = (self.avt(sign, &here.context)?, self.avt(size, &here.context)?);
                size.trim().parse::<usize>().ok().map(|size| (sign, size))
            }
            None => None,
        };
        let format = format.as_deref().unwrap_or("1");
        let text = written(&places, shortest(format), grouping.as_ref().map(|(sign, size)| (sign.as_str(), *size)));
        self.text(&text, Escaping::On)
    }

    /// The element that a name made while the stylesheet runs means.
    fn named_tag(&mut self, made: &'t MadeName, here: &Here<'t>) -> Result<Tag, Failure> {
        let name = self.avt(&made.name, &here.context)?;
        let (prefix, local) = name.trim().split_once(':').map_or((None, name.trim()), |(prefix, local)| (Some(prefix), local));
        if !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix)) {
            return Err(Failure::new(&format!("'{}' is no name of an element", shortened(&name))));
        }
        let namespace = match &made.namespace {
            Some(namespace) => Some(self.avt(namespace, &here.context)?).filter(|uri| !uri.is_empty()).map(Arc::from),
            None => meaning(made, prefix.unwrap_or_default())?,
        };
        let prefix = prefix.filter(|_| namespace.is_some());
        Ok(Tag { prefix: prefix.map(Arc::from), name: Arc::from(local), namespace, ..Tag::default() })
    }

    fn attribute_name(&mut self, made: &'t MadeName, here: &Here<'t>) -> Result<Option<TagAttribute>, Failure> {
        let name = self.avt(&made.name, &here.context)?;
        let (prefix, local) = name.trim().split_once(':').map_or((None, name.trim()), |(prefix, local)| (Some(prefix), local));
        if !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix)) {
            return Err(Failure::new(&format!("'{}' is no name of an attribute", shortened(&name))));
        }
        if prefix.is_none() && local == "xmlns" {
            return Ok(None);
        }
        let namespace: Option<Arc<str>> = match (&made.namespace, prefix) {
            (Some(namespace), _) => Some(self.avt(namespace, &here.context)?).filter(|uri| !uri.is_empty()).map(Arc::from),
            (None, Some(prefix)) => meaning(made, prefix)?,
            (None, None) => None,
        };
        let prefix = namespace.as_ref().map(|uri| match prefix.filter(|prefix| *prefix != "xmlns") {
            Some(prefix) => Arc::from(prefix),
            // An attribute in a namespace has to have a prefix.
            None => made
                .prefixes
                .iter()
                .find(|(p, own)| !p.is_empty() && own == uri)
                .map_or_else(|| Arc::from("ns0"), |(p, _)| Arc::from(p.as_str())),
        });
        Ok(Some(TagAttribute { prefix, name: Arc::from(local), namespace, value: String::new() }))
    }
}

/// What a prefix means where a name is made.
fn meaning(made: &MadeName, prefix: &str) -> Result<Option<Arc<str>>, Failure> {
    if prefix == "xml" {
        return Ok(Some(Arc::from(XML_NAMESPACE)));
    }
    let found = made.prefixes.iter().find(|(own, _)| own == prefix).map(|(_, uri)| Arc::clone(uri)).filter(|uri| !uri.is_empty());
    if found.is_none() && !prefix.is_empty() {
        return Err(Failure::new(&format!("the prefix '{}' is not declared", shortened(prefix))));
    }
    Ok(found)
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A format of a bounded length.
fn shortest(format: &str) -> &str {
    format.char_indices().nth(200).map_or(format, |(at, _)| format.get(..at).unwrap_or_default())
}

/// Bytes of text and nodes of a part.
fn weight(tree: &Tree, id: NodeId) -> (usize, usize) {
    let (mut bytes, mut nodes) = (0, 0);
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        nodes += 1;
        match tree.kind(id) {
            Kind::Text(text) | Kind::Comment(text) | Kind::Instruction(text) => bytes += text.len(),
            Kind::Element(tag) => {
                nodes += tag.attributes.len();
                bytes += tag.attributes.iter().map(|a| a.value.len()).sum::<usize>();
            }
            Kind::Document(_) => {}
        }
        open.extend(tree.children(id));
    }
    (bytes, nodes)
}
