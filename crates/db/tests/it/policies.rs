//! Throttling policies of the three families.

use db::policies::{advanced, application, subscription};
use model::*;
use serde_json::json;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    subscription_policies_come_back_whole,
    application_policies_come_back_whole,
    advanced_policies_come_back_whole,
    a_name_is_free_in_another_family_and_tenant,
    an_application_uses_its_policy,
    deny_policies_come_back_whole,
    custom_rules_come_back_whole,
}

fn gold() -> SubscriptionPolicy {
    SubscriptionPolicy {
        id: PolicyId::random(),
        tenant: TenantId::SUPER,
        name: "Gold".to_owned(),
        display_name: Some("Gold!".to_owned()),
        description: None,
        limit: Limit { quota: Quota::Bandwidth { amount: 5, unit: BandwidthUnit::Gb }, unit_time: 2, time_unit: TimeUnit::Month },
        burst: Some(Burst { count: 9, unit: TimeUnit::Second }),
        stop_on_quota: false,
        billing: BillingPlan::Commercial,
        graphql_max_depth: 3,
        graphql_max_complexity: 4,
        subscriber_count: 5,
        attributes: vec![("k".to_owned(), "v".to_owned())],
        permission: Some(PlanPermission { allow: false, roles: texts(&["Internal/guest"]) }),
        monetization: Some(json!({"type": "FIXEDRATE"})),
    }
}

async fn subscription_policies_come_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let mut policy = gold();
    let mut tx = stage.db.write().await.unwrap();
    subscription::insert(&mut tx, &policy).await.unwrap();
    assert_eq!(subscription::find(&mut tx, TenantId::SUPER, policy.id).await.unwrap().as_ref(), Some(&policy));
    assert_eq!(subscription::find(&mut tx, ACME, policy.id).await.unwrap(), None);
    assert_eq!(subscription::find_by_name(&mut tx, TenantId::SUPER, "Gold").await.unwrap().as_ref(), Some(&policy));
    assert_eq!(subscription::find_by_name(&mut tx, TenantId::SUPER, "gold").await.unwrap(), None);
    policy.limit = Limit { quota: Quota::Events(7), unit_time: 1, time_unit: TimeUnit::Day };
    policy.burst = None;
    policy.permission = None;
    assert!(subscription::update(&mut tx, &policy).await.unwrap());
    assert_eq!(subscription::list(&mut tx, TenantId::SUPER).await.unwrap(), [policy.clone()]);
    assert_eq!(subscription::list_all(&mut tx).await.unwrap(), [policy.clone()]);
    assert!(subscription::delete(&mut tx, policy.id).await.unwrap());
    assert!(!subscription::delete(&mut tx, policy.id).await.unwrap());
    assert!(!subscription::update(&mut tx, &policy).await.unwrap());
}

async fn application_policies_come_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let policies = default_application_policies(ACME);
    let mut tx = stage.db.write().await.unwrap();
    application::insert_many(&mut tx, &policies).await.unwrap();
    assert_eq!(application::list(&mut tx, ACME).await.unwrap(), policies);
    assert_eq!(application::list(&mut tx, TenantId::SUPER).await.unwrap(), []);
    assert_eq!(application::find_by_name(&mut tx, ACME, "20PerMin").await.unwrap().as_ref(), Some(&policies[1]));
}

async fn advanced_policies_come_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let kinds = [
        ConditionKind::Header { name: "h".to_owned(), value: "a.*".to_owned() },
        ConditionKind::Ip("10.0.0.1".to_owned()),
        ConditionKind::IpRange { start: "10.0.0.1".to_owned(), end: "10.0.0.9".to_owned() },
        ConditionKind::JwtClaim { claim: "c".to_owned(), value: "v".to_owned() },
        ConditionKind::Query { name: "q".to_owned(), value: "v".to_owned() },
    ];
    let conditions = kinds.into_iter().map(|kind| Condition { inverted: true, kind }).collect();
    let policy = AdvancedPolicy {
        id: PolicyId::random(),
        tenant: TenantId::SUPER,
        name: "Strict".to_owned(),
        display_name: None,
        description: Some("d".to_owned()),
        limit: Limit::per_minute(5),
        per_user: true,
        groups: vec![ConditionalGroup { description: None, conditions, limit: Limit::unlimited() }],
    };
    let mut tx = stage.db.write().await.unwrap();
    advanced::insert(&mut tx, &policy).await.unwrap();
    assert_eq!(advanced::find(&mut tx, TenantId::SUPER, policy.id).await.unwrap(), Some(policy));
}

async fn a_name_is_free_in_another_family_and_tenant(stage: Stage) {
    tenants(&stage.db).await;
    let elsewhere = SubscriptionPolicy { tenant: ACME, id: PolicyId::random(), ..gold() };
    let mut tx = stage.db.write().await.unwrap();
    subscription::insert_many(&mut tx, &[gold(), elsewhere]).await.unwrap();
    let twin = ApplicationPolicy {
        id: PolicyId::random(),
        tenant: TenantId::SUPER,
        name: "Gold".to_owned(),
        display_name: None,
        description: None,
        limit: Limit::unlimited(),
    };
    application::insert(&mut tx, &twin).await.unwrap();
    assert!(!application::delete(&mut tx, gold().id).await.unwrap());
    assert!(subscription::insert(&mut tx, &gold()).await.unwrap_err().is_duplicate("policy", "name"));
}

async fn an_application_uses_its_policy(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    db::applications::insert(&mut tx, &application_of("20PerMin")).await.unwrap();
    assert!(application::in_use(&mut tx, TenantId::SUPER, "20PerMin").await.unwrap());
    assert!(!application::in_use(&mut tx, TenantId::SUPER, "50PerMin").await.unwrap());
    assert!(!application::in_use(&mut tx, ACME, "20PerMin").await.unwrap());
}

fn application_of(policy: &str) -> Application {
    Application { policy: policy.to_owned(), ..crate::fixtures::application("admin", "App") }
}

async fn deny_policies_come_back_whole(stage: Stage) {
    use db::deny_policies;
    tenants(&stage.db).await;
    let text = |t: &str| t.to_owned();
    let all = [
        Denial::Api(text("/pizza/1.0.0")),
        Denial::Application { owner: text("bob"), name: text("My: App") },
        Denial::Ip { address: text("10.0.0.7"), inverted: true },
        Denial::IpRange { start: text("10.0.0.1"), end: text("10.0.0.9"), inverted: false },
        Denial::Subscription(text("/pizza/1.0.0:1.0.0:bob-App:SANDBOX")),
        Denial::User(text("bob@acme.com")),
    ]
    .map(|refused| DenyPolicy { id: PolicyId::random(), tenant: TenantId::SUPER, refused, enabled: true });
    let mut tx = stage.db.write().await.unwrap();
    deny_policies::insert_many(&mut tx, &all).await.unwrap();
    assert_eq!(deny_policies::list(&mut tx, TenantId::SUPER).await.unwrap(), all);
    assert_eq!(deny_policies::list(&mut tx, ACME).await.unwrap(), []);
    let mut one = all[0].clone();
    assert_eq!(deny_policies::find_same(&mut tx, TenantId::SUPER, &one.refused).await.unwrap().as_ref(), Some(&one));
    assert_eq!(deny_policies::find_same(&mut tx, ACME, &one.refused).await.unwrap(), None);
    assert_eq!(deny_policies::find(&mut tx, ACME, one.id).await.unwrap(), None);
    one.enabled = false;
    assert!(deny_policies::update(&mut tx, &one).await.unwrap());
    assert_eq!(deny_policies::find(&mut tx, TenantId::SUPER, one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(db::served::deny_policy(&mut tx, one.id).await.unwrap().as_ref(), Some(&one));
    assert!(deny_policies::delete(&mut tx, one.id).await.unwrap());
    assert!(!deny_policies::delete(&mut tx, one.id).await.unwrap());
    assert!(!deny_policies::update(&mut tx, &one).await.unwrap());
    assert_eq!(deny_policies::list_all(&mut tx).await.unwrap().len(), 5);
    // Another tenant may refuse the same; one tenant not twice.
    let again = DenyPolicy { id: PolicyId::random(), tenant: ACME, ..all[1].clone() };
    deny_policies::insert(&mut tx, &again).await.unwrap();
    let twice = DenyPolicy { id: PolicyId::random(), ..all[1].clone() };
    let clash = deny_policies::insert(&mut tx, &twice).await.unwrap_err();
    assert!(matches!(clash, db::Error::Duplicate { .. }), "{clash:?}");
}

async fn custom_rules_come_back_whole(stage: Stage) {
    use db::policies::custom;
    tenants(&stage.db).await;
    let mut rule = CustomRule {
        id: PolicyId::random(),
        tenant: TenantId::SUPER,
        name: "Night".to_owned(),
        description: Some("words".to_owned()),
        key_template: "$userId".to_owned(),
        query: "FROM RequestStream SELECT userId".to_owned(),
        deployed: true,
    };
    let mut tx = stage.db.write().await.unwrap();
    custom::insert(&mut tx, &rule).await.unwrap();
    assert_eq!(custom::list_all(&mut tx).await.unwrap(), std::slice::from_ref(&rule));
    rule.query = "another".to_owned();
    rule.deployed = false;
    assert!(custom::update(&mut tx, &rule).await.unwrap());
    assert_eq!(custom::find(&mut tx, TenantId::SUPER, rule.id).await.unwrap(), Some(rule.clone()));
    assert!(custom::delete(&mut tx, rule.id).await.unwrap());
    assert_eq!(custom::find_by_name(&mut tx, TenantId::SUPER, "Night").await.unwrap(), None);
}
