//! APIs: the row, the artifact, the definition, and all that hangs on them, put together but not translated.
//!
//! A row without artifact and an artifact without row are both kept: each is somebody's API.

use std::collections::HashMap;

use chrono::NaiveDateTime;

use super::{
    fields::Fields,
    people::{SUPER_TENANT_DOMAIN, SUPER_TENANT_ID, Tenant},
    record::{self, record},
    registry::{GOVERNANCE, Property, Registry, Resource},
};
use crate::packed::Squeezed;
use crate::source::{CellError, Source, SourceError};

/// Everything of API Manager's own in the registry.
pub const APPLICATION_DATA: &str = "/_system/governance/apimgt/applicationdata";

record! {
    /// An API's row.
    ApiRow from "AM_API" {
        id: i64 = "API_ID",
        /// With `@`.
        provider: String = "API_PROVIDER",
        name: String = "API_NAME",
        version: String = "API_VERSION",
        /// Without the version in 1.8, ending in it from 1.9 on.
        context: Option<String> = "CONTEXT",
        context_template: Option<String> = "CONTEXT_TEMPLATE",
        created_by: Option<String> = "CREATED_BY",
        created: Option<NaiveDateTime> = "CREATED_TIME",
        updated_by: Option<String> = "UPDATED_BY",
        updated: Option<NaiveDateTime> = "UPDATED_TIME",
        tier: Option<String> = "API_TIER",
    }
}

record! {
    /// One verb on one pattern. These rows, not the artifact, are the complete list.
    UrlMapping from "AM_API_URL_MAPPING" {
        id: i64 = "URL_MAPPING_ID",
        api_id: i64 = "API_ID",
        verb: Option<String> = "HTTP_METHOD",
        /// None, Application, Application_User or Any.
        auth_scheme: Option<String> = "AUTH_SCHEME",
        pattern: Option<String> = "URL_PATTERN",
        tier: Option<String> = "THROTTLING_TIER",
        mediation_script: Option<Vec<u8>> = "MEDIATION_SCRIPT",
    }
}

record! {
    /// A step of an API's lifecycle.
    LifecycleEvent from "AM_API_LC_EVENT" {
        id: i64 = "EVENT_ID",
        api_id: i64 = "API_ID",
        previous: Option<String> = "PREVIOUS_STATE",
        new: String = "NEW_STATE",
        user_id: Option<String> = "USER_ID",
        tenant_id: Option<i64> = "TENANT_ID",
        at: Option<NaiveDateTime> = "EVENT_DATE",
    }
}

record! {
    /// An API has a scope.
    ApiScope from "AM_API_SCOPES" {
        api_id: i64 = "API_ID",
        scope_id: i64 = "SCOPE_ID",
    }
}

record! {
    /// The default version of a name.
    DefaultVersion from "AM_API_DEFAULT_VERSION" {
        id: i64 = "DEFAULT_VERSION_ID",
        name: String = "API_NAME",
        provider: String = "API_PROVIDER",
        default: Option<String> = "DEFAULT_API_VERSION",
        /// What the gateway serves on the context without version.
        published: Option<String> = "PUBLISHED_DEFAULT_API_VERSION",
    }
}

record! {
    /// A comment; its time was written in UTC.
    Comment from "AM_API_COMMENTS" {
        id: i64 = "COMMENT_ID",
        text: Option<String> = "COMMENT_TEXT",
        user: Option<String> = "COMMENTED_USER",
        at: Option<NaiveDateTime> = "DATE_COMMENTED",
        api_id: i64 = "API_ID",
    }
}

record! {
    /// Stars.
    Rating from "AM_API_RATINGS" {
        id: i64 = "RATING_ID",
        api_id: i64 = "API_ID",
        rating: Option<i64> = "RATING",
        subscriber_id: i64 = "SUBSCRIBER_ID",
    }
}

record! {
    /// An API was published to another store too.
    ExternalStore from "AM_EXTERNAL_STORES" {
        id: i64 = "APISTORE_ID",
        api_id: i64 = "API_ID",
        store_id: String = "STORE_ID",
        display_name: Option<String> = "STORE_DISPLAY_NAME",
        endpoint: Option<String> = "STORE_ENDPOINT",
        kind: Option<String> = "STORE_TYPE",
    }
}

/// An API with all that hangs on it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OldApi {
    /// -1234 for the super tenant.
    pub tenant_id: i64,
    /// `None` when only the artifact exists.
    pub row: Option<ApiRow>,
    /// `None` when only the row exists.
    pub artifact: Option<Artifact>,
    /// REG_UUID of the artifact: the API's identity for the outside.
    pub uuid: Option<String>,
    /// Complete list of resources.
    pub url_mappings: Vec<UrlMapping>,
    /// In order.
    pub lifecycle_events: Vec<LifecycleEvent>,
    /// [`super::oauth::Scope::id`]s, each once.
    pub scope_ids: Vec<i64>,
    /// Rows of AM_API_SCOPES that say again what another said.
    pub doubled_scopes: u64,
    /// swagger.json's bytes (1.9 on).
    pub swagger: Option<Squeezed<Vec<u8>>>,
    /// Swagger 1.2 (to 1.8).
    pub swagger_12: Option<Swagger12>,
    /// Registry tags.
    pub tags: Vec<String>,
    /// Documents.
    pub documents: Vec<OldDocument>,
    /// The thumbnail.
    pub icon: Option<StoredFile>,
    /// The stored WSDL, or archive of WSDLs.
    pub wsdl: Option<StoredFile>,
    /// Registry paths of the parts of a Swagger 1.2 definition.
    pub swagger_12_files: Vec<StoredFile>,
    /// Registry path of swagger.json.
    pub swagger_file: Option<StoredFile>,
    /// Sequences of this API alone (2.0 on).
    pub sequences: Vec<SequenceResource>,
    /// Where else it was published.
    pub external_stores: Vec<ExternalStore>,
    /// Comments.
    pub comments: Vec<Comment>,
    /// Ratings.
    pub ratings: Vec<Rating>,
}

impl OldApi {
    /// Provider with `@`, name and version, from the row or else the artifact.
    pub fn identity(&self) -> (String, String, String) {
        match (&self.row, &self.artifact) {
            (Some(row), _) => (row.provider.clone(), row.name.clone(), row.version.clone()),
            (None, Some(artifact)) => artifact.identity(),
            (None, None) => Default::default(),
        }
    }
}

/// An API's artifact.
#[derive(Clone, PartialEq)]
pub struct Artifact {
    /// Registry path.
    pub path: String,
    /// `overview_name` and the like, as written. Empty when it does not read.
    pub fields: Fields,
    /// Why the XML does not read.
    pub fault: Option<String>,
    /// Registry properties; `STATUS` is one.
    pub properties: Vec<Property>,
    /// Who made it.
    pub creator: Option<String>,
    /// When, local time.
    pub created: Option<NaiveDateTime>,
    /// When last changed, local time.
    pub updated: Option<NaiveDateTime>,
}

// Among the fields is the backend's password.
impl std::fmt::Debug for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Artifact({}, {:?})", self.path, self.fields)
    }
}

impl Artifact {
    /// The first value of a field that is not empty, by `overview_name` notation.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field)
    }

    /// Puts a value where the artifact leaves one out.
    pub(super) fn set(&mut self, field: &str, value: &str) {
        self.fields.retain(|name, old| name != field || !old.trim().is_empty());
        self.fields.push(field, value);
    }

    fn identity(&self) -> (String, String, String) {
        let from_path = identity_in_path(&self.path);
        let field = |name: &str| self.get(name).map(str::to_owned);
        let (provider, name, version) = from_path.unwrap_or_default();
        (
            with_at(&field("overview_provider").unwrap_or(provider)),
            field("overview_name").unwrap_or(name),
            field("overview_version").unwrap_or(version),
        )
    }
}

/// A Swagger 1.2 definition, which is several resources.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Swagger12 {
    /// `api-doc`
    pub root: Option<Vec<u8>>,
    /// The other resources by name.
    pub parts: Vec<(String, Vec<u8>)>,
}

/// A document's artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct OldDocument {
    /// REG_UUID.
    pub uuid: Option<String>,
    /// Registry path.
    pub path: String,
    /// `overview_name` and the like.
    pub fields: Fields,
    /// Why the XML does not read.
    pub fault: Option<String>,
    /// Who made it.
    pub creator: Option<String>,
    /// When, local time.
    pub created: Option<NaiveDateTime>,
    /// When last changed, local time.
    pub updated: Option<NaiveDateTime>,
    /// Inline body, when it exists.
    pub inline: Option<StoredFile>,
    /// Uploaded file, when it exists.
    pub file: Option<StoredFile>,
}

impl OldDocument {
    /// The first value of a field that is not empty.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field)
    }
}

/// A resource whose bytes come through [`Registry::contents`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Tenant.
    pub tenant_id: i64,
    /// Registry path.
    pub path: String,
    /// Media type.
    pub media_type: Option<String>,
}

/// A sequence in the registry. Its bytes, into which authors write passwords, do not print.
#[derive(Clone, PartialEq, Eq)]
pub struct SequenceResource {
    /// `in`, `out` or `fault`.
    pub direction: String,
    /// File name; the sequence's own name stands inside.
    pub file: String,
    /// The registry's identifier of it.
    pub uuid: Option<String>,
    /// Bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for SequenceResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SequenceResource({}/{}, {:?}, {} bytes)", self.direction, self.file, self.uuid, self.bytes.len())
    }
}

/// `-AT-` back to `@`, at its last place only.
pub fn with_at(provider: &str) -> String {
    match provider.rsplit_once("-AT-") {
        Some((name, domain)) => format!("{name}@{domain}"),
        None => provider.to_owned(),
    }
}

/// Provider, name and version of `…/provider/<P>/<N>/<V>/api`, from the right: a provider may hold a slash.
fn identity_in_path(path: &str) -> Option<(String, String, String)> {
    let rest = path.strip_prefix(APPLICATION_DATA)?.strip_prefix("/provider/")?.strip_suffix("/api")?;
    let (rest, version) = rest.rsplit_once('/')?;
    let (provider, name) = rest.rsplit_once('/')?;
    Some((with_at(provider), name.to_owned(), version.to_owned()))
}

/// Rows that hang on no API, by table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orphans {
    /// Of AM_API_URL_MAPPING.
    pub url_mappings: u64,
    /// Of AM_API_LC_EVENT.
    pub lifecycle_events: u64,
    /// Of AM_API_SCOPES.
    pub scopes: u64,
    /// Of AM_API_COMMENTS.
    pub comments: u64,
    /// Of AM_API_RATINGS.
    pub ratings: u64,
}

pub(super) async fn read(
    source: &Source,
    registry: &mut Registry,
    tenants: &[Tenant],
    unreadable: &mut Vec<CellError>,
) -> Result<(Vec<OldApi>, Orphans), SourceError> {
    let mut found: Vec<OldApi> = Vec::new();
    let mut by_identity: HashMap<(i64, String, String, String), usize> = HashMap::new();
    let mut by_id: HashMap<i64, usize> = HashMap::new();
    let rows = record::all::<ApiRow>(source, unreadable).await?;
    found.reserve_exact(rows.len());
    for row in rows {
        let tenant_id = tenant_of(&row.provider, tenants);
        by_identity.insert((tenant_id, row.provider.clone(), row.name.clone(), row.version.clone()), found.len());
        by_id.insert(row.id, found.len());
        found.push(OldApi { tenant_id, row: Some(row), ..OldApi::default() });
    }
    let artifacts = registry.all().filter(|r| !r.is_collection && identity_in_path(&r.path).is_some() && is_api(r));
    for resource in artifacts {
        let artifact = artifact(resource);
        let (provider, name, version) = artifact.identity();
        let key = (resource.tenant_id, provider, name, version);
        let at = match by_identity.get(&key) {
            // A second artifact of the same identity is somebody's too.
            Some(at) if found.get(*at).is_some_and(|a| a.artifact.is_none()) => *at,
            _ => {
                found.push(OldApi { tenant_id: resource.tenant_id, ..OldApi::default() });
                found.len() - 1
            }
        };
        if let Some(api) = found.get_mut(at) {
            api.uuid = resource.uuid.clone();
            api.tags = resource.tags.clone();
            api.artifact = Some(artifact);
        }
    }
    for api in &mut found {
        hang(api, registry);
    }
    // Artifacts have been taken apart and definitions copied, of ten thousand APIs some hundred MiB.
    for artifact in found.iter().filter_map(|api| Some((api.tenant_id, &api.artifact.as_ref()?.path))) {
        let (tenant, path) = artifact;
        registry.release(tenant, path);
        registry.release(tenant, &format!("{}/swagger.json", path.strip_suffix("/api").unwrap_or(path)));
    }
    let mut each = |api_id: i64, put: &mut dyn FnMut(&mut OldApi)| -> bool {
        match by_id.get(&api_id).and_then(|at| found.get_mut(*at)) {
            Some(api) => {
                put(api);
                true
            }
            None => false,
        }
    };
    let mut orphans = Orphans::default();
    for row in record::all::<UrlMapping>(source, unreadable).await? {
        orphans.url_mappings += u64::from(!each(row.api_id, &mut |api| api.url_mappings.push(row.clone())));
    }
    for row in record::all::<LifecycleEvent>(source, unreadable).await? {
        orphans.lifecycle_events += u64::from(!each(row.api_id, &mut |api| api.lifecycle_events.push(row.clone())));
    }
    for row in record::all::<ApiScope>(source, unreadable).await? {
        let known = each(row.api_id, &mut |api| match api.scope_ids.contains(&row.scope_id) {
            true => api.doubled_scopes += 1,
            false => api.scope_ids.push(row.scope_id),
        });
        orphans.scopes += u64::from(!known);
    }
    for row in record::all::<ExternalStore>(source, unreadable).await? {
        each(row.api_id, &mut |api| api.external_stores.push(row.clone()));
    }
    for row in record::all::<Comment>(source, unreadable).await? {
        orphans.comments += u64::from(!each(row.api_id, &mut |api| api.comments.push(row.clone())));
    }
    for row in record::all::<Rating>(source, unreadable).await? {
        orphans.ratings += u64::from(!each(row.api_id, &mut |api| api.ratings.push(row.clone())));
    }
    for api in &mut found {
        api.url_mappings.sort_by_key(|m| m.id);
        api.lifecycle_events.sort_by_key(|e| e.id);
        api.scope_ids.sort_unstable();
        api.external_stores.sort_by_key(|s| s.id);
        api.comments.sort_by_key(|c| c.id);
        api.ratings.sort_by_key(|r| r.id);
    }
    found.sort_by_key(|api| (api.row.as_ref().map_or(i64::MAX, |r| r.id), api.identity()));
    Ok((found, orphans))
}

fn is_api(resource: &Resource) -> bool {
    resource.media_type.as_deref().is_none_or(|m| m == "application/vnd.wso2-api+xml")
}

fn artifact(resource: &Resource) -> Artifact {
    let (found, fault) = match resource.content.as_deref().map(Fields::read) {
        Some(Ok(found)) => (found, None),
        Some(Err(fault)) => (Fields::default(), Some(fault)),
        None => (Fields::default(), Some("it has no content".to_owned())),
    };
    Artifact {
        path: resource.path.clone(),
        fields: found,
        fault,
        properties: resource.properties.clone(),
        creator: resource.creator.clone(),
        created: resource.created,
        updated: resource.updated,
    }
}

/// The tenant a provider's name ends in; only what follows the last `@`, and only when it is a tenant.
fn tenant_of(provider: &str, tenants: &[Tenant]) -> i64 {
    let Some((_, domain)) = provider.rsplit_once('@') else { return SUPER_TENANT_ID };
    if domain == SUPER_TENANT_DOMAIN {
        return SUPER_TENANT_ID;
    }
    tenants.iter().find(|t| t.domain == domain).map_or(SUPER_TENANT_ID, |t| t.id)
}

/// Hangs on an API what the registry holds beside its artifact.
fn hang(api: &mut OldApi, registry: &Registry) {
    let (provider, name, version) = api.identity();
    let provider = provider.replace('@', "-AT-");
    let tenant = api.tenant_id;
    let folder = match &api.artifact {
        Some(artifact) => artifact.path.strip_suffix("/api").unwrap_or_default().to_owned(),
        None => format!("{APPLICATION_DATA}/provider/{provider}/{name}/{version}"),
    };
    let swagger = format!("{folder}/swagger.json");
    api.swagger = registry.content(tenant, &swagger).map(|bytes| Squeezed::new(&bytes.to_vec()));
    api.swagger_file = stored(registry, tenant, &swagger);
    let parts = format!("{APPLICATION_DATA}/api-docs/{name}-{version}-{provider}/1.2");
    api.swagger_12 = swagger_12(registry, tenant, &parts);
    api.swagger_12_files = registry.files_below(tenant, &parts).into_iter().filter_map(|path| stored(registry, tenant, path)).collect();
    // The artifact's own path is spelled as its neighbours' are; its fields may lead elsewhere, and count only where that fails.
    let spelled = folder.strip_prefix(APPLICATION_DATA).and_then(|rest| rest.strip_prefix("/provider/"));
    let spelled = spelled.map_or_else(|| format!("{provider}/{name}/{version}"), str::to_owned);
    let named = |field: &str| api.artifact.as_ref().and_then(|a| a.get(field)).and_then(in_registry);
    let icon = stored(registry, tenant, &format!("{APPLICATION_DATA}/icons/{spelled}/icon"));
    let icon = icon.or_else(|| named("overview_thumbnail").and_then(|path| stored_as_spelled(registry, tenant, path)));
    let written = spelled.strip_suffix(&format!("/{name}/{version}")).unwrap_or(&provider);
    let beside =
        |provider: &str, end: &str| stored(registry, tenant, &format!("{APPLICATION_DATA}/wsdls/{provider}--{name}{version}{end}"));
    let flat = written.replace('/', "_");
    let wsdl = [".wsdl", ".zip"].into_iter().find_map(|end| beside(written, end).or_else(|| beside(&flat, end)));
    let wsdl = wsdl.or_else(|| named("overview_wsdl").and_then(|path| stored_as_spelled(registry, tenant, path)));
    (api.icon, api.wsdl) = (icon, wsdl);
    api.documents = documents(registry, tenant, &folder);
    for direction in ["in", "out", "fault"] {
        for resource in registry.below(tenant, &format!("{folder}/{direction}")) {
            if let Some(bytes) = &resource.content {
                api.sequences.push(SequenceResource {
                    direction: direction.into(),
                    file: resource.name().to_owned(),
                    uuid: resource.uuid.clone(),
                    bytes: bytes.clone(),
                });
            }
        }
    }
}

fn swagger_12(registry: &Registry, tenant: i64, folder: &str) -> Option<Swagger12> {
    let mut found = Swagger12::default();
    for resource in registry.below(tenant, folder) {
        let Some(bytes) = &resource.content else { continue };
        match resource.path.strip_prefix(folder).map(|p| p.trim_start_matches('/')) {
            Some("api-doc") => found.root = Some(bytes.clone()),
            Some(name) => found.parts.push((name.to_owned(), bytes.clone())),
            None => {}
        }
    }
    (found.root.is_some() || !found.parts.is_empty()).then_some(found)
}

fn stored(registry: &Registry, tenant: i64, path: &str) -> Option<StoredFile> {
    let resource = registry.at(tenant, path).filter(|r| r.has_content())?;
    Some(StoredFile { tenant_id: tenant, path: resource.path.clone(), media_type: resource.media_type.clone() })
}

/// The registry path in a link to a resource, whatever stands before it.
pub fn in_registry(link: &str) -> Option<&str> {
    link.find(GOVERNANCE).and_then(|at| link.get(at..))
}

/// As [`stored`], for a path out of a field: links were written with and without percent signs for blanks and the like.
fn stored_as_spelled(registry: &Registry, tenant: i64, path: &str) -> Option<StoredFile> {
    stored(registry, tenant, path).or_else(|| stored(registry, tenant, &percent_decoded(path)?))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = others.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = others.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn documents(registry: &Registry, tenant: i64, folder: &str) -> Vec<OldDocument> {
    let folder = format!("{folder}/documentation");
    let direct = registry.below(tenant, &folder).filter(|r| {
        let rest = r.path.get(folder.len() + 1..).unwrap_or_default();
        !r.is_collection && !rest.contains('/') && r.media_type.as_deref().is_none_or(|m| m == "application/vnd.wso2-document+xml")
    });
    direct
        .map(|resource| {
            let (found, fault) = match resource.content.as_deref().map(Fields::read) {
                Some(Ok(found)) => (found, None),
                Some(Err(fault)) => (Fields::default(), Some(fault)),
                None => (Fields::default(), Some("it has no content".to_owned())),
            };
            let inline = stored(registry, tenant, &format!("{folder}/contents/{}", resource.name()));
            let named = found.get("overview_filePath").and_then(in_registry);
            let linked = || {
                let edges = registry.associations.iter().filter(|a| a.tenant_id == tenant && a.source_path == resource.path);
                edges.into_iter().find(|a| a.kind == "hasFile").map(|a| a.target_path.as_str())
            };
            let file = named.and_then(|p| stored_as_spelled(registry, tenant, p));
            let file = file.or_else(|| linked().and_then(|p| stored_as_spelled(registry, tenant, p)));
            OldDocument {
                uuid: resource.uuid.clone(),
                path: resource.path.clone(),
                creator: resource.creator.clone(),
                created: resource.created,
                updated: resource.updated,
                inline,
                file,
                fault,
                fields: found,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_the_right() {
        let path = format!("{APPLICATION_DATA}/provider/WSO2.ORG/bob-AT-acme.com/Weather/1.0.0/api");
        let expected = ("WSO2.ORG/bob@acme.com".to_owned(), "Weather".to_owned(), "1.0.0".to_owned());
        assert_eq!(identity_in_path(&path), Some(expected));
        assert_eq!(identity_in_path("/_system/governance/x/api"), None);
    }

    #[test]
    fn a_link_is_read_with_and_without_percent_signs() {
        let link = "/t/acme.com/registry/resource/_system/governance/apimgt/x/Gr%C3%B6%C3%9Fe%201.pdf";
        assert_eq!(in_registry(link).and_then(percent_decoded).as_deref(), Some("/_system/governance/apimgt/x/Größe 1.pdf"));
        assert_eq!(percent_decoded("50% off%2").as_deref(), Some("50% off%2"));
        assert_eq!(percent_decoded("%FF"), None);
        assert_eq!(in_registry("http://elsewhere/x.wsdl"), None);
    }

    #[test]
    fn a_tenant_is_only_what_follows_the_last_at() {
        let acme = Tenant { id: 7, domain: "acme.com".into(), email: None, active: None, created: None, realm_xml: None };
        let tenants = [acme];
        assert_eq!(tenant_of("bob@mail.org@acme.com", &tenants), 7);
        assert_eq!(tenant_of("bob@mail.org", &tenants), SUPER_TENANT_ID);
        assert_eq!(tenant_of("bob@carbon.super", &tenants), SUPER_TENANT_ID);
    }
}
