//! Installs and starts what a fresh Debian or Ubuntu machine lacks.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::sh;

/// Installs Debian packages, as root or through sudo. Nothing is ever removed for them.
pub(crate) fn packages(names: &[&str]) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let listed = names.join(" ");
    if !sh::has("apt-get") {
        bail!("this machine lacks {listed} and has no apt-get; install them by hand and try again");
    }
    eprintln!("Installing {listed} with apt-get …");
    let mut words =
        vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-remove", "--no-install-recommends"];
    words.extend_from_slice(names);
    as_root(&["apt-get", "update", "-qq"]).and_then(|()| as_root(&words)).with_context(|| {
        format!(
            "{listed} could not be installed. As root: apt-get update && apt-get install --no-install-recommends {listed}. Then try again"
        )
    })
}

/// Installs the package of each program that is missing.
pub(crate) fn programs(needed: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> = needed.iter().filter(|(program, _)| !sh::has(program)).map(|(_, package)| *package).collect();
    packages(&missing)
}

/// PostgreSQL on 127.0.0.1:5432, open to user `postgres` without a password from this machine.
///
/// # Errors
/// Also when a server answers there that does not let `postgres` in: only one that was installed or started here is opened.
pub(crate) fn postgres() -> anyhow::Result<()> {
    let theirs = listens(5432);
    if theirs && !sh::has("psql") {
        packages(&["postgresql-client"])?;
    }
    if postgres_answers() {
        return Ok(());
    }
    if theirs {
        bail!(
            "the PostgreSQL on 127.0.0.1:5432 does not let user postgres in without a password, and was not started here, so it is left as it \
             is. Put `host all postgres 127.0.0.1/32 trust` first into its pg_hba.conf, or test without databases: \
             cargo xtask test --no-services"
        );
    }
    if !sh::has("pg_ctlcluster") {
        packages(&["postgresql"])?;
    }
    eprintln!("Starting PostgreSQL, open to user postgres from this machine …");
    if !listens(5432) {
        start_postgres()?;
    }
    if !postgres_answers() {
        open_postgres_to_this_machine()?;
    }
    wait("PostgreSQL on 127.0.0.1:5432", || Ok(postgres_answers()))
}

/// MariaDB on 127.0.0.1:3306, user `root` without a password.
///
/// # Errors
/// As [`postgres`].
pub(crate) fn mariadb() -> anyhow::Result<()> {
    let theirs = listens(3306) || mariadb_runs();
    if theirs && !sh::has("mariadb") {
        packages(&["mariadb-client"])?;
    }
    if mariadb_answers() {
        return Ok(());
    }
    if theirs {
        bail!(
            "the MariaDB or MySQL on this machine does not let user root in at 127.0.0.1:3306 without a password, and was not started here, so \
             it is left as it is. Let it in, or test without databases: cargo xtask test --no-services"
        );
    }
    if !sh::has("mariadbd") {
        packages(&["mariadb-server"])?;
    }
    eprintln!("Starting MariaDB, open to user root from this machine …");
    if !mariadb_runs() {
        as_root(&["install", "-d", "-o", "mysql", "-g", "mysql", "/run/mysqld"])?;
        as_root(&["start-stop-daemon", "--start", "--oknodo", "--background", "--exec", "/usr/sbin/mariadbd", "--", "--user=mysql"])?;
        wait("MariaDB's socket", || Ok(mariadb_runs()))?;
    }
    if !mariadb_answers() {
        // A fresh server lets root in through the socket only; the tests come over TCP, as an old installation's address does.
        as_root(&["mariadb", "-e", "ALTER USER root@localhost IDENTIFIED BY ''; FLUSH PRIVILEGES"])?;
    }
    wait("MariaDB on 127.0.0.1:3306", || Ok(mariadb_answers()))
}

/// OpenLDAP's `slapd` and its tools. Tests start servers of their own and do not touch one that Debian's package may have started.
pub(crate) fn slapd() -> anyhow::Result<()> {
    // Debian puts it where only root looks.
    let has_server = sh::has("slapd") || Path::new("/usr/sbin/slapd").is_file();
    let mut missing = Vec::new();
    if !has_server {
        missing.push("slapd");
    }
    if !sh::has("ldapmodify") {
        missing.push("ldap-utils");
    }
    packages(&missing)
}

/// Whether any program takes connections at this port of 127.0.0.1.
fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Whether it answers at its socket, be it with a refusal.
fn mariadb_runs() -> bool {
    sh::succeeds("mariadb-admin", &["ping"])
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
        // One of several may fail, because it runs already; whether 5432 answers in the end is what counts.
        let _ = as_root(&["pg_ctlcluster", "--skip-systemctl-redirect", &version, "main", "start"]);
    }
    Ok(())
}

/// Lets `postgres` in without a password from 127.0.0.1.
fn open_postgres_to_this_machine() -> anyhow::Result<()> {
    let script = r#"
        set -e
        for conf in /etc/postgresql/*/main/pg_hba.conf; do
            sed -i '1i host all postgres 127.0.0.1/32 trust' "$conf"
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
    let status =
        Command::new(program).args(&words).stdin(Stdio::null()).stdout(Stdio::null()).status().with_context(|| {
            if is_root { format!("cannot start {program}") } else { "this needs root, and there is no sudo".to_owned() }
        })?;
    if !status.success() {
        bail!("`{program} {}` ended with {status}", words.join(" "));
    }
    Ok(())
}

/// Waits for a service to answer, at most a minute, and no longer than `ready` can be asked.
#[expect(clippy::disallowed_methods, reason = "a tool that polls a program it just started; there is no state to be told by")]
pub(crate) fn wait(what: &str, mut ready: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while !ready()? {
        if started.elapsed() > Duration::from_secs(60) {
            bail!("{what} did not answer within a minute");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Waits until a server just started says at `url` that it is ready; fails as soon as it ends.
pub(crate) fn wait_until_ready(server: &mut Child, url: &str) -> anyhow::Result<()> {
    wait("tidegate serve", || match server.try_wait()? {
        Some(status) => bail!("tidegate serve ended with {status}"),
        None => Ok(sh::succeeds("curl", &["-sf", "-o", "/dev/null", url])),
    })
}
