//! Every error in every form, one line each in `answers.txt`.

use std::collections::HashSet;

use http::Uri;
use model::{Api, ApiId, ErrorFormat, LifecycleState, TenantId, Timestamp};

use super::super::ThrottleRefusal;
use super::*;
use crate::snapshot::Snapshot;
use crate::{Change, Deployed};

const TABLE: &str = include_str!("answers.txt");

fn refusal(case: &str) -> Refusal {
    let until = Some(Timestamp(1_614_765_600_000));
    let throttle = |level| Refusal::Throttle(ThrottleRefusal { level, until });
    match case {
        "undecided" => Refusal::Auth(AuthRefusal::Undecided),
        "invalid" => Refusal::Auth(AuthRefusal::Invalid),
        "missing" => Refusal::Auth(AuthRefusal::Missing("Authorization".to_owned())),
        "wrong-kind" => Refusal::Auth(AuthRefusal::WrongKind),
        "sub-blocked" => Refusal::Auth(AuthRefusal::SubscriptionBlocked),
        "not-subscribed" => Refusal::Auth(AuthRefusal::NotSubscribed),
        "sub-inactive" => Refusal::Auth(AuthRefusal::SubscriptionInactive),
        "scope" => Refusal::Auth(AuthRefusal::Scope("/x".to_owned())),
        "domain" => Refusal::Auth(AuthRefusal::Domain(["a.example".into(), "b.example".into()].into())),
        "throttle-api" => throttle(Level::Api),
        "throttle-backend" => throttle(Level::Backend),
        "throttle-resource" => throttle(Level::Resource),
        "throttle-application" => throttle(Level::Application),
        "throttle-subscription" => throttle(Level::Subscription),
        "throttle-custom" => throttle(Level::Custom),
        "denied" => Refusal::Throttle(ThrottleRefusal { level: Level::Denied, until: None }),
        "throttle-burst" => Refusal::Throttle(ThrottleRefusal { level: Level::Burst, until: None }),
        "not-found" => Refusal::NotFound,
        "transport" => Refusal::Transport("http"),
        "no-resource" => Refusal::NoResource,
        "wrong-verb" => Refusal::WrongVerb,
        "blocked" => Refusal::Blocked,
        "no-production" => Refusal::NoBackend(KeyType::Production),
        "no-sandbox" => Refusal::NoBackend(KeyType::Sandbox),
        "connect" => Refusal::Backend(BackendFailure::Connect),
        "connect-timeout" => Refusal::Backend(BackendFailure::ConnectTimeout),
        "response-timeout" => Refusal::Backend(BackendFailure::ResponseTimeout),
        "closed-early" => Refusal::Backend(BackendFailure::ClosedEarly),
        "protocol" => Refusal::Backend(BackendFailure::Protocol),
        "other" => Refusal::Backend(BackendFailure::Other),
        _ => panic!("no case {case}"),
    }
}

fn snapshot() -> Snapshot {
    let mut api = Api::new(ApiId::derived(&["a"]), TenantId::SUPER, "admin", "Shop", "1.0.0", "/shop/{version}", Timestamp(0));
    api.state = LifecycleState::Published;
    let revision = model::RevisionId::derived(&["r"]);
    let deployed = Deployed { api: std::sync::Arc::new(api), revision, environment: "Default".to_owned() };
    Snapshot::empty().apply(&[Change::PutApi(std::sync::Arc::new(deployed))]).unwrap()
}

#[test]
fn every_error_has_the_bytes_of_its_version() {
    let snapshot = snapshot();
    let (api, _) = snapshot.api_for("/shop/1.0.0/x").unwrap();
    // A URI holds no `<`, so what the old gateway escaped comes as a token.
    let uri: Uri = "/shop/1.0.0/x?a=1&b=%3C2".parse().unwrap();
    let mut seen = HashSet::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let [format, case, request, status, body] = line.splitn(5, " | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [method, kind, accept] = request.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let mut headers = HeaderMap::new();
        for (name, value) in [(CONTENT_TYPE, kind), (ACCEPT, accept)] {
            if value != "-" {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let method: Method = method.parse().unwrap();
        let told = Told {
            method: &method,
            uri: &uri,
            headers: &headers,
            api: Some(api),
            token: Some("t<1"),
            site: Some(" http://c.example"),
            named: None,
        };
        let answer = refusal(case).answer(ErrorFormat::parse(format).unwrap(), &told);
        let text = std::str::from_utf8(&answer.text).unwrap();
        assert_eq!((answer.status.as_str(), text), (status, body), "{format} {case} {request}");
        let kind = if body.starts_with('{') { "application/json; charset=UTF-8" } else { "application/xml; charset=UTF-8" };
        assert_eq!(answer.headers[CONTENT_TYPE], kind, "{line}");
        let challenge = answer.headers.get(WWW_AUTHENTICATE).map(|v| v.to_str().unwrap());
        let expected = match (status, format) {
            ("401", "xml-2.1" | "accept-2.1" | "xml-2.6" | "accept-2.6") => {
                Some("OAuth2 realm=\"WSO2 API Manager\", error=\"invalid token\", error_description=\"The access token expired\"")
            }
            ("401", _) => Some("OAuth2 realm=\"WSO2 API Manager\""),
            _ => None,
        };
        assert_eq!(challenge, expected, "{line}");
        assert!(!answer.headers.contains_key(http::header::RETRY_AFTER), "{line}");
        assert_eq!(answer.code, refusal(case).answer_40().code);
        seen.insert((format.to_owned(), case.to_owned()));
    }
    // 30 cases, as XML of six generations and by `Accept` of three.
    assert_eq!(seen.len(), 30 * 9);
}

#[test]
fn what_no_element_can_hold_is_left_out() {
    let mut text = String::new();
    escape("a\u{0}b\u{b}<&>\u{ffff}\tc", &mut text);
    assert_eq!(text, "ab&lt;&amp;&gt;\tc");
}

#[test]
fn a_site_that_is_not_named_is_javas_nothing() {
    let (method, uri, headers) = (Method::GET, Uri::from_static("/"), HeaderMap::new());
    let told = Told { method: &method, uri: &uri, headers: &headers, api: None, token: None, site: None, named: None };
    let answer = Refusal::Auth(AuthRefusal::Domain(["a".into()].into())).answer(ErrorFormat::Xml1(Generation::V1_10), &told);
    assert!(std::str::from_utf8(&answer.text).unwrap().contains("Unauthorized client domain :null. Only \"[a]\""));
    let answer = Refusal::NotFound.answer(ErrorFormat::Xml1(Generation::V1_8), &told);
    assert!(std::str::from_utf8(&answer.text).unwrap().contains("(/) is not available"));
}
