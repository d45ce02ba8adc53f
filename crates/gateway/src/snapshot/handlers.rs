//! Error sequences of tenants' own, compiled when the snapshot is made. Looked at only when a call is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mediation::{Library, Program, Source};
use model::{ErrorHandler, TenantId};

use super::{ApiEntry, CompileFault, Snapshot};

/// The error sequences of one tenant, as texts.
#[derive(Clone)]
pub struct Handlers {
    /// Whose.
    pub tenant: TenantId,
    /// Those that are the tenant's own; of two for one handler the first counts.
    pub sequences: Vec<HandlerText>,
    /// What they refer to by name.
    pub library: Arc<Library>,
}

/// An error sequence.
#[derive(Debug, Clone)]
pub struct HandlerText {
    /// What it answers for.
    pub handler: ErrorHandler,
    /// How it stands to the gateway's own answer.
    pub form: HandlerForm,
    /// Its text.
    pub source: Source,
}

/// How an error sequence stands to the gateway's own answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerForm {
    /// It makes the answer.
    Whole,
    /// It runs over the gateway's own.
    Additions,
}

impl fmt::Debug for Handlers {
    /// Files only: authors write passwords into sequences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.sequences.iter().map(|text| &*text.source.file).collect();
        f.debug_struct("Handlers").field("tenant", &self.tenant).field("files", &files).finish_non_exhaustive()
    }
}

/// An error sequence, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    pub(crate) handler: ErrorHandler,
    pub(crate) form: HandlerForm,
    pub(crate) program: Arc<Program>,
}

/// Those of a tenant.
pub(crate) type TenantHandlers = BTreeMap<ErrorHandler, Handler>;

/// What can run, and why the rest cannot: it is answered for as if the tenant had none.
pub(super) fn compile(handlers: &Handlers) -> (TenantHandlers, Option<CompileFault>) {
    let mut all = TenantHandlers::new();
    let mut obstacles = Vec::new();
    for HandlerText { handler, form, source } in &handlers.sequences {
        match mediation::compile(source, &handlers.library) {
            // Additions of nothing: it is stock, which the gateway does by itself.
            Ok(program) if program.is_empty() && *form == HandlerForm::Additions => {}
            Ok(program) => {
                all.entry(*handler).or_insert_with(|| Handler { handler: *handler, form: *form, program: Arc::new(program) });
            }
            Err(found) => obstacles.extend(found.iter().map(ToString::to_string)),
        }
    }
    let fault = (!obstacles.is_empty()).then_some(CompileFault::Handlers { tenant: handlers.tenant, obstacles });
    (all, fault)
}

impl Snapshot {
    /// The error sequences of an API's tenant, or of the tenant that a path names; each tenant has its own or none.
    pub(crate) fn handlers(&self, api: Option<&ApiEntry>, path: &str) -> Option<&Arc<TenantHandlers>> {
        if self.handlers.is_empty() {
            return None;
        }
        let tenant = api.map_or_else(|| self.tenant_of(path), |api| api.tenant);
        self.handlers.get(&tenant)
    }

    /// What a tenant's own error sequences answer for.
    #[must_use]
    pub fn error_handlers(&self, tenant: TenantId) -> Vec<ErrorHandler> {
        self.handlers.get(&tenant).map(|all| all.keys().copied().collect()).unwrap_or_default()
    }

    pub(super) fn put_handlers(&mut self, handlers: &Handlers) -> Result<(), CompileFault> {
        let (all, fault) = compile(handlers);
        match all.is_empty() {
            true => drop(self.handlers.remove(&handlers.tenant)),
            false => drop(self.handlers.insert(handlers.tenant, Arc::new(all))),
        }
        fault.map_or(Ok(()), Err)
    }
}
