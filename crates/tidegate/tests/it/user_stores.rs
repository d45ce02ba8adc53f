//! Users whom other servers know sign in after an upgrade as they did before: a directory, a directory in place of the primary store, a
//! database on MariaDB. The servers are real.

use std::path::{Path, PathBuf};

use http::Method;
use oldsite::{Dialect, Links, Site, UserStore, mysql::Blobs, password_digest};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlPoolOptions;
use tempfile::TempDir;
use testkit::{Answer, Caller, Client, House, Rest, Slapd, group, person};

use crate::upgrade::{expect, step};

const MYSQL: Dialect = Dialect::MySql(Blobs::Hex);
const LDAP: &str = "ldap.ReadOnlyLDAPUserStoreManager";

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A directory's definition as the old console writes it.
fn directory(domain: &str, url: &str) -> UserStore {
    let properties = [
        ("ConnectionURL", url),
        ("ConnectionName", Slapd::READER.0),
        ("ConnectionPassword", Slapd::READER.1),
        ("UserSearchBase", "ou=people,dc=corp,dc=example"),
        ("UserNameListFilter", "(objectClass=person)"),
        ("UserNameSearchFilter", "(&(objectClass=person)(uid=?))"),
        ("UserNameAttribute", "uid"),
        ("ReadGroups", "true"),
        ("GroupSearchBase", "ou=groups,dc=corp,dc=example"),
        ("GroupNameListFilter", "(objectClass=groupOfNames)"),
        ("GroupNameAttribute", "cn"),
        ("MembershipAttribute", "member"),
        ("LDAPConnectionTimeout", "2000"),
        ("ReadTimeout", "2000"),
    ];
    UserStore::new(domain, LDAP, &properties)
}

/// An old installation with these stores, written.
struct Old {
    folder: TempDir,
    site: Site,
    sources: Vec<String>,
}

impl Old {
    fn with(stores: Vec<UserStore>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::sample("http://127.0.0.1:9", server::clock::now().0);
        // A directory in place of the JDBC store has roles of its own.
        if stores.iter().any(|store| store.domain == "PRIMARY") {
            site.roles.retain(|role| role.internal || role.tenant == 1);
        }
        site.user_stores = stores;
        let written = site.write(&folder.path().join("old"), MYSQL, &Links::unreachable(MYSQL)).unwrap();
        let dump = |path: &Path| format!("dump:{}", path.display());
        let sources = [
            ("--source", written.home.display().to_string()),
            ("--am-db", dump(&written.am_sql)),
            ("--user-db", dump(&written.user_sql)),
            ("--registry-db", dump(&written.registry_sql)),
        ];
        let sources = sources.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
        Self { folder, site, sources }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The client of the shop's production key, which may use the password grant.
    fn shop(&self) -> Client {
        let application = self.site.applications.iter().find(|a| a.name == "Shop Front" && !a.keys.is_empty()).unwrap();
        let client = application.keys.iter().find(|key| key.kind == "PRODUCTION").and_then(|key| key.client.as_ref()).unwrap();
        Client { id: client.key.clone(), secret: client.secret.clone() }
    }
}

/// Findings whose words hold all of these.
fn findings<'r>(report: &'r Value, words: &[&str]) -> Vec<&'r Value> {
    let all = report["findings"].as_array().unwrap();
    all.iter().filter(|finding| words.iter().all(|word| finding.to_string().contains(word))).collect()
}

async fn grant(caller: &Caller, client: &Client, user: &str, password: &str, scope: &str) -> Answer {
    let form = [("grant_type", "password"), ("username", user), ("password", password), ("scope", scope)];
    caller.oauth2("token", client, &form).await
}

async fn basic(caller: &Caller, path: &str, user: &str, password: &str) -> u16 {
    let request = caller.at_rest(Method::GET, path).basic_auth(user, Some(password));
    request.send().await.unwrap().status().as_u16()
}

fn has_scope(answer: &Value, scope: &str) -> bool {
    answer["scope"].as_str().unwrap_or_default().split(' ').any(|given| given == scope)
}

/// Of one user, as an administrator sees them.
async fn roles(admin: &Rest, name: &str) -> Vec<String> {
    let user = admin.get(&format!("admin/v2/users/{}", name.replace('/', "%2F"))).await;
    user["roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap().to_owned()).collect()
}

const APIS: &str = "/api/am/publisher/v2/apis";

#[tokio::test]
async fn users_of_a_directory_sign_in_after_the_switch_with_their_roles() {
    let people =
        [person("ann", "ann-pass-1", ""), person("bob", "bob-pass-1", ""), person("dave", "dave-pass-1", ""), group("devs", &["ann"])]
            .concat();
    let Some(mut slapd) = Slapd::start(&people) else { return };
    let mut corp = directory("Corp.Example", &slapd.url());
    corp.roles = vec![("devs".to_owned(), owned(&["/permission/admin/login", "/permission/admin/manage/api/create"]))];
    corp.held = vec![("ann".to_owned(), "accountant".to_owned())];
    let mut off = directory("OFF", &slapd.url());
    off.properties.push((String::new(), "Disabled".to_owned(), "true".to_owned()));
    let own = UserStore::new("OWN", "com.example.OwnUserStore", &[("Server", "own.example"), ("ConnectionPassword", "own-secret-9")]);
    let old = Old::with(vec![corp, off, own]);

    let plan = expect("plan", &old.data(), &old.sources);
    assert_eq!(findings(&plan, &["Corp.Example", "answers"]).len(), 1, "{plan}");
    assert_eq!(findings(&plan, &["OFF", "disabled"]).len(), 1);
    assert_eq!(findings(&plan, &["com.example.OwnUserStore", "Server=own.example", "ConnectionPassword=***"]).len(), 1);
    for secret in ["own-secret-9", Slapd::READER.1] {
        assert!(!plan.to_string().contains(secret));
    }
    assert!(findings(&plan, &["cannot sign in here yet"]).is_empty());
    expect("apply", &old.data(), &old.sources);
    expect("verify", &old.data(), &old.sources);

    let house = House::on(&old.data()).await;
    let caller = Caller::new(&house);
    let shop = old.shop();
    // With the domain in any letter case, or without it.
    for user in ["CORP.EXAMPLE/ann", "corp.example/ann", "Corp.Example/ANN", "ann"] {
        let given = grant(&caller, &shop, user, "ann-pass-1", "apim:api_create apim:api_publish").await.expect(200);
        assert!(has_scope(&given, "apim:api_create") && !has_scope(&given, "apim:api_publish"), "{user}: {given}");
        assert_eq!(basic(&caller, APIS, user, "ann-pass-1").await, 200, "{user}");
    }
    // In no group that was allowed anything.
    let given = grant(&caller, &shop, "bob", "bob-pass-1", "apim:api_create").await.expect(200);
    assert!(!has_scope(&given, "apim:api_create"), "{given}");
    // Two of one name are two: the bare name is the primary store's user first, and then the directory's.
    grant(&caller, &shop, "dave", "dave-old-1", "default").await.expect(200);
    grant(&caller, &shop, "dave", "dave-pass-1", "default").await.expect(200);
    grant(&caller, &shop, "CORP.EXAMPLE/dave", "dave-old-1", "default").await.expect(400);

    let admin = Rest::sign_in(&house, "admin", "admin").await;
    assert_eq!(roles(&admin, "CORP.EXAMPLE/ann").await, ["Internal/accountant", "CORP.EXAMPLE/devs"]);
    assert!(roles(&admin, "CORP.EXAMPLE/bob").await.is_empty());

    for (user, password) in [
        ("CORP.EXAMPLE/ann", "ann-pass-2"),
        ("CORP.EXAMPLE/ann", ""),
        ("CORP.EXAMPLE/ann", "   "),
        ("CORP.EXAMPLE/dave", "dave-pass-2"),
        ("CORP.EXAMPLE/*", "ann-pass-1"),
        ("CORP.EXAMPLE/a*", "ann-pass-1"),
        ("CORP.EXAMPLE/ann)(uid=*", "ann-pass-1"),
        ("CORP.EXAMPLE/nobody", "ann-pass-1"),
        ("NOWHERE/ann", "ann-pass-1"),
        ("OFF/bob", "bob-pass-1"),
        ("OWN/bob", "bob-pass-1"),
    ] {
        grant(&caller, &shop, user, password, "default").await.expect(400);
        // Not once more for ann: five failures, and she would have to wait.
        if user != "CORP.EXAMPLE/ann" {
            assert_eq!(basic(&caller, APIS, user, password).await, 401, "{user}");
        }
    }

    // Roles follow the directory at the next sign-in, and with a refreshed token.
    let given = grant(&caller, &shop, "CORP.EXAMPLE/ann", "ann-pass-1", "apim:api_create").await.expect(200);
    slapd.change(
        "dn: cn=devs,ou=groups,dc=corp,dc=example\nchangetype: modify\nreplace: member\nmember: uid=bob,ou=people,dc=corp,dc=example\n",
    );
    let again = async |pair: &Value| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", pair["refresh_token"].as_str().unwrap())];
        caller.oauth2("token", &shop, &form).await
    };
    let renewed = again(&given).await.expect(200);
    assert!(!has_scope(&renewed, "apim:api_create"), "{renewed}");
    assert_eq!(roles(&admin, "CORP.EXAMPLE/ann").await, ["Internal/accountant"]);

    // An administrator may lock somebody whom another server knows, in any spelling, but not set a password.
    let locked = async |locked: bool| admin.put("admin/v2/users/CORP.EXAMPLE%2Fbob/locked", &serde_json::json!({ "locked": locked })).await;
    locked(true).await;
    for user in ["CORP.EXAMPLE/bob", "CORP.EXAMPLE/BOB", "bob"] {
        grant(&caller, &shop, user, "bob-pass-1", "default").await.expect(400);
    }
    locked(false).await;
    grant(&caller, &shop, "bob", "bob-pass-1", "default").await.expect(200);
    let set = admin.ask(Method::PUT, "admin/v2/users/CORP.EXAMPLE%2Fbob/password", &serde_json::json!({"password": "new-pass-1"})).await;
    assert!(set.status == 400 && set.text.contains("another server"), "{}", set.text);

    // Whom the directory no longer knows gets no new token.
    slapd.change("dn: uid=ann,ou=people,dc=corp,dc=example\nchangetype: delete\n");
    assert_eq!(again(&renewed).await.expect(400)["error"], "invalid_grant");

    // A directory that is down is no wrong password: it does not count against anybody.
    slapd.stop();
    for _ in 0..8 {
        let answer = grant(&caller, &shop, "CORP.EXAMPLE/bob", "bob-pass-1", "default").await;
        assert!(answer.status.is_server_error(), "{} {}", answer.status, answer.text);
    }
    assert!(basic(&caller, APIS, "CORP.EXAMPLE/bob", "bob-pass-1").await >= 500);
    grant(&caller, &shop, "erin", "erin-old-1", "default").await.expect(200);
    slapd.run();
    grant(&caller, &shop, "CORP.EXAMPLE/bob", "bob-pass-1", "default").await.expect(200);
    house.stop().await;

    // Having been used, it is still what was carried.
    expect("verify", &old.data(), &old.sources);
    assert_eq!(expect("apply", &old.data(), &old.sources)["written"]["batches"], 0);
}

#[tokio::test]
async fn guesses_at_a_directorys_user_are_slowed() {
    let Some(slapd) = Slapd::start(&person("ann", "ann-pass-1", "")) else { return };
    let old = Old::with(vec![directory("CORP", &slapd.url())]);
    expect("apply", &old.data(), &old.sources);
    let house = House::on(&old.data()).await;
    let caller = Caller::new(&house);
    for user in ["CORP/ann", "CORP/Ann", "CORP/aNN", "CORP/ANN", "CORP/ann", "CORP/ann"] {
        grant(&caller, &old.shop(), user, "guess", "default").await.expect(400);
    }
    // Now even the right one must wait, and nothing is told of it.
    for user in ["CORP/ann", "CORP/aNn"] {
        assert_eq!(grant(&caller, &old.shop(), user, "ann-pass-1", "default").await.expect(400)["error"], "invalid_grant");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_directory_may_be_the_primary_store() {
    let people = [
        person("admin", "root-pass-1", ""),
        person("ann", "ann-pass-1", ""),
        person("eve", "eve-pass-1", ""),
        group("bosses", &["admin"]),
        group("devs", &["ann"]),
        // Called like the administrators' role here, and is not it.
        group("admin", &["eve"]),
    ];
    let Some(slapd) = Slapd::start(&people.concat()) else { return };
    let mut primary = directory("PRIMARY", &slapd.url());
    primary.roles = vec![
        ("bosses".to_owned(), owned(&["/permission"])),
        ("devs".to_owned(), owned(&["/permission/admin/login", "/permission/admin/manage/api/create"])),
        ("admin".to_owned(), owned(&["/permission/admin/login"])),
    ];
    primary.held = vec![("ann".to_owned(), "accountant".to_owned())];
    let old = Old::with(vec![primary]);
    let file = old.folder.path().join("old/home/repository/conf/user-mgt.xml");
    let text = std::fs::read_to_string(&file).unwrap().replace("<AdminRole>admin</AdminRole>", "<AdminRole>bosses</AdminRole>");
    std::fs::write(&file, text).unwrap();
    let report = expect("plan", &old.data(), &old.sources);
    assert_eq!(findings(&report, &["left behind by a JDBC store"]).len(), 1);
    expect("apply", &old.data(), &old.sources);
    expect("verify", &old.data(), &old.sources);

    let house = House::on(&old.data()).await;
    assert!(!house.made_up_a_password(), "there is an administrator: the directory's");
    let caller = Caller::new(&house);
    let admin = Rest::sign_in(&house, "admin", "root-pass-1").await;
    assert!(roles(&admin, "admin").await.contains(&"admin".to_owned()));
    assert_eq!(roles(&admin, "ann").await, ["Internal/accountant"]);
    assert_eq!(basic(&caller, APIS, "ann", "ann-pass-1").await, 200);
    assert_eq!(roles(&admin, "ann").await, ["Internal/accountant", "devs"]);
    grant(&caller, &old.shop(), "eve", "eve-pass-1", "default").await.expect(200);
    assert_eq!(roles(&admin, "eve").await, ["admin_of_old"]);
    assert_eq!(basic(&caller, "/api/am/admin/v2/users", "eve", "eve-pass-1").await, 401);
    assert_eq!(basic(&caller, "/api/am/admin/v2/users", "admin", "root-pass-1").await, 200);
    // What the tables still hold of a JDBC store nobody used is nobody here.
    grant(&caller, &old.shop(), "dave", "dave-old-1", "default").await.expect(400);
    grant(&caller, &old.shop(), "admin", "admin", "default").await.expect(400);
    // Another tenant has its own JDBC store still.
    Rest::sign_in(&house, "carol@acme.com", "carol-old-1").await;
    house.stop().await;
    expect("verify", &old.data(), &old.sources);
}

#[tokio::test]
async fn users_of_a_database_sign_in_after_the_switch_with_their_roles() {
    let Ok(server) = MySqlPoolOptions::new().max_connections(1).connect("mysql://root@127.0.0.1:3306").await else {
        println!("SKIPPED: no MariaDB at 127.0.0.1:3306 that lets root in");
        return;
    };
    let name = format!("tidegate_store_{}", model::TokenId::random().0.simple());
    let salt = oldsite::salt(7, "pat");
    let sql = format!(
        "CREATE DATABASE {name}; USE {name};
         CREATE TABLE UM_USER (UM_ID INTEGER, UM_USER_NAME VARCHAR(255), UM_USER_PASSWORD VARCHAR(255), UM_SALT_VALUE VARCHAR(31),
             UM_REQUIRE_CHANGE BOOLEAN, UM_CHANGED_TIME TIMESTAMP NULL, UM_TENANT_ID INTEGER);
         CREATE TABLE UM_ROLE (UM_ID INTEGER, UM_ROLE_NAME VARCHAR(255), UM_TENANT_ID INTEGER);
         CREATE TABLE UM_USER_ROLE (UM_ID INTEGER, UM_ROLE_ID INTEGER, UM_USER_ID INTEGER, UM_TENANT_ID INTEGER);
         CREATE TABLE UM_USER_ATTRIBUTE (UM_ID INTEGER, UM_ATTR_NAME VARCHAR(255), UM_ATTR_VALUE VARCHAR(1024), UM_PROFILE_ID VARCHAR(255),
             UM_USER_ID INTEGER, UM_TENANT_ID INTEGER);
         INSERT INTO UM_USER VALUES (1, 'pat', '{}', '{salt}', false, '2015-01-01 00:00:00', -1234),
             (2, 'once', '{}', '{salt}', true, '2015-01-01 00:00:00', -1234);
         INSERT INTO UM_ROLE VALUES (1, 'Makers', -1234);
         INSERT INTO UM_USER_ROLE VALUES (1, 1, 1, -1234);",
        password_digest("pat-pass-1", &salt),
        password_digest("once-pass-1", &salt),
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&server).await.unwrap();
    let properties = [
        ("driverName", "com.mysql.jdbc.Driver"),
        ("url", &format!("jdbc:mysql://127.0.0.1:3306/{name}")),
        ("userName", "root"),
        ("password", ""),
        ("PasswordDigest", "SHA-256"),
        ("StoreSaltedPassword", "true"),
    ];
    let mut shop = UserStore::new("Partners", "jdbc.JDBCUserStoreManager", &properties);
    shop.roles = vec![("makers".to_owned(), owned(&["/permission/admin/login", "/permission/admin/manage/api/create"]))];
    let old = Old::with(vec![shop]);
    let tested = tokio::spawn(async move {
        let report = expect("plan", &old.data(), &old.sources);
        assert_eq!(findings(&report, &["Partners", "answers"]).len(), 1, "{report}");
        expect("apply", &old.data(), &old.sources);
        let house = House::on(&old.data()).await;
        let caller = Caller::new(&house);
        for user in ["PARTNERS/pat", "partners/pat", "pat"] {
            let given = grant(&caller, &old.shop(), user, "pat-pass-1", "apim:api_create").await.expect(200);
            assert!(has_scope(&given, "apim:api_create"), "{user}: {given}");
            assert_eq!(basic(&caller, APIS, user, "pat-pass-1").await, 200, "{user}");
        }
        for (user, password) in
            [("PARTNERS/pat", "pat-pass-2"), ("PARTNERS/pat", ""), ("PARTNERS/' OR 1=1 -- ", "x"), ("PARTNERS/once", "once-pass-1")]
        {
            grant(&caller, &old.shop(), user, password, "default").await.expect(400);
        }
        let admin = Rest::sign_in(&house, "admin", "admin").await;
        assert_eq!(roles(&admin, "PARTNERS/pat").await, ["PARTNERS/Makers"]);
        house.stop().await;
        expect("verify", &old.data(), &old.sources);
    })
    .await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name}"))).execute(&server).await.unwrap();
    if let Err(failed) = tested {
        std::panic::resume_unwind(failed.into_panic());
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_is_told_before_anybody_depends_on_it() {
    let old = Old::with(vec![
        directory("CORP", "ldap://127.0.0.1:1"),
        UserStore::new("H2", "jdbc.JDBCUserStoreManager", &[("url", "jdbc:h2:x")]),
    ]);
    let plan = expect("plan", &old.data(), &old.sources);
    assert_eq!(findings(&plan, &["CORP", "cannot be asked from this machine", "warning"]).len(), 1, "{plan}");
    assert_eq!(findings(&plan, &["H2", "url names a database of kind h2", "warning"]).len(), 1);
    let skipping = [old.sources.clone(), owned(&["--skip-user-store-test"])].concat();
    let quiet = step("plan", &old.data(), &skipping);
    assert!(quiet.done && findings(&quiet.report, &["cannot be asked from this machine"]).is_empty());
}
