//! "This thing changed", in the order of commits. Delivering it is the work of `events`.
//!
//! Says never how a thing changed: who listens reads it anew. See `tx` for why the numbers follow the commits.

use crate::sql::{Value, args};
use crate::{Result, Tx};

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    /// Kind of thing.
    pub thing: Thing,
    /// Which one; see [`Thing`] for what its id is.
    pub id: String,
}

/// Kinds of things the gateway hears about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Thing {
    /// An API, by its id.
    Api,
    /// Which revisions of an API run where, by the API's id.
    Deployment,
    /// An application, by its id.
    Application,
    /// A key mapping, by its id.
    KeyMapping,
    /// A subscription, by its id.
    Subscription,
    /// A subscription policy, by its id.
    SubscriptionPolicy,
    /// An application policy, by its id.
    ApplicationPolicy,
    /// An advanced policy, by its id.
    AdvancedPolicy,
    /// A revoked token: a JWT's `jti`, or `opaque:` and the SHA-256 hex of an opaque token's text.
    RevokedToken,
    /// An OAuth client, by its client id.
    Client,
    /// A signing key, by its `kid`.
    SigningKey,
    /// A tenant, by its number.
    Tenant,
    /// An environment, by its name.
    Environment,
    /// What a tenant keeps of an old installation's ways, by the tenant's number.
    Continuity,
    /// Where an API differs in that, by the API's id.
    ApiContinuity,
}

impl Thing {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Api,
        Self::Deployment,
        Self::Application,
        Self::KeyMapping,
        Self::Subscription,
        Self::SubscriptionPolicy,
        Self::ApplicationPolicy,
        Self::AdvancedPolicy,
        Self::RevokedToken,
        Self::Client,
        Self::SigningKey,
        Self::Tenant,
        Self::Environment,
        Self::Continuity,
        Self::ApiContinuity,
    ];

    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Deployment => "DEPLOYMENT",
            Self::Application => "APPLICATION",
            Self::KeyMapping => "KEY_MAPPING",
            Self::Subscription => "SUBSCRIPTION",
            Self::SubscriptionPolicy => "SUBSCRIPTION_POLICY",
            Self::ApplicationPolicy => "APPLICATION_POLICY",
            Self::AdvancedPolicy => "ADVANCED_POLICY",
            Self::RevokedToken => "REVOKED_TOKEN",
            Self::Client => "CLIENT",
            Self::SigningKey => "SIGNING_KEY",
            Self::Tenant => "TENANT",
            Self::Environment => "ENVIRONMENT",
            Self::Continuity => "CONTINUITY",
            Self::ApiContinuity => "API_CONTINUITY",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == text)
    }
}

/// Notes a change; it is written with the commit, once even if noted twice.
///
/// # Errors
/// None today; the write happens in [`Tx::commit`].
#[allow(clippy::unused_async)]
pub async fn append(tx: &mut Tx, change: &Change) -> Result<()> {
    tx.note(change.clone());
    Ok(())
}

/// Committed changes with numbers above `seq`, in order, at most `limit`.
pub async fn after(tx: &mut Tx, seq: i64, limit: u32) -> Result<Vec<(i64, Change)>> {
    let rows = tx.rows("SELECT seq, thing, thing_id FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2", args![seq, limit]).await?;
    rows.iter().map(|r| Ok((r.int("seq")?, Change { thing: r.word("thing", Thing::parse)?, id: r.text("thing_id")? }))).collect()
}

/// Number of the last committed change, also when it is trimmed; 0 when there never was one.
pub async fn head(tx: &mut Tx) -> Result<i64> {
    let row = tx.row("SELECT value FROM counter WHERE name = $1", args!["outbox"]).await?;
    row.map_or(Ok(0), |r| r.int("value"))
}

/// Forgets changes with numbers below `before_seq`; how many there were.
pub async fn trim(tx: &mut Tx, before_seq: i64) -> Result<u64> {
    tx.run("DELETE FROM outbox WHERE seq < $1", args![before_seq]).await
}

/// Writes the gathered changes; the number of the last.
pub(crate) async fn write(tx: &mut Tx, changes: &[Change]) -> Result<Option<i64>> {
    let Ok(count) = i64::try_from(changes.len()) else { return Ok(None) };
    if count == 0 {
        return Ok(None);
    }
    let last = tx.advance("outbox", count).await?;
    let rows = changes.iter().zip(last - count + 1..).map(|(c, seq)| row(seq, c)).collect();
    tx.insert_rows("INSERT INTO outbox (seq, thing, thing_id)", rows).await?;
    Ok(Some(last))
}

fn row(seq: i64, change: &Change) -> Vec<Value> {
    args![seq, change.thing.name(), &change.id]
}

pub(crate) fn changed(tx: &mut Tx, thing: Thing, id: impl ToString) {
    tx.note(Change { thing, id: id.to_string() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_read_back() {
        for thing in Thing::ALL {
            assert_eq!(Thing::parse(thing.name()), Some(thing));
        }
    }
}
