//! A large old installation in MariaDB, made fast: the APIs, with their registry rows and artifacts, come from a made-up site's dumps; users,
//! applications, clients, keys, subscriptions and tokens are made by the server itself, by INSERT … SELECT over its sequence tables. The same
//! sizes and the same seed make the same rows, but for times, which count back from the moment of making.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use oldsite::{Dialect, Links, Site, Written};

/// What the made-up part is written for.
const MYSQL: Dialect = Dialect::MySql(oldsite::mysql::Blobs::Hex);
/// The first API that is made up for size, as the made-up site numbers them.
const FIRST_API: u32 = 1_000;
/// Numbers of bulk rows start here, clear of the made-up site's.
const FIRST: u32 = 1_000_000;

/// How large.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) apis: u32,
    pub(crate) applications: u32,
    pub(crate) subscriptions: u32,
    pub(crate) tokens: u32,
    pub(crate) seed: u32,
}

impl Size {
    /// One user for ten applications.
    pub(crate) fn users(self) -> u32 {
        (self.applications / 10).max(1)
    }

    /// Told by its name, so that a database of the same size can be used again.
    fn database(self) -> String {
        let Self { apis, applications, subscriptions, tokens, seed } = self;
        format!("tidegate_bench_{apis}_{applications}_{subscriptions}_{tokens}_{seed}")
    }
}

/// One database that holds a whole old installation, and the folder of its files.
pub(crate) struct Bulk {
    size: Size,
    pub(crate) home: std::path::PathBuf,
    /// Whether it was there already.
    pub(crate) found: bool,
}

impl Bulk {
    /// Makes the installation; with `again`, takes one of the same size that a run before has left.
    pub(crate) fn make(size: Size, folder: &Path, again: bool) -> anyhow::Result<Self> {
        ensure!(size.apis > 0 && size.applications > 0, "at least one API and one application are needed");
        // Fewer applications than subscriptions to one API each would need the same pair twice.
        let most = u64::from(size.apis) * u64::from(size.applications);
        ensure!(u64::from(size.subscriptions) <= most, "{} subscriptions need more applications or APIs", size.subscriptions);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
        let few = oldsite::Size { users: 1, apis: size.apis, applications: 1, subscriptions_each: 0, tokens: 0 };
        let site = Site::generated(few, u64::from(size.seed), "http://127.0.0.1:9000", i64::try_from(now.as_millis())?);
        let written = site.write(&folder.join("old"), MYSQL, &Links::unreachable(MYSQL))?;
        let bulk = Self { size, home: written.home.clone(), found: again && size.is_there()? };
        if !bulk.found {
            bulk.fill(&written)?;
        }
        Ok(bulk)
    }

    /// As `--am-db` takes it.
    pub(crate) fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:3306/{}", self.size.database())
    }

    fn fill(&self, written: &Written) -> anyhow::Result<()> {
        let name = self.size.database();
        sql("information_schema", &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8"))?;
        for dump in [&written.am_sql, &written.user_sql, &written.registry_sql] {
            let input = File::open(dump).with_context(|| format!("cannot open {}", dump.display()))?;
            let status = client(&name).stdin(input).status().context("cannot start mariadb")?;
            ensure!(status.success(), "{} does not load: {status}", dump.display());
        }
        for statement in self.statements() {
            self.run(&statement)?;
        }
        // What --again asks for: a database that was cut short has none.
        self.run("CREATE TABLE bench_is_whole (n INT)")?;
        Ok(())
    }

    fn statements(&self) -> Vec<String> {
        let Size { apis, applications, subscriptions, tokens, seed } = self.size;
        let users = self.size.users();
        let each = subscriptions.div_ceil(applications).max(1);
        // Which application something belongs to, so that neighbours in time are not neighbours in the index.
        let application = |label: &str| format!("1 + MOD(CONV(LEFT(MD5(CONCAT('{seed}:{label}:', seq)), 8), 16, 10), {applications})");
        let key = |n: &str| format!("MD5(CONCAT('{seed}:key:', {n}))");
        let secret = format!("MD5(CONCAT('{seed}:secret:', seq))");
        let owner = |n: &str| format!("CONCAT('bulk', 1 + MOD({n}, {users}))");
        // As the old product names a client, its service provider and the internal role that goes with them.
        let name = format!("CONCAT({}, '_Application ', seq, '_PRODUCTION')", owner("seq"));
        let day = |days: &str| format!("NOW() - INTERVAL {days} DAY");
        let mut all = Vec::new();
        all.push(format!(
            "INSERT INTO UM_USER (UM_ID, UM_USER_NAME, UM_USER_PASSWORD, UM_SALT_VALUE, UM_REQUIRE_CHANGE, UM_CHANGED_TIME, UM_TENANT_ID) \
             SELECT {FIRST} + seq, CONCAT('bulk', seq), TO_BASE64(UNHEX(SHA2(CONCAT('{seed}:password:', seq), 256))), \
             LEFT(TO_BASE64(UNHEX(MD5(CONCAT('{seed}:salt:', seq)))), 24), 0, {}, -1234 FROM seq_1_to_{users}",
            day("MOD(seq, 900)")
        ));
        all.push(format!(
            "INSERT INTO UM_HYBRID_USER_ROLE (UM_ID, UM_USER_NAME, UM_ROLE_ID, UM_TENANT_ID, UM_DOMAIN_ID) \
             SELECT {FIRST} + seq, CONCAT('bulk', seq), (SELECT UM_ID FROM UM_HYBRID_ROLE WHERE UM_ROLE_NAME = 'subscriber' AND UM_TENANT_ID = -1234 LIMIT 1), \
             -1234, 1 FROM seq_1_to_{users}"
        ));
        all.push(format!(
            "INSERT INTO AM_SUBSCRIBER (SUBSCRIBER_ID, USER_ID, TENANT_ID, EMAIL_ADDRESS, DATE_SUBSCRIBED, CREATED_BY, CREATED_TIME, UPDATED_TIME) \
             SELECT {FIRST} + seq, CONCAT('bulk', seq), -1234, CONCAT('bulk', seq, '@mail.example'), {0}, CONCAT('bulk', seq), {0}, {0} FROM seq_1_to_{users}",
            day("MOD(seq, 900)")
        ));
        let made = day("MOD(seq, 800)");
        all.push(format!(
            "INSERT INTO AM_APPLICATION (APPLICATION_ID, NAME, SUBSCRIBER_ID, APPLICATION_TIER, CALLBACK_URL, DESCRIPTION, APPLICATION_STATUS, GROUP_ID, \
             CREATED_BY, CREATED_TIME, UPDATED_TIME) SELECT {FIRST} + seq, CONCAT('Application ', seq), {FIRST} + 1 + MOD(seq, {users}), \
             ELT(1 + MOD(seq, 3), 'Gold', 'Bronze', 'Unlimited'), '', CONCAT('One of many, number ', seq), 'APPROVED', '', {}, {made}, {made} \
             FROM seq_1_to_{applications}",
            owner("seq")
        ));
        all.push(format!(
            "INSERT INTO AM_APPLICATION_KEY_MAPPING (APPLICATION_ID, CONSUMER_KEY, KEY_TYPE, STATE, CREATE_MODE) \
             SELECT {FIRST} + seq, {}, 'PRODUCTION', 'COMPLETED', 'CREATED' FROM seq_1_to_{applications}",
            key("seq")
        ));
        all.push(format!(
            "INSERT INTO AM_APP_KEY_DOMAIN_MAPPING (CONSUMER_KEY, AUTHZ_DOMAIN) SELECT {}, 'ALL' FROM seq_1_to_{applications}",
            key("seq")
        ));
        all.push(format!(
            "INSERT INTO AM_APPLICATION_REGISTRATION (REG_ID, SUBSCRIBER_ID, WF_REF, APP_ID, TOKEN_TYPE, ALLOWED_DOMAINS, VALIDITY_PERIOD, TOKEN_SCOPE, INPUTS) \
             SELECT {FIRST} + seq, {FIRST} + 1 + MOD(seq, {users}), UUID(), {FIRST} + seq, 'PRODUCTION', 'ALL', 3600, 'default', \
             CONCAT('{{\"username\":\"', {}, '\",\"validityPeriod\":\"3600\",\"tokenScope\":[\"default\"]}}') FROM seq_1_to_{applications}",
            owner("seq")
        ));
        all.push(format!(
            "INSERT INTO IDN_OAUTH_CONSUMER_APPS (CONSUMER_KEY, CONSUMER_SECRET, USERNAME, TENANT_ID, APP_NAME, OAUTH_VERSION, CALLBACK_URL, GRANT_TYPES) \
             SELECT {}, {secret}, {}, -1234, {name}, 'OAuth-2.0', '', \
             'refresh_token password client_credentials' FROM seq_1_to_{applications}",
            key("seq"),
            owner("seq")
        ));
        all.push(format!(
            "INSERT INTO SP_APP (ID, TENANT_ID, APP_NAME, USER_STORE, USERNAME, DESCRIPTION, AUTH_TYPE, IS_LOCAL_CLAIM_DIALECT, IS_SEND_LOCAL_SUBJECT_ID, \
             IS_SEND_AUTH_LIST_OF_IDPS, IS_SAAS_APP) SELECT {FIRST} + seq, -1234, {name}, 'PRIMARY', {}, '', 'default', \
             '1', '0', '0', '0' FROM seq_1_to_{applications}",
            owner("seq")
        ));
        all.push(format!(
            "INSERT INTO SP_INBOUND_AUTH (ID, TENANT_ID, INBOUND_AUTH_KEY, INBOUND_AUTH_TYPE, PROP_NAME, PROP_VALUE, APP_ID) \
             SELECT {FIRST} + seq, -1234, {}, 'oauth2', 'oauthConsumerSecret', {secret}, {FIRST} + seq FROM seq_1_to_{applications}",
            key("seq")
        ));
        // Every client leaves an internal role of its service provider's name, held by its owner.
        all.push(format!(
            "INSERT INTO UM_HYBRID_ROLE (UM_ID, UM_ROLE_NAME, UM_TENANT_ID) \
             SELECT {FIRST} + seq, {name}, -1234 FROM seq_1_to_{applications}"
        ));
        all.push(format!(
            "INSERT INTO UM_HYBRID_USER_ROLE (UM_ID, UM_USER_NAME, UM_ROLE_ID, UM_TENANT_ID, UM_DOMAIN_ID) \
             SELECT 2 * {FIRST} + seq, {}, {FIRST} + seq, -1234, 1 FROM seq_1_to_{applications}",
            owner("seq")
        ));
        all.extend(chunks(subscriptions).map(|(from, to)| {
            let nth = format!("((seq - 1) DIV {each} + 1)");
            format!(
                "INSERT INTO AM_SUBSCRIPTION (SUBSCRIPTION_ID, TIER_ID, API_ID, LAST_ACCESSED, APPLICATION_ID, SUB_STATUS, SUBS_CREATE_STATE, CREATED_BY, \
                 CREATED_TIME, UPDATED_TIME) SELECT {FIRST} + seq, ELT(1 + MOD(seq, 3), 'Gold', 'Bronze', 'Unlimited'), \
                 {FIRST_API} + MOD(CONV(LEFT(MD5(CONCAT('{seed}:first:', {nth})), 6), 16, 10) + MOD(seq - 1, {each}), {apis}), NOW(), {FIRST} + {nth}, \
                 CASE MOD(seq, 100) WHEN 1 THEN 'BLOCKED' WHEN 2 THEN 'PROD_ONLY_BLOCKED' WHEN 3 THEN 'ON_HOLD' ELSE 'UNBLOCKED' END, 'SUBSCRIBE', {}, \
                 {}, '0000-00-00 00:00:00' FROM seq_{from}_to_{to}",
                owner(&nth),
                day("MOD(seq, 700)")
            )
        }));
        all.extend(
            chunks(tokens).map(|(from, to)| token_rows(&format!("seq_{from}_to_{to}"), seed, &application("token"), "token", users)),
        );
        all
    }

    /// Ten thousand rows in all, or a hundredth of a smaller site: new tokens, tokens that end, subscriptions that change. How many of each.
    pub(crate) fn change(&self) -> anyhow::Result<[u32; 3]> {
        let Size { applications, subscriptions, tokens, seed, .. } = self.size;
        let share = (10_000.min(tokens / 10)).max(10);
        let (new, ended, changed) = (share * 4 / 10, share * 3 / 10, (share * 3 / 10).min(subscriptions));
        // A database that is used again was changed before.
        let round = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
        let application = format!("1 + MOD(CONV(LEFT(MD5(CONCAT('{seed}:since:', seq)), 8), 16, 10), {applications})");
        self.run(&token_rows(&format!("seq_1_to_{new}"), seed, &application, &format!("since {round}"), self.size.users()))?;
        // Spread over the whole table: the first token at or after some even steps through the keys.
        let step = u64::from(tokens) / u64::from(ended.max(1)).max(1);
        // A table of the keys: this server looks up each row of a large one in a list of values, but each value of a table in the large one.
        self.run(&format!(
            "CREATE TEMPORARY TABLE some (k VARCHAR(255) CHARACTER SET utf8 NOT NULL PRIMARY KEY) AS SELECT {} AS k FROM seq_1_to_{ended}; \
             UPDATE some STRAIGHT_JOIN IDN_OAUTH2_ACCESS_TOKEN t ON t.ACCESS_TOKEN = some.k \
             SET t.TOKEN_STATE = 'EXPIRED', t.TOKEN_STATE_ID = UUID()",
            access(&format!("(seq * {step} - {})", round % step.max(1)), seed, "token")
        ))?;
        let step = (subscriptions / changed.max(1)).max(1);
        self.run(&format!(
            "UPDATE seq_1_to_{changed} s STRAIGHT_JOIN AM_SUBSCRIPTION t ON t.SUBSCRIPTION_ID = {FIRST} + s.seq * {step} \
             SET t.SUB_STATUS = IF(t.SUB_STATUS = 'BLOCKED', 'UNBLOCKED', 'BLOCKED'), t.UPDATED_TIME = NOW()"
        ))?;
        Ok([new, ended, changed])
    }

    /// Takes it away again.
    pub(crate) fn drop(self) -> anyhow::Result<()> {
        sql("information_schema", &format!("DROP DATABASE {}", self.size.database())).map(drop)
    }

    fn run(&self, statement: &str) -> anyhow::Result<String> {
        sql(&self.size.database(), statement)
    }
}

impl Size {
    fn is_there(self) -> anyhow::Result<bool> {
        let asked = format!("SELECT COUNT(*) FROM TABLES WHERE TABLE_SCHEMA = '{}' AND TABLE_NAME = 'bench_is_whole'", self.database());
        Ok(sql("information_schema", &asked)?.trim() == "1")
    }
}

/// The text of a token. It begins with its number, so that rows are made in the order of their key, which a server with little memory needs.
fn access(n: &str, seed: u32, label: &str) -> String {
    format!("CONCAT(LPAD(LOWER(HEX({n})), 8, '0'), RIGHT(MD5(CONCAT('{seed}:{label}:', {n})), 24))")
}

/// Nine in ten are in force, of them one in twenty for ever; a third act for a user. All have a refresh token.
fn token_rows(sequence: &str, seed: u32, application: &str, label: &str, users: u32) -> String {
    let text = access("seq", seed, label);
    format!(
        "INSERT INTO IDN_OAUTH2_ACCESS_TOKEN (ACCESS_TOKEN, REFRESH_TOKEN, CONSUMER_KEY, AUTHZ_USER, USER_TYPE, TIME_CREATED, VALIDITY_PERIOD, TOKEN_SCOPE, \
         TOKEN_STATE, TOKEN_STATE_ID) SELECT {text}, MD5(CONCAT('{seed}:refresh:{label}:', seq)), MD5(CONCAT('{seed}:key:', {application})), \
         CONCAT('bulk', 1 + MOD({application}, {users}), '@carbon.super'), IF(MOD(seq, 3) = 0, 'APPLICATION_USER', 'APPLICATION'), \
         UTC_TIMESTAMP() - INTERVAL MOD(seq, 20) DAY, IF(MOD(seq, 20) = 7, 9223372036854775807, 2592000000), \
         IF(MOD(seq, 3) = 0, CONCAT('default device_', MOD(seq, 50)), 'am_application_scope default'), \
         CASE MOD(seq, 20) WHEN 3 THEN 'EXPIRED' WHEN 4 THEN 'REVOKED' ELSE 'ACTIVE' END, IF(MOD(seq, 20) IN (3, 4), UUID(), 'NONE') FROM {sequence}"
    )
}

/// So many rows in one statement at most: one transaction for all would be undone for hours when it is cut short.
fn chunks(rows: u32) -> impl Iterator<Item = (u32, u32)> {
    const CHUNK: u32 = 250_000;
    (0..rows.div_ceil(CHUNK)).map(move |n| (n * CHUNK + 1, ((n + 1) * CHUNK).min(rows)))
}

fn client(database: &str) -> Command {
    let mut client = Command::new("mariadb");
    client.args(["-h127.0.0.1", "-uroot", "-N", "-B", "--default-character-set=utf8", database]);
    client.stdout(Stdio::null());
    client
}

fn sql(database: &str, statements: &str) -> anyhow::Result<String> {
    // A date of zeros is what old servers wrote; this one must take it.
    let all = format!("SET SESSION sql_mode = ''; {statements}");
    let done = client(database).args(["-e", &all]).stdout(Stdio::piped()).output().context("cannot start mariadb")?;
    ensure!(done.status.success(), "{statements}: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_row_once() {
        assert_eq!(chunks(0).count(), 0);
        assert_eq!(chunks(3).collect::<Vec<_>>(), [(1, 3)]);
        assert_eq!(chunks(500_001).collect::<Vec<_>>(), [(1, 250_000), (250_001, 500_000), (500_001, 500_001)]);
    }

    #[test]
    fn a_size_names_its_database() {
        let size = Size { apis: 1, applications: 25, subscriptions: 3, tokens: 4, seed: 5 };
        assert_eq!((size.database().as_str(), size.users()), ("tidegate_bench_1_25_3_4_5", 2));
    }
}
