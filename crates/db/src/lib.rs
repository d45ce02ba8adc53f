//! Tidegate's own database: the only crate that touches it.
//!
//! One file per noun, each with the plain verbs `insert`, `find`, `list`, `update`, `delete` over a [`Tx`] the caller owns, so that a
//! decision and its record commit together. The same SQL text runs on SQLite and PostgreSQL; which of the two is underneath is known
//! only to `tx`. What the gateway must hear about is noted in the [`outbox`] by the verb itself, so nobody can forget to.
//!
//! No rule lives here beyond what a schema can say (unique, belongs to): rules are `model`'s, decisions are the rooms'.

mod codec;
mod error;
mod migrate;
mod open;
mod seal;
mod sql;
mod tx;
mod url;

pub mod apis;
pub mod applications;
pub mod bootstrap;
pub mod bulk;
pub mod clients;
pub mod comments;
pub mod continuity;
pub mod deny_policies;
pub mod deployments;
pub mod documents;
pub mod environments;
pub mod facts;
pub mod filed;
pub mod files;
pub mod home;
pub mod journal;
pub mod key_mappings;
pub mod lifecycle_events;
pub mod origins;
pub mod outbox;
pub mod policies;
pub mod ratings;
pub mod rest_scopes;
pub mod revisions;
pub mod roles;
pub mod scopes;
pub mod sequences;
pub mod served;
pub mod signing_keys;
pub mod source_sums;
pub mod subscriptions;
pub mod tenant_settings;
pub mod tenants;
pub mod tokens;
pub mod user_stores;
pub mod users;
pub mod workflows;

pub use error::{Cause, Error};
pub use open::Db;
pub use seal::Sealer;
pub use tx::Tx;
pub use url::{DbUrl, UrlFault};

/// The result of every verb here.
pub type Result<T> = std::result::Result<T, Error>;

/// One page of a longer list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// This page's items, in the list's order.
    pub items: Vec<T>,
    /// How many the whole list has.
    pub total: u64,
}
