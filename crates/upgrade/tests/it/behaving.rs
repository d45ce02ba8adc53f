//! The same call is decided the same way before and after: every token of the made-up site against every operation, by the old rules and by
//! what the new database holds, whatever zone the old server ran in; and a change that callers would feel is told.

use chrono::{FixedOffset, Offset as _, TimeZone as _};
use chrono_tz::Tz;
use db::Db;
use model::{Secret, SubscriptionState};
use oldsite::{Dialect, mysql::Blobs};
use upgrade::{Place, verify::Compared};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, equal, target},
};

struct Over {
    taken: Taken,
    db: Db,
    _folder: tempfile::TempDir,
}

async fn over(zone: Tz) -> Over {
    let offset: FixedOffset = zone.timestamp_millis_opt(NOW_MS).unwrap().offset().fix();
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up().in_time_zone(offset), Dialect::MySql(Blobs::Escaped), folder.path());
    let place = Place { home: Some(written.home.clone()), databases: dumps(&written), zone: Some(zone), ..Place::default() };
    let taken = Taken::of(&place, NOW_MS).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    Over { taken, db, _folder: folder }
}

impl Over {
    async fn calls(&self) -> Compared {
        let verification = self.taken.verify(&self.db).await;
        verification.straight.into_iter().find(|c| c.kind == "calls compared").unwrap()
    }
}

#[tokio::test]
async fn every_token_opens_the_same_doors_in_any_zone() {
    let mut sums = Vec::new();
    for zone in [chrono_tz::UTC, chrono_tz::Asia::Colombo, chrono_tz::America::New_York] {
        let over = over(zone).await;
        equal(&over.taken.verify(&over.db).await);
        let calls = over.calls().await;
        println!("{zone}: {} calls compared", calls.source);
        // Thirteen tokens and nobody, on more than twenty operations.
        assert!(calls.source > 250 && calls.equal == calls.source, "{calls:?}");
        sums.push((calls.source, calls.source_checksum, calls.target_checksum));
    }
    sums.dedup();
    assert_eq!(sums.len(), 1, "the zone changes no decision: {sums:?}");
}

#[tokio::test]
async fn a_refresh_token_leads_to_one_token_and_renews_it_once() {
    for zone in [chrono_tz::Asia::Colombo, chrono_tz::America::New_York] {
        let over = over(zone).await;
        let mut tx = over.db.write().await.unwrap();
        let mut renewed = 0;
        for old in made_up().tokens.iter().filter(|t| t.state == "ACTIVE") {
            let Some(refresh) = &old.refresh else { continue };
            let found = db::tokens::find_by_refresh(&mut tx, refresh).await.unwrap().unwrap();
            assert_eq!(found.refresh, Some(Secret::new(refresh.clone())));
            assert!(db::tokens::revoke(&mut tx, found.id, over.taken.now).await.unwrap());
            assert!(!db::tokens::revoke(&mut tx, found.id, over.taken.now).await.unwrap());
            renewed += 1;
        }
        assert_eq!(renewed, 8);
    }
}

#[tokio::test]
async fn a_change_that_callers_would_feel_is_told() {
    let over = over(chrono_tz::UTC).await;
    assert_eq!(over.calls().await.different, 0);
    // A subscription that is blocked here.
    let mut tx = over.db.write().await.unwrap();
    let mut held = db::subscriptions::list_all(&mut tx).await.unwrap();
    let first = held.iter_mut().find(|s| s.state == SubscriptionState::Unblocked && s.plan == "TenPerSecond").unwrap();
    first.state = SubscriptionState::Blocked;
    db::subscriptions::update(&mut tx, first).await.unwrap();
    tx.commit().await.unwrap();
    let blocked = over.calls().await.different;
    assert!(blocked > 0);
    // A key that may be used from anywhere.
    let mut tx = over.db.write().await.unwrap();
    let keys = db::key_mappings::list_all(&mut tx).await.unwrap();
    let mut key = keys.into_iter().find(|k| k.allowed_domains.len() == 2).unwrap();
    key.allowed_domains.clear();
    db::key_mappings::update(&mut tx, &key).await.unwrap();
    tx.commit().await.unwrap();
    let unbound = over.calls().await.different;
    assert!(unbound > blocked, "{unbound}");
    // A frozen revision whose operations ask for no scope, as somebody might deploy it.
    let mut tx = over.db.write().await.unwrap();
    let served = db::served::list(&mut tx, db::bootstrap::DEFAULT_ENVIRONMENT).await.unwrap();
    let scoped = served.iter().find(|s| s.api.name == "Orders" && s.api.version == "1.0.0").unwrap();
    let mut revision = db::revisions::find(&mut tx, scoped.revision).await.unwrap().unwrap();
    let mut api = (*revision.content).clone();
    api.operations.iter_mut().for_each(|o| o.scopes.clear());
    revision.content = std::sync::Arc::new(api);
    revision.id = model::RevisionId::derived(&["open"]);
    revision.number += 1;
    revision.description = None;
    db::revisions::insert(&mut tx, &revision).await.unwrap();
    let mut deployed = db::deployments::list(&mut tx, revision.api).await.unwrap().remove(0);
    deployed.revision = revision.id;
    db::deployments::put(&mut tx, &deployed).await.unwrap();
    tx.commit().await.unwrap();
    let verification = over.taken.verify(&over.db).await;
    assert!(verification.differences.iter().any(|d| d.source == "without scope" && d.target.starts_with("passes as")));
    assert!(verification.differences.iter().any(|d| d.kind == "what gateways run" && d.target == "another content"));
}

/// Wherever a token is ended, the end is noted; a state that somebody wrote past that is no use of the token.
#[tokio::test]
async fn a_token_that_nobody_ended_has_not_lived_on() {
    let over = over(chrono_tz::UTC).await;
    let tokens = |verification: upgrade::verify::Verification| {
        let of = verification.kinds.into_iter().find(|c| c.kind == "tokens").unwrap();
        let told: Vec<_> = verification.differences.into_iter().filter(|d| d.kind == "tokens").map(|d| d.target).collect();
        (of.lived_on, of.different, told)
    };
    let mut tx = over.db.write().await.unwrap();
    let used = db::tokens::find_by_access(&mut tx, &made_up().tokens[0].access).await.unwrap().unwrap();
    let other = db::tokens::find_by_access(&mut tx, &made_up().tokens[1].access).await.unwrap().unwrap();
    assert!(db::tokens::revoke(&mut tx, used.id, over.taken.now.plus_secs(5)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(tokens(over.taken.verify(&over.db).await), (1, 0, Vec::new()));
    // Said to have ended before it was carried, and so by nobody.
    let mut tx = over.db.write().await.unwrap();
    assert!(db::tokens::revoke(&mut tx, other.id, over.taken.now.plus_secs(-86_400)).await.unwrap());
    tx.commit().await.unwrap();
    let (lived_on, different, told) = tokens(over.taken.verify(&over.db).await);
    assert_eq!((lived_on, different), (1, 1));
    assert_eq!(told, ["REVOKED, and nobody ended it since it was carried"]);
}

/// Policies of 2.x with condition groups: a group whose address, limit or inversion differs is told, and one that is gone.
#[tokio::test]
async fn condition_groups_are_compared_by_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let site = made_up().of_version(oldsite::Version::V2_0_0);
    let taken = Taken::dumps(dumps(&written(&site, Dialect::MySql(Blobs::Escaped), folder.path())), NOW_MS).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    let groups = async || {
        let verification = taken.verify(&db).await;
        verification.straight.into_iter().find(|c| c.kind == "condition groups of advanced policies, by row").unwrap()
    };
    let whole = groups().await;
    assert!(whole.source > 1 && whole.equal == whole.source, "{whole:?}");
    let mut tx = db.read().await.unwrap();
    let gold = db::policies::advanced::find_by_name(&mut tx, model::TenantId::SUPER, "Gold").await.unwrap().unwrap();
    drop(tx);
    let changes: [fn(&mut model::AdvancedPolicy); 4] = [
        |p| p.groups[0].limit = model::Limit::per_minute(41),
        |p| p.groups[0].conditions[0].inverted = !p.groups[0].conditions[0].inverted,
        |p| drop(p.groups[0].conditions.pop()),
        |p| p.groups.clear(),
    ];
    for change in changes {
        let mut changed = gold.clone();
        change(&mut changed);
        let mut tx = db.write().await.unwrap();
        assert!(db::policies::advanced::update(&mut tx, &changed).await.unwrap());
        tx.commit().await.unwrap();
        let found = groups().await;
        assert!(found.different + found.missing > 0, "{:?}: {found:?}", changed.groups);
    }
}
