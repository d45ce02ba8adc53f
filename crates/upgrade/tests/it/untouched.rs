//! The source stays as it was: an account that may only SELECT is enough for the whole road, and files are opened for reading only.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use oldsite::{Dialect, mysql::Blobs};
use upgrade::source::{Location, Reading, Source};

use crate::{
    roads::{NOW_MS, Scratch, made_up, written},
    taking::{Taken, balanced, equal, target},
};

/// A sum of every table.
fn sums(scratch: &Scratch, dialect: Dialect) -> Vec<String> {
    let list = match dialect {
        Dialect::MySql(_) => format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{}'", scratch.name),
        Dialect::Postgres => "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'".to_owned(),
    };
    let tables: Vec<String> = scratch.run(&scratch.name, &list).lines().map(str::to_owned).collect();
    assert!(tables.len() > 50, "{} tables", tables.len());
    let sum = |table: &String| match dialect {
        Dialect::MySql(_) => format!("CHECKSUM TABLE `{table}` EXTENDED"),
        Dialect::Postgres => {
            format!("SELECT '{table}', count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{table}\" t")
        }
    };
    // One statement after the other, in one go of the client.
    let all: Vec<String> = tables.iter().map(sum).collect();
    let sums: Vec<String> = scratch.run(&scratch.name, &all.join(";")).lines().map(str::to_owned).collect();
    assert_eq!(sums.len(), tables.len());
    sums
}

#[tokio::test]
async fn an_account_that_may_only_select_is_enough_and_nothing_changes() {
    for dialect in [Dialect::MySql(Blobs::Escaped), Dialect::Postgres] {
        let Some(scratch) = Scratch::new(dialect, "select") else { continue };
        let folder = tempfile::tempdir().unwrap();
        scratch.load(&written(&made_up(), dialect, folder.path()));
        let (name, account) = (scratch.name.clone(), format!("reader_{}", std::process::id()));
        let (made, url, forbidden) = match dialect {
            Dialect::MySql(_) => (
                format!("CREATE USER '{account}'@'%' IDENTIFIED BY 'only reads'; GRANT SELECT ON {name}.* TO '{account}'@'%'"),
                format!("mysql://{account}:only%20reads@127.0.0.1:3306/{name}"),
                Command::new("mysql")
                    .args(["-h127.0.0.1", &format!("-u{account}"), "-ponly reads", &name, "-e", "DELETE FROM AM_API_COMMENTS"])
                    .output()
                    .unwrap(),
            ),
            Dialect::Postgres => (
                format!("CREATE ROLE {account} LOGIN PASSWORD 'only reads'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {account}"),
                format!("postgres://{account}:only%20reads@127.0.0.1:5432/{name}"),
                Command::new("psql")
                    .args(["-h", "127.0.0.1", "-U", &account, "-d", &name, "-c", "DELETE FROM am_api_comments"])
                    .output()
                    .unwrap(),
            ),
        };
        // Before the account is made it cannot write, and neither after.
        assert!(!forbidden.status.success());
        scratch.run(&scratch.name, &made);
        let before = sums(&scratch, dialect);

        let taken = Taken::dumps(vec![Location::parse(&url).unwrap()], NOW_MS).await;
        let (translation, plan) = taken.planned(None).await;
        balanced(&translation);
        assert!(!translation.is_blocked() && !plan.is_refused());
        let db = target(folder.path()).open_or_make().await.unwrap();
        assert!(taken.applied(&db).await.batches > 10);
        equal(&taken.verify(&db).await);
        drop(taken);

        assert_eq!(sums(&scratch, dialect), before);
        let dropped = match dialect {
            Dialect::MySql(_) => format!("DROP USER '{account}'@'%'"),
            Dialect::Postgres => format!("DROP OWNED BY {account}; DROP ROLE {account}"),
        };
        scratch.run(&scratch.name, &dropped);
    }
}

/// Where the child finds files it may not write.
const FOLDER: &str = "TIDEGATE_TEST_READ_ONLY_FOLDER";

/// Names below a folder, with what each file holds and when it was changed.
fn state(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let changed = path.metadata().unwrap().modified().unwrap();
        if path.is_dir() {
            found.extend(state(&path));
            found.insert(path, (Vec::new(), changed));
        } else {
            found.insert(path.clone(), (std::fs::read(&path).unwrap(), changed));
        }
    }
    found
}

fn writable(path: &Path, writable: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match (path.is_dir(), writable) {
        (true, true) => 0o755,
        (true, false) => 0o555,
        (false, true) => 0o644,
        (false, false) => 0o444,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

async fn every_row(folder: &Path) -> u64 {
    let mut rows = 0;
    for name in ["clean-1.4.199", "crashed-1.4.199", "crashed-1.2.140", "crashed-1.3.175"] {
        let location = Location::parse(&format!("h2:{}", folder.join(name).display())).unwrap();
        let source = Source::open(&location, Reading::default()).await.unwrap();
        let tables: Vec<String> = source.tables().map(|table| table.name.clone()).collect();
        for table in tables {
            rows += source.scan(&table).all().await.unwrap().len() as u64;
        }
    }
    rows
}

/// Runs itself again where the folder and its files may not be written: as root that takes giving up every privilege.
#[tokio::test]
async fn h2_files_are_read_where_nothing_may_be_written() {
    if let Ok(folder) = std::env::var(FOLDER) {
        let folder = Path::new(&folder);
        assert!(std::fs::write(folder.join("new"), "x").is_err(), "the folder can be written");
        assert!(std::fs::OpenOptions::new().append(true).open(folder.join("clean-1.4.199.mv.db")).is_err(), "a file can be written");
        // What the four files hold is told by their own tests; here it counts that all of it was read.
        assert!(every_row(folder).await > 500);
        return;
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../h2file/tests/fixtures");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("database");
    let lobs = copy.join("crashed-1.2.140.lobs.db");
    std::fs::create_dir_all(&lobs).unwrap();
    let inner = std::fs::read_dir(fixtures.join("crashed-1.2.140.lobs.db")).unwrap().map(|e| (e.unwrap().path(), lobs.clone()));
    let outer = std::fs::read_dir(&fixtures).unwrap().map(|e| (e.unwrap().path(), copy.clone())).filter(|(path, _)| path.is_file());
    for (from, to) in inner.chain(outer) {
        std::fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
    }
    let before = state(&copy);
    before.keys().for_each(|path| writable(path, false));
    writable(&copy, false);
    let (program, is_root) = (std::env::current_exe().unwrap(), folder.path().metadata().unwrap().uid() == 0);
    let mut command = Command::new(if is_root { Path::new("setpriv") } else { &program });
    if is_root {
        command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(&program);
    }
    let done =
        command.args(["untouched::h2_files_are_read_where_nothing_may_be_written", "--exact", "--nocapture"]).env(FOLDER, &copy).output();
    let after = state(&copy);
    writable(&copy, true);
    before.keys().for_each(|path| writable(path, true));
    let done = done.unwrap();
    assert!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
    assert_eq!(after, before);
}
