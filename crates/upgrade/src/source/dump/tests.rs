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

const ORACLE: &str = "--------------------------------------------------------\n--  File created - Wednesday\n--------------------------------------------------------\n  CREATE TABLE \"APIM\".\"T\" \n   (\t\"ID\" NUMBER(*,0), \n\t\"NAME\" VARCHAR2(100 BYTE), \n\t\"DATA\" BLOB, \n\t\"AT\" TIMESTAMP (6), \n\t\"TEXT\" CLOB\n   ) SEGMENT CREATION DEFERRED \n  TABLESPACE \"USERS\" ;\nREM INSERTING into APIM.T\nSET DEFINE OFF;\nSET SQLBLANKLINES ON\n";

#[test]
fn oracle_scripts_come_as_written() {
    let text = format!(
        "{ORACLE}Insert into APIM.T (ID,NAME,DATA,AT,TEXT) values (1,'it''s; a \\ back-slash',TO_BLOB(HEXTORAW('CAFE'))||HEXTORAW('00ff'),to_timestamp('01-JUL-15 10.11.12.345000000 PM','DD-MON-RR HH.MI.SSXFF AM'),TO_CLOB('first ')|| TO_CLOB(q'[second's]')\n || CHR(10) || to_clob(N'third'));\nInsert into APIM.T (ID,NAME,DATA,AT,TEXT) values (2,null,EMPTY_BLOB(),to_date('2015-07-01 22:11:12','YYYY-MM-DD HH24:MI:SS'),UNISTR('\\00e4'));\nprompt done;\nCREATE OR REPLACE EDITIONABLE TRIGGER \"APIM\".\"T_TRIG\" BEFORE INSERT ON T FOR EACH ROW\nBEGIN\n  INSERT INTO LOG VALUES ('it');\n  SELECT S.nextval INTO :NEW.ID FROM dual;\nEND;\n/\nALTER TRIGGER \"APIM\".\"T_TRIG\" ENABLE;\n/\nInsert into T (NAME,ID) values (q'{{a }} b}}',-3);\nCOMMIT;\n"
    );
    let rows = read(&text).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].text("NAME").unwrap().unwrap(), "it's; a \\ back-slash");
    assert_eq!(rows[0].bytes("DATA").unwrap().unwrap(), [0xca, 0xfe, 0, 0xff]);
    assert_eq!(rows[0].timestamp("AT").unwrap().unwrap().to_string(), "2015-07-01 22:11:12.345");
    assert_eq!(rows[0].text("TEXT").unwrap().unwrap(), "first second's\nthird");
    assert_eq!((rows[1].text("NAME").unwrap(), rows[1].bytes("DATA").unwrap()), (None, Some(Vec::new())));
    assert_eq!(rows[1].timestamp("AT").unwrap().unwrap().to_string(), "2015-07-01 22:11:12");
    assert_eq!(rows[1].text("TEXT").unwrap().unwrap(), "ä");
    assert_eq!((rows[2].int("ID").unwrap(), rows[2].text("NAME").unwrap().as_deref()), (Some(-3), Some("a } b")));
}

#[test]
fn oracle_scripts_that_mean_something_else_are_refused() {
    let with = |value: &str| read(&format!("{ORACLE}Insert into T (ID,AT) values (1,{value});\n")).unwrap_err();
    assert!(with("APIM.SECRET('x')").contains("expected"));
    assert!(with("DECODE(1,2)").contains("calls DECODE, which is not read"));
    assert!(with("to_date('01-JUL-15')").contains("expected a format"));
    assert!(with("to_date('1 juillet','DD MONTH')").contains("malformed date"));
    assert!(with("'a' || HEXTORAW('41')").contains("joined"));
    let cut = format!("{ORACLE}Insert into T (ID,NAME) values (1,'cut");
    assert!(read(&cut).unwrap_err().contains("ends inside a quoted text"));
    assert!(read(&format!("{ORACLE}CREATE TRIGGER X BEGIN NULL; END;\n")).unwrap_err().contains("the line / is missing"));
}

const SQL_SERVER: &str = "USE [apim]\r\nGO\r\n/****** Object:  Table [dbo].[T]    Script Date: 1/1/2016 ******/\r\nSET ANSI_NULLS ON\r\nGO\r\nSET QUOTED_IDENTIFIER ON\r\nGO\r\nCREATE TABLE [dbo].[T](\r\n\t[ID] [int] IDENTITY(1,1) NOT NULL,\r\n\t[NAME] [nvarchar](100) NULL,\r\n\t[DATA] [varbinary](max) NULL,\r\n\t[AT] [datetime2](7) NULL,\r\n\t[OK] [bit] NULL,\r\n CONSTRAINT [PK_T] PRIMARY KEY CLUSTERED \r\n(\r\n\t[ID] ASC\r\n)WITH (PAD_INDEX = OFF) ON [PRIMARY]\r\n) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]\r\nGO\r\nSET IDENTITY_INSERT [dbo].[T] ON \r\n";

fn sql_server() -> String {
    format!(
        "{SQL_SERVER}INSERT [dbo].[T] ([ID], [NAME], [DATA], [AT], [OK]) VALUES (1, N'it''s\r\nGO\r\n\\ ä 😀', 0xCAFE00, CAST(N'2015-07-01T22:11:12.3450000' AS DateTime2), 1)\r\nINSERT [dbo].[T] ([ID], [NAME], [DATA], [AT], [OK]) VALUES (2, NULL, CONVERT(varbinary(max), 0x00FF, 1), CAST(N'2015-07-01 22:11:12' AS DateTime), 0), (-3, N'a' + CHAR(10) + N'b', NULL, NULL, NULL);\r\nGO\r\nSET IDENTITY_INSERT [dbo].[T] OFF\r\nGO\r\nALTER TABLE [dbo].[T] ADD  DEFAULT ('x') FOR [NAME]\r\nGO\r\n"
    )
}

fn is_sql_server(rows: &[Row]) {
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].text("NAME").unwrap().unwrap(), "it's\r\nGO\r\n\\ ä 😀");
    assert_eq!(rows[0].bytes("DATA").unwrap().unwrap(), [0xca, 0xfe, 0]);
    assert_eq!(rows[0].timestamp("AT").unwrap().unwrap().to_string(), "2015-07-01 22:11:12.345");
    assert_eq!((rows[0].bool("OK").unwrap(), rows[1].bool("OK").unwrap(), rows[2].bool("OK").unwrap()), (Some(true), Some(false), None));
    assert_eq!(rows[1].bytes("DATA").unwrap().unwrap(), [0, 0xff]);
    assert_eq!((rows[2].int("ID").unwrap(), rows[2].text("NAME").unwrap().as_deref()), (Some(-3), Some("a\nb")));
}

#[test]
fn sql_server_scripts_come_as_written_in_both_encodings() {
    let text = sql_server();
    is_sql_server(&read(&text).unwrap());
    for big_endian in [false, true] {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let bytes: Vec<u8> = units.flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect();
        is_sql_server(&read_with(&bytes, Reading::default()).unwrap());
    }
    let lost = format!("{SQL_SERVER}ALTER TABLE [dbo].[T] NOCHECK\r\nINSERT [dbo].[T] ([ID]) VALUES (1)\r\n");
    assert!(read(&lost).unwrap_err().contains("the line GO between"));
}

#[test]
fn rows_far_into_a_utf_16_file_are_found_again() {
    // Pairs of units fall on every place of a block's end.
    let mut text = format!("x{SQL_SERVER}").split_off(1);
    for id in 0..40_000 {
        text.push_str(&format!("INSERT [dbo].[T] ([ID], [NAME]) VALUES ({id}, N'😀{}ä😀')\r\n", "y".repeat(id % 7)));
    }
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    let rows = read_with(&bytes, Reading::default()).unwrap();
    assert_eq!(rows.len(), 40_000);
    for (id, row) in rows.iter().enumerate() {
        assert_eq!(row.int("ID").unwrap(), Some(id as i64));
        assert_eq!(row.text("NAME").unwrap().unwrap(), format!("😀{}ä😀", "y".repeat(id % 7)));
    }
}

proptest! {
    #[test]
    fn no_script_breaks_the_reader(tail in "(Insert into T|INSERT \\[dbo\\]|values|\\(|\\)|'|,|;|GO\n|/\n|q'\\[|TO_DATE|CAST|0x|1|\\||\n| ){0,40}", oracle: bool) {
        let _ = read(&format!("{}{tail}", if oracle { ORACLE } else { SQL_SERVER }));
    }
}
