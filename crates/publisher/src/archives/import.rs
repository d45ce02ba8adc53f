//! An API made, or changed, as an archive says: in one transaction, by the rules of any other change. What the archive leaves out of what
//! belongs to an API goes, as in 4.0.0: documents, picture, WSDL and sequences are those of the archive afterwards.

use archive::shape::Api as Sent;
use archive::{ApiProject, ArchiveError, ProjectDocument, params::Uploaded};
use db::Tx;
use db::files::Place;
use model::{
    Api, ApiId, ApiKind, Cors, DefinitionFormat, Document, DocumentSource, LifecycleState, Operation, SequencePlace, StoredSequence,
};
use model::{Secret, Timestamp, UserName};
use rest::{Caller, Refusal};
use spec::Parsed;

use crate::access::{self, Intent};
use crate::apis::{self, Origin, normalise, rules};
use crate::revisions::{self, Target};
use crate::wire::{self, Maker};
use crate::{Room, definitions, documents, entry, lifecycle, scopes};

/// What the revision of an import is called, 4.0.0's words.
const REVISION: &str = "Revision created after importing the API";

/// How an archive is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct How {
    /// Keep the provider that the archive names; it must be of the caller's tenant.
    pub preserve_provider: bool,
    /// Make room for the new revision by removing the oldest.
    pub rotate_revision: bool,
    /// Change the API where it is there already.
    pub overwrite: bool,
}

/// What became of an archive.
#[derive(Debug)]
pub(crate) struct Imported {
    /// What of the archive has no home here.
    pub left: Vec<String>,
}

/// Reads an archive and makes or changes the API in it.
///
/// # Errors
/// 400 with the catalogue's code for an archive that does not read; 403 901409 for a provider of another tenant; 409 where the API is there
/// and not to be changed; and as making, changing, publishing and deploying an API otherwise.
pub(crate) async fn import(room: &Room, caller: &Caller, bytes: &[u8], how: How) -> Result<Imported, Refusal> {
    let now = room.now();
    let project = Uploaded::read(bytes).and_then(|uploaded| uploaded.api()).map_err(refused)?;
    let ApiProject { api: mut sent, definition, deployments, icon, documents, wsdl, sequences, mut left } = project;
    without_spaces(&mut sent);
    let target = state(sent.life_cycle_status.as_deref())?;
    sent.life_cycle_status = None;
    let kind = sent.kind.as_deref().map_or(Some(ApiKind::Http), ApiKind::parse).unwrap_or(ApiKind::Http);
    let definition = definition.ok_or_else(|| entry::ARCHIVE_DEFINITION.with("The project has no file in Definitions."))?;
    let is_openapi = matches!(definition.format, DefinitionFormat::OpenApi2 | DefinitionFormat::OpenApi3);
    if is_openapi != definitions::described_by_openapi(kind) {
        return Err(entry::ARCHIVE_DEFINITION.with(format!("The project's definition is not of the kind that {} APIs have.", kind.name())));
    }
    let parsed =
        if is_openapi { Some(Box::new(spec::validate(&definition.text).map_err(|faults| definitions::invalid(&faults))?)) } else { None };

    let mut tx = room.db.write().await?;
    let provider = settle_provider(&mut tx, &mut sent, caller, how.preserve_provider).await?;
    only_known_plans(&mut tx, caller, &mut sent, &mut left).await?;
    let (name, version) = (sent.name.as_deref().unwrap_or_default(), sent.version.as_deref().unwrap_or_default());
    let there = db::apis::find_by_name_version(&mut tx, caller.tenant, name, version).await?;
    let api = match there {
        Some(there) if !how.overwrite => {
            return Err(entry::VERSION_EXISTS.with(format!("The API '{}' already has a version '{}'.", there.name, there.version)));
        }
        Some(there) => {
            let stored = access::reach(&mut tx, caller, &there.id.to_string(), Intent::Update).await?;
            apis::may_change(caller, stored.state)?;
            let mut next = wire::Sent(&sent).to_update(&stored, now)?;
            archive::shape::keep_secrets(&mut next.endpoints.0, &stored.endpoints.0);
            agree(&mut tx, &mut next, parsed.as_deref()).await?;
            let kept = keep_sequences(&mut tx, &mut next, sequences).await?;
            change(&mut tx, caller, next, &stored, parsed.as_deref(), now).await.map(|api| (api, kept))?
        }
        None => {
            let (tenant, tenant_domain) = (caller.tenant, caller.tenant_domain.as_str());
            let maker = Maker { id: ApiId::random(), tenant, tenant_domain, provider: &provider, now };
            let mut api = wire::Sent(&sent).to_new(&maker)?;
            api.wsdl_url.clone_from(&sent.wsdl_url);
            agree(&mut tx, &mut api, parsed.as_deref()).await?;
            let kept = keep_sequences(&mut tx, &mut api, sequences).await?;
            let origin = parsed.map_or(Origin::Generated(definitions::OpenApi::V3), Origin::Brought);
            apis::add(&mut tx, caller, api, origin, now).await.map(|api| (api, kept))?
        }
    };
    let (api, kept) = api;
    if !is_openapi {
        db::apis::set_definition(&mut tx, api.id, &definition).await?;
    }
    put_sequences(&mut tx, &api, kept).await?;
    put_documents(&mut tx, caller, &api, documents, now).await?;
    match icon {
        Some(icon) => match documents::picture(&icon.bytes) {
            Some(media_type) => {
                let name = format!("icon.{}", icon.extension);
                db::files::put(&mut tx, api.id, &Place::Thumbnail, &name, media_type, &icon.bytes).await?;
            }
            None => left.push(format!("Image/icon.{}", icon.extension)),
        },
        None => drop(db::files::delete(&mut tx, api.id, &Place::Thumbnail).await?),
    }
    match wsdl {
        Some(wsdl) => {
            let media_type = if wsdl.extension == "zip" { "application/zip" } else { "text/xml" };
            let name = format!("{}-{}.{}", api.name, api.version, wsdl.extension);
            db::files::put(&mut tx, api.id, &Place::Wsdl, &name, media_type, &wsdl.bytes).await?;
        }
        None => drop(db::files::delete(&mut tx, api.id, &Place::Wsdl).await?),
    }
    let api = match lifecycle::lead_to(room, &mut tx, caller, api.clone(), target, now).await? {
        Some(api) => api,
        None => {
            left.push(format!("lifeCycleStatus {} (no steps lead there from {})", target.name(), api.state.name()));
            api
        }
    };
    deploy(room, &mut tx, &api, &deployments, how.rotate_revision, now).await?;
    tx.commit().await?;
    if !left.is_empty() {
        tracing::warn!(api = %api.id, left = left.join(", "), "an archive was imported without what has no home here");
    }
    Ok(Imported { left })
}

/// What is wrong with an archive, by the catalogue.
fn refused(fault: ArchiveError) -> Refusal {
    let entry = match &fault {
        ArchiveError::Missing(_) | ArchiveError::Type { .. } | ArchiveError::Version { .. } | ArchiveError::Unreadable { .. } => {
            entry::ARCHIVE_META
        }
        ArchiveError::Params(_) | ArchiveError::NoSource => entry::ARCHIVE_PARAMS,
        _ => entry::ARCHIVE_INVALID,
    };
    entry.with(fault.to_string())
}

fn without_spaces(sent: &mut Sent) {
    for text in [&mut sent.name, &mut sent.version].into_iter().flatten() {
        text.retain(|c| !c.is_whitespace());
    }
}

/// The provider the API will have; its context loses the prefix of the tenant it comes from.
async fn settle_provider(tx: &mut Tx, sent: &mut Sent, caller: &Caller, preserve: bool) -> Result<String, Refusal> {
    if let Some((domain, path)) = sent.context.as_deref().and_then(|context| context.strip_prefix("/t/")?.split_once('/'))
        && domain != caller.tenant_domain
    {
        sent.context = Some(format!("/{path}"));
    }
    let named = sent.provider.take().map(|name| name.trim().replace("-AT-", "@"));
    let Some(named) = named.filter(|name| preserve && !name.is_empty()) else { return Ok(caller.name()) };
    let name = UserName::parse(&named, |domain| domain == caller.tenant_domain);
    // A name may hold an address, so that what follows `@` is another tenant only where there is one.
    let other = match named.rsplit_once('@') {
        Some((_, domain)) if name.tenant != domain => db::tenants::find_by_domain(tx, domain).await?.is_some(),
        _ => false,
    };
    if other || name.tenant != caller.tenant_domain {
        let words = "The project's provider is of another tenant. Import it with preserveProvider=false.";
        return Err(entry::PROVIDER_ELSEWHERE.with(words));
    }
    Ok(name.to_string())
}

fn state(text: Option<&str>) -> Result<LifecycleState, Refusal> {
    match text.map(str::trim) {
        None | Some("") => Ok(LifecycleState::Created),
        Some(word) => LifecycleState::parse(word).ok_or_else(|| entry::ARCHIVE_META.with(format!("'{word}' is no lifecycle state."))),
    }
}

/// Plans nobody made here are left out; publishing asks for one that is left.
async fn only_known_plans(tx: &mut Tx, caller: &Caller, sent: &mut Sent, left: &mut Vec<String>) -> Result<(), Refusal> {
    let Some(plans) = &mut sent.policies else { return Ok(()) };
    let known = db::policies::subscription::list(tx, caller.tenant).await?;
    plans.retain(|plan| {
        let is_known = known.iter().any(|policy| policy.name == *plan);
        if !is_known {
            left.push(format!("business plan {plan}"));
        }
        is_known
    });
    Ok(())
}

/// The definition says which operations there are. What the API's object says of one of them holds, so that an archive whose definition
/// says less than its object opens nothing.
async fn agree(tx: &mut Tx, api: &mut Api, parsed: Option<&Parsed>) -> Result<(), Refusal> {
    // What is shown of an API that leaves CORS to the gateway.
    api.cors = api.cors.take().filter(|cors| *cors != Cors::default());
    if api.operations.is_empty() && parsed.is_none() {
        api.operations = normalise::default_operations(api.kind);
    }
    let Some(parsed) = parsed.filter(|parsed| !parsed.operations.is_empty()) else { return Ok(()) };
    let (said, declared) = (std::mem::take(&mut api.operations), api.scopes.clone());
    definitions::operations_of(tx, api, parsed).await?;
    for operation in &mut api.operations {
        let same = |other: &&Operation| other.verb == operation.verb && other.target == operation.target;
        if let Some(said) = said.iter().find(same) {
            let script = operation.script.take();
            *operation = Operation { script, ..said.clone() };
        }
    }
    for scope in declared {
        if !api.scopes.iter().any(|known| known.name == scope.name) {
            api.scopes.push(scope);
        }
    }
    Ok(())
}

/// Writes over an API that is there.
async fn change(
    tx: &mut Tx,
    caller: &Caller,
    mut next: Api,
    stored: &Api,
    parsed: Option<&Parsed>,
    now: Timestamp,
) -> Result<Api, Refusal> {
    normalise::normalise(&mut next);
    scopes::adopt(tx, &mut next).await?;
    rules::check(tx, caller, &next, Some(stored)).await?;
    apis::replace(tx, &next).await?;
    if let Some(parsed) = parsed {
        let definition = definitions::follow(&parsed.definition(), &next)?;
        db::apis::set_definition(tx, next.id, &definition).await?;
    }
    apis::only_default(tx, &next, now).await?;
    Ok(next)
}

/// The sequences that become the API's own. Those it names get their ids: a shared one of that name, or else one of its own.
async fn keep_sequences(tx: &mut Tx, api: &mut Api, sequences: Vec<archive::ProjectSequence>) -> Result<Vec<StoredSequence>, Refusal> {
    let shared = db::sequences::list_common(tx, api.tenant).await?;
    let mut own: Vec<StoredSequence> = Vec::new();
    for sequence in sequences {
        let named = |policy: &model::MediationPolicyRef| policy.flow == sequence.flow.name() && policy.name == sequence.name;
        let file = format!("{}.xml", sequence.name);
        let common =
            shared.iter().find(|one| one.place == SequencePlace::Shared(sequence.flow) && (one.name == sequence.name || one.file == file));
        let id = match common.filter(|_| !sequence.own) {
            Some(common) => common.id.clone(),
            // What no API can name has nothing to do here.
            None if !sequence.own && !api.mediation_policies.iter().any(named) => continue,
            None => {
                let place = SequencePlace::Api(api.id, sequence.flow);
                if own.iter().any(|other| other.place == place && other.file == file) {
                    continue;
                }
                let id = ApiId::random().to_string();
                let content = Secret::new(sequence.content);
                let name = sequence.name.clone();
                own.push(StoredSequence { id: id.clone(), tenant: api.tenant, place, name, file, content, additions: None });
                id
            }
        };
        for policy in api.mediation_policies.iter_mut().filter(|policy| named(policy)) {
            policy.shared = common.is_some_and(|common| common.id == id);
            policy.id = Some(id.clone());
        }
    }
    Ok(own)
}

async fn put_sequences(tx: &mut Tx, api: &Api, own: Vec<StoredSequence>) -> Result<(), Refusal> {
    for old in db::sequences::list_of_api(tx, api.id).await? {
        db::sequences::delete(tx, &old.id).await?;
    }
    Ok(db::sequences::insert_many(tx, &own).await?)
}

async fn put_documents(tx: &mut Tx, caller: &Caller, api: &Api, all: Vec<ProjectDocument>, now: Timestamp) -> Result<(), Refusal> {
    for old in db::documents::list(tx, api.id).await? {
        db::documents::delete(tx, old.id).await?;
    }
    for ProjectDocument { document, content } in all {
        let mut made: Document = documents::read(&document, documents::fresh(api, caller, now))?;
        if !db::documents::find_by_name(tx, api.id, &made.name).await?.is_empty() {
            return Err(entry::DOCUMENT_EXISTS.with(format!("The project has two documents '{}'.", made.name)));
        }
        let file_name = document.file_name.clone().filter(|name| !name.is_empty());
        if made.source == DocumentSource::File && content.is_some() {
            made.file_name = Some(file_name.unwrap_or_else(|| made.name.clone()));
        }
        db::documents::insert(tx, &made).await?;
        if let Some(bytes) = content.filter(|_| made.source != DocumentSource::Url) {
            let (name, media_type) = match &made.file_name {
                Some(name) => (name.as_str(), media_type(name)),
                None => (made.name.as_str(), "text/plain"),
            };
            db::files::put(tx, api.id, &Place::Document(made.id), name, media_type, &bytes).await?;
        }
    }
    Ok(())
}

/// By the name alone, which is all an archive says. Nothing is shown in place by it: files of documents are handed out as attachments.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("pdf") => "application/pdf",
        Some("txt" | "md") => "text/plain",
        Some("json") => "application/json",
        Some("xml" | "wsdl" | "xsd") => "text/xml",
        Some("zip") => "application/zip",
        Some("doc") => "application/msword",
        Some("xls") => "application/vnd.ms-excel",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        _ => "application/octet-stream",
    }
}

async fn deploy(
    room: &Room,
    tx: &mut Tx,
    api: &Api,
    deployments: &[archive::Deployment],
    rotate: bool,
    now: Timestamp,
) -> Result<(), Refusal> {
    if deployments.is_empty() || api.state == LifecycleState::Retired {
        return Ok(());
    }
    room.gateway.can_serve(api.clone()).map_err(|words| Refusal::Bad(format!("The revision cannot be deployed: {words}.")))?;
    let description = Some(REVISION.to_owned());
    let revision = match rotate {
        true => revisions::rotate(tx, api, description, now).await?,
        false => revisions::freeze(tx, api, description, now).await?,
    };
    let target = |one: &archive::Deployment| Target {
        environment: one.deployment_environment.clone(),
        vhost: one.deployment_vhost.clone(),
        display_on_portal: one.display_on_devportal,
    };
    let targets: Vec<Target> = deployments.iter().map(target).collect();
    revisions::place(tx, &revision, &targets, now).await
}
