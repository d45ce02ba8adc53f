//! Accounts over a real database file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly; that is what it is for")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use db::{Db, DbUrl, Sealer};
use model::{LegacyDigest, SUPER_TENANT_DOMAIN, Secret, StoredPassword, Tenant, TenantId, Timestamp, User, UserId, UserName};
use tidegate_users::{ChangeError, Made, NewUser, SignInError, Users};

struct House {
    users: Users,
    db: Db,
    now: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

const START: i64 = 1_700_000_000_000;

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = DbUrl::parse(&format!("sqlite:{}", dir.path().join("t.db").display())).unwrap();
        let db = Db::open(&url, Sealer::new([7; 32])).await.unwrap();
        let mut tx = db.write().await.unwrap();
        db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(Timestamp(START))).await.unwrap();
        let acme = Tenant { id: TenantId(1), domain: "acme.com".to_owned(), email: None, active: true, created_at: Timestamp(START) };
        db::bootstrap::tenant(&mut tx, &acme).await.unwrap();
        tx.commit().await.unwrap();
        let now = Arc::new(AtomicI64::new(START));
        let hand = Arc::clone(&now);
        let users = Users::new(db.clone(), Arc::new(move || Timestamp(hand.load(Ordering::SeqCst))));
        Self { users, db, now, _dir: dir }
    }

    fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    async fn make(&self, name: &str, roles: &[&str]) -> UserName {
        let name = self.users.parse_name(name).await.unwrap();
        let new = NewUser {
            name: name.clone(),
            password: secret("right-one"),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            attributes: Vec::new(),
            must_change_password: false,
        };
        self.users.create(new).await.unwrap();
        name
    }

    async fn carry_over(&self, name: &str, password: StoredPassword) -> UserName {
        let user = User {
            id: UserId::random(),
            tenant: TenantId::SUPER,
            store: "PRIMARY".to_owned(),
            name: name.to_owned(),
            password: Some(password),
            roles: vec!["Internal/creator".to_owned()],
            attributes: Vec::new(),
            locked: false,
            must_change_password: false,
            password_changed_at: Timestamp(5),
            created_at: Timestamp(5),
        };
        let mut tx = self.db.write().await.unwrap();
        db::users::insert(&mut tx, &user).await.unwrap();
        tx.commit().await.unwrap();
        UserName::primary(name, SUPER_TENANT_DOMAIN)
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn names_know_the_tenants() {
    let house = House::new().await;
    assert_eq!(house.make("bob@acme.com", &["Internal/subscriber"]).await.tenant, "acme.com");
    assert_eq!(house.make("bob@mail.org", &[]).await.tenant, SUPER_TENANT_DOMAIN);
    let account = house.users.sign_in(&UserName::primary("bob", "acme.com"), &secret("right-one")).await.unwrap();
    assert_eq!(account.name().to_string(), "bob@acme.com");
    assert_eq!(account.roles, ["Internal/subscriber", "Internal/everyone"]);
    assert!(house.users.find(&UserName::primary("bob", SUPER_TENANT_DOMAIN)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_old_digest_is_replaced_by_the_first_success_only() {
    let house = House::new().await;
    let old =
        StoredPassword::Legacy { digest: LegacyDigest::Sha256, hash: secret("jGl25bVBBBW96Qi9Te4V37Fnqchz/Eu4qB9vKrRIqRg="), salt: None };
    let name = house.carry_over("olduser", old.clone()).await;
    assert!(matches!(house.users.sign_in(&name, &secret("wrong")).await, Err(SignInError::Refused)));
    assert_eq!(house.users.find(&name).await.unwrap().unwrap().user.password, Some(old));
    house.users.sign_in(&name, &secret("admin")).await.unwrap();
    let renewed = house.users.find(&name).await.unwrap().unwrap().user;
    assert!(matches!(renewed.password, Some(StoredPassword::Argon2id(_))));
    assert_eq!(renewed.password_changed_at, Timestamp(5), "the password is the same, so its date is too");
    house.pass(3_600_000);
    house.users.sign_in(&name, &secret("admin")).await.unwrap();
    assert!(house.users.sign_in(&name, &secret("wrong")).await.is_err());
}

#[tokio::test]
async fn a_remembered_password_ends_with_its_change() {
    let house = House::new().await;
    let name = house.make("ann", &[]).await;
    house.users.sign_in(&name, &secret("right-one")).await.unwrap();
    house.users.change_password(&name, &secret("right-one"), secret("new-one")).await.unwrap();
    assert!(matches!(house.users.sign_in(&name, &secret("right-one")).await, Err(SignInError::Refused)));
    house.users.sign_in(&name, &secret("new-one")).await.unwrap();
    let wrong = house.users.change_password(&name, &secret("right-one"), secret("other")).await;
    assert!(matches!(wrong, Err(ChangeError::Current(SignInError::Refused))));
}

#[tokio::test]
async fn guessing_is_slowed_and_a_known_client_is_not_locked_out_by_it() {
    let house = House::new().await;
    let name = house.make("ann", &[]).await;
    house.users.sign_in(&name, &secret("right-one")).await.unwrap();
    for _ in 0..5 {
        assert!(matches!(house.users.sign_in(&name, &secret("guess")).await, Err(SignInError::Refused)));
    }
    assert!(matches!(house.users.sign_in(&name, &secret("guess")).await, Err(SignInError::TooManyAttempts { .. })));
    house.users.sign_in(&name, &secret("right-one")).await.unwrap();
    house.pass(61_000);
    house.users.sign_in(&name, &secret("right-one")).await.unwrap();
    assert!(matches!(house.users.sign_in(&name, &secret("guess")).await, Err(SignInError::Refused)));

    let nobody = UserName::primary("nobody", SUPER_TENANT_DOMAIN);
    for _ in 0..5 {
        assert!(matches!(house.users.sign_in(&nobody, &secret("guess")).await, Err(SignInError::Refused)));
    }
    assert!(matches!(house.users.sign_in(&nobody, &secret("guess")).await, Err(SignInError::TooManyAttempts { .. })));
}

#[tokio::test]
async fn many_at_once_are_all_served() {
    let house = House::new().await;
    let name = house.make("ann", &[]).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (users, name) = (house.users.clone(), name.clone());
            tokio::spawn(async move { users.sign_in(&name, &secret("right-one")).await.is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
}

#[tokio::test]
async fn states_are_told_only_to_who_knows_the_password() {
    let house = House::new().await;
    let name = house.make("ann", &[]).await;
    house.users.sign_in(&name, &secret("right-one")).await.unwrap();
    house.users.set_locked(&name, true).await.unwrap();
    assert!(matches!(house.users.sign_in(&name, &secret("right-one")).await, Err(SignInError::Locked)));
    assert!(matches!(house.users.sign_in(&name, &secret("wrong-one")).await, Err(SignInError::Refused)));
    assert!(house.users.roles_of(&name).await.unwrap().is_empty());
    house.users.set_locked(&name, false).await.unwrap();
    house.users.set_password(&name, secret("one-time"), true).await.unwrap();
    house.users.sign_in(&name, &secret("one-time")).await.unwrap();
    house.pass(24 * 3_600_000 + 1);
    assert!(matches!(house.users.sign_in(&name, &secret("one-time")).await, Err(SignInError::PasswordExpired)));

    let bob = house.make("bob@acme.com", &[]).await;
    let mut tx = house.db.write().await.unwrap();
    let acme = db::tenants::find_by_domain(&mut tx, "acme.com").await.unwrap().unwrap();
    db::tenants::update(&mut tx, &Tenant { active: false, ..acme }).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(house.users.sign_in(&bob, &secret("right-one")).await, Err(SignInError::TenantInactive)));
}

#[tokio::test]
async fn rules_of_new_accounts() {
    let house = House::new().await;
    let name = house.make("ann", &["Internal/Creator", "internal/creator"]).await;
    assert_eq!(house.users.roles_of(&name).await.unwrap(), ["Internal/creator", "Internal/everyone"]);
    let new = |name: &str, password: &str, role: &str| NewUser {
        name: UserName::primary(name, SUPER_TENANT_DOMAIN),
        password: secret(password),
        roles: vec![role.to_owned()],
        attributes: Vec::new(),
        must_change_password: false,
    };
    assert!(matches!(house.users.create(new("ann", "right-one", "admin")).await, Err(ChangeError::Exists(_))));
    assert!(matches!(house.users.create(new("a b", "right-one", "admin")).await, Err(ChangeError::NameNotAllowed)));
    assert!(matches!(house.users.create(new("cid", "four", "admin")).await, Err(ChangeError::PasswordNotAllowed)));
    assert!(matches!(house.users.create(new("cid", "right-one", "pirate")).await, Err(ChangeError::UnknownRole(_))));
    assert!(matches!(house.users.set_roles(&name, vec!["pirate".to_owned()]).await, Err(ChangeError::UnknownRole(_))));
    house.users.set_roles(&name, vec!["admin".to_owned()]).await.unwrap();
    assert!(house.users.find(&name).await.unwrap().unwrap().has_role("ADMIN"));
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let house = House::new().await;
    let Made::New { generated: Some(password) } = house.users.ensure_admin(None).await.unwrap() else { panic!("not made") };
    assert!(password.expose().len() >= 24);
    let account = house.users.sign_in(&UserName::primary("admin", SUPER_TENANT_DOMAIN), &password).await.unwrap();
    assert!(account.has_role("admin"));
    assert!(matches!(house.users.ensure_admin(Some(secret("other-one"))).await.unwrap(), Made::Existing));

    let other = House::new().await;
    assert!(matches!(other.users.ensure_admin(Some(secret("given-one"))).await.unwrap(), Made::New { generated: None }));
    other.users.sign_in(&UserName::primary("admin", SUPER_TENANT_DOMAIN), &secret("given-one")).await.unwrap();
}
