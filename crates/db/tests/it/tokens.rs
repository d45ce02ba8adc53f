//! Tokens and signing keys.

use db::signing_keys::StoredKey;
use model::*;

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    tokens_are_found_by_each_of_their_texts,
    many_tokens_are_found_at_once_and_in_order,
    texts_are_unique,
    a_reusable_token_fits_in_every_way,
    revoked_jwts_are_listed_until_they_expire,
    a_holders_tokens_are_revoked_together,
    of_many_who_revoke_a_token_one_does,
    a_refresh_token_moves_to_a_newer_row_unless_it_was_used,
    tokens_are_removed_together,
    the_sweep_leaves_what_still_matters,
    signing_keys_come_back_newest_first,
}

async fn tokens_are_found_by_each_of_their_texts(stage: Stage) {
    let (opaque, jwt) = (opaque_token("c", "t1"), jwt("c", "j1"));
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert(&mut tx, &opaque).await.unwrap();
    db::tokens::insert(&mut tx, &jwt).await.unwrap();
    assert_eq!(db::tokens::find_by_access(&mut tx, "t1").await.unwrap().as_ref(), Some(&opaque));
    assert_eq!(db::tokens::find_by_refresh(&mut tx, "refresh-t1").await.unwrap().as_ref(), Some(&opaque));
    assert_eq!(db::tokens::find_by_jti(&mut tx, "j1").await.unwrap().as_ref(), Some(&jwt));
    assert_eq!(db::tokens::find(&mut tx, jwt.id).await.unwrap().as_ref(), Some(&jwt));
    for nothing in ["T1", "refresh-t1", "", "j1"] {
        assert_eq!(db::tokens::find_by_access(&mut tx, nothing).await.unwrap(), None);
    }
    assert_eq!(db::tokens::list_of_client(&mut tx, "c", TokenState::Active, 9).await.unwrap().len(), 2);
    assert_eq!(db::tokens::list_of_client(&mut tx, "c", TokenState::Revoked, 9).await.unwrap(), []);
}

async fn many_tokens_are_found_at_once_and_in_order(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    assert!(db::tokens::is_empty(&mut tx).await.unwrap());
    let (a, b) = (opaque_token("c", "a"), opaque_token("c", "b"));
    db::tokens::insert_many(&mut tx, &[a.clone(), b.clone(), jwt("c", "j1")]).await.unwrap();
    assert!(!db::tokens::is_empty(&mut tx).await.unwrap());
    let found = db::tokens::find_many_by_access(&mut tx, &["b", "nobody's", "a", "b"]).await.unwrap();
    assert_eq!(found, [Some(b.clone()), None, Some(a.clone()), Some(b.clone())]);
    let holders = db::tokens::holders_of_refresh(&mut tx, &["refresh-b", "b", "", "refresh-a"]).await.unwrap();
    assert_eq!(holders, [Some(b.id), None, None, Some(a.id)]);
    assert!(db::tokens::find_many_by_access(&mut tx, &[]).await.unwrap().is_empty());
}

async fn texts_are_unique(stage: Stage) {
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert_many(&mut tx, &[opaque_token("c", "t1"), jwt("c", "j1"), jwt("c", "j2")]).await.unwrap();
    tx.commit().await.unwrap();
    let same_refresh = IssuedToken { refresh: Some(Secret::new("refresh-t1".to_owned())), ..opaque_token("c", "t2") };
    for (clash, column) in [(opaque_token("d", "t1"), "access_hash"), (jwt("d", "j1"), "jti"), (same_refresh, "refresh_hash")] {
        let mut tx = stage.db.write().await.unwrap();
        // Which of several hurt rules is told first is the database's choice, so only one is hurt here.
        let clash = if column == "access_hash" { IssuedToken { refresh: None, ..clash } } else { clash };
        let error = db::tokens::insert(&mut tx, &clash).await.unwrap_err();
        assert!(error.is_duplicate("token", column), "{error}");
    }
}

async fn a_reusable_token_fits_in_every_way(stage: Stage) {
    let holder = TokenHolder::User { user: "bob".to_owned() };
    let mut tx = stage.db.write().await.unwrap();
    let older = IssuedToken { issued_at: NOW.plus_secs(-5), ..opaque_token("c", "old") };
    let token = opaque_token("c", "t1");
    let signed = IssuedToken { holder: holder.clone(), ..jwt("c", "j1") };
    db::tokens::insert_many(&mut tx, &[older.clone(), token.clone(), signed]).await.unwrap();
    let (ab, now) = (texts(&["a", "b"]), NOW);
    assert_eq!(db::tokens::find_reusable(&mut tx, "c", &holder, &ab, now).await.unwrap().as_ref(), Some(&token));
    let owner = TokenHolder::Application { owner: "bob".to_owned() };
    let carol = TokenHolder::User { user: "carol".to_owned() };
    for (client, holder, scopes, at) in [
        ("d", &holder, &ab, now),
        ("c", &owner, &ab, now),
        ("c", &carol, &ab, now),
        ("c", &holder, &texts(&["a"]), now),
        ("c", &holder, &ab, now.plus_secs(3600)),
    ] {
        assert_eq!(db::tokens::find_reusable(&mut tx, client, holder, scopes, at).await.unwrap(), None);
    }
    assert!(db::tokens::set_state(&mut tx, token.id, TokenState::Inactive, now).await.unwrap());
    assert_eq!(db::tokens::find_reusable(&mut tx, "c", &holder, &ab, now).await.unwrap(), Some(older));
    let eternal = IssuedToken { expires_at: None, issued_at: NOW.plus_secs(1), ..opaque_token("c", "ever") };
    db::tokens::insert(&mut tx, &eternal).await.unwrap();
    assert_eq!(db::tokens::find_reusable(&mut tx, "c", &holder, &ab, Timestamp(i64::MAX)).await.unwrap(), Some(eternal));
}

async fn revoked_jwts_are_listed_until_they_expire(stage: Stage) {
    let eternal = IssuedToken { expires_at: None, ..jwt("c", "j2") };
    let (timed, opaque) = (jwt("c", "j1"), opaque_token("c", "t"));
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert_many(&mut tx, &[eternal.clone(), timed.clone(), opaque.clone(), jwt("c", "j3")]).await.unwrap();
    for id in [eternal.id, timed.id, opaque.id] {
        assert!(db::tokens::set_state(&mut tx, id, TokenState::Revoked, NOW).await.unwrap());
    }
    assert!(!db::tokens::set_state(&mut tx, TokenId::random(), TokenState::Revoked, NOW).await.unwrap());
    let mut listed = db::tokens::list_revoked(&mut tx, NOW).await.unwrap();
    listed.sort();
    assert_eq!(listed, [("j1".to_owned(), timed.expires_at), ("j2".to_owned(), None)]);
    assert_eq!(db::tokens::list_revoked(&mut tx, NOW.plus_secs(3600)).await.unwrap(), [("j2".to_owned(), None)]);
}

async fn a_holders_tokens_are_revoked_together(stage: Stage) {
    let carols = IssuedToken { holder: TokenHolder::User { user: "carol".to_owned() }, ..opaque_token("c", "t2") };
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert_many(&mut tx, &[opaque_token("c", "t1"), carols, opaque_token("d", "t3")]).await.unwrap();
    let bob = TokenHolder::User { user: "bob".to_owned() };
    assert_eq!(db::tokens::revoke_of_holder(&mut tx, "c", &bob, NOW).await.unwrap(), 1);
    assert_eq!(db::tokens::revoke_of_client(&mut tx, "c", NOW).await.unwrap(), 1);
    assert_eq!(db::tokens::revoke_of_client(&mut tx, "c", NOW).await.unwrap(), 0);
    assert_eq!(db::tokens::find_by_access(&mut tx, "t3").await.unwrap().unwrap().state, TokenState::Active);
}

async fn of_many_who_revoke_a_token_one_does(stage: Stage) {
    let tokens: Vec<IssuedToken> = (0..8).map(|n| opaque_token("c", &format!("t{n}"))).collect();
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert_many(&mut tx, &tokens).await.unwrap();
    tx.commit().await.unwrap();
    for token in &tokens {
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (db, id) = (stage.db.clone(), token.id);
            tries.spawn(async move {
                let mut tx = db.write().await.unwrap();
                // Everybody sees it active before anybody ends it, where the database lets them.
                db::tokens::find(&mut tx, id).await.unwrap();
                let done = db::tokens::revoke(&mut tx, id, NOW).await.unwrap();
                tx.commit().await.unwrap();
                done
            });
        }
        assert_eq!(tries.join_all().await.into_iter().filter(|done| *done).count(), 1);
    }
}

async fn the_sweep_leaves_what_still_matters(stage: Stage) {
    let (past, future) = (Some(NOW.plus_secs(-9)), Some(NOW.plus_secs(9)));
    let token = |text: &str, expires_at, refresh_expires_at| IssuedToken { expires_at, refresh_expires_at, ..opaque_token("c", text) };
    let signed = |jti: &str, expires_at| IssuedToken { expires_at, ..jwt("c", jti) };
    let kept =
        [token("running", future, future), token("refreshable", past, future), token("eternal", past, None), signed("revoked", future)];
    let gone = [token("spent", past, past), signed("expired", past), token("revoked", None, None)];
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert_many(&mut tx, &[&kept[..], &gone[..]].concat()).await.unwrap();
    for id in [kept[3].id, gone[2].id] {
        db::tokens::set_state(&mut tx, id, TokenState::Revoked, NOW.plus_secs(-1)).await.unwrap();
    }
    assert_eq!(db::tokens::sweep(&mut tx, NOW).await.unwrap(), 3);
    assert_eq!(db::tokens::sweep(&mut tx, NOW).await.unwrap(), 0);
    for token in &kept {
        assert!(db::tokens::find(&mut tx, token.id).await.unwrap().is_some());
    }
}

async fn signing_keys_come_back_newest_first(stage: Stage) {
    tenants(&stage.db).await;
    let key = |tenant, kid: &str, created_at| StoredKey {
        tenant,
        kid: kid.to_owned(),
        pkcs8: Secret::new(vec![0, 1, 2, 255]),
        certificate_der: vec![3, 0, 4],
        created_at,
        active: true,
    };
    let (old, new, far) = (key(TenantId::SUPER, "k1", NOW), key(TenantId::SUPER, "k2", NOW.plus_secs(1)), key(ACME, "k1", NOW));
    let mut tx = stage.db.write().await.unwrap();
    for key in [&old, &new, &far] {
        db::signing_keys::insert(&mut tx, key).await.unwrap();
    }
    assert!(db::signing_keys::set_active(&mut tx, TenantId::SUPER, "k1", false).await.unwrap());
    assert!(!db::signing_keys::set_active(&mut tx, ACME, "k9", false).await.unwrap());
    let old = StoredKey { active: false, ..old };
    assert_eq!(db::signing_keys::list(&mut tx, TenantId::SUPER).await.unwrap(), [new.clone(), old.clone()]);
    assert_eq!(db::signing_keys::list_all(&mut tx).await.unwrap(), [new, old.clone(), far]);
    assert!(db::signing_keys::insert(&mut tx, &old).await.unwrap_err().is_duplicate("signing_key", "kid"));
}

async fn a_refresh_token_moves_to_a_newer_row_unless_it_was_used(stage: Stage) {
    let old = opaque_token("c", "t1");
    let newer = IssuedToken { refresh: old.refresh.clone(), ..opaque_token("c", "t2") };
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert(&mut tx, &old).await.unwrap();
    assert!(!db::tokens::yield_refresh(&mut tx, old.id, TokenState::Revoked).await.unwrap(), "it is in another state");
    assert!(db::tokens::yield_refresh(&mut tx, old.id, TokenState::Active).await.unwrap());
    db::tokens::insert(&mut tx, &newer).await.unwrap();
    assert_eq!(db::tokens::find_by_refresh(&mut tx, "refresh-t1").await.unwrap().as_ref(), Some(&newer));
    let without = IssuedToken { refresh: None, refresh_expires_at: None, ..old.clone() };
    assert_eq!(db::tokens::find_by_access(&mut tx, "t1").await.unwrap(), Some(without));
    assert!(!db::tokens::yield_refresh(&mut tx, old.id, TokenState::Active).await.unwrap(), "there is none to take any more");
    // Used meanwhile: whoever used it has its successor.
    assert!(db::tokens::revoke(&mut tx, newer.id, NOW).await.unwrap());
    assert!(!db::tokens::yield_refresh(&mut tx, newer.id, TokenState::Active).await.unwrap());
    assert_eq!(db::tokens::find_by_refresh(&mut tx, "refresh-t1").await.unwrap().unwrap().id, newer.id);
}

async fn tokens_are_removed_together(stage: Stage) {
    let (opaque, signed, kept) = (opaque_token("c", "t1"), jwt("c", "j1"), opaque_token("c", "t2"));
    let mut tx = stage.db.write().await.unwrap();
    db::tokens::insert_many(&mut tx, &[opaque.clone(), signed.clone(), kept.clone()]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = stage.db.write().await.unwrap();
    let before = db::outbox::head(&mut tx).await.unwrap();
    assert_eq!(db::tokens::delete_many(&mut tx, &[opaque.id, signed.id, TokenId::random()]).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut tx = stage.db.read().await.unwrap();
    assert_eq!(db::tokens::list_of_client(&mut tx, "c", TokenState::Active, 9).await.unwrap(), [kept]);
    // A gateway that remembers one of them must hear of it.
    assert_eq!(db::outbox::after(&mut tx, before, 9).await.unwrap().len(), 2);
}
