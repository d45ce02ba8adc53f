//! `client_credentials`: the application's own token. No refresh token comes with it (RFC 6749, 4.4.3).

use model::OAuthClient;

use super::{For, may_use, must_be_allowed};
use crate::issue::{self, Issued, Order};
use crate::scopes::{self, APPLICATION_SCOPE, DEFAULT_SCOPE};
use crate::{Desk, DeskError, Refusal, hold, holders};

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
        let issued = self.issue_or_repeat(client, For::Application, &asked).await?;
        issued.ok_or_else(Refusal::grant_not_good)
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
        let asked = scopes::tidy(asked).map_err(DeskError::Scopes)?;
        let unknown = || DeskError::UnknownClient(client_id.to_owned());
        let tenant = self.find_client(client_id).await?.ok_or_else(unknown)?.tenant;
        let key = self.signers.ensure(tenant).await?;
        let mut tx = self.db.write().await?;
        let client = hold::client(&mut tx, client_id).await?.ok_or_else(unknown)?;
        if !may_use(&client, NAME) {
            return Err(DeskError::GrantNotAllowed);
        }
        let scopes = if asked.is_empty() {
            vec![APPLICATION_SCOPE.to_owned(), DEFAULT_SCOPE.to_owned()]
        } else {
            scopes_of_owner(&mut tx, &client, &asked).await?
        };
        let order = Order { lifetime_secs: validity_secs, ..plain(&client, scopes) };
        let (row, issued) = issue::make(order, &self.settings, &key, self.now())?;
        db::tokens::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(ApplicationToken { access_token: issued.access_token, scopes: issued.scopes, validity_secs: issued.expires_in })
    }
}

pub(super) async fn order<'c>(tx: &mut db::Tx, client: &'c OAuthClient, asked: &[String]) -> Result<Order<'c>, Refusal> {
    must_be_allowed(client, NAME)?;
    Ok(plain(client, scopes_of_owner(tx, client, asked).await?))
}

async fn scopes_of_owner(tx: &mut db::Tx, client: &OAuthClient, asked: &[String]) -> Result<Vec<String>, db::Error> {
    let owner = holders::owner_account(tx, &client.owner, client.tenant).await?.filter(users::Account::may_act);
    scopes::grant(tx, client, owner.as_ref(), asked).await
}

fn plain(client: &OAuthClient, scopes: Vec<String>) -> Order<'_> {
    Order { client, holder: holders::application(client), scopes, grant: NAME, lifetime_secs: None, with_refresh: false }
}
