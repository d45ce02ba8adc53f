//! JDBC addresses of the databases that can be asked.

use crate::DefinitionFault;

/// A database as a JDBC address names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) engine: Engine,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) tls: Tls,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// MySQL or MariaDB.
    MySql,
    /// PostgreSQL.
    Postgres,
}

/// What is spoken on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// TLS where the server offers it.
    Preferred,
    /// None.
    Off,
    /// TLS or nothing.
    Required,
    /// TLS, with a certificate that an authority of this machine vouches for.
    Verified,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, DefinitionFault> {
        let fault = |reason: String| DefinitionFault::new("url", reason);
        let rest = url.strip_prefix("jdbc:").unwrap_or(url);
        let (engine, rest, port) = if let Some(rest) = rest.strip_prefix("mysql://").or_else(|| rest.strip_prefix("mariadb://")) {
            (Engine::MySql, rest, 3306)
        } else if let Some(rest) = rest.strip_prefix("postgresql://") {
            (Engine::Postgres, rest, 5432)
        } else {
            let kind: String = rest.split(':').next().unwrap_or_default().chars().take(20).collect();
            return Err(fault(format!("names a database of kind {kind}; MySQL, MariaDB and PostgreSQL can be asked")));
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').ok_or_else(|| fault("has no database name behind the host".to_owned()))?;
        // A list of hosts begins with the one that leads.
        let authority = authority.split(',').next().unwrap_or_default();
        let (host, port) = host_and_port(authority, port).ok_or_else(|| fault("has no host, or no port behind the colon".to_owned()))?;
        if database.is_empty() {
            return Err(fault("has no database name behind the host".to_owned()));
        }
        Ok(Self { engine, host, port, database: database.to_owned(), tls: tls(query) })
    }
}

fn host_and_port(authority: &str, default: u16) -> Option<(String, u16)> {
    // An address that holds a name and password is not shown anywhere, so it is not taken either.
    if authority.contains('@') {
        return None;
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, tail)) => (host, tail.strip_prefix(':')),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(default), |port| port.parse().ok().filter(|port| *port != 0))?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn tls(query: &str) -> Tls {
    let mut tls = Tls::Preferred;
    for pair in query.replace("&amp;", "&").split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (name.to_ascii_lowercase().as_str(), value.to_ascii_lowercase().replace('_', "-").as_str()) {
            ("usessl" | "ssl", "false") | ("sslmode", "disabled" | "disable") => return Tls::Off,
            ("sslmode", "verify-ca" | "verify-full" | "verify-identity") | ("verifyservercertificate", "true") => tls = Tls::Verified,
            ("requiressl", "true") | ("sslmode", "required" | "require") if tls == Tls::Preferred => tls = Tls::Required,
            _ => {}
        }
    }
    tls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read() {
        let my = Address::parse("jdbc:mysql://db.example:3307/users?autoReconnect=true&amp;useSSL=false").unwrap();
        assert_eq!(
            (my.engine, my.host.as_str(), my.port, my.database.as_str(), my.tls),
            (Engine::MySql, "db.example", 3307, "users", Tls::Off)
        );
        let pg = Address::parse("jdbc:postgresql://[::1]/users?sslmode=verify-full").unwrap();
        assert_eq!((pg.engine, pg.host.as_str(), pg.port, pg.tls), (Engine::Postgres, "::1", 5432, Tls::Verified));
        assert_eq!(Address::parse("jdbc:mariadb://a:1,b:2/x").unwrap().host, "a");
    }

    #[test]
    fn others_say_what_is_wrong_and_no_password() {
        for url in [
            "jdbc:oracle:thin:@db:1521/orcl",
            "jdbc:mysql://db",
            "jdbc:mysql:///x",
            "jdbc:mysql://db:x/y",
            "jdbc:mysql://u:hunter2@db/x",
            "",
        ] {
            let fault = Address::parse(url).unwrap_err();
            assert!(fault.property == "url" && !fault.to_string().contains("hunter2"), "{fault}");
        }
        assert!(Address::parse("jdbc:h2:repository/database/X").unwrap_err().to_string().contains("kind h2"));
    }
}
