//! Writes a translation, in batches that can be repeated: each batch commits its records together with their entries in the book of
//! origins, so a run that was cut short is simply run again, and a run after a whole one writes nothing.

use std::borrow::Cow;

use db::origins::Origin;
use db::{Db, Tx, bulk, facts, origins, tokens};
use model::{IssuedToken, Subscription, Timestamp, TokenState};

use crate::changes::{self, ChangesError};
use crate::plan::{Conflict, Decision, ENDED_HASH, Plan, PlanError, Tally, TokenRun, TokenStep, decide, has_no_tokens, in_order};
use crate::source::Site;
use crate::target::{self, nouns::Around, nouns::Noun};
use crate::translate::{Carried, Input, Records, Translation};

/// How to write.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Records in one transaction.
    pub batch: usize,
    /// Stop after so many transactions, as if the machine had failed. For tests and rehearsals.
    pub stop_after: Option<u64>,
    /// The present moment.
    pub now: Timestamp,
    /// From so many subscriptions and tokens on, a target without any gets them with its indexes laid aside; see [`db::bulk`].
    pub bulk_from: u64,
}

impl Options {
    /// Everything, in batches of 500.
    pub fn all(now: Timestamp) -> Self {
        Self { batch: 500, stop_after: None, now, bulk_from: 100_000 }
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
    let first = has_no_tokens(db, input.source).await.map_err(failed("tokens"))?;
    target::bootstrap(db, options.now).await.map_err(failed("defaults"))?;
    let vhost = target::vhost(&mut db.read().await.map_err(failed("defaults"))?).await.map_err(failed("defaults"))?;
    let tokens = plan.tallies.iter().filter(|t| t.kind == TOKENS).map(|t| t.new).sum::<u64>();
    let is_bulk = first && tokens + count(translation.subscriptions.count()) >= options.bulk_from;
    let mut writer = Writer { is_bulk, db, source: input.source, around: Around { vhost }, options, done: Applied::default(), progress };
    macro_rules! visit {
        ($items:expr) => {
            writer.write(&$items).await?;
        };
    }
    in_order!(translation, visit);
    let run = TokenRun::open(input, &translation.clients, site, first).await?;
    writer.tokens(run).await?;
    writer.put_indexes_back().await?;
    changes::remember(site, db, input.source, input.as_of, &translation.ledger).await?;
    writer.remember().await?;
    Ok(writer.done)
}

const TOKENS: &str = <IssuedToken as Noun>::KIND;

fn failed(kind: &'static str) -> impl Fn(db::Error) -> ApplyError {
    move |source| ApplyError::Db { kind, source }
}

struct Writer<'a> {
    /// Subscriptions and tokens are written with indexes laid aside.
    is_bulk: bool,
    db: &'a Db,
    source: &'a str,
    around: Around,
    options: Options,
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
        let (decisions, gone) = {
            let mut tx = self.db.read().await.map_err(&failed)?;
            decide(Some(&mut tx), self.source, items).await.map_err(&failed)?
        };
        let mut tally = Tally { kind, gone: count(gone.len()), source: count(items.count()), ..Tally::default() };
        let mut todo = Vec::new();
        for (at, decision) in decisions.into_iter().enumerate() {
            match decision {
                Decision::Same => tally.same += 1,
                Decision::Deleted => tally.deleted += 1,
                Decision::Conflict(words) => {
                    let key = items.record(at).map(|item| item.key.clone()).unwrap_or_default();
                    return Err(ApplyError::Conflict { kind, key, words });
                }
                other => todo.push((at, other)),
            }
        }
        // Before anything else: what makes a default one is that nobody, and so none of ours, is there beside it.
        todo.sort_by_key(|(_, decision)| *decision != Decision::Replaces);
        let all = count(todo.len());
        let mut size = self.options.batch.max(1);
        // The last kind before tokens. All that had to be looked up for it has been; what is written from here on is new.
        if self.is_bulk && kind == <Subscription as Noun>::KIND {
            self.is_bulk =
                todo.iter().all(|(_, decision)| *decision == Decision::New) && bulk::lay_aside(self.db).await.map_err(&failed)?;
            size = self.size();
        }
        for (batch, chunk) in (1..).zip(todo.chunks(size)) {
            self.allowed()?;
            let chunk: Vec<_> = chunk.iter().filter_map(|(at, decision)| Some((items.record(*at)?, decision.clone()))).collect();
            let mut tx = self.db.write().await.map_err(&failed)?;
            self.batch(&mut tx, &chunk, &mut tally).await.map_err(&failed)?;
            tx.commit().await.map_err(&failed)?;
            self.done.batches += 1;
            (self.progress)(kind, (batch * count(size)).min(all), Some(all));
        }
        self.done.tallies.push(tally);
        Ok(())
    }

    async fn batch<T: Noun>(&self, tx: &mut Tx, chunk: &[(Cow<'_, Carried<T>>, Decision)], tally: &mut Tally) -> db::Result<()> {
        let mut news = Vec::new();
        let mut book = Vec::new();
        for (item, decision) in chunk {
            match decision {
                Decision::New => {
                    tally.new += 1;
                    news.push(item.value.clone());
                }
                Decision::Replaces => {
                    if !item.value.replace(tx, &self.around).await? {
                        tally.deleted += 1;
                        continue;
                    }
                    tally.replaces += 1;
                }
                // Deleted a moment ago, since it was decided on; the book must not say that it is here.
                _ if !item.value.update(tx, &self.around).await? => {
                    tally.deleted += 1;
                    continue;
                }
                _ => tally.changed += 1,
            }
            book.push((item.key.clone(), Origin { new_id: item.value.id(), content_hash: item.value.content_hash() }));
        }
        T::insert(tx, &news, &self.around).await?;
        origins::put_many(tx, self.source, T::KIND, &book).await
    }

    async fn tokens(&mut self, mut run: TokenRun<'_>) -> Result<(), ApplyError> {
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
                let mut tx = self.db.write().await.map_err(failed(TOKENS))?;
                self.token_batch(&mut tx, chunk).await.map_err(failed(TOKENS))?;
                tx.commit().await.map_err(failed(TOKENS))?;
                self.done.batches += 1;
                written += count(chunk.len());
                (self.progress)(TOKENS, written, None);
            }
        }
        self.done.tallies.push(run.tally.clone());
        Ok(())
    }

    async fn token_batch(&self, tx: &mut Tx, steps: &[TokenStep]) -> db::Result<()> {
        let mut news = Vec::new();
        let mut book = Vec::new();
        for step in steps {
            match step {
                TokenStep::Add(token) => {
                    book.push((token.key.clone(), Origin { new_id: token.value.id(), content_hash: token.value.content_hash() }));
                    news.push(token.value.clone());
                }
                TokenStep::End { key, id } => {
                    if let Ok(id) = id.parse() {
                        tokens::set_state(tx, id, TokenState::Revoked, self.options.now).await?;
                    }
                    book.push((key.clone(), Origin { new_id: id.clone(), content_hash: ENDED_HASH.to_owned() }));
                }
            }
        }
        IssuedToken::insert(tx, &news, &self.around).await?;
        origins::put_many(tx, self.source, <IssuedToken as Noun>::KIND, &book).await
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
        let batch = self.options.batch.max(1);
        if self.is_bulk { batch.saturating_mul(10) } else { batch }
    }

    /// Notes the run, unless it wrote nothing.
    async fn remember(&self) -> Result<(), ApplyError> {
        if self.done.batches == 0 {
            return Ok(());
        }
        let failed = failed("the note of this run");
        let mut tx = self.db.write().await.map_err(&failed)?;
        facts::put(&mut tx, &format!("upgrade {}", self.source), &self.options.now.0.to_string()).await.map_err(&failed)?;
        tx.commit().await.map_err(&failed)
    }

    fn allowed(&self) -> Result<(), ApplyError> {
        match self.options.stop_after {
            Some(most) if self.done.batches >= most => Err(ApplyError::Stopped(self.done.batches)),
            _ => Ok(()),
        }
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
