//! Schemas `API` and `Document` of the publisher's document: what its door sends and takes, and what archives hold as `data`.
//!
//! Not here: how what a client sent is judged and becomes model values; that is the publisher's.

mod api;
mod api_show;
mod document;
mod secrets;
mod times;

pub use api::{
    Advertise, Api, ApiScope, BusinessInformation, Cors, MaxTps, MediationPolicy, Monetization, Operation, Scope, ThreatProtection, Websub,
};
pub use api_show::{Shown, shown_context};
pub use document::Document;
pub use secrets::{keep as keep_secrets, masked as without_secrets};
pub use times::{iso_time, list_time};
