use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::source::{Location, Source};

const HEAD: &str = "-- MySQL dump 10.13  Distrib 5.6\n/*!40101 SET NAMES utf8 */;\n/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;\n/*!40103 SET TIME_ZONE='+00:00' */;\n";
const TABLE: &str = "CREATE TABLE `T` (\n  `ID` int(11) NOT NULL,\n  `NAME` varchar(100) COLLATE utf8_bin DEFAULT 'a;b',\n  `DATA` blob,\n  `AT` timestamp NULL DEFAULT NULL,\n  PRIMARY KEY (`ID`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8;\n";
const TAIL: &str = "-- Dump completed on 2016-01-01  0:00:00\n";

fn file(text: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    file
}

fn read_with(text: &[u8], reading: Reading) -> Result<Vec<Row>, String> {
    let file = file(text);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let source = Source::open(&Location::Dump(file.path().to_owned()), reading).await.map_err(|e| e.to_string())?;
        let rows = source.scan("t").all().await.map_err(|e| e.to_string())?;
        assert_eq!(rows.len() as u64, source.count("T").await.unwrap());
        Ok(rows)
    })
}

fn read(text: &str) -> Result<Vec<Row>, String> {
    read_with(text.as_bytes(), Reading::default())
}

#[test]
fn mysql_rows_come_as_written() {
    let text = format!(
        "{HEAD}{TABLE}LOCK TABLES `T` WRITE;\nINSERT INTO `T` VALUES (1,'it\\'s; a \\\\ \"quote\"\\n',_binary 'x\\0y','2015-06-01 10:00:00'),(2,NULL,0xCAFE,'0000-00-00 00:00:00');\nINSERT INTO `T` (`NAME`,`ID`) VALUES ('don''t',-3);\nUNLOCK TABLES;\nDELIMITER ;;\n/*!50003 CREATE TRIGGER x BEFORE INSERT ON T FOR EACH ROW BEGIN SET @a = 'it''s'; END */;;\nDELIMITER ;\n{TAIL}"
    );
    let rows = read(&text).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].text("name").unwrap().unwrap(), "it's; a \\ \"quote\"\n");
    assert_eq!(rows[0].bytes("DATA").unwrap().unwrap(), b"x\0y");
    assert_eq!(rows[0].timestamp("at").unwrap().unwrap().to_string(), "2015-06-01 10:00:00");
    assert_eq!(rows[1].text("NAME").unwrap(), None);
    assert_eq!(rows[1].bytes("DATA").unwrap().unwrap(), [0xca, 0xfe]);
    assert_eq!(rows[1].timestamp("AT").unwrap(), None);
    assert_eq!((rows[2].int("ID").unwrap(), rows[2].text("NAME").unwrap()), (Some(-3), Some("don't".into())));
}

#[test]
fn utc_timestamps_come_back_to_the_servers_wall_clock_when_its_zone_is_known() {
    let text = format!("{HEAD}{TABLE}INSERT INTO `T` VALUES (1,'a',NULL,'2015-06-01 10:00:00');\n{TAIL}");
    let reading = Reading { database_zone: Some(chrono_tz::Europe::Berlin), source_zone: None };
    let rows = read_with(text.as_bytes(), reading).unwrap();
    assert_eq!(rows[0].timestamp("AT").unwrap().unwrap().to_string(), "2015-06-01 12:00:00");
}

#[test]
fn postgres_copy_and_inserts_come_as_written() {
    let create = "CREATE TABLE public.t (\n    id integer NOT NULL,\n    name character varying(100),\n    data bytea,\n    at timestamp without time zone,\n    flag boolean\n);\n";
    let function = "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN x := 'a;'; END; $_$;\n";
    let copy = "COPY public.t (id, name, data, at, flag) FROM stdin;\n1\ttab\\there \\\\ back\\nline\t\\\\x00ff\t2015-06-01 10:00:00.5\tt\n2\t\\N\t\\N\t\\N\tf\n\\.\n\n";
    let head = "--\n-- PostgreSQL database dump\n--\n\\restrict abc\nSET standard_conforming_strings = on;\n";
    let tail = "--\n-- PostgreSQL database dump complete\n--\n";
    let copied = read(&format!("{head}{function}{create}{copy}{tail}")).unwrap();
    let inserts = "INSERT INTO public.t VALUES (1, 'tab\there \\ back\nline', '\\x00ff', '2015-06-01 10:00:00.5', true);\nINSERT INTO public.t (flag, id) VALUES (false, 2) ON CONFLICT DO NOTHING;\n";
    let inserted = read(&format!("{head}{function}{create}{inserts}{tail}")).unwrap();
    for rows in [copied, inserted] {
        assert_eq!(rows[0].text("NAME").unwrap().unwrap(), "tab\there \\ back\nline");
        assert_eq!(rows[0].bytes("DATA").unwrap().unwrap(), [0, 0xff]);
        assert_eq!(rows[0].timestamp("AT").unwrap().unwrap().to_string(), "2015-06-01 10:00:00.500");
        assert_eq!(rows[0].bool("FLAG").unwrap(), Some(true));
        assert_eq!(
            (rows[1].int("ID").unwrap(), rows[1].text("NAME").unwrap(), rows[1].bool("flag").unwrap()),
            (Some(2), None, Some(false))
        );
    }
}

#[test]
fn a_truncated_dump_is_refused_wherever_it_was_cut() {
    let whole = format!("{HEAD}{TABLE}INSERT INTO `T` VALUES (1,'a',NULL,NULL),(2,'b',NULL,NULL);\n{TAIL}");
    let whole_bytes = whole.as_bytes();
    let header_end = "-- MySQL dump 10.13".len();
    let trailer_known = whole.find("-- Dump completed").unwrap() + "-- Dump completed".len();
    for cut in header_end..trailer_known {
        let error = read_with(&whole_bytes[..cut], Reading::default()).expect_err(&format!("cut at {cut}"));
        assert!(error.contains("truncated") || error.contains("expected"), "cut at {cut}: {error}");
        assert!(error.contains(", line "), "{error}");
    }
    let postgres = "--\n-- PostgreSQL database dump\n--\nCREATE TABLE t (id integer);\nCOPY t (id) FROM stdin;\n1\n2\n";
    assert!(read(postgres).unwrap_err().contains("ends inside COPY data"));
}

#[test]
fn malformed_dumps_say_where_and_show_no_data() {
    let with = |rows: &str| format!("{HEAD}{TABLE}{rows}\n{TAIL}");
    for (rows, expect) in [
        ("INSERT INTO `T` VALUES (1,'hunter2');", "line 12: a row of T has 2 values for 4 columns"),
        ("INSERT INTO `U` VALUES (1);", "rows of U, but no CREATE TABLE"),
        ("INSERT INTO `T` (`NOPE`) VALUES (1);", "T has no column NOPE"),
        ("INSERT INTO `T` VALUES (1,0xABC,NULL,NULL);", "a malformed hex value"),
        ("INSERT INTO `T` VALUES (1,hunter2,NULL,NULL);", "expected a value"),
        ("INSERT INTO `T` VALUES (1,'hunter2' NULL);", "expected `,` or `)`"),
        ("CREATE TABLE `T` (`ID` int);", "T is declared twice"),
        ("= nonsense", "expected a statement"),
    ] {
        let error = read(&with(rows)).unwrap_err();
        assert!(error.contains(expect), "{rows}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_dump_without_its_closing_line_by_design_is_read_and_noted() {
    let dump = file(format!("{TABLE}INSERT INTO `T` VALUES (1,'a',NULL,NULL);\n").as_bytes());
    let dump = Dump::open(dump.path(), Reading::default()).unwrap();
    assert_eq!(dump.count("T"), 1);
    assert!(dump.notes()[0].contains("nothing proves that it is whole"));
}

#[test]
fn old_bytea_escapes_decode() {
    assert_eq!(bytea(b"a\\\\b\\000\\377").unwrap(), [b'a', b'\\', b'b', 0, 255]);
    assert_eq!(bytea(b"\\xABcd").unwrap(), [0xab, 0xcd]);
    assert_eq!(bytea(b"\\xABc"), None);
    assert_eq!(bytea(b"\\9"), None);
}

/// As `mysqldump` escapes.
fn mysql_quoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for b in bytes {
        match b {
            0 => out.extend(b"\\0"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            0x1a => out.extend(b"\\Z"),
            b'\'' | b'"' | b'\\' => out.extend([b'\\', *b]),
            b => out.push(*b),
        }
    }
    out.push(b'\'');
    out
}

/// As COPY escapes.
fn copied(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c => out.push(c),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mysql_escapes_round_trip(name in any::<String>(), data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut text = format!("{HEAD}{TABLE}INSERT INTO `T` VALUES (1,").into_bytes();
        text.extend(mysql_quoted(name.as_bytes()));
        text.push(b',');
        text.extend(mysql_quoted(&data));
        text.extend(format!(",NULL);\n{TAIL}").into_bytes());
        let rows = read_with(&text, Reading::default()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(rows[0].text("NAME").unwrap(), Some(name));
        prop_assert_eq!(rows[0].bytes("DATA").unwrap(), Some(data));
    }

    #[test]
    fn copy_escapes_round_trip(name in "[^\\x00]*", data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let hex: String = data.iter().map(|b| format!("{b:02x}")).collect();
        let text = format!(
            "--\n-- PostgreSQL database dump\n--\nCREATE TABLE public.t (name text, data bytea);\nCOPY public.t (name, data) FROM stdin;\n{}\t\\\\x{hex}\n\\.\n-- PostgreSQL database dump complete\n",
            copied(&name)
        );
        let rows = read(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(rows[0].text("NAME").unwrap(), Some(name));
        prop_assert_eq!(rows[0].bytes("DATA").unwrap(), Some(data));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut text = TABLE.as_bytes().to_vec();
        text.extend(b"INSERT INTO `T` VALUES (");
        text.extend(bytes);
        let _outcome = read_with(&text, Reading::default());
    }
}
