//! Slows down guessing: attempts on one name run one after the other, and after some failures each further one must wait longer.
//!
//! The table is bounded. When it is full, names with the fewest failures are forgotten first, so that trying many other names does not
//! wash out the record of the one under attack. Names are kept as digests: a stranger chooses their length, and whether they exist.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use model::{Timestamp, UserName};
use tokio::sync::OwnedMutexGuard;

/// Names remembered.
const NAMES_MAX: usize = 10_000;

/// Attempts on one name that may stand in line.
const LINE_MAX: usize = 256;

/// Failures that cost nothing.
const FREE: u32 = 5;

/// Longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Without a failure for so long, earlier ones are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(900);

type Name = [u8; 32];

#[derive(Default)]
pub(crate) struct Guard {
    names: Mutex<HashMap<Name, Arc<tokio::sync::Mutex<Failures>>>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Failures {
    count: u32,
    last: Option<Timestamp>,
}

/// The right to make one attempt on a name, while others on it wait.
pub(crate) struct Turn(OwnedMutexGuard<Failures>);

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineFull;

impl Guard {
    /// Waits for the name's turn.
    pub(crate) async fn turn(&self, name: &UserName) -> Result<Turn, LineFull> {
        let failures = self.entry(key(name))?;
        Ok(Turn(failures.lock_owned().await))
    }

    fn entry(&self, name: Name) -> Result<Arc<tokio::sync::Mutex<Failures>>, LineFull> {
        // The map stays whole even if a holder of the lock panicked: each change to it is a single call.
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.contains_key(&name) && names.len() >= NAMES_MAX {
            forget_some(&mut names);
            if names.len() >= NAMES_MAX {
                return Err(LineFull);
            }
        }
        let entry = names.entry(name).or_default();
        if Arc::strong_count(entry) > LINE_MAX { Err(LineFull) } else { Ok(Arc::clone(entry)) }
    }
}

/// Drops those with the fewest failures among the names nobody is trying just now, at least a tenth of the table where there are so many.
fn forget_some(names: &mut HashMap<Name, Arc<tokio::sync::Mutex<Failures>>>) {
    let mut idle: Vec<(u32, Option<Timestamp>, Name)> = names
        .iter()
        .filter(|(_, entry)| Arc::strong_count(entry) == 1)
        .filter_map(|(name, entry)| entry.try_lock().ok().map(|failures| (failures.count, failures.last, *name)))
        .collect();
    idle.sort_unstable_by_key(|(count, last, _)| (*count, *last));
    for (_, _, name) in idle.into_iter().take(NAMES_MAX / 10) {
        names.remove(&name);
    }
}

fn key(name: &UserName) -> Name {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [&name.store, &name.name, &name.tenant] {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

impl Turn {
    /// Whether an attempt may be made now; otherwise how long to wait.
    pub(crate) fn may_try(&self, now: Timestamp) -> Result<(), Duration> {
        let Some(last) = self.0.last else { return Ok(()) };
        let wait = wait_after(self.0.count);
        // A clock that stepped back counts as no time passed.
        let passed = Duration::from_millis(u64::try_from(now.0.saturating_sub(last.0)).unwrap_or(0));
        if passed >= wait { Ok(()) } else { Err(wait - passed) }
    }

    /// Counts a failure.
    pub(crate) fn failed(&mut self, now: Timestamp) {
        let forget = i64::try_from(FORGET_AFTER.as_millis()).unwrap_or(i64::MAX);
        if self.0.last.is_some_and(|last| last.plus_ms(forget) <= now) {
            self.0.count = 0;
        }
        self.0.count = self.0.count.saturating_add(1);
        self.0.last = Some(now);
    }

    /// Forgets all failures.
    pub(crate) fn succeeded(&mut self) {
        *self.0 = Failures::default();
    }
}

fn wait_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(1u64.checked_shl(beyond.min(32)).unwrap_or(u64::MAX)).min(WAIT_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> UserName {
        UserName::primary(&format!("u{n}"), "carbon.super")
    }

    #[tokio::test]
    async fn waits_grow_and_success_ends_them() {
        let guard = Guard::default();
        let mut turn = guard.turn(&name(1)).await.unwrap();
        for _ in 0..4 {
            turn.failed(Timestamp(0));
            assert_eq!(turn.may_try(Timestamp(0)), Ok(()));
        }
        turn.failed(Timestamp(0));
        assert_eq!(turn.may_try(Timestamp(0)), Err(Duration::from_secs(1)));
        assert_eq!(turn.may_try(Timestamp(-5000)), Err(Duration::from_secs(1)));
        assert_eq!(turn.may_try(Timestamp(1000)), Ok(()));
        turn.failed(Timestamp(1000));
        assert_eq!(turn.may_try(Timestamp(1000)), Err(Duration::from_secs(2)));
        for _ in 0..100 {
            turn.failed(Timestamp(2000));
        }
        assert_eq!(turn.may_try(Timestamp(2000)), Err(WAIT_MAX));
        turn.succeeded();
        assert_eq!(turn.may_try(Timestamp(2000)), Ok(()));
    }

    #[tokio::test]
    async fn other_names_do_not_wash_out_the_one_under_attack() {
        let guard = Guard::default();
        let mut turn = guard.turn(&name(0)).await.unwrap();
        for _ in 0..6 {
            turn.failed(Timestamp(0));
        }
        drop(turn);
        for n in 1..=NAMES_MAX + 50 {
            guard.turn(&name(n)).await.unwrap().failed(Timestamp(1));
        }
        assert!(guard.names.lock().unwrap().len() <= NAMES_MAX);
        assert!(guard.turn(&name(0)).await.unwrap().may_try(Timestamp(1)).is_err());
    }

    #[tokio::test]
    async fn the_line_is_bounded() {
        let guard = Guard::default();
        let entries: Vec<_> = (0..LINE_MAX).map(|_| guard.entry(key(&name(1))).unwrap()).collect();
        assert_eq!(guard.turn(&name(1)).await.err(), Some(LineFull));
        drop(entries);
        assert!(guard.turn(&name(1)).await.is_ok());
    }
}
