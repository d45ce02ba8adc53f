//! What a gateway reads: deployed revisions as they are to be served, and single things by the id a [`crate::outbox::Change`] names.

use std::sync::Arc;

use model::{
    AdvancedPolicy, Api, ApiId, ApplicationPolicy, CustomRule, DenyPolicy, LifecycleState, PolicyId, RevisionId, SubscriptionPolicy,
    Timestamp,
};

use crate::codec::{AdvancedBody, ApplicationBody, CustomBody, SubscriptionBody, api_from_json, decode};
use crate::seal::hash;
use crate::sql::{Row, args};
use crate::{Result, Sealer, Tx};

const POLICY: &str = "policy.body";

/// A revision that runs in an environment.
#[derive(Debug, Clone)]
pub struct Served {
    /// The API as the revision froze it, but with the lifecycle state and the choice of the default version it has now: those take effect
    /// without a deployment.
    pub api: Arc<Api>,
    /// Which revision.
    pub revision: RevisionId,
}

const IN_ENVIRONMENT: &str = "SELECT d.revision AS revision, r.content AS content, a.state AS state, a.is_default_version AS is_default \
                              FROM deployment d JOIN revision r ON r.id = d.revision JOIN api a ON a.id = d.api WHERE d.environment = $1";

/// Everything that runs in an environment.
pub async fn list(tx: &mut Tx, environment: &str) -> Result<Vec<Served>> {
    let rows = tx.rows(IN_ENVIRONMENT, args![environment]).await?;
    rows.iter().map(|row| read(&tx.sealer, row)).collect()
}

/// What runs of one API in an environment.
pub async fn find(tx: &mut Tx, environment: &str, api: ApiId) -> Result<Option<Served>> {
    let row = tx.row(format!("{IN_ENVIRONMENT} AND d.api = $2"), args![environment, api]).await?;
    row.map(|row| read(&tx.sealer, &row)).transpose()
}

/// A business plan.
pub async fn subscription_policy(tx: &mut Tx, id: PolicyId) -> Result<Option<SubscriptionPolicy>> {
    policy_body(tx, id).await?.map(|body| decode::<SubscriptionPolicy, SubscriptionBody>(POLICY, &body)).transpose()
}

/// An application policy.
pub async fn application_policy(tx: &mut Tx, id: PolicyId) -> Result<Option<ApplicationPolicy>> {
    policy_body(tx, id).await?.map(|body| decode::<ApplicationPolicy, ApplicationBody>(POLICY, &body)).transpose()
}

/// An advanced policy.
pub async fn advanced_policy(tx: &mut Tx, id: PolicyId) -> Result<Option<AdvancedPolicy>> {
    policy_body(tx, id).await?.map(|body| decode::<AdvancedPolicy, AdvancedBody>(POLICY, &body)).transpose()
}

/// A rule of a site's own.
pub async fn custom_rule(tx: &mut Tx, id: PolicyId) -> Result<Option<CustomRule>> {
    policy_body(tx, id).await?.map(|body| decode::<CustomRule, CustomBody>(POLICY, &body)).transpose()
}

/// A deny policy.
pub async fn deny_policy(tx: &mut Tx, id: PolicyId) -> Result<Option<DenyPolicy>> {
    tx.row("SELECT * FROM deny_policy WHERE id = $1", args![id]).await?.as_ref().map(crate::deny_policies::read).transpose()
}

/// When a revoked token would have ended by itself; the outer `None` when there is no such token any more, the inner one when it never would
/// have. `name` is the change's: a `jti`, or `opaque:` and a hash.
pub async fn revoked_until(tx: &mut Tx, name: &str) -> Result<Option<Option<Timestamp>>> {
    let row = match name.strip_prefix("opaque:") {
        Some(hash) => tx.row("SELECT expires_at FROM token WHERE access_hash = $1", args![hash]).await?,
        None => tx.row("SELECT expires_at FROM token WHERE jti = $1", args![name]).await?,
    };
    row.map(|row| row.opt_time("expires_at")).transpose()
}

/// The name a [`crate::outbox::Thing::RevokedToken`] gives an opaque token.
#[must_use]
pub fn opaque_name(text: &str) -> String {
    format!("opaque:{}", hash(text))
}

async fn policy_body(tx: &mut Tx, id: PolicyId) -> Result<Option<String>> {
    tx.row("SELECT body FROM policy WHERE id = $1", args![id]).await?.map(|row| row.text("body")).transpose()
}

fn read(sealer: &Sealer, row: &Row) -> Result<Served> {
    let mut api = api_from_json(sealer, "revision.content", &row.text("content")?)?;
    api.state = row.word("state", LifecycleState::parse)?;
    api.is_default_version = row.bool("is_default")?;
    Ok(Served { api: Arc::new(api), revision: row.id("revision")? })
}
