//! Limits count exactly.

use http::Method;
use serde_json::{Value, json};
use testkit::{Backend, Caller, House, Rest, api};

fn per_minute(name: &str, calls: u32) -> Value {
    json!({
        "policyName": name,
        "displayName": name,
        "description": "",
        "defaultLimit": {"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "min", "unitTime": 1, "requestCount": calls}},
        "stopOnQuotaReach": true,
        "billingPlan": "FREE",
    })
}

#[tokio::test]
async fn three_a_minute_are_three_a_minute() {
    let house = House::at_the_minute().await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    rest.post("admin/v2/throttling/policies/subscription", &per_minute("Three", 3)).await;
    let mut limited = api("Pizza", &backend.url());
    limited["policies"] = json!(["Three", "Unlimited"]);
    let id = rest.publish(&limited).await;
    let keys = rest.become_subscriber("Eater", &id, "Three").await;
    let other = rest.become_subscriber("Other", &id, "Unlimited").await;
    let caller = Caller::new(&house);
    for _ in 0..3 {
        caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    }
    // A second token of the same application draws on the same quota.
    for token in [keys.token.clone(), caller.token(&keys.client, "more").await] {
        let answer = caller.get("/pizza/1.0.0/x", &token).await;
        let body = answer.refused(429, 900_804);
        assert_eq!(body["message"], "Message throttled out");
        assert!(answer.header("retry-after").is_some_and(|date| date.ends_with(" GMT")), "{:?}", answer.headers);
        assert!(body["nextAccessTime"].is_string(), "{body}");
    }
    caller.get("/pizza/1.0.0/x", &other.token).await.expect(200);
    assert_eq!(backend.requests(), 4, "exactly what passed reached the backend");

    // A changed plan counts from the next call on.
    let found = rest.get("admin/v2/throttling/policies/subscription").await;
    let plan = found["list"].as_array().unwrap().iter().find(|plan| plan["policyName"] == "Three").unwrap();
    let path = format!("admin/v2/throttling/policies/subscription/{}", plan["policyId"].as_str().unwrap());
    rest.send(Method::PUT, &path, &per_minute("Three", 1_000)).await;
    caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
}

#[tokio::test]
async fn many_at_once_do_not_slip_through() {
    let house = House::at_the_minute().await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    rest.post("admin/v2/throttling/policies/subscription", &per_minute("Twenty", 20)).await;
    let mut limited = api("Pizza", &backend.url());
    limited["policies"] = json!(["Twenty"]);
    let id = rest.publish(&limited).await;
    let keys = rest.become_subscriber("Eater", &id, "Twenty").await;
    let calls: Vec<_> = (0..60)
        .map(|_| {
            let (caller, token) = (Caller::new(&house), keys.token.clone());
            tokio::spawn(async move { caller.get("/pizza/1.0.0/x", &token).await.status.as_u16() })
        })
        .collect();
    let mut passed = 0;
    for call in calls {
        passed += usize::from(call.await.unwrap() == 200);
    }
    assert_eq!((passed, backend.requests()), (20, 20));
}

/// So many calls a minute of one user on one API, counted by `$userId:$apiContext:$apiVersion`.
fn custom_rule(name: &str, user: &str, calls: u32) -> Value {
    json!({
        "policyName": name,
        "description": "",
        "keyTemplate": "$userId:$apiContext:$apiVersion",
        "siddhiQuery": format!(
            "FROM RequestStream SELECT userId, ( userId == '{user}' and apiContext == '/pizza/1.0.0' and apiVersion == '1.0.0') AS isEligible, \
             str:concat(userId,':',apiContext,':',apiVersion) as throttleKey INSERT INTO EligibilityStream; \
             FROM EligibilityStream[isEligible==true]#throttler:timeBatch(1 min) SELECT throttleKey, (count(userId) >= {calls}) as isThrottled, \
             expiryTimeStamp group by throttleKey INSERT ALL EVENTS into ResultStream;"
        ),
    })
}

#[tokio::test]
async fn a_rule_of_the_sites_own_limits_whom_it_names_until_it_is_gone() {
    let house = House::at_the_minute().await;
    let backend = Backend::start().await;
    let rest = Rest::admin(&house).await;
    let id = rest.publish(&api("Pizza", &backend.url())).await;
    let other = rest.publish(&api("Pasta", &backend.url())).await;
    let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
    let elsewhere = rest.become_subscriber("Other", &other, "Unlimited").await;
    let caller = Caller::new(&house);
    rest.post("admin/v2/throttling/policies/custom", &custom_rule("Nobody", "nobody@carbon.super", 1)).await;
    let made = rest.post("admin/v2/throttling/policies/custom", &custom_rule("Two", "admin@carbon.super", 2)).await;
    for _ in 0..2 {
        caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    }
    let answer = caller.get("/pizza/1.0.0/x", &keys.token).await;
    let body = answer.refused(429, 900_806);
    assert!(body["nextAccessTime"].is_string() && answer.header("retry-after").is_some(), "{body}");
    caller.get("/pasta/1.0.0/x", &elsewhere.token).await.expect(200);
    assert_eq!(backend.requests(), 3);

    let path = format!("admin/v2/throttling/policies/custom/{}", made["policyId"].as_str().unwrap());
    rest.send(Method::PUT, &path, &custom_rule("Two", "admin@carbon.super", 3)).await;
    caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    caller.get("/pizza/1.0.0/x", &keys.token).await.refused(429, 900_806);
    rest.send(Method::DELETE, &path, &Value::Null).await;
    caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
}
