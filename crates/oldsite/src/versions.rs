//! The same site as another version would hold it: rows are made as 1.9.1 has them, faults included, and told anew.
//!
//! One set of rows and a list of differences, because what a version changed is what an upgrade must tell apart: keys that
//! became numbers, scopes that moved to a table of their own, contexts that carry a version, limits that became policies.

use std::collections::HashMap;

use crate::Databases;
use crate::artifacts;
use crate::rows::{Rows, Value, row};
use crate::schema::{Table, Version, tables_of};
use crate::seed;
use crate::site::{DAY_MS, SUPER_DOMAIN, SUPER_TENANT, Site};

/// The rows of 1.9.1 as `site.version` has them.
pub(crate) fn told_anew(site: &Site, mut built: Databases) -> Databases {
    if site.version == Version::V1_8_0 {
        before_1_9(&mut built.am);
    }
    let older = built.am;
    let mut am = in_schema(&older, site.version);
    if site.version >= Version::V1_10_0 {
        keyed_by_number(site, &older, &mut am);
    }
    if site.version >= Version::V2_0_0 {
        with_policies(site, &mut am);
    }
    Databases { am, ..built }
}

/// Every row of a table that both have, with the columns both have; the rest is NULL.
fn in_schema(rows: &Rows, version: Version) -> Rows {
    let mut out = Rows::of_version(version);
    for table in tables_of(version) {
        let Some(before) = rows.table(table.name) else { continue };
        for row in rows.of(before) {
            let fields = table.columns.iter().filter_map(|c| Some((c.name, row.get(before.position(c.name)?)?.clone()))).collect();
            out.add(table.name, fields);
        }
    }
    out
}

fn text<'a>(table: &Table, row: &'a [Value], column: &str) -> &'a str {
    match table.position(column).and_then(|at| row.get(at)) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn put(table: &Table, row: &mut [Value], column: &str, value: impl Into<Value>) {
    if let Some(field) = table.position(column).and_then(|at| row.get_mut(at)) {
        *field = value.into();
    }
}

/// Contexts without version, paths of scopes with one version, "never" as the largest number, and no scope of applications.
fn before_1_9(am: &mut Rows) {
    am.each("AM_API", |table, row| {
        let version = format!("/{}", text(table, row, "API_VERSION"));
        let context = text(table, row, "CONTEXT");
        let bare = context.strip_suffix(&version).unwrap_or(context).to_owned();
        put(table, row, "CONTEXT", bare);
    });
    am.each("IDN_OAUTH2_RESOURCE_SCOPE", |table, row| {
        let path = spelled_before_1_9(text(table, row, "RESOURCE_PATH"));
        put(table, row, "RESOURCE_PATH", path);
    });
    // A site that held both spellings holds one row twice now, which its key does not allow.
    let mut seen = std::collections::HashSet::new();
    let mut twice = Vec::new();
    for path in am.values("IDN_OAUTH2_RESOURCE_SCOPE", "RESOURCE_PATH") {
        if let Value::Text(path) = path
            && !seen.insert(path.clone())
        {
            twice.push(path);
        }
    }
    for path in twice {
        am.drop_first("IDN_OAUTH2_RESOURCE_SCOPE", "RESOURCE_PATH", &path.as_str().into());
    }
    am.each("IDN_OAUTH2_ACCESS_TOKEN", |table, row| {
        if text(table, row, "TOKEN_SCOPE") == "am_application_scope default" {
            put(table, row, "TOKEN_SCOPE", "default");
        }
        let period = table.position("VALIDITY_PERIOD").and_then(|at| row.get(at));
        if matches!(period, Some(Value::Int(ms)) if *ms < 0) {
            put(table, row, "VALIDITY_PERIOD", i64::MAX);
        }
    });
}

/// `/orders/1.0.0/1.0.0/*:GET`, as 1.9 wrote it, with its version once.
fn spelled_before_1_9(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let twice = parts.windows(2).position(|pair| matches!(pair, [a, b] if a == b && !a.is_empty()));
    parts.iter().enumerate().filter(|(at, _)| Some(*at) != twice).map(|(_, part)| *part).collect::<Vec<_>>().join("/")
}

/// Clients and tokens with numbers of their own, a token's scopes in their table, users without their domain (from 1.10).
fn keyed_by_number(site: &Site, older: &Rows, am: &mut Rows) {
    for (name, what) in [("AM_APPLICATION", "APPLICATION_ID"), ("AM_SUBSCRIPTION", "SUBSCRIPTION_ID")] {
        am.each(name, |table, row| {
            let id = table.position(what).and_then(|at| row.get(at)).cloned();
            if let Some(Value::Int(id)) = id {
                put(table, row, "UUID", seed::uuid(site.seed, &format!("{name}:{id}")));
            }
        });
    }
    let mut clients = HashMap::<String, (i64, Value)>::new();
    am.each("IDN_OAUTH_CONSUMER_APPS", |table, row| {
        let id = i64::try_from(clients.len()).unwrap_or(0) + 1;
        let tenant = table.position("TENANT_ID").and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null);
        clients.insert(text(table, row, "CONSUMER_KEY").to_owned(), (id, tenant));
        put(table, row, "ID", id);
        put(table, row, "USER_DOMAIN", "PRIMARY");
        put(table, row, "PKCE_MANDATORY", "0");
        put(table, row, "PKCE_SUPPORT_PLAIN", "0");
    });
    // A client that is gone had a number that is gone.
    let client = |key: &str| clients.get(key).cloned().unwrap_or((9_999, Value::Int(SUPER_TENANT.into())));
    let old = |name: &str, column: &str| {
        let texts = older.values(name, column).into_iter();
        texts.map(|v| if let Value::Text(t) = v { t } else { String::new() }).collect::<Vec<_>>()
    };
    let keys = old("IDN_OAUTH2_ACCESS_TOKEN", "CONSUMER_KEY");
    let scopes = old("IDN_OAUTH2_ACCESS_TOKEN", "TOKEN_SCOPE");
    let mut scope_rows = Vec::new();
    let mut next = keys.iter().zip(&scopes);
    am.each("IDN_OAUTH2_ACCESS_TOKEN", |table, row| {
        let Some((key, scopes)) = next.next() else { return };
        let (id, tenant) = client(key);
        let token = seed::uuid(site.seed, &format!("token:{}", text(table, row, "ACCESS_TOKEN")));
        let user = text(table, row, "AUTHZ_USER").to_owned();
        let by_itself = text(table, row, "USER_TYPE") == "APPLICATION";
        let period = table.position("VALIDITY_PERIOD").and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null);
        let made = table.position("TIME_CREATED").and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null);
        put(table, row, "TOKEN_ID", token.clone());
        put(table, row, "CONSUMER_KEY_ID", id);
        put(table, row, "AUTHZ_USER", without_domain(site, &user));
        put(table, row, "SUBJECT_IDENTIFIER", user);
        put(table, row, "USER_DOMAIN", "PRIMARY");
        put(table, row, "TENANT_ID", tenant.clone());
        put(table, row, "GRANT_TYPE", if by_itself { "client_credentials" } else { "password" });
        put(table, row, "REFRESH_TOKEN_TIME_CREATED", made);
        // A refresh token outlives its access token.
        let refreshed_for = if matches!(period, Value::Int(ms) if ms < 0) { period } else { Value::Int(60 * DAY_MS) };
        put(table, row, "REFRESH_TOKEN_VALIDITY_PERIOD", refreshed_for);
        put(table, row, "TOKEN_SCOPE_HASH", seed::uuid(site.seed, scopes).replace('-', ""));
        scope_rows.extend(scopes.split(' ').filter(|s| !s.is_empty()).map(|s| (token.clone(), s.to_owned(), tenant.clone())));
    });
    for (token, scope, tenant) in scope_rows {
        row!(am, "IDN_OAUTH2_ACCESS_TOKEN_SCOPE"; TOKEN_ID = token, TOKEN_SCOPE = scope, TENANT_ID = tenant);
    }
    let keys = old("IDN_OAUTH2_AUTHORIZATION_CODE", "CONSUMER_KEY");
    let mut next = keys.iter();
    am.each("IDN_OAUTH2_AUTHORIZATION_CODE", |table, row| {
        let (id, tenant) = next.next().map(|key| client(key)).unwrap_or((9_999, Value::Null));
        let user = without_domain(site, text(table, row, "AUTHZ_USER")).to_owned();
        let code = seed::uuid(site.seed, &format!("code:{}", text(table, row, "AUTHORIZATION_CODE")));
        put(table, row, "CODE_ID", code);
        put(table, row, "CONSUMER_KEY_ID", id);
        put(table, row, "TENANT_ID", tenant);
        put(table, row, "USER_DOMAIN", "PRIMARY");
        put(table, row, "STATE", "EXPIRED");
        put(table, row, "AUTHZ_USER", user);
    });
}

fn without_domain<'a>(site: &Site, user: &'a str) -> &'a str {
    let known = |domain: &str| domain == SUPER_DOMAIN || site.tenants.iter().any(|t| t.domain == domain);
    user.rsplit_once('@').filter(|(_, domain)| known(domain)).map_or(user, |(name, _)| name)
}

/// Limits in tables, a policy with conditions, refused callers, and who may use which (from 2.0).
fn with_policies(site: &Site, am: &mut Rows) {
    for tenant in site.tenant_ids() {
        for tier in &site.tiers {
            let (time, unit) = if tier.unit_ms.is_multiple_of(86_400_000) {
                (tier.unit_ms / 86_400_000, "day")
            } else if tier.unit_ms.is_multiple_of(60_000) {
                (tier.unit_ms / 60_000, "min")
            } else {
                (tier.unit_ms / 1_000, "sec")
            };
            let time = i64::try_from(time).unwrap_or(1);
            let id = am.next_number("AM_POLICY_SUBSCRIPTION");
            row!(am, "AM_POLICY_SUBSCRIPTION"; POLICY_ID = id, NAME = &tier.name, DISPLAY_NAME = &tier.name, TENANT_ID = tenant,
                DESCRIPTION = &tier.description, QUOTA_TYPE = "requestCount", QUOTA = i64::from(tier.count), UNIT_TIME = time, TIME_UNIT = unit,
                IS_DEPLOYED = true, STOP_ON_QUOTA_REACH = tier.stop_on_quota, BILLING_PLAN = &tier.billing_plan,
                UUID = seed::uuid(site.seed, &format!("subscription policy:{tenant}:{}", tier.name)));
            let id = am.next_number("AM_POLICY_APPLICATION");
            row!(am, "AM_POLICY_APPLICATION"; POLICY_ID = id, NAME = &tier.name, DISPLAY_NAME = &tier.name, TENANT_ID = tenant,
                DESCRIPTION = &tier.description, QUOTA_TYPE = "requestCount", QUOTA = i64::from(tier.count), UNIT_TIME = time, TIME_UNIT = unit,
                IS_DEPLOYED = true, UUID = seed::uuid(site.seed, &format!("application policy:{tenant}:{}", tier.name)));
            let id = am.next_number("AM_API_THROTTLE_POLICY");
            row!(am, "AM_API_THROTTLE_POLICY"; POLICY_ID = id, NAME = &tier.name, DISPLAY_NAME = &tier.name, TENANT_ID = tenant,
                DESCRIPTION = &tier.description, DEFAULT_QUOTA_TYPE = "requestCount", DEFAULT_QUOTA = i64::from(tier.count),
                DEFAULT_UNIT_TIME = time, DEFAULT_TIME_UNIT = unit, APPLICABLE_LEVEL = "apiLevel", IS_DEPLOYED = true,
                UUID = seed::uuid(site.seed, &format!("resource policy:{tenant}:{}", tier.name)));
            if tier.name == "Gold" {
                conditions(am, id);
            }
        }
    }
    for (kind, value) in [("API", "/orders/1.0.0"), ("APPLICATION", "dave:Shop Front"), ("IP", "10.1.2.3"), ("USER", "frank")] {
        let id = am.next_number("AM_BLOCK_CONDITIONS");
        row!(am, "AM_BLOCK_CONDITIONS"; CONDITION_ID = id, TYPE = kind, VALUE = value, ENABLED = if kind == "IP" { "true" } else { "false" },
            DOMAIN = SUPER_DOMAIN, UUID = seed::uuid(site.seed, &format!("block:{kind}")));
    }
    row!(am, "AM_THROTTLE_TIER_PERMISSIONS"; THROTTLE_TIER_PERMISSIONS_ID = 1, TIER = "Gold", PERMISSIONS_TYPE = "deny",
        ROLES = "Internal/guest", TENANT_ID = SUPER_TENANT);
}

/// Twice as many calls from one network to one path of a caller with a certain header.
fn conditions(am: &mut Rows, policy: i64) {
    let group = am.next_number("AM_CONDITION_GROUP");
    row!(am, "AM_CONDITION_GROUP"; CONDITION_GROUP_ID = group, POLICY_ID = policy, QUOTA_TYPE = "requestCount", QUOTA = 40, UNIT_TIME = 1,
        TIME_UNIT = "min", DESCRIPTION = "Partners");
    let id = am.next_number("AM_IP_CONDITION");
    row!(am, "AM_IP_CONDITION"; AM_IP_CONDITION_ID = id, STARTING_IP = "10.0.0.1", ENDING_IP = "10.0.0.255", WITHIN_IP_RANGE = true,
        CONDITION_GROUP_ID = group);
    let id = am.next_number("AM_HEADER_FIELD_CONDITION");
    row!(am, "AM_HEADER_FIELD_CONDITION"; HEADER_FIELD_ID = id, CONDITION_GROUP_ID = group, HEADER_FIELD_NAME = "X-Partner",
        HEADER_FIELD_VALUE = "yes", IS_HEADER_FIELD_MAPPING = true);
}

impl Site {
    /// The same site as another version holds it.
    #[must_use]
    pub fn of_version(mut self, version: Version) -> Self {
        self.version = version;
        if version < Version::V1_9_0 {
            // What 1.9 brought with it: definitions of 2.0 beside the older ones.
            for api in &mut self.apis {
                api.swagger_12 = artifacts::swagger_12(api);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(version: Version) -> Databases {
        crate::databases(&Site::sample("http://b", 1_790_000_000_000).of_version(version))
    }

    #[test]
    fn a_version_brings_its_columns_and_takes_others_away() {
        let first = built(Version::V1_8_0);
        assert!(first.am.values("AM_API", "CONTEXT_TEMPLATE").is_empty());
        assert!(first.am.values("AM_API", "CONTEXT").contains(&"/orders".into()));
        assert!(first.am.values("IDN_OAUTH2_RESOURCE_SCOPE", "RESOURCE_PATH").contains(&"/orders/1.0.0/order/{id}:DELETE".into()));
        let never = |rows: &Rows| rows.values("IDN_OAUTH2_ACCESS_TOKEN", "VALIDITY_PERIOD").contains(&Value::Int(i64::MAX));
        assert!(never(&first.am));
        let numbered = built(Version::V1_10_0);
        assert!(numbered.am.values("IDN_OAUTH2_ACCESS_TOKEN", "CONSUMER_KEY").is_empty());
        assert!(numbered.am.count("IDN_OAUTH2_ACCESS_TOKEN_SCOPE") > numbered.am.count("IDN_OAUTH2_ACCESS_TOKEN"));
        assert_eq!(numbered.am.count("AM_BLOCK_CONDITIONS"), 0);
        let policies = built(Version::V2_0_0);
        assert_eq!((policies.am.count("AM_POLICY_SUBSCRIPTION"), policies.am.count("AM_BLOCK_CONDITIONS")), (14, 4));
    }

    #[test]
    fn a_scope_path_loses_its_second_version_only() {
        assert_eq!(spelled_before_1_9("/a/1.0/1.0/b/b:GET"), "/a/1.0/b/b:GET");
        assert_eq!(spelled_before_1_9("/a/1.0/b:GET"), "/a/1.0/b:GET");
    }
}
