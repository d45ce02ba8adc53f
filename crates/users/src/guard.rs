//! Slows down guessing without locking anybody out.
//!
//! Attempts on one name from one network run one after the other, and after some failures each further one must wait longer. What somebody
//! guesses from elsewhere does not count there: otherwise anybody could keep a user out by sending wrong passwords for their name. Guessing from
//! many networks at once is slowed instead: after many failures on a name, from wherever, each attempt from a network where the name never
//! signed in takes some seconds.
//!
//! Both tables are bounded. When one is full, the entries with the fewest failures are forgotten first, so that trying many other names does
//! not wash out the record of the one under attack. Keys are digests: a stranger chooses a name's length, and whether it exists.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use model::{Timestamp, UserName};
use tokio::sync::OwnedMutexGuard;

/// Entries remembered in each table.
const ENTRIES_MAX: usize = 10_000;

/// Attempts on one name from one network that may stand in line.
const LINE_MAX: usize = 256;

/// Failures from one network that cost nothing.
const FREE: u32 = 5;

/// Longest wait between two attempts from one network.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Failures on a name, from wherever, after which strange networks are slowed.
const FREE_EVERYWHERE: u32 = 50;

/// How long an attempt from a strange network then takes.
const SLOWED: Duration = Duration::from_secs(2);

/// Without a failure for so long, earlier ones are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(900);

type Key = [u8; 32];
type Entries = HashMap<Key, Arc<tokio::sync::Mutex<Failures>>>;

#[derive(Default)]
pub(crate) struct Guard {
    /// By name and network.
    near: Mutex<Entries>,
    /// By name.
    everywhere: Mutex<HashMap<Key, Failures>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Failures {
    count: u32,
    last: Option<Timestamp>,
    /// Whether a password was right here.
    is_familiar: bool,
}

/// The right to make one attempt on a name, while others on it from the same network wait.
pub(crate) struct Turn<'g> {
    near: OwnedMutexGuard<Failures>,
    guard: &'g Guard,
    name: Key,
}

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineFull;

impl Guard {
    /// Waits for the turn of the name at the network of `from`. Where the address is unknown, all such count as one network.
    pub(crate) async fn turn(&self, name: &UserName, from: Option<IpAddr>) -> Result<Turn<'_>, LineFull> {
        let failures = self.entry(key(name, Some(network(from))))?;
        Ok(Turn { near: failures.lock_owned().await, guard: self, name: key(name, None) })
    }

    fn entry(&self, key: Key) -> Result<Arc<tokio::sync::Mutex<Failures>>, LineFull> {
        // The map stays whole even if a holder of the lock panicked: each change to it is a single call.
        let mut near = self.near.lock().unwrap_or_else(PoisonError::into_inner);
        if !near.contains_key(&key) && near.len() >= ENTRIES_MAX {
            // Nobody is forgotten while they try.
            let idle = near.iter().filter(|(_, entry)| Arc::strong_count(entry) == 1);
            let idle = idle.filter_map(|(key, entry)| entry.try_lock().ok().map(|failures| (*key, *failures)));
            for key in least(idle.collect()) {
                near.remove(&key);
            }
            if near.len() >= ENTRIES_MAX {
                return Err(LineFull);
            }
        }
        let entry = near.entry(key).or_default();
        if Arc::strong_count(entry) > LINE_MAX { Err(LineFull) } else { Ok(Arc::clone(entry)) }
    }

    fn failed_somewhere(&self, name: Key, now: Timestamp) {
        let mut everywhere = self.everywhere.lock().unwrap_or_else(PoisonError::into_inner);
        if !everywhere.contains_key(&name) && everywhere.len() >= ENTRIES_MAX {
            for key in least(everywhere.iter().map(|(key, failures)| (*key, *failures)).collect()) {
                everywhere.remove(&key);
            }
        }
        everywhere.entry(name).or_default().add(now);
    }

    fn failures_everywhere(&self, name: Key, now: Timestamp) -> u32 {
        let everywhere = self.everywhere.lock().unwrap_or_else(PoisonError::into_inner);
        everywhere.get(&name).filter(|failures| !failures.is_over(now)).map_or(0, |failures| failures.count)
    }
}

/// Those with the fewest failures, a tenth of a full table.
fn least(mut entries: Vec<(Key, Failures)>) -> impl Iterator<Item = Key> {
    entries.sort_unstable_by_key(|(_, failures)| (failures.count, failures.is_familiar, failures.last));
    entries.into_iter().take(ENTRIES_MAX / 10).map(|(key, _)| key)
}

/// The network somebody is taken to command: one address of IPv4, 64 bits of IPv6, which is what a single customer is given.
fn network(from: Option<IpAddr>) -> Option<IpAddr> {
    from.map(|address| match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    })
}

/// Of a name at a network, or of the name alone.
fn key(name: &UserName, network: Option<Option<IpAddr>>) -> Key {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [&name.store, &name.name, &name.tenant, &format!("{network:?}")] {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

impl Failures {
    fn add(&mut self, now: Timestamp) {
        if self.is_over(now) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let forget = i64::try_from(FORGET_AFTER.as_millis()).unwrap_or(i64::MAX);
        self.last.is_some_and(|last| last.plus_ms(forget) <= now)
    }
}

impl Turn<'_> {
    /// Whether an attempt may be made now; otherwise how long to wait.
    pub(crate) fn may_try(&self, now: Timestamp) -> Result<(), Duration> {
        let Some(last) = self.near.last else { return Ok(()) };
        let wait = wait_after(self.near.count);
        // A clock that stepped back counts as no time passed.
        let passed = Duration::from_millis(u64::try_from(now.0.saturating_sub(last.0)).unwrap_or(0));
        if passed >= wait { Ok(()) } else { Err(wait - passed) }
    }

    /// How long to hold the attempt up before it is made.
    pub(crate) fn delay(&self, now: Timestamp) -> Duration {
        let is_under_attack = self.guard.failures_everywhere(self.name, now) >= FREE_EVERYWHERE;
        if is_under_attack && !self.near.is_familiar { SLOWED } else { Duration::ZERO }
    }

    /// Counts a failure.
    pub(crate) fn failed(&mut self, now: Timestamp) {
        self.near.add(now);
        self.guard.failed_somewhere(self.name, now);
    }

    /// Forgets all failures from here.
    pub(crate) fn succeeded(&mut self) {
        *self.near = Failures { is_familiar: true, ..Failures::default() };
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
        let mut turn = guard.turn(&name(1), None).await.unwrap();
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
        let mut turn = guard.turn(&name(0), None).await.unwrap();
        for _ in 0..6 {
            turn.failed(Timestamp(0));
        }
        drop(turn);
        for n in 1..=ENTRIES_MAX + 50 {
            guard.turn(&name(n), None).await.unwrap().failed(Timestamp(1));
        }
        assert!(guard.near.lock().unwrap().len() <= ENTRIES_MAX);
        assert!(guard.everywhere.lock().unwrap().len() <= ENTRIES_MAX);
        assert_eq!(guard.failures_everywhere(key(&name(0), None), Timestamp(1)), 6);
        assert!(guard.turn(&name(0), None).await.unwrap().may_try(Timestamp(1)).is_err());
    }

    #[tokio::test]
    async fn guessing_elsewhere_keeps_nobody_out() {
        let guard = Guard::default();
        let at = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        guard.turn(&name(1), at("192.0.2.1")).await.unwrap().succeeded();
        for n in 0..60 {
            guard.turn(&name(1), at(&format!("2001:db8::{n}"))).await.unwrap().failed(Timestamp(0));
        }
        for same in ["2001:db8::ffff", "2001:db8:0:0:1::"] {
            assert_eq!(guard.turn(&name(1), at(same)).await.unwrap().may_try(Timestamp(0)), Err(WAIT_MAX), "one network");
        }
        for (other, delay) in
            [("192.0.2.1", Duration::ZERO), ("::ffff:192.0.2.1", Duration::ZERO), ("192.0.2.2", SLOWED), ("2001:db8:0:1::", SLOWED)]
        {
            let turn = guard.turn(&name(1), at(other)).await.unwrap();
            assert_eq!((turn.may_try(Timestamp(0)), turn.delay(Timestamp(0))), (Ok(()), delay), "{other}");
            assert_eq!(turn.delay(Timestamp(900_000)), Duration::ZERO, "{other}");
        }
        assert_eq!(guard.turn(&name(2), at("192.0.2.2")).await.unwrap().delay(Timestamp(0)), Duration::ZERO, "another name");
    }

    #[tokio::test]
    async fn who_stands_in_line_elsewhere_is_not_waited_for() {
        let guard = Guard::default();
        let name = name(1);
        let _turn = guard.turn(&name, None).await.unwrap();
        let other = guard.turn(&name, Some(IpAddr::from([192, 0, 2, 1])));
        assert!(tokio::time::timeout(Duration::from_secs(20), other).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn the_line_is_bounded() {
        let guard = Guard::default();
        let entries: Vec<_> = (0..LINE_MAX).map(|_| guard.entry(key(&name(1), Some(None))).unwrap()).collect();
        assert_eq!(guard.turn(&name(1), None).await.err(), Some(LineFull));
        drop(entries);
        assert!(guard.turn(&name(1), None).await.is_ok());
    }
}
