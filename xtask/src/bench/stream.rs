//! `cargo xtask bench stream`: large bodies through the gateway. They must arrive whole and must not be kept.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;

use super::http::Connection;
use super::machine::{self, Cores};
use super::process::{Process, pause};
use super::product::{self, Product};
use super::{say, sink};
use crate::needs;

#[derive(Args)]
pub(crate) struct Stream {
    /// Size of each body.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Measure this program instead of building one.
    #[arg(long)]
    tidegate: Option<PathBuf>,
    /// Write every figure into this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

struct Passed {
    seconds: f64,
    rss_before_mib: f64,
    peak_mib: f64,
}

pub(crate) fn run(words: &Stream) -> anyhow::Result<()> {
    needs::programs(&[("curl", "curl")])?;
    let program = super::tidegate(words.tidegate.as_ref())?;
    let folder = super::fresh_folder("stream")?;
    let product = Product::set_up(&program, &folder, Cores::of(1), sink::start()?)?;
    let mut process = product.installation.serve()?;
    product.installation.wait_until_ready(&mut process)?;
    let port = product.installation.ports.gateway;
    let bytes = words.mib << 20;
    // Once small, so that the large one finds connections, caches and code in place.
    download(port, &product.jwt, 1 << 20)?;
    upload(port, &product.jwt, 1 << 20)?;

    let down = watch(&process, || download(port, &product.jwt, bytes)).context("download")?;
    let up = watch(&process, || upload(port, &product.jwt, bytes)).context("upload")?;
    let both = watch(&process, || {
        std::thread::scope(|scope| {
            let down = scope.spawn(|| download(port, &product.jwt, bytes));
            upload(port, &product.jwt, bytes)?;
            down.join().map_err(|_| anyhow::anyhow!("the download's thread ended badly"))?
        })
    });
    let both = both.context("both at a time")?;
    let mut all = json!({ "machine": machine::describe(), "mib": words.mib });
    for (name, passed) in [("download", down), ("upload", up), ("both", both)] {
        let speed = words.mib as f64 / passed.seconds;
        say(&format!(
            "{name:9} {} MiB in {:.2} s ({speed:.0} MiB/s); resident before {:.1} MiB, at most {:.1} MiB",
            words.mib, passed.seconds, passed.rss_before_mib, passed.peak_mib
        ));
        all[name] = json!({ "seconds": passed.seconds, "mib_per_second": speed, "rss_before_mib": passed.rss_before_mib, "peak_mib": passed.peak_mib });
    }
    super::write_json(words.json.as_ref(), &all)
}

/// Memory around one transfer. The kernel keeps the peak, so nothing between two samples is missed.
fn watch(process: &Process, transfer: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Passed> {
    pause(Duration::from_secs(1));
    process.forget_peak()?;
    let rss_before_mib = process.rss_mib()?;
    let begun = Instant::now();
    transfer()?;
    Ok(Passed { seconds: begun.elapsed().as_secs_f64(), rss_before_mib, peak_mib: process.peak_mib()? })
}

fn download(port: u16, token: &str, bytes: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(machine::local(port))?;
    connection.write_head("GET", &format!("{}?bytes={bytes}", product::STREAM_PATH), Some(token), None)?;
    let (status, length) = connection.read_head()?;
    ensure!((status, length) == (200, bytes), "the answer is {status} with {length} bytes");
    sink::compare(connection.stream(), bytes, 0, &sink::block())?;
    Ok(())
}

fn upload(port: u16, token: &str, bytes: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(machine::local(port))?;
    connection.write_head("POST", product::STREAM_PATH, Some(token), Some(bytes))?;
    let block = sink::block();
    let mut left = bytes;
    while left > 0 {
        let part = block.get(..usize::try_from(left).unwrap_or(block.len()).min(block.len())).unwrap_or(&block);
        connection.stream().get_mut().write_all(part).context("the gateway stopped reading")?;
        left -= part.len() as u64;
    }
    let (status, length) = connection.read_head()?;
    let mut text = String::new();
    connection.stream().take(length.min(1024)).read_to_string(&mut text)?;
    ensure!(status == 200 && text == bytes.to_string(), "the backend received not {bytes} bytes: {status} {text}");
    Ok(())
}
