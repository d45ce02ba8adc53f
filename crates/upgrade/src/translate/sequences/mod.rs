//! Mediation sequences: which of them are a site's own, which API runs which, and what the gateway's own files say beside the registry.
//!
//! The registry holds what the publisher attached; the gateway's folder holds what ran. Where both speak of one sequence and differ, the
//! gateway's copy was edited by hand and is what callers met, so it is carried, and the report says so. Stock that nobody touched and
//! nothing refers to is left behind: this gateway does the same by itself.

mod deployed;
mod merge;
mod pieces;
mod stock;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use mediation::{Library, Source};
use model::{Api, ErrorHandler, Flow, MediationPolicyRef, Secret, SequencePlace, StoredSequence, TenantId};

use self::merge::Merge;
use self::pieces::Pieces;
use super::{About, Carried, Desk, decoded, said};
use crate::old::apis::{Artifact, OldApi, SequenceResource};

/// What a step that cannot run means for callers.
pub(crate) const STEP_CANNOT_RUN: &str = "This step cannot run here, and nothing passes without what its author wanted done: calls that meet the sequence are refused with 500 until the step is replaced or the sequence is taken off.";

/// What a step that cannot run means in a sequence that answers for refused calls.
pub(crate) const HANDLER_CANNOT_RUN: &str = "This step cannot run here, so the whole sequence does not: the gateway answers in the tenant's error format, as stock did, until the step is replaced.";

/// Lines of a difference that a finding tells.
const TOLD_LINES: usize = 12;

/// A sequence that was read.
struct Candidate {
    key: String,
    stored: StoredSequence,
    /// `None` when it is no XML we read.
    pieces: Option<Pieces>,
    /// Releases that shipped it exactly so.
    stock: Option<&'static str>,
    /// Something refers to it.
    wanted: bool,
}

/// All sequences of the installation, while APIs take theirs.
pub(super) struct Sequences {
    found: Vec<Candidate>,
    /// Shared ones by tenant, flow and name.
    shared: HashMap<(TenantId, Flow, String), usize>,
    /// The gateway's named ones by tenant and name.
    named: HashMap<(TenantId, String), usize>,
    /// Copies of single APIs' sequences in the gateway's folder, by tenant and name, until their API takes them.
    copies: BTreeMap<(TenantId, String), Copied>,
    ids: HashSet<String>,
}

/// An API's sequence as it lay on the gateway.
struct Copied {
    file: String,
    bytes: Vec<u8>,
    pieces: Option<Pieces>,
}

pub(super) fn read(desk: &mut Desk<'_>) -> Sequences {
    let mut all =
        Sequences { found: Vec::new(), shared: HashMap::new(), named: HashMap::new(), copies: BTreeMap::new(), ids: HashSet::new() };
    for files in &desk.old.tenant_files {
        let Some(tenant) = desk.names.tenant(files.tenant_id) else { continue };
        for resource in &files.sequences {
            all.shared(desk, tenant, resource);
        }
    }
    deployed::read(desk, &mut all);
    all
}

impl Sequences {
    fn shared(&mut self, desk: &mut Desk<'_>, tenant: TenantId, resource: &SequenceResource) {
        let origin = format!("customsequences/{}/{} of tenant {tenant}", resource.direction, resource.file);
        let Some(flow) = Flow::parse(&resource.direction) else {
            desk.warn(About::Api, "It stands where no flow looks for it, and is left out.", origin, "a file beside in, out and fault");
            return;
        };
        let key = format!("{tenant} shared {} {}", flow.name(), resource.file);
        let at = self.add(desk, tenant, SequencePlace::Shared(flow), key, resource, &origin);
        if let Some(name) = self.found.get(at).map(|c| c.stored.name.clone())
            && self.shared.insert((tenant, flow, name.clone()), at).is_some()
        {
            desk.warn(About::Api, "Two files have one name; APIs that name it run the last.", origin, format!("a second sequence {name}"));
        }
    }

    /// Takes a file in; its place in `found`.
    fn add(
        &mut self,
        desk: &mut Desk<'_>,
        tenant: TenantId,
        place: SequencePlace,
        key: String,
        resource: &SequenceResource,
        origin: &str,
    ) -> usize {
        let read = Pieces::of(&decoded(&resource.bytes));
        if let Err(fault) = &read
            && place != SequencePlace::LocalEntry
        {
            desk.warn(About::Api, "It is kept, and cannot run.", origin, format!("it does not read: {fault}"));
        }
        let pieces = read.ok();
        let inside = pieces.as_ref().and_then(|p| p.attribute("name").or(p.attribute("key"))).filter(|n| !n.is_empty());
        let name = inside.map_or_else(|| resource.file.trim_end_matches(".xml").to_owned(), str::to_owned);
        let given = resource.uuid.clone().filter(|id| !id.is_empty() && !self.ids.contains(id));
        let id = given.unwrap_or_else(|| model::ApiId::derived(&[desk.input.source, "sequence", &key]).to_string());
        self.ids.insert(id.clone());
        let stored = StoredSequence {
            id,
            tenant,
            place,
            name,
            file: resource.file.clone(),
            content: Secret::new(resource.bytes.clone()),
            additions: None,
        };
        let stock = pieces.as_ref().and_then(|p| stock::of_hash(&p.hash)).map(|s| s.versions);
        self.found.push(Candidate { key, stored, pieces, stock, wanted: false });
        self.found.len() - 1
    }

    /// Gives an API the sequences it ran, each flow's from where the old gateway took it.
    pub(super) fn attach(&mut self, desk: &mut Desk<'_>, old: &OldApi, artifact: Option<&Artifact>, api: &mut Api, origin: &str) {
        let mut own: HashMap<(Flow, String), usize> = HashMap::new();
        for resource in &old.sequences {
            let Some(flow) = Flow::parse(&resource.direction) else { continue };
            let key = format!("{} api {} {} {}", api.tenant, api.id, flow.name(), resource.file);
            let at = self.add(desk, api.tenant, SequencePlace::Api(api.id, flow), key, resource, origin);
            if let Some(candidate) = self.found.get_mut(at) {
                // The author may attach it again, whether or not it is now.
                candidate.wanted = true;
                own.insert((flow, candidate.stored.name.clone()), at);
            }
        }
        for flow in Flow::ALL {
            let named = artifact.and_then(|a| said(a.get(&format!("overview_{}Sequence", flow.name()))));
            let named = named.filter(|n| !n.eq_ignore_ascii_case("none"));
            let chosen = named.and_then(|name| self.chosen(api.tenant, flow, name, &own));
            let copy = self.copy_of(old, api, flow);
            let at = match (chosen, copy) {
                (Some(at), None) => Some(at),
                (Some(at), Some(copy)) if self.is_the_same(at, &copy) => Some(at),
                (Some(_), Some(copy)) => {
                    let words = format!("the gateway's copy {} differs from the {} sequence in the registry", copy.file, flow.name());
                    desk.warn(About::Api, "It was edited on the gateway by hand: what ran there is carried.", origin, words);
                    Some(self.own_copy(desk, api, flow, copy, origin))
                }
                (None, Some(copy)) => {
                    let words = format!("{} ran for it on the gateway, and the registry does not name it", copy.file);
                    desk.note(About::Api, "A sequence made on the gateway by hand is attached to its API.", origin, words);
                    Some(self.own_copy(desk, api, flow, copy, origin))
                }
                (None, None) => None,
            };
            match (at, named) {
                (Some(at), _) => self.attached(desk, api, flow, at, origin),
                (None, Some(name)) => {
                    let words = format!("{} {} names the {} sequence {name}", api.name, api.version, flow.name());
                    desk.warn(About::Api, "The sequence is nowhere to be found; messages pass without it.", origin, words);
                }
                (None, None) => {}
            }
        }
    }

    /// The API's own sequence before a shared one, before one the gateway has by that name.
    fn chosen(&self, tenant: TenantId, flow: Flow, name: &str, own: &HashMap<(Flow, String), usize>) -> Option<usize> {
        let shared = |tenant| self.shared.get(&(tenant, flow, name.to_owned()));
        let found = own.get(&(flow, name.to_owned())).or_else(|| shared(tenant));
        found.or_else(|| self.named.get(&(tenant, name.to_owned()))).copied()
    }

    /// What lay on the gateway for this API and flow; taken out.
    fn copy_of(&mut self, old: &OldApi, api: &Api, flow: Flow) -> Option<Copied> {
        let (provider, name, version) = old.identity();
        let end = match flow {
            Flow::In => "In",
            Flow::Out => "Out",
            Flow::Fault => "Fault",
        };
        // 1.x to 3.x put the provider before the name; extensions written by hand for 2.x often do not.
        let provider = provider.replace('@', "-AT-");
        // A secondary store's `/` became `_` in file names, and here and there inside.
        let flat = provider.replace('/', "_");
        let names = [provider, flat].map(|p| format!("{p}--{name}:v{version}--{end}"));
        names.into_iter().chain([format!("{name}:v{version}--{end}")]).find_map(|name| self.copies.remove(&(api.tenant, name)))
    }

    fn is_the_same(&self, at: usize, copy: &Copied) -> bool {
        match (self.found.get(at).and_then(|c| c.pieces.as_ref()), &copy.pieces) {
            (Some(a), Some(b)) => a.does_as(b),
            _ => false,
        }
    }

    fn own_copy(&mut self, desk: &mut Desk<'_>, api: &Api, flow: Flow, copy: Copied, origin: &str) -> usize {
        let key = format!("{} api {} {} gateway {}", api.tenant, api.id, flow.name(), copy.file);
        let resource = SequenceResource { direction: flow.name().to_owned(), file: copy.file, uuid: None, bytes: copy.bytes };
        self.add(desk, api.tenant, SequencePlace::Api(api.id, flow), key, &resource, origin)
    }

    fn attached(&mut self, desk: &mut Desk<'_>, api: &mut Api, flow: Flow, at: usize, origin: &str) {
        let Some(candidate) = self.found.get_mut(at) else { return };
        candidate.wanted = true;
        let stored = &candidate.stored;
        api.mediation_policies.push(MediationPolicyRef {
            id: Some(stored.id.clone()),
            name: stored.name.clone(),
            flow: flow.name().to_owned(),
            shared: !matches!(stored.place, SequencePlace::Api(..)),
        });
        if candidate.pieces.is_none() {
            let words = format!("{} {} runs the {} sequence {}", api.name, api.version, flow.name(), stored.name);
            desk.warn(About::Api, "It cannot run: messages pass unchanged.", origin, words);
        }
    }

    /// What is carried. Stock that nothing refers to is not.
    pub(super) fn finish(mut self, desk: &mut Desk<'_>) -> Vec<Carried<StoredSequence>> {
        for ((tenant, name), copy) in std::mem::take(&mut self.copies) {
            desk.note(
                About::Api,
                "It is left behind with its API.",
                copy.file,
                format!("sequence {name} of tenant {tenant} belongs to no API"),
            );
        }
        deployed::want_what_is_referred_to(desk, &mut self);
        let tenants: HashSet<TenantId> = self.found.iter().map(|c| c.stored.tenant).collect();
        let libraries: HashMap<TenantId, Library> = tenants.into_iter().map(|tenant| (tenant, library(&self.found, tenant))).collect();
        let mut done = Vec::new();
        for mut candidate in self.found {
            let is_entry = matches!(candidate.stored.place, SequencePlace::LocalEntry | SequencePlace::Endpoint);
            if !candidate.wanted && (candidate.stock.is_some() || is_entry) {
                continue;
            }
            if candidate.stored.place == SequencePlace::Gateway {
                customised(desk, &mut candidate);
            }
            if let Some(library) = libraries.get(&candidate.stored.tenant) {
                told(desk, &candidate, library);
            }
            done.push(Carried { key: candidate.key, value: candidate.stored });
        }
        done
    }
}

/// Whether the old product shipped exactly this.
pub(crate) fn is_stock(bytes: &[u8]) -> bool {
    mediation::normalised_hash(&decoded(bytes)).is_ok_and(|hash| stock::of_hash(&hash).is_some())
}

/// Holds a site's version of a stock sequence against stock, and says what runs of it.
fn customised(desk: &mut Desk<'_>, candidate: &mut Candidate) {
    let Some(pieces) = &candidate.pieces else { return };
    let stored = &mut candidate.stored;
    let handler = ErrorHandler::named(&stored.name);
    if candidate.stock.is_some() {
        // It came along because another sequence calls it. By itself the gateway does the same.
        stored.additions = handler.map(|_| Secret::new(pieces.with_only(std::iter::empty())));
        return;
    }
    let origin = format!("synapse-configs sequences/{}", stored.file);
    if handler == Some(ErrorHandler::Main) {
        let stock = stock::of_name(&stored.name);
        let is_stock = |mark: &str| stock.iter().any(|s| s.mediators.iter().any(|(_, known)| *known == mark));
        for part in pieces.parts.iter().filter(|part| part.name == "out" && !is_stock(&part.mark)) {
            let words = format!("sequence main, {} line {}, <out>", stored.file, part.line);
            desk.note(
                About::Api,
                "It met the answers to what main sent on. Nothing is sent on here, so it never runs.",
                origin.clone(),
                words,
            );
        }
    }
    let (versions, merged) = match merge::merge(pieces, &stock::of_name(&stored.name)) {
        None => return,
        Some(found) => found,
    };
    let words = match &merged {
        Merge::Additions(text) => format!("{} is stock of {versions} with {} mediator(s) added", stored.name, added(text)),
        Merge::Clash(lines) => format!("{} is stock of {versions}, changed: {}", stored.name, join(lines)),
    };
    match (handler, merged) {
        (Some(handler), Merge::Additions(text)) => {
            desk.note(About::Api, runs(handler, true), origin, words);
            stored.additions = Some(Secret::new(text));
        }
        (Some(handler), Merge::Clash(_)) => desk.note(About::Api, runs(handler, false), origin, words),
        (None, _) => desk.note(About::Api, runs_by_name(&stored.name), origin, words),
    }
}

/// What the gateway does with a site's version of an error handler.
fn runs(handler: ErrorHandler, added: bool) -> &'static str {
    match (handler, added) {
        (ErrorHandler::Cors, _) => {
            "It runs for refused calls and preflights, over the answer; not for answers of backends, which carry the API's cross-origin headers as they are set there."
        }
        (ErrorHandler::Main, false) => {
            "It runs for calls that no API takes, and what it answers is the answer. Should it fail or answer nothing, the gateway answers in the tenant's error format."
        }
        (_, true) => "What was added runs over the gateway's own answer in the tenant's error format, so clients find it there.",
        (_, false) => {
            "It runs as the site wrote it, and what it answers is the answer. Should it fail or answer nothing, the gateway answers in the tenant's error format."
        }
    }
}

/// What becomes of a changed stock sequence that is no error handler of this gateway's.
fn runs_by_name(name: &str) -> &'static str {
    match name {
        "dispatchSeq" | "outDispatchSeq" => "It was met by WebSocket calls, which this gateway does not serve: it is kept, and not run.",
        "_graphql_failure_handler" => "It was met by GraphQL calls, which this gateway does not serve: it is kept, and not run.",
        "_threat_fault_" => "It runs where a threat protector of a sequence finds something.",
        _ => "It runs where an API or another sequence names it.",
    }
}

fn added(text: &str) -> usize {
    Pieces::of(text).map_or(0, |p| p.parts.len())
}

fn join(lines: &[String]) -> String {
    let told = lines.iter().take(TOLD_LINES).map(String::as_str).collect::<Vec<_>>().join("; ");
    match lines.len().saturating_sub(TOLD_LINES) {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

/// What sequences of one tenant can refer to.
fn library(found: &[Candidate], tenant: TenantId) -> Library {
    Library::new().with_kept(found.iter().filter(|c| c.wanted && c.stored.tenant == tenant).map(|c| &c.stored))
}

/// What of a stored sequence runs.
fn source(stored: &StoredSequence) -> Source {
    match &stored.additions {
        Some(additions) => Source::new(stored.file.as_str(), additions.expose().as_str()),
        None => Source::of(stored),
    }
}

/// Names what of a sequence cannot run here, or runs otherwise.
fn told(desk: &mut Desk<'_>, candidate: &Candidate, library: &Library) {
    let stored = &candidate.stored;
    if matches!(stored.place, SequencePlace::LocalEntry | SequencePlace::Endpoint) || candidate.pieces.is_none() {
        return;
    }
    let handler = ErrorHandler::named(&stored.name).filter(|_| stored.place == SequencePlace::Gateway);
    match mediation::compile(&source(stored), library) {
        Ok(program) => {
            for step in handler.map(|_| program.leaving()).unwrap_or_default() {
                let words = format!("sequence {}, {} line {}, <{}>", stored.name, step.file, step.line, step.mediator);
                desk.warn(About::Api, leaves(step.to_backend), candidate.key.clone(), words);
            }
            for note in program.notes() {
                let words = format!("sequence {}, {} line {}, <{}>: {}", stored.name, note.file, note.line, note.mediator, note.says);
                desk.note(About::Api, "A step of a sequence runs otherwise than it did.", candidate.key.clone(), words);
            }
        }
        Err(obstacles) => {
            for o in obstacles {
                // Expressions may hold what their author would not have shown; names of classes and keys do not.
                let subject = if matches!(o.mediator.as_str(), "class" | "sequence" | "endpoint") {
                    format!(" {}", o.subject)
                } else {
                    String::new()
                };
                let place = format!("{} line {}, <{}{subject}>", o.file, o.line, o.mediator);
                let words = format!("sequence {}, {place}: {} {}", stored.name, o.reason, o.suggestion);
                let meaning = if handler.is_some() { HANDLER_CANNOT_RUN } else { STEP_CANNOT_RUN };
                desk.warn(About::Api, meaning, candidate.key.clone(), words);
            }
        }
    }
}

/// What a step means that would have a refused call leave.
fn leaves(to_backend: bool) -> &'static str {
    if to_backend {
        "A refused call never reaches the API's backend: the sequence fails at this step, and the gateway answers in the tenant's error format."
    } else {
        "A call that is refused, or that no API takes, is sent nowhere: the step answers with the message as it stands. Make an API of what was sent on here."
    }
}
