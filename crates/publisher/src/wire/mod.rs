//! The JSON of the publisher's document, and how it becomes model values and back.
//!
//! Field names are the document's. Requests refuse fields it does not have; answers show every field it has, `null` where nothing is
//! known.

mod api;
mod api_read;
mod api_show;
mod document;
mod info;
mod lifecycle;
mod policy;
mod revision;
mod settings;
mod times;

pub(crate) use api::{Api, Scope};
pub(crate) use api_read::Maker;
pub(crate) use api_show::{Shown, shown_context};
pub(crate) use document::{Document, comment};
pub(crate) use info::{ApiInfo, SearchHit};
pub(crate) use lifecycle::{LifecycleHistory, LifecycleState, WorkflowResponse};
pub(crate) use policy::{StreamingPolicy, ThrottlingPolicy};
pub(crate) use revision::{Deployment, DeploymentList, Revision, RevisionList};
pub(crate) use settings::{EnvironmentShown, Settings};
