//! Plans as files: the same for the same, another for anything else, and held against what is found when they are followed.

use db::Db;
use oldsite::{Dialect, mysql::Blobs};
use upgrade::{
    apply::Options,
    fingerprint::Print,
    journal::{Note, Onward},
    plan_file::{PlanFile, PlanFileError, PlanOptions},
};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, target},
    widely::content,
};

const MYSQL: Dialect = Dialect::MySql(Blobs::Escaped);

async fn dumped(site: &oldsite::Site, folder: &std::path::Path) -> Taken {
    Taken::dumps(dumps(&written(site, MYSQL, folder)), NOW_MS).await
}

/// The plan that `plan` would write, or, where `run` is one that was interrupted, what `apply` finds when it goes on with it.
async fn file(taken: &Taken, db: Option<&Db>, run: Option<i64>) -> PlanFile {
    let input = taken.old.input(&taken.map, taken.now);
    let mut translation = upgrade::translate::translate(&input);
    let mut plan = upgrade::plan::plan_within(&translation, &taken.old.source, db, run).await.unwrap();
    upgrade::plan::plan_tokens_within(&mut plan, &mut translation, &input, &taken.old.site, db, run).await.unwrap();
    PlanFile::of(&taken.old, &translation, &plan, PlanOptions::default())
}

fn print<'a>(file: &'a PlanFile, kind: &str) -> &'a Print {
    file.records.iter().find(|print| print.kind == kind).unwrap()
}

#[tokio::test]
async fn the_same_source_makes_the_same_bytes_and_no_secret_is_in_them() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let site = made_up();
    let mut taken = dumped(&site, folders[0].path()).await;
    let first = file(&taken, None, None).await;
    assert!(first.is_ready());
    let text = first.text().unwrap();
    // From another folder, and read again: no path and no order of a table is in it.
    assert_eq!(file(&dumped(&site, folders[1].path()).await, None, None).await.text().unwrap(), text);
    // The clock goes on, and tokens run out.
    taken.now = taken.now.plus_secs(3600 * 24 * 365);
    assert_eq!(file(&taken, None, None).await.text().unwrap(), text);
    let secrets =
        site.clients().flat_map(|c| [&c.secret]).chain(site.tokens.iter().flat_map(|t| [Some(&t.access), t.refresh.as_ref()]).flatten());
    // The administrator's password is his name, and that is in it.
    for secret in secrets.chain(site.users.iter().map(|u| &u.password)).filter(|secret| *secret != "admin") {
        assert!(!text.contains(secret.as_str()), "{secret} is in the plan");
    }
    // It reads back as it was.
    let path = folders[2].path().join("plan.json");
    std::fs::write(&path, &text).unwrap();
    assert_eq!(PlanFile::read(&path).unwrap(), first);
    assert_eq!(first.digest(), PlanFile::read(&path).unwrap().digest());
}

#[tokio::test]
async fn whatever_changes_in_the_source_is_told_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let first = file(&dumped(&made_up(), folder.path()).await, None, None).await;
    let told = async |change: &dyn Fn(&mut oldsite::Site)| {
        let folder = tempfile::tempdir().unwrap();
        let mut site = made_up();
        change(&mut site);
        let now = file(&dumped(&site, folder.path()).await, None, None).await;
        assert_ne!(now.digest(), first.digest());
        let deviations = first.deviations(&now);
        assert!(!deviations.basic && deviations.lines.len() == deviations.kinds.len(), "{deviations:?}");
        deviations.kinds
    };
    assert_eq!(told(&|site| site.tokens[0].refresh = Some("another".to_owned())).await, ["tokens"]);
    assert_eq!(told(&|site| site.apis[0].description = "Another".to_owned()).await, ["APIs"]);
    let secret = |site: &mut oldsite::Site| {
        let application = site.applications.iter_mut().find(|a| a.keys.iter().any(|k| k.client.is_some())).unwrap();
        application.keys.iter_mut().find_map(|k| k.client.as_mut()).unwrap().secret = "another".to_owned();
    };
    assert_eq!(told(&secret).await, ["OAuth clients"]);
    assert_eq!(told(&|site| site.users[0].password = "another".to_owned()).await, ["users"]);
    assert_eq!(told(&|site| drop(site.subscriptions.pop())).await, ["subscriptions"]);
    // Other options make another plan, whatever the records.
    let mut other = first.clone();
    other.options.leave_encrypted = true;
    other.options.endpoint_map = Some("abc".to_owned());
    let deviations = first.deviations(&other);
    assert!(deviations.basic && deviations.kinds.is_empty() && deviations.lines.len() == 2, "{deviations:?}");
}

#[tokio::test]
async fn an_interrupted_run_is_found_to_follow_its_plan_wherever_it_stopped() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let taken = dumped(&made_up(), folders[0].path()).await;
    let whole = target(folders[0].path()).open_or_make().await.unwrap();
    taken.applied(&whole).await;
    let expected = content(&whole).await;
    let plan = file(&taken, None, None).await;
    // One target, stopped and gone on with again and again.
    let db = target(folders[1].path()).open_or_make().await.unwrap();
    let note = |onward| Note { plan: Some(plan.digest()), onward, ..Note::unplanned(taken.now) };
    let options = |onward| Options { batch: 4, stop_after: Some(7), note: note(onward), ..taken.all() };
    let mut onward = Onward::Refuse;
    let mut stops = 0;
    while let Err(stopped) = taken.apply(&db, options(onward)).await {
        assert!(matches!(stopped, upgrade::apply::ApplyError::Stopped(7)), "{stopped:?}");
        stops += 1;
        onward = Onward::Resume;
        let run = upgrade::journal::interrupted(&db, &taken.old.source, &note(onward)).await.unwrap().unwrap();
        let found = file(&taken, Some(&db), Some(run.id)).await;
        assert_eq!(plan.deviations(&found).lines, [""; 0], "after {stops} stops");
        // To who does not know of the run, it is another plan by now.
        assert!(!plan.deviations(&file(&taken, Some(&db), None).await).lines.is_empty());
    }
    assert!(stops > 3);
    assert_eq!(content(&db).await, expected);
    let mut tx = db.read().await.unwrap();
    let run = db::journal::last_done(&mut tx, &taken.old.source, "apply", "done").await.unwrap().unwrap();
    assert_eq!((run.plan, run.resumed), (Some(plan.digest()), stops));
    // The journal holds every batch, and all that was written.
    let sums = db::journal::sums(&mut tx, run.id).await.unwrap();
    for kind in ["users", "APIs", "subscriptions", "tokens"] {
        let sum = sums.iter().find(|sum| sum.kind == kind).unwrap();
        assert_eq!(
            sum.added + sum.replaced,
            print(&plan, kind).add - if kind == "tokens" { over(&plan, &taken).await } else { 0 },
            "{kind}"
        );
    }
}

/// Tokens that are active in the source and whose time is over.
async fn over(plan: &PlanFile, taken: &Taken) -> u64 {
    let (_, planned) = taken.planned(None).await;
    print(plan, "tokens").add - planned.tallies.iter().find(|t| t.kind == "tokens").unwrap().new
}

#[tokio::test]
async fn another_plan_is_not_gone_on_with_and_a_newer_one_can_take_its_place() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let taken = dumped(&made_up(), folders[0].path()).await;
    let db = target(folders[0].path()).open_or_make().await.unwrap();
    let options = |plan: &str, onward, stop_after| Options {
        batch: 4,
        stop_after,
        note: Note { plan: Some(plan.to_owned()), onward, ..Note::unplanned(taken.now) },
        ..taken.all()
    };
    taken.apply(&db, options("one", Onward::Refuse, Some(5))).await.unwrap_err();
    let before = content(&db).await;
    for (plan, onward, words) in [("two", Onward::Resume, "follows another plan"), ("one", Onward::Refuse, "was interrupted")] {
        let refused = taken.apply(&db, options(plan, onward, None)).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
    assert_eq!(content(&db).await, before, "nothing was written");
    taken.apply(&db, options("two", Onward::Supersede, None)).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let runs = db::journal::list(&mut tx, 9).await.unwrap();
    let told: Vec<_> = runs.iter().map(|r| (r.id, r.plan.as_deref(), r.outcome.as_deref())).collect();
    assert_eq!(told, [(2, Some("two"), Some("done")), (1, Some("one"), Some("superseded"))]);
    drop(tx);
    let whole = target(folders[1].path()).open_or_make().await.unwrap();
    taken.applied(&whole).await;
    assert_eq!(content(&db).await, content(&whole).await);
}

#[test]
fn what_is_no_plan_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let refused = |text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        PlanFile::read(&path).unwrap_err()
    };
    assert!(matches!(PlanFile::read(&folder.path().join("none")), Err(PlanFileError::Unreadable { .. })));
    assert!(matches!(refused(b"no JSON"), PlanFileError::Malformed { .. }));
    assert!(matches!(refused(b"{}"), PlanFileError::OtherVersion { .. }));
    let version = env!("CARGO_PKG_VERSION");
    let old = format!(r#"{{"format": "tidegate-upgrade-plan-0", "tidegate": "{version}"}}"#);
    assert!(matches!(refused(old.as_bytes()), PlanFileError::OtherVersion { .. }));
    let short = format!(r#"{{"format": "tidegate-upgrade-plan-1", "tidegate": "{version}", "extra": 1}}"#);
    assert!(matches!(refused(short.as_bytes()), PlanFileError::Malformed { .. }));
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(65 * 1024 * 1024).unwrap();
    assert!(matches!(PlanFile::read(&path), Err(PlanFileError::TooLarge { .. })));
}
