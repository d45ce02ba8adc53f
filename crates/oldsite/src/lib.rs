//! Makes a sample installation of the product people migrate from, version 1.9.1: its three databases as dump text
//! and its files. The demo upgrades it and then calls it; the upgrade's tests read it.
//!
//! Everything here is of our own writing, and only its *shape* follows the old product. The crate connects to
//! nothing and knows nothing of Tidegate: it plays the other side, so that the upgrade is tested against text it
//! did not write itself.
//!
//! The road: [`Site`] holds nouns ([`Site::sample`], [`Site::generated`]); [`databases`] turns nouns into rows and
//! adds the asked [`Dirt`]; [`mysql`] and [`postgres`] print rows as dumps; [`Site::write`] puts dumps and files
//! into a folder.

mod am;
mod artifacts;
mod canaries;
mod config;
mod credentials;
mod dirt;
mod encrypted;
mod generated;
mod json;
mod oauth;
mod registry;
mod rows;
mod sample;
mod schema;
mod seed;
mod site;
mod synapse;
mod users;
mod versions;
mod write;

pub mod mysql;
pub mod postgres;

pub use canaries::Canary;
pub use credentials::Credentials;
pub use dirt::Dirt;
pub use encrypted::encrypted;
pub use generated::Size;
pub use rows::{Rows, Value};
pub use schema::{Column, ColumnType, Database, Table, Version, tables, tables_of};
pub use seed::{password_digest, salt};
pub use site::{
    Api, Application, Balance, Client, Comment, Document, DocumentSource, Endpoint, Key, Resource, Role, Scope, Site, Status, Subscription,
    Tenant, Tier, Token, TokenKind, User, UserStore, Workflow,
};
pub use write::{Dialect, Link, Links, WriteError, Written};

/// The rows of one installation, by database.
#[derive(Debug, Clone, Default)]
pub struct Databases {
    /// AM_*, IDN_*, SP_* and IDP*: the API Manager database.
    pub am: Rows,
    /// UM_*: the user database.
    pub user: Rows,
    /// REG_*: the registry database.
    pub registry: Rows,
}

/// Builds every row of `site`, its dirt included.
pub fn databases(site: &Site) -> Databases {
    let mut built = Databases { am: am::rows(site), user: users::rows(site), registry: registry::rows(site) };
    for dirt in &site.dirt {
        dirt.soil(site, &mut built);
    }
    versions::told_anew(site, built)
}
