//! Keeps the target's journal while something is written: which run, following which plan, and each batch with what it wrote. A batch's line
//! commits with the batch, so the journal never says more or less than what is there.

use std::time::Instant;

use db::journal::Batch;
pub use db::journal::{Run, Sum};
use db::{Db, Tx};
use model::Timestamp;

/// A run that came to its end.
pub const DONE: &str = "done";
/// A run that another plan was put in the place of.
pub const SUPERSEDED: &str = "superseded";
/// A run whose work was taken back.
pub const ROLLED_BACK: &str = "rolled back";

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Writes what a plan says.
    Apply,
    /// Brings what changed since.
    CatchUp,
    /// Takes back what was written.
    Rollback,
}

impl Command {
    /// As it is typed, and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::CatchUp => "catch-up",
            Self::Rollback => "rollback",
        }
    }
}

/// What to do about a run that was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Onward {
    /// Refuse to begin another.
    #[default]
    Refuse,
    /// Go on with it.
    Resume,
    /// Put this run in its place.
    Supersede,
}

/// What the journal is told of a run when it begins.
#[derive(Debug, Clone)]
pub struct Note {
    /// What it does.
    pub command: Command,
    /// Digest of the plan it follows.
    pub plan: Option<String>,
    /// How the source was read; JSON.
    pub options: String,
    /// Tokens alive at this moment are carried.
    pub as_of: Timestamp,
    /// What to do about an interrupted one.
    pub onward: Onward,
}

impl Note {
    /// An `apply` without a plan file.
    pub fn unplanned(as_of: Timestamp) -> Self {
        Self { command: Command::Apply, plan: None, options: "{}".to_owned(), as_of, onward: Onward::Refuse }
    }
}

/// The run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another was interrupted.
    #[error("run {} ({}) was interrupted, or is still at work", .0.id, .0.command)]
    Interrupted(Box<Run>),
    /// The interrupted one follows another plan.
    #[error("the run that was interrupted, {}, follows another plan", .0.id)]
    AnotherPlan(Box<Run>),
    /// The target failed.
    #[error("the journal cannot be read")]
    Db(#[from] db::Error),
}

/// The run of this source that was interrupted, which `note` may go on with.
///
/// # Errors
///
/// [`JournalError`], where it may not.
pub async fn interrupted(db: &Db, source: &str, note: &Note) -> Result<Option<Run>, JournalError> {
    let Some(run) = db::journal::unended(&mut db.read().await?, source).await? else { return Ok(None) };
    let same = run.command == note.command.name();
    match note.onward {
        // What a rollback has begun to take back must not be half there for ever.
        Onward::Supersede if run.command != Command::Rollback.name() => Ok(None),
        Onward::Resume if same && run.plan == note.plan => Ok(Some(run)),
        Onward::Resume if same => Err(JournalError::AnotherPlan(Box::new(run))),
        _ => Err(JournalError::Interrupted(Box::new(run))),
    }
}

/// The journal of one run. The run is opened with its first batch: one that writes nothing leaves no line.
pub(crate) struct Journal<'a> {
    source: &'a str,
    note: &'a Note,
    run: Option<i64>,
    number: i64,
    since: Instant,
}

impl<'a> Journal<'a> {
    /// Looks for the run to go on with.
    pub(crate) async fn open(db: &Db, source: &'a str, note: &'a Note) -> Result<Self, JournalError> {
        let run = interrupted(db, source, note).await?.map(|run| run.id);
        let number = match run {
            Some(run) => db::journal::last_number(&mut db.read().await?, run).await?,
            None => 0,
        };
        if let Some(run) = run {
            let mut tx = db.write().await?;
            db::journal::resume(&mut tx, run).await?;
            tx.commit().await?;
        }
        Ok(Self { source, note, run, number, since: Instant::now() })
    }

    /// The run that the transaction writes for, opened in it when there is none yet.
    pub(crate) async fn run(&self, tx: &mut Tx, now: Timestamp) -> db::Result<i64> {
        if let Some(run) = self.run {
            return Ok(run);
        }
        self.close_others(tx, now).await?;
        let run = Run {
            id: 0,
            source: self.source.to_owned(),
            command: self.note.command.name().to_owned(),
            plan: self.note.plan.clone(),
            options: self.note.options.clone(),
            as_of: self.note.as_of,
            started_at: now,
            ended_at: None,
            outcome: None,
            resumed: 0,
        };
        db::journal::open(tx, &run).await
    }

    /// The moment it is, for a run that began at `began`: lines of the journal tell how long each batch took.
    fn moment(&self, began: Timestamp) -> Timestamp {
        began.plus_ms(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// Notes a batch in the transaction that writes it. `at` is when the run began, or was gone on with. Its number is the next; the caller says [`Journal::committed`] afterwards.
    pub(crate) async fn note(&self, tx: &mut Tx, run: i64, batch: Batch) -> db::Result<()> {
        db::journal::note(tx, run, &Batch { number: self.number + 1, at: self.moment(batch.at), ..batch }).await
    }

    /// The transaction is through.
    pub(crate) fn committed(&mut self, run: i64) {
        self.run = Some(run);
        self.number += 1;
    }

    /// Whether anything is noted, now or before an interruption.
    pub(crate) fn has_begun(&self) -> bool {
        self.run.is_some()
    }

    /// Ends interrupted runs in whose place this one stands.
    pub(crate) async fn close_others(&self, tx: &mut Tx, now: Timestamp) -> db::Result<()> {
        let outcome = if self.note.command == Command::Rollback { ROLLED_BACK } else { SUPERSEDED };
        while let Some(run) = db::journal::unended(tx, self.source).await?.filter(|_| self.note.onward == Onward::Supersede) {
            db::journal::close(tx, run.id, outcome, now).await?;
        }
        Ok(())
    }

    /// Ends the run.
    pub(crate) async fn close(&self, tx: &mut Tx, outcome: &str, now: Timestamp) -> db::Result<()> {
        match self.run {
            Some(run) => db::journal::close(tx, run, outcome, self.moment(now)).await.map(drop),
            None => Ok(()),
        }
    }
}

/// The source's last run of a command that came to this end.
///
/// # Errors
///
/// When the target cannot be read.
pub async fn last_done(tx: &mut Tx, source: &str, command: Command, outcome: &str) -> db::Result<Option<Run>> {
    db::journal::last_done(tx, source, command.name(), outcome).await
}

/// The source's last run of a command that came to its end, unless its work was taken back since.
///
/// # Errors
///
/// When the target cannot be read.
pub async fn standing(tx: &mut Tx, source: &str, command: Command) -> db::Result<Option<Run>> {
    let back = last_done(tx, source, Command::Rollback, DONE).await?;
    let run = last_done(tx, source, command, DONE).await?;
    Ok(run.filter(|run| back.is_none_or(|back| back.id < run.id)))
}

/// Whether the source was carried by a version that kept no journal.
///
/// # Errors
///
/// When the target cannot be read.
pub async fn was_applied_before_there_was_a_journal(tx: &mut Tx, source: &str) -> db::Result<bool> {
    let noted = db::facts::get(tx, &format!("upgrade {source}")).await?.is_some();
    let journalled = [Command::Apply, Command::Rollback];
    for command in journalled {
        if last_done(tx, source, command, DONE).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(noted)
}

/// The latest runs, the newest first, each with what it wrote by kind.
///
/// # Errors
///
/// When the target cannot be read.
pub async fn runs(db: &Db, limit: u32) -> db::Result<Vec<(Run, Vec<Sum>)>> {
    let mut tx = db.read().await?;
    let mut told = Vec::new();
    for run in db::journal::list(&mut tx, limit).await? {
        let sums = db::journal::sums(&mut tx, run.id).await?;
        told.push((run, sums));
    }
    Ok(told)
}

/// The old installations of which anything is here.
///
/// # Errors
///
/// When the target cannot be read.
pub async fn sources(db: &Db) -> db::Result<Vec<String>> {
    db::origins::sources(&mut db.read().await?).await
}
