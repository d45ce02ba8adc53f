//! What keeps the rooms current with the database.

mod gateway;
mod sequences;

pub use gateway::FeedFault;
pub(crate) use gateway::GatewayFeed;
