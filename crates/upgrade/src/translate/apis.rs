//! APIs: the row, the artifact and all that hangs on them, as one API that answers where and how it did.

use std::collections::{HashMap, HashSet};

use db::lifecycle_events::LifecycleEvent;
use model::{
    AccessControl, Advertise, Api, ApiId, ApiKind, BusinessInformation, Cors, EndpointImplementation, LifecycleState, MaxTps, Property,
    SubscriptionAvailability, TenantId, Timestamp, Visibility,
};
use serde_json::Value;

use super::{
    About, Carried, CarriedApi, Desk, contexts, definitions, endpoints, list, operations, policies::Limits, said, scopes::Scopes,
    sequences::Sequences,
};
use crate::old::apis::{Artifact, OldApi, in_registry};
use crate::old::fields::Fields;
use crate::packed::Squeezed;

const TABLE: &str = "AM_API";

/// Fields of the artifact that have a home here, or mean nothing any more.
const KNOWN_FIELDS: &[&str] = &[
    "provider",
    "name",
    "version",
    "context",
    "contextTemplate",
    "versionType",
    "isDefaultVersion",
    "isLatest",
    "status",
    "description",
    "thumbnail",
    "transports",
    "tier",
    "visibility",
    "visibleRoles",
    "visibleTenants",
    "subscriptionAvailability",
    "tenants",
    "technicalOwner",
    "technicalOwnerEmail",
    "businessOwner",
    "businessOwnerEmail",
    "advertiseOnly",
    "vendor",
    "wsdl",
    "endpointConfig",
    "endpointSecured",
    "endpointUsername",
    "endpointPpassword",
    "endpointAuthDigest",
    "implementation",
    "inSequence",
    "outSequence",
    "faultSequence",
    "responseCaching",
    "cacheTimeout",
    "productionTps",
    "sandboxTps",
    "corsConfiguration",
    "apiPolicy",
    "type",
    "authorizationHeader",
    "apiSecurity",
    "enableSchemaValidation",
    "enableStore",
];

/// What a field says when nobody chose it; keeping that would only bury what somebody did choose.
const UNCHOSEN: &[(&str, &[&str])] = &[
    ("destinationStatsEnabled", &["disabled", "false"]),
    ("environments", &["none"]),
    ("testKey", &["null"]),
    ("monetizationStatus", &["false", "null"]),
    ("monetizationProperties", &["{}", "null"]),
    ("deploymentEnvironments", &["null", "[]"]),
];

pub(super) fn translate(
    desk: &mut Desk<'_>,
    scopes: &mut Scopes,
    limits: &mut Limits,
    sequences: &mut Sequences,
) -> Vec<Carried<CarriedApi>> {
    let defaults = default_versions(desk);
    let mut done: Vec<Carried<CarriedApi>> = Vec::with_capacity(desk.old.apis.len());
    let mut contexts: HashMap<String, String> = HashMap::new();
    let mut names: HashMap<(TenantId, String, String), String> = HashMap::new();
    let mut ids: HashSet<ApiId> = HashSet::new();
    for old in &desk.old.apis {
        let (_, name, version) = old.identity();
        let shown = format!("{name} {version}");
        let origin = match (&old.row, &old.artifact) {
            (Some(row), _) => format!("{TABLE} {} ({shown})", row.id),
            (None, Some(artifact)) => artifact.path.clone(),
            (None, None) => continue,
        };
        let Some(mut carried) = one(desk, old, &defaults, scopes, limits, &origin) else { continue };
        let api = &mut carried.value.api;
        if !ids.insert(api.id) {
            api.id = ApiId::derived(&[desk.input.source, &origin]);
            ids.insert(api.id);
            desk.warn(
                About::Api,
                "It gets an identifier of its own; links to it change.",
                origin.clone(),
                format!("{shown} has the same identifier as another API"),
            );
        }
        sequences.attach(desk, old, old.artifact.as_ref(), api, &origin);
        if let Some(other) = contexts.insert(api.context.clone(), shown.clone()) {
            let words = format!("{shown} and {other} both answer at {}", api.context);
            desk.block(
                About::Api,
                "Two APIs cannot answer at one address; change or delete one in the old installation.",
                origin.clone(),
                words,
            );
        }
        if let Some(other) = names.insert((api.tenant, api.name.clone(), api.version.clone()), api.provider.clone()) {
            let words = format!("{other} and {} both have {shown}", api.provider);
            desk.block(
                About::Api,
                "Name and version must be unique in a tenant; rename or delete one in the old installation.",
                origin.clone(),
                words,
            );
        }
        if let Some(row) = &old.row {
            desk.ledger.imported((TABLE, desk.owners.api(row.id)));
        }
        done.push(carried);
    }
    let orphans = desk.old.orphans;
    for (table, rows) in [("AM_API_URL_MAPPING", orphans.url_mappings), ("AM_API_LC_EVENT", orphans.lifecycle_events)] {
        desk.ledger.skipped(table, "its API is gone", rows);
    }
    done
}

/// By provider and name.
fn default_versions(desk: &mut Desk<'_>) -> HashMap<(String, String), String> {
    const TABLE: &str = "AM_API_DEFAULT_VERSION";
    let known: HashSet<(String, String)> = desk.old.apis.iter().map(OldApi::identity).map(|(p, n, _)| (p, n)).collect();
    let mut found = HashMap::new();
    for row in &desk.old.default_versions {
        let at = (row.provider.clone(), row.name.clone());
        if !known.contains(&at) {
            desk.ledger.skipped((TABLE, desk.owners.user(Some(&row.provider))), "its API is gone", 1);
            continue;
        }
        desk.ledger.merged((TABLE, desk.owners.user(Some(&row.provider))), 1);
        let (served, wanted) = (said(row.published.as_deref()), said(row.default.as_deref()));
        if let (Some(served), Some(wanted)) = (served, wanted)
            && served != wanted
        {
            let words = format!("the default version of {} is {wanted}, but {served} answers", row.name);
            desk.note(
                About::Api,
                "The version that answers on the address without version is carried as the default.",
                format!("{TABLE} {}", row.id),
                words,
            );
        }
        if let Some(version) = served.or(wanted) {
            found.insert(at, version.to_owned());
        }
    }
    found
}

fn one(
    desk: &mut Desk<'_>,
    old: &OldApi,
    defaults: &HashMap<(String, String), String>,
    scopes: &mut Scopes,
    limits: &mut Limits,
    origin: &str,
) -> Option<Carried<CarriedApi>> {
    let (provider, name, version) = old.identity();
    let shown = format!("{name} {version}");
    let Some(tenant) = desk.names.tenant(old.tenant_id) else {
        fail(desk, old, "its tenant is gone", origin);
        return None;
    };
    let empty = Artifact {
        path: String::new(),
        fields: Fields::default(),
        fault: None,
        properties: Vec::new(),
        creator: None,
        created: None,
        updated: None,
    };
    let artifact = old.artifact.as_ref().unwrap_or(&empty);
    incomplete(desk, old, &shown, origin);
    let get = |field: &str| artifact.get(field).map(str::trim);
    let stored = old.row.as_ref().and_then(|r| r.context.clone()).or_else(|| get("overview_context").map(str::to_owned));
    let Some(stored) = stored.filter(|c| c.trim_matches('/').trim() != "") else {
        fail(desk, old, "has no context", origin);
        return None;
    };
    let template = old.row.as_ref().and_then(|r| r.context_template.clone()).or_else(|| get("overview_contextTemplate").map(str::to_owned));
    let context = if desk.old.version.context_has_version() {
        contexts::versioned(&stored, template.as_deref(), &version)
    } else {
        contexts::unversioned(&stored, &version)
    };
    if context.fixed {
        desk.warn(
            About::Api,
            "It keeps its address; other versions of it cannot be told by their address.",
            origin,
            format!("the address {} of {shown} holds no version", context.context),
        );
    }
    let id = match old.uuid.as_deref().map(str::parse::<ApiId>) {
        Some(Ok(id)) => id,
        _ => ApiId::derived(&[desk.input.source, &provider, &name, &version]),
    };
    let made = old.row.as_ref().and_then(|r| desk.at(TABLE, "CREATED_TIME", r.created));
    let made = made.or_else(|| desk.at("REG_RESOURCE", "REG_CREATED_TIME", artifact.created)).unwrap_or(Timestamp(0));
    let changed = old.row.as_ref().and_then(|r| desk.at(TABLE, "UPDATED_TIME", r.updated));
    let changed = changed.or_else(|| desk.at("REG_RESOURCE", "REG_LAST_UPDATED_TIME", artifact.updated)).unwrap_or(made);
    let owner = desk.names.user(&provider, Some(old.tenant_id)).to_string();
    let mut api = Api::new(id, tenant, &owner, &name, &version, &context.template, made);
    api.context = context.context;
    api.updated_at = changed;
    let events = events(desk, old);
    api.state = state(desk, old, artifact, &events, &shown, origin);
    api.is_default_version = defaults.get(&(provider, name)).is_some_and(|v| *v == version);
    api.description = get("overview_description").map(str::to_owned);
    let transports: Vec<String> = list(get("overview_transports")).into_iter().map(|t| t.to_ascii_lowercase()).collect();
    if !transports.is_empty() {
        api.transports = transports;
    }
    api.tags = old.tags.clone();
    for tier in get("overview_tier").unwrap_or_default().split("||").filter_map(|t| said(Some(t))) {
        let plan = limits.plan(desk, tenant, Some(tier), origin);
        if !api.plans.contains(&plan) {
            api.plans.push(plan);
        }
    }
    let policy = old.row.as_ref().and_then(|r| said(r.tier.as_deref())).or_else(|| get("overview_apiPolicy"));
    api.api_policy = policy.filter(|p| *p != model::UNLIMITED).map(|p| limits.of_operation(desk, tenant, Some(p), origin));
    let unread = is_unread(old);
    access(desk, artifact, &mut api, origin);
    if unread {
        // To nobody: without the artifact nobody knows to whom.
        api.visibility = Visibility::Restricted;
        api.visible_roles.clear();
    }
    backend(desk, old, artifact, &mut api, origin);
    rest_of_artifact(desk, artifact, &mut api, origin);
    api.scopes = scopes.of_api(&old.scope_ids);
    let parsed = definitions::read(desk, old, &shown);
    operations::translate(desk, old, &mut api, definitions::operations(parsed.as_ref()), scopes, limits);
    let definition = definitions::finished(desk, old, parsed.as_ref(), &api);
    let served =
        matches!(api.state, LifecycleState::Published | LifecycleState::Prototyped | LifecycleState::Deprecated | LifecycleState::Blocked);
    let deployed = served && !unread && get("overview_environments") != Some("none");
    let key = old.row.as_ref().map_or_else(|| artifact.path.clone(), |r| r.id.to_string());
    Some(Carried { key, value: CarriedApi { api, definition: Squeezed::new(&definition), events, deployed } })
}

fn fail(desk: &mut Desk<'_>, old: &OldApi, reason: &str, origin: &str) {
    let tenant = old.row.as_ref().and_then(|row| desk.owners.api(row.id));
    if old.row.is_some() {
        desk.ledger.failed((TABLE, tenant), reason, 1);
    }
    // What hangs on it goes with it.
    let rows = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    desk.ledger.skipped(("AM_API_URL_MAPPING", tenant), "its API could not be carried", rows(old.url_mappings.len()));
    desk.ledger.skipped(("AM_API_LC_EVENT", tenant), "its API could not be carried", rows(old.lifecycle_events.len()));
    desk.block(About::Api, "The API and its subscriptions would be lost.", origin, format!("{}: {reason}", old.identity().1));
}

/// Whether the artifact, which alone says who may see the API and where its calls go, is missing or says nothing.
fn is_unread(old: &OldApi) -> bool {
    old.artifact.as_ref().is_none_or(|a| a.fault.is_some() || a.fields.is_empty())
}

fn incomplete(desk: &mut Desk<'_>, old: &OldApi, shown: &str, origin: &str) {
    let fault = old.artifact.as_ref().and_then(|a| a.fault.clone());
    let words = match (&old.row, &old.artifact, fault) {
        (_, None, _) => format!("{shown} has no artifact in the registry"),
        (_, Some(_), Some(fault)) => format!("the artifact of {shown} does not read: {fault}"),
        (_, Some(_), None) if is_unread(old) => format!("the artifact of {shown} says nothing"),
        (None, Some(_), None) => format!("{shown} has an artifact but no row in the database"),
        (Some(_), Some(_), None) => return,
    };
    let consequence = match is_unread(old) {
        true => "Nothing says who may see it: it is shown to nobody and not deployed until somebody has completed it.",
        false => "What there is of it is carried; look it through before you rely on it.",
    };
    desk.warn(About::Api, consequence, origin, words);
}

fn events(desk: &mut Desk<'_>, old: &OldApi) -> Vec<LifecycleEvent> {
    const TABLE: &str = "AM_API_LC_EVENT";
    let mut found = Vec::new();
    for row in &old.lifecycle_events {
        let Some(to) = LifecycleState::parse(&row.new) else {
            desk.ledger.skipped((TABLE, desk.owners.api(row.api_id)), "names a state of the site's own", 1);
            desk.note(
                About::Api,
                "The step is left out of its history.",
                format!("{TABLE} {}", row.id),
                format!("state {} is not known here", row.new),
            );
            continue;
        };
        desk.ledger.merged((TABLE, desk.owners.api(row.api_id)), 1);
        let user = desk.names.user(row.user_id.as_deref().unwrap_or_default(), row.tenant_id).to_string();
        let at = desk.at(TABLE, "EVENT_DATE", row.at).unwrap_or(Timestamp(0));
        found.push(LifecycleEvent { from: row.previous.as_deref().and_then(LifecycleState::parse), to, user, at });
    }
    found
}

fn state(desk: &mut Desk<'_>, old: &OldApi, artifact: &Artifact, events: &[LifecycleEvent], shown: &str, origin: &str) -> LifecycleState {
    let property = artifact.properties.iter().find(|p| p.name == "STATUS").and_then(|p| p.value.as_deref());
    let said_so = said(artifact.get("overview_status")).or_else(|| said(property));
    let by_history = || events.last().map_or(LifecycleState::Created, |e| e.to);
    let state = match said_so {
        Some(word) => LifecycleState::parse(word).unwrap_or_else(|| {
            let state = by_history();
            desk.warn(
                About::Api,
                "The last standard state of its history is carried.",
                origin,
                format!("{shown} is {word}, which becomes {state}"),
            );
            state
        }),
        None => by_history(),
    };
    if events.is_empty() && old.row.is_some() {
        desk.note(About::Api, "Its state is carried, its past is unknown.", origin, format!("{shown} has no lifecycle history"));
    }
    state
}

fn access(desk: &mut Desk<'_>, artifact: &Artifact, api: &mut Api, origin: &str) {
    let get = |field: &str| artifact.get(field).map(str::trim);
    let shown = format!("{} {}", api.name, api.version);
    api.visible_roles = desk.roles(api.tenant, list(get("overview_visibleRoles")));
    api.visible_tenants = list(get("overview_visibleTenants"));
    api.visibility = match get("overview_visibility").map(str::to_ascii_lowercase).as_deref() {
        None | Some("public") => Visibility::Public,
        Some("private") => Visibility::Private,
        Some("restricted") => Visibility::Restricted,
        Some("controlled") => {
            let words = format!("{shown} was shown to tenants {}", api.visible_tenants.join(", "));
            desk.warn(About::Api, "Visibility by tenants is not offered here: only its own tenant sees it.", origin, words);
            Visibility::Private
        }
        Some(word) => {
            desk.warn(About::Api, "Only its own tenant sees it.", origin, format!("{shown} has the unknown visibility {word}"));
            Visibility::Private
        }
    };
    if api.visibility == Visibility::Restricted && api.visible_roles.is_empty() {
        desk.warn(About::Api, "Nobody but administrators sees it.", origin, format!("{shown} is restricted to no role"));
    }
    api.subscription_available_tenants = list(get("overview_tenants"));
    api.subscription_availability = match get("overview_subscriptionAvailability").map(str::to_ascii_lowercase).as_deref() {
        Some("all_tenants") => SubscriptionAvailability::AllTenants,
        // 1.8 misspells it.
        Some("specific_tenants" | "specific_tennats") => SubscriptionAvailability::SpecificTenants,
        _ => SubscriptionAvailability::CurrentTenant,
    };
    let property = |name: &str| artifact.properties.iter().find(|p| p.name == name).and_then(|p| said(p.value.as_deref()));
    if property("publisher_access_control").is_some_and(|v| v.eq_ignore_ascii_case("restricted")) {
        api.access_control = AccessControl::Restricted;
        let roles = property("publisher_roles").filter(|r| !r.eq_ignore_ascii_case("null"));
        api.access_control_roles = desk.roles(api.tenant, list(roles)).into_iter().map(|r| r.to_ascii_lowercase()).collect();
    }
    let security = list(get("overview_apiSecurity"));
    if !security.is_empty() {
        let mandatory = "oauth_basic_auth_api_key_mandatory";
        api.security_scheme = security;
        if api.security_scheme.iter().any(|s| s == "oauth2") && !api.security_scheme.iter().any(|s| s == mandatory) {
            api.security_scheme.push(mandatory.to_owned());
        }
    }
    api.authorization_header = get("overview_authorizationHeader").filter(|h| !h.eq_ignore_ascii_case("authorization")).map(str::to_owned);
}

fn backend(desk: &mut Desk<'_>, old: &OldApi, artifact: &Artifact, api: &mut Api, origin: &str) {
    let get = |field: &str| artifact.get(field).map(str::trim);
    let shown = format!("{} {}", api.name, api.version);
    let read = endpoints::read(artifact, desk.input.endpoint_map);
    for repair in &read.repairs {
        desk.warn(About::Api, "Check where its calls go.", origin, format!("{shown}: {repair}"));
    }
    api.endpoints = read.endpoints;
    api.wsdl_url = match (get("overview_wsdl"), &old.wsdl) {
        // A link into the old registry leads nowhere any more; an address elsewhere stays.
        (link, Some(_)) if link.is_none_or(|l| in_registry(l).is_some()) => Some(format!("/api/am/devportal/v2/apis/{}/wsdl", api.id)),
        (link, _) => link.map(str::to_owned),
    };
    api.kind = match (get("overview_type").and_then(ApiKind::parse), api.endpoints.kind()) {
        (Some(kind), _) if kind != ApiKind::Http => kind,
        (_, "wsdl") => ApiKind::Soap,
        (_, "address") if api.wsdl_url.is_some() || old.wsdl.is_some() => ApiKind::Soap,
        _ => ApiKind::Http,
    };
    if get("overview_implementation").is_some_and(|i| i.eq_ignore_ascii_case("INLINE")) {
        api.implementation = EndpointImplementation::Inline;
        let words = format!("{shown} answers from scripts of its operations");
        desk.warn(About::Api, "Scripts are carried and not run by this version's gateway: calls to it fail.", origin, words);
    } else if old.artifact.is_some()
        && api.state != LifecycleState::Created
        && !is_advertised(artifact)
        && let Err(fault) = api.endpoints.check()
    {
        desk.warn(About::Api, "Calls to it will fail until it is given a backend.", origin, format!("{shown}: {fault}"));
    }
    let mut number = |field: &str| {
        let text = get(field).filter(|t| !t.eq_ignore_ascii_case("null"))?;
        let read = text.parse::<u64>().ok();
        if read.is_none() {
            let words = format!("{shown}: {} is {text}", field.trim_start_matches("overview_"));
            desk.warn(About::Limit, "It is no whole number, so it is left out.", origin, words);
        }
        read
    };
    let production = number("overview_productionTps");
    let sandbox = number("overview_sandboxTps");
    api.max_tps = MaxTps { production, sandbox };
    if let Some(seconds) = number("overview_cacheTimeout").and_then(|s| u32::try_from(s).ok()) {
        api.cache_timeout_secs = seconds;
    }
    api.schema_validation = get("overview_enableSchemaValidation").is_some_and(|t| t.eq_ignore_ascii_case("true"));
    api.enable_store = get("overview_enableStore").is_none_or(|t| !t.eq_ignore_ascii_case("false"));
    api.response_caching = get("overview_responseCaching").is_some_and(|c| c.eq_ignore_ascii_case("enabled"));
    let own = get("overview_corsConfiguration").filter(|t| *t != "null");
    api.cors = own.and_then(own_cors);
    if own.is_some() && api.cors.is_none() {
        desk.warn(
            About::Api,
            "The old gateway's own answers to browsers are taken.",
            origin,
            format!("{shown}: its corsConfiguration does not read"),
        );
    }
    api.cors = api.cors.take().or_else(|| site_cors(desk));
}

fn own_cors(text: &str) -> Option<Cors> {
    let value: Value = serde_json::from_str(text).ok()?;
    let words = |key: &str, default: Vec<String>| match value.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => default,
    };
    let defaults = Cors::default();
    Some(Cors {
        enabled: value.get("corsConfigurationEnabled")?.as_bool()?,
        allow_origins: words("accessControlAllowOrigins", defaults.allow_origins),
        allow_credentials: value.get("accessControlAllowCredentials").and_then(Value::as_bool).unwrap_or(false),
        allow_headers: words("accessControlAllowHeaders", defaults.allow_headers),
        allow_methods: words("accessControlAllowMethods", defaults.allow_methods),
    })
}

/// Before 2.0 the gateway answered browsers for every API alike.
fn site_cors(desk: &Desk<'_>) -> Option<Cors> {
    let site = desk.input.settings?.cors.as_ref()?;
    if desk.old.version.has_policy_tables() || !site.enabled {
        return None;
    }
    let words = |text: &Option<String>, default: Vec<String>| text.as_deref().map_or(default, |t| list(Some(t)));
    let defaults = Cors::default();
    Some(Cors {
        enabled: true,
        allow_origins: words(&site.origins, defaults.allow_origins),
        allow_credentials: site.credentials.unwrap_or(false),
        allow_headers: words(&site.headers, defaults.allow_headers),
        allow_methods: words(&site.methods, defaults.allow_methods),
    })
}

fn is_advertised(artifact: &Artifact) -> bool {
    artifact.get("overview_advertiseOnly").is_some_and(|a| a.trim().eq_ignore_ascii_case("true"))
}

fn rest_of_artifact(desk: &mut Desk<'_>, artifact: &Artifact, api: &mut Api, origin: &str) {
    let own = |field: &str| artifact.get(field).map(|t| t.trim().to_owned());
    api.business = BusinessInformation {
        business_owner: own("overview_businessOwner"),
        business_owner_email: own("overview_businessOwnerEmail"),
        technical_owner: own("overview_technicalOwner"),
        technical_owner_email: own("overview_technicalOwnerEmail"),
    };
    if is_advertised(artifact) {
        api.advertise = Advertise {
            advertised: true,
            original_portal_url: own("overview_redirectURL"),
            owner: own("overview_apiOwner"),
            vendor: Some("WSO2".to_owned()),
        };
    }
    // Custom properties of 2.x are registry properties.
    for property in &artifact.properties {
        if let Some(name) = property.name.strip_prefix("api_meta.") {
            property_of(api, name, property.value.as_deref().unwrap_or_default());
        }
    }
    let advertised = api.advertise.advertised;
    // A field may repeat; what stands in the table `overview` goes by its own name.
    let mut unknown: Vec<(String, String)> = Vec::new();
    for (field, value) in artifact.fields.iter() {
        let name = field.strip_prefix("overview_").unwrap_or(field);
        let value = value.trim();
        if value.is_empty() || has_home(field, name, value, artifact, advertised) {
            continue;
        }
        match unknown.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, so_far)) if so_far == value => {}
            Some((_, so_far)) => *so_far = format!("{so_far}, {value}"),
            None => unknown.push((name.to_owned(), value.to_owned())),
        }
    }
    let shown = format!("{} {}", api.name, api.version);
    let mut strange = Vec::new();
    for (name, value) in &unknown {
        let kept = property_of(api, &format!("source_{name}"), value);
        if !kept || value.chars().count() > PROPERTY_MAX_CHARS {
            let words = format!("{shown}: {name} holds {} characters", value.chars().count());
            desk.warn(
                About::Api,
                "No property takes so much: its beginning is carried at most, the rest stays in the old installation.",
                origin,
                words,
            );
        }
        strange.push(name.as_str());
    }
    if !strange.is_empty() {
        desk.note(
            About::Api,
            "Fields without a home here are carried as additional properties, source_ before their names.",
            origin,
            format!("{shown}: {}", strange.join(", ")),
        );
    }
}

/// Whether a field is carried as something better than a property.
fn has_home(field: &str, name: &str, value: &str, artifact: &Artifact, advertised: bool) -> bool {
    // The database's rows say what the artifact repeats of them in part.
    if field.starts_with("URITemplate_") || (field.starts_with("overview_") && KNOWN_FIELDS.contains(&name)) {
        return true;
    }
    let unchosen =
        UNCHOSEN.iter().find(|(known, _)| *known == name).is_some_and(|(_, words)| words.iter().any(|w| w.eq_ignore_ascii_case(value)));
    let same = |other: &str| artifact.get(other).is_some_and(|o| o.trim() == value);
    unchosen
        || match name {
            "redirectURL" => advertised || value == "null",
            "apiOwner" => advertised || value == "null" || same("overview_provider"),
            // The endpoint itself, where nothing newer is there, or a copy of what the newer says.
            "endpointURL" | "sandboxURL" => artifact.get("overview_endpointConfig").is_none_or(|config| {
                let config = config.trim();
                config == "null" || config.contains(value) || config.replace("\\/", "/").contains(value)
            }),
            _ => false,
        }
}

/// Longest value of an additional property.
const PROPERTY_MAX_CHARS: usize = 900;

/// Whether it was added: names repeat in no letter case, and both parts have bounds.
fn property_of(api: &mut Api, name: &str, value: &str) -> bool {
    let name: String = name.chars().filter(|c| !c.is_whitespace()).take(80).collect();
    if name.is_empty() || api.properties.iter().any(|p| p.name.eq_ignore_ascii_case(&name)) {
        return false;
    }
    api.properties.push(Property { name, value: value.trim().chars().take(PROPERTY_MAX_CHARS).collect(), display: false });
    true
}

#[cfg(test)]
mod tests {
    use super::super::policies::bare;
    use super::super::{Finding, Severity};
    use super::*;
    use crate::old::apis::ApiRow;

    #[test]
    fn cors_of_an_api_reads() {
        let text = r#"{"corsConfigurationEnabled":true,"accessControlAllowOrigins":["https://a"],"accessControlAllowCredentials":true,"accessControlAllowHeaders":["x"],"accessControlAllowMethods":["GET"]}"#;
        let cors = own_cors(text).unwrap();
        assert!(cors.enabled && cors.allow_credentials);
        assert_eq!(
            (cors.allow_origins, cors.allow_headers, cors.allow_methods),
            (vec!["https://a".into()], vec!["x".into()], vec!["GET".into()])
        );
        assert_eq!(own_cors("no json"), None);
    }

    #[test]
    fn properties_have_bounds_and_do_not_repeat() {
        let mut api = Api::new(ApiId::random(), TenantId::SUPER, "a", "N", "1", "/n/{version}", Timestamp(0));
        assert!(property_of(&mut api, "a b", &"x".repeat(1000)));
        assert!(!property_of(&mut api, "AB", "y"));
        assert_eq!((api.properties[0].name.as_str(), api.properties[0].value.len()), ("ab", 900));
    }

    fn published(artifact: Option<Artifact>) -> OldApi {
        let row = ApiRow {
            id: 1,
            provider: "admin".to_owned(),
            name: "Payroll".to_owned(),
            version: "1.0".to_owned(),
            context: Some("/pay/1.0".to_owned()),
            context_template: Some("/pay/{version}".to_owned()),
            created_by: None,
            created: None,
            updated_by: None,
            updated: None,
            tier: None,
        };
        let event = crate::old::apis::LifecycleEvent {
            id: 1,
            api_id: 1,
            previous: Some("CREATED".to_owned()),
            new: "PUBLISHED".to_owned(),
            user_id: None,
            tenant_id: Some(-1234),
            at: None,
        };
        OldApi { tenant_id: -1234, row: Some(row), artifact, lifecycle_events: vec![event], ..OldApi::default() }
    }

    fn artifact(fields: &[(&str, &str)], fault: Option<&str>) -> Artifact {
        Artifact {
            path: String::new(),
            fields: fields.iter().copied().collect(),
            fault: fault.map(str::to_owned),
            properties: Vec::new(),
            creator: None,
            created: None,
            updated: None,
        }
    }

    fn carried(api: OldApi) -> (CarriedApi, Vec<Finding>) {
        let mut old = bare::installation();
        old.apis = vec![api];
        let done = bare::with_desk(&old, |desk| {
            let mut sequences = super::super::sequences::read(desk);
            translate(desk, &mut Scopes::default(), &mut Limits::default(), &mut sequences).remove(0).value
        });
        (done.value, done.findings)
    }

    #[test]
    fn an_api_whose_artifact_does_not_read_is_shown_to_nobody_and_not_deployed() {
        for (old, words) in [
            (published(None), "Payroll 1.0 has no artifact in the registry"),
            (published(Some(artifact(&[], Some("torn")))), "the artifact of Payroll 1.0 does not read: torn"),
            (published(Some(artifact(&[], None))), "the artifact of Payroll 1.0 says nothing"),
        ] {
            let (carried, findings) = carried(old);
            let told = findings.iter().find(|f| f.words == words).unwrap();
            assert!(told.consequence.contains("shown to nobody and not deployed"));
            assert_eq!((carried.api.visibility, carried.api.visible_roles.len()), (Visibility::Restricted, 0));
            assert!(!carried.deployed && carried.api.state == LifecycleState::Published);
        }
        let (whole, _) = carried(published(Some(artifact(&[("overview_visibility", "public")], None))));
        assert!(whole.deployed && whole.api.visibility == Visibility::Public);
    }

    #[test]
    fn an_api_of_scripts_is_told_by_name() {
        let (api, findings) = carried(published(Some(artifact(&[("overview_implementation", "INLINE")], None))));
        assert_eq!(api.api.implementation, EndpointImplementation::Inline);
        let told = findings.iter().find(|f| f.words == "Payroll 1.0 answers from scripts of its operations").unwrap();
        assert!(told.severity == Severity::Warning && told.consequence.contains("calls to it fail"));
    }
}
