//! OAuth2 clients. Their secrets are sealed.

use model::{ClientOrigin, OAuthClient, TenantId, Timestamp};

use crate::codec::{ClientBody, Field, from_json, to_json};
use crate::outbox::{Thing, changed};
use crate::sql::{Row, Value, args};
use crate::{Error, Result, Sealer, Tx, tokens};

const SECRET: &str = "client.secret";
const BODY: &str = "client.body";
const HEAD: &str = "INSERT INTO client (id, secret, name, owner, tenant, origin, active, body, created_at)";

/// Adds a client.
///
/// # Errors
/// [`Error::Duplicate`] `client(id)`.
pub async fn insert(tx: &mut Tx, client: &OAuthClient) -> Result<()> {
    insert_many(tx, std::slice::from_ref(client)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, clients: &[OAuthClient]) -> Result<()> {
    let mut rows = Vec::with_capacity(clients.len());
    for client in clients {
        let mut values = columns(&tx.sealer, client)?;
        values.extend(args![client.created_at]);
        rows.push(values);
        changed(tx, Thing::Client, &client.id);
    }
    tx.insert_rows(HEAD, rows).await.map(drop)
}

/// By client id.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<OAuthClient>> {
    let row = tx.row("SELECT * FROM client WHERE id = $1", args![id]).await?;
    row.map(|r| read(&tx.sealer, &r)).transpose()
}

/// By owner and name, with their letter case; the newest, where several have the name.
pub async fn find_by_owner_and_name(tx: &mut Tx, tenant: TenantId, owner: &str, name: &str) -> Result<Option<OAuthClient>> {
    let sql = "SELECT * FROM client WHERE tenant = $1 AND owner = $2 AND name = $3 ORDER BY created_at DESC, id LIMIT 1";
    let row = tx.row(sql, args![tenant, owner, name]).await?;
    row.map(|r| read(&tx.sealer, &r)).transpose()
}

/// The tenant's clients, by owner and name.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<OAuthClient>> {
    let rows = tx.rows("SELECT * FROM client WHERE tenant = $1 ORDER BY owner, name, id", args![tenant]).await?;
    rows.iter().map(|r| read(&tx.sealer, r)).collect()
}

/// Whether there is none, of any tenant.
pub async fn is_empty(tx: &mut Tx) -> Result<bool> {
    Ok(tx.row("SELECT id FROM client LIMIT 1", args![]).await?.is_none())
}

/// Makes the client the transaction's own until it ends, as [`crate::apis::lock`] does for an API.
pub async fn lock(tx: &mut Tx, id: &str) -> Result<()> {
    if tx.is_postgres() {
        tx.row("SELECT id FROM client WHERE id = $1 FOR UPDATE", args![id]).await?;
    }
    Ok(())
}

/// The client as it now is, which nobody changes or removes until the transaction ends. Others may hold it at the same time.
pub async fn hold(tx: &mut Tx, id: &str) -> Result<Option<OAuthClient>> {
    if tx.is_postgres() {
        tx.row("SELECT id FROM client WHERE id = $1 FOR SHARE", args![id]).await?;
    }
    find(tx, id).await
}

/// Writes everything but id and creation time; whether there was such a client.
pub async fn update(tx: &mut Tx, client: &OAuthClient) -> Result<bool> {
    let sql = "UPDATE client SET secret = $2, name = $3, owner = $4, tenant = $5, origin = $6, active = $7, body = $8 WHERE id = $1";
    let values = columns(&tx.sealer, client)?;
    let done = tx.run(sql, values).await?;
    changed(tx, Thing::Client, &client.id);
    Ok(done > 0)
}

/// Removes a client and takes back its tokens; whether there was one.
pub async fn delete(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool> {
    // The client first: whoever holds it to issue a token is waited for, and that token is then seen.
    let done = tx.run("DELETE FROM client WHERE id = $1", args![id]).await?;
    tokens::revoke_of_client(tx, id, now).await?;
    changed(tx, Thing::Client, id);
    Ok(done > 0)
}

/// The columns of [`insert`] and [`update`] up to `body`, in their order.
fn columns(sealer: &Sealer, client: &OAuthClient) -> Result<Vec<Value>> {
    let c = client;
    let body = ClientBody {
        grants: c.grants.clone(),
        callback_url: c.callback_url.clone(),
        token_format: Field::keep(&c.token_format),
        lifetimes: Field::keep(&c.lifetimes),
    };
    let secret = sealer.seal(SECRET, &c.id, c.secret.expose().as_bytes())?;
    Ok(args![&c.id, secret, &c.name, &c.owner, c.tenant, c.origin.name(), c.active, to_json(BODY, &body)?])
}

fn read(sealer: &Sealer, row: &Row) -> Result<OAuthClient> {
    let body: ClientBody = from_json(BODY, &row.text("body")?)?;
    let id = row.text("id")?;
    Ok(OAuthClient {
        secret: sealer.open_text(SECRET, &id, &row.bytes("secret")?)?,
        id,
        name: row.text("name")?,
        owner: row.text("owner")?,
        tenant: row.tenant("tenant")?,
        grants: body.grants,
        callback_url: body.callback_url,
        token_format: body.token_format.give().map_err(|w| Error::corrupt(BODY, w.0))?,
        origin: row.word("origin", ClientOrigin::parse)?,
        lifetimes: body.lifetimes.give().map_err(|w| Error::corrupt(BODY, w.0))?,
        active: row.bool("active")?,
        created_at: row.time("created_at")?,
    })
}
