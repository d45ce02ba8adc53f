//! Verification by behaviour: calls are made up (API × operation × credential × site they come from) and decided twice, by the old product's
//! rules over old rows and by what the new database makes a gateway decide. Neither asks the translation. A sample of each API's calls is
//! taken, always the same one, so that a site with thousands of APIs and millions of tokens is verified in bounded time and memory.
//!
//! A decision is whether the call passes, on whose plan and with which kind of key, or why it is refused. Limits are not part of it: how
//! often a plan lets callers in is asked by [`super::rows`].

use std::collections::{HashMap, HashSet};

use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::{Db, Tx, apis, served};
use model::{
    ApiId, Application, ApplicationStatus, AuthType, IssuedToken, KeyMapping, KeyState, KeyType, LifecycleState, SubscriptionState,
    TenantId, TokenHolder, TokenState,
};

use super::Verification;
use super::rows::{self, Rule};
use super::straight::Question;
use crate::digests::{sha256, short};
use crate::old::oauth::{Token, Tokens};
use crate::plan::{PlanError, TOKEN_BATCH};
use crate::source::{Site, Version};
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
pub(crate) struct Credential {
    /// The beginning of its digest.
    pub(crate) name: String,
    pub(crate) text: model::Secret<String>,
    pub(crate) consumer_key: String,
    pub(crate) believed: bool,
    /// Issued to the application itself; `None` where its row says both.
    pub(crate) is_application: Option<bool>,
    pub(crate) scopes: Vec<String>,
}

/// How the old installation decides.
pub(crate) struct OldRules {
    /// Application and key type by consumer key.
    pub(crate) keys: HashMap<String, (i64, String)>,
    /// Sites by consumer key; only where keys are bound to some and the version asked for it.
    sites: HashMap<String, Vec<String>>,
    pub(crate) subscriptions: rows::Held,
}

impl OldRules {
    /// Of the clients that these credentials name: there may be a hundred thousand others.
    pub(crate) fn of(input: &Input<'_>, subscriptions: rows::Held, credentials: &[Credential]) -> Self {
        let old = input.old;
        let named: HashSet<&str> = credentials.iter().map(|c| c.consumer_key.as_str()).collect();
        let keys = old.key_mappings.iter().filter_map(|m| Some((m.consumer_key?, (m.application_id, m.key_type))));
        let keys = keys.filter(|(key, _)| named.contains(key.as_str()));
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
        if rule.wants_application().is_some_and(|wanted| Some(wanted) != credential.is_application) {
            return "wrong kind of token".to_owned();
        }
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
    /// By client, those that were asked for.
    keys: HashMap<String, Option<(KeyMapping, Application)>>,
    restricting: HashSet<TenantId>,
    /// Tenants whose operations ask for their kind of token, and APIs that differ from theirs.
    telling: HashSet<TenantId>,
    differing: HashMap<ApiId, bool>,
}

impl NewRules {
    async fn of(tx: &mut Tx) -> db::Result<Self> {
        let ways = db::continuity::list(tx).await?;
        let restricting = ways.iter().filter(|c| c.domain_restriction).map(|c| c.tenant).collect();
        let telling = ways.iter().filter(|c| c.token_kinds).map(|c| c.tenant).collect();
        let apis = db::continuity::list_apis(tx).await?;
        let differing = apis.into_iter().filter_map(|own| Some((own.api, own.token_kinds?))).collect();
        Ok(Self { keys: HashMap::new(), restricting, telling, differing })
    }

    /// A client's key and application, where both count.
    async fn key_of(&mut self, client: &str, tx: &mut Tx) -> db::Result<Option<&(KeyMapping, Application)>> {
        if !self.keys.contains_key(client) {
            let key = db::key_mappings::find_by_consumer_key(tx, client).await?.filter(|k| k.state == KeyState::Completed);
            let found = match key {
                Some(key) => db::applications::find(tx, key.application).await?.map(|application| (key, application)),
                None => None,
            };
            let found = found.filter(|(_, application)| application.status == ApplicationStatus::Approved);
            self.keys.insert(client.to_owned(), found);
        }
        Ok(self.keys.get(client).and_then(Option::as_ref))
    }

    async fn decide(
        &mut self,
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
        let tells = self.differing.get(&api.id).copied().unwrap_or_else(|| self.telling.contains(&api.tenant));
        let is_application = matches!(token.holder, TokenHolder::Application { .. });
        let wanted = match operation.auth {
            AuthType::Application => Some(true),
            AuthType::ApplicationUser => Some(false),
            AuthType::Any | AuthType::None => None,
        };
        if tells && wanted.is_some_and(|wanted| wanted != is_application) {
            return Ok("wrong kind of token".to_owned());
        }
        let restricts = self.restricting.contains(&api.tenant);
        let Some((key, application)) = self.key_of(&token.client, tx).await? else { return Ok("not subscribed".to_owned()) };
        let Some(held) = db::subscriptions::find_for(tx, application.id, api.id).await? else { return Ok("not subscribed".to_owned()) };
        match held.state {
            SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending => {}
            SubscriptionState::ProdOnlyBlocked if key.key_type == KeyType::Sandbox => {}
            SubscriptionState::Blocked | SubscriptionState::ProdOnlyBlocked => return Ok("blocked".to_owned()),
            SubscriptionState::OnHold | SubscriptionState::Rejected => return Ok("inactive".to_owned()),
        }
        if restricts && !key.allowed_domains.is_empty() && !site.is_some_and(|site| key.allowed_domains.iter().any(|d| d == site)) {
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
    let held = rows::held(site, &carried).await?;
    let credentials = credentials(translation, input, site).await?;
    let old = OldRules::of(input, held, &credentials);
    let subscribers = subscribers(&credentials, &old);
    let mut tx = db.read().await?;
    let mut new = NewRules::of(&mut tx).await?;
    let mut question = Question::new("calls compared");
    for api in &input.old.apis {
        let (Some(row), Some(artifact)) = (&api.row, &api.artifact) else { continue };
        let (Some(id), Some(rules)) = (carried.get(&row.id), rules.get(&row.id)) else { continue };
        let state = artifact.get("overview_status").map(|s| s.trim().to_ascii_uppercase()).unwrap_or_default();
        let Some(state) = LifecycleState::parse(&state) else { continue };
        // The same revision runs wherever it runs.
        let environment = match apis::find(&mut tx, *id).await? {
            Some(api) => input.destinations.cloned().unwrap_or_default().of(&api).into_iter().next(),
            None => None,
        };
        let environment = environment.unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned());
        let served = served::find(&mut tx, &environment, *id).await?.map(|s| s.api);
        let chosen = drawn(rules.iter(), OPERATIONS, |(name, _)| (false, format!("{id} {name}")));
        for (name, rule) in chosen.into_iter().filter(|(_, rule)| rule.is_certain()) {
            let with = callers(&credentials, subscribers.get(&row.id).map_or(&[], Vec::as_slice), &format!("{id} {name}"));
            for credential in std::iter::once(None).chain(with.into_iter().map(Some)) {
                let token = match credential {
                    Some(credential) => db::tokens::find_by_access(&mut tx, credential.text.expose()).await?,
                    None => None,
                };
                // What a gateway made of a row that says both is its version's secret.
                if rule.wants_application().is_some() && credential.is_some_and(|c| c.is_application.is_none()) {
                    continue;
                }
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

/// For each API number the places of the credentials whose application subscribes.
fn subscribers(credentials: &[Credential], old: &OldRules) -> HashMap<i64, Vec<usize>> {
    let mut found: HashMap<i64, Vec<usize>> = HashMap::new();
    for (at, credential) in credentials.iter().enumerate() {
        let Some((application, _)) = old.keys.get(credential.consumer_key.as_str()) else { continue };
        old.subscriptions.apis_of(*application).for_each(|api| found.entry(api).or_default().push(at));
    }
    found
}

/// Whom an operation is called by. Who subscribes first: a stranger's call is decided by one rule, theirs by all. Strangers are those that
/// come after some place in the list, another for each operation; drawing them all for each would take hours.
fn callers<'a>(credentials: &'a [Credential], subscribers: &[usize], operation: &str) -> Vec<&'a Credential> {
    let of = |at: &usize| credentials.get(*at);
    let mut with = drawn(subscribers.iter().filter_map(of), CREDENTIALS, |c| (false, format!("{operation} {}", c.name)));
    let count = u128::try_from(credentials.len()).unwrap_or(1).max(1);
    let from = usize::try_from(short(&format!("{SEED} {operation}")) % count).unwrap_or_default();
    // In order, as they were gathered.
    let stranger = |at: &usize| subscribers.binary_search(at).is_err();
    let strangers = (from..credentials.len()).chain(0..from).filter(stranger).take(CREDENTIALS.saturating_sub(with.len()));
    with.extend(strangers.filter_map(|at| credentials.get(at)));
    with
}

/// At most `count` of them: those of lesser rank first, and among equals always the same ones, spread evenly.
pub(crate) fn drawn<T>(of: impl Iterator<Item = T>, count: usize, rank: impl Fn(&T) -> (bool, String)) -> Vec<T> {
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
pub(crate) async fn credentials(translation: &Translation, input: &Input<'_>, site: &Site) -> Result<Vec<Credential>, PlanError> {
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
                is_application: is_application(token, input.old.version),
                scopes: token.scopes.clone(),
            });
        }
    }
    Ok(kept)
}

/// To 1.8 a column told it, later the scope that every token of an application was given.
fn is_application(token: &Token, version: Version) -> Option<bool> {
    let by_column = token.user_type.as_deref().map(|kind| kind.trim().eq_ignore_ascii_case("APPLICATION"));
    let by_scope = token.scopes.iter().any(|scope| scope == "am_application_scope");
    match (version, by_column) {
        (Version::V1_8_0, Some(kind)) => Some(kind),
        (_, Some(kind)) => (kind == by_scope).then_some(kind),
        (_, None) => Some(by_scope),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_subscribes_calls_first_and_strangers_fill_up_always_the_same() {
        let credential = |n: usize| Credential {
            name: format!("{n:04}"),
            text: model::Secret::new(String::new()),
            consumer_key: String::new(),
            believed: true,
            is_application: None,
            scopes: Vec::new(),
        };
        let all: Vec<Credential> = (0..100).map(credential).collect();
        let names = |subscribers: &[usize], operation: &str| -> Vec<String> {
            callers(&all, subscribers, operation).into_iter().map(|c| c.name.clone()).collect()
        };
        let some = names(&[3, 50, 99], "GET /a");
        assert_eq!((some.len(), some == names(&[3, 50, 99], "GET /a")), (CREDENTIALS, true));
        let first: HashSet<&str> = some.iter().take(3).map(String::as_str).collect();
        assert_eq!(first, HashSet::from(["0003", "0050", "0099"]));
        assert_eq!(some.iter().collect::<HashSet<_>>().len(), CREDENTIALS, "nobody calls twice: {some:?}");
        // Other operations meet other strangers.
        assert_ne!(some, names(&[3, 50, 99], "GET /b"));
        let many: Vec<usize> = (0..60).collect();
        assert!(names(&many, "GET /a").iter().all(|name| name.as_str() < "0060"));
        assert!(callers(&[], &[], "GET /a").is_empty());
    }
}
