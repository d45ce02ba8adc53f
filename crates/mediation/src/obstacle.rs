//! What stands in the way of running a sequence, or changes how it runs; each with its place and what to do instead, for people to read.

use std::fmt;
use std::sync::Arc;

/// Something in a sequence that cannot run here. A sequence with one does not compile: nothing of it is skipped in silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// File, as [`Source::file`](crate::Source::file) names it.
    pub file: Arc<str>,
    /// Line of the start tag, counted from 1.
    pub line: u32,
    /// Name of the mediator: `class`, `xslt`; `sequence` for the document itself.
    pub mediator: String,
    /// Java class of a `class` mediator, the key that was not found, or the like; empty when there is nothing to add.
    pub subject: String,
    /// Why it cannot run, a sentence.
    pub reason: String,
    /// What to use instead, a sentence.
    pub suggestion: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: <{}", self.file, self.line, self.mediator)?;
        if !self.subject.is_empty() {
            write!(f, " {}", self.subject)?;
        }
        write!(f, ">: {} {}", self.reason, self.suggestion)
    }
}

/// Something that runs, but otherwise than it did, or that Tidegate does itself. Shown, never in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// File.
    pub file: Arc<str>,
    /// Line of the start tag, counted from 1.
    pub line: u32,
    /// Name of the mediator.
    pub mediator: String,
    /// What is different, a sentence.
    pub says: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: <{}>: {}", self.file, self.line, self.mediator, self.says)
    }
}
