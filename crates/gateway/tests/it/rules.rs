//! Rules of a site's own, over the wire.

use model::{CustomRule, PolicyId, TenantId};
use tidegate_gateway::{Change, Config};

use crate::support::*;

const GET: &[(&str, &str)] = &[("GET", "/*")];

/// A rule that counts by a key as many calls a year as it lets pass.
fn rule(name: &str, template: &str, condition: &str, key: &str, spent: &str) -> CustomRule {
    CustomRule {
        id: PolicyId::derived(&[name]),
        tenant: TenantId::SUPER,
        name: name.to_owned(),
        description: None,
        key_template: template.to_owned(),
        query: format!(
            "FROM RequestStream SELECT propertiesMap, ({condition}) AS isEligible, {key} AS throttleKey INSERT INTO EligibilityStream; \
             FROM EligibilityStream[isEligible==true]#throttler:timeBatch(1 year, 0) SELECT throttleKey, ({spent}) AS isThrottled, \
             expiryTimeStamp GROUP BY throttleKey INSERT ALL EVENTS INTO ResultStream;"
        ),
        deployed: true,
    }
}

async fn statuses(running: &Running, path: &str, headers: &[(&str, &str)], calls: usize) -> Vec<u16> {
    let mut all = Vec::new();
    for _ in 0..calls {
        all.push(running.get(path, headers).await.status);
    }
    all
}

#[tokio::test]
async fn clients_without_credentials_are_counted_by_their_address() {
    let backend = Backend::echo().await;
    let running = Running::start(Config::default(), &[put(open_api(&backend.url(), GET))]).await;
    let by_ip = rule("ip", "$clientIp", "userId == 'anonymous'", "cast(map:get(propertiesMap,'ip'),'string')", "count() >= 2");
    running.change(&[Change::PutCustomRule(by_ip.clone())]);
    let path = "/shop/1.0.0/a";
    let from = |address: &'static str| [("X-Forwarded-For", address)];
    assert_eq!(statuses(&running, path, &from("203.0.113.1"), 3).await, [200, 200, 429]);
    assert_eq!(statuses(&running, path, &from("203.0.113.2"), 2).await, [200, 200]);
    assert_eq!(running.get(path, &from("203.0.113.2")).await.code(), "900806");
    // An edited rule goes on where it was; one that is laid aside lets everybody pass.
    let looser = CustomRule { query: by_ip.query.replace(">= 2", ">= 3"), ..by_ip.clone() };
    running.change(&[Change::PutCustomRule(looser)]);
    assert_eq!(statuses(&running, path, &from("203.0.113.1"), 2).await, [200, 429]);
    running.change(&[Change::PutCustomRule(CustomRule { deployed: false, ..by_ip.clone() })]);
    assert_eq!(statuses(&running, path, &from("203.0.113.1"), 1).await, [200]);
    running.change(&[Change::PutCustomRule(CustomRule { tenant: TenantId(7), ..by_ip })]);
    assert_eq!(statuses(&running, path, &from("203.0.113.1"), 1).await, [200], "rules are the super tenant's alone");
}

#[tokio::test]
async fn a_call_is_counted_by_the_query_and_refused_by_the_template() {
    let backend = Backend::echo().await;
    let limited = api(&backend.url(), &[("GET", "/counted"), ("GET", "/free")]);
    let mut changes = subscriber(limited.id);
    changes.push(put(limited));
    // Only one resource counts, but whoever spent it is refused everywhere: so the template says.
    changes.push(Change::PutCustomRule(rule("menu", "$userId", "regex:find('/counted:GET$', resourceKey)", "userId", "count() >= 2")));
    let running = Running::start(Config::default(), &changes).await;
    let bearer = bearer();
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(statuses(&running, "/shop/1.0.0/free", &headers, 3).await, [200, 200, 200]);
    assert_eq!(statuses(&running, "/shop/1.0.0/counted", &headers, 3).await, [200, 200, 429]);
    assert_eq!(statuses(&running, "/shop/1.0.0/free", &headers, 1).await, [429]);
}

#[tokio::test]
async fn bytes_are_counted_where_a_rule_sums_them() {
    let backend = Backend::echo().await;
    let limited = api(&backend.url(), &[("POST", "/*")]);
    let mut changes = subscriber(limited.id);
    changes.push(put(limited));
    let sum = "sum(cast(map:get(propertiesMap,'messageSize'),'long')) >= 10";
    changes.push(Change::PutCustomRule(rule("bytes", "$apiContext:$apiVersion", "true", "str:concat(apiContext,':',apiVersion)", sum)));
    let running = Running::start(Config::default(), &changes).await;
    let bearer = bearer();
    let mut passed = Vec::new();
    for _ in 0..3 {
        passed.push(running.ask("POST", "/shop/1.0.0/a", &[("Authorization", bearer.as_str())], "6 byte").await.status);
    }
    assert_eq!(passed, [200, 200, 429]);
}

#[tokio::test]
async fn a_rule_that_cannot_be_enforced_is_a_fault_and_limits_nobody() {
    let backend = Backend::echo().await;
    let running = Running::start(Config::default(), &[put(open_api(&backend.url(), GET))]).await;
    let sound = rule("one", "$apiContext", "true", "apiContext", "count() >= 1");
    running.change(&[Change::PutCustomRule(sound.clone())]);
    let broken = CustomRule { query: sound.query.replace("#throttler:timeBatch(1 year, 0)", "#window.time(1 min)"), ..sound };
    let (snapshot, faults) = running.gateway.snapshot().apply_sound(&[Change::PutCustomRule(broken)]);
    assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), ["custom rule 'one' limits nothing"]);
    running.gateway.swap(snapshot);
    assert_eq!(statuses(&running, "/shop/1.0.0/a", &[], 3).await, [200, 200, 200], "nor as it was before, which nobody can see any more");
}
