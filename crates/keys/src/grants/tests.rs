//! What changes between the moment a client or user showed who they are and the moment their token is written.

use std::sync::Arc;

use db::{Db, DbUrl, Sealer};
use model::{ClientOrigin, Lifetimes, Tenant, TenantId, Timestamp, TokenState, UserName};
use users::{NewUser, Users};

use super::*;
use crate::{ClientChange, NewClient, Settings, Signers};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

struct House {
    desk: Desk,
    client: OAuthClient,
    _dir: tempfile::TempDir,
}

impl House {
    /// A client of the tenant `acme.com` and its user `bob` with the password `right-one`.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&DbUrl::sqlite(&dir.path().join("t.db")), Sealer::new([7; 32])).await.unwrap();
        let mut tx = db.write().await.unwrap();
        db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(NOW)).await.unwrap();
        let acme = Tenant { id: TenantId(1), domain: "acme.com".to_owned(), email: None, active: true, created_at: NOW };
        db::bootstrap::tenant(&mut tx, &acme).await.unwrap();
        tx.commit().await.unwrap();
        let clock: crate::Clock = Arc::new(|| NOW);
        let users = Users::new(db.clone(), Arc::clone(&clock));
        let maker: crate::CertificateMaker = Arc::new(|pkcs8, name| {
            let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.to_vec().into(), &rcgen::PKCS_RSA_SHA256)?;
            Ok(rcgen::CertificateParams::new(vec![name.to_owned()])?.self_signed(&key)?.der().to_vec())
        });
        let signers = Arc::new(Signers::new(db.clone(), maker, Arc::clone(&clock)));
        let desk = Desk::new(db, users, signers, Settings::default(), clock);
        let bob = NewUser {
            name: UserName::primary("bob", "acme.com"),
            password: Secret::new("right-one".to_owned()),
            roles: Vec::new(),
            attributes: Vec::new(),
            must_change_password: false,
        };
        desk.users.create(bob).await.unwrap();
        let client = NewClient {
            tenant: TenantId(1),
            owner: "bob@acme.com".to_owned(),
            name: "tool".to_owned(),
            grants: GRANTS.map(str::to_owned).to_vec(),
            callback_url: None,
            lifetimes: Lifetimes::default(),
            token_format: TokenFormat::Opaque,
            origin: ClientOrigin::Registration,
        };
        let client = desk.create_client(client).await.unwrap();
        Self { desk, client, _dir: dir }
    }

    async fn switch_tenant_off(&self) {
        let mut tx = self.desk.db.write().await.unwrap();
        let acme = db::tenants::find(&mut tx, TenantId(1)).await.unwrap().unwrap();
        db::tenants::update(&mut tx, &Tenant { active: false, ..acme }).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Asks as the client that was authenticated before anything changed.
    async fn ask(&self, scope: &str) -> [Result<Issued, Refusal>; 2] {
        let scopes = vec![scope.to_owned()];
        let bob = Request::Password {
            username: "bob@acme.com".to_owned(),
            password: Secret::new("right-one".to_owned()),
            from: None,
            scopes: scopes.clone(),
        };
        [self.desk.grant(&self.client, Request::ClientCredentials { scopes }).await, self.desk.grant(&self.client, bob).await]
    }

    async fn active(&self) -> usize {
        let mut tx = self.desk.db.read().await.unwrap();
        db::tokens::list_of_client(&mut tx, &self.client.id, TokenState::Active, 9).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_client_that_changed_meanwhile_gets_nothing() {
    for what in ["nothing", "secret", "switch", "deletion", "tenant"] {
        let house = House::new().await;
        let (desk, id) = (&house.desk, &house.client.id);
        let [_, pair] = house.ask("before").await;
        let refresh_token = pair.unwrap().refresh_token.unwrap();
        match what {
            "secret" => drop(desk.regenerate_secret(id).await.unwrap()),
            "switch" => drop(desk.update_client(id, ClientChange { active: Some(false), ..ClientChange::default() }).await.unwrap()),
            "deletion" => assert!(desk.delete_client(id).await.unwrap()),
            "tenant" => house.switch_tenant_off().await,
            _ => {}
        }
        let active = house.active().await;
        let [own, users] = house.ask("after").await;
        let refreshed = desk.grant(&house.client, Request::Refresh { refresh_token, scopes: None }).await;
        let outcomes = [own.is_ok(), users.is_ok(), refreshed.is_ok()];
        assert_eq!(outcomes, [what == "nothing"; 3], "{what}");
        if what != "nothing" {
            assert_eq!(house.active().await, active, "{what}");
            assert!(desk.application_token(id, None, Vec::new()).await.is_ok() == (what == "secret"), "the portal shows no secret: {what}");
        }
    }
}

#[tokio::test]
async fn a_client_is_given_what_it_may_have_now() {
    let house = House::new().await;
    let grants = Some(vec!["password".to_owned()]);
    house.desk.update_client(&house.client.id, ClientChange { grants, ..ClientChange::default() }).await.unwrap();
    let [own, users] = house.ask("x").await;
    assert!(matches!(own, Err(Refusal::UnauthorizedClient(_))));
    assert!(users.unwrap().refresh_token.is_none());
}

#[tokio::test]
async fn a_user_who_changed_meanwhile_gets_nothing() {
    let name = UserName::primary("bob", "acme.com");
    for what in ["nothing", "password", "lock", "deletion", "tenant"] {
        let house = House::new().await;
        let users = &house.desk.users;
        let bob = users.sign_in(&name, &Secret::new("right-one".to_owned())).await.unwrap();
        match what {
            "password" => users.set_password(&name, Secret::new("other-one".to_owned()), false).await.unwrap(),
            "lock" => users.set_locked(&name, true).await.unwrap(),
            "deletion" => {
                let mut tx = house.desk.db.write().await.unwrap();
                assert!(db::users::delete(&mut tx, bob.user.id, NOW).await.unwrap());
                tx.commit().await.unwrap();
            }
            "tenant" => house.switch_tenant_off().await,
            _ => {}
        }
        let issued = house.desk.issue_or_repeat(&house.client, For::User(&bob), &[]).await;
        assert_eq!(issued.is_ok_and(|issued| issued.is_some()), what == "nothing", "{what}");
        assert_eq!(house.active().await, usize::from(what == "nothing"), "{what}");
    }
}

#[tokio::test]
async fn what_was_issued_does_not_show_in_a_log() {
    let house = House::new().await;
    let [_, issued] = house.ask("openid").await;
    let issued = issued.unwrap();
    let shown = format!("{issued:?}");
    for secret in [Some(issued.access_token), issued.refresh_token, issued.id_token] {
        assert!(!shown.contains(secret.unwrap().expose()));
    }
}
