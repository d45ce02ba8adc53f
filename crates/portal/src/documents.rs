//! What an API has beside its record, to be read: documents, picture, WSDL.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use db::Tx;
use db::files::Place;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use model::{Api, Document, DocumentId, DocumentSource, document_text};
use rest::{Access, Door, Named, Paging, Refusal, Shown};
use serde_json::{Value, json};

use crate::visitor::Visitor;
use crate::{Room, browse};

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/apis/{apiId}/documents", Access::Anybody, list)
        .on(Method::GET, "/apis/{apiId}/documents/{documentId}", Access::Anybody, get)
        .on(Method::GET, "/apis/{apiId}/documents/{documentId}/content", Access::Anybody, content)
        .on(Method::GET, "/apis/{apiId}/thumbnail", Access::Anybody, thumbnail)
        .on(Method::GET, "/apis/{apiId}/wsdl", Access::Anybody, wsdl)
}

fn is_shown(document: &Document, api: &Api, visitor: &Visitor) -> bool {
    let name = visitor.caller.as_ref().map(rest::Caller::name);
    let caller = visitor.caller.as_ref();
    let is_owner = caller.is_some_and(rest::Caller::is_admin) || name.as_deref() == Some(api.provider.as_str());
    document.is_shown_to(name.as_deref(), caller.is_some_and(|c| c.tenant == api.tenant), is_owner)
}

async fn list(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let mut all = db::documents::list(&mut tx, api.id).await?;
    all.retain(|document| is_shown(document, &api, &visitor));
    let total = all.len() as u64;
    let items: Vec<Value> = browse::page(all.iter(), paging).map(show).collect();
    Ok(Json(rest::list(&items, total, paging, &format!("/apis/{}/documents", api.id), &[])))
}

async fn get(State(room): State<Room>, visitor: Visitor, Named((api, id)): Named<(String, String)>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &api).await?;
    Ok(Json(show(&find(&mut tx, &api, &visitor, &id).await?)))
}

async fn content(
    State(room): State<Room>,
    visitor: Visitor,
    Named((api, id)): Named<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &api).await?;
    let document = find(&mut tx, &api, &visitor, &id).await?;
    if document.source == DocumentSource::Url {
        let to = document.source_url.as_deref().and_then(|url| HeaderValue::from_str(url.trim()).ok());
        let to = to.ok_or_else(|| Refusal::not_found("Document content", id))?;
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response());
    }
    let file = db::files::read(&mut tx, api.id, &Place::Document(document.id)).await?;
    let (head, bytes) = file.ok_or_else(|| Refusal::not_found("Document content", id))?;
    Ok(match document.source {
        DocumentSource::File => {
            let name = document.file_name.as_deref().unwrap_or(&head.name);
            rest::ok_file(&asked, &head.media_type, Shown::Attachment(name), &head.sha256, bytes)
        }
        // As text, which the portal puts into its page itself.
        _ => rest::ok_file(&asked, "text/plain; charset=utf-8", Shown::InPlace, &head.sha256, document_text(&bytes).into_bytes()),
    })
}

async fn find(tx: &mut Tx, api: &Api, visitor: &Visitor, id: &str) -> Result<Document, Refusal> {
    let known = match id.parse::<DocumentId>() {
        Ok(id) => db::documents::find(tx, id).await?,
        Err(_) => None,
    };
    let shown = known.filter(|document| document.api == api.id && is_shown(document, api, visitor));
    shown.ok_or_else(|| Refusal::not_found("Document", id))
}

/// `Document`.
fn show(document: &Document) -> Value {
    json!({
        "documentId": document.id.to_string(),
        "name": document.name,
        "type": document.kind.name(),
        "summary": document.summary,
        "sourceType": document.source.name(),
        "sourceUrl": document.source_url,
        "otherTypeName": document.other_kind,
    })
}

/// 204 when there is none, as in 4.0.0.
async fn thumbnail(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>, asked: HeaderMap) -> Result<Response, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    Ok(match db::files::read(&mut tx, api.id, &Place::Thumbnail).await? {
        Some((head, bytes)) => rest::ok_file(&asked, &head.media_type, Shown::InPlace, &head.sha256, bytes),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// The stored WSDL or archive. An address elsewhere is shown with the API and not fetched for anybody.
async fn wsdl(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>, asked: HeaderMap) -> Result<Response, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let file = db::files::read(&mut tx, api.id, &Place::Wsdl).await?;
    let (head, bytes) = file.ok_or_else(|| Refusal::not_found("WSDL", id))?;
    Ok(rest::ok_file(&asked, &head.media_type, Shown::Attachment(&head.name), &head.sha256, bytes))
}
