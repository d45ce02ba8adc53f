//! What keeps the rooms current with the database.

mod gateway;

pub use gateway::FeedFault;
pub(crate) use gateway::GatewayFeed;
