//! Keeps the target's journal while something is written: which run, following which plan, and each batch with what it wrote. A batch's line
//! commits with the batch, so the journal never says more or less than what is there.

use db::journal::{Batch, Run};
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
        Ok(Self { source, note, run, number })
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

    /// Notes a batch in the transaction that writes it. Its number is the next; the caller says [`Journal::committed`] afterwards.
    pub(crate) async fn note(&self, tx: &mut Tx, run: i64, batch: Batch) -> db::Result<()> {
        db::journal::note(tx, run, &Batch { number: self.number + 1, ..batch }).await
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
            Some(run) => db::journal::close(tx, run, outcome, now).await.map(drop),
            None => Ok(()),
        }
    }
}
