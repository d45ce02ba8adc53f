//! Headers between the wire and sequences, which see them as texts.
//!
//! Headers are bytes, most often ASCII. Those that are not go through sequences as Latin-1, as the old product read them, so that what no
//! sequence touches comes out as it came in, byte for byte.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue};
use mediation::{Fault, Headers};

use super::runner::wrong;
use crate::gateway::Gateway;
use crate::hops;
use crate::snapshot::ApiEntry;
use crate::steps::authenticate::bearer_of;
use crate::steps::tell::Told;

/// All of an answer's.
pub(crate) fn headers_of(map: &HeaderMap) -> Headers {
    map.iter().map(|(name, value)| (name.as_str(), text_of(value))).collect()
}

/// Those of a request but for framing, what names its own connection, and the token, which sequences never saw.
pub(crate) fn headers_of_request(gateway: &Gateway, all: &HeaderMap, api: Option<&ApiEntry>, told: Option<&Told>) -> Headers {
    let token_header = api.filter(|api| !api.prototype && !gateway.config.forward_authorization).map(|api| gateway.token_header(api).0);
    let named: Vec<&[u8]> = hops::named(all).filter(|element| hops::may_be_named(element)).collect();
    let mut headers = Headers::new();
    for (name, value) in all {
        let bytes = name.as_str().as_bytes();
        let stays = hops::is_hop(bytes)
            || named.iter().any(|element| element.eq_ignore_ascii_case(bytes))
            || name == CONTENT_LENGTH
            || told.is_some_and(|told| told.header == *name);
        if stays {
            continue;
        }
        let text = text_of(value);
        if token_header == Some(name) {
            let rest: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty() && bearer_of(part).is_none()).collect();
            if !rest.is_empty() {
                headers.append(name.as_str(), rest.join(", "));
            }
            continue;
        }
        headers.append(name.as_str(), text);
    }
    if let Some(Told { header, token: Some(token) }) = told {
        headers.append(header.as_str(), text_of(token));
    }
    headers
}

/// Headers that can be sent; framing is ours.
pub(crate) fn header_map(headers: &Headers) -> Result<HeaderMap, Fault> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        let sent = HeaderName::try_from(name).map_err(|_| wrong(&format!("'{name}' is no name of a header")))?;
        if hops::is_hop(sent.as_str().as_bytes()) || sent == CONTENT_LENGTH {
            continue;
        }
        let value = value_of(value).ok_or_else(|| wrong(&format!("the header {name} cannot hold what was set")))?;
        map.append(sent, value);
    }
    Ok(map)
}

/// What a sequence set, without what the client sent and nobody touched.
pub(crate) fn set_by_sequence(now: &Headers, original: &Headers) -> Headers {
    now.iter().filter(|(name, value)| original.get(name) != Some(value)).collect()
}

fn text_of(value: &HeaderValue) -> String {
    value.to_str().map_or_else(|_| value.as_bytes().iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

/// `None` for line breaks and the like, and for letters that Latin-1 has not.
fn value_of(text: &str) -> Option<HeaderValue> {
    if text.is_ascii() {
        return HeaderValue::from_str(text).ok();
    }
    let bytes = text.chars().map(|letter| u8::try_from(u32::from(letter))).collect::<Result<Vec<u8>, _>>().ok()?;
    HeaderValue::from_bytes(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_not_touched_comes_out_as_it_came(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6)) {
            let mut map = HeaderMap::new();
            for value in values.iter().filter_map(|bytes| HeaderValue::from_bytes(bytes).ok()) {
                map.append("x-any", value);
            }
            prop_assert_eq!(header_map(&headers_of(&map)).unwrap(), map);
        }
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_told() {
        for bad in ["a\nb", "\u{20ac}"] {
            let headers: Headers = [("X-Bad", bad)].into_iter().collect();
            assert!(header_map(&headers).unwrap_err().detail.contains("X-Bad"), "{bad:?}");
        }
        let fine: Headers = [("X-Fine", "gr\u{fc}n")].into_iter().collect();
        assert_eq!(header_map(&fine).unwrap()["x-fine"].as_bytes(), b"gr\xfcn");
    }

    #[test]
    fn framing_is_ours() {
        let headers: Headers = [("Content-Length", "7"), ("Transfer-Encoding", "chunked"), ("X", "y")].into_iter().collect();
        assert_eq!(header_map(&headers).unwrap().len(), 1);
    }
}
