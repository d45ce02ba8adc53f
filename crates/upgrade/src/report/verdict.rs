//! What a reader wants to know of a report first: how it stands, and what to type next.

use super::Report;
use crate::translate::Severity;

/// How it stands.
pub(super) struct Verdict {
    pub(super) mood: Mood,
    /// In a sentence or two.
    pub(super) words: String,
    /// What to type next. Nothing where the command line says it with the paths it knows.
    pub(super) next: Option<&'static str>,
}

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    /// It may go on, and somebody should read first.
    Look,
    Bad,
}

/// Of a report.
pub(super) fn of(report: &Report<'_>) -> Verdict {
    if !report.is_fine() {
        return Verdict { mood: Mood::Bad, words: refusal(report), next: after_refusal(report) };
    }
    let (good, next) = match report.command {
        "verify" | "report" => {
            let next = "tidegate serve, with the same --data-dir; before the switch once more: tidegate upgrade catch-up, then verify";
            ("Nothing differs: the new installation holds what the old one holds.", Some(next))
        }
        "apply" => ("Written.", Some("tidegate upgrade verify, with the same words for source and target")),
        "catch-up" => ("The new installation has what the old one has.", None),
        _ if is_empty(report) => {
            let words = "There is nothing to take over: no user, no API, no application. Is this the right database, and was this server ever \
                         started?";
            return Verdict { mood: Mood::Look, words: words.to_owned(), next: None };
        }
        "assess" => ("It can be taken over.", Some("tidegate upgrade plan, with the same words; it writes nothing but a plan")),
        "export" => ("It can be exported.", None),
        _ => ("Ready: nothing stands against going on.", None),
    };
    let doubts = doubts(report);
    // What was compared and found equal needs no second look.
    if doubts.is_empty() || report.verification.is_some() {
        return Verdict { mood: Mood::Good, words: good.to_owned(), next };
    }
    let first = if report.written.is_some() { "To look at" } else { "To look at first" };
    Verdict { mood: Mood::Look, words: format!("{good} {first}: {}.", doubts.join(", ")), next }
}

/// Whether nobody could tell it from an installation that never ran.
fn is_empty(report: &Report<'_>) -> bool {
    ["users", "user stores", "APIs", "applications"]
        .iter()
        .all(|kind| report.records.iter().find(|tally| tally.kind == *kind).is_none_or(|tally| tally.source == 0))
}

/// What stands against calling it good without a word more.
fn doubts(report: &Report<'_>) -> Vec<String> {
    let lost: u64 = report.stakes.iter().filter(|stake| stake.lost).map(|stake| stake.count).sum();
    let warnings = report.findings.iter().filter(|f| f.severity == Severity::Warning).count();
    let failed: u64 = report.tables.accounts().flat_map(|(_, account)| account.failed.values()).sum();
    let not_yet: u64 = report.not_yet_carried.values().sum();
    let counted = |n: u64, one: &str, more: &str| (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { more }));
    [
        counted(lost, "thing that is lost", "things that are lost"),
        counted(u64::try_from(warnings).unwrap_or(u64::MAX), "warning", "warnings"),
        counted(failed, "old row that failed", "old rows that failed"),
        counted(not_yet, "old row that is not carried yet", "old rows that are not carried yet"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn after_refusal(report: &Report<'_>) -> Option<&'static str> {
    if report.tables.unbalanced().next().is_some() {
        return Some("report it, with the JSON report (--json FILE), to whoever makes Tidegate; nothing can be written until it adds up");
    }
    match report.command {
        "verify" | "report" => Some("look at each; what the old installation changed since comes with: tidegate upgrade catch-up"),
        _ => Some("settle each, and type the same again; nothing was written"),
    }
}

/// Why it is not fine.
fn refusal(report: &Report<'_>) -> String {
    let blocking = report.findings.iter().filter(|f| f.severity == Severity::Blocking).count();
    let conflicts: u64 = report.records.iter().map(|t| t.conflicts).sum();
    if report.tables.unbalanced().next().is_some() {
        return "Not ready: old rows are unaccounted for, which is a fault of this program.".to_owned();
    }
    match (blocking, conflicts, report.verification) {
        (0, 0, Some(v)) if v.differing == 0 && v.replay.as_ref().is_some_and(|r| !r.is_equal()) => {
            "The gateways did not answer all calls alike.".to_owned()
        }
        (0, 0, Some(v)) if v.differing > 0 => format!("{} difference(s) between the old installation and the new one.", v.differing),
        (0, 0, _) => "Old rows failed or could not be read, so nobody can say that all is there.".to_owned(),
        (0, n, _) => format!("Not ready: {n} record(s) of the new installation are in the way."),
        (n, ..) => format!("Not ready: {n} thing(s) must be settled first."),
    }
}
