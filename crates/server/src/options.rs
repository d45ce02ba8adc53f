//! The configuration file, declared once.
//!
//! Every option is one line of the table below: its key, type, default and words. Reading, refusing unknown keys, the sample file and the
//! reference page all come from that table. All faults of a file are found in one reading, so that an operator mends it once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::gateway::Uncompilable;
use model::Secret;

/// What is wrong with one line of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionFault {
    /// Dotted key.
    pub key: String,
    /// What is wrong and what to do.
    pub words: String,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration file {path}: {source}. Check the path given with --config, or leave --config out to start with the defaults"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("the configuration file {path} is not TOML: {words}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, column and cause.
        words: String,
    },
    /// Keys or values are wrong.
    #[error("the configuration file {path} has {} fault(s):{}", faults.len(), faults.iter().fold(String::new(), |all, f| all + "\n  " + &f.key + ": " + &f.words))]
    Options {
        /// Which file.
        path: PathBuf,
        /// All of them.
        faults: Vec<OptionFault>,
    },
}

/// One option, for the sample file and the reference page.
#[derive(Debug, Clone, Copy)]
pub struct OptionDoc {
    /// Dotted key.
    pub key: &'static str,
    /// Default as TOML text; empty when there is none.
    pub default: &'static str,
    /// What it does.
    pub words: &'static str,
}

trait FromToml: Sized {
    /// What is expected, in words.
    const EXPECTS: &'static str;
    /// What is found instead may be shown.
    const SHOWN: bool = true;
    fn from_toml(value: &toml::Value) -> Option<Self>;
}

impl FromToml for bool {
    const EXPECTS: &'static str = "true or false";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromToml for u16 {
    const EXPECTS: &'static str = "a whole number from 0 to 65535";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl FromToml for u32 {
    const EXPECTS: &'static str = "a whole number from 0 to 4294967295";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl FromToml for i64 {
    const EXPECTS: &'static str = "a whole number";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_integer()
    }
}

impl FromToml for String {
    const EXPECTS: &'static str = "text in quotes";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl FromToml for Secret<String> {
    const EXPECTS: &'static str = String::EXPECTS;
    const SHOWN: bool = false;
    fn from_toml(value: &toml::Value) -> Option<Self> {
        String::from_toml(value).map(Self::new)
    }
}

impl FromToml for PathBuf {
    const EXPECTS: &'static str = "a path in quotes";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_str().map(Self::from)
    }
}

impl FromToml for Vec<String> {
    const EXPECTS: &'static str = "a list of texts";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_array()?.iter().map(String::from_toml).collect()
    }
}

impl FromToml for Duration {
    const EXPECTS: &'static str = "a duration such as \"500ms\", \"30s\" or \"15m\"";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        let text = value.as_str()?.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        number.checked_mul(ms).map(Self::from_millis)
    }
}

impl FromToml for LogFormat {
    const EXPECTS: &'static str = "\"human\" or \"json\"";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value.as_str()? {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl FromToml for Uncompilable {
    const EXPECTS: &'static str = "\"refuse\" or \"pass\"";
    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value.as_str()? {
            "refuse" => Some(Self::Refuse),
            "pass" => Some(Self::Pass),
            _ => None,
        }
    }
}

impl<T: FromToml> FromToml for Option<T> {
    const EXPECTS: &'static str = T::EXPECTS;
    const SHOWN: bool = T::SHOWN;
    fn from_toml(value: &toml::Value) -> Option<Self> {
        T::from_toml(value).map(Some)
    }
}

/// Where load balancers stand, and the default of `gateway.trusted_proxies`.
const PRIVATE_NETWORKS: [&str; 8] =
    ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

/// Longest `gateway.clock_skew`: revoked tokens are kept in the database for a day after their end, and must be known as long as they are taken.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

fn read<T: FromToml>(value: &toml::Value) -> Result<T, String> {
    let found = || if T::SHOWN { value.to_string() } else { value.type_str().to_owned() };
    T::from_toml(value).ok_or_else(|| format!("expects {}, found {}", T::EXPECTS, found()))
}

macro_rules! options {
    ($($key:literal, $field:ident: $type:ty = $value:expr, $default:literal, $words:literal;)+) => {
        /// Every setting, with its default until a file or the command line says otherwise.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Options {
            $(#[doc = $words] pub $field: $type,)+
        }

        impl Default for Options {
            fn default() -> Self {
                Self { $($field: $value,)+ }
            }
        }

        /// The table itself.
        pub const OPTIONS: &[OptionDoc] = &[$(OptionDoc { key: $key, default: $default, words: $words },)+];

        fn set(options: &mut Options, key: &str, value: &toml::Value) -> Result<bool, String> {
            match key {
                $($key => {
                    options.$field = read(value)?;
                    Ok(true)
                })+
                _ => Ok(false),
            }
        }
    };
}

options! {
    "database.url", database_url: Option<Secret<String>> = None, "", "Database: \"sqlite:PATH\" or \"postgres://user:password@host/name\". Left out: tidegate.db in the data directory.";
    "server.hostname", hostname: String = "localhost".to_owned(), "\"localhost\"", "Host name in issued tokens' issuer, in links and in the certificate made at first start.";
    "server.listen_address", listen_address: String = "0.0.0.0".to_owned(), "\"0.0.0.0\"", "Address all ports listen on but management.http_port.";
    "server.port_offset", port_offset: u16 = 0, "0", "Added to every port.";
    "server.drain", drain: Duration = Duration::from_secs(30), "\"30s\"", "How long open requests may finish after SIGTERM.";
    "management.https_port", rest_port: u16 = 9443, "9443", "REST interfaces, OAuth2 and health over TLS.";
    "management.http_address", management_address: String = "127.0.0.1".to_owned(), "\"127.0.0.1\"", "Address management.http_port listens on. Whoever reaches it reads the metrics: open it to the network that probes and Prometheus call from.";
    "management.http_port", management_port: u16 = 9763, "9763", "Health and metrics without TLS.";
    "management.cors_origins", cors_origins: Vec<String> = Vec::new(), "[]", "Origins whose pages may call the REST interfaces from a browser.";
    "gateway.http_port", gateway_http_port: u16 = 8280, "8280", "API traffic.";
    "gateway.https_port", gateway_https_port: u16 = 8243, "8243", "API traffic over TLS.";
    "gateway.environment", environment: String = "Default".to_owned(), "\"Default\"", "Environment (label) whose deployments this gateway serves.";
    "gateway.workers", workers: u32 = 0, "0", "Threads that serve API traffic; 0 is one for each core.";
    "gateway.response_timeout", response_timeout: Duration = Duration::from_secs(120), "\"120s\"", "How long a backend may take to begin its answer, where the API does not say.";
    "gateway.connect_timeout", connect_timeout: Duration = Duration::from_secs(10), "\"10s\"", "How long connecting to a backend may take.";
    "gateway.backend_ca_files", backend_ca_files: Vec<String> = Vec::new(), "[]", "PEM files of certificate authorities trusted for backends beside the system's own.";
    "gateway.backend_verify", backend_verify: bool = true, "true", "Whether backends' certificates are checked.";
    "gateway.clock_skew", clock_skew: Duration = Duration::from_secs(300), "\"300s\"", "How far a token's clock may be off.";
    "gateway.max_connections", max_connections: u32 = 65_536, "65536", "Most client connections at a time, both ports together.";
    "gateway.old_resource_order", old_resource_order: bool = false, "false", "Choose resources as 4.0.0 does (exact and /* before templates) instead of the most specific first.";
    "gateway.client_domain_header", client_domain_header: String = "referer".to_owned(), "\"referer\"", "Header that names the calling site, for keys that an old installation restricted to some; ClientDomainHeader there.";
    "gateway.trusted_proxies", trusted_proxies: Vec<String> = PRIVATE_NETWORKS.map(str::to_owned).to_vec(), "[\"127.0.0.0/8\", \"::1\", \"10.0.0.0/8\", \"172.16.0.0/12\", \"192.168.0.0/16\", \"169.254.0.0/16\", \"fc00::/7\", \"fe80::/10\"]", "Addresses and networks whose X-Forwarded-* headers are believed. [] believes nobody: choose it where strangers arrive from a private address.";
    "gateway.token_paths", token_paths: Option<bool> = None, "", "Whether the ports of API traffic take /token, /revoke, /authorize and /userinfo, as versions before 3.0 did. Left out: as the upgrade decided for the super tenant; a new installation does not.";
    "gateway.key_desk_url", key_desk_url: Option<String> = None, "", "Where the key desk is that those paths belong to, such as \"https://keys.example.org:9443\". Left out: in this process.";
    "gateway.header_conditions", header_conditions: bool = false, "false", "Whether conditions on request headers are looked at (advanced policies and custom rules); EnableHeaderConditions of an old installation.";
    "gateway.query_conditions", query_conditions: bool = false, "false", "Whether conditions on query parameters are looked at; EnableQueryParamConditions there.";
    "gateway.claim_conditions", claim_conditions: bool = false, "false", "Whether conditions on claims of tokens are looked at; EnableJWTClaimConditions there.";
    "gateway.uncompilable_sequences", uncompilable_sequences: Uncompilable = Uncompilable::Refuse, "\"refuse\"", "What becomes of calls of an API with a mediation sequence that cannot run here: \"refuse\" answers them with 500, \"pass\" lets them pass without that sequence. Error sequences that cannot run are answered for in the tenant's error format either way.";
    "gateway.error_sequence_timeout", error_sequence_timeout: Duration = Duration::from_secs(10), "\"10s\"", "How long a site's own error sequences may take, calls outside included; then the gateway's own answer goes out.";
    "oauth.application_token", application_token_secs: i64 = 3_600, "3600", "Life of an application's token in seconds; negative is for ever.";
    "oauth.user_token", user_token_secs: i64 = 3_600, "3600", "Life of a user's token in seconds; negative is for ever.";
    "oauth.refresh_token", refresh_token_secs: i64 = 86_400, "86400", "Life of a refresh token in seconds; negative is for ever.";
    "publisher.allow_private_addresses", allow_private_addresses: bool = false, "false", "Whether definitions may be imported from URLs inside the local network.";
    "tls.certificate", tls_certificate: Option<PathBuf> = None, "", "PEM file with the certificate chain of all TLS ports. Left out: one is made in the data directory.";
    "tls.key", tls_key: Option<PathBuf> = None, "", "PEM file with its private key.";
    "log.format", log_format: LogFormat = LogFormat::Human, "\"human\"", "\"human\" or \"json\".";
    "log.level", log_level: String = "info".to_owned(), "\"info\"", "Least important level shown, or a filter such as \"info,tidegate_gateway=debug\".";
}

impl Options {
    /// Reads a file over the defaults.
    ///
    /// # Errors
    /// [`ConfigFault`], with every fault of the file at once.
    pub fn read(path: &Path) -> Result<Self, ConfigFault> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigFault::Unreadable { path: path.to_owned(), source })?;
        let table: toml::Table =
            text.parse().map_err(|fault: toml::de::Error| ConfigFault::Syntax { path: path.to_owned(), words: fault.to_string() })?;
        Self::from_table(&table).map_err(|faults| ConfigFault::Options { path: path.to_owned(), faults })
    }

    fn from_table(table: &toml::Table) -> Result<Self, Vec<OptionFault>> {
        let mut options = Self::default();
        let mut faults = Vec::new();
        for (section, content) in table {
            let Some(content) = content.as_table() else {
                faults.push(OptionFault { key: section.clone(), words: unknown(section) });
                continue;
            };
            for (name, value) in content {
                let key = format!("{section}.{name}");
                match set(&mut options, &key, value) {
                    Ok(true) => {}
                    Ok(false) => faults.push(OptionFault { words: unknown(&key), key }),
                    Err(words) => faults.push(OptionFault { key, words }),
                }
            }
        }
        options.cross_check(&mut faults);
        if faults.is_empty() { Ok(options) } else { Err(faults) }
    }

    /// What no single line can be checked for.
    fn cross_check(&self, faults: &mut Vec<OptionFault>) {
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            faults.push(OptionFault {
                key: "tls.certificate".to_owned(),
                words: "needs tls.key, and the other way round; give both or neither".to_owned(),
            });
        }
        for (key, address) in [("server.listen_address", &self.listen_address), ("management.http_address", &self.management_address)] {
            if address.parse::<std::net::IpAddr>().is_err() {
                faults.push(OptionFault { key: key.to_owned(), words: format!("'{address}' is not an IP address; use 0.0.0.0 for all") });
            }
        }
        if self.clock_skew > CLOCK_SKEW_MAX {
            faults.push(OptionFault { key: "gateway.clock_skew".to_owned(), words: "must not be longer than 12h".to_owned() });
        }
        for (key, value) in [("gateway.response_timeout", self.response_timeout), ("gateway.connect_timeout", self.connect_timeout)] {
            if value.is_zero() {
                faults.push(OptionFault { key: key.to_owned(), words: "must be longer than nothing".to_owned() });
            }
        }
        if self.max_connections == 0 {
            faults.push(OptionFault { key: "gateway.max_connections".to_owned(), words: "must be at least 1".to_owned() });
        }
        for text in &self.trusted_proxies {
            if crate::gateway_config::range(text).is_none() {
                faults.push(OptionFault {
                    key: "gateway.trusted_proxies".to_owned(),
                    words: format!("'{text}' is neither an address nor a network such as 10.0.0.0/8"),
                });
            }
        }
        for (key, port) in [
            ("management.https_port", self.rest_port),
            ("management.http_port", self.management_port),
            ("gateway.http_port", self.gateway_http_port),
            ("gateway.https_port", self.gateway_https_port),
        ] {
            if port.checked_add(self.port_offset).is_none() {
                faults.push(OptionFault {
                    key: key.to_owned(),
                    words: format!("{port} plus the port offset {} is over 65535", self.port_offset),
                });
            }
        }
    }

    /// Checks again after the command line has changed something.
    ///
    /// # Errors
    /// The faults, without a file to blame.
    pub fn check(&self) -> Result<(), Vec<OptionFault>> {
        let mut faults = Vec::new();
        self.cross_check(&mut faults);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// A file with every option at its default, commented.
    #[must_use]
    pub fn sample() -> String {
        let mut text = String::from("# Tidegate configuration. Every line shows the default; uncomment what you change.\n");
        let mut section = "";
        for option in OPTIONS {
            let (in_section, name) = option.key.split_once('.').unwrap_or(("", option.key));
            if in_section != section {
                section = in_section;
                let _ = write!(text, "\n[{section}]\n");
            }
            let _ = write!(text, "# {}\n# {name} = {}\n", option.words, if option.default.is_empty() { "\"…\"" } else { option.default });
        }
        text
    }
}

/// Words for a key that is not in the table, with the nearest one that is: mistyped, or right but in the wrong section.
fn unknown(key: &str) -> String {
    let name = |key: &str| key.rsplit_once('.').map_or(key, |(_, name)| name).to_owned();
    if OPTIONS.iter().any(|option| option.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))) {
        return format!("is a section; write [{key}] and its options below");
    }
    let far = |option: &str| distance(key, option).min(distance(&name(key), &name(option)) + 1);
    let nearest = OPTIONS.iter().map(|option| (far(option.key), option.key)).min();
    match nearest {
        // One slip in three letters; more than that is another word.
        Some((far, option)) if far <= 1 + name(key).chars().count() / 3 => format!("is not an option; did you mean {option}?"),
        _ => "is not an option; `tidegate check-config --sample` lists them all".to_owned(),
    }
}

/// Levenshtein distance, for short keys.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut last = i;
        let mut left = i + 1;
        for (slot, cb) in row.iter_mut().skip(1).zip(&b) {
            let here = (last + usize::from(ca != *cb)).min(*slot + 1).min(left + 1);
            last = std::mem::replace(slot, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let table = text.parse().expect("TOML");
        Options::from_table(&table)
            .map_or_else(|faults| faults.into_iter().map(|f| format!("{}: {}", f.key, f.words)).collect(), |_| Vec::new())
    }

    #[test]
    fn every_fault_is_found_at_once() {
        let found = faults("[server]\nport_ofset = 1\ndrain = 5\n[gatway]\nworkers = 1\n[tls]\nkey = \"x\"\n");
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.iter().any(|f| f == "server.port_ofset: is not an option; did you mean server.port_offset?"), "{found:?}");
        assert!(found.iter().any(|f| f.starts_with("server.drain: expects a duration")), "{found:?}");
        assert!(found.iter().any(|f| f == "gatway.workers: is not an option; did you mean gateway.workers?"), "{found:?}");
        assert!(found.iter().any(|f| f.starts_with("tls.certificate: needs tls.key")), "{found:?}");
    }

    #[test]
    fn a_slip_is_told_from_another_word() {
        for (given, hint) in [
            ("port_offset = 1", "port_offset: is not an option; did you mean server.port_offset?"),
            ("[server]\nprot_offset = 1", "server.prot_offset: is not an option; did you mean server.port_offset?"),
            ("[gateway]\nport_offset = 1", "gateway.port_offset: is not an option; did you mean server.port_offset?"),
            ("[log]\nfile = \"x\"", "log.file: is not an option; `tidegate check-config --sample` lists them all"),
            ("[keymanager]\nx = 1", "keymanager.x: is not an option; `tidegate check-config --sample` lists them all"),
            ("server = 1", "server: is a section; write [server] and its options below"),
        ] {
            assert_eq!(faults(given), [hint], "{given}");
        }
    }

    #[test]
    fn the_database_password_is_never_shown() {
        let table = "[database]\nurl = \"postgres://u:hunter2@h/n\"".parse().expect("TOML");
        let options = Options::from_table(&table).expect("no faults");
        assert!(!format!("{options:?}").contains("hunter2"), "{options:?}");
        assert_eq!(faults("[database]\nurl = [\"postgres://u:hunter2@h/n\"]"), ["database.url: expects text in quotes, found array"]);
    }

    #[test]
    fn the_sample_uncommented_is_the_default() {
        let lines: String = Options::sample()
            .lines()
            .map(|line| if line.contains(" = ") && !line.contains('…') { line.trim_start_matches("# ") } else { line })
            .collect::<Vec<_>>()
            .join("\n");
        let table = lines.parse().expect("the sample is TOML");
        assert_eq!(Options::from_table(&table).expect("no faults"), Options::default());
    }

    #[test]
    fn ports_must_fit_with_their_offset() {
        assert_eq!(faults("[server]\nport_offset = 60000\n").len(), 4);
    }
}
