//! `/token`, `/revoke`, `/authorize` and `/userinfo` on the ports of API traffic, where versions before 3.0 had them as APIs of their own in
//! front of the key manager.
//!
//! They belong to the key desk, which is another room: in one process the hall hands the request over ([`KeyDesk`]); a gateway apart sends it
//! on to where the desk is. An API that claims such a path has it.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use model::{Endpoint, EndpointSet};

use crate::body::{BodyFault, Content, RequestBody};
use crate::call::Call;
use crate::config::Config;
use crate::gateway::{Gateway, SetupFault};
use crate::hops;
use crate::listener::Peer;
use crate::pipeline::{own_answer, passed_on};
use crate::respond::{Answer, BackendFailure, Refusal};
use crate::snapshot::{Backends, Snapshot};
use crate::steps::{forward, rewrite};

/// Largest body that is handed over, in bytes; a token request is a short form.
const BODY_MAX_BYTES: usize = 256 << 10;

/// Answers what belongs to the key desk.
pub trait KeyDesk: Send + Sync {
    /// The answer to a request whose path is the desk's own, such as `/oauth2/token`. `client` is who sent it.
    fn answer<'a>(&'a self, request: Request<Bytes>, client: IpAddr) -> Pin<Box<dyn Future<Output = Response<Bytes>> + Send + 'a>>;
}

/// One of the desk's paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeskPath {
    /// At the desk.
    path: &'static str,
}

/// The desk's path for a request that no API claims, if these paths are taken at all.
///
/// # Errors
/// [`Refusal::WrongVerb`], as the APIs of old took one verb each.
pub(crate) fn desk_path(gateway: &Gateway, snapshot: &Snapshot, method: &Method, path: &str) -> Result<Option<DeskPath>, Refusal> {
    let first = path.get(1..).unwrap_or_default().split('/').next().unwrap_or_default();
    let (verb, path) = match first {
        "token" => (Method::POST, "/oauth2/token"),
        "revoke" => (Method::POST, "/oauth2/revoke"),
        "authorize" => (Method::GET, "/oauth2/authorize"),
        "userinfo" => (Method::GET, "/oauth2/userinfo"),
        _ => return Ok(None),
    };
    if !gateway.config.token_paths.unwrap_or_else(|| snapshot.takes_token_paths()) {
        return Ok(None);
    }
    if *method == verb { Ok(Some(DeskPath { path })) } else { Err(Refusal::WrongVerb) }
}

/// Where the desk is, when it is not in this process.
pub(crate) fn elsewhere(config: &Config) -> Result<Option<Backends>, SetupFault> {
    let Some(url) = &config.key_desk_url else { return Ok(None) };
    let set = EndpointSet { primary: vec![Endpoint { url: url.clone(), timeout_ms: None }], failovers: Vec::new() };
    Backends::new(&set, None).map(Some).map_err(SetupFault::KeyDesk)
}

/// Answers a request to the desk.
pub(crate) async fn ask(
    gateway: &Gateway,
    peer: &Peer,
    call: &mut Call,
    parts: &Parts,
    body: hyper::body::Incoming,
    at: DeskPath,
) -> Result<(Response<()>, Content), Refusal> {
    if !rewrite::is_plainly_coded(&parts.headers) {
        return Err(Refusal::TransferCoding);
    }
    let body = RequestBody::new(body, gateway.config.stall_timeout, None);
    if let Some(backends) = &gateway.key_desk_elsewhere {
        return send_on(gateway, peer, call, parts, body, at, backends).await;
    }
    let Some(desk) = gateway.key_desk.get() else { return Err(Refusal::NotFound) };
    let body = match gathered(body).await {
        Ok(Some(body)) => body,
        Ok(None) => return Ok(own_answer(too_large(), call)),
        Err(fault) => {
            tracing::debug!(fault = &fault as &dyn std::error::Error, "a request to the key desk broke off");
            return Err(Refusal::Backend(BackendFailure::ClientBody));
        }
    };
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri_at(at, parts.uri.query());
    *request.headers_mut() = parts.headers.clone();
    let client = rewrite::client_address(&parts.headers, peer, &gateway.config.trusted_proxies);
    let (head, text) = desk.answer(request, client).await.into_parts();
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    without_framing(response.headers_mut());
    response.headers_mut().insert(&gateway.correlation_header, call.correlation.clone());
    Ok((response, if text.is_empty() { Content::Empty } else { Content::Text(text) }))
}

async fn send_on(
    gateway: &Gateway,
    peer: &Peer,
    call: &Call,
    parts: &Parts,
    body: RequestBody,
    at: DeskPath,
    backends: &Backends,
) -> Result<(Response<()>, Content), Refusal> {
    let request = forward::Request {
        method: &parts.method,
        rest: at.path,
        query: parts.uri.query(),
        says_length: parts.headers.contains_key(CONTENT_LENGTH),
        headers: rewrite::Outgoing {
            headers: &parts.headers,
            peer,
            authority: parts.uri.authority(),
            correlation: (&gateway.correlation_header, &call.correlation),
            bearer: None,
            authorization: None,
            told: None,
        },
    };
    let config = &gateway.config;
    let bounds = forward::Bounds { answer: config.response_timeout, head_max: config.backend_head_max_bytes, watched: None };
    let (head, link) = forward::forward(&gateway.pool, backends, &request, body, &bounds).await.map_err(Refusal::Backend)?;
    Ok(passed_on(gateway, call, head, link))
}

/// The whole body; `None` when it is too large.
async fn gathered(mut body: RequestBody) -> Result<Option<Bytes>, BodyFault> {
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Some(data) = frame?.data_ref() {
            if whole.len() + data.len() > BODY_MAX_BYTES {
                return Ok(None);
            }
            whole.extend_from_slice(data);
        }
    }
    Ok(Some(whole.freeze()))
}

fn uri_at(at: DeskPath, query: Option<&str>) -> Uri {
    let text = query.map_or_else(|| at.path.to_owned(), |query| format!("{}?{query}", at.path));
    // A query that came in a URI can stand in one.
    Uri::try_from(text).unwrap_or_else(|_| Uri::from_static("/"))
}

fn without_framing(headers: &mut HeaderMap) {
    let hops: Vec<_> = headers.keys().filter(|name| hops::is_hop(name.as_str().as_bytes())).cloned().collect();
    for name in hops {
        headers.remove(name);
    }
    headers.remove(CONTENT_LENGTH);
}

fn too_large() -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let text = "{\"error\":\"invalid_request\",\"error_description\":\"The request body is too large.\"}";
    Answer { status: StatusCode::PAYLOAD_TOO_LARGE, headers, text: Bytes::from_static(text.as_bytes()), code: None }
}
