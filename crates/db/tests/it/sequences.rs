//! Mediation sequences.

use db::sequences;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! { sequences_come_back_whole, an_api_takes_its_sequences_along, names_repeat_but_files_do_not }

fn sequence(id: &str, place: SequencePlace, file: &str) -> StoredSequence {
    StoredSequence {
        id: id.to_owned(),
        tenant: TenantId::SUPER,
        place,
        name: "log".to_owned(),
        file: file.to_owned(),
        content: Secret::new(b"\xef\xbb\xbf<sequence name='log'/>\xff".to_vec()),
        additions: None,
    }
}

async fn sequences_come_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let api = plain_api("Pizza", "1");
    let mut tx = stage.db.write().await.unwrap();
    db::apis::insert(&mut tx, &api).await.unwrap();
    let places = [
        SequencePlace::Shared(Flow::In),
        SequencePlace::Api(api.id, Flow::Out),
        SequencePlace::Gateway,
        SequencePlace::LocalEntry,
        SequencePlace::Endpoint,
    ];
    let mut all: Vec<StoredSequence> = places.into_iter().zip(1..).map(|(p, n)| sequence(&format!("s{n}"), p, "log.xml")).collect();
    all[2].additions = Some(Secret::new("<sequence/>".to_owned()));
    sequences::insert_many(&mut tx, &all).await.unwrap();
    for one in &all {
        assert_eq!(sequences::find(&mut tx, &one.id).await.unwrap().as_ref(), Some(one));
        assert_eq!(sequences::find_by_file(&mut tx, TenantId::SUPER, one.place, "log.xml").await.unwrap().as_ref(), Some(one));
        assert_eq!(sequences::find_by_file(&mut tx, ACME, one.place, "log.xml").await.unwrap(), None);
    }
    assert_eq!(sequences::list_common(&mut tx, TenantId::SUPER).await.unwrap().len(), 4);
    assert_eq!(sequences::list_common(&mut tx, ACME).await.unwrap().len(), 0);
    assert_eq!(sequences::list_of_api(&mut tx, api.id).await.unwrap(), [all[1].clone()]);
    let changed = StoredSequence { place: SequencePlace::Shared(Flow::Fault), additions: None, ..all[2].clone() };
    assert!(sequences::update(&mut tx, &changed).await.unwrap());
    assert_eq!(sequences::find(&mut tx, "s3").await.unwrap(), Some(changed));
    assert!(sequences::delete(&mut tx, "s3").await.unwrap());
    assert!(!sequences::delete(&mut tx, "s3").await.unwrap());
    assert!(!sequences::update(&mut tx, &all[2]).await.unwrap());
}

async fn an_api_takes_its_sequences_along(stage: Stage) {
    tenants(&stage.db).await;
    let api = plain_api("Pizza", "1");
    let mut tx = stage.db.write().await.unwrap();
    db::apis::insert(&mut tx, &api).await.unwrap();
    sequences::insert_many(&mut tx, &[sequence("s1", SequencePlace::Api(api.id, Flow::In), "a.xml")]).await.unwrap();
    assert!(db::apis::delete(&mut tx, api.id).await.unwrap());
    assert_eq!(sequences::find(&mut tx, "s1").await.unwrap(), None);
}

async fn names_repeat_but_files_do_not(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    let place = SequencePlace::Shared(Flow::In);
    sequences::insert_many(&mut tx, &[sequence("s1", place, "a.xml"), sequence("s2", place, "b.xml")]).await.unwrap();
    let fault = sequences::insert_many(&mut tx, &[sequence("s3", place, "a.xml")]).await.unwrap_err();
    assert!(matches!(fault, db::Error::Duplicate { .. }), "{fault:?}");
}
