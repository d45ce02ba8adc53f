//! What writing would do: for each record whether it is new, changed since it was carried, the same, or in somebody's way.

use std::collections::{HashMap, HashSet};

use db::origins::{self, Entry, Step};
use db::{Db, Tx};
use model::OAuthClient;
use serde::Serialize;

use crate::files::{Closed, FileRun};
use crate::fingerprint::{Letter, Print, Sorted, Streamed};
use crate::old::oauth::{Token, Tokens};
use crate::old::{owners::Owners, people::SUPER_TENANT_ID};
use crate::packed::Packed;
use crate::source::{Site, SourceError, Whose, whose};
use crate::target::nouns::{Noun, Standing, refresh_holder, without_refresh};
use crate::translate::tokens::{Outcome, TokenDesk, UNCHANGED, sha256, short};
use crate::translate::{About, Carried, Finding, Input, Ledger, Records, Severity, Translation};

/// How many tokens are looked at in one go.
pub(crate) const TOKEN_BATCH: usize = 5_000;
/// How many records of another kind.
const AT_ONCE: usize = 1_000;
/// Lines of the book in one page.
const PAGE: u32 = 10_000;
/// The content hash of a token that ended in the source after it was carried, and so was ended here.
pub(crate) const ENDED_HASH: &str = "ended";
/// The same of one that had ended here by then: it was used or taken back.
pub(crate) const ENDED_BEFORE_HASH: &str = "ended here before";

/// What is to be done about one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Not there yet.
    New,
    /// A default is there.
    Replaces,
    /// Carried before, and changed in the source since.
    Changed,
    /// Carried before, changed in the source since, and deleted here meanwhile: it stays deleted.
    Deleted,
    /// Carried before, and the same.
    Same,
    /// Somebody else's record is in its place.
    Conflict(String),
}

/// Decisions of one kind, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Kind.
    pub kind: &'static str,
    /// Records translated.
    pub source: u64,
    /// To be added.
    pub new: u64,
    /// To take the place of a default.
    pub replaces: u64,
    /// To be written over their older selves.
    pub changed: u64,
    /// To be left alone.
    pub same: u64,
    /// In somebody's way.
    pub conflicts: u64,
    /// Carried before, and gone from the source since; they stay.
    pub gone: u64,
    /// Carried before, changed in the source since, and deleted here; they stay deleted.
    pub deleted: u64,
}

impl Decision {
    /// As a plan is to tell it: a default that is there only since the installation was made must make no other plan.
    pub(crate) fn letter(&self) -> Letter {
        match self {
            Self::New | Self::Replaces => Letter::Add,
            Self::Changed => Letter::Change,
            Self::Deleted => Letter::Deleted,
            Self::Same => Letter::Same,
            Self::Conflict(_) => Letter::InTheWay,
        }
    }
}

/// What a run that is gone on with did to a record, as its plan told it; `None` of a record that it has not written.
pub(crate) fn done_by(run: Option<i64>, entry: &Entry) -> Option<Letter> {
    (run.is_some() && entry.run == run).then_some(entry.step).flatten().map(|step| match step {
        Step::New | Step::Replaced => Letter::Add,
        Step::Changed => Letter::Change,
        Step::Ended => Letter::End,
    })
}

impl Tally {
    pub(crate) fn count(&mut self, decision: &Decision) {
        self.source += 1;
        match decision {
            Decision::New => self.new += 1,
            Decision::Replaces => self.replaces += 1,
            Decision::Changed => self.changed += 1,
            Decision::Deleted => self.deleted += 1,
            Decision::Same => self.same += 1,
            Decision::Conflict(_) => self.conflicts += 1,
        }
    }

    /// Whether nothing would be written.
    pub fn is_quiet(&self) -> bool {
        self.new + self.replaces + self.changed == 0
    }
}

/// A record that cannot be written because of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Kind.
    pub kind: &'static str,
    /// Key of the old record.
    pub key: String,
    /// Who is there.
    pub words: String,
}

/// A plan.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// By kind, in the order of writing.
    pub tallies: Vec<Tally>,
    /// Why nothing can be written.
    pub conflicts: Vec<Conflict>,
    /// What an operator must know about how both sides drifted apart since the last run.
    pub findings: Vec<Finding>,
    /// What it would do, by kind, so that another reading can be held against it.
    #[serde(skip)]
    pub prints: Vec<Print>,
    /// When the newest token was issued.
    #[serde(skip)]
    pub newest_token: Option<model::Timestamp>,
}

/// Planning failed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Reading the target.
    #[error("the new installation cannot be read")]
    Db(#[from] db::Error),
    /// Reading tokens.
    #[error("the old tokens cannot be read")]
    Source(#[from] SourceError),
}

/// Visits every kind but tokens in the order of writing: what a record refers to comes before it.
macro_rules! in_order {
    ($translation:expr, $visit:ident $(, $more:expr)*) => {
        $visit!($translation.tenants $(, $more)*);
        $visit!($translation.continuity $(, $more)*);
        $visit!($translation.user_stores $(, $more)*);
        $visit!($translation.roles $(, $more)*);
        $visit!($translation.rest_scopes $(, $more)*);
        $visit!($translation.users $(, $more)*);
        $visit!($translation.subscription_policies $(, $more)*);
        $visit!($translation.application_policies $(, $more)*);
        $visit!($translation.advanced_policies $(, $more)*);
        $visit!($translation.shared_scopes $(, $more)*);
        $visit!($translation.apis $(, $more)*);
        $visit!($translation.documents $(, $more)*);
        $visit!($translation.comments $(, $more)*);
        $visit!($translation.ratings $(, $more)*);
        $visit!($translation.sequences $(, $more)*);
        $visit!($translation.clients $(, $more)*);
        $visit!($translation.applications $(, $more)*);
        $visit!($translation.key_mappings $(, $more)*);
        $visit!($translation.subscriptions $(, $more)*);
        $visit!($translation.deny_policies $(, $more)*);
        $visit!($translation.custom_rules $(, $more)*);
        $visit!($translation.workflows $(, $more)*);
        $visit!($translation.settings $(, $more)*);
        $visit!($translation.signing_keys $(, $more)*);
    };
}
pub(crate) use in_order;

/// Plans everything but tokens. Without a target everything is new.
///
/// # Errors
///
/// [`PlanError::Db`].
pub async fn plan(translation: &Translation, source: &str, target: Option<&Db>) -> Result<Plan, PlanError> {
    plan_within(translation, source, target, None).await
}

/// As [`plan`], while a run was interrupted: what that run has written counts in [`Plan::prints`] as its plan told it.
///
/// # Errors
///
/// [`PlanError::Db`].
pub async fn plan_within(translation: &Translation, source: &str, target: Option<&Db>, run: Option<i64>) -> Result<Plan, PlanError> {
    let mut plan = Plan::default();
    let mut tx = match target {
        Some(db) => Some(db.read().await?),
        None => None,
    };
    macro_rules! visit {
        ($items:expr) => {
            plan.add(tx.as_mut(), source, run, &$items).await?;
        };
    }
    in_order!(translation, visit);
    Ok(plan)
}

impl Plan {
    /// Whether somebody is in the way.
    pub fn is_refused(&self) -> bool {
        self.tallies.iter().any(|t| t.conflicts > 0)
    }

    async fn add<R: Records>(&mut self, tx: Option<&mut Tx>, source: &str, run: Option<i64>, items: &R) -> db::Result<()>
    where
        R::Of: Noun,
    {
        let kind = R::Of::KIND;
        let mut tally = Tally { kind, ..Tally::default() };
        let mut print = Sorted::default();
        let gone = decide(tx, source, items, |_, item, decision, book| {
            tally.count(&decision);
            let hash = item.value.content_hash();
            let letter = book.filter(|_| decision == Decision::Same).and_then(|entry| done_by(run, entry));
            print.add(&item.key, &hash, letter.unwrap_or_else(|| decision.letter()));
            match decision {
                Decision::Conflict(words) => self.conflict(kind, &item.key, &words),
                Decision::Deleted => self.findings.push(deleted_here(kind, &item.key)),
                _ => {}
            }
        })
        .await?;
        gone.iter().for_each(|key| print.add(key, "", Letter::Gone));
        self.prints.push(print.finish(kind));
        tally.gone = count(gone.len());
        self.findings.extend(gone.iter().map(|key| gone_there(kind, key)));
        self.tallies.push(tally);
        Ok(())
    }

    /// Takes in what a run over the files found.
    fn files(&mut self, run: FileRun<'_>, findings: &mut Vec<Finding>) {
        let Closed { tally, mut conflicts, findings: found, gone, print } = run.close();
        self.prints.push(print);
        self.findings.extend(gone.iter().map(|key| gone_there(tally.kind, key)));
        self.tallies.push(tally);
        self.conflicts.append(&mut conflicts);
        findings.extend(found);
    }

    fn conflict(&mut self, kind: &'static str, key: &str, words: &str) {
        // The count tells how many; a hundred examples are enough to see why.
        if self.conflicts.len() < 100 {
            self.conflicts.push(Conflict { kind, key: key.to_owned(), words: words.to_owned() });
        }
    }
}

fn gone_there(kind: &str, key: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        about: About::Installation,
        consequence: "It was deleted in the old installation after it was carried, and stays here and in force; delete it here if it must go.",
        origin: format!("{kind} {key}"),
        words: "gone from the source".to_owned(),
    }
}

fn deleted_here(kind: &str, key: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        about: About::Installation,
        consequence: "It was deleted here after it was carried and has changed in the old installation since; it stays deleted.",
        origin: format!("{kind} {key}"),
        words: "deleted here".to_owned(),
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Tells `about` of each record, in order, what is to be done about it, with what the book says of it; then the keys of carried ones that are
/// gone from the source, sorted. Records and the book are looked at some at a time: there may be millions.
pub(crate) async fn decide<R: Records>(
    mut tx: Option<&mut Tx>,
    source: &str,
    items: &R,
    mut about: impl FnMut(usize, &Carried<R::Of>, Decision, Option<&Entry>),
) -> db::Result<Vec<String>>
where
    R::Of: Noun,
{
    let kind = R::Of::KIND;
    let (known, is_free) = match tx.as_deref_mut() {
        None => (0, true),
        Some(tx) => match origins::count(tx, source, kind).await? {
            0 => (0, R::Of::has_none(tx).await?),
            known => (known, false),
        },
    };
    let mut there = 0;
    for from in (0..items.count()).step_by(AT_ONCE) {
        let some = items.records(from, AT_ONCE);
        let keys: Vec<&str> = some.iter().map(|item| item.key.as_str()).collect();
        let book = match tx.as_deref_mut().filter(|_| known > 0) {
            Some(tx) => origins::find_many(tx, source, kind, &keys).await?,
            None => HashMap::new(),
        };
        there += count(book.len());
        for (at, item) in (from..).zip(&some) {
            let entry = book.get(&item.key);
            let decision = match (tx.as_deref_mut().filter(|_| !is_free), entry) {
                (None, _) => Decision::New,
                (_, Some(entry)) if entry.origin.content_hash == item.value.content_hash() => Decision::Same,
                (Some(tx), Some(_)) => match item.value.find(tx).await? {
                    None => Decision::Deleted,
                    Some(_) => Decision::Changed,
                },
                (Some(tx), None) => by_standing(item.value.standing(tx).await?),
            };
            about(at, item, decision, entry);
        }
    }
    match tx {
        Some(tx) if there < known => gone(tx, source, items).await,
        _ => Ok(Vec::new()),
    }
}

/// The keys in the book that no record has, sorted.
async fn gone<R: Records>(tx: &mut Tx, source: &str, items: &R) -> db::Result<Vec<String>>
where
    R::Of: Noun,
{
    let present: HashSet<u128> = (0..items.count()).filter_map(|at| items.record(at)).map(|item| short(&item.key)).collect();
    let mut gone = Vec::new();
    let mut after = String::new();
    loop {
        let page = origins::entries(tx, source, R::Of::KIND, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(gone) };
        after.clone_from(&last.old_key);
        gone.extend(page.into_iter().map(|entry| entry.old_key).filter(|key| !present.contains(&short(key))));
    }
}

fn by_standing(standing: Standing) -> Decision {
    match standing {
        Standing::Free => Decision::New,
        Standing::Default => Decision::Replaces,
        Standing::Taken(words) => Decision::Conflict(words),
    }
}

/// What is to be done about one token.
#[derive(Debug)]
pub(crate) enum TokenStep {
    /// Add it.
    Add {
        /// The token.
        token: Box<Carried<model::IssuedToken>>,
        /// Another row holds its refresh token.
        contested: bool,
    },
    /// It ended in the source since it was carried, so it ends here.
    End {
        /// Its key.
        key: String,
        /// Its id here.
        id: String,
    },
}

/// Goes through tokens, batch by batch, for counting or for writing.
pub(crate) struct TokenRun<'a> {
    tokens: Tokens,
    whose: WhoseTokens,
    desk: TokenDesk<'a>,
    source: &'a str,
    /// Nothing was carried before, so nothing needs looking up.
    first: bool,
    /// Counted so far.
    pub(crate) tally: Tally,
    /// Tokens in somebody's way, so far.
    pub(crate) conflicts: Vec<Conflict>,
    unreadable: usize,
    findings: Vec<Finding>,
    /// What it would do; kept where a ledger is.
    print: Streamed,
    /// When the newest one was issued, as far as was looked.
    newest: Option<model::Timestamp>,
    /// The run that was interrupted, where one is gone on with.
    run: Option<i64>,
}

impl<'a> TokenRun<'a> {
    pub(crate) async fn open(
        input: &'a Input<'a>,
        clients: &Packed<Carried<OAuthClient>>,
        site: &Site,
        first: bool,
    ) -> Result<Self, PlanError> {
        Ok(Self {
            tokens: Tokens::open(site).await?,
            whose: WhoseTokens::of(input, site),
            desk: TokenDesk::new(input, clients),
            source: input.source,
            first,
            tally: Tally { kind: <model::IssuedToken as Noun>::KIND, ..Tally::default() },
            conflicts: Vec::new(),
            unreadable: 0,
            findings: Vec::new(),
            print: Streamed::default(),
            newest: None,
            run: None,
        })
    }

    /// The next batch of steps; `None` after the last. `ledger` gets the rows, where one is kept.
    pub(crate) async fn next(
        &mut self,
        target: Option<&Db>,
        ledger: &mut Option<&mut Ledger>,
    ) -> Result<Option<Vec<TokenStep>>, PlanError> {
        let batch = self.tokens.next_batch(TOKEN_BATCH).await?;
        self.misread(ledger);
        if batch.is_empty() {
            return Ok(None);
        }
        let mut tx = match target.filter(|_| !self.first) {
            Some(db) => Some(db.read().await?),
            None => None,
        };
        let keys: Vec<String> = batch.iter().map(|old| sha256(old.access_token.expose())).collect();
        let book = match &mut tx {
            Some(tx) => origins::find_many(tx, self.source, KIND, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await?,
            None => HashMap::new(),
        };
        let mut steps = Vec::new();
        for (old, key) in batch.iter().zip(&keys) {
            let before = book.get(key);
            let outcome = self.desk.translate(old);
            if let Some(ledger) = ledger.as_deref_mut() {
                note(ledger, old, self.whose.tenant(old), &outcome);
                self.trace(old, key, before);
            }
            steps.extend(self.step(tx.as_mut(), before, outcome).await?);
        }
        Ok(Some(steps))
    }

    /// Takes a row into the fingerprint. Whether a token's time is over is left out, or every minute would make another plan.
    fn trace(&mut self, old: &Token, key: &str, before: Option<&Entry>) {
        let issued = old.created.map(|at| model::Timestamp(at.and_utc().timestamp_millis()));
        self.newest = self.newest.max(issued);
        let done = before.and_then(|entry| done_by(self.run, entry));
        let letter = match (old.is_active(), before) {
            (true, None) => Letter::Add,
            (true, Some(_)) => done.unwrap_or(Letter::Same),
            (false, Some(entry)) if !is_ended(entry) => Letter::End,
            // Ended by the run that is gone on with; before that run it was added by another.
            (false, Some(_)) if done == Some(Letter::End) => Letter::End,
            (false, _) => return,
        };
        self.print.add(old, key, letter);
    }

    /// Findings of the whole run.
    pub(crate) fn into_findings(mut self) -> Vec<Finding> {
        self.findings.extend(self.desk.into_findings());
        self.findings
    }

    fn misread(&mut self, ledger: &mut Option<&mut Ledger>) {
        let all = self.tokens.unreadable();
        if let Some(ledger) = ledger.as_deref_mut() {
            for fault in all.iter().skip(self.unreadable) {
                let of = (fault.table.as_str(), self.whose.owners.of_unreadable(fault));
                // A table of tokens' scopes was counted as theirs before anything of it was read.
                match crate::translate::is_merged_whole(of.0) {
                    true => ledger.failed_though_merged(of, "unreadable"),
                    false => ledger.failed(of, "unreadable", 1),
                }
            }
        }
        self.unreadable = all.len();
    }

    async fn step(&mut self, tx: Option<&mut Tx>, before: Option<&Entry>, outcome: Outcome) -> db::Result<Option<TokenStep>> {
        Ok(match (outcome, tx) {
            (Outcome::Carried(token), None) => {
                self.tally.count(&Decision::New);
                Some(TokenStep::Add { token, contested: false })
            }
            (Outcome::Carried(token), Some(tx)) => {
                let decision = match before {
                    Some(_) => Decision::Same,
                    None => by_standing(token.value.standing(tx).await?),
                };
                self.tally.count(&decision);
                match decision {
                    Decision::New => {
                        let contested = self.contested(tx, &token).await?;
                        Some(TokenStep::Add { token, contested })
                    }
                    Decision::Conflict(words) => {
                        if self.conflicts.len() < 100 {
                            self.conflicts.push(Conflict { kind: KIND, key: token.key.chars().take(12).collect(), words });
                        }
                        None
                    }
                    _ => None,
                }
            }
            (Outcome::Skipped { key, reason }, Some(_)) if reason == crate::translate::tokens::ENDED => {
                let entry = before.filter(|entry| !is_ended(entry));
                self.tally.changed += u64::from(entry.is_some());
                entry.map(|entry| TokenStep::End { key, id: entry.origin.new_id.clone() })
            }
            _ => None,
        })
    }
}

const KIND: &str = <model::IssuedToken as Noun>::KIND;

fn is_ended(entry: &Entry) -> bool {
    [ENDED_HASH, ENDED_BEFORE_HASH].contains(&entry.origin.content_hash.as_str())
}

impl TokenRun<'_> {
    /// Whether another row holds the token's refresh token. Never a conflict: a token that cannot be renewed is better than none.
    async fn contested(&mut self, tx: &mut Tx, token: &Carried<model::IssuedToken>) -> db::Result<bool> {
        let Some(holder) = refresh_holder(tx, &token.value).await? else { return Ok(false) };
        if yielding(tx, self.source, &token.value, &holder).await?.is_none() {
            self.findings.push(Finding {
                severity: Severity::Warning,
                about: About::Token,
                consequence: "It is carried without its refresh token; when it expires, its holder must get a new one.",
                origin: token.key.chars().take(12).collect(),
                words: format!(
                    "a token of client {} that is here has the same refresh token, which was used here or is its own",
                    holder.client
                ),
            });
        }
        Ok(true)
    }
}

/// The state in which the row that holds a refresh token gives it up to the newer row, as the old product understood it: a refresh token used
/// again there belongs to the row of its last use. Not where the holder was not carried, is the newer, or has ended here by use or by being
/// taken back: a spent refresh token must not come alive again.
async fn yielding(
    tx: &mut Tx,
    source: &str,
    token: &model::IssuedToken,
    holder: &model::IssuedToken,
) -> db::Result<Option<model::TokenState>> {
    let model::TokenText::Opaque(text) = &holder.access else { return Ok(None) };
    let Some(entry) = origins::find_many(tx, source, KIND, &[&sha256(text.expose())]).await?.into_values().next() else { return Ok(None) };
    let ended_by_us = entry.run.is_some() && entry.origin.content_hash == ENDED_HASH;
    let may = token.issued_at >= holder.issued_at
        && token.client == holder.client
        && (holder.state == model::TokenState::Active || holder.state == model::TokenState::Revoked && ended_by_us);
    Ok(may.then_some(holder.state))
}

/// The token as it is added, its refresh token taken off the row that held it, or left there.
pub(crate) async fn with_free_refresh(tx: &mut Tx, source: &str, token: model::IssuedToken) -> db::Result<model::IssuedToken> {
    let Some(holder) = refresh_holder(tx, &token).await? else { return Ok(token) };
    match yielding(tx, source, &token, &holder).await? {
        Some(state) if db::tokens::yield_refresh(tx, holder.id, state).await? => Ok(token),
        _ => Ok(without_refresh(token)),
    }
}

/// Whether the target can hold no token yet, ours or another's, so that none needs looking up: tokens belong to clients.
pub(crate) async fn has_no_tokens(db: &Db, source: &str) -> db::Result<bool> {
    let mut tx = db.read().await?;
    if origins::count(&mut tx, source, <model::IssuedToken as Noun>::KIND).await? > 0 {
        return Ok(false);
    }
    Ok(db::clients::is_empty(&mut tx).await? && db::tokens::is_empty(&mut tx).await?)
}

fn note(ledger: &mut Ledger, old: &Token, tenant: Option<i64>, outcome: &Outcome) {
    let row = (&*old.table, tenant);
    match outcome {
        Outcome::Carried(_) => ledger.imported(row),
        Outcome::Skipped { reason, .. } => ledger.skipped(row, reason, 1),
        Outcome::Failed { reason } => ledger.failed(row, reason, 1),
    }
}

/// Whose tokens are, which their tables say in two ways.
struct WhoseTokens {
    owners: Owners,
    by_table: HashMap<String, Option<Whose>>,
}

impl WhoseTokens {
    fn of(input: &Input<'_>, site: &Site) -> Self {
        let tables = site.databases.identity.tables();
        let by_table = tables.map(|table| (table.name.clone(), whose(table).map(|(_, whose)| whose))).collect();
        Self { owners: Owners::of(input.old), by_table }
    }

    fn tenant(&self, token: &Token) -> Option<i64> {
        match self.by_table.get(&*token.table).copied().flatten()? {
            Whose::User => Some(self.owners.user(token.user.as_deref())),
            _ => Some(token.tenant_id.unwrap_or(SUPER_TENANT_ID)),
        }
    }
}

/// Counts what comes as a stream, files and tokens, into the plan and the ledger, and findings into the translation.
///
/// # Errors
///
/// [`PlanError`].
pub async fn plan_tokens(
    plan: &mut Plan,
    translation: &mut Translation,
    input: &Input<'_>,
    site: &crate::source::Site,
    target: Option<&Db>,
) -> Result<(), PlanError> {
    plan_tokens_within(plan, translation, input, site, target, None).await
}

/// As [`plan_tokens`], while a run was interrupted; see [`plan_within`].
///
/// # Errors
///
/// [`PlanError`].
pub async fn plan_tokens_within(
    plan: &mut Plan,
    translation: &mut Translation,
    input: &Input<'_>,
    site: &crate::source::Site,
    target: Option<&Db>,
    run: Option<i64>,
) -> Result<(), PlanError> {
    let Translation { clients, files, ledger, findings, .. } = translation;
    let mut carrying = FileRun::open(&input.old.registry, files, input.source, target, run).await?;
    while carrying.next(target).await?.is_some() {}
    plan.files(carrying, findings);
    let first = match target {
        Some(db) => has_no_tokens(db, input.source).await?,
        None => true,
    };
    let mut tokens = TokenRun::open(input, clients, site, first).await?;
    tokens.run = run;
    while tokens.next(target, &mut Some(&mut *ledger)).await?.is_some() {}
    for table in tokens.tokens.seen_of_some().keys() {
        let table = table.to_ascii_uppercase();
        let rest: Vec<_> = ledger.parts(&table).map(|(tenant, part)| (tenant, u64::try_from(part.unaccounted()).unwrap_or(0))).collect();
        rest.into_iter().for_each(|(tenant, rows)| ledger.skipped((table.as_str(), tenant), UNCHANGED, rows));
    }
    plan.tallies.push(tokens.tally.clone());
    plan.conflicts.append(&mut tokens.conflicts);
    plan.newest_token = tokens.newest;
    plan.prints.push(std::mem::take(&mut tokens.print).finish(KIND));
    findings.extend(tokens.into_findings());
    findings.sort();
    Ok(())
}
