//! One cell of an old table, and the readings of it a caller may ask for.
//!
//! The four engines disagree about types (a boolean is `TINYINT`, `BIT`, `t` or `TRUE`; a blob is bytes, hex or text), so the
//! cell keeps what the engine gave and each getter says what it accepts. Nothing is guessed: a reading that does not fit is
//! an error, never a default.

use chrono::{NaiveDate, NaiveDateTime};

/// The largest single value read from any source. Beyond it the row is refused rather than held in memory.
pub const CELL_MAX_BYTES: usize = 64 * 1024 * 1024;

/// What a column holds, as far as its declaration tells. Only a hint for decoding text-shaped sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Characters.
    Text,
    /// Raw bytes.
    Bytes,
    /// Whole numbers.
    Int,
    /// True or false.
    Bool,
    /// A wall clock without zone.
    Timestamp,
    /// Anything else; kept as text when it is text.
    Other,
}

impl Kind {
    /// Reads a declared SQL type name of any engine, in any case, with or without `(length)`.
    pub fn of_sql_type(declared: &str) -> Self {
        let word: String =
            declared.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>().to_ascii_lowercase();
        match word.as_str() {
            "int" | "integer" | "bigint" | "smallint" | "mediumint" | "tinyint" | "int2" | "int4" | "int8" | "serial" | "bigserial"
            | "smallserial" | "identity" | "year" | "number" => Self::Int,
            "bool" | "boolean" => Self::Bool,
            "timestamp" | "datetime" | "datetime2" | "smalldatetime" | "date" => Self::Timestamp,
            "varchar" | "char" | "character" | "text" | "tinytext" | "mediumtext" | "longtext" | "clob" | "nvarchar" | "nchar"
            | "varchar2" | "nvarchar2" | "nclob" | "ntext" | "varchar_ignorecase" | "enum" | "set" | "bpchar" | "name" | "uuid"
            | "json" | "jsonb" => Self::Text,
            "blob" | "tinyblob" | "mediumblob" | "longblob" | "binary" | "varbinary" | "bytea" | "bit" | "image" | "raw" => Self::Bytes,
            _ => Self::Other,
        }
    }
}

/// The column that holds the bytes of all files. Only there do cells grow beyond what is read, so only there is it asked before.
pub(super) const FILE_BYTES: &str = "REG_CONTENT_DATA";

/// One cell.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Characters.
    Text(String),
    /// Raw bytes; also text that is not UTF-8.
    Bytes(Vec<u8>),
    /// A wall clock, zone unknown.
    Timestamp(NaiveDateTime),
    /// There is something, larger than [`CELL_MAX_BYTES`], and it was not read. Whoever asks for it gets [`Misfit::TooLarge`].
    TooLarge,
}

// Cells hold password hashes, secrets and tokens, and nobody knows which: only the shape is printable.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Int(_) => f.write_str("Int(…)"),
            Self::Bool(_) => f.write_str("Bool(…)"),
            Self::Text(t) => write!(f, "Text({} bytes)", t.len()),
            Self::Bytes(b) => write!(f, "Bytes({} bytes)", b.len()),
            Self::Timestamp(_) => f.write_str("Timestamp(…)"),
            Self::TooLarge => f.write_str("TooLarge"),
        }
    }
}

/// Why a cell cannot be read as asked. Never shows the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Not valid UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// Not a whole number.
    #[error("is not a whole number")]
    NotInt,
    /// Neither true nor false.
    #[error("is neither true nor false")]
    NotBool,
    /// Not a date and time.
    #[error("is not a date and time")]
    NotTimestamp,
    /// Empty or absent where the old product always writes one.
    #[error("is empty or absent")]
    Missing,
    /// Larger than [`CELL_MAX_BYTES`].
    #[error("is larger than 64 MiB")]
    TooLarge,
}

impl Value {
    /// Makes a cell of the text form an engine gave.
    ///
    /// A form that does not fit the declared kind is kept as text, so that the error comes when and where somebody asks.
    pub fn from_text_form(kind: Kind, form: Vec<u8>) -> Self {
        let text = match String::from_utf8(form) {
            Ok(text) => text,
            Err(not_utf8) => return Self::Bytes(not_utf8.into_bytes()),
        };
        match kind {
            Kind::Bytes => Self::Bytes(text.into_bytes()),
            Kind::Int => match text.trim().parse() {
                Ok(n) => Self::Int(n),
                Err(_) => Self::Text(text),
            },
            Kind::Bool => match parse_bool(&text) {
                Some(b) => Self::Bool(b),
                None => Self::Text(text),
            },
            Kind::Timestamp => match parse_timestamp(&text) {
                Ok(Some(t)) => Self::Timestamp(t),
                Ok(None) => Self::Null,
                Err(_) => Self::Text(text),
            },
            Kind::Text | Kind::Other => Self::Text(text),
        }
    }

    /// True for SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As characters.
    ///
    /// # Errors
    ///
    /// [`Misfit::NotText`] for bytes that are not UTF-8.
    pub fn text(&self) -> Result<Option<String>, Misfit> {
        Ok(Some(match self {
            Self::Null => return Ok(None),
            Self::Int(n) => n.to_string(),
            Self::Bool(b) => b.to_string(),
            Self::Text(t) => t.clone(),
            Self::Bytes(b) => std::str::from_utf8(b).map_err(|_| Misfit::NotText)?.to_owned(),
            Self::Timestamp(t) => t.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
            Self::TooLarge => return Err(Misfit::TooLarge),
        }))
    }

    /// As a whole number; a boolean counts 1 or 0, and a `BIT(1)` byte its value.
    ///
    /// # Errors
    ///
    /// [`Misfit::NotInt`].
    pub fn int(&self) -> Result<Option<i64>, Misfit> {
        match self {
            Self::Null => Ok(None),
            Self::Int(n) => Ok(Some(*n)),
            Self::Bool(b) => Ok(Some(i64::from(*b))),
            Self::Text(t) => t.trim().parse().map(Some).map_err(|_| Misfit::NotInt),
            Self::Bytes(b) => match b.as_slice() {
                [bit @ (0 | 1)] => Ok(Some(i64::from(*bit))),
                other => std::str::from_utf8(other).ok().and_then(|t| t.trim().parse().ok()).map(Some).ok_or(Misfit::NotInt),
            },
            Self::Timestamp(_) => Err(Misfit::NotInt),
            Self::TooLarge => Err(Misfit::TooLarge),
        }
    }

    /// As true or false: a number is true unless 0; text may be true/false, t/f, y/n, 1/0 in any case.
    ///
    /// # Errors
    ///
    /// [`Misfit::NotBool`].
    pub fn bool(&self) -> Result<Option<bool>, Misfit> {
        match self {
            Self::Null => Ok(None),
            Self::Int(n) => Ok(Some(*n != 0)),
            Self::Bool(b) => Ok(Some(*b)),
            Self::Text(t) => parse_bool(t).map(Some).ok_or(Misfit::NotBool),
            Self::Bytes(b) => match b.as_slice() {
                [0] => Ok(Some(false)),
                [1] => Ok(Some(true)),
                other => std::str::from_utf8(other).ok().and_then(parse_bool).map(Some).ok_or(Misfit::NotBool),
            },
            Self::Timestamp(_) => Err(Misfit::NotBool),
            Self::TooLarge => Err(Misfit::TooLarge),
        }
    }

    /// As bytes; text gives its UTF-8 bytes, which is exact for a blob that a dump wrote as text.
    ///
    /// # Errors
    ///
    /// [`Misfit::NotText`] for numbers and dates, which have no bytes of their own.
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, Misfit> {
        match self {
            Self::Null => Ok(None),
            Self::Text(t) => Ok(Some(t.clone().into_bytes())),
            Self::Bytes(b) => Ok(Some(b.clone())),
            Self::Int(_) | Self::Bool(_) | Self::Timestamp(_) => Err(Misfit::NotText),
            Self::TooLarge => Err(Misfit::TooLarge),
        }
    }

    /// As a wall clock. MySQL's zero date (and any date with a zero month or day) reads as NULL.
    ///
    /// # Errors
    ///
    /// [`Misfit::NotTimestamp`].
    pub fn timestamp(&self) -> Result<Option<NaiveDateTime>, Misfit> {
        match self {
            Self::Null => Ok(None),
            Self::Timestamp(t) => Ok(Some(*t)),
            Self::Text(t) => parse_timestamp(t),
            Self::Bytes(b) => parse_timestamp(std::str::from_utf8(b).map_err(|_| Misfit::NotTimestamp)?),
            Self::Int(_) | Self::Bool(_) => Err(Misfit::NotTimestamp),
            Self::TooLarge => Err(Misfit::TooLarge),
        }
    }

    /// The bytes this cell holds in memory, for bounding batches.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(t) => t.len(),
            Self::Bytes(b) => b.len(),
            _ => 8,
        }
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "y" | "yes" => Some(true),
        "false" | "f" | "0" | "n" | "no" | "" => Some(false),
        _ => None,
    }
}

/// Reads `YYYY-MM-DD[ T]HH:MM:SS[.fraction]` or a bare date. An offset is refused: no old column has one, and dropping it would
/// silently move the time.
fn parse_timestamp(text: &str) -> Result<Option<NaiveDateTime>, Misfit> {
    let text = text.trim();
    if text.is_empty() || text == "infinity" || text == "-infinity" {
        return Ok(None);
    }
    let date_part = text.get(..10).ok_or(Misfit::NotTimestamp)?;
    if date_part.starts_with("0000-") || date_part.get(5..7) == Some("00") || date_part.get(8..10) == Some("00") {
        return Ok(None);
    }
    // The last is DB2's.
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d-%H.%M.%S%.f"] {
        if let Ok(t) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(Some(t));
        }
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|d| d.and_hms_opt(0, 0, 0)).map(Some).ok_or(Misfit::NotTimestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_dates_are_null_and_offsets_are_refused() {
        assert_eq!(parse_timestamp("0000-00-00 00:00:00"), Ok(None));
        assert_eq!(parse_timestamp("2015-00-10 00:00:00"), Ok(None));
        assert_eq!(parse_timestamp("2015-06-01 10:11:12+02"), Err(Misfit::NotTimestamp));
        let t = parse_timestamp("2015-06-01 10:11:12.345").unwrap().unwrap();
        assert_eq!(t.to_string(), "2015-06-01 10:11:12.345");
    }

    #[test]
    fn a_boolean_reads_in_every_engine_spelling() {
        for cell in [Value::Int(1), Value::Bool(true), Value::Text("t".into()), Value::Text("TRUE".into()), Value::Bytes(vec![1])] {
            assert_eq!(cell.bool(), Ok(Some(true)), "{cell:?}");
        }
        for cell in [Value::Int(0), Value::Text("false".into()), Value::Bytes(vec![0]), Value::Bytes(b"0".to_vec())] {
            assert_eq!(cell.bool(), Ok(Some(false)), "{cell:?}");
        }
        assert_eq!(Value::Text("maybe".into()).bool(), Err(Misfit::NotBool));
    }

    #[test]
    fn debug_hides_what_a_cell_holds() {
        assert_eq!(format!("{:?}", Value::Text("hunter2".into())), "Text(7 bytes)");
    }
}
