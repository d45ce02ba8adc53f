//! Schema `Document` of the publisher's document.

use serde::{Deserialize, Serialize};

use super::times::iso_time;

/// Schema `Document`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Document {
    /// UUID.
    pub document_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// `HOWTO` …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// For people.
    pub summary: Option<String>,
    /// `INLINE` …
    pub source_type: Option<String>,
    /// Address of the content.
    pub source_url: Option<String>,
    /// Name of the uploaded file.
    pub file_name: Option<String>,
    /// Taken, and not shown: content has an operation of its own.
    pub inline_content: Option<String>,
    /// Names the type `OTHER`.
    pub other_type_name: Option<String>,
    /// `API_LEVEL` …
    pub visibility: Option<String>,
    /// Date and time, UTC.
    pub created_time: Option<String>,
    /// Author.
    pub created_by: Option<String>,
    /// Date and time, UTC.
    pub last_updated_time: Option<String>,
    /// Not kept, as in 4.0.0.
    pub last_updated_by: Option<String>,
}

impl From<&model::Document> for Document {
    fn from(document: &model::Document) -> Self {
        Self {
            document_id: Some(document.id.to_string()),
            name: Some(document.name.clone()),
            kind: Some(document.kind.name().to_owned()),
            summary: document.summary.clone(),
            source_type: Some(document.source.name().to_owned()),
            source_url: document.source_url.clone(),
            file_name: document.file_name.clone(),
            inline_content: None,
            other_type_name: document.other_kind.clone(),
            visibility: Some(document.visibility.name().to_owned()),
            created_time: Some(iso_time(document.created_at)),
            created_by: Some(document.author.clone()),
            last_updated_time: Some(iso_time(document.updated_at)),
            last_updated_by: None,
        }
    }
}
