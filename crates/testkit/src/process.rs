//! A Tidegate as a process of its own, for what only a process has: words, exit status, signals, sudden death.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::{ADMIN_PASSWORD, Place};

/// How to start one.
pub struct Setup<'a> {
    /// The binary.
    pub binary: &'a Path,
    /// Its data directory. Configuration and log lie beside it, named after it.
    pub data_dir: PathBuf,
    /// Lines for the configuration file, after those that ask for free ports: `section.key = value`.
    pub config: &'a str,
    /// Whether the administrator's password is given by the environment.
    pub with_password: bool,
    /// More words after `serve`.
    pub words: &'a [&'a str],
    /// A command in front of the binary, e.g. one that limits what it may do.
    pub before: &'a [&'a str],
}

impl<'a> Setup<'a> {
    /// The usual one.
    #[must_use]
    pub fn new(binary: &'a Path, data_dir: &Path) -> Self {
        Self { binary, data_dir: data_dir.to_owned(), config: "", with_password: true, words: &[], before: &[] }
    }

    /// The command, not yet started.
    fn command(&self) -> (Command, PathBuf) {
        let config = self.data_dir.with_extension("toml");
        let text = format!(
            "server.listen_address = \"127.0.0.1\"\nmanagement.https_port = 0\nmanagement.http_port = 0\n\
             gateway.http_port = 0\ngateway.https_port = 0\n{}",
            self.config
        );
        std::fs::write(&config, text).expect("a configuration file");
        let log = self.data_dir.with_extension("log");
        let mut words: Vec<&std::ffi::OsStr> = self.before.iter().map(AsRef::as_ref).collect();
        words.push(self.binary.as_ref());
        let (first, rest) = words.split_first().expect("the binary at least");
        let mut command = Command::new(first);
        command.args(rest).args(["serve", "--data-dir"]).arg(&self.data_dir).arg("--config").arg(&config).args(self.words);
        let appended = File::options().create(true).append(true).open(&log).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(appended).env_remove("TIDEGATE_ADMIN_PASSWORD");
        if self.with_password {
            command.env("TIDEGATE_ADMIN_PASSWORD", ADMIN_PASSWORD);
        }
        (command, log)
    }
}

/// A running one; killed when dropped.
pub struct Process {
    child: Child,
    printed: Arc<Mutex<String>>,
    log: PathBuf,
    rest: String,
    gateway: String,
    gateway_tls: String,
    management: String,
}

/// One that ended before it was ready.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// Standard output.
    pub printed: String,
    /// Standard error, of earlier starts on the same directory too.
    pub log: String,
}

impl Process {
    /// Starts it and waits until it says that it is ready.
    ///
    /// # Errors
    /// What it left, when it ends instead.
    pub fn start(setup: &Setup<'_>) -> Result<Self, Ended> {
        let (mut command, log) = setup.command();
        let mut child = command.spawn().expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        let printed = Arc::new(Mutex::new(String::new()));
        let (sender, receiver) = mpsc::channel();
        let kept = Arc::clone(&printed);
        // Reads on after the start, too: a full pipe would stop the process at its next word.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_str(&line);
                kept.push('\n');
                drop(kept);
                // Nobody waits for lines any more once it is ready.
                let _ = sender.send(line);
            }
        });
        let mut process = Self {
            child,
            printed,
            log,
            rest: String::new(),
            gateway: String::new(),
            gateway_tls: String::new(),
            management: String::new(),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while process.management.is_empty() {
            match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => process.note(&line),
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("not ready within 30 s: {}", process.log()),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let status = process.child.wait().expect("an exit status");
                    return Err(Ended { status, printed: process.printed(), log: process.log() });
                }
            }
        }
        Ok(process)
    }

    /// Takes the addresses out of a line that says some.
    fn note(&mut self, line: &str) {
        let mut urls = line.split_whitespace().filter(|word| word.contains("://")).map(|url| url.trim_end_matches("/healthz").to_owned());
        let mut next = || urls.next().expect("an address in the line");
        if line.contains("REST") {
            self.rest = next();
        } else if line.contains("API traffic") {
            (self.gateway, self.gateway_tls) = (next(), next());
        } else if line.contains("health") {
            self.management = next();
        }
    }

    /// Standard output so far.
    #[must_use]
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Standard error so far, of earlier starts on the same directory too.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power failure would: at once, in the middle of anything.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub async fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("its status") {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(45), "it did not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is as good as ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Place for Process {
    fn rest(&self, path: &str) -> String {
        format!("{}{path}", self.rest)
    }

    fn gateway(&self, path: &str) -> String {
        format!("{}{path}", self.gateway)
    }

    fn gateway_tls(&self, path: &str) -> String {
        format!("{}{path}", self.gateway_tls)
    }

    fn management(&self, path: &str) -> String {
        format!("{}{path}", self.management)
    }
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
