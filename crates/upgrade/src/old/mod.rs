//! The old installation as plain structs, as it is: no rule of ours is applied here, nothing is dropped, nothing repaired.
//!
//! Names of types and fields follow the old product; a field's documentation names its column. Times are wall clocks without
//! zone: [`crate::source::clock`] turns them into points in time. Tokens come as a stream, [`oauth::Tokens`], because there
//! may be millions.

pub mod apis;
pub mod consumers;
pub mod fields;
pub mod kept;
pub mod limits;
pub mod oauth;
pub mod owners;
pub mod people;
pub mod record;
pub mod registry;
pub mod stores;
pub mod strangers;

use std::collections::{BTreeMap, HashMap};
use std::{cmp::Ordering, sync::Arc};

use self::{
    apis::{APPLICATION_DATA, DefaultVersion, OldApi, Orphans, SequenceResource, StoredFile},
    consumers::{
        Application, ApplicationAttribute, ApplicationGroup, KeyDomain, KeyMapping, Registration, Subscriber, Subscription,
        SubscriptionKey, Workflow,
    },
    limits::{BlockCondition, Policies, TierFile, TierLevel, TierPermission},
    oauth::{Client, InboundAuth, ResourceScope, Scope, ScopeBinding, ServiceProvider},
    people::{
        Claim, Dialect, HybridAssignment, HybridRole, IdentityUserData, Permission, Role, RoleAssignment, RolePermission, SUPER_TENANT_ID,
        SharedRoleAssignment, Tenant, User, UserAttribute, UserDomain, UserPermission,
    },
    registry::{CONFIG, GOVERNANCE, Property, Registry},
};
use crate::packed::{Pack, Packed};
use crate::source::{
    CellError, Site, SourceError, Version, Whose,
    files::Settings,
    keypairs::{self, Certificates, OldPair},
    keystore::{KeyStoreFault, OldKey},
};

/// An old installation.
#[derive(Debug)]
pub struct Installation {
    /// Told by the schema.
    pub version: Version,
    /// When its databases were opened, milliseconds since the epoch, UTC: the moment it shows.
    pub taken_at_ms: i64,
    /// Tenants beside the super tenant, by id.
    pub tenants: Vec<Tenant>,
    /// User stores by number.
    pub user_domains: Vec<UserDomain>,
    /// Users of the primary JDBC store.
    pub users: Vec<User>,
    /// Their attributes.
    pub user_attributes: Vec<UserAttribute>,
    /// Locks and the like.
    pub identity_user_data: Vec<IdentityUserData>,
    /// Roles of the primary JDBC store.
    pub roles: Vec<Role>,
    /// Who has them.
    pub role_assignments: Vec<RoleAssignment>,
    /// Who has shared ones.
    pub shared_role_assignments: Vec<SharedRoleAssignment>,
    /// Internal roles.
    pub hybrid_roles: Vec<HybridRole>,
    /// Who has them.
    pub hybrid_assignments: Vec<HybridAssignment>,
    /// What can be allowed.
    pub permissions: Vec<Permission>,
    /// To roles.
    pub role_permissions: Vec<RolePermission>,
    /// To users.
    pub user_permissions: Vec<UserPermission>,
    /// Claim dialects (to 2.0).
    pub dialects: Vec<Dialect>,
    /// Claims (to 2.0).
    pub claims: Vec<Claim>,
    /// Tier files of all tenants.
    pub tier_files: Vec<TierFile>,
    /// Policy tables (2.0 on).
    pub policies: Policies,
    /// Who may use which tier, AM_TIER_PERMISSIONS.
    pub tier_permissions: Vec<TierPermission>,
    /// Who may use which subscription policy, AM_THROTTLE_TIER_PERMISSIONS (2.0 on).
    pub policy_permissions: Vec<TierPermission>,
    /// Refused callers (2.0 on).
    pub block_conditions: Vec<BlockCondition>,
    /// APIs.
    pub apis: Vec<OldApi>,
    /// Rows that hang on no API.
    pub orphans: Orphans,
    /// Default versions.
    pub default_versions: Vec<DefaultVersion>,
    /// Subscribers.
    pub subscribers: Vec<Subscriber>,
    /// Applications.
    pub applications: Packed<Application>,
    /// Their attributes (2.2 on).
    pub application_attributes: Packed<ApplicationAttribute>,
    /// Their groups (2.2 on).
    pub application_groups: Packed<ApplicationGroup>,
    /// Requests for keys.
    pub registrations: Packed<Registration>,
    /// Keys of applications.
    pub key_mappings: Packed<KeyMapping>,
    /// Where keys may be used from.
    pub key_domains: Packed<KeyDomain>,
    /// Subscriptions, shared with what is translated from them.
    pub subscriptions: Arc<Packed<Subscription>>,
    /// Tokens of single subscriptions.
    pub subscription_keys: Vec<SubscriptionKey>,
    /// Approvals.
    pub workflows: Vec<Workflow>,
    /// OAuth clients.
    pub oauth_clients: Packed<Client>,
    /// Service providers.
    pub service_providers: Packed<ServiceProvider>,
    /// Their sign-in settings.
    pub inbound_auths: Packed<InboundAuth>,
    /// Rows that are kept as they are.
    pub kept: kept::Kept,
    /// Scopes.
    pub oauth_scopes: Vec<Scope>,
    /// Their roles (2.5 on).
    pub scope_bindings: Vec<ScopeBinding>,
    /// Which resource wants which.
    pub resource_scopes: Vec<ResourceScope>,
    /// Per-tenant files of the registry.
    pub tenant_files: Vec<TenantFiles>,
    /// The whole registry, for what has no field of its own.
    pub registry: Registry,
    /// Whether tokens and secrets are encrypted.
    pub encryption: Encryption,
    /// The keys of the old server's own, when its folder was read.
    pub keys: Keys,
    /// Every table of every database with its number of rows.
    pub counts: Vec<TableCount>,
    /// Tables and columns that no known version has.
    pub strangers: Vec<strangers::Stranger>,
    /// Rows that could not be read, with their place.
    pub unreadable: Vec<CellError>,
    /// What an operator should know about the sources.
    pub notes: Vec<String>,
}

/// A table's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCount {
    /// The database as it shows itself.
    pub source: String,
    /// Upper case.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// The same by tenant number, where rows say whose they are; those of `None` are nobody's. See [`owners::count`].
    pub by_tenant: Option<BTreeMap<Option<i64>, u64>>,
    /// The column that says it.
    pub whose: Option<(&'static str, Whose)>,
}

/// Whether stored tokens and secrets are cipher text, and whether the old key opens it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encryption {
    /// `EncryptPersistedTokens`, when a configuration was read.
    pub configured: Option<bool>,
    /// Client secrets that look like cipher text.
    pub encrypted_secrets: u64,
    /// Why there is no key to open it, when one was looked for.
    pub fault: Option<KeyStoreFault>,
}

impl Encryption {
    /// Whether either says so.
    pub fn is_on(&self) -> bool {
        self.configured == Some(true) || self.encrypted_secrets > 0
    }
}

/// Keys of files, when there is a folder.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The super tenant's key pair, which signed its tokens to backends; or why there is none.
    pub primary: Option<Result<OldPair, KeyStoreFault>>,
    /// Certificates the old server trusted, by alias; or why there are none.
    pub trusted: Option<Result<Certificates, KeyStoreFault>>,
    /// Each tenant's own key pair, out of its keystore in the registry; or why there is none.
    pub tenants: Vec<TenantPair>,
}

/// What became of a tenant's own keystore.
#[derive(Debug, Clone)]
pub struct TenantPair {
    /// Tenant.
    pub tenant_id: i64,
    /// Path of the keystore in the registry.
    pub path: String,
    /// The key that signed for the tenant.
    pub pair: Result<OldPair, KeyStoreFault>,
}

/// One tenant's settings in the registry, as bytes. Passwords stand in several of them, so it shows only which there are.
#[derive(Clone, PartialEq, Default)]
pub struct TenantFiles {
    /// Tenant.
    pub tenant_id: i64,
    /// workflow-extensions.xml
    pub workflow_extensions: Option<Vec<u8>>,
    /// sign-up-config.xml; holds an administrator's password.
    pub sign_up: Option<model::Secret<Vec<u8>>>,
    /// tenant-conf.json (1.10 on)
    pub tenant_conf: Option<Vec<u8>>,
    /// external-api-stores.xml; holds passwords.
    pub external_stores: Option<model::Secret<Vec<u8>>>,
    /// ga-config.xml
    pub google_analytics: Option<Vec<u8>>,
    /// The APILifeCycle definition (1.10 on).
    pub api_lifecycle: Option<Vec<u8>>,
    /// Shared custom sequences.
    pub sequences: Vec<SequenceResource>,
    /// Endpoint passwords in the registry's vault: alias and cipher text.
    pub vault: Vec<Property>,
    /// The tenant's keystore, with its (encrypted) passwords among the properties.
    pub key_store: Option<(StoredFile, Vec<Property>)>,
    /// The same, opened as far as the installation's key does it.
    pub opened_key_store: Option<TenantKeyStore>,
}

impl std::fmt::Debug for TenantFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
        f.debug_struct("TenantFiles")
            .field("tenant_id", &self.tenant_id)
            .field("workflow_extensions", &length(&self.workflow_extensions))
            .field("sign_up", &self.sign_up.is_some())
            .field("tenant_conf", &length(&self.tenant_conf))
            .field("external_stores", &self.external_stores.is_some())
            .field("google_analytics", &length(&self.google_analytics))
            .field("api_lifecycle", &length(&self.api_lifecycle))
            .field("sequences", &self.sequences)
            .field("vault", &self.vault)
            .field("key_store", &self.key_store)
            .finish_non_exhaustive()
    }
}

/// Where tenants' keystores stand.
const KEY_STORES: &str = "/_system/governance/repository/security/key-stores/";

/// A tenant's keystore, whose key signs what its backends are told. Nothing in it prints.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantKeyStore {
    /// Path in the registry.
    pub path: String,
    /// The store, JKS or PKCS12.
    pub bytes: model::Secret<Vec<u8>>,
    /// The key's name in it.
    pub alias: Option<String>,
    /// Opens the store; `None` when it could not be decrypted.
    pub password: Option<model::Secret<String>>,
    /// Opens the key; `None` when it could not be decrypted.
    pub key_password: Option<model::Secret<String>>,
}

/// Which registry contents are small and deciding enough to be read at once.
fn wanted_at_once(path: &str) -> bool {
    if let Some(rest) = path.strip_prefix(APPLICATION_DATA) {
        return !rest.starts_with("/icons/")
            && !rest.starts_with("/wsdls/")
            && !rest.contains("/documentation/files/")
            && !rest.contains("/documentation/contents/");
    }
    path.starts_with("/_system/governance/apimgt/")
        || path.starts_with("/_system/config/apimgt/")
        || path.ends_with("/lifecycles/APILifeCycle")
        || path.starts_with(KEY_STORES)
        // What sequences transform and check bodies with may lie anywhere.
        || [".xsl", ".xslt", ".xsd"].iter().any(|end| path.ends_with(end))
}

impl Installation {
    /// Reads everything but tokens. `settings` come from the installation's folder when there is one.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when a database fails. Single rows that do not fit are put aside in [`Installation::unreadable`].
    pub async fn read(site: &Site, settings: Option<&Settings>) -> Result<Self, SourceError> {
        let db = &site.databases;
        let (api, identity, users) = (&*db.api, &*db.identity, &*db.users);
        let mut bad = Vec::new();
        let mut tenants: Vec<Tenant> = record::all(users, &mut bad).await?;
        tenants.sort_by_key(|t| t.id);
        let mut registry = Registry::read(db, wanted_at_once, &mut bad).await?;
        let (apis, orphans) = apis::read(api, &mut registry, &tenants, &mut bad).await?;
        let oauth_clients = in_order(record::all(identity, &mut bad).await?, by_key);
        let is_encrypted = |client: &Client| client.secret.as_ref().is_some_and(|secret| oauth::looks_encrypted(secret.expose()));
        let encrypted = oauth_clients.iter().filter(is_encrypted).count();
        let (counts, strangers) = counts(site).await?;
        let tenant_ids: Vec<i64> = std::iter::once(SUPER_TENANT_ID).chain(tenants.iter().map(|t| t.id)).collect();
        let mut kept = kept::Kept::default();
        kept.read(api, kept::OF_API, &mut bad).await?;
        kept.read(identity, kept::OF_IDENTITY, &mut bad).await?;
        let mut installation = Self {
            version: site.version,
            taken_at_ms: site.sources.iter().map(|s| s.taken_at_ms()).min().unwrap_or_default(),
            user_domains: record::all(users, &mut bad).await?,
            users: record::all(users, &mut bad).await?,
            user_attributes: record::all(users, &mut bad).await?,
            identity_user_data: record::all(identity, &mut bad).await?,
            roles: record::all(users, &mut bad).await?,
            role_assignments: record::all(users, &mut bad).await?,
            shared_role_assignments: record::all(users, &mut bad).await?,
            hybrid_roles: record::all(users, &mut bad).await?,
            hybrid_assignments: record::all(users, &mut bad).await?,
            permissions: record::all(users, &mut bad).await?,
            role_permissions: record::all(users, &mut bad).await?,
            user_permissions: record::all(users, &mut bad).await?,
            dialects: record::all(users, &mut bad).await?,
            claims: record::all(users, &mut bad).await?,
            tier_files: tenant_ids.iter().flat_map(|t| tier_files(&registry, *t)).collect(),
            policies: Policies {
                subscription: record::all(api, &mut bad).await?,
                application: record::all(api, &mut bad).await?,
                api: record::all(api, &mut bad).await?,
                groups: record::all(api, &mut bad).await?,
                query_conditions: record::all(api, &mut bad).await?,
                header_conditions: record::all(api, &mut bad).await?,
                claim_conditions: record::all(api, &mut bad).await?,
                ip_conditions: record::all(api, &mut bad).await?,
                global: record::all(api, &mut bad).await?,
            },
            tier_permissions: record::all(api, &mut bad).await?,
            policy_permissions: record::all_of(api, "AM_THROTTLE_TIER_PERMISSIONS", &mut bad).await?,
            block_conditions: record::all(api, &mut bad).await?,
            apis,
            orphans,
            default_versions: record::all(api, &mut bad).await?,
            subscribers: record::all(api, &mut bad).await?,
            applications: in_order(record::all(api, &mut bad).await?, |a: &Application, b| a.id.cmp(&b.id)),
            application_attributes: record::all(api, &mut bad).await?.into(),
            application_groups: record::all(api, &mut bad).await?.into(),
            registrations: in_order(record::all(api, &mut bad).await?, |a: &Registration, b| a.id.cmp(&b.id)),
            key_mappings: in_order(record::all(api, &mut bad).await?, by_application),
            key_domains: in_order(record::all(api, &mut bad).await?, by_consumer),
            subscriptions: Arc::new(record::packed(api, |s: &Subscription| s.id, &mut bad).await?),
            subscription_keys: record::all(api, &mut bad).await?,
            workflows: record::all(api, &mut bad).await?,
            oauth_clients,
            service_providers: in_order(record::all(identity, &mut bad).await?, |a: &ServiceProvider, b| a.id.cmp(&b.id)),
            inbound_auths: in_order(record::all(identity, &mut bad).await?, by_provider),
            kept,
            oauth_scopes: record::all(identity, &mut bad).await?,
            scope_bindings: record::all(identity, &mut bad).await?,
            resource_scopes: record::all(identity, &mut bad).await?,
            tenant_files: Vec::new(),
            encryption: Encryption {
                configured: settings.map(|s| s.encrypts_tokens),
                encrypted_secrets: u64::try_from(encrypted).unwrap_or(u64::MAX),
                fault: None,
            },
            keys: Keys::default(),
            counts,
            strangers,
            notes: site.notes(),
            tenants,
            registry,
            unreadable: Vec::new(),
        };
        installation.tenant_files = tenant_ids.iter().map(|t| tenant_files(&installation, *t)).collect();
        installation.unreadable = bad;
        installation.in_order();
        Ok(installation)
    }

    /// Puts plain text for what the old key opens; the rest stays as it is, and is told where it is translated.
    pub fn unseal(&mut self, key: &OldKey) {
        amend(&mut self.oauth_clients, by_key, |client| {
            oauth::unseal(key, &mut client.key);
            if let Some(plain) = client.secret.as_ref().and_then(|s| oauth::opened(key, s.expose())) {
                client.secret = Some(model::Secret::new(plain));
            }
        });
        amend(&mut self.inbound_auths, by_provider, |copy| {
            if let Some(text) = &mut copy.key {
                oauth::unseal(key, text);
            }
            if let Some(plain) = copy.value.as_ref().and_then(|s| oauth::opened(key, s.expose())) {
                copy.value = Some(model::Secret::new(plain));
            }
        });
        self.unseal_files(key);
        // To 1.9 consumer keys were encrypted wherever they stood.
        amend(&mut self.key_mappings, by_application, |mapping| {
            mapping.consumer_key.iter_mut().for_each(|text| oauth::unseal(key, text));
        });
        amend(&mut self.key_domains, by_consumer, |domain| oauth::unseal(key, &mut domain.consumer_key));
    }

    /// Whether anything beside tokens and clients is kept under the installation's key.
    pub fn has_sealed_files(&self) -> bool {
        self.tenant_files.iter().any(|files| !files.vault.is_empty() || files.key_store.is_some())
    }

    /// Puts passwords of endpoints from the registry's vault into their artifacts, and opens those of tenants' keystores.
    fn unseal_files(&mut self, key: &OldKey) {
        for files in &mut self.tenant_files {
            let Some(((_, properties), store)) = files.key_store.as_ref().zip(files.opened_key_store.as_mut()) else { continue };
            let open = |name: &str| {
                let sealed = properties.iter().find(|p| p.name.eq_ignore_ascii_case(name)).and_then(|p| p.value.as_deref())?;
                key.open(sealed).map(model::Secret::new)
            };
            store.password = open("password");
            store.key_password = open("privatekeyPass");
        }
        for api in &mut self.apis {
            let Some(artifact) = &mut api.artifact else { continue };
            let empty = artifact.get("overview_endpointPpassword").is_none_or(str::is_empty);
            let secured = artifact.get("overview_endpointSecured").is_some_and(|t| t.trim().eq_ignore_ascii_case("true"));
            let named = ["provider", "name", "version"].map(|field| artifact.get(&format!("overview_{field}")).map(str::to_owned));
            let [Some(provider), Some(name), Some(version)] = named else { continue };
            if !secured || !empty {
                continue;
            }
            // The provider stood there in either form.
            let aliases = [provider.replace("-AT-", "@"), provider.replace('@', "-AT-")].map(|p| format!("{p}--{name}{version}"));
            let vault = self.tenant_files.iter().filter(|files| files.tenant_id == api.tenant_id).flat_map(|files| &files.vault);
            let sealed = vault.filter(|p| aliases.contains(&p.name)).find_map(|p| p.value.as_deref());
            if let Some(plain) = sealed.and_then(|sealed| key.open(sealed)) {
                artifact.set("overview_endpointPpassword", &plain);
            }
        }
    }

    /// The tenants' own key pairs, as far as the installation's key opened the passwords beside them.
    pub fn tenant_pairs(&self) -> Vec<TenantPair> {
        let stores = self.tenant_files.iter().filter_map(|files| Some((files.tenant_id, files.opened_key_store.as_ref()?)));
        let pair = |(tenant_id, store): (i64, &TenantKeyStore)| {
            let named = store.alias.as_deref().or(self.tenant_domain(tenant_id)).unwrap_or_default();
            let pair = match &store.password {
                None => Err(KeyStoreFault::PasswordsSealed(store.path.clone())),
                Some(of_store) => {
                    let of_key = store.key_password.as_ref().unwrap_or(of_store);
                    keypairs::pair_of(store.bytes.expose(), &store.path, named, of_store, of_key)
                }
            };
            TenantPair { tenant_id, path: store.path.clone(), pair }
        };
        stores.map(pair).collect()
    }

    /// Consumer keys by the number that tokens refer to from 1.10 on.
    pub fn consumer_keys(&self) -> HashMap<i64, Box<str>> {
        self.oauth_clients.iter().filter_map(|client| Some((client.id?, client.key.into_boxed_str()))).collect()
    }

    /// A tenant's domain; `None` when there is no such tenant.
    pub fn tenant_domain(&self, tenant_id: i64) -> Option<&str> {
        if tenant_id == SUPER_TENANT_ID {
            return Some(people::SUPER_TENANT_DOMAIN);
        }
        self.tenants.iter().find(|t| t.id == tenant_id).map(|t| t.domain.as_str())
    }

    /// How many rows a table has, over all sources that have it.
    pub fn count(&self, table: &str) -> u64 {
        self.counts.iter().filter(|c| c.table.eq_ignore_ascii_case(table)).map(|c| c.rows).sum()
    }

    /// Puts rows that are not packed into the order of their keys, so that every engine gives the same installation.
    fn in_order(&mut self) {
        self.user_domains.sort_by_key(|r| (r.tenant_id, r.id));
        self.users.sort_by_key(|r| (r.tenant_id, r.id));
        self.user_attributes
            .sort_by(|a, b| (a.tenant_id, a.user_id, &a.name, &a.profile).cmp(&(b.tenant_id, b.user_id, &b.name, &b.profile)));
        self.identity_user_data.sort_by(|a, b| (a.tenant_id, &a.user_name, &a.key).cmp(&(b.tenant_id, &b.user_name, &b.key)));
        self.roles.sort_by_key(|r| (r.tenant_id, r.id));
        self.role_assignments.sort_by_key(|r| (r.tenant_id, r.role_id, r.user_id));
        self.shared_role_assignments.sort_by_key(|r| (r.role_tenant_id, r.role_id, r.user_tenant_id, r.user_id));
        self.hybrid_roles.sort_by_key(|r| (r.tenant_id, r.id));
        self.hybrid_assignments
            .sort_by(|a, b| (a.tenant_id, a.role_id, &a.user_name, a.domain_id).cmp(&(b.tenant_id, b.role_id, &b.user_name, b.domain_id)));
        self.permissions.sort_by_key(|r| (r.tenant_id, r.id));
        self.role_permissions.sort_by(|a, b| {
            (a.tenant_id, a.permission_id, &a.role, a.domain_id).cmp(&(b.tenant_id, b.permission_id, &b.role, b.domain_id))
        });
        self.user_permissions.sort_by(|a, b| (a.tenant_id, a.permission_id, &a.user).cmp(&(b.tenant_id, b.permission_id, &b.user)));
        self.dialects.sort_by_key(|r| (r.tenant_id, r.id));
        self.claims.sort_by(|a, b| (a.tenant_id, a.dialect_id, &a.uri).cmp(&(b.tenant_id, b.dialect_id, &b.uri)));
        self.tier_permissions.sort_by(|a, b| (a.tenant_id, &a.tier).cmp(&(b.tenant_id, &b.tier)));
        self.policy_permissions.sort_by(|a, b| (a.tenant_id, &a.tier).cmp(&(b.tenant_id, &b.tier)));
        self.block_conditions.sort_by_key(|r| r.id);
        self.default_versions.sort_by_key(|r| r.id);
        self.subscribers.sort_by_key(|r| r.id);
        self.subscription_keys.sort_by(|a, b| (a.subscription_id, &a.key_type).cmp(&(b.subscription_id, &b.key_type)));
        self.workflows.sort_by_key(|r| r.id);
        self.oauth_scopes.sort_by_key(|r| r.id);
        self.resource_scopes.sort_by(|a, b| (&a.resource_path, a.scope_id).cmp(&(&b.resource_path, b.scope_id)));
        self.registry.associations.sort_by(|a, b| {
            (a.tenant_id, &a.source_path, &a.kind, &a.target_path).cmp(&(b.tenant_id, &b.source_path, &b.kind, &b.target_path))
        });
    }
}

fn by_key(a: &Client, b: &Client) -> Ordering {
    a.key.cmp(&b.key)
}

fn by_application(a: &KeyMapping, b: &KeyMapping) -> Ordering {
    (a.application_id, &a.key_type).cmp(&(b.application_id, &b.key_type))
}

fn by_consumer(a: &KeyDomain, b: &KeyDomain) -> Ordering {
    (&a.consumer_key, &a.domain).cmp(&(&b.consumer_key, &b.domain))
}

fn by_provider(a: &InboundAuth, b: &InboundAuth) -> Ordering {
    (a.service_provider_id, &a.kind, &a.key).cmp(&(b.service_provider_id, &b.kind, &b.key))
}

/// Puts rows into the order of their keys, as [`Installation::in_order`] does, and packs them.
fn in_order<T: Pack + Clone>(mut rows: Vec<T>, by: impl FnMut(&T, &T) -> Ordering) -> Packed<T> {
    rows.sort_by(by);
    rows.into()
}

/// Changes every row, and puts them into their order anew.
fn amend<T: Pack + Clone>(rows: &mut Packed<T>, by: impl FnMut(&T, &T) -> Ordering, mut change: impl FnMut(&mut T)) {
    let mut all: Vec<T> = rows.iter().collect();
    all.iter_mut().for_each(&mut change);
    *rows = in_order(all, by);
}

async fn counts(site: &Site) -> Result<(Vec<TableCount>, Vec<strangers::Stranger>), SourceError> {
    let (mut found, mut strange) = (Vec::new(), Vec::new());
    for source in &site.sources {
        let tables: Vec<Arc<_>> = source.tables().map(Arc::clone).collect();
        for table in tables {
            let rows = source.count(&table.name).await?;
            strange.extend(strangers::of(&source.to_string(), &table, rows));
            found.push(TableCount {
                source: source.to_string(),
                table: table.name.to_ascii_uppercase(),
                rows,
                by_tenant: None,
                whose: None,
            });
        }
    }
    Ok((found, strange))
}

fn tier_files(registry: &Registry, tenant_id: i64) -> Vec<TierFile> {
    let levels =
        [("tiers.xml", TierLevel::Subscription), ("app-tiers.xml", TierLevel::Application), ("res-tiers.xml", TierLevel::Resource)];
    let read = |(file, level): (&str, TierLevel)| {
        let xml = registry.content(tenant_id, &format!("{APPLICATION_DATA}/{file}"))?;
        Some(TierFile { tenant_id, level, tiers: limits::tiers(xml) })
    };
    levels.into_iter().filter_map(read).collect()
}

fn tenant_files(installation: &Installation, tenant_id: i64) -> TenantFiles {
    let registry = &installation.registry;
    let bytes = |path: String| registry.content(tenant_id, &path).map(<[u8]>::to_vec);
    let mut sequences = Vec::new();
    let folder = format!("{GOVERNANCE}/apimgt/customsequences");
    for resource in registry.below(tenant_id, &folder) {
        let direction = resource.path.strip_prefix(&folder).and_then(|p| p.trim_start_matches('/').split('/').next());
        if let (Some(bytes), Some(direction)) = (&resource.content, direction) {
            sequences.push(SequenceResource {
                direction: direction.to_owned(),
                file: resource.name().to_owned(),
                uuid: resource.uuid.clone(),
                bytes: bytes.clone(),
            });
        }
    }
    let vault = registry.at(tenant_id, &format!("{CONFIG}/repository/components/secure-vault"));
    let key_store = installation.tenant_domain(tenant_id).and_then(|domain| {
        let path = format!("{GOVERNANCE}/repository/security/key-stores/{}.jks", domain.replace('.', "-"));
        let resource = registry.at(tenant_id, &path).filter(|r| r.has_content())?;
        let file = StoredFile { tenant_id, path, media_type: resource.media_type.clone() };
        Some((file, resource.properties.clone()))
    });
    TenantFiles {
        tenant_id,
        workflow_extensions: bytes(format!("{APPLICATION_DATA}/workflow-extensions.xml")),
        sign_up: bytes(format!("{APPLICATION_DATA}/sign-up-config.xml")).map(model::Secret::new),
        tenant_conf: bytes(format!("{CONFIG}/apimgt/applicationdata/tenant-conf.json")),
        external_stores: bytes(format!("{GOVERNANCE}/apimgt/externalstores/external-api-stores.xml")).map(model::Secret::new),
        google_analytics: bytes(format!("{GOVERNANCE}/apimgt/statistics/ga-config.xml")),
        api_lifecycle: registry
            .below(tenant_id, &format!("{CONFIG}/repository/components/org.wso2.carbon.governance/lifecycles"))
            .find(|r| r.name() == "APILifeCycle")
            .and_then(|r| r.content.clone()),
        sequences,
        vault: vault.map(|r| r.properties.clone()).unwrap_or_default(),
        opened_key_store: key_store.as_ref().and_then(|(file, properties)| {
            let property = |name: &str| properties.iter().find(|p| p.name.eq_ignore_ascii_case(name)).and_then(|p| p.value.clone());
            let bytes = model::Secret::new(registry.content(tenant_id, &file.path)?.to_vec());
            let alias = property("privatekeyAlias");
            Some(TenantKeyStore { path: file.path.clone(), bytes, alias, password: None, key_password: None })
        }),
        key_store,
    }
}
