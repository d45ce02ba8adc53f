//! MariaDB and PostgreSQL with the old product's tables.

use model::{LegacyDigest, StoredPassword, UserStore, UserStoreKind};
use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use tidegate_userstores::{Answer, Directory, Person, Unanswered, overridden};

use crate::{secret, store};

const TABLES: &str = "
    CREATE TABLE UM_USER (UM_ID INTEGER, UM_USER_NAME VARCHAR(255), UM_USER_PASSWORD VARCHAR(255), UM_SALT_VALUE VARCHAR(31),
        UM_REQUIRE_CHANGE BOOLEAN, UM_CHANGED_TIME TIMESTAMP NULL, UM_TENANT_ID INTEGER);
    CREATE TABLE UM_ROLE (UM_ID INTEGER, UM_ROLE_NAME VARCHAR(255), UM_TENANT_ID INTEGER);
    CREATE TABLE UM_USER_ROLE (UM_ID INTEGER, UM_ROLE_ID INTEGER, UM_USER_ID INTEGER, UM_TENANT_ID INTEGER);
    CREATE TABLE UM_USER_ATTRIBUTE (UM_ID INTEGER, UM_ATTR_NAME VARCHAR(255), UM_ATTR_VALUE VARCHAR(1024), UM_PROFILE_ID VARCHAR(255),
        UM_USER_ID INTEGER, UM_TENANT_ID INTEGER);
    INSERT INTO UM_USER VALUES (1, 'ann', 'stored-hash', 'c2FsdA==', false, '2016-02-29 12:34:56', -1234),
        (2, 'bob', 'one-time-hash', NULL, true, '2016-02-29 12:34:56', -1234), (3, 'ann', 'other-hash', NULL, false, '2016-02-29 12:34:56', 1),
        (4, 'o''neil@mail.org', 'mail-hash', NULL, false, NULL, -1234);
    INSERT INTO UM_ROLE VALUES (1, 'devs', -1234), (2, 'ops', -1234), (3, 'theirs', 1);
    INSERT INTO UM_USER_ROLE VALUES (1, 1, 1, -1234), (2, 2, 1, -1234), (3, 3, 3, 1);
    INSERT INTO UM_USER_ATTRIBUTE VALUES (1, 'mail', 'ann@corp.example', 'default', 1, -1234), (2, 'mail', 'else', 'other', 1, -1234),
        (3, 'secretQuestion', 'x', 'default', 1, -1234);
    CREATE TABLE STAFF (ID INTEGER, LOGIN VARCHAR(50), PW VARCHAR(100), SALT VARCHAR(10));
    INSERT INTO STAFF VALUES (1, 'eve', 'eve-hash', NULL);";

#[derive(Clone, Copy)]
enum Engine {
    MariaDb,
    Postgres,
}

/// Runs a test with a database of its own; says so where there is no server.
async fn with<F: Future<Output = ()> + Send + 'static>(engine: Engine, test: impl FnOnce(UserStore) -> F) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("tidegate_userstore_{}_{number}", std::process::id());
    let (outcome, dropped) = match engine {
        Engine::MariaDb => {
            let Ok(server) = MySqlPoolOptions::new().connect("mysql://root@127.0.0.1:3306").await else {
                eprintln!("SKIPPED: no MariaDB at 127.0.0.1:3306 that lets root in");
                return;
            };
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&server).await.unwrap();
            let own = MySqlPoolOptions::new().connect(&format!("mysql://root@127.0.0.1:3306/{name}")).await.unwrap();
            sqlx::raw_sql(TABLES).execute(&own).await.unwrap();
            own.close().await;
            let url = format!("jdbc:mysql://127.0.0.1:3306/{name}?autoReconnect=true");
            let outcome = tokio::spawn(test(jdbc(&url, "root"))).await;
            (outcome, sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name}"))).execute(&server).await.map(drop))
        }
        Engine::Postgres => {
            let Ok(server) = PgPoolOptions::new().connect("postgres://postgres@127.0.0.1:5432/postgres").await else {
                eprintln!("SKIPPED: no PostgreSQL at 127.0.0.1:5432 that lets postgres in");
                return;
            };
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&server).await.unwrap();
            let own = PgPoolOptions::new().connect(&format!("postgres://postgres@127.0.0.1:5432/{name}")).await.unwrap();
            sqlx::raw_sql(TABLES).execute(&own).await.unwrap();
            own.close().await;
            let outcome = tokio::spawn(test(jdbc(&format!("jdbc:postgresql://127.0.0.1:5432/{name}"), "postgres"))).await;
            let sql = format!("DROP DATABASE {name} WITH (FORCE)");
            (outcome, sqlx::raw_sql(AssertSqlSafe(sql)).execute(&server).await.map(drop))
        }
    };
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
    dropped.unwrap();
}

fn jdbc(url: &str, user: &str) -> UserStore {
    store(UserStoreKind::Jdbc, &[("url", url), ("userName", user), ("PasswordDigest", "SHA-512"), ("IsEmailUserName", "true")], &[])
}

async fn a_database_knows_its_users(definition: UserStore) {
    let directory = Directory::new(&definition).unwrap();
    directory.test().await.unwrap();
    let check = async |name: &str| directory.check(name, &secret("any")).await.unwrap();
    let Answer::Compare { person, stored, one_time_since } = check("ann").await else { panic!("not found") };
    let attributes = vec![("mail".to_owned(), "ann@corp.example".to_owned())];
    let mut groups = person.groups.clone();
    groups.sort();
    assert_eq!((person.name.as_str(), groups, person.attributes), ("ann", vec!["devs".to_owned(), "ops".to_owned()], attributes));
    let salt = Some("c2FsdA==".to_owned());
    assert_eq!(stored, StoredPassword::Legacy { digest: LegacyDigest::Sha512, hash: secret("stored-hash"), salt });
    assert_eq!(one_time_since, None);
    let Answer::Compare { one_time_since, stored, .. } = check("bob").await else { panic!("not found") };
    assert_eq!(one_time_since, Some(model::Timestamp(1_456_749_296_000)));
    assert_eq!(stored, StoredPassword::Legacy { digest: LegacyDigest::Sha512, hash: secret("one-time-hash"), salt: None });
    assert!(matches!(check("o'neil@mail.org").await, Answer::Compare { .. }));
    for nobody in ["' OR '1'='1", "ann'--", "%", "a%", "cid"] {
        assert_eq!(check(nobody).await, Answer::Unknown, "{nobody}");
    }
    assert_eq!(directory.check("ann", &secret("")).await.unwrap(), Answer::Wrong);
    assert_eq!(directory.list("a*", 10).await.unwrap(), ["ann"]);
    assert_eq!(directory.list("*", 2).await.unwrap().len(), 2);
    assert_eq!(directory.find("cid").await.unwrap(), None::<Person>);

    // Another tenant's user of that name is another.
    let theirs = Directory::new(&UserStore { tenant: model::TenantId(1), ..definition.clone() }).unwrap();
    assert_eq!(theirs.find("ann").await.unwrap().unwrap().groups, ["theirs"]);
    // Unsalted, whatever stands in the column.
    let mut unsalted = definition.clone();
    unsalted.properties.push(("StoreSaltedPassword".to_owned(), "false".to_owned()));
    let Answer::Compare { stored, .. } = Directory::new(&unsalted).unwrap().check("ann", &secret("any")).await.unwrap() else { panic!() };
    assert!(matches!(stored, StoredPassword::Legacy { salt: None, .. }));
}

async fn a_site_may_have_its_own_statements(mut definition: UserStore) {
    definition.properties.push(("SelectUserSQL".to_owned(), "SELECT ID, LOGIN, PW, SALT FROM STAFF WHERE LOGIN=?".to_owned()));
    definition.properties.push(("UserRoleSQL".to_owned(), "SELECT 'staff' FROM STAFF WHERE LOGIN=?".to_owned()));
    definition.properties.push(("AddUserSQL".to_owned(), "INSERT INTO STAFF VALUES (?)".to_owned()));
    assert!(overridden(&definition).iter().all(|o| o.refused.is_none()) && overridden(&definition).len() == 2);
    let directory = Directory::new(&definition).unwrap();
    let Answer::Compare { person, stored, one_time_since } = directory.check("eve", &secret("any")).await.unwrap() else { panic!() };
    assert_eq!((person.groups, one_time_since), (vec!["staff".to_owned()], None));
    assert_eq!(stored, StoredPassword::Legacy { digest: LegacyDigest::Sha512, hash: secret("eve-hash"), salt: None });
    assert_eq!(directory.check("ann", &secret("any")).await.unwrap(), Answer::Unknown);

    definition.properties.retain(|(name, _)| name != "SelectUserSQL");
    definition.properties.push(("SelectUserSQL".to_owned(), "DELETE FROM STAFF WHERE LOGIN=?".to_owned()));
    assert_eq!(Directory::new(&definition).unwrap_err().property, "SelectUserSQL");
    // Where a statement asks for what is not there, the store cannot be asked.
    definition.properties.retain(|(name, _)| name != "SelectUserSQL");
    definition.properties.push(("SelectUserSQL".to_owned(), "SELECT ID FROM NOWHERE WHERE LOGIN=?".to_owned()));
    let fault = Directory::new(&definition).unwrap().test().await.unwrap_err();
    assert!(matches!(fault, Unanswered::Fault(_)), "{fault}");
}

#[tokio::test]
async fn mariadb_knows_its_users() {
    with(Engine::MariaDb, a_database_knows_its_users).await;
}

#[tokio::test]
async fn postgresql_knows_its_users() {
    with(Engine::Postgres, a_database_knows_its_users).await;
}

#[tokio::test]
async fn mariadb_is_asked_with_the_sites_own_statements() {
    with(Engine::MariaDb, a_site_may_have_its_own_statements).await;
}

#[tokio::test]
async fn postgresql_is_asked_with_the_sites_own_statements() {
    with(Engine::Postgres, a_site_may_have_its_own_statements).await;
}

#[tokio::test]
async fn a_database_that_is_down_is_no_wrong_password() {
    for url in ["jdbc:mysql://127.0.0.1:1/x", "jdbc:postgresql://127.0.0.1:1/x"] {
        let directory = Directory::new(&jdbc(url, "root")).unwrap();
        let fault = directory.check("ann", &secret("any")).await.unwrap_err();
        assert!(matches!(fault, Unanswered::Unreachable(_) | Unanswered::Busy), "{fault:?}");
    }
}
