//! Where a message is sent other than to the API's own backend.

use std::time::Duration;

/// A place to send to, with the placeholders of its address filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Absolute address.
    pub uri: String,
    /// Verb it demands; otherwise the message's.
    pub method: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Name of the endpoint, for logs; empty for one without.
    pub name: String,
}
