//! The developer portal: `/api/am/devportal/v2`. Developers find APIs, keep applications, subscribe them, and get keys.
//!
//! Not here: what a publisher does with an API, whether a call passes, and OAuth2 itself (`keys`, at whose desk this room asks for
//! clients and tokens).
//!
//! A decision is one write transaction: what it rests on is read in the transaction that records it.

mod applications;
mod approvals;
mod archives;
mod browse;
mod definition;
mod documents;
mod entry;
mod feedback;
mod groups;
mod key_managers;
mod keys_of;
mod me;
mod plans;
mod room;
mod settings;
mod show;
mod subscriptions;
mod urls;
mod visitor;

use std::sync::Arc;

use axum::Router;
use rest::{Access, Authenticate, Door, DoorOperation};

pub use room::{Clock, Config, PasswordRefused, Passwords, Room};

/// Where the hall nests this door.
pub const BASE: &str = "/api/am/devportal/v2";

const SUBSCRIBE: Access = Access::Scopes(&["apim:subscribe"]);
const APPLICATIONS: Access = Access::Scopes(&["apim:app_manage", "apim:subscribe"]);
const SUBSCRIPTIONS: Access = Access::Scopes(&["apim:sub_manage", "apim:subscribe"]);

/// The finished door, to be nested under [`BASE`].
pub fn door(room: Room, authenticate: Arc<dyn Authenticate>) -> Router {
    build(authenticate).finish(room)
}

/// Every operation with its access rule, for tests that walk them.
pub fn operations(authenticate: Arc<dyn Authenticate>) -> Vec<DoorOperation> {
    build(authenticate).operations().to_vec()
}

fn build(authenticate: Arc<dyn Authenticate>) -> Door<Room> {
    let door = browse::routes(Door::new(authenticate));
    let door = documents::routes(door);
    let door = feedback::routes(door);
    let door = plans::routes(door);
    let door = applications::routes(door);
    let door = archives::routes(door);
    let door = keys_of::routes(door);
    let door = key_managers::routes(door);
    let door = subscriptions::routes(door);
    let door = settings::routes(door);
    me::routes(door)
}
