//! The grants: what a client must show to be given a token.

mod client_credentials;
mod password;
mod refresh;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use model::{IssuedToken, OAuthClient, Secret, Timestamp, TokenFormat, TokenText};
use users::Account;

use crate::issue::{self, Issued, Order};
use crate::{Desk, Refusal, hold};

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
        /// Where the request comes from, if known.
        from: Option<IpAddr>,
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

/// Who the new pair is for.
enum For<'a> {
    /// The client's own application.
    Application,
    /// A user whose password was right.
    User(&'a Account),
}

impl Desk {
    /// Grants a request, or says why not.
    pub(crate) async fn grant(&self, client: &OAuthClient, request: Request) -> Result<Issued, Refusal> {
        match request {
            Request::ClientCredentials { scopes } => self.grant_client_credentials(client, scopes).await,
            Request::Password { username, password, from, scopes } => self.grant_password(client, &username, &password, from, scopes).await,
            Request::Refresh { refresh_token, scopes } => self.grant_refresh(client, &refresh_token, scopes).await,
        }
    }

    /// A new pair, or the one given before where it is opaque and still good. `None` where the user is no longer who was let in.
    async fn issue_or_repeat(&self, client: &OAuthClient, whom: For<'_>, asked: &[String]) -> Result<Option<Issued>, Refusal> {
        let now = self.now();
        let mut tx = self.db.read().await?;
        let order = whom.order(&mut tx, client, asked).await?;
        if let Some(again) = still_good(&mut tx, &order, now).await? {
            return Ok(Some(again));
        }
        drop(tx);
        let key = self.signers.ensure(client.tenant).await?;

        let mut tx = self.db.write().await?;
        let client = hold::authenticated(&mut tx, client).await?;
        let held = match &whom {
            For::Application => None,
            For::User(seen) => match hold::user(&mut tx, seen).await? {
                Some(user) => Some(user),
                None => return Ok(None),
            },
        };
        let whom = held.as_ref().map_or(For::Application, For::User);
        let order = whom.order(&mut tx, &client, asked).await?;
        // Another request for the same may have been first.
        if let Some(again) = still_good(&mut tx, &order, now).await? {
            return Ok(Some(again));
        }
        let (row, issued) = issue::make(order, &self.settings, &key, now)?;
        db::tokens::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(Some(issued))
    }
}

impl For<'_> {
    /// What they may have through this client.
    async fn order<'c>(&self, tx: &mut db::Tx, client: &'c OAuthClient, asked: &[String]) -> Result<Order<'c>, Refusal> {
        match self {
            Self::Application => client_credentials::order(tx, client, asked).await,
            Self::User(user) => password::order(tx, client, user, asked).await,
        }
    }
}

async fn still_good(tx: &mut db::Tx, order: &Order<'_>, now: Timestamp) -> Result<Option<Issued>, db::Error> {
    if !is_given_again(order.client.token_format, &order.scopes) {
        return Ok(None);
    }
    let found = db::tokens::find_reusable(tx, &order.client.id, &order.holder, &order.scopes, now).await?;
    let found =
        found.filter(|token| !order.with_refresh || token.refresh.is_some() && token.refresh_expires_at.is_none_or(|end| end > now));
    Ok(found.and_then(|token| Issued::again(&token, now)).filter(|issued| issued.expires_in > 0))
}

/// Whether a pair of this form is given to everybody who asks for the same, as 4.0.0 does. A client whose format was changed to JWT must not
/// be handed the opaque token of before; neither must one that asks for an id token, which belongs to one access token and was not kept.
fn is_given_again(format: TokenFormat, scopes: &[String]) -> bool {
    format == TokenFormat::Opaque && !scopes.iter().any(|scope| scope == "openid")
}

/// Whether several may have been given this very pair.
fn is_shared(pair: &IssuedToken) -> bool {
    let format = if matches!(pair.access, TokenText::Opaque(_)) { TokenFormat::Opaque } else { TokenFormat::Jwt };
    is_given_again(format, &pair.scopes)
}

fn may_use(client: &OAuthClient, grant: &str) -> bool {
    client.grants.iter().any(|allowed| allowed == grant)
}

fn must_be_allowed(client: &OAuthClient, grant: &str) -> Result<(), Refusal> {
    if may_use(client, grant) { Ok(()) } else { Err(Refusal::grant_not_allowed()) }
}
