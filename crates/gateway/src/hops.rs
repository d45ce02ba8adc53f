//! Headers that concern one connection only (RFC 9110, 7.6.1) and never go on.

use http::HeaderMap;
use http::header::CONNECTION;

/// Whether a header of this name belongs to the connection it came by. Framing is made anew on either side, so `Transfer-Encoding` is one
/// of them; `Content-Length` is not, its value is still true on the other side.
pub(crate) fn is_hop(name: &[u8]) -> bool {
    let same = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    // By length first: most headers are told apart without being read.
    match name.len() {
        2 => same("te"),
        7 => same("trailer") || same("upgrade"),
        10 => same("connection") || same("keep-alive"),
        14 => same("http2-settings"),
        16 => same("proxy-connection"),
        17 => same("transfer-encoding"),
        18 => same("proxy-authenticate"),
        19 => same("proxy-authorization"),
        _ => false,
    }
}

/// The elements of all `Connection` headers.
pub(crate) fn named(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(CONNECTION).iter().flat_map(|value| elements(value.as_bytes()))
}

/// The elements of one list header.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether `Connection` may ask for a header of this name to be dropped. Not the length: framing was settled when the message was read.
pub(crate) fn may_be_named(element: &[u8]) -> bool {
    let same = |other: &str| element.eq_ignore_ascii_case(other.as_bytes());
    !same("close") && !same("keep-alive") && !same("content-length")
}
