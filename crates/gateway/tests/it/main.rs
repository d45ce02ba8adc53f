//! The gateway from outside: real sockets, a scripted backend, raw bytes where bytes matter.

// The lints' exception for tests does not reach helper functions beside them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bench;
mod calls;
mod continuity;
mod errors;
mod framing;
mod mediation;
mod rules;
mod sign_in;
mod support;
mod tls;
mod upstream;
