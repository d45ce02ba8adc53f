//! What tenants and APIs keep of an old installation's ways, made ready for calls.
//!
//! Kept beside the APIs rather than in them, so that a tenant's change reaches all of its APIs at once. Calls that pass ask only whether any
//! tenant's backends want a token; everything else here is looked at when a call is refused or its key names sites.

use std::sync::Arc;

use http::HeaderName;
use model::{ApiContinuity, BackendJwt, Continuity, ErrorFormat, TenantId};
use token::SigningKey;

use super::{ApiEntry, CompileFault, Snapshot};

/// Signs the tokens that a tenant's backends get.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Whose.
    pub tenant: TenantId,
    /// With its certificate. Prints no more than its key id.
    pub key: Arc<SigningKey>,
}

/// A tenant's ways.
#[derive(Debug)]
pub(crate) struct Ways {
    error_format: ErrorFormat,
    token_paths: bool,
    domain_restriction: bool,
    token_kinds: bool,
    domain_header: Option<HeaderName>,
    pub(super) assertion: Option<Arc<AssertionRules>>,
}

/// How backends are told who calls.
#[derive(Debug)]
pub(crate) struct AssertionRules {
    pub(crate) header: HeaderName,
    pub(crate) settings: BackendJwt,
}

impl Ways {
    /// A tenant's ways; a header name that is none leaves it without what is named by it.
    pub(super) fn compile(continuity: &Continuity) -> (Self, Option<CompileFault>) {
        let mut fault = None;
        let mut named = |name: &String| {
            let header = HeaderName::try_from(name);
            header.map_err(|_| fault = Some(CompileFault::WaysHeader { tenant: continuity.tenant, name: name.clone() })).ok()
        };
        let assertion = continuity.backend_jwt.as_ref().and_then(|settings| {
            let header = named(&settings.header)?;
            Some(Arc::new(AssertionRules { header, settings: settings.clone() }))
        });
        let ways = Self {
            error_format: continuity.error_format,
            token_paths: continuity.token_paths,
            domain_restriction: continuity.domain_restriction,
            token_kinds: continuity.token_kinds,
            domain_header: continuity.domain_header.as_ref().and_then(named),
            assertion,
        };
        (ways, fault)
    }
}

impl Snapshot {
    /// Form of error answers on calls of an API, or of none. Then the path tells the tenant.
    pub(crate) fn error_format(&self, api: Option<&ApiEntry>, path: &str) -> ErrorFormat {
        let tenant = api.map_or_else(|| self.tenant_of(path), |api| api.tenant);
        api.and_then(|api| self.differing(api)?.error_format).or_else(|| Some(self.ways.get(&tenant)?.error_format)).unwrap_or_default()
    }

    /// Form of error answers on calls of a path.
    #[must_use]
    pub fn error_format_at(&self, path: &str) -> ErrorFormat {
        self.error_format(self.api_for(path).map(|(api, _)| &**api), path)
    }

    /// Whether keys' sites are asked for on calls of an API.
    pub(crate) fn restricts_domains(&self, api: &ApiEntry) -> bool {
        let own = self.differing(api).and_then(|own| own.domain_restriction);
        own.or_else(|| Some(self.ways.get(&api.tenant)?.domain_restriction)).unwrap_or(true)
    }

    /// Whether operations of an API that name a kind of token refuse the other.
    pub(crate) fn tells_token_kinds(&self, api: &ApiEntry) -> bool {
        let own = self.differing(api).and_then(|own| own.token_kinds);
        own.or_else(|| Some(self.ways.get(&api.tenant)?.token_kinds)).unwrap_or(false)
    }

    /// The header that names the calling site on calls of an API, where its tenant says so.
    pub(crate) fn domain_header(&self, tenant: TenantId) -> Option<&HeaderName> {
        self.ways.get(&tenant)?.domain_header.as_ref()
    }

    /// Whether any backend is told who calls.
    pub(crate) fn asserts(&self) -> bool {
        self.asserting > 0
    }

    /// How the backends of an API are told who calls, if they are.
    pub(crate) fn assertion(&self, api: &ApiEntry) -> Option<&Arc<AssertionRules>> {
        let rules = self.ways.get(&api.tenant)?.assertion.as_ref()?;
        self.differing(api).and_then(|own| own.backend_jwt).unwrap_or(true).then_some(rules)
    }

    /// The same, if the backends are also told what user stores know of the user.
    pub(crate) fn assertion_of_users(&self, api: &ApiEntry) -> Option<&Arc<AssertionRules>> {
        if !self.asserts() {
            return None;
        }
        self.assertion(api).filter(|rules| rules.settings.user_claims)
    }

    /// Whether the paths of the key desk are taken.
    pub(crate) fn takes_token_paths(&self) -> bool {
        self.ways.get(&TenantId::SUPER).is_some_and(|ways| ways.token_paths)
    }

    /// The key that signs for a tenant: its own, or the installation's.
    pub(crate) fn signer(&self, tenant: TenantId) -> Option<&Arc<SigningKey>> {
        self.signers.get(&tenant).or_else(|| self.signers.get(&TenantId::SUPER))
    }

    /// A tenant's domain.
    pub(crate) fn domain(&self, tenant: TenantId) -> Option<&str> {
        self.domains.get(&tenant).map(|domain| &**domain)
    }

    /// Whether a tenant has this domain.
    pub(crate) fn is_domain(&self, domain: &str) -> bool {
        self.domains.values().any(|known| **known == *domain)
    }

    pub(super) fn put_ways(&mut self, tenant: TenantId, ways: Ways) {
        let asserts = ways.assertion.is_some();
        let did = self.ways.insert(tenant, Arc::new(ways)).is_some_and(|old| old.assertion.is_some());
        self.asserting = self.asserting + usize::from(asserts) - usize::from(did);
    }

    pub(super) fn remove_ways(&mut self, tenant: TenantId) {
        let did = self.ways.remove(&tenant).is_some_and(|old| old.assertion.is_some());
        self.asserting -= usize::from(did);
    }

    pub(super) fn put_differing(&mut self, own: &ApiContinuity) {
        self.differing.insert(own.api, own.clone());
    }

    fn differing(&self, api: &ApiEntry) -> Option<&ApiContinuity> {
        if self.differing.is_empty() { None } else { self.differing.get(&api.id) }
    }

    /// The tenant that `/t/<domain>/…` names, or the super tenant.
    pub(super) fn tenant_of(&self, path: &str) -> TenantId {
        let named = path.strip_prefix("/t/").map(|rest| rest.split('/').next().unwrap_or_default());
        let known = |domain: &str| self.domains.iter().find(|(_, known)| known.eq_ignore_ascii_case(domain)).map(|(tenant, _)| *tenant);
        named.and_then(known).unwrap_or(TenantId::SUPER)
    }
}
