//! What lies in the gateway's folder: named sequences, copies of APIs' sequences, what they refer to, and things made there by hand.

use std::collections::{HashMap, HashSet};

use mediation::is_registry_key;
use model::{SequencePlace, TenantId};

use super::pieces::Pieces;
use super::{Copied, Sequences};
use crate::old::apis::SequenceResource;
use crate::old::registry::{CONFIG, GOVERNANCE};
use crate::source::files::SynapseFile;
use crate::source::{Element, parse_xml};
use crate::translate::{About, Desk, decoded};

/// Ends of names of sequences that belong to one API, or, after `WSO2AM--Ext`, to all.
const ENDS: [&str; 3] = ["--In", "--Out", "--Fault"];

/// Files of other kinds that the product itself ships.
const SHIPPED: &[(&str, &str)] = &[
    ("proxy-services", "WorkflowCallbackService"),
    ("inbound-endpoints", "SecureWebSocketInboundEndpoint"),
    ("inbound-endpoints", "WebSocketInboundEndpoint"),
];

/// APIs of the gateway that the product itself ships.
const SHIPPED_APIS: &[&str] = &["_WSO2AMTokenAPI_", "_WSO2AMRevokeAPI_", "_WSO2AMAuthorizeAPI_", "_WSO2AMUserInfoAPI_", "_OpenService_"];

/// Handlers the publisher itself puts into an API's file, by class name without package.
const OUR_HANDLERS: &[&str] = &[
    "APIAuthenticationHandler",
    "APIManagerCacheExtensionHandler",
    "APIManagerExtensionHandler",
    "APIMgtGoogleAnalyticsTrackingHandler",
    "APIMgtLatencyStatsHandler",
    "APIMgtUsageHandler",
    "APIThrottleHandler",
    "CORSRequestHandler",
    "ThrottleHandler",
    "WebsocketInboundHandler",
];

pub(super) fn read(desk: &mut Desk<'_>, all: &mut Sequences) {
    for file in desk.input.synapse {
        let Some(tenant) = desk.names.tenant(file.tenant_id) else {
            let words = format!("{}/{} of tenant {}", file.kind, file.name, file.tenant_id);
            desk.note(About::Tenant, "It is left behind: its tenant is gone.", "repository/tenants", words);
            continue;
        };
        match file.kind.as_str() {
            "sequences" => sequence(desk, all, tenant, file),
            "local-entries" | "templates" => entry(desk, all, tenant, file, SequencePlace::LocalEntry),
            // Those of APIs are made from the APIs, and nothing of a site's own refers to them.
            "endpoints" => entry(desk, all, tenant, file, SequencePlace::Endpoint),
            "api" => api(desk, tenant, file),
            kind if SHIPPED.contains(&(kind, file.name.as_str())) => {}
            _ => desk.warn(
                About::Installation,
                "It was made on the gateway by hand, outside API Manager, and is not carried.",
                format!("synapse-configs {}/{} of tenant {tenant}", file.kind, file.name),
                format!("a file of kind {}", file.kind),
            ),
        }
    }
}

fn resource(file: &SynapseFile) -> SequenceResource {
    SequenceResource { direction: String::new(), file: format!("{}.xml", file.name), uuid: None, bytes: file.bytes.open() }
}

fn sequence(desk: &mut Desk<'_>, all: &mut Sequences, tenant: TenantId, file: &SynapseFile) {
    let pieces = Pieces::of(&decoded(&file.bytes.open())).ok();
    let name = pieces.as_ref().and_then(|p| p.attribute("name")).unwrap_or(&file.name).to_owned();
    if ENDS.iter().any(|end| name.ends_with(end)) && !name.starts_with("WSO2AM--Ext--") {
        all.copies.insert((tenant, name), Copied { file: format!("{}.xml", file.name), bytes: file.bytes.open(), pieces });
        return;
    }
    let origin = format!("synapse-configs sequences/{}.xml of tenant {tenant}", file.name);
    let at = all.add(desk, tenant, SequencePlace::Gateway, format!("{tenant} gateway {}.xml", file.name), &resource(file), &origin);
    let Some(candidate) = all.found.get_mut(at) else { return };
    candidate.wanted = candidate.stock.is_none();
    all.named.insert((tenant, name.clone()), at);
    if name.starts_with("WSO2AM--Ext--") {
        desk.note(About::Api, "It ran for every call of the tenant, and does so here.", origin, format!("the extension {name}"));
    }
}

fn entry(desk: &mut Desk<'_>, all: &mut Sequences, tenant: TenantId, file: &SynapseFile, place: SequencePlace) {
    let word = match file.kind.as_str() {
        "templates" => "template",
        "local-entries" => "entry",
        _ => "endpoint",
    };
    let key = format!("{tenant} {word} {}.xml", file.name);
    all.add(desk, tenant, place, key, &resource(file), &format!("synapse-configs {}/{}.xml", file.kind, file.name));
}

/// Looks for what an API's file holds beside what the publisher put there.
fn api(desk: &mut Desk<'_>, tenant: TenantId, file: &SynapseFile) {
    let origin = format!("synapse-configs api/{}.xml of tenant {tenant}", file.name);
    let Ok(root) = parse_xml(&file.bytes.open()) else {
        desk.note(About::Api, "The gateway's copy of an API is not needed.", origin, "it does not read");
        return;
    };
    let name = root.attribute("name").unwrap_or(&file.name).to_owned();
    if SHIPPED_APIS.contains(&name.as_str()) {
        return;
    }
    if !is_published(desk, &name) {
        let words = format!("the API {name} at {}", root.attribute("context").unwrap_or("?"));
        desk.warn(
            About::Api,
            "It was made on the gateway by hand and API Manager does not know it: calls to it will not be answered.",
            origin,
            words,
        );
        return;
    }
    for class in root.descendants().iter().filter(|e| e.name == "handler").filter_map(|e: &&Element| e.attribute("class")) {
        let short = class.rsplit('.').next().unwrap_or(class);
        if !(class.starts_with("org.wso2.carbon.apimgt.") && OUR_HANDLERS.contains(&short)) {
            let words = format!("{name} has the handler {class}");
            desk.warn(About::Api, "A handler of the site's own cannot run here: what it did to calls is missing.", origin.clone(), words);
        }
    }
}

/// Whether an API of the publisher has this name on the gateway: `provider--name`, in later versions with `:v` and the version.
fn is_published(desk: &Desk<'_>, name: &str) -> bool {
    desk.old.apis.iter().any(|api| {
        let (provider, title, version) = api.identity();
        let base = format!("{}--{title}", provider.replace('@', "-AT-"));
        name == base || name == format!("{base}:v{version}") || name == format!("{title}:v{version}") || name == title
    })
}

/// Wants the local entries, endpoints, stock sequences and registry resources that wanted sequences name, and what those name in turn.
pub(super) fn want_what_is_referred_to(desk: &mut Desk<'_>, all: &mut Sequences) {
    let mut by_name: HashMap<(TenantId, String), Vec<usize>> = HashMap::new();
    for (at, candidate) in all.found.iter().enumerate().filter(|(_, c)| !c.wanted) {
        by_name.entry((candidate.stored.tenant, candidate.stored.name.clone())).or_default().push(at);
    }
    let mut looked_up: HashSet<(TenantId, String)> = HashSet::new();
    let mut todo: Vec<usize> = all.found.iter().enumerate().filter(|(_, c)| c.wanted).map(|(at, _)| at).collect();
    while let Some(at) = todo.pop() {
        let Some(candidate) = all.found.get(at) else { continue };
        let (tenant, by, own) = (candidate.stored.tenant, candidate.key.clone(), candidate.stored.name.clone());
        let text = decoded(candidate.stored.content.expose());
        // What stylesheets and schemas import is named by the path beside them.
        let beside = imported(&text).filter(|_| is_registry_key(&own)).filter_map(|href| mediation::beside(&own, href)).collect::<Vec<_>>();
        for name in quoted(&text).chain(beside.iter().map(String::as_str)) {
            let named = (tenant, name.to_owned());
            for other in by_name.remove(&named).unwrap_or_default() {
                if let Some(other_one) = all.found.get_mut(other)
                    && !other_one.wanted
                {
                    other_one.wanted = true;
                    todo.push(other);
                }
            }
            if is_registry_key(name) && looked_up.insert(named) {
                todo.extend(registry_resource(desk, all, tenant, name, &by));
            }
        }
    }
}

/// Takes in what a key of the registry names; its place among the found.
fn registry_resource(desk: &mut Desk<'_>, all: &mut Sequences, tenant: TenantId, key: &str, by: &str) -> Option<usize> {
    let (root, rest) = match key.split_once(':')? {
        ("gov", rest) => (GOVERNANCE, rest),
        (_, rest) => (CONFIG, rest),
    };
    let path = format!("{root}/{}", rest.trim_start_matches('/'));
    let Some(bytes) = desk.old.registry.content(i64::from(tenant.0), &path).map(<[u8]>::to_vec) else {
        desk.warn(About::Api, "What the sequence refers to is not in the registry, or is not read from there.", by, key);
        return None;
    };
    let resource = SequenceResource { direction: String::new(), file: path, uuid: None, bytes };
    let at = all.add(desk, tenant, SequencePlace::LocalEntry, format!("{tenant} registry {key}"), &resource, key);
    let candidate = all.found.get_mut(at)?;
    // By its key, whatever is written inside.
    key.clone_into(&mut candidate.stored.name);
    candidate.wanted = true;
    Some(at)
}

/// Every attribute value and bracketed key in a text: whatever could name something.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split(['"', '\'']).map(str::trim).filter(|word| !word.is_empty() && word.len() <= 200)
}

/// Paths that a stylesheet or schema imports.
fn imported(text: &str) -> impl Iterator<Item = &str> {
    let imports = text.contains("http://www.w3.org/1999/XSL/Transform") || text.contains("http://www.w3.org/2001/XMLSchema");
    quoted(text).filter(move |word| {
        imports && !word.contains(':') && [".xsl", ".xslt", ".xsd"].iter().any(|end| word.to_ascii_lowercase().ends_with(end))
    })
}
