//! Whole files: tables, columns, keys, long rows, deep trees.

use h2file::{Database, Error, SqlType, Value};
use tempfile::tempdir;

use crate::writer::{Writer, put, shop};

#[test]
fn every_row_of_a_deep_tree_comes_once_and_in_order() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("shop.h2.db");
    shop(folder.path()).write(&path);
    let database = Database::open(&path).unwrap();
    assert_eq!(database.info().create_build, Some(175));
    assert_eq!(database.info().recovery, None);
    assert_eq!(database.lock_file(), None);

    let items = database.table("PUBLIC", "ITEMS").unwrap();
    assert_eq!(items.columns[0].sql_type, SqlType::Integer);
    assert!(!items.columns[0].nullable);
    assert_eq!(database.row_count(items).unwrap(), Some(400));
    let rows: Vec<_> = database.rows(items).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 400);
    for (at, row) in rows.iter().enumerate() {
        let id = at as i32 + 1;
        // The key is not in the row; the column has it all the same.
        assert_eq!(row[0], Value::Int(id));
        let note = if id % 50 == 0 { "long ".repeat(300) } else { format!("note {id}") };
        assert_eq!(row[1], Value::Text(note));
    }
    let empty = database.table("PUBLIC", "EMPTY").unwrap();
    assert_eq!(database.rows(empty).unwrap().count(), 0);
}

#[test]
fn every_page_size_is_read() {
    let folder = tempdir().unwrap();
    for shift in 7..=15 {
        let mut writer = Writer::new(1 << shift);
        let rows = (1..200).map(|id| (id, vec![put::long(id), put::text(&"x".repeat(id as usize * 3))]));
        writer.table(9, "CREATE CACHED TABLE S.T(A BIGINT, B VARCHAR)", 2, rows.collect());
        let path = folder.path().join(format!("{shift}.h2.db"));
        writer.write(&path);
        let database = Database::open(&path).unwrap();
        assert_eq!(database.info().page_size, 1 << shift);
        let table = database.table("S", "T").unwrap();
        for (row, id) in database.rows(table).unwrap().zip(1i64..) {
            assert_eq!(row.unwrap(), [Value::Long(id), Value::Text("x".repeat(id as usize * 3))]);
        }
    }
}

#[test]
fn negative_keys_come_first() {
    let folder = tempdir().unwrap();
    let mut writer = Writer::new(128);
    let rows = (-40..40).map(|id| (id, vec![put::null()]));
    writer.table(9, "CREATE CACHED TABLE T(A SMALLINT)", 1, rows.collect()).key_column(9, 0);
    let path = folder.path().join("n.h2.db");
    writer.write(&path);
    let database = Database::open(&path).unwrap();
    let rows: Vec<_> = database.rows(&database.tables()[0]).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, (-40..40).map(|id| vec![Value::SmallInt(id)]).collect::<Vec<_>>());
}

#[test]
fn a_table_without_pages_is_named() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("m.h2.db");
    Writer::new(128).statement(9, "CREATE MEMORY TABLE PUBLIC.GONE(A INT)\nNOT PERSISTENT").write(&path);
    let database = Database::open(&path).unwrap();
    let gone = database.table("PUBLIC", "GONE").unwrap();
    assert!(matches!(database.rows(gone), Err(Error::NoStorage { name, .. }) if name == "GONE"));
}

#[test]
fn a_lock_file_is_shown() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("l.h2.db");
    Writer::new(128).write(&path);
    let lock = folder.path().join("l.lock.db");
    std::fs::write(&lock, "method=file").unwrap();
    assert_eq!(Database::open(&path).unwrap().lock_file(), Some(lock.as_path()));
}

#[test]
fn several_threads_may_read() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("shop.h2.db");
    shop(folder.path()).write(&path);
    let database = Database::open(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for table in database.tables() {
                    assert!(database.rows(table).unwrap().all(|row| row.is_ok()));
                }
            });
        }
    });
}
