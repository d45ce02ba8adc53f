//! Registered clients: making, changing, removing.

use model::{ClientOrigin, Lifetimes, OAuthClient, Secret, TenantId, TokenFormat};

use crate::desk::one_at_a_time;
use crate::{Desk, DeskError};

/// A client to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClient {
    /// Its owner's tenant.
    pub tenant: TenantId,
    /// Owner, `[STORE/]user[@tenant]`.
    pub owner: String,
    /// Name, e.g. `<owner>_<application id>_PRODUCTION`.
    pub name: String,
    /// Grant types it may use.
    pub grants: Vec<String>,
    /// Callback address.
    pub callback_url: Option<String>,
    /// Lifetimes that differ from the server's.
    pub lifetimes: Lifetimes,
    /// Form of its access tokens.
    pub token_format: TokenFormat,
    /// How it comes to be.
    pub origin: ClientOrigin,
}

impl NewClient {
    /// The client with an id and a secret of its own, not stored yet.
    #[must_use]
    pub fn with_fresh_keys(self, now: model::Timestamp) -> OAuthClient {
        OAuthClient {
            id: token::random::client_id(),
            secret: token::random::client_secret(),
            name: self.name,
            owner: self.owner,
            tenant: self.tenant,
            grants: self.grants,
            callback_url: self.callback_url,
            token_format: self.token_format,
            origin: self.origin,
            lifetimes: self.lifetimes,
            active: true,
            created_at: now,
        }
    }
}

/// Changes to a client; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientChange {
    /// Grant types.
    pub grants: Option<Vec<String>>,
    /// Callback address; `Some(None)` removes it.
    pub callback_url: Option<Option<String>>,
    /// Lifetimes.
    pub lifetimes: Option<Lifetimes>,
    /// Form of its tokens.
    pub token_format: Option<TokenFormat>,
    /// Name.
    pub name: Option<String>,
    /// Owner.
    pub owner: Option<String>,
    /// Switched on or off.
    pub active: Option<bool>,
}

impl Desk {
    /// Makes a client with fresh id and secret.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn create_client(&self, new: NewClient) -> Result<OAuthClient, DeskError> {
        let client = new.with_fresh_keys(self.now());
        let mut tx = self.db.write().await?;
        db::clients::insert(&mut tx, &client).await?;
        tx.commit().await?;
        Ok(client)
    }

    /// As [`Desk::create_client`], unless the owner has a client of that name: then that one, unchanged. Says which happened.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn find_or_create_client(&self, new: NewClient) -> Result<(OAuthClient, bool), DeskError> {
        let find = async |tx: &mut db::Tx| db::clients::find_by_owner_and_name(tx, new.tenant, &new.owner, &new.name).await;
        if let Some(existing) = find(&mut self.db.read().await?).await? {
            return Ok((existing, false));
        }
        let mut tx = self.db.write().await?;
        one_at_a_time(&mut tx, "register").await?;
        // Another request for the same name may have been first.
        if let Some(existing) = find(&mut tx).await? {
            return Ok((existing, false));
        }
        let client = new.with_fresh_keys(self.now());
        db::clients::insert(&mut tx, &client).await?;
        tx.commit().await?;
        Ok((client, true))
    }

    /// The client, switched off or not.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn find_client(&self, client_id: &str) -> Result<Option<OAuthClient>, DeskError> {
        let mut tx = self.db.read().await?;
        Ok(db::clients::find(&mut tx, client_id).await?)
    }

    /// Changes a client and gives it back. Tokens issued before keep their form and lifetime; switching it off takes them back.
    ///
    /// # Errors
    /// [`DeskError::UnknownClient`], [`DeskError::Store`].
    pub async fn update_client(&self, client_id: &str, change: ClientChange) -> Result<OAuthClient, DeskError> {
        let mut tx = self.db.write().await?;
        let mut client = to_change(&mut tx, client_id).await?;
        let ClientChange { grants, callback_url, lifetimes, token_format, name, owner, active } = change;
        client.grants = grants.unwrap_or(client.grants);
        client.callback_url = callback_url.unwrap_or(client.callback_url);
        client.lifetimes = lifetimes.unwrap_or(client.lifetimes);
        client.token_format = token_format.unwrap_or(client.token_format);
        client.name = name.unwrap_or(client.name);
        client.owner = owner.unwrap_or(client.owner);
        client.active = active.unwrap_or(client.active);
        db::clients::update(&mut tx, &client).await?;
        if !client.active {
            db::tokens::revoke_of_client(&mut tx, client_id, self.now()).await?;
        }
        tx.commit().await?;
        Ok(client)
    }

    /// Gives the client a new secret. Tokens obtained with the old one are taken back, as its holder may be who it was changed against.
    ///
    /// # Errors
    /// [`DeskError::UnknownClient`], [`DeskError::Store`].
    pub async fn regenerate_secret(&self, client_id: &str) -> Result<Secret<String>, DeskError> {
        let mut tx = self.db.write().await?;
        let mut client = to_change(&mut tx, client_id).await?;
        client.secret = token::random::client_secret();
        db::clients::update(&mut tx, &client).await?;
        db::tokens::revoke_of_client(&mut tx, client_id, self.now()).await?;
        tx.commit().await?;
        Ok(client.secret)
    }

    /// Removes a client and takes back its tokens; whether there was one.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn delete_client(&self, client_id: &str) -> Result<bool, DeskError> {
        let mut tx = self.db.write().await?;
        let was_there = db::clients::delete(&mut tx, client_id, self.now()).await?;
        tx.commit().await?;
        Ok(was_there)
    }
}

/// The client as it now is, which nobody else changes until the transaction ends: it is written as a whole.
async fn to_change(tx: &mut db::Tx, client_id: &str) -> Result<OAuthClient, DeskError> {
    db::clients::lock(tx, client_id).await?;
    db::clients::find(tx, client_id).await?.ok_or_else(|| DeskError::UnknownClient(client_id.to_owned()))
}
