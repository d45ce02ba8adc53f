//! `client_credentials`: the application's own token. No refresh token comes with it (RFC 6749, 4.4.3).

use model::OAuthClient;

use super::may_use;
use crate::issue::{self, Issued, Order};
use crate::scopes::{self, APPLICATION_SCOPE, DEFAULT_SCOPE};
use crate::{Desk, DeskError, Refusal, holders};

pub(super) const NAME: &str = "client_credentials";

/// A token made in the portal for an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationToken {
    /// The token.
    pub access_token: model::Secret<String>,
    /// What it may.
    pub scopes: Vec<String>,
    /// Seconds it lives; a very large number when for ever.
    pub validity_secs: i64,
}

impl Desk {
    pub(super) async fn grant_client_credentials(&self, client: &OAuthClient, asked: Vec<String>) -> Result<Issued, Refusal> {
        if !may_use(client, NAME) {
            return Err(Refusal::grant_not_allowed());
        }
        let scopes = self.scopes_of_owner(client, asked).await?;
        self.issue_or_repeat(order(client, scopes, None)).await
    }

    /// Makes a token for an application, always a new one. `validity_secs` replaces the client's lifetime, negative being for ever. Without
    /// `asked` it carries the application's default scopes.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn application_token(
        &self,
        client_id: &str,
        validity_secs: Option<i64>,
        asked: Vec<String>,
    ) -> Result<ApplicationToken, DeskError> {
        let client = self.find_client(client_id).await?.filter(|client| client.active);
        let client = client.ok_or_else(|| DeskError::UnknownClient(client_id.to_owned()))?;
        if !may_use(&client, NAME) {
            return Err(DeskError::GrantNotAllowed);
        }
        let asked = scopes::tidy(asked).map_err(DeskError::Scopes)?;
        let scopes = if asked.is_empty() {
            vec![APPLICATION_SCOPE.to_owned(), DEFAULT_SCOPE.to_owned()]
        } else {
            self.scopes_of_owner(&client, asked).await?
        };
        let key = self.signers.ensure(client.tenant).await?;
        let (row, issued) = issue::make(order(&client, scopes, validity_secs), &self.settings, &key, self.now())?;
        let mut tx = self.db.write().await?;
        db::tokens::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(ApplicationToken { access_token: issued.access_token, scopes: issued.scopes, validity_secs: issued.expires_in })
    }

    async fn scopes_of_owner(&self, client: &OAuthClient, asked: Vec<String>) -> Result<Vec<String>, db::Error> {
        let owner = self.owner_account(&client.owner, client.tenant).await?.filter(users::Account::may_act);
        scopes::grant(&mut self.db.read().await?, client, owner.as_ref(), asked).await
    }
}

fn order(client: &OAuthClient, scopes: Vec<String>, lifetime_secs: Option<i64>) -> Order<'_> {
    Order { client, holder: holders::application(client), scopes, grant: NAME, lifetime_secs, with_refresh: false }
}
