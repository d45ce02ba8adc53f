//! Files that are not what they should be: each has its name, and no damage makes the reader panic or run on.

use std::path::Path;
use std::sync::LazyLock;

use h2file::{Database, Error, Limits};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::writer::{Writer, lob_file, put, seal, shop};

const PAGE: usize = 256;

fn open(bytes: &[u8]) -> Result<Database, Error> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("d.h2.db");
    std::fs::write(&path, bytes).unwrap();
    Database::open(&path)
}

fn shop_bytes() -> Vec<u8> {
    static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| shop(tempdir().unwrap().path()).bytes());
    WHOLE.clone()
}

/// Reads everything; returns the first error.
fn read_all(database: &Database) -> Result<usize, Error> {
    let mut rows = 0;
    let mut first = None;
    for table in database.tables() {
        for row in database.rows(table)? {
            rows += 1;
            first = first.or(row.err());
        }
        let _ = database.row_count(table);
    }
    first.map_or(Ok(rows), Err)
}

#[test]
fn other_files_are_named() {
    assert!(matches!(open(b""), Err(Error::NotH2 { .. })));
    assert!(matches!(open(b"H:2,block:5,blockSize:1000,chunk:1"), Err(Error::BadHeader { .. })));
    assert!(matches!(open(b"-- MySQL dump 10.13"), Err(Error::NotH2 { .. })));
    let error = Database::open(Path::new("/no/such/folder/x.h2.db")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
}

#[test]
fn headers_that_cannot_be_are_named() {
    let change = |at: usize, to: u8| {
        let mut bytes = shop_bytes();
        bytes[at] = to;
        open(&bytes).map(|_| ()).unwrap_err()
    };
    assert!(matches!(change(40, b'x'), Error::Encrypted { .. }));
    assert!(matches!(change(50, 0x03), Error::BadHeader { .. }));
    assert!(matches!(change(48, 0xff), Error::BadHeader { .. }));
    assert!(matches!(change(53, 4), Error::UnsupportedVersion { read_version: 4, newest: 3 }));
}

#[test]
fn the_copy_of_the_changing_header_is_used_when_the_first_is_damaged() {
    let mut bytes = shop_bytes();
    bytes[PAGE + 9] ^= 1;
    assert!(open(&bytes).is_ok());
    bytes[2 * PAGE + 9] ^= 1;
    assert!(matches!(open(&bytes), Err(Error::BadHeader { .. })));
}

#[test]
fn a_truncated_file_is_named_with_the_page_it_lacks() {
    let bytes = shop_bytes();
    assert!(matches!(open(&bytes[..60]), Err(Error::Truncated { .. })));
    assert!(matches!(open(&bytes[..3 * PAGE]), Err(Error::Truncated { page_count: 3, .. })));
    let pages = bytes.len() / PAGE;
    let shorter = open(&bytes[..bytes.len() - PAGE / 2]).and_then(|database| read_all(&database));
    assert!(
        matches!(shorter, Err(Error::Truncated { page, page_count }) if page as usize == pages - 1 && page_count as usize == pages - 1)
    );
}

#[test]
fn a_page_with_a_wrong_checksum_is_named_with_its_place() {
    let mut bytes = shop_bytes();
    bytes[4 * PAGE + 6] ^= 0x40;
    assert!(matches!(open(&bytes), Err(Error::BadChecksum { page: 4, offset: 1024 })));
}

#[test]
fn a_page_of_another_kind_or_table_or_parent_is_named() {
    let whole = shop_bytes();
    let leaf = (5..whole.len() / PAGE).rev().find(|page| whole[page * PAGE] == 17 && whole[page * PAGE + 7] == 12).unwrap();
    let change = |at: usize, to: u8| {
        let mut bytes = whole.clone();
        let page = &mut bytes[leaf * PAGE..][..PAGE];
        page[at] = to;
        seal(page, leaf as u32);
        open(&bytes).and_then(|database| read_all(&database)).unwrap_err()
    };
    assert!(matches!(change(0, 20), Error::PageType { page, found: 20, .. } if page as usize == leaf));
    assert!(matches!(change(0, 0), Error::PageType { found: 0, .. }));
    assert!(matches!(change(7, 13), Error::BadPage { what: "the page belongs to another table", .. }));
    assert!(matches!(change(6, 0xff), Error::BadPage { what: "the page names another parent", .. }));
    assert!(matches!(change(8, 9), Error::BadRow { .. }));
}

#[test]
fn links_in_a_circle_end() {
    // A node whose children are all itself, and an overflow page that continues in itself.
    let mut bytes = shop_bytes();
    let node = (5..bytes.len() / PAGE).find(|page| bytes[page * PAGE] == 2).unwrap();
    let page = &mut bytes[node * PAGE..][..PAGE];
    page[14..18].copy_from_slice(&(node as u32).to_be_bytes());
    seal(page, node as u32);
    assert!(open(&bytes).and_then(|database| read_all(&database)).is_err());

    let mut bytes = shop_bytes();
    let overflow = (5..bytes.len() / PAGE).find(|page| bytes[page * PAGE] == 3).unwrap();
    let page = &mut bytes[overflow * PAGE..][..PAGE];
    page[7..11].copy_from_slice(&(overflow as u32).to_be_bytes());
    seal(page, overflow as u32);
    let error = open(&bytes).and_then(|database| read_all(&database)).unwrap_err();
    assert!(matches!(error, Error::BadPage { what: "a chain of overflow pages does not end", .. }));
}

#[test]
fn limits_are_kept() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("shop.h2.db");
    shop(folder.path()).write(&path);
    let small_file = Limits { file_max_bytes: 1000, ..Limits::default() };
    assert!(matches!(Database::open_with(&path, small_file), Err(Error::FileTooLarge { limit_bytes: 1000, .. })));
    let small_row = Limits { row_max_bytes: 1000, ..Limits::default() };
    let database = Database::open_with(&path, small_row).unwrap();
    let items = database.rows(database.table("PUBLIC", "ITEMS").unwrap()).unwrap();
    let error = items.filter_map(Result::err).next().unwrap();
    assert!(matches!(error, Error::RowTooLarge { key: 50, limit_bytes: 1000, .. }));
}

/// A crashed database, whole, so that damage reaches the log too.
fn crashed_bytes() -> Vec<u8> {
    static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(crashed);
    WHOLE.clone()
}

fn crashed() -> Vec<u8> {
    let mut writer = Writer::new(PAGE);
    let row = |key: i64| (key, vec![put::long(key), put::text("text"), put::small_lob(16, b"clob")]);
    writer.table(9, "CREATE CACHED TABLE T(A BIGINT, B VARCHAR, C CLOB)", 3, (1..60).map(row).collect());
    let whole = writer.bytes();
    let mut log = Vec::new();
    for page in [6u8, 7] {
        log.extend([1, page, 0]);
        log.extend(&whole[usize::from(page) * PAGE..][..PAGE]);
    }
    for key in 1..40 {
        log.extend([6, 1, 9, key]);
    }
    log.extend([8, 2, 1, 7, 2, 9]);
    writer.log(log);
    writer.bytes()
}

#[test]
fn what_the_damage_test_damages_is_whole() {
    assert_eq!(open(&crashed_bytes()).and_then(|database| read_all(&database)).unwrap(), 59 - 39);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Changes a few bytes, mends the checksums so that the change is seen, and reads everything there is.
    #[test]
    fn no_damage_makes_the_reader_panic_or_run_on(
        crashed: bool,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let folder = tempdir().unwrap();
        let mut bytes = if crashed { crashed_bytes() } else { shop_bytes() };
        let lobs = folder.path().join("shop.lobs.db");
        std::fs::create_dir(&lobs).unwrap();
        std::fs::write(lobs.join("1.t14.lob.db"), lob_file(&[vec![b'a'; 4096], vec![b'b'; 904]])).unwrap();
        for (at, to) in changes {
            // The fixed header has its own tests; damage there only ends the attempt early.
            let at = 3 * PAGE + at.index(bytes.len() - 3 * PAGE);
            bytes[at] = to;
            let page = at / PAGE;
            seal(&mut bytes[page * PAGE..][..PAGE], page as u32);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let path = folder.path().join("shop.h2.db");
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(database) = Database::open(&path) {
            let rows: usize = database
                .tables()
                .iter()
                .filter_map(|table| database.rows(table).ok())
                .map(|rows| rows.take(1_000_000).count())
                .sum();
            prop_assert!(rows < 1_000_000);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut headed = b"-- H2 0.5/B -- \n".repeat(3);
        headed.extend([0, 0, 0, 128, 3, 3]);
        headed.extend(bytes);
        prop_assert!(open(&headed).is_err());
    }
}
