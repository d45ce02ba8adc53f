//! What changes in a message on its way through.
//!
//! Toward the backend:
//! - hop-by-hop headers go, and those that `Connection` names; framing is made anew from the body as it was read;
//! - the bearer token goes, the rest of its header stays, unless configured otherwise;
//! - `Host` is the backend's; `User-Agent` stays the client's (4.0.0 put its own there);
//! - where backends are told who calls, the header for that is ours alone;
//! - `Internal-Key` goes, and `activityid` is the client's or a fresh one;
//! - `X-Forwarded-For`, `-Proto` and `-Host` are taken over from a trusted proxy, its own address appended to the first; from anyone else
//!   they, and `Forwarded`, are dropped and made anew, since backends believe them. (4.0.0 passes whatever comes and adds nothing.)
//!
//! Toward the client: hop-by-hop headers go, and `Server`; `Date` is ours; everything else stays as it is, `Location` and the order of
//! several `Set-Cookie` included (4.0.0 rewrote the one in some statuses and sorted the other).

use std::net::IpAddr;

use http::header::{CONTENT_LENGTH, FORWARDED, HOST, HeaderName, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};
use traffic::IpRange;

use crate::hops;
use crate::listener::Peer;
use crate::sign_in::Authorization;
use crate::snapshot::Target;
use crate::steps::authenticate::bearer_of;
use crate::steps::tell::Told;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";
/// Carries a key of the publisher's own, which no backend needs to see.
const INTERNAL_KEY: &str = "internal-key";

/// The headers of a request as its backend gets them, but for `Host`, framing, and the answer to a backend's challenge.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'c> {
    pub(crate) headers: &'c HeaderMap,
    pub(crate) peer: &'c Peer,
    /// Whom the client asked for, where its request line says so.
    pub(crate) authority: Option<&'c Authority>,
    pub(crate) correlation: (&'c HeaderName, &'c HeaderValue),
    /// Header whose bearer token stays here.
    pub(crate) bearer: Option<&'c HeaderName>,
    /// What `Authorization` says, in place of what the client said.
    pub(crate) authorization: Option<Authorization<'c>>,
    /// What the backend is told of the caller, in place of what the client says.
    pub(crate) told: Option<&'c Told>,
}

/// A request target that no request line can hold.
#[derive(Debug)]
pub(crate) struct BadTarget;

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

/// Whether the body's coding is none or plain `chunked`, which are the ones we can undo.
pub(crate) fn is_plainly_coded(headers: &HeaderMap) -> bool {
    headers.get_all(TRANSFER_ENCODING).iter().all(|v| v.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

impl Outgoing<'_> {
    /// Writes all headers as lines. Names and values hold no line breaks: `http`'s types see to that.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let named: Vec<&[u8]> = hops::named(self.headers).filter(|element| hops::may_be_named(element)).collect();
        let mut says = Says::default();
        for (name, value) in self.headers {
            let text = name.as_str();
            if hops::is_hop(text.as_bytes()) || named.iter().any(|element| element.eq_ignore_ascii_case(text.as_bytes())) {
                continue;
            }
            if self.goes_on(name, text, &mut says) {
                line(out, text, value.as_bytes());
            }
        }
        self.write_bearers_company(out);
        self.write_forwarded(out, &says);
        line(out, self.correlation.0.as_str(), self.correlation.1.as_bytes());
        if let Some(Authorization::Value(authorization)) = self.authorization {
            line(out, "authorization", authorization.as_bytes());
        }
        if let Some(Told { header, token: Some(token) }) = self.told {
            line(out, header.as_str(), token.as_bytes());
        }
    }

    /// Whether a client's header goes on as it is.
    fn goes_on(&self, name: &HeaderName, text: &str, says: &mut Says) -> bool {
        if self.told.is_some_and(|told| told.header == *name) {
            return false;
        }
        // By length first, which tells most headers apart at once.
        match text.len() {
            4 if text == "host" => false,
            6 if text == "expect" => false,
            9 if text == FORWARDED.as_str() => self.peer.trusted,
            12 if text == INTERNAL_KEY => false,
            13 if text == "authorization" && self.authorization.is_some() => false,
            14 if text == CONTENT_LENGTH.as_str() => false,
            15 if text == FORWARDED_FOR.as_str() => {
                says.list = true;
                false
            }
            16 if text == FORWARDED_HOST => {
                says.host = true;
                self.peer.trusted
            }
            17 if text == FORWARDED_PROTO => {
                says.proto = true;
                self.peer.trusted
            }
            _ => self.bearer != Some(name) && self.correlation.0 != name,
        }
    }

    /// What else is in the header that the bearer token came in.
    fn write_bearers_company(&self, out: &mut Vec<u8>) {
        let Some(name) = self.bearer else { return };
        if self.authorization.is_some() && name == http::header::AUTHORIZATION {
            return;
        }
        let start = out.len();
        let is_all_token = |value: &HeaderValue| {
            let bytes = value.as_bytes();
            bytes.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer ")) && memchr::memchr(b',', bytes).is_none()
        };
        let values = self.headers.get_all(name).iter().filter(|value| !is_all_token(value)).filter_map(|value| value.to_str().ok());
        for segment in values.flat_map(|value| value.split(',')).map(str::trim) {
            if segment.is_empty() || bearer_of(segment).is_some() {
                continue;
            }
            if out.len() == start {
                out.extend_from_slice(name.as_str().as_bytes());
                out.extend_from_slice(b": ");
            } else {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(segment.as_bytes());
        }
        if out.len() > start {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn write_forwarded(&self, out: &mut Vec<u8>, says: &Says) {
        out.extend_from_slice(b"x-forwarded-for: ");
        if self.peer.trusted && says.list {
            for value in self.headers.get_all(FORWARDED_FOR) {
                out.extend_from_slice(value.as_bytes());
                out.extend_from_slice(b", ");
            }
        }
        out.extend_from_slice(self.peer.address_value.as_bytes());
        out.extend_from_slice(b"\r\n");
        if !(self.peer.trusted && says.proto) {
            line(out, FORWARDED_PROTO, if self.peer.tls { b"https" } else { b"http" });
        }
        if !(self.peer.trusted && says.host) {
            let host = self.headers.get(HOST).map(HeaderValue::as_bytes).or_else(|| self.authority.map(|a| a.as_str().as_bytes()));
            if let Some(host) = host {
                line(out, FORWARDED_HOST, host);
            }
        }
    }
}

/// Which of the headers that proxies add the client has sent.
#[derive(Default)]
struct Says {
    list: bool,
    proto: bool,
    host: bool,
}

/// Appends one header.
pub(crate) fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a backend's header goes on to the client, by its name in any letter case.
pub(crate) fn answers(name: &[u8]) -> bool {
    match name.len() {
        4 => !name.eq_ignore_ascii_case(b"date"),
        6 => !name.eq_ignore_ascii_case(b"server"),
        _ => true,
    }
}

/// Appends the request target at the backend: its path, the rest of the call's, and both queries.
///
/// # Errors
/// [`BadTarget`] when it holds what would end the request line early.
pub(crate) fn push_target(target: &Target, rest: &str, query: Option<&str>, out: &mut Vec<u8>) -> Result<(), BadTarget> {
    let start = out.len();
    target.push_path(rest, out);
    let mut separator = b'?';
    for part in [target.query.as_deref(), query].into_iter().flatten() {
        out.push(separator);
        out.extend_from_slice(part.as_bytes());
        separator = b'&';
    }
    let written = out.get(start..).unwrap_or_default();
    if written.iter().any(|byte| *byte <= b' ' || *byte == 0x7f || *byte == b'#') { Err(BadTarget) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::opaque::NoOpaqueTokens;
    use crate::{Config, Gateway};

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    /// What a backend gets of `list`, without what is always added.
    fn passed(list: &[(&'static str, &'static str)]) -> Vec<String> {
        let gateway = Gateway::new(Config::default(), Arc::new(NoOpaqueTokens)).unwrap();
        let peer = Peer::new(gateway, "192.0.2.1".parse().unwrap(), false);
        let headers = headers(list);
        let outgoing = Outgoing {
            headers: &headers,
            peer: &peer,
            authority: None,
            correlation: (&HeaderName::from_static("activityid"), &HeaderValue::from_static("id")),
            bearer: Some(&http::header::AUTHORIZATION),
            authorization: None,
            told: None,
        };
        let mut out = Vec::new();
        outgoing.write(&mut out);
        let text = String::from_utf8(out).unwrap();
        let added = ["x-forwarded-for: 192.0.2.1", "x-forwarded-proto: http", "activityid: id"];
        let (ours, theirs): (Vec<_>, Vec<_>) = text.split_terminator("\r\n").map(str::to_owned).partition(|l| added.contains(&&**l));
        assert_eq!(ours, added);
        theirs
    }

    #[test]
    fn hop_by_hop_headers_go_and_those_that_connection_names() {
        let got = passed(&[
            ("connection", "close, X-Secret"),
            ("connection", "x-other"),
            ("x-secret", "1"),
            ("x-other", "2"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("internal-key", "secret"),
            ("x-kept", "3"),
        ]);
        assert_eq!(got, ["x-kept: 3"]);
    }

    #[test]
    fn a_client_cannot_have_our_own_headers_dropped_nor_say_them_itself() {
        let got = passed(&[
            ("connection", "x-forwarded-for, activityid, x-forwarded-host"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=10.0.0.1"),
            ("activityid", "other"),
            ("host", "shop.example"),
        ]);
        assert_eq!(got, ["x-forwarded-host: shop.example"]);
    }

    #[test]
    fn codings_other_than_chunked_are_seen() {
        assert!(is_plainly_coded(&headers(&[("transfer-encoding", "Chunked"), ("content-length", "3")])));
        assert!(!is_plainly_coded(&headers(&[("transfer-encoding", "gzip, chunked")])));
    }

    #[test]
    fn only_the_bearer_part_is_stripped() {
        for (before, after) in [
            (&["Bearer x"][..], None),
            (&["bearer x"], None),
            (&["Bearer x, Basic y"], Some("Basic y")),
            (&["Basic y"], Some("Basic y")),
            (&["Bearer x", "Basic y", "Digest z"], Some("Basic y, Digest z")),
        ] {
            let list: Vec<_> = before.iter().map(|value| ("authorization", *value)).collect();
            let after: Vec<_> = after.iter().map(|value| format!("authorization: {value}")).collect();
            assert_eq!(passed(&list), after, "{before:?}");
        }
    }

    #[test]
    fn a_target_cannot_end_the_request_line() {
        let backends = crate::snapshot::Backends::new(
            &model::EndpointSet {
                primary: vec![model::Endpoint { url: "http://b/x?k=v".to_owned(), timeout_ms: None }],
                failovers: vec![],
            },
            None,
        )
        .unwrap();
        let target = backends.in_turn().next().unwrap();
        let push = |rest: &str, query: Option<&str>| {
            let mut out = Vec::new();
            push_target(target, rest, query, &mut out).map(|()| String::from_utf8(out).unwrap()).ok()
        };
        assert_eq!(push("/a", Some("q=1")).as_deref(), Some("/x/a?k=v&q=1"));
        for rest in ["/a b", "/a\r\nX: 1", "/a#b", "/\u{7f}"] {
            assert_eq!(push(rest, None), None, "{rest:?}");
        }
        assert_eq!(push("/a", Some("q=1 HTTP/1.1")), None);
    }

    #[test]
    fn addresses_are_read_in_every_spelling() {
        for text in ["10.0.0.1", "10.0.0.1:80", "::ffff:10.0.0.1", "[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]:80"] {
            assert_eq!(address_of(text), Some("10.0.0.1".parse().unwrap()), "{text}");
        }
        assert_eq!(address_of("unknown"), None);
    }
}
