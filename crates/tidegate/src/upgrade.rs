//! `tidegate upgrade`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use server::Timestamp;
use upgrade::apply::Options;
use upgrade::plan::Plan;
use upgrade::report::Report;
use upgrade::source::{Location, Reading, SourceError, newer};
use upgrade::target::{TargetError, TargetPlace};
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
    /// Tell what would be written. Writes nothing.
    Plan(Common),
    /// Write it. May be run again: what is there already is left alone, what changed since is brought up to date.
    Apply(Common),
    /// Read both sides and compare them, record by record. Fails on any difference.
    Verify(Common),
}

#[derive(Args)]
struct Common {
    /// Data directory of the new installation.
    #[arg(long, default_value = "./tidegate-data")]
    data_dir: PathBuf,
    /// Database of the new installation: sqlite:PATH or postgres://user:password@host/name; default is tidegate.db in the data directory.
    #[arg(long)]
    db: Option<String>,
    /// Folder of the old installation, the one that holds `repository`.
    #[arg(long)]
    source: Option<PathBuf>,
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
    /// Fail, before anything is written, when an old row cannot be carried or is not carried yet.
    #[arg(long)]
    strict: bool,
    /// Also write the whole report here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(crate) fn run(words: Upgrade) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        match words.step {
            Step::Assess(common) => assess(&common).await,
            Step::Plan(common) => plan(&common).await,
            Step::Apply(common) => apply(&common).await,
            Step::Verify(common) => verify(&common).await,
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

async fn assess(common: &Common) -> anyhow::Result<ExitCode> {
    let ready = match Ready::new(common).await {
        Err(fault) if is_only_assessed(&fault) => return survey(common).await,
        ready => ready?,
    };
    let (translation, plan) = translated(&ready, None).await?;
    let report = Report::new("assess", &ready.old, &translation, &plan);
    tell(common, &report)?;
    Ok(code(passes(common, &report)))
}

/// Whether an installation of 3.0 to 4.0 was met, of which only `assess` has something to tell.
fn is_only_assessed(fault: &anyhow::Error) -> bool {
    fault.chain().any(|cause| matches!(cause.downcast_ref(), Some(SourceError::AssessOnly { .. })))
}

/// Tells what a newer installation holds. It cannot be taken over, so this is no success.
#[expect(clippy::print_stdout, reason = "the survey is this command's result")]
async fn survey(common: &Common) -> anyhow::Result<ExitCode> {
    let place = place(common)?;
    let survey = newer::survey(place.home.as_deref(), &place.databases, Reading::default()).await?;
    if let Some(file) = &common.json {
        std::fs::write(file, survey.json()?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print!("{}", survey.text());
    Ok(ExitCode::FAILURE)
}

async fn plan(common: &Common) -> anyhow::Result<ExitCode> {
    let target = target(common)?;
    let ready = Ready::new(common).await?;
    let db = target.open().await?;
    let (translation, plan) = translated(&ready, db.as_ref()).await?;
    let report = Report::new("plan", &ready.old, &translation, &plan);
    tell(common, &report)?;
    Ok(code(passes(common, &report)))
}

async fn apply(common: &Common) -> anyhow::Result<ExitCode> {
    let target = target(common)?;
    let ready = Ready::new(common).await?;
    let db = target.open().await?;
    let (translation, plan) = translated(&ready, db.as_ref()).await?;
    let report = Report::new("plan", &ready.old, &translation, &plan);
    if !passes(common, &report) {
        tell(common, &report)?;
        anyhow::bail!("refused, and nothing was written: see what must be settled first in the report");
    }
    let db = match db {
        Some(db) => db,
        None => target.open_or_make().await?,
    };
    let input = ready.input();
    let progress = |kind: &str, done: u64, all: Option<u64>| match all {
        Some(all) => say(&format!("{kind}: {done} of {all}")),
        None => say(&format!("{kind}: {done}")),
    };
    let applied = upgrade::apply::apply(&translation, &plan, &input, &ready.old.site, &db, Options::all(present()), &progress).await;
    db.close().await;
    let applied = applied.context("stopped; run the same command again and it goes on from here")?;
    tell(common, &Report::new("apply", &ready.old, &translation, &plan).with_written(&applied))?;
    Ok(ExitCode::SUCCESS)
}

async fn verify(common: &Common) -> anyhow::Result<ExitCode> {
    let target = target(common)?;
    let ready = Ready::new(common).await?;
    let db = target.open().await?.ok_or_else(|| TargetError::Missing(common.data_dir.clone()))?;
    let (translation, plan) = translated(&ready, Some(&db)).await?;
    say("comparing");
    let verification = upgrade::verify::verify(&translation, &ready.input(), &ready.old.site, &db).await?;
    db.close().await;
    let report = Report::new("verify", &ready.old, &translation, &plan).with_verification(&verification);
    tell(common, &report)?;
    Ok(code(passes(common, &report)))
}

/// Translates all, tokens counted, and holds it against the target.
async fn translated(ready: &Ready, db: Option<&upgrade::target::Db>) -> anyhow::Result<(Translation, Plan)> {
    say("translating");
    let input = ready.input();
    let mut translation = upgrade::translate::translate(&input);
    let mut plan = upgrade::plan::plan(&translation, &ready.old.source, db).await?;
    say("looking through tokens");
    upgrade::plan::plan_tokens(&mut plan, &mut translation, &input, &ready.old.site, db).await?;
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
    Ok(Place { home: common.source.clone(), databases, zone, key_store_password, leave_encrypted: common.leave_encrypted })
}

fn target(common: &Common) -> anyhow::Result<TargetPlace> {
    let database = common.db.as_deref().map(upgrade::target::Address::parse).transpose().context("--db cannot be used")?;
    Ok(TargetPlace { data_dir: common.data_dir.clone(), database, key: encryption_key() })
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
    print!("{}", report.text());
    Ok(())
}

#[expect(clippy::print_stderr, reason = "an upgrade may take long, and its report goes to standard output")]
fn say(words: &str) {
    eprintln!("{words}");
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

fn present() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}
