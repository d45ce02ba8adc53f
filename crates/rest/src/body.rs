//! Request bodies: JSON with 4.0.0's complaints, and multipart uploads, both bounded.

use axum::extract::multipart::MultipartRejection;
use axum::extract::{FromRequest, Multipart, Request};
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::Problem;

/// Largest body, the interface documents' bound for uploads.
const BODY_MAX_BYTES: usize = 10 * 1024 * 1024;

/// Largest multipart body: the same, and room for what stands between the parts.
const UPLOAD_MAX_BYTES: usize = BODY_MAX_BYTES + 64 * 1024;

/// Most parts of an upload; no operation has more than a handful.
const PARTS_MAX: usize = 64;

/// A JSON body. The type decides what is allowed; give it `#[serde(deny_unknown_fields)]`, as 4.0.0 refuses what it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Problem::bad_request("Request payload cannot be empty."));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|fault| complain(&fault))
    }
}

async fn read(request: Request) -> Result<Vec<u8>, Problem> {
    match Limited::new(request.into_body(), BODY_MAX_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(fault) if fault.is::<LengthLimitError>() => {
            Err(Problem::too_large(format!("The request body is larger than {BODY_MAX_BYTES} bytes.")))
        }
        Err(_) => Err(Problem::bad_request("The request body ended before it was complete.")),
    }
}

fn complain(fault: &serde_json::Error) -> Problem {
    let words = fault.to_string();
    if let Some(name) = words.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        return Problem::bad_request(format!("Unrecognized property '{name}'"));
    }
    if words.starts_with("unknown variant") {
        return Problem::bad_request("One or more request body parameters contain disallowed values.");
    }
    Problem::bad_request(words)
}

/// A multipart form read whole: parts by name, in order.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    parts: Vec<UploadPart>,
}

/// One part.
#[derive(Debug, Clone)]
pub struct UploadPart {
    /// Form name.
    pub name: String,
    /// File name, when it is a file.
    pub file_name: Option<String>,
    /// Media type, when given.
    pub media_type: Option<String>,
    /// Content.
    pub content: Vec<u8>,
}

impl Upload {
    /// The part of that name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&UploadPart> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The part's text; empty counts as absent.
    ///
    /// # Errors
    /// 400 when it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let Some(part) = self.part(name) else { return Ok(None) };
        let text = std::str::from_utf8(&part.content).map_err(|_| Problem::bad_request(format!("The part '{name}' is not UTF-8 text.")))?;
        Ok((!text.trim().is_empty()).then_some(text))
    }
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // The bound is on the body itself: what stands between parts, or never ends one, is read too.
        let request = request.map(|body| axum::body::Body::new(Limited::new(body, UPLOAD_MAX_BYTES)));
        let mut form = Multipart::from_request(request, state).await.map_err(|fault: MultipartRejection| {
            let status = fault.status();
            if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
                Problem::with_code(status, 415, "Unsupported Media Type", fault.body_text())
            } else {
                Problem::bad_request(fault.body_text())
            }
        })?;
        let mut upload = Self::default();
        let mut total = 0usize;
        let broken = |_| Problem::bad_request("The multipart body is malformed.");
        while let Some(mut field) = form.next_field().await.map_err(broken)? {
            if upload.parts.len() == PARTS_MAX {
                return Err(Problem::too_large(format!("The upload has more than {PARTS_MAX} parts.")));
            }
            let mut part = UploadPart {
                name: field.name().unwrap_or_default().to_owned(),
                file_name: field.file_name().map(str::to_owned),
                media_type: field.content_type().map(str::to_owned),
                content: Vec::new(),
            };
            while let Some(chunk) = field.chunk().await.map_err(broken)? {
                total += chunk.len();
                if total > BODY_MAX_BYTES {
                    return Err(Problem::too_large(format!("The upload is larger than {BODY_MAX_BYTES} bytes.")));
                }
                part.content.extend_from_slice(&chunk);
            }
            upload.parts.push(part);
        }
        Ok(upload)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pizza {
        #[allow(dead_code)]
        size: u32,
    }

    async fn refused(text: &str) -> String {
        let request = Request::builder().body(axum::body::Body::from(text.to_owned())).unwrap();
        Body::<Pizza>::from_request(request, &()).await.unwrap_err().description().to_owned()
    }

    #[tokio::test]
    async fn complaints_are_those_of_4_0_0() {
        assert_eq!(refused("  ").await, "Request payload cannot be empty.");
        assert_eq!(refused(r#"{"size":1,"x":2}"#).await, "Unrecognized property 'x'");
        assert!(refused("{").await.contains("EOF"));
    }
}
