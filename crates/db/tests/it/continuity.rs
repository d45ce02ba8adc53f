//! What tenants and APIs keep of an old installation's ways.

use db::continuity;
use db::outbox::Thing;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    a_tenants_switches_come_back_whole,
    an_apis_switches_come_back_whole_and_go_with_it,
}

async fn a_tenants_switches_come_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let mut of_acme = Continuity {
        tenant: ACME,
        error_format: ErrorFormat::Xml1(Generation::V1_9),
        token_paths: true,
        domain_restriction: false,
        token_kinds: true,
        domain_header: Some("X-Site".to_owned()),
        backend_jwt: Some(BackendJwt {
            form: JwtForm::Old(Generation::V1_9),
            header: "X-Who".to_owned(),
            dialect: "urn:claims".to_owned(),
            signed: false,
            encoding: JwtEncoding::Base64Url,
            lifetime_secs: 60,
            user_claims: true,
        }),
    };
    let mut tx = stage.db.write().await.unwrap();
    assert_eq!(continuity::find(&mut tx, ACME).await.unwrap(), None);
    continuity::put(&mut tx, &of_acme).await.unwrap();
    assert_eq!(continuity::find(&mut tx, ACME).await.unwrap().as_ref(), Some(&of_acme));
    of_acme.backend_jwt = None;
    of_acme.error_format = ErrorFormat::Accept(Generation::V2_1);
    of_acme.token_paths = false;
    of_acme.domain_restriction = true;
    of_acme.token_kinds = false;
    of_acme.domain_header = None;
    continuity::put(&mut tx, &of_acme).await.unwrap();
    let of_super = Continuity { backend_jwt: Some(BackendJwt::of_4_0()), ..Continuity::none(TenantId::SUPER) };
    continuity::put(&mut tx, &of_super).await.unwrap();
    assert_eq!(continuity::list(&mut tx).await.unwrap(), [of_super, of_acme]);
    assert!(continuity::delete(&mut tx, ACME).await.unwrap());
    assert!(!continuity::delete(&mut tx, ACME).await.unwrap());
    assert!(continuity::put(&mut tx, &Continuity::none(TenantId(99))).await.is_err());
}

async fn an_apis_switches_come_back_whole_and_go_with_it(stage: Stage) {
    tenants(&stage.db).await;
    let api = plain_api("Shop", "1");
    let mut tx = stage.db.write().await.unwrap();
    db::apis::insert(&mut tx, &api).await.unwrap();
    let mut differs = ApiContinuity {
        error_format: Some(ErrorFormat::Json40),
        domain_restriction: Some(false),
        token_kinds: Some(true),
        backend_jwt: Some(true),
        ..ApiContinuity::none(api.id)
    };
    continuity::put_api(&mut tx, &differs).await.unwrap();
    assert_eq!(continuity::find_api(&mut tx, api.id).await.unwrap().as_ref(), Some(&differs));
    differs.error_format = None;
    differs.domain_restriction = None;
    differs.token_kinds = Some(false);
    differs.backend_jwt = Some(false);
    continuity::put_api(&mut tx, &differs).await.unwrap();
    assert_eq!(continuity::list_apis(&mut tx).await.unwrap(), [differs.clone()]);
    // Who follows in everything has no row.
    continuity::put_api(&mut tx, &ApiContinuity::none(api.id)).await.unwrap();
    assert_eq!(continuity::find_api(&mut tx, api.id).await.unwrap(), None);
    assert!(!continuity::delete_api(&mut tx, api.id).await.unwrap());
    continuity::put_api(&mut tx, &differs).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = stage.db.write().await.unwrap();
    let noted = db::outbox::after(&mut tx, 0, 1_000).await.unwrap();
    assert!(noted.iter().any(|(_, change)| change.thing == Thing::ApiContinuity && change.id == api.id.to_string()));
    assert!(db::apis::delete(&mut tx, api.id).await.unwrap());
    assert_eq!(continuity::list_apis(&mut tx).await.unwrap(), []);
}
