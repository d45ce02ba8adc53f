//! Connections to a directory: some that carry our own name and are kept, and one for each password that is checked.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ldap3::{DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions};
use model::{Secret, UserStore};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{DefinitionFault, Unanswered, bounded, says_yes};

/// Conversations with one directory at a time.
const AT_ONCE: usize = 16;
/// Who may stand in line for one.
const WAITING_MAX: usize = 256;
/// Kept open between questions.
const IDLE_MAX: usize = 4;

/// The old product's own patience.
const TIMEOUT_DEFAULT_MS: u64 = 5_000;
const TIMEOUT_MAX_MS: u64 = 30_000;

/// PEM text of authorities to trust in place of the system's.
const TRUSTED: &str = "TrustedCertificates";
/// Whether any certificate is good enough.
const INSECURE: &str = "InsecureTLS";

pub(super) struct Links {
    urls: Vec<String>,
    /// Our own name there; `None` where anybody may look for users.
    own: Option<(String, Secret<String>)>,
    tls: Option<Arc<ClientConfig>>,
    start_tls: bool,
    trusts_anybody: bool,
    connect_timeout: Duration,
    read_timeout: Duration,
    idle: Mutex<Vec<Ldap>>,
    at_once: Semaphore,
    waiting: Semaphore,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Links({})", self.address())
    }
}

/// What is looked for.
pub(super) struct Query<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    pub(super) filter: &'a str,
    pub(super) attributes: &'a [String],
}

/// Whether a directory took a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Yes,
    No,
}

impl Links {
    pub(super) fn new(store: &UserStore) -> Result<Self, DefinitionFault> {
        let urls: Vec<String> = store.property("ConnectionURL").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if urls.is_empty() {
            return Err(DefinitionFault::new("ConnectionURL", "is missing"));
        }
        if let Some(wrong) = urls.iter().find(|url| !is_url(url)) {
            return Err(DefinitionFault::new("ConnectionURL", format!("is not ldap://host or ldaps://host: {wrong}")));
        }
        let own = match (store.property("ConnectionName"), store.secret("ConnectionPassword").filter(|p| !p.expose().is_empty())) {
            (None, _) => None,
            (Some(name), Some(password)) => Some((name.to_owned(), password.clone())),
            // Directories would take this for an anonymous visit, and we for our own.
            (Some(_), None) => return Err(DefinitionFault::new("ConnectionPassword", "is not known")),
        };
        let start_tls = says_yes(store, "StartTLSEnabled");
        let trusts_anybody = says_yes(store, INSECURE);
        let is_sealed = start_tls || urls.iter().any(|url| has_scheme(url, "ldaps://"));
        let tls = if is_sealed && !trusts_anybody { Some(trusting(store.property(TRUSTED))?) } else { None };
        Ok(Self {
            urls,
            own,
            tls,
            start_tls,
            trusts_anybody,
            connect_timeout: timeout(store, "LDAPConnectionTimeout"),
            read_timeout: timeout(store, "ReadTimeout"),
            idle: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            waiting: Semaphore::new(WAITING_MAX),
        })
    }

    pub(super) fn address(&self) -> String {
        self.urls.join(" ")
    }

    /// How long a whole question may take: to connect, and three answers.
    pub(super) fn patience(&self) -> Duration {
        (self.connect_timeout + self.read_timeout * 3).min(Duration::from_millis(TIMEOUT_MAX_MS))
    }

    /// Introduces us as somebody else, on a connection that is used for nothing more.
    pub(super) async fn bind(&self, dn: &str, password: &Secret<String>) -> Result<Bound, Unanswered> {
        // Without a name or a password it would be an anonymous visit, which succeeds.
        if dn.trim().is_empty() || password.expose().is_empty() {
            return Ok(Bound::No);
        }
        let _place = self.place().await?;
        let mut link = self.connect().await?;
        let said =
            link.with_timeout(self.read_timeout).simple_bind(dn, password.expose()).await.map_err(|error| self.unanswered(&error))?;
        // Leaving politely is all that is left to do; that it fails changes nothing.
        drop(link.unbind().await);
        verdict(said.rc).ok_or_else(|| fault(said.rc, &said.text))
    }

    /// Entries, `limit` at most.
    pub(super) async fn search(&self, query: &Query<'_>, limit: usize) -> Result<Vec<SearchEntry>, Unanswered> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let _place = self.place().await?;
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let was_kept = kept.is_some();
            let mut link = match kept {
                Some(link) => link,
                None => self.introduced().await?,
            };
            match self.run(&mut link, query, limit).await {
                Ok((found, is_at_rest)) => {
                    if is_at_rest {
                        self.keep(link);
                    }
                    return Ok(found);
                }
                // The other side may have hung up meanwhile.
                Err(Broken::Connection(_)) if was_kept => {}
                Err(Broken::Connection(error)) => return Err(self.unanswered(&error)),
                Err(Broken::Answer(unanswered)) => return Err(unanswered),
                Err(Broken::Late) => return Err(Unanswered::Late(self.read_timeout.as_millis())),
            }
        }
    }

    /// The entries, and whether the connection has nothing more to say.
    async fn run(&self, link: &mut Ldap, query: &Query<'_>, limit: usize) -> Result<(Vec<SearchEntry>, bool), Broken> {
        let asked = i32::try_from(limit).unwrap_or(i32::MAX);
        let seconds = i32::try_from(self.read_timeout.as_secs().max(1)).unwrap_or(i32::MAX);
        let options = SearchOptions::new().deref(DerefAliases::Always).sizelimit(asked).timelimit(seconds);
        let mut stream = link
            .with_search_options(options)
            .with_timeout(self.read_timeout)
            .streaming_search(query.base, query.scope, query.filter, query.attributes)
            .await?;
        let mut found = Vec::new();
        while let Some(entry) = stream.next().await? {
            if entry.is_ref() || entry.is_intermediate() {
                continue;
            }
            found.push(SearchEntry::construct(entry));
            // A server may ignore the limit; the connection with the rest in it is closed then.
            if found.len() >= limit {
                return Ok((found, false));
            }
        }
        let ended = stream.finish().await;
        match ended.rc {
            // No such object, or more than was asked for.
            0 | 4 | 32 => Ok((found, true)),
            rc => Err(Broken::Answer(fault(rc, &ended.text))),
        }
    }

    fn keep(&self, link: Ldap) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(link);
        }
    }

    async fn place(&self) -> Result<SemaphorePermit<'_>, Unanswered> {
        let _in_line = self.waiting.try_acquire().map_err(|_| Unanswered::Busy)?;
        self.at_once.acquire().await.map_err(|_| Unanswered::Busy)
    }

    /// A connection that carries our own name.
    async fn introduced(&self) -> Result<Ldap, Unanswered> {
        let mut link = self.connect().await?;
        if let Some((name, password)) = &self.own {
            let bound = link.with_timeout(self.read_timeout).simple_bind(name, password.expose()).await;
            let said = bound.map_err(|error| self.unanswered(&error))?;
            match verdict(said.rc) {
                Some(Bound::Yes) => {}
                Some(Bound::No) => return Err(Unanswered::NotLetIn(words(said.rc, &said.text))),
                None => return Err(fault(said.rc, &said.text)),
            }
        }
        Ok(link)
    }

    /// The first of the servers that answers.
    async fn connect(&self) -> Result<Ldap, Unanswered> {
        let mut last = Unanswered::Unreachable("no address".to_owned());
        for url in &self.urls {
            let mut settings = LdapConnSettings::new().set_conn_timeout(self.connect_timeout).set_starttls(self.start_tls);
            settings = settings.set_no_tls_verify(self.trusts_anybody);
            if let Some(tls) = &self.tls {
                settings = settings.set_config(Arc::clone(tls));
            }
            // Their own timeout does not cover all of it.
            match tokio::time::timeout(self.connect_timeout, LdapConnAsync::with_settings(settings, url)).await {
                Ok(Ok((connection, link))) => {
                    tokio::spawn(async move {
                        if let Err(error) = connection.drive().await {
                            tracing::debug!(%error, "a connection to a user store ended");
                        }
                    });
                    return Ok(link);
                }
                Ok(Err(error)) => last = Unanswered::Unreachable(format!("{url}: {error}")),
                Err(_) => last = Unanswered::Unreachable(format!("{url}: no connection within {} ms", self.connect_timeout.as_millis())),
            }
        }
        Err(last)
    }

    fn unanswered(&self, error: &LdapError) -> Unanswered {
        match error {
            LdapError::Timeout { .. } => Unanswered::Late(self.read_timeout.as_millis()),
            LdapError::LdapResult { result } => fault(result.rc, &result.text),
            other => Unanswered::Unreachable(other.to_string()),
        }
    }
}

enum Broken {
    Connection(LdapError),
    Answer(Unanswered),
    /// Slow is slow, on whatever connection.
    Late,
}

impl From<LdapError> for Broken {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::Timeout { .. } => Self::Late,
            LdapError::LdapResult { result } => Self::Answer(fault(result.rc, &result.text)),
            LdapError::FilterParsing => Self::Answer(Unanswered::Fault("the filter does not read".to_owned())),
            other => Self::Connection(other),
        }
    }
}

/// What the answer to an introduction means; `None` where it says nothing about the password.
fn verdict(rc: u32) -> Option<Bound> {
    match rc {
        0 => Some(Bound::Yes),
        // Constraint violated (as after too many failures), no such entry, no name, no password kept there, wrong, not allowed, unwilling.
        19 | 32 | 34 | 48 | 49 | 50 | 53 => Some(Bound::No),
        _ => None,
    }
}

fn fault(rc: u32, text: &str) -> Unanswered {
    match rc {
        10 => Unanswered::Fault("it refers to another server, which is not followed".to_owned()),
        _ => Unanswered::Fault(words(rc, text)),
    }
}

fn words(rc: u32, text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    bounded(format!("result {rc} {plain}"), 200).trim_end().to_owned()
}

fn timeout(store: &UserStore, property: &str) -> Duration {
    let said = store.property(property).and_then(|text| text.parse().ok()).filter(|ms| *ms > 0);
    Duration::from_millis(said.unwrap_or(TIMEOUT_DEFAULT_MS).clamp(50, TIMEOUT_MAX_MS))
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Whether it names a host, with or without a port.
fn is_url(url: &str) -> bool {
    let rest = ["ldap://", "ldaps://"].iter().find(|scheme| has_scheme(url, scheme)).and_then(|scheme| url.get(scheme.len()..));
    rest.and_then(|rest| rest.split('/').next()).is_some_and(|host| !host.is_empty() && !host.starts_with(':') && !host.contains('@'))
}

/// TLS as usual, trusting the authorities in a PEM text, or else the system's.
fn trusting(pem: Option<&str>) -> Result<Arc<ClientConfig>, DefinitionFault> {
    let mut roots = RootCertStore::empty();
    match pem {
        Some(text) => {
            for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
                let read = certificate.map_err(|error| error.to_string());
                let added = read.and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
                added.map_err(|error| DefinitionFault::new(TRUSTED, format!("holds a certificate that does not read: {error}")))?;
            }
            if roots.is_empty() {
                return Err(DefinitionFault::new(TRUSTED, "holds no certificate in PEM form"));
            }
        }
        None => {
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                tracing::warn!("this machine trusts no certificate authority, so no user store can be reached over TLS");
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| DefinitionFault::new(TRUSTED, format!("leaves no TLS to speak: {error}")))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_host() {
        for good in ["ldap://dc", "LDAPS://dc.example:636", "ldap://[::1]:389/dc=x"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["ldap:", "ldap://", "ldap:///dc=x", "ldap://:389", "http://dc", "dc.example", "ldap://u:p@dc", "ldapi:///tmp/x"] {
            assert!(!is_url(bad), "{bad}");
        }
    }

    #[test]
    fn only_what_speaks_of_the_password_is_an_answer() {
        assert_eq!(verdict(0), Some(Bound::Yes));
        assert_eq!(verdict(49), Some(Bound::No));
        for unclear in [1, 2, 3, 8, 10, 51, 52, 80] {
            assert_eq!(verdict(unclear), None);
        }
    }
}
