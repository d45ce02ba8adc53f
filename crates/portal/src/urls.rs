//! Addresses under which an API is called, one set per environment it is deployed to and shown for.

use db::Tx;
use model::{Api, ApiKind, Deployment, Environment, Vhost};
use serde::Serialize;

use rest::Refusal;

/// `endpointURLs[]` of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EnvironmentUrls {
    #[serde(rename = "environmentName")]
    pub(crate) environment: String,
    #[serde(rename = "environmentDisplayName")]
    display_name: String,
    #[serde(rename = "environmentType")]
    kind: String,
    #[serde(rename = "URLs")]
    pub(crate) urls: Urls,
    #[serde(rename = "defaultVersionURLs")]
    default_version_urls: Urls,
}

/// One address per transport, `null` where the API does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Urls {
    pub(crate) http: Option<String>,
    pub(crate) https: Option<String>,
    pub(crate) ws: Option<String>,
    pub(crate) wss: Option<String>,
}

impl Urls {
    /// Those there are, the safer first.
    pub(crate) fn all(&self) -> Vec<&str> {
        [&self.https, &self.http, &self.wss, &self.ws].into_iter().flatten().map(String::as_str).collect()
    }
}

/// The environments `api` is deployed to and shown for.
pub(crate) async fn of_api(tx: &mut Tx, api: &Api) -> Result<Vec<EnvironmentUrls>, Refusal> {
    let deployments = db::deployments::list(tx, api.id).await?;
    let environments = db::environments::list(tx).await?;
    let shown = deployments.iter().filter(|deployment| deployment.display_on_portal);
    Ok(shown.filter_map(|d| environments.iter().find(|e| e.name == d.environment).and_then(|e| of_environment(api, d, e))).collect())
}

fn of_environment(api: &Api, deployment: &Deployment, environment: &Environment) -> Option<EnvironmentUrls> {
    let vhosts = &environment.vhosts;
    let vhost = vhosts.iter().find(|vhost| vhost.host == deployment.vhost).or_else(|| vhosts.first())?;
    Some(EnvironmentUrls {
        environment: environment.name.clone(),
        display_name: environment.display_name.clone(),
        kind: environment.kind.clone(),
        urls: urls(api, vhost, &api.context),
        default_version_urls: if api.is_default_version { urls(api, vhost, &api.default_context()) } else { Urls::default() },
    })
}

fn urls(api: &Api, vhost: &Vhost, context: &str) -> Urls {
    let has = |transport: &str| api.transports.iter().any(|t| t.eq_ignore_ascii_case(transport));
    let url = |scheme: &str, port: u16, usual: u16| {
        let port = if port == usual { String::new() } else { format!(":{port}") };
        let prefix = vhost.http_context.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        Some(format!("{scheme}://{}{port}{slash}{prefix}{context}", vhost.host))
    };
    if api.kind == ApiKind::Ws {
        let either = |one: &str, other: &str| has(one) || has(other);
        let ws = if either("ws", "http") { url("ws", vhost.ws_port, 80) } else { None };
        let wss = if either("wss", "https") { url("wss", vhost.wss_port, 443) } else { None };
        return Urls { ws, wss, ..Urls::default() };
    }
    let http = if has("http") { url("http", vhost.http_port, 80) } else { None };
    let https = if has("https") { url("https", vhost.https_port, 443) } else { None };
    Urls { http, https, ..Urls::default() }
}

#[cfg(test)]
mod tests {
    use model::{ApiId, TenantId, Timestamp};

    use super::*;

    #[test]
    fn usual_ports_are_left_out_and_prefixes_put_in() {
        let mut api = Api::new(ApiId::random(), TenantId::SUPER, "admin", "Pizza", "1.0", "/pizza/{version}", Timestamp(0));
        let mut vhost =
            Vhost { host: "gw".to_owned(), http_context: String::new(), http_port: 80, https_port: 8243, ws_port: 9099, wss_port: 443 };
        assert_eq!(urls(&api, &vhost, &api.context).all(), ["https://gw:8243/pizza/1.0", "http://gw/pizza/1.0"]);
        vhost.http_context = "/eu".to_owned();
        api.transports = vec!["https".to_owned()];
        assert_eq!(urls(&api, &vhost, "/pizza").all(), ["https://gw:8243/eu/pizza"]);
        api.kind = ApiKind::Ws;
        assert_eq!(urls(&api, &vhost, "/pizza").all(), ["wss://gw/eu/pizza"]);
    }
}
