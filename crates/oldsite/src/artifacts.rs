//! What the registry's files contain: API and document artifacts, Swagger, tiers, workflow and sign-up settings.

use crate::json;
use crate::registry::Entry;
use crate::schema::Version;
use crate::seed;
use crate::site::{Api, Balance, Document, DocumentSource, Resource, SUPER_TENANT, Site, Tier};

const GOVERNANCE: &str = "/_system/governance";
const DATA: &str = "/_system/governance/apimgt/applicationdata";
const METADATA: &str = "http://www.wso2.org/governance/metadata";

/// The registry folder of an API version.
pub(crate) fn api_folder(api: &Api) -> String {
    format!("{DATA}/provider/{}/{}/{}", api.provider_in_paths(), api.name, api.version)
}

/// Every file of one tenant's registry.
pub(crate) fn entries(site: &Site, tenant: i32) -> Vec<Entry> {
    let mut out = settings(site, tenant);
    for api in site.apis.iter().filter(|a| a.tenant == tenant) {
        api_entries(site, api, &mut out);
    }
    out
}

fn file(path: String, media_type: &str, content: impl Into<Vec<u8>>, creator: &str) -> Entry {
    Entry { path, media_type: Some(media_type.to_owned()), content: content.into(), creator: creator.to_owned(), ..Entry::default() }
}

fn settings(site: &Site, tenant: i32) -> Vec<Entry> {
    let by = "wso2.system.user";
    let mut out = vec![
        file(format!("{DATA}/tiers.xml"), "application/xml", tiers(&site.tiers), by),
        file(format!("{DATA}/workflow-extensions.xml"), "workflow-config", WORKFLOWS, by),
        file(format!("{DATA}/sign-up-config.xml"), "signup-config", sign_up(tenant == SUPER_TENANT), by),
        file(
            format!("{GOVERNANCE}/apimgt/externalstores/external-api-stores.xml"),
            "application/xml",
            if tenant == SUPER_TENANT { EXTERNAL_STORES } else { "<ExternalAPIStores/>\n" },
            by,
        ),
        file(
            format!("{GOVERNANCE}/apimgt/statistics/ga-config.xml"),
            "application/xml",
            "<GoogleAnalyticsTracking>\n    <Enabled>false</Enabled>\n    <TrackingID>UA-XXXXXXXX-X</TrackingID>\n</GoogleAnalyticsTracking>\n",
            by,
        ),
        file(
            format!("{GOVERNANCE}/apimgt/customsequences/fault/json_fault.xml"),
            "application/xml",
            "<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"json_fault\">\n    <property name=\"messageType\" value=\"application/json\" scope=\"axis2\"/>\n</sequence>\n",
            by,
        ),
    ];
    if site.version >= Version::V1_10_0 {
        for level in ["app", "res"] {
            out.push(file(format!("{DATA}/{level}-tiers.xml"), "application/xml", tiers(&site.tiers), by));
        }
    }
    if tenant == SUPER_TENANT {
        out.push(file(format!("{GOVERNANCE}/apimgt/customsequences/in/add_channel.xml"), "application/xml", ADD_CHANNEL, "alice"));
        out.push(file(format!("{GOVERNANCE}/apimgt/customsequences/out/hide_server.xml"), "application/xml", HIDE_SERVER, "alice"));
    }
    out
}

/// A header the backend of this made-up site wants on every call.
pub(crate) const ADD_CHANNEL: &str = "<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"add_channel\">\n    \
    <property name=\"X-Channel\" value=\"partner\" scope=\"transport\"/>\n</sequence>\n";
/// Hides what the backend runs on.
pub(crate) const HIDE_SERVER: &str = "<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"hide_server\">\n    \
    <property name=\"Server\" scope=\"transport\" action=\"remove\"/>\n</sequence>\n";

fn api_entries(site: &Site, api: &Api, out: &mut Vec<Entry>) {
    let folder = api_folder(api);
    let provider = format!("{DATA}/provider/{}", api.provider_in_paths());
    let creator = api.provider.clone();
    let path = format!("{folder}/api");
    let mut associations = vec![("provides".to_owned(), provider)];
    associations.extend(api.documents.iter().map(|d| ("document".to_owned(), format!("{folder}/documentation/{}", d.name))));
    out.push(Entry {
        path: path.clone(),
        media_type: Some("application/vnd.wso2-api+xml".to_owned()),
        content: api_artifact(site.version, api).into_bytes(),
        creator: creator.clone(),
        uuid: Some(api.uuid.clone()),
        properties: vec![("STATUS".to_owned(), api.status.word().to_owned())],
        tags: api.tags.clone(),
        associations,
    });
    if site.version > Version::V1_8_0 {
        out.push(file(format!("{folder}/swagger.json"), "application/json", swagger(api), &creator));
    }
    if let Some(icon) = &api.icon {
        out.push(file(icon_path(api), "image/png", icon.clone(), &creator));
    }
    let provider = api.provider_in_paths();
    if let Some(wsdl) = &api.wsdl {
        out.push(file(
            format!("{DATA}/wsdls/{provider}--{}{}.wsdl", api.name, api.version),
            "application/wsdl+xml",
            wsdl.clone(),
            &creator,
        ));
    }
    for (name, text) in &api.swagger_12 {
        let path = format!("{DATA}/api-docs/{}-{}-{provider}/1.2/{name}", api.name, api.version);
        out.push(file(path, "application/json", text.clone(), &creator));
    }
    for document in &api.documents {
        document_entries(site, api, document, out);
    }
}

fn icon_path(api: &Api) -> String {
    format!("{DATA}/icons/{}/{}/{}/icon", api.provider_in_paths(), api.name, api.version)
}

fn document_entries(site: &Site, api: &Api, document: &Document, out: &mut Vec<Entry>) {
    let folder = format!("{}/documentation", api_folder(api));
    let at = format!("{folder}/{}", document.name);
    let mut associations = Vec::new();
    let (source_type, url, file_path) = match &document.source {
        DocumentSource::Inline(html) => {
            let body = format!("{folder}/contents/{}", document.name);
            out.push(file(body.clone(), "text/plain", html.clone(), &api.provider));
            associations.push(("hasContents".to_owned(), body));
            ("INLINE", String::new(), String::new())
        }
        DocumentSource::Url(url) => ("URL", url.clone(), String::new()),
        DocumentSource::File { name, media_type, bytes } => {
            let body = format!("{folder}/files/{name}");
            out.push(file(body.clone(), media_type, bytes.clone(), &api.provider));
            associations.push(("hasFile".to_owned(), body.clone()));
            ("FILE", String::new(), format!("{}/registry/resource{body}", tenant_prefix(api)))
        }
    };
    let fields = [
        ("name", document.name.as_str()),
        ("summary", &document.summary),
        ("type", &document.kind),
        ("otherTypeName", ""),
        ("sourceType", source_type),
        ("sourceURL", &url),
        ("filePath", &file_path),
        ("visibility", &document.visibility),
        ("apiBasePath", &format!("{}/{}/{}", api.provider_in_paths(), api.name, api.version)),
    ];
    out.push(Entry {
        uuid: Some(seed::uuid(site.seed, &format!("document:{}:{}", api.uuid, document.name))),
        associations,
        ..file(at, "application/vnd.wso2-document+xml", metadata(&[("overview", &fields)]), &api.provider)
    });
}

fn tenant_prefix(api: &Api) -> String {
    match api.provider.rsplit_once('@') {
        Some((_, domain)) if api.tenant != SUPER_TENANT => format!("/t/{domain}"),
        _ => String::new(),
    }
}

/// The artifact of an API, with only the first three resources listed, as the old product does for long lists.
pub(crate) fn api_artifact(version: Version, api: &Api) -> String {
    let flag = |on: bool| if on { "true" } else { "false" };
    let (user, password) = api.endpoint.credentials.clone().unwrap_or_default();
    let thumbnail = if api.icon.is_some() { format!("{}/registry/resource{}", tenant_prefix(api), icon_path(api)) } else { String::new() };
    let has_template = version > Version::V1_8_0;
    let context = if has_template { api.versioned_context() } else { api.context.clone() };
    let template = format!("{}/{{version}}", api.context);
    let tiers = api.tiers.join("||");
    let roles = api.visible_roles.join(",");
    let endpoint = endpoint_config(api);
    let cache = api.cache_s.unwrap_or(300).to_string();
    let mut overview: Vec<(&str, &str)> = vec![
        ("provider", &api.provider),
        ("name", &api.name),
        ("version", &api.version),
        ("context", &context),
        ("contextTemplate", &template),
        ("versionType", "context"),
        ("isDefaultVersion", flag(api.default_version)),
        ("isLatest", flag(api.latest)),
        ("status", api.status.word()),
        ("description", &api.description),
        ("thumbnail", &thumbnail),
        ("transports", "http,https"),
        ("tier", &tiers),
        ("visibility", &api.visibility),
        ("visibleRoles", &roles),
        ("visibleTenants", ""),
        // 1.8 misspelled its word for some tenants only.
        ("subscriptionAvailability", if has_template { "current_tenant" } else { "specific_tennats" }),
        ("tenants", if has_template { "" } else { "acme.com" }),
        ("technicalOwner", "Platform team"),
        ("technicalOwnerEmail", "platform@mail.example"),
        ("businessOwner", "Sales"),
        ("businessOwnerEmail", "sales@mail.example"),
        ("apiOwner", &api.provider),
        ("advertiseOnly", "false"),
        ("redirectURL", ""),
        ("wsdl", ""),
        ("wadl", ""),
        ("endpointConfig", &endpoint),
        ("endpointURL", ""),
        ("sandboxURL", ""),
        ("endpointSecured", flag(api.endpoint.credentials.is_some())),
        ("endpointUsername", &user),
        ("endpointPpassword", &password),
        ("implementation", if api.endpoint.inline { "INLINE" } else { "ENDPOINT" }),
        ("inSequence", api.in_sequence.as_deref().unwrap_or("")),
        ("outSequence", api.out_sequence.as_deref().unwrap_or("")),
        ("faultSequence", ""),
        ("responseCaching", if api.cache_s.is_some() { "enabled" } else { "disabled" }),
        ("cacheTimeout", &cache),
        ("destinationStatsEnabled", "disabled"),
        ("environments", "Production and Sandbox"),
    ];
    if !has_template {
        overview.retain(|(name, _)| !matches!(*name, "contextTemplate" | "versionType" | "environments"));
    }
    let mut templates = Vec::new();
    for (n, resource) in api.resources.iter().take(3).enumerate() {
        templates.push((format!("urlPattern{n}"), resource.pattern.clone()));
        templates.push((format!("httpVerb{n}"), resource.verb.clone()));
        templates.push((format!("authType{n}"), auth_text(resource).to_owned()));
    }
    let templates: Vec<(&str, &str)> = templates.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    metadata(&[("URITemplate", &templates), ("overview", &overview)])
}

fn metadata(tables: &[(&str, &[(&str, &str)])]) -> String {
    let mut out = format!("<metadata xmlns=\"{METADATA}\">");
    for (table, fields) in tables {
        out.push_str(&format!("<{table}>"));
        for (name, value) in *fields {
            if value.is_empty() {
                out.push_str(&format!("<{name}/>"));
            } else {
                out.push_str(&format!("<{name}>{}</{name}>", xml(value)));
            }
        }
        out.push_str(&format!("</{table}>"));
    }
    out.push_str("</metadata>");
    out
}

/// `text` as XML character data or attribute value.
pub(crate) fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The endpointConfig field's JSON.
pub(crate) fn endpoint_config(api: &Api) -> String {
    let status = json::quote(if api.status == crate::site::Status::Prototyped { "prototyped" } else { "managed" });
    if api.endpoint.inline {
        return String::new();
    }
    let one = |url: &String| {
        json::object(&[("url", json::quote(url)), ("config", "null".to_owned()), ("template_not_supported", "false".to_owned())])
    };
    let mut members = Vec::new();
    let first = |list: &[String]| list.first().map(one);
    let rest = |list: &[String]| json::array(&list.iter().skip(1).map(one).collect::<Vec<_>>());
    let all = |list: &[String]| json::array(&list.iter().map(one).collect::<Vec<_>>());
    let (production, sandbox) = (&api.endpoint.production, &api.endpoint.sandbox);
    if api.endpoint.balance == Balance::RoundRobin {
        members.push(("production_endpoints", all(production)));
        if !sandbox.is_empty() {
            members.push(("sandbox_endpoints", all(sandbox)));
        }
        members.push(("algoCombo", json::quote("org.apache.synapse.endpoints.algorithms.RoundRobin")));
        members.push(("algoClassName", json::quote("org.apache.synapse.endpoints.algorithms.RoundRobin")));
        members.push(("sessionManagement", json::quote("")));
        members.push(("sessionTimeOut", json::quote("")));
        members.push(("endpoint_type", json::quote("load_balance")));
    } else {
        if let Some(url) = first(production) {
            members.push(("production_endpoints", url));
        }
        if let Some(url) = first(sandbox) {
            members.push(("sandbox_endpoints", url));
        }
        if api.endpoint.balance == Balance::Failover {
            members.push(("production_failovers", rest(production)));
            members.push(("sandbox_failovers", rest(sandbox)));
            members.push(("failOver", json::quote("True")));
            members.push(("endpoint_type", json::quote("failover")));
        } else {
            members.push(("endpoint_type", json::quote("http")));
        }
    }
    members.push(("implementation_status", status));
    json::object(&members)
}

/// Swagger's words for AM_API_URL_MAPPING's.
fn auth_text(resource: &Resource) -> &'static str {
    match resource.auth.as_str() {
        "None" => "None",
        "Application" => "Application",
        "Application_User" => "Application User",
        _ => "Application & Application User",
    }
}

/// The swagger.json of an API: no host, basePath or schemes, as 1.9 stored it.
pub(crate) fn swagger(api: &Api) -> String {
    let mut paths: Vec<(&str, Vec<(String, String)>)> = Vec::new();
    for resource in &api.resources {
        let operation = (resource.verb.to_lowercase(), operation(resource));
        match paths.iter_mut().find(|(pattern, _)| *pattern == resource.pattern) {
            Some((_, operations)) => operations.push(operation),
            None => paths.push((&resource.pattern, vec![operation])),
        }
    }
    let paths: Vec<(&str, String)> = paths
        .iter()
        .map(|(pattern, operations)| (*pattern, json::object(&operations.iter().map(|(k, v)| (k.as_str(), v.clone())).collect::<Vec<_>>())))
        .collect();
    let scopes: Vec<String> = api
        .scopes
        .iter()
        .map(|s| {
            json::object(&[
                ("description", json::quote(&s.description)),
                ("name", json::quote(&s.name)),
                ("roles", json::quote(&s.roles.join(","))),
                ("key", json::quote(&s.key)),
            ])
        })
        .collect();
    json::object(&[
        ("swagger", json::quote("2.0")),
        ("paths", json::object(&paths)),
        (
            "info",
            json::object(&[
                ("title", json::quote(&api.name)),
                ("description", json::quote(&api.description)),
                ("version", json::quote(&api.version)),
            ]),
        ),
        ("x-wso2-security", json::object(&[("apim", json::object(&[("x-wso2-scopes", json::array(&scopes))]))])),
    ])
}

/// A definition as 1.8 kept it: a root that lists its parts, and a part with every operation.
pub(crate) fn swagger_12(api: &Api) -> Vec<(String, String)> {
    let scopes: Vec<String> = api
        .scopes
        .iter()
        .map(|s| {
            json::object(&[
                ("key", json::quote(&s.key)),
                ("name", json::quote(&s.name)),
                ("description", json::quote(&s.description)),
                ("roles", json::quote(&s.roles.join(","))),
            ])
        })
        .collect();
    let root = json::object(&[
        ("swaggerVersion", json::quote("1.2")),
        ("apiVersion", json::quote(&api.version)),
        ("info", json::object(&[("title", json::quote(&api.name)), ("description", json::quote(&api.description))])),
        ("authorizations", json::object(&[("oauth2", json::object(&[("scopes", json::array(&scopes))]))])),
        ("apis", json::array(&[json::object(&[("path", json::quote("/default")), ("description", json::quote(""))])])),
    ]);
    let apis: Vec<String> = api
        .resources
        .iter()
        .map(|resource| {
            let mut operation = vec![
                ("method", json::quote(&resource.verb)),
                ("nickname", json::quote(&resource.verb.to_lowercase())),
                ("auth_type", json::quote(auth_text(resource))),
                ("throttling_tier", json::quote(&resource.tier)),
                ("parameters", json::array(&[])),
            ];
            if let Some(scope) = &resource.scope {
                operation.push(("scope", json::quote(scope)));
            }
            if let Some(script) = &resource.script {
                operation.push(("mediation_script", json::quote(script)));
            }
            json::object(&[("path", json::quote(&resource.pattern)), ("operations", json::array(&[json::object(&operation)]))])
        })
        .collect();
    let part = json::object(&[
        ("swaggerVersion", json::quote("1.2")),
        ("apiVersion", json::quote(&api.version)),
        ("basePath", json::quote(&format!("http://am.old.example:8280{}/{}", api.context, api.version))),
        ("resourcePath", json::quote("/default")),
        ("apis", json::array(&apis)),
    ]);
    vec![("api-doc".to_owned(), root), ("default".to_owned(), part)]
}

fn operation(resource: &Resource) -> String {
    let parameters: Vec<String> = resource
        .pattern
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json::object(&[
                ("name", json::quote(name)),
                ("in", json::quote("path")),
                ("required", "true".to_owned()),
                ("type", json::quote("string")),
            ])
        })
        .chain(matches!(resource.verb.as_str(), "POST" | "PUT").then(|| {
            json::object(&[
                ("name", json::quote("body")),
                ("in", json::quote("body")),
                ("required", "false".to_owned()),
                ("schema", json::object(&[("type", json::quote("object"))])),
            ])
        }))
        .collect();
    let mut members = vec![
        ("x-auth-type", json::quote(auth_text(resource))),
        ("x-throttling-tier", json::quote(&resource.tier)),
        ("parameters", json::array(&parameters)),
        ("responses", json::object(&[("200", json::object(&[("description", json::quote("Done"))]))])),
    ];
    if let Some(scope) = &resource.scope {
        members.push(("x-scope", json::quote(scope)));
    }
    if let Some(script) = &resource.script {
        members.push(("x-mediation-script", json::quote(script)));
    }
    json::object(&members)
}

/// tiers.xml.
pub(crate) fn tiers(tiers: &[Tier]) -> String {
    let mut out = String::from(
        "<wsp:Policy xmlns:wsp=\"http://schemas.xmlsoap.org/ws/2004/09/policy\" xmlns:throttle=\"http://www.wso2.org/products/wso2commons/throttle\">\n    \
         <throttle:MediatorThrottleAssertion>\n",
    );
    for tier in tiers {
        let site_attributes: String =
            tier.attributes.iter().map(|(name, value)| format!("<throttle:{name}>{}</throttle:{name}>", xml(value))).collect();
        out.push_str(&format!(
            "        <wsp:Policy>\n            <throttle:ID throttle:type=\"ROLE\">{}</throttle:ID>\n            <wsp:Policy>\n                \
             <throttle:Control>\n                    <wsp:Policy>\n                        <throttle:MaximumCount>{}</throttle:MaximumCount>\n                        \
             <throttle:UnitTime>{}</throttle:UnitTime>\n                        <wsp:Policy>\n                            <throttle:Attributes>\
             <throttle:x-wso2-BillingPlan>{}</throttle:x-wso2-BillingPlan><throttle:x-wso2-StopOnQuotaReach>{}</throttle:x-wso2-StopOnQuotaReach>\
             <throttle:Description>{}</throttle:Description>{site_attributes}</throttle:Attributes>\n                        </wsp:Policy>\n                    \
             </wsp:Policy>\n                </throttle:Control>\n            </wsp:Policy>\n        </wsp:Policy>\n",
            xml(&tier.name),
            tier.count,
            tier.unit_ms,
            tier.billing_plan,
            tier.stop_on_quota,
            xml(&tier.description),
        ));
    }
    out.push_str("    </throttle:MediatorThrottleAssertion>\n</wsp:Policy>\n");
    out
}

const EXTERNAL_STORES: &str = "<ExternalAPIStores>\n    <StoreURL>http://am.old.example:9763/store</StoreURL>\n    \
    <ExternalAPIStore id=\"Partners\" type=\"wso2\" className=\"org.wso2.carbon.apimgt.impl.publishers.WSO2APIPublisher\">\n        \
    <DisplayName>Partner store</DisplayName>\n        <Endpoint>https://partners.example/store</Endpoint>\n        \
    <Username>exchange</Username>\n        <Password>exchange-old-1</Password>\n    </ExternalAPIStore>\n</ExternalAPIStores>\n";

const WORKFLOWS: &str = "<WorkFlowExtensions>\n    \
    <ApplicationCreation executor=\"org.wso2.carbon.apimgt.impl.workflow.ApplicationCreationSimpleWorkflowExecutor\"/>\n    \
    <ProductionApplicationRegistration executor=\"org.wso2.carbon.apimgt.impl.workflow.ApplicationRegistrationSimpleWorkflowExecutor\"/>\n    \
    <SandboxApplicationRegistration executor=\"org.wso2.carbon.apimgt.impl.workflow.ApplicationRegistrationSimpleWorkflowExecutor\"/>\n    \
    <SubscriptionCreation executor=\"org.wso2.carbon.apimgt.impl.workflow.SubscriptionCreationWSWorkflowExecutor\">\n        \
    <Property name=\"serviceEndpoint\">http://localhost:9765/services/SubscriptionApprovalWorkFlowProcess/</Property>\n        \
    <Property name=\"username\">admin</Property>\n        <Property name=\"password\">admin</Property>\n        \
    <Property name=\"callbackURL\">https://localhost:8243/services/WorkflowCallbackService</Property>\n    </SubscriptionCreation>\n    \
    <UserSignUp executor=\"org.wso2.carbon.apimgt.impl.workflow.UserSignUpSimpleWorkflowExecutor\"/>\n</WorkFlowExtensions>\n";

fn sign_up(enabled: bool) -> String {
    format!(
        "<SelfSignUp>\n    <EnableSignup>{enabled}</EnableSignup>\n    <SignUpDomain>PRIMARY</SignUpDomain>\n    <AdminUserName>admin</AdminUserName>\n    \
         <AdminPassword>admin</AdminPassword>\n    <SignUpRoles>\n        <SignUpRole>\n            <RoleName>subscriber</RoleName>\n            \
         <IsExternalRole>false</IsExternalRole>\n        </SignUpRole>\n    </SignUpRoles>\n</SelfSignUp>\n"
    )
}
