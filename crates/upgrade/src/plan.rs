//! What writing would do: for each record whether it is new, changed since it was carried, the same, or in somebody's way.

mod tokens;

use std::collections::{HashMap, HashSet};

use db::origins::{self, Entry, Step};
use db::{Db, Tx};
use serde::Serialize;

use crate::digests::short;
use crate::files::{Closed, FileRun};
use crate::fingerprint::{Letter, Print, Sorted};
use crate::source::SourceError;
use crate::target::nouns::{Noun, Standing};
use crate::translate::{About, Carried, Finding, Records, Severity, Translation};

/// How many records of another kind.
const AT_ONCE: usize = 1_000;
/// Lines of the book in one page.
const PAGE: u32 = 10_000;

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
pub(crate) use tokens::{ENDED_BEFORE_HASH, ENDED_HASH, TOKEN_BATCH, TokenRun, TokenStep, has_no_tokens, with_free_refresh};
pub use tokens::{plan_tokens, plan_tokens_within};

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
