//! The grants: what a client must show to be given a token.

mod client_credentials;
mod password;
mod refresh;

use model::{OAuthClient, Secret, Timestamp};

use crate::issue::{self, Issued, Order};
use crate::{Desk, Refusal};

pub use client_credentials::ApplicationToken;

/// Grants this desk knows, by the word that asks for them.
pub(crate) const GRANTS: [&str; 3] = [client_credentials::NAME, password::NAME, refresh::NAME];

/// A request at the token endpoint, its client already authenticated.
pub(crate) enum Request {
    /// For the application itself.
    ClientCredentials {
        /// Asked for.
        scopes: Vec<String>,
    },
    /// For a user who gave the client name and password.
    Password {
        /// As typed.
        username: String,
        /// Theirs.
        password: Secret<String>,
        /// Asked for.
        scopes: Vec<String>,
    },
    /// In exchange for a refresh token.
    Refresh {
        /// The token.
        refresh_token: Secret<String>,
        /// Asked for; `None` for the same as before.
        scopes: Option<Vec<String>>,
    },
}

impl Desk {
    /// Grants a request, or says why not.
    pub(crate) async fn grant(&self, client: &OAuthClient, request: Request) -> Result<Issued, Refusal> {
        match request {
            Request::ClientCredentials { scopes } => self.grant_client_credentials(client, scopes).await,
            Request::Password { username, password, scopes } => self.grant_password(client, &username, &password, scopes).await,
            Request::Refresh { refresh_token, scopes } => self.grant_refresh(client, &refresh_token, scopes).await,
        }
    }

    /// A new pair, or the one given before where it is opaque and still good.
    async fn issue_or_repeat(&self, order: Order<'_>) -> Result<Issued, Refusal> {
        let now = self.now();
        if let Some(again) = still_good(&mut self.db.read().await?, &order, now).await? {
            return Ok(again);
        }
        let key = self.signers.ensure(order.client.tenant).await?;
        let mut tx = self.db.write().await?;
        // Another request for the same may have been first.
        if let Some(again) = still_good(&mut tx, &order, now).await? {
            return Ok(again);
        }
        let (row, issued) = issue::make(order, &self.settings, &key, now)?;
        db::tokens::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(issued)
    }
}

async fn still_good(tx: &mut db::Tx, order: &Order<'_>, now: Timestamp) -> Result<Option<Issued>, db::Error> {
    // A client whose format was changed to JWT must not be handed the opaque token of before; neither must one that asks for an id token,
    // which belongs to one access token and was not kept.
    if order.client.token_format == model::TokenFormat::Jwt || order.scopes.iter().any(|scope| scope == "openid") {
        return Ok(None);
    }
    let found = db::tokens::find_reusable(tx, &order.client.id, &order.holder, &order.scopes, now).await?;
    let found =
        found.filter(|token| !order.with_refresh || token.refresh.is_some() && token.refresh_expires_at.is_none_or(|end| end > now));
    Ok(found.and_then(|token| Issued::again(&token, now)).filter(|issued| issued.expires_in > 0))
}

fn may_use(client: &OAuthClient, grant: &str) -> bool {
    client.grants.iter().any(|allowed| allowed == grant)
}
