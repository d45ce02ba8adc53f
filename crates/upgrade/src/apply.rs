//! Writes a translation, in batches that can be repeated: each batch commits its records together with their entries in the book of
//! origins and its line in the journal, so a run that was cut short is simply gone on with, and a run after a whole one writes nothing.

use std::borrow::Cow;

use db::journal::Batch;
use db::origins::{Origin, Step, Written};
use db::{Db, Tx, bulk, facts, origins, tokens};
use model::{IssuedToken, OAuthClient, Subscription, Timestamp};

use crate::changes::{self, ChangesError};
use crate::files::{self, FileRun};
use crate::journal::{DONE, Journal, JournalError, Note, Onward};
use crate::packed::Packed;
use crate::plan::{
    Conflict, Decision, ENDED_BEFORE_HASH, ENDED_HASH, Plan, PlanError, Tally, TokenRun, TokenStep, decide, has_no_tokens, in_order,
    with_free_refresh,
};
use crate::source::Site;
use crate::target::{self, nouns::Around, nouns::Noun, nouns::Standing};
use crate::translate::{Carried, Input, Ledger, Records, Translation};

/// How often a batch is tried that others got in the way of.
const TRIES: u32 = 5;

/// How to write.
#[derive(Debug, Clone)]
pub struct Options {
    /// Records in one transaction.
    pub batch: usize,
    /// Stop after so many transactions, as if the machine had failed. For tests and rehearsals.
    pub stop_after: Option<u64>,
    /// The present moment.
    pub now: Timestamp,
    /// What the journal is told.
    pub note: Note,
    /// From so many subscriptions and tokens on, a target without any gets them with its indexes laid aside; see [`db::bulk`].
    pub bulk_from: u64,
}

impl Options {
    /// Everything, in batches of 500, without a plan file.
    pub fn all(now: Timestamp) -> Self {
        Self { batch: 500, stop_after: None, now, note: Note::unplanned(now), bulk_from: 100_000 }
    }
}

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// By kind, in the order of writing.
    pub tallies: Vec<Tally>,
    /// Transactions that wrote something.
    pub batches: u64,
}

impl Applied {
    /// Records written.
    pub fn written(&self) -> u64 {
        self.tallies.iter().map(|t| t.new + t.replaces + t.changed).sum()
    }
}

/// Writing stopped. What was committed before stays, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A finding forbids it.
    #[error("{0} finding(s) must be settled first; nothing was written")]
    Blocked(usize),
    /// Rows of the source are unaccounted for, so nobody knows what would be missing.
    #[error("{0} table(s) of the source do not add up (a fault of this program); nothing was written")]
    Unbalanced(usize),
    /// Somebody's records are in the way.
    #[error("{} record(s) of the new installation are in the way; nothing was written", .0.iter().map(|t| t.conflicts).sum::<u64>())]
    InTheWay(Vec<Tally>),
    /// Somebody's record came into the way while writing.
    #[error("{kind} {key}: {words}")]
    Conflict {
        /// Kind.
        kind: &'static str,
        /// Key.
        key: String,
        /// Who.
        words: String,
    },
    /// The target failed.
    #[error("writing {kind} failed")]
    Db {
        /// What was being written.
        kind: &'static str,
        /// Why.
        #[source]
        source: db::Error,
    },
    /// The run cannot begin.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another process writes for the same run.
    #[error("another process goes on with the same run at the same time; this one has stopped, and nothing is lost")]
    Rival,
    /// Reading failed.
    #[error("reading failed")]
    Plan(#[from] PlanError),
    /// Putting down what was carried.
    #[error("all is written, but what the source holds could not be put down; the next run reads all of it")]
    Changes(#[from] ChangesError),
    /// [`Options::stop_after`].
    #[error("stopped after {0} transactions, as asked")]
    Stopped(u64),
}

/// Tells how far a run is: kind, done, all when known.
pub type Progress<'p> = &'p (dyn Fn(&str, u64, Option<u64>) + Sync);

/// Writes everything. `plan` must be of this translation and this target.
///
/// # Errors
///
/// [`ApplyError`]; the first three before anything is written.
pub async fn apply(
    translation: &Translation,
    plan: &Plan,
    input: &Input<'_>,
    site: &Site,
    db: &Db,
    options: Options,
    progress: Progress<'_>,
) -> Result<Applied, ApplyError> {
    let mut writing = Writing::begin(translation, plan, input, site, db, &options, progress).await?;
    writing.records(translation).await?;
    writing.tokens(&translation.clients, &translation.ledger).await
}

/// Writing in two halves, for who wants the memory back that records take before millions of tokens come: [`Writing::records`], then
/// [`Writing::tokens`].
pub struct Writing<'a> {
    writer: Writer<'a>,
    input: &'a Input<'a>,
    site: &'a Site,
    /// Whether the target held no token of this source.
    first: bool,
    /// To be written, by the plan.
    tokens: u64,
    onward: Onward,
}

impl<'a> Writing<'a> {
    /// Looks whether anything may be written, and opens the journal.
    ///
    /// # Errors
    ///
    /// As [`apply`].
    pub async fn begin(
        translation: &Translation,
        plan: &Plan,
        input: &'a Input<'a>,
        site: &'a Site,
        db: &'a Db,
        options: &'a Options,
        progress: Progress<'a>,
    ) -> Result<Self, ApplyError> {
        let blocking = translation.findings.iter().filter(|f| f.severity == crate::translate::Severity::Blocking).count();
        if blocking > 0 {
            return Err(ApplyError::Blocked(blocking));
        }
        let unbalanced = translation.ledger.unbalanced().count();
        if unbalanced > 0 {
            return Err(ApplyError::Unbalanced(unbalanced));
        }
        if plan.is_refused() {
            return Err(ApplyError::InTheWay(plan.tallies.iter().filter(|t| t.conflicts > 0).cloned().collect()));
        }
        // What a run before has laid aside, had it been cut short within this process.
        bulk::put_back(db).await.map_err(failed("indexes"))?;
        let journal = Journal::open(db, input.source, &options.note).await?;
        let first = has_no_tokens(db, input.source).await.map_err(failed("tokens"))?;
        target::bootstrap(db, options.now).await.map_err(failed("defaults"))?;
        let around = target::around(db, &input.destinations.cloned().unwrap_or_default()).await.map_err(failed("gateway environments"))?;
        let (now, batch, stop_after) = (options.now, options.batch.max(1), options.stop_after);
        let of_tokens = || plan.tallies.iter().filter(|t| t.kind == TOKENS);
        let coming = of_tokens().map(|t| t.new).sum::<u64>() + count(translation.subscriptions.count());
        let is_bulk = first && coming >= options.bulk_from;
        let done = Applied::default();
        let writer = Writer { is_bulk, db, source: input.source, around, journal, now, batch, stop_after, done, progress };
        let tokens = of_tokens().map(|t| t.new + t.changed).sum();
        Ok(Self { writer, input, site, first, tokens, onward: options.note.onward })
    }

    /// Everything but tokens.
    ///
    /// # Errors
    ///
    /// As [`apply`].
    pub async fn records(&mut self, translation: &Translation) -> Result<(), ApplyError> {
        let (input, writer) = (self.input, &mut self.writer);
        macro_rules! visit {
            ($items:expr) => {
                // Subscriptions may lay indexes aside, so files, which are looked up in the book, come before them.
                if kind_of(&$items) == <Subscription as Noun>::KIND {
                    let run = FileRun::open(&input.old.registry, &translation.files, input.source, Some(writer.db), None).await?;
                    writer.files(run).await?;
                }
                writer.write(&$items).await?;
            };
        }
        in_order!(translation, visit);
        Ok(())
    }

    /// Tokens, of the clients that were carried, and the end of the run.
    ///
    /// # Errors
    ///
    /// As [`apply`].
    pub async fn tokens(mut self, clients: &Packed<Carried<OAuthClient>>, ledger: &Ledger) -> Result<Applied, ApplyError> {
        let run = TokenRun::open(self.input, clients, self.site, self.first).await?;
        self.writer.tokens(run, self.tokens).await?;
        self.writer.put_indexes_back().await?;
        changes::remember(self.site, self.writer.db, self.input.source, self.input.as_of, ledger).await?;
        self.writer.remember(self.onward).await?;
        Ok(self.writer.done)
    }
}

fn kind_of<R: Records>(_: &R) -> &'static str
where
    R::Of: Noun,
{
    R::Of::KIND
}

const TOKENS: &str = <IssuedToken as Noun>::KIND;

fn failed(kind: &'static str) -> impl Fn(db::Error) -> ApplyError {
    move |source| match source {
        // Batches are numbered, and runs, so two who write for one clash there before they can elsewhere.
        source if source.is_duplicate("upgrade_batch", "number") || source.is_duplicate("upgrade_run", "id") => ApplyError::Rival,
        source => ApplyError::Db { kind, source },
    }
}

fn contended(failed: &ApplyError) -> bool {
    matches!(failed, ApplyError::Db { source: db::Error::Contended(_), .. })
}

struct Writer<'a> {
    /// Subscriptions and tokens are written with indexes laid aside.
    is_bulk: bool,
    db: &'a Db,
    source: &'a str,
    around: Around,
    journal: Journal<'a>,
    now: Timestamp,
    batch: usize,
    stop_after: Option<u64>,
    done: Applied,
    progress: Progress<'a>,
}

impl Writer<'_> {
    async fn write<R: Records>(&mut self, items: &R) -> Result<(), ApplyError>
    where
        R::Of: Noun,
    {
        let kind = R::Of::KIND;
        let failed = failed(kind);
        let mut tally = Tally { kind, source: count(items.count()), ..Tally::default() };
        let mut todo = Vec::new();
        let mut conflict = None;
        let gone = {
            let mut tx = self.db.read().await.map_err(&failed)?;
            let about = |at, item: &Carried<R::Of>, decision, _: Option<&_>| match decision {
                Decision::Same => tally.same += 1,
                Decision::Deleted => tally.deleted += 1,
                Decision::Conflict(words) => conflict = Some(ApplyError::Conflict { kind, key: item.key.clone(), words }),
                other => todo.push((at, other)),
            };
            decide(Some(&mut tx), self.source, items, about).await.map_err(&failed)?
        };
        if let Some(conflict) = conflict {
            return Err(conflict);
        }
        tally.gone = count(gone.len());
        // Before anything else: what makes a default one is that nobody, and so none of ours, is there beside it.
        todo.sort_by_key(|(_, decision)| *decision != Decision::Replaces);
        let all = count(todo.len());
        let mut size = self.batch;
        // The last kind before tokens. All that had to be looked up for it has been; what is written from here on is new.
        if self.is_bulk && kind == <Subscription as Noun>::KIND {
            self.is_bulk =
                todo.iter().all(|(_, decision)| *decision == Decision::New) && bulk::lay_aside(self.db).await.map_err(&failed)?;
            size = self.size();
        }
        for (number, chunk) in (1..).zip(todo.chunks(size)) {
            self.allowed()?;
            let chunk: Vec<_> = chunk.iter().filter_map(|(at, decision)| Some((items.record(*at)?, decision.clone()))).collect();
            let mut tries = 1;
            let written = loop {
                match self.batch(&chunk).await {
                    Err(fault) if contended(&fault) && tries < TRIES => tries += 1,
                    done => break done?,
                }
            };
            tally.new += written.new;
            tally.replaces += written.replaces;
            tally.changed += written.changed;
            tally.deleted += written.deleted;
            (self.progress)(kind, (number * count(size)).min(all), Some(all));
        }
        self.done.tallies.push(tally);
        Ok(())
    }

    /// One transaction.
    async fn batch<T: Noun>(&mut self, chunk: &[(Cow<'_, Carried<T>>, Decision)]) -> Result<Tally, ApplyError> {
        let failed = failed(T::KIND);
        let mut tally = Tally::default();
        let mut tx = self.db.write().await.map_err(&failed)?;
        let run = self.journal.run(&mut tx, self.now).await.map_err(&failed)?;
        let mut news = Vec::new();
        let mut book: Vec<Written> = Vec::new();
        for (item, decision) in chunk {
            if *decision != Decision::New {
                item.value.lock(&mut tx).await.map_err(&failed)?;
            }
            let step = match decision {
                Decision::New => {
                    news.push(item.value.clone());
                    Some(Step::New)
                }
                Decision::Replaces => self.replace(&mut tx, item).await?,
                _ => item.value.update(&mut tx, &self.around).await.map_err(&failed)?.then_some(Step::Changed),
            };
            match step {
                // Deleted a moment ago, since it was decided on; the book must not say that it is here.
                None => tally.deleted += 1,
                Some(Step::Replaced) => tally.replaces += 1,
                Some(Step::Changed | Step::Ended) => tally.changed += 1,
                Some(Step::New) => tally.new += 1,
            }
            let origin = Origin { new_id: item.value.id(), content_hash: item.value.content_hash() };
            book.extend(step.map(|step| Written { old_key: item.key.clone(), origin, step, unused_hash: item.value.unused_hash() }));
        }
        T::insert(&mut tx, &news, &self.around).await.map_err(&failed)?;
        self.commit(tx, run, T::KIND, &book, &tally).await?;
        Ok(tally)
    }

    async fn replace<T: Noun>(&self, tx: &mut Tx, item: &Carried<T>) -> Result<Option<Step>, ApplyError> {
        let failed = failed(T::KIND);
        // Now that nobody changes it any more: it may be somebody's since it was decided on.
        if let Standing::Taken(words) = item.value.standing(tx).await.map_err(&failed)? {
            return Err(ApplyError::Conflict { kind: T::KIND, key: item.key.clone(), words });
        }
        if let Some(body) = item.value.set_aside(tx).await.map_err(&failed)? {
            db::journal::set_aside(tx, self.source, T::KIND, &item.key, &body).await.map_err(&failed)?;
        }
        Ok(item.value.replace(tx, &self.around).await.map_err(&failed)?.then_some(Step::Replaced))
    }

    async fn commit(&mut self, mut tx: Tx, run: i64, kind: &'static str, book: &[Written], tally: &Tally) -> Result<(), ApplyError> {
        let failed = failed(kind);
        let (Some(first), Some(last)) = (book.first(), book.last()) else { return Ok(()) };
        origins::write_many(&mut tx, self.source, kind, run, book).await.map_err(&failed)?;
        let ended = count(book.iter().filter(|w| w.step == Step::Ended).count());
        let batch = Batch {
            number: 0,
            kind: kind.to_owned(),
            added: tally.new,
            replaced: tally.replaces,
            changed: tally.changed.saturating_sub(ended),
            removed: ended,
            first_key: shown_key(kind, &first.old_key),
            last_key: shown_key(kind, &last.old_key),
            at: self.now,
        };
        self.journal.note(&mut tx, run, batch).await.map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
        self.journal.committed(run);
        self.done.batches += 1;
        Ok(())
    }

    async fn files(&mut self, mut run: FileRun<'_>) -> Result<(), ApplyError> {
        let failed = failed(files::KIND);
        let mut written = 0;
        while let Some(steps) = run.next(Some(self.db)).await? {
            if let Some(Conflict { kind, key, words }) = run.conflicts.pop() {
                return Err(ApplyError::Conflict { kind, key, words });
            }
            if steps.is_empty() {
                continue;
            }
            self.allowed()?;
            written += count(steps.len());
            let mut tx = self.db.write().await.map_err(&failed)?;
            let number = self.journal.run(&mut tx, self.now).await.map_err(&failed)?;
            let (book, tally) = run.write(&mut tx, steps).await.map_err(&failed)?;
            self.commit(tx, number, files::KIND, &book, &tally).await?;
            (self.progress)(files::KIND, written, None);
        }
        self.done.tallies.push(run.close().tally);
        Ok(())
    }

    async fn tokens(&mut self, mut run: TokenRun<'_>, all: u64) -> Result<(), ApplyError> {
        let mut written = 0;
        while let Some(steps) = run.next(Some(self.db), &mut None).await? {
            if let Some(Conflict { kind, key, words }) = run.conflicts.pop() {
                return Err(ApplyError::Conflict { kind, key, words });
            }
            if steps.is_empty() {
                continue;
            }
            for chunk in steps.chunks(self.size()) {
                self.allowed()?;
                let mut tries = 1;
                loop {
                    match self.token_batch(chunk).await {
                        Err(fault) if contended(&fault) && tries < TRIES => tries += 1,
                        done => break done?,
                    }
                }
                written += count(chunk.len());
                (self.progress)(TOKENS, written, Some(all.max(written)));
            }
        }
        self.done.tallies.push(run.tally.clone());
        Ok(())
    }

    async fn token_batch(&mut self, steps: &[TokenStep]) -> Result<(), ApplyError> {
        let failed = failed(TOKENS);
        let mut tx = self.db.write().await.map_err(&failed)?;
        let run = self.journal.run(&mut tx, self.now).await.map_err(&failed)?;
        let (book, tally) = self.token_steps(&mut tx, steps).await.map_err(&failed)?;
        self.commit(tx, run, TOKENS, &book, &tally).await
    }

    async fn token_steps(&self, tx: &mut Tx, steps: &[TokenStep]) -> db::Result<(Vec<Written>, Tally)> {
        let mut news = Vec::new();
        let mut book = Vec::new();
        // First those that are added: a refresh token moves from a row that is in force, which may be about to end.
        for step in steps {
            let TokenStep::Add { token, contested } = step else { continue };
            let value = token.value.clone();
            let value = if *contested { with_free_refresh(tx, self.source, value).await? } else { value };
            let origin = Origin { new_id: value.id(), content_hash: value.content_hash() };
            book.push(Written { old_key: token.key.clone(), origin, step: Step::New, unused_hash: None });
            news.push(value);
        }
        let mut ended = 0;
        for step in steps {
            let TokenStep::End { key, id } = step else { continue };
            let was_active = match id.parse() {
                Ok(id) => tokens::revoke(tx, id, self.now).await?,
                Err(_) => false,
            };
            let mark = if was_active { ENDED_HASH } else { ENDED_BEFORE_HASH };
            let origin = Origin { new_id: id.clone(), content_hash: mark.to_owned() };
            book.push(Written { old_key: key.clone(), origin, step: Step::Ended, unused_hash: None });
            ended += 1;
        }
        IssuedToken::insert(tx, &news, &self.around).await?;
        Ok((book, Tally { new: count(news.len()), changed: ended, ..Tally::default() }))
    }

    /// Builds the indexes again that were laid aside.
    async fn put_indexes_back(&self) -> Result<(), ApplyError> {
        if self.is_bulk {
            (self.progress)("indexes", 0, None);
            let built = bulk::put_back(self.db).await.map_err(failed("indexes"))?;
            (self.progress)("indexes", count(built), Some(count(built)));
        }
        Ok(())
    }

    /// Records in one transaction. Where rows only go to the end of their table, a larger one costs no more memory than it holds.
    fn size(&self) -> usize {
        if self.is_bulk { self.batch.saturating_mul(10) } else { self.batch }
    }

    /// Ends the run, unless it wrote nothing.
    async fn remember(&self, onward: Onward) -> Result<(), ApplyError> {
        let failed = failed("the note of this run");
        if !self.journal.has_begun() && onward != Onward::Supersede {
            return Ok(());
        }
        let mut tx = self.db.write().await.map_err(&failed)?;
        self.journal.close(&mut tx, DONE, self.now).await.map_err(&failed)?;
        self.journal.close_others(&mut tx, self.now).await.map_err(&failed)?;
        facts::put(&mut tx, &format!("upgrade {}", self.source), &self.now.0.to_string()).await.map_err(&failed)?;
        tx.commit().await.map_err(&failed)
    }

    fn allowed(&self) -> Result<(), ApplyError> {
        match self.stop_after {
            Some(most) if self.done.batches >= most => Err(ApplyError::Stopped(self.done.batches)),
            _ => Ok(()),
        }
    }
}

/// A token's key is a digest of its text, of which the beginning is enough to find it again.
pub(crate) fn shown_key(kind: &str, key: &str) -> String {
    match kind {
        TOKENS => key.chars().take(12).collect(),
        _ => key.to_owned(),
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
