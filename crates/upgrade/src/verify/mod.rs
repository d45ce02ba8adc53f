//! Compares the old installation with what stands in the new one, twice: each translated record field by field with the one stored
//! under its id, and ([`straight`], [`rows`]) old cells with what callers would meet, past the translation, so that a fault in it shows.

pub(crate) mod behaviour;
mod checksum;
mod conditions;
mod content;
mod deployed;
mod fields;
mod filed;
pub(crate) mod rows;
mod rules;
mod sequences;
mod straight;

pub use checksum::Checksum;
use db::Db;
use model::{IssuedToken, Timestamp, TokenId, TokenState};
use serde::Serialize;

use crate::old::oauth::Tokens;
use crate::plan::{PlanError, TOKEN_BATCH, in_order};
use crate::replay::Replayed;
use crate::source::Site;
use crate::target::nouns::{Noun, refresh_holder, without_refresh};
use crate::translate::tokens::{Outcome, TokenDesk};
use crate::translate::{Carried, Input, Records, Translation};

/// Records compared in one go: APIs are some ten kilobytes each, as they ought to be, as they are, and in words.
const AT_ONCE: usize = 500;
/// Differences told one by one; beyond them only counts are kept.
const TOLD: usize = 200;

/// One kind's result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Compared {
    /// Kind.
    pub kind: &'static str,
    /// Records that ought to be there.
    pub source: u64,
    /// Records that are.
    pub target: u64,
    /// Of them, the same in every field.
    pub equal: u64,
    /// Of them, used or changed here since in a way that needs no redress: a password renewed by signing in, a token refreshed.
    pub lived_on: u64,
    /// Of them, different.
    pub different: u64,
    /// Not there.
    pub missing: u64,
    /// Over what ought to be there.
    pub source_checksum: Checksum,
    /// Over what is.
    pub target_checksum: Checksum,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Kind.
    pub kind: &'static str,
    /// Key of the old record; for a token the beginning of its digest.
    pub key: String,
    /// Field.
    pub field: String,
    /// What it ought to be.
    pub source: String,
    /// What it is.
    pub target: String,
}

/// The whole comparison.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// By kind.
    pub kinds: Vec<Compared>,
    /// Old cells held directly against the target, by what was asked.
    pub straight: Vec<Compared>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// All differences, told or not.
    pub differing: u64,
    /// Token rows of the source that could not be read, and so were not compared.
    pub unreadable: u64,
    /// What calls against both gateways came to, where they were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replayed>,
    /// Tokens that are here without their refresh token, because another token that was carried has the same.
    pub without_refresh: u64,
}

impl Verification {
    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        self.differing == 0 && self.replay.as_ref().is_none_or(Replayed::is_equal)
    }

    /// Takes note of rows put aside; both comparisons read the same ones.
    fn misread(&mut self, rows: usize) {
        self.unreadable = self.unreadable.max(u64::try_from(rows).unwrap_or(u64::MAX));
    }

    fn differ(&mut self, difference: Difference) {
        self.differing += 1;
        if self.differences.len() < TOLD {
            self.differences.push(difference);
        }
    }
}

/// Reads both sides and compares.
///
/// # Errors
///
/// [`PlanError`] when either side cannot be read. Differences are no error.
pub async fn verify(translation: &Translation, input: &Input<'_>, site: &Site, db: &Db) -> Result<Verification, PlanError> {
    let mut done = Verification::default();
    macro_rules! visit {
        ($items:expr) => {
            compare_all(&mut done, db, &$items).await?;
        };
    }
    in_order!(translation, visit);
    let read = content::compare(&mut done, translation, input, site, db).await;
    readable(&mut done, "content of APIs", read)?;
    let read = tokens(&mut done, translation, input, site, db).await;
    readable(&mut done, <IssuedToken as Noun>::KIND, read)?;
    straight::compare(&mut done, translation, input, site, db).await?;
    let read = behaviour::compare(&mut done, translation, input, site, db).await;
    readable(&mut done, "calls compared", read)?;
    Ok(done)
}

/// A stored row that does not read is a difference like any other, and must not keep the rest from being compared.
fn readable<E: Into<PlanError>>(done: &mut Verification, kind: &'static str, read: Result<(), E>) -> Result<(), PlanError> {
    match read.map_err(Into::into) {
        Err(PlanError::Db(fault)) if is_damage(&fault) => {
            let (source, target) = ("readable".to_owned(), fault.to_string());
            done.differ(Difference { kind, key: "all that follow".to_owned(), field: "record".to_owned(), source, target });
            Ok(())
        }
        read => read,
    }
}

fn is_damage(fault: &db::Error) -> bool {
    matches!(fault, db::Error::Corrupt { .. } | db::Error::WrongKey { .. })
}

async fn compare_all<R: Records>(done: &mut Verification, db: &Db, items: &R) -> db::Result<()>
where
    R::Of: Noun,
{
    let mut compared = Compared { kind: R::Of::KIND, ..Compared::default() };
    let mut tx = db.read().await?;
    for from in (0..items.count()).step_by(AT_ONCE) {
        let some = items.records(from, AT_ONCE);
        match R::Of::find_many(&mut tx, &some.iter().map(|item| &item.value).collect::<Vec<_>>()).await {
            Ok(found) => {
                for (item, found) in some.iter().zip(&found) {
                    compare(done, &mut compared, &item.key, &item.value, found.as_ref());
                }
            }
            // One of them does not read: each by itself tells which.
            Err(fault) if is_damage(&fault) => {
                for item in some.iter() {
                    match item.value.find(&mut tx).await {
                        Err(fault) if is_damage(&fault) => unreadable(done, &mut compared, &item.key, &fault),
                        found => compare(done, &mut compared, &item.key, &item.value, found?.as_ref()),
                    }
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    done.kinds.push(compared);
    Ok(())
}

fn unreadable(done: &mut Verification, compared: &mut Compared, key: &str, fault: &db::Error) {
    compared.source += 1;
    compared.target += 1;
    compared.different += 1;
    let (source, target) = ("readable".to_owned(), fault.to_string());
    done.differ(Difference { kind: compared.kind, key: key.to_owned(), field: "record".to_owned(), source, target });
}

fn compare<T: Noun>(done: &mut Verification, compared: &mut Compared, key: &str, expected: &T, found: Option<&T>) {
    compared.source += 1;
    // Short, and in words only where something differs: there are millions.
    let ought = format!("{expected:?}");
    compared.source_checksum.add(key, &ought);
    let Some(found) = found else {
        compared.missing += 1;
        done.differ(Difference {
            kind: T::KIND,
            key: key.to_owned(),
            field: "record".into(),
            source: "present".into(),
            target: "missing".into(),
        });
        return;
    };
    compared.target += 1;
    if expected == found {
        compared.target_checksum.add(key, &ought);
        compared.equal += 1;
        return;
    }
    compared.target_checksum.add(key, &format!("{found:?}"));
    if expected.has_lived_on(found) {
        compared.lived_on += 1;
        return;
    }
    let mut differences = fields::between(&expected.shown(), &found.shown());
    if expected.secrets() != found.secrets() {
        differences.push(("a secret".to_owned(), "(not shown)".to_owned(), "(not shown)".to_owned()));
    }
    match differences.is_empty() {
        true => compared.equal += 1,
        false => compared.different += 1,
    }
    for (field, source, target) in differences {
        done.differ(Difference { kind: T::KIND, key: key.to_owned(), field, source, target });
    }
}

/// When the first run that carried anything of the source began.
async fn first_run(source: &str, db: &Db) -> db::Result<Timestamp> {
    let runs = db::journal::list(&mut db.read().await?, u32::MAX).await?;
    Ok(runs.iter().filter(|run| run.source == source).map(|run| run.started_at.min(run.as_of)).min().unwrap_or(Timestamp(i64::MIN)))
}

fn ended_by_nobody(done: &mut Verification, compared: &mut Compared, key: &str, ought: &IssuedToken, is: &IssuedToken) {
    compared.source += 1;
    compared.target += 1;
    compared.different += 1;
    compared.source_checksum.add(key, &format!("{ought:?}"));
    compared.target_checksum.add(key, &format!("{is:?}"));
    let (source, target) = (ought.state.name().to_owned(), format!("{}, and nobody ended it since it was carried", is.state.name()));
    done.differ(Difference { kind: compared.kind, key: key.to_owned(), field: "state".to_owned(), source, target });
}

async fn tokens(done: &mut Verification, translation: &Translation, input: &Input<'_>, site: &Site, db: &Db) -> Result<(), PlanError> {
    let mut compared = Compared { kind: <IssuedToken as Noun>::KIND, ..Compared::default() };
    let mut stream = Tokens::open(site).await?;
    let mut desk = TokenDesk::new(input, &translation.clients);
    let carried_from = first_run(input.source, db).await?;
    loop {
        let batch = stream.next_batch(TOKEN_BATCH).await?;
        if batch.is_empty() {
            break;
        }
        let mut tx = db.read().await?;
        let mut expected: Vec<Carried<IssuedToken>> = Vec::new();
        for old in &batch {
            if let Outcome::Carried(token) = desk.translate(old) {
                expected.push(*token);
            }
        }
        let found = IssuedToken::find_many(&mut tx, &expected.iter().map(|token| &token.value).collect::<Vec<_>>()).await?;
        let ended: Vec<TokenId> = found.iter().flatten().filter(|t| t.state != TokenState::Active).map(|t| t.id).collect();
        let ends = db::tokens::ends(&mut tx, &ended).await?;
        let texts: Vec<&str> = expected.iter().map(|t| t.value.refresh.as_ref().map_or("", |r| r.expose().as_str())).collect();
        let holders = db::tokens::holders_of_refresh(&mut tx, &texts).await?;
        for ((token, found), holder) in expected.into_iter().zip(found).zip(holders) {
            let Carried { key, mut value } = token;
            if found.as_ref().is_some_and(|f| f.refresh.is_none()) && refresh_holder(&mut tx, &value).await?.is_some() {
                done.without_refresh += 1;
                value = without_refresh(value);
            }
            let key: String = key.chars().take(12).collect();
            // Whatever ends a token here notes when. One that ended in no way, or before it came, was not ended by use.
            let used = |found: &IssuedToken| found.state == TokenState::Active || ends.get(&found.id).is_some_and(|at| *at >= carried_from);
            match found.as_ref().filter(|found| value.has_lived_on(found) && !used(found)) {
                Some(found) => ended_by_nobody(done, &mut compared, &key, &value, found),
                None => compare(done, &mut compared, &key, &value, found.as_ref()),
            }
            // The refresh token must lead to the same row.
            if let (Some(_), Some(found)) = (&value.refresh, &found)
                && holder != Some(found.id)
            {
                let (source, target) = ("leads to its token".to_owned(), "does not".to_owned());
                done.differ(Difference { kind: compared.kind, key, field: "refresh token".into(), source, target });
            }
        }
    }
    done.misread(stream.unreadable().len());
    done.kinds.push(compared);
    Ok(())
}
