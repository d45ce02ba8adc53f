//! Which OAuth client an application calls with, per key type and key manager.

use model::{ApplicationId, KeyMapping, KeyMappingId, KeyMappingMode, KeyState, KeyType};

use crate::codec::{from_json, to_json};
use crate::outbox::{Thing, changed};
use crate::sql::{Row, Value, args};
use crate::{Result, Tx};

const DOMAINS: &str = "key_mapping.allowed_domains";
const HEAD: &str = "INSERT INTO key_mapping (id, application, key_type, key_manager, consumer_key, state, mode, allowed_domains)";

/// Adds a mapping.
///
/// # Errors
/// [`crate::Error::Duplicate`] `key_mapping(application, key_type, key_manager)` or `key_mapping(consumer_key)`.
pub async fn insert(tx: &mut Tx, mapping: &KeyMapping) -> Result<()> {
    insert_many(tx, std::slice::from_ref(mapping)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, mappings: &[KeyMapping]) -> Result<()> {
    let rows = mappings.iter().map(columns).collect::<Result<_>>()?;
    tx.insert_rows(HEAD, rows).await?;
    mappings.iter().for_each(|m| changed(tx, Thing::KeyMapping, m.id));
    Ok(())
}

/// By id.
pub async fn find(tx: &mut Tx, id: KeyMappingId) -> Result<Option<KeyMapping>> {
    tx.row("SELECT * FROM key_mapping WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// An application's mapping for one key type and key manager.
pub async fn find_for(tx: &mut Tx, application: ApplicationId, key_type: KeyType, key_manager: &str) -> Result<Option<KeyMapping>> {
    let sql = "SELECT * FROM key_mapping WHERE application = $1 AND key_type = $2 AND key_manager = $3";
    tx.row(sql, args![application, key_type.name(), key_manager]).await?.as_ref().map(read).transpose()
}

/// By consumer key.
pub async fn find_by_consumer_key(tx: &mut Tx, consumer_key: &str) -> Result<Option<KeyMapping>> {
    tx.row("SELECT * FROM key_mapping WHERE consumer_key = $1", args![consumer_key]).await?.as_ref().map(read).transpose()
}

/// An application's mappings, by key type and key manager.
pub async fn list(tx: &mut Tx, application: ApplicationId) -> Result<Vec<KeyMapping>> {
    let sql = "SELECT * FROM key_mapping WHERE application = $1 ORDER BY key_type, key_manager";
    tx.rows(sql, args![application]).await?.iter().map(read).collect()
}

/// Every mapping.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<KeyMapping>> {
    tx.rows("SELECT * FROM key_mapping ORDER BY application, key_type, key_manager", args![]).await?.iter().map(read).collect()
}

/// Writes the mapping; whether there was one of its id.
///
/// # Errors
/// As [`insert`].
pub async fn update(tx: &mut Tx, mapping: &KeyMapping) -> Result<bool> {
    let sql = "UPDATE key_mapping SET application = $2, key_type = $3, key_manager = $4, consumer_key = $5, state = $6, mode = $7, \
               allowed_domains = $8 WHERE id = $1";
    let done = tx.run(sql, columns(mapping)?).await?;
    changed(tx, Thing::KeyMapping, mapping.id);
    Ok(done > 0)
}

/// Removes a mapping; whether there was one.
pub async fn delete(tx: &mut Tx, id: KeyMappingId) -> Result<bool> {
    let done = tx.run("DELETE FROM key_mapping WHERE id = $1", args![id]).await?;
    changed(tx, Thing::KeyMapping, id);
    Ok(done > 0)
}

fn columns(mapping: &KeyMapping) -> Result<Vec<Value>> {
    let m = mapping;
    Ok(args![
        m.id,
        m.application,
        m.key_type.name(),
        &m.key_manager,
        &m.consumer_key,
        m.state.name(),
        m.mode.name(),
        to_json(DOMAINS, &m.allowed_domains)?,
    ])
}

fn read(row: &Row) -> Result<KeyMapping> {
    Ok(KeyMapping {
        id: row.id("id")?,
        application: row.id("application")?,
        key_type: row.word("key_type", KeyType::parse)?,
        key_manager: row.text("key_manager")?,
        consumer_key: row.opt_text("consumer_key")?,
        state: row.word("state", KeyState::parse)?,
        mode: row.word("mode", KeyMappingMode::parse)?,
        allowed_domains: from_json(DOMAINS, &row.text("allowed_domains")?)?,
    })
}
