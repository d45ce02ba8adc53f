//! What fails under a running upgrade: the disk, the source, the target. Each is told clearly, and gone on with to the same end.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oldsite::{Dialect, Links, Site, Size, mysql::Blobs};
use testkit::with_postgres;

use crate::upgrade_road::{Old, dump, same};

/// A file system of a few megabytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mounted(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"]).arg(&at).output();
        done.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn grow(&self) {
        assert!(Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open must not keep the mount.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A site whose tokens come in several batches.
fn larger() -> Site {
    let size = Size { users: 10, apis: 20, applications: 40, subscriptions_each: 3, tokens: 6_000 };
    Site::generated(size, 7, "http://127.0.0.1:9", 1_790_000_000_000)
}

#[tokio::test]
async fn a_full_disk_is_told_and_with_room_again_the_run_ends_as_it_would_have() {
    let old = Old::of(larger());
    let Some(disk) = SmallDisk::mounted(old.at("data")) else {
        println!("SKIPPED: a small file system cannot be mounted here (not root?)");
        return;
    };
    // Planned against another place that is empty, too: where the target is makes no difference.
    old.fine(&["plan"], "whole");
    old.fine(&["apply", "upgrade-plan.json"], "whole");
    let said = old.refused(&["apply", "upgrade-plan.json"], "data");
    assert!(said.contains("no space left") && said.contains("apply upgrade-plan.json --resume"), "{said}");
    disk.grow();
    old.fine(&["apply", "upgrade-plan.json", "--resume"], "data");
    old.fine(&["verify"], "data");
    same(&dump(&old.at("data")).await, &dump(&old.at("whole")).await, "gone on with");
    drop(disk);
}

/// Starts a command and, as soon as it writes tokens, does something to it; what it said, and whether it was fine.
fn when_it_writes_tokens(mut command: Command, then: impl FnOnce()) -> (bool, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> = Vec::new();
    for line in lines.by_ref() {
        let begun = line.starts_with("tokens: ");
        said.push(line);
        if begun {
            break;
        }
    }
    then();
    said.extend(lines);
    (child.wait().unwrap().success(), said.join("\n"))
}

#[tokio::test]
async fn a_target_that_goes_away_is_told_and_gone_on_with() {
    with_postgres(async |scratch| {
        let old = Old::of(larger());
        let db = ["--db", scratch.url.as_str()];
        old.fine(&["plan", db[0], db[1]], "data");
        // Small batches, so that there is time.
        let command = old.command(&["apply", "upgrade-plan.json", "--batch", "10", db[0], db[1]], "data");
        let (closing, handle) = (scratch.clone(), tokio::runtime::Handle::current());
        let (fine, said) =
            tokio::task::spawn_blocking(move || when_it_writes_tokens(command, || handle.block_on(closing.close_to_everybody())))
                .await
                .unwrap();
        assert!(!fine && said.contains("writing tokens failed") && said.contains("--resume"), "{said}");
        scratch.open_again().await;
        let said = old.refused(&["apply", "upgrade-plan.json", db[0], db[1]], "data");
        assert!(said.contains("was interrupted") && said.contains("apply upgrade-plan.json --resume"), "{said}");
        old.fine(&["apply", "upgrade-plan.json", "--resume", db[0], db[1]], "data");
        old.fine(&["verify", db[0], db[1]], "data");
        let status = old.fine(&["status", db[0], db[1]], "data");
        assert!(status.contains("gone on with 1 time(s)") && status.contains("Run 1: apply"), "{status}");
        assert!(!status.contains("Run 2"), "{status}");
    })
    .await;
}

/// A MariaDB database for one test.
struct MariaDb(String);

impl MariaDb {
    fn made() -> Option<Self> {
        let name = format!("tidegate_lost_{}", std::process::id());
        let answers = mysql("information_schema", &format!("CREATE DATABASE {name}"));
        if answers.is_none() {
            println!("SKIPPED: no MariaDB server answers at 127.0.0.1:3306");
        }
        answers.map(|_| Self(name))
    }

    fn load(&self, dump: &Path) {
        let input = std::fs::File::open(dump).unwrap();
        let done = client(&self.0).stdin(input).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn kill_everybody(&self) {
        let of = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}'", self.0);
        for id in mysql("information_schema", &of).unwrap().lines() {
            mysql("information_schema", &format!("KILL {id}"));
        }
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = mysql("information_schema", &format!("DROP DATABASE IF EXISTS {}", self.0));
    }
}

fn client(database: &str) -> Command {
    let mut client = Command::new("mysql");
    client.args(["-h127.0.0.1", "-uroot", "-N", "-B", "--default-character-set=utf8", database]);
    client
}

fn mysql(database: &str, sql: &str) -> Option<String> {
    let done = client(database).args(["-e", sql]).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

#[tokio::test]
async fn a_source_that_goes_away_in_the_middle_is_told_and_gone_on_with() {
    let Some(source) = MariaDb::made() else { return };
    let mut site = larger();
    // More than a server sends ahead before anybody has read it.
    let model = site.tokens[0].clone();
    site.tokens.extend((0..30_000).map(|n| {
        let mut token = model.clone();
        token.access = format!("filler-{n:08}-{}", "x".repeat(80));
        token.refresh = None;
        token
    }));
    let folder = tempfile::tempdir().unwrap();
    let dialect = Dialect::MySql(Blobs::Hex);
    let written = site.write(folder.path(), dialect, &Links::unreachable(dialect)).unwrap();
    [&written.am_sql, &written.user_sql, &written.registry_sql].into_iter().for_each(|dump| source.load(dump));
    let url = format!("mysql://root@127.0.0.1:3306/{}", source.0);
    let old = Old::reached(site, &["--am-db", &url, "--user-db", &url, "--registry-db", &url, "--source-timezone", "UTC"]);
    old.fine(&["plan"], "whole");
    old.fine(&["apply", "upgrade-plan.json"], "whole");
    let command = old.command(&["apply", "upgrade-plan.json", "--batch", "100"], "data");
    let (fine, said) = when_it_writes_tokens(command, || source.kill_everybody());
    assert!(!fine && said.contains("the old tokens cannot be read") && said.contains("--resume"), "{said}");
    assert!(old.fine(&["status"], "data").contains("INTERRUPTED"));
    old.fine(&["apply", "upgrade-plan.json", "--resume"], "data");
    same(&dump(&old.at("data")).await, &dump(&old.at("whole")).await, "gone on with");
    // The source was only read.
    let rows = mysql(&source.0, "SELECT COUNT(*) FROM IDN_OAUTH2_ACCESS_TOKEN").unwrap();
    assert_eq!(rows.trim().parse::<usize>().unwrap(), old.site.tokens.len());
}
