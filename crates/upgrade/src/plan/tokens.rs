//! What writing would do about tokens, of which there may be millions: they come as a stream, batch by batch, for counting or for writing.

use std::collections::HashMap;

use db::origins::{self, Entry};
use db::{Db, Tx};
use model::OAuthClient;

use super::{Conflict, Decision, Plan, PlanError, Tally, by_standing, done_by};
use crate::digests::sha256;
use crate::files::FileRun;
use crate::fingerprint::{Letter, Streamed};
use crate::old::oauth::{Token, Tokens};
use crate::old::{owners::Owners, people::SUPER_TENANT_ID};
use crate::packed::Packed;
use crate::source::{Site, Whose, whose};
use crate::target::nouns::{Noun, refresh_holder, without_refresh};
use crate::translate::tokens::{Outcome, TokenDesk, UNCHANGED};
use crate::translate::{About, Carried, Finding, Input, Ledger, Severity, Translation};

/// How many tokens are looked at in one go.
pub(crate) const TOKEN_BATCH: usize = 5_000;
/// The content hash of a token that ended in the source after it was carried, and so was ended here.
pub(crate) const ENDED_HASH: &str = "ended";
/// The same of one that had ended here by then: it was used or taken back.
pub(crate) const ENDED_BEFORE_HASH: &str = "ended here before";

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
