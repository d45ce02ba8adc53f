//! `tidegate upgrade report` and `verify-report`: what was taken over, signed, and checked again without either installation.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use upgrade::report::Report;
use upgrade::report::signed::{REPORT_MAX_BYTES, ReportKey, check};
use upgrade::target::Secret;

use super::{Common, Ready, answer, code, must_be_carried, passes, planned, present_target, say, status, tell, translate};

/// Runs told in a signed report.
const RUNS: u32 = 1_000;

#[derive(Args)]
pub(super) struct ReportWords {
    /// Write the report here, and its signature beside it with `.sig` at the end.
    #[arg(long, default_value = "upgrade-report.json")]
    out: PathBuf,
    /// Key to sign with; made when it is not there. Default is report.key in the data directory.
    #[arg(long)]
    key: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct CheckWords {
    /// The report.
    report: PathBuf,
    /// Its signature; default is the file of the same name with `.sig` at the end.
    #[arg(long)]
    signature: Option<PathBuf>,
    /// Fingerprint of the key that must have signed it, as `report` told it.
    #[arg(long)]
    signed_by: Option<String>,
}

/// Verifies, and signs what came of it: differences too, so that nobody need take a good report on trust.
pub(super) async fn report(words: &ReportWords) -> anyhow::Result<ExitCode> {
    let common = &words.common;
    // Asked for before the source is read, which may take long.
    let db = present_target(&common.target).await?;
    let key = key(&words.key.clone().unwrap_or_else(|| common.target.data_dir.join("report.key")))?;
    let ready = Ready::new(common).await?;
    must_be_carried(&db, &ready).await?;
    let (translation, plan) = planned(&ready, translate(&ready), Some(&db), None).await?;
    say("comparing");
    let verification = upgrade::verify::verify(&translation, &ready.input(), &ready.old.site, &db).await?;
    let runs = upgrade::journal::runs(&db, RUNS).await?;
    db.close().await;
    let runs = runs.iter().map(|(run, sums)| status::as_json(run, sums)).collect();
    let report = Report::new("report", &ready.old, &translation, &plan).with_verification(&verification).with_runs(runs);
    tell(common, &report)?;
    let text = report.json()?;
    std::fs::write(&words.out, &text).with_context(|| format!("cannot write {}", words.out.display()))?;
    let beside = signature_of(&words.out);
    std::fs::write(&beside, key.sign(&text)).with_context(|| format!("cannot write {}", beside.display()))?;
    say(&format!(
        "Signed by {} in {}. To check: tidegate upgrade verify-report {}",
        key.fingerprint(),
        beside.display(),
        words.out.display()
    ));
    Ok(code(passes(common, &report)))
}

pub(super) fn verify_report(words: &CheckWords) -> anyhow::Result<ExitCode> {
    let beside = words.signature.clone().unwrap_or_else(|| signature_of(&words.report));
    let report = bounded(&words.report, REPORT_MAX_BYTES)?;
    let signature = bounded(&beside, 4096)?;
    let checked = check(&report, &signature, words.signed_by.as_deref())
        .with_context(|| format!("{} is not to be trusted", words.report.display()))?;
    answer(&format!("Not changed since it was signed by {}.", checked.fingerprint));
    if words.signed_by.is_none() {
        answer("Compare that with the fingerprint told when it was signed, or say --signed-by.");
    }
    for words in &checked.shortcomings {
        answer(&format!("  {words}"));
    }
    if checked.shortcomings.is_empty() {
        answer("It adds up, and tells no difference.");
    }
    Ok(code(checked.shortcomings.is_empty()))
}

fn signature_of(report: &Path) -> PathBuf {
    let mut beside = report.as_os_str().to_owned();
    beside.push(".sig");
    PathBuf::from(beside)
}

fn bounded(file: &Path, max_bytes: usize) -> anyhow::Result<String> {
    let size = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    anyhow::ensure!(usize::try_from(size).is_ok_and(|size| size <= max_bytes), "{} is larger than {max_bytes} bytes", file.display());
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The key in this file, or a new one put there for its owner's eyes only.
fn key(file: &Path) -> anyhow::Result<ReportKey> {
    if file.exists() {
        let text = Secret::new(bounded(file, 4096)?);
        return ReportKey::from_file(&text).with_context(|| format!("{} cannot be used", file.display()));
    }
    let key = ReportKey::generate()?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let cannot = || format!("cannot make the signing key {}", file.display());
    let mut made = options.open(file).with_context(cannot)?;
    made.write_all(key.to_file()?.expose().as_bytes()).with_context(cannot)?;
    made.sync_all().with_context(cannot)?;
    Ok(key)
}
