//! `cargo xtask try`: the main job, seen whole.
//!
//! Makes an old installation of our own writing, takes it over into a temporary data directory, serves it with a small backend that echoes
//! what it is asked, and prints three commands to try. `--check` runs the three itself, compares what comes back and ends.

mod echo;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use oldsite::{Credentials, Dialect, Links, Site};

use crate::{needs, sh};

/// What the made-up site ran on.
const MYSQL: Dialect = Dialect::MySql(oldsite::mysql::Blobs::Hex);

/// Ports of the product before an offset is added.
const PORTS: [u16; 4] = [8280, 8243, 9443, 9763];

#[derive(Args)]
pub(crate) struct Try {
    /// Run the three commands, check what they answer, and end.
    #[arg(long)]
    check: bool,
    /// Build with optimisations: slower to start, faster to serve.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(words: &Try) -> anyhow::Result<()> {
    needs::programs(&[("curl", "curl"), ("cc", "gcc")])?;
    say("Building Tidegate …");
    let profile = if words.release { "release" } else { "dev" };
    sh::run("cargo", &["build", "--profile", profile, "--package", "tidegate"])?;
    let tidegate = sh::target_dir().join(if words.release { "release" } else { "debug" }).join("tidegate");

    let folder = fresh_folder()?;
    let backend = echo::start()?;
    let site = Site::sample(&format!("http://{backend}"), now_ms());
    let old = site.write(&folder.join("old"), MYSQL, &Links::unreachable(MYSQL))?;
    say(&format!("Made an old installation, version 1.9.1, in {}", old.home.display()));

    let data = folder.join("data");
    let sources = [
        ("--source", old.home.display().to_string()),
        ("--am-db", format!("dump:{}", old.am_sql.display())),
        ("--user-db", format!("dump:{}", old.user_sql.display())),
        ("--registry-db", format!("dump:{}", old.registry_sql.display())),
    ];
    let plan = folder.join("upgrade-plan.json");
    for step in ["assess", "plan", "apply", "verify"] {
        say(&format!("tidegate upgrade {step} …"));
        let mut command = Command::new(&tidegate);
        command.args(["upgrade", step, "--data-dir"]).arg(&data);
        match step {
            "plan" => drop(command.arg("--out").arg(&plan).stdout(Stdio::null())),
            "apply" => drop(command.arg(&plan)),
            _ => {}
        }
        for (flag, value) in &sources {
            command.args([*flag, value]);
        }
        let status = command.status().context("cannot start tidegate")?;
        ensure!(status.success(), "tidegate upgrade {step} ended with {status}");
    }

    let offset = free_offset()?;
    let mut server = Server::start(&tidegate, &data, offset)?;
    server.wait_until_ready(offset)?;
    let commands = commands(&site.credentials(), offset);
    if words.check {
        return check(&commands);
    }
    say("\nReady. Try these:");
    for command in &commands {
        say(&format!("\n# {}\n{}", command.what, command.line));
    }
    say(&format!("\nCtrl-C ends it. What was made stays in {} until the next try.", folder.display()));
    server.wait()
}

/// A command for the visitor and what must be in its answer.
struct Shown {
    what: &'static str,
    line: String,
    status: &'static str,
    contains: &'static str,
}

fn commands(old: &Credentials, offset: u16) -> [Shown; 3] {
    let gateway = 8280 + offset;
    let rest = 9443 + offset;
    [
        Shown {
            what: "A call with a token that the old system issued",
            line: format!("curl -si -H 'Authorization: Bearer {}' http://localhost:{gateway}{}", old.token, old.path),
            status: "200",
            contains: "echo",
        },
        Shown {
            what: "The same call without one: the error is what the old system answered, in the type its own error sequence names",
            line: format!("curl -si http://localhost:{gateway}{}", old.path),
            status: "401",
            contains: "{\"fault\":{\"code\":900902,",
        },
        Shown {
            what: "The old password at the new token endpoint",
            line: format!(
                "curl -ksi -u '{}:{}' -d grant_type=password -d username={} -d password={} https://localhost:{rest}/oauth2/token",
                old.consumer_key, old.consumer_secret, old.user, old.password
            ),
            status: "200",
            contains: "access_token",
        },
    ]
}

fn check(commands: &[Shown]) -> anyhow::Result<()> {
    for command in commands {
        let output = Command::new("sh").args(["-c", &command.line]).output().context("cannot start sh")?;
        let answer = String::from_utf8_lossy(&output.stdout);
        let status = answer.split_whitespace().nth(1).unwrap_or("nothing");
        if status != command.status || !answer.contains(command.contains) {
            bail!("{}:\n{}\nexpected status {} and {}, got:\n{answer}", command.what, command.line, command.status, command.contains);
        }
        say(&format!("ok: {} ({status})", command.what));
    }
    Ok(())
}

/// The running product; ended when dropped.
struct Server(Child);

impl Server {
    fn start(tidegate: &Path, data: &Path, offset: u16) -> anyhow::Result<Self> {
        let child = Command::new(tidegate)
            .args(["serve", "--port-offset", &offset.to_string(), "--data-dir"])
            .arg(data)
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start tidegate serve")?;
        Ok(Self(child))
    }

    fn wait_until_ready(&mut self, offset: u16) -> anyhow::Result<()> {
        let url = format!("http://localhost:{}/readyz", 8280 + offset);
        needs::wait_until_ready(&mut self.0, &url)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let status = self.0.wait()?;
        ensure!(status.success(), "tidegate serve ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended is as good as ended now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An offset at which all ports are free, so that a running product is not disturbed.
fn free_offset() -> anyhow::Result<u16> {
    (0..40)
        .map(|step| step * 100)
        .find(|offset| PORTS.iter().all(|port| TcpListener::bind(("0.0.0.0", port + offset)).is_ok()))
        .context("no free ports: something listens on 8280, 8243, 9443 or 9763 and on every offset tried")
}

/// An empty folder below cargo's own. It is emptied at the next start rather than at the end, because Ctrl-C leaves no time to tidy up.
fn fresh_folder() -> anyhow::Result<PathBuf> {
    let folder = sh::target_dir().join("try");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|age| i64::try_from(age.as_millis()).ok()).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "what a tool has to say")]
fn say(words: &str) {
    println!("{words}");
}
