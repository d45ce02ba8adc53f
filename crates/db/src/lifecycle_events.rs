//! The history of an API's states.

use model::{ApiId, LifecycleState, Timestamp};

use crate::sql::{Row, args};
use crate::{Result, Tx};

/// One step of an API's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleEvent {
    /// State before; `None` for the making of the API.
    pub from: Option<LifecycleState>,
    /// State after.
    pub to: LifecycleState,
    /// Who did it, as users are shown.
    pub user: String,
    /// When.
    pub at: Timestamp,
}

/// Adds a step.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API.
pub async fn append(tx: &mut Tx, api: ApiId, from: Option<LifecycleState>, to: LifecycleState, user: &str, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO lifecycle_event (api, from_state, to_state, who, at) VALUES ($1, $2, $3, $4, $5)";
    tx.run(sql, args![api, from.map(LifecycleState::name), to.name(), user, at]).await.map(drop)
}

/// The API's steps in the order they were added.
pub async fn list(tx: &mut Tx, api: ApiId) -> Result<Vec<LifecycleEvent>> {
    tx.rows("SELECT * FROM lifecycle_event WHERE api = $1 ORDER BY seq", args![api]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<LifecycleEvent> {
    let from = match row.opt_text("from_state")? {
        Some(_) => Some(row.word("from_state", LifecycleState::parse)?),
        None => None,
    };
    Ok(LifecycleEvent { from, to: row.word("to_state", LifecycleState::parse)?, user: row.text("who")?, at: row.time("at")? })
}
