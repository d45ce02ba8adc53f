//! Load by wrk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::machine::Cores;

/// Prints wrk's own sums as JSON; it runs once, after the load.
const REPORT: &str = include_str!("load/report.lua");

/// wrk, with its report in place.
pub(crate) struct Load {
    cores: Cores,
    report: PathBuf,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Load {
    pub(crate) fn prepare(cores: Cores, folder: &Path) -> anyhow::Result<Self> {
        let report = folder.join("report.lua");
        std::fs::write(&report, REPORT).with_context(|| format!("cannot write {}", report.display()))?;
        Ok(Self { cores, report })
    }

    /// # Errors
    /// Any answer that is no success, any socket error, or bodies shorter than `body_bytes` on the whole.
    pub(crate) fn run(&self, url: &str, token: Option<&str>, connections: u32, time: Duration, body_bytes: usize) -> anyhow::Result<Run> {
        let mut wrk = self.cores.other("wrk");
        wrk.arg(format!("-t{}", self.cores.workers)).arg(format!("-c{connections}")).arg(format!("-d{}s", time.as_secs()));
        wrk.args(["--latency", "-s"]).arg(&self.report);
        if let Some(token) = token {
            wrk.arg("-H").arg(format!("Authorization: Bearer {token}"));
        }
        let output = wrk.arg(url).output().context("cannot start wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("wrk ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        let report = text.lines().find_map(|line| line.strip_prefix("report ")).context("wrk printed no report")?;
        let report: Value = serde_json::from_str(report).context("wrk's report is no JSON")?;
        read(&report, body_bytes)
    }
}

fn read(report: &Value, body_bytes: usize) -> anyhow::Result<Run> {
    let number = |name: &str| report.get(name).and_then(Value::as_f64).with_context(|| format!("wrk's report lacks {name}"));
    for fault in ["connect", "read", "write", "timeout", "status"] {
        let count = number(fault)?;
        ensure!(
            count == 0.0,
            "{count} {} of {} requests",
            if fault == "status" { "error statuses" } else { "socket errors" },
            number("requests")?
        );
    }
    let requests = number("requests")?;
    ensure!(requests > 0.0, "no request was answered");
    ensure!(number("bytes")? >= requests * body_bytes as f64, "answers were shorter than the backend's");
    Ok(Run { requests, per_second: requests / number("seconds")?, p50_ms: number("p50_us")? / 1000.0, p99_ms: number("p99_us")? / 1000.0 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_fault_fails_the_run() {
        let good = json!({"requests": 1000, "seconds": 2.0, "bytes": 2_000_000, "connect": 0, "read": 0, "write": 0, "timeout": 0, "status": 0, "p50_us": 1500, "p99_us": 9000});
        let run = read(&good, 1024).unwrap();
        assert_eq!((run.per_second, run.p50_ms, run.p99_ms), (500.0, 1.5, 9.0));
        for fault in ["connect", "read", "write", "timeout", "status"] {
            let mut bad = good.clone();
            bad[fault] = json!(1);
            assert!(read(&bad, 1024).is_err(), "{fault}");
        }
        assert!(read(&good, 4096).is_err());
    }
}
