//! Documents, files, comments and ratings of APIs.

use db::files::Place;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! { documents_keep_every_field, files_are_kept_byte_for_byte, comments_and_their_answers, one_rating_a_user, content_goes_with_its_api }

fn document(api: ApiId, name: &str) -> Document {
    Document {
        id: DocumentId::random(),
        api,
        name: name.to_owned(),
        kind: DocumentKind::Other,
        other_kind: Some("Swagger API Definition".to_owned()),
        summary: Some("Ünïcode".to_owned()),
        source: DocumentSource::File,
        source_url: Some("http://x".to_owned()),
        file_name: Some("Größe 1.pdf".to_owned()),
        visibility: DocumentVisibility::OwnerOnly,
        author: "alice".to_owned(),
        created_at: NOW,
        updated_at: Timestamp(NOW.0 + 1),
    }
}

/// A stage with two APIs.
async fn two(stage: &Stage) -> (ApiId, ApiId) {
    tenants(&stage.db).await;
    let apis = [plain_api("A", "1"), plain_api("B", "1")];
    let mut tx = stage.db.write().await.unwrap();
    for api in &apis {
        db::apis::insert(&mut tx, api).await.unwrap();
    }
    tx.commit().await.unwrap();
    (apis[0].id, apis[1].id)
}

async fn documents_keep_every_field(stage: Stage) {
    let (a, b) = two(&stage).await;
    let mut tx = stage.db.write().await.unwrap();
    let mut first = document(a, "b");
    // The same name twice is somebody's, too.
    let others = [document(a, "a"), document(a, "b"), document(b, "b")];
    db::documents::insert(&mut tx, &first).await.unwrap();
    db::documents::insert_many(&mut tx, &others).await.unwrap();
    assert_eq!(db::documents::find(&mut tx, first.id).await.unwrap(), Some(first.clone()));
    let names: Vec<String> = db::documents::list(&mut tx, a).await.unwrap().into_iter().map(|d| d.name).collect();
    assert_eq!(names, ["a", "b", "b"]);
    assert_eq!(db::documents::find_by_name(&mut tx, a, "b").await.unwrap().len(), 2);
    let page = db::documents::page(&mut tx, a, 1, 0).await.unwrap();
    assert_eq!((page.total, page.items), (3, vec![others[0].clone()]));
    first = Document {
        name: "c".to_owned(),
        kind: DocumentKind::HowTo,
        other_kind: None,
        summary: None,
        source: DocumentSource::Inline,
        source_url: None,
        file_name: None,
        visibility: DocumentVisibility::Private,
        author: "bob".to_owned(),
        updated_at: Timestamp(5),
        ..first
    };
    assert!(db::documents::update(&mut tx, &first).await.unwrap());
    assert_eq!(db::documents::find(&mut tx, first.id).await.unwrap(), Some(first.clone()));
    assert!(db::documents::delete(&mut tx, first.id).await.unwrap());
    assert!(!db::documents::delete(&mut tx, first.id).await.unwrap());
    assert!(!db::documents::update(&mut tx, &first).await.unwrap());
}

async fn files_are_kept_byte_for_byte(stage: Stage) {
    let (a, b) = two(&stage).await;
    let mut tx = stage.db.write().await.unwrap();
    let of = document(a, "d");
    db::documents::insert(&mut tx, &of).await.unwrap();
    // Every byte there is, NUL included, and more of them than a page of either database holds.
    let bytes: Vec<u8> = (0..=255u8).cycle().take(3 * 1024 * 1024 + 7).collect();
    let places = [Place::Document(of.id), Place::Thumbnail, Place::Wsdl, Place::Original("api-doc/größe 1".to_owned())];
    for place in &places {
        db::files::put(&mut tx, a, place, "Größe 1.pdf", "application/pdf", &bytes).await.unwrap();
        let (head, read) = db::files::read(&mut tx, a, place).await.unwrap().unwrap();
        assert_eq!(read, bytes);
        assert_eq!((head.name.as_str(), head.media_type.as_str(), head.size), ("Größe 1.pdf", "application/pdf", bytes.len() as u64));
        assert_eq!(head.sha256, db::files::sha256(&bytes));
        assert_eq!(db::files::find(&mut tx, a, place).await.unwrap(), Some(head));
    }
    let mut listed: Vec<Place> = db::files::list(&mut tx, a).await.unwrap().into_iter().map(|f| f.place).collect();
    listed.sort();
    assert_eq!(listed, {
        let mut all = places.to_vec();
        all.sort();
        all
    });
    assert_eq!(db::files::with_thumbnail(&mut tx, &[a, b]).await.unwrap(), [a].into());
    db::files::put(&mut tx, a, &Place::Thumbnail, "icon", "image/png", b"").await.unwrap();
    let (head, read) = db::files::read(&mut tx, a, &Place::Thumbnail).await.unwrap().unwrap();
    assert_eq!((head.size, head.media_type.as_str(), read.len()), (0, "image/png", 0));
    assert!(db::files::delete(&mut tx, a, &Place::Thumbnail).await.unwrap());
    assert!(!db::files::delete(&mut tx, a, &Place::Thumbnail).await.unwrap());
    db::documents::delete(&mut tx, of.id).await.unwrap();
    assert_eq!(db::files::find(&mut tx, a, &places[0]).await.unwrap(), None);
}

fn comment(api: ApiId, text: &str, at: i64) -> Comment {
    Comment {
        id: CommentId::random(),
        api,
        parent: None,
        text: text.to_owned(),
        category: "general".to_owned(),
        in_publisher: false,
        author: "dave".to_owned(),
        created_at: Timestamp(at),
        updated_at: None,
    }
}

async fn comments_and_their_answers(stage: Stage) {
    let (a, _) = two(&stage).await;
    let mut tx = stage.db.write().await.unwrap();
    let mut first = comment(a, "first", 1);
    let second = comment(a, "second", 2);
    let answer = Comment { parent: Some(first.id), in_publisher: true, ..comment(a, "answer", 3) };
    db::comments::insert_many(&mut tx, &[first.clone(), second.clone(), answer.clone()]).await.unwrap();
    let page = db::comments::list(&mut tx, a, 10, 0).await.unwrap();
    assert_eq!((page.total, page.items), (2, vec![second.clone(), first.clone()]));
    assert_eq!(db::comments::list(&mut tx, a, 1, 1).await.unwrap().items, [first.clone()]);
    assert_eq!(db::comments::replies(&mut tx, first.id, 10, 0).await.unwrap().items, [answer.clone()]);
    first.text = "other".to_owned();
    first.updated_at = Some(Timestamp(9));
    assert!(db::comments::update(&mut tx, &first).await.unwrap());
    assert_eq!(db::comments::find(&mut tx, first.id).await.unwrap(), Some(first.clone()));
    assert!(db::comments::delete(&mut tx, first.id).await.unwrap());
    assert_eq!(db::comments::find(&mut tx, answer.id).await.unwrap(), None);
    assert!(!db::comments::delete(&mut tx, first.id).await.unwrap());
}

async fn one_rating_a_user(stage: Stage) {
    let (a, b) = two(&stage).await;
    let rating = |api, user: &str, stars| Rating { id: RatingId::random(), api, user: user.to_owned(), stars };
    let mut tx = stage.db.write().await.unwrap();
    let (dave, erin) = (rating(a, "dave", 5), rating(a, "erin", 2));
    db::ratings::insert_many(&mut tx, &[dave.clone(), erin.clone()]).await.unwrap();
    db::ratings::put(&mut tx, &Rating { id: RatingId::random(), stars: 4, ..dave.clone() }).await.unwrap();
    let now = Rating { stars: 4, ..dave.clone() };
    assert_eq!(db::ratings::find(&mut tx, dave.id).await.unwrap(), Some(now.clone()));
    assert_eq!(db::ratings::find_of(&mut tx, a, "dave").await.unwrap(), Some(now.clone()));
    assert_eq!(db::ratings::list(&mut tx, a, 10, 0).await.unwrap().items, [now.clone(), erin.clone()]);
    assert_eq!(db::ratings::sums(&mut tx, &[a, b]).await.unwrap(), [(a, (6, 2))].into());
    assert!(db::ratings::update(&mut tx, &Rating { stars: 1, ..erin }).await.unwrap());
    assert!(db::ratings::delete(&mut tx, a, "dave").await.unwrap());
    assert!(!db::ratings::delete(&mut tx, a, "dave").await.unwrap());
    assert_eq!(db::ratings::sums(&mut tx, &[a]).await.unwrap(), [(a, (1, 1))].into());
    let twice = db::ratings::insert_many(&mut tx, &[rating(a, "erin", 3)]).await.unwrap_err();
    assert!(matches!(&twice, db::Error::Duplicate { what } if what == "rating(api, who)"), "{twice:?}");
}

async fn content_goes_with_its_api(stage: Stage) {
    let (a, _) = two(&stage).await;
    let mut tx = stage.db.write().await.unwrap();
    let (of, said) = (document(a, "d"), comment(a, "c", 1));
    db::documents::insert(&mut tx, &of).await.unwrap();
    db::files::put(&mut tx, a, &Place::Document(of.id), "f", "text/plain", b"x").await.unwrap();
    db::comments::insert(&mut tx, &said).await.unwrap();
    db::ratings::put(&mut tx, &Rating { id: RatingId::random(), api: a, user: "dave".to_owned(), stars: 3 }).await.unwrap();
    assert!(db::apis::delete(&mut tx, a).await.unwrap());
    assert_eq!(db::documents::find(&mut tx, of.id).await.unwrap(), None);
    assert_eq!(db::files::list(&mut tx, a).await.unwrap(), []);
    assert_eq!(db::comments::find(&mut tx, said.id).await.unwrap(), None);
    assert_eq!(db::ratings::list(&mut tx, a, 10, 0).await.unwrap().total, 0);
}
