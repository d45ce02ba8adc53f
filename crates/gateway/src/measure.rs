//! One call's decisions without a connection, so that `benches/policy.rs` can measure what they cost. Nothing that serves calls uses this.

use std::net::IpAddr;

use http::{HeaderMap, Method, Uri};
use model::Timestamp;

use crate::gateway::Gateway;
use crate::respond::{AuthRefusal, Refusal};
use crate::snapshot::{Snapshot, Verb};
use crate::steps::throttle::{Counted, View};
use crate::steps::{authenticate, authorize, route, throttle};

/// Whether a call with a signed token, or on an open resource, would be passed on. It is counted.
#[doc(hidden)]
#[inline(never)]
#[must_use]
pub fn passes(gateway: &Gateway, method: &Method, uri: &Uri, headers: &HeaderMap, client: IpAddr) -> bool {
    decide(gateway, method, uri, headers, client).is_ok()
}

fn decide(gateway: &Gateway, method: &Method, uri: &Uri, headers: &HeaderMap, client: IpAddr) -> Result<(), Refusal> {
    let snapshot = gateway.current.load();
    let snapshot: &Snapshot = &snapshot;
    let now = Timestamp(gateway.clock.now().wall_ms);
    let target = route::read(uri)?;
    let (api, rest) = route::api(snapshot, &target.path)?;
    let resource = route::resource(api, rest, method, gateway.config.precedence)?;
    let operation = Verb::of(method).and_then(|verb| resource.operation(verb)).ok_or(Refusal::WrongVerb)?;
    let mut caller = None;
    if !operation.open {
        let (header, shown) = gateway.token_header(api);
        let token = authenticate::bearer(headers, header, shown).map_err(Refusal::Auth)?;
        let believed = gateway.verifier.signed(token, api, snapshot, now).map_err(Refusal::Auth)?;
        let authorized = authorize::authorize(snapshot, api, &resource.template, operation, &believed, headers, &gateway.site_header);
        caller = Some(authorized.map_err(|refusal: AuthRefusal| Refusal::Auth(refusal))?);
    }
    let counted = Counted { api, operation, caller: caller.as_ref(), client, now, bytes: Some(0) };
    let view = View { headers: None, query: None, claims: None, client };
    throttle::admit(&counted, &view, snapshot, &gateway.counters).map(drop).map_err(Refusal::Throttle)
}
