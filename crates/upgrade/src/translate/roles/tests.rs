use chrono_tz::Tz;
use model::Timestamp;

use super::super::policies::bare;
use super::super::{EndpointMap, Finding, Input, RestScopes, Serving, Severity, Translation, permissions, users};
use super::*;
use crate::old::apis::{ApiRow, Artifact, OldApi};
use crate::old::limits::TierPermission;
use crate::old::registry::Property;
use crate::old::{Installation, oauth, people, people::SUPER_TENANT_ID as SUPER};
use crate::source::{Version, clock::Clock, files::Settings};

const SUBSCRIBE: &str = "/permission/admin/manage/api/subscribe";
const CREATE: &str = "/permission/admin/manage/api/create";
const PRIMARY: i64 = 1;
const INTERNAL: i64 = 3;

/// An old installation with four stores, the last two of them secondary and for applications, and nothing else.
fn installation() -> Installation {
    let stores = [(PRIMARY, "PRIMARY"), (2, "SYSTEM"), (INTERNAL, "INTERNAL"), (4, "LDAP"), (5, "APPLICATION")];
    let domain = |tenant_id: i64| move |(id, name): (i64, &str)| people::UserDomain { id, name: name.to_owned(), tenant_id };
    Installation {
        version: Version::V1_9_0,
        user_domains: stores.map(domain(SUPER)).into_iter().chain(stores.map(domain(1))).collect(),
        ..bare::installation()
    }
}

/// Writes old rows, numbering them as they come.
struct Site {
    old: Installation,
    settings: Settings,
}

impl Site {
    fn new() -> Self {
        Self { old: installation(), settings: Settings::default() }
    }

    fn tenant(&mut self, id: i64, domain: &str, admin_role: &str) {
        let realm = format!("<RealmConfiguration><Configuration><AdminRole>{admin_role}</AdminRole></Configuration></RealmConfiguration>");
        let realm_xml = Some(model::Secret::new(realm.into_bytes()));
        self.old.tenants.push(people::Tenant { id, domain: domain.to_owned(), email: None, active: None, created: None, realm_xml });
    }

    fn user(&mut self, tenant: i64, name: &str) -> i64 {
        let id = i64::try_from(self.old.users.len()).unwrap();
        let name = name.to_owned();
        let user = people::User { id, name, password: None, salt: None, must_change: None, changed: None, tenant_id: tenant };
        self.old.users.push(user);
        id
    }

    /// A role of the primary store with its members, who are made with it.
    fn role(&mut self, tenant_id: i64, name: &str, members: &[&str]) {
        let role_id = i64::try_from(self.old.roles.len()).unwrap();
        self.old.roles.push(people::Role { id: role_id, name: name.to_owned(), tenant_id, shared: None });
        for member in members {
            let user_id = self.user(tenant_id, member);
            self.old.role_assignments.push(people::RoleAssignment { role_id, user_id, tenant_id });
        }
    }

    /// An internal role with its members, who are made with it.
    fn internal(&mut self, tenant_id: i64, name: &str, members: &[&str]) {
        let role_id = i64::try_from(self.old.hybrid_roles.len()).unwrap();
        self.old.hybrid_roles.push(people::HybridRole { id: role_id, name: name.to_owned(), tenant_id });
        for member in members {
            self.user(tenant_id, member);
            let (user_name, domain_id) = ((*member).to_owned(), Some(PRIMARY));
            self.old.hybrid_assignments.push(people::HybridAssignment { user_name, role_id, tenant_id, domain_id });
        }
    }

    fn permission(&mut self, tenant_id: i64, path: &str) -> i64 {
        let id = i64::try_from(self.old.permissions.len()).unwrap();
        let (resource, action) = (path.to_owned(), "ui.execute".to_owned());
        self.old.permissions.push(people::Permission { id, resource, action, tenant_id });
        id
    }

    fn allow(&mut self, tenant_id: i64, role: &str, domain: i64, path: &str) {
        let permission_id = self.permission(tenant_id, path);
        let (role, domain_id) = (role.to_owned(), Some(domain));
        self.old.role_permissions.push(people::RolePermission { permission_id, role, allowed: Some(true), tenant_id, domain_id });
    }

    fn user_entry(&mut self, user: &str, path: &str, allowed: bool) {
        let permission_id = self.permission(SUPER, path);
        let user = user.to_owned();
        self.old.user_permissions.push(people::UserPermission { permission_id, user, allowed: Some(allowed), tenant_id: SUPER });
    }

    fn provider(&mut self, name: &str) {
        let id = i64::try_from(self.old.service_providers.len()).unwrap();
        let name = name.to_owned();
        self.old.service_providers.push(oauth::ServiceProvider {
            id,
            tenant_id: SUPER,
            name,
            user_store: None,
            user_name: None,
            description: None,
        });
    }

    fn translated_whole(&self) -> Translation {
        super::super::translate(&self.input(&EndpointMap::default()))
    }

    fn input<'a>(&'a self, endpoint_map: &'a EndpointMap) -> Input<'a> {
        Input {
            old: &self.old,
            settings: Some(&self.settings),
            synapse: &[],
            extras: None,
            nodes: None,
            destinations: None,
            stores: &[],
            clock: Clock::new(Tz::UTC),
            source: "test",
            endpoint_map,
            as_of: Timestamp(0),
            serving: Serving::default(),
            leave_encrypted: false,
        }
    }

    fn translated(&self) -> Translation {
        let map = EndpointMap::default();
        let input = self.input(&map);
        let mut desk = Desk::new(&input);
        let effective = permissions::Effective::of(&mut desk);
        let mut roles = translate(&mut desk, &effective);
        let users = users::translate(&mut desk, &mut roles);
        let rest_scopes = permissions::rest_scopes(&mut desk, &effective, &roles);
        let (findings, ledger) = desk.close();
        Translation { roles: roles.list, users, rest_scopes, findings, ledger, ..Translation::default() }
    }
}

fn roles_of(done: &Translation, name: &str) -> Vec<String> {
    done.users.iter().find(|u| u.value.name == name).unwrap().value.roles.clone()
}

fn holders(done: &Translation, tenant: i64, scope: &str) -> Vec<String> {
    let scopes: &RestScopes = &done.rest_scopes.iter().find(|s| s.key == tenant.to_string()).unwrap().value;
    scopes.bindings.iter().find(|b| b.scope == scope).unwrap().roles.clone()
}

fn warnings<'a>(done: &'a Translation, words: &str) -> Vec<&'a Finding> {
    done.findings.iter().filter(|f| f.severity == Severity::Warning && f.words.contains(words)).collect()
}

#[test]
fn an_ordinary_role_called_admin_does_not_administer() {
    let mut site = Site::new();
    site.settings.admin_role = Some("superadmin".to_owned());
    site.role(SUPER, "Admin", &["bob"]);
    site.role(SUPER, "superadmin", &["root"]);
    site.allow(SUPER, "admin", PRIMARY, SUBSCRIBE);
    site.allow(SUPER, "superadmin", PRIMARY, "/permission");
    let done = site.translated();
    assert_eq!(roles_of(&done, "bob"), ["admin_of_old"]);
    assert_eq!(roles_of(&done, "root"), ["superadmin", "admin"]);
    assert!(holders(&done, SUPER, "apim:subscribe").contains(&"admin_of_old".to_owned()));
    assert!(!holders(&done, SUPER, "apim:api_create").contains(&"admin_of_old".to_owned()));
    assert_eq!(warnings(&done, "Admin is carried as admin_of_old").len(), 1);
    assert!(done.roles.iter().all(|r| !r.value.name.eq_ignore_ascii_case("admin")));
}

#[test]
fn lists_that_name_a_renamed_role_name_it_as_it_is_called_here() {
    let mut site = Site::new();
    site.settings.admin_role = Some("superadmin".to_owned());
    site.tenant(1, "acme.com", "admin");
    site.role(SUPER, "Admin", &["bob"]);
    site.role(1, "admin", &["tim"]);
    let scope = |id, tenant| oauth::Scope {
        id,
        scope_key: Some(format!("s{id}")),
        name: None,
        display_name: None,
        description: None,
        tenant_id: Some(tenant),
        roles: Some("ADMIN, vip".to_owned()),
    };
    site.old.oauth_scopes = vec![scope(1, SUPER), scope(2, 1)];
    let permission = TierPermission {
        tier: "Unlimited".to_owned(),
        kind: Some("deny".to_owned()),
        roles: Some("admin".to_owned()),
        tenant_id: Some(SUPER),
    };
    (site.old.tier_permissions, site.old.policy_permissions) = (vec![permission.clone()], vec![permission]);
    let row = ApiRow {
        id: 1,
        provider: "bob".to_owned(),
        name: "N".to_owned(),
        version: "1".to_owned(),
        context: Some("/n/1".to_owned()),
        context_template: None,
        created_by: None,
        created: None,
        updated_by: None,
        updated: None,
        tier: None,
    };
    let property = |name: &str, value: &str| Property { name: name.to_owned(), value: Some(value.to_owned()) };
    let artifact = Artifact {
        path: String::new(),
        fields: [("overview_visibleRoles", "Admin,vip")].into_iter().collect(),
        fault: None,
        properties: vec![property("publisher_access_control", "restricted"), property("publisher_roles", "admin")],
        creator: None,
        created: None,
        updated: None,
    };
    site.old.apis = vec![OldApi { tenant_id: SUPER, row: Some(row), artifact: Some(artifact), ..OldApi::default() }];
    let done = site.translated_whole();
    let roles = |tenant: i32| done.shared_scopes.iter().find(|s| s.value.tenant.0 == tenant).unwrap().value.scope.roles.clone();
    assert_eq!((roles(-1234), roles(1)), (vec!["admin_of_old".to_owned(), "vip".to_owned()], vec!["ADMIN".to_owned(), "vip".to_owned()]));
    let plan = done.subscription_policies.iter().find(|p| p.value.permission.is_some()).unwrap();
    assert_eq!(plan.value.permission.as_ref().unwrap().roles, ["admin_of_old"]);
    let api = &done.apis[0].value.api;
    assert_eq!(
        (api.visible_roles.as_slice(), api.access_control_roles.as_slice()),
        (["admin_of_old".to_owned(), "vip".to_owned()].as_slice(), ["admin_of_old".to_owned()].as_slice())
    );
}

#[test]
fn a_new_name_is_free_and_in_its_own_tenant() {
    let mut site = Site::new();
    site.tenant(1, "acme.com", "bosses");
    site.role(SUPER, "admin", &["root"]);
    site.role(1, "admin", &["tim"]);
    site.role(1, "Admin_of_old", &["tom"]);
    site.role(1, "bosses", &["tina"]);
    let done = site.translated();
    assert_eq!(roles_of(&done, "root"), ["admin"]);
    assert_eq!(roles_of(&done, "tim"), ["admin_of_old_2"]);
    assert_eq!(roles_of(&done, "tom"), ["Admin_of_old"]);
    assert_eq!(roles_of(&done, "tina"), ["bosses", "admin"]);
}

#[test]
fn a_role_that_may_do_everything_keeps_the_name() {
    let mut site = Site::new();
    site.settings.admin_role = Some("superadmin".to_owned());
    site.role(SUPER, "admin", &["bob"]);
    site.allow(SUPER, "admin", PRIMARY, "/permission");
    assert_eq!(roles_of(&site.translated(), "bob"), ["admin"]);
}

#[test]
fn internal_admin_is_the_administrator_only_when_told_or_alone() {
    let mut site = Site::new();
    site.role(SUPER, "admin", &["root"]);
    site.internal(SUPER, "admin", &["bob"]);
    let done = site.translated();
    assert_eq!((roles_of(&done, "root"), roles_of(&done, "bob")), (vec!["admin".to_owned()], vec!["Internal/admin".to_owned()]));

    site.settings.admin_role = Some("internal/Admin".to_owned());
    let done = site.translated();
    assert_eq!(roles_of(&done, "root"), ["admin_of_old"]);
    assert_eq!(roles_of(&done, "bob"), ["Internal/admin", "admin"]);

    let mut alone = Site::new();
    alone.internal(SUPER, "admin", &["bob"]);
    assert_eq!(roles_of(&alone.translated(), "bob"), ["Internal/admin", "admin"]);
    alone.settings.admin_role = Some("LDAP/admin".to_owned());
    assert_eq!(roles_of(&alone.translated(), "bob"), ["Internal/admin"]);
}

#[test]
fn a_role_of_another_tenant_is_not_the_one_of_that_name_here() {
    let mut site = Site::new();
    site.tenant(1, "acme.com", "admin");
    site.role(SUPER, "admin", &[]);
    let user_id = site.user(1, "tina");
    let shared = people::SharedRoleAssignment { role_id: 0, user_id, user_tenant_id: 1, role_tenant_id: SUPER };
    site.old.shared_role_assignments.push(shared);
    let done = site.translated();
    assert!(roles_of(&done, "tina").is_empty());
    assert_eq!(warnings(&done, "has a role of tenant -1234").len(), 1);
}

#[test]
fn permissions_go_to_the_role_of_their_own_store() {
    let mut site = Site::new();
    site.role(SUPER, "devs", &[]);
    site.internal(SUPER, "devs", &[]);
    site.allow(SUPER, "devs", 4, CREATE);
    site.allow(SUPER, "devs", 5, CREATE);
    site.allow(SUPER, "devs", 2, CREATE);
    site.allow(SUPER, "devs", 99, CREATE);
    let done = site.translated();
    let creators = holders(&done, SUPER, "apim:api_create");
    assert!(!creators.iter().any(|r| r.contains("devs")), "{creators:?}");
    let reasons = format!("{:?}", done.ledger.of("UM_ROLE_PERMISSION"));
    assert!(reasons.contains("role of another store"), "{reasons}");

    site.allow(SUPER, "devs", INTERNAL, CREATE);
    let creators = holders(&site.translated(), SUPER, "apim:api_create");
    assert!(creators.contains(&"Internal/devs".to_owned()) && !creators.contains(&"devs".to_owned()));
    site.allow(SUPER, "devs", PRIMARY, CREATE);
    assert!(holders(&site.translated(), SUPER, "apim:api_create").contains(&"devs".to_owned()));
}

#[test]
fn a_primary_store_of_another_name_is_the_primary_store_or_told() {
    let mut site = Site::new();
    site.old.user_domains.iter_mut().filter(|d| d.id == PRIMARY).for_each(|d| d.name = "WSO2.ORG".to_owned());
    site.role(SUPER, "devs", &[]);
    site.allow(SUPER, "devs", PRIMARY, CREATE);
    let done = site.translated();
    assert!(!holders(&done, SUPER, "apim:api_create").contains(&"devs".to_owned()));
    assert_eq!(warnings(&done, "is known to be the primary one").len(), 2);
    site.settings.user_store.insert("DomainName".to_owned(), "wso2.org".to_owned());
    let done = site.translated();
    assert!(holders(&done, SUPER, "apim:api_create").contains(&"devs".to_owned()));
    assert!(warnings(&done, "is known to be the primary one").is_empty());
}

#[test]
fn what_was_denied_to_a_user_by_name_is_told() {
    let mut site = Site::new();
    site.user(SUPER, "bob");
    site.user_entry("bob", "/permission/admin/manage/api", false);
    site.user_entry("bob", CREATE, true);
    site.user_entry("bob", "/permission/admin/manage/api/subscribe/special", false);
    site.user_entry("eve", "/permission/admin/configure", false);
    let done = site.translated();
    let told: Vec<&str> = warnings(&done, "was denied").iter().map(|f| f.words.as_str()).collect();
    assert_eq!(told, ["bob was denied /permission/admin/manage/api"]);
    assert_eq!(roles_of(&done, "bob"), ["Internal/permissions of bob"]);
}

#[test]
fn only_a_role_made_for_a_client_is_dropped() {
    let mut site = Site::new();
    for name in ["orders", "admin_Shop_PRODUCTION", "bob_Shop_SANDBOX", "desk", "_x_PRODUCTION"] {
        site.provider(name);
    }
    for (role, member) in [
        ("orders", "olga"),
        ("admin_Shop_PRODUCTION", "adam"),
        ("bob_Shop_SANDBOX", "bob"),
        ("Application/desk", "dora"),
        ("Application/gone", "gus"),
        ("_x_PRODUCTION", "xena"),
    ] {
        site.internal(SUPER, role, &[member]);
    }
    site.allow(SUPER, "bob_shop_sandbox", INTERNAL, SUBSCRIBE);
    let done = site.translated();
    assert_eq!(roles_of(&done, "olga"), ["Internal/orders"]);
    assert!(roles_of(&done, "adam").is_empty());
    assert_eq!(roles_of(&done, "bob"), ["Internal/bob_Shop_SANDBOX"], "it allows something");
    assert!(roles_of(&done, "dora").is_empty());
    assert_eq!(roles_of(&done, "gus"), ["Application/gone"]);
    assert_eq!(roles_of(&done, "xena"), ["Internal/_x_PRODUCTION"]);
    // Permissions of an application's role keep it.
    site.allow(SUPER, "desk", 5, SUBSCRIBE);
    assert_eq!(roles_of(&site.translated(), "dora"), ["Application/desk"]);
}

#[test]
fn everybody_keeps_everybodys_role_under_its_old_name() {
    let mut site = Site::new();
    site.settings.everyone_role = Some("Internal/staff".to_owned());
    site.internal(SUPER, "Staff", &["bob"]);
    site.internal(SUPER, "everyone", &["eve"]);
    site.allow(SUPER, "staff", INTERNAL, SUBSCRIBE);
    let done = site.translated();
    assert_eq!(roles_of(&done, "bob"), ["Internal/Staff"]);
    assert_eq!(roles_of(&done, "eve"), ["Internal/everyone_of_old", "Internal/Staff"]);
    assert!(holders(&done, SUPER, "apim:subscribe").contains(&model::EVERYONE.to_owned()));
    assert_eq!(warnings(&done, "which is Internal/everyone here").len(), 1);
    assert_eq!(warnings(&done, "is carried as Internal/everyone_of_old").len(), 1);
}

#[test]
fn everybodys_role_under_our_name_is_nothing_to_tell() {
    let mut site = Site::new();
    site.internal(SUPER, "everyone", &["eve"]);
    let done = site.translated();
    assert!(roles_of(&done, "eve").is_empty() && done.roles.is_empty() && warnings(&done, "verybody").is_empty());
}
