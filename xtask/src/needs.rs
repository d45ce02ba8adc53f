//! Installs and starts what a fresh Debian or Ubuntu machine lacks.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::sh;

/// Installs Debian packages, as root or through sudo.
pub(crate) fn packages(names: &[&str]) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    if !sh::has("apt-get") {
        bail!("this machine lacks {} and has no apt-get; install them by hand and try again", names.join(", "));
    }
    eprintln!("installing {}", names.join(", "));
    as_root(&["apt-get", "update", "-qq"])?;
    let mut words = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"];
    words.extend_from_slice(names);
    as_root(&words)
}

/// Installs the package of each program that is missing.
pub(crate) fn programs(needed: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> = needed.iter().filter(|(program, _)| !sh::has(program)).map(|(_, package)| *package).collect();
    packages(&missing)
}

/// PostgreSQL on 127.0.0.1:5432, open to user `postgres` without a password from this machine.
pub(crate) fn postgres() -> anyhow::Result<()> {
    if postgres_answers() {
        return Ok(());
    }
    if !sh::has("pg_ctlcluster") {
        packages(&["postgresql"])?;
    }
    start_postgres()?;
    if !postgres_answers() {
        open_postgres_to_this_machine()?;
    }
    wait("PostgreSQL on 127.0.0.1:5432", postgres_answers)
}

/// MariaDB on 127.0.0.1:3306, user `root` without a password.
pub(crate) fn mariadb() -> anyhow::Result<()> {
    if mariadb_answers() {
        return Ok(());
    }
    if !sh::has("mariadbd") {
        packages(&["mariadb-server"])?;
    }
    if !sh::succeeds("mariadb-admin", &["ping"]) {
        as_root(&["install", "-d", "-o", "mysql", "-g", "mysql", "/run/mysqld"])?;
        as_root(&["start-stop-daemon", "--start", "--oknodo", "--background", "--exec", "/usr/sbin/mariadbd"])?;
        wait("MariaDB's socket", || sh::succeeds("mariadb-admin", &["ping"]))?;
    }
    if !mariadb_answers() {
        // A fresh server lets root in through the socket only; the tests come over TCP, as an old installation's address does.
        as_root(&["mariadb", "-e", "ALTER USER root@localhost IDENTIFIED BY ''; FLUSH PRIVILEGES"])?;
    }
    wait("MariaDB on 127.0.0.1:3306", mariadb_answers)
}

fn postgres_answers() -> bool {
    sh::succeeds("psql", &["-h", "127.0.0.1", "-U", "postgres", "-w", "-c", "select 1", "postgres"])
}

fn mariadb_answers() -> bool {
    sh::succeeds("mariadb", &["-h", "127.0.0.1", "-P", "3306", "-u", "root", "-e", "select 1"])
}

fn start_postgres() -> anyhow::Result<()> {
    let versions = std::fs::read_dir("/etc/postgresql").context("PostgreSQL left no cluster in /etc/postgresql")?;
    for version in versions.flatten() {
        let version = version.file_name().to_string_lossy().into_owned();
        // Fails when it runs already, which is as good.
        let _ = as_root(&["pg_ctlcluster", "--skip-systemctl-redirect", &version, "main", "start"]);
    }
    Ok(())
}

/// Lets `postgres` in without a password from 127.0.0.1. Only for a server this machine did not have before.
fn open_postgres_to_this_machine() -> anyhow::Result<()> {
    let script = r#"
        set -e
        for conf in /etc/postgresql/*/main/pg_hba.conf; do
            sed -i '1i host all all 127.0.0.1/32 trust' "$conf"
        done
        for dir in /etc/postgresql/*; do
            pg_ctlcluster --skip-systemctl-redirect "$(basename "$dir")" main reload
        done
    "#;
    as_root(&["sh", "-c", script])
}

fn as_root(words: &[&str]) -> anyhow::Result<()> {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.starts_with(b"0"));
    let (program, words): (&str, Vec<&str>) = match words.split_first() {
        Some((program, rest)) if is_root => (program, rest.to_vec()),
        _ => ("sudo", words.to_vec()),
    };
    let status = Command::new(program)
        .args(&words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("`{program} {}` ended with {status}", words.join(" "));
    }
    Ok(())
}

/// Waits for a service to answer, at most a minute.
#[expect(clippy::disallowed_methods, reason = "a tool that polls a program it just started; there is no state to be told by")]
pub(crate) fn wait(what: &str, ready: impl Fn() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    while !ready() {
        if started.elapsed() > Duration::from_secs(60) {
            bail!("{what} did not answer within a minute");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
