//! What is sealed cannot be read from the raw database.

use model::*;
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::fixtures::*;
use crate::stage::{Stage, on_both};

on_both! { sealed_values_do_not_show }

const SECRETS: [&str; 5] = ["secret-of-shown-client", "0paque-acce55-text", "refresh-0paque-acce55-text", "PKCS8-PRIVATE", "h1dden"];

async fn sealed_values_do_not_show(stage: Stage) {
    tenants(&stage.db).await;
    let mut tx = stage.db.write().await.unwrap();
    db::clients::insert(&mut tx, &client("shown-client")).await.unwrap();
    db::clients::insert(&mut tx, &OAuthClient { secret: Secret::new("h1dden".to_owned()), ..client("other") }).await.unwrap();
    db::tokens::insert(&mut tx, &opaque_token("shown-client", "0paque-acce55-text")).await.unwrap();
    let key = db::signing_keys::StoredKey {
        tenant: TenantId::SUPER,
        kid: "k1".to_owned(),
        pkcs8: Secret::new(b"PKCS8-PRIVATE".to_vec()),
        certificate_der: b"certificate".to_vec(),
        created_at: NOW,
        active: true,
    };
    db::signing_keys::insert(&mut tx, &key).await.unwrap();
    tx.commit().await.unwrap();
    let raw = if let Some(path) = stage.address.strip_prefix("sqlite:") { raw_file(path) } else { raw_rows(&stage.address).await };
    let holds = |needle: &[u8]| raw.windows(needle.len()).any(|w| w == needle);
    assert!(holds(b"shown-client"), "the raw bytes must be the ones looked for");
    assert!(holds(b"certificate"));
    for secret in SECRETS {
        assert!(!holds(secret.as_bytes()), "{secret} is readable");
    }
}

fn raw_file(path: &str) -> Vec<u8> {
    [path.to_owned(), format!("{path}-wal")].iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
}

async fn raw_rows(address: &str) -> Vec<u8> {
    let mut conn = sqlx::PgConnection::connect(address).await.unwrap();
    let mut raw = Vec::new();
    for (table, bytes) in [("client", "secret"), ("token", "access_sealed || refresh_sealed"), ("signing_key", "pkcs8 || certificate")] {
        let sql = format!("SELECT t::text AS words, {bytes} AS bytes FROM {table} t");
        for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap() {
            raw.extend(row.get::<String, _>("words").into_bytes());
            raw.extend(row.get::<Vec<u8>, _>("bytes"));
        }
    }
    conn.close().await.unwrap();
    raw
}
