//! `refresh_token`: a new pair for an old one, which is spent by it.
//!
//! Finding the old pair, retiring it and writing the new one are a single transaction, and a pair can have one successor only, so of several
//! requests with the same token exactly one is served. The rights are judged anew: a user who lost a role does not keep its scopes by refreshing for ever.

use model::{IssuedToken, OAuthClient, Secret, Timestamp, TokenHolder, TokenId, TokenState};
use token::SigningKey;
use users::Account;

use super::may_use;
use crate::issue::{self, Issued, Order};
use crate::{Desk, Refusal, holders, scopes};

pub(super) const NAME: &str = "refresh_token";

/// On PostgreSQL two refreshes may collide; the later one looks again and then finds the token spent.
const TRIES: u32 = 3;

impl Desk {
    pub(super) async fn grant_refresh(
        &self,
        client: &OAuthClient,
        refresh_token: &Secret<String>,
        asked: Option<Vec<String>>,
    ) -> Result<Issued, Refusal> {
        if !may_use(client, NAME) {
            return Err(Refusal::grant_not_allowed());
        }
        let now = self.now();
        let old = usable(&mut self.db.read().await?, client, refresh_token, now).await?;
        let (holder, account) = self.present_holder(client, &old).await?;
        let scopes = self.narrowed(client, account.as_ref(), &old, asked).await?;
        let key = self.signers.ensure(client.tenant).await?;

        let mut tries = 1;
        loop {
            let order =
                Order { client, holder: holder.clone(), scopes: scopes.clone(), grant: NAME, lifetime_secs: None, with_refresh: true };
            match self.exchange(refresh_token, order, &key, now).await {
                Err(Lost::Contended(_)) if tries < TRIES => tries += 1,
                Err(Lost::Contended(error)) => return Err(error.into()),
                Err(Lost::Refused(refusal)) => return Err(refusal),
                Ok(issued) => return Ok(issued),
            }
        }
    }

    async fn exchange(&self, refresh_token: &Secret<String>, order: Order<'_>, key: &SigningKey, now: Timestamp) -> Result<Issued, Lost> {
        let mut tx = self.db.write().await?;
        let old = usable(&mut tx, order.client, refresh_token, now).await?;
        // Revoked rather than merely inactive: gateways check a JWT without asking us and remember an opaque token for a while, and only of
        // revocations are they told.
        db::tokens::set_state(&mut tx, old.id, TokenState::Revoked, now).await?;
        let (mut row, issued) = issue::make(order, &self.settings, key, now).map_err(|error| Lost::Refused(error.into()))?;
        // A pair has one successor, because the successor's id follows from its own: where two transactions both saw the pair unspent, as
        // they may on PostgreSQL, the second insert fails.
        row.id = TokenId::derived(&["refreshed", &old.id.to_string()]);
        match db::tokens::insert(&mut tx, &row).await {
            Err(db::Error::Duplicate { .. }) => return Err(UsableFault::NotGood.into()),
            done => done?,
        }
        tx.commit().await?;
        Ok(issued)
    }

    /// On whose behalf the new pair acts: the same as the old one, if they still may.
    async fn present_holder(&self, client: &OAuthClient, old: &IssuedToken) -> Result<(TokenHolder, Option<Account>), Refusal> {
        let account = self.account_of(&old.holder, client.tenant).await?;
        match &old.holder {
            // Old installations gave applications refresh tokens too. Such a token stays the client's even when its owner is gone.
            TokenHolder::Application { .. } => Ok((holders::application(client), account.filter(Account::may_act))),
            TokenHolder::User { .. } => match account {
                Some(account) if account.may_act() => Ok((holders::user(&account), Some(account))),
                _ => Err(Refusal::grant_not_good()),
            },
        }
    }

    /// The old scopes, or those asked for among them, as far as the holder may still have them.
    async fn narrowed(
        &self,
        client: &OAuthClient,
        holder: Option<&Account>,
        old: &IssuedToken,
        asked: Option<Vec<String>>,
    ) -> Result<Vec<String>, Refusal> {
        let wanted = match asked {
            Some(asked) if asked.iter().any(|scope| !old.scopes.contains(scope)) => {
                return Err(Refusal::InvalidScope("The requested scope exceeds the scope granted by the resource owner."));
            }
            Some(asked) => asked,
            None => old.scopes.clone(),
        };
        Ok(scopes::grant(&mut self.db.read().await?, client, holder, wanted).await?)
    }
}

/// The pair of a refresh token that may be used now by this client.
async fn usable(tx: &mut db::Tx, client: &OAuthClient, refresh_token: &Secret<String>, now: Timestamp) -> Result<IssuedToken, UsableFault> {
    let found = db::tokens::find_by_refresh(tx, refresh_token.expose()).await?;
    let usable = |pair: &IssuedToken| {
        pair.client == client.id && pair.state == TokenState::Active && pair.refresh_expires_at.is_none_or(|end| end > now)
    };
    found.filter(usable).ok_or(UsableFault::NotGood)
}

enum UsableFault {
    NotGood,
    Store(db::Error),
}

impl From<db::Error> for UsableFault {
    fn from(error: db::Error) -> Self {
        Self::Store(error)
    }
}

impl From<UsableFault> for Refusal {
    fn from(fault: UsableFault) -> Self {
        match fault {
            UsableFault::NotGood => Self::grant_not_good(),
            UsableFault::Store(error) => error.into(),
        }
    }
}

/// The exchange did not come about.
enum Lost {
    Contended(db::Error),
    Refused(Refusal),
}

impl From<db::Error> for Lost {
    fn from(error: db::Error) -> Self {
        if matches!(error, db::Error::Contended(_)) { Self::Contended(error) } else { Self::Refused(error.into()) }
    }
}

impl From<UsableFault> for Lost {
    fn from(fault: UsableFault) -> Self {
        match fault {
            UsableFault::Store(error) => error.into(),
            UsableFault::NotGood => Self::Refused(fault.into()),
        }
    }
}
