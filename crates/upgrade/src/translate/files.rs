//! Which files of the registry belong to which API, and what they are to it. Their bytes are not looked at here: there may be gigabytes of
//! them, so they come as a stream ([`crate::files`]).

use std::collections::{BTreeSet, HashMap};

use db::files::Place;
use model::{ApiId, Document};

use super::{About, Carried, CarriedApi, Desk, documents, said};
use crate::old::apis::{OldApi, StoredFile, in_registry};

/// A file to be carried.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedFile {
    /// Its key in the book of origins.
    pub key: String,
    /// Of which API.
    pub api: ApiId,
    /// What it is to it.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Tenant and registry path.
    pub tenant: i64,
    /// See [`Self::tenant`].
    pub path: String,
    /// What the registry says it is.
    pub media_type: Option<String>,
}

/// Files of all APIs. `mended` names definitions (by tenant and path) that are not carried as they were.
pub(super) fn translate(
    desk: &mut Desk<'_>,
    apis: &[Carried<CarriedApi>],
    written: &[Carried<Document>],
    mended: &BTreeSet<(i64, String)>,
) -> Vec<WantedFile> {
    let ids = documents::carried_ids(apis);
    let written: HashMap<&str, &Document> = written.iter().map(|d| (d.key.as_str(), &d.value)).collect();
    let mut done = Vec::new();
    for old in &desk.old.apis {
        let Some(api) = ids.get(documents::api_key(old).as_str()).copied() else { continue };
        for document in &old.documents {
            let key = documents::key(old.tenant_id, &document.path);
            let Some(to) = written.get(key.as_str()) else { continue };
            let content = match to.source {
                model::DocumentSource::File => &document.file,
                model::DocumentSource::Inline | model::DocumentSource::Markdown => &document.inline,
                model::DocumentSource::Url => &None,
            };
            if let Some(file) = content {
                done.push(wanted(api, Place::Document(to.id), file));
            }
        }
        done.extend(old.icon.iter().map(|file| wanted(api, Place::Thumbnail, file)));
        done.extend(old.wsdl.iter().map(|file| wanted(api, Place::Wsdl, file)));
        missing(desk, old);
        let originals = old.swagger_12_files.iter().chain(&old.swagger_file);
        for file in originals.filter(|f| is_swagger_12(f) || mended.contains(&(f.tenant_id, f.path.clone()))) {
            let name = match file.path.split_once("/1.2/") {
                Some((_, part)) if is_swagger_12(file) => format!("swagger-1.2/{part}"),
                _ => "swagger.json".to_owned(),
            };
            done.push(wanted(api, Place::Original(name), file));
        }
    }
    done
}

fn is_swagger_12(file: &StoredFile) -> bool {
    file.path.contains("/applicationdata/api-docs/")
}

fn wanted(api: ApiId, place: Place, file: &StoredFile) -> WantedFile {
    let StoredFile { tenant_id, path, media_type } = file;
    WantedFile {
        key: format!("{place} {tenant_id} {path}"),
        api,
        place,
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        tenant: *tenant_id,
        path: path.clone(),
        media_type: media_type.clone().filter(|m| m.contains('/')),
    }
}

/// Tells of files that the artifact names and the registry does not have.
fn missing(desk: &mut Desk<'_>, old: &OldApi) {
    let Some(artifact) = &old.artifact else { return };
    let name = old.identity().1;
    if let (Some(link), None) = (said(artifact.get("overview_thumbnail")), &old.icon) {
        desk.warn(
            About::Api,
            "It has no picture until one is uploaded.",
            artifact.path.clone(),
            format!("{name} names the thumbnail {link}, which is not there"),
        );
    }
    if let (None, Some(picture)) = (said(artifact.get("overview_thumbnail")), &old.icon) {
        desk.note(
            About::Api,
            "The picture that is there is taken.",
            picture.path.clone(),
            format!("{name} has a picture that its artifact does not name"),
        );
    }
    if let (Some(link), None) = (said(artifact.get("overview_wsdl")).and_then(in_registry), &old.wsdl) {
        desk.warn(
            About::Api,
            "It has no WSDL until one is uploaded.",
            artifact.path.clone(),
            format!("{name} names the WSDL {link}, which is not there"),
        );
    }
}
