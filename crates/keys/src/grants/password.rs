//! `password`: a user who trusts the client with name and password.

use model::{OAuthClient, Secret};
use users::SignInError;

use super::{may_use, refresh};
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
        asked: Vec<String>,
    ) -> Result<Issued, Refusal> {
        if !may_use(client, NAME) {
            return Err(Refusal::grant_not_allowed());
        }
        if username.len() > USERNAME_MAX_BYTES {
            return Err(Refusal::InvalidRequest("The username is too long.".to_owned()));
        }
        let name = self.users.parse_name(username.trim()).await?;
        // Whatever is wrong, a stranger hears the same.
        let refused = || Refusal::InvalidGrant(format!("Authentication failed for {}", username.trim()));
        let user = match self.users.sign_in(&name, password).await {
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
        let granted = scopes::grant(&mut self.db.read().await?, client, Some(&user), asked).await?;
        let with_refresh = may_use(client, refresh::NAME);
        let order = Order { client, holder: holders::user(&user), scopes: granted, grant: NAME, lifetime_secs: None, with_refresh };
        self.issue_or_repeat(order).await
    }
}
