//! Databases that were not closed: the redo log is replayed exactly, or refused.

use h2file::{Database, Error, Recovery, Value};
use tempfile::tempdir;

use crate::writer::{Row, Writer, meta_row, put, seal};

const SQL: &str = "CREATE CACHED TABLE PUBLIC.T(ID INT, WHAT VARCHAR)";
const TABLE: i32 = 9;

/// The entries of a log.
#[derive(Default)]
struct Log(Vec<u8>);

impl Log {
    fn put(mut self, kind: u8, numbers: &[i64]) -> Self {
        self.0.push(kind);
        for number in numbers {
            self.0.extend(put::var(*number as u64));
        }
        self
    }

    fn add(mut self, session: i64, table: i32, row: &Row) -> Self {
        let values = [put::var(row.1.len() as u64), row.1.concat()].concat();
        self = self.put(5, &[session, i64::from(table as u32), row.0, values.len() as i64]);
        self.0.extend(values);
        self
    }

    fn remove(self, session: i64, table: i32, key: i64) -> Self {
        self.put(6, &[session, i64::from(table as u32), key])
    }

    fn truncate(self, session: i64, table: i32) -> Self {
        self.put(7, &[session, i64::from(table)])
    }

    fn commit(self, session: i64) -> Self {
        self.put(2, &[session])
    }

    fn checkpoint(self) -> Self {
        self.put(8, &[])
    }

    fn prepare(mut self, session: i64, name: &str) -> Self {
        self = self.put(3, &[session, name.encode_utf16().count() as i64]);
        self.0.extend(name.as_bytes());
        self
    }

    fn undo(mut self, page: i64, image: &[u8]) -> Self {
        self = self.put(1, &[page, 0]);
        self.0.extend(image);
        self
    }
}

fn row(key: i64, what: &str) -> Row {
    (key, vec![put::int(key as i32), put::text(what)])
}

fn writer(log: Log) -> Writer {
    let mut writer = Writer::new(256);
    writer.table(TABLE, SQL, 2, (1..=30).map(|key| row(key, "old")).collect()).log(log.0);
    writer
}

fn opened(bytes: &[u8]) -> Result<Database, Error> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("c.h2.db");
    std::fs::write(&path, bytes).unwrap();
    let database = Database::open(&path);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file was written to");
    database
}

fn rows(database: &Database, table: &str) -> Vec<(i32, String)> {
    let pair = |row: Vec<Value>| match <[Value; 2]>::try_from(row).unwrap() {
        [Value::Int(id), Value::Text(what)] => (id, what),
        other => panic!("{other:?}"),
    };
    let table = database.table("PUBLIC", table).unwrap();
    database.rows(table).unwrap().map(|row| pair(row.unwrap())).collect()
}

fn recovered(log: Log) -> (Vec<(i32, String)>, Recovery) {
    let database = opened(&writer(log).bytes()).unwrap();
    (rows(&database, "T"), database.info().recovery.unwrap())
}

fn refused(log: Log) -> String {
    match opened(&writer(log).bytes()) {
        Err(error @ Error::NotClosedCleanly { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn old(keys: impl IntoIterator<Item = i32>) -> Vec<(i32, String)> {
    keys.into_iter().map(|key| (key, "old".to_owned())).collect()
}

#[test]
fn an_empty_log_changes_nothing() {
    let (rows, recovery) = recovered(Log::default());
    assert_eq!(rows, old(1..=30));
    assert_eq!(recovery, Recovery::default());
}

#[test]
fn committed_changes_count_and_others_do_not() {
    let log = Log::default()
        .add(1, TABLE, &row(31, "new"))
        .remove(1, TABLE, 3)
        .add(2, TABLE, &row(40, "never committed"))
        .commit(1)
        .remove(1, TABLE, 4)
        .remove(2, TABLE, 5);
    let (rows, recovery) = recovered(log);
    let mut expected = old((1..=30).filter(|key| *key != 3));
    expected.push((31, "new".into()));
    assert_eq!(rows, expected);
    assert_eq!(recovery, Recovery { pages_restored: 0, changes_replayed: 2, changes_dropped: 3 });
}

#[test]
fn an_update_is_a_removal_and_an_addition() {
    let log = Log::default().remove(7, TABLE, 1).add(7, TABLE, &row(1, "new")).commit(7).checkpoint();
    assert_eq!(recovered(log).0, [vec![(1, "new".to_owned())], old(2..=30)].concat());
}

#[test]
fn a_commit_in_a_later_section_covers_earlier_ones() {
    let log = Log::default().remove(7, TABLE, 1).checkpoint().remove(7, TABLE, 2).checkpoint().commit(7).remove(7, TABLE, 3);
    assert_eq!(recovered(log).0, old(3..=30));
}

#[test]
fn a_truncated_table_keeps_only_what_came_after() {
    let log = Log::default().add(1, TABLE, &row(50, "before")).truncate(1, TABLE).add(1, TABLE, &row(2, "after")).commit(1);
    assert_eq!(recovered(log).0, [(2, "after".to_owned())]);
}

#[test]
fn a_table_made_in_the_log_is_read_from_the_log() {
    let log = Log::default()
        .add(1, -1, &meta_row(20, 0, 0, 7, "OFF,0,,", ","))
        .add(1, 0, &(20, vec![put::int(20), put::int(0), put::int(0), put::text("CREATE CACHED TABLE U(ID INT, WHAT VARCHAR)")]))
        .add(1, 20, &row(8, "eight"))
        .commit(1);
    let database = opened(&writer(log).bytes()).unwrap();
    assert_eq!(rows(&database, "U"), [(8, "eight".to_owned())]);
    assert_eq!(rows(&database, "T"), old(1..=30));
    assert_eq!(database.row_count(database.table("PUBLIC", "U").unwrap()).unwrap(), None);
}

#[test]
fn a_table_dropped_in_the_log_is_gone() {
    let log = Log::default().remove(1, -1, i64::from(TABLE) + 1).remove(1, 0, i64::from(TABLE)).commit(1);
    let database = opened(&writer(log).bytes()).unwrap();
    assert!(database.table("PUBLIC", "T").is_none());
}

#[test]
fn the_oldest_image_of_a_page_wins_over_the_file_and_over_later_images() {
    // What the file had before the crash, and what a page torn by the crash has now.
    let whole = writer(Log::default()).bytes();
    let pages = whole.len() / 256;
    let leaf = (5..pages).find(|page| whole[page * 256..].starts_with(&[17]) && *page > 6).unwrap();
    let image = &whole[leaf * 256..][..256];
    let log = Log::default().undo(leaf as i64, image).checkpoint().undo(leaf as i64, &[1; 256]).remove(1, TABLE, 30).commit(1);
    let mut torn = writer(log).bytes();
    assert_eq!(&torn[leaf * 256..][..256], image);
    torn[leaf * 256..][100..256].fill(0xee);
    let database = opened(&torn).unwrap();
    assert_eq!(rows(&database, "T"), old(1..=29));
    assert_eq!(database.info().recovery.unwrap().pages_restored, 1);
}

#[test]
fn a_log_over_many_pages_and_trunks_is_read_to_its_end() {
    let mut log = Log::default();
    for key in 100..400 {
        log = log.add(1, TABLE, &row(key, "many"));
    }
    let (rows, recovery) = recovered(log.commit(1));
    assert_eq!(rows.len(), 330);
    assert_eq!(recovery.changes_replayed, 300);
}

#[test]
fn an_entry_cut_off_by_the_crash_ends_the_log() {
    let whole = Log::default().remove(1, TABLE, 1).commit(1).0;
    let next = Log::default().add(1, TABLE, &row(99, &"x".repeat(600))).commit(1).0;
    for cut in 1..next.len() - 2 {
        let entries = [&whole[..], &next[..cut]].concat();
        // The writer ends the log inside a page, whose rest is zeros; only a cut at a page's end cuts an entry.
        let rest = entries.len() % (256 - 11);
        if rest == 0 {
            assert_eq!(recovered(Log(entries)).0, old(2..=30), "cut at {cut}");
        }
    }
}

#[test]
fn a_page_of_an_older_log_ends_the_log() {
    let mut log = Log::default().remove(1, TABLE, 1).commit(1);
    log.0.resize(256 - 11, 0);
    log = log.remove(1, TABLE, 2).commit(1);
    let mut bytes = writer(log).bytes();
    let second = (0..bytes.len() / 256).filter(|page| bytes[page * 256] == 8).nth(1).unwrap();
    bytes[second * 256 + 10] = 1;
    seal(&mut bytes[second * 256..][..256], second as u32);
    assert_eq!(rows(&opened(&bytes).unwrap(), "T"), old(2..=30));
}

#[test]
fn a_log_whose_beginning_is_lost_is_refused() {
    let whole = writer(Log::default().remove(1, TABLE, 1).commit(1)).bytes();
    let trunk = (0..whole.len() / 256).find(|page| whole[page * 256] == 7).unwrap();
    let refused = |at: usize| {
        let mut bytes = whole.clone();
        bytes[trunk * 256 + at] ^= 3;
        seal(&mut bytes[trunk * 256..][..256], trunk as u32);
        matches!(opened(&bytes), Err(Error::NotClosedCleanly { .. }))
    };
    // Its kind, its key, the first data page it lists.
    assert!(refused(0) && refused(10) && refused(20));
}

#[test]
fn an_empty_page_beyond_the_file_is_not_missed() {
    let log = Log::default().put(1, &[100_000, 1]).remove(1, TABLE, 1).commit(1);
    assert_eq!(recovered(log).0, old(2..=30));
}

#[test]
fn contradictions_are_refused_not_guessed_at() {
    let already = Log::default().add(1, TABLE, &row(5, "again")).commit(1);
    assert!(refused(already).contains("already has it"));
    let absent = Log::default().remove(1, TABLE, 77).commit(1);
    assert!(refused(absent).contains("does not have it"));
    let unknown_table = Log::default().add(1, 88, &row(5, "?")).commit(1);
    assert!(refused(unknown_table).contains("table id 88"));
    assert!(refused(Log::default().put(200, &[])).contains("unknown kind 200"));
    assert!(refused(Log::default().undo(100_000, &[0; 256])).contains("page 100000"));
    let text = refused(Log::default().remove(1, TABLE, 1).prepare(1, "two-phase"));
    assert!(text.contains("prepared") && text.contains("start the old server once"));
}

#[test]
fn a_prepared_transaction_that_was_decided_is_fine() {
    let log = Log::default().remove(1, TABLE, 1).prepare(1, "é").commit(1).remove(2, TABLE, 2).prepare(2, "b").put(4, &[2]);
    assert_eq!(recovered(log).0, old(2..=30));
}

#[test]
fn entries_about_free_pages_are_passed_over() {
    let log = Log::default().put(9, &[3, 10, 11, 12]).put(0, &[]).remove(1, TABLE, 1).commit(1);
    assert_eq!(recovered(log).0, old(2..=30));
}
