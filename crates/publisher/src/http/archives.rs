//! Operations on project archives.

use archive::Format;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use rest::{Asked, Caller, Problem, Shown, Upload};
use serde::Deserialize;

use crate::Room;
use crate::archives::{self, How, Picked};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    api_id: Option<String>,
    name: Option<String>,
    version: Option<String>,
    revision_number: Option<String>,
    provider_name: Option<String>,
    format: Option<String>,
    preserve_status: Option<bool>,
    latest_revision: Option<bool>,
}

pub(crate) async fn export(
    State(room): State<Room>,
    caller: Caller,
    Asked(asked): Asked<Export>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let picked = match given(asked.revision_number) {
        _ if asked.latest_revision.unwrap_or(false) => Picked::Latest,
        None => Picked::WorkingCopy,
        Some(number) => Picked::Revision(number.parse().map_err(|_| Problem::bad_request("revisionNumber must be a number."))?),
    };
    let wanted = archives::Asked {
        id: given(asked.api_id),
        name: given(asked.name),
        version: given(asked.version),
        provider: given(asked.provider_name),
        picked,
        preserve_status: asked.preserve_status.unwrap_or(true),
        format: Format::parse(asked.format.as_deref()).ok_or_else(|| Problem::bad_request("format must be JSON or YAML."))?,
    };
    let (name, bytes) = archives::export(&room, &caller, &wanted).await?;
    let tag = db::files::sha256(&bytes);
    Ok(rest::ok_file(&headers, "application/zip", Shown::Attachment(&name), &tag, bytes))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Import {
    preserve_provider: Option<bool>,
    rotate_revision: Option<bool>,
    overwrite: Option<bool>,
}

/// 200 with 4.0.0's sentence, and what of the archive has no home here.
pub(crate) async fn import(
    State(room): State<Room>,
    caller: Caller,
    Asked(asked): Asked<Import>,
    upload: Upload,
) -> Result<Response, Problem> {
    let file = upload.part("file").ok_or_else(|| Problem::bad_request("The upload has no part 'file'."))?;
    let how = How {
        preserve_provider: asked.preserve_provider.unwrap_or(true),
        rotate_revision: asked.rotate_revision.unwrap_or(false),
        overwrite: asked.overwrite.unwrap_or(false),
    };
    let archives::Imported { left } = archives::import(&room, &caller, &file.content, how).await?;
    let mut words = "API imported successfully.".to_owned();
    if !left.is_empty() {
        words.push_str(&format!(" Not taken over: {}.", left.join(", ")));
    }
    Ok(rest::ok_text("text/plain; charset=utf-8", words).into_response())
}
