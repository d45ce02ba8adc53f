//! What writing would do: for each record whether it is new, changed since it was carried, the same, or in somebody's way.

use std::collections::HashMap;

use db::{Db, Tx, origins};
use model::OAuthClient;
use serde::Serialize;

use crate::old::oauth::{Token, Tokens};
use crate::source::SourceError;
use crate::target::nouns::{Noun, Standing, refresh_holder, without_refresh};
use crate::translate::tokens::{Outcome, TokenDesk};
use crate::translate::{About, Carried, Finding, Input, Ledger, Severity, Translation};

/// How many tokens are looked at in one go.
pub(crate) const TOKEN_BATCH: usize = 1_000;
/// The content hash of a token that ended in the source after it was carried.
pub(crate) const ENDED_HASH: &str = "ended";

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

impl Tally {
    fn count(&mut self, decision: &Decision) {
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
        $visit!($translation.roles $(, $more)*);
        $visit!($translation.rest_scopes $(, $more)*);
        $visit!($translation.users $(, $more)*);
        $visit!($translation.subscription_policies $(, $more)*);
        $visit!($translation.application_policies $(, $more)*);
        $visit!($translation.advanced_policies $(, $more)*);
        $visit!($translation.shared_scopes $(, $more)*);
        $visit!($translation.apis $(, $more)*);
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
    let mut plan = Plan::default();
    let mut tx = match target {
        Some(db) => Some(db.read().await?),
        None => None,
    };
    macro_rules! visit {
        ($items:expr) => {
            plan.add(tx.as_mut(), source, &$items).await?;
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

    async fn add<T: Noun>(&mut self, tx: Option<&mut Tx>, source: &str, items: &[Carried<T>]) -> db::Result<()> {
        let mut tally = Tally { kind: T::KIND, ..Tally::default() };
        let (decisions, gone) = decide(tx, source, items).await?;
        for (item, decision) in items.iter().zip(&decisions) {
            tally.count(decision);
            match decision {
                Decision::Conflict(words) => self.conflict(T::KIND, &item.key, words),
                Decision::Deleted => self.findings.push(deleted_here(T::KIND, &item.key)),
                _ => {}
            }
        }
        tally.gone = count(gone.len());
        self.findings.extend(gone.iter().map(|key| gone_there(T::KIND, key)));
        self.tallies.push(tally);
        Ok(())
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

/// What is to be done about each record, and the keys of carried ones that are gone from the source, sorted.
pub(crate) async fn decide<T: Noun>(tx: Option<&mut Tx>, source: &str, items: &[Carried<T>]) -> db::Result<(Vec<Decision>, Vec<String>)> {
    let Some(tx) = tx else { return Ok((vec![Decision::New; items.len()], Vec::new())) };
    let mut known: HashMap<String, String> =
        origins::list(tx, source, T::KIND).await?.into_iter().map(|(key, origin)| (key, origin.content_hash)).collect();
    let mut decisions = Vec::with_capacity(items.len());
    for item in items {
        decisions.push(match known.remove(&item.key) {
            Some(hash) if hash == item.value.content_hash() => Decision::Same,
            Some(_) if item.value.find(tx).await?.is_none() => Decision::Deleted,
            Some(_) => Decision::Changed,
            None => by_standing(item.value.standing(tx).await?),
        });
    }
    let mut gone: Vec<String> = known.into_keys().collect();
    gone.sort();
    Ok((decisions, gone))
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
    Add(Box<Carried<model::IssuedToken>>),
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
}

impl<'a> TokenRun<'a> {
    pub(crate) async fn open(
        input: &'a Input<'a>,
        clients: &'a [Carried<OAuthClient>],
        site: &crate::source::Site,
        first: bool,
    ) -> Result<Self, PlanError> {
        Ok(Self {
            tokens: Tokens::open(site).await?,
            desk: TokenDesk::new(input, clients),
            source: input.source,
            first,
            tally: Tally { kind: <model::IssuedToken as Noun>::KIND, ..Tally::default() },
            conflicts: Vec::new(),
            unreadable: 0,
            findings: Vec::new(),
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
        let mut steps = Vec::new();
        for old in &batch {
            let outcome = self.desk.translate(old);
            if let Some(ledger) = ledger.as_deref_mut() {
                note(ledger, old, &outcome);
            }
            steps.extend(self.step(tx.as_mut(), outcome).await?);
        }
        Ok(Some(steps))
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
                ledger.failed(&fault.table, "unreadable", 1);
            }
        }
        self.unreadable = all.len();
    }

    async fn step(&mut self, tx: Option<&mut Tx>, outcome: Outcome) -> db::Result<Option<TokenStep>> {
        let kind = <model::IssuedToken as Noun>::KIND;
        Ok(match (outcome, tx) {
            (Outcome::Carried(token), None) => {
                self.tally.count(&Decision::New);
                Some(TokenStep::Add(token))
            }
            (Outcome::Carried(token), Some(tx)) => {
                let decision = match origins::find(tx, self.source, kind, &token.key).await? {
                    Some(_) => Decision::Same,
                    None => by_standing(token.value.standing(tx).await?),
                };
                self.tally.count(&decision);
                match decision {
                    Decision::New => Some(TokenStep::Add(self.with_free_refresh(tx, token).await?)),
                    Decision::Conflict(words) => {
                        if self.conflicts.len() < 100 {
                            self.conflicts.push(Conflict { kind, key: token.key.chars().take(12).collect(), words });
                        }
                        None
                    }
                    _ => None,
                }
            }
            (Outcome::Skipped { key, reason }, Some(tx)) if reason == crate::translate::tokens::ENDED => {
                match origins::find(tx, self.source, kind, &key).await? {
                    Some(origin) if origin.content_hash != ENDED_HASH => {
                        self.tally.changed += 1;
                        Some(TokenStep::End { key, id: origin.new_id })
                    }
                    _ => None,
                }
            }
            _ => None,
        })
    }
}

impl TokenRun<'_> {
    /// The token as it can be added. Never a conflict: a token that cannot be renewed is better than none.
    async fn with_free_refresh(
        &mut self,
        tx: &mut Tx,
        token: Box<Carried<model::IssuedToken>>,
    ) -> db::Result<Box<Carried<model::IssuedToken>>> {
        let Some(holder) = refresh_holder(tx, &token.value).await? else { return Ok(token) };
        self.findings.push(Finding {
            severity: Severity::Warning,
            about: About::Token,
            consequence: "It is carried without its refresh token; when it expires, its holder must get a new one.",
            origin: token.key.chars().take(12).collect(),
            words: format!("a token of client {} that was carried before has the same refresh token", holder.client),
        });
        let Carried { key, value } = *token;
        Ok(Box::new(Carried { key, value: without_refresh(value) }))
    }
}

/// Whether the target can hold no token yet, ours or another's, so that none needs looking up: tokens belong to clients.
pub(crate) async fn has_no_tokens(db: &Db, source: &str) -> db::Result<bool> {
    let mut tx = db.read().await?;
    if origins::count(&mut tx, source, <model::IssuedToken as Noun>::KIND).await? > 0 {
        return Ok(false);
    }
    for tenant in db::tenants::list(&mut tx).await? {
        if !db::clients::list(&mut tx, tenant.id).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn note(ledger: &mut Ledger, old: &Token, outcome: &Outcome) {
    match outcome {
        Outcome::Carried(_) => ledger.imported(&old.table),
        Outcome::Skipped { reason, .. } => ledger.skipped(&old.table, reason, 1),
        Outcome::Failed { reason } => ledger.failed(&old.table, reason, 1),
    }
}

/// Counts tokens into the plan and the ledger, and findings into the translation.
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
    let Translation { clients, ledger, findings, .. } = translation;
    let first = match target {
        Some(db) => has_no_tokens(db, input.source).await?,
        None => true,
    };
    let mut run = TokenRun::open(input, clients, site, first).await?;
    while run.next(target, &mut Some(&mut *ledger)).await?.is_some() {}
    plan.tallies.push(run.tally.clone());
    plan.conflicts.append(&mut run.conflicts);
    findings.extend(run.into_findings());
    findings.sort();
    Ok(())
}
