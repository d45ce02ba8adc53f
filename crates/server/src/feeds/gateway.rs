//! From the outbox to the gateway's snapshot.
//!
//! A change says only that a thing is not what it was. The feed reads the thing as it is now, in one read transaction with everything else
//! of the same delivery, and tells the gateway. So a late, repeated or merged change does no harm, and after a pause (a lost database, a
//! restart) the gateway is brought up to date from wherever it was.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ::gateway::{Change as GatewayChange, Deployed, Gateway, Issuer};
use db::outbox::{Change, Thing};
use db::served::Served;
use db::{Db, Tx};
use events::Courier;
use model::{ApiId, TenantId, Timestamp};
use token::VerifyingKey;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::opaque::RESIDENT;

/// How long to wait before a failed reading of the database is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long an ended token's revocation is remembered beyond its end and the clock skew that is allowed for.
const MARGIN_MS: i64 = 15 * 60 * 1_000;

/// The gateway could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum FeedFault {
    /// The database.
    #[error("the gateway's data could not be read")]
    Db(#[from] db::Error),
}

/// Fills one gateway and keeps it current.
pub(crate) struct GatewayFeed {
    pub(crate) db: Db,
    pub(crate) gateway: Arc<Gateway>,
    /// The environment this gateway serves.
    pub(crate) environment: String,
    /// Claim `iss` of our own tokens, the same for every tenant.
    pub(crate) issuer: String,
    pub(crate) clock: Clock,
    /// How long after its end a token is still taken, in milliseconds; its revocation must be known as long.
    pub(crate) skew_ms: i64,
    /// Number of the last change served.
    pub(crate) applied: watch::Sender<i64>,
}

impl GatewayFeed {
    /// Reads everything and swaps in the first snapshot. Returns the number to go on after.
    pub(crate) async fn fill(&self) -> Result<i64, FeedFault> {
        let mut tx = self.db.read().await?;
        // The number first: what is committed while reading is then read again, never lost.
        let seen = db::outbox::head(&mut tx).await?;
        let changes = self.everything(&mut tx).await?;
        tx.commit().await?;
        self.serve(changes, seen);
        Ok(seen)
    }

    /// Follows the outbox for ever. A failing database is waited out while the last snapshot goes on serving.
    pub(crate) async fn follow(self, seen: i64) {
        let mut courier = Courier::after(self.db.clone(), seen);
        loop {
            let delivery = match courier.next().await {
                Ok(delivery) => delivery,
                Err(fault) => {
                    tracing::warn!(%fault, "cannot read what changed; the gateway goes on with what it has");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            let changes = loop {
                match self.read_again(&delivery.changes).await {
                    Ok(changes) => break changes,
                    Err(fault) => {
                        tracing::warn!(%fault, "cannot read what changed; the gateway goes on with what it has");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            };
            self.serve(changes, delivery.upto);
        }
    }

    /// Tokens that ended before this moment are taken by nobody any more.
    fn forget_before(&self) -> Timestamp {
        (self.clock)().plus_ms(-self.skew_ms.saturating_add(MARGIN_MS))
    }

    fn serve(&self, changes: Vec<GatewayChange>, upto: i64) {
        let (snapshot, faults) = self.gateway.snapshot().apply_sound(&changes);
        // The feed is the only one who swaps, so nothing can come between reading the old snapshot and putting the new one.
        self.gateway.swap(snapshot);
        for fault in faults {
            tracing::error!(%fault, "a deployed API cannot be served; what was served before stays");
        }
        self.applied.send_replace(upto);
    }

    async fn everything(&self, tx: &mut Tx) -> Result<Vec<GatewayChange>, FeedFault> {
        let mut changes = Vec::new();
        for tenant in db::tenants::list(tx).await? {
            changes.extend(self.issuer_of(tx, tenant.id).await?);
            changes.push(GatewayChange::PutTenant(tenant));
        }
        changes.extend(db::policies::subscription::list_all(tx).await?.into_iter().map(GatewayChange::PutSubscriptionPolicy));
        changes.extend(db::policies::application::list_all(tx).await?.into_iter().map(GatewayChange::PutApplicationPolicy));
        changes.extend(db::policies::advanced::list_all(tx).await?.into_iter().map(GatewayChange::PutAdvancedPolicy));
        changes.extend(db::applications::list_all(tx).await?.into_iter().map(GatewayChange::PutApplication));
        changes.extend(db::key_mappings::list_all(tx).await?.into_iter().map(GatewayChange::PutKeyMapping));
        changes.extend(db::subscriptions::list_all(tx).await?.into_iter().map(GatewayChange::PutSubscription));
        for (id, until) in db::tokens::list_revoked(tx, self.forget_before()).await? {
            changes.push(GatewayChange::Revoke { jti: id, until });
        }
        changes.extend(db::served::list(tx, &self.environment).await?.into_iter().map(|served| self.put(served)));
        Ok(changes)
    }

    async fn read_again(&self, changed: &[Change]) -> Result<Vec<GatewayChange>, FeedFault> {
        let mut tx = self.db.read().await?;
        let mut changes = vec![GatewayChange::ForgetRevocations(self.forget_before())];
        // An API and its deployment change together more often than not; each API is read once.
        let mut apis: HashSet<ApiId> = HashSet::new();
        for change in changed {
            match change.thing {
                Thing::Api | Thing::Deployment => {
                    if let Some(id) = parsed::<ApiId>(change)
                        && apis.insert(id)
                    {
                        changes.push(self.api(&mut tx, id).await?);
                    }
                }
                Thing::Application => {
                    if let Some(id) = parsed(change) {
                        let found = db::applications::find(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveApplication(id), GatewayChange::PutApplication));
                    }
                }
                Thing::KeyMapping => {
                    if let Some(id) = parsed(change) {
                        let found = db::key_mappings::find(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveKeyMapping(id), GatewayChange::PutKeyMapping));
                    }
                }
                Thing::Subscription => {
                    if let Some(id) = parsed(change) {
                        let found = db::subscriptions::find(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveSubscription(id), GatewayChange::PutSubscription));
                    }
                }
                Thing::SubscriptionPolicy => {
                    if let Some(id) = parsed(change) {
                        let found = db::served::subscription_policy(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveSubscriptionPolicy(id), GatewayChange::PutSubscriptionPolicy));
                    }
                }
                Thing::ApplicationPolicy => {
                    if let Some(id) = parsed(change) {
                        let found = db::served::application_policy(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveApplicationPolicy(id), GatewayChange::PutApplicationPolicy));
                    }
                }
                Thing::AdvancedPolicy => {
                    if let Some(id) = parsed(change) {
                        let found = db::served::advanced_policy(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveAdvancedPolicy(id), GatewayChange::PutAdvancedPolicy));
                    }
                }
                Thing::RevokedToken => {
                    if let Some(until) = db::served::revoked_until(&mut tx, &change.id).await? {
                        changes.push(GatewayChange::Revoke { jti: change.id.clone(), until });
                    }
                }
                Thing::SigningKey => {
                    for tenant in db::tenants::list(&mut tx).await? {
                        changes.extend(self.issuer_of(&mut tx, tenant.id).await?);
                    }
                }
                Thing::Tenant => {
                    if let Ok(number) = change.id.parse() {
                        let id = TenantId(number);
                        let found = db::tenants::find(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveTenant(id), GatewayChange::PutTenant));
                    }
                }
                // The gateway looks clients up with the token, and serves one environment whatever it is called for people.
                Thing::Client | Thing::Environment => {}
            }
        }
        tx.commit().await?;
        Ok(changes)
    }

    async fn api(&self, tx: &mut Tx, id: ApiId) -> Result<GatewayChange, FeedFault> {
        let found = db::served::find(tx, &self.environment, id).await?;
        Ok(found.map_or(GatewayChange::RemoveApi(id), |served| self.put(served)))
    }

    /// A retired API's deployment, should one be left, is for the gateway to leave out.
    fn put(&self, served: Served) -> GatewayChange {
        GatewayChange::PutApi(Arc::new(Deployed { api: served.api, revision: served.revision, environment: self.environment.clone() }))
    }

    async fn issuer_of(&self, tx: &mut Tx, tenant: TenantId) -> Result<Option<GatewayChange>, FeedFault> {
        let keys: Vec<(String, VerifyingKey)> = db::signing_keys::list(tx, tenant)
            .await?
            .into_iter()
            .filter_map(|key| match VerifyingKey::from_certificate_der(&key.certificate_der) {
                Ok(verifying) => Some((key.kid, verifying)),
                Err(fault) => {
                    tracing::error!(kid = key.kid, %fault, "a stored signing key's certificate cannot be used; its tokens will be refused");
                    None
                }
            })
            .collect();
        if keys.is_empty() {
            return Ok(None);
        }
        Ok(Some(GatewayChange::PutIssuer(Issuer {
            tenant,
            issuer: self.issuer.clone(),
            key_manager: RESIDENT.to_owned(),
            keys,
            consumer_key_claim: None,
            scopes_claim: None,
            says_aut: true,
        })))
    }
}

fn parsed<T: std::str::FromStr>(change: &Change) -> Option<T> {
    let id = change.id.parse().ok();
    if id.is_none() {
        tracing::error!(thing = change.thing.name(), id = change.id, "the outbox names a thing by an id that is none");
    }
    id
}
