//! Databases of real old servers. They are not part of the repository: the folder that holds them is named by
//! `TIDEGATE_SAMPLES`, and without it these tests only say that they skip.

use std::path::{Path, PathBuf};

use h2file::{Database, Row, Table, Value};

fn samples() -> Option<PathBuf> {
    let folder = std::env::var_os("TIDEGATE_SAMPLES").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: TIDEGATE_SAMPLES does not name a folder of real installations");
    }
    folder
}

fn database(samples: &Path, installation: &str, name: &str) -> Database {
    let path = samples.join(installation).join("repository/database").join(format!("{name}.h2.db"));
    Database::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn public(database: &Database) -> Vec<&Table> {
    database.tables().iter().filter(|table| table.schema == "PUBLIC").collect()
}

fn rows(database: &Database, table: &str) -> Vec<Row> {
    let table = database.table("PUBLIC", table).unwrap_or_else(|| panic!("no table {table}"));
    database.rows(table).unwrap().collect::<Result<_, _>>().unwrap()
}

fn value<'a>(database: &Database, table: &str, row: &'a Row, column: &str) -> &'a Value {
    &row[database.table("PUBLIC", table).unwrap().column(column).unwrap()]
}

#[test]
fn every_row_of_every_table_is_read() {
    let Some(samples) = samples() else { return };
    for (installation, am_tables, carbon_tables) in
        [("wso2am-1.8.0-empty", 54, 39), ("wso2am-1.9.0-empty", 54, 39), ("wso2am-2.1.0-small", 90, 39), ("wso2am-2.6.0-small", 124, 40)]
    {
        for (name, tables) in [("WSO2AM_DB", am_tables), ("WSO2CARBON_DB", carbon_tables)] {
            let database = database(&samples, installation, name);
            assert_eq!(public(&database).len(), tables, "{installation} {name}");
            assert_eq!(database.info().recovery, None);
            assert_eq!(database.lock_file(), None);
            for table in database.tables() {
                let mut count = 0;
                for row in database.rows(table).unwrap() {
                    let row = row.unwrap_or_else(|error| panic!("{installation} {name} {}: {error}", table.name));
                    assert_eq!(row.len(), table.columns.len());
                    for (value, column) in row.iter().zip(&table.columns) {
                        assert!(column.nullable || !value.is_null(), "{}.{} is null", table.name, column.name);
                    }
                    count += 1;
                }
                if let Some(told) = database.row_count(table).unwrap() {
                    assert_eq!(told, count, "{}", table.name);
                }
            }
        }
    }
}

#[test]
fn the_2_6_0_installation_has_its_api_and_what_hangs_on_it() {
    let Some(samples) = samples() else { return };
    let am = database(&samples, "wso2am-2.6.0-small", "WSO2AM_DB");
    let apis = rows(&am, "AM_API");
    assert_eq!(apis.len(), 1);
    assert_eq!(rows(&am, "AM_APPLICATION").len(), 2);
    assert_eq!(rows(&am, "AM_SUBSCRIPTION").len(), 1);
    let text = |column| value(&am, "AM_API", &apis[0], column).as_str().unwrap();
    assert!(text("CONTEXT").starts_with('/') && text("CONTEXT").ends_with(text("API_VERSION")));
    assert!(matches!(value(&am, "AM_API", &apis[0], "CREATED_TIME"), Value::Timestamp(stamp) if stamp.date.year == 2018));
}

#[test]
fn registry_contents_are_whole() {
    let Some(samples) = samples() else { return };
    for installation in ["wso2am-2.1.0-small", "wso2am-2.6.0-small"] {
        let carbon = database(&samples, installation, "WSO2CARBON_DB");
        let id = |table: &str, row: &Row, column: &str| value(&carbon, table, row, column).as_i64();
        let (mut artifacts, mut documents) = (0, 0);
        for resource in rows(&carbon, "REG_RESOURCE") {
            let Some(name) = value(&carbon, "REG_RESOURCE", &resource, "REG_NAME").as_str() else { continue };
            let Some(wanted) = id("REG_RESOURCE", &resource, "REG_CONTENT_ID") else { continue };
            if name != "api" && name != "swagger.json" {
                continue;
            }
            let contents = rows(&carbon, "REG_CONTENT");
            let content = contents.iter().find(|row| id("REG_CONTENT", row, "REG_CONTENT_ID") == Some(wanted)).unwrap();
            let text = std::str::from_utf8(value(&carbon, "REG_CONTENT", content, "REG_CONTENT_DATA").as_bytes().unwrap());
            let text = text.unwrap();
            if name == "api" {
                assert!(text.starts_with("<metadata") && text.ends_with("</metadata>"), "{installation}");
                artifacts += 1;
            } else {
                assert!(is_json(text), "{installation}: swagger.json does not read as JSON");
                documents += 1;
            }
        }
        assert!(artifacts > 0 && documents > 0, "{installation}: {artifacts} artifacts, {documents} documents");
    }
}

/// Whether the text is one JSON value and nothing after it. Enough of JSON to notice a text that lost or gained bytes.
fn is_json(text: &str) -> bool {
    fn value(text: &[u8]) -> Option<&[u8]> {
        let text = text.trim_ascii_start();
        match text.first()? {
            b'{' => list(&text[1..], b'}', |rest| value(string(rest.trim_ascii_start())?.trim_ascii_start().strip_prefix(b":")?)),
            b'[' => list(&text[1..], b']', value),
            b'"' => string(text),
            _ => {
                let end = text.iter().position(|byte| b",]} \n\r\t".contains(byte)).unwrap_or(text.len());
                let word = std::str::from_utf8(&text[..end]).ok()?;
                (["true", "false", "null"].contains(&word) || word.parse::<f64>().is_ok()).then_some(&text[end..])
            }
        }
    }
    fn list(text: &[u8], end: u8, item: impl Fn(&[u8]) -> Option<&[u8]>) -> Option<&[u8]> {
        let mut rest = text.trim_ascii_start();
        if rest.first() == Some(&end) {
            return Some(&rest[1..]);
        }
        loop {
            rest = item(rest)?.trim_ascii_start();
            match rest.first()? {
                b',' => rest = &rest[1..],
                found if *found == end => return Some(&rest[1..]),
                _ => return None,
            }
        }
    }
    fn string(text: &[u8]) -> Option<&[u8]> {
        let mut rest = text.strip_prefix(b"\"")?;
        loop {
            match rest.first()? {
                b'"' => return Some(&rest[1..]),
                b'\\' => rest = rest.get(2..)?,
                _ => rest = &rest[1..],
            }
        }
    }
    value(text.as_bytes()).is_some_and(|rest| rest.trim_ascii().is_empty())
}
