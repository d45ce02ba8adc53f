//! Why a mediator failed, before its place is added.

use crate::message::UNREADABLE_BODY;

/// A failure without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: i64,
    pub(crate) message: String,
    /// Said in the log only.
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(message: &str) -> Self {
        Self { code: 0, message: message.to_owned(), detail: String::new() }
    }

    /// A body that is not what its type says. The message is the old product's; the reason goes to the log.
    pub(crate) fn unreadable(reason: &str) -> Self {
        Self { code: UNREADABLE_BODY, message: "Error while building message".to_owned(), detail: reason.to_owned() }
    }
}
