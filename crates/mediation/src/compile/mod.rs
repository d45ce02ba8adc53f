//! From a document to a program. Every mediator either becomes a step that does what it did, or is an obstacle; none is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::library::{Library, Source};
use crate::obstacle::{Note, Obstacle};
use crate::program::{Action, Block, BlockId, BodyUse, Program, Step};
use crate::xml::{self, Element};

/// Compiles a sequence, with all it names.
///
/// # Errors
/// Everything in it, or in what it names, that cannot run here; each with its place, the reason and what to use instead.
pub fn compile(source: &Source, library: &Library) -> Result<Program, Vec<Obstacle>> {
    let mut work = Work { library, blocks: Vec::new(), named: BTreeMap::new(), obstacles: Vec::new(), notes: Vec::new() };
    let entry = work.document(source);
    if !work.obstacles.is_empty() {
        return Err(work.obstacles);
    }
    Ok(Program { blocks: work.blocks, entry, body: BodyUse::default(), notes: work.notes })
}

struct Work<'l> {
    library: &'l Library,
    blocks: Vec<Block>,
    named: BTreeMap<String, BlockId>,
    obstacles: Vec<Obstacle>,
    notes: Vec<Note>,
}

impl Work<'_> {
    fn obstacle(&mut self, file: &Arc<str>, element: &Element, subject: &str, reason: &str, suggestion: &str) {
        self.obstacles.push(Obstacle {
            file: Arc::clone(file),
            line: element.line,
            mediator: element.name.clone(),
            subject: subject.to_owned(),
            reason: reason.to_owned(),
            suggestion: suggestion.to_owned(),
        });
    }

    fn open_block(&mut self) -> BlockId {
        self.blocks.push(Block::default());
        BlockId(self.blocks.len() - 1)
    }

    fn document(&mut self, source: &Source) -> BlockId {
        let id = self.open_block();
        let unread = |line, reason: String| Obstacle {
            file: Arc::clone(&source.file),
            line,
            mediator: "sequence".to_owned(),
            subject: String::new(),
            reason,
            suggestion: "Mend the document.".to_owned(),
        };
        match xml::read(&source.text) {
            Err(fault) => self.obstacles.push(unread(fault.line, format!("The document is not XML: {}.", fault.what))),
            Ok(root) if root.name != "sequence" => {
                self.obstacles.push(unread(root.line, format!("<{}> is no sequence.", xml::shortened(&root.name))));
            }
            Ok(root) => self.fill(id, &source.file, &root),
        }
        id
    }

    fn fill(&mut self, id: BlockId, file: &Arc<str>, holder: &Element) {
        let mut steps = Vec::new();
        for element in holder.elements().filter(|e| e.name != "description") {
            if let Some((mediator, action)) = self.action(file, element) {
                steps.push(Step { file: Arc::clone(file), line: element.line, mediator, action });
            }
        }
        if let Some(block) = self.blocks.get_mut(id.0) {
            block.steps = steps;
        }
    }

    fn action(&mut self, file: &Arc<str>, element: &Element) -> Option<(&'static str, Action)> {
        match element.name.as_str() {
            "sequence" => self.sequence(file, element).map(|block| ("sequence", Action::Block(block))),
            "drop" => Some(("drop", Action::Drop)),
            "respond" => Some(("respond", Action::Respond)),
            "loopback" => Some(("loopback", Action::Loopback)),
            "send" if element.elements().next().is_none() => Some(("send", Action::Send)),
            _ => {
                self.obstacle(file, element, "", "This mediator does not run here.", "Rewrite the sequence without it.");
                None
            }
        }
    }

    fn sequence(&mut self, file: &Arc<str>, element: &Element) -> Option<BlockId> {
        let Some(key) = element.attribute("key").map(str::trim) else {
            let id = self.open_block();
            self.fill(id, file, element);
            return Some(id);
        };
        if let Some(known) = self.named.get(key) {
            return Some(*known);
        }
        let Some(source) = self.library.sequence(key) else {
            self.obstacle(file, element, key, "No sequence of this name was found.", "Add it, or take the reference out.");
            return None;
        };
        // Named before it is read, so that one which names itself ends here.
        let (source, place) = (source.clone(), BlockId(self.blocks.len()));
        self.named.insert(key.to_owned(), place);
        Some(self.document(&source))
    }
}
