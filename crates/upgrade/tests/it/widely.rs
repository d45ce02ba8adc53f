//! Faulty sources, other databases, broken runs, foreign targets: the road where it is rough.

use std::path::Path;

use db::Db;
use model::{Api, ApiId, ApplicationId, AuthType, LifecycleState, Secret, TenantId, Timestamp, TokenState};
use oldsite::{Dialect, Dirt, Size, mysql::Blobs};
use upgrade::{
    Old, OpenError, Place,
    apply::{ApplyError, Options},
    journal::{JournalError, Onward},
    report::Report,
    source::{Location, SourceError, Version},
    translate::{About, EndpointMap, Severity, Translation},
};

use crate::{
    roads::{NOW_MS, Scratch, dumps, made_up, written},
    taking::{Taken, balanced, equal, target, target_on},
};

const MYSQL: Dialect = Dialect::MySql(Blobs::Escaped);

async fn dumped(site: &oldsite::Site, folder: &Path) -> Taken {
    Taken::dumps(dumps(&written(site, MYSQL, folder)), NOW_MS).await
}

/// Applies to a fresh target and compares.
async fn carried(taken: &Taken, folder: &Path) -> Db {
    let db = target(folder).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    db
}

/// Everything in a target that came from the source, a line for each record, sorted, for comparing two targets.
pub(crate) async fn content(db: &Db) -> String {
    fn each<T: std::fmt::Debug>(out: &mut Vec<String>, items: impl IntoIterator<Item = T>) {
        out.extend(items.into_iter().map(|item| format!("{item:?}")));
    }
    let mut tx = db.read().await.unwrap();
    let tx = &mut tx;
    let mut out = Vec::new();
    for tenant in db::tenants::list(tx).await.unwrap() {
        let id = tenant.id;
        let filter = db::users::UserFilter { tenant: id, name_like: None, limit: 1000, offset: 0 };
        each(&mut out, db::users::list(tx, &filter).await.unwrap());
        each(&mut out, db::roles::list(tx, id).await.unwrap());
        each(&mut out, db::rest_scopes::list(tx, id).await.unwrap());
        each(&mut out, db::scopes::list_shared(tx, id).await.unwrap());
        for client in db::clients::list(tx, id).await.unwrap() {
            out.push(format!("{client:?} {}", client.secret.expose()));
            each(&mut out, db::tokens::list_of_client(tx, &client.id, TokenState::Active, 1000).await.unwrap());
        }
    }
    each(&mut out, db::policies::subscription::list_all(tx).await.unwrap());
    each(&mut out, db::policies::application::list_all(tx).await.unwrap());
    each(&mut out, db::policies::advanced::list_all(tx).await.unwrap());
    for api in apis(db).await {
        out.push(format!("{api:?} {:?}", db::apis::definition(tx, api.id).await.unwrap()));
        out.push(format!("{} {:?}", api.id, db::lifecycle_events::list(tx, api.id).await.unwrap()));
        each(&mut out, db::deployments::list(tx, api.id).await.unwrap());
        each(&mut out, db::documents::list(tx, api.id).await.unwrap());
        each(&mut out, db::comments::list(tx, api.id, 1000, 0).await.unwrap().items);
        each(&mut out, db::ratings::list(tx, api.id, 1000, 0).await.unwrap().items);
        for file in db::files::list(tx, api.id).await.unwrap() {
            let (head, bytes) = db::files::read(tx, api.id, &file.place).await.unwrap().unwrap();
            out.push(format!("{head:?} {}", db::files::sha256(&bytes)));
        }
    }
    each(&mut out, db::applications::list_all(tx).await.unwrap());
    each(&mut out, db::key_mappings::list_all(tx).await.unwrap());
    each(&mut out, db::subscriptions::list_all(tx).await.unwrap());
    out.sort();
    out.join("\n")
}

async fn apis(db: &Db) -> Vec<Api> {
    let query = db::apis::ApiQuery { limit: 10_000, ..db::apis::ApiQuery::default() };
    db::apis::list(&mut db.read().await.unwrap(), &query).await.unwrap().items
}

fn findings<'a>(translation: &'a Translation, about: About, part: &str) -> Vec<&'a str> {
    translation.findings.iter().filter(|f| f.about == about && f.words.contains(part)).map(|f| f.words.as_str()).collect()
}

#[tokio::test]
async fn every_fault_alone_leaves_nothing_unaccounted_and_nothing_lost() {
    for dirt in Dirt::ALL {
        let folder = tempfile::tempdir().unwrap();
        let taken = dumped(&made_up().with_dirt(&[dirt]), folder.path()).await;
        let (translation, plan) = taken.planned(None).await;
        let rest: Vec<_> = translation.ledger.unbalanced().collect();
        assert!(rest.is_empty(), "{dirt:?}: {rest:?}");
        assert!(!translation.is_blocked() && !plan.is_refused(), "{dirt:?}: {:?}", translation.findings);
        let db = target(folder.path()).open_or_make().await.unwrap();
        taken.applied(&db).await;
        let verification = taken.verify(&db).await;
        assert!(verification.is_equal(), "{dirt:?}: {:?}", verification.differences);
        assert_eq!(taken.applied(&db).await.batches, 0, "{dirt:?}");
    }
}

#[tokio::test]
async fn all_faults_together_are_taken_over_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up().with_dirt(&Dirt::ALL), folder.path()).await;
    let (translation, plan) = taken.planned(None).await;
    balanced(&translation);
    println!("{}", Report::new("plan", &taken.old, &translation, &plan).text());
    let db = carried(&taken, folder.path()).await;
    // Each of these names a fault where an operator looks first.
    for (about, part) in [
        (About::Api, "has no artifact"),
        (About::Api, "no row in the database"),
        (About::Scope, "stands twice"),
        (About::Limit, "resource tier Platinum-2012"),
        (About::Limit, "business plan Diamond"),
        (About::Scope, "no authentication scheme"),
        (About::Application, "hank owns applications"),
        (About::Key, "is not among the old server's"),
        (About::Client, "belongs to nobody"),
        (About::Scope, "second scope order_delete"),
        (About::Scope, "has no key"),
        (About::Api, "no JSON and has been mended"),
        (About::Tenant, "closed.example is inactive"),
        (About::Api, "no lifecycle history"),
        (About::Document, "document Getting Started of Orders has no content"),
        (About::Document, "document Reference of Orders has no content"),
        (About::Document, "its bytes are gone"),
        (About::Api, "names the thumbnail"),
        (About::Api, "costCentre, remarks, audit_owner"),
        (About::Api, "remarks holds"),
        (About::Feedback, "is not between 1 and 5"),
        (About::Feedback, "its subscriber is gone"),
        (About::Feedback, "1 row(s) of APIs that are gone"),
        (About::Api, "answers from scripts"),
        (About::Limit, "Gold of tenant -1234 is 20 requests per 1 min, not 5000 requests per 1 min"),
    ] {
        assert!(!findings(&translation, about, part).is_empty(), "no finding says {part}");
    }
    let all = apis(&db).await;
    let api = |name: &str, version: &str| all.iter().find(|a| a.name == name && a.version == version).unwrap();
    // The stricter of two rules.
    assert!(api("Orders", "1.0.0").operations.iter().filter(|o| o.target == "/*" && o.verb == "GET").all(|o| o.auth == AuthType::Any));
    // Mended and fallen-back endpoints lead somewhere.
    assert!(api("Weather", "1.0.0").endpoints.production().is_some());
    assert!(api("Orders", "2.0.0").endpoints.production().is_some());
    assert_eq!(api("Draft", "0.1.0").state, LifecycleState::Created);
    assert_eq!(api("Preview", "0.1.0").state, LifecycleState::Prototyped);
    // A definition that was no JSON is made anew from the resources.
    let mut tx = db.read().await.unwrap();
    let definition = db::apis::definition(&mut tx, api("Payroll", "1.0.0").id).await.unwrap().unwrap();
    assert_eq!(spec::parse(&definition.text).unwrap().operations.len(), 1);
    // Both applications whose names differ in case.
    let own = db::applications::ApplicationQuery {
        owner: Some("dave".into()),
        name_like: Some("defaultapplication".into()),
        ..db::applications::ApplicationQuery::of(TenantId::SUPER)
    };
    assert_eq!(db::applications::list(&mut tx, &own).await.unwrap().total, 2);
    assert!(!db::tenants::find(&mut tx, TenantId(7)).await.unwrap().unwrap().active);
}

#[tokio::test]
async fn every_road_into_the_source_fills_the_same_target() {
    let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let site = made_up();
    let first = dumped(&site, folders[0].path()).await;
    let expected = content(&carried(&first, folders[0].path()).await).await;
    assert!(expected.len() > 10_000);
    let postgres = written(&site, Dialect::Postgres, folders[1].path());
    let other = Taken::dumps(dumps(&postgres), NOW_MS).await;
    assert_eq!(first.old.source, other.old.source);
    assert_eq!(content(&carried(&other, folders[1].path()).await).await, expected, "a PostgreSQL dump");
    for (dialect, url, folder) in
        [(MYSQL, "mysql://root@127.0.0.1:3306", &folders[2]), (Dialect::Postgres, "postgres://postgres@127.0.0.1:5432", &folders[3])]
    {
        let Some(scratch) = Scratch::new(dialect, "over") else { continue };
        scratch.load(&written(&site, dialect, folder.path()));
        let location = Location::parse(&format!("{url}/{}", scratch.name)).unwrap();
        let taken = Taken::dumps(vec![location], NOW_MS).await;
        assert_eq!(content(&carried(&taken, folder.path()).await).await, expected, "{url}");
    }
}

#[tokio::test]
async fn a_target_on_postgresql_holds_the_same() {
    let Some(scratch) = Scratch::new(Dialect::Postgres, "target") else { return };
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let taken = dumped(&made_up().with_dirt(&Dirt::ALL), folders[0].path()).await;
    let expected = content(&carried(&taken, folders[0].path()).await).await;
    let place = target_on(folders[1].path(), &format!("postgres://postgres@127.0.0.1:5432/{}", scratch.name));
    // Looking makes nothing, not even with a key at hand.
    let key = Some(Secret::new("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".to_owned()));
    let looking = upgrade::target::TargetPlace { key, ..place.clone() };
    assert!(looking.open().await.unwrap().is_none());
    assert!(looking.open().await.unwrap().is_none(), "the first look made a schema");
    assert!(!place.data_dir.exists());
    let db = place.open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    assert_eq!(content(&db).await, expected);
    assert_eq!(taken.applied(&db).await.batches, 0);
    db.close().await;
}

#[tokio::test]
async fn a_run_cut_short_anywhere_is_completed_by_the_next() {
    let whole = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up(), whole.path()).await;
    let expected = content(&carried(&taken, whole.path()).await).await;
    for most in [0, 1, 2, 5, 9, 14, 20, 33] {
        let folder = tempfile::tempdir().unwrap();
        let db = target(folder.path()).open_or_make().await.unwrap();
        let cut = taken.apply(&db, Options { batch: 3, stop_after: Some(most), ..taken.all() }).await;
        assert!(matches!(cut, Err(ApplyError::Stopped(n)) if n == most), "{cut:?}");
        assert!(!taken.verify(&db).await.is_equal(), "after {most} batches something is missing");
        let mut onward = taken.all();
        if most > 0 {
            // Whoever does not say that he goes on is told so.
            let refused = taken.apply(&db, onward.clone()).await.unwrap_err();
            assert!(matches!(refused, ApplyError::Journal(JournalError::Interrupted(_))), "{refused:?}");
            onward.note.onward = Onward::Resume;
        }
        taken.apply(&db, onward).await.unwrap();
        equal(&taken.verify(&db).await);
        assert_eq!(content(&db).await, expected, "after {most} batches");
    }
}

#[tokio::test]
async fn what_changed_in_the_source_since_is_brought_up_to_date() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let site = made_up();
    let db = carried(&dumped(&site, folders[0].path()).await, folders[0].path()).await;
    let mut later = site.clone();
    let ended = later.tokens[0].access.clone();
    later.tokens[0].state = "REVOKED".to_owned();
    later.apis[0].description = "Changed since".to_owned();
    let gone = later.subscriptions.pop().unwrap();
    later.users[3].password = "another-1".to_owned();
    let taken = dumped(&later, folders[1].path()).await;
    let (_, plan) = taken.planned(Some(&db)).await;
    let tally = |kind: &str| plan.tallies.iter().find(|t| t.kind == kind).unwrap().clone();
    assert_eq!((tally("APIs").changed, tally("users").changed, tally("tokens").changed, tally("subscriptions").gone), (1, 1, 1, 1));
    let done = taken.applied(&db).await;
    assert_eq!(done.batches, 3);
    let mut tx = db.read().await.unwrap();
    assert_eq!(db::tokens::find_by_access(&mut tx, &ended).await.unwrap().unwrap().state, TokenState::Revoked);
    let id: ApiId = later.apis[0].uuid.parse().unwrap();
    assert_eq!(db::apis::find(&mut tx, id).await.unwrap().unwrap().description.as_deref(), Some("Changed since"));
    // What runs is the changed API, as its second revision.
    let deployed = db::deployments::list(&mut tx, id).await.unwrap().remove(0);
    let revision = db::revisions::find(&mut tx, deployed.revision).await.unwrap().unwrap();
    assert_eq!((revision.number, revision.content.description.as_deref()), (2, Some("Changed since")));
    assert!(gone.id > 0);
    equal(&taken.verify(&db).await);
    assert_eq!(taken.applied(&db).await.batches, 0);
}

#[tokio::test]
async fn a_first_starts_defaults_make_way_and_nobody_elses_records_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up(), folder.path()).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    let now = Timestamp(NOW_MS);
    // As `serve` leaves it: defaults and a made-up administrator.
    let mut tx = db.write().await.unwrap();
    db::bootstrap::tenant(&mut tx, &model::Tenant::super_tenant(now)).await.unwrap();
    let made_up_admin = model::User {
        id: model::UserId::random(),
        tenant: TenantId::SUPER,
        store: model::PRIMARY_STORE.into(),
        name: "admin".into(),
        password: Some(model::StoredPassword::Argon2id(Secret::new("$argon2id$x".into()))),
        roles: vec!["admin".into()],
        attributes: Vec::new(),
        locked: false,
        must_change_password: false,
        password_changed_at: now,
        created_at: now,
    };
    db::users::insert(&mut tx, &made_up_admin).await.unwrap();
    // A foreign API under an address the old site uses.
    let foreign = Api::new(ApiId::random(), TenantId::SUPER, "eve", "Mine", "1.0.0", "/orders/{version}", now);
    db::apis::insert(&mut tx, &foreign).await.unwrap();
    tx.commit().await.unwrap();
    let (_, plan) = taken.planned(Some(&db)).await;
    assert!(plan.is_refused());
    // Who has an API is in use, and so is its administrator.
    let told = |words: &str| plan.conflicts.iter().any(|c| c.words.contains(words));
    assert_eq!(plan.conflicts.len(), 2, "{:?}", plan.conflicts);
    assert!(told("already answers at /orders/1.0.0") && told("user admin is already there"), "{:?}", plan.conflicts);
    let head = db::outbox::head(&mut db.read().await.unwrap()).await.unwrap();
    assert!(matches!(taken.apply(&db, taken.all()).await, Err(ApplyError::InTheWay(_))));
    assert_eq!(db::outbox::head(&mut db.read().await.unwrap()).await.unwrap(), head);
    let mut tx = db.write().await.unwrap();
    db::apis::delete(&mut tx, foreign.id).await.unwrap();
    tx.commit().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    let mut tx = db.read().await.unwrap();
    let admin = db::users::find(&mut tx, TenantId::SUPER, model::PRIMARY_STORE, "admin").await.unwrap().unwrap();
    assert!(matches!(admin.password, Some(model::StoredPassword::Legacy { .. })), "the old administrator is the administrator");
    let gold = db::policies::subscription::find_by_name(&mut tx, TenantId::SUPER, "Gold").await.unwrap().unwrap();
    assert_eq!(gold.limit, model::Limit::per_minute(20));
}

#[tokio::test]
async fn verify_sees_every_kind_of_damage() {
    let folder = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up(), folder.path()).await;
    let db = carried(&taken, folder.path()).await;
    let mut tx = db.write().await.unwrap();
    let api = apis(&db).await.into_iter().find(|a| a.name == "Payroll").unwrap();
    let mut broken = api.clone();
    broken.endpoints.0["endpoint_security"]["production"]["password"] = "wrong-secret".into();
    broken.operations[0].auth = AuthType::None;
    db::apis::update(&mut tx, &broken).await.unwrap();
    let mut client = db::clients::list(&mut tx, TenantId::SUPER).await.unwrap().remove(0);
    client.secret = Secret::new("wrong-secret".into());
    db::clients::update(&mut tx, &client).await.unwrap();
    let application = db::applications::find_by_owner_and_name(&mut tx, TenantId::SUPER, "dave", "Night Jobs").await.unwrap().unwrap();
    db::applications::delete(&mut tx, application.id).await.unwrap();
    tx.commit().await.unwrap();
    let verification = taken.verify(&db).await;
    let told = |kind: &str, field: &str| verification.differences.iter().any(|d| d.kind == kind && d.field.contains(field));
    assert!(told("APIs", "a secret") && told("APIs", "auth"), "{:?}", verification.differences);
    assert!(told("OAuth clients", "a secret") && told("keys and secrets of OAuth clients", "secret"));
    assert!(told("applications", "record") && told("keys", "record") && told("subscriptions", "record"));
    assert!(told("numbers and names of applications", "name"));
    let json = serde_json::to_string(&verification).unwrap();
    assert!(!json.contains("wrong-secret"), "secrets are not told");
}

#[tokio::test]
async fn refused_sources_leave_not_even_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Old::read(&Place::default()).await.unwrap_err();
    assert!(matches!(nowhere, OpenError::Nowhere));
    let wrong = Place { home: Some(folder.path().join("nothing")), ..Place::default() };
    assert!(matches!(Old::read(&wrong).await.unwrap_err(), OpenError::Source(SourceError::NotAHome { .. })));
    let silent = ["mysql://root@127.0.0.1:1/am", "mysql://root@127.0.0.1:1/um", "mysql://root@127.0.0.1:1/reg"];
    let silent = Place { databases: silent.iter().map(|l| Location::parse(l).unwrap()).collect(), ..Place::default() };
    assert!(matches!(Old::read(&silent).await.unwrap_err(), OpenError::Source(SourceError::Unreachable { .. })));
    std::fs::write(folder.path().join("AM.h2.db"), b"-- H2 0.5/B -- \n-- H2").unwrap();
    let cut = Place { databases: vec![Location::H2(folder.path().join("AM"))], ..Place::default() };
    assert!(matches!(Old::read(&cut).await.unwrap_err(), OpenError::Source(SourceError::H2 { .. })));
    let newer = folder.path().join("newer.sql");
    std::fs::write(&newer, "CREATE TABLE `AM_API` (\n  `API_ID` int NOT NULL\n);\nCREATE TABLE `GOV_RULESET` (\n  `RULESET_ID` int NOT NULL\n);\n-- Dump completed\n").unwrap();
    let newer = Place { databases: vec![Location::Dump(newer)], ..Place::default() };
    let refused = Old::read(&newer).await.unwrap_err();
    assert!(matches!(&refused, OpenError::Source(SourceError::TooNew { found }) if found.starts_with("4.5")), "{refused:?}");
    // Looking at a target that is not there does not make it.
    let taken = dumped(&made_up(), folder.path()).await;
    let place = target(folder.path());
    let db = place.open().await.unwrap();
    assert!(db.is_none());
    taken.planned(db.as_ref()).await;
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn encrypted_secrets_and_doubled_addresses_are_refused_before_writing() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = made_up();
    site.apis[1].context = "/orders-two".into();
    site.apis[2].context = "/orders-two".into();
    site.apis[2].version = "2.0.0".into();
    let mut taken = dumped(&site, folder.path()).await;
    let (translation, _) = taken.planned(None).await;
    assert_eq!(findings(&translation, About::Api, "both answer at /orders-two/2.0.0").len(), 1);
    let db = target(folder.path()).open_or_make().await.unwrap();
    assert!(matches!(taken.apply(&db, taken.all()).await, Err(ApplyError::Blocked(1))));
    assert!(db::tenants::list(&mut db.read().await.unwrap()).await.unwrap().is_empty());
    taken = dumped(&made_up(), folder.path()).await;
    taken.old.installation.encryption.encrypted_secrets = 3;
    taken.old.installation.encryption.fault = Some(upgrade::source::keystore::KeyStoreFault::NotNamed);
    let (translation, _) = taken.planned(None).await;
    assert!(translation.findings.iter().any(|f| f.severity == Severity::Blocking && f.about == About::Installation));
}

#[tokio::test]
async fn a_rehearsal_calls_other_backends() {
    let folder = tempfile::tempdir().unwrap();
    let mut taken = dumped(&made_up(), folder.path()).await;
    taken.map = EndpointMap::parse("http://127.0.0.1:9000 https://rehearsal.example").unwrap();
    let db = carried(&taken, folder.path()).await;
    for api in apis(&db).await {
        for set in [api.endpoints.production(), api.endpoints.sandbox()].into_iter().flatten() {
            assert!(set.primary.iter().chain(&set.failovers).all(|e| e.url.starts_with("https://rehearsal.example/")), "{}", api.name);
        }
    }
}

#[tokio::test]
async fn an_installation_of_1_8_gets_its_versions_into_its_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let mut taken = dumped(&made_up(), folder.path()).await;
    let old = &mut taken.old.installation;
    old.version = Version::V1_8_0;
    for api in &mut old.apis {
        if let Some(row) = &mut api.row {
            row.context = row.context.take().map(|c| c.strip_suffix(&format!("/{}", row.version)).unwrap().to_owned());
            row.context_template = None;
        }
        api.swagger = None;
    }
    for row in &mut old.resource_scopes {
        // 1.8 wrote the version once.
        let doubled =
            old.apis.iter().filter_map(|a| a.row.as_ref()).find(|r| row.resource_path.contains(&format!("/{0}/{0}/", r.version))).unwrap();
        row.resource_path = row.resource_path.replacen(&format!("/{0}/{0}/", doubled.version), &format!("/{}/", doubled.version), 1);
    }
    let orders = old.apis.iter_mut().find(|a| a.identity().1 == "Orders").unwrap();
    let root = r#"{"swaggerVersion":"1.2","apiVersion":"1.0.0","info":{"title":"Orders"},"apis":[{"path":"/order"}]}"#;
    let part = r#"{"swaggerVersion":"1.2","resourcePath":"/order","apis":[{"path":"/order/{id}","operations":[{"method":"GET","nickname":"one","summary":"One order","parameters":[{"name":"id","paramType":"path","type":"string","required":true}]}]}]}"#;
    orders.swagger_12 = Some(upgrade::old::apis::Swagger12 { root: Some(root.into()), parts: vec![("order".into(), part.into())] });
    let (translation, _) = taken.planned(None).await;
    balanced(&translation);
    let api = |name: &str, version: &str| {
        &translation.apis.iter().find(|a| a.value.api.name == name && a.value.api.version == version).unwrap().value
    };
    let orders = api("Orders", "1.0.0");
    assert_eq!((orders.api.context.as_str(), orders.api.context_template.as_str()), ("/orders/1.0.0", "/orders/{version}"));
    let delete = orders.api.operations.iter().find(|o| o.verb == "DELETE").unwrap();
    assert_eq!(delete.scopes, ["order_delete"]);
    assert!(orders.definition.open().text.contains("One order"));
    let invoices = api("Invoices", "1.0");
    assert_eq!(invoices.api.operations.iter().find(|o| o.target == "/invoice/{id}").unwrap().scopes, ["invoice_read"]);
    assert_eq!(api("Pets", "1.0.0").api.context, "/t/acme.com/pets/1.0.0");
    // Definitions nobody wrote are made from the resources.
    assert_eq!(spec::parse(&invoices.definition.open().text).unwrap().operations.len(), 3);
}

#[tokio::test]
async fn what_people_may_do_follows_from_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up(), folder.path()).await;
    let db = carried(&taken, folder.path()).await;
    let mut tx = db.read().await.unwrap();
    let bindings = db::rest_scopes::list(&mut tx, TenantId::SUPER).await.unwrap();
    let roles = |scope: &str| bindings.iter().find(|b| b.scope == scope).unwrap().roles.clone();
    assert_eq!(roles("apim:api_create"), ["admin", "Internal/creator", "API-Team", "creator"]);
    assert_eq!(roles("apim:api_publish"), ["admin", "Internal/publisher", "API-Team", "publisher"]);
    assert_eq!(roles("apim:tier_manage"), ["admin", "Internal/tier-keepers"]);
    assert_eq!(roles("apim:subscribe"), ["admin", "Internal/subscriber", "Internal/devops", "API-Team"]);
    let user = |name: &'static str| (name, TenantId::SUPER);
    for ((name, tenant), expected) in [
        (user("admin"), vec!["admin", "Internal/subscriber", "Internal/console_client"]),
        (user("alice"), vec!["creator", "publisher"]),
        (user("paula"), vec!["publisher", "Internal/tier-keepers"]),
        (("tina", TenantId(1)), vec!["Internal/subscriber"]),
    ] {
        assert_eq!(db::users::find(&mut tx, tenant, model::PRIMARY_STORE, name).await.unwrap().unwrap().roles, expected, "{name}");
    }
    assert!(db::users::find(&mut tx, TenantId::SUPER, model::PRIMARY_STORE, "frank").await.unwrap().unwrap().locked);
}

#[tokio::test]
async fn limits_keys_and_tokens_are_exactly_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let site = made_up();
    let taken = dumped(&site, folder.path()).await;
    let db = carried(&taken, folder.path()).await;
    let mut tx = db.read().await.unwrap();
    for tenant in [TenantId::SUPER, TenantId(1)] {
        for tier in &site.tiers {
            let plan = db::policies::subscription::find_by_name(&mut tx, tenant, &tier.name).await.unwrap().unwrap();
            let application = db::policies::application::find_by_name(&mut tx, tenant, &tier.name).await.unwrap().unwrap();
            let resource = db::policies::advanced::find_by_name(&mut tx, tenant, &tier.name).await.unwrap().unwrap();
            for limit in [plan.limit, application.limit, resource.limit] {
                assert_eq!(
                    (limit.quota, limit.window_ms()),
                    (model::Quota::Requests(tier.count.into()), tier.unit_ms.cast_signed()),
                    "{}",
                    tier.name
                );
            }
            assert_eq!(
                (plan.stop_on_quota, plan.billing.name(), &plan.attributes),
                (tier.stop_on_quota, tier.billing_plan.as_str(), &tier.attributes)
            );
        }
    }
    let gold = db::policies::subscription::find_by_name(&mut tx, TenantId::SUPER, "Gold").await.unwrap().unwrap();
    assert_eq!(gold.permission, Some(model::PlanPermission { allow: false, roles: vec!["Internal/guest".into()] }));
    for client in site.clients() {
        let found = db::clients::find(&mut tx, &client.key).await.unwrap().unwrap();
        assert_eq!((found.secret.expose(), &found.name), (&client.secret, &client.name));
        assert!(!found.grants.iter().any(|g| g == "application_token"));
    }
    let ledger = db::applications::find_by_owner_and_name(&mut tx, TenantId::SUPER, "erin", "Ledger").await.unwrap().unwrap();
    assert_eq!(ledger.number, 5);
    let keys = db::key_mappings::list(&mut tx, ledger.id).await.unwrap();
    assert_eq!(keys[0].allowed_domains, ["books.example", "ledger.example"]);
    assert_eq!(keys[1].state, model::KeyState::Created);
    let jobs = db::applications::find_by_owner_and_name(&mut tx, TenantId::SUPER, "dave", "Night Jobs").await.unwrap().unwrap();
    assert_eq!(jobs.groups, ["night-shift"]);
    let key = db::key_mappings::list(&mut tx, jobs.id).await.unwrap().remove(0).consumer_key.unwrap();
    assert_eq!(db::clients::find(&mut tx, &key).await.unwrap().unwrap().lifetimes.application_secs, Some(-1));
    for token in &site.tokens {
        let found = db::tokens::find_by_access(&mut tx, &token.access).await.unwrap();
        assert_eq!(found.is_some(), token.state == "ACTIVE", "{}", token.state);
        let Some(found) = found else { continue };
        let forever = token.validity_ms < 0 || token.validity_ms == i64::MAX;
        assert_eq!(found.expires_at, (!forever).then(|| Timestamp(token.created_ms + token.validity_ms)));
        assert_eq!(found.refresh_expires_at, None, "1.9 gave refresh tokens no end of their own");
        assert_eq!(found.scopes.join(" "), token.scopes);
        if let Some(refresh) = &token.refresh {
            assert_eq!(db::tokens::find_by_refresh(&mut tx, refresh).await.unwrap().unwrap().id, found.id);
        }
    }
    assert_eq!(
        db::subscriptions::list_all(&mut tx).await.unwrap().len(),
        site.subscriptions.iter().filter(|s| s.create_state == "SUBSCRIBE").count()
    );
    let application: ApplicationId = ledger.id;
    let states = db::subscriptions::list_of_application(&mut tx, application, 10, 0).await.unwrap().items;
    let mut names: Vec<&str> = states.iter().map(|s| s.state.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["BLOCKED", "ON_HOLD", "UNBLOCKED"]);
}

#[tokio::test]
async fn a_large_site_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let size = Size { users: 40, apis: 500, applications: 100, subscriptions_each: 5, tokens: 2_000 };
    let site = oldsite::Site::generated(size, 3, "http://127.0.0.1:9000", NOW_MS);
    let taken = dumped(&site, folder.path()).await;
    let started = std::time::Instant::now();
    let db = carried(&taken, folder.path()).await;
    println!("500 APIs, 500 subscriptions and 2,000 tokens taken over and compared in {:?}", started.elapsed());
    assert_eq!(apis(&db).await.len(), site.apis.len());
}
