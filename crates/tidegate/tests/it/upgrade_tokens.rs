//! Every token of an old installation on every resource: the gateway that serves the upgraded one decides as the old gateway did, whatever
//! time zone its virtual machine ran in; and each refresh token renews its token once.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
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

async fn served(version: Version, zone: (&str, i32)) -> Served {
    kept(version, zone, Old::of).await
}

/// `write` says how the old installation kept its secrets; the site is told in clear.
async fn kept(version: Version, (zone, ahead_s): (&str, i32), write: impl FnOnce(Site) -> Old) -> Served {
    let backend = Backend::start().await;
    let now = server::clock::now().0;
    let (site, credentials) = busy_site(&backend.url(), now);
    let site = site.of_version(version).in_time_zone(FixedOffset::east_opt(ahead_s).unwrap());
    let mut old = write(site.clone());
    old.site = site;
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

/// Every secret encrypted, and the keystore whose key opens them beside the configuration that names it.
fn encrypted(site: Site) -> Old {
    let old = Old::of(site.with_encrypted_tokens());
    let home = old.at("old/home");
    let store = home.join("repository/resources/security/wso2carbon.jks");
    std::fs::create_dir_all(store.parent().unwrap()).unwrap();
    let bytes = include_str!("../../../upgrade/tests/fixtures/keystore.txt").replace('\n', "");
    std::fs::write(&store, BASE64_STANDARD.decode(bytes).unwrap()).unwrap();
    let edit = |file: &str, from: &str, to: &str| {
        let file = home.join("repository/conf").join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
    };
    edit("carbon.xml", "<KeyPassword>wso2carbon<", "<KeyPassword>keypass1<");
    edit("api-manager.xml", "<EncryptPersistedTokens>false<", "<EncryptPersistedTokens>true<");
    old
}

#[tokio::test]
async fn every_encrypted_token_is_decided_as_before_on_every_resource() {
    for version in [Version::V1_9_1, Version::V2_0_0] {
        let served = kept(version, COLOMBO, encrypted).await;
        let dump = std::fs::read_to_string(served.old.at("old/am.sql")).unwrap();
        assert!(served.old.site.tokens.iter().all(|token| !dump.contains(&token.access)), "a token stands in the dump in clear");
        let met = compared(&served).await;
        println!("{version:?}, encrypted: {met:?}");
        assert!(met.values().sum::<usize>() > 1_000 && met.contains_key("200 "));
        assert!(renewed(&served).await > 20);
    }
}

/// What 2.5 and 2.6 keep of a secret when they hash: nothing that a new server could take a caller's for.
fn hashed(text: &str) -> String {
    format!("{{\"algorithm\":\"SHA-256\",\"hash\":\"{}\"}}", text.bytes().map(|b| format!("{b:02x}")).collect::<String>())
}

#[test]
fn hashed_secrets_are_told_before_anything_is_written_and_left_when_told_to() {
    let (site, _) = busy_site("http://127.0.0.1:9", server::clock::now().0);
    let mut site = site.of_version(Version::V2_0_0);
    for client in site.applications.iter_mut().flat_map(|a| &mut a.keys).filter_map(|key| key.client.as_mut()) {
        client.secret = hashed(&client.secret);
    }
    for token in &mut site.tokens {
        token.access = hashed(&token.access);
    }
    let old = Old::of(site);
    let said = old.refused(&["apply", "--unplanned"], "data");
    assert!(said.contains("To be settled") && said.contains("is hashed") && !old.at("data").exists(), "{said}");
    let said = old.fine(&["apply", "--unplanned", "--leave-encrypted"], "data");
    assert!(said.contains("is hashed"), "{said}");
    // Nobody may say that all is there.
    assert!(old.refused(&["verify", "--leave-encrypted"], "data").contains("hashed, and no text was kept"), "it was not told");
}
