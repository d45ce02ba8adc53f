//! Mediation sequences of APIs, compiled when the snapshot is made.

use std::fmt;
use std::sync::Arc;

use mediation::{BodyUse, Library, Program, Source};
use model::ApiId;

use super::{ApiEntry, CompileFault, Snapshot};

/// The sequences of one API, as texts.
#[derive(Clone)]
pub struct Sequences {
    /// Which API.
    pub api: ApiId,
    /// Those that requests pass, in the order they run: the gateway's for every API before the API's own.
    pub request: Vec<Source>,
    /// Those that answers pass, in the order they run.
    pub response: Vec<Source>,
    /// What makes the answer when a sequence or the backend fails.
    pub fault: Option<Source>,
    /// What they refer to by name.
    pub library: Arc<Library>,
}

impl fmt::Debug for Sequences {
    /// Files only: authors write passwords into sequences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.request.iter().chain(&self.response).chain(&self.fault).map(|source| &*source.file).collect();
        f.debug_struct("Sequences").field("api", &self.api).field("files", &files).finish_non_exhaustive()
    }
}

/// An API's sequences, ready to run.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    pub(crate) request: Box<[Arc<Program>]>,
    pub(crate) response: Box<[Arc<Program>]>,
    pub(crate) fault: Option<Arc<Program>>,
    /// One of them cannot run here, and nothing passes without what its author wanted done.
    pub(crate) broken: bool,
}

impl Programs {
    pub(super) fn compile(sequences: &Sequences) -> (Self, Option<CompileFault>) {
        let mut obstacles = Vec::new();
        let mut compiled = |source: &Source| match mediation::compile(source, &sequences.library) {
            Ok(program) => Some(Arc::new(program)),
            Err(found) => {
                obstacles.extend(found);
                None
            }
        };
        let mut all =
            |sources: &[Source]| -> Box<[_]> { sources.iter().filter_map(&mut compiled).filter(|program| !program.is_empty()).collect() };
        let mut programs = Self { request: all(&sequences.request), response: all(&sequences.response), ..Self::default() };
        programs.fault = sequences.fault.as_ref().and_then(compiled);
        programs.broken = !obstacles.is_empty();
        let fault = programs
            .broken
            .then(|| CompileFault::Sequences { api: sequences.api, obstacles: obstacles.iter().map(ToString::to_string).collect() });
        (programs, fault)
    }

    /// Whether nothing is to be run at all.
    pub(super) fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty() && self.fault.is_none() && !self.broken
    }

    /// Whether one of these looks into the body.
    pub(crate) fn reads(programs: &[Arc<Program>]) -> bool {
        programs.iter().any(|program| matches!(program.body_use(), BodyUse { reads: true, .. }))
    }
}

impl Snapshot {
    /// The sequences that calls of an API pass, if any.
    pub(crate) fn programs(&self, api: &ApiEntry) -> Option<&Arc<Programs>> {
        if self.programs.is_empty() { None } else { self.programs.get(&api.id) }
    }
}
