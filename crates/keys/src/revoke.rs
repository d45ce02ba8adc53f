//! Taking a token back (RFC 7009): either half takes its pair along.
//!
//! A pair that is being refreshed while it is taken back must not live on in its successor. So what was found active is ended together with
//! whatever has come of it by the time the transaction looks again; and a refresh token, which stands for all that was granted with it, ends
//! its successors even when it was spent long ago. An access token that had ended before is left alone, as 4.0.0 does: programs tidy up their old
//! one after they refreshed it.

use model::{OAuthClient, Timestamp, TokenId, TokenState};

use crate::{Desk, DeskError, Refusal};

impl Desk {
    /// Takes back the pair of an access or refresh token, and those refreshed from it. A token nobody knows, or an access token that ended
    /// before, is no error.
    ///
    /// # Errors
    /// [`Refusal::UnauthorizedClient`] when it was issued to another client; [`Refusal::Server`].
    pub async fn revoke(&self, client: &OAuthClient, text: &str) -> Result<(), Refusal> {
        let seen = self.record_of(text).await.map_err(Refusal::server)?;
        if seen.as_ref().is_some_and(|row| row.state != TokenState::Active) {
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        let found = match seen {
            Some(row) => Some(row),
            None => db::tokens::find_by_refresh(&mut tx, text).await?,
        };
        let Some(row) = found else { return Ok(()) };
        if row.client != client.id {
            return Err(Refusal::UnauthorizedClient("Unauthorized client"));
        }
        end_line(&mut tx, row.id, self.now()).await?;
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
        end_line(&mut tx, row.id, self.now()).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Ends a pair or, where it was refreshed, the pair that came of it in the end.
pub(crate) async fn end_line(tx: &mut db::Tx, first: TokenId, now: Timestamp) -> Result<(), db::Error> {
    let mut id = first;
    // A refresh ends the old pair and writes the new one in one transaction: a pair that is still active has no successor, and where the
    // row is waited for until a refresh is through, its successor is there to be seen.
    while !db::tokens::revoke(tx, id, now).await? {
        id = successor(id);
        if db::tokens::find(tx, id).await?.is_none() {
            break;
        }
    }
    Ok(())
}

/// The id of the pair that a refresh of this one makes. It follows from the old one's, so that a line can be followed.
pub(crate) fn successor(id: TokenId) -> TokenId {
    TokenId::derived(&["refreshed", &id.to_string()])
}
