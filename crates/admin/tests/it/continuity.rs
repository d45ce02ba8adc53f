//! The switches that keep an old installation's ways, and the list of user stores.

use model::{
    Api, ApiContinuity, ApiId, BackendJwt, Continuity, ErrorFormat, Generation, JwtForm, Secret, TenantId, UserStore, UserStoreKind,
};
use serde_json::{Value, json};

use crate::setting::{ACME, NOW, Setting, on_postgresql};

async fn with_api(setting: &Setting, tenant: TenantId, name: &str) -> ApiId {
    let id = ApiId::derived(&[name]);
    let mut tx = setting.db.write().await.unwrap();
    let api = Api::new(id, tenant, "admin", name, "1.0.0", &format!("/{name}/{{version}}"), NOW);
    db::apis::insert(&mut tx, &api).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn stored(setting: &Setting, tenant: TenantId) -> Option<Continuity> {
    db::continuity::find(&mut setting.db.read().await.unwrap(), tenant).await.unwrap()
}

#[tokio::test]
async fn a_tenants_switches_are_seen_turned_and_laid_aside() {
    a_tenants_switches_are_seen_turned_and_laid_aside_on(Setting::new().await).await;
}

#[tokio::test]
async fn a_tenants_switches_are_seen_turned_and_laid_aside_on_postgresql() {
    on_postgresql(a_tenants_switches_are_seen_turned_and_laid_aside_on).await;
}

async fn a_tenants_switches_are_seen_turned_and_laid_aside_on(setting: Setting) {
    let new = json!({"errorFormat": "json-4.0", "tokenPaths": false, "domainRestriction": true, "domainHeader": null, "tokenKinds": false, "backendJwt": null});
    assert_eq!(setting.get("admin", "/continuity").await.body, new);
    let old = json!({
        "errorFormat": "xml-1.9", "tokenPaths": true, "domainRestriction": false, "domainHeader": "Referer", "tokenKinds": true,
        "backendJwt": {"form": "1.9", "header": "X-JWT-Assertion", "dialect": "http://wso2.org/claims", "signed": true,
                       "encoding": "base64", "lifetimeSeconds": 900, "userClaims": true},
    });
    let put = setting.put("admin", "/continuity", old.clone()).await;
    assert_eq!((put.status, put.body), (200, old.clone()));
    assert_eq!(setting.get("admin", "/continuity").await.body, old);
    let kept = stored(&setting, TenantId::SUPER).await.unwrap();
    assert_eq!((kept.error_format, kept.token_paths), (ErrorFormat::Xml1(Generation::V1_9), true));
    assert_eq!(kept.backend_jwt.map(|jwt| (jwt.form, jwt.user_claims)), Some((JwtForm::Old(Generation::V1_9), true)));
    assert_eq!(setting.get("acme", "/continuity").await.body, new, "another tenant's switches are its own");

    let put = setting.put("acme", "/continuity", json!({"errorFormat": "accept-2.6", "backendJwt": {}})).await;
    assert_eq!(put.status, 200);
    let kept = stored(&setting, ACME).await.unwrap();
    let ought = Continuity {
        error_format: ErrorFormat::Accept(Generation::V2_6),
        backend_jwt: Some(BackendJwt::of_4_0()),
        ..Continuity::none(ACME)
    };
    assert_eq!(kept, ought, "what is left out is as in a new installation");

    assert_eq!(setting.delete("admin", "/continuity").await.status, 200);
    assert_eq!(setting.get("admin", "/continuity").await.body, new);
    assert_eq!(stored(&setting, TenantId::SUPER).await, None);
    assert!(stored(&setting, ACME).await.is_some());
}

#[tokio::test]
async fn switches_that_mean_nothing_are_refused_by_name() {
    let setting = Setting::new().await;
    for (token, body, field) in [
        ("admin", json!({"errorFormat": "xml-4.0"}), "errorFormat"),
        ("admin", json!({"domainHeader": "no name"}), "domainHeader"),
        ("admin", json!({"backendJwt": {"form": "3.2"}}), "backendJwt.form"),
        ("admin", json!({"backendJwt": {"encoding": "hex"}}), "backendJwt.encoding"),
        ("admin", json!({"backendJwt": {"header": "a b"}}), "backendJwt.header"),
        ("admin", json!({"backendJwt": {"header": "Host"}}), "backendJwt.header"),
        ("admin", json!({"backendJwt": {"dialect": " "}}), "backendJwt.dialect"),
        ("admin", json!({"backendJwt": {"lifetimeSeconds": 0}}), "backendJwt.lifetimeSeconds"),
        ("admin", json!({"backendJwt": {"colour": "red"}}), "colour"),
        ("admin", json!({"colour": "red"}), "colour"),
        ("acme", json!({"tokenPaths": true}), "tokenPaths"),
    ] {
        let answer = setting.put(token, "/continuity", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.body.to_string().contains(field), "{field}: {}", answer.body);
    }
    assert_eq!(stored(&setting, TenantId::SUPER).await, None);
}

#[tokio::test]
async fn an_apis_own_switches_are_its_tenants_to_turn() {
    let setting = Setting::new().await;
    let (shop, theirs) = (with_api(&setting, TenantId::SUPER, "shop").await, with_api(&setting, ACME, "theirs").await);
    let one = format!("/continuity/apis/{shop}");
    let none = json!({"apiId": shop.to_string(), "errorFormat": null, "domainRestriction": null, "tokenKinds": null, "backendJwt": null});
    assert_eq!(setting.get("admin", &one).await.body, none);
    let put = setting.put("admin", &one, json!({"errorFormat": "xml-1.8", "backendJwt": false})).await;
    let own =
        json!({"apiId": shop.to_string(), "errorFormat": "xml-1.8", "domainRestriction": null, "tokenKinds": null, "backendJwt": false});
    assert_eq!((put.status, &put.body), (200, &own));
    assert_eq!(setting.put("acme", &format!("/continuity/apis/{theirs}"), json!({"domainRestriction": false})).await.status, 200);
    assert_eq!(setting.get("admin", "/continuity/apis").await.body, json!({"count": 1, "list": [own]}));
    let kept = db::continuity::find_api(&mut setting.db.read().await.unwrap(), shop).await.unwrap();
    let error_format = Some(ErrorFormat::Xml1(Generation::V1_8));
    assert_eq!(kept, Some(ApiContinuity { error_format, backend_jwt: Some(false), ..ApiContinuity::none(shop) }));

    for (token, path) in
        [("acme", one.clone()), ("admin", format!("/continuity/apis/{theirs}")), ("admin", "/continuity/apis/x".to_owned())]
    {
        assert_eq!(setting.get(token, &path).await.status, 404, "{token} {path}");
        assert_eq!(setting.put(token, &path, json!({})).await.status, 404, "{token} {path}");
        assert_eq!(setting.delete(token, &path).await.status, 404, "{token} {path}");
    }
    assert_eq!(setting.put("admin", &one, json!({"apiId": theirs.to_string()})).await.status, 400);
    assert_eq!(setting.put("admin", &one, json!({"errorFormat": "json"})).await.status, 400);
    assert_eq!(setting.get("admin", &one).await.body["errorFormat"], "xml-1.8");
    assert_eq!(setting.delete("admin", &one).await.status, 200);
    assert_eq!(setting.get("admin", &one).await.body, none);
}

#[tokio::test]
async fn user_stores_are_listed_without_a_secret() {
    let setting = Setting::new().await;
    assert_eq!(setting.get("admin", "/user-stores").await.body, json!({"count": 0, "list": []}));
    let text = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let store = UserStore {
        tenant: TenantId::SUPER,
        domain: "staff.example".to_owned(),
        kind: UserStoreKind::LdapReadOnly,
        disabled: false,
        position: 2,
        admin_role: Some("boss".to_owned()),
        attributes: vec!["mail".to_owned()],
        properties: text(&[
            ("ConnectionURL", "ldap://directory:10389"),
            ("url", "jdbc:mysql://db/users?user=a&password=hunter2"),
            ("backup", "ldap://admin:hunter2@other:10389"),
            ("oldPassword", "hunter2"),
            ("ReadOnly", "true"),
        ]),
        secrets: vec![("ConnectionPassword".to_owned(), Secret::new("hunter2".to_owned()))],
    };
    let mut tx = setting.db.write().await.unwrap();
    db::user_stores::insert(&mut tx, &store).await.unwrap();
    tx.commit().await.unwrap();
    let answer = setting.get("admin", "/user-stores").await.body;
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
    let shown = &answer["list"][0];
    assert_eq!((&shown["domainName"], &shown["position"], &shown["primary"]), (&json!("staff.example"), &json!(2), &json!(false)));
    assert_eq!(shown["properties"], json!({"ConnectionURL": "ldap://directory:10389", "ReadOnly": "true"}));
    assert_eq!(shown["secretProperties"], json!(["ConnectionPassword", "url", "backup", "oldPassword"]));
    assert_eq!(setting.get("acme", "/user-stores").await.body["count"], Value::from(0));
}
