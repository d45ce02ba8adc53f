//! Tells what was found and done: a short text for a terminal, one page for a browser, and everything as JSON for machines. What costs money
//! or access comes first.

mod html;
pub mod signed;
mod text;
mod verdict;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::apply::Applied;
use crate::opened::Old;
use crate::plan::{Conflict, Plan, Tally};
use crate::stakes::{Stake, stakes};
use crate::translate::{About, Finding, Ledger, Severity, Translation};
use crate::verify::Verification;
use verdict::Verdict;

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

    /// What comes of it all.
    fn verdict(&self) -> Verdict {
        verdict::of(self)
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

    /// For a terminal. Lines are as long as what they say; whoever shows them folds them.
    pub fn text(&self) -> String {
        text::text(self)
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
