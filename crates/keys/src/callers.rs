//! Who is calling a REST interface: what `rest::Authenticate` asks, answered from accounts and issued tokens.

use std::net::IpAddr;

use model::Secret;
use rest::{Caller, Denied};
use users::Account;

use crate::scopes::rest_scopes_of;
use crate::{Desk, DeskError, FoundToken, holders};

impl Desk {
    /// The caller behind an access token in either form.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn bearer_caller(&self, token: &str) -> Result<Caller, Denied> {
        let found = self.find_token(token).await.map_err(unavailable)?.ok_or(Denied::Unknown)?;
        let account = self.account_behind(&found).await.map_err(unavailable)?;
        let account = account.filter(Account::may_act).ok_or(Denied::Unknown)?;
        Ok(caller(account, found.scopes))
    }

    /// The caller behind a name and password, with the scopes their roles give. `from` is where the request comes from, if known.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn basic_caller(&self, user: &str, password: &str, from: Option<IpAddr>) -> Result<Caller, Denied> {
        let name = self.users.parse_name(user).await.map_err(|e| unavailable(e.into()))?;
        let account = match self.users.sign_in_from(&name, &Secret::new(password.to_owned()), from).await {
            Ok(account) => account,
            Err(error) if error.is_ours() => {
                tracing::error!(error = %chain(&error), "a password could not be checked");
                return Err(Denied::Unavailable);
            }
            Err(_) => return Err(Denied::Unknown),
        };
        let scopes = self.rest_scopes(&account).await.map_err(unavailable)?;
        Ok(caller(account, scopes))
    }

    /// A token holder's name with store and tenant, as throttle keys write it.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn full_user_name(&self, name: &str) -> Result<String, DeskError> {
        Ok(self.users.parse_name(name).await?.with_tenant())
    }

    /// The account a token acts for, whatever its state.
    pub(crate) async fn account_behind(&self, found: &FoundToken) -> Result<Option<Account>, DeskError> {
        Ok(holders::account_of(&mut self.db.read().await?, &found.holder, found.tenant).await?)
    }

    async fn rest_scopes(&self, account: &Account) -> Result<Vec<String>, DeskError> {
        Ok(rest_scopes_of(&mut self.db.read().await?, account).await?)
    }
}

fn caller(account: Account, scopes: Vec<String>) -> Caller {
    Caller { user: account.name(), tenant: account.tenant.id, tenant_domain: account.tenant.domain, roles: account.roles, scopes }
}

fn unavailable(error: DeskError) -> Denied {
    tracing::error!(error = %chain(&error), "a caller's credentials could not be checked");
    Denied::Unavailable
}

/// An error with its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
