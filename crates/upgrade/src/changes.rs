//! What changed in the old installation since it was last carried, told by the old database itself: it sums its tokens by buckets of their
//! keys, and only buckets whose sum is another than the last time are read again. Five million tokens need not be compared one by one to find
//! the few thousand that are new or ended.
//!
//! That a bucket did not change means that nothing is to be done about its tokens only as long as nothing else did that decides about tokens.
//! So sums are put down only after a run that carried, or had no need to carry, every token, and they are used only while the book of origins
//! holds as many tokens as it did then, and not for an earlier moment than then: tokens whose time was over then may be alive at one. Anything
//! else, and every kind of source that cannot sum, is read as a whole. What is deleted in the source is never taken away here, so nobody looks
//! for it.

use std::collections::HashMap;

use aws_lc_rs::digest;
use db::source_sums::SourceSums;
use db::{Db, origins, source_sums};
use model::{IssuedToken, Timestamp};

use crate::old::oauth::token_tables;
use crate::source::{Buckets, Site, SourceError, Sum};
use crate::target::nouns::Noun;
use crate::translate::{Ledger, tokens::CLIENT_GONE};

/// The column tokens are put into buckets by.
const KEY: &str = "ACCESS_TOKEN";
/// Bytes of one bucket's sum as it is kept.
const WIDTH: usize = 8;
/// Tokens in one bucket, about: the fewer, the less is read again, and the more is kept.
const ROWS: u64 = 16;
/// Least and most buckets.
const FEWEST: u64 = 256;
const MOST: u64 = 1 << 18;

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// By upper-case name of the table.
    tables: HashMap<String, Buckets>,
    /// By the same, the sums as they are kept. They are of the one state of the source that all of a run reads, so they need no second asking.
    sums: HashMap<String, Vec<u8>>,
}

/// Looking failed.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// The target.
    #[error("the new installation cannot be read or written")]
    Db(#[from] db::Error),
    /// The source.
    #[error("the old tokens cannot be summed")]
    Source(#[from] SourceError),
}

impl Changes {
    /// The buckets of a table that must be read; `None` when all of it must be.
    pub fn of(&self, table: &str) -> Option<&Buckets> {
        self.tables.get(&table.to_ascii_uppercase())
    }
}

/// Which tokens must be looked at since the last run that put down sums; `None` when all must be.
///
/// # Errors
///
/// [`ChangesError`].
pub async fn since(site: &Site, db: &Db, source: &str, as_of: Timestamp) -> Result<Option<Changes>, ChangesError> {
    let identity = &site.databases.identity;
    let mut changes = Changes::default();
    for table in token_tables(identity) {
        let (before, book) = {
            let mut tx = db.read().await?;
            let before = source_sums::find(&mut tx, source, &table.to_ascii_uppercase()).await?;
            (before, origins::count(&mut tx, source, IssuedToken::KIND).await?)
        };
        let Some(before) = before.filter(|before| before.as_of <= as_of) else { return Ok(None) };
        let Some(of) = buckets_in(&before.recipe) else { return Ok(None) };
        if before.recipe != recipe(site, &table, of, book) {
            return Ok(None);
        }
        let Some(sums) = identity.sums(&table, KEY, of).await? else { return Ok(None) };
        let sums = kept(&sums, of);
        let some = differing(&before.sums, &sums);
        changes.tables.insert(table.to_ascii_uppercase(), Buckets { key: KEY.to_owned(), of, some });
        changes.sums.insert(table.to_ascii_uppercase(), sums);
    }
    Ok(Some(changes))
}

/// Puts down what the source holds, now that all of it is carried; strikes it where that cannot be said. `ledger` is the account of the run.
/// Writes nothing where nothing changed.
///
/// # Errors
///
/// [`ChangesError`].
pub async fn remember(site: &Site, db: &Db, source: &str, as_of: Timestamp, ledger: &Ledger) -> Result<(), ChangesError> {
    let identity = &site.databases.identity;
    let tables = token_tables(identity);
    // A token that waits for a client, or could not be read, may be carried by another run although its row is the same.
    let is_settled = tables.iter().all(|table| {
        let account = ledger.of(&table.to_ascii_uppercase());
        account.is_none_or(|a| a.failed.is_empty() && !a.skipped.contains_key(CLIENT_GONE))
    });
    let mut found = Vec::new();
    for table in tables.iter().filter(|_| is_settled) {
        let rows = ledger.of(&table.to_ascii_uppercase()).map_or(0, |account| account.rows);
        let of = u32::try_from((rows / ROWS).next_power_of_two().clamp(FEWEST, MOST)).unwrap_or(1);
        let part = table.to_ascii_uppercase();
        let before = source_sums::find(&mut db.read().await?, source, &part).await?;
        // Another number of buckets compares with nothing; so it stays, unless the table has become many times larger.
        let of = before.as_ref().and_then(|b| buckets_in(&b.recipe)).filter(|kept| of / 8 <= *kept).unwrap_or(of);
        let at_hand = site.changes.as_ref().filter(|changes| changes.of(&part).is_some_and(|buckets| buckets.of == of));
        let sums = match at_hand.and_then(|changes| changes.sums.get(&part)) {
            Some(sums) => sums.clone(),
            None => match identity.sums(table, KEY, of).await? {
                Some(sums) => kept(&sums, of),
                None => continue,
            },
        };
        found.push((part, of, sums, before));
    }
    if found.is_empty() {
        let known = source_sums::find_any(&mut db.read().await?, source).await?;
        if known {
            let mut tx = db.write().await?;
            source_sums::forget(&mut tx, source).await?;
            tx.commit().await?;
        }
        return Ok(());
    }
    let book = origins::count(&mut db.read().await?, source, IssuedToken::KIND).await?;
    for (part, of, sums, before) in found {
        let recipe = recipe(site, &part, of, book);
        if before.as_ref().is_some_and(|b| b.recipe == recipe && b.sums == sums && b.as_of <= as_of) {
            continue;
        }
        let mut tx = db.write().await?;
        source_sums::put(&mut tx, source, &part, &SourceSums { recipe, sums, as_of }).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// How sums were made, and what else must be as it was for them to mean anything. The number of buckets comes first.
fn recipe(site: &Site, table: &str, of: u32, book: u64) -> String {
    let identity = &site.databases.identity;
    let columns: Vec<String> = identity.columns(table).iter().map(|c| c.name.to_ascii_uppercase()).collect();
    let engine = identity.engine_name();
    format!("{of} buckets of {KEY}; {engine}, md5, {}; {book} in the book; key at hand: {}", columns.join(" "), site.key.is_some())
}

fn buckets_in(recipe: &str) -> Option<u32> {
    recipe.split(' ').next()?.parse().ok().filter(|of| *of > 0)
}

/// Sums as they are kept: of each bucket, in order, some bytes of a hash; of one without rows, nothing but zeros.
fn kept(sums: &[Sum], of: u32) -> Vec<u8> {
    let mut all = vec![0; usize::try_from(of).unwrap_or_default().saturating_mul(WIDTH)];
    for sum in sums {
        let hash = digest::digest(&digest::SHA256, sum.words.as_bytes());
        let from = usize::try_from(sum.bucket).unwrap_or(usize::MAX).saturating_mul(WIDTH);
        if let (Some(place), Some(hash)) = (all.get_mut(from..from.saturating_add(WIDTH)), hash.as_ref().get(..WIDTH)) {
            place.copy_from_slice(hash);
        }
    }
    all
}

/// The numbers of buckets that are not the same in both.
fn differing(one: &[u8], other: &[u8]) -> Vec<u32> {
    let pairs = (0..).zip(one.chunks(WIDTH).zip(other.chunks(WIDTH)));
    pairs.filter(|(_, (one, other))| one != other).map(|(bucket, _)| bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_that_changed_came_or_went_differ() {
        let sum = |bucket, words: &str| Sum { bucket, words: words.to_owned() };
        let one = kept(&[sum(0, "1 77"), sum(2, "2 5"), sum(3, "1 9")], 5);
        let other = kept(&[sum(3, "1 9"), sum(0, "1 78"), sum(4, "1 1")], 5);
        assert_eq!(one.len(), 5 * WIDTH);
        assert_eq!(differing(&one, &other), [0, 2, 4]);
        assert!(differing(&one, &one).is_empty());
        // A bucket beyond the last is nobody's.
        assert_eq!(kept(&[sum(9, "1 1")], 5), vec![0; 5 * WIDTH]);
    }

    #[test]
    fn a_recipe_tells_its_buckets() {
        assert_eq!(buckets_in("4096 buckets of X; mysql"), Some(4096));
        assert_eq!(buckets_in("0 buckets"), None);
        assert_eq!(buckets_in(""), None);
    }
}
