//! An API, or a revision of it, as an archive. Passwords of backends stay here, as in everything else that is shown.

use archive::shape::{Api as ShownApi, Document as ShownDocument, Shown};
use archive::{ApiProject, Attachment, Deployment, Format, ProjectDocument, ProjectSequence};
use db::Tx;
use db::files::Place;
use model::{Api, Definition, Flow, LifecycleState, SequencePlace};
use rest::{Caller, Refusal};

use crate::access::{self, Intent};
use crate::{Room, definitions, documents, entry};

/// What is to be exported.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The API's id; without one, name and version say which.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its provider, when it matters.
    pub provider: Option<String>,
    /// Which state of it.
    pub picked: Picked,
    /// Say the lifecycle state it is in, and not `CREATED`.
    pub preserve_status: bool,
    /// Form of the files.
    pub format: Format,
}

/// Which state of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Picked {
    /// As it is worked on.
    #[default]
    WorkingCopy,
    /// A revision.
    Revision(u32),
    /// The newest revision, or the working copy where there is none.
    Latest,
}

/// The archive and its file name.
///
/// # Errors
/// 400 without id, name and version; 404, also for a revision that is not there (4.0.0 takes the working copy then); 403.
pub(crate) async fn export(room: &Room, caller: &Caller, asked: &Asked) -> Result<(String, Vec<u8>), Refusal> {
    let mut tx = room.db.read().await?;
    let api = find(&mut tx, caller, asked).await?;
    let revision = match asked.picked {
        Picked::WorkingCopy => None,
        Picked::Revision(number) => {
            let found = db::revisions::list(&mut tx, api.id).await?.into_iter().find(|revision| revision.number == number);
            Some(found.ok_or_else(|| entry::REVISION_UNKNOWN.with(format!("Requested API Revision with id {number} not found")))?)
        }
        Picked::Latest => db::revisions::list(&mut tx, api.id).await?.into_iter().max_by_key(|revision| revision.number),
    };
    let mut project = ApiProject::default();
    let content = match &revision {
        Some(revision) => {
            let running = db::deployments::of_revision(&mut tx, revision.id).await?;
            project.deployments = running.into_iter().map(deployment).collect();
            // Where the API stands is the API's, whatever it was when it was frozen.
            Api { state: api.state, ..revision.content.as_ref().clone() }
        }
        None => api.clone(),
    };
    let stored = match revision {
        Some(revision) => revision.definition,
        None => db::apis::definition(&mut tx, api.id).await?,
    };
    project.definition = stored.or_else(|| definitions::generate(&content, definitions::OpenApi::V3)).map(|text| shown(text, &content));
    project.api = ShownApi::show(&content, Shown::WorkingCopy);
    if !asked.preserve_status {
        project.api.life_cycle_status = Some(LifecycleState::Created.name().to_owned());
    }
    attach(&mut tx, caller, &api, &mut project).await?;
    project.sequences = sequences(&mut tx, &content).await?;
    let name = format!("{}.zip", project.root().replace(' ', "_"));
    Ok((name, project.folder(asked.format).zip(&project.root())?))
}

/// Definitions that an upgrade brought may lack what the API says; an archive's two sides agree.
fn shown(definition: Definition, api: &Api) -> Definition {
    definitions::follow(&definition, api).unwrap_or(definition)
}

async fn find(tx: &mut Tx, caller: &Caller, asked: &Asked) -> Result<Api, Refusal> {
    if let Some(id) = &asked.id {
        return access::reach(tx, caller, id, Intent::Read).await;
    }
    let (Some(name), Some(version)) = (&asked.name, &asked.version) else {
        return Err(Refusal::Bad("Name the API by apiId, or by name and version.".to_owned()));
    };
    let found = db::apis::find_by_name_version(tx, caller.tenant, name, version).await?;
    let named = |api: &Api| asked.provider.as_ref().is_none_or(|provider| *provider == api.provider);
    match found.filter(named) {
        Some(api) => access::reach(tx, caller, &api.id.to_string(), Intent::Read).await,
        None => Err(Refusal::not_found("API", format!("{name} {version}"))),
    }
}

/// Without its host name, so that another installation takes its own.
fn deployment(running: model::Deployment) -> Deployment {
    Deployment { display_on_devportal: running.display_on_portal, deployment_environment: running.environment, deployment_vhost: None }
}

/// Picture, WSDL and documents, as far as the caller may see them.
async fn attach(tx: &mut Tx, caller: &Caller, api: &Api, project: &mut ApiProject) -> Result<(), Refusal> {
    if let Some((head, bytes)) = db::files::read(tx, api.id, &Place::Thumbnail).await? {
        let extension = match head.media_type.as_str() {
            "image/svg+xml" => "svg",
            other => other.strip_prefix("image/").unwrap_or("png"),
        };
        project.icon = Some(Attachment { extension: extension.to_owned(), bytes });
    }
    if let Some((_, bytes)) = db::files::read(tx, api.id, &Place::Wsdl).await? {
        let extension = if bytes.starts_with(b"PK") { "zip" } else { "wsdl" };
        project.wsdl = Some(Attachment { extension: extension.to_owned(), bytes });
    }
    for document in db::documents::list(tx, api.id).await? {
        if documents::is_shown(&document, api, caller) {
            let file = db::files::read(tx, api.id, &Place::Document(document.id)).await?;
            let content = file.map(|(_, bytes)| bytes);
            project.documents.push(ProjectDocument { document: ShownDocument::from(&document), content });
        }
    }
    Ok(())
}

/// The API's own, and those of the tenant that it names.
async fn sequences(tx: &mut Tx, api: &Api) -> Result<Vec<ProjectSequence>, Refusal> {
    let mut own = db::sequences::list_of_api(tx, api.id).await?;
    let mut found = Vec::new();
    for policy in &api.mediation_policies {
        let (Some(flow), Some(id)) = (Flow::parse(&policy.flow), policy.id.as_deref()) else { continue };
        let stored = match own.iter().position(|sequence| sequence.id == id) {
            Some(at) => Some(own.remove(at)),
            None => db::sequences::find(tx, id).await?.filter(|shared| shared.tenant == api.tenant),
        };
        if let Some(stored) = stored {
            let is_own = matches!(stored.place, SequencePlace::Api(..));
            found.push(ProjectSequence { flow, own: is_own, name: policy.name.clone(), content: stored.content.expose().clone() });
        }
    }
    for unused in own {
        if let SequencePlace::Api(_, flow) = unused.place {
            found.push(ProjectSequence { flow, own: true, name: unused.name, content: unused.content.expose().clone() });
        }
    }
    Ok(found)
}
