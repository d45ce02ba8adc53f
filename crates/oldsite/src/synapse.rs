//! The gateway's files: one per deployed API, and sequences. `_auth_failure_handler_` is a changed one, because a site that answers failures
//! in its own words is what an upgrade must notice.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::artifacts::{ADD_CHANNEL, HIDE_SERVER, xml};
use crate::site::{Api, Balance, Resource, SUPER_TENANT, Site, Status};

const NAMESPACE: &str = "http://ws.apache.org/ns/synapse";

/// (path below the home folder, text)
pub(crate) fn files(site: &Site) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for tenant in site.tenant_ids() {
        let folder = folder(tenant);
        for (name, text) in sequences() {
            out.push((format!("{folder}/sequences/{name}.xml"), text));
        }
        out.push((format!("{folder}/synapse.xml"), format!("<definitions xmlns=\"{NAMESPACE}\"/>\n")));
        out.push((
            format!("{folder}/registry.xml"),
            format!("<registry xmlns=\"{NAMESPACE}\" provider=\"org.wso2.carbon.mediation.registry.WSO2Registry\">\n    <parameter name=\"cachableDuration\">15000</parameter>\n</registry>\n"),
        ));
    }
    let home = folder(SUPER_TENANT);
    for (name, context, target) in
        [("Token", "/token", "oauth2/token"), ("Revoke", "/revoke", "oauth2/revoke"), ("Authorize", "/authorize", "oauth2/authorize")]
    {
        out.push((format!("{home}/api/_{name}API_.xml"), key_manager_api(name, context, target)));
    }
    for api in site.apis.iter().filter(|a| a.status.is_deployed()) {
        let folder = folder(api.tenant);
        let file = format!("{}--{}_v{}", in_file_names(api), api.name, api.version);
        out.push((format!("{folder}/api/{file}.xml"), api_file(api)));
        if api.default_version {
            out.push((format!("{folder}/api/{}--{}.xml", in_file_names(api), api.name), default_version_file(api)));
        }
        for (sequence, direction, text) in [(&api.in_sequence, "In", ADD_CHANNEL), (&api.out_sequence, "Out", HIDE_SERVER)] {
            if let Some(sequence) = sequence {
                let name = format!("{}--{}:v{}--{direction}", in_file_names(api), api.name, api.version);
                out.push((
                    format!("{folder}/sequences/{name}.xml"),
                    text.replace(&format!("name=\"{sequence}\""), &format!("name=\"{name}\"")),
                ));
            }
        }
    }
    out
}

fn folder(tenant: i32) -> String {
    if tenant == SUPER_TENANT {
        "repository/deployment/server/synapse-configs/default".to_owned()
    } else {
        format!("repository/tenants/{tenant}/synapse-configs/default")
    }
}

fn in_file_names(api: &Api) -> String {
    api.provider_in_paths().replace('/', "_")
}

fn api_file(api: &Api) -> String {
    let name = format!("{}--{}", api.provider_in_paths(), api.name);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<api xmlns=\"{NAMESPACE}\" name=\"{name}\" context=\"{}\" version=\"{}\" version-type=\"context\">\n",
        xml(&api.versioned_context()),
        xml(&api.version),
    );
    let mut patterns: Vec<(&str, Vec<&Resource>)> = Vec::new();
    for resource in &api.resources {
        match patterns.iter_mut().find(|(pattern, _)| *pattern == resource.pattern) {
            Some((_, verbs)) => verbs.push(resource),
            None => patterns.push((&resource.pattern, vec![resource])),
        }
    }
    for (n, (pattern, verbs)) in patterns.iter().enumerate() {
        out.push_str(&resource_element(api, &name, n, pattern, verbs));
    }
    out.push_str(&handlers(api));
    out.push_str("</api>\n");
    out
}

fn resource_element(api: &Api, name: &str, n: usize, pattern: &str, verbs: &[&Resource]) -> String {
    let methods = verbs.iter().map(|r| r.verb.as_str()).collect::<Vec<_>>().join(" ");
    let matched = if pattern.contains('{') { format!("uri-template=\"{pattern}\"") } else { format!("url-mapping=\"{pattern}\"") };
    let body = if api.status == Status::Blocked {
        "            <payloadFactory media-type=\"xml\">\n                <format>\n                    <am:fault xmlns:am=\"http://wso2.org/apimanager\">\n                        \
         <am:code>700700</am:code>\n                        <am:type>Status report</am:type>\n                        <am:message>API blocked</am:message>\n                        \
         <am:description>This API has been blocked temporarily. Please try again later or contact the system administrators.</am:description>\n                    </am:fault>\n                </format>\n                \
         <args/>\n            </payloadFactory>\n            <property name=\"RESPONSE\" value=\"true\"/>\n            <header name=\"To\" action=\"remove\"/>\n            \
         <property name=\"HTTP_SC\" value=\"503\" scope=\"axis2\"/>\n            <respond/>\n"
            .to_owned()
    } else if let Some(script) = verbs.iter().find_map(|r| r.script.as_ref()) {
        format!("            <script language=\"js\"><![CDATA[{script}]]></script>\n            <respond/>\n")
    } else {
        let production = send(api, &format!("{name}_APIproductionEndpoint_{n}"), &api.endpoint.production, "_sandbox_key_error_");
        let sandbox = send(api, &format!("{name}_APIsandboxEndpoint_{n}"), &api.endpoint.sandbox, "_sandbox_key_error_");
        let custom =
            api.in_sequence.as_ref().map(|_| format!("            <sequence key=\"{name}:v{}--In\"/>\n", api.version)).unwrap_or_default();
        format!(
            "{custom}            <filter source=\"$ctx:AM_KEY_TYPE\" regex=\"PRODUCTION\">\n                <then>\n{production}                </then>\n                \
             <else>\n{sandbox}                </else>\n            </filter>\n"
        )
    };
    let custom =
        api.out_sequence.as_ref().map(|_| format!("            <sequence key=\"{name}:v{}--Out\"/>\n", api.version)).unwrap_or_default();
    format!(
        "    <resource methods=\"{methods}\" {matched} faultSequence=\"fault\">\n        <inSequence>\n{body}        </inSequence>\n        \
         <outSequence>\n{custom}            <send/>\n        </outSequence>\n    </resource>\n"
    )
}

fn send(api: &Api, name: &str, urls: &[String], otherwise: &str) -> String {
    if urls.is_empty() {
        return format!("                    <sequence key=\"{otherwise}\"/>\n");
    }
    let authorization = match &api.endpoint.credentials {
        Some((user, password)) => format!(
            "                    <property name=\"Authorization\" expression=\"fn:concat('Basic ', '{}')\" scope=\"transport\"/>\n",
            STANDARD.encode(format!("{user}:{password}"))
        ),
        None => String::new(),
    };
    let http = |url: &String| format!("<http uri-template=\"{}\"/>", xml(url));
    let inner = match api.endpoint.balance {
        Balance::Single => urls.first().map(http).unwrap_or_default(),
        Balance::Failover => {
            format!("<failover>{}</failover>", urls.iter().map(|u| format!("<endpoint>{}</endpoint>", http(u))).collect::<String>())
        }
        Balance::RoundRobin => format!(
            "<loadbalance algorithm=\"org.apache.synapse.endpoints.algorithms.RoundRobin\">{}</loadbalance>",
            urls.iter().map(|u| format!("<endpoint>{}</endpoint>", http(u))).collect::<String>()
        ),
    };
    format!(
        "{authorization}                    <send>\n                        <endpoint name=\"{name}\">{inner}</endpoint>\n                    </send>\n"
    )
}

fn handlers(api: &Api) -> String {
    const PACKAGE: &str = "org.wso2.carbon.apimgt.gateway.handlers";
    if api.status == Status::Blocked {
        return String::new();
    }
    let implementation = if api.endpoint.inline { "INLINE" } else { "ENDPOINT" };
    let mut out = format!(
        "    <handlers>\n        <handler class=\"{PACKAGE}.security.CORSRequestHandler\">\n            <property name=\"apiImplementationType\" value=\"{implementation}\"/>\n        </handler>\n"
    );
    if api.status != Status::Prototyped {
        out.push_str(&format!(
            "        <handler class=\"{PACKAGE}.security.APIAuthenticationHandler\"/>\n        <handler class=\"{PACKAGE}.throttling.APIThrottleHandler\">\n            \
             <property name=\"id\" value=\"A\"/>\n            <property name=\"policyKey\" value=\"gov:/apimgt/applicationdata/tiers.xml\"/>\n        </handler>\n        \
             <handler class=\"org.wso2.carbon.apimgt.usage.publisher.APIMgtUsageHandler\"/>\n        \
             <handler class=\"org.wso2.carbon.apimgt.usage.publisher.APIMgtGoogleAnalyticsTrackingHandler\">\n            \
             <property name=\"configKey\" value=\"gov:/apimgt/statistics/ga-config.xml\"/>\n        </handler>\n"
        ));
    }
    out.push_str(&format!("        <handler class=\"{PACKAGE}.ext.APIManagerExtensionHandler\"/>\n    </handlers>\n"));
    out
}

/// The un-versioned context, which sends every call on to the default version.
fn default_version_file(api: &Api) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<api xmlns=\"{NAMESPACE}\" name=\"{}--{}\" context=\"{}\">\n    \
         <resource methods=\"OPTIONS GET POST PUT DELETE PATCH HEAD\" url-mapping=\"/*\">\n        <inSequence>\n            \
         <property name=\"isDefault\" expression=\"$trp:WSO2_AM_API_DEFAULT_VERSION\"/>\n            <property name=\"WSO2_AM_API_DEFAULT_VERSION\" value=\"true\" scope=\"transport\"/>\n            \
         <property name=\"uri.var.portnum\" expression=\"get-property('https.nio.port')\"/>\n            <send>\n                <endpoint>\n                    \
         <http uri-template=\"https://localhost:{{uri.var.portnum}}{}\"/>\n                </endpoint>\n            </send>\n        </inSequence>\n        \
         <outSequence>\n            <send/>\n        </outSequence>\n    </resource>\n</api>\n",
        api.provider_in_paths(),
        api.name,
        xml(&api.context),
        xml(&api.versioned_context()),
    )
}

fn key_manager_api(name: &str, context: &str, target: &str) -> String {
    format!(
        "<api xmlns=\"{NAMESPACE}\" name=\"_WSO2AM{name}API_\" context=\"{context}\">\n    <resource methods=\"GET POST\" url-mapping=\"/*\" faultSequence=\"_token_fault_\">\n        \
         <inSequence>\n            <send>\n                <endpoint>\n                    <http uri-template=\"https://localhost:9443/{target}\"/>\n                </endpoint>\n            \
         </send>\n        </inSequence>\n        <outSequence>\n            <send/>\n        </outSequence>\n    </resource>\n</api>\n"
    )
}

/// The only one this site changed. Those it left as shipped are left out here, because their texts are not ours to write down.
fn sequences() -> Vec<(&'static str, String)> {
    let sequence =
        |name: &'static str, body: &str| (name, format!("<sequence xmlns=\"{NAMESPACE}\" name=\"{name}\">\n{body}</sequence>\n"));
    vec![
        // Failures carry the address of its help page, and come as JSON.
        sequence(
            "_auth_failure_handler_",
            "    <property name=\"error_message_type\" value=\"application/json\"/>\n    <property name=\"X-Help\" value=\"https://help.old.example/keys\" scope=\"transport\"/>\n    \
             <sequence key=\"_cors_request_handler_\"/>\n",
        ),
    ]
}
