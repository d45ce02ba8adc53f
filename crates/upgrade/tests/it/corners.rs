//! Corners that the made-up site does not have: mounted registries, links by path, partitioned and encrypted tokens.

use std::path::PathBuf;

use upgrade::{
    old::{Installation, oauth::Tokens},
    source::{Location, Reading, Site, SourceError, Version, files::Home},
};

const AM: &str = "\
CREATE TABLE AM_API (API_ID INTEGER, API_PROVIDER VARCHAR(256), API_NAME VARCHAR(256), API_VERSION VARCHAR(30), CONTEXT VARCHAR(256), CONTEXT_TEMPLATE VARCHAR(256)) ENGINE INNODB;
INSERT INTO AM_API VALUES (1,'bob@acme.com','Weather','1.0','/t/acme.com/weather/1.0','/t/acme.com/weather/1.0');
CREATE TABLE AM_APPLICATION (APPLICATION_ID INTEGER, NAME VARCHAR(100), SUBSCRIBER_ID INTEGER, UUID VARCHAR(256)) ENGINE INNODB;
INSERT INTO AM_APPLICATION VALUES (1,'App',1,'u-1'),('two','Broken',1,'u-2'),(3,NULL,1,'u-3');
CREATE TABLE IDN_OAUTH_CONSUMER_APPS (ID INTEGER, CONSUMER_KEY VARCHAR(255), CONSUMER_SECRET VARCHAR(512)) ENGINE INNODB;
INSERT INTO IDN_OAUTH_CONSUMER_APPS VALUES (1,'key','SECRET');
CREATE TABLE IDN_OAUTH2_ACCESS_TOKEN (TOKEN_ID VARCHAR(255), ACCESS_TOKEN VARCHAR(255), CONSUMER_KEY_ID INTEGER, TOKEN_STATE VARCHAR(25), VALIDITY_PERIOD BIGINT) ENGINE INNODB;
INSERT INTO IDN_OAUTH2_ACCESS_TOKEN VALUES ('9db41cd6-9431-4c58-923b-085d50f2a517','main',1,'ACTIVE',9223372036854775807);
CREATE TABLE IDN_OAUTH2_ACCESS_TOKEN_A (TOKEN_ID VARCHAR(255), ACCESS_TOKEN VARCHAR(255), CONSUMER_KEY_ID INTEGER, TOKEN_STATE VARCHAR(25), VALIDITY_PERIOD BIGINT) ENGINE INNODB;
INSERT INTO IDN_OAUTH2_ACCESS_TOKEN_A VALUES ('odd id','partition',1,'REVOKED',-1);
CREATE TABLE IDN_OAUTH2_ACCESS_TOKEN_SCOPE (TOKEN_ID VARCHAR(255), TOKEN_SCOPE VARCHAR(60)) ENGINE INNODB;
INSERT INTO IDN_OAUTH2_ACCESS_TOKEN_SCOPE VALUES ('9db41cd6-9431-4c58-923b-085d50f2a517','default'),('odd id','b'),('odd id','a');
CREATE TABLE IDN_AUTH_SESSION_STORE (SESSION_ID VARCHAR(100)) ENGINE INNODB;
";

const CARBON: &str = "\
CREATE TABLE UM_USER (UM_ID INTEGER, UM_USER_NAME VARCHAR(255), UM_TENANT_ID INTEGER) ENGINE INNODB;
CREATE TABLE UM_TENANT (UM_ID INTEGER, UM_DOMAIN_NAME VARCHAR(255), UM_ACTIVE BOOLEAN, UM_USER_CONFIG LONGBLOB) ENGINE INNODB;
INSERT INTO UM_TENANT VALUES (1,'acme.com',1,'<RealmConfiguration><Configuration/></RealmConfiguration>');
";

const REGISTRY_TABLES: &str = "\
CREATE TABLE REG_PATH (REG_PATH_ID INTEGER, REG_PATH_VALUE VARCHAR(750), REG_PATH_PARENT_ID INTEGER, REG_TENANT_ID INTEGER) ENGINE INNODB;
CREATE TABLE REG_RESOURCE (REG_PATH_ID INTEGER, REG_NAME VARCHAR(256), REG_VERSION INTEGER, REG_MEDIA_TYPE VARCHAR(500), REG_CONTENT_ID INTEGER, REG_TENANT_ID INTEGER, REG_UUID VARCHAR(100)) ENGINE INNODB;
CREATE TABLE REG_CONTENT (REG_CONTENT_ID INTEGER, REG_CONTENT_DATA LONGBLOB, REG_TENANT_ID INTEGER) ENGINE INNODB;
CREATE TABLE REG_TAG (REG_ID INTEGER, REG_TAG_NAME VARCHAR(500), REG_TENANT_ID INTEGER) ENGINE INNODB;
CREATE TABLE REG_RESOURCE_TAG (REG_TAG_ID INTEGER, REG_VERSION INTEGER, REG_PATH_ID INTEGER, REG_RESOURCE_NAME VARCHAR(256), REG_TENANT_ID INTEGER) ENGINE INNODB;
CREATE TABLE REG_PROPERTY (REG_ID INTEGER, REG_NAME VARCHAR(100), REG_VALUE VARCHAR(1000), REG_TENANT_ID INTEGER) ENGINE INNODB;
CREATE TABLE REG_RESOURCE_PROPERTY (REG_PROPERTY_ID INTEGER, REG_VERSION INTEGER, REG_PATH_ID INTEGER, REG_RESOURCE_NAME VARCHAR(256), REG_TENANT_ID INTEGER) ENGINE INNODB;
";

/// A registry with one API below `root`, its tag linked by version and its property by path.
fn registry(root: &str, uuid: &str) -> String {
    let folder = format!("{root}/apimgt/applicationdata/provider/bob-AT-acme.com/Weather/1.0");
    format!(
        "{REGISTRY_TABLES}\
INSERT INTO REG_PATH VALUES (1,'/',-1,1),(2,'{folder}',1,1),(2,'/elsewhere',1,-1234);
INSERT INTO REG_RESOURCE VALUES (1,NULL,1,NULL,NULL,1,'root'),(2,'api',2,'application/vnd.wso2-api+xml',1,1,'{uuid}'),(2,'api',2,NULL,1,-1234,'other tenant');
INSERT INTO REG_CONTENT VALUES (1,'not this one',-1234),(1,'<metadata><overview><provider>bob-AT-acme.com</provider><name>Weather</name><version>1.0</version></overview></metadata>',1);
INSERT INTO REG_TAG VALUES (1,'rain',1),(2,'gone',1);
INSERT INTO REG_RESOURCE_TAG VALUES (1,2,NULL,NULL,1),(2,99,NULL,NULL,1);
INSERT INTO REG_PROPERTY VALUES (1,'STATUS','PUBLISHED',1);
INSERT INTO REG_RESOURCE_PROPERTY VALUES (1,NULL,2,'api',1);
"
    )
}

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn dump(&self, name: &str, text: &str) -> Location {
        Location::Dump(self.file(name, text))
    }
}

async fn open(locations: &[Location]) -> (Site, Installation) {
    let site = Site::open(locations, Reading::default()).await.unwrap();
    let old = Installation::read(&site, None).await.unwrap();
    (site, old)
}

#[tokio::test]
async fn links_are_joined_by_version_and_by_path_within_their_tenant() {
    let folder = Folder::new();
    let carbon = format!("{CARBON}{}", registry("/_system/governance", "uuid-1"));
    let (_, old) = open(&[folder.dump("am.sql", AM), folder.dump("carbon.sql", &carbon)]).await;
    assert_eq!(old.version, Version::V1_10_0);
    let api = &old.apis[0];
    assert_eq!((old.apis.len(), api.tenant_id, api.uuid.as_deref()), (1, 1, Some("uuid-1")));
    assert_eq!(api.tags, ["rain"]);
    assert_eq!(api.artifact.as_ref().unwrap().properties[0].value.as_deref(), Some("PUBLISHED"));
    assert_eq!((old.registry.orphan_tag_links, old.registry.orphan_property_links), (1, 0));
    assert!(old.notes.iter().any(|n| n.contains("nothing proves that it is whole")));
}

#[tokio::test]
async fn rows_that_do_not_fit_are_put_aside_with_their_place() {
    let folder = Folder::new();
    let carbon = format!("{CARBON}{}", registry("/_system/governance", "uuid-1"));
    let (_, old) = open(&[folder.dump("am.sql", AM), folder.dump("carbon.sql", &carbon)]).await;
    assert_eq!(old.applications.len(), 1);
    let faults: Vec<String> = old.unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["AM_APPLICATION.APPLICATION_ID in row 2 is not a whole number", "AM_APPLICATION.NAME in row 3 is empty or absent"]);
}

#[tokio::test]
async fn tokens_come_from_every_partition_with_their_scopes() {
    let folder = Folder::new();
    let carbon = format!("{CARBON}{}", registry("/_system/governance", "uuid-1"));
    let (site, old) = open(&[folder.dump("am.sql", AM), folder.dump("carbon.sql", &carbon)]).await;
    let mut tokens = Tokens::open(&site).await.unwrap();
    let all = tokens.next_batch(10).await.unwrap();
    let seen: Vec<_> = all.iter().map(|t| (t.access_token.expose().as_str(), t.validity_ms, t.scopes.join(" "))).collect();
    assert_eq!(seen, [("main", Some(i64::MAX), "default".to_owned()), ("partition", Some(-1), "a b".to_owned())]);
    assert!(!old.encryption.is_on());
    let cipher = AM.replace("'SECRET'", &format!("'{}Ab0='", "Ab1/".repeat(42)));
    let (_, old) = open(&[folder.dump("cipher.sql", &cipher), folder.dump("carbon2.sql", &carbon)]).await;
    assert!(old.encryption.is_on());
}

#[tokio::test]
async fn a_mounted_registry_is_read_where_it_lives() {
    let Some(server) = Scratch::new() else { return };
    let folder = Folder::new();
    server.load("am", &AM.replace(",('two','Broken',1,'u-2'),(3,NULL,1,'u-3')", ""));
    server.load("am", CARBON);
    // The local registry has a stale API below the mount's path, which the mount hides.
    server.load("am", &registry("/_system/governance", "stale"));
    server.load("gov", &registry("/_system/shared", "mounted"));
    let datasource = |name: &str| {
        format!(
            "<datasource><name>{name}</name><jndiConfig><name>jdbc/{name}</name></jndiConfig><definition type='RDBMS'><configuration><url>jdbc:mysql://127.0.0.1:3306/{}</url><username>root</username></configuration></definition></datasource>",
            server.name(name)
        )
    };
    let all = format!("<d><datasources>{}{}</datasources></d>", datasource("am"), datasource("gov"));
    folder.file("repository/conf/datasources/master-datasources.xml", &all);
    folder.file("repository/conf/api-manager.xml", "<APIManager><DataSourceName>jdbc/am</DataSourceName></APIManager>");
    folder.file(
        "repository/conf/registry.xml",
        "<r><currentDBConfig>l</currentDBConfig><dbConfig name='l'><dataSource>jdbc/am</dataSource></dbConfig><dbConfig name='s'><dataSource>jdbc/gov</dataSource></dbConfig>\
         <remoteInstance url='x'><id>g</id><dbConfig>s</dbConfig></remoteInstance><mount path='/_system/governance' overwrite='true'><instanceId>g</instanceId><targetPath>/_system/shared</targetPath></mount></r>",
    );
    let home = Home::open(folder.folder.path()).unwrap();
    let site = Site::open_home(&home, Reading::default()).await.unwrap();
    let old = Installation::read(&site, Some(&home.settings)).await.unwrap();
    assert_eq!((old.apis.len(), old.apis[0].uuid.as_deref()), (1, Some("mounted")));
    assert!(old.apis[0].artifact.as_ref().unwrap().path.starts_with("/_system/governance/"));
    assert_eq!(old.apis[0].tags, ["rain"]);
}

#[tokio::test]
async fn newer_databases_are_refused_by_name() {
    let folder = Folder::new();
    let newer = format!("{AM}CREATE TABLE AM_REVISION (ID INTEGER) ENGINE INNODB;\nCREATE TABLE GOV_POLICY (ID INTEGER) ENGINE INNODB;\n");
    let error = Site::open(&[folder.dump("am.sql", &newer)], Reading::default()).await.unwrap_err();
    assert!(matches!(&error, SourceError::TooNew { found } if found == "4.5 or later"), "{error}");
}

/// Two scratch databases on the local MySQL, dropped when the test ends.
struct Scratch;

impl Scratch {
    fn new() -> Option<Self> {
        let answer = std::process::Command::new("mysql").args(["-h127.0.0.1", "-uroot", "-e", "select 1"]).output();
        if !answer.is_ok_and(|a| a.status.success()) {
            println!("skipped: no MySQL answers at 127.0.0.1");
            return None;
        }
        let scratch = Self;
        for name in ["am", "gov"] {
            scratch.run(&format!("CREATE DATABASE {}", scratch.name(name)));
        }
        Some(scratch)
    }

    fn name(&self, name: &str) -> String {
        format!("upgrade_mount_{name}_{}", std::process::id())
    }

    fn load(&self, database: &str, sql: &str) {
        self.run(&format!("USE {}; {sql}", self.name(database)));
    }

    fn run(&self, sql: &str) {
        let done = std::process::Command::new("mysql").args(["-h127.0.0.1", "-uroot", "-e", sql]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for name in ["am", "gov"] {
            self.run(&format!("DROP DATABASE IF EXISTS {}", self.name(name)));
        }
    }
}

#[tokio::test]
async fn encrypted_clients_and_tokens_are_opened_with_the_old_key_or_left_when_told_to() {
    use crate::{roads, taking};
    use base64::Engine as _;
    let plain = roads::made_up();
    let site = plain.clone().with_encrypted_tokens();
    let folder = tempfile::tempdir().unwrap();
    let written = roads::written(&site, oldsite::Dialect::MySql(oldsite::mysql::Blobs::Escaped), folder.path());
    let store = written.home.join("repository/resources/security/wso2carbon.jks");
    std::fs::create_dir_all(store.parent().unwrap()).unwrap();
    let bytes = include_str!("../fixtures/keystore.txt").replace('\n', "");
    std::fs::write(&store, base64::engine::general_purpose::STANDARD.decode(bytes).unwrap()).unwrap();
    let carbon = written.home.join("repository/conf/carbon.xml");
    let text = std::fs::read_to_string(&carbon).unwrap();
    let place = upgrade::Place { home: Some(written.home.clone()), databases: roads::dumps(&written), ..upgrade::Place::default() };

    // The key's own password is not the configured one: nothing can be opened, and each client is named.
    let taken = taking::Taken::of(&place, roads::NOW_MS).await;
    let (translation, _) = taken.planned(None).await;
    assert!(translation.is_blocked());
    let told = |words: &str| translation.findings.iter().filter(|f| f.words.contains(words)).count();
    // Once for what was encrypted with it, once for what it signed.
    assert_eq!((told("holds no RSA key wso2carbon that the password opens"), told("is encrypted") > 0), (2, true));

    // Told to go on without them, it does, and carries the rest.
    let without = upgrade::Place { leave_encrypted: true, ..place.clone() };
    let taken = taking::Taken::of(&without, roads::NOW_MS).await;
    let db = taking::target(&folder.path().join("without")).open_or_make().await.unwrap();
    taken.applied(&db).await;
    let (translation, _) = taken.planned(None).await;
    taking::balanced(&translation);
    assert_eq!((translation.apis.len(), translation.applications.len()), (plain.apis.len(), plain.applications.len()));
    let failed = &translation.ledger.of("IDN_OAUTH_CONSUMER_APPS").unwrap().failed;
    assert!(failed.contains_key("encrypted, and no key opens it"), "{failed:?}");
    assert!(translation.clients.iter().all(|c| c.value.secret.expose().len() < 100));

    // With the right password all of it is carried as if it had never been encrypted.
    let right = "<KeyPassword>keypass1</KeyPassword>";
    std::fs::write(&carbon, text.replace("<KeyPassword>wso2carbon</KeyPassword>", right)).unwrap();
    let taken = taking::Taken::of(&place, roads::NOW_MS).await;
    let db = taking::target(&folder.path().join("with")).open_or_make().await.unwrap();
    taken.applied(&db).await;
    taking::equal(&taken.verify(&db).await);
    let mut tx = db.read().await.unwrap();
    for client in plain.applications.iter().flat_map(|a| &a.keys).filter_map(|k| k.client.as_ref()) {
        assert_eq!(db::clients::find(&mut tx, &client.key).await.unwrap().unwrap().secret.expose(), &client.secret);
    }
    let live =
        plain.tokens.iter().find(|t| t.state == "ACTIVE" && t.validity_ms < 0 && t.refresh.is_some()).or(plain.tokens.first()).unwrap();
    let found = db::tokens::find_by_access(&mut tx, &live.access).await.unwrap().unwrap();
    assert_eq!(found.refresh.map(|r| r.expose().clone()), live.refresh);
    drop(tx);

    // So are a backend's password in the registry's vault, a tenant's keystore's, and the second copy of a client's secret.
    let mut old = taking::Taken::of(&place, roads::NOW_MS).await.old;
    let key = old.site.key.clone().unwrap();
    let property = |name: &str, value: String| upgrade::old::registry::Property { name: name.to_owned(), value: Some(value) };
    let api = old.installation.apis.iter_mut().find(|api| api.tenant_id == -1234 && api.artifact.is_some()).unwrap();
    let artifact = api.artifact.as_mut().unwrap();
    let path = artifact.path.clone();
    artifact.fields.retain(|name, _| !name.starts_with("overview_endpointSecured") && name != "overview_endpointPpassword");
    artifact.fields.push("overview_endpointSecured", "true");
    artifact.fields.push("overview_endpointPpassword", "");
    let field = |name: &str| artifact.get(name).unwrap().to_owned();
    let alias = format!("{}--{}{}", field("overview_provider"), field("overview_name"), field("overview_version"));
    let files = old.installation.tenant_files.iter_mut().find(|files| files.tenant_id == -1234).unwrap();
    files.vault = vec![property("another", oldsite::encrypted("wrong")), property(&alias, oldsite::encrypted("backend's own"))];
    let file = upgrade::old::apis::StoredFile { tenant_id: -1234, path: "/x.jks".to_owned(), media_type: None };
    files.key_store = Some((
        file,
        vec![property("password", oldsite::encrypted("of the store")), property("privatekeyPass", "no cipher text".to_owned())],
    ));
    files.opened_key_store = Some(upgrade::old::TenantKeyStore {
        path: "/x.jks".to_owned(),
        bytes: model::Secret::new(vec![1]),
        alias: None,
        password: None,
        key_password: None,
    });
    old.installation.inbound_auths.push(upgrade::old::oauth::InboundAuth {
        service_provider_id: None,
        tenant_id: -1234,
        key: Some("key".to_owned()),
        kind: "oauth2".to_owned(),
        property: Some("oauthConsumerSecret".to_owned()),
        value: Some(model::Secret::new(oldsite::encrypted("the second copy"))),
    });
    assert!(old.installation.has_sealed_files());
    old.installation.unseal(&key);
    let artifact = old.installation.apis.iter().filter_map(|api| api.artifact.as_ref()).find(|artifact| artifact.path == path).unwrap();
    assert_eq!(artifact.get("overview_endpointPpassword"), Some("backend's own"));
    let store = old.installation.tenant_files.iter().find_map(|files| files.opened_key_store.as_ref()).unwrap();
    assert_eq!((store.password.as_ref().map(|p| p.expose().as_str()), store.key_password.is_none()), (Some("of the store"), true));
    let copies: Vec<_> = old.installation.inbound_auths.iter().filter_map(|c| c.value).map(|v| v.expose().clone()).collect();
    assert!(copies.iter().any(|copy| copy == "the second copy"));
    // None of it shows.
    let shown = format!("{:?}", old.installation);
    assert!(!["backend's own", "of the store", "the second copy"].iter().any(|secret| shown.contains(secret)));
}
