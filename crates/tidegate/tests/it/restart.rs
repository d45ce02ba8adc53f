//! Stopped and started again, everything is where it was.

use serde_json::json;
use testkit::{Backend, Caller, House, Rest, api};

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let backend = Backend::start().await;
    let first = House::on(&data).await;
    let rest = Rest::admin(&first).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    let revoked = rest.caller.token(&keys.client, "gone").await;
    rest.caller.oauth2("revoke", &keys.client, &[("token", &revoked)]).await.expect(200);
    let granted = rest.caller.password_grant(&keys.client, "admin", testkit::ADMIN_PASSWORD, "default").await;
    rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    let signed_in = rest.token.clone();
    first.stop().await;

    let second = House::on(&data).await;
    assert!(!second.made_up_a_password());
    let caller = Caller::new(&second);
    caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    caller.get("/pizza/1.0.0/x", &revoked).await.refused(401, 900_901);
    let refreshed = [("grant_type", "refresh_token"), ("refresh_token", granted["refresh_token"].as_str().unwrap())];
    let renewed = caller.oauth2("token", &keys.client, &refreshed).await.expect(200);
    caller.get("/pizza/1.0.0/x", renewed["access_token"].as_str().unwrap()).await.expect(200);
    let again = Rest::admin(&second).await;
    assert_eq!(again.client, rest.client, "registering the same client again gives the same one");
    let old_session = Rest { token: signed_in, ..again.clone() };
    assert_eq!(old_session.get("publisher/v2/apis").await["list"][0]["id"], id.as_str());
    // New work goes on where the old left off.
    let next = again.publish(&api("Pasta", &backend.url())).await;
    again.subscribe(&keys.application, &next, "Unlimited").await;
    caller.get("/pasta/1.0.0/x", &keys.token).await.expect(200);
    second.stop().await;
}

#[tokio::test]
async fn a_restart_hands_out_no_fresh_quota() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let backend = Backend::start().await;
    let first = House::on(&data).await;
    let rest = Rest::admin(&first).await;
    let plan = json!({
        "policyName": "Two",
        "displayName": "Two",
        "description": "",
        "defaultLimit": {"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "months", "unitTime": 12, "requestCount": 2}},
        "stopOnQuotaReach": true,
        "billingPlan": "FREE",
    });
    rest.post("admin/v2/throttling/policies/subscription", &plan).await;
    let mut limited = api("Pizza", &backend.url());
    limited["policies"] = json!(["Two"]);
    let id = rest.publish(&limited).await;
    let keys = rest.become_subscriber("Eater", &id, "Two").await;
    rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    first.stop().await;

    let second = House::on(&data).await;
    let caller = Caller::new(&second);
    caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    caller.get("/pizza/1.0.0/x", &keys.token).await.refused(429, 900_804);
    second.stop().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing_of_what_a_rule_of_the_sites_own_counted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let backend = Backend::start().await;
    let first = House::on(&data).await;
    let rest = Rest::admin(&first).await;
    let rule = json!({
        "policyName": "TwoAYear",
        "keyTemplate": "$apiContext",
        "siddhiQuery": "FROM RequestStream SELECT messageID, true AS isEligible, apiContext AS throttleKey INSERT INTO EligibilityStream; \
            FROM EligibilityStream[isEligible==true]#throttler:timeBatch(1 year, 0) SELECT throttleKey, (count(messageID) >= 2) AS isThrottled, \
            expiryTimeStamp GROUP BY throttleKey INSERT ALL EVENTS INTO ResultStream;",
    });
    rest.post("admin/v2/throttling/policies/custom", &rule).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    first.stop().await;

    let second = House::on(&data).await;
    let caller = Caller::new(&second);
    caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    caller.get("/pizza/1.0.0/x", &keys.token).await.refused(429, 900_806);
    second.stop().await;
}
