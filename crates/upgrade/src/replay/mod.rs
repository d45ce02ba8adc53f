//! Asks the old gateway and the new one the same and compares their answers: calls are made up from the source alone (API × operation ×
//! credential × plan), with the tokens that real callers hold. A bounded number of calls is made of each API, always the same ones, at a
//! bounded rate; only verbs that change nothing, unless told otherwise.
//!
//! No token is ever told: a credential is named by its kind, and where an answer repeats a token it is taken out.

mod calls;
mod exchange;
mod likeness;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use self::calls::Call;
use self::exchange::{Answer, Gateway};
use self::likeness::{Body, Likeness};
use crate::plan::PlanError;
use crate::source::Site;
use crate::translate::{Input, Translation};

pub use self::exchange::Trust;
pub use reqwest::Url;

/// Differences told one by one; beyond them only counts are kept.
const TOLD: usize = 200;
/// Characters of a body that are told of a difference.
const SHOWN: usize = 400;

/// Headers of an answer that callers depend on. All others may differ: those of the connection (`Date`, `Server`, `Connection`,
/// `Transfer-Encoding`, `Content-Length`), and what a backend tells anew each time (`Set-Cookie`, `ETag`, identifiers of requests).
pub const HEADERS: [&str; 13] = [
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "www-authenticate",
    "location",
    "allow",
    "cache-control",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
];

/// How to replay.
#[derive(Debug, Clone)]
pub struct How {
    /// Base URL of the old gateway.
    pub old: Url,
    /// Base URL of the new one.
    pub new: Url,
    /// Calls of one API at most.
    pub limit: usize,
    /// Calls a second at most, of each gateway.
    pub rate: NonZeroU32,
    /// Calls with verbs that may change something, too.
    pub unsafe_verbs: bool,
    /// Whose certificates are taken.
    pub trust: Trust,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long a throttled call may wait to be made again.
    pub patience: Duration,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Replayed {
    /// Calls made of both.
    pub calls: u64,
    /// Answered alike.
    pub alike: u64,
    /// Alike but for dates and identifiers.
    pub volatile: u64,
    /// Throttled by one of them however often they were made: they tell nothing.
    pub throttled: u64,
    /// Left without an answer by both.
    pub unanswered: u64,
    /// Answered differently.
    pub differing: u64,
    /// The first of those.
    pub differences: Vec<Unlike>,
    /// Headers that were compared.
    pub headers: Vec<&'static str>,
}

impl Replayed {
    /// Whether both answered all calls that tell anything, and alike.
    pub fn is_equal(&self) -> bool {
        self.differing == 0 && self.unanswered == 0
    }
}

/// One call that was answered differently. Holds no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unlike {
    /// Name and version.
    pub api: String,
    /// Verb.
    pub verb: String,
    /// Path as called.
    pub path: String,
    /// Kind of credential.
    pub credential: String,
    /// What differs: `status`, a header's name or `body`.
    pub what: Vec<String>,
    /// The old gateway's answer.
    pub old: Shown,
    /// The new one's.
    pub new: Shown,
}

/// An answer as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Status; `None` where there was no answer.
    pub status: Option<u16>,
    /// Of the headers that matter, those it has.
    pub headers: BTreeMap<String, String>,
    /// The beginning of its body, or why there was no answer.
    pub body: String,
}

/// Replaying failed before any call.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Reading the source.
    #[error("the old installation's calls cannot be made up")]
    Source(#[from] PlanError),
    /// Certificates or the client.
    #[error("no calls can be made")]
    Client(#[source] reqwest::Error),
}

/// Makes the calls of both gateways and compares. `said` is told after each call how many of how many are made.
///
/// # Errors
///
/// [`ReplayError`]. A gateway that does not answer is no error, but is told.
pub async fn replay(
    translation: &Translation,
    input: &Input<'_>,
    site: &Site,
    how: &How,
    said: &dyn Fn(u64, u64),
) -> Result<Replayed, ReplayError> {
    let calls = calls::of(translation, input, site, how.limit, how.unsafe_verbs).await?;
    let old = Gateway::at(&how.old, how).map_err(ReplayError::Client)?;
    let new = Gateway::at(&how.new, how).map_err(ReplayError::Client)?;
    let mut done = Replayed { headers: HEADERS.to_vec(), ..Replayed::default() };
    let all = u64::try_from(calls.len()).unwrap_or(u64::MAX);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / how.rate.get());
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for call in &calls {
        pace.tick().await;
        let (theirs, ours) = futures_util::join!(old.ask(call), new.ask(call));
        done.calls += 1;
        judge(&mut done, call, &theirs, &ours, &old).await;
        said(done.calls, all);
    }
    Ok(done)
}

async fn judge(done: &mut Replayed, call: &Call, theirs: &Answer, ours: &Answer, old: &Gateway) {
    if let (Answer::None(_), Answer::None(_)) = (theirs, ours) {
        done.unanswered += 1;
        return;
    }
    // A limit that one of them counts and the other does not yet is nobody's fault; one that both know is an answer like any other.
    if theirs.is_throttled() != ours.is_throttled() {
        done.throttled += 1;
        return;
    }
    let mut what = unlike(theirs, ours);
    let (one, two) = (theirs.body(), ours.body());
    match one.like(&two, &BTreeSet::new()) {
        Likeness::Same => {}
        Likeness::Volatile => return settle(done, call, what, theirs, ours, true),
        // What the old gateway itself answers differently the second time is not told by comparing.
        Likeness::Different if call.is_safe() && matches!(one, Body::Parts(_)) => {
            let mut unsteady = BTreeSet::new();
            // Twice, since two backends that take turns show themselves only then.
            for _ in 0..2 {
                let again = old.ask(call).await;
                if again.status() == theirs.status() {
                    unsteady.extend(one.unsteady(&again.body()));
                }
            }
            match one.like(&two, &unsteady) {
                Likeness::Different => what.push("body".to_owned()),
                Likeness::Same | Likeness::Volatile => return settle(done, call, what, theirs, ours, true),
            }
        }
        Likeness::Different => what.push("body".to_owned()),
    }
    settle(done, call, what, theirs, ours, false);
}

fn settle(done: &mut Replayed, call: &Call, what: Vec<String>, theirs: &Answer, ours: &Answer, is_volatile: bool) {
    match (what.is_empty(), is_volatile) {
        (true, true) => done.volatile += 1,
        (true, false) => done.alike += 1,
        (false, _) => {
            done.differing += 1;
            if done.differences.len() < TOLD {
                done.differences.push(Unlike {
                    api: call.api.clone(),
                    verb: call.verb.to_string(),
                    path: call.path.clone(),
                    credential: call.credential.clone(),
                    what,
                    old: theirs.shown(SHOWN),
                    new: ours.shown(SHOWN),
                });
            }
        }
    }
}

/// Which of status and headers differ.
fn unlike(theirs: &Answer, ours: &Answer) -> Vec<String> {
    let status = (theirs.status() != ours.status()).then(|| "status".to_owned());
    let headers = HEADERS.iter().filter(|name| theirs.header(name) != ours.header(name)).map(|name| (*name).to_owned());
    status.into_iter().chain(headers).collect()
}
