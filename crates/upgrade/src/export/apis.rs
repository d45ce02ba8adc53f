//! An archive for each version of an API.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use archive::shape::{Api, Document as ShownDocument, Shown, without_secrets};
use archive::{ApiProject, Attachment, Deployment, ProjectDocument, ProjectSequence};
use db::files::{FILE_MAX_BYTES, Place};
use model::{ApiId, Document, Flow, SequencePlace, StoredSequence};

use super::{ASIDE, Desk, ExportError};
use crate::files::Stream;
use crate::old::registry::Registry;
use crate::translate::{Carried, CarriedApi};

/// Files laid aside, by their API.
pub(super) type Files = HashMap<ApiId, Vec<Aside>>;

/// A file laid aside.
pub(super) struct Aside {
    place: Place,
    name: String,
    media_type: String,
    path: PathBuf,
}

/// Environment that what ran on the old gateway is to run in.
const ENVIRONMENT: &str = "Default";

/// Extensions that 4.0.0 gives to pictures; it leaves others out.
const PICTURES: [(&str, &str); 5] =
    [("image/png", "png"), ("image/jpeg", "jpeg"), ("image/jpg", "jpg"), ("image/bmp", "bmp"), ("image/gif", "gif")];

/// Writes the bytes of all files into the folder, one by one, as the registry gives them.
pub(super) async fn lay_aside(desk: &mut Desk<'_>, registry: &Registry) -> Result<Files, ExportError> {
    let mut stream = Stream::open(registry, &desk.translation.files);
    let mut files = Files::new();
    let mut count = 0u64;
    while let Some(come) = stream.next().await? {
        let wanted = come.wanted;
        if matches!(wanted.place, Place::Original(_)) {
            desk.left.name("originals of mended definitions", &wanted.path);
        } else if come.bytes.len() > FILE_MAX_BYTES {
            desk.left.name("files that are too large", &wanted.path);
        } else {
            let path = desk.wanted.to.join(ASIDE).join(count.to_string());
            count += 1;
            desk.put(&path, &come.bytes)?;
            let media_type = come.media_type().to_owned();
            files.entry(wanted.api).or_default().push(Aside { place: wanted.place.clone(), name: wanted.name.clone(), media_type, path });
        }
    }
    for (left, too_large) in stream.left() {
        let why = if too_large { "files that are too large" } else { "files whose bytes are gone from the old registry" };
        desk.left.name(why, &left.path);
    }
    Ok(files)
}

/// Writes the archives.
pub(super) fn write(desk: &mut Desk<'_>, files: &Files) -> Result<(), ExportError> {
    let translation = desk.translation;
    let mut documents: HashMap<ApiId, Vec<&Document>> = HashMap::new();
    for document in &translation.documents {
        documents.entry(document.value.api).or_default().push(&document.value);
    }
    let sequences: HashMap<&str, &StoredSequence> = translation.sequences.iter().map(|s| (s.value.id.as_str(), &s.value)).collect();
    let mut own: HashMap<ApiId, Vec<(Flow, &StoredSequence)>> = HashMap::new();
    for sequence in sequences.values() {
        if let SequencePlace::Api(api, flow) = sequence.place {
            own.entry(api).or_default().push((flow, sequence));
        }
    }
    for carried in &translation.apis {
        let api = &carried.value.api;
        let mut project = project(desk, carried);
        let none = Vec::new();
        let at_hand = files.get(&api.id).unwrap_or(&none);
        attach(desk, &mut project, at_hand, documents.get(&api.id).map_or(&[], Vec::as_slice))?;
        project.sequences = with_sequences(carried, &sequences, own.get(&api.id).map_or(&[], Vec::as_slice));
        let path = desk.place(api.tenant, "apis", &format!("{}_{}", api.name, api.version));
        desk.archive(&path, &project.folder(desk.wanted.format), &project.root())?;
        desk.exported.insert(api.id);
        desk.done.apis += 1;
        for file in at_hand {
            fs::remove_file(&file.path).map_err(|fault| ExportError::Write(file.path.clone(), fault))?;
        }
    }
    Ok(())
}

fn project(desk: &mut Desk<'_>, carried: &Carried<CarriedApi>) -> ApiProject {
    let CarriedApi { api, definition, deployed, .. } = &carried.value;
    let mut shown = Api::show(api, Shown::WorkingCopy);
    if desk.wanted.with_secrets {
        shown.endpoint_config = Some(api.endpoints.0.clone()).filter(|config| !config.is_null());
    } else if without_secrets(&api.endpoints.0) != api.endpoints.0 {
        desk.done.secrets_left_out += 1;
        desk.left.name("passwords of backends (say --with-secrets, or enter them after importing)", &named(api));
    }
    let running = Deployment { display_on_devportal: true, deployment_environment: ENVIRONMENT.to_owned(), deployment_vhost: None };
    ApiProject {
        api: shown,
        definition: Some(definition.open()),
        deployments: if *deployed { vec![running] } else { Vec::new() },
        ..ApiProject::default()
    }
}

pub(super) fn named(api: &model::Api) -> String {
    format!("{} {} of {}", api.name, api.version, api.provider)
}

/// Picture, WSDL and documents.
fn attach(desk: &mut Desk<'_>, project: &mut ApiProject, files: &[Aside], documents: &[&Document]) -> Result<(), ExportError> {
    let read = |file: &Aside| fs::read(&file.path).map_err(|fault| ExportError::Write(file.path.clone(), fault));
    for file in files {
        match &file.place {
            Place::Thumbnail => match PICTURES.iter().find(|(media_type, _)| *media_type == file.media_type) {
                Some((_, extension)) => project.icon = Some(Attachment { extension: (*extension).to_owned(), bytes: read(file)? }),
                None => desk.left.name("pictures of a kind that archives do not hold", &format!("{} ({})", file.name, file.media_type)),
            },
            Place::Wsdl => {
                let bytes = read(file)?;
                let extension = if bytes.starts_with(b"PK") { "zip" } else { "wsdl" };
                project.wsdl = Some(Attachment { extension: extension.to_owned(), bytes });
            }
            Place::Document(_) | Place::Original(_) => {}
        }
    }
    for document in documents {
        let file = files.iter().find(|file| file.place == Place::Document(document.id));
        let content = file.map(read).transpose()?;
        let mut shown = ShownDocument::from(*document);
        // Old versions let it be empty; 4.0.0 refuses the whole archive then.
        if shown.kind.as_deref() == Some("OTHER") && shown.other_type_name.as_deref().is_none_or(|name| name.trim().is_empty()) {
            shown.other_type_name = Some("Other".to_owned());
        }
        project.documents.push(ProjectDocument { document: shown, content });
    }
    Ok(())
}

/// The API's own sequences, and those of the tenant that it names.
fn with_sequences(
    carried: &Carried<CarriedApi>,
    all: &HashMap<&str, &StoredSequence>,
    own: &[(Flow, &StoredSequence)],
) -> Vec<ProjectSequence> {
    let made = |flow, own, sequence: &StoredSequence, name: &str| ProjectSequence {
        flow,
        own,
        name: name.to_owned(),
        content: sequence.content.expose().clone(),
    };
    let policies = &carried.value.api.mediation_policies;
    let mut found: Vec<ProjectSequence> = Vec::new();
    for policy in policies {
        let sequence = policy.id.as_deref().and_then(|id| all.get(id));
        if let (Some(flow), Some(sequence)) = (Flow::parse(&policy.flow), sequence) {
            found.push(made(flow, matches!(sequence.place, SequencePlace::Api(..)), sequence, &policy.name));
        }
    }
    for (flow, sequence) in own {
        if !policies.iter().any(|policy| policy.id.as_deref() == Some(sequence.id.as_str())) {
            found.push(made(*flow, true, sequence, &sequence.name));
        }
    }
    found
}
