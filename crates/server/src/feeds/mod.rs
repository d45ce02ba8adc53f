//! What keeps the rooms current with the database.

mod gateway;

pub(crate) use gateway::{FeedFault, GatewayFeed};
