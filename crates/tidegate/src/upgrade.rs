//! `tidegate upgrade`: the operator's road, a file for each part of it. Here are the words that its commands share, and what they start with.

mod apply;
mod catch_up;
mod export;
mod fold;
mod look;
mod progress;
mod rollback;
mod signed;
mod status;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use server::Timestamp;
use upgrade::environments::EnvironmentMap;
use upgrade::plan::Plan;
use upgrade::plan_file::PlanOptions;
use upgrade::report::Report;
use upgrade::source::Location;
use upgrade::target::{Db, TargetError, TargetPlace};
use upgrade::translate::{EndpointMap, Input, Translation};
use upgrade::{Old, Place};

#[derive(Args)]
pub(crate) struct Upgrade {
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand)]
enum Step {
    /// Read the old installation and tell what can be carried. Needs no target and writes nothing.
    Assess(Common),
    /// Tell what would be written, and write that down as a plan. Writes nothing else.
    Plan(look::PlanWords),
    /// Do exactly what a plan says, or stop before anything is written. Needs the words with which the plan was made.
    Apply(apply::ApplyWords),
    /// Bring what changed in the old installation since, by the same decisions. May be run as often as you like.
    CatchUp(catch_up::CatchUpWords),
    /// Read both sides and compare them, record by record; with --old-gateway, call by call too. Fails on any difference.
    Verify(look::VerifyWords),
    /// Verify, and write a signed report of it for whoever must be shown that nothing was lost.
    Report(signed::ReportWords),
    /// Check a signed report. Needs neither installation.
    VerifyReport(signed::CheckWords),
    /// Write the old installation's APIs and applications as project archives, for those who stay with the vendor. Needs no target.
    Export(export::ExportWords),
    /// Tell what was done: runs, and what each wrote. Needs no source and writes nothing.
    Status(status::StatusWords),
    /// Take back what was written and leave later work. Tells only, until you say --yes. Needs no source.
    Rollback(rollback::RollbackWords),
}

/// Where the new installation is.
#[derive(Args)]
struct TargetWords {
    /// Data directory of the new installation.
    #[arg(long, default_value = "./tidegate-data")]
    data_dir: PathBuf,
    /// Database of the new installation: sqlite:PATH or postgres://user:password@host/name; default is tidegate.db in the data directory.
    #[arg(long)]
    db: Option<String>,
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    target: TargetWords,
    /// Folder of the old installation, the one that holds `repository`.
    #[arg(long)]
    source: Option<PathBuf>,
    /// Folder of another gateway node of the old installation; its files are held against those of --source. May be repeated.
    #[arg(long, requires = "source")]
    gateway_node: Vec<PathBuf>,
    /// A gateway environment of the old installation and the one that stands for it here, made where it is missing. May be repeated; what
    /// is not named runs in Default.
    #[arg(long, value_name = "OLD=NEW")]
    environment_map: Vec<String>,
    /// Database with the AM_ and IDN_ tables: h2:PATH, mysql://…, postgres://…, dump:FILE.sql or csv:FOLDER; default is what the folder's configuration names.
    #[arg(long, requires_all = ["user_db", "registry_db"])]
    am_db: Option<String>,
    /// Database with the UM_ tables.
    #[arg(long, requires_all = ["am_db", "registry_db"])]
    user_db: Option<String>,
    /// Database with the REG_ tables.
    #[arg(long, requires_all = ["am_db", "user_db"])]
    registry_db: Option<String>,
    /// Time zone the old server ran in, such as Asia/Colombo or UTC; without it UTC is taken, and the report warns.
    #[arg(long)]
    source_timezone: Option<String>,
    /// Backends to call instead, for rehearsals: lines of OLD-PREFIX NEW-PREFIX, the longest prefix wins.
    #[arg(long)]
    endpoint_map: Option<PathBuf>,
    /// Behave as if it were this time now (RFC 3339, e.g. 2018-11-05T10:00:00Z): tokens alive then are carried.
    #[arg(long, value_parser = instant)]
    rehearse_at: Option<Timestamp>,
    /// Go on without clients and tokens that the old installation encrypted and whose key is not at hand.
    #[arg(long)]
    leave_encrypted: bool,
    /// Authorities (PEM) that vouch for the directory servers of user stores, in place of those this machine trusts.
    #[arg(long)]
    user_store_ca: Option<PathBuf>,
    /// Take any certificate a directory server shows. Whoever stands between can then read passwords.
    #[arg(long, conflicts_with = "user_store_ca")]
    user_store_any_certificate: bool,
    /// Do not ask user stores whether they answer; `assess` and `plan` do otherwise.
    #[arg(long)]
    skip_user_store_test: bool,
    /// Fail, before anything is written, when an old row cannot be carried or is not carried yet.
    #[arg(long)]
    strict: bool,
    /// Also write the whole report here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Also write the report here as a page for a browser, which needs nothing else.
    #[arg(long)]
    html: Option<PathBuf>,
}

pub(crate) fn run(words: Upgrade) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        match words.step {
            Step::Assess(common) => look::assess(&common).await,
            Step::Plan(words) => look::plan(&words).await,
            Step::Apply(words) => apply::run(words).await,
            Step::CatchUp(words) => catch_up::run(words).await,
            Step::Verify(common) => look::verify(&common).await,
            Step::Report(words) => signed::report(&words).await,
            Step::VerifyReport(words) => signed::verify_report(&words),
            Step::Export(words) => export::run(&words).await,
            Step::Status(words) => status::run(&words).await,
            Step::Rollback(words) => rollback::run(&words).await,
        }
    })
}

/// What every step starts with.
struct Ready {
    old: Old,
    map: EndpointMap,
    now: Timestamp,
}

impl Ready {
    async fn new(common: &Common) -> anyhow::Result<Self> {
        let map = endpoint_map(common.endpoint_map.as_deref())?;
        let place = place(common)?;
        say("reading the old installation");
        let old = Old::read(&place).await?;
        Ok(Self { old, map, now: common.rehearse_at.unwrap_or_else(present) })
    }

    fn input(&self) -> Input<'_> {
        self.old.input(&self.map, self.now)
    }
}

/// Asks the user stores that were translated whether they answer; findings tell either way.
async fn ask_user_stores(common: &Common, translation: &mut Translation) {
    if !common.skip_user_store_test && !translation.user_stores.is_empty() {
        say("asking user stores");
        upgrade::ask_user_stores(translation).await;
    }
}

fn translate(ready: &Ready) -> Translation {
    say("translating");
    upgrade::translate::translate(&ready.input())
}

/// Translates all, tokens counted, and holds it against the target; `run` is one that was interrupted and is gone on with. What only
/// translation reads of the source is dropped: it is some hundred megabytes of a large one.
async fn translated(ready: &mut Ready, db: Option<&Db>, run: Option<i64>) -> anyhow::Result<(Translation, Plan)> {
    let translation = translate(ready);
    ready.old.let_go();
    planned(ready, translation, db, run).await
}

/// The rest of [`translated`].
async fn planned(ready: &Ready, mut translation: Translation, db: Option<&Db>, run: Option<i64>) -> anyhow::Result<(Translation, Plan)> {
    let input = ready.input();
    let mut plan = upgrade::plan::plan_within(&translation, &ready.old.source, db, run).await?;
    say("looking through tokens");
    upgrade::plan::plan_tokens_within(&mut plan, &mut translation, &input, &ready.old.site, db, run).await?;
    Ok((translation, plan))
}

fn place(common: &Common) -> anyhow::Result<Place> {
    let mut databases = Vec::new();
    for (flag, text) in [("--am-db", &common.am_db), ("--user-db", &common.user_db), ("--registry-db", &common.registry_db)] {
        if let Some(text) = text {
            databases.push(Location::parse(text).with_context(|| format!("{flag} cannot be used"))?);
        }
    }
    let zone = match &common.source_timezone {
        Some(name) => {
            Some(name.parse().map_err(|_| anyhow::anyhow!("--source-timezone: '{name}' is no time zone; expected e.g. Asia/Colombo"))?)
        }
        None => None,
    };
    let key_store_password = secret_of("TIDEGATE_SOURCE_KEYSTORE_PASSWORD");
    let user_store_authorities = match &common.user_store_ca {
        Some(file) => Some(std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?),
        None => None,
    };
    Ok(Place {
        home: common.source.clone(),
        gateway_nodes: common.gateway_node.clone(),
        environment_map: EnvironmentMap::parse(&common.environment_map).context("--environment-map cannot be used")?,
        databases,
        zone,
        key_store_password,
        leave_encrypted: common.leave_encrypted,
        user_store_authorities,
        user_store_any_certificate: common.user_store_any_certificate,
    })
}

/// How the source is read, as a plan and the journal remember it.
fn options(common: &Common, map: &EndpointMap) -> PlanOptions {
    PlanOptions {
        source_timezone: common.source_timezone.clone(),
        rehearse_at_ms: common.rehearse_at.map(|at| at.0),
        endpoint_map: common.endpoint_map.as_ref().map(|_| map.digest()),
        leave_encrypted: common.leave_encrypted,
        with_folder: common.source.is_some(),
        environment_map: EnvironmentMap::parse(&common.environment_map).map(|map| map.pairs().collect()).unwrap_or_default(),
    }
}

/// Fills in what was not said from what was said when the plan was made, or the run that is followed. Files must be named again.
fn as_before(common: &mut Common, before: &PlanOptions) {
    common.source_timezone = common.source_timezone.take().or_else(|| before.source_timezone.clone());
    common.rehearse_at = common.rehearse_at.or(before.rehearse_at_ms.map(Timestamp));
    common.leave_encrypted |= before.leave_encrypted;
    if common.environment_map.is_empty() {
        common.environment_map.clone_from(&before.environment_map);
    }
}

fn target(words: &TargetWords) -> anyhow::Result<TargetPlace> {
    let database = words.db.as_deref().map(upgrade::target::Address::parse).transpose().context("--db cannot be used")?;
    Ok(TargetPlace { data_dir: words.data_dir.clone(), database, key: encryption_key() })
}

/// The new installation, which must be there.
async fn present_target(words: &TargetWords) -> anyhow::Result<Db> {
    Ok(target(words)?.open().await?.ok_or_else(|| TargetError::Missing(words.data_dir.clone()))?)
}

/// Nothing can be compared of an installation of which nothing is here; everything would be told as missing.
async fn must_be_carried(db: &Db, ready: &Ready) -> anyhow::Result<()> {
    let carried = upgrade::journal::sources(db).await?;
    if carried.contains(&ready.old.source) {
        return Ok(());
    }
    let of_others = if carried.is_empty() { "" } else { ", only of another one" };
    anyhow::bail!("nothing of this old installation is here{of_others}; first: tidegate upgrade plan, then tidegate upgrade apply")
}

fn endpoint_map(file: Option<&Path>) -> anyhow::Result<EndpointMap> {
    let Some(file) = file else { return Ok(EndpointMap::default()) };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    EndpointMap::parse(&text).with_context(|| format!("{} cannot be used", file.display()))
}

#[expect(clippy::print_stdout, reason = "the report is this command's result")]
fn tell(common: &Common, report: &Report<'_>) -> anyhow::Result<()> {
    if let Some(file) = &common.json {
        std::fs::write(file, report.json()?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &common.html {
        std::fs::write(file, report.html()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print!("{}", fold::for_stdout(&report.text()));
    if common.strict && report.is_fine() && !report.is_fine_strictly() {
        say("--strict: old rows failed or are not carried yet (see above), so this does not pass");
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "an upgrade may take long, and its report goes to standard output")]
fn say(words: &str) {
    eprintln!("{}", fold::for_stderr(words));
}

#[expect(clippy::print_stdout, reason = "the answer is this command's result")]
fn answer(words: &str) {
    println!("{}", fold::for_stdout(words));
}

/// Whether a step may go on, or has succeeded.
fn passes(common: &Common, report: &Report<'_>) -> bool {
    if common.strict { report.is_fine_strictly() } else { report.is_fine() }
}

fn code(fine: bool) -> ExitCode {
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `TIDEGATE_ENCRYPTION_KEY`, as for `serve`.
fn encryption_key() -> Option<upgrade::target::Secret<String>> {
    secret_of("TIDEGATE_ENCRYPTION_KEY")
}

fn secret_of(variable: &str) -> Option<upgrade::target::Secret<String>> {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map(upgrade::target::Secret::new)
}

fn instant(text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|at| Timestamp(at.timestamp_millis()))
        .map_err(|fault| format!("{fault}; expected e.g. 2018-11-05T10:00:00Z"))
}

/// For people, UTC, to the second.
fn moment(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.0).map_or_else(|| format!("{} ms", at.0), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn present() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}
