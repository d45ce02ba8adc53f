//! Cross-origin rules: the preflight answer, and headers on every answer of an API.
//!
//! As in 4.0.0 the headers are there whether or not the call names an origin, errors have them too, a backend's own win, and an origin
//! that is not listed is served all the same, without `Access-Control-Allow-Origin`.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, Entry, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

use crate::config::Precedence;
use crate::respond::Refusal;
use crate::snapshot::{ApiEntry, CorsRules, Found, Verb, Verbs};

/// What an answer's headers depend on, taken from the request before its headers go to the backend.
#[derive(Default)]
pub(crate) struct Asked {
    origin: Option<HeaderValue>,
    headers: Option<HeaderValue>,
}

impl Asked {
    /// Reads what `rules` will need, which is nothing in the usual case.
    pub(crate) fn of(headers: &HeaderMap, rules: Option<&CorsRules>) -> Self {
        let Some(rules) = rules else { return Self::default() };
        Self {
            origin: if rules.any_origin { None } else { headers.get(ORIGIN).cloned() },
            headers: if rules.headers.is_some() { None } else { headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned() },
        }
    }
}

/// Whether the call is a preflight that the gateway answers: OPTIONS on a path whose resource does not declare it, asking for a verb that
/// it has. Gives the verbs to offer.
///
/// # Errors
/// The path is unknown, or the verb asked for is.
pub(crate) fn preflight(api: &ApiEntry, rest: &str, headers: &HeaderMap, precedence: Precedence) -> Result<Option<Verbs>, Refusal> {
    match api.resources.find(rest, Some(Verb::Options), precedence) {
        Found::Resource(_) => return Ok(None),
        Found::Nothing => return Err(Refusal::NoResource),
        Found::OtherVerb => {}
    }
    let asked = headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|v| v.to_str().ok()).and_then(|v| Verb::parse(v.trim()));
    match asked.map(|verb| api.resources.find(rest, Some(verb), precedence)) {
        Some(Found::Resource(resource)) => Ok(Some(resource.verbs)),
        _ => Err(Refusal::WrongVerb),
    }
}

/// Header values for each set of verbs, made once.
pub(crate) struct MethodLists(Box<[HeaderValue]>);

impl MethodLists {
    pub(crate) fn new() -> Self {
        let list = |bits: u8| {
            let names: Vec<&str> = Verb::ALL.into_iter().filter(|v| Verbs(bits).has(*v)).map(Verb::name).collect();
            HeaderValue::from_str(&names.join(",")).unwrap_or_else(|_| HeaderValue::from_static(""))
        };
        Self((0..=u8::MAX).map(list).collect())
    }

    fn of(&self, verbs: Verbs) -> Option<&HeaderValue> {
        self.0.get(usize::from(verbs.0))
    }
}

/// Adds the headers that the answer lacks.
pub(crate) fn decorate(headers: &mut HeaderMap, rules: &CorsRules, verbs: Verbs, asked: &Asked, lists: &MethodLists, expose: &HeaderValue) {
    let listed = asked.origin.as_ref().filter(|origin| origin.to_str().is_ok_and(|o| rules.lists(o)));
    let origin = if rules.any_origin { Some(HeaderValue::from_static("*")) } else { listed.cloned() };
    if !rules.any_origin {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin {
        add(headers, ACCESS_CONTROL_ALLOW_ORIGIN, || Some(origin));
        if rules.credentials {
            add(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, || Some(HeaderValue::from_static("true")));
        }
    }
    add(headers, ACCESS_CONTROL_ALLOW_METHODS, || lists.of(verbs.and(rules.verbs)).cloned());
    add(headers, ACCESS_CONTROL_ALLOW_HEADERS, || rules.headers.clone().or_else(|| asked.headers.clone()));
    add(headers, ACCESS_CONTROL_EXPOSE_HEADERS, || Some(expose.clone()));
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: impl FnOnce() -> Option<HeaderValue>) {
    if let Entry::Vacant(vacant) = headers.entry(name)
        && let Some(value) = value()
    {
        vacant.insert(value);
    }
}
