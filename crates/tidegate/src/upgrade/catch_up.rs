//! `tidegate upgrade catch-up`: brings what changed since, again and again, so that the switch needs no stop of traffic.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use upgrade::apply::Options;
use upgrade::catch_up::Lag;
use upgrade::journal::{Command, JournalError, Note, Onward};
use upgrade::plan_file::PlanOptions;
use upgrade::report::Report;
use upgrade::target::Db;

use super::progress::Progress;
use super::{Common, Ready, as_before, code, moment, options, present, present_target, say, tell, translated};

#[derive(Args)]
pub(super) struct CatchUpWords {
    /// Go on, pass after pass, until the new installation is at most so many seconds behind.
    #[arg(long, value_name = "SECONDS")]
    until_lag: Option<u32>,
    /// Begin a pass so many seconds after the one before has ended; without --until-lag for ever, until Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    every: Option<u32>,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(mut words: CatchUpWords) -> anyhow::Result<ExitCode> {
    let db = present_target(&words.common.target).await?;
    let outcome = passes(&mut words, &db).await;
    db.close().await;
    outcome
}

async fn passes(words: &mut CatchUpWords, db: &Db) -> anyhow::Result<ExitCode> {
    let pause = Duration::from_secs(u64::from(words.every.unwrap_or(1)));
    let mut last = None;
    loop {
        let lag = pass(&mut words.common, db, last).await?;
        last = Some(present());
        let reached = words.until_lag.is_none_or(|most| lag.lag_ms <= i64::from(most) * 1000);
        if reached && (words.until_lag.is_some() || words.every.is_none()) {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Between two passes nothing is half done.
            ended = tokio::signal::ctrl_c() => {
                ended.context("cannot wait for Ctrl-C")?;
                say("ended between two passes");
                return Ok(code(words.until_lag.is_none()));
            }
        }
    }
}

async fn pass(common: &mut Common, db: &Db, last: Option<server::Timestamp>) -> anyhow::Result<Lag> {
    let began = present();
    // Where only one installation was carried here, the words it was read with are known before it is read.
    if let [only] = upgrade::journal::sources(db).await?.as_slice()
        && let Some(options) = carried(db, only).await?.options
    {
        as_before(common, &options);
    }
    let mut ready = Ready::new(common).await?;
    let source = ready.old.source.clone();
    let before = carried(db, &source).await?;
    let last = last.or(before.last);
    let here = options(common, &ready.map);
    let differences = before.options.as_ref().map(|before| before.differences(&here)).unwrap_or_default();
    if !differences.is_empty() {
        differences.iter().for_each(|line| say(&format!("  {line}")));
        bail!(
            "this is not how the old installation was read when it was carried (see above), so that everything would seem changed; nothing was \
             written. Use the same words, or, where the change is meant: tidegate upgrade plan, then apply"
        );
    }
    let note =
        Note { command: Command::CatchUp, plan: None, options: serde_json::to_string(&here)?, as_of: ready.now, onward: Onward::Resume };
    if let Err(fault) = upgrade::journal::interrupted(db, &source, &note).await {
        return Err(refused(fault));
    }
    ready.old.only_changes(db, ready.now).await?;
    let (translation, plan) = translated(&mut ready, Some(db), None).await?;
    let report = Report::new("catch-up", &ready.old, &translation, &plan);
    if !super::passes(common, &report) {
        tell(common, &report)?;
        bail!("refused, and nothing was written: see what must be settled first in the report");
    }
    let progress = Progress::new();
    let bar = |kind: &str, done: u64, all: Option<u64>| progress.tell(kind, done, all);
    let how = Options { note, ..Options::all(present()) };
    let applied = upgrade::apply::apply(&translation, &plan, &ready.input(), &ready.old.site, db, how, &bar).await;
    progress.end();
    let applied = applied.context("stopped; nothing is half there. To go on: tidegate upgrade catch-up")?;
    let lag = Lag::after(&ready.old, &translation, &plan, present());
    tell(common, &Report::new("catch-up", &ready.old, &translation, &plan).with_written(&applied))?;
    super::answer(&lag_words(&lag, applied.written(), began, last));
    Ok(lag)
}

/// What is known of earlier runs.
struct Before {
    options: Option<PlanOptions>,
    last: Option<server::Timestamp>,
}

async fn carried(db: &Db, source: &str) -> anyhow::Result<Before> {
    let mut tx = db.read().await?;
    let apply = upgrade::journal::standing(&mut tx, source, Command::Apply).await?;
    let pass = upgrade::journal::standing(&mut tx, source, Command::CatchUp).await?;
    if apply.is_none() && !upgrade::journal::was_applied_before_there_was_a_journal(&mut tx, source).await? {
        bail!("nothing of this old installation has been carried here yet; first: tidegate upgrade plan, then tidegate upgrade apply");
    }
    // One that does not read is of another version, which cannot be held against today's words.
    let options = apply.as_ref().and_then(|run| serde_json::from_str(&run.options).ok());
    let last = pass.or(apply).and_then(|run| run.ended_at);
    Ok(Before { options, last })
}

fn refused(fault: JournalError) -> anyhow::Error {
    let hint = match &fault {
        JournalError::Interrupted(run) if run.command == Command::Apply.name() => "complete it first: tidegate upgrade apply PLAN --resume",
        JournalError::Interrupted(_) => "complete it first: tidegate upgrade rollback --yes",
        JournalError::AnotherPlan(_) | JournalError::Db(_) => return fault.into(),
    };
    anyhow::anyhow!("{fault}; nothing was written. {hint}")
}

fn lag_words(lag: &Lag, written: u64, began: server::Timestamp, last: Option<server::Timestamp>) -> String {
    let now = began.0.max(lag.as_of.0 + lag.lag_ms);
    let mut words = format!(
        "\nCaught up: {written} records changed; the pass took {}. The old installation as it was at {} is here, {} ago.",
        span(now - began.0),
        moment(lag.as_of),
        span(lag.lag_ms)
    );
    if let Some(newest) = lag.newest {
        words.push_str(&format!(
            " Its newest dated change is of {}, {} before that.",
            moment(newest),
            span((lag.as_of.0 - newest.0).max(0))
        ));
    }
    if let Some(last) = last {
        words.push_str(&format!(" The last pass ended {} before this one.", span((began.0 - last.0).max(0))));
    }
    words
}

/// A length of time for people: the longer, the coarser.
fn span(ms: i64) -> String {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    match ms {
        ms if ms < 2 * MINUTE => format!("{}.{} s", ms / 1000, ms.rem_euclid(1000) / 100),
        ms if ms < 2 * HOUR => format!("{} min", ms / MINUTE),
        ms if ms < 48 * HOUR => format!("{} h", ms / HOUR),
        ms => format!("{} days", ms / (24 * HOUR)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_as_people_say_it() {
        let told: Vec<String> = [150, 119_999, 120_000, 7_200_000, 172_800_000, 8_586_154_600].into_iter().map(span).collect();
        assert_eq!(told, ["0.1 s", "119.9 s", "2 min", "2 h", "2 days", "99 days"]);
    }
}
