//! Takes back what an upgrade wrote, and leaves the work that came later.
//!
//! Kinds go in the reverse order of writing, so that by the time a record's turn comes, whatever was carried with it and refers to it is gone
//! already, and what still refers to it is somebody's later work. Such a record stays, and so does one that was changed here; each is told.
//! Each batch strikes its lines in the book together with the records, so that a rollback that was cut short is simply typed again. The book
//! keeps the lines of what stays: a later upgrade knows them, and a later rollback can take them.

use std::collections::HashMap;

use db::journal::Batch;
use db::origins::{self, Entry};
use db::{Db, Tx};
use model::{IssuedToken, TenantId, Timestamp, TokenId};
use serde::Serialize;

use crate::files;
use crate::journal::{Command, DONE, Journal, JournalError, Note, Onward, interrupted};
use crate::plan::in_order;
use crate::target::nouns::{Noun, Standing, handle};
use crate::translate::{CarriedApi, Records, Translation};

/// Records told one by one; beyond them only counts are kept.
const TOLD: usize = 500;
/// How often a batch is tried that others got in the way of.
const TRIES: u32 = 5;

/// How to take back.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only tell.
    pub dry: bool,
    /// Take what was changed here since, too.
    pub also_changed: bool,
    /// Records in one transaction.
    pub batch: usize,
    /// The present moment.
    pub now: Timestamp,
}

/// What became of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KindBack {
    /// Kind.
    pub kind: &'static str,
    /// Removed.
    pub removed: u64,
    /// Made the default again that stood in their place.
    pub put_back: u64,
    /// No longer here anyway.
    pub missing: u64,
    /// Left here.
    pub kept: u64,
    /// Of others, and left alone.
    pub others: u64,
}

/// A record that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Kind.
    pub kind: &'static str,
    /// Which, for people.
    pub name: String,
    /// Why.
    pub words: String,
}

/// What a rollback did, or would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TakenBack {
    /// By kind, in the order of taking back.
    pub kinds: Vec<KindBack>,
    /// Carried records that stay, the first of them.
    pub kept: Vec<Left>,
    /// Records made here since, or before, by others, the first of them.
    pub others: Vec<Left>,
    /// Transactions.
    pub batches: u64,
    /// No user is left, so that the next start makes an administrator as a first start does.
    pub nobody_left: bool,
}

/// A rollback stopped. What was taken back stays so, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// The target failed.
    #[error("taking back {kind} failed")]
    Db {
        /// What was being taken back.
        kind: &'static str,
        /// Why.
        #[source]
        source: db::Error,
    },
    /// The run cannot begin.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Takes back what was carried from `source`.
///
/// # Errors
///
/// [`RollbackError`].
pub async fn rollback(db: &Db, source: &str, options: &Options, progress: crate::apply::Progress<'_>) -> Result<TakenBack, RollbackError> {
    let onward = match db::journal::unended(&mut db.read().await.map_err(failed("the journal"))?, source).await {
        Ok(Some(run)) if run.command == Command::Rollback.name() => Onward::Resume,
        Ok(_) => Onward::Supersede,
        Err(fault) => return Err(failed("the journal")(fault)),
    };
    let note = Note { command: Command::Rollback, plan: None, options: "{}".to_owned(), as_of: options.now, onward };
    let journal = match options.dry {
        true => None,
        false => Some(Journal::open(db, source, &note).await?),
    };
    if options.dry {
        interrupted(db, source, &note).await?;
    }
    let mut desk = Desk { db, source, options, journal, needed: HashMap::new(), done: TakenBack::default(), progress };
    desk.tokens().await?;
    desk.files().await?;
    let kinds = Translation::default();
    // The macro goes one way only, so each kind's turn is found by counting.
    let mut count = 0;
    macro_rules! number {
        ($items:expr) => {
            let _ = &$items;
            count += 1;
        };
    }
    in_order!(kinds, number);
    for turn in (0..count).rev() {
        let mut at = 0;
        macro_rules! visit {
            ($items:expr) => {
                if at == turn {
                    desk.kind(&$items).await?;
                }
                at += 1;
            };
        }
        in_order!(kinds, visit);
        debug_assert_eq!(at, count, "every kind was counted");
    }
    desk.end().await?;
    Ok(desk.done)
}

fn failed(kind: &'static str) -> impl Fn(db::Error) -> RollbackError {
    move |source| RollbackError::Db { kind, source }
}

struct Desk<'a> {
    db: &'a Db,
    source: &'a str,
    options: &'a Options,
    /// None when it only tells.
    journal: Option<Journal<'a>>,
    /// Handles of what later work needs, and who needs it.
    needed: HashMap<String, String>,
    done: TakenBack,
    progress: crate::apply::Progress<'a>,
}

/// What one transaction did; it counts when that is through.
#[derive(Default)]
struct Done {
    back: KindBack,
    kept: Vec<(Left, Vec<String>)>,
    struck: Vec<String>,
}

impl Desk<'_> {
    async fn kind<R: Records>(&mut self, _of: &R) -> Result<(), RollbackError>
    where
        R::Of: Noun,
    {
        self.kind_of::<R::Of>().await
    }

    async fn kind_of<T: Noun>(&mut self) -> Result<(), RollbackError> {
        let mut back = KindBack { kind: T::KIND, others: self.others::<T>().await.map_err(failed(T::KIND))?, ..KindBack::default() };
        let (mut after, all) = (String::new(), self.count(T::KIND).await.map_err(failed(T::KIND))?);
        let mut seen = 0;
        loop {
            let entries = self.page(T::KIND, &after).await.map_err(failed(T::KIND))?;
            let Some(last) = entries.last() else { break };
            after.clone_from(&last.old_key);
            seen += count(entries.len());
            for done in self.batch::<T>(&entries).await? {
                self.count_in(&mut back, done);
            }
            (self.progress)(T::KIND, seen, Some(all));
        }
        self.done.kinds.push(back);
        Ok(())
    }

    /// Records that no upgrade from this source wrote keep what they need.
    async fn others<T: Noun>(&mut self) -> db::Result<u64> {
        let Some(shelf) = T::SHELF else { return Ok(0) };
        let mut tx = self.db.read().await?;
        let mut found = 0;
        for id in origins::strangers(&mut tx, self.source, T::KIND, shelf).await? {
            let Some(record) = T::at(&mut tx, &id).await? else { continue };
            // What an installation starts with is nobody's work.
            if record.standing(&mut tx).await? == Standing::Default {
                continue;
            }
            found += 1;
            let left = Left { kind: T::KIND, name: record.label(), words: "not of this upgrade".to_owned() };
            self.need(&left, record.needs());
            if self.done.others.len() < TOLD {
                self.done.others.push(left);
            }
        }
        Ok(found)
    }

    fn need(&mut self, who: &Left, needs: Vec<String>) {
        for handle in needs {
            self.needed.entry(handle).or_insert_with(|| format!("{} {}", who.kind, who.name));
        }
    }

    async fn count(&self, kind: &str) -> db::Result<u64> {
        origins::count(&mut self.db.read().await?, self.source, kind).await
    }

    async fn page(&self, kind: &str, after: &str) -> db::Result<Vec<Entry>> {
        let limit = u32::try_from(self.options.batch.max(1)).unwrap_or(u32::MAX);
        origins::entries(&mut self.db.read().await?, self.source, kind, after, limit).await
    }

    fn count_in(&mut self, back: &mut KindBack, done: Done) {
        back.removed += done.back.removed;
        back.put_back += done.back.put_back;
        back.missing += done.back.missing;
        back.kept += count(done.kept.len());
        for (left, needs) in done.kept {
            self.need(&left, needs);
            if self.done.kept.len() < TOLD {
                self.done.kept.push(left);
            }
        }
    }

    /// One transaction; several of one record each, where others refer to one of them in a way that only the database knows.
    async fn batch<T: Noun>(&mut self, entries: &[Entry]) -> Result<Vec<Done>, RollbackError> {
        match self.attempts::<T>(entries, false).await {
            Err(RollbackError::Db { source: db::Error::Reference(_), .. }) => {}
            done => return Ok(vec![done?]),
        }
        let mut all = Vec::new();
        for entry in entries {
            let one = std::slice::from_ref(entry);
            all.push(match self.attempts::<T>(one, false).await {
                Err(RollbackError::Db { source: db::Error::Reference(_), .. }) => self.attempts::<T>(one, true).await?,
                done => done?,
            });
        }
        Ok(all)
    }

    async fn attempts<T: Noun>(&mut self, entries: &[Entry], keep: bool) -> Result<Done, RollbackError> {
        let mut tries = 1;
        loop {
            match self.attempt::<T>(entries, keep).await {
                Err(db::Error::Contended(_)) if tries < TRIES => tries += 1,
                done => return done.map_err(failed(T::KIND)),
            }
        }
    }

    async fn attempt<T: Noun>(&mut self, entries: &[Entry], keep: bool) -> db::Result<Done> {
        let mut tx = if self.options.dry { self.db.read().await? } else { self.db.write().await? };
        let mut done = Done::default();
        for entry in entries {
            let Some(mut record) = T::at(&mut tx, &entry.origin.new_id).await? else {
                done.back.missing += 1;
                done.struck.push(entry.old_key.clone());
                continue;
            };
            if !self.options.dry {
                record.lock(&mut tx).await?;
                // As it is now that nobody changes it.
                let Some(locked) = T::at(&mut tx, &entry.origin.new_id).await? else { continue };
                record = locked;
            }
            let why = if keep {
                Some("other records of this installation refer to it".to_owned())
            } else {
                self.stays(&mut tx, &record, entry).await?
            };
            if let Some(words) = why {
                done.kept.push((Left { kind: T::KIND, name: record.label(), words }, record.needs()));
                continue;
            }
            match entry.replaced {
                true => done.back.put_back += 1,
                false => done.back.removed += 1,
            }
            done.struck.push(entry.old_key.clone());
            if !self.options.dry {
                self.take(&mut tx, &record, entry).await?;
            }
        }
        self.commit(tx, T::KIND, &done).await?;
        Ok(done)
    }

    /// Why a record stays; `None` when it goes.
    async fn stays<T: Noun>(&self, tx: &mut Tx, record: &T, entry: &Entry) -> db::Result<Option<String>> {
        if let Some(who) = record.handles().iter().find_map(|handle| self.needed.get(handle)) {
            return Ok(Some(format!("{who} needs it")));
        }
        if self.options.also_changed {
            return Ok(None);
        }
        if is_changed(record, entry) {
            return Ok(Some("changed here since it was carried".to_owned()));
        }
        record.additions(tx).await
    }

    async fn take<T: Noun>(&self, tx: &mut Tx, record: &T, entry: &Entry) -> db::Result<()> {
        if !entry.replaced {
            return record.remove(tx, self.options.now).await.map(drop);
        }
        let aside = db::journal::take_out(tx, self.source, T::KIND, &entry.old_key).await?;
        record.put_back(tx, aside, self.options.now).await
    }

    async fn commit(&mut self, mut tx: Tx, kind: &'static str, done: &Done) -> db::Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let (Some(first), Some(last)) = (done.struck.first(), done.struck.last()) else { return Ok(()) };
        let keys: Vec<&str> = done.struck.iter().map(String::as_str).collect();
        origins::forget_many(&mut tx, self.source, kind, &keys).await?;
        let run = journal.run(&mut tx, self.options.now).await?;
        let batch = Batch {
            number: 0,
            kind: kind.to_owned(),
            added: 0,
            replaced: done.back.put_back,
            changed: 0,
            removed: done.back.removed,
            first_key: crate::apply::shown_key(kind, first),
            last_key: crate::apply::shown_key(kind, last),
            at: self.options.now,
        };
        journal.note(&mut tx, run, batch).await?;
        tx.commit().await?;
        journal.committed(run);
        self.done.batches += 1;
        Ok(())
    }

    /// Tokens go by their ids alone: nobody edits a token, and one that was used or taken back here is still the upgrade's.
    async fn tokens(&mut self) -> Result<(), RollbackError> {
        const KIND: &str = <IssuedToken as Noun>::KIND;
        let failed = failed(KIND);
        let mut back = KindBack { kind: KIND, ..KindBack::default() };
        let (mut after, all) = (String::new(), self.count(KIND).await.map_err(&failed)?);
        let mut seen = 0;
        loop {
            let entries = self.page(KIND, &after).await.map_err(&failed)?;
            let Some(last) = entries.last() else { break };
            after.clone_from(&last.old_key);
            seen += count(entries.len());
            let mut tries = 1;
            let done = loop {
                match self.token_batch(&entries).await {
                    Err(db::Error::Contended(_)) if tries < TRIES => tries += 1,
                    done => break done.map_err(&failed)?,
                }
            };
            self.count_in(&mut back, done);
            (self.progress)(KIND, seen, Some(all));
        }
        self.done.kinds.push(back);
        Ok(())
    }

    async fn token_batch(&mut self, entries: &[Entry]) -> db::Result<Done> {
        let mut done = Done { struck: entries.iter().map(|e| e.old_key.clone()).collect(), ..Done::default() };
        if self.options.dry {
            done.back.removed = count(entries.len());
            return Ok(done);
        }
        let ids: Vec<TokenId> = entries.iter().filter_map(|e| e.origin.new_id.parse().ok()).collect();
        let mut tx = self.db.write().await?;
        done.back.removed = db::tokens::delete_many(&mut tx, &ids).await?;
        done.back.missing = count(entries.len()).saturating_sub(done.back.removed);
        self.commit(tx, <IssuedToken as Noun>::KIND, &done).await?;
        Ok(done)
    }

    /// Files by their place; one that somebody put there since stays, and so does what it belongs to.
    async fn files(&mut self) -> Result<(), RollbackError> {
        let failed = failed(files::KIND);
        let mut back = KindBack { kind: files::KIND, ..KindBack::default() };
        let (mut after, all) = (String::new(), self.count(files::KIND).await.map_err(&failed)?);
        let mut seen = 0;
        loop {
            let entries = self.page(files::KIND, &after).await.map_err(&failed)?;
            let Some(last) = entries.last() else { break };
            after.clone_from(&last.old_key);
            seen += count(entries.len());
            let mut tries = 1;
            let done = loop {
                match self.file_batch(&entries).await {
                    Err(db::Error::Contended(_)) if tries < TRIES => tries += 1,
                    done => break done.map_err(&failed)?,
                }
            };
            self.count_in(&mut back, done);
            (self.progress)(files::KIND, seen, Some(all));
        }
        self.done.kinds.push(back);
        Ok(())
    }

    async fn file_batch(&mut self, entries: &[Entry]) -> db::Result<Done> {
        let mut tx = if self.options.dry { self.db.read().await? } else { self.db.write().await? };
        let mut done = Done::default();
        for entry in entries {
            let place = files::place_of(&entry.origin.new_id);
            let there = match &place {
                Some((api, place)) => db::files::find(&mut tx, *api, place).await?,
                None => None,
            };
            let Some((head, (api, place))) = there.zip(place) else {
                done.back.missing += 1;
                done.struck.push(entry.old_key.clone());
                continue;
            };
            if !self.options.also_changed && files::hash_of(&head) != entry.origin.content_hash {
                let name = format!("{place} of API {api}");
                let left = Left { kind: files::KIND, name, words: "changed here since it was carried".to_owned() };
                done.kept.push((left, vec![handle(CarriedApi::KIND, &api.to_string())]));
                continue;
            }
            done.back.removed += 1;
            done.struck.push(entry.old_key.clone());
            if !self.options.dry {
                db::files::delete(&mut tx, api, &place).await?;
            }
        }
        self.commit(tx, files::KIND, &done).await?;
        Ok(done)
    }

    async fn end(&mut self) -> Result<(), RollbackError> {
        let failed = failed("the note of this run");
        if let Some(journal) = &self.journal {
            let mut tx = self.db.write().await.map_err(&failed)?;
            journal.close(&mut tx, DONE, self.options.now).await.map_err(&failed)?;
            journal.close_others(&mut tx, self.options.now).await.map_err(&failed)?;
            // What was taken back must be looked at again.
            db::source_sums::forget(&mut tx, self.source).await.map_err(&failed)?;
            tx.commit().await.map_err(&failed)?;
        }
        let mut tx = self.db.read().await.map_err(&failed)?;
        self.done.nobody_left = !self.options.dry && db::users::count(&mut tx, TenantId::SUPER).await.map_err(&failed)? == 0;
        Ok(())
    }
}

fn is_changed<T: Noun>(record: &T, entry: &Entry) -> bool {
    match &entry.unused_hash {
        Some(hash) => record.unused_hash().as_ref() != Some(hash),
        None => record.content_hash() != entry.origin.content_hash,
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
