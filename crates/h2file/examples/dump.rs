//! Prints the tables of an H2 page store file, or the rows of one table as tab-separated text.
//!
//! `dump FILE` lists tables; `dump FILE [SCHEMA.]TABLE` prints a line of column names, then a line for each row. Tabs,
//! line ends and backslashes in texts are written `\t`, `\n`, `\r`, `\\`; bytes are written in hexadecimal after `0x`;
//! a null is `\N`.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use h2file::{Database, Table, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let file = PathBuf::from(arguments.next().ok_or("usage: dump FILE [[SCHEMA.]TABLE]")?);
    let database = Database::open(&file)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if let Some(lock_file) = database.lock_file() {
        writeln!(std::io::stderr(), "note: {} exists; a server may have this database open", lock_file.display())?;
    }
    match arguments.next() {
        None => list(&database, &mut out)?,
        Some(name) => {
            let name = name.into_string().map_err(|_| "the table's name is not UTF-8")?;
            let (schema, name) = name.split_once('.').unwrap_or(("PUBLIC", &name));
            let table = database.table(schema, name).ok_or("no such table; names are upper case unless quoted")?;
            rows(&database, table, &mut out)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn list(database: &Database, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "# {:?}", database.info())?;
    for table in database.tables() {
        let rows = match database.rows(table) {
            Ok(rows) => rows.leave_lobs().count().to_string(),
            Err(_) => "-".to_owned(),
        };
        let columns: Vec<String> = table.columns.iter().map(|column| format!("{} {:?}", column.name, column.sql_type)).collect();
        writeln!(out, "{}.{}\t{rows}\t{}", table.schema, table.name, columns.join(", "))?;
    }
    Ok(())
}

fn rows(database: &Database, table: &Table, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    writeln!(out, "{}", names.join("\t"))?;
    for row in database.rows(table)? {
        let fields: Vec<String> = row?.iter().map(field).collect();
        writeln!(out, "{}", fields.join("\t"))?;
    }
    Ok(())
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => "\\N".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Decimal(digits) => digits.clone(),
        Value::Time(time) => time.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Timestamp(stamp) => stamp.to_string(),
        Value::Text(text) | Value::Clob(text) => text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r"),
        // Most large objects in practice are texts; those that are not are shown byte by byte.
        Value::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => field(&Value::Text(text.to_owned())),
            Err(_) => hexadecimal(bytes),
        },
        Value::Bytes(bytes) | Value::JavaObject(bytes) | Value::Geometry(bytes) => hexadecimal(bytes),
        Value::Uuid(bytes) => hexadecimal(bytes),
        Value::Array(values) => format!("[{}]", values.iter().map(field).collect::<Vec<_>>().join(", ")),
        other => other.as_i64().map_or_else(|| format!("{other:?}"), |number| number.to_string()),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}
