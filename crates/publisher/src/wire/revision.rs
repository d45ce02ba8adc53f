//! Revisions and deployments. Their times are numbers (milliseconds since the epoch), as 4.0.0 sends them and its clients read them,
//! though the document says text.

use serde::{Deserialize, Serialize};

use crate::revisions::Placed;

/// Schema `APIRevision`. Only the description is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Revision {
    /// `Revision 3`.
    pub display_name: Option<String>,
    /// UUID.
    pub id: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Number; whatever a client sends back is passed over.
    #[serde(deserialize_with = "anything")]
    pub created_time: Option<i64>,
    /// The API.
    pub api_info: Option<RevisionApi>,
    /// Where it runs.
    pub deployment_info: Option<Vec<Deployment>>,
}

/// The API of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RevisionApi {
    /// UUID.
    pub id: Option<String>,
}

/// Schema `APIRevisionDeployment`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Deployment {
    /// UUID of the revision; not read.
    pub revision_uuid: Option<String>,
    /// Environment.
    pub name: Option<String>,
    /// Host name.
    pub vhost: Option<String>,
    /// Shown in the developer portal.
    pub display_on_devportal: Option<bool>,
    /// Number; not read.
    #[serde(deserialize_with = "anything")]
    pub deployed_time: Option<i64>,
}

/// Schema `APIRevisionList`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RevisionList {
    /// Number of revisions.
    pub count: usize,
    /// By number.
    pub list: Vec<Revision>,
}

/// Schema `APIRevisionDeploymentList`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeploymentList {
    /// By environment.
    pub list: Vec<Deployment>,
}

impl From<&model::Deployment> for Deployment {
    fn from(deployment: &model::Deployment) -> Self {
        Self {
            revision_uuid: Some(deployment.revision.to_string()),
            name: Some(deployment.environment.clone()),
            vhost: Some(deployment.vhost.clone()),
            display_on_devportal: Some(deployment.display_on_portal),
            deployed_time: Some(deployment.deployed_at.0),
        }
    }
}

impl From<&Placed> for Revision {
    fn from(placed: &Placed) -> Self {
        let Placed { revision, deployments } = placed;
        Self {
            display_name: Some(format!("Revision {}", revision.number)),
            id: Some(revision.id.to_string()),
            description: revision.description.clone(),
            created_time: Some(revision.created_at.0),
            api_info: Some(RevisionApi { id: Some(revision.api.to_string()) }),
            deployment_info: Some(deployments.iter().map(Deployment::from).collect()),
        }
    }
}

impl From<Vec<Placed>> for RevisionList {
    fn from(placed: Vec<Placed>) -> Self {
        Self { count: placed.len(), list: placed.iter().map(Revision::from).collect() }
    }
}

/// Clients send times back as they like; they are the server's to say.
fn anything<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    serde::de::IgnoredAny::deserialize(from).map(|_| None)
}
