//! The operator's road as it is typed: plan, apply, catch-up, status, rollback.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use oldsite::{Dialect, Links, Site, mysql::Blobs};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _, TypeInfo as _, ValueRef as _};
use tempfile::TempDir;

use crate::binary;

const MYSQL: Dialect = Dialect::MySql(Blobs::Hex);

/// An old installation and the words that name it.
pub(crate) struct Old {
    pub(crate) folder: TempDir,
    pub(crate) site: Site,
    words: Vec<String>,
}

impl Old {
    pub(crate) fn sample() -> Self {
        Self::of(Site::sample("http://127.0.0.1:9", 1_790_000_000_000))
    }

    pub(crate) fn of(site: Site) -> Self {
        let mut old = Self { folder: tempfile::tempdir().unwrap(), site, words: Vec::new() };
        old.write();
        old
    }

    /// One that is reached by these words, and not by dumps.
    pub(crate) fn reached(site: Site, words: &[&str]) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), site, words: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    /// Writes the site as it now is.
    pub(crate) fn write(&mut self) {
        let written = self.site.write(&self.folder.path().join("old"), MYSQL, &Links::unreachable(MYSQL)).unwrap();
        let dump = |path: &Path| format!("dump:{}", path.display());
        let words = [
            ("--source", written.home.display().to_string()),
            ("--am-db", dump(&written.am_sql)),
            ("--user-db", dump(&written.user_sql)),
            ("--registry-db", dump(&written.registry_sql)),
        ];
        self.words = words.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
    }

    /// Puts a sequence of the site's own into its gateway's folder, in place of one of that name.
    pub(crate) fn put_sequence(&self, name: &str, body: &str) {
        let folder = self.folder.path().join("old/home/repository/deployment/server/synapse-configs/default/sequences");
        let text = format!("<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"{name}\">\n{body}\n</sequence>\n");
        std::fs::write(folder.join(format!("{name}.xml")), text).unwrap();
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command on the data directory of this name; `words` in front of those that name the source.
    pub(crate) fn command(&self, words: &[&str], data: &str) -> Command {
        let mut command = Command::new(binary());
        command.arg("upgrade").args(words).arg("--data-dir").arg(self.at(data));
        if !["status", "rollback"].contains(&words[0]) {
            command.args(&self.words);
        }
        // One key for all, so that what is sealed in two targets can be opened by one.
        command.env("TIDEGATE_ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, words: &[&str], data: &str) -> Said {
        Said::of(self.command(words, data).output().unwrap())
    }

    pub(crate) fn fine(&self, words: &[&str], data: &str) -> String {
        let said = self.run(words, data);
        assert!(said.fine, "{words:?}: {}", said.text);
        said.text
    }

    /// Why it was refused.
    pub(crate) fn refused(&self, words: &[&str], data: &str) -> String {
        let said = self.run(words, data);
        assert!(!said.fine, "{words:?} was not refused: {}", said.text);
        said.text
    }
}

pub(crate) struct Said {
    pub(crate) fine: bool,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self { fine: output.status.success(), text: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned() }
    }
}

/// Every row of every table of a SQLite target, a line each, sorted. Left out is what differs between two runs of the same: the journal,
/// when a run was and which, and sealed bytes, which hold the same under another nonce ([`verified`] opens them).
pub(crate) async fn dump(data: &Path) -> String {
    const LEFT_OUT: [&str; 7] = ["at", "as_of", "started_at", "ended_at", "run", "resumed", "encryption key check"];
    let mut tx: SqliteConnection = SqliteConnectOptions::new().filename(data.join("tidegate.db")).read_only(true).connect().await.unwrap();
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name");
    let tables: Vec<String> = tables.fetch_all(&mut tx).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(tables.len() > 25);
    let mut lines = Vec::new();
    for table in tables.iter().filter(|table| !["upgrade_run", "upgrade_batch"].contains(&table.as_str())) {
        for row in sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch_all(&mut tx).await.unwrap() {
            let mut line = table.clone();
            for column in row.columns() {
                let raw = row.try_get_raw(column.ordinal()).unwrap();
                let kind = raw.type_info().name().to_owned();
                let value = match (raw.is_null(), kind.as_str()) {
                    (true, _) => "-".to_owned(),
                    (_, "INTEGER") => row.get::<i64, _>(column.ordinal()).to_string(),
                    (_, "BLOB") => "sealed".to_owned(),
                    _ => row.get::<String, _>(column.ordinal()),
                };
                let is_time_of_making = table == "tenant" && column.name() == "created_at" && line.contains("carbon.super");
                let value = if LEFT_OUT.contains(&column.name()) || is_time_of_making { "…".to_owned() } else { value };
                line.push_str(&format!(" | {value}"));
            }
            // How often something was told that it changed depends on how the work fell into transactions.
            if line.starts_with("counter | outbox") {
                continue;
            }
            // So do the numbers of what was told, and their order.
            if let Some((_, told)) = line.split_once(" | ").filter(|_| table == "outbox") {
                line = format!("outbox | {}", told.split_once(" | ").map_or(told, |(_, what)| what));
            }
            // When the last run was, the word that tells the key, and secrets inside of a body, which are sealed, too.
            if table == "fact" || table == "schema_migration" {
                line = line.split(" | ").take(2).collect::<Vec<_>>().join(" | ");
            }
            lines.push(unsealed(&line));
        }
    }
    tx.close().await.unwrap();
    lines.sort();
    let outbox = |line: &String| line.starts_with("outbox | ");
    lines.dedup_by(|one, other| one == other && outbox(one));
    lines.join("\n")
}

/// Fails with the first line in which two dumps differ.
pub(crate) fn same(one: &str, other: &str, what: &str) {
    let (mut a, mut b) = (one.lines(), other.lines());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return,
            (a, b) => assert_eq!(a, b, "{what}"),
        }
    }
}

/// Takes out what a body holds sealed: `{"sealed":"…"}`.
fn unsealed(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\"sealed\":\"") {
        out.push_str(before);
        out.push_str("sealed");
        rest = after.find('"').map_or("", |end| &after[end..]);
    }
    out + rest
}

#[tokio::test]
async fn a_plan_is_followed_exactly_or_nothing_is_written() {
    let mut old = Old::sample();
    old.fine(&["plan", "--out", "p.json"], "data");
    let first = std::fs::read(old.at("p.json")).unwrap();
    old.fine(&["plan"], "data");
    assert_eq!(
        std::fs::read(old.at("upgrade-plan.json")).unwrap(),
        first,
        "the same source makes the same bytes, under the default's name"
    );
    assert!(!old.at("data").exists());
    // What changed since is named by its kind, with what to do, and nothing is there.
    old.site.apis[0].description = "Another".to_owned();
    old.site.subscriptions.pop();
    old.write();
    let said = old.refused(&["apply", "p.json"], "data");
    assert!(said.contains("differs from the plan in: APIs, subscriptions") && said.contains("tidegate upgrade plan"), "{said}");
    assert!(said.contains("subscriptions: 14 to add were planned, 13 are found") && !old.at("data").exists(), "{said}");
    let said = old.refused(&["apply", "p.json", "--allow-changed", "APIs"], "data");
    assert!(said.contains("differs from the plan in: subscriptions "), "{said}");
    let said = old.refused(&["apply", "p.json", "--allow-changed", "apes"], "data");
    assert!(said.contains("'apes' is no kind of record; the kinds are: tenants, "), "{said}");
    let said = old.refused(&["apply", "p.json", "--leave-encrypted", "--allow-changed", "APIs,subscriptions"], "data");
    assert!(said.contains("--leave-encrypted: planned with false, now true"), "{said}");
    for (words, part) in [
        (vec!["apply"], "required"),
        (vec!["apply", "none.json"], "tidegate upgrade plan --out none.json"),
        (vec!["apply", "p.json", "--unplanned"], "cannot be used with"),
        (vec!["apply", "p.json", "--resume", "--supersede"], "cannot be used with"),
    ] {
        let said = old.refused(&words, "data");
        assert!(said.contains(part), "{words:?}: {said}");
    }
    assert!(!old.at("data").exists());
    // Allowed to differ, it is written as found; and whoever types it once more is told that it is done.
    old.fine(&["apply", "p.json", "--allow-changed", "APIs,subscriptions"], "data");
    old.fine(&["verify"], "data");
    for again in [vec!["apply", "p.json"], vec!["apply", "p.json", "--resume"]] {
        assert!(old.fine(&again, "data").contains("carried out whole, by run 1"));
    }
    // A plan made by hand, or by another version, is none.
    let text = String::from_utf8(first).unwrap();
    std::fs::write(old.at("p.json"), text.replace("\"ready\"", "\"refused\"")).unwrap();
    assert!(old.refused(&["apply", "p.json"], "other").contains("must be settled first"));
    std::fs::write(old.at("p.json"), text.replace("tidegate-upgrade-plan-1", "tidegate-upgrade-plan-9")).unwrap();
    assert!(old.refused(&["apply", "p.json"], "other").contains("make it anew"));
}

#[tokio::test]
async fn catch_up_brings_what_changed_and_tells_how_far_behind_it_is() {
    let mut old = Old::sample();
    assert!(old.refused(&["catch-up"], "data").contains("there is no installation"));
    old.fine(&["plan", "--source-timezone", "Asia/Colombo"], "data");
    // The plan remembers the zone.
    old.fine(&["apply", "upgrade-plan.json"], "data");
    let said = old.fine(&["catch-up"], "data");
    assert!(said.contains("Caught up: 0 records changed") && said.contains("Times read as of Asia/Colombo"), "{said}");
    old.site.apis[0].description = "Changed since".to_owned();
    old.site.tokens[0].state = "REVOKED".to_owned();
    let mut newer = old.site.tokens[1].clone();
    newer.access = "issued-since".to_owned();
    newer.refresh = Some("refresh-issued-since".to_owned());
    old.site.tokens.push(newer);
    old.write();
    // A dump is as it is: behind by what the pass takes.
    let said = old.fine(&["catch-up", "--until-lag", "600"], "data");
    assert!(said.contains("Caught up: 3 records changed; the pass took"), "{said}");
    assert!(said.contains(" is here, ") && said.contains("The last pass ended "), "{said}");
    old.fine(&["verify", "--source-timezone", "Asia/Colombo"], "data");
    let status = old.fine(&["status"], "data");
    assert!(status.contains("Run 2: catch-up") && status.contains("Run 1: apply") && !status.contains("INTERRUPTED"), "{status}");
    // Read otherwise, everything would change, which is not what was meant.
    let said = old.refused(&["catch-up", "--source-timezone", "UTC"], "data");
    assert!(said.contains("--source-timezone: planned with Asia/Colombo, now UTC"), "{said}");
    std::fs::write(old.at("map"), "http://a http://b\n").unwrap();
    assert!(old.refused(&["catch-up", "--endpoint-map", "map"], "data").contains("--endpoint-map: planned with none"));
    // After a rollback there is nothing to catch up with.
    old.fine(&["rollback", "--yes"], "data");
    assert!(old.refused(&["catch-up"], "data").contains("first: tidegate upgrade plan"));
}

#[tokio::test]
async fn a_rollback_is_told_then_done_and_the_road_can_be_gone_again() {
    let old = Old::sample();
    old.fine(&["plan"], "data");
    old.fine(&["apply", "upgrade-plan.json"], "data");
    let applied = dump(&old.at("data")).await;
    let said = old.fine(&["rollback"], "data");
    assert!(said.contains("Would be taken back") && said.contains("nothing was written") && said.contains("rollback --yes"), "{said}");
    same(&dump(&old.at("data")).await, &applied, "a dry one writes nothing");
    let said = old.fine(&["rollback", "--yes"], "data");
    assert!(said.contains("Taken back") && said.contains("makes an administrator"), "{said}");
    assert!(old.refused(&["rollback", "--yes", "--of", "another"], "data").contains("say whose records"));
    let status = old.fine(&["status"], "data");
    assert!(status.contains("Run 2: rollback"), "{status}");
    old.fine(&["plan"], "data");
    old.fine(&["apply", "upgrade-plan.json"], "data");
    old.fine(&["verify"], "data");
}
