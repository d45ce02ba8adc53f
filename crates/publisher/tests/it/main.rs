//! The publisher's door from outside: requests in, answers out, over a database of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

mod apis;
mod archives;
mod definitions;
mod documents;
mod house;
mod lifecycle;
mod operations;
mod revisions;
mod scopes;
mod shapes;
