//! What can go wrong, told by what the caller can do about it, in the same words for both databases.
//!
//! A driver's error may hold row values in its details; only its message and code are kept ([`Cause`]), so an error may be logged.

use std::fmt;

use sqlx::error::ErrorKind;

/// A verb failed. The transaction it ran in can only be dropped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, has no free connection, or stayed locked. A retry later may work.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// No room left for writing.
    #[error("the database has no space left to write")]
    Full(#[source] Cause),
    /// Another transaction got in the way; the same work done anew may pass.
    #[error("another transaction changed the same rows at the same time")]
    Contended(#[source] Cause),
    /// A unique rule was hurt.
    #[error("there is already such a row: {what}")]
    Duplicate {
        /// The rule, as `table(column, column)`: `api(context)`.
        what: String,
    },
    /// The row names another that does not exist, or others still name the row to be deleted.
    #[error("a row it depends on is missing, or rows that depend on it remain")]
    Reference(#[source] Cause),
    /// A stored row cannot be read back.
    #[error("a stored {what} cannot be read: {detail}")]
    Corrupt {
        /// Table and row.
        what: String,
        /// What is wrong with it; never its content.
        detail: String,
    },
    /// Sealed under another key.
    #[error(
        "{what} was sealed with another encryption key; put back the encryption.key (or TIDEGATE_ENCRYPTION_KEY) this database was first started with"
    )]
    WrongKey {
        /// Table and column.
        what: String,
    },
    /// A newer binary made this database.
    #[error("the database holds migration {number} '{name}', which this version of Tidegate does not know; start the newer version")]
    Newer {
        /// Number of the unknown migration.
        number: i64,
        /// Its name.
        name: String,
    },
    /// An older binary made this database, and it was to be opened as it is.
    #[error(
        "the database's schema is at version {has} and lacks migration {lacks} '{name}' of this version of Tidegate; make a backup, then start \
         `tidegate serve` of this version on it once, which brings it up to date"
    )]
    Older {
        /// The last migration it has had; 0 when none.
        has: i64,
        /// The first one missing.
        lacks: i64,
        /// Its name.
        name: String,
    },
    /// A migration on record is not the one in the binary.
    #[error("migration {number} '{name}' was applied with another text than this version of Tidegate carries")]
    Altered {
        /// Its number.
        number: i64,
        /// Its name.
        name: String,
    },
    /// A verb in this transaction failed before, so it cannot commit.
    #[error("the transaction already failed and cannot go on")]
    Aborted,
    /// Anything else the database refused. A fault of ours, or of the machine.
    #[error("the database refused a statement")]
    Failed(#[source] Cause),
}

/// What the driver said: message and code, without row values or addresses.
#[derive(Debug)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

impl Error {
    /// Whether this is a clash on the unique rule of `table` that ends in `column`.
    #[must_use]
    pub fn is_duplicate(&self, table: &str, column: &str) -> bool {
        matches!(self, Self::Duplicate { what } if rule(what).is_some_and(|(t, columns)| t == table && columns.contains(&column)))
    }

    pub(crate) fn corrupt(what: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::Corrupt { what: what.into(), detail: detail.to_string() }
    }
}

/// `table(a, b)` taken apart.
fn rule(what: &str) -> Option<(&str, Vec<&str>)> {
    let (table, rest) = what.split_once('(')?;
    Some((table, rest.strip_suffix(')')?.split(", ").collect()))
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(refusal) => refused(refusal.as_ref()),
            E::Io(e) => unreachable_or_full(&e),
            E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => Self::Unavailable(cause(&error)),
            E::ColumnDecode { ref index, .. } => Self::corrupt(format!("column {index}"), "its type is not the expected one"),
            _ => Self::Failed(cause(&error)),
        }
    }
}

fn cause(error: &sqlx::Error) -> Cause {
    Cause(error.to_string())
}

fn unreachable_or_full(error: &std::io::Error) -> Error {
    let cause = Cause(error.to_string());
    if error.kind() == std::io::ErrorKind::StorageFull { Error::Full(cause) } else { Error::Unavailable(cause) }
}

fn refused(refusal: &dyn sqlx::error::DatabaseError) -> Error {
    let code = refusal.code().unwrap_or_default().into_owned();
    let cause = Cause(format!("{} (code {code})", refusal.message()));
    match refusal.kind() {
        ErrorKind::UniqueViolation => Error::Duplicate { what: clash(refusal) },
        ErrorKind::ForeignKeyViolation => Error::Reference(cause),
        _ => by_code(&code, cause),
    }
}

/// SQLite codes are numbers whose low byte is the kind; PostgreSQL's are five characters whose first two are the class.
fn by_code(code: &str, cause: Cause) -> Error {
    match code {
        "53100" => Error::Full(cause),
        "40001" | "40P01" | "55P03" => Error::Contended(cause),
        "57014" => Error::Unavailable(cause),
        _ if code.len() == 5 => match &code[..2] {
            "08" | "53" | "57" | "28" | "3D" => Error::Unavailable(cause),
            _ => Error::Failed(cause),
        },
        _ => match code.parse::<i32>().map(|c| c & 0xff) {
            Ok(13) => Error::Full(cause),
            Ok(5 | 6 | 10 | 14) => Error::Unavailable(cause),
            Ok(11 | 26) => Error::corrupt("database file", cause),
            _ => Error::Failed(cause),
        },
    }
}

/// The hurt rule as `table(column, column)`. PostgreSQL names the constraint, and ours are named `table__column__column`; SQLite lists
/// `table.column, table.column`.
fn clash(refusal: &dyn sqlx::error::DatabaseError) -> String {
    let mut words: Vec<String> = match refusal.constraint() {
        Some(name) => name.split("__").map(str::to_owned).collect(),
        None => sqlite_clash(refusal.message()),
    };
    if words.len() < 2 {
        return words.pop().unwrap_or_default();
    }
    let table = words.remove(0);
    format!("{table}({})", words.join(", "))
}

fn sqlite_clash(message: &str) -> Vec<String> {
    let list = message.rsplit_once("failed: ").map_or(message, |(_, list)| list);
    let table = list.split('.').next().unwrap_or_default();
    let columns = list.split(", ").filter_map(|c| c.split_once('.')).map(|(_, column)| column.to_owned());
    std::iter::once(table.to_owned()).chain(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_clash_is_told_like_a_named_constraint() {
        assert_eq!(sqlite_clash("UNIQUE constraint failed: api.tenant, api.name"), ["api", "tenant", "name"]);
    }

    #[test]
    fn codes_of_both_databases_mean_the_same() {
        let of = |code: &str| by_code(code, Cause(String::new()));
        assert!(matches!(of("13"), Error::Full(_)));
        assert!(matches!(of("53100"), Error::Full(_)));
        assert!(matches!(of("517"), Error::Unavailable(_)));
        assert!(matches!(of("57P01"), Error::Unavailable(_)));
        assert!(matches!(of("40P01"), Error::Contended(_)));
        assert!(matches!(of("779"), Error::Corrupt { .. }));
        assert!(matches!(of("42601"), Error::Failed(_)));
    }

    #[test]
    fn a_rule_is_found_by_table_and_column() {
        let error = Error::Duplicate { what: "api(tenant, name, version)".to_owned() };
        assert!(error.is_duplicate("api", "name"));
        assert!(!error.is_duplicate("api", "context"));
        assert!(!error.is_duplicate("application", "name"));
    }
}
