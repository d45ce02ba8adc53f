//! `tidegate upgrade status`: the journal, for people and for machines.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use upgrade::journal::{Run, Sum};

use super::{TargetWords, answer, moment, present_target};

#[derive(Args)]
pub(super) struct StatusWords {
    /// How many runs to tell, the newest first.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Also write it here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    target: TargetWords,
}

pub(super) async fn run(words: &StatusWords) -> anyhow::Result<ExitCode> {
    let db = present_target(&words.target).await?;
    let told = upgrade::journal::runs(&db, words.runs).await;
    db.close().await;
    let told = told?;
    if let Some(file) = &words.json {
        let runs: Vec<_> = told.iter().map(|(run, sums)| as_json(run, sums)).collect();
        std::fs::write(file, serde_json::to_string_pretty(&json!({ "runs": runs }))?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if told.is_empty() {
        answer("Nothing has been carried here yet.");
    }
    for (run, sums) in &told {
        answer(&text(run, sums));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(run: &Run, sums: &[Sum]) -> String {
    let mut text = format!("Run {}: {} from {}\n  begun {}", run.id, run.command, run.source, moment(run.started_at));
    match (run.ended_at, &run.outcome) {
        (Some(at), Some(outcome)) => text.push_str(&format!(", {outcome} {}", moment(at))),
        _ => text.push_str(&format!(", INTERRUPTED or still at work; {}", onward(run))),
    }
    if run.resumed > 0 {
        text.push_str(&format!("; gone on with {} time(s)", run.resumed));
    }
    if let Some(plan) = &run.plan {
        text.push_str(&format!("\n  plan {plan}"));
    }
    if !sums.is_empty() {
        let heading = format!("{:<24}{:>8}{:>10}{:>10}{:>9}{:>9}", "", "batches", "added", "defaults", "changed", "removed");
        text.push_str(&format!("\n{heading}"));
    }
    for s in sums {
        let numbers = format!("{:>8}{:>10}{:>10}{:>9}{:>9}", s.batches, s.added, s.replaced, s.changed, s.removed);
        text.push_str(&format!("\n  {:<22}{numbers}", s.kind));
    }
    text
}

fn onward(run: &Run) -> &'static str {
    match run.command.as_str() {
        "apply" => "to go on: tidegate upgrade apply PLAN --resume",
        "catch-up" => "to go on: tidegate upgrade catch-up",
        _ => "to go on: tidegate upgrade rollback --yes",
    }
}

pub(super) fn as_json(run: &Run, sums: &[Sum]) -> serde_json::Value {
    let kinds: Vec<_> = sums
        .iter()
        .map(|s| {
            json!({
                "kind": s.kind, "batches": s.batches, "added": s.added, "defaults": s.replaced, "changed": s.changed, "removed": s.removed,
                "first_key": s.first_key, "last_key": s.last_key, "first_at": moment(s.first_at), "last_at": moment(s.last_at),
            })
        })
        .collect();
    json!({
        "run": run.id, "source": run.source, "command": run.command, "plan": run.plan, "begun": moment(run.started_at),
        "ended": run.ended_at.map(moment), "outcome": run.outcome, "resumed": run.resumed, "kinds": kinds,
    })
}
