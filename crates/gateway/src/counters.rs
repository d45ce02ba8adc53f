//! Counters of every level, in memory, by key.
//!
//! Counting is exact on one node: a shard's lock is held for the few nanoseconds that a count takes. Counters whose window has ended are
//! dropped.
//!
//! Whoever calls must not be able to fill the memory, nor to switch limits off by trying. So there are three rooms. What the snapshot
//! names (APIs, resources, subscriptions, applications) always finds room, since the snapshot bounds it. Users, and client addresses of
//! calls without credentials, have a bounded room each. Who comes when theirs is full is counted together with others: with 1 of
//! [`SHARED`] counters per API, resource or application, chosen by user or by network. No call passes uncounted, a flood of addresses is
//! felt only by calls without credentials, and of those first by the networks it comes from.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use ahash::RandomState;
use model::Timestamp;
use traffic::{Burst, BurstCounter, BurstTicket, Cost, Counter, Quota, Refused, Spent, Ticket};
use uuid::Uuid;

use crate::Config;

/// Shards of a room.
const SHARDS: usize = 64;

/// How many counters callers share who find no room.
const SHARED: u64 = 64;

/// What is counted, as a digest without any secret: the same in every process and version, so that counts can be kept over a restart.
///
/// Parts that only a call knows are added, which costs nothing; the digests they are added to lie so far apart that sums do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u128);

/// Where a key's counter is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Named by the snapshot.
    Known,
    User,
    Address,
}

/// Names one counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    key: Key,
    room: Room,
    /// The known counter that counts when there is no room.
    shared: Key,
}

impl Key {
    /// Of what the snapshot knows. Costs about as much as a call; do it when a snapshot is made.
    pub(crate) fn of(words: &[&str]) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, words.join("\u{1f}").as_bytes()).as_u128())
    }

    /// One of several things counted for the same subject.
    pub(crate) fn part(self, number: usize) -> Self {
        self.plus((number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    /// What a policy's conditional group counts, by the group's position.
    pub(crate) fn group(self, position: usize) -> Self {
        self.plus(0x8cb9_2ba7_2f3d_8dd7_5851_f42d_4c95_7f2d).part(position)
    }

    /// Its counter, one for all callers.
    pub(crate) fn alone(self) -> Name {
        Name { key: self, room: Room::Known, shared: self }
    }

    /// The counter of one user, who is given by a digest of the name.
    pub(crate) fn of_user(self, user: Self) -> Name {
        Name { key: self.plus(user.0), room: Room::User, shared: self.shared(user.0 as u64) }
    }

    /// The counter of something that whoever calls can make up, given by a digest.
    pub(crate) fn of_anybody(self, made_up: Self) -> Name {
        Name { key: self.plus(made_up.0), room: Room::Address, shared: self.shared(made_up.0 as u64) }
    }

    /// The counter of one client: an address of version 4, or a network of 64 bits, of which every client of version 6 has one to itself.
    pub(crate) fn of_client(self, client: IpAddr) -> Name {
        /// Under these 96 bits version 6 writes whole addresses of version 4 (RFC 6052).
        const TRANSLATED: u128 = 0x0064_ff9b << 96;
        let (bits, network) = match client.to_canonical() {
            IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), v4.to_bits() >> 16),
            IpAddr::V6(v6) if v6.to_bits() >> 32 == TRANSLATED >> 32 => (v6.to_bits(), v6.to_bits() as u32 >> 16),
            IpAddr::V6(v6) => (v6.to_bits() >> 64 << 64, (v6.to_bits() >> 96) as u32),
        };
        Name {
            key: self.plus(bits),
            room: Room::Address,
            shared: self.shared(u64::from(network).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32),
        }
    }

    /// The known counter of the same user: see [`Self::of_user`].
    pub(crate) fn with(self, user: Self) -> Self {
        self.plus(user.0)
    }

    fn shared(self, caller: u64) -> Self {
        self.plus(0xd1b5_4a32_d192_ed03_abc9_8388_fb8f_ac02).part((caller % SHARED) as usize)
    }

    fn plus(self, part: u128) -> Self {
        Self(self.0.wrapping_add(part))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

/// Hashes keys under a secret of this process, since callers have a hand in some of them and must not choose where they fall in a table.
#[derive(Clone)]
struct Seeds(u64, u64);

impl Seeds {
    fn new() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(0), random.hash_one(1))
    }
}

impl BuildHasher for Seeds {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed { seeds: self.clone(), hash: 0 }
    }
}

struct Mixed {
    seeds: Seeds,
    hash: u64,
}

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write_u128(&mut self, key: u128) {
        let product = u128::from(key as u64 ^ self.seeds.0) * u128::from((key >> 64) as u64 ^ self.seeds.1);
        self.hash = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(self.hash) << 8 | u128::from(*byte));
        }
    }
}

pub(crate) struct Counters {
    known: Table,
    users: Table,
    addresses: Table,
    sharing: metrics::Counter,
}

/// The counters of one room.
struct Table {
    shards: Box<[Mutex<Shard>]>,
    seeds: Seeds,
    shard_max: usize,
}

struct Shard {
    quotas: HashMap<Key, Counter, Seeds>,
    bursts: HashMap<Key, BurstCounter, Seeds>,
    swept_ms: i64,
}

/// One admission, so that [`Counters::give_back`] can undo it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted {
    room: Room,
    key: Key,
    took: Took,
}

#[derive(Debug, Clone, Copy)]
enum Took {
    Quota(Ticket),
    Burst(BurstTicket),
}

impl Counters {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            known: Table::new(usize::MAX),
            users: Table::new(config.user_counters_max),
            addresses: Table::new(config.address_counters_max),
            sharing: metrics::counter!("gateway_calls_counted_together_total"),
        }
    }

    /// Counts one call.
    pub(crate) fn admit(&self, name: Name, quota: Quota, now: Timestamp, cost: Cost) -> Result<Admitted, Refused> {
        self.count(
            name,
            now,
            |shard| &mut shard.quotas,
            || Counter::new(quota),
            |counter| {
                if *counter.quota() != quota {
                    *counter = counter.under(quota);
                }
                counter.admit(now, cost).map(Took::Quota)
            },
        )
    }

    /// Counts one call against a burst limit.
    pub(crate) fn admit_burst(&self, name: Name, burst: Burst, now: Timestamp) -> Result<Admitted, Refused> {
        self.count(
            name,
            now,
            |shard| &mut shard.bursts,
            || BurstCounter::new(burst),
            |counter| {
                if counter.burst() != burst {
                    *counter = BurstCounter::new(burst);
                }
                counter.admit(now).map(Took::Burst)
            },
        )
    }

    fn count<C>(
        &self,
        name: Name,
        now: Timestamp,
        map: impl Fn(&mut Shard) -> &mut HashMap<Key, C, Seeds>,
        fresh: impl Fn() -> C,
        admit: impl Fn(&mut C) -> Result<Took, Refused>,
    ) -> Result<Admitted, Refused> {
        let Name { key, room, shared } = name;
        let table = self.table(room);
        {
            let mut shard = table.lock(key);
            if let Some(counter) = map(&mut shard).get_mut(&key) {
                return admit(counter).map(|took| Admitted { room, key, took });
            }
            if shard.has_room(table.shard_max, now) {
                return admit(map(&mut shard).entry(key).or_insert_with(&fresh)).map(|took| Admitted { room, key, took });
            }
        }
        self.sharing.increment(1);
        let mut shard = self.known.lock(shared);
        admit(map(&mut shard).entry(shared).or_insert_with(&fresh)).map(|took| Admitted { room: Room::Known, key: shared, took })
    }

    /// Whether a call would pass now, without counting it.
    pub(crate) fn check(&self, name: Name, quota: Quota, now: Timestamp) -> Result<(), Refused> {
        let Name { key, room, shared } = name;
        let asked = |shard: &Shard, key: &Key| {
            let counter = shard.quotas.get(key)?;
            Some(if *counter.quota() == quota { counter.check(now) } else { counter.under(quota).check(now) })
        };
        let own = asked(&self.table(room).lock(key), &key);
        // What found no room is counted together with others.
        own.or_else(|| asked(&self.known.lock(shared), &shared)).unwrap_or(Ok(()))
    }

    /// Undoes an admission.
    pub(crate) fn give_back(&self, admitted: Admitted) {
        let shard = self.table(admitted.room).lock(admitted.key);
        match admitted.took {
            Took::Quota(ticket) => shard.quotas.get(&admitted.key).into_iter().for_each(|counter| counter.give_back(ticket)),
            Took::Burst(ticket) => shard.bursts.get(&admitted.key).into_iter().for_each(|counter| counter.give_back(ticket)),
        }
    }

    /// Drops counters whose window has ended, in one shard of each room after the other: `turn` says which.
    pub(crate) fn sweep(&self, turn: usize, now: Timestamp) {
        for table in [&self.known, &self.users, &self.addresses] {
            if let Some(shard) = table.shards.get(turn % SHARDS) {
                shard.lock().unwrap_or_else(PoisonError::into_inner).sweep(now);
            }
        }
    }

    /// What is spent of quotas whose window goes on at `at`.
    pub(crate) fn kept(&self, at: Timestamp) -> Vec<Kept> {
        let mut all = Vec::new();
        for room in [Room::Known, Room::User, Room::Address] {
            for shard in &self.table(room).shards {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                let live = shard.quotas.iter().filter(|(_, counter)| !counter.is_idle(at));
                let kept = live.map(|(key, counter)| Kept { room, key: *key, quota: *counter.quota(), spent: counter.spent() });
                all.extend(kept.filter(|kept| kept.spent.used > 0));
            }
        }
        all
    }

    /// Goes on from what [`Self::kept`] said in an earlier process.
    pub(crate) fn resume(&self, all: &[Kept], now: Timestamp) {
        for kept in all {
            let counter = Counter::resume(kept.quota, kept.spent);
            let table = self.table(kept.room);
            let mut shard = table.lock(kept.key);
            if counter.is_idle(now) || shard.quotas.contains_key(&kept.key) || !shard.has_room(table.shard_max, now) {
                continue;
            }
            shard.quotas.insert(kept.key, counter);
        }
    }

    fn table(&self, room: Room) -> &Table {
        match room {
            Room::Known => &self.known,
            Room::User => &self.users,
            Room::Address => &self.addresses,
        }
    }
}

impl Table {
    fn new(max: usize) -> Self {
        let seeds = Seeds::new();
        let map = || HashMap::with_hasher(seeds.clone());
        let shards =
            (0..SHARDS).map(|_| Mutex::new(Shard { quotas: map(), bursts: HashMap::with_hasher(seeds.clone()), swept_ms: 0 })).collect();
        Self { shards, shard_max: (max / SHARDS).max(16), seeds }
    }

    fn lock(&self, key: Key) -> std::sync::MutexGuard<'_, Shard> {
        // Not the bits a map uses, which are the lowest and the highest seven.
        let position = (self.seeds.hash_one(key) >> 48) as usize % SHARDS;
        let shard = self.shards.get(position).or_else(|| self.shards.first()).expect("there are always shards");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn has_room(&mut self, max: usize, now: Timestamp) -> bool {
        if self.quotas.len() + self.bursts.len() < max {
            return true;
        }
        if (now.0 - self.swept_ms).abs() < 1_000 {
            return false;
        }
        self.sweep(now);
        self.quotas.len() + self.bursts.len() < max
    }

    fn sweep(&mut self, now: Timestamp) {
        self.swept_ms = now.0;
        self.quotas.retain(|_, counter| !counter.is_idle(now));
        self.bursts.retain(|_, counter| !counter.is_idle(now));
    }
}

/// What one counter has counted in a window, to be kept over a restart. Written and read as one line of text.
///
/// A burst is not kept; it is over sooner than a process starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    room: Room,
    key: Key,
    quota: Quota,
    spent: Spent,
}

/// A line does not say what a counter has counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' does not say what a counter has counted")]
pub struct NotKept(String);

/// `<room> <key> <calls or bytes> <limit> <window in ms> <its start in ms since the epoch> <spent>`.
impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let room = match self.room {
            Room::Known => "known",
            Room::User => "user",
            Room::Address => "address",
        };
        write!(f, "{room} {:032x} {} {} {}", self.key.0, self.quota, self.spent.start_ms, self.spent.used)
    }
}

impl FromStr for Kept {
    type Err = NotKept;

    fn from_str(text: &str) -> Result<Self, NotKept> {
        let read = || {
            let (room, rest) = text.split_once(' ')?;
            let (key, rest) = rest.split_once(' ')?;
            let (rest, used) = rest.rsplit_once(' ')?;
            let (quota, start_ms) = rest.rsplit_once(' ')?;
            let room = match room {
                "known" => Room::Known,
                "user" => Room::User,
                "address" => Room::Address,
                _ => return None,
            };
            let spent = Spent { start_ms: start_ms.parse().ok()?, used: used.parse().ok()? };
            Some(Self { room, key: Key(u128::from_str_radix(key, 16).ok()?), quota: quota.parse().ok()?, spent })
        };
        read().ok_or_else(|| NotKept(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use model::{Limit, TimeUnit};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const FREE: Cost = Cost { bytes: 0 };

    fn quota(count: u64) -> Quota {
        Quota::of(&Limit::per_minute(count)).unwrap()
    }

    fn counters(max: usize) -> Counters {
        Counters::new(&Config { user_counters_max: max, address_counters_max: max, ..Config::default() })
    }

    fn client(text: &str) -> Name {
        Key::of(&["open"]).of_client(text.parse().unwrap())
    }

    #[test]
    fn just_so_many_pass_from_many_threads() {
        let counters = counters(1 << 16);
        let name = Key::of(&["k"]).alone();
        let passed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if counters.admit(name, quota(1_000), NOW, FREE).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1_000);
    }

    #[test]
    fn an_edited_quota_keeps_what_was_spent() {
        let counters = counters(1 << 16);
        let name = Key::of(&["k"]).alone();
        for _ in 0..3 {
            counters.admit(name, quota(3), NOW, FREE).unwrap();
        }
        assert!(counters.admit(name, quota(3), NOW, FREE).is_err());
        assert!(counters.admit(name, quota(4), NOW, FREE).is_ok());
        assert!(counters.admit(name, quota(4), NOW, FREE).is_err());
    }

    #[test]
    fn a_flood_of_addresses_lifts_no_limit_and_takes_no_known_room() {
        let counters = counters(SHARDS * 16);
        let open = Key::of(&["open"]);
        let subscription = Key::of(&["subscription"]).alone();
        let early = client("198.51.100.1");
        counters.admit(early, quota(2), NOW, FREE).unwrap();
        // Every address of a large network calls once under a limit of one call an address.
        let passed = (0..100_000u128)
            .filter(|n| counters.admit(open.of_client(IpAddr::V6(((0x2001_0db8 << 96) + (n << 64)).into())), quota(1), NOW, FREE).is_ok())
            .count();
        // As many as have room, and after them one through the counter their network shares.
        assert!((SHARDS * 15..=SHARDS * 16 + 1).contains(&passed), "{passed}");
        // Who had been counted before still is, by itself; whoever the snapshot names finds room; and other networks are not locked out.
        assert!(counters.admit(early, quota(2), NOW, FREE).is_ok());
        assert!(counters.admit(early, quota(2), NOW, FREE).is_err());
        assert!(counters.admit(subscription, quota(1), NOW, FREE).is_ok());
        assert!(counters.admit(subscription, quota(1), NOW, FREE).is_err());
        let others = (0..=255u8).filter(|n| counters.admit(client(&format!("{n}.7.7.7")), quota(1), NOW, FREE).is_ok()).count();
        assert!((32..=64).contains(&others), "{others}");
        // When their windows have ended they make room.
        let later = Timestamp(NOW.0 + 120_000);
        let user = Key::of(&["u"]);
        assert_eq!(counters.admit(open.of_user(user), quota(1), later, FREE).unwrap().room, Room::User);
        assert_eq!(counters.admit(client("192.0.2.1"), quota(1), later, FREE).unwrap().room, Room::Address);
    }

    #[test]
    fn users_beyond_their_room_are_counted_together() {
        let counters = counters(SHARDS * 16);
        let application = Key::of(&["application"]);
        let all: Vec<Name> = (0..20_000).map(|n| application.of_user(Key::of(&["user", &n.to_string()]))).collect();
        let passed = all.iter().filter(|name| counters.admit(**name, quota(1), NOW, FREE).is_ok()).count();
        assert_eq!(passed, SHARDS * 16 + usize::try_from(SHARED).unwrap());
        assert_eq!(counters.admit(client("192.0.2.1"), quota(1), NOW, FREE).unwrap().room, Room::Address);
    }

    #[test]
    fn a_client_of_version_6_is_its_network_of_64_bits() {
        assert_eq!(client("2001:db8:1:2::1").key, client("2001:db8:1:2:ffff::9").key);
        assert_ne!(client("2001:db8:1:2::1").key, client("2001:db8:1:3::1").key);
        assert_eq!(client("::ffff:192.0.2.1").key, client("192.0.2.1").key);
        // Behind a translator all of version 4 is one network.
        assert_ne!(client("64:ff9b::192.0.2.1").key, client("64:ff9b::192.0.2.2").key);
        assert_eq!(client("192.0.2.1").shared, client("192.0.99.99").shared);
    }

    #[test]
    fn given_back_calls_can_be_made_again() {
        let counters = counters(1 << 16);
        let name = Key::of(&["k"]).alone();
        let burst = Burst::of(&model::Burst { count: 1, unit: TimeUnit::Minute }).unwrap();
        for name in [name, client("192.0.2.1")] {
            let ticket = counters.admit(name, quota(1), NOW, FREE).unwrap();
            assert!(counters.admit(name, quota(1), NOW, FREE).is_err());
            counters.give_back(ticket);
            assert!(counters.admit(name, quota(1), NOW, FREE).is_ok());
            let ticket = counters.admit_burst(name, burst, NOW).unwrap();
            assert!(counters.admit_burst(name, burst, NOW).is_err());
            counters.give_back(ticket);
            assert!(counters.admit_burst(name, burst, NOW).is_ok());
        }
    }

    #[test]
    fn what_was_spent_is_known_after_a_restart() {
        let before = counters(1 << 16);
        let names = [Key::of(&["subscription"]).alone(), Key::of(&["application"]).of_user(Key::of(&["ann"])), client("192.0.2.1")];
        for name in names {
            before.admit(name, quota(2), NOW, FREE).unwrap();
            let back = before.admit(name, quota(2), NOW, FREE).unwrap();
            before.give_back(back);
        }
        let unused = before.admit(Key::of(&["unused"]).alone(), quota(2), NOW, FREE).unwrap();
        before.give_back(unused);
        let text: Vec<String> = before.kept(NOW).iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), names.len());
        let read: Vec<Kept> = text.iter().map(|line| line.parse().unwrap()).collect();

        let after = counters(1 << 16);
        after.resume(&read, NOW);
        for name in names {
            assert!(after.admit(name, quota(2), NOW, FREE).is_ok());
            assert!(after.admit(name, quota(2), NOW, FREE).is_err());
        }
        let late = counters(1 << 16);
        late.resume(&read, Timestamp(NOW.0 + 60_000));
        assert!(late.kept(NOW).is_empty() && before.kept(Timestamp(NOW.0 + 60_000)).is_empty());
    }

    #[test]
    fn a_kept_line_reads_as_it_was_written() {
        // A change of these digests would make a new version forget what the one before had counted.
        let subscription = Key::of(&["subscription", "a", "b"]);
        let kept = Kept { room: Room::Known, key: subscription, quota: quota(5), spent: Spent { start_ms: 1_699_999_980_000, used: 3 } };
        assert_eq!(kept.to_string(), "known 843243f1ce3b5f19a68c3b0f525d3ab4 calls 5 60000 1699999980000 3");
        assert_eq!(kept.to_string().parse(), Ok(kept));
        for bad in [
            "",
            "known",
            "known x calls 5 60000 1 3",
            "attic 00 calls 5 60000 1 3",
            "known 00 calls 5 60000 1",
            "known 00 calls 5 60000 1 -3",
        ] {
            assert_eq!(bad.parse::<Kept>(), Err(NotKept(bad.to_owned())));
        }
    }
}
