//! One made-up site, read as four kinds of source: the same installation must come out.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use oldsite::{Dialect, Dirt, Link, Links, Written, mysql::Blobs};
use upgrade::{
    old::{Installation, oauth::Tokens},
    source::{Location, Reading, Site, SourceError, Version, clock::Clock, files::Home},
};

use crate::reading::fingerprint;

pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

pub(crate) fn made_up() -> oldsite::Site {
    oldsite::Site::sample("http://127.0.0.1:9000", NOW_MS)
}

pub(crate) fn written(site: &oldsite::Site, dialect: Dialect, folder: &Path) -> Written {
    site.write(folder, dialect, &Links::unreachable(dialect)).unwrap()
}

pub(crate) fn dumps(written: &Written) -> Vec<Location> {
    [&written.am_sql, &written.user_sql, &written.registry_sql].map(|p| Location::Dump(p.clone())).into()
}

async fn read(locations: &[Location], reading: Reading) -> (Installation, String) {
    let site = Site::open(locations, reading).await.unwrap();
    let old = Installation::read(&site, None).await.unwrap();
    let mut print = fingerprint(&old);
    print.push_str(&tokens(&site).await);
    (old, print)
}

async fn tokens(site: &Site) -> String {
    let mut stream = Tokens::open(site).await.unwrap();
    let mut all = Vec::new();
    loop {
        // A small batch, so that several are needed.
        let batch = stream.next_batch(3).await.unwrap();
        if batch.is_empty() {
            break;
        }
        assert!(batch.len() <= 3);
        all.extend(batch);
    }
    let mut lines: Vec<String> = all
        .iter()
        .map(|t| {
            let mut t = t.clone();
            t.table = t.table.to_ascii_uppercase().into();
            format!("{} {:?} {t:?}", t.access_token.expose(), t.refresh_token.as_ref().map(|r| r.expose().clone()))
        })
        .collect();
    lines.sort();
    format!("{}\n{}", lines.len(), lines.join("\n"))
}

fn same(one: &str, other: &str, what: &str) {
    if one != other {
        let (at, (a, b)) = one.lines().zip(other.lines()).enumerate().find(|(_, (a, b))| a != b).unwrap_or((0, ("(shorter)", "")));
        panic!("{what}: line {at} differs:\n{a}\n{b}");
    }
}

/// A scratch database on a local server, dropped when the test ends.
pub(crate) struct Scratch {
    client: fn(&str) -> Command,
    home: &'static str,
    statement: &'static str,
    pub(crate) name: String,
}

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

impl Scratch {
    pub(crate) fn new(dialect: Dialect, label: &str) -> Option<Self> {
        let (client, home, statement): (fn(&str) -> Command, _, _) = match dialect {
            Dialect::MySql(_) => (mysql, "information_schema", "-e"),
            Dialect::Postgres => (psql, "postgres", "-c"),
        };
        let answer = client(home).args([statement, "select 1"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !answer.is_ok_and(|status| status.success()) {
            println!("skipped: no {dialect:?} server answers at 127.0.0.1");
            return None;
        }
        let scratch = Self { client, home, statement, name: format!("upgrade_{label}_{}", std::process::id()) };
        scratch.run(scratch.home, &format!("CREATE DATABASE {}", scratch.name));
        Some(scratch)
    }

    pub(crate) fn run(&self, database: &str, sql: &str) -> String {
        let done = (self.client)(database).args([self.statement, sql]).output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn load(&self, written: &Written) {
        [&written.am_sql, &written.user_sql, &written.registry_sql].into_iter().for_each(|dump| self.load_one(dump));
    }

    pub(crate) fn load_one(&self, dump: &Path) {
        let input = std::fs::File::open(dump).unwrap();
        let done = (self.client)(&self.name).stdin(input).output().unwrap();
        assert!(done.status.success(), "{}: {}", dump.display(), String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch database left behind harms nobody, and a panic here would hide the test's own.
        let _ = (self.client)(self.home).args([self.statement, &format!("DROP DATABASE IF EXISTS {}", self.name)]).output();
    }
}

#[tokio::test]
async fn a_dump_gives_what_was_made() {
    let site = made_up();
    let folder = tempfile::tempdir().unwrap();
    let (old, _) = read(&dumps(&written(&site, Dialect::MySql(Blobs::Escaped), folder.path())), Reading::default()).await;
    assert_eq!(old.version, Version::V1_9_1);
    assert!(old.unreadable.is_empty(), "{:?}", old.unreadable);
    assert_eq!(old.apis.len(), site.apis.len());
    for (made, read) in site.apis.iter().zip(&old.apis) {
        let row = read.row.as_ref().unwrap();
        assert_eq!((row.id, row.name.as_str(), row.version.as_str()), (i64::from(made.id), made.name.as_str(), made.version.as_str()));
        assert_eq!(read.uuid.as_deref(), Some(made.uuid.as_str()), "{}", made.name);
        assert_eq!(read.tenant_id, i64::from(made.tenant));
        assert_eq!(read.url_mappings.len(), made.resources.len());
        assert_eq!(read.documents.len(), made.documents.len(), "{}", made.name);
        assert_eq!(read.icon.is_some(), made.icon.is_some());
        let mut tags = made.tags.clone();
        tags.sort();
        assert_eq!(read.tags, tags);
        let artifact = read.artifact.as_ref().unwrap();
        assert_eq!(artifact.get("overview_status"), Some(made.status.word()));
        let _: serde_json::Value = serde_json::from_slice(&read.swagger.as_ref().unwrap().open()).unwrap();
    }
    assert_eq!(old.applications.len(), site.applications.len());
    assert_eq!(old.subscriptions.len(), site.subscriptions.len());
    assert_eq!(old.oauth_clients.len(), site.clients().count());
    assert_eq!(old.count("IDN_OAUTH2_ACCESS_TOKEN"), site.tokens.len() as u64);
    assert_eq!(old.tier_files.len(), 2);
    let tiers = old.tier_files[0].tiers.as_ref().unwrap();
    assert_eq!(tiers.len(), site.tiers.len());
    for (made, read) in site.tiers.iter().zip(tiers) {
        assert_eq!(
            (made.name.as_str(), Some(i64::from(made.count)), Some(made.unit_ms as i64)),
            (read.name.as_str(), read.max_count, read.unit_ms)
        );
    }
}

#[tokio::test]
async fn every_road_gives_the_same_installation() {
    let site = made_up();
    let mysql_folder = tempfile::tempdir().unwrap();
    let hex_folder = tempfile::tempdir().unwrap();
    let postgres_folder = tempfile::tempdir().unwrap();
    let mysql = written(&site, Dialect::MySql(Blobs::Escaped), mysql_folder.path());
    let hex = written(&site, Dialect::MySql(Blobs::Hex), hex_folder.path());
    let postgres = written(&site, Dialect::Postgres, postgres_folder.path());
    let (_, first) = read(&dumps(&mysql), Reading::default()).await;
    same(&first, &read(&dumps(&hex), Reading::default()).await.1, "hex dump");
    same(&first, &read(&dumps(&postgres), Reading::default()).await.1, "pg_dump");
    if let Some(scratch) = Scratch::new(Dialect::MySql(Blobs::Escaped), "road") {
        scratch.load(&mysql);
        let location = Location::parse(&format!("mysql://root@127.0.0.1:3306/{}", scratch.name)).unwrap();
        same(&first, &read(&[location], Reading::default()).await.1, "MySQL");
    }
    if let Some(scratch) = Scratch::new(Dialect::Postgres, "road") {
        scratch.load(&postgres);
        let location = Location::parse(&format!("postgres://postgres@127.0.0.1:5432/{}", scratch.name)).unwrap();
        same(&first, &read(&[location], Reading::default()).await.1, "PostgreSQL");
    }
}

#[tokio::test]
async fn a_dirty_site_reads_the_same_on_every_road() {
    // A TIMESTAMP of MySQL cannot hold the years 1 and 9999; a server would store zero dates for them.
    let faults: Vec<Dirt> = Dirt::ALL.into_iter().filter(|dirt| *dirt != Dirt::OddDates).collect();
    let site = made_up().with_dirt(&faults);
    let mysql_folder = tempfile::tempdir().unwrap();
    let postgres_folder = tempfile::tempdir().unwrap();
    let mysql = written(&site, Dialect::MySql(Blobs::Escaped), mysql_folder.path());
    let postgres = written(&site, Dialect::Postgres, postgres_folder.path());
    let (old, first) = read(&dumps(&mysql), Reading::default()).await;
    same(&first, &read(&dumps(&postgres), Reading::default()).await.1, "pg_dump");
    if let Some(scratch) = Scratch::new(Dialect::MySql(Blobs::Escaped), "dirt") {
        scratch.load(&mysql);
        let location = Location::parse(&format!("mysql://root@127.0.0.1:3306/{}", scratch.name)).unwrap();
        same(&first, &read(&[location], Reading::default()).await.1, "MySQL");
    }
    if let Some(scratch) = Scratch::new(Dialect::Postgres, "dirt") {
        scratch.load(&postgres);
        let location = Location::parse(&format!("postgres://postgres@127.0.0.1:5432/{}", scratch.name)).unwrap();
        same(&first, &read(&[location], Reading::default()).await.1, "PostgreSQL");
    }
    assert!(old.apis.iter().any(|a| a.row.is_some() && a.artifact.is_none()), "an API without artifact is kept");
    assert!(old.apis.iter().any(|a| a.row.is_none() && a.artifact.is_some()), "an artifact without API is kept");
    assert!(old.registry.orphan_tag_links > 0 && old.registry.orphan_property_links > 0);
    assert!(old.tenants.iter().any(|t| t.active == Some(false)));
}

#[tokio::test]
async fn times_of_a_server_elsewhere_come_back_to_the_same_moments() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // Colombo has no summer time, so one offset is its zone.
    let offset = chrono::FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
    let zone = chrono_tz::Asia::Colombo;
    let plain = written(&made_up().in_time_zone(offset), Dialect::MySql(Blobs::Escaped), folders[0].path());
    let skipped = written(&made_up().in_time_zone(offset).dumped_as_stored(), Dialect::MySql(Blobs::Escaped), folders[1].path());
    let utc = written(&made_up(), Dialect::MySql(Blobs::Escaped), folders[2].path());
    let reading = Reading { database_zone: Some(zone), source_zone: Some(zone) };
    let mut moments = Vec::new();
    for (written, reading, zone) in [(plain, reading, zone), (skipped, reading, zone), (utc, Reading::default(), chrono_tz::UTC)] {
        let clock = Clock::new(zone);
        let site = Site::open(&dumps(&written), reading).await.unwrap();
        let old = Installation::read(&site, None).await.unwrap();
        let token = Tokens::open(&site).await.unwrap().next_batch(1).await.unwrap().remove(0);
        moments.push((
            old.applications.iter().map(|a| a.created.map(|t| clock.epoch_ms("AM_APPLICATION", "CREATED_TIME", t))).collect::<Vec<_>>(),
            token.created.map(|t| clock.epoch_ms("IDN_OAUTH2_ACCESS_TOKEN", "TIME_CREATED", t)),
        ));
    }
    assert!(moments[0].0.iter().any(Option::is_some) && moments[0].1.is_some());
    assert_eq!(moments[0], moments[2]);
    assert_eq!(moments[1], moments[2]);
}

#[tokio::test]
async fn a_folder_leads_to_its_running_databases() {
    let Some(scratch) = Scratch::new(Dialect::MySql(Blobs::Escaped), "home") else { return };
    let folder = tempfile::tempdir().unwrap();
    let link = || Link {
        url: format!("jdbc:mysql://127.0.0.1:3306/{}?autoReconnect=true", scratch.name),
        username: "root".into(),
        password: String::new(),
    };
    let links = Links { am: link(), user: link(), registry: link() };
    let dialect = Dialect::MySql(Blobs::Escaped);
    let written = made_up().write(folder.path(), dialect, &links).unwrap();
    scratch.load(&written);
    let home = Home::open(&written.home).unwrap();
    let site = Site::open_home(&home, Reading::default()).await.unwrap();
    assert_eq!(site.sources.len(), 1, "one database behind three names is opened once");
    let old = Installation::read(&site, Some(&home.settings)).await.unwrap();
    assert_eq!(old.version, Version::V1_9_1);
    assert_eq!(old.encryption.configured, Some(false));
    assert!(home.synapse.iter().any(|f| f.kind == "sequences"));
}

#[tokio::test]
async fn reading_leaves_a_running_database_as_it_was() {
    for (dialect, url, check) in [
        (
            Dialect::MySql(Blobs::Escaped),
            "mysql://root@127.0.0.1:3306",
            "CHECKSUM TABLE AM_API, AM_WORKFLOWS, AM_SUBSCRIPTION, REG_RESOURCE",
        ),
        (Dialect::Postgres, "postgres://postgres@127.0.0.1:5432", "SELECT md5(string_agg(t::text, '')) FROM am_workflows t"),
    ] {
        let Some(scratch) = Scratch::new(dialect, "still") else { continue };
        let folder = tempfile::tempdir().unwrap();
        scratch.load(&written(&made_up(), dialect, folder.path()));
        let before = scratch.run(&scratch.name, check);
        let location = Location::parse(&format!("{url}/{}", scratch.name)).unwrap();
        let site = Site::open(&[location], Reading::default()).await.unwrap();
        // What changes after opening is not seen: one moment is read.
        let seen = site.databases.api.count("AM_API").await.unwrap();
        Installation::read(&site, None).await.unwrap();
        assert_eq!(scratch.run(&scratch.name, check), before);
        scratch.run(&scratch.name, "DELETE FROM AM_API_COMMENTS");
        assert_eq!(site.databases.api.count("AM_API").await.unwrap(), seen);
        assert_eq!(site.databases.api.count("AM_API_COMMENTS").await.unwrap(), 3);
        // An abandoned scan must not spoil the next.
        let mut abandoned = site.databases.registry.scan("REG_RESOURCE");
        abandoned.next().await.unwrap();
        drop(abandoned);
        let all = site.databases.registry.scan("REG_RESOURCE").all().await.unwrap();
        assert_eq!(all.len() as u64, site.databases.registry.count("REG_RESOURCE").await.unwrap());
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_without_its_password() {
    for url in ["mysql://root:hunter2@127.0.0.1:1/x", "postgres://root:hunter2@127.0.0.1:1/x"] {
        let error = Site::open(&[Location::parse(url).unwrap()], Reading::default()).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable { .. }));
        let mut chain = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(below) = cause {
            chain.push_str(&below.to_string());
            cause = below.source();
        }
        assert!(chain.contains("127.0.0.1:1/x") && !chain.contains("hunter2"), "{chain}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn half_an_installation_is_refused_by_the_part_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up(), Dialect::Postgres, folder.path());
    let error = Site::open(&[Location::Dump(written.am_sql.clone())], Reading::default()).await.unwrap_err();
    assert!(matches!(error, SourceError::PartMissing { table: "UM_USER", .. }), "{error}");
    let error = Site::open(&[Location::Dump(written.user_sql)], Reading::default()).await.unwrap_err();
    assert!(matches!(error, SourceError::NotApiManager { .. }), "{error}");
}
