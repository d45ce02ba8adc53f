//! What tests of the whole product share: a server on free ports with a data directory of its own, a backend that says what it was asked,
//! and a client that knows the way from a registered client to a token.
//!
//! Panics freely: a test that cannot be set up has failed.

mod backend;
mod client;
mod house;

pub use backend::Backend;
pub use client::Rest;
pub use house::House;
