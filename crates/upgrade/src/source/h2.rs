//! An H2 file, read by the `h2file` crate on a blocking thread.
//!
//! H2 1.2 and 1.3 store local times at the zone's standard offset all year round. With the old server's zone known, such a
//! time is put back to the wall clock the old product saw, so that the per-column rules of [`super::clock`] hold for every
//! engine alike; without it the stored clock is kept, which is right for a zone without summer time.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::{OffsetComponents, Tz};

use super::{CELL_MAX_BYTES, Column, Kind, Misfit, Reading, Row, Rows, SourceError, Table, Value, blocking, rows::Filling};

#[derive(Debug)]
pub(super) struct H2 {
    database: Arc<Opened>,
    zone: Option<Tz>,
}

struct Opened {
    path: PathBuf,
    database: h2file::Database,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "h2:{}", self.path.display())
    }
}

impl H2 {
    pub(super) async fn open(path: PathBuf, reading: Reading) -> Result<(Self, Vec<Table>), SourceError> {
        let shown = path.display().to_string();
        let (opened, tables) = blocking(&shown, move || {
            let path = existing(&path);
            let database = h2file::Database::open(&path).map_err(|cause| SourceError::H2 { path: path.clone(), cause: Box::new(cause) })?;
            let tables = database
                .tables()
                .iter()
                .filter(|table| table.schema != "INFORMATION_SCHEMA" && table.kind != h2file::TableKind::Elsewhere)
                .map(|table| {
                    let columns = table.columns.iter().map(|c| Column { name: c.name.clone(), kind: kind(&c.sql_type) }).collect();
                    Table::new(table.name.clone(), columns)
                })
                .collect();
            Ok::<_, SourceError>((Opened { path, database }, tables))
        })
        .await??;
        Ok((Self { database: Arc::new(opened), zone: reading.source_zone }, tables))
    }

    /// What an operator should know about this file.
    pub(super) fn notes(&self) -> Vec<String> {
        let path = self.database.path.display();
        let mut notes = Vec::new();
        if let Some(lock) = self.database.database.lock_file() {
            notes
                .push(format!("{path}: {} is there; stop the old server, or what is read may be older than what it knows", lock.display()));
        }
        if self.database.database.info().recovery.is_some() {
            notes.push(format!("{path}: the database was not closed; it was recovered in memory, without what was not committed"));
        }
        notes
    }

    /// The count the file tells without reading the table, when it does.
    pub(super) async fn count(&self, table: &Table, shown: &str) -> Result<Option<u64>, SourceError> {
        let (opened, name, shown) = (Arc::clone(&self.database), table.name.clone(), shown.to_owned());
        blocking(&table.name, move || match opened.table(&name) {
            None => Ok(Some(0)),
            Some(found) => {
                opened.database.row_count(found).map_err(|cause| SourceError::Read { table: name, from: shown, cause: Box::new(cause) })
            }
        })
        .await?
    }

    pub(super) fn scan(&self, table: Arc<Table>, shown: &str) -> Rows {
        let (mut filling, rows) = Rows::channel(&table.name);
        let (opened, zone, shown) = (Arc::clone(&self.database), self.zone, shown.to_owned());
        tokio::task::spawn_blocking(move || {
            let outcome = fill(&opened, &table, zone, &shown, &mut filling);
            filling.finish_blocking(outcome);
        });
        rows
    }
}

impl Opened {
    fn table(&self, name: &str) -> Option<&h2file::Table> {
        self.database.tables().iter().find(|t| t.name == name && t.schema != "INFORMATION_SCHEMA")
    }
}

fn kind(declared: &h2file::SqlType) -> Kind {
    use h2file::SqlType as T;
    match declared {
        T::Boolean => Kind::Bool,
        T::TinyInt | T::SmallInt | T::Integer | T::BigInt => Kind::Int,
        T::Timestamp | T::Date => Kind::Timestamp,
        T::Binary | T::Blob | T::JavaObject | T::Geometry => Kind::Bytes,
        T::Varchar | T::VarcharIgnoreCase | T::Char | T::Clob | T::Uuid => Kind::Text,
        _ => Kind::Other,
    }
}

fn fill(opened: &Opened, table: &Arc<Table>, zone: Option<Tz>, shown: &str, filling: &mut Filling) -> Result<(), SourceError> {
    let failed = |cause: h2file::Error| SourceError::Read { table: table.name.clone(), from: shown.to_owned(), cause: Box::new(cause) };
    let Some(found) = opened.table(&table.name) else { return Err(SourceError::Interrupted { table: table.name.clone() }) };
    let mut number = 0;
    for raw in opened.database.rows(found).map_err(failed)?.leave_lobs() {
        let raw = raw.map_err(failed)?;
        number += 1;
        let mut values = Vec::with_capacity(raw.len());
        for (at, cell) in raw.into_iter().enumerate() {
            let misfit = |why| {
                let column = table.columns.get(at).map_or("?", |c| c.name.as_str());
                SourceError::from(Row::new(Arc::clone(table), number, Vec::new()).misfit(column, why))
            };
            let cell = match cell {
                h2file::Value::Lob(lob) => match opened.database.read_lob(&lob) {
                    Err(h2file::Error::LobTooLarge { .. }) => {
                        values.push(Value::TooLarge);
                        continue;
                    }
                    read => read.map_err(failed)?,
                },
                other => other,
            };
            let value = converted(cell, zone).map_err(misfit)?;
            values.push(if value.weight() > CELL_MAX_BYTES { Value::TooLarge } else { value });
        }
        if !filling.push_blocking(Row::new(Arc::clone(table), number, values)) {
            return Ok(());
        }
    }
    Ok(())
}

fn converted(cell: h2file::Value, zone: Option<Tz>) -> Result<Value, Misfit> {
    use h2file::Value as H;
    if let Some(number) = cell.as_i64() {
        return Ok(Value::Int(number));
    }
    Ok(match cell {
        H::Null => Value::Null,
        H::Bool(b) => Value::Bool(b),
        H::Text(t) | H::Clob(t) | H::Decimal(t) => Value::Text(t),
        H::Bytes(b) | H::Blob(b) | H::JavaObject(b) | H::Geometry(b) => Value::Bytes(b),
        H::Double(n) => Value::Text(n.to_string()),
        H::Float(n) => Value::Text(n.to_string()),
        H::Time(t) => Value::Text(t.to_string()),
        H::Uuid(bytes) => Value::Text(uuid::Uuid::from_bytes(bytes).to_string()),
        H::Date(d) => Value::Timestamp(date(d)?.and_time(NaiveTime::MIN)),
        H::Timestamp(t) => {
            let seconds = u32::try_from(t.time.nanos / 1_000_000_000).map_err(|_| Misfit::NotTimestamp)?;
            let nanos = u32::try_from(t.time.nanos % 1_000_000_000).map_err(|_| Misfit::NotTimestamp)?;
            let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos).ok_or(Misfit::NotTimestamp)?;
            let stored = date(t.date)?.and_time(time);
            Value::Timestamp(match (t.clock, zone) {
                (h2file::Clock::Standard, Some(zone)) => wall_clock(stored, zone),
                (h2file::Clock::Standard, None) | (h2file::Clock::Wall, _) => stored,
            })
        }
        // A large object left in place, an array: no old column read by us holds one.
        _ => return Err(Misfit::NotText),
    })
}

fn date(date: h2file::CivilDate) -> Result<NaiveDate, Misfit> {
    let year = i32::try_from(date.year).map_err(|_| Misfit::NotTimestamp)?;
    NaiveDate::from_ymd_opt(year, u32::from(date.month), u32::from(date.day)).ok_or(Misfit::NotTimestamp)
}

/// From standard time to the clock on the wall of that zone.
fn wall_clock(standard: NaiveDateTime, zone: Tz) -> NaiveDateTime {
    zone.from_utc_datetime(&(standard - standard_offset(standard, zone))).naive_local()
}

/// What Java took for the zone's standard offset: that of the time when clocks are furthest back.
///
/// The time zone database calls summer the standard of a few zones (Dublin, Casablanca) and lets winter be a *negative* saving. Java's
/// edition of it does not, so of such a zone the saving belongs to the standard offset, in summer too: a look half a year around tells.
/// The standard offset hardly ever changes; taking it at the stored time read as UTC is exact but for those hours.
fn standard_offset(standard: NaiveDateTime, zone: Tz) -> TimeDelta {
    let base = zone.offset_from_utc_datetime(&standard).base_utc_offset();
    let around = (-13..=13).filter_map(|step| standard.checked_add_signed(TimeDelta::days(15 * step)));
    let least = around.map(|at| zone.offset_from_utc_datetime(&at)).filter(|o| o.base_utc_offset() == base).map(|o| o.dst_offset()).min();
    base + least.unwrap_or_default().min(TimeDelta::zero())
}

/// The path itself, or the database file it names without its ending, as H2 addresses do.
fn existing(path: &Path) -> PathBuf {
    if path.is_file() {
        return path.to_owned();
    }
    for ending in [".h2.db", ".mv.db"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let candidate = PathBuf::from(name);
        if candidate.is_file() {
            return candidate;
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_times_come_back_to_the_wall_clock() {
        let at = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        let zone = chrono_tz::Europe::Berlin;
        assert_eq!(wall_clock(at("2015-07-01 12:00"), zone), at("2015-07-01 13:00"));
        assert_eq!(wall_clock(at("2015-01-01 12:00"), zone), at("2015-01-01 12:00"));
        assert_eq!(wall_clock(at("2015-07-01 12:00"), chrono_tz::Asia::Colombo), at("2015-07-01 12:00"));
    }

    #[test]
    fn a_zone_whose_winter_is_a_negative_saving_has_its_winter_for_standard() {
        let at = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        let zone = chrono_tz::Europe::Dublin;
        assert_eq!(wall_clock(at("2015-07-01 11:00"), zone), at("2015-07-01 12:00"));
        assert_eq!(wall_clock(at("2015-01-01 12:00"), zone), at("2015-01-01 12:00"));
    }
}
