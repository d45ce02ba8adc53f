//! The user database: tenants, users, roles, permissions, claims.

use std::collections::HashMap;

use crate::artifacts;
use crate::rows::{Rows, Value, row};
use crate::seed;
use crate::site::{Api, DAY_MS, HOUR_MS, Site};

/// The action of a UI permission.
const EXECUTE: &str = "ui.execute";
/// The action that lets a role read a registry resource.
pub(crate) const GET: &str = "http://www.wso2.org/projects/registry/actions/get";

/// UM_DOMAIN's names, numbered from 1 as a fresh installation does.
const DOMAINS: [&str; 3] = ["PRIMARY", "SYSTEM", "INTERNAL"];
/// The user store of ordinary users and roles.
pub(crate) const PRIMARY: i64 = 1;
/// Roles that live outside any user store.
pub(crate) const INTERNAL: i64 = 3;

/// Every row of the user database.
pub(crate) fn rows(site: &Site) -> Rows {
    let mut rows = Rows::default();
    for tenant in &site.tenants {
        row!(rows, "UM_TENANT"; UM_ID = tenant.id, UM_DOMAIN_NAME = &tenant.domain, UM_EMAIL = format!("{}@{}", tenant.admin, tenant.domain),
            UM_ACTIVE = tenant.active, UM_CREATED_DATE = site.local(site.now_ms - 300 * DAY_MS),
            UM_USER_CONFIG = realm(&tenant.admin, &tenant.domain).into_bytes());
    }
    let mut permissions = Permissions::default();
    for tenant in site.tenant_ids() {
        for (id, name) in (1i64..).zip(DOMAINS) {
            row!(rows, "UM_DOMAIN"; UM_DOMAIN_ID = id, UM_DOMAIN_NAME = name, UM_TENANT_ID = tenant);
        }
        system(site, tenant, &mut rows);
        claims(tenant, &mut rows);
        people(site, tenant, &mut rows);
        for role in site.roles.iter().filter(|r| r.tenant == tenant) {
            let domain = if role.internal { INTERNAL } else { PRIMARY };
            for path in &role.permissions {
                permissions.grant(&mut rows, tenant, path, EXECUTE, &role.name, domain, true);
            }
        }
        stores(site, tenant, &mut permissions, &mut rows);
    }
    for api in &site.apis {
        visibility(site, api, &mut permissions, &mut rows);
    }
    rows
}

/// What the tables hold of stores that other servers keep: a number, permissions of their roles, internal roles of their users.
fn stores(site: &Site, tenant: i32, permissions: &mut Permissions, rows: &mut Rows) {
    let mut next = 4_i64;
    for store in site.user_stores.iter().filter(|s| s.tenant == tenant) {
        let domain = if store.is_primary() { PRIMARY } else { next };
        if !store.is_primary() {
            next += 1;
            row!(rows, "UM_DOMAIN"; UM_DOMAIN_ID = domain, UM_DOMAIN_NAME = store.domain.to_uppercase(), UM_TENANT_ID = tenant);
        }
        for (role, paths) in &store.roles {
            for path in paths {
                permissions.grant(rows, tenant, path, EXECUTE, role, domain, true);
            }
        }
        // People numbered the internal roles of the tenant in their order.
        let internal: Vec<&str> = site.roles.iter().filter(|r| r.internal && r.tenant == tenant).map(|r| r.name.as_str()).collect();
        let before: i64 = site.tenant_ids().iter().take_while(|id| **id != tenant).map(|id| hybrids(site, *id)).sum();
        for (user, role) in &store.held {
            let Some(place) = (1_i64..).zip(&internal).find(|(_, name)| *name == role).map(|(at, _)| before + at) else { continue };
            let id = rows.next_number("UM_HYBRID_USER_ROLE");
            row!(rows, "UM_HYBRID_USER_ROLE"; UM_ID = id, UM_USER_NAME = user, UM_ROLE_ID = place, UM_TENANT_ID = tenant, UM_DOMAIN_ID = domain);
        }
    }
}

/// Internal roles of a tenant, those of OAuth clients too.
fn hybrids(site: &Site, tenant: i32) -> i64 {
    let roles =
        site.roles.iter().filter(|r| r.internal && r.tenant == tenant).count() + site.clients().filter(|c| c.tenant == tenant).count();
    i64::try_from(roles).unwrap_or(i64::MAX)
}

/// The registry roles of an API's artifact: who may see it in the store.
fn visibility(site: &Site, api: &Api, permissions: &mut Permissions, rows: &mut Rows) {
    let folder = artifacts::api_folder(api);
    let mut allow = |path: &str, role: &str, allowed: bool| {
        let internal = role.strip_prefix("Internal/").map(str::to_owned);
        let known = site.roles.iter().find(|r| r.tenant == api.tenant && r.name == role);
        let domain = match (role, internal.is_some() || known.is_some_and(|r| r.internal)) {
            ("wso2.anonymous.role", _) => 2,
            (_, true) => INTERNAL,
            _ => PRIMARY,
        };
        permissions.grant(rows, api.tenant, path, GET, internal.as_deref().unwrap_or(role), domain, allowed);
    };
    for path in [format!("{folder}/api"), format!("{folder}/swagger.json")] {
        allow(&path, "everyone", api.visibility != "restricted");
        allow(&path, "wso2.anonymous.role", matches!(api.visibility.as_str(), "public" | "controlled"));
        if api.visibility == "restricted" {
            for role in &api.visible_roles {
                allow(&path, role, true);
            }
        }
    }
}

/// UM_PERMISSION rows made once per (tenant, resource, action).
#[derive(Default)]
struct Permissions {
    known: HashMap<(i32, String, String), i64>,
}

impl Permissions {
    fn grant(&mut self, rows: &mut Rows, tenant: i32, resource: &str, action: &str, role: &str, domain: i64, allowed: bool) {
        // Resource ids and role names are stored lower-cased, whatever the case elsewhere.
        let resource = resource.to_lowercase();
        let id = *self.known.entry((tenant, resource.clone(), action.to_owned())).or_insert_with(|| {
            let id = rows.next_number("UM_PERMISSION");
            row!(rows, "UM_PERMISSION"; UM_ID = id, UM_RESOURCE_ID = resource, UM_ACTION = action, UM_TENANT_ID = tenant, UM_MODULE_ID = 0);
            id
        });
        let link = rows.next_number("UM_ROLE_PERMISSION");
        row!(rows, "UM_ROLE_PERMISSION"; UM_ID = link, UM_PERMISSION_ID = id, UM_ROLE_NAME = role.to_lowercase(),
            UM_IS_ALLOWED = i64::from(allowed), UM_TENANT_ID = tenant, UM_DOMAIN_ID = domain);
    }
}

fn system(site: &Site, tenant: i32, rows: &mut Rows) {
    let id = rows.next_number("UM_SYSTEM_USER");
    let salt = seed::salt(site.seed, &format!("anonymous:{tenant}"));
    row!(rows, "UM_SYSTEM_USER"; UM_ID = id, UM_USER_NAME = "wso2.anonymous.user",
        UM_USER_PASSWORD = seed::password_digest(&seed::key(site.seed, "anonymous"), &salt), UM_SALT_VALUE = salt, UM_REQUIRE_CHANGE = false,
        UM_CHANGED_TIME = site.local(site.now_ms - 300 * DAY_MS), UM_TENANT_ID = tenant);
    row!(rows, "UM_SYSTEM_ROLE"; UM_ID = id, UM_ROLE_NAME = "wso2.anonymous.role", UM_TENANT_ID = tenant);
    row!(rows, "UM_SYSTEM_USER_ROLE"; UM_ID = id, UM_USER_NAME = "wso2.anonymous.user", UM_ROLE_ID = id, UM_TENANT_ID = tenant);
}

fn people(site: &Site, tenant: i32, rows: &mut Rows) {
    let mut roles = HashMap::<String, i64>::new();
    for role in site.roles.iter().filter(|r| r.tenant == tenant) {
        if role.internal {
            let id = rows.next_number("UM_HYBRID_ROLE");
            row!(rows, "UM_HYBRID_ROLE"; UM_ID = id, UM_ROLE_NAME = &role.name, UM_TENANT_ID = tenant);
            roles.insert(format!("Internal/{}", role.name), id);
        } else {
            let id = rows.next_number("UM_ROLE");
            row!(rows, "UM_ROLE"; UM_ID = id, UM_ROLE_NAME = &role.name, UM_TENANT_ID = tenant, UM_SHARED_ROLE = false);
            roles.insert(role.name.clone(), id);
        }
    }
    // Every OAuth client leaves an internal role named like its service provider, held by its owner.
    for client in site.clients().filter(|c| c.tenant == tenant) {
        let id = rows.next_number("UM_HYBRID_ROLE");
        row!(rows, "UM_HYBRID_ROLE"; UM_ID = id, UM_ROLE_NAME = &client.name, UM_TENANT_ID = tenant);
        hold(rows, &client.owner, id, tenant);
    }
    for user in site.users.iter().filter(|u| u.tenant == tenant) {
        let id = rows.next_number("UM_USER");
        let salt = seed::salt(site.seed, &format!("{}:{tenant}", user.name));
        row!(rows, "UM_USER"; UM_ID = id, UM_USER_NAME = &user.name, UM_USER_PASSWORD = seed::password_digest(&user.password, &salt),
            UM_SALT_VALUE = salt, UM_REQUIRE_CHANGE = false, UM_CHANGED_TIME = site.local(site.now_ms - 250 * DAY_MS + id * HOUR_MS),
            UM_TENANT_ID = tenant);
        for (name, value) in &user.attributes {
            let attribute = rows.next_number("UM_USER_ATTRIBUTE");
            row!(rows, "UM_USER_ATTRIBUTE"; UM_ID = attribute, UM_ATTR_NAME = name, UM_ATTR_VALUE = value, UM_PROFILE_ID = "default",
                UM_USER_ID = id, UM_TENANT_ID = tenant);
        }
        for role in &user.roles {
            match roles.get(role) {
                Some(role_id) if role.starts_with("Internal/") => hold(rows, &user.name, *role_id, tenant),
                Some(role_id) => {
                    let link = rows.next_number("UM_USER_ROLE");
                    row!(rows, "UM_USER_ROLE"; UM_ID = link, UM_ROLE_ID = *role_id, UM_USER_ID = id, UM_TENANT_ID = tenant);
                }
                None => {}
            }
        }
    }
}

fn hold(rows: &mut Rows, user: &str, role: i64, tenant: i32) {
    let id = rows.next_number("UM_HYBRID_USER_ROLE");
    row!(rows, "UM_HYBRID_USER_ROLE"; UM_ID = id, UM_USER_NAME = user, UM_ROLE_ID = role, UM_TENANT_ID = tenant, UM_DOMAIN_ID = PRIMARY);
}

fn claims(tenant: i32, rows: &mut Rows) {
    const LOCAL: [(&str, &str, &str); 5] = [
        ("http://wso2.org/claims/emailaddress", "mail", "Email"),
        ("http://wso2.org/claims/givenname", "givenName", "First Name"),
        ("http://wso2.org/claims/lastname", "sn", "Last Name"),
        ("http://wso2.org/claims/organization", "organizationName", "Organization"),
        ("http://wso2.org/claims/role", "role", "Role"),
    ];
    const OIDC: [(&str, &str, &str); 3] =
        [("email", "mail", "Email"), ("given_name", "givenName", "Given Name"), ("family_name", "sn", "Surname")];
    for (uri, claims) in [("http://wso2.org/claims", LOCAL.as_slice()), ("http://wso2.org/oidc/claim", OIDC.as_slice())] {
        let dialect = rows.next_number("UM_DIALECT");
        row!(rows, "UM_DIALECT"; UM_ID = dialect, UM_DIALECT_URI = uri, UM_TENANT_ID = tenant);
        for (order, (claim, attribute, tag)) in (1i64..).zip(claims) {
            let id = rows.next_number("UM_CLAIM");
            row!(rows, "UM_CLAIM"; UM_ID = id, UM_DIALECT_ID = dialect, UM_CLAIM_URI = *claim, UM_DISPLAY_TAG = *tag, UM_DESCRIPTION = *tag,
                UM_MAPPED_ATTRIBUTE_DOMAIN = Value::Null, UM_MAPPED_ATTRIBUTE = *attribute, UM_REG_EX = Value::Null, UM_SUPPORTED = 1,
                UM_REQUIRED = i64::from(*attribute == "mail"), UM_DISPLAY_ORDER = order, UM_CHECKED_ATTRIBUTE = 0,
                UM_READ_ONLY = i64::from(*attribute == "role"), UM_TENANT_ID = tenant);
        }
    }
}

/// A tenant's own realm settings, kept as a blob.
fn realm(admin: &str, domain: &str) -> String {
    format!(
        "<UserManager><Realm><Configuration><AddAdmin>true</AddAdmin><AdminRole>admin</AdminRole><AdminUser><UserName>{admin}</UserName>\
         <Password>XXXXXX</Password></AdminUser><EveryOneRoleName>everyone</EveryOneRoleName>\
         <Property name=\"dataSource\">jdbc/WSO2CarbonDB</Property></Configuration>\
         <UserStoreManager class=\"org.wso2.carbon.user.core.jdbc.JDBCUserStoreManager\"><Property name=\"PasswordDigest\">SHA-256</Property>\
         <Property name=\"StoreSaltedPassword\">true</Property><Property name=\"UserRolesCacheEnabled\">true</Property></UserStoreManager>\
         <AuthorizationManager class=\"org.wso2.carbon.user.core.authorization.JDBCAuthorizationManager\">\
         <Property name=\"AdminRoleManagementPermissions\">/permission</Property></AuthorizationManager></Realm><!-- {domain} --></UserManager>"
    )
}
