//! Large objects in both homes, whole and broken.

use std::fs;
use std::path::Path;

use h2file::{Database, Error, Limits, LobKind, Row, Value};
use tempfile::tempdir;

use crate::writer::{Writer, lob_file, lob_tables, put, shop};

fn letters(database: &Database) -> Vec<Result<Row, Error>> {
    database.rows(database.table("PUBLIC", "LETTERS").unwrap()).unwrap().collect()
}

fn open_shop(folder: &Path) -> Database {
    let path = folder.join("shop.h2.db");
    shop(folder).write(&path);
    Database::open(&path).unwrap()
}

#[test]
fn both_homes_give_the_whole_object() {
    let folder = tempdir().unwrap();
    let rows: Vec<_> = letters(&open_shop(folder.path())).into_iter().map(Result::unwrap).collect();
    assert_eq!(rows[0][1], Value::Clob("short é".into()));
    assert_eq!(rows[0][2], Value::Blob(vec![1, 2, 3]));
    assert_eq!(rows[1][1], Value::Clob("a".repeat(4096) + &"b".repeat(904)));
    let picture: Vec<u8> = (0..30_000u32).map(|at| (at % 251) as u8).collect();
    assert_eq!(rows[2][2], Value::Blob(picture));
}

#[test]
fn objects_may_be_left_and_fetched_later() {
    let folder = tempdir().unwrap();
    let database = open_shop(folder.path());
    let table = database.table("PUBLIC", "LETTERS").unwrap();
    let rows: Vec<_> = database.rows(table).unwrap().leave_lobs().map(Result::unwrap).collect();
    let Value::Lob(body) = &rows[1][1] else { panic!("{:?}", rows[1]) };
    assert_eq!((body.kind, body.length), (LobKind::Clob, 5000));
    assert_eq!(database.read_lob(body).unwrap().as_str().map(str::len), Some(5000));
}

#[test]
fn a_missing_folder_and_a_missing_file_are_told_apart() {
    let folder = tempdir().unwrap();
    let database = open_shop(folder.path());
    let lobs = folder.path().join("shop.lobs.db");
    fs::remove_file(lobs.join("1.t14.lob.db")).unwrap();
    let rows = letters(&database);
    assert!(matches!(&rows[1], Err(Error::LobFileMissing { file }) if file.ends_with("shop.lobs.db/1.t14.lob.db")));
    // The rows around it are still there.
    assert!(rows[0].is_ok() && rows[2].is_ok() && rows.len() == 3);
    fs::remove_dir(&lobs).unwrap();
    assert!(matches!(&letters(&database)[1], Err(Error::LobFolderMissing { folder }) if *folder == lobs));
}

#[test]
fn an_object_that_lost_its_tail_is_not_a_shorter_object() {
    let folder = tempdir().unwrap();
    let database = open_shop(folder.path());
    let file = folder.path().join("shop.lobs.db/1.t14.lob.db");
    let put = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        letters(&database).swap_remove(1).unwrap_err()
    };
    let whole = fs::read(&file).unwrap();
    assert!(matches!(put(&whole[..whole.len() - 64]), Error::BadLob { .. }));
    let first_chunk = lob_file(&[vec![b'a'; 4096]]);
    assert!(matches!(put(&first_chunk), Error::LobLength { found: 4096, expected: 5000, .. }));
    assert!(matches!(put(&whole[..20]), Error::BadLob { .. }));
    assert!(matches!(put(&[0; 100]), Error::BadLob { .. }));
    let mut encrypted = whole.clone();
    encrypted[32..48].fill(9);
    assert!(matches!(put(&encrypted), Error::BadLob { what: "its file is encrypted", .. }));
    let mut negative = whole;
    negative[48] = 0xff;
    assert!(matches!(put(&negative), Error::BadLob { .. }));
}

#[test]
fn an_object_over_the_limit_is_refused_by_name() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("shop.h2.db");
    shop(folder.path()).write(&path);
    let limits = Limits { lob_max_bytes: 4999, ..Limits::default() };
    let database = Database::open_with(&path, limits).unwrap();
    let rows = letters(&database);
    assert!(rows[0].is_ok());
    assert!(matches!(rows[1], Err(Error::LobTooLarge { .. })));
    assert!(matches!(rows[2], Err(Error::LobTooLarge { bytes: 30_000, .. })));
}

fn one_object(kind: u8, length: i64, change: impl Fn(&mut Writer)) -> Result<Row, Error> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("b.h2.db");
    let mut writer = Writer::new(512);
    let row = (1, vec![put::block_lob(kind, 9, 5, length)]);
    writer.table(9, "CREATE CACHED TABLE T(A BLOB)", 1, vec![row]);
    change(&mut writer);
    writer.write(&path);
    let database = Database::open(&path).unwrap();
    let table = database.table("PUBLIC", "T").unwrap();
    database.rows(table).unwrap().next().unwrap()
}

#[test]
fn what_is_missing_inside_the_database_is_named() {
    let part = |kind, change: &dyn Fn(&mut Writer)| match one_object(kind, 3, change) {
        Err(Error::LobPartMissing { lob: 5, part }) => part,
        other => panic!("{other:?}"),
    };
    let another = |writer: &mut Writer| lob_tables(writer, &[(6, vec![(0, vec![1, 2, 3])])]);
    assert_eq!(part(15, &|_| {}), "table of blocks");
    assert_eq!(part(15, &another), "block");
    assert_eq!(part(16, &another), "entry in LOBS");
    let object = |writer: &mut Writer| lob_tables(writer, &[(5, vec![(0, vec![b'1', b'2', b'3'])])]);
    assert_eq!(one_object(15, 3, object).unwrap(), [Value::Blob(b"123".to_vec())]);
    assert_eq!(one_object(16, 3, object).unwrap(), [Value::Clob("123".into())]);
    for kind in [15, 16] {
        assert!(matches!(one_object(kind, 4, object), Err(Error::LobLength { found: 3, expected: 4, .. })));
    }
}

#[test]
fn compressed_files_expand() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("z.h2.db");
    let rows = vec![(1, vec![put::file_lob(15, 9, 3, 13, true)]), (2, vec![put::file_lob(15, 9, 4, 13, true)])];
    Writer::new(512).table(9, "CREATE CACHED TABLE T(A BLOB)", 1, rows).write(&path);
    fs::create_dir(folder.path().join("z.lobs.db")).unwrap();
    // Lengths: 5 packed bytes after method 1 (LZF) and the length 13; a run of 12 repeats one literal.
    let file = |packed: &[u8]| {
        let mut file = crate::writer::MAGIC.repeat(3);
        file.extend((packed.len() as i32).to_be_bytes());
        file.extend(13u32.to_be_bytes());
        file.extend(packed);
        file.resize(48 + (8 + packed.len() + 2).div_ceil(16) * 16, 0);
        file
    };
    fs::write(folder.path().join("z.lobs.db/3.t9.lob.db"), file(&[1, 13, 0, b'x', 7 << 5, 3, 0])).unwrap();
    fs::write(folder.path().join("z.lobs.db/4.t9.lob.db"), file(&[3, 13, 0])).unwrap();
    let database = Database::open(&path).unwrap();
    let rows: Vec<_> = database.rows(&database.tables()[0]).unwrap().collect();
    assert_eq!(rows[0].as_ref().unwrap(), &[Value::Blob(vec![b'x'; 13])]);
    assert!(matches!(rows[1], Err(Error::LobCompression { method: 3, .. })));
}
