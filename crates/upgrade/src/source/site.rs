//! The databases of one old installation and which of them holds what.
//!
//! A site may keep everything in one schema, in the usual two, or split user management, identity and registry apart. What is
//! where is told by the tables themselves; only a mounted registry needs the configuration to say which database it means.

use std::sync::Arc;

use super::keystore::OldKey;
use super::{Location, Reading, Source, SourceError, Version, version};
use crate::changes::Changes;

/// The databases by duty. One source may serve several.
#[derive(Debug, Clone)]
pub struct SiteDatabases {
    /// AM_*.
    pub api: Arc<Source>,
    /// IDN_*, SP_*, IDP_*: clients and tokens.
    pub identity: Arc<Source>,
    /// UM_*.
    pub users: Arc<Source>,
    /// REG_* of the local registry.
    pub registry: Arc<Source>,
    /// Parts of the registry's tree that live elsewhere.
    pub mounts: Vec<MountedRegistry>,
}

/// A part of the registry's tree kept in another database.
#[derive(Debug, Clone)]
pub struct MountedRegistry {
    /// The path as the product sees it, such as `/_system/governance`.
    pub path: String,
    /// The path inside that database.
    pub target: String,
    /// That database.
    pub source: Arc<Source>,
}

/// All databases of an installation, opened, with their version.
#[derive(Debug, Clone)]
pub struct Site {
    /// By duty.
    pub databases: SiteDatabases,
    /// Each opened source once.
    pub sources: Vec<Arc<Source>>,
    /// Told by the schema.
    pub version: Version,
    /// What opens encrypted tokens, where they are and it is known.
    pub key: Option<Arc<OldKey>>,
    /// What has changed since it was last carried, where only that is to be read.
    pub changes: Option<Arc<Changes>>,
}

impl Site {
    /// Opens the databases an operator named; each duty goes to the first that has its tables.
    ///
    /// # Errors
    ///
    /// [`SourceError`], among them [`SourceError::TooNew`] and [`SourceError::NotApiManager`].
    pub async fn open(locations: &[Location], reading: Reading) -> Result<Self, SourceError> {
        let mut sources = Vec::with_capacity(locations.len());
        for location in locations {
            sources.push(Arc::new(Source::open(location, reading).await?));
        }
        Self::of(sources, None, None, Vec::new())
    }

    /// Opens the databases a home's configuration names.
    ///
    /// # Errors
    ///
    /// As [`Site::open`]; also when the configuration names a datasource it does not define or that cannot be read.
    pub async fn open_home(home: &super::files::Home, reading: Reading) -> Result<Self, SourceError> {
        let mut sources: Vec<Arc<Source>> = Vec::new();
        let mut by_name: Vec<(String, Arc<Source>)> = Vec::new();
        for jndi in home.wanted_datasources() {
            let location = home.location_of(&jndi)?;
            let shown = location.to_string();
            let source = match sources.iter().find(|s| s.to_string() == shown) {
                Some(source) => Arc::clone(source),
                None => {
                    let source = Arc::new(Source::open(&location, reading).await?);
                    sources.push(Arc::clone(&source));
                    source
                }
            };
            by_name.push((jndi, source));
        }
        let named = |jndi: &str| by_name.iter().find(|(name, _)| name == jndi).map(|(_, s)| Arc::clone(s));
        let mut mounts = Vec::new();
        for mount in &home.mounts {
            if let Some(source) = named(&mount.datasource) {
                mounts.push(MountedRegistry { path: mount.path.clone(), target: mount.target.clone(), source });
            }
        }
        let registry = home.registry_datasource.as_deref().and_then(named);
        let identity = home.identity_datasource.as_deref().and_then(named);
        Self::of(sources, registry, identity, mounts)
    }

    fn of(
        sources: Vec<Arc<Source>>,
        registry: Option<Arc<Source>>,
        identity: Option<Arc<Source>>,
        mounts: Vec<MountedRegistry>,
    ) -> Result<Self, SourceError> {
        let what = sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let version = version::detect(&what, |table, column| {
            sources.iter().any(|s| match column {
                Some(column) => s.has(table, column),
                None => s.table(table).is_some(),
            })
        })?;
        let with = |table: &'static str, what: &'static str| {
            let found = sources.iter().find(|s| s.table(table).is_some());
            found.map(Arc::clone).ok_or(SourceError::PartMissing { table, what })
        };
        let preferred = |named: Option<Arc<Source>>, table: &'static str, what: &'static str| match named {
            Some(source) if source.table(table).is_some() => Ok(source),
            _ => with(table, what),
        };
        let api = with("AM_API", "APIs, applications and subscriptions")?;
        // Carbon's own schema may carry empty identity tables too: the one beside the AM tables is the usual home.
        let identity = identity.or_else(|| api.table("IDN_OAUTH_CONSUMER_APPS").map(|_| Arc::clone(&api)));
        let databases = SiteDatabases {
            identity: preferred(identity, "IDN_OAUTH_CONSUMER_APPS", "OAuth clients and tokens")?,
            users: with("UM_USER", "users, roles and tenants")?,
            registry: preferred(registry, "REG_RESOURCE", "API definitions, documents and tiers")?,
            api,
            mounts,
        };
        Ok(Self { databases, sources, version, key: None, changes: None })
    }

    /// What an operator should know about these sources.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.sources.iter().flat_map(|s| s.notes()).collect();
        let db = &self.databases;
        let mut used: Vec<(&str, Vec<&Arc<Source>>)> = vec![
            ("AM_API", vec![&db.api]),
            ("IDN_OAUTH_CONSUMER_APPS", vec![&db.identity]),
            ("UM_USER", vec![&db.users]),
            ("REG_RESOURCE", vec![&db.registry]),
        ];
        if let Some((_, registries)) = used.last_mut() {
            registries.extend(db.mounts.iter().map(|m| &m.source));
        }
        for (table, read) in used {
            for source in &self.sources {
                if source.table(table).is_some() && !read.iter().any(|r| Arc::ptr_eq(r, source)) {
                    notes.push(format!("{source} has a table {table} too; it is counted but not read"));
                }
            }
        }
        notes
    }
}
