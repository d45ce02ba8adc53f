//! Applications as an administrator sees them.

use model::{
    Application, ApplicationId, ApplicationStatus, ApplicationTokenType, ClientOrigin, KeyMapping, KeyMappingId, KeyMappingMode, KeyState,
    KeyType, Lifetimes, OAuthClient, Secret, TenantId, TokenFormat,
};
use serde_json::json;

use crate::setting::{ACME, NOW, Setting};

pub(crate) fn application(owner: &str, name: &str) -> Application {
    Application {
        id: ApplicationId::random(),
        number: 0,
        tenant: TenantId::SUPER,
        owner: owner.to_owned(),
        name: name.to_owned(),
        policy: "Unlimited".to_owned(),
        description: None,
        token_type: ApplicationTokenType::Jwt,
        status: ApplicationStatus::Approved,
        groups: Vec::new(),
        attributes: Vec::new(),
        callback_url: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn client(id: &str, owner: &str) -> OAuthClient {
    OAuthClient {
        id: id.to_owned(),
        secret: Secret::new("hidden".to_owned()),
        name: format!("{owner}_{id}"),
        owner: owner.to_owned(),
        tenant: TenantId::SUPER,
        grants: vec!["client_credentials".to_owned()],
        callback_url: None,
        token_format: TokenFormat::Jwt,
        origin: ClientOrigin::Portal,
        lifetimes: Lifetimes::default(),
        active: true,
        created_at: NOW,
    }
}

fn mapping(application: ApplicationId, key_type: KeyType, client: &str, mode: KeyMappingMode) -> KeyMapping {
    KeyMapping {
        id: KeyMappingId::random(),
        application,
        key_type,
        key_manager: "Resident Key Manager".to_owned(),
        consumer_key: Some(client.to_owned()),
        state: KeyState::Completed,
        mode,
        allowed_domains: Vec::new(),
    }
}

/// `dev`'s applications Shop, with a client of its own and a mapped one, and Desk; and one of another tenant.
async fn filled() -> (Setting, Application) {
    let setting = Setting::new().await;
    let shop = application("dev", "Shop");
    let mut theirs = application("boss@acme.com", "Theirs");
    theirs.tenant = ACME;
    let mut tx = setting.db.write().await.unwrap();
    for application in [&shop, &application("dev", "Desk"), &application("admin", "Desk"), &theirs] {
        db::applications::insert(&mut tx, application).await.unwrap();
    }
    for (id, key_type, mode) in
        [("made", KeyType::Production, KeyMappingMode::Created), ("brought", KeyType::Sandbox, KeyMappingMode::Mapped)]
    {
        db::clients::insert(&mut tx, &client(id, "dev")).await.unwrap();
        db::key_mappings::insert(&mut tx, &mapping(shop.id, key_type, id, mode)).await.unwrap();
    }
    tx.commit().await.unwrap();
    (setting, shop)
}

#[tokio::test]
async fn all_of_the_tenant_are_listed() {
    let (setting, shop) = filled().await;
    let all = setting.get("admin", "/applications?sortBy=name&sortOrder=desc&limit=2").await.body;
    assert_eq!((&all["count"], &all["pagination"]["total"]), (&json!(2), &json!(3)));
    let first = json!({"applicationId": shop.id.to_string(), "name": "Shop", "owner": "dev", "status": "APPROVED", "groupId": ""});
    assert_eq!(all["list"][0], first);
    assert_eq!(setting.get("admin", "/applications?user=dev").await.body["count"], 2);
    assert_eq!(setting.get("admin", "/applications?name=sho").await.body["count"], 1);
    assert_eq!(setting.get("admin", "/applications?user=boss@acme.com").await.status, 403);
    assert_eq!(setting.get("acme", "/applications?user=boss").await.body["list"][0]["owner"], "boss@acme.com");
}

#[tokio::test]
async fn a_new_owner_gets_the_clients_too() {
    let (setting, shop) = filled().await;
    let path = |owner: &str| format!("/applications/{}/change-owner?owner={owner}", shop.id);
    assert_eq!(setting.ask("admin", "POST", &path("nobody"), None).await.status, 400);
    assert_eq!(setting.ask("admin", "POST", &path("boss@acme.com"), None).await.body["code"], 901_409);
    assert_eq!(setting.ask("admin", "POST", &path(""), None).await.status, 400);
    assert_eq!(setting.ask("acme", "POST", &path("boss"), None).await.status, 404);
    assert_eq!(setting.ask("admin", "POST", &path("admin"), None).await.status, 200);
    let mut tx = setting.db.read().await.unwrap();
    assert_eq!(db::applications::find(&mut tx, shop.id).await.unwrap().unwrap().owner, "admin");
    assert_eq!(db::clients::find(&mut tx, "made").await.unwrap().unwrap().owner, "admin");
    drop(tx);
    let desk = setting.get("admin", "/applications?user=dev&name=Desk").await.body["list"][0]["applicationId"].clone();
    let taken = setting.ask("admin", "POST", &format!("/applications/{}/change-owner?owner=admin", desk.as_str().unwrap()), None).await;
    assert_eq!((taken.status, &taken.body["code"]), (409, &json!(900_301)));
}

#[tokio::test]
async fn a_removed_application_takes_its_own_client_along() {
    let (setting, shop) = filled().await;
    let path = format!("/applications/{}", shop.id);
    assert_eq!(setting.delete("acme", &path).await.status, 404);
    assert_eq!(setting.delete("admin", &path).await.status, 200);
    assert_eq!(setting.delete("admin", &path).await.status, 404);
    let mut tx = setting.db.read().await.unwrap();
    assert!(db::clients::find(&mut tx, "made").await.unwrap().is_none());
    assert!(db::clients::find(&mut tx, "brought").await.unwrap().is_some());
    assert!(db::key_mappings::list(&mut tx, shop.id).await.unwrap().is_empty());
}
