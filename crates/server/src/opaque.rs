//! Opaque tokens for the gateway: the one thing it asks somebody else about while a call waits.

use std::future::Future;
use std::pin::Pin;

use gateway::{FoundToken, OpaqueTokens, Unavailable};
use keys::Desk;

/// Name of our own key manager, as key mappings write it.
pub(crate) const RESIDENT: &str = "Resident Key Manager";

/// Asks the key desk of this process.
pub(crate) struct IssuedTokens(pub(crate) Desk);

impl OpaqueTokens for IssuedTokens {
    fn find<'a>(&'a self, token: &'a str) -> Pin<Box<dyn Future<Output = Result<Option<FoundToken>, Unavailable>> + Send + 'a>> {
        Box::pin(async move {
            let found = self.0.find_opaque(token).await.map_err(|fault| Unavailable(Box::new(fault)))?;
            let Some(found) = found else { return Ok(None) };
            let user = self.0.full_user_name(found.holder.user()).await.map_err(|fault| Unavailable(Box::new(fault)))?;
            Ok(Some(FoundToken {
                id: db::served::opaque_name(token),
                client: found.client,
                key_manager: RESIDENT.to_owned(),
                user,
                aut: found.holder.aut().to_owned(),
                scopes: found.scopes,
                expires_at: found.expires_at,
                tenant: found.tenant,
            }))
        })
    }
}
