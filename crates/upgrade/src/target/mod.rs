//! The installation to be filled: opened without being made, or made as a first start would make it.

mod address;
pub(crate) mod nouns;

use std::path::PathBuf;

pub use address::Address;
use base64::{Engine as _, engine::general_purpose::STANDARD};
pub use db::Db;
use db::home::{DataDir, HomeFault};
use db::{DbUrl, Sealer, Tx};
pub use model::Secret;
use model::{Tenant, Timestamp};

/// As `db::home` names them.
const DATABASE_FILE: &str = "tidegate.db";
const KEY_FILE: &str = "encryption.key";

/// Where the target is.
#[derive(Debug, Clone)]
pub struct TargetPlace {
    /// Data directory, which holds the encryption key and, by default, the database.
    pub data_dir: PathBuf,
    /// Another database.
    pub database: Option<Address>,
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
    /// Its database does not say whether there is an installation in it.
    #[error("the database of the new installation cannot be looked into ({shown})")]
    Unreachable {
        /// Which.
        shown: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Nothing has been applied there.
    #[error("there is no installation at {}", .0.display())]
    Missing(PathBuf),
}

impl TargetPlace {
    fn address(&self) -> Address {
        self.database.clone().unwrap_or_else(|| Address::sqlite(&self.data_dir.join(DATABASE_FILE)))
    }

    /// Opens what is there; `None` when there is no installation yet, in which case nothing is made either: no directory, no key,
    /// no file, no table.
    ///
    /// # Errors
    ///
    /// [`TargetError`].
    pub async fn open(&self) -> Result<Option<Db>, TargetError> {
        let address = self.address();
        let shown = || address.url().shown();
        if !address.holds_an_installation().await.map_err(|source| TargetError::Unreachable { shown: shown(), source })? {
            return Ok(None);
        }
        let key = self.present_key()?;
        open(address.url(), &key).await.map(Some)
    }

    /// The key of an installation that is there. A new one could not read what is stored, so none is made.
    fn present_key(&self) -> Result<Secret<[u8; 32]>, TargetError> {
        if let Some(given) = &self.key {
            let malformed = || HomeFault::KeyMalformed { place: "the environment".to_owned() };
            let bytes = Secret::new(STANDARD.decode(given.expose().trim()).map_err(|_| malformed())?);
            return Ok(bytes.expose().as_slice().try_into().map(Secret::new).map_err(|_| malformed())?);
        }
        let file = self.data_dir.join(KEY_FILE);
        if !file.exists() {
            return Err(HomeFault::KeyMissing { key: file }.into());
        }
        Ok(DataDir::open_or_create(&self.data_dir)?.encryption_key(None)?)
    }

    /// Opens the target, making directory, key and database where they are missing.
    ///
    /// # Errors
    ///
    /// [`TargetError`].
    pub async fn open_or_make(&self) -> Result<Db, TargetError> {
        let dir = DataDir::open_or_create(&self.data_dir)?;
        let key = dir.encryption_key(self.key.as_ref())?;
        open(self.address().url(), &key).await
    }
}

async fn open(url: &DbUrl, key: &Secret<[u8; 32]>) -> Result<Db, TargetError> {
    let opened = Db::open(url, Sealer::new(*key.expose())).await;
    opened.map_err(|source| TargetError::Db { shown: url.shown(), source })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Option<Secret<String>> {
        Some(Secret::new(STANDARD.encode([7; 32])))
    }

    #[tokio::test]
    async fn looking_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (data_dir, file) = (folder.path().join("data"), folder.path().join("empty.db"));
        std::fs::write(&file, b"").unwrap();
        let elsewhere = Address::parse(&format!("sqlite:{}", file.display())).unwrap();
        for database in [None, Some(elsewhere.clone())] {
            let place = TargetPlace { data_dir: data_dir.clone(), database, key: key() };
            assert!(place.open().await.unwrap().is_none());
        }
        assert!(!data_dir.exists());
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 0, "a file without an installation is left alone");
        // With an installation there, its key is needed, and no other is made.
        let place = TargetPlace { data_dir: data_dir.clone(), database: Some(elsewhere), key: key() };
        place.open_or_make().await.unwrap().close().await;
        let without = TargetPlace { key: None, ..place.clone() };
        assert!(matches!(without.open().await, Err(TargetError::Home(HomeFault::KeyMissing { .. }))));
        std::fs::remove_dir(&data_dir).unwrap();
        place.open().await.unwrap().unwrap().close().await;
        assert!(!data_dir.exists(), "with a given key no directory is needed");
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_looked_into_is_named_without_its_password() {
        let folder = tempfile::tempdir().unwrap();
        let silent = Some(Address::parse("postgres://u:hunter2@127.0.0.1:1/x").unwrap());
        let place = TargetPlace { data_dir: folder.path().join("data"), database: silent, key: key() };
        let fault = place.open().await.unwrap_err();
        assert!(matches!(&fault, TargetError::Unreachable { .. }));
        assert!(!format!("{fault} {fault:?} {place:?}").contains("hunter2"));
    }
}
