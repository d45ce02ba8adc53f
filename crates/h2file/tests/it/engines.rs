//! Crashed databases of real H2 engines; `tests/fixtures/README.md` says how they were made and what they hold.

use std::path::{Path, PathBuf};

use h2file::{Database, Value};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn holds_what_was_committed(name: &str, build: u32) {
    let path = fixture(name);
    let before = std::fs::read(&path).unwrap();
    let database = Database::open(&path).unwrap();
    assert_eq!(database.info().create_build, Some(build));
    let recovery = database.info().recovery.unwrap();
    assert!(recovery.pages_restored > 0 && recovery.changes_replayed > 0 && recovery.changes_dropped > 0, "{recovery:?}");

    let tables: Vec<&str> = database.tables().iter().filter(|table| table.schema == "PUBLIC").map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["PETS", "NEW"]);
    let rows = |name| {
        let table = database.table("PUBLIC", name).unwrap();
        database.rows(table).unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(rows("NEW"), [vec![Value::Int(5), text("made after the checkpoint")], vec![Value::Int(6), text("last")]]);

    let pets = rows("PETS");
    let ids: Vec<i32> = (1..=60).filter(|id| id % 10 != 0).collect();
    assert_eq!(pets.len(), ids.len());
    for (pet, id) in pets.iter().zip(ids) {
        assert_eq!(pet[0], Value::Int(id));
        assert_eq!(pet[1], text(&if id % 3 == 0 { format!("renamed {id}") } else { format!("pet {id}") }));
        let Value::Timestamp(born) = pet[2] else { panic!("{:?}", pet[2]) };
        assert_eq!(born.to_string(), format!("2015-01-01 00:{:02}:00.5", id - 1));
        let cents = id * 25;
        assert_eq!(pet[3], Value::Decimal(format!("{}.{:02}", cents / 100, cents % 100)));
        let times = if id == 7 { 1000 } else { id as usize % 2 };
        assert_eq!(pet[4], Value::Clob(format!("story {id} ").repeat(times)));
        let picture = (0..5000u32).map(|at| (at % 251) as u8).collect();
        assert_eq!(pet[5], if id == 9 { Value::Blob(picture) } else { Value::Null });
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn h2_1_2_140_with_objects_in_files() {
    holds_what_was_committed("crashed-1.2.140.h2.db", 140);
}

#[test]
fn h2_1_3_175_with_objects_in_the_database() {
    holds_what_was_committed("crashed-1.3.175.h2.db", 175);
}
