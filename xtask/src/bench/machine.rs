//! The machine: its cores, who runs on which, and what it is for the record.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};

/// Who runs where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    /// Workers of each proxy.
    pub(crate) workers: usize,
    /// The proxy has core 0 to itself, load and backend share core 1.
    pub(crate) pinned: bool,
}

impl Cores {
    pub(crate) fn of(workers: usize) -> Self {
        Self { workers, pinned: workers == 1 && count() >= 2 }
    }

    /// Everything on every core.
    pub(crate) fn unpinned() -> Self {
        Self { workers: count(), pinned: false }
    }

    /// A command for the measured side.
    pub(crate) fn proxy(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.on("0", program.as_ref())
    }

    /// A command for the load or the backend.
    pub(crate) fn other(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.on("1", program.as_ref())
    }

    fn on(self, core: &str, program: &std::ffi::OsStr) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        command
    }

    pub(crate) fn words(self) -> String {
        if self.pinned {
            "pinned: one proxy worker on core 0; wrk and backend on core 1".to_owned()
        } else {
            format!("NOT pinned: {} proxy worker(s), wrk and backend compete for {} core(s)", self.workers, count())
        }
    }
}

/// What core 0 has done so far, in the kernel's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CoreTime {
    /// Work of programs, and what the machine's host took. Not interrupts: those of the loopback network are the bench's own.
    busy: u64,
    all: u64,
}

impl CoreTime {
    pub(crate) fn now() -> anyhow::Result<Self> {
        Self::read(&std::fs::read_to_string("/proc/stat").context("this needs Linux: there is no /proc/stat")?)
    }

    fn read(stat: &str) -> anyhow::Result<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu0 ")).context("/proc/stat does not list core 0")?;
        // user nice system idle iowait irq softirq steal; what follows is counted in user already.
        let ticks: Vec<u64> =
            line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().context("/proc/stat holds no numbers")?;
        let all = ticks.iter().sum();
        let at = |index: usize| ticks.get(index).copied().unwrap_or_default();
        Ok(Self { busy: at(0) + at(1) + at(2) + at(7), all })
    }

    /// Share of the core, since `before`, that went to others than a process that spent `own_ticks` there: from 0 to 1.
    pub(crate) fn others_since(self, before: Self, own_ticks: f64) -> f64 {
        let busy = self.busy.saturating_sub(before.busy) as f64;
        let all = self.all.saturating_sub(before.all) as f64;
        if all > 0.0 { ((busy - own_ticks) / all).clamp(0.0, 1.0) } else { 0.0 }
    }
}

fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the figures were measured on.
pub(crate) fn describe() -> Value {
    let read = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches([' ', '\t', ':']).trim().to_owned()))
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "processor": read("/proc/cpuinfo", "model name"),
        "cores": count(),
        "memory": read("/proc/meminfo", "MemTotal"),
        "kernel": kernel.trim(),
        "load_before": load.trim(),
    })
}

/// A port nobody listens on now. Whoever takes it next may still be somebody else, which then shows as a failed start.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Lets this process and those it starts open many files.
pub(crate) fn allow_open_files(count: u32) -> anyhow::Result<()> {
    let pid = std::process::id().to_string();
    let output = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={count}:")]).output().context("cannot start prlimit")?;
    anyhow::ensure!(
        output.status.success(),
        "cannot raise the limit of open files to {count}: {}. Raise the hard limit (ulimit -Hn), or ask for fewer connections",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_what_is_busy_and_not_ours() {
        let at = |line: &str| CoreTime::read(&format!("cpu  9 9 9 9\n{line}\ncpu1 0 0 0 0 0 0 0 0 0 0\n")).unwrap();
        let before = at("cpu0 100 0 50 800 50 0 0 0 7 7");
        let after = at("cpu0 150 0 70 810 60 0 5 5 7 7");
        assert_eq!(after.others_since(before, 40.0), 0.35);
        assert_eq!(after.others_since(before, 1000.0), 0.0);
        assert_eq!(before.others_since(before, 0.0), 0.0);
        assert!(CoreTime::read("cpu  1 2 3").is_err());
    }
}
