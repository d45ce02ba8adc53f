//! Where the target's database is, and whether an installation is in it: looked up with a connection of our own, because opening it as
//! an installation brings it up to date, and looking must not write.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use db::{DbUrl, UrlFault};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// A target's database.
#[derive(Clone)]
pub struct Address {
    url: DbUrl,
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The options hold a password.
        self.url.fmt(f)
    }
}

impl Address {
    /// Reads an address as `db` does.
    ///
    /// # Errors
    ///
    /// [`UrlFault`].
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        let (text, url) = (text.trim(), DbUrl::parse(text)?);
        let engine = match text.strip_prefix("sqlite:") {
            Some(path) => Engine::Sqlite(path.strip_prefix("//").unwrap_or(path).into()),
            None => Engine::Postgres(Box::new(PgConnectOptions::from_str(text).map_err(|_| UrlFault::Postgres)?)),
        };
        Ok(Self { url, engine })
    }

    pub(super) fn sqlite(path: &Path) -> Self {
        Self { url: DbUrl::sqlite(path), engine: Engine::Sqlite(path.to_owned()) }
    }

    pub(super) fn url(&self) -> &DbUrl {
        &self.url
    }

    /// The database's file, when it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.engine {
            Engine::Sqlite(path) => Some(path),
            Engine::Postgres(_) => None,
        }
    }

    /// Whether an installation was made there: its book of migrations is the first table of all. Writes nothing.
    pub(super) async fn holds_an_installation(&self) -> sqlx::Result<bool> {
        match &self.engine {
            Engine::Sqlite(path) if !path.exists() => Ok(false),
            Engine::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false);
                let mut connection = options.connect().await?;
                let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration')";
                let found: bool = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
                connection.close().await?;
                Ok(found)
            }
            Engine::Postgres(options) => {
                let mut connection = options.connect().await?;
                let found: bool =
                    sqlx::query_scalar("SELECT to_regclass('schema_migration') IS NOT NULL").fetch_one(&mut connection).await?;
                connection.close().await?;
                Ok(found)
            }
        }
    }
}
