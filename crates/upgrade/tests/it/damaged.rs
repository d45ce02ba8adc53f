//! Two hundred times one thing in the target is damaged past Tidegate, with SQL, and `verify` must tell each time: a changed limit, another's
//! secret, a lost scope, one byte of a document, a row that is gone. The seed tells what is damaged; a miss prints it.

use std::collections::BTreeMap;
use std::path::Path;

use model::Secret;
use oldsite::{Dialect, mysql::Blobs};
use serde_json::Value as Json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use upgrade::{Place, target::TargetPlace};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, equal, target},
};

const SEEDS: u64 = 200;

/// Tables of the installation itself and of the upgrade's own books: nothing in them was carried.
const BOOKS: [&str; 10] = [
    "counter",
    "fact",
    "outbox",
    "origin",
    "upgrade_run",
    "upgrade_batch",
    "upgrade_aside",
    "environment",
    "signing_key",
    "schema_migration",
];

/// Rows whose change means nothing, by table and column (`*` for all), with the condition under which it does mean something.
const ONLY_WHERE: [(&str, &str, &str); 14] = [
    // What a first start makes and nothing of the source took the place of.
    ("tenant", "*", "id <> -1234"),
    ("policy", "*", "id IN (SELECT new_id FROM origin)"),
    ("role", "*", "tenant || '/' || name IN (SELECT new_id FROM origin)"),
    // Numbers nobody reads but for their order; a first one has nothing before it.
    ("account_role", "position", "position > 0"),
    ("rest_scope", "position", "position > 0"),
    ("user_store", "position", "position > 0"),
    ("application_group", "position", "position > 0"),
    ("lifecycle_event", "seq", "0"),
    // Where no number was given out there is none to lose.
    ("api", "last_revision", "last_revision > 0"),
    // Without a form no token is sent, and the columns behind it mean nothing.
    ("continuity", "jwt_header", "jwt_form IS NOT NULL"),
    ("continuity", "jwt_dialect", "jwt_form IS NOT NULL"),
    ("continuity", "jwt_signed", "jwt_form IS NOT NULL"),
    ("continuity", "jwt_encoding", "jwt_form IS NOT NULL"),
    ("continuity", "jwt_lifetime", "jwt_form IS NOT NULL"),
];

/// Numbers that look random and are the same for a seed on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

#[derive(Debug)]
struct Column {
    name: String,
    nullable: bool,
}

async fn opened(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).foreign_keys(false).connect().await.unwrap()
}

/// Tables that hold carried rows, with their columns.
async fn tables(conn: &mut SqliteConnection) -> Vec<(String, Vec<Column>)> {
    let names = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name");
    let mut found = Vec::new();
    for row in names.fetch_all(&mut *conn).await.unwrap() {
        let name: String = row.get(0);
        if BOOKS.contains(&name.as_str()) {
            continue;
        }
        let columns = sqlx::query("SELECT name, \"notnull\" FROM pragma_table_info($1)").bind(&name).fetch_all(&mut *conn).await.unwrap();
        let columns = columns.iter().map(|c| Column { name: c.get(0), nullable: c.get::<i64, _>(1) == 0 }).collect();
        found.push((name, columns));
    }
    found
}

async fn rows(conn: &mut SqliteConnection, table: &str, column: &str) -> Vec<i64> {
    let conditions: Vec<&str> =
        ONLY_WHERE.iter().filter(|(t, c, _)| *t == table && (*c == "*" || *c == column)).map(|(_, _, condition)| *condition).collect();
    let condition = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let sql = format!("SELECT rowid FROM {table} WHERE {condition} ORDER BY rowid");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(conn).await.unwrap().iter().map(|r| r.get(0)).collect()
}

/// Changes one leaf of a JSON text, or takes one element out of a list.
fn changed_json(dice: &mut Dice, text: &str) -> Option<String> {
    fn leaves(at: &Json, path: &str, found: &mut Vec<String>) {
        match at {
            Json::Object(fields) => {
                fields.iter().for_each(|(k, v)| leaves(v, &format!("{path}/{}", k.replace('~', "~0").replace('/', "~1")), found));
            }
            Json::Array(items) => {
                if !items.is_empty() {
                    found.push(path.to_owned());
                }
                items.iter().enumerate().for_each(|(n, v)| leaves(v, &format!("{path}/{n}"), found));
            }
            Json::Null => {}
            _ => found.push(path.to_owned()),
        }
    }
    let mut json: Json = serde_json::from_str(text).ok().filter(|j: &Json| j.is_object() || j.is_array())?;
    let mut found = Vec::new();
    leaves(&json, "", &mut found);
    if found.is_empty() {
        return Some(if json.is_array() { "[\"x\"]".to_owned() } else { "{\"x\":".to_owned() });
    }
    let path = dice.one(&found).clone();
    match json.pointer_mut(&path).unwrap() {
        Json::String(text) => *text = changed_text(dice, text),
        Json::Number(number) => *number = (number.as_i64().unwrap_or(0) + 1).into(),
        Json::Bool(bool) => *bool = !*bool,
        Json::Array(items) => {
            let lost = dice.below(items.len());
            items.remove(lost);
        }
        _ => return None,
    }
    Some(json.to_string())
}

fn changed_text(dice: &mut Dice, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return "x".to_owned();
    }
    let at = dice.below(letters.len());
    letters[at] = if letters[at] == '7' { '3' } else { '7' };
    letters.into_iter().collect()
}

/// Damages one thing; what, in words.
async fn damage(conn: &mut SqliteConnection, dice: &mut Dice) -> String {
    let tables = tables(conn).await;
    loop {
        let (table, columns) = dice.one(&tables);
        let column = dice.one(columns);
        let name = &column.name;
        let rows = rows(conn, table, name).await;
        if rows.is_empty() {
            continue;
        }
        let row = *dice.one(&rows);
        if dice.below(8) == 0 {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE rowid = {row}"))).execute(&mut *conn).await.unwrap();
            return format!("{table} row {row} deleted");
        }
        // Another row's value, where there is another one.
        if dice.below(4) == 0 && name != "seq" && name != "position" {
            let sql = format!(
                "UPDATE {table} SET {name} = (SELECT o.{name} FROM {table} o WHERE o.{name} IS NOT {table}.{name} ORDER BY o.rowid LIMIT 1) \
                 WHERE rowid = {row} AND EXISTS (SELECT 1 FROM {table} o WHERE o.{name} IS NOT {table}.{name})"
            );
            match sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *conn).await {
                Ok(done) if done.rows_affected() == 1 => return format!("{table}.{name} of row {row} is another's"),
                _ => {}
            }
        }
        let sql = format!("SELECT typeof({name}), {name}, CAST({name} AS TEXT) FROM {table} WHERE rowid = {row}");
        let is = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap();
        let update = |to: &str| sqlx::AssertSqlSafe(format!("UPDATE {table} SET {name} = {to} WHERE rowid = {row}"));
        let done = match is.get::<String, _>(0).as_str() {
            "null" => {
                let sql = "SELECT type FROM pragma_table_info($1) WHERE name = $2";
                let kind: String = sqlx::query(sql).bind(table).bind(name).fetch_one(&mut *conn).await.unwrap().get(0);
                let to = match kind.as_str() {
                    "INTEGER" => "1",
                    "BLOB" => "x'00'",
                    _ => "'x'",
                };
                sqlx::query(update(to)).execute(&mut *conn).await
            }
            _ if column.nullable && dice.below(4) == 0 => sqlx::query(update("NULL")).execute(&mut *conn).await,
            "integer" if name == "position" => sqlx::query(update("-1")).execute(&mut *conn).await,
            "integer" => sqlx::query(update("$1")).bind(is.get::<i64, _>(1) ^ 1).execute(&mut *conn).await,
            "text" => {
                let text: String = is.get(1);
                let other = changed_json(dice, &text).unwrap_or_else(|| changed_text(dice, &text));
                sqlx::query(update("$1")).bind(other).execute(&mut *conn).await
            }
            "blob" => {
                let mut bytes: Vec<u8> = is.get(1);
                if bytes.is_empty() {
                    continue;
                }
                let at = dice.below(bytes.len());
                bytes[at] ^= 1 << dice.below(8);
                sqlx::query(update("$1")).bind(bytes).execute(&mut *conn).await
            }
            other => panic!("{table}.{name} is {other}"),
        };
        // What the schema itself refuses is no damage.
        if done.is_ok() {
            return format!("{table}.{name} of row {row} changed");
        }
    }
}

/// A damaged copy of the target.
struct Copy<'a> {
    place: &'a TargetPlace,
    whole: Vec<u8>,
}

impl Copy<'_> {
    fn put_back(&self) -> std::path::PathBuf {
        let file = self.place.data_dir.join("tidegate.db");
        for beside in ["tidegate.db-wal", "tidegate.db-shm"] {
            let _ = std::fs::remove_file(self.place.data_dir.join(beside));
        }
        std::fs::write(&file, &self.whole).unwrap();
        file
    }
}

#[tokio::test]
async fn two_hundred_damages_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up(), Dialect::MySql(Blobs::Escaped), folder.path());
    let place = Place { home: Some(written.home.clone()), databases: dumps(&written), ..Place::default() };
    let taken = Taken::of(&place, NOW_MS).await;
    let place = target(folder.path());
    let db = place.open_or_make().await.unwrap();
    taken.applied(&db).await;
    let (translation, _) = taken.planned(Some(&db)).await;
    let input = taken.old.input(&taken.map, taken.now);
    let whole = upgrade::verify::verify(&translation, &input, &taken.old.site, &db).await.unwrap();
    equal(&whole);
    for compared in whole.kinds.iter().chain(&whole.straight) {
        assert_eq!(compared.source_checksum, compared.target_checksum, "{compared:?}");
    }
    db.close().await;
    let file = place.data_dir.join("tidegate.db");
    let mut conn = opened(&file).await;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let copy = Copy { place: &place, whole: std::fs::read(&file).unwrap() };

    let (mut missed, mut by_table) = (Vec::new(), BTreeMap::<String, u32>::new());
    for seed in 0..SEEDS {
        let file = copy.put_back();
        // A secret is sealed for its row, so only with the key can it become another's.
        let what = if seed % 25 == 24 {
            let db = place.open().await.unwrap().unwrap();
            let mut tx = db.write().await.unwrap();
            let at = usize::try_from(seed / 25).unwrap() % translation.clients.len();
            let mut client = db::clients::find(&mut tx, &translation.clients.get(at).unwrap().value.id).await.unwrap().unwrap();
            client.secret = Secret::new("another's".to_owned());
            assert!(db::clients::update(&mut tx, &client).await.unwrap());
            tx.commit().await.unwrap();
            db.close().await;
            "client.secret swapped".to_owned()
        } else {
            let mut conn = opened(&file).await;
            let what = damage(&mut conn, &mut Dice(seed)).await;
            conn.close().await.unwrap();
            what
        };
        *by_table.entry(what.split(['.', ' ']).next().unwrap().to_owned()).or_default() += 1;
        let found = match place.open().await {
            Ok(db) => {
                let db = db.unwrap();
                let found = upgrade::verify::verify(&translation, &input, &taken.old.site, &db).await;
                db.close().await;
                found.map(|v| v.differing).map_err(|fault| format!("{fault:?}"))
            }
            Err(fault) => Err(format!("{fault:?}")),
        };
        match found {
            Ok(0) => missed.push(format!("seed {seed}: {what}: not found")),
            Ok(_) => {}
            Err(fault) => missed.push(format!("seed {seed}: {what}: verify stopped: {fault}")),
        }
    }
    println!("damages by table: {by_table:?}");
    assert!(missed.is_empty(), "{} of {SEEDS} missed:\n{}", missed.len(), missed.join("\n"));
    copy.put_back();
    let db = place.open().await.unwrap().unwrap();
    equal(&upgrade::verify::verify(&translation, &input, &taken.old.site, &db).await.unwrap());
}
