//! Databases that only the configuration's secure vault opens, registries that are mounted from another database, and tenants' own keystores.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{Secret, TenantId};
use oldsite::{Dialect, Links, Written, mysql::Blobs};
use upgrade::{
    Old, Place,
    old::{TenantPair, registry::Property},
    source::keystore::KeyStoreFault,
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
