//! An address in its parts, for mediators that change one of them.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::failure::Failure;
use crate::xml::shortened;

/// What no part of an address may hold as it is. A `%` is let be: it begins what is encoded already.
const NOT_IN_ADDRESS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Longest address made.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fragment {
    Protocol,
    User,
    Host,
    Port,
    Path,
    Query,
    Reference,
}

impl Fragment {
    /// By the name that sequences use.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "protocol" => Self::Protocol,
            "user" => Self::User,
            "host" => Self::Host,
            "port" => Self::Port,
            "path" => Self::Path,
            "query" => Self::Query,
            "ref" => Self::Reference,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fragments {
    protocol: Option<String>,
    user: Option<String>,
    host: Option<String>,
    port: Option<String>,
    path: Option<String>,
    query: Option<String>,
    reference: Option<String>,
}

impl Fragments {
    pub(crate) fn read(address: &str) -> Self {
        let some = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
        let (rest, reference) = address.split_once('#').map_or((address, None), |(rest, reference)| (rest, some(reference)));
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, some(query)));
        let is_scheme = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (protocol, rest) = match rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            Some((scheme, rest)) => (some(scheme), rest),
            None => (None, rest),
        };
        let mut made = Self { protocol, query, reference, ..Self::default() };
        let Some(rest) = rest.strip_prefix("//") else {
            made.path = some(rest);
            return made;
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        made.path = some(path);
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (some(user), place));
        made.user = user;
        // The colons of an IPv6 address lie inside brackets.
        let port = place.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        (made.host, made.port) = port.map_or((some(place), None), |(host, port)| (some(host), some(port)));
        made
    }

    fn part(&mut self, fragment: Fragment) -> &mut Option<String> {
        match fragment {
            Fragment::Protocol => &mut self.protocol,
            Fragment::User => &mut self.user,
            Fragment::Host => &mut self.host,
            Fragment::Port => &mut self.port,
            Fragment::Path => &mut self.path,
            Fragment::Query => &mut self.query,
            Fragment::Reference => &mut self.reference,
        }
    }

    /// A part; a port that is not there is -1, as in Java.
    pub(crate) fn get(mut self, fragment: Fragment) -> Option<String> {
        let part = self.part(fragment).take();
        if fragment == Fragment::Port { part.or_else(|| Some("-1".to_owned())) } else { part }
    }

    pub(crate) fn now(&mut self, fragment: Fragment) -> String {
        self.part(fragment).clone().unwrap_or_default()
    }

    /// Changes a part; none takes it away.
    pub(crate) fn set(&mut self, fragment: Fragment, value: Option<String>) -> Result<(), Failure> {
        let mut value = value;
        if fragment == Fragment::Port {
            value = value.map(|port| port.trim().to_owned()).filter(|port| port != "-1");
            if let Some(port) = value.as_deref().filter(|port| port.parse::<u16>().is_err()) {
                return Err(Failure { detail: shortened(port), ..Failure::new("The port of an address is no number") });
            }
        }
        *self.part(fragment) = value;
        Ok(())
    }

    /// The address in one.
    pub(crate) fn written(&self) -> Result<String, Failure> {
        let wrong =
            |detail: &str| Err(Failure { detail: detail.to_owned(), ..Failure::new("Error while constructing a URI from the fragments") });
        let mut out = String::new();
        if let Some(protocol) = &self.protocol {
            out.push_str(protocol);
            out.push(':');
        }
        if let Some(host) = &self.host {
            if host.contains(['/', '?', '#', '@']) {
                return wrong("the host holds what is no host");
            }
            out.push_str("//");
            if let Some(user) = &self.user {
                out.push_str(user);
                out.push('@');
            }
            out.push_str(host);
            if let Some(port) = &self.port {
                out.push(':');
                out.push_str(port);
            }
        }
        if let Some(path) = &self.path {
            if (self.host.is_some() || self.protocol.is_some()) && !path.is_empty() && !path.starts_with('/') {
                return wrong("the path of an absolute address begins without a slash");
            }
            out.push_str(&path.replace('?', "%3F").replace('#', "%23"));
        }
        if let Some(query) = &self.query {
            out.push('?');
            out.push_str(&query.replace('#', "%23"));
        }
        if let Some(reference) = &self.reference {
            out.push('#');
            out.push_str(reference);
        }
        let out = utf8_percent_encode(&out, NOT_IN_ADDRESS).to_string();
        if out.len() > MAX_BYTES { wrong("the address is too long") } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        for address in
            ["http://u:p@h.org:8080/a/b?c=d&e#f", "/shop/1.0/x?y=1", "https://[::1]:9/x", "http://h", "urn", "http://h?x=1", "", "/a:b/c"]
        {
            assert_eq!(Fragments::read(address).written().as_deref(), Ok(address));
        }
        let parts = Fragments::read("http://u@h.org:8080/a?b#c");
        let got = |name: &str| parts.clone().get(Fragment::named(name).unwrap());
        let seen = ["protocol", "user", "host", "port", "path", "query", "ref"].map(|name| got(name).unwrap());
        assert_eq!(seen, ["http", "u", "h.org", "8080", "/a", "b", "c"]);
        assert_eq!(Fragments::read("http://h").get(Fragment::Port).as_deref(), Some("-1"));
    }
}
