//! A request as sequences see it: its message, and the properties that say what it is and who calls.

use http::request::Parts;
use mediation::{Message, Properties, Scope};
use model::KeyType;

use crate::gateway::Gateway;
use crate::listener::Peer;
use crate::snapshot::ApiEntry;
use crate::steps::authorize::Caller;
use crate::steps::rewrite;

/// The message, without headers and body. `postfix` is what follows the API's context.
pub(crate) fn message(gateway: &Gateway, peer: &Peer, parts: &Parts, postfix: String) -> Message {
    let asked = path_and_query(parts);
    let mut message = Message::request(parts.method.as_str(), asked);
    message.scheme = if peer.tls { "https" } else { "http" }.to_owned();
    message.url_postfix = postfix;
    message.client_address = rewrite::client_address(&parts.headers, peer, &gateway.config.trusted_proxies).to_string();
    message.message_id = format!("urn:uuid:{}", uuid::Uuid::new_v4());
    let properties = &mut message.properties;
    properties.set(Scope::Default, "REST_FULL_REQUEST_PATH", asked);
    for (name, value) in query_parameters(parts.uri.query()) {
        properties.set(Scope::Default, format!("query.param.{name}"), value);
    }
    message
}

/// As the client wrote it.
pub(crate) fn path_and_query(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("/", |p| p.as_str())
}

/// Says which API is called, and by whom, where that is known.
pub(crate) fn say_api(properties: &mut Properties, api: &ApiEntry, parts: &Parts, key_type: KeyType, caller: Option<&Caller>) {
    let mut say = |name: &str, value: &str| properties.set(Scope::Default, name, value);
    say("API_NAME", &api.name);
    say("REST_API_CONTEXT", &api.context);
    say("SYNAPSE_REST_API_VERSION", &api.version);
    say("AM_KEY_TYPE", if key_type == KeyType::Sandbox { "SANDBOX" } else { "PRODUCTION" });
    say("api.ut.context", &api.context);
    say("api.ut.version", &api.version);
    say("api.ut.api", &api.name);
    say("api.ut.HTTP_METHOD", parts.method.as_str());
    if let Some(caller) = caller {
        say("api.ut.userId", &caller.user);
        say("api.ut.application.name", &caller.application.name);
        say("api.ut.application.id", &caller.application.number.to_string());
    }
}

/// Query parameters with their escapes undone, as `query.param.*` has them.
fn query_parameters(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.unwrap_or_default().split('&').filter(|part| !part.is_empty()).map(move |part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (plain(name), plain(value))
    })
}
