//! Error answers as WSO2 API Manager 1.8 to 2.6 gave them, byte for byte where a client can depend on it.
//!
//! Read for this: carbon-apimgt at 1.3.3 (1.8), v1.9.1, 5.0.3 (1.10), v6.0.4 (2.0), v6.1.66 (2.1), v6.3.95 (2.5) and v6.4.50 (2.6), classes
//! `APIAuthenticationHandler`, `OAuthAuthenticator`, `APISecurityConstants`, `APIThrottleHandler`, `ThrottleHandler`, `CORSRequestHandler`
//! and `Utils` of its gateway; product-apim at v1.9.1, v1.10.0, v2.0.0, v2.1.0 and v2.6.0 (and the first commit, 1.8), its shipped sequences
//! `fault`, `main`, `_auth_failure_handler_`, `_throttle_out_handler_`, `_resource_mismatch_handler_`, the key errors and the blocked branch
//! of the API template; of Synapse `ServerWorker`, `PayloadFactoryMediatorFactory` (which takes the indentation out of a format), the JSON
//! formatters and their escapes; of Axis2 `ApplicationXMLFormatter`, which writes the body's first element without a declaration and puts
//! `; charset=UTF-8` behind the type.
//!
//! From these: authentication and throttling answer with elements that the handlers build, everything else with what the `fault` and `main`
//! sequences build. To 1.10 authentication is always XML (its sequence names the type) and the rest is XML unless a POST or PUT (from 1.10 also
//! PATCH) came in another type; from 2.0 the handlers look for the whole of `Accept` in a list, and the sequences do as before.
//!
//! Kept although it is odd: 1.8 and 1.9 repeat the caller's own token to the caller. Not kept: the request's headers that 1.10 and later sent
//! back; SOAP faults and SOAP envelopes, instead of which the same XML is sent as `application/xml`; types other than JSON and XML (forms,
//! plain text), which get XML as well.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use model::{Generation, KeyType};

use super::{Answer, AuthRefusal, BackendFailure, Level, Named, Refusal, Said, Told, next_access};

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=UTF-8");
const CHALLENGE: HeaderValue = HeaderValue::from_static("OAuth2 realm=\"WSO2 API Manager\"");
/// From 2.1 on, whatever was wrong.
const CHALLENGE_2_1: HeaderValue =
    HeaderValue::from_static("OAuth2 realm=\"WSO2 API Manager\", error=\"invalid token\", error_description=\"The access token expired\"");

/// Who built the answer's body, and so its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Builder {
    Security,
    Throttling,
    Sequence,
}

impl Builder {
    fn prefix(self) -> &'static str {
        match self {
            Self::Security => "ams",
            Self::Throttling => "amt",
            Self::Sequence => "am",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Security => "http://wso2.org/apimanager/security",
            Self::Throttling => "http://wso2.org/apimanager/throttling",
            Self::Sequence => "http://wso2.org/apimanager",
        }
    }
}

/// A fault as its sender put it together: names and texts in order, the code first.
struct Fault {
    status: StatusCode,
    builder: Builder,
    code: &'static str,
    members: Vec<(&'static str, String)>,
}

/// How the form is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// As the generation did by default, up to 1.10; XML after.
    Xml,
    /// As 2.x did.
    Accept,
}

/// The answer to a refused call.
pub(super) fn answer(refusal: &Refusal, generation: Generation, rule: Rule, told: &Told<'_>) -> Answer {
    let fault = fault(refusal, generation, told);
    let json = wants_json(fault.builder, generation, rule, told);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, if json { super::JSON } else { XML });
    // A backend's refusal of the gateway asks nothing of the client.
    if fault.status == StatusCode::UNAUTHORIZED && !matches!(refusal, Refusal::Backend(_)) {
        headers.insert(WWW_AUTHENTICATE, if generation >= Generation::V2_1 { CHALLENGE_2_1 } else { CHALLENGE });
    }
    let text = if json { fault.json() } else { fault.xml() };
    // The record names the case by today's code, whatever the client is shown.
    Answer { status: fault.status, headers, text: Bytes::from(text), code: refusal.code() }
}

/// What the answer says.
pub(super) fn said(refusal: &Refusal, generation: Generation, told: &Told<'_>) -> Said {
    let fault = fault(refusal, generation, told);
    let mut said = Said { code: fault.code.to_owned(), ..Said::default() };
    for (name, value) in fault.members {
        match name {
            "message" => said.message = value,
            "description" => said.description = value,
            "nextAccessTime" => said.next_access = Some(value),
            _ => {}
        }
    }
    said
}

fn fault(refusal: &Refusal, generation: Generation, told: &Told<'_>) -> Fault {
    let no_longer = generation >= Generation::V2_1;
    match refusal {
        Refusal::NotFound if no_longer => sequence(404, "404", "Not Found", "The requested resource is not available."),
        Refusal::NotFound => {
            sequence(404, "404", "Not Found", &format!("The requested resource (/{}) is not available.", told.path_and_query()))
        }
        Refusal::Transport(scheme) => {
            let which = if no_longer { String::new() } else { format!(" (/{})", told.path_and_query()) };
            let description = format!("Unsupported Transport [ {scheme} ]. The requested resource{which} is not available.");
            sequence(403, "403", "Forbidden", &description)
        }
        Refusal::NoResource | Refusal::WrongVerb if generation <= Generation::V1_10 => {
            runtime(403, "403", "No matching resource found in the API for the given request")
        }
        Refusal::NoResource => runtime(404, "404", "No matching resource found for given API Request"),
        Refusal::WrongVerb => runtime(405, "405", "Method not allowed for given API resource"),
        Refusal::BadPath(fault) => sequence(400, "400", "Bad Request", &fault.to_string()),
        Refusal::BadQuery => sequence(400, "400", "Bad Request", super::BAD_QUERY),
        Refusal::TransferCoding => sequence(501, "501", "Not Implemented", super::TRANSFER_CODING),
        Refusal::Blocked => Fault {
            status: StatusCode::SERVICE_UNAVAILABLE,
            builder: Builder::Sequence,
            code: "700700",
            members: vec![("message", "API blocked".to_owned()), ("description", super::BLOCKED.to_owned())],
        },
        Refusal::NoBackend(KeyType::Production) => runtime(403, "900901", "Production key offered to the API with no production endpoint"),
        Refusal::NoBackend(KeyType::Sandbox) => runtime(403, "900901", "Sandbox key offered to the API with no sandbox endpoint"),
        Refusal::Auth(refusal) => authentication(refusal, generation, told),
        Refusal::Throttle(refusal) => throttled(refusal.level, refusal.until, generation),
        Refusal::Backend(BackendFailure::ClientBody) => sequence(400, "400", "Bad Request", super::CLIENT_BODY),
        Refusal::Mediation { code, description } => runtime(500, code, description),
        Refusal::Backend(BackendFailure::Unauthenticated) => {
            let (code, description) = BackendFailure::Unauthenticated.words();
            sequence(401, code, super::UNAUTHENTICATED, description)
        }
        Refusal::Backend(failure) => {
            let (code, description) = failure.words();
            runtime(500, code, description)
        }
    }
}

fn authentication(refusal: &AuthRefusal, generation: Generation, told: &Told<'_>) -> Fault {
    let (status, code, message) = match refusal {
        AuthRefusal::Undecided => (500, "900900", "Unclassified Authentication Failure"),
        AuthRefusal::Invalid => (401, "900901", "Invalid Credentials"),
        AuthRefusal::Missing(_) => (401, "900902", "Missing Credentials"),
        AuthRefusal::WrongKind => (401, "900905", "Incorrect Access Token Type is provided"),
        AuthRefusal::SubscriptionBlocked => (401, "900907", "The requested API is temporarily blocked"),
        AuthRefusal::NotSubscribed => (403, "900908", "Resource forbidden "),
        // The key had been found sound before its sites were asked for, so that there was no code to give, and none is unclassified.
        AuthRefusal::Domain(_) if generation <= Generation::V1_10 => (401, "0", "Unclassified Authentication Failure"),
        AuthRefusal::Domain(_) => (403, "900908", "Resource forbidden "),
        AuthRefusal::SubscriptionInactive => (401, "900909", "The subscription to the API is inactive"),
        AuthRefusal::Scope(_) => (403, "900910", "The access token does not allow you to access the requested resource"),
    };
    let description = match refusal {
        AuthRefusal::Undecided => "Error while accessing backend services for API key validation".to_owned(),
        AuthRefusal::Missing(_) => "Required OAuth credentials not provided. Make sure your API invocation call has a header: \
                                    \"Authorization: Bearer ACCESS_TOKEN\""
            .to_owned(),
        AuthRefusal::Domain(allowed) if generation <= Generation::V1_10 => {
            let site = told.site.map_or("null", str::trim);
            format!("Unauthorized client domain :{site}. Only \"[{}]\" domains are authorized to access the API.", allowed.join(", "))
        }
        _ => {
            let tail = match refusal {
                AuthRefusal::Invalid if generation <= Generation::V1_10 => ". Make sure your have given the correct access token",
                AuthRefusal::Invalid => ". Make sure you have given the correct access token",
                _ => "",
            };
            let (context, version) = told.api_named(generation);
            let how = match generation {
                Generation::V1_8 | Generation::V1_9 => format!(" with key: {}", told.token.unwrap_or("null")),
                Generation::V1_10 => String::new(),
                Generation::V2_0 | Generation::V2_1 | Generation::V2_6 => format!(" status: ({code}) - {message}"),
            };
            format!("Access failure for API: {context}, version: {version}{how}{tail}")
        }
    };
    Fault {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED),
        builder: Builder::Security,
        code,
        members: vec![("message", message.to_owned()), ("description", description)],
    }
}

fn throttled(level: Level, until: Option<model::Timestamp>, generation: Generation) -> Fault {
    let built = |status, code, message: &str, description: &str| Fault {
        status,
        builder: Builder::Throttling,
        code,
        members: vec![("message", message.to_owned()), ("description", description.to_owned())],
    };
    const SPENT: &str = "You have exceeded your quota";
    if level == Level::Denied {
        return built(StatusCode::FORBIDDEN, level.code(), "Message blocked", "You have been blocked from accessing the resource");
    }
    if generation <= Generation::V1_9 {
        // There was one limit, one code and no word on when.
        return built(StatusCode::SERVICE_UNAVAILABLE, "900800", "Message Throttled Out", SPENT);
    }
    if level == Level::Backend {
        return built(StatusCode::SERVICE_UNAVAILABLE, "900801", "API Limit Reached", "API not accepting requests");
    }
    if generation == Generation::V1_10 {
        return built(StatusCode::TOO_MANY_REQUESTS, "900800", "Message throttled out", SPENT);
    }
    let mut fault = built(StatusCode::TOO_MANY_REQUESTS, level.code(), "Message throttled out", SPENT);
    if let Some(until) = until.and_then(next_access) {
        fault.members.push(("nextAccessTime", until.1));
    }
    fault
}

/// What `fault` builds around an error of the runtime.
fn runtime(status: u16, code: &'static str, description: &str) -> Fault {
    sequence(status, code, "Runtime Error", description)
}

fn sequence(status: u16, code: &'static str, message: &str, description: &str) -> Fault {
    Fault {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        builder: Builder::Sequence,
        code,
        members: vec![("type", "Status report".to_owned()), ("message", message.to_owned()), ("description", description.to_owned())],
    }
}

/// What the handlers of 2.x look for in `Accept`: all of the header, as it is written. Of these only one means JSON here.
const ANSWERED_AS_XML: [&str; 9] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/html",
    "application/xml",
    "text/xml",
    "application/soap+xml",
    "text/plain",
    "application/json/badgerfish",
    "text/javascript",
];

fn wants_json(builder: Builder, generation: Generation, rule: Rule, told: &Told<'_>) -> bool {
    // Only the handlers that build their own elements ask the site's sequence for a type.
    let named = told.named.filter(|_| builder != Builder::Sequence).map(|named| named == Named::Json);
    match rule {
        Rule::Xml if named.is_some() => named == Some(true),
        Rule::Xml if generation >= Generation::V2_0 || builder == Builder::Security => false,
        Rule::Xml => sent_json(generation, told),
        Rule::Accept if builder == Builder::Sequence => sent_json(generation, told),
        Rule::Accept => match told.headers.get(ACCEPT).map(HeaderValue::as_bytes) {
            Some(b"application/json") => true,
            Some(other) if ANSWERED_AS_XML.iter().any(|known| known.as_bytes() == other) => false,
            _ if named.is_some() => named == Some(true),
            // The handler of limits names no type of its own, so that of the request stays.
            _ => builder == Builder::Throttling && sent_json(generation, told),
        },
    }
}

/// Whether the request's own type, which its answer then has, is JSON.
fn sent_json(generation: Generation, told: &Told<'_>) -> bool {
    let encloses = match *told.method {
        Method::POST | Method::PUT => true,
        Method::PATCH => generation >= Generation::V1_10,
        _ => false,
    };
    let kind = told.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    encloses && kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

impl Fault {
    fn xml(&self) -> String {
        let prefix = self.builder.prefix();
        let mut text =
            format!("<{prefix}:fault xmlns:{prefix}=\"{}\"><{prefix}:code>{}</{prefix}:code>", self.builder.namespace(), self.code);
        for (name, value) in &self.members {
            let _ = write!(text, "<{prefix}:{name}>");
            escape(value, &mut text);
            let _ = write!(text, "</{prefix}:{name}>");
        }
        let _ = write!(text, "</{prefix}:fault>");
        text
    }

    /// As Synapse writes the element in JSON: without prefixes, and a text that is a number is one.
    fn json(&self) -> String {
        let mut text = format!("{{\"fault\":{{\"code\":{}", self.code);
        for (name, value) in &self.members {
            let _ = write!(text, ",\"{name}\":{}", serde_json::Value::from(value.as_str()));
        }
        text.push_str("}}");
        text
    }
}

/// Text of an element. What XML cannot hold at all is left out.
pub(super) fn escape(value: &str, into: &mut String) {
    for letter in value.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => into.push(letter),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
