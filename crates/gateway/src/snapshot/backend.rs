//! Where an API's calls go: backend addresses read once, when the snapshot is made.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::{HeaderValue, Uri};
use model::EndpointSet;

use crate::path;
use crate::sign_in::SignIn;
use crate::sign_in::digest::Challenge;

/// What connections to a backend have in common; the key of the connection pool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Authority {
    pub(crate) tls: bool,
    /// Name or address, without brackets.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

impl Authority {
    /// Whether both are one port of one machine, as far as their names tell.
    fn is_at(&self, other: &Self) -> bool {
        self.port == other.port && (self.host == other.host || (self.is_this_machine() && other.is_this_machine()))
    }

    fn is_this_machine(&self) -> bool {
        &*self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    }
}

/// One backend address.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) authority: Arc<Authority>,
    /// Value of `Host`.
    pub(crate) host_header: HeaderValue,
    /// Path in front of the rest of a call's path; no slash at the end.
    pub(crate) base: Box<str>,
    /// Whether the address names a path at all; `http://b` called without a rest asks for `/`, and `http://b/x/` for `/x/`.
    ends_in_slash: bool,
    /// Query in front of the call's own.
    pub(crate) query: Option<Box<str>>,
    /// How long the backend may take to begin its answer; `None` leaves it to the gateway.
    pub(crate) timeout: Option<Duration>,
    /// What it asked for last, where calls sign in by digest.
    pub(crate) challenge: ArcSwapOption<Challenge>,
}

/// What one key type's calls go to.
#[derive(Debug)]
pub(crate) struct Backends {
    targets: Box<[Arc<Target>]>,
    /// Targets at the head that share the calls; the others stand in.
    shared: usize,
    turn: AtomicUsize,
    /// How to sign in at them; without, what the client says goes on.
    pub(crate) sign_in: Option<SignIn>,
}

/// An address that cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// Not an absolute `http` or `https` URL.
    #[error("'{0}' is not an absolute http or https URL that can be called")]
    Url(String),
    /// The URL holds `{…}`, which only a mediation sequence could fill in.
    #[error("'{0}' is a URL template, which is not supported")]
    Template(String),
}

impl Target {
    pub(crate) fn parse(url: &str, timeout_ms: Option<u64>) -> Result<Self, AddressFault> {
        if url.contains(['{', '}']) {
            return Err(AddressFault::Template(url.to_owned()));
        }
        let fault = || AddressFault::Url(url.to_owned());
        let uri: Uri = url.split('#').next().unwrap_or(url).parse().map_err(|_| fault())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(fault()),
        };
        let authority = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or_else(fault)?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || port == 0 {
            return Err(fault());
        }
        let path = path::normalise(uri.path()).map_err(|_| fault())?;
        Ok(Self {
            host_header: HeaderValue::from_str(authority.as_str()).map_err(|_| fault())?,
            authority: Arc::new(Authority { tls, host: host.to_ascii_lowercase().into(), port }),
            ends_in_slash: path.len() > 1 && path.ends_with('/'),
            base: path.strip_suffix('/').unwrap_or(&path).into(),
            query: uri.query().filter(|q| !q.is_empty()).map(Into::into),
            timeout: timeout_ms.filter(|ms| *ms > 0).map(Duration::from_millis),
            challenge: ArcSwapOption::empty(),
        })
    }

    /// Appends the backend's path for a call whose path below the context is `rest`.
    pub(crate) fn push_path(&self, rest: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.base.as_bytes());
        out.extend_from_slice(rest.as_bytes());
        if rest.is_empty() && (self.ends_in_slash || self.base.is_empty()) {
            out.push(b'/');
        }
    }
}

impl Backends {
    pub(crate) fn new(set: &EndpointSet, sign_in: Option<SignIn>) -> Result<Self, AddressFault> {
        let targets = set
            .primary
            .iter()
            .chain(&set.failovers)
            .map(|endpoint| Target::parse(&endpoint.url, endpoint.timeout_ms).map(Arc::new))
            .collect::<Result<Box<[_]>, _>>()?;
        Ok(Self { targets, shared: set.primary.len(), turn: AtomicUsize::new(0), sign_in })
    }

    /// Whether the two have a place in common, whatever the paths there.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.targets.iter().any(|ours| other.targets.iter().any(|theirs| ours.authority.is_at(&theirs.authority)))
    }

    /// The targets in the order to try them for one call: the next in turn, the others it shares the calls with, then the stand-ins.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = &Arc<Target>> {
        let (shared, spare) = self.targets.split_at_checked(self.shared).unwrap_or((&self.targets, &[]));
        let first = if shared.len() > 1 { self.turn.fetch_add(1, Ordering::Relaxed) % shared.len() } else { 0 };
        let (before, from) = shared.split_at_checked(first).unwrap_or((&[], shared));
        from.iter().chain(before).chain(spare)
    }
}

#[cfg(test)]
mod tests {
    use model::Endpoint;

    use super::*;

    fn path(url: &str, rest: &str) -> String {
        let mut out = Vec::new();
        Target::parse(url, None).unwrap().push_path(rest, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_rest_of_the_path_is_appended() {
        assert_eq!(path("http://b:8080/x", "/menu"), "/x/menu");
        assert_eq!(path("http://b:8080/x/", "/menu"), "/x/menu");
        assert_eq!(path("http://b:8080/x", ""), "/x");
        assert_eq!(path("http://b:8080/x/", ""), "/x/");
        assert_eq!(path("http://b", ""), "/");
        assert_eq!(path("http://b/", "/"), "/");
    }

    #[test]
    fn ports_and_hosts_are_read() {
        let target = Target::parse("https://[2001:DB8::1]/x?k=v", Some(250)).unwrap();
        assert_eq!(*target.authority, Authority { tls: true, host: "2001:db8::1".into(), port: 443 });
        assert_eq!(target.query.as_deref(), Some("k=v"));
        assert_eq!(target.timeout, Some(Duration::from_millis(250)));
        assert_eq!(Target::parse("http://b:8080", None).unwrap().host_header, "b:8080");
    }

    #[test]
    fn addresses_that_cannot_be_called_are_refused() {
        for url in ["ws://b/", "b:80", "http://user:pw@b/", "http:///x", "http://b/../x", "http://b:0/"] {
            assert!(matches!(Target::parse(url, None), Err(AddressFault::Url(_))), "{url}");
        }
        assert!(matches!(Target::parse("http://{uri.var.host}/", None), Err(AddressFault::Template(_))));
    }

    #[test]
    fn places_are_told_by_machine_and_port() {
        let backends = |url: &str| {
            Backends::new(&EndpointSet { primary: vec![Endpoint { url: url.to_owned(), timeout_ms: None }], failovers: Vec::new() }, None)
                .unwrap()
        };
        let ours = backends("http://localhost:8080/x");
        for (url, meets) in [
            ("http://LOCALHOST:8080/elsewhere", true),
            ("https://127.0.0.1:8080/", true),
            ("http://[::1]:8080/", true),
            ("http://localhost:8081/x", false),
            ("http://example.org:8080/x", false),
        ] {
            assert_eq!(ours.meets(&backends(url)), meets, "{url}");
        }
        assert!(backends("http://a").meets(&backends("http://A:80/y")));
    }

    #[test]
    fn turns_go_round_and_stand_ins_come_last() {
        let endpoint = |url: &str| Endpoint { url: url.to_owned(), timeout_ms: None };
        let set = EndpointSet { primary: vec![endpoint("http://a"), endpoint("http://b")], failovers: vec![endpoint("http://c")] };
        let backends = Backends::new(&set, None).unwrap();
        let order = || backends.in_turn().map(|t| t.authority.host.to_string()).collect::<Vec<_>>().join("");
        assert_eq!([order(), order(), order()], ["abc", "bac", "abc"]);
    }
}
