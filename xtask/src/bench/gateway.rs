//! `cargo xtask bench gateway`: contenders in shuffled rounds, each ratio taken inside one round.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::contender::{Contender, Stage, Started};
use super::load::Load;
use super::machine::{self, CoreTime, Cores};
use super::process::ticks_per_second;
use super::stats::{median, shuffle, span};
use super::{peers, progress, say};

/// Load before what is counted: connections, caches and memory are as they will be.
const WARM_UP: Duration = Duration::from_secs(1);

/// What the kernel does on a quiet machine's core beside the proxy's own work stays below this.
const QUIET_PERCENT: f64 = 10.0;

#[derive(Args)]
pub(crate) struct Gateway {
    /// Rounds; in each, every contender is started and measured once, in another order.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Client connections, one measurement for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [50, 200])]
    connections: Vec<u32>,
    /// Workers of each proxy. With one, and two cores or more, the proxy has a core of its own.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Only these contenders (nginx, haproxy, nginx-lua, tidegate-open, tidegate-jwt, tidegate-opaque).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure this program instead of building one.
    #[arg(long)]
    tidegate: Option<PathBuf>,
    /// Write every figure into this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// One contender at one number of connections in one round.
struct Cell {
    round: u32,
    contender: Contender,
    connections: u32,
    /// What was measured, or why there is nothing.
    outcome: Result<Figures, String>,
}

struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Processor time of the proxy's processes for each request, in microseconds.
    cpu_us: f64,
    rss_mib: f64,
    start_ms: f64,
    /// Share of the proxy's core that others took, in percent; only when it has a core.
    others_percent: Option<f64>,
}

pub(crate) fn run(words: &Gateway) -> anyhow::Result<()> {
    ensure!(words.rounds > 0 && words.seconds > 0 && words.workers > 0, "--rounds, --seconds and --workers begin at 1");
    let contenders = Contender::chosen(&words.only)?;
    peers::install()?;
    let needs_tidegate = contenders.iter().any(|c| c.is_tidegate());
    let tidegate = if needs_tidegate { Some(super::tidegate(words.tidegate.as_ref())?) } else { None };
    let cores = Cores::of(words.workers);
    let folder = super::fresh_folder("gateway")?;
    let machine = machine::describe();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stage = Stage::set(&folder, cores, &contenders, tidegate.as_deref())?;
    let load = Load::prepare(cores, &folder)?;

    let mut seed = u64::from(now.subsec_nanos()) | 1;
    let mut order = contenders.clone();
    let mut cells = Vec::new();
    for round in 1..=words.rounds {
        shuffle(&mut order, &mut seed);
        for contender in &order {
            let measured = measure(&stage, &load, *contender, round, words);
            for cell in &measured {
                progress(&format!("round {round}: {}", cell.line()));
            }
            cells.extend(measured);
        }
    }

    say(&format!("\n{machine:#}\n{}; {} rounds of {} s", cores.words(), words.rounds, words.seconds));
    for connections in &words.connections {
        say(&table(&cells, &contenders, *connections));
    }
    let summary: Vec<Value> =
        words.connections.iter().flat_map(|c| contenders.iter().map(|who| Summary::of(&cells, *who, *c).json())).collect();
    let cells_json: Vec<Value> = cells.iter().map(|cell| cell.json(&cells)).collect();
    let all = json!({
        "at": now.as_secs(), "machine": machine, "pinned": cores.pinned, "workers": words.workers, "rounds": words.rounds,
        "seconds": words.seconds, "summary": summary, "cells": cells_json,
    });
    super::write_json(words.json.as_ref(), &all)?;
    let failed = cells.iter().filter(|cell| cell.outcome.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} measurements failed", cells.len());
    }
    Ok(())
}

/// One contender in one round, at every number of connections.
fn measure(stage: &Stage, load: &Load, contender: Contender, round: u32, words: &Gateway) -> Vec<Cell> {
    let cell = |connections, outcome: anyhow::Result<Figures>| Cell {
        round,
        contender,
        connections,
        outcome: outcome.map_err(|fault| format!("{fault:#}")),
    };
    match stage.start(contender) {
        Ok(mut started) => {
            words.connections.iter().map(|c| cell(*c, measure_one(&mut started, load, stage.cores, *c, words.seconds))).collect()
        }
        Err(fault) => {
            let why = format!("did not start: {fault:#}");
            words.connections.iter().map(|c| cell(*c, Err(anyhow::anyhow!(why.clone())))).collect()
        }
    }
}

fn measure_one(started: &mut Started, load: &Load, cores: Cores, connections: u32, seconds: u64) -> anyhow::Result<Figures> {
    let token = started.token.clone();
    let url = started.url();
    let run = |time| load.run(&url, token.as_deref(), connections, time, peers::BODY_BYTES);
    run(WARM_UP)?;
    let core_before = CoreTime::now()?;
    let before = started.process.cpu()?;
    let counted = run(Duration::from_secs(seconds))?;
    let cpu = started.process.cpu()?.saturating_sub(before);
    let own_ticks = cpu.as_secs_f64() * ticks_per_second()?;
    let others_percent = cores.pinned.then_some(CoreTime::now()?.others_since(core_before, own_ticks) * 100.0);
    let rss_mib = started.process.rss_mib()?;
    started.must_answer()?;
    Ok(Figures {
        per_second: counted.per_second,
        p50_ms: counted.p50_ms,
        p99_ms: counted.p99_ms,
        cpu_us: cpu.as_secs_f64() * 1e6 / counted.requests,
        rss_mib,
        start_ms: started.ready_in.as_secs_f64() * 1000.0,
        others_percent,
    })
}

impl Cell {
    fn line(&self) -> String {
        let who = format!("{:16} c={:<5}", self.contender.name(), self.connections);
        match &self.outcome {
            Ok(f) => format!("{who} {:>8.0}/s  {:>6.1} µs/request  p50 {:.2} ms  p99 {:.2} ms", f.per_second, f.cpu_us, f.p50_ms, f.p99_ms),
            Err(why) => format!("{who} FAILED: {why}"),
        }
    }

    /// Processor time per request over nginx's in the same round; nothing when either failed or nginx was left out.
    fn ratio(&self, cells: &[Self]) -> Option<f64> {
        let nginx = cells.iter().find(|c| c.contender == Contender::Nginx && c.round == self.round && c.connections == self.connections)?;
        Some(self.outcome.as_ref().ok()?.cpu_us / nginx.outcome.as_ref().ok()?.cpu_us)
    }

    fn json(&self, cells: &[Self]) -> Value {
        let mut value =
            json!({ "round": self.round, "contender": self.contender.name(), "connections": self.connections, "ratio": self.ratio(cells) });
        match &self.outcome {
            Ok(f) => {
                value["requests_per_second"] = f.per_second.into();
                value["p50_ms"] = f.p50_ms.into();
                value["p99_ms"] = f.p99_ms.into();
                value["cpu_us_per_request"] = f.cpu_us.into();
                value["rss_mib"] = f.rss_mib.into();
                value["start_ms"] = f.start_ms.into();
                value["others_percent"] = f.others_percent.into();
            }
            Err(why) => value["failed"] = why.as_str().into(),
        }
        value
    }
}

/// Medians over the rounds.
struct Summary {
    contender: Contender,
    connections: u32,
    per_second: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    cpu_us: Option<f64>,
    rss_mib: Option<f64>,
    start_ms: Option<f64>,
    others_percent: Option<f64>,
    ratio: Option<f64>,
    ratios: Option<(f64, f64)>,
    failed: usize,
}

impl Summary {
    fn of(cells: &[Cell], contender: Contender, connections: u32) -> Self {
        let own: Vec<&Cell> = cells.iter().filter(|c| c.contender == contender && c.connections == connections).collect();
        let good: Vec<&Figures> = own.iter().filter_map(|c| c.outcome.as_ref().ok()).collect();
        let middle = |figure: fn(&Figures) -> f64| median(&good.iter().map(|f| figure(f)).collect::<Vec<_>>());
        let ratios: Vec<f64> = own.iter().filter_map(|c| c.ratio(cells)).collect();
        Self {
            contender,
            connections,
            per_second: middle(|f| f.per_second),
            p50_ms: middle(|f| f.p50_ms),
            p99_ms: middle(|f| f.p99_ms),
            cpu_us: middle(|f| f.cpu_us),
            rss_mib: middle(|f| f.rss_mib),
            start_ms: middle(|f| f.start_ms),
            others_percent: median(&good.iter().filter_map(|f| f.others_percent).collect::<Vec<_>>()),
            ratio: median(&ratios),
            ratios: span(&ratios),
            failed: own.len() - good.len(),
        }
    }

    fn row(&self) -> String {
        let number = |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
        let ratio = match (self.ratio, self.ratios) {
            (Some(middle), Some((least, greatest))) => format!("{middle:.2} [{least:.2}–{greatest:.2}]"),
            _ => "-".to_owned(),
        };
        let failed = if self.failed > 0 { format!("  {} FAILED", self.failed) } else { String::new() };
        format!(
            "{:16} {:>9} {:>8} {:>18} {:>8} {:>8} {:>8} {:>9} {:>9}{failed}",
            self.contender.name(),
            number(self.per_second, 0),
            number(self.cpu_us, 1),
            ratio,
            number(self.p50_ms, 2),
            number(self.p99_ms, 2),
            number(self.rss_mib, 1),
            number(self.start_ms, 0),
            number(self.others_percent, 0),
        )
    }

    fn json(&self) -> Value {
        json!({
            "contender": self.contender.name(), "does": self.contender.words(), "connections": self.connections, "requests_per_second": self.per_second,
            "cpu_us_per_request": self.cpu_us, "ratio": self.ratio, "ratio_least": self.ratios.map(|r| r.0), "ratio_greatest": self.ratios.map(|r| r.1),
            "p50_ms": self.p50_ms, "p99_ms": self.p99_ms, "rss_mib": self.rss_mib, "start_ms": self.start_ms, "others_percent": self.others_percent, "failed": self.failed,
        })
    }
}

fn table(cells: &[Cell], contenders: &[Contender], connections: u32) -> String {
    let mut lines = vec![
        format!(
            "\n{connections} connections: medians; × nginx is the processor time per request over nginx's in the same round, median [least–greatest]"
        ),
        format!(
            "{:16} {:>9} {:>8} {:>18} {:>8} {:>8} {:>8} {:>9} {:>9}",
            "", "requests/s", "µs CPU", "× nginx", "p50 ms", "p99 ms", "RSS MiB", "start ms", "others %"
        ),
    ];
    let rows: Vec<Summary> = contenders.iter().map(|who| Summary::of(cells, *who, connections)).collect();
    lines.extend(rows.iter().map(Summary::row));
    if rows.iter().any(|row| row.others_percent.is_some_and(|percent| percent > QUIET_PERCENT)) {
        lines.push(
            "Other programs were busy on the proxy's core: ratios are less certain, and rather too high than too low for larger programs."
                .to_owned(),
        );
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(round: u32, contender: Contender, cpu_us: Option<f64>) -> Cell {
        let figures =
            |cpu_us| Figures { per_second: 1.0, p50_ms: 1.0, p99_ms: 1.0, cpu_us, rss_mib: 1.0, start_ms: 1.0, others_percent: None };
        Cell { round, contender, connections: 50, outcome: cpu_us.map(figures).ok_or_else(|| "no".to_owned()) }
    }

    #[test]
    fn ratios_are_taken_inside_a_round_and_failures_are_shown() {
        let cells = [
            cell(1, Contender::Nginx, Some(10.0)),
            cell(1, Contender::Lua, Some(15.0)),
            cell(2, Contender::Nginx, Some(20.0)),
            cell(2, Contender::Lua, Some(50.0)),
            cell(3, Contender::Nginx, None),
            cell(3, Contender::Lua, Some(99.0)),
            cell(4, Contender::Lua, None),
        ];
        let lua = Summary::of(&cells, Contender::Lua, 50);
        assert_eq!((lua.ratio, lua.ratios, lua.failed), (Some(2.0), Some((1.5, 2.5)), 1));
        assert!(lua.row().ends_with("1 FAILED"), "{}", lua.row());
        assert!(Summary::of(&cells, Contender::Haproxy, 50).row().contains('-'));
    }
}
