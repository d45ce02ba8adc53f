//! What is known of a call so far: what its answer's headers and its record need.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use mediation::Properties;

use crate::clock::Now;
use crate::snapshot::{ApiEntry, Verbs};
use crate::steps::authorize::Caller;
use crate::steps::cors;

/// See the module head.
pub(crate) struct Call {
    pub(crate) now: Now,
    pub(crate) correlation: HeaderValue,
    pub(crate) api: Option<Arc<ApiEntry>>,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) verbs: Verbs,
    pub(crate) asked: cors::Asked,
    pub(crate) caller: Option<Caller>,
    pub(crate) code: Option<&'static str>,
    pub(crate) backend_latency: Option<Duration>,
    /// What sequences of the API left behind when one of them failed.
    pub(crate) left: Left,
}

/// What is left of an API's sequences after a failure, for whoever answers for it.
#[derive(Default)]
pub(crate) enum Left {
    /// None ran.
    #[default]
    Nothing,
    /// The properties that they set. No sequence has answered for the failure yet.
    Properties(Box<Properties>),
    /// The API's own fault sequence ran: no other is asked.
    FaultRan,
}

impl Call {
    pub(crate) fn new(now: Now, correlation: HeaderValue) -> Self {
        Self {
            now,
            correlation,
            api: None,
            template: None,
            verbs: Verbs::default(),
            asked: cors::Asked::default(),
            caller: None,
            code: None,
            backend_latency: None,
            left: Left::Nothing,
        }
    }
}
