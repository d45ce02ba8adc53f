//! List items: schema `APIInfo`, and what unified search shows of an API.

use serde::Serialize;

use archive::shape::{list_time, shown_context};

/// An API in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiInfo {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Context without the version at its end.
    pub context: String,
    /// Version.
    pub version: String,
    /// Who made it.
    pub provider: String,
    /// `HTTP` …
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `CREATED` …
    pub life_cycle_status: &'static str,
    /// State of a pending approval; none is ever pending here.
    pub workflow_status: Option<String>,
    /// Whether it has a picture.
    pub has_thumbnail: bool,
    /// `oauth2` …
    pub security_scheme: Vec<String>,
    /// Date and time, UTC.
    pub created_time: String,
    /// Date and time, UTC.
    pub updated_time: String,
}

impl From<&model::Api> for ApiInfo {
    fn from(api: &model::Api) -> Self {
        Self {
            id: api.id.to_string(),
            name: api.name.clone(),
            description: api.description.clone(),
            context: shown_context(api),
            version: api.version.clone(),
            provider: api.provider.clone(),
            kind: api.kind.name(),
            life_cycle_status: api.state.name(),
            workflow_status: None,
            has_thumbnail: false,
            security_scheme: api.security_scheme.clone(),
            created_time: list_time(api.created_at),
            updated_time: list_time(api.updated_at),
        }
    }
}

/// An API found by unified search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchHit {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// `API`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `HTTP` …
    pub transport_type: &'static str,
    /// Free text.
    pub description: Option<String>,
    /// Context without the version at its end.
    pub context: String,
    /// Version.
    pub version: String,
    /// Who made it.
    pub provider: String,
    /// `CREATED` …
    pub status: &'static str,
    /// Where its picture is.
    pub thumbnail_uri: Option<String>,
}

impl From<&model::Api> for SearchHit {
    fn from(api: &model::Api) -> Self {
        Self {
            id: api.id.to_string(),
            name: api.name.clone(),
            kind: "API",
            transport_type: api.kind.name(),
            description: api.description.clone(),
            context: shown_context(api),
            version: api.version.clone(),
            provider: api.provider.clone(),
            status: api.state.name(),
            thumbnail_uri: None,
        }
    }
}
