//! Old rows against the target, read here a second time and by themselves: nothing below asks the translation what a cell means, so a
//! fault in it shows. What may be called by whom, how often, and which subscriptions hold.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use db::policies::{advanced, application, subscription};
use db::{Tx, apis, applications, subscriptions};
use model::{ApiId, ApplicationId, AuthType, Limit, Operation, Quota, TenantId, TimeUnit, UNLIMITED};

use super::straight::Question;
use super::{Verification, conditions, rules};
use crate::old::limits::TierLevel;
use crate::old::people::SUPER_TENANT_ID;
use crate::plan::PlanError;
use crate::source::{Row, Site, Source, SourceError, Version};
use crate::translate::{Input, Translation};

pub(super) async fn compare(
    done: &mut Verification,
    translation: &Translation,
    input: &Input<'_>,
    site: &Site,
    tx: &mut Tx,
) -> Result<(), PlanError> {
    // Which API a row became is the one thing taken from the translation; that its name, version and address fit is asked elsewhere.
    let apis: HashMap<i64, ApiId> = translation.apis.iter().filter_map(|a| Some((a.key.parse().ok()?, a.value.api.id))).collect();
    let tenants = tenants(site).await?;
    operations(done, input, site, &apis, &tenants, tx).await?;
    match input.old.version.has_policy_tables() && input.settings.and_then(|s| s.advanced_throttling) != Some(false) {
        true => {
            limits_of_tables(done, site, &tenants, tx).await?;
            conditions::compare(done, site, &tenants, tx).await?;
        }
        false => limits_of_files(done, input, &tenants, tx).await?,
    }
    subscription_rows(done, site, &apis, tx).await?;
    rules::compare(done, site, &apis, tx).await
}

/// A cell's text, trimmed; `None` when it is empty, or does not read, which the reading has told.
pub(super) fn text(row: &Row, column: &str) -> Option<String> {
    row.text(column).ok().flatten().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

pub(super) fn number(row: &Row, column: &str) -> Option<i64> {
    row.int(column).ok().flatten()
}

async fn numbers(source: &Source, table: &str, column: &str) -> Result<HashSet<i64>, SourceError> {
    let mut rows = source.scan(table);
    let mut found = HashSet::new();
    while let Some(row) = rows.next().await? {
        found.extend(number(&row, column));
    }
    Ok(found)
}

pub(crate) async fn tenants(site: &Site) -> Result<HashSet<i64>, SourceError> {
    let mut found = numbers(&site.databases.users, "UM_TENANT", "UM_ID").await?;
    found.insert(SUPER_TENANT_ID);
    Ok(found)
}

pub(super) fn tenant(row: &Row, column: &str, known: &HashSet<i64>) -> Option<TenantId> {
    let id = number(row, column).unwrap_or(SUPER_TENANT_ID);
    known.contains(&id).then(|| i32::try_from(id).ok().map(TenantId)).flatten()
}

/// What the rows of one verb on one pattern ask for; more than one of a kind when they stand doubled and disagree.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    schemes: BTreeSet<&'static str>,
    tiers: BTreeSet<String>,
    scopes: BTreeSet<String>,
}

impl Rule {
    /// Whether anybody may call.
    pub(crate) fn is_open(&self) -> bool {
        self.schemes.iter().all(|s| *s == AuthType::None.name())
    }

    /// The kind of token it names: an application's, or a user's.
    pub(super) fn wants_application(&self) -> Option<bool> {
        let only = |auth: AuthType| self.schemes.iter().all(|s| *s == auth.name());
        match (only(AuthType::Application), only(AuthType::ApplicationUser)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        }
    }

    /// Whether its rows agree on who may.
    pub(super) fn is_certain(&self) -> bool {
        self.schemes.len() == 1
    }

    /// Whether a token with these scopes has one that is asked for.
    pub(super) fn admits(&self, scopes: &[String]) -> bool {
        self.scopes.is_empty() || scopes.iter().any(|s| self.scopes.contains(s))
    }

    /// In words. Of doubled rows any one may hold, but not the one that lets everybody in when another does not.
    fn words(&self, is: Option<&Operation>) -> String {
        let open = AuthType::None.name();
        let mut schemes = self.schemes.clone();
        if schemes.len() > 1 {
            schemes.remove(open);
        }
        let scheme = is.and_then(|o| schemes.get(o.auth.name())).copied().or_else(|| schemes.first().copied()).unwrap_or_default();
        let tier = is.and_then(|o| self.tiers.get(&o.policy)).or_else(|| self.tiers.first()).map(String::as_str).unwrap_or_default();
        words(scheme, tier, self.scopes.iter().map(String::as_str))
    }
}

fn words<'a>(scheme: &str, tier: &str, scopes: impl Iterator<Item = &'a str>) -> String {
    let scopes: Vec<&str> = scopes.collect();
    let scopes = if scopes.is_empty() { "no scope".to_owned() } else { format!("scope {}", scopes.join(" ")) };
    format!("{scheme}, {tier}, {scopes}")
}

fn words_of(operation: &Operation) -> String {
    let scopes: BTreeSet<&str> = operation.scopes.iter().map(String::as_str).collect();
    words(operation.auth.name(), &operation.policy, scopes.into_iter())
}

/// What the old product writes for who may call. No word let everybody in; a word nobody knows keeps strangers out.
fn scheme(cell: Option<&str>) -> &'static str {
    let scheme = match cell.map(str::to_ascii_lowercase).as_deref() {
        None | Some("none") => AuthType::None,
        Some("application") => AuthType::Application,
        Some("application_user" | "application user") => AuthType::ApplicationUser,
        Some(_) => AuthType::Any,
    };
    scheme.name()
}

/// For each API number its rules by `VERB /pattern`.
pub(crate) type Rules = BTreeMap<i64, BTreeMap<String, Rule>>;

pub(crate) async fn rules(input: &Input<'_>, site: &Site, tenants: &HashSet<i64>) -> Result<Rules, SourceError> {
    let api = &site.databases.api;
    let addresses = addresses(input, site).await?;
    let scopes = resource_scopes(site, tenants).await?;
    let mut found = Rules::new();
    let mut rows = api.scan("AM_API_URL_MAPPING");
    while let Some(row) = rows.next().await? {
        let (Some(id), Some(verb), Some(pattern)) = (number(&row, "API_ID"), text(&row, "HTTP_METHOD"), text(&row, "URL_PATTERN")) else {
            continue;
        };
        let verb = verb.to_ascii_uppercase();
        let path = if pattern.starts_with('/') { pattern.clone() } else { format!("/{pattern}") };
        let rule = found.entry(id).or_default().entry(format!("{verb} {path}")).or_default();
        rule.schemes.insert(scheme(text(&row, "AUTH_SCHEME").as_deref()));
        rule.tiers.insert(text(&row, "THROTTLING_TIER").unwrap_or_else(|| UNLIMITED.to_owned()));
        if let Some((context, version)) = addresses.get(&id) {
            // From 1.9 on the version stands twice; 1.8 wrote it once.
            let spellings = [format!("{context}/{version}{pattern}:{verb}"), format!("{context}{pattern}:{verb}")];
            rule.scopes.extend(spellings.iter().find_map(|s| scopes.get(s)).into_iter().flatten().cloned());
        }
    }
    Ok(found)
}

/// Where each API is called, and its version, by its number.
pub(crate) async fn addresses(input: &Input<'_>, site: &Site) -> Result<HashMap<i64, (String, String)>, SourceError> {
    let mut found = HashMap::new();
    let mut rows = site.databases.api.scan("AM_API");
    while let Some(row) = rows.next().await? {
        let (Some(id), Some(context), Some(version)) = (number(&row, "API_ID"), text(&row, "CONTEXT"), text(&row, "API_VERSION")) else {
            continue;
        };
        let whole = input.old.version.context_has_version() || context.ends_with(&format!("/{version}"));
        let context = if whole { context } else { format!("{context}/{version}") };
        found.insert(id, (context, version));
    }
    Ok(found)
}

/// Scope names by resource path.
async fn resource_scopes(site: &Site, tenants: &HashSet<i64>) -> Result<HashMap<String, BTreeSet<String>>, SourceError> {
    let identity = &site.databases.identity;
    let mut names: HashMap<i64, String> = HashMap::new();
    let mut rows = identity.scan("IDN_OAUTH2_SCOPE");
    while let Some(row) = rows.next().await? {
        let name = text(&row, "SCOPE_KEY").or_else(|| text(&row, "NAME"));
        let name = name.filter(|_| tenant(&row, "TENANT_ID", tenants).is_some());
        names.extend(number(&row, "SCOPE_ID").zip(name));
    }
    let mut found: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut rows = identity.scan("IDN_OAUTH2_RESOURCE_SCOPE");
    while let Some(row) = rows.next().await? {
        let name = number(&row, "SCOPE_ID").and_then(|id| names.get(&id));
        if let Some((path, name)) = row.text("RESOURCE_PATH").ok().flatten().zip(name) {
            found.entry(path).or_default().insert(name.clone());
        }
    }
    Ok(found)
}

async fn operations(
    done: &mut Verification,
    input: &Input<'_>,
    site: &Site,
    carried: &HashMap<i64, ApiId>,
    tenants: &HashSet<i64>,
    tx: &mut Tx,
) -> Result<(), PlanError> {
    let mut question = Question::new("who may call what, by URL mapping");
    for (number, ought) in rules(input, site, tenants).await? {
        // Rows of an API that is gone ask for nothing.
        let Some(id) = carried.get(&number) else { continue };
        let key = format!("AM_API {number}");
        let Some(api) = apis::find(tx, *id).await? else {
            question.ask(&key, "operations", &format!("{} operations", ought.len()), None);
            continue;
        };
        let is: BTreeMap<String, &Operation> = api.operations.iter().map(|o| (format!("{} {}", o.verb, o.target), o)).collect();
        for (name, rule) in &ought {
            let found = is.get(name).copied();
            question.ask(&key, name, &rule.words(found), found.map(words_of).as_deref());
        }
        for (name, operation) in is.iter().filter(|(name, _)| !ought.contains_key(*name)) {
            question.ask(&key, name, "not to be called", Some(&words_of(operation)));
        }
    }
    question.close(done);
    Ok(())
}

/// A limit in words that compare: an amount in so many milliseconds.
pub(super) fn limit_words(amount: i128, unit: &str, window_ms: i128) -> String {
    // The old product's word for no limit is the largest number of its columns.
    if unit == "requests" && amount >= i128::from(i32::MAX) { "no limit".to_owned() } else { format!("{amount} {unit} in {window_ms} ms") }
}

/// As [`limit_words`]. Windows of broken seconds are some whole times as long here, for as many times the amount: told as one of them.
pub(super) fn limit_words_of(limit: &Limit, old_window_ms: i64) -> String {
    let (amount, unit) = match limit.quota {
        _ if limit.is_unlimited() => return "no limit".to_owned(),
        Quota::Requests(n) => (i128::from(n), "requests"),
        Quota::Events(n) => (i128::from(n), "events"),
        Quota::Bandwidth { amount, unit } => (i128::from(amount), unit.name()),
    };
    let window = i128::from(limit.time_unit.millis()) * i128::from(limit.unit_time);
    let times = match i128::from(old_window_ms) {
        old if old > 0 && old % 1_000 != 0 && window % old == 0 && amount % (window / old) == 0 => window / old,
        _ => 1,
    };
    limit_words(amount / times, unit, window / times)
}

/// The length of a window as the policy tables write it.
pub(super) fn window_ms(time: i64, unit: &str) -> Option<i64> {
    let unit = match unit.to_ascii_lowercase() {
        u if u.starts_with("sec") => 1_000,
        u if u.starts_with("min") => 60_000,
        u if u.starts_with("hour") => 3_600_000,
        u if u.starts_with("day") => 86_400_000,
        u if u.starts_with("week") => 604_800_000,
        // How long these are is this program's to say.
        u if u.starts_with("month") => TimeUnit::Month.millis(),
        u if u.starts_with("year") => TimeUnit::Year.millis(),
        _ => return None,
    };
    time.checked_mul(unit).filter(|ms| *ms > 0)
}

#[derive(Debug, Clone, Copy)]
enum Family {
    Plan,
    Application,
    Resource,
}

impl Family {
    async fn limit(self, tx: &mut Tx, tenant: TenantId, name: &str) -> db::Result<Option<Limit>> {
        Ok(match self {
            Self::Plan => subscription::find_by_name(tx, tenant, name).await?.map(|p| p.limit),
            Self::Application => application::find_by_name(tx, tenant, name).await?.map(|p| p.limit),
            Self::Resource => advanced::find_by_name(tx, tenant, name).await?.map(|p| p.limit),
        })
    }
}

const LIMITS: &str = "limits by policy and tier";

async fn limits_of_tables(done: &mut Verification, site: &Site, tenants: &HashSet<i64>, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new(LIMITS);
    for (table, prefix, family) in [
        ("AM_POLICY_SUBSCRIPTION", "", Family::Plan),
        ("AM_POLICY_APPLICATION", "", Family::Application),
        ("AM_API_THROTTLE_POLICY", "DEFAULT_", Family::Resource),
    ] {
        let column = |name: &str| format!("{prefix}{name}");
        let mut rows = site.databases.api.scan(table);
        while let Some(row) = rows.next().await? {
            let (Some(tenant), Some(name)) = (tenant(&row, "TENANT_ID", tenants), row.text("NAME").ok().flatten()) else { continue };
            let (Some(kind), Some(amount)) = (text(&row, &column("QUOTA_TYPE")), number(&row, &column("QUOTA"))) else { continue };
            let time = number(&row, &column("UNIT_TIME")).zip(text(&row, &column("TIME_UNIT")));
            // A row that makes no sense limits nothing, and was told of.
            let window = time.and_then(|(time, unit)| window_ms(time, &unit));
            let unit = match kind.to_ascii_lowercase().as_str() {
                "requestcount" => Some("requests".to_owned()),
                "bandwidthvolume" => text(&row, &column("QUOTA_UNIT")),
                _ => None,
            };
            let (Some(window), Some(unit), 0..) = (window, unit, amount) else { continue };
            let is = family.limit(tx, tenant, &name).await?.map(|limit| limit_words_of(&limit, window));
            question.ask(&format!("{table} {tenant}/{name}"), "limit", &limit_words(amount.into(), &unit, window.into()), is.as_deref());
        }
    }
    question.close(done);
    Ok(())
}

/// A tier file's numbers, for every level it rules.
async fn limits_of_files(done: &mut Verification, input: &Input<'_>, tenants: &HashSet<i64>, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new(LIMITS);
    for number in tenants {
        let Ok(tenant) = i32::try_from(*number).map(TenantId) else { continue };
        for (level, family) in [
            (TierLevel::Subscription, Family::Plan),
            (TierLevel::Application, Family::Application),
            (TierLevel::Resource, Family::Resource),
        ] {
            // One file rules all levels before 1.10, and where a level has none of its own.
            let of = |level| input.old.tier_files.iter().find(|f| f.tenant_id == *number && f.level == level);
            let own = of(level).filter(|_| input.old.version >= Version::V1_10_0);
            let Some(Ok(tiers)) = own.or_else(|| of(TierLevel::Subscription)).map(|f| f.tiers.as_ref()) else { continue };
            let limits: BTreeMap<&str, (i64, i64)> = tiers
                .iter()
                .filter_map(|t| Some((t.name.as_str(), t.max_count.zip(t.unit_ms).filter(|(n, ms)| *n >= 0 && *ms > 0)?)))
                .collect();
            for (name, (count, unit_ms)) in limits {
                let is = family.limit(tx, tenant, name).await?.map(|limit| limit_words_of(&limit, unit_ms));
                let ought = limit_words(count.into(), "requests", unit_ms.into());
                question.ask(&format!("{level:?} tier {tenant}/{name}"), "limit", &ought, is.as_deref());
            }
        }
    }
    question.close(done);
    Ok(())
}

/// A subscription that holds: application, API, the row's number, and which of the few words says its state and tier.
type Holding = (i64, i64, i64, u32);

/// Subscriptions that hold, in order: there may be millions.
#[derive(Debug)]
pub(crate) struct Held {
    all: Vec<Holding>,
    words: Vec<(&'static str, String)>,
}

impl Held {
    /// State and tier.
    pub(crate) fn get(&self, application: i64, api: i64) -> Option<(&'static str, &str)> {
        let at = self.all.binary_search_by_key(&(application, api), |held| (held.0, held.1)).ok()?;
        let (.., at) = self.all.get(at)?;
        self.words.get(usize::try_from(*at).ok()?).map(|(state, tier)| (*state, tier.as_str()))
    }

    /// The APIs that an application subscribes to.
    pub(crate) fn apis_of(&self, application: i64) -> impl Iterator<Item = i64> {
        let from = self.all.partition_point(|held| held.0 < application);
        self.all.iter().skip(from).take_while(move |held| held.0 == application).map(|held| held.1)
    }
}

/// By application and API.
pub(crate) async fn held(site: &Site, carried: &HashMap<i64, ApiId>) -> Result<Held, SourceError> {
    let api = &site.databases.api;
    let subscribers = numbers(api, "AM_SUBSCRIBER", "SUBSCRIBER_ID").await?;
    let mut owned: HashSet<i64> = HashSet::new();
    let mut rows = api.scan("AM_APPLICATION");
    while let Some(row) = rows.next().await? {
        if number(&row, "SUBSCRIBER_ID").is_some_and(|id| subscribers.contains(&id)) {
            owned.extend(number(&row, "APPLICATION_ID"));
        }
    }
    // Millions of rows have few words between them.
    let mut words: Vec<(&'static str, String)> = Vec::new();
    let mut all: Vec<Holding> = Vec::new();
    let mut rows = api.scan("AM_SUBSCRIPTION");
    while let Some(row) = rows.next().await? {
        let place = number(&row, "APPLICATION_ID").zip(number(&row, "API_ID"));
        let (Some((application, api)), Some(id)) = (place, number(&row, "SUBSCRIPTION_ID")) else { continue };
        let ended = text(&row, "SUBS_CREATE_STATE").is_some_and(|s| s.eq_ignore_ascii_case("UN_SUBSCRIBE"));
        if ended || !owned.contains(&application) || !carried.contains_key(&api) {
            continue;
        }
        let state = match text(&row, "SUB_STATUS").map(|s| s.to_ascii_uppercase()).as_deref() {
            None | Some("UNBLOCKED") => "UNBLOCKED",
            Some("BLOCKED") => "BLOCKED",
            Some("PROD_ONLY_BLOCKED") => "PROD_ONLY_BLOCKED",
            Some("REJECTED") => "REJECTED",
            // A state nobody knows lets nobody in.
            Some(_) => "ON_HOLD",
        };
        let tier = text(&row, "TIER_ID").unwrap_or_else(|| UNLIMITED.to_owned());
        let at = words.iter().position(|(s, t)| *s == state && *t == tier).unwrap_or_else(|| {
            words.push((state, tier));
            words.len() - 1
        });
        all.push((application, api, id, u32::try_from(at).unwrap_or(u32::MAX)));
    }
    // The oldest row of an application and an API is the one that holds.
    all.sort_unstable();
    all.dedup_by_key(|held| (held.0, held.1));
    all.shrink_to_fit();
    Ok(Held { all, words })
}

async fn subscription_rows(done: &mut Verification, site: &Site, carried: &HashMap<i64, ApiId>, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("which subscriptions hold, by row");
    let Held { all, words } = held(site, carried).await?;
    let here: HashMap<i64, ApplicationId> = applications::ids_by_number(tx).await?.into_iter().collect();
    for some in all.chunks(1_000) {
        let places: Vec<Option<(ApplicationId, ApiId)>> =
            some.iter().map(|(application, api, ..)| here.get(application).copied().zip(carried.get(api).copied())).collect();
        let known: Vec<(ApplicationId, ApiId)> = places.iter().flatten().copied().collect();
        let mut found = subscriptions::find_many_for(tx, &known).await?.into_iter();
        for ((_, _, id, ought), place) in some.iter().zip(places) {
            let is = place.and_then(|_| found.next().flatten()).map(|s| format!("{}, {}", s.state.name(), s.plan));
            let ought = usize::try_from(*ought).ok().and_then(|at| words.get(at)).map_or(String::new(), |(s, t)| format!("{s}, {t}"));
            question.ask(&format!("AM_SUBSCRIPTION {id}"), "state and plan", &ought, is.as_deref());
        }
    }
    question.close(done);
    Ok(())
}
