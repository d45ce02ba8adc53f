//! One call of one gateway. A throttled one is made again after a while, within bounds; every answer is read within bounds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode, Url};

use super::calls::Call;
use super::likeness::Body;
use super::{HEADERS, How, Shown};

/// The most that is read of one answer; a longer one is compared as far as that.
const BODY_MAX_BYTES: usize = 1024 * 1024;
/// Before a throttled call is made again where the gateway does not say when.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Stands in answers for the gateway's own address, and for the caller's token.
const GATEWAY: &str = "(gateway)";
const TOKEN: &str = "(token)";

/// Whose certificates are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those this machine trusts.
    System,
    /// These authorities (PEM), too.
    Authorities(Vec<u8>),
    /// Anybody's: whoever stands between learns the tokens.
    Any,
}

/// A gateway.
pub(super) struct Gateway {
    base: Url,
    /// How answers may name this gateway, or the other one where it stands before this.
    addresses: Vec<String>,
    client: Client,
    patience: Duration,
}

/// What a gateway answered.
pub(super) enum Answer {
    Some {
        status: StatusCode,
        headers: BTreeMap<String, String>,
        media_type: String,
        body: Vec<u8>,
    },
    /// Nothing, and why.
    None(String),
}

impl Gateway {
    pub(super) fn at(base: &Url, how: &How) -> reqwest::Result<Self> {
        // Redirects are answers, and no proxy of this machine's is to stand between.
        let builder = Client::builder().redirect(Policy::none()).no_proxy().timeout(how.timeout);
        let builder = match &how.trust {
            Trust::System => builder,
            Trust::Authorities(pem) => builder.tls_certs_merge(Certificate::from_pem_bundle(pem)?),
            Trust::Any => builder.tls_danger_accept_invalid_certs(true),
        };
        let addresses = [&how.old, &how.new].into_iter().flat_map(addresses).collect();
        Ok(Self { base: base.clone(), addresses, client: builder.build()?, patience: how.patience })
    }

    /// Makes a call, again while it is throttled and there is patience.
    pub(super) async fn ask(&self, call: &Call) -> Answer {
        let started = Instant::now();
        loop {
            let (answer, after) = self.once(call).await;
            let left = self.patience.saturating_sub(started.elapsed());
            let wait = after.unwrap_or(AGAIN_AFTER);
            if !answer.is_throttled() || wait > left {
                return answer;
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, call: &Call) -> (Answer, Option<Duration>) {
        let url = format!("{}{}", self.base.as_str().trim_end_matches('/'), call.path);
        let mut request = self.client.request(call.verb.clone(), url).header("Accept", "*/*");
        if let Some(token) = &call.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if !call.is_safe() {
            request = request.header("Content-Type", "application/json").body("{}");
        }
        match request.send().await {
            Err(fault) => (Answer::None(self.told(call, &reason(&fault))), None),
            Ok(mut response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                let after = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
                let mut body = Vec::new();
                loop {
                    match response.chunk().await {
                        Ok(Some(chunk)) => body.extend_from_slice(chunk.get(..BODY_MAX_BYTES.saturating_sub(body.len())).unwrap_or(&chunk)),
                        Ok(None) => break,
                        Err(fault) => return (Answer::None(self.told(call, &reason(&fault))), None),
                    }
                    if body.len() >= BODY_MAX_BYTES {
                        break;
                    }
                }
                let media_type = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
                let body = match String::from_utf8(body) {
                    Ok(text) => self.told(call, &text).into_bytes(),
                    Err(raw) => raw.into_bytes(),
                };
                (Answer::Some { status, headers: self.headers(call, &headers), media_type, body }, after)
            }
        }
    }

    /// Those that matter, as they are compared.
    fn headers(&self, call: &Call, headers: &HeaderMap) -> BTreeMap<String, String> {
        let of = |name: &str| {
            let values: Vec<String> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect();
            (!values.is_empty()).then(|| (name.to_owned(), plain(name, &self.told(call, &values.join(", ")))))
        };
        HEADERS.iter().filter_map(|name| of(name)).collect()
    }

    /// Without the gateways' addresses and the caller's token.
    fn told(&self, call: &Call, text: &str) -> String {
        let text = match &call.token {
            Some(token) if !token.expose().is_empty() => text.replace(token.expose().as_str(), TOKEN),
            _ => text.to_owned(),
        };
        self.addresses.iter().fold(text, |text, address| text.replace(address.as_str(), GATEWAY))
    }
}

/// The URL, and host and port as `Host` has them.
fn addresses(base: &Url) -> Vec<String> {
    let whole = base.as_str().trim_end_matches('/').to_owned();
    let host = base.host_str().zip(base.port()).map(|(host, port)| format!("{host}:{port}"));
    std::iter::once(whole).chain(host).collect()
}

/// As it is compared: names, lists of names and parameters mean the same in any letter case, order and spacing.
fn plain(name: &str, value: &str) -> String {
    let parts = |text: &str, by: char| -> Vec<String> {
        text.split(by).map(|part| part.trim().to_ascii_lowercase().replace('"', "")).filter(|part| !part.is_empty()).collect()
    };
    match name {
        "content-type" => parts(value, ';').join("; "),
        "allow" | "cache-control" | "access-control-allow-methods" | "access-control-allow-headers" | "access-control-expose-headers" => {
            let mut all = parts(value, ',');
            all.sort();
            all.dedup();
            all.join(", ")
        }
        _ => value.trim().to_owned(),
    }
}

/// Why there was no answer, without the address.
fn reason(fault: &reqwest::Error) -> String {
    let mut words = if fault.is_timeout() { "no answer in time".to_owned() } else { "no answer".to_owned() };
    let mut cause = std::error::Error::source(fault);
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

impl Answer {
    /// Whether a limit was reached: 429, or 503 with a code of the 9008xx family, as versions to 1.9 said it.
    pub(super) fn is_throttled(&self) -> bool {
        match self {
            Self::Some { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => true,
            Self::Some { status, body, .. } if *status == StatusCode::SERVICE_UNAVAILABLE => body.windows(4).any(|w| w == b"9008"),
            _ => false,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Some { status, .. } => Some(status.as_u16()),
            Self::None(_) => None,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Some { headers, .. } => headers.get(name).map(String::as_str),
            Self::None(_) => None,
        }
    }

    pub(super) fn body(&self) -> Body {
        match self {
            Self::Some { media_type, body, .. } => Body::of(media_type, body),
            Self::None(_) => Body::Bytes(Vec::new()),
        }
    }

    pub(super) fn shown(&self, most: usize) -> Shown {
        match self {
            Self::Some { status, headers, body, .. } => {
                let text = String::from_utf8_lossy(body);
                let more = if text.chars().count() > most { "…" } else { "" };
                let body = text.chars().take(most).collect::<String>() + more;
                Shown { status: Some(status.as_u16()), headers: headers.clone(), body }
            }
            Self::None(why) => Shown { status: None, headers: BTreeMap::new(), body: why.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_mean_the_same_in_any_spelling() {
        assert_eq!(plain("content-type", "application/json;charset=\"UTF-8\""), plain("content-type", "Application/JSON; charset=utf-8"));
        assert_eq!(plain("allow", "GET, POST"), plain("allow", "post,get"));
        assert_ne!(plain("www-authenticate", "OAuth2 realm=\"a\""), plain("www-authenticate", "Bearer realm=\"a\""));
    }
}
