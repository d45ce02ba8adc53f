//! `cargo xtask bench start`: from the start of the process to the first call served, on a data directory that is there already.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::http::Connection;
use super::machine::{self, Cores};
use super::old::{self, WayIn};
use super::peers::Peers;
use super::process::{pause, until};
use super::product::{self, Installation, Product};
use super::stats::{median, span};
use super::{peers, say};

/// From ready to at rest.
const REST: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(crate) struct Start {
    /// Starts.
    #[arg(long, default_value_t = 10)]
    runs: u32,
    /// Fill the data directory with this many APIs of ten resources each, by an upgrade; without it, it holds one API.
    #[arg(long, default_value_t = 0)]
    apis: u32,
    /// Measure this program instead of building one.
    #[arg(long)]
    tidegate: Option<PathBuf>,
    /// Write every figure into this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(crate) fn run(words: &Start) -> anyhow::Result<()> {
    peers::install()?;
    let program = super::tidegate(words.tidegate.as_ref())?;
    let folder = super::fresh_folder("start")?;
    let cores = Cores::unpinned();
    let backend = Peers::new(&folder, cores).backend()?;
    let (installation, way_in) = if words.apis == 0 {
        let product = Product::set_up(&program, &folder, cores, backend.port)?;
        (product.installation, WayIn { path: product::PATH.to_owned(), token: product.jwt })
    } else {
        let installation = Installation::new(&program, &folder, cores)?;
        let begun = Instant::now();
        let way_in = old::many(&installation, &folder, words.apis, backend.port)?;
        say(&format!("made and taken over in {:.1} s", begun.elapsed().as_secs_f64()));
        (installation, way_in)
    };
    let (mut ready, mut served, mut rss) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..words.runs {
        let begun = Instant::now();
        let mut process = installation.serve()?;
        installation.wait_until_ready(&mut process)?;
        ready.push(begun.elapsed().as_secs_f64() * 1000.0);
        let address = machine::local(installation.ports.gateway);
        let mut last = String::new();
        until("the first call", Duration::from_secs(60), || {
            process.must_run()?;
            let answer = Connection::open(address).and_then(|mut connection| connection.get(&way_in.path, Some(&way_in.token)));
            last = answer.as_ref().map_or_else(ToString::to_string, |a| format!("{} {}", a.status, String::from_utf8_lossy(&a.body)));
            Ok(answer.is_ok_and(|answer| answer.status == 200))
        })
        .with_context(|| format!("GET {} was last answered: {last}", way_in.path))?;
        served.push(begun.elapsed().as_secs_f64() * 1000.0);
        pause(REST);
        rss.push(process.rss_mib()?);
    }
    let mut all = json!({ "machine": machine::describe(), "runs": words.runs, "apis": words.apis.max(1) });
    say(&format!("{} starts with {} API(s)", words.runs, words.apis.max(1)));
    for (name, unit, values) in [("ready", "ms", ready), ("first call served", "ms", served), ("resident at rest", "MiB", rss)] {
        if let (Some(middle), Some((least, greatest))) = (median(&values), span(&values)) {
            say(&format!("{name:18} {middle:.1} {unit} [{least:.1}–{greatest:.1}]"));
        }
        all[name] = json!({ "unit": unit, "values": values });
    }
    super::write_json(words.json.as_ref(), &all)
}
