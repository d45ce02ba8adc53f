//! `tidegate upgrade apply`: does what a plan says, or stops before anything is written.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use upgrade::apply::{ApplyError, Options, Writing};
use upgrade::journal::{Command, JournalError, Note, Onward, interrupted};
use upgrade::plan_file::{Deviations, PlanFile};
use upgrade::report::Report;
use upgrade::target::Db;

use super::progress::Progress;
use super::{Common, Ready, as_before, options, present, say, target, tell, translated};

#[derive(Args)]
pub(super) struct ApplyWords {
    /// The plan to follow, as `tidegate upgrade plan` wrote it.
    #[arg(required_unless_present = "unplanned", conflicts_with = "unplanned")]
    plan: Option<PathBuf>,
    /// Write what is found now, whatever that is. For rehearsals and tests.
    #[arg(long)]
    unplanned: bool,
    /// Go on with the run of this plan that was interrupted. Where none was, begin it.
    #[arg(long)]
    resume: bool,
    /// Put this plan in the place of one whose run was interrupted: what that run wrote stays, and this plan was made with it there.
    #[arg(long, conflicts_with = "resume")]
    supersede: bool,
    /// Kinds that may differ from the plan, separated by commas: they are written as they are found now. While the old installation is in use,
    /// tokens always differ.
    #[arg(long, value_name = "KINDS", value_delimiter = ',', conflicts_with = "unplanned")]
    allow_changed: Vec<String>,
    /// Records in one transaction.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(mut words: ApplyWords) -> anyhow::Result<ExitCode> {
    let file = words.plan.as_deref().map(PlanFile::read).transpose()?;
    if let Some(file) = &file {
        as_before(&mut words.common, &file.options);
        known_kinds(&words.allow_changed, file)?;
        if !file.is_ready() {
            bail!("the plan says itself what must be settled first; nothing was written. Settle that, then plan again");
        }
    }
    let target = target(&words.common.target)?;
    let mut db = target.open().await?;
    let onward = match (words.resume, words.supersede) {
        (true, _) => Onward::Resume,
        (_, true) => Onward::Supersede,
        _ => Onward::Refuse,
    };
    let mut note =
        Note { command: Command::Apply, plan: file.as_ref().map(PlanFile::digest), options: String::new(), as_of: present(), onward };
    // Asked before the source is read, which may take long.
    if let (Some(file), Some(db)) = (&file, &db) {
        may_begin(db, &file.source.identity, &note, &words).await?;
        let done = upgrade::journal::standing(&mut db.read().await?, &file.source.identity, Command::Apply).await?;
        if let Some(run) = done.filter(|run| run.plan == note.plan) {
            let since = "For what changed in the old installation since: tidegate upgrade catch-up";
            super::answer(&format!("This plan has been carried out whole, by run {}; nothing was written now. {since}", run.id));
            return Ok(ExitCode::SUCCESS);
        }
    }
    let mut ready = Ready::new(&words.common).await?;
    let run = match &db {
        Some(db) => may_begin(db, &ready.old.source, &note, &words).await?,
        None => None,
    };
    if let Some(run) = &run {
        say(&format!("going on with run {}, interrupted after it began at {}", run.id, super::moment(run.started_at)));
        // The moment it was begun at, so that it ends as it would have without the interruption.
        ready.now = run.as_of;
    }
    let here = options(&words.common, &ready.map);
    note.as_of = ready.now;
    note.options = serde_json::to_string(&here)?;
    let (mut translation, plan) = translated(&mut ready, db.as_ref(), run.as_ref().map(|run| run.id)).await?;
    let report = Report::new("plan", &ready.old, &translation, &plan);
    if let Some(file) = &file {
        let found = PlanFile::of(&ready.old, &translation, &plan, here);
        must_follow(&file.deviations(&found), &words)?;
    }
    if !super::passes(&words.common, &report) {
        tell(&words.common, &report)?;
        bail!("refused, and nothing was written: see what must be settled first in the report");
    }
    let db = match db.take() {
        Some(db) => db,
        None => target.open_or_make().await?,
    };
    let progress = Progress::new();
    let how = Options { batch: usize::try_from(words.batch)?, note, ..Options::all(present()) };
    let input = ready.input();
    let bar = |kind: &str, done: u64, all: Option<u64>| progress.tell(kind, done, all);
    let stakes = report.stakes;
    let applied = async {
        let mut writing = Writing::begin(&translation, &plan, &input, &ready.old.site, &db, &how, &bar).await?;
        writing.records(&translation).await?;
        translation.let_go();
        writing.tokens(&translation.clients, &translation.ledger).await
    };
    let applied = applied.await;
    progress.end();
    db.close().await;
    let applied = applied.map_err(|fault| told(fault, &words))?;
    tell(&words.common, &Report::new("apply", &ready.old, &translation, &plan).with_stakes(stakes).with_written(&applied))?;
    Ok(ExitCode::SUCCESS)
}

/// The run to go on with, where one was interrupted and this may.
async fn may_begin(db: &Db, source: &str, note: &Note, words: &ApplyWords) -> anyhow::Result<Option<upgrade::journal::Run>> {
    interrupted(db, source, note).await.map_err(|fault| refused(fault, words))
}

fn known_kinds(allowed: &[String], file: &PlanFile) -> anyhow::Result<()> {
    let kinds: Vec<&str> = file.records.iter().map(|print| print.kind.as_str()).collect();
    match allowed.iter().find(|kind| !kinds.contains(&kind.as_str())) {
        Some(unknown) => bail!("--allow-changed: '{unknown}' is no kind of record; the kinds are: {}", kinds.join(", ")),
        None => Ok(()),
    }
}

fn must_follow(deviations: &Deviations, words: &ApplyWords) -> anyhow::Result<()> {
    let strict: Vec<&str> =
        deviations.kinds.iter().map(String::as_str).filter(|kind| !words.allow_changed.iter().any(|a| a == kind)).collect();
    if deviations.lines.is_empty() {
        return Ok(());
    }
    for line in &deviations.lines {
        say(&format!("  {line}"));
    }
    if deviations.basic {
        bail!(
            "this is not what the plan was made for (see above), and nothing was written. Use the words the plan was made with, or plan again"
        );
    }
    if strict.is_empty() {
        say("The plan differs from what is found as above; that was allowed, and is written as it is found.");
        return Ok(());
    }
    let again = match words.resume {
        true => "make a new plan, which knows what is here already, and follow it with: tidegate upgrade apply NEW-PLAN --supersede",
        false => "plan again: tidegate upgrade plan",
    };
    let kinds = strict.join(",");
    bail!(
        "what is found differs from the plan in: {} (see above), and nothing was written now. The old installation or the new one has changed \
         since; {again}. To write these kinds as they are found now: --allow-changed '{kinds}'",
        strict.join(", ")
    )
}

/// What to type, for each way in which a run cannot begin.
fn refused(fault: JournalError, words: &ApplyWords) -> anyhow::Error {
    let plan = words.plan.as_ref().map_or_else(|| "--unplanned".to_owned(), |plan| plan.display().to_string());
    let hint = match &fault {
        JournalError::Interrupted(run) if run.command == Command::Apply.name() => format!(
            "to go on with it, type: tidegate upgrade apply {plan} --resume (with the plan it was begun with). Where the old installation has \
             changed since: plan again, then tidegate upgrade apply NEW-PLAN --supersede. To take back what it wrote: tidegate upgrade rollback"
        ),
        JournalError::Interrupted(run) if run.command == Command::CatchUp.name() => {
            "to complete it, type: tidegate upgrade catch-up".to_owned()
        }
        JournalError::Interrupted(_) => "to complete it, type: tidegate upgrade rollback --yes".to_owned(),
        JournalError::AnotherPlan(run) => format!(
            "go on with the plan of digest {}, or plan again and put that in its place: tidegate upgrade apply NEW-PLAN --supersede",
            run.plan.as_deref().unwrap_or("(none: it was unplanned)")
        ),
        JournalError::Db(_) => return fault.into(),
    };
    anyhow::anyhow!("{fault}; nothing was written now. {hint}")
}

fn told(fault: ApplyError, words: &ApplyWords) -> anyhow::Error {
    match fault {
        ApplyError::Journal(fault) => refused(fault, words),
        ApplyError::Rival => fault.into(),
        fault => {
            let plan = words.plan.as_ref().map_or_else(|| "--unplanned".to_owned(), |plan| plan.display().to_string());
            let fault: anyhow::Result<()> = Err(fault.into());
            let words =
                format!("stopped; what was written stays, and nothing is half there. To go on: tidegate upgrade apply {plan} --resume");
            match fault.context(words) {
                Err(fault) => fault,
                Ok(()) => anyhow::anyhow!("stopped"),
            }
        }
    }
}
