//! `password`: a user who trusts the client with name and password.

use std::net::IpAddr;

use model::{OAuthClient, Secret};
use users::{Account, SignInError};

use super::{For, may_use, must_be_allowed, refresh};
use crate::issue::{Issued, Order};
use crate::{Desk, Refusal, holders, scopes};

pub(super) const NAME: &str = "password";

/// Longest user name looked at, in bytes.
const USERNAME_MAX_BYTES: usize = 1024;

impl Desk {
    pub(super) async fn grant_password(
        &self,
        client: &OAuthClient,
        username: &str,
        password: &Secret<String>,
        from: Option<IpAddr>,
        asked: Vec<String>,
    ) -> Result<Issued, Refusal> {
        must_be_allowed(client, NAME)?;
        if username.len() > USERNAME_MAX_BYTES {
            return Err(Refusal::InvalidRequest("The username is too long.".to_owned()));
        }
        let name = self.users.parse_name(username.trim()).await?;
        // Whatever is wrong, a stranger hears the same.
        let refused = || Refusal::InvalidGrant(format!("Authentication failed for {}", username.trim()));
        let user = match self.users.sign_in_from(&name, password, from).await {
            Ok(user) => user,
            Err(error) if error.is_ours() => return Err(Refusal::server(error)),
            Err(error @ SignInError::TooManyAttempts { .. }) => {
                tracing::warn!(error = %error, client = %client.id, "a sign-in with the password grant was not tried");
                return Err(refused());
            }
            Err(_) => return Err(refused()),
        };
        if !holders::may_serve(client.tenant, &user) {
            return Err(refused());
        }
        self.issue_or_repeat(client, For::User(&user), &asked).await?.ok_or_else(refused)
    }
}

pub(super) async fn order<'c>(tx: &mut db::Tx, client: &'c OAuthClient, user: &Account, asked: &[String]) -> Result<Order<'c>, Refusal> {
    must_be_allowed(client, NAME)?;
    let scopes = scopes::grant(tx, client, Some(user), asked).await?;
    let with_refresh = may_use(client, refresh::NAME);
    Ok(Order { client, holder: holders::user(user), scopes, grant: NAME, lifetime_secs: None, with_refresh })
}
