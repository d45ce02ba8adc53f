//! Every dump loads, and every table then holds as many rows as were made.

use std::path::Path;
use std::process::{Command, Stdio};

use oldsite::mysql::Blobs;
use oldsite::{Database, Dialect, Dirt, Links, Rows, Site, tables};

const NOW_MS: i64 = 1_790_000_000_000;

/// A database server and the client that talks to it.
struct Server {
    name: &'static str,
    /// The client, connected to a database.
    client: fn(&str) -> Command,
    /// A database every such server has.
    home: &'static str,
    /// The option that takes a statement.
    statement: &'static str,
}

const MYSQL: Server = Server { name: "MySQL or MariaDB", client: mysql, home: "information_schema", statement: "-e" };
const POSTGRES: Server = Server { name: "PostgreSQL", client: psql, home: "postgres", statement: "-c" };

fn mysql(database: &str) -> Command {
    let mut client = Command::new("mysql");
    client.args(["-h127.0.0.1", "-uroot", "-N", "-B", "--default-character-set=utf8", database]);
    client
}

fn psql(database: &str) -> Command {
    let mut client = Command::new("psql");
    client.args(["-h", "127.0.0.1", "-U", "postgres", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database]);
    client
}

/// A scratch database that is dropped when the test ends, however it ends.
struct Scratch {
    server: &'static Server,
    name: String,
}

impl Scratch {
    /// `None`, with a plain word, when no such server answers.
    fn new(server: &'static Server, label: &str) -> Option<Self> {
        let reachable =
            (server.client)(server.home).args([server.statement, "select 1"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !reachable.is_ok_and(|status| status.success()) {
            println!("skipped: no {} answers at 127.0.0.1", server.name);
            return None;
        }
        let name = format!("oldsite_{label}_{}", std::process::id());
        let made = (server.client)(server.home).args([server.statement, &format!("CREATE DATABASE {name}")]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(Self { server, name })
    }

    fn load(&self, dump: &Path) {
        let input = std::fs::File::open(dump).unwrap();
        let done = (self.server.client)(&self.name).stdin(input).output().unwrap();
        assert!(done.status.success(), "{}: {}", dump.display(), String::from_utf8_lossy(&done.stderr));
    }

    fn ask(&self, query: &str) -> String {
        let done = (self.server.client)(&self.name).args([self.server.statement, query]).output().unwrap();
        assert!(done.status.success(), "{query}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn holds(&self, database: Database, rows: &Rows) {
        let counts: Vec<String> =
            tables().iter().filter(|t| t.database() == database).map(|t| format!("SELECT '{0}', COUNT(*) FROM {0}", t.name)).collect();
        let answer = self.ask(&counts.join(" UNION ALL "));
        let mut seen = 0;
        for line in answer.lines() {
            let (table, count) = line.split_once(['\t', '|']).unwrap();
            assert_eq!(count.parse::<usize>().unwrap(), rows.count(table), "{table}");
            seen += 1;
        }
        assert_eq!(seen, counts.len());
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch database left behind harms nobody, and a panic here would hide the test's own.
        let _ = (self.server.client)(self.server.home)
            .args([self.server.statement, &format!("DROP DATABASE IF EXISTS {}", self.name)])
            .output();
    }
}

/// The three databases share one scratch database: their table names differ.
fn round(site: &Site, scratch: &Scratch, dialect: Dialect) {
    let folder = tempfile::tempdir().unwrap();
    let written = site.write(folder.path(), dialect, &Links::unreachable(dialect)).unwrap();
    let built = oldsite::databases(site);
    for (dump, database, rows) in [
        (&written.am_sql, Database::Am, &built.am),
        (&written.user_sql, Database::User, &built.user),
        (&written.registry_sql, Database::Registry, &built.registry),
    ] {
        scratch.load(dump);
        scratch.holds(database, rows);
    }
}

#[test]
fn mysql_loads_the_sample_and_keeps_every_byte() {
    let Some(scratch) = Scratch::new(&MYSQL, "my") else { return };
    let site = Site::sample("http://127.0.0.1:9000", NOW_MS);
    round(&site, &scratch, Dialect::MySql(Blobs::Escaped));
    assert_eq!(scratch.ask(&icons_in_mysql(&site)), "2");
    assert_eq!(scratch.ask("SELECT COMMENT_TEXT FROM AM_API_COMMENTS WHERE COMMENT_ID = 3"), "Très utile – merci!");
    assert_eq!(scratch.ask("SELECT UPDATED_TIME FROM AM_APPLICATION WHERE APPLICATION_ID = 1"), "0000-00-00 00:00:00");
}

#[test]
fn mysql_loads_the_sample_with_every_fault_and_bytes_in_hex() {
    let Some(scratch) = Scratch::new(&MYSQL, "mydirt") else { return };
    let site = Site::sample("http://127.0.0.1:9000", NOW_MS).with_dirt(&Dirt::ALL);
    round(&site, &scratch, Dialect::MySql(Blobs::Hex));
    assert_eq!(scratch.ask(&icons_in_mysql(&site)), "2");
}

fn icons_in_mysql(site: &Site) -> String {
    let icon = site.apis.iter().find_map(|a| a.icon.clone()).unwrap();
    let hex: String = icon.iter().map(|b| format!("{b:02X}")).collect();
    format!("SELECT COUNT(*) FROM REG_CONTENT WHERE REG_CONTENT_DATA = x'{hex}'")
}

#[test]
fn postgres_loads_the_sample_and_keeps_every_byte() {
    let Some(scratch) = Scratch::new(&POSTGRES, "pg") else { return };
    let site = Site::sample("http://127.0.0.1:9000", NOW_MS);
    round(&site, &scratch, Dialect::Postgres);
    let icon = site.apis.iter().find_map(|a| a.icon.clone()).unwrap();
    let hex: String = icon.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(scratch.ask(&format!("SELECT COUNT(*) FROM reg_content WHERE reg_content_data = '\\x{hex}'")), "2");
    assert_eq!(scratch.ask("SELECT comment_text FROM am_api_comments WHERE comment_id = 3"), "Très utile – merci!");
    assert_eq!(scratch.ask("SELECT count(*) FROM um_user WHERE NOT um_require_change"), site.users.len().to_string());
}

#[test]
fn postgres_loads_the_sample_with_every_fault() {
    let Some(scratch) = Scratch::new(&POSTGRES, "pgdirt") else { return };
    round(&Site::sample("http://127.0.0.1:9000", NOW_MS).with_dirt(&Dirt::ALL), &scratch, Dialect::Postgres);
}

#[test]
fn both_load_a_larger_site() {
    let size = oldsite::Size { users: 20, apis: 60, applications: 40, subscriptions_each: 5, tokens: 2_000 };
    let site = Site::generated(size, 3, "http://127.0.0.1:9000", NOW_MS);
    if let Some(scratch) = Scratch::new(&MYSQL, "mybig") {
        round(&site, &scratch, Dialect::MySql(Blobs::Escaped));
    }
    if let Some(scratch) = Scratch::new(&POSTGRES, "pgbig") {
        round(&site, &scratch, Dialect::Postgres);
    }
}

/// A plain `mysqldump` moves every time to UTC from the server's zone, and so the loaded site's tokens, which were
/// written in UTC, are off by it; the other form keeps wall clocks. An importer has to tell the two apart.
#[test]
fn mysql_dumps_of_another_zone_load_in_both_forms() {
    let east = Site::sample("http://b", NOW_MS).in_time_zone(chrono::FixedOffset::east_opt(2 * 3600).unwrap());
    let query = "SET time_zone='+00:00'; SELECT UNIX_TIMESTAMP(MAX(TIME_CREATED)) FROM IDN_OAUTH2_ACCESS_TOKEN; SELECT UNIX_TIMESTAMP(CREATED_TIME) FROM AM_API WHERE API_ID = 1";
    let issued = NOW_MS / 1000 - 1800;
    let made = NOW_MS / 1000 - 119 * 86_400;
    let folder = tempfile::tempdir().unwrap();
    let dialect = Dialect::MySql(Blobs::Escaped);
    if let Some(scratch) = Scratch::new(&MYSQL, "myutc") {
        scratch.load(&east.write(folder.path(), dialect, &Links::unreachable(dialect)).unwrap().am_sql);
        assert_eq!(scratch.ask(query), format!("{}\n{made}", issued - 7200));
    }
    let written = east.dumped_as_stored().write(folder.path(), dialect, &Links::unreachable(dialect)).unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(written.am_sql).unwrap()).into_owned();
    assert!(!text.contains("TIME_ZONE"));
    let local = chrono::DateTime::from_timestamp(made + 7200, 0).unwrap().format("'%Y-%m-%d %H:%M:%S'").to_string();
    assert!(text.contains(&local));
}
