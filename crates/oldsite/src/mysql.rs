//! Prints rows the way `mysqldump` does: version-guarded comments, backticks, multi-row INSERTs, `_binary` strings.
//!
//! Times are printed either as the wall clock they were written with ([`Clock::AsWritten`], what `--skip-tz-utc`
//! prints), or moved to UTC as if every one of them had been written in the server's zone ([`Clock::Utc`], the
//! default of `mysqldump`): MySQL cannot know that tokens were written in UTC, and moves them too.
//! Bytes are escaped and otherwise raw, so the text as a whole is not UTF-8 when a BLOB is not.

use chrono::{FixedOffset, NaiveDateTime};

use crate::rows::{Rows, Value};
use crate::schema::{Column, ColumnType, Database, Table, tables_of};

/// How bytes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blobs {
    /// `_binary '…'` with escapes, `mysqldump`'s habit.
    #[default]
    Escaped,
    /// `0x…`, as with `--hex-blob`.
    Hex,
}

/// How TIMESTAMP columns are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The wall clock, whatever zone it was meant in.
    AsWritten,
    /// Moved to UTC from the server's zone, and the dump sets the session to UTC on loading.
    Utc(FixedOffset),
}

/// `mysqldump` closes an INSERT before it grows past the network buffer.
const STATEMENT_MAX_BYTES: usize = 1_000_000;

/// The dump of one database, every table of its version included.
pub fn dump(database: Database, name: &str, rows: &Rows, blobs: Blobs, clock: Clock) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(head(name, clock).as_bytes());
    for table in tables_of(rows.version()).iter().filter(|t| t.database() == database) {
        create(table, rows, &mut out);
        insert(table, rows.of(table), blobs, clock, &mut out);
    }
    if matches!(clock, Clock::Utc(_)) {
        out.extend_from_slice(b"/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n");
    }
    out.extend_from_slice(FOOT.as_bytes());
    out
}

fn head(name: &str, clock: Clock) -> String {
    let zone = match clock {
        Clock::AsWritten => "",
        Clock::Utc(_) => "/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;\n/*!40103 SET TIME_ZONE='+00:00' */;\n",
    };
    format!(
        "-- MySQL dump 10.13  Distrib 5.6.51, for Linux (x86_64)\n--\n-- Host: localhost    Database: {name}\n\
         -- ------------------------------------------------------\n-- Server version\t5.6.51\n\n\
         /*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n\
         /*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;\n\
         /*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;\n\
         /*!40101 SET NAMES utf8 */;\n{zone}\
         /*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n\
         /*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\
         /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
         /*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n"
    )
}

const FOOT: &str = "\n/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n\
    /*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;\n\
    /*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;\n\
    /*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n\
    /*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;\n\
    /*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;\n\
    /*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n\n-- Dump completed\n";

fn create(table: &Table, rows: &Rows, out: &mut Vec<u8>) {
    let name = table.name;
    let mut lines = Vec::new();
    let mut stamped = false;
    for column in &table.columns {
        lines.push(format!("  `{}` {}", column.name, definition(column, &mut stamped)));
    }
    if !table.primary_key.is_empty() {
        lines.push(format!("  PRIMARY KEY ({})", table.primary_key.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(",")));
    }
    let next = match table.columns.iter().find(|c| c.numbered) {
        Some(column) if rows.count(name) > 0 => format!(" AUTO_INCREMENT={}", rows.next(name, column.name)),
        _ => String::new(),
    };
    out.extend_from_slice(
        format!(
            "\n--\n-- Table structure for table `{name}`\n--\n\nDROP TABLE IF EXISTS `{name}`;\n\
             /*!40101 SET @saved_cs_client     = @@character_set_client */;\n\
             /*!40101 SET character_set_client = utf8 */;\n\
             CREATE TABLE `{name}` (\n{}\n) ENGINE=InnoDB{next} DEFAULT CHARSET=utf8;\n\
             /*!40101 SET character_set_client = @saved_cs_client */;\n",
            lines.join(",\n")
        )
        .as_bytes(),
    );
}

/// `stamped` tells whether the table already has a TIMESTAMP: old servers gave only the first one an automatic clock.
fn definition(column: &Column, stamped: &mut bool) -> String {
    let kind = match column.kind {
        ColumnType::Integer => "int(11)".to_owned(),
        ColumnType::SmallInt => "smallint(6)".to_owned(),
        ColumnType::BigInt => "bigint(20)".to_owned(),
        ColumnType::Boolean => "tinyint(1)".to_owned(),
        ColumnType::VarChar(n) => format!("varchar({n})"),
        ColumnType::Char(n) => format!("char({n})"),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Blob => "blob".to_owned(),
        ColumnType::MediumBlob => "mediumblob".to_owned(),
        ColumnType::LongBlob => "longblob".to_owned(),
        ColumnType::Timestamp => {
            let first = !std::mem::replace(stamped, true);
            return if first {
                "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP".to_owned()
            } else {
                "timestamp NOT NULL DEFAULT '0000-00-00 00:00:00'".to_owned()
            };
        }
    };
    let blob = matches!(column.kind, ColumnType::Blob | ColumnType::MediumBlob | ColumnType::LongBlob);
    match (column.nullable, column.numbered) {
        (_, true) => format!("{kind} NOT NULL AUTO_INCREMENT"),
        (false, _) => format!("{kind} NOT NULL"),
        (true, _) if blob => kind,
        (true, _) => format!("{kind} DEFAULT NULL"),
    }
}

fn insert(table: &Table, rows: &[Vec<Value>], blobs: Blobs, clock: Clock, out: &mut Vec<u8>) {
    let name = table.name;
    out.extend_from_slice(
        format!(
            "\n--\n-- Dumping data for table `{name}`\n--\n\nLOCK TABLES `{name}` WRITE;\n/*!40000 ALTER TABLE `{name}` DISABLE KEYS */;\n"
        )
        .as_bytes(),
    );
    let mut statement = Vec::new();
    for row in rows {
        let mut tuple = vec![b'('];
        for (i, (value, column)) in row.iter().zip(&table.columns).enumerate() {
            if i > 0 {
                tuple.push(b',');
            }
            literal(value, column, blobs, clock, &mut tuple);
        }
        tuple.push(b')');
        if !statement.is_empty() && statement.len() + tuple.len() > STATEMENT_MAX_BYTES {
            out.append(&mut statement);
            out.extend_from_slice(b";\n");
        }
        if statement.is_empty() {
            statement.extend_from_slice(format!("INSERT INTO `{name}` VALUES ").as_bytes());
        } else {
            statement.push(b',');
        }
        statement.append(&mut tuple);
    }
    if !statement.is_empty() {
        out.append(&mut statement);
        out.extend_from_slice(b";\n");
    }
    out.extend_from_slice(format!("/*!40000 ALTER TABLE `{name}` ENABLE KEYS */;\nUNLOCK TABLES;\n").as_bytes());
}

fn literal(value: &Value, column: &Column, blobs: Blobs, clock: Clock, out: &mut Vec<u8>) {
    const ZERO: &[u8] = b"'0000-00-00 00:00:00'";
    match value {
        Value::Null if column.zero_dated => out.extend_from_slice(ZERO),
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Bool(b) => out.push(if *b { b'1' } else { b'0' }),
        Value::Text(text) => quoted(text.as_bytes(), out),
        Value::Bytes(bytes) if blobs == Blobs::Hex && !bytes.is_empty() => {
            out.extend_from_slice(b"0x");
            out.extend(bytes.iter().flat_map(|b| format!("{b:02X}").into_bytes()));
        }
        Value::Bytes(bytes) => {
            out.extend_from_slice(b"_binary ");
            quoted(bytes, out);
        }
        Value::Time(time) => out.extend_from_slice(format!("'{}'", printed(*time, clock).format("%Y-%m-%d %H:%M:%S")).as_bytes()),
        Value::ZeroDate => out.extend_from_slice(ZERO),
    }
}

fn printed(time: NaiveDateTime, clock: Clock) -> NaiveDateTime {
    match clock {
        Clock::AsWritten => time,
        // A time so far out that moving it leaves the calendar is printed unmoved.
        Clock::Utc(offset) => time.checked_sub_offset(offset).unwrap_or(time),
    }
}

/// The escapes of the server's own quoting function.
fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice(b"\\0"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\'' => out.extend_from_slice(b"\\'"),
            b'"' => out.extend_from_slice(b"\\\""),
            0x1a => out.extend_from_slice(b"\\Z"),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_the_server_does() {
        let mut out = Vec::new();
        quoted(b"it's \"a\"\\\n\r\0\x1a", &mut out);
        assert_eq!(out, br#"'it\'s \"a\"\\\n\r\0\Z'"#);
    }

    #[test]
    fn rows_share_a_statement_until_it_is_full() {
        let mut rows = Rows::default();
        for id in 0..3 {
            crate::rows::row!(rows, "REG_CONTENT"; REG_CONTENT_ID = id, REG_CONTENT_DATA = vec![b'x'; 600_000], REG_TENANT_ID = 0);
        }
        let text = String::from_utf8(dump(Database::Registry, "reg", &rows, Blobs::Escaped, Clock::AsWritten)).unwrap();
        assert_eq!(text.matches("INSERT INTO `REG_CONTENT`").count(), 3);
        let text = String::from_utf8(dump(Database::Registry, "reg", &rows, Blobs::Hex, Clock::AsWritten)).unwrap();
        assert!(text.contains("(0,0x7878"));
    }
}
