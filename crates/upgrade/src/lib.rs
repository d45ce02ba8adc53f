//! Takes over an old installation of WSO2 API Manager, 1.8.0 to 2.6.0, in one verified step.
//!
//! The road: [`source`] opens its databases and folder and [`old`] reads them as they are; [`translate`] turns old records into ours,
//! with findings and an account of every row; [`plan`] holds that against the target; [`apply`] writes it in batches that can be
//! repeated and resumed; [`verify`] reads both sides anew and compares; [`report`] tells. Nothing is ever written to the source, and
//! nothing to the target before all of it is translated and nothing forbids it.
//!
//! It skips the rooms on purpose: it must keep ids, dates and hashes, and must not send mail or start approvals.

pub mod old;
pub mod source;
pub mod translate;

pub mod apply;
mod asking;
pub mod catch_up;
pub mod changes;
pub mod digests;
pub mod environments;
pub mod export;
mod files;
pub mod fingerprint;
pub mod journal;
mod opened;
pub mod packed;
pub mod plan;
pub mod plan_file;
pub mod replay;
pub mod report;
pub mod rollback;
pub mod stakes;
pub mod target;
pub mod verify;

pub use asking::ask_user_stores;
pub use opened::{Old, OpenError, Place};
