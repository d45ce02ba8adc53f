//! An API compiled for calling: what 4.0.0 renders into an artifact and each call then re-reads, decided once.
//!
//! Kept small: boxed slices and shared texts, and nothing that no call looks at.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use model::{Api, ApiId, ApiKind, AuthType, Cors, EndpointSet, KeyType, LifecycleState, PolicyId, TenantId, Timestamp};

use super::backend::{AddressFault, Backends};
use super::resources::{Operation, Resources, Verb, Verbs};
use super::{Family, MAX_DEPTH, PolicyKey, PolicyName, Texts, depth};
use crate::counters::Key;
use crate::path;
use crate::sign_in;

/// Something in a change cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CompileFault {
    /// The API's kind needs what this gateway does not do.
    #[error("API {api}: {kind} APIs are not served by this gateway", kind = kind.name())]
    Kind {
        /// Which API.
        api: ApiId,
        /// Its kind.
        kind: ApiKind,
    },
    /// The API asks for credentials that cannot be checked here; serving it would let callers in without them.
    #[error("API {api}: security scheme '{scheme}' cannot be enforced by this gateway")]
    Security {
        /// Which API.
        api: ApiId,
        /// The scheme, or the list of them.
        scheme: String,
    },
    /// The backend asks for credentials in a way that is not supported.
    #[error("API {api}: signing in at the backend by '{kind}' is not supported")]
    BackendSecurity {
        /// Which API.
        api: ApiId,
        /// `type` in `endpoint_security`, and what is wrong with the rest of it.
        kind: String,
    },
    /// The API's operations are answered by scripts.
    #[error("API {api}: inline scripts are not served by this gateway")]
    Inline {
        /// Which API.
        api: ApiId,
    },
    /// An endpoint kind that cannot be called.
    #[error("API {api}: endpoint type '{kind}' is not supported")]
    EndpointKind {
        /// Which API.
        api: ApiId,
        /// `endpoint_type`.
        kind: String,
    },
    /// An endpoint address that cannot be called.
    #[error("API {api}")]
    Address {
        /// Which API.
        api: ApiId,
        /// What is wrong with it.
        #[source]
        fault: AddressFault,
    },
    /// The context is no path.
    #[error("API {api}: '{context}' cannot be a context")]
    Context {
        /// Which API.
        api: ApiId,
        /// The context.
        context: String,
    },
    /// The name of the API's own token header is no header name.
    #[error("API {api}: '{name}' is not a header name")]
    HeaderName {
        /// Which API.
        api: ApiId,
        /// The name.
        name: String,
    },
    /// An operation's verb is unknown.
    #[error("API {api}: unknown verb '{verb}'")]
    Verb {
        /// Which API.
        api: ApiId,
        /// The verb.
        verb: String,
    },
    /// A deny policy names no address.
    #[error("deny policy {policy}")]
    Denial {
        /// Which policy.
        policy: model::PolicyId,
        /// What is wrong with it.
        #[source]
        fault: traffic::IpFault,
    },
    /// A custom rule cannot be enforced, or not any more.
    #[error("custom rule '{name}' limits nothing")]
    Rule {
        /// Which rule.
        policy: PolicyId,
        /// Its name.
        name: String,
        /// What is in the way.
        #[source]
        fault: traffic::RuleFault,
    },
    /// A header that a tenant names for itself is none: backends are not told who calls, or the gateway's own header names the site.
    #[error("tenant {tenant}: '{name}' is not a header name")]
    WaysHeader {
        /// Which tenant.
        tenant: TenantId,
        /// The name.
        name: String,
    },
    /// Mediation sequences cannot run here; calls of the API are refused until they can, or pass without, as the gateway is told.
    #[error("API {api}: mediation sequences cannot run here: {}", obstacles.join("; "))]
    Sequences {
        /// Which API.
        api: ApiId,
        /// What is in the way, with file, line and reason.
        obstacles: Vec<String>,
    },
    /// Error sequences of a tenant cannot run here; calls that they answered for are answered in the tenant's error format.
    #[error("tenant {tenant}: error sequences cannot run here: {}", obstacles.join("; "))]
    Handlers {
        /// Whose.
        tenant: TenantId,
        /// What is in the way, with file, line and reason.
        obstacles: Vec<String>,
    },
    /// A condition of an advanced policy does not compile.
    #[error("advanced policy '{name}'")]
    Policy {
        /// Which policy.
        policy: PolicyId,
        /// Its name.
        name: String,
        /// What is wrong with it.
        #[source]
        fault: traffic::ConditionFault,
    },
}

impl CompileFault {
    /// The API at fault, where it is one.
    #[must_use]
    pub fn api(&self) -> Option<ApiId> {
        match self {
            Self::Kind { api, .. }
            | Self::Security { api, .. }
            | Self::BackendSecurity { api, .. }
            | Self::Inline { api }
            | Self::EndpointKind { api, .. }
            | Self::Address { api, .. }
            | Self::Context { api, .. }
            | Self::HeaderName { api, .. }
            | Self::Verb { api, .. }
            | Self::Sequences { api, .. } => Some(*api),
            Self::Policy { .. } | Self::Rule { .. } | Self::Denial { .. } | Self::WaysHeader { .. } | Self::Handlers { .. } => None,
        }
    }
}

/// See the module head.
#[derive(Debug)]
pub(crate) struct ApiEntry {
    pub(crate) id: ApiId,
    pub(crate) tenant: TenantId,
    pub(crate) name: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) context: Arc<str>,
    /// The context without a version, of a default version.
    pub(crate) default_context: Option<Arc<str>>,
    pub(crate) blocked: bool,
    /// Asks nobody for credentials and counts nothing.
    pub(crate) prototype: bool,
    pub(crate) http: bool,
    pub(crate) https: bool,
    /// Where the token is, when not in the gateway's usual header.
    pub(crate) token_header: Option<HeaderName>,
    /// Key managers whose tokens are taken; `None` is all of them.
    pub(crate) key_managers: Option<Box<[Arc<str>]>>,
    /// Advanced policy of the whole API, which replaces the operations' own.
    pub(crate) policy: Option<PolicyKey>,
    /// Subscription policy that calls without credentials count against.
    pub(crate) open_plan: PolicyKey,
    counter: Key,
    pub(crate) created_at: Timestamp,
    pub(crate) max_tps: model::MaxTps,
    /// Own CORS settings.
    pub(crate) cors: Option<Box<CorsRules>>,
    pub(crate) production: Option<Backends>,
    pub(crate) sandbox: Option<Backends>,
    pub(crate) resources: Resources,
}

impl ApiEntry {
    pub(crate) fn compile(api: &Api, texts: &mut Texts<'_>) -> Result<Self, CompileFault> {
        let id = api.id;
        if !matches!(api.kind, ApiKind::Http | ApiKind::Soap | ApiKind::Sse) {
            return Err(CompileFault::Kind { api: id, kind: api.kind });
        }
        if api.implementation == model::EndpointImplementation::Inline {
            return Err(CompileFault::Inline { api: id });
        }
        let prototype = api.state == LifecycleState::Prototyped;
        if !prototype {
            check_security(api)?;
        }
        let token_header = match api.authorization_header.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => Some(HeaderName::try_from(name).map_err(|_| CompileFault::HeaderName { api: id, name: name.to_owned() })?),
            None => None,
        };
        let has = |transport: &str| api.transports.iter().any(|t| t.eq_ignore_ascii_case(transport));
        // An API that names neither transport came from a time before there was the choice.
        let either = !has("http") && !has("https");
        let takes_all = api.key_managers.is_empty() || api.key_managers.iter().any(|k| k == "all");
        let policy = api.api_policy.as_deref().and_then(|name| PolicyName::limiting(Family::Advanced, name));
        Ok(Self {
            id,
            tenant: api.tenant,
            name: texts.one(&api.name),
            version: texts.one(&api.version),
            context: context(id, &api.context)?,
            default_context: api.is_default_version.then(|| context(id, &api.default_context())).transpose()?,
            blocked: api.state == LifecycleState::Blocked,
            prototype,
            http: either || has("http"),
            https: either || has("https"),
            cors: api.cors.as_ref().filter(|c| c.enabled).map(|cors| Box::new(CorsRules::compile(cors, token_header.as_ref()))),
            token_header,
            key_managers: (!takes_all).then(|| api.key_managers.iter().map(|k| texts.one(k)).collect()),
            policy: policy.map(|name| name.in_tenant(api.tenant)),
            open_plan: PolicyName::of(Family::Subscription, "Unauthenticated").in_tenant(api.tenant),
            counter: Key::of(&["api", &id.to_string()]),
            created_at: api.created_at,
            max_tps: api.max_tps,
            production: backends(api, api.endpoints.production(), "production")?,
            sandbox: backends(api, api.endpoints.sandbox(), "sandbox")?,
            resources: resources(api, texts)?,
        })
    }

    /// The context without the version at its end, as 1.8 named it.
    pub(crate) fn bare_context(&self) -> &str {
        self.context.strip_suffix(&*self.version).and_then(|rest| rest.strip_suffix('/')).unwrap_or(&self.context)
    }

    /// The contexts it claims.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.context).chain(&self.default_context)
    }

    /// Counts calls of the API as a whole.
    pub(crate) fn counter(&self) -> Key {
        self.counter
    }

    /// Counts calls without credentials, each client's for itself.
    pub(crate) fn open_counter(&self) -> Key {
        self.counter.part(0)
    }

    /// Counts what goes to the backends of a key type.
    pub(crate) fn backend_counter(&self, key_type: KeyType) -> Key {
        self.counter.part(match key_type {
            KeyType::Production => 1,
            KeyType::Sandbox => 2,
        })
    }

    /// Where a key type's calls go.
    pub(crate) fn backends(&self, key_type: KeyType) -> Option<&Backends> {
        match key_type {
            KeyType::Production => self.production.as_ref(),
            KeyType::Sandbox => self.sandbox.as_ref(),
        }
    }

    /// Whether one of these places is where its calls go.
    pub(crate) fn is_served_at(&self, places: &Backends) -> bool {
        self.production.iter().chain(&self.sandbox).any(|backends| backends.meets(places))
    }

    pub(crate) fn max_tps(&self, key_type: KeyType) -> Option<u64> {
        match key_type {
            KeyType::Production => self.max_tps.production,
            KeyType::Sandbox => self.max_tps.sandbox,
        }
    }
}

/// Refuses what would have to be enforced and cannot be. An empty list means `oauth2`.
fn check_security(api: &Api) -> Result<(), CompileFault> {
    let has = |scheme: &str| api.security_scheme.iter().any(|s| s.eq_ignore_ascii_case(scheme));
    let fault = |scheme: String| CompileFault::Security { api: api.id, scheme };
    if has("mutualssl_mandatory") {
        return Err(fault("mutualssl_mandatory".to_owned()));
    }
    if !api.security_scheme.is_empty() && !has("oauth2") {
        return Err(fault(api.security_scheme.join(", ")));
    }
    Ok(())
}

fn context(api: ApiId, context: &str) -> Result<Arc<str>, CompileFault> {
    let fault = || CompileFault::Context { api, context: context.to_owned() };
    if !context.starts_with('/') || context.len() < 2 || context.ends_with('/') || depth(context) > MAX_DEPTH {
        return Err(fault());
    }
    let literal = path::literal(context);
    match path::normalise(&literal) {
        Ok(same) if same == literal => Ok(literal.into()),
        _ => Err(fault()),
    }
}

fn backends(api: &Api, set: Option<EndpointSet>, environment: &str) -> Result<Option<Backends>, CompileFault> {
    let kind = api.endpoints.kind();
    if matches!(kind, "default" | "awslambda" | "service") {
        return Err(CompileFault::EndpointKind { api: api.id, kind: kind.to_owned() });
    }
    let Some(set) = set else { return Ok(None) };
    let sign_in = sign_in::of(&api.endpoints, environment).map_err(|kind| CompileFault::BackendSecurity { api: api.id, kind })?;
    Backends::new(&set, sign_in).map(Some).map_err(|fault| CompileFault::Address { api: api.id, fault })
}

fn resources(api: &Api, texts: &mut Texts<'_>) -> Result<Resources, CompileFault> {
    let mut declared: Vec<(Arc<str>, Vec<Operation>)> = Vec::with_capacity(api.operations.len());
    for operation in &api.operations {
        let verb = match operation.verb.to_ascii_uppercase().as_str() {
            // An event stream is subscribed to with GET.
            "SUBSCRIBE" if api.kind == ApiKind::Sse => Verb::Get,
            name => Verb::parse(name).ok_or_else(|| CompileFault::Verb { api: api.id, verb: operation.verb.clone() })?,
        };
        let compiled = Operation {
            verb,
            open: operation.auth == AuthType::None,
            wants_application: match operation.auth {
                AuthType::Application => Some(true),
                AuthType::ApplicationUser => Some(false),
                AuthType::Any | AuthType::None => None,
            },
            policy: PolicyName::limiting(Family::Advanced, &operation.policy).map(|name| {
                let counter = Key::of(&["resource", &api.id.to_string(), verb.name(), &operation.target]);
                (name.in_tenant(api.tenant), counter)
            }),
            scopes: operation.scopes.iter().map(|s| texts.one(s)).collect(),
        };
        match declared.last_mut() {
            Some((template, operations)) if **template == operation.target => operations.push(compiled),
            _ => declared.push((texts.one(&operation.target), vec![compiled])),
        }
    }
    Ok(Resources::new(declared))
}

/// CORS settings compiled.
#[derive(Debug)]
pub(crate) struct CorsRules {
    pub(crate) any_origin: bool,
    origins: Box<[Origin]>,
    pub(crate) verbs: Verbs,
    /// Value of `Access-Control-Allow-Headers`; `None` echoes what the client asks for.
    pub(crate) headers: Option<HeaderValue>,
    pub(crate) credentials: bool,
}

impl CorsRules {
    /// `token_header` is appended to the allowed headers unless it is among them.
    pub(crate) fn compile(cors: &Cors, token_header: Option<&HeaderName>) -> Self {
        let mut headers: Vec<&str> = cors.allow_headers.iter().map(|h| h.trim()).filter(|h| !h.is_empty()).collect();
        let echoes = headers.contains(&"*");
        if let Some(name) = token_header
            && !headers.iter().any(|h| h.eq_ignore_ascii_case(name.as_str()))
        {
            headers.push(name.as_str());
        }
        let any_origin = cors.allow_origins.iter().any(|o| o.trim() == "*");
        Self {
            any_origin,
            origins: cors.allow_origins.iter().map(|origin| Origin::parse(origin.trim())).collect(),
            verbs: cors
                .allow_methods
                .iter()
                .filter_map(|m| Verb::parse(&m.trim().to_ascii_uppercase()))
                .fold(Verbs::default(), Verbs::with),
            headers: if echoes { None } else { HeaderValue::from_str(&headers.join(",")).ok() },
            credentials: cors.allow_credentials && !any_origin,
        }
    }

    /// Whether `origin` is one of the listed ones.
    pub(crate) fn lists(&self, origin: &str) -> bool {
        origin.len() <= ORIGIN_MAX_BYTES && self.origins.iter().any(|entry| entry.matches(origin))
    }
}

/// Longest origin that is compared: a host name has 253 characters at most, and what is longer is no browser's.
const ORIGIN_MAX_BYTES: usize = 512;

/// An entry of the list of origins. A `*` inside stands for any text, and the entry must match as a whole: 4.0.0 searches, so that
/// `https://*.acme.com` would also let `https://x.acme.com.evil.example` in.
#[derive(Debug)]
enum Origin {
    Text(Box<str>),
    Pattern {
        head: Box<str>,
        /// What must follow in this order, each after the one before.
        middle: Box<[Box<str>]>,
        tail: Box<str>,
    },
}

impl Origin {
    fn parse(text: &str) -> Self {
        let Some((head, rest)) = text.split_once('*') else { return Self::Text(text.into()) };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        let middle = middle.split('*').filter(|part| !part.is_empty()).map(Into::into).collect();
        Self::Pattern { head: head.into(), middle, tail: tail.into() }
    }

    /// Takes time in proportion to the origin's length: the leftmost place of each part leaves the most for what follows, so that no other
    /// need be tried.
    fn matches(&self, origin: &str) -> bool {
        let (head, middle, tail) = match self {
            Self::Text(text) => return **text == *origin,
            Self::Pattern { head, middle, tail } => (head, middle, tail),
        };
        let Some(mut rest) = origin.strip_prefix(&**head) else { return false };
        for part in middle {
            match rest.split_once(&**part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(&**tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origins: &[&str]) -> CorsRules {
        let cors = Cors { allow_origins: origins.iter().map(|o| (*o).to_owned()).collect(), ..Cors::default() };
        CorsRules::compile(&cors, None)
    }

    #[test]
    fn origins_match_as_a_whole() {
        let rules = rules(&["https://app.acme.com", "https://*.acme.org"]);
        assert!(rules.lists("https://app.acme.com"));
        assert!(rules.lists("https://x.acme.org"));
        assert!(!rules.lists("https://x.acme.org.evil.example"));
        assert!(!rules.lists("https://app.acme.com.evil.example"));
        assert!(!rules.lists("http://app.acme.com"));
    }

    #[test]
    fn parts_between_stars_follow_one_another() {
        let rules = rules(&["https://*.a.*.b*.com", "http://**.x"]);
        for listed in ["https://1.a.2.b.com", "https://.a..b3.com", "https://a.a.a.b.b.com", "http://y.x", "http://.x"] {
            assert!(rules.lists(listed), "{listed}");
        }
        for other in ["https://1.b.2.a.com", "https://.a.b.com", "https://.a..b", "http://x", "http://.x.y"] {
            assert!(!rules.lists(other), "{other}");
        }
    }

    #[test]
    fn an_origin_made_to_be_compared_for_ever_is_not() {
        // Trying every place for every star would take longer than anyone waits for a test.
        let rules = rules(&[&format!("https://{}b", "*a".repeat(60))]);
        assert!(!rules.lists(&format!("https://{}", "a".repeat(500))));
        assert!(rules.lists(&format!("https://{}b", "a".repeat(500))));
        assert!(!rules.lists(&format!("https://{}b", "a".repeat(5_000))));
    }

    #[test]
    fn the_token_header_is_allowed_too() {
        let name = HeaderName::from_static("x-token");
        let rules = CorsRules::compile(&Cors { allow_headers: vec!["Content-Type".to_owned()], ..Cors::default() }, Some(&name));
        assert_eq!(rules.headers.unwrap(), "Content-Type,x-token");
        assert_eq!(CorsRules::compile(&Cors { allow_headers: vec!["*".to_owned()], ..Cors::default() }, Some(&name)).headers, None);
    }
}
