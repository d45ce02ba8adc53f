//! A contender's process, and what /proc says about it and its children.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::sh;

/// Time to end in peace after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running program; ended, children included, when dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it with its output in `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let open = || File::options().create(true).append(true).open(log).with_context(|| format!("cannot write {}", log.display()));
        let child = command.stdin(Stdio::null()).stdout(open()?).stderr(open()?).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start {}", command.get_program().display()))? })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// # Errors
    /// When it has ended by itself.
    pub(crate) fn must_run(&mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "it ended by itself ({})", ended.map_or_else(String::new, |status| status.to_string()));
        Ok(())
    }

    /// Processor time of it and its children so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut ticks = 0;
        for pid in tree(self.pid())? {
            ticks += ticks_of(pid).unwrap_or_default();
        }
        Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_second()?))
    }

    /// Resident memory of it and its children, in MiB. Pages they share count once for each.
    pub(crate) fn rss_mib(&self) -> anyhow::Result<f64> {
        self.sum_kib("VmRSS:")
    }

    /// Most resident memory since the start or the last [`Process::forget_peak`], in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        self.sum_kib("VmHWM:")
    }

    /// Lets the peak begin anew from what is resident now.
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        for pid in tree(self.pid())? {
            std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("cannot reset the peak of resident memory")?;
        }
        Ok(())
    }

    fn sum_kib(&self, name: &str) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for pid in tree(self.pid())? {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let kib = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            sum += kib.unwrap_or_default();
        }
        ensure!(sum > 0.0, "/proc says nothing of process {}", self.pid());
        Ok(sum / 1024.0)
    }

    /// Asks it to end, and makes it end when it does not.
    fn end(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let children = tree(self.pid()).unwrap_or_default();
        sh::succeeds("kill", &["-TERM", &self.pid().to_string()]);
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            pause(Duration::from_millis(5));
        }
        for pid in children {
            sh::succeeds("kill", &["-KILL", &pid.to_string()]);
        }
        // It has been killed; there is nothing to do about a failure to hear of it.
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for a state of another program, asking again and again, as nothing tells us of it.
pub(crate) fn until(what: &str, within: Duration, mut reached: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while !reached()? {
        ensure!(started.elapsed() < within, "{what} took longer than {} s", within.as_secs());
        pause(Duration::from_millis(1));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "time itself is measured here, or a program that cannot be waited for otherwise")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A process and all its descendants.
fn tree(root: u32) -> anyhow::Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").context("this needs Linux: there is no /proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = fields_of(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    Ok(found)
}

/// Fields of /proc/PID/stat from the third on: state, parent …
fn fields_of(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything, brackets included.
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// utime + stime, all threads together.
fn ticks_of(pid: u32) -> Option<u64> {
    let fields = fields_of(pid)?;
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(number(11)? + number(12)?)
}

pub(crate) fn ticks_per_second() -> anyhow::Result<f64> {
    let output = Command::new("getconf").arg("CLK_TCK").output().context("cannot start getconf")?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("getconf CLK_TCK is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_found_measured_and_ended() {
        let log = std::env::temp_dir().join(format!("xtask-process-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'exit 0' TERM; sleep 600 & i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; wait"]);
        let mut process = Process::start(command, &log).unwrap();
        let pid = process.pid();
        until("the child", PATIENCE, || Ok(tree(pid)?.len() == 2)).unwrap();
        until("the loop", PATIENCE, || Ok(process.cpu()? > Duration::ZERO)).unwrap();
        assert!(process.rss_mib().unwrap() > 0.1);
        process.must_run().unwrap();
        let sleeper = tree(pid).unwrap()[1];
        drop(process);
        assert!(fields_of(pid).is_none());
        // The trap ended the shell alone, as a careless server would.
        sh::succeeds("kill", &["-KILL", &sleeper.to_string()]);
        std::fs::remove_file(log).unwrap();
    }
}
