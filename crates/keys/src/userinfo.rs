//! What a client may know about the user of its token (OpenID Connect Core 5.3).

use model::{TokenHolder, User};
use serde_json::{Map, Value, json};

use crate::{Desk, DeskError};

/// Claims of each scope, and the attributes they are read from: the short names Tidegate writes, then those of old user stores.
const CLAIMS: [(&str, &str, &[&str]); 6] = [
    ("email", "email", &["mail", "email", "http://wso2.org/claims/emailaddress"]),
    ("profile", "given_name", &["givenName", "http://wso2.org/claims/givenname"]),
    ("profile", "family_name", &["sn", "lastname", "http://wso2.org/claims/lastname"]),
    ("profile", "name", &["displayName", "cn", "http://wso2.org/claims/fullname"]),
    ("profile", "website", &["url", "http://wso2.org/claims/url"]),
    ("phone", "phone_number", &["telephone", "mobile", "http://wso2.org/claims/telephone"]),
];

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTold {
    /// The token is not good.
    #[error("Access token validation failed")]
    InvalidToken,
    /// The token lacks `openid`, or is no user's.
    #[error("Access token does not have the openid scope")]
    InsufficientScope,
    /// The fault is ours.
    #[error("the token could not be checked")]
    Desk(#[from] DeskError),
}

impl Desk {
    pub(crate) async fn userinfo(&self, text: &str) -> Result<Value, NotTold> {
        let found = self.find_token(text).await?.ok_or(NotTold::InvalidToken)?;
        let TokenHolder::User { user } = &found.holder else { return Err(NotTold::InsufficientScope) };
        if !found.scopes.iter().any(|scope| scope == "openid") {
            return Err(NotTold::InsufficientScope);
        }
        let account = self.account_behind(&found).await?.ok_or(NotTold::InvalidToken)?;
        Ok(Value::Object(claims(user, &account.user, &found.scopes)))
    }
}

fn claims(subject: &str, user: &User, scopes: &[String]) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), json!(subject));
    for (scope, claim, names) in CLAIMS {
        let value = names.iter().find_map(|name| user.attributes.iter().find(|(key, _)| key == name)).map(|(_, value)| value);
        if let Some(value) = value.filter(|_| scopes.iter().any(|held| held == scope)) {
            claims.insert(claim.to_owned(), json!(value));
        }
    }
    claims
}
