//! What changes in a message on its way through.
//!
//! Toward the backend:
//! - hop-by-hop headers go, and those that `Connection` names; framing is made anew from the body as it was read;
//! - the bearer token goes, the rest of its header stays, unless configured otherwise;
//! - `Host` is the backend's; `User-Agent` stays the client's (4.0.0 put its own there);
//! - `activityid` is the client's or a fresh one;
//! - `X-Forwarded-For`, `-Proto` and `-Host` are taken over from a trusted proxy, its own address appended to the first; from anyone else
//!   they, and `Forwarded`, are dropped and made anew, since backends believe them. (4.0.0 passes whatever comes and adds nothing.)
//!
//! Toward the client: hop-by-hop headers go, and `Server`; `Date` is ours; everything else stays as it is, `Location` and the order of
//! several `Set-Cookie` included (4.0.0 rewrote the one in some statuses and sorted the other).

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, FORWARDED, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SERVER, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Uri};
use traffic::IpRange;

use crate::listener::Peer;
use crate::snapshot::Target;
use crate::steps::authenticate::bearer_of;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who really calls: the last address in `X-Forwarded-For` that is no trusted proxy's, if the peer is one; otherwise the peer.
pub(crate) fn client_address(headers: &HeaderMap, peer: &Peer, trusted: &[IpRange]) -> IpAddr {
    if !peer.trusted || !headers.contains_key(&FORWARDED_FOR) {
        return peer.address;
    }
    let listed = headers.get_all(&FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let mut client = peer.address;
    for text in listed.collect::<Vec<_>>().into_iter().rev() {
        let Some(address) = address_of(text.trim()) else { break };
        client = address;
        if !trusted.iter().any(|range| range.contains(address)) {
            break;
        }
    }
    client
}

/// An address, perhaps with a port or in brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.split(']').next()?.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|a| a.ip());
    text.parse().ok().or_else(with_port).or_else(bare).map(|ip: IpAddr| ip.to_canonical())
}

/// Removes what concerns one connection only. `false` if the body's coding is not plain `chunked`.
pub(crate) fn strip_hops(headers: &mut HeaderMap) -> bool {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            // Framing was settled when the message was read.
            .filter(|name| *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING)
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    let chunked_only = headers.get_all(TRANSFER_ENCODING).iter().all(|v| v.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, UPGRADE, HTTP2_SETTINGS] {
        headers.remove(name);
    }
    chunked_only
}

/// Makes a request's headers fit for the backend. [`strip_hops`] has been called.
pub(crate) fn request_headers(
    headers: &mut HeaderMap,
    peer: &Peer,
    authority: Option<&Authority>,
    correlation: (&HeaderName, &HeaderValue),
) {
    headers.remove(EXPECT);
    let host = headers.get(HOST).cloned().or_else(|| authority.and_then(|a| HeaderValue::from_str(a.as_str()).ok()));
    if peer.trusted && headers.contains_key(&FORWARDED_FOR) {
        let mut list = Vec::new();
        for value in headers.get_all(&FORWARDED_FOR) {
            list.extend_from_slice(value.as_bytes());
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(peer.address_value.as_bytes());
        if let Ok(value) = HeaderValue::from_bytes(&list) {
            headers.insert(FORWARDED_FOR, value);
        }
    } else {
        headers.insert(FORWARDED_FOR, peer.address_value.clone());
    }
    if !peer.trusted {
        for name in [FORWARDED, FORWARDED_PROTO, FORWARDED_HOST] {
            headers.remove(name);
        }
    }
    headers.entry(FORWARDED_PROTO).or_insert_with(|| HeaderValue::from_static(if peer.tls { "https" } else { "http" }));
    if let Some(host) = host {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    headers.insert(correlation.0, correlation.1.clone());
}

/// Takes the bearer token out of its header and leaves what else is there.
pub(crate) fn strip_bearer(headers: &mut HeaderMap, name: &HeaderName) {
    let is_simple = headers.get(name).is_some_and(|v| !v.as_bytes().contains(&b','));
    if is_simple && headers.get_all(name).iter().nth(1).is_none() {
        if headers.get(name).and_then(|v| v.to_str().ok()).is_none_or(|v| bearer_of(v).is_some()) {
            headers.remove(name);
        }
        return;
    }
    let kept: Vec<String> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|segment| bearer_of(segment).is_none())
        .map(|segment| segment.trim().to_owned())
        .filter(|segment| !segment.is_empty())
        .collect();
    headers.remove(name);
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_str(&kept.join(", "))
    {
        headers.insert(name, value);
    }
}

/// Makes a backend's answer fit for the client.
pub(crate) fn response_headers(headers: &mut HeaderMap, correlation: (&HeaderName, &HeaderValue)) {
    strip_hops(headers);
    headers.remove(SERVER);
    headers.remove(DATE);
    headers.insert(correlation.0, correlation.1.clone());
}

/// The request target at the backend: its path, the rest of the call's, and both queries.
pub(crate) fn target_uri(target: &Target, rest: &str, query: Option<&str>) -> Result<Uri, http::uri::InvalidUri> {
    let query_len = query.map_or(0, str::len) + target.query.as_ref().map_or(0, |q| q.len());
    let mut text = Vec::with_capacity(target.base.len() + rest.len() + query_len + 3);
    target.push_path(rest, &mut text);
    let mut separator = b'?';
    for part in [target.query.as_deref(), query].into_iter().flatten() {
        text.push(separator);
        text.extend_from_slice(part.as_bytes());
        separator = b'&';
    }
    PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).map(Uri::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn hop_by_hop_headers_go_and_those_that_connection_names() {
        let mut map = headers(&[
            ("connection", "close, X-Secret"),
            ("connection", "x-other"),
            ("x-secret", "1"),
            ("x-other", "2"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("x-kept", "3"),
        ]);
        assert!(strip_hops(&mut map));
        assert_eq!(map, headers(&[("x-kept", "3")]));
    }

    #[test]
    fn a_length_beside_a_coding_goes_and_other_codings_are_seen() {
        let mut map = headers(&[("transfer-encoding", "Chunked"), ("content-length", "3")]);
        assert!(strip_hops(&mut map));
        assert!(map.is_empty());
        assert!(!strip_hops(&mut headers(&[("transfer-encoding", "gzip, chunked")])));
    }

    #[test]
    fn a_client_cannot_have_the_length_removed() {
        let mut map = headers(&[("connection", "content-length"), ("content-length", "3")]);
        strip_hops(&mut map);
        assert_eq!(map, headers(&[("content-length", "3")]));
    }

    #[test]
    fn only_the_bearer_part_is_stripped() {
        for (before, after) in
            [("Bearer x", None), ("bearer x", None), ("Bearer x, Basic y", Some("Basic y")), ("Basic y", Some("Basic y"))]
        {
            let mut map = headers(&[("authorization", before)]);
            strip_bearer(&mut map, &http::header::AUTHORIZATION);
            assert_eq!(map.get("authorization").map(|v| v.to_str().unwrap()), after);
        }
        let mut two = headers(&[("authorization", "Bearer x"), ("authorization", "Basic y")]);
        strip_bearer(&mut two, &http::header::AUTHORIZATION);
        assert_eq!(two, headers(&[("authorization", "Basic y")]));
    }

    #[test]
    fn addresses_are_read_in_every_spelling() {
        for text in ["10.0.0.1", "10.0.0.1:80", "::ffff:10.0.0.1", "[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]:80"] {
            assert_eq!(address_of(text), Some("10.0.0.1".parse().unwrap()), "{text}");
        }
        assert_eq!(address_of("unknown"), None);
    }
}
