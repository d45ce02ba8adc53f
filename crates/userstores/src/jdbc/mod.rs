//! Databases with the old product's user tables, as another installation or another program fills them. Read in read-only transactions.
//!
//! Cells are taken as the bytes that the driver received, by their place: a site may have put its own statement in place of the product's,
//! and then only the order of columns is known.

mod address;
mod statement;

use std::time::Duration;

use model::{LegacyDigest, Secret, StoredPassword, Timestamp, UserStore};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use self::address::{Address, Engine, Tls};
pub use self::statement::{Overridden, overridden};
use self::statement::{SELECT_USER, Statement, USER_FILTER, USER_ROLES};
use crate::{Answer, DefinitionFault, GROUPS_MAX, Person, Unanswered, VALUE_MAX_BYTES, bounded, says_yes};

/// Connections to one database at most.
const AT_ONCE: u32 = 8;
/// A question's patience.
const PATIENCE: Duration = Duration::from_secs(10);
/// Attributes of one user looked at.
const ATTRIBUTES_MAX: usize = 500;
/// From PostgreSQL's epoch, 2000-01-01, to Unix's, in seconds.
const POSTGRES_EPOCH_SECS: i64 = 946_684_800;

const USER_SQL: &str = "SELECT UM_ID, UM_USER_NAME, UM_USER_PASSWORD, UM_SALT_VALUE, UM_REQUIRE_CHANGE, UM_CHANGED_TIME \
                        FROM UM_USER WHERE UM_USER_NAME = ? AND UM_TENANT_ID = ?";
const ROLES_SQL: &str = "SELECT r.UM_ROLE_NAME FROM UM_USER u JOIN UM_USER_ROLE l ON l.UM_USER_ID = u.UM_ID JOIN UM_ROLE r ON r.UM_ID = l.UM_ROLE_ID \
                         WHERE u.UM_USER_NAME = ? AND l.UM_TENANT_ID = ? AND r.UM_TENANT_ID = ? AND u.UM_TENANT_ID = ?";
const LIST_SQL: &str = "SELECT UM_USER_NAME FROM UM_USER WHERE UM_USER_NAME LIKE ? AND UM_TENANT_ID = ? ORDER BY UM_USER_NAME";
const ATTRIBUTES_SQL: &str = "SELECT a.UM_ATTR_NAME, a.UM_ATTR_VALUE FROM UM_USER_ATTRIBUTE a JOIN UM_USER u ON u.UM_ID = a.UM_USER_ID \
                              WHERE u.UM_USER_NAME = ? AND u.UM_TENANT_ID = ? AND a.UM_TENANT_ID = ? AND a.UM_PROFILE_ID = 'default'";

#[derive(Debug)]
pub(crate) struct Jdbc {
    address: Address,
    pool: Pool,
    tenant: i32,
    digest: LegacyDigest,
    is_salted: bool,
    user: Statement,
    roles: Option<Statement>,
    list: Statement,
    attributes: Option<Statement>,
    claims: Vec<String>,
}

#[derive(Debug)]
enum Pool {
    MySql(MySqlPool),
    Postgres(PgPool),
}

/// The bytes of a row's cells.
type Cells = Vec<Option<Vec<u8>>>;

impl Jdbc {
    pub(crate) fn new(store: &UserStore) -> Result<Self, DefinitionFault> {
        let address = Address::parse(store.property("url").ok_or_else(|| DefinitionFault::new("url", "is missing"))?)?;
        let digest = store.property("PasswordDigest").unwrap_or("SHA-256");
        let digest =
            LegacyDigest::parse(digest).ok_or_else(|| DefinitionFault::new("PasswordDigest", format!("is not known here: {digest}")))?;
        let engine = address.engine;
        let own_user = store.property(SELECT_USER).is_some();
        let reads_groups = store.property("ReadGroups").is_none_or(|text| text.eq_ignore_ascii_case("true"));
        let attributes = !store.attributes.is_empty() && !own_user;
        let pool = pool(&address, store.property("userName").unwrap_or_default(), store.secret("password"));
        Ok(Self {
            pool,
            tenant: store.tenant.0,
            digest,
            is_salted: store.property("StoreSaltedPassword").is_none() || says_yes(store, "StoreSaltedPassword"),
            user: Statement::of(store, SELECT_USER, USER_SQL, engine)?,
            roles: reads_groups.then(|| Statement::of(store, USER_ROLES, ROLES_SQL, engine)).transpose()?,
            list: Statement::of(store, USER_FILTER, LIST_SQL, engine)?,
            attributes: attributes.then(|| Statement::of(store, "", ATTRIBUTES_SQL, engine)).transpose()?,
            claims: store.attributes.clone(),
            address,
        })
    }

    pub(crate) fn address(&self) -> String {
        let Address { engine, host, port, database, .. } = &self.address;
        let scheme = if *engine == Engine::MySql { "mysql" } else { "postgresql" };
        format!("{scheme}://{host}:{port}/{database}")
    }

    pub(crate) async fn check(&self, name: &str) -> Result<Answer, Unanswered> {
        let Some(row) = self.row_of(name).await? else { return Ok(Answer::Unknown) };
        let hash = text(&row, 2).filter(|hash| !hash.is_empty());
        let Some(hash) = hash.map(Secret::new) else { return Ok(Answer::Wrong) };
        let salt = text(&row, 3).filter(|salt| self.is_salted && !salt.is_empty());
        let stored = StoredPassword::Legacy { digest: self.digest, hash, salt };
        let must_change = row.get(4).and_then(Option::as_deref).is_some_and(is_true);
        // Without a time it was set long ago.
        let one_time_since = must_change.then(|| self.time(row.get(5).and_then(Option::as_deref)).unwrap_or(Timestamp(0)));
        Ok(Answer::Compare { person: self.person(name, &row).await?, stored, one_time_since })
    }

    pub(crate) async fn find(&self, name: &str) -> Result<Option<Person>, Unanswered> {
        match self.row_of(name).await? {
            Some(row) => self.person(name, &row).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn list(&self, pattern: &str, limit: usize) -> Result<Vec<String>, Unanswered> {
        let pattern = pattern.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_").replace('*', "%");
        let rows = self.ask(&self.list, &pattern, limit).await?;
        Ok(rows.iter().filter_map(|row| text(row, 0)).collect())
    }

    pub(crate) async fn test(&self) -> Result<(), Unanswered> {
        // A name nobody has: what counts is that the statements run.
        self.ask(&self.user, " ", 1).await?;
        if let Some(roles) = &self.roles {
            self.ask(roles, " ", 1).await?;
        }
        Ok(())
    }

    async fn row_of(&self, name: &str) -> Result<Option<Cells>, Unanswered> {
        let mut rows = self.ask(&self.user, name, 2).await?;
        if rows.len() > 1 {
            tracing::warn!(store = %self.address(), "several rows answer to one user name, so nobody does");
            return Ok(None);
        }
        Ok(rows.pop())
    }

    async fn person(&self, name: &str, row: &Cells) -> Result<Person, Unanswered> {
        let spelled = text(row, 1).filter(|spelled| spelled.to_lowercase() == name.to_lowercase()).unwrap_or_else(|| name.to_owned());
        let groups = match &self.roles {
            Some(roles) => self.ask(roles, &spelled, GROUPS_MAX).await?,
            None => Vec::new(),
        };
        let attributes = match &self.attributes {
            Some(attributes) => self.ask(attributes, &spelled, ATTRIBUTES_MAX).await?,
            None => Vec::new(),
        };
        let named = |row: &Cells| Some((text(row, 0)?, bounded(text(row, 1)?, VALUE_MAX_BYTES)));
        Ok(Person {
            groups: groups.iter().filter_map(|row| text(row, 0)).collect(),
            attributes: attributes.iter().filter_map(named).filter(|(name, _)| self.claims.contains(name)).collect(),
            name: spelled,
        })
    }

    async fn ask(&self, statement: &Statement, name: &str, limit: usize) -> Result<Vec<Cells>, Unanswered> {
        let asked = async {
            match &self.pool {
                Pool::MySql(pool) => ask_mysql(pool, statement, name, self.tenant, limit).await,
                Pool::Postgres(pool) => ask_postgres(pool, statement, name, self.tenant, limit).await,
            }
        };
        let answered = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| Unanswered::Late(PATIENCE.as_millis()))?;
        Ok(answered?)
    }

    /// A time as the driver receives it, taken as UTC.
    fn time(&self, cell: Option<&[u8]>) -> Option<Timestamp> {
        let cell = cell?;
        match self.address.engine {
            Engine::Postgres => {
                let micros = i64::from_be_bytes(cell.try_into().ok()?);
                Some(Timestamp(micros / 1000 + POSTGRES_EPOCH_SECS * 1000))
            }
            Engine::MySql => mysql_time(cell),
        }
    }
}

/// `year month day [hour minute second [micros]]`, little end first; the driver leaves the length byte before it.
fn mysql_time(cell: &[u8]) -> Option<Timestamp> {
    let (length, rest) = cell.split_first()?;
    let rest = if usize::from(*length) == rest.len() { rest } else { cell };
    let at = |n: usize| rest.get(n).map(|byte| i64::from(*byte));
    let (year, month, day) = (at(0)? | at(1)? << 8, at(2)?, at(3)?);
    let seconds = at(4).unwrap_or(0) * 3600 + at(5).unwrap_or(0) * 60 + at(6).unwrap_or(0);
    // Days since the epoch, of the civil calendar counted from March.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(Timestamp((days * 86_400 + seconds) * 1000))
}

fn is_true(cell: &[u8]) -> bool {
    match cell {
        [0] | [] => false,
        [b'0'] => false,
        text => !matches!(std::str::from_utf8(text).map(str::to_ascii_lowercase).as_deref(), Ok("f" | "false" | "n" | "no")),
    }
}

fn text(row: &Cells, at: usize) -> Option<String> {
    String::from_utf8(row.get(at)?.clone()?).ok()
}

fn pool(address: &Address, user: &str, password: Option<&Secret<String>>) -> Pool {
    // Said to have a password, an account without one is not let in.
    let password = password.filter(|password| !password.expose().is_empty());
    match address.engine {
        Engine::MySql => {
            let mut options = MySqlConnectOptions::new().host(&address.host).port(address.port).username(user).database(&address.database);
            options = options.timezone(None).disable_statement_logging().ssl_mode(match address.tls {
                Tls::Off => MySqlSslMode::Disabled,
                Tls::Preferred => MySqlSslMode::Preferred,
                Tls::Required => MySqlSslMode::Required,
                Tls::Verified => MySqlSslMode::VerifyIdentity,
            });
            if let Some(password) = password {
                options = options.password(password.expose());
            }
            let pool = MySqlPoolOptions::new().max_connections(AT_ONCE).min_connections(0).acquire_timeout(PATIENCE / 2);
            Pool::MySql(pool.connect_lazy_with(options))
        }
        Engine::Postgres => {
            let mut options = PgConnectOptions::new_without_pgpass().host(&address.host).port(address.port).username(user);
            options = options.database(&address.database).disable_statement_logging().ssl_mode(match address.tls {
                Tls::Off => PgSslMode::Disable,
                Tls::Preferred => PgSslMode::Prefer,
                Tls::Required => PgSslMode::Require,
                Tls::Verified => PgSslMode::VerifyFull,
            });
            if let Some(password) = password {
                options = options.password(password.expose());
            }
            let pool = PgPoolOptions::new().max_connections(AT_ONCE).min_connections(0).acquire_timeout(PATIENCE / 2);
            Pool::Postgres(pool.connect_lazy_with(options))
        }
    }
}

macro_rules! ask_in {
    ($name:ident, $pool:ty, $row:ty, $begin:literal) => {
        async fn $name(pool: &$pool, statement: &Statement, name: &str, tenant: i32, limit: usize) -> sqlx::Result<Vec<Cells>> {
            use futures_util::TryStreamExt as _;
            let mut tx = pool.begin_with($begin).await?;
            let mut query = sqlx::query(AssertSqlSafe(statement.text.clone())).bind(name.to_owned());
            for _ in 1..statement.values {
                query = query.bind(tenant);
            }
            let mut found = Vec::new();
            let mut rows = query.fetch(&mut *tx);
            while let Some(row) = rows.try_next().await? {
                let row: $row = row;
                let cells = (0..row.len()).map(|at| row.try_get_unchecked::<Option<Vec<u8>>, _>(at)).collect::<sqlx::Result<Cells>>()?;
                found.push(cells);
                if found.len() >= limit {
                    break;
                }
            }
            drop(rows);
            tx.rollback().await?;
            Ok(found)
        }
    };
}

ask_in!(ask_mysql, MySqlPool, MySqlRow, "START TRANSACTION READ ONLY");
ask_in!(ask_postgres, PgPool, PgRow, "BEGIN READ ONLY");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drivers_times_are_read() {
        // 2016-02-29 12:34:56
        let cell = [7, 0xe0, 0x07, 2, 29, 12, 34, 56];
        assert_eq!(mysql_time(&cell), Some(Timestamp(1_456_749_296_000)));
        assert_eq!(mysql_time(&cell[1..]), Some(Timestamp(1_456_749_296_000)));
        assert_eq!(mysql_time(&[4, 0xb2, 0x07, 1, 1]), Some(Timestamp(0)));
        assert_eq!(mysql_time(&[]), None);
    }

    #[test]
    fn a_mark_is_read_in_each_form() {
        for yes in [&[1][..], b"1", b"t", b"true", b"TRUE", b"Y"] {
            assert!(is_true(yes), "{yes:?}");
        }
        for no in [&[0][..], b"0", b"f", b"false", b"", b"N"] {
            assert!(!is_true(no), "{no:?}");
        }
    }
}
