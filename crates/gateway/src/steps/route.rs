//! Which API and which of its resources a call means.

use std::borrow::Cow;
use std::sync::Arc;

use http::{Method, Uri};

use crate::config::Precedence;
use crate::path;
use crate::respond::Refusal;
use crate::snapshot::{ApiEntry, Found, Resource, Snapshot, Verb};

/// A path in its one form.
pub(crate) struct Target<'r> {
    pub(crate) path: Cow<'r, str>,
}

/// Reads path and query.
pub(crate) fn read(uri: &Uri) -> Result<Target<'_>, Refusal> {
    let path = path::normalise(uri.path()).map_err(Refusal::BadPath)?;
    if uri.query().is_some_and(|query| !has_sound_escapes(query)) {
        return Err(Refusal::BadQuery);
    }
    Ok(Target { path })
}

/// The API whose context heads `path`, and the rest of the path.
pub(crate) fn api<'s, 'p>(snapshot: &'s Snapshot, path: &'p str) -> Result<(&'s Arc<ApiEntry>, &'p str), Refusal> {
    snapshot.api_for(path).ok_or(Refusal::NotFound)
}

/// Whether the API is offered over the transport the call came by.
pub(crate) fn transport(api: &ApiEntry, tls: bool) -> Result<(), Refusal> {
    match tls {
        true if !api.https => Err(Refusal::Transport("https")),
        false if !api.http => Err(Refusal::Transport("http")),
        _ => Ok(()),
    }
}

/// The resource that answers `method` at `rest`.
pub(crate) fn resource<'a>(api: &'a ApiEntry, rest: &str, method: &Method, precedence: Precedence) -> Result<&'a Resource, Refusal> {
    match api.resources.find(rest, Verb::of(method), precedence) {
        Found::Resource(resource) => Ok(resource),
        Found::OtherVerb => Err(Refusal::WrongVerb),
        Found::Nothing => Err(Refusal::NoResource),
    }
}

fn has_sound_escapes(query: &str) -> bool {
    let bytes = query.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(at, byte)| *byte != b'%' || (is_hex(at + 1) && is_hex(at + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_escapes_in_the_query_are_seen() {
        assert!(has_sound_escapes("a=%20b&c=d"));
        for query in ["a=%", "a=%2", "a=%zz"] {
            assert!(!has_sound_escapes(query));
        }
    }
}
