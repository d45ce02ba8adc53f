//! `refresh_token`: a new pair for an old one, which is spent by it.
//!
//! Finding the old pair, retiring it and writing the new one are a single transaction, and a pair is retired by one only, so of several
//! requests with the same token exactly one is served. The rights are judged anew: a user who lost a role does not keep its scopes by
//! refreshing for ever.
//!
//! A spent token that is shown again means that two have it, one of whom may be a thief (RFC 9700, 4.14.2): then what came of it ends too.
//! Not so where that proves nothing: when the other use was a moment ago, as of two threads of one program or of one that tried again; and
//! when the pair is of a kind that is given to everybody who signs in with the same name, as 4.0.0 does with opaque tokens.

use model::{IssuedToken, OAuthClient, Secret, Timestamp, TokenHolder, TokenState};
use token::SigningKey;
use users::Account;

use super::{is_shared, must_be_allowed};
use crate::issue::{self, Issued, Order};
use crate::revoke::{end_line, successor};
use crate::{Desk, Refusal, hold, holders, scopes};

pub(super) const NAME: &str = "refresh_token";

/// On PostgreSQL two refreshes may collide; the later one looks again and then finds the token spent.
const TRIES: u32 = 3;

/// So long after a token was spent, showing it again is merely refused.
const REPLAY_GRACE_MS: i64 = 10_000;

impl Desk {
    pub(super) async fn grant_refresh(
        &self,
        client: &OAuthClient,
        refresh_token: &Secret<String>,
        asked: Option<Vec<String>>,
    ) -> Result<Issued, Refusal> {
        must_be_allowed(client, NAME)?;
        Box::pin(self.ask_about_holder(client, refresh_token)).await?;
        let key = self.signers.ensure(client.tenant).await?;
        let mut tries = 1;
        loop {
            match self.exchange(client, refresh_token, asked.as_deref(), &key).await {
                Err(Lost::Contended(_)) if tries < TRIES => tries += 1,
                Err(Lost::Contended(error)) => return Err(error.into()),
                Err(Lost::Refused(refusal)) => return Err(refusal),
                Ok(issued) => return Ok(issued),
            }
        }
    }

    /// Where another server is in charge of the user, what it says now counts. Asked before anything is decided, because no transaction may
    /// wait for another server.
    async fn ask_about_holder(&self, client: &OAuthClient, refresh_token: &Secret<String>) -> Result<(), Refusal> {
        let mut tx = self.db.read().await?;
        let found = db::tokens::find_by_refresh(&mut tx, refresh_token.expose()).await?;
        let Some(TokenHolder::User { user }) = found.filter(|pair| pair.client == client.id).map(|pair| pair.holder) else { return Ok(()) };
        let name = users::parse_name(&mut tx, &user).await?;
        drop(tx);
        match self.users.look_again(&name).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::grant_not_good()),
            Err(error) => Err(Refusal::server(error)),
        }
    }

    async fn exchange(
        &self,
        client: &OAuthClient,
        refresh_token: &Secret<String>,
        asked: Option<&[String]>,
        key: &SigningKey,
    ) -> Result<Issued, Lost> {
        let now = self.now();
        let mut tx = self.db.write().await?;
        let client = hold::authenticated(&mut tx, client).await?;
        must_be_allowed(&client, NAME)?;
        let found = db::tokens::find_by_refresh(&mut tx, refresh_token.expose()).await?;
        let old = found.filter(|pair| pair.client == client.id).ok_or_else(Refusal::grant_not_good)?;
        if old.state != TokenState::Active {
            answer_replay(tx, &old, now).await?;
            return Err(Refusal::grant_not_good().into());
        }
        if old.refresh_expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::grant_not_good().into());
        }
        let (holder, account) = present_holder(&mut tx, &client, &old).await?;
        let scopes = narrowed(&mut tx, &client, account.as_ref(), &old, asked).await?;
        // Revoked rather than merely inactive: gateways check a JWT without asking us and remember an opaque token for a while, and only of
        // revocations are they told. On PostgreSQL another may have done it since the token was found.
        if !db::tokens::revoke(&mut tx, old.id, now).await? {
            return Err(Refusal::grant_not_good().into());
        }
        let order = Order { client: &client, holder, scopes, grant: NAME, lifetime_secs: None, with_refresh: true };
        let (mut row, issued) = issue::make(order, &self.settings, key, now).map_err(Refusal::from)?;
        row.id = successor(old.id);
        db::tokens::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(issued)
    }
}

/// A token that is no longer active was shown. Where it was spent, and that by somebody else, what came of it ends.
async fn answer_replay(mut tx: db::Tx, old: &IssuedToken, now: Timestamp) -> Result<(), db::Error> {
    if is_shared(old) {
        return Ok(());
    }
    let Some(next) = db::tokens::find(&mut tx, successor(old.id)).await? else { return Ok(()) };
    if now < next.issued_at.plus_ms(REPLAY_GRACE_MS) {
        return Ok(());
    }
    tracing::warn!(
        client = old.client,
        holder = old.holder.user(),
        "a spent refresh token was shown again; what was issued from it is revoked"
    );
    end_line(&mut tx, next.id, now).await?;
    tx.commit().await
}

/// On whose behalf the new pair acts: the same as the old one, if they still may. A user is held until the transaction ends.
async fn present_holder(tx: &mut db::Tx, client: &OAuthClient, old: &IssuedToken) -> Result<(TokenHolder, Option<Account>), Refusal> {
    let account = holders::account_of(tx, &old.holder, client.tenant).await?;
    match (&old.holder, account) {
        // Old installations gave applications refresh tokens too. Such a token stays the client's even when its owner is gone.
        (TokenHolder::Application { .. }, account) => Ok((holders::application(client), account.filter(Account::may_act))),
        (TokenHolder::User { .. }, Some(account)) => {
            let held = hold::user(tx, &account).await?.ok_or_else(Refusal::grant_not_good)?;
            Ok((holders::user(&held), Some(held)))
        }
        (TokenHolder::User { .. }, None) => Err(Refusal::grant_not_good()),
    }
}

/// The old scopes, or those asked for among them, as far as the holder may still have them.
async fn narrowed(
    tx: &mut db::Tx,
    client: &OAuthClient,
    holder: Option<&Account>,
    old: &IssuedToken,
    asked: Option<&[String]>,
) -> Result<Vec<String>, Refusal> {
    if asked.is_some_and(|asked| asked.iter().any(|scope| !old.scopes.contains(scope))) {
        return Err(Refusal::InvalidScope("The requested scope exceeds the scope granted by the resource owner."));
    }
    Ok(scopes::grant(tx, client, holder, asked.unwrap_or(&old.scopes)).await?)
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

impl From<Refusal> for Lost {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
