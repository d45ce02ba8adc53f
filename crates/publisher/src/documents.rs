//! Documents, picture and WSDL of APIs.

use db::Tx;
use db::files::Place;
use model::{Api, Document, DocumentId, DocumentKind, DocumentSource, DocumentVisibility, Timestamp};
use rest::{Caller, FieldFault, Refusal};

use crate::access::{self, Intent};
use crate::{Room, entry, wire};

/// Media types a picture may have, with the first bytes that tell them; SVG is text.
const PICTURES: [(&str, &[u8]); 3] = [("image/png", b"\x89PNG"), ("image/jpeg", b"\xff\xd8\xff"), ("image/gif", b"GIF8")];

/// Whether a caller who reaches the API may see the document.
pub(crate) fn is_shown(document: &Document, api: &Api, caller: &Caller) -> bool {
    let name = caller.name();
    document.is_shown_to(Some(&name), true, caller.is_admin() || name == api.provider)
}

/// The API and those of its documents the caller may see.
pub(crate) async fn list(room: &Room, caller: &Caller, api: &str) -> Result<(Api, Vec<Document>), Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Read).await?;
    let mut all = db::documents::list(&mut tx, api.id).await?;
    all.retain(|document| is_shown(document, &api, caller));
    Ok((api, all))
}

/// One document.
pub(crate) async fn show(room: &Room, caller: &Caller, api: &str, id: &str) -> Result<Document, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Read).await?;
    find(&mut tx, &api, caller, id).await
}

/// A document and its content, when it has any here.
pub(crate) async fn content(
    room: &Room,
    caller: &Caller,
    api: &str,
    id: &str,
) -> Result<(Document, Option<(db::files::FileHead, Vec<u8>)>), Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Read).await?;
    let document = find(&mut tx, &api, caller, id).await?;
    let file = db::files::read(&mut tx, api.id, &Place::Document(document.id)).await?;
    Ok((document, file))
}

async fn find(tx: &mut Tx, api: &Api, caller: &Caller, id: &str) -> Result<Document, Refusal> {
    let known = match id.parse::<DocumentId>() {
        Ok(id) => db::documents::find(tx, id).await?,
        Err(_) => None,
    };
    known.filter(|d| d.api == api.id && is_shown(d, api, caller)).ok_or_else(|| Refusal::not_found("Document", id))
}

/// Makes a document without content.
pub(crate) async fn create(room: &Room, caller: &Caller, api: &str, sent: &wire::Document) -> Result<Document, Refusal> {
    let now = room.now();
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Update).await?;
    let document = read(sent, fresh(&api, caller, now))?;
    if !db::documents::find_by_name(&mut tx, api.id, &document.name).await?.is_empty() {
        return Err(entry::DOCUMENT_EXISTS.with(format!("The API has a document '{}'.", document.name)));
    }
    db::documents::insert(&mut tx, &document).await?;
    tx.commit().await?;
    Ok(document)
}

/// A document that says nothing yet.
pub(crate) fn fresh(api: &Api, caller: &Caller, now: Timestamp) -> Document {
    Document {
        id: DocumentId::random(),
        api: api.id,
        name: String::new(),
        kind: DocumentKind::HowTo,
        other_kind: None,
        summary: None,
        source: DocumentSource::Inline,
        source_url: None,
        file_name: None,
        visibility: DocumentVisibility::ApiLevel,
        author: caller.name(),
        created_at: now,
        updated_at: now,
    }
}

/// Changes a document; its name stays.
pub(crate) async fn update(room: &Room, caller: &Caller, api: &str, id: &str, sent: &wire::Document) -> Result<Document, Refusal> {
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Update).await?;
    let known = find(&mut tx, &api, caller, id).await?;
    let name = known.name.clone();
    let mut document = read(sent, Document { updated_at: room.now(), ..known })?;
    if document.name != name {
        return Err(Refusal::Bad("The name of a document cannot be changed.".to_owned()));
    }
    if document.source != DocumentSource::File {
        document.file_name = None;
    }
    db::documents::update(&mut tx, &document).await?;
    tx.commit().await?;
    Ok(document)
}

/// Removes a document with its content.
pub(crate) async fn delete(room: &Room, caller: &Caller, api: &str, id: &str) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Update).await?;
    let document = find(&mut tx, &api, caller, id).await?;
    db::documents::delete(&mut tx, document.id).await?;
    Ok(tx.commit().await?)
}

/// Whether the API has a document of that name.
pub(crate) async fn exists(room: &Room, caller: &Caller, api: &str, name: &str) -> Result<bool, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Read).await?;
    Ok(!db::documents::find_by_name(&mut tx, api.id, name).await?.is_empty())
}

/// What is uploaded as a document's content.
pub(crate) enum Uploaded<'a> {
    /// Text for an inline or Markdown document.
    Text(&'a str),
    /// A file.
    File {
        /// Its name.
        name: &'a str,
        /// Its media type as the client gave it.
        media_type: &'a str,
        /// Its bytes.
        bytes: &'a [u8],
    },
}

/// Puts content into a document, over what it had.
pub(crate) async fn set_content(room: &Room, caller: &Caller, api: &str, id: &str, sent: Uploaded<'_>) -> Result<Document, Refusal> {
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Update).await?;
    let mut document = find(&mut tx, &api, caller, id).await?;
    let place = Place::Document(document.id);
    match (document.source, sent) {
        (DocumentSource::Inline | DocumentSource::Markdown, Uploaded::Text(text)) => {
            db::files::put(&mut tx, api.id, &place, &document.name, "text/plain", text.as_bytes()).await?;
        }
        (DocumentSource::File, Uploaded::File { name, media_type, bytes }) => {
            db::files::put(&mut tx, api.id, &place, name, media_type, bytes).await?;
            document.file_name = Some(name.to_owned());
        }
        (source, _) => {
            let words =
                format!("The document's source is {}; send a 'file' for FILE and 'inlineContent' for INLINE or MARKDOWN.", source.name());
            return Err(Refusal::Bad(words));
        }
    }
    document.updated_at = room.now();
    db::documents::update(&mut tx, &document).await?;
    tx.commit().await?;
    Ok(document)
}

/// What was sent, over what was there.
pub(crate) fn read(sent: &wire::Document, was: Document) -> Result<Document, Refusal> {
    let mut faults = Vec::new();
    let name = sent.name.as_deref().unwrap_or_default().trim().to_owned();
    if name.is_empty() || name.chars().count() > 60 && name != was.name {
        faults.push(FieldFault::new("name", "size must be between 1 and 60"));
    }
    FieldFault::bounded(&mut faults, "summary", sent.summary.as_deref(), 32_766);
    FieldFault::bounded(&mut faults, "otherTypeName", sent.other_type_name.as_deref(), 255);
    let mut word = |path: &str, text: Option<&str>| {
        if text.is_none() {
            faults.push(FieldFault::new(path, "must not be null"));
        }
        text.unwrap_or_default().to_owned()
    };
    let (kind, source) = (word("type", sent.kind.as_deref()), word("sourceType", sent.source_type.as_deref()));
    let visibility = word("visibility", sent.visibility.as_deref());
    Refusal::of(faults)?;
    let disallowed = || Refusal::Bad("One or more request body parameters contain disallowed values.".to_owned());
    let kind = DocumentKind::parse(&kind).ok_or_else(disallowed)?;
    let source = DocumentSource::parse(&source).ok_or_else(disallowed)?;
    let visibility = DocumentVisibility::parse(&visibility).ok_or_else(disallowed)?;
    let filled = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let other_kind = filled(&sent.other_type_name);
    if kind == DocumentKind::Other && other_kind.is_none() && was.kind != kind {
        return Err(Refusal::Bad("otherTypeName cannot be empty if type is OTHER.".to_owned()));
    }
    let source_url = filled(&sent.source_url);
    let is_web = |url: &str| url.parse::<http::Uri>().is_ok_and(|u| matches!(u.scheme_str(), Some("http" | "https")) && u.host().is_some());
    if source == DocumentSource::Url && !source_url.as_deref().is_some_and(is_web) && source_url != was.source_url {
        return Err(Refusal::Bad("Invalid document sourceUrl Format".to_owned()));
    }
    if source == DocumentSource::Url && source_url.is_none() {
        return Err(Refusal::Bad("Invalid document sourceUrl Format".to_owned()));
    }
    Ok(Document { name, kind, other_kind, summary: filled(&sent.summary), source, source_url, visibility, ..was })
}

/// A file of the API at a fixed place.
pub(crate) async fn file(
    room: &Room,
    caller: &Caller,
    api: &str,
    place: &Place,
) -> Result<Option<(db::files::FileHead, Vec<u8>)>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Read).await?;
    Ok(db::files::read(&mut tx, api.id, place).await?)
}

/// Sets the picture; its media type.
pub(crate) async fn set_thumbnail(room: &Room, caller: &Caller, api: &str, name: &str, bytes: &[u8]) -> Result<&'static str, Refusal> {
    let media_type = picture(bytes).ok_or_else(|| Refusal::Bad("A thumbnail must be a PNG, JPEG, GIF or SVG picture.".to_owned()))?;
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api, Intent::Update).await?;
    db::files::put(&mut tx, api.id, &Place::Thumbnail, name, media_type, bytes).await?;
    tx.commit().await?;
    Ok(media_type)
}

/// The media type of a picture that may be a thumbnail, by its bytes.
pub(crate) fn picture(bytes: &[u8]) -> Option<&'static str> {
    let told = PICTURES.iter().find(|(_, head)| bytes.starts_with(head)).map(|(media_type, _)| *media_type);
    let is_svg = || std::str::from_utf8(bytes).is_ok_and(|text| text.trim_start().starts_with('<') && text.contains("<svg"));
    told.or_else(|| is_svg().then_some("image/svg+xml"))
}
