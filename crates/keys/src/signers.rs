//! The tenants' signing keys: loaded when first needed, made when there is none.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};

use model::{TenantId, Timestamp};
use token::{KeyFault, KeySet, SigningKey};

use crate::desk::{Clock, one_at_a_time};

/// Makes a self-signed X.509 certificate (DER) for a key: `(pkcs8, common name)`. Passed in, so that only the hall depends on a library for it.
pub type CertificateMaker = Arc<dyn Fn(&[u8], &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> + Send + Sync>;

/// After a look for a key id nobody knew, the next look at the database waits so long: strangers choose key ids.
const RELOAD_PAUSE_MS: i64 = 5_000;

/// A tenant's key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The database failed.
    #[error("the signing keys could not be read or written")]
    Store(#[from] db::Error),
    /// The key is unusable.
    #[error("the signing key cannot be used")]
    Key(#[from] KeyFault),
    /// The tenant has a key that signs, and it does not read; which one is in the log.
    #[error("the stored signing key of tenant {0} cannot be read")]
    Unreadable(TenantId),
    /// The certificate could not be made.
    #[error("no certificate could be made for the signing key")]
    Certificate(#[source] Box<dyn Error + Send + Sync>),
    /// No such tenant.
    #[error("there is no tenant {0}")]
    UnknownTenant(TenantId),
    /// The server is stopping.
    #[error("the key was not made because the server is stopping")]
    Stopping,
}

/// The signing keys of all tenants.
pub struct Signers {
    db: db::Db,
    make_certificate: CertificateMaker,
    clock: Clock,
    loaded: RwLock<Loaded>,
    /// Held while a key is made, so that a burst of first requests makes one key and not many.
    making: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Loaded {
    /// Per tenant, each with whether it signs new tokens; those that do first.
    keys: HashMap<TenantId, Vec<(bool, Arc<SigningKey>)>>,
    verifying: KeySet,
    /// Keys that do not read: whose, and their ids.
    unreadable: Vec<(TenantId, String)>,
    reloaded_at: Option<Timestamp>,
}

impl Signers {
    /// Over a database, with no key loaded yet.
    pub fn new(db: db::Db, make_certificate: CertificateMaker, clock: Clock) -> Self {
        Self { db, make_certificate, clock, loaded: RwLock::default(), making: tokio::sync::Mutex::new(()) }
    }

    /// The key the tenant signs with now; made and stored when it has none.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn ensure(&self, tenant: TenantId) -> Result<Arc<SigningKey>, SignerError> {
        if let Some(key) = self.active(tenant) {
            return Ok(key);
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(key) = self.active(tenant) {
            return Ok(key);
        }
        self.reload().await?;
        if let Some(key) = self.active(tenant) {
            return Ok(key);
        }
        // A key made in its place would change under everybody who trusts the old one, behind the operator's back.
        if self.read(|loaded| loaded.unreadable.iter().any(|(whose, _)| *whose == tenant)) {
            return Err(SignerError::Unreadable(tenant));
        }
        self.make(tenant).await?;
        self.reload().await?;
        self.active(tenant).ok_or(SignerError::UnknownTenant(tenant))
    }

    /// All keys of the tenant that may have signed a token still in use, the active one first. Makes one when there is none.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn published(&self, tenant: TenantId) -> Result<Vec<Arc<SigningKey>>, SignerError> {
        self.ensure(tenant).await?;
        Ok(self.read(|loaded| loaded.keys.get(&tenant).into_iter().flatten().map(|(_, key)| Arc::clone(key)).collect()))
    }

    /// The public keys of all tenants by key id. When `kid` is not among those loaded, the database is asked once more, since another
    /// node may have made the key.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn verifying(&self, kid: Option<&str>) -> Result<KeySet, SignerError> {
        let now = (self.clock)();
        let (known, recently) = self.read(|loaded| {
            (loaded.verifying.find(kid).is_some(), loaded.reloaded_at.is_some_and(|at| at <= now && now < at.plus_ms(RELOAD_PAUSE_MS)))
        });
        if !known && !recently {
            self.reload().await?;
        }
        Ok(self.read(|loaded| loaded.verifying.clone()))
    }

    /// How many stored keys do not read, as of the last look. Their tenants get no tokens until the key is mended or removed.
    pub fn unreadable(&self) -> usize {
        self.read(|loaded| loaded.unreadable.len())
    }

    /// Reads all keys anew, after another process changed them. A key that does not read costs its own tenant its tokens, and nobody else.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn reload(&self) -> Result<(), SignerError> {
        let mut stored = db::signing_keys::list_all(&mut self.db.read().await?).await?;
        stored.sort_by_key(|key| (!key.active, std::cmp::Reverse(key.created_at)));
        let mut keys: HashMap<TenantId, Vec<(bool, Arc<SigningKey>)>> = HashMap::new();
        let mut unreadable = Vec::new();
        for row in stored {
            let read = SigningKey::from_pkcs8(row.pkcs8.expose()).and_then(|key| key.with_certificate(&row.certificate_der));
            match read {
                Ok(key) => keys.entry(row.tenant).or_default().push((row.active, Arc::new(key.with_kid(&row.kid)))),
                Err(fault) => {
                    tracing::error!(tenant = %row.tenant, kid = row.kid, error = &fault as &dyn Error, "a stored signing key cannot be read");
                    unreadable.push((row.tenant, row.kid));
                }
            }
        }
        metrics::gauge!("tidegate_signing_keys_unreadable").set(f64::from(u32::try_from(unreadable.len()).unwrap_or(u32::MAX)));
        let verifying = KeySet::new(keys.values().flatten().map(|(_, key)| (key.kid().to_owned(), key.public().clone())));
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        *loaded = Loaded { keys, verifying, unreadable, reloaded_at: Some((self.clock)()) };
        Ok(())
    }

    async fn make(&self, tenant: TenantId) -> Result<(), SignerError> {
        let found = db::tenants::find(&mut self.db.read().await?, tenant).await?;
        let domain = found.ok_or(SignerError::UnknownTenant(tenant))?.domain;
        let make_certificate = Arc::clone(&self.make_certificate);
        // Finding two primes takes a noticeable part of a second.
        let made = tokio::task::spawn_blocking(move || {
            let key = SigningKey::generate()?;
            let pkcs8 = key.to_pkcs8()?;
            let certificate = make_certificate(pkcs8.expose(), &domain).map_err(SignerError::Certificate)?;
            Ok::<_, SignerError>((key.with_certificate(&certificate)?, pkcs8, certificate))
        });
        let (key, pkcs8, certificate_der) = made.await.map_err(|_| SignerError::Stopping)??;

        let mut tx = self.db.write().await?;
        one_at_a_time(&mut tx, "signing_key").await?;
        // Another node may have been faster; its key then is the tenant's.
        if db::signing_keys::list(&mut tx, tenant).await?.iter().any(|key| key.active) {
            return Ok(());
        }
        let row = db::signing_keys::StoredKey {
            tenant,
            kid: key.kid().to_owned(),
            pkcs8,
            certificate_der,
            created_at: (self.clock)(),
            active: true,
        };
        db::signing_keys::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(())
    }

    fn active(&self, tenant: TenantId) -> Option<Arc<SigningKey>> {
        self.read(|loaded| loaded.keys.get(&tenant)?.iter().find(|(active, _)| *active).map(|(_, key)| Arc::clone(key)))
    }

    fn read<T>(&self, look: impl FnOnce(&Loaded) -> T) -> T {
        // Writers replace the value in one step, so it is whole even if one panicked.
        look(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }
}
