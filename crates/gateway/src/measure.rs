//! One call's decisions without a connection, so that `benches/policy.rs` can measure what they cost. Nothing that serves calls uses this.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::request::Parts;

use crate::call::Call;
use crate::gateway::Gateway;
use crate::listener::Peer;
use crate::pipeline::{Looked, Start, begin};

/// A client whose calls are decided and counted, and go nowhere.
#[doc(hidden)]
pub struct Decisions {
    peer: Peer,
}

impl Decisions {
    #[must_use]
    pub fn of(gateway: &Arc<Gateway>, client: IpAddr) -> Self {
        Self { peer: Peer::new(Arc::clone(gateway), client, false) }
    }

    /// Whether a call without a body, with a signed token or on an open resource, would be passed on.
    #[inline(never)]
    #[must_use]
    pub fn pass(&self, parts: &Parts) -> bool {
        let gateway = &*self.peer.gateway;
        let mut call = Call::new(gateway.clock.now(), HeaderValue::from_static("bench"));
        matches!(begin(gateway, &self.peer, &mut call, parts, Some(0), Looked::default()), Ok(Start::Pass(_)))
    }
}
