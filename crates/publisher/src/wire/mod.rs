//! The JSON of the publisher's document, and how it becomes model values and back.
//!
//! Field names are the document's. Requests refuse fields it does not have; answers show every field it has, `null` where nothing is
//! known. APIs and documents, which archives hold too, are `archive`'s.

mod api_read;
mod comment;
mod info;
mod lifecycle;
mod policy;
mod revision;
mod settings;

pub(crate) use api_read::{Maker, Sent};
pub(crate) use archive::shape::{Api, Document, Scope, Shown, shown_context};
pub(crate) use comment::comment;
pub(crate) use info::{ApiInfo, SearchHit};
pub(crate) use lifecycle::{LifecycleHistory, LifecycleState, WorkflowResponse};
pub(crate) use policy::{StreamingPolicy, ThrottlingPolicy};
pub(crate) use revision::{Deployment, DeploymentList, Revision, RevisionList};
pub(crate) use settings::{EnvironmentShown, Settings};
