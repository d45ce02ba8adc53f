//! Puts a site into a folder: `home/` with the installation's files, and the three dumps beside it.

use std::path::{Path, PathBuf};

use crate::mysql::{self, Blobs, Clock};
use crate::schema::Database;
use crate::site::Site;
use crate::{config, databases, postgres, synapse};

/// Which server the site ran on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    MySql(Blobs),
    Postgres,
}

/// One database as master-datasources.xml names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `jdbc:mysql://…` or `jdbc:postgresql://…`
    pub url: String,
    pub username: String,
    pub password: String,
}

impl Link {
    /// The JDBC driver class that goes with the URL.
    pub(crate) fn driver(&self) -> &'static str {
        if self.url.starts_with("jdbc:postgresql:") { "org.postgresql.Driver" } else { "com.mysql.jdbc.Driver" }
    }
}

/// Where the three databases are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    pub am: Link,
    pub user: Link,
    pub registry: Link,
}

impl Links {
    /// Three databases called `names` (API Manager, user, registry) on one server, `at` being `host:port`.
    pub fn on(dialect: Dialect, at: &str, username: &str, password: &str, names: [&str; 3]) -> Self {
        let scheme = match dialect {
            Dialect::MySql(_) => "mysql",
            Dialect::Postgres => "postgresql",
        };
        let link =
            |name: &str| Link { url: format!("jdbc:{scheme}://{at}/{name}"), username: username.to_owned(), password: password.to_owned() };
        let [am, user, registry] = names;
        Self { am: link(am), user: link(user), registry: link(registry) }
    }

    /// Databases nobody can reach: for sites that are read from dumps only.
    pub fn unreachable(dialect: Dialect) -> Self {
        Self::on(dialect, "db.old.example:1", "wso2carbon", "wso2carbon", ["apimgtdb", "userdb", "regdb"])
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The old installation's home, the folder that holds `repository`.
    pub home: PathBuf,
    /// Dumps.
    pub am_sql: PathBuf,
    pub user_sql: PathBuf,
    pub registry_sql: PathBuf,
}

/// A file could not be written.
#[derive(Debug)]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot write {}", self.path.display())
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Site {
    /// Writes the site below `dir`, replacing files of the same names.
    ///
    /// # Errors
    ///
    /// [`WriteError`] names the file the system refused.
    pub fn write(&self, dir: &Path, dialect: Dialect, links: &Links) -> Result<Written, WriteError> {
        let home = dir.join("home");
        for (path, text) in config::files(self, links).into_iter().chain(synapse::files(self)) {
            put(&home.join(path), text.as_bytes())?;
        }
        let built = databases(self);
        let clock = if self.mysql_dump_in_utc { Clock::Utc(self.utc_offset) } else { Clock::AsWritten };
        let dump = |database, file: &str, name: &str, rows| {
            let path = dir.join(file);
            let text = match dialect {
                Dialect::MySql(blobs) => mysql::dump(database, name, rows, blobs, clock),
                Dialect::Postgres => postgres::dump(database, rows),
            };
            put(&path, &text).map(|()| path)
        };
        Ok(Written {
            am_sql: dump(Database::Am, "am.sql", "apimgtdb", &built.am)?,
            user_sql: dump(Database::User, "user.sql", "userdb", &built.user)?,
            registry_sql: dump(Database::Registry, "registry.sql", "regdb", &built.registry)?,
            home,
        })
    }
}

pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)
}
