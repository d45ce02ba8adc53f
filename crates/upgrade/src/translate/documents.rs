//! Documents of APIs: what they are and where their content is. The content itself goes with the other files ([`super::files`]).

use std::collections::{HashMap, HashSet};

use model::{ApiId, Document, DocumentId, DocumentKind, DocumentSource, DocumentVisibility, Timestamp};

use super::{About, Carried, CarriedApi, Desk, said};
use crate::old::apis::{OldApi, OldDocument};

/// By [`api_key`] the API each old one became.
pub(super) fn carried_ids(apis: &[Carried<CarriedApi>]) -> HashMap<&str, ApiId> {
    apis.iter().map(|a| (a.key.as_str(), a.value.api.id)).collect()
}

/// The key an old API is carried under.
pub(super) fn api_key(old: &OldApi) -> String {
    match (&old.row, &old.artifact) {
        (Some(row), _) => row.id.to_string(),
        (None, Some(artifact)) => artifact.path.clone(),
        (None, None) => String::new(),
    }
}

/// The documents, each under its tenant and registry path.
pub(super) fn translate(desk: &mut Desk<'_>, apis: &[Carried<CarriedApi>]) -> Vec<Carried<Document>> {
    let ids = carried_ids(apis);
    let mut taken: HashSet<DocumentId> = HashSet::new();
    let mut done = Vec::new();
    for old in &desk.old.apis {
        let Some(api) = ids.get(api_key(old).as_str()) else {
            if !old.documents.is_empty() {
                let words = format!("{} document(s) of {}", old.documents.len(), old.identity().1);
                desk.warn(About::Document, "Left out, since its API could not be carried.", api_key(old), words);
            }
            continue;
        };
        for document in &old.documents {
            let mut document = one(desk, old, document, *api);
            let key = key(old.tenant_id, document.1);
            if !taken.insert(document.0.id) {
                document.0.id = DocumentId::derived(&[desk.input.source, &key]);
                taken.insert(document.0.id);
                let words = format!("{} has the same identifier as another document", document.0.name);
                desk.note(About::Document, "It gets an identifier of its own; links to it change.", document.1, words);
            }
            done.push(Carried { key, value: document.0 });
        }
    }
    done
}

/// The key of a document.
pub(super) fn key(tenant: i64, path: &str) -> String {
    format!("{tenant} {path}")
}

fn one<'o>(desk: &mut Desk<'_>, api: &OldApi, old: &'o OldDocument, id: ApiId) -> (Document, &'o str) {
    let path = old.path.as_str();
    let get = |field: &str| said(old.get(&format!("overview_{field}")));
    let name = get("name").unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default()).to_owned();
    let (kind, other_kind) = kind(get("type"), get("otherTypeName"));
    let mut visibility = visibility(desk, get("visibility"), &name, path);
    if let Some(fault) = &old.fault {
        // Nothing says whom it was for.
        visibility = DocumentVisibility::OwnerOnly;
        desk.warn(
            About::Document,
            "Carried by its name and content alone, and shown in the publisher only, until somebody has completed it.",
            path,
            format!("document {name} does not read: {fault}"),
        );
    }
    let source = source(desk, old, get("sourceType"), &name);
    let file_name = match (&old.file, get("filePath")) {
        _ if source != DocumentSource::File => None,
        (Some(file), _) => file.path.rsplit('/').next().map(str::to_owned),
        (None, path) => path.and_then(|p| p.rsplit('/').next()).map(str::to_owned),
    };
    let missing = match source {
        DocumentSource::Inline | DocumentSource::Markdown => old.inline.is_none(),
        DocumentSource::File => old.file.is_none(),
        DocumentSource::Url => get("sourceURL").is_none(),
    };
    if missing {
        let words = format!("document {name} of {} has no content in the old installation", api.identity().1);
        desk.warn(About::Document, "Its name, summary and visibility are carried; upload its content anew.", path, words);
    }
    let made = desk.at("REG_RESOURCE", "REG_CREATED_TIME", old.created).unwrap_or(Timestamp(0));
    let document = Document {
        id: old
            .uuid
            .as_deref()
            .and_then(|u| u.parse().ok())
            .unwrap_or_else(|| DocumentId::derived(&[desk.input.source, &key(api.tenant_id, path)])),
        api: id,
        name,
        kind,
        other_kind,
        summary: get("summary").map(str::to_owned),
        source,
        source_url: get("sourceURL").map(str::to_owned),
        file_name,
        visibility,
        author: author(desk, api, old.creator.as_deref()),
        created_at: made,
        updated_at: desk.at("REG_RESOURCE", "REG_LAST_UPDATED_TIME", old.updated).unwrap_or(made),
    };
    (document, path)
}

/// The words of all versions, whatever their letter case and what stands between their letters.
fn kind(word: Option<&str>, other: Option<&str>) -> (DocumentKind, Option<String>) {
    let word = word.unwrap_or_default();
    let letters: String = word.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    let known = match letters.as_str() {
        "howto" => DocumentKind::HowTo,
        "samples" | "samplessdk" | "samplesandsdk" | "samplesampsdk" => DocumentKind::Samples,
        "publicforum" => DocumentKind::PublicForum,
        "supportforum" => DocumentKind::SupportForum,
        "apimessageformat" => DocumentKind::ApiMessageFormat,
        "other" | "" => return (DocumentKind::Other, other.map(str::to_owned)),
        // 1.8's "Swagger API Definition" among them: 4.0.0 has no such word for what people write.
        _ => return (DocumentKind::Other, Some(other.unwrap_or(word).to_owned())),
    };
    (known, other.map(str::to_owned))
}

fn visibility(desk: &mut Desk<'_>, word: Option<&str>, name: &str, path: &str) -> DocumentVisibility {
    match word {
        None => DocumentVisibility::ApiLevel,
        Some(word) => DocumentVisibility::parse(word).unwrap_or_else(|| {
            let words = format!("document {name} has the unknown visibility {word}");
            desk.warn(About::Document, "It is shown in the publisher only.", path, words);
            DocumentVisibility::OwnerOnly
        }),
    }
}

fn source(desk: &mut Desk<'_>, old: &OldDocument, word: Option<&str>, name: &str) -> DocumentSource {
    if let Some(known) = word.and_then(DocumentSource::parse) {
        return known;
    }
    let found = match (&old.file, &old.inline) {
        (Some(_), None) => DocumentSource::File,
        (None, None) if said(old.get("overview_sourceURL")).is_some() => DocumentSource::Url,
        _ => DocumentSource::Inline,
    };
    if old.fault.is_none() {
        let words = format!("document {name} says {} of where its content is", word.unwrap_or("nothing"));
        desk.note(About::Document, "What there is of it tells.", old.path.clone(), words);
    }
    found
}

/// Who made it. The registry cut names after 31 characters; the API's provider is then the one it cut.
fn author(desk: &Desk<'_>, api: &OldApi, creator: Option<&str>) -> String {
    let provider = api.identity().0;
    let creator = match said(creator) {
        Some(creator) if creator.chars().count() < 31 || !provider.starts_with(creator) => creator,
        _ => &provider,
    };
    desk.names.user(creator, Some(api.tenant_id)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_every_version_has_a_home() {
        for (word, expected) in [
            ("How To", DocumentKind::HowTo),
            ("HOWTO", DocumentKind::HowTo),
            ("Samples", DocumentKind::Samples),
            ("Samples & SDK", DocumentKind::Samples),
            ("Public Forum", DocumentKind::PublicForum),
            ("SUPPORT_FORUM", DocumentKind::SupportForum),
            ("API Message Format", DocumentKind::ApiMessageFormat),
        ] {
            assert_eq!(kind(Some(word), None), (expected, None), "{word}");
        }
        let swagger = "Swagger API Definition";
        assert_eq!(kind(Some(swagger), None), (DocumentKind::Other, Some(swagger.to_owned())));
        assert_eq!(kind(Some("Other"), Some("Release notes")), (DocumentKind::Other, Some("Release notes".to_owned())));
        assert_eq!(kind(Some("Rate card"), None), (DocumentKind::Other, Some("Rate card".to_owned())));
        assert_eq!(kind(None, None), (DocumentKind::Other, None));
    }
}
