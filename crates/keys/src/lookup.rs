//! Finding a token that was issued, and judging whether it is still good.

use std::time::Duration;

use model::{IssuedToken, TenantId, Timestamp, TokenFormat, TokenHolder, TokenState, TokenText};
use token::Jwt;

use crate::{Desk, DeskError};

/// Longest token looked up, in bytes.
const TOKEN_MAX_BYTES: usize = token::MAX_TOKEN_BYTES;

/// A token that is good now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// Client it was issued to.
    pub client: String,
    /// That client's tenant.
    pub tenant: TenantId,
    /// On whose behalf it acts.
    pub holder: TokenHolder,
    /// What it may.
    pub scopes: Vec<String>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it stops; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Its form.
    pub format: TokenFormat,
    /// The `jti`, of a JWT.
    pub jti: Option<String>,
}

impl From<IssuedToken> for FoundToken {
    fn from(row: IssuedToken) -> Self {
        let (format, jti) = match row.access {
            TokenText::Opaque(_) => (TokenFormat::Opaque, None),
            TokenText::Jti(jti) => (TokenFormat::Jwt, Some(jti)),
        };
        Self {
            client: row.client,
            tenant: row.tenant,
            holder: row.holder,
            scopes: row.scopes,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            format,
            jti,
        }
    }
}

impl Desk {
    /// An opaque access token, if it is good now: issued or carried over, not expired, not taken back, its client not switched off nor
    /// of an inactive tenant, and its user, where we know them, neither locked nor of an inactive tenant.
    ///
    /// # Errors
    /// [`DeskError::Store`]: it could not be checked, which is no leave to let it pass.
    pub async fn find_opaque(&self, text: &str) -> Result<Option<FoundToken>, DeskError> {
        if text.is_empty() || text.len() > TOKEN_MAX_BYTES {
            return Ok(None);
        }
        let row = db::tokens::find_by_access(&mut self.db.read().await?, text).await?;
        self.if_good(row).await
    }

    /// An access token in either form, if it is good now. A JWT must be signed by us *and* its record be in force.
    ///
    /// # Errors
    /// [`DeskError`]: it could not be checked, which is no leave to let it pass.
    pub async fn find_token(&self, text: &str) -> Result<Option<FoundToken>, DeskError> {
        match self.record_of(text).await? {
            Some(row) => self.if_good(Some(row)).await,
            None => Ok(None),
        }
    }

    /// The record of an access token in either form, in whatever state. A JWT's signature is checked, its times are not.
    pub(crate) async fn record_of(&self, text: &str) -> Result<Option<IssuedToken>, DeskError> {
        if text.is_empty() || text.len() > TOKEN_MAX_BYTES {
            return Ok(None);
        }
        let Ok(jwt) = Jwt::parse(text) else {
            return Ok(db::tokens::find_by_access(&mut self.db.read().await?, text).await?);
        };
        let keys = self.signers.verifying(jwt.kid()).await?;
        // The times that count are the record's, which is why the token's own are judged at the moment it was issued.
        let issued_at =
            jwt.claims().ok().and_then(|claims| claims.iat).map_or_else(|| self.now(), |secs| Timestamp(secs.saturating_mul(1000)));
        let Ok(claims) = jwt.verify(&keys, issued_at, Duration::from_secs(1)) else { return Ok(None) };
        let Some(jti) = claims.jti.as_deref() else { return Ok(None) };
        Ok(db::tokens::find_by_jti(&mut self.db.read().await?, jti).await?)
    }

    async fn if_good(&self, row: Option<IssuedToken>) -> Result<Option<FoundToken>, DeskError> {
        let now = self.now();
        let Some(row) = row.filter(|row| row.state == TokenState::Active && row.expires_at.is_none_or(|end| end > now)) else {
            return Ok(None);
        };
        let mut tx = self.db.read().await?;
        let client = db::clients::find(&mut tx, &row.client).await?.filter(|client| client.active);
        let Some(client) = client else { return Ok(None) };
        if !db::tenants::find(&mut tx, client.tenant).await?.is_some_and(|tenant| tenant.active) {
            return Ok(None);
        }
        if let TokenHolder::User { user } = &row.holder {
            let name = users::parse_name(&mut tx, user).await?;
            // Users whose password a directory keeps may be unknown here; their tokens were issued on its word.
            if users::find(&mut tx, &name).await?.is_some_and(|account| !account.may_act()) {
                return Ok(None);
            }
        }
        Ok(Some(row.into()))
    }
}
