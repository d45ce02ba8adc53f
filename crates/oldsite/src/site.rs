//! The nouns of an old installation, as its users would name them. No rows and no files here.

use chrono::{DateTime, FixedOffset, NaiveDateTime};

use crate::dirt::Dirt;
use crate::rows::Value;
use crate::schema::Version;

/// The super tenant's number in every table; it has no row of its own.
pub(crate) const SUPER_TENANT: i32 = -1234;
/// The super tenant's domain.
pub(crate) const SUPER_DOMAIN: &str = "carbon.super";
/// One day in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// One hour in milliseconds.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// One installation.
#[derive(Debug, Clone)]
pub struct Site {
    /// Which version's tables and artifacts it is written as.
    pub version: Version,
    /// Where every API's calls go: a base URL without a trailing slash.
    pub backend_url: String,
    /// "Now", Unix milliseconds. Everything in the site happened before it.
    pub now_ms: i64,
    /// The old server's time zone: all times but the tokens' are wall clock there.
    pub utc_offset: FixedOffset,
    /// Whether a MySQL dump of this site is a plain `mysqldump`, which prints every TIMESTAMP as if stored in the
    /// server's zone and turned to UTC, tokens included; else it is `mysqldump --skip-tz-utc`, which prints wall clocks.
    pub mysql_dump_in_utc: bool,
    /// What derived keys, salts and identifiers depend on.
    pub seed: u64,
    /// Host name in carbon.xml.
    pub host: String,
    /// Tenants beside the super tenant.
    pub tenants: Vec<Tenant>,
    pub roles: Vec<Role>,
    pub users: Vec<User>,
    /// tiers.xml, the same in every tenant.
    pub tiers: Vec<Tier>,
    pub apis: Vec<Api>,
    pub applications: Vec<Application>,
    /// OAuth clients made in the management console, which belong to no application.
    pub loose_clients: Vec<Client>,
    pub subscriptions: Vec<Subscription>,
    pub tokens: Vec<Token>,
    pub workflows: Vec<Workflow>,
    /// (API id, user with tenant, stars)
    pub ratings: Vec<(i32, String, i32)>,
    pub comments: Vec<Comment>,
    /// User stores that other servers keep.
    pub user_stores: Vec<UserStore>,
    /// Faults to put into the rows.
    pub dirt: Vec<Dirt>,
}

/// A user store that another server keeps.
#[derive(Debug, Clone)]
pub struct UserStore {
    pub tenant: i32,
    /// Its domain; `PRIMARY` puts it into user-mgt.xml in place of the JDBC store.
    pub domain: String,
    /// The class below `org.wso2.carbon.user.core.`, or a whole class name.
    pub class: String,
    /// Attributes (such as `encrypted="true"`), name and value of each property.
    pub properties: Vec<(String, String, String)>,
    /// Roles of the store with the permissions they were given.
    pub roles: Vec<(String, Vec<String>)>,
    /// Users of the store with an internal role each, without its prefix.
    pub held: Vec<(String, String)>,
}

impl UserStore {
    /// One without roles, whose properties have no attributes.
    pub fn new(domain: &str, class: &str, properties: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| (String::new(), (*name).to_owned(), (*value).to_owned());
        Self {
            tenant: SUPER_TENANT,
            domain: domain.to_owned(),
            class: class.to_owned(),
            properties: properties.iter().map(owned).collect(),
            roles: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Whether it takes the place of the JDBC store.
    pub(crate) fn is_primary(&self) -> bool {
        self.domain == "PRIMARY"
    }

    /// `UserStoreManager` with its properties.
    pub(crate) fn xml(&self) -> String {
        let class = if self.class.contains("org.wso2") || self.class.starts_with("com.") {
            self.class.clone()
        } else {
            format!("org.wso2.carbon.user.core.{}", self.class)
        };
        let mut text = format!("<UserStoreManager class=\"{class}\">");
        for (attributes, name, value) in &self.properties {
            text.push_str(&format!("<Property {attributes} name=\"{name}\">{}</Property>", crate::artifacts::xml(value)));
        }
        if !self.is_primary() {
            text.push_str(&format!("<Property name=\"DomainName\">{}</Property>", crate::artifacts::xml(&self.domain)));
        }
        text + "</UserStoreManager>"
    }
}

impl Site {
    /// A time column in the server's own wall clock.
    pub(crate) fn local(&self, at_ms: i64) -> Value {
        Value::Time(wall_clock(at_ms, self.utc_offset))
    }

    /// A token's time column: always the UTC wall clock.
    pub(crate) fn utc(at_ms: i64) -> Value {
        Value::Time(DateTime::from_timestamp_millis(at_ms).unwrap_or_default().naive_utc())
    }

    /// The tenant numbers of the site, the super tenant first.
    pub(crate) fn tenant_ids(&self) -> Vec<i32> {
        std::iter::once(SUPER_TENANT).chain(self.tenants.iter().map(|t| t.id)).collect()
    }

    /// A tenant's domain.
    pub(crate) fn domain(&self, tenant: i32) -> &str {
        self.tenants.iter().find(|t| t.id == tenant).map_or(SUPER_DOMAIN, |t| &t.domain)
    }

    /// Splits a qualified name into the bare one and its tenant.
    pub(crate) fn unqualified<'a>(&self, user: &'a str) -> (&'a str, i32) {
        user.rsplit_once('@')
            .and_then(|(name, domain)| self.tenants.iter().find(|t| t.domain == domain).map(|t| (name, t.id)))
            .unwrap_or((user, SUPER_TENANT))
    }

    /// The users who own applications, in order of first appearance: the rows of AM_SUBSCRIBER.
    pub(crate) fn subscribers(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        self.applications.iter().map(|a| a.owner.as_str()).filter(|owner| seen.insert(*owner)).collect()
    }

    /// Every OAuth client: those of applications, then the loose ones.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.applications.iter().flat_map(|a| a.keys.iter().filter_map(|k| k.client.as_ref())).chain(&self.loose_clients)
    }
}

fn wall_clock(at_ms: i64, offset: FixedOffset) -> NaiveDateTime {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default().with_timezone(&offset).naive_local()
}

/// A tenant other than the super tenant.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: i32,
    pub domain: String,
    pub admin: String,
    pub active: bool,
}

/// A role and what it may do in the portals.
#[derive(Debug, Clone)]
pub struct Role {
    pub name: String,
    pub tenant: i32,
    /// Kept in UM_HYBRID_ROLE and shown as `Internal/…`.
    pub internal: bool,
    /// UI permission paths.
    pub permissions: Vec<String>,
}

/// A user of the primary store, with the password in clear: this is a made-up site.
#[derive(Debug, Clone)]
pub struct User {
    /// Without tenant domain.
    pub name: String,
    pub tenant: i32,
    pub password: String,
    /// `Internal/x` for hybrid roles.
    pub roles: Vec<String>,
    /// By attribute name (`mail`, `givenName`, `sn` …).
    pub attributes: Vec<(String, String)>,
}

/// A tier of tiers.xml.
#[derive(Debug, Clone)]
pub struct Tier {
    pub name: String,
    pub count: u32,
    pub unit_ms: u64,
    /// FREE or COMMERCIAL.
    pub billing_plan: String,
    pub stop_on_quota: bool,
    pub description: String,
    /// Site-defined attributes.
    pub attributes: Vec<(String, String)>,
}

/// Lifecycle states of 1.9.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Created,
    Prototyped,
    Published,
    Blocked,
    Deprecated,
    Retired,
}

impl Status {
    /// As stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Prototyped => "PROTOTYPED",
            Self::Published => "PUBLISHED",
            Self::Blocked => "BLOCKED",
            Self::Deprecated => "DEPRECATED",
            Self::Retired => "RETIRED",
        }
    }

    /// Whether the gateway holds a file for an API in this state.
    pub fn is_deployed(self) -> bool {
        !matches!(self, Self::Created | Self::Retired)
    }

    /// The states an API passed through to get here, the first first.
    pub(crate) fn history(self) -> &'static [Self] {
        use Status::{Blocked, Created, Deprecated, Prototyped, Published, Retired};
        match self {
            Created => &[Created],
            Prototyped => &[Created, Prototyped],
            Published => &[Created, Published],
            Blocked => &[Created, Published, Blocked],
            Deprecated => &[Created, Published, Deprecated],
            Retired => &[Created, Published, Deprecated, Retired],
        }
    }
}

/// One API version.
#[derive(Debug, Clone)]
pub struct Api {
    pub id: i32,
    /// REG_UUID of the artifact.
    pub uuid: String,
    /// With tenant domain for tenants: `carol@acme.com`.
    pub provider: String,
    pub tenant: i32,
    pub name: String,
    pub version: String,
    /// Without version; starts `/t/<domain>` for tenants.
    pub context: String,
    pub status: Status,
    pub description: String,
    /// public, private, restricted or controlled.
    pub visibility: String,
    pub visible_roles: Vec<String>,
    pub tiers: Vec<String>,
    pub resources: Vec<Resource>,
    pub scopes: Vec<Scope>,
    pub endpoint: Endpoint,
    pub tags: Vec<String>,
    pub documents: Vec<Document>,
    /// PNG bytes.
    pub icon: Option<Vec<u8>>,
    /// The stored WSDL.
    pub wsdl: Option<Vec<u8>>,
    /// Resources of a Swagger 1.2 definition that 1.8 left behind, by name.
    pub swagger_12: Vec<(String, String)>,
    pub default_version: bool,
    pub latest: bool,
    pub in_sequence: Option<String>,
    pub out_sequence: Option<String>,
    /// Seconds, when responses are cached.
    pub cache_s: Option<u32>,
    /// How many days before "now" the API was made.
    pub age_days: i64,
}

impl Api {
    /// The context as 1.9 stores it: with the version at the end.
    pub fn versioned_context(&self) -> String {
        format!("{}/{}", self.context, self.version)
    }

    /// The provider as it appears in registry paths and file names.
    pub(crate) fn provider_in_paths(&self) -> String {
        self.provider.replace('@', "-AT-")
    }
}

/// One verb on one pattern.
#[derive(Debug, Clone)]
pub struct Resource {
    pub verb: String,
    pub pattern: String,
    /// `Any`, `None`, `Application` or `Application_User`; what AM_API_URL_MAPPING holds.
    pub auth: String,
    pub tier: String,
    /// Key of a scope of the API.
    pub scope: Option<String>,
    /// Inline prototype script.
    pub script: Option<String>,
}

/// An OAuth scope an API defines.
#[derive(Debug, Clone)]
pub struct Scope {
    pub key: String,
    pub name: String,
    pub description: String,
    pub roles: Vec<String>,
}

/// How several backends share the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// One backend.
    Single,
    /// The second one takes over when the first fails.
    Failover,
    /// In turn.
    RoundRobin,
}

/// Where an API's calls go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub production: Vec<String>,
    pub sandbox: Vec<String>,
    pub balance: Balance,
    /// Basic authentication towards the backend.
    pub credentials: Option<(String, String)>,
    /// INLINE prototypes answer from a script and have no backend.
    pub inline: bool,
}

/// A document of an API.
#[derive(Debug, Clone)]
pub struct Document {
    pub name: String,
    /// `How To`, `Samples`, `Public Forum`, `Support Forum`, `API Message Format`, `Other`.
    pub kind: String,
    pub summary: String,
    pub source: DocumentSource,
    /// `API_LEVEL`, `PRIVATE` or `OWNER_ONLY`.
    pub visibility: String,
}

/// Where a document's body is.
#[derive(Debug, Clone)]
pub enum DocumentSource {
    /// HTML.
    Inline(String),
    Url(String),
    File {
        name: String,
        media_type: String,
        bytes: Vec<u8>,
    },
}

/// A developer's application.
#[derive(Debug, Clone)]
pub struct Application {
    pub id: i32,
    pub name: String,
    /// With tenant domain for tenants.
    pub owner: String,
    pub tenant: i32,
    pub tier: String,
    /// CREATED, APPROVED or REJECTED.
    pub status: String,
    pub group: String,
    pub callback_url: Option<String>,
    pub description: String,
    pub keys: Vec<Key>,
}

/// The keys of an application for one environment.
#[derive(Debug, Clone)]
pub struct Key {
    /// PRODUCTION or SANDBOX.
    pub kind: String,
    /// CREATED, APPROVED, REJECTED or COMPLETED.
    pub state: String,
    /// Missing until the key is COMPLETED.
    pub client: Option<Client>,
    /// `ALL` or domains that may use the key.
    pub domains: Vec<String>,
    /// Seconds.
    pub validity_s: i64,
}

/// An OAuth client.
#[derive(Debug, Clone)]
pub struct Client {
    pub key: String,
    pub secret: String,
    /// Without tenant domain.
    pub owner: String,
    pub tenant: i32,
    pub name: String,
    pub callback_url: Option<String>,
    /// Space-separated.
    pub grants: String,
}

/// An application's subscription to an API.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub id: i32,
    pub application: i32,
    pub api: i32,
    pub tier: String,
    /// UNBLOCKED, BLOCKED, PROD_ONLY_BLOCKED, ON_HOLD or REJECTED.
    pub status: String,
    /// SUBSCRIBE, or UN_SUBSCRIBE for rows that only remember a key.
    pub create_state: String,
}

/// Who a token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Client credentials.
    Application,
    /// A user signed in.
    User,
}

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    pub access: String,
    pub refresh: Option<String>,
    pub consumer_key: String,
    /// As stored: with the tenant suffix, the super tenant's included.
    pub user: String,
    pub kind: TokenKind,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// `i64::MAX` or negative: never expires.
    pub validity_ms: i64,
    /// Space-separated, sorted.
    pub scopes: String,
    /// ACTIVE, EXPIRED, REVOKED or INACTIVE.
    pub state: String,
}

/// A workflow instance.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// AM_APPLICATION_CREATION, AM_SUBSCRIPTION_CREATION, AM_USER_SIGNUP, AM_APPLICATION_REGISTRATION_PRODUCTION …
    pub kind: String,
    /// The id of what waits, or a user's name.
    pub reference: String,
    /// CREATED, APPROVED or REJECTED.
    pub status: String,
    pub tenant: i32,
}

/// A comment on an API.
#[derive(Debug, Clone)]
pub struct Comment {
    pub api: i32,
    /// With tenant domain for tenants.
    pub user: String,
    pub text: String,
}
