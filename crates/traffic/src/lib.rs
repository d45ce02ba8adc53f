//! Quotas, bursts and conditions: pure arithmetic on what was spent and what time it is.
//!
//! Nothing here knows of policies' names, of keys or of where counters are kept; the gateway does. No clock: the caller passes `now`. No
//! lock: a [`Counter`] is one atomic number, and still exact: of all calls in one window, from any number of threads, just `limit` pass.
//! Rules of a site's own are read here as well ([`Rule`]): what they say, not who keeps them.
//! Expressions are compiled by the caller ([`Matcher`]), so that no expression engine lives on this floor.

mod burst;
mod condition;
mod counter;
mod ip;
mod quota;
mod rule;

pub use burst::{Burst, BurstCounter, BurstTicket, MAX_BURST};
pub use condition::{Compile, ConditionFault, Group, Matcher, Seen, first_match};
pub use counter::{Counter, Ticket};
pub use ip::{IpFault, IpRange};
pub use quota::{Cost, NoQuota, Quota, Refused, Spent, Window, window};
pub use rule::{Asked, Attribute, KeysOf, MAX_QUERY_BYTES, Place, Property, Rule, RuleFault, RuleLimit};
