//! The gateway's own settings. Free of any file format: `server` maps its configuration onto this struct.

use std::path::PathBuf;
use std::time::Duration;

use model::Cors;
use traffic::IpRange;

/// How the data plane behaves. Every field has a default that suits one machine on an ordinary network.
#[derive(Debug, Clone)]
pub struct Config {
    /// CORS settings of APIs that have none of their own.
    pub cors: Cors,
    /// Response header `Access-Control-Expose-Headers`; empty is sent as an empty header, as 4.0.0 does.
    pub cors_expose_headers: String,
    /// Which resource wins where several match.
    pub precedence: Precedence,
    /// Request header that carries the token, for APIs that name none.
    pub authorization_header: String,
    /// Whether the token is passed on to the backend.
    pub forward_authorization: bool,
    /// How far an issuer's clock may differ from ours: how much later than its `exp`, or earlier than its `nbf`, a token is taken.
    pub token_skew: Duration,
    /// Most bytes of token text that the cache of verified tokens holds.
    pub token_cache_bytes: u64,
    /// How long the answer to an opaque token is kept. A revocation delivered to the snapshot takes effect at once regardless.
    pub opaque_ttl: Duration,
    /// How long an unknown opaque token is remembered as unknown.
    pub opaque_negative_ttl: Duration,
    /// Most opaque tokens remembered.
    pub opaque_cache_entries: usize,
    /// How long a look-up of an opaque token may take; then the call is refused.
    pub opaque_timeout: Duration,
    /// Request header that names the calling site, compared with a key's allowed domains.
    pub client_domain_header: String,
    /// Peers whose `X-Forwarded-*` headers are believed. Loopback and private networks by default, where load balancers stand.
    pub trusted_proxies: Vec<IpRange>,
    /// Request and response header that carries the correlation id.
    pub correlation_header: String,
    /// How long connecting to a backend may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a backend may take to begin its answer, where its endpoint says nothing.
    pub response_timeout: Duration,
    /// How long a backend may stay silent inside an answer's body.
    pub body_idle_timeout: Duration,
    /// How long an unused backend connection is kept.
    pub pool_idle_timeout: Duration,
    /// Unused connections kept per backend and shard (there is one shard per worker).
    pub pool_idle_per_backend: usize,
    /// Largest response head taken from a backend, in bytes; at least 8,192.
    pub backend_head_max_bytes: usize,
    /// Certificate authorities that backends may use besides the system's, as PEM files.
    pub extra_roots: Vec<PathBuf>,
    /// Take any backend certificate. For test installations only.
    pub skip_backend_verification: bool,
    /// Largest request head, in bytes; at least 8,192.
    pub head_max_bytes: usize,
    /// Most request headers.
    pub headers_max: usize,
    /// Most client connections at a time, all listeners together; more wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a client may take to send a request head, counted from its first byte; also for the TLS handshake.
    pub head_timeout: Duration,
    /// How long a client connection may stay idle between requests.
    pub keep_alive_timeout: Duration,
    /// How long a client may stop reading an answer or sending a body.
    pub stall_timeout: Duration,
    /// How long a stopping gateway waits for calls in flight.
    pub drain_timeout: Duration,
    /// Call records waiting for whoever takes them with `Gateway::records`; more are dropped and counted.
    pub record_queue: usize,
    /// Users counted by themselves at most, all limits by user together; more share counters.
    pub user_counters_max: usize,
    /// Clients of resources without credentials counted by themselves at most (addresses of version 4, networks of 64 bits of version 6);
    /// more share counters.
    pub address_counters_max: usize,
    /// Whether `/token`, `/revoke`, `/authorize` and `/userinfo` are taken; `None` leaves it to what the super tenant keeps of an old
    /// installation's ways.
    pub token_paths: Option<bool>,
    /// Where the key desk is that these paths belong to, when it is not in this process: a URL, `/oauth2/token` and so on go behind it.
    pub key_desk_url: Option<String>,
    /// Milliseconds added to the wall clock, for rehearsing on the day an old installation was copied; 0 in production.
    pub clock_shift_ms: i64,
    /// Text behind `WSO2 API Manager-` at `/services/Version`.
    pub advertised_version: String,
    /// Whether conditions on request headers are looked at (advanced policies).
    pub header_conditions: bool,
    /// Whether conditions on query parameters are looked at.
    pub query_conditions: bool,
    /// Whether conditions on token claims are looked at.
    pub claim_conditions: bool,
    /// What becomes of calls of an API with a mediation sequence that cannot run here.
    pub uncompilable_sequences: Uncompilable,
    /// How long a site's own error sequences may take, calls outside included; then the gateway's own answer goes out.
    pub error_sequence_timeout: Duration,
}

/// What becomes of calls of an API with a mediation sequence that cannot run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Uncompilable {
    /// They are refused: nothing passes without what its author wanted done.
    #[default]
    Refuse,
    /// They pass, without that sequence.
    Pass,
}

/// Which resource wins where several match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precedence {
    /// Exact paths, then templates, then wildcards; inside a class the one more literal from the left, then the one declared first.
    #[default]
    Specific,
    /// As WSO2 up to 4.4: exact paths, then `/*` prefixes by length, then templates as declared. `/*` steals from `/{id}`.
    Legacy,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cors: Cors { enabled: true, ..Cors::default() },
            cors_expose_headers: String::new(),
            precedence: Precedence::default(),
            authorization_header: "Authorization".to_owned(),
            forward_authorization: false,
            token_skew: Duration::from_secs(5),
            token_cache_bytes: 64 << 20,
            opaque_ttl: Duration::from_secs(10),
            opaque_negative_ttl: Duration::from_secs(2),
            opaque_cache_entries: 50_000,
            opaque_timeout: Duration::from_secs(5),
            client_domain_header: "referer".to_owned(),
            trusted_proxies: private_networks(),
            correlation_header: "activityid".to_owned(),
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(60),
            body_idle_timeout: Duration::from_secs(180),
            pool_idle_timeout: Duration::from_secs(30),
            pool_idle_per_backend: 512,
            backend_head_max_bytes: 64 << 10,
            extra_roots: Vec::new(),
            skip_backend_verification: false,
            head_max_bytes: 64 << 10,
            headers_max: 128,
            connections_max: 100_000,
            head_timeout: Duration::from_secs(15),
            keep_alive_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            record_queue: 0,
            user_counters_max: 1 << 20,
            address_counters_max: 1 << 18,
            token_paths: None,
            key_desk_url: None,
            clock_shift_ms: 0,
            advertised_version: "4.0.0".to_owned(),
            header_conditions: false,
            query_conditions: false,
            claim_conditions: false,
            uncompilable_sequences: Uncompilable::default(),
            error_sequence_timeout: Duration::from_secs(10),
        }
    }
}

fn private_networks() -> Vec<IpRange> {
    ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1", "fc00::/7", "fe80::/10"]
        .into_iter()
        .filter_map(|range| IpRange::parse(range).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_trusted_and_public_ones_are_not() {
        let config = Config::default();
        let trusted = |text: &str| config.trusted_proxies.iter().any(|r| r.contains(text.parse().unwrap()));
        for inside in ["127.0.0.1", "10.200.3.4", "172.31.255.255", "192.168.7.7", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(trusted(inside), "{inside}");
        }
        for outside in ["8.8.8.8", "172.32.0.1", "11.0.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!trusted(outside), "{outside}");
        }
    }
}
