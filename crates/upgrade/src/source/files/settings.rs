//! The settings that change what the data means or how the old gateway answered. As they are: translating them is not done
//! here.

use std::collections::BTreeMap;

use model::Secret;

use crate::source::Element;

/// What the old configuration decides. A field is `None` when the file does not say.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// carbon.xml `HostName`.
    pub host_name: Option<String>,
    /// carbon.xml `Ports/Offset`.
    pub port_offset: Option<i64>,
    /// carbon.xml `EnableEmailUserName`.
    pub email_user_names: bool,
    /// carbon.xml `Security/KeyStore`, the primary one.
    pub key_store: Option<KeyStore>,
    /// carbon.xml `Security/RegistryKeyStore`, which encrypts where it is named.
    pub registry_key_store: Option<KeyStore>,
    /// carbon.xml `Security/TrustStore`.
    pub trust_store: Option<KeyStore>,
    /// api-manager.xml `EncryptPersistedTokens`.
    pub encrypts_tokens: bool,
    /// identity.xml `TokenPersistenceProcessor`.
    pub token_processor: Option<String>,
    /// api-manager.xml `EnableSecureVault`: endpoint passwords are in the registry's vault.
    pub secure_vault: bool,
    /// api-manager.xml `ClientDomainHeader`.
    pub client_domain_header: Option<String>,
    /// api-manager.xml `ApplicationTokenDefaultValidityPeriod`, seconds.
    pub application_key_seconds: Option<i64>,
    /// api-manager.xml `EnableUnlimitedTier`.
    pub unlimited_tier: Option<bool>,
    /// api-manager.xml `EnableAdvanceThrottling` (2.0 on).
    pub advanced_throttling: Option<bool>,
    /// api-manager.xml `EnableHeaderConditions` (2.0 on): whether gateways looked at headers for advanced policies.
    pub header_conditions: Option<bool>,
    /// api-manager.xml `EnableQueryParamConditions`.
    pub query_conditions: Option<bool>,
    /// api-manager.xml `EnableJWTClaimConditions`.
    pub claim_conditions: Option<bool>,
    /// The class that says which groups a developer shares applications with.
    pub grouping_extractor: Option<String>,
    /// api-manager.xml `CORSConfiguration`.
    pub cors: Option<GatewayCors>,
    /// api-manager.xml `Environments`.
    pub environments: Vec<GatewayEnvironment>,
    /// The token handed to backends.
    pub backend_jwt: BackendJwt,
    /// api-manager.xml `DisplayMultipleVersions`.
    pub shows_all_versions: Option<bool>,
    /// api-manager.xml `CompareCaseInsensitively`.
    pub compares_case_insensitively: Option<bool>,
    /// identity.xml `AuthorizationCodeDefaultValidityPeriod`, seconds.
    pub code_seconds: Option<i64>,
    /// identity.xml `UserAccessTokenDefaultValidityPeriod` or `AccessTokenDefaultValidityPeriod`, seconds; negative never ends.
    pub user_token_seconds: Option<i64>,
    /// identity.xml `ApplicationAccessTokenDefaultValidityPeriod`, seconds; negative never ends.
    pub application_token_seconds: Option<i64>,
    /// identity.xml `RefreshTokenDefaultValidityPeriod` or `RefreshTokenValidityPeriod`, seconds.
    pub refresh_token_seconds: Option<i64>,
    /// identity.xml `TimestampSkew`, seconds.
    pub timestamp_skew_seconds: Option<i64>,
    /// identity.xml `EnableAccessTokenPartitioning`.
    pub partitions_tokens: bool,
    /// identity.xml `AccessTokenPartitioningDomains`, such as `A:foo.com, B:bar.com`.
    pub partition_domains: Option<String>,
    /// user-mgt.xml `AdminUser/UserName`.
    pub admin_user: Option<String>,
    /// user-mgt.xml `AdminRole`.
    pub admin_role: Option<String>,
    /// user-mgt.xml `EveryOneRoleName`.
    pub everyone_role: Option<String>,
    /// user-mgt.xml the primary store's class.
    pub user_store_class: Option<String>,
    /// user-mgt.xml the primary store's properties, passwords left out.
    pub user_store: BTreeMap<String, String>,
    /// registry.xml `staticConfiguration/versioningTags`.
    pub versions_tags: Option<bool>,
}

impl Settings {
    /// The keystores that may hold the key of what is encrypted, in the order to try them.
    pub fn key_stores(&self) -> Vec<&KeyStore> {
        self.registry_key_store.iter().chain(&self.key_store).collect()
    }
}

/// A Java keystore as configured.
#[derive(Debug, Clone)]
pub struct KeyStore {
    /// Path, `${carbon.home}` unresolved.
    pub location: String,
    /// `JKS` or `PKCS12`.
    pub kind: Option<String>,
    /// The store's password, when in clear.
    pub password: Option<Secret<String>>,
    /// The key's name.
    pub alias: Option<String>,
    /// The key's password, when in clear.
    pub key_password: Option<Secret<String>>,
}

/// The gateway's answer to browsers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCors {
    /// Whether it answers at all.
    pub enabled: bool,
    /// `Access-Control-Allow-Origin`.
    pub origins: Option<String>,
    /// `Access-Control-Allow-Methods`.
    pub methods: Option<String>,
    /// `Access-Control-Allow-Headers`.
    pub headers: Option<String>,
    /// `Access-Control-Allow-Credentials`.
    pub credentials: Option<bool>,
}

/// A gateway as the publisher knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayEnvironment {
    /// Name APIs refer to.
    pub name: String,
    /// `hybrid`, `production` or `sandbox`.
    pub kind: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Comma list of URLs with placeholders.
    pub endpoint: Option<String>,
}

/// The token handed to backends, from `APIConsumerAuthentication` (to 1.9) or `JWTConfiguration` (1.10 on).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendJwt {
    /// Whether one is made.
    pub enabled: bool,
    /// Header name.
    pub header: Option<String>,
    /// Claim dialect.
    pub dialect: Option<String>,
    /// Signature algorithm.
    pub algorithm: Option<String>,
    /// Class that fetches further claims.
    pub claims_retriever: Option<String>,
    /// Class that makes the token.
    pub generator: Option<String>,
    /// `SecurityContextTTL`, how long it is good for up to 1.10, in minutes.
    pub context_minutes: Option<i64>,
    /// `TokenCacheExpiry`, how long it is good for from 2.0 on where validated tokens are remembered, in seconds.
    pub cache_seconds: Option<i64>,
    /// `JWTExpiryTime`, the same where they are not.
    pub expiry_seconds: Option<i64>,
    /// Whether the gateway or the key manager remembers validated tokens (from 2.0 on).
    pub tokens_cached: bool,
}

pub(super) fn read(documents: &BTreeMap<String, Element>) -> Settings {
    let mut settings = Settings::default();
    if let Some(root) = documents.get("carbon.xml") {
        carbon(root, &mut settings);
    }
    if let Some(root) = documents.get("api-manager.xml") {
        api_manager(root, &mut settings);
    }
    if let Some(root) = documents.get("identity.xml") {
        identity(root, &mut settings);
    }
    if let Some(root) = documents.get("user-mgt.xml") {
        user_management(root, &mut settings);
    }
    if let Some(root) = documents.get("registry.xml") {
        settings.versions_tags = truth(anywhere(root, "versioningTags"));
    }
    settings
}

fn carbon(root: &Element, settings: &mut Settings) {
    settings.host_name = root.text_at(&["HostName"]).map(str::to_owned);
    settings.port_offset = root.text_at(&["Ports", "Offset"]).and_then(|t| t.parse().ok());
    settings.email_user_names = truth(anywhere(root, "EnableEmailUserName")).unwrap_or(false);
    settings.key_store = root.at(&["Security", "KeyStore"]).and_then(key_store);
    settings.registry_key_store = root.at(&["Security", "RegistryKeyStore"]).and_then(key_store);
    settings.trust_store = root.at(&["Security", "TrustStore"]).and_then(key_store);
}

fn key_store(element: &Element) -> Option<KeyStore> {
    let text = |name: &str| element.text_at(&[name]).map(str::to_owned);
    // Beside an alias into the vault stands a word that is no password.
    let password = |name: &str| element.child(name).filter(|e| e.attribute("secretAlias").is_none()).and_then(|_| text(name));
    Some(KeyStore {
        location: text("Location")?,
        kind: text("Type"),
        password: password("Password").map(Secret::new),
        alias: text("KeyAlias"),
        key_password: password("KeyPassword").map(Secret::new),
    })
}

fn api_manager(root: &Element, settings: &mut Settings) {
    let text = |name: &str| anywhere(root, name).map(str::to_owned);
    settings.encrypts_tokens = truth(anywhere(root, "EncryptPersistedTokens")).unwrap_or(false);
    settings.secure_vault = truth(anywhere(root, "EnableSecureVault")).unwrap_or(false);
    settings.client_domain_header = text("ClientDomainHeader");
    settings.application_key_seconds = anywhere(root, "ApplicationTokenDefaultValidityPeriod").and_then(|t| t.parse().ok());
    settings.unlimited_tier = truth(anywhere(root, "EnableUnlimitedTier"));
    settings.advanced_throttling = truth(anywhere(root, "EnableAdvanceThrottling"));
    settings.header_conditions = truth(anywhere(root, "EnableHeaderConditions"));
    settings.query_conditions = truth(anywhere(root, "EnableQueryParamConditions"));
    settings.claim_conditions = truth(anywhere(root, "EnableJWTClaimConditions"));
    settings.grouping_extractor = text("GroupingExtractor").or_else(|| text("PostLoginExecutor"));
    settings.shows_all_versions = truth(anywhere(root, "DisplayMultipleVersions"));
    settings.compares_case_insensitively = truth(anywhere(root, "CompareCaseInsensitively"));
    settings.cors = root.descendants().into_iter().find(|e| e.name == "CORSConfiguration").map(|cors| GatewayCors {
        enabled: truth(cors.text_at(&["Enabled"])).unwrap_or(false),
        origins: cors.text_at(&["Access-Control-Allow-Origin"]).map(str::to_owned),
        methods: cors.text_at(&["Access-Control-Allow-Methods"]).map(str::to_owned),
        headers: cors.text_at(&["Access-Control-Allow-Headers"]).map(str::to_owned),
        credentials: truth(cors.text_at(&["Access-Control-Allow-Credentials"])),
    });
    let environments = root.descendants().into_iter().filter(|e| e.name == "Environment");
    settings.environments = environments
        .filter_map(|e| {
            Some(GatewayEnvironment {
                name: e.text_at(&["Name"])?.to_owned(),
                kind: e.attribute("type").map(str::to_owned),
                description: e.text_at(&["Description"]).map(str::to_owned),
                endpoint: e.text_at(&["GatewayEndpoint"]).map(str::to_owned),
            })
        })
        .collect();
    let block = root.descendants().into_iter().find(|e| e.name == "JWTConfiguration" || e.name == "APIConsumerAuthentication");
    if let Some(block) = block {
        let text = |names: &[&str]| names.iter().find_map(|n| block.text_at(&[n])).map(str::to_owned);
        let number = |name: &str| anywhere(root, name).and_then(|t| t.parse().ok());
        settings.backend_jwt = BackendJwt {
            enabled: truth(text(&["EnableJWTGeneration", "EnableTokenGeneration"]).as_deref()).unwrap_or(false),
            header: text(&["JWTHeader", "SecurityContextHeader"]),
            dialect: text(&["ConsumerDialectURI"]),
            algorithm: text(&["SignatureAlgorithm"]),
            claims_retriever: text(&["ClaimsRetrieverImplClass"]),
            generator: text(&["JWTGeneratorImpl", "TokenGeneratorImpl"]),
            context_minutes: number("SecurityContextTTL"),
            cache_seconds: number("TokenCacheExpiry"),
            expiry_seconds: number("JWTExpiryTime"),
            tokens_cached: ["EnableGatewayTokenCache", "EnableKeyManagerTokenCache"].iter().any(|n| truth(anywhere(root, n)) == Some(true)),
        };
    }
}

fn identity(root: &Element, settings: &mut Settings) {
    let number = |names: &[&str]| names.iter().find_map(|n| anywhere(root, n)).and_then(|t| t.parse().ok());
    settings.code_seconds = number(&["AuthorizationCodeDefaultValidityPeriod"]);
    settings.user_token_seconds = number(&["UserAccessTokenDefaultValidityPeriod", "AccessTokenDefaultValidityPeriod"]);
    settings.application_token_seconds = number(&["ApplicationAccessTokenDefaultValidityPeriod"]);
    settings.refresh_token_seconds = number(&["RefreshTokenDefaultValidityPeriod", "RefreshTokenValidityPeriod"]);
    settings.timestamp_skew_seconds = number(&["TimestampSkew"]);
    settings.token_processor = anywhere(root, "TokenPersistenceProcessor").map(str::to_owned);
    settings.partitions_tokens = truth(anywhere(root, "EnableAccessTokenPartitioning")).unwrap_or(false);
    settings.partition_domains = anywhere(root, "AccessTokenPartitioningDomains").map(str::to_owned);
}

fn user_management(root: &Element, settings: &mut Settings) {
    let Some(realm) = root.child("Realm") else { return };
    let text = |path: &[&str]| realm.text_at(path).map(str::to_owned);
    settings.admin_user = text(&["Configuration", "AdminUser", "UserName"]);
    settings.admin_role = text(&["Configuration", "AdminRole"]);
    settings.everyone_role = text(&["Configuration", "EveryOneRoleName"]);
    if let Some(store) = realm.child("UserStoreManager") {
        settings.user_store_class = store.attribute("class").map(str::to_owned);
        settings.user_store = store
            .children_named("Property")
            .filter_map(|p| Some((p.attribute("name")?.to_owned(), p.text.trim().to_owned())))
            .filter(|(name, _)| !is_secret(name))
            .collect();
    }
}

/// Whether a store property holds a password itself, rather than a rule about passwords.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "password" || name.ends_with("connectionpassword")
}

/// The text of the first element of that name at any depth; these files move elements between releases.
fn anywhere<'a>(root: &'a Element, name: &str) -> Option<&'a str> {
    root.descendants().into_iter().filter(|e| e.name == name).map(|e| e.text.trim()).find(|t| !t.is_empty())
}

fn truth(text: Option<&str>) -> Option<bool> {
    match text?.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}
