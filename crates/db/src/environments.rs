//! Gateway environments.

use model::Environment;

use crate::codec::{EnvironmentBody, decode, encode};
use crate::outbox::{Thing, changed};
use crate::sql::{Row, args};
use crate::{Result, Tx};

const BODY: &str = "environment.body";

/// All, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<Environment>> {
    tx.rows("SELECT body FROM environment ORDER BY name", args![]).await?.iter().map(read).collect()
}

/// By name.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<Environment>> {
    tx.row("SELECT body FROM environment WHERE name = $1", args![name]).await?.as_ref().map(read).transpose()
}

/// Writes an environment, over one of the same name.
pub async fn put(tx: &mut Tx, environment: &Environment) -> Result<()> {
    let sql = "INSERT INTO environment (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body";
    let body = encode::<Environment, EnvironmentBody>(BODY, environment)?;
    tx.run(sql, args![&environment.name, body]).await?;
    changed(tx, Thing::Environment, &environment.name);
    Ok(())
}

/// Removes an environment; whether there was one. Whether anything is deployed there is the caller's question.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool> {
    let done = tx.run("DELETE FROM environment WHERE name = $1", args![name]).await?;
    changed(tx, Thing::Environment, name);
    Ok(done > 0)
}

fn read(row: &Row) -> Result<Environment> {
    decode::<Environment, EnvironmentBody>(BODY, &row.text("body")?)
}
