//! What an operator may set.

use serde::Deserialize;

/// Settings of the key desk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address under which clients reach the management port, without a slash at its end. Tokens name `<this>/oauth2/token` as their issuer.
    pub public_url: String,
    /// Seconds an application's own token lives; negative is for ever.
    pub application_token_secs: i64,
    /// Seconds a user's token lives; negative is for ever.
    pub user_token_secs: i64,
    /// Seconds a refresh token lives; negative is for ever.
    pub refresh_token_secs: i64,
    /// Seconds an id token lives.
    pub id_token_secs: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: "https://localhost:9443".to_owned(),
            application_token_secs: 3600,
            user_token_secs: 3600,
            refresh_token_secs: 86_400,
            id_token_secs: 3600,
        }
    }
}

impl Settings {
    /// The claim `iss`, one for all tenants: their keys are told apart by `kid`.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("{}/oauth2/token", self.public_url)
    }
}
