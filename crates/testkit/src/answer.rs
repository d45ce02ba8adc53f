//! An HTTP answer read whole.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// Status, headers and text.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub text: String,
}

impl Answer {
    /// Reads it to its end.
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a body of text, whole") }
    }

    /// Body as JSON; null when it is empty.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|fault| panic!("{} is no JSON ({fault}): {}", self.status, self.text))
    }

    /// The JSON, when the status is this one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// The body of an error with this status and `code`, which is text at the gateway and a number at the REST doors.
    #[track_caller]
    pub fn refused(&self, status: u16, code: u32) -> Value {
        let body = self.expect(status);
        let found = body["code"].as_str().map_or_else(|| body["code"].to_string(), str::to_owned);
        assert_eq!(found, code.to_string(), "{}", self.text);
        body
    }

    /// The text of an error with this status and code in an element, as gateways answered up to 3.2.
    #[track_caller]
    pub fn refused_in_xml(&self, status: u16, code: u32) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/xml; charset=UTF-8"), "{}", self.text);
        assert!(self.text.contains(&format!(":code>{code}</")), "no code {code}: {}", self.text);
        &self.text
    }

    /// The text of an error with this status and code as gateways up to 3.2 wrote their elements in JSON, where a site's own error sequence
    /// named that type.
    #[track_caller]
    pub fn refused_as_a_fault(&self, status: u16, code: u32) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json; charset=UTF-8"), "{}", self.text);
        assert!(self.text.starts_with(&format!("{{\"fault\":{{\"code\":{code},")), "no code {code}: {}", self.text);
        &self.text
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
