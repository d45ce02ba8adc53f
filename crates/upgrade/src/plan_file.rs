//! The plan as a file: what `plan` found and would have written, so that `apply` does exactly that or stops.
//!
//! The same source, target and options give the same bytes: there is no clock in it, no random order, and no path. No secret either: of
//! records it holds counts and digests, of findings what the report tells.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digests::hex;
use crate::fingerprint::{Print, of};
use crate::opened::Old;
use crate::plan::Plan;
use crate::report::Report;
use crate::translate::{About, Finding, Translation};

/// What this version writes and reads.
const FORMAT: &str = "tidegate-upgrade-plan-1";
/// Bytes of the largest file that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Findings shown of each group; the digest is over all.
const EXAMPLES: usize = 20;

/// A plan as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// Names this form.
    pub format: String,
    /// Version of Tidegate that made it.
    pub tidegate: String,
    /// The old installation.
    pub source: SourcePrint,
    /// How it was read.
    pub options: PlanOptions,
    /// What would be written, by kind, in the order of writing.
    pub records: Vec<Print>,
    /// What an operator must know, in groups.
    pub findings: Vec<FindingGroup>,
    /// `ready`, or `refused` when something must be settled first.
    pub verdict: String,
}

/// An old installation, as far as it names itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePrint {
    /// Its name in the book of origins.
    pub identity: String,
    /// Version of the old product.
    pub version: String,
    /// Its databases, in the order in which they were given.
    pub databases: Vec<DatabasePrint>,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabasePrint {
    /// Its tables.
    pub tables: u64,
    /// Rows in all of them.
    pub rows: u64,
    /// Over the names of tables and columns, and the number of rows of each.
    pub fingerprint: String,
}

/// How the source is read, as far as it decides what is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanOptions {
    /// `--source-timezone`, when given.
    pub source_timezone: Option<String>,
    /// `--rehearse-at`, when given, in milliseconds since the epoch.
    pub rehearse_at_ms: Option<i64>,
    /// Digest of what the `--endpoint-map` says, when one was given.
    pub endpoint_map: Option<String>,
    /// `--leave-encrypted`.
    pub leave_encrypted: bool,
    /// Whether there was a folder of the old installation.
    pub with_folder: bool,
    /// `--environment-map`, pair by pair.
    #[serde(default)]
    pub environment_map: Vec<String>,
}

/// Findings of like consequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingGroup {
    /// `blocking`, `warning` or `note`.
    pub severity: String,
    /// What they are about.
    pub about: String,
    /// What follows from them.
    pub consequence: String,
    /// How many there are.
    pub count: u64,
    /// The first of them: words and origin.
    pub examples: Vec<String>,
    /// Over all of them.
    pub digest: String,
}

/// A plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read.
    #[error("the plan {path} cannot be read; `tidegate upgrade plan --out {path}` makes one")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// It is too large to be one.
    #[error("{path} is larger than any plan ({MAX_BYTES} bytes at most)")]
    TooLarge {
        /// Which.
        path: String,
    },
    /// It is none.
    #[error("{path} is no plan, or was changed by hand; make it anew with `tidegate upgrade plan`")]
    Malformed {
        /// Which.
        path: String,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
    /// Another version made it.
    #[error("{path} was made by Tidegate {version}, and this is {}; make it anew with `tidegate upgrade plan`", env!("CARGO_PKG_VERSION"))]
    OtherVersion {
        /// Which.
        path: String,
        /// Its version.
        version: String,
    },
}

/// How what is found now differs from a plan, in words, a line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deviations {
    /// Kinds that differ.
    pub kinds: Vec<String>,
    /// What differs.
    pub lines: Vec<String>,
    /// The source is another, or was read in another way; no kind can be let pass then.
    pub basic: bool,
}

impl PlanFile {
    /// Of a plan that was made.
    pub fn of(old: &Old, translation: &Translation, plan: &Plan, options: PlanOptions) -> Self {
        let report = Report::new("plan", old, translation, plan);
        Self {
            format: FORMAT.to_owned(),
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
            source: source(old),
            options,
            records: plan.prints.clone(),
            findings: groups(&report.findings),
            verdict: if report.is_fine() { "ready" } else { "refused" }.to_owned(),
        }
    }

    /// The file.
    ///
    /// # Errors
    ///
    /// Never in practice: all parts are plain data.
    pub fn text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`PlanFileError`].
    pub fn read(path: &Path) -> Result<Self, PlanFileError> {
        let shown = || path.display().to_string();
        let unreadable = |cause| PlanFileError::Unreadable { path: shown(), cause };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
            return Err(PlanFileError::TooLarge { path: shown() });
        }
        let text = std::fs::read(path).map_err(unreadable)?;
        let malformed = |cause| PlanFileError::Malformed { path: shown(), cause };
        // The version first: another version's fields may be others.
        let head: Head = serde_json::from_slice(&text).map_err(malformed)?;
        if head.format != FORMAT || head.tidegate != env!("CARGO_PKG_VERSION") {
            return Err(PlanFileError::OtherVersion { path: shown(), version: format!("{} ({})", head.tidegate, head.format) });
        }
        serde_json::from_slice(&text).map_err(malformed)
    }

    /// Names the plan: all that decides what is written. What the report tells beside it may be told otherwise and it is the same plan.
    pub fn digest(&self) -> String {
        let decisive =
            (&self.format, &self.tidegate, &self.source.identity, &self.source.version, &self.options, &self.records, &self.verdict);
        // Plain data always makes JSON; without it every plan would have one name, and would be refused as another's.
        hex(&of(&[&serde_json::to_vec(&decisive).unwrap_or_default()]))
    }

    /// Whether nothing must be settled first.
    pub fn is_ready(&self) -> bool {
        self.verdict == "ready"
    }

    /// How `found` differs from this plan in what would be written.
    pub fn deviations(&self, found: &Self) -> Deviations {
        let mut told = Deviations::default();
        if (&self.source.identity, &self.source.version) != (&found.source.identity, &found.source.version) {
            let of = |s: &SourcePrint| format!("{} ({})", s.identity, s.version);
            told.lines.push(format!("another old installation: planned for {}, found {}", of(&self.source), of(&found.source)));
            told.basic = true;
            // That everything else is another, too, says nothing more.
            return told;
        }
        for line in self.options.differences(&found.options) {
            told.lines.push(line);
            told.basic = true;
        }
        for planned in &self.records {
            match found.records.iter().find(|print| print.kind == planned.kind) {
                Some(now) if now.digest == planned.digest => {}
                Some(now) => {
                    told.kinds.push(planned.kind.clone());
                    told.lines.push(format!("{}: {}", planned.kind, changed(planned, now)));
                }
                None => {
                    told.kinds.push(planned.kind.clone());
                    told.lines.push(format!("{}: planned, and not known to this version", planned.kind));
                }
            }
        }
        for now in found.records.iter().filter(|now| !self.records.iter().any(|planned| planned.kind == now.kind)) {
            told.kinds.push(now.kind.clone());
            told.lines.push(format!("{}: not in the plan", now.kind));
        }
        told
    }
}

impl PlanOptions {
    /// How others differ, in the words of the command line.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut told = Vec::new();
        let mut hold = |option: &str, planned: String, now: String| {
            if planned != now {
                told.push(format!("{option}: planned with {planned}, now {now}"));
            }
        };
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        hold("--source-timezone", word(&self.source_timezone), word(&now.source_timezone));
        let moment = |ms: Option<i64>| ms.map_or_else(|| "none".to_owned(), |ms| model::Timestamp(ms).0.to_string());
        hold("--rehearse-at (ms)", moment(self.rehearse_at_ms), moment(now.rehearse_at_ms));
        let digest =
            |value: &Option<String>| value.as_ref().map_or_else(|| "none".to_owned(), |d| format!("the one of digest {}", short(d)));
        hold("--endpoint-map", digest(&self.endpoint_map), digest(&now.endpoint_map));
        hold("--leave-encrypted", self.leave_encrypted.to_string(), now.leave_encrypted.to_string());
        hold("--environment-map", format!("{:?}", self.environment_map), format!("{:?}", now.environment_map));
        hold("--source (a folder)", self.with_folder.to_string(), now.with_folder.to_string());
        told
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: String,
    #[serde(default)]
    tidegate: String,
}

fn changed(planned: &Print, now: &Print) -> String {
    let columns = [
        ("to add", planned.add, now.add),
        ("to change", planned.change, now.change),
        ("to end", planned.end, now.end),
        ("the same", planned.same, now.same),
        ("deleted here", planned.deleted_here, now.deleted_here),
        ("gone there", planned.gone, now.gone),
        ("in the way", planned.in_the_way, now.in_the_way),
    ];
    let told: Vec<String> =
        columns.iter().filter(|(_, a, b)| a != b).map(|(what, a, b)| format!("{a} {what} were planned, {b} are found")).collect();
    if told.is_empty() { "as many as planned, and not the same".to_owned() } else { told.join("; ") }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn source(old: &Old) -> SourcePrint {
    let databases = old.site.sources.iter().map(|database| {
        let shown = database.to_string();
        let counts = || old.installation.counts.iter().filter(|count| count.source == shown);
        let mut lines: Vec<String> = counts().map(|count| format!("{} {}", count.table, count.rows)).collect();
        for table in database.tables() {
            let columns: Vec<String> = table.columns.iter().map(|c| c.name.to_ascii_uppercase()).collect();
            lines.push(format!("{} ({})", table.name.to_ascii_uppercase(), columns.join(", ")));
        }
        lines.sort();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        DatabasePrint {
            tables: u64::try_from(database.tables().count()).unwrap_or(u64::MAX),
            rows: counts().map(|count| count.rows).sum(),
            fingerprint: hex(&of(&lines)),
        }
    });
    SourcePrint { identity: old.source.clone(), version: old.installation.version.as_str().to_owned(), databases: databases.collect() }
}

/// Findings are sorted by weight, subject and consequence. Those about single tokens are left to the report: which of them are told goes by
/// which tokens are alive, and so by the clock.
fn groups(findings: &[Finding]) -> Vec<FindingGroup> {
    let findings: Vec<Finding> = findings.iter().filter(|f| f.about != About::Token).cloned().collect();
    let like = |a: &Finding, b: &Finding| (a.severity, a.about, a.consequence) == (b.severity, b.about, b.consequence);
    let groups = findings.chunk_by(like).filter_map(|group| {
        let first = group.first()?;
        let words: Vec<String> = group.iter().map(|f| format!("{} [{}]", f.words, f.origin)).collect();
        let parts: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        Some(FindingGroup {
            severity: format!("{:?}", first.severity).to_lowercase(),
            about: first.about.word().to_owned(),
            consequence: first.consequence.to_owned(),
            count: u64::try_from(group.len()).unwrap_or(u64::MAX),
            digest: hex(&of(&parts)),
            examples: words.iter().take(EXAMPLES).cloned().collect(),
        })
    });
    groups.collect()
}
