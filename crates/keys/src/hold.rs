//! The last look before a token is written: what the request was judged by must still be so in the transaction that writes.
//!
//! A client's secret and a user's password are checked long before, and checking a password takes a tenth of a second. Whoever deletes or
//! changes them meanwhile takes back the tokens there are; a token written afterwards would be missed. So the rows are read again and held:
//! whoever wants to change them waits until the token is there to be taken back.

use model::OAuthClient;
use users::Account;

use crate::Refusal;

/// A client that may have tokens now, held until the transaction ends.
pub(crate) async fn client(tx: &mut db::Tx, id: &str) -> Result<Option<OAuthClient>, db::Error> {
    let Some(client) = db::clients::hold(tx, id).await?.filter(|client| client.active) else { return Ok(None) };
    let tenant = db::tenants::find(tx, client.tenant).await?;
    Ok(tenant.is_some_and(|tenant| tenant.active).then_some(client))
}

/// The client that showed its secret, as it is now.
pub(crate) async fn authenticated(tx: &mut db::Tx, shown: &OAuthClient) -> Result<OAuthClient, Refusal> {
    let held = client(tx, &shown.id).await?.filter(|held| held.secret == shown.secret);
    held.ok_or_else(|| Refusal::InvalidClient("Client Authentication failed.".to_owned()))
}

/// The user that showed their password, as they are now. `None` where they may no longer act or have another password.
pub(crate) async fn user(tx: &mut db::Tx, shown: &Account) -> Result<Option<Account>, db::Error> {
    users::hold(tx, shown).await
}
