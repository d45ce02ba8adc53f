//! Telling an administrator's program what a token is (RFC 7662).
//!
//! 4.0.0 answers for a JWT from its own claims, revoked or not. Here the record decides, so a revoked one is inactive.

use model::{TenantId, TokenFormat};
use serde_json::{Value, json};
use users::Account;

use crate::{Desk, DeskError};

/// The answer; `None` is an inactive or unknown token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection(pub(crate) Option<Value>);

impl Introspection {
    /// As JSON.
    #[must_use]
    pub fn into_json(self) -> Value {
        self.0.unwrap_or_else(|| json!({ "active": false }))
    }
}

impl Desk {
    /// What the token is, as far as `asker` may know: an administrator of a tenant is told about that tenant's clients only.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn introspect(&self, asker: &Account, text: &str) -> Result<Introspection, DeskError> {
        let Some(found) = self.find_token(text).await? else { return Ok(Introspection(None)) };
        if asker.tenant.id != TenantId::SUPER && asker.tenant.id != found.tenant {
            return Ok(Introspection(None));
        }
        let user = self.users.parse_name(found.holder.user()).await?;
        let mut answer = json!({
            "nbf": found.issued_at.secs(),
            "scope": found.scopes.join(" "),
            "active": true,
            "token_type": match found.format { TokenFormat::Opaque => "Bearer", TokenFormat::Jwt => "JWT" },
            "client_id": found.client,
            "iat": found.issued_at.secs(),
            "username": user.with_tenant(),
            "aut": found.holder.aut(),
        });
        if let Some(end) = found.expires_at {
            answer["exp"] = json!(end.secs());
        }
        if let Some(jti) = found.jti {
            answer["aud"] = json!(found.client);
            answer["jti"] = json!(jti);
            answer["sub"] = json!(found.holder.user());
            answer["iss"] = json!(self.settings.issuer());
        }
        Ok(Introspection(Some(answer)))
    }
}
