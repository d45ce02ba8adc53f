//! Schema `Settings`: what the publisher's pages must know before they show anything.

use serde::Serialize;
use serde_json::{Map, Value};

/// Settings. Who is not signed in learns only the scopes to ask for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Where the developer portal is.
    pub devportal_url: Option<String>,
    /// Gateway environments.
    pub environment: Option<Vec<EnvironmentShown>>,
    /// Scopes of this interface.
    pub scopes: Vec<&'static str>,
    /// Fields of a monetization plug-in.
    pub monetization_attributes: Option<Vec<Value>>,
    /// Settings of a security audit service.
    pub security_audit_properties: Option<Map<String, Value>>,
    /// Whether APIs can be published elsewhere.
    pub external_stores_enabled: Option<bool>,
    /// Whether documents have a visibility of their own.
    pub doc_visibility_enabled: Option<bool>,
    /// Whether applications of other tenants may subscribe.
    pub cross_tenant_subscription_enabled: Option<bool>,
}

/// A gateway environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentShown {
    /// Name.
    pub name: String,
    /// Words for people.
    pub display_name: String,
    /// `hybrid` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Address of the gateway's management; gateways here fetch what they serve, so it is only a name.
    pub server_url: String,
    /// Whether the try-out page offers it.
    pub show_in_api_console: bool,
    /// Hosts.
    pub vhosts: Vec<VhostShown>,
}

/// A host of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VhostShown {
    /// Name.
    pub host: String,
    /// Path in front of every context.
    pub http_context: String,
    /// Port.
    pub http_port: u16,
    /// Port.
    pub https_port: u16,
    /// Port.
    pub ws_port: u16,
    /// Port.
    pub wss_port: u16,
    /// No WebSub hub runs here.
    pub websub_http_port: Option<u16>,
    /// As above.
    pub websub_https_port: Option<u16>,
}

impl From<&model::Environment> for EnvironmentShown {
    fn from(environment: &model::Environment) -> Self {
        Self {
            name: environment.name.clone(),
            display_name: environment.display_name.clone(),
            kind: environment.kind.clone(),
            server_url: "local:/services/".to_owned(),
            show_in_api_console: true,
            vhosts: environment.vhosts.iter().map(VhostShown::from).collect(),
        }
    }
}

impl From<&model::Vhost> for VhostShown {
    fn from(vhost: &model::Vhost) -> Self {
        Self {
            host: vhost.host.clone(),
            http_context: vhost.http_context.clone(),
            http_port: vhost.http_port,
            https_port: vhost.https_port,
            ws_port: vhost.ws_port,
            wss_port: vhost.wss_port,
            websub_http_port: None,
            websub_https_port: None,
        }
    }
}
