//! What only looks: `assess`, `plan`, `verify`.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use upgrade::plan_file::PlanFile;
use upgrade::replay::{How, Trust, Url};
use upgrade::report::Report;
use upgrade::source::{Reading, SourceError, newer};

use super::progress::Progress;
use super::{
    Common, Ready, ask_user_stores, code, must_be_carried, options, passes, place, planned, present_target, say, target, tell, translate,
    translated,
};

/// How long one answer of a gateway may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(super) struct PlanWords {
    /// Write the plan here, over an older one.
    #[arg(long, default_value = "upgrade-plan.json")]
    out: PathBuf,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn assess(common: &Common) -> anyhow::Result<ExitCode> {
    let mut ready = match Ready::new(common).await {
        Err(fault) if is_only_assessed(&fault) => return survey(common).await,
        ready => ready?,
    };
    let (mut translation, plan) = translated(&mut ready, None, None).await?;
    ask_user_stores(common, &mut translation).await;
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

pub(super) async fn plan(words: &PlanWords) -> anyhow::Result<ExitCode> {
    let common = &words.common;
    let target = target(&common.target)?;
    let mut ready = Ready::new(common).await?;
    let db = target.open().await?;
    let (mut translation, plan) = translated(&mut ready, db.as_ref(), None).await?;
    let file = PlanFile::of(&ready.old, &translation, &plan, options(common, &ready.map));
    write(&words.out, &file.text()?)?;
    // Not before the plan is made: whether a server answers today must make no other plan.
    ask_user_stores(common, &mut translation).await;
    let report = Report::new("plan", &ready.old, &translation, &plan);
    tell(common, &report)?;
    let out = words.out.display();
    match passes(common, &report) {
        true => say(&format!(
            "The plan is in {out}. To do exactly that: tidegate upgrade apply {out}, with the same words for source and target."
        )),
        false => say(&format!("The plan is in {out}. `apply` refuses it until what must be settled first is settled; then plan again.")),
    }
    Ok(code(passes(common, &report)))
}

/// In one stroke, so that an interrupted `plan` leaves no half of one.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, text).with_context(|| format!("cannot write {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))
}

#[derive(Args)]
pub(super) struct VerifyWords {
    /// Make calls of the old gateway at this URL and of the new one, and compare their answers. They count against limits and reach backends.
    #[arg(long)]
    old_gateway: Option<Url>,
    /// The new gateway.
    #[arg(long, requires = "old_gateway", default_value = "http://127.0.0.1:8280")]
    new_gateway: Url,
    /// Calls of one API at most.
    #[arg(long, requires = "old_gateway", default_value_t = 20)]
    replay_limit: u32,
    /// Calls a second at most, of each gateway.
    #[arg(long, requires = "old_gateway", default_value_t = NonZeroU32::MIN.saturating_add(9))]
    replay_rate: NonZeroU32,
    /// Calls with verbs that may change something at the backends, too: POST, PUT, PATCH and DELETE, with an empty JSON object.
    #[arg(long, requires = "old_gateway")]
    replay_unsafe: bool,
    /// How many seconds a throttled call waits at most to be made again.
    #[arg(long, requires = "old_gateway", default_value_t = 70)]
    replay_patience: u64,
    /// Authorities (PEM) that vouch for the gateways, beside those this machine trusts.
    #[arg(long, requires = "old_gateway")]
    gateway_ca: Option<PathBuf>,
    /// Take any certificate a gateway shows. Whoever stands between can then read tokens.
    #[arg(long, requires = "old_gateway", conflicts_with = "gateway_ca")]
    gateway_any_certificate: bool,
    #[command(flatten)]
    common: Common,
}

impl VerifyWords {
    fn replay(&self) -> anyhow::Result<Option<How>> {
        let Some(old) = self.old_gateway.clone() else { return Ok(None) };
        let trust = match &self.gateway_ca {
            _ if self.gateway_any_certificate => Trust::Any,
            Some(file) => Trust::Authorities(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?),
            None => Trust::System,
        };
        Ok(Some(How {
            old,
            new: self.new_gateway.clone(),
            limit: usize::try_from(self.replay_limit)?,
            rate: self.replay_rate,
            unsafe_verbs: self.replay_unsafe,
            trust,
            timeout: ANSWER_TIMEOUT,
            patience: Duration::from_secs(self.replay_patience),
        }))
    }
}

pub(super) async fn verify(words: &VerifyWords) -> anyhow::Result<ExitCode> {
    let common = &words.common;
    // Opened before the source is read, which may take long.
    let db = present_target(&common.target).await?;
    let how = words.replay()?;
    let ready = Ready::new(common).await?;
    must_be_carried(&db, &ready).await?;
    let (translation, plan) = planned(&ready, translate(&ready), Some(&db), None).await?;
    say("comparing");
    let mut verification = upgrade::verify::verify(&translation, &ready.input(), &ready.old.site, &db).await?;
    db.close().await;
    if let Some(how) = how {
        say("calling both gateways");
        let progress = Progress::new();
        let said = |done, all| progress.tell("calls", done, Some(all));
        let replayed = upgrade::replay::replay(&translation, &ready.input(), &ready.old.site, &how, &said).await;
        progress.end();
        verification.replay = Some(replayed?);
    }
    let report = Report::new("verify", &ready.old, &translation, &plan).with_verification(&verification);
    tell(common, &report)?;
    Ok(code(passes(common, &report)))
}
