//! Tells what was found and done: a short text for a terminal, one page for a browser, and everything as JSON for machines. What costs money
//! or access comes first.

mod html;
pub mod signed;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::apply::Applied;
use crate::opened::Old;
use crate::plan::{Conflict, Plan, Tally};
use crate::replay::Replayed;
use crate::stakes::{Stake, stakes};
use crate::translate::{About, Account, Finding, Ledger, Severity, Translation};
use crate::verify::Verification;

/// Origins shown for a group of like findings; the JSON has all.
const SHOWN: usize = 3;

/// What one command has to tell.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// `assess`, `plan`, `apply` or `verify`.
    pub command: &'static str,
    /// The old product's version, by its schema.
    pub version: &'static str,
    /// Its databases, without credentials.
    pub databases: Vec<String>,
    /// Names the installation in the book of origins.
    pub source: &'a str,
    /// The time zone its times were read in.
    pub time_zone: &'static str,
    /// Whether something must be settled first.
    pub blocked: bool,
    /// What costs money or access.
    pub stakes: Vec<Stake>,
    /// Records by kind.
    pub records: &'a [Tally],
    /// Who is in the way.
    pub conflicts: &'a [Conflict],
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// Read but not carried by this version, beside whole tables.
    pub not_yet_carried: BTreeMap<&'a str, u64>,
    /// Every old table's account.
    pub tables: &'a Ledger,
    /// What was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Written<'a>>,
    /// How both sides compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<&'a Verification>,
    /// What was written when, run by run, as the journal has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<serde_json::Value>,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Written<'a> {
    /// By kind.
    pub records: &'a [Tally],
    /// Transactions.
    pub batches: u64,
}

impl<'a> Report<'a> {
    /// With what is at stake as it was found before the records were let go of.
    pub fn with_stakes(mut self, stakes: Vec<Stake>) -> Self {
        self.stakes = stakes;
        self
    }

    /// A report of a translation and what a plan says about it.
    pub fn new(command: &'static str, old: &'a Old, translation: &'a Translation, plan: &'a Plan) -> Self {
        let mut not_yet: BTreeMap<&str, u64> = translation.not_yet.iter().copied().collect();
        for (_, account) in translation.ledger.accounts() {
            for (what, rows) in &account.not_yet {
                *not_yet.entry(what).or_default() += rows;
            }
        }
        let mut findings: Vec<Finding> = translation.findings.iter().chain(&plan.findings).cloned().collect();
        if old.zone().is_none() && old.holds_local_times() {
            findings.push(no_zone());
        }
        findings.sort();
        findings.dedup();
        Self {
            command,
            version: old.installation.version.as_str(),
            databases: old.site.sources.iter().map(ToString::to_string).collect(),
            source: &old.source,
            time_zone: old.zone().map_or("UTC", |z| z.name()),
            blocked: translation.is_blocked(),
            stakes: stakes(&old.installation, translation, plan, &findings),
            records: &plan.tallies,
            conflicts: &plan.conflicts,
            findings,
            not_yet_carried: not_yet,
            tables: &translation.ledger,
            written: None,
            verification: None,
            runs: Vec::new(),
        }
    }

    /// Adds what was written.
    #[must_use]
    pub fn with_written(mut self, applied: &'a Applied) -> Self {
        self.written = Some(Written { records: &applied.tallies, batches: applied.batches });
        self
    }

    /// Adds a comparison.
    #[must_use]
    pub fn with_verification(mut self, verification: &'a Verification) -> Self {
        self.verification = Some(verification);
        self
    }

    /// Adds the journal.
    #[must_use]
    pub fn with_runs(mut self, runs: Vec<serde_json::Value>) -> Self {
        self.runs = runs;
        self
    }

    /// Whether the command may say that all is well; what its exit status tells.
    ///
    /// Every command wants each old row accounted for. `plan` and what comes before writing want nothing in the way, `verify` wants
    /// everything to be there and to be equal: a row that failed cannot be.
    pub fn is_fine(&self) -> bool {
        let accounted = self.tables.unbalanced().next().is_none();
        let free = !self.blocked && self.records.iter().all(|t| t.conflicts == 0);
        let whole = || self.tables.accounts().all(|(_, account)| account.failed.is_empty());
        accounted && free && self.verification.is_none_or(|v| v.is_equal() && v.unreadable == 0 && whole())
    }

    /// As [`Report::is_fine`], and no old row failed, and none is read but not carried.
    pub fn is_fine_strictly(&self) -> bool {
        self.is_fine()
            && self.not_yet_carried.values().all(|n| *n == 0)
            && self.tables.accounts().all(|(_, account)| account.failed.is_empty())
    }

    /// Why it is not fine, in a sentence.
    fn refusal(&self) -> String {
        let blocking = self.findings.iter().filter(|f| f.severity == Severity::Blocking).count();
        let conflicts: u64 = self.records.iter().map(|t| t.conflicts).sum();
        if self.tables.unbalanced().next().is_some() {
            return "Not ready: old rows are unaccounted for, which is a fault of this program.".to_owned();
        }
        match (blocking, conflicts, self.verification) {
            (0, 0, Some(v)) if v.differing == 0 && v.replay.as_ref().is_some_and(|r| !r.is_equal()) => {
                "The gateways did not answer all calls alike.".to_owned()
            }
            (0, 0, Some(v)) if v.differing > 0 => format!("{} difference(s) between the old installation and the new one.", v.differing),
            (0, 0, _) => "Old rows failed or could not be read, so nobody can say that all is there.".to_owned(),
            (0, n, _) => format!("Not ready: {n} record(s) of the new installation are in the way."),
            (n, ..) => format!("Not ready: {n} thing(s) must be settled first."),
        }
    }

    /// One page for a browser, which needs nothing else.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// Everything, for machines.
    ///
    /// # Errors
    ///
    /// Never in practice: all parts are plain data.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        self.at_stake(&mut out);
        match (self.verification, &self.written) {
            (Some(verification), _) => compared(&mut out, verification),
            (None, Some(written)) => tallies(&mut out, "Written", written.records),
            (None, None) if self.command == "assess" => counts(&mut out, self.records),
            (None, None) => tallies(&mut out, "Planned", self.records),
        }
        self.rows(&mut out);
        match self.verification {
            None => {
                self.left(&mut out);
                self.told(&mut out);
            }
            Some(_) => self.shortcomings(&mut out),
        }
        for conflict in self.conflicts {
            line(&mut out, &format!("  in the way: {} {}: {}", conflict.kind, conflict.key, conflict.words));
        }
        out
    }

    fn head(&self, out: &mut String) {
        line(out, &format!("WSO2 API Manager {} at {}", self.version, self.databases.join(", ")));
        line(out, &format!("Times read as of {}", self.time_zone));
        line(out, "");
    }

    fn at_stake(&self, out: &mut String) {
        if self.stakes.is_empty() || self.verification.is_some() {
            return;
        }
        line(out, "At stake:");
        for stake in &self.stakes {
            let word = if stake.lost { "lost" } else { "kept" };
            line(out, &format!("  {word} {:>8}  {}", stake.count, stake.words));
        }
        line(out, "");
    }

    /// One line for all tables, since they all must add up, and one for each.
    fn rows(&self, out: &mut String) {
        let (mut rows, mut imported, mut merged, mut skipped, mut failed, mut not_yet) = (0, 0, 0, 0, 0, 0);
        let sum = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
        for (_, account) in self.tables.accounts() {
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
        for (table, rest) in self.tables.unbalanced() {
            line(out, &format!("  {table}: {rest} rows unaccounted for (a fault of this program)"));
        }
        self.rows_by_table(out);
    }

    /// Each table that has rows, with each tenant that has some, where there are several.
    fn rows_by_table(&self, out: &mut String) {
        let sum = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
        let told = |name: &str, a: &Account| {
            let (skipped, not_yet, failed) = (sum(&a.skipped), sum(&a.not_yet), sum(&a.failed));
            format!("  {name:<38}{:>10}{:>10}{:>10}{skipped:>12}{not_yet:>9}{failed:>8}", a.rows, a.imported, a.merged)
        };
        let head = ["rows", "carried", "merged", "not needed", "not yet", "failed"];
        let [rows, carried, merged, skipped, not_yet, failed] = head;
        line(out, &format!("  {:<38}{rows:>10}{carried:>10}{merged:>10}{skipped:>12}{not_yet:>9}{failed:>8}", ""));
        for (table, account) in self.tables.accounts().filter(|(_, account)| account.rows > 0) {
            line(out, &told(table, account));
            for (tenant, part) in self.tables.by_tenant(table) {
                line(out, &told(&format!("  of {tenant}"), part));
            }
        }
    }

    /// What is no difference between records and yet no success.
    fn shortcomings(&self, out: &mut String) {
        for (table, account) in self.tables.accounts() {
            for (reason, rows) in &account.failed {
                line(out, &format!("  {table}: {rows} rows failed: {reason}"));
            }
        }
        for tally in self.records.iter().filter(|t| t.gone > 0) {
            line(out, &format!("  {} {} carried before are gone from the source since, and are here still", tally.gone, tally.kind));
        }
        for finding in self.findings.iter().filter(|f| f.severity == Severity::Blocking) {
            line(out, &format!("  to be settled: {} {} [{}]", finding.about.word(), finding.words, finding.origin));
        }
    }

    fn left(&self, out: &mut String) {
        if self.not_yet_carried.is_empty() {
            return;
        }
        line(out, "\nRead, but not yet carried by this version:");
        for (what, n) in &self.not_yet_carried {
            line(out, &format!("  {n:>8}  {what}"));
        }
    }

    /// Findings in groups of like consequence.
    fn told(&self, out: &mut String) {
        for (severity, title) in [
            (Severity::Blocking, "To be settled before anything is written"),
            (Severity::Warning, "To look at"),
            (Severity::Note, "Good to know"),
        ] {
            let of = groups_of(&self.findings, severity);
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
}

fn no_zone() -> Finding {
    Finding {
        severity: Severity::Warning,
        about: About::Installation,
        consequence: "All times but those of tokens are read as UTC, and are off by hours if the old server ran elsewhere; name its zone, UTC if it is that.",
        origin: "--source-timezone".to_owned(),
        words: "the old server's time zone was not given".to_owned(),
    }
}

/// Findings of one weight in groups of like consequence; they are sorted by weight, subject and consequence.
fn groups_of(findings: &[Finding], severity: Severity) -> Vec<&[Finding]> {
    findings.chunk_by(|a, b| kind(a) == kind(b)).filter(|group| group.first().is_some_and(|f| f.severity == severity)).collect()
}

fn kind(finding: &Finding) -> (Severity, About, &str) {
    (finding.severity, finding.about, finding.consequence)
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

fn counts(out: &mut String, tallies: &[Tally]) {
    line(out, "Can be carried:");
    for tally in tallies {
        line(out, &format!("  {:>8}  {}", tally.source, tally.kind));
    }
}

fn tallies(out: &mut String, title: &str, tallies: &[Tally]) {
    line(out, &format!("{title:<24}{:>8}{:>10}{:>9}{:>8}{:>12}", "new", "replaced", "changed", "same", "in the way"));
    for t in tallies {
        line(out, &format!("  {:<22}{:>8}{:>10}{:>9}{:>8}{:>12}", t.kind, t.new, t.replaces, t.changed, t.same, t.conflicts));
        if t.gone > 0 {
            line(out, &format!("      {} carried before are gone from the source since; they stay here", t.gone));
        }
        if t.deleted > 0 {
            line(out, &format!("      {} carried before were deleted here and changed in the source since; they stay deleted", t.deleted));
        }
    }
}

fn compared(out: &mut String, verification: &Verification) {
    let heading = |title: &str| {
        format!("{title:<38}{:>8}{:>8}{:>8}{:>10}{:>9}{:>10}", "source", "target", "equal", "lived on", "missing", "different")
    };
    for (title, rows) in [("Records", &verification.kinds), ("Old cells against the target", &verification.straight)] {
        line(out, &heading(title));
        for c in rows {
            line(
                out,
                &format!(
                    "  {:<36}{:>8}{:>8}{:>8}{:>10}{:>9}{:>10}",
                    c.kind, c.source, c.target, c.equal, c.lived_on, c.missing, c.different
                ),
            );
        }
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
