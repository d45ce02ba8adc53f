//! Verification by behaviour: calls are made up (API × operation × credential × site they come from) and decided twice, by the old product's
//! rules over old rows and by what the new database makes a gateway decide. Neither asks the translation. A sample of each API's calls is
//! taken, always the same one, so that a site with thousands of APIs and millions of tokens is verified in bounded time and memory.
//!
//! A decision is whether the call passes, on whose plan and with which kind of key, or why it is refused. Limits are not part of it: how
//! often a plan lets callers in is asked by [`super::rows`]. Neither is the kind of token that an operation asks for (application's or user's),
//! which gateways do not tell apart.

use std::collections::{HashMap, HashSet};

use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::{Db, Tx, served};
use model::{
    ApiId, Application, ApplicationStatus, AuthType, IssuedToken, KeyMapping, KeyState, KeyType, LifecycleState, SubscriptionState,
    TenantId, TokenState,
};

use super::Verification;
use super::rows::{self, Rule};
use super::straight::Question;
use crate::old::oauth::{Token, Tokens};
use crate::plan::{PlanError, TOKEN_BATCH};
use crate::source::{Site, Version};
use crate::translate::tokens::sha256;
use crate::translate::{Input, Translation};

/// What the sample is drawn by.
const SEED: &str = "1";
/// Operations taken of an API.
const OPERATIONS: usize = 8;
/// Credentials each of them is called with.
const CREDENTIALS: usize = 16;
/// Tokens kept that are alike in client, state and scopes.
const ALIKE: usize = 2;
/// Tokens kept at all.
const KEPT: usize = 5_000;
/// A site no key names.
const STRANGER: &str = "elsewhere.invalid";

/// A token by its old row.
struct Credential {
    name: String,
    text: model::Secret<String>,
    consumer_key: String,
    believed: bool,
    scopes: Vec<String>,
}

/// How the old installation decides.
struct OldRules {
    /// Application and key type by consumer key.
    keys: HashMap<String, (i64, String)>,
    /// Sites by consumer key; only where keys are bound to some and the version asked for it.
    sites: HashMap<String, Vec<String>>,
    subscriptions: rows::Held,
}

impl OldRules {
    fn of(input: &Input<'_>, subscriptions: rows::Held) -> Self {
        let old = input.old;
        let keys = old.key_mappings.iter().filter_map(|m| Some((m.consumer_key?, (m.application_id, m.key_type))));
        let mut sites: HashMap<String, Vec<String>> = HashMap::new();
        // The check was taken out with 2.0.
        for bound in old.key_domains.iter().filter(|_| old.version < Version::V2_0_0) {
            sites.entry(bound.consumer_key).or_default().extend(bound.domain.map(|domain| domain.trim().to_owned()));
        }
        sites.retain(|_, sites| !sites.iter().any(|site| site.eq_ignore_ascii_case("ALL")));
        Self { keys: keys.collect(), sites, subscriptions }
    }

    fn decide(&self, api: i64, rule: &Rule, credential: Option<&Credential>, site: Option<&str>) -> String {
        if rule.is_open() {
            return "open".to_owned();
        }
        let Some(credential) = credential.filter(|c| c.believed) else { return "not believed".to_owned() };
        let key = self.keys.get(credential.consumer_key.as_str());
        let held = key.and_then(|(application, kind)| Some((kind, self.subscriptions.get(*application, api)?)));
        let Some((kind, (state, tier))) = held else { return "not subscribed".to_owned() };
        let sandbox = kind.trim().eq_ignore_ascii_case("SANDBOX");
        match state {
            "UNBLOCKED" => {}
            "PROD_ONLY_BLOCKED" if sandbox => {}
            "BLOCKED" | "PROD_ONLY_BLOCKED" => return "blocked".to_owned(),
            _ => return "inactive".to_owned(),
        }
        if self
            .sites
            .get(credential.consumer_key.as_str())
            .is_some_and(|sites| !site.is_some_and(|site| sites.iter().any(|own| own == site)))
        {
            return "from another site".to_owned();
        }
        if !rule.admits(&credential.scopes) {
            return "without scope".to_owned();
        }
        format!("passes as {} on {}", if sandbox { KeyType::Sandbox.name() } else { KeyType::Production.name() }, tier)
    }
}

/// What the new database makes a gateway decide.
struct NewRules {
    keys: HashMap<String, KeyMapping>,
    applications: HashMap<model::ApplicationId, Application>,
    restricting: HashSet<TenantId>,
}

impl NewRules {
    async fn of(tx: &mut Tx) -> db::Result<Self> {
        let keys = db::key_mappings::list_all(tx).await?.into_iter().filter_map(|k| Some((k.consumer_key.clone()?, k))).collect();
        let applications = db::applications::list_all(tx).await?.into_iter().map(|a| (a.id, a)).collect();
        let restricting = db::continuity::list(tx).await?.into_iter().filter(|c| c.domain_restriction).map(|c| c.tenant).collect();
        Ok(Self { keys, applications, restricting })
    }

    async fn decide(
        &self,
        api: &model::Api,
        operation: &model::Operation,
        token: Option<&IssuedToken>,
        site: Option<&str>,
        tx: &mut Tx,
    ) -> db::Result<String> {
        if operation.auth == AuthType::None {
            return Ok("open".to_owned());
        }
        let Some(token) = token else { return Ok("not believed".to_owned()) };
        let key = self.keys.get(&token.client).filter(|k| k.state == KeyState::Completed);
        let application = key.and_then(|k| self.applications.get(&k.application)).filter(|a| a.status == ApplicationStatus::Approved);
        let (Some(key), Some(application)) = (key, application) else { return Ok("not subscribed".to_owned()) };
        let Some(held) = db::subscriptions::find_for(tx, application.id, api.id).await? else { return Ok("not subscribed".to_owned()) };
        match held.state {
            SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending => {}
            SubscriptionState::ProdOnlyBlocked if key.key_type == KeyType::Sandbox => {}
            SubscriptionState::Blocked | SubscriptionState::ProdOnlyBlocked => return Ok("blocked".to_owned()),
            SubscriptionState::OnHold | SubscriptionState::Rejected => return Ok("inactive".to_owned()),
        }
        let bound = !key.allowed_domains.is_empty() && self.restricting.contains(&api.tenant);
        if bound && !site.is_some_and(|site| key.allowed_domains.iter().any(|d| d == site)) {
            return Ok("from another site".to_owned());
        }
        if !operation.scopes.is_empty() && !operation.scopes.iter().any(|s| token.scopes.contains(s)) {
            return Ok("without scope".to_owned());
        }
        Ok(format!("passes as {} on {}", key.key_type.name(), held.plan))
    }
}

pub(super) async fn compare(
    done: &mut Verification,
    translation: &Translation,
    input: &Input<'_>,
    site: &Site,
    db: &Db,
) -> Result<(), PlanError> {
    let carried: HashMap<i64, ApiId> = translation.apis.iter().filter_map(|a| Some((a.key.parse().ok()?, a.value.api.id))).collect();
    // Everything but tokens is read first: their stream holds the old database's connection.
    let tenants = rows::tenants(site).await?;
    let rules = rows::rules(input, site, &tenants).await?;
    let old = OldRules::of(input, rows::held(site, &carried).await?);
    let credentials = credentials(translation, input, site).await?;
    let mut tx = db.read().await?;
    let new = NewRules::of(&mut tx).await?;
    let mut question = Question::new("calls compared");
    for api in &input.old.apis {
        let (Some(row), Some(artifact)) = (&api.row, &api.artifact) else { continue };
        let (Some(id), Some(rules)) = (carried.get(&row.id), rules.get(&row.id)) else { continue };
        let state = artifact.get("overview_status").map(|s| s.trim().to_ascii_uppercase()).unwrap_or_default();
        let Some(state) = LifecycleState::parse(&state) else { continue };
        let served = served::find(&mut tx, DEFAULT_ENVIRONMENT, *id).await?.map(|s| s.api);
        let chosen = drawn(rules.iter(), OPERATIONS, |(name, _)| (false, format!("{id} {name}")));
        for (name, rule) in chosen.into_iter().filter(|(_, rule)| rule.is_certain()) {
            let subscribes = |c: &Credential| {
                old.keys.get(c.consumer_key.as_str()).is_some_and(|(application, _)| old.subscriptions.get(*application, row.id).is_some())
            };
            // Who subscribes first: a stranger's call is decided by one rule, theirs by all.
            let with = drawn(credentials.iter(), CREDENTIALS, |c| (!subscribes(c), format!("{id} {name} {}", c.name)));
            for credential in std::iter::once(None).chain(with.into_iter().map(Some)) {
                let token = match credential {
                    Some(credential) => db::tokens::find_by_access(&mut tx, credential.text.expose()).await?,
                    None => None,
                };
                // One that was taken back here since is no longer decided by the old rows.
                if token.as_ref().is_some_and(|t| t.state != TokenState::Active) {
                    continue;
                }
                let token = token.filter(|t| t.expires_at.is_none_or(|until| until > input.as_of));
                let bound =
                    credential.and_then(|c| old.sites.get(c.consumer_key.as_str())).and_then(|sites| sites.first()).map(String::as_str);
                let sites: &[Option<&str>] = if bound.is_some() { &[None, bound, Some(STRANGER)] } else { &[None] };
                for from in sites {
                    let ought = match state {
                        LifecycleState::Created | LifecycleState::Retired => "not served".to_owned(),
                        LifecycleState::Blocked => "API blocked".to_owned(),
                        _ => old.decide(row.id, rule, credential, *from),
                    };
                    let operation = served.as_ref().and_then(|a| {
                        let operation = a.operations.iter().find(|o| format!("{} {}", o.verb, o.target) == *name)?;
                        Some((a, operation))
                    });
                    let is = match operation {
                        None => "not served".to_owned(),
                        Some((a, _)) if matches!(a.state, LifecycleState::Created | LifecycleState::Retired) => "not served".to_owned(),
                        Some((a, _)) if a.state == LifecycleState::Blocked => "API blocked".to_owned(),
                        Some((a, operation)) => new.decide(a, operation, token.as_ref(), *from, &mut tx).await?,
                    };
                    let by = credential.map_or("nobody", |c| c.name.as_str());
                    question.ask(
                        &format!("AM_API {}", row.id),
                        &format!("{name} by {by} from {}", from.unwrap_or("nowhere")),
                        &ought,
                        Some(&is),
                    );
                }
            }
        }
    }
    question.close(done);
    Ok(())
}

/// At most `count` of them: those of lesser rank first, and among equals always the same ones, spread evenly.
fn drawn<T>(of: impl Iterator<Item = T>, count: usize, rank: impl Fn(&T) -> (bool, String)) -> Vec<T> {
    let mut all: Vec<((bool, String), T)> = of
        .map(|item| {
            let (late, name) = rank(&item);
            ((late, sha256(&format!("{SEED} {name}"))), item)
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.into_iter().take(count).map(|(_, item)| item).collect()
}

/// Tokens to call with: few of each sort, living and ended.
async fn credentials(translation: &Translation, input: &Input<'_>, site: &Site) -> Result<Vec<Credential>, PlanError> {
    let known: HashSet<String> = translation.clients.iter().map(|c| c.key).collect();
    let by_number = input.old.consumer_keys();
    let mut alike: HashMap<(String, bool, String), usize> = HashMap::new();
    let mut kept = Vec::new();
    let mut stream = Tokens::open(site).await?;
    while kept.len() < KEPT {
        let batch = stream.next_batch(TOKEN_BATCH).await?;
        if batch.is_empty() {
            break;
        }
        for token in &batch {
            let client = token.consumer_key.as_deref().or_else(|| by_number.get(&token.consumer_key_id?).map(|key| &**key));
            let Some(client) = client.filter(|c| known.contains(*c) && !token.access_token.expose().is_empty()) else { continue };
            let believed = is_believed(token, input.as_of.0);
            let count = alike.entry((client.to_owned(), believed, token.scopes.join(" "))).or_default();
            if *count >= ALIKE || kept.len() >= KEPT {
                continue;
            }
            *count += 1;
            kept.push(Credential {
                name: sha256(token.access_token.expose()).chars().take(12).collect(),
                text: token.access_token.clone(),
                consumer_key: client.to_owned(),
                believed,
                scopes: token.scopes.clone(),
            });
        }
    }
    Ok(kept)
}

/// State and time alone, on a UTC clock whatever the server's zone; a negative or the greatest period never ends.
fn is_believed(token: &Token, now_ms: i64) -> bool {
    let lives = match (token.validity_ms, token.created) {
        (Some(i64::MIN..0 | i64::MAX), _) => true,
        (Some(ms), Some(created)) => created.and_utc().timestamp_millis().saturating_add(ms) > now_ms,
        _ => false,
    };
    lives && token.state.as_deref().is_some_and(|s| s.trim().eq_ignore_ascii_case("ACTIVE"))
}
