//! What an upgrade puts at stake, told first because it costs money or access: what the product's own road from this version would have
//! changed, and what no road can carry.
//!
//! The product's own road goes 1.x to 2.0 to 4.0 with its migration clients. What it does to limits, scopes and tokens is read off those
//! clients; none of it happens here, and each line says so with the site's own numbers.

use serde::Serialize;

use crate::old::Installation;
use crate::old::limits::Tier;
use crate::plan::Plan;
use crate::source::Version;
use crate::translate::{About, Finding, HANDLER_CANNOT_RUN, STEP_CANNOT_RUN, Translation};

/// Plans that 2.0 and later make by themselves, with their requests per minute; a tier of the name loses its own limit to them.
const THEIR_PLANS: &[(&str, i64)] = &[("Gold", 5000), ("Silver", 2000), ("Bronze", 1000), ("Unauthenticated", 500)];

/// How the tally of tokens is called.
const TOKENS: &str = "tokens";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stake {
    /// What it is about.
    pub about: About,
    /// Whether it is lost here too; otherwise it is kept here.
    pub lost: bool,
    /// How many.
    pub count: u64,
    /// In words.
    pub words: String,
}

/// Everything at stake, what is lost first; among that limits, scopes, tokens, then code.
pub fn stakes(old: &Installation, translation: &Translation, plan: &Plan, findings: &[Finding]) -> Vec<Stake> {
    let mut all = Vec::new();
    limits(old, &mut all);
    scopes(old, translation, &mut all);
    tokens(old, plan, &mut all);
    domains(old, &mut all);
    code(findings, &mut all);
    // Stable: limits, scopes and tokens stay in front among their like.
    all.sort_by_key(|stake| !stake.lost);
    all
}

fn limits(old: &Installation, all: &mut Vec<Stake>) {
    let tiers = || old.tier_files.iter().flat_map(|file| file.tiers.iter().flatten().map(move |tier| (file.tenant_id, tier)));
    let mut changed: Vec<(u64, String)> = Vec::new();
    for (_, tier) in tiers() {
        let (Some(count), Some(unit)) = (tier.max_count, tier.unit_ms) else { continue };
        let theirs = THEIR_PLANS.iter().find(|(name, limit)| *name == tier.name && (*limit, 60_000) != (count, unit));
        let otherwise = match theirs {
            Some((_, limit)) => format!("makes it {limit} a minute"),
            None if unit % 60_000 != 0 => "cuts its window to whole minutes".to_owned(),
            None => continue,
        };
        let words = format!("tier(s) {} stay at {}; the product's own migration {otherwise}", tier.name, said(count, unit));
        // Tenants and levels have tiers of the same name with the same limit, and one line tells them all.
        match changed.iter_mut().find(|(_, told)| *told == words) {
            Some((n, _)) => *n += 1,
            None => changed.push((1, words)),
        }
    }
    all.extend(changed.into_iter().map(|(count, words)| Stake { about: About::Limit, lost: false, count, words }));
    let going_on = tiers().filter(|(_, tier)| does_not_stop(tier)).count();
    if going_on > 0 {
        let words = "tier(s) that go on beyond their quota do so here; the product's own migration makes them refuse calls".to_owned();
        all.push(Stake { about: About::Limit, lost: false, count: number(going_on), words });
    }
}

fn does_not_stop(tier: &Tier) -> bool {
    tier.attribute("x-wso2-StopOnQuotaReach").is_some_and(|flag| flag.trim().eq_ignore_ascii_case("false"))
}

fn said(count: i64, unit_ms: i64) -> String {
    match unit_ms {
        60_000 => format!("{count} a minute"),
        ms if ms % 1000 == 0 => format!("{count} in {} s", ms / 1000),
        ms => format!("{count} in {ms} ms"),
    }
}

/// Up to 1.8 a resource's scope is kept under an address that the next version no longer looks for.
fn scopes(old: &Installation, translation: &Translation, all: &mut Vec<Stake>) {
    if old.version.context_has_version() {
        return;
    }
    let guarded = translation.apis.iter().flat_map(|a| &a.value.api.operations).filter(|o| !o.scopes.is_empty()).count();
    if guarded > 0 {
        let words = "operation(s) stay guarded by their scopes; after the product's own migration anybody with a token could call them";
        all.push(Stake { about: About::Scope, lost: false, count: number(guarded), words: words.to_owned() });
    }
}

fn tokens(old: &Installation, plan: &Plan, all: &mut Vec<Stake>) {
    let live = plan.tallies.iter().find(|t| t.kind == TOKENS).map_or(0, |t| t.source);
    if live > 0 && old.version < Version::V1_10_0 {
        let words =
            "live token(s) keep working as long as they would have; the product's own migration ends every one older than 23.5 hours";
        all.push(Stake { about: About::Token, lost: false, count: live, words: words.to_owned() });
    }
}

fn domains(old: &Installation, all: &mut Vec<Stake>) {
    let bound = old.key_domains.iter().filter(|d| !d.domain.as_deref().unwrap_or("ALL").eq_ignore_ascii_case("ALL")).count();
    if bound > 0 && old.version <= Version::V1_10_0 {
        let words = "domain(s) that keys are bound to stay enforced; later versions of the product ignore them".to_owned();
        all.push(Stake { about: About::Key, lost: false, count: number(bound), words });
    }
}

/// Code of the site's own, whatever kind: the findings name each.
fn code(findings: &[Finding], all: &mut Vec<Stake>) {
    for (consequence, words) in [
        (STEP_CANNOT_RUN, "step(s) of mediation sequences that cannot run here; each is named below with its file and line"),
        (HANDLER_CANNOT_RUN, "step(s) of error sequences that cannot run here; each is named below with its file and line"),
        (
            "A handler of the site's own cannot run here: what it did to calls is missing.",
            "handler(s) in Java that the site put before its APIs, which cannot run here",
        ),
    ] {
        let count = findings.iter().filter(|f| f.consequence == consequence).count();
        if count > 0 {
            all.push(Stake { about: About::Api, lost: true, count: number(count), words: words.to_owned() });
        }
    }
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::old::limits::{TierFile, TierLevel};
    use crate::plan::Tally;
    use crate::translate::{Severity, bare};

    fn tier(name: &str, count: i64, unit_ms: i64, stop: &str) -> Tier {
        Tier {
            name: name.to_owned(),
            display_name: None,
            max_count: Some(count),
            unit_ms: Some(unit_ms),
            attributes: vec![("x-wso2-StopOnQuotaReach".to_owned(), stop.to_owned())],
        }
    }

    #[test]
    fn each_line_has_the_sites_own_numbers() {
        let mut old = bare::installation();
        old.version = Version::V1_8_0;
        let tiers = vec![
            tier("Gold", 20, 60_000, "true"),
            tier("Silver", 2000, 60_000, "false"),
            tier("Fast", 3, 1500, "true"),
            tier("Own", 9, 120_000, "true"),
        ];
        let gold = vec![tier("Gold", 20, 60_000, "true")];
        old.tier_files = vec![
            TierFile { tenant_id: -1234, level: TierLevel::Subscription, tiers: Ok(tiers) },
            TierFile { tenant_id: 1, level: TierLevel::Subscription, tiers: Ok(gold) },
        ];
        let plan = Plan { tallies: vec![Tally { kind: "tokens", source: 7, ..Tally::default() }], ..Plan::default() };
        let finding = Finding {
            severity: Severity::Warning,
            about: About::Api,
            consequence: STEP_CANNOT_RUN,
            origin: "x".to_owned(),
            words: "y".to_owned(),
        };
        let all = stakes(&old, &Translation::default(), &plan, &[finding]);
        let shown: Vec<_> = all.iter().map(|s| (s.about, s.lost, s.count)).collect();
        let kept = |about, count| (about, false, count);
        assert_eq!(
            shown,
            [(About::Api, true, 1), kept(About::Limit, 2), kept(About::Limit, 1), kept(About::Limit, 1), kept(About::Token, 7)]
        );
        assert_eq!(all[1].words, "tier(s) Gold stay at 20 a minute; the product's own migration makes it 5000 a minute");
        assert!(all[2].words.starts_with("tier(s) Fast stay at 3 in 1500 ms"));
        old.version = Version::V2_6_0;
        old.tier_files.clear();
        assert_eq!(stakes(&old, &Translation::default(), &plan, &[]), []);
    }
}
