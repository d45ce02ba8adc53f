//! From a document to a program. Every mediator either becomes a step that does what it did, or is an obstacle; none is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::body_use;
use crate::expression::{Expression, Text};
use crate::library::{Library, Once, Source};
use crate::mediators::template::Template;
use crate::mediators::{self, unsupported};
use crate::message::Direction;
use crate::obstacle::{Note, Obstacle};
use crate::pattern::Pattern;
use crate::program::{Action, Block, BlockId, BodyUse, Program, Step};
use crate::xml::{self, Element};

/// Most blocks in one program, all it names included.
const MAX_BLOCKS: usize = 5000;

/// Stock sequences that Tidegate does by itself, and what is said of a call of one that is not in the library.
const DONE_HERE: [(&str, &str); 2] = [
    ("_cors_request_handler_", "Tidegate adds the cross-origin headers to every answer of an API by itself."),
    ("_build_", "Bodies are read by their content type; builder classes are not needed."),
];

/// Compiles a sequence, with all it names.
///
/// # Errors
/// Everything in it, or in what it names, that cannot run here; each with its place, the reason and what to use instead.
pub fn compile(source: &Source, library: &Library) -> Result<Program, Vec<Obstacle>> {
    let mut work = Work {
        library,
        file: Arc::clone(&source.file),
        blocks: Vec::new(),
        named: BTreeMap::new(),
        templates: BTreeMap::new(),
        failed: BTreeSet::new(),
        obstacles: Vec::new(),
        notes: Vec::new(),
        entries: library.texts(),
    };
    let entry = work.document(source);
    if !work.obstacles.is_empty() {
        return Err(work.obstacles);
    }
    let mut program = Program { blocks: work.blocks, entry, body: BodyUse::default(), notes: work.notes, entries: work.entries };
    program.body = body_use::of(&program);
    Ok(program)
}

/// A compilation under way.
pub(crate) struct Work<'l> {
    pub(crate) library: &'l Library,
    file: Arc<str>,
    blocks: Vec<Block>,
    named: BTreeMap<String, BlockId>,
    pub(crate) templates: BTreeMap<String, Template>,
    /// Sequences that were tried for being chosen and cannot run. Tried once: those that choose among each other would be tried in every order.
    failed: BTreeSet<String>,
    obstacles: Vec<Obstacle>,
    notes: Vec<Note>,
    entries: BTreeMap<String, Arc<str>>,
}

impl Work<'_> {
    /// Notes that something cannot run.
    pub(crate) fn obstacle(&mut self, element: &Element, subject: &str, reason: &str, suggestion: &str) {
        self.obstacles.push(Obstacle {
            file: Arc::clone(&self.file),
            line: element.line,
            mediator: element.name.clone(),
            subject: xml::shortened(subject),
            reason: reason.to_owned(),
            suggestion: suggestion.to_owned(),
        });
    }

    /// Tries what may not run, and notes nothing of it then.
    pub(crate) fn tried<T>(&mut self, tried: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (obstacles, notes) = (self.obstacles.len(), self.notes.len());
        let made = tried(self);
        if made.is_none() {
            self.obstacles.truncate(obstacles);
            self.notes.truncate(notes);
        }
        made
    }

    /// Makes something that other programs of the library may have made, with the notes that belong to it.
    pub(crate) fn once<T>(&mut self, of: &Once<T>, name: &str, make: impl FnOnce(&mut Self) -> Option<T>) -> Option<Arc<T>> {
        let before = self.notes.len();
        let (made, notes) = of.get(name, || make(self).map(|made| (made, self.notes.split_off(before))))?;
        self.notes.extend(notes);
        Some(made)
    }

    /// Notes that something runs otherwise.
    pub(crate) fn note(&mut self, element: &Element, says: &str) {
        self.notes.push(Note { file: Arc::clone(&self.file), line: element.line, mediator: element.name.clone(), says: says.to_owned() });
    }

    /// An attribute that must be there.
    pub(crate) fn needed<'e>(&mut self, element: &'e Element, name: &str) -> Option<&'e str> {
        let value = element.attribute(name).filter(|value| !value.trim().is_empty());
        if value.is_none() {
            self.obstacle(
                element,
                "",
                &format!("The attribute '{name}' is missing."),
                "Write it; the old product refused the sequence too.",
            );
        }
        value
    }

    pub(crate) fn expression(&mut self, element: &Element, text: &str) -> Option<Expression> {
        Expression::compile(text, element).map_err(|why| self.bad_expression(element, text, &why)).ok()
    }

    pub(crate) fn json_expression(&mut self, element: &Element, text: &str) -> Option<Expression> {
        Expression::json(text).map_err(|why| self.bad_expression(element, text, &why)).ok()
    }

    pub(crate) fn text(&mut self, element: &Element, text: &str) -> Option<Text> {
        Text::compile(text, element).map_err(|why| self.bad_expression(element, text, &why)).ok()
    }

    pub(crate) fn pattern(&mut self, element: &Element, text: &str) -> Option<Pattern> {
        Pattern::compile(text)
            .map_err(|why| {
                self.obstacle(element, text, &format!("The regular expression cannot be run: {why}."), "Write it another way.");
            })
            .ok()
    }

    fn bad_expression(&mut self, element: &Element, text: &str, why: &str) {
        let suggestion = "Write it with XPath 1.0 and the functions and variables of sequences, or as a JSON path.";
        self.obstacle(element, text, &format!("The expression cannot be run: {why}."), suggestion);
    }

    fn open_block(&mut self) -> BlockId {
        self.blocks.push(Block::default());
        BlockId(self.blocks.len() - 1)
    }

    fn document(&mut self, source: &Source) -> BlockId {
        self.in_file(source, |work, id| {
            match xml::read(&source.text) {
                Err(fault) => work.unread(fault.line, &format!("The document is not XML: {}.", fault.what)),
                Ok(root) if root.name != "sequence" => work.unread(root.line, &format!("<{}> is no sequence.", xml::shortened(&root.name))),
                Ok(root) => work.fill(id, &root),
            }
            id
        })
    }

    /// Opens a block for what a text holds; obstacles met while `filled` works are named with its file.
    pub(crate) fn in_file<T>(&mut self, source: &Source, filled: impl FnOnce(&mut Self, BlockId) -> T) -> T {
        let id = self.open_block();
        let outer = self.enter(&source.file);
        let made = filled(self, id);
        self.enter(&outer);
        made
    }

    /// Names the file that what is noted from now on stands in; gives the one before.
    pub(crate) fn enter(&mut self, file: &Arc<str>) -> Arc<str> {
        std::mem::replace(&mut self.file, Arc::clone(file))
    }

    /// The file that is being compiled.
    pub(crate) fn file(&self) -> Arc<str> {
        Arc::clone(&self.file)
    }

    /// How many obstacles were noted.
    pub(crate) fn obstacles(&self) -> usize {
        self.obstacles.len()
    }

    fn unread(&mut self, line: u32, reason: &str) {
        self.obstacles.push(Obstacle {
            file: Arc::clone(&self.file),
            line,
            mediator: "sequence".to_owned(),
            subject: String::new(),
            reason: reason.to_owned(),
            suggestion: "Mend the document.".to_owned(),
        });
    }

    /// A block of the mediators inside an element.
    pub(crate) fn block(&mut self, holder: &Element) -> BlockId {
        let id = self.open_block();
        self.fill(id, holder);
        id
    }

    /// A block of the mediators inside an element, or of the sequence that its attribute `sequence` names.
    pub(crate) fn branch(&mut self, holder: &Element) -> Option<BlockId> {
        match holder.attribute("sequence") {
            Some(key) => self.by_name(holder, key.trim()),
            None => Some(self.block(holder)),
        }
    }

    /// Whether one of these blocks, or what they run in turn, does such a thing.
    pub(crate) fn reaches(&self, blocks: &[BlockId], is: impl Fn(&Action) -> bool) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = blocks.to_vec();
        while let Some(id) = open.pop() {
            if !seen.insert(id.0) {
                continue;
            }
            for step in self.blocks.get(id.0).map(|block| block.steps.as_slice()).unwrap_or_default() {
                if is(&step.action) {
                    return true;
                }
                open.extend(step.action.blocks());
            }
        }
        false
    }

    /// Whether what these blocks run comes to an `aggregate` that no copies of its own are brought together by.
    pub(crate) fn gathers(&self, blocks: &[BlockId]) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = blocks.to_vec();
        while let Some(id) = open.pop() {
            if !seen.insert(id.0) {
                continue;
            }
            let steps = self.blocks.get(id.0).map(|block| block.steps.as_slice()).unwrap_or_default();
            let taken: Vec<usize> = steps.iter().filter_map(|step| step.action.gathered_at()).collect();
            for (at, step) in steps.iter().enumerate() {
                match &step.action {
                    Action::Aggregate(_) if !taken.contains(&at) => return true,
                    Action::Aggregate(_) | Action::Loop(_) | Action::Clone(_) => {}
                    action => open.extend(action.blocks()),
                }
            }
        }
        false
    }

    /// A block of steps that an element means.
    pub(crate) fn block_of(&mut self, element: &Element, actions: Vec<(&'static str, Action)>) -> BlockId {
        let id = self.open_block();
        let file = Arc::clone(&self.file);
        let step = |(mediator, action)| Step { file: Arc::clone(&file), line: element.line, mediator, action };
        if let Some(block) = self.blocks.get_mut(id.0) {
            block.steps = actions.into_iter().map(step).collect();
        }
        id
    }

    /// A block that does nothing.
    pub(crate) fn empty_block(&mut self) -> BlockId {
        self.open_block()
    }

    pub(crate) fn fill(&mut self, id: BlockId, holder: &Element) {
        if self.blocks.len() > MAX_BLOCKS {
            self.obstacle(holder, "", "The sequence and all it names are too large.", "Divide it.");
            return;
        }
        let on_error = match holder.attribute("onError").map(str::trim).filter(|key| !key.is_empty()) {
            Some(key) if holder.name == "sequence" => self.by_name(holder, key),
            _ => None,
        };
        let (mut steps, mut elements) = (Vec::new(), Vec::new());
        for element in holder.elements().filter(|e| e.name != "description") {
            if let Some((mediator, action)) = self.action(element) {
                steps.push(Step { file: Arc::clone(&self.file), line: element.line, mediator, action });
                elements.push(element);
            }
        }
        mediators::loops::tie(self, &mut steps, &elements);
        if let Some(block) = self.blocks.get_mut(id.0) {
            block.steps = steps;
            block.on_error = on_error;
        }
    }

    /// A sequence that is chosen while the message runs. All of the library are compiled; one that cannot run is not there to be chosen,
    /// and the note says so.
    fn chosen(&mut self, element: &Element, key: &str) -> Option<Action> {
        let name = self.text(element, key)?;
        let mut blocks = BTreeMap::new();
        let mut missing = Vec::new();
        for key in self.library.sequence_keys() {
            if self.failed.contains(&key) {
                missing.push(key);
                continue;
            }
            let (before, notes) = (self.obstacles.len(), self.notes.len());
            let (named, templates) = (self.named.clone(), self.templates.clone());
            // One that is being compiled already, further out, is judged there.
            let block = self.by_name(element, &key);
            if self.obstacles.len() > before {
                self.obstacles.truncate(before);
                self.notes.truncate(notes);
                // What it named is forgotten as well: a sequence with an obstacle must never be met as one that compiled.
                self.named = named;
                self.templates = templates;
                self.failed.insert(key.clone());
                missing.push(key);
            } else if let Some(block) = block {
                blocks.insert(key, block);
            }
        }
        if blocks.is_empty() {
            self.obstacle(
                element,
                key,
                "The sequence is chosen while the message runs, and there is none to choose.",
                "Add the sequences.",
            );
            return None;
        }
        if !missing.is_empty() {
            self.note(element, &format!("Sequences that cannot be chosen because they cannot run: {}.", missing.join(", ")));
        }
        Some(Action::Chosen(name, blocks))
    }

    /// A sequence that is called by its name. A stock one that Tidegate does by itself need not be there.
    fn called(&mut self, element: &Element, key: &str) -> Option<Action> {
        if let Some((_, done)) = DONE_HERE.iter().find(|(stock, _)| *stock == key)
            && self.library.sequence(key).is_none()
        {
            self.note(element, done);
            return Some(Action::Nothing);
        }
        self.by_name(element, key).map(Action::Block)
    }

    /// A sequence of the library.
    pub(crate) fn by_name(&mut self, element: &Element, key: &str) -> Option<BlockId> {
        if let Some(known) = self.named.get(key) {
            return Some(*known);
        }
        if key.starts_with('{') {
            self.obstacle(element, key, "The sequence is chosen while the message runs.", "Use a <switch> that names each sequence.");
            return None;
        }
        let Some(source) = self.library.sequence(key).cloned() else {
            self.obstacle(element, key, "No sequence of this name was found.", "Add the sequence, or take the reference out.");
            return None;
        };
        // Named before it is read, so that one which names itself ends here.
        self.named.insert(key.to_owned(), BlockId(self.blocks.len()));
        Some(self.document(&source))
    }

    fn action(&mut self, element: &Element) -> Option<(&'static str, Action)> {
        let holder = |work: &mut Self, direction| Some(Action::Directed(direction, work.block(element)));
        let (mediator, action) = match element.name.as_str() {
            "sequence" => {
                let action = match element.attribute("key").map(str::trim) {
                    Some(key) if key.starts_with('{') => self.chosen(element, key)?,
                    Some(key) => self.called(element, key)?,
                    None => Action::Block(self.block(element)),
                };
                ("sequence", Some(action))
            }
            "in" => ("in", holder(self, Direction::Request)),
            "out" => ("out", holder(self, Direction::Response)),
            "drop" => ("drop", Some(Action::Drop)),
            "respond" => ("respond", Some(Action::Respond)),
            "loopback" => ("loopback", Some(Action::Loopback)),
            "send" => ("send", mediators::call::compile_send(self, element)),
            "call" => ("call", mediators::call::compile_call(self, element)),
            "callout" => ("callout", mediators::call::compile_callout(self, element)),
            "property" => ("property", mediators::property::compile(self, element)),
            "propertyGroup" => ("propertyGroup", mediators::property::compile_group(self, element)),
            "header" => ("header", mediators::header::compile(self, element)),
            "log" => ("log", mediators::log::compile(self, element)),
            "filter" => ("filter", mediators::route::compile_filter(self, element)),
            "switch" => ("switch", mediators::route::compile_switch(self, element)),
            "payloadFactory" => ("payloadFactory", mediators::payload_factory::compile(self, element)),
            "makefault" => ("makefault", mediators::make_fault::compile(self, element)),
            "enrich" => ("enrich", mediators::enrich::compile(self, element)),
            "script" => ("script", mediators::script::compile(self, element)),
            "foreach" => ("foreach", mediators::loops::compile_foreach(self, element)),
            "iterate" => ("iterate", mediators::loops::compile_iterate(self, element)),
            "clone" => ("clone", mediators::loops::compile_clone(self, element)),
            "call-template" => ("call-template", mediators::template::compile(self, element)),
            "aggregate" => ("aggregate", mediators::aggregate::compile(self, element)),
            "rewrite" => ("rewrite", mediators::rewrite::compile(self, element)),
            "conditionalRouter" => ("conditionalRouter", mediators::route::compile_router(self, element)),
            "validate" => ("validate", mediators::validate::compile(self, element)),
            "xslt" => ("xslt", mediators::xslt::compile(self, element)),
            "fastXSLT" | "fasterXSLT" => ("fastXSLT", mediators::xslt::compile(self, element)),
            "class" => ("class", mediators::class::compile(self, element)),
            "throttle" => ("throttle", mediators::throttle::compile(self, element)),
            "cache" => ("cache", mediators::cache::compile(self, element)),
            "builder" => {
                self.note(element, "Bodies are read by their content type; builder classes are not needed.");
                ("builder", Some(Action::Nothing))
            }
            _ => {
                unsupported::explain(self, element);
                return None;
            }
        };
        action.map(|action| (mediator, action))
    }
}

#[cfg(test)]
mod tests;
