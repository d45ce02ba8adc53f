//! Where an old database is: `h2:PATH`, `mysql://…`, `postgres://…`, `dump:FILE.sql` or `csv:FOLDER`, and the JDBC addresses found in the
//! old configuration. A location shows itself without its password.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use model::Secret;

/// A database to read.
#[derive(Debug, Clone)]
pub enum Location {
    /// An H2 file, named with or without `.h2.db` / `.mv.db`.
    H2(PathBuf),
    /// A running MySQL or MariaDB.
    MySql(Server),
    /// A running PostgreSQL.
    Postgres(Server),
    /// The text `mysqldump` or `pg_dump` wrote, or an INSERT script of Oracle's or SQL Server's tools.
    Dump(PathBuf),
    /// A folder with a file of comma-separated values for each table.
    Csv(PathBuf),
}

/// How to reach a running database server.
#[derive(Clone)]
pub struct Server {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database name.
    pub database: String,
    /// Account.
    pub user: String,
    /// Its password, when one is given.
    pub password: Option<Secret<String>>,
    /// What to ask for on the wire.
    pub tls: Tls,
}

/// Encryption of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// When the server offers it.
    Preferred,
    /// Never.
    Off,
    /// Always.
    Required,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

impl Server {
    /// `host:port/database`, for messages.
    pub fn address(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H2(path) => write!(f, "h2:{}", path.display()),
            Self::MySql(server) => write!(f, "mysql://{}", server.address()),
            Self::Postgres(server) => write!(f, "postgres://{}", server.address()),
            Self::Dump(path) => write!(f, "dump:{}", path.display()),
            Self::Csv(path) => write!(f, "csv:{}", path.display()),
        }
    }
}

/// A location that does not read. Shows no more of it than the part before `://` or `:`, since the rest may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// No such kind.
    #[error(
        "a database is named h2:PATH, mysql://USER:PASSWORD@HOST:PORT/NAME, postgres://USER:PASSWORD@HOST:PORT/NAME, dump:FILE.sql or csv:FOLDER; `{0}` is none of these"
    )]
    UnknownKind(String),
    /// No path or file behind the colon.
    #[error("{0}: needs a path behind the colon")]
    NoPath(&'static str),
    /// A server address lacks a part or misspells it.
    #[error("a {kind}:// address needs {missing}")]
    Incomplete {
        /// `mysql` or `postgres`.
        kind: &'static str,
        /// What.
        missing: &'static str,
    },
    /// A JDBC address of a database we have no reader for.
    #[error(
        "jdbc:{0} databases cannot be read directly; export its tables and give them as csv:FOLDER or dump:FILE.sql (docs/upgrade/sources.md has the commands)"
    )]
    UnsupportedJdbc(String),
}

impl Location {
    /// Reads what an operator types.
    ///
    /// # Errors
    ///
    /// [`LocationError`], which never repeats a password.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("h2:") {
            return non_empty(path, "h2").map(Self::H2);
        }
        if let Some(path) = text.strip_prefix("csv:") {
            return non_empty(path, "csv").map(Self::Csv);
        }
        if let Some(path) = text.strip_prefix("dump:") {
            return non_empty(path, "dump").map(Self::Dump);
        }
        if let Some(rest) = text.strip_prefix("mysql://").or_else(|| text.strip_prefix("mariadb://")) {
            return server("mysql", rest, 3306).map(Self::MySql);
        }
        if let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
            return server("postgres", rest, 5432).map(Self::Postgres);
        }
        let kind = match text.split_once(':') {
            Some((kind, _)) if kind.len() <= 20 => kind,
            _ if text.len() <= 20 && !text.contains('@') => text,
            _ => "what was given",
        };
        Err(LocationError::UnknownKind(kind.to_owned()))
    }

    /// Reads the JDBC address of a datasource. Relative H2 paths stand below `home`, as the old server saw them.
    ///
    /// # Errors
    ///
    /// [`LocationError`].
    pub fn from_jdbc(url: &str, user: Option<&str>, password: Option<&Secret<String>>, home: &Path) -> Result<Self, LocationError> {
        let url = url.trim();
        let rest = url.strip_prefix("jdbc:").unwrap_or(url);
        if let Some(path) = rest.strip_prefix("h2:") {
            let path = path.split(';').next().unwrap_or_default().trim();
            let path = path.strip_prefix("file:").or_else(|| path.strip_prefix("nio:")).unwrap_or(path);
            if ["mem:", "tcp:", "ssl:", "zip:"].iter().any(|remote| path.starts_with(remote)) {
                return Err(LocationError::UnsupportedJdbc("h2 in memory or behind a server".into()));
            }
            let path = path.replace("${carbon.home}", ".").replace("{carbon.home}", ".");
            return non_empty(&path, "h2").map(|p| Self::H2(home.join(p)));
        }
        let (kind, rest, port) = if let Some(r) = rest.strip_prefix("mysql://").or_else(|| rest.strip_prefix("mariadb://")) {
            ("mysql", r, 3306)
        } else if let Some(r) = rest.strip_prefix("postgresql://") {
            ("postgres", r, 5432)
        } else {
            let kind = rest.split(':').next().unwrap_or_default();
            return Err(LocationError::UnsupportedJdbc(kind.chars().take(20).collect()));
        };
        let mut server = server(kind, rest, port)?;
        if let Some(user) = user {
            server.user = user.to_owned();
        }
        if let Some(password) = password {
            server.password = Some(password.clone());
        }
        Ok(if kind == "mysql" { Self::MySql(server) } else { Self::Postgres(server) })
    }
}

/// A JDBC or LDAP address without what may be a password in it: credentials in front of the host, and the parameters behind.
pub fn shown_url(url: &str) -> String {
    let cut = url.find(['?', ';']).map_or(url, |at| url.get(..at).unwrap_or_default());
    let rest = if cut.len() < url.len() { "…" } else { "" };
    match cut.split_once("://") {
        Some((scheme, place)) => {
            let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
            // A password may hold a slash, so the last @ of all counts.
            match place.rsplit_once('@') {
                Some((_, behind)) => format!("{scheme}://…@{behind}{rest}"),
                None => format!("{scheme}://{authority}{path}{rest}"),
            }
        }
        // jdbc:oracle:thin:USER/PASSWORD@host
        None => match cut.rsplit_once('@') {
            Some((before, behind)) => {
                let kind = before.rsplit_once(':').map_or("", |(kind, _)| kind);
                format!("{kind}:…@{behind}{rest}")
            }
            None => format!("{cut}{rest}"),
        },
    }
}

fn non_empty(path: &str, kind: &'static str) -> Result<PathBuf, LocationError> {
    if path.is_empty() { Err(LocationError::NoPath(kind)) } else { Ok(PathBuf::from(path)) }
}

/// `[user[:password]@]host[:port]/database[?options]`.
fn server(kind: &'static str, rest: &str, default_port: u16) -> Result<Server, LocationError> {
    let incomplete = |missing| LocationError::Incomplete { kind, missing };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The last @ divides: passwords may hold one unescaped.
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (Some(credentials), rest),
        None => (None, rest),
    };
    let (authority, database) = rest.split_once('/').ok_or_else(|| incomplete("a database name behind the host: HOST/NAME"))?;
    if database.is_empty() {
        return Err(incomplete("a database name behind the host: HOST/NAME"));
    }
    // JDBC allows a list of hosts; the first is the primary.
    let authority = authority.split(',').next().unwrap_or_default();
    let (host, port) = split_port(authority, default_port).ok_or_else(|| incomplete("a port between 1 and 65535 behind the colon"))?;
    if host.is_empty() {
        return Err(incomplete("a host"));
    }
    let (mut user, mut password) = match credentials {
        None => (String::new(), None),
        Some(credentials) => {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            let user = percent_decoded(user).ok_or_else(|| incomplete("a user name with valid %-escapes"))?;
            let password = match password {
                None | Some("") => None,
                Some(text) => Some(Secret::new(percent_decoded(text).ok_or_else(|| incomplete("a password with valid %-escapes"))?)),
            };
            (user, password)
        }
    };
    let mut tls = Tls::Preferred;
    // `&amp;` survives in values that were escaped twice.
    for pair in query.replace("&amp;", "&").split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (name.to_ascii_lowercase().as_str(), value.to_ascii_lowercase().as_str()) {
            ("usessl" | "ssl", "false") | ("ssl-mode" | "sslmode", "disabled" | "disable") => tls = Tls::Off,
            ("requiressl", "true") | ("ssl-mode" | "sslmode", "required" | "require" | "verify_ca" | "verify-ca" | "verify-full") => {
                tls = Tls::Required;
            }
            ("user", _) if user.is_empty() => user = percent_decoded(value).unwrap_or_default(),
            ("password", _) if password.is_none() => password = percent_decoded(value).map(Secret::new),
            _ => {}
        }
    }
    let database = percent_decoded(database).ok_or_else(|| incomplete("a database name with valid %-escapes"))?;
    Ok(Server { host, port, database, user, password, tls })
}

fn split_port(authority: &str, default_port: u16) -> Option<(String, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        return match tail.strip_prefix(':') {
            Some(port) => Some((host.to_owned(), port.parse().ok().filter(|p| *p != 0)?)),
            None if tail.is_empty() => Some((host.to_owned(), default_port)),
            None => None,
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok().filter(|p| *p != 0)?)),
        None => Some((authority.to_owned(), default_port)),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_show_no_password() {
        for (url, shown) in [
            ("jdbc:mysql://db:3306/am?user=u&password=hunter2", "jdbc:mysql://db:3306/am…"),
            ("jdbc:mysql://u:hunter/2@db/am", "jdbc:mysql://…@db/am"),
            ("jdbc:oracle:thin:scott/hunter2@db:1521:x", "jdbc:oracle:thin:…@db:1521:x"),
            ("jdbc:sqlserver://db:1433;databaseName=am;password=hunter2", "jdbc:sqlserver://db:1433…"),
            ("jdbc:h2:repository/database/X;PASSWORD=hunter2", "jdbc:h2:repository/database/X…"),
            ("ldaps://dir.example:636", "ldaps://dir.example:636"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }

    #[test]
    fn shows_itself_without_its_password() {
        let location = Location::parse("mysql://root:hunter%402@db.example:3307/apimgt?useSSL=false").unwrap();
        assert_eq!(location.to_string(), "mysql://db.example:3307/apimgt");
        assert!(!format!("{location:?}").contains("hunter"));
        let Location::MySql(server) = location else { panic!("not MySQL") };
        assert_eq!(server.password.unwrap().expose(), "hunter@2");
        assert_eq!(server.tls, Tls::Off);
    }

    #[test]
    fn mistyped_locations_say_what_is_wrong_and_no_password() {
        for (text, expect) in [
            ("h2:", "h2: needs a path behind the colon"),
            ("mysql://root:hunter2@db", "a mysql:// address needs a database name behind the host: HOST/NAME"),
            ("postgres://u:hunter2@db:99999/x", "a postgres:// address needs a port between 1 and 65535 behind the colon"),
            ("oracle://u:hunter2@db/x", "`oracle` is none of these"),
            ("u:hunter2@db/x-and-a-long-tail-that-goes-on", "`u` is none of these"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn jdbc_addresses_of_the_stock_configuration_resolve() {
        let home = Path::new("/opt/apim");
        let h2 = Location::from_jdbc("jdbc:h2:repository/database/WSO2AM_DB;DB_CLOSE_ON_EXIT=FALSE", None, None, home).unwrap();
        assert_eq!(h2.to_string(), "h2:/opt/apim/repository/database/WSO2AM_DB");
        let password = Secret::new(String::from("p"));
        let my = Location::from_jdbc("jdbc:mysql://db:3306/am?autoReconnect=true&relaxAutoCommit=true", Some("am"), Some(&password), home)
            .unwrap();
        assert_eq!(my.to_string(), "mysql://db:3306/am");
        let pg = Location::from_jdbc("jdbc:postgresql://[::1]:6000/am", None, None, home).unwrap();
        assert_eq!(pg.to_string(), "postgres://::1:6000/am");
        let oracle = Location::from_jdbc("jdbc:oracle:thin:@db:1521/orcl", None, None, home).unwrap_err();
        assert!(oracle.to_string().starts_with("jdbc:oracle databases cannot be read directly"));
    }
}
