//! Operations on definitions: import, validation, reading and replacing.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use rest::{Asked, Caller, Named, Problem, Upload};
use serde::{Deserialize, Serialize};

use super::apis::made;
use crate::Room;
use crate::definitions::{self, Source};
use crate::wire;

pub(crate) async fn import(State(room): State<Room>, caller: Caller, upload: Upload) -> Result<Response, Problem> {
    let source = source(&upload, "inlineAPIDefinition")?;
    let properties =
        upload.text("additionalProperties")?.ok_or_else(|| Problem::bad_request("The part 'additionalProperties' is missing."))?;
    let sent: wire::Api = serde_json::from_str(properties).map_err(|fault| unreadable(&fault))?;
    made(&definitions::import(&room, &caller, &sent, &source).await?)
}

fn unreadable(fault: &serde_json::Error) -> Problem {
    let words = fault.to_string();
    match words.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        Some(name) => Problem::bad_request(format!("Unrecognized property '{name}'")),
        None => Problem::bad_request(format!("The part 'additionalProperties' is not the JSON of an API: {words}")),
    }
}

/// Exactly one of the three ways to give a definition.
fn source(upload: &Upload, inline: &str) -> Result<Source, Problem> {
    let file = upload.text("file")?.map(|text| Source::Text(text.to_owned()));
    let url = upload.text("url")?.map(|url| Source::Url(url.to_owned()));
    let inline_text = upload.text(inline)?.map(|text| Source::Text(text.to_owned()));
    let mut given = [file, url, inline_text].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(source), None) => Ok(source),
        _ => Err(Problem::bad_request(format!("Give the definition in exactly one of 'file', 'url' and '{inline}'."))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Validate {
    return_content: Option<bool>,
}

/// Schema `OpenAPIDefinitionValidationResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Validation {
    is_valid: bool,
    content: Option<String>,
    info: Option<ValidationInfo>,
    errors: Vec<ValidationError>,
}

#[derive(Serialize)]
struct ValidationInfo {
    name: String,
    version: String,
    context: Option<String>,
    description: Option<String>,
    #[serde(rename = "openAPIVersion")]
    open_api_version: String,
    endpoints: Vec<String>,
}

#[derive(Serialize)]
struct ValidationError {
    code: String,
    message: &'static str,
    description: String,
}

pub(crate) async fn validate(
    State(room): State<Room>,
    _caller: Caller,
    Asked(asked): Asked<Validate>,
    upload: Upload,
) -> Result<Json<Validation>, Problem> {
    let judged = definitions::judge(&room, &source(&upload, "inlineAPIDefinition")?).await;
    Ok(Json(match judged.result {
        Ok(parsed) => Validation {
            is_valid: true,
            content: judged.text.filter(|_| asked.return_content.unwrap_or(false)),
            info: Some(ValidationInfo {
                name: parsed.info.title,
                version: parsed.info.version,
                context: parsed.base_path,
                description: parsed.info.description,
                open_api_version: parsed.version,
                endpoints: parsed.servers,
            }),
            errors: Vec::new(),
        },
        Err(faults) => Validation {
            is_valid: false,
            content: None,
            info: None,
            errors: faults
                .into_iter()
                .map(|fault| ValidationError { code: fault.code.to_string(), message: fault.message, description: fault.description })
                .collect(),
        },
    }))
}

pub(crate) async fn show(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Response, Problem> {
    let definition = definitions::show(&room, &caller, &id).await?;
    let mut response = rest::ok_text("application/json", definition.text);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"swagger.json\""));
    Ok(response)
}

pub(crate) async fn replace(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    headers: HeaderMap,
    upload: Upload,
) -> Result<Response, Problem> {
    let definition = definitions::replace(&room, &caller, &id, &source(&upload, "apiDefinition")?, &headers).await?;
    Ok(rest::ok_text("application/json", definition.text).into_response())
}
