//! The steps of a call, in the order [`crate::pipeline`] takes them. Each is a function of the call and the snapshot; only `forward` waits.

pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod cors;
pub(crate) mod forward;
pub(crate) mod rewrite;
pub(crate) mod route;
mod ruled;
pub(crate) mod sign_in;
pub(crate) mod tell;
pub(crate) mod throttle;
