//! Operations on documents, picture, WSDL and comments of APIs.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use db::files::{FileHead, Place};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::{CommentId, DocumentSource, document_text};
use rest::{Asked, Body, Caller, Named, Paging, Problem, Refusal, Shown, Upload};
use serde::Deserialize;
use serde_json::{Value, json};

use super::location;
use crate::access::{self, Intent};
use crate::documents::{self, Uploaded};
use crate::{Room, entry, wire};

pub(crate) async fn list(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    paging: Paging,
) -> Result<Json<Value>, Problem> {
    let (api, all) = documents::list(&room, &caller, &id).await?;
    let (skip, take) = (usize::try_from(paging.offset).unwrap_or(usize::MAX), usize::try_from(paging.limit).unwrap_or(usize::MAX));
    let items: Vec<wire::Document> = all.iter().skip(skip).take(take).map(wire::Document::from).collect();
    Ok(Json(rest::list(&items, all.len() as u64, paging, &format!("/apis/{}/documents", api.id), &[])))
}

pub(crate) async fn create(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<wire::Document>,
) -> Result<Response, Problem> {
    let made = documents::create(&room, &caller, &id, &sent).await?;
    Ok(rest::created(&location(&format!("apis/{}/documents/{}", made.api, made.id)), wire::Document::from(&made)))
}

#[derive(Deserialize)]
pub(crate) struct Validate {
    name: String,
}

/// 200 when the name is taken, 404 when it is free.
pub(crate) async fn validate(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(asked): Asked<Validate>,
) -> Result<StatusCode, Problem> {
    if documents::exists(&room, &caller, &id, &asked.name).await? {
        Ok(StatusCode::OK)
    } else {
        Err(Problem::not_found("Document", asked.name))
    }
}

pub(crate) async fn show(
    State(room): State<Room>,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
) -> Result<Json<wire::Document>, Problem> {
    Ok(Json(wire::Document::from(&documents::show(&room, &caller, &api, &id).await?)))
}

pub(crate) async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
    Body(sent): Body<wire::Document>,
) -> Result<Json<wire::Document>, Problem> {
    Ok(Json(wire::Document::from(&documents::update(&room, &caller, &api, &id, &sent).await?)))
}

pub(crate) async fn delete(
    State(room): State<Room>,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    documents::delete(&room, &caller, &api, &id).await?;
    Ok(StatusCode::OK)
}

pub(crate) async fn content(
    State(room): State<Room>,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let (document, file) = documents::content(&room, &caller, &api, &id).await?;
    if document.source == DocumentSource::Url {
        let to = document.source_url.as_deref().and_then(|url| HeaderValue::from_str(url.trim()).ok());
        let to = to.ok_or_else(|| Problem::not_found("Document content", id))?;
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response());
    }
    let (head, bytes) = file.ok_or_else(|| Problem::not_found("Document content", id))?;
    Ok(match document.source {
        DocumentSource::File => {
            let name = document.file_name.as_deref().unwrap_or(&head.name);
            rest::ok_file(&asked, &head.media_type, Shown::Attachment(name), &head.sha256, bytes)
        }
        // As text, which the publisher puts into its page itself.
        _ => rest::ok_file(&asked, "text/plain; charset=utf-8", Shown::InPlace, &head.sha256, document_text(&bytes).into_bytes()),
    })
}

pub(crate) async fn set_content(
    State(room): State<Room>,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
    upload: Upload,
) -> Result<Response, Problem> {
    let sent = match (upload.part("file"), upload.part("inlineContent")) {
        (Some(_), Some(_)) => return Err(Problem::bad_request("Only one of 'file' and 'inlineContent' should be specified")),
        (Some(file), None) => Uploaded::File {
            name: file.file_name.as_deref().filter(|n| !n.is_empty()).unwrap_or("file"),
            media_type: file.media_type.as_deref().unwrap_or("application/octet-stream"),
            bytes: &file.content,
        },
        (None, Some(_)) => Uploaded::Text(upload.text("inlineContent")?.unwrap_or_default()),
        (None, None) => return Err(Problem::bad_request("Either 'file' or 'inlineContent' should be specified")),
    };
    let document = documents::set_content(&room, &caller, &api, &id, sent).await?;
    let to = location(&format!("apis/{}/documents/{}/content", document.api, document.id));
    Ok(rest::created(&to, wire::Document::from(&document)))
}

/// 204 when there is none, as in 4.0.0.
pub(crate) async fn thumbnail(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    Ok(match documents::file(&room, &caller, &id, &Place::Thumbnail).await? {
        Some((FileHead { media_type, sha256, .. }, bytes)) => rest::ok_file(&asked, &media_type, Shown::InPlace, &sha256, bytes),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// 201, as 4.0.0 answers, whatever its document says.
pub(crate) async fn set_thumbnail(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    upload: Upload,
) -> Result<Response, Problem> {
    let file = upload.part("file").ok_or_else(|| Problem::bad_request("The upload has no part 'file'."))?;
    let name = file.file_name.as_deref().filter(|n| !n.is_empty()).unwrap_or("icon");
    let media_type = documents::set_thumbnail(&room, &caller, &id, name, &file.content).await?;
    let path = format!("/apis/{id}/thumbnail");
    Ok(rest::created(&location(path.trim_start_matches('/')), json!({ "relativePath": path, "mediaType": media_type })))
}

/// The stored WSDL or archive. An address elsewhere is shown with the API and not fetched for anybody.
pub(crate) async fn wsdl(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let file = documents::file(&room, &caller, &id, &Place::Wsdl).await?;
    let (head, bytes) = file.ok_or_else(|| Problem::not_found("WSDL", id))?;
    Ok(rest::ok_file(&asked, &head.media_type, Shown::Attachment(&head.name), &head.sha256, bytes))
}

/// Answers shown with a comment.
const REPLIES: Paging = Paging { limit: 25, offset: 0 };

pub(crate) async fn comments(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    paging: Paging,
) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, &caller, &id, Intent::Read).await?;
    let page = db::comments::list(&mut tx, api.id, paging.limit, paging.offset).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for comment in &page.items {
        items.push(with_replies(&mut tx, comment).await?);
    }
    Ok(Json(rest::list(&items, page.total, paging, &format!("/apis/{}/comments", api.id), &[])))
}

pub(crate) async fn comment(
    State(room): State<Room>,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, &caller, &api, Intent::Read).await?;
    let known = match id.parse::<CommentId>() {
        Ok(id) => db::comments::find(&mut tx, id).await?,
        Err(_) => None,
    };
    let comment = known.filter(|c| c.api == api.id).ok_or_else(|| entry::COMMENT_UNKNOWN.with(format!("There is no comment '{id}'.")))?;
    Ok(Json(with_replies(&mut tx, &comment).await?))
}

async fn with_replies(tx: &mut db::Tx, comment: &model::Comment) -> Result<Value, Refusal> {
    let page = db::comments::replies(tx, comment.id, REPLIES.limit, REPLIES.offset).await?;
    let items: Vec<Value> = page.items.iter().map(wire::comment).collect();
    let mut value = wire::comment(comment);
    if let Value::Object(members) = &mut value {
        let path = format!("/apis/{}/comments/{}/replies", comment.api, comment.id);
        members.insert("replies".to_owned(), rest::list(&items, page.total, REPLIES, &path, &[]));
    }
    Ok(value)
}
