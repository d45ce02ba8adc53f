//! The report for a terminal: what costs money or access, the numbers, findings, and at last how it stands. Tables are at most 80 columns
//! wide; sentences stand on one line each, so that they can be searched for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Report, groups_of};
use crate::plan::Tally;
use crate::replay::Replayed;
use crate::translate::{Account, Severity};
use crate::verify::Verification;

/// Origins shown for a group of like findings; the JSON has all.
const SHOWN: usize = 3;

/// The whole text.
pub(super) fn text(report: &Report<'_>) -> String {
    let mut out = String::new();
    head(&mut out, report);
    at_stake(&mut out, report);
    match (report.verification, &report.written) {
        (Some(verification), _) => compared(&mut out, verification),
        (None, Some(written)) => tallies(&mut out, "Written", written.records),
        (None, None) if report.command == "assess" => counts(&mut out, report.records),
        (None, None) => tallies(&mut out, "Planned", report.records),
    }
    for conflict in report.conflicts {
        line(&mut out, &format!("  in the way: {} {}: {}", conflict.kind, conflict.key, conflict.words));
    }
    rows(&mut out, report);
    match report.verification {
        None => {
            left(&mut out, report);
            told(&mut out, report);
        }
        Some(_) => shortcomings(&mut out, report),
    }
    verdict(&mut out, report);
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn head(out: &mut String, report: &Report<'_>) {
    line(out, &format!("WSO2 API Manager {} at {}", report.version, report.databases.join(", ")));
    line(out, &format!("Times read as of {}", report.time_zone));
    line(out, "");
}

/// At the end, where a terminal stands when all is printed.
fn verdict(out: &mut String, report: &Report<'_>) {
    let verdict = report.verdict();
    line(out, &format!("\n{}", verdict.words));
    if let Some(next) = verdict.next {
        line(out, &format!("Next: {next}"));
    }
}

fn at_stake(out: &mut String, report: &Report<'_>) {
    if report.stakes.is_empty() || report.verification.is_some() {
        return;
    }
    line(out, "At stake:");
    for stake in &report.stakes {
        let word = if stake.lost { "lost" } else { "kept" };
        line(out, &format!("  {word} {:>8}  {}", stake.count, stake.words));
    }
    line(out, "");
}

/// Names that say nothing, in one line.
fn none(out: &mut String, names: &[&str]) {
    if !names.is_empty() {
        line(out, &format!("  none: {}", names.join(", ")));
    }
}

fn counts(out: &mut String, tallies: &[Tally]) {
    line(out, "Can be carried:");
    for tally in tallies.iter().filter(|tally| tally.source > 0) {
        line(out, &format!("  {:>8}  {}", tally.source, tally.kind));
    }
    none(out, &tallies.iter().filter(|tally| tally.source == 0).map(|tally| tally.kind).collect::<Vec<_>>());
}

fn tallies(out: &mut String, title: &str, tallies: &[Tally]) {
    line(out, &format!("{title:<24}{:>8}{:>10}{:>9}{:>8}{:>12}", "new", "replaced", "changed", "same", "in the way"));
    let says = |t: &Tally| [t.source, t.new, t.replaces, t.changed, t.same, t.conflicts, t.gone, t.deleted].iter().any(|n| *n > 0);
    for t in tallies.iter().filter(|t| says(t)) {
        line(out, &format!("  {:<22}{:>8}{:>10}{:>9}{:>8}{:>12}", t.kind, t.new, t.replaces, t.changed, t.same, t.conflicts));
        if t.gone > 0 {
            line(out, &format!("      {} carried before are gone from the source since; they stay here", t.gone));
        }
        if t.deleted > 0 {
            line(out, &format!("      {} carried before were deleted here and changed in the source since; they stay deleted", t.deleted));
        }
    }
    none(out, &tallies.iter().filter(|t| !says(t)).map(|t| t.kind).collect::<Vec<_>>());
}

/// A name of a row, on a line of its own where it is too long for its column.
fn named(name: &str, width: usize) -> String {
    if name.chars().count() < width { format!("{name:<width$}") } else { format!("{name}\n{:<width$}", "") }
}

fn compared(out: &mut String, verification: &Verification) {
    for (title, rows) in [("Records", &verification.kinds), ("Old cells against the target", &verification.straight)] {
        line(out, &format!("{title:<42}{:>9}{:>9}{:>9}", "source", "target", "equal"));
        let says = |n: &[u64]| n.iter().any(|n| *n > 0);
        let (told, silent): (Vec<_>, Vec<_>) = rows.iter().partition(|c| says(&[c.source, c.target, c.missing, c.different]));
        for c in told {
            let others = [(c.lived_on, "lived on"), (c.missing, "missing"), (c.different, "different")];
            let others: Vec<String> = others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
            let name = named(&format!("  {}", c.kind), 42);
            line(out, format!("{name}{:>9}{:>9}{:>9}  {}", c.source, c.target, c.equal, others.join(", ")).trim_end());
        }
        none(out, &silent.iter().map(|c| c.kind).collect::<Vec<_>>());
        line(out, "");
    }
    match verification.differing {
        0 => line(out, "Nothing differs."),
        n => line(out, &format!("{n} difference(s):")),
    }
    if verification.unreadable > 0 {
        line(out, &format!("{} token row(s) of the source could not be read, and were not compared.", verification.unreadable));
    }
    if verification.without_refresh > 0 {
        line(out, &format!("{} token(s) are here without a refresh token that another has too.", verification.without_refresh));
    }
    for d in &verification.differences {
        line(out, &format!("  {} {}: {} should be {}, is {}", d.kind, d.key, d.field, d.source, d.target));
    }
    if let Some(replayed) = &verification.replay {
        calls(out, replayed);
    }
}

fn calls(out: &mut String, r: &Replayed) {
    let alike = format!("{} alike, {} but for dates and identifiers", r.alike, r.volatile);
    let rest = format!("{} throttled by one, {} without an answer, {} different", r.throttled, r.unanswered, r.differing);
    line(out, &format!("\nCalls of both gateways: {}: {alike}; {rest}", r.calls));
    for unlike in &r.differences {
        line(out, &format!("  {}: {} {} by {}: {}", unlike.api, unlike.verb, unlike.path, unlike.credential, unlike.what.join(", ")));
        for (side, shown) in [("old", &unlike.old), ("new", &unlike.new)] {
            let status = shown.status.map_or_else(|| "none".to_owned(), |s| s.to_string());
            let named = unlike.what.iter().filter_map(|name| Some(format!("{name}: {}", shown.headers.get(name)?)));
            let headers = named.collect::<Vec<_>>().join(", ");
            line(out, &format!("      {side}: {status} {headers} {}", shown.body.replace(['\r', '\n'], " ")));
        }
    }
}

fn sum(map: &BTreeMap<String, u64>) -> u64 {
    map.values().sum()
}

/// One line for all tables, since they all must add up, and one for each.
fn rows(out: &mut String, report: &Report<'_>) {
    let (mut rows, mut imported, mut merged, mut skipped, mut failed, mut not_yet) = (0, 0, 0, 0, 0, 0);
    for (_, account) in report.tables.accounts() {
        rows += account.rows;
        imported += account.imported;
        merged += account.merged;
        skipped += sum(&account.skipped);
        failed += sum(&account.failed);
        not_yet += sum(&account.not_yet);
    }
    let words = format!(
        "\nOld rows: {rows} = {imported} carried + {merged} merged into others + {skipped} not needed + {not_yet} not yet carried + {failed} failed"
    );
    line(out, &words);
    for (table, rest) in report.tables.unbalanced() {
        line(out, &format!("  {table}: {rest} rows unaccounted for (a fault of this program)"));
    }
    rows_by_table(out, report);
}

/// Each table that has rows, with each tenant that has some, where there are several.
fn rows_by_table(out: &mut String, report: &Report<'_>) {
    const NAME: usize = 30;
    let told = |name: &str, a: &Account| {
        let (skipped, not_yet, failed) = (sum(&a.skipped), sum(&a.not_yet), sum(&a.failed));
        format!("{}{:>9}{:>8}{:>8}{skipped:>11}{not_yet:>8}{failed:>7}", named(name, NAME), a.rows, a.imported, a.merged)
    };
    let [rows, carried, merged, skipped, not_yet, failed] = ["rows", "carried", "merged", "not needed", "not yet", "failed"];
    line(out, &format!("{:NAME$}{rows:>9}{carried:>8}{merged:>8}{skipped:>11}{not_yet:>8}{failed:>7}", ""));
    for (table, account) in report.tables.accounts().filter(|(_, account)| account.rows > 0) {
        line(out, &told(&format!("  {table}"), account));
        for (tenant, part) in report.tables.by_tenant(table) {
            line(out, &told(&format!("    of {tenant}"), part));
        }
    }
}

/// What is no difference between records and yet no success.
fn shortcomings(out: &mut String, report: &Report<'_>) {
    for (table, account) in report.tables.accounts() {
        for (reason, rows) in &account.failed {
            line(out, &format!("  {table}: {rows} rows failed: {reason}"));
        }
    }
    for tally in report.records.iter().filter(|t| t.gone > 0) {
        line(out, &format!("  {} {} carried before are gone from the source since, and are here still", tally.gone, tally.kind));
    }
    for finding in report.findings.iter().filter(|f| f.severity == Severity::Blocking) {
        line(out, &format!("  to be settled: {} {} [{}]", finding.about.word(), finding.words, finding.origin));
    }
}

fn left(out: &mut String, report: &Report<'_>) {
    if report.not_yet_carried.is_empty() {
        return;
    }
    line(out, "\nRead, but not yet carried by this version:");
    for (what, n) in &report.not_yet_carried {
        line(out, &format!("  {n:>8}  {what}"));
    }
}

/// Findings in groups of like consequence.
fn told(out: &mut String, report: &Report<'_>) {
    for (severity, title) in [
        (Severity::Blocking, "To be settled before anything is written"),
        (Severity::Warning, "To look at"),
        (Severity::Note, "Good to know"),
    ] {
        let of = groups_of(&report.findings, severity);
        let n: usize = of.iter().map(|group| group.len()).sum();
        if n == 0 {
            continue;
        }
        line(out, &format!("\n{title} ({n}):"));
        for list in of {
            let Some(first) = list.first() else { continue };
            line(out, &format!("  {} ({}): {}", first.about.word(), list.len(), first.consequence));
            for finding in list.iter().take(SHOWN) {
                line(out, &format!("      {} [{}]", finding.words, finding.origin));
            }
            if list.len() > SHOWN {
                line(out, &format!("      and {} more (--json FILE lists all)", list.len() - SHOWN));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_too_long_for_its_column_leaves_the_numbers_where_they_are() {
        assert_eq!(named("  AM_API", 10), "  AM_API  ");
        assert_eq!(named("  IDN_OAUTH2_SCOPE", 10), "  IDN_OAUTH2_SCOPE\n          ");
    }
}
