//! The installation to be filled: opened without being made, or made as a first start would make it.

pub(crate) mod nouns;

use std::path::{Path, PathBuf};

use db::home::{DataDir, HomeFault};
pub use db::{Db, DbUrl};
use db::{Sealer, Tx};
pub use model::Secret;
use model::{Tenant, Timestamp};

/// Where the target is.
#[derive(Debug, Clone)]
pub struct TargetPlace {
    /// Data directory, which holds the encryption key and, by default, the database.
    pub data_dir: PathBuf,
    /// Another database.
    pub database: Option<DbUrl>,
    /// The encryption key, when it is not kept in the data directory; Base64.
    pub key: Option<Secret<String>>,
}

/// The target cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Its directory or key.
    #[error(transparent)]
    Home(#[from] HomeFault),
    /// Its database.
    #[error("the database of the new installation cannot be used ({shown})")]
    Db {
        /// Which.
        shown: String,
        /// Why.
        #[source]
        source: db::Error,
    },
    /// Nothing has been applied there.
    #[error("there is no installation at {}", .0.display())]
    Missing(PathBuf),
}

impl TargetPlace {
    fn url(&self, dir: &DataDir) -> DbUrl {
        self.database.clone().unwrap_or_else(|| dir.default_url())
    }

    /// Whether anything could be there already. A PostgreSQL database may be, as soon as there is a key for it.
    fn may_exist(&self) -> bool {
        match &self.database {
            Some(url) if !url.is_sqlite() => self.data_dir.is_dir() || self.key.is_some(),
            Some(url) => self.data_dir.is_dir() && sqlite_path(url).is_some_and(|p| p.exists()),
            None => self.data_dir.join("tidegate.db").exists(),
        }
    }

    /// Opens what is there; `None` when there is nothing yet, in which case nothing is made either.
    ///
    /// # Errors
    ///
    /// [`TargetError`].
    pub async fn open(&self) -> Result<Option<Db>, TargetError> {
        if !self.may_exist() {
            return Ok(None);
        }
        self.open_or_make().await.map(Some)
    }

    /// Opens the target, making directory, key and database where they are missing.
    ///
    /// # Errors
    ///
    /// [`TargetError`].
    pub async fn open_or_make(&self) -> Result<Db, TargetError> {
        let dir = DataDir::open_or_create(&self.data_dir)?;
        let url = self.url(&dir);
        let key = dir.encryption_key(self.key.as_ref())?;
        let opened = Db::open(&url, Sealer::new(*key.expose())).await;
        opened.map_err(|source| TargetError::Db { shown: url.shown(), source })
    }
}

/// The file of a SQLite address, which shows itself by its path.
fn sqlite_path(url: &DbUrl) -> Option<PathBuf> {
    url.shown().strip_prefix("SQLite file ").map(Path::new).map(Path::to_owned)
}

/// Gives the target what every installation starts with, where it is missing. No administrator: the old one is carried.
pub(crate) async fn bootstrap(db: &Db, now: Timestamp) -> db::Result<()> {
    let mut tx = db.write().await?;
    db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(now)).await?;
    tx.commit().await
}

/// The host name under which deployed APIs are shown.
pub(crate) async fn vhost(tx: &mut Tx) -> db::Result<String> {
    let environment = db::environments::find(tx, db::bootstrap::DEFAULT_ENVIRONMENT).await?;
    let host = environment.and_then(|e| e.vhosts.first().map(|v| v.host.clone()));
    Ok(host.unwrap_or_else(|| "localhost".to_owned()))
}
