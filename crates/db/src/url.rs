//! Where the database is. The address may hold a password, so nothing here prints it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// A parsed address: `sqlite:PATH` or `postgres://user:password@host:port/database?sslmode=…`.
#[derive(Clone)]
pub struct DbUrl(pub(crate) Place);

#[derive(Clone)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// The address was not understood. Never repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// Neither of the two schemes.
    #[error("a database address starts with 'sqlite:' or 'postgres://'")]
    Scheme,
    /// `sqlite:` without a path.
    #[error("'sqlite:' must be followed by the path of a file")]
    NoPath,
    /// PostgreSQL's part was refused.
    #[error("the PostgreSQL address is not well formed; expected postgres://user:password@host:port/database")]
    Postgres,
}

impl DbUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// [`UrlFault`] for an unknown scheme, an empty path or an ill-formed PostgreSQL address.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(UrlFault::NoPath) } else { Ok(Self::sqlite(Path::new(path))) };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(text).map_err(|_| UrlFault::Postgres)?;
            return Ok(Self(Place::Postgres(Box::new(options))));
        }
        Err(UrlFault::Scheme)
    }

    /// A SQLite file.
    #[must_use]
    pub fn sqlite(path: &Path) -> Self {
        Self(Place::Sqlite(path.to_owned()))
    }

    /// Where it is, for people: the file, or host and database; never user or password.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.0 {
            Place::Sqlite(path) => format!("SQLite file {}", path.display()),
            Place::Postgres(o) => {
                format!("PostgreSQL database {} on {}:{}", o.get_database().unwrap_or("(default)"), o.get_host(), o.get_port())
            }
        }
    }

    /// Whether it is a SQLite file, which only one process should serve from.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.0, Place::Sqlite(_))
    }
}

impl fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DbUrl({})", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        assert!(DbUrl::parse("sqlite:/var/lib/x.db").unwrap().is_sqlite());
        assert_eq!(DbUrl::parse("sqlite:///var/x.db").unwrap().shown(), "SQLite file /var/x.db");
        assert_eq!(DbUrl::parse("sqlite:").unwrap_err(), UrlFault::NoPath);
        assert_eq!(DbUrl::parse("mysql://x").unwrap_err(), UrlFault::Scheme);
        assert_eq!(DbUrl::parse("postgres://h:notaport/x").unwrap_err(), UrlFault::Postgres);
    }

    #[test]
    fn a_password_is_not_shown() {
        let url = DbUrl::parse("postgres://u:hunter2@db.example:5433/tg").unwrap();
        assert_eq!(format!("{url:?}"), "DbUrl(PostgreSQL database tg on db.example:5433)");
    }
}
