//! Spending several quotas for one call: all or none.

use model::Timestamp;

use crate::counter::Ticket;
use crate::{Cost, Counter, Refused};

/// What one call took of several counters.
#[derive(Debug)]
pub struct Taken<'a>(Vec<(&'a Counter, Ticket)>);

impl Taken<'_> {
    /// Undoes it, when the call is refused after all.
    pub fn give_back(self) {
        for (counter, ticket) in self.0 {
            counter.give_back(ticket);
        }
    }
}

/// Counts one call against every counter, or, when one of them refuses, against none: a refused call counts nowhere.
///
/// All are asked before any is touched, so a call that is refused anyway does not for a moment take what another could have had; only
/// calls that race for the last piece of different quotas can still hinder one another, and then one is refused too many, never admitted.
///
/// # Errors
/// Position of the first counter that refused, and its refusal.
pub fn take_all<'a>(counters: &[&'a Counter], now: Timestamp, cost: Cost) -> Result<Taken<'a>, (usize, Refused)> {
    for (position, counter) in counters.iter().enumerate() {
        counter.check(now).map_err(|refused| (position, refused))?;
    }
    let mut taken = Taken(Vec::with_capacity(counters.len()));
    for (position, counter) in counters.iter().enumerate() {
        match counter.admit(now, cost) {
            Ok(ticket) => taken.0.push((counter, ticket)),
            Err(refused) => {
                taken.give_back();
                return Err((position, refused));
            }
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use model::Limit;

    use super::*;
    use crate::Quota;

    #[test]
    fn a_call_refused_at_one_level_counts_at_none() {
        let counters = [10, 1].map(|limit| Counter::new(Quota::of(&Limit::per_minute(limit)).unwrap()));
        let [wide, narrow] = &counters;
        let now = Timestamp(1);
        assert!(take_all(&[wide, narrow], now, Cost::default()).is_ok());
        assert_eq!(take_all(&[wide, narrow], now, Cost::default()).map(drop), Err((1, Refused { until: Timestamp(60_000) })));
        assert_eq!(wide.spent().used, 1);
    }

    #[test]
    fn threads_that_share_several_levels_pass_the_narrowest_limit_at_most() {
        let counters = [300, 200, 250].map(|limit| Counter::new(Quota::of(&Limit::per_minute(limit)).unwrap()));
        let levels: Vec<&Counter> = counters.iter().collect();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..500).filter(|_| take_all(&levels, Timestamp(1), Cost::default()).is_ok()).count()))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(passed, 200);
        assert!(counters.iter().all(|c| c.spent().used == 200));
    }
}
