//! An old installation, opened where the operator says it is, and read.

use std::path::PathBuf;
use std::sync::Arc;

use chrono_tz::Tz;
use db::Db;
use model::{Secret, Timestamp};

use crate::changes::{self, ChangesError};
use crate::old::{
    Installation, Keys,
    people::SUPER_TENANT_ID,
    stores::{self, OldUserStore},
};
use crate::source::{
    Kind, Location, Reading, Site, SourceError,
    clock::{Clock, WrittenIn, written_in},
    files::Home,
    keypairs,
    keystore::{KeyStoreFault, OldKey},
};
use crate::translate::{EndpointMap, Input, Serving};

/// Where an old installation is.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Its folder; without it what only files hold is missing.
    pub home: Option<PathBuf>,
    /// Its databases; without them the folder's configuration names them.
    pub databases: Vec<Location>,
    /// The time zone it ran in. UTC when not given.
    pub zone: Option<Tz>,
    /// Password of its keystore and the key in it; without one the configuration's are taken.
    pub key_store_password: Option<Secret<String>>,
    /// Go on without clients and tokens that are encrypted and cannot be opened.
    pub leave_encrypted: bool,
    /// PEM text of authorities that vouch for directory servers.
    pub user_store_authorities: Option<String>,
    /// Take any certificate that a directory server shows.
    pub user_store_any_certificate: bool,
}

/// An old installation, read.
#[derive(Debug)]
pub struct Old {
    /// Its databases.
    pub site: Site,
    /// Its folder.
    pub home: Option<Home>,
    /// Its records.
    pub installation: Installation,
    /// Its user stores.
    pub stores: Vec<OldUserStore>,
    /// A name that stays the same however its databases are reached.
    pub source: String,
    zone: Option<Tz>,
    leave_encrypted: bool,
}

/// Neither a folder nor databases were given, or the source failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing to read.
    #[error("say where the old installation is: --source FOLDER, or all of --am-db, --user-db and --registry-db")]
    Nowhere,
    /// Reading failed.
    #[error("the old installation cannot be read")]
    Source(#[from] SourceError),
}

impl Old {
    /// Opens and reads all but tokens. Writes nothing anywhere.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn read(place: &Place) -> Result<Self, OpenError> {
        let home = place.home.as_deref().map(Home::open).transpose()?;
        let reading = Reading { database_zone: place.zone, source_zone: place.zone };
        let mut site = match (&home, place.databases.as_slice()) {
            (_, locations @ [_, ..]) => Site::open(&distinct(locations), reading).await?,
            (Some(home), []) => Site::open_home(home, reading).await?,
            (None, []) => return Err(OpenError::Nowhere),
        };
        let mut installation = Installation::read(&site, home.as_ref().map(|h| &h.settings)).await?;
        let for_stores = home.as_ref().is_some_and(stores::wants_key);
        let encrypted = installation.encryption.is_on();
        let wanted = encrypted || installation.has_sealed_files();
        let key = (wanted || for_stores).then(|| key(place, home.as_ref()));
        let key = key.map(|key| key.map(Arc::new));
        if wanted {
            match &key {
                Some(Ok(key)) => {
                    installation.unseal(key);
                    site.key = Some(Arc::clone(key));
                }
                Some(Err(fault)) if encrypted => installation.encryption.fault = Some(fault.clone()),
                // What needs it says so where it is translated; nothing a caller holds depends on it.
                Some(Err(fault)) => installation.notes.push(format!("passwords of endpoints and tenants' keystores stay closed: {fault}")),
                None => {}
            }
        }
        let mut stores = stores::read(home.as_ref(), &installation.tenants, key.as_ref().and_then(|key| key.as_deref().ok()));
        for store in &mut stores {
            trust(store, place);
        }
        if let Some(home) = &home {
            let password = place.key_store_password.as_ref();
            let settings = &home.settings;
            installation.keys = Keys {
                primary: Some(keypairs::pair(settings.key_store.as_ref(), &home.root, password)),
                trusted: Some(keypairs::trusted(settings.trust_store.as_ref(), &home.root, None)),
            };
        }
        let source = identity(&installation);
        Ok(Self { site, home, installation, stores, source, zone: place.zone, leave_encrypted: place.leave_encrypted })
    }

    /// Drops what only translation and comparison read. Files and tokens, which are read later, need the rest.
    pub fn let_go(&mut self) {
        self.installation.apis = Vec::new();
        if let Some(home) = &mut self.home {
            home.synapse = Vec::new();
        }
    }

    /// Tokens are read from here on only as far as they changed since the last whole run, where that can be told; whether it can. Findings and
    /// accounts then say nothing of the others, so this is for catching up and not for plans and comparisons.
    ///
    /// # Errors
    ///
    /// [`ChangesError`].
    pub async fn only_changes(&mut self, db: &Db, as_of: Timestamp) -> Result<bool, ChangesError> {
        self.site.changes = changes::since(&self.site, db, &self.source, as_of).await?.map(Arc::new);
        Ok(self.site.changes.is_some())
    }

    /// What is handed to translation.
    pub fn input<'a>(&'a self, endpoint_map: &'a EndpointMap, as_of: Timestamp) -> Input<'a> {
        Input {
            old: &self.installation,
            settings: self.home.as_ref().map(|h| &h.settings),
            synapse: self.home.as_ref().map_or(&[], |h| &h.synapse),
            extras: self.home.as_ref().map(|h| &h.extras),
            stores: &self.stores,
            clock: Clock::new(self.zone.unwrap_or(chrono_tz::UTC)),
            source: &self.source,
            endpoint_map,
            as_of,
            serving: Serving::of(&self.site),
            leave_encrypted: self.leave_encrypted,
        }
    }

    /// Whether anything read was written in the old server's local time, so that its zone matters.
    pub fn holds_local_times(&self) -> bool {
        let tables = self.site.sources.iter().flat_map(|source| source.tables());
        tables
            .flat_map(|t| t.columns.iter().map(move |c| (t, c)))
            .any(|(table, column)| column.kind == Kind::Timestamp && written_in(&table.name, &column.name) == WrittenIn::Local)
    }

    /// The time zone times were read in, when one was given.
    pub fn zone(&self) -> Option<Tz> {
        self.zone
    }
}

fn key(place: &Place, home: Option<&Home>) -> Result<OldKey, KeyStoreFault> {
    let home = home.ok_or(KeyStoreFault::NotNamed)?;
    OldKey::of(&home.settings.key_stores(), &home.root, place.key_store_password.as_ref())
}

/// Tells a directory's definition which certificates to take, as the operator decided.
fn trust(store: &mut OldUserStore, place: &Place) {
    let over_tls = store.property("ConnectionURL").is_some_and(|url| url.to_ascii_lowercase().contains("ldaps://"))
        || store.property("StartTLSEnabled").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    if !over_tls {
        return;
    }
    if let Some(pem) = &place.user_store_authorities {
        store.properties.push(("TrustedCertificates".to_owned(), pem.clone()));
    }
    if place.user_store_any_certificate {
        store.properties.push(("InsecureTLS".to_owned(), "true".to_owned()));
    }
}

/// One database may serve several duties; it is opened once.
fn distinct(locations: &[Location]) -> Vec<Location> {
    let mut seen: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for location in locations {
        let shown = location.to_string();
        if !seen.contains(&shown) {
            seen.push(shown);
            found.push(location.clone());
        }
    }
    found
}

/// The registry gave its root an identifier on the first start; without one, all sources look alike and only one can be taken over.
fn identity(old: &Installation) -> String {
    let root = ["/", "/_system", "/_system/governance"].iter().find_map(|path| old.registry.at(SUPER_TENANT_ID, path)?.uuid.clone());
    root.map_or_else(|| "old-installation".to_owned(), |uuid| format!("registry-{}", uuid.to_ascii_lowercase()))
}
