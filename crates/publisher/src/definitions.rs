//! API definitions: where one comes from, and how it and the API object follow each other.
//!
//! Reading and writing OpenAPI is `spec`'s; here is decided which of the two sides wins. A definition that comes in decides operations
//! and scopes. An API object that comes in decides them too, and is written into the definition, which otherwise stays its author's.

use std::borrow::Cow;

use db::Tx;
use http::HeaderMap;
use model::{Api, ApiKind, ApiScope, Definition, DefinitionFormat};
use rest::{Caller, Entry, Refusal};
use spec::{Fault, Parsed};

use crate::access::{self, Intent};
use crate::apis::{self, rules};
use crate::fetch::FetchError;
use crate::{Room, entry, wire};

/// Which OpenAPI a definition is generated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenApi {
    /// 2.0.
    V2,
    /// 3.0.
    V3,
}

impl OpenApi {
    /// Reads the query parameter; absent is `V3`.
    ///
    /// # Errors
    /// 400 for another word.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        match text.map(str::trim) {
            None | Some("") => Ok(Self::V3),
            Some(word) if word.eq_ignore_ascii_case("v3") => Ok(Self::V3),
            Some(word) if word.eq_ignore_ascii_case("v2") => Ok(Self::V2),
            Some(_) => Err(Refusal::Bad("openAPIVersion must be V2 or V3.".to_owned())),
        }
    }
}

/// What a client gave as a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its text.
    Text(String),
    /// Where it is.
    Url(String),
}

/// The judgement on a definition.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Its text, when it could be had.
    pub text: Option<String>,
    /// What it says, or all that is wrong with it.
    pub result: Result<Box<Parsed>, Vec<Fault>>,
}

/// Reads and judges a definition.
pub(crate) async fn judge(room: &Room, source: &Source) -> Judged {
    let text = match source {
        Source::Text(text) => text.clone(),
        Source::Url(url) => match room.fetcher.text(url).await {
            Ok(text) => text,
            Err(fault) => return Judged { text: None, result: Err(vec![unfetched(&fault)]) },
        },
    };
    let result = spec::validate(&text).map(Box::new);
    Judged { text: Some(text), result }
}

/// The definition, when it is valid.
///
/// # Errors
/// 400 with the code of the first fault and the words of all.
pub(crate) async fn obtain(room: &Room, source: &Source) -> Result<Box<Parsed>, Refusal> {
    judge(room, source).await.result.map_err(|faults| invalid(&faults))
}

fn unfetched(fault: &FetchError) -> Fault {
    let entry =
        if matches!(fault, FetchError::Url | FetchError::PrivateAddress) { entry::DEFINITION_URL } else { entry::DEFINITION_NO_200 };
    // The cause below may name inner addresses and is for the log alone.
    tracing::info!(error = fault as &dyn std::error::Error, "a definition could not be fetched");
    Fault { code: entry.code, message: entry.message, description: fault.to_string() }
}

pub(crate) fn invalid(faults: &[Fault]) -> Refusal {
    let words: Vec<&str> = faults.iter().map(|fault| fault.description.as_str()).collect();
    let first = faults.first();
    let entry = Entry {
        status: entry::DEFINITION_INVALID.status,
        code: first.map_or(entry::DEFINITION_INVALID.code, |fault| fault.code),
        message: first.map_or(entry::DEFINITION_INVALID.message, |fault| fault.message),
    };
    entry.with(words.join("; "))
}

/// Makes a new API out of a definition and what the client says besides.
///
/// # Errors
/// 400 unless it is an HTTP API; otherwise as [`apis::create`].
pub(crate) async fn import(room: &Room, caller: &Caller, sent: &wire::Api, source: &Source) -> Result<Api, Refusal> {
    if sent.kind.as_deref().is_some_and(|kind| kind != ApiKind::Http.name()) {
        return Err(Refusal::Bad("An OpenAPI definition makes an API of type HTTP only.".to_owned()));
    }
    let parsed = obtain(room, source).await?;
    apis::create(room, caller, sent, apis::Origin::Brought(parsed)).await
}

/// Gives a new API the operations, scopes and settings of the definition it is made from. What the client said besides comes first.
pub(crate) async fn take_over(tx: &mut Tx, api: &mut Api, sent: &wire::Api, parsed: &Parsed) -> Result<(), Refusal> {
    let extensions = &parsed.extensions;
    if sent.endpoint_config.is_none() {
        api.endpoints = extensions.endpoints().unwrap_or_default();
    }
    if sent.cors_configuration.is_none() {
        api.cors.clone_from(&extensions.cors);
    }
    if sent.transport.is_none() {
        api.transports.clone_from(&extensions.transports);
    }
    if sent.api_throttling_policy.is_none() {
        api.api_policy.clone_from(&extensions.policy);
    }
    if sent.authorization_header.is_none() {
        api.authorization_header.clone_from(&extensions.authorization_header);
    }
    if sent.description.is_none() {
        api.description.clone_from(&parsed.info.description);
    }
    if let Some((enabled, seconds)) = extensions.response_cache.filter(|_| sent.response_caching_enabled.is_none()) {
        api.response_caching = enabled;
        api.cache_timeout_secs = seconds.unwrap_or(api.cache_timeout_secs);
    }
    operations_of(tx, api, parsed).await
}

/// Operations and scopes of the definition. A scope it names without roles keeps the roles the API has given it: leaving the binding out
/// must not open what was closed.
pub(crate) async fn operations_of(tx: &mut Tx, api: &mut Api, parsed: &Parsed) -> Result<(), Refusal> {
    let mut scopes: Vec<ApiScope> = Vec::new();
    for found in &parsed.scopes {
        let mut scope = found.clone();
        if let Some(known) = api.scopes.iter().find(|known| known.name == scope.name) {
            if scope.roles.is_empty() {
                scope.roles.clone_from(&known.roles);
            }
            if scope.display_name == scope.name {
                scope.display_name.clone_from(&known.display_name);
            }
            scope.shared = known.shared;
        } else if let Some((_, shared)) = db::scopes::find_shared_by_name(tx, api.tenant, &scope.name).await? {
            scope = shared;
        }
        scopes.push(scope);
    }
    api.scopes = scopes;
    crate::scopes::adopt(tx, api).await?;
    api.operations.clone_from(&parsed.operations);
    Ok(())
}

/// A definition for an API that came without one; `None` for kinds that OpenAPI does not describe.
pub(crate) fn generate(api: &Api, version: OpenApi) -> Option<Definition> {
    let version = match version {
        OpenApi::V2 => spec::Version::V2,
        OpenApi::V3 => spec::Version::V3,
    };
    described_by_openapi(api.kind).then(|| spec::generate(api, version))
}

pub(crate) fn described_by_openapi(kind: ApiKind) -> bool {
    matches!(kind, ApiKind::Http | ApiKind::Soap | ApiKind::SoapToRest)
}

/// The definition with the API's operations, scopes and settings written in. Definitions of other languages stay as they are.
pub(crate) fn follow(definition: &Definition, api: &Api) -> Result<Definition, Refusal> {
    match definition.format {
        DefinitionFormat::OpenApi2 | DefinitionFormat::OpenApi3 => spec::apply(definition, api).map_err(|faults| invalid(&faults)),
        DefinitionFormat::AsyncApi | DefinitionFormat::GraphQl => Ok(definition.clone()),
    }
}

/// As [`follow`], for a new version: `info.version` names it.
pub(crate) fn follow_version(definition: &Definition, api: &Api) -> Result<Definition, Refusal> {
    let mut next = follow(definition, api)?;
    // What `follow` wrote is JSON; a definition of another language is not, and has no place for the version that we own.
    if let Ok(mut document) = serde_json::from_str::<serde_json::Value>(&next.text)
        && let Some(version) = document.pointer_mut("/info/version")
    {
        *version = api.version.clone().into();
        next.text = format!("{document:#}");
    }
    Ok(next)
}

/// The definition of an API, or of a revision of one.
///
/// # Errors
/// 404 when there is none; 403.
pub(crate) async fn show(room: &Room, caller: &Caller, id: &str) -> Result<Definition, Refusal> {
    let mut tx = room.db.read().await?;
    let (stored, api) = match access::reach(&mut tx, caller, id, Intent::Read).await {
        Ok(api) => (db::apis::definition(&mut tx, api.id).await?, Cow::Owned(api)),
        Err(Refusal::NotFound { .. }) => {
            let revision = access::reach_revision(&mut tx, caller, id).await?;
            (revision.definition, Cow::Owned(revision.content.as_ref().clone()))
        }
        Err(other) => return Err(other),
    };
    stored.or_else(|| generate(&api, OpenApi::V3)).ok_or_else(|| Refusal::NotFound { what: "API definition", id: id.to_owned() })
}

/// Replaces an API's definition; its operations and scopes follow.
///
/// # Errors
/// 400 for a definition that is none, 412, 404, 403, or the rule that the API would then break.
pub(crate) async fn replace(room: &Room, caller: &Caller, id: &str, source: &Source, headers: &HeaderMap) -> Result<Definition, Refusal> {
    let parsed = obtain(room, source).await?;
    let now = room.now();
    let mut tx = room.db.write().await?;
    let stored = access::reach(&mut tx, caller, id, Intent::Update).await?;
    apis::unchanged_since(&stored, headers)?;
    apis::may_change(caller, stored.state)?;
    if !described_by_openapi(stored.kind) {
        return Err(Refusal::Bad(format!("APIs of type {} have no OpenAPI definition.", stored.kind.name())));
    }
    if parsed.operations.is_empty() {
        return Err(entry::NO_RESOURCES.with("The definition has no operation."));
    }
    let mut next = stored.clone();
    next.updated_at = now;
    operations_of(&mut tx, &mut next, &parsed).await?;
    rules::check(&mut tx, caller, &next, Some(&stored)).await?;
    let definition = follow(&parsed.definition(), &next)?;
    apis::replace(&mut tx, &next).await?;
    db::apis::set_definition(&mut tx, next.id, &definition).await?;
    tx.commit().await?;
    Ok(definition)
}
