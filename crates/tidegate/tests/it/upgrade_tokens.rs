//! Every token of an old installation on every resource: the gateway that serves the upgraded one decides as the old gateway did, whatever
//! time zone its virtual machine ran in; and each refresh token renews its token once.

use std::collections::BTreeMap;

use chrono::FixedOffset;
use oldsite::{Credentials, Site, Version};
use testkit::{Answer, Backend, Caller, Client, House};

use crate::old_rules::{Decision, all_calls, busy_site};
use crate::upgrade_road::{Old, Said};

/// An upgraded installation that serves.
struct Served {
    house: House,
    old: Old,
    _backend: Backend,
    _credentials: Credentials,
    now_ms: i64,
}

/// Zones without summer time, and how many seconds they are ahead of UTC.
const COLOMBO: (&str, i32) = ("Asia/Colombo", 19_800);
const HONOLULU: (&str, i32) = ("Pacific/Honolulu", -36_000);

async fn served(version: Version, (zone, ahead_s): (&str, i32)) -> Served {
    let backend = Backend::start().await;
    let now = server::clock::now().0;
    let (site, credentials) = busy_site(&backend.url(), now);
    let old = Old::of(site.of_version(version).in_time_zone(FixedOffset::east_opt(ahead_s).unwrap()));
    let mut apply = old.command(&["apply", "--unplanned", "--source-timezone", zone], "data");
    // The server in this process has no key but the one beside its database.
    let said = Said::of(apply.env_remove("TIDEGATE_ENCRYPTION_KEY").output().unwrap());
    assert!(said.fine, "{}", said.text);
    let house = House::on(&old.at("data")).await;
    Served { house, old, _backend: backend, _credentials: credentials, now_ms: now }
}

fn code_in(answer: &Answer, code: &str) -> bool {
    answer.text.contains(code)
}

/// Makes all calls and fails with those that are decided otherwise; how often each decision was met.
async fn compared(served: &Served) -> BTreeMap<String, usize> {
    let site: &Site = &served.old.site;
    let caller = Caller::new(&served.house);
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for call in all_calls(site) {
        let ought: Decision = call.decided(site, served.now_ms);
        let answer = caller.call(call.verb(), &call.path(), call.token.map_or("", |t| &t.access)).await;
        *met.entry(format!("{} {}", ought.0, ought.1.unwrap_or_default())).or_default() += 1;
        if answer.status.as_u16() != ought.0 || ought.1.is_some_and(|code| !code_in(&answer, code)) {
            let token = call.token.map_or_else(|| "nobody".to_owned(), |t| format!("{:?} {} {}", t.kind, t.state, t.scopes));
            wrong.push(format!("{} {} by {token}: {ought:?}, not {} {}", call.resource.verb, call.path(), answer.status, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {met:?}:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    met
}

/// Uses each refresh token twice at the gateway's own `/token`; how many renewed their token.
async fn renewed(served: &Served) -> usize {
    let site = &served.old.site;
    let caller = Caller::new(&served.house);
    let clients: BTreeMap<&str, Client> =
        site.clients().map(|c| (c.key.as_str(), Client { id: c.key.clone(), secret: c.secret.clone() })).collect();
    let mut renewed = 0;
    for token in &site.tokens {
        let Some((refresh, client)) = token.refresh.as_ref().zip(clients.get(token.consumer_key.as_str())) else { continue };
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let first = caller.at_gateway("token", client, &form).await;
        // A token whose time is over is renewed, one that was taken back or has been renewed before is not.
        if token.state == "ACTIVE" {
            let granted = first.expect(200);
            assert_ne!(granted["access_token"], token.access.as_str());
            renewed += 1;
        } else {
            assert_eq!(first.expect(400)["error"], "invalid_grant", "{}", token.state);
        }
        let second = caller.at_gateway("token", client, &form).await;
        assert_eq!(second.expect(400)["error"], "invalid_grant", "a refresh token worked twice");
    }
    renewed
}

#[tokio::test]
async fn every_token_is_decided_as_before_on_every_resource_in_two_zones() {
    let mut seen = Vec::new();
    for zone in [COLOMBO, HONOLULU] {
        let served = served(Version::V1_9_1, zone).await;
        let met = compared(&served).await;
        let calls: usize = met.values().sum();
        let renewed = renewed(&served).await;
        println!("{}: {calls} calls decided as before: {met:?}; {renewed} refresh tokens worked once", zone.0);
        assert!(calls > 1_000 && renewed > 20, "{calls} calls, {renewed} renewals");
        for decision in
            ["200 ", "401 900901", "401 900902", "401 900905", "401 900907", "401 900909", "403 900908", "403 900910", "503 700700", "404 "]
        {
            assert!(met.contains_key(decision), "no call was decided as {decision}: {met:?}");
        }
        seen.push((met, renewed));
    }
    assert_eq!(seen[0], seen[1], "the zone changes no decision");
}

#[tokio::test]
async fn every_token_is_decided_as_before_on_every_resource_of_2_0() {
    let served = served(Version::V2_0_0, COLOMBO).await;
    let met = compared(&served).await;
    println!("2.0: {met:?}");
    assert!(met.values().sum::<usize>() > 1_000);
    assert!(renewed(&served).await > 20);
}
