//! From the outbox to the gateway's snapshot.
//!
//! A change says only that a thing is not what it was. The feed reads the thing as it is now, in one read transaction with everything else
//! of the same delivery, and tells the gateway. So a late, repeated or merged change does no harm, and after a pause (a lost database, a
//! restart) the gateway is brought up to date from wherever it was.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::gateway::{Change as GatewayChange, Deployed, Gateway, Issuer, Signer, Snapshot};
use db::outbox::{Change, Thing};
use db::served::Served;
use db::{Db, Tx};
use events::Courier;
use model::{ApiId, TenantId, Timestamp};
use token::{SigningKey, VerifyingKey};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::sequences::Gathering;
use crate::clock::Clock;
use crate::opaque::RESIDENT;

/// How long to wait before a failed reading of the database is tried again, and before a feed that broke is started anew.
const AGAIN: Duration = Duration::from_secs(1);

/// How long an ended token's revocation is remembered beyond its end and the clock skew that is allowed for.
const MARGIN_MS: i64 = 15 * 60 * 1_000;

/// The gateway could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum FeedFault {
    /// The database.
    #[error("the gateway's data could not be read")]
    Db(#[from] db::Error),
    /// A defect.
    #[error("the reading of the gateway's data broke off")]
    Broken(#[source] tokio::task::JoinError),
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
    /// Reads everything and swaps in a snapshot of that alone. Returns the number to go on after.
    pub(crate) async fn fill(&self) -> Result<i64, FeedFault> {
        let mut tx = self.db.read().await?;
        // The number first: what is committed while reading is then read again, never lost.
        let seen = db::outbox::head(&mut tx).await?;
        let changes = self.everything(&mut tx).await?;
        tx.commit().await?;
        self.serve(&self.gateway.snapshot().emptied(), &changes, seen);
        Ok(seen)
    }

    /// Keeps the gateway current for ever, after the number [`Self::fill`] gave. A feed that breaks (a defect of ours: nothing else ends it)
    /// is started anew and reads everything again. Until it has, calls see the last snapshot and the gateway says that it is not ready.
    pub(crate) async fn keep(self, seen: i64) {
        let feed = Arc::new(self);
        // A set, because what is in it ends with the task that holds it.
        let mut lives = JoinSet::new();
        lives.spawn(Arc::clone(&feed).live(Some(seen)));
        while let Some(ended) = lives.join_next().await {
            feed.gateway.set_unready();
            let fault = ended.unwrap_or_else(FeedFault::Broken);
            tracing::error!(
                fault = &fault as &dyn std::error::Error,
                "the gateway's feed broke; the gateway goes on with what it has, but is not ready until everything is read again"
            );
            tokio::time::sleep(AGAIN).await;
            lives.spawn(Arc::clone(&feed).live(None));
        }
    }

    /// One life of the feed; `filled` is where to go on, when the gateway has everything up to there.
    async fn live(self: Arc<Self>, filled: Option<i64>) -> FeedFault {
        let seen = match filled {
            Some(seen) => seen,
            None => match self.fill().await {
                Ok(seen) => seen,
                Err(fault) => return fault,
            },
        };
        match self.follow(seen).await {}
    }

    /// Follows the outbox for ever. A failing database is waited out while the last snapshot goes on serving.
    async fn follow(&self, seen: i64) -> Infallible {
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
            self.serve(&self.gateway.snapshot(), &changes, delivery.upto);
        }
    }

    /// Tokens that ended before this moment are taken by nobody any more.
    fn forget_before(&self) -> Timestamp {
        (self.clock)().plus_ms(-self.skew_ms.saturating_add(MARGIN_MS))
    }

    fn serve(&self, on: &Snapshot, changes: &[GatewayChange], upto: i64) {
        let (snapshot, faults) = on.apply_sound(changes);
        // The feed is the only one who swaps, so nothing can come between reading the old snapshot and putting the new one.
        self.gateway.swap(snapshot);
        for fault in faults {
            tracing::error!(%fault, "what changed cannot be served as it is");
        }
        self.applied.send_replace(upto);
    }

    async fn everything(&self, tx: &mut Tx) -> Result<Vec<GatewayChange>, FeedFault> {
        let mut changes = Vec::new();
        let mut sequences = Gathering::default();
        for tenant in db::tenants::list(tx).await? {
            changes.extend(self.keys_of(tx, tenant.id).await?);
            changes.push(sequences.handlers(tx, tenant.id).await?);
            changes.push(GatewayChange::PutTenant(tenant));
        }
        changes.extend(db::continuity::list(tx).await?.into_iter().map(GatewayChange::PutContinuity));
        changes.extend(db::continuity::list_apis(tx).await?.into_iter().map(GatewayChange::PutApiContinuity));
        changes.extend(db::policies::subscription::list_all(tx).await?.into_iter().map(GatewayChange::PutSubscriptionPolicy));
        changes.extend(db::policies::application::list_all(tx).await?.into_iter().map(GatewayChange::PutApplicationPolicy));
        changes.extend(db::policies::advanced::list_all(tx).await?.into_iter().map(GatewayChange::PutAdvancedPolicy));
        changes.extend(db::policies::custom::list_all(tx).await?.into_iter().map(GatewayChange::PutCustomRule));
        changes.extend(db::deny_policies::list_all(tx).await?.into_iter().map(GatewayChange::PutDenyPolicy));
        changes.extend(db::applications::list_all(tx).await?.into_iter().map(GatewayChange::PutApplication));
        changes.extend(db::key_mappings::list_all(tx).await?.into_iter().map(GatewayChange::PutKeyMapping));
        changes.extend(db::subscriptions::list_all(tx).await?.into_iter().map(GatewayChange::PutSubscription));
        for (id, until) in db::tokens::list_revoked(tx, self.forget_before()).await? {
            changes.push(GatewayChange::Revoke { jti: id, until });
        }
        for served in db::served::list(tx, &self.environment).await? {
            changes.push(sequences.of(tx, &served.api).await?);
            changes.push(self.put(served));
        }
        Ok(changes)
    }

    async fn read_again(&self, changed: &[Change]) -> Result<Vec<GatewayChange>, FeedFault> {
        let mut tx = self.db.read().await?;
        let mut changes = vec![GatewayChange::ForgetRevocations(self.forget_before())];
        // An API and its deployment change together more often than not; each API is read once.
        let mut apis: HashSet<ApiId> = HashSet::new();
        let mut sequences = Gathering::default();
        for change in changed {
            match change.thing {
                Thing::Api | Thing::Deployment => {
                    if let Some(id) = parsed::<ApiId>(change)
                        && apis.insert(id)
                    {
                        changes.extend(self.api(&mut tx, id, &mut sequences).await?);
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
                Thing::DenyPolicy => {
                    if let Some(id) = parsed(change) {
                        let found = db::served::deny_policy(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveDenyPolicy(id), GatewayChange::PutDenyPolicy));
                    }
                }
                Thing::RevokedToken => {
                    if let Some(until) = db::served::revoked_until(&mut tx, &change.id).await? {
                        changes.push(GatewayChange::Revoke { jti: change.id.clone(), until });
                    }
                }
                Thing::SigningKey => {
                    for tenant in db::tenants::list(&mut tx).await? {
                        changes.extend(self.keys_of(&mut tx, tenant.id).await?);
                    }
                }
                Thing::Tenant => {
                    if let Ok(number) = change.id.parse() {
                        let id = TenantId(number);
                        let found = db::tenants::find(&mut tx, id).await?;
                        if found.is_none() {
                            changes.push(GatewayChange::RemoveIssuer { tenant: id, issuer: self.issuer.clone() });
                            changes.push(GatewayChange::RemoveSigner(id));
                        }
                        changes.push(found.map_or(GatewayChange::RemoveTenant(id), GatewayChange::PutTenant));
                        // A sequence that several APIs may use, or that answers for refused calls, tells itself as its tenant.
                        changes.extend(self.sequences_of(&mut tx, id, &mut sequences).await?);
                    }
                }
                Thing::Continuity => {
                    if let Ok(number) = change.id.parse() {
                        let found = db::continuity::find(&mut tx, TenantId(number)).await?;
                        changes.push(found.map_or(GatewayChange::RemoveContinuity(TenantId(number)), GatewayChange::PutContinuity));
                        // The form of errors also says which engine's sequences these are.
                        changes.extend(self.sequences_of(&mut tx, TenantId(number), &mut sequences).await?);
                    }
                }
                Thing::ApiContinuity => {
                    if let Some(id) = parsed(change) {
                        let found = db::continuity::find_api(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveApiContinuity(id), GatewayChange::PutApiContinuity));
                    }
                }
                Thing::CustomRule => {
                    if let Some(id) = parsed(change) {
                        let found = db::served::custom_rule(&mut tx, id).await?;
                        changes.push(found.map_or(GatewayChange::RemoveCustomRule(id), GatewayChange::PutCustomRule));
                    }
                }
                // The gateway looks clients up with the token, and serves one environment whatever it is called for people.
                Thing::Client | Thing::Environment => {}
            }
        }
        tx.commit().await?;
        Ok(changes)
    }

    /// All sequences of a tenant: those for refused calls, and those of each of its APIs.
    async fn sequences_of(&self, tx: &mut Tx, tenant: TenantId, sequences: &mut Gathering) -> Result<Vec<GatewayChange>, FeedFault> {
        let mut changes = vec![sequences.handlers(tx, tenant).await?];
        for served in db::served::list(tx, &self.environment).await?.into_iter().filter(|served| served.api.tenant == tenant) {
            changes.push(sequences.of(tx, &served.api).await?);
        }
        Ok(changes)
    }

    /// The API after its sequences, so that no call passes without them.
    async fn api(&self, tx: &mut Tx, id: ApiId, sequences: &mut Gathering) -> Result<[GatewayChange; 2], FeedFault> {
        Ok(match db::served::find(tx, &self.environment, id).await? {
            Some(served) => [sequences.of(tx, &served.api).await?, self.put(served)],
            None => [GatewayChange::RemoveSequences(id), GatewayChange::RemoveApi(id)],
        })
    }

    /// A retired API's deployment, should one be left, is for the gateway to leave out.
    fn put(&self, served: Served) -> GatewayChange {
        GatewayChange::PutApi(Arc::new(Deployed { api: served.api, revision: served.revision, environment: self.environment.clone() }))
    }

    /// Whose tokens are believed, and what signs for the tenant. Without a key left, nobody's tokens are believed: an issuer that stayed
    /// would keep those of the last key alive.
    async fn keys_of(&self, tx: &mut Tx, tenant: TenantId) -> Result<[GatewayChange; 2], FeedFault> {
        let stored = db::signing_keys::list(tx, tenant).await?;
        let signer = stored.iter().filter(|key| key.active).find_map(|stored| {
            let key = SigningKey::from_pkcs8(stored.pkcs8.expose()).and_then(|key| key.with_certificate(&stored.certificate_der));
            key.inspect_err(
                |fault| tracing::error!(kid = stored.kid, %fault, "a stored signing key cannot be used to tell backends who calls"),
            )
            .ok()
        });
        let signer =
            signer.map_or(GatewayChange::RemoveSigner(tenant), |key| GatewayChange::PutSigner(Signer { tenant, key: Arc::new(key) }));
        let keys: Vec<(String, VerifyingKey)> = stored
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
            return Ok([GatewayChange::RemoveIssuer { tenant, issuer: self.issuer.clone() }, signer]);
        }
        let issuer = Issuer {
            tenant,
            issuer: self.issuer.clone(),
            key_manager: RESIDENT.to_owned(),
            keys,
            consumer_key_claim: None,
            scopes_claim: None,
            says_aut: true,
        };
        Ok([GatewayChange::PutIssuer(issuer), signer])
    }
}

fn parsed<T: std::str::FromStr>(change: &Change) -> Option<T> {
    let id = change.id.parse().ok();
    if id.is_none() {
        tracing::error!(thing = change.thing.name(), id = change.id, "the outbox names a thing by an id that is none");
    }
    id
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};

    use ::gateway::{Config, FoundToken, OpaqueTokens, Unavailable};
    use db::{DbUrl, Sealer};
    use model::{Api, Deployment, Revision, RevisionId, Tenant, Vhost};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    struct NoTokens;

    impl OpaqueTokens for NoTokens {
        fn find<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<Option<FoundToken>, Unavailable>> + Send + 'a>> {
            Box::pin(async { Ok(None) })
        }
    }

    struct Stage {
        db: Db,
        gateway: Arc<Gateway>,
        /// The clock panics when it is looked at.
        broken: Arc<AtomicBool>,
        _folder: tempfile::TempDir,
    }

    impl Stage {
        async fn set() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(&DbUrl::sqlite(&folder.path().join("t.db")), Sealer::new([1; 32])).await.unwrap();
            let vhost = Vhost {
                host: "gw.example.org".to_owned(),
                http_context: String::new(),
                http_port: 8280,
                https_port: 8243,
                ws_port: 9099,
                wss_port: 8099,
            };
            let mut tx = db.write().await.unwrap();
            db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(NOW)).await.unwrap();
            db::bootstrap::environment(&mut tx, &vhost).await.unwrap();
            tx.commit().await.unwrap();
            let gateway = Gateway::new(Config::default(), Arc::new(NoTokens)).unwrap();
            Self { db, gateway, broken: Arc::new(AtomicBool::new(false)), _folder: folder }
        }

        fn feed(&self) -> GatewayFeed {
            let broken = Arc::clone(&self.broken);
            GatewayFeed {
                db: self.db.clone(),
                gateway: Arc::clone(&self.gateway),
                environment: "Default".to_owned(),
                issuer: "https://localhost:9443/oauth2/token".to_owned(),
                clock: Arc::new(move || {
                    assert!(!broken.load(Ordering::SeqCst), "the clock is broken");
                    NOW
                }),
                skew_ms: 0,
                applied: watch::Sender::new(0),
            }
        }

        async fn deploy(&self, name: &str) -> ApiId {
            let mut api = Api::new(ApiId::random(), TenantId::SUPER, "admin", name, "1.0", &format!("/{name}/{{version}}"), NOW);
            api.state = model::LifecycleState::Published;
            let revision = RevisionId::random();
            let content = Arc::new(api.clone());
            let frozen = Revision { id: revision, api: api.id, number: 1, description: None, content, definition: None, created_at: NOW };
            let deployment = Deployment {
                api: api.id,
                environment: "Default".to_owned(),
                revision,
                vhost: "gw.example.org".to_owned(),
                display_on_portal: true,
                deployed_at: NOW,
            };
            let mut tx = self.db.write().await.unwrap();
            db::apis::insert(&mut tx, &api).await.unwrap();
            db::revisions::insert(&mut tx, &frozen).await.unwrap();
            db::deployments::put(&mut tx, &deployment).await.unwrap();
            tx.commit().await.unwrap();
            api.id
        }

        async fn wait_until(&self, what: &str, holds: impl Fn(&Gateway) -> bool) {
            for _ in 0..1_000 {
                if holds(&self.gateway) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("never came: {what}");
        }
    }

    #[tokio::test]
    async fn what_tenants_keep_of_old_ways_reaches_the_gateway_without_a_restart() {
        let stage = Stage::set().await;
        let api = stage.deploy("shop").await;
        let keep = async |format: Option<model::ErrorFormat>, of_api: Option<model::ErrorFormat>| {
            let mut tx = stage.db.write().await.unwrap();
            match format {
                Some(error_format) => {
                    let continuity = model::Continuity { error_format, ..model::Continuity::none(TenantId::SUPER) };
                    db::continuity::put(&mut tx, &continuity).await.unwrap();
                }
                None => drop(db::continuity::delete(&mut tx, TenantId::SUPER).await.unwrap()),
            }
            let own = model::ApiContinuity { error_format: of_api, ..model::ApiContinuity::none(api) };
            db::continuity::put_api(&mut tx, &own).await.unwrap();
            tx.commit().await.unwrap();
        };
        let format = |path: &'static str| move |gateway: &Gateway| gateway.snapshot().error_format_at(path);
        let (old, older) = (model::ErrorFormat::Xml1(model::Generation::V1_9), model::ErrorFormat::Xml1(model::Generation::V1_8));
        keep(Some(old), None).await;
        let feed = stage.feed();
        let seen = feed.fill().await.unwrap();
        assert_eq!(format("/shop/1.0/x")(&stage.gateway), old);
        let keeping = tokio::spawn(feed.keep(seen));
        keep(Some(old), Some(older)).await;
        stage.wait_until("the API differs", |gateway| format("/shop/1.0/x")(gateway) == older).await;
        assert_eq!(format("/none")(&stage.gateway), old);
        keep(None, None).await;
        stage.wait_until("nothing is kept", |gateway| format("/shop/1.0/x")(gateway) == model::ErrorFormat::Json40).await;
        keeping.abort();
    }

    #[tokio::test]
    async fn a_tenants_error_sequences_reach_the_gateway_without_a_restart() {
        let stage = Stage::set().await;
        let sequence = |text: &str| model::StoredSequence {
            id: "fault".to_owned(),
            tenant: TenantId::SUPER,
            place: model::SequencePlace::Gateway,
            name: "fault".to_owned(),
            file: "fault.xml".to_owned(),
            content: model::Secret::new(text.as_bytes().to_vec()),
            additions: None,
        };
        let feed = stage.feed();
        let seen = feed.fill().await.unwrap();
        let keeping = tokio::spawn(feed.keep(seen));
        let is = |handlers: &'static [model::ErrorHandler]| {
            move |gateway: &Gateway| gateway.snapshot().error_handlers(TenantId::SUPER) == handlers
        };
        let mut tx = stage.db.write().await.unwrap();
        db::sequences::insert_many(&mut tx, &[sequence("<sequence><respond/></sequence>")]).await.unwrap();
        tx.commit().await.unwrap();
        stage.wait_until("it is there", is(&[model::ErrorHandler::Fault])).await;
        let mut tx = stage.db.write().await.unwrap();
        assert!(db::sequences::update(&mut tx, &sequence("<sequence><class name='com.acme.Own'/></sequence>")).await.unwrap());
        tx.commit().await.unwrap();
        stage.wait_until("one that cannot run does not", is(&[])).await;
        let mut tx = stage.db.write().await.unwrap();
        assert!(db::sequences::update(&mut tx, &sequence("<sequence><send/></sequence>")).await.unwrap());
        tx.commit().await.unwrap();
        stage.wait_until("it is back", is(&[model::ErrorHandler::Fault])).await;
        let mut tx = stage.db.write().await.unwrap();
        assert!(db::sequences::delete(&mut tx, "fault").await.unwrap());
        tx.commit().await.unwrap();
        stage.wait_until("it is gone", is(&[])).await;
        keeping.abort();
    }

    #[tokio::test]
    async fn a_feed_that_breaks_is_not_ready_until_it_has_read_everything_again() {
        let stage = Stage::set().await;
        let gone = stage.deploy("gone").await;
        let feed = stage.feed();
        let seen = feed.fill().await.unwrap();
        let keeping = tokio::spawn(feed.keep(seen));
        assert!(stage.gateway.is_ready());

        stage.broken.store(true, Ordering::SeqCst);
        stage.deploy("fresh").await;
        stage.wait_until("the feed breaks and says so", |gateway| !gateway.is_ready()).await;
        assert_eq!(stage.gateway.snapshot().api_count(), 1, "what was served goes on");

        let mut tx = stage.db.write().await.unwrap();
        db::deployments::remove(&mut tx, gone, "Default").await.unwrap();
        tx.commit().await.unwrap();
        stage.deploy("fresher").await;
        stage.broken.store(false, Ordering::SeqCst);
        stage.wait_until("the feed is back", Gateway::is_ready).await;
        // Two that came while nobody looked, and not the one that went.
        assert_eq!(stage.gateway.snapshot().api_count(), 2);
        stage.deploy("freshest").await;
        stage.wait_until("the feed follows again", |gateway| gateway.snapshot().api_count() == 3).await;
        keeping.abort();
    }

    #[tokio::test]
    async fn an_issuer_without_keys_is_believed_no_more() {
        let stage = Stage::set().await;
        let feed = stage.feed();
        for thing in [Thing::SigningKey, Thing::Tenant] {
            let changes = feed.read_again(&[Change { thing, id: "4711".to_owned() }]).await.unwrap();
            assert!(changes.iter().any(|change| matches!(change, GatewayChange::RemoveIssuer { .. })), "{thing:?}: {changes:?}");
        }
    }
}
