//! The admin room: `/api/am/admin/v2`. Throttling policies, deny policies, approvals, environments, applications' owners, REST scopes; and, beyond what 4.0.0's
//! document has, users, roles, tenants, user stores and what is kept of an old installation's ways (`docs/reference/admin-extensions.md`).
//!
//! Not here: key managers other than our own: this server has none of them yet, and an operation that is not served answers 404 rather than pretending.

mod applications;
mod continuity;
mod deny;
mod entry;
mod environments;
mod people;
mod policies;
mod room;
mod scopes;
mod settings;
mod tenants;
mod user_stores;
mod workflows;

use std::sync::Arc;

use axum::Router;
use rest::{Authenticate, Door, DoorOperation};

pub use room::{Clock, Room};

/// Where the hall nests this door.
pub const BASE: &str = "/api/am/admin/v2";

/// The finished door, to be nested under [`BASE`].
pub fn door(room: Room, authenticate: Arc<dyn Authenticate>) -> Router {
    build(authenticate).finish(room)
}

/// Every operation with its access rule, for tests that walk them.
pub fn operations(authenticate: Arc<dyn Authenticate>) -> Vec<DoorOperation> {
    build(authenticate).operations().to_vec()
}

fn build(authenticate: Arc<dyn Authenticate>) -> Door<Room> {
    let door = policies::routes(Door::new(authenticate));
    let door = deny::routes(door);
    let door = workflows::routes(door);
    let door = environments::routes(door);
    let door = applications::routes(door);
    let door = scopes::routes(door);
    let door = people::routes(door);
    let door = tenants::routes(door);
    let door = continuity::routes(door);
    let door = user_stores::routes(door);
    settings::routes(door)
}
