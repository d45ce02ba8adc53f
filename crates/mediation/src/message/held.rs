//! What a message carries from its request to its answer for mediators that look at both: a place among those that pass at once, an answer
//! that a cache waits for, copies that were sent off.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::mediators::cache::Awaited;
use crate::run::Sent;

/// Things of a message that no mediator can name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) permits: Vec<Arc<Permit>>,
    pub(crate) awaited: Option<Arc<Awaited>>,
    /// Copies that the programs which ran sent off.
    pub(crate) sent: Vec<Sent>,
}

/// A place among those that pass at once, given back when the last copy of the message is gone.
pub(crate) struct Permit {
    taken: Arc<AtomicU32>,
}

impl Permit {
    /// For a place that was counted.
    pub(crate) fn new(taken: Arc<AtomicU32>) -> Self {
        Self { taken }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
