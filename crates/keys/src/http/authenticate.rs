//! Which client is asking, or which user.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use model::{OAuthClient, Secret};

use super::params::Params;
use crate::{Desk, Refusal};

/// Longest `Authorization` header looked at, in bytes.
const HEADER_MAX_BYTES: usize = 16 * 1024;

/// Longest client id looked up and repeated in an answer.
const CLIENT_ID_MAX_BYTES: usize = 255;

/// Name and password of an `Authorization: Basic` header.
pub(super) struct Basic {
    pub(super) name: String,
    pub(super) password: Secret<String>,
}

/// Reads the header. `None`: there is none, or of another scheme.
pub(super) fn basic(headers: &HeaderMap) -> Result<Option<Basic>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let malformed = || Refusal::InvalidClient("Client Authentication failed.".to_owned());
    if value.len() > HEADER_MAX_BYTES || headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(malformed());
    }
    let value = value.to_str().map_err(|_| malformed())?;
    let Some((scheme, encoded)) = value.split_once(' ') else { return Err(malformed()) };
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Ok(None);
    }
    let text = BASE64_STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (name, password) = text.as_deref().and_then(|text| text.split_once(':')).ok_or_else(malformed)?;
    Ok(Some(Basic { name: name.to_owned(), password: Secret::new(password.to_owned()) }))
}

/// The access token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// Authenticates the client by header or body, never by both (RFC 6749, 2.3).
pub(super) async fn client(desk: &Desk, headers: &HeaderMap, params: &Params) -> Result<OAuthClient, Refusal> {
    let (id, secret) = match basic(headers)? {
        Some(Basic { name, password }) => {
            if params.get("client_secret").is_some() || params.get("client_id").is_some_and(|other| other != name) {
                let words = "The client MUST NOT use more than one authentication method in each request.";
                return Err(Refusal::InvalidRequest(words.to_owned()));
            }
            (name, password)
        }
        None => match (params.get("client_id"), params.get("client_secret")) {
            (Some(id), Some(secret)) => (id.to_owned(), Secret::new(secret.to_owned())),
            _ => return Err(Refusal::InvalidClient("Client Authentication failed.".to_owned())),
        },
    };
    if id.is_empty() || id.len() > CLIENT_ID_MAX_BYTES {
        return Err(Refusal::InvalidClient("Client Authentication failed.".to_owned()));
    }
    let unknown = || Refusal::InvalidClient(format!("A valid OAuth client could not be found for client_id: {id}"));
    let client = desk.find_client(&id).await?.filter(|client| client.active).ok_or_else(unknown)?;
    if !same(client.secret.expose(), secret.expose()) {
        return Err(Refusal::InvalidClient("Client Authentication failed.".to_owned()));
    }
    let tenant = db::tenants::find(&mut desk.db.read().await?, client.tenant).await?;
    if !tenant.is_some_and(|tenant| tenant.active) {
        return Err(unknown());
    }
    Ok(client)
}

/// Compares without telling by time where two secrets differ, or how long they are. An empty stored secret fits nothing.
fn same(stored: &str, shown: &str) -> bool {
    let equal = verify_slices_are_equal(digest(&SHA256, stored.as_bytes()).as_ref(), digest(&SHA256, shown.as_bytes()).as_ref()).is_ok();
    equal && !stored.is_empty()
}
