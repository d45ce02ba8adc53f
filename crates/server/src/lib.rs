//! The hall: reads the configuration, builds the rooms, binds the ports, feeds the gateway, and drains.
//!
//! Nothing is decided here that a room could decide. The order of a start: open the installation, make what is missing, build the rooms,
//! bind every port, fill the gateway, then say ready. A fault in any of these ends the start with words that say what to do.

mod authenticate;
pub mod clock;
mod cors;
mod doorway;
mod feeds;
mod first_start;
mod gateway_config;
mod hall;
mod health;
mod housekeeping;
pub mod logs;
mod opaque;
mod options;
mod own_desk;
mod own_gateway;
mod passwords;
mod portals;
mod served;
mod spent;
mod tls;
mod user_claims;

pub use doorway::PortFault;
pub use feeds::FeedFault;
pub use first_start::admin_password_from_environment;
pub use hall::{Addresses, Running, Start, StartFault, start};
pub use model::{Secret, Timestamp};
pub use options::{ConfigFault, LogFormat, OPTIONS, OptionDoc, OptionFault, Options};
pub use tls::TlsFault;
