//! Comments and stars of developers.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use db::Tx;
use http::Method;
use model::{Api, COMMENT_MAX_CHARS, Comment, CommentId, Rating, RatingId, Timestamp, shown_average};
use rest::{Access, Asked, Body, Caller, Door, Named, Paging, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::visitor::Visitor;
use crate::{BASE, Room, SUBSCRIBE, entry};

/// Answers shown with a comment unless the client asks for more or fewer.
const REPLIES: u32 = 25;

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    let moderated = Access::Scopes(&["apim:admin", "apim:subscribe"]);
    door.on(Method::GET, "/apis/{apiId}/comments", Access::Anybody, comments)
        .on(Method::POST, "/apis/{apiId}/comments", SUBSCRIBE, say)
        .on(Method::GET, "/apis/{apiId}/comments/{commentId}", Access::Anybody, comment)
        .on(Method::PATCH, "/apis/{apiId}/comments/{commentId}", SUBSCRIBE, rephrase)
        .on(Method::DELETE, "/apis/{apiId}/comments/{commentId}", moderated, unsay)
        .on(Method::GET, "/apis/{apiId}/ratings", Access::Anybody, ratings)
        .on(Method::GET, "/apis/{apiId}/user-rating", SUBSCRIBE, own_rating)
        .on(Method::PUT, "/apis/{apiId}/user-rating", SUBSCRIBE, rate)
        .on(Method::DELETE, "/apis/{apiId}/user-rating", SUBSCRIBE, unrate)
}

async fn comments(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let page = db::comments::list(&mut tx, api.id, paging.limit, paging.offset).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for comment in &page.items {
        items.push(shown(&mut tx, comment, first_replies()).await?);
    }
    Ok(Json(rest::list(&items, page.total, paging, &format!("/apis/{}/comments", api.id), &[])))
}

fn first_replies() -> Paging {
    Paging { limit: REPLIES, offset: 0 }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Replies {
    reply_limit: Option<u32>,
    reply_offset: Option<u32>,
}

async fn comment(
    State(room): State<Room>,
    visitor: Visitor,
    Named((api, id)): Named<(String, String)>,
    Asked(asked): Asked<Replies>,
) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &api).await?;
    let comment = find(&mut tx, &api, &id).await?;
    let replies = Paging { limit: asked.reply_limit.unwrap_or(REPLIES).min(1000), offset: asked.reply_offset.unwrap_or(0) };
    Ok(Json(shown(&mut tx, &comment, replies).await?))
}

async fn find(tx: &mut Tx, api: &Api, id: &str) -> Result<Comment, Refusal> {
    let known = match id.parse::<CommentId>() {
        Ok(id) => db::comments::find(tx, id).await?,
        Err(_) => None,
    };
    known.filter(|comment| comment.api == api.id).ok_or_else(|| entry::COMMENT_UNKNOWN.with(format!("There is no comment '{id}'.")))
}

/// `Comment`, with one page of its answers.
async fn shown(tx: &mut Tx, comment: &Comment, replies: Paging) -> Result<Value, Refusal> {
    let mut value = show(comment);
    let page = db::comments::replies(tx, comment.id, replies.limit, replies.offset).await?;
    let items: Vec<Value> = page.items.iter().map(show).collect();
    if let Value::Object(members) = &mut value {
        let path = format!("/apis/{}/comments/{}/replies", comment.api, comment.id);
        members.insert("replies".to_owned(), rest::list(&items, page.total, replies, &path, &[]));
    }
    Ok(value)
}

fn show(comment: &Comment) -> Value {
    json!({
        "id": comment.id.to_string(),
        "content": comment.text,
        "createdTime": time(comment.created_at),
        "createdBy": comment.author,
        "updatedTime": comment.updated_at.map(time),
        "category": comment.category,
        "parentCommentId": comment.parent.map(|id| id.to_string()),
        "entryPoint": if comment.in_publisher { "publisher" } else { "devPortal" },
        "commenterInfo": null,
        "replies": null,
    })
}

fn time(at: Timestamp) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at.0).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    content: String,
    category: Option<String>,
}

impl Words {
    fn checked(self) -> Result<(String, Option<String>), Refusal> {
        let words = self.content.trim().to_owned();
        if words.is_empty() {
            return Err(Refusal::field("content", "must not be empty"));
        }
        if words.chars().count() > COMMENT_MAX_CHARS {
            return Err(entry::COMMENT_LENGTH.with(format!("A comment has at most {COMMENT_MAX_CHARS} characters.")));
        }
        let category = self.category.map(|c| c.trim().to_owned()).filter(|c| !c.is_empty());
        if category.as_ref().is_some_and(|c| c.chars().count() > 20) {
            return Err(Refusal::field("category", "size must be between 0 and 20"));
        }
        Ok((words, category))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplyTo {
    reply_to: Option<String>,
}

async fn say(
    State(room): State<Room>,
    visitor: Visitor,
    caller: Caller,
    Named(id): Named<String>,
    Asked(asked): Asked<ReplyTo>,
    Body(sent): Body<Words>,
) -> Result<Response, Refusal> {
    let (text, category) = sent.checked()?;
    let mut tx = room.db.write().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let parent = match asked.reply_to.as_deref().filter(|id| !id.is_empty()) {
        // An answer to an answer stands beside it: portals show two levels.
        Some(to) => find(&mut tx, &api, to).await.map(|to| Some(to.parent.unwrap_or(to.id)))?,
        None => None,
    };
    let comment = Comment {
        id: CommentId::random(),
        api: api.id,
        parent,
        text,
        category: category.unwrap_or_else(|| "general".to_owned()),
        in_publisher: false,
        author: caller.name(),
        created_at: room.now(),
        updated_at: None,
    };
    db::comments::insert(&mut tx, &comment).await?;
    let body = shown(&mut tx, &comment, first_replies()).await?;
    tx.commit().await?;
    Ok(rest::created(&format!("{BASE}/apis/{}/comments/{}", api.id, comment.id), &body))
}

async fn rephrase(
    State(room): State<Room>,
    visitor: Visitor,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
    Body(sent): Body<Words>,
) -> Result<Json<Value>, Refusal> {
    let (text, category) = sent.checked()?;
    let mut tx = room.db.write().await?;
    let api = visitor.find(&mut tx, &api).await?;
    let mut comment = find(&mut tx, &api, &id).await?;
    if comment.author != caller.name() {
        return Err(Refusal::Forbidden("Only who wrote a comment may change it.".to_owned()));
    }
    comment.text = text;
    comment.category = category.unwrap_or(comment.category);
    comment.updated_at = Some(room.now());
    db::comments::update(&mut tx, &comment).await?;
    let body = shown(&mut tx, &comment, first_replies()).await?;
    tx.commit().await?;
    Ok(Json(body))
}

async fn unsay(
    State(room): State<Room>,
    visitor: Visitor,
    caller: Caller,
    Named((api, id)): Named<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.write().await?;
    let api = visitor.find(&mut tx, &api).await?;
    let comment = find(&mut tx, &api, &id).await?;
    let may = comment.author == caller.name() || (caller.acts_as_admin() && caller.tenant == api.tenant);
    if !may {
        return Err(entry::COMMENT_ADMIN.with("Only who wrote a comment, or an administrator, may delete it."));
    }
    db::comments::delete(&mut tx, comment.id).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": comment.id.to_string(), "message": "The comment has been deleted" })))
}

async fn ratings(State(room): State<Room>, visitor: Visitor, Named(id): Named<String>, paging: Paging) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let page = db::ratings::list(&mut tx, api.id, paging.limit, paging.offset).await?;
    let (stars, of) = db::ratings::sums(&mut tx, &[api.id]).await?.remove(&api.id).unwrap_or_default();
    let own = match &visitor.caller {
        Some(caller) => db::ratings::find_of(&mut tx, api.id, &caller.name()).await?.map_or(0, |r| r.stars),
        None => 0,
    };
    let items: Vec<Value> = page.items.iter().map(star).collect();
    let mut body = rest::list(&items, page.total, paging, &format!("/apis/{}/ratings", api.id), &[]);
    if let Value::Object(members) = &mut body {
        members.insert("avgRating".to_owned(), json!(shown_average(stars, of)));
        members.insert("userRating".to_owned(), json!(own));
    }
    Ok(Json(body))
}

fn star(rating: &Rating) -> Value {
    json!({ "ratingId": rating.id.to_string(), "apiId": rating.api.to_string(), "ratedBy": rating.user, "rating": rating.stars })
}

/// Zero stars when the caller has not rated, as in 4.0.0.
async fn own_rating(State(room): State<Room>, visitor: Visitor, caller: Caller, Named(id): Named<String>) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let own = db::ratings::find_of(&mut tx, api.id, &caller.name()).await?;
    Ok(Json(
        own.as_ref().map_or_else(|| json!({ "ratingId": null, "apiId": api.id.to_string(), "ratedBy": caller.name(), "rating": 0 }), star),
    ))
}

/// Everything of the document is taken; only the stars are read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stars {
    rating: i64,
    #[serde(rename = "ratingId")]
    _rating_id: Option<String>,
    #[serde(rename = "apiId")]
    _api_id: Option<String>,
    #[serde(rename = "ratedBy")]
    _rated_by: Option<String>,
}

async fn rate(
    State(room): State<Room>,
    visitor: Visitor,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<Stars>,
) -> Result<Json<Value>, Refusal> {
    let stars = u8::try_from(sent.rating).ok().filter(|stars| (1..=5).contains(stars));
    let stars = stars.ok_or_else(|| entry::RATING_INVALID.with("A rating is a whole number from 1 to 5."))?;
    let mut tx = room.db.write().await?;
    let api = visitor.find(&mut tx, &id).await?;
    let new = Rating { id: RatingId::random(), api: api.id, user: caller.name(), stars };
    db::ratings::put(&mut tx, &new).await?;
    let kept = db::ratings::find_of(&mut tx, api.id, &new.user).await?.unwrap_or(new);
    tx.commit().await?;
    Ok(Json(star(&kept)))
}

/// 200 whether or not there was a rating.
async fn unrate(State(room): State<Room>, visitor: Visitor, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let api = visitor.find(&mut tx, &id).await?;
    db::ratings::delete(&mut tx, api.id, &caller.name()).await?;
    Ok(tx.commit().await?)
}
