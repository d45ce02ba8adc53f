//! Makes tokens. Pure of the database: what is made here is written by the grant that asked for it.

use model::{IssuedToken, OAuthClient, Secret, Timestamp, TokenFormat, TokenHolder, TokenId, TokenState, TokenText};
use serde_json::{Map, Value, json};
use token::{Header, SigningKey};

use crate::{Settings, SignerError};

/// Seconds told to a client whose token never expires: the largest number of 4.0.0's milliseconds.
const FOR_EVER_SECS: i64 = i64::MAX / 1000;

/// What is to be made.
pub(crate) struct Order<'a> {
    pub(crate) client: &'a OAuthClient,
    pub(crate) holder: TokenHolder,
    pub(crate) scopes: Vec<String>,
    pub(crate) grant: &'static str,
    /// Lifetime instead of the client's, in seconds; negative is for ever.
    pub(crate) lifetime_secs: Option<i64>,
    pub(crate) with_refresh: bool,
}

/// A pair as its client receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The access token.
    pub access_token: Secret<String>,
    /// The refresh token, where the grant gives one.
    pub refresh_token: Option<Secret<String>>,
    /// Seconds the access token has left; a very large number when it never expires.
    pub expires_in: i64,
    /// Scopes granted.
    pub scopes: Vec<String>,
    /// The id token, when `openid` was granted to a user.
    pub id_token: Option<Secret<String>>,
}

impl Issued {
    /// A pair made earlier, given again. `None` for a JWT, of which only the id was kept.
    pub(crate) fn again(token: &IssuedToken, now: Timestamp) -> Option<Self> {
        let TokenText::Opaque(access) = &token.access else { return None };
        Some(Self {
            access_token: access.clone(),
            refresh_token: token.refresh.clone(),
            expires_in: remaining_secs(token.expires_at, now),
            scopes: token.scopes.clone(),
            id_token: None,
        })
    }
}

/// Makes a pair: the row to keep, and what the client receives.
///
/// # Errors
/// [`SignerError::Key`].
pub(crate) fn make(order: Order<'_>, settings: &Settings, key: &SigningKey, now: Timestamp) -> Result<(IssuedToken, Issued), SignerError> {
    let expires_at = end(now, order.lifetime_secs.unwrap_or_else(|| access_secs(order.client, &order.holder, settings)));
    let jti = token::random::uuid_text();
    let (access, access_token) = match order.client.token_format {
        TokenFormat::Opaque => (TokenText::Opaque(Secret::new(jti.clone())), Secret::new(jti)),
        TokenFormat::Jwt => {
            let claims = access_claims(&order, settings, &jti, now, expires_at);
            (TokenText::Jti(jti), Secret::new(key.sign(&Header::access_token(), &claims)?))
        }
    };
    let id_token = match &order.holder {
        TokenHolder::User { user } if order.scopes.iter().any(|scope| scope == "openid") => {
            Some(Secret::new(key.sign(&Header::access_token(), &id_claims(&order, user, settings, access_token.expose(), now))?))
        }
        _ => None,
    };
    let refresh = order.with_refresh.then(|| Secret::new(token::random::uuid_text()));
    let refresh_secs = configured(order.client.lifetimes.refresh_secs).unwrap_or(settings.refresh_token_secs);
    let row = IssuedToken {
        id: TokenId::random(),
        client: order.client.id.clone(),
        tenant: order.client.tenant,
        holder: order.holder,
        scopes: order.scopes.clone(),
        grant: Some(order.grant.to_owned()),
        access,
        issued_at: now,
        expires_at,
        refresh_expires_at: refresh.as_ref().and_then(|_| end(now, refresh_secs)),
        refresh: refresh.clone(),
        state: TokenState::Active,
    };
    let expires_in = remaining_secs(expires_at, now);
    Ok((row, Issued { access_token, refresh_token: refresh, expires_in, scopes: order.scopes, id_token }))
}

fn access_claims(order: &Order<'_>, settings: &Settings, jti: &str, now: Timestamp, expires_at: Option<Timestamp>) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    put("sub", json!(order.holder.user()));
    put("aut", json!(order.holder.aut()));
    put("aud", json!(order.client.id));
    put("nbf", json!(now.secs()));
    put("azp", json!(order.client.id));
    put("scope", json!(order.scopes.join(" ")));
    put("iss", json!(settings.issuer()));
    if let Some(end) = expires_at {
        put("exp", json!(end.secs()));
    }
    put("iat", json!(now.secs()));
    put("jti", json!(jti));
    claims
}

fn id_claims(order: &Order<'_>, user: &str, settings: &Settings, access_token: &str, now: Timestamp) -> Value {
    use base64::Engine as _;
    // OpenID Connect Core 3.1.3.6: the left half of the access token's SHA-256.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, access_token.as_bytes());
    let half = digest.as_ref().get(..16).unwrap_or_default();
    let secs = configured(order.client.lifetimes.id_token_secs).filter(|secs| *secs > 0).unwrap_or(settings.id_token_secs);
    json!({
        "iss": settings.issuer(),
        "sub": user,
        "aud": [order.client.id],
        "azp": order.client.id,
        "iat": now.secs(),
        "nbf": now.secs(),
        "exp": now.plus_secs(secs).secs(),
        "jti": token::random::uuid_text(),
        "at_hash": base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(half),
    })
}

fn access_secs(client: &OAuthClient, holder: &TokenHolder, settings: &Settings) -> i64 {
    match holder {
        TokenHolder::Application { .. } => configured(client.lifetimes.application_secs).unwrap_or(settings.application_token_secs),
        TokenHolder::User { .. } => configured(client.lifetimes.user_secs).unwrap_or(settings.user_token_secs),
    }
}

/// Zero is how old installations wrote "not set".
fn configured(secs: Option<i64>) -> Option<i64> {
    secs.filter(|secs| *secs != 0)
}

fn end(now: Timestamp, secs: i64) -> Option<Timestamp> {
    (secs >= 0).then(|| now.plus_secs(secs))
}

fn remaining_secs(expires_at: Option<Timestamp>, now: Timestamp) -> i64 {
    expires_at.map_or(FOR_EVER_SECS, |end| end.0.saturating_sub(now.0).max(0) / 1000)
}
