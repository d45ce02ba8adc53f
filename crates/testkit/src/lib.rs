//! What tests of the whole product share: a server on free ports, in this process or as one of its own; a backend that says what it was
//! asked; a client that knows the way from a registered client to a called API.
//!
//! Panics freely: a test that cannot be set up has failed.

#![allow(clippy::panic, reason = "a test that cannot be set up has failed")]

mod answer;
mod backend;
mod client;
mod house;
mod process;
mod road;
mod scratch;
mod slapd;

pub use answer::Answer;
pub use backend::Backend;
pub use client::{ADMIN_PASSWORD, Caller, Client, Rest};
pub use house::House;
pub use process::{Ended, Process, Setup};
pub use road::{Keys, api};
pub use scratch::{Scratch, with_postgres};
pub use slapd::{Slapd, group, person};

use std::future::Future;
use std::time::{Duration, Instant};

/// Where a server's doors are.
pub trait Place {
    /// URL of a path on the REST port.
    fn rest(&self, path: &str) -> String;
    /// URL of a path on the plain gateway port.
    fn gateway(&self, path: &str) -> String;
    /// URL of a path on the gateway's TLS port.
    fn gateway_tls(&self, path: &str) -> String;
    /// URL of a path on the plain management port.
    fn management(&self, path: &str) -> String;
}

/// Asks again until `found` gives something, for `bound` at most.
///
/// # Panics
/// When it never does; `what` says what was waited for.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, bound: Duration, mut found: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(started.elapsed() < bound, "{what}: not within {bound:?}");
        // Between two looks at something that tells nobody when it changes.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
