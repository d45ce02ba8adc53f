//! Transforming a document.
//!
//! Templates call each other by recursion of ours, which is bounded; a call that is the last thing a template does takes the place of its
//! caller, so that stylesheets can loop as they do.

use std::cmp::Ordering;
use std::sync::Arc;

use super::build::Builder;
use super::number::written;
use super::scope::Scope;
use super::{Apply, Avt, Body, Escaping, Instruction, Literal, MadeName, Part, Sort, SpaceTest, Stylesheet, Value, Variable};
use crate::expression::Means;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::message::fits;
use crate::tree::{Kind, NodeId, Tag, TagAttribute, Tree};
use crate::xml::{XML_NAMESPACE, shortened};
use crate::xpath::{At, Context, Item, QName, Run, Stopped, XPath, number_text, string_value, truth};

/// Templates that are open at once.
const MAX_DEPTH: usize = 1000;

/// Room that one template and what it does need of a stack, much more than they take; and how much the stack grows when it lacks that.
const STACK_NEEDED: usize = 128 * 1024;
const STACK_GROWN: usize = 1024 * 1024;

/// What a transformation made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) tree: Tree,
    /// What its messages said.
    pub(crate) messages: Vec<String>,
}

/// Transforms a document, which is changed by taking out the white space that the stylesheet does not want.
pub(crate) fn transform(
    sheet: &Stylesheet,
    mut document: Tree,
    parameters: &[(String, String)],
    means: &mut Means<'_>,
) -> Result<Made, Failure> {
    sheet.strip(&mut document);
    let document = Arc::new(document);
    let scope = Scope::new(sheet, &document);
    let run = Run::over(&scope, Arc::clone(&document), *means.visits);
    let mut transform = Transform {
        sheet,
        scope: &scope,
        run: &run,
        limits: means.limits,
        outs: vec![Builder::new()],
        given: Vec::new(),
        depth: 0,
        bytes: 0,
        nodes: 0,
        settling: true,
        messages: Vec::new(),
    };
    let root = At { tree: 0, id: document.document(), attribute: None };
    let done = transform.globals(parameters).and_then(|()| {
        transform.settling = false;
        transform.apply(&[root], None, &[])
    });
    let (out, messages) = (transform.outs.pop(), transform.messages);
    *means.visits = run.visits();
    done?;
    let tree = out.map_or_else(|| Ok(Tree::empty()), |out| out.finish(means.limits))?;
    Ok(Made { tree, messages })
}

impl Stylesheet {
    /// Takes out the texts that are nothing but white space where they are not wanted.
    fn strip(&self, document: &mut Tree) {
        if self.spaces.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        let mut open = vec![(document.document(), false)];
        while let Some((id, kept)) = open.pop() {
            let space = document
                .tag(id)
                .and_then(|tag| tag.attributes.iter().find(|a| &*a.name == "space" && a.namespace.as_deref() == Some(XML_NAMESPACE)));
            let kept = space.map_or(kept, |a| a.value == "preserve");
            let strips = !kept && document.tag(id).is_some_and(|tag| self.strips(tag));
            for child in document.children(id) {
                match document.kind(*child) {
                    Kind::Text(text) if strips && text.trim_matches([' ', '\t', '\r', '\n']).is_empty() => gone.push(*child),
                    Kind::Element(_) => open.push((*child, kept)),
                    _ => {}
                }
            }
        }
        gone.into_iter().for_each(|id| document.detach(id));
    }

    fn strips(&self, tag: &Tag) -> bool {
        let decides = |test: &SpaceTest| match test {
            SpaceTest::Any => true,
            SpaceTest::AnyOf(uri) => tag.namespace.as_ref() == Some(uri),
            SpaceTest::Name((namespace, name)) => tag.name == *name && tag.namespace == *namespace,
        };
        self.spaces.iter().find(|space| decides(&space.test)).is_some_and(|space| space.strips)
    }
}

struct Transform<'t> {
    sheet: &'t Stylesheet,
    scope: &'t Scope<'t>,
    run: &'t Run<'t>,
    limits: &'t Limits,
    /// What is being built: the result, and the values of variables inside it.
    outs: Vec<Builder>,
    /// Parameters given to the templates that run.
    given: Vec<Vec<(QName, Item)>>,
    depth: usize,
    /// All that was ever made, values that are gone included.
    bytes: usize,
    nodes: usize,
    /// The variables of the stylesheet get their values, which nothing may forget.
    settling: bool,
    messages: Vec<String>,
}

/// Where an instruction runs.
#[derive(Clone, Copy)]
struct Here<'t> {
    context: Context,
    /// Template that was chosen for the node, and the mode it was chosen in.
    rule: Option<(usize, Option<&'t QName>)>,
}

/// A template that is to take the place of its caller.
struct Next {
    template: usize,
    given: Vec<(QName, Item)>,
}

fn stopped(stopped: Stopped) -> Failure {
    match stopped {
        Stopped::TooMuch => Failure::new("the stylesheet looked at too much"),
        Stopped::Wrong(what) => Failure::new(what),
    }
}

impl<'t> Transform<'t> {
    fn pay(&self, cost: usize) -> Result<(), Failure> {
        self.run.pay(cost).map_err(stopped)
    }

    fn out(&mut self) -> &mut Builder {
        if self.outs.is_empty() {
            self.outs.push(Builder::new());
        }
        // Just made sure of.
        self.outs.last_mut().expect("something is being built")
    }

    fn made(&mut self, bytes: usize, nodes: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.nodes = self.nodes.saturating_add(nodes);
        if self.bytes > self.limits.body_bytes.saturating_mul(4) || self.nodes > self.limits.elements.saturating_mul(4) {
            return Err(Failure::new("the stylesheet made too large a document"));
        }
        Ok(())
    }

    fn text(&mut self, text: &str, escaping: Escaping) -> Result<(), Failure> {
        self.made(text.len(), 1)?;
        self.out().text(text, escaping);
        Ok(())
    }

    fn item(&self, path: &XPath, context: &Context) -> Result<Item, Failure> {
        self.scope.at.set(context.at);
        path.evaluate(self.run, context).map_err(stopped)
    }

    fn string(&self, path: &XPath, context: &Context) -> Result<String, Failure> {
        let item = self.item(path, context)?;
        self.run.text(&item).map_err(stopped)
    }

    fn avt(&self, avt: &Avt, context: &Context) -> Result<String, Failure> {
        let mut out = String::new();
        for part in &avt.parts {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Made(path) => out.push_str(&self.string(path, context)?),
            }
        }
        Ok(out)
    }

    /// Gives the stylesheet's own variables their values, in whatever order they need each other.
    fn globals(&mut self, parameters: &[(String, String)]) -> Result<(), Failure> {
        let here = Here { context: Context { at: self.scope.at.get(), position: 1, size: 1 }, rule: None };
        let mut left: Vec<&'t super::Global> = Vec::new();
        for global in &self.sheet.globals {
            let given = parameters.iter().find(|(name, _)| global.is_parameter && *name == *global.variable.name.1);
            match given {
                Some((_, value)) => {
                    self.scope.globals.borrow_mut().insert(global.variable.name.clone(), Item::Text(value.clone()));
                }
                None => left.push(global),
            }
        }
        while !left.is_empty() {
            let before = left.len();
            let mut waiting = Vec::new();
            for global in left {
                self.scope.waits.set(false);
                let (depth, outs) = (self.depth, self.outs.len());
                match self.value(&global.variable.value, &here) {
                    Ok(value) => drop(self.scope.globals.borrow_mut().insert(global.variable.name.clone(), value)),
                    Err(_) if self.scope.waits.get() => {
                        // What was begun is begun anew when the other has its value.
                        self.depth = depth;
                        self.outs.truncate(outs);
                        self.given.clear();
                        self.scope.back(0);
                        self.scope.leave(0);
                        waiting.push(global);
                    }
                    Err(failure) => return Err(failure),
                }
            }
            if waiting.len() == before {
                return Err(Failure::new("variables of the stylesheet need each other's values"));
            }
            left = waiting;
        }
        Ok(())
    }

    fn value(&mut self, value: &'t Value, here: &Here<'t>) -> Result<Item, Failure> {
        let item = match value {
            Value::Select(path) => self.item(path, &here.context)?,
            Value::Body(body) if body.is_empty() => Item::Text(String::new()),
            Value::Body(body) => {
                let tree = self.aside(body, here)?.into_tree();
                fits(&tree, self.limits)?;
                Item::Nodes(vec![self.run.add(Arc::new(tree)).map_err(stopped)?])
            }
        };
        if let Item::Text(text) = &item {
            self.made(text.len(), 0)?;
        }
        Ok(item)
    }

    fn variables(&mut self, variables: &'t [Variable], here: &Here<'t>) -> Result<Vec<(QName, Item)>, Failure> {
        variables.iter().map(|variable| Ok((variable.name.clone(), self.value(&variable.value, here)?))).collect()
    }

    /// What a body makes, beside the result.
    fn aside(&mut self, body: &'t Body, here: &Here<'t>) -> Result<Builder, Failure> {
        self.outs.push(Builder::new());
        let done = self.body(body, here, false);
        let out = self.outs.pop().unwrap_or_else(Builder::new);
        done.map(|_| out)
    }

    fn string_of(&mut self, body: &'t Body, here: &Here<'t>) -> Result<String, Failure> {
        let tree = self.aside(body, here)?.into_tree();
        // Elements have no place in an attribute or a comment.
        Ok(tree.own_text(tree.document()))
    }

    /// Runs the instructions of a body. With `last` nothing follows it in its template, and a call may be given back instead of made.
    fn body(&mut self, body: &'t Body, here: &Here<'t>, last: bool) -> Result<Option<Next>, Failure> {
        let (variables, trees) = (self.scope.depth(), self.run.trees());
        let mut next = None;
        for (i, instruction) in body.iter().enumerate() {
            self.pay(1)?;
            next = self.instruction(instruction, here, last && i + 1 == body.len())?;
        }
        self.scope.leave(variables);
        let goes_along =
            |(_, item): &(QName, Item)| matches!(item, Item::Nodes(nodes) if nodes.iter().any(|at| usize::from(at.tree) >= trees));
        if !self.settling && self.run.trees() > trees && !next.as_ref().is_some_and(|next: &Next| next.given.iter().any(goes_along)) {
            self.run.forget(trees);
            self.scope.forget(trees);
        }
        Ok(next)
    }

    fn instruction(&mut self, instruction: &'t Instruction, here: &Here<'t>, last: bool) -> Result<Option<Next>, Failure> {
        match instruction {
            Instruction::Text(text, escaping) => self.text(text, *escaping)?,
            Instruction::ValueOf(path, escaping) => {
                let text = self.string(path, &here.context)?;
                self.text(&text, *escaping)?;
            }
            Instruction::If(test, body) => {
                if truth(&self.item(test, &here.context)?) {
                    return self.body(body, here, last);
                }
            }
            Instruction::Choose(cases, otherwise) => return self.choose(cases, otherwise, here, last),
            Instruction::Call(name, parameters) => {
                let given = self.variables(parameters, here)?;
                if let Some(template) = self.sheet.named.get(name).copied() {
                    if last {
                        return Ok(Some(Next { template, given }));
                    }
                    self.call(Next { template, given }, here)?;
                }
            }
            Instruction::Variable(variable) => {
                let value = self.value(&variable.value, here)?;
                self.scope.bind(variable.name.clone(), value);
            }
            Instruction::Parameter(variable) => {
                let given = self.given.last().and_then(|given| given.iter().find(|(name, _)| *name == variable.name));
                let value = match given.map(|(_, value)| value.clone()) {
                    Some(value) => value,
                    None => self.value(&variable.value, here)?,
                };
                self.scope.bind(variable.name.clone(), value);
            }
            Instruction::Apply(apply) => self.apply_templates(apply, here)?,
            Instruction::ApplyImports => self.apply_imports(here)?,
            Instruction::ForEach(select, sorts, body) => self.for_each(select, sorts, body, here)?,
            other => self.make(other, here)?,
        }
        Ok(None)
    }

    fn choose(&mut self, cases: &'t [(XPath, Body)], otherwise: &'t Body, here: &Here<'t>, last: bool) -> Result<Option<Next>, Failure> {
        for (test, body) in cases {
            if truth(&self.item(test, &here.context)?) {
                return self.body(body, here, last);
            }
        }
        self.body(otherwise, here, last)
    }

    /// The instructions that make something other than text.
    fn make(&mut self, instruction: &'t Instruction, here: &Here<'t>) -> Result<(), Failure> {
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

    fn number(&mut self, number: &'t super::number::Number, here: &Here<'t>) -> Result<(), Failure> {
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

    fn nodes(&self, select: Option<&XPath>, sorts: &'t [Sort], here: &Here<'t>) -> Result<Vec<At>, Failure> {
        let nodes = match select {
            Some(path) => match self.item(path, &here.context)? {
                Item::Nodes(nodes) => nodes,
                _ => return Err(Failure::new("a select finds what is no node")),
            },
            None => {
                let at = here.context.at;
                if at.attribute.is_some() {
                    Vec::new()
                } else {
                    self.run.tree(at).children(at.id).iter().map(|id| At { id: *id, ..at }).collect()
                }
            }
        };
        self.pay(nodes.len())?;
        if sorts.is_empty() { Ok(nodes) } else { self.sorted(nodes, sorts, here) }
    }

    fn sorted(&self, nodes: Vec<At>, sorts: &'t [Sort], here: &Here<'t>) -> Result<Vec<At>, Failure> {
        let mut orders = Vec::with_capacity(sorts.len());
        for sort in sorts {
            let said = |avt: &Option<Avt>| avt.as_ref().map(|avt| self.avt(avt, &here.context)).transpose();
            let numbers = said(&sort.kind)?.is_some_and(|kind| kind.trim() == "number");
            let falls = said(&sort.order)?.is_some_and(|order| order.trim() == "descending");
            orders.push((numbers, falls));
        }
        let size = nodes.len();
        let mut keyed = Vec::with_capacity(size);
        let mut bytes = 0;
        for (i, at) in nodes.into_iter().enumerate() {
            let context = Context { at, position: i + 1, size };
            let mut keys = Vec::with_capacity(sorts.len());
            for (sort, (numbers, _)) in sorts.iter().zip(&orders) {
                let text = self.string(&sort.by, &context)?;
                bytes += text.len();
                keys.push(if *numbers { SortKey::Number(text.trim().parse().unwrap_or(f64::NAN)) } else { SortKey::text(&text) });
            }
            keyed.push((keys, at));
        }
        self.pay(size.saturating_mul(8).saturating_add(bytes / 8))?;
        keyed.sort_by(|(a, _), (b, _)| {
            let pairs = a.iter().zip(b).zip(&orders);
            pairs
                .map(|((a, b), (_, falls))| if *falls { b.compare(a) } else { a.compare(b) })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        Ok(keyed.into_iter().map(|(_, at)| at).collect())
    }

    fn for_each(&mut self, select: &'t XPath, sorts: &'t [Sort], body: &'t Body, here: &Here<'t>) -> Result<(), Failure> {
        let nodes = self.nodes(Some(select), sorts, here)?;
        let size = nodes.len();
        for (i, at) in nodes.into_iter().enumerate() {
            let inner = Here { context: Context { at, position: i + 1, size }, rule: None };
            self.body(body, &inner, false)?;
        }
        Ok(())
    }

    fn apply_templates(&mut self, apply: &'t Apply, here: &Here<'t>) -> Result<(), Failure> {
        let nodes = self.nodes(apply.select.as_ref(), &apply.sorts, here)?;
        let given = self.variables(&apply.parameters, here)?;
        self.apply(&nodes, apply.mode.as_ref(), &given)
    }

    /// Runs the templates for some nodes.
    fn apply(&mut self, nodes: &[At], mode: Option<&'t QName>, given: &[(QName, Item)]) -> Result<(), Failure> {
        let size = nodes.len();
        for (i, at) in nodes.iter().enumerate() {
            let context = Context { at: *at, position: i + 1, size };
            match self.rule(*at, mode, None)? {
                Some(template) => {
                    let here = Here { context, rule: Some((template, mode)) };
                    self.call(Next { template, given: given.to_vec() }, &here)?;
                }
                None => self.built_in(*at, mode)?,
            }
        }
        Ok(())
    }

    /// What happens to a node that no template is for.
    fn built_in(&mut self, at: At, mode: Option<&'t QName>) -> Result<(), Failure> {
        let tree = self.run.tree(at);
        if at.attribute.is_some() {
            return self.text(&string_value(&tree, at), Escaping::On);
        }
        match tree.kind(at.id) {
            Kind::Document(_) | Kind::Element(_) => {
                let nodes: Vec<At> = tree.children(at.id).iter().map(|id| At { id: *id, ..at }).collect();
                self.pay(nodes.len())?;
                self.deeper(|transform| transform.apply(&nodes, mode, &[]))
            }
            Kind::Text(text) => self.text(text, Escaping::On),
            Kind::Comment(_) | Kind::Instruction(_) => Ok(()),
        }
    }

    fn apply_imports(&mut self, here: &Here<'t>) -> Result<(), Failure> {
        let Some((template, mode)) = here.rule else { return Ok(()) };
        match self.rule(here.context.at, mode, Some(template))? {
            Some(template) => self.call(Next { template, given: Vec::new() }, &Here { rule: Some((template, mode)), ..*here }),
            None => self.built_in(here.context.at, mode),
        }
    }

    /// The template for a node: the best, or the best of those that the module of another imports.
    fn rule(&self, at: At, mode: Option<&QName>, imported_by: Option<usize>) -> Result<Option<usize>, Failure> {
        let rules = self.sheet.rules.get(&mode.cloned()).map(Vec::as_slice).unwrap_or_default();
        self.pay(1 + rules.len() / 16)?;
        let above = imported_by.and_then(|template| self.sheet.templates.get(template));
        for rule in rules {
            let own = self.sheet.templates.get(rule.template);
            if let (Some(above), Some(own)) = (above, own)
                && !(above.lowest..above.precedence).contains(&own.precedence)
            {
                continue;
            }
            if rule.pattern.matches(self.run, at).map_err(stopped)? {
                return Ok(Some(rule.template));
            }
        }
        Ok(None)
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure::new("the templates of the stylesheet call each other too deeply"));
        }
        self.depth += 1;
        let done = stacker::maybe_grow(STACK_NEEDED, STACK_GROWN, || work(self));
        self.depth -= 1;
        done
    }

    fn call(&mut self, next: Next, here: &Here<'t>) -> Result<(), Failure> {
        self.deeper(|transform| {
            let mut next = Some(next);
            while let Some(Next { template, given }) = next {
                let Some(template) = transform.sheet.templates.get(template) else { return Ok(()) };
                let base = transform.scope.begin();
                transform.given.push(given);
                let done = transform.body(&template.body, here, true);
                transform.given.pop();
                transform.scope.back(base);
                next = done?;
            }
            Ok(())
        })
    }
}

#[derive(Debug)]
enum SortKey {
    Number(f64),
    /// Without regard to capitals, and as written.
    Text(String, String),
}

impl SortKey {
    fn text(text: &str) -> Self {
        Self::Text(text.to_lowercase(), text.to_owned())
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            // What is no number comes first.
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
            // Small letters come before capitals.
            (Self::Text(a, own), Self::Text(b, other)) => a.cmp(b).then_with(|| other.cmp(own)),
            _ => Ordering::Equal,
        }
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
