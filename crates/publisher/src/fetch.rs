//! Fetches a definition from a URL that a user gave: bounded in size and time, and kept from looking inside the network.
//!
//! The stance on server-side request forgery: only `http` and `https`; unless `allow_private_addresses` is set, no address that is not
//! publicly routable is connected to, whether the URL spells it out or a name resolves to it. The check sits in the resolver the
//! connection itself uses, so a name cannot resolve to one address for the check and to another for the call. Redirects are followed
//! three times at most under the same rules. No credentials are sent, and a failure tells the user no more than that there was one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

/// Largest definition fetched; the bound of uploads.
const CONTENT_MAX_BYTES: usize = 10 * 1024 * 1024;

/// Longest fetch from first packet to last byte; command line clients give up on the whole call after 10 s.
const FETCH_TIMEOUT: Duration = Duration::from_secs(8);

const REDIRECTS_MAX: usize = 3;

/// A definition could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// Not an absolute `http` or `https` URL, or one with a user name.
    #[error("the URL is not an absolute http or https URL without user name and password")]
    Url,
    /// It leads to an address that may not be reached.
    #[error("the URL leads to an address that is not public")]
    PrivateAddress,
    /// The other side did not answer, or not in time.
    #[error("the URL could not be read")]
    Unreachable(#[source] reqwest::Error),
    /// It answered with something other than 200.
    #[error("the URL answered with status {0}")]
    Status(u16),
    /// More than 10 MiB.
    #[error("what the URL answered is larger than {CONTENT_MAX_BYTES} bytes")]
    TooLarge,
    /// Not text.
    #[error("what the URL answered is not UTF-8 text")]
    NotText,
}

/// Fetches definitions.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    client: Client,
    allow_private: bool,
}

impl Fetcher {
    /// A fetcher; `allow_private` lifts the bar on private addresses.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub(crate) fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let follow = Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS_MAX {
                return attempt.error("too many redirects");
            }
            match permitted(attempt.url(), allow_private) {
                Ok(()) => attempt.follow(),
                Err(fault) => attempt.error(fault),
            }
        });
        let client = Client::builder()
            .redirect(follow)
            .timeout(FETCH_TIMEOUT)
            .no_proxy()
            .referer(false)
            .dns_resolver(std::sync::Arc::new(Resolver { allow_private }))
            .build()?;
        Ok(Self { client, allow_private })
    }

    /// The text behind `url`.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn text(&self, url: &str) -> Result<String, FetchError> {
        let url = Url::parse(url.trim()).map_err(|_| FetchError::Url)?;
        permitted(&url, self.allow_private)?;
        let response = self.client.get(url).send().await.map_err(unreachable)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut content = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(unreachable)?;
            if content.len() + chunk.len() > CONTENT_MAX_BYTES {
                return Err(FetchError::TooLarge);
            }
            content.extend_from_slice(&chunk);
        }
        String::from_utf8(content).map_err(|_| FetchError::NotText)
    }
}

/// The failure without the URL, which may hold a token in its query and goes to the log.
fn unreachable(fault: reqwest::Error) -> FetchError {
    FetchError::Unreachable(fault.without_url())
}

/// Scheme and, where the host is an address, the address. Names are judged by [`Resolver`] when they are resolved.
fn permitted(url: &Url, allow_private: bool) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(FetchError::Url);
    }
    // A name and password in the URL would be sent along, and this is no place to keep them.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Url);
    }
    let Some(host) = url.host_str() else { return Err(FetchError::Url) };
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) if !allow_private && !is_public(address) => Err(FetchError::PrivateAddress),
        _ => Ok(()),
    }
}

#[derive(Debug, Clone, Copy)]
struct Resolver {
    allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if usable.is_empty() {
                return Err(FetchError::PrivateAddress.into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// Whether an address can be reached from anywhere. Written out, because the standard library's own answer is not stable yet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| is_public_v6(v6), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // 2000::/3 is all that is handed out; inside it 2001::/23 serves protocols, 2001:db8::/32 and 3fff::/20 documentation.
    (first & 0xe000) == 0x2000 && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8)) && !(first == 0x3fff && second < 0x1000)
}

/// The IPv4 address that a mapped, translated (64:ff9b::/96) or 6to4 address leads to.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let join = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match (s0, s1, s2, s3, s4, s5) {
        (0, 0, 0, 0, 0, 0xffff) | (0x0064, 0xff9b, 0, 0, 0, 0) => Some(join(s6, s7)),
        (0x2002, ..) => Some(join(s1, s2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "224.0.0.1",
            "255.255.255.255",
            "2001:db8::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    /// Answers one request with `answer` and returns its URL.
    async fn once(answer: String) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0u8; 4096];
            let _ = stream.read(&mut buffer).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        format!("http://localhost:{port}/swagger.json")
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn private_addresses_need_the_switch() {
        let closed = Fetcher::new(false).unwrap();
        assert!(matches!(closed.text("http://127.0.0.1:1/x").await, Err(FetchError::PrivateAddress)));
        assert!(matches!(closed.text("http://[::1]:1/x").await, Err(FetchError::PrivateAddress)));
        assert!(matches!(closed.text("http://2130706433/x").await, Err(FetchError::PrivateAddress)));
        assert!(matches!(closed.text(&once(http("200 OK", "hi")).await).await, Err(FetchError::Unreachable(_))));
        let open = Fetcher::new(true).unwrap();
        assert_eq!(open.text(&once(http("200 OK", "hi")).await).await.unwrap(), "hi");
    }

    #[tokio::test]
    async fn only_http_and_only_200() {
        let open = Fetcher::new(true).unwrap();
        for url in ["file:///etc/passwd", "ftp://example.org/x", "not a url", "/relative", "http://", "http://u:p@localhost/x"] {
            assert!(matches!(open.text(url).await, Err(FetchError::Url)), "{url}");
        }
        assert!(matches!(open.text(&once(http("404 Not Found", "")).await).await, Err(FetchError::Status(404))));
        let lying = "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
        assert!(open.text(&once(lying).await).await.is_err());
    }

    #[tokio::test]
    async fn a_large_answer_is_cut_off() {
        let open = Fetcher::new(true).unwrap();
        let body = "x".repeat(CONTENT_MAX_BYTES + 1);
        assert!(matches!(open.text(&once(http("200 OK", &body)).await).await, Err(FetchError::TooLarge)));
    }
}
