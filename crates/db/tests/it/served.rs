//! What a gateway reads.

use db::served;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! { a_revision_is_served_with_todays_state, single_things_are_read_by_a_changes_id }

async fn a_revision_is_served_with_todays_state(stage: Stage) {
    tenants(&stage.db).await;
    let mut api = full_api();
    let frozen = revision(&api, 1);
    let mut tx = stage.db.write().await.unwrap();
    db::apis::insert(&mut tx, &api).await.unwrap();
    db::revisions::insert(&mut tx, &frozen).await.unwrap();
    db::deployments::put(&mut tx, &deployment(&frozen, "Default")).await.unwrap();
    api.state = LifecycleState::Blocked;
    api.is_default_version = false;
    api.description = Some("changed, but not deployed".to_owned());
    db::apis::update(&mut tx, &api).await.unwrap();
    let expected = Api { state: LifecycleState::Blocked, is_default_version: false, ..(*frozen.content).clone() };
    let listed = served::list(&mut tx, "Default").await.unwrap();
    assert_eq!(listed.iter().map(|s| (&*s.api, s.revision)).collect::<Vec<_>>(), [(&expected, frozen.id)]);
    assert_eq!(served::find(&mut tx, "Default", api.id).await.unwrap().map(|s| s.revision), Some(frozen.id));
    assert!(served::find(&mut tx, "Default", ApiId::random()).await.unwrap().is_none());
    assert!(served::list(&mut tx, "Asia").await.unwrap().is_empty());
}

async fn single_things_are_read_by_a_changes_id(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    let (plan, policy, strict) = (
        default_subscription_policies(ACME).remove(0),
        default_application_policies(ACME).remove(0),
        default_advanced_policies(ACME).remove(0),
    );
    db::policies::subscription::insert(&mut tx, &plan).await.unwrap();
    db::policies::application::insert(&mut tx, &policy).await.unwrap();
    db::policies::advanced::insert(&mut tx, &strict).await.unwrap();
    assert_eq!(served::subscription_policy(&mut tx, plan.id).await.unwrap(), Some(plan));
    assert_eq!(served::application_policy(&mut tx, policy.id).await.unwrap(), Some(policy));
    assert_eq!(served::advanced_policy(&mut tx, strict.id).await.unwrap(), Some(strict));
    assert_eq!(served::advanced_policy(&mut tx, PolicyId::random()).await.unwrap(), None);
    let eternal = IssuedToken { expires_at: None, ..jwt("c", "j2") };
    db::tokens::insert_many(&mut tx, &[opaque_token("c", "t1"), eternal]).await.unwrap();
    let ends = Some(Some(NOW.plus_secs(3600)));
    assert_eq!(served::revoked_until(&mut tx, &served::opaque_name("t1")).await.unwrap(), ends);
    assert_eq!(served::revoked_until(&mut tx, "j2").await.unwrap(), Some(None));
    assert_eq!(served::revoked_until(&mut tx, "t1").await.unwrap(), None);
}
