//! The one place that turns a refusal into an answer.
//!
//! Codes, statuses and texts are WSO2 API Manager 4.0.0's, because clients match on them. Two habits of it are mended: the request's own
//! headers are not sent back, and `WWW-Authenticate` names real schemes. A tenant that came from an old version may keep that one's answers
//! instead; they are written in [`old`].

mod old;
mod soap;

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use model::{ErrorFormat, Generation, KeyType, Timestamp};
use serde_json::Value;

use crate::path::BadPath;
use crate::snapshot::ApiEntry;

/// Why a call is not passed on, or what became of it at the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No API has such a context.
    NotFound,
    /// The API is not offered over this transport.
    Transport(&'static str),
    /// The API has no such resource.
    NoResource,
    /// The resource has no such verb.
    WrongVerb,
    /// The path cannot be read safely.
    BadPath(BadPath),
    /// The query holds a broken percent-escape.
    BadQuery,
    /// The body's coding is not one that can be passed on.
    TransferCoding,
    /// The API is blocked.
    Blocked,
    /// The API has no backend for this kind of key.
    NoBackend(KeyType),
    Auth(AuthRefusal),
    Throttle(ThrottleRefusal),
    Backend(BackendFailure),
    /// A mediation sequence failed and nobody made an answer of it.
    Mediation {
        code: &'static str,
        description: String,
    },
}

/// Authentication or authorization failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthRefusal {
    /// Our own side could not decide.
    Undecided,
    /// Not a token, or not one that is believed.
    Invalid,
    /// No token; holds the name of the header it should be in.
    Missing(String),
    /// An application's token where the operation wants a user's, or the other way round.
    WrongKind,
    /// The subscription is blocked.
    SubscriptionBlocked,
    /// No subscription, or no consumer key.
    NotSubscribed,
    /// The key may not be used from where the call comes from; holds where it may.
    Domain(Arc<[Box<str>]>),
    /// The subscription waits for approval or was refused.
    SubscriptionInactive,
    /// None of the resource's scopes; holds its template.
    Scope(String),
}

/// A limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThrottleRefusal {
    pub(crate) level: Level,
    /// When there is quota again, where it is known.
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// A deny policy; no limit at all.
    Denied,
    Api,
    Resource,
    Application,
    Subscription,
    Burst,
    /// A rule of a site's own.
    Custom,
    Backend,
}

/// The backend gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackendFailure {
    Connect,
    ConnectTimeout,
    ResponseTimeout,
    ClosedEarly,
    Protocol,
    Other,
    /// The client's own body broke off; there is hardly anyone left to read the answer.
    ClientBody,
    /// The backend asks who the gateway is, and what the endpoint's configuration says does not satisfy it.
    Unauthenticated,
    /// There is no token to show the backend, or it refuses the one there is.
    NoToken,
}

/// Headers and text of an answer the gateway makes itself.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: Bytes,
    /// Error code, for the record.
    pub(crate) code: Option<&'static str>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
const CHALLENGE: HeaderValue = HeaderValue::from_static(
    "Bearer realm=\"WSO2 API Manager\", error=\"invalid_token\", error_description=\"The provided token is invalid\"",
);

const BLOCKED: &str = "This API has been blocked temporarily. Please try again later or contact the system administrators.";
const BAD_QUERY: &str = "the query holds a malformed percent-escape";
const TRANSFER_CODING: &str = "Only the transfer coding chunked is supported";
/// As the old product put it.
const UNAUTHENTICATED: &str = "Unauthenticated at backend level";
const CLIENT_BODY: &str = "the request body broke off";

/// What of a call an old version's answer depends on.
pub(crate) struct Told<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    /// The API, where the call got as far.
    pub(crate) api: Option<&'a ApiEntry>,
    /// The token, where there is one.
    pub(crate) token: Option<&'a str>,
    /// The calling site, where it is named.
    pub(crate) site: Option<&'a str>,
    /// The form that an error sequence of the site's names, for answers of authentication and limits.
    pub(crate) named: Option<Named>,
}

/// A form that `error_message_type` of an error sequence names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Json,
    Xml,
}

/// What an answer says, as error sequences are told it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) description: String,
    /// When there is quota again.
    pub(crate) next_access: Option<String>,
}

impl Said {
    /// Reads an answer of ours in 4.0.0's form.
    fn of_40(answer: &Answer) -> Self {
        // Our own JSON, so it reads; were it not to, it would say nothing but the status.
        let body: Value = serde_json::from_slice(&answer.text).unwrap_or_default();
        let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            code: member("code").unwrap_or_default(),
            message: member("message").unwrap_or_default(),
            description: member("description").unwrap_or_default(),
            next_access: member("nextAccessTime"),
        }
    }
}

impl Told<'_> {
    /// As the client wrote it, without the slash at its head.
    fn path_and_query(&self) -> &str {
        let whole = self.uri.path_and_query().map_or("", |p| p.as_str());
        whole.strip_prefix('/').unwrap_or(whole)
    }

    /// Context and version, as a generation knew the API. 1.8 had the version beside the context, not in it.
    fn api_named(&self, generation: Generation) -> (&str, &str) {
        let Some(api) = self.api else { return ("", "") };
        let context = match generation {
            Generation::V1_8 => api.bare_context(),
            _ => &api.context,
        };
        (context, &api.version)
    }
}

impl Refusal {
    /// The answer in a form.
    pub(crate) fn answer(&self, format: ErrorFormat, told: &Told<'_>) -> Answer {
        match format {
            ErrorFormat::Json40 => match soap::spoken(told.headers) {
                Some(spoken) => soap::fault(self, self.answer_40(), spoken),
                None => self.answer_40(),
            },
            ErrorFormat::Xml1(generation) => old::answer(self, generation, old::Rule::Xml, told),
            ErrorFormat::Accept(generation) => old::answer(self, generation, old::Rule::Accept, told),
        }
    }

    /// What the answer in a form says.
    pub(crate) fn said(&self, format: ErrorFormat, told: &Told<'_>) -> Said {
        match format {
            ErrorFormat::Json40 => Said::of_40(&self.answer_40()),
            ErrorFormat::Xml1(generation) | ErrorFormat::Accept(generation) => old::said(self, generation, told),
        }
    }

    /// The version of SOAP that a client speaks, as `MESSAGE_FORMAT` names it.
    pub(crate) fn soap(headers: &HeaderMap) -> Option<&'static str> {
        soap::spoken(headers).map(soap::Spoken::name)
    }

    /// The code of 4.0.0, by which records name the case.
    fn code(&self) -> Option<&'static str> {
        self.answer_40().code
    }

    fn answer_40(&self) -> Answer {
        match self {
            Self::NotFound => report(StatusCode::NOT_FOUND, "404", "Not Found", "The requested resource is not available."),
            Self::Transport(scheme) => report(
                StatusCode::FORBIDDEN,
                "403",
                "Forbidden",
                &format!("Unsupported Transport [ {scheme} ]. The requested resource is not available."),
            ),
            Self::NoResource => report(StatusCode::NOT_FOUND, "404", "Runtime Error", "No matching resource found for given API Request"),
            Self::WrongVerb => report(StatusCode::METHOD_NOT_ALLOWED, "405", "Runtime Error", "Method not allowed for given API resource"),
            Self::BadPath(fault) => bad_request(&fault.to_string()),
            Self::BadQuery => bad_request(BAD_QUERY),
            Self::TransferCoding => report(StatusCode::NOT_IMPLEMENTED, "501", "Not Implemented", TRANSFER_CODING),
            Self::Blocked => json(StatusCode::SERVICE_UNAVAILABLE, "700700", &[("type", "API blocked"), ("description", BLOCKED)]),
            Self::NoBackend(key_type) => {
                let description = match key_type {
                    KeyType::Production => "Production key offered to the API with no production endpoint",
                    KeyType::Sandbox => "Sandbox key offered to the API with no sandbox endpoint",
                };
                report(StatusCode::FORBIDDEN, "900901", "Runtime Error", description)
            }
            Self::Auth(refusal) => refusal.answer(),
            Self::Throttle(refusal) => refusal.answer(),
            Self::Backend(failure) => failure.answer(),
            Self::Mediation { code, description } => report(StatusCode::INTERNAL_SERVER_ERROR, code, "Runtime Error", description),
        }
    }
}

impl AuthRefusal {
    fn answer(&self) -> Answer {
        const NO_SUBSCRIPTION: &str = "User is NOT authorized to access the Resource. API Subscription validation failed.";
        let (status, code, message, description) = match self {
            Self::Undecided => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "900900",
                "Unclassified Authentication Failure",
                "Unclassified Authentication Failure".to_owned(),
            ),
            Self::Invalid => (
                StatusCode::UNAUTHORIZED,
                "900901",
                "Invalid Credentials",
                "Invalid Credentials. Make sure you have provided the correct security credentials".to_owned(),
            ),
            Self::Missing(header) => (
                StatusCode::UNAUTHORIZED,
                "900902",
                "Missing Credentials",
                format!(
                    "Invalid Credentials. Make sure your API invocation call has a header: '{header} : Bearer ACCESS_TOKEN' or \
                     '{header} : Basic ACCESS_TOKEN' or 'apikey: API_KEY'"
                ),
            ),
            Self::WrongKind => (
                StatusCode::UNAUTHORIZED,
                "900905",
                "Incorrect Access Token Type is provided",
                "User is NOT authorized to access the Resource. Incorrect access token type.".to_owned(),
            ),
            Self::SubscriptionBlocked => {
                (StatusCode::UNAUTHORIZED, "900907", "The requested API is temporarily blocked", NO_SUBSCRIPTION.to_owned())
            }
            Self::NotSubscribed => (StatusCode::FORBIDDEN, "900908", "Resource forbidden ", NO_SUBSCRIPTION.to_owned()),
            Self::Domain(_) => (StatusCode::FORBIDDEN, "900908", "Resource forbidden ", "Access forbidden for the invocations".to_owned()),
            Self::SubscriptionInactive => {
                (StatusCode::UNAUTHORIZED, "900909", "The subscription to the API is inactive", NO_SUBSCRIPTION.to_owned())
            }
            Self::Scope(template) => (
                StatusCode::FORBIDDEN,
                "900910",
                "The access token does not allow you to access the requested resource",
                format!("User is NOT authorized to access the Resource: {template}. Scope validation failed."),
            ),
        };
        let mut answer = json(status, code, &[("message", message), ("description", &description)]);
        if status == StatusCode::UNAUTHORIZED {
            answer.headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        answer
    }
}

impl ThrottleRefusal {
    fn answer(&self) -> Answer {
        if self.level == Level::Denied {
            let text = [("message", "Message blocked"), ("description", "You have been blocked from accessing the resource")];
            return json(StatusCode::FORBIDDEN, self.level.code(), &text);
        }
        let (status, code) = (StatusCode::TOO_MANY_REQUESTS, self.level.code());
        if self.level == Level::Backend {
            let text = [("message", "API Limit Reached"), ("description", "API not accepting requests")];
            return json(StatusCode::SERVICE_UNAVAILABLE, code, &text);
        }
        let Some((until, next)) = self.until.and_then(next_access) else {
            return json(status, code, &[("message", "Message throttled out"), ("description", "You have exceeded your quota")]);
        };
        let description = format!("You have exceeded your quota .You can access API after {next}");
        let text = [("message", "Message throttled out"), ("description", &*description), ("nextAccessTime", &*next)];
        let mut answer = json(status, code, &text);
        if let Ok(date) = HeaderValue::from_str(&until.format("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
            answer.headers.insert(RETRY_AFTER, date);
        }
        answer
    }
}

/// A time, and how clients are told it.
fn next_access(until: Timestamp) -> Option<(chrono::DateTime<chrono::Utc>, String)> {
    let until = chrono::DateTime::from_timestamp_millis(until.0)?;
    Some((until, until.format("%Y-%b-%d %H:%M:%S%z UTC").to_string()))
}

impl Level {
    fn code(self) -> &'static str {
        match self {
            Self::Api => "900800",
            Self::Backend => "900801",
            Self::Resource => "900802",
            Self::Application => "900803",
            Self::Subscription => "900804",
            Self::Denied => "900805",
            Self::Custom => "900806",
            Self::Burst => "900807",
        }
    }
}

impl BackendFailure {
    /// Code and description.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Connect => ("101503", "Error connecting to the back end"),
            Self::ConnectTimeout => ("101508", "Error connecting to the back end"),
            Self::ResponseTimeout => ("101504", "Send timeout"),
            Self::ClosedEarly => ("101505", "Error in Sender"),
            Self::Protocol => ("101506", "Error in Sender"),
            Self::Other => ("101500", "Error in Sender"),
            Self::ClientBody => ("400", CLIENT_BODY),
            Self::Unauthenticated => ("401", "The backend does not accept the gateway's digest authentication"),
            Self::NoToken => ("900424", "Please try again"),
        }
    }

    fn answer(self) -> Answer {
        if self == Self::ClientBody {
            return bad_request(CLIENT_BODY);
        }
        let (code, description) = self.words();
        match self {
            Self::Unauthenticated => {
                return json(StatusCode::UNAUTHORIZED, code, &[("message", UNAUTHENTICATED), ("description", description)]);
            }
            Self::NoToken => {
                let text = [("message", "Temporary Server Error"), ("description", description)];
                return json(StatusCode::INTERNAL_SERVER_ERROR, code, &text);
            }
            _ => {}
        }
        report(StatusCode::INTERNAL_SERVER_ERROR, code, "Runtime Error", description)
    }
}

fn bad_request(description: &str) -> Answer {
    report(StatusCode::BAD_REQUEST, "400", "Bad Request", description)
}

/// The body of everything but authentication and throttling.
fn report(status: StatusCode, code: &'static str, message: &str, description: &str) -> Answer {
    json(status, code, &[("type", "Status report"), ("message", message), ("description", description)])
}

/// `code` is a JSON string, and the members stand in the given order.
fn json(status: StatusCode, code: &'static str, members: &[(&str, &str)]) -> Answer {
    let mut text = format!("{{\"code\":\"{code}\"");
    for (name, value) in members {
        // Writing to a String does not fail, and serde writes the quotes and escapes.
        let _ = write!(text, ",\"{name}\":{}", serde_json::Value::from(*value));
    }
    text.push('}');
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, JSON);
    Answer { status, headers, text: text.into(), code: Some(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(refusal: Refusal) -> (u16, String) {
        let answer = refusal.answer_40();
        (answer.status.as_u16(), String::from_utf8(answer.text.to_vec()).unwrap())
    }

    #[test]
    fn bodies_have_their_members_in_order() {
        assert_eq!(
            text(Refusal::NotFound),
            (
                404,
                r#"{"code":"404","type":"Status report","message":"Not Found","description":"The requested resource is not available."}"#
                    .to_owned()
            )
        );
        assert_eq!(
            text(Refusal::Backend(BackendFailure::Connect)),
            (
                500,
                r#"{"code":"101503","type":"Status report","message":"Runtime Error","description":"Error connecting to the back end"}"#
                    .to_owned()
            )
        );
        assert_eq!(
            text(Refusal::Blocked),
            (503, r#"{"code":"700700","type":"API blocked","description":"This API has been blocked temporarily. Please try again later or contact the system administrators."}"#.to_owned())
        );
        assert_eq!(
            text(Refusal::Auth(AuthRefusal::Scope("/a\"b".to_owned()))),
            (403, r#"{"code":"900910","message":"The access token does not allow you to access the requested resource","description":"User is NOT authorized to access the Resource: /a\"b. Scope validation failed."}"#.to_owned())
        );
    }

    #[test]
    fn a_throttled_call_is_told_when_to_come_back() {
        let until = Some(Timestamp(1_614_765_600_000));
        let answer = Refusal::Throttle(ThrottleRefusal { level: Level::Subscription, until }).answer_40();
        assert_eq!(answer.headers[RETRY_AFTER], "Wed, 03 Mar 2021 10:00:00 GMT");
        assert_eq!(
            answer.text,
            r#"{"code":"900804","message":"Message throttled out","description":"You have exceeded your quota .You can access API after 2021-Mar-03 10:00:00+0000 UTC","nextAccessTime":"2021-Mar-03 10:00:00+0000 UTC"}"#
        );
        let burst = Refusal::Throttle(ThrottleRefusal { level: Level::Burst, until: None }).answer_40();
        assert!(!burst.headers.contains_key(RETRY_AFTER));
        assert_eq!(burst.text, r#"{"code":"900807","message":"Message throttled out","description":"You have exceeded your quota"}"#);
    }

    #[test]
    fn statuses_follow_the_rule() {
        for (refusal, status, code) in [
            (AuthRefusal::Undecided, 500, "900900"),
            (AuthRefusal::Invalid, 401, "900901"),
            (AuthRefusal::Missing("Authorization".to_owned()), 401, "900902"),
            (AuthRefusal::WrongKind, 401, "900905"),
            (AuthRefusal::SubscriptionBlocked, 401, "900907"),
            (AuthRefusal::NotSubscribed, 403, "900908"),
            (AuthRefusal::SubscriptionInactive, 401, "900909"),
        ] {
            let answer = refusal.answer();
            assert_eq!((answer.status.as_u16(), answer.code), (status, Some(code)));
            assert_eq!(answer.headers.contains_key(WWW_AUTHENTICATE), status == 401);
        }
    }
}
