//! Errors of 4.0.0 for clients that speak SOAP: its sequences answer them with faults instead of JSON, under the same status.
//!
//! The fault is of SOAP 1.1 whatever the client speaks, but for an address that nobody has, where it follows the client. Authentication
//! blames the client and gives the message as detail; the rest blames the server, and limits give the description as detail.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::{Answer, Refusal, Said};

const SOAP_1_1: HeaderValue = HeaderValue::from_static("text/xml; charset=UTF-8");
const SOAP_1_2: HeaderValue = HeaderValue::from_static("application/soap+xml; charset=UTF-8");

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    V1_1,
    V1_2,
}

impl Spoken {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V1_1 => "soap11",
            Self::V1_2 => "soap12",
        }
    }
}

/// Whether a request is SOAP: `text/xml` with an action, or the type of SOAP 1.2.
pub(super) fn spoken(headers: &HeaderMap) -> Option<Spoken> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/soap+xml") {
        return Some(Spoken::V1_2);
    }
    (kind.eq_ignore_ascii_case("text/xml") && headers.contains_key("soapaction")).then_some(Spoken::V1_1)
}

/// The answer with a fault in place of its JSON.
pub(super) fn fault(refusal: &Refusal, answer: Answer, spoken: Spoken) -> Answer {
    let said = Said::of_40(&answer);
    let (message, description) = (said.message.as_str(), said.description.as_str());
    let (kind, text) = match refusal {
        Refusal::Auth(_) => (SOAP_1_1, fault_1_1("Client", "Authentication Failure", Some(message))),
        Refusal::Throttle(_) => (SOAP_1_1, fault_1_1("Server", message, Some(description))),
        Refusal::NotFound if spoken == Spoken::V1_2 => (SOAP_1_2, fault_1_2("The requested endpoint is not available.")),
        Refusal::NotFound => (SOAP_1_1, fault_1_1("Server", "The requested endpoint is not available.", None)),
        _ => (SOAP_1_1, fault_1_1("Server", description, None)),
    };
    let mut headers = answer.headers;
    headers.insert(CONTENT_TYPE, kind);
    Answer { headers, text: text.into(), ..answer }
}

fn fault_1_1(code: &str, reason: &str, detail: Option<&str>) -> String {
    let detail = detail.map(|detail| format!("<detail>{}</detail>", escaped(detail))).unwrap_or_default();
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body><soapenv:Fault><faultcode>soapenv:{code}\
         </faultcode><faultstring>{}</faultstring>{detail}</soapenv:Fault></soapenv:Body></soapenv:Envelope>",
        escaped(reason)
    )
}

fn fault_1_2(reason: &str) -> String {
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://www.w3.org/2003/05/soap-envelope\"><soapenv:Body><soapenv:Fault><soapenv:Code>\
         <soapenv:Value>soapenv:Receiver</soapenv:Value></soapenv:Code><soapenv:Reason><soapenv:Text xml:lang=\"en\">{}</soapenv:Text>\
         </soapenv:Reason></soapenv:Fault></soapenv:Body></soapenv:Envelope>",
        escaped(reason)
    )
}

fn escaped(text: &str) -> String {
    let mut into = String::with_capacity(text.len());
    super::old::escape(text, &mut into);
    into
}

#[cfg(test)]
mod tests {
    use http::{Method, Uri};
    use model::{ErrorFormat, Generation, Timestamp};

    use super::super::{AuthRefusal, BackendFailure, Level, ThrottleRefusal, Told};
    use super::*;

    fn headers(kind: &str, action: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        if action {
            headers.insert("soapaction", "\"urn:order\"".parse().unwrap());
        }
        headers
    }

    fn answered(refusal: &Refusal, format: ErrorFormat, headers: &HeaderMap) -> (u16, String, String) {
        let (method, uri) = (Method::POST, Uri::from_static("/shop/1"));
        let told = Told { method: &method, uri: &uri, headers, api: None, token: None, site: None, named: None };
        let answer = refusal.answer(format, &told);
        let kind = answer.headers[CONTENT_TYPE].to_str().unwrap().to_owned();
        (answer.status.as_u16(), kind, String::from_utf8(answer.text.to_vec()).unwrap())
    }

    #[test]
    fn soap_is_known_by_its_type_and_action() {
        for (kind, action, expected) in [
            ("text/xml; charset=utf-8", true, Some(Spoken::V1_1)),
            ("text/xml", false, None),
            ("Application/SOAP+xml;action=x", false, Some(Spoken::V1_2)),
            ("application/json", true, None),
        ] {
            assert_eq!(spoken(&headers(kind, action)), expected, "{kind}");
        }
        assert_eq!(spoken(&HeaderMap::new()), None);
    }

    #[test]
    fn every_family_of_errors_has_its_fault() {
        let until = Some(Timestamp(1_614_765_600_000));
        let begin = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body><soapenv:Fault><faultcode>soapenv:";
        let end = "</soapenv:Fault></soapenv:Body></soapenv:Envelope>";
        for (refusal, status, inside) in [
            (
                Refusal::Auth(AuthRefusal::Invalid),
                401,
                "Client</faultcode><faultstring>Authentication Failure</faultstring><detail>Invalid Credentials</detail>",
            ),
            (
                Refusal::Throttle(ThrottleRefusal { level: Level::Custom, until }),
                429,
                "Server</faultcode><faultstring>Message throttled out</faultstring><detail>You have exceeded your quota .You can access API \
                 after 2021-Mar-03 10:00:00+0000 UTC</detail>",
            ),
            (
                Refusal::Throttle(ThrottleRefusal { level: Level::Denied, until: None }),
                403,
                "Server</faultcode><faultstring>Message blocked</faultstring><detail>You have been blocked from accessing the resource</detail>",
            ),
            (
                Refusal::Backend(BackendFailure::Connect),
                500,
                "Server</faultcode><faultstring>Error connecting to the back end</faultstring>",
            ),
            (
                Refusal::Mediation { code: "x", description: "a < b".to_owned() },
                500,
                "Server</faultcode><faultstring>a &lt; b</faultstring>",
            ),
            (Refusal::NotFound, 404, "Server</faultcode><faultstring>The requested endpoint is not available.</faultstring>"),
        ] {
            let found = answered(&refusal, ErrorFormat::Json40, &headers("text/xml", true));
            assert_eq!(found, (status, "text/xml; charset=UTF-8".to_owned(), format!("{begin}{inside}{end}")));
        }
    }

    #[test]
    fn only_an_address_that_nobody_has_is_answered_in_1_2() {
        let soap_1_2 = headers("application/soap+xml", false);
        let (status, kind, text) = answered(&Refusal::NotFound, ErrorFormat::Json40, &soap_1_2);
        assert_eq!((status, &*kind), (404, "application/soap+xml; charset=UTF-8"));
        assert!(text.contains("<soapenv:Value>soapenv:Receiver</soapenv:Value>"), "{text}");
        let (_, kind, _) = answered(&Refusal::Auth(AuthRefusal::Invalid), ErrorFormat::Json40, &soap_1_2);
        assert_eq!(kind, "text/xml; charset=UTF-8");
    }

    #[test]
    fn others_and_old_forms_are_answered_as_before() {
        let invalid = Refusal::Auth(AuthRefusal::Invalid);
        assert!(answered(&invalid, ErrorFormat::Json40, &headers("application/json", true)).2.starts_with('{'));
        let old = answered(&invalid, ErrorFormat::Xml1(Generation::V1_9), &headers("text/xml", true));
        assert!(old.2.starts_with("<ams:fault"), "{old:?}");
    }
}
