//! What the rows must keep of their columns' promises, faults or not.

use oldsite::{ColumnType, Dirt, Rows, Site, Value, tables};

fn check(rows: &Rows, faults: bool) {
    for table in tables() {
        for row in rows.of(table) {
            for (column, value) in table.columns.iter().zip(row) {
                let place = format!("{}.{}: {value:?}", table.name, column.name);
                let fits = match (column.kind, value) {
                    (_, Value::Null) => column.nullable || column.zero_dated,
                    (ColumnType::Integer, Value::Int(n)) => i32::try_from(*n).is_ok(),
                    (ColumnType::SmallInt, Value::Int(n)) => i16::try_from(*n).is_ok(),
                    (ColumnType::BigInt, Value::Int(_)) | (ColumnType::Boolean, Value::Bool(_)) => true,
                    (ColumnType::VarChar(max), Value::Text(text)) => text.chars().count() <= usize::from(max),
                    (ColumnType::Char(size), Value::Text(text)) => text.chars().count() == usize::from(size),
                    (ColumnType::Timestamp, Value::Time(_)) => true,
                    (ColumnType::Timestamp, Value::ZeroDate) => column.zero_dated || faults,
                    (ColumnType::Blob, Value::Bytes(bytes)) => bytes.len() < 65_536,
                    (ColumnType::MediumBlob | ColumnType::LongBlob, Value::Bytes(_)) => true,
                    _ => false,
                };
                assert!(fits, "{place}");
            }
        }
        let keys: Vec<Vec<Value>> =
            rows.of(table).iter().map(|row| table.primary_key.iter().map(|k| row[table.position(k).unwrap()].clone()).collect()).collect();
        if !table.primary_key.is_empty() {
            for (n, key) in keys.iter().enumerate() {
                assert!(!keys[..n].contains(key), "{}: {key:?} twice", table.name);
            }
        }
    }
}

#[test]
fn every_value_fits_its_column() {
    let site = Site::sample("http://127.0.0.1:9000", 1_790_000_000_000);
    for (site, faults) in [(site.clone(), false), (site.with_dirt(&Dirt::ALL), true)] {
        let built = oldsite::databases(&site);
        check(&built.am, faults);
        check(&built.user, faults);
        check(&built.registry, faults);
    }
}

/// The old server's zone moves every time but the tokens'.
#[test]
fn token_times_are_utc_and_the_rest_are_local() {
    let utc = Site::sample("http://b", 1_790_000_000_000);
    let east = utc.clone().in_time_zone(chrono::FixedOffset::east_opt(5 * 3600 + 1800).unwrap());
    let (utc, east) = (oldsite::databases(&utc), oldsite::databases(&east));
    let tokens = |d: &oldsite::Databases| d.am.values("IDN_OAUTH2_ACCESS_TOKEN", "TIME_CREATED");
    assert_eq!(tokens(&utc), tokens(&east));
    let Value::Time(here) = utc.am.values("AM_API", "CREATED_TIME")[0] else { panic!("a time") };
    let Value::Time(there) = east.am.values("AM_API", "CREATED_TIME")[0] else { panic!("a time") };
    assert_eq!((there - here).num_minutes(), 330);
}
