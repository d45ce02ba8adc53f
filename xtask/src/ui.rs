//! `cargo xtask ui`: builds the portals into `web/dist`, from where the next build of the server takes them.
//!
//! `--check` looks at the result as a visitor does: it builds and starts Tidegate in a temporary data directory and has `web/check` fill it,
//! use it in a real browser, and leave pictures in `ui/` below cargo's folder.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::{needs, sh};

/// The oldest Node.js that the portals' tools run on: that of Debian 12.
const NODE_MIN: u32 = 18;

/// The server lives as long as the check.
const PASSWORD: &str = "administrator-of-the-check";

#[derive(Args)]
pub(crate) struct Ui {
    /// Use the portals in a real browser, too.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(words: &Ui) -> anyhow::Result<()> {
    needs::programs(&[("node", "nodejs"), ("npm", "npm")])?;
    enough_node()?;
    for step in [&["ci", "--no-audit", "--no-fund"] as &[&str], &["run", "types"], &["test"], &["run", "build"]] {
        let mut line = vec!["--prefix", "web"];
        line.extend_from_slice(step);
        sh::run("npm", &line)?;
    }
    if words.check { check() } else { Ok(()) }
}

fn enough_node() -> anyhow::Result<()> {
    let output = Command::new("node").arg("--version").output().context("cannot start node")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    ensure!(major.is_some_and(|major| major >= NODE_MIN), "node says it is version {version:?}; the portals need {NODE_MIN} or newer");
    Ok(())
}

fn check() -> anyhow::Result<()> {
    needs::programs(&[("curl", "curl"), ("cc", "gcc"), ("chromium", "chromium")])?;
    sh::run("cargo", &["build", "--package", "tidegate"])?;
    let folder = fresh_folder()?;
    let ports = free_ports()?;
    let mut server = Server::start(&sh::target_dir().join("debug/tidegate"), &folder, ports)?;
    server.wait_until_ready(ports)?;
    let status = Command::new("node")
        .arg("web/check/check.mjs")
        .current_dir(sh::root())
        .env("TIDEGATE_REST", format!("https://localhost:{}", ports.rest))
        .env("TIDEGATE_ADMIN_PASSWORD", PASSWORD)
        .env("TIDEGATE_PICTURES", &folder)
        .status()
        .context("cannot start node")?;
    ensure!(status.success(), "the check in the browser ended with {status}; pictures and the server's log are in {}", folder.display());
    eprintln!("pictures are in {}", folder.display());
    Ok(())
}

#[derive(Clone, Copy)]
struct Ports {
    rest: u16,
    management: u16,
    gateway: u16,
    gateway_tls: u16,
}

/// Ports that are free now. They are given to the server by number because the page shows them.
fn free_ports() -> anyhow::Result<Ports> {
    let held: Vec<TcpListener> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let ports: Vec<u16> = held.iter().map(|port| port.local_addr().map(|at| at.port())).collect::<Result<_, _>>()?;
    match ports[..] {
        [rest, management, gateway, gateway_tls] => Ok(Ports { rest, management, gateway, gateway_tls }),
        _ => bail!("four ports were asked for"),
    }
}

/// The running product; ended when dropped.
struct Server(Child);

impl Server {
    fn start(tidegate: &Path, folder: &Path, ports: Ports) -> anyhow::Result<Self> {
        let config = folder.join("tidegate.toml");
        let Ports { rest, management, gateway, gateway_tls } = ports;
        let text = format!(
            "server.listen_address = \"127.0.0.1\"\nmanagement.https_port = {rest}\nmanagement.http_port = {management}\n\
             gateway.http_port = {gateway}\ngateway.https_port = {gateway_tls}\n"
        );
        fs::write(&config, text)?;
        let log = fs::File::create(folder.join("server.log"))?;
        let child = Command::new(tidegate)
            .args(["serve", "--data-dir"])
            .arg(folder.join("data"))
            .arg("--config")
            .arg(&config)
            .env("TIDEGATE_ADMIN_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", tidegate.display()))?;
        Ok(Self(child))
    }

    fn wait_until_ready(&mut self, ports: Ports) -> anyhow::Result<()> {
        let url = format!("http://localhost:{}/readyz", ports.management);
        needs::wait_until_ready(&mut self.0, &url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended is as good as ended now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fresh_folder() -> anyhow::Result<PathBuf> {
    let folder = sh::target_dir().join("ui");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
