//! `cargo xtask bench upgrade`: how long a large old installation takes to be taken over, and in how much memory.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::bulk::{Bulk, Size};
use super::process::{pause, ticks_per_second};
use super::{machine, progress, say};
use crate::needs;

/// Between two looks at a process's memory; its peak is the kernel's own, so only what comes after the last look can be missed.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Args)]
pub(crate) struct Upgrade {
    /// Published and other APIs with definition, artifact and resources.
    #[arg(long, default_value_t = 200)]
    apis: u32,
    /// Applications, each with a client, keys and a service provider; ten to a user.
    #[arg(long, default_value_t = 2_000)]
    apps: u32,
    /// Subscriptions.
    #[arg(long, default_value_t = 20_000)]
    subs: u32,
    /// Access tokens, with refresh tokens.
    #[arg(long, default_value_t = 100_000)]
    tokens: u32,
    /// The seed of what is made up.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// The steps to take, in this order.
    #[arg(long, value_delimiter = ',', default_value = "plan,apply,verify,catch-up,verify")]
    steps: Vec<String>,
    /// Use the source that a run of the same size has left, and leave it again. Without it, the source is made anew and taken away.
    #[arg(long)]
    again: bool,
    /// Database of the new installation, as `tidegate upgrade --db` takes it; by default a new SQLite file.
    #[arg(long)]
    db: Option<String>,
    /// Measure this program instead of building one.
    #[arg(long)]
    tidegate: Option<PathBuf>,
    /// Write every figure into this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(crate) fn run(words: &Upgrade) -> anyhow::Result<()> {
    needs::mariadb()?;
    let program = super::tidegate(words.tidegate.as_ref())?;
    let folder = super::fresh_folder("upgrade")?;
    let size = Size { apis: words.apis, applications: words.apps, subscriptions: words.subs, tokens: words.tokens, seed: words.seed };
    progress("making the old installation …");
    let begun = Instant::now();
    let bulk = Bulk::make(size, &folder, words.again)?;
    let making = begun.elapsed().as_secs_f64();
    say(&format!(
        "{} APIs, {} applications, {} subscriptions, {} tokens, {} users; {} in {making:.0} s",
        size.apis,
        size.applications,
        size.subscriptions,
        size.tokens,
        size.users(),
        if bulk.found { "found" } else { "made" }
    ));
    let mut steps = Vec::new();
    let mut failed = Vec::new();
    for name in &words.steps {
        let mut changed = Value::Null;
        if name == "catch-up" {
            let [new, ended, subscriptions] = bulk.change()?;
            say(&format!("changed in the source: {new} tokens new, {ended} ended; {subscriptions} subscriptions changed"));
            changed = json!({ "tokens_new": new, "tokens_ended": ended, "subscriptions": subscriptions });
        }
        let step = Step::take(&program, name, words.db.as_deref(), &bulk, &folder)?;
        step.tell();
        if !step.fine {
            failed.push(name.clone());
        }
        let mut figures = step.figures();
        figures["changed_in_the_source"] = changed;
        steps.push(figures);
    }
    let file = folder.join("data/tidegate.db");
    if let Ok(data) = std::fs::metadata(&file) {
        say(&format!("the new database is {:.0} MiB", data.len() as f64 / 1_048_576.0));
    }
    if !words.again {
        bulk.drop()?;
    }
    let all = json!({ "machine": machine::describe(), "size": { "apis": size.apis, "applications": size.applications,
        "subscriptions": size.subscriptions, "tokens": size.tokens, "users": size.users(), "seed": size.seed }, "steps": steps });
    super::write_json(words.json.as_ref(), &all)?;
    ensure!(failed.is_empty(), "{} did not end well; see {}", failed.join(", "), folder.display());
    Ok(())
}

/// One command of the upgrade, run and watched.
struct Step {
    name: String,
    wall: f64,
    cpu: f64,
    peak_mib: f64,
    /// What it wrote about itself, with when.
    said: Vec<(f64, String)>,
    /// Records by kind: how many were looked at, how many written.
    records: Vec<(String, u64, u64)>,
    fine: bool,
}

impl Step {
    fn take(program: &Path, name: &str, db: Option<&str>, bulk: &Bulk, folder: &Path) -> anyhow::Result<Self> {
        let (report, log) = (folder.join("report.json"), folder.join(format!("{name}.log")));
        let mut command = Command::new(program);
        command.args(["upgrade", name, "--source-timezone", "UTC", "--data-dir"]).arg(folder.join("data"));
        command.arg("--source").arg(&bulk.home).args(["--am-db", &bulk.url(), "--user-db", &bulk.url(), "--registry-db", &bulk.url()]);
        command.arg("--json").arg(&report);
        let plan = folder.join("upgrade-plan.json");
        match name {
            "plan" => {
                command.arg("--out").arg(&plan);
            }
            "apply" if plan.exists() => {
                command.arg(&plan);
            }
            "apply" => {
                command.arg("--unplanned");
            }
            _ => {}
        }
        if let Some(db) = db {
            command.args(["--db", db]);
        }
        let out = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let begun = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn().context("cannot start tidegate upgrade")?;
        let (sender, lines) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    // Nobody listens any more when the step is over.
                    let _ = sender.send((begun.elapsed().as_secs_f64(), line));
                }
            });
        }
        let (mut peak_mib, mut ticks) = (0.0_f64, 0);
        let status = loop {
            if let Some((peak, cpu)) = look(child.id()) {
                peak_mib = peak_mib.max(peak);
                ticks = cpu;
            }
            if let Some(status) = child.try_wait()? {
                break status;
            }
            pause(LOOK);
        };
        let wall = begun.elapsed().as_secs_f64();
        let said: Vec<(f64, String)> = lines.iter().collect();
        let text = std::fs::read_to_string(&report).unwrap_or_default();
        let records = records(&serde_json::from_str(&text).unwrap_or_default());
        let cpu = ticks as f64 / ticks_per_second()?;
        if !status.success() {
            for (_, line) in said.iter().rev().take(5).rev() {
                say(&format!("  {line}"));
            }
        }
        Ok(Self { name: name.to_owned(), wall, cpu, peak_mib, said, records, fine: status.success() })
    }

    fn tell(&self) {
        let Self { name, wall, cpu, peak_mib, .. } = self;
        let ending = if self.fine { "" } else { "  FAILED" };
        say(&format!("{name:10} {wall:9.1} s wall {cpu:9.1} s CPU {peak_mib:8.1} MiB at most{ending}"));
        let times = self.times();
        for (kind, source, written) in &self.records {
            let took = times.iter().find(|(k, _)| k == kind).map(|(_, seconds)| *seconds);
            let rate =
                took.filter(|s| *s > 0.0).map(|s| format!("{s:9.1} s {:10.0} rows/s", *source.max(written) as f64 / s)).unwrap_or_default();
            if *source >= 100 || *written > 0 {
                say(&format!("    {kind:24} {source:10} {written:10} written {rate}"));
            }
        }
    }

    /// Seconds each kind took: from the end of the one before to its own last word.
    fn times(&self) -> Vec<(String, f64)> {
        let mut found: Vec<(String, f64, f64)> = Vec::new();
        let mut before = 0.0;
        for (at, line) in &self.said {
            let kind =
                line.rsplit_once(": ").filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit())).map(|(kind, _)| kind.trim());
            if let Some(kind) = kind {
                match found.last_mut() {
                    Some((last, _, until)) if last == kind => *until = *at,
                    _ => found.push((kind.to_owned(), before, *at)),
                }
            }
            before = *at;
        }
        found.into_iter().map(|(kind, from, until)| (kind, until - from)).collect()
    }

    fn figures(&self) -> Value {
        json!({ "step": self.name, "wall_s": self.wall, "cpu_s": self.cpu, "peak_mib": self.peak_mib, "fine": self.fine,
            "records": self.records.iter().map(|(kind, source, written)| json!({ "kind": kind, "source": source, "written": written })).collect::<Vec<_>>(),
            "seconds": self.times().into_iter().map(|(kind, s)| json!({ "kind": kind, "seconds": s })).collect::<Vec<_>>() })
    }
}

/// Peak of resident memory in MiB and processor time in ticks; `None` when the process has ended.
fn look(pid: u32) -> Option<(f64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok())?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((kib / 1024.0, number(11)? + number(12)?))
}

/// Records by kind as a report's JSON tells them: what was compared, written, or planned.
fn records(report: &Value) -> Vec<(String, u64, u64)> {
    let compared = report.pointer("/verification/kinds").and_then(Value::as_array);
    let written = report.pointer("/written/records").and_then(Value::as_array);
    let planned = report.pointer("/records").and_then(Value::as_array);
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    let kinds = compared.or(written).or(planned).into_iter().flatten();
    kinds
        .map(|kind| {
            let wrote = if written.is_some() { number(kind, "new") + number(kind, "replaces") + number(kind, "changed") } else { 0 };
            (kind.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned(), number(kind, "source"), wrote)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_take_from_the_word_before_to_their_own_last() {
        let said = [(1.0, "translating"), (2.0, "APIs: 5 of 10"), (4.0, "APIs: 10 of 10"), (9.0, "tokens: 500"), (9.5, "tokens: 600")];
        let said = said.map(|(at, line)| (at, line.to_owned())).to_vec();
        let step = Step { name: String::new(), wall: 0.0, cpu: 0.0, peak_mib: 0.0, said, records: Vec::new(), fine: true };
        assert_eq!(step.times(), [("APIs".to_owned(), 3.0), ("tokens".to_owned(), 5.5)]);
    }

    #[test]
    fn what_was_written_counts_before_what_was_planned() {
        let report = json!({ "records": [{ "kind": "tokens", "source": 9, "new": 9 }],
            "written": { "records": [{ "kind": "tokens", "source": 9, "new": 1, "changed": 2 }] } });
        assert_eq!(records(&report), [("tokens".to_owned(), 9, 3)]);
        assert_eq!(records(&json!({ "records": [{ "kind": "tokens", "source": 9, "new": 9 }] })), [("tokens".to_owned(), 9, 0)]);
    }

    #[test]
    fn this_process_has_a_peak() {
        let (peak, _) = look(std::process::id()).unwrap();
        assert!(peak > 0.1);
        assert!(look(u32::MAX).is_none());
    }
}
