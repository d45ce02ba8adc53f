//! Delivers the outbox: "this thing changed", never how.
//!
//! A reader asks for what comes after the number it last saw. Changes committed by this process wake it at once; those of other
//! processes on the same database are found by looking every [`POLL`]. What changed is for the reader to read again: an event holds no
//! content, so a late, repeated or merged event can do no harm.

use std::collections::HashSet;
use std::time::Duration;

use db::Db;
use db::outbox::{Change, Thing};
use tokio::sync::watch;

/// How often other processes' changes are looked for.
pub const POLL: Duration = Duration::from_millis(500);

/// Most changes delivered at a time.
const BATCH: u32 = 1_000;

/// Reads the outbox in order.
pub struct Courier {
    db: Db,
    seen: i64,
    wake: watch::Receiver<i64>,
}

/// Changes up to a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Number of the last change in it.
    pub upto: i64,
    /// What changed, each thing once.
    pub changes: Vec<Change>,
}

impl Courier {
    /// Starts after change number `seen`. Take that number from [`db::outbox::head`] *before* reading the state it describes: what is
    /// committed in between is then delivered again, which does no harm, instead of lost.
    #[must_use]
    pub fn after(db: Db, seen: i64) -> Self {
        let wake = db.changes();
        Self { db, seen, wake }
    }

    /// Waits for changes and returns them.
    ///
    /// # Errors
    /// The database's; nothing is lost, the next call asks again from the same place.
    pub async fn next(&mut self) -> Result<Delivery, db::Error> {
        loop {
            self.wake.borrow_and_update();
            if let Some(delivery) = self.look().await? {
                return Ok(delivery);
            }
            // A closed channel cannot be: `self.db` holds its sender. Either way the poll below goes on.
            tokio::select! {
                _ = self.wake.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Delivery>, db::Error> {
        let mut tx = self.db.read().await?;
        let rows = db::outbox::after(&mut tx, self.seen, BATCH).await?;
        let Some(upto) = rows.last().map(|(seq, _)| *seq) else { return Ok(None) };
        self.seen = upto;
        let mut met: HashSet<(Thing, String)> = HashSet::new();
        let changes = rows.into_iter().map(|(_, change)| change).filter(|change| met.insert((change.thing, change.id.clone()))).collect();
        Ok(Some(Delivery { upto, changes }))
    }
}
