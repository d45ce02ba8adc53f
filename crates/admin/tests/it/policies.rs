//! The three families of throttling policies.

use model::{ApplicationPolicy, Limit, PlanPermission, TenantId};
use serde_json::{Value, json};

use crate::setting::{Setting, on_postgresql};

fn per_minute(count: u64) -> Value {
    json!({"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "min", "unitTime": 1, "requestCount": count}})
}

fn policy(name: &str) -> Value {
    json!({"policyName": name, "defaultLimit": per_minute(30)})
}

#[tokio::test]
async fn every_family_is_made_read_changed_and_removed() {
    let setting = Setting::new().await;
    for (family, kind, defaults) in [
        ("application", "ApplicationThrottlePolicy", 4),
        ("subscription", "SubscriptionThrottlePolicy", 13),
        ("advanced", "AdvancedThrottlePolicy", 4),
    ] {
        let all = format!("/throttling/policies/{family}");
        assert_eq!(setting.get("admin", &all).await.body["count"], defaults);
        let made = setting.post("admin", &all, policy("30PerMin")).await;
        assert_eq!((made.status, &made.body["type"]), (201, &json!(kind)));
        assert_eq!(made.body["displayName"], "30PerMin");
        assert_eq!(made.body["isDeployed"], true);
        assert_eq!(made.body["defaultLimit"]["bandwidth"], Value::Null);
        assert!(made.body["defaultLimit"].as_object().unwrap().contains_key("eventCount"));
        let id = made.body["policyId"].as_str().unwrap().to_owned();
        assert!(made.location.unwrap().ends_with(&format!("/throttling/policies/{family}/{id}")));
        assert_eq!(setting.post("admin", &all, policy("30PerMin")).await.status, 409);

        let one = format!("{all}/{id}");
        assert_eq!(setting.get("admin", &one).await.body, made.body);
        let mut change = made.body.clone();
        change["policyName"] = json!("Another");
        change["description"] = json!("fewer");
        change["defaultLimit"] = per_minute(3);
        let changed = setting.put("admin", &one, change).await;
        assert_eq!((changed.status, &changed.body["policyName"]), (200, &json!("30PerMin")), "names never change");
        assert_eq!(changed.body["defaultLimit"]["requestCount"]["requestCount"], 3);
        assert_eq!(setting.get("admin", &one).await.body, changed.body);

        for token in ["acme"] {
            assert_eq!(setting.get(token, &one).await.status, 404);
            assert_eq!(setting.put(token, &one, policy("30PerMin")).await.status, 404);
            assert_eq!(setting.delete(token, &one).await.status, 404);
        }
        assert_eq!(setting.delete("admin", &one).await.status, 200);
        let gone = setting.get("admin", &one).await;
        assert_eq!((gone.status, &gone.body["code"], &gone.body["error"]), (404, &json!(404), &json!([])));
        assert_eq!(setting.delete("admin", &format!("{all}/no-uuid")).await.status, 404);
    }
}

#[tokio::test]
async fn bad_bodies_are_refused_with_the_catalogues_codes() {
    let setting = Setting::new().await;
    let mut no_limit = policy("Fine");
    no_limit["defaultLimit"] = json!({"type": "BANDWIDTHLIMIT"});
    let mut long = policy("Fine");
    long["description"] = json!("x".repeat(1025));
    let mut other_family = policy("Fine");
    other_family["type"] = json!("CustomRule");
    let mut unknown = policy("Fine");
    unknown["colour"] = json!("red");
    for (body, code) in [
        (policy(" "), 900_705),
        (json!({"defaultLimit": per_minute(1)}), 900_705),
        (policy("20/min"), 900_706),
        (policy(&"x".repeat(61)), 400),
        (json!({"policyName": "Fine"}), 400),
        (no_limit, 900_700),
        (long, 400),
        (other_family, 400),
        (unknown, 400),
    ] {
        for family in ["application", "subscription", "advanced"] {
            let answer = setting.post("admin", &format!("/throttling/policies/{family}"), body.clone()).await;
            assert_eq!((answer.status, &answer.body["code"]), (400, &json!(code)), "{family} {body}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_policy_in_use_stays() {
    let setting = Setting::new().await;
    let made = setting.post("admin", "/throttling/policies/application", policy("InUse")).await;
    let mut application = crate::applications::application("dev", "Shop");
    application.policy = "InUse".to_owned();
    let mut tx = setting.db.write().await.unwrap();
    db::applications::insert(&mut tx, &application).await.unwrap();
    tx.commit().await.unwrap();
    let path = format!("/throttling/policies/application/{}", made.body["policyId"].as_str().unwrap());
    assert_eq!(setting.delete("admin", &path).await.status, 409);
    assert_eq!(setting.get("admin", &path).await.status, 200);
}

#[tokio::test]
async fn a_plan_keeps_all_it_is_given() {
    a_plan_keeps_all_it_is_given_on(Setting::new().await).await;
}

#[tokio::test]
async fn a_plan_keeps_all_it_is_given_on_postgresql() {
    on_postgresql(a_plan_keeps_all_it_is_given_on).await;
}

async fn a_plan_keeps_all_it_is_given_on(setting: Setting) {
    let plan = json!({
        "policyName": "Partner",
        "displayName": "For partners",
        "description": "By contract",
        "graphQLMaxComplexity": 400,
        "graphQLMaxDepth": 10,
        "defaultLimit": {"type": "BANDWIDTHLIMIT", "bandwidth": {"timeUnit": "month", "unitTime": 1, "dataAmount": 5, "dataUnit": "MB"}},
        "monetization": {"monetizationPlan": "FIXEDRATE", "properties": {"fixedPrice": "10"}},
        "rateLimitCount": 5,
        "rateLimitTimeUnit": "sec",
        "subscriberCount": 3,
        "customAttributes": [{"name": "team", "value": "blue"}],
        "stopOnQuotaReach": true,
        "billingPlan": "COMMERCIAL",
        "permissions": {"permissionType": "DENY", "roles": ["Internal/creator"]},
    });
    let made = setting.post("admin", "/throttling/policies/subscription", plan.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    for (field, sent) in plan.as_object().unwrap().iter().filter(|(field, _)| *field != "defaultLimit") {
        assert_eq!(&made.body[field], sent, "{field}");
    }
    assert_eq!(made.body["defaultLimit"]["bandwidth"]["timeUnit"], "months");
    let stored = db::policies::subscription::find_by_name(&mut setting.db.read().await.unwrap(), TenantId::SUPER, "Partner").await.unwrap();
    let denied = PlanPermission { allow: false, roles: vec!["Internal/creator".to_owned()] };
    assert_eq!(stored.unwrap().permission, Some(denied));

    // As the document says: a plan that does not ask for it lets calls pass beyond its quota.
    let silent = setting.post("admin", "/throttling/policies/subscription", policy("Silent")).await;
    assert_eq!((silent.status, &silent.body["stopOnQuotaReach"]), (201, &json!(false)));

    let one = format!("/throttling/policies/subscription/{}", made.body["policyId"].as_str().unwrap());
    let bare = setting.put("admin", &one, policy("Partner")).await.body;
    assert_eq!((&bare["permissions"], &bare["billingPlan"], &bare["stopOnQuotaReach"]), (&Value::Null, &json!("FREE"), &json!(false)));

    for (roles, code) in [(json!([]), 900_600), (json!(["nobody-made-this"]), 900_607)] {
        let mut plan = policy("Other");
        plan["permissions"] = json!({"permissionType": "ALLOW", "roles": roles});
        let refused = setting.post("admin", "/throttling/policies/subscription", plan).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(code)));
    }
}

#[tokio::test]
async fn conditions_are_kept_in_order_and_checked() {
    let setting = Setting::new().await;
    let group = |condition: Value| json!({"description": "g", "conditions": [condition], "limit": per_minute(1)});
    let ip = |fields: Value| json!({"type": "IPCONDITION", "invertCondition": true, "ipCondition": fields});
    let good = [
        group(json!({"type": "HEADERCONDITION", "headerCondition": {"headerName": "X-Plan", "headerValue": "^gold$"}})),
        group(ip(json!({"ipConditionType": "IPSPECIFIC", "specificIP": "10.0.0.1"}))),
        group(ip(json!({"ipConditionType": "IPRANGE", "startingIP": "10.0.0.1", "endingIP": "10.0.0.9"}))),
        group(json!({"type": "JWTCLAIMSCONDITION", "jwtClaimsCondition": {"claimUrl": "http://wso2.org/claims/role", "attribute": "x"}})),
        group(json!({"type": "QUERYPARAMETERCONDITION", "queryParameterCondition": {"parameterName": "q", "parameterValue": "x"}})),
    ];
    let mut sent = policy("Conditional");
    sent["conditionalGroups"] = json!(good);
    let made = setting.post("admin", "/throttling/policies/advanced", sent).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let groups = made.body["conditionalGroups"].as_array().unwrap();
    assert_eq!(groups.len(), 5);
    assert_eq!(groups[0]["conditions"][0]["headerCondition"]["headerValue"], "^gold$");
    assert_eq!(groups[1]["conditions"][0]["invertCondition"], true);
    assert_eq!(groups[2]["conditions"][0]["ipCondition"]["endingIP"], "10.0.0.9");
    assert_eq!(groups[3]["conditions"][0]["queryParameterCondition"], Value::Null);
    let one = format!("/throttling/policies/advanced/{}", made.body["policyId"].as_str().unwrap());
    assert_eq!(setting.put("admin", &one, made.body.clone()).await.body, made.body, "what is shown may be sent back");

    for bad in [
        json!({"description": "none", "conditions": [], "limit": per_minute(1)}),
        group(json!({"type": "HEADERCONDITION"})),
        group(json!({"type": "HEADERCONDITION", "headerCondition": {"headerName": "a", "headerValue": "(["}})),
        group(ip(json!({"ipConditionType": "IPSPECIFIC", "specificIP": "10.0.0"}))),
        group(ip(json!({"ipConditionType": "IPRANGE", "startingIP": "10.0.0.9", "endingIP": "10.0.0.1"}))),
        group(ip(json!({"specificIP": "10.0.0.1"}))),
    ] {
        let mut sent = policy("Bad");
        sent["conditionalGroups"] = json!([bad]);
        assert_eq!(setting.post("admin", "/throttling/policies/advanced", sent.clone()).await.status, 400, "{sent}");
    }
}

#[tokio::test]
async fn a_name_from_an_old_installation_stays_usable() {
    let setting = Setting::new().await;
    let id = model::PolicyId::random();
    let old = ApplicationPolicy {
        id,
        tenant: TenantId::SUPER,
        name: "20/min".to_owned(),
        display_name: None,
        description: None,
        limit: Limit::per_minute(20),
    };
    let mut tx = setting.db.write().await.unwrap();
    db::policies::application::insert(&mut tx, &old).await.unwrap();
    tx.commit().await.unwrap();
    let path = format!("/throttling/policies/application/{id}");
    let shown = setting.get("admin", &path).await.body;
    assert_eq!(setting.put("admin", &path, shown).await.status, 200);
}

/// Ten calls a minute for one user.
fn custom(name: &str) -> Value {
    json!({
        "policyName": name,
        "description": "Ten a minute",
        "siddhiQuery": "FROM RequestStream\nSELECT userId, ( userId == 'admin@carbon.super' ) AS isEligible , \
            str:concat('admin@carbon.super','') as throttleKey\nINSERT INTO EligibilityStream; \n\n\
            FROM EligibilityStream[isEligible==true]#throttler:timeBatch(1 min) \nSELECT throttleKey, \
            (count(userId) >= 10) as isThrottled, expiryTimeStamp group by throttleKey \nINSERT ALL EVENTS into ResultStream;",
        "keyTemplate": "$userId",
    })
}

#[tokio::test]
async fn a_custom_rule_is_made_read_changed_and_removed() {
    a_custom_rule_is_made_read_changed_and_removed_on(Setting::new().await).await;
}

#[tokio::test]
async fn a_custom_rule_is_made_read_changed_and_removed_on_postgresql() {
    on_postgresql(a_custom_rule_is_made_read_changed_and_removed_on).await;
}

async fn a_custom_rule_is_made_read_changed_and_removed_on(setting: Setting) {
    let all = "/throttling/policies/custom";
    let made = setting.post("admin", all, custom("Night")).await;
    assert_eq!((made.status, &made.body["type"], &made.body["isDeployed"]), (201, &json!("CustomRule"), &json!(true)), "{}", made.body);
    let one = format!("{all}/{}", made.body["policyId"].as_str().unwrap());
    assert!(made.location.unwrap().ends_with(&one));
    assert_eq!(setting.get("admin", &one).await.body, made.body);
    assert_eq!(setting.get("admin", all).await.body, json!({"count": 1, "list": [made.body]}));
    assert_eq!(setting.post("admin", all, custom("Night")).await.status, 409);

    let mut change = custom("Another");
    change["keyTemplate"] = json!("$userId:$apiContext");
    let changed = setting.put("admin", &one, change).await;
    assert_eq!((changed.status, &changed.body["policyName"]), (200, &json!("Night")), "names never change");
    assert_eq!(setting.get("admin", &one).await.body["keyTemplate"], "$userId:$apiContext");

    for (method, path) in [("GET", all), ("POST", all), ("GET", &one), ("PUT", &one), ("DELETE", &one)] {
        let body = ["POST", "PUT"].contains(&method).then(|| custom("Other"));
        assert_eq!(setting.ask("acme", method, path, body).await.status, 403, "{method}: rules hold for all tenants");
    }
    assert_eq!(setting.delete("admin", &one).await.status, 200);
    assert_eq!(setting.get("admin", &one).await.status, 404);
    assert_eq!(setting.put("admin", &one, custom("Night")).await.status, 404);
}

#[tokio::test]
async fn a_custom_rule_that_could_not_be_enforced_is_refused_by_its_place() {
    let setting = Setting::new().await;
    let with = |member: &str, value: Value| {
        let mut body = custom("Night");
        body[member] = value;
        body
    };
    let query = custom("Night")["siddhiQuery"].as_str().unwrap().to_owned();
    let joined = query.replace("FROM EligibilityStream[isEligible==true]", "FROM EligibilityStream join Other");
    for (body, code, words) in [
        (with("siddhiQuery", json!(joined)), 900_960, "siddhiQuery, line 5, column 24"),
        (with("siddhiQuery", json!("FROM RequestStream SELECT userId")), 900_960, "INSERT was expected"),
        (with("siddhiQuery", json!("")), 900_960, "there is no query"),
        (with("siddhiQuery", Value::Null), 400, "siddhiQuery"),
        (with("keyTemplate", json!("$colour")), 900_960, "key template: it names '$colour'"),
        (with("keyTemplate", Value::Null), 400, "keyTemplate"),
        (with("policyName", json!("a b/c")), 900_706, ""),
        (with("type", json!("AdvancedThrottlePolicy")), 400, ""),
    ] {
        let answer = setting.post("admin", "/throttling/policies/custom", body.clone()).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!(code)), "{body}: {}", answer.body);
        assert!(answer.body.to_string().contains(words), "{words}: {}", answer.body);
    }
    assert_eq!(setting.get("admin", "/throttling/policies/custom").await.body["count"], 0);
}

#[tokio::test]
async fn a_custom_rule_of_old_that_limits_nothing_says_so_until_it_is_mended() {
    let setting = Setting::new().await;
    let rule = model::CustomRule {
        id: model::PolicyId::random(),
        tenant: TenantId::SUPER,
        name: "Night".to_owned(),
        description: None,
        key_template: "$userId".to_owned(),
        query: "FROM RequestStream SELECT userId".to_owned(),
        deployed: true,
    };
    let mut tx = setting.db.write().await.unwrap();
    db::policies::custom::insert(&mut tx, &rule).await.unwrap();
    tx.commit().await.unwrap();
    let one = format!("/throttling/policies/custom/{}", rule.id);
    let shown = setting.get("admin", &one).await.body;
    assert_eq!((&shown["siddhiQuery"], &shown["isDeployed"]), (&json!("FROM RequestStream SELECT userId"), &json!(false)));
    assert_eq!(setting.put("admin", &one, shown).await.status, 400);
    assert_eq!(setting.put("admin", &one, custom("Night")).await.body["isDeployed"], true);
}
