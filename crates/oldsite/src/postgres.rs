//! Prints rows the way `pg_dump` does: lower-case names, COPY blocks, `\\x` bytes, keys added at the end.

use crate::rows::{Rows, Value};
use crate::schema::{Column, ColumnType, Database, Table, tables_of};

/// The dump of one database, every table of its version included.
pub fn dump(database: Database, rows: &Rows) -> Vec<u8> {
    let mut out = HEAD.as_bytes().to_vec();
    let tables: Vec<&Table> = tables_of(rows.version()).iter().filter(|t| t.database() == database).collect();
    for table in &tables {
        create(table, &mut out);
    }
    for table in &tables {
        copy(table, rows.of(table), &mut out);
    }
    for table in &tables {
        finish(table, rows, &mut out);
    }
    out.extend_from_slice(b"\n--\n-- PostgreSQL database dump complete\n--\n\n");
    out
}

const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 9.4.26\n-- Dumped by pg_dump version 9.4.26\n\n\
    SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
    SET check_function_bodies = false;\nSET client_min_messages = warning;\n\nSET search_path = public, pg_catalog;\n\nSET default_tablespace = '';\n\n";

fn create(table: &Table, out: &mut Vec<u8>) {
    let name = table.name.to_lowercase();
    if table.columns.iter().any(|c| c.numbered) {
        out.extend_from_slice(
            format!(
                "--\n-- Name: {name}_seq; Type: SEQUENCE; Schema: public; Owner: -\n--\n\nCREATE SEQUENCE {name}_seq\n    START WITH 1\n    \
                 INCREMENT BY 1\n    NO MINVALUE\n    NO MAXVALUE\n    CACHE 1;\n\n\n"
            )
            .as_bytes(),
        );
    }
    let columns: Vec<String> = table.columns.iter().map(|c| format!("    {} {}", c.name.to_lowercase(), definition(c, &name))).collect();
    out.extend_from_slice(
        format!(
            "--\n-- Name: {name}; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE {name} (\n{}\n);\n\n\n",
            columns.join(",\n")
        )
        .as_bytes(),
    );
}

fn definition(column: &Column, table: &str) -> String {
    let kind = match column.kind {
        ColumnType::Integer => "integer".to_owned(),
        ColumnType::SmallInt => "smallint".to_owned(),
        ColumnType::BigInt => "bigint".to_owned(),
        ColumnType::Boolean => "boolean".to_owned(),
        ColumnType::VarChar(n) => format!("character varying({n})"),
        ColumnType::Char(n) => format!("character({n})"),
        ColumnType::Timestamp => "timestamp without time zone".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Blob | ColumnType::MediumBlob | ColumnType::LongBlob => "bytea".to_owned(),
    };
    let default = if column.numbered { format!(" DEFAULT nextval('{table}_seq'::regclass)") } else { String::new() };
    // Zero dates have no PostgreSQL form: the columns that may hold one are nullable there.
    let not_null = if column.nullable || matches!(column.kind, ColumnType::Timestamp) { "" } else { " NOT NULL" };
    format!("{kind}{default}{not_null}")
}

fn copy(table: &Table, rows: &[Vec<Value>], out: &mut Vec<u8>) {
    let name = table.name.to_lowercase();
    let columns = table.columns.iter().map(|c| c.name.to_lowercase()).collect::<Vec<_>>().join(", ");
    out.extend_from_slice(
        format!("--\n-- Data for Name: {name}; Type: TABLE DATA; Schema: public; Owner: -\n--\n\nCOPY {name} ({columns}) FROM stdin;\n")
            .as_bytes(),
    );
    for row in rows {
        for (i, value) in row.iter().enumerate() {
            if i > 0 {
                out.push(b'\t');
            }
            field(value, out);
        }
        out.push(b'\n');
    }
    out.extend_from_slice(b"\\.\n\n\n");
}

fn finish(table: &Table, rows: &Rows, out: &mut Vec<u8>) {
    let name = table.name.to_lowercase();
    if let Some(column) = table.columns.iter().find(|c| c.numbered) {
        let next = rows.next(table.name, column.name);
        out.extend_from_slice(format!("SELECT pg_catalog.setval('{name}_seq', {next}, false);\n\n").as_bytes());
    }
    if !table.primary_key.is_empty() {
        let key = table.primary_key.iter().map(|c| c.to_lowercase()).collect::<Vec<_>>().join(", ");
        out.extend_from_slice(format!("ALTER TABLE ONLY {name}\n    ADD CONSTRAINT {name}_pkey PRIMARY KEY ({key});\n\n").as_bytes());
    }
}

fn field(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::ZeroDate => out.extend_from_slice(b"\\N"),
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Bool(b) => out.push(if *b { b't' } else { b'f' }),
        Value::Text(text) => escaped(text, out),
        Value::Bytes(bytes) => {
            // One backslash belongs to the bytes' text form, the other escapes it in a COPY block.
            out.extend_from_slice(b"\\\\x");
            out.extend(bytes.iter().flat_map(|b| format!("{b:02x}").into_bytes()));
        }
        Value::Time(time) => out.extend_from_slice(time.format("%Y-%m-%d %H:%M:%S").to_string().as_bytes()),
    }
}

fn escaped(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0b => out.extend_from_slice(b"\\v"),
            0x0c => out.extend_from_slice(b"\\f"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_fields_are_escaped() {
        let mut out = Vec::new();
        for value in [Value::from("a\tb\\N\n"), Value::from(vec![0u8, 255]), Value::ZeroDate, Value::from(true)] {
            field(&value, &mut out);
            out.push(b'|');
        }
        assert_eq!(String::from_utf8(out).unwrap(), "a\\tb\\\\N\\n|\\\\x00ff|\\N|t|");
    }
}
