//! Documents, pictures, WSDLs, comments and stars as developers meet them.

use db::files::Place;
use model::{Api, Document, DocumentId, DocumentKind, DocumentSource, DocumentVisibility, LifecycleState, Visibility};
use serde_json::json;

use crate::setting::{NOW, Setting};

async fn document(setting: &Setting, api: &Api, name: &str, source: DocumentSource, change: impl FnOnce(&mut Document)) -> Document {
    let mut document = Document {
        id: DocumentId::random(),
        api: api.id,
        name: name.to_owned(),
        kind: DocumentKind::HowTo,
        other_kind: None,
        summary: None,
        source,
        source_url: None,
        file_name: None,
        visibility: DocumentVisibility::ApiLevel,
        author: "admin".to_owned(),
        created_at: NOW,
        updated_at: NOW,
    };
    change(&mut document);
    let mut tx = setting.db.write().await.unwrap();
    db::documents::insert(&mut tx, &document).await.unwrap();
    tx.commit().await.unwrap();
    document
}

async fn file(setting: &Setting, api: &Api, place: Place, name: &str, media_type: &str, bytes: &[u8]) {
    let mut tx = setting.db.write().await.unwrap();
    db::files::put(&mut tx, api.id, &place, name, media_type, bytes).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn documents_are_read_by_whom_they_are_for() {
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |_| {}).await;
    let inline = document(&setting, &api, "a", DocumentSource::Inline, |_| {}).await;
    file(&setting, &api, Place::Document(inline.id), "a", "text/plain", b"<p>Caf\xe9</p>").await;
    document(&setting, &api, "b", DocumentSource::Inline, |d| d.visibility = DocumentVisibility::Private).await;
    let own = document(&setting, &api, "c", DocumentSource::Inline, |d| {
        d.visibility = DocumentVisibility::OwnerOnly;
        d.author = "dev".to_owned();
    })
    .await;
    let lost = document(&setting, &api, "d", DocumentSource::File, |_| {}).await;
    let at = |tail: &str| format!("/apis/{}/documents{tail}", api.id);
    for (token, count) in [("", 2), ("other", 3), ("dev", 4)] {
        assert_eq!(setting.get(token, &at("")).await.body["count"], count, "{token}");
    }
    // At the super tenant's portal a developer of another tenant is a stranger.
    assert_eq!(setting.ask_as("acme", Some("carbon.super"), "GET", &at(""), None).await.body["count"], 2);
    assert_eq!(setting.get("other", &at(&format!("/{}", own.id))).await.status, 404);
    assert_eq!(setting.get("other", &at(&format!("/{}/content", own.id))).await.status, 404);
    assert_eq!(setting.get("dev", &at(&format!("/{}", own.id))).await.body["visibility"], json!(null));
    // Old editors' text comes as it reads, and never as a page.
    let shown = setting.get("", &at(&format!("/{}/content", inline.id))).await;
    assert_eq!((shown.status, shown.body), (200, json!("<p>Café</p>")));
    assert_eq!(setting.get("", &at(&format!("/{}/content", lost.id))).await.status, 404);
    // Another API's document is not this one's.
    let other = setting.api("Pasta", |_| {}).await;
    assert_eq!(setting.get("", &format!("/apis/{}/documents/{}", other.id, inline.id)).await.status, 404);
    // Who may not see the API does not see what it has.
    let hidden = setting
        .api("Hidden", |api| {
            api.visibility = Visibility::Restricted;
            api.visible_roles = vec!["nobody-has-it".to_owned()];
        })
        .await;
    for tail in ["documents", "thumbnail", "wsdl", "comments", "ratings"] {
        assert_eq!(setting.get("dev", &format!("/apis/{}/{tail}", hidden.id)).await.status, 404, "{tail}");
    }
}

#[tokio::test]
async fn an_address_leads_on_and_files_come_as_they_are() {
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |_| {}).await;
    let url =
        document(&setting, &api, "a", DocumentSource::Url, |d| d.source_url = Some("https://docs.example/a?b=1&c=2".to_owned())).await;
    let led = setting.get("", &format!("/apis/{}/documents/{}/content", api.id, url.id)).await;
    assert_eq!((led.status, led.location.as_deref()), (303, Some("https://docs.example/a?b=1&c=2")));
    assert_eq!(setting.get("", &format!("/apis/{}/thumbnail", api.id)).await.status, 204);
    assert_eq!(setting.get("", &format!("/apis/{}/wsdl", api.id)).await.status, 404);
    file(&setting, &api, Place::Thumbnail, "icon", "image/svg+xml", b"<svg/>").await;
    file(&setting, &api, Place::Wsdl, "a.wsdl", "application/wsdl+xml", b"<definitions/>").await;
    assert_eq!(setting.get("", &format!("/apis/{}/thumbnail", api.id)).await.body, json!("<svg/>"));
    assert_eq!(setting.get("", &format!("/apis/{}/wsdl", api.id)).await.body, json!("<definitions/>"));
    assert_eq!(setting.get("", &format!("/apis/{}", api.id)).await.body["hasThumbnail"], true);
    let listed = setting.get("", "/apis").await.body["list"][0].clone();
    assert_eq!(listed["thumbnailUri"], format!("/apis/{}/thumbnail", api.id));
}

#[tokio::test]
async fn comments_belong_to_who_wrote_them() {
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |_| {}).await;
    let at = format!("/apis/{}/comments", api.id);
    let said = setting.post("dev", &at, json!({"content": " Works well. "})).await;
    assert_eq!((said.status, &said.body["content"], &said.body["createdBy"]), (201, &json!("Works well."), &json!("dev")));
    assert_eq!((&said.body["category"], &said.body["entryPoint"]), (&json!("general"), &json!("devPortal")));
    let id = said.body["id"].as_str().unwrap().to_owned();
    assert!(said.location.unwrap().ends_with(&id));
    let answer = setting.post("other", &format!("{at}?replyTo={id}"), json!({"content": "Here too", "category": "general"})).await;
    assert_eq!(answer.body["parentCommentId"], id);
    let answer = answer.body["id"].as_str().unwrap().to_owned();
    let list = setting.get("", &at).await.body;
    assert_eq!((&list["count"], &list["list"][0]["replies"]["list"][0]["content"]), (&json!(1), &json!("Here too")));
    let one = |id: &str| format!("{at}/{id}");
    assert_eq!(setting.ask("other", "PATCH", &one(&id), Some(json!({"content": "x"}))).await.status, 403);
    let changed = setting.ask("dev", "PATCH", &one(&id), Some(json!({"content": "Works."}))).await;
    assert_eq!((changed.status, &changed.body["content"]), (200, &json!("Works.")));
    assert!(changed.body["updatedTime"].is_string());
    assert_eq!(setting.delete("other", &one(&id)).await.status, 403);
    assert_eq!(setting.delete("dev", &one(&id)).await.body["message"], "The comment has been deleted");
    assert_eq!(setting.get("", &one(&answer)).await.status, 404);
    let long = setting.post("dev", &at, json!({"content": "x".repeat(513)})).await;
    assert_eq!((long.status, &long.body["code"]), (400, &json!(901_103)));
    assert_eq!(setting.post("dev", &at, json!({"content": "  "})).await.status, 400);
    assert_eq!(setting.post("dev", &format!("{at}?replyTo=none"), json!({"content": "x"})).await.status, 404);
    let gone = setting.api("Gone", |api| api.state = LifecycleState::Retired).await;
    assert_eq!(setting.post("dev", &format!("/apis/{}/comments", gone.id), json!({"content": "x"})).await.status, 404);
}

#[tokio::test]
async fn everybody_rates_once() {
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |_| {}).await;
    let own = format!("/apis/{}/user-rating", api.id);
    assert_eq!(setting.get("dev", &own).await.body["rating"], 0);
    for (token, stars) in [("dev", 2), ("other", 4), ("dev", 5)] {
        assert_eq!(setting.put(token, &own, json!({"rating": stars})).await.body["rating"], stars);
    }
    for wrong in [0, 6, -1] {
        let refused = setting.put("dev", &own, json!({"rating": wrong})).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(900_325)));
    }
    let all = setting.get("dev", &format!("/apis/{}/ratings", api.id)).await.body;
    assert_eq!((&all["avgRating"], &all["userRating"], &all["count"]), (&json!("4.5"), &json!(5), &json!(2)));
    assert_eq!(setting.get("", &format!("/apis/{}/ratings", api.id)).await.body["userRating"], 0);
    assert_eq!(setting.get("", "/apis").await.body["list"][0]["avgRating"], "4.5");
    assert_eq!(setting.get("", &format!("/apis/{}", api.id)).await.body["avgRating"], "4.5");
    assert_eq!(setting.delete("other", &own).await.status, 200);
    assert_eq!(setting.get("", &format!("/apis/{}/ratings", api.id)).await.body["avgRating"], "5.0");
}
