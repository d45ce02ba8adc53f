//! Transforming a document.
//!
//! Templates call each other by recursion of ours, which is bounded; a call that is the last thing a template does takes the place of its
//! caller, so that stylesheets can loop as they do.

use std::sync::Arc;

use super::build::Builder;
use super::scope::Scope;
use super::{Apply, Avt, Body, Escaping, Instruction, Part, Sort, SpaceTest, Stylesheet, Value, Variable};
use crate::expression::Means;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::message::fits;
use crate::tree::{Kind, Tag, Tree};
use crate::xml::XML_NAMESPACE;
use crate::xpath::{At, Context, Item, QName, Run, Stopped, XPath, string_value, truth};

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

pub(super) struct Transform<'t> {
    pub(super) sheet: &'t Stylesheet,
    pub(super) scope: &'t Scope<'t>,
    pub(super) run: &'t Run<'t>,
    pub(super) limits: &'t Limits,
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
    pub(super) messages: Vec<String>,
}

/// Where an instruction runs.
#[derive(Clone, Copy)]
pub(super) struct Here<'t> {
    pub(super) context: Context,
    /// Template that was chosen for the node, and the mode it was chosen in.
    rule: Option<(usize, Option<&'t QName>)>,
}

/// A template that is to take the place of its caller.
pub(super) struct Next {
    template: usize,
    given: Vec<(QName, Item)>,
}

pub(super) fn stopped(stopped: Stopped) -> Failure {
    match stopped {
        Stopped::TooMuch => Failure::new("the stylesheet looked at too much"),
        Stopped::Wrong(what) => Failure::new(what),
    }
}

impl<'t> Transform<'t> {
    pub(super) fn pay(&self, cost: usize) -> Result<(), Failure> {
        self.run.pay(cost).map_err(stopped)
    }

    pub(super) fn out(&mut self) -> &mut Builder {
        if self.outs.is_empty() {
            self.outs.push(Builder::new());
        }
        // Just made sure of.
        self.outs.last_mut().expect("something is being built")
    }

    pub(super) fn made(&mut self, bytes: usize, nodes: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.nodes = self.nodes.saturating_add(nodes);
        if self.bytes > self.limits.body_bytes.saturating_mul(4) || self.nodes > self.limits.elements.saturating_mul(4) {
            return Err(Failure::new("the stylesheet made too large a document"));
        }
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str, escaping: Escaping) -> Result<(), Failure> {
        self.made(text.len(), 1)?;
        self.out().text(text, escaping);
        Ok(())
    }

    pub(super) fn item(&self, path: &XPath, context: &Context) -> Result<Item, Failure> {
        self.scope.at.set(context.at);
        path.evaluate(self.run, context).map_err(stopped)
    }

    pub(super) fn string(&self, path: &XPath, context: &Context) -> Result<String, Failure> {
        let item = self.item(path, context)?;
        self.run.text(&item).map_err(stopped)
    }

    pub(super) fn avt(&self, avt: &Avt, context: &Context) -> Result<String, Failure> {
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
    pub(super) fn aside(&mut self, body: &'t Body, here: &Here<'t>) -> Result<Builder, Failure> {
        self.outs.push(Builder::new());
        let done = self.body(body, here, false);
        let out = self.outs.pop().unwrap_or_else(Builder::new);
        done.map(|_| out)
    }

    pub(super) fn string_of(&mut self, body: &'t Body, here: &Here<'t>) -> Result<String, Failure> {
        let tree = self.aside(body, here)?.into_tree();
        // Elements have no place in an attribute or a comment.
        Ok(tree.own_text(tree.document()))
    }

    /// Runs the instructions of a body. With `last` nothing follows it in its template, and a call may be given back instead of made.
    pub(super) fn body(&mut self, body: &'t Body, here: &Here<'t>, last: bool) -> Result<Option<Next>, Failure> {
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
