//! `cargo xtask bench idle`: what a kept-alive connection costs while nothing is asked on it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;

use super::contender::{Contender, Stage, Started};
use super::http::Connection;
use super::machine::{self, Cores};
use super::process::pause;
use super::{peers, say};

#[derive(Args)]
pub(crate) struct Idle {
    /// Connections.
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Only these contenders; by default nginx and tidegate-jwt.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure this program instead of building one.
    #[arg(long)]
    tidegate: Option<PathBuf>,
    /// Write every figure into this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

struct Held {
    before_mib: f64,
    idle_mib: f64,
    again_mib: f64,
}

pub(crate) fn run(words: &Idle) -> anyhow::Result<()> {
    let contenders = if words.only.is_empty() { vec![Contender::Nginx, Contender::TidegateJwt] } else { Contender::chosen(&words.only)? };
    peers::install()?;
    let tidegate = contenders.iter().any(|c| c.is_tidegate()).then(|| super::tidegate(words.tidegate.as_ref())).transpose()?;
    // One call at a time is under way, so a proxy needs few toward its backend.
    machine::allow_open_files(words.connections.saturating_add(4096))?;
    let folder = super::fresh_folder("idle")?;
    let stage = Stage::set(&folder, Cores::of(1), &contenders, tidegate.as_deref())?;
    let mut all = json!({ "machine": machine::describe(), "connections": words.connections });
    for contender in contenders {
        let mut started = stage.start(contender).with_context(|| contender.name())?;
        let held = hold(&mut started, words.connections).with_context(|| contender.name())?;
        let each_kib = (held.idle_mib - held.before_mib) * 1024.0 / f64::from(words.connections);
        say(&format!(
            "{:16} {} idle connections: resident {:.1} MiB before, {:.1} MiB idle ({each_kib:.1} KiB each), {:.1} MiB after a second call on each",
            contender.name(),
            words.connections,
            held.before_mib,
            held.idle_mib,
            held.again_mib
        ));
        all[contender.name()] =
            json!({ "before_mib": held.before_mib, "idle_mib": held.idle_mib, "again_mib": held.again_mib, "kib_each": each_kib });
    }
    super::write_json(words.json.as_ref(), &all)
}

/// Opens connections, one call on each, and leaves them; then calls once more on each, to show that they were kept.
fn hold(started: &mut Started, count: u32) -> anyhow::Result<Held> {
    started.must_answer()?;
    let before_mib = started.process.rss_mib()?;
    let mut connections = Vec::new();
    for n in 0..count {
        let mut connection = Connection::open(machine::local(started.port)).with_context(|| format!("connection {n}"))?;
        call(&mut connection, started).with_context(|| format!("the call on connection {n}"))?;
        connections.push(connection);
    }
    pause(Duration::from_secs(2));
    let idle_mib = started.process.rss_mib()?;
    for (n, connection) in connections.iter_mut().enumerate() {
        call(connection, started).with_context(|| format!("the second call on connection {n}"))?;
    }
    let again_mib = started.process.rss_mib()?;
    Ok(Held { before_mib, idle_mib, again_mib })
}

fn call(connection: &mut Connection, started: &Started) -> anyhow::Result<()> {
    let answer = connection.get(started.path, started.token.as_deref())?;
    ensure!(answer.status == 200 && answer.body == peers::body().as_bytes(), "it answered {}", answer.status);
    Ok(())
}
