//! Tenants, users, roles and REST scopes.

use db::users::UserFilter;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    tenants_are_found_in_any_letter_case,
    users_come_back_whole,
    user_names_are_unique_per_store_and_tenant,
    users_are_listed_in_pages,
    users_are_found_in_any_letter_case_within_their_store,
    another_with_a_role_is_looked_for,
    passwords_are_rehashed,
    what_ends_a_user_takes_their_tokens_back,
    a_deleted_role_leaves_its_users,
    rest_scopes_are_replaced_together,
}

async fn tenants_are_found_in_any_letter_case(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    assert_eq!(db::tenants::find_by_domain(&mut tx, "aCME.COM").await.unwrap(), Some(acme()));
    assert_eq!(db::tenants::find(&mut tx, TenantId(5)).await.unwrap(), None);
    let closed = Tenant { active: false, email: None, ..acme() };
    assert!(db::tenants::update(&mut tx, &closed).await.unwrap());
    assert_eq!(db::tenants::list(&mut tx).await.unwrap(), [Tenant::super_tenant(NOW), closed]);
    assert!(!db::tenants::update(&mut tx, &Tenant { id: TenantId(5), domain: "x".to_owned(), ..acme() }).await.unwrap());
    let clash = Tenant { id: TenantId(6), domain: "ACME.com".to_owned(), ..acme() };
    assert!(db::tenants::insert(&mut tx, &clash).await.unwrap_err().is_duplicate("tenant", "domain_fold"));
}

async fn users_come_back_whole(stage: Stage) {
    tenants(&stage.db).await;
    let mut bob = user("Bob");
    let mut tx = stage.db.write().await.unwrap();
    db::users::insert(&mut tx, &bob).await.unwrap();
    assert_eq!(db::users::find_by_id(&mut tx, bob.id).await.unwrap().as_ref(), Some(&bob));
    assert_eq!(db::users::find(&mut tx, TenantId::SUPER, "PRIMARY", "Bob").await.unwrap().as_ref(), Some(&bob));
    for (tenant, store, name) in [(TenantId::SUPER, "PRIMARY", "bob"), (TenantId::SUPER, "LDAP", "Bob"), (ACME, "PRIMARY", "Bob")] {
        assert_eq!(db::users::find(&mut tx, tenant, store, name).await.unwrap(), None);
    }
    bob.roles = texts(&["z", "a"]);
    bob.password = None;
    bob.locked = false;
    bob.attributes.clear();
    assert!(db::users::update(&mut tx, &bob, NOW).await.unwrap());
    assert_eq!(db::users::find_by_id(&mut tx, bob.id).await.unwrap().as_ref(), Some(&bob));
    assert!(db::users::delete(&mut tx, bob.id, NOW).await.unwrap());
    assert!(!db::users::delete(&mut tx, bob.id, NOW).await.unwrap());
    assert!(!db::users::update(&mut tx, &bob, NOW).await.unwrap());
}

async fn user_names_are_unique_per_store_and_tenant(stage: Stage) {
    tenants(&stage.db).await;
    let ldap = User { store: "LDAP".to_owned(), ..user("bob") };
    let elsewhere = User { tenant: ACME, ..user("bob") };
    let mut tx = stage.db.write().await.unwrap();
    db::users::insert_many(&mut tx, &[user("bob"), user("Bob"), ldap, elsewhere]).await.unwrap();
    assert!(db::users::insert(&mut tx, &user("bob")).await.unwrap_err().is_duplicate("account", "name"));
}

async fn users_are_found_in_any_letter_case_within_their_store(stage: Stage) {
    tenants(&stage.db).await;
    let ldap = |name: &str| User { store: "LDAP".to_owned(), ..user(name) };
    let mut tx = stage.db.write().await.unwrap();
    db::users::insert_many(&mut tx, &[user("ann"), ldap("Ann"), ldap("ANN"), ldap("bob"), User { tenant: ACME, ..ldap("ann") }])
        .await
        .unwrap();
    let found = db::users::list_alike(&mut tx, TenantId::SUPER, "LDAP", &["aNN", "cid"]).await.unwrap();
    assert_eq!(found.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["ANN", "Ann"]);
    assert!(db::users::list_alike(&mut tx, TenantId::SUPER, "LDAP", &[]).await.unwrap().is_empty());
}

async fn users_are_listed_in_pages(stage: Stage) {
    tenants(&stage.db).await;
    let many: Vec<User> = (0..1_200).map(|n| user(&format!("user{n:04}"))).collect();
    let mut tx = stage.db.write().await.unwrap();
    db::users::insert_many(&mut tx, &many).await.unwrap();
    assert_eq!(db::users::count(&mut tx, TenantId::SUPER).await.unwrap(), 1_200);
    let filter = |name_like: Option<&str>, limit, offset| UserFilter {
        tenant: TenantId::SUPER,
        name_like: name_like.map(str::to_owned),
        limit,
        offset,
    };
    assert_eq!(db::users::list(&mut tx, &filter(None, 5_000, 0)).await.unwrap(), many);
    assert_eq!(db::users::list(&mut tx, &filter(None, 2, 1_199)).await.unwrap(), many[1_199..]);
    assert_eq!(db::users::list(&mut tx, &filter(Some("R0042"), 25, 0)).await.unwrap(), many[42..43]);
    assert_eq!(db::users::list(&mut tx, &filter(Some("user_"), 25, 0)).await.unwrap(), []);
    assert_eq!(db::users::count_matching(&mut tx, &filter(Some("R0042"), 0, 9)).await.unwrap(), 1, "of all pages");
    assert_eq!(db::users::count_matching(&mut tx, &filter(None, 1, 0)).await.unwrap(), 1_200);
    assert_eq!(db::users::count_matching(&mut tx, &filter(Some("user_"), 25, 0)).await.unwrap(), 0);
}

async fn another_with_a_role_is_looked_for(stage: Stage) {
    tenants(&stage.db).await;
    let with = |name: &str, roles: &[&str]| User { roles: texts(roles), locked: false, ..user(name) };
    let (ann, bob) = (with("ann", &["admin"]), with("bob", &["clerk", "Admin"]));
    let (locked, far) = (User { locked: true, ..with("locked", &["admin"]) }, User { tenant: ACME, ..with("far", &["admin"]) });
    let mut tx = stage.db.write().await.unwrap();
    db::users::insert_many(&mut tx, &[ann.clone(), locked.clone(), far, with("zoe", &["clerk"])]).await.unwrap();
    assert!(!db::users::another_has_role(&mut tx, TenantId::SUPER, "admin", ann.id).await.unwrap());
    assert!(db::users::another_has_role(&mut tx, TenantId::SUPER, "ADMIN", locked.id).await.unwrap());
    db::users::insert(&mut tx, &bob).await.unwrap();
    assert!(db::users::another_has_role(&mut tx, TenantId::SUPER, "admin", ann.id).await.unwrap());
}

async fn passwords_are_rehashed(stage: Stage) {
    tenants(&stage.db).await;
    let bob = user("bob");
    let old = bob.password.clone().unwrap();
    let argon = StoredPassword::Argon2id(Secret::new("$argon2id$x".to_owned()));
    let mut tx = stage.db.write().await.unwrap();
    db::users::insert(&mut tx, &bob).await.unwrap();
    assert!(db::users::rehash(&mut tx, bob.id, &old, &argon).await.unwrap());
    assert!(!db::users::rehash(&mut tx, bob.id, &old, &argon).await.unwrap());
    let after = db::users::find_by_id(&mut tx, bob.id).await.unwrap().unwrap();
    assert_eq!(after, User { password: Some(argon), ..bob });
}

async fn what_ends_a_user_takes_their_tokens_back(stage: Stage) {
    tenants(&stage.db).await;
    let (bob, far) = (User { locked: false, ..user("bob") }, User { tenant: ACME, ..user("bob") });
    let mail = user("bob@acme.com");
    let held = |holder: &str, text: &str| IssuedToken { holder: TokenHolder::User { user: holder.to_owned() }, ..opaque_token("c", text) };
    let held_by = |client: &str, text: &str| IssuedToken { client: client.to_owned(), ..held("bob", text) };
    let owned = IssuedToken { holder: TokenHolder::Application { owner: "bob".to_owned() }, ..opaque_token("c", "owned") };
    let rows = [
        held("bob", "short"),
        held("bob@carbon.super", "long"),
        held_by("d", "other-client"),
        held("bob@acme.com", "far"),
        held("bob@acme.com@carbon.super", "mail"),
        held("bobby", "bobby"),
        owned,
    ];
    let mut tx = stage.db.write().await.unwrap();
    db::clients::insert_many(&mut tx, &[client("c"), client("d")]).await.unwrap();
    db::users::insert_many(&mut tx, &[bob.clone(), far.clone(), mail.clone()]).await.unwrap();
    tx.commit().await.unwrap();
    let changes = [
        ("password", User { password: Some(StoredPassword::Argon2id(Secret::new("$x".to_owned()))), ..bob.clone() }, true),
        ("lock", User { locked: true, ..bob.clone() }, true),
        ("roles", User { roles: texts(&["admin"]), ..bob.clone() }, false),
    ];
    for (what, changed, ends) in changes {
        let mut tx = stage.db.write().await.unwrap();
        db::tokens::insert_many(&mut tx, &rows).await.unwrap();
        db::users::update(&mut tx, &changed, NOW).await.unwrap();
        let left = active(&mut tx).await;
        let others = ["bobby", "far", "mail", "owned"];
        if ends {
            assert_eq!(left, others, "{what}");
        } else {
            assert_eq!(left.len(), rows.len(), "{what}");
        }
    }
    for (gone, left) in [
        (&bob, &["bobby", "far", "mail", "owned"][..]),
        (&far, &["bobby", "long", "mail", "other-client", "owned", "short"]),
        (&mail, &["bobby", "far", "long", "other-client", "owned", "short"]),
    ] {
        let mut tx = stage.db.write().await.unwrap();
        db::tokens::insert_many(&mut tx, &rows).await.unwrap();
        assert!(db::users::delete(&mut tx, gone.id, NOW).await.unwrap());
        assert_eq!(active(&mut tx).await, left);
    }
}

/// The texts of all active tokens of the clients `c` and `d`, sorted.
async fn active(tx: &mut db::Tx) -> Vec<String> {
    let mut left = Vec::new();
    for client in ["c", "d"] {
        for token in db::tokens::list_of_client(tx, client, TokenState::Active, 99).await.unwrap() {
            let TokenText::Opaque(text) = token.access else { panic!("a JWT") };
            left.push(text.expose().clone());
        }
    }
    left.sort();
    left
}

async fn a_deleted_role_leaves_its_users(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    let (bob, far) = (user("bob"), User { tenant: ACME, ..user("far") });
    db::users::insert_many(&mut tx, &[bob.clone(), far.clone()]).await.unwrap();
    db::roles::insert(&mut tx, TenantId::SUPER, "admin").await.unwrap();
    assert!(!db::roles::ensure(&mut tx, TenantId::SUPER, "admin").await.unwrap());
    assert!(db::roles::ensure(&mut tx, TenantId::SUPER, "Zoo").await.unwrap());
    assert!(db::roles::exists(&mut tx, TenantId::SUPER, "admin").await.unwrap());
    assert!(!db::roles::exists(&mut tx, ACME, "admin").await.unwrap());
    assert_eq!(db::roles::list(&mut tx, TenantId::SUPER).await.unwrap(), ["Zoo", "admin"]);
    assert!(db::roles::delete(&mut tx, TenantId::SUPER, "admin").await.unwrap());
    assert!(!db::roles::delete(&mut tx, TenantId::SUPER, "admin").await.unwrap());
    assert_eq!(db::users::find_by_id(&mut tx, bob.id).await.unwrap().unwrap().roles, ["Internal/creator"]);
    assert_eq!(db::users::find_by_id(&mut tx, far.id).await.unwrap().unwrap().roles, far.roles);
    assert!(db::roles::insert(&mut tx, TenantId::SUPER, "Zoo").await.unwrap_err().is_duplicate("role", "name"));
}

async fn rest_scopes_are_replaced_together(stage: Stage) {
    tenants(&stage.db).await;
    let binding = |scope: &str, roles: &[&str]| ScopeBinding { scope: scope.to_owned(), roles: texts(roles) };
    let mut tx = stage.db.write().await.unwrap();
    db::rest_scopes::replace(&mut tx, ACME, &[binding("z", &["x"])]).await.unwrap();
    for bindings in [vec![binding("b", &["admin", "x"]), binding("a", &[])], vec![binding("c", &["y"])], vec![]] {
        db::rest_scopes::replace(&mut tx, TenantId::SUPER, &bindings).await.unwrap();
        assert_eq!(db::rest_scopes::list(&mut tx, TenantId::SUPER).await.unwrap(), bindings);
    }
    assert_eq!(db::rest_scopes::list(&mut tx, ACME).await.unwrap(), [binding("z", &["x"])]);
}
