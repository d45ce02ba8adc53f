//! Issued tokens. Opaque texts and refresh tokens are sealed and found by their hash; of a JWT only its `jti` is kept.
//!
//! A token does not go when its client goes: a revoked JWT must stay known to gateways until it expires. [`sweep`] removes what no longer
//! matters.

use std::collections::HashMap;

use model::{IssuedToken, Secret, Timestamp, TokenHolder, TokenId, TokenState, TokenText};

use crate::codec::{from_json, to_json};
use crate::outbox::{Thing, changed};
use crate::seal::hash;
use crate::sql::{Row, Sql, Value, args, evenly, rows_per_statement};
use crate::{Error, Result, Sealer, Tx};

const ACCESS: &str = "token.access_sealed";
const REFRESH: &str = "token.refresh_sealed";
const SCOPES: &str = "token.scopes";
const HEAD: &str = "INSERT INTO token (id, client, tenant, aut, holder, scopes, scope_hash, grant_type, access_hash, access_sealed, jti, \
                    issued_at, expires_at, refresh_hash, refresh_sealed, refresh_expires_at, state)";
/// Rows one call of [`sweep`] removes at most, so that other writers wait only briefly.
const SWEEP: i64 = 5_000;

/// Adds a token; one statement.
///
/// # Errors
/// [`Error::Duplicate`] on its id or one of its texts.
pub async fn insert(tx: &mut Tx, token: &IssuedToken) -> Result<()> {
    insert_many(tx, std::slice::from_ref(token)).await
}

/// As [`insert`], for many. Revoked JWTs among them are noted in the outbox.
pub async fn insert_many(tx: &mut Tx, tokens: &[IssuedToken]) -> Result<()> {
    let rows = tokens.iter().map(|t| columns(&tx.sealer, t)).collect::<Result<_>>()?;
    tx.insert_rows(HEAD, rows).await?;
    for token in tokens.iter().filter(|t| t.state == TokenState::Revoked) {
        if let TokenText::Jti(jti) = &token.access {
            changed(tx, Thing::RevokedToken, jti);
        }
    }
    Ok(())
}

/// By the text of an opaque access token, in whatever state.
pub async fn find_by_access(tx: &mut Tx, text: &str) -> Result<Option<IssuedToken>> {
    find_where(tx, "SELECT * FROM token WHERE access_hash = $1", args![hash(text)]).await
}

/// By the `jti` of a JWT, in whatever state.
pub async fn find_by_jti(tx: &mut Tx, jti: &str) -> Result<Option<IssuedToken>> {
    find_where(tx, "SELECT * FROM token WHERE jti = $1", args![jti]).await
}

/// By the text of a refresh token, in whatever state.
pub async fn find_by_refresh(tx: &mut Tx, text: &str) -> Result<Option<IssuedToken>> {
    find_where(tx, "SELECT * FROM token WHERE refresh_hash = $1", args![hash(text)]).await
}

/// As [`find_by_access`], for many at once: in the order of the texts, those that are not there left open.
pub async fn find_many_by_access(tx: &mut Tx, texts: &[&str]) -> Result<Vec<Option<IssuedToken>>> {
    let hashes: Vec<String> = texts.iter().map(|text| hash(text)).collect();
    let mut found = HashMap::with_capacity(hashes.len());
    for some in evenly(&hashes, rows_per_statement(1)) {
        let mut sql = Sql::new("SELECT * FROM token WHERE access_hash IN ");
        sql.list(some);
        for row in tx.rows_sql(sql).await? {
            found.insert(row.text("access_hash")?, read(&tx.sealer, &row)?);
        }
    }
    Ok(hashes.iter().map(|hash| found.get(hash).cloned()).collect())
}

/// Which tokens hold these refresh tokens, in whatever state: in the order of the texts, those that none holds left open.
pub async fn holders_of_refresh(tx: &mut Tx, texts: &[&str]) -> Result<Vec<Option<TokenId>>> {
    let hashes: Vec<String> = texts.iter().map(|text| hash(text)).collect();
    let mut found = HashMap::with_capacity(hashes.len());
    for some in evenly(&hashes, rows_per_statement(1)) {
        let mut sql = Sql::new("SELECT id, refresh_hash FROM token WHERE refresh_hash IN ");
        sql.list(some);
        for row in tx.rows_sql(sql).await? {
            found.insert(row.text("refresh_hash")?, row.id("id")?);
        }
    }
    Ok(hashes.iter().map(|hash| found.get(hash).copied()).collect())
}

/// Whether there is none.
pub async fn is_empty(tx: &mut Tx) -> Result<bool> {
    Ok(tx.row("SELECT id FROM token LIMIT 1", args![]).await?.is_none())
}

/// By id.
pub async fn find(tx: &mut Tx, id: TokenId) -> Result<Option<IssuedToken>> {
    find_where(tx, "SELECT * FROM token WHERE id = $1", args![id]).await
}

/// The newest opaque token of this client, holder and set of scopes that is active and not yet expired, to be handed out again.
pub async fn find_reusable(
    tx: &mut Tx,
    client: &str,
    holder: &TokenHolder,
    scopes: &[String],
    now: Timestamp,
) -> Result<Option<IssuedToken>> {
    let sql = "SELECT * FROM token WHERE client = $1 AND holder = $2 AND scope_hash = $3 AND state = 'ACTIVE' AND aut = $4 \
               AND access_hash IS NOT NULL AND (expires_at IS NULL OR expires_at > $5) ORDER BY issued_at DESC, id LIMIT 1";
    find_where(tx, sql, args![client, holder.user(), scope_hash(scopes), holder.aut(), now]).await
}

/// A client's tokens in this state, newest first, at most `limit`.
pub async fn list_of_client(tx: &mut Tx, client: &str, state: TokenState, limit: u32) -> Result<Vec<IssuedToken>> {
    let sql = "SELECT * FROM token WHERE client = $1 AND state = $2 ORDER BY issued_at DESC, id LIMIT $3";
    let rows = tx.rows(sql, args![client, state.name(), limit]).await?;
    rows.iter().map(|r| read(&tx.sealer, r)).collect()
}

/// Puts a token into a state; whether there was such a token. A revocation is noted in the outbox.
pub async fn set_state(tx: &mut Tx, id: TokenId, state: TokenState, now: Timestamp) -> Result<bool> {
    let ended = (state != TokenState::Active).then_some(now);
    let sql = "UPDATE token SET state = $2, ended_at = $3 WHERE id = $1 RETURNING jti, access_hash";
    let Some(row) = tx.row(sql, args![id, state.name(), ended]).await? else { return Ok(false) };
    if state == TokenState::Revoked {
        note_revoked(tx, &row)?;
    }
    Ok(true)
}

/// Takes the refresh token off a row that is still in this state, so that a newer row may have it: whoever holds the text then renews the
/// newer row, and this one keeps its access token to its end. Whether it was there to take: not when it was used or taken back meanwhile.
pub async fn yield_refresh(tx: &mut Tx, id: TokenId, state: TokenState) -> Result<bool> {
    let sql = "UPDATE token SET refresh_hash = NULL, refresh_sealed = NULL, refresh_expires_at = NULL \
               WHERE id = $1 AND state = $2 AND refresh_hash IS NOT NULL";
    Ok(tx.run(sql, args![id, state.name()]).await? > 0)
}

/// Removes tokens, for who takes back what was carried; how many there were. Those still active are noted in the outbox as revoked.
pub async fn delete_many(tx: &mut Tx, ids: &[TokenId]) -> Result<u64> {
    let mut done = 0;
    for some in evenly(ids, rows_per_statement(1)) {
        let mut sql = Sql::new("DELETE FROM token WHERE id IN ");
        sql.list(some.iter().copied()).push(" RETURNING jti, access_hash, state");
        let rows = tx.rows_sql(sql).await?;
        for row in &rows {
            if row.word("state", TokenState::parse)? == TokenState::Active {
                note_revoked(tx, row)?;
            }
        }
        done += rows.len() as u64;
    }
    Ok(done)
}

/// Takes a token back if it is active; whether it was. Of two transactions that try, one is told yes.
pub async fn revoke(tx: &mut Tx, id: TokenId, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE token SET state = 'REVOKED', ended_at = $2 WHERE id = $1 AND state = 'ACTIVE' RETURNING jti, access_hash";
    let Some(row) = tx.row(sql, args![id, now]).await? else { return Ok(false) };
    note_revoked(tx, &row)?;
    Ok(true)
}

/// Takes back all of a client's active tokens; how many there were.
pub async fn revoke_of_client(tx: &mut Tx, client: &str, now: Timestamp) -> Result<u64> {
    let mut sql = Sql::new("client = ");
    sql.bind(client);
    revoke_where(tx, sql, now).await
}

/// Takes back a user's active tokens of one client; how many there were.
pub async fn revoke_of_holder(tx: &mut Tx, client: &str, holder: &TokenHolder, now: Timestamp) -> Result<u64> {
    let mut sql = Sql::new("client = ");
    sql.bind(client).push(" AND holder = ").bind(holder.user()).push(" AND aut = ").bind(holder.aut());
    revoke_where(tx, sql, now).await
}

/// Takes back all active tokens that act for a user, by whichever client they were got; how many there were. `names` are all the ways in which
/// rows may write the user's name.
pub async fn revoke_of_user(tx: &mut Tx, names: &[String], now: Timestamp) -> Result<u64> {
    if names.is_empty() {
        return Ok(0);
    }
    // Naming the clients lets the index by client and holder be used. A client that is gone took its tokens along.
    let mut sql = Sql::new("aut = 'APPLICATION_USER' AND client IN (SELECT id FROM client) AND holder IN ");
    sql.list(names.iter().map(String::as_str));
    revoke_where(tx, sql, now).await
}

/// When tokens of these ids ended, by state or by being taken back; those that are active, or whose end nobody noted, are left out. Everything
/// that ends a token here notes when.
pub async fn ends(tx: &mut Tx, ids: &[TokenId]) -> Result<HashMap<TokenId, Timestamp>> {
    let mut found = HashMap::new();
    for some in evenly(ids, rows_per_statement(1)) {
        let mut sql = Sql::new("SELECT id, ended_at FROM token WHERE state <> 'ACTIVE' AND ended_at IS NOT NULL AND id IN ");
        sql.list(some.iter().copied());
        for row in tx.rows_sql(sql).await? {
            if let Some(at) = row.opt_time("ended_at")? {
                found.insert(row.id("id")?, at);
            }
        }
    }
    Ok(found)
}

/// Revoked JWTs that are not yet expired, with when they will be (`None` is never).
pub async fn list_revoked(tx: &mut Tx, now: Timestamp) -> Result<Vec<(String, Option<Timestamp>)>> {
    let sql = "SELECT jti, expires_at FROM token WHERE state = 'REVOKED' AND jti IS NOT NULL AND (expires_at IS NULL OR expires_at > $1)";
    tx.rows(sql, args![now]).await?.iter().map(|r| Ok((r.text("jti")?, r.opt_time("expires_at")?))).collect()
}

/// Removes tokens that ended before `before` in every way: neither text could be honoured, and no gateway needs to refuse it any more.
/// At most some thousands at a time; how many, so that the caller goes on until 0.
pub async fn sweep(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    let sql = "DELETE FROM token WHERE id IN ( \
               SELECT id FROM token WHERE expires_at < $1 \
               AND (refresh_hash IS NULL OR state <> 'ACTIVE' OR refresh_expires_at < $1) \
               UNION SELECT id FROM token WHERE ended_at < $1 AND state <> 'ACTIVE' AND jti IS NULL \
               LIMIT $2)";
    tx.run(sql, args![before, SWEEP]).await
}

async fn revoke_where(tx: &mut Tx, condition: Sql, now: Timestamp) -> Result<u64> {
    if tx.is_postgres() {
        // Always in the same order, so that two who revoke many rows do not wait for each other.
        let mut sql = Sql::new("SELECT id FROM token WHERE state = 'ACTIVE' AND ");
        sql.append(&condition).push(" ORDER BY id FOR UPDATE");
        tx.rows_sql(sql).await?;
    }
    let mut sql = Sql::new("UPDATE token SET state = 'REVOKED', ended_at = ");
    sql.bind(now).push(" WHERE state = 'ACTIVE' AND ").append(&condition).push(" RETURNING jti, access_hash");
    let rows = tx.rows_sql(sql).await?;
    for row in &rows {
        note_revoked(tx, row)?;
    }
    Ok(rows.len() as u64)
}

fn note_revoked(tx: &mut Tx, row: &Row) -> Result<()> {
    match (row.opt_text("jti")?, row.opt_text("access_hash")?) {
        (Some(jti), _) => changed(tx, Thing::RevokedToken, jti),
        (None, Some(hash)) => changed(tx, Thing::RevokedToken, format!("opaque:{hash}")),
        (None, None) => {}
    }
    Ok(())
}

async fn find_where(tx: &mut Tx, sql: &'static str, values: Vec<Value>) -> Result<Option<IssuedToken>> {
    let row = tx.row(sql, values).await?;
    row.map(|r| read(&tx.sealer, &r)).transpose()
}

/// The same for the same set of scopes in any order.
pub(crate) fn scope_hash(scopes: &[String]) -> String {
    let mut sorted: Vec<&str> = scopes.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    hash(&sorted.join(" "))
}

fn columns(sealer: &Sealer, token: &IssuedToken) -> Result<Vec<Value>> {
    let t = token;
    let id = t.id.to_string();
    let (access_hash, access_sealed, jti) = match &t.access {
        TokenText::Opaque(text) => (Some(hash(text.expose())), Some(sealer.seal(ACCESS, &id, text.expose().as_bytes())?), None),
        TokenText::Jti(jti) => (None, None, Some(jti.as_str())),
    };
    let refresh_hash = t.refresh.as_ref().map(|r| hash(r.expose()));
    let refresh_sealed = t.refresh.as_ref().map(|r| sealer.seal(REFRESH, &id, r.expose().as_bytes())).transpose()?;
    Ok(args![
        id,
        &t.client,
        t.tenant,
        t.holder.aut(),
        t.holder.user(),
        to_json(SCOPES, &t.scopes)?,
        scope_hash(&t.scopes),
        &t.grant,
        access_hash,
        access_sealed,
        jti,
        t.issued_at,
        t.expires_at,
        refresh_hash,
        refresh_sealed,
        t.refresh_expires_at,
        t.state.name(),
    ])
}

fn read(sealer: &Sealer, row: &Row) -> Result<IssuedToken> {
    let id = row.text("id")?;
    let open = |column: &str, sealed: Option<Vec<u8>>| -> Result<Option<Secret<String>>> {
        sealed.map(|s| sealer.open_text(column, &id, &s)).transpose()
    };
    let access = match (row.opt_text("jti")?, open(ACCESS, row.opt_bytes("access_sealed")?)?) {
        (Some(jti), _) => TokenText::Jti(jti),
        (None, Some(text)) => TokenText::Opaque(text),
        (None, None) => return Err(Error::corrupt("token", "it has neither text nor jti")),
    };
    Ok(IssuedToken {
        id: row.id("id")?,
        client: row.text("client")?,
        tenant: row.tenant("tenant")?,
        holder: holder(row)?,
        scopes: from_json(SCOPES, &row.text("scopes")?)?,
        grant: row.opt_text("grant_type")?,
        access,
        issued_at: row.time("issued_at")?,
        expires_at: row.opt_time("expires_at")?,
        refresh: open(REFRESH, row.opt_bytes("refresh_sealed")?)?,
        refresh_expires_at: row.opt_time("refresh_expires_at")?,
        state: row.word("state", TokenState::parse)?,
    })
}

fn holder(row: &Row) -> Result<TokenHolder> {
    let who = row.text("holder")?;
    match row.text("aut")?.as_str() {
        "APPLICATION" => Ok(TokenHolder::Application { owner: who }),
        "APPLICATION_USER" => Ok(TokenHolder::User { user: who }),
        _ => Err(Error::corrupt("token.aut", "it is no known word")),
    }
}
