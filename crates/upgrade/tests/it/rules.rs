//! Rules and settings of an old installation: who is refused, what waits for approval, what a tenant has set.

use std::path::Path;

use db::Db;
use model::{Denial, SettingKind, TenantId, WorkflowKind, WorkflowStatus};
use oldsite::{Dialect, Written, mysql::Blobs};
use upgrade::translate::{About, Severity, Translation};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, balanced, equal, target},
};

const MYSQL: Dialect = Dialect::MySql(Blobs::Escaped);

const ACME: TenantId = TenantId(1);

/// The made-up site with further rows in the API Manager's database, as later versions have them.
async fn with_rows(folder: &Path, rows: &str) -> Taken {
    let site: Written = written(&made_up(), MYSQL, folder);
    let mut text = std::fs::read_to_string(&site.am_sql).unwrap();
    text.push_str(rows);
    std::fs::write(&site.am_sql, text).unwrap();
    Taken::dumps(dumps(&site), NOW_MS).await
}

async fn carried(taken: &Taken, folder: &Path) -> Db {
    let db = target(folder).open_or_make().await.unwrap();
    taken.applied(&db).await;
    equal(&taken.verify(&db).await);
    db
}

fn finding<'a>(translation: &'a Translation, about: About, part: &str) -> Vec<(Severity, &'a str)> {
    let meant = |f: &&upgrade::translate::Finding| f.about == about && f.words.contains(part);
    translation.findings.iter().filter(meant).map(|f| (f.severity, f.consequence)).collect()
}

fn asked(verification: &upgrade::verify::Verification, kind: &str) -> (u64, u64) {
    let compared = verification.straight.iter().find(|c| c.kind == kind).unwrap_or_else(|| panic!("nobody asks {kind}"));
    (compared.source, compared.equal)
}

const BLOCKS: &str = "
CREATE TABLE AM_BLOCK_CONDITIONS (CONDITION_ID INTEGER, TYPE VARCHAR(45), VALUE VARCHAR(512), ENABLED VARCHAR(45), DOMAIN VARCHAR(45), UUID VARCHAR(256)) ENGINE INNODB;
INSERT INTO AM_BLOCK_CONDITIONS VALUES
(1,'API','/orders/1.0.0','true','carbon.super','0e6b2b0c-5b8e-4f0c-9d0f-0d0f5a5e2f01'),
(2,'APPLICATION','alice@acme.com:Night: Shift','true','acme.com',NULL),
(3,'USER','mallory@acme.com','false','acme.com','no uuid'),
(4,'IP','carbon.super:10.0.0.7','true','carbon.super',NULL),
(5,'IP','{\\\"fixedIp\\\":\\\"2001:db8::7\\\",\\\"invert\\\":true}','true','carbon.super',NULL),
(6,'IPRANGE','{\\\"startingIp\\\":\\\"10.0.0.1\\\",\\\"endingIp\\\":\\\"10.0.0.9\\\",\\\"invert\\\":false}','true','carbon.super',NULL),
(7,'SUBSCRIPTION','/orders/1.0.0:1.0.0:dave-Shop:SANDBOX','true','carbon.super',NULL),
(8,'IP','carbon.super:10.0.0.7','true','carbon.super',NULL),
(9,'IP','carbon.super:ten','true','carbon.super',NULL),
(10,'USER','eve','true','gone.example',NULL),
(11,'MOON','full','true','carbon.super',NULL);
";

#[tokio::test]
async fn block_conditions_become_deny_policies() {
    let folder = tempfile::tempdir().unwrap();
    let taken = with_rows(folder.path(), BLOCKS).await;
    let (translation, _) = taken.planned(None).await;
    balanced(&translation);
    let account = translation.ledger.of("AM_BLOCK_CONDITIONS").unwrap();
    let sum = |map: &std::collections::BTreeMap<String, u64>| map.values().sum::<u64>();
    assert_eq!((account.imported, account.merged, sum(&account.failed), sum(&account.skipped)), (7, 1, 2, 1), "{account:?}");
    for part in ["'carbon.super:ten' is no address", "kind MOON"] {
        let found = finding(&translation, About::Scope, part);
        assert!(matches!(found.as_slice(), [(Severity::Warning, _)]), "{part}: {found:?}");
    }
    assert!(!finding(&translation, About::Scope, "which there is none of").is_empty());

    let db = carried(&taken, folder.path()).await;
    let mut tx = db.read().await.unwrap();
    let text = |t: &str| t.to_owned();
    let of = |list: Vec<model::DenyPolicy>| list.into_iter().map(|p| (p.refused, p.enabled)).collect::<Vec<_>>();
    let list = db::deny_policies::list(&mut tx, TenantId::SUPER).await.unwrap();
    assert!(list.iter().any(|p| p.id.to_string() == "0e6b2b0c-5b8e-4f0c-9d0f-0d0f5a5e2f01"), "ids are kept");
    assert_eq!(
        of(list),
        [
            (Denial::Api(text("/orders/1.0.0")), true),
            (Denial::Ip { address: text("10.0.0.7"), inverted: false }, true),
            (Denial::Ip { address: text("2001:db8::7"), inverted: true }, true),
            (Denial::IpRange { start: text("10.0.0.1"), end: text("10.0.0.9"), inverted: false }, true),
            (Denial::Subscription(text("/orders/1.0.0:1.0.0:dave-Shop:SANDBOX")), true),
        ]
    );
    assert_eq!(
        of(db::deny_policies::list(&mut tx, ACME).await.unwrap()),
        [
            (Denial::Application { owner: text("alice@acme.com"), name: text("Night: Shift") }, true),
            (Denial::User(text("mallory@acme.com")), false),
        ]
    );
    drop(tx);
    let verification = taken.verify(&db).await;
    assert_eq!(asked(&verification, "who is refused outright, by row"), (7, 7));
    // Lifted here: the comparison by rows says so without asking the translation.
    let mut tx = db.write().await.unwrap();
    let address = db::deny_policies::list(&mut tx, TenantId::SUPER).await.unwrap().remove(1);
    db::deny_policies::delete(&mut tx, address.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(asked(&taken.verify(&db).await, "who is refused outright, by row"), (7, 5));
}

const RULES: &str = "
CREATE TABLE AM_POLICY_GLOBAL (POLICY_ID INTEGER, NAME VARCHAR(255), KEY_TEMPLATE VARCHAR(512), TENANT_ID INTEGER, DESCRIPTION VARCHAR(1024), SIDDHI_QUERY LONGTEXT, IS_DEPLOYED TINYINT, UUID VARCHAR(256)) ENGINE INNODB;
INSERT INTO AM_POLICY_GLOBAL VALUES
(1,'Night','$userId',-1234,NULL,'FROM RequestStream\\nSELECT userId',1,'0e6b2b0c-5b8e-4f0c-9d0f-0d0f5a5e2f02'),
(2,'Gone','$userId',77,NULL,'FROM RequestStream',1,NULL),
(3,'Day','$userId:$apiContext',-1234,NULL,'FROM RequestStream SELECT userId, (regex:find(''^/shop'', apiContext)) AS isEligible, str:concat(userId,'':'',apiContext) AS throttleKey INSERT INTO EligibilityStream; \
    FROM EligibilityStream[isEligible==true]#throttler:timeBatch(1 min) SELECT throttleKey, \
    (count(userId) >= 5) AS isThrottled, expiryTimeStamp GROUP BY throttleKey INSERT ALL EVENTS INTO ResultStream;',1,NULL),
(4,'Aside','$appId',-1234,NULL,'FROM RequestStream SELECT userId',0,NULL);
";

#[tokio::test]
async fn custom_rules_are_kept_and_those_that_cannot_be_enforced_are_told_loudly() {
    let folder = tempfile::tempdir().unwrap();
    let taken = with_rows(folder.path(), RULES).await;
    let (translation, _) = taken.planned(None).await;
    balanced(&translation);
    for (part, severity, consequence) in [
        ("$userId, and cannot be enforced: line 2, column 14: INSERT was expected", Severity::Warning, "NOT in force"),
        ("counted by $userId:$apiContext", Severity::Note, "In force here"),
        ("counted by $appId", Severity::Note, "was not in force"),
    ] {
        let found = finding(&translation, About::Limit, part);
        assert!(matches!(found.as_slice(), [(s, c)] if *s == severity && c.contains(consequence)), "{part}: {found:?}");
    }
    let db = carried(&taken, folder.path()).await;
    let rules = db::policies::custom::list_all(&mut db.read().await.unwrap()).await.unwrap();
    let [aside, day, rule] = rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!((aside.deployed, day.deployed, day.key_template.as_str()), (false, true, "$userId:$apiContext"));
    assert_eq!((rule.name.as_str(), rule.key_template.as_str(), rule.deployed), ("Night", "$userId", true));
    assert_eq!(rule.id.to_string(), "0e6b2b0c-5b8e-4f0c-9d0f-0d0f5a5e2f02");
    assert!(rule.query.starts_with("FROM RequestStream"));
    assert_eq!(asked(&taken.verify(&db).await, "custom throttling rules, by row"), (3, 3));
    let mut tx = db.write().await.unwrap();
    for damaged in [model::CustomRule { deployed: true, ..aside.clone() }, model::CustomRule { key_template: String::new(), ..day.clone() }]
    {
        db::policies::custom::update(&mut tx, &damaged).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(asked(&taken.verify(&db).await, "custom throttling rules, by row"), (3, 1));
}

/// A request about something that is gone, one that was granted behind its back, a lifecycle step, a second one for the same application.
const REQUESTS: &str = "
INSERT INTO AM_WORKFLOWS (WF_ID, WF_REFERENCE, WF_TYPE, WF_STATUS, WF_CREATED_TIME, WF_UPDATED_TIME, WF_STATUS_DESC, TENANT_ID, TENANT_DOMAIN, WF_EXTERNAL_REFERENCE) VALUES
(901,'777','AM_SUBSCRIPTION_CREATION','CREATED','2020-01-02 03:04:05','2020-01-02 03:04:05','',-1234,'carbon.super','ref-gone'),
(902,'2','AM_APPLICATION_CREATION','CREATED','2020-01-02 03:04:05','2020-01-02 03:04:05','',-1234,'carbon.super','ref-decided'),
(903,'5','AM_API_STATE','CREATED','2020-01-02 03:04:05','2020-01-02 03:04:05','',-1234,'carbon.super','ref-state'),
(904,'6','AM_APPLICATION_CREATION','CREATED','2030-01-02 03:04:05','2030-01-02 03:04:05','',-1234,'carbon.super','ref-again'),
(905,'1','AM_MOON','CREATED','2020-01-02 03:04:05','2020-01-02 03:04:05','',-1234,'carbon.super','ref-moon'),
(906,'1','AM_APPLICATION_CREATION','CREATED','2020-01-02 03:04:05','2020-01-02 03:04:05','',77,'gone.example','ref-tenant'),
(907,'tina@acme.com','AM_USER_SIGNUP','CREATED','2020-01-02 03:04:05','2020-01-02 03:04:05','',1,'acme.com','ref-tina');
";

#[tokio::test]
async fn requests_are_history_or_can_be_decided() {
    let folder = tempfile::tempdir().unwrap();
    let taken = with_rows(folder.path(), REQUESTS).await;
    let (translation, _) = taken.planned(None).await;
    balanced(&translation);
    let account = translation.ledger.of("AM_WORKFLOWS").unwrap();
    assert_eq!((account.rows, account.imported), (15, 13), "{account:?}");
    let db = carried(&taken, folder.path()).await;
    let mut tx = db.read().await.unwrap();
    let find = async |tx: &mut db::Tx, reference: &str| db::workflows::find(tx, reference).await.unwrap().unwrap();
    for (reference, stale) in [("ref-gone", true), ("ref-decided", true), ("ref-state", true), ("ref-again", false), ("ref-tina", false)] {
        let found = find(&mut tx, reference).await;
        assert_eq!((found.stale, found.status), (stale, WorkflowStatus::Created), "{reference}");
    }
    let again = find(&mut tx, "ref-again").await;
    assert_eq!((again.property("applicationName"), again.property("userName")), (Some("Waiting"), Some("erin")));
    assert_eq!(db::applications::find(&mut tx, again.subject.parse().unwrap()).await.unwrap().unwrap().name, "Waiting");
    let tina = find(&mut tx, "ref-tina").await;
    assert_eq!((tina.tenant, tina.subject.as_str(), tina.property("tenantAwareUserName")), (ACME, "tina@acme.com", Some("tina")));
    let pending = db::workflows::list_pending(&mut tx, TenantId::SUPER, None, 100, 0).await.unwrap().items;
    let kinds: Vec<_> = pending.iter().map(|w| (w.kind, w.subject.is_empty())).collect();
    // The application once, though it was asked for twice; the subscription that is held; the keys.
    for kind in [WorkflowKind::ApplicationCreation, WorkflowKind::SubscriptionCreation, WorkflowKind::SandboxRegistration] {
        assert_eq!(kinds.iter().filter(|k| **k == (kind, false)).count(), 1, "{kind:?}: {kinds:?}");
    }
    let subscription = pending.iter().find(|w| w.kind == WorkflowKind::SubscriptionCreation).unwrap();
    assert!(subscription.property("apiName").is_some() && subscription.property("subscriber").is_some());
    let key = pending.iter().find(|w| w.kind == WorkflowKind::SandboxRegistration).unwrap();
    assert_eq!(key.property("keyType"), Some("SANDBOX"));
    let mapping = db::key_mappings::find(&mut tx, key.subject.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(mapping.state, model::KeyState::Created);
    drop(tx);
    let verification = taken.verify(&db).await;
    assert_eq!(asked(&verification, "requests for approval, by row"), (13, 13));

    // Decided here, it has lived on and nothing is to be redressed.
    let mut tx = db.write().await.unwrap();
    let decided = model::Workflow { status: WorkflowStatus::Approved, ..again };
    db::workflows::update(&mut tx, &decided).await.unwrap();
    tx.commit().await.unwrap();
    let verification = taken.verify(&db).await;
    let compared = verification.kinds.iter().find(|c| c.kind == "approvals").unwrap();
    assert_eq!((compared.lived_on, compared.different), (1, 0));
    assert_eq!(taken.applied(&db).await.batches, 0, "a decision here is not undone");
}

#[tokio::test]
async fn what_waits_without_a_request_gets_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = made_up();
    site.workflows.clear();
    let written = written(&site, MYSQL, folder.path());
    let taken = Taken::dumps(dumps(&written), NOW_MS).await;
    let (translation, _) = taken.planned(None).await;
    assert!(!finding(&translation, About::Application, "Waiting").is_empty());
    let db = carried(&taken, folder.path()).await;
    let mut tx = db.read().await.unwrap();
    let pending = db::workflows::list_pending(&mut tx, TenantId::SUPER, None, 100, 0).await.unwrap().items;
    assert!(pending.iter().any(|w| w.kind == WorkflowKind::ApplicationCreation && w.property("applicationName") == Some("Waiting")));
    assert!(pending.iter().any(|w| w.kind == WorkflowKind::SubscriptionCreation));
    drop(tx);
    assert_eq!(taken.applied(&db).await.batches, 0, "made requests keep their references");
}

#[tokio::test]
async fn settings_of_tenants_are_kept_and_their_passwords_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let taken = with_rows(folder.path(), ALERTS).await;
    let (translation, _) = taken.planned(None).await;
    balanced(&translation);
    let shown = format!("{:?} {:?}", translation.settings, translation.findings);
    assert!(!shown.contains("exchange-old-1"), "a password is shown");
    let db = carried(&taken, folder.path()).await;
    let mut tx = db.read().await.unwrap();
    let tenant = TenantId::SUPER;
    let find = async |tx: &mut db::Tx, kind, name: &str| db::tenant_settings::find(tx, tenant, kind, name).await.unwrap();
    let store = find(&mut tx, SettingKind::ExternalStore, "Partners").await.unwrap();
    assert_eq!(store.body["endpoint"], "https://partners.example/store");
    assert_eq!(store.secret.unwrap().expose(), "exchange-old-1");
    let published = db::tenant_settings::list(&mut tx, tenant, SettingKind::ExternalPublication).await.unwrap();
    assert_eq!((published.len(), &published[0].body["storeId"]), (1, &serde_json::json!("Partners")));
    let executor = find(&mut tx, SettingKind::WorkflowExecutor, WorkflowKind::SubscriptionCreation.name()).await.unwrap();
    assert_eq!((&executor.body["mode"], executor.secret.is_some()), (&serde_json::json!("approval"), true));
    assert!(executor.body["properties"]["serviceEndpoint"].is_string() && executor.body["properties"].get("password").is_none());
    assert!(db::tenant_settings::asks_for_approval(&mut tx, tenant, WorkflowKind::SubscriptionCreation).await.unwrap());
    assert!(!db::tenant_settings::asks_for_approval(&mut tx, tenant, WorkflowKind::ApplicationCreation).await.unwrap());
    let sign_up = find(&mut tx, SettingKind::SignUp, "").await.unwrap();
    assert_eq!(sign_up.body["roles"], serde_json::json!(["Internal/subscriber"]));
    assert!(sign_up.secret.is_none() && !sign_up.body.to_string().contains("Admin"), "no administrator is needed");
    let alert = find(&mut tx, SettingKind::Alert, "subscriber/dave@carbon.super").await.unwrap();
    assert_eq!(alert.body["types"], serde_json::json!(["AbnormalResponseTime", "FrequentTierLimitHitting"]));
    assert_eq!(alert.body["emails"], serde_json::json!(["dave@example.org"]));
    assert!(!finding(&translation, About::Installation, "AbnormalTierUsage").is_empty());
    let label = find(&mut tx, SettingKind::GatewayLabel, "Asia").await.unwrap();
    assert_eq!(label.body["accessUrls"], serde_json::json!(["https://asia.example"]));
    let certificate = find(&mut tx, SettingKind::Certificate, "endpoint/backend").await.unwrap();
    assert_eq!(certificate.body["cells"]["end_point"], "https://backend.example");
    drop(tx);
    let verification = taken.verify(&db).await;
    for kind in ["APIs in other stores, by row", "claims, by row", "identity and service providers, by row"] {
        let (source, equal) = asked(&verification, kind);
        assert_eq!(source, equal, "{kind}");
        if kind.starts_with("APIs") {
            assert_eq!(source, 1);
        }
    }
}

const ALERTS: &str = "
CREATE TABLE AM_ALERT_TYPES_VALUES (ALERT_TYPE_ID INTEGER, USER_NAME VARCHAR(255), STAKE_HOLDER VARCHAR(100)) ENGINE INNODB;
INSERT INTO AM_ALERT_TYPES_VALUES VALUES (1,'dave','subscriber'),(7,'dave','subscriber'),(8,'dave','subscriber');
CREATE TABLE AM_ALERT_EMAILLIST (EMAIL_LIST_ID INTEGER, USER_NAME VARCHAR(255), STAKE_HOLDER VARCHAR(100)) ENGINE INNODB;
INSERT INTO AM_ALERT_EMAILLIST VALUES (1,'dave','subscriber');
CREATE TABLE AM_ALERT_EMAILLIST_DETAILS (EMAIL_LIST_ID INTEGER, EMAIL VARCHAR(255)) ENGINE INNODB;
INSERT INTO AM_ALERT_EMAILLIST_DETAILS VALUES (1,'dave@example.org'),(9,'nobody@example.org');
CREATE TABLE AM_LABELS (LABEL_ID VARCHAR(50), NAME VARCHAR(255), DESCRIPTION VARCHAR(1024), TENANT_DOMAIN VARCHAR(255)) ENGINE INNODB;
INSERT INTO AM_LABELS VALUES ('l-1','Asia','','carbon.super');
CREATE TABLE AM_LABEL_URLS (LABEL_ID VARCHAR(50), ACCESS_URL VARCHAR(255)) ENGINE INNODB;
INSERT INTO AM_LABEL_URLS VALUES ('l-1','https://asia.example');
CREATE TABLE AM_CERTIFICATE_METADATA (TENANT_ID INTEGER, ALIAS VARCHAR(45), END_POINT VARCHAR(100)) ENGINE INNODB;
INSERT INTO AM_CERTIFICATE_METADATA VALUES (-1234,'backend','https://backend.example');
";

#[tokio::test]
async fn a_key_of_the_sites_own_goes_on_signing() {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use upgrade::{old::Keys, source::keypairs::OldPair};

    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'static> = key.as_der().unwrap();
    let certificate = [b"CN=am.old.example", key.public_key().as_ref()].concat();
    let pair = OldPair { pkcs8: model::Secret::new(pkcs8.as_ref().to_vec()), certificate: certificate.clone() };
    let folder = tempfile::tempdir().unwrap();
    let mut taken = with_rows(folder.path(), "").await;
    taken.old.installation.keys =
        Keys { primary: Some(Ok(pair.clone())), trusted: Some(Ok(vec![("partner".to_owned(), vec![0x30, 0x01])])), tenants: Vec::new() };
    let db = carried(&taken, folder.path()).await;
    let mut tx = db.read().await.unwrap();
    let keys = db::signing_keys::list_all(&mut tx).await.unwrap();
    let [stored] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!((stored.tenant, stored.active, &stored.certificate_der), (TenantId::SUPER, true, &certificate));
    assert_eq!(stored.pkcs8, pair.pkcs8);
    let trusted = db::tenant_settings::find(&mut tx, TenantId::SUPER, SettingKind::Certificate, "trust/partner").await.unwrap().unwrap();
    assert_eq!(trusted.body["certificate"], "MAE=");
    drop(tx);
    assert_eq!(taken.applied(&db).await.batches, 0);

    // The key that everybody has does not.
    let shipped = OldPair { certificate: [b"CN=localhost, O=WSO2", key.public_key().as_ref()].concat(), ..pair };
    taken.old.installation.keys = Keys { primary: Some(Ok(shipped)), ..Keys::default() };
    let (translation, _) = taken.planned(None).await;
    assert!(translation.signing_keys.is_empty());
    assert!(matches!(finding(&translation, About::Installation, "every copy").as_slice(), [(Severity::Warning, _)]));
}
