//! The API: what a publisher makes, a developer subscribes to and the gateway serves.
//!
//! Field names follow the 4.0.0 publisher document (schema `API`); what 4.0.0 leaves open stays a JSON value.

use serde_json::Value;

use crate::{ApiId, Endpoints, LifecycleState, TenantId, Timestamp};

/// One API, in its current state or as a revision froze it.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Stable id; portals' links and apictl projects hold it.
    pub id: ApiId,
    /// Owning tenant.
    pub tenant: TenantId,
    /// Who made it: `user`, `STORE/user` or `user@tenant`.
    pub provider: String,
    /// Name, unique in the tenant together with the version.
    pub name: String,
    /// Version.
    pub version: String,
    /// What the gateway matches: `/pizza/1.0.0`, `/t/acme.com/pizza/1.0.0`.
    pub context: String,
    /// The same before the version is filled in: `/pizza/{version}`.
    pub context_template: String,
    /// Kind; never changes.
    pub kind: ApiKind,
    /// Lifecycle state.
    pub state: LifecycleState,
    /// Also served under the context without the version.
    pub is_default_version: bool,
    /// Free text, at most 32,766 characters.
    pub description: Option<String>,
    /// `http`, `https`, `ws`, `wss`.
    pub transports: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Names of API categories.
    pub categories: Vec<String>,
    /// Names of the subscription policies (business plans) offered.
    pub plans: Vec<String>,
    /// API-level advanced policy; when set (and not `Unlimited`) it replaces every operation's own.
    pub api_policy: Option<String>,
    /// Request header that carries the token; `None` means `Authorization`.
    pub authorization_header: Option<String>,
    /// `oauth2`, `basic_auth`, `api_key`, `mutualssl`, `mutualssl_mandatory`, `oauth_basic_auth_api_key_mandatory`.
    pub security_scheme: Vec<String>,
    /// Most calls per second that the backend may see.
    pub max_tps: MaxTps,
    /// Who sees it in the developer portal.
    pub visibility: Visibility,
    /// Roles that see a restricted API.
    pub visible_roles: Vec<String>,
    /// Tenants that see it, where listed.
    pub visible_tenants: Vec<String>,
    /// Who sees it in the publisher.
    pub access_control: AccessControl,
    /// Roles that see an access-controlled API in the publisher; lower case.
    pub access_control_roles: Vec<String>,
    /// Whose applications may subscribe.
    pub subscription_availability: SubscriptionAvailability,
    /// Tenant domains for [`SubscriptionAvailability::SpecificTenants`].
    pub subscription_available_tenants: Vec<String>,
    /// Additional properties.
    pub properties: Vec<Property>,
    /// `{enabled, properties}` as given.
    pub monetization: Option<Value>,
    /// Owners.
    pub business: BusinessInformation,
    /// CORS settings of this API; `None` leaves it to the gateway's own.
    pub cors: Option<Cors>,
    /// WebSub settings as given.
    pub websub: Option<Value>,
    /// Attached mediation policies (sequences), at most one per flow.
    pub mediation_policies: Vec<MediationPolicyRef>,
    /// Backends.
    pub endpoints: Endpoints,
    /// Whether a backend or a script answers.
    pub implementation: EndpointImplementation,
    /// Scopes its operations name.
    pub scopes: Vec<ApiScope>,
    /// Operations in declared order.
    pub operations: Vec<Operation>,
    /// Names of the key managers whose tokens are taken; `["all"]` by default.
    pub key_managers: Vec<String>,
    /// Offered elsewhere.
    pub advertise: Advertise,
    /// Catalog service it was made from, as given.
    pub service_info: Option<Value>,
    /// WSDL address, for SOAP.
    pub wsdl_url: Option<String>,
    /// The gateway may answer from its cache.
    pub response_caching: bool,
    /// How long, in seconds.
    pub cache_timeout_secs: u32,
    /// Requests and responses are checked against the definition.
    pub schema_validation: bool,
    /// Threat protection policies as given.
    pub threat_protection: Option<Value>,
    /// Shown in the developer portal at all.
    pub enable_store: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Api {
    /// A fresh API with 4.0.0's defaults. `context_template` and `context` come from [`crate::template_of`] and
    /// [`crate::effective_context`].
    #[must_use]
    pub fn new(id: ApiId, tenant: TenantId, provider: &str, name: &str, version: &str, template: &str, now: Timestamp) -> Self {
        Self {
            id,
            tenant,
            provider: provider.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            context: crate::effective_context(template, version),
            context_template: template.to_owned(),
            kind: ApiKind::Http,
            state: LifecycleState::Created,
            is_default_version: false,
            description: None,
            transports: vec!["http".to_owned(), "https".to_owned()],
            tags: Vec::new(),
            categories: Vec::new(),
            plans: Vec::new(),
            api_policy: None,
            authorization_header: None,
            security_scheme: vec!["oauth2".to_owned(), "oauth_basic_auth_api_key_mandatory".to_owned()],
            max_tps: MaxTps::default(),
            visibility: Visibility::Public,
            visible_roles: Vec::new(),
            visible_tenants: Vec::new(),
            access_control: AccessControl::None,
            access_control_roles: Vec::new(),
            subscription_availability: SubscriptionAvailability::CurrentTenant,
            subscription_available_tenants: Vec::new(),
            properties: Vec::new(),
            monetization: None,
            business: BusinessInformation::default(),
            cors: None,
            websub: None,
            mediation_policies: Vec::new(),
            endpoints: Endpoints::default(),
            implementation: EndpointImplementation::Endpoint,
            scopes: Vec::new(),
            operations: Vec::new(),
            key_managers: vec!["all".to_owned()],
            advertise: Advertise::default(),
            service_info: None,
            wsdl_url: None,
            response_caching: false,
            cache_timeout_secs: 300,
            schema_validation: false,
            threat_protection: None,
            enable_store: true,
            created_at: now,
            updated_at: now,
        }
    }

    /// The context under which the default version also answers: the template without its `/{version}` segment.
    #[must_use]
    pub fn default_context(&self) -> String {
        self.context_template.replace("/{version}", "")
    }
}

/// Kind of API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiKind {
    /// REST over HTTP.
    Http,
    /// WebSocket.
    Ws,
    /// SOAP passed through.
    Soap,
    /// REST in front of SOAP.
    SoapToRest,
    /// GraphQL.
    GraphQl,
    /// WebSub.
    WebSub,
    /// Server-sent events.
    Sse,
}

impl ApiKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [Self::Http, Self::Ws, Self::Soap, Self::SoapToRest, Self::GraphQl, Self::WebSub, Self::Sse];

    /// The interface's name (`HTTP`, `SOAPTOREST`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Ws => "WS",
            Self::Soap => "SOAP",
            Self::SoapToRest => "SOAPTOREST",
            Self::GraphQl => "GRAPHQL",
            Self::WebSub => "WEBSUB",
            Self::Sse => "SSE",
        }
    }

    /// Reads the interface's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name().eq_ignore_ascii_case(text))
    }
}

/// One verb on one path template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Path template below the context: `/order/{id}`, `/*`.
    pub target: String,
    /// `GET`, `POST`, …, upper case.
    pub verb: String,
    /// Which credentials are asked for.
    pub auth: AuthType,
    /// Advanced policy name; `Unlimited` counts nothing.
    pub policy: String,
    /// Names of scopes, any one of which suffices; empty asks for none.
    pub scopes: Vec<String>,
    /// Script that answers instead of a backend (mock implementation).
    pub script: Option<String>,
}

impl Operation {
    /// An operation open to any subscribed application.
    #[must_use]
    pub fn new(verb: &str, target: &str) -> Self {
        Self {
            target: target.to_owned(),
            verb: verb.to_ascii_uppercase(),
            auth: AuthType::Any,
            policy: crate::UNLIMITED.to_owned(),
            scopes: Vec::new(),
            script: None,
        }
    }
}

/// Credentials an operation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthType {
    /// No credentials.
    None,
    /// An application's own token.
    Application,
    /// A user's token.
    ApplicationUser,
    /// Either.
    Any,
}

impl AuthType {
    /// As the 4.0.0 interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Application => "Application",
            Self::ApplicationUser => "Application User",
            Self::Any => "Application & Application User",
        }
    }

    /// Reads the interface's words and the old databases' (`Any`, `Application_User`). `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().replace('_', " ").as_str() {
            "none" => Some(Self::None),
            "application" => Some(Self::Application),
            "application user" => Some(Self::ApplicationUser),
            "any" | "application & application user" => Some(Self::Any),
            _ => None,
        }
    }
}

/// A scope with the roles that may have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiScope {
    /// Key, the word in a token.
    pub name: String,
    /// Words for people.
    pub display_name: String,
    /// Free text.
    pub description: Option<String>,
    /// Roles any one of which suffices; empty binds it to nobody in particular, so everybody may have it.
    pub roles: Vec<String>,
    /// Shared by the tenant's APIs rather than owned by one.
    pub shared: bool,
}

/// A scope's name and roles, as the token issuer needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeBinding {
    /// Scope name.
    pub scope: String,
    /// Roles any one of which suffices; empty means unbound.
    pub roles: Vec<String>,
}

/// Backend throughput bounds in calls per second; `None` is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaxTps {
    /// For production keys.
    pub production: Option<u64>,
    /// For sandbox keys.
    pub sandbox: Option<u64>,
}

/// Who sees an API in the developer portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Users of the tenant.
    Private,
    /// Users with one of the listed roles.
    Restricted,
}

impl Visibility {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Private => "PRIVATE",
            Self::Restricted => "RESTRICTED",
        }
    }

    /// Reads the interface's word in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Public, Self::Private, Self::Restricted].into_iter().find(|v| v.name().eq_ignore_ascii_case(text))
    }
}

/// Who sees an API in the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessControl {
    /// Every publisher and creator of the tenant.
    None,
    /// Those with one of the listed roles.
    Restricted,
}

impl AccessControl {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Restricted => "RESTRICTED",
        }
    }

    /// Reads the interface's word in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Restricted].into_iter().find(|v| v.name().eq_ignore_ascii_case(text))
    }
}

/// Whose applications may subscribe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionAvailability {
    /// The API's own tenant's.
    CurrentTenant,
    /// Every tenant's.
    AllTenants,
    /// Listed tenants'.
    SpecificTenants,
}

impl SubscriptionAvailability {
    /// As the interface writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentTenant => "CURRENT_TENANT",
            Self::AllTenants => "ALL_TENANTS",
            Self::SpecificTenants => "SPECIFIC_TENANTS",
        }
    }

    /// Reads the interface's word in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::CurrentTenant, Self::AllTenants, Self::SpecificTenants].into_iter().find(|v| v.name().eq_ignore_ascii_case(text))
    }
}

/// An additional property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Name without spaces, at most 80 characters.
    pub name: String,
    /// Value, at most 900 characters.
    pub value: String,
    /// Shown in the developer portal.
    pub display: bool,
}

/// Owners of an API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BusinessInformation {
    /// Business owner's name.
    pub business_owner: Option<String>,
    /// Business owner's e-mail address.
    pub business_owner_email: Option<String>,
    /// Technical owner's name.
    pub technical_owner: Option<String>,
    /// Technical owner's e-mail address.
    pub technical_owner_email: Option<String>,
}

/// CORS settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Off leaves CORS to the gateway's own settings.
    pub enabled: bool,
    /// Origins; `*` for all, or with a wildcard inside.
    pub allow_origins: Vec<String>,
    /// `Access-Control-Allow-Credentials: true` where the origin is not `*`.
    pub allow_credentials: bool,
    /// Request headers.
    pub allow_headers: Vec<String>,
    /// Verbs.
    pub allow_methods: Vec<String>,
}

impl Default for Cors {
    /// 4.0.0's server defaults, with the switch off.
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
        Self {
            enabled: false,
            allow_origins: words(&["*"]),
            allow_credentials: false,
            allow_headers: words(&["authorization", "Access-Control-Allow-Origin", "Content-Type", "SOAPAction", "apikey", "Internal-Key"]),
            allow_methods: words(&["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]),
        }
    }
}

/// A mediation policy attached to an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediationPolicyRef {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Its name (the sequence's name).
    pub name: String,
    /// `in`, `out` or `fault`.
    pub flow: String,
    /// A global policy rather than the API's own.
    pub shared: bool,
}

/// What answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointImplementation {
    /// A backend.
    Endpoint,
    /// The operations' scripts.
    Inline,
}

/// An API that is only advertised here and offered elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advertise {
    /// Only advertised.
    pub advertised: bool,
    /// Where it is offered.
    pub original_portal_url: Option<String>,
    /// Its owner there.
    pub owner: Option<String>,
    /// `WSO2` or `AWS`.
    pub vendor: Option<String>,
}
