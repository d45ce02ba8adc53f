//! What only looks: `assess`, `plan`, `verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use upgrade::plan_file::PlanFile;
use upgrade::report::Report;
use upgrade::source::{Reading, SourceError, newer};

use super::{
    Common, Ready, ask_user_stores, code, options, passes, place, planned, present_target, say, target, tell, translate, translated,
};

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

pub(super) async fn verify(common: &Common) -> anyhow::Result<ExitCode> {
    // Asked for before the source is read, which may take long.
    target(&common.target)?;
    let ready = Ready::new(common).await?;
    let db = present_target(&common.target).await?;
    let (translation, plan) = planned(&ready, translate(&ready), Some(&db), None).await?;
    say("comparing");
    let verification = upgrade::verify::verify(&translation, &ready.input(), &ready.old.site, &db).await?;
    db.close().await;
    let report = Report::new("verify", &ready.old, &translation, &plan).with_verification(&verification);
    tell(common, &report)?;
    Ok(code(passes(common, &report)))
}
