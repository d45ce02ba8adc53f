//! The side of the house that faces the backends: connections, and HTTP/1.1 as their client.
//!
//! hyper speaks to the clients; here we speak ourselves. A general client keeps requests as values, hands them to a task through channels
//! and builds every head twice, which cost a call as much as all the rest of the gateway (docs/bench.md). Here a head is written straight
//! from the client's headers into the connection's buffer, and whoever makes a call drives its connection.
//!
//! Where a message ends is decided in `head` and `coding`, which know nothing of connections. What is ambiguous (RFC 9112, 6.3 and 11) is
//! refused, and no connection is used again after anything that was not wholly as it should be.

mod coding;
mod head;
mod link;
mod pool;
mod wire;

pub(crate) use coding::{BadCoding, Decoder, Piece};
pub(crate) use head::AnswerHead;
pub(crate) use link::{Expectation, Fault, Link};
pub(crate) use pool::{ConnectFault, Pool};
pub(crate) use wire::write_few;
