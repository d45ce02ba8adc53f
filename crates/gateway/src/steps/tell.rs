//! Tells the backend who calls, where its tenant wants that: the token is made once for a caller's token and an API, and used until shortly
//! before its end.
//!
//! Only calls that pass get here, so no error answer ever carries one. Where a tenant's backends are told at all, what the client itself
//! says in that header never reaches them, on open resources neither.

use std::sync::{Arc, Weak};

use http::{HeaderName, HeaderValue};
use model::{Generation, JwtForm, KeyType, TenantId, Timestamp};
use quick_cache::sync::Cache;
use token::Jwt;

use crate::respond::AuthRefusal;
use crate::snapshot::{ApiEntry, ApplicationEntry, AssertionRules, Snapshot};
use crate::steps::authenticate::Verified;
use crate::steps::authorize::Caller;
use crate::user_claims::Claims;

/// Tokens kept at most.
const KEPT_MAX: usize = 65_536;

/// How long before its end a token is no longer used, in milliseconds; no more than a quarter of its life.
const BEFORE_END_MS: i64 = 60_000;

/// What a backend is told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) header: HeaderName,
    /// `None` tells nothing, and the client may not either.
    pub(crate) token: Option<HeaderValue>,
}

/// Tokens in use.
pub(crate) struct Assertions {
    /// By the caller's token and the API, as a number that may be another's: what is found is held against the call.
    kept: Cache<u64, Kept>,
    numbers: ahash::RandomState,
    made: metrics::Counter,
    used: metrics::Counter,
}

/// A token, and what it was made from.
#[derive(Clone)]
struct Kept {
    verified: Arc<Verified>,
    /// Weak, so that what was changed does not live on here; it holds the place, so that nothing else can be taken for it.
    api: Weak<ApiEntry>,
    application: Weak<ApplicationEntry>,
    rules: Weak<AssertionRules>,
    tier: Arc<str>,
    token: HeaderValue,
    until: Timestamp,
}

/// A call that passes.
pub(crate) struct Passing<'c> {
    pub(crate) snapshot: &'c Snapshot,
    pub(crate) api: &'c Arc<ApiEntry>,
    /// Who calls, by his token; `None` where nobody asks.
    pub(crate) caller: Option<(&'c Arc<Verified>, &'c Caller)>,
    /// The token's text.
    pub(crate) text: Option<&'c str>,
    /// What user stores know of the user, where backends are told that.
    pub(crate) claims: Option<&'c Claims>,
    pub(crate) now: Timestamp,
}

impl Assertions {
    pub(crate) fn new() -> Self {
        let count = |outcome: &'static str| metrics::counter!("gateway_assertions_total", "outcome" => outcome);
        Self { kept: Cache::new(KEPT_MAX), numbers: ahash::RandomState::new(), made: count("made"), used: count("used") }
    }

    /// What the backend of a call is told; `None` where its tenant tells nothing.
    ///
    /// # Errors
    /// [`AuthRefusal::Undecided`] when there is no key to sign with: a backend that relies on being told must not be called without.
    pub(crate) fn tell(&self, call: &Passing<'_>) -> Result<Option<Told>, AuthRefusal> {
        let Some(rules) = call.snapshot.assertion(call.api) else { return Ok(None) };
        let token = call.caller.map(|(verified, caller)| self.token(rules, call, verified, caller)).transpose()?;
        Ok(Some(Told { header: rules.header.clone(), token }))
    }

    fn token(
        &self,
        rules: &Arc<AssertionRules>,
        call: &Passing<'_>,
        verified: &Arc<Verified>,
        caller: &Caller,
    ) -> Result<HeaderValue, AuthRefusal> {
        let tier = call.snapshot.subscription(caller.application.id, call.api.id).map_or_else(|| Arc::from(""), |s| Arc::clone(&s.tier));
        let number = self.numbers.hash_one((verified.id(), call.api.id));
        if let Some(kept) = self.kept.get(&number)
            && kept.until > call.now
            && kept.verified.is_the_same(verified)
            && is_of(&kept.api, call.api)
            && is_of(&kept.application, &caller.application)
            && is_of(&kept.rules, rules)
            && kept.tier == tier
        {
            self.used.increment(1);
            return Ok(kept.token);
        }
        let token = make(rules, call, verified, caller, &tier)?;
        self.made.increment(1);
        let life_ms = rules.settings.lifetime_secs.saturating_mul(1_000);
        let kept = Kept {
            verified: Arc::clone(verified),
            api: Arc::downgrade(call.api),
            application: Arc::downgrade(&caller.application),
            rules: Arc::downgrade(rules),
            tier,
            token: token.clone(),
            until: call.now.plus_ms(life_ms - BEFORE_END_MS.min(life_ms / 4)),
        };
        self.kept.insert(number, kept);
        Ok(token)
    }
}

fn is_of<T>(kept: &Weak<T>, here: &Arc<T>) -> bool {
    std::ptr::eq(kept.as_ptr(), Arc::as_ptr(here))
}

fn make(rules: &AssertionRules, call: &Passing<'_>, verified: &Verified, caller: &Caller, tier: &str) -> Result<HeaderValue, AuthRefusal> {
    let undecided = |why: &str| {
        tracing::error!(tenant = %call.api.tenant, why, "a backend is to be told who calls and cannot be; the call was refused");
        AuthRefusal::Undecided
    };
    let application = &*caller.application;
    // 4.0 signs with the installation's key unless told otherwise, the versions before with the user's tenant's.
    let signer = match rules.settings.form {
        JwtForm::V4_0 => call.snapshot.signer(TenantId::SUPER),
        JwtForm::Old(_) => call.snapshot.signer(application.tenant),
    };
    let key = signer.ok_or_else(|| undecided("no signing key"))?;
    let domain = call.snapshot.domain(application.tenant).unwrap_or(model::SUPER_TENANT_DOMAIN);
    let (uuid, id) = (application.id.to_string(), uuid::Uuid::new_v4().to_string());
    let claims = match rules.settings.form {
        JwtForm::V4_0 => call.text.and_then(|text| Jwt::parse(text).ok()?.claims().ok().map(|claims| claims.all())),
        JwtForm::Old(_) => None,
    };
    let told = token::Caller {
        subscriber: &with_domain(&application.owner, domain, application.tenant != TenantId::SUPER),
        application: application.number,
        application_uuid: &uuid,
        application_name: &application.name,
        application_tier: &application.tier,
        application_attributes: &application.attributes,
        api_name: &call.api.name,
        api_context: match rules.settings.form {
            JwtForm::Old(Generation::V1_8) => call.api.bare_context(),
            _ => &call.api.context,
        },
        version: &call.api.version,
        tier,
        key_type: match caller.key_type {
            KeyType::Production => "PRODUCTION",
            KeyType::Sandbox => "SANDBOX",
        },
        user_type: if verified.is_application { "APPLICATION" } else { "APPLICATION_USER" },
        end_user: &with_domain(&caller.user, domain, true),
        end_user_tenant: application.tenant.0,
        id: &id,
        claims: claims.as_ref(),
        user_claims: call.claims.map_or(&[], |claims| &**claims),
    };
    let text = token::assertion(&rules.settings, &told, key, call.now).map_err(|_| undecided("the key does not sign"))?;
    let mut value = HeaderValue::try_from(text).map_err(|_| undecided("the token is no header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A user's name with his tenant's domain behind it, if it is `wanted` and not there yet.
fn with_domain(user: &str, domain: &str, wanted: bool) -> String {
    let has = user.strip_suffix(domain).is_some_and(|rest| rest.ends_with('@'));
    if has || !wanted { user.to_owned() } else { format!("{user}@{domain}") }
}
