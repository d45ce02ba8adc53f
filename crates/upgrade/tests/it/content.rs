//! What APIs have beside their records: documents, pictures, WSDLs, originals, comments, stars, and fields nobody has a place for.

use db::Db;
use db::files::Place;
use model::{ApiId, Document, DocumentKind, DocumentSource, DocumentVisibility};
use oldsite::{Dialect, Dirt, mysql::Blobs};
use upgrade::translate::{About, Severity};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, balanced, equal, target},
};

const MYSQL: Dialect = Dialect::MySql(Blobs::Escaped);
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

struct Over {
    taken: Taken,
    db: Db,
    _folder: tempfile::TempDir,
}

async fn over(site: &oldsite::Site) -> Over {
    let folder = tempfile::tempdir().unwrap();
    let taken = Taken::dumps(dumps(&written(site, MYSQL, folder.path())), NOW_MS).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    Over { taken, db, _folder: folder }
}

impl Over {
    async fn api(&self, name: &str, version: &str) -> model::Api {
        let query = db::apis::ApiQuery { limit: 1000, ..db::apis::ApiQuery::default() };
        let all = db::apis::list(&mut self.db.read().await.unwrap(), &query).await.unwrap().items;
        all.into_iter().find(|a| a.name == name && a.version == version).unwrap()
    }

    async fn documents(&self, api: ApiId) -> Vec<Document> {
        db::documents::list(&mut self.db.read().await.unwrap(), api).await.unwrap()
    }

    async fn file(&self, api: ApiId, place: &Place) -> Option<(String, String, Vec<u8>)> {
        let found = db::files::read(&mut self.db.read().await.unwrap(), api, place).await.unwrap();
        found.map(|(head, bytes)| (head.name, head.media_type, bytes))
    }
}

#[tokio::test]
async fn documents_come_with_every_field_and_byte() {
    let site = made_up();
    let over = over(&site).await;
    equal(&over.taken.verify(&over.db).await);
    let orders = over.api("Orders", "1.0.0").await;
    let old = site.apis.iter().find(|a| a.id == 1).unwrap();
    let all = over.documents(orders.id).await;
    assert_eq!(all.len(), old.documents.len());
    let named = |name: &str| all.iter().find(|d| d.name == name).unwrap();
    let guide = named("Getting Started");
    assert_eq!((guide.kind, guide.source, guide.visibility), (DocumentKind::HowTo, DocumentSource::Inline, DocumentVisibility::ApiLevel));
    assert_eq!((guide.summary.as_deref(), guide.author.as_str()), (Some("Getting Started in short"), "alice"));
    let body = over.file(orders.id, &Place::Document(guide.id)).await.unwrap();
    assert_eq!(body.2, b"<p>Ask for an order: <code>GET /order/42</code></p>");
    let home = named("Home page");
    assert_eq!((home.source, home.source_url.as_deref()), (DocumentSource::Url, Some("https://orders.example/docs?a=1&b=2")));
    let sheet = over.file(orders.id, &Place::Document(named("Reference").id)).await.unwrap();
    assert_eq!((sheet.0.as_str(), sheet.1.as_str()), ("reference sheet.pdf", "application/pdf"));
    assert_eq!(sheet.2, b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n%%EOF\n");
    // Blanks, letters beyond ASCII, and one file name twice.
    for (name, kind, other, visibility) in [
        ("Größen & Preise", DocumentKind::Samples, None, DocumentVisibility::Private),
        ("Drafts", DocumentKind::Other, Some("Swagger API Definition"), DocumentVisibility::OwnerOnly),
    ] {
        let document = named(name);
        assert_eq!((document.kind, document.other_kind.as_deref(), document.visibility), (kind, other, visibility));
        assert_eq!(document.file_name.as_deref(), Some("Größe und Preis 2014.xls"));
        let file = over.file(orders.id, &Place::Document(document.id)).await.unwrap();
        assert_eq!((file.0.as_str(), file.1.as_str()), ("Größe und Preis 2014.xls", "application/vnd.ms-excel"));
        assert_eq!(file.2, [0, 1, 2, 253, 254, 255]);
    }
}

#[tokio::test]
async fn pictures_wsdls_and_originals_come_along() {
    let site = made_up();
    let over = over(&site.clone().with_dirt(&[Dirt::SwaggerInvalid, Dirt::ThumbnailUnnamed, Dirt::SwaggerWithoutInfo])).await;
    equal(&over.taken.verify(&over.db).await);
    let old = site.apis.iter().find(|a| a.id == 1).unwrap();
    let orders = over.api("Orders", "1.0.0").await;
    let (_, media_type, bytes) = over.file(orders.id, &Place::Thumbnail).await.unwrap();
    assert_eq!((media_type.as_str(), Some(&bytes)), ("image/png", old.icon.as_ref()));
    // A provider of a tenant, whose path is spelled -AT-, and an artifact that names no picture.
    let pets = over.api("Pets", "1.0.0").await;
    assert_eq!(over.file(pets.id, &Place::Thumbnail).await.unwrap().2, bytes);
    let wsdl = over.file(orders.id, &Place::Wsdl).await.unwrap();
    assert_eq!((wsdl.0.as_str(), Some(&wsdl.2)), ("alice--Orders1.0.0.wsdl", old.wsdl.as_ref()));
    assert_eq!(orders.wsdl_url, Some(format!("/api/am/devportal/v2/apis/{}/wsdl", orders.id)));
    for (name, text) in &old.swagger_12 {
        let kept = over.file(orders.id, &Place::Original(format!("swagger-1.2/{name}"))).await.unwrap();
        assert_eq!(kept.2, text.as_bytes());
    }
    let payroll = over.api("Payroll", "1.0.0").await;
    let original = over.file(payroll.id, &Place::Original("swagger.json".to_owned())).await.unwrap();
    assert_eq!(original.2, b"{\"swagger\":\"2.0\",");
    let mended = site.apis.iter().find(|a| a.id == 12).unwrap();
    let mended = over.api(&mended.name, &mended.version).await;
    assert!(
        over.file(mended.id, &Place::Original("swagger.json".to_owned()))
            .await
            .unwrap()
            .2
            .starts_with(b"{\"swagger\":\"2.0\",\"paths\":{\"*\"")
    );
    // What was whole needs no second copy.
    assert_eq!(over.file(pets.id, &Place::Original("swagger.json".to_owned())).await, None);
}

#[tokio::test]
async fn what_people_said_comes_with_its_time_and_author() {
    let site = made_up();
    let over = over(&site).await;
    let (orders, pets) = (over.api("Orders", "1.0.0").await, over.api("Pets", "1.0.0").await);
    let mut tx = over.db.read().await.unwrap();
    let comments = db::comments::list(&mut tx, orders.id, 10, 0).await.unwrap().items;
    let told: Vec<(&str, &str, i64)> = comments.iter().map(|c| (c.author.as_str(), c.text.as_str(), c.created_at.0)).collect();
    let at = |n: i64| NOW_MS - 30 * DAY_MS + n * HOUR_MS;
    assert_eq!(
        told,
        [
            ("erin", "Could the list be paged?\nTen at a time would do.", at(2)),
            ("dave", "Works well. It's the \"order\" call we use most.", at(1)),
        ]
    );
    let of_tenant = db::comments::list(&mut tx, pets.id, 10, 0).await.unwrap().items;
    assert_eq!((of_tenant[0].author.as_str(), of_tenant[0].text.as_str()), ("tina@acme.com", "Très utile – merci!"));
    let ratings = db::ratings::list(&mut tx, orders.id, 10, 0).await.unwrap().items;
    assert_eq!(ratings.iter().map(|r| (r.user.as_str(), r.stars)).collect::<Vec<_>>(), [("dave", 4)]);
    // Identifiers are the same whenever they are made.
    let (translation, _) = over.taken.planned(None).await;
    let ids: Vec<_> = translation.comments.iter().map(|c| c.value.id).collect();
    assert!(comments.iter().all(|c| ids.contains(&c.id)));
    balanced(&translation);
    for (table, rows) in [("AM_API_COMMENTS", 3), ("AM_API_RATINGS", 4)] {
        assert_eq!(translation.ledger.of(table).unwrap().imported, rows, "{table}");
    }
}

#[tokio::test]
async fn missing_content_is_told_and_the_rest_is_carried() {
    let site =
        made_up().with_dirt(&[Dirt::DocumentWithoutBody, Dirt::FileOfDocumentMissing, Dirt::ContentWithoutBytes, Dirt::ThumbnailMissing]);
    let over = over(&site).await;
    equal(&over.taken.verify(&over.db).await);
    let (translation, _) = over.taken.planned(None).await;
    let told = |about: About, part: &str| {
        translation.findings.iter().filter(|f| f.about == about && f.severity == Severity::Warning && f.words.contains(part)).count()
    };
    assert_eq!(told(About::Document, "has no content in the old installation"), 2);
    assert_eq!(told(About::Document, "its bytes are gone"), 1);
    assert_eq!(told(About::Api, "names the thumbnail"), 1);
    let orders = over.api("Orders", "1.0.0").await;
    let all = over.documents(orders.id).await;
    let reference = all.iter().find(|d| d.name == "Reference").unwrap();
    assert_eq!((reference.source, reference.file_name.as_deref()), (DocumentSource::File, Some("reference sheet.pdf")));
    assert_eq!(over.file(orders.id, &Place::Document(reference.id)).await, None);
    assert_eq!(over.file(orders.id, &Place::Thumbnail).await, None);
}

#[tokio::test]
async fn a_changed_byte_word_or_star_is_found() {
    let over = over(&made_up()).await;
    let orders = over.api("Orders", "1.0.0").await;
    let sheet = over.documents(orders.id).await.into_iter().find(|d| d.name == "Reference").unwrap();
    let place = Place::Document(sheet.id);
    let (name, media_type, whole) = over.file(orders.id, &place).await.unwrap();
    let differing = async || over.taken.verify(&over.db).await.differing;
    assert_eq!(differing().await, 0);
    let put = async |bytes: &[u8], media_type: &str| {
        let mut tx = over.db.write().await.unwrap();
        db::files::put(&mut tx, orders.id, &place, &name, media_type, bytes).await.unwrap();
        tx.commit().await.unwrap();
    };
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        put(&bytes, &media_type).await;
        if at % 7 == 0 {
            // Once as a record, once past the translation.
            assert_eq!(differing().await, 2, "byte {at}");
        }
    }
    put(&whole, "text/html").await;
    assert_eq!(differing().await, 1);
    put(&whole, &media_type).await;
    assert_eq!(differing().await, 0);
    let mut tx = over.db.write().await.unwrap();
    let mut comment = db::comments::list(&mut tx, orders.id, 1, 0).await.unwrap().items.remove(0);
    comment.created_at.0 += 1;
    db::comments::update(&mut tx, &comment).await.unwrap();
    let mut rating = db::ratings::list(&mut tx, orders.id, 1, 0).await.unwrap().items.remove(0);
    rating.stars -= 1;
    db::ratings::update(&mut tx, &rating).await.unwrap();
    db::documents::delete(&mut tx, sheet.id).await.unwrap();
    tx.commit().await.unwrap();
    // The comment twice, the stars twice, the document, and its file twice.
    assert_eq!(differing().await, 7);
}

#[tokio::test]
async fn a_file_that_changed_since_is_brought_over_and_one_deleted_here_stays_away() {
    let folder = tempfile::tempdir().unwrap();
    let site = made_up();
    let first = Taken::dumps(dumps(&written(&site, MYSQL, &folder.path().join("a"))), NOW_MS).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    first.applied(&db).await;
    assert_eq!(first.applied(&db).await.batches, 0);
    let mut later = site.clone();
    for api in later.apis.iter_mut().filter(|a| a.icon.is_some()) {
        api.icon = Some(b"GIF89a another".to_vec());
    }
    let second = Taken::dumps(dumps(&written(&later, MYSQL, &folder.path().join("b"))), NOW_MS).await;
    let over = Over { taken: second, db, _folder: folder };
    let (orders, pets) = (over.api("Orders", "1.0.0").await, over.api("Pets", "1.0.0").await);
    let mut tx = over.db.write().await.unwrap();
    db::files::delete(&mut tx, pets.id, &Place::Thumbnail).await.unwrap();
    tx.commit().await.unwrap();
    let applied = over.taken.applied(&over.db).await;
    let tally = applied.tallies.iter().find(|t| t.kind == "files of APIs").unwrap();
    assert_eq!((tally.changed, tally.deleted, tally.new), (1, 1, 0));
    let (_, media_type, bytes) = over.file(orders.id, &Place::Thumbnail).await.unwrap();
    assert_eq!((media_type.as_str(), bytes.as_slice()), ("image/gif", b"GIF89a another".as_slice()));
    assert_eq!(over.file(pets.id, &Place::Thumbnail).await, None);
    assert_eq!(over.taken.verify(&over.db).await.differing, 2);
}

#[tokio::test]
async fn fields_nobody_has_a_place_for_are_kept_and_told() {
    let over = over(&made_up().with_dirt(&[Dirt::OwnFields])).await;
    let weather = over.api("Weather", "1.0.0").await;
    let property = |name: &str| weather.properties.iter().find(|p| p.name == name).map(|p| p.value.as_str());
    assert_eq!((property("source_costCentre"), property("source_audit_owner")), (Some("4711"), Some("eve")));
    assert_eq!(property("source_remarks").map(|r| r.chars().count()), Some(900));
    let (translation, _) = over.taken.planned(None).await;
    let cut = translation.findings.iter().find(|f| f.words.contains("remarks holds")).unwrap();
    assert_eq!(cut.severity, Severity::Warning);
}

#[tokio::test]
async fn tables_and_columns_nobody_knows_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up(), MYSQL, folder.path());
    let text = std::fs::read_to_string(&written.am_sql).unwrap();
    let own = "CREATE TABLE `ACME_BILLING` (\n  `ID` int(11) NOT NULL,\n  PRIMARY KEY (`ID`)\n) ENGINE=InnoDB;\nINSERT INTO `ACME_BILLING` VALUES (1),(2);\n";
    let text =
        text.replacen("CREATE TABLE `AM_API_COMMENTS` (", &format!("{own}CREATE TABLE `AM_API_COMMENTS` (\n  `ACME_MOOD` varchar(9),"), 1);
    let with_moods = |line: &str| (1..=3).fold(line.to_owned(), |line, n| line.replacen(&format!("({n},'"), &format!("('glad',{n},'"), 1));
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| if line.starts_with("INSERT INTO `AM_API_COMMENTS`") { with_moods(line) } else { line.to_owned() })
        .collect();
    std::fs::write(&written.am_sql, lines.join("\n")).unwrap();
    let taken = Taken::dumps(dumps(&written), NOW_MS).await;
    let strangers: Vec<(&str, Vec<&str>, u64)> = taken
        .old
        .installation
        .strangers
        .iter()
        .map(|s| (s.table.as_str(), s.columns.iter().map(String::as_str).collect(), s.rows))
        .collect();
    assert_eq!(strangers, [("ACME_BILLING", vec![], 2), ("AM_API_COMMENTS", vec!["ACME_MOOD"], 3)]);
    let (translation, _) = taken.planned(None).await;
    for words in ["2 row(s)", "ACME_MOOD in 3 row(s)"] {
        assert!(translation.findings.iter().any(|f| f.severity == Severity::Warning && f.words == words), "{words}");
    }
    balanced(&translation);
}
