//! Definitions of user stores.

use model::*;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! {
    stores_come_back_whole_and_in_order,
    a_domain_is_unique_in_its_tenant_in_any_letter_case,
    passwords_of_stores_do_not_show,
}

fn store(tenant: TenantId, domain: &str, position: u32) -> UserStore {
    UserStore {
        tenant,
        domain: domain.to_owned(),
        kind: UserStoreKind::ActiveDirectory,
        disabled: true,
        position,
        admin_role: Some("bosses".to_owned()),
        attributes: texts(&["mail", "givenName"]),
        properties: vec![("ConnectionURL".to_owned(), "ldaps://dc".to_owned()), ("Ünknown".to_owned(), " kept \n".to_owned())],
        secrets: vec![("ConnectionPassword".to_owned(), Secret::new("direct0ry-pass".to_owned()))],
    }
}

async fn stores_come_back_whole_and_in_order(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    let (second, first) = (store(TenantId::SUPER, "Corp.Example", 2), store(TenantId::SUPER, "zoo", 1));
    let theirs = store(ACME, "corp.example", 1);
    db::user_stores::insert_many(&mut tx, &[second.clone(), theirs.clone(), first.clone()]).await.unwrap();
    assert_eq!(db::user_stores::list(&mut tx, TenantId::SUPER).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(db::user_stores::list_all(&mut tx).await.unwrap(), [first, second.clone(), theirs.clone()]);
    assert_eq!(db::user_stores::find(&mut tx, ACME, "CORP.EXAMPLE").await.unwrap(), Some(theirs));
    assert_eq!(db::user_stores::find(&mut tx, ACME, "zoo").await.unwrap(), None);
    let changed = UserStore {
        domain: "CORP.example".to_owned(),
        kind: UserStoreKind::Jdbc,
        disabled: false,
        position: 9,
        admin_role: None,
        attributes: Vec::new(),
        properties: Vec::new(),
        secrets: Vec::new(),
        ..second
    };
    assert!(db::user_stores::update(&mut tx, &changed).await.unwrap());
    assert_eq!(db::user_stores::find(&mut tx, TenantId::SUPER, "corp.example").await.unwrap(), Some(changed));
    assert!(!db::user_stores::update(&mut tx, &store(ACME, "zoo", 1)).await.unwrap());
    assert!(db::user_stores::delete(&mut tx, TenantId::SUPER, "ZOO").await.unwrap());
    assert!(!db::user_stores::delete(&mut tx, TenantId::SUPER, "ZOO").await.unwrap());
    assert_eq!(db::user_stores::list_all(&mut tx).await.unwrap().len(), 2);
}

async fn a_domain_is_unique_in_its_tenant_in_any_letter_case(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    db::user_stores::insert(&mut tx, &store(ACME, "Corp", 1)).await.unwrap();
    let clash = db::user_stores::insert(&mut tx, &store(ACME, "cORP", 2)).await.unwrap_err();
    assert!(clash.is_duplicate("user_store", "domain_fold"), "{clash}");
}

async fn passwords_of_stores_do_not_show(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    db::user_stores::insert(&mut tx, &store(ACME, "Corp", 1)).await.unwrap();
    tx.commit().await.unwrap();
    let raw = match stage.address.strip_prefix("sqlite:") {
        Some(path) => [path.to_owned(), format!("{path}-wal")].iter().flat_map(|file| std::fs::read(file).unwrap()).collect(),
        None => {
            let mut conn = sqlx::PgConnection::connect(&stage.address).await.unwrap();
            let sql = "SELECT t::text AS words, secrets FROM user_store t".to_owned();
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap();
            [row.get::<String, _>("words").into_bytes(), row.get::<Vec<u8>, _>("secrets")].concat()
        }
    };
    let holds = |needle: &str| raw.windows(needle.len()).any(|w| w == needle.as_bytes());
    assert!(holds("ldaps://dc") && !holds("direct0ry-pass"));
}
