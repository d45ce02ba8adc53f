//! From old records to ours: pure, without clock, network or database.
//!
//! One file per noun takes its old rows and gives model values, findings, and an entry in the [`Ledger`] for each row. Nothing
//! here decides whether a record is new or changed; that is [`crate::plan`]'s. Tokens are translated one by one, because they
//! come as a stream.

mod apis;
mod applications;
mod clients;
mod contexts;
mod continuity;
mod custom_rules;
mod definitions;
mod denials;
mod documents;
mod endpoints;
mod feedback;
mod files;
mod finding;
mod keys;
mod ledger;
mod left_behind;
mod limits;
mod names;
mod nodes;
mod operations;
mod permissions;
mod policies;
mod roles;
mod scopes;
mod sequences;
mod settings;
mod signing;
mod stores;
mod subscriptions;
mod tables;
mod tenants;
pub mod tokens;
mod users;
mod workflows;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use chrono::{Datelike, NaiveDateTime};
use db::lifecycle_events::LifecycleEvent;
use db::signing_keys::StoredKey;
use model::{
    AdvancedPolicy, Api, ApiScope, Application, ApplicationPolicy, Comment, Continuity, CustomRule, Definition, DenyPolicy, Document,
    KeyMapping, OAuthClient, Rating, ScopeBinding, StoredSequence, SubscriptionPolicy, Tenant, TenantId, TenantSetting, Timestamp, User,
    UserStore, Workflow, decoded,
};

pub use endpoints::EndpointMap;
pub use files::WantedFile;
pub use finding::{About, Finding, Severity};
pub use ledger::{Account, INSTALLATION, Ledger};
pub use names::Names;
#[cfg(test)]
pub(crate) use policies::bare;
pub(crate) use sequences::{HANDLER_CANNOT_RUN, STEP_CANNOT_RUN, is_stock as is_stock_sequence};
pub use subscriptions::Subscriptions;
pub(crate) use tables::is_merged_whole;

use crate::environments::Destinations;
use crate::old::{Installation, owners::Owners, people::SUPER_TENANT_ID, stores::OldUserStore};
use crate::packed::{Packed, Squeezed};
use crate::source::{
    Site,
    clock::Clock,
    files::{Extras, Nodes, Settings, SynapseFile},
};

/// What is translated, and how.
#[derive(Debug)]
pub struct Input<'a> {
    /// The old records.
    pub old: &'a Installation,
    /// The old configuration, when there is a folder.
    pub settings: Option<&'a Settings>,
    /// What lies deployed on the old gateway, when there is a folder.
    pub synapse: &'a [SynapseFile],
    /// What the site added to its installation by hand, when there is a folder.
    pub extras: Option<&'a Extras>,
    /// Its gateway nodes, when several were named.
    pub nodes: Option<&'a Nodes>,
    /// Where APIs run; without, all in `Default`.
    pub destinations: Option<&'a Destinations>,
    /// Its user stores.
    pub stores: &'a [OldUserStore],
    /// Reads wall clocks.
    pub clock: Clock,
    /// Names the installation; part of derived ids.
    pub source: &'a str,
    /// Backends to call instead.
    pub endpoint_map: &'a EndpointMap,
    /// Tokens must be alive at this moment to be carried.
    pub as_of: Timestamp,
    /// Which database serves which tables.
    pub serving: Serving,
    /// Go on without clients and tokens that are encrypted and cannot be opened.
    pub leave_encrypted: bool,
}

/// The databases by duty, as they show themselves: a table may exist empty or stale in another.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// AM_*.
    pub api: String,
    /// IDN_*, SP_*, IDP*.
    pub identity: String,
    /// UM_*.
    pub users: String,
}

impl Serving {
    /// As a site serves.
    pub fn of(site: &Site) -> Self {
        let db = &site.databases;
        Self { api: db.api.to_string(), identity: db.identity.to_string(), users: db.users.to_string() }
    }

    fn serves(&self, source: &str, table: &str) -> bool {
        let duty = match table.split('_').next().unwrap_or_default() {
            "AM" => &self.api,
            "IDN" | "SP" | "IDP" => &self.identity,
            "UM" => &self.users,
            _ => return true,
        };
        duty.is_empty() || duty == source
    }
}

/// A record of ours with the key of the old one it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried<T> {
    /// Unique among its kind.
    pub key: String,
    /// The record.
    pub value: T,
}

/// Records of one kind, in memory or made when they are asked for.
pub trait Records {
    /// What they are.
    type Of: Clone;

    /// How many there are.
    fn count(&self) -> usize;

    /// One of them; none beyond the last.
    fn record(&self, at: usize) -> Option<Cow<'_, Carried<Self::Of>>>;

    /// Some of them, from `from` on.
    fn records(&self, from: usize, most: usize) -> Vec<Cow<'_, Carried<Self::Of>>> {
        (from..self.count().min(from.saturating_add(most))).filter_map(|at| self.record(at)).collect()
    }
}

impl<T: Clone> Records for Vec<Carried<T>> {
    type Of = T;

    fn count(&self) -> usize {
        self.len()
    }

    fn record(&self, at: usize) -> Option<Cow<'_, Carried<T>>> {
        self.get(at).map(Cow::Borrowed)
    }
}

/// A role of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Tenant.
    pub tenant: TenantId,
    /// Name as scopes and users name it.
    pub name: String,
}

/// Which roles hold which REST scope in a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestScopes {
    /// Tenant.
    pub tenant: TenantId,
    /// All bindings.
    pub bindings: Vec<ScopeBinding>,
}

/// A scope the tenant's APIs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedScope {
    /// Stable id.
    pub id: String,
    /// Tenant.
    pub tenant: TenantId,
    /// The scope.
    pub scope: ApiScope,
}

/// An API with what is stored beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct CarriedApi {
    /// The API.
    pub api: Api,
    /// Its definition.
    pub definition: Squeezed<Definition>,
    /// Its history.
    pub events: Vec<LifecycleEvent>,
    /// Whether it runs on the gateway, as revision 1.
    pub deployed: bool,
}

/// Everything but tokens.
#[derive(Debug, Default)]
pub struct Translation {
    /// Beside the super tenant, which every installation has.
    pub tenants: Vec<Carried<Tenant>>,
    /// What each tenant keeps of the old ways, the super tenant's first.
    pub continuity: Vec<Carried<Continuity>>,
    /// User stores that other servers keep.
    pub user_stores: Vec<Carried<UserStore>>,
    /// Roles.
    pub roles: Vec<Carried<Role>>,
    /// One per tenant, the super tenant's first.
    pub rest_scopes: Vec<Carried<RestScopes>>,
    /// Users.
    pub users: Vec<Carried<User>>,
    /// Business plans.
    pub subscription_policies: Vec<Carried<SubscriptionPolicy>>,
    /// Application policies.
    pub application_policies: Vec<Carried<ApplicationPolicy>>,
    /// Policies of APIs and operations.
    pub advanced_policies: Vec<Carried<AdvancedPolicy>>,
    /// Scopes of several APIs.
    pub shared_scopes: Vec<Carried<SharedScope>>,
    /// APIs.
    pub apis: Vec<Carried<CarriedApi>>,
    /// Documents of APIs, without their content.
    pub documents: Vec<Carried<Document>>,
    /// Comments on APIs.
    pub comments: Vec<Carried<Comment>>,
    /// Ratings of APIs.
    pub ratings: Vec<Carried<Rating>>,
    /// Contents of documents, thumbnails, WSDLs and originals, by where they are.
    pub files: Vec<WantedFile>,
    /// Mediation sequences.
    pub sequences: Vec<Carried<StoredSequence>>,
    /// OAuth clients.
    pub clients: Packed<Carried<OAuthClient>>,
    /// Applications.
    pub applications: Packed<Carried<Application>>,
    /// Keys.
    pub key_mappings: Packed<Carried<KeyMapping>>,
    /// Subscriptions.
    pub subscriptions: Subscriptions,
    /// What is refused outright.
    pub deny_policies: Vec<Carried<DenyPolicy>>,
    /// Rules of the site's own.
    pub custom_rules: Vec<Carried<CustomRule>>,
    /// Requests for approval, decided and open.
    pub workflows: Vec<Carried<Workflow>>,
    /// Keys that tokens are signed with.
    pub signing_keys: Vec<Carried<StoredKey>>,
    /// Settings of tenants.
    pub settings: Packed<Carried<TenantSetting>>,
    /// What an operator should know, worst first.
    pub findings: Vec<Finding>,
    /// The account of every table.
    pub ledger: Ledger,
    /// Things outside tables that are read but not carried yet, with how many there are.
    pub not_yet: Vec<(&'static str, u64)>,
}

impl Translation {
    /// Whether something must be settled before anything is written.
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Blocking)
    }

    /// Gives back the records that take most room, once they are written and told of. Clients stay: tokens are of them.
    pub fn let_go(&mut self) {
        self.apis = Vec::new();
        self.users = Vec::new();
        self.workflows = Vec::new();
        self.files = Vec::new();
        self.applications = Packed::default();
        self.key_mappings = Packed::default();
        self.subscriptions = Subscriptions::default();
        self.settings = Packed::default();
    }
}

/// Translates everything but tokens.
pub fn translate(input: &Input<'_>) -> Translation {
    let mut desk = Desk::new(input);
    installation(&mut desk);
    strangers(&mut desk);
    left_behind::tell(&mut desk);
    nodes::tell(&mut desk);
    let mut done = Translation { tenants: tenants::translate(&mut desk), ..Translation::default() };
    done.continuity = continuity::translate(&mut desk, &done.tenants);
    let stores = stores::translate(&mut desk);
    desk.elsewhere = stores::Elsewhere::of(&stores.list);
    let permissions = permissions::Effective::of(&mut desk);
    let mut roles = roles::translate(&mut desk, &permissions);
    desk.renamed = std::mem::take(&mut roles.renamed);
    done.users = users::translate(&mut desk, &mut roles);
    done.rest_scopes = permissions::rest_scopes(&mut desk, &permissions, &roles);
    done.roles = roles.list;
    let mut limits = policies::translate(&mut desk);
    let mut scopes = scopes::translate(&mut desk);
    let mut sequences = sequences::read(&mut desk);
    done.apis = apis::translate(&mut desk, &mut scopes, &mut limits, &mut sequences);
    done.sequences = sequences.finish(&mut desk);
    done.shared_scopes = scopes.shared(&mut desk);
    done.documents = documents::translate(&mut desk, &done.apis);
    done.comments = feedback::comments(&mut desk, &done.apis);
    done.ratings = feedback::ratings(&mut desk, &done.apis);
    let mended = std::mem::take(&mut desk.mended);
    done.files = files::translate(&mut desk, &done.apis, &done.documents, &mended);
    let clients = clients::translate(&mut desk, &done.users);
    let applications = applications::translate(&mut desk, &mut limits, &done.users);
    done.key_mappings = keys::translate(&mut desk, &applications, &clients);
    done.subscriptions = subscriptions::translate(&mut desk, &applications, &done.apis, &mut limits);
    done.custom_rules = custom_rules::translate(&mut desk);
    let subscriptions = workflows::asked_about(&desk, &done.subscriptions);
    let subjects = workflows::Subjects {
        applications: &applications,
        subscriptions: &subscriptions,
        keys: &done.key_mappings,
        apis: &done.apis,
        users: &done.users,
    };
    done.workflows = workflows::translate(&mut desk, &subjects);
    done.signing_keys = signing::translate(&mut desk);
    done.settings = settings::translate(&mut desk, &done.apis);
    done.deny_policies = denials::translate(&mut desk, &done.apis, &applications);
    done.applications = applications;
    done.clients = clients;
    (done.subscription_policies, done.application_policies, done.advanced_policies) = limits.finish();
    done.not_yet = outside_tables(input);
    done.not_yet.extend((stores.left_out > 0).then_some(("user stores", stores.left_out)));
    done.user_stores = stores.list;
    let (findings, ledger) = desk.close();
    done.findings = findings;
    done.ledger = ledger;
    done
}

/// What every noun's translation works with.
struct Desk<'a> {
    input: &'a Input<'a>,
    old: &'a Installation,
    names: Names,
    /// Whose the rows of tables are.
    owners: Owners,
    findings: Vec<Finding>,
    ledger: Ledger,
    /// Roles that have another name here, by tenant and old name in lower case.
    renamed: HashMap<(TenantId, String), String>,
    /// Definitions that are not carried as they were, by tenant and registry path.
    mended: BTreeSet<(i64, String)>,
    /// Stores that other servers keep.
    elsewhere: stores::Elsewhere,
}

impl<'a> Desk<'a> {
    fn new(input: &'a Input<'a>) -> Self {
        let names = Names::of(input.old, input.settings);
        let owners = Owners::of(input.old);
        let mut ledger = Ledger::new(names.domains());
        for count in input.old.counts.iter().filter(|count| input.serving.serves(&count.source, &count.table)) {
            match &count.by_tenant {
                Some(rows) => ledger.rows_by_tenant(&count.table, rows),
                None => ledger.rows(&count.table, count.rows),
            }
        }
        for fault in &input.old.unreadable {
            let table = fault.table.to_ascii_uppercase();
            if matches!(tables::fate(&table), tables::Fate::ByRow) {
                ledger.failed((table.as_str(), owners.of_unreadable(fault)), "unreadable", 1);
            }
        }
        Self {
            input,
            old: input.old,
            names,
            owners,
            findings: Vec::new(),
            ledger,
            renamed: HashMap::new(),
            mended: BTreeSet::new(),
            elsewhere: stores::Elsewhere::default(),
        }
    }

    fn find(&mut self, severity: Severity, about: About, consequence: &'static str, origin: impl Into<String>, words: impl Into<String>) {
        self.findings.push(Finding { severity, about, consequence, origin: origin.into(), words: words.into() });
    }

    fn warn(&mut self, about: About, consequence: &'static str, origin: impl Into<String>, words: impl Into<String>) {
        self.find(Severity::Warning, about, consequence, origin, words);
    }

    fn note(&mut self, about: About, consequence: &'static str, origin: impl Into<String>, words: impl Into<String>) {
        self.find(Severity::Note, about, consequence, origin, words);
    }

    fn block(&mut self, about: About, consequence: &'static str, origin: impl Into<String>, words: impl Into<String>) {
        self.find(Severity::Blocking, about, consequence, origin, words);
    }

    /// A column's wall clock as a point in time. Years no installation ran in are no dates.
    fn at(&self, table: &str, column: &str, civil: Option<NaiveDateTime>) -> Option<Timestamp> {
        at(self.input.clock, table, column, civil)
    }

    /// Settles what no noun took row by row, and gives up findings, worst first, and ledger.
    fn close(mut self) -> (Vec<Finding>, Ledger) {
        let tables: Vec<String> = self.ledger.accounts().map(|(table, _)| table.to_owned()).collect();
        for table in &tables {
            let parts: Vec<(Option<i64>, u64)> = self.ledger.parts(table).map(|(tenant, account)| (tenant, account.rows)).collect();
            for (tenant, rows) in parts {
                let of = (table.as_str(), tenant);
                match tables::fate(table) {
                    tables::Fate::ByRow => {}
                    tables::Fate::NotYet(what) => self.ledger.not_yet(of, what, rows),
                    tables::Fate::NotNeeded(why) => self.ledger.skipped(of, why, rows),
                    tables::Fate::Merged => self.ledger.merged(of, rows),
                }
            }
        }
        self.findings.sort();
        self.findings.dedup();
        (self.findings, self.ledger)
    }

    /// How much a cipher text nobody can open weighs.
    fn sealed(&self) -> Severity {
        if self.input.leave_encrypted { Severity::Warning } else { Severity::Blocking }
    }

    /// Names of roles in a list of scopes, plans or visibility, as the roles are called here.
    fn roles(&self, tenant: TenantId, names: Vec<String>) -> Vec<String> {
        let ours = |name: String| self.renamed.get(&(tenant, name.to_ascii_lowercase())).cloned().unwrap_or(name);
        names.into_iter().map(ours).collect()
    }
}

fn at(clock: Clock, table: &str, column: &str, civil: Option<NaiveDateTime>) -> Option<Timestamp> {
    civil.filter(|t| (1990..=2200).contains(&t.year())).map(|t| Timestamp(clock.epoch_ms(table, column, t)))
}

/// Non-empty text, trimmed.
fn said(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|t| !t.is_empty())
}

/// A comma list: trimmed, without empty words or repetitions.
fn list(text: Option<&str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|w| !w.is_empty() && seen.insert(w.to_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// What becomes of a cipher text nobody can open.
const SEALED: &str = "It cannot be read: supply the old keystore and its password (TIDEGATE_SOURCE_KEYSTORE_PASSWORD), or say --leave-encrypted to go on without such clients and tokens, whose holders then need new ones.";

/// What follows from a secret of which only a hash was kept.
const HASHED: &str = "The old installation kept a hash of it and not its text, and hashed secrets are not carried yet: say --leave-encrypted to go on without such clients and tokens, whose holders then need new ones.";

fn installation(desk: &mut Desk<'_>) {
    let encryption = &desk.old.encryption;
    if encryption.is_on() {
        let (origin, secrets) = ("api-manager.xml EncryptPersistedTokens", encryption.encrypted_secrets);
        match &encryption.fault {
            Some(fault) => {
                let words = format!("tokens and client secrets are encrypted ({secrets} secrets look so), and {fault}");
                desk.find(desk.sealed(), About::Installation, SEALED, origin, words);
            }
            None => {
                let words = format!("tokens and client secrets are encrypted ({secrets} secrets look so), and its key was found");
                desk.note(About::Installation, "What the old key opens is carried in clear, and sealed with the new key.", origin, words);
            }
        }
    }
    if desk.input.settings.is_none() {
        desk.note(
            About::Installation,
            "Settings that only the installation's files hold are taken at the old product's defaults: password digest, token lifetimes, CORS, names of administrator and primary store.",
            "--source",
            "no folder of the old installation was given",
        );
    }
    for fault in &desk.old.unreadable {
        desk.findings.push(Finding {
            severity: Severity::Warning,
            about: About::Installation,
            consequence: "The row is left out.",
            origin: format!("{} row {}", fault.table, fault.row),
            words: format!("column {} does not read", fault.column),
        });
    }
}

/// Tells of tables and columns nobody knows. What is empty is told too, but weighs less.
fn strangers(desk: &mut Desk<'_>) {
    for stranger in &desk.old.strangers {
        let severity = if stranger.rows > 0 { Severity::Warning } else { Severity::Note };
        let rows = stranger.rows;
        let (consequence, words) = match stranger.columns.as_slice() {
            [] => ("No version of the old product has such a table; it stays in the old installation.", format!("{rows} row(s)")),
            own => (
                "No version of the old product has such columns; what they hold stays in the old installation.",
                format!("{} in {rows} row(s)", own.join(", ")),
            ),
        };
        desk.find(severity, About::Installation, consequence, format!("{} of {}", stranger.table, stranger.source), words);
    }
}

fn outside_tables(input: &Input<'_>) -> Vec<(&'static str, u64)> {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let old = input.old;
    let files = &old.tenant_files;
    let all = [
        ("tenant key stores", count(files.iter().filter(|f| f.key_store.is_some()).count())),
        ("passwords in the registry's vault", files.iter().map(|f| count(f.vault.len())).sum()),
    ];
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}
