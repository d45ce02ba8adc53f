//! Documents and pictures made, read and changed in the publisher.

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

use crate::house::{House, house, multipart_file};

fn sent(name: &str, source: &str) -> serde_json::Value {
    json!({"name": name, "type": "HOWTO", "sourceType": source, "visibility": "API_LEVEL", "summary": "s"})
}

/// Uploads one file with its name and media type.
async fn upload(house: &House, method: Method, path: &str, name: &str, media_type: &str, bytes: &[u8]) -> crate::house::Answer {
    house.send(multipart_file("admin", method, path, name, media_type, bytes)).await
}

#[tokio::test]
async fn a_document_is_made_filled_changed_and_removed() {
    let house = house().await;
    let api = house.pizza("admin", "Pizza", "1.0.0").await;
    let at = format!("/apis/{api}/documents");
    let made = house.post("creator", &at, sent("Guide", "INLINE")).await.expect(201);
    assert_eq!((&made["createdBy"], &made["sourceType"]), (&json!("creator"), &json!("INLINE")));
    let id = made["documentId"].as_str().unwrap();
    house.post("creator", &at, sent("Guide", "FILE")).await.refused(409, 900_312);
    house.call("admin", Method::POST, &format!("{at}/validate?name=Guide"), None).await.expect(200);
    assert_eq!(house.call("admin", Method::POST, &format!("{at}/validate?name=Other"), None).await.status, 404);
    let content = format!("{at}/{id}/content");
    assert_eq!(house.get("admin", &content).await.status, 404);
    house.upload("admin", Method::POST, &content, &[("inlineContent", "<p>Größe</p>")]).await.expect(201);
    let read = house.get("viewer", &content).await;
    assert_eq!((read.status.as_u16(), read.text.as_str()), (200, "<p>Größe</p>"));
    assert_eq!(read.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(upload(&house, Method::POST, &content, "a.pdf", "application/pdf", b"x").await.status, 400);
    let mut body = sent("Guide", "INLINE");
    body["visibility"] = json!("OWNER_ONLY");
    assert_eq!(house.put("creator", &format!("{at}/{id}"), body.clone()).await.expect(200)["visibility"], "OWNER_ONLY");
    // Its author and administrators alone.
    assert_eq!(house.get("viewer", &content).await.status, 404);
    assert_eq!(house.get("admin", &at).await.expect(200)["count"], 1);
    assert_eq!(house.get("viewer", &at).await.expect(200)["count"], 0);
    body["name"] = json!("Renamed");
    assert_eq!(house.put("creator", &format!("{at}/{id}"), body).await.status, 400);
    house.delete("creator", &format!("{at}/{id}")).await.expect(200);
    assert_eq!(house.get("admin", &content).await.status, 404);
}

#[tokio::test]
async fn a_file_keeps_its_bytes_name_and_type() {
    let house = house().await;
    let api = house.pizza("admin", "Pizza", "1.0.0").await;
    let at = format!("/apis/{api}/documents");
    let id = house.post("admin", &at, sent("Sheet", "FILE")).await.expect(201)["documentId"].as_str().unwrap().to_owned();
    let content = format!("{at}/{id}/content");
    let document = upload(&house, Method::POST, &content, "price list.pdf", "application/pdf", b"%PDF-1.4 \x25\x25EOF").await.expect(201);
    assert_eq!(document["fileName"], "price list.pdf");
    let read = house.get("admin", &content).await;
    assert_eq!((read.text.as_str(), read.header("content-type")), ("%PDF-1.4 %%EOF", "application/pdf".to_owned()));
    assert_eq!(read.header("content-disposition"), "attachment; filename=\"price list.pdf\"");
    let mut body = sent("Link", "URL");
    assert_eq!(house.post("admin", &at, body.clone()).await.status, 400);
    body["sourceUrl"] = json!("javascript:alert(1)");
    assert_eq!(house.post("admin", &at, body.clone()).await.status, 400);
    body["sourceUrl"] = json!("https://docs.example/a");
    let id = house.post("admin", &at, body).await.expect(201)["documentId"].as_str().unwrap().to_owned();
    let led = house.get("admin", &format!("{at}/{id}/content")).await;
    assert_eq!((led.status.as_u16(), led.header("location")), (303, "https://docs.example/a".to_owned()));
    let mut body = sent("Odd", "INLINE");
    body["type"] = json!("OTHER");
    assert_eq!(house.post("admin", &at, body).await.status, 400);
}

#[tokio::test]
async fn a_picture_is_what_its_bytes_say() {
    let house = house().await;
    let api = house.pizza("admin", "Pizza", "1.0.0").await;
    let at = format!("/apis/{api}/thumbnail");
    assert_eq!(house.get("admin", &at).await.status, 204);
    assert_eq!(upload(&house, Method::PUT, &at, "x.png", "image/png", b"<html>").await.status, 400);
    let set = upload(&house, Method::PUT, &at, "x", "application/octet-stream", b"GIF89a..").await.expect(201);
    assert_eq!(set, json!({"relativePath": at, "mediaType": "image/gif"}));
    let read = house.get("viewer", &at).await;
    assert_eq!((read.status.as_u16(), read.header("content-type")), (200, "image/gif".to_owned()));
    assert!(read.header("content-security-policy").contains("sandbox"));
    assert_eq!(house.get("admin", &format!("/apis/{api}")).await.expect(200)["hasThumbnail"], true);
    assert_eq!(house.get("admin", "/apis").await.expect(200)["list"][0]["hasThumbnail"], true);
    // A picture of its own is no change of the API: what a client read before may be written.
    let read = house.get("admin", &format!("/apis/{api}")).await;
    let tag = read.header("etag");
    let body = serde_json::to_string(&read.json()).unwrap();
    let put = Request::builder().method(Method::PUT).uri(format!("/apis/{api}")).header("authorization", "Bearer admin");
    let put = put.header("content-type", "application/json").header("if-match", tag).body(Body::from(body)).unwrap();
    house.send(put).await.expect(200);
}
