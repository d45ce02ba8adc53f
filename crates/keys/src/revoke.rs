//! Taking a token back (RFC 7009): either half takes its pair along.

use model::{OAuthClient, TokenState};

use crate::{Desk, DeskError, Refusal};

impl Desk {
    /// Takes back the pair of an access or refresh token. A token nobody knows, or that ended before, is no error.
    ///
    /// # Errors
    /// [`Refusal::UnauthorizedClient`] when it was issued to another client; [`Refusal::Server`].
    pub async fn revoke(&self, client: &OAuthClient, text: &str) -> Result<(), Refusal> {
        let row = match self.record_of(text).await.map_err(Refusal::server)? {
            Some(row) => Some(row),
            None => db::tokens::find_by_refresh(&mut self.db.read().await?, text).await?,
        };
        let Some(row) = row.filter(|row| row.state == TokenState::Active) else { return Ok(()) };
        if row.client != client.id {
            return Err(Refusal::UnauthorizedClient("Unauthorized client"));
        }
        let mut tx = self.db.write().await?;
        db::tokens::set_state(&mut tx, row.id, TokenState::Revoked, self.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes back an access token whoever it was issued to, as an application's owner or an administrator may; whether there was one.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn revoke_access_token(&self, text: &str) -> Result<bool, DeskError> {
        let Some(row) = self.record_of(text).await?.filter(|row| row.state == TokenState::Active) else { return Ok(false) };
        let mut tx = self.db.write().await?;
        db::tokens::set_state(&mut tx, row.id, TokenState::Revoked, self.now()).await?;
        tx.commit().await?;
        Ok(true)
    }
}
