//! The installation to be filled: opened without being made, or made as a first start would make it.

mod address;
mod made;
pub(crate) mod nouns;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use address::Address;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::home::{DataDir, HomeFault};
pub use db::{Db, Tx};
use db::{DbUrl, Sealer};
use made::Made;
pub use model::Secret;
use model::{Environment, Tenant, Timestamp, Vhost};
use nouns::Around;

use crate::environments::Destinations;
use crate::source::files::GatewayEnvironment;

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
    #[error("there is no installation at {}; name another with --data-dir, or make one: tidegate upgrade plan, then tidegate upgrade apply", .0.display())]
    Missing(PathBuf),
}

impl TargetPlace {
    fn address(&self) -> Address {
        self.database.clone().unwrap_or_else(|| Address::sqlite(&self.data_dir.join(DATABASE_FILE)))
    }

    /// Opens what is there, with the schema it has; `None` when there is no installation yet. Writes nothing either way: no directory, no
    /// key, no file, no table.
    ///
    /// # Errors
    ///
    /// [`TargetError`]; an installation of an older version is one, because bringing it up to date is for its own start to do.
    pub async fn open(&self) -> Result<Option<Db>, TargetError> {
        let address = self.address();
        if !address.looked_into().await? {
            return Ok(None);
        }
        let key = self.present_key()?;
        let opened = Db::open_as_it_is(address.url(), Sealer::new(*key.expose())).await;
        opened.map(Some).map_err(failed(address.url()))
    }

    /// The key of an installation that is there. A new one could not read what is stored, so none is made.
    fn present_key(&self) -> Result<Secret<[u8; 32]>, TargetError> {
        if let Some(given) = &self.key {
            let malformed = || HomeFault::KeyMalformed { place: "the environment".to_owned() };
            let bytes = Secret::new(STANDARD.decode(given.expose().trim()).map_err(|_| malformed())?);
            return Ok(bytes.expose().as_slice().try_into().map(Secret::new).map_err(|_| malformed())?);
        }
        Ok(DataDir::present_key(&self.data_dir)?)
    }

    /// Opens the target, making directory, key and database where they are missing. The database is asked first: one that does not answer,
    /// or does not let itself be filled, leaves nothing behind here.
    ///
    /// # Errors
    ///
    /// [`TargetError`].
    pub async fn open_or_make(&self) -> Result<Db, TargetError> {
        if let Some(db) = self.open().await? {
            return Ok(db);
        }
        let address = self.address();
        let made = Made::of(&self.data_dir, address.file());
        let opened = self.make(&address).await;
        // What was committed in the last moment is sealed with the new key, so unless the database surely holds nothing, the key stays.
        if opened.is_err() && matches!(address.holds_an_installation().await, Ok(false)) {
            made.undo();
        }
        opened
    }

    async fn make(&self, address: &Address) -> Result<Db, TargetError> {
        let key = DataDir::open_or_create(&self.data_dir)?.encryption_key(self.key.as_ref())?;
        Db::open_alone(address.url(), Sealer::new(*key.expose())).await.map_err(failed(address.url()))
    }
}

impl Address {
    async fn looked_into(&self) -> Result<bool, TargetError> {
        self.holds_an_installation().await.map_err(|source| TargetError::Unreachable { shown: self.url().shown(), source })
    }
}

fn failed(url: &DbUrl) -> impl Fn(db::Error) -> TargetError {
    move |source| TargetError::Db { shown: url.shown(), source }
}

/// Gives the target what every installation starts with, where it is missing. No administrator: the old one is carried.
pub(crate) async fn bootstrap(db: &Db, now: Timestamp) -> db::Result<()> {
    let mut tx = db.write().await?;
    db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(now)).await?;
    tx.commit().await
}

/// The host of an environment that nobody has made yet, as a first start makes it.
pub(crate) const NO_HOST: &str = "localhost";

/// What is around APIs: the environments they are mapped to, made where they are missing, and the host names under which they are shown there.
pub(crate) async fn around(db: &Db, destinations: &Destinations) -> db::Result<Around> {
    let mut tx = db.write().await?;
    let mut hosts: BTreeMap<String, String> = BTreeMap::new();
    for environment in db::environments::list(&mut tx).await? {
        if let Some(vhost) = environment.vhosts.first() {
            hosts.insert(environment.name.clone(), vhost.host.clone());
        }
    }
    let default = db::environments::find(&mut tx, DEFAULT_ENVIRONMENT).await?.and_then(|e| e.vhosts.into_iter().next());
    for (name, old) in destinations.named() {
        if name == DEFAULT_ENVIRONMENT || db::environments::find(&mut tx, name).await?.is_some() {
            continue;
        }
        let environment = made_for(name, &old, default.as_ref());
        hosts.extend(environment.vhosts.first().map(|vhost| (name.to_owned(), vhost.host.clone())));
        db::environments::put(&mut tx, &environment).await?;
    }
    tx.commit().await?;
    Ok(Around { destinations: destinations.clone(), hosts })
}

/// An environment that stands for old ones: their kind where they agree, and the host that the first of them was reached under.
fn made_for(name: &str, old: &[Option<&GatewayEnvironment>], default: Option<&Vhost>) -> Environment {
    let known: Vec<&GatewayEnvironment> = old.iter().copied().flatten().collect();
    let kinds: BTreeSet<&str> = known.iter().filter_map(|e| e.kind.as_deref()).collect();
    let kind = kinds.first().filter(|kind| kinds.len() == 1 && ["hybrid", "production", "sandbox"].contains(kind));
    let addresses = known.iter().filter_map(|e| e.endpoint.as_deref()).flat_map(|list| list.split(','));
    // Placeholders, such as `${carbon.host}`, name no host.
    let host = addresses
        .filter_map(|address| address.trim().split_once("://"))
        .find_map(|(_, rest)| rest.split(['/', ':', '?']).next().filter(|host| !host.is_empty() && !host.contains('$')).map(str::to_owned));
    let vhost = Vhost {
        host: host.or_else(|| default.map(|v| v.host.clone())).unwrap_or_else(|| NO_HOST.to_owned()),
        ..default.cloned().unwrap_or_else(|| Vhost {
            host: String::new(),
            http_context: String::new(),
            http_port: 8280,
            https_port: 8243,
            ws_port: 9099,
            wss_port: 8099,
        })
    };
    Environment {
        name: name.to_owned(),
        display_name: name.to_owned(),
        description: known.iter().find_map(|e| e.description.clone()),
        kind: kind.map_or("hybrid", |kind| kind).to_owned(),
        read_only: false,
        vhosts: vec![vhost],
    }
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
    async fn a_target_that_cannot_be_made_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path().join("made/for/it");
        let of = |url: &str| TargetPlace { data_dir: parent.join("data"), database: Some(Address::parse(url).unwrap()), key: None };
        // A server that does not answer, a folder that is not there, a file that is no database, a database nobody made.
        let text = folder.path().join("text");
        std::fs::write(&text, "this is no database, only a text that is long enough to be looked at".repeat(99)).unwrap();
        let nowhere = format!("sqlite:{}", folder.path().join("nowhere/tidegate.db").display());
        for url in ["postgres://u:p@127.0.0.1:1/x", &nowhere, &format!("sqlite:{}", text.display())] {
            of(url).open_or_make().await.unwrap_err();
            assert_eq!(left(folder.path()), ["text"], "{url}");
        }
        let missing = format!("postgres://postgres@127.0.0.1:5432/tidegate_never_made_{}", std::process::id());
        of(&missing).open_or_make().await.unwrap_err();
        assert_eq!(left(folder.path()), ["text"]);
        // Neither does a key that is none; what was there before stays.
        std::fs::create_dir(folder.path().join("here")).unwrap();
        let wrong = TargetPlace { data_dir: folder.path().join("here/data"), database: None, key: Some(Secret::new("short".to_owned())) };
        wrong.open_or_make().await.unwrap_err();
        assert_eq!(left(folder.path()), ["here", "text"]);
        assert!(left(&folder.path().join("here")).is_empty());
    }

    fn left(folder: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn an_older_installation_is_refused_and_not_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let place = TargetPlace { data_dir: folder.path().join("data"), database: None, key: None };
        place.open_or_make().await.unwrap().close().await;
        let file = format!("sqlite:{}", place.data_dir.join(DATABASE_FILE).display());
        let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&file).await.unwrap();
        sqlx::query("DELETE FROM schema_migration").execute(&mut connection).await.unwrap();
        for opened in [place.open().await.map(|_| ()), place.open_or_make().await.map(|_| ())] {
            let fault = opened.unwrap_err();
            assert!(matches!(&fault, TargetError::Db { source: db::Error::Older { .. }, .. }), "{fault:?}");
        }
        let steps: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM schema_migration").fetch_one(&mut connection).await.unwrap();
        assert_eq!(steps, 0);
        assert!(place.data_dir.join(KEY_FILE).exists());
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
