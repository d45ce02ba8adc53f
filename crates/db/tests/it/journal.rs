//! The upgrade's journal and what its book tells a rollback.

use db::Error;
use db::journal::{Batch, Run};
use db::origins::{Entry, Origin, Shelf, Step, Written};
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    a_run_is_opened_noted_and_closed,
    two_who_write_for_one_run_clash,
    what_was_set_aside_comes_back_once,
    the_book_says_how_a_record_came,
    strangers_are_who_the_book_does_not_know,
    a_tenant_goes_with_what_it_started_with,
}

fn run(source: &str) -> Run {
    Run {
        id: 0,
        source: source.to_owned(),
        command: "apply".to_owned(),
        plan: Some("abc".to_owned()),
        options: "{}".to_owned(),
        as_of: NOW,
        started_at: NOW,
        ended_at: None,
        outcome: None,
        resumed: 0,
    }
}

fn batch(number: i64, kind: &str) -> Batch {
    Batch {
        number,
        kind: kind.to_owned(),
        added: 2,
        replaced: 0,
        changed: 1,
        removed: 0,
        first_key: format!("{number}a"),
        last_key: format!("{number}z"),
        at: NOW.plus_secs(number),
    }
}

async fn a_run_is_opened_noted_and_closed(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    let first = db::journal::open(&mut tx, &run("a")).await.unwrap();
    let second = db::journal::open(&mut tx, &run("b")).await.unwrap();
    assert_eq!((first, second), (1, 2));
    for (number, kind) in [(1, "users"), (2, "users"), (3, "APIs")] {
        db::journal::note(&mut tx, first, &batch(number, kind)).await.unwrap();
    }
    assert_eq!(db::journal::last_number(&mut tx, first).await.unwrap(), 3);
    assert_eq!(db::journal::last_number(&mut tx, second).await.unwrap(), 0);
    assert_eq!(db::journal::batches(&mut tx, first, 2, 9).await.unwrap(), [batch(2, "users"), batch(3, "APIs")]);
    let sums = db::journal::sums(&mut tx, first).await.unwrap();
    assert_eq!(
        sums.iter().map(|s| (s.kind.as_str(), s.batches, s.added, s.changed)).collect::<Vec<_>>(),
        [("users", 2, 4, 2), ("APIs", 1, 2, 1)]
    );
    assert_eq!((sums[0].first_key.as_str(), sums[0].last_key.as_str(), sums[0].last_at), ("1a", "2z", NOW.plus_secs(2)));
    assert_eq!(db::journal::unended(&mut tx, "a").await.unwrap(), Some(Run { id: 1, ..run("a") }));
    assert_eq!(db::journal::unended(&mut tx, "c").await.unwrap(), None);
    assert!(db::journal::resume(&mut tx, first).await.unwrap());
    assert_eq!(db::journal::last_done(&mut tx, "a", "apply", "done").await.unwrap(), None);
    assert!(db::journal::close(&mut tx, first, "done", NOW.plus_secs(9)).await.unwrap());
    assert!(!db::journal::close(&mut tx, first, "another", NOW).await.unwrap());
    assert!(!db::journal::resume(&mut tx, first).await.unwrap());
    assert_eq!(db::journal::unended(&mut tx, "a").await.unwrap(), None);
    let done = db::journal::last_done(&mut tx, "a", "apply", "done").await.unwrap().unwrap();
    assert_eq!((done.id, done.ended_at, done.outcome.as_deref(), done.resumed), (1, Some(NOW.plus_secs(9)), Some("done"), 1));
    assert_eq!(db::journal::list(&mut tx, 9).await.unwrap().iter().map(|r| r.id).collect::<Vec<_>>(), [2, 1]);
}

async fn two_who_write_for_one_run_clash(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    let id = db::journal::open(&mut tx, &run("a")).await.unwrap();
    db::journal::note(&mut tx, id, &batch(1, "users")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = stage.db.write().await.unwrap();
    let clash = db::journal::note(&mut tx, id, &batch(1, "APIs")).await.unwrap_err();
    assert!(clash.is_duplicate("upgrade_batch", "number"), "{clash}");
    drop(tx);
    let mut tx = stage.db.write().await.unwrap();
    assert!(matches!(db::journal::note(&mut tx, 99, &batch(1, "APIs")).await, Err(Error::Reference(_))));
}

async fn what_was_set_aside_comes_back_once(stage: Stage) {
    let secret = |text: &str| Secret::new(text.to_owned());
    let mut tx = stage.db.write().await.unwrap();
    db::journal::set_aside(&mut tx, "a", "users", "1", &secret("first")).await.unwrap();
    db::journal::set_aside(&mut tx, "a", "users", "1", &secret("second")).await.unwrap();
    assert_eq!(db::journal::take_out(&mut tx, "b", "users", "1").await.unwrap(), None);
    assert_eq!(db::journal::take_out(&mut tx, "a", "users", "1").await.unwrap(), Some(secret("first")));
    assert_eq!(db::journal::take_out(&mut tx, "a", "users", "1").await.unwrap(), None);
}

async fn the_book_says_how_a_record_came(stage: Stage) {
    let written = |key: &str, step, hash: &str| Written {
        old_key: key.to_owned(),
        origin: Origin { new_id: format!("new-{key}"), content_hash: hash.to_owned() },
        step,
        unused_hash: (key == "b").then(|| "u".to_owned()),
    };
    let mut tx = stage.db.write().await.unwrap();
    db::origins::put(&mut tx, "am", "users", "old", &Origin { new_id: "o".to_owned(), content_hash: "h".to_owned() }).await.unwrap();
    let first = [written("a", Step::New, "1"), written("b", Step::Replaced, "1")];
    db::origins::write_many(&mut tx, "am", "users", 1, &first).await.unwrap();
    let second = [written("a", Step::Changed, "2"), written("b", Step::Changed, "2")];
    db::origins::write_many(&mut tx, "am", "users", 2, &second).await.unwrap();
    let entry = |key: &str, replaced| Entry {
        old_key: key.to_owned(),
        origin: Origin { new_id: format!("new-{key}"), content_hash: "2".to_owned() },
        replaced,
        run: Some(2),
        step: Some(Step::Changed),
        unused_hash: replaced.then(|| "u".to_owned()),
    };
    let all = db::origins::entries(&mut tx, "am", "users", "", 9).await.unwrap();
    assert_eq!(all[..2], [entry("a", false), entry("b", true)]);
    assert_eq!((all[2].old_key.as_str(), all[2].run, all[2].step, all[2].replaced), ("old", None, None, false));
    assert_eq!(db::origins::entries(&mut tx, "am", "users", "a", 1).await.unwrap(), [entry("b", true)]);
    let found = db::origins::find_many(&mut tx, "am", "users", &["b", "none"]).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("b".to_owned(), entry("b", true))]);
    assert_eq!(db::origins::sources(&mut tx).await.unwrap(), ["am"]);
    assert_eq!(db::origins::forget_many(&mut tx, "am", "users", &["a", "b", "c"]).await.unwrap(), 2);
    assert_eq!(db::origins::count(&mut tx, "am", "users").await.unwrap(), 1);
}

async fn strangers_are_who_the_book_does_not_know(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(NOW)).await.unwrap();
    let (known, stranger) = (user("known"), user("stranger"));
    db::users::insert_many(&mut tx, &[known.clone(), stranger.clone()]).await.unwrap();
    let note = |id: String| Origin { new_id: id, content_hash: "h".to_owned() };
    db::origins::put(&mut tx, "am", "users", "1", &note(known.id.to_string())).await.unwrap();
    assert_eq!(db::origins::strangers(&mut tx, "am", "users", Shelf::Users).await.unwrap(), [stranger.id.to_string()]);
    assert_eq!(db::origins::strangers(&mut tx, "other", "users", Shelf::Users).await.unwrap().len(), 2);
    let tenant = Tenant { id: TenantId(7), domain: "seven.example".to_owned(), ..Tenant::super_tenant(NOW) };
    db::bootstrap::tenant(&mut tx, &tenant).await.unwrap();
    assert_eq!(db::origins::strangers(&mut tx, "am", "tenants", Shelf::Tenants).await.unwrap(), ["7"]);
    db::origins::put(&mut tx, "am", "tenants", "7", &note("7".to_owned())).await.unwrap();
    assert_eq!(db::origins::strangers(&mut tx, "am", "tenants", Shelf::Tenants).await.unwrap(), [""; 0]);
    for shelf in [
        Shelf::SharedScopes,
        Shelf::Apis,
        Shelf::Documents,
        Shelf::Comments,
        Shelf::Ratings,
        Shelf::Sequences,
        Shelf::Clients,
        Shelf::Applications,
        Shelf::KeyMappings,
        Shelf::Subscriptions,
    ] {
        assert_eq!(db::origins::strangers(&mut tx, "am", "any", shelf).await.unwrap(), [""; 0], "{shelf:?}");
    }
    let defaults = default_application_policies(TenantId::SUPER).len() * 2;
    assert_eq!(db::origins::strangers(&mut tx, "am", "any", Shelf::ApplicationPolicies).await.unwrap().len(), defaults);
}

async fn a_tenant_goes_with_what_it_started_with(stage: Stage) {
    let tenant = Tenant { id: TenantId(7), domain: "seven.example".to_owned(), ..Tenant::super_tenant(NOW) };
    let theirs = User { tenant: tenant.id, ..user("carol") };
    let mut tx = stage.db.write().await.unwrap();
    db::bootstrap::tenant(&mut tx, &tenant).await.unwrap();
    db::users::insert(&mut tx, &theirs).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = stage.db.write().await.unwrap();
    assert!(matches!(db::tenants::delete(&mut tx, tenant.id).await, Err(Error::Reference(_))), "somebody is in it");
    drop(tx);
    let mut tx = stage.db.write().await.unwrap();
    db::users::delete(&mut tx, theirs.id, NOW).await.unwrap();
    assert!(db::tenants::delete(&mut tx, tenant.id).await.unwrap());
    assert!(!db::tenants::delete(&mut tx, tenant.id).await.unwrap());
    assert!(db::roles::list(&mut tx, tenant.id).await.unwrap().is_empty());
    tx.commit().await.unwrap();
}
