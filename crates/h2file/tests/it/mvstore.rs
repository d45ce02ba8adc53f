//! MVStore files of a real H2 1.4.199; `tests/fixtures/README.md` says how they were made and what they hold.

use std::path::{Path, PathBuf};

use h2file::{Clock, Database, Error, Limits, LobPlace, Row, Value};
use proptest::prelude::*;
use tempfile::tempdir;

const CLEAN: &str = "clean-1.4.199.mv.db";
const PACKED: &str = "packed-1.4.199.mv.db";
const CRASHED: &str = "crashed-1.4.199.mv.db";
const BLOCK: usize = 4096;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("d.mv.db");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn rows(database: &Database, name: &str) -> Result<Vec<Row>, Error> {
    let table = database.table("PUBLIC", name).unwrap_or_else(|| panic!("no table {name}"));
    database.rows(table)?.collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn tables(database: &Database) -> Vec<&str> {
    database.tables().iter().filter(|table| table.schema == "PUBLIC").map(|table| table.name.as_str()).collect()
}

/// Every value of every pet, as the fixtures' notes say.
fn holds_its_pets(database: &Database, last: i32, picture: u32) {
    let pets = rows(database, "PETS").unwrap();
    let ids: Vec<i32> = (1..=last).filter(|id| id % 10 != 0).collect();
    assert_eq!(pets.len(), ids.len());
    for (pet, id) in pets.iter().zip(ids) {
        assert_eq!(pet[0], Value::Int(id));
        assert_eq!(pet[1], text(&if id % 3 == 0 { format!("renamed {id}") } else { format!("pet {id}") }));
        let Value::Timestamp(born) = pet[2] else { panic!("{:?}", pet[2]) };
        assert_eq!(born.to_string(), format!("2015-07-01 00:{:02}:00.5", (id - 1) % 60));
        assert_eq!(born.clock, Clock::Wall);
        let cents = id * 25;
        assert_eq!(pet[3], Value::Decimal(format!("{}.{:02}", cents / 100, cents % 100)));
        let times = if id == 7 { 3000 } else { id as usize % 2 };
        assert_eq!(pet[4], Value::Clob(format!("story {id} ").repeat(times)));
        let bytes = || (0..picture).map(|at| (at % 251) as u8).collect();
        assert_eq!(pet[5], if id == 9 { Value::Blob(bytes()) } else { Value::Null });
        assert_eq!(pet[6], Value::Bool(id % 2 == 0));
        assert_eq!(pet[7], Value::Double(f64::from(id) * 1.5));
        assert_eq!(pet[8].clone(), Value::Date(h2file::CivilDate { year: 2015, month: 7, day: (1 + id % 9) as u8 }));
        let Value::Time(at) = pet[9] else { panic!("{:?}", pet[9]) };
        assert_eq!(at.to_string(), format!("23:59:0{}", id % 10));
        assert_eq!(pet[10], Value::Bytes(vec![id as u8, 0, 255]));
        assert_eq!(pet[11], Value::Long(i64::from(id) * -1_000_000_000_000));
        let mut code = [0; 16];
        code[4..8].copy_from_slice(&id.to_be_bytes());
        code[12..].copy_from_slice(&id.to_be_bytes());
        assert_eq!(pet[12], Value::Uuid(code));
        assert_eq!(pet[13], Value::SmallInt(-id as i16));
    }
    let names = rows(database, "NAMES").unwrap();
    assert_eq!(names, [vec![text("zoe"), Value::Int(1)], vec![text("ärger 😀"), Value::Int(2)]]);
    assert_eq!(rows(database, "NOTHING").unwrap(), Vec::<Row>::new());
}

#[test]
fn a_closed_database_with_large_objects_and_trees_of_many_pages() {
    let database = Database::open(&fixture(CLEAN)).unwrap();
    assert_eq!((database.info().create_build, database.info().recovery), (Some(199), None));
    assert_eq!(tables(&database), ["PETS", "NAMES", "NOTHING"]);
    let names = database.table("PUBLIC", "NAMES").unwrap();
    assert_eq!(names.columns[1].name, "order");
    holds_its_pets(&database, 400, 300_000);
}

#[test]
fn a_compressed_database() {
    holds_its_pets(&Database::open(&fixture(PACKED)).unwrap(), 60, 5000);
}

#[test]
fn a_killed_server_leaves_what_was_committed() {
    let path = fixture(CRASHED);
    let before = std::fs::read(&path).unwrap();
    let database = Database::open(&path).unwrap();
    assert_eq!(database.info().recovery.unwrap().changes_dropped, 1);
    assert_eq!(tables(&database), ["PETS", "NEW", "NAMES", "NOTHING"]);
    holds_its_pets(&database, 60, 5000);
    assert_eq!(rows(&database, "NEW").unwrap(), [[Value::Int(5), text("made later")], [Value::Int(6), text("last")]]);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn large_objects_can_be_left_and_fetched_and_are_bounded() {
    let database = Database::open(&fixture(CLEAN)).unwrap();
    let pets = database.table("PUBLIC", "PETS").unwrap();
    let nine = database.rows(pets).unwrap().leave_lobs().nth(8).unwrap().unwrap();
    let Value::Lob(lob) = nine[5] else { panic!("{:?}", nine[5]) };
    assert!(matches!(lob.place, LobPlace::Blocks { .. }));
    assert!(matches!(database.read_lob(&lob).unwrap(), Value::Blob(bytes) if bytes.len() == 300_000));
    let bounded = Database::open_with(&fixture(CLEAN), Limits { lob_max_bytes: 299_999, ..Limits::default() }).unwrap();
    assert!(matches!(bounded.read_lob(&lob), Err(Error::LobTooLarge { bytes: 300_000, .. })));
    let error = Database::open_with(&fixture(CLEAN), Limits { file_max_bytes: 1000, ..Limits::default() }).unwrap_err();
    assert!(matches!(error, Error::FileTooLarge { .. }));
}

#[test]
fn a_torn_file_goes_back_to_its_last_whole_chunk_or_is_refused() {
    let whole = std::fs::read(fixture(CRASHED)).unwrap();
    let (mut earlier, mut refused) = (0, 0);
    for cut in (BLOCK..whole.len()).step_by(BLOCK / 2) {
        let (_folder, path) = written(&whole[..cut]);
        match Database::open(&path) {
            // A moment that was: all of the first pets, or none of them yet, never some.
            Ok(database) => {
                earlier += 1;
                if let Some(pets) = database.table("PUBLIC", "PETS") {
                    let count = database.rows(pets).unwrap().map(Result::unwrap).count();
                    assert!([0, 60, 54].contains(&count), "{count} pets at {cut}");
                }
            }
            Err(Error::NotClosedCleanly { .. } | Error::BadHeader { .. }) => refused += 1,
            Err(other) => panic!("at {cut}: {other}"),
        }
    }
    assert!(earlier > 4 && refused > 0, "{earlier} read, {refused} refused");
}

#[test]
fn damaged_headers_are_survived_by_one_and_refused_by_two() {
    let mut bytes = std::fs::read(fixture(CLEAN)).unwrap();
    bytes[20] ^= 1;
    let (_folder, path) = written(&bytes);
    holds_its_pets(&Database::open(&path).unwrap(), 400, 300_000);
    bytes[BLOCK + 20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(Database::open(&path), Err(Error::BadHeader { .. })));
}

#[test]
fn files_of_h2_2_are_refused_by_format() {
    let header = |format: &str| {
        let body = format!("H:2,blockSize:1000,created:1,format:{format}");
        // Fletcher's sum, small enough here not to need folding on the way.
        let (mut s1, mut s2) = (0xffff_u32, 0xffff_u32);
        for pair in body.as_bytes().chunks(2) {
            s1 += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            s2 += s1;
        }
        let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
        let sum = fold(fold(s2)) << 16 | fold(fold(s1));
        let mut block = format!("{body},fletcher:{sum:x}\n").into_bytes();
        block.resize(BLOCK, b' ');
        block
    };
    let (_folder, path) = written(&header("3").repeat(4));
    assert!(matches!(Database::open(&path), Err(Error::MvStoreFormat { format: 3, newest: 1, .. })));
    std::fs::write(&path, header("1").repeat(4)).unwrap();
    assert!(matches!(Database::open(&path), Err(Error::NotClosedCleanly { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_the_reader_panic_or_run_on(
        which in 0_usize..3,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut bytes = std::fs::read(fixture([CLEAN, PACKED, CRASHED][which])).unwrap();
        for (at, to) in changes {
            let at = 2 * BLOCK + at.index(bytes.len() - 2 * BLOCK);
            bytes[at] = to;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let (_folder, path) = written(&bytes);
        if let Ok(database) = Database::open(&path) {
            let rows: usize =
                database.tables().iter().filter_map(|table| database.rows(table).ok()).map(|rows| rows.take(100_000).count()).sum();
            prop_assert!(rows < 100_000);
        }
    }
}
