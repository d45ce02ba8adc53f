//! The whole road, from an old installation to a new one that was compared with it.

use db::Db;
use model::{TenantId, Timestamp};
use oldsite::{Dialect, mysql::Blobs};
use upgrade::{Old, Place, old::oauth::Tokens, report::Report, source::Location};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, balanced, equal, target},
};

fn mysql_dump(site: &oldsite::Site, folder: &std::path::Path) -> Vec<Location> {
    dumps(&written(site, Dialect::MySql(Blobs::Escaped), folder))
}

#[tokio::test]
async fn a_sample_is_taken_over_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let taken = Taken::dumps(mysql_dump(&made_up(), folder.path()), NOW_MS).await;
    let (translation, plan) = taken.planned(None).await;
    println!("{}", Report::new("plan", &taken.old, &translation, &plan).text());
    balanced(&translation);
    assert!(!translation.is_blocked() && !plan.is_refused());
    let db = target(folder.path()).open_or_make().await.unwrap();
    let first = taken.applied(&db).await;
    assert!(first.batches > 10);
    equal(&taken.verify(&db).await);
    let head = db::outbox::head(&mut db.read().await.unwrap()).await.unwrap();
    let second = taken.applied(&db).await;
    assert_eq!(second.batches, 0, "{:?}", second.tallies);
    assert_eq!(db::outbox::head(&mut db.read().await.unwrap()).await.unwrap(), head);
}

/// A real sample's folder; `None`, saying so, when there are none.
fn real(name: &str) -> Option<Place> {
    let home = crate::samples::sample(name)?;
    Some(Place { home: Some(home), zone: Some(chrono_tz::UTC), ..Place::default() })
}

async fn taken_over(name: &str, now_ms: i64) -> Option<(tempfile::TempDir, Taken, Db)> {
    let place = real(name)?;
    let folder = tempfile::tempdir().unwrap();
    let taken = Taken::of(&place, now_ms).await;
    let (translation, plan) = taken.planned(None).await;
    println!("{}", Report::new("plan", &taken.old, &translation, &plan).text());
    balanced(&translation);
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    assert_eq!(taken.applied(&db).await.batches, 0);
    Some((folder, taken, db))
}

#[tokio::test]
async fn unused_installations_give_their_administrators_and_limits() {
    for name in ["wso2am-1.8.0-empty", "wso2am-1.9.0-empty"] {
        let Some((_folder, taken, db)) = taken_over(name, NOW_MS).await else { return };
        assert!(taken.old.installation.apis.is_empty());
        let mut tx = db.read().await.unwrap();
        assert_eq!(db::users::count(&mut tx, TenantId::SUPER).await.unwrap(), taken.old.installation.users.len() as u64);
    }
}

#[tokio::test]
async fn a_used_2_1_0_is_taken_over() {
    let Some((_folder, taken, db)) = taken_over("wso2am-2.1.0-small", NOW_MS).await else { return };
    let mut tx = db.read().await.unwrap();
    let id = taken.old.installation.apis[0].uuid.as_deref().unwrap().parse().unwrap();
    let api = db::apis::find(&mut tx, id).await.unwrap().unwrap();
    assert_eq!(api.context, taken.old.installation.apis[0].row.as_ref().unwrap().context.clone().unwrap());
    assert_eq!(db::subscriptions::count_of_api(&mut tx, id).await.unwrap(), 1);
}

#[tokio::test]
async fn a_used_2_6_0_keeps_its_key_and_its_token() {
    let Some(place) = real("wso2am-2.6.0-small") else { return };
    // The moment at which the sample's token was issued.
    let first = Old::read(&place).await.unwrap();
    let token = Tokens::open(&first.site)
        .await
        .unwrap()
        .next_batch(10)
        .await
        .unwrap()
        .into_iter()
        .find(|t| t.state.as_deref() == Some("ACTIVE"))
        .unwrap();
    let issued = token.created.unwrap().and_utc().timestamp_millis();
    let Some((_folder, taken, db)) = taken_over("wso2am-2.6.0-small", issued + 1).await else { return };
    let mut tx = db.read().await.unwrap();
    let old = &taken.old.installation;
    let key = old.key_mappings.get(0).unwrap().consumer_key.unwrap();
    let client = db::clients::find(&mut tx, &key).await.unwrap().unwrap();
    assert_eq!(Some(&client.secret), old.oauth_clients.iter().find(|c| c.key == key).unwrap().secret.as_ref());
    let found = db::tokens::find_by_access(&mut tx, token.access_token.expose()).await.unwrap().unwrap();
    assert_eq!(found.client, key);
    assert_eq!(found.issued_at, Timestamp(issued));
    assert_eq!(found.expires_at, Some(Timestamp(issued + token.validity_ms.unwrap())));
    assert_eq!(found.holder.aut(), "APPLICATION");
}
