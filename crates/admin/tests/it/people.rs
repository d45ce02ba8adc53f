//! Users, roles and tenants.

use model::{Secret, UserName};
use serde_json::json;

use crate::setting::{Setting, on_postgresql};

#[tokio::test]
async fn a_user_is_made_changed_and_removed() {
    a_user_is_made_changed_and_removed_on(Setting::new().await).await;
}

#[tokio::test]
async fn a_user_is_made_changed_and_removed_on_postgresql() {
    on_postgresql(a_user_is_made_changed_and_removed_on).await;
}

async fn a_user_is_made_changed_and_removed_on(setting: Setting) {
    let sent = json!({"userName": "eve", "password": "first-words", "roles": ["internal/Creator"], "attributes": {"mail": "e@x.org"}});
    let made = setting.post("admin", "/users", sent.clone()).await;
    assert_eq!((made.status, &made.body["roles"]), (201, &json!(["Internal/creator"])), "roles are spelled as they were made");
    assert!(!made.body.to_string().contains("first-words"));
    assert_eq!(setting.post("admin", "/users", sent).await.status, 409);
    assert_eq!(setting.get("admin", "/users/eve").await.body, made.body);
    assert_eq!(setting.get("admin", "/users?name=EVE").await.body["pagination"]["total"], 1);
    assert_eq!(setting.get("admin", "/users?limit=1").await.body["pagination"]["total"], 3);
    assert_eq!(setting.get("admin", "/users?name=e&limit=1").await.body["pagination"]["total"], 2, "dev and eve");

    assert_eq!(
        setting.put("admin", "/users/eve/roles", json!({"roles": ["Internal/publisher"]})).await.body["roles"],
        json!(["Internal/publisher"])
    );
    assert_eq!(setting.put("admin", "/users/eve/roles", json!({"roles": ["nobody"]})).await.body["code"], 900_607);
    assert_eq!(setting.put("admin", "/users/eve/password", json!({"password": "other-words"})).await.status, 200);
    assert_eq!(setting.put("admin", "/users/eve/password", json!({"password": "x"})).await.status, 400);
    let eve = UserName::primary("eve", "carbon.super");
    assert!(setting.users.sign_in(&eve, &Secret::new("other-words".to_owned())).await.is_ok());
    assert_eq!(setting.put("admin", "/users/eve/locked", json!({"locked": true})).await.body["locked"], true);
    assert!(setting.users.sign_in(&eve, &Secret::new("other-words".to_owned())).await.is_err());
    assert_eq!(setting.delete("admin", "/users/eve").await.status, 200);
    assert_eq!(setting.delete("admin", "/users/eve").await.status, 404);
}

#[tokio::test]
async fn a_tenants_administrators_reach_their_own_users_only() {
    let setting = Setting::new().await;
    assert_eq!(setting.get("acme", "/users").await.body["list"][0]["userName"], "boss");
    assert_eq!(setting.get("acme", "/users/boss@acme.com").await.status, 200);
    assert_eq!(setting.get("acme", "/users/dev").await.status, 404);
    assert_eq!(setting.get("admin", "/users/boss@acme.com").await.body["code"], 901_409);
    assert_eq!(setting.put("admin", "/users/boss@acme.com/password", json!({"password": "taken-over"})).await.status, 400);
    let made = setting.post("acme", "/users", json!({"userName": "zoe", "password": "first-words"})).await;
    assert_eq!((made.status, &made.body["tenantDomain"]), (201, &json!("acme.com")));
    for path in ["/tenants", "/tenants/acme.com"] {
        assert_eq!(setting.get("acme", path).await.status, 403);
    }
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let setting = Setting::new().await;
    assert_eq!(setting.delete("admin", "/users/admin").await.status, 409);
    assert_eq!(setting.put("admin", "/users/admin/roles", json!({"roles": []})).await.status, 409);
    assert_eq!(setting.put("admin", "/users/admin/locked", json!({"locked": true})).await.status, 409);
    assert_eq!(setting.put("admin", "/users/dev/roles", json!({"roles": ["admin"]})).await.status, 200);
    assert_eq!(setting.put("admin", "/users/dev/locked", json!({"locked": true})).await.status, 200);
    assert_eq!(setting.delete("admin", "/users/admin").await.status, 409, "who is locked out cannot take over");
    assert_eq!(setting.put("admin", "/users/dev/locked", json!({"locked": false})).await.status, 200);
    // Each would leave the other; together they would leave nobody.
    let none = json!({"roles": []});
    let (one, two) =
        tokio::join!(setting.put("admin", "/users/admin/roles", none.clone()), setting.put("admin", "/users/dev/roles", none.clone()));
    assert_eq!((one.status.min(two.status), one.status.max(two.status)), (200, 409));
}

#[tokio::test]
async fn of_two_who_make_a_tenant_at_once_one_is_told_so() {
    let setting = Setting::new().await;
    let sent = |domain: &str, password: &str| json!({"tenantDomain": domain, "adminUser": "root", "adminPassword": password});
    let (one, two) = tokio::join!(
        setting.post("admin", "/tenants", sent("corp.example", "first-words")),
        setting.post("admin", "/tenants", sent("corp.example", "other-words"))
    );
    assert_eq!((one.status.min(two.status), one.status.max(two.status)), (201, 409), "{} {}", one.body, two.body);
    let kept = if one.status == 201 { "first-words" } else { "other-words" };
    let root = UserName::primary("root", "corp.example");
    assert!(setting.users.sign_in(&root, &Secret::new(kept.to_owned())).await.is_ok());

    let (one, two) = tokio::join!(
        setting.post("admin", "/tenants", sent("one.example", "first-words")),
        setting.post("admin", "/tenants", sent("two.example", "first-words"))
    );
    assert_eq!((one.status, two.status), (201, 201));
    assert_ne!(one.body["tenantId"], two.body["tenantId"]);
    for domain in ["one.example", "two.example"] {
        assert_eq!(setting.get("admin", &format!("/tenants/{domain}")).await.body["active"], true);
    }
}

#[tokio::test]
async fn roles_are_made_asked_for_and_removed() {
    let setting = Setting::new().await;
    assert_eq!(setting.post("admin", "/roles", json!({"name": "partner"})).await.status, 201);
    assert_eq!(setting.post("admin", "/roles", json!({"name": "Partner"})).await.status, 409);
    assert_eq!(setting.post("admin", "/roles", json!({"name": "a b"})).await.status, 400);
    // base64url of partner, nobody, admin
    assert_eq!(setting.ask("admin", "HEAD", "/roles/cGFydG5lcg==", None).await.status, 200);
    assert_eq!(setting.ask("acme", "HEAD", "/roles/cGFydG5lcg", None).await.status, 404);
    assert_eq!(setting.ask("admin", "HEAD", "/roles/bm9ib2R5", None).await.status, 404);
    setting.put("admin", "/users/dev/roles", json!({"roles": ["partner"]})).await;
    assert_eq!(setting.delete("admin", "/roles/YWRtaW4").await.status, 409);
    assert_eq!(setting.delete("admin", "/roles/cGFydG5lcg").await.status, 200);
    assert_eq!(setting.get("admin", "/users/dev").await.body["roles"], json!([]));
    assert_eq!(setting.delete("admin", "/roles/cGFydG5lcg").await.status, 404);
}

#[tokio::test]
async fn a_tenant_is_made_with_its_administrator() {
    let setting = Setting::new().await;
    let sent = json!({"tenantDomain": "Corp.example", "adminUser": "root", "adminPassword": "x"});
    assert_eq!(setting.post("admin", "/tenants", sent.clone()).await.status, 400, "the password is too short");
    assert_eq!(setting.get("admin", "/tenants/corp.example").await.body["active"], false, "nobody can use it yet");
    let mut sent = sent;
    sent["adminPassword"] = json!("long-enough");
    let made = setting.post("admin", "/tenants", sent.clone()).await;
    assert_eq!((made.status, &made.body["tenantId"], &made.body["active"]), (201, &json!(2), &json!(true)), "{}", made.body);
    assert_eq!(setting.post("admin", "/tenants", sent).await.status, 409);
    let root = UserName::primary("root", "corp.example");
    assert!(setting.users.sign_in(&root, &Secret::new("long-enough".to_owned())).await.is_ok());
    assert_eq!(setting.put("admin", "/tenants/corp.example", json!({"active": false})).await.body["active"], false);
    assert!(setting.users.sign_in(&root, &Secret::new("long-enough".to_owned())).await.is_err());
    assert_eq!(setting.put("admin", "/tenants/carbon.super", json!({"active": false})).await.status, 409);
    // base64 of root@corp.example, of boss@acme.com
    let info = setting.get("admin", "/tenant-info/cm9vdEBjb3JwLmV4YW1wbGU=").await.body;
    assert_eq!(info, json!({"username": "root@corp.example", "tenantDomain": "corp.example", "tenantId": 2}));
    assert_eq!(setting.get("acme", "/tenant-info/cm9vdEBjb3JwLmV4YW1wbGU=").await.status, 400);
}
