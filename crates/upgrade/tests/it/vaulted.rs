//! Databases that only the configuration's secure vault opens, registries that are mounted from another database, and tenants' own keystores.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{Secret, TenantId};
use oldsite::{Dialect, Links, Written, encrypted, mysql::Blobs};
use upgrade::{
    Old, Place,
    environments::EnvironmentMap,
    old::{TenantPair, oauth::Tokens, registry::Property},
    source::{Location, keystore::KeyStoreFault},
    translate::{About, Severity},
};

use crate::{
    roads::{NOW_MS, Scratch, dumps, made_up, written},
    taking::{Taken, balanced, equal, target},
};

const DIALECT: Dialect = Dialect::MySql(Blobs::Escaped);
/// Encrypted for the key in `fixtures/keystore.txt`, by OpenSSL; what it says.
const SEALED: &str = "S/JXNonDIFKPLTBxFfcJUw51Aa1FjhStxGMcqrEraNd3KdfKrW2vkhuTPqgrLObtVtOrw+8cTsWN/qMlZX9EUF70oeVw2FtvDDx+twRKZdsp8P3iUo3u81dGobdeUy5BOhAZhKjsZuOM/AIvhjwQvqEQAJGutfZOZiWdWC33w6Q=";
const SAYS: &str = "LBziGoGH5fZeHrqJbf1fbCfet6ka";

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text.replace('\n', "")).unwrap()
}

fn edited(path: &Path, edit: impl Fn(String) -> String) {
    let text = std::fs::read_to_string(path).unwrap();
    let changed = edit(text.clone());
    assert_ne!(text, changed, "{}", path.display());
    std::fs::write(path, changed).unwrap();
}

/// Moves the passwords of the folder's configuration into its vault.
fn vault(written: &Written) {
    let conf = written.home.join("repository/conf");
    put(&written.home.join("repository/resources/security/own.p12"), &decoded(include_str!("../fixtures/keystore-modern-p12.txt")));
    edited(&conf.join("datasources/master-datasources.xml"), |text| {
        text.replace("<password>placeholder</password>", "<password svns:secretAlias=\"Datasources.Password\">password</password>")
    });
    edited(&conf.join("carbon.xml"), |text| {
        let text = text.replace("wso2carbon.jks", "own.p12").replace("<Type>JKS", "<Type>PKCS12");
        text.replace("<Password>wso2carbon<", "<Password svns:secretAlias=\"Carbon.Security.KeyStore.Password\">password<")
            .replace("<KeyPassword>wso2carbon<", "<KeyPassword svns:secretAlias=\"Carbon.Security.KeyStore.KeyPassword\">password<")
            .replace("<Server ", "<Server xmlns:svns=\"http://org.wso2.securevault/configuration\" ")
    });
    let cipher = format!("Datasources.Password={}\n", SEALED.replace('=', "\\="));
    put(&conf.join("security/cipher-text.properties"), cipher.as_bytes());
}

#[tokio::test]
async fn a_database_whose_password_is_in_the_vault_is_reached_by_the_keystore_alone() {
    let Some(scratch) = Scratch::new(DIALECT, "vault") else { return };
    let user = format!("vaulted_{}", std::process::id());
    for host in ["%", "localhost"] {
        scratch.run(&scratch.name, &format!("CREATE USER '{user}'@'{host}' IDENTIFIED BY '{SAYS}'"));
        scratch.run(&scratch.name, &format!("GRANT SELECT ON {}.* TO '{user}'@'{host}'", scratch.name));
    }
    let folder = tempfile::tempdir().unwrap();
    let links = Links::on(DIALECT, "127.0.0.1:3306", &user, "placeholder", [&scratch.name; 3]);
    let written = made_up().write(folder.path(), DIALECT, &links).unwrap();
    scratch.load(&written);
    vault(&written);
    let place = |password: Option<&str>| Place {
        home: Some(written.home.clone()),
        key_store_password: password.map(|text| Secret::new(text.to_owned())),
        ..Place::default()
    };

    // Without the keystore's password it is said which is wanted, and a wrong one is not repeated.
    for (password, expected) in [(None, "no password of the keystore"), (Some("hunter2"), "does not open the keystore")] {
        let fault = Old::read(&place(password)).await.unwrap_err();
        let told = format!("{fault:?} {}", std::error::Error::source(&fault).unwrap());
        assert!(told.contains(expected) && told.contains("TIDEGATE_SOURCE_KEYSTORE_PASSWORD"), "{told}");
        assert!(!told.contains("hunter2") && !told.contains(SAYS), "{told}");
    }

    let taken = Taken::of(&place(Some("wso2carbon")), NOW_MS).await;
    assert!(!format!("{:?}", taken.old.home).contains(SAYS));
    let data = target(folder.path());
    let db = data.open_or_make().await.unwrap();
    assert!(taken.applied(&db).await.batches > 0);
    equal(&taken.verify(&db).await);

    // The password that the old start script left does as well.
    put(&written.home.join("password-tmp"), b"wso2carbon\n");
    Old::read(&place(None)).await.unwrap();
    for host in ["%", "localhost"] {
        scratch.run(&scratch.name, &format!("DROP USER '{user}'@'{host}'"));
    }
}

/// `registry.xml` of a node whose governance registry is another database's.
fn mounts(written: &Written, at: &str) {
    let conf = written.home.join("repository/conf");
    edited(&conf.join("registry.xml"), |text| {
        text.replace(
            "<versionResourcesOnChange>",
            &format!(
                "<dbConfig name=\"shared\"><dataSource>jdbc/WSO2GOV_DB</dataSource></dbConfig>\
                 <remoteInstance url=\"https://localhost:9443/registry\"><id>gov</id><dbConfig>shared</dbConfig>\
                 <readOnly>false</readOnly><enableCache>true</enableCache><registryRoot>/</registryRoot></remoteInstance>\
                 <mount path=\"/_system/governance\" overwrite=\"true\"><instanceId>gov</instanceId><targetPath>{at}</targetPath></mount>\
                 <versionResourcesOnChange>"
            ),
        )
    });
}

#[tokio::test]
async fn a_mounted_registry_and_shared_users_are_taken_over_as_if_all_stood_in_one() {
    let [Some(api), Some(users), Some(local), Some(shared)] =
        ["split_am", "split_um", "split_reg", "split_gov"].map(|label| Scratch::new(DIALECT, label))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let links = Links::on(DIALECT, "127.0.0.1:3306", "root", "", [&api.name, &users.name, &local.name]);
    let written_ = made_up().write(folder.path(), DIALECT, &links).unwrap();
    for (scratch, dump) in
        [(&api, &written_.am_sql), (&users, &written_.user_sql), (&local, &written_.registry_sql), (&shared, &written_.registry_sql)]
    {
        scratch.load_one(dump);
    }
    // The shared database keeps governance below a path of its own, and the local one has another site's leftovers there.
    let renamed = |column: &str| format!("{column} = CONCAT('/_system/shared/am', SUBSTRING({column}, 20))");
    let in_governance = |column: &str| format!("{column} = '/_system/governance' OR {column} LIKE '/\\_system/governance/%'");
    for (table, column) in [("REG_PATH", "REG_PATH_VALUE"), ("REG_ASSOCIATION", "REG_SOURCEPATH"), ("REG_ASSOCIATION", "REG_TARGETPATH")] {
        shared.run(&shared.name, &format!("UPDATE {table} SET {} WHERE {}", renamed(column), in_governance(column)));
    }
    local.run(&local.name, "UPDATE REG_CONTENT SET REG_CONTENT_DATA = 'stale' WHERE REG_CONTENT_ID % 2 = 0");
    users.run(&users.name, &format!("UPDATE UM_PERMISSION SET {} WHERE {}", renamed("UM_RESOURCE_ID"), in_governance("UM_RESOURCE_ID")));
    // Configuration, which is not mounted, is read where it is.
    local.run(
        &local.name,
        "UPDATE REG_CONTENT c JOIN REG_RESOURCE r ON c.REG_CONTENT_ID = r.REG_CONTENT_ID AND c.REG_TENANT_ID = r.REG_TENANT_ID \
         JOIN REG_PATH p ON p.REG_PATH_ID = r.REG_PATH_ID AND p.REG_TENANT_ID = r.REG_TENANT_ID \
         JOIN SHARED.REG_CONTENT s ON s.REG_CONTENT_ID = c.REG_CONTENT_ID AND s.REG_TENANT_ID = c.REG_TENANT_ID \
         SET c.REG_CONTENT_DATA = s.REG_CONTENT_DATA WHERE p.REG_PATH_VALUE LIKE '/\\_system/config%'"
            .replace("SHARED", &shared.name)
            .as_str(),
    );
    mounts(&written_, "/_system/shared/am");
    edited(&written_.home.join("repository/conf/datasources/master-datasources.xml"), |text| {
        let start = text.find("<datasource>\n            <name>WSO2REG_DB").unwrap();
        let end = text[start..].find("</datasource>").unwrap() + start + "</datasource>".len();
        let copy = text[start..end].replace("WSO2REG_DB", "WSO2GOV_DB").replace(&local.name, &shared.name);
        format!("{}{copy}{}", &text[..end], &text[end..])
    });

    let split = Taken::of(&Place { home: Some(written_.home.clone()), ..Place::default() }, NOW_MS).await;
    assert_eq!(split.old.site.sources.len(), 4);
    let plain_folder = tempfile::tempdir().unwrap();
    let plain = written(&made_up(), DIALECT, plain_folder.path());
    let plain = Taken::of(&Place { home: Some(plain.home.clone()), databases: dumps(&plain), ..Place::default() }, NOW_MS).await;
    let ((of_split, _), (of_plain, _)) = (split.planned(None).await, plain.planned(None).await);
    balanced(&of_split);
    assert_eq!(format!("{:?}", of_split.apis), format!("{:?}", of_plain.apis));
    assert_eq!(format!("{:?}", of_split.documents), format!("{:?}", of_plain.documents));
    assert_eq!(format!("{:?}", of_split.sequences), format!("{:?}", of_plain.sequences));
    let told = |translation: &upgrade::translate::Translation| {
        let mut all: Vec<String> = translation.findings.iter().map(|f| format!("{:?} {} {}", f.severity, f.origin, f.words)).collect();
        all.sort();
        all
    };
    assert_eq!(told(&of_split), told(&of_plain));
    let db = target(folder.path()).open_or_make().await.unwrap();
    split.applied(&db).await;
    equal(&split.verify(&db).await);
}

/// A key of 2048 bits with a certificate that says it is `acme.com`'s; both made for this test.
fn own_pair() -> (Vec<u8>, Vec<u8>) {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'static> = key.as_der().unwrap();
    (pkcs8.as_ref().to_vec(), [b"CN=acme.example", key.public_key().as_ref()].concat())
}

#[tokio::test]
async fn a_tenants_own_key_goes_on_signing_for_it_and_a_closed_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up(), DIALECT, folder.path());
    let mut taken = Taken::dumps(dumps(&written), NOW_MS).await;
    let tenant = taken.old.installation.tenants[0].id;
    let path = "/_system/governance/repository/security/key-stores/acme-com.jks".to_owned();
    let (pkcs8, certificate) = own_pair();
    let pair = upgrade::source::keypairs::OldPair { pkcs8: Secret::new(pkcs8), certificate: certificate.clone() };
    taken.old.installation.keys.tenants = vec![TenantPair { tenant_id: tenant, path: path.clone(), pair: Ok(pair) }];
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    let mut tx = db.read().await.unwrap();
    let keys = db::signing_keys::list_all(&mut tx).await.unwrap();
    let [stored] = keys.as_slice() else { panic!("{}", keys.len()) };
    assert_eq!((stored.tenant, &stored.certificate_der), (TenantId(i32::try_from(tenant).unwrap()), &certificate));
    drop(tx);

    taken.old.installation.keys.tenants[0].pair = Err(KeyStoreFault::PasswordsSealed(path.clone()));
    let (translation, _) = taken.planned(None).await;
    assert!(translation.signing_keys.is_empty());
    let finding = translation.findings.iter().find(|f| f.about == About::Tenant && f.origin == path).unwrap();
    assert!(finding.severity == Severity::Warning && finding.words.contains("does not open"), "{finding:?}");
}

#[tokio::test]
async fn a_tenants_keystore_in_the_registry_opens_with_the_passwords_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up(), DIALECT, folder.path());
    put(&folder.path().join("own.p12"), &decoded(include_str!("../fixtures/keystore-modern-p12.txt")));
    let named = upgrade::source::files::KeyStore {
        location: "own.p12".to_owned(),
        kind: None,
        password: Some(Secret::new("wso2carbon".to_owned())),
        alias: Some("wso2carbon".to_owned()),
        key_password: None,
    };
    let primary = upgrade::source::keystore::OldKey::of(&[&named], folder.path(), None).unwrap();
    let mut taken = Taken::dumps(dumps(&written), NOW_MS).await;
    let tenant = taken.old.installation.tenants[0].id;
    // The fixture under the password that the cipher text says, as Java's tools write it.
    for (store, opens) in [("../fixtures/tenant-jks.txt", true), ("../fixtures/tenant-p12.txt", true), ("../fixtures/keystore.txt", false)]
    {
        let bytes = decoded(match store {
            "../fixtures/tenant-jks.txt" => include_str!("../fixtures/tenant-jks.txt"),
            "../fixtures/tenant-p12.txt" => include_str!("../fixtures/tenant-p12.txt"),
            _ => include_str!("../fixtures/keystore.txt"),
        });
        let property = |name: &str, value: &str| Property { name: name.to_owned(), value: Some(value.to_owned()) };
        let path = "/_system/governance/repository/security/key-stores/acme-com.jks".to_owned();
        let file = upgrade::old::apis::StoredFile { tenant_id: tenant, path: path.clone(), media_type: None };
        let files = taken.old.installation.tenant_files.iter_mut().find(|files| files.tenant_id == tenant).unwrap();
        files.key_store =
            Some((file, vec![property("password", SEALED), property("privatekeyPass", SEALED), property("privatekeyAlias", "acme.com")]));
        files.opened_key_store = Some(upgrade::old::TenantKeyStore {
            path,
            bytes: Secret::new(bytes),
            alias: Some("acme.com".to_owned()),
            password: None,
            key_password: None,
        });
        taken.old.installation.unseal(&primary);
        let pairs = taken.old.installation.tenant_pairs();
        let [pair] = pairs.as_slice() else { panic!("{pairs:?}") };
        match &pair.pair {
            Ok(pair) => assert!(opens && pair.certificate.first() == Some(&0x30), "{store}"),
            Err(fault) => assert!(!opens && matches!(fault, KeyStoreFault::WrongPassword(_)), "{store}: {fault}"),
        }
        assert!(!format!("{:?}", taken.old.installation).contains(SAYS));
    }
}

#[tokio::test]
async fn files_beyond_what_is_read_are_findings_and_everything_else_is_carried() {
    let Some(scratch) = Scratch::new(Dialect::Postgres, "large") else { return };
    let folder = tempfile::tempdir().unwrap();
    scratch.load(&written(&made_up(), Dialect::Postgres, folder.path()));
    // The stored file of a document, and a definition that is read at once.
    let places = ["p.reg_path_value LIKE '%/documentation/files'", "r.reg_name = 'swagger.json'"];
    for place in places {
        let sql = format!(
            "UPDATE reg_content SET reg_content_data = convert_to(repeat('x', 67108865), 'UTF8') WHERE (reg_content_id, reg_tenant_id) IN \
             (SELECT r.reg_content_id, r.reg_tenant_id FROM reg_resource r JOIN reg_path p ON p.reg_path_id = r.reg_path_id \
             AND p.reg_tenant_id = r.reg_tenant_id WHERE {place} AND r.reg_content_id IS NOT NULL ORDER BY 1 LIMIT 1)"
        );
        scratch.run(&scratch.name, &sql);
    }
    assert_eq!(scratch.run(&scratch.name, "SELECT count(*) FROM reg_content WHERE octet_length(reg_content_data) > 67108864"), "2");
    let location = Location::parse(&format!("postgres://postgres@127.0.0.1:5432/{}", scratch.name)).unwrap();
    let taken = Taken::dumps(vec![location], NOW_MS).await;
    let (translation, plan) = taken.planned(None).await;
    balanced(&translation);
    let report = upgrade::report::Report::new("plan", &taken.old, &translation, &plan).text();
    assert!(report.contains("more than 67108864 bytes"), "{report}");
    let at_once = translation.findings.iter().find(|f| f.words.contains("swagger.json")).unwrap();
    assert!(at_once.severity == Severity::Warning && at_once.words.contains("does not read"), "{at_once:?}");
    assert_eq!(translation.apis.len(), made_up().apis.len());
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
}

#[tokio::test]
async fn nodes_that_differ_are_told_and_the_first_is_carried() {
    let folder = tempfile::tempdir().unwrap();
    let first = written(&made_up(), DIALECT, folder.path());
    let other = tempfile::tempdir().unwrap();
    let second = written(&made_up(), DIALECT, other.path());
    let place = |nodes: &[&Written]| Place {
        home: Some(first.home.clone()),
        databases: dumps(&first),
        gateway_nodes: nodes.iter().map(|node| node.home.clone()).collect(),
        ..Place::default()
    };
    let alike = Taken::of(&place(&[&second]), NOW_MS).await.planned(None).await.0;
    assert!(alike.findings.iter().any(|f| f.origin == "--gateway-node" && f.words.contains("alike")));

    let sequences = "repository/deployment/server/synapse-configs/default/sequences";
    let text = "<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"only_there\"><log/></sequence>";
    put(&second.home.join(sequences).join("only_there.xml"), text.as_bytes());
    edited(&second.home.join("repository/conf/api-manager.xml"), |text| text.replace("<GatewayType>Synapse", "<GatewayType>Other"));
    let told = Taken::of(&place(&[&second]), NOW_MS).await.planned(None).await.0;
    let of = |part: &str| told.findings.iter().find(|f| f.origin.contains(part) && f.words.contains(" in ")).unwrap();
    assert!(of("only_there.xml").consequence.contains("only that node has it"));
    let words = &of("api-manager.xml").words;
    assert!(words.contains("'Synapse' in --source, 'Other' in --gateway-node 1"), "{words}");
    assert_eq!(format!("{:?}", told.sequences), format!("{:?}", alike.sequences), "what only the other node has is not taken");
}

/// Encryption that was switched on late leaves what was stored before as it was: both kinds stand in one table.
#[tokio::test]
async fn a_source_half_of_which_is_encrypted_gives_the_same_tokens_in_the_same_order() {
    let plain = made_up();
    let mut site = plain.clone();
    let clients = site.applications.iter_mut().flat_map(|a| &mut a.keys).filter_map(|k| k.client.as_mut());
    clients.step_by(2).for_each(|client| client.secret = encrypted(&client.secret));
    for token in site.tokens.iter_mut().step_by(2) {
        token.access = encrypted(&token.access);
        token.refresh = token.refresh.as_deref().map(encrypted);
    }
    let folder = tempfile::tempdir().unwrap();
    let written = written(&site, DIALECT, folder.path());
    put(&written.home.join("repository/resources/security/wso2carbon.jks"), &decoded(include_str!("../fixtures/keystore.txt")));
    edited(&written.home.join("repository/conf/carbon.xml"), |text| {
        text.replace("<KeyPassword>wso2carbon</KeyPassword>", "<KeyPassword>keypass1</KeyPassword>")
    });
    let taken = Taken::of(&Place { home: Some(written.home.clone()), databases: dumps(&written), ..Place::default() }, NOW_MS).await;
    for batch in [1, 7, 1000] {
        let mut stream = Tokens::open(&taken.old.site).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let tokens = stream.next_batch(batch).await.unwrap();
            if tokens.is_empty() {
                break;
            }
            assert!(tokens.len() <= batch);
            seen.extend(tokens.into_iter().map(|t| (t.access_token.expose().clone(), t.refresh_token.map(|r| r.expose().clone()))));
        }
        let expected: Vec<_> = plain.tokens.iter().map(|t| (t.access.clone(), t.refresh.clone())).collect();
        assert_eq!(seen, expected);
    }
    let secrets = |installation: &upgrade::old::Installation| -> Vec<Option<String>> {
        installation.oauth_clients.iter().map(|c| c.secret.as_ref().map(|s| s.expose().clone())).collect()
    };
    let other = tempfile::tempdir().unwrap();
    let unsealed = Taken::dumps(dumps(&crate::roads::written(&plain, DIALECT, other.path())), NOW_MS).await;
    assert_eq!(secrets(&taken.old.installation), secrets(&unsealed.old.installation));
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
}

#[tokio::test]
async fn apis_run_in_the_environments_that_stand_for_their_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let written = written(&made_up(), DIALECT, folder.path());
    let pair = ["Production and Sandbox=Outside".to_owned()];
    let place = Place {
        home: Some(written.home.clone()),
        databases: dumps(&written),
        environment_map: EnvironmentMap::parse(&pair).unwrap(),
        ..Place::default()
    };
    let taken = Taken::of(&place, NOW_MS).await;
    let db = target(folder.path()).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    assert_eq!(taken.applied(&db).await.batches, 0, "a second run finds nothing to do");
    let mut tx = db.read().await.unwrap();
    let made = db::environments::find(&mut tx, "Outside").await.unwrap().unwrap();
    assert_eq!((made.kind.as_str(), made.vhosts[0].host.as_str()), ("hybrid", made_up().host.as_str()));
    let (translation, _) = taken.planned(Some(&db)).await;
    let mut deployed = 0;
    for api in &translation.apis {
        let listed = api.value.api.properties.iter().any(|p| p.name == "source_environments" && p.value.contains("Production and Sandbox"));
        for deployment in db::deployments::list(&mut tx, api.value.api.id).await.unwrap() {
            let expected = ("Outside", made.vhosts[0].host.as_str());
            assert!(!listed || (deployment.environment.as_str(), deployment.vhost.as_str()) == expected, "{deployment:?}");
            deployed += 1;
        }
    }
    assert!(deployed > 3);
    drop(tx);

    // One that was taken out of it here is missed.
    let api = translation.apis.iter().find(|api| api.value.deployed).unwrap();
    let mut tx = db.write().await.unwrap();
    db::deployments::remove(&mut tx, api.value.api.id, "Outside").await.unwrap();
    tx.commit().await.unwrap();
    assert!(!taken.verify(&db).await.is_equal());
}
