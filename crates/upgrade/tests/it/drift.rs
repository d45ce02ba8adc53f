//! Both sides go on living between two runs: what each did meanwhile must neither be lost, nor undone, nor stop the next run.

use std::path::Path;

use db::Db;
use model::{AuthType, Secret, StoredPassword, TenantId, TokenState, User};
use oldsite::{Dialect, mysql::Blobs};
use upgrade::{
    plan::Plan,
    report::Report,
    source::Location,
    translate::{About, Severity, Translation},
};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, equal, target},
};

async fn dumped(site: &oldsite::Site, folder: &Path) -> Taken {
    Taken::dumps(dumps(&written(site, Dialect::MySql(Blobs::Escaped), folder)), NOW_MS).await
}

/// A site taken over, and a folder for each of its later states.
struct Road {
    folders: Vec<tempfile::TempDir>,
    taken: Taken,
    db: Db,
}

impl Road {
    async fn begun() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let taken = dumped(&made_up(), folder.path()).await;
        let db = target(folder.path()).open_or_make().await.unwrap();
        taken.applied(&db).await;
        Self { folders: vec![folder], taken, db }
    }

    /// The source as it is by now.
    async fn later(&mut self, site: &oldsite::Site) {
        let folder = tempfile::tempdir().unwrap();
        self.taken = dumped(site, folder.path()).await;
        self.folders.push(folder);
    }

    async fn user(&self, name: &str) -> User {
        db::users::find(&mut self.db.read().await.unwrap(), TenantId::SUPER, model::PRIMARY_STORE, name).await.unwrap().unwrap()
    }
}

/// Whether a report tells this, to people and to machines.
fn tells(taken: &Taken, (translation, plan): &(Translation, Plan), words: &str) -> bool {
    let report = Report::new("plan", &taken.old, translation, plan);
    report.findings.iter().any(|f| f.severity == Severity::Warning && f.words.contains(words)) && report.text().contains(words)
}

#[tokio::test]
async fn a_refresh_token_that_was_used_again_there_renews_the_newer_token_here() {
    let mut road = Road::begun().await;
    let mut site = made_up();
    let (old, foreign) = (site.tokens[2].clone(), site.tokens[0].clone());
    let old_refresh = old.refresh.clone().map(Secret::new);
    // The old product renewed the access token and kept the refresh token; the new row may come first.
    site.tokens[2].state = "INACTIVE".to_owned();
    let (mut once, mut twice) = (old.clone(), foreign);
    once.access = "renewed-once".to_owned();
    twice.access = "renewed-twice".to_owned();
    site.tokens.insert(0, once);
    // And once more, of a token that is still active.
    site.tokens.push(twice);
    road.later(&site).await;
    let planned = road.taken.planned(Some(&road.db)).await;
    assert!(!planned.1.is_refused(), "{:?}", planned.1.conflicts);
    road.taken.applied(&road.db).await;
    let mut tx = road.db.read().await.unwrap();
    let renewed = db::tokens::find_by_access(&mut tx, "renewed-once").await.unwrap().unwrap();
    assert_eq!((renewed.state, renewed.refresh.as_ref()), (TokenState::Active, old_refresh.as_ref()));
    // The other use was by a token that comes later in the source than one with the same refresh token, which keeps it.
    let twice = db::tokens::find_by_access(&mut tx, "renewed-twice").await.unwrap().unwrap();
    assert_eq!((twice.state, twice.refresh), (TokenState::Active, None));
    assert_eq!(db::tokens::find_by_access(&mut tx, &old.access).await.unwrap().unwrap().state, TokenState::Revoked);
    drop(tx);
    let verification = road.taken.verify(&road.db).await;
    equal(&verification);
    assert_eq!(verification.without_refresh, 0);
    assert_eq!(road.taken.applied(&road.db).await.batches, 0);
}

#[tokio::test]
async fn a_refresh_token_that_was_used_here_does_not_come_alive_again() {
    // Used here before the old row ended there, and after.
    for ended_first in [false, true] {
        let mut road = Road::begun().await;
        let mut site = made_up();
        let old = site.tokens[2].clone();
        let mut renewed = old.clone();
        renewed.access = "renewed-there".to_owned();
        site.tokens[2].state = "INACTIVE".to_owned();
        if ended_first {
            road.later(&site).await;
        }
        let mut tx = road.db.write().await.unwrap();
        let here = db::tokens::find_by_access(&mut tx, &old.access).await.unwrap().unwrap();
        assert!(db::tokens::revoke(&mut tx, here.id, road.taken.now).await.unwrap());
        tx.commit().await.unwrap();
        if ended_first {
            road.taken.applied(&road.db).await;
        }
        site.tokens.push(renewed);
        road.later(&site).await;
        let planned = road.taken.planned(Some(&road.db)).await;
        assert!(tells(&road.taken, &planned, "has the same refresh token"));
        road.taken.applied(&road.db).await;
        let mut tx = road.db.read().await.unwrap();
        let there = db::tokens::find_by_access(&mut tx, "renewed-there").await.unwrap().unwrap();
        assert_eq!((there.state, there.refresh), (TokenState::Active, None));
        let holder = db::tokens::find_by_refresh(&mut tx, old.refresh.as_deref().unwrap()).await.unwrap().unwrap();
        assert_eq!((holder.id, holder.state), (here.id, TokenState::Revoked));
        drop(tx);
        assert_eq!(road.taken.verify(&road.db).await.without_refresh, 1);
    }
}

#[tokio::test]
async fn a_refresh_token_moves_after_its_row_was_ended_by_a_pass_before() {
    let mut road = Road::begun().await;
    let mut site = made_up();
    let old = site.tokens[2].clone();
    site.tokens[2].state = "INACTIVE".to_owned();
    road.later(&site).await;
    road.taken.applied(&road.db).await;
    let mut renewed = old.clone();
    renewed.access = "renewed-there".to_owned();
    site.tokens.push(renewed);
    road.later(&site).await;
    road.taken.applied(&road.db).await;
    let mut tx = road.db.read().await.unwrap();
    let holder = db::tokens::find_by_refresh(&mut tx, old.refresh.as_deref().unwrap()).await.unwrap().unwrap();
    assert_eq!((holder.state, holder), (TokenState::Active, db::tokens::find_by_access(&mut tx, "renewed-there").await.unwrap().unwrap()));
}

#[tokio::test]
async fn a_record_deleted_here_stays_deleted_and_one_deleted_there_stays_here_and_both_are_told() {
    let mut road = Road::begun().await;
    let mut site = made_up();
    site.apis[0].description = "Changed since".to_owned();
    let gone = site.subscriptions.pop().unwrap();
    road.later(&site).await;
    let id = site.apis[0].uuid.parse().unwrap();
    let mut tx = road.db.write().await.unwrap();
    for subscription in db::subscriptions::list_all(&mut tx).await.unwrap().into_iter().filter(|s| s.api == id) {
        db::subscriptions::delete(&mut tx, subscription.id).await.unwrap();
    }
    db::apis::delete(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    let planned = road.taken.planned(Some(&road.db)).await;
    let tally = planned.1.tallies.iter().find(|t| t.kind == "APIs").unwrap();
    assert_eq!((tally.changed, tally.deleted), (0, 1));
    assert!(tells(&road.taken, &planned, "deleted here") && tells(&road.taken, &planned, "gone from the source"));
    assert!(planned.1.findings.iter().any(|f| f.origin == format!("subscriptions {}", gone.id)), "{:?}", planned.1.findings);
    let done = road.taken.applied(&road.db).await;
    assert_eq!(done.batches, 0, "{:?}", done.tallies);
    assert!(db::apis::find(&mut road.db.read().await.unwrap(), id).await.unwrap().is_none());
    let verification = road.taken.verify(&road.db).await;
    assert!(verification.differences.iter().any(|d| d.kind == "APIs" && d.field == "record"));
    let (translation, plan) = planned;
    let report = Report::new("verify", &road.taken.old, &translation, &plan).with_verification(&verification);
    assert!(report.text().contains("1 subscriptions carried before are gone from the source since"), "{}", report.text());
}

#[tokio::test]
async fn a_password_renewed_by_signing_in_outlives_a_change_of_roles() {
    let mut road = Road::begun().await;
    let alice = road.user("alice").await;
    let renewed = StoredPassword::Argon2id(Secret::new("$argon2id$renewed".to_owned()));
    let mut tx = road.db.write().await.unwrap();
    assert!(db::users::rehash(&mut tx, alice.id, alice.password.as_ref().unwrap(), &renewed).await.unwrap());
    tx.commit().await.unwrap();
    let mut site = made_up();
    let old = site.users.iter_mut().find(|u| u.name == "alice").unwrap();
    old.attributes.push(("mail".to_owned(), "alice@since.example".to_owned()));
    road.later(&site).await;
    assert_eq!(road.taken.applied(&road.db).await.batches, 1);
    let after = road.user("alice").await;
    assert_ne!(after.attributes, alice.attributes);
    assert_eq!(after.password, Some(renewed));
    equal(&road.taken.verify(&road.db).await);
    // A password set in the old installation since is another matter.
    let installation = &mut road.taken.old.installation;
    let old = installation.users.iter_mut().find(|u| u.name == "alice").unwrap();
    old.changed = old.changed.map(|at| at + chrono::TimeDelta::days(1));
    road.taken.applied(&road.db).await;
    assert!(matches!(road.user("alice").await.password, Some(StoredPassword::Legacy { .. })));
}

#[tokio::test]
async fn an_administrator_in_use_is_nobodys_default() {
    let folder = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up(), folder.path()).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    let user = |name: &str| User {
        id: model::UserId::random(),
        tenant: TenantId::SUPER,
        store: model::PRIMARY_STORE.into(),
        name: name.into(),
        password: Some(StoredPassword::Argon2id(Secret::new("$argon2id$x".into()))),
        roles: vec!["admin".into()],
        attributes: Vec::new(),
        locked: false,
        must_change_password: false,
        password_changed_at: taken.now,
        created_at: taken.now,
    };
    let mut tx = db.write().await.unwrap();
    db::bootstrap::tenant(&mut tx, &model::Tenant::super_tenant(taken.now)).await.unwrap();
    db::users::insert(&mut tx, &user("alice")).await.unwrap();
    tx.commit().await.unwrap();
    let refused = async || {
        let (_, plan) = taken.planned(Some(&db)).await;
        plan.conflicts.iter().filter(|c| c.kind == "users").map(|c| c.words.clone()).collect::<Vec<_>>()
    };
    assert_eq!(refused().await, ["user alice is already there"], "an administrator of another name was made by somebody");
    let mut tx = db.write().await.unwrap();
    db::users::insert(&mut tx, &user("admin")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(refused().await.len(), 2, "an administrator who has made another is somebody");
}

#[tokio::test]
async fn nothing_is_fine_with_rows_that_failed_or_are_not_accounted_for() {
    let road = Road::begun().await;
    let (translation, plan) = road.taken.planned(Some(&road.db)).await;
    let verification = road.taken.verify(&road.db).await;
    let again = async || road.taken.planned(Some(&road.db)).await.0;
    let fine = |command, translation: &Translation, verification: &upgrade::verify::Verification| {
        let report = Report::new(command, &road.taken.old, translation, &plan);
        let report = if command == "verify" { report.with_verification(verification) } else { report };
        report.is_fine()
    };
    for command in ["assess", "plan", "verify"] {
        assert!(fine(command, &translation, &verification), "{command}");
        let mut unbalanced = again().await;
        unbalanced.ledger.rows("AM_API", 1);
        assert!(!fine(command, &unbalanced, &verification), "{command}: unbalanced");
        let mut blocked = again().await;
        blocked.findings[0].severity = Severity::Blocking;
        assert!(!fine(command, &blocked, &verification), "{command}: blocked");
    }
    let mut failed = again().await;
    failed.ledger.rows("AM_API", 1);
    failed.ledger.failed("AM_API", "unreadable", 1);
    assert!(!fine("verify", &failed, &verification), "rows failed");
    let mut misread = verification.clone();
    misread.unreadable = 1;
    assert!(!fine("verify", &translation, &misread), "tokens unreadable");
    // Nothing is written with rows unaccounted for.
    let mut unbalanced = translation;
    unbalanced.ledger.rows("AM_API", 1);
    let (old, input) = (&road.taken.old, road.taken.old.input(&road.taken.map, road.taken.now));
    let refused = upgrade::apply::apply(&unbalanced, &plan, &input, &old.site, &road.db, road.taken.all(), &|_, _, _| {}).await;
    assert!(matches!(refused, Err(upgrade::apply::ApplyError::Unbalanced(1))));
}

#[tokio::test]
async fn a_token_row_that_does_not_read_is_told_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up(), Dialect::MySql(Blobs::Escaped), folder.path());
    let text = std::fs::read_to_string(&written.am_sql).unwrap();
    assert!(text.contains("-2000"));
    std::fs::write(&written.am_sql, text.replacen("-2000", "'long'", 1)).unwrap();
    let taken = Taken::dumps(dumps(&written), NOW_MS).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    let verification = taken.verify(&db).await;
    assert_eq!((verification.is_equal(), verification.unreadable), (true, 1));
    let (translation, plan) = taken.planned(Some(&db)).await;
    let report = Report::new("verify", &taken.old, &translation, &plan).with_verification(&verification);
    assert!(!report.is_fine() && report.text().contains("1 token row(s) of the source could not be read"), "{}", report.text());
}

#[tokio::test]
async fn a_time_zone_that_was_not_given_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let locations: Vec<Location> = dumps(&written(&made_up(), Dialect::MySql(Blobs::Escaped), folder.path()));
    for (zone, missed) in [(None, true), (Some(chrono_tz::UTC), false)] {
        let place = upgrade::Place { databases: locations.clone(), zone, ..upgrade::Place::default() };
        let taken = Taken::of(&place, NOW_MS).await;
        let planned = taken.planned(None).await;
        assert_eq!(tells(&taken, &planned, "time zone was not given"), missed);
        let report = Report::new("plan", &taken.old, &planned.0, &planned.1);
        assert_eq!(report.findings.iter().any(|f| f.about == About::Installation && f.origin == "--source-timezone"), missed);
    }
}

/// The other comparison translates anew, so a fault in the translation is on both its sides.
#[tokio::test]
async fn a_fault_of_the_translation_is_seen_in_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up(), folder.path()).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    let (mut faulty, plan) = taken.planned(None).await;
    let api = &mut faulty.apis.iter_mut().find(|a| a.value.api.operations.iter().any(|o| !o.scopes.is_empty())).unwrap().value.api;
    let scoped = api.operations.iter().position(|o| !o.scopes.is_empty()).unwrap();
    api.operations[scoped].scopes.clear();
    let other = (scoped + 1) % api.operations.len();
    api.operations[other].auth = if api.operations[other].auth == AuthType::None { AuthType::Any } else { AuthType::None };
    let plan_of = |p: &&mut upgrade::translate::Carried<model::SubscriptionPolicy>| !p.value.limit.is_unlimited();
    faulty.subscription_policies.iter_mut().find(plan_of).unwrap().value.limit = model::Limit::per_minute(77);
    let blocked = faulty.subscriptions.iter().position(|s| s.value.state == model::SubscriptionState::Blocked).unwrap();
    faulty.subscriptions.set_state(blocked, model::SubscriptionState::Unblocked);
    let input = taken.old.input(&taken.map, taken.now);
    upgrade::apply::apply(&faulty, &plan, &input, &taken.old.site, &db, taken.all(), &|_, _, _| {}).await.unwrap();
    let verification = upgrade::verify::verify(&faulty, &input, &taken.old.site, &db).await.unwrap();
    let told: Vec<(&str, &str)> = verification.differences.iter().map(|d| (d.kind, d.source.as_str())).collect();
    for kind in ["who may call what, by URL mapping", "limits by policy and tier", "which subscriptions hold, by row"] {
        assert!(told.iter().any(|(k, _)| *k == kind), "{kind}: {told:?}");
    }
    assert_eq!(verification.straight.iter().find(|c| c.kind.starts_with("who may call")).unwrap().different, 2, "{told:?}");
    assert!(verification.kinds.iter().all(|c| c.different == 0), "only the rows can tell");
}

#[tokio::test]
async fn an_index_that_says_another_thing_than_the_record_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let taken = dumped(&made_up(), folder.path()).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    let file = format!("sqlite:{}", folder.path().join("data/tidegate.db").display());
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&file).await.unwrap();
    let sql = "UPDATE api SET context = context || 'x', provider = 'somebody' WHERE id = (SELECT id FROM api ORDER BY id LIMIT 1)";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    let verification = taken.verify(&db).await;
    let told: Vec<&str> = verification.differences.iter().map(|d| d.target.as_str()).collect();
    assert_eq!(told, ["another provider, context"]);
}

/// The scopes of a token are a table of their own from 1.10 on, which counts as part of the tokens.
#[tokio::test]
async fn a_row_of_a_tokens_scopes_that_does_not_read_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let site = made_up().of_version(oldsite::Version::V2_0_0);
    let written = written(&site, Dialect::MySql(Blobs::Escaped), folder.path());
    let text = std::fs::read(&written.am_sql).unwrap();
    // The first scope of the first token: bytes that are no UTF-8.
    let head = b"INSERT INTO `IDN_OAUTH2_ACCESS_TOKEN_SCOPE` VALUES (".as_slice();
    let at = text.windows(head.len()).position(|window| window == head).unwrap() + head.len();
    let scope = text[at..].windows(3).position(|window| window == b",'d" || window == b",'a").unwrap() + at + 2;
    let broken = [&text[..scope], b"\xff\xfe", &text[scope..]].concat();
    std::fs::write(&written.am_sql, broken).unwrap();
    let taken = Taken::dumps(dumps(&written), NOW_MS).await;
    let (translation, plan) = taken.planned(None).await;
    let account = translation.ledger.of("IDN_OAUTH2_ACCESS_TOKEN_SCOPE").unwrap();
    assert_eq!(account.failed.values().sum::<u64>(), 1, "{account:?}");
    assert_eq!(account.merged, account.rows - 1);
    crate::taking::balanced(&translation);
    assert!(Report::new("plan", &taken.old, &translation, &plan).is_fine());
}
